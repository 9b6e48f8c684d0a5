/* SPDX-License-Identifier: Apache-2.0 */
/* num.c - decimal, hex and base64; hex and base64 choose by arithmetic, never by the value of a
 * byte: keys pass through here */
#include "base/num.h"
#include <stdio.h>

bool num_u64(struct slice text, uint64_t max, uint64_t *ret_v) {
    if (text.n == 0) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c < '0' || c > '9') return false;
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(c - '0'), &v))
            return false;
    }
    if (v > max) return false;
    *ret_v = v;
    return true;
}

/* All ones when lo <= c <= hi, else 0. */
static int in_range(int c, int lo, int hi) {
    unsigned outside = (unsigned)((c - lo) | (hi - c)) >> 31; /* the sign of either */
    return (int)outside - 1;
}

/* The value of a hex digit, or negative. */
static int hex_value(int c) {
    return -1 + (in_range(c, '0', '9') & (c - '0' + 1)) + (in_range(c, 'a', 'f') & (c - 'a' + 11)) +
           (in_range(c, 'A', 'F') & (c - 'A' + 11));
}

static struct slice skip_0x(struct slice s) {
    if (s.n >= 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X'))
        return slice_of(s.p + 2, s.n - 2);
    return s;
}

bool num_hex_u64(struct slice text, uint64_t *ret_v) {
    struct slice s = skip_0x(text);
    if (s.n == 0 || s.n > 16) return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        int d = hex_value(s.p[i]);
        if (d < 0) return false;
        v = v << 4 | (uint64_t)d;
    }
    *ret_v = v;
    return true;
}

bool num_size(struct slice text, uint64_t max, uint64_t *ret_v) {
    unsigned shift = 0;
    if (text.n > 1) {
        uint8_t c = text.p[text.n - 1] | 0x20;
        shift = c == 'k' ? 10 : c == 'm' ? 20 : c == 'g' ? 30 : c == 't' ? 40 : 0;
        if (shift) text.n--;
    }
    uint64_t v;
    if (!num_u64(text, max >> shift, &v)) return false;
    *ret_v = v << shift;
    return true;
}

void hex_encode(char *dst, const void *p, size_t n) {
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        unsigned hi = b[i] >> 4, lo = b[i] & 15u;
        /* 9 - x wraps for x > 9, and its upper bits then pick the distance to 'a' */
        dst[2 * i] = (char)('0' + hi + (((9u - hi) >> 8) & 39u));
        dst[2 * i + 1] = (char)('0' + lo + (((9u - lo) >> 8) & 39u));
    }
    dst[2 * n] = 0;
}

static bool hex_bytes(struct slice s, uint8_t *dst, size_t n) {
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_value(s.p[2 * i]), lo = hex_value(s.p[2 * i + 1]);
        bad |= hi | lo;
        if (dst) dst[i] = (uint8_t)((unsigned)hi << 4 | (unsigned)lo);
    }
    return bad >= 0;
}

bool hex_decode(struct slice text, void *dst, size_t n) {
    struct slice s = skip_0x(text);
    if (s.n / 2 != n || s.n % 2) return false;
    if (!hex_bytes(s, NULL, n)) return false; /* dst stays untouched */
    return hex_bytes(s, dst, n);
}

bool hex_decode_buf(struct slice text, struct buf *b) {
    struct slice s = skip_0x(text);
    if (s.n % 2) return false;
    if (!hex_bytes(s, NULL, s.n / 2)) return false;
    uint8_t *p = buf_grow(b, s.n / 2);
    return p && hex_bytes(s, p, s.n / 2);
}

/* The character of a six-bit value. */
static uint8_t b64_char(int v) {
    return (uint8_t)((in_range(v, 0, 25) & ('A' + v)) | (in_range(v, 26, 51) & ('a' + v - 26)) |
                     (in_range(v, 52, 61) & ('0' + v - 52)) | (in_range(v, 62, 62) & '+') |
                     (in_range(v, 63, 63) & '/'));
}

static int b64_value(int c) {
    return -1 + (in_range(c, 'A', 'Z') & (c - 'A' + 1)) + (in_range(c, 'a', 'z') & (c - 'a' + 27)) +
           (in_range(c, '0', '9') & (c - '0' + 53)) + (in_range(c, '+', '+') & 63) +
           (in_range(c, '/', '/') & 64);
}

void base64_encode(struct buf *b, struct slice s) {
    size_t full = s.n / 3, rest = s.n % 3;
    if (full > SIZE_MAX / 4 - 1) {
        if (b->bad == SR_OK) b->bad = SR_E_TOOBIG;
        return;
    }
    size_t n = full * 4 + (rest ? 4 : 0);
    uint8_t *d = buf_grow(b, n);
    if (!d) return;
    const uint8_t *p = s.p;
    for (size_t i = 0; i < full; i++, p += 3, d += 4) {
        unsigned v = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
        for (int k = 0; k < 4; k++) d[k] = b64_char((int)(v >> (18 - 6 * k) & 63u));
    }
    if (!rest) return;
    unsigned v = (unsigned)p[0] << 16 | (rest == 2 ? (unsigned)p[1] << 8 : 0);
    for (size_t k = 0; k <= rest; k++) d[k] = b64_char((int)(v >> (18 - 6 * (int)k) & 63u));
    for (size_t k = rest + 1; k < 4; k++) d[k] = '=';
}

bool base64_decode(struct slice s, struct buf *b) {
    if (s.n % 4) return false;
    for (unsigned eq = 0; eq < 2 && s.n && s.p[s.n - 1] == '='; eq++) s.n--;
    size_t full = s.n / 4, rest = s.n % 4;
    if (rest == 1) return false;
    size_t n = full * 3 + (rest ? rest - 1 : 0), before = b->n;
    uint8_t *d = buf_grow(b, n);
    if (!d) return false;
    int bad = 0;
    const uint8_t *p = s.p;
    for (size_t i = 0; i < full; i++, p += 4, d += 3) {
        unsigned v = 0;
        for (int k = 0; k < 4; k++) {
            int x = b64_value(p[k]);
            bad |= x;
            v = v << 6 | ((unsigned)x & 63u);
        }
        d[0] = (uint8_t)(v >> 16);
        d[1] = (uint8_t)(v >> 8);
        d[2] = (uint8_t)v;
    }
    if (rest) {
        unsigned v = 0;
        for (size_t k = 0; k < 4; k++) {
            int x = k < rest ? b64_value(p[k]) : 0;
            bad |= x;
            v = v << 6 | ((unsigned)x & 63u);
        }
        d[0] = (uint8_t)(v >> 16);
        if (rest == 3) d[1] = (uint8_t)(v >> 8);
        /* bits that belong to no byte must be zero: one text for each value */
        unsigned left = rest == 2 ? v & 0xffffu : v & 0xffu;
        bad |= -(int)left;
    }
    if (bad < 0) {
        explicit_bzero(b->p + before, n);
        b->n = before;
        b->p[before] = 0;
        return false;
    }
    return true;
}

static bool fixed_hex(struct slice text, void *dst, size_t n) {
    if (text.n != 2 + 2 * n || text.p[0] != '0' || (text.p[1] | 0x20) != 'x') return false;
    return hex_decode(text, dst, n);
}

bool addr_parse(struct slice text, struct addr *ret_a) {
    return fixed_hex(text, ret_a->b, sizeof ret_a->b);
}
bool hash_parse(struct slice text, struct hash *ret_h) {
    return fixed_hex(text, ret_h->b, sizeof ret_h->b);
}

struct addr_text addr_text(const struct addr *a) {
    struct addr_text t = {"0x"};
    hex_encode(t.s + 2, a->b, sizeof a->b);
    return t;
}

struct hash_text hash_text(const struct hash *h) {
    struct hash_text t = {"0x"};
    hex_encode(t.s + 2, h->b, sizeof h->b);
    return t;
}

static bool all_zero(const uint8_t *p, size_t n) {
    uint8_t d = 0;
    for (size_t i = 0; i < n; i++) d |= p[i];
    return d == 0;
}

bool addr_is_zero(const struct addr *a) {
    return all_zero(a->b, sizeof a->b);
}
bool hash_is_zero(const struct hash *h) {
    return all_zero(h->b, sizeof h->b);
}

void iso8601(char dst[25], uint64_t unix_ms) {
    const uint64_t last_ms = 253402300799999u; /* end of the year 9999: four digits */
    if (unix_ms > last_ms) unix_ms = last_ms;
    unsigned ms = (unsigned)(unix_ms % 1000);
    uint64_t s = unix_ms / 1000;
    unsigned day_s = (unsigned)(s % 86400);
    /* Days since 1 March of the year 0: then the leap day is the last of a year, and of 400 years
     */
    unsigned days = (unsigned)(s / 86400) + 719468;
    unsigned era = days / 146097, d = days % 146097;
    unsigned y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    unsigned day_of_year = d - (365 * y + y / 4 - y / 100);
    unsigned m = (5 * day_of_year + 2) / 153;
    unsigned day = day_of_year - (153 * m + 2) / 5 + 1;
    unsigned month = m < 10 ? m + 3 : m - 9;
    unsigned year = y + era * 400 + (month <= 2 ? 1 : 0);
    char tmp[64];
    (void)snprintf(tmp, sizeof tmp, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month, day,
                   day_s / 3600, day_s / 60 % 60, day_s % 60, ms);
    memcpy(dst, tmp, 24);
    dst[24] = 0;
}
