/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker_int.h"
#include <stdlib.h>

/* ---- from the scheduler ---- */

static sr_status faulty(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_MALFORMED, "an assignment without a valid %s", what);
}

static bool take_text(const struct json_val *v, char **ret) {
    struct slice s;
    if (!json_str(v, &s) || s.n == 0 || s.n > WORKER_MAX_URL || memchr(s.p, 0, s.n)) return false;
    *ret = slice_dup(s);
    return *ret != NULL;
}

static sr_status take_datasets(const struct json_val *list, struct job *j, struct sr_err *err) {
    size_t n = json_len(list);
    if (!json_is(list, JSON_ARRAY) || n > WORKER_MAX_INPUTS) return faulty(err, "datasets");
    j->datasets = sr_calloc_n(n + 1, sizeof *j->datasets);
    if (!j->datasets) return sr_fail(err, SR_E_NOMEM, "assignment");
    for (const struct json_val *d = json_first(list); d; d = json_next(d)) {
        struct job_input *to = &j->datasets[j->n_datasets++];
        if (!json_addr(json_get(d, "address"), &to->address) ||
            !take_text(json_get(d, "multiaddr"), &to->url) ||
            !json_hash(json_get(d, "checksum"), &to->checksum))
            return faulty(err, "data set");
    }
    return SR_OK;
}

static sr_status take_files(const struct json_val *list, struct job *j, struct sr_err *err) {
    size_t n = json_len(list);
    if (!json_is(list, JSON_ARRAY) || n > WORKER_MAX_INPUTS) return faulty(err, "inputFiles");
    j->files = sr_calloc_n(n + 1, sizeof *j->files);
    if (!j->files) return sr_fail(err, SR_E_NOMEM, "assignment");
    for (const struct json_val *u = json_first(list); u; u = json_next(u))
        if (!take_text(u, &j->files[j->n_files++].url)) return faulty(err, "input file");
    return SR_OK;
}

sr_status msg_assign_read(const struct json_val *v, struct job *j, struct sr_err *err) {
    const struct json_val *app = json_get(v, "app"), *callback = json_get(v, "callback");
    if (!json_hash(json_get(v, "task"), &j->task) || !json_hash(json_get(v, "deal"), &j->deal) ||
        !json_u64(json_get(v, "index"), &j->index) ||
        !json_hash(json_get(v, "matchTx"), &j->match_tx))
        return faulty(err, "task, deal, index or matchTx");
    if (!wire_assignment_read(json_get(v, "assignment"), &j->assignment) ||
        !hash_eq(&j->assignment.task, &j->task))
        return faulty(err, "signed assignment");
    if (!json_addr(json_get(app, "address"), &j->app) ||
        !take_text(json_get(app, "multiaddr"), &j->app_multiaddr) ||
        !json_hash(json_get(app, "checksum"), &j->app_checksum))
        return faulty(err, "app");
    SR_TRY(take_datasets(json_get(v, "datasets"), j, err));
    SR_TRY(take_files(json_get(v, "inputFiles"), j, err));
    if (!json_u64(json_get(v, "seconds"), &j->seconds) || j->seconds == 0 || j->seconds > 1000000 ||
        !json_u64(json_get(v, "contributionDeadline"), &j->contribution_deadline) ||
        !json_bool(json_get(v, "initialized"), &j->initialized))
        return faulty(err, "seconds, contributionDeadline or initialized");
    if (callback && !json_is(callback, JSON_NULL)) {
        if (!json_addr(callback, &j->callback)) return faulty(err, "callback");
        j->has_callback = !addr_is_zero(&j->callback);
    }
    return SR_OK;
}

/* ---- to the scheduler ---- */

sr_status msg_login(const struct worker *w, const struct sr_signature *sig, struct buf *ret,
                    struct sr_err *err) {
    struct jw j = jw_of(ret);
    jw_obj(&j);
    jw_kcstr(&j, "type", "login");
    jw_ku64(&j, "version", WIRE_VERSION);
    jw_kaddr(&j, "worker", &w->me);
    jw_khex(&j, "signature", slice_of(sig->b, sizeof sig->b));
    jw_kcstr(&j, "name", w->name);
    jw_ku64(&j, "slots", w->slots);
    jw_key(&j, "tags");
    jw_arr(&j);
    jw_cstr(&j, "tee");
    jw_cstr(&j, "tdx");
    jw_end_arr(&j);
    jw_kbool(&j, "simulated", w->platform.n > 0);
    jw_key(&j, "running");
    jw_arr(&j);
    for (const struct job *o = w->jobs; o; o = o->next)
        if (!o->cancelled) jw_cstr(&j, hash_text(&o->task).s);
    jw_end_arr(&j);
    jw_end_obj(&j);
    return buf_status(ret, err);
}

static struct jw start(struct buf *b, const char *type, const struct hash *task) {
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_kcstr(&w, "type", type);
    jw_khash(&w, "task", task);
    return w;
}

void msg_stage(struct buf *b, const struct hash *task, const char *stage) {
    struct jw w = start(b, "stage", task);
    jw_kcstr(&w, "stage", stage);
    jw_end_obj(&w);
}

void msg_attested(struct buf *b, const struct hash *task, const struct addr *challenge,
                  struct slice token) {
    struct jw w = start(b, "attested", task);
    jw_kaddr(&w, "challenge", challenge);
    jw_khex(&w, "token", token);
    jw_end_obj(&w);
}

/* The end of a tail that is not longer than this once it is written: control characters take six
 * bytes, and an app must not be able to make its own end unsayable. */
#define TAIL_WRITTEN_MAX (WIRE_POOL_MESSAGE_MAX / 2 - 32u * 1024)

static struct slice end_that_fits(struct slice s) {
    size_t at = s.n, written = 0;
    while (at > 0) {
        uint8_t c = s.p[at - 1];
        written += c < 0x20 ? 6 : c >= 0x80 ? 3 : c == '"' || c == '\\' ? 2 : 1;
        if (written > TAIL_WRITTEN_MAX) break;
        at--;
    }
    return at > 0 ? slice_of(s.p + at, s.n - at) : s;
}

static void put_tails(struct jw *w, const struct job *j) {
    jw_kstr(w, "stdout", end_that_fits(buf_slice(&j->tail_out)));
    jw_kstr(w, "stderr", end_that_fits(buf_slice(&j->tail_err)));
}

static void put_egress(struct jw *w, const struct job *j) {
    const struct door_egress *e = &j->egress;
    jw_key(w, "egress");
    jw_obj(w);
    jw_ku64(w, "connections", e->connections);
    jw_ku64(w, "failed", e->failed);
    jw_ku64(w, "refused", e->refused);
    jw_ku64(w, "sent", e->sent);
    jw_ku64(w, "received", e->received);
    jw_end_obj(w);
}

void msg_done(struct buf *b, const struct job *j) {
    struct jw w = start(b, "done", &j->task);
    jw_khash(&w, "tx", &j->tx);
    jw_ku64(&w, "exitCode", 0);
    put_egress(&w, j);
    put_tails(&w, j);
    jw_end_obj(&w);
}

void msg_failed(struct buf *b, const struct job *j, const struct sr_err *e) {
    struct jw w = start(b, "failed", &j->task);
    cleanup_buf struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "%s%s%s", e->what[0] ? e->what : sr_status_text(e->code),
               e->hint[0] ? "; " : "", e->hint);
    jw_kcstr(&w, "cause", j->cause ? j->cause : "POST_COMPUTE_FAILED_UNKNOWN_ISSUE");
    jw_kstr(&w, "message", buf_slice(&text));
    if (j->has_exit) jw_ku64(&w, "exitCode", j->exit_code);
    jw_kcstr(&w, "blame", door_blame_name(j->cause ? j->blame : BLAME_HOST));
    put_egress(&w, j);
    put_tails(&w, j);
    jw_end_obj(&w);
}
