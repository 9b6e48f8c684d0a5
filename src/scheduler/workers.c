/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers.c - the workers' websockets: who they are, what they hold, what they report
 *
 * A message about a task that the worker never had ends the connection; one about a task that was
 * taken from it meanwhile is a crossing of two messages and is passed over.
 * SPEC: docs/wire.md, "Worker ↔ scheduler"
 */
#include "scheduler/sched_int.h"
#include <stdio.h>
#include <stdlib.h>

#define AUTH_TRIES   5
#define AUTH_WAIT_MS 1000

/* ---- references and sending ---- */

void worker_ref(struct pool_worker *w) {
    w->refs++;
}

void worker_unref(struct pool_worker *w) {
    w->refs--;
    fcond_wake(&w->released);
}

struct pool_worker *workers_find(struct sched *s, const struct addr *a) {
    for (struct pool_worker *w = s->workers; w; w = w->next)
        if (!w->gone && addr_eq(&w->addr, a)) return w;
    return NULL;
}

struct post {
    struct pool_worker *w;
    size_t n;
    uint8_t text[];
};

static void post_fiber(void *arg) {
    struct post *p = arg;
    if (!p->w->gone && ws_send(p->w->ws, slice_of(p->text, p->n), NULL) != SR_OK)
        ws_shutdown(p->w->ws);
    worker_unref(p->w);
    free(p);
}

void worker_post(struct pool_worker *w, struct slice text) {
    struct post *p = malloc(sizeof *p + text.n);
    if (!p || fiber_start(post_fiber, p, NULL) != SR_OK) {
        free(p);
        ws_shutdown(w->ws); /* it will come back and be told what it holds */
        return;
    }
    p->w = w;
    p->n = text.n;
    memcpy(p->text, text.p, text.n);
    worker_ref(w);
}

static void post_drop(struct pool_worker *w, const struct hash *task, const char *why) {
    cleanup_buf struct buf b;
    buf_init(&b, 1024);
    struct jw j = jw_of(&b);
    jw_obj(&j);
    jw_kcstr(&j, "type", "drop");
    jw_khash(&j, "task", task);
    jw_kcstr(&j, "why", why);
    jw_end_obj(&j);
    if (b.bad == SR_OK) worker_post(w, buf_slice(&b));
}

void worker_drop(struct sched *s, const struct addr *worker, const struct hash *task,
                 const char *why) {
    struct pool_worker *w = workers_find(s, worker);
    if (w) post_drop(w, task, why);
}

/* ---- an authorisation ---- */

struct authorise {
    struct pool_worker *w;
    struct hash task;
    struct addr challenge;
    uint8_t token[WIRE_TOKEN_BYTES];
};

static sr_status authorise(struct authorise *a, struct sr_err *err) {
    struct sched *s = a->w->s;
    struct sr_signature sig;
    struct slice token = slice_of(a->token, sizeof a->token);
    struct wire_token t;
    /* The vault checks this again; here the refusal gets its words. */
    SR_TRY(wire_token_check(token, &s->cfg.sms_identity, &a->task, &a->w->addr, &a->challenge,
                            now_ms() / 1000, &t, err));
    for (int i = 0;; i++) { /* a vault that restarts comes back in a moment */
        struct sr_err e = {0};
        sr_status st = vault_sign_authorisation(s->vault, &a->task, &a->w->addr, &a->challenge,
                                                token, &sig, &e);
        if (st == SR_OK) break;
        if (st != SR_E_UNAVAILABLE || i == AUTH_TRIES) return sr_fail(err, st, "%s", e.what);
        SR_TRY(fiber_sleep(AUTH_WAIT_MS, err));
    }
    struct task_row row;
    SR_TRY(task_load(s, &a->task, &row, err));
    if (!row.active || !addr_eq(&row.worker, &a->w->addr) || task_is_final(row.status))
        return sr_fail(err, SR_E_CANCELLED, "the task was taken from the worker");
    SR_TRY(task_staged(s, &a->task, "attested", "COMPUTING", err));
    task_changed(s, &a->task);
    cleanup_buf struct buf b;
    buf_init(&b, 1024);
    struct jw j = jw_of(&b);
    jw_obj(&j);
    jw_kcstr(&j, "type", "authorise");
    jw_khash(&j, "task", &a->task);
    jw_kaddr(&j, "challenge", &a->challenge);
    jw_khex(&j, "signature", slice_of(sig.b, sizeof sig.b));
    jw_end_obj(&j);
    SR_TRY(buf_status(&b, err));
    worker_post(a->w, buf_slice(&b));
    log_info("authorised", "task=%s worker=%s label=%s", hash_text(&a->task).s,
             addr_text(&a->w->addr).s, wire_verdict_label(t.verdict));
    return SR_OK;
}

static void authorise_fiber(void *arg) {
    struct authorise *a = arg;
    struct sr_err e = {0};
    sr_status st = authorise(a, &e);
    if (st != SR_OK && st != SR_E_CANCELLED) {
        struct sr_err db_err = {0};
        log_err(LOG_WARN, "authorisation_refused", &e);
        post_drop(a->w, &a->task, "not authorised");
        if (dispatch_attempt_failed(a->w->s, &a->task, "AUTHORISATION_REFUSED", e.what, "host",
                                    NULL, slice_of(NULL, 0), slice_of(NULL, 0), &db_err) != SR_OK)
            log_err(LOG_ERROR, "row_failed", &db_err);
    }
    worker_unref(a->w);
    free(a);
}

static sr_status on_attested(struct pool_worker *w, const struct hash *task,
                             const struct json_val *m, struct sr_err *err) {
    struct slice token;
    if (w->refs >= SCHED_PENDING_MAX) /* it says the same again and again, or reads nothing */
        return sr_fail(err, SR_E_TOOBIG, "more than %u messages to one worker under way",
                       SCHED_PENDING_MAX);
    struct authorise *a = sr_calloc_n(1, sizeof *a);
    if (!a) return sr_fail(err, SR_E_NOMEM, "no memory for an authorisation");
    a->w = w;
    a->task = *task;
    sr_status st = SR_OK;
    if (!json_addr(json_get(m, "challenge"), &a->challenge) ||
        !json_str(json_get(m, "token"), &token) || !hex_decode(token, a->token, sizeof a->token))
        st = sr_fail(err, SR_E_MALFORMED, "attested: no challenge or token");
    if (st == SR_OK) st = fiber_start(authorise_fiber, a, err);
    if (st != SR_OK)
        free(a);
    else
        worker_ref(w);
    return st;
}

/* ---- reports ---- */

static const struct {
    const char *name, *stage, *replicate;
} stages[] = {
    {"fetching", NULL, "STARTED"},
    {"attesting", NULL, "DATA_DOWNLOADED"},
    {"running", "running", "COMPUTING"},
    {"uploading", "uploading", "COMPUTED"},
    {"settling", "settling", "CONTRIBUTE_AND_FINALIZE_ONGOING"},
};

static sr_status on_stage(struct pool_worker *w, const struct hash *task, const struct json_val *m,
                          struct sr_err *err) {
    struct slice name = {NULL, 0};
    (void)json_str(json_get(m, "stage"), &name);
    for (size_t i = 0; i < SR_ARRAY_LEN(stages); i++) {
        if (!slice_is(name, stages[i].name)) continue;
        SR_TRY(task_staged(w->s, task, stages[i].stage, stages[i].replicate, err));
        task_changed(w->s, task);
        return SR_OK;
    }
    return sr_fail(err, SR_E_MALFORMED, "an unknown stage");
}

/* An exit code: a small number, maybe negative. */
static bool exit_code_of(const struct json_val *v, int64_t *ret) {
    if (!json_is(v, JSON_NUMBER)) return false;
    struct slice t = json_text(v);
    bool minus = t.n && t.p[0] == '-';
    uint64_t n;
    if (minus) t = slice_of(t.p + 1, t.n - 1);
    if (!num_u64(t, INT32_MAX, &n)) return false;
    *ret = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

static struct slice text_of(const struct json_val *m, const char *key) {
    struct slice s = {NULL, 0};
    (void)json_str(json_get(m, key), &s);
    return s;
}

static sr_status on_done(struct pool_worker *w, const struct hash *task, const struct json_val *m,
                         struct sr_err *err) {
    int64_t code = 0;
    bool has = exit_code_of(json_get(m, "exitCode"), &code);
    SR_TRY(task_note_egress(w->s, task, json_get(m, "egress"), err));
    SR_TRY(attempt_report(w->s, task, "DONE", NULL, NULL, has ? &code : NULL, text_of(m, "stdout"),
                          text_of(m, "stderr"), err));
    task_changed(w->s, task);
    sched_kick_dispatch(w->s);
    return SR_OK;
}

static sr_status on_failed(struct pool_worker *w, const struct hash *task, const struct json_val *m,
                           struct sr_err *err) {
    static const char *const blames[] = {"app", "data", "requester", "host"};
    struct slice cause = text_of(m, "cause"), blame = text_of(m, "blame"),
                 message = text_of(m, "message");
    const char *who = NULL;
    for (size_t i = 0; i < SR_ARRAY_LEN(blames); i++)
        if (slice_is(blame, blames[i])) who = blames[i];
    if (!who || !wire_is_cause(cause))
        return sr_fail(err, SR_E_MALFORMED, "failed: no cause or blame");
    char cause_text[SCHED_CAUSE_MAX + 1], message_text[SCHED_MESSAGE_MAX + 1];
    (void)snprintf(cause_text, sizeof cause_text, "%.*s", (int)cause.n, cause.p);
    if (message.n > SCHED_MESSAGE_MAX) message.n = SCHED_MESSAGE_MAX;
    (void)snprintf(message_text, sizeof message_text, "%.*s", (int)message.n,
                   message.n ? (const char *)message.p : "");
    int64_t code = 0;
    bool has = exit_code_of(json_get(m, "exitCode"), &code);
    SR_TRY(task_note_egress(w->s, task, json_get(m, "egress"), err));
    return dispatch_attempt_failed(w->s, task, cause_text, message_text, who, has ? &code : NULL,
                                   text_of(m, "stdout"), text_of(m, "stderr"), err);
}

static sr_status on_message(struct pool_worker *w, const struct json_val *m, struct sr_err *err) {
    struct slice type = text_of(m, "type");
    struct hash task;
    struct task_row t;
    bool known = false;
    if (!json_hash(json_get(m, "task"), &task)) return sr_fail(err, SR_E_MALFORMED, "no task");
    SR_TRY(attempt_known(w->s, &task, &w->addr, &known, err));
    if (!known) return sr_fail(err, SR_E_REFUSED, "a task that was never given to this worker");
    SR_TRY(task_load(w->s, &task, &t, err));
    bool holds = t.active && t.has_worker && addr_eq(&t.worker, &w->addr);
    if (slice_is(type, "done")) return holds ? on_done(w, &task, m, err) : SR_OK;
    if (!holds || task_is_final(t.status)) {
        /* Taken from it, or settled: what it says of it does not matter any more. */
        if (holds && slice_is(type, "failed"))
            return db_run(w->s->db, "UPDATE task SET active = 0, orphan_ms = 0 WHERE id = $1",
                          DB_ARGS(db_hash(&task)), err);
        return SR_OK;
    }
    if (slice_is(type, "stage")) return on_stage(w, &task, m, err);
    if (slice_is(type, "attested")) return on_attested(w, &task, m, err);
    if (slice_is(type, "failed")) return on_failed(w, &task, m, err);
    return sr_fail(err, SR_E_MALFORMED, "an unknown message");
}

/* ---- login ---- */

static sr_status send_challenge(struct sched *s, struct ws *ws, struct hash *ret_nonce,
                                struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, 1024);
    SR_TRY(random_bytes(ret_nonce->b, sizeof ret_nonce->b, err));
    struct jw j = jw_of(&b);
    jw_obj(&j);
    jw_kcstr(&j, "type", "challenge");
    jw_khash(&j, "nonce", ret_nonce);
    jw_kaddr(&j, "workerpool", &s->cfg.workerpool);
    jw_end_obj(&j);
    SR_TRY(buf_status(&b, err));
    return ws_send(ws, buf_slice(&b), err);
}

static bool is_allowed(const struct sched *s, const struct addr *a) {
    for (size_t i = 0; i < s->cfg.n_allowed; i++)
        if (addr_eq(&s->cfg.allowed[i], a)) return true;
    return s->cfg.any_worker;
}

static sr_status read_login(struct sched *s, const struct json_val *m, const struct hash *nonce,
                            struct pool_worker *w, struct sr_err *err) {
    struct slice name = text_of(m, "name"), sig = text_of(m, "signature"), tag;
    struct sr_signature signature;
    uint64_t version = 0;
    if (!slice_is(text_of(m, "type"), "login") || !json_addr(json_get(m, "worker"), &w->addr) ||
        !hex_decode(sig, signature.b, sizeof signature.b) ||
        !json_u64(json_get(m, "slots"), &w->slots))
        return sr_fail(err, SR_E_MALFORMED, "not a login");
    if (!json_u64(json_get(m, "version"), &version) || version != WIRE_VERSION)
        return sr_fail(err, SR_E_REFUSED, "this pool speaks version %d", WIRE_VERSION);
    struct hash h = wire_login_hash(&s->cfg.workerpool, nonce, &w->addr);
    if (eth_message_check(&h, slice_of(signature.b, sizeof signature.b), &w->addr, NULL) != SR_OK)
        return sr_fail(err, SR_E_AUTH, "the signature is not the worker's");
    if (!is_allowed(s, &w->addr)) return sr_fail(err, SR_E_REFUSED, "not on this pool's list");
    const struct json_val *tags = json_get(m, "tags");
    for (const struct json_val *t = json_first(tags); t; t = json_next(t))
        if (json_str(t, &tag) && slice_is(tag, "tdx")) w->tdx = true;
    if (w->slots > 1024) w->slots = 1024;
    if (name.n >= sizeof w->name) name.n = sizeof w->name - 1;
    if (name.n) memcpy(w->name, name.p, name.n);
    (void)json_bool(json_get(m, "simulated"), &w->simulated);
    return SR_OK;
}

static bool names(const struct json_val *running, const struct hash *task) {
    struct hash h;
    size_t n = 0;
    for (const struct json_val *v = json_first(running); v && n < SCHED_RUNNING_MAX;
         v = json_next(v), n++)
        if (json_hash(v, &h) && hash_eq(&h, task)) return true;
    return false;
}

/* What the rows say it holds against what it says: the rest is lost, or not its own. */
static sr_status reconcile(struct pool_worker *w, const struct json_val *running,
                           struct sr_err *err) {
    struct sched *s = w->s;
    cleanup_db_rows struct db_rows *r = NULL;
    cleanup_buf struct buf ids;
    buf_init(&ids, 1 << 20);
    SR_TRY(db_select(s->db, "SELECT id FROM task WHERE active = 1 AND worker = $1",
                     DB_ARGS(db_addr(&w->addr)), &r, err));
    while (db_next(r)) buf_add(&ids, db_col_bytes(r, 0));
    SR_TRY(db_end(sr_take_ptr(r), err));
    for (size_t i = 0; i + 32 <= ids.n; i += 32) {
        struct hash id;
        struct task_row t;
        memcpy(id.b, ids.p + i, 32);
        SR_TRY(task_load(s, &id, &t, err));
        if (task_is_final(t.status)) {
            if (names(running, &id)) post_drop(w, &id, "the task is over");
            SR_TRY(db_run(s->db, "UPDATE task SET active = 0, orphan_ms = 0 WHERE id = $1",
                          DB_ARGS(db_hash(&id)), err));
        } else if (names(running, &id)) {
            SR_TRY(db_run(s->db, "UPDATE task SET orphan_ms = 0 WHERE id = $1",
                          DB_ARGS(db_hash(&id)), err));
        } else {
            SR_TRY(dispatch_attempt_lost(s, &id, "its worker came back without it", err));
        }
    }
    size_t n = 0;
    for (const struct json_val *v = json_first(running); v && n < SCHED_RUNNING_MAX;
         v = json_next(v), n++) {
        struct hash id;
        struct task_row t;
        bool adopted = false;
        if (!json_hash(v, &id)) return sr_fail(err, SR_E_MALFORMED, "running: not a task");
        if (task_load(s, &id, &t, NULL) == SR_OK) {
            if (t.active && t.has_worker && addr_eq(&t.worker, &w->addr)) continue;
            SR_TRY(attempt_adopt(s, &id, &w->addr, &adopted, err));
        }
        if (adopted)
            task_changed(s, &id);
        else
            post_drop(w, &id, "the task is not yours");
    }
    return SR_OK;
}

static void enlist(struct pool_worker *w) {
    struct sched *s = w->s;
    struct pool_worker *old = workers_find(s, &w->addr);
    if (old) { /* a worker that came back before its old connection was seen to be dead */
        old->gone = true;
        ws_shutdown(old->ws);
    }
    w->next = s->workers;
    s->workers = w;
    s->n_workers++;
}

static void delist(struct pool_worker *w) {
    struct sched *s = w->s;
    struct pool_worker **at = &s->workers;
    while (*at != w) at = &(*at)->next;
    *at = w->next;
    s->n_workers--;
    w->gone = true;
    if (workers_find(s, &w->addr)) return; /* replaced by a new connection */
    struct sr_err e = {0};
    if (db_run(s->db,
               "UPDATE task SET orphan_ms = $2 WHERE active = 1 AND worker = $1 AND orphan_ms = 0",
               DB_ARGS(db_addr(&w->addr), db_u64(now_ms() + s->times.orphan)), &e) != SR_OK)
        log_err(LOG_ERROR, "row_failed", &e);
}

static sr_status refuse(struct ws *ws, const struct sr_err *why) {
    cleanup_buf struct buf b;
    buf_init(&b, 1024);
    struct jw j = jw_of(&b);
    jw_obj(&j);
    jw_kcstr(&j, "type", "refused");
    jw_kcstr(&j, "why", why->what);
    jw_end_obj(&j);
    return ws_send(ws, buf_slice(&b), NULL);
}

/* From challenge to welcome. */
static sr_status login(struct sched *s, struct ws *ws, struct buf *b, struct pool_worker *w,
                       struct json **ret_doc, struct sr_err *err) {
    struct hash nonce;
    SR_TRY(send_challenge(s, ws, &nonce, err));
    SR_TRY(ws_recv(ws, SCHED_LOGIN_MS, b, err));
    SR_TRY(workers_login(s, buf_slice(b), &nonce, w, ret_doc, err));
    if (s->n_workers >= SCHED_WORKERS_MAX)
        return sr_fail(err, SR_E_UNAVAILABLE, "the pool has %d workers already", SCHED_WORKERS_MAX);
    return SR_OK;
}

sr_status workers_message(struct pool_worker *w, struct slice text, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    SR_TRY(json_parse(text, &doc, err));
    return on_message(w, json_root(doc), err);
}

sr_status workers_login(struct sched *s, struct slice text, const struct hash *nonce,
                        struct pool_worker *w, struct json **ret_doc, struct sr_err *err) {
    SR_TRY(json_parse(text, ret_doc, err));
    return read_login(s, json_root(*ret_doc), nonce, w, err);
}

static sr_status serve(struct pool_worker *w, struct buf *b, struct sr_err *err) {
    for (;;) {
        SR_TRY(ws_recv(w->ws, 0, b, err));
        SR_TRY(workers_message(w, buf_slice(b), err));
    }
}

static void serve_worker(struct pool_worker *w, struct json *login_doc, struct buf *b) {
    struct sr_err e = {0};
    enlist(w);
    log_info("worker_in", "worker=%s name=%s slots=%llu simulated=%d", addr_text(&w->addr).s,
             log_q(slice_str(w->name)).s, (unsigned long long)w->slots, w->simulated);
    sr_status st = ws_send(w->ws, SLICE_LIT("{\"type\":\"welcome\"}"), &e);
    if (st == SR_OK) st = reconcile(w, json_get(json_root(login_doc), "running"), &e);
    if (st == SR_OK) {
        sched_kick_dispatch(w->s);
        st = serve(w, b, &e);
    }
    delist(w);
    if (st == SR_E_CANCELLED)
        log_info("worker_out", "worker=%s", addr_text(&w->addr).s);
    else
        log_err(LOG_WARN, "worker_closed", &e);
    ws_shutdown(w->ws);
    while (w->refs > 0) /* others may be sending; at the stop this wait lets them end, too */
        (void)!fcond_wait(&w->released, 0, NULL);
}

sr_status workers_connect(struct http_req *rq, void *sched, struct sr_err *err) {
    struct sched *s = sched;
    if (!ws_is_upgrade(rq)) {
        (void)sr_fail(err, SR_E_USAGE, "workers connect here by websocket");
        return SR_E_USAGE;
    }
    if (s->n_strangers >= SCHED_STRANGERS_MAX)
        return sr_fail(err, SR_E_UNAVAILABLE, "too many connections that have not logged in");
    struct pool_worker *w = sr_calloc_n(1, sizeof *w);
    if (!w) return sr_fail(err, SR_E_NOMEM, "no memory for a worker");
    w->s = s;
    s->n_strangers++; /* before anything waits */
    sr_status st = ws_accept(rq, WIRE_POOL_MESSAGE_MAX, &w->ws, err);
    if (st != SR_OK) {
        s->n_strangers--;
        free(w);
        return st;
    }
    cleanup_buf struct buf b;
    cleanup_json struct json *doc = NULL;
    struct sr_err e = {0};
    buf_init(&b, WIRE_POOL_MESSAGE_MAX);
    st = login(s, w->ws, &b, w, &doc, &e);
    if (st == SR_OK) {
        s->n_strangers--;
        serve_worker(w, doc, &b);
    } else if (st != SR_E_CANCELLED) {
        log_err(LOG_WARN, "login_refused", &e);
        (void)!refuse(w->ws, &e);
    }
    ws_close(w->ws);
    if (st != SR_OK) s->n_strangers--; /* it took a place until now: closing waits for the other */
    free(w);
    return SR_OK;
}
