/* SPDX-License-Identifier: Apache-2.0 */
/* A task's life as the scheduler wrote it down: the task's own states, and each worker's steps. */
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define STEPS_MAX 500u

struct steps_args {
    struct sr_client *c;
    const char *task;
    struct sr_step *list;
    size_t n;
};

static uint64_t two(const char *p, size_t n) {
    uint64_t v = 0;
    return num_u64(slice_of(p, n), 99999, &v) ? v : 0;
}

/* "2026-01-31T12:00:00.123Z" as milliseconds since 1970; 0 for anything else. */
static uint64_t unix_ms(struct slice s) {
    static const unsigned before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const char *p = (const char *)s.p;
    if (s.n < 20 || p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':') return 0;
    uint64_t y = two(p, 4), m = two(p + 5, 2), d = two(p + 8, 2);
    if (y < 1970 || m < 1 || m > 12 || d < 1) return 0;
    uint64_t leaps = (y - 1) / 4 - (y - 1) / 100 + (y - 1) / 400 - 477;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    uint64_t days = (y - 1970) * 365 + leaps + before[m - 1] + (m > 2 && leap ? 1 : 0) + d - 1;
    uint64_t seconds = days * 86400 + two(p + 11, 2) * 3600 + two(p + 14, 2) * 60 + two(p + 17, 2);
    return seconds * 1000 + (s.n >= 24 && p[19] == '.' ? two(p + 20, 3) : 0);
}

static sr_status add(struct steps_args *a, const struct json_val *updates, struct slice worker,
                     struct sr_err *err) {
    for (const struct json_val *v = json_first(updates); v; v = json_next(v)) {
        if (a->n >= STEPS_MAX) return sr_fail(err, SR_E_TOOBIG, "more than %u steps", STEPS_MAX);
        struct sr_step *s = &a->list[a->n++];
        TEXT_PUT(s->status, json_text(json_get(v, "status")));
        TEXT_PUT(s->cause, json_text(json_get(v, "cause")));
        TEXT_PUT(s->worker, worker);
        s->unix_ms = unix_ms(json_text(json_get(v, "date")));
    }
    return SR_OK;
}

static int by_time(const void *x, const void *y) {
    const struct sr_step *a = x, *b = y;
    if (a->unix_ms != b->unix_ms) return a->unix_ms < b->unix_ms ? -1 : 1;
    return a < b ? -1 : 1; /* as they came */
}

static sr_status steps(void *arg, struct sr_err *err) {
    struct steps_args *a = arg;
    struct hash task;
    cleanup_buf struct buf url;
    cleanup_json struct json *doc = NULL;
    buf_init(&url, SDK_URL_MAX * 2);
    SR_TRY(sdk_hash_arg(a->task, "task", &task, err));
    SR_TRY(sdk_network(a->c, err));
    SR_TRY(sdk_service(a->c, a->c->net.scheduler, "scheduler", err));
    buf_printf(&url, "%s/tasks/%s", a->c->net.scheduler, hash_text(&task).s);
    SR_TRY(buf_status(&url, err));
    SR_TRY(http_json("GET", buf_cstr(&url), (struct slice){NULL, 0}, &doc, err));
    a->list = sr_calloc_n(STEPS_MAX, sizeof *a->list);
    if (!a->list) return sr_fail(err, SR_E_NOMEM, "out of memory");
    const struct json_val *root = json_root(doc);
    SR_TRY(add(a, json_get(root, "dateStatusList"), (struct slice){NULL, 0}, err));
    for (const struct json_val *r = json_first(json_get(root, "replicates")); r; r = json_next(r))
        SR_TRY(
            add(a, json_get(r, "statusUpdateList"), json_text(json_get(r, "walletAddress")), err));
    qsort(a->list, a->n, sizeof *a->list, by_time);
    return SR_OK;
}

sr_status sr_task_steps(struct sr_client *c, const char *task, struct sr_step **ret_list,
                        size_t *ret_n, struct sr_err *err) {
    struct steps_args a = {c, task, NULL, 0};
    sr_status st = sdk_call(c, steps, &a, err);
    if (st != SR_OK) {
        free(a.list);
        return st;
    }
    *ret_list = a.list;
    *ret_n = a.n;
    return SR_OK;
}
