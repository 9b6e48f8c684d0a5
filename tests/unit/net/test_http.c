/* SPDX-License-Identifier: Apache-2.0 */
/* test_http.c - the server: what a request is answered, and what is refused */
#include "http_fixture.h"

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
    };
    return cmocka_run_group_tests_name("net/http", t, NULL, end_net);
}
