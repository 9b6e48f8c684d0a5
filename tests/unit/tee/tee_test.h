/* SPDX-License-Identifier: Apache-2.0 */
/* tee_test.h - what the tests of tee share */
#pragma once
#include "tee/tee.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the three above first */
#include <cmocka.h>

#define OK(expr) assert_int_equal((expr), SR_OK)

static inline void file_into(const char *path, struct buf *b) {
    struct sr_err e = {0};
    buf_init(b, 4u << 20);
    if (fs_read(path, b, &e) != SR_OK) fail_msg("%s", e.what);
}
