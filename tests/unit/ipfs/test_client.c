/* SPDX-License-Identifier: Apache-2.0 */
/* The client against nodes and gateways that lie, fail, or stop in the middle. (Against an honest
 * one: tests/unit/store.) */
#include "ipfs/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define HELLO     "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD" /* "hello world" */
#define HELLO_RAW "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"

/* What the server does next. */
static struct {
    const char *answer, *content;
    int status;
    bool cut;
    size_t got;
} S;
static char origin[64];

static sr_status add(struct http_req *rq, void *role, struct sr_err *err) {
    uint8_t p[4096];
    size_t n = 1;
    (void)role;
    for (S.got = 0; n > 0; S.got += n) SR_TRY(http_body_read(rq, p, sizeof p, &n, err));
    return http_reply(rq, S.status, "application/json", slice_str(S.answer), err);
}

static sr_status get(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct slice c = slice_str(S.content);
    if (!S.cut) return http_reply(rq, S.status, "application/octet-stream", c, err);
    SR_TRY(http_reply_start(rq, 200, "application/octet-stream", c.n + 1, err));
    SR_TRY(http_send(rq, c, err));
    return sr_fail(err, SR_E_SYS, "the disk broke");
}

static sr_status change_size(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    (void)err;
    size_t *left = arg;
    *ret_n = *left < n ? *left : n;
    memset(p, 0, *ret_n);
    *left -= *ret_n;
    return SR_OK;
}

static sr_status into(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

struct pieces {
    struct slice v[2];
    size_t given;
};
static sr_status next_piece(void *arg, struct slice *ret_piece, struct sr_err *err) {
    struct pieces *p = arg;
    (void)err;
    *ret_piece = p->given < 2 ? p->v[p->given++] : slice_of(NULL, 0);
    return SR_OK;
}

static sr_status story(void *arg, struct sr_err *err) {
    static const struct http_route routes[] = {{"POST", "/api/v0/add", add, 0},
                                               {"GET", "/ipfs/*", get, 0}};
    const struct http_opts opts = {.routes = routes, .n_routes = 2};
    struct http_server *server;
    (void)arg;
    SR_TRY(http_serve(&opts, "127.0.0.1", 0, -1, &server, err));
    (void)snprintf(origin, sizeof origin, "http://127.0.0.1:%u", http_server_port(server));
    static const struct {
        const char *answer;
        int status;
        sr_status want;
    } adds[] = {
        {"{\"Name\":\"x\",\"Hash\":\"" HELLO "\",\"Size\":\"19\"}\n", 200, SR_OK},
        {"{\"Bytes\":11}\n{\"Name\":\"x\",\"Hash\":\"" HELLO "\",\"Size\":\"19\"}\n\n", 200, SR_OK},
        {"{\"Hash\":\"QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH\"}", 200, SR_E_CRYPTO},
        {"{\"Hash\":\"rubbish\"}", 200, SR_E_MALFORMED},
        {"{}", 200, SR_E_MALFORMED},
        {"", 200, SR_E_MALFORMED},
        {"<html>", 200, SR_E_MALFORMED},
        {"{\"Message\":\"no room\",\"Code\":0,\"Type\":\"error\"}", 413, SR_E_TOOBIG},
        {"{\"Message\":\"down\"}", 503, SR_E_UNAVAILABLE},
        {"", 403, SR_E_REFUSED},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(adds); i++) {
        struct dag_result r;
        struct sr_err e = {0};
        S.answer = adds[i].answer;
        S.status = adds[i].status;
        sr_status st = ipfs_add_bytes(origin, SLICE_LIT("hello world"), &r, &e);
        if (st != adds[i].want) fail_msg("add %zu: %s", i, e.what);
        if (i == 7) assert_non_null(strstr(e.what, "no room"));
        assert_true(S.got > 11);
    }
    for (size_t i = 0; i < 2; i++) { /* pieces that the maker hashed itself, rightly or not */
        struct dag_builder *fed;
        struct dag_result r;
        struct pieces p = {{SLICE_LIT("hello"), SLICE_LIT(" world")}, 0};
        S.answer = adds[0].answer;
        S.status = 200;
        SR_TRY(dag_new(NULL, NULL, &fed, err));
        SR_TRY(dag_add(fed, i ? SLICE_LIT("hello w0rld") : SLICE_LIT("hello world"), err));
        sr_status st =
            ipfs_add_pieces(origin, NULL, next_piece, &p, i ? UINT64_MAX : 11, fed, &r, NULL);
        assert_int_equal(st, i ? SR_E_CRYPTO : SR_OK);
        dag_free(fed);
    }
    for (size_t i = 0; i < 2; i++) { /* a file that grew or shrank while it was sent */
        struct dag_result r;
        size_t left = i ? 99 : 101;
        assert_int_equal(ipfs_add(origin, change_size, &left, 100, &r, NULL), SR_E_CONFLICT);
    }
    static const struct {
        const char *location, *content;
        int status;
        bool cut;
        sr_status want;
    } gets[] = {
        {"/ipfs/" HELLO, "hello world", 200, false, SR_OK},
        {"/p2p/" HELLO, "hello world", 200, false, SR_OK},
        {"/ipfs/" HELLO, "hello w0rld", 200, false, SR_E_CRYPTO},
        {"/ipfs/" HELLO, "hello", 200, false, SR_E_CRYPTO},
        {"/ipfs/" HELLO, "", 200, false, SR_E_CRYPTO},
        {"/ipfs/" HELLO, "hello world", 200, true, SR_E_UNAVAILABLE},
        {"/ipfs/" HELLO, "{\"error\":\"gone\"}", 404, false, SR_E_NOTFOUND},
        {"/ipfs/" HELLO, "", 500, false, SR_E_UNAVAILABLE},
        {"/ipfs/" HELLO_RAW, "hello world", 200, false, SR_OK}, /* its block is the content */
        {"/ipfs/" HELLO_RAW, "hello w0rld", 200, false, SR_E_CRYPTO},
        {"/ipfs/" HELLO "/a", "hello world", 200, false, SR_E_CRYPTO}, /* blocks are asked for */
        {"/ipfs/rubbish", "", 200, false, SR_E_MALFORMED},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(gets); i++) {
        cleanup_buf struct buf b;
        struct sr_err e = {0};
        buf_init(&b, 100);
        S.content = gets[i].content;
        S.status = gets[i].status;
        S.cut = gets[i].cut;
        sr_status st = ipfs_get_bytes(origin, slice_str(gets[i].location), &b, &e);
        bool ok = gets[i].cut ? st != SR_OK : st == gets[i].want;
        if (!ok) fail_msg("get %zu: %s %s", i, sr_status_name(st), e.what);
        if (st == SR_OK) assert_string_equal(buf_cstr(&b), "hello world");
    }
    cleanup_buf struct buf small;
    buf_init(&small, 5);
    S.content = "hello world";
    S.status = 200;
    S.cut = false;
    assert_int_equal(ipfs_get_bytes(origin, SLICE_LIT("/ipfs/" HELLO), &small, NULL), SR_E_TOOBIG);
    for (unsigned i = 0; i < 4; i++) { /* a stranger's URL: only what the gateway is for */
        static const char *const paths[] = {"/ipfs/" HELLO, "/ipfs/" HELLO, "/api/v0/id", "/ipfsx"};
        const struct ipfs_get_opts o = {.public_urls = i > 0, .unverified = true};
        char url[200];
        cleanup_buf struct buf b;
        buf_init(&b, 100);
        (void)snprintf(url, sizeof url, "%s%s", origin, paths[i]);
        sr_status st = ipfs_get(origin, slice_str(url), &o, into, &b, NULL);
        assert_int_equal(st, i < 2 ? SR_OK : SR_E_REFUSED);
    }
    http_server_close(server);
    return SR_OK;
}

static void nobody_is_trusted_for_what_a_cid_says(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_int_equal(net_init(NULL), SR_OK);
    if (net_call(story, NULL, &e) != SR_OK) fail_msg("%s: %s", e.where, e.what);
}

static sr_status nobody_story(void *arg, struct sr_err *err) {
    (void)arg;
    struct dag_result r;
    sr_status st = ipfs_add_bytes("http://127.0.0.1:1", SLICE_LIT("x"), &r, err);
    assert_int_equal(st, SR_E_UNAVAILABLE);
    assert_true(err->hint[0] != 0);
    *err = (struct sr_err){0};
    return SR_OK;
}
static void a_node_that_is_not_there_is_named(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_int_equal(net_call(nobody_story, NULL, &e), SR_OK);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(nobody_is_trusted_for_what_a_cid_says),
        cmocka_unit_test(a_node_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests_name("ipfs/client", t, NULL, NULL);
}
