/* SPDX-License-Identifier: Apache-2.0 */
/* tasks.c - the scheduler's rows */
#include "scheduler/sched_int.h"
#include <stdlib.h>

const char *const task_status_word[5] = {"WAITING", "ASSIGNED", "RUNNING", "COMPLETED", "FAILED"};

static const char *const schema[] = {
    "CREATE TABLE mark (number BIGINT PRIMARY KEY, hash BYTEA NOT NULL);"
    "CREATE TABLE deal (id BYTEA PRIMARY KEY, block BIGINT NOT NULL, match_tx BYTEA NOT NULL,"
    " requester BYTEA NOT NULL, app BYTEA NOT NULL, app_multiaddr TEXT NOT NULL,"
    " app_checksum BYTEA NOT NULL, dataset BYTEA, dataset_multiaddr TEXT, dataset_checksum BYTEA,"
    " params TEXT NOT NULL, tag BYTEA NOT NULL, trust BIGINT NOT NULL, callback BYTEA,"
    " start_time BIGINT NOT NULL, bot_first BIGINT NOT NULL, bot_size BIGINT NOT NULL,"
    " seconds BIGINT NOT NULL, contribution_deadline BIGINT NOT NULL,"
    " final_deadline BIGINT NOT NULL);"
    "CREATE TABLE task (id BYTEA PRIMARY KEY, deal BYTEA NOT NULL, idx BIGINT NOT NULL,"
    " status BIGINT NOT NULL, stage TEXT NOT NULL, cause TEXT, message TEXT, exit_code BIGINT,"
    " worker BYTEA, active BIGINT NOT NULL, attempts BIGINT NOT NULL, on_chain BIGINT NOT NULL,"
    " vanished BIGINT NOT NULL, init_block BIGINT, end_block BIGINT, rev BIGINT NOT NULL,"
    " updated_ms BIGINT NOT NULL, not_before_ms BIGINT NOT NULL, orphan_ms BIGINT NOT NULL,"
    " settle_ms BIGINT NOT NULL, contribution_deadline BIGINT NOT NULL,"
    " final_deadline BIGINT NOT NULL);"
    "CREATE INDEX task_by_deal ON task (deal, idx);"
    "CREATE INDEX task_open ON task (status, contribution_deadline);"
    "CREATE INDEX task_active ON task (active, worker);"
    "CREATE INDEX task_unsettled ON task (on_chain, final_deadline);"
    "CREATE TABLE attempt (task BYTEA NOT NULL, n BIGINT NOT NULL, worker BYTEA NOT NULL,"
    " state TEXT NOT NULL, nonce BYTEA NOT NULL, cause TEXT, blame TEXT, exit_code BIGINT,"
    " stdout TEXT, stderr TEXT, started_ms BIGINT NOT NULL, ended_ms BIGINT,"
    " PRIMARY KEY (task, n));"
    "CREATE TABLE attempt_step (task BYTEA NOT NULL, n BIGINT NOT NULL, seq BIGINT NOT NULL,"
    " status TEXT NOT NULL, cause TEXT, at_ms BIGINT NOT NULL, PRIMARY KEY (task, n, seq));"
    "CREATE TABLE history (task BYTEA NOT NULL, seq BIGINT NOT NULL, status TEXT NOT NULL,"
    " at_ms BIGINT NOT NULL, block BIGINT, tx BYTEA, PRIMARY KEY (task, seq));"
    "CREATE TABLE outbox (kind TEXT NOT NULL, task BYTEA NOT NULL, at_ms BIGINT NOT NULL,"
    " next_ms BIGINT NOT NULL, tries BIGINT NOT NULL, PRIMARY KEY (kind, task));"
    "CREATE TABLE pool_order (hash BYTEA PRIMARY KEY, json TEXT NOT NULL, volume BIGINT NOT NULL,"
    " made_ms BIGINT NOT NULL);",
    ("CREATE INDEX deal_app ON deal (app); CREATE INDEX deal_dataset ON deal (dataset);"
     "CREATE TABLE meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL);"),
    "ALTER TABLE task ADD COLUMN egress TEXT;",
};

sr_status tasks_open(struct sched *s, const char *path, struct sr_err *err) {
    SR_TRY(db_open(path, 0, &s->db, err));
    SR_TRY(db_migrate(s->db, schema, SR_ARRAY_LEN(schema), err));
    /* Whoever held a task when we died may come back for it. */
    return db_run(s->db, "UPDATE task SET orphan_ms = $1 WHERE active = 1 AND orphan_ms = 0",
                  DB_ARGS(db_u64(now_ms() + s->times.orphan)), err);
}

void task_changed(struct sched *s, const struct hash *id) {
    fcond_wake(&s->changed[id->b[0] % SCHED_BUCKETS]);
}

/* ---- reading ---- */

static void copy_text(char *dst, size_t room, struct slice s) {
    size_t n = s.n < room - 1 ? s.n : room - 1;
    while (n > 0 && n < s.n && (s.p[n] & 0xc0) == 0x80) n--; /* not inside a character */
    if (n) memcpy(dst, s.p, n);
    dst[n] = 0;
}

sr_status task_load(struct sched *s, const struct hash *id, struct task_row *ret,
                    struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    SR_TRY(db_select(s->db,
                     "SELECT deal, idx, status, stage, cause, message, exit_code, worker, active,"
                     " attempts, on_chain, vanished, rev, updated_ms, not_before_ms,"
                     " contribution_deadline, final_deadline, egress FROM task WHERE id = $1",
                     DB_ARGS(db_hash(id)), &r, err));
    if (!db_next(r)) {
        SR_TRY(db_end(sr_take_ptr(r), err));
        return sr_fail(err, SR_E_NOTFOUND, "task %s is not known here", hash_text(id).s);
    }
    struct task_row t = {.id = *id};
    t.deal = db_col_hash(r, 0);
    t.index = db_col_u64(r, 1);
    uint64_t st = db_col_u64(r, 2);
    t.status = st <= TS_FAILED ? (task_status)st : TS_FAILED;
    copy_text(t.stage, sizeof t.stage, db_col_bytes(r, 3));
    copy_text(t.cause, sizeof t.cause, db_col_bytes(r, 4));
    copy_text(t.message, sizeof t.message, db_col_bytes(r, 5));
    t.has_exit = !db_col_is_null(r, 6);
    t.exit_code = db_col_i64(r, 6);
    t.has_worker = !db_col_is_null(r, 7);
    t.worker = db_col_addr(r, 7);
    t.active = db_col_bool(r, 8);
    t.attempts = db_col_u64(r, 9);
    t.on_chain = db_col_u64(r, 10);
    t.vanished = db_col_bool(r, 11);
    t.rev = db_col_u64(r, 12);
    t.updated_ms = db_col_u64(r, 13);
    t.not_before_ms = db_col_u64(r, 14);
    t.contribution_deadline = db_col_u64(r, 15);
    t.final_deadline = db_col_u64(r, 16);
    copy_text(t.egress, sizeof t.egress, db_col_bytes(r, 17));
    SR_TRY(db_end(sr_take_ptr(r), err));
    *ret = t;
    return SR_OK;
}

void deal_row_done(struct deal_row *d) {
    free(d->app_multiaddr);
    free(d->dataset_multiaddr);
    free(d->params);
    d->app_multiaddr = d->dataset_multiaddr = d->params = NULL;
}

sr_status deal_load(struct sched *s, const struct hash *id, struct deal_row *ret,
                    struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    SR_TRY(db_select(s->db,
                     "SELECT block, match_tx, requester, app, app_multiaddr, app_checksum, dataset,"
                     " dataset_multiaddr, dataset_checksum, params, tag, trust, callback,"
                     " start_time, bot_first, bot_size, seconds, contribution_deadline,"
                     " final_deadline FROM deal WHERE id = $1",
                     DB_ARGS(db_hash(id)), &r, err));
    if (!db_next(r)) {
        SR_TRY(db_end(sr_take_ptr(r), err));
        return sr_fail(err, SR_E_NOTFOUND, "deal %s is not known here", hash_text(id).s);
    }
    cleanup_deal_row struct deal_row d = {.id = *id};
    d.block = db_col_u64(r, 0);
    d.match_tx = db_col_hash(r, 1);
    d.requester = db_col_addr(r, 2);
    d.app = db_col_addr(r, 3);
    d.app_multiaddr = slice_dup(db_col_bytes(r, 4));
    d.app_checksum = db_col_hash(r, 5);
    d.has_dataset = !db_col_is_null(r, 6);
    d.dataset = db_col_addr(r, 6);
    d.dataset_multiaddr = slice_dup(db_col_bytes(r, 7));
    d.dataset_checksum = db_col_hash(r, 8);
    d.params = slice_dup(db_col_bytes(r, 9));
    d.tag = db_col_hash(r, 10);
    d.trust = db_col_u64(r, 11);
    d.has_callback = !db_col_is_null(r, 12);
    d.callback = db_col_addr(r, 12);
    d.start_time = db_col_u64(r, 13);
    d.bot_first = db_col_u64(r, 14);
    d.bot_size = db_col_u64(r, 15);
    d.seconds = db_col_u64(r, 16);
    d.contribution_deadline = db_col_u64(r, 17);
    d.final_deadline = db_col_u64(r, 18);
    SR_TRY(db_end(sr_take_ptr(r), err));
    if (!d.app_multiaddr || !d.dataset_multiaddr || !d.params)
        return sr_fail(err, SR_E_NOMEM, "no memory for a deal");
    *ret = d;
    d = (struct deal_row){0};
    return SR_OK;
}

/* ---- small rows ---- */

static sr_status next_seq(struct sched *s, const char *sql, const struct hash *id, uint64_t n,
                          bool with_n, uint64_t *ret, struct sr_err *err) {
    if (with_n) return db_get_u64(s->db, sql, DB_ARGS(db_hash(id), db_u64(n)), ret, err);
    return db_get_u64(s->db, sql, DB_ARGS(db_hash(id)), ret, err);
}

sr_status history_add(struct sched *s, const struct hash *id, const char *status, uint64_t block,
                      const struct hash *tx, struct sr_err *err) {
    uint64_t seq = 0;
    SR_TRY(next_seq(s, "SELECT count(*) FROM history WHERE task = $1", id, 0, false, &seq, err));
    return db_run(s->db,
                  "INSERT INTO history (task, seq, status, at_ms, block, tx)"
                  " VALUES ($1, $2, $3, $4, $5, $6)",
                  DB_ARGS(db_hash(id), db_u64(seq), db_str(status), db_u64(now_ms()),
                          block ? db_u64(block) : db_null(), tx ? db_hash(tx) : db_null()),
                  err);
}

static sr_status step_add(struct sched *s, const struct hash *id, uint64_t n, const char *status,
                          const char *cause, struct sr_err *err) {
    uint64_t seq = 0;
    if (n == 0) return SR_OK;
    SR_TRY(next_seq(s, "SELECT count(*) FROM attempt_step WHERE task = $1 AND n = $2", id, n, true,
                    &seq, err));
    return db_run(s->db,
                  "INSERT INTO attempt_step (task, n, seq, status, cause, at_ms)"
                  " VALUES ($1, $2, $3, $4, $5, $6)",
                  DB_ARGS(db_hash(id), db_u64(n), db_u64(seq), db_str(status), db_str(cause),
                          db_u64(now_ms())),
                  err);
}

sr_status outbox_put(struct sched *s, const char *kind, const struct hash *task,
                     struct sr_err *err) {
    return db_run(s->db,
                  "INSERT INTO outbox (kind, task, at_ms, next_ms, tries)"
                  " VALUES ($1, $2, $3, 0, 0) ON CONFLICT (kind, task) DO NOTHING",
                  DB_ARGS(db_str(kind), db_hash(task), db_u64(now_ms())), err);
}

sr_status outbox_drop(struct sched *s, const struct hash *task, struct sr_err *err) {
    return db_run(s->db, "DELETE FROM outbox WHERE task = $1", DB_ARGS(db_hash(task)), err);
}

static sr_status attempt_now(struct sched *s, const struct hash *id, uint64_t *ret_n,
                             struct sr_err *err) {
    return db_get_u64(s->db, "SELECT attempts FROM task WHERE id = $1", DB_ARGS(db_hash(id)), ret_n,
                      err);
}

sr_status attempt_count(struct sched *s, const struct hash *id, const char *state, uint64_t *ret_n,
                        struct sr_err *err) {
    return db_get_u64(s->db, "SELECT count(*) FROM attempt WHERE task = $1 AND state = $2",
                      DB_ARGS(db_hash(id), db_str(state)), ret_n, err);
}

sr_status attempt_known(struct sched *s, const struct hash *id, const struct addr *worker,
                        bool *ret_known, struct sr_err *err) {
    uint64_t n = 0;
    SR_TRY(db_get_u64(s->db, "SELECT count(*) FROM attempt WHERE task = $1 AND worker = $2",
                      DB_ARGS(db_hash(id), db_addr(worker)), &n, err));
    *ret_known = n > 0;
    return SR_OK;
}

sr_status attempt_adopt(struct sched *s, const struct hash *id, const struct addr *worker,
                        bool *ret_adopted, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(s->db, &tx, err));
    SR_TRY(db_run(s->db,
                  "UPDATE attempt SET state = 'ASSIGNED', cause = NULL, ended_ms = NULL"
                  " WHERE task = $1 AND worker = $2 AND state = 'LOST' AND n = (SELECT attempts"
                  " FROM task WHERE id = $1 AND status = $3)",
                  DB_ARGS(db_hash(id), db_addr(worker), db_i64(TS_WAITING)), err));
    *ret_adopted = db_changed(s->db) == 1;
    if (!*ret_adopted) return db_commit(&tx, err);
    SR_TRY(db_run(s->db,
                  "UPDATE task SET status = $2, active = 1, worker = $3, cause = NULL,"
                  " message = NULL, orphan_ms = 0, rev = rev + 1, updated_ms = $4 WHERE id = $1",
                  DB_ARGS(db_hash(id), db_i64(TS_RUNNING), db_addr(worker), db_u64(now_ms())),
                  err));
    return db_commit(&tx, err);
}

sr_status attempt_tried(struct sched *s, const struct hash *id, const struct addr *worker,
                        bool *ret_tried, uint64_t *ret_last_end_ms, struct sr_err *err) {
    uint64_t n = 0;
    SR_TRY(db_get_u64(s->db,
                      "SELECT count(*) FROM attempt WHERE task = $1 AND worker = $2"
                      " AND state = 'FAILED'",
                      DB_ARGS(db_hash(id), db_addr(worker)), &n, err));
    *ret_tried = n > 0;
    *ret_last_end_ms = 0;
    if (n == 0) return SR_OK;
    return db_get_u64(s->db, "SELECT max(ended_ms) FROM attempt WHERE task = $1 AND worker = $2",
                      DB_ARGS(db_hash(id), db_addr(worker)), ret_last_end_ms, err);
}

/* ---- deals ---- */

static sr_status task_insert(struct sched *s, const struct deal_row *d, uint64_t index,
                             const char *cause, const char *message, struct sr_err *err) {
    struct hash id = poco_task_id(&d->id, u256_of(index));
    SR_TRY(
        db_run(s->db,
               "INSERT INTO task (id, deal, idx, status, stage, cause, message, active, attempts,"
               " on_chain, vanished, rev, updated_ms, not_before_ms, orphan_ms, settle_ms,"
               " contribution_deadline, final_deadline)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, 0, 1, $8, 0, 0, 0, $9, $10)"
               " ON CONFLICT (id) DO UPDATE SET status = $4, stage = $5, cause = $6, message = $7,"
               " exit_code = NULL, worker = NULL, active = 0, on_chain = 0, vanished = 0,"
               " init_block = NULL, end_block = NULL, rev = task.rev + 1, updated_ms = $8,"
               " not_before_ms = 0, orphan_ms = 0, settle_ms = 0, contribution_deadline = $9,"
               " final_deadline = $10",
               DB_ARGS(db_hash(&id), db_hash(&d->id), db_u64(index),
                       db_i64(cause ? TS_FAILED : TS_WAITING), db_str(cause ? "failed" : "matched"),
                       db_str(cause), db_str(message), db_u64(now_ms()),
                       db_u64(d->contribution_deadline), db_u64(d->final_deadline)),
               err));
    SR_TRY(history_add(s, &id, "RECEIVED", d->block, &d->match_tx, err));
    if (cause) SR_TRY(history_add(s, &id, "FAILED", 0, NULL, err));
    return SR_OK;
}

sr_status deal_add(struct sched *s, const struct deal_row *d, const char *cause,
                   const char *message, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(s->db, &tx, err));
    /* The same deal at the same block was read before (a step done again): nothing to do. */
    uint64_t known = 0;
    SR_TRY(db_get_u64(s->db,
                      "SELECT count(*) FROM deal d WHERE d.id = $1 AND NOT EXISTS (SELECT 1 FROM"
                      " task t WHERE t.deal = d.id AND t.vanished = 1)",
                      DB_ARGS(db_hash(&d->id)), &known, err));
    if (known) return db_commit(&tx, err);
    SR_TRY(db_run(
        s->db,
        "INSERT INTO deal (id, block, match_tx, requester, app, app_multiaddr, app_checksum,"
        " dataset, dataset_multiaddr, dataset_checksum, params, tag, trust, callback, start_time,"
        " bot_first, bot_size, seconds, contribution_deadline, final_deadline)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,"
        " $19, $20) ON CONFLICT (id) DO UPDATE SET block = $2, match_tx = $3, start_time = $15,"
        " contribution_deadline = $19, final_deadline = $20",
        DB_ARGS(db_hash(&d->id), db_u64(d->block), db_hash(&d->match_tx), db_addr(&d->requester),
                db_addr(&d->app), db_str(d->app_multiaddr), db_hash(&d->app_checksum),
                d->has_dataset ? db_addr(&d->dataset) : db_null(),
                d->has_dataset ? db_str(d->dataset_multiaddr) : db_null(),
                d->has_dataset ? db_hash(&d->dataset_checksum) : db_null(), db_str(d->params),
                db_hash(&d->tag), db_u64(d->trust),
                d->has_callback ? db_addr(&d->callback) : db_null(), db_u64(d->start_time),
                db_u64(d->bot_first), db_u64(d->bot_size), db_u64(d->seconds),
                db_u64(d->contribution_deadline), db_u64(d->final_deadline)),
        err));
    uint64_t n = d->bot_size < SCHED_DEAL_TASKS_MAX ? d->bot_size : SCHED_DEAL_TASKS_MAX;
    for (uint64_t i = 0; i < n; i++)
        SR_TRY(task_insert(s, d, d->bot_first + i, cause, message, err));
    return db_commit(&tx, err);
}

/* ---- tasks ---- */

sr_status task_assigned(struct sched *s, const struct hash *id, const struct addr *worker,
                        const struct hash *nonce, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    uint64_t n = 0;
    SR_TRY(db_begin(s->db, &tx, err));
    SR_TRY(db_run(s->db,
                  "UPDATE task SET status = $2, stage = CASE WHEN on_chain = 0 THEN 'matched' ELSE"
                  " 'initialised' END, message = NULL, cause = NULL, worker = $3, active = 1,"
                  " attempts = attempts + 1, orphan_ms = 0, settle_ms = 0, rev = rev + 1,"
                  " updated_ms = $4 WHERE id = $1 AND status = $5",
                  DB_ARGS(db_hash(id), db_i64(TS_ASSIGNED), db_addr(worker), db_u64(now_ms()),
                          db_i64(TS_WAITING)),
                  err));
    if (db_changed(s->db) != 1) return sr_fail(err, SR_E_CONFLICT, "the task is not waiting");
    SR_TRY(attempt_now(s, id, &n, err));
    SR_TRY(db_run(
        s->db,
        "INSERT INTO attempt (task, n, worker, state, nonce, started_ms)"
        " VALUES ($1, $2, $3, 'ASSIGNED', $4, $5)",
        DB_ARGS(db_hash(id), db_u64(n), db_addr(worker), db_hash(nonce), db_u64(now_ms())), err));
    SR_TRY(step_add(s, id, n, "CREATED", NULL, err));
    SR_TRY(history_add(s, id, "RUNNING", 0, NULL, err));
    return db_commit(&tx, err);
}

sr_status task_staged(struct sched *s, const struct hash *id, const char *stage,
                      const char *replicate_status, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    uint64_t n = 0;
    SR_TRY(db_begin(s->db, &tx, err));
    SR_TRY(attempt_now(s, id, &n, err));
    SR_TRY(step_add(s, id, n, replicate_status, NULL, err));
    if (stage) {
        bool settling = strcmp(stage, "settling") == 0, attested = strcmp(stage, "attested") == 0;
        SR_TRY(db_run(s->db,
                      "UPDATE task SET status = $2, stage = $3, settle_ms = $4, rev = rev + 1,"
                      " updated_ms = $5 WHERE id = $1 AND status < $6",
                      DB_ARGS(db_hash(id), db_i64(attested ? TS_ASSIGNED : TS_RUNNING),
                              db_str(stage), db_u64(settling ? now_ms() + s->times.settle : 0),
                              db_u64(now_ms()), db_i64(TS_COMPLETED)),
                      err));
    }
    return db_commit(&tx, err);
}

static sr_status attempt_close(struct sched *s, const struct hash *id, const char *state,
                               const char *cause, struct sr_err *err) {
    uint64_t n = 0;
    SR_TRY(attempt_now(s, id, &n, err));
    SR_TRY(db_run(s->db,
                  "UPDATE attempt SET state = $3, cause = $4, ended_ms = $5"
                  " WHERE task = $1 AND n = $2 AND ended_ms IS NULL",
                  DB_ARGS(db_hash(id), db_u64(n), db_str(state), db_str(cause), db_u64(now_ms())),
                  err));
    if (db_changed(s->db) == 0) return SR_OK;
    const char *shown = strcmp(state, "LOST") == 0      ? "WORKER_LOST"
                        : strcmp(state, "DROPPED") == 0 ? "ABORTED"
                                                        : "FAILED";
    return step_add(s, id, n, shown, cause, err);
}

sr_status task_requeued(struct sched *s, const struct hash *id, const char *attempt_state,
                        const char *cause, const char *message, uint64_t not_before_ms,
                        struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(s->db, &tx, err));
    SR_TRY(attempt_close(s, id, attempt_state, cause, err));
    SR_TRY(db_run(s->db,
                  "UPDATE task SET status = $2, stage = CASE WHEN on_chain = 0 THEN 'matched' ELSE"
                  " 'initialised' END, cause = $3, message = $4, active = 0, orphan_ms = 0,"
                  " settle_ms = 0, not_before_ms = $5, rev = rev + 1, updated_ms = $6"
                  " WHERE id = $1 AND status < $7",
                  DB_ARGS(db_hash(id), db_i64(TS_WAITING), db_str(cause), db_str(message),
                          db_u64(not_before_ms), db_u64(now_ms()), db_i64(TS_COMPLETED)),
                  err));
    return db_commit(&tx, err);
}

sr_status task_failed(struct sched *s, const struct hash *id, const char *cause,
                      const char *message, const int64_t *exit_code, const char *official_status,
                      struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(s->db, &tx, err));
    SR_TRY(attempt_close(s, id, "DROPPED", cause, err));
    SR_TRY(db_run(s->db,
                  "UPDATE task SET status = $2, stage = 'failed', cause = $3, message = $4,"
                  " exit_code = $5, active = 0, orphan_ms = 0, settle_ms = 0, rev = rev + 1,"
                  " updated_ms = $6 WHERE id = $1 AND status < $7",
                  DB_ARGS(db_hash(id), db_i64(TS_FAILED), db_str(cause), db_str(message),
                          exit_code ? db_i64(*exit_code) : db_null(), db_u64(now_ms()),
                          db_i64(TS_COMPLETED)),
                  err));
    if (db_changed(s->db) > 0) {
        SR_TRY(history_add(s, id, official_status, 0, NULL, err));
        if (strcmp(official_status, "FAILED") != 0)
            SR_TRY(history_add(s, id, "FAILED", 0, NULL, err));
    }
    return db_commit(&tx, err);
}

sr_status task_note(struct sched *s, const struct hash *id, const char *message,
                    uint64_t not_before_ms, struct sr_err *err) {
    return db_run(
        s->db,
        "UPDATE task SET rev = rev + (CASE WHEN message = $2 THEN 0 ELSE 1 END),"
        " message = $2, not_before_ms = $3, updated_ms = $4 WHERE id = $1 AND status = $5",
        DB_ARGS(db_hash(id), db_str(message), db_u64(not_before_ms), db_u64(now_ms()),
                db_i64(TS_WAITING)),
        err);
}

sr_status task_note_egress(struct sched *s, const struct hash *id, const struct json_val *v,
                           struct sr_err *err) {
    static const char *const names[] = {"connections", "failed", "refused", "sent", "received"};
    cleanup_buf struct buf b;
    buf_init(&b, SCHED_EGRESS_MAX);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++) {
        uint64_t n;
        if (!json_u64(json_get(v, names[i]), &n)) return SR_OK; /* an older worker's word */
        jw_ku64(&w, names[i], n);
    }
    jw_end_obj(&w);
    SR_TRY(buf_status(&b, err));
    return db_run(s->db, "UPDATE task SET egress = $2 WHERE id = $1",
                  DB_ARGS(db_hash(id), db_text(buf_slice(&b))), err);
}

static struct slice tail_of(struct slice s) {
    if (s.n <= WIRE_LOG_TAIL_MAX) return s;
    s = slice_of(s.p + (s.n - WIRE_LOG_TAIL_MAX), WIRE_LOG_TAIL_MAX);
    while (s.n && (s.p[0] & 0xc0) == 0x80) s = slice_of(s.p + 1, s.n - 1);
    return s;
}

sr_status attempt_report(struct sched *s, const struct hash *id, const char *state,
                         const char *cause, const char *blame, const int64_t *exit_code,
                         struct slice out, struct slice errout, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    uint64_t n = 0;
    SR_TRY(db_begin(s->db, &tx, err));
    SR_TRY(attempt_now(s, id, &n, err));
    out = tail_of(out);
    errout = tail_of(errout);
    SR_TRY(
        db_run(s->db,
               "UPDATE attempt SET state = $3, cause = $4, blame = $5, exit_code = $6,"
               " stdout = $7, stderr = $8, ended_ms = $9 WHERE task = $1 AND n = $2",
               DB_ARGS(db_hash(id), db_u64(n), db_str(state), db_str(cause), db_str(blame),
                       exit_code ? db_i64(*exit_code) : db_null(), out.n ? db_text(out) : db_null(),
                       errout.n ? db_text(errout) : db_null(), db_u64(now_ms())),
               err));
    bool done = strcmp(state, "DONE") == 0;
    SR_TRY(step_add(s, id, n, done ? "CONTRIBUTE_AND_FINALIZE_DONE" : "FAILED", cause, err));
    if (done) SR_TRY(step_add(s, id, n, "COMPLETED", NULL, err));
    SR_TRY(db_run(
        s->db,
        "UPDATE task SET active = 0, orphan_ms = 0, exit_code = $2, rev = rev + 1,"
        " updated_ms = $3 WHERE id = $1",
        DB_ARGS(db_hash(id), exit_code ? db_i64(*exit_code) : db_null(), db_u64(now_ms())), err));
    return db_commit(&tx, err);
}
