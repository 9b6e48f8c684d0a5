/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ossl_int.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <pthread.h>

static struct ossl algorithms;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

void crypto_init(void) {
    /* No config file, no error strings: a third of libcrypto's start-up. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS,
                              NULL);
}

static void fetch_all(void) {
    crypto_init();
    algorithms.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    algorithms.sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL);
    algorithms.sha512 = EVP_MD_fetch(NULL, "SHA2-512", NULL);
    algorithms.aes256_cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    algorithms.aes256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    SR_ASSERT(algorithms.sha256 && algorithms.sha384 && algorithms.sha512);
    SR_ASSERT(algorithms.aes256_cbc && algorithms.aes256_gcm);
}

const struct ossl *ossl_get(void) {
    (void)pthread_once(&fetched, fetch_all);
    return &algorithms;
}

sr_status ossl_fail(struct sr_err *err, sr_status code, const char *what) {
    ERR_clear_error();
    return sr_fail(err, code, "%s", what);
}
