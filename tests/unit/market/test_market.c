/* SPDX-License-Identifier: Apache-2.0 */
/* The market against a real chain with our contracts, asked by HTTP. */
#include "world.h"

FIBER_TEST(parameters_have_the_official_messages) {
    static const struct {
        const char *path;
        int status;
        const char *text;
    } t[] = {
        {"/apporders?app=any", 400, "chainId is a required field"},
        {"/apporders?chainId=1&app=any", 400, "chainId 1 is not supported"},
        {"/apporders?chainId=421614", 400, "app or appOwner is required"},
        {"/datasetorders?chainId=421614", 400, "dataset or datasetOwner is required"},
        {"/apporders?chainId=421614&app=foo", 400,
         "app is neither \"any\" nor a valid ethereum address"},
        {"/apporders?chainId=421614&appOwner=any", 400, "appOwner is not a valid ethereum address"},
        {"/apporders?chainId=421614&app=any&minTag=0x1", 400, "minTag must be a bytes32 hexstring"},
        {"/apporders?chainId=421614&app=any&minVolume=0", 400,
         "minVolume must be greater than or equal to 1"},
        {"/apporders?chainId=421614&app=any&minVolume=1.5", 400, "minVolume must be an integer"},
        {"/apporders?chainId=421614&app=any&minVolume=-2", 400,
         "minVolume must be greater than or equal to 1"},
        {"/apporders?chainId=421614&app=any&minVolume=abc", 400,
         "minVolume must be a `number` type, but the final value was: `NaN` (cast from the value "
         "`\"abc\"`)."},
        {"/apporders?chainId=421614&app=any&pageSize=9", 400,
         "pageSize must be greater than or equal to 10"},
        {"/apporders?chainId=421614&app=any&pageSize=1001", 400,
         "pageSize must be less than or equal to 1000"},
        {"/apporders?chainId=421614&app=any&isDatasetStrict=x", 400,
         "isDatasetStrict must be a `boolean` type, but the final value was: `\"x\"`."},
        {"/apporders/0x12?chainId=421614", 400, "orderHash must be a bytes32 hexstring"},
        {"/apporders/0x0000000000000000000000000000000000000000000000000000000000000000?chainId="
         "421614",
         404, "apporder not found"},
        {"/deals/0x0000000000000000000000000000000000000000000000000000000000000000?chainId=421614",
         404, "deal not found"},
        {"/categories/77?chainId=421614", 404, "category not found"},
        {"/ohlc?chainId=421614", 400, "category is a required field"},
        {"/challenge?chainId=421614", 400, "address is a required field"},
        {"/challenge?chainId=421614&address=0x1", 400, "address is not a valid ethereum address"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) expect_error(t[i].path, t[i].status, t[i].text);
}

FIBER_TEST(what_the_chain_had_before_is_indexed) {
    struct json *d = get("/categories?chainId=421614");
    assert_int_equal(vec_u64(json_root(d), "count"), 5);
    assert_int_equal(vec_u64(json_at(json_get(json_root(d), "categories"), 0), "workClockTimeRef"),
                     300);
    json_free(d);
    d = get("/categories/1?chainId=421614");
    assert_true(slice_is(vec_str(json_root(d), "chainId"), "421614"));
    json_free(d);
    char path[128];
    (void)snprintf(path, sizeof path, "/421614/workerpools/%s", addr_checksum(&pool).s);
    d = get(path);
    assert_true(slice_is(vec_str(json_root(d), "apiUrl"), "http://127.0.0.1:9"));
    json_free(d);
    (void)snprintf(path, sizeof path, "/421614/workerpools/%s", addr_checksum(&hub).s);
    json_free(ask_status("GET", path, NULL, slice_of(NULL, 0), 404));
    (void)snprintf(path, sizeof path, "/v1/workerpools/%s", addr_checksum(&pool).s);
    json_free(get(path));
    json_free(get("/version"));
    json_free(get("/metrics?chainId=421614"));
}

/* An answer's address, or NULL: then the status is 404. */
static void expect_app(const char *path, const char *address) {
    if (!address) {
        json_free(ask_status("GET", path, NULL, slice_of(NULL, 0), 404));
        return;
    }
    struct json *d = get(path);
    assert_true(slice_is(vec_str(json_root(d), "address"), address));
    json_free(d);
}

FIBER_TEST(compass_names_the_apps_of_its_file_as_it_is_now) {
    static const char app[] = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
    struct sr_err e = {0};
    cleanup_free char *file = path_join(folder, "apps.json");
    assert_non_null(file);
    expect_app("/421614/iapps/web3mail", NULL); /* no file is known */
    mk->apps_file = file;
    expect_app("/421614/iapps/web3mail", NULL); /* nothing was installed */
    cleanup_buf struct buf b;
    buf_init(&b, 1024);
    buf_printf(&b, "{\"apps\":{\"web3mail\":\"%s\",\"bad\":\"0x12\"},\"whitelists\":{}}", app);
    assert_ok(fs_write_atomic(file, buf_slice(&b), 0600, &e));
    expect_app("/421614/iapps/web3mail", app);
    expect_app("/421614/iapps/web3mail-tdx", app);
    expect_app("/421614/iapps/web3telegram-tdx", NULL);
    expect_app("/421614/iapps/bad", NULL);
    expect_app("/421614/iapps/-tdx", NULL);
    expect_app("/1/iapps/web3mail", NULL); /* another chain */
    assert_ok(fs_write_atomic(file, SLICE_LIT("{\"apps\":"), 0600, &e));
    json_free(
        ask_status("GET", "/421614/iapps/web3mail", NULL, slice_of(NULL, 0), 500)); /* no JSON */
    mk->apps_file = NULL;
    assert_int_equal(unlink(file), 0);
}

FIBER_TEST(books_filter_as_the_official_one) {
    struct addr app = make_app(ALICE, "books"), data = make_data(CAROL, "books");
    const struct addr w = pool, bob = signers[BOB].addr;
    char path[512];
    struct poco_order o = data_order(&data, &nobody, 2);
    (void)publish(CAROL, &o); /* public */
    o = data_order(&data, &app, 5);
    o.dataset.datasetprice = u256_of(3);
    (void)publish(CAROL, &o); /* for the app */
    o = data_order(&data, &app, POCO_SAFE_MAX);
    o.dataset.requesterrestrict = bob;
    o.dataset.tag = tag_of(0x109);
    (void)publish(CAROL, &o); /* for app and bob, bulk, gpu */
    (void)w;
    const char *d = addr_checksum(&data).s;
    char ds[43], as[43], bs[43];
    memcpy(ds, d, 43);
    memcpy(as, addr_checksum(&app).s, 43);
    memcpy(bs, addr_checksum(&bob).s, 43);
#define COUNT(want, fmt, ...)                                                                      \
    do {                                                                                           \
        (void)snprintf(path, sizeof path, "/datasetorders?chainId=421614&dataset=%s" fmt, ds,      \
                       ##__VA_ARGS__);                                                             \
        assert_int_equal(count_of(path), want);                                                    \
    } while (0)
    COUNT(1, ""); /* absent: public only */
    COUNT(2, "&app=any");
    COUNT(3, "&app=any&requester=any");
    COUNT(2, "&app=%s", as);
    COUNT(1, "&app=%s&isAppStrict=true", as);
    COUNT(3, "&app=%s&requester=%s", as, bs);
    COUNT(1, "&app=%s&requester=%s&isRequesterStrict=true", as, bs);
    COUNT(1, "&isAppStrict=true");
    COUNT(1, "&app=any&requester=any&bulkOnly=true");
    COUNT(2, "&app=any&requester=any&minVolume=5");
    COUNT(1, "&app=any&requester=any&minTag=0x%064x", 0x100);
    COUNT(3, "&app=any&requester=any&minTag=0x%064x", 9);
    COUNT(2, "&app=any&requester=any&maxTag=0x%064x", 9);
    COUNT(0, "&app=any&requester=any&maxTag=0x%064x", 0);
    COUNT(0, "&app=any&requester=any&minTag=0x80%062x", 0);
    COUNT(3, "&app=any&requester=any&maxTag=0x80%059x109", 0);
    COUNT(1, "&workerpool=%s", as);
    (void)snprintf(path, sizeof path,
                   "/datasetorders?chainId=421614&datasetOwner=%s&app=any&requester=any",
                   addr_text(&signers[CAROL].addr).s + 2);
    assert_int_equal(count_of(path), 3);
    /* order: price, time; nextPage exactly when the page is full */
    for (unsigned i = 0; i < 8; i++) {
        o = data_order(&data, &nobody, 1);
        o.dataset.datasetprice = u256_of(20 - i);
        (void)publish(CAROL, &o);
    }
    (void)snprintf(path, sizeof path,
                   "/datasetorders?chainId=421614&dataset=%s&app=any&requester=any&pageSize=10",
                   ds);
    struct json *j = get(path);
    uint64_t last = 0;
    const struct json_val *list = json_get(json_root(j), "orders");
    assert_int_equal(json_len(list), 10);
    for (const struct json_val *v = json_first(list); v; v = json_next(v)) {
        uint64_t price = vec_u64(json_get(v, "order"), "datasetprice");
        assert_true(price >= last);
        last = price;
        bool b;
        assert_true(json_bool(json_get(v, "bulk"), &b));
    }
    assert_int_equal(vec_u64(json_root(j), "nextPage"), 10);
    json_free(j);
    (void)snprintf(path, sizeof path,
                   "/datasetorders?chainId=421614&dataset=%s&app=any&requester=any&pageSize=10&"
                   "pageIndex=1",
                   ds);
    j = get(path);
    assert_int_equal(json_len(json_get(json_root(j), "orders")), 1);
    assert_null(json_get(json_root(j), "nextPage"));
    json_free(j);
    /* our own list */
    (void)snprintf(path, sizeof path, "/v1/datasets/%s", ds);
    j = get(path);
    assert_true(slice_is(vec_str(json_root(j), "multiaddr"),
                         "/p2p/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ"));
    assert_int_equal(json_len(json_get(json_root(j), "schema")), 3);
    json_free(j);
}

/* A deal for one of everything; the four hashes in h. */
FIBER_TEST(a_deal_consumes_its_orders_and_is_listed) {
    struct sr_err e = {0};
    struct addr app = make_app(ALICE, "deal"), data = make_data(CAROL, "deal");
    struct hash h[4], deal = make_deal(&app, &data, 2, h);
    order_is(POCO_APP, &h[0], "open", 1);
    order_is(POCO_DATASET, &h[1], "filled", 0);
    order_is(POCO_WORKERPOOL, &h[2], "filled", 0);
    order_is(POCO_REQUEST, &h[3], "filled", 0);
    char path[256];
    (void)snprintf(path, sizeof path, "/deals/%s?chainId=421614", hash_text(&deal).s);
    struct json *d = get(path);
    const struct json_val *r = json_root(d);
    struct addr who = vec_addr(r, "requester");
    assert_addr_is(who, signers[BOB].addr);
    assert_int_equal(vec_u64(r, "volume"), 2);
    assert_int_equal(vec_u64(r, "trust"), 1);
    json_free(d);
    static const char *const filters[] = {"requestorderHash", "apporderHash", "datasetorderHash",
                                          "workerpoolorderHash"};
    static const unsigned which[] = {3, 0, 1, 2};
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "/deals?chainId=421614&%s=%s", filters[i],
                       hash_text(&h[which[i]]).s);
        assert_int_equal(count_of(path), 1);
    }
    (void)snprintf(path, sizeof path, "/deals?chainId=421614&requester=%s&dataset=%s",
                   addr_checksum(&signers[BOB].addr).s, addr_checksum(&data).s);
    assert_int_equal(count_of(path), 1);
    (void)snprintf(path, sizeof path, "/v1/deals?app=%s", addr_checksum(&app).s);
    assert_int_equal(count_of(path), 1);

    /* a task begins */
    struct buf b;
    buf_init(&b, 4096);
    assert_ok(poco_enc_initialize(&b, &deal, u256_of(0), &e));
    struct eth_receipt rc = send(WORKER, &hub, &b);
    eth_receipt_done(&rc);
    buf_done(&b);
    struct hash task = poco_task_id(&deal, u256_of(0));
    (void)snprintf(path, sizeof path, "/v1/tasks/%s", hash_text(&task).s);
    d = get(path);
    assert_int_equal(vec_u64(json_root(d), "status"), 1);
    struct hash of = vec_hash(json_root(d), "deal");
    assert_hash_is(of, deal);
    json_free(d);
    (void)snprintf(path, sizeof path, "/v1/deals/%s", hash_text(&deal).s);
    d = get(path);
    assert_int_equal(json_len(json_get(json_root(d), "tasks")), 1);
    json_free(d);
    (void)snprintf(path, sizeof path, "/ohlc?chainId=421614&category=0");
    d = get(path);
    assert_true(json_len(json_get(json_root(d), "ohlc")) >= 1);
    json_free(d);
}

FIBER_TEST(what_a_reorg_takes_back_the_book_takes_back) {
    struct sr_err e = {0};
    char id[80];
    struct addr app = make_app(ALICE, "reorg"), data = make_data(CAROL, "reorg");
    struct poco_order o = data_order(&data, &app, 7);
    struct hash h = publish(CAROL, &o);
    snapshot(id);
    struct buf b;
    buf_init(&b, 1u << 16);
    assert_ok(poco_enc_manage(&b, &o, POCO_OP_CLOSE, slice_of(NULL, 0), &e));
    struct eth_receipt rc = send(CAROL, &mk->poco.hub, &b);
    eth_receipt_done(&rc);
    order_is(POCO_DATASET, &h, "canceled", 0);
    refused(CAROL, &o, "order already published");
    struct addr later = make_data(CAROL, "only on a dead branch");
    take_back(id);
    order_is(POCO_DATASET, &h, "open", 7);
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/datasets/%s", addr_checksum(&later).s);
    json_free(ask_status("GET", path, NULL, slice_of(NULL, 0), 404));

    /* a deal that vanishes gives the orders back */
    snapshot(id);
    struct hash hs[4], deal = make_deal(&app, &data, 2, hs);
    order_is(POCO_REQUEST, &hs[3], "filled", 0);
    take_back(id);
    order_is(POCO_REQUEST, &hs[3], "open", 2);
    (void)snprintf(path, sizeof path, "/deals/%s?chainId=421614", hash_text(&deal).s);
    json_free(ask_status("GET", path, NULL, slice_of(NULL, 0), 404));
    buf_done(&b);
}

FIBER_TEST(orders_die_with_ownership_and_stake_and_what_they_need) {
    struct sr_err e = {0};
    struct addr app = make_app(ALICE, "die"), data = make_data(CAROL, "die");
    struct poco_order a = app_order(&app, 3), d = data_order(&data, &app, 3),
                      r = request_order(BOB, &app, &data, 1);
    struct hash ha = publish(ALICE, &a), hd = publish(CAROL, &d), hr = publish(BOB, &r);
    order_is(POCO_REQUEST, &hr, "open", 1);
    struct buf b;
    buf_init(&b, 1u << 16);
    assert_ok(erc721_enc_transfer(&b, &signers[CAROL].addr, &signers[DAVE].addr, &data, &e));
    struct eth_receipt rc = send(CAROL, &mk->poco.dataset_registry, &b);
    eth_receipt_done(&rc);
    order_is(POCO_DATASET, &hd, "dead", 3);
    order_is(POCO_REQUEST, &hr, "dead", 1); /* nothing left to match */
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/datasets?owner=%s",
                   addr_checksum(&signers[DAVE].addr).s);
    assert_true(count_of(path) >= 1);
    refused(CAROL, &d, "only order signer");
    (void)ha;

    /* a workerpool order that costs, and a stake that goes */
    struct addr token = mk->poco.token;
    buf_clear(&b);
    assert_ok(poco_enc_approve_and_call(&b, &hub, u256_of(1000), slice_of(NULL, 0), &e));
    rc = send(OPERATOR, &token, &b);
    eth_receipt_done(&rc);
    struct poco_account acc;
    assert_ok(poco_view_account(&mk->poco, &signers[OPERATOR].addr, (struct eth_at){0}, &acc, &e));
    struct poco_order w = pool_order(10);
    uint64_t stake;
    assert_true(u256_to_u64(acc.stake, &stake));
    w.workerpool.workerpoolprice = u256_of(stake / 10 * 100 / 30 + 100);
    assert_ok(poco_salt(&w, &e));
    assert_ok(poco_order_sign(&w, &mk->poco.domain, &keys[OPERATOR], &e));
    refused(OPERATOR, &w, "workerpool owner's stake is too low");
    w.workerpool.workerpoolprice = u256_of(stake / 10 * 100 / 30);
    struct hash hw = publish(OPERATOR, &w);
    buf_clear(&b);
    assert_ok(poco_enc_withdraw(&b, u256_of(stake / 2), &e));
    rc = send(OPERATOR, &hub, &b);
    eth_receipt_done(&rc);
    order_is(POCO_WORKERPOOL, &hw, "dead", 10);
    buf_done(&b);
}

/* ---- being told */

struct ear {
    struct buf text;
    struct fcond more;
    bool over;
    char url[256];
};
static sr_status hear(void *arg, struct slice data, struct sr_err *err) {
    struct ear *ear = arg;
    buf_add(&ear->text, data);
    fcond_wake(&ear->more);
    return ear->over ? sr_fail(err, SR_E_CANCELLED, "enough") : SR_OK;
}
static void listen_events(void *arg) {
    struct ear *ear = arg;
    struct http_answer a = {0};
    const struct http_call c = {.url = ear->url, .on_data = hear, .arg = ear, .timeout_ms = 20000};
    if (http_fetch(&c, &a, NULL) == SR_OK) http_answer_done(&a);
    ear->over = true;
    fcond_wake(&ear->more);
}

FIBER_TEST(a_client_is_told_of_its_deals_tasks) {
    struct sr_err e = {0};
    struct addr app = make_app(ALICE, "events"), data = make_data(CAROL, "events");
    struct hash h[4], deal = make_deal(&app, &data, 1, h);
    static struct ear ear;
    buf_init(&ear.text, 1u << 20);
    (void)snprintf(ear.url, sizeof ear.url, "%s/v1/events?deal=%s", base, hash_text(&deal).s);
    assert_ok(fiber_start(listen_events, &ear, &e));
    while (!strstr(buf_cstr(&ear.text), "event: deal")) assert_ok(fcond_wait(&ear.more, 5000, &e));
    struct buf b;
    buf_init(&b, 4096);
    assert_ok(poco_enc_initialize(&b, &deal, u256_of(0), &e));
    struct eth_receipt rc = send(WORKER, &hub, &b);
    eth_receipt_done(&rc);
    buf_done(&b);
    while (!strstr(buf_cstr(&ear.text), "\"status\":1")) assert_ok(fcond_wait(&ear.more, 5000, &e));
    ear.over = true; /* the next piece ends it */
    anvil_do(mk->rpc, "evm_mine", "[]");
}

/* Built again from the first block, in a file, whatever the first one is in. */
FIBER_TEST(the_index_is_the_same_when_built_again) {
    struct sr_err e = {0};
    char copy[80];
    (void)snprintf(copy, sizeof copy, "%s/again.db", folder);
    struct market *old = mk;
    struct market_opts o = options();
    o.path = copy;
    struct market *again;
    struct hash a, b;
    assert_ok(market_start(&o, &again, &e));
    while (!again->caught_up || again->head < old->head)
        assert_ok(fcond_wait(&again->changed, 20000, &e));
    assert_ok(index_digest(old->read, old->head, &a, &e));
    assert_ok(index_digest(again->db, old->head, &b, &e));
    assert_hash_is(a, b);
    assert_ok(db_run(again->db, "UPDATE deal SET price = price + 1", DB_NO_ARGS, &e));
    assert_ok(index_digest(again->db, old->head, &b, &e));
    assert_false(hash_eq(&a, &b)); /* it sees every row */
    eth_follow_stop(again->follower);
    assert_ok(fiber_sleep(100, &e));
    market_stop(again);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(parameters_have_the_official_messages),
        cmocka_unit_test(what_the_chain_had_before_is_indexed),
        cmocka_unit_test(compass_names_the_apps_of_its_file_as_it_is_now),
        cmocka_unit_test(books_filter_as_the_official_one),
        cmocka_unit_test(a_deal_consumes_its_orders_and_is_listed),
        cmocka_unit_test(what_a_reorg_takes_back_the_book_takes_back),
        cmocka_unit_test(orders_die_with_ownership_and_stake_and_what_they_need),
        cmocka_unit_test(a_client_is_told_of_its_deals_tasks),
        cmocka_unit_test(the_index_is_the_same_when_built_again),
    };
    return cmocka_run_group_tests_name("market", t, setup, teardown);
}
