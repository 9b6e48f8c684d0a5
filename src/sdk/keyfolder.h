/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyfolder.h - the keystore folder: V3 files, names.json {"name": "0x…"}, default
 *
 * Used by: wallet.c.  The folder has mode 0700, its files 0600.
 */
#pragma once
#include "sdk/sdk_int.h"

#define KEYFOLDER_MAX 4096 /* wallets */

struct keyfile {
    struct addr addr;
    char path[512];
    char date[40]; /* of its name; the newest of two files for one address counts */
};
/* All keystore files, sorted by address; *ret_list is owned: free. A missing folder has none. */
SR_CHECK sr_status keyfolder_list(const char *folder, struct keyfile **ret_list, size_t *ret_n,
                                  struct sr_err *err);
bool keyfolder_find(const char *folder, const struct addr *a, struct keyfile *ret);
/* A new V3 file; SR_E_CONFLICT when the address is there. name may be NULL. */
SR_CHECK sr_status keyfolder_add(const char *folder, const struct addr *a, struct slice json,
                                 const char *name, struct keyfile *ret, struct sr_err *err);
bool keyfolder_by_name(const char *folder, const char *name, struct addr *ret_a);
bool keyfolder_name_of(const char *folder, const struct addr *a, char ret_name[64]);
/* SR_E_USAGE: not a name (letters, digits, - _ .; not an address); SR_E_CONFLICT: taken. */
SR_CHECK sr_status keyfolder_check_name(const char *folder, const char *name, struct sr_err *err);
/* Text of the default: an address or a development name; false when none was chosen. */
bool keyfolder_default(const char *folder, char ret_text[64]);
SR_CHECK sr_status keyfolder_set_default(const char *folder, const char *text, struct sr_err *err);
