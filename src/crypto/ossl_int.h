/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ossl_int.h - the OpenSSL algorithms the house uses, looked up once a process
 *
 * A look-up ("fetch") costs more than the hash of a short text, and reading OpenSSL's configuration
 * file costs more than a whole short command: so both happen here, once or never.
 *
 * Depends on: libcrypto.  Used by: crypto only.
 */
#pragma once
#include "crypto/crypto.h"
#include <openssl/evp.h>

struct ossl {
    EVP_MD *sha256, *sha384, *sha512;
    EVP_CIPHER *aes256_cbc, *aes256_gcm;
};

/* Never fails: a libcrypto without these is a broken installation (asserted). Thread: any. */
const struct ossl *ossl_get(void);
/* Empties OpenSSL's error queue and fails with our text: its own texts tell users nothing. */
sr_status ossl_fail(struct sr_err *err, sr_status code, const char *what);

/* AES-256-GCM with a nonce from outside (HPKE derives it): ret gets ciphertext | tag(16). */
SR_CHECK sr_status aes_gcm_seal_raw(struct slice secret_key, const uint8_t nonce[GCM_NONCE],
                                    struct slice aad, struct slice secret_plain, struct buf *ret,
                                    struct sr_err *err);
SR_CHECK sr_status aes_gcm_open_raw(struct slice secret_key, const uint8_t nonce[GCM_NONCE],
                                    struct slice aad, struct slice sealed, struct buf *ret_secret,
                                    struct sr_err *err);

/* hpke_seal with the sender's key given: for the test vectors only. */
SR_CHECK sr_status hpke_seal_with(const struct sr_secret *ephemeral, const uint8_t public_key[32],
                                  struct slice info, struct slice aad, struct slice secret_plain,
                                  struct buf *ret, struct sr_err *err);

/* A new key of an even number of bits, e = 65537; *ret is owned (EVP_PKEY_free). Uses two threads.
 */
SR_CHECK sr_status rsa_make(int bits, EVP_PKEY **ret, struct sr_err *err);
