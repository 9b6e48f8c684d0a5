/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-256-CBC encryption while two hashes run. Each block of the cipher waits for the one before,
 * so the processor's units are idle for most of it; the hashes of what was encrypted a moment ago
 * fill these gaps, and the three together take little longer than the cipher alone. Without the
 * instructions OpenSSL does one after the other.
 *
 * The cipher here is the processor's own (no tables, no branch on data), its round keys are in
 * guarded memory. It is for bulk data on its way out; whatever else encrypts uses aes_cbc.
 */
#include "crypto/lanes_int.h"

#define ROUNDS 14

#if defined(__x86_64__)
#define WITH_AES     __attribute__((target("aes,sse4.1,ssse3")))
#define WITH_AES_SHA __attribute__((target("aes,sha,sse4.1,ssse3")))

static bool can_stitch(void) {
    return __builtin_cpu_supports("aes") && lanes_have_sha();
}

/* The key schedule of FIPS 197: two registers, a new one from each by turns. */
WITH_AES static inline __m128i next_key(__m128i was, __m128i word) {
    was = _mm_xor_si128(was, _mm_slli_si128(was, 4));
    was = _mm_xor_si128(was, _mm_slli_si128(was, 8));
    return _mm_xor_si128(was, word);
}

WITH_AES static void make_keys(const uint8_t key[AES_KEY_BYTES], uint8_t *rk) {
    __m128i a = LOAD(key), b = LOAD(key + 16);
    STORE(rk, a);
    STORE(rk + 16, b);
#define EVEN(i, rcon)                                                                              \
    a = next_key(a, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(b, rcon), 0xff));                  \
    STORE(rk + 16 * (i), a)
#define ODD(i)                                                                                     \
    b = next_key(b, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(a, 0), 0xaa));                     \
    STORE(rk + 16 * (i), b)
    EVEN(2, 0x01);
    ODD(3);
    EVEN(4, 0x02);
    ODD(5);
    EVEN(6, 0x04);
    ODD(7);
    EVEN(8, 0x08);
    ODD(9);
    EVEN(10, 0x10);
    ODD(11);
    EVEN(12, 0x20);
    ODD(13);
    EVEN(14, 0x40);
#undef EVEN
#undef ODD
}

/* Rounds from..to of one block; 1..13 are alike, 14 is the last. */
WITH_AES static inline __attribute__((always_inline)) __m128i rounds(__m128i x, const uint8_t *rk,
                                                                     int from, int to) {
#pragma GCC unroll 14
    for (int i = from; i <= to; i++)
        x = i < ROUNDS ? _mm_aesenc_si128(x, LOAD(rk + 16 * i))
                       : _mm_aesenclast_si128(x, LOAD(rk + 16 * i));
    return x;
}

WITH_AES static void cbc_blocks(const uint8_t *rk, uint8_t chain[16], const uint8_t *in,
                                uint8_t *out, size_t blocks) {
    __m128i x = LOAD(chain);
    for (; blocks > 0; blocks--, in += 16, out += 16) {
        x = _mm_xor_si128(x, _mm_xor_si128(LOAD(in), LOAD(rk)));
        x = rounds(x, rk, 1, ROUNDS);
        STORE(out, x);
    }
    STORE(chain, x);
}

/* Steps of 64 bytes: four blocks of the cipher, one of each hash. */
WITH_AES_SHA static void stitched(const uint8_t *rk, uint8_t chain[16], const uint8_t *in,
                                  uint8_t *out, SHA_LONG *const h[2], const uint8_t *p0,
                                  const uint8_t *p1, size_t steps) {
    const uint8_t *p[2] = {p0, p1};
    __m128i abef[2], cdgh[2], x = LOAD(chain);
    for (int j = 0; j < 2; j++) words_in(h[j], &abef[j], &cdgh[j]);
    for (; steps > 0; steps--, in += BLOCK, out += BLOCK) {
        __m128i was_abef[2], was_cdgh[2], w[2][4];
        for (int j = 0; j < 2; j++) {
            was_abef[j] = abef[j];
            was_cdgh[j] = cdgh[j];
            block_in(p[j], w[j]);
            p[j] += BLOCK;
        }
#pragma GCC unroll 16
        for (int r = 0; r < 16; r++) {
            const int part = r & 3; /* a block of the cipher takes four turns of the hashes */
            if (part == 0) x = _mm_xor_si128(x, _mm_xor_si128(LOAD(in + 4 * r), LOAD(rk)));
            x = rounds(x, rk, part == 0 ? 1 : 4 * part, part == 3 ? ROUNDS : 4 * part + 3);
            if (part == 3) STORE(out + 4 * (r - 3), x);
#pragma GCC unroll 2
            for (int j = 0; j < 2; j++) four_rounds(r, w[j], &abef[j], &cdgh[j]);
        }
        for (int j = 0; j < 2; j++) {
            abef[j] = _mm_add_epi32(abef[j], was_abef[j]);
            cdgh[j] = _mm_add_epi32(cdgh[j], was_cdgh[j]);
        }
    }
    STORE(chain, x);
    for (int j = 0; j < 2; j++) words_out(h[j], abef[j], cdgh[j]);
}

/* Whole blocks of in, and as much of both hashes as fits beside them; *da and *db keep the rest. */
static void together(struct cbc_lane *c, const uint8_t *in, uint8_t *out, size_t blocks,
                     struct sha256_lane *a, struct slice *da, struct sha256_lane *b,
                     struct slice *db) {
    *da = lane_to_border(a, *da);
    *db = lane_to_border(b, *db);
    size_t least = da->n < db->n ? da->n : db->n;
    size_t steps = least / BLOCK < blocks / 4 ? least / BLOCK : blocks / 4, n = steps * BLOCK;
    if (steps > 0) {
        SHA_LONG *const h[2] = {lane_state(a)->h, lane_state(b)->h};
        stitched(c->keys.p, c->chain, in, out, h, da->p, db->p, steps);
        lane_counted(a, n);
        lane_counted(b, n);
        *da = slice_of(da->p + n, da->n - n);
        *db = slice_of(db->p + n, db->n - n);
    }
    cbc_blocks(c->keys.p, c->chain, in + n, out + n, blocks - n / 16);
}
#else
static bool can_stitch(void) {
    return false;
}
static void make_keys(const uint8_t *key, uint8_t *rk) {
    (void)key, (void)rk;
}
static void cbc_blocks(const uint8_t *rk, uint8_t *chain, const uint8_t *in, uint8_t *out,
                       size_t blocks) {
    (void)rk, (void)chain, (void)in, (void)out, (void)blocks;
}
static void together(struct cbc_lane *c, const uint8_t *in, uint8_t *out, size_t blocks,
                     struct sha256_lane *a, struct slice *da, struct sha256_lane *b,
                     struct slice *db) {
    (void)c, (void)in, (void)out, (void)blocks, (void)a, (void)da, (void)b, (void)db;
}
#endif

sr_status cbc_lane_init(struct cbc_lane *c, const struct sr_secret *key,
                        const uint8_t iv[AES_IV_BYTES], struct sr_err *err) {
    *c = (struct cbc_lane){0};
    if (!can_stitch()) return aes_cbc_init(&c->evp, true, key, iv, err);
    if (key->n != AES_KEY_BYTES)
        return sr_fail(err, SR_E_CRYPTO, "an AES key of %zu bytes, not 32", key->n);
    SR_TRY(secret_new(16 * (ROUNDS + 1), &c->keys, err));
    make_keys(key->p, c->keys.p);
    memcpy(c->chain, iv, sizeof c->chain);
    return SR_OK;
}

/* What is left of a block from before, filled up; *in keeps the rest. */
static size_t fill_part(struct cbc_lane *c, struct slice *in, uint8_t *out) {
    if (c->part_n == 0) return 0;
    size_t n = sizeof c->part - c->part_n < in->n ? sizeof c->part - c->part_n : in->n;
    if (n) memcpy(c->part + c->part_n, in->p, n);
    c->part_n += n;
    *in = slice_of(in->p + n, in->n - n);
    if (c->part_n < sizeof c->part) return 0;
    cbc_blocks(c->keys.p, c->chain, c->part, out, 1);
    c->part_n = 0;
    return sizeof c->part;
}

sr_status cbc_lane_add(struct cbc_lane *c, struct slice in, uint8_t *out, size_t *ret_n,
                       struct sha256_lane *a, struct sha256_lane *b, struct slice hashed,
                       struct sr_err *err) {
    struct slice da = hashed, db = hashed;
    size_t n = 0;
    SR_ASSERT(a != b);
    if (c->evp.ctx) {
        SR_TRY(aes_cbc_add(&c->evp, in, out, &n, err));
    } else {
        n = fill_part(c, &in, out);
        size_t blocks = in.n / 16, rest = in.n % 16;
        if (blocks) together(c, in.p, out + n, blocks, a, &da, b, &db);
        n += blocks * 16;
        if (rest) memcpy(c->part, in.p + blocks * 16, rest);
        if (rest) c->part_n = rest;
    }
    sha256_lanes_add(a, da, b, db);
    *ret_n = n;
    return SR_OK;
}

sr_status cbc_lane_end(struct cbc_lane *c, uint8_t *out, size_t *ret_n, struct sr_err *err) {
    if (c->evp.ctx) return aes_cbc_end(&c->evp, out, ret_n, err);
    const uint8_t left = (uint8_t)(sizeof c->part - c->part_n);
    uint8_t padding[sizeof c->part];
    memset(padding, left, sizeof padding);
    struct slice in = slice_of(padding, left);
    if (c->part_n == 0) { /* a whole block of padding */
        memcpy(c->part, padding, 1);
        c->part_n = 1;
        in.n--;
    }
    *ret_n = fill_part(c, &in, out);
    cbc_lane_drop(c);
    return SR_OK;
}

void cbc_lane_drop(struct cbc_lane *c) {
    aes_cbc_drop(&c->evp);
    secret_free(&c->keys);
    explicit_bzero(c->part, sizeof c->part);
}
