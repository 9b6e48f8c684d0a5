/* SPDX-License-Identifier: Apache-2.0 */
/* test_ws.c - frames in every cut, and two ends talking */
#include "net/ws_frame.h"
#include "net_test.h"

/* ---- frames ---- */

struct feed {
    struct ws_in in;
    struct buf message;
    char log[400]; /* one letter an event, with the message in brackets */
};

static sr_status feed_all(struct feed *f, struct slice bytes, size_t step, bool from_client) {
    memset(f, 0, sizeof *f);
    buf_init(&f->message, 70000);
    f->in = (struct ws_in){.from_client = from_client, .message = &f->message};
    sr_status st = SR_OK;
    for (size_t at = 0; at < bytes.n && st == SR_OK;) {
        size_t end = at + step < bytes.n ? at + step : bytes.n;
        while (st == SR_OK) {
            size_t used = 0, k = strlen(f->log);
            ws_event ev;
            st = ws_in_next(&f->in, slice_of(bytes.p + at, end - at), &used, &ev, NULL);
            if (st != SR_OK) break;
            at += used;
            if (ev == WS_MORE) break;
            if (ev == WS_MESSAGE) {
                (void)snprintf(f->log + k, sizeof f->log - k, "M[%.*s]",
                               (int)(f->message.n > 20 ? 20 : f->message.n),
                               f->message.n ? (const char *)f->message.p : "");
                buf_clear(&f->message);
            } else {
                (void)snprintf(f->log + k, sizeof f->log - k, "%c%zu",
                               ev == WS_GOT_PING   ? 'P'
                               : ev == WS_GOT_PONG ? 'O'
                                                   : 'C',
                               f->in.control_n);
            }
        }
    }
    return st;
}

/* RFC 6455 section 5.7: its own examples, then an interleaved ping and a close. */
static const uint8_t server_bytes[] = {
    0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f,           /* "Hello" */
    0x01, 0x03, 0x48, 0x65, 0x6c, 0x89, 0x02, 'p', 'p', /* "Hel", a ping between */
    0x80, 0x02, 0x6c, 0x6f,                             /* "lo" */
    0x8a, 0x00, 0x82, 0x00,                             /* pong, empty binary */
    0x88, 0x04, 0x03, 0xe8, 'o',  'k',                  /* close 1000 */
};
static const uint8_t masked[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};

static void frames_in_pieces_of_every_size_give_the_same_events(void **state) {
    (void)state;
    struct feed f;
    for (size_t step = 1; step <= sizeof server_bytes; step++) {
        assert_int_equal(feed_all(&f, slice_of(server_bytes, sizeof server_bytes), step, false),
                         SR_OK);
        assert_string_equal(f.log, "M[Hello]P2M[Hello]O0M[]C4");
        buf_done(&f.message);
        assert_int_equal(feed_all(&f, slice_of(masked, sizeof masked), step, true), SR_OK);
        assert_string_equal(f.log, "M[Hello]");
        buf_done(&f.message);
    }
}

static void frames_cut_anywhere_give_no_message(void **state) {
    (void)state;
    struct feed f;
    for (size_t cut = 0; cut < sizeof masked; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, masked, cut);
        assert_int_equal(feed_all(&f, slice_of(exact, cut), 3, true), SR_OK);
        assert_string_equal(f.log, "");
        buf_done(&f.message);
        free(exact);
    }
}

static void bad_frames_are_refused_with_their_close_code(void **state) {
    (void)state;
    static const struct {
        uint16_t code;
        size_t n;
        uint8_t b[16];
    } bad[] = {
        {1002, 2, {0xc1, 0x00}},                  /* reserved bit */
        {1002, 2, {0x83, 0x00}},                  /* opcode 3 */
        {1002, 2, {0x8b, 0x00}},                  /* opcode 11 */
        {1002, 2, {0x81, 0x80}},                  /* masked by a server */
        {1002, 2, {0x80, 0x00}},                  /* continuation of nothing */
        {1002, 2, {0x09, 0x00}},                  /* fragmented ping */
        {1002, 2, {0x89, 0x7e}},                  /* long ping */
        {1002, 5, {0x01, 0x01, 'a', 0x81, 0x00}}, /* message inside a message */
        {1002, 4, {0x81, 0x7e, 0x00, 0x7d}},      /* long form of 125 */
        {1002, 10, {0x81, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
        {1002, 3, {0x88, 0x01, 0x03}},                          /* half a close code */
        {1002, 4, {0x88, 0x02, 0x03, 0xed}},                    /* 1005 */
        {1007, 5, {0x88, 0x03, 0x03, 0xe8, 0xff}},              /* reason not UTF-8 */
        {1007, 3, {0x81, 0x01, 0xff}},                          /* text not UTF-8 */
        {1007, 5, {0x81, 0x03, 0xed, 0xa0, 0x80}},              /* a surrogate */
        {1009, 10, {0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0x11, 0x71}}, /* 70001 bytes */
        {1009, 10, {0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0}},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct feed f;
        sr_status st = feed_all(&f, slice_of(bad[i].b, bad[i].n), 1, false);
        if (st == SR_OK || f.in.close_code != bad[i].code)
            fail_msg("case %zu: %d", i, f.in.close_code);
        buf_done(&f.message);
    }
    struct feed f; /* an unmasked frame from a client */
    assert_int_equal(feed_all(&f, slice_of(server_bytes, 7), 1, true), SR_E_MALFORMED);
    buf_done(&f.message);
}

static void heads_are_written_in_the_shortest_form_and_read_back(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    static const uint8_t mask[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < SR_ARRAY_LEN(sizes); i++)
        for (int m = 0; m < 2; m++) {
            cleanup_buf struct buf b;
            buf_init(&b, 80000);
            uint8_t head[14];
            size_t hn = ws_put_head(head, WS_BINARY, sizes[i], m ? mask : NULL);
            buf_put(&b, head, hn);
            if (sizes[i]) memset(buf_grow(&b, sizes[i]), 'z', sizes[i]);
            if (m) ws_mask(b.p + hn, sizes[i], mask, 0);
            struct feed f;
            assert_int_equal(feed_all(&f, buf_slice(&b), 999, m == 1), SR_OK);
            char want[40] = "M[zzzzzzzzzzzzzzzzzzzz]";
            if (sizes[i] < 20) (void)snprintf(want, sizeof want, "M[%.*s]", (int)sizes[i], "z");
            assert_string_equal(f.log, want);
            buf_done(&f.message);
        }
}

static void utf8_is_checked_exactly(void **state) {
    (void)state;
    static const char *const good[] = {"", "a", "é", "€", "𝄞", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "a\xc3",
                                      "\xc3(",
                                      "\xfe"};
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++) assert_true(ws_utf8(slice_str(good[i])));
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) assert_false(ws_utf8(slice_str(bad[i])));
}

/* ---- two ends ---- */

static struct ws *accepted; /* for tests that act on the server's end */
static int served;
static sr_status last_end;

static sr_status do_ws(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct ws *w;
    SR_TRY(ws_accept(rq, 300000, &w, err));
    cleanup_buf struct buf b;
    buf_init(&b, 300000);
    accepted = w;
    while ((last_end = ws_recv(w, 0, &b, NULL)) == SR_OK) {
        served++;
        if (slice_is(buf_slice(&b), "bye")) break;
        if (ws_send(w, buf_slice(&b), NULL) != SR_OK) break;
    }
    accepted = NULL;
    ws_close(w);
    return SR_OK;
}
static const struct http_route routes[] = {{"GET", "/ws", do_ws, 0}};
static const struct http_opts opts = {.routes = routes, .n_routes = 1};
static struct http_server *server;
static char url[64];

static sr_status begin(struct sr_err *err) {
    SR_TRY(http_serve(&opts, "127.0.0.1", 0, -1, &server, err));
    (void)snprintf(url, sizeof url, "ws://127.0.0.1:%u/ws", http_server_port(server));
    served = 0;
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

SERVER_TEST(messages_of_all_sizes_come_back) {
    struct ws *w;
    SR_TRY(ws_connect(url, 300000, &w, err));
    cleanup_buf struct buf b, in;
    buf_init(&b, 300000);
    buf_init(&in, 300000);
    static const size_t sizes[] = {0,     1,     125,   126,    4000,  16384,
                                   16385, 65535, 65536, 299999, 300000};
    for (size_t i = 0; i < SR_ARRAY_LEN(sizes); i++) {
        buf_clear(&b);
        for (size_t k = 0; k < sizes[i]; k++) buf_u8(&b, (uint8_t)('a' + k % 23));
        SR_TRY(ws_send(w, buf_slice(&b), err));
        SR_TRY(ws_recv(w, 5000, &in, err));
        CHECK(slice_eq(buf_slice(&b), buf_slice(&in)));
    }
    ws_close(w);
    return SR_OK;
}

SERVER_TEST(waiting_for_a_message_times_out_and_can_go_on) {
    struct ws *w;
    SR_TRY(ws_connect(url, 1000, &w, err));
    cleanup_buf struct buf in;
    buf_init(&in, 1000);
    CHECK(ws_recv(w, 5, &in, NULL) == SR_E_TIMEOUT);
    SR_TRY(ws_send(w, SLICE_LIT("x"), err));
    SR_TRY(ws_recv(w, 2000, &in, err));
    CHECK(slice_is(buf_slice(&in), "x"));
    ws_close(w);
    return SR_OK;
}

SERVER_TEST(a_close_is_answered_and_ends_both_ends) {
    struct ws *w;
    SR_TRY(ws_connect(url, 1000, &w, err));
    cleanup_buf struct buf in;
    buf_init(&in, 1000);
    SR_TRY(ws_send(w, SLICE_LIT("bye"), err));
    CHECK(ws_recv(w, 2000, &in, NULL) == SR_E_CANCELLED);
    CHECK(ws_send(w, SLICE_LIT("x"), NULL) == SR_E_CANCELLED);
    ws_close(w);
    SR_TRY(ws_connect(url, 1000, &w, err));
    int64_t t = clock_mono_us();
    ws_close(w); /* from this side: the server answers at once */
    CHECK(clock_mono_us() - t < 500000);
    while (accepted) SR_TRY(fiber_sleep(1, err));
    CHECK(last_end == SR_E_CANCELLED);
    return SR_OK;
}

static void shut_soon(void *arg) {
    (void)!fiber_sleep(5, NULL);
    ws_shutdown(arg);
}

SERVER_TEST(shutdown_from_another_fiber_wakes_the_reader) {
    struct ws *w;
    SR_TRY(ws_connect(url, 1000, &w, err));
    cleanup_buf struct buf in;
    buf_init(&in, 1000);
    SR_TRY(fiber_start(shut_soon, w, err));
    CHECK(ws_recv(w, 5000, &in, NULL) == SR_E_CANCELLED);
    ws_close(w);
    return SR_OK;
}

SERVER_TEST(a_message_beyond_the_limit_ends_the_websocket) {
    struct ws *w;
    SR_TRY(ws_connect(url, 1000, &w, err));
    cleanup_buf struct buf b, in;
    buf_init(&b, 400000);
    buf_init(&in, 1000);
    memset(buf_grow(&b, 300001), 'x', 300001);
    (void)!ws_send(w, buf_slice(&b), NULL);
    CHECK(ws_recv(w, 3000, &in, NULL) == SR_E_CANCELLED);
    CHECK(last_end == SR_E_TOOBIG);
    ws_close(w);
    return SR_OK;
}

SERVER_TEST(a_client_that_vanishes_ends_the_handler) {
    struct stream *s;
    SR_TRY(stream_connect_tcp("127.0.0.1", http_server_port(server), false, 1000, &s, err));
    SR_TRY(stream_write(s,
                        SLICE_LIT("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                                  "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
                        err));
    char head[200];
    size_t n = 0, k = 1;
    while (n < 129 && k > 0) {
        SR_TRY(stream_read(s, head + n, sizeof head - 1 - n, 2000, &k, err));
        n += k;
    }
    head[n] = 0;
    CHECK(strstr(head, "HTTP/1.1 101 ") == head);
    CHECK(strstr(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")); /* the RFC's own example */
    CHECK(accepted != NULL);
    stream_close(s);
    while (accepted) SR_TRY(fiber_sleep(1, err));
    return SR_OK;
}

SERVER_TEST(requests_that_are_no_upgrade_are_refused) {
    static const char *const hs[][5] = {
        {NULL},
        {"Upgrade: websocket", "Sec-WebSocket-Version: 12",
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", NULL},
    };
    for (size_t i = 0; i < 2; i++) {
        char http[80];
        (void)snprintf(http, sizeof http, "http%s", url + 2);
        struct http_call call = {.url = http, .headers = hs[i]};
        cleanup_answer struct http_answer a = {0};
        SR_TRY(http_fetch(&call, &a, err));
        CHECK(a.status == 400);
    }
    struct ws *w;
    char other[80];
    (void)snprintf(other, sizeof other, "%sx", url);
    CHECK(ws_connect(other, 1000, &w, NULL) == SR_E_UNAVAILABLE);
    return SR_OK;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(frames_in_pieces_of_every_size_give_the_same_events),
        cmocka_unit_test(frames_cut_anywhere_give_no_message),
        cmocka_unit_test(bad_frames_are_refused_with_their_close_code),
        cmocka_unit_test(heads_are_written_in_the_shortest_form_and_read_back),
        cmocka_unit_test(utf8_is_checked_exactly),
        cmocka_unit_test(messages_of_all_sizes_come_back),
        cmocka_unit_test(waiting_for_a_message_times_out_and_can_go_on),
        cmocka_unit_test(a_close_is_answered_and_ends_both_ends),
        cmocka_unit_test(shutdown_from_another_fiber_wakes_the_reader),
        cmocka_unit_test(a_message_beyond_the_limit_ends_the_websocket),
        cmocka_unit_test(a_client_that_vanishes_ends_the_handler),
        cmocka_unit_test(requests_that_are_no_upgrade_are_refused),
    };
    return cmocka_run_group_tests_name("net/ws", t, NULL, end_net);
}
