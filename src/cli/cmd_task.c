/* SPDX-License-Identifier: Apache-2.0 */
/* Deals and tasks in lists, claims. */
#include "cli/cli_int.h"

static sr_status read_filter(struct cli *c, struct sr_deal_filter *f, struct sr_err *err) {
    uint64_t max = 0;
    const char *text = cli_value(c, "--max");
    f->requester = cli_value(c, "--requester");
    f->beneficiary = cli_value(c, "--beneficiary");
    f->app = cli_value(c, "--app");
    f->data = cli_value(c, "--data");
    f->workerpool = cli_value(c, "--workerpool");
    f->app_owner = cli_value(c, "--app-owner");
    f->data_owner = cli_value(c, "--data-owner");
    f->pool_owner = cli_value(c, "--pool-owner");
    f->status = cli_value(c, "--status");
    if (text && !num_u64(slice_str(text), 10000, &max))
        return sr_fail(err, SR_E_USAGE, "--max takes a number up to 10000");
    f->max = (size_t)max;
    return SR_OK;
}

/* Without a filter: one's own. */
static sr_status mine(struct cli *c, struct sr_deal_filter *f, struct sr_wallet *me,
                      struct sr_err *err) {
    bool all = cli_flag(c, "--everybody");
    if (all || f->requester || f->beneficiary || f->app || f->data || f->workerpool ||
        f->app_owner || f->data_owner || f->pool_owner)
        return SR_OK;
    SR_TRY(sr_wallet_show(c->client, NULL, me, err));
    f->requester = me->address;
    return SR_OK;
}

sr_status cmd_deal_list(struct cli *c, struct sr_err *err) {
    struct sr_deal_filter f = {0};
    struct sr_wallet me;
    struct sr_deal_row *list = NULL;
    size_t n = 0;
    uint64_t total = 0;
    SR_TRY(read_filter(c, &f, err));
    SR_TRY(mine(c, &f, &me, err));
    SR_TRY(sr_deal_list(c->client, &f, &list, &n, &total, err));
    out_begin(c);
    if (c->json) out_u64(c, "count", total);
    out_list_begin(c, "deals");
    for (size_t i = 0; i < n; i++) {
        const struct sr_deal_row *d = &list[i];
        char when[25];
        iso8601(when, d->start_unix_s * 1000);
        out_text(c, "%s  %s  %llu task%s  %s nRLC  app %s%s%s\n", d->deal, when,
                 (unsigned long long)d->size, d->size == 1 ? "" : "s", d->price_nrlc, d->app,
                 d->data[0] ? "  data " : "", d->data);
        if (!c->json) continue;
        out_begin(c);
        out_str(c, "deal", d->deal);
        out_str(c, "app", d->app);
        out_str(c, "data", d->data);
        out_str(c, "workerpool", d->workerpool);
        out_str(c, "requester", d->requester);
        out_str(c, "beneficiary", d->beneficiary);
        out_str(c, "price", d->price_nrlc);
        out_u64(c, "category", d->category);
        out_u64(c, "start", d->start_unix_s);
        out_u64(c, "first", d->first);
        out_u64(c, "size", d->size);
        out_end(c);
    }
    out_list_end(c);
    if (n < total) out_text(c, "%zu of %llu; --max N shows more\n", n, (unsigned long long)total);
    if (n == 0) out_text(c, "no deals\n");
    out_end(c);
    sr_free(list);
    return SR_OK;
}

sr_status cmd_task_list(struct cli *c, struct sr_err *err) {
    struct sr_deal_filter f = {0};
    struct sr_wallet me;
    struct sr_task_row *list = NULL;
    size_t n = 0;
    SR_TRY(read_filter(c, &f, err));
    SR_TRY(mine(c, &f, &me, err));
    SR_TRY(sr_task_list(c->client, &f, &list, &n, err));
    out_begin(c);
    out_list_begin(c, "tasks");
    for (size_t i = 0; i < n; i++) {
        const struct sr_task_row *t = &list[i];
        char when[25];
        iso8601(when, t->started_unix_s * 1000);
        out_text(c, "%s  %s  %s%s\n", t->task, when, t->status,
                 t->claimable ? "  (can be claimed)" : "");
        if (!c->json) continue;
        out_begin(c);
        out_str(c, "task", t->task);
        out_str(c, "deal", t->deal);
        out_u64(c, "index", t->index);
        out_str(c, "status", t->status);
        out_bool(c, "claimable", t->claimable);
        out_str(c, "app", t->app);
        out_str(c, "data", t->data);
        out_u64(c, "start", t->started_unix_s);
        out_u64(c, "finalDeadline", t->final_deadline_unix_s);
        out_end(c);
    }
    out_list_end(c);
    if (n == 0) out_text(c, "no tasks\n");
    out_end(c);
    sr_free(list);
    return SR_OK;
}

static sr_status claim(struct cli *c, const char *deal, const char *task, struct sr_err *err) {
    struct sr_claimed *list = NULL;
    size_t n = 0;
    SR_TRY(sr_claim(c->client, deal, task, &list, &n, err));
    out_begin(c);
    out_list_begin(c, "claimed");
    for (size_t i = 0; i < n; i++) {
        out_text(c, "%s\n", list[i].task);
        if (!c->json) continue;
        out_begin(c);
        out_str(c, "task", list[i].task);
        out_str(c, "deal", list[i].deal);
        out_str(c, "tx", list[i].tx);
        out_end(c);
    }
    out_list_end(c);
    if (n == 0) out_text(c, "no task can be claimed\n");
    out_end(c);
    sr_free(list);
    return SR_OK;
}

sr_status cmd_deal_claim(struct cli *c, struct sr_err *err) {
    return claim(c, c->args[0], NULL, err);
}

sr_status cmd_task_claim(struct cli *c, struct sr_err *err) {
    bool all = cli_flag(c, "--all");
    if (all == (c->n_args == 1)) {
        sr_hint(err, "strongroom task claim ID, or strongroom task claim --all");
        return sr_fail(err, SR_E_USAGE, "name a task, or all");
    }
    return claim(c, NULL, all ? NULL : c->args[0], err);
}
