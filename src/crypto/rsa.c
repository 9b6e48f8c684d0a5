/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ossl_int.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define RSA_PEM_MAX  16384
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

/* OpenSSL's default asks on the terminal for the password of an encrypted key: never here. */
static int no_password(char *b, int n, int rw, void *arg) {
    (void)b, (void)n, (void)rw, (void)arg;
    return -1;
}

static sr_status read_key(struct slice pem, bool secret, EVP_PKEY **ret, struct sr_err *err) {
    const char *what = secret ? "not an RSA private key of 2048 to 8192 bits in PEM"
                              : "not an RSA public key of 2048 to 8192 bits in PEM";
    if (pem.n == 0 || pem.n > RSA_PEM_MAX) return sr_fail(err, SR_E_MALFORMED, "%s", what);
    crypto_init();
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!b) return ossl_fail(err, SR_E_NOMEM, "out of memory");
    EVP_PKEY *k = secret ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL)
                         : PEM_read_bio_PUBKEY(b, NULL, no_password, NULL);
    BIO_free(b);
    if (!k || EVP_PKEY_get_base_id(k) != EVP_PKEY_RSA || EVP_PKEY_get_bits(k) < RSA_BITS_MIN ||
        EVP_PKEY_get_bits(k) > RSA_BITS_MAX) {
        EVP_PKEY_free(k);
        return ossl_fail(err, SR_E_MALFORMED, what);
    }
    *ret = k;
    return SR_OK;
}

static sr_status write_pem(EVP_PKEY *k, bool secret, struct buf *ret, struct sr_err *err) {
    BIO *b = BIO_new(secret ? BIO_s_secmem() : BIO_s_mem());
    char *p = NULL;
    bool ok = b && (secret ? PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, no_password, NULL)
                           : PEM_write_bio_PUBKEY(b, k)) == 1;
    long n = ok ? BIO_get_mem_data(b, &p) : 0;
    if (n > 0) buf_put(ret, p, (size_t)n);
    if (n > 0 && secret) explicit_bzero(p, (size_t)n);
    BIO_free(b);
    if (n <= 0) return ossl_fail(err, SR_E_NOMEM, "cannot write an RSA key");
    return buf_status(ret, err);
}

sr_status rsa_generate(unsigned bits, struct buf *ret_secret_pem, struct buf *ret_public_pem,
                       struct sr_err *err) {
    if (bits != 2048 && bits != 4096) return sr_fail(err, SR_E_RANGE, "RSA of %u bits", bits);
    crypto_init();
    EVP_PKEY *k = NULL;
    SR_TRY(rsa_make((int)bits, &k, err));
    sr_status st = write_pem(k, true, ret_secret_pem, err);
    if (st == SR_OK) st = write_pem(k, false, ret_public_pem, err);
    EVP_PKEY_free(k);
    return st;
}

sr_status rsa_public_of(struct slice secret_pem, struct buf *ret_public_pem, struct sr_err *err) {
    EVP_PKEY *k = NULL;
    SR_TRY(read_key(secret_pem, true, &k, err));
    sr_status st = write_pem(k, false, ret_public_pem, err);
    EVP_PKEY_free(k);
    return st;
}

/* Both directions of RSAES-PKCS1-v1_5; the output is at most as long as the modulus. */
static sr_status run(EVP_PKEY *k, bool encrypt, struct slice in, struct buf *ret,
                     struct sr_err *err) {
    size_t max = (size_t)EVP_PKEY_get_size(k), n = max, before = ret->n;
    uint8_t *out = buf_reserve(ret, max);
    if (!out) return buf_status(ret, err);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k, NULL);
    int ok = c && (encrypt ? EVP_PKEY_encrypt_init(c) : EVP_PKEY_decrypt_init(c)) == 1 &&
             EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1;
    if (ok)
        ok = encrypt ? EVP_PKEY_encrypt(c, out, &n, in.p, in.n)
                     : EVP_PKEY_decrypt(c, out, &n, in.p, in.n);
    EVP_PKEY_CTX_free(c);
    if (ok != 1 || n > max) {
        explicit_bzero(out, max);
        return ossl_fail(err, SR_E_CRYPTO,
                         encrypt ? "RSA encryption failed"
                                 : "RSA decryption failed: wrong key, or the data was changed");
    }
    SR_ASSERT(buf_grow(ret, n) == out && ret->n == before + n);
    return SR_OK;
}

sr_status rsa_encrypt(struct slice public_pem, struct slice secret_plain, struct buf *ret,
                      struct sr_err *err) {
    EVP_PKEY *k = NULL;
    SR_TRY(read_key(public_pem, false, &k, err));
    sr_status st = run(k, true, secret_plain, ret, err);
    EVP_PKEY_free(k);
    return st;
}

sr_status rsa_decrypt(struct slice secret_pem, struct slice cipher, struct buf *ret_secret,
                      struct sr_err *err) {
    EVP_PKEY *k = NULL;
    SR_TRY(read_key(secret_pem, true, &k, err));
    sr_status st = run(k, false, cipher, ret_secret, err);
    EVP_PKEY_free(k);
    return st;
}
