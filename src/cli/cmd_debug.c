/* SPDX-License-Identifier: Apache-2.0 */
/* app debug: all that is known of a task, for the app's developer. */
#include "cli/cli_int.h"
#include <stdlib.h>
#include <strongroom/failure.h>

static void put_steps(struct cli *c, const struct sr_step *list, size_t n) {
    if (c->json) {
        jw_key(&c->w, "steps");
        jw_arr(&c->w);
        for (size_t i = 0; i < n; i++) {
            jw_obj(&c->w);
            jw_kcstr(&c->w, "status", list[i].status);
            jw_ku64(&c->w, "time", list[i].unix_ms);
            if (list[i].cause[0]) jw_kcstr(&c->w, "cause", list[i].cause);
            if (list[i].worker[0]) jw_kcstr(&c->w, "worker", list[i].worker);
            jw_end_obj(&c->w);
        }
        jw_end_arr(&c->w);
        return;
    }
    out_text(c, "\n");
    for (size_t i = 0; i < n; i++)
        out_text(c, "%8llu ms  %-8s %s%s%s\n",
                 (unsigned long long)(list[i].unix_ms - list[0].unix_ms),
                 list[i].worker[0] ? "worker" : "task", list[i].status,
                 list[i].cause[0] ? ": " : "", list[i].cause);
}

sr_status cmd_app_debug(struct cli *c, struct sr_err *err) {
    struct sr_task t;
    struct sr_step *list = NULL;
    size_t n = 0;
    SR_TRY(sr_task_show(c->client, c->args[0], &t, err));
    SR_TRY(sr_task_steps(c->client, c->args[0], &list, &n, err));
    const struct sr_failure *f = t.cause[0] ? sr_failure_find(t.cause) : NULL;
    out_begin(c);
    out_str(c, "task", t.task);
    out_str(c, "status", t.status);
    out_str(c, "stage", t.stage);
    out_str(c, "cause", t.cause);
    if (f) {
        out_str(c, "meaning", f->cause);
        out_str(c, c->json ? "whoMends" : "who mends it", f->party);
        out_str(c, "next", f->next);
    }
    out_str(c, "worker", t.worker);
    cli_put_egress(c, &t);
    put_steps(c, list, n);
    out_end(c);
    free(list);
    return SR_OK;
}
