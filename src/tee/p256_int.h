/* SPDX-License-Identifier: Apache-2.0 */
/* p256_int.h - P-256 keys as OpenSSL has them. Used by: tee only. */
#pragma once
#include "crypto/crypto.h"
#include <openssl/evp.h>

/* secret may be NULL: a public key. NULL when the point is not on the curve. Owned: EVP_PKEY_free.
 */
EVP_PKEY *p256_key(const uint8_t *secret, const uint8_t public_key[64]);
SR_CHECK sr_status p256_sign_pkey(EVP_PKEY *k, struct slice message, uint8_t ret_sig[64],
                                  struct sr_err *err);
SR_CHECK bool p256_verify_pkey(EVP_PKEY *k, struct slice message, const uint8_t sig[64]);
