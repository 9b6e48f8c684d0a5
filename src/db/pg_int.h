/* SPDX-License-Identifier: Apache-2.0 */
/* pg_int.h - libpq, loaded at its first use (other roles need not carry it and what it needs), and
 * what the parts of the engine over it have in common */
#pragma once
#include "db/db_int.h"
#include <libpq-fe.h>

/* A server that vanished is noticed by TCP, unless the URL says otherwise. */
#define PG_KEEPALIVE_S   "30" /* silence before it is asked */
#define PG_KEEPALIVE_GAP "10"
#define PG_KEEPALIVES    "3"
#define PG_LOOK_MS       "1000"  /* a server at work looks so often whether its client has left */
#define PG_UNHEARD_MS    "30000" /* what was sent and nobody confirmed; also for connecting */

struct pq {
    __typeof__(PQbackendPID) *PQbackendPID;
    __typeof__(PQclear) *PQclear;
    __typeof__(PQcmdStatus) *PQcmdStatus;
    __typeof__(PQcmdTuples) *PQcmdTuples;
    __typeof__(PQconnectPoll) *PQconnectPoll;
    __typeof__(PQconnectStartParams) *PQconnectStartParams;
    __typeof__(PQconnectdbParams) *PQconnectdbParams;
    __typeof__(PQconninfoFree) *PQconninfoFree;
    __typeof__(PQconninfoParse) *PQconninfoParse;
    __typeof__(PQconsumeInput) *PQconsumeInput;
    __typeof__(PQenterPipelineMode) *PQenterPipelineMode;
    __typeof__(PQerrorMessage) *PQerrorMessage;
    __typeof__(PQexitPipelineMode) *PQexitPipelineMode;
    __typeof__(PQfinish) *PQfinish;
    __typeof__(PQflush) *PQflush;
    __typeof__(PQfreemem) *PQfreemem;
    __typeof__(PQftype) *PQftype;
    __typeof__(PQgetResult) *PQgetResult;
    __typeof__(PQgetisnull) *PQgetisnull;
    __typeof__(PQgetlength) *PQgetlength;
    __typeof__(PQgetvalue) *PQgetvalue;
    __typeof__(PQgssEncInUse) *PQgssEncInUse;
    __typeof__(PQisBusy) *PQisBusy;
    __typeof__(PQnfields) *PQnfields;
    __typeof__(PQnotifies) *PQnotifies;
    __typeof__(PQntuples) *PQntuples;
    __typeof__(PQpipelineSync) *PQpipelineSync;
    __typeof__(PQresultErrorField) *PQresultErrorField;
    __typeof__(PQresultStatus) *PQresultStatus;
    __typeof__(PQsendPrepare) *PQsendPrepare;
    __typeof__(PQsendQuery) *PQsendQuery;
    __typeof__(PQsendQueryParams) *PQsendQueryParams;
    __typeof__(PQsendQueryPrepared) *PQsendQueryPrepared;
    __typeof__(PQsetNoticeProcessor) *PQsetNoticeProcessor;
    __typeof__(PQsetnonblocking) *PQsetnonblocking;
    __typeof__(PQsocket) *PQsocket;
    __typeof__(PQsslInUse) *PQsslInUse;
    __typeof__(PQstatus) *PQstatus;
    __typeof__(PQtransactionStatus) *PQtransactionStatus;
};
/* After a pg_connect that went well. */
const struct pq *pq(void);
/* Waits by w, on the thread without. Owned: PQfinish. */
SR_CHECK sr_status pg_connect(const char *url, const struct db_waits *w, PGconn **ret,
                              struct sr_err *err);
SR_CHECK sr_status pg_fail(PGconn *c, const PGresult *res, const char *what, struct sr_err *err);
bool pg_good(const PGresult *res);
bool pg_class_is(const PGresult *res, const char *class); /* its SQLSTATE begins so */
int pg_backend(const struct db *db);                      /* process of the server that serves it */

/* ---- connections (pg_conn.c) */

/* A prepared statement is known to the server as "s<name>". */
struct pg_stmt {
    char *sql; /* NULL: the place is free */
    size_t len;
    uint64_t used;
    uint64_t name, there; /* that was or is being given to it; that the server has; 0: none */
};
struct pg_conn {
    PGconn *c;          /* NULL: to be made */
    bool busy;          /* a statement is under way */
    bool records;       /* encrypted: libpq may hold more than the socket shows */
    bool broken;        /* in the middle of one: what comes belongs to nobody any more */
    bool lost, unknown; /* why the statement failed: no connection; it has none of our names */
    struct pg_stmt cache[DB_CACHED];
    size_t n;
    uint64_t clock, names;
};
struct pg_turn; /* one that waits for a connection */
struct pg {
    struct db base;
    char *url;
    unsigned flags;
    const struct db_waits *w;
    struct pg_conn *conns[DB_CONNECTIONS_MAX]; /* the first is there from the start */
    unsigned n, max;
    struct pg_turn *first, **end;
};

/* An idle connection; waits for one. */
SR_CHECK sr_status pg_take(struct pg *db, struct pg_conn **ret, struct sr_err *err);
void pg_give(struct pg *db, struct pg_conn *k);
void pg_conn_free(struct pg_conn *take_k);
bool pg_is_dead(const struct pg_conn *k);
/* Makes a connection that broke again, but never within a transaction. */
SR_CHECK sr_status pg_alive(struct pg *db, struct pg_conn *k, struct sr_err *err);
void pg_forget(struct pg_conn *k); /* the server knows none of the statements */
/* Gives up the connection. */
SR_CHECK sr_status pg_lost(struct pg_conn *k, const char *what, struct sr_err *err);
/* Waits for events on it, gives it up if the wait fails, and reads what is there. */
SR_CHECK sr_status pg_io(struct pg *db, struct pg_conn *k, int events, struct sr_err *err);
/* Whoever sees one gives up the connection: nobody here knows how to go on. */
bool pg_is_copy(struct pg_conn *k, const PGresult *res, struct sr_err *err);
/* What was sent is answered: waits for all of it. The last result, or the first that is a failure;
 * owned. */
SR_CHECK sr_status pg_answer(struct pg *db, struct pg_conn *k, PGresult **ret, struct sr_err *err);

/* ---- values and rows (pg_value.c) */

struct pg_bound { /* in libpq's form; owned: pg_bound_done */
    const char *value[DB_PARAMS_MAX];
    int length[DB_PARAMS_MAX], format[DB_PARAMS_MAX];
    char number[DB_PARAMS_MAX][24];
    struct buf room;
};
SR_CHECK sr_status pg_values_check(const struct db_val *args, size_t n, struct sr_err *err);
SR_CHECK sr_status pg_bind(struct pg_bound *ret_b, const struct db_val *args, size_t n,
                           struct sr_err *err);
void pg_bound_done(struct pg_bound *b);

struct pg_rows {
    struct db_rows base;
    PGresult *res;
    int at, n; /* row now; rows */
};
struct pg_rows pg_rows_of(struct db *db, PGresult *res);
uint64_t pg_changed(const PGresult *res);
bool pg_next(struct db_rows *base);
db_type pg_type(struct db_rows *base, unsigned col);
int64_t pg_i64(struct db_rows *base, unsigned col);
struct slice pg_bytes(struct db_rows *base, unsigned col);

/* ---- statements (pg_pipe.c) */

struct pg_stmt *pg_cached(struct pg_conn *k, const char *sql); /* the server has it; else NULL */
#define PG_NAME_MAX 24
void pg_name(char out[PG_NAME_MAX], uint64_t name);
/* All statements in one go, prepared where need be. keep: the first's result instead of its rows;
 * owned, NULL on failure. ret_given, set on failure too: rows were given. */
SR_CHECK sr_status pg_pipe(struct pg *db, struct pg_conn *k, struct db_stmt *s, size_t n,
                           PGresult **keep, bool *ret_given, struct sr_err *err);
