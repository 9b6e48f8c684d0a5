/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_DEC "115792089237316195423570985008687907853269984665640564039457584007913129639935"

static struct u256 of(const char *text) {
    struct u256 v = {{1, 2, 3, 4}};
    assert_true(u256_parse(slice_str(text), &v));
    return v;
}
static void same(struct u256 v, const char *dec) {
    char t[U256_DEC_MAX];
    u256_to_dec(t, v);
    assert_string_equal(t, dec);
}

static void the_largest_value_is_read_and_written(void **state) {
    (void)state;
    char hex[67];
    struct u256 v = of(MAX_DEC), w;
    same(v, MAX_DEC);
    u256_to_hex(hex, v);
    assert_string_equal(hex, "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
    assert_int_equal(u256_cmp(of(hex), v), 0);
    u256_to_hex(hex, u256_of(0));
    assert_string_equal(hex, "0x0");
    u256_to_hex(hex, u256_of(0xabc));
    assert_string_equal(hex, "0xabc");
    static const char *const no[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1.0",
        "1e3",
        "0x",
        "0xg",
        "0x0x1",
        "a",
        "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        "0x10000000000000000000000000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < SR_ARRAY_LEN(no); i++) assert_false(u256_parse(slice_str(no[i]), &w));
}

static void overflow_is_told_and_leaves_the_output(void **state) {
    (void)state;
    struct u256 max = of(MAX_DEC), one = u256_of(1), r = u256_of(9);
    assert_false(u256_add(&r, max, one));
    assert_false(u256_sub(&r, u256_of(0), one));
    assert_false(u256_mul(&r, max, u256_of(2)));
    assert_false(u256_mul(&r, of("0x100000000000000000000000000000000"),
                          of("0x100000000000000000000000000000000")));
    same(r, "9");
    assert_true(u256_add(&r, max, u256_of(0)) && u256_cmp(r, max) == 0);
    assert_true(u256_sub(&r, max, max) && u256_is_zero(r));
    assert_true(u256_mul(&r, max, one) && u256_cmp(r, max) == 0);
    assert_true(u256_mul(&r, of("0x80000000000000000000000000000000"),
                         of("0x80000000000000000000000000000000")));
    same(r, "28948022309329048855892746252171976963317496166410141009864396001978282409984");
}

/* a * b + c is taken apart again by division, for many values from a fixed seed. */
static void arithmetic_undoes_itself(void **state) {
    (void)state;
    uint64_t s = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        struct u256 a, p, back;
        uint64_t w[5];
        for (int k = 0; k < 5; k++) {
            s ^= s << 13;
            s ^= s >> 7;
            s ^= s << 17;
            w[k] = s >> (s % 61);
        }
        a = (struct u256){{w[0], w[1], w[2] >> 1, 0}};
        uint64_t d = w[3] | 1, c = w[4] % d, rem;
        assert_true(u256_mul(&p, a, u256_of(d)));
        assert_true(u256_add(&p, p, u256_of(c)));
        back = u256_div_u64(p, d, &rem);
        assert_int_equal(u256_cmp(back, a), 0);
        assert_true(rem == c);
        assert_true(u256_sub(&back, p, u256_of(c)));
        assert_true(u256_cmp(back, p) <= 0);
        uint8_t be[32];
        u256_to_be(be, p);
        assert_int_equal(u256_cmp(u256_from_be(be), p), 0);
        char t[U256_DEC_MAX];
        u256_to_dec(t, p);
        assert_int_equal(u256_cmp(of(t), p), 0);
    }
}

static void bytes_are_big_endian(void **state) {
    (void)state;
    uint8_t be[32] = {0};
    be[31] = 1;
    be[23] = 2;
    be[0] = 3;
    struct u256 v = u256_from_be(be);
    assert_true(v.w[0] == 1 && v.w[1] == 2 && v.w[3] == 3ull << 56);
    uint64_t small;
    assert_false(u256_to_u64(v, &small));
    assert_true(u256_to_u64(u256_of(UINT64_MAX), &small) && small == UINT64_MAX);
    assert_true(u256_cmp(u256_of(2), v) < 0 && u256_cmp(v, u256_of(2)) > 0);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_largest_value_is_read_and_written),
        cmocka_unit_test(overflow_is_told_and_leaves_the_output),
        cmocka_unit_test(arithmetic_undoes_itself),
        cmocka_unit_test(bytes_are_big_endian),
    };
    return cmocka_run_group_tests_name("base/u256", t, NULL, NULL);
}
