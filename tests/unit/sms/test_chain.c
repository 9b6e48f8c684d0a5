/* SPDX-License-Identifier: Apache-2.0 */
/* What the chain says about a task: against a real node with the real contracts. */
#include "../eth/anvil.h"
#include "dev_key.h"
#include "eth/sender.h"
#include "ipfs/ipfs.h"
#include "sms/sms_int.h"

#define CHAIN_ID 421614u

/* A call that must go well; says what went wrong. */
#define must(call) assert_int_equal((call), SR_OK)

static struct anvil A;
static struct {
    struct eth_rpc *rpc;
    struct poco poco;
    struct sms_chain *chain;
    struct addr hub, token, pool;
    struct sr_secret alice, bob, carol, operator_key;
    struct addr alice_addr, bob_addr, carol_addr;
    struct addr app, data;
    struct poco_order orders[POCO_KINDS];
} W;

static void send(const struct sr_secret *key, const struct addr *to, const struct buf *data,
                 struct eth_receipt *ret) {
    struct eth_signer signer;
    struct eth_sender *s;
    struct sr_err e = {0};
    must(eth_signer_local(key, &signer, NULL));
    const struct eth_sender_opts o = {.rpc = W.rpc, .signer = &signer};
    must(eth_sender_new(&o, &s, NULL));
    const struct eth_want w = {.to = *to, .data = buf_slice(data), .gas_limit = 5000000};
    if (eth_sender_send(s, &w, 10000, ret, &e) != SR_OK) fail_msg("%s", e.what);
    eth_sender_free(s);
}

static struct addr create(poco_kind kind, const struct sr_secret *key, const struct buf *data) {
    struct eth_receipt r = {0};
    struct addr a;
    send(key, kind == POCO_APP ? &W.poco.app_registry : &W.poco.dataset_registry, data, &r);
    must(poco_receipt_created(&W.poco, kind, &r, &a, NULL));
    eth_receipt_done(&r);
    return a;
}

static void make_resources(void) {
    cleanup_buf struct buf b, m;
    struct hash sum = {{0x12, 0x34}};
    buf_init(&b, 8192);
    buf_init(&m, 200);
    must(multiaddr_bytes(SLICE_LIT("/ipfs/Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"), &m,
                         NULL));
    must(poco_enc_create_app(&b, &W.bob_addr, SLICE_LIT("app"), SLICE_LIT("DOCKER"), buf_slice(&m),
                             &sum, (struct slice){NULL, 0}, NULL));
    W.app = create(POCO_APP, &W.bob, &b);
    buf_clear(&b);
    must(poco_enc_create_dataset(&b, &W.alice_addr, SLICE_LIT("data"), buf_slice(&m), &sum, NULL));
    W.data = create(POCO_DATASET, &W.alice, &b);
}

/* Fresh orders, all with the tag tee,tdx. */
static void make_orders(uint64_t volume, bool with_data) {
    struct poco_order *o = W.orders;
    struct hash tag = tag_of(POCO_TAG_TEE | POCO_TAG_TDX);
    const struct sr_secret *keys[] = {&W.bob, &W.alice, &W.operator_key, &W.bob};
    memset(o, 0, sizeof W.orders);
    for (int k = 0; k < POCO_KINDS; k++) o[k].kind = (poco_kind)k;
    o[0].app = (struct poco_apporder){.app = W.app, .volume = u256_of(100), .tag = tag};
    o[1].dataset = (struct poco_datasetorder){
        .dataset = W.data, .volume = u256_of(volume), .tag = tag, .apprestrict = W.app};
    o[2].workerpool =
        (struct poco_workerpoolorder){.workerpool = W.pool, .volume = u256_of(100), .tag = tag};
    o[3].request = (struct poco_requestorder){.app = W.app,
                                              .dataset = with_data ? W.data : (struct addr){{0}},
                                              .workerpool = W.pool,
                                              .requester = W.bob_addr,
                                              .beneficiary = W.bob_addr,
                                              .volume = u256_of(1),
                                              .tag = tag,
                                              .params = SLICE_LIT("{\"iexec_args\":\"x\"}")};
    for (int k = 0; k < POCO_KINDS; k++) {
        must(poco_salt(&o[k], NULL));
        must(poco_order_sign(&o[k], &W.poco.domain, keys[k], NULL));
    }
}

/* Matches them; the task and the transaction. */
static void match(bool with_data, bool through_token, struct hash *task, struct hash *tx) {
    cleanup_buf struct buf b, outer;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash deal;
    struct u256 volume;
    buf_init(&b, 1u << 16);
    buf_init(&outer, 1u << 16);
    must(poco_enc_match(&b, &W.orders[0], with_data ? &W.orders[1] : NULL, &W.orders[2],
                        &W.orders[3], NULL));
    if (through_token)
        must(poco_enc_approve_and_call(&outer, &W.hub, u256_of(0), buf_slice(&b), NULL));
    send(&W.bob, through_token ? &W.token : &W.hub, through_token ? &outer : &b, &r);
    must(poco_receipt_deal(&W.poco, &r, &deal, &volume, NULL));
    *task = poco_task_id(&deal, u256_of(0));
    *tx = r.tx;
}

static struct sms_facts *facts(const struct hash *task, const struct hash *tx) {
    struct sms_facts *f = NULL;
    struct sr_err e = {0};
    const char *code = NULL;
    if (sms_chain_facts(W.chain, task, tx, &f, &code, &e) != SR_OK)
        fail_msg("%s: %s", code ? code : "", e.what);
    return f;
}

/* Why the deal's orders do not hold for its parties: a group's word on the chain. */
static const char *restricted(const struct hash *task, const struct hash *tx) {
    struct sms_facts *f = facts(task, tx);
    const char *code = f->restricted;
    assert_true(f->groups_checked == (code == NULL));
    sms_facts_free(f);
    return code;
}

/* A contract that answers every question with yes, or with no. */
static void group_says(bool yes) {
    static const char text[] =
        "[\"0xc0c0000000000000000000000000000000000000\",\"0x600%d60005260206000f3\"]";
    char params[200];
    (void)snprintf(params, sizeof params, text, yes);
    anvil_do(W.rpc, "anvil_setCode", params);
}

static void close_order(const struct sr_secret *key, const struct poco_order *o) {
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&b, 1u << 16);
    must(poco_enc_manage(&b, o, POCO_OP_CLOSE, (struct slice){NULL, 0}, NULL));
    send(key, &W.hub, &b, &r);
}

FIBER_TEST(a_deal_and_its_orders_are_read) {
    for (int through = 0; through < 2; through++) {
        struct hash task, tx;
        make_orders(100, true);
        match(true, through, &task, &tx);
        struct sms_facts *f = facts(&task, &tx);
        assert_int_equal(f->status, POCO_TASK_UNSET);
        assert_int_equal(f->index, 0);
        assert_true(f->has_dataset);
        assert_true(addr_eq(&f->deal.dataset.pointer, &W.data));
        assert_true(addr_eq(&f->dataset_owner, &W.alice_addr));
        assert_true(addr_eq(&f->app_owner, &W.bob_addr));
        assert_true(addr_eq(&f->request_order.request.requester, &W.bob_addr));
        assert_true(slice_is(f->request_order.request.params, "{\"iexec_args\":\"x\"}"));
        assert_int_equal(f->dataset_order.sign.n, 65);
        assert_int_equal(f->app.checksum.b[0], 0x12);
        assert_true(f->seconds > 0);
        assert_int_equal(f->contribution_deadline, f->deal.start_time + 7 * f->seconds);
        assert_false(f->dataset_revoked || f->restricted || f->groups_checked);
        assert_false(f->app_presigned || f->dataset_presigned || f->request_presigned);
        sms_facts_free(f);
    }
}

FIBER_TEST(facts_are_read_fast) {
    struct hash task, tx;
    make_orders(100, true);
    match(true, false, &task, &tx);
    int64_t t0 = clock_mono_us();
    for (int i = 0; i < 50; i++) sms_facts_free(facts(&task, &tx));
    print_message("facts: %lld us\n", (long long)(clock_mono_us() - t0) / 50);
}

FIBER_TEST(an_initialized_task_and_one_without_data_are_read) {
    struct hash task, tx;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    make_orders(100, false);
    match(false, false, &task, &tx);
    struct sms_facts *f = facts(&task, &tx);
    assert_false(f->has_dataset);
    buf_init(&b, 4096);
    must(poco_enc_initialize(&b, &f->deal_id, u256_of(0), NULL));
    uint64_t deadline = f->contribution_deadline;
    sms_facts_free(f);
    send(&W.carol, &W.hub, &b, &r);
    f = facts(&task, &tx);
    assert_int_equal(f->status, POCO_TASK_ACTIVE);
    assert_int_equal(f->contribution_deadline, deadline);
    sms_facts_free(f);
}

FIBER_TEST(a_grant_used_up_is_not_a_grant_revoked) {
    struct hash task, tx;
    make_orders(1, true); /* this deal uses it up */
    match(true, false, &task, &tx);
    struct sms_facts *f = facts(&task, &tx);
    assert_false(f->dataset_revoked);
    sms_facts_free(f);
    make_orders(5, true);
    match(true, false, &task, &tx);
    close_order(&W.alice, &W.orders[1]);
    f = facts(&task, &tx);
    assert_true(f->dataset_revoked);
    sms_facts_free(f);
}

FIBER_TEST(an_order_signed_on_the_chain_counts) {
    struct hash task, tx;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    make_orders(5, true);
    W.orders[1].sign.n = 0;
    buf_init(&b, 1u << 16);
    must(poco_enc_manage(&b, &W.orders[1], POCO_OP_SIGN, (struct slice){NULL, 0}, NULL));
    send(&W.alice, &W.hub, &b, &r);
    match(true, false, &task, &tx);
    struct sms_facts *f = facts(&task, &tx);
    assert_true(f->dataset_presigned);
    assert_false(f->app_presigned);
    sms_facts_free(f);
}

/* The groups of app and request say yes when the orders are matched, and no at the release. */
FIBER_TEST(a_group_that_changed_its_mind_restricts_its_order) {
    static const struct addr group = {{0xc0, 0xc0}};
    for (int of_request = 0; of_request < 2; of_request++) {
        struct hash task, tx;
        make_orders(5, true);
        if (of_request)
            W.orders[POCO_REQUEST].request.workerpool = group;
        else
            W.orders[POCO_APP].app.requesterrestrict = group;
        must(poco_order_sign(&W.orders[POCO_APP], &W.poco.domain, &W.bob, NULL));
        must(poco_order_sign(&W.orders[POCO_REQUEST], &W.poco.domain, &W.bob, NULL));
        group_says(true);
        match(true, false, &task, &tx);
        assert_null(restricted(&task, &tx));
        group_says(false);
        const char *code = restricted(&task, &tx);
        assert_non_null(code);
        assert_string_equal(code, of_request ? "REQUEST_ORDER_RESTRICTED" : "APP_ORDER_RESTRICTED");
    }
}

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

FIBER_TEST(transactions_that_made_no_such_deal_are_refused) {
    struct hash task, tx, other_task, other_tx, nothing = {{1}};
    const struct {
        const struct hash *task, *tx;
        const char *code;
    } t[] = {{&task, &nothing, "GET_CHAIN_TASK_FAILED"},
             {&nothing, &tx, "GET_CHAIN_DEAL_FAILED"},
             {&task, &other_tx, "GET_CHAIN_DEAL_FAILED"}};
    make_orders(5, true);
    match(true, false, &task, &tx);
    make_orders(5, true);
    match(true, false, &other_task, &other_tx);
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        struct sms_facts *f;
        const char *code = NULL;
        struct sr_err e = {0};
        assert_int_equal(sms_chain_facts(W.chain, t[i].task, t[i].tx, &f, &code, &e),
                         SR_E_NOTFOUND);
        assert_non_null(code);
        assert_string_equal(code, t[i].code);
    }
}

FIBER_TEST(a_sold_data_set_has_another_owner) {
    struct hash task, tx;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    struct addr owner;
    make_orders(5, true);
    match(true, false, &task, &tx);
    buf_init(&b, 4096);
    must(erc721_enc_transfer(&b, &W.alice_addr, &W.carol_addr, &W.data, NULL));
    send(&W.alice, &W.poco.dataset_registry, &b, &r);
    struct sms_facts *f = facts(&task, &tx);
    assert_true(addr_eq(&f->dataset_owner, &W.carol_addr));
    assert_true(addr_eq(&f->deal.dataset.owner, &W.alice_addr));
    sms_facts_free(f);
    must(sms_chain_owner(W.chain, POCO_DATASET, &W.data, &owner, NULL));
    assert_true(addr_eq(&owner, &W.carol_addr));
    assert_int_equal(sms_chain_owner(W.chain, POCO_APP, &W.data, &owner, NULL), SR_E_NOTFOUND);
    assert_int_equal(sms_chain_owner(W.chain, POCO_APP, &W.carol_addr, &owner, NULL),
                     SR_E_NOTFOUND);
}

FIBER_TEST(a_node_that_is_gone_is_no_refusal) {
    struct hash task = {{1}};
    struct sms_facts *f;
    const char *code = NULL;
    struct sr_err e = {0};
    anvil_kill(&A);
    assert_int_equal(sms_chain_facts(W.chain, &task, &task, &f, &code, &e), SR_E_UNAVAILABLE);
}

FIBER_TEST(the_world_is_made) {
    cleanup_buf struct buf text;
    cleanup_json struct json *doc = NULL;
    struct addr who;
    const char *const state[] = {"--load-state", CHAIN_DIR "/chain-state.json", "--hardfork",
                                 "prague", NULL};
    anvil_start(&A, 0, state);
    buf_init(&text, 1u << 20);
    must(fs_read(CHAIN_DIR "/chain.json", &text, NULL));
    must(json_parse(buf_slice(&text), &doc, NULL));
    const struct json_val *v = json_root(doc), *c = json_get(v, "contracts");
    assert_true(json_addr(json_get(c, "hub"), &W.hub));
    assert_true(json_addr(json_get(c, "rlc"), &W.token));
    assert_true(json_addr(json_get(json_get(v, "workerpool"), "address"), &W.pool));
    key_at(json_get(v, "accounts"), "alice", &W.alice, &W.alice_addr);
    key_at(json_get(v, "accounts"), "bob", &W.bob, &W.bob_addr);
    key_at(json_get(v, "accounts"), "carol", &W.carol, &W.carol_addr);
    key_at(json_get(v, "accounts"), "operator", &W.operator_key, &who);
    must(eth_rpc_new(A.http, &W.rpc, NULL));
    anvil_do(W.rpc, "anvil_setChainId", "[421614]");
    must(poco_open(W.rpc, &W.hub, &W.poco, NULL));
    const struct sms_chain_opts o = {.rpc = A.http, .chain_id = CHAIN_ID, .hub = W.hub};
    must(sms_chain_new(&o, &W.chain, NULL));
    make_resources();
}

static int teardown(void **state) {
    (void)state;
    anvil_kill(&A);
    sms_chain_free(W.chain);
    eth_rpc_free(W.rpc);
    secret_free(&W.alice);
    secret_free(&W.bob);
    secret_free(&W.carol);
    secret_free(&W.operator_key);
    return 0;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_world_is_made),
        cmocka_unit_test(a_deal_and_its_orders_are_read),
        cmocka_unit_test(facts_are_read_fast),
        cmocka_unit_test(an_initialized_task_and_one_without_data_are_read),
        cmocka_unit_test(a_grant_used_up_is_not_a_grant_revoked),
        cmocka_unit_test(an_order_signed_on_the_chain_counts),
        cmocka_unit_test(a_group_that_changed_its_mind_restricts_its_order),
        cmocka_unit_test(a_bulk_tells_what_is_wrong_with_each_order_of_its_list),
        cmocka_unit_test(orders_matched_by_a_contract_wallet_are_in_its_own_call),
        cmocka_unit_test(orders_matched_by_a_contract_come_from_the_market),
        cmocka_unit_test(transactions_that_made_no_such_deal_are_refused),
        cmocka_unit_test(a_sold_data_set_has_another_owner),
        cmocka_unit_test(a_node_that_is_gone_is_no_refusal),
    };
    return cmocka_run_group_tests_name("sms/chain", t, NULL, teardown);
}
