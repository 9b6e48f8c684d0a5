/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.h - the four orders of PoCo: fields, hashes, signatures, JSON, calldata; tags; ids
 *
 * One table describes the fields of each kind; hashing, JSON and calldata are loops over it.
 *
 * Depends on: base, crypto, eth core.  Used by: market, sms, vault, scheduler, sdk.  No network.
 * Limits: POCO_SIGN_MAX, POCO_PARAMS_MAX.
 * SPEC: poco.md#2-structs-and-enums-field-order--abi-order, sdk-formats.md#7-orders-in-json
 */
#pragma once
#include "eth/abi.h"
#include "eth/eip712.h"

#define POCO_SIGN_MAX   1024  /* bytes of a signature; contract wallets need more than 65 */
#define POCO_PARAMS_MAX 65536 /* bytes of a request order's params */
#define POCO_SAFE_MAX   9007199254740991u /* 2^53 - 1: what the market takes; "infinite" volume */

typedef enum { POCO_APP, POCO_DATASET, POCO_WORKERPOOL, POCO_REQUEST } poco_kind;
#define POCO_KINDS 4
extern const char *const poco_kind_word[POCO_KINDS]; /* "app", "dataset", "workerpool", "request" */

struct poco_sign { /* n 0: presigned, or not signed yet */
    uint16_t n;
    uint8_t b[POCO_SIGN_MAX];
};

struct poco_apporder {
    struct addr app;
    struct u256 appprice, volume;
    struct hash tag;
    struct addr datasetrestrict, workerpoolrestrict, requesterrestrict;
    struct hash salt;
};
struct poco_datasetorder {
    struct addr dataset;
    struct u256 datasetprice, volume;
    struct hash tag;
    struct addr apprestrict, workerpoolrestrict, requesterrestrict;
    struct hash salt;
};
struct poco_workerpoolorder {
    struct addr workerpool;
    struct u256 workerpoolprice, volume;
    struct hash tag;
    struct u256 category, trust;
    struct addr apprestrict, datasetrestrict, requesterrestrict;
    struct hash salt;
};
struct poco_requestorder {
    struct addr app;
    struct u256 appmaxprice;
    struct addr dataset;
    struct u256 datasetmaxprice;
    struct addr workerpool;
    struct u256 workerpoolmaxprice;
    struct addr requester;
    struct u256 volume;
    struct hash tag;
    struct u256 category, trust;
    struct addr beneficiary, callback;
    struct slice params; /* borrowed from what it was read from: JSON document, calldata, row */
    struct hash salt;
};
/* {0} with a kind is that kind's null order (what clients send for "no data set"). */
struct poco_order {
    poco_kind kind;
    union {
        struct poco_apporder app;
        struct poco_datasetorder dataset;
        struct poco_workerpoolorder workerpool;
        struct poco_requestorder request;
    };
    struct poco_sign sign;
};

/* ---- the fields as a table */
typedef enum { POCO_F_ADDR, POCO_F_UINT, POCO_F_B32, POCO_F_STR } poco_field_type;
struct poco_field {
    const char *name;
    poco_field_type type;
    uint16_t offset; /* in struct poco_order */
};
const struct poco_field *poco_fields(poco_kind k, size_t *ret_n);         /* in EIP-712 order */
const struct poco_field *poco_field_named(poco_kind k, const char *name); /* NULL: none */
static inline const struct addr *poco_field_addr(const struct poco_order *o,
                                                 const struct poco_field *f) {
    return (const struct addr *)(const void *)((const char *)o + f->offset);
}
static inline const struct u256 *poco_field_uint(const struct poco_order *o,
                                                 const struct poco_field *f) {
    return (const struct u256 *)(const void *)((const char *)o + f->offset);
}
static inline const struct hash *poco_field_b32(const struct poco_order *o,
                                                const struct poco_field *f) {
    return (const struct hash *)(const void *)((const char *)o + f->offset);
}
/* What all kinds have. The resource of a request is its app; its price is workerpoolmaxprice (as
 * the market sorts). */
const struct addr *poco_order_resource(const struct poco_order *o);
const struct u256 *poco_order_price(const struct poco_order *o);
const struct u256 *poco_order_volume(const struct poco_order *o);
const struct hash *poco_order_tag(const struct poco_order *o);

/* ---- hashes and signatures */
struct poco_domain {
    uint64_t chain_id;
    struct addr hub;
    struct hash separator;
};
/* iExecODB 5.0.0 */
struct poco_domain poco_domain_of(uint64_t chain_id, const struct addr *hub);
struct hash poco_struct_hash(const struct poco_order *o);
/* The order's id everywhere: the EIP-712 digest. */
struct hash poco_order_hash(const struct poco_domain *d, const struct poco_order *o);
/* The same order with many salts, each for the price of two short hashes. */
struct poco_salting {
    struct keccak before;
    struct hash separator;
};
struct poco_salting poco_salting_of(const struct poco_domain *d, const struct poco_order *o);
struct hash poco_salted_hash(const struct poco_salting *s, uint64_t salt);
typedef enum { POCO_OP_SIGN = 0, POCO_OP_CLOSE = 1 } poco_op;
/* Fills o->sign with the key's signature. Whether the key owns the resource is the caller's care.
 */
SR_CHECK sr_status poco_order_sign(struct poco_order *o, const struct poco_domain *d,
                                   const struct sr_secret *key, struct sr_err *err);
/* Recovered signer; SR_E_CRYPTO when there is none (contract wallets, presigned). */
SR_CHECK sr_status poco_order_signer(const struct poco_order *o, const struct poco_domain *d,
                                     struct addr *ret_a, struct sr_err *err);
void poco_sign_set(struct poco_sign *s, const struct sr_signature *sig);
SR_CHECK sr_status poco_salt(struct poco_order *o, struct sr_err *err); /* a random one */

/* ---- JSON. Readers go by name; integers as strings or numbers; a missing `sign` is empty. */
SR_CHECK sr_status poco_order_from_json(poco_kind k, const struct json_val *v,
                                        struct poco_order *ret, struct sr_err *err);
/* numbers: integers as JSON numbers (the market's answers), else as decimal strings (what clients
 * send). Checksummed addresses, lower-case hex. Unsigned orders get no `sign` when !with_sign. */
void poco_order_json(struct jw *w, const struct poco_order *o, bool numbers, bool with_sign);

/* ---- calldata: an order as a value (tuple). v: POCO_ORDER_VALS values that live as long. */
#define POCO_ORDER_VALS 17
struct abi_val poco_order_val(const struct poco_order *o, struct abi_val v[POCO_ORDER_VALS]);
extern const char *const poco_order_abi[POCO_KINDS]; /* "(address,uint256,…,bytes)" */
SR_CHECK sr_status poco_order_from_val(poco_kind k, const struct abi_val *v, struct poco_order *ret,
                                       struct sr_err *err);

/* ---- tags  SPEC: poco.md#6-tags */
#define POCO_TAG_TEE     (1u << 0)
#define POCO_TAG_SCONE   (1u << 1)
#define POCO_TAG_GRAMINE (1u << 2)
#define POCO_TAG_TDX     (1u << 3)
#define POCO_TAG_GPU     (1u << 8)
struct hash tag_of(uint32_t bits);
bool tag_has(const struct hash *tag, unsigned bit); /* bit number */
bool tag_is_tee(const struct hash *tag);
struct hash tag_or(const struct hash *a, const struct hash *b);
bool tag_within(const struct hash *a, const struct hash *b); /* every bit of a is in b */
/* "tee,tdx", or 0x and 64 digits. SR_E_MALFORMED with the official client's text. */
SR_CHECK sr_status tag_parse(struct slice text, struct hash *ret, struct sr_err *err);
SR_CHECK sr_status tag_names(const struct hash *tag, struct buf *b, struct sr_err *err);
/* The client's rule for orders: one framework with tee, no legacy one. */
SR_CHECK sr_status tag_check(const struct hash *tag, bool framework_optional, struct sr_err *err);
/* Tag of the deal these three make. */
struct hash tag_deal(const struct hash *app, const struct hash *dataset,
                     const struct hash *request);

/* ---- ids  SPEC: poco.md#13-identifiers */
struct hash poco_deal_id(const struct hash *request_hash, struct u256 first);
struct hash poco_task_id(const struct hash *deal, struct u256 index);

/*
 * poco_match_read - the orders in a transaction's calldata
 *
 * calldata    of matchOrders, sponsorMatchOrders, or either inside RLC.approveAndCall(hub, ...)
 * ret_orders  by kind; they borrow from calldata. Without a data set its address is zero.
 * SR_E_NOTFOUND: another call.
 */
SR_CHECK sr_status poco_match_read(struct slice calldata, const struct addr *hub,
                                   struct poco_order ret_orders[POCO_KINDS], struct sr_err *err);

/*
 * poco_match_inside - the next orders in a call that some contract was asked to make
 *
 * Contract wallets, relayers and multicalls carry the hub's calldata as bytes inside their own.
 * Whatever looks like matchOrders or sponsorMatchOrders there is given: the caller compares hashes.
 *
 * at          zeroed for the first
 * ret_orders  as above
 * SR_E_NOTFOUND: no more, or POCO_MATCH_TRIES looked like one; SR_E_NOMEM.
 */
#define POCO_MATCH_TRIES 64u
struct poco_match_at {
    size_t place;
    unsigned tries;
};
SR_CHECK sr_status poco_match_inside(struct slice calldata, struct poco_match_at *at,
                                     struct poco_order ret_orders[POCO_KINDS], struct sr_err *err);

/*
 * poco_match_check - what matchOrders will say about these four, before any money moves
 *
 * dataset may be NULL. Checks codes 0x00..0x1b except those that need the chain (categories,
 * owners, signatures, consumed volumes; a restriction to a group counts as refused). SR_E_REFUSED
 * with the reason and what to do. poco_try_match asks the chain itself.  SPEC:
 * poco.md#8-matchorders--sponsormatchorders
 */
SR_CHECK sr_status poco_match_check(const struct poco_order *app, const struct poco_order *dataset,
                                    const struct poco_order *workerpool,
                                    const struct poco_order *request, struct sr_err *err);
