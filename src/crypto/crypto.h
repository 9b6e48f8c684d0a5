/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto.h - hashes, signatures, ciphers, sealing; and memory that holds secrets
 *
 * Depends on: base, libcrypto, libsecp256k1.  Used by: everything that signs, seals or hashes.
 * Never: logs, reads files, talks to the network. No secret-dependent branch or index in our own
 * code.
 */
#pragma once
#include "base/base.h"

/* ---- secrets in memory
 * ------------------------------------------------------------------------------------- */

/*
 * struct sr_secret - guarded memory for keys: memfd_secret where the kernel has it, else locked,
 * not dumped, wiped on fork. Passed by pointer, never copied into a struct that is logged or
 * compared with ==.
 */
struct sr_secret {
    uint8_t *p;
    size_t n;
    size_t mapped; /* bytes mapped, private to the module */
};
SR_CHECK sr_status secret_new(size_t n, struct sr_secret *ret_s, struct sr_err *err); /* zeroed */
SR_CHECK sr_status secret_from(const void *p, size_t n, struct sr_secret *ret_s,
                               struct sr_err *err);
void secret_free(struct sr_secret *s); /* wipes, unmaps; accepts a zeroed one, twice is fine */
static inline void cleanup_secret_(struct sr_secret *s) {
    secret_free(s);
}
#define cleanup_secret __attribute__((cleanup(cleanup_secret_)))
static inline struct slice secret_slice(const struct sr_secret *s) {
    return (struct slice){s->p, s->n};
}
/* For processes through which secrets pass: not dumpable, no core files. Not for one that launches
 * rooms as an ordinary user: it could not map their ids. */
void secret_no_dump(void);
/* For processes that hold keys: not dumpable, no core files, memory locked where allowed. */
void secret_harden_process(void);
bool ct_equal(const void *a, const void *b, size_t n);
SR_CHECK sr_status random_bytes(void *p, size_t n, struct sr_err *err);

/* Starts libcrypto without its configuration file, which takes longer than a short command. Whoever
 * calls libcrypto without this module calls it first; twice is fine. */
void crypto_init(void);

/* ---- hashes
 * ------------------------------------------------------------------------------------------------
 */

struct keccak {
    uint64_t st[25];
    uint8_t block[136];
    size_t used;
};
void keccak_init(struct keccak *k);
void keccak_add(struct keccak *k, struct slice s);
struct hash keccak_end(struct keccak *k);
struct hash keccak256(struct slice s);

struct sha256 {
    void *ctx; /* EVP_MD_CTX, owned: sha256_end or sha256_drop frees */
};
SR_CHECK sr_status sha256_init(struct sha256 *s, struct sr_err *err);
void sha256_add(struct sha256 *s, struct slice data);
struct hash sha256_end(struct sha256 *s);
void sha256_drop(struct sha256 *s); /* accepts an ended one */
struct hash sha256(struct slice s);
/* A SHA-256 without allocation that can be fed together with another one: two at once take little
 * longer than one where the processor has SHA instructions. Nothing to free. */
struct sha256_lane {
    uint32_t w[28];
};
void sha256_lane_init(struct sha256_lane *l);
void sha256_lane_add(struct sha256_lane *l, struct slice data);
void sha256_lanes_add(struct sha256_lane *a, struct slice da, struct sha256_lane *b,
                      struct slice db); /* a and b are distinct; da and db may be the same bytes */
struct hash sha256_lane_end(struct sha256_lane *l);
void sha384(struct slice s, uint8_t ret_digest[48]);
void sha512(struct slice s, uint8_t ret_digest[64]);
void hmac_sha256(struct slice secret_key, struct slice s, uint8_t ret_mac[32]);
SR_CHECK sr_status hkdf_sha256(struct slice secret_ikm, struct slice salt, struct slice info,
                               uint8_t *ret_okm, size_t n, struct sr_err *err);
/* The second half of HKDF, for a key that is already uniform. At most 8160 bytes. */
SR_CHECK sr_status hkdf_expand(const uint8_t secret_prk[32], struct slice info, uint8_t *ret_okm,
                               size_t n, struct sr_err *err);
SR_CHECK sr_status scrypt_derive(struct slice secret_password, struct slice salt, uint64_t n,
                                 uint64_t r, uint64_t p, uint8_t *ret_key, size_t len,
                                 struct sr_err *err); /* at most 256 MiB of memory */

/* ---- secp256k1, as Ethereum uses it
 * ------------------------------------------------------------------------ */

/* 65 bytes r|s|v, v is 27 or 28; low s. */
struct sr_signature {
    uint8_t b[65];
};
SR_CHECK sr_status secp_keygen(struct sr_secret *ret_key, struct sr_err *err); /* 32 bytes */
SR_CHECK sr_status secp_address(const struct sr_secret *key, struct addr *ret_a,
                                struct sr_err *err);
/* Uncompressed public key without the 04 prefix. */
SR_CHECK sr_status secp_public(const struct sr_secret *key, uint8_t ret_pub[64],
                               struct sr_err *err);
SR_CHECK sr_status secp_sign(const struct sr_secret *key, const struct hash *h,
                             struct sr_signature *ret_sig, struct sr_err *err);
/* 65 bytes (v 27/28) or 64 bytes (EIP-2098); high s refused. SR_E_CRYPTO otherwise. */
SR_CHECK sr_status secp_recover(const struct hash *h, struct slice sig, struct addr *ret_a,
                                struct sr_err *err);
/* EIP-191 personal message over 32 raw hash bytes; over text of any length. */
struct hash eth_message_hash(const struct hash *h);
struct hash eth_message_hash_text(struct slice text);
/* secp_recover over eth_message_hash(h), compared with who. */
SR_CHECK sr_status eth_message_check(const struct hash *h, struct slice sig, const struct addr *who,
                                     struct sr_err *err);

/* ---- ciphers
 * ------------------------------------------------------------------------------------------------
 */

#define AES_KEY_BYTES 32
#define AES_IV_BYTES  16
#define GCM_NONCE     12
#define GCM_TAG       16

/* AES-256-CBC with PKCS#7, streamed. out needs n + 16 bytes for add, 16 for end. */
struct aes_cbc {
    void *ctx; /* EVP_CIPHER_CTX, owned: aes_cbc_drop frees */
};
SR_CHECK sr_status aes_cbc_init(struct aes_cbc *c, bool encrypt, const struct sr_secret *key,
                                const uint8_t iv[16], struct sr_err *err);
SR_CHECK sr_status aes_cbc_add(struct aes_cbc *c, struct slice in, uint8_t *out, size_t *ret_n,
                               struct sr_err *err);
SR_CHECK sr_status aes_cbc_end(struct aes_cbc *c, uint8_t *out, size_t *ret_n,
                               struct sr_err *err); /* SR_E_CRYPTO: bad padding */
void aes_cbc_drop(struct aes_cbc *c);               /* accepts a zeroed or dropped one */

/* AES-256-CBC encryption with PKCS#7 beside which two hashes run: the three take little longer than
 * the cipher alone where the processor has the instructions. For bulk data on its way out. */
struct cbc_lane {
    struct aes_cbc evp; /* where it has not */
    struct sr_secret keys;
    uint8_t chain[AES_IV_BYTES], part[AES_IV_BYTES];
    size_t part_n;
};
SR_CHECK sr_status cbc_lane_init(struct cbc_lane *c, const struct sr_secret *key,
                                 const uint8_t iv[AES_IV_BYTES], struct sr_err *err);
/* Encrypts in to out (which needs in.n + 16 bytes), and adds hashed, which lies elsewhere, to a and
 * to b. Best when in and hashed are equally long. */
SR_CHECK sr_status cbc_lane_add(struct cbc_lane *c, struct slice in, uint8_t *out, size_t *ret_n,
                                struct sha256_lane *a, struct sha256_lane *b, struct slice hashed,
                                struct sr_err *err);
SR_CHECK sr_status cbc_lane_end(struct cbc_lane *c, uint8_t *out, size_t *ret_n,
                                struct sr_err *err);
void cbc_lane_drop(struct cbc_lane *c); /* accepts a zeroed, ended or dropped one */

/* AES-256-GCM: ret gets nonce(12) | ciphertext | tag(16); the nonce is random. */
SR_CHECK sr_status aes_gcm_seal(const struct sr_secret *key, struct slice aad,
                                struct slice secret_plain, struct buf *ret, struct sr_err *err);
SR_CHECK sr_status aes_gcm_open(const struct sr_secret *key, struct slice aad, struct slice sealed,
                                struct buf *ret_secret, struct sr_err *err);

/* AES-128-CTR over in, for Ethereum keystores (both directions are the same); ret gets in.n bytes.
 */
SR_CHECK sr_status aes128_ctr(const uint8_t secret_key16[16], const uint8_t iv[16], struct slice in,
                              uint8_t *ret, struct sr_err *err);

/* ---- RSA: keys of results
 * ---------------------------------------------------------------------------------- */

/* PEM texts (PKCS#8 private, SPKI public). bits: 2048 or 4096. Slow (seconds at 4096). */
SR_CHECK sr_status rsa_generate(unsigned bits, struct buf *ret_secret_pem,
                                struct buf *ret_public_pem, struct sr_err *err);
SR_CHECK sr_status rsa_public_of(struct slice secret_pem, struct buf *ret_public_pem,
                                 struct sr_err *err);
/* RSAES-PKCS1-v1_5, as the official result format has it. SR_E_MALFORMED for a key that is not RSA
 * 2048..8192. */
SR_CHECK sr_status rsa_encrypt(struct slice public_pem, struct slice secret_plain, struct buf *ret,
                               struct sr_err *err);
SR_CHECK sr_status rsa_decrypt(struct slice secret_pem, struct slice cipher, struct buf *ret_secret,
                               struct sr_err *err);

/* ---- HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM
 * ------------------------ */

#define HPKE_ENC_BYTES 32
SR_CHECK sr_status hpke_keygen(struct sr_secret *ret_key, uint8_t ret_public[32],
                               struct sr_err *err);
SR_CHECK sr_status hpke_public(const struct sr_secret *key, uint8_t ret_public[32],
                               struct sr_err *err);
/* One message: ret gets enc(32) | ciphertext | tag(16). */
SR_CHECK sr_status hpke_seal(const uint8_t public_key[32], struct slice info, struct slice aad,
                             struct slice secret_plain, struct buf *ret, struct sr_err *err);
SR_CHECK sr_status hpke_open(const struct sr_secret *key, struct slice info, struct slice aad,
                             struct slice sealed, struct buf *ret_secret, struct sr_err *err);

/* ---- ECDSA P-256/P-384 for evidence: see tee.
 * ---------------------------------------------------------------- */
