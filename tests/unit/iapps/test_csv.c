/* SPDX-License-Identifier: Apache-2.0 */
#include "common/csv.h"
#include "common/number.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* after the four above */
#include <cmocka.h>

/* Rows as "a|b\n". */
static sr_status join(void *arg, const struct slice *fields, size_t n, uint64_t row,
                      struct sr_err *err) {
    struct buf *b = arg;
    (void)row;
    for (size_t i = 0; i < n; i++) {
        if (i) buf_u8(b, '|');
        buf_add(b, fields[i]);
    }
    buf_u8(b, '\n');
    return buf_status(b, err);
}

static sr_status read_in_pieces(const char *text, size_t n, size_t piece, struct buf *ret,
                                struct sr_err *err) {
    struct csv *c = NULL;
    buf_init(ret, 1u << 20);
    assert_int_equal(csv_new(join, ret, &c, err), SR_OK);
    sr_status st = SR_OK;
    for (size_t i = 0; i < n && st == SR_OK; i += piece)
        st = csv_feed(c, text + i, n - i < piece ? n - i : piece, err);
    if (st == SR_OK) st = csv_end(c, err);
    csv_free(c);
    return st;
}

static void reads(const char *text, const char *want) {
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        cleanup_buf struct buf got;
        struct sr_err err = {0};
        assert_int_equal(read_in_pieces(text, strlen(text), piece, &got, &err), SR_OK);
        assert_string_equal(buf_cstr(&got), want);
    }
}

static void refuses(const char *text, size_t n, const char *why) {
    for (size_t piece = 1; piece <= n; piece++) {
        cleanup_buf struct buf got;
        struct sr_err err = {0};
        assert_int_not_equal(read_in_pieces(text, n, piece, &got, &err), SR_OK);
        assert_non_null(strstr(err.what, why));
    }
}

static void tables_of_the_world_are_read_the_same_in_pieces_of_any_size(void **state) {
    (void)state;
    reads("a,b\n1,2\n", "a|b\n1|2\n");
    reads("a,b\r\n1,2\r\n\r\n3,4", "a|b\n1|2\n3|4\n");
    reads("a,b\r1,2\r3,4\r", "a|b\n1|2\n3|4\n");
    reads("\xef\xbb\xbf"
          "a,b\n1,2\n",
          "a|b\n1|2\n");
    reads("\xef\xbb"
          "a,b\n1,2\n",
          "\xef\xbb"
          "a|b\n1|2\n");
    reads("a;b\n1,5;2\n", "a|b\n1,5|2\n");
    reads("a\tb\n1\t2 x\n", "a|b\n1|2 x\n");
    reads("\"a,b\",c\n\"say \"\"x\"\"\",\"two\nlines\"\n", "a,b|c\nsay \"x\"|two\nlines\n");
    reads(" a , \"b\" \n  1,2  \n", "a|b\n1|2\n");
    reads("a,b\n,\n\"\",\n", "a|b\n|\n|\n");
    reads("one\n\n7\n\"\"\n", "one\n7\n\n");
}

static void what_is_no_table_is_refused_by_its_row(void **state) {
    (void)state;
#define REFUSES(text, why) refuses(text, sizeof(text) - 1, why)
    REFUSES("a,b\n1\n", "row 1 of the table has 1 fields, the header has 2");
    REFUSES("a,b\n1,2\n1,2,3\n", "row 2");
    REFUSES("a,b\n1,\"2\n", "never closed");
    REFUSES("a,b\n1,x\"y\"\n", "a quote inside");
    REFUSES("a,b\n1,\"x\"y\n", "behind a closing quote");
    REFUSES("a,\"b\"c\n", "header");
    REFUSES("a,b\n1,\0\n", "zero byte");
    REFUSES("\n", "empty");
#undef REFUSES
}

static void rows_and_columns_have_limits(void **state) {
    (void)state;
    struct buf text;
    struct sr_err err = {0};
    buf_init(&text, 4u << 20);
    for (unsigned i = 0; i <= CSV_MAX_COLUMNS; i++) buf_str(&text, "a,");
    cleanup_buf struct buf got;
    assert_int_equal(read_in_pieces(buf_cstr(&text), text.n, 4096, &got, &err), SR_E_TOOBIG);
    buf_clear(&text);
    buf_str(&text, "a\n");
    for (unsigned i = 0; i <= CSV_MAX_ROW / 16; i++) buf_str(&text, "0123456789abcdef");
    cleanup_buf struct buf other;
    assert_int_equal(read_in_pieces(buf_cstr(&text), text.n, 4096, &other, NULL), SR_E_TOOBIG);
    buf_done(&text);
}

static void fields_are_quoted_when_they_must_be(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 100);
    const char *const fields[] = {"plain", "a,b", "say \"x\"", " edge", "two\nlines", ""};
    for (size_t i = 0; i < SR_ARRAY_LEN(fields); i++) {
        csv_put(&b, slice_str(fields[i]));
        buf_u8(&b, '/');
    }
    assert_string_equal(buf_cstr(&b), "plain/\"a,b\"/\"say \"\"x\"\"\"/\" edge\"/\"two\nlines\"//");
}

static void numbers_are_what_the_c_library_says_and_nothing_else_is_one(void **state) {
    (void)state;
    static const char *const good[] = {"0",
                                       "-0",
                                       "12",
                                       "+3.5",
                                       ".5",
                                       "5.",
                                       "1e3",
                                       "1E-3",
                                       "-1.25e+2",
                                       "0.1",
                                       "1e22",
                                       "1e23",
                                       "9007199254740993",
                                       "123456789012345678901234567890",
                                       "2.2250738585072014e-308",
                                       "0.30000000000000004",
                                       "17.99",
                                       "1e-30"};
    static const char *const bad[] = {"",        ".",     "+",     "1,5", "0x10", "inf",
                                      "nan",     "1e",    "1e+",   "--1", "1 2",  "007",
                                      "1e99999", "1e999", "1.2.3", " 1",  "1 "};
    double v;
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++) {
        double want = 0;
        char *end = NULL;
        assert_true(number_parse(slice_str(good[i]), &v));
        want = (strtod)(good[i], &end); /* the reference */
        assert_true(v == want);
    }
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        assert_false(number_parse(slice_str(bad[i]), &v));
    assert_true(number_is_missing(slice_str("NA")) && number_is_missing(slice_str("")));
    assert_false(number_is_missing(slice_str("0")));
}

static void exp_and_log_are_those_of_the_c_library_to_the_last_places(void **state) {
    (void)state;
    struct number_random r = {7};
    for (int i = 0; i < 20000; i++) {
        double x = ((double)number_below(&r, 1u << 30) / (1u << 30) - 0.5) * 1000;
        double e = number_exp(x), want = exp(x);
        assert_true(fabs(e - want) <= want * 4e-16 * (x < -690 || x > 690 ? 1e3 : 1));
        double p = number_exp(x / 10), l = number_log(p);
        assert_true(fabs(l - log(p)) <= 1e-15 * (1 + fabs(l)));
    }
    assert_true(number_exp(0) == 1 && number_log(1) == 0 && number_sigmoid(0) == 0.5);
    assert_true(number_exp(-1e9) == 0 && isfinite(number_exp(1e9)) && isfinite(number_log(-1)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_of_the_world_are_read_the_same_in_pieces_of_any_size),
        cmocka_unit_test(what_is_no_table_is_refused_by_its_row),
        cmocka_unit_test(rows_and_columns_have_limits),
        cmocka_unit_test(fields_are_quoted_when_they_must_be),
        cmocka_unit_test(numbers_are_what_the_c_library_says_and_nothing_else_is_one),
        cmocka_unit_test(exp_and_log_are_those_of_the_c_library_to_the_last_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
