/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market_int.h - the market's parts
 *
 * schema.c   tables            index.c    chain -> rows, rollbacks     orders.c   order rows
 * query.c    parameters        auth.c     challenges                   publish.c  POST
 * facts.c    what the chain says of an order    accept.c   publishes that are judged together
 * unpublish.c PUT              changes.c  changes of orders, told when they are committed
 * filter.c   what a list asks of orders         counts.c   how many match
 * books.c    order lists       deals.c    deals, categories, ohlc      v1.c       our own routes
 * cache.c    ready answers     share.c    collections, rentals   market_main.c
 * socket.c   the socket's sessions              live.c     what they are told
 */
#pragma once
#include "commit/commit.h"
#include "db/db.h"
#include "eth/follower.h"
#include "ipfs/ipfs.h"
#include "market/market.h"
#include "net/net.h"
#include "net/role.h"
#include "poco/poco.h"

#define MARKET_BODY_MAX    (256u * 1024)
#define APPS_FILE_MAX      (256u * 1024) /* bytes of apps.json */
#define MARKET_OPEN_MAX    1000u         /* open orders of one kind by one signer */
#define MARKET_CHALLENGE_S 600u          /* a challenge is good for once to twice as long */
#define MARKET_PAGE        20u
#define MARKET_PAGE_MIN    10u
#define MARKET_PAGE_MAX    1000u
#define MARKET_CACHE_HELD  (32u << 20)  /* bytes of all ready answers */
#define MARKET_CACHE_BYTES (64u * 1024) /* of one kept answer */
#define MARKET_VERSION     "6.4.0"      /* of the official interface that we speak */
#define MARKET_TASKS_MAX   64u          /* tasks shown with a deal */
#define MARKET_CHANGES_MAX (4u << 20)   /* bytes noted of one transaction; else "everything" */
#define MARKET_READERS     4u           /* statements that a server is asked at once */
#define MARKET_STREAMS_MAX 1000u        /* open event streams */

struct answer_cache; /* cache.c */
struct live_counts;  /* counts.c */
struct stake_cache;  /* facts.c */
struct changes;      /* changes.c */
struct live;         /* live.c */
struct sockets;      /* socket.c */

/* How often the order books have changed: all at once, each kind's, and each resource's (several
 * share a counter, which only costs an answer that was still good). */
#define BOOK_SLOTS 2048u
struct book_changes {
    uint64_t all, kind[POCO_KINDS], resource[BOOK_SLOTS];
};

/* On a shared database: the channel on which one process tells the others of what it committed, and
 * the locks: who indexes; rows of the index against rows of requests. */
#define MARKET_CHANNEL    "strongroom_market"
#define MARKET_LOCK_INDEX 0x53524d31u
#define MARKET_LOCK_ROWS  0x53524d32u

struct market {
    struct db *db;   /* in the group's transactions, or alone (commit.h) */
    struct db *read; /* what is committed; the same as db unless it is shared */
    struct commit_group *group;
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
    uint8_t seed[32];   /* of challenges: the database's */
    uint64_t head;      /* last indexed block */
    uint64_t head_time; /* its time, in seconds; 0: not known */
    struct hash head_hash;
    struct fcond changed; /* for event streams */
    uint64_t change_no;
    unsigned streams;
    struct changes *changes;
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

#include "market/orders.h"
#include "market/publish.h"

/* ---- publish.c, unpublish.c, books.c, deals.c, v1.c: routes */
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
/* A POST's or PUT's. *ret NULL: answered already. */
SR_CHECK sr_status read_body(struct http_req *rq, struct json **ret, struct sr_err *err);

/* ---- cache.c: answers of GET lists, good until the generation (books_generation) changes */
struct answer_cache *cache_new(void) SR_CHECK;
void cache_free(struct answer_cache *c);
typedef enum {
    CACHE_HAS,
    CACHE_HAS_NOT, /* make it, then cache_put, in any case */
    CACHE_COMES    /* another fiber does: cache_wait, then look again */
} cache_state;
/* *ret: until the next wait. */
cache_state cache_look(struct answer_cache *c, struct slice key, uint64_t generation,
                       struct slice *ret);
SR_CHECK sr_status cache_wait(struct answer_cache *c, struct sr_err *err);
/* An empty body: it could not be made. */
void cache_put(struct answer_cache *c, struct slice key, uint64_t generation, struct slice body);

/* ---- socket.c (GET, POST /ws), live.c: what its listeners are told */
sr_status route_socket(struct http_req *rq, void *role, struct sr_err *err);
struct sockets *sockets_new(uint64_t ping_ms) SR_CHECK; /* 0: as usual */
void sockets_free(struct market *m);
typedef enum { LIVE_PUBLISHED, LIVE_UPDATED, LIVE_UNPUBLISHED, LIVE_DEAL } live_what;
struct live *live_new(void) SR_CHECK;
void live_free(struct live *l);
/* Committed here, or by another market. kind: of an order. Told when it is on disk. */
void live_note(struct market *m, live_what what, unsigned kind, const struct hash *h);
void live_asked(struct market *m); /* the disk is asked for what was noted */
void live_lasts(struct market *m); /* and has it: listeners are told, by a fiber */

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
