/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];

static size_t lines(char *dst, size_t n) {
    ssize_t r = read(ends[0], dst, n - 1);
    dst[r > 0 ? r : 0] = 0;
    size_t count = 0;
    for (const char *p = dst; *p; p++) count += *p == '\n';
    return count;
}

static void one_event_is_one_line_whatever_it_holds(void **state) {
    (void)state;
    char b[8192];
    log_info("start", "port=%d", 80);
    assert_int_equal(lines(b, sizeof b), 1);
    assert_non_null(strstr(b, " lvl=info role=test ev=start port=80\n"));
    assert_int_equal(strncmp(b, "ts=2", 4), 0);
    log_warn("evil", "name=%s", "a\nts=forged lvl=error\x1b[31m");
    assert_int_equal(lines(b, sizeof b), 1);
    assert_null(strchr(b, 0x1b));
    char longer[5000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    log_error("long", "%s", longer);
    assert_int_equal(lines(b, sizeof b), 1);
}

static void less_urgent_lines_are_left_out(void **state) {
    (void)state;
    char b[1024];
    log_debug("no", "%s", "");
    log_info("yes", "%s", "");
    assert_int_equal(lines(b, sizeof b), 1);
    assert_non_null(strstr(b, "ev=yes"));
    assert_int_equal(log_level_parse(slice_str("debug"), LOG_WARN), LOG_DEBUG);
    assert_int_equal(log_level_parse(slice_str("loud"), LOG_WARN), LOG_WARN);
}

static void outside_text_is_quoted_and_cut(void **state) {
    (void)state;
    assert_string_equal(log_q(slice_str("a\"b\\\n\xff")).s, "\"a\\\"b\\\\\\x0a\\xff\"");
    uint8_t raw[1000];
    memset(raw, 1, sizeof raw);
    struct log_quoted q = log_q(slice_of(raw, sizeof raw));
    assert_true(strlen(q.s) < sizeof q.s);
    assert_non_null(strstr(q.s, "...\""));
    memset(raw, 'a', sizeof raw);
    assert_int_equal(strlen(log_q(slice_of(raw, 256)).s), 258);
}

static void an_error_is_logged_with_its_code_and_hint(void **state) {
    (void)state;
    char b[2048];
    struct sr_err e = {0};
    (void)sr_fail(&e, SR_E_TIMEOUT, "no answer");
    sr_hint(&e, "start it");
    log_err(LOG_ERROR, "rpc", &e);
    assert_int_equal(lines(b, sizeof b), 1);
    assert_non_null(
        strstr(b, "ev=rpc code=SR_E_TIMEOUT what=\"no answer\" hint=\"start it\" where=an_error"));
}

int main(void) {
    if (pipe2(ends, O_CLOEXEC) != 0) return 1;
    log_setup("test", ends[1], LOG_INFO);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(one_event_is_one_line_whatever_it_holds),
        cmocka_unit_test(less_urgent_lines_are_left_out),
        cmocka_unit_test(outside_text_is_quoted_and_cut),
        cmocka_unit_test(an_error_is_logged_with_its_code_and_hint),
    };
    return cmocka_run_group_tests_name("base/log", t, NULL, NULL);
}
