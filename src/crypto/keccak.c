/* SPDX-License-Identifier: Apache-2.0 */
/* Keccak-256 as Ethereum uses it (padding 0x01, not SHA-3's 0x06); OpenSSL 3.0 has only SHA-3. */
#include "crypto/crypto.h"

#define RATE   136u
#define ROUNDS 24

static const uint64_t round_constant[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static inline uint64_t rol(uint64_t v, unsigned k) {
    return k == 0 ? v : v << k | v >> (64 - k);
}

static inline uint64_t load_le(const uint8_t *p) {
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* Written out, so that all indices are constants and the state lives in registers: rho and pi are
 * one assignment a lane, b[y][2x + 3y] = rol(a[x][y]). */
#define COLUMN(x)           c##x = a[x] ^ a[(x) + 5] ^ a[(x) + 10] ^ a[(x) + 15] ^ a[(x) + 20]
#define RHO_PI(to, f, x, k) b[to] = rol(a[f] ^ d##x, k)
#define CHI(y)                                                                                     \
    do {                                                                                           \
        a[y] = b[y] ^ (~b[(y) + 1] & b[(y) + 2]);                                                  \
        a[(y) + 1] = b[(y) + 1] ^ (~b[(y) + 2] & b[(y) + 3]);                                      \
        a[(y) + 2] = b[(y) + 2] ^ (~b[(y) + 3] & b[(y) + 4]);                                      \
        a[(y) + 3] = b[(y) + 3] ^ (~b[(y) + 4] & b[y]);                                            \
        a[(y) + 4] = b[(y) + 4] ^ (~b[y] & b[(y) + 1]);                                            \
    } while (0)
static void permute(uint64_t st[25]) {
    uint64_t a[25], b[25];
    memcpy(a, st, sizeof a);
    for (unsigned r = 0; r < ROUNDS; r++) {
        const uint64_t COLUMN(0), COLUMN(1), COLUMN(2), COLUMN(3), COLUMN(4);
        const uint64_t d0 = c4 ^ rol(c1, 1), d1 = c0 ^ rol(c2, 1), d2 = c1 ^ rol(c3, 1),
                       d3 = c2 ^ rol(c4, 1), d4 = c3 ^ rol(c0, 1);
        RHO_PI(0, 0, 0, 0), RHO_PI(1, 6, 1, 44), RHO_PI(2, 12, 2, 43), RHO_PI(3, 18, 3, 21);
        RHO_PI(4, 24, 4, 14), RHO_PI(5, 3, 3, 28), RHO_PI(6, 9, 4, 20), RHO_PI(7, 10, 0, 3);
        RHO_PI(8, 16, 1, 45), RHO_PI(9, 22, 2, 61), RHO_PI(10, 1, 1, 1), RHO_PI(11, 7, 2, 6);
        RHO_PI(12, 13, 3, 25), RHO_PI(13, 19, 4, 8), RHO_PI(14, 20, 0, 18), RHO_PI(15, 4, 4, 27);
        RHO_PI(16, 5, 0, 36), RHO_PI(17, 11, 1, 10), RHO_PI(18, 17, 2, 15), RHO_PI(19, 23, 3, 56);
        RHO_PI(20, 2, 2, 62), RHO_PI(21, 8, 3, 55), RHO_PI(22, 14, 4, 39), RHO_PI(23, 15, 0, 41);
        RHO_PI(24, 21, 1, 2);
        CHI(0);
        CHI(5);
        CHI(10);
        CHI(15);
        CHI(20);
        a[0] ^= round_constant[r];
    }
    memcpy(st, a, sizeof a);
}

static void absorb(uint64_t st[25], const uint8_t *block) {
    for (unsigned i = 0; i < RATE / 8; i++) st[i] ^= load_le(block + (size_t)i * 8);
    permute(st);
}

void keccak_init(struct keccak *k) {
    memset(k, 0, sizeof *k);
}

void keccak_add(struct keccak *k, struct slice s) {
    if (s.n == 0) return;
    if (k->used) {
        size_t take = RATE - k->used < s.n ? RATE - k->used : s.n;
        memcpy(k->block + k->used, s.p, take);
        k->used += take;
        s.p += take;
        s.n -= take;
        if (k->used < RATE) return;
        absorb(k->st, k->block);
        k->used = 0;
    }
    for (; s.n >= RATE; s.p += RATE, s.n -= RATE) absorb(k->st, s.p);
    if (s.n) memcpy(k->block, s.p, s.n);
    k->used = s.n;
}

struct hash keccak_end(struct keccak *k) {
    memset(k->block + k->used, 0, RATE - k->used);
    k->block[k->used] ^= 0x01;
    k->block[RATE - 1] ^= 0x80;
    absorb(k->st, k->block);
    struct hash h;
    for (unsigned i = 0; i < sizeof h.b; i++) h.b[i] = (uint8_t)(k->st[i / 8] >> (8 * (i % 8)));
    explicit_bzero(k, sizeof *k);
    return h;
}

struct hash keccak256(struct slice s) {
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, s);
    return keccak_end(&k);
}
