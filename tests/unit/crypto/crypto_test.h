/* SPDX-License-Identifier: Apache-2.0 */
/* crypto_test.h - what the tests of crypto share: reading vectors */
#pragma once
#include "crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the three above first */
#include <cmocka.h>

#define OK(expr) assert_int_equal((expr), SR_OK)

static inline struct json *vectors(const char *path) {
    struct buf b;
    struct json *doc = NULL;
    buf_init(&b, 1u << 24);
    OK(fs_read(path, &b, NULL));
    OK(json_parse(buf_slice(&b), &doc, NULL));
    buf_done(&b);
    return doc;
}

static inline struct slice text_of(const struct json_val *v, const char *key) {
    struct slice s = {0};
    assert_true(json_str(json_get(v, key), &s));
    return s;
}

/* Appends the bytes of a hex member; b starts zeroed. */
static inline void hex_of(const struct json_val *v, const char *key, struct buf *b) {
    buf_init(b, 1u << 24);
    assert_true(hex_decode_buf(text_of(v, key), b));
}

static inline void base64_of(const struct json_val *v, const char *key, struct buf *b) {
    buf_init(b, 1u << 24);
    assert_true(base64_decode(text_of(v, key), b));
}
