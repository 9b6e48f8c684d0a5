/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact by arithmetic on decimal digits: the number is halved or doubled, digit by digit, until it
 * lies in [1/2, 1), which counts its binary exponent; 53 doublings then leave the mantissa in front
 * of the point. Slow and simple; a schema holds few numbers.
 */
#include "sdk/decimal.h"

#define DIGITS    800   /* beyond, only "something follows" matters */
#define SHIFT_MAX 32    /* binary places at once: 10 * 2^32 fits in 64 bits with room */
#define EXP_LIMIT 20000 /* decimal exponents outside are zero or infinite */

struct dec { /* 0.d[0]d[1]... * 10^point */
    uint8_t d[DIGITS];
    int n, point;
    bool more; /* digits other than 0 were cut off */
};

static void trim(struct dec *a) {
    while (a->n > 0 && a->d[a->n - 1] == 0) a->n--;
    if (a->n == 0) a->point = 0;
}

static void put(struct dec *a, int at, unsigned digit) {
    if (at < DIGITS)
        a->d[at] = (uint8_t)digit;
    else if (digit != 0)
        a->more = true;
}

/* a / 2^k */
static void halve(struct dec *a, unsigned k) {
    uint64_t acc = 0, mask = (1ull << k) - 1;
    int read = 0, write = 0;
    while (acc >> k == 0) {
        if (read >= a->n && acc == 0) {
            a->n = 0;
            return;
        }
        acc = acc * 10 + (read < a->n ? a->d[read] : 0);
        read++;
    }
    a->point -= read - 1;
    while (read < a->n || acc != 0) {
        unsigned digit = (unsigned)(acc >> k);
        acc = (acc & mask) * 10 + (read < a->n ? a->d[read] : 0);
        read++;
        put(a, write++, digit);
    }
    a->n = write < DIGITS ? write : DIGITS;
    trim(a);
}

/* a * 2^k, from the last digit on; the carry's digits go in front */
static void twice(struct dec *a, unsigned k) {
    uint8_t out[DIGITS + 24];
    int at = (int)sizeof out;
    uint64_t carry = 0;
    for (int i = a->n - 1; i >= 0; i--) {
        carry += (uint64_t)a->d[i] << k;
        out[--at] = (uint8_t)(carry % 10);
        carry /= 10;
    }
    int grown = 0;
    for (; carry > 0; carry /= 10, grown++) out[--at] = (uint8_t)(carry % 10);
    int n = (int)sizeof out - at;
    a->point += grown;
    a->n = n < DIGITS ? n : DIGITS;
    for (int i = DIGITS; i < n; i++)
        if (out[at + i] != 0) a->more = true;
    memcpy(a->d, out + at, (size_t)a->n);
    trim(a);
}

/* The integer in front of the point, rounded half to even. */
static uint64_t rounded(const struct dec *a) {
    uint64_t v = 0;
    for (int i = 0; i < a->point; i++) v = v * 10 + (i < a->n ? a->d[i] : 0);
    if (a->point < 0 || a->point >= a->n) return v;
    bool half = a->d[a->point] == 5 && a->point + 1 == a->n && !a->more;
    return half ? v + (v & 1) : v + (a->d[a->point] >= 5);
}

static bool read_text(struct slice s, struct dec *a, bool *ret_negative) {
    struct rd r = rd_of(s);
    int exponent = 0, sign = 1, seen = 0;
    bool point = false;
    *a = (struct dec){0};
    *ret_negative = s.n > 0 && s.p[0] == '-';
    if (*ret_negative) (void)rd_u8(&r);
    while (rd_left(&r) > 0) {
        unsigned ch = rd_u8(&r);
        if (ch >= '0' && ch <= '9') {
            seen++;
            if (ch == '0' && a->n == 0) {
                a->point -= point;
                continue;
            }
            put(a, a->n, ch - '0');
            if (a->n < DIGITS) a->n++;
            a->point += !point;
        } else if (ch == '.' && !point) {
            point = true;
        } else if ((ch == 'e' || ch == 'E') && seen > 0) {
            if (rd_left(&r) > 0 && (r.p[0] == '-' || r.p[0] == '+'))
                sign = rd_u8(&r) == '-' ? -1 : 1;
            if (rd_left(&r) == 0) return false;
            while (rd_left(&r) > 0) {
                ch = rd_u8(&r);
                if (ch < '0' || ch > '9') return false;
                if (exponent < EXP_LIMIT) exponent = exponent * 10 + (int)(ch - '0');
            }
        } else {
            return false;
        }
    }
    a->point += sign * exponent;
    trim(a);
    return seen > 0;
}

bool decimal_to_double(struct slice text, double *ret_v) {
    struct dec a;
    bool negative;
    int e = 0;
    uint64_t bits = 0, mantissa;
    if (!read_text(text, &a, &negative)) return false;
    if (a.n > 0 && a.point > 310) return false;
    if (a.n > 0 && a.point > -330) {
        while (a.point > 0) {
            unsigned k = a.point > 9 ? 30 : 1;
            halve(&a, k);
            e += (int)k;
        }
        while (a.point < 0 || (a.point == 0 && a.d[0] < 5)) {
            unsigned k = a.point < -9 ? 30 : 1;
            twice(&a, k);
            e -= (int)k;
        }
        e--; /* [1, 2) */
        while (e < -1022) {
            unsigned k = -1022 - e > 30 ? 30 : (unsigned)(-1022 - e);
            halve(&a, k);
            e += (int)k;
        }
        if (e > 1023) return false;
        twice(&a, 30);
        twice(&a, 23);
        mantissa = rounded(&a);
        if (mantissa == 1ull << 53) {
            mantissa >>= 1;
            if (++e > 1023) return false;
        }
        uint64_t biased = mantissa & (1ull << 52) ? (uint64_t)(e + 1023) : 0;
        bits = (mantissa & ((1ull << 52) - 1)) | biased << 52;
    }
    if (negative) bits |= 1ull << 63;
    memcpy(ret_v, &bits, sizeof bits);
    return true;
}
