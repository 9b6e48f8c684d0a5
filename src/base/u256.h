/* SPDX-License-Identifier: Apache-2.0 */
/*
 * u256.h - unsigned 256-bit integers, as the chain has them; money as a type of its own
 *
 * Depends on: buf.  Allocates: never.  Every operation that can overflow says so and leaves its
 * output untouched.
 */
#pragma once
#include "base/buf.h"

struct u256 {
    uint64_t w[4]; /* w[0] least significant */
};
#define U256_DEC_MAX 79 /* digits of 2^256 - 1, and a NUL */

static inline struct u256 u256_of(uint64_t v) {
    return (struct u256){{v, 0, 0, 0}};
}
struct u256 u256_from_be(const uint8_t b[32]);
void u256_to_be(uint8_t b[32], struct u256 v);
SR_CHECK bool u256_from_dec(struct slice text,
                            struct u256 *ret_v); /* digits only, no leading sign */
SR_CHECK bool u256_from_hex(struct slice text, struct u256 *ret_v); /* optional 0x, 1..64 digits */
SR_CHECK bool u256_parse(struct slice text, struct u256 *ret_v);    /* decimal, or hex with 0x */
void u256_to_dec(char dst[U256_DEC_MAX], struct u256 v);
void u256_to_hex(char dst[67], struct u256 v); /* JSON-RPC quantity: 0x, no leading zeros, "0x0" */
int u256_cmp(struct u256 a, struct u256 b);    /* <0, 0, >0 */
bool u256_is_zero(struct u256 v);
SR_CHECK bool u256_add(struct u256 *ret_v, struct u256 a, struct u256 b);
SR_CHECK bool u256_sub(struct u256 *ret_v, struct u256 a, struct u256 b);
SR_CHECK bool u256_mul(struct u256 *ret_v, struct u256 a, struct u256 b);
struct u256 u256_div_u64(struct u256 a, uint64_t d,
                         uint64_t *ret_rem); /* d != 0; ret_rem may be NULL */
SR_CHECK bool u256_to_u64(struct u256 v, uint64_t *ret_v);
