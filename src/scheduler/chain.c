/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain.c - the chain's events become rows
 *
 * A step of the follower reads whatever it needs from the node first, then changes rows in one
 * transaction together with the mark of the block. A failure stops the follower; it is made anew
 * from the stored marks, so the step is done again.
 */
#include "ipfs/ipfs.h"
#include "scheduler/sched_int.h"
#include <stdio.h>
#include <stdlib.h>

#define CONTRIBUTION_PERIODS 7 /* of the category's time, after the deal's start */
#define FINAL_PERIODS        10
#define SKEW_MOVED_S         5       /* smaller changes are not stored */
#define FRESH_LOOK_BACK      200000u /* blocks read by a scheduler without a database */

/* An idle chain's clock stands still while its deadlines pass, and its clock need not be ours. A
 * block that we see being born tells how far apart the two are. */
uint64_t sched_time(const struct sched *s) {
    if (!s->have_skew) return s->chain_time;
    int64_t at = (int64_t)(now_ms() / 1000) + s->skew_s;
    return at > (int64_t)s->chain_time ? (uint64_t)at : s->chain_time;
}

static sr_status skew_seen(struct sched *s, uint64_t block_time, struct sr_err *err) {
    int64_t skew = (int64_t)block_time - (int64_t)(now_ms() / 1000);
    int64_t moved = skew - s->skew_s;
    bool keep = !s->have_skew || moved > SKEW_MOVED_S || moved < -SKEW_MOVED_S;
    s->have_skew = true;
    s->skew_s = skew;
    if (!keep) return SR_OK;
    return db_run(s->db,
                  "INSERT INTO meta (name, value) VALUES ('skew_s', $1)"
                  " ON CONFLICT (name) DO UPDATE SET value = $1",
                  DB_ARGS(db_i64(skew)), err);
}

sr_status chain_load(struct sched *s, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    SR_TRY(db_select(s->db, "SELECT value FROM meta WHERE name = 'skew_s'", DB_NO_ARGS, &r, err));
    s->have_skew = db_next(r);
    if (s->have_skew) s->skew_s = db_col_i64(r, 0);
    return db_end(sr_take_ptr(r), err);
}

void sched_kick_dispatch(struct sched *s) {
    s->want_dispatch = true;
    fcond_wake(&s->dispatch);
}
void sched_kick_pump(struct sched *s) {
    s->want_pump = true;
    fcond_wake(&s->pump);
}
void sched_kick_orders(struct sched *s) {
    s->want_orders = true;
    fcond_wake(&s->orders);
}

/* ---- a new deal ---- */

static char *multiaddr_dup(struct slice bytes) {
    cleanup_buf struct buf b;
    buf_init(&b, MULTIADDR_MAX * 2);
    if (multiaddr_text(bytes, &b, NULL) != SR_OK || b.bad != SR_OK) return NULL;
    return slice_dup(buf_slice(&b));
}

/* What a former deal said of the same app or data set; their entries never change. */
static sr_status known_entry(struct sched *s, const char *sql, const struct addr *a,
                             char **ret_multiaddr, struct hash *ret_checksum, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    SR_TRY(db_select(s->db, sql, DB_ARGS(db_addr(a)), &r, err));
    if (db_next(r)) {
        *ret_multiaddr = slice_dup(db_col_bytes(r, 0));
        *ret_checksum = db_col_hash(r, 1);
    }
    return db_end(sr_take_ptr(r), err);
}

static sr_status read_app(struct sched *s, struct deal_row *d, struct sr_err *err) {
    SR_TRY(known_entry(s, "SELECT app_multiaddr, app_checksum FROM deal WHERE app = $1 LIMIT 1",
                       &d->app, &d->app_multiaddr, &d->app_checksum, err));
    if (d->app_multiaddr) return SR_OK;
    struct poco_app a = {0};
    SR_TRY(poco_view_app(&s->poco, &d->app, (struct eth_at){0}, &a, err));
    d->app_checksum = a.checksum;
    d->app_multiaddr = multiaddr_dup(a.multiaddr);
    poco_app_done(&a);
    return d->app_multiaddr ? SR_OK
                            : sr_fail(err, SR_E_MALFORMED, "the app's address of its image");
}

static sr_status read_dataset(struct sched *s, struct deal_row *d, struct sr_err *err) {
    SR_TRY(known_entry(s,
                       "SELECT dataset_multiaddr, dataset_checksum FROM deal WHERE dataset = $1"
                       " LIMIT 1",
                       &d->dataset, &d->dataset_multiaddr, &d->dataset_checksum, err));
    if (d->dataset_multiaddr) return SR_OK;
    struct poco_dataset a = {0};
    SR_TRY(poco_view_dataset(&s->poco, &d->dataset, (struct eth_at){0}, &a, err));
    d->dataset_checksum = a.checksum;
    d->dataset_multiaddr = multiaddr_dup(a.multiaddr);
    poco_dataset_done(&a);
    return d->dataset_multiaddr
               ? SR_OK
               : sr_fail(err, SR_E_MALFORMED, "the data set's address of its file");
}

/* A category's time; categories are only ever added. */
static sr_status read_category(struct sched *s, uint64_t id, uint64_t *ret_seconds,
                               struct sr_err *err) {
    struct poco_category c = {0};
    if (id < SCHED_CATEGORIES && s->category_seconds[id]) {
        *ret_seconds = s->category_seconds[id];
        return SR_OK;
    }
    SR_TRY(poco_view_category(&s->poco, id, (struct eth_at){0}, &c, err));
    *ret_seconds = c.time_ref;
    if (id < SCHED_CATEGORIES) s->category_seconds[id] = c.time_ref;
    poco_category_done(&c);
    return SR_OK;
}

static sr_status read_deal(struct sched *s, const struct hash *id, struct deal_row *ret,
                           struct sr_err *err) {
    cleanup_deal struct poco_deal d = {0};
    SR_TRY(poco_view_deal(&s->poco, id, (struct eth_at){0}, &d, err));
    cleanup_deal_row struct deal_row row = {.id = *id};
    uint64_t category;
    if (!u256_to_u64(d.category, &category) || !u256_to_u64(d.trust, &row.trust) ||
        !u256_to_u64(d.bot_first, &row.bot_first) || !u256_to_u64(d.bot_size, &row.bot_size) ||
        row.bot_first > INT64_MAX - SCHED_DEAL_TASKS_MAX)
        return sr_fail(err, SR_E_RANGE, "a deal's number is beyond 64 bits");
    SR_TRY(read_category(s, category, &row.seconds, err));
    row.requester = d.requester;
    row.app = d.app.pointer;
    row.dataset = d.dataset.pointer;
    row.has_dataset = !addr_is_zero(&row.dataset);
    row.callback = d.callback;
    row.has_callback = !addr_is_zero(&d.callback);
    row.tag = d.tag;
    row.start_time = d.start_time;
    row.contribution_deadline = d.start_time + CONTRIBUTION_PERIODS * row.seconds;
    row.final_deadline = d.start_time + FINAL_PERIODS * row.seconds;
    row.params = slice_dup(d.params);
    if (!row.params) return sr_fail(err, SR_E_NOMEM, "no memory for a deal");
    SR_TRY(read_app(s, &row, err));
    if (row.has_dataset) SR_TRY(read_dataset(s, &row, err));
    *ret = row;
    row = (struct deal_row){0};
    return SR_OK;
}

/* Why this pool cannot run the deal's tasks at all; NULL when it can. */
static const char *unfit(const struct deal_row *d, const char **ret_message) {
    cleanup_params struct poco_params p = {0};
    if (!tag_is_tee(&d->tag) || !tag_has(&d->tag, 3)) {
        *ret_message = "the deal's tag does not ask for tee and tdx; this pool runs nothing else";
        return "DEAL_NOT_TEE";
    }
    if (d->trust > 1) {
        *ret_message = "the deal asks for replication (trust above 1), which this pool does not do";
        return "TRUST_UNSUPPORTED";
    }
    if (poco_params_read(slice_str(d->params), &p, NULL) != SR_OK) {
        *ret_message = "the deal's params cannot be read";
        return "PARAMS_UNREADABLE";
    }
    if (!d->has_callback && p.storage.n && !slice_is(p.storage, "ipfs")) {
        *ret_message = "results can only be stored on ipfs";
        return "STORAGE_PROVIDER_UNSUPPORTED";
    }
    return NULL;
}

/* ---- events into rows ---- */

/* What a step does after its commit. */
struct after {
    bool deals, orders;
    struct buf touched; /* task ids */
    struct buf drops;   /* worker ‖ task */
};

static void touch(struct after *a, const struct hash *task) {
    buf_put(&a->touched, task->b, 32);
}

static sr_status ev_initialize(struct sched *s, const struct hash *task, const struct eth_log *l,
                               struct after *a, struct sr_err *err) {
    SR_TRY(db_run(s->db,
                  "UPDATE task SET on_chain = 1, init_block = $2, settle_ms = 0, stage = CASE WHEN"
                  " stage = 'matched' THEN 'initialised' ELSE stage END, rev = rev + 1,"
                  " updated_ms = $3 WHERE id = $1 AND on_chain = 0",
                  DB_ARGS(db_hash(task), db_u64(l->block), db_u64(now_ms())), err));
    if (db_changed(s->db) == 0) return SR_OK;
    SR_TRY(db_run(s->db, "DELETE FROM outbox WHERE task = $1 AND kind = 'initialize'",
                  DB_ARGS(db_hash(task)), err));
    SR_TRY(history_add(s, task, "INITIALIZED", l->block, &l->tx, err));
    touch(a, task);
    return SR_OK;
}

static sr_status ev_finalize(struct sched *s, const struct hash *task, const struct eth_log *l,
                             struct after *a, struct sr_err *err) {
    /* The chain decides, whatever we thought of the task. A worker that still holds it has a moment
     * to say so itself. */
    SR_TRY(db_run(s->db,
                  "UPDATE task SET on_chain = 3, end_block = $2, status = $3, stage = 'completed',"
                  " cause = NULL, message = NULL, settle_ms = 0, orphan_ms = CASE WHEN active = 1"
                  " THEN $4 ELSE 0 END, rev = rev + 1, updated_ms = $5"
                  " WHERE id = $1 AND on_chain <> 3",
                  DB_ARGS(db_hash(task), db_u64(l->block), db_i64(TS_COMPLETED),
                          db_u64(now_ms() + s->times.orphan), db_u64(now_ms())),
                  err));
    if (db_changed(s->db) == 0) return SR_OK;
    SR_TRY(outbox_drop(s, task, err));
    SR_TRY(history_add(s, task, "FINALIZED", l->block, &l->tx, err));
    SR_TRY(history_add(s, task, "COMPLETED", 0, NULL, err));
    touch(a, task);
    return SR_OK;
}

static void drop_if_held(struct sched *s, const struct hash *task, struct after *a) {
    struct task_row t;
    if (task_load(s, task, &t, NULL) != SR_OK || !t.active || !t.has_worker) return;
    buf_put(&a->drops, t.worker.b, 20);
    buf_put(&a->drops, task->b, 32);
}

static sr_status ev_claimed(struct sched *s, const struct hash *task, const struct eth_log *l,
                            struct after *a, struct sr_err *err) {
    uint64_t known = 0;
    SR_TRY(db_get_u64(s->db, "SELECT count(*) FROM task WHERE id = $1 AND on_chain < 3",
                      DB_ARGS(db_hash(task)), &known, err));
    if (!known) return SR_OK;
    drop_if_held(s, task, a);
    SR_TRY(task_failed(s, task, "FINAL_DEADLINE_REACHED",
                       "the task was claimed: its time was over without a result", NULL,
                       "FINAL_DEADLINE_REACHED", err));
    SR_TRY(db_run(s->db, "UPDATE task SET on_chain = 4, end_block = $2 WHERE id = $1",
                  DB_ARGS(db_hash(task), db_u64(l->block)), err));
    SR_TRY(outbox_drop(s, task, err));
    touch(a, task);
    return SR_OK;
}

static sr_status put_event(struct sched *s, const struct eth_log *l, const struct poco_log *ev,
                           struct deal_row *deals, size_t n_deals, struct after *a,
                           struct sr_err *err) {
    switch (ev->event) {
    case POCO_EV_SCHEDULER_NOTICE:
        for (size_t i = 0; i < n_deals; i++) {
            if (!hash_eq(&deals[i].id, &ev->arg[1].hash)) continue;
            const char *message = NULL, *cause = unfit(&deals[i], &message);
            deals[i].block = l->block;
            deals[i].match_tx = l->tx;
            SR_TRY(deal_add(s, &deals[i], cause, message, err));
            a->deals = true;
            s->deals_seen++;
            uint64_t n =
                deals[i].bot_size < SCHED_DEAL_TASKS_MAX ? deals[i].bot_size : SCHED_DEAL_TASKS_MAX;
            for (uint64_t k = 0; k < n; k++) {
                struct hash task = poco_task_id(&deals[i].id, u256_of(deals[i].bot_first + k));
                touch(a, &task);
            }
            log_info("deal", "id=%s tasks=%llu block=%llu%s%s", hash_text(&deals[i].id).s,
                     (unsigned long long)deals[i].bot_size, (unsigned long long)l->block,
                     cause ? " refused=" : "", cause ? cause : "");
        }
        return SR_OK;
    case POCO_EV_ORDERS_MATCHED:
        if (hash_eq(&ev->arg[3].hash, &s->order_hash)) a->orders = true;
        return SR_OK;
    case POCO_EV_TASK_INITIALIZE: return ev_initialize(s, &ev->arg[0].hash, l, a, err);
    case POCO_EV_TASK_FINALIZE: return ev_finalize(s, &ev->arg[0].hash, l, a, err);
    case POCO_EV_TASK_CLAIMED: return ev_claimed(s, &ev->arg[0].hash, l, a, err);
    case POCO_EV_CLOSED_WORKERPOOL:
        if (hash_eq(&ev->arg[0].hash, &s->order_hash)) a->orders = true;
        return SR_OK;
    default: return SR_OK;
    }
}

static void act_after(struct sched *s, struct after *a) {
    for (size_t i = 0; i + 32 <= a->touched.n; i += 32) {
        struct hash h;
        memcpy(h.b, a->touched.p + i, 32);
        task_changed(s, &h);
    }
    for (size_t i = 0; i + 52 <= a->drops.n; i += 52) {
        struct addr w;
        struct hash h;
        memcpy(w.b, a->drops.p + i, 20);
        memcpy(h.b, a->drops.p + i + 20, 32);
        worker_drop(s, &w, &h, "the chain says that this task is over");
    }
    if (a->orders) sched_kick_orders(s);
    buf_done(&a->touched);
    buf_done(&a->drops);
}

static bool read_log(struct sched *s, const struct eth_log *l, struct poco_log *ret) {
    return addr_eq(&l->address, &s->cfg.hub) &&
           poco_log_read(l->topics, l->n_topics, l->data, ret, NULL) == SR_OK;
}

/* Reads the step's deals from the node, before anything is changed. */
static sr_status read_deals(struct sched *s, const struct eth_step *step, struct deal_row **ret,
                            size_t *ret_n, struct sr_err *err) {
    size_t n = 0, count = 0;
    struct poco_log ev;
    for (size_t i = 0; i < step->n; i++)
        if (read_log(s, &step->logs[i], &ev) && ev.event == POCO_EV_SCHEDULER_NOTICE &&
            addr_eq(&ev.arg[0].addr, &s->cfg.workerpool))
            count++;
    if (count == 0) return SR_OK;
    struct deal_row *v = sr_calloc_n(count, sizeof *v);
    if (!v) return sr_fail(err, SR_E_NOMEM, "no memory for deals");
    sr_status st = SR_OK;
    for (size_t i = 0; i < step->n && st == SR_OK; i++) {
        if (!read_log(s, &step->logs[i], &ev) || ev.event != POCO_EV_SCHEDULER_NOTICE ||
            !addr_eq(&ev.arg[0].addr, &s->cfg.workerpool))
            continue;
        struct sr_err why = {0};
        st = read_deal(s, &ev.arg[1].hash, &v[n], &why);
        if (st == SR_OK) {
            n++;
        } else if (st == SR_E_NOTFOUND || st == SR_E_RANGE || st == SR_E_MALFORMED) {
            /* Taken back meanwhile (the rollback is to come), or beyond what we can run. */
            log_err(LOG_WARN, "deal_skipped", &why);
            st = SR_OK;
        } else {
            (void)sr_fail(err, st, "%s", why.what);
        }
    }
    if (st != SR_OK) {
        for (size_t i = 0; i < n; i++) deal_row_done(&v[i]);
        free(v);
        return st;
    }
    *ret = v;
    *ret_n = n;
    return SR_OK;
}

static sr_status put_step(struct sched *s, const struct eth_step *step, struct deal_row *deals,
                          size_t n_deals, struct after *a, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(s->db, &tx, err));
    for (size_t i = 0; i < step->n; i++) {
        struct poco_log ev;
        if (!read_log(s, &step->logs[i], &ev)) continue;
        if (ev.event == POCO_EV_SCHEDULER_NOTICE && !addr_eq(&ev.arg[0].addr, &s->cfg.workerpool))
            continue;
        SR_TRY(put_event(s, &step->logs[i], &ev, deals, n_deals, a, err));
    }
    SR_TRY(db_run(s->db,
                  "INSERT INTO mark (number, hash) VALUES ($1, $2)"
                  " ON CONFLICT (number) DO UPDATE SET hash = $2",
                  DB_ARGS(db_u64(step->head.number), db_hash(&step->head.hash)), err));
    if (step->head.number > FOLLOW_KEEP)
        SR_TRY(db_run(s->db, "DELETE FROM mark WHERE number <= $1",
                      DB_ARGS(db_u64(step->head.number - FOLLOW_KEEP)), err));
    return db_commit(&tx, err);
}

sr_status chain_on_step(void *sched, const struct eth_step *step, struct sr_err *err) {
    struct sched *s = sched;
    struct deal_row *deals = NULL;
    size_t n_deals = 0;
    SR_TRY(read_deals(s, step, &deals, &n_deals, err));
    struct after a = {0};
    buf_init(&a.touched, 32u << 20);
    buf_init(&a.drops, 1u << 20);
    sr_status st = put_step(s, step, deals, n_deals, &a, err);
    for (size_t i = 0; i < n_deals; i++) deal_row_done(&deals[i]);
    free(deals);
    if (st != SR_OK) {
        buf_done(&a.touched);
        buf_done(&a.drops);
        return st;
    }
    bool was = s->caught_up;
    s->chain_time = step->head.time;
    s->chain_block = step->head.number;
    if (was && step->head.number == step->chain_head) SR_TRY(skew_seen(s, step->head.time, err));
    s->caught_up = step->head.number >= step->chain_head;
    bool kick = a.deals || (s->caught_up && !was);
    act_after(s, &a);
    if (s->caught_up) SR_TRY(chain_deadlines(s, sched_time(s), err));
    if (kick) sched_kick_dispatch(s);
    return SR_OK;
}

/* ---- what the chain took back ---- */

static sr_status vanish(struct sched *s, uint64_t keep, struct after *a, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    cleanup_buf struct buf ids;
    buf_init(&ids, 32u << 20);
    SR_TRY(db_select(s->db,
                     "SELECT t.id FROM task t JOIN deal d ON d.id = t.deal WHERE d.block > $1 AND"
                     " t.vanished = 0",
                     DB_ARGS(db_u64(keep)), &r, err));
    while (db_next(r)) buf_add(&ids, db_col_bytes(r, 0));
    SR_TRY(db_end(sr_take_ptr(r), err));
    for (size_t i = 0; i + 32 <= ids.n; i += 32) {
        struct hash id;
        memcpy(id.b, ids.p + i, 32);
        drop_if_held(s, &id, a);
        /* A completed one too: its completion is gone with the deal. */
        SR_TRY(db_run(s->db,
                      "UPDATE task SET status = $2, on_chain = 0, init_block = NULL,"
                      " end_block = NULL, vanished = 1, rev = rev + 1 WHERE id = $1",
                      DB_ARGS(db_hash(&id), db_i64(TS_WAITING)), err));
        SR_TRY(task_failed(s, &id, "DEAL_VANISHED",
                           "the chain took the deal back; it must be made again", NULL, "FAILED",
                           err));
        SR_TRY(outbox_drop(s, &id, err));
        touch(a, &id);
    }
    if (ids.n)
        log_warn("deals_vanished", "tasks=%zu keep=%llu", ids.n / 32, (unsigned long long)keep);
    return buf_status(&ids, err);
}

static sr_status undo_ends(struct sched *s, uint64_t keep, struct after *a, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    SR_TRY(db_select(s->db,
                     "SELECT id FROM task WHERE vanished = 0 AND (end_block > $1 OR"
                     " init_block > $1)",
                     DB_ARGS(db_u64(keep)), &r, err));
    while (db_next(r)) buf_add(&a->touched, db_col_bytes(r, 0));
    SR_TRY(db_end(sr_take_ptr(r), err));
    /* A finalisation is sent again by its worker; if it does not come back, the task runs again. */
    SR_TRY(db_run(s->db,
                  "UPDATE task SET status = $2, stage = 'settling', orphan_ms = $3, settle_ms = $4"
                  " WHERE end_block > $1 AND status = $5 AND vanished = 0",
                  DB_ARGS(db_u64(keep), db_i64(TS_RUNNING), db_u64(now_ms() + s->times.resettle),
                          db_u64(now_ms() + s->times.settle), db_i64(TS_COMPLETED)),
                  err));
    SR_TRY(db_run(s->db,
                  "UPDATE task SET on_chain = 1, end_block = NULL, rev = rev + 1"
                  " WHERE end_block > $1",
                  DB_ARGS(db_u64(keep)), err));
    return db_run(s->db,
                  "UPDATE task SET on_chain = 0, init_block = NULL, rev = rev + 1"
                  " WHERE init_block > $1 OR (on_chain = 1 AND init_block IS NULL)",
                  DB_ARGS(db_u64(keep)), err);
}

static sr_status undo(struct sched *s, uint64_t keep, struct after *a, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(s->db, &tx, err));
    SR_TRY(vanish(s, keep, a, err));
    SR_TRY(undo_ends(s, keep, a, err));
    SR_TRY(db_run(s->db, "DELETE FROM mark WHERE number > $1", DB_ARGS(db_u64(keep)), err));
    return db_commit(&tx, err);
}

sr_status chain_on_rollback(void *sched, uint64_t keep, struct sr_err *err) {
    struct sched *s = sched;
    struct after a = {.orders = true};
    buf_init(&a.touched, 32u << 20);
    buf_init(&a.drops, 1u << 20);
    if (keep > INT64_MAX) keep = 0; /* "before block 0" */
    sr_status st = undo(s, keep, &a, err);
    if (st != SR_OK) {
        buf_done(&a.touched);
        buf_done(&a.drops);
        return st;
    }
    s->caught_up = false;
    act_after(s, &a);
    return s->sender ? eth_sender_rollback(s->sender, keep, err) : SR_OK;
}

/* ---- following ---- */

static sr_status load_marks(struct sched *s, struct eth_mark *v, size_t *ret_n,
                            struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    size_t n = 0;
    SR_TRY(db_select(s->db, "SELECT number, hash FROM mark ORDER BY number", DB_NO_ARGS, &r, err));
    while (n < FOLLOW_KEEP && db_next(r)) {
        v[n].number = db_col_u64(r, 0);
        v[n++].hash = db_col_hash(r, 1);
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    *ret_n = n;
    return SR_OK;
}

static sr_status follow_once(struct sched *s, struct sr_err *err) {
    struct eth_mark marks[FOLLOW_KEEP];
    size_t n = 0;
    uint64_t head = 0;
    SR_TRY(load_marks(s, marks, &n, err));
    SR_TRY(eth_block_number(s->rpc, &head, err));
    struct hash topics[] = {
        poco_topic(POCO_EV_SCHEDULER_NOTICE), poco_topic(POCO_EV_ORDERS_MATCHED),
        poco_topic(POCO_EV_TASK_INITIALIZE),  poco_topic(POCO_EV_TASK_FINALIZE),
        poco_topic(POCO_EV_TASK_CLAIMED),     poco_topic(POCO_EV_CLOSED_WORKERPOOL)};
    struct eth_follow_opts o = {.rpc = s->rpc,
                                .ws_url = s->cfg.ws,
                                .start_block =
                                    n == 0 && head > FRESH_LOOK_BACK ? head - FRESH_LOOK_BACK : 0,
                                .marks = marks,
                                .n_marks = n,
                                .filter = {.addrs = &s->cfg.hub,
                                           .n_addrs = 1,
                                           .topics0 = topics,
                                           .n_topics0 = SR_ARRAY_LEN(topics)},
                                .poll_ms = s->times.poll,
                                .arg = s,
                                .on_step = chain_on_step,
                                .on_rollback = chain_on_rollback};
    SR_TRY(eth_follower_new(&o, &s->follower, err));
    sr_status st = eth_follow(s->follower, err);
    eth_follower_free(s->follower);
    s->follower = NULL;
    s->caught_up = false;
    return st;
}

void chain_follow_fiber(void *sched) {
    struct sched *s = sched;
    for (;;) {
        struct sr_err e = {0};
        sr_status st = follow_once(s, &e);
        if (st == SR_OK || st == SR_E_CANCELLED) return;
        log_err(LOG_WARN, "chain_again", &e);
        if (fiber_sleep(1000, NULL) != SR_OK) return;
    }
}
