/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/params.h"
#include "vec.h"

static void what_the_npm_client_signs_reads_and_writes_alike(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_json struct json *doc = vec_load("sdk/request-params.json");
    size_t n = 0;
    for (const struct json_val *v = json_first(json_get(json_root(doc), "vectors")); v;
         v = json_next(v), n++) {
        struct slice text = vec_str(v, "signedString");
        cleanup_params struct poco_params p = {0};
        assert_ok(poco_params_read(text, &p, &e));
        const struct json_val *o = json_get(v, "object");
        struct slice args;
        assert_int_equal(p.has_args, json_str(json_get(o, "iexec_args"), &args));
        if (p.has_args) assert_bytes(p.args, args);
        assert_int_equal(p.n_files, json_len(json_get(o, "iexec_input_files")));
        assert_int_equal(p.n_secrets, json_len(json_get(o, "iexec_secrets")));
        struct buf b;
        buf_init(&b, 1u << 16);
        poco_params_write(&p, &b);
        assert_bytes(buf_slice(&b), text);
        buf_done(&b);
    }
    assert_true(n >= 9);
}

static void the_services_reading_is_strict(void **state) {
    (void)state;
    struct sr_err e = {0};
    const char *whole[] = {"",
                           "hello world",
                           "[1]",
                           "\"x\"",
                           "{\"foo\":1}",
                           "{\"iexec_args\":5}",
                           "{\"iexec_input_files\":\"x\"}",
                           "{\"iexec_secrets\":{\"0\":\"x\"}}",
                           "{\"iexec_secrets\":{\"a\":\"x\"}}",
                           "{\"iexec_result_encryption\":\"true\"}",
                           "{\"iexec_args\":\"cut"};
    for (size_t i = 0; i < SR_ARRAY_LEN(whole); i++) {
        cleanup_params struct poco_params p = {0};
        assert_ok(poco_params_read(slice_str(whole[i]), &p, &e));
        assert_true(p.has_args && slice_is(p.args, whole[i]));
        assert_int_equal(p.n_files + p.n_secrets, 0);
        assert_int_equal(p.storage.n, 0);
    }
}

static void secrets_come_in_order_of_their_numbers(void **state) {
    (void)state;
    struct poco_params p = {
        .n_secrets = 3,
        .secrets = {{10, SLICE_LIT("j")}, {2, SLICE_LIT("b")}, {1, SLICE_LIT("a")}}};
    struct buf b;
    buf_init(&b, 1024);
    poco_params_write(&p, &b);
    assert_string_equal(buf_cstr(&b), "{\"iexec_secrets\":{\"1\":\"a\",\"2\":\"b\",\"10\":\"j\"}}");
    buf_done(&b);
}

static void limits_hold(void **state) {
    (void)state;
    struct buf b;
    buf_init(&b, 1u << 16);
    buf_str(&b, "{\"iexec_input_files\":[\"a\"");
    for (unsigned i = 0; i < PARAMS_MAX_FILES; i++) buf_str(&b, ",\"a\"");
    buf_str(&b, "]}");
    struct poco_params p = {0};
    assert_int_equal(poco_params_read(buf_slice(&b), &p, NULL), SR_E_TOOBIG);
    buf_done(&b);
}

static void result_links(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_json struct json *doc = vec_load("sdk/task-results.json");
    for (const struct json_val *v = json_first(json_get(json_root(doc), "vectors")); v;
         v = json_next(v)) {
        struct buf bytes, b;
        buf_init(&bytes, 4096);
        buf_init(&b, 4096);
        vec_hex(v, "bytes", &bytes);
        struct poco_result_link l;
        assert_ok(poco_result_read(buf_slice(&bytes), &l, &e));
        const struct json_val *shown = json_get(v, "shown");
        assert_bytes(l.storage, vec_str(shown, "storage"));
        if (!slice_is(l.storage, "none")) {
            assert_bytes(l.location, vec_str(shown, "location"));
            cleanup_free char *storage = slice_dup(l.storage);
            poco_result_write(&b, storage, l.location);
            assert_bytes(buf_slice(&b), buf_slice(&bytes));
        }
        json_free(l.doc);
        buf_done(&bytes);
        buf_done(&b);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(what_the_npm_client_signs_reads_and_writes_alike),
        cmocka_unit_test(the_services_reading_is_strict),
        cmocka_unit_test(secrets_come_in_order_of_their_numbers),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(result_links),
    };
    return cmocka_run_group_tests_name("poco/params", t, NULL, NULL);
}
