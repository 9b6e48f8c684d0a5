/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void decimals_have_digits_only_and_a_maximum(void **state) {
    (void)state;
    uint64_t v = 5;
    assert_true(num_u64(slice_str("18446744073709551615"), UINT64_MAX, &v) && v == UINT64_MAX);
    assert_true(num_u64(slice_str("0"), 0, &v) && v == 0);
    static const char *const no[] = {"",
                                     " 1",
                                     "1 ",
                                     "+1",
                                     "-1",
                                     "0x1",
                                     "1.0",
                                     "18446744073709551616",
                                     "99999999999999999999999"};
    for (size_t i = 0; i < SR_ARRAY_LEN(no); i++)
        assert_false(num_u64(slice_str(no[i]), UINT64_MAX, &v));
    assert_false(num_u64(slice_str("65536"), 65535, &v));
    assert_true(num_u64(slice_str("65535"), 65535, &v));
}

static void quantities_and_sizes(void **state) {
    (void)state;
    uint64_t v;
    assert_true(num_hex_u64(slice_str("0x0"), &v) && v == 0);
    assert_true(num_hex_u64(slice_str("fF"), &v) && v == 255);
    assert_true(num_hex_u64(slice_str("0xffffffffffffffff"), &v) && v == UINT64_MAX);
    assert_false(num_hex_u64(slice_str("0x10000000000000000"), &v));
    assert_false(num_hex_u64(slice_str("0x"), &v) || num_hex_u64(slice_str("0xg"), &v));
    assert_true(num_size(slice_str("10"), 100, &v) && v == 10);
    assert_true(num_size(slice_str("64k"), UINT64_MAX, &v) && v == 65536);
    assert_true(num_size(slice_str("2G"), UINT64_MAX, &v) && v == 2147483648u);
    assert_false(num_size(slice_str("2g"), 2147483647u, &v));
    assert_false(num_size(slice_str("k"), UINT64_MAX, &v));
    assert_false(num_size(slice_str("17179869184g"), UINT64_MAX, &v));
}

static void every_byte_survives_hex_and_base64(void **state) {
    (void)state;
    uint8_t all[256], back[256];
    char text[513];
    for (size_t i = 0; i < 256; i++) all[i] = (uint8_t)i;
    hex_encode(text, all, 256);
    assert_true(hex_decode(slice_str(text), back, 256));
    assert_memory_equal(all, back, 256);
    for (size_t n = 0; n <= 256; n++) {
        cleanup_buf struct buf e, d;
        buf_init(&e, 1000);
        buf_init(&d, 1000);
        base64_encode(&e, slice_of(all, n));
        assert_int_equal(e.n, (n + 2) / 3 * 4);
        assert_true(base64_decode(buf_slice(&e), &d));
        assert_true(slice_eq(buf_slice(&d), slice_of(all, n)));
    }
}

static void each_single_character_decodes_as_the_alphabet_says(void **state) {
    (void)state;
    static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char hex[] = "0123456789abcdef";
    for (int c = 0; c < 256; c++) {
        uint8_t h[2] = {'0', (uint8_t)c}, q[4] = {'A', 'A', 'A', (uint8_t)c}, out = 99;
        const char *at = c ? strchr(hex, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        if (c == 'x' || c == 'X') at = NULL;
        bool ok = hex_decode(slice_of(h, 2), &out, 1);
        assert_int_equal(ok, at != NULL);
        assert_int_equal(out, ok ? (int)(at - hex) : 99);
        cleanup_buf struct buf d;
        buf_init(&d, 10);
        at = c ? strchr(b64, c) : NULL;
        ok = base64_decode(slice_of(q, 4), &d);
        assert_int_equal(ok, at != NULL || c == '=');
        if (at)
            assert_int_equal(d.p[2], at - b64);
        else
            assert_int_equal(d.n, c == '=' ? 2 : 0);
    }
}

static void base64_has_one_text_for_each_value(void **state) {
    (void)state;
    static const char *const no[] = {
        "A",        "AA",    "AAA",      "A===", "AB==",  "AAB=",   "AA=A", "=AAA",
        "AA==AAAA", "AAAA=", "AAAA====", "AA A", "AAA\n", "QQ==\n", "AA-_"};
    for (size_t i = 0; i < SR_ARRAY_LEN(no); i++) {
        cleanup_buf struct buf d;
        buf_init(&d, 100);
        buf_str(&d, "kept");
        assert_false(base64_decode(slice_str(no[i]), &d));
        assert_string_equal(buf_cstr(&d), "kept");
    }
    cleanup_buf struct buf d;
    buf_init(&d, 100);
    assert_true(base64_decode(slice_str("Zm9vYmE="), &d));
    assert_string_equal(buf_cstr(&d), "fooba");
}

static void a_bad_hex_text_leaves_the_output_alone(void **state) {
    (void)state;
    uint8_t out[2] = {7, 7};
    static const char *const no[] = {"",     "0",    "00",   "000",    "00000",
                                     "0x00", "00zz", "zz00", "0x0x00", "0x00 0"};
    for (size_t i = 0; i < SR_ARRAY_LEN(no); i++)
        assert_false(hex_decode(slice_str(no[i]), out, 2));
    assert_int_equal(out[0] + out[1], 14);
    assert_true(hex_decode(slice_str("0xAb0F"), out, 2) && out[0] == 0xab && out[1] == 0x0f);
    cleanup_buf struct buf b;
    buf_init(&b, 3);
    assert_true(hex_decode_buf(slice_str("0x"), &b) && hex_decode_buf(slice_str("010203"), &b));
    assert_false(hex_decode_buf(slice_str("04"), &b));
    assert_int_equal(b.bad, SR_E_TOOBIG);
}

static void addresses_need_the_prefix_and_all_digits(void **state) {
    (void)state;
    struct addr a;
    struct hash h;
    const char *t = "0x00112233445566778899aabbccddeeff00112233";
    assert_true(addr_parse(slice_str(t), &a));
    assert_string_equal(addr_text(&a).s, t);
    assert_false(addr_parse(slice_str(t + 2), &a));
    assert_false(addr_parse(slice_str("0x00112233445566778899aabbccddeeff0011223"), &a));
    assert_false(hash_parse(slice_str(t), &h));
    assert_false(addr_is_zero(&a));
    assert_true(addr_is_zero(&(struct addr){{0}}) && hash_is_zero(&(struct hash){{0}}));
    assert_int_equal(strlen(hash_text(&(struct hash){{0}}).s), 66);
}

static void dates_as_everybody_writes_them(void **state) {
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } v[] = {{0, "1970-01-01T00:00:00.000Z"},
             {951782399999, "2000-02-28T23:59:59.999Z"},
             {951782400000, "2000-02-29T00:00:00.000Z"},
             {951868800000, "2000-03-01T00:00:00.000Z"},
             {1704067199999, "2023-12-31T23:59:59.999Z"},
             {1704067200000, "2024-01-01T00:00:00.000Z"},
             {4107542399000, "2100-02-28T23:59:59.000Z"},
             {4107542400000, "2100-03-01T00:00:00.000Z"},
             {UINT64_MAX, "9999-12-31T23:59:59.999Z"}};
    char s[25];
    for (size_t i = 0; i < SR_ARRAY_LEN(v); i++) {
        iso8601(s, v[i].ms);
        assert_string_equal(s, v[i].text);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(decimals_have_digits_only_and_a_maximum),
        cmocka_unit_test(quantities_and_sizes),
        cmocka_unit_test(every_byte_survives_hex_and_base64),
        cmocka_unit_test(each_single_character_decodes_as_the_alphabet_says),
        cmocka_unit_test(base64_has_one_text_for_each_value),
        cmocka_unit_test(a_bad_hex_text_leaves_the_output_alone),
        cmocka_unit_test(addresses_need_the_prefix_and_all_digits),
        cmocka_unit_test(dates_as_everybody_writes_them),
    };
    return cmocka_run_group_tests_name("base/num", t, NULL, NULL);
}
