/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_parse.c - heads, chunks and URLs, read one way or not at all */
#include "net/http_wire.h"
#include "net_test.h"

static struct http_head H;

static int parse(const char *text) {
    int status = 0;
    sr_status st = http_parse_request(slice_str(text), &H, &status, NULL);
    return st == SR_OK ? 200 : status;
}

static void a_plain_request_is_read(void **state) {
    (void)state;
    assert_int_equal(
        parse("POST /a/b?x=1&y HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n"
              "X-Empty:\r\nX-Space: \t v w \t\r\nConnection: Keep-Alive, Upgrade\r\n\r\n"),
        200);
    assert_true(slice_is(H.method, "POST") && slice_is(H.path, "/a/b") &&
                slice_is(H.query, "x=1&y"));
    assert_true(H.has_length && H.length == 12 && !H.chunked && H.keep_alive && H.upgrade &&
                !H.close);
    struct slice v;
    assert_true(http_find(&H, "x-empty", &v) && v.n == 0);
    assert_true(http_find(&H, "X-SPACE", &v) && slice_is(v, "v w"));
    assert_false(http_find(&H, "absent", &v));
    assert_int_equal(parse("GET http://h:80/p?q HTTP/1.0\r\n\r\n"), 200);
    assert_true(slice_is(H.path, "/p") && slice_is(H.query, "q") && H.minor == 0);
    assert_int_equal(parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
}

static void what_two_programs_could_read_differently_is_refused(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *text;
    } bad[] = {
        {400, "GET / HTTP/1.1\r\n\r\n"},                       /* no Host */
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"}, /* two */
        {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},           /* space before colon */
        {400, "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"}, /* folding */
        {400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},           /* leading space */
        {400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"}, /* bare CR */
        {400, "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"},       /* no colon */
        {400, "GET / HTTP/1.1\r\nHost: a\r\n: v\r\n\r\n"},     /* no name */
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"},
        {400,
         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
              "chunked\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
        {400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\r\nHost: a\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {501, "VERYLONGMETHODNAMEINDEED / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {417, "POST / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        int got = parse(bad[i].text);
        if (got != bad[i].status) fail_msg("%d, not %d: %s", got, bad[i].status, bad[i].text);
    }
}

static void too_many_headers_are_refused(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 1 << 16);
    buf_str(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < HTTP_HEADERS_MAX; i++) buf_printf(&b, "X-%d: v\r\n", i);
    buf_str(&b, "\r\n");
    assert_int_equal(parse(buf_cstr(&b)), 431);
}

static void a_head_cut_anywhere_is_not_whole_and_does_not_parse(void **state) {
    (void)state;
    const char *text = "POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX: y\r\n\r\n";
    size_t len = strlen(text), n = 0;
    for (size_t cut = 0; cut < len; cut++) {
        size_t scan = 0;
        int status;
        uint8_t *exact = malloc(cut ? cut : 1); /* so that a read beyond it is seen */
        memcpy(exact, text, cut);
        assert_int_equal(http_head_end(slice_of(exact, cut), &scan, &n), 0);
        assert_int_not_equal(http_parse_request(slice_of(exact, cut), &H, &status, NULL), SR_OK);
        assert_int_not_equal(http_parse_response(slice_of(exact, cut), &H, NULL), SR_OK);
        free(exact);
    }
    size_t scan = 0; /* found also when it comes byte by byte */
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(http_head_end(slice_of(text, cut), &scan, &n), 0);
    assert_int_equal(http_head_end(slice_str(text), &scan, &n), 1);
    assert_int_equal(n, len);
}

static void bare_line_feeds_and_nuls_are_seen_at_once(void **state) {
    (void)state;
    size_t scan = 0, n;
    assert_int_equal(http_head_end(slice_str("GET / HTTP/1.1\nHost"), &scan, &n), -1);
    scan = 0;
    assert_int_equal(http_head_end(slice_of("GET /\0", 6), &scan, &n), -1);
    scan = 0;
    assert_int_equal(http_head_end(slice_str("\r\nGET"), &scan, &n), -1);
}

static void a_response_is_read(void **state) {
    (void)state;
    assert_int_equal(
        http_parse_response(slice_str("HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"), &H, NULL), SR_OK);
    assert_int_equal(H.status, 204);
    assert_int_equal(http_parse_response(slice_str("HTTP/1.1 200\r\n\r\n"), &H, NULL), SR_OK);
    static const char *const bad[] = {"HTTP/1.1 20 x\r\n\r\n", "HTTP/1.1 2000 x\r\n\r\n",
                                      "HTTP/1.1 099 x\r\n\r\n", "HTTP/3 200 x\r\n\r\n",
                                      "ICY 200 OK\r\n\r\n"};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        assert_int_not_equal(http_parse_response(slice_str(bad[i]), &H, NULL), SR_OK);
}

/* ---- chunks ---- */

static sr_status dechunk(struct slice in, size_t step, struct buf *out, bool *done) {
    struct chunked c = {0};
    size_t at = 0;
    while (at < in.n && !c.done) {
        size_t end = at + step < in.n ? at + step : in.n;
        while (at < end && !c.done) {
            size_t used;
            struct slice data;
            SR_TRY(chunked_next(&c, slice_of(in.p + at, end - at), &used, &data, NULL));
            buf_add(out, data);
            at += used;
        }
    }
    *done = c.done;
    return SR_OK;
}

static const char chunks[] = "5\r\nhello\r\n1;ext=\"x\"\r\n \r\n000A\r\nwide world\r\n0\r\n"
                             "Trailer: t\r\n\r\n";

static void chunks_in_pieces_of_every_size_give_the_same_body(void **state) {
    (void)state;
    for (size_t step = 1; step <= sizeof chunks; step++) {
        cleanup_buf struct buf b;
        bool done = false;
        buf_init(&b, 100);
        assert_int_equal(dechunk(slice_str(chunks), step, &b, &done), SR_OK);
        assert_true(done && slice_is(buf_slice(&b), "hello wide world"));
    }
}

static void chunks_cut_anywhere_are_not_done(void **state) {
    (void)state;
    for (size_t cut = 0; cut < sizeof chunks - 1; cut++) {
        cleanup_buf struct buf b;
        bool done = false;
        buf_init(&b, 100);
        assert_int_equal(dechunk(slice_of(chunks, cut), 3, &b, &done), SR_OK);
        assert_false(done);
    }
}

static void bad_chunks_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"\r\n",         "g\r\n",
                                      "5\nhello",     "5 \r\nhello\r\n",
                                      "-1\r\n",       "0x5\r\n",
                                      "5\r\nhelloX",  "5\r\nhello\n0\r\n",
                                      "5;\n",         "10000000000000000\r\n",
                                      "0\r\nT\n\r\n", "5\r\nhello\r\n\r\n"};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        cleanup_buf struct buf b;
        bool done = false;
        buf_init(&b, 100);
        if (dechunk(slice_str(bad[i]), 100, &b, &done) == SR_OK) fail_msg("accepted: %s", bad[i]);
    }
    cleanup_buf struct buf b, out;
    bool done;
    buf_init(&b, 1 << 20);
    buf_init(&out, 100);
    buf_str(&b, "0\r\n");
    for (int i = 0; i < 2000; i++) buf_str(&b, "T: trailer\r\n");
    assert_int_equal(dechunk(buf_slice(&b), 64, &out, &done), SR_E_TOOBIG);
}

/* ---- URLs ---- */

static void urls_are_read(void **state) {
    (void)state;
    struct url u;
    assert_int_equal(url_parse("http://h.example:8080/a/b?c#d", &u, NULL), SR_OK);
    assert_true(!u.tls && u.port == 8080 && strcmp(u.host, "h.example") == 0);
    assert_true(slice_is(u.target, "/a/b?c") && slice_is(u.origin, "http://h.example:8080"));
    assert_int_equal(url_parse("https://[::1]?q", &u, NULL), SR_OK);
    assert_true(u.tls && u.port == 443 && strcmp(u.host, "::1") == 0 && slice_is(u.target, "?q"));
    assert_int_equal(url_parse("wss://h/x", &u, NULL), SR_OK);
    assert_true(u.tls && u.port == 443);
    assert_int_equal(url_parse("unix:/run/a b.sock", &u, NULL), SR_E_USAGE);
    assert_int_equal(url_parse("unix:/run/a.sock:/v1/x", &u, NULL), SR_OK);
    assert_true(u.is_unix && strcmp(u.host, "/run/a.sock") == 0 && slice_is(u.target, "/v1/x"));
    assert_true(slice_is(u.origin, "unix:/run/a.sock"));
    assert_int_equal(url_parse("unix:/run/a.sock", &u, NULL), SR_OK);
    assert_true(u.target.n == 0);
    static const char *const bad[] = {"",
                                      "h",
                                      "ftp://h",
                                      "http://",
                                      "http:///p",
                                      "http://h:0",
                                      "http://h:65536",
                                      "http://h:a",
                                      "http://u:p@h",
                                      "http://[::1",
                                      "http://h/\r\nX: y",
                                      "unix:rel:/x"};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        if (url_parse(bad[i], &u, NULL) == SR_OK) fail_msg("accepted: %s", bad[i]);
}

static void a_url_with_a_password_is_not_repeated_in_the_error(void **state) {
    (void)state;
    struct url u;
    struct sr_err e = {0};
    assert_int_equal(url_parse("http://user:hunter2@h/", &u, &e), SR_E_USAGE);
    assert_null(strstr(e.what, "hunter2"));
}

static void percent_decoding_leaves_bad_sequences(void **state) {
    (void)state;
    uint8_t out[32];
    size_t n = url_decode(SLICE_LIT("a%20b+c%zz%4"), true, out);
    assert_true(slice_is(slice_of(out, n), "a b c%zz%4"));
    n = url_decode(SLICE_LIT("a+%2F"), false, out);
    assert_true(slice_is(slice_of(out, n), "a+/"));
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_plain_request_is_read),
        cmocka_unit_test(what_two_programs_could_read_differently_is_refused),
        cmocka_unit_test(too_many_headers_are_refused),
        cmocka_unit_test(a_head_cut_anywhere_is_not_whole_and_does_not_parse),
        cmocka_unit_test(bare_line_feeds_and_nuls_are_seen_at_once),
        cmocka_unit_test(a_response_is_read),
        cmocka_unit_test(chunks_in_pieces_of_every_size_give_the_same_body),
        cmocka_unit_test(chunks_cut_anywhere_are_not_done),
        cmocka_unit_test(bad_chunks_are_refused),
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(a_url_with_a_password_is_not_repeated_in_the_error),
        cmocka_unit_test(percent_decoding_leaves_bad_sequences),
    };
    return cmocka_run_group_tests_name("net/http_parse", t, NULL, NULL);
}
