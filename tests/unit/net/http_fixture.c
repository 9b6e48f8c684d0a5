/* SPDX-License-Identifier: Apache-2.0 */
/* http_fixture.c - a server with one route a behaviour, and bytes written by hand */
#include "http_fixture.h"

int serve_count, gone_seen, cancelled_seen;
uint64_t produced;
static uint64_t consumed;

static sr_status do_hello(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    serve_count++;
    return http_reply(rq, 200, "text/plain", SLICE_LIT("hello"), err);
}
sr_status do_echo(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    serve_count++;
    struct slice body;
    SR_TRY(http_body(rq, &body, err));
    return http_reply(rq, 200, "application/octet-stream", body, err);
}
static sr_status do_params(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    cleanup_buf struct buf b;
    struct slice q = SLICE_LIT("-"), q2 = SLICE_LIT("-"), h = SLICE_LIT("-");
    buf_init(&b, 1000);
    (void)http_query(rq, "q", &q);
    (void)http_query_nth(rq, "q", 1, &q2);
    (void)http_header(rq, "x-test", &h);
    buf_add(&b, http_param(rq, "id"));
    buf_str(&b, "|");
    buf_add(&b, http_param(rq, "*"));
    buf_printf(&b, "|%.*s|%.*s|%.*s", (int)q.n, q.p, (int)q2.n, q2.p, (int)h.n, h.p);
    return http_reply(rq, 200, "text/plain", buf_slice(&b), err);
}
static sr_status do_fail(struct http_req *rq, void *role, struct sr_err *err) {
    (void)rq;
    (void)role;
    (void)sr_fail(err, SR_E_CONFLICT, "the thing exists");
    sr_hint(err, "use another name");
    return SR_E_CONFLICT;
}
static sr_status do_silent(struct http_req *rq, void *role, struct sr_err *err) {
    (void)rq;
    (void)role;
    (void)err;
    return SR_OK;
}
/* Streams ?n= bytes, chunked unless ?len. */
static sr_status do_stream(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct slice q;
    uint64_t n = 0;
    if (!http_query(rq, "n", &q) || !num_u64(q, UINT64_MAX, &n))
        return sr_fail(err, SR_E_RANGE, "n");
    static uint8_t block[50000];
    for (size_t i = 0; i < sizeof block; i++) block[i] = (uint8_t)(i % 251);
    bool len = http_query(rq, "len", &q);
    SR_TRY(http_reply_start(rq, 200, "application/octet-stream", len ? n : UINT64_MAX, err));
    produced = 0;
    while (produced < n) {
        size_t k = n - produced < sizeof block ? (size_t)(n - produced) : sizeof block;
        SR_TRY(http_send(rq, slice_of(block, k), err));
        produced += k;
    }
    return http_reply_end(rq, err);
}
static sr_status do_count_body(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    uint8_t p[20000];
    size_t n = 1;
    consumed = 0;
    while (n) {
        SR_TRY(http_body_read(rq, p, sizeof p, &n, err));
        consumed += n;
    }
    char text[32];
    int k = snprintf(text, sizeof text, "%llu", (unsigned long long)consumed);
    return http_reply(rq, 200, "text/plain", slice_of(text, (size_t)k), err);
}
/* Waits until the client has gone or the loop stops. */
static sr_status do_wait(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    serve_count++;
    for (;;) {
        sr_status st = fiber_sleep(2, err);
        if (st == SR_E_CANCELLED) cancelled_seen++;
        if (st != SR_OK) return st;
        if (!http_client_gone(rq)) continue;
        gone_seen++;
        return http_reply(rq, 200, "text/plain", SLICE_LIT("late"), err);
    }
}
static sr_status do_redirect(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct slice to, code;
    uint64_t status = 302;
    if (http_query(rq, "code", &code)) (void)!num_u64(code, 399, &status);
    if (!http_query(rq, "to", &to)) return sr_fail(err, SR_E_RANGE, "to");
    char *copy = slice_dup(to);
    http_set_header(rq, "Location", copy);
    free(copy);
    return http_reply(rq, (int)status, "text/plain", SLICE_LIT("moved"), err);
}
static sr_status do_auth(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct slice v = SLICE_LIT("none");
    (void)http_header(rq, "authorization", &v);
    return http_reply(rq, 200, "text/plain", v, err);
}
/* Answers, then closes the connection without having said so. */
static sr_status do_drop(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    serve_count++;
    SR_TRY(http_reply_start(rq, 200, "text/plain", 10, err));
    SR_TRY(http_send(rq, SLICE_LIT("12345"), err));
    return sr_fail(err, SR_E_SYS, "cut");
}
static sr_status do_inject(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    http_set_header(rq, "X-A", "one\r\nX-B: two");
    return http_reply(rq, 200, "text/plain", SLICE_LIT("ok"), err);
}

static const struct http_route routes[] = {
    {"GET", "/hello", do_hello, 0},
    {"POST", "/echo", do_echo, 100000},
    {"GET", "/p/{id}", do_params, 0},
    {"GET", "/p/{id}/rest/*", do_params, 0},
    {"GET", "/fail", do_fail, 0},
    {"GET", "/silent", do_silent, 0},
    {"GET", "/stream", do_stream, 0},
    {"PUT", "/count", do_count_body, 0},
    {"GET", "/wait", do_wait, 0},
    {"GET", "/redirect", do_redirect, 0},
    {"POST", "/redirect", do_redirect, 1000},
    {"GET", "/auth", do_auth, 0},
    {"GET", "/drop", do_drop, 0},
    {"GET", "/inject", do_inject, 0},
};
const struct http_opts opts = {.routes = routes, .n_routes = SR_ARRAY_LEN(routes), .cors = true};

struct http_server *server;
static char base[64];

sr_status begin(struct sr_err *err) {
    SR_TRY(http_serve(&opts, "127.0.0.1", 0, -1, &server, err));
    (void)snprintf(base, sizeof base, "http://127.0.0.1:%u", http_server_port(server));
    serve_count = gone_seen = cancelled_seen = 0;
    return SR_OK;
}

sr_status finish(sr_status st) {
    http_server_close(server);
    server = NULL;
    return st;
}

const char *url_of(const char *path) {
    static char url[4][9000];
    static int i;
    i = (i + 1) % 4;
    (void)snprintf(url[i], sizeof url[i], "%s%s", base, path);
    return url[i];
}

sr_status get(const char *path, struct http_answer *a, struct sr_err *err) {
    struct http_call call = {.url = url_of(path)};
    return http_fetch(&call, a, err);
}

/* ---- by hand ---- */

sr_status dial(struct stream **ret, struct sr_err *err) {
    return stream_connect_tcp("127.0.0.1", http_server_port(server), false, 2000, ret, err);
}

void read_all(struct stream *s, uint64_t ms, struct buf *b) {
    uint8_t p[4096];
    size_t n = 1;
    while (n > 0 && stream_read(s, p, sizeof p, ms, &n, NULL) == SR_OK) buf_put(b, p, n);
}

sr_status talk(const char *text, struct buf *b, struct sr_err *err) {
    struct stream *s;
    SR_TRY(dial(&s, err));
    buf_clear(b);
    sr_status st = stream_write(s, slice_str(text), err);
    if (st == SR_OK) read_all(s, 3000, b);
    stream_close(s);
    return st;
}

size_t count_of(const struct buf *b, const char *what) {
    size_t n = 0;
    for (const char *p = buf_cstr(b); (p = strstr(p, what)); p++) n++;
    return n;
}
