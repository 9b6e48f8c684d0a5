/* SPDX-License-Identifier: Apache-2.0 */
/* deadlines.c - what time does to tasks: too late, left behind, settled slowly, old enough to go */
#include "scheduler/sched_int.h"
#include <stdio.h>

#define PURGE_EVERY_S 3600
#define LOGS_KEPT_S   (3u * 86400u)
#define ROWS_KEPT_S   (30u * 86400u)

/* Ids of a select's first column, at most SCHED_BATCH. */
static sr_status ids_of(struct sched *s, const char *sql, const struct db_val *args, size_t n,
                        struct hash ret_ids[SCHED_BATCH], size_t *ret_n, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    size_t k = 0;
    SR_TRY(db_select(s->db, sql, args, n, &r, err));
    while (k < SCHED_BATCH && db_next(r)) ret_ids[k++] = db_col_hash(r, 0);
    SR_TRY(db_end(sr_take_ptr(r), err));
    *ret_n = k;
    return SR_OK;
}

static sr_status time_out(struct sched *s, const struct hash *id, struct sr_err *err) {
    struct task_row t;
    SR_TRY(task_load(s, id, &t, err));
    char message[SCHED_MESSAGE_MAX];
    if (t.status == TS_WAITING)
        (void)snprintf(message, sizeof message,
                       "no worker finished the task before its contribution deadline%s%.600s",
                       t.message[0] ? "; last: " : "", t.message);
    else
        (void)snprintf(message, sizeof message,
                       "the worker had not finished (stage %s) at the contribution deadline",
                       t.stage);
    SR_TRY(task_failed(s, id, "CONTRIBUTION_TIMEOUT", message, NULL, "CONTRIBUTION_TIMEOUT", err));
    if (t.active && t.has_worker) worker_drop(s, &t.worker, id, "the contribution deadline passed");
    task_changed(s, id);
    log_warn("task_timeout", "task=%s", hash_text(id).s);
    return SR_OK;
}

sr_status chain_deadlines(struct sched *s, uint64_t time, struct sr_err *err) {
    struct hash ids[SCHED_BATCH];
    size_t n;
    do {
        SR_TRY(ids_of(s,
                      "SELECT id FROM task WHERE status IN (0, 1, 2) AND"
                      " contribution_deadline <= $1 LIMIT 64",
                      DB_ARGS(db_u64(time)), ids, &n, err));
        for (size_t i = 0; i < n; i++) SR_TRY(time_out(s, &ids[i], err));
    } while (n == SCHED_BATCH);
    SR_TRY(ids_of(s,
                  "SELECT id FROM task t WHERE on_chain IN (0, 1) AND final_deadline <= $1 AND"
                  " vanished = 0 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.kind = 'claim' AND"
                  " o.task = t.id) LIMIT 64",
                  DB_ARGS(db_u64(time)), ids, &n, err));
    for (size_t i = 0; i < n; i++) SR_TRY(outbox_put(s, "claim", &ids[i], err));
    if (n) sched_kick_pump(s);
    return SR_OK;
}

static sr_status orphans(struct sched *s, struct sr_err *err) {
    struct hash ids[SCHED_BATCH];
    size_t n;
    SR_TRY(ids_of(s, "SELECT id FROM task WHERE orphan_ms > 0 AND orphan_ms <= $1 LIMIT 64",
                  DB_ARGS(db_u64(now_ms())), ids, &n, err));
    for (size_t i = 0; i < n; i++) {
        struct task_row t;
        SR_TRY(task_load(s, &ids[i], &t, err));
        if (!task_is_final(t.status) && !s->caught_up)
            continue; /* what happened to it may stand on the chain */
        if (task_is_final(t.status))
            SR_TRY(db_run(s->db, "UPDATE task SET orphan_ms = 0, active = 0 WHERE id = $1",
                          DB_ARGS(db_hash(&ids[i])), err));
        else
            SR_TRY(dispatch_attempt_lost(s, &ids[i], "its worker did not come back", err));
    }
    return SR_OK;
}

/* The worker initialises the task it settles; should that not show, we do it. */
static sr_status slow_settlers(struct sched *s, struct sr_err *err) {
    struct hash ids[SCHED_BATCH];
    size_t n;
    SR_TRY(ids_of(s,
                  "SELECT id FROM task WHERE status = 2 AND on_chain = 0 AND settle_ms > 0 AND"
                  " settle_ms <= $1 LIMIT 64",
                  DB_ARGS(db_u64(now_ms())), ids, &n, err));
    for (size_t i = 0; i < n; i++) {
        cleanup_db_tx struct db_tx tx = {0};
        SR_TRY(db_begin(s->db, &tx, err));
        SR_TRY(outbox_put(s, "initialize", &ids[i], err));
        SR_TRY(db_run(s->db, "UPDATE task SET settle_ms = 0 WHERE id = $1",
                      DB_ARGS(db_hash(&ids[i])), err));
        SR_TRY(db_commit(&tx, err));
    }
    if (n) sched_kick_pump(s);
    return SR_OK;
}

/* Where no block comes (an idle chain, after our start or after blocks were taken back), no step
 * says that we are at the head: ask. */
static sr_status look_at_head(struct sched *s, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    struct eth_mark last = {0};
    struct eth_block head;
    SR_TRY(db_select(s->db, "SELECT number, hash FROM mark ORDER BY number DESC LIMIT 1",
                     DB_NO_ARGS, &r, err));
    bool any = db_next(r);
    if (any) last = (struct eth_mark){db_col_u64(r, 0), db_col_hash(r, 1)};
    SR_TRY(db_end(sr_take_ptr(r), err));
    if (!any || eth_get_block(s->rpc, (struct eth_at){0}, &head, NULL) != SR_OK) return SR_OK;
    if (head.number != last.number || !hash_eq(&head.hash, &last.hash)) return SR_OK;
    s->chain_time = head.time;
    s->chain_block = head.number;
    s->caught_up = true;
    sched_kick_dispatch(s);
    return SR_OK;
}

/* Outputs are kept for days, rows for weeks, after a task's last deadline. */
static sr_status purge(struct sched *s, struct sr_err *err) {
    uint64_t now = sched_time(s);
    if (now < s->purged_at + PURGE_EVERY_S || now < ROWS_KEPT_S) return SR_OK;
    s->purged_at = now;
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(s->db, &tx, err));
    SR_TRY(db_run(s->db,
                  "UPDATE attempt SET stdout = NULL, stderr = NULL WHERE (stdout IS NOT NULL OR"
                  " stderr IS NOT NULL) AND task IN (SELECT id FROM task WHERE"
                  " final_deadline < $1)",
                  DB_ARGS(db_u64(now - LOGS_KEPT_S)), err));
    static const char *const rows[] = {"attempt_step", "attempt", "history"};
    for (size_t i = 0; i < SR_ARRAY_LEN(rows); i++) {
        char sql[200];
        (void)snprintf(sql, sizeof sql,
                       "DELETE FROM %s WHERE task IN (SELECT id FROM task WHERE"
                       " final_deadline < $1 AND on_chain IN (3, 4))",
                       rows[i]);
        SR_TRY(db_run(s->db, sql, DB_ARGS(db_u64(now - ROWS_KEPT_S)), err));
    }
    SR_TRY(db_run(s->db, "DELETE FROM task WHERE final_deadline < $1 AND on_chain IN (3, 4)",
                  DB_ARGS(db_u64(now - ROWS_KEPT_S)), err));
    SR_TRY(db_run(s->db,
                  "DELETE FROM deal WHERE final_deadline < $1 AND NOT EXISTS (SELECT 1 FROM task t"
                  " WHERE t.deal = deal.id)",
                  DB_ARGS(db_u64(now - ROWS_KEPT_S)), err));
    return db_commit(&tx, err);
}

sr_status chain_tick(struct sched *s, struct sr_err *err) {
    if (!s->caught_up && s->follower) SR_TRY(look_at_head(s, err));
    SR_TRY(orphans(s, err));
    SR_TRY(slow_settlers(s, err));
    if (s->caught_up) SR_TRY(chain_deadlines(s, sched_time(s), err));
    if (s->caught_up) SR_TRY(purge(s, err));
    uint64_t due = 0;
    SR_TRY(db_get_u64(s->db, "SELECT count(*) FROM outbox WHERE next_ms <= $1",
                      DB_ARGS(db_u64(now_ms())), &due, err));
    if (due) sched_kick_pump(s);
    SR_TRY(db_get_u64(s->db, "SELECT count(*) FROM task WHERE status = 0 AND not_before_ms > 0",
                      DB_NO_ARGS, &due, err));
    if (due) sched_kick_dispatch(s);
    return SR_OK;
}

void chain_tick_fiber(void *sched) {
    struct sched *s = sched;
    while (fiber_sleep(s->times.tick, NULL) == SR_OK) {
        struct sr_err e = {0};
        if (chain_tick(s, &e) != SR_OK) log_err(LOG_ERROR, "tick_failed", &e);
    }
}
