/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ossl_int.h"

#define AES_PART_MAX (1u << 30) /* OpenSSL counts in int */

sr_status aes_cbc_init(struct aes_cbc *c, bool encrypt, const struct sr_secret *key,
                       const uint8_t iv[16], struct sr_err *err) {
    if (key->n != AES_KEY_BYTES)
        return sr_fail(err, SR_E_CRYPTO, "an AES key of %zu bytes, not 32", key->n);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    if (!x ||
        EVP_CipherInit_ex2(x, ossl_get()->aes256_cbc, key->p, iv, encrypt ? 1 : 0, NULL) != 1) {
        EVP_CIPHER_CTX_free(x);
        return ossl_fail(err, SR_E_NOMEM, "cannot start AES-256-CBC");
    }
    c->ctx = x;
    return SR_OK;
}

sr_status aes_cbc_add(struct aes_cbc *c, struct slice in, uint8_t *out, size_t *ret_n,
                      struct sr_err *err) {
    int n = 0;
    if (in.n > AES_PART_MAX) return sr_fail(err, SR_E_TOOBIG, "AES input of %zu bytes", in.n);
    if (in.n && EVP_CipherUpdate(c->ctx, out, &n, in.p, (int)in.n) != 1)
        return ossl_fail(err, SR_E_CRYPTO, "AES-256-CBC failed");
    *ret_n = (size_t)n;
    return SR_OK;
}

sr_status aes_cbc_end(struct aes_cbc *c, uint8_t *out, size_t *ret_n, struct sr_err *err) {
    int n = 0;
    int ok = EVP_CipherFinal_ex(c->ctx, out, &n);
    aes_cbc_drop(c);
    if (ok != 1)
        return ossl_fail(err, SR_E_CRYPTO, "decryption failed: wrong key, or the data was changed");
    *ret_n = (size_t)n;
    return SR_OK;
}

void aes_cbc_drop(struct aes_cbc *c) {
    EVP_CIPHER_CTX_free(c->ctx);
    c->ctx = NULL;
}

sr_status aes_gcm_seal(const struct sr_secret *key, struct slice aad, struct slice secret_plain,
                       struct buf *ret, struct sr_err *err) {
    uint8_t nonce[GCM_NONCE];
    SR_TRY(random_bytes(nonce, sizeof nonce, err));
    size_t before = ret->n;
    buf_put(ret, nonce, sizeof nonce);
    sr_status st = aes_gcm_seal_raw(secret_slice(key), nonce, aad, secret_plain, ret, err);
    if (st != SR_OK && ret->n > before) ret->n = before;
    return st;
}

sr_status aes_gcm_open(const struct sr_secret *key, struct slice aad, struct slice sealed,
                       struct buf *ret_secret, struct sr_err *err) {
    if (sealed.n < GCM_NONCE + GCM_TAG)
        return sr_fail(err, SR_E_MALFORMED, "sealed data of %zu bytes", sealed.n);
    return aes_gcm_open_raw(secret_slice(key), sealed.p, aad,
                            slice_of(sealed.p + GCM_NONCE, sealed.n - GCM_NONCE), ret_secret, err);
}

static bool gcm_seal(EVP_CIPHER_CTX *x, const uint8_t *key, const uint8_t *nonce, struct slice aad,
                     struct slice plain, uint8_t *out) {
    int n = 0;
    return EVP_EncryptInit_ex2(x, ossl_get()->aes256_gcm, key, nonce, NULL) == 1 &&
           (aad.n == 0 || EVP_EncryptUpdate(x, NULL, &n, aad.p, (int)aad.n) == 1) &&
           (plain.n == 0 || EVP_EncryptUpdate(x, out, &n, plain.p, (int)plain.n) == 1) &&
           EVP_EncryptFinal_ex(x, out + plain.n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, out + plain.n) == 1;
}

sr_status aes_gcm_seal_raw(struct slice secret_key, const uint8_t nonce[GCM_NONCE],
                           struct slice aad, struct slice secret_plain, struct buf *ret,
                           struct sr_err *err) {
    if (secret_key.n != AES_KEY_BYTES)
        return sr_fail(err, SR_E_CRYPTO, "an AES key of %zu bytes, not 32", secret_key.n);
    if (secret_plain.n > AES_PART_MAX || aad.n > AES_PART_MAX)
        return sr_fail(err, SR_E_TOOBIG, "%zu bytes to seal", secret_plain.n);
    size_t before = ret->n;
    uint8_t *out = buf_grow(ret, secret_plain.n + GCM_TAG);
    if (!out) return buf_status(ret, err);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    bool ok = x && gcm_seal(x, secret_key.p, nonce, aad, secret_plain, out);
    EVP_CIPHER_CTX_free(x);
    if (ok) return SR_OK;
    ret->n = before;
    return ossl_fail(err, SR_E_NOMEM, "cannot seal");
}

static bool gcm_open(EVP_CIPHER_CTX *x, const uint8_t *key, const uint8_t *nonce, struct slice aad,
                     struct slice cipher, const uint8_t *tag, uint8_t *out) {
    int n = 0;
    uint8_t t[GCM_TAG], last[GCM_TAG];
    memcpy(t, tag, sizeof t);
    return EVP_DecryptInit_ex2(x, ossl_get()->aes256_gcm, key, nonce, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, t) == 1 &&
           (aad.n == 0 || EVP_DecryptUpdate(x, NULL, &n, aad.p, (int)aad.n) == 1) &&
           (cipher.n == 0 || EVP_DecryptUpdate(x, out, &n, cipher.p, (int)cipher.n) == 1) &&
           EVP_DecryptFinal_ex(x, last, &n) == 1;
}

sr_status aes_gcm_open_raw(struct slice secret_key, const uint8_t nonce[GCM_NONCE],
                           struct slice aad, struct slice sealed, struct buf *ret_secret,
                           struct sr_err *err) {
    if (secret_key.n != AES_KEY_BYTES)
        return sr_fail(err, SR_E_CRYPTO, "an AES key of %zu bytes, not 32", secret_key.n);
    if (sealed.n < GCM_TAG || sealed.n > AES_PART_MAX || aad.n > AES_PART_MAX)
        return sr_fail(err, SR_E_MALFORMED, "sealed data of %zu bytes", sealed.n);
    size_t before = ret_secret->n, n = sealed.n - GCM_TAG;
    uint8_t *out = buf_grow(ret_secret, n);
    if (!out && n) return buf_status(ret_secret, err);
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    bool ok = x && gcm_open(x, secret_key.p, nonce, aad, slice_of(sealed.p, n), sealed.p + n, out);
    EVP_CIPHER_CTX_free(x);
    if (ok) return SR_OK;
    if (n) explicit_bzero(out, n); /* unauthenticated plain text never leaves */
    ret_secret->n = before;
    return ossl_fail(err, SR_E_CRYPTO, "cannot open sealed data: wrong key, or it was changed");
}

sr_status aes128_ctr(const uint8_t secret_key16[16], const uint8_t iv[16], struct slice in,
                     uint8_t *ret, struct sr_err *err) {
    if (in.n > AES_PART_MAX) return sr_fail(err, SR_E_TOOBIG, "AES input of %zu bytes", in.n);
    crypto_init();
    int n = 0;
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    bool ok = x && EVP_EncryptInit_ex2(x, EVP_aes_128_ctr(), secret_key16, iv, NULL) == 1 &&
              (in.n == 0 || EVP_EncryptUpdate(x, ret, &n, in.p, (int)in.n) == 1) &&
              (size_t)n == in.n;
    EVP_CIPHER_CTX_free(x);
    return ok ? SR_OK : ossl_fail(err, SR_E_NOMEM, "AES-128-CTR failed");
}
