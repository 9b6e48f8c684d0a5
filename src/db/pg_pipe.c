/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_pipe.c - many statements in one go: all are sent, then the answers come in the same order
 *
 * A statement that the server does not know yet is prepared on the way; so one pipe of one
 * statement costs no more than the statement. While the server takes no more its answers are read:
 * neither side waits for the other with full hands. After a failure the server passes over all that
 * follows up to the end of the pipe.
 */
#include "db/pg_int.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define FLUSH_BYTES (32u * 1024) /* queued before it is handed to the kernel */
#define FRAME_BYTES 64           /* of a statement around its values, about */
#define FEW         16           /* statements whose bookkeeping fits on the stack */
#define OPS_FOR_ONE 3

enum op_kind { OP_DROP, OP_PREPARE, OP_RUN };
struct op { /* what an answer is expected for */
    uint64_t name;
    uint32_t at; /* statement */
    uint8_t kind, place;
};
_Static_assert(DB_CACHED <= UINT8_MAX, "a place fits");

struct pipe {
    struct pg *db;
    struct pg_conn *k;
    struct db_stmt *s;
    size_t n, next;
    struct op *ops;
    size_t sent, answered;
    size_t queued;           /* bytes since the last flush */
    bool ended, over, given; /* its end was sent, was answered; rows were given */
    PGresult **keep;
    sr_status st; /* the first failure */
    struct sr_err why;
};

/* ---- prepared statements */

void pg_name(char out[PG_NAME_MAX], uint64_t name) {
    (void)snprintf(out, PG_NAME_MAX, "s%llu", (unsigned long long)name);
}

static struct pg_stmt *find(struct pg_conn *k, const char *sql) {
    size_t len = strlen(sql);
    for (size_t i = 0; i < k->n; i++) {
        struct pg_stmt *s = &k->cache[i];
        if (s->sql && s->len == len && memcmp(s->sql, sql, len) == 0) {
            s->used = ++k->clock;
            return s;
        }
    }
    return NULL;
}

struct pg_stmt *pg_cached(struct pg_conn *k, const char *sql) {
    return find(k, sql); /* between pipes only those that are there have a text */
}

/* A free place, or that of the statement idle for longest. */
static struct pg_stmt *place_for(struct pg_conn *k) {
    if (k->n < DB_CACHED) {
        k->cache[k->n] = (struct pg_stmt){0};
        return &k->cache[k->n++];
    }
    struct pg_stmt *best = &k->cache[0];
    for (size_t i = 0; i < k->n && best->sql; i++)
        if (!k->cache[i].sql || k->cache[i].used < best->used) best = &k->cache[i];
    return best;
}

/* What did not get to the server has no text any more; what is there without one is dropped when
 * its place is taken. */
static void tidy(struct pg_conn *k) {
    for (size_t i = 0; i < k->n; i++) {
        struct pg_stmt *s = &k->cache[i];
        if (s->name == s->there && s->sql) continue;
        free(s->sql);
        s->sql = NULL;
        s->name = s->there;
    }
}

/* ---- sending */

static void expect(struct pipe *p, enum op_kind kind, const struct pg_stmt *s, uint64_t name) {
    p->ops[p->sent++] = (struct op){.name = name,
                                    .at = (uint32_t)p->next,
                                    .kind = (uint8_t)kind,
                                    .place = (uint8_t)(s ? s - p->k->cache : 0)};
}

static sr_status prepare(struct pipe *p, const char *sql, struct pg_stmt **ret,
                         struct sr_err *err) {
    char text[PG_NAME_MAX + sizeof "DEALLOCATE "], name[PG_NAME_MAX];
    struct pg_conn *k = p->k;
    char *own = strdup(sql);
    if (!own) return sr_fail(err, SR_E_NOMEM, "out of memory");
    struct pg_stmt *s = place_for(k);
    free(s->sql);
    s->sql = own;
    s->len = strlen(sql);
    s->used = ++k->clock;
    if (s->name) {
        pg_name(name, s->name);
        (void)snprintf(text, sizeof text, "DEALLOCATE %s", name);
        if (!pq()->PQsendQueryParams(k->c, text, 0, NULL, NULL, NULL, NULL, 1))
            return pg_lost(k, sql, err);
        expect(p, OP_DROP, s, s->name);
    }
    s->name = ++k->names;
    pg_name(name, s->name);
    if (!pq()->PQsendPrepare(k->c, name, sql, 0, NULL)) return pg_lost(k, sql, err);
    expect(p, OP_PREPARE, s, s->name);
    p->queued += s->len + FRAME_BYTES;
    *ret = s;
    return SR_OK;
}

static sr_status send_values(struct pipe *p, const struct db_stmt *d, const struct pg_stmt *s,
                             struct sr_err *err) {
    char name[PG_NAME_MAX];
    struct pg_bound b;
    SR_TRY(pg_bind(&b, d->args, d->n, err));
    pg_name(name, s->name);
    int ok = pq()->PQsendQueryPrepared(p->k->c, name, (int)d->n, b.value, b.length, b.format, 1);
    for (size_t i = 0; i < d->n; i++) p->queued += FRAME_BYTES / 4 + d->args[i].s.n;
    pg_bound_done(&b);
    return ok ? SR_OK : pg_lost(p->k, d->sql, err);
}

/* A text without values is made up of them (GraphQL): it is not worth keeping. */
static sr_status send_one(struct pipe *p, struct sr_err *err) {
    const struct db_stmt *d = &p->s[p->next];
    struct pg_stmt *s = NULL;
    if (d->n == 0) {
        p->queued += strlen(d->sql);
        if (!pq()->PQsendQueryParams(p->k->c, d->sql, 0, NULL, NULL, NULL, NULL, 1))
            return pg_lost(p->k, d->sql, err);
    } else {
        s = find(p->k, d->sql);
        if (!s) SR_TRY(prepare(p, d->sql, &s, err));
        SR_TRY(send_values(p, d, s, err));
    }
    p->queued += FRAME_BYTES;
    expect(p, OP_RUN, s, 0);
    p->next++;
    return SR_OK;
}

/* ---- receiving */

static void note_failure(struct pipe *p, const PGresult *res, const char *sql) {
    if (p->st != SR_OK || pq()->PQresultStatus(res) == PGRES_PIPELINE_ABORTED) return;
    p->st = pg_fail(p->k->c, res, sql, &p->why);
    p->k->unknown = pg_class_is(res, "26000");
}

/* Returns whether the result has found an owner. */
static bool take_rows(struct pipe *p, struct db_stmt *d, PGresult *res) {
    d->changed = pg_changed(res);
    if (p->keep) {
        *p->keep = res;
        return true;
    }
    if (!d->row) return false;
    struct pg_rows r = pg_rows_of(&p->db->base, res);
    while (pg_next(&r.base)) {
        p->given = true;
        d->row(d->arg, &r.base);
    }
    return false;
}

static sr_status receive_one(struct pipe *p, PGresult *res, struct sr_err *err) {
    bool good = pg_good(res), kept = false;
    if (pq()->PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
        p->over = true;
    } else if (p->answered == p->sent) {
        note_failure(p, res, "pipe"); /* no answer: the server ends the connection */
        p->k->broken = true;
        p->over = true;
    } else {
        struct op o = p->ops[p->answered++];
        struct pg_stmt *s = &p->k->cache[o.place];
        if (pg_is_copy(p->k, res, p->st == SR_OK ? &p->why : NULL))
            p->st = p->st == SR_OK ? SR_E_USAGE : p->st;
        else if (!good)
            note_failure(p, res, p->s[o.at].sql);
        else if (o.kind == OP_RUN)
            kept = take_rows(p, &p->s[o.at], res);
        else
            s->there = o.kind == OP_PREPARE ? o.name : 0;
    }
    if (!kept) pq()->PQclear(res);
    return p->k->broken ? pg_lost(p->k, "pipe", err) : SR_OK;
}

/* What is there. Between two answers, and when nothing is under way, there is none for once. */
static sr_status receive(struct pipe *p, struct sr_err *err) {
    while (!p->over && !pq()->PQisBusy(p->k->c)) {
        PGresult *res = pq()->PQgetResult(p->k->c);
        if (res)
            SR_TRY(receive_one(p, res, err));
        else if (p->answered == p->sent && !p->ended)
            break;
        else if (pq()->PQstatus(p->k->c) != CONNECTION_OK)
            return pg_lost(p->k, "pipe", err);
    }
    return SR_OK;
}

static sr_status exchange(struct pipe *p, struct sr_err *err) {
    int left = pq()->PQflush(p->k->c);
    if (left < 0) return pg_lost(p->k, "send", err);
    p->queued = 0;
    SR_TRY(receive(p, err));
    while (!p->over && (left || p->ended)) {
        SR_TRY(pg_io(p->db, p->k, left ? POLLIN | POLLOUT : POLLIN, err));
        SR_TRY(receive(p, err));
        left = pq()->PQflush(p->k->c);
        if (left < 0) return pg_lost(p->k, "send", err);
    }
    return SR_OK;
}

static sr_status run(struct pipe *p, struct sr_err *err) {
    PGconn *c = p->k->c;
    if (!pq()->PQenterPipelineMode(c)) return pg_lost(p->k, "pipe", err);
    while (p->next < p->n && p->st == SR_OK) {
        sr_status st = send_one(p, err);
        if (st != SR_OK) { /* what was sent must not last */
            p->k->broken = true;
            return st;
        }
        if (p->queued >= FLUSH_BYTES) SR_TRY(exchange(p, err));
    }
    p->ended = true;
    if (!pq()->PQpipelineSync(c)) return pg_lost(p->k, "pipe", err);
    SR_TRY(exchange(p, err));
    return pq()->PQexitPipelineMode(c) ? SR_OK : pg_lost(p->k, "pipe", err);
}

sr_status pg_pipe(struct pg *db, struct pg_conn *k, struct db_stmt *s, size_t n, PGresult **keep,
                  bool *ret_given, struct sr_err *err) {
    struct op few[OPS_FOR_ONE * FEW];
    struct pipe p = {.db = db, .k = k, .s = s, .n = n, .ops = few, .keep = keep};
    cleanup_free struct op *many = NULL;
    *ret_given = false;
    if (keep) *keep = NULL;
    for (size_t i = 0; i < n; i++) SR_TRY(pg_values_check(s[i].args, s[i].n, err));
    if (n > FEW) {
        p.ops = many = n <= UINT32_MAX ? sr_calloc_n(n, OPS_FOR_ONE * sizeof *many) : NULL;
        if (!many) return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    struct sr_err e = {0};
    sr_status st = run(&p, &e);
    tidy(k);
    if (p.st != SR_OK) { /* why, rather than what came of it */
        st = p.st;
        e = p.why;
    }
    *ret_given = p.given;
    if (st == SR_OK) return SR_OK;
    if (keep) {
        pq()->PQclear(*keep);
        *keep = NULL;
    }
    if (err && err->code == SR_OK) *err = e;
    return st;
}
