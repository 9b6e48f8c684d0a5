/* SPDX-License-Identifier: Apache-2.0 */
/*
 * num.h - numbers and bytes as text: decimal, hex, base64; addresses and hashes as types
 *
 * Depends on: buf.  Used by: everything.  Allocates: only through the buffers it is given.
 */
#pragma once
#include "base/buf.h"

/* Decimal digits only (no sign, no space, no leading "+"), at most max; false otherwise. */
SR_CHECK bool num_u64(struct slice text, uint64_t max, uint64_t *ret_v);
/* Hex digits with optional 0x (1..16 digits), or "0x0"; JSON-RPC quantities. */
SR_CHECK bool num_hex_u64(struct slice text, uint64_t *ret_v);
/* "10", "64k", "512m", "2g" (binary units). */
SR_CHECK bool num_size(struct slice text, uint64_t max, uint64_t *ret_v);

/* Writes 2*n digits and a NUL, lower case. Constant time: no table look-up on the bytes. */
void hex_encode(char *dst, const void *p, size_t n);
/* Exactly n bytes from text with optional 0x prefix, either case; false (dst untouched) otherwise.
 */
SR_CHECK bool hex_decode(struct slice text, void *dst, size_t n);
/* Any even number of digits with optional 0x, appended to b; false on a bad digit (b->bad on
 * overflow). */
SR_CHECK bool hex_decode_buf(struct slice text, struct buf *b);

/* Standard alphabet with padding. Decoding is strict (canonical padding, no spaces). Constant time
 * on the bytes. */
void base64_encode(struct buf *b, struct slice s);
SR_CHECK bool base64_decode(struct slice text, struct buf *b);

/* An Ethereum address and a 32-byte hash: stored as bytes, accepted in any letter case. */
struct addr {
    uint8_t b[20];
};
struct hash {
    uint8_t b[32];
};
struct addr_text {
    char s[43]; /* 0x + 40 + NUL */
};
struct hash_text {
    char s[67]; /* 0x + 64 + NUL */
};
SR_CHECK bool addr_parse(struct slice text, struct addr *ret_a); /* needs 0x and 40 digits */
SR_CHECK bool hash_parse(struct slice text, struct hash *ret_h); /* needs 0x and 64 digits */
struct addr_text addr_text(const struct addr *a); /* lower case; use addr_text(&a).s in a printf */
struct hash_text hash_text(const struct hash *h);
static inline bool addr_eq(const struct addr *a, const struct addr *b) {
    return memcmp(a, b, sizeof *a) == 0;
}
static inline bool hash_eq(const struct hash *a, const struct hash *b) {
    return memcmp(a, b, sizeof *a) == 0;
}
bool addr_is_zero(const struct addr *a);
bool hash_is_zero(const struct hash *h);

/* ISO 8601 in UTC with milliseconds, "2024-01-01T00:00:00.000Z", into dst[25]. */
void iso8601(char dst[25], uint64_t unix_ms);
