/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.h - any order from a hash or a text, and what it says
 *
 * Used by: order.c, explain.c, offer.c, their tests.   SPEC: sdk-formats.md#7-orders-in-json
 */
#pragma once
#include "base/failure.h"
#include "sdk/sdk_int.h"

#define ORDER_TEXT_MAX (256u * 1024) /* bytes of an order's JSON */

struct loaded { /* owned: loaded_done */
    struct poco_order order;
    struct hash hash;   /* needs the chain: zero without */
    struct json *doc;   /* params of a request live here */
    char status[16];    /* the market's word, "" when it was not asked or does not know it */
    uint64_t remaining; /* the market's, else 0 */
    bool from_market;
};
void loaded_done(struct loaded *l);
#define cleanup_loaded __attribute__((cleanup(loaded_done)))

/* JSON of an order: bare, {"order":…}, {"apporder":…}; the kind is told by its fields. Pure. */
SR_CHECK sr_status order_from_text(struct slice text, struct loaded *ret, struct sr_err *err);
/* A hash asks the market for all four kinds; anything else is read as JSON. Opens the chain. */
SR_CHECK sr_status order_find(struct sr_client *c, const char *hash_or_json, struct loaded *ret,
                              struct sr_err *err);
/* "app", "data" or "dataset", "workerpool" or "pool", "request". */
SR_CHECK sr_status order_kind(const char *word, poco_kind *ret, struct sr_err *err);

/* What the chain and the market know about an order; all optional. */
typedef enum { SIGNED_NOT, SIGNED_OK, SIGNED_WRONG, SIGNED_UNKNOWN } order_signed;
typedef enum { PARTY_UNKNOWN, PARTY_ANY, PARTY_ONE, PARTY_GROUP, PARTY_NOTHING } order_party;
struct order_facts {
    bool known; /* false: offline, the rest is empty */
    order_signed signature;
    bool registered; /* its resource; requests: its app */
    struct u256 consumed;
    bool cancelled;                         /* closed by its owner, not used up */
    order_party app, data, pool, requester; /* what the restricted address is */
};
/* Sentences and warnings of an order. Pure. */
void order_explain(const struct loaded *l, const struct order_facts *f, struct sr_explained *ret);

/* market.c: posts a signed order as it is */
SR_CHECK sr_status market_post(struct sr_client *c, const struct poco_order *order,
                               struct sr_err *err);
/* PUT: one by its hash, or the last or all of a resource. *ret_doc: {"unpublished":[hash…]} */
SR_CHECK sr_status market_withdraw(struct sr_client *c, poco_kind kind, const struct hash *hash,
                                   const struct addr *resource, bool all, struct json **ret_doc,
                                   struct sr_err *err);
