/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes_int.h - the processor's SHA instructions, for the files that run several hashes, or a hash
 * and a cipher, at once
 *
 * Used by: lanes.c, cbc_lane.c.
 */
#pragma once
#define OPENSSL_SUPPRESS_DEPRECATED    /* its SHA256_CTX is the only state that can be advanced by \
                                          hand */
#include "crypto/crypto.h"
#include <openssl/sha.h>

#define BLOCK 64u

_Static_assert(sizeof(SHA256_CTX) == sizeof(struct sha256_lane), "a lane is OpenSSL's state");
_Static_assert(sizeof(SHA_LONG) == 4, "words of 32 bits");

static inline SHA256_CTX *lane_state(struct sha256_lane *l) {
    return (SHA256_CTX *)(void *)l;
}

#if defined(__x86_64__)
#include <immintrin.h>

static const uint32_t sha_k[64] __attribute__((aligned(16))) = {
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

/* Four rounds r of a block whose last 16 words of the schedule are w. */
WITH_SHA static inline __attribute__((always_inline)) void
four_rounds(int r, __m128i w[4], __m128i *abef, __m128i *cdgh) {
    __m128i x = _mm_add_epi32(w[r & 3], LOAD(sha_k + 4 * r));
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, x);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(x, 0x0e));
    if (r >= 12) return;
    __m128i next = _mm_sha256msg1_epu32(w[r & 3], w[(r + 1) & 3]);
    next = _mm_add_epi32(next, _mm_alignr_epi8(w[(r + 3) & 3], w[(r + 2) & 3], 4));
    w[r & 3] = _mm_sha256msg2_epu32(next, w[(r + 3) & 3]);
}

/* A block's words, from big-endian bytes. */
WITH_SHA static inline __attribute__((always_inline)) void block_in(const uint8_t *p,
                                                                    __m128i w[4]) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    for (int i = 0; i < 4; i++) w[i] = _mm_shuffle_epi8(LOAD(p + 16 * i), big_endian);
}

bool lanes_have_sha(void); /* asks the processor once: in a virtual machine that is dear */

/* Bytes until the state's next block is full, so that whole blocks can go past its buffer. */
static inline struct slice lane_to_border(struct sha256_lane *l, struct slice data) {
    size_t n = lane_state(l)->num ? BLOCK - lane_state(l)->num : 0;
    if (n > data.n) n = data.n;
    if (n == 0) return data; /* also for no data at all: no arithmetic on NULL */
    sha256_lane_add(l, slice_of(data.p, n));
    return slice_of(data.p + n, data.n - n);
}

static inline void lane_counted(struct sha256_lane *l, size_t bytes) {
    SHA256_CTX *c = lane_state(l);
    uint64_t bits = ((uint64_t)c->Nh << 32 | c->Nl) + (uint64_t)bytes * 8;
    c->Nl = (SHA_LONG)bits;
    c->Nh = (SHA_LONG)(bits >> 32);
}
#endif
