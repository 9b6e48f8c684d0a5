/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static sr_status parse(const char *text, size_t n, struct json **ret) {
    struct sr_err err = {0};
    sr_status st = json_parse(slice_of(text, n), ret, &err);
    if (st != SR_OK) assert_int_equal(err.code, st);
    return st;
}
#define GOOD(lit) assert_true(accepts(lit, sizeof(lit) - 1))
#define BAD(lit)  assert_false(accepts(lit, sizeof(lit) - 1))
static bool accepts(const char *text, size_t n) {
    cleanup_json struct json *d = NULL;
    return parse(text, n, &d) == SR_OK;
}

static void every_kind_of_value_is_accepted(void **state) {
    (void)state;
    GOOD("null");
    GOOD(" true ");
    GOOD("\t\r\nfalse\n");
    GOOD("\"\"");
    GOOD("[]");
    GOOD("{}");
    GOOD("[[],{},[[]],{\"a\":{}}]");
    GOOD("{\"\":0}");
    GOOD("\"\x7f\""); /* DEL is no control character for JSON */
    GOOD("\"\xf4\x8f\xbf\xbf\"");
    GOOD("\"\\u0000\"");
    GOOD("\"\\uDBFF\\uDFFF\"");
    GOOD("\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"");
    GOOD("123456789012345678901234567890");
    GOOD("-0");
    GOOD("-0.0e-0");
    GOOD("1E+2");
    GOOD("1e9999");
}

static void every_other_text_is_refused(void **state) {
    (void)state;
    BAD("");
    BAD(" ");
    BAD("nul");
    BAD("nulll");
    BAD("True");
    BAD("[1,]");
    BAD("[,1]");
    BAD("[1 2]");
    BAD("[1");
    BAD("]");
    BAD("{\"a\"}");
    BAD("{\"a\":}");
    BAD("{\"a\":1,}");
    BAD("{a:1}");
    BAD("{'a':1}");
    BAD("{\"a\":1 \"b\":2}");
    BAD("{\"a\":1]");
    BAD("[1}");
    BAD("1 2");
    BAD("[]x");
    BAD("{}{}");
    BAD("01");
    BAD("-");
    BAD("-01");
    BAD("+1");
    BAD("1.");
    BAD(".5");
    BAD("1e");
    BAD("1e+");
    BAD("0x10");
    BAD("NaN");
    BAD("Infinity");
    BAD("\"");
    BAD("\"a");
    BAD("\"\\");
    BAD("\"\\x41\"");
    BAD("\"\\u12\"");
    BAD("\"\\u12G4\"");
    BAD("\"\\u0x12\"");
    BAD("\"\\ud800\"");
    BAD("\"\\ud800\\u0041\"");
    BAD("\"\\udc00\"");
    BAD("\"\n\"");
    BAD("\"\x1f\"");
    BAD("\"\0\"");
    BAD("\0");
    BAD("[1]\0");
    BAD("\xef\xbb\xbf[]"); /* byte order mark */
    BAD("\"\x80\"");
    BAD("\"\xc0\xaf\"");         /* overlong */
    BAD("\"\xe0\x80\xaf\"");     /* overlong */
    BAD("\"\xed\xa0\x80\"");     /* surrogate */
    BAD("\"\xf4\x90\x80\x80\""); /* above U+10FFFF */
    BAD("\"\xe2\x82\"");         /* cut */
    BAD("[1,\v2]");
    BAD("/* */ 1");
    BAD("[1,//\n2]");
}

static void a_key_twice_is_refused_in_small_and_large_objects(void **state) {
    (void)state;
    BAD("{\"a\":1,\"a\":2}");
    BAD("{\"a\":1,\"\\u0061\":2}"); /* the same after unescaping */
    GOOD("{\"a\":{\"a\":1},\"b\":{\"a\":1}}");
    for (int twice = 0; twice < 2; twice++) {
        cleanup_buf struct buf b;
        buf_init(&b, 1u << 20);
        struct jw w = jw_of(&b);
        jw_obj(&w);
        for (int i = 0; i < 5000; i++) {
            char k[16];
            (void)snprintf(k, sizeof k, "k%d", i == 4321 && twice ? 17 : i);
            jw_ku64(&w, k, 1);
        }
        jw_end_obj(&w);
        assert_int_equal(accepts((const char *)b.p, b.n), !twice);
    }
}

static void nesting_is_bounded(void **state) {
    (void)state;
    char text[2 * (JSON_MAX_DEPTH + 1)];
    for (size_t d = JSON_MAX_DEPTH; d <= JSON_MAX_DEPTH + 1; d++) {
        memset(text, '[', d);
        memset(text + d, ']', d);
        assert_int_equal(accepts(text, 2 * d), d == JSON_MAX_DEPTH);
    }
    enum { MANY = 1 << 20 };
    char *deep = malloc(MANY);
    assert_non_null(deep);
    memset(deep, '[', MANY);
    assert_false(accepts(deep, MANY));
    free(deep);
}

static void values_are_found_and_typed(void **state) {
    (void)state;
    static const char text[] =
        "{\"n\":42,\"big\":\"0xff\",\"dec\":\"1000\",\"neg\":-1,\"f\":1.5,\"s\":\"h\\u00e9\\n\","
        "\"a\":[1,[2],{\"x\":3}],\"t\":true,\"z\":null,"
        "\"addr\":\"0x00112233445566778899AABBCCDDEEFF00112233\"}";
    cleanup_json struct json *d = NULL;
    assert_int_equal(parse(text, sizeof text - 1, &d), SR_OK);
    const struct json_val *r = json_root(d);
    uint64_t n = 7;
    struct u256 v;
    struct slice s;
    struct addr a;
    bool t = false;
    assert_int_equal(json_len(r), 10);
    assert_true(json_u64(json_get(r, "n"), &n) && n == 42);
    assert_false(json_u64(json_get(r, "neg"), &n) || json_u64(json_get(r, "f"), &n));
    assert_false(json_u64(json_get(r, "dec"), &n) || json_u64(json_get(r, "none"), &n));
    assert_int_equal(n, 42);
    assert_true(json_u256(json_get(r, "big"), &v) && u256_cmp(v, u256_of(255)) == 0);
    assert_true(json_u256(json_get(r, "dec"), &v) && u256_cmp(v, u256_of(1000)) == 0);
    assert_true(json_u256(json_get(r, "n"), &v) && u256_cmp(v, u256_of(42)) == 0);
    assert_true(json_str(json_get(r, "s"), &s) && slice_is(s, "h\xc3\xa9\n"));
    assert_true(slice_is(json_raw(json_get(r, "s")), "\"h\\u00e9\\n\""));
    assert_true(slice_is(json_raw(json_get(r, "a")), "[1,[2],{\"x\":3}]"));
    assert_false(json_str(json_get(r, "n"), &s));
    assert_true(json_bool(json_get(r, "t"), &t) && t);
    assert_false(json_bool(json_get(r, "z"), &t));
    assert_true(json_is(json_get(r, "z"), JSON_NULL) && !json_is(json_get(r, "none"), JSON_NULL));
    assert_true(json_addr(json_get(r, "addr"), &a) && a.b[19] == 0x33 && a.b[10] == 0xaa);
    const struct json_val *arr = json_get(r, "a");
    assert_true(json_u64(json_at(json_at(arr, 1), 0), &n) && n == 2);
    assert_true(json_u64(json_get(json_at(arr, 2), "x"), &n) && n == 3);
    assert_null(json_at(arr, 3));
    assert_true(slice_is(json_key_at(r, 9), "addr"));
    size_t seen = 0;
    for (const struct json_val *m = json_first(r); m; m = json_next(m)) seen += json_key(m).n > 0;
    assert_int_equal(seen, 10);
}

static void an_error_names_the_byte(void **state) {
    (void)state;
    struct sr_err err = {0};
    struct json *d = NULL;
    assert_int_equal(json_parse(slice_str("{\"a\": [1, x]}"), &d, &err), SR_E_MALFORMED);
    assert_null(d);
    assert_non_null(strstr(err.what, "byte 10"));
}

static void truncated_at_every_length_fails(void **state) {
    (void)state;
    static const char text[] = "{\"a\":[1,2.5e-3,\"x\\u00e9\\ud83d\\ude00\"],\"b\":{\"c\":null}}";
    for (size_t cut = 0; cut < sizeof text - 1; cut++) assert_false(accepts(text, cut));
    GOOD("{\"a\":[1,2.5e-3,\"x\\u00e9\\ud83d\\ude00\"],\"b\":{\"c\":null}}");
}

static void the_writer_escapes_and_places_commas(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    struct addr a = {{1, 2}};
    jw_obj(&w);
    jw_kcstr(&w, "s", "q\"b\\n\n\x01\xc3\xa9");
    jw_kstr(&w, "bad",
            SLICE_LIT("\xff"
                      "x\xc3"));
    jw_key(&w, "list");
    jw_arr(&w);
    jw_u64(&w, UINT64_MAX);
    jw_i64(&w, -5);
    jw_double(&w, 1.5);
    jw_double(&w, 2);
    jw_obj(&w);
    jw_end_obj(&w);
    jw_null(&w);
    jw_end_arr(&w);
    jw_kbool(&w, "t", true);
    jw_kaddr(&w, "addr", &a);
    jw_key(&w, "v");
    jw_u256_dec(&w, u256_of(7));
    jw_key(&w, "raw");
    jw_raw(&w, SLICE_LIT("[1]"));
    jw_end_obj(&w);
    assert_string_equal(
        buf_cstr(&b),
        "{\"s\":\"q\\\"b\\\\n\\n\\u0001\xc3\xa9\",\"bad\":\"\xef\xbf\xbdx\xef\xbf\xbd\","
        "\"list\":[18446744073709551615,-5,1.5,2,{},null],\"t\":true,"
        "\"addr\":\"0x0102000000000000000000000000000000000000\",\"v\":\"7\",\"raw\":[1]}");
}

static void the_writer_reports_a_full_buffer(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 10);
    struct jw w = jw_of(&b);
    jw_arr(&w);
    for (int i = 0; i < 100; i++) jw_u64(&w, 1);
    jw_end_arr(&w);
    assert_int_equal(buf_status(&b, NULL), SR_E_TOOBIG);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(every_kind_of_value_is_accepted),
        cmocka_unit_test(every_other_text_is_refused),
        cmocka_unit_test(a_key_twice_is_refused_in_small_and_large_objects),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(values_are_found_and_typed),
        cmocka_unit_test(an_error_names_the_byte),
        cmocka_unit_test(truncated_at_every_length_fails),
        cmocka_unit_test(the_writer_escapes_and_places_commas),
        cmocka_unit_test(the_writer_reports_a_full_buffer),
    };
    return cmocka_run_group_tests_name("base/json", t, NULL, NULL);
}
