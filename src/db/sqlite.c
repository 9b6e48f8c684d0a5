/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite.c - db.h over SQLite */
#include "db/db_int.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct rows {
    struct db_rows base;
    struct file *db;
    sqlite3_stmt *st;
    const char *sql;
    uint64_t used;                /* the cache's clock */
    int param[DB_PARAMS_MAX + 1]; /* "$n" to SQLite's own number; 0: the text has no $n */
    unsigned params;
    sr_status bad;
    struct sr_err why;
    bool busy, cached, row;
};

struct file {
    struct db base;
    sqlite3 *h;
    struct rows *cache[DB_CACHED];
    size_t n;
    uint64_t clock;
    unsigned flags;
    unsigned log_limit; /* 0: SQLite's own, which is DB_LOG_PAGES */
    int wal;            /* of the write-ahead log, for db_sync_fd; -1: not open */
};

static sr_status fail(struct file *db, int rc, const char *what, struct sr_err *err) {
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

static sr_status file_script(struct db *base, const char *sql, struct sr_err *err) {
    struct file *db = (struct file *)base;
    int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? SR_OK : fail(db, rc, "script", err);
}

/* SQLite makes files by the umask; the role's data are nobody else's. */
static sr_status make_private(const char *path, struct sr_err *err) {
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open the database '%s'", path);
    return SR_OK;
}

static sr_status set_up(struct file *db, unsigned flags, struct sr_err *err) {
    (void)sqlite3_busy_timeout(db->h, DB_BUSY_MS);
    (void)sqlite3_extended_result_codes(db->h, 1);
    (void)sqlite3_limit(db->h, SQLITE_LIMIT_LENGTH, DB_VALUE_MAX);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    /* a small cache: the kernel has the pages too, and ten roles share one machine */
    SR_TRY(file_script(&db->base,
                       "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; "
                       "PRAGMA cache_size = -1000;",
                       err));
    if (flags & DB_READ_ONLY) return SR_OK;
    SR_TRY(file_script(&db->base, "PRAGMA journal_mode = WAL;", err));
    if (flags & DB_SYNC_EACH) return file_script(&db->base, "PRAGMA synchronous = FULL;", err);
    /* The log that a killed process left may have a hole on disk that only that process was told
     * of: what it holds is written to the file itself, and the log is begun anew. */
    return file_script(&db->base, "PRAGMA synchronous = NORMAL; PRAGMA wal_checkpoint;", err);
}

static void file_close(struct db *base);
static const struct db_ops ops;

sr_status db_sqlite_open(const char *path, unsigned flags, struct db **ret_db, struct sr_err *err) {
    bool memory = strcmp(path, ":memory:") == 0;
    if (!memory && !(flags & DB_READ_ONLY)) SR_TRY(make_private(path, err));
    struct file *db = sr_calloc_n(1, sizeof *db);
    if (!db) return sr_fail(err, SR_E_NOMEM, "out of memory");
    db->base.ops = &ops;
    db->flags = flags;
    db->wal = -1;
    int mode =
        flags & DB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(path, &db->h, mode | SQLITE_OPEN_NOMUTEX, NULL);
    sr_status st = rc == SQLITE_OK ? set_up(db, flags, err) : fail(db, rc, "open", err);
    if (st != SR_OK) {
        sr_err_prefix(err, "'%s'", path);
        file_close(&db->base);
        return st;
    }
    *ret_db = &db->base;
    return SR_OK;
}

static void rows_free(struct rows *r) {
    (void)sqlite3_finalize(r->st);
    free(r);
}

static void file_close(struct db *base) {
    struct file *db = (struct file *)base;
    for (size_t i = 0; i < db->n; i++) {
        SR_ASSERT(!db->cache[i]->busy);
        rows_free(db->cache[i]);
    }
    (void)sqlite3_close_v2(db->h);
    if (db->wal >= 0) close(db->wal);
    free(db);
}

/* The log has one file for as long as the database is open: it is begun again, not replaced. */
static int file_sync_fd(struct db *base) {
    struct file *db = (struct file *)base;
    if (db->flags & (DB_SYNC_EACH | DB_READ_ONLY)) return DB_SYNC_NONE;
    const char *path = sqlite3_db_filename(db->h, "main");
    if (!path || !*path) return DB_SYNC_NONE;
    if (db->wal < 0) {
        const char *log = sqlite3_filename_wal(path);
        db->wal = open(log, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    }
    return db->wal >= 0 ? db->wal : DB_SYNC_LOST;
}

static void file_log_limit(struct db *base, unsigned pages) {
    struct file *db = (struct file *)base;
    if (pages == db->log_limit) return;
    db->log_limit = pages;
    (void)sqlite3_wal_autocheckpoint(db->h, (int)pages);
}

static sr_status prepare(struct file *db, const char *sql, struct rows **ret_r,
                         struct sr_err *err) {
    struct rows *r = sr_calloc_n(1, sizeof *r);
    if (!r) return sr_fail(err, SR_E_NOMEM, "out of memory");
    r->base.db = &db->base;
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
static struct rows **cache_slot(struct file *db) {
    if (db->n < DB_CACHED) return &db->cache[db->n++];
    struct rows **old = NULL;
    for (size_t i = 0; i < db->n; i++)
        if (!db->cache[i]->busy && (!old || db->cache[i]->used < (*old)->used)) old = &db->cache[i];
    if (old) rows_free(*old);
    return old;
}

static sr_status take_statement(struct file *db, const char *sql, struct rows **ret_r,
                                struct sr_err *err) {
    struct rows *r = NULL;
    for (size_t i = 0; i < db->n && !r; i++) {
        struct rows *c = db->cache[i];
        if (!c->busy && (c->sql == sql || strcmp(c->sql, sql) == 0)) r = c;
    }
    if (!r) {
        SR_TRY(prepare(db, sql, &r, err));
        struct rows **slot = cache_slot(db);
        if (slot) *slot = r;
        r->cached = slot != NULL; /* NOLINT: prepare gives one or fails */
    }
    r->used = ++db->clock;
    r->busy = true;
    r->row = false;
    r->bad = SR_OK;
    r->why = (struct sr_err){0};
    *ret_r = r;
    return SR_OK;
}

static void give_back(struct rows *r) {
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

static sr_status bind_all(struct rows *r, const struct db_val *args, size_t n, bool copy,
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

static sr_status file_start(struct db *base, const char *sql, const struct db_val *args, size_t n,
                            bool copy, struct db_rows **ret_r, struct sr_err *err) {
    struct rows *r;
    SR_TRY(take_statement((struct file *)base, sql, &r, err));
    sr_status st = bind_all(r, args, n, copy, err);
    if (st != SR_OK) {
        give_back(r);
        return st;
    }
    *ret_r = &r->base;
    return SR_OK;
}

static bool file_next(struct db_rows *base) {
    struct rows *r = (struct rows *)base;
    if (r->bad != SR_OK) return false;
    int rc = sqlite3_step(r->st);
    r->row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) return true;
    if (rc != SQLITE_DONE) r->bad = fail(r->db, rc, r->sql, &r->why);
    return false;
}

static sr_status file_end(struct db_rows *base, uint64_t *ret_changed, struct sr_err *err) {
    struct rows *r = (struct rows *)base;
    sr_status st = r->bad;
    *ret_changed = (uint64_t)sqlite3_changes64(r->db->h);
    if (st != SR_OK && err && err->code == SR_OK) *err = r->why;
    give_back(r);
    return st;
}

static db_type file_type(struct db_rows *base, unsigned col) {
    struct rows *r = (struct rows *)base;
    if (!r->row) return DB_NULL;
    switch (sqlite3_column_type(r->st, (int)col)) {
    case SQLITE_INTEGER: return DB_INT;
    case SQLITE_TEXT: return DB_TEXT;
    case SQLITE_BLOB: return DB_BLOB;
    default: return DB_NULL;
    }
}

static int64_t file_i64(struct db_rows *base, unsigned col) {
    return sqlite3_column_int64(((struct rows *)base)->st, (int)col);
}

static struct slice file_bytes(struct db_rows *base, unsigned col) {
    sqlite3_stmt *st = ((struct rows *)base)->st;
    const void *p = sqlite3_column_blob(st, (int)col);
    return slice_of(p, (size_t)sqlite3_column_bytes(st, (int)col));
}

static bool file_in_tx(struct db *base) {
    return !sqlite3_get_autocommit(((struct file *)base)->h);
}

/* Each step's transaction keeps others out. */
static sr_status file_migrate(struct db *base, bool begin, struct sr_err *err) {
    (void)base;
    (void)begin;
    (void)err;
    return SR_OK;
}

static sr_status file_check(struct db *base, struct sr_err *err) {
    struct buf b;
    buf_init(&b, 4096);
    sr_status st = db_get_bytes(base, "PRAGMA quick_check(1)", DB_NO_ARGS, &b, err);
    bool ok = slice_is(buf_slice(&b), "ok");
    buf_done(&b);
    if (st != SR_OK) return st;
    return ok ? SR_OK : fail((struct file *)base, SQLITE_CORRUPT, "check", err);
}

static const struct db_ops ops = {.close = file_close,
                                  .script = file_script,
                                  .start = file_start,
                                  .next = file_next,
                                  .end = file_end,
                                  .type = file_type,
                                  .i64 = file_i64,
                                  .bytes = file_bytes,
                                  .begin = "BEGIN IMMEDIATE",
                                  .in_tx = file_in_tx,
                                  .committed = file_script,
                                  .migrate = file_migrate,
                                  .check = file_check,
                                  .sync_fd = file_sync_fd,
                                  .log_limit = file_log_limit,
                                  .blob_open = "X'",
                                  .blob_close = "'"};
