/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/abi.h"
#include <stdlib.h>

/* ---- the type text, walked in place ----
 *
 * A type is a slice of the text. Its outermost form is read from the end: "[]" or "[n]" makes an
 * array of what stands before, otherwise parentheses make a tuple, otherwise it is a word.
 */
typedef enum { T_NUM, T_INT, T_BOOL, T_ADDR, T_FIXED, T_BYTES, T_TUPLE, T_ARRAY } t_form;
struct type {
    t_form form;
    unsigned bits;      /* NUM and INT: bits; FIXED: bytes */
    struct slice inner; /* TUPLE: its members; ARRAY: the item's type */
    bool sized;         /* ARRAY: of fixed length */
    uint64_t count;
};

static bool parse_word(struct slice t, struct type *ret) {
    uint64_t n = 0;
    if (slice_is(t, "address")) {
        *ret = (struct type){.form = T_ADDR};
    } else if (slice_is(t, "bool")) {
        *ret = (struct type){.form = T_BOOL, .bits = 1};
    } else if (slice_is(t, "bytes") || slice_is(t, "string")) {
        *ret = (struct type){.form = T_BYTES};
    } else if (slice_starts(t, "uint") && num_u64(slice_of(t.p + 4, t.n - 4), 256, &n) && n >= 8 &&
               n % 8 == 0) {
        *ret = (struct type){.form = T_NUM, .bits = (unsigned)n};
    } else if (slice_starts(t, "int") && num_u64(slice_of(t.p + 3, t.n - 3), 256, &n) && n >= 8 &&
               n % 8 == 0) {
        *ret = (struct type){.form = T_INT, .bits = (unsigned)n};
    } else if (slice_starts(t, "bytes") && num_u64(slice_of(t.p + 5, t.n - 5), 32, &n) && n >= 1) {
        *ret = (struct type){.form = T_FIXED, .bits = (unsigned)n};
    } else {
        return false;
    }
    return true;
}

static bool parse_type(struct slice t, struct type *ret) {
    if (t.n == 0) return false;
    if (t.p[t.n - 1] == ']') {
        size_t open = t.n - 1;
        while (open > 0 && t.p[open] != '[') open--;
        if (open == 0) return false;
        struct slice num = slice_of(t.p + open + 1, t.n - open - 2);
        *ret = (struct type){.form = T_ARRAY, .inner = slice_of(t.p, open), .sized = num.n > 0};
        return num.n == 0 || num_u64(num, ABI_MAX_VALUES, &ret->count);
    }
    if (t.p[0] == '(' && t.p[t.n - 1] == ')') {
        *ret = (struct type){.form = T_TUPLE, .inner = slice_of(t.p + 1, t.n - 2)};
        return true;
    }
    return parse_word(t, ret);
}

/* The next member of a list "a,(b,c)[],d"; false at its end. *bad on unbalanced parentheses. */
static bool next_member(struct slice *list, struct slice *ret_t, bool *bad) {
    if (list->n == 0) return false;
    unsigned depth = 0;
    size_t i = 0;
    for (; i < list->n; i++) {
        char c = (char)list->p[i];
        if (c == '(') depth++;
        if (c == ')') {
            if (depth == 0) break;
            depth--;
        }
        if (c == ',' && depth == 0) break;
    }
    bool comma = i < list->n && list->p[i] == ',';
    if (depth != 0 || i == 0 || (i < list->n && !comma) || (comma && i + 1 == list->n)) {
        *bad = true; /* unbalanced, or an empty member */
        return false;
    }
    *ret_t = slice_of(list->p, i);
    *list = i < list->n ? slice_of(list->p + i + 1, list->n - i - 1) : slice_of(NULL, 0);
    return true;
}

static bool count_members(struct slice list, size_t *ret_n) {
    struct slice t;
    bool bad = false;
    *ret_n = 0;
    while (next_member(&list, &t, &bad)) (*ret_n)++;
    return !bad;
}

/* Head size in bytes, and whether it is dynamic; false on a wrong type text. */
static bool shape(struct slice t, unsigned depth, size_t *ret_head, bool *ret_dynamic) {
    struct type ty;
    if (depth > ABI_MAX_DEPTH || !parse_type(t, &ty)) return false;
    *ret_head = 32;
    *ret_dynamic = false;
    switch (ty.form) {
    case T_BYTES: *ret_dynamic = true; return true;
    case T_ARRAY: {
        size_t h;
        bool dyn;
        if (!shape(ty.inner, depth + 1, &h, &dyn)) return false;
        if (!ty.sized || dyn) {
            *ret_dynamic = true;
            return true;
        }
        return !__builtin_mul_overflow(h, (size_t)ty.count, ret_head) && *ret_head < ABI_MAX_BYTES;
    }
    case T_TUPLE: {
        size_t sum = 0, h;
        bool bad = false, any = false, dyn;
        struct slice m;
        while (next_member(&ty.inner, &m, &bad)) {
            if (!shape(m, depth + 1, &h, &dyn)) return false;
            any = any || dyn;
            sum += h;
        }
        if (bad) return false;
        *ret_dynamic = any;
        *ret_head = any ? 32 : sum;
        return true;
    }
    default: return true;
    }
}

/* ---- encoding ---- */

static void put_word(struct buf *b, struct u256 v) {
    uint8_t w[32];
    u256_to_be(w, v);
    buf_put(b, w, 32);
}

static void pad32(struct buf *b, size_t n) {
    static const uint8_t zero[32];
    if (n % 32) buf_put(b, zero, 32 - n % 32);
}

static unsigned u256_bits(struct u256 v) {
    for (unsigned i = 4; i-- > 0;)
        if (v.w[i]) return i * 64 + 64 - (unsigned)__builtin_clzll(v.w[i]);
    return 0;
}

/* A two's complement number fits in bits when everything above its sign bit repeats it. */
static bool int_fits(struct u256 v, unsigned bits) {
    if (bits == 256) return true;
    bool neg = v.w[3] >> 63;
    if (neg) v = (struct u256){{~v.w[0], ~v.w[1], ~v.w[2], ~v.w[3]}};
    return u256_bits(v) <= bits - 1;
}

static sr_status enc_seq(struct buf *b, struct slice types, bool repeat, const struct abi_val *v,
                         size_t n, unsigned depth, struct sr_err *err);

static sr_status mismatch(struct slice t, struct sr_err *err) {
    return sr_fail(err, SR_E_USAGE, "value and type '%.*s' disagree", (int)(t.n > 60 ? 60 : t.n),
                   (const char *)t.p);
}

static sr_status enc_one(struct buf *b, struct slice t, const struct abi_val *v, unsigned depth,
                         struct sr_err *err) {
    struct type ty;
    if (depth > ABI_MAX_DEPTH || !parse_type(t, &ty)) return mismatch(t, err);
    static const abi_kind want[] = {
        [T_NUM] = ABI_NUM,     [T_INT] = ABI_NUM,     [T_BOOL] = ABI_NUM,   [T_ADDR] = ABI_ADDR,
        [T_FIXED] = ABI_FIXED, [T_BYTES] = ABI_BYTES, [T_TUPLE] = ABI_LIST, [T_ARRAY] = ABI_LIST};
    if (v->kind != want[ty.form]) return mismatch(t, err);
    switch (ty.form) {
    case T_NUM:
    case T_BOOL:
    case T_INT:
        if (ty.form == T_INT ? !int_fits(v->num, ty.bits) : u256_bits(v->num) > ty.bits)
            return sr_fail(err, SR_E_RANGE, "number too big for '%.*s'", (int)t.n,
                           (const char *)t.p);
        put_word(b, v->num);
        return SR_OK;
    case T_ADDR: {
        static const uint8_t zero[12];
        buf_put(b, zero, 12);
        buf_put(b, v->addr.b, 20);
        return SR_OK;
    }
    case T_FIXED:
        for (unsigned i = ty.bits; i < 32; i++)
            if (v->hash.b[i]) return mismatch(t, err);
        buf_put(b, v->hash.b, 32);
        return SR_OK;
    case T_BYTES:
        put_word(b, u256_of(v->bytes.n));
        buf_add(b, v->bytes);
        pad32(b, v->bytes.n);
        return SR_OK;
    case T_TUPLE: return enc_seq(b, ty.inner, false, v->list.v, v->list.n, depth + 1, err);
    case T_ARRAY:
        if (ty.sized && v->list.n != ty.count) return mismatch(t, err);
        if (!ty.sized) put_word(b, u256_of(v->list.n));
        return enc_seq(b, ty.inner, true, v->list.v, v->list.n, depth + 1, err);
    }
    return mismatch(t, err);
}

/* Heads, then tails; offsets count from the first head. repeat: every item has the type `types`. */
static sr_status enc_seq(struct buf *b, struct slice types, bool repeat, const struct abi_val *v,
                         size_t n, unsigned depth, struct sr_err *err) {
    size_t base = b->n, heads = 0, h;
    bool bad = false, dyn;
    struct slice rest = types, t = types;
    for (size_t i = 0; i < n; i++) {
        if (!repeat && !next_member(&rest, &t, &bad)) return mismatch(types, err);
        if (!shape(t, depth, &h, &dyn)) return mismatch(t, err);
        heads += h;
    }
    if (!repeat && rest.n != 0) return mismatch(types, err);
    cleanup_buf struct buf tails;
    buf_init(&tails, ABI_MAX_BYTES);
    rest = types;
    for (size_t i = 0; i < n; i++) {
        if (!repeat && !next_member(&rest, &t, &bad)) return mismatch(types, err);
        if (!shape(t, depth, &h, &dyn)) return mismatch(t, err);
        if (dyn) {
            put_word(b, u256_of(heads + tails.n));
            SR_TRY(enc_one(&tails, t, &v[i], depth, err));
        } else {
            SR_TRY(enc_one(b, t, &v[i], depth, err));
        }
    }
    SR_TRY(buf_status(&tails, err));
    SR_TRY(buf_status(b, err));
    SR_ASSERT(b->n - base == heads);
    buf_add(b, buf_slice(&tails));
    return buf_status(b, err);
}

sr_status abi_encode(struct buf *b, const char *types, const struct abi_val *v, size_t n,
                     struct sr_err *err) {
    return enc_seq(b, slice_str(types), false, v, n, 0, err);
}

struct hash abi_topic(const char *signature) {
    return keccak256(slice_str(signature));
}

void abi_selector(const char *signature, uint8_t ret_sel[4]) {
    struct hash h = abi_topic(signature);
    memcpy(ret_sel, h.b, 4);
}

/* "name(types)" -> "types" */
static bool signature_types(const char *signature, struct slice *ret) {
    struct slice s = slice_str(signature), head;
    if (!slice_cut(s, '(', &head, ret) || ret->n == 0 || ret->p[ret->n - 1] != ')') return false;
    ret->n--;
    return true;
}

sr_status abi_encode_call(struct buf *b, const char *signature, const struct abi_val *v, size_t n,
                          struct sr_err *err) {
    struct slice types;
    if (!signature_types(signature, &types))
        return sr_fail(err, SR_E_USAGE, "'%s' is not a signature", signature);
    uint8_t sel[4];
    abi_selector(signature, sel);
    buf_put(b, sel, 4);
    return enc_seq(b, types, false, v, n, 0, err);
}

/* ---- decoding ---- */

struct block { /* values live in blocks, so that their addresses stay */
    struct block *next;
    size_t used, cap;
    struct abi_val v[];
};
struct dec {
    struct block *blocks;
    size_t total;
    struct sr_err *err;
};

static sr_status take_vals(struct dec *d, size_t n, struct abi_val **ret_v) {
    if (n > ABI_MAX_VALUES - d->total)
        return sr_fail(d->err, SR_E_TOOBIG, "contract data: too many values");
    d->total += n;
    struct block *bl = d->blocks;
    if (!bl || n > bl->cap - bl->used) {
        size_t cap = n > 64 ? n : 64;
        bl = calloc(1, sizeof *bl + cap * sizeof(struct abi_val));
        if (!bl) return sr_fail(d->err, SR_E_NOMEM, "no memory for contract data");
        bl->cap = cap;
        bl->next = d->blocks;
        d->blocks = bl;
    }
    *ret_v = bl->v + bl->used;
    bl->used += n;
    return SR_OK;
}

static sr_status dec_bad(struct dec *d, const char *what) {
    return sr_fail(d->err, SR_E_MALFORMED, "contract data: %s", what);
}

static bool zeros(const uint8_t *p, size_t n) {
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= p[i];
    return any == 0;
}

static sr_status dec_seq(struct dec *d, struct slice types, bool repeat, struct slice area,
                         size_t n, unsigned depth, struct abi_val *v, size_t *ret_used);

/* One value at the start of area; *ret_used is how much of it the value takes. */
static sr_status dec_one(struct dec *d, struct slice t, struct slice area, unsigned depth,
                         struct abi_val *v, size_t *ret_used) {
    struct type ty;
    if (depth > ABI_MAX_DEPTH || !parse_type(t, &ty)) return mismatch(t, d->err);
    if (ty.form != T_TUPLE && !(ty.form == T_ARRAY && ty.sized) && area.n < 32)
        return dec_bad(d, "it ends early");
    *ret_used = 32;
    switch (ty.form) {
    case T_NUM:
    case T_INT:
    case T_BOOL: {
        struct u256 x = u256_from_be(area.p);
        if (ty.form == T_INT ? !int_fits(x, ty.bits) : u256_bits(x) > ty.bits)
            return dec_bad(d, "a number is too big for its type");
        *v = av_u256(x);
        return SR_OK;
    }
    case T_ADDR:
        if (!zeros(area.p, 12)) return dec_bad(d, "an address has more than 20 bytes");
        v->kind = ABI_ADDR;
        memcpy(v->addr.b, area.p + 12, 20);
        return SR_OK;
    case T_FIXED:
        if (!zeros(area.p + ty.bits, 32 - ty.bits)) return dec_bad(d, "padding is not zero");
        v->kind = ABI_FIXED;
        memcpy(v->hash.b, area.p, 32);
        return SR_OK;
    case T_BYTES: {
        uint64_t len;
        if (!u256_to_u64(u256_from_be(area.p), &len) || len > area.n - 32)
            return dec_bad(d, "a text is longer than the data");
        size_t padded = ((size_t)len + 31) / 32 * 32;
        if (padded > area.n - 32) return dec_bad(d, "it ends early");
        if (!zeros(area.p + 32 + len, padded - (size_t)len))
            return dec_bad(d, "padding is not zero");
        *v = av_bytes(slice_of(area.p + 32, (size_t)len));
        *ret_used = 32 + padded;
        return SR_OK;
    }
    case T_TUPLE:
    case T_ARRAY: {
        size_t n = 0, skip = 0;
        if (ty.form == T_TUPLE) {
            if (!count_members(ty.inner, &n)) return mismatch(t, d->err);
        } else if (ty.sized) {
            n = (size_t)ty.count;
        } else {
            uint64_t len;
            skip = 32;
            /* an item takes 32 bytes at least, except an empty tuple, which nobody has */
            if (!u256_to_u64(u256_from_be(area.p), &len) || len > (area.n - 32) / 32)
                return dec_bad(d, "a list is longer than the data");
            n = (size_t)len;
        }
        struct abi_val *items = NULL;
        SR_TRY(take_vals(d, n, &items));
        size_t used = 0;
        SR_TRY(dec_seq(d, ty.inner, ty.form == T_ARRAY, slice_of(area.p + skip, area.n - skip), n,
                       depth + 1, items, &used));
        *v = av_list(items, n);
        *ret_used = skip + used;
        return SR_OK;
    }
    }
    return mismatch(t, d->err);
}

/* Canonical: tails follow the heads in order without gaps, each offset is where its tail is. */
static sr_status dec_seq(struct dec *d, struct slice types, bool repeat, struct slice area,
                         size_t n, unsigned depth, struct abi_val *v, size_t *ret_used) {
    size_t heads = 0, h, used;
    bool bad = false, dyn = false;
    struct slice rest = types, t = types;
    if (repeat) {
        if (!shape(t, depth, &h, &dyn)) return mismatch(t, d->err);
        if (__builtin_mul_overflow(h, n, &heads)) return dec_bad(d, "it ends early");
    } else {
        while (next_member(&rest, &t, &bad)) {
            if (!shape(t, depth, &h, &dyn)) return mismatch(t, d->err);
            heads += h;
        }
        if (bad) return mismatch(types, d->err);
    }
    if (heads > area.n) return dec_bad(d, "it ends early");
    size_t at = 0, tail = heads;
    rest = types;
    t = types;
    for (size_t i = 0; i < n; i++) {
        if (!repeat) {
            (void)next_member(&rest, &t, &bad);
            (void)shape(t, depth, &h, &dyn);
        }
        if (dyn) {
            uint64_t off;
            if (!u256_to_u64(u256_from_be(area.p + at), &off) || off != tail)
                return dec_bad(d, "an offset is not where its value is");
            SR_TRY(dec_one(d, t, slice_of(area.p + tail, area.n - tail), depth, &v[i], &used));
            tail += used;
        } else {
            SR_TRY(dec_one(d, t, slice_of(area.p + at, area.n - at), depth, &v[i], &used));
        }
        at += h;
    }
    *ret_used = tail;
    return SR_OK;
}

static void drop_blocks(struct block *bl) {
    while (bl) {
        struct block *next = bl->next;
        free(bl);
        bl = next;
    }
}

void abi_out_done(struct abi_out *o) {
    drop_blocks(o->mem);
    *o = (struct abi_out){0};
}

static sr_status decode(struct slice data, struct slice types, struct abi_out *ret,
                        struct sr_err *err) {
    struct dec d = {.err = err};
    size_t n, used = 0;
    struct abi_val *v = NULL;
    if (!count_members(types, &n)) return mismatch(types, err);
    sr_status st = take_vals(&d, n, &v);
    if (st == SR_OK) st = dec_seq(&d, types, false, data, n, 0, v, &used);
    if (st == SR_OK && used != data.n) st = dec_bad(&d, "something is left over");
    if (st != SR_OK) {
        drop_blocks(d.blocks);
        return st;
    }
    *ret = (struct abi_out){v, n, d.blocks};
    return SR_OK;
}

sr_status abi_decode(struct slice data, const char *types, struct abi_out *ret,
                     struct sr_err *err) {
    return decode(data, slice_str(types), ret, err);
}

sr_status abi_decode_call(struct slice data, const char *signature, struct abi_out *ret,
                          struct sr_err *err) {
    struct slice types;
    if (!signature_types(signature, &types))
        return sr_fail(err, SR_E_USAGE, "'%s' is not a signature", signature);
    uint8_t sel[4];
    abi_selector(signature, sel);
    if (data.n < 4 || memcmp(data.p, sel, 4) != 0)
        return sr_fail(err, SR_E_NOTFOUND, "not a call of %s", signature);
    return decode(slice_of(data.p + 4, data.n - 4), types, ret, err);
}
