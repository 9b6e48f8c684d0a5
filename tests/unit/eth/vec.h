/* SPDX-License-Identifier: Apache-2.0 */
/* vec.h - reading vector files in tests: a missing or malformed one fails the test */
#pragma once
#include "crypto/crypto.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static inline struct json *vec_load(const char *name) {
    cleanup_free char *path = path_join(VECTORS, name);
    cleanup_buf struct buf b;
    buf_init(&b, 8u << 20);
    struct sr_err e = {0};
    struct json *doc = NULL;
    assert_non_null(path);
    if (fs_read(path, &b, &e) != SR_OK || json_parse(buf_slice(&b), &doc, &e) != SR_OK)
        fail_msg("%s: %s", name, e.what);
    return doc;
}
static inline struct slice vec_str(const struct json_val *v, const char *key) {
    struct slice s;
    if (!json_str(json_get(v, key), &s)) fail_msg("vector has no text '%s'", key);
    return s;
}
/* Appends hex text's bytes. */
static inline void vec_hex_val(const struct json_val *v, struct buf *b) {
    struct slice s;
    assert_true(json_str(v, &s));
    assert_true(hex_decode_buf(s, b));
    assert_int_equal(b->bad, SR_OK);
}
static inline void vec_hex(const struct json_val *v, const char *key, struct buf *b) {
    vec_hex_val(json_get(v, key), b);
}
static inline struct hash vec_hash(const struct json_val *v, const char *key) {
    struct hash h;
    if (!json_hash(json_get(v, key), &h)) fail_msg("vector has no hash '%s'", key);
    return h;
}
static inline struct addr vec_addr(const struct json_val *v, const char *key) {
    struct addr a;
    if (!json_addr(json_get(v, key), &a)) fail_msg("vector has no address '%s'", key);
    return a;
}
static inline struct u256 vec_num(const struct json_val *v, const char *key) {
    struct u256 n;
    if (!json_u256(json_get(v, key), &n)) fail_msg("vector has no number '%s'", key);
    return n;
}
static inline uint64_t vec_u64(const struct json_val *v, const char *key) {
    uint64_t n;
    if (!u256_to_u64(vec_num(v, key), &n)) fail_msg("'%s' is too big", key);
    return n;
}
static inline void vec_key(struct slice hex, struct sr_secret *key) {
    assert_int_equal(secret_new(32, key, NULL), SR_OK);
    assert_true(hex_decode(hex, key->p, 32));
}
#define assert_ok(expr)                                                                            \
    do {                                                                                           \
        sr_status st_ = (expr);                                                                    \
        if (st_ != SR_OK) fail_msg("%s: %s: %s", #expr, sr_status_name(st_), e.what);              \
    } while (0)
#define assert_bytes(a, b)                                                                         \
    do {                                                                                           \
        assert_int_equal((a).n, (b).n);                                                            \
        if ((a).n) assert_memory_equal((a).p, (b).p, (a).n);                                       \
    } while (0)
#define assert_hash_is(h1, h2) assert_memory_equal((h1).b, (h2).b, 32)
#define assert_addr_is(a1, a2) assert_memory_equal((a1).b, (a2).b, 20)
