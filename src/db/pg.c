/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg.c - db.h over PostgreSQL, by libpq, which is loaded by whoever uses it
 *
 * Answers are in binary form and come whole: an open select holds nothing on the server. Types of
 * parameters are the server's guess from the statement; integers are sent as text, so that any
 * width of them fits.
 */
#include "db/pg_int.h"
#include <stdio.h>
#include <stdlib.h>

#define OID_BOOL    16
#define OID_BYTEA   17
#define OID_INT8    20
#define OID_INT2    21
#define OID_INT4    23
#define OID_NUMERIC 1700
#define LOCK_SCHEMA 0x5352u /* advisory locks are the whole database's */

struct statement {
    char *sql;
    uint64_t used, name; /* of a prepared one */
    size_t params;
};
struct pg {
    struct db base;
    PGconn *c;
    struct statement cache[DB_CACHED];
    size_t n;
    uint64_t clock, names;
    unsigned flags;
};
struct rows {
    struct db_rows base;
    PGresult *res;
    int at, n; /* row now; rows */
};

/* ---- failures */

static bool class_is(const char *state, const char *class) {
    return state && strncmp(state, class, strlen(class)) == 0;
}

sr_status pg_fail(PGconn *c, const PGresult *res, const char *what, struct sr_err *err) {
    const char *state = res ? pq()->PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *text = res ? pq()->PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (!text) text = "the connection is lost";
    int cut = (int)strcspn(what, "($");
    if (class_is(state, "23"))
        return sr_fail(err, SR_E_CONFLICT, "database: %.*s: %s", cut, what, text);
    if (class_is(state, "53100")) {
        errno = ENOSPC;
        return sr_fail(err, SR_E_SYS, "database: %.*s", cut, what);
    }
    if (class_is(state, "40") || class_is(state, "55P03") || class_is(state, "57014"))
        return sr_fail(err, SR_E_UNAVAILABLE, "database: %.*s: %s", cut, what, text);
    if (class_is(state, "22003"))
        return sr_fail(err, SR_E_RANGE, "database: %.*s: %s", cut, what, text);
    if (class_is(state, "54"))
        return sr_fail(err, SR_E_TOOBIG, "database: %.*s: %s", cut, what, text);
    if (class_is(state, "42") || class_is(state, "22") || class_is(state, "25"))
        return sr_fail(err, SR_E_USAGE, "database: %.*s: %s", cut, what, text);
    if (!state || class_is(state, "57P") || class_is(state, "08") ||
        pq()->PQstatus(c) == CONNECTION_BAD) {
        sr_hint(err, "is the PostgreSQL server up, and does it let this role in?");
        return sr_fail(err, SR_E_UNAVAILABLE, "database: %.*s: %s", cut, what, text);
    }
    errno = EIO;
    return sr_fail(err, SR_E_SYS, "database: %.*s: %s", cut, what, text);
}

static bool good(const PGresult *res) {
    ExecStatusType st = pq()->PQresultStatus(res);
    return st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK || st == PGRES_EMPTY_QUERY;
}

static sr_status pg_script(struct db *base, const char *sql, struct sr_err *err) {
    struct pg *db = (struct pg *)base;
    PGresult *res = pq()->PQexec(db->c, sql);
    sr_status st = good(res) ? SR_OK : pg_fail(db->c, res, "script", err);
    pq()->PQclear(res);
    return st;
}

/* A transaction in which something failed ends with "ROLLBACK", which is no error to the server. */
static sr_status pg_committed(struct db *base, const char *verb, struct sr_err *err) {
    struct pg *db = (struct pg *)base;
    PGresult *res = pq()->PQexec(db->c, verb);
    sr_status st = SR_OK;
    if (!good(res))
        st = pg_fail(db->c, res, verb, err);
    else if (strcmp(pq()->PQcmdStatus(res), "COMMIT") != 0)
        st = sr_fail(err, SR_E_CONFLICT, "database: a statement of the transaction had failed");
    pq()->PQclear(res);
    return st;
}

/* ---- statements */

static void forget_statements(struct pg *db) {
    for (size_t i = 0; i < db->n; i++) free(db->cache[i].sql);
    db->n = 0;
}

static sr_status settle(struct pg *db, struct sr_err *err) {
    SR_TRY(pg_script(&db->base,
                     "SET jit = off; SET standard_conforming_strings = on; "
                     "SET default_transaction_isolation = 'read committed'",
                     err));
    if (!(db->flags & DB_READ_ONLY)) return SR_OK;
    return pg_script(&db->base, "SET default_transaction_read_only = on", err);
}

/* A connection that broke is made again, outside of transactions. */
static sr_status alive(struct pg *db, struct sr_err *err) {
    if (db->base.level || pq()->PQstatus(db->c) == CONNECTION_OK) return SR_OK;
    forget_statements(db);
    pq()->PQreset(db->c);
    if (pq()->PQstatus(db->c) != CONNECTION_OK) return pg_fail(db->c, NULL, "connect", err);
    return settle(db, err);
}

static struct statement *cached(struct pg *db, const char *sql) {
    for (size_t i = 0; i < db->n; i++)
        if (db->cache[i].sql == sql || strcmp(db->cache[i].sql, sql) == 0) return &db->cache[i];
    return NULL;
}

static void drop_oldest(struct pg *db) {
    size_t old = 0;
    char text[48];
    for (size_t i = 1; i < db->n; i++)
        if (db->cache[i].used < db->cache[old].used) old = i;
    (void)snprintf(text, sizeof text, "DEALLOCATE s%llu", (unsigned long long)db->cache[old].name);
    pq()->PQclear(pq()->PQexec(db->c, text));
    free(db->cache[old].sql);
    db->cache[old] = db->cache[--db->n];
}

static sr_status prepare(struct pg *db, const char *sql, struct statement **ret,
                         struct sr_err *err) {
    char name[24];
    if (db->n == DB_CACHED) drop_oldest(db);
    struct statement *s = &db->cache[db->n];
    *s = (struct statement){.sql = strdup(sql), .name = ++db->names};
    if (!s->sql) return sr_fail(err, SR_E_NOMEM, "out of memory");
    (void)snprintf(name, sizeof name, "s%llu", (unsigned long long)s->name);
    PGresult *res = pq()->PQprepare(db->c, name, sql, 0, NULL);
    sr_status st = good(res) ? SR_OK : pg_fail(db->c, res, sql, err);
    pq()->PQclear(res);
    if (st == SR_OK) { /* how many values it takes */
        res = pq()->PQdescribePrepared(db->c, name);
        st = good(res) ? SR_OK : pg_fail(db->c, res, sql, err);
        s->params = (size_t)pq()->PQnparams(res);
        pq()->PQclear(res);
    }
    if (st != SR_OK) {
        free(s->sql);
        return st;
    }
    db->n++;
    *ret = s;
    return SR_OK;
}

/* ---- values */

/* Length of the good UTF-8 character at p, 0 for none; NUL is none to PostgreSQL. */
static size_t char_len(const uint8_t *p, size_t n) {
    uint8_t c = p[0];
    if (c < 0x80) return c ? 1 : 0;
    size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || n < len) return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

/* Texts of the chain may hold anything; what the server would refuse becomes U+FFFD. */
static struct slice clean_text(struct slice s, struct buf *room) {
    size_t good = 0, len;
    while (good < s.n && (len = char_len(s.p + good, s.n - good)) > 0) good += len;
    if (good == s.n) return s;
    size_t from = room->n;
    for (size_t i = 0; i < s.n;) {
        len = char_len(s.p + i, s.n - i);
        if (len)
            buf_put(room, s.p + i, len);
        else
            buf_str(room, "\xef\xbf\xbd");
        i += len ? len : 1;
    }
    return slice_of((const uint8_t *)(uintptr_t)from, room->n - from); /* its place in room */
}

struct bound {
    const char *value[DB_PARAMS_MAX];
    int length[DB_PARAMS_MAX], format[DB_PARAMS_MAX];
    char number[DB_PARAMS_MAX][24];
    struct buf room;
};

static sr_status bind_all(struct bound *b, const struct db_val *args, size_t n,
                          struct sr_err *err) {
    bool moved[DB_PARAMS_MAX] = {false};
    for (size_t i = 0; i < n; i++) {
        struct slice s = args[i].s;
        switch (args[i].type) {
        case DB_NULL: b->value[i] = NULL; continue;
        case DB_INT:
            if (args[i].i == INT64_MIN)
                return sr_fail(err, SR_E_RANGE, "database: $%zu is 2^63 or more", i + 1);
            (void)snprintf(b->number[i], sizeof b->number[i], "%lld", (long long)args[i].i);
            b->value[i] = b->number[i];
            b->format[i] = 0;
            continue;
        case DB_TEXT: {
            struct slice t = clean_text(s, &b->room);
            moved[i] = t.p != s.p;
            s = t;
            break;
        }
        case DB_BLOB: break;
        }
        if (s.n > DB_VALUE_MAX) return sr_fail(err, SR_E_TOOBIG, "database: a value too long");
        b->value[i] = s.p ? (const char *)s.p : moved[i] ? (const char *)s.p : "";
        b->length[i] = (int)s.n;
        b->format[i] = 1;
    }
    SR_TRY(buf_status(&b->room, err));
    for (size_t i = 0; i < n; i++)
        if (moved[i]) b->value[i] = (const char *)b->room.p + (uintptr_t)b->value[i];
    return SR_OK;
}

/* A text without values is made up of them (GraphQL): it is not worth keeping. */
static sr_status exec(struct pg *db, const char *sql, const struct db_val *args, size_t n,
                      struct bound *b, PGresult **ret, struct sr_err *err) {
    char name[24];
    if (n == 0) {
        *ret = pq()->PQexecParams(db->c, sql, 0, NULL, NULL, NULL, NULL, 1);
        return SR_OK;
    }
    struct statement *s = cached(db, sql);
    if (!s) SR_TRY(prepare(db, sql, &s, err));
    s->used = ++db->clock;
    if (s->params != n)
        return sr_fail(err, SR_E_USAGE, "database: %zu parameters, %zu values: %s", s->params, n,
                       sql);
    SR_TRY(bind_all(b, args, n, err));
    (void)snprintf(name, sizeof name, "s%llu", (unsigned long long)s->name);
    *ret = pq()->PQexecPrepared(db->c, name, (int)n, b->value, b->length, b->format, 1);
    return SR_OK;
}

static sr_status pg_start(struct db *base, const char *sql, const struct db_val *args, size_t n,
                          bool copy, struct db_rows **ret_r, struct sr_err *err) {
    struct pg *db = (struct pg *)base;
    (void)copy; /* the values have been sent when this returns */
    if (n > DB_PARAMS_MAX)
        return sr_fail(err, SR_E_USAGE, "database: more than %d values", DB_PARAMS_MAX);
    SR_TRY(alive(db, err));
    struct bound b = {0};
    PGresult *res = NULL;
    buf_init(&b.room, DB_VALUE_MAX);
    sr_status st = exec(db, sql, args, n, &b, &res, err);
    buf_done(&b.room);
    if (st == SR_OK && !good(res)) st = pg_fail(db->c, res, sql, err);
    struct rows *r = st == SR_OK ? sr_calloc_n(1, sizeof *r) : NULL;
    if (!r) {
        pq()->PQclear(res);
        return st == SR_OK ? sr_fail(err, SR_E_NOMEM, "out of memory") : st;
    }
    *r = (struct rows){.base = {base}, .res = res, .at = -1, .n = pq()->PQntuples(res)};
    *ret_r = &r->base;
    return SR_OK;
}

static bool pg_next(struct db_rows *base) {
    struct rows *r = (struct rows *)base;
    if (r->at + 1 >= r->n) {
        r->at = r->n;
        return false;
    }
    r->at++;
    return true;
}

static sr_status pg_end(struct db_rows *base, uint64_t *ret_changed, struct sr_err *err) {
    struct rows *r = (struct rows *)base;
    (void)err;
    *ret_changed = 0;
    const char *n = pq()->PQcmdTuples(r->res);
    (void)!num_u64(slice_str(n), UINT64_MAX, ret_changed);
    pq()->PQclear(r->res);
    free(r);
    return SR_OK;
}

static db_type pg_type(struct db_rows *base, unsigned col) {
    struct rows *r = (struct rows *)base;
    int c = (int)col;
    if (r->at < 0 || r->at >= r->n || c >= pq()->PQnfields(r->res) ||
        pq()->PQgetisnull(r->res, r->at, c))
        return DB_NULL;
    switch (pq()->PQftype(r->res, c)) {
    case OID_BOOL:
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_NUMERIC: return DB_INT;
    case OID_BYTEA: return DB_BLOB;
    default: return DB_TEXT;
    }
}

static struct slice pg_bytes(struct db_rows *base, unsigned col) {
    struct rows *r = (struct rows *)base;
    return slice_of((const uint8_t *)pq()->PQgetvalue(r->res, r->at, (int)col),
                    (size_t)pq()->PQgetlength(r->res, r->at, (int)col));
}

/* What a sum of BIGINTs is: digits to the base 10 000. Fractions are cut, too much is the most. */
static int64_t numeric(struct slice s) {
    struct rd r = rd_of(s);
    unsigned digits = rd_u16(&r), weight = rd_u16(&r), sign = rd_u16(&r);
    int64_t v = 0;
    (void)rd_u16(&r);
    if (r.bad || weight >= 0x8000 || (sign != 0 && sign != 0x4000)) return 0; /* less than 1, NaN */
    for (unsigned i = 0; i <= weight; i++) {
        int64_t d = i < digits ? rd_u16(&r) : 0;
        if (__builtin_mul_overflow(v, 10000, &v) || __builtin_add_overflow(v, d, &v))
            return sign ? INT64_MIN : INT64_MAX;
    }
    return sign ? -v : v;
}

static int64_t pg_i64(struct db_rows *base, unsigned col) {
    struct rows *r = (struct rows *)base;
    struct slice s = pg_bytes(base, col);
    if (pq()->PQftype(r->res, (int)col) == OID_NUMERIC) return numeric(s);
    struct rd in = rd_of(s);
    switch (s.n) {
    case 1: return rd_u8(&in);
    case 2: return (int16_t)rd_u16(&in);
    case 4: return (int32_t)rd_u32(&in);
    case 8: return (int64_t)rd_u64(&in);
    default: return 0;
    }
}

/* ---- the database */

static bool pg_in_tx(struct db *base) {
    PGTransactionStatusType t = pq()->PQtransactionStatus(((struct pg *)base)->c);
    return t == PQTRANS_INTRANS || t == PQTRANS_INERROR;
}

static sr_status pg_migrate(struct db *base, bool begin, struct sr_err *err) {
    char sql[80];
    (void)snprintf(sql, sizeof sql, "SELECT pg_advisory_%s(%u)", begin ? "lock" : "unlock",
                   LOCK_SCHEMA);
    return pg_script(base, sql, err);
}

static sr_status pg_check(struct db *base, struct sr_err *err) {
    return pg_script(base, "SELECT 1", err);
}

int pg_backend(const struct db *base) {
    return pq()->PQbackendPID(((const struct pg *)base)->c);
}

static int pg_sync_fd(struct db *base) {
    (void)base;
    return -1;
}

static void pg_close(struct db *base) {
    struct pg *db = (struct pg *)base;
    forget_statements(db);
    pq()->PQfinish(db->c);
    free(db);
}

static const struct db_ops ops = {.close = pg_close,
                                  .script = pg_script,
                                  .start = pg_start,
                                  .next = pg_next,
                                  .end = pg_end,
                                  .type = pg_type,
                                  .i64 = pg_i64,
                                  .bytes = pg_bytes,
                                  .begin = "BEGIN",
                                  .in_tx = pg_in_tx,
                                  .committed = pg_committed,
                                  .migrate = pg_migrate,
                                  .check = pg_check,
                                  .sync_fd = pg_sync_fd,
                                  .blob_open = "'\\x",
                                  .blob_close = "'::bytea",
                                  .shared = true};

sr_status db_pg_open(const char *url, unsigned flags, struct db **ret, struct sr_err *err) {
    /* each commit is on the server's disk, unless its owner set it otherwise */
    struct pg *db = sr_calloc_n(1, sizeof *db);
    if (!db) return sr_fail(err, SR_E_NOMEM, "out of memory");
    db->base.ops = &ops;
    db->flags = flags;
    sr_status st = pg_connect(url, &db->c, err);
    if (st == SR_OK) {
        st = settle(db, err);
        if (st != SR_OK) pq()->PQfinish(db->c);
    }
    if (st != SR_OK) {
        free(db);
        return st;
    }
    *ret = &db->base;
    return SR_OK;
}
