/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replica.c - several markets that share a database on a server: all of them serve, one indexes
 *
 * Who indexes holds a lock of the server; the others queue for it, and the server gives it to the
 * next one when the connection of the first is gone. Each is told when another has committed.
 */
#include "market/market_int.h"
#include <poll.h>

#define NEWS_MAX (8u << 20) /* of changes; more make all that is kept be read again */
#define NEWS_MS  20         /* others' changes are looked at no more often */

static void broken(struct market *m, const struct sr_err *e) {
    if (net_stopping()) return;
    log_err(LOG_ERROR, "database_lost", e);
    m->index_failed = true;
    net_stop();
}

/* Waits until the link tells something; text (may be NULL) gets its words, a line each. */
static sr_status wait_told(struct db_link *l, struct buf *text, struct sr_err *err) {
    for (;;) {
        bool told = false;
        SR_TRY(db_link_poll(l, &told, text, err));
        if (told) return SR_OK;
        SR_TRY(fiber_poll_fd(db_link_fd(l), POLLIN, 0, err));
    }
}

/* What else comes within NEWS_MS. It is read at once: the server waits for whoever does not. */
static sr_status gather(struct db_link *l, struct buf *text, struct sr_err *err) {
    int64_t end = clock_mono_us() + NEWS_MS * 1000;
    for (int64_t now; (now = clock_mono_us()) < end;) {
        bool told;
        struct sr_err e = {0};
        sr_status st = fiber_poll_fd(db_link_fd(l), POLLIN, (uint64_t)(end - now) / 1000 + 1, &e);
        if (st == SR_E_TIMEOUT) return SR_OK;
        if (st == SR_OK) st = db_link_poll(l, &told, text, &e);
        if (st != SR_OK) {
            if (err) *err = e;
            return st;
        }
    }
    return SR_OK;
}

/* How far the one that indexes has come. */
static sr_status read_head(struct market *m, struct sr_err *err) {
    cleanup_db_rows struct db_rows *q = NULL;
    SR_TRY(db_select(m->read, "SELECT number, hash FROM mark ORDER BY number DESC LIMIT 1",
                     DB_NO_ARGS, &q, err));
    if (db_next(q) && !m->follower) {
        m->head = db_col_u64(q, 0);
        m->head_hash = db_col_hash(q, 1);
        if (!m->caught_up) fcond_wake(&m->up);
        m->caught_up = true;
    }
    return db_end(sr_take_ptr(q), err);
}

static void hear(void *arg) {
    struct market *m = arg;
    struct sr_err e = {0};
    sr_status st = SR_OK;
    cleanup_buf struct buf text;
    buf_init(&text, NEWS_MAX);
    while (st == SR_OK) {
        st = read_head(m, &e);
        stakes_flush(m);
        changes_heard(m, buf_slice(&text), !text.bad);
        market_changed(m);
        if (!commit_is_busy(m->group)) { /* of others: on disk already */
            live_asked(m);
            live_lasts(m);
        }
        buf_done(&text); /* also of a `bad` one */
        buf_init(&text, NEWS_MAX);
        if (st == SR_OK) st = wait_told(m->news, &text, &e);
        if (st == SR_OK) st = gather(m->news, &text, &e);
    }
    if (st != SR_E_CANCELLED) broken(m, &e);
}

static void queue(void *arg) {
    struct market *m = arg;
    struct sr_err e = {0};
    sr_status st = wait_told(m->turn, NULL, &e);
    if (st == SR_OK) {
        log_info("indexes_now", "block=%llu", (unsigned long long)m->head);
        st = market_index(m, &e);
    }
    /* the lock is ours while its connection stands: nothing more is told but its end */
    if (st == SR_OK) st = wait_told(m->turn, NULL, &e);
    if (st != SR_E_CANCELLED) broken(m, &e);
}

sr_status replica_start(struct market *m, const char *url, struct sr_err *err) {
    SR_TRY(db_open(url, DB_READ_ONLY, &m->read, err));
    db_wait_by(m->read, &commit_fibers, MARKET_READERS);
    db_wait_by(m->db, &commit_fibers, 1);
    SR_TRY(db_listen(url, MARKET_CHANNEL, m->db, &m->news, err));
    SR_TRY(db_queue_for(url, MARKET_LOCK_INDEX, &m->turn, err));
    SR_TRY(fiber_start(hear, m, err));
    return fiber_start(queue, m, err);
}

void replica_stop(struct market *m) {
    db_link_close(m->news);
    db_link_close(m->turn);
    if (m->read != m->db) db_close(m->read);
}
