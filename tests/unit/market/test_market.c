/* SPDX-License-Identifier: Apache-2.0 */
/* The market against a real chain with our contracts, asked by HTTP. */
#include "market/gql.h"
#include "world.h"

/* ---- tests */

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

/* ---- the subgraphs */

FIBER_TEST(the_subgraphs_answer_what_explorer_and_sdk_ask) {
    struct addr app = make_app(ALICE, "graph's \"app\""), data = make_data(CAROL, "graph data");
    struct hash h[4], deal = make_deal(&app, &data, 2, h);
    struct sr_err e = {0};
    struct buf b;
    buf_init(&b, 4096);
    assert_ok(poco_enc_initialize(&b, &deal, u256_of(0), &e));
    struct eth_receipt rc = send(WORKER, &hub, &b);
    struct hash tx = rc.tx;
    eth_receipt_done(&rc);
    buf_done(&b);
    char vars[1024];

    /* DataProtector's own documents */
    const char *mine = "query ($start: Int!, $range: Int!, $where: ProtectedData_filter) { "
                       "protectedDatas(where: $where skip: $start first: $range orderBy: "
                       "creationTimestamp orderDirection: desc) { id name owner { id } schema { id "
                       "} creationTimestamp multiaddr } }";
    (void)snprintf(vars, sizeof vars,
                   "{\"where\":{\"and\":[{\"id\":\"%s\"},{\"owner\":\"%s\"},{"
                   "\"creationTimestamp_gte\":1},{\"or\":[{\"schema_contains\":[\"x:f64\"]},{"
                   "\"schema_contains\":[\"a.file:string\"]}]}]},\"start\":0,\"range\":50}",
                   addr_text(&data).s, addr_text(&signers[CAROL].addr).s);
    struct json *d = gql("dataprotector", mine, vars);
    const struct json_val *l = data_of(d, "protectedDatas"), *p = json_at(l, 0);
    assert_int_equal(json_len(l), 1);
    struct addr id = vec_addr(p, "id"), owner = vec_addr(json_get(p, "owner"), "id");
    assert_addr_is(id, data);
    assert_addr_is(owner, signers[CAROL].addr);
    assert_int_equal(json_len(json_get(p, "schema")), 2);
    assert_true(slice_is(vec_str(json_at(json_get(p, "schema"), 0), "id"), "a.file:string"));
    assert_true(slice_starts(vec_str(p, "multiaddr"), "0xa50322"));
    assert_true(json_is(json_get(p, "creationTimestamp"), JSON_STRING));
    json_free(d);
    d = gql("dataprotector", mine, "{\"start\":0,\"range\":1000}");
    assert_true(json_len(data_of(d, "protectedDatas")) >= 2);
    json_free(d);
    (void)snprintf(vars, sizeof vars,
                   "{\"requiredSchema\":[\"a.file:string\",\"b:bool\"],\"id\":[\"%s\",\"0x00\"],"
                   "\"start\":0,\"range\":1000}",
                   addr_text(&data).s);
    d = gql(
        "dataprotector",
        "query GetValidContacts($requiredSchema: [String!]! $id: [String!]! $start: Int! $range: "
        "Int!) { protectedDatas(where: {transactionHash_not: \"0x\" schema_contains: "
        "$requiredSchema id_in: $id} skip: $start first: $range orderBy: creationTimestamp "
        "orderDirection: desc) { id name } }",
        vars);
    assert_int_equal(json_len(data_of(d, "protectedDatas")), 1);
    json_free(d);
    cleanup_buf struct buf many; /* as Web3Mail's client names all contacts at once */
    buf_init(&many, GQL_BODY_MAX);
    buf_printf(&many, "{\"id\":[\"%s\"", addr_text(&data).s);
    for (unsigned i = 0; i < 15000; i++) buf_printf(&many, ",\"0x%040x\"", i);
    buf_str(&many, "]}");
    d = gql("dataprotector",
            "query($id: [String!]!) { protectedDatas(where: {id_in: $id}) { id } }",
            buf_cstr(&many));
    assert_int_equal(json_len(data_of(d, "protectedDatas")), 1);
    json_free(d);
    (void)snprintf(vars, sizeof vars, "{\"datasetAddress\":\"%s\"}", addr_text(&data).s);
    d = gql(
        "dataprotector",
        "query DatasetSchema($datasetAddress: ID!) { protectedData(id: $datasetAddress) { schema "
        "{ path type } collection { id } rentals { id } } }",
        vars);
    assert_true(slice_is(
        vec_str(json_at(json_get(data_of(d, "protectedData"), "schema"), 1), "path"), "b"));
    json_free(d);
    d = gql("dataprotector", "{ protectedData(id: \"0x12\") { id } collections { id } }", NULL);
    assert_true(json_is(data_of(d, "protectedData"), JSON_NULL));
    json_free(d);

    /* the bulk look-up of a request's deals */
    (void)snprintf(vars, sizeof vars, "{\"where\":{\"requestorder\":\"%s\"}}", hash_text(&h[3]).s);
    d = gql("poco",
            "query ($where: Deal_filter) { deals(where: $where) { tasks { taskId: id bulkSlice { "
            "datasets { id } } } } }",
            vars);
    assert_int_equal(json_len(json_get(json_at(data_of(d, "deals"), 0), "tasks")), 1);
    json_free(d);

    /* the explorer's */
    (void)snprintf(vars, sizeof vars, "{\"dealId\":\"%s\"}", hash_text(&deal).s);
    d = gql(
        "poco",
        "# a comment\nquery Deal($dealId: ID!) { deal(id: $dealId) { dealid: id timestamp "
        "requester { address: id } app { address: id name } dataset { address: id name } "
        "workerpool { address: id description } category { catid: id workClockTimeRef name } "
        "bulk { id } startTime appPrice datasetPrice workerpoolPrice botSize trust "
        "completedTasksCount claimedTasksCount params tag botFirst dealEvents: events(orderBy: "
        "timestamp, orderDirection: asc) { timestamp id type: __typename transaction { id } } "
        "tasks(first: 8, skip: 0, orderBy: index, orderDirection: asc) { taskid: id index status "
        "finalDeadline } tasksHasNext: tasks(first: 1, skip: 8) { taskid: id } requestorder { "
        "deals(where: {id_not: $dealId}) { id } } } }",
        vars);
    p = data_of(d, "deal");
    cleanup_free char *name = slice_dup(vec_str(json_get(p, "app"), "name"));
    assert_string_equal(name, "graph's \"app\"");
    assert_true(slice_is(vec_str(p, "botSize"), "2"));
    assert_true(slice_is(vec_str(p, "workerpoolPrice"), "0"));
    assert_true(json_is(json_get(p, "bulk"), JSON_NULL));
    assert_true(slice_is(vec_str(json_at(json_get(p, "dealEvents"), 0), "type"), "OrdersMatched"));
    assert_true(slice_is(vec_str(json_at(json_get(p, "tasks"), 0), "status"), "ACTIVE"));
    assert_int_equal(json_len(json_get(p, "tasksHasNext")), 0);
    assert_int_equal(json_len(json_get(json_get(p, "requestorder"), "deals")), 0);
    json_free(d);
    struct hash task = poco_task_id(&deal, u256_of(0));
    (void)snprintf(vars, sizeof vars, "{\"taskId\":\"%s\"}", hash_text(&task).s);
    d = gql(
        "poco",
        "query Task($taskId: ID!) { task(id: $taskId) { taskid: id timestamp deal { dealid: id "
        "app { name } } requester { address: id } index status results resultDigest consensus "
        "taskEvents: events(orderBy: timestamp) { timestamp id type: __typename transaction { id "
        "} ... on TaskContribute { worker { id } hash } ... on TaskFinalize { results } ...I } } "
        "} fragment I on TaskInitialize { workerpool { id } }",
        vars);
    p = data_of(d, "task");
    assert_true(json_is(json_get(p, "results"), JSON_NULL));
    const struct json_val *ev = json_at(json_get(p, "taskEvents"), 0);
    struct addr wp = vec_addr(json_get(ev, "workerpool"), "id");
    assert_addr_is(wp, pool);
    assert_null(json_get(ev, "hash"));
    json_free(d);
    (void)snprintf(vars, sizeof vars, "{\"address\":\"%s\"}", addr_text(&signers[BOB].addr).s);
    d = gql("poco",
            "query Address($address: ID!) { account(id: $address) { address: id staked: balance "
            "locked: frozen score apps(first: 1000) { id } contributions(first: 1000) { id } "
            "dealRequester(first: 1000) { id } taskRequester(first: 5, orderBy: timestamp, "
            "orderDirection: desc) { id } } }",
            vars);
    assert_true(json_len(json_get(data_of(d, "account"), "dealRequester")) >= 1);
    assert_true(slice_is(vec_str(data_of(d, "account"), "locked"), "0"));
    json_free(d);
    d = gql(
        "poco",
        "query Apps($length: Int = 20, $skip: Int = 0, $recentFrom: BigInt = 0, $orderBy: "
        "App_orderBy = usageCount, $orderDirection: OrderDirection = desc) { apps(first: $length "
        "skip: $skip orderBy: $orderBy orderDirection: $orderDirection where: "
        "{lastUsageTimestamp_gte: $recentFrom}) { address: id owner { address: id } timestamp "
        "name type multiaddr checksum mrenclave usageCount lastUsageTimestamp transfers(orderBy: "
        "timestamp, orderDirection: desc) { transaction { txHash: id timestamp blockNumber } } } "
        "appsHasNext: apps(first: 1, skip: 1000) { address: id } }",
        NULL);
    assert_true(json_len(data_of(d, "apps")) > 1);
    assert_int_equal(json_len(json_get(json_at(data_of(d, "apps"), 0), "transfers")), 1);
    json_free(d);
    (void)snprintf(vars, sizeof vars, "{\"search\":\"%s\",\"tx\":\"%s\"}", hash_text(&deal).s,
                   hash_text(&tx).s);
    d = gql(
        "poco",
        "query Search($search: ID!, $tx: String!) { app(id: $search) { id } dataset(id: $search) "
        "{ id } deal(id: $search) { id } task(id: $search) { id } account(id: $search) { id } "
        "transaction(id: $search) { id } taskInitializes(where: {transaction: $tx}) { id type: "
        "__typename task { id } } locks(where: {transaction: $tx}) { id value account { id } } "
        "bulkSliceice(where: {datasets_: {id: $search}}, orderBy: task__timestamp, "
        "orderDirection: desc) { task { id } } protocol(id: \"iExec\") { dealsCount tasksCount } "
        "datasets(first: 1 where: {name_contains: \"graph%\"}) { id } categories(orderBy: "
        "workClockTimeRef) { id } }",
        vars);
    assert_true(json_is(data_of(d, "app"), JSON_NULL) && json_is(data_of(d, "deal"), JSON_OBJECT));
    assert_int_equal(json_len(data_of(d, "taskInitializes")), 1);
    assert_int_equal(json_len(data_of(d, "datasets")), 0);
    assert_int_equal(json_len(data_of(d, "categories")), 5);
    json_free(d);

    gql_fails("{ apps { foo } }", "has no field `foo`");
    gql_fails("{ nothing { id } }", "has no field `nothing`");
    gql_fails("{ apps { id }", "Syntax Error");
    gql_fails("{ apps }", "selection");
    gql_fails("{ apps { owner } }", "selection");
    gql_fails("{ apps(first: 1001) { id } }", "first");
    gql_fails("{ apps(skip: 5001) { id } }", "skip");
    gql_fails("{ apps(where: {foo: 1}) { id } }", "foo");
    gql_fails("{ apps(orderBy: foo) { id } }", "foo");
    gql_fails("mutation { apps { id } }", "only queries");
    gql_fails("{ apps { id @include(if: true) } }", "directives");
    gql_fails("{ __schema { types { name } } }", "__schema");
    gql_fails("query A { apps { id } } query B { apps { id } }", "operationName");
    gql_fails("{ apps { ...X } } fragment X on App { ...X }", "deep");
    gql_fails("{ datasets(where: {name: \"'; DROP TABLE deal; --\", foo: 1}) { id } }", "foo");
    d = gql("poco", "{ datasets(where: {name: \"'; DROP TABLE deal; --\"}) { id } }", NULL);
    assert_int_equal(json_len(data_of(d, "datasets")), 0);
    json_free(d);
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

static uint64_t fresh_count(const char *path) {
    counts_flush(mk);
    books_changed_all(mk);
    return count_of(path);
}

static void in_one_transaction(void (*fn)(void)) {
    struct sr_err e = {0};
    struct db_tx tx;
    assert_ok(db_begin(mk->db, &tx, &e));
    fn();
    assert_ok(changes_tell(mk, &e));
    assert_ok(db_commit(&tx, &e));
    changes_committed(mk);
}

static struct hash some[40];
static const struct addr some_app = {{7, 7}};
static unsigned turn;
static void store_some(void) {
    for (unsigned i = 0; i < 40; i++) {
        struct poco_order o = app_order(&some_app, 1 + i % 5);
        o.app.salt.b[0] = (uint8_t)i;
        if (i % 2) o.app.requesterrestrict.b[5] = 1;
        some[i] = poco_order_hash(&mk->poco.domain, &o);
        store_order(&o, &some[i], &some_app, 1 + i % 5, 99);
    }
}
static void change_one(void) {
    struct sr_err e = {0};
    const struct hash *h = &some[turn];
    if (turn % 4 == 0)
        assert_ok(order_set(mk, h, ORDER_CANCELED, 0, 1u << 30, &e));
    else if (turn % 4 == 1)
        assert_ok(order_delete(mk, h, &e));
    else if (turn % 4 == 2)
        assert_ok(order_set(mk, h, ORDER_OPEN, 1, 1u << 30, &e));
}
static void back_again(void) {
    struct sr_err e = {0};
    assert_ok(orders_rollback(mk, (1u << 30) - 1, &e));
}

FIBER_TEST(kept_counts_follow_every_change) {
    const char *paths[] = {"/apporders?chainId=421614&app=any",
                           "/apporders?chainId=421614&app=any&requester=any",
                           ("/apporders?chainId=421614&app=any&requester=any&minTag="
                            "0x0000000000000000000000000000000000000000000000000000000000000009")};
    uint64_t base_count[3];
    for (unsigned i = 0; i < 3; i++) {
        base_count[i] = fresh_count(paths[i]);
        assert_true(base_count[i] >= 500); /* kept */
    }
    for (unsigned i = 0; i < 3; i++) (void)count_of(paths[i]);
    in_one_transaction(store_some);
    assert_int_equal(count_of(paths[0]), base_count[0] + 20);
    assert_int_equal(count_of(paths[1]), base_count[1] + 40);
    assert_int_equal(count_of(paths[2]), base_count[2] + 40);
    for (turn = 0; turn < 40; turn++) {
        in_one_transaction(change_one);
        uint64_t kept = count_of(paths[turn % 3]);
        assert_int_equal(kept, fresh_count(paths[turn % 3]));
        for (unsigned k = 0; k < 3; k++) (void)count_of(paths[k]);
    }
    in_one_transaction(back_again);
    assert_int_equal(count_of(paths[1]), base_count[1] + 30);
}

static void store_many(void) {
    for (unsigned i = 0; i < 5000; i++) {
        struct addr app = {{1, 2, 3, (uint8_t)i, (uint8_t)(i >> 8)}};
        struct poco_order o = app_order(&app, 1 + i);
        o.app.appprice = u256_of(i * 7919 % 1000);
        o.app.salt.b[0] = (uint8_t)i;
        o.app.salt.b[1] = (uint8_t)(i >> 8);
        if (i % 3 == 0) o.app.requesterrestrict.b[0] = 1;
        struct hash h = poco_order_hash(&mk->poco.domain, &o);
        store_order(&o, &h, &app, 1, 1000 + i);
    }
}

/* 5,000 open orders: a page of "any app" without the cache. */
FIBER_TEST(a_page_among_five_thousand_orders_is_quick) {
    in_one_transaction(store_many);
    static const char *const paths[] = {
        "/apporders?chainId=421614&app=any",
        "/apporders?chainId=421614&app=any&requester=any&workerpool=any&dataset=any",
        "/apporders?chainId=421614&app=any&requester="
        "0x0100000000000000000000000000000000000000&pageIndex=3&pageSize=20",
        "/apporders?chainId=421614&app=any&minTag="
        "0x0000000000000000000000000000000000000000000000000000000000000009"};
    for (size_t i = 0; i < SR_ARRAY_LEN(paths); i++) {
        json_free(get(paths[i])); /* statements prepared, pages of the file read */
        int64_t t = clock_mono_us();
        for (unsigned k = 0; k < 20; k++) {
            books_changed_all(mk); /* no ready answer */
            json_free(get(paths[i]));
        }
        int64_t cold = (clock_mono_us() - t) / 20;
        t = clock_mono_us();
        for (unsigned k = 0; k < 20; k++) json_free(get(paths[i]));
        print_message("%-60.60s %lld us, cached %lld us (client and parsing included)\n", paths[i],
                      (long long)cold, (long long)(clock_mono_us() - t) / 20);
        assert_true(cold < 50000);
    }
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
        cmocka_unit_test(parameters_have_the_official_messages),
        cmocka_unit_test(what_the_chain_had_before_is_indexed),
        cmocka_unit_test(compass_names_the_apps_of_its_file_as_it_is_now),
        cmocka_unit_test(publishing_needs_a_challenge_of_ones_own),
        cmocka_unit_test(asking_for_challenges_stores_nothing),
        cmocka_unit_test(a_challenge_grows_old),
        cmocka_unit_test(one_challenge_lets_one_of_many_in),
        cmocka_unit_test(bad_orders_are_refused_with_the_official_words),
        cmocka_unit_test(books_filter_as_the_official_one),
        cmocka_unit_test(a_deal_consumes_its_orders_and_is_listed),
        cmocka_unit_test(what_a_reorg_takes_back_the_book_takes_back),
        cmocka_unit_test(orders_die_with_ownership_and_stake_and_what_they_need),
        cmocka_unit_test(unpublishing_takes_one_the_last_or_all),
        cmocka_unit_test(a_client_is_told_of_its_deals_tasks),
        cmocka_unit_test(the_subgraphs_answer_what_explorer_and_sdk_ask),
        cmocka_unit_test(the_index_is_the_same_when_built_again),
        cmocka_unit_test(the_index_knows_what_the_hub_knows_of_orders),
        cmocka_unit_test(orders_of_many_at_once_are_committed_together),
        cmocka_unit_test(the_cap_of_open_orders_follows_what_comes_and_goes),
        cmocka_unit_test(a_publish_is_quick_and_asks_no_node),
        cmocka_unit_test(a_page_among_five_thousand_orders_is_quick),
        cmocka_unit_test(kept_counts_follow_every_change),
    };
    return cmocka_run_group_tests_name("market", t, setup, teardown);
}
