/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HPKE, RFC 9180, base mode, one message a key: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256
 * 0x0001, AES-256-GCM 0x0002. With one message the sequence number is 0: the nonce is base_nonce.
 */
#include "crypto/ossl_int.h"

#define HPKE_INFO_MAX 65536

static const uint8_t kem_suite[] = {'K', 'E', 'M', 0x00, 0x20};
static const uint8_t hpke_suite[] = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x02};

/* Without memory it must end here: a key made of an empty buffer is one that anybody can make. */
static sr_status labeled_extract(struct buf *b, struct slice suite, struct slice salt,
                                 const char *label, struct slice secret_ikm, uint8_t ret_prk[32],
                                 struct sr_err *err) {
    static const uint8_t zero[32];
    buf_clear(b);
    buf_str(b, "HPKE-v1");
    buf_add(b, suite);
    buf_str(b, label);
    buf_add(b, secret_ikm);
    SR_TRY(buf_status(b, err));
    hmac_sha256(salt.n ? salt : slice_of(zero, sizeof zero), buf_slice(b), ret_prk);
    return SR_OK;
}

static sr_status labeled_expand(struct buf *b, struct slice suite, const uint8_t secret_prk[32],
                                const char *label, struct slice info, uint8_t *ret_okm, size_t n,
                                struct sr_err *err) {
    buf_clear(b);
    buf_u16(b, (uint16_t)n);
    buf_str(b, "HPKE-v1");
    buf_add(b, suite);
    buf_str(b, label);
    buf_add(b, info);
    SR_TRY(buf_status(b, err));
    return hkdf_expand(secret_prk, buf_slice(b), ret_okm, n, err);
}

/* ExtractAndExpand of the KEM, then the key schedule: from the Diffie-Hellman value to key and
 * nonce. */
static sr_status schedule(const uint8_t secret_dh[32], const uint8_t enc[32], const uint8_t pkr[32],
                          struct slice info, uint8_t ret_key[32], uint8_t ret_nonce[12],
                          struct sr_err *err) {
    const struct slice kem = {kem_suite, sizeof kem_suite}, suite = {hpke_suite, sizeof hpke_suite};
    cleanup_buf_wipe struct buf b = {0};
    uint8_t shared[32], prk[32], context[65], both[64];
    if (info.n > HPKE_INFO_MAX) return sr_fail(err, SR_E_TOOBIG, "HPKE info of %zu bytes", info.n);
    buf_init(&b, HPKE_INFO_MAX + 256);
    memcpy(both, enc, 32);
    memcpy(both + 32, pkr, 32);
    const struct slice none = {0};
    sr_status st = labeled_extract(&b, kem, none, "eae_prk", slice_of(secret_dh, 32), prk, err);
    if (st == SR_OK)
        st = labeled_expand(&b, kem, prk, "shared_secret", slice_of(both, sizeof both), shared,
                            sizeof shared, err);
    context[0] = 0; /* mode_base */
    if (st == SR_OK) st = labeled_extract(&b, suite, none, "psk_id_hash", none, context + 1, err);
    if (st == SR_OK) st = labeled_extract(&b, suite, none, "info_hash", info, context + 33, err);
    if (st == SR_OK)
        st = labeled_extract(&b, suite, slice_of(shared, sizeof shared), "secret", none, prk, err);
    struct slice cx = {context, sizeof context};
    if (st == SR_OK) st = labeled_expand(&b, suite, prk, "key", cx, ret_key, 32, err);
    if (st == SR_OK) st = labeled_expand(&b, suite, prk, "base_nonce", cx, ret_nonce, 12, err);
    explicit_bzero(shared, sizeof shared);
    explicit_bzero(prk, sizeof prk);
    return st;
}

/* X25519; refuses the few public keys of small order, whose result is zero for every private key.
 */
static sr_status x25519(EVP_PKEY *secret, const uint8_t pub[32], uint8_t ret_dh[32],
                        struct sr_err *err) {
    size_t n = 32;
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, pub, 32);
    EVP_PKEY_CTX *c = peer ? EVP_PKEY_CTX_new(secret, NULL) : NULL;
    bool ok = c && EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_derive_set_peer(c, peer) == 1 &&
              EVP_PKEY_derive(c, ret_dh, &n) == 1 && n == 32;
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(peer);
    if (!ok) return ossl_fail(err, SR_E_CRYPTO, "not a usable X25519 public key");
    return SR_OK;
}

static EVP_PKEY *raw_secret(struct slice secret_key) {
    crypto_init();
    return secret_key.n == 32
               ? EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret_key.p, 32)
               : NULL;
}

sr_status hpke_keygen(struct sr_secret *ret_key, uint8_t ret_public[32], struct sr_err *err) {
    cleanup_secret struct sr_secret k = {0};
    SR_TRY(secret_new(32, &k, err));
    SR_TRY(random_bytes(k.p, k.n, err));
    SR_TRY(hpke_public(&k, ret_public, err));
    *ret_key = k;
    k = (struct sr_secret){0};
    return SR_OK;
}

sr_status hpke_public(const struct sr_secret *key, uint8_t ret_public[32], struct sr_err *err) {
    size_t n = 32;
    uint8_t pub[32];
    EVP_PKEY *k = raw_secret(secret_slice(key));
    bool ok = k && EVP_PKEY_get_raw_public_key(k, pub, &n) == 1 && n == 32;
    EVP_PKEY_free(k);
    if (!ok) return ossl_fail(err, SR_E_CRYPTO, "not an X25519 private key");
    memcpy(ret_public, pub, 32);
    return SR_OK;
}

sr_status hpke_seal_with(const struct sr_secret *ephemeral, const uint8_t public_key[32],
                         struct slice info, struct slice aad, struct slice secret_plain,
                         struct buf *ret, struct sr_err *err) {
    uint8_t enc[32], dh[32], key[32], nonce[12];
    SR_TRY(hpke_public(ephemeral, enc, err));
    EVP_PKEY *k = raw_secret(secret_slice(ephemeral));
    sr_status st = k ? x25519(k, public_key, dh, err)
                     : ossl_fail(err, SR_E_NOMEM, "cannot make an X25519 key");
    EVP_PKEY_free(k);
    SR_TRY(st);
    size_t before = ret->n;
    st = schedule(dh, enc, public_key, info, key, nonce, err);
    if (st == SR_OK) {
        buf_put(ret, enc, sizeof enc);
        st = aes_gcm_seal_raw(slice_of(key, sizeof key), nonce, aad, secret_plain, ret, err);
    }
    if (st != SR_OK && ret->n > before) ret->n = before;
    explicit_bzero(dh, sizeof dh);
    explicit_bzero(key, sizeof key);
    return st;
}

sr_status hpke_seal(const uint8_t public_key[32], struct slice info, struct slice aad,
                    struct slice secret_plain, struct buf *ret, struct sr_err *err) {
    cleanup_secret struct sr_secret ephemeral = {0};
    uint8_t pub[32];
    SR_TRY(hpke_keygen(&ephemeral, pub, err));
    return hpke_seal_with(&ephemeral, public_key, info, aad, secret_plain, ret, err);
}

sr_status hpke_open(const struct sr_secret *key, struct slice info, struct slice aad,
                    struct slice sealed, struct buf *ret_secret, struct sr_err *err) {
    uint8_t pub[32], dh[32], k[32], nonce[12];
    if (sealed.n < HPKE_ENC_BYTES + GCM_TAG)
        return sr_fail(err, SR_E_MALFORMED, "sealed data of %zu bytes", sealed.n);
    SR_TRY(hpke_public(key, pub, err));
    EVP_PKEY *sk = raw_secret(secret_slice(key));
    sr_status st = sk ? x25519(sk, sealed.p, dh, err)
                      : ossl_fail(err, SR_E_NOMEM, "cannot make an X25519 key");
    EVP_PKEY_free(sk);
    SR_TRY(st);
    st = schedule(dh, sealed.p, pub, info, k, nonce, err);
    if (st == SR_OK)
        st = aes_gcm_open_raw(slice_of(k, sizeof k), nonce, aad,
                              slice_of(sealed.p + HPKE_ENC_BYTES, sealed.n - HPKE_ENC_BYTES),
                              ret_secret, err);
    explicit_bzero(dh, sizeof dh);
    explicit_bzero(k, sizeof k);
    return st;
}
