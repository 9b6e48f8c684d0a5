/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sharing.h - calls, events, views and rules of DataProtectorSharing and its app whitelists
 *
 * Prices are nRLC (72 bits on the chain), durations and ends seconds. Encoders append to b and fail
 * only for lack of room or a number too big for its type.
 *
 * Depends on: base, crypto, eth, order.  Used by: sms, market, sdk.  The views (share_view_*) wait
 * and are in the library poco; the rest is in poco_core, without a network.
 * SPEC: dataprotector.md#9-sharing-collections-subscription-renting-sale
 */
#pragma once
#include "poco/poco.h"

#define SHARE_PRICE_BITS   72
#define SHARE_DURATION_MAX ((1ull << 40) - 1) /* seconds */

struct share_terms { /* of a subscription or a rental; duration 0: not offered */
    struct u256 price;
    uint64_t duration;
};

/* ---- calls of the sharing contract */
SR_CHECK sr_status share_enc_create_collection(struct buf *b, const struct addr *owner,
                                               struct sr_err *err);
SR_CHECK sr_status share_enc_burn(struct buf *b, struct u256 collection, struct sr_err *err);
SR_CHECK sr_status share_enc_add(struct buf *b, struct u256 collection, const struct addr *data,
                                 const struct addr *whitelist, struct sr_err *err);
SR_CHECK sr_status share_enc_set_subscription(struct buf *b, struct u256 collection,
                                              struct share_terms t, struct sr_err *err);
SR_CHECK sr_status share_enc_subscribe(struct buf *b, struct u256 collection, struct share_terms t,
                                       struct sr_err *err);
SR_CHECK sr_status share_enc_set_renting(struct buf *b, const struct addr *data,
                                         struct share_terms t, struct sr_err *err);
SR_CHECK sr_status share_enc_rent(struct buf *b, const struct addr *data, struct share_terms t,
                                  struct sr_err *err);
SR_CHECK sr_status share_enc_set_sale(struct buf *b, const struct addr *data, struct u256 price,
                                      struct sr_err *err);
SR_CHECK sr_status share_enc_buy(struct buf *b, const struct addr *data, const struct addr *to,
                                 struct u256 price, struct sr_err *err);
/* Calls whose only argument is the data set. */
typedef enum {
    SHARE_REMOVE,    /* out of its collection */
    SHARE_BUNDLE,    /* into the subscription of its collection */
    SHARE_UNBUNDLE,  /* out of it */
    SHARE_STOP_RENT, /* no new rentals */
    SHARE_STOP_SALE, /* not for sale */
    SHARE_DATA_CALLS
} share_data_call;
SR_CHECK sr_status share_enc_data(struct buf *b, share_data_call call, const struct addr *data,
                                  struct sr_err *err);
SR_CHECK sr_status share_enc_consume(struct buf *b, const struct addr *data,
                                     const struct poco_order *workerpool, const struct addr *app,
                                     struct sr_err *err);
/* ---- whitelists: the registry's, and a list's own */
SR_CHECK sr_status share_enc_create_whitelist(struct buf *b, const struct addr *owner,
                                              struct sr_err *err);
SR_CHECK sr_status share_enc_add_app(struct buf *b, const struct addr *app, struct sr_err *err);
/* ---- ERC-721 of a registry entry (its token is its address) */
SR_CHECK sr_status erc721_enc_approve(struct buf *b, const struct addr *to,
                                      const struct addr *entry, struct sr_err *err);

/* ---- events: POCO_EV_SHARE_* and POCO_EV_WHITELIST_APP of calls.h */

/* What an event says; members that it does not speak of are zero. */
struct share_log {
    poco_event event;
    struct addr data;
    struct addr who;       /* subscriber, renter, buyer; the app of POCO_EV_WHITELIST_APP */
    struct addr whitelist; /* of POCO_EV_SHARE_MOVED */
    struct u256 collection, old_collection;
    struct share_terms terms; /* duration 0 for a sale's price */
    uint64_t end;             /* of a rental or subscription, seconds */
    struct hash deal;
    bool by_rent; /* POCO_EV_SHARE_CONSUMED: a rental, not a subscription */
};
/* SR_E_NOTFOUND: none of sharing; SR_E_MALFORMED. Who emitted it is the caller's check. */
SR_CHECK sr_status share_log_read(const struct hash *topics, size_t n_topics, struct slice data,
                                  struct share_log *ret, struct sr_err *err);

/* ---- the orders of a consumption, as the contract makes them */
struct share_orders {
    struct poco_order app, dataset, request; /* not signed: the hub holds them as presigned */
};
#define SHARE_SALTS         (1u << 19) /* consumptions of one contract that are looked through */
#define SHARE_SALTS_AT_ONCE 16384u     /* some 20 ms */
/*
 * share_orders_find - the orders behind a deal that the sharing contract made
 *
 * Neither calldata nor events hold them; they follow from the deal and the contract's rule. Only
 * the request's salt (a counter) and the framework of the tags are not known: they are found by
 * trying, and what is found has the hashes that the hub told.
 *
 * whitelist   of the data when the deal was made
 * from, to    salts to try, the last one not: callers try a few at a time, and others go on
 * app, dataset, request   order hashes of the hub's OrdersMatched
 * ret         params are borrowed from the deal
 *
 * SR_E_NOTFOUND: not made so. SR_E_RANGE: so, but with none of these salts.
 */
SR_CHECK sr_status share_orders_find(const struct poco_domain *d, const struct poco_deal *deal,
                                     const struct addr *whitelist, uint64_t from, uint64_t to,
                                     const struct hash *app, const struct hash *dataset,
                                     const struct hash *request, struct share_orders *ret,
                                     uint64_t *ret_salt, struct sr_err *err);

/* ---- views */
struct share_collection {
    struct addr owner; /* zero: no such collection */
    uint64_t size;     /* data sets in it */
    uint64_t last_subscription_end;
    struct share_terms subscription;
};
struct share_data {
    struct u256 collection; /* zero: in none */
    struct addr whitelist;
    uint64_t last_rental_end;
    bool in_subscription, for_sale;
    struct share_terms renting;
    struct u256 sale_price;
};
SR_CHECK sr_status share_view_collection(const struct poco *p, const struct addr *sharing,
                                         struct u256 id, struct eth_at at,
                                         struct share_collection *ret, struct sr_err *err);
SR_CHECK sr_status share_view_data(const struct poco *p, const struct addr *sharing,
                                   const struct addr *data, struct eth_at at,
                                   struct share_data *ret, struct sr_err *err);
/* Until when; 0: never. Seconds. */
SR_CHECK sr_status share_view_subscriber(const struct poco *p, const struct addr *sharing,
                                         struct u256 id, const struct addr *who, struct eth_at at,
                                         uint64_t *ret_end, struct sr_err *err);
SR_CHECK sr_status share_view_renter(const struct poco *p, const struct addr *sharing,
                                     const struct addr *data, const struct addr *who,
                                     struct eth_at at, uint64_t *ret_end, struct sr_err *err);
SR_CHECK sr_status share_view_registry(const struct poco *p, const struct addr *sharing,
                                       struct addr *ret_whitelists, struct sr_err *err);
/* A list of that registry? Its owner too. */
SR_CHECK sr_status share_view_whitelist(const struct poco *p, const struct addr *registry,
                                        const struct addr *list, bool *ret_exists,
                                        struct addr *ret_owner, struct sr_err *err);
SR_CHECK sr_status share_view_has_app(const struct poco *p, const struct addr *list,
                                      const struct addr *app, bool *ret, struct sr_err *err);
/* getApproved of an entry, or isApprovedForAll of its owner. */
SR_CHECK sr_status erc721_is_approved(const struct poco *p, const struct addr *registry,
                                      const struct addr *owner, const struct addr *entry,
                                      const struct addr *spender, bool *ret, struct sr_err *err);
SR_CHECK sr_status erc20_allowance(const struct poco *p, const struct addr *token,
                                   const struct addr *owner, const struct addr *spender,
                                   struct u256 *ret, struct sr_err *err);
