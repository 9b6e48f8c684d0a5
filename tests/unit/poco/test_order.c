/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/match_int.h"
#include "poco/order.h"
#include "vec.h"

static poco_kind kind_of(struct slice type) {
    return slice_is(type, "AppOrder")          ? POCO_APP
           : slice_is(type, "DatasetOrder")    ? POCO_DATASET
           : slice_is(type, "WorkerpoolOrder") ? POCO_WORKERPOOL
                                               : POCO_REQUEST;
}

static void check_sign(const struct sr_secret *key, const struct hash *h, struct slice hex) {
    struct sr_err e = {0};
    struct sr_signature sig;
    uint8_t want[65];
    assert_ok(secp_sign(key, h, &sig, &e));
    assert_true(hex_decode(hex, want, 65));
    assert_memory_equal(sig.b, want, 65);
}

static void orders_hash_and_sign_as_the_contracts_do(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_json struct json *doc = vec_load("poco/eip712.json");
    const struct json_val *root = json_root(doc);
    size_t n = 0;
    for (const struct json_val *v = json_first(json_get(root, "orders")); v; v = json_next(v)) {
        struct poco_order o;
        poco_kind k = kind_of(vec_str(v, "kind"));
        assert_ok(poco_order_from_json(k, json_get(v, "order"), &o, &e));
        struct hash h = poco_struct_hash(&o), want = vec_hash(v, "structHash");
        assert_hash_is(h, want);
        cleanup_free char *who = slice_dup(vec_str(v, "signer"));
        const struct json_val *kv = json_get(json_get(root, "keys"), who);
        cleanup_secret struct sr_secret key = {0};
        vec_key(vec_str(kv, "privateKey"), &key);
        struct addr signer = vec_addr(kv, "address"), got;
        for (const struct json_val *p = json_first(json_get(v, "perDomain")); p;
             p = json_next(p), n++) {
            struct poco_domain d = {0};
            for (const struct json_val *x = json_first(json_get(root, "domains")); x;
                 x = json_next(x))
                if (slice_eq(vec_str(x, "label"), vec_str(p, "domain"))) {
                    struct addr hub = vec_addr(x, "verifyingContract");
                    d = poco_domain_of(vec_u64(x, "chainId"), &hub);
                    want = vec_hash(x, "separator");
                    assert_hash_is(d.separator, want);
                }
            h = poco_order_hash(&d, &o);
            want = vec_hash(p, "orderHash");
            assert_hash_is(h, want);
            assert_ok(poco_order_sign(&o, &d, &key, &e));
            struct slice s65 = vec_str(p, "sign65"), s64 = vec_str(p, "sign64");
            check_sign(&key, &h, s65);
            assert_ok(poco_order_signer(&o, &d, &got, &e));
            assert_addr_is(got, signer);
            o.sign.n = 64;
            assert_true(hex_decode(s64, o.sign.b, 64));
            assert_ok(poco_order_signer(&o, &d, &got, &e));
            assert_addr_is(got, signer);
        }
    }
    assert_int_equal(n, 48);
}

static void the_npm_clients_hashes_are_ours(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_json struct json *doc = vec_load("sdk/orders-eip712.json");
    size_t n = 0;
    for (const struct json_val *d = json_first(json_get(json_root(doc), "domains")); d;
         d = json_next(d)) {
        const struct json_val *jd = json_get(d, "domain");
        struct addr hub = vec_addr(jd, "verifyingContract");
        struct poco_domain dom = poco_domain_of(vec_u64(jd, "chainId"), &hub);
        for (const struct json_val *v = json_first(json_get(d, "orders")); v;
             v = json_next(v), n++) {
            struct poco_order o;
            assert_ok(
                poco_order_from_json(kind_of(vec_str(v, "type")), json_get(v, "order"), &o, &e));
            struct hash h = poco_order_hash(&dom, &o), want = vec_hash(v, "orderHash");
            assert_hash_is(h, want);
        }
    }
    assert_true(n >= 8);
}

static void json_reads_back_what_was_written_in_both_styles(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_json struct json *doc = vec_load("poco/eip712.json");
    for (const struct json_val *v = json_first(json_get(json_root(doc), "orders")); v;
         v = json_next(v)) {
        poco_kind k = kind_of(vec_str(v, "kind"));
        struct poco_order o, back;
        assert_ok(poco_order_from_json(k, json_get(v, "order"), &o, &e));
        o.sign.n = 70;
        memset(o.sign.b, 0xa5, 70);
        for (int numbers = 0; numbers < 2; numbers++) {
            struct buf b;
            buf_init(&b, 1u << 18);
            struct jw w = jw_of(&b);
            poco_order_json(&w, &o, numbers, true);
            assert_int_equal(b.bad, SR_OK);
            struct json *again = NULL;
            assert_ok(json_parse(buf_slice(&b), &again, &e));
            assert_ok(poco_order_from_json(k, json_root(again), &back, &e));
            struct hash h1 = poco_struct_hash(&o), h2 = poco_struct_hash(&back);
            assert_hash_is(h1, h2);
            assert_int_equal(back.sign.n, 70);
            json_free(again);
            for (size_t cut = 0; cut < b.n; cut += 11) {
                again = NULL;
                if (json_parse(slice_of(b.p, cut), &again, NULL) == SR_OK)
                    assert_int_not_equal(poco_order_from_json(k, json_root(again), &back, NULL),
                                         SR_OK);
                json_free(again);
            }
            buf_done(&b);
        }
    }
}

static void a_missing_or_wrong_field_is_named(void **state) {
    (void)state;
    static const struct {
        const char *json, *word;
    } bad[] = {
        {"[]", "object"},
        {"{}", "app is missing"},
        {"{\"app\":\"0x12\"}", "app is not an address"},
        {"{\"app\":\"0x0000000000000000000000000000000000000001\",\"appprice\":\"-1\"}",
         "appprice is not a whole number"},
        {"{\"app\":\"0x0000000000000000000000000000000000000001\",\"appprice\":1.5}",
         "appprice is not a whole number"},
        {"{\"app\":\"0x0000000000000000000000000000000000000001\",\"appprice\":1,\"volume\":\"1\","
         "\"tag\":\"0x00\"}",
         "tag is not 32 bytes"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct json *doc = NULL;
        struct sr_err e = {0};
        struct poco_order o;
        assert_ok(json_parse(slice_str(bad[i].json), &doc, &e));
        assert_int_equal(poco_order_from_json(POCO_APP, json_root(doc), &o, &e), SR_E_MALFORMED);
        if (!strstr(e.what, bad[i].word)) fail_msg("'%s' lacks '%s'", e.what, bad[i].word);
        json_free(doc);
    }
}

static void deals_and_tasks_have_the_official_ids(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("poco/ids.json");
    size_t n = 0;
    for (const struct json_val *v = json_first(json_get(json_root(doc), "deals")); v;
         v = json_next(v)) {
        struct hash rq = vec_hash(v, "requestOrderHash"), want = vec_hash(v, "dealId"),
                    deal = poco_deal_id(&rq, vec_num(v, "firstTaskIndex"));
        assert_hash_is(deal, want);
        for (const struct json_val *t = json_first(json_get(v, "tasks")); t;
             t = json_next(t), n++) {
            struct hash task = poco_task_id(&deal, vec_num(t, "index"));
            want = vec_hash(t, "taskId");
            assert_hash_is(task, want);
        }
    }
    assert_true(n > 20);
    cleanup_json struct json *sdk = vec_load("sdk/deal-task-ids.json");
    for (const struct json_val *v = json_first(json_get(json_root(sdk), "taskids")); v;
         v = json_next(v)) {
        struct hash deal = vec_hash(v, "dealid"), want = vec_hash(v, "taskid"),
                    h = poco_task_id(&deal, vec_num(v, "index"));
        assert_hash_is(h, want);
    }
}

static void tags_have_names(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("sdk/tags.json");
    const struct json_val *root = json_root(doc);
    for (const struct json_val *v = json_first(json_get(root, "encode")); v; v = json_next(v)) {
        struct buf text;
        struct sr_err e = {0};
        struct hash t;
        buf_init(&text, 256);
        for (const struct json_val *x = json_first(json_get(v, "tags")); x; x = json_next(x)) {
            if (text.n) buf_str(&text, ",");
            buf_add(&text, json_text(x));
        }
        sr_status st = tag_parse(buf_slice(&text), &t, &e);
        if (json_get(v, "error")) {
            assert_int_equal(st, SR_E_MALFORMED);
            assert_true(slice_is(vec_str(v, "error"), e.what));
        } else {
            struct hash want = vec_hash(v, "value");
            assert_ok(st);
            assert_hash_is(t, want);
        }
        buf_done(&text);
    }
    for (const struct json_val *v = json_first(json_get(root, "decode")); v; v = json_next(v)) {
        struct buf text, want;
        struct sr_err e = {0};
        struct hash t;
        buf_init(&text, 256);
        buf_init(&want, 256);
        assert_ok(tag_parse(vec_str(v, "tag"), &t, &e));
        sr_status st = tag_names(&t, &text, &e);
        if (json_get(v, "error")) {
            assert_int_equal(st, SR_E_MALFORMED);
            assert_true(slice_is(vec_str(v, "error"), e.what));
        } else {
            for (const struct json_val *x = json_first(json_get(v, "value")); x; x = json_next(x)) {
                if (want.n) buf_str(&want, ",");
                buf_add(&want, json_text(x));
            }
            assert_ok(st);
            assert_bytes(buf_slice(&text), buf_slice(&want));
        }
        buf_done(&text);
        buf_done(&want);
    }
    struct hash t = tag_of(1);
    struct sr_err e = {0};
    assert_int_equal(tag_check(&t, false, &e), SR_E_MALFORMED);
    assert_string_equal(e.what, "'tee' tag must be used with a tee framework ('tdx')");
    assert_int_equal(tag_check(&t, true, NULL), SR_OK);
    t = tag_of(POCO_TAG_TEE | POCO_TAG_SCONE);
    e = (struct sr_err){0};
    assert_int_equal(tag_check(&t, false, &e), SR_E_MALFORMED);
    assert_string_equal(e.what, "Unsupported legacy TEE framework tag ('scone')");
    t = tag_of(POCO_TAG_TDX);
    assert_int_equal(tag_check(&t, false, NULL), SR_E_MALFORMED);
    assert_int_equal(tag_parse(SLICE_LIT("0x09"), &t, NULL), SR_E_MALFORMED);
}

/* [app, dataset or null, request, workerpool, deal tag or code], executed on the contracts */
static void tags_match_as_on_the_contracts(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("poco/match-cases.json");
    size_t n = 0;
    for (const struct json_val *row =
             json_first(json_get(json_get(json_root(doc), "tags"), "rows"));
         row; row = json_next(row), n++) {
        struct poco_order a = {.kind = POCO_APP}, d = {.kind = POCO_DATASET},
                          w = {.kind = POCO_WORKERPOOL}, r = {.kind = POCO_REQUEST};
        uint64_t t[4] = {0};
        bool has = !json_is(json_at(row, 1), JSON_NULL);
        for (size_t i = 0; i < 4; i++)
            if (i != 1 || has) assert_true(json_u64(json_at(row, i), &t[i]));
        a.app.tag = tag_of((uint32_t)t[0]);
        d.dataset.tag = tag_of((uint32_t)t[1]);
        r.request.tag = tag_of((uint32_t)t[2]);
        w.workerpool.tag = tag_of((uint32_t)t[3]);
        struct sr_err e = {0};
        sr_status st = poco_match_check(&a, has ? &d : NULL, &w, &r, &e);
        struct slice want = json_text(json_at(row, 4));
        uint64_t v;
        assert_true(num_hex_u64(want, &v));
        if (slice_is(want, "0x06") || slice_is(want, "0x07")) { /* a code */
            assert_int_equal(st, SR_E_REFUSED);
            assert_string_equal(e.what, match_reason_of((unsigned)v)->what);
        } else {
            assert_ok(st);
            struct hash deal = tag_deal(&a.app.tag, has ? &d.dataset.tag : NULL, &r.request.tag),
                        wt = tag_of((uint32_t)v);
            assert_hash_is(deal, wt);
        }
    }
    assert_int_equal(n, 672);
}

static void restrictions_and_prices_are_told_before_money_moves(void **state) {
    (void)state;
    const struct addr A = {{1}}, D = {{2}}, W = {{3}}, R = {{4}}, X = {{9}};
    struct poco_order a = {.kind = POCO_APP, .app = {.app = A}},
                      d = {.kind = POCO_DATASET, .dataset = {.dataset = D, .apprestrict = A}},
                      w = {.kind = POCO_WORKERPOOL, .workerpool = {.workerpool = W}},
                      r = {.kind = POCO_REQUEST,
                           .request = {.app = A, .dataset = D, .requester = R}};
    struct sr_err e = {0};
    assert_ok(poco_match_check(&a, &d, &w, &r, &e));
    d.dataset.apprestrict = X;
    assert_int_equal(poco_match_check(&a, &d, &w, &r, &e), SR_E_REFUSED);
    assert_string_equal(e.what, "the data owner has not granted this app");
    d.dataset.apprestrict = A;
    d.dataset.requesterrestrict = X;
    e = (struct sr_err){0};
    assert_int_equal(poco_match_check(&a, &d, &w, &r, &e), SR_E_REFUSED);
    assert_string_equal(e.what, "the data owner has not granted this requester");
    d.dataset.requesterrestrict = R;
    w.workerpool.workerpoolprice = u256_of(5);
    assert_int_equal(poco_match_check(&a, &d, &w, &r, NULL), SR_E_REFUSED);
    r.request.workerpoolmaxprice = u256_of(5);
    assert_int_equal(poco_match_check(&a, &d, &w, &r, NULL), SR_OK);
    assert_int_equal(poco_match_check(&a, NULL, &w, &r, NULL), SR_E_REFUSED);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(orders_hash_and_sign_as_the_contracts_do),
        cmocka_unit_test(the_npm_clients_hashes_are_ours),
        cmocka_unit_test(json_reads_back_what_was_written_in_both_styles),
        cmocka_unit_test(a_missing_or_wrong_field_is_named),
        cmocka_unit_test(deals_and_tasks_have_the_official_ids),
        cmocka_unit_test(tags_have_names),
        cmocka_unit_test(tags_match_as_on_the_contracts),
        cmocka_unit_test(restrictions_and_prices_are_told_before_money_moves),
    };
    return cmocka_run_group_tests_name("poco/order", t, NULL, NULL);
}
