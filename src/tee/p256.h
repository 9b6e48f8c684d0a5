/* SPDX-License-Identifier: Apache-2.0 */
/*
 * p256.h - ECDSA over P-256 with SHA-256 in the raw form of quotes: X|Y and r|s, 32 bytes each,
 * big-endian
 *
 * Depends on: libcrypto.  Used by: tee only.
 */
#pragma once
#include "crypto/crypto.h"

/* Signs the message. SR_E_CRYPTO when the key is none. */
SR_CHECK sr_status p256_sign(struct slice secret_key, const uint8_t public_key[64],
                             struct slice message, uint8_t ret_sig[64], struct sr_err *err);
SR_CHECK bool p256_key_ok(const uint8_t public_key[64]); /* is it a point of the curve */
SR_CHECK bool p256_verify(const uint8_t public_key[64], struct slice message,
                          const uint8_t sig[64]);
