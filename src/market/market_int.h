/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market_int.h - the market's parts
 *
 * schema.c   tables            index.c   chain -> rows, rollbacks      orders.c  order rows
 * query.c    parameters        auth.c    challenges                    publish.c POST, PUT
 * facts.c    what the chain says of an order    group.c   commits of several requests
 * books.c    order lists       deals.c   deals, categories, ohlc       v1.c      our own routes
 * cache.c    ready answers     share.c   collections, rentals   market_main.c
 * socket.c   the socket's sessions             live.c    what they are told
 */
#pragma once
#include "db/db.h"
#include "eth/follower.h"
#include "ipfs/ipfs.h"
#include "market/market.h"
#include "net/net.h"
#include "net/role.h"
#include "poco/poco.h"

#define MARKET_BODY_MAX       (256u * 1024)
#define APPS_FILE_MAX         (256u * 1024) /* bytes of apps.json */
#define MARKET_OPEN_MAX       1000u         /* open orders of one kind by one signer */
#define MARKET_CHALLENGE_MS   600000u       /* a challenge not used by then is replaced */
#define MARKET_CHALLENGES_MAX 100000u
#define MARKET_PAGE           20u
#define MARKET_PAGE_MIN       10u
#define MARKET_PAGE_MAX       1000u
#define MARKET_CACHE          2048u
#define MARKET_CACHE_HELD     (8u << 20)     /* of all of them */
#define MARKET_CACHE_BYTES    (64u * 1024)   /* of one kept answer */
#define MARKET_VERSION        "6.4.0"        /* of the official interface that we speak */
#define MARKET_TASKS_MAX      64u            /* tasks shown with a deal */
#define LIVE_NOTES_MAX        (34u * 65536u) /* of one transaction; later ones are not told */
#define MARKET_STREAMS_MAX    1000u          /* open event streams */

typedef enum { ORDER_OPEN, ORDER_FILLED, ORDER_CANCELED, ORDER_DEAD } order_status;
extern const char *const order_status_word[4];

struct answer_cache; /* cache.c */
struct live_counts;  /* counts.c */
struct stake_cache;  /* facts.c */
struct waiter;       /* group.c */
struct live;         /* live.c */
struct sockets;      /* socket.c */

/* How often the order books have changed: all at once, each kind's, and each resource's (several
 * share a counter, which only costs an answer that was still good). */
#define BOOK_SLOTS 2048u
struct book_changes {
    uint64_t all, kind[POCO_KINDS], resource[BOOK_SLOTS];
};

struct write_group {
    bool open, running;
    struct db_tx tx;
    struct waiter *writing, *committed, *syncing;
    struct fcond told;
    int fd;
    bool sync_failed;
};

/* On a shared database: the channel on which one process tells the others of what it committed, and
 * the locks: who indexes; rows of the index against rows of requests. */
#define MARKET_CHANNEL    "strongroom_market"
#define MARKET_LOCK_INDEX 0x53524d31u
#define MARKET_LOCK_ROWS  0x53524d32u

struct market {
    struct db *db;
    struct db *read; /* lists and GraphQL; the same as db unless it is shared */
    struct db_link *news, *turn;
    const struct market_opts *opts;
    struct eth_rpc *rpc;
    struct poco poco;
    struct addr data_protector, sharing, whitelist_registry;
    bool has_sharing;
    uint64_t chain_id;
    uint64_t open_max;
    const char *scheduler_url; /* for compass; NULL: none */
    const char *apps_file;     /* for compass; NULL: none */
    bool has_workerpool;
    struct addr workerpool;
    struct eth_follower *follower;

    /* the follower is reading the chain for a step: what a publish reads now may be old */
    bool stepping;
    uint64_t step_no;
    struct fcond step_done;

    struct book_changes books; /* for ready answers */
    struct answer_cache *cache;
    struct live_counts *counts;
    struct stake_cache *stakes;
    struct write_group group;
    uint64_t challenges; /* that are stored, at most; 0: count them */
    uint64_t head;       /* last indexed block */
    uint64_t head_time;  /* its time, in seconds; 0: not known */
    struct hash head_hash;
    struct fcond changed; /* for event streams */
    uint64_t change_no;
    unsigned streams;
    struct live *live;
    struct sockets *sockets;
    bool caught_up, index_failed;
    struct fcond up;
};

/* Something that a list or stream shows has changed. */
void market_changed(struct market *m);
/* An order of that resource has; or perhaps any (undone, or another process'). */
void books_changed(struct market *m, poco_kind k, const struct addr *resource);
void books_changed_all(struct market *m);
/* What a list's answer rests on; resource NULL: orders of the kind with any. */
uint64_t books_generation(const struct market *m, poco_kind k, const struct addr *resource);

/* ---- schema.c */
SR_CHECK sr_status market_db_open(const char *path, struct db **ret, struct sr_err *err);
/* The index from the beginning: forgets all that events told. */
/* Over all that the index holds up to a block: equal where the same chain was read. */
SR_CHECK sr_status index_digest(struct db *db, uint64_t block, struct hash *ret,
                                struct sr_err *err);
SR_CHECK sr_status market_db_forget_chain(struct db *db, struct sr_err *err);

/* ---- query.c: failures carry the official texts and HTTP statuses */
struct http_req;
SR_CHECK sr_status q_chain(struct market *m, struct http_req *rq, struct sr_err *err);
/* "<p> must be a bytes32 hexstring" */
SR_CHECK sr_status q_hash_text(const char *p, struct slice text, struct hash *ret,
                               struct sr_err *err);
SR_CHECK sr_status q_addr_text(const char *p, struct slice text, struct addr *ret,
                               struct sr_err *err);
SR_CHECK sr_status q_int_text(const char *p, struct slice text, uint64_t min, uint64_t *ret,
                              struct sr_err *err);
typedef enum { Q_ABSENT, Q_ANY, Q_GIVEN } q_state;
SR_CHECK sr_status q_addr(struct http_req *rq, const char *p, bool any_ok, q_state *ret_state,
                          struct addr *ret, struct sr_err *err);
SR_CHECK sr_status q_hash(struct http_req *rq, const char *p, bool *ret_given, struct hash *ret,
                          struct sr_err *err);
SR_CHECK sr_status q_int(struct http_req *rq, const char *p, uint64_t min, bool *ret_given,
                         uint64_t *ret, struct sr_err *err);
SR_CHECK sr_status q_bool(struct http_req *rq, const char *p, bool *ret, struct sr_err *err);
struct q_page {
    uint64_t limit, skip;
};
SR_CHECK sr_status q_page(struct http_req *rq, struct q_page *ret, struct sr_err *err);

/* Ours: page and size. */
SR_CHECK sr_status v1_page(struct http_req *rq, struct q_page *ret, struct sr_err *err);

/* SELECTs put together from what was asked: "$n" are numbered as values come */
#define SEL_ARGS 30
struct sel {
    struct buf where; /* " AND a = $1 ..." */
    struct db_val args[SEL_ARGS];
    uint8_t mem[SEL_ARGS][32]; /* bytes of blobs */
    size_t n;
};
void sel_init(struct sel *s);
void sel_done(struct sel *s);
#define cleanup_sel __attribute__((cleanup(sel_done)))
/* text has one %s where "$n" goes */
void sel_addr(struct sel *s, const char *text, const struct addr *a);
void sel_hash(struct sel *s, const char *text, const struct hash *h);
void sel_i64(struct sel *s, const char *text, int64_t v);
void sel_text(struct sel *s, const char *text); /* no value */

/* ---- orders.c */
#define TAG_WORDS 5
#define TAG_BITS  52
int64_t tag_word(const struct hash *tag, unsigned word); /* bits 52 * word and up */
struct order_row {
    struct hash hash;
    poco_kind kind;
    order_status status;
    struct addr signer, resource;
    uint64_t remaining, published_ms, volume;
    bool bulk;
};
/* SR_E_NOTFOUND. json gets the order's text (numbers style); may be NULL. */
SR_CHECK sr_status order_load(struct market *m, const struct hash *h, struct order_row *ret,
                              struct buf *json, struct sr_err *err);
/* Inserts, or revives a dead one. now_ms for a new one. */
SR_CHECK sr_status order_store(struct market *m, const struct poco_order *o, const struct hash *h,
                               const struct addr *signer, uint64_t remaining, uint64_t now_ms,
                               struct sr_err *err);
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
/* Has open orders that need a stake? */
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
bool order_is_bulk(uint64_t volume, uint64_t price);

/* ---- auth.c */
sr_status route_challenge(struct http_req *rq, void *role, struct sr_err *err);
/* Whose key made a signature. Finding out is most of a publish's work, so it is done on the thread
 * pool: fiber_offload(recovered_all, array of pointers that ends with NULL). */
struct recovered {
    struct hash hash;
    struct slice sig; /* borrowed */
    struct addr signer;
    bool ok;
};
void recovered_all(void *arg);
/* Of the authorization header: read, then recovered, then used up. SR_E_REFUSED "invalid
 * authorization". */
struct auth {
    struct addr who;
    struct buf text, sig; /* owned: auth_done */
    struct recovered signature;
};
SR_CHECK sr_status auth_read(struct market *m, struct http_req *rq, struct auth *ret,
                             struct sr_err *err);
SR_CHECK sr_status auth_use(struct market *m, const struct auth *a, struct sr_err *err);
void auth_done(struct auth *a); /* accepts a zeroed one */
#define cleanup_auth __attribute__((cleanup(auth_done)))

/* ---- group.c: writes of requests, committed together */
SR_CHECK sr_status group_join(struct market *m, struct sr_err *err); /* before writing */
/* Waits until all that was written is committed and on disk; its failure undoes all of it. */
SR_CHECK sr_status group_wait(struct market *m, struct sr_err *err);
/* Commits at once, without waiting: before a transaction that must stand alone. */
SR_CHECK sr_status group_flush(struct market *m, struct sr_err *err);
void group_end(struct market *m); /* when no fiber runs any more */

/* ---- facts.c: what the chain knows of an order */
struct facts {
    bool registered, signed_ok;
    struct addr owner;
    struct u256 consumed;
    struct u256 stake;
};
/* False: the index cannot say that all is well, ask the chain. Does not wait. */
bool facts_by_index(struct market *m, const struct poco_order *o, const struct recovered *signature,
                    const struct addr *who, struct facts *ret);
SR_CHECK sr_status facts_by_chain(struct market *m, const struct poco_order *o,
                                  const struct hash *h, const struct addr *who, struct facts *ret,
                                  struct sr_err *err);
struct stake_cache *stakes_new(void) SR_CHECK;
void stakes_free(struct stake_cache *c);
void stakes_forget(struct market *m, const struct addr *who); /* an event touched it */
void stakes_flush(struct market *m);

/* ---- publish.c, books.c, deals.c, v1.c: routes */
sr_status route_publish(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_unpublish(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_book(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_order(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_deals(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_deal(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_categories(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_category(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_ohlc(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_metrics(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_version(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_compass(struct http_req *rq, void *role, struct sr_err *err);
sr_status route_compass_app(struct http_req *rq, void *role, struct sr_err *err);
sr_status v1_datasets(struct http_req *rq, void *role, struct sr_err *err);
sr_status v1_dataset(struct http_req *rq, void *role, struct sr_err *err);
sr_status v1_deals(struct http_req *rq, void *role, struct sr_err *err);
sr_status v1_deal(struct http_req *rq, void *role, struct sr_err *err);
sr_status v1_task(struct http_req *rq, void *role, struct sr_err *err);
sr_status v1_head(struct http_req *rq, void *role, struct sr_err *err);
sr_status v1_events(struct http_req *rq, void *role, struct sr_err *err);
sr_status v1_sharing(struct http_req *rq, void *role, struct sr_err *err);
void market_error(struct http_req *rq, const struct sr_err *e);
/* The kind a path begins with: "/apporders/..." */
poco_kind path_kind(struct http_req *rq);

/* ---- cache.c: answers of GET lists, good until the generation (books_generation) changes */
struct answer_cache *cache_new(void) SR_CHECK;
void cache_free(struct answer_cache *c);
bool cache_get(struct answer_cache *c, struct slice key, uint64_t generation, struct slice *ret);
void cache_put(struct answer_cache *c, struct slice key, uint64_t generation, struct slice body);

/* ---- counts.c: matches of a filter among a kind's open orders */
struct live_counts *counts_new(void) SR_CHECK;
void counts_free(struct market *m);
void counts_flush(
    struct market *m); /* after a change that went around order_* or was rolled back */
SR_CHECK sr_status counts_get(struct market *m, poco_kind k, const struct sel *s, uint64_t *ret,
                              struct sr_err *err);
/* Which kept filters does the order match now? Ask before a change, and hand it to counts_changed
 * after it. */
uint64_t counts_mask(struct market *m, poco_kind k, const struct hash *h);
/* Open orders of a kind by one signer. */
SR_CHECK sr_status counts_open(struct market *m, poco_kind k, const struct addr *signer,
                               uint64_t *ret, struct sr_err *err);
void counts_open_changed(struct market *m, poco_kind k, const struct addr *signer, bool was,
                         bool is);
void counts_changed(struct market *m, poco_kind k, const struct hash *h, uint64_t before);

/* ---- socket.c (GET, POST /ws), live.c: what its listeners are told */
sr_status route_socket(struct http_req *rq, void *role, struct sr_err *err);
struct sockets *sockets_new(uint64_t ping_ms) SR_CHECK; /* 0: as usual */
void sockets_free(struct market *m);
struct live *live_new(void) SR_CHECK;
void live_free(struct live *l);
/* Noted in the open transaction: a stored order that was, or is, open; a new deal. */
void live_order(struct market *m, poco_kind k, const struct hash *h, bool was_open, bool is_open);
void live_deal(struct market *m, const struct hash *id);
/* What was noted after the mark is undone, with its savepoint or transaction (mark 0). */
size_t live_mark(const struct market *m);
void live_back(struct market *m, size_t mark);
/* In the transaction, last: others that share the database hear of it when it is committed. */
SR_CHECK sr_status live_tell_others(struct market *m, struct sr_err *err);
void live_committed(struct market *m); /* what was noted may be told */
void live_send_ready(struct market *m);
/* For what must be on disk first: take what is ready now, tell it later. ready: initialised. */
void live_take(struct market *m, struct buf *ret_ready);
void live_send(struct market *m, struct buf *ready);
void live_heard(struct market *m, struct slice lines); /* of another market */

/* ---- index.c */
SR_CHECK sr_status index_step(void *arg, const struct eth_step *s, struct sr_err *err);
SR_CHECK sr_status index_rollback(void *arg, uint64_t keep, struct sr_err *err);
/* What the follower needs at a start. marks: FOLLOW_KEEP of them. */
SR_CHECK sr_status index_marks(struct market *m, struct eth_mark *marks, size_t *ret_n,
                               struct sr_err *err);
#define INDEX_TOPICS 34
void index_topics(struct hash t[INDEX_TOPICS]);

/* schema_entry.c: the "path:type" entries of a data set's schema text; a text that is no such tree
 * has none. */
SR_CHECK sr_status index_schema(struct market *m, const struct addr *data, struct slice text,
                                uint64_t block, struct sr_err *err);

/* ---- share.c: DataProtectorSharing and the lists of apps */
typedef enum { SHARE_SUBSCRIPTION, SHARE_RENTAL, SHARE_SALE, SHARE_CONSUMPTION } share_kind;
bool share_is_event(const struct market *m, const struct eth_log *l, poco_event e);
SR_CHECK sr_status share_row(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                             uint64_t time, struct sr_err *err);
/* A data set has a new owner: it is no longer offered. */
SR_CHECK sr_status share_data_moved(struct market *m, const struct addr *data, uint64_t block,
                                    struct sr_err *err);
SR_CHECK sr_status share_rollback(struct market *m, uint64_t keep, struct sr_err *err);
SR_CHECK sr_status share_prune(struct market *m, uint64_t before, struct sr_err *err);

/* ---- replica.c: several markets with one database, of which one indexes */
SR_CHECK sr_status replica_start(struct market *m, const char *url, struct sr_err *err);
void replica_stop(struct market *m);
/* market_main.c: follows the chain from where the database is. */
SR_CHECK sr_status market_index(struct market *m, struct sr_err *err);

/* ---- market_main.c, also for tests */
/* What the market depends on: the chain, the database, the disk. */
SR_CHECK sr_status market_health(void *role, struct jw *checks, struct sr_err *err);
extern const struct http_docs market_docs; /* docs.c */
extern const struct http_route market_routes[];
extern const size_t market_routes_n;
struct market_opts {
    const char *path; /* database: a file, or the URL of one on a server */
    const char *dir;  /* of a file; NULL: not looked at by /health */
    const char *rpc, *ws;
    struct addr hub, data_protector, workerpool, sharing, whitelist_registry;
    bool has_data_protector, has_workerpool, has_sharing;
    const char *scheduler_url;
    const char *apps_file;
    uint64_t start_block, open_max;
    bool rebuild;     /* the index is read from the chain again; orders stay */
    uint64_t ping_ms; /* of sockets; 0: as the official service */
};
/* Opens, follows the chain in a fiber of its own. o is borrowed until market_stop. Waits. */
SR_CHECK sr_status market_start(const struct market_opts *o, struct market **ret,
                                struct sr_err *err);
void market_stop(struct market *m);
