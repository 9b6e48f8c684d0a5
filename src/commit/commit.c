/* SPDX-License-Identifier: Apache-2.0 */
/* commit.c - two fibers, while there is work: one runs jobs and commits, one waits for the disk */
#include "commit/commit.h"
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct list {
    struct commit_job *first, **end;
};

struct commit_group {
    struct db *db;
    void *role;
    const struct commit_hooks *hooks;
    struct list queue, committed; /* wait for a transaction; for the disk */
    struct fmutex db_free;        /* held by whoever has a transaction open */
    struct fcond turn;            /* the queue has grown, or the disk is idle */
    size_t queued;
    size_t waiting;   /* fibers in commit_do */
    bool runs, syncs; /* its fiber is there */
    uint64_t commits, lasting;
    int fd;
    int sync_errno;       /* 0: the disk has taken it */
    struct sr_err broken; /* code not SR_OK: the disk once did not */
};

/* ---- lists */

static void list_init(struct list *l) {
    l->first = NULL;
    l->end = &l->first;
}

static void list_add(struct list *l, struct commit_job *j) {
    j->next = NULL;
    *l->end = j;
    l->end = &j->next;
}

static void list_move(struct list *to, struct list *from) {
    if (!from->first) return;
    *to->end = from->first;
    to->end = from->end;
    list_init(from);
}

static void list_remove(struct list *l, const struct commit_job *j) {
    struct commit_job **at = &l->first;
    while (*at && *at != j) at = &(*at)->next;
    if (!*at) return;
    *at = j->next;
    if (!*at) l->end = at;
}

/* ---- results */

static void drop(struct commit_job *j) {
    if (j->drop)
        j->drop(j);
    else
        free(j);
}

/* why NULL: each has its own result. */
static void finish(struct list *l, const struct sr_err *why) {
    for (struct commit_job *j = l->first, *next; j; j = next) {
        next = j->next;
        if (why) {
            j->st = why->code;
            j->why = *why;
        }
        j->done = true;
        j->running = false;
        fcond_wake(&j->told);
        if (j->left) drop(j);
    }
    list_init(l);
}

/* ---- on disk */

/* The kernel tells of a failed write once, and forgets what it could not write: whatever is
 * committed behind that has a hole before it, even if the disk takes it. So it is the last thing
 * this group has done. */
sr_status commit_sound(const struct commit_group *g, struct sr_err *err) {
    if (g->broken.code != SR_OK && err && err->code == SR_OK) *err = g->broken;
    return g->broken.code;
}

static void sync_fd(void *arg) {
    struct commit_group *g = arg;
    g->sync_errno = fdatasync(g->fd) == 0 ? 0 : errno;
}

static sr_status ask_disk(struct commit_group *g, struct sr_err *err) {
    SR_TRY(commit_sound(g, err));
    g->fd = db_sync_fd(g->db);
    if (g->fd == DB_SYNC_LOST)
        return sr_fail(err, SR_E_SYS, "the disk cannot be asked for what was written");
    if (g->fd < 0) return SR_OK;
    SR_TRY(fiber_offload(sync_fd, g, err));
    if (g->sync_errno == 0) return SR_OK;
    errno = g->sync_errno;
    sr_hint(&g->broken, "see to the disk, then start this service again: until then it writes "
                        "nothing more");
    (void)sr_fail(&g->broken, SR_E_SYS, "the disk did not take what was written");
    return commit_sound(g, err);
}

static void syncer(void *arg) {
    struct commit_group *g = arg;
    while (g->lasting < g->commits) {
        struct list now;
        struct sr_err e = {0};
        uint64_t commits = g->commits;
        list_init(&now);
        list_move(&now, &g->committed);
        if (g->hooks->asked) g->hooks->asked(g->role);
        sr_status st = ask_disk(g, &e);
        g->lasting = commits;
        if (st == SR_OK && g->hooks->lasts) g->hooks->lasts(g->role);
        finish(&now, st == SR_OK ? NULL : &e);
        fcond_wake(&g->turn);
    }
    g->syncs = false;
    fcond_wake(&g->turn);
}

/* What is committed now is on disk later; on a server it is already. */
static void let_last(struct commit_group *g) {
    g->commits++;
    if (g->hooks->committed) g->hooks->committed(g->role);
    if (g->syncs) return; /* it looks again */
    if (db_sync_fd(g->db) != DB_SYNC_NONE) {
        g->syncs = true;
        if (fiber_start(syncer, g, NULL) != SR_OK) syncer(g); /* then this one waits itself */
        return;
    }
    g->lasting = g->commits;
    if (g->hooks->asked) g->hooks->asked(g->role);
    if (g->hooks->lasts) g->hooks->lasts(g->role);
    finish(&g->committed, NULL);
}

/* ---- transactions */

/* Jobs of the first one's kind leave `rest`. */
static sr_status run_kind(struct commit_group *g, struct list *rest, struct list *done,
                          struct list *again, struct sr_err *err) {
    struct commit_job *jobs[COMMIT_JOBS];
    struct list others;
    size_t n = 0;
    commit_fn *run = rest->first->run;
    list_init(&others);
    for (struct commit_job *j = rest->first, *next; j; j = next) {
        next = j->next;
        if (j->run != run) {
            list_add(&others, j);
            continue;
        }
        j->st = SR_OK;
        j->why = (struct sr_err){0};
        j->again = false;
        jobs[n++] = j;
    }
    *rest = others;
    if (!others.first) list_init(rest);
    sr_status st = run(g->role, jobs, n, err);
    for (size_t i = 0; i < n; i++) list_add(jobs[i]->again ? again : done, jobs[i]);
    return st;
}

static sr_status run_all(struct commit_group *g, struct list *rest, struct list *done,
                         struct list *again, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(commit_sound(g, err));
    SR_TRY(db_begin(g->db, &tx, err));
    if (g->hooks->begin) SR_TRY(g->hooks->begin(g->role, err));
    while (rest->first) SR_TRY(run_kind(g, rest, done, again, err));
    if (g->hooks->end) SR_TRY(g->hooks->end(g->role, err));
    return db_commit(&tx, err);
}

/* They come first the next time. */
static void put_back(struct commit_group *g, struct list *again) {
    struct list kept;
    list_init(&kept);
    for (struct commit_job *j = again->first, *next; j; j = next) {
        next = j->next;
        if (j->left) {
            drop(j);
            continue;
        }
        j->running = false;
        list_add(&kept, j);
        g->queued++;
    }
    list_move(&kept, &g->queue);
    list_move(&g->queue, &kept);
}

static void one_transaction(struct commit_group *g) {
    struct list rest, done, again;
    struct sr_err e = {0};
    list_init(&rest), list_init(&done), list_init(&again);
    for (size_t n = 0; g->queue.first && n < COMMIT_JOBS; n++, g->queued--) {
        struct commit_job *j = g->queue.first;
        list_remove(&g->queue, j);
        j->running = true;
        list_add(&rest, j);
    }
    if (!rest.first) return; /* their fibers have left */
    /* under load a commit that writes the log back should do so seldom; else it should be short */
    db_log_limit(g->db, g->waiting > COMMIT_MANY ? DB_LOG_PAGES : COMMIT_CALM);
    sr_status st = run_all(g, &rest, &done, &again, &e);
    if (st != SR_OK) {
        if (g->hooks->undone) g->hooks->undone(g->role);
        list_move(&done, &again);
        list_move(&done, &rest);
        if (e.code == SR_OK) e.code = st;
        finish(&done, &e);
        return;
    }
    put_back(g, &again);
    list_move(&g->committed, &done);
    let_last(g);
}

static void committer(void *arg) {
    struct commit_group *g = arg;
    while (g->queue.first) {
        if (fiber_sleep(0, NULL) != SR_OK) { /* those that are ready write too */
        }
        struct sr_err e = {0};
        sr_status st = SR_OK;
        while (st == SR_OK && g->syncs && g->queued < COMMIT_EARLY)
            st = fcond_wait(&g->turn, 0, &e);
        if (st == SR_OK) st = fmutex_lock(&g->db_free, &e);
        if (st != SR_OK) { /* the loop stops */
            finish(&g->queue, &e);
            g->queued = 0;
            break;
        }
        one_transaction(g);
        fmutex_unlock(&g->db_free);
    }
    g->runs = false;
}

/* ---- the group */

sr_status commit_new(struct db *db, void *role, const struct commit_hooks *hooks,
                     struct commit_group **ret, struct sr_err *err) {
    struct commit_group *g = sr_calloc_n(1, sizeof *g);
    if (!g) return sr_fail(err, SR_E_NOMEM, "no memory for a group of writers");
    g->db = db;
    g->role = role;
    g->hooks = hooks;
    list_init(&g->queue), list_init(&g->committed);
    *ret = g;
    return SR_OK;
}

/* One that is busy still is left after a stop that did not wait for the disk: its memory may be
 * used until the process ends. */
void commit_free(struct commit_group *g) {
    if (g && !commit_is_busy(g)) free(g);
}

bool commit_is_busy(const struct commit_group *g) {
    return g->runs || g->syncs;
}

static sr_status do_job(struct commit_group *g, struct commit_job **job, struct sr_err *err) {
    struct commit_job *j = *job;
    j->running = j->done = j->left = false;
    j->told = (struct fcond){0};
    list_add(&g->queue, j);
    g->queued++;
    fcond_wake(&g->turn);
    if (!g->runs) {
        g->runs = true;
        sr_status st = fiber_start(committer, g, err);
        if (st != SR_OK) {
            g->runs = false;
            list_remove(&g->queue, j);
            g->queued--;
            return st;
        }
    }
    int64_t end = clock_mono_us() + (int64_t)COMMIT_WAIT_MS * 1000;
    while (!j->done) {
        struct sr_err e = {0}; /* of a wait that ends when the job does: nobody's */
        int64_t now = clock_mono_us();
        sr_status st = now < end ? fcond_wait(&j->told, (uint64_t)(end - now) / 1000 + 1, &e)
                                 : sr_fail(&e, SR_E_TIMEOUT, "the database takes too long");
        if (st == SR_OK || j->done) continue;
        if (!j->running) {
            list_remove(&g->queue, j);
            g->queued--;
        } else {
            j->left = true;
            *job = NULL;
        }
        if (err && err->code == SR_OK) *err = e;
        return st;
    }
    if (j->st != SR_OK && err && err->code == SR_OK) *err = j->why;
    return j->st;
}

sr_status commit_do(struct commit_group *g, struct commit_job **job, struct sr_err *err) {
    g->waiting++;
    sr_status st = do_job(g, job, err);
    g->waiting--;
    return st;
}

sr_status commit_alone(struct commit_group *g, sr_status (*fn)(void *arg, struct sr_err *err),
                       void *arg, struct sr_err *err) {
    SR_TRY(fmutex_lock(&g->db_free, err));
    sr_status st = commit_sound(g, err);
    if (st == SR_OK) st = fn(arg, err);
    fmutex_unlock(&g->db_free);
    return st;
}

static sr_status nothing(void *role, struct commit_job **jobs, size_t n, struct sr_err *err) {
    (void)role, (void)jobs, (void)n, (void)err;
    return SR_OK;
}

sr_status commit_lasts(struct commit_group *g, struct sr_err *err) {
    struct commit_job *j = sr_calloc_n(1, sizeof *j);
    if (!j) return sr_fail(err, SR_E_NOMEM, "no memory to wait for the disk");
    j->run = nothing;
    sr_status st = commit_do(g, &j, err);
    free(j);
    return st;
}

/* ---- fibers for db.h */

static sr_status ready(int fd, int events, uint64_t timeout_ms, struct sr_err *err) {
    if (fiber_is_running()) return fiber_poll_own_fd(fd, events, timeout_ms, err);
    struct pollfd p = {.fd = fd, .events = (short)events}; /* before the loop runs, and after it */
    for (;;) {
        int n = poll(&p, 1, timeout_ms ? (int)timeout_ms : -1);
        if (n > 0) return SR_OK;
        if (n == 0) return sr_fail(err, SR_E_TIMEOUT, "nothing came in time");
        if (errno != EINTR) return sr_fail(err, SR_E_SYS, "wait for the database");
    }
}

_Static_assert(sizeof(struct fcond) == sizeof(void *), "a condition is one pointer");
static sr_status park(void **place, struct sr_err *err) {
    if (!fiber_is_running())
        return sr_fail(err, SR_E_UNAVAILABLE, "database: all connections are busy");
    return fcond_wait((struct fcond *)(void *)place, 0, err);
}

static void wake(void **place) {
    fcond_wake((struct fcond *)(void *)place);
}

const struct db_waits commit_fibers = {ready, park, wake};
