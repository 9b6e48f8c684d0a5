/* SPDX-License-Identifier: Apache-2.0 */
/*
 * abi.h - encode and decode contract calls, answers and events by their type text
 *
 * Types are written as Solidity prints them: "address,uint256,(bytes32,string)[],bytes4[2]".
 * Values are a small tree of struct abi_val; a value of the wrong kind for its type is an error.
 * Decoding is strict: canonical offsets, zero padding, nothing left over, so that
 * encode(decode(b)) == b.
 *
 * Depends on: base, crypto.  Used by: eth, poco.
 * Limits: ABI_MAX_DEPTH, ABI_MAX_VALUES, ABI_MAX_BYTES.
 */
#pragma once
#include "crypto/crypto.h"

#define ABI_MAX_DEPTH  8
#define ABI_MAX_VALUES 65536      /* of one decoded text */
#define ABI_MAX_BYTES  (1u << 22) /* of one encoded text */

typedef enum {
    ABI_NUM,   /* uintN, intN (two's complement), bool, enum */
    ABI_ADDR,  /* address */
    ABI_FIXED, /* bytes1..bytes32: left-aligned in .hash */
    ABI_BYTES, /* bytes, string: .bytes */
    ABI_LIST   /* tuple or array: .list */
} abi_kind;

struct abi_val {
    abi_kind kind;
    union {
        struct u256 num;
        struct addr addr;
        struct hash hash;
        struct slice bytes; /* borrowed */
        struct {
            const struct abi_val *v; /* borrowed */
            size_t n;
        } list;
    };
};
static inline struct abi_val av_u256(struct u256 v) {
    return (struct abi_val){.kind = ABI_NUM, .num = v};
}
static inline struct abi_val av_u64(uint64_t v) {
    return av_u256(u256_of(v));
}
static inline struct abi_val av_bool(bool v) {
    return av_u64(v ? 1 : 0);
}
static inline struct abi_val av_addr(const struct addr *a) {
    return (struct abi_val){.kind = ABI_ADDR, .addr = *a};
}
static inline struct abi_val av_hash(const struct hash *h) {
    return (struct abi_val){.kind = ABI_FIXED, .hash = *h};
}
static inline struct abi_val av_bytes(struct slice s) {
    return (struct abi_val){.kind = ABI_BYTES, .bytes = s};
}
static inline struct abi_val av_str(const char *s) {
    return av_bytes(slice_str(s));
}
static inline struct abi_val av_list(const struct abi_val *v, size_t n) {
    return (struct abi_val){.kind = ABI_LIST, .list = {v, n}};
}

/* keccak256 of a signature, "initialize(bytes32,uint256)"; the first four bytes are the selector.
 */
struct hash abi_topic(const char *signature);
void abi_selector(const char *signature, uint8_t ret_sel[4]);

/* Appends the encoding of n values to b. SR_E_USAGE: types and values disagree, or the type text is
 * wrong; SR_E_RANGE: a number too big for its type. */
SR_CHECK sr_status abi_encode(struct buf *b, const char *types, const struct abi_val *v, size_t n,
                              struct sr_err *err);
/* The same behind the selector of "name(types)". */
SR_CHECK sr_status abi_encode_call(struct buf *b, const char *signature, const struct abi_val *v,
                                   size_t n, struct sr_err *err);
/* abi_call(&b, "initialize(bytes32,uint256)", err, av_hash(&deal), av_u64(0)) */
#define abi_call(b, signature, err, ...)                                                           \
    abi_encode_call((b), (signature), (const struct abi_val[]){__VA_ARGS__},                       \
                    sizeof((const struct abi_val[]){__VA_ARGS__}) / sizeof(struct abi_val), (err))
#define abi_call0(b, signature, err) abi_encode_call((b), (signature), NULL, 0, (err))

/* Decoded values; strings and bytes are borrowed from the text that was decoded. */
struct abi_out {
    const struct abi_val *v; /* the n top-level values */
    size_t n;
    void *mem; /* owned: abi_out_done */
};
void abi_out_done(struct abi_out *o); /* accepts a zeroed one */
static inline void cleanup_abi_(struct abi_out *o) {
    abi_out_done(o);
}
#define cleanup_abi __attribute__((cleanup(cleanup_abi_)))
/* SR_E_MALFORMED: data is not the canonical encoding of these types. */
SR_CHECK sr_status abi_decode(struct slice data, const char *types, struct abi_out *ret,
                              struct sr_err *err);
/* Calldata of "name(types)": SR_E_NOTFOUND when the selector is another. */
SR_CHECK sr_status abi_decode_call(struct slice data, const char *signature, struct abi_out *ret,
                                   struct sr_err *err);

/* What a revert says, for a person: Error(string), Panic(uint256), the custom errors of the
 * contracts we talk to, else the bytes in hex; "no reason given" when empty. */
void eth_revert_text(struct slice data, struct buf *b);
