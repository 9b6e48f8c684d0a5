/* SPDX-License-Identifier: Apache-2.0 */
/* Can it run? All checks of a plan, every blocker noted; nothing is stored, nothing is paid. */
#include "sdk/plan.h"
#include <stdlib.h>

struct ask {
    struct sr_client *c;
    const struct sr_run *run;
    struct sr_blocker *list; /* owned */
    size_t n;
    struct u256 cost;
};

/* What only the chain can say, groups above all; asked when nothing else is in the way. */
static sr_status try_match(struct plan *p, struct sr_err *err) {
    struct hash deal;
    struct sr_err why = {0};
    if (p->n_blockers > 0) return SR_OK;
    sr_status st = poco_try_match(&p->c->poco, &p->c->me, &p->apps.v[0].order, plan_data_order(p),
                                  &p->pools.v[0].order, &p->request, &deal, &why);
    if (st == SR_E_REFUSED) {
        struct sr_blocker *b = &p->blockers[p->n_blockers++];
        const struct sr_failure *f = sr_failure_at(SR_F_ORDERS_DO_NOT_MATCH);
        *b = (struct sr_blocker){
            .code = f->code, .stage = f->stage, .party = f->party, .retry = f->retry};
        TEXT_PUT(b->what, slice_str(why.what));
        TEXT_PUT(b->next, slice_str(why.hint[0] ? why.hint : f->next));
        return SR_OK;
    }
    if (st != SR_OK && err && err->code == SR_OK) *err = why;
    return st;
}

static sr_status can_run(void *arg, struct sr_err *err) {
    struct ask *a = arg;
    struct plan *p = sr_calloc_n(1, sizeof *p);
    a->list = sr_calloc_n(PLAN_MAX_BLOCKERS, sizeof *a->list);
    sr_status st = p && a->list ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
    if (st == SR_OK) {
        p->blockers = a->list;
        sdk_progress(a->c, "check", NULL, 0, 0, a->run->app);
        st = plan_read(p, a->c, a->run, err);
        if (st == SR_OK) st = plan_check(p, err);
        if (st == SR_OK) st = try_match(p, err);
        a->n = p->n_blockers;
        a->cost = p->cost;
        plan_done(p);
    }
    free(p);
    return st;
}

sr_status sr_can_run(struct sr_client *c, const struct sr_run *run, struct sr_blocker **ret_list,
                     size_t *ret_n, char ret_cost[SR_AMOUNT_TEXT], struct sr_err *err) {
    if (!run->app) return sr_fail(err, SR_E_USAGE, "a run names an app");
    struct ask a = {.c = c, .run = run};
    sr_status st = sdk_call(c, can_run, &a, err);
    if (st != SR_OK) {
        free(a.list);
        return st;
    }
    *ret_list = a.list;
    *ret_n = a.n;
    if (ret_cost) u256_put(ret_cost, a.cost);
    return SR_OK;
}
