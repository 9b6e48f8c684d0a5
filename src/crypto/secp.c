/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <pthread.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>

static secp256k1_context *signer;
static pthread_once_t signer_made = PTHREAD_ONCE_INIT;

static void make_signer(void) {
    uint8_t seed[32];
    signer = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    SR_ASSERT(signer != NULL);
    /* Blinding against side channels; without random bytes signing is still correct. */
    if (random_bytes(seed, sizeof seed, NULL) == SR_OK)
        (void)!secp256k1_context_randomize(signer, seed);
    explicit_bzero(seed, sizeof seed);
}

static const secp256k1_context *signing_context(void) {
    (void)pthread_once(&signer_made, make_signer);
    return signer;
}

static struct addr address_of_public(const uint8_t pub[64]) {
    struct hash h = keccak256(slice_of(pub, 64));
    struct addr a;
    memcpy(a.b, h.b + 12, sizeof a.b);
    return a;
}

sr_status secp_keygen(struct sr_secret *ret_key, struct sr_err *err) {
    cleanup_secret struct sr_secret k = {0};
    SR_TRY(secret_new(32, &k, err));
    do SR_TRY(random_bytes(k.p, k.n, err));
    while (!secp256k1_ec_seckey_verify(signing_context(), k.p));
    *ret_key = k;
    k = (struct sr_secret){0};
    return SR_OK;
}

sr_status secp_public(const struct sr_secret *key, uint8_t ret_pub[64], struct sr_err *err) {
    secp256k1_pubkey pk;
    uint8_t out[65];
    size_t n = sizeof out;
    if (key->n != 32 || !secp256k1_ec_pubkey_create(signing_context(), &pk, key->p))
        return sr_fail(err, SR_E_CRYPTO, "not a private key of secp256k1");
    (void)secp256k1_ec_pubkey_serialize(signing_context(), out, &n, &pk, SECP256K1_EC_UNCOMPRESSED);
    memcpy(ret_pub, out + 1, 64);
    return SR_OK;
}

sr_status secp_address(const struct sr_secret *key, struct addr *ret_a, struct sr_err *err) {
    uint8_t pub[64];
    SR_TRY(secp_public(key, pub, err));
    *ret_a = address_of_public(pub);
    return SR_OK;
}

sr_status secp_sign(const struct sr_secret *key, const struct hash *h, struct sr_signature *ret_sig,
                    struct sr_err *err) {
    secp256k1_ecdsa_recoverable_signature rs;
    struct sr_signature sig;
    int recid = 0;
    if (key->n != 32 ||
        !secp256k1_ecdsa_sign_recoverable(signing_context(), &rs, h->b, key->p, NULL, NULL))
        return sr_fail(err, SR_E_CRYPTO, "not a private key of secp256k1");
    (void)secp256k1_ecdsa_recoverable_signature_serialize_compact(signing_context(), sig.b, &recid,
                                                                  &rs);
    /* 2 and 3 (r beyond the group order) happen once in 2^127 signatures and have no v. */
    if (recid > 1) return sr_fail(err, SR_E_CRYPTO, "the signature has no Ethereum form");
    sig.b[64] = (uint8_t)(27 + recid);
    *ret_sig = sig;
    return SR_OK;
}

sr_status secp_recover(const struct hash *h, struct slice sig, struct addr *ret_a,
                       struct sr_err *err) {
    uint8_t rs[64];
    int recid;
    if (sig.n == 65 && (sig.p[64] == 27 || sig.p[64] == 28)) {
        memcpy(rs, sig.p, 64);
        recid = sig.p[64] - 27;
    } else if (sig.n == 64) { /* EIP-2098: the parity is the top bit of s */
        memcpy(rs, sig.p, 64);
        recid = rs[32] >> 7;
        rs[32] &= 0x7f;
    } else if (sig.n == 65) {
        return sr_fail(err, SR_E_CRYPTO, "signature: v is %u, not 27 or 28", sig.p[64]);
    } else {
        return sr_fail(err, SR_E_CRYPTO, "signature of %zu bytes, not 64 or 65", sig.n);
    }
    const secp256k1_context *cx = signing_context();
    secp256k1_ecdsa_recoverable_signature r;
    secp256k1_ecdsa_signature plain;
    secp256k1_pubkey pk;
    if (!secp256k1_ecdsa_recoverable_signature_parse_compact(cx, &r, rs, recid))
        return sr_fail(err, SR_E_CRYPTO, "signature: r or s out of range");
    (void)secp256k1_ecdsa_recoverable_signature_convert(cx, &plain, &r);
    if (secp256k1_ecdsa_signature_normalize(cx, NULL, &plain))
        return sr_fail(err, SR_E_CRYPTO, "signature: s is in the upper half");
    if (!secp256k1_ecdsa_recover(cx, &pk, &r, h->b))
        return sr_fail(err, SR_E_CRYPTO, "the signature belongs to no key");
    uint8_t out[65];
    size_t n = sizeof out;
    (void)secp256k1_ec_pubkey_serialize(cx, out, &n, &pk, SECP256K1_EC_UNCOMPRESSED);
    *ret_a = address_of_public(out + 1);
    return SR_OK;
}

struct hash eth_message_hash(const struct hash *h) {
    return eth_message_hash_text(slice_of(h->b, sizeof h->b));
}

struct hash eth_message_hash_text(struct slice text) {
    char digits[24];
    size_t at = sizeof digits, n = text.n;
    do digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, SLICE_LIT("\x19"
                             "Ethereum Signed Message:\n"));
    keccak_add(&k, slice_of(digits + at, sizeof digits - at));
    keccak_add(&k, text);
    return keccak_end(&k);
}

sr_status eth_message_check(const struct hash *h, struct slice sig, const struct addr *who,
                            struct sr_err *err) {
    struct hash m = eth_message_hash(h);
    struct addr got;
    SR_TRY(secp_recover(&m, sig, &got, err));
    if (!addr_eq(&got, who))
        return sr_fail(err, SR_E_CRYPTO, "signed by %s, not by %s", addr_text(&got).s,
                       addr_text(who).s);
    return SR_OK;
}
