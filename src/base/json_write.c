/* SPDX-License-Identifier: Apache-2.0 */
/* json_write.c - the writer: commas, quotes and escapes are its business */
#include "base/json.h"
#include <math.h>
#include <stdio.h>

struct jw jw_of(struct buf *b) {
    return (struct jw){.b = b};
}

static uint64_t level_bit(const struct jw *w) {
    return 1ull << (w->depth % 64);
}

static void before_value(struct jw *w) {
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth && w->has_items & level_bit(w)) buf_u8(w->b, ',');
    w->has_items |= level_bit(w);
}

static void open_level(struct jw *w, uint8_t c) {
    before_value(w);
    SR_ASSERT(w->depth < JSON_MAX_DEPTH);
    buf_u8(w->b, c);
    w->depth++;
    w->has_items &= ~level_bit(w);
}

static void close_level(struct jw *w, uint8_t c) {
    SR_ASSERT(w->depth > 0 && !w->after_key);
    w->depth--;
    buf_u8(w->b, c);
}

void jw_obj(struct jw *w) {
    open_level(w, '{');
}
void jw_arr(struct jw *w) {
    open_level(w, '[');
}
void jw_end_obj(struct jw *w) {
    close_level(w, '}');
}
void jw_end_arr(struct jw *w) {
    close_level(w, ']');
}

static void put_escaped(struct buf *b, uint8_t c) {
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = c ? strchr(from, c) : NULL;
    if (at) {
        buf_u8(b, '\\');
        buf_u8(b, (uint8_t)to[at - from]);
    } else {
        buf_str(b, "\\u00");
        buf_hex(b, slice_of(&c, 1));
    }
}

static void put_string(struct buf *b, struct slice s) {
    buf_u8(b, '"');
    size_t run = 0, i = 0;
    while (i < s.n) {
        uint8_t c = s.p[i];
        size_t len = c < 0x80 ? 1 : json_utf8_len(s.p + i, s.p + s.n);
        if (len && c >= 0x20 && c != '"' && c != '\\') {
            i += len;
            continue;
        }
        buf_put(b, s.p + run, i - run);
        if (len)
            put_escaped(b, c);
        else
            buf_str(b, "\xef\xbf\xbd");
        run = ++i;
    }
    if (i > run) buf_put(b, s.p + run, i - run);
    buf_u8(b, '"');
}

void jw_key_slice(struct jw *w, struct slice key) {
    SR_ASSERT(w->depth > 0 && !w->after_key);
    before_value(w);
    put_string(w->b, key);
    buf_u8(w->b, ':');
    w->after_key = true;
}
void jw_key(struct jw *w, const char *key) {
    jw_key_slice(w, slice_str(key));
}
void jw_str(struct jw *w, struct slice s) {
    before_value(w);
    put_string(w->b, s);
}
void jw_cstr(struct jw *w, const char *s) {
    jw_str(w, slice_str(s));
}
void jw_u64(struct jw *w, uint64_t v) {
    before_value(w);
    buf_printf(w->b, "%llu", (unsigned long long)v);
}
void jw_i64(struct jw *w, int64_t v) {
    before_value(w);
    buf_printf(w->b, "%lld", (long long)v);
}

void jw_double(struct jw *w, double v) {
    before_value(w);
    if (!isfinite(v)) { /* JSON has no word for it */
        buf_str(w->b, "null");
        return;
    }
    char t[400];
    int n = snprintf(t, sizeof t, "%.3f", v);
    if (n < 0 || (size_t)n >= sizeof t) return;
    size_t len = (size_t)n;
    while (len > 1 && t[len - 1] == '0') len--;
    if (t[len - 1] == '.') len--;
    buf_put(w->b, t, len);
}

void jw_bool(struct jw *w, bool v) {
    before_value(w);
    buf_str(w->b, v ? "true" : "false");
}
void jw_null(struct jw *w) {
    before_value(w);
    buf_str(w->b, "null");
}
void jw_raw(struct jw *w, struct slice json) {
    before_value(w);
    buf_add(w->b, json);
}

void jw_hex(struct jw *w, struct slice bytes) {
    before_value(w);
    buf_str(w->b, "\"0x");
    buf_hex(w->b, bytes);
    buf_u8(w->b, '"');
}

void jw_u256_dec(struct jw *w, struct u256 v) {
    char t[U256_DEC_MAX];
    u256_to_dec(t, v);
    before_value(w);
    buf_u8(w->b, '"');
    buf_str(w->b, t);
    buf_u8(w->b, '"');
}

void jw_u256_num(struct jw *w, struct u256 v) {
    char t[U256_DEC_MAX];
    u256_to_dec(t, v);
    before_value(w);
    buf_str(w->b, t);
}

void jw_kstr(struct jw *w, const char *key, struct slice s) {
    jw_key(w, key);
    jw_str(w, s);
}
void jw_kcstr(struct jw *w, const char *key, const char *s) {
    jw_key(w, key);
    jw_cstr(w, s);
}
void jw_ku64(struct jw *w, const char *key, uint64_t v) {
    jw_key(w, key);
    jw_u64(w, v);
}
void jw_kbool(struct jw *w, const char *key, bool v) {
    jw_key(w, key);
    jw_bool(w, v);
}
void jw_kaddr(struct jw *w, const char *key, const struct addr *a) {
    jw_key(w, key);
    jw_hex(w, slice_of(a->b, sizeof a->b));
}
void jw_khash(struct jw *w, const char *key, const struct hash *h) {
    jw_key(w, key);
    jw_hex(w, slice_of(h->b, sizeof h->b));
}
void jw_khex(struct jw *w, const char *key, struct slice bytes) {
    jw_key(w, key);
    jw_hex(w, bytes);
}
