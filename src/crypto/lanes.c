/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two SHA-256 at once. The processor's SHA instructions wait for each other within one hash: a
 * second, independent hash fits into the gaps, so that two take little longer than one. Content
 * that goes into the store is hashed twice (its checksum and its CID), or in chunks that do not
 * depend on each other. Without these instructions OpenSSL does one after the other.
 */
#define OPENSSL_SUPPRESS_DEPRECATED    /* its SHA256_CTX is the only state that can be advanced by \
                                          hand */
#include "crypto/crypto.h"

#include <openssl/sha.h>

#define BLOCK 64u

_Static_assert(sizeof(SHA256_CTX) == sizeof(struct sha256_lane), "a lane is OpenSSL's state");
_Static_assert(sizeof(SHA_LONG) == 4, "words of 32 bits");

static SHA256_CTX *state(struct sha256_lane *l) {
    return (SHA256_CTX *)(void *)l;
}

void sha256_lane_init(struct sha256_lane *l) {
    SR_ASSERT(SHA256_Init(state(l)) == 1);
}

void sha256_lane_add(struct sha256_lane *l, struct slice data) {
    if (data.n) SR_ASSERT(SHA256_Update(state(l), data.p, data.n) == 1);
}

struct hash sha256_lane_end(struct sha256_lane *l) {
    struct hash h;
    SR_ASSERT(SHA256_Final(h.b, state(l)) == 1);
    return h;
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static const uint32_t K[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define WITH_SHA    __attribute__((target("sha,sse4.1,ssse3")))
#define LOAD(p)     _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(void *)(p), (v))

/* The instructions want the eight words as ABEF and CDGH. */
WITH_SHA static inline void words_in(const SHA_LONG h[8], __m128i *abef, __m128i *cdgh) {
    __m128i lo = _mm_shuffle_epi32(LOAD(h), 0xb1), hi = _mm_shuffle_epi32(LOAD(h + 4), 0x1b);
    *abef = _mm_alignr_epi8(lo, hi, 8);
    *cdgh = _mm_blend_epi16(hi, lo, 0xf0);
}

WITH_SHA static inline void words_out(SHA_LONG h[8], __m128i abef, __m128i cdgh) {
    __m128i lo = _mm_shuffle_epi32(abef, 0x1b), hi = _mm_shuffle_epi32(cdgh, 0xb1);
    STORE(h, _mm_blend_epi16(lo, hi, 0xf0));
    STORE(h + 4, _mm_alignr_epi8(hi, lo, 8));
}

WITH_SHA static void two_blocks(SHA_LONG *const h[2], const uint8_t *p0, const uint8_t *p1,
                                size_t blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const uint8_t *p[2] = {p0, p1};
    __m128i abef[2], cdgh[2];
    for (int j = 0; j < 2; j++) words_in(h[j], &abef[j], &cdgh[j]);
    for (; blocks > 0; blocks--) {
        __m128i was_abef[2], was_cdgh[2], w[2][4]; /* the last 16 words of the schedule */
        for (int j = 0; j < 2; j++) {
            was_abef[j] = abef[j];
            was_cdgh[j] = cdgh[j];
            for (int i = 0; i < 4; i++) w[j][i] = _mm_shuffle_epi8(LOAD(p[j] + 16 * i), big_endian);
            p[j] += BLOCK;
        }
#pragma GCC unroll 16
        for (int r = 0; r < 16; r++) { /* four rounds each */
            __m128i k = LOAD(K + 4 * r);
#pragma GCC unroll 2
            for (int j = 0; j < 2; j++) {
                __m128i x = _mm_add_epi32(w[j][r & 3], k);
                cdgh[j] = _mm_sha256rnds2_epu32(cdgh[j], abef[j], x);
                abef[j] = _mm_sha256rnds2_epu32(abef[j], cdgh[j], _mm_shuffle_epi32(x, 0x0e));
                if (r >= 12) continue;
                __m128i next = _mm_sha256msg1_epu32(w[j][r & 3], w[j][(r + 1) & 3]);
                next =
                    _mm_add_epi32(next, _mm_alignr_epi8(w[j][(r + 3) & 3], w[j][(r + 2) & 3], 4));
                w[j][r & 3] = _mm_sha256msg2_epu32(next, w[j][(r + 3) & 3]);
            }
        }
        for (int j = 0; j < 2; j++) {
            abef[j] = _mm_add_epi32(abef[j], was_abef[j]);
            cdgh[j] = _mm_add_epi32(cdgh[j], was_cdgh[j]);
        }
    }
    for (int j = 0; j < 2; j++) words_out(h[j], abef[j], cdgh[j]);
}

static bool has_sha(void) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3") &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) == 1 && (b & (1u << 29)) != 0;
}

/* Bytes until the state's next block is full, so that whole blocks can go past its buffer. */
static struct slice to_border(struct sha256_lane *l, struct slice data) {
    size_t n = state(l)->num ? BLOCK - state(l)->num : 0;
    if (n > data.n) n = data.n;
    if (n == 0) return data; /* also for no data at all: no arithmetic on NULL */
    sha256_lane_add(l, slice_of(data.p, n));
    return slice_of(data.p + n, data.n - n);
}

static void counted(SHA256_CTX *c, size_t bytes) {
    uint64_t bits = ((uint64_t)c->Nh << 32 | c->Nl) + (uint64_t)bytes * 8;
    c->Nl = (SHA_LONG)bits;
    c->Nh = (SHA_LONG)(bits >> 32);
}

static void together(struct sha256_lane *a, struct slice *da, struct sha256_lane *b,
                     struct slice *db) {
    if (!has_sha()) return;
    *da = to_border(a, *da);
    *db = to_border(b, *db);
    size_t blocks = (da->n < db->n ? da->n : db->n) / BLOCK, n = blocks * BLOCK;
    if (blocks == 0) return;
    SHA_LONG *const h[2] = {state(a)->h, state(b)->h};
    two_blocks(h, da->p, db->p, blocks);
    counted(state(a), n);
    counted(state(b), n);
    *da = slice_of(da->p + n, da->n - n);
    *db = slice_of(db->p + n, db->n - n);
}
#else
static void together(struct sha256_lane *a, struct slice *da, struct sha256_lane *b,
                     struct slice *db) {
    (void)a, (void)da, (void)b, (void)db;
}
#endif

void sha256_lanes_add(struct sha256_lane *a, struct slice da, struct sha256_lane *b,
                      struct slice db) {
    SR_ASSERT(a != b);
    together(a, &da, b, &db);
    sha256_lane_add(a, da);
    sha256_lane_add(b, db);
}
