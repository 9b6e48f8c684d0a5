/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deals of a bulk request: made at once, or later from its text, by whoever prepared it or by
 * an official client.   SPEC: dataprotector.md#59-bulk
 */
#include "sdk/bulk_int.h"
#include "sdk/order.h"
#include <stdlib.h>

#define REQUEST_MAX (256u * 1024) /* bytes of a request's JSON */

/* ---- deals --------------------------------------------------------------------------------------
 */

static bool note_task(struct bulk *b, const struct hash *deal, uint64_t index, const char *tx) {
    if (b->n == b->n_tasks || index >= b->n_tasks) return false;
    struct sr_bulk_task *t = &b->tasks[b->n++];
    struct hash task = poco_task_id(deal, u256_of(index));
    hash_put(t->deal, deal);
    hash_put(t->task, &task);
    TEXT_PUT(t->tx, slice_str(tx));
    t->index = index;
    return true;
}

/* One deal takes as many tasks as the workerpool's order has left. */
static sr_status make_deal(struct bulk *b, uint64_t *ret_size, struct sr_err *err) {
    struct sr_client *c = b->c;
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    cleanup_deal struct poco_deal d = {0};
    struct hash deal;
    struct u256 volume;
    uint64_t first, size;
    buf_init(&data, TX_MAX_DATA);
    SR_TRY(poco_try_match(&c->poco, &c->me, &b->apps.v[0].order, NULL, &b->pools.v[0].order,
                          &b->request, &deal, err));
    SR_TRY(
        poco_enc_match(&data, &b->apps.v[0].order, NULL, &b->pools.v[0].order, &b->request, err));
    sdk_progress(c, "deal", NULL, 0, 0, NULL);
    SR_TRY(sdk_send(c, &c->poco.hub, (struct u256){0}, buf_slice(&data), &r, err));
    SR_TRY(poco_receipt_deal(&c->poco, &r, &deal, &volume, err));
    SR_TRY(poco_view_deal(&c->poco, &deal, (struct eth_at){0}, &d, err));
    if (!u256_to_u64(d.bot_first, &first) || !u256_to_u64(d.bot_size, &size) || size == 0 ||
        size > b->n_tasks || first > b->n_tasks - size)
        return sr_fail(err, SR_E_CHAIN, "the deal is for other tasks than were asked for");
    c->last_first = first;
    c->last_size = size;
    struct hash_text tx = hash_text(&r.tx);
    for (uint64_t i = first; i < first + size; i++)
        if (note_task(b, &deal, i, tx.s)) {
            c->last_deal = deal;
            c->last_task = poco_task_id(&deal, u256_of(i));
        }
    *ret_size = size;
    return SR_OK;
}

static int by_index(const void *a, const void *b) {
    const struct sr_bulk_task *x = a, *y = b;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* left: tasks that no deal was made for yet; the orders found are for the first deal. */
static sr_status deals(struct bulk *b, uint64_t left, struct sr_err *err) {
    while (left > 0) {
        uint64_t size;
        SR_TRY(make_deal(b, &size, err));
        left = size < left ? left - size : 0;
        if (left > 0) SR_TRY(bulk_pool_order(b, err));
    }
    if (b->n > 0) qsort(b->tasks, b->n, sizeof *b->tasks, by_index);
    return SR_OK;
}

static sr_status make_room(struct bulk *b, struct sr_err *err) {
    b->tasks = sr_calloc_n((size_t)b->n_tasks, sizeof *b->tasks);
    return b->tasks ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

sr_status bulk_deals(struct bulk *b, struct sr_err *err) {
    SR_TRY(make_room(b, err));
    return deals(b, b->n_tasks, err);
}

/* What is the caller's after a call: tasks of b, or what was bought told beside the failure. */
static sr_status hand_over(struct bulk *b, sr_status st, struct sr_bulk_task **ret_tasks,
                           size_t *ret_n, struct sr_err *err) {
    if (st == SR_OK) {
        *ret_tasks = b->tasks;
        *ret_n = b->n;
        b->tasks = NULL;
    } else if (b->n > 0) {
        sr_hint(err, "%zu of %llu tasks were bought: strongroom task show %s", b->n,
                (unsigned long long)b->n_tasks, b->tasks[0].task);
    }
    bulk_done(b);
    return st;
}

/* ---- all at once --------------------------------------------------------------------------------
 */

static sr_status start(void *arg, struct sr_err *err) {
    struct bulk *b = arg;
    SR_TRY(bulk_prepare(b, false, err));
    return bulk_deals(b, err);
}

sr_status sr_bulk_start(struct sr_client *c, const struct sr_run *run, unsigned per_task,
                        struct sr_bulk_task **ret_tasks, size_t *ret_n, struct sr_err *err) {
    struct bulk b = {.c = c, .run = run, .per_task = per_task};
    if (!run->app) return sr_fail(err, SR_E_USAGE, "a run names an app");
    return hand_over(&b, sdk_call(c, start, &b, err), ret_tasks, ret_n, err);
}

/* ---- a request as text --------------------------------------------------------------------------
 */

sr_status bulk_text(const struct bulk *b, char **ret_request, struct sr_err *err) {
    cleanup_buf struct buf text;
    buf_init(&text, REQUEST_MAX);
    struct jw w = jw_of(&text);
    poco_order_json(&w, &b->request, false, true);
    SR_TRY(buf_status(&text, err));
    *ret_request = slice_dup(buf_slice(&text));
    return *ret_request ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

struct prepare_args {
    struct bulk b;
    char **ret_request;
};

static sr_status prepare(void *arg, struct sr_err *err) {
    struct prepare_args *a = arg;
    SR_TRY(bulk_prepare(&a->b, true, err));
    return bulk_text(&a->b, a->ret_request, err);
}

sr_status sr_bulk_prepare(struct sr_client *c, const struct sr_run *run, unsigned per_task,
                          char **ret_request, struct sr_err *err) {
    struct prepare_args *a = sr_calloc_n(1, sizeof *a);
    if (!a) return sr_fail(err, SR_E_NOMEM, "out of memory");
    *a = (struct prepare_args){{.c = c, .run = run, .per_task = per_task}, ret_request};
    sr_status st =
        run->app ? sdk_call(c, prepare, a, err) : sr_fail(err, SR_E_USAGE, "a run names an app");
    bulk_done(&a->b);
    free(a);
    return st;
}

/* The checks of the official clients, so that a request that cannot be meant is not paid for. */
static sr_status check_request(const struct poco_order *o, uint64_t *ret_n, struct sr_err *err) {
    cleanup_params struct poco_params params = {0};
    const struct poco_requestorder *r = &o->request;
    if (o->kind != POCO_REQUEST)
        return sr_fail(err, SR_E_USAGE, "that is an order of another kind, no bulk request");
    if (!addr_is_zero(&r->dataset) || !u256_is_zero(r->datasetmaxprice))
        return sr_fail(err, SR_E_USAGE, "that is a request for one data set, no bulk request");
    SR_TRY(poco_params_read(r->params, &params, err));
    if (params.bulk_cid.n == 0)
        return sr_fail(err, SR_E_USAGE, "params should be a valid JSON string with bulk_cid field");
    if (!u256_to_u64(r->volume, ret_n) || *ret_n == 0 || *ret_n > SR_BULK_MAX)
        return sr_fail(err, SR_E_USAGE, "a bulk request has 1 to %d tasks", SR_BULK_MAX);
    return SR_OK;
}

static sr_status read_request(struct bulk *b, const char *text, struct sr_err *err) {
    struct loaded l = {0};
    sr_status st = order_from_text(slice_str(text), &l, err);
    if (st == SR_OK) {
        b->request = l.order;
        b->request_doc = l.doc;
        st = check_request(&b->request, &b->n_tasks, err);
    }
    if (st != SR_OK)
        sr_hint(err, "give what a prepare command, or an official client's prepare call, made");
    return st;
}

/* Deals that were made for it before, by the market. */
static sr_status earlier(struct bulk *b, const struct hash *request, struct sr_err *err) {
    struct sr_client *c = b->c;
    cleanup_buf struct buf url;
    cleanup_json struct json *doc = NULL;
    buf_init(&url, SDK_URL_MAX * 2);
    buf_printf(&url, "%s/deals?chainId=%llu&requestorderHash=%s&pageIndex=0&pageSize=%d",
               c->net.market, (unsigned long long)c->net.chain_id, hash_text(request).s, SDK_PAGE);
    SR_TRY(buf_status(&url, err));
    SR_TRY(market_get(c, buf_cstr(&url), &doc, err));
    const struct json_val *list = json_get(json_root(doc), "deals");
    for (const struct json_val *v = json_first(list); v; v = json_next(v)) {
        struct hash deal;
        uint64_t first, size;
        if (!json_hash(json_get(v, "dealid"), &deal) ||
            !json_u64(json_get(v, "botFirst"), &first) || !json_u64(json_get(v, "botSize"), &size))
            return sr_fail(err, SR_E_MALFORMED, "the market's list of deals");
        for (uint64_t i = 0; i < size && note_task(b, &deal, first + i, ""); i++) {
        }
    }
    return SR_OK;
}

static sr_status choose_pool(struct bulk *b, const char *workerpool, struct sr_err *err) {
    struct sr_client *c = b->c;
    const struct addr *asked = &b->request.request.workerpool;
    if (workerpool) SR_TRY(sdk_addr_arg(workerpool, "workerpool", &b->pool, err));
    if (workerpool && !addr_is_zero(asked) && !addr_eq(asked, &b->pool)) {
        sr_hint(err, "the request is for %s alone", addr_text(asked).s);
        return sr_fail(err, SR_E_USAGE, "workerpool doesn't match the request's workerpool");
    }
    if (workerpool) return SR_OK;
    if (addr_is_zero(asked) && !c->net.has_workerpool) {
        sr_hint(err, "name one with --workerpool");
        return sr_fail(err, SR_E_NOTFOUND, "this network has no workerpool of its own");
    }
    b->pool = addr_is_zero(asked) ? c->net.workerpool : *asked;
    return SR_OK;
}

struct send_args {
    struct bulk b;
    const char *request, *workerpool;
};

static sr_status send_rest(void *arg, struct sr_err *err) {
    struct send_args *a = arg;
    struct bulk *b = &a->b;
    struct sr_client *c = b->c;
    struct u256 used;
    uint64_t done;
    SR_TRY(read_request(b, a->request, err));
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    SR_TRY(choose_pool(b, a->workerpool, err));
    SR_TRY(sdk_unlock(c, err));
    b->app = b->request.request.app;
    b->max_app = b->request.request.appmaxprice;
    b->max_pool = b->request.request.workerpoolmaxprice;
    struct hash hash = poco_order_hash(&c->poco.domain, &b->request);
    SR_TRY(poco_view_consumed(&c->poco, &hash, (struct eth_at){0}, &used, err));
    if (!u256_to_u64(used, &done) || done > b->n_tasks)
        return sr_fail(err, SR_E_CHAIN, "more of the request is used up than there is");
    SR_TRY(make_room(b, err));
    if (done > 0) SR_TRY(earlier(b, &hash, err));
    if (done == b->n_tasks && b->n == 0) {
        sr_hint(err, "prepare a new one");
        return sr_fail(err, SR_E_REFUSED, "the request was cancelled before any deal was made");
    }
    if (done < b->n_tasks) {
        SR_TRY(bulk_app_order(b, err));
        SR_TRY(bulk_pool_order(b, err));
    }
    return deals(b, b->n_tasks - done, err);
}

sr_status sr_bulk_send(struct sr_client *c, const char *request, const char *workerpool,
                       struct sr_bulk_task **ret_tasks, size_t *ret_n, struct sr_err *err) {
    struct send_args *a = sr_calloc_n(1, sizeof *a);
    if (!a) return sr_fail(err, SR_E_NOMEM, "out of memory");
    *a = (struct send_args){{.c = c}, request, workerpool};
    sr_status st = hand_over(&a->b, sdk_call(c, send_rest, a, err), ret_tasks, ret_n, err);
    free(a);
    return st;
}
