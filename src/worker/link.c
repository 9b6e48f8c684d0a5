/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the scheduler. Jobs go on while it is away; on a new connection the login names
 * them, and what the scheduler may have missed is said again: stages, attestations, ends.
 */
#include "worker/worker_int.h"
#include <unistd.h>

#define LINK_HELLO_MS 10000u

sr_status link_send(struct worker *w, struct slice text, struct sr_err *err) {
    struct ws *ws = w->ws;
    if (!ws) return sr_fail(err, SR_E_UNAVAILABLE, "not connected to the scheduler");
    w->sending++;
    sr_status st = ws_send(ws, text, err);
    w->sending--;
    if (st != SR_OK && w->ws == ws) ws_shutdown(ws);
    fcond_wake(&w->link_changed);
    return st;
}

/* A message that is lost with the connection is said again, or not needed any more. */
static void send_or_forget(struct worker *w, struct slice text) {
    if (link_send(w, text, NULL) != SR_OK) log_debug("unsent", "bytes=%zu", text.n);
}

void link_stage(struct job *j, const char *stage) {
    j->stage = stage;
    if (j->cancelled) return;
    cleanup_buf struct buf b;
    buf_init(&b, 1024);
    msg_stage(&b, &j->task, stage);
    log_info("stage", "task=%s stage=%s at_us=%lld", hash_text(&j->task).s, stage,
             (long long)(clock_mono_us() - j->started_us));
    send_or_forget(j->w, buf_slice(&b));
}

sr_status link_send_last(struct job *j, struct sr_err *err) {
    struct worker *w = j->w;
    while (!j->cancelled) {
        if (w->ws && link_send(w, buf_slice(&j->last), NULL) == SR_OK) return SR_OK;
        sr_status st = fcond_wait(&w->link_changed, 1000, NULL);
        if (st != SR_OK && st != SR_E_TIMEOUT) return sr_fail(err, st, "the worker stops");
    }
    return SR_OK;
}

/* ---- messages in ---- */

static sr_status start_job(struct worker *w, const struct json_val *v, struct sr_err *err) {
    struct job *j = job_new(w);
    if (!j) return sr_fail(err, SR_E_NOMEM, "assignment");
    sr_status st = msg_assign_read(v, j, err);
    if (st == SR_OK && !addr_eq(&j->assignment.worker, &w->me))
        st = sr_fail(err, SR_E_MALFORMED, "an assignment for another worker");
    if (st == SR_OK && job_find(w, &j->task)) { /* said again after a reconnection: we have it */
        job_free(j);
        return SR_OK;
    }
    if (st == SR_OK && w->n_jobs >= WORKER_MAX_JOBS)
        st = sr_fail(err, SR_E_TOOBIG, "more than %u tasks", WORKER_MAX_JOBS);
    if (st != SR_OK) {
        job_free(j);
        return st;
    }
    j->next = w->jobs;
    w->jobs = j;
    w->n_jobs++;
    st = fiber_start(job_fiber, j, err);
    if (st != SR_OK) {
        w->jobs = j->next;
        w->n_jobs--;
        job_free(j);
    }
    return st;
}

static sr_status take_authorisation(struct worker *w, const struct json_val *v,
                                    struct sr_err *err) {
    struct hash task;
    struct addr challenge;
    struct sr_signature sig;
    struct slice text;
    if (!json_hash(json_get(v, "task"), &task) ||
        !json_addr(json_get(v, "challenge"), &challenge) ||
        !json_str(json_get(v, "signature"), &text) || !hex_decode(text, sig.b, sizeof sig.b))
        return sr_fail(err, SR_E_MALFORMED, "an authorisation that is none");
    struct job *j = job_find(w, &task);
    if (!j || j->cancelled) return SR_OK; /* it ended meanwhile */
    if (!addr_eq(&challenge, &j->challenge)) {
        log_warn("authorisation_of_another_room", "task=%s", hash_text(&task).s);
        return SR_OK;
    }
    j->authorisation = sig;
    j->authorised = true;
    fcond_wake(&j->changed);
    return SR_OK;
}

static sr_status take_drop(struct worker *w, const struct json_val *v, struct sr_err *err) {
    struct hash task;
    struct slice why = {0};
    if (!json_hash(json_get(v, "task"), &task))
        return sr_fail(err, SR_E_MALFORMED, "a drop without a task");
    (void)json_str(json_get(v, "why"), &why);
    struct job *j = job_find(w, &task);
    log_info("dropped", "task=%s known=%d why=%s", hash_text(&task).s, j != NULL, log_q(why).s);
    if (j) job_cancel(j);
    return SR_OK;
}

static sr_status dispatch(struct worker *w, struct slice text, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct slice type;
    SR_TRY(json_parse(text, &doc, err));
    const struct json_val *v = json_root(doc);
    if (!json_str(json_get(v, "type"), &type))
        return sr_fail(err, SR_E_MALFORMED, "a message without type");
    if (slice_is(type, "assign")) return start_job(w, v, err);
    if (slice_is(type, "authorise")) return take_authorisation(w, v, err);
    if (slice_is(type, "drop")) return take_drop(w, v, err);
    log_warn("unknown_message", "type=%s", log_q(type).s); /* of a newer scheduler */
    return SR_OK;
}

/* ---- the connection ---- */

static sr_status hello(struct worker *w, struct ws *ws, struct sr_err *err) {
    cleanup_buf struct buf in, out;
    cleanup_json struct json *doc = NULL, *answer = NULL;
    struct slice type, why = {0};
    struct hash nonce;
    struct addr pool;
    struct sr_signature sig;
    buf_init(&in, WIRE_POOL_MESSAGE_MAX);
    buf_init(&out, WIRE_POOL_MESSAGE_MAX);
    SR_TRY(ws_recv(ws, LINK_HELLO_MS, &in, err));
    SR_TRY(json_parse(buf_slice(&in), &doc, err));
    const struct json_val *v = json_root(doc);
    if (!json_str(json_get(v, "type"), &type) || !slice_is(type, "challenge") ||
        !json_hash(json_get(v, "nonce"), &nonce) || !json_addr(json_get(v, "workerpool"), &pool))
        return sr_fail(err, SR_E_MALFORMED, "the scheduler did not begin with a challenge");
    SR_TRY(vault_sign_login(w->vault, &nonce, &pool, &sig, err));
    SR_TRY(msg_login(w, &sig, &out, err));
    SR_TRY(ws_send(ws, buf_slice(&out), err));
    SR_TRY(ws_recv(ws, LINK_HELLO_MS, &in, err));
    SR_TRY(json_parse(buf_slice(&in), &answer, err));
    v = json_root(answer);
    if (json_str(json_get(v, "type"), &type) && slice_is(type, "welcome")) {
        log_info("logged_in", "workerpool=%s running=%zu", addr_text(&pool).s, w->n_jobs);
        return SR_OK;
    }
    (void)json_str(json_get(v, "why"), &why);
    return sr_fail(err, SR_E_REFUSED, "the scheduler refuses this worker: %s", log_q(why).s);
}

static void say_again(struct worker *w) {
    /* Sending lets other fibers run, and jobs end: so go by task, not by pointer. */
    struct hash done[WORKER_MAX_JOBS];
    size_t n = 0;
    for (struct job *j = w->jobs; j && n < SR_ARRAY_LEN(done); j = j->next)
        if (j->state == JOB_RUNNING && !j->cancelled) done[n++] = j->task;
    for (size_t i = 0; i < n; i++) {
        struct job *j = job_find(w, &done[i]);
        if (!j || j->state != JOB_RUNNING || j->cancelled) continue;
        cleanup_buf struct buf b;
        buf_init(&b, WIRE_POOL_MESSAGE_MAX);
        if (j->attested.n > 0 && !j->authorised)
            buf_add(&b, buf_slice(&j->attested));
        else if (j->stage)
            msg_stage(&b, &j->task, j->stage);
        if (b.n > 0) send_or_forget(w, buf_slice(&b));
    }
}

static sr_status serve(struct worker *w, struct ws *ws, struct sr_err *err) {
    cleanup_buf struct buf in;
    buf_init(&in, WIRE_POOL_MESSAGE_MAX);
    SR_TRY(hello(w, ws, err));
    w->ws = ws;
    fcond_wake(&w->link_changed);
    door_spare_start(w);
    say_again(w);
    for (;;) {
        SR_TRY(ws_recv(ws, 0, &in, err));
        SR_TRY(dispatch(w, buf_slice(&in), err));
    }
}

/* "http://h:p" -> "ws://h:p/v1/workers" */
static sr_status link_url(const struct worker *w, struct buf *b, struct sr_err *err) {
    struct slice s = slice_str(w->scheduler);
    bool tls = slice_starts(s, "https://") || slice_starts(s, "wss://");
    struct slice scheme, rest;
    if (!slice_cut(s, ':', &scheme, &rest) || !slice_starts(rest, "//"))
        return sr_fail(err, SR_E_USAGE, "--scheduler is not a URL");
    while (rest.n > 2 && rest.p[rest.n - 1] == '/') rest.n--;
    buf_printf(b, "%s:%.*s/v1/workers", tls ? "wss" : "ws", (int)rest.n, (const char *)rest.p);
    return buf_status(b, err);
}

static sr_status connect_once(struct worker *w, bool *ret_was_up, struct sr_err *err) {
    cleanup_buf struct buf url;
    struct ws *ws = NULL;
    buf_init(&url, 1024);
    SR_TRY(link_url(w, &url, err));
    SR_TRY(ws_connect(buf_cstr(&url), WIRE_POOL_MESSAGE_MAX, &ws, err));
    sr_status st = serve(w, ws, err);
    *ret_was_up = w->ws == ws;
    w->ws = NULL;
    ws_shutdown(ws);
    while (w->sending > 0) /* those who still hold it; a cancelled wait lets them run, too */
        if (fcond_wait(&w->link_changed, 1000, NULL) == SR_E_CANCELLED) ws_shutdown(ws);
    ws_close(ws);
    return st;
}

void link_fiber(void *arg) {
    struct worker *w = arg;
    uint64_t pause = WORKER_RECONNECT_MS;
    while (!net_stopping()) {
        struct sr_err err = {0};
        bool was_up = false;
        sr_status st = connect_once(w, &was_up, &err);
        if (net_stopping()) break;
        log_err(st == SR_E_REFUSED || was_up ? LOG_WARN : LOG_INFO, "scheduler_away", &err);
        pause = was_up                             ? WORKER_RECONNECT_MS
                : pause * 2 < WORKER_RECONNECT_MAX ? pause * 2
                                                   : WORKER_RECONNECT_MAX;
        if (fiber_sleep(pause, NULL) != SR_OK) break;
    }
    door_close(sr_take_ptr(w->spare));
}
