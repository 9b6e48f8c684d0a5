/* SPDX-License-Identifier: Apache-2.0 */
/* orders.h - rows of orders, what lists ask of them, what changes; a part of market_int.h */
#pragma once

/* ---- orders.c */
#define TAG_WORDS 5
#define TAG_BITS  52
int64_t tag_word(const struct hash *tag, unsigned word); /* bits 52 * word and up */
typedef enum { ORDER_OPEN, ORDER_FILLED, ORDER_CANCELED, ORDER_DEAD } order_status;
extern const char *const order_status_word[4];
/* All that a list can ask of an order; what its kind does not have is zero. */
struct order_row {
    struct hash hash;
    poco_kind kind;
    order_status status;
    struct addr signer, resource, app, dataset, workerpool, requester, beneficiary;
    uint64_t remaining, published_ms, volume, price, category, trust;
    int64_t tag[TAG_WORDS];
    bool bulk, stake; /* stake: it asks its signer to hold one */
};
/* An order as it is to be stored, open. */
struct order_row order_row_of(const struct poco_order *o, const struct hash *h,
                              const struct addr *signer, uint64_t remaining, uint64_t now_ms);
/* SR_E_NOTFOUND. json gets the order's text (numbers style); may be NULL. */
SR_CHECK sr_status order_load(struct db *db, const struct hash *h, struct order_row *ret,
                              struct buf *json, struct sr_err *err);
/* The statement that inserts a row, or revives a dead one; row and json are borrowed by it. Whoever
 * runs it tells of the change. */
#define ORDER_VALUES 23
struct order_insert {
    struct db_val args[ORDER_VALUES];
};
struct db_stmt order_insert_of(const struct order_row *row, struct slice json,
                               struct order_insert *mem);
SR_CHECK sr_status order_delete(struct market *m, const struct hash *h, struct sr_err *err);
/* By an event in `block`: the old state is kept for a rollback. Dependent request orders are looked
 * after. */
SR_CHECK sr_status order_set(struct market *m, const struct hash *h, order_status status,
                             uint64_t remaining, uint64_t block, struct sr_err *err);
SR_CHECK sr_status orders_rollback(struct market *m, uint64_t keep, struct sr_err *err);
/* Open request orders on that app or data set which have nothing left to match: dead. */
SR_CHECK sr_status orders_check_requests(struct market *m, poco_kind k, const struct addr *resource,
                                         uint64_t block, struct sr_err *err);
/* Open orders of the resource signed by somebody who is not its owner now: dead. */
SR_CHECK sr_status orders_owner_changed(struct market *m, poco_kind k, const struct addr *resource,
                                        const struct addr *owner, uint64_t block,
                                        struct sr_err *err);
/* Has open orders that need a stake? Outside of transactions. */
SR_CHECK sr_status orders_need_stake(struct market *m, const struct addr *who, bool *ret,
                                     struct sr_err *err);
SR_CHECK sr_status orders_stake_is(struct market *m, const struct addr *who, struct u256 stake,
                                   uint64_t block, struct sr_err *err);
/* What an order asks its signer to hold: spec 2.6 #9, #10. False: more than 2^256. */
bool order_stake(const struct poco_order *o, uint64_t remaining, struct u256 *ret);
/* Is there an open order of that kind which a request could use? *ret_best its lowest price. */
struct request_needs {
    struct addr app, dataset, workerpool, requester;
    bool tee;
};
SR_CHECK sr_status orders_for_request(struct market *m, poco_kind k, const struct request_needs *n,
                                      bool *ret_any, uint64_t *ret_best, struct sr_err *err);
/* {order, orderHash[, chainId], publicationTimestamp, signer, remaining, status[, bulk]} members;
 * chain_id 0: without it */
void order_item(struct jw *w, const struct order_row *r, struct slice json, uint64_t chain_id,
                bool with_bulk);

/* ---- filter.c: what a list asks of open orders, in SQL and in memory */
#define FILTER_MAX 20
typedef enum {
    COL_RESOURCE,
    COL_SIGNER,
    COL_APP,
    COL_DATASET,
    COL_WORKERPOOL,
    COL_REQUESTER,
    COL_BENEFICIARY,
    COL_TAG, /* and the other words */
    COL_REMAINING = COL_TAG + TAG_WORDS,
    COL_CATEGORY,
    COL_TRUST,
    COL_BULK
} order_col;
typedef enum { IS, IS_OR_NONE, HAS_BITS, LACKS_BITS, AT_LEAST, AT_MOST } filter_op;
struct filter {
    poco_kind kind;
    unsigned n;
    struct filter_cond {
        unsigned col;
        filter_op op;
        int64_t v;
        struct addr a;
    } c[FILTER_MAX];
};
void filter_init(struct filter *f, poco_kind k); /* all open orders of the kind */
void filter_addr(struct filter *f, unsigned col, filter_op op, const struct addr *a);
void filter_i64(struct filter *f, unsigned col, filter_op op, int64_t v);
const struct addr *filter_resource(const struct filter *f); /* that it asks for; NULL: any */
/* " INDEXED BY ...", or nothing, for a SELECT of these orders; in_order: pages by price, of which
 * nearly all match. */
const char *filter_index(const struct filter *f, const struct db *db, bool in_order);
bool filter_same(const struct filter *a, const struct filter *b);
bool filter_matches(const struct filter *f, const struct order_row *r);
void filter_sql(const struct filter *f, struct sel *s); /* but for kind and status */

/* ---- counts.c: matches of a filter among a kind's open orders */
struct live_counts *counts_new(void) SR_CHECK;
void counts_free(struct live_counts *c);
/* After a change that went around changes.c, or that was rolled back. */
void counts_flush(struct market *m);
/* Waits on a server. */
SR_CHECK sr_status counts_get(struct market *m, const struct filter *f, uint64_t *ret,
                              struct sr_err *err);
/* Open orders of a kind by one signer. In a transaction. */
SR_CHECK sr_status counts_open(struct market *m, poco_kind k, const struct addr *signer,
                               uint64_t *ret, struct sr_err *err);
/* An order has changed (NULL: there was, or is, none), in transaction tx of a shared database (0:
 * of our own file); others: another market's. */
void counts_changed(struct market *m, const struct order_row *before, const struct order_row *after,
                    uint64_t tx, bool others);

/* ---- changes.c: what a transaction changes, for counts, ready answers, sockets, other markets
 *
 * Rows of our own file are seen when they are written, so counts and ready answers follow at once;
 * those of a shared database when they are committed. */
struct changes *changes_new(void) SR_CHECK;
void changes_free(struct changes *c);
/* NULL: there was, or is, no such order. */
void changes_order(struct market *m, const struct order_row *before, const struct order_row *after);
void changes_deal(struct market *m, const struct hash *id);
/* What was noted after the mark is undone, with its savepoint or transaction (mark 0). */
size_t changes_mark(const struct market *m);
void changes_back(struct market *m, size_t mark);
/* In the transaction, last: others that share the database hear of it when it is committed. */
SR_CHECK sr_status changes_tell(struct market *m, struct sr_err *err);
void changes_committed(struct market *m);
/* Of other markets, a line a message; false: some of it was lost. */
void changes_heard(struct market *m, struct slice lines, bool whole);
