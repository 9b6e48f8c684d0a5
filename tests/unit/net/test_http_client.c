/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_client.c - the client: streams both ways, kept connections, redirects, strangers' URLs
 */
#include "http_fixture.h"
#include "net/net_int.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

static int raw_accepts;

/* Starts a server made by hand, which closes lfd. */
static sr_status serve_raw(void (*fiber)(void *lfd), int *lfd, char url[64], struct sr_err *err) {
    *lfd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;
    CHECK(bind(*lfd, (struct sockaddr *)&sa, n) == 0 && listen(*lfd, 8) == 0);
    CHECK(getsockname(*lfd, (struct sockaddr *)&sa, &n) == 0);
    (void)snprintf(url, 64, "http://127.0.0.1:%u/", ntohs(sa.sin_port));
    raw_accepts = 0;
    return fiber_start(fiber, lfd, err);
}

/* A server that closes each connection after one answer without saying so. */
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
    int lfd;
    char url[64];
    SR_TRY(serve_raw(raw_server, &lfd, url, err));
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
    int lfd;
    char url[64];
    SR_TRY(serve_raw(chatty_server, &lfd, url, err));
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

/* ---- whom it calls ---- */

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

int main(void) {
    const struct CMUnitTest t[] = {
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
        cmocka_unit_test(an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one),
        cmocka_unit_test(redirects_are_followed_up_to_the_maximum),
        cmocka_unit_test(credentials_do_not_follow_to_another_host),
        cmocka_unit_test(a_redirected_post_keeps_its_body_only_with_307),
        cmocka_unit_test(strangers_urls_reach_nothing_of_this_machine_or_its_network),
        cmocka_unit_test(addresses_of_the_public_internet_are_told_from_ours),
    };
    return cmocka_run_group_tests_name("net/http_client", t, NULL, end_net);
}
