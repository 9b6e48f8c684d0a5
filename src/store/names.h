/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - small texts of the registry, each under a name of its own below a folder
 *
 *   oci/digests/<64 digits>               the CID of the content with this SHA-256
 *   oci/repos/<name>/manifests/<digits>   the media type of a manifest
 *   oci/repos/<name>/tags/<tag>           the digits of the manifest that the tag names
 *
 * A text is a symbolic link that leads nowhere: one call makes it whole, or not at all. Paths come
 * from this folder only, made of checked parts.
 */
#pragma once
#include "net/net.h"

#define NAME_TEXT_MAX 200u

/* Sets a text, also over an older one; makes its folders. Waits until it is on disk. */
SR_CHECK sr_status name_put(int dir_fd, const char *path, const char *text, struct sr_err *err);
/* SR_E_NOTFOUND. */
SR_CHECK sr_status name_get(int dir_fd, const char *path, char ret_text[NAME_TEXT_MAX + 1],
                            struct sr_err *err);
/* Names in a folder, sorted; an absent folder has none. SR_E_TOOBIG over max. Waits. Owned:
 * names_done. */
struct names {
    char **v;
    size_t n;
};
SR_CHECK sr_status names_list(int dir_fd, const char *path, size_t max, struct names *ret,
                              struct sr_err *err);
void names_done(struct names *l);
