/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - slices, bounded buffers, the reading cursor */
#include "base/buf.h"
#include "base/num.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST 64 /* bytes of the first allocation */

static uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool slice_starts(struct slice a, const char *prefix) {
    size_t n = strlen(prefix);
    return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

bool slice_ieq(struct slice a, const char *s) {
    if (a.n != strlen(s)) return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower((uint8_t)s[i])) return false;
    return true;
}

static bool blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice a) {
    while (a.n && blank(a.p[0])) {
        a.p++;
        a.n--;
    }
    while (a.n && blank(a.p[a.n - 1])) a.n--;
    return a;
}

bool slice_cut(struct slice a, char sep, struct slice *ret_head, struct slice *ret_rest) {
    const uint8_t *at = a.n ? memchr(a.p, sep, a.n) : NULL;
    if (!at) {
        *ret_head = a;
        *ret_rest = slice_of(a.p ? a.p + a.n : NULL, 0);
        return false;
    }
    size_t head = (size_t)(at - a.p);
    *ret_head = slice_of(a.p, head);
    *ret_rest = slice_of(at + 1, a.n - head - 1);
    return true;
}

char *slice_dup(struct slice a) {
    if (a.n == SIZE_MAX) return NULL;
    char *s = malloc(a.n + 1);
    if (!s) return NULL;
    if (a.n) memcpy(s, a.p, a.n);
    s[a.n] = 0;
    return s;
}

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void buf_done(struct buf *b) {
    if (!b) return;
    free(b->p);
    *b = (struct buf){0};
}

void buf_wipe(struct buf *b) {
    if (!b) return;
    if (b->p) explicit_bzero(b->p, b->cap);
    buf_done(b);
}

void buf_clear(struct buf *b) {
    b->n = 0;
    b->bad = SR_OK;
    if (b->p) b->p[0] = 0;
}

/* Space for n more bytes and the NUL. Old blocks are wiped: any buffer may hold a secret, and no
 * copy of it may stay behind in freed memory. */
static bool make_room(struct buf *b, size_t n) {
    if (b->bad != SR_OK) return false;
    if (n > b->max || b->n > b->max - n) {
        b->bad = SR_E_TOOBIG;
        return false;
    }
    size_t need = b->n + n + 1;
    if (need <= b->cap) return true;
    size_t cap = b->cap < BUF_FIRST / 2 ? BUF_FIRST : b->cap;
    while (cap < need) {
        if (cap > SIZE_MAX / 2) {
            cap = need;
            break;
        }
        cap *= 2;
    }
    if (cap > b->max + 1) cap = b->max + 1;
    uint8_t *p = malloc(cap);
    if (!p) {
        b->bad = SR_E_NOMEM;
        return false;
    }
    if (b->p) {
        memcpy(p, b->p, b->n);
        explicit_bzero(b->p, b->n);
        free(b->p);
    }
    b->p = p;
    b->cap = cap;
    p[b->n] = 0;
    return true;
}

uint8_t *buf_reserve(struct buf *b, size_t n) {
    return make_room(b, n) ? b->p + b->n : NULL;
}

uint8_t *buf_grow(struct buf *b, size_t n) {
    uint8_t *p = buf_reserve(b, n);
    if (!p) return NULL;
    b->n += n;
    b->p[b->n] = 0;
    return p;
}

void buf_put(struct buf *b, const void *p, size_t n) {
    if (n == 0) return;
    uint8_t *dst = buf_grow(b, n);
    if (dst) memcpy(dst, p, n);
}

void buf_add(struct buf *b, struct slice s) {
    buf_put(b, s.p, s.n);
}

void buf_str(struct buf *b, const char *s) {
    buf_put(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    if (b->bad != SR_OK) return;
    va_list ap;
    size_t have = b->cap > b->n ? b->cap - b->n : 0;
    va_start(ap, fmt);
    int n = vsnprintf(have ? (char *)b->p + b->n : NULL, have, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->bad = SR_E_RANGE;
        return;
    }
    if ((size_t)n < have && (size_t)n <= b->max - b->n) {
        b->n += (size_t)n;
        return;
    }
    if (have) b->p[b->n] = 0;
    uint8_t *dst = buf_reserve(b, (size_t)n);
    if (!dst) return;
    va_start(ap, fmt);
    (void)vsnprintf((char *)dst, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}

static void put_be(struct buf *b, uint64_t v, size_t n) {
    uint8_t *p = buf_grow(b, n);
    if (!p) return;
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void buf_u8(struct buf *b, uint8_t v) {
    put_be(b, v, 1);
}
void buf_u16(struct buf *b, uint16_t v) {
    put_be(b, v, 2);
}
void buf_u32(struct buf *b, uint32_t v) {
    put_be(b, v, 4);
}
void buf_u64(struct buf *b, uint64_t v) {
    put_be(b, v, 8);
}

void buf_hex(struct buf *b, struct slice s) {
    if (s.n > SIZE_MAX / 2) {
        if (b->bad == SR_OK) b->bad = SR_E_TOOBIG;
        return;
    }
    uint8_t *p = buf_grow(b, 2 * s.n);
    if (p) hex_encode((char *)p, s.p, s.n);
}

void buf_drop(struct buf *b, size_t n) {
    SR_ASSERT(n <= b->n);
    if (n == 0) return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = 0;
}

const char *buf_cstr(const struct buf *b) {
    return b->p && b->n ? (const char *)b->p : "";
}

sr_status buf_status(const struct buf *b, struct sr_err *err) {
    if (b->bad == SR_OK) return SR_OK;
    if (b->bad == SR_E_TOOBIG) return sr_fail(err, b->bad, "more than %zu bytes", b->max);
    return sr_fail(err, b->bad, "%s", sr_status_text(b->bad));
}

struct rd rd_of(struct slice s) {
    static const uint8_t none[1];
    const uint8_t *p = s.p ? s.p : none;
    return (struct rd){p, p + s.n, false};
}

struct slice rd_take(struct rd *r, size_t n) {
    if (r->bad || n > (size_t)(r->end - r->p)) {
        r->bad = true;
        r->p = r->end;
        return slice_of(r->end, 0);
    }
    struct slice s = {r->p, n};
    r->p += n;
    return s;
}

static uint64_t take_be(struct rd *r, size_t n) {
    struct slice s = rd_take(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) v = v << 8 | s.p[i];
    return v;
}

static uint64_t take_le(struct rd *r, size_t n) {
    struct slice s = rd_take(r, n);
    uint64_t v = 0;
    for (size_t i = s.n; i > 0; i--) v = v << 8 | s.p[i - 1];
    return v;
}

uint8_t rd_u8(struct rd *r) {
    return (uint8_t)take_be(r, 1);
}
uint16_t rd_u16(struct rd *r) {
    return (uint16_t)take_be(r, 2);
}
uint32_t rd_u32(struct rd *r) {
    return (uint32_t)take_be(r, 4);
}
uint64_t rd_u64(struct rd *r) {
    return take_be(r, 8);
}
uint16_t rd_u16le(struct rd *r) {
    return (uint16_t)take_le(r, 2);
}
uint32_t rd_u32le(struct rd *r) {
    return (uint32_t)take_le(r, 4);
}
uint64_t rd_u64le(struct rd *r) {
    return take_le(r, 8);
}

void rd_copy(struct rd *r, void *dst, size_t n) {
    struct slice s = rd_take(r, n);
    if (r->bad)
        memset(dst, 0, n);
    else if (n)
        memcpy(dst, s.p, n);
}
