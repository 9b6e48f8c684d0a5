/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static uint64_t bits_of(const char *text) {
    double d = 0;
    uint64_t b;
    assert_true(decimal_to_double(slice_str(text), &d));
    memcpy(&b, &d, sizeof b);
    return b;
}

static void known_numbers_have_their_bits(void **state) {
    (void)state;
    assert_true(bits_of("0") == 0);
    assert_true(bits_of("-0") == 1ull << 63);
    assert_true(bits_of("1") == 0x3ff0000000000000ull);
    assert_true(bits_of("0.1") == 0x3fb999999999999aull);
    assert_true(bits_of("-1.5e0") == 0xbff8000000000000ull);
    assert_true(bits_of("123456789012345678901234567890") == 0x45f8ee90ff6c373eull);
    assert_true(bits_of("9007199254740993") == 0x4340000000000000ull); /* a tie goes to even */
    assert_true(bits_of("9007199254740993.00000000000000000000000001") == 0x4340000000000001ull);
    assert_true(bits_of("1.7976931348623157e308") == 0x7fefffffffffffffull);
    assert_true(bits_of("2.2250738585072014e-308") == 0x0010000000000000ull);
    assert_true(bits_of("2.2250738585072011e-308") == 0x000fffffffffffffull);
    assert_true(bits_of("4.9e-324") == 1);
    assert_true(bits_of("5e-324") == 1);
    assert_true(bits_of("2.4703282292062327e-324") == 0);
    assert_true(bits_of("2.4703282292062328e-324") == 1);
    assert_true(bits_of("1e-5000") == 0);
    assert_true(bits_of("1e23") == 0x44b52d02c7e14af6ull);
    assert_true(bits_of("0.000000000000000000000000000000000000000000001e45") ==
                0x3ff0000000000000ull);
}

static void what_is_beyond_is_refused(void **state) {
    (void)state;
    double d;
    assert_false(decimal_to_double(SLICE_LIT("1e309"), &d));
    assert_false(decimal_to_double(SLICE_LIT("1.7976931348623159e308"), &d));
    assert_false(decimal_to_double(SLICE_LIT("1e99999999999999999999"), &d));
    assert_false(decimal_to_double(SLICE_LIT(""), &d));
    assert_false(decimal_to_double(SLICE_LIT("-"), &d));
    assert_false(decimal_to_double(SLICE_LIT("1e"), &d));
    assert_false(decimal_to_double(SLICE_LIT("1x"), &d));
}

/* Every double prints with 17 digits to a text that reads back as itself. */
static void a_double_survives_its_text(void **state) {
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15ull;
    for (int i = 0; i < 20000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        uint64_t b = seed;
        if ((b >> 52 & 0x7ff) == 0x7ff) continue;
        double d;
        char text[64];
        memcpy(&d, &b, sizeof d);
        (void)snprintf(text, sizeof text, "%.17g", d);
        if (bits_of(text) != b)
            fail_msg("%s gives %016llx", text, (unsigned long long)bits_of(text));
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(known_numbers_have_their_bits),
        cmocka_unit_test(what_is_beyond_is_refused),
        cmocka_unit_test(a_double_survives_its_text),
    };
    return cmocka_run_group_tests_name("sdk/decimal", t, NULL, NULL);
}
