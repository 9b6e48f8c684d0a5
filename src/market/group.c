/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group.c - what several requests write is committed together, and on disk before they are answered
 *
 * The first writer opens a transaction that stays open until the others that are ready have written
 * too; while the disk takes it, the next one gathers. The index writes its steps alone: it closes
 * the group first.
 */
#include "market/market_int.h"
#include <stdlib.h>
#include <unistd.h>

#define GROUP_WAIT_MS 30000

struct waiter {
    struct waiter *next;
    bool done;
    sr_status st;
    struct sr_err why;
};

static void finish(struct write_group *g, struct waiter **list, sr_status st,
                   const struct sr_err *why) {
    for (struct waiter *w = *list; w; w = w->next) {
        w->done = true;
        w->st = st;
        if (why) w->why = *why;
    }
    *list = NULL;
    fcond_wake(&g->told);
}

static void forget(struct waiter **list, struct waiter *w) {
    for (; *list; list = &(*list)->next)
        if (*list == w) {
            *list = w->next;
            return;
        }
}

/* What had been believed of rows that are gone. */
static void undone(struct market *m) {
    live_back(m, 0);
    counts_flush(m);
    books_changed_all(m);
    market_changed(m);
}

sr_status group_flush(struct market *m, struct sr_err *err) {
    struct write_group *g = &m->group;
    if (!g->open) return SR_OK;
    struct sr_err e = {0};
    g->open = false;
    sr_status st = live_tell_others(m, &e);
    if (st == SR_OK)
        st = db_commit(&g->tx, &e);
    else
        db_rollback(&g->tx);
    if (st == SR_OK && db_is_shared(m->db)) { /* what was read before is old now */
        books_changed_all(m);
        market_changed(m);
    }
    if (st != SR_OK) {
        undone(m);
        finish(g, &g->writing, st, &e);
        if (err) *err = e;
        return st;
    }
    live_committed(m);
    struct waiter **end = &g->committed;
    while (*end) end = &(*end)->next;
    *end = g->writing;
    g->writing = NULL;
    return SR_OK;
}

static void sync_fd(void *arg) {
    struct write_group *g = arg;
    g->sync_failed = fdatasync(g->fd) != 0;
}

static void committer(void *arg) {
    struct market *m = arg;
    struct write_group *g = &m->group;
    cleanup_buf struct buf told;
    buf_init(&told, LIVE_NOTES_MAX);
    while (g->open || g->committed) {
        if (g->open && fiber_sleep(0, NULL) != SR_OK) { /* those that are ready write first */
        }
        if (group_flush(m, NULL) != SR_OK) continue; /* its waiters know */
        g->syncing = g->committed;
        g->committed = NULL;
        live_take(m, &told);
        sr_status st = SR_OK;
        struct sr_err e = {0};
        g->sync_failed = false;
        g->fd = db_sync_fd(m->db);
        if (g->fd >= 0) st = fiber_offload(sync_fd, g, &e);
        if (st == SR_OK && g->sync_failed)
            st = sr_fail(&e, SR_E_SYS, "the disk did not take what was written");
        finish(g, &g->syncing, st, &e);
        live_send(m, &told); /* now that it lasts */
    }
    live_send_ready(m); /* of a step that was written meanwhile */
    g->running = false;
}

sr_status group_join(struct market *m, struct sr_err *err) {
    struct write_group *g = &m->group;
    if (g->open) return SR_OK;
    SR_TRY(db_begin(m->db, &g->tx, err));
    /* the index of another process writes before this group or after it */
    sr_status st = db_lock_in_tx(m->db, MARKET_LOCK_ROWS, true, err);
    g->open = st == SR_OK;
    if (st == SR_OK && !g->running) {
        g->running = true;
        st = fiber_start(committer, m, err);
        if (st != SR_OK) g->running = g->open = false;
    }
    if (st != SR_OK) db_rollback(&g->tx);
    return st;
}

sr_status group_wait(struct market *m, struct sr_err *err) {
    struct write_group *g = &m->group;
    if (!g->open) return SR_OK; /* nothing was written since the last one */
    cleanup_free struct waiter *w = calloc(1, sizeof *w);
    if (!w) return sr_fail(err, SR_E_NOMEM, "no memory to wait until the disk has it");
    w->next = g->writing;
    g->writing = w;
    while (!w->done) {
        sr_status st = fcond_wait(&g->told, GROUP_WAIT_MS, err);
        if (st == SR_OK || w->done) continue;
        forget(&g->writing, w);
        forget(&g->committed, w);
        forget(&g->syncing, w);
        return st;
    }
    if (w->st != SR_OK && err) *err = w->why;
    return w->st;
}

void group_end(struct market *m) {
    struct write_group *g = &m->group;
    if (!g->open) return;
    struct sr_err e = {0};
    g->open = false;
    if (db_commit(&g->tx, &e) != SR_OK) log_err(LOG_WARN, "last_writes_lost", &e);
}
