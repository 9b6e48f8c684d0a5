/* SPDX-License-Identifier: Apache-2.0 */
/* Orders into and out of the book: who may, with which challenge, what the chain must know of them.
 */
#include "world.h"

static uint64_t rows_of(const char *table) {
    struct sr_err e = {0};
    char sql[64];
    uint64_t n = 0;
    (void)snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM %s", table);
    assert_ok(db_get_u64(mk->read, sql, DB_NO_ARGS, &n, &e));
    return n;
}

FIBER_TEST(asking_for_challenges_stores_nothing) {
    uint64_t before = rows_of("challenge_use");
    char path[128], last[64] = "";
    for (unsigned i = 0; i < 300; i++) {
        struct addr a = {{9, (uint8_t)(i >> 8), (uint8_t)i}};
        (void)snprintf(path, sizeof path, "/challenge?chainId=421614&address=%s", addr_text(&a).s);
        struct json *d = get(path);
        struct slice text =
            vec_str(json_get(json_get(json_root(d), "data"), "message"), "challenge");
        assert_true(slice_starts(text, "Sign this message to log into iExec Gateway: "));
        assert_int_equal(text.n, 45 + 32);
        assert_int_not_equal(memcmp(last, text.p + 45, 32), 0); /* each has his own */
        memcpy(last, text.p + 45, 32);
        json_free(d);
    }
    assert_int_equal(rows_of("challenge_use"), before);
}

/* Of a challenge that was never asked for, as a wallet would sign it. */
static char *signed_challenge(size_t who, uint64_t uses, uint64_t step) {
    struct sr_err e = {0};
    struct sr_signature sig;
    cleanup_buf struct buf text, b;
    buf_init(&text, 256), buf_init(&b, 512);
    auth_challenge(mk, &signers[who].addr, uses, step, &text);
    struct hash h = eip712_challenge("iExec Gateway", mk->chain_id, buf_slice(&text));
    assert_ok(secp_sign(&keys[who], &h, &sig, &e));
    buf_printf(&b, "%s_0x", hash_text(&h).s);
    buf_hex(&b, slice_of(sig.b, 65));
    buf_printf(&b, "_%s", addr_text(&signers[who].addr).s);
    return strdup(buf_cstr(&b));
}

FIBER_TEST(a_challenge_grows_old) {
    struct sr_err e = {0};
    uint64_t uses = 0;
    const size_t who = 7;
    (void)!db_get_u64(mk->read, "SELECT used FROM challenge_use WHERE who = $1",
                      DB_ARGS(db_addr(&signers[who].addr)), &uses, &e);
    const char *path = "/apporders?chainId=421614";
    const struct {
        int64_t step, uses;
        int status; /* 400: let in, and told that there is no order */
    } t[] = {{-2, 0, 403}, {1, 0, 403}, {0, 1, 403}, {-1, 0, 400}, {0, 0, 403}, {0, 1, 400}};
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        uint64_t step = auth_step_now();
        cleanup_free char *auth =
            signed_challenge(who, uses + (uint64_t)t[i].uses, step + (uint64_t)t[i].step);
        if (auth_step_now() != step) return; /* it goes on just now: no test */
        struct json *d = ask_status("POST", path, auth, SLICE_LIT("{}"), t[i].status);
        json_free(d);
    }
}

static unsigned let_in, kept_out;
static char *one_challenge;
static void publish_with_it(void *arg) {
    const struct poco_order *o = arg;
    cleanup_buf struct buf body;
    buf_init(&body, 8192);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_key(&w, "order");
    poco_order_json(&w, o, false, true);
    jw_end_obj(&w);
    char url[128], header[512];
    (void)snprintf(url, sizeof url, "%s/apporders?chainId=421614", base);
    (void)snprintf(header, sizeof header, "authorization: %s", one_challenge);
    const char *headers[] = {header, NULL};
    const struct http_call c = {
        .method = "POST", .url = url, .headers = headers, .body = buf_slice(&body)};
    cleanup_answer struct http_answer a = {0};
    struct sr_err e = {0};
    assert_ok(http_fetch(&c, &a, &e));
    if (a.status == 200) let_in++;
    if (a.status == 403) kept_out++;
}

FIBER_TEST(one_challenge_lets_one_of_many_in) {
    struct sr_err e = {0};
    static struct poco_order o[6];
    struct addr app = make_app(8, "at once");
    for (unsigned i = 0; i < 6; i++) {
        o[i] = app_order(&app, 1 + i);
        assert_ok(poco_salt(&o[i], &e));
        assert_ok(poco_order_sign(&o[i], &mk->poco.domain, &keys[8], &e));
    }
    one_challenge = login(8);
    let_in = kept_out = 0;
    for (unsigned i = 0; i < 6; i++) assert_ok(fiber_start(publish_with_it, &o[i], &e));
    while (let_in + kept_out < 6) assert_ok(fiber_sleep(2, &e));
    assert_int_equal(let_in, 1);
    free(one_challenge);
}

FIBER_TEST(publishing_needs_a_challenge_of_ones_own) {
    struct sr_err e = {0};
    struct addr app = make_app(ALICE, "auth");
    struct poco_order o = app_order(&app, 1);
    assert_ok(poco_salt(&o, &e));
    assert_ok(poco_order_sign(&o, &mk->poco.domain, &keys[ALICE], &e));
    struct buf body;
    buf_init(&body, 8192);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_key(&w, "order");
    poco_order_json(&w, &o, false, true);
    jw_end_obj(&w);
    const char *path = "/apporders?chainId=421614";
    json_free(ask_status("POST", path, NULL, buf_slice(&body), 403));
    json_free(ask_status("POST", path, "nonsense", buf_slice(&body), 403));
    cleanup_free char *mine = login(ALICE), *again = login(ALICE);
    assert_string_equal(mine, again); /* the same challenge until it is used */
    json_free(ask_status("POST", path, mine, SLICE_LIT("{"), 500));
    json_free(ask_status("POST", path, mine, buf_slice(&body), 200));
    json_free(ask_status("POST", path, mine, buf_slice(&body), 403)); /* used */
    cleanup_free char *bobs = login(BOB);
    bobs[strlen(bobs) - 42] = 0; /* his signature, her name */
    cleanup_buf struct buf forged;
    buf_init(&forged, 512);
    buf_printf(&forged, "%s%s", bobs, addr_checksum(&signers[ALICE].addr).s);
    json_free(ask_status("POST", path, buf_cstr(&forged), buf_slice(&body), 403));
    buf_done(&body);
}

FIBER_TEST(bad_orders_are_refused_with_the_official_words) {
    struct sr_err e = {0};
    struct addr app = make_app(ALICE, "bad");
    struct poco_order o = app_order(&app, 3);
    (void)publish(ALICE, &o);
    refused(ALICE, &o, "order already published");
    struct poco_order p = app_order(&hub, 3);
    assert_ok(poco_order_sign(&p, &mk->poco.domain, &keys[ALICE], &e));
    refused(ALICE, &p, "Resource not deployed");
    p = app_order(&app, 3);
    p.app.salt.b[0] = 1;
    assert_ok(poco_order_sign(&p, &mk->poco.domain, &keys[BOB], &e));
    refused(ALICE, &p, "invalid sign");
    refused(BOB, &p, "only order signer 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 can publish");
    p.sign.n = 10;
    refused(ALICE, &p, "invalid sign");
    p = request_order(BOB, &app, &nobody, 1);
    p.request.appmaxprice = u256_of(POCO_SAFE_MAX);
    p.request.volume = u256_of(POCO_SAFE_MAX);
    assert_ok(poco_order_sign(&p, &mk->poco.domain, &keys[BOB], &e));
    refused(BOB, &p, "requester stake is too low to cover requestorder payment, minimum stake");
    struct addr other = make_app(ALICE, "without orders");
    p = request_order(BOB, &other, &nobody, 1);
    assert_ok(poco_order_sign(&p, &mk->poco.domain, &keys[BOB], &e));
    refused(BOB, &p, "No tee enabled apporder published for app ");
    /* formats: 400 */
    static const struct {
        const char *body, *text;
    } bad[] = {
        {"{}", "order is a required field"},
        {"{\"order\":{}}", "order.app is a required field"},
        {"{\"order\":{\"app\":\"0x12\"}}", "order.app is not a valid ethereum address"},
        {"{\"order\":{\"app\":\"0x05B4CB126885fb10464fdD12666FEb25E2563B76\",\"appprice\":\"-1\"}}",
         "order.appprice must be greater than or equal to 0"},
        {"{\"order\":{\"app\":\"0x05B4CB126885fb10464fdD12666FEb25E2563B76\",\"appprice\":0,"
         "\"volume\":\"9007199254740992\"}}",
         "order.volume must be less than or equal to 9007199254740991"},
        {"{\"order\":{\"app\":\"0x05B4CB126885fb10464fdD12666FEb25E2563B76\",\"appprice\":0,"
         "\"volume\":0}}",
         "order.volume must be greater than or equal to 1"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        cleanup_free char *auth = login(ALICE);
        struct json *d =
            ask_status("POST", "/apporders?chainId=421614", auth, slice_str(bad[i].body), 400);
        if (!slice_is(vec_str(json_root(d), "error"), bad[i].text))
            fail_msg("%s: %.*s", bad[i].text, (int)vec_str(json_root(d), "error").n,
                     (const char *)vec_str(json_root(d), "error").p);
        json_free(d);
    }
}

FIBER_TEST(unpublishing_takes_one_the_last_or_all) {
    struct addr app = make_app(ALICE, "unpublish");
    char body[256], as[43];
    memcpy(as, addr_checksum(&app).s, 43);
    struct hash h[3];
    for (unsigned i = 0; i < 3; i++) {
        struct poco_order o = app_order(&app, 1 + i);
        h[i] = publish(ALICE, &o);
    }
    (void)snprintf(body, sizeof body, "{\"orderHash\":\"%s\"}", hash_text(&h[0]).s);
    json_free(unpublish(BOB, POCO_APP, body, 403));
    json_free(unpublish(ALICE, POCO_APP, body, 200));
    json_free(unpublish(ALICE, POCO_APP, body, 403));
    (void)snprintf(body, sizeof body, "{\"target\":\"unpublish_all\",\"app\":\"%s\"}", as);
    json_free(unpublish(BOB, POCO_APP, body, 403));
    struct json *d = unpublish(ALICE, POCO_APP, body, 200);
    assert_int_equal(json_len(json_get(json_root(d), "unpublished")), 2);
    json_free(d);
    json_free(unpublish(ALICE, POCO_APP, "{\"target\":\"all\"}", 400));
    json_free(unpublish(ALICE, POCO_APP, "{\"target\":\"unpublish_last\"}", 400));
    (void)snprintf(body, sizeof body, "/apporders/%s?chainId=421614", hash_text(&h[1]).s);
    json_free(ask_status("GET", body, NULL, slice_of(NULL, 0), 404));
    struct poco_order o = app_order(&app, 9);
    (void)publish(ALICE, &o);
}

static struct recovered signed_by(const struct poco_order *o, const struct hash *h) {
    struct recovered r = {.hash = *h, .sig = slice_of(o->sign.b, o->sign.n)};
    struct recovered *one[] = {&r, NULL};
    recovered_all(one);
    return r;
}

static bool by_index(const struct poco_order *o, const struct recovered *sig, size_t who,
                     struct facts *ret) {
    struct sr_err e = {0};
    struct indexed i;
    struct db_stmt s = indexed_ask(o, &sig->hash, &signers[who].addr, &i);
    assert_ok(db_run_all(mk->db, &s, 1, &e));
    return facts_by_index(mk, o, sig, &signers[who].addr, &i, ret);
}

/* The index and the hub must agree on how much of an order is used, closed ones included. */
FIBER_TEST(the_index_knows_what_the_hub_knows_of_orders) {
    struct sr_err e = {0};
    struct addr app = make_app(ALICE, "facts"), data = make_data(CAROL, "facts");
    struct hash h[4];
    (void)make_deal(&app, &data, 3, h);
    static const struct {
        poco_kind kind;
        size_t who;
    } t[] = {{POCO_APP, ALICE}, {POCO_WORKERPOOL, OPERATOR}};
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        struct poco_order o = t[i].kind == POCO_APP ? app_order(&app, 5) : pool_order(5);
        assert_ok(poco_salt(&o, &e));
        assert_ok(poco_order_sign(&o, &mk->poco.domain, &keys[t[i].who], &e));
        struct hash oh = poco_order_hash(&mk->poco.domain, &o);
        struct recovered sig = signed_by(&o, &oh);
        struct facts a, b;
        assert_true(by_index(&o, &sig, t[i].who, &a));
        assert_ok(facts_by_chain(mk, &o, &oh, &signers[t[i].who].addr, &b, &e));
        assert_true(b.registered && b.signed_ok && addr_eq(&a.owner, &b.owner));
        assert_true(u256_cmp(a.consumed, b.consumed) == 0);
        /* somebody else's: the chain decides */
        assert_false(by_index(&o, &sig, DAVE, &a));
        o.sign.b[3] ^= 1;
        sig = signed_by(&o, &oh);
        assert_false(by_index(&o, &sig, t[i].who, &a));
        o.sign.b[3] ^= 1;
        sig = signed_by(&o, &oh);
        struct buf b2;
        buf_init(&b2, 1u << 16);
        assert_ok(poco_enc_manage(&b2, &o, POCO_OP_CLOSE, slice_of(NULL, 0), &e));
        struct eth_receipt rc = send(t[i].who, &hub, &b2);
        eth_receipt_done(&rc);
        buf_done(&b2);
        assert_false(by_index(&o, &sig, t[i].who, &a));
        refused(t[i].who, &o, "order already consumed");
    }
    uint64_t sums[4], n;
    static const char *const col[4] = {"app_hash", "dataset_hash", "workerpool_hash",
                                       "request_hash"};
    for (unsigned k = 0; k < 4; k++) {
        char sql[96];
        cleanup_buf struct buf call, out;
        buf_init(&call, 128);
        buf_init(&out, 1024);
        (void)snprintf(sql, sizeof sql, "SELECT SUM(volume) FROM deal WHERE %s = $1", col[k]);
        assert_ok(db_get_u64(mk->db, sql, DB_ARGS(db_hash(&h[k])), &sums[k], &e));
        assert_ok(abi_call(&call, "viewConsumed(bytes32)", &e, av_hash(&h[k])));
        assert_ok(eth_call(mk->rpc, NULL, &hub, buf_slice(&call), (struct eth_at){0}, &out, &e));
        assert_true(u256_to_u64(u256_from_be(out.p), &n));
        assert_int_equal(sums[k], n);
    }
}

static struct poco_order ready[40];
static unsigned published, refusals;
static void publish_one(void *arg) {
    struct json *d = publish_raw(*(size_t *)arg, &ready[published++], 200);
    json_free(d);
    refusals++;
}

FIBER_TEST(orders_of_many_at_once_are_committed_together) {
    struct sr_err e = {0};
    static size_t who[9];
    for (size_t i = 0; i < 9; i++) { /* nine signers: one open challenge each */
        who[i] = i;
        struct addr app = make_app(i, "together");
        ready[i] = app_order(&app, 1 + i);
        assert_ok(poco_salt(&ready[i], &e));
        assert_ok(poco_order_sign(&ready[i], &mk->poco.domain, &keys[i], &e));
    }
    published = refusals = 0;
    for (size_t i = 0; i < 9; i++) assert_ok(fiber_start(publish_one, &who[i], &e));
    while (refusals < 9) assert_ok(fiber_sleep(2, &e));
    assert_false(commit_is_busy(mk->group)); /* whoever was answered is committed */
    for (size_t i = 0; i < 9; i++) {
        struct hash h = poco_order_hash(&mk->poco.domain, &ready[i]);
        order_is(POCO_APP, &h, "open", 1 + i);
    }
}

FIBER_TEST(the_cap_of_open_orders_follows_what_comes_and_goes) {
    struct addr app = make_app(6, "cap");
    uint64_t old = mk->open_max, now;
    struct sr_err e = {0};
    assert_ok(counts_open(mk, POCO_APP, &signers[6].addr, &now, &e));
    mk->open_max = now + 2;
    struct poco_order o[3];
    struct hash h[3];
    for (unsigned i = 0; i < 3; i++) o[i] = app_order(&app, 1 + i);
    h[0] = publish(6, &o[0]);
    h[1] = publish(6, &o[1]);
    assert_ok(poco_salt(&o[2], &e));
    assert_ok(poco_order_sign(&o[2], &mk->poco.domain, &keys[6], &e));
    refused(6, &o[2], "maximum of ");
    char body[128];
    (void)snprintf(body, sizeof body, "{\"orderHash\":\"%s\"}", hash_text(&h[1]).s);
    json_free(unpublish(6, POCO_APP, body, 200));
    (void)publish(6, &o[2]);
    refused(6, &o[1], "maximum of ");
    struct buf b;
    buf_init(&b, 1u << 16);
    assert_ok(poco_enc_manage(&b, &o[0], POCO_OP_CLOSE, slice_of(NULL, 0), &e));
    struct eth_receipt rc = send(6, &hub, &b);
    eth_receipt_done(&rc);
    buf_done(&b);
    (void)publish(6, &o[1]);
    mk->open_max = old;
}

FIBER_TEST(a_publish_is_quick_and_asks_no_node) {
    struct sr_err e = {0};
    struct addr app = make_app(DAVE, "publish");
    /* with a node that answers nothing any more */
    struct eth_rpc *rpc = mk->rpc;
    assert_ok(eth_rpc_new("http://127.0.0.1:9", &mk->rpc, &e));
    int64_t t = clock_mono_us();
    for (unsigned i = 0; i < 100; i++) {
        struct poco_order o = app_order(&app, 1 + i);
        (void)publish(DAVE, &o);
    }
    t = (clock_mono_us() - t) / 100;
    eth_rpc_free(mk->rpc);
    mk->rpc = rpc;
    print_message("publish: %lld us with its challenge and two signatures\n", (long long)t);
    assert_true(t < 200000);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(publishing_needs_a_challenge_of_ones_own),
        cmocka_unit_test(asking_for_challenges_stores_nothing),
        cmocka_unit_test(a_challenge_grows_old),
        cmocka_unit_test(one_challenge_lets_one_of_many_in),
        cmocka_unit_test(bad_orders_are_refused_with_the_official_words),
        cmocka_unit_test(unpublishing_takes_one_the_last_or_all),
        cmocka_unit_test(the_index_knows_what_the_hub_knows_of_orders),
        cmocka_unit_test(orders_of_many_at_once_are_committed_together),
        cmocka_unit_test(the_cap_of_open_orders_follows_what_comes_and_goes),
        cmocka_unit_test(a_publish_is_quick_and_asks_no_node),
    };
    return cmocka_run_group_tests_name("market publish", t, setup, teardown);
}
