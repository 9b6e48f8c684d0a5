/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.h - the interpreter and libraries that an app's image takes from this machine's packages
 *
 * app.json's "base": "python", "node", a Debian package's name, or a list of such. Their files and
 * those of what they depend on, without documentation.
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
