/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - what all engines have in common */
#include "db/db_int.h"
#include "db/db_text.h"
#include <stdio.h>

sr_status db_open(const char *path, unsigned flags, struct db **ret_db, struct sr_err *err) {
    return db_is_url(path) ? db_pg_open(path, flags, ret_db, err)
                           : db_sqlite_open(path, flags, ret_db, err);
}

bool db_is_url(const char *path) {
    return slice_starts(slice_str(path), "postgresql://") ||
           slice_starts(slice_str(path), "postgres://");
}

void db_close(struct db *db) {
    if (db) db->ops->close(db);
}

bool db_is_shared(const struct db *db) {
    return db->ops->shared;
}

int db_sync_fd(struct db *db) {
    return db->ops->sync_fd(db);
}

void db_log_limit(struct db *db, unsigned pages) {
    if (db->ops->log_limit) db->ops->log_limit(db, pages);
}

void db_put_blob(const struct db *db, struct buf *b, struct slice bytes) {
    buf_str(b, db->ops->blob_open);
    buf_hex(b, bytes);
    buf_str(b, db->ops->blob_close);
}

sr_status db_check(struct db *db, struct sr_err *err) {
    return db->ops->check(db, err);
}

sr_status db_script(struct db *db, const char *sql, struct sr_err *err) {
    return db->ops->script(db, sql, err);
}

/* ---- statements */

bool db_next(struct db_rows *r) {
    return r->db->ops->next(r);
}

sr_status db_end(struct db_rows *take_r, struct sr_err *err) {
    uint64_t changed;
    return take_r ? take_r->db->ops->end(take_r, &changed, err) : SR_OK;
}

void cleanup_db_rows_(struct db_rows **r) {
    if (*r && db_end(*r, NULL) != SR_OK) *r = NULL; /* nobody asks any more */
}

sr_status db_run(struct db *db, const char *sql, const struct db_val *args, size_t n,
                 struct sr_err *err) {
    struct db_rows *r;
    SR_TRY(db->ops->start(db, sql, args, n, false, &r, err));
    while (db_next(r)) continue;
    uint64_t changed = 0;
    sr_status st = db->ops->end(r, &changed, err);
    db->changed = st == SR_OK ? changed : 0;
    return st;
}

static sr_status run_one(struct db *db, struct db_stmt *s, struct sr_err *err) {
    struct db_rows *r;
    SR_TRY(db->ops->start(db, s->sql, s->args, s->n, false, &r, err));
    while (db_next(r))
        if (s->row) s->row(s->arg, r);
    s->changed = 0;
    return db->ops->end(r, &s->changed, err);
}

sr_status db_run_all(struct db *db, struct db_stmt *s, size_t n, struct sr_err *err) {
    if (n > 1 && db->ops->run_all) return db->ops->run_all(db, s, n, err);
    for (size_t i = 0; i < n; i++) SR_TRY(run_one(db, &s[i], err));
    return SR_OK;
}

void db_wait_by(struct db *db, const struct db_waits *w, unsigned connections) {
    if (db->ops->wait_by) db->ops->wait_by(db, w, connections);
}

uint64_t db_changed(const struct db *db) {
    return db->changed;
}

sr_status db_select(struct db *db, const char *sql, const struct db_val *args, size_t n,
                    struct db_rows **ret_rows, struct sr_err *err) {
    return db->ops->start(db, sql, args, n, true, ret_rows, err);
}

sr_status db_get_u64(struct db *db, const char *sql, const struct db_val *args, size_t n,
                     uint64_t *ret_v, struct sr_err *err) {
    struct db_rows *r;
    SR_TRY(db->ops->start(db, sql, args, n, false, &r, err));
    bool row = db_next(r);
    uint64_t v = row ? db_col_u64(r, 0) : 0;
    SR_TRY(db_end(r, err));
    if (!row) return sr_fail(err, SR_E_NOTFOUND, "no such row");
    *ret_v = v;
    return SR_OK;
}

sr_status db_get_bytes(struct db *db, const char *sql, const struct db_val *args, size_t n,
                       struct buf *b, struct sr_err *err) {
    struct db_rows *r;
    SR_TRY(db->ops->start(db, sql, args, n, false, &r, err));
    bool row = db_next(r);
    if (row) buf_add(b, db_col_bytes(r, 0));
    SR_TRY(db_end(r, err));
    if (!row) return sr_fail(err, SR_E_NOTFOUND, "no such row");
    return buf_status(b, err);
}

/* ---- columns */

bool db_col_is_null(struct db_rows *r, unsigned col) {
    return r->db->ops->type(r, col) == DB_NULL;
}

int64_t db_col_i64(struct db_rows *r, unsigned col) {
    return r->db->ops->type(r, col) == DB_INT ? r->db->ops->i64(r, col) : 0;
}

uint64_t db_col_u64(struct db_rows *r, unsigned col) {
    int64_t v = db_col_i64(r, col);
    return v > 0 ? (uint64_t)v : 0;
}

bool db_col_bool(struct db_rows *r, unsigned col) {
    return db_col_i64(r, col) != 0;
}

struct slice db_col_bytes(struct db_rows *r, unsigned col) {
    db_type t = r->db->ops->type(r, col);
    return t == DB_TEXT || t == DB_BLOB ? r->db->ops->bytes(r, col) : slice_of(NULL, 0);
}

static void fixed(struct db_rows *r, unsigned col, uint8_t *dst, size_t n) {
    struct slice s = db_col_bytes(r, col);
    if (s.n == n) memcpy(dst, s.p, n);
}

struct addr db_col_addr(struct db_rows *r, unsigned col) {
    struct addr a = {{0}};
    fixed(r, col, a.b, sizeof a.b);
    return a;
}

struct hash db_col_hash(struct db_rows *r, unsigned col) {
    struct hash h = {{0}};
    fixed(r, col, h.b, sizeof h.b);
    return h;
}

struct u256 db_col_u256(struct db_rows *r, unsigned col) {
    uint8_t b[32] = {0};
    fixed(r, col, b, sizeof b);
    return u256_from_be(b);
}

/* ---- transactions */

/* verb, then the name of the savepoint under this level */
static sr_status savepoint(struct db *db, const char *verb, unsigned level, struct sr_err *err) {
    char sql[80];
    (void)snprintf(sql, sizeof sql, "%s s%u", verb, level - 1);
    return db_script(db, sql, err);
}

sr_status db_begin(struct db *db, struct db_tx *ret_tx, struct sr_err *err) {
    if (db->level == 0)
        SR_TRY(db_script(db, db->ops->begin, err));
    else
        SR_TRY(savepoint(db, "SAVEPOINT", db->level + 1, err));
    *ret_tx = (struct db_tx){db, ++db->level};
    return SR_OK;
}

sr_status db_commit(struct db_tx *tx, struct sr_err *err) {
    struct db *db = tx->db;
    SR_ASSERT(db && tx->level == db->level);
    sr_status st = tx->level == 1 ? db->ops->committed(db, "COMMIT", err)
                                  : savepoint(db, "RELEASE", tx->level, err);
    if (st != SR_OK) { /* as if nothing had happened: the caller's clean-up rolls back */
        db_rollback(tx);
        return st;
    }
    db->level--;
    tx->db = NULL;
    return SR_OK;
}

void db_rollback(struct db_tx *tx) {
    struct db *db = tx->db;
    if (!db) return;
    SR_ASSERT(tx->level == db->level);
    /* A failed statement may have ended the transaction already (disk full): then there is nothing
     * to roll back, and the failure is known. */
    sr_status st = SR_OK;
    if (tx->level > 1) {
        st = savepoint(db, "ROLLBACK TO", tx->level, NULL);
        if (st == SR_OK) st = savepoint(db, "RELEASE", tx->level, NULL);
    } else if (db->ops->in_tx(db)) {
        st = db_script(db, "ROLLBACK", NULL);
    }
    (void)st;
    db->level--;
    tx->db = NULL;
}

/* ---- the schema */

static sr_status migrate(struct db *db, const char *const *steps, size_t n, struct sr_err *err) {
    SR_TRY(db_script(db, "CREATE TABLE IF NOT EXISTS schema_version (done BIGINT NOT NULL)", err));
    uint64_t done = 0;
    sr_status st = db_get_u64(db, "SELECT done FROM schema_version", DB_NO_ARGS, &done, NULL);
    if (st == SR_E_NOTFOUND)
        st = db_run(db, "INSERT INTO schema_version VALUES (0)", DB_NO_ARGS, err);
    if (st != SR_OK) return sr_fail(err, st, "database: the schema version is not readable");
    if (done > n) {
        sr_hint(err, "use the newer program that wrote it, or another folder");
        return sr_fail(err, SR_E_CONFLICT, "database: schema %llu is newer than this program's %zu",
                       (unsigned long long)done, n);
    }
    SR_TRY(db_steps_check(db, steps, (size_t)done, err));
    for (size_t i = (size_t)done; i < n; i++) {
        cleanup_db_tx struct db_tx tx = {0};
        SR_TRY(db_begin(db, &tx, err));
        SR_TRY(db_script(db, steps[i], err));
        SR_TRY(db_step_keep(db, steps, i, err));
        SR_TRY(db_run(db, "UPDATE schema_version SET done = $1", DB_ARGS(db_u64(i + 1)), err));
        SR_TRY(db_commit(&tx, err));
    }
    return SR_OK;
}

sr_status db_migrate(struct db *db, const char *const *steps, size_t n, struct sr_err *err) {
    SR_TRY(db->ops->migrate(db, true, err));
    sr_status st = migrate(db, steps, n, err);
    sr_status over = db->ops->migrate(db, false, st == SR_OK ? err : NULL);
    return st == SR_OK ? over : st;
}
