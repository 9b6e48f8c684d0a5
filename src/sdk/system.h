/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.h - the interpreter and libraries that an app's image takes from this machine's packages
 *
 * app.json's "base": "python", "node", a Debian package's name, or a list of such. Their files and
 * those of what they depend on, without documentation. Or "packages" (debian.h): the same out of
 * Debian's archive, whatever is installed here.
 *
 * Depends on: oci (the list's type), dpkg-query.  Used by: sdk (app deploy), cli (app build, test).
 * Blocks: some tens of milliseconds.
 */
#pragma once
#include "oci/oci.h"

struct sdk_system { /* owned: sdk_system_done */
    struct oci_extra *v;
    size_t n;
    bool merged; /* /lib is a link to usr/lib */
};
/* Of the app in dir; nothing (n 0) when its app.json names no base. SR_E_NOTFOUND with a hint: a
 * package is not installed. */
SR_CHECK sr_status sdk_system_of(const char *dir, struct sdk_system *ret, struct sr_err *err);
void sdk_system_done(struct sdk_system *s);

/* Runs a program, found along PATH, to its end; its standard output into out. SR_E_UNAVAILABLE when
 * it does not start or fails. */
SR_CHECK sr_status sdk_program(char *const *argv, struct buf *out, const char *hint,
                               struct sr_err *err);
/*
 * sdk_copy_image - an image from elsewhere as an archive of ours
 *
 * image    docker://..., oci-archive:FILE or oci:DIR: what skopeo reads
 * name     of the app; NULL: made of the image's
 * ret      owned: oci_built_done
 *
 * All of it is checked: digests of manifest, config and layers by skopeo on the way, of manifest
 * and config here, of the layers by the room.
 */
SR_CHECK sr_status sdk_copy_image(const char *image, const char *name, const char *archive,
                                  struct oci_built *ret, struct sr_err *err);
