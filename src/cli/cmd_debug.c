/* SPDX-License-Identifier: Apache-2.0 */
/* app debug, task debug: all that is known of a task, for who runs the app or mends it. */
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

/* Asked for when the acting wallet is the requester's, or by --logs: others would be refused, and
 * asked for a password first. */
static sr_status take_logs(struct cli *c, const struct sr_task *t, struct sr_task_logs *ret,
                           bool *ret_ours, struct sr_err *err) {
    bool wanted = cli_flag(c, "--logs");
    struct sr_wallet me;
    struct sr_deal d = {0};
    struct sr_err none = {0};
    *ret_ours = sr_wallet_show(c->client, NULL, &me, &none) == SR_OK &&
                sr_deal_show(c->client, t->deal, &d, &none) == SR_OK &&
                slice_ieq(slice_str(d.requester), me.address);
    sr_deal_done(&d);
    if (!wanted && !*ret_ours) return SR_OK;
    sr_status st = sr_task_logs(c->client, c->args[0], ret, wanted ? err : &none);
    return wanted ? st : SR_OK;
}

static void put_logs(struct cli *c, const struct sr_task_logs *logs, bool ours) {
    if (logs->out) out_lines(c, "stdout", logs->out);
    if (logs->err) out_lines(c, "stderr", logs->err);
    if (!logs->out && !logs->err)
        out_text(c, "\nWhat the app printed: %s\n",
                 ours ? "nothing is kept" : "for its requester alone (--as)");
}

sr_status cmd_debug(struct cli *c, struct sr_err *err) {
    struct sr_task t;
    struct sr_step *list = NULL;
    struct sr_task_logs logs = {0};
    size_t n = 0;
    bool ours = false;
    char *pool = NULL, *no_logs = NULL;
    SR_TRY(sr_task_show(c->client, c->args[0], &t, err));
    SR_TRY(take_logs(c, &t, &logs, &ours, err));
    sr_status st = sr_task_steps(c->client, c->args[0], &list, &n, err);
    if (st == SR_OK && c->json)
        st = sr_task_debug(c->client, c->args[0], false, &pool, &no_logs, err);
    if (st == SR_OK) {
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
        if (c->json) out_json(c, "pool", pool);
        put_steps(c, list, n);
        put_logs(c, &logs, ours);
        out_end(c);
    }
    sr_free(pool);
    sr_free(no_logs);
    sr_free(list);
    sr_task_logs_done(&logs);
    return st;
}
