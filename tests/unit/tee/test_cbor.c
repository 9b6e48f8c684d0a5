/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/cbor.h"
#include "tee_test.h"

static bool head_ok(const void *p, size_t n, struct cbor_head *h) {
    struct rd r = rd_of(slice_of(p, n));
    return cbor_head(&r, h) && rd_done(&r);
}
#define HEAD(h, ...)                                                                               \
    head_ok((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), (h))

static void each_number_has_one_encoding(void **state) {
    (void)state;
    struct cbor_head h;
    assert_true(HEAD(&h, 0x17) && h.major == CBOR_UINT && h.n == 23);
    assert_true(HEAD(&h, 0x18, 0x18) && h.n == 24);
    assert_true(HEAD(&h, 0x19, 0x01, 0x00) && h.n == 256);
    assert_true(HEAD(&h, 0x1a, 0x00, 0x01, 0x00, 0x00) && h.n == 65536);
    assert_true(HEAD(&h, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0) && h.n == 1ull << 32);
    assert_true(HEAD(&h, 0x38, 0x22) && h.major == CBOR_NEG && h.n == 34);
    assert_false(HEAD(&h, 0x18, 0x17));
    assert_false(HEAD(&h, 0x19, 0x00, 0xff));
    assert_false(HEAD(&h, 0x1a, 0x00, 0x00, 0xff, 0xff));
    assert_false(HEAD(&h, 0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff));
    assert_false(HEAD(&h, 0x1c));
    assert_false(HEAD(&h, 0x19, 0x01)); /* cut off */
}

static void floats_and_streamed_strings_are_refused(void **state) {
    (void)state;
    struct cbor_head h;
    assert_true(HEAD(&h, 0xf6) && h.major == CBOR_SIMPLE && h.n == CBOR_NULL);
    assert_false(HEAD(&h, 0xf7));             /* undefined */
    assert_false(HEAD(&h, 0xf8, 0x20));       /* a simple value of nobody */
    assert_false(HEAD(&h, 0xf9, 0x3c, 0x00)); /* 1.0 */
    assert_false(HEAD(&h, 0x5f));             /* bytes in pieces */
    assert_false(HEAD(&h, 0x7f));
    assert_false(HEAD(&h, 0x1f));
    assert_false(HEAD(&h, 0xff));
    assert_true(HEAD(&h, 0x9f) && h.indefinite);
    assert_true(HEAD(&h, 0xbf) && h.indefinite);
}

static void lengths_stay_inside(void **state) {
    (void)state;
    const uint8_t longer[] = {0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
    const uint8_t fits[] = {0x42, 7, 8};
    struct slice s;
    struct rd r = rd_of(slice_of(longer, sizeof longer));
    assert_false(cbor_bytes(&r, &s));
    r = rd_of(slice_of(fits, sizeof fits));
    assert_true(cbor_bytes(&r, &s) && s.n == 2 && rd_done(&r));
    r = rd_of(slice_of(fits, 2));
    assert_false(cbor_bytes(&r, &s));
    r = rd_of(slice_of(fits, sizeof fits));
    assert_false(cbor_text(&r, &s));
}

static size_t items(const void *p, size_t n, uint64_t most, bool *ret_ok) {
    struct rd r = rd_of(slice_of(p, n));
    uint64_t left = 0, v;
    size_t got = 0;
    *ret_ok = cbor_open(&r, CBOR_ARRAY, most, &left);
    while (*ret_ok && cbor_more(&r, &left)) {
        *ret_ok = cbor_uint(&r, &v);
        got++;
    }
    *ret_ok = *ret_ok && rd_done(&r);
    return got;
}

static void arrays_end_where_they_say(void **state) {
    (void)state;
    const uint8_t two[] = {0x82, 1, 2}, open[] = {0x9f, 1, 2, 0xff}, never[] = {0x9f, 1, 2};
    bool ok = false;
    assert_int_equal(items(two, sizeof two, 2, &ok), 2);
    assert_true(ok);
    (void)items(two, sizeof two, 1, &ok);
    assert_false(ok);
    assert_int_equal(items(open, sizeof open, 2, &ok), 2);
    assert_true(ok);
    (void)items(never, sizeof never, 2, &ok);
    assert_false(ok);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(each_number_has_one_encoding),
        cmocka_unit_test(floats_and_streamed_strings_are_refused),
        cmocka_unit_test(lengths_stay_inside),
        cmocka_unit_test(arrays_end_where_they_say),
    };
    return cmocka_run_group_tests_name("tee/cbor", t, NULL, NULL);
}
