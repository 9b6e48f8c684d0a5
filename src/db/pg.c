/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg.c - db.h over PostgreSQL, by libpq, which is loaded by whoever uses it
 *
 * Whether the waits are a fiber's or the thread's (db_wait_by) is decided in one place, pg_conn.c;
 * the conversation with the server is the same.
 */
#include "db/pg_int.h"
#include <stdio.h>
#include <stdlib.h>

#define LOCK_SCHEMA 0x5352u /* advisory locks are the whole database's */
#define BEGIN       "BEGIN"

/* ---- failures */

static bool class_is(const char *state, const char *class) {
    return state && strncmp(state, class, strlen(class)) == 0;
}

bool pg_class_is(const PGresult *res, const char *class) {
    return class_is(pq()->PQresultErrorField(res, PG_DIAG_SQLSTATE), class);
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
    if (class_is(state, "42") || class_is(state, "22") || class_is(state, "25") ||
        class_is(state, "08P01")) /* more or fewer values than parameters */
        return sr_fail(err, SR_E_USAGE, "database: %.*s: %s", cut, what, text);
    if (!state || class_is(state, "57P") || class_is(state, "08") || class_is(state, "26") ||
        pq()->PQstatus(c) == CONNECTION_BAD) {
        sr_hint(err, "is the PostgreSQL server up, and does it let this role in?");
        return sr_fail(err, SR_E_UNAVAILABLE, "database: %.*s: %s", cut, what, text);
    }
    errno = EIO;
    return sr_fail(err, SR_E_SYS, "database: %.*s: %s", cut, what, text);
}

bool pg_good(const PGresult *res) {
    ExecStatusType st = pq()->PQresultStatus(res);
    return st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK || st == PGRES_EMPTY_QUERY;
}

/* ---- asking */

struct ask {
    struct db_stmt *s; /* n of them, in one go; of a script only the text */
    size_t n;
    bool script, given;
    PGresult *res; /* of a script, or of a single statement without a row function */
};

static sr_status ask_script(struct pg *db, struct pg_conn *k, struct ask *a, struct sr_err *err) {
    if (!pq()->PQsendQuery(k->c, a->s->sql)) return pg_lost(k, a->s->sql, err);
    return pg_answer(db, k, &a->res, err);
}

/* One that the server knows already needs no pipe. */
static sr_status ask_one(struct pg *db, struct pg_conn *k, struct ask *a, struct sr_err *err) {
    const struct db_stmt *s = a->s;
    const struct pg_stmt *p = s->n ? pg_cached(k, s->sql) : NULL;
    char name[PG_NAME_MAX];
    int ok;
    if (s->n == 0) {
        ok = pq()->PQsendQueryParams(k->c, s->sql, 0, NULL, NULL, NULL, NULL, 1);
    } else if (p) {
        struct pg_bound b;
        SR_TRY(pg_bind(&b, s->args, s->n, err));
        pg_name(name, p->name);
        ok = pq()->PQsendQueryPrepared(k->c, name, (int)s->n, b.value, b.length, b.format, 1);
        pg_bound_done(&b);
    } else {
        return pg_pipe(db, k, a->s, 1, &a->res, &a->given, err);
    }
    return ok ? pg_answer(db, k, &a->res, err) : pg_lost(k, s->sql, err);
}

static sr_status ask_once(struct pg *db, struct pg_conn *k, struct ask *a, struct sr_err *err) {
    k->lost = k->unknown = false;
    SR_TRY(pg_alive(db, k, err));
    if (!a->script && a->n > 1) return pg_pipe(db, k, a->s, a->n, NULL, &a->given, err);
    SR_TRY(a->script ? ask_script(db, k, a, err) : ask_one(db, k, a, err));
    if (pg_good(a->res)) return SR_OK;
    sr_status st = pg_fail(k->c, a->res, a->script ? "script" : a->s->sql, err);
    k->unknown = pg_class_is(a->res, "26000");
    pq()->PQclear(a->res);
    a->res = NULL;
    return st;
}

/* Nothing has happened and nobody has seen anything: a connection that was lost while it was idle,
 * a server that forgot the statements. */
static bool may_ask_again(const struct pg *db, const struct pg_conn *k, const struct ask *a) {
    if (db->base.level || a->given) return false;
    if (k->lost) return db->flags & DB_READ_ONLY || (a->script && strcmp(a->s->sql, BEGIN) == 0);
    return k->unknown && !pg_is_dead(k) && pq()->PQtransactionStatus(k->c) == PQTRANS_IDLE;
}

static sr_status ask(struct pg *db, struct ask *a, struct sr_err *err) {
    struct pg_conn *k;
    struct sr_err e = {0};
    SR_TRY(pg_take(db, &k, err));
    sr_status st = ask_once(db, k, a, &e);
    if (st != SR_OK && k->unknown) pg_forget(k);
    if (st != SR_OK && may_ask_again(db, k, a)) {
        e = (struct sr_err){0};
        st = ask_once(db, k, a, &e);
    }
    pg_give(db, k);
    if (st != SR_OK && err && err->code == SR_OK) *err = e;
    return st;
}

/* ---- statements */

static sr_status pg_script(struct db *base, const char *sql, struct sr_err *err) {
    struct pg *db = (struct pg *)base;
    struct db_stmt s = {.sql = sql};
    struct ask a = {.s = &s, .n = 1, .script = true};
    if (db->w && db->flags & DB_READ_ONLY && strcmp(sql, BEGIN) == 0)
        return sr_fail(err, SR_E_USAGE, "database: a read-only one has no transactions");
    SR_TRY(ask(db, &a, err));
    pq()->PQclear(a.res);
    return SR_OK;
}

/* A transaction in which something failed ends with "ROLLBACK", which is no error to the server. */
static sr_status pg_committed(struct db *base, const char *verb, struct sr_err *err) {
    struct db_stmt s = {.sql = verb};
    struct ask a = {.s = &s, .n = 1, .script = true};
    SR_TRY(ask((struct pg *)base, &a, err));
    sr_status st = SR_OK;
    if (strcmp(pq()->PQcmdStatus(a.res), "COMMIT") != 0)
        st = sr_fail(err, SR_E_CONFLICT, "database: a statement of the transaction had failed");
    pq()->PQclear(a.res);
    return st;
}

static sr_status pg_start(struct db *base, const char *sql, const struct db_val *args, size_t n,
                          bool copy, struct db_rows **ret_r, struct sr_err *err) {
    struct db_stmt s = {.sql = sql, .args = args, .n = n};
    struct ask a = {.s = &s, .n = 1};
    (void)copy; /* the values have been sent when this returns */
    SR_TRY(pg_values_check(args, n, err));
    SR_TRY(ask((struct pg *)base, &a, err));
    struct pg_rows *r = sr_calloc_n(1, sizeof *r);
    if (!r) {
        pq()->PQclear(a.res);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    *r = pg_rows_of(base, a.res);
    *ret_r = &r->base;
    return SR_OK;
}

static sr_status pg_end(struct db_rows *base, uint64_t *ret_changed, struct sr_err *err) {
    struct pg_rows *r = (struct pg_rows *)base;
    (void)err;
    *ret_changed = pg_changed(r->res);
    pq()->PQclear(r->res);
    free(r);
    return SR_OK;
}

static sr_status pg_run_all(struct db *base, struct db_stmt *s, size_t n, struct sr_err *err) {
    struct ask a = {.s = s, .n = n};
    return ask((struct pg *)base, &a, err);
}

/* ---- the database */

static struct pg_conn *first_of(const struct db *base) {
    return ((const struct pg *)base)->conns[0];
}

static bool pg_in_tx(struct db *base) {
    if (pg_is_dead(first_of(base))) return false;
    PGTransactionStatusType t = pq()->PQtransactionStatus(first_of(base)->c);
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
    return pq()->PQbackendPID(first_of(base)->c);
}

static int pg_sync_fd(struct db *base) {
    (void)base;
    return DB_SYNC_NONE;
}

static void pg_wait_by(struct db *base, const struct db_waits *w, unsigned connections) {
    struct pg *db = (struct pg *)base;
    db->w = w;
    if (!(db->flags & DB_READ_ONLY)) return;
    db->max = connections < DB_CONNECTIONS_MAX ? connections : DB_CONNECTIONS_MAX;
    if (db->max < db->n) db->max = db->n;
}

static void pg_close(struct db *base) {
    struct pg *db = (struct pg *)base;
    for (unsigned i = 0; i < db->n; i++) pg_conn_free(db->conns[i]);
    free(db->url);
    free(db);
}

static const struct db_ops ops = {.close = pg_close,
                                  .script = pg_script,
                                  .start = pg_start,
                                  .next = pg_next,
                                  .end = pg_end,
                                  .run_all = pg_run_all,
                                  .type = pg_type,
                                  .i64 = pg_i64,
                                  .bytes = pg_bytes,
                                  .begin = BEGIN,
                                  .in_tx = pg_in_tx,
                                  .committed = pg_committed,
                                  .migrate = pg_migrate,
                                  .check = pg_check,
                                  .sync_fd = pg_sync_fd,
                                  .wait_by = pg_wait_by,
                                  .blob_open = "'\\x",
                                  .blob_close = "'::bytea",
                                  .shared = true};

sr_status db_pg_open(const char *url, unsigned flags, struct db **ret, struct sr_err *err) {
    /* each commit is on the server's disk, unless its owner set it otherwise */
    struct pg *db = sr_calloc_n(1, sizeof *db);
    struct pg_conn *k = sr_calloc_n(1, sizeof *k);
    char *own = strdup(url);
    if (!db || !k || !own) {
        free(db), free(k), free(own);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    db->base.ops = &ops;
    db->url = own;
    db->flags = flags;
    db->conns[0] = k;
    db->n = db->max = 1;
    db->end = &db->first;
    k->broken = true; /* libpq may not even be loaded yet */
    sr_status st = pg_alive(db, k, err);
    if (st != SR_OK) {
        pg_close(&db->base);
        return st;
    }
    *ret = &db->base;
    return SR_OK;
}
