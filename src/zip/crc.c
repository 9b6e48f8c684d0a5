/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32. Protecting a file takes it twice over all bytes (once for the header in front, once to
 * see that the file did not change), so it must not cost what encryption costs: zlib of the
 * distribution makes 2 GB/s, folding by carry-less multiplication (Gopal et al., "Fast CRC
 * computation for generic polynomials using PCLMULQDQ", 2009) ten times that.
 */
#include "zip/zip_int.h"
#include <zlib.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define FOLD_LEAST 64u

/* n is a multiple of 16, at least FOLD_LEAST; crc is inverted, as the hardware way wants it. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t fold(uint32_t crc, const uint8_t *p,
                                                              size_t n) {
    /* x^k modulo the polynomial, bit-reflected: k = 4*128+32, 4*128-32; 128+32, 128-32; 64 */
    const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_8 = _mm_set_epi64x(0, 0x0163cd6124);
    const __m128i reduce = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low = _mm_set_epi32(0, -1, 0, -1);
    __m128i x[4];
#define LOAD(i) _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * (i)))
#define FOLD(a, k)                                                                                 \
    _mm_xor_si128(_mm_clmulepi64_si128((a), (k), 0x00), _mm_clmulepi64_si128((a), (k), 0x11))
    for (int i = 0; i < 4; i++) x[i] = LOAD(i);
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)crc));
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64)
        for (int i = 0; i < 4; i++) x[i] = _mm_xor_si128(FOLD(x[i], by_64), LOAD(i));
    __m128i a = x[0];
    for (int i = 1; i < 4; i++) a = _mm_xor_si128(FOLD(a, by_16), x[i]);
    for (; n >= 16; p += 16, n -= 16) a = _mm_xor_si128(FOLD(a, by_16), LOAD(0));
#undef LOAD
#undef FOLD
    /* 128 bits to 64, to 32 (Barrett). */
    __m128i b = _mm_clmulepi64_si128(a, by_16, 0x10);
    a = _mm_xor_si128(_mm_srli_si128(a, 8), b);
    b = _mm_srli_si128(a, 4);
    a = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low), by_8, 0x00), b);
    b = _mm_clmulepi64_si128(_mm_and_si128(a, low), reduce, 0x10);
    b = _mm_clmulepi64_si128(_mm_and_si128(b, low), reduce, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, b), 1);
}

static bool can_fold(void) {
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}
#endif

uint32_t zip_crc32(uint32_t crc, struct slice data) {
#if defined(__x86_64__)
    if (data.n >= FOLD_LEAST && can_fold()) {
        size_t n = data.n & ~(size_t)15;
        crc = ~fold(~crc, data.p, n);
        data = slice_of(data.p + n, data.n - n);
    }
#endif
    return data.n ? (uint32_t)crc32_z(crc, data.p, data.n) : crc;
}
