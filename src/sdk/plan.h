/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - one run before it costs anything: what it asks for, the orders found, what is in its way
 *
 * Used by: run.c (the first blocker ends it), can_run.c (all blockers are noted).
 */
#pragma once
#include "base/failure.h"
#include "sdk/sdk_int.h"

#define PLAN_MAX_BLOCKERS 32

struct plan {
    struct sr_client *c;
    const struct sr_run *run;
    struct addr app, data, pool, beneficiary, callback;
    bool has_data, chain, market, sms, store; /* the latter four: reachable */
    struct u256 max_app, max_data, max_pool;
    struct book apps, datas, pools; /* the chosen order is moved to .v[0] */
    bool by_group;                  /* the data order is for a group: the chain knows its members */
    bool has_app_order, has_data_order, has_pool_order;
    struct poco_order request;
    struct buf params;
    char secret_names[SR_MAX_SECRETS][RUN_SECRET_NAME];
    struct u256 cost;
    struct sr_blocker *blockers; /* PLAN_MAX_BLOCKERS; NULL: the first one is the failure */
    size_t n_blockers;
};

/* Reads the request; fails only for what no check could be made about (usage, no network.json). */
SR_CHECK sr_status plan_read(struct plan *p, struct sr_client *c, const struct sr_run *run,
                             struct sr_err *err);
void plan_done(struct plan *p);
/* Every check, in an order in which a missing part hides as little as possible. */
SR_CHECK sr_status plan_check(struct plan *p, struct sr_err *err);
/* The data order found, or NULL. */
const struct poco_order *plan_data_order(const struct plan *p);

/* request.c: the request order for the orders found; params, secret names, signature */
SR_CHECK sr_status plan_request(struct plan *p, struct sr_err *err);
