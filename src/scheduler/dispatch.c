/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - gives waiting tasks to workers, and decides what a failed attempt means
 *
 * An assignment is made in its own fiber: a nonce from the SMS, the vault's signature, then the
 * row, then the message. A crash before the row leaves a waiting task and an unused nonce; a crash
 * after it leaves a task that its worker does not name at its next login, which makes it wait
 * again.
 */
#include "scheduler/sched_int.h"
#include <stdio.h>
#include <stdlib.h>

#define ROUND        256 /* waiting tasks looked at in one round */
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 5000
#define URL_ROOM     600

/* ---- the message ---- */

sr_status assign_message(const struct deal_row *d, const struct task_row *t,
                         const struct wire_assignment *a, struct buf *b, struct sr_err *err) {
    cleanup_params struct poco_params p = {0};
    SR_TRY(poco_params_read(slice_str(d->params), &p, err));
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_kcstr(&w, "type", "assign");
    jw_khash(&w, "task", &t->id);
    jw_khash(&w, "deal", &d->id);
    jw_ku64(&w, "index", t->index);
    jw_khash(&w, "matchTx", &d->match_tx);
    jw_key(&w, "assignment");
    wire_assignment_write(&w, a);
    jw_key(&w, "app");
    jw_obj(&w);
    jw_kaddr(&w, "address", &d->app);
    jw_kcstr(&w, "multiaddr", d->app_multiaddr);
    jw_khash(&w, "checksum", &d->app_checksum);
    jw_end_obj(&w);
    jw_key(&w, "datasets");
    jw_arr(&w);
    if (d->has_dataset) {
        jw_obj(&w);
        jw_kaddr(&w, "address", &d->dataset);
        jw_kcstr(&w, "multiaddr", d->dataset_multiaddr);
        jw_khash(&w, "checksum", &d->dataset_checksum);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_key(&w, "inputFiles");
    jw_arr(&w);
    for (size_t i = 0; i < p.n_files; i++) jw_str(&w, p.files[i]);
    jw_end_arr(&w);
    jw_ku64(&w, "seconds", d->seconds);
    jw_ku64(&w, "contributionDeadline", t->contribution_deadline);
    jw_kbool(&w, "initialized", t->on_chain != POCO_TASK_UNSET);
    if (d->has_callback) jw_kaddr(&w, "callback", &d->callback);
    jw_kcstr(&w, "resultStorage", "ipfs");
    jw_end_obj(&w);
    return buf_status(b, err);
}

/* ---- one assignment ---- */

static sr_status fetch_nonce(struct sched *s, const struct hash *task, struct hash *ret_nonce,
                             struct sr_err *err) {
    char url[URL_ROOM];
    cleanup_buf struct buf b;
    cleanup_json struct json *doc = NULL;
    buf_init(&b, 256);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_khash(&w, "task", task);
    jw_end_obj(&w);
    (void)snprintf(url, sizeof url, "%s/v1/nonces", s->cfg.sms);
    SR_TRY(http_json("POST", url, buf_slice(&b), &doc, err));
    if (!json_hash(json_get(json_root(doc), "nonce"), ret_nonce))
        return sr_fail(err, SR_E_MALFORMED, "the SMS gave no nonce");
    return SR_OK;
}

static sr_status assign(struct sched *s, const struct assigning *as, struct sr_err *err) {
    struct task_row t;
    cleanup_deal_row struct deal_row d = {0};
    SR_TRY(task_load(s, &as->task, &t, err));
    SR_TRY(deal_load(s, &t.deal, &d, err));
    struct wire_assignment a = {.task = as->task, .worker = as->worker->addr};
    SR_TRY(fetch_nonce(s, &as->task, &a.nonce, err));
    uint64_t left = WIRE_ASSIGNMENT_LIFE_S - 10; /* clocks differ a little */
    uint64_t chain_now = sched_time(s);
    if (t.contribution_deadline > chain_now && t.contribution_deadline - chain_now < left)
        left = t.contribution_deadline - chain_now;
    a.expires_unix_s = now_ms() / 1000 + left;
    SR_TRY(vault_sign_assignment(s->vault, &a, err));
    if (as->worker->gone) return sr_fail(err, SR_E_CANCELLED, "the worker left");
    cleanup_buf struct buf b;
    buf_init(&b, WIRE_POOL_MESSAGE_MAX);
    SR_TRY(assign_message(&d, &t, &a, &b, err));
    SR_TRY(task_assigned(s, &as->task, &as->worker->addr, &a.nonce, err));
    task_changed(s, &as->task);
    log_info("assigned", "task=%s worker=%s attempt=%llu", hash_text(&as->task).s,
             addr_text(&as->worker->addr).s, (unsigned long long)t.attempts + 1);
    worker_post(as->worker, buf_slice(&b));
    return SR_OK;
}

/* SMS or vault are away: the task says so and is tried again soon. */
static void assign_later(struct sched *s, const struct hash *task, const struct sr_err *e) {
    struct task_row t;
    char note[SCHED_MESSAGE_MAX];
    if (task_load(s, task, &t, NULL) != SR_OK || t.status != TS_WAITING) return;
    uint64_t last = t.not_before_ms > t.updated_ms ? t.not_before_ms - t.updated_ms : 0;
    uint64_t wait = last * 2;
    if (wait < RETRY_MIN_MS) wait = RETRY_MIN_MS;
    if (wait > RETRY_MAX_MS) wait = RETRY_MAX_MS;
    (void)snprintf(note, sizeof note, "not started yet: %s", e->what);
    struct sr_err db_err = {0};
    if (task_note(s, task, note, now_ms() + wait, &db_err) != SR_OK)
        log_err(LOG_ERROR, "note_failed", &db_err);
    task_changed(s, task);
}

static void assign_fiber(void *arg) {
    struct assigning *as = arg;
    struct sched *s = as->worker->s;
    struct sr_err e = {0};
    sr_status st = assign(s, as, &e);
    if (st != SR_OK && st != SR_E_CANCELLED && st != SR_E_CONFLICT) {
        log_err(LOG_WARN, "assign_later", &e);
        assign_later(s, &as->task, &e);
    }
    struct assigning **at = &s->assigning;
    while (*at != as) at = &(*at)->next;
    *at = as->next;
    worker_unref(as->worker);
    free(as);
    if (st == SR_E_CANCELLED && !net_stopping()) sched_kick_dispatch(s);
}

/* ---- the choice ---- */

static bool is_assigning(const struct sched *s, const struct hash *task) {
    for (const struct assigning *a = s->assigning; a; a = a->next)
        if (hash_eq(&a->task, task)) return true;
    return false;
}

/* How many tasks each worker holds or is about to get. */
static sr_status count_loads(struct sched *s, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    for (struct pool_worker *w = s->workers; w; w = w->next) w->load = 0;
    SR_TRY(db_select(s->db, "SELECT worker, count(*) FROM task WHERE active = 1 GROUP BY worker",
                     DB_NO_ARGS, &r, err));
    while (db_next(r)) {
        struct addr a = db_col_addr(r, 0);
        struct pool_worker *w = workers_find(s, &a);
        if (w) w->load = db_col_u64(r, 1);
    }
    for (const struct assigning *a = s->assigning; a; a = a->next) a->worker->load++;
    return db_end(sr_take_ptr(r), err);
}

/* The least loaded worker that may take the task: one that has not failed it, or, when there is no
 * such one connected, one whose last try is a moment ago. NULL: nobody now. */
static struct pool_worker *choose(struct sched *s, const struct hash *task, uint64_t attempts,
                                  bool *ret_any_free) {
    struct pool_worker *best = NULL, *again = NULL;
    uint64_t best_load = UINT64_MAX, again_load = UINT64_MAX;
    bool other = false; /* a worker that has not tried it is connected, busy or not */
    for (struct pool_worker *w = s->workers; w; w = w->next) {
        if (w->gone || !w->tdx) continue;
        bool tried = false;
        uint64_t ended = 0;
        if (attempts && attempt_tried(s, task, &w->addr, &tried, &ended, NULL) != SR_OK) continue;
        if (!tried) other = true;
        uint64_t load = w->load;
        if (load >= w->slots) continue;
        *ret_any_free = true;
        if (!tried && load < best_load) {
            best = w;
            best_load = load;
        } else if (tried && load < again_load && ended + s->times.same_worker <= now_ms()) {
            again = w;
            again_load = load;
        }
    }
    return best ? best : other ? NULL : again;
}

struct waiting {
    struct hash id;
    uint64_t attempts;
};

static sr_status round_of(struct sched *s, struct sr_err *err) {
    struct waiting *v = sr_calloc_n(ROUND, sizeof *v);
    if (!v) return sr_fail(err, SR_E_NOMEM, "no memory for a round");
    size_t n = 0;
    struct db_rows *r = NULL;
    sr_status st = count_loads(s, err);
    if (st == SR_OK)
        st = db_select(s->db,
                       "SELECT id, attempts FROM task WHERE status = 0 AND"
                       " contribution_deadline > $1 AND not_before_ms <= $2"
                       " ORDER BY contribution_deadline LIMIT 256",
                       DB_ARGS(db_u64(sched_time(s) + SCHED_MARGIN_S), db_u64(now_ms())), &r, err);
    while (st == SR_OK && n < ROUND && db_next(r)) {
        v[n].id = db_col_hash(r, 0);
        v[n++].attempts = db_col_u64(r, 1);
    }
    if (st == SR_OK) st = db_end(r, err);
    for (size_t i = 0; i < n && st == SR_OK; i++) {
        bool any_free = false;
        if (is_assigning(s, &v[i].id)) continue;
        struct pool_worker *w = choose(s, &v[i].id, v[i].attempts, &any_free);
        if (!w && !any_free) break; /* nobody has a slot: the rest waits too */
        if (!w) continue;
        struct assigning *a = sr_calloc_n(1, sizeof *a);
        if (!a) st = sr_fail(err, SR_E_NOMEM, "no memory for an assignment");
        if (st != SR_OK) break;
        a->task = v[i].id;
        a->worker = w;
        a->next = s->assigning;
        st = fiber_start(assign_fiber, a, err);
        if (st != SR_OK) {
            free(a);
            break;
        }
        worker_ref(w);
        w->load++;
        s->assigning = a;
    }
    free(v);
    return st;
}

void dispatch_fiber(void *sched) {
    struct sched *s = sched;
    for (;;) {
        while (!s->want_dispatch || !s->caught_up)
            if (fcond_wait(&s->dispatch, 0, NULL) != SR_OK) return;
        s->want_dispatch = false;
        struct sr_err e = {0};
        if (round_of(s, &e) != SR_OK) log_err(LOG_ERROR, "dispatch_failed", &e);
    }
}

/* ---- what became of an attempt ---- */

/* Another worker soon, or the task's end. n: attempts that ended like this one, with it. */
static sr_status again_or_fail(struct sched *s, const struct hash *id, const char *state,
                               const char *cause, const char *message, uint64_t n, uint64_t max,
                               struct sr_err *err) {
    if (n >= max) {
        SR_TRY(task_failed(s, id, cause, message, NULL, "RUNNING_FAILED", err));
        log_warn("task_failed", "task=%s cause=%s tries=%llu", hash_text(id).s, cause,
                 (unsigned long long)n);
    } else {
        /* not_before 1: looked at by the tick too, when only a tried worker is there */
        SR_TRY(task_requeued(s, id, state, cause, message, 1, err));
        log_info("task_again", "task=%s cause=%s tries=%llu", hash_text(id).s, cause,
                 (unsigned long long)n);
    }
    task_changed(s, id);
    sched_kick_dispatch(s);
    return SR_OK;
}

sr_status dispatch_attempt_failed(struct sched *s, const struct hash *id, const char *cause,
                                  const char *message, const char *blame, const int64_t *exit_code,
                                  struct slice out, struct slice errout, struct sr_err *err) {
    SR_TRY(attempt_report(s, id, "FAILED", cause, blame, exit_code, out, errout, err));
    if (strcmp(blame, "host") == 0) {
        uint64_t n = 0;
        SR_TRY(attempt_count(s, id, "FAILED", &n, err));
        return again_or_fail(s, id, "FAILED", cause, message, n, SCHED_HOST_TRIES, err);
    }
    SR_TRY(task_failed(s, id, cause, message, exit_code, "RUNNING_FAILED", err));
    log_info("task_failed", "task=%s cause=%s blame=%s", hash_text(id).s, cause, blame);
    task_changed(s, id);
    sched_kick_dispatch(s);
    return SR_OK;
}

sr_status dispatch_attempt_lost(struct sched *s, const struct hash *id, const char *why,
                                struct sr_err *err) {
    uint64_t n = 0;
    SR_TRY(attempt_count(s, id, "LOST", &n, err));
    return again_or_fail(s, id, "LOST", "WORKER_LOST", why, n + 1, SCHED_LOST_TRIES, err);
}
