/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c - rows of calls to make become transactions */
#include "scheduler/sched_int.h"
#include <stdio.h>
#include <stdlib.h>

#define CLAIM_BATCH         16 /* claims in one transaction */
#define OUTBOX_AGAIN_MS     30000
#define OUTBOX_RETRY_MAX_MS 60000

static sr_status outbox_later(struct sched *s, const char *kind, const struct hash *task,
                              uint64_t ms, struct sr_err *err) {
    return db_run(s->db,
                  "UPDATE outbox SET next_ms = $3, tries = tries + 1 WHERE kind = $1 AND task = $2",
                  DB_ARGS(db_str(kind), db_hash(task), db_u64(now_ms() + ms)), err);
}

/* Waits for the receipt, so that a stuck one is replaced; what it did comes as an event. */
struct settling {
    struct sched *s;
    struct hash tx;
};
static void settle_fiber(void *arg) {
    struct settling *w = arg;
    struct sr_err e = {0};
    sr_status st = eth_sender_wait(w->s->sender, &w->tx, OUTBOX_AGAIN_MS, NULL, &e);
    if (st != SR_OK && st != SR_E_CANCELLED) log_err(LOG_WARN, "transaction_failed", &e);
    free(w);
}

/* The intent's name: one that has reverted although it is wanted is tried under another. */
static sr_status name_intent(struct sched *s, const char *what, const struct hash *id,
                             char intent[SENDER_INTENT_MAX], struct sr_err *err) {
    for (unsigned i = 0; i < SCHED_INTENT_TRIES; i++) {
        eth_intent_state state;
        struct hash tx;
        (void)snprintf(intent, SENDER_INTENT_MAX, "%s:%s:%u", what, hash_text(id).s, i);
        sr_status st = eth_sender_intent(s->sender, intent, &state, &tx, NULL);
        if (st == SR_E_NOTFOUND || (st == SR_OK && state != ETH_INTENT_REVERTED)) return SR_OK;
    }
    return sr_fail(err, SR_E_REFUSED, "%s of %s reverted %d times", what, hash_text(id).s,
                   SCHED_INTENT_TRIES);
}

/* Sends; id (of the task, or of the batch) makes the intent. */
static sr_status send_call(struct sched *s, const char *what, const struct hash *id,
                           struct slice data, struct sr_err *err) {
    char intent[SENDER_INTENT_MAX];
    SR_TRY(name_intent(s, what, id, intent, err));
    struct eth_want want = {.intent = intent, .to = s->cfg.hub, .data = data};
    struct settling *w = sr_calloc_n(1, sizeof *w);
    if (!w) return sr_fail(err, SR_E_NOMEM, "no memory for a transaction");
    w->s = s;
    sr_status st = eth_sender_submit(s->sender, &want, &w->tx, err);
    if (st == SR_OK) {
        log_info("sent", "what=%s id=%s tx=%s", what, hash_text(id).s, hash_text(&w->tx).s);
        st = fiber_start(settle_fiber, w, err);
    }
    if (st != SR_OK) free(w);
    return st;
}

/* One kind of call over some tasks: several claims are one transaction. */
typedef enum { CALL_INITIALIZE, CALL_CLAIM, CALL_INIT_CLAIM } call_kind;
struct call_task {
    struct hash id, deal;
    uint64_t index, tries;
};

static sr_status encode_call(call_kind kind, const struct call_task *v, size_t n, struct buf *b,
                             struct sr_err *err) {
    struct hash ids[CLAIM_BATCH], deals[CLAIM_BATCH];
    struct u256 indexes[CLAIM_BATCH];
    for (size_t i = 0; i < n; i++) {
        ids[i] = v[i].id;
        deals[i] = v[i].deal;
        indexes[i] = u256_of(v[i].index);
    }
    if (kind == CALL_INITIALIZE) return poco_enc_initialize(b, &deals[0], indexes[0], err);
    if (kind == CALL_INIT_CLAIM) return poco_enc_init_and_claim_array(b, deals, indexes, n, err);
    return n == 1 ? poco_enc_task(b, "claim", &ids[0], err) : poco_enc_claim_array(b, ids, n, err);
}

static sr_status send_tasks(struct sched *s, call_kind kind, const struct call_task *v, size_t n,
                            struct sr_err *err) {
    static const char *const names[] = {"initialize", "claim", "initialize-and-claim"};
    cleanup_buf struct buf data, ids;
    buf_init(&data, 1u << 16);
    buf_init(&ids, CLAIM_BATCH * 32);
    for (size_t i = 0; i < n; i++) buf_put(&ids, v[i].id.b, 32);
    SR_TRY(buf_status(&ids, err));
    SR_TRY(encode_call(kind, v, n, &data, err));
    struct hash batch = n == 1 ? v[0].id : keccak256(buf_slice(&ids));
    return send_call(s, names[kind], &batch, buf_slice(&data), err);
}

/* Together; when the node says that this would revert, each alone, so that one bad task does not
 * hold the others. What fails is tried again later. */
static sr_status send_batch(struct sched *s, call_kind kind, const struct call_task *v, size_t n,
                            struct sr_err *err) {
    const char *row = kind == CALL_INITIALIZE ? "initialize" : "claim";
    struct sr_err why = {0};
    sr_status st = send_tasks(s, kind, v, n, &why);
    if (st == SR_E_CANCELLED) return sr_fail(err, st, "stopping");
    if (st == SR_E_REFUSED && n > 1) {
        for (size_t i = 0; i < n; i++) SR_TRY(send_batch(s, kind, &v[i], 1, err));
        return SR_OK;
    }
    if (st != SR_OK) log_err(LOG_WARN, "outbox_later", &why);
    for (size_t i = 0; i < n; i++) {
        uint64_t wait = 1000u << (v[i].tries < 6 ? v[i].tries : 6);
        if (wait > OUTBOX_RETRY_MAX_MS) wait = OUTBOX_RETRY_MAX_MS;
        SR_TRY(outbox_later(s, row, &v[i].id, st == SR_OK ? OUTBOX_AGAIN_MS : wait, err));
    }
    return SR_OK;
}

/* Due rows of the outbox, of one kind. */
static sr_status due_rows(struct sched *s, const char *kind, struct call_task v[SCHED_BATCH],
                          size_t *ret_n, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    size_t n = 0;
    SR_TRY(db_select(s->db,
                     "SELECT o.task, t.deal, t.idx, o.tries FROM outbox o JOIN task t ON t.id ="
                     " o.task WHERE o.kind = $1 AND o.next_ms <= $2 AND t.vanished = 0"
                     " ORDER BY o.at_ms LIMIT 64",
                     DB_ARGS(db_str(kind), db_u64(now_ms())), &r, err));
    while (n < SCHED_BATCH && db_next(r))
        v[n++] = (struct call_task){db_col_hash(r, 0), db_col_hash(r, 1), db_col_u64(r, 2),
                                    db_col_u64(r, 3)};
    SR_TRY(db_end(sr_take_ptr(r), err));
    *ret_n = n;
    return SR_OK;
}

/* Rows of one kind: reads the chain again, sends what is still wanted. */
static sr_status pump_kind(struct sched *s, const char *kind, struct sr_err *err) {
    struct call_task due[SCHED_BATCH], unset[CLAIM_BATCH], active[CLAIM_BATCH];
    size_t n = 0, n_unset = 0, n_active = 0;
    bool claim = strcmp(kind, "claim") == 0;
    SR_TRY(due_rows(s, kind, due, &n, err));
    for (size_t i = 0; i < n; i++) {
        cleanup_task struct poco_task on = {0};
        SR_TRY(poco_view_task(&s->poco, &due[i].id, (struct eth_at){0}, &on, err));
        if (on.status == POCO_TASK_UNSET)
            unset[n_unset++] = due[i];
        else if (claim && (on.status == POCO_TASK_ACTIVE || on.status == POCO_TASK_REVEALING))
            active[n_active++] = due[i];
        else /* done already: its event is coming */
            SR_TRY(outbox_later(s, kind, &due[i].id, OUTBOX_AGAIN_MS, err));
        size_t most = claim ? CLAIM_BATCH : 1;
        if (n_unset && (n_unset == most || i + 1 == n)) {
            SR_TRY(send_batch(s, claim ? CALL_INIT_CLAIM : CALL_INITIALIZE, unset, n_unset, err));
            n_unset = 0;
        }
        if (n_active && (n_active == most || i + 1 == n)) {
            SR_TRY(send_batch(s, CALL_CLAIM, active, n_active, err));
            n_active = 0;
        }
    }
    if (n == SCHED_BATCH) s->want_pump = true; /* there may be more */
    return SR_OK;
}

sr_status chain_pump_once(struct sched *s, struct sr_err *err) {
    SR_TRY(pump_kind(s, "initialize", err));
    return pump_kind(s, "claim", err);
}

void chain_pump_fiber(void *sched) {
    struct sched *s = sched;
    for (;;) {
        while (!s->want_pump)
            if (fcond_wait(&s->pump, 0, NULL) != SR_OK) return;
        s->want_pump = false;
        struct sr_err e = {0};
        sr_status st = chain_pump_once(s, &e);
        if (st == SR_E_CANCELLED) return;
        if (st == SR_OK) continue;
        log_err(LOG_WARN, "outbox_later", &e);
        if (fiber_sleep(1000, NULL) != SR_OK) return; /* the tick asks again */
    }
}
