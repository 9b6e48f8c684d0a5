/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched_int.h - the scheduler's state and the duties of its files
 *
 * The database is the truth about tasks; memory holds only what dies with a connection. Every
 * change follows one pattern: read the event, change rows and outbox in one transaction, commit,
 * act. Acting twice is harmless: transactions have intents, workers ignore what they do not hold.
 *
 *   tasks.c     rows: deals, tasks, attempts, history, outbox
 *   chain.c     the chain's events into rows
 *   deadlines.c what time does to tasks
 *   outbox.c    calls to make into transactions
 *   dispatch.c  waiting tasks to workers
 *   workers.c   the workers' websockets
 *   orders.c    our order at the market
 *   api.c       what the official clients read; events.c: /v1 and the event stream
 */
#pragma once
#include "db/db.h"
#include "eth/eth.h"
#include "net/role.h"
#include "poco/poco.h"
#include "wire/vault_client.h"

#define SCHED_VERSION        "9.3.0" /* of the official scheduler whose public interface we serve */
#define SCHED_DEAL_TASKS_MAX 10000   /* tasks taken of one deal */
#define SCHED_HOST_TRIES     3       /* attempts that ended by the host's fault */
#define SCHED_LOST_TRIES     10      /* attempts lost with their worker's connection */
#define SCHED_BATCH          64      /* rows handled at once */
#define SCHED_INTENT_TRIES   8       /* reverted transactions of one intent */
#define SCHED_MARGIN_S       5       /* no start so shortly before the contribution deadline */
#define SCHED_TICK_MS        500
#define SCHED_CAUSE_MAX      WIRE_CAUSE_MAX
#define SCHED_EGRESS_MAX     200
#define SCHED_MESSAGE_MAX    1000
#define SCHED_LOGIN_MS       10000
#define SCHED_STRANGERS_MAX  64 /* connections that have not logged in */
#define SCHED_WORKERS_MAX    1024
#define SCHED_PENDING_MAX    4096u /* messages to one worker, and authorisations, under way */
#define SCHED_BUCKETS        64
#define SCHED_CATEGORIES     32   /* remembered */
#define SCHED_RUNNING_MAX    1024 /* tasks a worker may name at login */

struct sched;

/* One connected worker. The connection's fiber owns it; others hold a reference while they send. */
struct pool_worker {
    struct sched *s;
    struct ws *ws;
    struct addr addr;
    char name[64];
    uint64_t slots, load; /* load: of the round of dispatch */
    bool tdx, simulated, gone;
    unsigned refs;
    struct fcond released;
    struct pool_worker *next;
};

/* A task on its way to a worker, between the choice and the row. */
struct assigning {
    struct hash task;
    struct pool_worker *worker;
    struct assigning *next;
};

/* Patience, in milliseconds; tests have less of it. */
struct sched_times {
    uint64_t orphan;      /* a worker may come back for its tasks so long */
    uint64_t same_worker; /* before the same worker is tried again, when alone */
    uint64_t settle;      /* then the scheduler initialises a settling task itself */
    uint64_t resettle;    /* a finalisation taken back by the chain may return so long */
    uint64_t confirm;     /* a worker said done: the chain's event is awaited so long */
    uint64_t tick, order_check;
    uint64_t poll; /* of the chain without a subscription; 0: the follower's own */
};
#define SCHED_TIMES                                                                                \
    (struct sched_times) {                                                                         \
        .orphan = 10000, .same_worker = 3000, .settle = 5000, .resettle = 20000, .confirm = 60000, \
        .tick = SCHED_TICK_MS, .order_check = 60000, .poll = 500                                   \
    }

struct sched_config {
    const char *dir, *rpc, *ws, *vault, *market, *sms, *store;
    uint64_t chain_id;
    struct addr hub, workerpool, sms_identity;
    bool any_worker;
    struct addr *allowed; /* owned */
    size_t n_allowed;
};

struct sched {
    struct sched_config cfg;
    struct sched_times times;
    struct db *db;
    int lock_fd; /* 0: none */
    struct eth_rpc *rpc;
    struct poco poco;
    struct vault_client *vault;
    struct eth_signer signer;
    struct eth_sender *sender;
    struct eth_follower *follower;
    struct addr owner; /* of the workerpool; the vault's wallet */
    bool open;         /* chain and vault have answered */
    bool caught_up;    /* the follower is at the chain's head */
    uint64_t chain_time, chain_block, purged_at;
    uint64_t category_seconds[SCHED_CATEGORIES]; /* 0: not read yet */
    bool have_skew;
    int64_t skew_s; /* the chain's clock less ours, when a block was last seen being born */

    struct pool_worker *workers;
    size_t n_workers, n_strangers;
    struct assigning *assigning;

    bool want_dispatch, want_pump, want_orders;
    struct fcond dispatch, pump, orders, first_order;
    bool order_published;
    char order_state[160]; /* for GET /v1/pool */
    struct hash order_hash;
    struct fcond changed[SCHED_BUCKETS]; /* by the task id's first byte */

    struct challenge *challenges; /* api.c */
    size_t n_challenges;
    uint64_t deals_seen;
    struct sr_err fatal; /* why the role ended itself */
};

static inline uint64_t now_ms(void) {
    return clock_unix_ms();
}
/* The chain's time now, in seconds: of its last block, or later by what has passed since. */
uint64_t sched_time(const struct sched *s);
void sched_kick_dispatch(struct sched *s);
void sched_kick_pump(struct sched *s);
void sched_kick_orders(struct sched *s);

/* ---- rows (tasks.c). Nothing here waits. ---- */

typedef enum { TS_WAITING, TS_ASSIGNED, TS_RUNNING, TS_COMPLETED, TS_FAILED } task_status;
extern const char *const task_status_word[5];
static inline bool task_is_final(task_status st) {
    return st == TS_COMPLETED || st == TS_FAILED;
}
/* Chain's view of a task, as poco_task_status. */
struct task_row {
    struct hash id, deal;
    uint64_t index;
    task_status status;
    char stage[16];
    char cause[SCHED_CAUSE_MAX + 1];
    char message[SCHED_MESSAGE_MAX + 1];
    char egress[SCHED_EGRESS_MAX + 1]; /* JSON; "": not told */
    bool has_exit;
    int64_t exit_code;
    bool has_worker;
    struct addr worker;
    bool active;       /* the worker holds it */
    uint64_t attempts; /* begun */
    uint64_t on_chain; /* poco_task_status */
    bool vanished;     /* its deal is no more on the chain */
    uint64_t rev, updated_ms, not_before_ms;
    uint64_t contribution_deadline, final_deadline;
};
struct deal_row { /* texts are owned: deal_row_done */
    struct hash id, match_tx, tag;
    uint64_t block;
    struct addr requester, app, dataset, callback;
    bool has_dataset, has_callback;
    char *app_multiaddr, *dataset_multiaddr, *params;
    struct hash app_checksum, dataset_checksum;
    uint64_t trust, start_time, bot_first, bot_size, seconds, contribution_deadline, final_deadline;
};
void deal_row_done(struct deal_row *d); /* accepts a zeroed one */
#define cleanup_deal_row __attribute__((cleanup(deal_row_done)))

SR_CHECK sr_status tasks_open(struct sched *s, const char *path, struct sr_err *err);
/* SR_E_NOTFOUND */
SR_CHECK sr_status task_load(struct sched *s, const struct hash *id, struct task_row *ret,
                             struct sr_err *err);
SR_CHECK sr_status deal_load(struct sched *s, const struct hash *id, struct deal_row *ret,
                             struct sr_err *err);
/* Adds the deal and its tasks; a deal that had vanished lives again. cause NULL: they wait; else
 * they have failed with it at once. */
SR_CHECK sr_status deal_add(struct sched *s, const struct deal_row *d, const char *cause,
                            const char *message, struct sr_err *err);
/* The changes below bump the task's revision; callers say task_changed after their commit. */
SR_CHECK sr_status task_assigned(struct sched *s, const struct hash *id, const struct addr *worker,
                                 const struct hash *nonce, struct sr_err *err);
/* stage NULL: only the replicate's step is noted. */
SR_CHECK sr_status task_staged(struct sched *s, const struct hash *id, const char *stage,
                               const char *replicate_status, struct sr_err *err);
/* Back to waiting: the attempt ends with this state ("FAILED", "LOST") and cause. */
SR_CHECK sr_status task_requeued(struct sched *s, const struct hash *id, const char *attempt_state,
                                 const char *cause, const char *message, uint64_t not_before_ms,
                                 struct sr_err *err);
SR_CHECK sr_status task_failed(struct sched *s, const struct hash *id, const char *cause,
                               const char *message, const int64_t *exit_code,
                               const char *official_status, struct sr_err *err);
SR_CHECK sr_status task_note(struct sched *s, const struct hash *id, const char *message,
                             uint64_t not_before_ms, struct sr_err *err);
/* The current attempt's report: exit code, outputs, state. */
/* What the app tried on the network, as its room counted. */
SR_CHECK sr_status task_note_egress(struct sched *s, const struct hash *id,
                                    const struct json_val *v, struct sr_err *err);
SR_CHECK sr_status attempt_report(struct sched *s, const struct hash *id, const char *state,
                                  const char *cause, const char *blame, const int64_t *exit_code,
                                  struct slice out, struct slice errout, struct sr_err *err);
/* Has the worker any attempt of the task, whatever became of it? */
SR_CHECK sr_status attempt_known(struct sched *s, const struct hash *id, const struct addr *worker,
                                 bool *ret_known, struct sr_err *err);
/* A lost attempt whose worker came back with it: the task is that worker's again, if it waits. */
SR_CHECK sr_status attempt_adopt(struct sched *s, const struct hash *id, const struct addr *worker,
                                 bool *ret_adopted, struct sr_err *err);
SR_CHECK sr_status attempt_count(struct sched *s, const struct hash *id, const char *state,
                                 uint64_t *ret_n, struct sr_err *err);
/* Has this worker an attempt of the task that did not succeed? */
SR_CHECK sr_status attempt_tried(struct sched *s, const struct hash *id, const struct addr *worker,
                                 bool *ret_tried, uint64_t *ret_last_end_ms, struct sr_err *err);
SR_CHECK sr_status history_add(struct sched *s, const struct hash *id, const char *status,
                               uint64_t block, const struct hash *tx, struct sr_err *err);
SR_CHECK sr_status outbox_put(struct sched *s, const char *kind, const struct hash *task,
                              struct sr_err *err);
SR_CHECK sr_status outbox_drop(struct sched *s, const struct hash *task, struct sr_err *err);
/* Wakes the streams of this task. */
void task_changed(struct sched *s, const struct hash *id);

/* ---- chain.c, deadlines.c, outbox.c ---- */
SR_CHECK sr_status chain_load(struct sched *s, struct sr_err *err); /* at the start */
void chain_follow_fiber(void *sched);
void chain_pump_fiber(void *sched);
void chain_tick_fiber(void *sched);
SR_CHECK sr_status chain_on_step(void *sched, const struct eth_step *step, struct sr_err *err);
SR_CHECK sr_status chain_on_rollback(void *sched, uint64_t keep, struct sr_err *err);
/* Deadlines that have passed at the given time. */
SR_CHECK sr_status chain_deadlines(struct sched *s, uint64_t time, struct sr_err *err);
SR_CHECK sr_status chain_tick(struct sched *s, struct sr_err *err);
SR_CHECK sr_status chain_pump_once(struct sched *s, struct sr_err *err);

/* ---- dispatch.c ---- */
void dispatch_fiber(void *sched);
/* The message to the worker, for the assignment. */
SR_CHECK sr_status assign_message(const struct deal_row *d, const struct task_row *t,
                                  const struct wire_assignment *a, struct buf *b,
                                  struct sr_err *err);
/* An attempt that failed: another one, or the task's end. */
SR_CHECK sr_status dispatch_attempt_failed(struct sched *s, const struct hash *id,
                                           const char *cause, const char *message,
                                           const char *blame, const int64_t *exit_code,
                                           struct slice out, struct slice errout,
                                           struct sr_err *err);
SR_CHECK sr_status dispatch_attempt_lost(struct sched *s, const struct hash *id, const char *why,
                                         struct sr_err *err);

/* ---- workers.c ---- */
SR_CHECK sr_status workers_connect(struct http_req *rq, void *sched, struct sr_err *err);
/* One message of a worker that has logged in; a failure ends its connection. */
SR_CHECK sr_status workers_message(struct pool_worker *w, struct slice text, struct sr_err *err);
/* The login message: fills the worker. *ret_doc is owned (also after a failure). */
SR_CHECK sr_status workers_login(struct sched *s, struct slice text, const struct hash *nonce,
                                 struct pool_worker *w, struct json **ret_doc, struct sr_err *err);
struct pool_worker *workers_find(struct sched *s, const struct addr *a);
void worker_ref(struct pool_worker *w);
void worker_unref(struct pool_worker *w);
/* Sends in a fiber of its own; a failure ends the connection. */
void worker_post(struct pool_worker *w, struct slice text);
void worker_drop(struct sched *s, const struct addr *worker, const struct hash *task,
                 const char *why);

/* ---- orders.c ---- */
void orders_fiber(void *sched);
SR_CHECK sr_status orders_load(struct sched *s, struct sr_err *err); /* the hash, at the start */

/* ---- api.c, events.c ---- */
SR_CHECK sr_status api_task(struct http_req *rq, void *sched, struct sr_err *err);
SR_CHECK sr_status api_replicate(struct http_req *rq, void *sched, struct sr_err *err);
SR_CHECK sr_status api_challenge(struct http_req *rq, void *sched, struct sr_err *err);
SR_CHECK sr_status api_logs(struct http_req *rq, void *sched, struct sr_err *err);
SR_CHECK sr_status api_replicate_logs(struct http_req *rq, void *sched, struct sr_err *err);
SR_CHECK sr_status api_version(struct http_req *rq, void *sched, struct sr_err *err);
SR_CHECK sr_status api_metrics(struct http_req *rq, void *sched, struct sr_err *err);
void api_done(struct sched *s);
SR_CHECK sr_status events_task(struct http_req *rq, void *sched, struct sr_err *err);
SR_CHECK sr_status events_stream(struct http_req *rq, void *sched, struct sr_err *err);
SR_CHECK sr_status events_pool(struct http_req *rq, void *sched, struct sr_err *err);

/* ---- scheduler_main.c: also for tests ---- */
extern const struct http_docs sched_docs; /* docs.c */
extern const struct http_route sched_routes[];
extern const size_t sched_n_routes;
SR_CHECK sr_status sched_open_db(struct sched *s, struct sr_err *err);
/* Waits for chain and vault, starts the duties, waits a little for the first order. */
SR_CHECK sr_status sched_boot(struct sched *s, struct sr_err *err);
void sched_free(struct sched *s); /* after net_done; accepts NULL */
