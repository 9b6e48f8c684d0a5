/* SPDX-License-Identifier: Apache-2.0 */
/* A row's hash holds the one before it (wire_release_row_hash): who keeps one row's hash can prove
 * that nothing before it was changed. */
#include "sms/sms_int.h"

#define COLUMNS                                                                                    \
    "n, time_ms, task, deal, worker, dataset, released, code, evidence, verdict, previous, hash"

struct hash log_row_hash(const struct log_row *row) {
    return wire_release_row_hash(&(struct wire_release_row){.n = row->n,
                                                            .time_ms = row->time_ms,
                                                            .task = row->task,
                                                            .deal = row->deal,
                                                            .worker = row->worker,
                                                            .dataset = row->dataset,
                                                            .released = row->released,
                                                            .verdict = row->verdict,
                                                            .evidence_digest = row->evidence_digest,
                                                            .code = slice_str(row->code),
                                                            .previous = row->previous});
}

/* The current row of a select of COLUMNS; code lives in room until the next row. */
static void read_row(struct db_rows *r, struct log_row *row, char *room, size_t room_n) {
    struct slice code = db_col_bytes(r, 7);
    size_t n = code.n < room_n - 1 ? code.n : room_n - 1;
    if (n) memcpy(room, code.p, n);
    room[n] = 0;
    *row = (struct log_row){.n = db_col_u64(r, 0),
                            .time_ms = db_col_u64(r, 1),
                            .task = db_col_hash(r, 2),
                            .deal = db_col_hash(r, 3),
                            .worker = db_col_addr(r, 4),
                            .dataset = db_col_addr(r, 5),
                            .released = db_col_bool(r, 6),
                            .code = room,
                            .evidence_digest = db_col_hash(r, 8),
                            .verdict = (uint8_t)db_col_u64(r, 9),
                            .previous = db_col_hash(r, 10),
                            .hash = db_col_hash(r, 11)};
}

sr_status release_log_open(struct db *db, struct release_log *ret, struct sr_err *err) {
    struct release_log log = {.db = db};
    uint64_t count = 0;
    SR_TRY(db_get_u64(db, "SELECT count(*) FROM releases", DB_NO_ARGS, &count, err));
    cleanup_db_rows struct db_rows *r = NULL;
    uint64_t from = count > SMS_LOG_CHECKED ? count - SMS_LOG_CHECKED : 0;
    SR_TRY(db_select(db, "SELECT " COLUMNS " FROM releases WHERE n > $1 ORDER BY n",
                     DB_ARGS(db_u64(from)), &r, err));
    bool first = true;
    while (db_next(r)) {
        struct log_row row;
        char room[96];
        read_row(r, &row, room, sizeof room);
        struct hash h = log_row_hash(&row);
        bool follows = row.n == (first ? from + 1 : log.n + 1) &&
                       ((first && from > 0) || hash_eq(&row.previous, &log.head));
        if (!follows || !hash_eq(&h, &row.hash)) {
            sr_hint(err, "keep a copy of sms.db and find out who changed it; only then start over");
            return sr_fail(err, SR_E_CRYPTO, "the release log was changed at row %llu",
                           (unsigned long long)row.n);
        }
        log.n = row.n;
        log.head = row.hash;
        first = false;
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    if (log.n != count) return sr_fail(err, SR_E_CRYPTO, "rows of the release log are missing");
    *ret = log;
    return SR_OK;
}

sr_status release_log_add(struct release_log *log, struct log_row *row, struct sr_err *err) {
    row->n = log->n + 1;
    row->time_ms = clock_unix_ms();
    row->previous = log->head;
    row->hash = log_row_hash(row);
    return db_run(log->db,
                  "INSERT INTO releases (" COLUMNS
                  ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                  DB_ARGS(db_u64(row->n), db_u64(row->time_ms), db_hash(&row->task),
                          db_hash(&row->deal), db_addr(&row->worker), db_addr(&row->dataset),
                          db_bool(row->released), db_str(row->code), db_hash(&row->evidence_digest),
                          db_u64(row->verdict), db_hash(&row->previous), db_hash(&row->hash)),
                  err);
}

void release_log_kept(struct release_log *log, const struct log_row *row) {
    log->n = row->n;
    log->head = row->hash;
}

static void row_json(struct jw *w, const struct log_row *row) {
    jw_obj(w);
    jw_ku64(w, "n", row->n);
    jw_ku64(w, "time", row->time_ms);
    jw_khash(w, "task", &row->task);
    jw_khash(w, "deal", &row->deal);
    jw_kaddr(w, "worker", &row->worker);
    jw_kaddr(w, "dataset", &row->dataset);
    jw_kcstr(w, "outcome", row->released ? "released" : "refused");
    jw_kcstr(w, "code", row->code);
    jw_khash(w, "evidenceDigest", &row->evidence_digest);
    jw_kcstr(w, "label", row->verdict ? wire_verdict_label((wire_verdict)row->verdict) : "");
    jw_khash(w, "previous", &row->previous);
    jw_khash(w, "hash", &row->hash);
    jw_end_obj(w);
}

sr_status release_log_row_json(const struct release_log *log, uint64_t n, struct jw *w,
                               struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    SR_TRY(db_select(log->db, "SELECT " COLUMNS " FROM releases WHERE n = $1", DB_ARGS(db_u64(n)),
                     &r, err));
    bool found = db_next(r);
    if (found) {
        struct log_row row;
        char room[96];
        read_row(r, &row, room, sizeof room);
        row_json(w, &row);
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    return found ? SR_OK : sr_fail(err, SR_E_NOTFOUND, "no such row");
}

sr_status release_log_json(const struct release_log *log, const struct log_filter *f, struct jw *w,
                           struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    uint64_t most = f->most;
    if (f->task)
        SR_TRY(db_select(log->db,
                         "SELECT " COLUMNS
                         " FROM releases WHERE task = $1 AND n > $2 ORDER BY n LIMIT $3",
                         DB_ARGS(db_hash(f->task), db_u64(f->from), db_u64(most)), &r, err));
    else if (f->dataset)
        SR_TRY(db_select(log->db,
                         "SELECT " COLUMNS
                         " FROM releases WHERE dataset = $1 AND n > $2 ORDER BY n LIMIT $3",
                         DB_ARGS(db_addr(f->dataset), db_u64(f->from), db_u64(most)), &r, err));
    else
        SR_TRY(db_select(log->db,
                         "SELECT " COLUMNS " FROM releases WHERE n > $1 ORDER BY n LIMIT $2",
                         DB_ARGS(db_u64(f->from), db_u64(most)), &r, err));
    jw_arr(w);
    while (db_next(r)) {
        struct log_row row;
        char room[96];
        read_row(r, &row, room, sizeof room);
        row_json(w, &row);
    }
    jw_end_arr(w);
    return db_end(sr_take_ptr(r), err);
}
