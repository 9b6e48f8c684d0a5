/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.c - one request: its memory, its body, its handler */
#include "net/http_common.h"
#include <stdlib.h>
#include <sys/socket.h>

#define DISCARD_MAX     (256u * 1024) /* of a body nobody read, before the connection is closed */
#define LINGER_MS       1000
#define KEPT_BODIES_MAX (128u << 20) /* of one process */

static size_t kept_bytes; /* of bodies, in the whole process */

void *req_alloc_(struct http_req *rq, size_t n) {
    struct req_mem *m = malloc(sizeof *m + n);
    if (!m) return NULL;
    m->next = rq->mem;
    rq->mem = m;
    return m + 1;
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
            if (kept_bytes - before + want > KEPT_BODIES_MAX) {
                (void)sr_fail(err, SR_E_UNAVAILABLE, "too many bodies at once");
                sr_hint(err, "try again in a moment");
                return SR_E_UNAVAILABLE;
            }
            uint8_t *p = realloc(rq->body.p, want);
            if (!p) return sr_fail(err, SR_E_NOMEM, "no memory for the body");
            rq->body.p = p;
            rq->body.cap = want;
            kept_bytes += want - before;
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

/* ---- from the head to the next one ---- */

static void handle(struct http_req *rq) {
    cleanup_buf struct buf allow;
    buf_init(&allow, 1024);
    const struct http_opts *o = &rq->conn->server->opts;
    if (!http_limit_ok_(rq)) {
        rq->conn->server->stats->limited++;
        return;
    }
    rq->route = route_find_(rq, &allow);
    if (http_common_route_(rq)) return;
    if (!rq->route) {
        if (o->cors && slice_is(rq->head.method, "OPTIONS")) {
            reply_options_(rq, &allow);
        } else if (allow.n) {
            http_set_header(rq, "Allow", buf_cstr(&allow));
            reply_status_(rq, 405, SR_E_USAGE, "method not allowed here");
        } else if (o->on_error) {
            struct sr_err e = {0};
            (void)sr_fail(&e, SR_E_NOTFOUND, "no such route");
            reply_failed_(rq, &e);
        } else {
            reply_status_(rq, 404, SR_E_NOTFOUND, "no such route");
        }
        return;
    }
    struct sr_err e = {0};
    sr_status st = rq->route->fn(rq, o->role, &e);
    if (st != SR_OK) {
        if (e.code == SR_OK) (void)sr_fail(&e, st, "%s", sr_status_text(st));
        if (sr_status_http(st) >= 500 && st != SR_E_UNAVAILABLE)
            log_err(LOG_WARN, "request_failed", &e);
        reply_failed_(rq, &e);
    } else if (!rq->taken && rq->reply == REPLY_NONE) {
        reply_status_(rq, 500, SR_E_SYS, "the route gave no answer");
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

void req_done_(struct http_req *rq) {
    while (rq->mem) {
        struct req_mem *m = rq->mem;
        rq->mem = m->next;
        free(m);
    }
    kept_bytes -= rq->body.cap;
    free(rq->body.p);
    buf_done(&rq->extra);
}

static void req_start(struct http_req *rq, struct conn *c) {
    rq->conn = c;
    rq->route = NULL;
    rq->n_params = 0;
    rq->head.n_fields = 0;
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

/* The head's bytes are copied, as reading the body moves the buffer. */
bool request_serve_(struct conn *c, struct http_req *rq, struct slice head) {
    int bad_status = 400;
    struct sr_err e = {0};
    req_start(rq, c);
    rq->head.minor = 1;
    rq->head.expect_continue = rq->head.close = rq->head.keep_alive = false;
    uint8_t *copy = req_alloc_(rq, head.n);
    if (!copy) return false;
    memcpy(copy, head.p, head.n);
    if (http_parse_request(slice_of(copy, head.n), &rq->head, &bad_status, &e) != SR_OK) {
        rq->close = true;
        rq->head.minor = 1;
        rq->head.expect_continue = false;
        reply_error_(rq, bad_status, &e);
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
    int64_t started = clock_mono_us();
    c->server->stats->in_flight++;
    handle(rq);
    c->server->stats->in_flight--;
    http_request_done_(rq, started);
    if (rq->taken) return false;
    discard_body(rq);
    bool again = req_keeps_(rq);
    if (!again && !rq->broken && !rq->body_in.ended) linger(c);
    return again;
}

void request_refuse_(struct conn *c, struct http_req *rq, const struct sr_err *e) {
    req_start(rq, c);
    rq->close = true;
    rq->head = (struct http_head){.minor = 1}; /* nothing of it was read */
    int status = e->code == SR_E_TOOBIG ? 431 : e->code == SR_E_TIMEOUT ? 408 : 400;
    reply_error_(rq, status, e);
    linger(c);
    req_done_(rq);
}
