/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.c - steps of the chain, and steps back
 *
 * A step has two halves. First everything that must be asked of the node is asked (that waits);
 * then all rows of the step, and the cursor, are written in one transaction (that does not).
 * SPEC: services.md#29-chain-watcher-what-changes-an-order
 */
#include "market/index_int.h"
#include <stdlib.h>

#define UNDO_KEEP 4096 /* blocks for which old states are kept; the follower looks back less */

static sr_status save_mark(struct market *m, const struct eth_step *s, struct sr_err *err) {
    uint64_t n = s->head.number;
    SR_TRY(db_run(m->db,
                  "INSERT INTO mark (number, hash) VALUES ($1, $2) ON CONFLICT (number) DO UPDATE "
                  "SET hash = excluded.hash",
                  DB_ARGS(db_u64(n), db_hash(&s->head.hash)), err));
    if (n % 64) return SR_OK;
    SR_TRY(db_run(m->db,
                  "DELETE FROM mark WHERE number < (SELECT MIN(number) FROM (SELECT number FROM "
                  "mark ORDER BY number DESC LIMIT 128) AS kept)",
                  DB_NO_ARGS, err));
    uint64_t old = n > UNDO_KEEP ? n - UNDO_KEEP : 0;
    SR_TRY(db_run(m->db, "DELETE FROM order_undo WHERE block < $1", DB_ARGS(db_u64(old)), err));
    SR_TRY(db_run(m->db, "DELETE FROM owner_undo WHERE block < $1", DB_ARGS(db_u64(old)), err));
    return share_prune(m, old, err);
}

struct writing {
    struct ask *a;
    const struct asked *w;
    const struct eth_step *s;
};

static sr_status all_rows(const struct writing *x, struct sr_err *err) {
    struct market *m = x->a->m;
    const struct eth_step *s = x->s;
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(m->db, &tx, err));
    SR_TRY(db_lock_in_tx(m->db, MARKET_LOCK_ROWS, false, err));
    for (size_t i = 0; i < s->n; i++) SR_TRY(index_row(x->a, &x->w[i], &s->logs[i], s, err));
    SR_TRY(save_mark(m, s, err));
    SR_TRY(changes_tell(m, err));
    return db_commit(&tx, err);
}

/* Committed: what was noted is followed, and told unless requests' writes are on their way to the
 * disk: then with them. */
static void committed(struct market *m) {
    changes_committed(m);
    if (commit_is_busy(m->group)) return;
    live_asked(m);
    live_lasts(m);
}

static sr_status write_rows(void *arg, struct sr_err *err) {
    struct writing *x = arg;
    sr_status st = all_rows(x, err);
    if (st == SR_OK)
        committed(x->a->m);
    else
        changes_back(x->a->m, 0);
    return st;
}

static sr_status step(const struct eth_step *s, struct ask *a, struct sr_err *err) {
    cleanup_free struct asked *w = sr_calloc_n(s->n ? s->n : 1, sizeof *w);
    if (!w) return sr_fail(err, SR_E_NOMEM, "index");
    for (size_t i = 0; i < s->n; i++) SR_TRY(ask_for(a, &s->logs[i], &w[i], err));
    SR_TRY(ask_flush(a, err));
    struct writing x = {a, w, s};
    SR_TRY(commit_alone(a->m->group, write_rows, &x, err));
    if (s->n) market_changed(a->m); /* whoever has read meanwhile has read what was before */
    return SR_OK;
}

sr_status index_step(void *arg, const struct eth_step *s, struct sr_err *err) {
    struct market *m = arg;
    struct ask *a = calloc(1, sizeof *a);
    if (!a) return sr_fail(err, SR_E_NOMEM, "index");
    a->m = m;
    buf_init(&a->body, 1u << 20);
    buf_init(&a->answers, 256u << 20);
    m->stepping = true;
    m->step_no++;
    sr_status st;
    uint64_t wait = 100;
    do { /* a node that is away while we ask is no reason to stop following */
        struct sr_err e = {0};
        a->n_open = a->read = 0;
        buf_clear(&a->body);
        buf_clear(&a->answers);
        st = step(s, a, &e);
        if (st != SR_E_UNAVAILABLE && st != SR_E_TIMEOUT && st != SR_E_CHAIN) {
            if (st != SR_OK && err) *err = e;
            break;
        }
        log_err(LOG_WARN, "index_waits", &e);
        st = fiber_sleep(wait, err);
        wait = wait < 3000 ? wait * 2 : wait;
    } while (st == SR_OK);
    buf_done(&a->body);
    buf_done(&a->answers);
    free(a);
    m->stepping = false;
    m->step_no++;
    fcond_wake(&m->step_done);
    if (st != SR_OK) return st;
    m->head = s->head.number;
    m->head_hash = s->head.hash;
    m->head_time = s->head.time;
    m->change_no++;
    fcond_wake(&m->changed);
    if (!m->caught_up && s->head.number >= s->chain_head) {
        m->caught_up = true;
        fcond_wake(&m->up);
    }
    return SR_OK;
}

static sr_status owners_back(struct market *m, uint64_t keep, struct sr_err *err) {
    for (;;) {
        struct addr a, owner;
        uint64_t block, seq;
        struct db_rows *q = NULL;
        SR_TRY(db_select(m->db,
                         "SELECT address, owner, block, seq FROM owner_undo WHERE block > $1 ORDER "
                         "BY block DESC, seq DESC LIMIT 1",
                         DB_ARGS(db_u64(keep)), &q, err));
        bool more = db_next(q);
        if (more) {
            a = db_col_addr(q, 0);
            owner = db_col_addr(q, 1);
            block = db_col_u64(q, 2);
            seq = db_col_u64(q, 3);
        }
        SR_TRY(db_end(q, err));
        if (!more) return SR_OK;
        SR_TRY(db_run(m->db, "UPDATE resource SET owner = $2 WHERE address = $1",
                      DB_ARGS(db_addr(&a), db_addr(&owner)), err));
        SR_TRY(db_run(m->db, "DELETE FROM owner_undo WHERE block = $1 AND seq = $2",
                      DB_ARGS(db_u64(block), db_u64(seq)), err));
    }
}

struct back {
    struct market *m;
    uint64_t keep;
};

static sr_status all_back(struct market *m, uint64_t keep, struct sr_err *err) {
    static const char *const gone[] = {
        "DELETE FROM deal WHERE block > $1",     "DELETE FROM task_event WHERE block > $1",
        "DELETE FROM category WHERE block > $1", "DELETE FROM mark WHERE number > $1",
        "DELETE FROM resource WHERE block > $1", "DELETE FROM event WHERE block > $1",
        "DELETE FROM account WHERE block > $1",  "DELETE FROM schema_entry WHERE block > $1",
        "DELETE FROM closed WHERE block > $1"};
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(m->db, &tx, err));
    SR_TRY(db_lock_in_tx(m->db, MARKET_LOCK_ROWS, false, err));
    SR_TRY(orders_rollback(m, keep, err));
    SR_TRY(owners_back(m, keep, err));
    SR_TRY(share_rollback(m, keep, err));
    for (size_t i = 0; i < SR_ARRAY_LEN(gone); i++)
        SR_TRY(db_run(m->db, gone[i], DB_ARGS(db_u64(keep)), err));
    SR_TRY(changes_tell(m, err));
    return db_commit(&tx, err);
}

static sr_status go_back(void *arg, struct sr_err *err) {
    struct back *b = arg;
    struct market *m = b->m;
    stakes_flush(m);
    sr_status st = all_back(m, b->keep, err);
    if (st != SR_OK) {
        changes_back(m, 0);
        return st;
    }
    committed(m);
    m->head = b->keep;
    m->head_hash = (struct hash){{0}};
    m->step_no++;
    books_changed_all(m);
    market_changed(m);
    return SR_OK;
}

sr_status index_rollback(void *arg, uint64_t keep, struct sr_err *err) {
    struct back b = {arg, keep};
    return commit_alone(b.m->group, go_back, &b, err);
}

sr_status index_marks(struct market *m, struct eth_mark *marks, size_t *ret_n, struct sr_err *err) {
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->read,
                     "SELECT number, hash FROM (SELECT number, hash FROM mark ORDER BY number DESC "
                     "LIMIT 128) AS newest ORDER BY number",
                     DB_NO_ARGS, &q, err));
    *ret_n = 0;
    while (*ret_n < FOLLOW_KEEP && db_next(q))
        marks[(*ret_n)++] = (struct eth_mark){db_col_u64(q, 0), db_col_hash(q, 1)};
    return db_end(q, err);
}
