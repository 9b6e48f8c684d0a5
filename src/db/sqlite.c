/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite.c - db.h over SQLite */
#include "db/db.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct db_rows {
    struct db *db;
    sqlite3_stmt *st;
    const char *sql;
    uint64_t used;                /* the cache's clock */
    int param[DB_PARAMS_MAX + 1]; /* "$n" to SQLite's own number; 0: the text has no $n */
    unsigned params;
    sr_status bad;
    struct sr_err why;
    bool busy, cached, row;
};

struct db {
    sqlite3 *h;
    struct db_rows *cache[DB_CACHED];
    size_t n;
    uint64_t clock, changed;
    unsigned level; /* open transactions */
    unsigned flags;
    int wal; /* of the write-ahead log, for db_sync_fd; -1: not open */
};

static sr_status fail(struct db *db, int rc, const char *what, struct sr_err *err) {
    const char *text = db->h ? sqlite3_errmsg(db->h) : sqlite3_errstr(rc);
    int os = db->h ? sqlite3_system_errno(db->h) : 0;
    switch (rc & 0xff) {
    case SQLITE_FULL: errno = ENOSPC; return sr_fail(err, SR_E_SYS, "database: %s", what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        sr_hint(err, "another process holds the database: is the role running twice?");
        return sr_fail(err, SR_E_UNAVAILABLE, "database: %s: locked", what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        errno = EUCLEAN;
        sr_hint(err, "the database file is damaged: restore it from a backup");
        return sr_fail(err, SR_E_SYS, "database: %s: damaged file", what);
    case SQLITE_CONSTRAINT: return sr_fail(err, SR_E_CONFLICT, "database: %s: %s", what, text);
    case SQLITE_TOOBIG: return sr_fail(err, SR_E_TOOBIG, "database: %s: %s", what, text);
    case SQLITE_NOMEM: return sr_fail(err, SR_E_NOMEM, "out of memory");
    case SQLITE_RANGE:
    case SQLITE_ERROR: return sr_fail(err, SR_E_USAGE, "database: %s: %s", what, text);
    default: errno = os ? os : EIO; return sr_fail(err, SR_E_SYS, "database: %s: %s", what, text);
    }
}

sr_status db_script(struct db *db, const char *sql, struct sr_err *err) {
    int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? SR_OK : fail(db, rc, "script", err);
}

/* SQLite makes files by the umask; the role's data are nobody else's. */
static sr_status make_private(const char *path, struct sr_err *err) {
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open the database '%s'", path);
    return SR_OK;
}

static sr_status set_up(struct db *db, unsigned flags, struct sr_err *err) {
    (void)sqlite3_busy_timeout(db->h, DB_BUSY_MS);
    (void)sqlite3_extended_result_codes(db->h, 1);
    (void)sqlite3_limit(db->h, SQLITE_LIMIT_LENGTH, DB_VALUE_MAX);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    SR_TRY(db_script(db, "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;", err));
    if (flags & DB_READ_ONLY) return SR_OK;
    SR_TRY(db_script(db, "PRAGMA journal_mode = WAL;", err));
    return db_script(
        db, flags & DB_SYNC_EACH ? "PRAGMA synchronous = FULL;" : "PRAGMA synchronous = NORMAL;",
        err);
}

sr_status db_open(const char *path, unsigned flags, struct db **ret_db, struct sr_err *err) {
    if (slice_starts(slice_str(path), "postgres")) {
        sr_hint(err, "give the path of a file");
        return sr_fail(err, SR_E_USAGE, "database: this build has the SQLite engine only");
    }
    bool memory = strcmp(path, ":memory:") == 0;
    if (!memory && !(flags & DB_READ_ONLY)) SR_TRY(make_private(path, err));
    struct db *db = sr_calloc_n(1, sizeof *db);
    if (!db) return sr_fail(err, SR_E_NOMEM, "out of memory");
    db->flags = flags;
    db->wal = -1;
    int mode =
        flags & DB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(path, &db->h, mode | SQLITE_OPEN_NOMUTEX, NULL);
    sr_status st = rc == SQLITE_OK ? set_up(db, flags, err) : fail(db, rc, "open", err);
    if (st != SR_OK) {
        sr_err_prefix(err, "'%s'", path);
        db_close(db);
        return st;
    }
    *ret_db = db;
    return SR_OK;
}

static void rows_free(struct db_rows *r) {
    (void)sqlite3_finalize(r->st);
    free(r);
}

void db_close(struct db *db) {
    if (!db) return;
    for (size_t i = 0; i < db->n; i++) {
        SR_ASSERT(!db->cache[i]->busy);
        rows_free(db->cache[i]);
    }
    (void)sqlite3_close_v2(db->h);
    if (db->wal >= 0) close(db->wal);
    free(db);
}

/* The log has one file for as long as the database is open: it is begun again, not replaced. */
int db_sync_fd(struct db *db) {
    if (db->flags & (DB_SYNC_EACH | DB_READ_ONLY)) return -1;
    const char *path = sqlite3_db_filename(db->h, "main");
    if (db->wal < 0 && path && *path) {
        const char *log = sqlite3_filename_wal(path);
        if (log && *log) db->wal = open(log, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    }
    return db->wal;
}

static sr_status prepare(struct db *db, const char *sql, struct db_rows **ret_r,
                         struct sr_err *err) {
    struct db_rows *r = sr_calloc_n(1, sizeof *r);
    if (!r) return sr_fail(err, SR_E_NOMEM, "out of memory");
    r->db = db;
    int rc = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &r->st, NULL);
    if (rc == SQLITE_OK && !r->st) rc = SQLITE_MISUSE;
    if (rc != SQLITE_OK) {
        free(r);
        return fail(db, rc, "prepare", err);
    }
    r->sql = sqlite3_sql(r->st); /* the statement's own copy */
    unsigned in_text = (unsigned)sqlite3_bind_parameter_count(r->st), found = 0;
    for (unsigned i = 1; i <= DB_PARAMS_MAX; i++) {
        char name[12];
        (void)snprintf(name, sizeof name, "$%u", i);
        r->param[i] = sqlite3_bind_parameter_index(r->st, name);
        if (!r->param[i]) continue;
        found++;
        r->params = i;
    }
    if (found != in_text) {
        rows_free(r);
        return sr_fail(err, SR_E_USAGE, "database: parameters are $1..$%d: %s", DB_PARAMS_MAX, sql);
    }
    *ret_r = r;
    return SR_OK;
}

/* A free slot: a new one, or that of the statement idle for longest; NULL when all are in use. */
static struct db_rows **cache_slot(struct db *db) {
    if (db->n < DB_CACHED) return &db->cache[db->n++];
    struct db_rows **old = NULL;
    for (size_t i = 0; i < db->n; i++)
        if (!db->cache[i]->busy && (!old || db->cache[i]->used < (*old)->used)) old = &db->cache[i];
    if (old) rows_free(*old);
    return old;
}

static sr_status take_statement(struct db *db, const char *sql, struct db_rows **ret_r,
                                struct sr_err *err) {
    struct db_rows *r = NULL;
    for (size_t i = 0; i < db->n && !r; i++) {
        struct db_rows *c = db->cache[i];
        if (!c->busy && (c->sql == sql || strcmp(c->sql, sql) == 0)) r = c;
    }
    if (!r) {
        SR_TRY(prepare(db, sql, &r, err));
        struct db_rows **slot = cache_slot(db);
        if (slot) *slot = r;
        r->cached = slot != NULL;
    }
    r->used = ++db->clock;
    r->busy = true;
    r->row = false;
    r->bad = SR_OK;
    r->why = (struct sr_err){0};
    *ret_r = r;
    return SR_OK;
}

static void give_back(struct db_rows *r) {
    (void)sqlite3_reset(r->st);
    (void)sqlite3_clear_bindings(r->st); /* no value stays behind */
    r->busy = false;
    if (!r->cached) rows_free(r);
}

static int bind_one(sqlite3_stmt *st, int at, const struct db_val *v, bool copy) {
    /* a NULL pointer would bind NULL where an empty value is meant */
    const void *p = v->s.p ? (const void *)v->s.p : (const void *)"";
    sqlite3_destructor_type how = copy ? SQLITE_TRANSIENT : SQLITE_STATIC;
    switch (v->type) {
    case DB_NULL: return sqlite3_bind_null(st, at);
    case DB_INT: return sqlite3_bind_int64(st, at, v->i);
    case DB_TEXT: return sqlite3_bind_text64(st, at, p, v->s.n, how, SQLITE_UTF8);
    case DB_BLOB: return sqlite3_bind_blob64(st, at, p, v->s.n, how);
    }
    return SQLITE_MISUSE;
}

static sr_status bind_all(struct db_rows *r, const struct db_val *args, size_t n, bool copy,
                          struct sr_err *err) {
    if (n != r->params)
        return sr_fail(err, SR_E_USAGE, "database: %u parameters, %zu values: %s", r->params, n,
                       r->sql);
    for (size_t i = 0; i < n; i++) {
        if (!r->param[i + 1]) continue;
        if (args[i].type == DB_INT && args[i].i == INT64_MIN)
            return sr_fail(err, SR_E_RANGE, "database: $%zu is 2^63 or more", i + 1);
        int rc = bind_one(r->st, r->param[i + 1], &args[i], copy);
        if (rc != SQLITE_OK) return fail(r->db, rc, "bind", err);
    }
    return SR_OK;
}

static sr_status start(struct db *db, const char *sql, const struct db_val *args, size_t n,
                       bool copy, struct db_rows **ret_r, struct sr_err *err) {
    struct db_rows *r;
    SR_TRY(take_statement(db, sql, &r, err));
    sr_status st = bind_all(r, args, n, copy, err);
    if (st != SR_OK) {
        give_back(r);
        return st;
    }
    *ret_r = r;
    return SR_OK;
}

bool db_next(struct db_rows *r) {
    if (r->bad != SR_OK) return false;
    int rc = sqlite3_step(r->st);
    r->row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) return true;
    if (rc != SQLITE_DONE) r->bad = fail(r->db, rc, r->sql, &r->why);
    return false;
}

sr_status db_end(struct db_rows *take_r, struct sr_err *err) {
    if (!take_r) return SR_OK;
    sr_status st = take_r->bad;
    if (st != SR_OK && err && err->code == SR_OK) *err = take_r->why;
    give_back(take_r);
    return st;
}

void cleanup_db_rows_(struct db_rows **r) {
    if (*r) give_back(*r);
}

sr_status db_run(struct db *db, const char *sql, const struct db_val *args, size_t n,
                 struct sr_err *err) {
    struct db_rows *r;
    SR_TRY(start(db, sql, args, n, false, &r, err));
    while (db_next(r)) continue;
    db->changed = r->bad == SR_OK ? (uint64_t)sqlite3_changes64(db->h) : 0;
    return db_end(r, err);
}

uint64_t db_changed(const struct db *db) {
    return db->changed;
}

sr_status db_select(struct db *db, const char *sql, const struct db_val *args, size_t n,
                    struct db_rows **ret_rows, struct sr_err *err) {
    return start(db, sql, args, n, true, ret_rows, err);
}

sr_status db_get_u64(struct db *db, const char *sql, const struct db_val *args, size_t n,
                     uint64_t *ret_v, struct sr_err *err) {
    struct db_rows *r;
    SR_TRY(start(db, sql, args, n, false, &r, err));
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
    SR_TRY(start(db, sql, args, n, false, &r, err));
    bool row = db_next(r);
    if (row) buf_add(b, db_col_bytes(r, 0));
    SR_TRY(db_end(r, err));
    if (!row) return sr_fail(err, SR_E_NOTFOUND, "no such row");
    return buf_status(b, err);
}

static int col_type(struct db_rows *r, unsigned col) {
    return r->row ? sqlite3_column_type(r->st, (int)col) : SQLITE_NULL;
}

bool db_col_is_null(struct db_rows *r, unsigned col) {
    return col_type(r, col) == SQLITE_NULL;
}

int64_t db_col_i64(struct db_rows *r, unsigned col) {
    return col_type(r, col) == SQLITE_INTEGER ? sqlite3_column_int64(r->st, (int)col) : 0;
}

uint64_t db_col_u64(struct db_rows *r, unsigned col) {
    int64_t v = db_col_i64(r, col);
    return v > 0 ? (uint64_t)v : 0;
}

bool db_col_bool(struct db_rows *r, unsigned col) {
    return db_col_i64(r, col) != 0;
}

struct slice db_col_bytes(struct db_rows *r, unsigned col) {
    int t = col_type(r, col);
    if (t != SQLITE_TEXT && t != SQLITE_BLOB) return slice_of(NULL, 0);
    const void *p = sqlite3_column_blob(r->st, (int)col);
    return slice_of(p, (size_t)sqlite3_column_bytes(r->st, (int)col));
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

/* verb, then the name of the savepoint under this level */
static sr_status savepoint(struct db *db, const char *verb, unsigned level, struct sr_err *err) {
    char sql[80];
    (void)snprintf(sql, sizeof sql, "%s s%u", verb, level - 1);
    return db_script(db, sql, err);
}

sr_status db_begin(struct db *db, struct db_tx *ret_tx, struct sr_err *err) {
    if (db->level == 0)
        SR_TRY(db_script(db, "BEGIN IMMEDIATE", err));
    else
        SR_TRY(savepoint(db, "SAVEPOINT", db->level + 1, err));
    *ret_tx = (struct db_tx){db, ++db->level};
    return SR_OK;
}

sr_status db_commit(struct db_tx *tx, struct sr_err *err) {
    struct db *db = tx->db;
    SR_ASSERT(db && tx->level == db->level);
    sr_status st =
        tx->level == 1 ? db_script(db, "COMMIT", err) : savepoint(db, "RELEASE", tx->level, err);
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
    } else if (!sqlite3_get_autocommit(db->h)) {
        st = db_script(db, "ROLLBACK", NULL);
    }
    (void)st;
    db->level--;
    tx->db = NULL;
}

sr_status db_migrate(struct db *db, const char *const *steps, size_t n, struct sr_err *err) {
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
    for (size_t i = (size_t)done; i < n; i++) {
        cleanup_db_tx struct db_tx tx = {0};
        SR_TRY(db_begin(db, &tx, err));
        SR_TRY(db_script(db, steps[i], err));
        SR_TRY(db_run(db, "UPDATE schema_version SET done = $1", DB_ARGS(db_u64(i + 1)), err));
        SR_TRY(db_commit(&tx, err));
    }
    return SR_OK;
}

sr_status db_check(struct db *db, struct sr_err *err) {
    struct buf b;
    buf_init(&b, 4096);
    sr_status st = db_get_bytes(db, "PRAGMA quick_check(1)", DB_NO_ARGS, &b, err);
    bool ok = slice_is(buf_slice(&b), "ok");
    buf_done(&b);
    if (st != SR_OK) return st;
    return ok ? SR_OK : fail(db, SQLITE_CORRUPT, "check", err);
}
