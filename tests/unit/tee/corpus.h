/* SPDX-License-Identifier: Apache-2.0 */
/* corpus.h - evidence.json: cases with their files, and mutations of those */
#pragma once
#include "tee_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define AT VECTORS "/attestation/"

#define FAIL_AT(id, ...)                                                                           \
    do {                                                                                           \
        print_error("%.*s: ", (int)(id).n, (const char *)(id).p);                                  \
        fail_msg(__VA_ARGS__);                                                                     \
    } while (0)

static struct json *corpus;

static int corpus_load(void **state) {
    (void)state;
    struct buf b;
    file_into(AT "evidence.json", &b);
    OK(json_parse(buf_slice(&b), &corpus, NULL));
    buf_done(&b);
    return 0;
}

static int corpus_unload(void **state) {
    (void)state;
    json_free(corpus);
    return 0;
}

static inline struct slice str_at(const struct json_val *v, const char *key) {
    struct slice s = {0};
    (void)json_str(json_get(v, key), &s);
    return s;
}

static inline uint64_t num_at(const struct json_val *v, const char *key) {
    uint64_t n = 0;
    if (!json_u64(json_get(v, key), &n)) fail_msg("no number %s", key);
    return n;
}

static inline void named_file(struct slice name, struct buf *b) {
    char path[512];
    assert_true(snprintf(path, sizeof path, AT "%.*s", (int)name.n, (const char *)name.p) > 0);
    file_into(path, b);
}

static inline uint64_t time_of(struct slice s) {
    struct tm tm = {0};
    char text[32] = "";
    assert_true(s.n < sizeof text);
    memcpy(text, s.p, s.n);
    assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm));
    return (uint64_t)timegm(&tm);
}

static inline void hex_is(const struct json_val *v, const char *key, const void *got, size_t n) {
    uint8_t want[64];
    struct slice s = str_at(v, key);
    if (!json_get(v, key)) return;
    assert_true(n <= sizeof want);
    if (s.n != 2 * n || !hex_decode(s, want, n) || memcmp(want, got, n) != 0)
        FAIL_AT(str_at(v, "id"), "another %s", key);
}

/* Exactly the clauses that the vector names. */
static inline void reasons_are(const struct json_val *v, const char *const *got, size_t n) {
    const struct json_val *want = json_get(v, "policy_strict_reject");
    if (json_len(want) != n) FAIL_AT(str_at(v, "id"), "%zu clauses", n);
    for (const struct json_val *w = json_first(want); w; w = json_next(w)) {
        struct slice s = {0};
        bool found = false;
        assert_true(json_str(w, &s));
        for (size_t i = 0; i < n; i++) found |= slice_is(s, got[i]);
        if (!found) FAIL_AT(str_at(v, "id"), "clause %.*s", (int)s.n, (const char *)s.p);
    }
}

static inline const struct json_val *vector_named(struct slice id) {
    for (const struct json_val *v = json_first(json_get(json_root(corpus), "vectors")); v;
         v = json_next(v))
        if (slice_eq(str_at(v, "id"), id)) return v;
    fail_msg("no vector %.*s", (int)id.n, (const char *)id.p);
    return NULL;
}

/* One step of a recipe on the bytes it names. */
static inline void mutate_bytes(struct buf *b, const struct json_val *op) {
    struct slice kind = str_at(op, "op"), hex = str_at(op, "hex");
    if (slice_is(kind, "truncate")) {
        assert_true(num_at(op, "length") <= b->n);
        b->n = num_at(op, "length");
    } else if (slice_is(kind, "xor")) {
        assert_true(num_at(op, "offset") < b->n);
        b->p[num_at(op, "offset")] ^= (uint8_t)num_at(op, "value");
    } else if (slice_is(kind, "append")) {
        assert_true(hex_decode_buf(hex, b));
    } else {
        assert_true(slice_is(kind, "set"));
        assert_true(num_at(op, "offset") + hex.n / 2 <= b->n);
        assert_true(hex_decode(hex, b->p + num_at(op, "offset"), hex.n / 2));
    }
}
