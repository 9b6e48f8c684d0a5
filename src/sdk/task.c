/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deals and tasks: what the chain has, what the scheduler says, and waiting for the end. The
 * scheduler tells of each step (server-sent events); whether a task is completed only the chain
 * says.
 */
#include "base/failure.h"
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define EVENT_LINE_MAX 65536
#define EVENTS_IDLE_MS                                                                             \
    60000                  /* the scheduler says something at least so often, or is asked again    \
                            */
#define LOOK_MS      10000 /* so often the chain is asked although the scheduler's stream is open */
#define RETRY_MIN_MS 200
#define RETRY_MAX_MS 2000
#define LOST_MS      20000  /* a deal that the chain does not know for so long is lost */
#define SILENT_MS    120000 /* neither chain nor scheduler answers: give up */
#define SETTLE_MS    10000  /* between the scheduler's "completed" and the node's view of it */

/* ---- show ---------------------------------------------------------------------------------------
 */

static void read_status(const struct json_val *v, struct sr_task *t) {
    struct slice cause = json_text(json_get(v, "cause")),
                 message = json_text(json_get(v, "message"));
    TEXT_PUT(t->stage, json_text(json_get(v, "stage")));
    t->cause[0] = 0;
    if (cause.n > 0)
        (void)snprintf(t->cause, sizeof t->cause, "%.*s%s%.*s", (int)(cause.n < 80 ? cause.n : 80),
                       (const char *)cause.p, message.n > 0 ? ": " : "",
                       (int)(message.n < 150 ? message.n : 150),
                       message.n > 0 ? (const char *)message.p : "");
    struct addr a;
    if (json_addr(json_get(v, "worker"), &a) && !addr_is_zero(&a)) addr_put(t->worker, &a);
    struct slice code = json_text(json_get(v, "exitCode"));
    bool minus = code.n > 0 && code.p[0] == '-';
    uint64_t number;
    t->has_exit_code = num_u64(minus ? slice_of(code.p + 1, code.n - 1) : code, INT32_MAX, &number);
    if (t->has_exit_code) t->exit_code = minus ? -(int64_t)number : (int64_t)number;
    const struct json_val *e = json_get(v, "egress");
    t->has_egress = json_u64(json_get(e, "connections"), &t->egress.connections) &&
                    json_u64(json_get(e, "failed"), &t->egress.failed) &&
                    json_u64(json_get(e, "refused"), &t->egress.refused) &&
                    json_u64(json_get(e, "sent"), &t->egress.sent) &&
                    json_u64(json_get(e, "received"), &t->egress.received);
}

static sr_status from_chain(struct sr_client *c, const struct hash *task, struct sr_task *t,
                            struct sr_err *err) {
    cleanup_task struct poco_task v = {0};
    struct eth_block head;
    SR_TRY(poco_view_task(&c->poco, task, (struct eth_at){0}, &v, err));
    SR_TRY(eth_get_block(c->rpc, (struct eth_at){0}, &head, err));
    hash_put(t->task, task);
    if (!hash_is_zero(&v.deal)) hash_put(t->deal, &v.deal);
    bool late =
        v.status < POCO_TASK_COMPLETED && v.final_deadline > 0 && head.time > v.final_deadline;
    TEXT_PUT(t->status, slice_str(late ? "TIMEOUT" : poco_task_status_word[v.status]));
    t->final_deadline_unix_s = v.final_deadline;
    if (v.status != POCO_TASK_COMPLETED) return SR_OK;
    hash_put(t->result_digest, &v.result_digest);
    if (v.n_contributors > 0) addr_put(t->worker, &v.contributors[0]);
    struct poco_result_link link = {0};
    SR_TRY(poco_result_read(v.results, &link, err));
    TEXT_PUT(t->result_location, link.location);
    json_free(link.doc);
    return SR_OK;
}

static void scheduler_url(struct sr_client *c, const struct hash *task, const char *suffix,
                          struct buf *url) {
    buf_init(url, SDK_URL_MAX * 2);
    buf_printf(url, "%s/v1/tasks/%s%s", c->net.scheduler, hash_text(task).s, suffix);
}

sr_status task_show(struct sr_client *c, const struct hash *task, struct sr_task *ret,
                    struct sr_err *err) {
    struct sr_task t = {0};
    cleanup_buf struct buf url = {0};
    cleanup_json struct json *doc = NULL;
    struct sr_err none = {0};
    SR_TRY(sdk_chain(c, err));
    bool said = false;
    if (c->net.scheduler) {
        scheduler_url(c, task, "", &url);
        said = http_json("GET", buf_cstr(&url), (struct slice){NULL, 0}, &doc, &none) == SR_OK;
        if (said) {
            struct hash deal;
            read_status(json_root(doc), &t);
            if (json_hash(json_get(json_root(doc), "deal"), &deal)) hash_put(t.deal, &deal);
        }
    }
    SR_TRY(from_chain(c, task, &t, err));
    if (t.deal[0] == 0 && !said) {
        sr_why(err, SR_F_TASK_UNKNOWN);
        sr_hint(err,
                "strongroom run prints the task's id; a deal id is shown by strongroom deal show");
        return sr_fail(err, SR_E_NOTFOUND, "no task %s is known", hash_text(task).s);
    }
    *ret = t;
    return SR_OK;
}

/* ---- waiting ------------------------------------------------------------------------------------
 */

struct watch {
    struct sr_client *c;
    const struct hash *task;
    struct sr_task t;
    struct buf line;
    bool failed, completed, heard;
};

/* The scheduler's words as the stages that users know. */
static const char *stage_word(const char *stage) {
    static const char *const map[][2] = {{"matched", "matched"},     {"initialised", "initialised"},
                                         {"attested", "attested"},   {"running", "running"},
                                         {"uploading", "uploading"}, {"settling", "uploading"},
                                         {"completed", "completed"}};
    for (size_t i = 0; i < SR_ARRAY_LEN(map); i++)
        if (strcmp(stage, map[i][0]) == 0) return map[i][1];
    return NULL;
}

static sr_status event(struct watch *w, struct slice json, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    if (json_parse(json, &doc, NULL) != SR_OK) return SR_OK; /* another's line: not ours to judge */
    const struct json_val *root = json_root(doc);
    struct slice status = json_text(json_get(root, "status"));
    read_status(root, &w->t);
    w->heard = true;
    const char *word = stage_word(w->t.stage);
    w->failed = slice_is(status, "FAILED");
    w->completed = slice_is(status, "COMPLETED");
    if (word && !w->failed && strcmp(word, "completed") != 0)
        sdk_progress(w->c, "wait", word, 0, 0, NULL);
    return w->failed || w->completed ? sr_fail(err, SR_E_CANCELLED, "told") : SR_OK;
}

static sr_status on_bytes(void *arg, struct slice data, struct sr_err *err) {
    struct watch *w = arg;
    for (size_t i = 0; i < data.n; i++) {
        if (data.p[i] != '\n') {
            buf_u8(&w->line, data.p[i]);
            continue;
        }
        struct slice line = slice_trim(buf_slice(&w->line));
        sr_status st = SR_OK;
        if (w->line.bad == SR_OK && slice_starts(line, "data:"))
            st = event(w, slice_trim(slice_of(line.p + 5, line.n - 5)), err);
        buf_clear(&w->line);
        SR_TRY(st);
    }
    return SR_OK;
}

static sr_status listen(struct watch *w, struct sr_err *err) {
    cleanup_buf struct buf url;
    cleanup_answer struct http_answer a = {0};
    scheduler_url(w->c, w->task, "/events", &url);
    const char *headers[] = {"Accept: text/event-stream", NULL};
    struct http_call call = {.url = buf_cstr(&url),
                             .headers = headers,
                             .on_data = on_bytes,
                             .arg = w,
                             .timeout_ms = EVENTS_IDLE_MS,
                             .total_ms = LOOK_MS};
    buf_clear(&w->line);
    sr_status st = http_fetch(&call, &a, err);
    if (st == SR_OK && a.status != 200)
        return sr_fail(err, SR_E_UNAVAILABLE, "the scheduler answered %d", a.status);
    return w->failed || w->completed ? SR_OK : st;
}

static sr_status failed(struct watch *w, const char *why, struct sr_err *err) {
    sr_why_text(err, why);
    sr_hint(err, "nothing was paid for it; strongroom task show %s", w->t.task);
    return sr_fail(err, SR_E_TASK, "the task failed: %s", why);
}

/* The chain's word. *ret_final: it is over. */
static sr_status ask_chain(struct watch *w, bool *ret_final, struct sr_err *err) {
    SR_TRY(from_chain(w->c, w->task, &w->t, err));
    *ret_final = strcmp(w->t.status, "COMPLETED") == 0 || strcmp(w->t.status, "FAILED") == 0 ||
                 strcmp(w->t.status, "TIMEOUT") == 0;
    return SR_OK;
}

static sr_status end(struct watch *w, struct sr_err *err) {
    if (strcmp(w->t.status, "COMPLETED") == 0) {
        sdk_progress(w->c, "wait", "completed", 0, 0, NULL);
        return SR_OK;
    }
    if (w->t.cause[0]) return failed(w, w->t.cause, err);
    bool late = strcmp(w->t.status, "TIMEOUT") == 0;
    sr_why(err, late ? SR_F_FINAL_DEADLINE_REACHED : SR_F_TASK_CLAIMED);
    return failed(w,
                  late ? "its final deadline has passed without a result"
                       : "it was claimed back without a result",
                  err);
}

/* Has the chain still the deal of this task? Only of one made by this client is the deal known. */
static bool deal_is_lost(struct watch *w) {
    struct sr_client *c = w->c;
    cleanup_deal struct poco_deal d = {0};
    struct sr_err none = {0};
    return hash_eq(&c->last_task, w->task) &&
           poco_view_deal(&c->poco, &c->last_deal, (struct eth_at){0}, &d, &none) == SR_E_NOTFOUND;
}

static sr_status wait_for(struct watch *w, struct sr_err *err) {
    struct sr_client *c = w->c;
    int64_t lost_since = 0, told_at = 0, silent_since = 0;
    uint64_t pause = RETRY_MIN_MS;
    struct sr_err last = {0};
    for (;;) {
        bool final = false, asked;
        struct sr_err why = {0};
        asked = ask_chain(w, &final, &why) == SR_OK;
        if (asked && final) return end(w, err);
        if (w->failed) return failed(w, w->t.cause[0] ? w->t.cause : "no cause was given", err);
        int64_t now = clock_mono_us();
        if (asked || w->heard) silent_since = now;
        if (silent_since == 0) silent_since = now;
        if (now - silent_since > SILENT_MS * 1000ll) {
            if (err && err->code == SR_OK) *err = why;
            return why.code;
        }
        if (asked && deal_is_lost(w)) {
            if (lost_since == 0) lost_since = now;
            if (now - lost_since > LOST_MS * 1000) {
                sr_why(err, SR_F_DEAL_VANISHED);
                return failed(w, "the chain lost its deal (a node went back in time); run it again",
                              err);
            }
        } else {
            lost_since = 0;
        }
        if (w->completed) { /* our node is behind the scheduler's */
            if (told_at == 0) told_at = now;
            if (now - told_at > SETTLE_MS * 1000) w->completed = false, told_at = 0;
            SR_TRY(fiber_sleep(50, err));
            continue;
        }
        struct sr_err down = {0};
        w->heard = false;
        sr_status st = c->net.scheduler ? listen(w, &down) : SR_E_NOTFOUND;
        if (st == SR_E_CANCELLED && net_stopping()) return sr_fail(err, st, "stopped");
        if (w->failed || w->completed) continue;
        if (w->heard) pause = RETRY_MIN_MS;
        if (st != SR_OK && !w->heard && last.code != st) {
            last = down;
            last.code = st;
            sdk_progress(c, "wait", "scheduler does not answer, waiting for it", 0, 0, NULL);
        }
        SR_TRY(fiber_sleep(pause, err));
        pause = pause * 2 < RETRY_MAX_MS ? pause * 2 : RETRY_MAX_MS;
    }
}

sr_status task_wait(struct sr_client *c, const struct hash *task, struct sr_task *ret,
                    struct sr_err *err) {
    struct watch w = {.c = c, .task = task};
    SR_TRY(sdk_chain(c, err));
    hash_put(w.t.task, task);
    buf_init(&w.line, EVENT_LINE_MAX);
    sr_status st = wait_for(&w, err);
    buf_done(&w.line);
    if (ret) *ret = w.t;
    return st;
}

/* ---- public
 * -------------------------------------------------------------------------------------- */

struct task_args {
    struct sr_client *c;
    const char *task;
    struct sr_task *ret;
    bool wait;
};

/* A task of a deal that this client made: it need not be known to anybody yet. */
static bool made_here(const struct sr_client *c, const struct hash *task) {
    if (hash_eq(task, &c->last_task)) return true;
    for (uint64_t i = 0; i < c->last_size; i++) {
        struct hash id = poco_task_id(&c->last_deal, u256_of(c->last_first + i));
        if (hash_eq(&id, task)) return true;
    }
    return false;
}

static sr_status on_task(void *arg, struct sr_err *err) {
    struct task_args *a = arg;
    struct hash h;
    SR_TRY(sdk_hash_arg(a->task, "task", &h, err));
    if (!a->wait) return task_show(a->c, &h, a->ret, err);
    struct sr_task known;
    if (!made_here(a->c, &h)) SR_TRY(task_show(a->c, &h, &known, err));
    return task_wait(a->c, &h, a->ret, err);
}

sr_status sr_task_show(struct sr_client *c, const char *task, struct sr_task *ret_t,
                       struct sr_err *err) {
    struct task_args a = {c, task, ret_t, false};
    return sdk_call(c, on_task, &a, err);
}

sr_status sr_task_wait(struct sr_client *c, const char *task, struct sr_task *ret_t,
                       struct sr_err *err) {
    struct task_args a = {c, task, ret_t, true};
    return sdk_call(c, on_task, &a, err);
}

struct deal_args {
    struct sr_client *c;
    const char *deal;
    struct sr_deal *ret;
};

void sr_deal_done(struct sr_deal *d) {
    if (!d) return;
    free(d->params);
    d->params = NULL;
}

static uint64_t small(struct u256 v) {
    uint64_t n;
    return u256_to_u64(v, &n) ? n : UINT64_MAX;
}

static sr_status show_deal(void *arg, struct sr_err *err) {
    struct deal_args *a = arg;
    struct sr_client *c = a->c;
    struct hash id;
    cleanup_deal struct poco_deal d = {0};
    SR_TRY(sdk_hash_arg(a->deal, "deal", &id, err));
    SR_TRY(sdk_chain(c, err));
    sr_status st = poco_view_deal(&c->poco, &id, (struct eth_at){0}, &d, err);
    if (st == SR_E_NOTFOUND) sr_why(err, SR_F_DEAL_UNKNOWN);
    if (st == SR_E_NOTFOUND) sr_hint(err, "strongroom run prints the deal's id");
    SR_TRY(st);
    struct sr_deal *r = a->ret;
    struct u256 price = d.app.price;
    if (!u256_add(&price, price, d.dataset.price) || !u256_add(&price, price, d.workerpool.price))
        return sr_fail(err, SR_E_RANGE, "the deal's price overflows");
    hash_put(r->deal, &id);
    addr_put(r->app, &d.app.pointer);
    addr_put(r->data, &d.dataset.pointer);
    addr_put(r->workerpool, &d.workerpool.pointer);
    addr_put(r->requester, &d.requester);
    addr_put(r->beneficiary, &d.beneficiary);
    u256_put(r->price_nrlc, price);
    hash_put(r->tag, &d.tag);
    r->category = small(d.category);
    r->trust = small(d.trust);
    r->start_unix_s = d.start_time;
    r->first = small(d.bot_first);
    r->size = small(d.bot_size);
    r->params = slice_dup(d.params);
    return r->params ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

sr_status sr_deal_show(struct sr_client *c, const char *deal, struct sr_deal *ret_d,
                       struct sr_err *err) {
    struct sr_deal d = {0};
    struct deal_args a = {c, deal, &d};
    sr_status st = sdk_call(c, show_deal, &a, err);
    if (st == SR_OK) *ret_d = d;
    return st;
}
