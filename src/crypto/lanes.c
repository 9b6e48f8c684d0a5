/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two SHA-256 at once. The processor's SHA instructions wait for each other within one hash: a
 * second, independent hash fits into the gaps, so that two take little longer than one. Content
 * that goes into the store is hashed twice (its checksum and its CID), or in chunks that do not
 * depend on each other. Without these instructions OpenSSL does one after the other.
 */
#include "crypto/lanes_int.h"
#include <stdatomic.h>

void sha256_lane_init(struct sha256_lane *l) {
    SR_ASSERT(SHA256_Init(lane_state(l)) == 1);
}

void sha256_lane_add(struct sha256_lane *l, struct slice data) {
    if (data.n) SR_ASSERT(SHA256_Update(lane_state(l), data.p, data.n) == 1);
}

struct hash sha256_lane_end(struct sha256_lane *l) {
    struct hash h;
    SR_ASSERT(SHA256_Final(h.b, lane_state(l)) == 1);
    return h;
}

#if defined(__x86_64__)
#include <cpuid.h>

static bool ask_for_sha(void) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3") &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) == 1 && (b & (1u << 29)) != 0;
}

bool lanes_have_sha(void) {
    static atomic_int known; /* 0: not asked yet; 1: no; 2: yes */
    int k = atomic_load_explicit(&known, memory_order_relaxed);
    if (k == 0) {
        k = ask_for_sha() ? 2 : 1;
        atomic_store_explicit(&known, k, memory_order_relaxed);
    }
    return k == 2;
}

WITH_SHA static void two_blocks(SHA_LONG *const h[2], const uint8_t *p0, const uint8_t *p1,
                                size_t blocks) {
    const uint8_t *p[2] = {p0, p1};
    __m128i abef[2], cdgh[2];
    for (int j = 0; j < 2; j++) words_in(h[j], &abef[j], &cdgh[j]);
    for (; blocks > 0; blocks--) {
        __m128i was_abef[2], was_cdgh[2], w[2][4];
        for (int j = 0; j < 2; j++) {
            was_abef[j] = abef[j];
            was_cdgh[j] = cdgh[j];
            block_in(p[j], w[j]);
            p[j] += BLOCK;
        }
#pragma GCC unroll 16
        for (int r = 0; r < 16; r++) {
#pragma GCC unroll 2
            for (int j = 0; j < 2; j++) four_rounds(r, w[j], &abef[j], &cdgh[j]);
        }
        for (int j = 0; j < 2; j++) {
            abef[j] = _mm_add_epi32(abef[j], was_abef[j]);
            cdgh[j] = _mm_add_epi32(cdgh[j], was_cdgh[j]);
        }
    }
    for (int j = 0; j < 2; j++) words_out(h[j], abef[j], cdgh[j]);
}

static void together(struct sha256_lane *a, struct slice *da, struct sha256_lane *b,
                     struct slice *db) {
    if (!lanes_have_sha()) return;
    *da = lane_to_border(a, *da);
    *db = lane_to_border(b, *db);
    size_t blocks = (da->n < db->n ? da->n : db->n) / BLOCK, n = blocks * BLOCK;
    if (blocks == 0) return;
    SHA_LONG *const h[2] = {lane_state(a)->h, lane_state(b)->h};
    two_blocks(h, da->p, db->p, blocks);
    lane_counted(a, n);
    lane_counted(b, n);
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
