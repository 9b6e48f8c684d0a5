/* SPDX-License-Identifier: Apache-2.0 */
/* pg_link.c - loading libpq, connecting; connections that are told: news of others, a lock's turn
 */
#include "db/pg_int.h"
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define UP "is the PostgreSQL server up, and does it let this role in?"

static struct pq calls; /* filled once; only ever the same values */
static bool loaded;

#define AT(call)                                                                                   \
    { #call, offsetof(struct pq, call) }
static const struct {
    const char *name;
    size_t offset;
} table[] = {AT(PQbackendPID),
             AT(PQclear),
             AT(PQcmdStatus),
             AT(PQcmdTuples),
             AT(PQconnectPoll),
             AT(PQconnectStartParams),
             AT(PQconnectdbParams),
             AT(PQconninfoFree),
             AT(PQconninfoParse),
             AT(PQconsumeInput),
             AT(PQenterPipelineMode),
             AT(PQerrorMessage),
             AT(PQexitPipelineMode),
             AT(PQfinish),
             AT(PQflush),
             AT(PQfreemem),
             AT(PQftype),
             AT(PQgetResult),
             AT(PQgetisnull),
             AT(PQgetlength),
             AT(PQgetvalue),
             AT(PQgssEncInUse),
             AT(PQisBusy),
             AT(PQnfields),
             AT(PQnotifies),
             AT(PQntuples),
             AT(PQpipelineSync),
             AT(PQresultErrorField),
             AT(PQresultStatus),
             AT(PQsendPrepare),
             AT(PQsendQuery),
             AT(PQsendQueryParams),
             AT(PQsendQueryPrepared),
             AT(PQsetNoticeProcessor),
             AT(PQsetnonblocking),
             AT(PQsocket),
             AT(PQsslInUse),
             AT(PQstatus),
             AT(PQtransactionStatus)};

const struct pq *pq(void) {
    return &calls;
}

static sr_status load(struct sr_err *err) {
    if (loaded) return SR_OK;
    void *lib = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL); /* for the process's life */
    if (!lib) {
        sr_hint(err, "install the package libpq5");
        return sr_fail(err, SR_E_UNAVAILABLE, "database: libpq.so.5 is not on this machine");
    }
    for (size_t i = 0; i < SR_ARRAY_LEN(table); i++) {
        void *at = dlsym(lib, table[i].name);
        if (!at) return sr_fail(err, SR_E_UNAVAILABLE, "database: libpq has no %s", table[i].name);
        memcpy((char *)&calls + table[i].offset, &at, sizeof at);
    }
    loaded = true;
    return SR_OK;
}

static void quiet(void *arg, const char *text) {
    (void)arg;
    (void)text;
}

/* Everybody sees the arguments of a process. */
static sr_status no_password(const char *url, struct sr_err *err) {
    char *text = NULL;
    PQconninfoOption *o = calls.PQconninfoParse(url, &text), *i = o;
    calls.PQfreemem(text);
    if (!o) return sr_fail(err, SR_E_USAGE, "database: this is no PostgreSQL URL");
    bool has = false;
    for (; i->keyword; i++) has = has || (strcmp(i->keyword, "password") == 0 && i->val && *i->val);
    calls.PQconninfoFree(o);
    if (!has) return SR_OK;
    sr_hint(err,
            "leave it out, and put it into the file that PGPASSFILE names, or into a service file");
    return sr_fail(err, SR_E_USAGE, "database: the URL holds a password");
}

static PGconn *start(const char *url, bool wait) {
    const char *names[] =
        {"keepalives_idle", "keepalives_interval", "keepalives_count",          "tcp_user_timeout",
         "dbname", /* what follows goes before it, what precedes it behind */
         "client_encoding", "connect_timeout",     "fallback_application_name", NULL},
               *values[] = {
                   PG_KEEPALIVE_S, PG_KEEPALIVE_GAP, PG_KEEPALIVES, PG_UNHEARD_MS, url, "UTF8",
                   "10",           "strongroom",     NULL};
    return wait ? calls.PQconnectdbParams(names, values, 1)
                : calls.PQconnectStartParams(names, values, 1);
}

/* Its names are looked up on the thread all the same. */
static sr_status wait_connected(PGconn *c, const struct db_waits *w, struct sr_err *err) {
    PostgresPollingStatusType s = PGRES_POLLING_WRITING;
    int64_t end = clock_mono_us() + (int64_t)DB_CONNECT_MS * 1000;
    while (calls.PQstatus(c) != CONNECTION_BAD && s != PGRES_POLLING_OK &&
           s != PGRES_POLLING_FAILED) {
        struct sr_err e = {0};
        int64_t left = (end - clock_mono_us()) / 1000;
        sr_status st = SR_E_TIMEOUT;
        if (left > 0)
            st = w->ready(calls.PQsocket(c), s == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                          (uint64_t)left, &e);
        if (st == SR_E_TIMEOUT) {
            sr_hint(err, UP);
            return sr_fail(err, SR_E_UNAVAILABLE, "database: the server does not answer");
        }
        if (st != SR_OK) return sr_fail(err, st, "database: %s", e.what);
        s = calls.PQconnectPoll(c);
    }
    return SR_OK;
}

sr_status pg_connect(const char *url, const struct db_waits *w, PGconn **ret, struct sr_err *err) {
    SR_TRY(load(err));
    SR_TRY(no_password(url, err));
    PGconn *c = start(url, !w);
    if (!c) return sr_fail(err, SR_E_NOMEM, "out of memory");
    sr_status st = w ? wait_connected(c, w, err) : SR_OK;
    if (st == SR_OK && calls.PQstatus(c) != CONNECTION_OK) {
        char first[100];
        (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(calls.PQerrorMessage(c), "\n"),
                       calls.PQerrorMessage(c));
        sr_hint(err, UP);
        st = sr_fail(err, SR_E_UNAVAILABLE, "database: %s", first);
    }
    if (st != SR_OK) {
        calls.PQfinish(c);
        return st;
    }
    (void)calls.PQsetNoticeProcessor(c, quiet, NULL);
    *ret = c;
    return SR_OK;
}

/* ---- being told */

struct db_link {
    PGconn *c;
    bool lock, anew;      /* it waits for one; and must begin to, once more */
    char sql[96];         /* that it waits for */
    const struct db *own; /* what it says is no news */
};

/* Statements with ';', to their end, on the thread. */
static sr_status run_first(PGconn *c, const char *sql, struct sr_err *err) {
    if (!calls.PQsendQuery(c, sql)) return pg_fail(c, NULL, "link", err);
    sr_status st = SR_OK;
    for (PGresult *res; (res = calls.PQgetResult(c)); calls.PQclear(res))
        if (st == SR_OK && !pg_good(res)) st = pg_fail(c, res, "link", err);
    return st;
}

/* first (may be NULL) is run to its end, then sql begun. */
static sr_status open_link(const char *url, const char *first, const char *sql, bool lock,
                           struct db_link **ret, struct sr_err *err) {
    struct db_link *l = sr_calloc_n(1, sizeof *l);
    if (!l) return sr_fail(err, SR_E_NOMEM, "out of memory");
    l->lock = lock;
    (void)snprintf(l->sql, sizeof l->sql, "%s", sql);
    sr_status st = pg_connect(url, NULL, &l->c, err);
    if (st == SR_OK && first) st = run_first(l->c, first, err);
    if (st == SR_OK && !calls.PQsendQuery(l->c, l->sql)) st = pg_fail(l->c, NULL, "link", err);
    if (st != SR_OK) {
        db_link_close(l);
        return st;
    }
    *ret = l;
    return SR_OK;
}

sr_status db_listen(const char *url, const char *channel, const struct db *own,
                    struct db_link **ret, struct sr_err *err) {
    char sql[96];
    struct db_link *l;
    (void)snprintf(sql, sizeof sql, "LISTEN %.64s", channel);
    SR_TRY(open_link(url, NULL, sql, false, &l, err));
    l->own = own;
    *ret = l;
    return SR_OK;
}

/* Whoever waits in a statement keeps its snapshot, and while that is old the server clears away
 * nothing that others delete or change. So the wait is begun anew now and then. */
#define LOCK_WAIT "SET lock_timeout = '500ms'"

sr_status db_queue_for(const char *url, uint32_t lock, struct db_link **ret, struct sr_err *err) {
    char sql[sizeof((struct db_link *)NULL)->sql];
    (void)snprintf(sql, sizeof sql, "SELECT pg_advisory_lock(%u)", lock);
    return open_link(url, LOCK_WAIT, sql, true, ret, err);
}

int db_link_fd(const struct db_link *l) {
    return calls.PQsocket(l->c);
}

/* The answers that are there. *ret_told: the lock is ours. */
static sr_status read_answers(struct db_link *l, bool *ret_told, struct sr_err *err) {
    sr_status st = SR_OK;
    for (PGresult *res; st == SR_OK && !calls.PQisBusy(l->c) && (res = calls.PQgetResult(l->c));
         calls.PQclear(res)) {
        if (l->lock && pg_class_is(res, "55P03"))
            l->anew = true;
        else if (pg_good(res))
            *ret_told = *ret_told || l->lock;
        else
            st = pg_fail(l->c, res, "link", err);
    }
    return st;
}

static void read_news(struct db_link *l, bool *ret_told, struct buf *text) {
    for (PGnotify *n; (n = calls.PQnotifies(l->c)); calls.PQfreemem(n)) {
        if (n->be_pid == pg_backend(l->own)) continue;
        *ret_told = true;
        if (!text || !n->extra[0]) continue;
        buf_str(text, n->extra);
        buf_str(text, "\n");
    }
}

sr_status db_link_poll(struct db_link *l, bool *ret_told, struct buf *text, struct sr_err *err) {
    bool told = false;
    struct pollfd more = {.fd = calls.PQsocket(l->c), .events = POLLIN};
    do { /* to the last byte that is there: whoever waits for it waits for the next one */
        if (!calls.PQconsumeInput(l->c)) return pg_fail(l->c, NULL, "link", err);
        SR_TRY(read_answers(l, &told, err));
        read_news(l, &told, text);
    } while (poll(&more, 1, 0) == 1 && more.revents == POLLIN);
    if (l->anew && calls.PQtransactionStatus(l->c) == PQTRANS_IDLE) { /* it has said all of it */
        l->anew = false;
        if (!calls.PQsendQuery(l->c, l->sql)) return pg_fail(l->c, NULL, "link", err);
    }
    if (calls.PQstatus(l->c) != CONNECTION_OK) return pg_fail(l->c, NULL, "link", err);
    *ret_told = told;
    return SR_OK;
}

void db_link_close(struct db_link *l) {
    if (!l) return;
    if (l->c) calls.PQfinish(l->c);
    free(l);
}

sr_status db_lock_in_tx(struct db *db, uint32_t lock, bool shared, struct sr_err *err) {
    char sql[96];
    if (!db_is_shared(db)) return SR_OK;
    (void)snprintf(sql, sizeof sql, "SELECT pg_advisory_xact_lock%s(%u)", shared ? "_shared" : "",
                   lock);
    return db_script(db, sql, err);
}
