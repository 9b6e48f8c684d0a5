/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/sdk_int.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void amounts_are_read_as_the_official_library_reads_them(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    cleanup_json struct json *doc = NULL;
    size_t checked = 0;
    buf_init(&b, 1u << 20);
    assert_int_equal(fs_read(VECTORS "/sdk/amounts.json", &b, NULL), SR_OK);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    const struct json_val *v = json_first(json_get(json_root(doc), "nRLC"));
    for (; v; v = json_next(v)) {
        cleanup_free char *text = slice_dup(json_text(json_get(v, "input")));
        struct slice want = json_text(json_get(json_get(v, "lib"), "value"));
        struct u256 got;
        struct sr_err err = {0};
        if (text[0] == 0) continue; /* nothing is not an amount here */
        sr_status st = sdk_amount(text, &got, &err);
        if (want.n == 0) {
            assert_int_equal(st, SR_E_USAGE);
            assert_true(
                slice_eq(slice_str(err.what), json_text(json_get(json_get(v, "lib"), "error"))));
        } else {
            char dec[U256_DEC_MAX];
            assert_int_equal(st, SR_OK);
            u256_to_dec(dec, got);
            assert_true(slice_is(want, dec));
        }
        checked++;
    }
    assert_true(checked >= 10);
}

static void odd_amounts_are_refused(void **state) {
    (void)state;
    char huge[200];
    memset(huge, '9', sizeof huge);
    huge[sizeof huge - 1] = 0;
    const char *const bad[] = {"",   " ",  "1.",  ".5 RLC", "1 2", "0x10",    "1e3",
                               "+1", "-1", "1,5", "1.5",    "RLC", "1 RLC x", "1.0000000001 RLC",
                               huge};
    struct u256 v;
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        assert_int_equal(sdk_amount(bad[i], &v, NULL), SR_E_USAGE);
    assert_int_equal(sdk_amount("1.500000000 rlc", &v, NULL), SR_OK);
    assert_true(u256_cmp(v, u256_of(1500000000)) == 0);
}

static void a_price_fits_the_market(void **state) {
    (void)state;
    struct u256 v;
    assert_int_equal(sdk_price(NULL, "price", &v, NULL), SR_OK);
    assert_true(u256_is_zero(v));
    assert_int_equal(sdk_price("9007199254740991", "price", &v, NULL), SR_OK);
    assert_int_equal(sdk_price("9007199254740992", "price", &v, NULL), SR_E_USAGE);
}

static void exit_codes_are_the_documented_ones(void **state) {
    (void)state;
    assert_int_equal(sr_exit_code(SR_OK), 0);
    assert_int_equal(sr_exit_code(SR_E_USAGE), 2);
    assert_int_equal(sr_exit_code(SR_E_REFUSED), 3);
    assert_int_equal(sr_exit_code(SR_E_AUTH), 3);
    assert_int_equal(sr_exit_code(SR_E_TASK), 4);
    assert_int_equal(sr_exit_code(SR_E_UNAVAILABLE), 5);
    assert_int_equal(sr_exit_code(SR_E_SYS), 1);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(amounts_are_read_as_the_official_library_reads_them),
        cmocka_unit_test(odd_amounts_are_refused),
        cmocka_unit_test(a_price_fits_the_market),
        cmocka_unit_test(exit_codes_are_the_documented_ones),
    };
    return cmocka_run_group_tests_name("sdk/amount", t, NULL, NULL);
}
