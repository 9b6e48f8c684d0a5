/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the JavaScript SDK makes of an object: schema text, archive paths, serialised leaves.
 * SPEC: dataprotector.md#3-protected-data-format
 */
#include "sdk/decimal.h"
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define MAX_DEPTH  32
#define MAX_LEAVES 65536
#define MAX_PATH   1000
#define MAX_TREE   (256u << 20) /* bytes of all paths and values */

void pd_tree_done(struct pd_tree *t) {
    free(t->v);
    buf_wipe(&t->schema);
    buf_wipe(&t->mem);
    *t = (struct pd_tree){0};
}

static sr_status invalid(struct sr_err *err, const char *what) {
    sr_hint(err,
            "values are text, numbers, true, false and objects; keys are letters, digits, - and _");
    return sr_fail(err, SR_E_USAGE, "data is not valid: Unsupported %s", what);
}

static sr_status check_key(struct slice key, struct sr_err *err) {
    if (key.n == 0) return invalid(err, "empty key");
    for (size_t i = 0; i < key.n; i++) {
        uint8_t ch = key.p[i];
        bool ok = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                  (ch >= '0' && ch <= '9') || ch == '-' || ch == '_';
        if (!ok) return invalid(err, "special character in key");
    }
    return SR_OK;
}

/* JavaScript puts keys that are array indexes first, in the order of their numbers. */
static bool is_index(struct slice key, uint64_t *ret_n) {
    bool canonical = key.n == 1 || (key.n > 0 && key.p[0] != '0');
    return canonical && num_u64(key, 4294967294u, ret_n);
}

/* While the tree grows its memory may move: until the end, leaves hold offsets instead of pointers.
 */
static sr_status add_leaf(struct pd_tree *t, struct slice path, const struct slice *parts, size_t n,
                          bool folder, struct sr_err *err) {
    if (t->n == MAX_LEAVES) return sr_fail(err, SR_E_TOOBIG, "more than %d values", MAX_LEAVES);
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 32;
        struct pd_leaf *more = reallocarray(t->v, cap, sizeof *more);
        if (!more) return sr_fail(err, SR_E_NOMEM, "out of memory");
        t->v = more;
        t->cap = cap;
    }
    size_t at = t->mem.n;
    buf_add(&t->mem, path);
    for (size_t i = 0; i < n; i++) buf_add(&t->mem, parts[i]);
    SR_TRY(buf_status(&t->mem, err));
    t->v[t->n++] =
        (struct pd_leaf){slice_of((const uint8_t *)at, path.n),
                         slice_of((const uint8_t *)(at + path.n), t->mem.n - at - path.n), folder};
    return SR_OK;
}

static void fix_pointers(struct pd_tree *t) {
    for (size_t i = 0; i < t->n; i++) {
        struct pd_leaf *l = &t->v[i];
        l->path.p = t->mem.p + (size_t)l->path.p;
        l->bytes.p = t->mem.p + (size_t)l->bytes.p;
    }
}

struct walk {
    struct pd_tree *t;
    struct jw w;
    unsigned depth;
    char path[MAX_PATH]; /* of the object being read, with its last slash */
    size_t path_n;
};

static sr_status leaf(struct walk *k, const struct json_val *v, struct sr_err *err) {
    uint8_t fixed[8];
    struct slice parts[2];
    const char *type;
    size_t n = 1;
    double number;
    switch (json_kind(v)) {
    case JSON_TRUE:
    case JSON_FALSE:
        type = "bool";
        fixed[0] = json_kind(v) == JSON_TRUE;
        parts[0] = slice_of(fixed, 1);
        break;
    case JSON_NUMBER:
        type = "f64";
        if (!decimal_to_double(json_text(v), &number))
            return sr_fail(err, SR_E_USAGE,
                           "Failed to serialize data object: Unsupported number value: infinity");
        memcpy(fixed, &number, 8); /* below: little endian whatever the machine */
        uint64_t bits;
        memcpy(&bits, &number, 8);
        for (int i = 0; i < 8; i++) fixed[i] = (uint8_t)(bits >> (8 * i));
        parts[0] = slice_of(fixed, 8);
        break;
    case JSON_STRING:
        type = "string";
        parts[1] = json_text(v);
        for (int i = 0; i < 4; i++) fixed[i] = (uint8_t)(parts[1].n >> (8 * i));
        parts[0] = slice_of(fixed, 4);
        n = 2;
        break;
    case JSON_ARRAY: return invalid(err, "array data");
    default: return invalid(err, "null data");
    }
    jw_cstr(&k->w, type);
    return add_leaf(k->t, slice_of(k->path, k->path_n), parts, n, false, err);
}

static sr_status object(struct walk *k, const struct json_val *obj, struct sr_err *err);

static sr_status member(struct walk *k, const struct json_val *v, struct sr_err *err) {
    struct slice key = json_key(v);
    size_t parent = k->path_n;
    bool folder = json_is(v, JSON_OBJECT);
    SR_TRY(check_key(key, err));
    if (parent + key.n + 1 > MAX_PATH) return sr_fail(err, SR_E_TOOBIG, "a path is too long");
    jw_key_slice(&k->w, key);
    memcpy(k->path + parent, key.p, key.n);
    k->path_n = parent + key.n;
    if (folder) {
        k->path[k->path_n++] = '/';
        SR_TRY(add_leaf(k->t, slice_of(k->path, k->path_n), NULL, 0, true, err));
    }
    SR_TRY(folder ? object(k, v, err) : leaf(k, v, err));
    k->path_n = parent;
    return SR_OK;
}

struct indexed {
    uint64_t n;
    const struct json_val *v;
};

static int by_number(const void *pa, const void *pb) {
    const struct indexed *a = pa, *b = pb;
    return a->n < b->n ? -1 : a->n > b->n;
}

static sr_status object(struct walk *k, const struct json_val *obj, struct sr_err *err) {
    if (++k->depth > MAX_DEPTH) return sr_fail(err, SR_E_TOOBIG, "objects nested too deep");
    cleanup_free struct indexed *first = sr_calloc_n(json_len(obj) + 1, sizeof *first);
    if (!first) return sr_fail(err, SR_E_NOMEM, "out of memory");
    size_t n_first = 0;
    uint64_t n;
    for (const struct json_val *v = json_first(obj); v; v = json_next(v))
        if (is_index(json_key(v), &n)) first[n_first++] = (struct indexed){n, v};
    qsort(first, n_first, sizeof *first, by_number);
    jw_obj(&k->w);
    for (size_t i = 0; i < n_first; i++) SR_TRY(member(k, first[i].v, err));
    for (const struct json_val *v = json_first(obj); v; v = json_next(v))
        if (!is_index(json_key(v), &n)) SR_TRY(member(k, v, err));
    jw_end_obj(&k->w);
    k->depth--;
    return SR_OK;
}

sr_status pd_tree_of_json(struct slice json, struct pd_tree *ret, struct sr_err *err) {
    if (json.n > SR_MAX_JSON)
        return sr_fail(err, SR_E_TOOBIG, "more than %u bytes of JSON", SR_MAX_JSON);
    cleanup_json struct json *doc = NULL;
    sr_status st = json_parse(json, &doc, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "data is not valid");
        sr_hint(err, "give one JSON object: {\"key\": \"value\"}");
        if (err && st == SR_E_MALFORMED) err->code = SR_E_USAGE;
        return st == SR_E_MALFORMED ? SR_E_USAGE : st;
    }
    if (!json_is(json_root(doc), JSON_OBJECT))
        return json_is(json_root(doc), JSON_ARRAY) ? invalid(err, "array data")
                                                   : invalid(err, "data: it is not an object");
    struct pd_tree t = {0};
    buf_init(&t.mem, MAX_TREE);
    buf_init(&t.schema, SR_MAX_JSON);
    struct walk k = {.t = &t, .w = jw_of(&t.schema)};
    st = object(&k, json_root(doc), err);
    if (st == SR_OK) st = buf_status(&t.schema, err);
    if (st != SR_OK) {
        pd_tree_done(&t);
        return st;
    }
    fix_pointers(&t);
    *ret = t;
    return SR_OK;
}

void pd_key(char dst[256], const char *path) {
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t n = 0;
    for (; n < 255 && base[n] != 0; n++) {
        char ch = base[n];
        bool ok = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                  (ch >= '0' && ch <= '9') || ch == '-' || ch == '_';
        dst[n] = ok ? ch : '_';
    }
    dst[n] = 0;
}

/* ---- binary types, by their first bytes ---------------------------------------------------------
 */

struct magic {
    const char *type;
    uint8_t n;
    uint8_t b[12];
    uint16_t any; /* bit i: byte i may be anything */
};
#define RIFF 0x00f0
static const struct magic magics[] = {
    {"application/pdf", 4, {0x25, 0x50, 0x44, 0x46}, 0},
    {"application/pdf", 7, {0xef, 0xbb, 0xbf, 0x25, 0x50, 0x44, 0x46}, 0},
    {"application/xml", 6, {0x3c, 0x3f, 0x78, 0x6d, 0x6c, 0x20}, 0},
    {"application/zip", 4, {0x50, 0x4b, 0x03, 0x04}, 0},
    {"application/zip", 4, {0x50, 0x4b, 0x05, 0x06}, 0},
    {"application/zip", 4, {0x50, 0x4b, 0x07, 0x08}, 0},
    {"audio/midi", 4, {0x4d, 0x54, 0x68, 0x64}, 0},
    {"audio/mpeg", 3, {0x49, 0x44, 0x33}, 0},
    {"audio/mpeg", 2, {0xff, 0xfb}, 0},
    {"audio/mpeg", 2, {0xff, 0xf3}, 0},
    {"audio/mpeg", 2, {0xff, 0xf2}, 0},
    {"audio/x-wav", 12, {'R', 'I', 'F', 'F', 0, 0, 0, 0, 'W', 'A', 'V', 'E'}, RIFF},
    {"video/x-msvideo", 12, {'R', 'I', 'F', 'F', 0, 0, 0, 0, 'A', 'V', 'I', ' '}, RIFF},
    {"image/webp", 12, {'R', 'I', 'F', 'F', 0, 0, 0, 0, 'W', 'E', 'B', 'P'}, RIFF},
    {"image/bmp", 2, {0x42, 0x4d}, 0},
    {"image/gif", 6, {0x47, 0x49, 0x46, 0x38, 0x37, 0x61}, 0},
    {"image/gif", 6, {0x47, 0x49, 0x46, 0x38, 0x39, 0x61}, 0},
    {"image/jpeg", 3, {0xff, 0xd8, 0xff}, 0},
    {"image/png", 8, {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a}, 0},
    {"video/mpeg", 4, {0x00, 0x00, 0x01, 0xba}, 0},
    {"video/mpeg", 4, {0x00, 0x00, 0x01, 0xb3}, 0},
    {"video/mpeg", 1, {0x47}, 0},
};

static bool matches(const struct magic *m, struct slice head) {
    if (head.n < m->n) return false;
    for (unsigned i = 0; i < m->n; i++)
        if (!(m->any >> i & 1) && head.p[i] != m->b[i]) return false;
    return true;
}

static bool has_at4(struct slice head, const char *brand) {
    size_t n = strlen(brand);
    return head.n >= 4 + n && memcmp(head.p + 4, brand, n) == 0;
}

const char *pd_mime(struct slice head) {
    static const char other[] = "application/octet-stream";
    if (has_at4(head, "ftypmif1") || has_at4(head, "ftypheic") || has_at4(head, "ftypqt") ||
        has_at4(head, "ftypavif"))
        return other;
    if (has_at4(head, "ftyp")) return "video/mp4";
    const struct magic *best = NULL;
    for (size_t i = 0; i < SR_ARRAY_LEN(magics); i++)
        if (matches(&magics[i], head) && (!best || magics[i].n > best->n)) best = &magics[i];
    return best ? best->type : other;
}
