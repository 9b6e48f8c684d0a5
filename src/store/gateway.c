/* SPDX-License-Identifier: Apache-2.0 */
/* GET and HEAD /ipfs/CID[/path].  SPEC: services.md#52-download-gateway */
#include "store/store_int.h"
#include <stdio.h>
#include <stdlib.h>

sr_status store_may_send(const struct store *s, struct sr_err *err) {
    if (s->sends < SENDS_MAX) return SR_OK;
    sr_hint(err, "try again in a moment");
    return sr_fail(err, SR_E_UNAVAILABLE, "%u downloads at once are the most", SENDS_MAX);
}

static sr_status send_pieces(struct http_req *rq, int fd, uint64_t from, uint64_t to,
                             struct sr_err *err) {
    cleanup_free uint8_t *p = malloc(to - from < SEND_PIECE ? (size_t)(to - from) : SEND_PIECE);
    if (!p) return sr_fail(err, SR_E_NOMEM, "no memory for an answer");
    while (from < to) {
        size_t n = to - from < SEND_PIECE ? (size_t)(to - from) : SEND_PIECE;
        SR_TRY(blob_read(fd, from, p, n, err));
        SR_TRY(http_send(rq, slice_of(p, n), err));
        from += n;
    }
    return SR_OK;
}

sr_status store_send(struct store *s, struct http_req *rq, int fd, uint64_t from, uint64_t to,
                     struct sr_err *err) {
    if (slice_is(http_method(rq), "HEAD") || from >= to) return SR_OK;
    s->sends++;
    sr_status st = send_pieces(rq, fd, from, to, err);
    s->sends--;
    return st;
}

typedef enum { RANGE_ALL, RANGE_PART, RANGE_NEVER } range_kind;

/* One range of bytes; several, or what is no range, is the whole file, as the standard allows. */
static range_kind read_range(struct slice text, uint64_t size, uint64_t *from, uint64_t *to) {
    struct slice first, last;
    uint64_t a, b;
    if (!slice_starts(text, "bytes=")) return RANGE_ALL;
    text = slice_of(text.p + 6, text.n - 6);
    if (!slice_cut(text, '-', &first, &last)) return RANGE_ALL;
    first = slice_trim(first);
    last = slice_trim(last);
    if (first.n == 0) { /* the last b bytes */
        if (!num_u64(last, UINT64_MAX, &b)) return RANGE_ALL;
        if (b == 0 || size == 0) return RANGE_NEVER;
        *from = b < size ? size - b : 0;
        *to = size;
        return RANGE_PART;
    }
    if (!num_u64(first, UINT64_MAX, &a)) return RANGE_ALL;
    if (last.n == 0)
        b = UINT64_MAX;
    else if (!num_u64(last, UINT64_MAX, &b) || b < a)
        return RANGE_ALL;
    if (a >= size) return RANGE_NEVER;
    *from = a;
    *to = b < size ? b + 1 : size;
    return RANGE_PART;
}

/* A file name for the browser: letters that cannot end the header. */
static void set_disposition(struct http_req *rq) {
    struct slice name;
    char text[300], *p = text;
    if (!http_query(rq, "filename", &name) || name.n == 0 || name.n > 200) return;
    p += snprintf(text, sizeof text, "attachment; filename=\"");
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        *p++ = c < ' ' || c > '~' || c == '"' || c == '\\' || c == '/' ? '_' : (char)c;
    }
    *p++ = '"';
    *p = 0;
    http_set_header(rq, "Content-Disposition", text);
}

static bool wants_raw(struct http_req *rq) {
    struct slice v;
    if (http_query(rq, "format", &v)) return slice_is(v, "raw");
    return http_header(rq, "Accept", &v) && slice_is(v, "application/vnd.ipld.raw");
}

static sr_status keep_block(void *arg, const struct cid *cid, struct slice block,
                            struct sr_err *err) {
    (void)cid;
    buf_add(arg, block);
    return buf_status(arg, err);
}

/* The block itself. A file of more than one chunk is kept whole, not as blocks. */
static sr_status send_raw(struct http_req *rq, const struct blob *b, struct sr_err *err) {
    cleanup_buf struct buf data = {0}, block = {0};
    struct dag_result r;
    struct dag_builder *d;
    if (b->size > (b->dir ? IPFS_BLOCK_MAX : IPFS_CHUNK)) {
        return http_reply(rq, 501, "application/json",
                          SLICE_LIT("{\"error\":\"this store serves files of several blocks whole "
                                    "only\",\"code\":\"SR_E_USAGE\"}"),
                          err);
    }
    buf_init(&data, IPFS_BLOCK_MAX);
    buf_init(&block, IPFS_BLOCK_MAX);
    uint8_t *p = buf_grow(&data, (size_t)b->size);
    SR_TRY(buf_status(&data, err));
    SR_TRY(blob_read(b->fd, 0, p, (size_t)b->size, err));
    if (b->dir) return http_reply(rq, 200, "application/vnd.ipld.raw", buf_slice(&data), err);
    SR_TRY(dag_new(keep_block, &block, &d, err));
    sr_status st = dag_add(d, buf_slice(&data), err);
    if (st == SR_OK) st = dag_end(d, &r, err);
    dag_free(d);
    SR_TRY(st);
    return http_reply(rq, 200, "application/vnd.ipld.raw", buf_slice(&block), err);
}

static sr_status send_listing(struct http_req *rq, const struct cid *cid, const struct blob *b,
                              struct sr_err *err) {
    cleanup_buf struct buf block = {0}, out = {0};
    struct dag_node n;
    struct dag_link l;
    buf_init(&block, IPFS_BLOCK_MAX);
    buf_init(&out, 8u * IPFS_BLOCK_MAX);
    if (b->size > IPFS_BLOCK_MAX) return sr_fail(err, SR_E_TOOBIG, "a folder of that size");
    uint8_t *p = buf_grow(&block, (size_t)b->size);
    SR_TRY(buf_status(&block, err));
    SR_TRY(blob_read(b->fd, 0, p, (size_t)b->size, err));
    SR_TRY(dag_node_parse(buf_slice(&block), &n, err));
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_kcstr(&w, "cid", cid_text(cid).s);
    jw_key(&w, "entries");
    jw_arr(&w);
    for (struct rd at = dag_links(&n); dag_link_next(&at, &l);) {
        jw_obj(&w);
        jw_kstr(&w, "name", l.name);
        jw_kcstr(&w, "cid", cid_text(&l.cid).s);
        jw_ku64(&w, "size", l.size);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &out, err);
}

sr_status store_send_file(struct store *s, struct http_req *rq, const char *etag,
                          const struct blob *b, struct sr_err *err) {
    struct slice range, unless;
    uint64_t from = 0, to = b->size;
    range_kind kind = RANGE_ALL;
    if (http_header(rq, "Range", &range) &&
        (!http_header(rq, "If-Range", &unless) || slice_is(unless, etag)))
        kind = read_range(range, b->size, &from, &to);
    http_set_header(rq, "Accept-Ranges", "bytes");
    set_disposition(rq);
    char text[80];
    if (kind == RANGE_NEVER) {
        (void)snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)b->size);
        http_set_header(rq, "Content-Range", text);
        return http_reply(rq, 416, "text/plain", SLICE_LIT("no such range\n"), err);
    }
    if (kind == RANGE_PART) {
        (void)snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)from,
                       (unsigned long long)(to - 1), (unsigned long long)b->size);
        http_set_header(rq, "Content-Range", text);
    }
    SR_TRY(store_may_send(s, err));
    /* One type for all: nothing that strangers stored is run by a browser. */
    SR_TRY(http_reply_start(rq, kind == RANGE_PART ? 206 : 200, "application/octet-stream",
                            to - from, err));
    SR_TRY(store_send(s, rq, b->fd, from, to, err));
    return http_reply_end(rq, err);
}

sr_status store_gateway(struct http_req *rq, void *role, struct sr_err *err) {
    struct store *s = role;
    struct cid root, cid;
    struct slice path, unless, text = http_param(rq, "*");
    struct blob b;
    char etag[96];
    SR_TRY(ipfs_path_parse(text, &root, &path, err));
    while (path.n > 0 && path.p[path.n - 1] == '/') path.n--;
    SR_TRY(blob_resolve(s->blobs, &root, path, &cid, &b, err));
    cleanup_close int fd = b.fd;
    bool raw = wants_raw(rq);
    (void)fd;
    (void)snprintf(etag, sizeof etag, "\"%s%s\"", cid_text(&cid).s,
                   raw     ? ".raw"
                   : b.dir ? ".list"
                           : "");
    http_set_header(rq, "ETag", etag);
    http_set_header(rq, "Cache-Control", "public, max-age=29030400, immutable");
    http_set_header(rq, "X-Content-Type-Options", "nosniff");
    http_set_header(rq, "X-Ipfs-Roots", cid_text(&cid).s);
    if (http_header(rq, "If-None-Match", &unless) &&
        (slice_is(unless, "*") || memmem(unless.p, unless.n, etag, strlen(etag))))
        return http_reply(rq, 304, NULL, (struct slice){NULL, 0}, err);
    if (raw) return send_raw(rq, &b, err);
    if (b.dir) return send_listing(rq, &cid, &b, err);
    return store_send_file(s, rq, etag, &b, err);
}
