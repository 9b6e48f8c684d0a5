/* SPDX-License-Identifier: Apache-2.0 */
#include "ipfs/client.h"
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX (64u * 1024) /* of the node's answer to add */
#define TIMEOUT_MS 60000u       /* between two bytes; a node hashes and syncs after the last one */
#define REDIRECTS  3u

/* ---- add
 * --------------------------------------------------------------------------------------------------
 */

#define PART_TAIL_ROOM 64u
#define AUTH_MAX       (8u << 10)
#define ADD_PIECE      (128u * 1024)

struct upload {
    ipfs_next_fn next;
    void *arg;
    struct dag_builder *dag;
    struct slice head, tail; /* of the form, still to be sent */
    bool content_done;
    uint64_t sent, size;
    struct dag_result made;
};

static struct slice take_slice(struct slice *s) {
    struct slice all = *s;
    *s = (struct slice){NULL, 0};
    return all;
}

static sr_status upload_next(void *arg, struct slice *ret_piece, struct sr_err *err) {
    struct upload *u = arg;
    if (u->head.n > 0) {
        *ret_piece = take_slice(&u->head);
        return SR_OK;
    }
    if (!u->content_done) {
        struct slice piece = {NULL, 0};
        SR_TRY(u->next(u->arg, &piece, err));
        u->sent += piece.n;
        if (u->size != UINT64_MAX && (u->sent > u->size || (piece.n == 0 && u->sent != u->size))) {
            sr_hint(err, "let nothing write to the file meanwhile, then try again");
            return sr_fail(err, SR_E_CONFLICT, "the content changed its size while it was sent");
        }
        if (piece.n > 0) {
            *ret_piece = piece;
            return SR_OK;
        }
        u->content_done = true;
        SR_TRY(dag_end(u->dag, &u->made, err));
    }
    *ret_piece = take_slice(&u->tail);
    return SR_OK;
}

/* The last line with a Hash, as clients read it. */
static sr_status answer_cid(struct slice body, struct cid *ret, struct sr_err *err) {
    bool found = false;
    struct slice line, rest = slice_trim(body);
    while (rest.n > 0) {
        cleanup_json struct json *doc = NULL;
        struct slice hash;
        (void)slice_cut(rest, '\n', &line, &rest);
        if (slice_trim(line).n == 0) continue;
        SR_TRY(json_parse(line, &doc, err));
        if (!json_str(json_get(json_root(doc), "Hash"), &hash)) continue;
        SR_TRY(cid_parse(hash, ret, err));
        found = true;
    }
    if (!found) return sr_fail(err, SR_E_MALFORMED, "the IPFS node's answer names no CID");
    return SR_OK;
}

static sr_status answer_check(const struct http_answer *a, const char *url, struct sr_err *err) {
    if (a->status >= 200 && a->status < 300) return SR_OK;
    sr_status st = a->status == 404   ? SR_E_NOTFOUND
                   : a->status == 413 ? SR_E_TOOBIG
                   : a->status >= 500 ? SR_E_UNAVAILABLE
                                      : SR_E_REFUSED;
    cleanup_json struct json *doc = NULL;
    struct slice what = {NULL, 0};
    if (json_parse(buf_slice(&a->body), &doc, NULL) == SR_OK &&
        !json_str(json_get(json_root(doc), "Message"), &what))
        (void)json_str(json_get(json_root(doc), "error"), &what);
    if (what.n > 100) what.n = 100;
    return sr_fail(err, st, "%s answered %d%s%.*s", url, a->status, what.n ? ": " : "", (int)what.n,
                   what.p ? (const char *)what.p : "");
}

sr_status ipfs_add_pieces(const char *node, const char *secret_auth, ipfs_next_fn next, void *arg,
                          uint64_t size, struct dag_builder *fed, struct dag_result *ret,
                          struct sr_err *err) {
    uint8_t seed[16];
    char mark[2 * sizeof seed + 1], head[256], tail[PART_TAIL_ROOM], type[96], url[512];
    cleanup_buf_wipe struct buf auth;
    struct upload u = {.next = next, .arg = arg, .dag = fed, .size = size};
    cleanup_answer struct http_answer a = {0};
    struct cid theirs;
    SR_TRY(random_bytes(seed, sizeof seed, err));
    hex_encode(mark, seed, sizeof seed);
    int nh = snprintf(head, sizeof head,
                      "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n"
                      "Content-Type: application/octet-stream\r\n\r\n",
                      mark);
    int nt = snprintf(tail, sizeof tail, "\r\n--%s--\r\n", mark);
    (void)snprintf(type, sizeof type, "Content-Type: multipart/form-data; boundary=%s", mark);
    int nu = snprintf(url, sizeof url, "%s/api/v0/add?stream-channels=true&progress=false", node);
    if (nu < 0 || (size_t)nu >= sizeof url) return sr_fail(err, SR_E_TOOBIG, "the node's URL");
    u.head = slice_of(head, (size_t)nh);
    u.tail = slice_of(tail, (size_t)nt);
    buf_init(&auth, AUTH_MAX);
    buf_printf(&auth, "Authorization: %s", secret_auth ? secret_auth : "");
    SR_TRY(buf_status(&auth, err));
    const char *headers[] = {type, secret_auth ? buf_cstr(&auth) : NULL, NULL};
    struct http_call call = {.method = "POST",
                             .url = url,
                             .headers = headers,
                             .body_next = upload_next,
                             .arg = &u,
                             .body_length = size == UINT64_MAX ? UINT64_MAX
                                                               : size + (uint64_t)nh + (uint64_t)nt,
                             .max_body = ANSWER_MAX,
                             .timeout_ms = TIMEOUT_MS};
    SR_TRY(http_fetch(&call, &a, err));
    SR_TRY(answer_check(&a, url, err));
    SR_TRY(answer_cid(buf_slice(&a.body), &theirs, err));
    if (!u.content_done || !hash_eq(&theirs.digest, &u.made.cid.digest)) {
        sr_hint(err, "the node must add with Kubo's default options (CIDv0, no raw leaves)");
        return sr_fail(err, SR_E_CRYPTO, "the IPFS node stored %s, we sent %s", cid_text(&theirs).s,
                       cid_text(&u.made.cid).s);
    }
    *ret = u.made;
    return SR_OK;
}

/* Content that is read here, and hashed as it is read. */
struct reading {
    ipfs_read_fn read;
    void *arg;
    struct dag_builder *dag;
    uint8_t *room;
};

static sr_status read_next(void *arg, struct slice *ret_piece, struct sr_err *err) {
    struct reading *r = arg;
    size_t n = 0;
    SR_TRY(r->read(r->arg, r->room, ADD_PIECE, &n, err));
    *ret_piece = slice_of(r->room, n);
    return dag_add(r->dag, *ret_piece, err);
}

sr_status ipfs_add(const char *node, ipfs_read_fn read, void *arg, uint64_t size,
                   struct dag_result *ret, struct sr_err *err) {
    struct reading r = {.read = read, .arg = arg};
    cleanup_free uint8_t *room = malloc(ADD_PIECE);
    if (!room) return sr_fail(err, SR_E_NOMEM, "no memory for an upload");
    r.room = room;
    SR_TRY(dag_new(NULL, NULL, &r.dag, err));
    sr_status st = ipfs_add_pieces(node, NULL, read_next, &r, size, r.dag, ret, err);
    dag_free(r.dag);
    return st;
}

static sr_status slice_read(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    struct slice *s = arg;
    (void)err;
    if (n > s->n) n = s->n;
    if (n) memcpy(p, s->p, n);
    *s = slice_of(s->p + n, s->n - n);
    *ret_n = n;
    return SR_OK;
}

sr_status ipfs_add_bytes(const char *node, struct slice data, struct dag_result *ret,
                         struct sr_err *err) {
    return ipfs_add(node, slice_read, &data, data.n, ret, err);
}

/* ---- get
 * --------------------------------------------------------------------------------------------------
 */

struct download {
    struct dag_builder *dag; /* NULL: not verified */
    dag_sink_fn sink;
    uint8_t *(*room)(void *arg, size_t *ret_n);
    void *arg;
    uint64_t got, max;
};

static sr_status download_data(void *arg, struct slice data, struct sr_err *err) {
    struct download *d = arg;
    if (data.n > d->max - d->got)
        return sr_fail(err, SR_E_TOOBIG, "more than %llu bytes", (unsigned long long)d->max);
    d->got += data.n;
    if (d->dag) SR_TRY(dag_add(d->dag, data, err));
    return d->sink(d->arg, data, err);
}

static uint8_t *download_room(void *arg, size_t *ret_n) {
    const struct download *d = arg;
    return d->room(d->arg, ret_n);
}

static bool is_url(struct slice location) {
    return slice_starts(location, "http://") || slice_starts(location, "https://");
}

/* What a /ipfs/ address would lead to as well. */
static bool is_below(const char *gateway, struct slice url) {
    size_t n = strlen(gateway);
    return slice_starts(url, gateway) && slice_starts(slice_of(url.p + n, url.n - n), "/ipfs/");
}

/* The URL to fetch, owned. *ret_cid is set for content-addressed locations. */
static sr_status url_of(const char *gateway, struct slice location, struct cid *ret_cid,
                        struct slice *ret_path, char **ret_url, struct sr_err *err) {
    if (location.n > MULTIADDR_MAX || (location.n && memchr(location.p, 0, location.n)))
        return sr_fail(err, SR_E_MALFORMED, "not a location");
    if (is_url(location)) {
        *ret_url = slice_dup(location);
        if (!*ret_url) return sr_fail(err, SR_E_NOMEM, "no memory for a URL");
        return SR_OK;
    }
    cleanup_buf struct buf b = {0};
    SR_TRY(ipfs_path_parse(location, ret_cid, ret_path, err));
    buf_init(&b, 2u * MULTIADDR_MAX);
    buf_printf(&b, "%s/ipfs/%s", gateway, cid_text(ret_cid).s);
    if (ret_path->n) buf_u8(&b, '/');
    buf_add(&b, *ret_path);
    SR_TRY(buf_status(&b, err));
    *ret_url = slice_dup(buf_slice(&b));
    if (!*ret_url) return sr_fail(err, SR_E_NOMEM, "no memory for a URL");
    return SR_OK;
}

static sr_status block_fetch(void *arg, const struct cid *cid, struct buf *b, struct sr_err *err) {
    const char *gateway = arg;
    cleanup_answer struct http_answer a = {0};
    cleanup_buf struct buf url = {0};
    static const char *const headers[] = {"Accept: application/vnd.ipld.raw", NULL};
    buf_init(&url, 2u * MULTIADDR_MAX);
    buf_printf(&url, "%s/ipfs/%s?format=raw", gateway, cid_text(cid).s);
    SR_TRY(buf_status(&url, err));
    struct http_call call = {.url = buf_cstr(&url),
                             .headers = headers,
                             .max_body = IPFS_BLOCK_MAX,
                             .timeout_ms = TIMEOUT_MS,
                             .max_redirects = REDIRECTS};
    SR_TRY(http_fetch(&call, &a, err));
    SR_TRY(answer_check(&a, call.url, err));
    buf_add(b, buf_slice(&a.body));
    return buf_status(b, err);
}

sr_status ipfs_get(const char *gateway, struct slice location, const struct ipfs_get_opts *opts,
                   dag_sink_fn sink, void *arg, struct sr_err *err) {
    static const struct ipfs_get_opts plain;
    cleanup_free char *url = NULL;
    cleanup_answer struct http_answer a = {0};
    struct cid cid = {0};
    struct slice path = {NULL, 0};
    struct download d = {.sink = sink, .arg = arg};
    bool named = !is_url(location);
    if (!opts) opts = &plain;
    d.room = opts->room;
    d.max = opts->max_bytes ? opts->max_bytes : UINT64_MAX;
    SR_TRY(url_of(gateway, location, &cid, &path, &url, err));
    if (named && !opts->unverified && (opts->blocks || path.n > 0 || cid.codec != CID_DAG_PB)) {
        cleanup_free char *origin = slice_dup(slice_str(gateway));
        if (!origin) return sr_fail(err, SR_E_NOMEM, "no memory for a URL");
        return dag_read(block_fetch, origin, &cid, path, d.max, sink, arg, err);
    }
    if (named && !opts->unverified) SR_TRY(dag_new(NULL, NULL, &d.dag, err));
    struct http_call call = {.url = url,
                             .on_data = download_data,
                             .on_room = opts->room ? download_room : NULL,
                             .arg = &d,
                             .timeout_ms = TIMEOUT_MS,
                             .max_redirects = REDIRECTS,
                             .public_only =
                                 opts->public_urls && !named && !is_below(gateway, location)};
    sr_status st = http_fetch(&call, &a, err);
    if (st == SR_OK) st = answer_check(&a, url, err);
    if (st == SR_OK && d.dag) {
        struct dag_result made;
        st = dag_end(d.dag, &made, err);
        if (st == SR_OK && !cid_eq(&made.cid, &cid)) {
            st = sr_fail(err, SR_E_CRYPTO, "%s holds other bytes than its CID says", url);
            sr_hint(err, "the copy was changed or cut, or the file was not added with Kubo's "
                         "default options");
        }
    }
    dag_free(d.dag);
    return st;
}

static sr_status into_buf(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

sr_status ipfs_get_bytes(const char *gateway, struct slice location, struct buf *ret,
                         struct sr_err *err) {
    return ipfs_get(gateway, location, NULL, into_buf, ret, err);
}

sr_status ipfs_head(const char *gateway, struct slice location, uint64_t *ret_bytes,
                    struct sr_err *err) {
    cleanup_free char *url = NULL;
    cleanup_answer struct http_answer a = {0};
    struct cid cid;
    struct slice path, text;
    uint64_t n = UINT64_MAX;
    SR_TRY(url_of(gateway, location, &cid, &path, &url, err));
    struct http_call call = {
        .method = "HEAD", .url = url, .timeout_ms = TIMEOUT_MS, .max_redirects = REDIRECTS};
    SR_TRY(http_fetch(&call, &a, err));
    SR_TRY(answer_check(&a, url, err));
    if (http_answer_header(&a, "Content-Length", &text) && !num_u64(text, UINT64_MAX - 1, &n))
        n = UINT64_MAX;
    *ret_bytes = n;
    return SR_OK;
}
