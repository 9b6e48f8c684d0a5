/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keystore.h - Web3 Secret Storage version 3: keys at rest under a password
 *
 * Depends on: base, crypto, libcrypto.  Used by: cli, vault.  No network.
 * Slow on purpose: about half a second and 128 MiB with the default cost; use fiber_offload in a
 * role.  SPEC: sdk-formats.md#9-wallet-files
 */
#pragma once
#include "crypto/crypto.h"

#define KEYSTORE_MAX_BYTES 16384
#define KEYSTORE_N         131072u /* scrypt cost the official client writes */
#define KEYSTORE_N_LIGHT   4096u   /* for development keys and tests */

/* Appends the file's text. */
SR_CHECK sr_status keystore_write(const struct sr_secret *key, struct slice secret_password,
                                  uint64_t scrypt_n, struct buf *ret_json, struct sr_err *err);
/* scrypt and pbkdf2 (sha256); "Crypto" or "crypto". SR_E_AUTH: wrong password. */
SR_CHECK sr_status keystore_read(struct slice json, struct slice secret_password,
                                 struct sr_secret *ret_key, struct sr_err *err);
/* The address named inside, without the password. SR_E_NOTFOUND when it names none. */
SR_CHECK sr_status keystore_address(struct slice json, struct addr *ret_a, struct sr_err *err);
/* UTC--YYYY-MM-DDTHH-MM-SS.mmm000000Z--<checksummed address without 0x> */
#define KEYSTORE_NAME_MAX 96
void keystore_name(char dst[KEYSTORE_NAME_MAX], const struct addr *a, uint64_t unix_ms);
