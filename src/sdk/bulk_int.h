/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulk_int.h - one request for many data sets: its lists, its order, its deals
 *
 * Used by: bulk.c (lists and request), bulk_send.c (deals), campaign.c.
 * SPEC: dataprotector.md#59-bulk
 */
#pragma once
#include "sdk/sdk_int.h"

struct bulk { /* owned: bulk_done; starts zeroed, but for what is said */
    struct sr_client *c;
    const struct sr_run *run;
    unsigned per_task;
    sdk_fn fill; /* gives the secrets their values, when all checks have passed; NULL: they have */
    void *fill_arg;
    struct addr app, pool, beneficiary;
    struct u256 max_app, max_pool;
    struct poco_order *grants; /* one for each data set; NULL: they are looked for */
    struct book apps, pools;
    struct poco_order request;
    struct buf params;
    struct json *request_doc; /* its params live here, when it came as text */
    char secret_names[SR_MAX_SECRETS][RUN_SECRET_NAME];
    char root[SR_CID_TEXT];
    uint64_t n_tasks;
    struct sr_bulk_task *tasks; /* owned, room for n_tasks */
    size_t n;
};
void bulk_done(struct bulk *b);

/* bulk.c: checks, lists, signed request and secrets; nothing is paid. for_later: the request's
 * prices are the maxima given, not those of the orders found. */
SR_CHECK sr_status bulk_prepare(struct bulk *b, bool for_later, struct sr_err *err);
SR_CHECK sr_status bulk_app_order(struct bulk *b, struct sr_err *err);
SR_CHECK sr_status bulk_pool_order(struct bulk *b, struct sr_err *err);
/* An order that a bulk can take: free, and without a limit. */
bool bulk_is(const struct poco_order *dataset);

/* bulk_send.c: deals until the request's volume is used up. */
SR_CHECK sr_status bulk_deals(struct bulk *b, struct sr_err *err);
/* The request as JSON text, as the official clients have it; owned: free. */
SR_CHECK sr_status bulk_text(const struct bulk *b, char **ret_request, struct sr_err *err);
