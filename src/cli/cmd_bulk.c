/* SPDX-License-Identifier: Apache-2.0 */
/* run --bulk: many data sets in few tasks */
#include "cli/cli_int.h"

#define OUTCOMES_FILE "strongroom-datasets.json" /* in each result */
#define OUTCOMES_MAX  (64u * 1024)

/* What became of each data set, as the room wrote it into the result. */
static sr_status put_outcomes(struct cli *c, const char *dir, struct sr_err *err) {
    cleanup_buf struct buf path, text;
    cleanup_json struct json *doc = NULL;
    buf_init(&path, 4096);
    buf_init(&text, OUTCOMES_MAX);
    buf_printf(&path, "%s/" OUTCOMES_FILE, dir);
    SR_TRY(buf_status(&path, err));
    SR_TRY(cli_read_file(buf_cstr(&path), OUTCOMES_MAX, &text, err));
    SR_TRY(json_parse(buf_slice(&text), &doc, err));
    if (c->json) {
        jw_key(&c->w, "datasets");
        jw_raw(&c->w, json_raw(json_root(doc)));
        return SR_OK;
    }
    for (const struct json_val *v = json_first(json_root(doc)); v; v = json_next(v)) {
        struct slice a = json_text(json_get(v, "address")), o = json_text(json_get(v, "outcome"));
        out_text(c, "%-16s %.*s %.*s\n", "data", (int)a.n, (const char *)a.p, (int)o.n,
                 (const char *)o.p);
    }
    return SR_OK;
}

/* One task to its end. A failed one is told, and the others go on. */
static sr_status one(struct cli *c, const struct sr_bulk_task *t, const char *out, bool wait,
                     bool *ret_failed, struct sr_err *err) {
    struct sr_task task = {0};
    struct sr_result r = {0};
    struct sr_err e = {0};
    out_begin(c);
    out_u64(c, "index", t->index);
    out_str(c, "deal", t->deal);
    out_str(c, "task", t->task);
    if (wait) {
        sr_status st = sr_task_wait(c->client, t->task, &task, &e);
        if (st != SR_OK && st != SR_E_TASK) {
            *err = e;
            return st;
        }
        *ret_failed = *ret_failed || st == SR_E_TASK;
        out_str(c, "status", st == SR_OK ? task.status : "FAILED");
        out_str(c, "cause", task.cause);
        if (st == SR_OK) {
            cleanup_buf struct buf dir;
            buf_init(&dir, 4096);
            buf_printf(&dir, "%s/%llu", out, (unsigned long long)t->index);
            SR_TRY(buf_status(&dir, err));
            SR_TRY(sr_result_get(c->client, t->task, buf_cstr(&dir), &r, err));
            out_str(c, "result", r.dir);
            SR_TRY(put_outcomes(c, r.dir, err));
        }
    }
    out_end(c);
    return SR_OK;
}

sr_status cli_run_bulk(struct cli *c, const struct sr_run *run, struct sr_err *err) {
    uint64_t per_task = 0;
    const char *text = cli_value(c, "--per-task"), *out = cli_value(c, "--out");
    char folder[64];
    if (text && (!num_u64(slice_str(text), SR_BULK_PER_TASK, &per_task) || per_task == 0))
        return sr_fail(err, SR_E_USAGE, "--per-task is a number from 1 to %d", SR_BULK_PER_TASK);
    struct sr_bulk_task *tasks;
    size_t n;
    SR_TRY(sr_bulk_start(c->client, run, (unsigned)per_task, &tasks, &n, err));
    (void)snprintf(folder, sizeof folder, "result-%.10s", tasks[0].task);
    bool failed = false;
    sr_status st = SR_OK;
    if (c->json) {
        jw_obj(&c->w);
        jw_key(&c->w, "tasks");
        jw_arr(&c->w);
    }
    for (size_t i = 0; i < n && st == SR_OK; i++)
        st = one(c, &tasks[i], out ? out : folder, !cli_flag(c, "--no-wait"), &failed, err);
    if (c->json) jw_end_arr(&c->w);
    out_end(c);
    sr_free(tasks);
    if (st != SR_OK && c->json) buf_clear(&c->out); /* the failure is the only JSON then */
    if (failed) c->exit_code = 4;
    return st;
}
