/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server.c - listens, routes, answers
 *
 * A connection without a request has no fiber and no buffer: a few hundred bytes in the idle list.
 * The first byte starts a fiber, which serves requests until the connection is idle again.
 */
#include "net/http_server_int.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_BATCH    64
#define DISCARD_MAX     (256u * 1024) /* of a body nobody read, before the connection is closed */
#define LINGER_MS       1000
#define WRITE_IDLE_MS   60000
#define KEPT_BODIES_MAX (128u << 20) /* of one process */
#define REPLY_ROOM      (16u << 10)  /* extra headers of one answer */

struct http_server {
    struct io listener;
    struct http_opts opts;
    uint16_t port;
    bool closed;
    bool paused;       /* no room for a connection: one that ends wakes the accepting fiber */
    size_t refs;       /* the owner, the accepting fiber, each connection */
    struct fcond gone; /* a connection or the accepting fiber has ended */
    struct conn *conns;
    struct conn *idle_first, *idle_last; /* longest idle first */
    struct http_server *next;
};

/* All servers of the process, for the once-a-second look at idle connections. */
static struct {
    struct http_server *first;
    size_t conns;
    size_t kept_bytes;
} S;

static void server_unref(struct http_server *s) {
    if (--s->refs) return;
    struct http_server **at = &S.first;
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    free(s);
}

/* ---- idle list ---- */

static void idle_leave(struct conn *c) {
    if (!c->idle) return;
    struct http_server *s = c->server;
    c->idle = false;
    if (c->idle_prev)
        c->idle_prev->idle_next = c->idle_next;
    else
        s->idle_first = c->idle_next;
    if (c->idle_next)
        c->idle_next->idle_prev = c->idle_prev;
    else
        s->idle_last = c->idle_prev;
}

static void idle_enter(struct conn *c) {
    struct http_server *s = c->server;
    c->idle = true;
    c->idle_since_us = clock_mono_us();
    c->idle_next = NULL;
    c->idle_prev = s->idle_last;
    if (s->idle_last)
        s->idle_last->idle_next = c;
    else
        s->idle_first = c;
    s->idle_last = c;
}

static void conn_free(struct conn *c) {
    struct http_server *s = c->server;
    idle_leave(c);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next) c->next->prev = c->prev;
    stream_done_(&c->stream);
    http_in_done(&c->in);
    free(c);
    S.conns--;
    for (struct http_server *o = S.first; o; o = o->next)
        if (o->paused) fcond_wake(&o->listener.can_read);
    fcond_wake(&s->gone);
    server_unref(s);
}

/* ---- one request ---- */

static void *req_alloc(struct http_req *rq, size_t n) {
    struct req_mem *m = malloc(sizeof *m + n);
    if (!m) return NULL;
    m->next = rq->mem;
    rq->mem = m;
    return m + 1;
}

/* Decoded copy that lives as long as the request; the text as it is when memory is out. */
static struct slice decoded(struct http_req *rq, struct slice s, bool plus) {
    if (!memchr(s.p, '%', s.n) && !(plus && memchr(s.p, '+', s.n))) return s;
    uint8_t *p = req_alloc(rq, s.n);
    return p ? slice_of(p, url_decode(s, plus, p)) : s;
}

static bool match_pattern(struct http_req *rq, const char *pattern) {
    struct slice pat = slice_str(pattern), path = rq->head.path;
    rq->n_params = 0;
    if (pat.n == 0 || pat.p[0] != '/' || path.p[0] != '/') return slice_eq(pat, path);
    pat = slice_of(pat.p + 1, pat.n - 1);
    path = slice_of(path.p + 1, path.n - 1);
    for (;;) {
        if (slice_is(pat, "*")) {
            if (rq->n_params == HTTP_PARAMS_MAX) return false;
            rq->params[rq->n_params++] = (struct http_field){SLICE_LIT("*"), path};
            return true;
        }
        struct slice want, have;
        bool more_pat = slice_cut(pat, '/', &want, &pat);
        bool more_path = slice_cut(path, '/', &have, &path);
        if (want.n > 2 && want.p[0] == '{' && want.p[want.n - 1] == '}') {
            if (have.n == 0 || rq->n_params == HTTP_PARAMS_MAX) return false;
            rq->params[rq->n_params++] =
                (struct http_field){slice_of(want.p + 1, want.n - 2), have};
        } else if (!slice_eq(want, have)) {
            return false;
        }
        if (!more_pat) return !more_path || path.n == 0; /* one slash at the end is the same */
        if (!more_path) {
            /* "/a/" + "*" wants at least the slash; "/a" does not match "/a/..." */
            return false;
        }
    }
}

static bool method_fits(const struct http_req *rq, const char *method) {
    return slice_is(rq->head.method, method) || (rq->head_only && strcmp(method, "GET") == 0);
}

/* The route, or NULL with the methods that the path has. */
static const struct http_route *find_route(struct http_req *rq, struct buf *allow) {
    const struct http_opts *o = &rq->conn->server->opts;
    const struct http_route *fit = NULL;
    for (size_t i = 0; i < o->n_routes; i++) {
        const struct http_route *r = &o->routes[i];
        bool exact = slice_is(rq->head.method, r->method);
        if (fit && !exact) continue; /* only a HEAD route of its own is better than a GET */
        if (!match_pattern(rq, r->pattern)) continue;
        if (exact) return r;
        if (method_fits(rq, r->method)) {
            fit = r;
        } else {
            if (allow->n) buf_str(allow, ", ");
            buf_str(allow, r->method);
        }
    }
    if (fit) (void)match_pattern(rq, fit->pattern);
    return fit;
}

struct slice http_method(const struct http_req *rq) {
    return rq->head.method;
}
struct slice http_path(const struct http_req *rq) {
    return rq->head.path;
}
struct slice http_query_raw(const struct http_req *rq) {
    return rq->head.query;
}

struct slice http_param(const struct http_req *rq, const char *name) {
    for (size_t i = 0; i < rq->n_params; i++)
        if (slice_is(rq->params[i].name, name))
            return decoded((struct http_req *)(uintptr_t)rq, rq->params[i].value, false);
    return (struct slice){NULL, 0};
}

bool http_query_nth(const struct http_req *rq, const char *name, size_t n, struct slice *ret_v) {
    struct http_req *own = (struct http_req *)(uintptr_t)rq; /* decoding allocates in it */
    struct slice rest = rq->head.query, part, key, value;
    bool more = rest.n > 0;
    while (more) {
        more = slice_cut(rest, '&', &part, &rest);
        if (!slice_cut(part, '=', &key, &value)) value = slice_of(part.p + part.n, 0);
        if (!slice_is(decoded(own, key, true), name)) continue;
        if (n-- > 0) continue;
        *ret_v = decoded(own, value, true);
        return true;
    }
    return false;
}

bool http_query(const struct http_req *rq, const char *name, struct slice *ret_v) {
    return http_query_nth(rq, name, 0, ret_v);
}
bool http_header(const struct http_req *rq, const char *name, struct slice *ret_v) {
    return http_find(&rq->head, name, ret_v);
}
bool http_body_length(const struct http_req *rq, uint64_t *ret_n) {
    if (!rq->head.has_length) return false;
    *ret_n = rq->head.length;
    return true;
}
bool http_client_gone(const struct http_req *rq) {
    const struct stream *s = &rq->conn->stream;
    return s->shut || (s->io.seen & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
}

/* ---- the body ---- */

static sr_status body_read_until(struct http_req *rq, void *p, size_t n, int64_t until_us,
                                 size_t *ret_n, struct sr_err *err) {
    if (rq->head.expect_continue && !rq->continued && !rq->body_in.ended &&
        rq->body_in.kind != BODY_NONE && rq->reply == REPLY_NONE) {
        rq->continued = true;
        SR_TRY(stream_write(&rq->conn->stream, SLICE_LIT("HTTP/1.1 100 Continue\r\n\r\n"), err));
    }
    int64_t deadline = deadline_min_(until_us, deadline_after_(NET_BODY_IDLE_MS));
    sr_status st = http_body_in(&rq->body_in, &rq->conn->in, p, n, deadline, ret_n, err);
    if (st != SR_OK) rq->broken = true;
    return st;
}

sr_status http_body_read(struct http_req *rq, void *p, size_t n, size_t *ret_n,
                         struct sr_err *err) {
    return body_read_until(rq, p, n, 0, ret_n, err);
}

sr_status http_body(struct http_req *rq, struct slice *ret_body, struct sr_err *err) {
    size_t max = rq->route ? rq->route->max_body : 0;
    uint64_t patience = rq->conn->server->opts.body_ms;
    int64_t until = deadline_after_(patience ? patience : NET_BODY_MS);
    if (rq->head.has_length && rq->head.length > max)
        return sr_fail(err, SR_E_TOOBIG, "the body has %llu bytes, %zu are allowed",
                       (unsigned long long)rq->head.length, max);
    while (!rq->body_in.ended) {
        if (rq->body.cap - rq->body.n < 2048) {
            size_t before = rq->body.cap;
            size_t want = before ? before * 2 : 4096;
            if (rq->head.has_length && want > rq->head.length + 2048)
                want = (size_t)rq->head.length + 2048;
            if (want < rq->body.n + 2048) want = rq->body.n + 2048;
            if (S.kept_bytes - before + want > KEPT_BODIES_MAX) {
                (void)sr_fail(err, SR_E_UNAVAILABLE, "too many bodies at once");
                sr_hint(err, "try again in a moment");
                return SR_E_UNAVAILABLE;
            }
            uint8_t *p = realloc(rq->body.p, want);
            if (!p) return sr_fail(err, SR_E_NOMEM, "no memory for the body");
            rq->body.p = p;
            rq->body.cap = want;
            S.kept_bytes += want - before;
        }
        size_t got = 0;
        if (clock_mono_us() > until) { /* also when there is always one more byte to read */
            rq->broken = true;
            return sr_fail(err, SR_E_TIMEOUT, "the body comes too slowly");
        }
        SR_TRY(body_read_until(rq, rq->body.p + rq->body.n, rq->body.cap - rq->body.n - 1, until,
                               &got, err));
        rq->body.n += got;
        if (rq->body.n > max)
            return sr_fail(err, SR_E_TOOBIG, "the body has more than %zu bytes", max);
    }
    if (rq->body.p) rq->body.p[rq->body.n] = 0;
    *ret_body = slice_of(rq->body.p, rq->body.n);
    return SR_OK;
}

/* ---- the answer ---- */

static const char *reason_of(int status) {
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
    }
}

void http_set_header(struct http_req *rq, const char *name, const char *value) {
    /* A value from outside with a line break in it would be a second header. */
    if (!http_is_token(slice_str(name)) || !http_is_value(slice_str(value))) return;
    buf_str(&rq->extra, name);
    buf_str(&rq->extra, ": ");
    buf_str(&rq->extra, value);
    buf_str(&rq->extra, "\r\n");
}

/* "Date: ...\r\n", made once a second. */
static const char *date_line(void) {
    static char line[64];
    static time_t made;
    time_t now = (time_t)(clock_unix_ms() / 1000);
    if (now != made) {
        static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        struct tm t;
        (void)gmtime_r(&now, &t);
        (void)snprintf(line, sizeof line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                       days[t.tm_wday % 7], t.tm_mday, months[t.tm_mon % 12], t.tm_year + 1900,
                       t.tm_hour, t.tm_min, t.tm_sec);
        made = now;
    }
    return line;
}

static bool has_no_body(int status) {
    return status < 200 || status == 204 || status == 304;
}

/* Will the connection serve another request after this answer? */
static bool keeps(const struct http_req *rq) {
    const struct http_head *h = &rq->head;
    if (rq->close || rq->broken || h->close || rq->conn->server->closed || net_stopping())
        return false;
    if (h->minor == 0) return h->keep_alive;
    return true;
}

static void cors_headers(struct http_req *rq, struct buf *b) {
    if (!rq->conn->server->opts.cors) return;
    buf_str(b, "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: *\r\n");
}

static sr_status answer_head(struct http_req *rq, int status, const char *type, uint64_t length,
                             struct buf *b, struct sr_err *err) {
    if (rq->reply != REPLY_NONE) return sr_fail(err, SR_E_CONFLICT, "answered twice");
    rq->status = status;
    /* An unread body of unknown fate: a client that waits for 100 may send it or not. */
    if (!rq->body_in.ended && rq->head.expect_continue && !rq->continued) rq->close = true;
    bool chunks = length == UINT64_MAX && !has_no_body(status);
    if (chunks && rq->head.minor == 0) {
        chunks = false;
        rq->close = true; /* the end of the connection is the end of the body */
    }
    buf_printf(b, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    buf_str(b, date_line());
    if (type && !has_no_body(status)) buf_printf(b, "Content-Type: %s\r\n", type);
    if (chunks)
        buf_str(b, "Transfer-Encoding: chunked\r\n");
    else if (length != UINT64_MAX && !has_no_body(status))
        buf_printf(b, "Content-Length: %llu\r\n", (unsigned long long)length);
    cors_headers(rq, b);
    buf_add(b, buf_slice(&rq->extra));
    if (!keeps(rq))
        buf_str(b, "Connection: close\r\n");
    else if (rq->head.minor == 0)
        buf_str(b, "Connection: keep-alive\r\n");
    buf_str(b, "\r\n");
    if (rq->extra.bad != SR_OK) return buf_status(&rq->extra, err);
    rq->reply = REPLY_STARTED;
    rq->chunks = chunks;
    rq->left = has_no_body(status) ? 0 : length;
    return buf_status(b, err);
}

static sr_status sent(struct http_req *rq, sr_status st) {
    if (st != SR_OK) rq->broken = true;
    return st;
}

sr_status http_reply(struct http_req *rq, int status, const char *type, struct slice body,
                     struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, REPLY_ROOM + 4096);
    SR_TRY(answer_head(rq, status, type, body.n, &b, err));
    rq->reply = REPLY_DONE;
    if (rq->head_only || has_no_body(status)) body.n = 0;
    return sent(rq, stream_write2_(&rq->conn->stream, buf_slice(&b), body, err));
}

sr_status http_reply_json(struct http_req *rq, int status, struct buf *json, struct sr_err *err) {
    SR_TRY(buf_status(json, err));
    return http_reply(rq, status, "application/json; charset=utf-8", buf_slice(json), err);
}

sr_status http_reply_start(struct http_req *rq, int status, const char *type, uint64_t length,
                           struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, REPLY_ROOM + 4096);
    SR_TRY(answer_head(rq, status, type, length, &b, err));
    return sent(rq, stream_write(&rq->conn->stream, buf_slice(&b), err));
}

sr_status http_send(struct http_req *rq, struct slice data, struct sr_err *err) {
    if (rq->reply != REPLY_STARTED)
        return sr_fail(err, SR_E_CONFLICT, "data outside of a started answer");
    if (rq->broken) return sr_fail(err, SR_E_UNAVAILABLE, "the client has gone");
    if (data.n == 0 || rq->head_only || has_no_body(rq->status)) return SR_OK;
    struct stream *s = &rq->conn->stream;
    if (!rq->chunks) {
        if (rq->left != UINT64_MAX) {
            if (data.n > rq->left)
                return sr_fail(err, SR_E_RANGE, "more data than the answer's length");
            rq->left -= data.n;
        }
        return sent(rq, stream_write(s, data, err));
    }
    char size[20];
    int n = snprintf(size, sizeof size, "%zx\r\n", data.n);
    SR_TRY(sent(rq, fmutex_lock(&s->writing, err)));
    sr_status st = SR_OK;
    if (data.n <= 16384) { /* one packet for a small piece */
        uint8_t whole[16384 + 24];
        memcpy(whole, size, (size_t)n);
        memcpy(whole + n, data.p, data.n);
        memcpy(whole + (size_t)n + data.n, "\r\n", 2);
        st = stream_write_locked_(s, slice_of(whole, (size_t)n + data.n + 2), err);
    } else {
        st = stream_write_locked_(s, slice_of(size, (size_t)n), err);
        if (st == SR_OK) st = stream_write_locked_(s, data, err);
        if (st == SR_OK) st = stream_write_locked_(s, SLICE_LIT("\r\n"), err);
    }
    fmutex_unlock(&s->writing);
    return sent(rq, st);
}

sr_status http_reply_end(struct http_req *rq, struct sr_err *err) {
    if (rq->reply != REPLY_STARTED) return sr_fail(err, SR_E_CONFLICT, "no started answer");
    rq->reply = REPLY_DONE;
    if (rq->broken) return sr_fail(err, SR_E_UNAVAILABLE, "the client has gone");
    if (rq->head_only || has_no_body(rq->status)) return SR_OK;
    if (rq->chunks) return sent(rq, stream_write(&rq->conn->stream, SLICE_LIT("0\r\n\r\n"), err));
    if (rq->left != 0 && rq->left != UINT64_MAX) {
        rq->broken = true;
        return sr_fail(err, SR_E_RANGE, "less data than the answer's length");
    }
    return SR_OK;
}

static void reply_error(struct http_req *rq, int status, const struct sr_err *e) {
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kcstr(&w, "error", e->what[0] ? e->what : sr_status_text(e->code));
    jw_kcstr(&w, "code", sr_status_name(e->code));
    if (e->hint[0]) jw_kcstr(&w, "hint", e->hint);
    jw_end_obj(&w);
    if (http_reply_json(rq, status, &b, NULL) != SR_OK) rq->broken = true;
}

/* A failed handler's answer. */
static void handler_failed(struct http_req *rq, const struct sr_err *e) {
    if (rq->reply != REPLY_NONE || rq->taken) {
        rq->broken = true; /* the half answer shows itself by the cut connection */
        return;
    }
    if (e->code == SR_E_CANCELLED || (rq->broken && e->code == SR_E_UNAVAILABLE)) {
        rq->broken = true;
        if (!net_stopping()) return;
    }
    struct sr_err stopping = *e; /* what ended it is our own end: a later try will do */
    if (e->code == SR_E_CANCELLED) stopping.code = SR_E_UNAVAILABLE;
    e = &stopping;
    const struct http_opts *o = &rq->conn->server->opts;
    if (o->on_error) {
        o->on_error(rq, e);
        if (rq->reply == REPLY_NONE) rq->broken = true;
    } else {
        reply_error(rq, sr_status_http(e->code), e);
    }
}

static void answer_status(struct http_req *rq, int status, sr_status code, const char *what) {
    struct sr_err e = {.code = code};
    (void)snprintf(e.what, sizeof e.what, "%s", what);
    reply_error(rq, status, &e);
}

static void answer_options(struct http_req *rq, const struct buf *allow) {
    struct slice asked;
    http_set_header(rq, "Access-Control-Allow-Methods", buf_cstr(allow));
    const char *set = rq->conn->server->opts.cors_headers;
    char *echo = NULL;
    if (!set && http_header(rq, "Access-Control-Request-Headers", &asked) && asked.n < 1024)
        echo = slice_dup(asked); /* "*" would not cover Authorization */
    http_set_header(rq, "Access-Control-Allow-Headers", set ? set : echo ? echo : "*");
    http_set_header(rq, "Access-Control-Max-Age", "600");
    free(echo);
    if (http_reply(rq, 204, NULL, slice_of(NULL, 0), NULL) != SR_OK) rq->broken = true;
}

static void handle(struct http_req *rq) {
    cleanup_buf struct buf allow;
    buf_init(&allow, 1024);
    const struct http_opts *o = &rq->conn->server->opts;
    rq->route = find_route(rq, &allow);
    if (!rq->route) {
        if (o->cors && slice_is(rq->head.method, "OPTIONS")) {
            answer_options(rq, &allow);
        } else if (allow.n) {
            http_set_header(rq, "Allow", buf_cstr(&allow));
            answer_status(rq, 405, SR_E_USAGE, "method not allowed here");
        } else if (o->on_error) {
            struct sr_err e = {0};
            (void)sr_fail(&e, SR_E_NOTFOUND, "no such route");
            handler_failed(rq, &e);
        } else {
            answer_status(rq, 404, SR_E_NOTFOUND, "no such route");
        }
        return;
    }
    struct sr_err e = {0};
    sr_status st = rq->route->fn(rq, o->role, &e);
    if (st != SR_OK) {
        if (e.code == SR_OK) (void)sr_fail(&e, st, "%s", sr_status_text(st));
        if (sr_status_http(st) >= 500 && st != SR_E_UNAVAILABLE)
            log_err(LOG_WARN, "request_failed", &e);
        handler_failed(rq, &e);
    } else if (!rq->taken && rq->reply == REPLY_NONE) {
        answer_status(rq, 500, SR_E_SYS, "the route gave no answer");
    } else if (rq->reply == REPLY_STARTED) {
        if (http_reply_end(rq, NULL) != SR_OK) rq->broken = true;
    }
}

/* What is left of the request's body is read and forgotten, when it is little. */
static void discard_body(struct http_req *rq) {
    uint8_t waste[4096];
    size_t total = 0;
    int64_t deadline = deadline_after_(NET_BODY_IDLE_MS); /* for all of it */
    if (rq->body_in.kind == BODY_LENGTH && rq->body_in.left > DISCARD_MAX) rq->close = true;
    while (!rq->body_in.ended && !rq->close && !rq->broken) {
        size_t n = 0;
        if (clock_mono_us() > deadline || http_body_in(&rq->body_in, &rq->conn->in, waste,
                                                       sizeof waste, deadline, &n, NULL) != SR_OK)
            rq->broken = true;
        total += n;
        if (total > DISCARD_MAX) rq->close = true;
    }
}

/* Closing with unread bytes would reset the connection and could lose the answer on its way. */
static void linger(struct conn *c) {
    if (c->stream.shut || c->stream.io.fd < 0) return;
    (void)shutdown(c->stream.io.fd, SHUT_WR);
    int64_t deadline = deadline_after_(LINGER_MS);
    uint8_t waste[4096];
    for (size_t total = 0, n = 1; n > 0 && total < DISCARD_MAX; total += n)
        if (stream_read_until_(&c->stream, waste, sizeof waste, deadline, &n, NULL) != SR_OK) break;
}

static void req_done(struct http_req *rq) {
    while (rq->mem) {
        struct req_mem *m = rq->mem;
        rq->mem = m->next;
        free(m);
    }
    S.kept_bytes -= rq->body.cap;
    free(rq->body.p);
    buf_done(&rq->extra);
}

static void req_start(struct http_req *rq, struct conn *c) {
    rq->conn = c;
    rq->route = NULL;
    rq->n_params = 0;
    rq->mem = NULL;
    rq->body = (struct kept_body){0};
    rq->body_in = (struct http_body){0};
    rq->body_in.ended = true;
    buf_init(&rq->extra, REPLY_ROOM);
    rq->reply = REPLY_NONE;
    rq->chunks = rq->head_only = rq->close = rq->broken = rq->continued = rq->taken = false;
    rq->left = 0;
    rq->status = 0;
}

/* Serves one request whose head is whole. The head's bytes are copied, as reading the body moves
 * the buffer. */
static bool serve_one(struct conn *c, struct http_req *rq, struct slice head) {
    int bad_status = 400;
    struct sr_err e = {0};
    req_start(rq, c);
    rq->head.minor = 1;
    rq->head.expect_continue = rq->head.close = rq->head.keep_alive = false;
    uint8_t *copy = req_alloc(rq, head.n);
    if (!copy) return false;
    memcpy(copy, head.p, head.n);
    if (http_parse_request(slice_of(copy, head.n), &rq->head, &bad_status, &e) != SR_OK) {
        rq->close = true;
        rq->head.minor = 1;
        rq->head.expect_continue = false;
        reply_error(rq, bad_status, &e);
        linger(c);
        return false;
    }
    rq->head_only = slice_is(rq->head.method, "HEAD");
    rq->body_in.kind = rq->head.chunked      ? BODY_CHUNKED
                       : rq->head.has_length ? BODY_LENGTH
                                             : BODY_NONE;
    rq->body_in.left = rq->head.length;
    rq->body_in.ended =
        rq->body_in.kind == BODY_NONE || (rq->body_in.kind == BODY_LENGTH && rq->head.length == 0);
    handle(rq);
    if (rq->taken) return false;
    discard_body(rq);
    bool again = keeps(rq);
    if (!again && !rq->broken && !rq->body_in.ended) linger(c);
    return again;
}

/* Answers a head that is no head. */
static void refuse_head(struct conn *c, struct http_req *rq, const struct sr_err *e) {
    req_start(rq, c);
    rq->close = true;
    rq->head.minor = 1;
    rq->head.expect_continue = false;
    int status = e->code == SR_E_TOOBIG ? 431 : e->code == SR_E_TIMEOUT ? 408 : 400;
    reply_error(rq, status, e);
    linger(c);
    req_done(rq);
}

static void conn_serve(void *arg) {
    struct conn *c = arg;
    struct http_req *rq = malloc(sizeof *rq);
    bool again = rq != NULL;
    while (again) {
        struct sr_err e = {0};
        struct slice head;
        bool any = false;
        sr_status st = http_in_head(&c->in, deadline_after_(NET_HEAD_MS), &head, &any, &e);
        if (st != SR_OK) {
            if (st == SR_E_MALFORMED || st == SR_E_TOOBIG || (st == SR_E_TIMEOUT && any))
                refuse_head(c, rq, &e);
            break;
        }
        again = serve_one(c, rq, head);
        req_done(rq);
        if (!again) break;
        if (http_in_rest(&c->in).n > 0) {
            fiber_yield_(); /* one that sends many requests at once waits for its turn */
            continue;
        }
        /* Is more there already? Else the fiber ends here and the connection waits without. */
        ssize_t n = c->in.p ? read(c->stream.io.fd, c->in.p, c->in.cap) : -1;
        if (n > 0) {
            c->in.off = 0;
            c->in.n = (size_t)n;
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            http_in_done(&c->in);
            idle_enter(c);
            free(rq);
            return;
        }
        break;
    }
    free(rq);
    conn_free(c);
}

/* ---- accepting ---- */

static void on_conn_event(struct io *io, uint32_t events) {
    struct conn *c = (struct conn *)((uint8_t *)io - offsetof(struct conn, stream) -
                                     offsetof(struct stream, io));
    if (!c->idle || !(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) return;
    if (fiber_start(conn_serve, c, NULL) != SR_OK) return; /* the idle sweep will close it */
    idle_leave(c);
}

static void conn_open(struct http_server *s, int fd) {
    struct conn *c = sr_calloc_n(1, sizeof *c);
    if (!c) {
        (void)close(fd);
        return;
    }
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->stream.magic = STREAM_MAGIC;
    c->stream.write_ms = WRITE_IDLE_MS;
    if (io_open_(&c->stream.io, fd, NULL) != SR_OK) {
        free(c);
        return;
    }
    c->stream.io.on_event = on_conn_event;
    c->in.s = &c->stream;
    c->server = s;
    c->next = s->conns;
    if (s->conns) s->conns->prev = c;
    s->conns = c;
    s->refs++;
    S.conns++;
    idle_enter(c); /* the edge of its first byte is still to come */
}

/* Room for one more: the longest idle connection of any server goes. */
static bool make_room(void) {
    if (S.conns < NET_CONN_MAX) return true;
    struct conn *oldest = NULL;
    for (struct http_server *s = S.first; s; s = s->next)
        if (s->idle_first && (!oldest || s->idle_first->idle_since_us < oldest->idle_since_us))
            oldest = s->idle_first;
    if (!oldest) return false;
    conn_free(oldest);
    return true;
}

static void accept_loop(void *arg) {
    struct http_server *s = arg;
    int in_row = 0;
    while (!s->closed) {
        s->paused = !make_room();
        int fd = -1;
        if (!s->paused) fd = accept4(s->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            conn_open(s, fd);
            if (++in_row % ACCEPT_BATCH == 0 && fiber_sleep(0, NULL) != SR_OK) break;
            continue;
        }
        if (!s->paused && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (!s->paused &&
            (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
            log_warn("accept_failed", "errno=%d then=waiting", errno);
            s->paused = true;
        }
        /* A pause ends when a connection ends; look again after a second in any case. */
        sr_status st = fcond_wait(&s->listener.can_read, s->paused ? 1000 : 0, NULL);
        if (st != SR_OK && st != SR_E_TIMEOUT) break;
    }
    s->paused = false;
    fcond_wake(&s->gone);
    server_unref(s);
}

static void sweep_idle(void) {
    int64_t before = clock_mono_us() - (int64_t)NET_IDLE_MS * 1000;
    for (struct http_server *s = S.first, *next; s; s = next) {
        next = s->next;
        while (s->idle_first && s->idle_first->idle_since_us < before) {
            bool last = s->refs == 1;
            conn_free(s->idle_first);
            if (last) break;
        }
    }
}

static sr_status listen_on(const char *host, uint16_t port, int *ret_fd, struct sr_err *err) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    if (host && strcmp(host, "localhost") == 0) host = "127.0.0.1";
    int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0) {
        (void)sr_fail(err, SR_E_USAGE, "listen on '%.100s': %s", host ? host : "",
                      gai_strerror(rc));
        sr_hint(err, "give a numeric address, such as 127.0.0.1 or 0.0.0.0");
        return SR_E_USAGE;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1024) == 0;
    int why = errno;
    freeaddrinfo(found);
    if (!ok) {
        if (fd >= 0) (void)close(fd);
        errno = why;
        (void)sr_fail(err, why == EADDRINUSE ? SR_E_CONFLICT : SR_E_SYS, "listen on %s:%u%s",
                      host ? host : "*", port, why == EADDRINUSE ? ": the port is in use" : "");
        if (why == EADDRINUSE)
            sr_hint(err, "stop the program that uses it, or choose another port");
        return why == EADDRINUSE ? SR_E_CONFLICT : SR_E_SYS;
    }
    *ret_fd = fd;
    return SR_OK;
}

sr_status http_serve(const struct http_opts *opts, const char *host, uint16_t port, int listen_fd,
                     struct http_server **ret, struct sr_err *err) {
    int fd = listen_fd;
    sr_status st = net_init(err);
    if (st == SR_OK && fd < 0) st = listen_on(host, port, &fd, err);
    if (st != SR_OK) return st;
    int fl = fcntl(fd, F_GETFL);
    if (fl >= 0) (void)fcntl(fd, F_SETFL, fl | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    struct http_server *s = sr_calloc_n(1, sizeof *s);
    if (!s) {
        (void)close(fd);
        return sr_fail(err, SR_E_NOMEM, "no memory for a server");
    }
    s->opts = *opts;
    s->refs = 2;
    struct sockaddr_storage sa = {0};
    socklen_t n = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0) {
        if (sa.ss_family == AF_INET) s->port = ntohs(((struct sockaddr_in *)&sa)->sin_port);
        if (sa.ss_family == AF_INET6) s->port = ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
    }
    st = io_open_(&s->listener, fd, err);
    if (st == SR_OK) {
        st = fiber_start(accept_loop, s, err);
        if (st != SR_OK) io_close_(&s->listener);
    }
    if (st != SR_OK) {
        free(s);
        return st;
    }
    s->next = S.first;
    S.first = s;
    net_every_second_(sweep_idle);
    *ret = s;
    return SR_OK;
}

uint16_t http_server_port(const struct http_server *s) {
    return s->port;
}

static void server_end(struct http_server *s) {
    s->closed = true;
    io_close_(&s->listener); /* wakes the accepting fiber */
    for (struct conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        if (c->idle)
            conn_free(c);
        else
            stream_shutdown(&c->stream);
    }
}

void http_server_close(struct http_server *s) {
    if (!s) return;
    server_end(s);
    /* Handlers use the role's data: in a fiber, wait until the last has ended. */
    int64_t until = deadline_after_(1000);
    while (fiber_is_running() && s->refs > 1 && !net_stopping() && clock_mono_us() < until)
        if (fcond_wait(&s->gone, 1000, NULL) != SR_OK) break;
    server_unref(s);
}

void http_server_all_done_(void) {
    for (struct http_server *s = S.first, *next; s; s = next) {
        next = s->next;
        s->refs++; /* ending its connections must not free it under our hands */
        server_end(s);
        server_unref(s);
    }
}
