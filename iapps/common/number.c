/* SPDX-License-Identifier: Apache-2.0 */
#include "number.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_TEXT   64u /* characters of a number */
#define EXACT_MAX  (1ull << 53)
#define EXACT_TENS 22

static const double tens[EXACT_TENS + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* The parts of a number: value = digits * 10^exponent, exact when `exact`. */
struct parts {
    uint64_t digits;
    int exponent;
    bool negative, exact;
};

static bool take_exponent(struct rd *r, int *ret) {
    bool negative = false;
    int v = 0;
    if (rd_left(r) > 0 && (*r->p == '+' || *r->p == '-')) negative = rd_u8(r) == '-';
    if (rd_left(r) == 0 || rd_left(r) > 4) return false;
    while (rd_left(r) > 0) {
        uint8_t c = rd_u8(r);
        if (!is_digit(c)) return false;
        v = v * 10 + (c - '0');
    }
    *ret = negative ? -v : v;
    return true;
}

static bool take_parts(struct slice text, struct parts *ret) {
    struct rd r = rd_of(text);
    struct parts p = {0, 0, false, true};
    bool any = false, point = false;
    if (rd_left(&r) > 0 && (*r.p == '+' || *r.p == '-')) p.negative = rd_u8(&r) == '-';
    if (rd_left(&r) > 1 && r.p[0] == '0' && is_digit(r.p[1])) return false;
    while (rd_left(&r) > 0 && (is_digit(*r.p) || (*r.p == '.' && !point))) {
        uint8_t c = rd_u8(&r);
        if (c == '.') {
            point = true;
            continue;
        }
        any = true;
        if (p.digits > (EXACT_MAX - 9) / 10) p.exact = false;
        if (p.exact) p.digits = p.digits * 10 + (uint64_t)(c - '0');
        if (point) p.exponent--;
    }
    if (!any) return false;
    if (rd_left(&r) > 0) {
        int e = 0;
        if ((rd_u8(&r) | 0x20) != 'e' || !take_exponent(&r, &e)) return false;
        p.exponent += e;
    }
    *ret = p;
    return rd_done(&r);
}

bool number_parse(struct slice text, double *ret_v) {
    struct parts p;
    if (text.n == 0 || text.n > MAX_TEXT || !take_parts(text, &p)) return false;
    double v;
    if (p.exact && p.exponent >= -EXACT_TENS && p.exponent <= EXACT_TENS) {
        /* Both factors are exact, so one operation rounds once, as the C library would. */
        v = (double)p.digits;
        v = p.exponent < 0 ? v / tens[-p.exponent] : v * tens[p.exponent];
        if (p.negative) v = -v;
    } else {
        /* The grammar is checked and no locale was ever set: only the rounding is asked of it. */
        char copy[MAX_TEXT + 1];
        memcpy(copy, text.p, text.n);
        copy[text.n] = 0;
        v = strtod(copy, NULL);
    }
    if (!isfinite(v)) return false;
    *ret_v = v;
    return true;
}

bool number_is_missing(struct slice text) {
    return text.n == 0 || slice_is(text, "?") || slice_ieq(text, "na") || slice_ieq(text, "n/a") ||
           slice_ieq(text, "nan") || slice_ieq(text, "null");
}

#define LN2_HIGH 0x1.62e42fee00000p-1 /* 33 bits: its multiples by small integers are exact */
#define LN2_LOW  0x1.a39ef35793c76p-33

static double power_of_two(int k) { /* -1022 .. 1023 */
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double number_exp(double x) {
    if (!(x > -700)) return 0;
    if (x > 700) x = 700;
    int k = (int)(x * 0x1.71547652b82fep+0 + (x < 0 ? -0.5 : 0.5));
    double r = x - k * LN2_HIGH - k * LN2_LOW;
    /* Taylor's series: |r| < 0.35, so the next term is below 2^-56. */
    double sum = 1;
    for (int i = 14; i > 0; i--) sum = 1 + sum * r / i;
    return sum * power_of_two(k);
}

double number_log(double x) {
    if (!(x > 0x1p-1022)) return -745;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int k = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 0x1.6a09e667f3bcdp+0) {
        m /= 2;
        k++;
    }
    /* log m = 2 atanh s: |s| < 0.172. */
    double s = (m - 1) / (m + 1), s2 = s * s, sum = 0;
    for (int i = 23; i > 0; i -= 2) sum = sum * s2 + 1.0 / i;
    return k * LN2_HIGH + (2 * s * sum + k * LN2_LOW);
}

double number_sigmoid(double x) {
    if (x >= 0) return 1 / (1 + number_exp(-x));
    double e = number_exp(x);
    return e / (1 + e);
}

double number_sqrt(double x) {
    return x > 0 ? sqrt(x) : 0;
}

void number_put(struct buf *b, double v, int digits) {
    buf_printf(b, "%.*g", digits, v == 0 ? 0.0 : v); /* no "-0" */
}

void number_json(struct jw *w, const char *key, double v, int digits) {
    char text[40];
    int n = snprintf(text, sizeof text, "%.*g", digits, v == 0 ? 0.0 : v);
    jw_key(w, key);
    jw_raw(w, slice_of(text, n > 0 ? (size_t)n : 0));
}

uint64_t number_random(struct number_random *r) {
    uint64_t z = (r->state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t number_below(struct number_random *r, uint64_t n) {
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, v;
    do {
        v = number_random(r);
    } while (v >= limit);
    return v % n;
}
