/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/p256.h"
#include "tee/p256_int.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

EVP_PKEY *p256_key(const uint8_t *secret, const uint8_t public_key[64]) {
    crypto_init();
    uint8_t point[65] = {4}; /* uncompressed */
    memcpy(point + 1, public_key, 64);
    EVP_PKEY *k = NULL;
    BIGNUM *d = secret ? BN_bin2bn(secret, 32, NULL) : NULL;
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    bool ok = b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
              OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) &&
              (!secret || (d && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d)));
    OSSL_PARAM *p = ok ? OSSL_PARAM_BLD_to_param(b) : NULL;
    EVP_PKEY_CTX *c = p ? EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL) : NULL;
    if (!c || EVP_PKEY_fromdata_init(c) != 1 ||
        EVP_PKEY_fromdata(c, &k, secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, p) != 1)
        k = NULL;
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(p);
    OSSL_PARAM_BLD_free(b);
    BN_clear_free(d);
    ERR_clear_error();
    return k;
}

static bool der_to_raw(const uint8_t *der, size_t n, uint8_t ret_sig[64]) {
    const uint8_t *p = der;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
    bool ok = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), ret_sig, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(s), ret_sig + 32, 32) == 32;
    ECDSA_SIG_free(s);
    return ok;
}

sr_status p256_sign_pkey(EVP_PKEY *k, struct slice message, uint8_t ret_sig[64],
                         struct sr_err *err) {
    uint8_t der[80], raw[64];
    size_t n = sizeof der;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, k) == 1 &&
              EVP_DigestSign(c, der, &n, message.p, message.n) == 1 && der_to_raw(der, n, raw);
    EVP_MD_CTX_free(c);
    if (!ok) {
        ERR_clear_error();
        return sr_fail(err, SR_E_CRYPTO, "cannot sign with a P-256 key");
    }
    memcpy(ret_sig, raw, sizeof raw);
    return SR_OK;
}

sr_status p256_sign(struct slice secret_key, const uint8_t public_key[64], struct slice message,
                    uint8_t ret_sig[64], struct sr_err *err) {
    EVP_PKEY *k = secret_key.n == 32 ? p256_key(secret_key.p, public_key) : NULL;
    if (!k) return sr_fail(err, SR_E_CRYPTO, "not a P-256 key");
    sr_status st = p256_sign_pkey(k, message, ret_sig, err);
    EVP_PKEY_free(k);
    return st;
}
