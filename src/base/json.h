/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - strict JSON in and out; numbers stay text until a typed getter reads them
 *
 * Depends on: buf, num, u256.  Used by: every role.
 * Limits: JSON_MAX_DEPTH, JSON_MAX_NODES; the text's length is the caller's limit.
 * Strict RFC 8259: one value, UTF-8 checked, no duplicate keys in an object, nothing after it but
 * white space.
 */
#pragma once
#include "base/num.h"
#include "base/u256.h"

#define JSON_MAX_DEPTH 64
#define JSON_MAX_NODES (1u << 20)

typedef enum {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_type;
struct json;     /* a parsed document, owns everything in it */
struct json_val; /* a value inside a document; borrowed, lives as long as the document */

/* Parses a copy of text. *ret_doc is owned: json_free. SR_E_MALFORMED names the byte offset. */
SR_CHECK sr_status json_parse(struct slice text, struct json **ret_doc, struct sr_err *err);
void json_free(
    struct json *doc); /* accepts NULL; wipes its memory first (documents may carry secrets) */
static inline void cleanup_json_(struct json **d) {
    json_free(*d);
}
#define cleanup_json __attribute__((cleanup(cleanup_json_)))
const struct json_val *json_root(const struct json *doc);

/* All getters accept NULL values, so look-ups chain: json_u64(json_get(json_get(v, "a"), "b"), &n).
 */
json_type json_kind(const struct json_val *v);       /* JSON_NULL for NULL */
bool json_is(const struct json_val *v, json_type t); /* false for NULL */
const struct json_val *json_get(const struct json_val *obj,
                                const char *key); /* NULL: absent or not an object */
const struct json_val *json_at(const struct json_val *arr,
                               size_t i); /* array item or object value */
struct slice json_key_at(const struct json_val *obj, size_t i);
size_t json_len(const struct json_val *v); /* items or members; 0 for others */
/* Iteration in O(1) a step: for (v = json_first(a); v; v = json_next(v)); json_key(v) is its key in
 * an object. */
const struct json_val *json_first(const struct json_val *v);
const struct json_val *json_next(const struct json_val *v);
struct slice json_key(const struct json_val *v);

bool json_str(const struct json_val *v, struct slice *ret_s); /* unescaped; a string only */
struct slice
json_text(const struct json_val *v); /* string content or number text; empty otherwise */
bool json_bool(const struct json_val *v, bool *ret_b);
bool json_u64(const struct json_val *v, uint64_t *ret_v); /* a non-negative integer number */
bool json_u256(const struct json_val *v,
               struct u256 *ret_v); /* number, or string decimal or 0x hex */
bool json_addr(const struct json_val *v, struct addr *ret_a); /* string */
bool json_hash(const struct json_val *v, struct hash *ret_h); /* string */
/* The bytes of the value in the text that was parsed (for pass-through). */
struct slice json_raw(const struct json_val *v);
/* Length of the UTF-8 character at p (p < end), 0 when it is not one: overlong, surrogate, cut,
 * above U+10FFFF. */
size_t json_utf8_len(const uint8_t *p, const uint8_t *end);

/*
 * struct jw - writes JSON into a buffer; commas and quotes are its business. Nesting up to
 * JSON_MAX_DEPTH. Failure is the buffer's (sticky): ask buf_status at the end.
 */
struct jw {
    struct buf *b;
    unsigned depth;
    bool after_key;
    uint64_t has_items; /* one bit a level */
};
struct jw jw_of(struct buf *b);
void jw_obj(struct jw *w);
void jw_arr(struct jw *w);
void jw_end_obj(struct jw *w);
void jw_end_arr(struct jw *w);
void jw_key(struct jw *w, const char *key);
void jw_key_slice(struct jw *w, struct slice key);
void jw_str(struct jw *w, struct slice s); /* escapes; invalid UTF-8 becomes U+FFFD */
void jw_cstr(struct jw *w, const char *s);
void jw_u64(struct jw *w, uint64_t v);
void jw_i64(struct jw *w, int64_t v);
void jw_double(struct jw *w, double v); /* finite; three decimals at most */
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, struct slice json);  /* a ready value */
void jw_hex(struct jw *w, struct slice bytes); /* "0x…" */
void jw_u256_dec(struct jw *w, struct u256 v); /* as a string of decimal digits */
void jw_u256_num(struct jw *w, struct u256 v); /* as a number */
/* Key and value in one call. */
void jw_kstr(struct jw *w, const char *key, struct slice s);
void jw_kcstr(struct jw *w, const char *key, const char *s);
void jw_ku64(struct jw *w, const char *key, uint64_t v);
void jw_kbool(struct jw *w, const char *key, bool v);
void jw_kaddr(struct jw *w, const char *key, const struct addr *a);
void jw_khash(struct jw *w, const char *key, const struct hash *h);
void jw_khex(struct jw *w, const char *key, struct slice bytes);
