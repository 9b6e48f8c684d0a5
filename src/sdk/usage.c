/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who used protected data: the deals on it, from the market's index; how each task ended, from the
 * chain; whether its key was given out, from the secret service's log. Tasks that took the data as
 * one of many (bulk) are in that log alone, for their deals do not name it.
 */
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define PAGE       500
#define USES_MAX   20000u
#define BOTS_SHOWN 1000u

struct usage_args {
    struct sr_client *c;
    const char *data;
    struct addr a;
    struct sr_use *list;
    size_t n, cap;
};

static struct sr_use *one_more(struct usage_args *u) {
    if (u->n == u->cap) {
        size_t cap = u->cap ? 2 * u->cap : 64;
        struct sr_use *v = u->n < USES_MAX ? reallocarray(u->list, cap, sizeof *v) : NULL;
        if (!v) return NULL;
        u->list = v;
        u->cap = cap;
    }
    u->list[u->n] = (struct sr_use){0};
    return &u->list[u->n++];
}

static sr_status full(struct sr_err *err) {
    return sr_fail(err, SR_E_TOOBIG, "more than %u uses", USES_MAX);
}

static struct sr_use *find(struct usage_args *u, const char *task) {
    for (size_t i = 0; i < u->n; i++)
        if (strcmp(u->list[i].task, task) == 0) return &u->list[i];
    return NULL;
}

static sr_status outcome_of(struct sr_client *c, const struct hash *task, struct sr_use *use,
                            struct sr_err *err) {
    cleanup_task struct poco_task t = {0};
    SR_TRY(poco_view_task(&c->poco, task, (struct eth_at){0}, &t, err));
    TEXT_PUT(use->status, slice_str(poco_task_status_word[t.status]));
    return SR_OK;
}

static void of_deal(struct sr_use *use, const struct poco_deal *d, bool bulk) {
    addr_put(use->requester, &d->requester);
    addr_put(use->beneficiary, &d->beneficiary);
    addr_put(use->app, &d->app.pointer);
    u256_put(use->price_nrlc, bulk ? u256_of(0) : d->dataset.price);
    use->time_unix_s = d->start_time;
    use->bulk = bulk;
}

static sr_status deal_tasks(struct usage_args *u, const struct hash *deal, struct sr_err *err) {
    cleanup_deal struct poco_deal d = {0};
    uint64_t first, size;
    sr_status st = poco_view_deal(&u->c->poco, deal, (struct eth_at){0}, &d, err);
    SR_TRY(st);
    if (!u256_to_u64(d.bot_first, &first) || !u256_to_u64(d.bot_size, &size))
        return sr_fail(err, SR_E_CHAIN, "a deal of absurd size");
    for (uint64_t i = 0; i < size && i < BOTS_SHOWN; i++) {
        struct hash task = poco_task_id(deal, u256_of(first + i));
        struct sr_use *use = one_more(u);
        if (!use) return full(err);
        hash_put(use->deal, deal);
        hash_put(use->task, &task);
        of_deal(use, &d, false);
        SR_TRY(outcome_of(u->c, &task, use, err));
    }
    return SR_OK;
}

static sr_status from_market(struct usage_args *u, struct sr_err *err) {
    for (uint64_t page = 0;; page++) {
        cleanup_buf struct buf url;
        cleanup_json struct json *doc = NULL;
        buf_init(&url, SDK_URL_MAX * 2);
        buf_printf(&url, "%s/v1/deals?dataset=%s&page=%llu&size=%d", u->c->net.market,
                   addr_text(&u->a).s, (unsigned long long)page, PAGE);
        SR_TRY(buf_status(&url, err));
        SR_TRY(market_get(u->c, buf_cstr(&url), &doc, err));
        const struct json_val *deals = json_get(json_root(doc), "deals");
        for (const struct json_val *v = json_first(deals); v; v = json_next(v)) {
            struct hash id;
            if (json_hash(json_get(v, "dealid"), &id)) SR_TRY(deal_tasks(u, &id, err));
        }
        if (json_len(deals) < PAGE) return SR_OK;
    }
}

static sr_status log_row(struct usage_args *u, const struct json_val *v, struct sr_err *err) {
    struct hash task, deal;
    if (!json_hash(json_get(v, "task"), &task) || !json_hash(json_get(v, "deal"), &deal))
        return SR_OK;
    struct sr_use *use = find(u, hash_text(&task).s);
    if (!use) { /* the deal does not name the data */
        cleanup_deal struct poco_deal d = {0};
        struct sr_err none = {0};
        if (poco_view_deal(&u->c->poco, &deal, (struct eth_at){0}, &d, &none) != SR_OK)
            return SR_OK;
        if (!(use = one_more(u))) return full(err);
        hash_put(use->deal, &deal);
        hash_put(use->task, &task);
        of_deal(use, &d, true);
        SR_TRY(outcome_of(u->c, &task, use, err));
    }
    bool released = slice_is(json_text(json_get(v, "outcome")), "released");
    use->key_released = use->key_released || released;
    if (released)
        use->refusal[0] = 0;
    else if (!use->key_released)
        TEXT_PUT(use->refusal, json_text(json_get(v, "code")));
    return SR_OK;
}

static sr_status from_log(struct usage_args *u, struct sr_err *err) {
    uint64_t after = 0;
    for (;;) {
        cleanup_buf struct buf url;
        cleanup_json struct json *doc = NULL;
        buf_init(&url, SDK_URL_MAX * 2);
        buf_printf(&url, "%s/v1/releases?dataset=%s&after=%llu&size=%d", u->c->net.sms,
                   addr_text(&u->a).s, (unsigned long long)after, PAGE);
        SR_TRY(buf_status(&url, err));
        SR_TRY(http_json("GET", buf_cstr(&url), (struct slice){NULL, 0}, &doc, err));
        const struct json_val *list = json_root(doc);
        for (const struct json_val *v = json_first(list); v; v = json_next(v)) {
            uint64_t n;
            if (json_u64(json_get(v, "n"), &n) && n > after) after = n;
            SR_TRY(log_row(u, v, err));
        }
        if (json_len(list) < PAGE) return SR_OK;
    }
}

static sr_status usage(void *arg, struct sr_err *err) {
    struct usage_args *u = arg;
    SR_TRY(sdk_addr_arg(u->data, "data", &u->a, err));
    SR_TRY(sdk_chain(u->c, err));
    SR_TRY(sdk_service(u->c, u->c->net.market, "market", err));
    SR_TRY(from_market(u, err));
    return u->c->net.sms ? from_log(u, err) : SR_OK;
}

sr_status sr_data_usage(struct sr_client *c, const char *data, struct sr_use **ret_list,
                        size_t *ret_n, struct sr_err *err) {
    struct usage_args u = {.c = c, .data = data};
    sr_status st = sdk_call(c, usage, &u, err);
    if (st != SR_OK) {
        free(u.list);
        return st;
    }
    *ret_list = u.list;
    *ret_n = u.n;
    return SR_OK;
}
