/* SPDX-License-Identifier: Apache-2.0 */
/* The market's socket below the library: heartbeats of both transports, two readers of one session,
 * what a reorganised chain takes back. */
#include "listen.h"

#define PING_MS 300u

static struct http_answer polled(const char *method, const char *sid, const char *body) {
    struct sr_err e = {0};
    struct http_answer a = {0};
    cleanup_buf struct buf url;
    buf_init(&url, 512);
    buf_printf(&url, "%s/ws/?EIO=4&transport=polling%s%s", base, sid ? "&sid=" : "",
               sid ? sid : "");
    const struct http_call c = {
        .method = method, .url = buf_cstr(&url), .body = slice_str(body ? body : "")};
    assert_ok(http_fetch(&c, &a, &e));
    return a;
}

/* The answer's text; freed by the caller. */
static char *poll_is(const char *method, const char *sid, const char *body, int status) {
    struct http_answer a = polled(method, sid, body);
    if (a.status != status) fail_msg("%s %s: %d %s", method, sid, a.status, buf_cstr(&a.body));
    char *text = slice_dup(buf_slice(&a.body));
    http_answer_done(&a);
    return text;
}

static void expect_poll(const char *method, const char *sid, const char *body, const char *want) {
    cleanup_free char *text = poll_is(method, sid, body, 200);
    assert_string_equal(text, want);
}

static void open_polling(char sid[64]) {
    cleanup_free char *text = poll_is("GET", NULL, NULL, 200);
    cleanup_json struct json *d = NULL;
    struct sr_err e = {0};
    assert_int_equal(text[0], EIO_OPEN);
    assert_ok(json_parse(slice_str(text + 1), &d, &e));
    assert_int_equal(vec_u64(json_root(d), "pingInterval"), PING_MS);
    struct slice s = vec_str(json_root(d), "sid");
    assert_true(s.n > 0 && s.n < 64);
    memcpy(sid, s.p, s.n);
    sid[s.n] = 0;
}

static sr_status polling_pings(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    char sid[64];
    open_polling(sid);
    expect_poll("GET", sid, NULL, "2");
    expect_poll("POST", sid, "3", "ok");
    expect_poll("GET", sid, NULL, "2"); /* answered: another one comes */
    expect_poll("GET", sid, NULL, "1"); /* not answered: it is over */
    cleanup_free char *gone = poll_is("GET", sid, NULL, 400);
    assert_non_null(strstr(gone, "Session ID unknown"));
    return SR_OK;
}

static void polling_is_pinged_and_ends_without_an_answer(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_ok(net_call(polling_pings, NULL, &e));
}

static sr_status websocket_pings(void *arg, struct sr_err *err) {
    (void)arg;
    struct ws *w = open_ws(NULL);
    cleanup_buf struct buf b;
    buf_init(&b, 1024);
    expect_ws(w, "0{\"sid\"");
    SR_TRY(ws_send(w, SLICE_LIT("40"), err));
    expect_ws(w, "40{\"sid\"");
    for (unsigned i = 0; i < 2; i++) {
        expect_ws(w, "2");
        SR_TRY(ws_send(w, SLICE_LIT("3"), err));
    }
    expect_ws(w, "2");
    assert_int_equal(ws_recv(w, 20000, &b, NULL), SR_E_CANCELLED);
    ws_close(w);
    return SR_OK;
}

static void a_websocket_is_pinged_and_ends_without_an_answer(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_ok(net_call(websocket_pings, NULL, &e));
}

struct reader {
    const char *sid;
    int status;
    char *text;
    struct fcond done;
};
static void read_once(void *arg) {
    struct reader *r = arg;
    struct http_answer a = polled("GET", r->sid, NULL);
    r->status = a.status;
    r->text = slice_dup(buf_slice(&a.body));
    http_answer_done(&a);
    fcond_wake(&r->done);
}

static sr_status upgrade(void *arg, struct sr_err *err) {
    (void)arg;
    char sid[64];
    open_polling(sid);
    expect_poll("POST", sid, "40", "ok");
    cleanup_free char *first = poll_is("GET", sid, NULL, 200);
    assert_memory_equal(first, "40{\"sid\"", 8);
    struct reader r = {.sid = sid};
    SR_TRY(fiber_start(read_once, &r, err));
    struct ws *w = open_ws(sid), *bad = open_ws(sid);
    SR_TRY(ws_send(bad, SLICE_LIT("5"), err)); /* without a probe: it stays where it is */
    cleanup_buf struct buf b;
    buf_init(&b, 1024);
    assert_int_equal(ws_recv(bad, 20000, &b, NULL), SR_E_CANCELLED);
    ws_close(bad);
    SR_TRY(ws_send(w, SLICE_LIT("2probe"), err));
    expect_ws(w, "3probe");
    while (!r.text) SR_TRY(fcond_wait(&r.done, 20000, err));
    assert_true(strcmp(r.text, "6") == 0 || strcmp(r.text, "2") == 0);
    free(r.text);
    SR_TRY(ws_send(w, SLICE_LIT("5"), err));
    SR_TRY(ws_send(w, SLICE_LIT("3"), err));
    SR_TRY(ws_send(w, SLICE_LIT("421[\"join\",{\"chainId\":421614,\"topic\":\"deals\"}]"), err));
    expect_ws(w, "431[true]");
    cleanup_free char *moved = poll_is("GET", sid, NULL, 400);
    assert_non_null(strstr(moved, "Bad request"));
    ws_close(w);
    return SR_OK;
}

static void polling_becomes_a_websocket_with_the_probe_only(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_ok(net_call(upgrade, NULL, &e));
}

static sr_status two_readers(void *arg, struct sr_err *err) {
    (void)arg;
    char sid[64];
    open_polling(sid);
    struct reader r[2] = {{.sid = sid}, {.sid = sid}};
    for (size_t i = 0; i < 2; i++) SR_TRY(fiber_start(read_once, &r[i], err));
    for (size_t i = 0; i < 2; i++)
        while (!r[i].text) SR_TRY(fcond_wait(&r[i].done, 20000, err));
    size_t late = r[0].status == 400 ? 0 : 1; /* whoever came second */
    assert_int_equal(r[late].status, 400);
    assert_non_null(strstr(r[late].text, "Bad request"));
    assert_string_equal(r[1 - late].text, "1");
    for (size_t i = 0; i < 2; i++) free(r[i].text);
    return SR_OK;
}

static void two_readers_of_one_session_end_it(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_ok(net_call(two_readers, NULL, &e));
}

static sr_status reorganised(void *arg, struct sr_err *err) {
    (void)arg;
    struct ws *w = listen_to("orders");
    struct addr app = make_app(ALICE, "told");
    struct poco_order o = app_order(&app, 3);
    struct hash h = publish(ALICE, &o);
    expect_event(w, "apporder_published", &h);
    char id[80];
    snapshot(id);
    struct buf b;
    buf_init(&b, 1u << 16);
    SR_TRY(poco_enc_manage(&b, &o, POCO_OP_CLOSE, slice_of(NULL, 0), err));
    struct eth_receipt rc = send(ALICE, &hub, &b);
    eth_receipt_done(&rc);
    buf_done(&b);
    expect_event(w, "apporder_unpublished", &h);
    take_back(id);
    expect_event(w, "apporder_published", &h); /* it is open again */
    ws_close(w);
    return SR_OK;
}

static void an_order_that_a_reorganised_chain_gives_back_is_told_again(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_ok(net_call(reorganised, NULL, &e));
}

static int setup_fast(void **state) {
    ping_ms = PING_MS;
    return setup(state);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(polling_is_pinged_and_ends_without_an_answer),
        cmocka_unit_test(a_websocket_is_pinged_and_ends_without_an_answer),
        cmocka_unit_test(polling_becomes_a_websocket_with_the_probe_only),
        cmocka_unit_test(two_readers_of_one_session_end_it),
        cmocka_unit_test(an_order_that_a_reorganised_chain_gives_back_is_told_again),
    };
    return cmocka_run_group_tests_name("market/socket", t, setup_fast, teardown);
}
