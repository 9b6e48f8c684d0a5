/* SPDX-License-Identifier: Apache-2.0 */
/* u256.c - 256-bit unsigned integers, four words, least significant first */
#include "base/u256.h"
#include "base/num.h"

__extension__ typedef unsigned __int128 u128;

struct u256 u256_from_be(const uint8_t b[32]) {
    struct u256 v = {{0}};
    for (size_t i = 0; i < 32; i++) v.w[3 - i / 8] = v.w[3 - i / 8] << 8 | b[i];
    return v;
}

void u256_to_be(uint8_t b[32], struct u256 v) {
    for (size_t i = 0; i < 32; i++) b[i] = (uint8_t)(v.w[3 - i / 8] >> (56 - 8 * (i % 8)));
}

/* v * m + a, false on overflow; v is changed in any case */
static bool mul_small(struct u256 *v, uint64_t m, uint64_t a) {
    u128 carry = a;
    for (size_t i = 0; i < 4; i++) {
        carry += (u128)v->w[i] * m;
        v->w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return carry == 0;
}

bool u256_from_dec(struct slice text, struct u256 *ret_v) {
    if (text.n == 0) return false;
    struct u256 v = {{0}};
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c < '0' || c > '9') return false;
        if (!mul_small(&v, 10, (uint64_t)(c - '0'))) return false;
    }
    *ret_v = v;
    return true;
}

bool u256_from_hex(struct slice text, struct u256 *ret_v) {
    if (text.n >= 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x')
        text = slice_of(text.p + 2, text.n - 2);
    if (text.n == 0 || text.n > 64) return false;
    uint8_t digits[64], bytes[32];
    memset(digits, '0', sizeof digits);
    memcpy(digits + 64 - text.n, text.p, text.n);
    if (digits[1] == 'x' || digits[1] == 'X') return false; /* a second 0x */
    if (!hex_decode(slice_of(digits, 64), bytes, 32)) return false;
    *ret_v = u256_from_be(bytes);
    return true;
}

bool u256_parse(struct slice text, struct u256 *ret_v) {
    bool hex = text.n >= 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x';
    return hex ? u256_from_hex(text, ret_v) : u256_from_dec(text, ret_v);
}

void u256_to_dec(char dst[U256_DEC_MAX], struct u256 v) {
    char tmp[U256_DEC_MAX];
    size_t n = 0;
    do {
        uint64_t r;
        v = u256_div_u64(v, 10, &r);
        tmp[n++] = (char)('0' + r);
    } while (!u256_is_zero(v));
    for (size_t i = 0; i < n; i++) dst[i] = tmp[n - 1 - i];
    dst[n] = 0;
}

void u256_to_hex(char dst[67], struct u256 v) {
    uint8_t b[32];
    char digits[65];
    u256_to_be(b, v);
    hex_encode(digits, b, 32);
    size_t skip = 0;
    while (skip < 63 && digits[skip] == '0') skip++;
    dst[0] = '0';
    dst[1] = 'x';
    memcpy(dst + 2, digits + skip, 65 - skip);
}

int u256_cmp(struct u256 a, struct u256 b) {
    for (size_t i = 4; i > 0; i--)
        if (a.w[i - 1] != b.w[i - 1]) return a.w[i - 1] < b.w[i - 1] ? -1 : 1;
    return 0;
}

bool u256_is_zero(struct u256 v) {
    return (v.w[0] | v.w[1] | v.w[2] | v.w[3]) == 0;
}

bool u256_add(struct u256 *ret_v, struct u256 a, struct u256 b) {
    u128 carry = 0;
    for (size_t i = 0; i < 4; i++) {
        carry += (u128)a.w[i] + b.w[i];
        a.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry) return false;
    *ret_v = a;
    return true;
}

bool u256_sub(struct u256 *ret_v, struct u256 a, struct u256 b) {
    if (u256_cmp(a, b) < 0) return false;
    uint64_t borrow = 0;
    for (size_t i = 0; i < 4; i++) {
        u128 d = (u128)a.w[i] - b.w[i] - borrow;
        a.w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1u;
    }
    *ret_v = a;
    return true;
}

bool u256_mul(struct u256 *ret_v, struct u256 a, struct u256 b) {
    uint64_t r[8] = {0};
    for (size_t i = 0; i < 4; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < 4; j++) {
            u128 t = (u128)a.w[i] * b.w[j] + r[i + j] + carry;
            r[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        r[i + 4] = carry;
    }
    if (r[4] | r[5] | r[6] | r[7]) return false;
    memcpy(ret_v->w, r, sizeof ret_v->w);
    return true;
}

struct u256 u256_div_u64(struct u256 a, uint64_t d, uint64_t *ret_rem) {
    SR_ASSERT(d != 0);
    u128 rem = 0;
    for (size_t i = 4; i > 0; i--) {
        rem = rem << 64 | a.w[i - 1];
        a.w[i - 1] = (uint64_t)(rem / d);
        rem %= d;
    }
    if (ret_rem) *ret_rem = (uint64_t)rem;
    return a;
}

bool u256_to_u64(struct u256 v, uint64_t *ret_v) {
    if (v.w[1] | v.w[2] | v.w[3]) return false;
    *ret_v = v.w[0];
    return true;
}
