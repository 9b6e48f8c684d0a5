/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void a_buffer_never_passes_its_maximum(void **state) {
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        cleanup_buf struct buf b;
        struct sr_err err = {0};
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++) buf_u8(&b, 'x');
        assert_int_equal(buf_status(&b, NULL), SR_OK);
        assert_int_equal(b.n, max);
        assert_true(b.cap <= max + 1);
        assert_int_equal(strlen(buf_cstr(&b)), max);
        buf_u8(&b, 'y');
        buf_str(&b, "");
        assert_int_equal(buf_status(&b, &err), SR_E_TOOBIG);
        assert_int_equal(b.n, max);
        buf_clear(&b);
        assert_int_equal(buf_status(&b, NULL), SR_OK);
    }
}

static void printf_grows_to_what_it_needs_and_no_further(void **state) {
    (void)state;
    for (size_t max = 0; max < 300; max++) {
        cleanup_buf struct buf b;
        buf_init(&b, max);
        buf_printf(&b, "%s", "");
        buf_printf(&b, "%0150d", 7);
        if (max < 150) {
            assert_int_equal(b.bad, SR_E_TOOBIG);
            assert_string_equal(buf_cstr(&b), "");
            continue;
        }
        assert_int_equal(b.n, 150);
        buf_printf(&b, "-%s-", "abc");
        if (max >= 155)
            assert_string_equal(buf_cstr(&b) + 149, "7-abc-");
        else
            assert_int_equal(b.bad, SR_E_TOOBIG);
    }
}

static void numbers_are_big_endian_and_come_back(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 100);
    buf_u8(&b, 1);
    buf_u16(&b, 0x0203);
    buf_u32(&b, 0x04050607);
    buf_u64(&b, 0x08090a0b0c0d0e0fu);
    for (size_t i = 0; i < b.n; i++) assert_int_equal(b.p[i], i + 1);
    struct rd r = rd_of(buf_slice(&b));
    assert_int_equal(rd_u8(&r), 1);
    assert_int_equal(rd_u16(&r), 0x0203);
    assert_int_equal(rd_u32(&r), 0x04050607);
    assert_true(rd_u64(&r) == 0x08090a0b0c0d0e0fu);
    assert_true(rd_done(&r));
    r = rd_of(buf_slice(&b));
    (void)rd_u8(&r);
    assert_int_equal(rd_u16le(&r), 0x0302);
    assert_true(rd_u32le(&r) == 0x07060504u);
    assert_true(rd_u64le(&r) == 0x0f0e0d0c0b0a0908u);
}

static void a_cursor_past_its_end_stays_bad(void **state) {
    (void)state;
    uint8_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[4] = {9, 9, 9, 9};
    for (size_t cut = 0; cut < 8; cut++) {
        struct rd r = rd_of(slice_of(in, cut));
        assert_true(rd_u64(&r) == 0);
        assert_true(r.bad && rd_left(&r) == 0 && !rd_done(&r));
        assert_int_equal(rd_u8(&r), 0);
        assert_int_equal(rd_take(&r, 0).n, 0);
        rd_copy(&r, out, sizeof out);
        assert_int_equal(out[0] | out[3], 0);
    }
    struct rd none = rd_of(slice_of(NULL, 0));
    assert_true(rd_done(&none));
}

static void drop_forgets_the_first_bytes(void **state) {
    (void)state;
    cleanup_buf_wipe struct buf b;
    buf_init(&b, 100);
    buf_drop(&b, 0);
    buf_str(&b, "hello");
    buf_drop(&b, 2);
    assert_string_equal(buf_cstr(&b), "llo");
    buf_drop(&b, 3);
    assert_string_equal(buf_cstr(&b), "");
    buf_hex(&b, SLICE_LIT("\x01\xff"));
    assert_string_equal(buf_cstr(&b), "01ff");
}

static void slices_are_compared_cut_and_trimmed(void **state) {
    (void)state;
    struct slice head, rest;
    assert_true(slice_cut(slice_str("a=b=c"), '=', &head, &rest));
    assert_true(slice_is(head, "a") && slice_is(rest, "b=c"));
    assert_false(slice_cut(slice_str("abc"), '=', &head, &rest));
    assert_true(slice_is(head, "abc") && rest.n == 0);
    assert_false(slice_cut(slice_of(NULL, 0), '=', &head, &rest));
    assert_true(slice_is(slice_trim(slice_str(" \t x y\r\n")), "x y"));
    assert_int_equal(slice_trim(slice_str("  ")).n, 0);
    assert_true(slice_ieq(slice_str("Content-TYPE"), "content-type"));
    assert_false(slice_ieq(slice_str("a"), "ab"));
    assert_true(slice_starts(slice_str("0xab"), "0x") && !slice_starts(slice_str("0"), "0x"));
    assert_true(slice_eq(slice_of(NULL, 0), slice_str("")));
    cleanup_free char *dup = slice_dup(slice_str("dup"));
    assert_string_equal(dup, "dup");
}

static void the_first_failure_and_the_first_hint_stay(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_int_equal(sr_fail(&e, SR_E_RANGE, "number %d", 5), SR_E_RANGE);
    assert_int_equal(sr_fail(&e, SR_E_NOMEM, "later"), SR_E_NOMEM);
    sr_hint(&e, "first");
    sr_hint(&e, "second");
    sr_err_prefix(&e, "reading '%s'", "x");
    assert_int_equal(e.code, SR_E_RANGE);
    assert_string_equal(e.what, "reading 'x': number 5");
    assert_string_equal(e.hint, "first");
    assert_string_equal(e.where, "the_first_failure_and_the_first_hint_stay");
    assert_int_equal(sr_fail(NULL, SR_E_AUTH, "nobody listens"), SR_E_AUTH);
    sr_hint(NULL, "nobody");
    sr_err_prefix(NULL, "nobody");
    struct sr_err s = {0};
    errno = ENOSPC;
    assert_int_equal(sr_fail(&s, SR_E_SYS, "write"), SR_E_SYS);
    assert_int_equal(s.sys, ENOSPC);
    assert_int_equal(errno, ENOSPC);
    assert_non_null(strstr(s.what, "write: No space"));
    assert_true(s.hint[0]);
    assert_string_equal(sr_status_name(SR_E_REFUSED), "SR_E_REFUSED");
    assert_string_equal(sr_status_text((sr_status)-99), "unknown");
    assert_int_equal(sr_status_http(SR_E_NOTFOUND), 404);
}

static void a_very_long_text_is_cut_not_overrun(void **state) {
    (void)state;
    struct sr_err e = {0};
    char longer[1000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    errno = EIO;
    (void)sr_fail(&e, SR_E_SYS, "%s", longer);
    sr_hint(&e, "%s", longer);
    sr_err_prefix(&e, "%s", longer);
    assert_int_equal(strlen(e.what), sizeof e.what - 1);
    assert_int_equal(strlen(e.hint), sizeof e.hint - 1);
}

static void an_overflowing_allocation_is_refused(void **state) {
    (void)state;
    void *p = sr_calloc_n(SIZE_MAX / 2, 3);
    assert_null(p);
    p = sr_calloc_n(0, 8);
    assert_non_null(p);
    free(p);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_buffer_never_passes_its_maximum),
        cmocka_unit_test(printf_grows_to_what_it_needs_and_no_further),
        cmocka_unit_test(numbers_are_big_endian_and_come_back),
        cmocka_unit_test(a_cursor_past_its_end_stays_bad),
        cmocka_unit_test(drop_forgets_the_first_bytes),
        cmocka_unit_test(slices_are_compared_cut_and_trimmed),
        cmocka_unit_test(the_first_failure_and_the_first_hint_stay),
        cmocka_unit_test(a_very_long_text_is_cut_not_overrun),
        cmocka_unit_test(an_overflowing_allocation_is_refused),
    };
    return cmocka_run_group_tests_name("base/buf", t, NULL, NULL);
}
