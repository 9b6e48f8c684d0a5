/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and events of sharing against the official contract's interface, and the rule of its
 * orders. */
#include "poco/sharing.h"
#include "vec.h"

static struct slice signature_of(const struct json_val *list, struct slice selector) {
    for (const struct json_val *f = json_first(list); f; f = json_next(f))
        if (slice_eq(json_text(json_get(f, "selector")), selector))
            return json_text(json_get(f, "signature"));
    return (struct slice){NULL, 0};
}

static const struct json_val *contract(struct json *doc, const char *name, const char *what) {
    return json_get(json_get(json_root(doc), name), what);
}

/* The call's selector is that of `signature` in the contract's interface. */
static void is_call(struct json *doc, const char *name, struct buf *b, const char *signature) {
    char text[11] = "0x";
    assert_true(b->n >= 4);
    hex_encode(text + 2, b->p, 4);
    struct slice got = signature_of(contract(doc, name, "functions"), slice_str(text));
    if (!slice_eq(got, slice_str(signature))) fail_msg("%s is not %s", text, signature);
    buf_clear(b);
}

static void calls_are_those_of_the_official_contracts(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("dataprotector/abi.json");
    struct addr a = {{1}}, d = {{2}};
    struct u256 id = u256_of(7);
    struct share_terms t = {u256_of(5), 3600};
    struct poco_order pool = {.kind = POCO_WORKERPOOL};
    struct buf b;
    const char *s = "DataProtectorSharing";
    buf_init(&b, 8192);
    assert_int_equal(share_enc_create_collection(&b, &a, NULL), SR_OK);
    is_call(doc, s, &b, "createCollection(address)");
    assert_int_equal(share_enc_burn(&b, id, NULL), SR_OK);
    is_call(doc, s, &b, "burn(uint256)");
    assert_int_equal(share_enc_add(&b, id, &d, &a, NULL), SR_OK);
    is_call(doc, s, &b, "addProtectedDataToCollection(uint256,address,address)");
    assert_int_equal(share_enc_set_subscription(&b, id, t, NULL), SR_OK);
    is_call(doc, s, &b, "setSubscriptionParams(uint256,(uint72,uint40))");
    assert_int_equal(share_enc_subscribe(&b, id, t, NULL), SR_OK);
    is_call(doc, s, &b, "subscribeToCollection(uint256,(uint72,uint40))");
    assert_int_equal(share_enc_set_renting(&b, &d, t, NULL), SR_OK);
    is_call(doc, s, &b, "setProtectedDataToRenting(address,(uint72,uint40))");
    assert_int_equal(share_enc_rent(&b, &d, t, NULL), SR_OK);
    is_call(doc, s, &b, "rentProtectedData(address,(uint72,uint40))");
    assert_int_equal(share_enc_set_sale(&b, &d, id, NULL), SR_OK);
    is_call(doc, s, &b, "setProtectedDataForSale(address,uint72)");
    assert_int_equal(share_enc_buy(&b, &d, &a, id, NULL), SR_OK);
    is_call(doc, s, &b, "buyProtectedData(address,address,uint72)");
    assert_int_equal(share_enc_consume(&b, &d, &pool, &a, NULL), SR_OK);
    is_call(doc, s, &b,
            "consumeProtectedData(address,(address,uint256,uint256,bytes32,uint256,uint256,"
            "address,address,address,bytes32,bytes),address)");
    static const char *const data_calls[SHARE_DATA_CALLS] = {
        "removeProtectedDataFromCollection(address)", "setProtectedDataToSubscription(address)",
        "removeProtectedDataFromSubscription(address)", "removeProtectedDataFromRenting(address)",
        "removeProtectedDataForSale(address)"};
    for (unsigned i = 0; i < SHARE_DATA_CALLS; i++) {
        assert_int_equal(share_enc_data(&b, (share_data_call)i, &d, NULL), SR_OK);
        is_call(doc, s, &b, data_calls[i]);
    }
    assert_int_equal(share_enc_create_whitelist(&b, &a, NULL), SR_OK);
    is_call(doc, "AddOnlyAppWhitelistRegistry", &b, "createAddOnlyAppWhitelist(address)");
    assert_int_equal(share_enc_add_app(&b, &a, NULL), SR_OK);
    is_call(doc, "AddOnlyAppWhitelist", &b, "addApp(address)");
    assert_int_equal(erc721_enc_approve(&b, &a, &d, NULL), SR_OK);
    is_call(doc, s, &b, "approve(address,uint256)");
    buf_done(&b);
}

static void prices_and_durations_too_big_for_the_chain_are_refused(void **state) {
    (void)state;
    struct addr d = {{2}};
    struct buf b;
    buf_init(&b, 8192);
    struct share_terms dear = {{{0, 1u << 8, 0, 0}}, 3600}; /* 2^72 */
    struct share_terms last = {{{UINT64_MAX, 0xff, 0, 0}}, SHARE_DURATION_MAX};
    struct share_terms lasting = {u256_of(1), SHARE_DURATION_MAX + 1};
    assert_int_equal(share_enc_rent(&b, &d, dear, NULL), SR_E_RANGE);
    assert_int_equal(share_enc_rent(&b, &d, lasting, NULL), SR_E_RANGE);
    buf_clear(&b);
    assert_int_equal(share_enc_rent(&b, &d, last, NULL), SR_OK);
    buf_done(&b);
}

static void events_have_the_official_topics(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("dataprotector/abi.json");
    unsigned found = 0;
    static const char *const where[] = {"DataProtectorSharing", "AddOnlyAppWhitelist"};
    for (size_t w = 0; w < SR_ARRAY_LEN(where); w++)
        for (const struct json_val *e = json_first(contract(doc, where[w], "events")); e;
             e = json_next(e))
            for (unsigned i = POCO_EV_SHARE_MOVED; i <= POCO_EV_WHITELIST_APP; i++) {
                struct hash t = poco_topic((poco_event)i);
                if (slice_eq(json_text(json_get(e, "topic0")), slice_str(hash_text(&t).s))) found++;
            }
    assert_int_equal(found, POCO_EV_WHITELIST_APP - POCO_EV_SHARE_MOVED + 1);
}

static void an_event_is_read_and_a_cut_one_is_not(void **state) {
    (void)state;
    struct addr data = {{0xaa, 1}}, renter = {{0xbb, 2}};
    struct buf b;
    struct share_log l;
    buf_init(&b, 1024);
    const struct abi_val v[] = {av_u64(9), av_addr(&data), av_addr(&renter), av_u64(1800000000)};
    assert_int_equal(abi_encode(&b, "uint256,address,address,uint48", v, 4, NULL), SR_OK);
    struct hash topics[2] = {poco_topic(POCO_EV_SHARE_RENTAL)};
    assert_int_equal(share_log_read(topics, 1, buf_slice(&b), &l, NULL), SR_OK);
    assert_int_equal(l.event, POCO_EV_SHARE_RENTAL);
    assert_true(addr_eq(&l.data, &data) && addr_eq(&l.who, &renter));
    assert_int_equal(l.end, 1800000000);
    assert_int_equal(u256_cmp(l.collection, u256_of(9)), 0);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_int_not_equal(share_log_read(topics, 1, slice_of(b.p, cut), &l, NULL), SR_OK);
    assert_int_equal(share_log_read(topics, 2, buf_slice(&b), &l, NULL), SR_E_NOTFOUND);
    assert_int_equal(share_log_read(topics, 0, buf_slice(&b), &l, NULL), SR_E_NOTFOUND);

    buf_clear(&b);
    topics[0] = poco_topic(POCO_EV_SHARE_SUBSCRIPTION);
    memcpy(topics[1].b + 12, renter.b, 20);
    const struct abi_val s[] = {av_u64(9), av_u64(77)};
    assert_int_equal(abi_encode(&b, "uint256,uint48", s, 2, NULL), SR_OK);
    assert_int_equal(share_log_read(topics, 2, buf_slice(&b), &l, NULL), SR_OK);
    assert_true(addr_eq(&l.who, &renter) && l.end == 77);
    topics[1].b[3] = 1;
    assert_int_equal(share_log_read(topics, 2, buf_slice(&b), &l, NULL), SR_E_MALFORMED);
    buf_done(&b);
}

static void the_orders_of_a_consumption_are_found_by_their_hashes(void **state) {
    (void)state;
    struct addr hub = {{0x11}}, sharing = {{0x22}}, list = {{0x33}};
    struct poco_domain d = poco_domain_of(421614, &hub);
    const struct u256 all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct poco_deal deal = {.requester = sharing,
                             .beneficiary = {{0x44}},
                             .params = SLICE_LIT("{\"iexec_result_encryption\":true}"),
                             .category = u256_of(0)};
    deal.app.pointer = (struct addr){{0x55}};
    deal.dataset.pointer = (struct addr){{0x66}};
    deal.workerpool.pointer = (struct addr){{0x77}};
    for (unsigned k = 0; k < 2; k++) { /* an old deployment's tags, and ours */
        struct hash tag = tag_of(POCO_TAG_TEE | (k ? POCO_TAG_TDX : POCO_TAG_SCONE));
        struct poco_order a = {.kind = POCO_APP}, s = {.kind = POCO_DATASET},
                          r = {.kind = POCO_REQUEST};
        a.app = (struct poco_apporder){
            .app = deal.app.pointer, .volume = all, .tag = tag, .requesterrestrict = sharing};
        s.dataset = (struct poco_datasetorder){.dataset = deal.dataset.pointer,
                                               .volume = all,
                                               .tag = tag,
                                               .apprestrict = list,
                                               .requesterrestrict = sharing};
        r.request = (struct poco_requestorder){.app = deal.app.pointer,
                                               .dataset = deal.dataset.pointer,
                                               .workerpool = deal.workerpool.pointer,
                                               .requester = sharing,
                                               .volume = u256_of(1),
                                               .tag = tag,
                                               .beneficiary = deal.beneficiary,
                                               .params = deal.params};
        u256_to_be(r.request.salt.b, u256_of(3001));
        struct hash ah = poco_order_hash(&d, &a), sh = poco_order_hash(&d, &s),
                    rh = poco_order_hash(&d, &r);
        struct share_orders got;
        uint64_t salt = 0;
        assert_int_equal(
            share_orders_find(&d, &deal, &list, 0, 4000, &ah, &sh, &rh, &got, &salt, NULL), SR_OK);
        assert_int_equal(salt, 3001);
        struct hash h = poco_order_hash(&d, &got.request);
        assert_true(hash_eq(&h, &rh));
        assert_int_equal(
            share_orders_find(&d, &deal, &list, 0, 3001, &ah, &sh, &rh, &got, &salt, NULL),
            SR_E_RANGE);
        assert_int_equal(
            share_orders_find(&d, &deal, &list, 3001, 3002, &ah, &sh, &rh, &got, &salt, NULL),
            SR_OK);
        struct addr other = {{0x34}};
        assert_int_equal(
            share_orders_find(&d, &deal, &other, 0, 4000, &ah, &sh, &rh, &got, &salt, NULL),
            SR_E_NOTFOUND);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(calls_are_those_of_the_official_contracts),
        cmocka_unit_test(prices_and_durations_too_big_for_the_chain_are_refused),
        cmocka_unit_test(events_have_the_official_topics),
        cmocka_unit_test(an_event_is_read_and_a_cut_one_is_not),
        cmocka_unit_test(the_orders_of_a_consumption_are_found_by_their_hashes),
    };
    return cmocka_run_group_tests_name("poco/sharing", t, NULL, NULL);
}
