/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/calls.h"
#include "poco/functions.h"
#include "val.h"
#include <stdlib.h>

static void expect_hex(const struct buf *b, const struct json_val *v, const char *key) {
    struct buf want;
    buf_init(&want, 1u << 18);
    vec_hex(v, key, &want);
    assert_int_equal(b->bad, SR_OK);
    assert_bytes(buf_slice(b), buf_slice(&want));
    buf_done(&want);
}

static void registries_are_called_as_the_npm_client_calls_them(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_json struct json *doc = vec_load("sdk/registry-calldata.json");
    const struct json_val *root = json_root(doc), *a = json_get(root, "app"),
                          *j = json_get(a, "json");
    struct addr owner = vec_addr(j, "owner");
    struct hash sum = vec_hash(j, "checksum");
    struct buf b;
    buf_init(&b, 1u << 18);
    assert_ok(poco_enc_create_app(&b, &owner, vec_str(j, "name"), vec_str(j, "type"),
                                  vec_str(j, "multiaddr"), &sum, slice_of(NULL, 0), &e));
    expect_hex(&b, a, "calldata");
    a = json_get(root, "dataset");
    j = json_get(a, "json");
    sum = vec_hash(j, "checksum");
    uint8_t multi[37];
    assert_true(
        hex_decode(SLICE_LIT("a5032212207237a7f4091a74ae95514890fa86a2e8a36037c350ea71c06a34"
                             "c8cbe25a5057"),
                   multi, 37));
    buf_clear(&b);
    assert_ok(
        poco_enc_create_dataset(&b, &owner, vec_str(j, "name"), slice_of(multi, 37), &sum, &e));
    expect_hex(&b, a, "calldata");
    a = json_get(root, "workerpool");
    j = json_get(a, "json");
    buf_clear(&b);
    assert_ok(poco_enc_create_workerpool(&b, &owner, vec_str(j, "description"), &e));
    expect_hex(&b, a, "calldata");

    /* the first order of each kind, all signatures 65 bytes of 0x11 */
    cleanup_json struct json *od = vec_load("sdk/orders-eip712.json");
    static const char *const types[] = {"AppOrder", "DatasetOrder", "WorkerpoolOrder",
                                        "RequestOrder"};
    struct poco_order o[4];
    for (unsigned k = 0; k < 4; k++) {
        const struct json_val *x =
            json_first(json_get(json_at(json_get(json_root(od), "domains"), 0), "orders"));
        while (!slice_is(vec_str(x, "type"), types[k])) x = json_next(x);
        assert_ok(poco_order_from_json((poco_kind)k, json_get(x, "order"), &o[k], &e));
        o[k].sign.n = 65;
        memset(o[k].sign.b, 0x11, 65);
    }
    buf_clear(&b);
    assert_ok(poco_enc_match(&b, &o[0], &o[1], &o[2], &o[3], &e));
    expect_hex(&b, json_get(root, "matchOrders"), "calldata");
    buf_clear(&b);
    assert_ok(poco_enc_manage(&b, &o[0], POCO_OP_CLOSE, slice_of(NULL, 0), &e));
    expect_hex(&b, json_get(root, "manageAppOrder"), "calldata");
    buf_done(&b);
}

static void same_orders(const struct poco_order got[POCO_KINDS], const struct poco_order *want) {
    const struct poco_domain d = poco_domain_of(1, &(struct addr){{7}});
    for (unsigned k = 0; k < POCO_KINDS; k++) {
        const struct hash a = poco_order_hash(&d, &got[k]), b = poco_order_hash(&d, &want[k]);
        assert_memory_equal(a.b, b.b, 32);
        assert_int_equal(got[k].sign.n, 65);
        assert_int_equal(got[k].sign.b[0], 0x10 + k);
    }
}

static void the_orders_are_read_from_every_call_that_matches(void **state) {
    (void)state;
    struct sr_err e = {0};
    const struct addr hub = {{7}}, other = {{8}};
    struct poco_order o[POCO_KINDS], got[POCO_KINDS];
    struct buf b, outer;
    buf_init(&b, 65536), buf_init(&outer, 65536);
    memset(o, 0, sizeof o);
    for (unsigned k = 0; k < POCO_KINDS; k++) {
        o[k].kind = (poco_kind)k;
        assert_ok(poco_salt(&o[k], &e));
        o[k].sign.n = 65;
        memset(o[k].sign.b, (int)(0x10 + k), 65);
    }
    o[POCO_REQUEST].request.params = SLICE_LIT("{\"iexec_args\":\"a b\"}");
    assert_ok(poco_enc_match(&b, &o[0], &o[1], &o[2], &o[3], &e));
    assert_ok(poco_match_read(buf_slice(&b), &hub, got, &e));
    same_orders(got, o);
    assert_ok(poco_enc_approve_and_call(&outer, &hub, u256_of(1), buf_slice(&b), &e));
    assert_ok(poco_match_read(buf_slice(&outer), &hub, got, &e));
    same_orders(got, o);
    /* approved for another contract: it is not the hub that is called */
    assert_int_equal(poco_match_read(buf_slice(&outer), &other, got, &e), SR_E_NOTFOUND);
    for (size_t cut = 0; cut < b.n; cut++) /* every truncation is refused */
        assert_int_not_equal(poco_match_read(slice_of(b.p, cut), &hub, got, NULL), SR_OK);
    buf_clear(&b);
    assert_ok(poco_enc_sponsor_match(&b, &o[0], &o[1], &o[2], &o[3], &e));
    assert_ok(poco_match_read(buf_slice(&b), &hub, got, &e));
    same_orders(got, o);
    buf_done(&b), buf_done(&outer);
}

/* bytes behind their length, at the end of b */
static void add_bytes(struct buf *b, struct slice inner, size_t length) {
    for (int i = 0; i < 24; i++) buf_u8(b, 0);
    buf_u64(b, length);
    buf_add(b, inner);
}

static void the_orders_are_found_in_calls_inside_calls(void **state) {
    (void)state;
    struct sr_err e = {0};
    struct poco_order o[2][POCO_KINDS], got[POCO_KINDS];
    struct buf b[2], outer;
    buf_init(&outer, 1u << 20);
    memset(o, 0, sizeof o);
    for (int i = 0; i < 2; i++) {
        buf_init(&b[i], 65536);
        for (unsigned k = 0; k < POCO_KINDS; k++) {
            o[i][k].kind = (poco_kind)k;
            assert_ok(poco_salt(&o[i][k], &e));
            o[i][k].sign.n = 65;
            memset(o[i][k].sign.b, (int)(0x10 + k), 65);
        }
    }
    assert_ok(poco_enc_match(&b[0], &o[0][0], &o[0][1], &o[0][2], &o[0][3], &e));
    assert_ok(poco_enc_sponsor_match(&b[1], &o[1][0], &o[1][1], &o[1][2], &o[1][3], &e));
    /* at any place: some pack them; with a call that is cut, and one whose length is too long */
    buf_str(&outer, "a wallet");
    add_bytes(&outer, buf_slice(&b[0]), b[0].n);
    add_bytes(&outer, slice_of(b[0].p, 100), 100);
    add_bytes(&outer, buf_slice(&b[1]), b[1].n);
    buf_str(&outer, "and padding");
    add_bytes(&outer, buf_slice(&b[0]), b[0].n + 1);
    struct poco_match_at at = {0};
    for (int i = 0; i < 2; i++) {
        assert_ok(poco_match_inside(buf_slice(&outer), &at, got, &e));
        same_orders(got, o[i]);
    }
    assert_int_equal(poco_match_inside(buf_slice(&outer), &at, got, NULL), SR_E_NOTFOUND);
    assert_int_equal(poco_match_inside(buf_slice(&outer), &at, got, NULL), SR_E_NOTFOUND);
    size_t first = 8 + 32 + b[0].n;
    for (size_t cut = 0; cut < first; cut++) {
        at = (struct poco_match_at){0};
        uint8_t *exact = malloc(cut + 1); /* reading behind the end is seen */
        assert_non_null(exact);
        memcpy(exact, outer.p, cut);
        assert_int_equal(poco_match_inside(slice_of(exact, cut), &at, got, NULL), SR_E_NOTFOUND);
        free(exact);
    }
    /* not as itself: that is poco_match_read's */
    at = (struct poco_match_at){0};
    assert_int_equal(poco_match_inside(buf_slice(&b[0]), &at, got, NULL), SR_E_NOTFOUND);
    /* what only looks like one is tried so often and no more */
    buf_clear(&outer);
    for (unsigned i = 0; i < POCO_MATCH_TRIES; i++) add_bytes(&outer, slice_of(b[0].p, 40), 40);
    add_bytes(&outer, buf_slice(&b[0]), b[0].n);
    at = (struct poco_match_at){0};
    assert_int_equal(poco_match_inside(buf_slice(&outer), &at, got, NULL), SR_E_NOTFOUND);
    assert_int_equal(at.tries, POCO_MATCH_TRIES);
    buf_done(&b[0]), buf_done(&b[1]), buf_done(&outer);
}

static void what_we_send_a_vault_can_read(void **state) {
    (void)state;
    struct sr_err e = {0};
    struct hash task = {{1}}, digest = {{2}};
    struct addr enclave = {{3}};
    struct buf b;
    buf_init(&b, 1u << 16);
    assert_ok(poco_enc_contribute_and_finalize(&b, &task, &digest, SLICE_LIT("results"),
                                               slice_of(NULL, 0), &enclave, SLICE_LIT("sig"),
                                               SLICE_LIT("auth"), &e));
    poco_call c;
    cleanup_abi struct abi_out o = {0};
    assert_ok(poco_call_read(buf_slice(&b), &c, &o, &e));
    assert_int_equal(c, POCO_CALL_CONTRIBUTE_AND_FINALIZE);
    assert_hash_is(o.v[0].hash, task);
    assert_true(slice_is(o.v[2].bytes, "results") && slice_is(o.v[6].bytes, "auth"));
    for (size_t cut = 0; cut < b.n; cut++) {
        struct abi_out none = {0};
        assert_int_not_equal(poco_call_read(slice_of(b.p, cut), &c, &none, NULL), SR_OK);
    }
    buf_clear(&b);
    const struct u256 idx[2] = {u256_of(1), u256_of(2)};
    const struct hash deals[2] = {{{5}}, {{6}}};
    assert_ok(poco_enc_init_and_claim_array(&b, deals, idx, 2, &e));
    abi_out_done(&o);
    assert_ok(poco_call_read(buf_slice(&b), &c, &o, &e));
    assert_int_equal(c, POCO_CALL_INIT_AND_CLAIM_ARRAY);
    assert_int_equal(o.v[0].list.n, 2);
    buf_clear(&b);
    assert_ok(abi_call(&b, "setTeeBroker(address)", &e, av_addr(&enclave)));
    assert_int_equal(poco_call_read(buf_slice(&b), &c, &o, NULL), SR_E_NOTFOUND);
    buf_done(&b);
}

static void official_events_are_read(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("poco/abi-samples.json");
    bool seen[POCO_EV_N] = {false};
    for (const struct json_val *v = json_first(json_get(json_root(doc), "events")); v;
         v = json_next(v)) {
        struct hash topics[4];
        size_t n = 0;
        struct sr_err e = {0};
        struct buf data;
        buf_init(&data, 1u << 16);
        vec_hex(v, "data", &data);
        for (const struct json_val *t = json_first(json_get(v, "topics")); t; t = json_next(t))
            assert_true(json_hash(t, &topics[n++]));
        struct poco_log l;
        sr_status st = poco_log_read(topics, n, buf_slice(&data), &l, &e);
        if (st == SR_OK) {
            seen[l.event] = true;
            const struct json_val *args = json_get(v, "args");
            assert_int_equal(l.n, json_len(args));
            for (size_t i = 0; i < l.n; i++) assert_true(val_is(&l.arg[i], json_at(args, i)));
            for (size_t cut = 0; cut < data.n; cut += 5)
                assert_int_not_equal(poco_log_read(topics, n, slice_of(data.p, cut), &l, NULL),
                                     SR_OK);
        } else {
            assert_int_equal(st, SR_E_NOTFOUND); /* one we do not follow */
        }
        buf_done(&data);
    }
    size_t known = 0, hub = POCO_EV_SHARE_MOVED; /* those of sharing come behind */
    for (size_t i = 0; i < hub; i++) known += seen[i];
    /* of DatasetSchema and MemberSet there is none */
    if (known < hub - 2) fail_msg("only %zu of %zu events have a sample", known, hub);
}

static void events_of_sharing_have_the_official_topics(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("dataprotector/abi.json");
    static const char *const contracts[] = {"DataProtectorSharing", "AddOnlyAppWhitelist"};
    uint8_t zeros[128] = {0};
    for (poco_event e = POCO_EV_SHARE_MOVED; e < POCO_EV_N; e++) {
        struct hash want = poco_topic(e);
        bool found = false;
        for (size_t c = 0; c < SR_ARRAY_LEN(contracts); c++)
            for (const struct json_val *v =
                     json_first(json_get(json_get(json_root(doc), contracts[c]), "events"));
                 v; v = json_next(v)) {
                struct hash t[4] = {vec_hash(v, "topic0")};
                if (!hash_eq(&t[0], &want)) continue;
                found = true;
                size_t n = 1, words = 0;
                struct slice sig = vec_str(v, "signature"), text;
                for (const struct json_val *i = json_first(json_get(v, "inputs")); i;
                     i = json_next(i)) {
                    cleanup_free char *one = NULL;
                    assert_true(json_str(i, &text));
                    one = slice_dup(text);
                    if (strstr(one, " indexed ")) n++;
                }
                for (size_t i = 0; i < sig.n; i++) words += sig.p[i] == ',';
                words += 2 - n; /* values, without those that are topics */
                struct poco_log l;
                struct sr_err err = {0};
                if (poco_log_read(t, n, slice_of(zeros, words * 32), &l, &err) != SR_OK)
                    fail_msg("event %d: %s", (int)e, err.what);
                assert_int_equal(l.event, e);
                assert_int_equal(l.n, words + n - 1);
                assert_int_not_equal(poco_log_read(t, n, slice_of(zeros, words * 32 - 1), &l, NULL),
                                     SR_OK);
            }
        if (!found) fail_msg("no official event has the topic of event %d", (int)e);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(registries_are_called_as_the_npm_client_calls_them),
        cmocka_unit_test(the_orders_are_read_from_every_call_that_matches),
        cmocka_unit_test(the_orders_are_found_in_calls_inside_calls),
        cmocka_unit_test(what_we_send_a_vault_can_read),
        cmocka_unit_test(official_events_are_read),
        cmocka_unit_test(events_of_sharing_have_the_official_topics),
    };
    return cmocka_run_group_tests_name("poco/calls", t, NULL, NULL);
}
