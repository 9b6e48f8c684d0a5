/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/x384_int.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

X509 *x509_of(struct slice der, size_t max) {
    const uint8_t *p = der.p;
    if (der.n == 0 || der.n > max) return NULL;
    crypto_init();
    X509 *c = d2i_X509(NULL, &p, (long)der.n);
    if (c && p != der.p + der.n) {
        X509_free(c);
        c = NULL;
    }
    ERR_clear_error();
    return c;
}

bool x509_is_p384(X509 *c) {
    char group[32] = "";
    size_t n = 0;
    EVP_PKEY *k = X509_get0_pubkey(c);
    bool ok = k && EVP_PKEY_get_base_id(k) == EVP_PKEY_EC &&
              EVP_PKEY_get_group_name(k, group, sizeof group, &n) == 1 &&
              strcmp(group, "secp384r1") == 0;
    ERR_clear_error();
    return ok;
}

bool p384_verify(EVP_PKEY *k, struct slice message, const uint8_t sig[96]) {
    uint8_t der[112], *p = der;
    int n = 0;
    ECDSA_SIG *s = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig, 48, NULL), *t = BN_bin2bn(sig + 48, 48, NULL);
    if (s && r && t && ECDSA_SIG_set0(s, r, t) == 1) {
        r = t = NULL; /* s owns them now */
        n = i2d_ECDSA_SIG(s, NULL);
        n = n > 0 && (size_t)n <= sizeof der ? i2d_ECDSA_SIG(s, &p) : 0;
    }
    ECDSA_SIG_free(s);
    BN_free(r);
    BN_free(t);
    EVP_MD_CTX *c = n > 0 ? EVP_MD_CTX_new() : NULL;
    bool ok = c && EVP_DigestVerifyInit(c, NULL, EVP_sha384(), NULL, k) == 1 &&
              EVP_DigestVerify(c, der, (size_t)n, message.p, message.n) == 1;
    EVP_MD_CTX_free(c);
    ERR_clear_error();
    return ok;
}
