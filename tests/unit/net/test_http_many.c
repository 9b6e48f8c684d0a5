/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_many.c - many clients, slow ones, the bounds of the process, and the stop */
#include "http_fixture.h"
#include "net/net_int.h"
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

/* ---- sockets, and the stop ---- */

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
        cmocka_unit_test(three_hundred_clients_at_once_are_served),
        cmocka_unit_test(idle_and_dribbling_connections_do_not_hinder_others),
        cmocka_unit_test(beyond_the_cap_the_longest_idle_connection_makes_room),
        cmocka_unit_test(kept_bodies_of_a_process_are_bounded),
        cmocka_unit_test(a_body_that_dribbles_in_is_not_kept_for_ever),
        cmocka_unit_test(a_unix_socket_serves_too),
        cmocka_unit_test(a_busy_port_is_a_clear_error),
        cmocka_unit_test(handlers_that_wait_are_cancelled_at_the_stop),
        cmocka_unit_test(a_closed_server_ends_its_connections),
    };
    return cmocka_run_group_tests_name("net/http_many", t, NULL, end_net);
}
