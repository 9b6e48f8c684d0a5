/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/functions.h"
#include "val.h"

/* Native mode and Boost are deployed nowhere. */
static bool left_out(struct slice sig) {
    cleanup_free char *s = slice_dup(sig);
    return strstr(s, "Boost") != NULL;
}

/* The function of this signature that answers these types (NULL: any). */
static bool find(struct slice sig, const char *types, poco_fn *ret) {
    for (unsigned f = 0; f < POCO_FN_N; f++) {
        if (!slice_is(sig, poco_fn_signature((poco_fn)f))) continue;
        if (types && strcmp(types, poco_fn_answer_types((poco_fn)f)) != 0) continue;
        *ret = (poco_fn)f;
        return true;
    }
    return false;
}

static void every_function_of_the_official_contracts_is_there(void **state) {
    (void)state;
    static const char *const contracts[] = {"IexecInterfaceToken",
                                            "DiamondCutFacet",
                                            "DiamondLoupeFacet",
                                            "OwnershipFacet",
                                            "AppRegistry",
                                            "DatasetRegistry",
                                            "WorkerpoolRegistry",
                                            "App",
                                            "Dataset",
                                            "Workerpool",
                                            "IOracleConsumer",
                                            "IERC734",
                                            "DataProtector"};
    cleanup_json struct json *doc = vec_load("poco/abi.json");
    bool used[POCO_FN_N] = {false};
    size_t n = 0;
    for (size_t c = 0; c < SR_ARRAY_LEN(contracts); c++) {
        const struct json_val *k = json_get(json_get(json_root(doc), "contracts"), contracts[c]);
        assert_non_null(k);
        for (const struct json_val *f = json_first(json_get(k, "functions")); f; f = json_next(f)) {
            struct slice sig = vec_str(f, "signature");
            if (left_out(sig)) continue;
            struct buf types;
            buf_init(&types, 4096);
            for (const struct json_val *o = json_first(json_get(f, "outputs")); o;
                 o = json_next(o)) {
                if (types.n) buf_str(&types, ",");
                buf_add(&types, vec_str(o, "type"));
            }
            poco_fn fn;
            if (!find(sig, buf_cstr(&types), &fn))
                fail_msg("%s: no %.*s that answers '%s'", contracts[c], (int)sig.n,
                         (const char *)sig.p, buf_cstr(&types));
            uint8_t sel[4];
            struct buf want;
            buf_init(&want, 8);
            vec_hex(f, "selector", &want);
            abi_selector(poco_fn_signature(fn), sel);
            assert_bytes(slice_of(sel, 4), buf_slice(&want));
            buf_done(&want);
            buf_done(&types);
            used[fn] = true;
            n++;
        }
    }
    assert_true(n > 200);
    for (unsigned f = 0; f < POCO_FN_PERMIT; f++) /* our own come behind */
        if (!used[f]) fail_msg("%s is nobody's", poco_fn_signature((poco_fn)f));
}

static void official_calls_and_answers_are_read_and_written(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("poco/abi-samples.json");
    size_t n = 0;
    for (const struct json_val *s = json_first(json_get(json_root(doc), "functions")); s;
         s = json_next(s)) {
        struct slice sig = vec_str(s, "signature");
        poco_fn f, g;
        struct sr_err e = {0};
        if (left_out(sig)) continue;
        const struct json_val *outputs = json_get(s, "outputs"), *args = json_get(s, "args");
        bool answers = outputs && json_len(outputs) > 0;
        struct buf call, data, again;
        buf_init(&call, 1u << 16);
        buf_init(&data, 1u << 16);
        buf_init(&again, 1u << 16);
        vec_hex(s, "calldata", &call);
        if (!find(sig, answers ? NULL : "", &f) && !find(sig, NULL, &f))
            fail_msg("%.*s is not there", (int)sig.n, (const char *)sig.p);
        assert_ok(poco_fn_of(buf_slice(&call), &g, &e));
        assert_string_equal(poco_fn_signature(g), poco_fn_signature(f));
        cleanup_abi struct abi_out o = {0}, a = {0};
        assert_ok(poco_fn_args(f, buf_slice(&call), &o, &e));
        assert_int_equal(o.n, json_len(args));
        for (size_t i = 0; i < o.n; i++) assert_true(val_is(&o.v[i], json_at(args, i)));
        assert_ok(poco_fn_encode(&again, f, o.v, o.n, &e));
        assert_bytes(buf_slice(&again), buf_slice(&call));
        for (size_t cut = 0; cut < call.n; cut += 7) {
            struct abi_out none = {0};
            assert_int_not_equal(poco_fn_args(f, slice_of(call.p, cut), &none, NULL), SR_OK);
        }
        if (answers) {
            vec_hex(s, "returndata", &data);
            assert_ok(poco_fn_answer(f, buf_slice(&data), &a, &e));
            assert_int_equal(a.n, json_len(outputs));
            for (size_t i = 0; i < a.n; i++) assert_true(val_is(&a.v[i], json_at(outputs, i)));
            struct abi_out none = {0};
            assert_int_not_equal(poco_fn_answer(f, slice_of(data.p, data.n - 1), &none, NULL),
                                 SR_OK);
        }
        buf_done(&call);
        buf_done(&data);
        buf_done(&again);
        n++;
    }
    assert_true(n > 150);
}

static void a_call_takes_what_its_signature_says_and_nothing_else(void **state) {
    (void)state;
    struct sr_err e = {0};
    struct addr a = {{1}};
    struct buf b;
    poco_fn f;
    buf_init(&b, 1024);
    assert_ok(poco_fn_call(&b, POCO_FN_DEPOSIT_FOR, &e, av_u64(5), av_addr(&a)));
    assert_ok(poco_fn_of(buf_slice(&b), &f, &e));
    assert_int_equal(f, POCO_FN_DEPOSIT_FOR);
    assert_int_equal(poco_fn_call(&b, POCO_FN_DEPOSIT_FOR, NULL, av_addr(&a), av_u64(5)),
                     SR_E_USAGE);
    assert_int_equal(poco_fn_call(&b, POCO_FN_DEPOSIT_FOR, NULL, av_u64(5)), SR_E_USAGE);
    assert_int_equal(poco_fn_of(slice_of(b.p, 3), &f, NULL), SR_E_NOTFOUND);
    assert_int_equal(poco_fn_of(SLICE_LIT("none of them"), &f, NULL), SR_E_NOTFOUND);
    buf_done(&b);
}

static void orders_are_broadcast_and_heard(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("poco/abi-samples.json");
    bool heard[POCO_KINDS] = {false};
    for (const struct json_val *v = json_first(json_get(json_root(doc), "events")); v;
         v = json_next(v)) {
        struct sr_err e = {0};
        struct hash topic;
        struct buf data, call;
        buf_init(&data, 1u << 16);
        buf_init(&call, 1u << 16);
        vec_hex(v, "data", &data);
        assert_true(json_hash(json_at(json_get(v, "topics"), 0), &topic));
        size_t n = json_len(json_get(v, "topics"));
        struct poco_order o;
        sr_status st = poco_broadcast_read(&topic, n, buf_slice(&data), &o, &e);
        if (slice_starts(vec_str(v, "signature"), "Broadcast")) {
            if (st != SR_OK) fail_msg("%s", e.what);
            heard[o.kind] = true;
            assert_ok(poco_enc_broadcast(&call, &o, &e));
            assert_bytes(slice_of(call.p + 4, call.n - 4), buf_slice(&data));
            for (size_t cut = 0; cut < data.n; cut += 5)
                assert_int_not_equal(
                    poco_broadcast_read(&topic, n, slice_of(data.p, cut), &o, NULL), SR_OK);
        } else {
            assert_int_equal(st, SR_E_NOTFOUND);
        }
        buf_done(&data);
        buf_done(&call);
    }
    for (unsigned k = 0; k < POCO_KINDS; k++) assert_true(heard[k]);
}

static void a_sponsors_match_is_the_official_call(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("poco/abi-samples.json");
    size_t n = 0;
    for (const struct json_val *s = json_first(json_get(json_root(doc), "functions")); s;
         s = json_next(s)) {
        struct slice sig = vec_str(s, "signature");
        bool sponsor = slice_is(sig, poco_fn_signature(POCO_FN_SPONSOR_MATCH_ORDERS)),
             volume = slice_is(sig, poco_fn_signature(POCO_FN_COMPUTE_DEAL_VOLUME));
        if (!sponsor && !volume) continue;
        struct sr_err e = {0};
        struct buf call, again;
        buf_init(&call, 1u << 16);
        buf_init(&again, 1u << 16);
        vec_hex(s, "calldata", &call);
        cleanup_abi struct abi_out a = {0};
        struct poco_order o[POCO_KINDS];
        assert_ok(poco_fn_args(sponsor ? POCO_FN_SPONSOR_MATCH_ORDERS : POCO_FN_COMPUTE_DEAL_VOLUME,
                               buf_slice(&call), &a, &e));
        for (unsigned k = 0; k < POCO_KINDS; k++)
            assert_ok(poco_order_from_val((poco_kind)k, &a.v[k], &o[k], &e));
        assert_ok((sponsor ? poco_enc_sponsor_match : poco_enc_deal_volume)(
            &again, &o[POCO_APP], &o[POCO_DATASET], &o[POCO_WORKERPOOL], &o[POCO_REQUEST], &e));
        assert_bytes(buf_slice(&again), buf_slice(&call));
        buf_done(&call);
        buf_done(&again);
        n++;
    }
    assert_true(n >= 2);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_function_of_the_official_contracts_is_there),
        cmocka_unit_test(official_calls_and_answers_are_read_and_written),
        cmocka_unit_test(a_call_takes_what_its_signature_says_and_nothing_else),
        cmocka_unit_test(orders_are_broadcast_and_heard),
        cmocka_unit_test(a_sponsors_match_is_the_official_call),
    };
    return cmocka_run_group_tests_name("poco/functions", t, NULL, NULL);
}
