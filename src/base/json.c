/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - the strict reader
 *
 * A document is one copy of the text, one array of nodes in reading order, and, only when a string
 * has escapes, one pool for the unescaped bytes. A container's first child is the node after it;
 * siblings are linked by distance, so that the array may move while it grows.
 */
#include "base/json.h"
#include <stdlib.h>

struct json_val {
    struct slice key, text, raw;
    uint32_t next; /* distance to the next sibling, 0: none */
    uint32_t len;  /* children */
    json_type type;
};

struct json {
    uint8_t *text;
    size_t text_n;
    uint8_t *pool;
    size_t pool_n;
    struct json_val *nodes;
    size_t n, cap;
};

/* One open container while reading. */
struct level {
    uint32_t node, last; /* last: its latest child, valid when len > 0 */
};

struct reader {
    struct json *doc;
    const uint8_t *p, *end;
    struct level open[JSON_MAX_DEPTH];
    unsigned depth;
    struct slice key;
    struct sr_err *err;
};

static sr_status bad(struct reader *r, const char *why) {
    return sr_fail(r->err, SR_E_MALFORMED, "JSON: %s at byte %zu", why,
                   (size_t)(r->p - r->doc->text));
}

static void skip_space(struct reader *r) {
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
}

static bool is_digit(const struct reader *r) {
    return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

size_t json_utf8_len(const uint8_t *p, const uint8_t *end) {
    size_t left = (size_t)(end - p);
    uint8_t c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f)) return 0;
    if ((c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f)) return 0;
    return n;
}

static bool hex4(struct reader *r, unsigned *ret_v) {
    uint8_t b[2];
    if (r->end - r->p < 4 || r->p[1] == 'x' || r->p[1] == 'X') return false;
    if (!hex_decode(slice_of(r->p, 4), b, 2)) return false;
    *ret_v = (unsigned)b[0] << 8 | b[1];
    r->p += 4;
    return true;
}

static size_t utf8_put(uint8_t *d, unsigned c) {
    if (c < 0x80) {
        d[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        d[0] = (uint8_t)(0xc0 | c >> 6);
        d[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        d[0] = (uint8_t)(0xe0 | c >> 12);
        d[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        d[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    d[0] = (uint8_t)(0xf0 | c >> 18);
    d[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    d[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    d[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

/* After the backslash; writes at most as many bytes as it reads. */
static sr_status read_escape(struct reader *r, uint8_t *dst, size_t *ret_n) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end) return bad(r, "the text ends in a string");
    const char *at = *r->p ? strchr(from, *r->p) : NULL;
    if (at) {
        r->p++;
        dst[0] = (uint8_t)to[at - from];
        *ret_n = 1;
        return SR_OK;
    }
    unsigned c, low;
    if (*r->p != 'u') return bad(r, "unknown escape");
    r->p++;
    if (!hex4(r, &c)) return bad(r, "bad \\u escape");
    if (c >= 0xdc00 && c <= 0xdfff) return bad(r, "half a surrogate pair");
    if (c >= 0xd800 && c <= 0xdbff) {
        if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
            return bad(r, "half a surrogate pair");
        r->p += 2;
        if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff) return bad(r, "half a surrogate pair");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *ret_n = utf8_put(dst, c);
    return SR_OK;
}

/* After the opening quote. Without escapes the result lies in the text itself. */
static sr_status read_string(struct reader *r, struct slice *ret_s) {
    struct json *doc = r->doc;
    const uint8_t *run = r->p;
    size_t pool_start = doc->pool_n;
    bool pooled = false;
    for (;;) {
        if (r->p == r->end) return bad(r, "the text ends in a string");
        uint8_t c = *r->p;
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            r->p++;
            continue;
        }
        if (c >= 0x80) {
            size_t n = json_utf8_len(r->p, r->end);
            if (n == 0) return bad(r, "not UTF-8");
            r->p += n;
            continue;
        }
        if (c < 0x20) return bad(r, "a control character in a string");
        size_t n = (size_t)(r->p - run);
        if (c == '"' && !pooled) {
            *ret_s = slice_of(run, n);
            r->p++;
            return SR_OK;
        }
        if (!doc->pool) { /* unescaped bytes are never more than the text has */
            doc->pool = malloc(doc->text_n);
            if (!doc->pool) return sr_fail(r->err, SR_E_NOMEM, "out of memory");
        }
        memcpy(doc->pool + doc->pool_n, run, n);
        doc->pool_n += n;
        pooled = true;
        r->p++;
        if (c == '"') {
            *ret_s = slice_of(doc->pool + pool_start, doc->pool_n - pool_start);
            return SR_OK;
        }
        size_t put = 0;
        SR_TRY(read_escape(r, doc->pool + doc->pool_n, &put));
        doc->pool_n += put;
        run = r->p;
    }
}

static sr_status read_number(struct reader *r, struct slice *ret_s) {
    const uint8_t *start = r->p;
    if (*r->p == '-') r->p++;
    if (!is_digit(r)) return bad(r, "a digit is missing");
    if (*r->p == '0')
        r->p++;
    else
        while (is_digit(r)) r->p++;
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (!is_digit(r)) return bad(r, "a digit is missing");
        while (is_digit(r)) r->p++;
    }
    if (r->p < r->end && (*r->p | 0x20) == 'e') {
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-')) r->p++;
        if (!is_digit(r)) return bad(r, "a digit is missing");
        while (is_digit(r)) r->p++;
    }
    *ret_s = slice_of(start, (size_t)(r->p - start));
    return SR_OK;
}

static sr_status add_node(struct reader *r, struct json_val v) {
    struct json *doc = r->doc;
    if (doc->n == JSON_MAX_NODES)
        return sr_fail(r->err, SR_E_TOOBIG, "JSON: more than %u values", JSON_MAX_NODES);
    if (doc->n == doc->cap) {
        size_t cap = doc->cap ? doc->cap * 2 : 16;
        struct json_val *nodes = reallocarray(doc->nodes, cap, sizeof *nodes);
        if (!nodes) return sr_fail(r->err, SR_E_NOMEM, "out of memory");
        doc->nodes = nodes;
        doc->cap = cap;
    }
    uint32_t at = (uint32_t)doc->n++;
    v.key = r->key;
    doc->nodes[at] = v;
    r->key = slice_of(NULL, 0);
    if (r->depth) {
        struct level *l = &r->open[r->depth - 1];
        if (doc->nodes[l->node].len++) doc->nodes[l->last].next = at - l->last;
        l->last = at;
    }
    return SR_OK;
}

static int key_order(const void *a, const void *b) {
    const struct slice *x = a, *y = b;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return x->n ? memcmp(x->p, y->p, x->n) : 0;
}

#define FEW_KEYS 12 /* compare each with each up to here, sort above */

static sr_status check_keys(struct reader *r, const struct json_val *obj) {
    if (obj->len <= FEW_KEYS) {
        for (const struct json_val *a = json_first(obj); a; a = json_next(a))
            for (const struct json_val *b = json_next(a); b; b = json_next(b))
                if (slice_eq(a->key, b->key)) return bad(r, "a key stands twice in an object");
        return SR_OK;
    }
    cleanup_free struct slice *keys = sr_calloc_n(obj->len, sizeof *keys);
    if (!keys) return sr_fail(r->err, SR_E_NOMEM, "out of memory");
    size_t n = 0;
    for (const struct json_val *v = json_first(obj); v; v = json_next(v)) keys[n++] = v->key;
    qsort(keys, n, sizeof *keys, key_order);
    for (size_t i = 1; i < n; i++)
        if (key_order(&keys[i - 1], &keys[i]) == 0)
            return bad(r, "a key stands twice in an object");
    return SR_OK;
}

static sr_status read_key(struct reader *r) {
    skip_space(r);
    if (r->p == r->end || *r->p != '"') return bad(r, "a key is missing");
    r->p++;
    SR_TRY(read_string(r, &r->key));
    skip_space(r);
    if (r->p == r->end || *r->p != ':') return bad(r, "a colon is missing");
    r->p++;
    return SR_OK;
}

static bool word(struct reader *r, const char *w) {
    size_t n = strlen(w);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n) != 0) return false;
    r->p += n;
    return true;
}

static sr_status read_scalar(struct reader *r) {
    struct json_val v = {.type = JSON_NULL};
    const uint8_t *start = r->p;
    if (*r->p == '"') {
        v.type = JSON_STRING;
        r->p++;
        SR_TRY(read_string(r, &v.text));
    } else if (*r->p == '-' || is_digit(r)) {
        v.type = JSON_NUMBER;
        SR_TRY(read_number(r, &v.text));
    } else if (word(r, "true")) {
        v.type = JSON_TRUE;
    } else if (word(r, "false")) {
        v.type = JSON_FALSE;
    } else if (!word(r, "null")) {
        return bad(r, "a value is missing");
    }
    v.raw = slice_of(start, (size_t)(r->p - start));
    return add_node(r, v);
}

static struct json_val *top(struct reader *r) {
    return r->depth ? &r->doc->nodes[r->open[r->depth - 1].node] : NULL;
}

static sr_status open_container(struct reader *r) {
    if (r->depth == JSON_MAX_DEPTH)
        return sr_fail(r->err, SR_E_MALFORMED, "JSON: nested deeper than %d at byte %zu",
                       JSON_MAX_DEPTH, (size_t)(r->p - r->doc->text));
    struct json_val v = {.type = *r->p == '{' ? JSON_OBJECT : JSON_ARRAY, .raw = {r->p, 0}};
    SR_TRY(add_node(r, v));
    r->p++;
    r->open[r->depth++] = (struct level){.node = (uint32_t)(r->doc->n - 1)};
    return SR_OK;
}

static sr_status close_container(struct reader *r) {
    struct json_val *v = top(r);
    r->p++;
    v->raw.n = (size_t)(r->p - v->raw.p);
    if (v->type == JSON_OBJECT) SR_TRY(check_keys(r, v));
    r->depth--;
    return SR_OK;
}

/* Reads up to the end of the next scalar or the opening of a container. */
static sr_status read_value(struct reader *r) {
    struct json_val *in = top(r);
    if (in && in->type == JSON_OBJECT) SR_TRY(read_key(r));
    skip_space(r);
    if (r->p == r->end) return bad(r, "the text ends too early");
    if (*r->p == '{' || *r->p == '[') return open_container(r);
    return read_scalar(r);
}

static sr_status read_document(struct reader *r) {
    SR_TRY(read_value(r));
    while (r->depth) {
        struct json_val *in = top(r);
        skip_space(r);
        if (r->p == r->end) return bad(r, "the text ends too early");
        if (*r->p == (in->type == JSON_OBJECT ? '}' : ']')) {
            SR_TRY(close_container(r));
            continue;
        }
        if (in->len) {
            if (*r->p != ',') return bad(r, "a comma is missing");
            r->p++;
        }
        SR_TRY(read_value(r));
    }
    skip_space(r);
    if (r->p != r->end) return bad(r, "something follows the value");
    return SR_OK;
}

sr_status json_parse(struct slice text, struct json **ret_doc, struct sr_err *err) {
    struct json *doc = sr_calloc_n(1, sizeof *doc);
    if (!doc) return sr_fail(err, SR_E_NOMEM, "out of memory");
    doc->text = malloc(text.n + 1);
    if (!doc->text) {
        free(doc);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    if (text.n) memcpy(doc->text, text.p, text.n);
    doc->text[text.n] = 0;
    doc->text_n = text.n;
    struct reader r = {.doc = doc, .p = doc->text, .end = doc->text + text.n, .err = err};
    sr_status st = read_document(&r);
    if (st != SR_OK) {
        json_free(doc);
        return st;
    }
    *ret_doc = doc;
    return SR_OK;
}

void json_free(struct json *doc) {
    if (!doc) return;
    if (doc->text) explicit_bzero(doc->text, doc->text_n);
    if (doc->pool) explicit_bzero(doc->pool, doc->pool_n);
    free(doc->text);
    free(doc->pool);
    free(doc->nodes);
    free(doc);
}

const struct json_val *json_root(const struct json *doc) {
    return doc ? doc->nodes : NULL;
}

json_type json_kind(const struct json_val *v) {
    return v ? v->type : JSON_NULL;
}
bool json_is(const struct json_val *v, json_type t) {
    return v && v->type == t;
}
size_t json_len(const struct json_val *v) {
    return v ? v->len : 0;
}
const struct json_val *json_first(const struct json_val *v) {
    return v && v->len ? v + 1 : NULL;
}
const struct json_val *json_next(const struct json_val *v) {
    return v && v->next ? v + v->next : NULL;
}
struct slice json_key(const struct json_val *v) {
    return v ? v->key : slice_of(NULL, 0);
}
struct slice json_raw(const struct json_val *v) {
    return v ? v->raw : slice_of(NULL, 0);
}

const struct json_val *json_get(const struct json_val *obj, const char *key) {
    if (!json_is(obj, JSON_OBJECT)) return NULL;
    struct slice k = slice_str(key);
    for (const struct json_val *v = json_first(obj); v; v = json_next(v))
        if (slice_eq(v->key, k)) return v;
    return NULL;
}

const struct json_val *json_at(const struct json_val *arr, size_t i) {
    if (i >= json_len(arr)) return NULL;
    const struct json_val *v = json_first(arr);
    while (i--) v = json_next(v);
    return v;
}

struct slice json_key_at(const struct json_val *obj, size_t i) {
    return json_is(obj, JSON_OBJECT) ? json_key(json_at(obj, i)) : slice_of(NULL, 0);
}

bool json_str(const struct json_val *v, struct slice *ret_s) {
    if (!json_is(v, JSON_STRING)) return false;
    *ret_s = v->text;
    return true;
}

struct slice json_text(const struct json_val *v) {
    return v ? v->text : slice_of(NULL, 0);
}

bool json_bool(const struct json_val *v, bool *ret_b) {
    if (!json_is(v, JSON_TRUE) && !json_is(v, JSON_FALSE)) return false;
    *ret_b = v->type == JSON_TRUE;
    return true;
}

bool json_u64(const struct json_val *v, uint64_t *ret_v) {
    return json_is(v, JSON_NUMBER) && num_u64(v->text, UINT64_MAX, ret_v);
}

bool json_u256(const struct json_val *v, struct u256 *ret_v) {
    if (json_is(v, JSON_NUMBER)) return u256_from_dec(v->text, ret_v);
    return json_is(v, JSON_STRING) && u256_parse(v->text, ret_v);
}

bool json_addr(const struct json_val *v, struct addr *ret_a) {
    return json_is(v, JSON_STRING) && addr_parse(v->text, ret_a);
}

bool json_hash(const struct json_val *v, struct hash *ret_h) {
    return json_is(v, JSON_STRING) && hash_parse(v->text, ret_h);
}
