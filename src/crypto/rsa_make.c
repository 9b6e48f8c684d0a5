/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new RSA key, its two primes looked for at the same time. EVP_RSA_gen looks for one after the
 * other, and starts each from auxiliary primes (FIPS 186-4 B.3.6), which keys of this size do not
 * need (B.3.3): a first run would wait for it up to ten seconds.
 */
#include "crypto/ossl_int.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <pthread.h>

#define RSA_E      65537u
#define APART_BITS 100 /* p and q differ in their first 100 bits: FIPS 186-4 B.3.3, 5.4 */

struct prime {
    BIGNUM *p;
    int bits;
    bool ok;
};

/* Both highest bits are set, so that the product of two has all its bits; e has an inverse. */
static void *find_prime(void *arg) {
    struct prime *w = arg;
    do w->ok = BN_generate_prime_ex(w->p, w->bits, 0, NULL, NULL, NULL) == 1;
    while (w->ok && BN_mod_word(w->p, RSA_E) == 1);
    return NULL;
}

static bool find_both(struct prime w[2]) {
    pthread_t other;
    bool beside = pthread_create(&other, NULL, find_prime, &w[1]) == 0;
    (void)find_prime(&w[0]);
    if (beside)
        (void)pthread_join(other, NULL);
    else
        (void)find_prime(&w[1]);
    return w[0].ok && w[1].ok;
}

enum { N, E, D, P, Q, DP, DQ, QINV, P1, Q1, PHI, GAP, NUMBERS };

static bool far_apart(BIGNUM *const v[NUMBERS], int bits) {
    return BN_sub(v[GAP], v[P], v[Q]) == 1 && BN_num_bits(v[GAP]) > bits / 2 - APART_BITS;
}

/* All of the key from p and q (p > q). d is the inverse for (p-1)(q-1), so for their least common
 * multiple too (RFC 8017, 3.2); looking for that would cost as much as a third of a prime. */
static bool derive(BIGNUM *const v[NUMBERS], int bits, BN_CTX *c) {
    for (int i = 0; i < NUMBERS; i++) BN_set_flags(v[i], BN_FLG_CONSTTIME);
    return BN_set_word(v[E], RSA_E) == 1 && BN_mul(v[N], v[P], v[Q], c) == 1 &&
           BN_num_bits(v[N]) == bits && BN_sub(v[P1], v[P], BN_value_one()) == 1 &&
           BN_sub(v[Q1], v[Q], BN_value_one()) == 1 && BN_mul(v[PHI], v[P1], v[Q1], c) == 1 &&
           BN_mod_inverse(v[D], v[E], v[PHI], c) && BN_num_bits(v[D]) > bits / 2 &&
           BN_mod(v[DP], v[D], v[P1], c) == 1 && BN_mod(v[DQ], v[D], v[Q1], c) == 1 &&
           BN_mod_inverse(v[QINV], v[Q], v[P], c);
}

static EVP_PKEY *key_of(BIGNUM *const v[NUMBERS]) {
    static const struct {
        const char *name;
        int at;
    } parts[] = {{OSSL_PKEY_PARAM_RSA_N, N},          {OSSL_PKEY_PARAM_RSA_E, E},
                 {OSSL_PKEY_PARAM_RSA_D, D},          {OSSL_PKEY_PARAM_RSA_FACTOR1, P},
                 {OSSL_PKEY_PARAM_RSA_FACTOR2, Q},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, DP},
                 {OSSL_PKEY_PARAM_RSA_EXPONENT2, DQ}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, QINV}};
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    bool ok = b != NULL;
    for (size_t i = 0; i < SR_ARRAY_LEN(parts) && ok; i++)
        ok = OSSL_PARAM_BLD_push_BN(b, parts[i].name, v[parts[i].at]) == 1;
    OSSL_PARAM *params = ok ? OSSL_PARAM_BLD_to_param(b) : NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *k = NULL;
    if (!params || !c || EVP_PKEY_fromdata_init(c) != 1 ||
        EVP_PKEY_fromdata(c, &k, EVP_PKEY_KEYPAIR, params) != 1)
        k = NULL;
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params); /* wipes what is secret: the numbers are secure ones */
    OSSL_PARAM_BLD_free(b);
    return k;
}

sr_status rsa_make(int bits, EVP_PKEY **ret, struct sr_err *err) {
    BIGNUM *v[NUMBERS] = {NULL};
    BN_CTX *c = BN_CTX_secure_new();
    EVP_PKEY *k = NULL;
    bool ok = c != NULL;
    for (int i = 0; i < NUMBERS; i++) {
        v[i] = BN_secure_new();
        ok = ok && v[i];
    }
    while (ok && !k) {
        struct prime w[2] = {{v[P], bits / 2, false}, {v[Q], bits / 2, false}};
        ok = find_both(w);
        if (ok && BN_cmp(v[P], v[Q]) < 0) BN_swap(v[P], v[Q]);
        if (!ok || !far_apart(v, bits) || !derive(v, bits, c)) continue;
        k = key_of(v);
        ok = k != NULL;
    }
    for (int i = 0; i < NUMBERS; i++) BN_clear_free(v[i]);
    BN_CTX_free(c);
    if (!k) return ossl_fail(err, SR_E_CRYPTO, "cannot make an RSA key");
    *ret = k;
    return SR_OK;
}
