/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ossl_int.h"

#include <openssl/hmac.h>

#define SCRYPT_MEM_MAX (256ull << 20)
#define SCRYPT_WORK_MAX                                                                            \
    (1ull << 24) /* n * r * p: eight times what the slowest wallets in use need */

sr_status sha256_init(struct sha256 *s, struct sr_err *err) {
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (!c || EVP_DigestInit_ex2(c, ossl_get()->sha256, NULL) != 1) {
        EVP_MD_CTX_free(c);
        return ossl_fail(err, SR_E_NOMEM, "cannot start a SHA-256");
    }
    s->ctx = c;
    return SR_OK;
}

void sha256_add(struct sha256 *s, struct slice data) {
    if (data.n) SR_ASSERT(EVP_DigestUpdate(s->ctx, data.p, data.n) == 1);
}

struct hash sha256_end(struct sha256 *s) {
    struct hash h;
    SR_ASSERT(EVP_DigestFinal_ex(s->ctx, h.b, NULL) == 1);
    sha256_drop(s);
    return h;
}

void sha256_drop(struct sha256 *s) {
    EVP_MD_CTX_free(s->ctx);
    s->ctx = NULL;
}

struct hash sha256(struct slice s) {
    struct hash h;
    SR_ASSERT(EVP_Digest(s.p, s.n, h.b, NULL, ossl_get()->sha256, NULL) == 1);
    return h;
}

void sha384(struct slice s, uint8_t ret_digest[48]) {
    SR_ASSERT(EVP_Digest(s.p, s.n, ret_digest, NULL, ossl_get()->sha384, NULL) == 1);
}

void sha512(struct slice s, uint8_t ret_digest[64]) {
    SR_ASSERT(EVP_Digest(s.p, s.n, ret_digest, NULL, ossl_get()->sha512, NULL) == 1);
}

void hmac_sha256(struct slice secret_key, struct slice s, uint8_t ret_mac[32]) {
    SR_ASSERT(secret_key.n <= INT32_MAX);
    const void *k = secret_key.n ? (const void *)secret_key.p : "";
    SR_ASSERT(HMAC(ossl_get()->sha256, k, (int)secret_key.n, s.p, s.n, ret_mac, NULL) != NULL);
}

sr_status hkdf_sha256(struct slice secret_ikm, struct slice salt, struct slice info,
                      uint8_t *ret_okm, size_t n, struct sr_err *err) {
    uint8_t zero[32] = {0}, prk[32];
    if (n > (size_t)255 * 32) return sr_fail(err, SR_E_RANGE, "HKDF output of %zu bytes", n);
    hmac_sha256(salt.n ? salt : slice_of(zero, sizeof zero), secret_ikm, prk);
    sr_status st = hkdf_expand(prk, info, ret_okm, n, err);
    explicit_bzero(prk, sizeof prk);
    return st;
}

sr_status hkdf_expand(const uint8_t secret_prk[32], struct slice info, uint8_t *ret_okm, size_t n,
                      struct sr_err *err) {
    cleanup_buf_wipe struct buf b = {0};
    buf_init(&b, info.n + 33);
    if (n > (size_t)255 * 32) return sr_fail(err, SR_E_RANGE, "HKDF output of %zu bytes", n);
    uint8_t t[32];
    for (size_t done = 0, i = 1; done < n; i++) {
        buf_clear(&b);
        if (i > 1) buf_put(&b, t, sizeof t);
        buf_add(&b, info);
        buf_u8(&b, (uint8_t)i);
        SR_TRY(buf_status(&b, err)); /* only the first round can fail: nothing was written yet */
        hmac_sha256(slice_of(secret_prk, 32), buf_slice(&b), t);
        size_t k = n - done < sizeof t ? n - done : sizeof t;
        memcpy(ret_okm + done, t, k);
        done += k;
    }
    explicit_bzero(t, sizeof t);
    return SR_OK;
}

sr_status scrypt_derive(struct slice secret_password, struct slice salt, uint64_t n, uint64_t r,
                        uint64_t p, uint8_t *ret_key, size_t len, struct sr_err *err) {
    if (n < 2 || (n & (n - 1)) != 0 || r == 0 || p == 0 || n > SCRYPT_MEM_MAX || r > 1024 ||
        p > 1024)
        return sr_fail(err, SR_E_RANGE, "scrypt parameters n=%llu r=%llu p=%llu are not usable",
                       (unsigned long long)n, (unsigned long long)r, (unsigned long long)p);
    if (128 * n * r > SCRYPT_MEM_MAX || n * r * p > SCRYPT_WORK_MAX)
        return sr_fail(err, SR_E_TOOBIG, "scrypt parameters n=%llu r=%llu p=%llu need too much",
                       (unsigned long long)n, (unsigned long long)r, (unsigned long long)p);
    crypto_init();
    const char *pw = secret_password.n ? (const char *)secret_password.p : "";
    const uint8_t *sp = salt.n ? salt.p : (const uint8_t *)"";
    /* OpenSSL counts the small blocks too: one MiB above the table. */
    if (EVP_PBE_scrypt(pw, secret_password.n, sp, salt.n, n, r, p, SCRYPT_MEM_MAX + (1u << 20),
                       ret_key, len) != 1)
        return ossl_fail(err, SR_E_NOMEM, "scrypt failed (memory?)");
    return SR_OK;
}
