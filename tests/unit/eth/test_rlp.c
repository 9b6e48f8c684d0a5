/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/rlp.c"
#include "vec.h"

static void check(struct slice in, struct slice want) {
    struct buf b;
    buf_init(&b, 1024);
    rlp_bytes(&b, in);
    assert_bytes(buf_slice(&b), want);
    struct rd r = rd_of(buf_slice(&b));
    struct slice s;
    assert_true(rlp_next_bytes(&r, &s));
    assert_true(rd_done(&r));
    assert_bytes(s, in);
    buf_done(&b);
}

static void texts_have_the_encoding_of_the_yellow_paper(void **state) {
    (void)state;
    check(SLICE_LIT("dog"), SLICE_LIT("\x83"
                                      "dog"));
    check(SLICE_LIT(""), SLICE_LIT("\x80"));
    check(SLICE_LIT("\x0f"), SLICE_LIT("\x0f"));
    check(SLICE_LIT("\x80"), SLICE_LIT("\x81\x80"));
    check(SLICE_LIT("Lorem ipsum dolor sit amet, consectetur adipisicing elit"),
          SLICE_LIT("\xb8\x38Lorem ipsum dolor sit amet, consectetur adipisicing elit"));
}

static void numbers_have_no_leading_zeros(void **state) {
    (void)state;
    const uint64_t nums[] = {0, 1, 127, 128, 255, 256, 1024, UINT64_MAX};
    for (size_t i = 0; i < SR_ARRAY_LEN(nums); i++) {
        struct buf b;
        buf_init(&b, 64);
        rlp_u64(&b, nums[i]);
        struct rd r = rd_of(buf_slice(&b));
        uint64_t v;
        assert_true(rlp_next_u64(&r, &v));
        assert_true(v == nums[i] && rd_done(&r));
        buf_done(&b);
    }
    struct rd r = rd_of(SLICE_LIT("\x82\x00\x01"));
    uint64_t v;
    assert_false(rlp_next_u64(&r, &v));
    r = rd_of(SLICE_LIT("\x89\x01\x00\x00\x00\x00\x00\x00\x00\x00"));
    assert_false(rlp_next_u64(&r, &v)); /* more than 64 bits */
}

static void other_encodings_of_a_value_are_refused(void **state) {
    (void)state;
    const struct slice bad[] = {
        SLICE_LIT("\x81\x05"),         /* a byte that needs no head */
        SLICE_LIT("\xb8\x01\xff"),     /* long form for a short text */
        SLICE_LIT("\xb9\x00\x38"),     /* length with a leading zero */
        SLICE_LIT("\xf8\x02\x01\x01"), /* long form for a short list */
        SLICE_LIT("\xbc\xff\xff\xff\xff\xff"),
        SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct rd r = rd_of(bad[i]);
        struct rlp_item it;
        assert_false(rlp_next(&r, &it));
        assert_true(r.bad);
    }
}

static void truncated_at_every_length_fails(void **state) {
    (void)state;
    const uint8_t in[] = {0xb8, 0x38, [2 ... 57] = 0x55};
    for (size_t cut = 0; cut < sizeof in; cut++) {
        struct rd r = rd_of(slice_of(in, cut));
        struct rlp_item it;
        assert_false(rlp_next(&r, &it));
        assert_true(r.bad);
    }
}

static void lists_hold_their_items(void **state) {
    (void)state;
    struct buf in, b;
    buf_init(&in, 256);
    buf_init(&b, 256);
    rlp_bytes(&in, SLICE_LIT("cat"));
    rlp_bytes(&in, SLICE_LIT("dog"));
    rlp_list(&b, buf_slice(&in));
    assert_bytes(buf_slice(&b), SLICE_LIT("\xc8\x83"
                                          "cat\x83"
                                          "dog"));
    struct rd r = rd_of(buf_slice(&b)), l;
    struct slice s;
    assert_true(rlp_next_list(&r, &l));
    assert_true(rlp_next_bytes(&l, &s) && slice_is(s, "cat"));
    assert_true(rlp_next_bytes(&l, &s) && slice_is(s, "dog"));
    assert_true(rd_done(&l) && rd_done(&r));
    buf_done(&in);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(texts_have_the_encoding_of_the_yellow_paper),
        cmocka_unit_test(numbers_have_no_leading_zeros),
        cmocka_unit_test(other_encodings_of_a_value_are_refused),
        cmocka_unit_test(truncated_at_every_length_fails),
        cmocka_unit_test(lists_hold_their_items),
    };
    return cmocka_run_group_tests_name("eth/rlp", t, NULL, NULL);
}
