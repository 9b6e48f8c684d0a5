/* SPDX-License-Identifier: Apache-2.0 */
/* Where the orders of a deal come from when they are not the transaction's own call, and the lists
 * of a bulk. */
#include "chain_world.h"

/* A store of two files, by their CIDs. */
static struct kept_file {
    struct buf bytes;
    char cid[128];
} kept[2];

static void keep_file(struct kept_file *k) {
    struct dag_result dag;
    must(dag_of_bytes(buf_slice(&k->bytes), &dag, NULL));
    (void)snprintf(k->cid, sizeof k->cid, "%s", cid_text(&dag.cid).s);
}

static sr_status give_file(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    for (size_t i = 0; i < SR_ARRAY_LEN(kept); i++)
        if (slice_is(http_param(rq, "cid"), kept[i].cid))
            return http_reply(rq, 200, "application/octet-stream", buf_slice(&kept[i].bytes), err);
    return sr_fail(err, SR_E_NOTFOUND, "no such file");
}

/* A data set order as somebody may put it into a list, signed by its owner. */
static struct poco_order list_order(struct addr data, uint64_t price, unsigned tag) {
    struct poco_order o = {
        .kind = POCO_DATASET,
        .dataset = {.dataset = data,
                    .datasetprice = u256_of(price),
                    .volume = u256_of(POCO_SAFE_MAX),
                    .tag = tag_of(tag)},
    };
    must(poco_salt(&o, NULL));
    must(poco_order_sign(&o, &W.poco.domain, &W.alice, NULL));
    return o;
}

static const char *bulk_code(struct sms_chain *c, const char *cid) {
    struct hash task, tx;
    struct sms_facts *f = NULL;
    const char *code = NULL;
    char params[200];
    struct sr_err e = {0};
    (void)snprintf(params, sizeof params, "{\"bulk_cid\":\"%s\"}", cid);
    make_orders(5, false);
    W.orders[POCO_REQUEST].request.params = slice_str(params);
    must(poco_order_sign(&W.orders[POCO_REQUEST], &W.poco.domain, &W.bob, NULL));
    match(false, false, &task, &tx);
    sr_status st = sms_chain_facts(c, &task, &tx, &f, &code, &e);
    if (st != SR_OK) return code;
    static const char *const want[] = {NULL,
                                       "DATASET_REPEATED",
                                       "DATASET_ORDER_NOT_BULK",
                                       "DATASET_ORDER_INVALID",
                                       "DATASET_UNKNOWN",
                                       "DATASET_ORDER_MALFORMED"};
    assert_int_equal(f->n_bulk, SR_ARRAY_LEN(want));
    for (size_t i = 0; i < SR_ARRAY_LEN(want); i++) {
        const char *got = f->bulk[i].outcome;
        if (!want[i] != !got || (got && strcmp(got, want[i]) != 0))
            fail_msg("%zu: %s, not %s", i, got ? got : "-", want[i] ? want[i] : "-");
    }
    sms_facts_free(f);
    return NULL;
}

FIBER_TEST(a_bulk_tells_what_is_wrong_with_each_order_of_its_list) {
    static const struct http_route routes[] = {{"GET", "/ipfs/{cid}", give_file, 0}};
    const struct http_opts opts = {.routes = routes, .n_routes = 1};
    struct http_server *server;
    struct sms_chain *with_store;
    char url[64];
    must(http_serve(&opts, "127.0.0.1", 0, -1, &server, NULL));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", http_server_port(server));
    const struct sms_chain_opts o = {
        .rpc = A.http, .store = url, .chain_id = CHAIN_ID, .hub = W.hub};
    must(sms_chain_new(&o, &with_store, NULL));
    cleanup_buf struct buf b, m;
    struct hash sum = {{7}};
    buf_init(&b, 8192);
    buf_init(&m, 200);
    must(multiaddr_bytes(SLICE_LIT("/ipfs/Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"), &m,
                         NULL));
    struct addr data[3];
    for (uint8_t i = 0; i < 3; i++) {
        char name[8] = {'d', (char)('0' + i)};
        buf_clear(&b);
        must(
            poco_enc_create_dataset(&b, &W.alice_addr, slice_str(name), buf_slice(&m), &sum, NULL));
        data[i] = create(POCO_DATASET, &W.alice, &b);
    }
    const unsigned tag = POCO_TAG_TEE | POCO_TAG_TDX;
    const struct poco_order orders[] = {
        list_order(data[0], 0, tag),
        list_order(data[0], 0, tag),                    /* twice */
        list_order(data[1], 5, tag),                    /* not free */
        list_order(data[2], 0, POCO_TAG_TEE | 1u << 8), /* asks for a GPU */
        list_order(W.carol_addr, 0, tag),               /* a person, no data */
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(kept); i++) buf_init(&kept[i].bytes, 1u << 16);
    struct jw w = jw_of(&kept[0].bytes);
    jw_arr(&w);
    for (size_t i = 0; i < SR_ARRAY_LEN(orders); i++) poco_order_json(&w, &orders[i], true, true);
    jw_obj(&w);
    jw_kaddr(&w, "dataset", &W.data);
    jw_end_obj(&w);
    jw_end_arr(&w);
    keep_file(&kept[0]);
    buf_printf(&kept[1].bytes, "[\"%s\"]", kept[0].cid);
    keep_file(&kept[1]);
    assert_null(bulk_code(with_store, kept[1].cid));
    /* Lists that are none, or that nobody has. */
    const char *code = bulk_code(with_store, kept[0].cid);
    assert_string_equal(code, "BULK_LIST_UNAVAILABLE");
    code = bulk_code(with_store, "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD");
    assert_string_equal(code, "BULK_LIST_UNAVAILABLE");
    for (size_t i = 0; i < SR_ARRAY_LEN(kept); i++) buf_done(&kept[i].bytes);
    http_server_close(server);
    sms_chain_free(with_store);
}

/* A market that knows the orders at hand, by hash; `lies` gives another one instead. */
static bool lies;
static sr_status give_order(struct http_req *rq, void *role, struct sr_err *err) {
    cleanup_buf struct buf out;
    struct slice want = http_param(rq, "hash");
    (void)role;
    buf_init(&out, 1u << 16);
    for (int k = 0; k < POCO_KINDS; k++) {
        struct poco_order o = W.orders[k];
        struct hash h = poco_order_hash(&W.poco.domain, &o);
        if (!slice_is(want, hash_text(&h).s)) continue;
        if (lies && k == POCO_APP) o.app.volume = u256_of(7);
        struct jw w = jw_of(&out);
        jw_obj(&w);
        jw_kbool(&w, "ok", true);
        jw_key(&w, "order");
        poco_order_json(&w, &o, true, true);
        jw_end_obj(&w);
        return http_reply_json(rq, 200, &out, err);
    }
    return sr_fail(err, SR_E_NOTFOUND, "no such order");
}

/* Calls the hub with what follows the first four bytes: nobody can read orders from its calldata.
 */
static void match_through_contract(struct hash *task, struct hash *tx) {
    static const struct addr at = {{0xc0, 0xde}};
    cleanup_buf struct buf params, call;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash deal;
    struct u256 volume;
    buf_init(&params, 1000);
    buf_init(&call, 1u << 16);
    buf_printf(&params,
               "[\"%s\",\"0x600436036004600037600060006004360360006000"
               "73%s5af100\"]",
               addr_text(&at).s, addr_text(&W.hub).s + 2);
    anvil_do(W.rpc, "anvil_setCode", buf_cstr(&params));
    buf_put(&call, "junk", 4);
    must(poco_enc_match(&call, &W.orders[0], &W.orders[1], &W.orders[2], &W.orders[3], NULL));
    send(&W.bob, &at, &call, &r);
    must(poco_receipt_deal(&W.poco, &r, &deal, &volume, NULL));
    *task = poco_task_id(&deal, u256_of(0));
    *tx = r.tx;
}

/* A contract that calls another: execute(address,bytes). The deal's task; the transaction. */
static void match_by_wallet(struct hash *task, struct hash *tx) {
    static const struct addr at = {{0xc0, 0xdf}};
    cleanup_buf struct buf params, inner, call;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash deal;
    struct u256 volume;
    buf_init(&params, 1000);
    buf_init(&inner, 1u << 16);
    buf_init(&call, 1u << 16);
    /* copies the bytes (their length at 68, they at 100) and calls the address at 4 with them */
    buf_printf(&params, "[\"%s\",\"0x6044358060646000376000600082600060006004355af100\"]",
               addr_text(&at).s);
    anvil_do(W.rpc, "anvil_setCode", buf_cstr(&params));
    must(poco_enc_match(&inner, &W.orders[0], &W.orders[1], &W.orders[2], &W.orders[3], NULL));
    const struct abi_val args[] = {av_addr(&W.hub), av_bytes(buf_slice(&inner))};
    must(abi_encode_call(&call, "execute(address,bytes)", args, 2, NULL));
    send(&W.bob, &at, &call, &r);
    must(poco_receipt_deal(&W.poco, &r, &deal, &volume, NULL));
    *task = poco_task_id(&deal, u256_of(0));
    *tx = r.tx;
}

FIBER_TEST(orders_matched_by_a_contract_wallet_are_in_its_own_call) {
    struct sms_facts *f = NULL;
    struct hash task, tx;
    const char *code = NULL;
    struct sr_err e = {0};
    make_orders(5, true);
    match_by_wallet(&task, &tx);
    if (sms_chain_facts(W.chain, &task, &tx, &f, &code, &e) != SR_OK) fail_msg("%s", e.what);
    for (int k = 0; k < POCO_KINDS; k++) {
        if (k == POCO_WORKERPOOL) continue;
        const struct poco_order *got = k == POCO_APP       ? &f->app_order
                                       : k == POCO_DATASET ? &f->dataset_order
                                                           : &f->request_order;
        struct hash a = poco_order_hash(&W.poco.domain, got),
                    b = poco_order_hash(&W.poco.domain, &W.orders[k]);
        assert_true(hash_eq(&a, &b));
    }
    sms_facts_free(f);
}

FIBER_TEST(orders_matched_by_a_contract_come_from_the_market) {
    static const struct http_route routes[] = {{"GET", "/{orders}/{hash}", give_order, 0}};
    const struct http_opts opts = {.routes = routes, .n_routes = 1};
    struct http_server *server;
    struct sms_chain *with_market;
    struct sms_facts *f = NULL;
    struct hash task, tx;
    const char *code = NULL;
    char url[64];
    must(http_serve(&opts, "127.0.0.1", 0, -1, &server, NULL));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", http_server_port(server));
    const struct sms_chain_opts o = {
        .rpc = A.http, .market = url, .chain_id = CHAIN_ID, .hub = W.hub};
    must(sms_chain_new(&o, &with_market, NULL));
    make_orders(5, true);
    match_through_contract(&task, &tx);
    struct sr_err e = {0};
    assert_int_equal(sms_chain_facts(W.chain, &task, &tx, &f, &code, &e), SR_E_NOTFOUND);
    assert_string_equal(code, "ORDERS_UNKNOWN");
    must(sms_chain_facts(with_market, &task, &tx, &f, &code, NULL));
    assert_true(addr_eq(&f->dataset_order.dataset.dataset, &W.data));
    assert_true(slice_is(f->request_order.request.params, "{\"iexec_args\":\"x\"}"));
    sms_facts_free(f);
    lies = true; /* the hub's event knows better */
    memset(&e, 0, sizeof e);
    assert_int_equal(sms_chain_facts(with_market, &task, &tx, &f, &code, &e), SR_E_NOTFOUND);
    assert_string_equal(code, "ORDERS_UNKNOWN");
    lies = false;
    http_server_close(server);
    sms_chain_free(with_market);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_world_is_made),
        cmocka_unit_test(a_bulk_tells_what_is_wrong_with_each_order_of_its_list),
        cmocka_unit_test(orders_matched_by_a_contract_wallet_are_in_its_own_call),
        cmocka_unit_test(orders_matched_by_a_contract_come_from_the_market),
    };
    return cmocka_run_group_tests_name("sms/chain orders", t, NULL, teardown);
}
