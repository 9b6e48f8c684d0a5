/* SPDX-License-Identifier: Apache-2.0 */
/* ipfs_int.h - varints, and the wire types of dag-pb; private to this folder */
#pragma once
#include "ipfs/ipfs.h"

#define PB_VARINT 0u
#define PB_BYTES  2u

/* A minimal varint of up to 64 bits; fails (sticky) on a longer form of the same number. */
uint64_t varint_read(struct rd *r);
size_t varint_size(uint64_t v);
/* Writes varint_size(v) bytes at p. */
uint8_t *varint_write(uint8_t *p, uint64_t v);
void varint_add(struct buf *b, uint64_t v);

/* One field of a protobuf message: key, then a number or bytes. */
struct pb_field {
    unsigned number, wire;
    uint64_t value;     /* PB_VARINT */
    struct slice bytes; /* PB_BYTES */
};
/* False at the end, and after a malformed field (r->bad). Other wire types are malformed. */
bool pb_next(struct rd *r, struct pb_field *ret);

#define BASE58_BYTES_MAX 64u
/* n <= BASE58_BYTES_MAX; dst has room for 2 * n + 1. */
void base58_encode(char *dst, const uint8_t *p, size_t n);
/* Exactly n bytes (n <= BASE58_BYTES_MAX); false otherwise. */
bool base58_decode(struct slice text, uint8_t *dst, size_t n) SR_CHECK;
