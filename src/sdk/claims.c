/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deals and tasks in lists; the money of tasks that did not complete, claimed back; what scheduler
 * and workers say about a task.
 * SPEC: poco.md#14-task-life-cycle, services.md#8-workerpool-public-api
 */
#include "base/failure.h"
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define DEALS_MAX     1000 /* looked at for one list */
#define TASKS_MAX     4096
#define CLAIM_BATCH   32 /* tasks of one transaction */
#define DEFAULT_SHOWN 100
#define LOGS_MAX      (8u << 20)
#define FINAL_UNITS   10 /* a task ends after so many times its category's time */

struct deals { /* owned: free(v) */
    struct sr_deal_row *v;
    size_t n;
    uint64_t total;
};

static sr_status add_filter(struct sr_client *c, struct buf *url, const char *key, const char *text,
                            sr_status (*read)(struct sr_client *, const char *, struct addr *,
                                              struct sr_err *),
                            struct sr_err *err) {
    struct addr a;
    if (!text) return SR_OK;
    SR_TRY(read(c, text, &a, err));
    buf_printf(url, "&%s=%s", key, addr_text(&a).s);
    return SR_OK;
}

static sr_status any_addr(struct sr_client *c, const char *text, struct addr *ret,
                          struct sr_err *err) {
    (void)c;
    return sdk_addr_arg(text, "address", ret, err);
}

static void read_deal(const struct json_val *v, struct sr_deal_row *r) {
    static const struct {
        const char *key;
        size_t at;
    } parties[] = {{"app", offsetof(struct sr_deal_row, app)},
                   {"dataset", offsetof(struct sr_deal_row, data)},
                   {"workerpool", offsetof(struct sr_deal_row, workerpool)}};
    struct addr a;
    struct u256 sum = {0};
    TEXT_PUT(r->deal, json_text(json_get(v, "dealid")));
    for (size_t i = 0; i < SR_ARRAY_LEN(parties); i++) {
        const struct json_val *p = json_get(v, parties[i].key);
        uint64_t price;
        if (json_addr(json_get(p, "pointer"), &a) && !addr_is_zero(&a))
            addr_put((char *)r + parties[i].at, &a);
        if (json_u64(json_get(p, "price"), &price) && !u256_add(&sum, sum, u256_of(price)))
            continue;
    }
    if (json_addr(json_get(v, "requester"), &a)) addr_put(r->requester, &a);
    if (json_addr(json_get(v, "beneficiary"), &a)) addr_put(r->beneficiary, &a);
    u256_put(r->price_nrlc, sum);
    (void)!json_u64(json_get(v, "category"), &r->category);
    (void)!json_u64(json_get(v, "startTime"), &r->start_unix_s);
    (void)!json_u64(json_get(v, "botFirst"), &r->first);
    (void)!json_u64(json_get(v, "botSize"), &r->size);
}

static sr_status get_deals(struct sr_client *c, const struct sr_deal_filter *f, size_t max,
                           struct deals *ret, struct sr_err *err) {
    cleanup_buf struct buf filter;
    buf_init(&filter, SDK_URL_MAX);
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    SR_TRY(add_filter(c, &filter, "requester", f->requester, sdk_who, err));
    SR_TRY(add_filter(c, &filter, "beneficiary", f->beneficiary, sdk_who, err));
    SR_TRY(add_filter(c, &filter, "app", f->app, sdk_app_addr, err));
    SR_TRY(add_filter(c, &filter, "dataset", f->data, any_addr, err));
    SR_TRY(add_filter(c, &filter, "workerpool", f->workerpool, any_addr, err));
    SR_TRY(add_filter(c, &filter, "appOwner", f->app_owner, sdk_who, err));
    SR_TRY(add_filter(c, &filter, "datasetOwner", f->data_owner, sdk_who, err));
    SR_TRY(add_filter(c, &filter, "workerpoolOwner", f->pool_owner, sdk_who, err));
    SR_TRY(buf_status(&filter, err));
    ret->v = sr_calloc_n(max + 1, sizeof *ret->v);
    if (!ret->v) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (unsigned page = 0; ret->n < max; page++) {
        cleanup_buf struct buf url;
        cleanup_json struct json *doc = NULL;
        buf_init(&url, SDK_URL_MAX * 2);
        buf_printf(&url, "%s/deals?chainId=%llu&pageSize=%d&pageIndex=%u%s", c->net.market,
                   (unsigned long long)c->net.chain_id, SDK_PAGE, page, buf_cstr(&filter));
        SR_TRY(buf_status(&url, err));
        SR_TRY(market_get(c, buf_cstr(&url), &doc, err));
        const struct json_val *list = json_get(json_root(doc), "deals");
        (void)!json_u64(json_get(json_root(doc), "count"), &ret->total);
        for (const struct json_val *v = json_first(list); v && ret->n < max; v = json_next(v))
            read_deal(v, &ret->v[ret->n++]);
        if (json_len(list) < SDK_PAGE) break;
    }
    return SR_OK;
}

struct deal_list_args {
    struct sr_client *c;
    const struct sr_deal_filter *f;
    struct deals deals;
};

static sr_status deal_list(void *arg, struct sr_err *err) {
    struct deal_list_args *a = arg;
    size_t max = a->f->max ? a->f->max : DEFAULT_SHOWN;
    if (max > 10 * DEALS_MAX) return sr_fail(err, SR_E_USAGE, "at most %d deals", 10 * DEALS_MAX);
    return get_deals(a->c, a->f, max, &a->deals, err);
}

sr_status sr_deal_list(struct sr_client *c, const struct sr_deal_filter *f,
                       struct sr_deal_row **ret_list, size_t *ret_n, uint64_t *ret_total,
                       struct sr_err *err) {
    struct deal_list_args a = {.c = c, .f = f};
    sr_status st = sdk_call(c, deal_list, &a, err);
    if (st != SR_OK) {
        free(a.deals.v);
        return st;
    }
    *ret_list = a.deals.v;
    *ret_n = a.deals.n;
    *ret_total = a.deals.total;
    return SR_OK;
}

/* ---- tasks --------------------------------------------------------------------------------------
 */

struct tasks { /* owned: free(v) */
    struct sr_task_row *v;
    size_t n;
};

/* A task's state by the chain; claimable when its final deadline has passed and it is not over. */
static sr_status read_task(struct sr_client *c, const struct sr_deal_row *d, uint64_t index,
                           uint64_t unit_s, uint64_t now, struct sr_task_row *r,
                           struct sr_err *err) {
    cleanup_task struct poco_task t = {0};
    struct hash deal, id;
    SR_TRY(sdk_hash_arg(d->deal, "deal", &deal, err));
    id = poco_task_id(&deal, u256_of(index));
    SR_TRY(poco_view_task(&c->poco, &id, (struct eth_at){0}, &t, err));
    uint64_t end = d->start_unix_s + FINAL_UNITS * unit_s;
    bool over = t.status == POCO_TASK_COMPLETED || t.status == POCO_TASK_FAILED;
    hash_put(r->task, &id);
    memcpy(r->deal, d->deal, sizeof r->deal);
    memcpy(r->app, d->app, sizeof r->app);
    memcpy(r->data, d->data, sizeof r->data);
    r->index = index;
    r->started_unix_s = d->start_unix_s;
    r->final_deadline_unix_s = end;
    r->claimable = !over && now >= end;
    TEXT_PUT(r->status, slice_str(r->claimable ? "TIMEOUT" : poco_task_status_word[t.status]));
    r->initialised = t.status != POCO_TASK_UNSET;
    return SR_OK;
}

static bool is_wanted(const struct sr_task_row *r, const struct sr_deal_filter *f) {
    if (f->status && strcmp(f->status, "CLAIMABLE") == 0) return r->claimable;
    return !f->status || strcmp(f->status, r->status) == 0;
}

/* The tasks of deals, in their order, those that f wants. */
static sr_status expand(struct sr_client *c, const struct deals *deals,
                        const struct sr_deal_filter *f, size_t max, struct tasks *ret,
                        struct sr_err *err) {
    struct eth_block head;
    uint64_t unit_s[16] = {0}; /* of categories, as they are met */
    SR_TRY(eth_get_block(c->rpc, (struct eth_at){0}, &head, err));
    ret->v = sr_calloc_n(max + 1, sizeof *ret->v);
    if (!ret->v) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < deals->n; i++) {
        const struct sr_deal_row *d = &deals->v[i];
        struct poco_category category = {0};
        uint64_t unit = d->category < SR_ARRAY_LEN(unit_s) ? unit_s[d->category] : 0;
        if (unit == 0) {
            SR_TRY(poco_view_category(&c->poco, d->category, (struct eth_at){0}, &category, err));
            unit = category.time_ref;
            poco_category_done(&category);
            if (d->category < SR_ARRAY_LEN(unit_s)) unit_s[d->category] = unit;
        }
        for (uint64_t k = 0; k < d->size && ret->n < max; k++) {
            struct sr_task_row row = {0};
            SR_TRY(read_task(c, d, d->first + k, unit, head.time, &row, err));
            if (is_wanted(&row, f)) ret->v[ret->n++] = row;
        }
    }
    return SR_OK;
}

struct task_list_args {
    struct sr_client *c;
    const struct sr_deal_filter *f;
    struct tasks tasks;
};

static sr_status task_list(void *arg, struct sr_err *err) {
    struct task_list_args *a = arg;
    struct deals deals = {0};
    size_t max = a->f->max ? a->f->max : DEFAULT_SHOWN;
    if (max > TASKS_MAX) return sr_fail(err, SR_E_USAGE, "at most %d tasks", TASKS_MAX);
    sr_status st = get_deals(a->c, a->f, DEALS_MAX, &deals, err);
    if (st == SR_OK) st = expand(a->c, &deals, a->f, max, &a->tasks, err);
    free(deals.v);
    return st;
}

sr_status sr_task_list(struct sr_client *c, const struct sr_deal_filter *f,
                       struct sr_task_row **ret_list, size_t *ret_n, struct sr_err *err) {
    struct task_list_args a = {.c = c, .f = f};
    sr_status st = sdk_call(c, task_list, &a, err);
    if (st != SR_OK) {
        free(a.tasks.v);
        return st;
    }
    *ret_list = a.tasks.v;
    *ret_n = a.tasks.n;
    return SR_OK;
}

/* ---- claims -------------------------------------------------------------------------------------
 */

struct claim_args {
    struct sr_client *c;
    const char *deal, *task; /* both NULL: all of the acting wallet */
    struct sr_claimed *list;
    size_t n;
};

static sr_status deal_row_of(struct sr_client *c, const struct hash *id, struct sr_deal_row *r,
                             struct sr_err *err) {
    cleanup_deal struct poco_deal d = {0};
    sr_status st = poco_view_deal(&c->poco, id, (struct eth_at){0}, &d, err);
    if (st == SR_E_NOTFOUND) sr_why(err, SR_F_DEAL_UNKNOWN);
    SR_TRY(st);
    hash_put(r->deal, id);
    r->start_unix_s = d.start_time;
    if (!u256_to_u64(d.category, &r->category) || !u256_to_u64(d.bot_first, &r->first) ||
        !u256_to_u64(d.bot_size, &r->size) || r->size > TASKS_MAX)
        return sr_fail(err, SR_E_RANGE, "a deal of absurd size");
    return SR_OK;
}

/* Tasks of one kind in one transaction: those not initialised are that first. */
static sr_status send_batch(struct claim_args *a, const struct sr_task_row *const *rows, size_t n,
                            bool initialised, struct sr_err *err) {
    struct hash tasks[CLAIM_BATCH], deals[CLAIM_BATCH];
    struct u256 indexes[CLAIM_BATCH];
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&data, 65536);
    for (size_t i = 0; i < n; i++) {
        SR_TRY(sdk_hash_arg(rows[i]->task, "task", &tasks[i], err));
        SR_TRY(sdk_hash_arg(rows[i]->deal, "deal", &deals[i], err));
        indexes[i] = u256_of(rows[i]->index);
    }
    SR_TRY(initialised ? poco_enc_claim_array(&data, tasks, n, err)
                       : poco_enc_init_and_claim_array(&data, deals, indexes, n, err));
    sdk_progress(a->c, "claim", NULL, 0, 0, rows[0]->task);
    SR_TRY(sdk_send(a->c, &a->c->poco.hub, (struct u256){0}, buf_slice(&data), &r, err));
    for (size_t i = 0; i < n; i++) {
        struct sr_claimed *out = &a->list[a->n++];
        memcpy(out->task, rows[i]->task, sizeof out->task);
        memcpy(out->deal, rows[i]->deal, sizeof out->deal);
        hash_put(out->tx, &r.tx);
    }
    return SR_OK;
}

static sr_status status_of(struct sr_client *c, const struct sr_task_row *row,
                           poco_task_status *ret, struct sr_err *err) {
    cleanup_task struct poco_task t = {0};
    struct hash id;
    SR_TRY(sdk_hash_arg(row->task, "task", &id, err));
    SR_TRY(poco_view_task(&c->poco, &id, (struct eth_at){0}, &t, err));
    *ret = t.status;
    return SR_OK;
}

/* The pool claims too, and anybody may: one task that is over refuses a whole batch. */
static sr_status claim_batch(struct claim_args *a, const struct sr_task_row *const *rows, size_t n,
                             bool initialised, struct sr_err *err) {
    struct sr_err why = {0};
    sr_status st = send_batch(a, rows, n, initialised, &why);
    if (st != SR_E_REFUSED) {
        if (st != SR_OK && err && err->code == SR_OK) *err = why;
        return st;
    }
    for (size_t i = 0; i < n; i++) {
        poco_task_status now;
        struct sr_err e = {0};
        SR_TRY(status_of(a->c, rows[i], &now, err));
        if (now == POCO_TASK_COMPLETED || now == POCO_TASK_FAILED) continue;
        st = send_batch(a, &rows[i], 1, now != POCO_TASK_UNSET, &e);
        if (st == SR_OK) continue;
        SR_TRY(status_of(a->c, rows[i], &now, err));
        if (now == POCO_TASK_COMPLETED || now == POCO_TASK_FAILED) continue;
        if (err && err->code == SR_OK) *err = e;
        return st;
    }
    return SR_OK;
}

static sr_status claim_kind(struct claim_args *a, const struct tasks *t, bool initialised,
                            struct sr_err *err) {
    const struct sr_task_row *rows[CLAIM_BATCH];
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i].initialised != initialised) continue;
        rows[n++] = &t->v[i];
        if (n < CLAIM_BATCH) continue;
        SR_TRY(claim_batch(a, rows, n, initialised, err));
        n = 0;
    }
    return n > 0 ? claim_batch(a, rows, n, initialised, err) : SR_OK;
}

static sr_status nothing(struct claim_args *a, const char *id, struct sr_err *err) {
    (void)a;
    sr_hint(err, "a task can be claimed after its final deadline, when it did not complete: "
                 "strongroom task show tells it");
    return sr_fail(err, SR_E_REFUSED, "nothing to claim of %s", id);
}

static sr_status claim_these(struct claim_args *a, const struct deals *deals, const char *id,
                             struct sr_err *err) {
    struct tasks t = {0};
    struct sr_deal_filter f = {.status = "CLAIMABLE"};
    sr_status st = expand(a->c, deals, &f, TASKS_MAX, &t, err);
    if (st == SR_OK && a->task) { /* only this one */
        size_t kept = 0;
        for (size_t i = 0; i < t.n; i++)
            if (strcmp(t.v[i].task, id) == 0) t.v[kept++] = t.v[i];
        t.n = kept;
    }
    if (st == SR_OK && t.n == 0 && id) st = nothing(a, id, err);
    a->list = sr_calloc_n(t.n + 1, sizeof *a->list);
    if (st == SR_OK && !a->list) st = sr_fail(err, SR_E_NOMEM, "out of memory");
    if (st == SR_OK) st = claim_kind(a, &t, true, err);
    if (st == SR_OK) st = claim_kind(a, &t, false, err);
    free(t.v);
    return st;
}

static sr_status claim(void *arg, struct sr_err *err) {
    struct claim_args *a = arg;
    struct sr_client *c = a->c;
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_unlock(c, err));
    if (!a->deal && !a->task) {
        struct deals deals = {0};
        struct sr_deal_filter f = {0};
        char me[SR_ADDR_TEXT];
        addr_put(me, &c->me);
        f.requester = me;
        sr_status st = get_deals(c, &f, DEALS_MAX, &deals, err);
        if (st == SR_OK) st = claim_these(a, &deals, NULL, err);
        free(deals.v);
        return st;
    }
    struct hash id;
    struct hash_text text;
    struct sr_deal_row row = {0};
    SR_TRY(sdk_hash_arg(a->task ? a->task : a->deal, a->task ? "task" : "deal", &id, err));
    text = hash_text(&id);
    if (a->task) { /* its deal, from the chain, or from the scheduler when it is not initialised */
        struct sr_task t;
        SR_TRY(task_show(c, &id, &t, err));
        if (t.deal[0] == 0) return nothing(a, text.s, err);
        SR_TRY(sdk_hash_arg(t.deal, "deal", &id, err));
    }
    SR_TRY(deal_row_of(c, &id, &row, err));
    struct deals one = {&row, 1, 1};
    return claim_these(a, &one, text.s, err);
}

sr_status sr_claim(struct sr_client *c, const char *deal, const char *task,
                   struct sr_claimed **ret_list, size_t *ret_n, struct sr_err *err) {
    struct claim_args a = {.c = c, .deal = deal, .task = task};
    sr_status st = sdk_call(c, claim, &a, err);
    if (st != SR_OK) {
        free(a.list);
        return st;
    }
    *ret_list = a.list;
    *ret_n = a.n;
    return SR_OK;
}

/* ---- what the pool says -------------------------------------------------------------------------
 */

struct debug_args {
    struct sr_client *c;
    const char *task;
    bool logs;
    char *info, *log_json;
};

static sr_status pool_get(struct sr_client *c, const char *path, const char *authorization,
                          char **ret, struct sr_err *err) {
    cleanup_buf struct buf url;
    cleanup_answer struct http_answer a = {0};
    cleanup_json struct json *doc = NULL;
    buf_init(&url, SDK_URL_MAX * 2);
    buf_printf(&url, "%s%s", c->net.scheduler, path);
    SR_TRY(buf_status(&url, err));
    const char *headers[] = {authorization, NULL};
    struct http_call call = {
        .url = buf_cstr(&url), .headers = authorization ? headers : NULL, .max_body = LOGS_MAX};
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    if (a.status == 404)
        return sr_fail(err, SR_E_NOTFOUND, "the scheduler has nothing at %s", path);
    if (a.status == 401 || a.status == 403) {
        sr_hint(err, "only the requester of a task may read its logs: act as he with --as");
        return sr_fail(err, SR_E_AUTH, "the scheduler refuses (%d)", a.status);
    }
    if (a.status != 200)
        return sr_fail(err, SR_E_UNAVAILABLE, "the scheduler answered %d", a.status);
    SR_TRY(json_parse(buf_slice(&a.body), &doc, err));
    *ret = slice_dup(json_raw(json_root(doc)));
    return *ret ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

/* "Authorization: <digest>_<signature>_<address>" over the challenge that was given. */
static sr_status log_authorization(struct sr_client *c, struct buf *header, struct sr_err *err) {
    char path[128];
    cleanup_free char *challenge = NULL;
    cleanup_json struct json *doc = NULL;
    struct addr_text me = addr_checksum(&c->me);
    struct hash digest;
    struct sr_signature sig;
    (void)snprintf(path, sizeof path, "/tasks/logs/challenge?address=%s&chainId=%llu", me.s,
                   (unsigned long long)c->net.chain_id);
    SR_TRY(pool_get(c, path, NULL, &challenge, err));
    SR_TRY(json_parse(slice_str(challenge), &doc, err));
    SR_TRY(eip712_json(json_root(doc), &digest, err));
    SR_TRY(secp_sign(&c->key, &digest, &sig, err));
    buf_printf(header, "Authorization: %s_0x", hash_text(&digest).s);
    buf_hex(header, slice_of(sig.b, sizeof sig.b));
    buf_printf(header, "_%s", me.s);
    return buf_status(header, err);
}

static sr_status debug(void *arg, struct sr_err *err) {
    struct debug_args *a = arg;
    struct sr_client *c = a->c;
    struct hash id;
    char path[128];
    SR_TRY(sdk_hash_arg(a->task, "task", &id, err));
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_service(c, c->net.scheduler, "scheduler", err));
    (void)snprintf(path, sizeof path, "/tasks/%s", hash_text(&id).s);
    sr_status st = pool_get(c, path, NULL, &a->info, err);
    if (st == SR_E_NOTFOUND) sr_why(err, SR_F_TASK_UNKNOWN);
    SR_TRY(st);
    if (!a->logs) return SR_OK;
    cleanup_buf struct buf header;
    buf_init(&header, 1024);
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(log_authorization(c, &header, err));
    (void)snprintf(path, sizeof path, "/tasks/%s/logs", hash_text(&id).s);
    struct sr_err none = {0};
    st = pool_get(c, path, buf_cstr(&header), &a->log_json, &none);
    if (st == SR_OK || st == SR_E_NOTFOUND) return SR_OK; /* the app wrote nothing */
    if (err && err->code == SR_OK) *err = none;
    return st;
}

sr_status sr_task_debug(struct sr_client *c, const char *task, bool logs, char **ret_info_json,
                        char **ret_logs_json, struct sr_err *err) {
    struct debug_args a = {.c = c, .task = task, .logs = logs};
    sr_status st = sdk_call(c, debug, &a, err);
    if (st != SR_OK) {
        free(a.info);
        free(a.log_json);
        return st;
    }
    *ret_info_json = a.info;
    *ret_logs_json = a.log_json;
    return SR_OK;
}
