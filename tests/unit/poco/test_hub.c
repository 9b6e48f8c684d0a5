/* SPDX-License-Identifier: Apache-2.0 */
/* The hub's views and refusals, on a real chain with our contracts. */
#define ANVIL_CHAIN_ID "421614"
#include "anvil.h"
#include "eth/eth.h"
#include "poco/poco.h"

static struct anvil node;
static struct json *chain;
static struct eth_rpc *rpc;
static struct poco hub;
static struct sr_secret keys[5];
static struct eth_signer signers[5];
static struct addr pool;
enum { ALICE, BOB, CAROL, DAVE, OPERATOR };
static const struct eth_at now = {0};

static int setup(void **state) {
    (void)state;
    struct sr_err e = {0};
    const char *dir = getenv("STRONGROOM_CHAIN") ? getenv("STRONGROOM_CHAIN") : CHAIN_DIR;
    cleanup_free char *saved = path_join(dir, "chain-state.json"),
                      *info = path_join(dir, "chain.json");
    const char *extra[] = {"--load-state", saved, "--hardfork", "prague", NULL};
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    assert_ok(fs_read(info, &b, &e));
    assert_ok(json_parse(buf_slice(&b), &chain, &e));
    for (size_t i = 0; i < 5; i++) {
        vec_key(vec_str(json_at(json_get(json_root(chain), "accounts"), i), "privateKey"),
                &keys[i]);
        assert_ok(eth_signer_local(&keys[i], &signers[i], &e));
    }
    pool = vec_addr(json_get(json_root(chain), "workerpool"), "address");
    assert_ok(net_init(&e));
    anvil_start(&node, 0, extra);
    assert_ok(eth_rpc_new(node.http, &rpc, &e));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    eth_rpc_free(rpc);
    anvil_kill(&node);
    json_free(chain);
    for (size_t i = 0; i < 5; i++) secret_free(&keys[i]);
    net_done();
    return 0;
}

static struct eth_receipt send(size_t who, const struct addr *to, const struct buf *data) {
    struct sr_err e = {0};
    struct eth_sender *s;
    struct eth_receipt rc = {0};
    const struct eth_sender_opts o = {.rpc = rpc, .signer = &signers[who], .ws_url = node.ws};
    const struct eth_want w = {.to = *to, .data = buf_slice(data)};
    assert_ok(eth_sender_new(&o, &s, &e));
    assert_ok(eth_sender_send(s, &w, 20000, &rc, &e));
    eth_sender_free(s);
    return rc;
}

FIBER_TEST(the_hub_says_its_registries_and_another_address_is_no_hub) {
    struct sr_err e = {0};
    const struct json_val *c = json_get(json_root(chain), "contracts");
    struct addr at = vec_addr(c, "hub"), rlc = vec_addr(c, "rlc"),
                apps = vec_addr(c, "appRegistry"), data = vec_addr(c, "datasetRegistry"),
                pools = vec_addr(c, "workerpoolRegistry");
    assert_ok(poco_open(rpc, &at, &hub, &e));
    assert_int_equal(hub.domain.chain_id, 421614);
    assert_addr_is(hub.token, rlc);
    assert_addr_is(hub.app_registry, apps);
    assert_addr_is(hub.dataset_registry, data);
    assert_addr_is(hub.workerpool_registry, pools);
    struct poco none;
    assert_int_equal(poco_open(rpc, &rlc, &none, &e), SR_E_NOTFOUND);
    assert_true(strlen(e.hint) > 0);
    assert_int_equal(poco_open(rpc, &signers[0].addr, &none, NULL), SR_E_NOTFOUND);
}

FIBER_TEST(what_does_not_exist_is_not_found) {
    struct hash h = {{1}};
    struct addr a = {{2}};
    struct poco_deal d;
    struct poco_task t = {0};
    struct poco_app app;
    struct poco_dataset data;
    struct poco_workerpool wp;
    struct poco_category cat;
    struct u256 n;
    struct sr_err e = {0};
    bool reg;
    assert_int_equal(poco_view_deal(&hub, &h, now, &d, NULL), SR_E_NOTFOUND);
    assert_ok(poco_view_task(&hub, &h, now, &t, &e));
    assert_int_equal(t.status, POCO_TASK_UNSET);
    poco_task_done(&t);
    assert_int_equal(poco_view_app(&hub, &a, now, &app, NULL), SR_E_NOTFOUND);
    assert_int_equal(poco_view_dataset(&hub, &hub.token, now, &data, NULL), SR_E_NOTFOUND);
    assert_int_equal(poco_view_workerpool(&hub, &a, now, &wp, NULL), SR_E_NOTFOUND);
    assert_int_equal(poco_view_category(&hub, 99, now, &cat, NULL), SR_E_NOTFOUND);
    assert_ok(poco_view_consumed(&hub, &h, now, &n, &e));
    assert_true(u256_is_zero(n));
    assert_ok(poco_view_presigned(&hub, &h, now, &a, &e));
    assert_true(addr_is_zero(&a));
    a = (struct addr){{2}};
    assert_ok(poco_owner(&hub, POCO_APP, &a, now, &reg, &a, &e));
    assert_false(reg);
}

static struct addr make_app(size_t owner) {
    struct sr_err e = {0};
    struct buf b;
    struct hash sum = {{7}};
    struct addr want, got;
    buf_init(&b, 4096);
    assert_ok(poco_enc_create_app(&b, &signers[owner].addr, SLICE_LIT("hub test"),
                                  SLICE_LIT("DOCKER"), SLICE_LIT("image"), &sum,
                                  SLICE_LIT("enclave"), &e));
    assert_ok(poco_predict(&hub, POCO_APP, buf_slice(&b), &want, &e));
    struct eth_receipt rc = send(owner, &hub.app_registry, &b);
    assert_ok(poco_receipt_created(&hub, POCO_APP, &rc, &got, &e));
    assert_addr_is(got, want);
    struct hash deal;
    struct u256 volume;
    assert_int_equal(poco_receipt_deal(&hub, &rc, &deal, &volume, NULL), SR_E_NOTFOUND);
    eth_receipt_done(&rc);
    buf_done(&b);
    return got;
}

FIBER_TEST(resources_accounts_and_categories_are_viewed) {
    struct sr_err e = {0};
    struct addr a = make_app(ALICE), owner;
    struct poco_app app;
    bool reg;
    assert_ok(poco_view_app(&hub, &a, now, &app, &e));
    assert_addr_is(app.owner, signers[ALICE].addr);
    assert_true(slice_is(app.name, "hub test") && slice_is(app.type, "DOCKER") &&
                slice_is(app.multiaddr, "image") && slice_is(app.mrenclave, "enclave"));
    assert_int_equal(app.checksum.b[0], 7);
    poco_app_done(&app);
    assert_ok(poco_owner(&hub, POCO_APP, &a, now, &reg, &owner, &e));
    assert_true(reg);
    assert_addr_is(owner, signers[ALICE].addr);
    assert_ok(poco_owner(&hub, POCO_DATASET, &a, now, &reg, &owner, &e));
    assert_false(reg);
    struct poco_workerpool wp;
    assert_ok(poco_view_workerpool(&hub, &pool, now, &wp, &e));
    assert_addr_is(wp.owner, signers[OPERATOR].addr);
    assert_true(wp.scheduler_ratio <= 100);
    poco_workerpool_done(&wp);
    struct poco_category cat;
    assert_ok(poco_view_category(&hub, 0, now, &cat, &e));
    assert_string_equal(cat.name, "XS");
    assert_int_equal(cat.time_ref, 300);
    poco_category_done(&cat);

    struct buf b;
    struct poco_account before, after;
    struct u256 wallet;
    buf_init(&b, 4096);
    assert_ok(erc20_balance(rpc, &hub.token, &signers[DAVE].addr, now, &wallet, &e));
    assert_false(u256_is_zero(wallet));
    assert_ok(poco_view_account(&hub, &signers[DAVE].addr, now, &before, &e));
    assert_ok(poco_enc_approve_and_call(&b, &hub.hub, u256_of(50), slice_of(NULL, 0), &e));
    struct eth_receipt rc = send(DAVE, &hub.token, &b);
    eth_receipt_done(&rc);
    assert_ok(poco_view_account(&hub, &signers[DAVE].addr, now, &after, &e));
    struct u256 diff;
    assert_true(u256_sub(&diff, after.stake, before.stake));
    assert_int_equal(u256_cmp(diff, u256_of(50)), 0);
    assert_true(u256_is_zero(after.locked));
    buf_done(&b);
}

static void sign(struct poco_order *o, size_t who) {
    struct sr_err e = {0};
    assert_ok(poco_salt(o, &e));
    assert_ok(poco_order_sign(o, &hub.domain, &keys[who], &e));
}

FIBER_TEST(every_view_without_arguments_answers_by_name) {
    size_t n = 0;
    for (unsigned f = 0; f < POCO_FN_APPROVE721; f++) { /* the hub's come first */
        const char *sig = poco_fn_signature((poco_fn)f);
        if (!strstr(sig, "()") || !*poco_fn_answer_types((poco_fn)f) || f == POCO_FN_RECOVER)
            continue;
        struct sr_err e = {0};
        cleanup_buf struct buf bytes;
        buf_init(&bytes, 1u << 20);
        cleanup_abi struct abi_out o = {0};
        if (poco_view(&hub, &hub.hub, (poco_fn)f, now, NULL, 0, &bytes, &o, &e) != SR_OK)
            fail_msg("%s: %s", sig, e.what);
        if (f == POCO_FN_TOKEN) assert_addr_is(o.v[0].addr, hub.token);
        if (f == POCO_FN_KITTY_RATIO) assert_int_equal(u256_cmp(o.v[0].num, u256_of(10)), 0);
        if (f == POCO_FN_FACETS) assert_true(o.v[0].list.n >= 11);
        n++;
    }
    assert_true(n > 20);
    struct sr_err e = {0};
    uint64_t score = 1;
    struct hash task = {{1}};
    struct buf b;
    buf_init(&b, 64);
    assert_ok(poco_view_score(&hub, &signers[ALICE].addr, now, &score, &e));
    assert_int_equal(score, 0);
    assert_int_equal(poco_result_for(&hub, &task, now, &b, NULL), SR_E_REFUSED);
    buf_done(&b);
}

FIBER_TEST(a_match_is_tried_and_refusals_are_explained) {
    struct sr_err e = {0};
    struct addr a = make_app(BOB);
    struct poco_order app = {.kind = POCO_APP,
                             .app = {.app = a, .volume = u256_of(5), .tag = tag_of(9)}},
                      wp = {.kind = POCO_WORKERPOOL,
                            .workerpool = {.workerpool = pool,
                                           .volume = u256_of(5),
                                           .tag = tag_of(9)}},
                      rq = {.kind = POCO_REQUEST,
                            .request = {.app = a,
                                        .requester = signers[CAROL].addr,
                                        .beneficiary = signers[CAROL].addr,
                                        .volume = u256_of(2),
                                        .params = SLICE_LIT("{}"),
                                        .tag = tag_of(9)}};
    sign(&app, BOB);
    sign(&wp, OPERATOR);
    sign(&rq, CAROL);
    struct u256 volume;
    assert_ok(poco_deal_volume(&hub, &app, NULL, &wp, &rq, &volume, &e));
    assert_int_equal(u256_cmp(volume, u256_of(2)), 0);
    bool ok;
    assert_ok(poco_verify(&hub, &app, &signers[BOB].addr, now, &ok, &e));
    assert_true(ok);
    assert_ok(poco_verify(&hub, &app, &signers[ALICE].addr, now, &ok, &e));
    assert_false(ok);
    struct poco_order cut = app;
    cut.sign.n = 10;
    assert_ok(poco_verify(&hub, &cut, &signers[BOB].addr, now, &ok, &e));
    assert_false(ok);
    assert_ok(poco_allowed(&hub, &app.app.requesterrestrict, &signers[CAROL].addr, now, &ok, &e));
    assert_true(ok);
    assert_ok(poco_allowed(&hub, &signers[ALICE].addr, &signers[CAROL].addr, now, &ok, &e));
    assert_false(ok); /* a plain account is no group */
    assert_ok(poco_allowed(&hub, &hub.token, &signers[CAROL].addr, now, &ok, &e));
    assert_false(ok); /* a contract without keyHasPurpose */

    struct hash deal, want, h = poco_order_hash(&hub.domain, &rq);
    const struct addr *me = &signers[CAROL].addr;
    want = poco_deal_id(&h, u256_of(0));
    assert_ok(poco_try_match(&hub, me, &app, NULL, &wp, &rq, &deal, &e));
    assert_hash_is(deal, want);

    struct poco_order bad = rq;
    sign(&bad, DAVE);
    assert_int_equal(poco_try_match(&hub, me, &app, NULL, &wp, &bad, &deal, &e), SR_E_REFUSED);
    assert_string_equal(e.what, "the request is not signed by the requester");
    e = (struct sr_err){0};
    bad = rq;
    bad.request.app = pool;
    sign(&bad, CAROL);
    assert_int_equal(poco_try_match(&hub, me, &app, NULL, &wp, &bad, &deal, &e), SR_E_REFUSED);
    assert_string_equal(e.what, "the request and the app order name different apps");
    e = (struct sr_err){0};
    struct poco_order dear = wp;
    dear.workerpool.workerpoolprice = u256_of(1000000000000000);
    sign(&dear, OPERATOR);
    assert_int_equal(poco_try_match(&hub, me, &app, NULL, &dear, &rq, &deal, &e), SR_E_REFUSED);
    assert_non_null(strstr(e.what, "workerpool costs more"));
    e = (struct sr_err){0};
    bad = rq;
    bad.request.workerpoolmaxprice = dear.workerpool.workerpoolprice;
    sign(&bad, CAROL);
    assert_int_equal(poco_try_match(&hub, me, &app, NULL, &dear, &bad, &deal, &e), SR_E_REFUSED);
    assert_non_null(strstr(e.what, "not enough RLC"));
    assert_non_null(strstr(e.hint, "deposit"));
    e = (struct sr_err){0};

    /* the real thing, then again: used up */
    struct buf b;
    buf_init(&b, 1u << 16);
    rq.request.volume = u256_of(1);
    sign(&rq, CAROL);
    assert_ok(poco_enc_match(&b, &app, NULL, &wp, &rq, &e));
    struct eth_receipt rc = send(CAROL, &hub.hub, &b);
    assert_ok(poco_receipt_deal(&hub, &rc, &deal, &volume, &e));
    eth_receipt_done(&rc);
    struct poco_deal d;
    assert_ok(poco_view_deal(&hub, &deal, now, &d, &e));
    assert_addr_is(d.requester, *me);
    assert_true(slice_is(d.params, "{}") && addr_is_zero(&d.dataset.pointer));
    assert_int_equal(u256_cmp(d.trust, u256_of(1)), 0);
    poco_deal_done(&d);
    h = poco_order_hash(&hub.domain, &rq);
    assert_ok(poco_view_consumed(&hub, &h, now, &volume, &e));
    assert_int_equal(u256_cmp(volume, u256_of(1)), 0);
    assert_int_equal(poco_try_match(&hub, me, &app, NULL, &wp, &rq, &deal, &e), SR_E_REFUSED);
    assert_string_equal(e.what, "one of the orders is used up or was revoked");
    e = (struct sr_err){0};

    /* a data order against that deal */
    struct poco_order data = {.kind = POCO_DATASET,
                              .dataset = {.dataset = a, .volume = u256_of(1), .tag = tag_of(9)}};
    sign(&data, ALICE);
    assert_int_equal(poco_assert_dataset_deal(&hub, &data, &deal, now, &e), SR_E_REFUSED);
    assert_non_null(strstr(e.what, "Invalid dataset order signature"));
    buf_done(&b);
}

/* ---- deals and tasks by the names of the functions alone ---------------------------------------
 */

static void call_named(size_t who, poco_fn f, const struct abi_val *v, size_t n) {
    struct sr_err e = {0};
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 16);
    if (poco_fn_encode(&b, f, v, n, &e) != SR_OK) fail_msg("%s: %s", poco_fn_signature(f), e.what);
    struct eth_receipt rc = send(who, &hub.hub, &b);
    if (!rc.ok) fail_msg("%s reverts", poco_fn_signature(f));
    eth_receipt_done(&rc);
}
#define CALL(who, f, ...)                                                                          \
    call_named((who), (f), (const struct abi_val[]){__VA_ARGS__},                                  \
               sizeof((const struct abi_val[]){__VA_ARGS__}) / sizeof(struct abi_val))

/* What a view answers, in mem; `n` values. */
static void view_named(poco_fn f, size_t n, const struct hash *h, const struct addr *a,
                       struct buf *mem, struct abi_out *o) {
    struct sr_err e = {0};
    struct abi_val v[2] = {av_hash(h)};
    if (a) v[1] = av_addr(a);
    buf_init(mem, 1u << 16);
    if (poco_view(&hub, &hub.hub, f, now, v, a ? 2 : 1, mem, o, &e) != SR_OK)
        fail_msg("%s: %s", poco_fn_signature(f), e.what);
    assert_int_equal(o->n, n);
}

/* viewTask and its older form agree on it. */
static void status_is(const struct hash *task, uint64_t want) {
    cleanup_buf struct buf m1, m2;
    cleanup_abi struct abi_out t = {0}, old = {0};
    view_named(POCO_FN_VIEW_TASK, 1, task, NULL, &m1, &t);
    view_named(POCO_FN_VIEW_TASK_ABI_LEGACY, 12, task, NULL, &m2, &old);
    assert_int_equal(u256_cmp(t.v[0].list.v[0].num, u256_of(want)), 0);
    assert_int_equal(u256_cmp(old.v[0].num, u256_of(want)), 0);
}

static struct hash packed(const struct addr *worker, const struct hash *task, const void *more,
                          size_t n) {
    struct keccak k;
    keccak_init(&k);
    if (worker) keccak_add(&k, slice_of(worker->b, sizeof worker->b));
    keccak_add(&k, slice_of(task->b, sizeof task->b));
    keccak_add(&k, slice_of(more, n));
    return keccak_end(&k);
}

/* The scheduler lets DAVE work on it, in no enclave. */
static struct sr_signature authorization(const struct hash *task) {
    struct sr_err e = {0};
    struct addr none = {{0}};
    struct sr_signature s;
    struct hash h = packed(&signers[DAVE].addr, task, none.b, sizeof none.b);
    h = eth_message_hash(&h);
    assert_ok(secp_sign(&keys[OPERATOR], &h, &s, &e));
    return s;
}

static void contribute(const struct hash *task, const struct hash *digest) {
    struct addr none = {{0}};
    struct sr_signature s = authorization(task);
    struct hash hash = packed(NULL, task, digest->b, sizeof digest->b),
                seal = packed(&signers[DAVE].addr, task, digest->b, sizeof digest->b);
    CALL(DAVE, POCO_FN_CONTRIBUTE, av_hash(task), av_hash(&hash), av_hash(&seal), av_addr(&none),
         av_bytes(slice_of(NULL, 0)), av_bytes(slice_of(s.b, sizeof s.b)));
    status_is(task, POCO_TASK_REVEALING);
}

static void later(unsigned seconds) {
    char params[32];
    (void)snprintf(params, sizeof params, "[%u]", seconds);
    anvil_do(rpc, "evm_increaseTime", params);
    anvil_do(rpc, "evm_mine", "[]");
}

/* Six tasks for nothing, paid by DAVE. */
static struct hash make_deal(void) {
    struct sr_err e = {0};
    struct addr a = make_app(CAROL);
    struct poco_order app = {.kind = POCO_APP, .app = {.app = a, .volume = u256_of(6)}},
                      wp = {.kind = POCO_WORKERPOOL,
                            .workerpool = {.workerpool = pool, .volume = u256_of(6)}},
                      rq = {.kind = POCO_REQUEST,
                            .request = {
                                .app = a, .requester = signers[CAROL].addr, .volume = u256_of(6)}};
    sign(&app, CAROL);
    sign(&wp, OPERATOR);
    sign(&rq, CAROL);
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 16);
    assert_ok(poco_enc_sponsor_match(&b, &app, NULL, &wp, &rq, &e));
    struct eth_receipt rc = send(DAVE, &hub.hub, &b);
    struct hash deal, h = poco_order_hash(&hub.domain, &rq);
    struct u256 volume;
    assert_ok(poco_receipt_deal(&hub, &rc, &deal, &volume, &e));
    eth_receipt_done(&rc);
    h = poco_deal_id(&h, u256_of(0));
    assert_hash_is(deal, h);

    cleanup_buf struct buf m1, m2, m3;
    cleanup_abi struct abi_out one = {0}, two = {0}, config = {0};
    view_named(POCO_FN_VIEW_DEAL_ABI_LEGACY_PT1, 9, &deal, NULL, &m1, &one);
    assert_addr_is(one.v[0].addr, a);
    view_named(POCO_FN_VIEW_DEAL_ABI_LEGACY_PT2, 6, &deal, NULL, &m2, &two);
    assert_addr_is(two.v[2].addr, signers[CAROL].addr);
    view_named(POCO_FN_VIEW_CONFIG_ABI_LEGACY, 6, &deal, NULL, &m3, &config);
    assert_int_equal(u256_cmp(config.v[3].num, u256_of(6)), 0);
    return deal;
}

FIBER_TEST(a_deal_s_tasks_live_every_life_by_the_names_of_the_functions) {
    struct hash deal = make_deal(), digest = {{9}}, task[6];
    struct addr none = {{0}}, worker = signers[DAVE].addr;
    for (uint64_t i = 0; i < 6; i++) task[i] = poco_task_id(&deal, u256_of(i));
    const struct abi_val deals[] = {av_hash(&deal), av_hash(&deal)},
                         indexes[] = {av_u64(1), av_u64(2)}, fourth[] = {av_u64(3)},
                         late[] = {av_hash(&task[4]), av_hash(&task[5])};

    CALL(CAROL, POCO_FN_INITIALIZE, av_hash(&deal), av_u64(0));
    CALL(CAROL, POCO_FN_INITIALIZE_ARRAY, av_list(deals, 2), av_list(indexes, 2));
    for (size_t i = 0; i < 3; i++) status_is(&task[i], POCO_TASK_ACTIVE);

    contribute(&task[0], &digest);
    CALL(DAVE, POCO_FN_REVEAL, av_hash(&task[0]), av_hash(&digest));
    CALL(OPERATOR, POCO_FN_FINALIZE, av_hash(&task[0]), av_str("there"),
         av_bytes(slice_of(NULL, 0)));
    status_is(&task[0], POCO_TASK_COMPLETED);
    cleanup_buf struct buf m1, m2, m3;
    cleanup_abi struct abi_out c = {0}, old = {0}, result = {0};
    view_named(POCO_FN_VIEW_CONTRIBUTION, 1, &task[0], &worker, &m1, &c);
    view_named(POCO_FN_VIEW_CONTRIBUTION_ABI_LEGACY, 4, &task[0], &worker, &m2, &old);
    assert_int_equal(u256_cmp(c.v[0].list.v[0].num, u256_of(2)), 0); /* proved */
    assert_int_equal(u256_cmp(old.v[0].num, u256_of(2)), 0);
    view_named(POCO_FN_RESULT_FOR, 1, &task[0], NULL, &m3, &result);

    struct sr_signature s = authorization(&task[1]);
    CALL(DAVE, POCO_FN_CONTRIBUTE_AND_FINALIZE, av_hash(&task[1]), av_hash(&digest),
         av_str("there"), av_bytes(slice_of(NULL, 0)), av_addr(&none), av_bytes(slice_of(NULL, 0)),
         av_bytes(slice_of(s.b, sizeof s.b)));
    status_is(&task[1], POCO_TASK_COMPLETED);

    contribute(&task[2], &digest);
    later(2 * 300 + 1); /* nobody reveals */
    CALL(OPERATOR, POCO_FN_REOPEN, av_hash(&task[2]));
    status_is(&task[2], POCO_TASK_ACTIVE);
    later(10 * 300);
    CALL(CAROL, POCO_FN_CLAIM, av_hash(&task[2]));
    status_is(&task[2], POCO_TASK_FAILED);
    CALL(CAROL, POCO_FN_INITIALIZE_AND_CLAIM_ARRAY, av_list(deals, 1), av_list(fourth, 1));
    status_is(&task[3], POCO_TASK_FAILED);
    CALL(CAROL, POCO_FN_INITIALIZE, av_hash(&deal), av_u64(4));
    CALL(CAROL, POCO_FN_INITIALIZE, av_hash(&deal), av_u64(5));
    CALL(CAROL, POCO_FN_CLAIM_ARRAY, av_list(late, 2));
    status_is(&task[4], POCO_TASK_FAILED);
    status_is(&task[5], POCO_TASK_FAILED);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_hub_says_its_registries_and_another_address_is_no_hub),
        cmocka_unit_test(what_does_not_exist_is_not_found),
        cmocka_unit_test(resources_accounts_and_categories_are_viewed),
        cmocka_unit_test(every_view_without_arguments_answers_by_name),
        cmocka_unit_test(a_match_is_tried_and_refusals_are_explained),
        cmocka_unit_test(a_deal_s_tasks_live_every_life_by_the_names_of_the_functions),
    };
    return cmocka_run_group_tests_name("poco/hub", t, setup, teardown);
}
