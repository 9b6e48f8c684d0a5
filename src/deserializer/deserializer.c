/* SPDX-License-Identifier: Apache-2.0 */
/* The public header says it all. SPEC: dataprotector.md#8-deserialiser-inside-iapps */
#include "zip/zip.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strongroom/deserializer.h>
#include <unistd.h>

struct sr_pd {
    int fd;
    struct zip_reader *zip;
    char **paths; /* dotted, one for each leaf */
    const struct zip_item **items;
    size_t n;
};

void sr_pd_close(struct sr_pd *pd) {
    if (!pd) return;
    zip_reader_free(pd->zip);
    if (pd->fd >= 0) (void)close(pd->fd);
    for (size_t i = 0; i < pd->n; i++) free(pd->paths[i]);
    free(pd->paths);
    free(pd->items);
    free(pd);
}

static char *dotted(struct slice name) {
    char *s = slice_dup(name);
    for (char *p = s; p && *p; p++)
        if (*p == '/') *p = '.';
    return s;
}

static sr_status index_leaves(struct sr_pd *pd, struct sr_err *err) {
    size_t all = zip_count(pd->zip);
    pd->paths = sr_calloc_n(all + 1, sizeof *pd->paths);
    pd->items = sr_calloc_n(all + 1, sizeof *pd->items);
    if (!pd->paths || !pd->items) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < all; i++) {
        const struct zip_item *item = zip_item_at(pd->zip, i);
        if (item->folder) continue;
        pd->paths[pd->n] = dotted(item->name);
        if (!pd->paths[pd->n]) return sr_fail(err, SR_E_NOMEM, "out of memory");
        pd->items[pd->n++] = item;
    }
    return SR_OK;
}

static sr_status open_path(const char *path, struct sr_pd **ret_pd, struct sr_err *err) {
    struct sr_pd *pd = sr_calloc_n(1, sizeof *pd);
    struct sr_err why = {0};
    if (!pd) return sr_fail(err, SR_E_NOMEM, "out of memory");
    pd->fd = open(path, O_RDONLY | O_CLOEXEC);
    sr_status st = pd->fd < 0 ? SR_E_NOTFOUND : zip_open_fd(pd->fd, NULL, &pd->zip, &why);
    if (st == SR_OK) st = index_leaves(pd, &why);
    if (st == SR_OK) {
        *ret_pd = pd;
        return SR_OK;
    }
    sr_pd_close(pd);
    if (st == SR_E_NOMEM) return sr_fail(err, st, "out of memory");
    sr_hint(err, "is %s the archive that data protect made?", path);
    return sr_fail(err, SR_E_MALFORMED, "Failed to load protected data%s%s",
                   why.what[0] ? ": " : "", why.what);
}

static sr_status open_named(const char *variable, struct sr_pd **ret_pd, struct sr_err *err) {
    const char *in = getenv("IEXEC_IN"), *file = getenv(variable);
    if (!in || !file || file[0] == 0) {
        sr_hint(err, "run the app with --data, or set IEXEC_IN and %s", variable);
        return sr_fail(err, SR_E_NOTFOUND, "Missing protected data");
    }
    cleanup_free char *path = path_join(in, file);
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    return open_path(path, ret_pd, err);
}

sr_status sr_pd_open(const char *path, struct sr_pd **ret_pd, struct sr_err *err) {
    return path ? open_path(path, ret_pd, err) : open_named("IEXEC_DATASET_FILENAME", ret_pd, err);
}

sr_status sr_pd_open_bulk(unsigned n, struct sr_pd **ret_pd, struct sr_err *err) {
    char variable[48];
    (void)snprintf(variable, sizeof variable, "IEXEC_DATASET_%u_FILENAME", n);
    return open_named(variable, ret_pd, err);
}

size_t sr_pd_count(const struct sr_pd *pd) {
    return pd->n;
}

const char *sr_pd_path_at(const struct sr_pd *pd, size_t i) {
    return i < pd->n ? pd->paths[i] : NULL;
}

/* Keys hold no dots (the schema forbids them), so dots and slashes name the same leaf. */
static const struct zip_item *find(const struct sr_pd *pd, const char *path) {
    if (!path || strnlen(path, SR_PD_MAX_PATH + 1) > SR_PD_MAX_PATH) return NULL;
    for (size_t i = 0; i < pd->n; i++)
        if (strcmp(pd->paths[i], path) == 0) return pd->items[i];
    return NULL;
}

bool sr_pd_has(const struct sr_pd *pd, const char *path) {
    return find(pd, path) != NULL;
}

static sr_status need(const struct sr_pd *pd, const char *path, const struct zip_item **ret,
                      struct sr_err *err) {
    *ret = find(pd, path);
    if (*ret) return SR_OK;
    sr_hint(err, "sr_pd_path_at lists what is there");
    return sr_fail(err, SR_E_NOTFOUND, "Failed to load path %.100s", path ? path : "");
}

sr_status sr_pd_size(const struct sr_pd *pd, const char *path, uint64_t *ret_n,
                     struct sr_err *err) {
    const struct zip_item *item;
    SR_TRY(need(pd, path, &item, err));
    *ret_n = item->size;
    return SR_OK;
}

/* All bytes of a leaf, into b (bounded by b->max). */
static sr_status load(struct sr_pd *pd, const char *path, struct buf *b, struct sr_err *err) {
    const struct zip_item *item;
    SR_TRY(need(pd, path, &item, err));
    sr_status st = zip_extract_bytes(pd->zip, item, b, err);
    if (st != SR_OK) sr_err_prefix(err, "Failed to load path %.60s", path);
    return st;
}

static sr_status not_a(const char *path, const char *schema, struct sr_err *err) {
    return sr_fail(err, SR_E_MALFORMED, "Failed to deserialize \"%.60s\" as \"%s\"", path, schema);
}

struct head { /* the first bytes of a leaf; the rest does not matter */
    uint8_t p[16];
    size_t n;
};

static sr_status take_head(void *arg, struct slice data, struct sr_err *err) {
    (void)err;
    struct head *h = arg;
    size_t n = sizeof h->p - h->n < data.n ? sizeof h->p - h->n : data.n;
    if (n > 0) memcpy(h->p + h->n, data.p, n);
    h->n += n;
    return SR_OK;
}

static sr_status load_head(struct sr_pd *pd, const char *path, struct head *h, struct sr_err *err) {
    const struct zip_item *item;
    *h = (struct head){{0}, 0};
    SR_TRY(need(pd, path, &item, err));
    return zip_extract(pd->zip, item, take_head, h, err);
}

sr_status sr_pd_bool(struct sr_pd *pd, const char *path, bool *ret_v, struct sr_err *err) {
    struct head h;
    SR_TRY(load_head(pd, path, &h, err));
    if (h.n < 1) return not_a(path, "bool", err);
    *ret_v = h.p[0] != 0;
    return SR_OK;
}

sr_status sr_pd_f64(struct sr_pd *pd, const char *path, double *ret_v, struct sr_err *err) {
    struct head h;
    uint64_t bits = 0;
    SR_TRY(load_head(pd, path, &h, err));
    if (h.n < 8) return not_a(path, "f64", err);
    for (int i = 0; i < 8; i++) bits |= (uint64_t)h.p[i] << (8 * i);
    memcpy(ret_v, &bits, sizeof bits);
    return SR_OK;
}

sr_status sr_pd_i128(struct sr_pd *pd, const char *path, char ret_text[41], struct sr_err *err) {
    struct head h;
    SR_TRY(load_head(pd, path, &h, err));
    if (h.n < 16) return not_a(path, "i128", err);
    bool negative = h.p[15] >> 7;
    uint8_t be[32] = {0};
    unsigned carry = negative;
    for (int i = 0; i < 16; i++) { /* the magnitude, big-endian */
        unsigned v = (negative ? 255u - h.p[i] : h.p[i]) + carry;
        be[31 - i] = (uint8_t)v;
        carry = negative ? v >> 8 : 0;
    }
    be[15] = (uint8_t)carry;
    char digits[U256_DEC_MAX];
    u256_to_dec(digits, u256_from_be(be));
    (void)snprintf(ret_text, 41, "%s%.39s", negative ? "-" : "", digits);
    return SR_OK;
}

sr_status sr_pd_bytes(struct sr_pd *pd, const char *path, uint8_t **ret_p, size_t *ret_n,
                      struct sr_err *err) {
    struct buf b;
    buf_init(&b, SR_PD_MAX_VALUE);
    sr_status st = load(pd, path, &b, err);
    buf_u8(&b, 0);
    if (st == SR_OK) st = buf_status(&b, err);
    if (st != SR_OK) {
        buf_done(&b);
        return st;
    }
    *ret_p = b.p;
    if (ret_n) *ret_n = b.n - 1;
    return SR_OK;
}

static bool is_utf8(struct slice s) {
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i];
        size_t more = c < 0x80                ? 0
                      : c >= 0xc2 && c < 0xe0 ? 1
                      : c >= 0xe0 && c < 0xf0 ? 2
                      : c >= 0xf0 && c < 0xf5 ? 3
                                              : 4;
        if (more == 4 || s.n - i <= more) return false;
        for (size_t k = 1; k <= more; k++)
            if ((s.p[i + k] & 0xc0) != 0x80) return false;
        if ((c == 0xe0 && s.p[i + 1] < 0xa0) || (c == 0xed && s.p[i + 1] > 0x9f) ||
            (c == 0xf0 && s.p[i + 1] < 0x90) || (c == 0xf4 && s.p[i + 1] > 0x8f))
            return false;
        i += more + 1;
    }
    return true;
}

sr_status sr_pd_string(struct sr_pd *pd, const char *path, char **ret_s, size_t *ret_n,
                       struct sr_err *err) {
    uint8_t *p;
    size_t n;
    SR_TRY(sr_pd_bytes(pd, path, &p, &n, err));
    struct rd r = rd_of(slice_of(p, n));
    struct slice text = rd_take(&r, rd_u32le(&r));
    if (r.bad || !is_utf8(text)) text = slice_of(p, n); /* 0.x data: the text itself */
    if (!is_utf8(text)) {
        free(p);
        return not_a(path, "string", err);
    }
    size_t len = text.n;
    memmove(p, text.p, len);
    p[len] = 0;
    *ret_s = (char *)p;
    if (ret_n) *ret_n = len;
    return SR_OK;
}

struct pieces {
    sr_status (*each)(void *arg, const void *p, size_t n, struct sr_err *err);
    void *arg;
};

static sr_status pass_on(void *arg, struct slice data, struct sr_err *err) {
    struct pieces *p = arg;
    return data.n > 0 ? p->each(p->arg, data.p, data.n, err) : SR_OK;
}

sr_status sr_pd_stream(struct sr_pd *pd, const char *path,
                       sr_status (*each)(void *arg, const void *p, size_t n, struct sr_err *err),
                       void *arg, struct sr_err *err) {
    const struct zip_item *item;
    struct pieces p = {each, arg};
    SR_TRY(need(pd, path, &item, err));
    return zip_extract(pd->zip, item, pass_on, &p, err);
}
