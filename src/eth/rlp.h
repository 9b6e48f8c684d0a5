/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rlp.h - read and write RLP, the encoding of Ethereum transactions
 *
 * Depends on: base.  Used by: eth/tx.  Allocates: only through the buffers it is given.
 * The reader accepts exactly one encoding of each value, so encode(decode(b)) == b.
 * Limits: RLP_MAX_LEN.
 */
#pragma once
#include "base/base.h"

#define RLP_MAX_LEN (1u << 24) /* bytes of one item */

struct rlp_item {
    bool list;
    struct slice body; /* borrowed from the text */
};

/* Next item of *r; false (and r->bad) on any non-canonical form. A list's body is read with a
 * cursor of its own: struct rd in = rd_of(item.body). */
SR_CHECK bool rlp_next(struct rd *r, struct rlp_item *ret_item);
/* Typed reads; false when the item has another shape. Integers without leading zeros. */
SR_CHECK bool rlp_next_bytes(struct rd *r, struct slice *ret_s);
SR_CHECK bool rlp_next_u64(struct rd *r, uint64_t *ret_v);
SR_CHECK bool rlp_next_u256(struct rd *r, struct u256 *ret_v);
SR_CHECK bool rlp_next_list(struct rd *r, struct rd *ret_in);

void rlp_bytes(struct buf *b, struct slice s);
void rlp_u64(struct buf *b, uint64_t v);
void rlp_u256(struct buf *b, struct u256 v);
void rlp_list(struct buf *b, struct slice body); /* body: the encoded items */
