/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client.c - calls other services; keeps connections for the next call
 *
 * A kept connection is watched: it is dropped when the other side closes it, so a reuse seldom
 * meets a closed one, and when it does, the call is sent once more on a new connection.
 */
#include "net/http_client_int.h"
#include <stdlib.h>
#include <sys/socket.h>

#define POOL_MAX        64
#define POOL_ORIGIN_MAX 16
#define POOL_IDLE_MS    15000
#define CONNECT_MS      10000
#define CALL_IDLE_MS    30000
#define BODY_MAX        (1u << 20)
#define REQUEST_MAX     (64u << 10)
#define INFORM_MAX      10          /* 1xx answers before the real one */
#define DRAIN_MAX       (64u << 10) /* of a redirect's body */

struct http_conn {
    struct stream *stream;
    struct http_in in;
    char *origin;
    int64_t idle_since_us;
    bool reused;
    struct http_conn *next;
};

static struct {
    struct http_conn *first; /* latest first */
    size_t n;
} P;

static void conn_end(struct http_conn *c) {
    if (!c) return;
    stream_close(c->stream);
    http_in_done(&c->in);
    free(c->origin);
    free(c);
}

void http_pool_done_(void) {
    while (P.first) {
        struct http_conn *c = P.first;
        P.first = c->next;
        conn_end(c);
    }
    P.n = 0;
}

/* Anything that happens to a waiting connection (an end, or bytes nobody asked for) ends its use.
 */
static bool is_stale(const struct http_conn *c, int64_t now) {
    if (c->stream->io.seen != 0 || now - c->idle_since_us > (int64_t)POOL_IDLE_MS * 1000)
        return true;
    uint8_t byte;
    ssize_t n = recv(c->stream->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0) return true;
    return n > 0 && !c->stream->ssl; /* TLS may still have words of its own, such as tickets */
}

static void pool_sweep(void) {
    int64_t now = clock_mono_us();
    for (struct http_conn **at = &P.first; *at;) {
        struct http_conn *c = *at;
        if (!is_stale(c, now)) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        P.n--;
        conn_end(c);
    }
}

static struct http_conn *pool_take(struct slice origin) {
    pool_sweep();
    for (struct http_conn **at = &P.first; *at; at = &(*at)->next)
        if (slice_is(origin, (*at)->origin)) {
            struct http_conn *c = *at;
            *at = c->next;
            P.n--;
            c->reused = true;
            return c;
        }
    return NULL;
}

static void pool_put(struct http_conn *c) {
    size_t same = 0;
    for (struct http_conn *o = P.first; o; o = o->next)
        if (strcmp(o->origin, c->origin) == 0) same++;
    if (net_stopping() || same >= POOL_ORIGIN_MAX || http_in_rest(&c->in).n > 0 ||
        c->stream->io.seen) {
        conn_end(c);
        return;
    }
    if (P.n >= POOL_MAX) { /* the longest unused goes */
        struct http_conn **at = &P.first;
        while ((*at)->next) at = &(*at)->next;
        conn_end(*at);
        *at = NULL;
        P.n--;
    }
    http_in_done(&c->in);
    c->idle_since_us = clock_mono_us();
    c->next = P.first;
    P.first = c;
    P.n++;
    net_every_second_(pool_sweep);
}

static sr_status connect_to(const struct url *u, bool public_only, int64_t deadline_us,
                            struct stream **ret, struct sr_err *err) {
    uint64_t ms = CONNECT_MS;
    if (deadline_us) {
        int64_t left = (deadline_us - clock_mono_us()) / 1000;
        if (left <= 0) return sr_fail(err, SR_E_TIMEOUT, "no time left to connect");
        if ((uint64_t)left < ms) ms = (uint64_t)left;
    }
    struct sr_err why = {0};
    sr_status st;
    if (public_only && u->is_unix)
        st = sr_fail(&why, SR_E_REFUSED, "a local socket");
    else if (public_only)
        st = stream_connect_public(u->host, u->port, u->tls, ms, ret, &why);
    else if (u->is_unix)
        st = stream_connect_unix(u->host, ret, &why);
    else
        st = stream_connect_tcp(u->host, u->port, u->tls, ms, ret, &why);
    if (st == SR_OK) {
        (*ret)->write_ms = CALL_IDLE_MS;
        return SR_OK;
    }
    if (st == SR_E_SYS) st = SR_E_UNAVAILABLE;
    (void)sr_fail(err, st, "%.*s: %s", (int)(u->origin.n > 100 ? 100 : u->origin.n), u->origin.p,
                  why.what);
    if (why.hint[0])
        sr_hint(err, "%s", why.hint);
    else if (st == SR_E_UNAVAILABLE)
        sr_hint(err, "is the service at %.*s running?",
                (int)(u->origin.n > 120 ? 120 : u->origin.n), u->origin.p);
    return st;
}

sr_status http_connect_(const struct url *u, int64_t deadline_us, struct stream **ret,
                        struct sr_err *err) {
    return connect_to(u, false, deadline_us, ret, err);
}

static sr_status conn_new(const struct url *u, bool public_only, int64_t deadline_us,
                          struct http_conn **ret, struct sr_err *err) {
    struct http_conn *c = sr_calloc_n(1, sizeof *c);
    char *origin = slice_dup(u->origin);
    if (!c || !origin) {
        free(c);
        free(origin);
        return sr_fail(err, SR_E_NOMEM, "no memory for a connection");
    }
    c->origin = origin;
    sr_status st = connect_to(u, public_only, deadline_us, &c->stream, err);
    if (st != SR_OK) {
        free(c->origin);
        free(c);
        return st;
    }
    c->in.s = c->stream;
    *ret = c;
    return SR_OK;
}

/* ---- the request ---- */

static bool header_named(const char *line, const char *name) {
    struct slice n, v;
    return slice_cut(slice_str(line), ':', &n, &v) && slice_ieq(n, name);
}

static bool has_header(const struct http_call *call, const char *name) {
    for (const char *const *h = call->headers; h && *h; h++)
        if (header_named(*h, name)) return true;
    return false;
}

void http_put_target_(struct buf *b, const struct url *u) {
    if (u->target.n == 0 || u->target.p[0] != '/') buf_u8(b, '/');
    buf_add(b, u->target);
}

void http_put_host_(struct buf *b, const struct url *u) {
    if (u->is_unix) {
        buf_str(b, "Host: localhost\r\n");
        return;
    }
    bool v6 = strchr(u->host, ':') != NULL;
    buf_printf(b, v6 ? "Host: [%s]" : "Host: %s", u->host);
    if (u->port != (u->tls ? 443 : 80)) buf_printf(b, ":%u", u->port);
    buf_str(b, "\r\n");
}

/* State of one fetch over its redirects. */
struct fetch {
    const struct http_call *call;
    const char *method;
    bool with_body;
    bool same_origin; /* as the caller's URL: credentials may go along */
    char *url;        /* owned; of a redirect */
    int64_t total_us; /* deadline */
    uint64_t idle_ms;
    bool body_begun; /* a streamed body cannot be sent twice */
};

static int64_t fetch_deadline(const struct fetch *f) {
    return deadline_min_(f->total_us, deadline_after_(f->idle_ms));
}

static bool is_streamed(const struct fetch *f) {
    return f->with_body && (f->call->body_read || f->call->body_next);
}

static sr_status request_head(const struct fetch *f, const struct url *u, struct buf *b,
                              struct sr_err *err) {
    const struct http_call *call = f->call;
    if (!http_is_token(slice_str(f->method)))
        return sr_fail(err, SR_E_USAGE, "'%.20s' is not a method", f->method);
    buf_printf(b, "%s ", f->method);
    http_put_target_(b, u);
    buf_str(b, " HTTP/1.1\r\n");
    if (!has_header(call, "host")) http_put_host_(b, u);
    if (!has_header(call, "user-agent")) buf_str(b, "User-Agent: strongroom\r\n");
    if (!has_header(call, "accept")) buf_str(b, "Accept: */*\r\n");
    for (const char *const *h = call->headers; h && *h; h++) {
        struct slice n, v;
        if (!slice_cut(slice_str(*h), ':', &n, &v) || !http_is_token(n) ||
            !http_is_value(slice_trim(v)) || !http_is_value(v))
            return sr_fail(err, SR_E_USAGE, "a bad request header");
        if (slice_ieq(n, "content-length") || slice_ieq(n, "transfer-encoding") ||
            slice_ieq(n, "connection"))
            return sr_fail(err, SR_E_USAGE, "the header %.*s is not the caller's", (int)n.n, n.p);
        bool secret = slice_ieq(n, "authorization") || slice_ieq(n, "cookie") ||
                      slice_ieq(n, "proxy-authorization");
        if (secret && !f->same_origin) continue;
        if (!f->with_body && slice_ieq(n, "content-type") && call->body.n) continue;
        buf_str(b, *h);
        buf_str(b, "\r\n");
    }
    if (is_streamed(f) && call->body_length == UINT64_MAX)
        buf_str(b, "Transfer-Encoding: chunked\r\n");
    else if (is_streamed(f))
        buf_printf(b, "Content-Length: %llu\r\n", (unsigned long long)call->body_length);
    else if (f->with_body && (call->body.n || strcmp(f->method, "GET") != 0))
        buf_printf(b, "Content-Length: %zu\r\n", call->body.n);
    buf_str(b, "\r\n");
    return buf_status(b, err);
}

#define BODY_CHUNK (64u << 10)

/* The next piece of a streamed body; one that is read goes into room. */
static sr_status next_piece(const struct http_call *call, uint8_t *room, uint64_t left,
                            struct slice *ret, struct sr_err *err) {
    if (call->body_next) {
        SR_TRY(call->body_next(call->arg, ret, err));
    } else {
        size_t want = left < BODY_CHUNK ? (size_t)left : BODY_CHUNK, n = 0;
        SR_TRY(call->body_read(call->arg, room, want, &n, err));
        *ret = slice_of(room, n);
    }
    if (ret->n > left || (!call->body_next && ret->n > BODY_CHUNK))
        return sr_fail(err, SR_E_RANGE, "the body's reader gave too much");
    return SR_OK;
}

static sr_status send_pieces(struct fetch *f, struct stream *s, uint8_t *room, struct sr_err *err) {
    const struct http_call *call = f->call;
    bool chunks = call->body_length == UINT64_MAX;
    uint64_t left = call->body_length;
    const char *end_line = ""; /* of the chunk before: sent with the next one's size */
    while (left > 0) {
        struct slice piece = {NULL, 0}, line = {NULL, 0};
        char size[32];
        SR_TRY(next_piece(call, room, left, &piece, err));
        if (chunks) {
            int k = snprintf(size, sizeof size, "%s%zx\r\n%s", end_line, piece.n,
                             piece.n == 0 ? "\r\n" : "");
            line = slice_of(size, (size_t)k);
            end_line = "\r\n";
        } else if (piece.n == 0) {
            return sr_fail(err, SR_E_RANGE, "the body is shorter than announced");
        } else {
            left -= piece.n;
        }
        if (f->total_us && clock_mono_us() > f->total_us)
            return sr_fail(err, SR_E_TIMEOUT, "the call took too long");
        SR_TRY(stream_write2_(s, line, piece, err));
        if (piece.n == 0) break;
    }
    return SR_OK;
}

static sr_status send_streamed(struct fetch *f, struct stream *s, struct sr_err *err) {
    uint8_t *room = f->call->body_next ? NULL : malloc(BODY_CHUNK);
    if (!room && !f->call->body_next) return sr_fail(err, SR_E_NOMEM, "no memory for a body");
    f->body_begun = true;
    sr_status st = send_pieces(f, s, room, err);
    free(room);
    return st;
}

static sr_status send_request(struct fetch *f, struct http_conn *c, const struct url *u,
                              struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, REQUEST_MAX);
    SR_TRY(request_head(f, u, &b, err));
    const struct http_call *call = f->call;
    bool streamed = is_streamed(f);
    struct slice body = f->with_body && !streamed ? call->body : slice_of(NULL, 0);
    SR_TRY(stream_write2_(c->stream, buf_slice(&b), body, err));
    return streamed ? send_streamed(f, c->stream, err) : SR_OK;
}

/* ---- the answer ---- */

static sr_status read_answer_head(struct fetch *f, struct http_conn *c, struct http_head *h,
                                  struct slice *ret_raw, bool *ret_any, struct sr_err *err) {
    for (int i = 0; i < INFORM_MAX; i++) {
        SR_TRY(http_in_head(&c->in, fetch_deadline(f), ret_raw, ret_any, err));
        SR_TRY(http_parse_response(*ret_raw, h, err));
        if (h->status >= 200 || h->status == 101) return SR_OK;
    }
    return sr_fail(err, SR_E_MALFORMED, "HTTP: no end of interim answers");
}

static struct http_body body_of(const struct fetch *f, const struct http_head *h) {
    struct http_body b = {0};
    if (strcmp(f->method, "HEAD") == 0 || h->status == 204 || h->status == 304 || h->status < 200)
        b.kind = BODY_NONE;
    else if (h->chunked)
        b.kind = BODY_CHUNKED;
    else if (h->has_length)
        b.kind = BODY_LENGTH;
    else
        b.kind = BODY_UNTIL_END;
    b.left = h->length;
    return b;
}

static sr_status read_body(struct fetch *f, struct http_conn *c, const struct http_head *h,
                           struct http_body *body, struct http_answer *a, struct sr_err *err) {
    const struct http_call *call = f->call;
    bool stream_out = call->on_data && h->status >= 200 && h->status < 300;
    size_t max = call->max_body ? call->max_body : BODY_MAX;
    if (!stream_out && body->kind == BODY_LENGTH && body->left > max)
        return sr_fail(err, SR_E_TOOBIG, "the answer has %llu bytes, %zu are allowed",
                       (unsigned long long)body->left, max);
    bool own = stream_out && !call->on_room;
    uint8_t *chunk = own ? malloc(BODY_CHUNK) : NULL;
    if (own && !chunk) return sr_fail(err, SR_E_NOMEM, "no memory for an answer");
    sr_status st = SR_OK;
    while (st == SR_OK) {
        size_t n = 0;
        uint8_t *p = chunk;
        size_t room = BODY_CHUNK;
        if (stream_out && !own) p = call->on_room(call->arg, &room);
        if (!stream_out) {
            if (a->body.n >= max) { /* one more byte would be too many: is it the end? */
                uint8_t one;
                st = http_body_in(body, &c->in, &one, 1, fetch_deadline(f), &n, err);
                if (st == SR_OK && n)
                    st = sr_fail(err, SR_E_TOOBIG, "the answer has more than %zu bytes", max);
                break;
            }
            size_t want = body->kind == BODY_LENGTH && body->left < max ? (size_t)body->left : 8192;
            if (want < 512) want = 512;
            room = max - a->body.n < want ? max - a->body.n : want;
            p = buf_reserve(&a->body, room);
            if (!p) {
                st = buf_status(&a->body, err);
                break;
            }
        }
        st = http_body_in(body, &c->in, p, room, fetch_deadline(f), &n, err);
        if (st != SR_OK || n == 0) break;
        if (stream_out)
            st = call->on_data(call->arg, slice_of(p, n), err);
        else
            (void)buf_grow(&a->body, n);
    }
    free(chunk);
    return st;
}

/* ---- redirects ---- */

static bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static sr_status follow(struct fetch *f, const struct url *from, struct slice to, int status,
                        struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, HTTP_URL_MAX);
    if (slice_starts(to, "http://") || slice_starts(to, "https://")) {
        buf_add(&b, to);
    } else if (slice_starts(to, "//")) {
        buf_str(&b, from->tls ? "https:" : "http:");
        buf_add(&b, to);
    } else {
        buf_add(&b, from->origin);
        if (from->is_unix) buf_u8(&b, ':');
        if (!slice_starts(to, "/")) { /* relative to the folder of the path */
            struct slice path = from->target;
            size_t q = 0;
            while (q < path.n && path.p[q] != '?') q++;
            while (q > 0 && path.p[q - 1] != '/') q--;
            if (q == 0)
                buf_u8(&b, '/');
            else
                buf_put(&b, path.p, q);
        }
        buf_add(&b, to);
    }
    SR_TRY(buf_status(&b, err));
    struct url u;
    SR_TRY(url_parse(buf_cstr(&b), &u, err));
    if (from->tls && !u.tls)
        return sr_fail(err, SR_E_REFUSED, "a redirect from https to http is not followed");
    if (from->is_unix != u.is_unix)
        return sr_fail(err, SR_E_REFUSED, "a redirect away from a local socket is not followed");
    bool post = strcmp(f->method, "POST") == 0;
    if (status == 303 || (post && (status == 301 || status == 302))) {
        if (strcmp(f->method, "HEAD") != 0) f->method = "GET";
        f->with_body = false;
    } else if (f->with_body && f->body_begun) {
        return sr_fail(err, SR_E_UNAVAILABLE, "a redirect asks for a streamed body again");
    }
    if (!slice_eq(u.origin, from->origin)) f->same_origin = false;
    char *copy = slice_dup(buf_slice(&b));
    if (!copy) return sr_fail(err, SR_E_NOMEM, "no memory for a URL");
    free(f->url);
    f->url = copy;
    return SR_OK;
}

/* ---- one exchange ---- */

/* *ret_again: the kept connection was closed before any byte of an answer; nothing is spoilt. */
static sr_status exchange(struct fetch *f, struct http_conn *c, const struct url *u,
                          struct http_answer *a, struct slice *ret_location, bool *ret_again,
                          struct sr_err *err) {
    struct http_head *h = malloc(sizeof *h);
    if (!h) return sr_fail(err, SR_E_NOMEM, "no memory for an answer");
    struct slice raw = {NULL, 0};
    bool any = false;
    struct sr_err send_err = {0}, head_err = {0};
    sr_status sent = send_request(f, c, u, &send_err);
    /* A server that refuses a long body answers early and closes: look for that answer. */
    sr_status st = sent;
    if (sent == SR_OK || sent == SR_E_UNAVAILABLE)
        st = read_answer_head(f, c, h, &raw, &any, &head_err);
    if (st != SR_OK) {
        *ret_again = c->reused && !any && st == SR_E_UNAVAILABLE && !f->body_begun;
        const struct sr_err *e = sent != SR_OK ? &send_err : &head_err;
        free(h);
        (void)sr_fail(err, st, "%.*s: %s", (int)(u->origin.n > 100 ? 100 : u->origin.n),
                      u->origin.p, e->what);
        return st;
    }
    a->status = h->status;
    buf_clear(&a->head);
    buf_clear(&a->body);
    buf_add(&a->head, raw);
    struct http_body body = body_of(f, h);
    st = buf_status(&a->head, err);
    if (st == SR_OK) st = read_body(f, c, h, &body, a, err);
    bool keep = st == SR_OK && sent == SR_OK && body.kind != BODY_UNTIL_END && h->status != 101 &&
                !h->close && (h->minor == 1 || h->keep_alive);
    struct slice loc;
    if (st == SR_OK && is_redirect(h->status) && http_answer_header(a, "location", &loc))
        *ret_location = loc; /* points into a->head */
    free(h);
    c->reused = keep; /* the caller keeps or ends it by this */
    return st;
}

static sr_status fetch_once(struct fetch *f, struct http_answer *a, struct slice *ret_location,
                            struct sr_err *err) {
    struct url u;
    SR_TRY(url_parse(f->url ? f->url : f->call->url, &u, err));
    for (int attempt = 0;; attempt++) {
        /* A kept connection was made by whoever may go anywhere. */
        bool guarded = f->call->public_only;
        struct http_conn *c = attempt == 0 && !guarded ? pool_take(u.origin) : NULL;
        if (!c) SR_TRY(conn_new(&u, guarded, f->total_us, &c, err));
        bool again = false;
        struct sr_err why = {0};
        *ret_location = (struct slice){NULL, 0};
        sr_status st = exchange(f, c, &u, a, ret_location, &again, &why);
        if (st == SR_OK && c->reused)
            pool_put(c);
        else
            conn_end(c);
        if (again && attempt == 0) continue;
        if (st != SR_OK) {
            (void)sr_fail(err, st, "%s", why.what);
            if (why.hint[0]) sr_hint(err, "%s", why.hint);
        }
        return st;
    }
}

sr_status http_fetch(const struct http_call *call, struct http_answer *ret, struct sr_err *err) {
    SR_TRY(net_init(err));
    struct http_answer a = {0};
    buf_init(&a.head, NET_HEAD_MAX + 1024);
    buf_init(&a.body, (call->max_body ? call->max_body : BODY_MAX) + 1);
    struct fetch f = {.call = call,
                      .method = call->method ? call->method : "GET",
                      .with_body = call->body_read || call->body_next || call->body.n > 0 ||
                                   (call->method && (strcmp(call->method, "POST") == 0 ||
                                                     strcmp(call->method, "PUT") == 0 ||
                                                     strcmp(call->method, "PATCH") == 0)),
                      .same_origin = true,
                      .total_us = deadline_after_(call->total_ms),
                      .idle_ms = call->timeout_ms ? call->timeout_ms : CALL_IDLE_MS};
    sr_status st;
    for (unsigned hops = 0;; hops++) {
        struct slice to;
        st = fetch_once(&f, &a, &to, err);
        if (st != SR_OK || to.n == 0 || call->max_redirects == 0) break;
        if (hops == call->max_redirects) {
            st = sr_fail(err, SR_E_UNAVAILABLE, "more than %u redirects", call->max_redirects);
            break;
        }
        struct url from;
        st = url_parse(f.url ? f.url : call->url, &from, err);
        /* follow replaces f.url, which `from` points into, only at its end */
        if (st == SR_OK) st = follow(&f, &from, to, a.status, err);
        if (st != SR_OK) break;
    }
    free(f.url);
    if (st != SR_OK) {
        http_answer_done(&a);
        return st;
    }
    *ret = a;
    return SR_OK;
}

void http_answer_done(struct http_answer *a) {
    buf_done(&a->head);
    buf_done(&a->body);
}

bool http_answer_header(const struct http_answer *a, const char *name, struct slice *ret_v) {
    struct slice rest = buf_slice(&a->head), line, n, v;
    bool more = slice_cut(rest, '\n', &line, &rest); /* the status line */
    while (more) {
        more = slice_cut(rest, '\n', &line, &rest);
        if (slice_cut(line, ':', &n, &v) && slice_ieq(n, name)) {
            *ret_v = slice_trim(v);
            return true;
        }
    }
    return false;
}

/* ---- JSON ---- */

#define ANSWER_JSON_MAX (32u << 20)

static sr_status code_of_http(int status) {
    switch (status) {
    case 400: return SR_E_MALFORMED;
    case 401: return SR_E_AUTH;
    case 403: return SR_E_REFUSED;
    case 404: return SR_E_NOTFOUND;
    case 409: return SR_E_CONFLICT;
    case 413: return SR_E_TOOBIG;
    case 422: return SR_E_TASK;
    case 502: return SR_E_CHAIN;
    case 504: return SR_E_TIMEOUT;
    default: return status >= 500 ? SR_E_UNAVAILABLE : SR_E_MALFORMED;
    }
}

/* Our own services name the code; it is more exact than the HTTP status. */
static sr_status code_of_name(struct slice name, sr_status fallback) {
#define CODE_CASE(id, value, http, text)                                                           \
    if ((value) != 0 && slice_is(name, #id)) return (sr_status)(value);
    SR_STATUS_LIST(CODE_CASE)
#undef CODE_CASE
    return fallback;
}

static sr_status answer_failed(const char *url, const struct http_answer *a, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    sr_status code = code_of_http(a->status);
    struct slice what = {NULL, 0}, hint = {NULL, 0}, name;
    if (json_parse(buf_slice(&a->body), &doc, NULL) == SR_OK) {
        const struct json_val *root = json_root(doc), *e = json_get(root, "error");
        if (!json_str(e, &what) && !json_str(json_get(e, "message"), &what))
            (void)json_str(json_get(root, "message"), &what);
        (void)json_str(json_get(root, "hint"), &hint);
        if (json_str(json_get(root, "code"), &name)) code = code_of_name(name, code);
    }
    if (what.n > 200) what.n = 200;
    if (what.n)
        (void)sr_fail(err, code, "%.*s", (int)what.n, what.p);
    else
        (void)sr_fail(err, code, "%.100s answered %d", url, a->status);
    if (hint.n) sr_hint(err, "%.*s", (int)(hint.n > 190 ? 190 : hint.n), hint.p);
    return code;
}

sr_status http_json(const char *method, const char *url, struct slice json_body,
                    struct json **ret_doc, struct sr_err *err) {
    static const char *const with_type[] = {"Content-Type: application/json",
                                            "Accept: application/json", NULL};
    static const char *const plain[] = {"Accept: application/json", NULL};
    struct http_call call = {.method = method,
                             .url = url,
                             .headers = json_body.n ? with_type : plain,
                             .body = json_body,
                             .max_body = ANSWER_JSON_MAX,
                             .max_redirects = 3};
    cleanup_answer struct http_answer a = {0};
    SR_TRY(http_fetch(&call, &a, err));
    if (a.status < 200 || a.status > 299) return answer_failed(url, &a, err);
    return json_parse(buf_slice(&a.body), ret_doc, err);
}
