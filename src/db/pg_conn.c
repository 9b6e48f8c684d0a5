/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_conn.c - connections to a PostgreSQL server: who has one, waiting on it, making it again
 *
 * A written database has one, and whoever writes holds the owner's lock. A read-only one has up to
 * `max`; those that find none idle queue, and each that is given back goes to the first of them.
 */
#include "db/pg_int.h"
#include <poll.h>
#include <stdlib.h>

/* ---- who has one */

struct pg_turn { /* on its fiber's stack */
    void *place;
    struct pg_turn *next;
    struct pg_conn *got;
};

static void leave_queue(struct pg *db, const struct pg_turn *t) {
    struct pg_turn **at = &db->first;
    while (*at && *at != t) at = &(*at)->next;
    if (!*at) return;
    *at = t->next;
    if (!*at) db->end = at;
}

static sr_status wait_turn(struct pg *db, struct pg_conn **ret, struct sr_err *err) {
    struct pg_turn t = {0};
    sr_status st = SR_OK;
    *db->end = &t;
    db->end = &t.next;
    while (!t.got && st == SR_OK) st = db->w->park(&t.place, err);
    if (st == SR_OK)
        *ret = t.got;
    else if (t.got)
        pg_give(db, t.got);
    else
        leave_queue(db, &t);
    return st;
}

static struct pg_conn *idle_one(struct pg *db) {
    struct pg_conn *any = NULL;
    for (unsigned i = 0; i < db->n; i++) {
        struct pg_conn *k = db->conns[i];
        if (k->busy) continue;
        if (!pg_is_dead(k)) return k;
        if (!any) any = k;
    }
    return any;
}

sr_status pg_take(struct pg *db, struct pg_conn **ret, struct sr_err *err) {
    struct pg_conn *k = idle_one(db);
    if (!k && db->n < db->max) {
        k = sr_calloc_n(1, sizeof *k);
        if (!k) return sr_fail(err, SR_E_NOMEM, "out of memory");
        db->conns[db->n++] = k;
    }
    if (!k) {
        SR_ASSERT(db->flags & DB_READ_ONLY); /* else two write at once: the owner's lock failed */
        SR_TRY(wait_turn(db, &k, err));
    }
    k->busy = true;
    *ret = k;
    return SR_OK;
}

void pg_give(struct pg *db, struct pg_conn *k) {
    struct pg_turn *t = db->first;
    k->busy = t != NULL;
    if (!t) return;
    leave_queue(db, t);
    t->got = k;
    db->w->wake(&t->place);
}

/* ---- one that broke */

bool pg_is_dead(const struct pg_conn *k) {
    return k->broken || pq()->PQstatus(k->c) != CONNECTION_OK;
}

void pg_forget(struct pg_conn *k) {
    for (size_t i = 0; i < k->n; i++) free(k->cache[i].sql);
    k->n = 0;
}

/* Says good-bye, but does not wait for it. */
static void hang_up(struct pg_conn *k) {
    pg_forget(k);
    if (k->c) pq()->PQfinish(k->c);
    k->c = NULL;
}

void pg_conn_free(struct pg_conn *k) {
    if (!k) return;
    hang_up(k);
    free(k);
}

static sr_status set(struct pg *db, struct pg_conn *k, const char *sql, bool must,
                     struct sr_err *err) {
    PGresult *res = NULL;
    if (!pq()->PQsendQuery(k->c, sql)) return pg_lost(k, "connect", err);
    SR_TRY(pg_answer(db, k, &res, err));
    sr_status st = pg_good(res) || !must ? SR_OK : pg_fail(k->c, res, "connect", err);
    pq()->PQclear(res);
    return st;
}

/* A connection that is given up in the middle of a statement would keep its locks until the server
 * is done with it, unless that looks whether anybody waits for it. Not every server can. */
static sr_status settle(struct pg *db, struct pg_conn *k, struct sr_err *err) {
    const char *sql = "SET jit = off; SET standard_conforming_strings = on; "
                      "SET default_transaction_isolation = 'read committed'";
    if (db->flags & DB_READ_ONLY)
        sql = "SET jit = off; SET standard_conforming_strings = on; "
              "SET default_transaction_isolation = 'read committed'; "
              "SET default_transaction_read_only = on";
    if (pq()->PQsetnonblocking(k->c, 1) != 0) return pg_lost(k, "connect", err);
    sr_status st = set(db, k, sql, true, err);
    if (st == SR_OK)
        st = set(db, k, "SET client_connection_check_interval = " PG_LOOK_MS, false, err);
    if (st != SR_OK) k->broken = true;
    return st;
}

sr_status pg_alive(struct pg *db, struct pg_conn *k, struct sr_err *err) {
    if (k->c && !pg_is_dead(k)) return SR_OK;
    if (db->base.level) return pg_lost(k, "in a transaction", err);
    hang_up(k);
    SR_TRY(pg_connect(db->url, db->w, &k->c, err));
    k->broken = false;
    k->records = pq()->PQsslInUse(k->c) || pq()->PQgssEncInUse(k->c);
    return settle(db, k, err);
}

sr_status pg_lost(struct pg_conn *k, const char *what, struct sr_err *err) {
    k->broken = k->lost = true;
    return pg_fail(k->c, NULL, what, err);
}

/* ---- waiting */

static sr_status wait_on_thread(int fd, int events, uint64_t timeout_ms, struct sr_err *err) {
    struct pollfd p = {.fd = fd, .events = (short)events};
    for (;;) {
        int n = poll(&p, 1, timeout_ms ? (int)timeout_ms : -1);
        if (n > 0) return SR_OK;
        if (n == 0) return sr_fail(err, SR_E_TIMEOUT, "nothing came in time");
        if (errno != EINTR) return sr_fail(err, SR_E_SYS, "wait for the database");
    }
}

/* What is written may have to wait for others' locks: as long as the server is there. */
sr_status pg_io(struct pg *db, struct pg_conn *k, int events, struct sr_err *err) {
    int fd = pq()->PQsocket(k->c);
    if (fd < 0) return pg_lost(k, "wait", err);
    if (k->records) { /* the rest of a record that did not fit before makes no descriptor readable
                       */
        if (!pq()->PQconsumeInput(k->c)) return pg_lost(k, "wait", err);
        if (!pq()->PQisBusy(k->c)) return SR_OK;
    }
    uint64_t ms = db->flags & DB_READ_ONLY ? DB_SILENT_MS : 0;
    sr_status st = db->w ? db->w->ready(fd, events, ms, err) : wait_on_thread(fd, events, ms, err);
    if (st != SR_OK) {
        k->broken = true;
        sr_err_prefix(err, "database");
        return st;
    }
    return pq()->PQconsumeInput(k->c) ? SR_OK : pg_lost(k, "wait", err);
}

static sr_status wait_result(struct pg *db, struct pg_conn *k, struct sr_err *err) {
    while (pq()->PQisBusy(k->c)) {
        int left = pq()->PQflush(k->c);
        if (left < 0) return pg_lost(k, "send", err);
        SR_TRY(pg_io(db, k, left ? POLLIN | POLLOUT : POLLIN, err));
    }
    return SR_OK;
}

bool pg_is_copy(struct pg_conn *k, const PGresult *res, struct sr_err *err) {
    ExecStatusType st = pq()->PQresultStatus(res);
    if (st != PGRES_COPY_IN && st != PGRES_COPY_OUT && st != PGRES_COPY_BOTH) return false;
    k->broken = true;
    (void)sr_fail(err, SR_E_USAGE, "database: COPY is none of this house's statements");
    return true;
}

sr_status pg_answer(struct pg *db, struct pg_conn *k, PGresult **ret, struct sr_err *err) {
    PGresult *kept = NULL, *res;
    struct sr_err e = {0};
    sr_status st;
    while ((st = wait_result(db, k, &e)) == SR_OK && (res = pq()->PQgetResult(k->c))) {
        bool first_failure = kept && !pg_good(kept);
        bool copy = pg_is_copy(k, res, &e);
        if (copy) st = SR_E_USAGE;
        pq()->PQclear(first_failure || copy ? res : kept);
        if (copy) break;
        if (!first_failure) kept = res;
    }
    if (st == SR_OK && !kept) st = pg_lost(k, "answer", &e);
    if (st != SR_OK && (!kept || pg_good(kept))) {
        pq()->PQclear(kept);
        if (err && err->code == SR_OK) *err = e;
        return st;
    }
    *ret = kept; /* or the server's last words */
    return SR_OK;
}
