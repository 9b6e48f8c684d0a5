/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db.h - one small SQL interface over SQLite (a file of the role's own) and PostgreSQL (a server)
 *
 * One connection a role, used from its loop's thread. Statements are prepared once for each text
 * and kept. Parameters are "$1", "$2", ... and bound by number. So that one text serves PostgreSQL
 * too: types BIGINT, TEXT, BYTEA, BOOLEAN-as-BIGINT; keys are made by the program (no
 * auto-increment); upserts as INSERT ... ON CONFLICT (...) DO ...; no SQLite functions.
 *
 * Rules for fibers: between db_begin and db_commit nothing may wait (another fiber's statements
 * would join the transaction). A select may be read across waits, but holds an old snapshot while
 * open.
 *
 * With PostgreSQL a statement waits for the server's answer: on the thread, so that no other fiber
 * runs, or in the fiber (db_wait_by). A statement that fails in a transaction spoils the
 * transaction: its commit fails. Texts hold anything in a file; a server's get U+FFFD for what is
 * no UTF-8.
 *
 * Depends on: base, sqlite3, libpq (loaded when used).  Used by: commit, market, sms, store,
 * scheduler.
 * Limits: DB_*.  Errors: SR_E_CONFLICT a constraint (unique, check, foreign key); SR_E_UNAVAILABLE
 * locked by another process; SR_E_SYS disk full (ENOSPC), damaged file (EUCLEAN), not readable.
 */
#pragma once
#include "base/base.h"

#define DB_BUSY_MS    5000        /* how long a statement waits for another process's lock */
#define DB_CACHED     96          /* statements kept prepared */
#define DB_VALUE_MAX  (64u << 20) /* bytes of one text or blob */
#define DB_PARAMS_MAX 32

struct db;
struct db_rows; /* an open select; owned: db_end */

enum {
    DB_SYNC_EACH = 1, /* each commit is on disk when it returns (money, secrets); else a power cut
                         may lose the last commits, never damage the file */
    DB_READ_ONLY = 2,
};
/* Opens or creates path (":memory:" for tests), mode 0600, WAL; or connects to the database that a
 * URL names, "postgresql://...", without a password in it: libpq finds that in a file. ret_db is
 * owned: db_close. */
SR_CHECK sr_status db_open(const char *path, unsigned flags, struct db **ret_db,
                           struct sr_err *err);
void db_close(struct db *db); /* accepts NULL; open rows must have ended */
bool db_is_url(const char *path);
bool db_is_shared(const struct db *db); /* on a server: other processes may change it too */
/* A blob as it stands in the text of a statement. */
void db_put_blob(const struct db *db, struct buf *b, struct slice bytes);
/* Brings the schema up to date: step i (SQL, several statements with ';') is run once for ever, in
 * its own transaction; the count done is kept in the table schema_version. Never change a step that
 * was released: add one. SR_E_CONFLICT when the file is newer than the program, or a step that was
 * run on it is not the program's any more (schema_text.c). */
SR_CHECK sr_status db_migrate(struct db *db, const char *const *steps, size_t n,
                              struct sr_err *err);
/* SR_OK when the engine finds no damage. Reads the whole file. */
SR_CHECK sr_status db_check(struct db *db, struct sr_err *err);

/* ---- values */

typedef enum { DB_NULL, DB_INT, DB_TEXT, DB_BLOB } db_type;
struct db_val {
    db_type type;
    int64_t i;
    struct slice s; /* borrowed until the call returns */
};
static inline struct db_val db_null(void) {
    return (struct db_val){.type = DB_NULL};
}
static inline struct db_val db_i64(int64_t v) {
    return (struct db_val){.type = DB_INT, .i = v};
}
/* Up to 2^63 - 1; above, the statement fails with SR_E_RANGE. */
static inline struct db_val db_u64(uint64_t v) {
    return (struct db_val){.type = DB_INT, .i = v <= INT64_MAX ? (int64_t)v : INT64_MIN};
}
static inline struct db_val db_bool(bool v) {
    return db_i64(v ? 1 : 0);
}
static inline struct db_val db_text(struct slice s) {
    return (struct db_val){.type = DB_TEXT, .s = s};
}
static inline struct db_val db_str(const char *s) { /* NULL gives null */
    return s ? db_text(slice_str(s)) : db_null();
}
static inline struct db_val db_blob(struct slice s) {
    return (struct db_val){.type = DB_BLOB, .s = s};
}
static inline struct db_val db_addr(const struct addr *a) { /* blob of 20 bytes */
    return db_blob(slice_of(a->b, sizeof a->b));
}
static inline struct db_val db_hash(const struct hash *h) { /* blob of 32 bytes */
    return db_blob(slice_of(h->b, sizeof h->b));
}
/* A blob of 32 bytes, big-endian, so it sorts as a number; be holds the bytes (see u256_to_be). */
static inline struct db_val db_u256(const uint8_t be[32]) {
    return db_blob(slice_of(be, 32));
}
/* The values of $1, $2, ... : db_run(db, "UPDATE t SET a = $1", DB_ARGS(db_u64(5)), err) */
#define DB_ARGS(...)                                                                               \
    (const struct db_val[]){__VA_ARGS__},                                                          \
        sizeof((const struct db_val[]){__VA_ARGS__}) / sizeof(struct db_val)
#define DB_NO_ARGS NULL, 0

/* ---- statements. Texts made at run time are fine, as long as there are few different ones. */

/* Runs one statement whose rows, if any, do not matter. */
SR_CHECK sr_status db_run(struct db *db, const char *sql, const struct db_val *args, size_t n,
                          struct sr_err *err);
uint64_t db_changed(const struct db *db); /* rows the last db_run inserted, updated or deleted */
/* Several statements with ';', no parameters, not cached (schema, pragmas). */
SR_CHECK sr_status db_script(struct db *db, const char *sql, struct sr_err *err);
/* Starts a select (or a statement with RETURNING). Values are copied. */
SR_CHECK sr_status db_select(struct db *db, const char *sql, const struct db_val *args, size_t n,
                             struct db_rows **ret_rows, struct sr_err *err);
/* Moves to the next row; false at the end or after a failure (kept for db_end). */
bool db_next(struct db_rows *r);
/* Ends it; says whether all went well. Accepts NULL. */
SR_CHECK sr_status db_end(struct db_rows *take_r, struct sr_err *err);
void cleanup_db_rows_(struct db_rows **r); /* ends without asking; after an early return */
#define cleanup_db_rows __attribute__((cleanup(cleanup_db_rows_)))
/* One value of one row: SR_E_NOTFOUND without a row. For counts and look-ups. */
SR_CHECK sr_status db_get_u64(struct db *db, const char *sql, const struct db_val *args, size_t n,
                              uint64_t *ret_v, struct sr_err *err);
/* The text or blob of the first column, appended to b; SR_E_NOTFOUND without a row. */
SR_CHECK sr_status db_get_bytes(struct db *db, const char *sql, const struct db_val *args, size_t n,
                                struct buf *b, struct sr_err *err);

/* Several statements, one after the other; a server gets them all at once, and they cost one wait.
 * The first failure ends it: those behind it have not run. Outside of a transaction a server undoes
 * those before it too, a file keeps them. Rows may have been given before a failure. */
struct db_stmt {
    const char *sql;
    const struct db_val *args; /* borrowed, as what they hold, until the call returns */
    size_t n;
    /* Of each row; must not use the database. NULL: they do not matter. */
    void (*row)(void *arg, struct db_rows *r);
    void *arg;
    uint64_t changed; /* set: rows inserted, updated or deleted */
};
SR_CHECK sr_status db_run_all(struct db *db, struct db_stmt *s, size_t n, struct sr_err *err);

/* Columns of the current row, from 0. A wrong type gives the empty value (0, empty slice, zeros);
 * slices live until the next db_next or db_end. */
bool db_col_is_null(struct db_rows *r, unsigned col);
uint64_t db_col_u64(struct db_rows *r, unsigned col); /* 0 for negative ones */
int64_t db_col_i64(struct db_rows *r, unsigned col);
bool db_col_bool(struct db_rows *r, unsigned col);
struct slice db_col_bytes(struct db_rows *r, unsigned col); /* text or blob */
struct addr db_col_addr(struct db_rows *r, unsigned col);
struct hash db_col_hash(struct db_rows *r, unsigned col);
struct u256 db_col_u256(struct db_rows *r, unsigned col);

/* ---- waiting in fibers
 *
 * From then on whoever waits for a server lets other fibers run. A database that is written: one
 * at a time (a lock of the owner's), from the begin of a transaction to its end. A read-only one
 * (DB_READ_ONLY) takes as many statements at once as it has connections; it has no transactions. A
 * statement whose wait was cancelled fails with SR_E_CANCELLED; what became of it is not known, and
 * its connection is made again before the next one (outside of the transaction). For a file nothing
 * changes: it never waits. */
struct db_waits { /* db itself knows no fibers: see commit_fibers (commit.h) */
    /* POLLIN, POLLOUT: any of them. SR_E_TIMEOUT after timeout_ms; 0: for ever. */
    sr_status (*ready)(int fd, int events, uint64_t timeout_ms, struct sr_err *err);
    /* Until the next wake; *place is NULL at first, and theirs. */
    sr_status (*park)(void **place, struct sr_err *err);
    void (*wake)(void **place); /* all that wait there */
};
#define DB_CONNECTIONS_MAX 8
#define DB_CONNECT_MS      10000
#define DB_SILENT_MS       60000 /* a server that is read and says nothing: SR_E_TIMEOUT */
/* w lives for ever. connections: of a read-only one, at least 1; others have one. */
void db_wait_by(struct db *db, const struct db_waits *w, unsigned connections);

/* For commits of several writers together: fdatasync of this descriptor, on any thread, puts on
 * disk what was committed before. The db's. DB_SYNC_NONE: a commit is on disk already, or never
 * (":memory:"). DB_SYNC_LOST: there should be one, but it cannot be opened (errno). */
#define DB_SYNC_NONE (-1)
#define DB_SYNC_LOST (-2)
int db_sync_fd(struct db *db);

/* A file: the commit that finds the write-ahead log longer than so many pages (of 4 KiB) writes it
 * back, and waits for the disk. Few: short waits, often; many: less work in all. */
#define DB_LOG_PAGES 1000u /* unless said otherwise */
void db_log_limit(struct db *db, unsigned pages);

/* ---- transactions; they nest (an inner one is a savepoint)
 *
 * cleanup_db_tx struct db_tx tx = {0};
 * SR_TRY(db_begin(db, &tx, err));
 * ...                                  an early return rolls back
 * return db_commit(&tx, err);
 */
struct db_tx {
    struct db *db;
    unsigned level;
};
SR_CHECK sr_status db_begin(struct db *db, struct db_tx *ret_tx, struct sr_err *err);
SR_CHECK sr_status db_commit(struct db_tx *tx, struct sr_err *err);
void db_rollback(struct db_tx *tx); /* accepts a zeroed or finished one */
#define cleanup_db_tx __attribute__((cleanup(db_rollback)))

/* ---- several processes with one database (a server's; what is not shared does nothing)
 *
 * A link is a connection of its own that tells something: its descriptor becomes readable, then
 * db_link_poll says whether it was that. SR_E_UNAVAILABLE: the connection is lost. */
struct db_link;                        /* owned: db_link_close */
void db_link_close(struct db_link *l); /* accepts NULL */
int db_link_fd(const struct db_link *l);
/* text (may be NULL) gets the words that were told, a line each. */
SR_CHECK sr_status db_link_poll(struct db_link *l, bool *ret_told, struct buf *text,
                                struct sr_err *err);
/* Told when anybody but own (borrowed for the link's life) has committed a NOTIFY. channel: a
 * plain lower-case word. */
SR_CHECK sr_status db_listen(const char *url, const char *channel, const struct db *own,
                             struct db_link **ret, struct sr_err *err);
/* Told once, when the lock is ours; it is for as long as the link is open and its connection
 * stands. */
SR_CHECK sr_status db_queue_for(const char *url, uint32_t lock, struct db_link **ret,
                                struct sr_err *err);
/* Until the end of the transaction; waits for those that hold it otherwise. */
SR_CHECK sr_status db_lock_in_tx(struct db *db, uint32_t lock, bool shared, struct sr_err *err);
