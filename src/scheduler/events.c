/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.c - our own view of tasks: stage, cause, and a stream of their changes; the pool's state
 *
 * SPEC: docs/wire.md, "Scheduler /v1/"
 */
#include "scheduler/sched_int.h"

#define UNKNOWN_WAIT_MS 60000 /* a stream may be opened before the deal is seen */
#define BEAT_MS         15000 /* a comment, so that proxies keep the stream */
#define VIEW_MAX        8192

static void put_view(struct jw *w, const struct task_row *t) {
    jw_obj(w);
    jw_khash(w, "task", &t->id);
    jw_khash(w, "deal", &t->deal);
    jw_ku64(w, "index", t->index);
    jw_kcstr(w, "status", task_status_word[t->status]);
    jw_kcstr(w, "stage", t->stage);
    if (t->cause[0]) jw_kcstr(w, "cause", t->cause);
    if (t->message[0]) jw_kcstr(w, "message", t->message);
    if (t->has_exit) {
        jw_key(w, "exitCode");
        jw_i64(w, t->exit_code);
    }
    if (t->egress[0]) {
        jw_key(w, "egress");
        jw_raw(w, slice_str(t->egress));
    }
    if (t->has_worker) jw_kaddr(w, "worker", &t->worker);
    jw_ku64(w, "updated", t->updated_ms);
    jw_end_obj(w);
}

sr_status events_task(struct http_req *rq, void *sched, struct sr_err *err) {
    struct hash id;
    struct task_row t;
    cleanup_buf struct buf b;
    buf_init(&b, VIEW_MAX);
    if (!hash_parse(http_param(rq, "id"), &id))
        return sr_fail(err, SR_E_MALFORMED, "not a task id");
    SR_TRY(task_load(sched, &id, &t, err));
    struct jw w = jw_of(&b);
    put_view(&w, &t);
    return http_reply_json(rq, 200, &b, err);
}

/* Waits until the task is known. */
static sr_status wait_known(struct http_req *rq, struct sched *s, const struct hash *id,
                            struct task_row *t, struct sr_err *err) {
    int64_t until = clock_mono_us() + (int64_t)UNKNOWN_WAIT_MS * 1000;
    for (;;) {
        struct sr_err why = {0};
        sr_status st = task_load(s, id, t, &why);
        int64_t left = (until - clock_mono_us()) / 1000;
        if (st != SR_E_NOTFOUND || left <= 0 || http_client_gone(rq))
            return st == SR_OK ? SR_OK : sr_fail(err, st, "%s", why.what);
        uint64_t wait = left < 5000 ? (uint64_t)left : 5000; /* looks at the client now and then */
        st = fcond_wait(&s->changed[id->b[0] % SCHED_BUCKETS], wait, NULL);
        if (st == SR_E_CANCELLED) return sr_fail(err, st, "stopping");
    }
}

sr_status events_stream(struct http_req *rq, void *sched, struct sr_err *err) {
    struct sched *s = sched;
    struct hash id;
    struct task_row t;
    if (!hash_parse(http_param(rq, "id"), &id))
        return sr_fail(err, SR_E_MALFORMED, "not a task id");
    SR_TRY(wait_known(rq, s, &id, &t, err));
    http_set_header(rq, "Cache-Control", "no-store");
    SR_TRY(http_reply_start(rq, 200, "text/event-stream", UINT64_MAX, err));
    uint64_t sent = 0;
    for (;;) {
        if (t.rev != sent) {
            cleanup_buf struct buf b;
            buf_init(&b, VIEW_MAX);
            buf_str(&b, "data: ");
            struct jw w = jw_of(&b);
            put_view(&w, &t);
            buf_str(&b, "\n\n");
            SR_TRY(buf_status(&b, err));
            SR_TRY(http_send(rq, buf_slice(&b), err));
            sent = t.rev;
            if (task_is_final(t.status)) break;
        } else {
            sr_status st = fcond_wait(&s->changed[id.b[0] % SCHED_BUCKETS], BEAT_MS, NULL);
            if (st == SR_E_CANCELLED) break; /* the role ends: so does the stream */
            if (st == SR_E_TIMEOUT) SR_TRY(http_send(rq, SLICE_LIT(":\n\n"), err));
            if (http_client_gone(rq)) break;
        }
        SR_TRY(task_load(s, &id, &t, err));
    }
    return http_reply_end(rq, err);
}

sr_status events_pool(struct http_req *rq, void *sched, struct sr_err *err) {
    struct sched *s = sched;
    cleanup_buf struct buf b;
    uint64_t queue = 0, running = 0, slots = 0;
    buf_init(&b, 1u << 20);
    SR_TRY(
        db_get_u64(s->db, "SELECT count(*) FROM task WHERE status = 0", DB_NO_ARGS, &queue, err));
    SR_TRY(
        db_get_u64(s->db, "SELECT count(*) FROM task WHERE active = 1", DB_NO_ARGS, &running, err));
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kaddr(&w, "workerpool", &s->cfg.workerpool);
    if (s->open) jw_kaddr(&w, "owner", &s->owner);
    jw_key(&w, "workers");
    jw_arr(&w);
    for (struct pool_worker *k = s->workers; k; k = k->next) {
        uint64_t busy = 0;
        if (k->gone) continue;
        SR_TRY(db_get_u64(s->db, "SELECT count(*) FROM task WHERE active = 1 AND worker = $1",
                          DB_ARGS(db_addr(&k->addr)), &busy, err));
        jw_obj(&w);
        jw_kaddr(&w, "worker", &k->addr);
        jw_kcstr(&w, "name", k->name);
        jw_ku64(&w, "slots", k->slots);
        jw_ku64(&w, "busy", busy);
        jw_kbool(&w, "simulated", k->simulated);
        jw_end_obj(&w);
        slots += k->slots;
    }
    jw_end_arr(&w);
    jw_ku64(&w, "slots", slots);
    jw_ku64(&w, "running", running);
    jw_ku64(&w, "queue", queue);
    jw_key(&w, "chain");
    jw_obj(&w);
    jw_kbool(&w, "open", s->open);
    jw_kbool(&w, "caughtUp", s->caught_up);
    jw_ku64(&w, "block", s->chain_block);
    jw_end_obj(&w);
    jw_key(&w, "order");
    jw_obj(&w);
    if (!hash_is_zero(&s->order_hash)) jw_khash(&w, "hash", &s->order_hash);
    jw_kbool(&w, "published", s->order_published);
    jw_kcstr(&w, "state", s->order_state);
    jw_end_obj(&w);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}
