/* SPDX-License-Identifier: Apache-2.0 */
/* test_http.c - server and client against each other, and against bytes written by hand */
#include "net/net_int.h"
#include "net_test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- a server with one route a behaviour ---- */

static int serve_count, gone_seen, cancelled_seen;
static uint64_t produced, consumed;

static sr_status do_hello(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    serve_count++;
    return http_reply(rq, 200, "text/plain", SLICE_LIT("hello"), err);
}
static sr_status do_echo(struct http_req *rq, void *role, struct sr_err *err) {
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
static const struct http_opts opts = {
    .routes = routes, .n_routes = SR_ARRAY_LEN(routes), .cors = true};

static struct http_server *server;
static char base[64];

static sr_status begin(struct sr_err *err) {
    SR_TRY(http_serve(&opts, "127.0.0.1", 0, -1, &server, err));
    (void)snprintf(base, sizeof base, "http://127.0.0.1:%u", http_server_port(server));
    serve_count = gone_seen = cancelled_seen = 0;
    return SR_OK;
}
static sr_status finish(sr_status st) {
    http_server_close(server);
    server = NULL;
    return st;
}
#define SERVER_TEST(name)                                                                          \
    static sr_status name##_served(struct sr_err *err);                                            \
    FIBER_TEST(name) {                                                                             \
        SR_TRY(begin(err));                                                                        \
        return finish(name##_served(err));                                                         \
    }                                                                                              \
    static sr_status name##_served(struct sr_err *err)

static const char *url_of(const char *path) {
    static char url[4][9000];
    static int i;
    i = (i + 1) % 4;
    (void)snprintf(url[i], sizeof url[i], "%s%s", base, path);
    return url[i];
}

static sr_status get(const char *path, struct http_answer *a, struct sr_err *err) {
    struct http_call call = {.url = url_of(path)};
    return http_fetch(&call, a, err);
}

/* ---- by hand ---- */

static sr_status dial(struct stream **ret, struct sr_err *err) {
    return stream_connect_tcp("127.0.0.1", http_server_port(server), false, 2000, ret, err);
}
/* Reads until the other side ends, or nothing comes for a moment. */
static void read_all(struct stream *s, uint64_t ms, struct buf *b) {
    uint8_t p[4096];
    size_t n = 1;
    while (n > 0 && stream_read(s, p, sizeof p, ms, &n, NULL) == SR_OK) buf_put(b, p, n);
}
/* Sends bytes, answers all that came back until the server closed. */
static sr_status talk(const char *text, struct buf *b, struct sr_err *err) {
    struct stream *s;
    SR_TRY(dial(&s, err));
    buf_clear(b);
    sr_status st = stream_write(s, slice_str(text), err);
    if (st == SR_OK) read_all(s, 3000, b);
    stream_close(s);
    return st;
}
static size_t count_of(const struct buf *b, const char *what) {
    size_t n = 0;
    for (const char *p = buf_cstr(b); (p = strstr(p, what)); p++) n++;
    return n;
}

/* ---- the tests ---- */

SERVER_TEST(a_request_is_answered) {
    cleanup_answer struct http_answer a = {0};
    SR_TRY(get("/hello", &a, err));
    CHECK(a.status == 200 && slice_is(buf_slice(&a.body), "hello"));
    struct slice v;
    CHECK(http_answer_header(&a, "content-TYPE", &v) && slice_is(v, "text/plain"));
    CHECK(http_answer_header(&a, "access-control-allow-origin", &v) && slice_is(v, "*"));
    CHECK(http_answer_header(&a, "date", &v) && v.n == 29);
    return SR_OK;
}

SERVER_TEST(parameters_queries_and_headers_reach_the_handler_decoded) {
    static const char *const hs[] = {"X-Test: t", NULL};
    struct http_call call = {.url = url_of("/p/a%2Fb/rest/x/y%20z?q=1%202&z=&q=b+c"),
                             .headers = hs};
    cleanup_answer struct http_answer a = {0};
    SR_TRY(http_fetch(&call, &a, err));
    CHECK(slice_is(buf_slice(&a.body), "a/b|x/y z|1 2|b c|t"));
    cleanup_answer struct http_answer b = {0};
    SR_TRY(get("/p/one/", &b, err));
    CHECK(slice_is(buf_slice(&b.body), "one||-|-|-"));
    return SR_OK;
}

SERVER_TEST(errors_have_a_shape) {
    cleanup_answer struct http_answer a = {0}, b = {0}, c = {0}, d = {0};
    SR_TRY(get("/fail", &a, err));
    CHECK(a.status == 409 &&
          slice_is(buf_slice(&a.body), "{\"error\":\"the thing exists\",\"code\":\"SR_E_CONFLICT\","
                                       "\"hint\":\"use another name\"}"));
    SR_TRY(get("/nowhere", &b, err));
    CHECK(b.status == 404);
    SR_TRY(get("/silent", &c, err));
    CHECK(c.status == 500);
    SR_TRY(get("/echo", &d, err));
    struct slice v;
    CHECK(d.status == 405 && http_answer_header(&d, "allow", &v) && slice_is(v, "POST"));
    struct json *doc = NULL;
    struct sr_err e = {0};
    CHECK(http_json("GET", url_of("/fail"), slice_of(NULL, 0), &doc, &e) == SR_E_CONFLICT);
    CHECK(strcmp(e.what, "the thing exists") == 0 && strcmp(e.hint, "use another name") == 0);
    return SR_OK;
}

SERVER_TEST(head_has_the_headers_and_no_body) {
    struct http_call call = {.method = "HEAD", .url = url_of("/hello")};
    for (int i = 0; i < 2; i++) { /* twice on one connection: nothing was left in it */
        cleanup_answer struct http_answer a = {0};
        SR_TRY(http_fetch(&call, &a, err));
        struct slice v;
        CHECK(a.status == 200 && a.body.n == 0);
        CHECK(http_answer_header(&a, "content-length", &v) && slice_is(v, "5"));
    }
    call.url = url_of("/stream?n=100000");
    cleanup_answer struct http_answer b = {0};
    SR_TRY(http_fetch(&call, &b, err));
    CHECK(b.status == 200 && b.body.n == 0);
    return SR_OK;
}

SERVER_TEST(options_answers_browsers) {
    static const char *const hs[] = {"Origin: http://x", "Access-Control-Request-Method: POST",
                                     "Access-Control-Request-Headers: authorization, content-type",
                                     NULL};
    struct http_call call = {.method = "OPTIONS", .url = url_of("/echo"), .headers = hs};
    cleanup_answer struct http_answer a = {0};
    SR_TRY(http_fetch(&call, &a, err));
    struct slice v;
    CHECK(a.status == 204);
    CHECK(http_answer_header(&a, "access-control-allow-methods", &v) && slice_is(v, "POST"));
    CHECK(http_answer_header(&a, "access-control-allow-headers", &v) &&
          slice_is(v, "authorization, content-type"));
    return SR_OK;
}

SERVER_TEST(a_request_cut_into_single_bytes_is_understood) {
    static const char text[] =
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    struct stream *s;
    cleanup_buf struct buf b;
    buf_init(&b, 10000);
    SR_TRY(dial(&s, err));
    for (size_t i = 0; i < sizeof text - 1; i++) {
        SR_TRY(stream_write(s, slice_of(text + i, 1), err));
        SR_TRY(fiber_sleep(0, err));
    }
    read_all(s, 3000, &b);
    stream_close(s);
    CHECK(count_of(&b, "HTTP/1.1 200 OK") == 2 && count_of(&b, "abcde") == 1 &&
          count_of(&b, "hello") == 1);
    return SR_OK;
}

SERVER_TEST(a_request_cut_off_at_every_byte_is_survived) {
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcd";
    for (size_t cut = 1; cut < sizeof text; cut++) {
        struct stream *s;
        SR_TRY(dial(&s, err));
        SR_TRY(stream_write(s, slice_of(text, cut), err));
        stream_close(s);
    }
    cleanup_answer struct http_answer a = {0};
    SR_TRY(get("/hello", &a, err));
    CHECK(a.status == 200);
    return SR_OK;
}

SERVER_TEST(requests_sent_at_once_are_answered_in_order) {
    cleanup_buf struct buf b;
    buf_init(&b, 100000);
    SR_TRY(talk("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
                "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntwo"
                "GET /hello HTTP/1.0\r\n\r\n",
                &b, err));
    const char *one = strstr(buf_cstr(&b), "one"), *two = strstr(buf_cstr(&b), "two"),
               *hello = strstr(buf_cstr(&b), "hello");
    CHECK(one && two && hello && one < two && two < hello);
    return SR_OK;
}

SERVER_TEST(smuggled_requests_are_refused_and_the_connection_closed) {
    static const char *const bad[] = {
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n"
        "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /hello HTTP/1.1\nHost: h\n\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n"
        "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;\n\r\n"
        "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    cleanup_buf struct buf b;
    buf_init(&b, 10000);
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        serve_count = 0;
        SR_TRY(talk(bad[i], &b, err));
        CHECK(count_of(&b, "HTTP/1.1 400") == 1 && count_of(&b, "HTTP/1.1 200") == 0);
        CHECK(count_of(&b, "Connection: close") == 1);
    }
    return SR_OK;
}

SERVER_TEST(a_head_beyond_the_limit_gets_431) {
    cleanup_buf struct buf head, b;
    buf_init(&head, 100000);
    buf_init(&b, 10000);
    buf_str(&head, "GET /hello HTTP/1.1\r\nHost: h\r\n");
    while (head.n < NET_HEAD_MAX + 100)
        buf_str(&head, "X-Long: 0123456789012345678901234567890123456789\r\n");
    SR_TRY(talk(buf_cstr(&head), &b, err));
    CHECK(count_of(&b, "HTTP/1.1 431") == 1);
    return SR_OK;
}

SERVER_TEST(a_body_beyond_the_routes_maximum_gets_413) {
    cleanup_buf struct buf big;
    buf_init(&big, 300000);
    (void)buf_grow(&big, 100001);
    memset(big.p, 'x', big.n);
    struct http_call call = {.method = "POST", .url = url_of("/echo"), .body = buf_slice(&big)};
    cleanup_answer struct http_answer a = {0}, b = {0};
    SR_TRY(http_fetch(&call, &a, err));
    CHECK(a.status == 413);
    call.body.n = 100000;
    SR_TRY(http_fetch(&call, &b, err));
    CHECK(b.status == 200 && slice_eq(buf_slice(&b.body), call.body));
    cleanup_buf struct buf out; /* the same without a length */
    buf_init(&out, 10000);
    buf_clear(&big);
    buf_str(&big, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n");
    size_t head = big.n;
    (void)buf_grow(&big, 100001);
    memset(big.p + head, 'x', 100001);
    buf_str(&big, "\r\n0\r\n\r\n");
    SR_TRY(talk(buf_cstr(&big), &out, err));
    CHECK(count_of(&out, "HTTP/1.1 413") == 1);
    return SR_OK;
}

SERVER_TEST(expect_100_is_answered_when_the_body_is_wanted) {
    struct stream *s;
    cleanup_buf struct buf b;
    buf_init(&b, 10000);
    SR_TRY(dial(&s, err));
    SR_TRY(stream_write(s,
                        SLICE_LIT("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                                  "Expect: 100-continue\r\nConnection: close\r\n\r\n"),
                        err));
    char line[25];
    SR_TRY(stream_read_full(s, line, sizeof line, 2000, err));
    CHECK(memcmp(line, "HTTP/1.1 100 Continue\r\n\r\n", sizeof line) == 0);
    SR_TRY(stream_write(s, SLICE_LIT("abc"), err));
    read_all(s, 3000, &b);
    stream_close(s);
    CHECK(count_of(&b, "HTTP/1.1 200") == 1 && count_of(&b, "abc") == 1);
    /* Not wanted: the final answer comes without, and the connection ends. */
    SR_TRY(
        talk("GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
             &b, err));
    CHECK(count_of(&b, "100 Continue") == 0 && count_of(&b, "HTTP/1.1 200") == 1);
    CHECK(count_of(&b, "Connection: close") == 1);
    return SR_OK;
}

SERVER_TEST(header_values_cannot_carry_a_second_header) {
    cleanup_answer struct http_answer a = {0};
    SR_TRY(get("/inject", &a, err));
    struct slice v;
    CHECK(a.status == 200 && !http_answer_header(&a, "x-b", &v) &&
          !http_answer_header(&a, "x-a", &v));
    static const char *const hs[] = {"X-A: b\r\nX-C: d", NULL};
    struct http_call call = {.url = url_of("/hello"), .headers = hs};
    struct http_answer b = {0};
    CHECK(http_fetch(&call, &b, NULL) == SR_E_USAGE);
    return SR_OK;
}

/* ---- streams both ways ---- */

struct counter {
    uint64_t n, limit;
    bool bad, slow;
};
static sr_status take_data(void *arg, struct slice d, struct sr_err *err) {
    (void)err;
    struct counter *c = arg;
    for (size_t i = 0; i < d.n; i++)
        if (d.p[i] != (uint8_t)((c->n + i) % 50000 % 251)) c->bad = true;
    c->n += d.n;
    return SR_OK;
}
static sr_status give_data(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    (void)err;
    struct counter *c = arg;
    size_t k = c->limit - c->n < n ? (size_t)(c->limit - c->n) : n;
    memset(p, 7, k);
    c->n += k;
    *ret_n = k;
    return SR_OK;
}

SERVER_TEST(answers_stream_with_and_without_length) {
    static const char *const paths[] = {"/stream?n=3000001", "/stream?n=3000001&len", "/stream?n=0",
                                        "/stream?n=0&len"};
    for (size_t i = 0; i < 4; i++) {
        struct counter c = {0};
        struct http_call call = {.url = url_of(paths[i]), .on_data = take_data, .arg = &c};
        cleanup_answer struct http_answer a = {0};
        SR_TRY(http_fetch(&call, &a, err));
        CHECK(a.status == 200 && !c.bad && c.n == (i < 2 ? 3000001u : 0u));
    }
    return SR_OK;
}

struct placed {
    struct counter c; /* first: take_data's */
    uint8_t room[1000];
    size_t at, last;
    bool elsewhere;
};

static uint8_t *place(void *arg, size_t *ret_n) {
    struct placed *p = arg;
    if (p->at == sizeof p->room) p->at = 0;
    p->last = *ret_n = sizeof p->room - p->at;
    return p->room + p->at;
}

static sr_status take_placed(void *arg, struct slice d, struct sr_err *err) {
    struct placed *p = arg;
    p->elsewhere |= d.p != p->room + p->at || d.n == 0 || d.n > p->last;
    p->at += d.n;
    return take_data(arg, d, err);
}

SERVER_TEST(an_answer_streams_to_where_its_reader_wants_it) {
    static const char *const paths[] = {"/stream?n=300001", "/stream?n=300001&len"};
    for (size_t i = 0; i < 2; i++) {
        struct placed p = {.at = 0};
        struct http_call call = {
            .url = url_of(paths[i]), .on_data = take_placed, .on_room = place, .arg = &p};
        cleanup_answer struct http_answer a = {0};
        SR_TRY(http_fetch(&call, &a, err));
        CHECK(a.status == 200 && !p.c.bad && !p.elsewhere && p.c.n == 300001);
    }
    return SR_OK;
}

SERVER_TEST(request_bodies_stream_with_and_without_length) {
    for (int chunked = 0; chunked < 2; chunked++) {
        struct counter c = {.limit = 2500003};
        struct http_call call = {.method = "PUT",
                                 .url = url_of("/count"),
                                 .body_read = give_data,
                                 .body_length = chunked ? UINT64_MAX : c.limit,
                                 .arg = &c};
        cleanup_answer struct http_answer a = {0};
        SR_TRY(http_fetch(&call, &a, err));
        CHECK(a.status == 200 && slice_is(buf_slice(&a.body), "2500003"));
    }
    return SR_OK;
}

static sr_status give_piece(void *arg, struct slice *ret, struct sr_err *err) {
    (void)err;
    static const uint8_t big[300000];
    struct counter *c = arg;
    size_t k = c->limit - c->n < sizeof big ? (size_t)(c->limit - c->n) : sizeof big;
    *ret = slice_of(big, k);
    c->n += k;
    return SR_OK;
}

SERVER_TEST(request_bodies_stream_by_borrowed_pieces) {
    for (int chunked = 0; chunked < 2; chunked++)
        for (uint64_t size = 0; size <= 1000001; size += 1000001) {
            struct counter c = {.limit = size};
            char want[24];
            struct http_call call = {.method = "PUT",
                                     .url = url_of("/count"),
                                     .body_next = give_piece,
                                     .body_length = chunked ? UINT64_MAX : size,
                                     .arg = &c};
            cleanup_answer struct http_answer a = {0}, b = {0};
            SR_TRY(http_fetch(&call, &a, err));
            (void)snprintf(want, sizeof want, "%llu", (unsigned long long)size);
            CHECK(a.status == 200 && slice_is(buf_slice(&a.body), want));
            SR_TRY(get("/hello", &b, err)); /* nothing is left in the connection */
            CHECK(b.status == 200);
        }
    struct counter c = {.limit = 5};
    struct http_call call = {.method = "PUT",
                             .url = url_of("/count"),
                             .body_next = give_piece,
                             .body_length = 6,
                             .arg = &c};
    struct http_answer a = {0};
    CHECK(http_fetch(&call, &a, NULL) == SR_E_RANGE); /* shorter than announced */
    c = (struct counter){.limit = 7};
    CHECK(http_fetch(&call, &a, NULL) == SR_E_RANGE); /* longer */
    return SR_OK;
}

SERVER_TEST(a_reader_that_does_not_read_stops_the_writer) {
    struct stream *s;
    SR_TRY(dial(&s, err));
    SR_TRY(stream_write(s, SLICE_LIT("GET /stream?n=1000000000 HTTP/1.1\r\nHost: h\r\n\r\n"), err));
    uint64_t before = UINT64_MAX;
    while (produced != before || produced == 0) { /* until it stands still */
        before = produced;
        SR_TRY(fiber_sleep(30, err));
    }
    CHECK(produced < 100000000);
    stream_close(s);
    return SR_OK;
}

SERVER_TEST(a_cut_answer_is_an_error) {
    struct http_answer a = {0};
    CHECK(get("/drop", &a, NULL) == SR_E_UNAVAILABLE);
    CHECK(a.body.p == NULL);
    return SR_OK;
}

/* ---- the client's pool ---- */

SERVER_TEST(connections_are_reused) {
    /* All from one source port: the client kept its connection. */
    for (int i = 0; i < 20; i++) {
        cleanup_answer struct http_answer a = {0};
        SR_TRY(get("/hello", &a, err));
        CHECK(a.status == 200);
    }
    CHECK(serve_count == 20);
    return SR_OK;
}

/* A server that closes each connection after one answer without saying so. */
static int raw_accepts;
static void raw_server(void *arg) {
    int lfd = *(int *)arg;
    for (int i = 0; i < 3; i++) {
        if (fiber_poll_fd(lfd, 1, 2000, NULL) != SR_OK) break;
        int fd = accept(lfd, NULL, NULL);
        if (fd < 0) break;
        raw_accepts++;
        struct stream *s;
        if (stream_from_fd(fd, &s, NULL) != SR_OK) break;
        uint8_t p[2000];
        size_t n;
        (void)!stream_read(s, p, sizeof p, 2000, &n, NULL);
        (void)!stream_write(s, SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), NULL);
        /* The second request is read and the connection closed without a byte. */
        if (i == 0) (void)!stream_read(s, p, sizeof p, 2000, &n, NULL);
        stream_close(s);
    }
    (void)close(lfd);
}

FIBER_TEST(a_kept_connection_found_closed_is_replaced_once) {
    int lfd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;
    CHECK(bind(lfd, (struct sockaddr *)&sa, n) == 0 && listen(lfd, 8) == 0);
    CHECK(getsockname(lfd, (struct sockaddr *)&sa, &n) == 0);
    raw_accepts = 0;
    SR_TRY(fiber_start(raw_server, &lfd, err));
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(sa.sin_port));
    struct http_call call = {.url = url};
    for (int i = 0; i < 3; i++) {
        cleanup_answer struct http_answer a = {0};
        SR_TRY(http_fetch(&call, &a, err));
        CHECK(slice_is(buf_slice(&a.body), "ok"));
    }
    CHECK(raw_accepts == 3);
    return SR_OK;
}

FIBER_TEST(nobody_listening_is_said_with_the_origin) {
    struct http_call call = {.url = "http://127.0.0.1:1/x"};
    struct http_answer a = {0};
    struct sr_err e = {0};
    CHECK(http_fetch(&call, &a, &e) == SR_E_UNAVAILABLE);
    CHECK(strstr(e.what, "http://127.0.0.1:1") && strstr(e.hint, "http://127.0.0.1:1"));
    return SR_OK;
}

SERVER_TEST(a_silent_server_times_out) {
    struct http_call call = {.url = url_of("/wait"), .timeout_ms = 20};
    struct http_answer a = {0};
    CHECK(http_fetch(&call, &a, NULL) == SR_E_TIMEOUT);
    call.timeout_ms = 0;
    call.total_ms = 20;
    CHECK(http_fetch(&call, &a, NULL) == SR_E_TIMEOUT);
    while (gone_seen < 2) SR_TRY(fiber_sleep(1, err)); /* the handlers saw their clients go */
    return SR_OK;
}

SERVER_TEST(an_answer_beyond_the_limit_is_refused) {
    struct http_call call = {.url = url_of("/stream?n=50000"), .max_body = 49999};
    struct http_answer a = {0};
    CHECK(http_fetch(&call, &a, NULL) == SR_E_TOOBIG);
    call.url = url_of("/stream?n=50000&len");
    CHECK(http_fetch(&call, &a, NULL) == SR_E_TOOBIG);
    call.max_body = 50000;
    SR_TRY(http_fetch(&call, &a, err));
    CHECK(a.body.n == 50000);
    http_answer_done(&a);
    call.url = url_of("/stream?n=50000");
    SR_TRY(http_fetch(&call, &a, err));
    CHECK(a.body.n == 50000);
    http_answer_done(&a);
    return SR_OK;
}

/* ---- redirects ---- */

SERVER_TEST(redirects_are_followed_up_to_the_maximum) {
    struct http_call call = {.url = url_of("/redirect?to=/hello"), .max_redirects = 1};
    cleanup_answer struct http_answer a = {0}, b = {0}, c = {0};
    SR_TRY(http_fetch(&call, &a, err));
    CHECK(a.status == 200 && slice_is(buf_slice(&a.body), "hello"));
    call.max_redirects = 0;
    SR_TRY(http_fetch(&call, &b, err));
    CHECK(b.status == 302);
    call.max_redirects = 1;
    call.url = url_of("/redirect?to=hello");
    SR_TRY(http_fetch(&call, &c, err));
    CHECK(c.status == 200);
    struct http_answer d = {0};
    call.max_redirects = 5;
    call.url = url_of("/redirect?to=/redirect?to=/redirect");
    CHECK(http_fetch(&call, &d, NULL) == SR_OK && d.status == 400);
    http_answer_done(&d);
    return SR_OK;
}

SERVER_TEST(credentials_do_not_follow_to_another_host) {
    static const char *const hs[] = {"Authorization: secret", NULL};
    char path[200];
    (void)snprintf(path, sizeof path, "/redirect?to=http://localhost:%u/auth",
                   http_server_port(server));
    struct http_call call = {.url = url_of(path), .headers = hs, .max_redirects = 2};
    cleanup_answer struct http_answer a = {0}, b = {0};
    SR_TRY(http_fetch(&call, &a, err));
    CHECK(slice_is(buf_slice(&a.body), "none"));
    call.url = url_of("/redirect?to=/auth");
    SR_TRY(http_fetch(&call, &b, err));
    CHECK(slice_is(buf_slice(&b.body), "secret"));
    return SR_OK;
}

SERVER_TEST(a_redirected_post_keeps_its_body_only_with_307) {
    struct http_call call = {.method = "POST",
                             .url = url_of("/redirect?code=307&to=/echo"),
                             .body = SLICE_LIT("body"),
                             .max_redirects = 1};
    cleanup_answer struct http_answer a = {0}, b = {0};
    SR_TRY(http_fetch(&call, &a, err));
    CHECK(a.status == 200 && slice_is(buf_slice(&a.body), "body"));
    call.url = url_of("/redirect?code=303&to=/hello");
    SR_TRY(http_fetch(&call, &b, err));
    CHECK(b.status == 200 && slice_is(buf_slice(&b.body), "hello"));
    return SR_OK;
}

/* ---- many, slow, stopping ---- */

static int fetched, fetch_failed;
static void fetch_ten(void *arg) {
    (void)arg;
    for (int i = 0; i < 10; i++) {
        struct http_answer a = {0};
        if (get("/hello", &a, NULL) == SR_OK && a.status == 200)
            fetched++;
        else
            fetch_failed++;
        http_answer_done(&a);
    }
}

SERVER_TEST(three_hundred_clients_at_once_are_served) {
    fetched = fetch_failed = 0;
    for (int i = 0; i < 300; i++) SR_TRY(fiber_start(fetch_ten, NULL, err));
    while (fetched + fetch_failed < 3000) SR_TRY(fiber_sleep(1, err));
    CHECK(fetch_failed == 0);
    return SR_OK;
}

SERVER_TEST(idle_and_dribbling_connections_do_not_hinder_others) {
    struct stream *s[200];
    for (size_t i = 0; i < 200; i++) {
        SR_TRY(dial(&s[i], err));
        if (i % 2) SR_TRY(stream_write(s[i], SLICE_LIT("GET /hello HTT"), err));
    }
    cleanup_answer struct http_answer a = {0};
    SR_TRY(get("/hello", &a, err));
    CHECK(a.status == 200);
    for (size_t i = 1; i < 200; i += 2) { /* and the slow ones are served when they finish */
        SR_TRY(stream_write(s[i], SLICE_LIT("P/1.1\r\nHost: h\r\n\r\n"), err));
        char p[15];
        SR_TRY(stream_read_full(s[i], p, sizeof p, 2000, err));
        CHECK(memcmp(p, "HTTP/1.1 200 OK", 15) == 0);
    }
    for (size_t i = 0; i < 200; i++) stream_close(s[i]);
    return SR_OK;
}

/* A server that says more than it was asked. */
static void chatty_server(void *arg) {
    int lfd = *(int *)arg;
    for (int i = 0; i < 2; i++) {
        if (fiber_poll_fd(lfd, 1, 2000, NULL) != SR_OK) break;
        int fd = accept(lfd, NULL, NULL);
        struct stream *s;
        if (fd < 0 || stream_from_fd(fd, &s, NULL) != SR_OK) break;
        raw_accepts++;
        uint8_t p[2000];
        size_t n;
        (void)!stream_read(s, p, sizeof p, 2000, &n, NULL);
        (void)!stream_write(s, SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), NULL);
        (void)!fiber_sleep(20, NULL);
        (void)!stream_write(s, SLICE_LIT("HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n"), NULL);
        (void)!stream_read(s, p, sizeof p, 1000, &n, NULL);
        stream_close(s);
    }
    (void)close(lfd);
}

FIBER_TEST(an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one) {
    int lfd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;
    CHECK(bind(lfd, (struct sockaddr *)&sa, n) == 0 && listen(lfd, 8) == 0);
    CHECK(getsockname(lfd, (struct sockaddr *)&sa, &n) == 0);
    raw_accepts = 0;
    SR_TRY(fiber_start(chatty_server, &lfd, err));
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(sa.sin_port));
    struct http_call call = {.url = url};
    for (int i = 0; i < 2; i++) {
        cleanup_answer struct http_answer a = {0};
        SR_TRY(http_fetch(&call, &a, err));
        CHECK(a.status == 200);
        SR_TRY(fiber_sleep(60, err));
    }
    CHECK(raw_accepts == 2);
    return SR_OK;
}

/* ---- bounds of the process ---- */

SERVER_TEST(beyond_the_cap_the_longest_idle_connection_makes_room) {
    struct rlimit lim;
    CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0);
    lim.rlim_cur = lim.rlim_max;
    if (lim.rlim_max < 2 * NET_CONN_MAX + 200 || setrlimit(RLIMIT_NOFILE, &lim) != 0) return SR_OK;
    enum { FEW = NET_CONN_MAX - 50, MANY = NET_CONN_MAX + 50 }; /* others may still be closing */
    struct stream **s = sr_calloc_n(MANY, sizeof(struct stream *));
    CHECK(s != NULL);
    char p[15];
    size_t n = 0;
    for (size_t i = 0; i < MANY; i++) {
        SR_TRY(dial(&s[i], err));
        if (i != FEW - 1 && i != MANY - 1) continue;
        /* this one is served, so all before it were accepted */
        SR_TRY(stream_write(s[i], SLICE_LIT("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"), err));
        SR_TRY(stream_read_full(s[i], p, sizeof p, 5000, err));
        CHECK(memcmp(p, "HTTP/1.1 200 OK", 15) == 0);
        if (i == FEW - 1) CHECK(stream_read(s[0], p, 1, 20, &n, NULL) == SR_E_TIMEOUT);
    }
    SR_TRY(stream_read(s[0], p, 1, 2000, &n, err));
    CHECK(n == 0); /* the first had to go */
    for (size_t i = 0; i < MANY; i++) stream_close(s[i]);
    free(s);
    return SR_OK;
}

#define BIG (40u << 20)
static int held, refused;
static sr_status do_hold(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct slice body;
    sr_status st = http_body(rq, &body, err);
    if (st == SR_E_UNAVAILABLE) refused++;
    SR_TRY(st);
    held++;
    while (refused == 0) SR_TRY(fiber_sleep(2, err)); /* keeps its body until one was refused */
    return http_reply(rq, 200, "text/plain", SLICE_LIT("ok"), err);
}
static int big_ok, big_503;
static void send_big(void *arg) {
    struct http_call call = {.method = "POST", .url = arg, .body = slice_of(calloc(1, BIG), BIG)};
    struct http_answer a = {0};
    if (call.body.p && http_fetch(&call, &a, NULL) == SR_OK) {
        if (a.status == 200) big_ok++;
        if (a.status == 503) big_503++;
    } else {
        big_503++; /* cut while it was still sending */
    }
    free((void *)(uintptr_t)call.body.p);
    http_answer_done(&a);
}

FIBER_TEST(kept_bodies_of_a_process_are_bounded) {
    static const struct http_route hold[] = {{"POST", "/", do_hold, BIG}};
    struct http_opts o = {.routes = hold, .n_routes = 1};
    struct http_server *h;
    char url[64];
    SR_TRY(http_serve(&o, "127.0.0.1", 0, -1, &h, err));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", http_server_port(h));
    held = refused = big_ok = big_503 = 0;
    for (int i = 0; i < 4; i++) SR_TRY(fiber_start(send_big, url, err));
    for (int i = 0; i < 5000 && big_ok + big_503 < 4; i++) SR_TRY(fiber_sleep(2, err));
    http_server_close(h);
    /* Two that grow at the same moment may both be refused, before the first has given up its room.
     */
    CHECK(refused >= 1 && held + refused == 4 && big_ok == held && big_503 == refused && held >= 1);
    return SR_OK;
}

static void dribble(void *arg) {
    struct stream *s = arg;
    while (stream_write(s, SLICE_LIT("x"), NULL) == SR_OK && fiber_sleep(5, NULL) == SR_OK) {
    }
}

FIBER_TEST(a_body_that_dribbles_in_is_not_kept_for_ever) {
    static const struct http_route hold[] = {{"POST", "/", do_echo, BIG}};
    struct http_opts o = {.routes = hold, .n_routes = 1, .body_ms = 100};
    struct http_server *h;
    struct stream *s;
    char p[512];
    size_t n = 1;
    SR_TRY(http_serve(&o, "127.0.0.1", 0, -1, &h, err));
    SR_TRY(stream_connect_tcp("127.0.0.1", http_server_port(h), false, 1000, &s, err));
    SR_TRY(stream_write(
        s, SLICE_LIT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"), err));
    SR_TRY(fiber_start(dribble, s, err));
    int64_t began = clock_mono_us();
    while (n > 0) /* an answer, or a reset: the end in any case */
        if (stream_read(s, p, sizeof p, 5000, &n, NULL) != SR_OK) break;
    CHECK(clock_mono_us() - began < 4000000);
    stream_shutdown(s);
    SR_TRY(fiber_sleep(20, err)); /* the other fiber sees it */
    stream_close(s);
    http_server_close(h);
    return SR_OK;
}

SERVER_TEST(a_unix_socket_serves_too) {
    char path[100], url[200];
    (void)snprintf(path, sizeof path, "/tmp/sr-net-test-%d.sock", getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    CHECK(bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 8) == 0);
    struct http_server *u;
    SR_TRY(http_serve(&opts, NULL, 0, fd, &u, err));
    (void)snprintf(url, sizeof url, "unix:%s:/hello", path);
    struct http_call call = {.url = url};
    cleanup_answer struct http_answer a = {0};
    sr_status st = http_fetch(&call, &a, err);
    (void)unlink(path);
    http_server_close(u);
    SR_TRY(st);
    CHECK(a.status == 200 && slice_is(buf_slice(&a.body), "hello"));
    return SR_OK;
}

SERVER_TEST(strangers_urls_reach_nothing_of_this_machine_or_its_network) {
    static const char *const inner[] = {
        "127.0.0.1",    "localhost",         "0.0.0.0",         "10.1.2.3",      "100.64.0.1",
        "169.254.1.1",  "172.16.0.1",        "172.31.255.255",  "192.168.1.1",   "192.0.0.8",
        "198.19.0.1",   "224.0.0.1",         "255.255.255.255", "[::1]",         "[::]",
        "[fe80::1]",    "[fd00::1]",         "[ff02::1]",       "[2002:a00::1]", "[2001::1]",
        "[64:ff9b::1]", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]",
    };
    struct http_answer a = {0};
    SR_TRY(get("/hello", &a, err)); /* leaves a kept connection, which must not be taken */
    http_answer_done(&a);
    for (size_t i = 0; i < SR_ARRAY_LEN(inner); i++) {
        char url[100];
        struct sr_err e = {0};
        (void)snprintf(url, sizeof url, "http://%s:%u/hello", inner[i], http_server_port(server));
        struct http_call call = {.url = url, .public_only = true, .max_redirects = 3};
        if (http_fetch(&call, &a, &e) != SR_E_REFUSED)
            return sr_fail(err, SR_E_SYS, "%s was not refused: %s", inner[i], e.what);
        CHECK(e.hint[0] != 0);
    }
    CHECK(serve_count == 1);
    struct http_call local = {.url = "unix:/tmp/none.sock:/x", .public_only = true};
    CHECK(http_fetch(&local, &a, NULL) == SR_E_REFUSED);
    return SR_OK;
}

/* Judged, never called: a test talks to this machine only. */
static void addresses_of_the_public_internet_are_told_from_ours(void **state) {
    (void)state;
    static const char *const outer[] = {"198.51.100.1", "172.32.0.1", "100.128.0.1", "2a00::1"};
    static const char *const inner[] = {"198.18.0.1", "172.16.0.1", "100.64.0.1", "2001:db8::1"};
    for (size_t i = 0; i < SR_ARRAY_LEN(outer); i++) {
        for (int want = 0; want < 2; want++) {
            const char *text = want ? outer[i] : inner[i];
            struct sockaddr_in v4 = {.sin_family = AF_INET};
            struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
            bool is_v4 = inet_pton(AF_INET, text, &v4.sin_addr) == 1;
            if (!is_v4) assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
            assert_int_equal(sockaddr_is_public_(is_v4
                                                     ? (const struct sockaddr *)(const void *)&v4
                                                     : (const struct sockaddr *)(const void *)&v6),
                             want);
        }
    }
}

SERVER_TEST(a_busy_port_is_a_clear_error) {
    struct http_server *second = NULL;
    struct sr_err e = {0};
    CHECK(http_serve(&opts, "127.0.0.1", http_server_port(server), -1, &second, &e) ==
          SR_E_CONFLICT);
    CHECK(strstr(e.what, "in use") && e.hint[0] && !second);
    return SR_OK;
}

static void wait_client(void *arg) {
    (void)arg;
    struct http_answer a = {0};
    (void)!get("/wait", &a, NULL);
    http_answer_done(&a);
}
static void stop_when_served(void *arg) {
    (void)arg;
    while (serve_count < 5)
        if (fiber_sleep(1, NULL) != SR_OK) return;
    net_stop();
}
static sr_status begin_body(void *arg, struct sr_err *err) {
    (void)arg;
    return begin(err);
}

static void handlers_that_wait_are_cancelled_at_the_stop(void **state) {
    (void)state;
    run_in_fiber(begin_body);
    for (int i = 0; i < 5; i++) assert_int_equal(fiber_start(wait_client, NULL, NULL), SR_OK);
    assert_int_equal(fiber_start(stop_when_served, NULL, NULL), SR_OK);
    int64_t t = clock_mono_us();
    net_run();
    assert_true(clock_mono_us() - t < 900000);
    assert_int_equal(cancelled_seen, 5);
    http_server_close(server);
    server = NULL;
}

SERVER_TEST(a_closed_server_ends_its_connections) {
    struct stream *s;
    SR_TRY(dial(&s, err));
    SR_TRY(stream_write(s, SLICE_LIT("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"), err));
    while (serve_count == 0) SR_TRY(fiber_sleep(1, err));
    http_server_close(server);
    server = NULL;
    CHECK(gone_seen == 1); /* the handler has ended when close returns */
    char p[1];
    size_t n = 1;
    sr_status st = stream_read(s, p, 1, 1000, &n, NULL);
    CHECK(st != SR_E_TIMEOUT && (st != SR_OK || n == 0));
    stream_close(s);
    return SR_OK;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(parameters_queries_and_headers_reach_the_handler_decoded),
        cmocka_unit_test(errors_have_a_shape),
        cmocka_unit_test(head_has_the_headers_and_no_body),
        cmocka_unit_test(options_answers_browsers),
        cmocka_unit_test(a_request_cut_into_single_bytes_is_understood),
        cmocka_unit_test(a_request_cut_off_at_every_byte_is_survived),
        cmocka_unit_test(requests_sent_at_once_are_answered_in_order),
        cmocka_unit_test(smuggled_requests_are_refused_and_the_connection_closed),
        cmocka_unit_test(a_head_beyond_the_limit_gets_431),
        cmocka_unit_test(a_body_beyond_the_routes_maximum_gets_413),
        cmocka_unit_test(expect_100_is_answered_when_the_body_is_wanted),
        cmocka_unit_test(header_values_cannot_carry_a_second_header),
        cmocka_unit_test(answers_stream_with_and_without_length),
        cmocka_unit_test(an_answer_streams_to_where_its_reader_wants_it),
        cmocka_unit_test(request_bodies_stream_with_and_without_length),
        cmocka_unit_test(request_bodies_stream_by_borrowed_pieces),
        cmocka_unit_test(a_reader_that_does_not_read_stops_the_writer),
        cmocka_unit_test(a_cut_answer_is_an_error),
        cmocka_unit_test(connections_are_reused),
        cmocka_unit_test(a_kept_connection_found_closed_is_replaced_once),
        cmocka_unit_test(nobody_listening_is_said_with_the_origin),
        cmocka_unit_test(a_silent_server_times_out),
        cmocka_unit_test(an_answer_beyond_the_limit_is_refused),
        cmocka_unit_test(redirects_are_followed_up_to_the_maximum),
        cmocka_unit_test(credentials_do_not_follow_to_another_host),
        cmocka_unit_test(a_redirected_post_keeps_its_body_only_with_307),
        cmocka_unit_test(three_hundred_clients_at_once_are_served),
        cmocka_unit_test(idle_and_dribbling_connections_do_not_hinder_others),
        cmocka_unit_test(an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one),
        cmocka_unit_test(beyond_the_cap_the_longest_idle_connection_makes_room),
        cmocka_unit_test(kept_bodies_of_a_process_are_bounded),
        cmocka_unit_test(a_body_that_dribbles_in_is_not_kept_for_ever),
        cmocka_unit_test(a_unix_socket_serves_too),
        cmocka_unit_test(strangers_urls_reach_nothing_of_this_machine_or_its_network),
        cmocka_unit_test(addresses_of_the_public_internet_are_told_from_ours),
        cmocka_unit_test(a_busy_port_is_a_clear_error),
        cmocka_unit_test(handlers_that_wait_are_cancelled_at_the_stop),
        cmocka_unit_test(a_closed_server_ends_its_connections),
    };
    return cmocka_run_group_tests_name("net/http", t, NULL, end_net);
}
