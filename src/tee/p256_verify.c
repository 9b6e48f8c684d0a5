/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/p256.h"
#include "tee/p256_int.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>

bool p256_key_ok(const uint8_t public_key[64]) {
    EVP_PKEY *k = p256_key(NULL, public_key);
    EVP_PKEY_free(k);
    return k != NULL;
}

bool p256_verify_pkey(EVP_PKEY *k, struct slice message, const uint8_t sig[64]) {
    uint8_t der[80], *p = der;
    int n = 0;
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig, 32, NULL), *t = BN_bin2bn(sig + 32, 32, NULL);
    if (s && r && t && ECDSA_SIG_set0(s, r, t) == 1) {
        r = t = NULL; /* s owns them now */
        n = i2d_ECDSA_SIG(s, NULL);
        n = n > 0 && (size_t)n <= sizeof der ? i2d_ECDSA_SIG(s, &p) : 0;
    }
    ECDSA_SIG_free(s);
    BN_free(r);
    BN_free(t);
    EVP_MD_CTX *c = n > 0 ? EVP_MD_CTX_new() : NULL;
    bool ok = c && EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, k) == 1 &&
              EVP_DigestVerify(c, der, (size_t)n, message.p, message.n) == 1;
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return ok;
}

bool p256_verify(const uint8_t public_key[64], struct slice message, const uint8_t sig[64]) {
    EVP_PKEY *k = p256_key(NULL, public_key);
    bool ok = k && p256_verify_pkey(k, message, sig);
    EVP_PKEY_free(k);
    return ok;
}
