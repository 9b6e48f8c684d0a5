/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which deal a task is of, by which orders, and whether they still hold. Orders come from the
 * transaction that matched them, and count only when their hashes are those of the hub's own event,
 * so it does not matter who hands them over.
 */
#include "sms/chain_int.h"
#include <stdio.h>

#define APP_CODE      "APP_ORDER_RESTRICTED"
#define DATASET_CODE  "DATASET_ORDER_RESTRICTED"
#define REQUEST_CODE  "REQUEST_ORDER_RESTRICTED"
#define LOG_BLOCKS    10000u
#define URL_MAX_BYTES 1024u

/* ---- which deal
 * ---------------------------------------------------------------------------------------------- */

/* The task's index in a deal; false when it is none of it. */
static bool index_in(const struct poco_deal *d, const struct hash *deal, const struct hash *task,
                     uint64_t *ret_index) {
    uint64_t first, size;
    if (!u256_to_u64(d->bot_first, &first) || !u256_to_u64(d->bot_size, &size)) return false;
    if (size > SMS_BOTS_MAX) size = SMS_BOTS_MAX;
    for (uint64_t i = 0; i < size; i++) {
        struct hash id = poco_task_id(deal, u256_of(first + i));
        if (!hash_eq(&id, task)) continue;
        *ret_index = first + i;
        return true;
    }
    return false;
}

sr_status deal_find(struct sms_chain *c, const struct eth_receipt *r, struct eth_at at,
                    const struct hash *task, struct sms_facts *f, struct matched *ret,
                    struct sr_err *err) {
    for (size_t i = 0; i < r->logs.n; i++) {
        const struct eth_log *l = &r->logs.v[i];
        struct poco_log ev;
        struct hash topic = poco_topic(POCO_EV_ORDERS_MATCHED);
        if (!addr_eq(&l->address, &c->hub) || l->n_topics == 0 || !hash_eq(&l->topics[0], &topic))
            continue;
        SR_TRY(poco_log_read(l->topics, l->n_topics, l->data, &ev, err));
        struct matched m = {ev.arg[0].hash, ev.arg[1].hash, ev.arg[2].hash, ev.arg[4].hash};
        struct poco_deal d = {0};
        SR_TRY(poco_view_deal(&c->poco, &m.deal, at, &d, err));
        if (index_in(&d, &m.deal, task, &f->index)) {
            f->deal = d;
            f->deal_id = m.deal;
            *ret = m;
            return SR_OK;
        }
        poco_deal_done(&d);
    }
    return sr_fail(err, SR_E_NOTFOUND, "the named transaction made no deal with this task");
}

/* ---- orders
 * ---------------------------------------------------------------------------------------------- */

sr_status deal_orders_of_tx(struct sms_chain *c, const struct hash *tx, struct sms_facts *f,
                            struct sr_err *err) {
    buf_clear(&f->calldata);
    SR_TRY(eth_get_calldata(c->rpc, tx, &f->calldata, err));
    struct poco_order o[POCO_KINDS];
    SR_TRY(poco_match_read(buf_slice(&f->calldata), &c->hub, o, err));
    f->app_order = o[POCO_APP];
    f->dataset_order = o[POCO_DATASET];
    f->request_order = o[POCO_REQUEST];
    return SR_OK;
}

static sr_status order_of_market(struct sms_chain *c, poco_kind kind, const struct hash *hash,
                                 struct json **ret_doc, struct poco_order *ret,
                                 struct sr_err *err) {
    char url[URL_MAX_BYTES];
    if (!c->market) return sr_fail(err, SR_E_NOTFOUND, "no market to ask for an order");
    int n = snprintf(url, sizeof url, "%s/%sorders/%s?chainId=%llu", c->market,
                     poco_kind_word[kind], hash_text(hash).s, (unsigned long long)c->chain_id);
    if (n < 0 || (size_t)n >= sizeof url) return sr_fail(err, SR_E_TOOBIG, "the market's URL");
    SR_TRY(http_json("GET", url, (struct slice){NULL, 0}, ret_doc, err));
    return poco_order_from_json(kind, json_get(json_root(*ret_doc), "order"), ret, err);
}

static bool is_order(const struct sms_chain *c, const struct poco_order *o,
                     const struct hash *want) {
    struct hash h = poco_order_hash(&c->poco.domain, o);
    return hash_eq(&h, want);
}

bool deal_orders_agree(const struct sms_chain *c, const struct sms_facts *f,
                       const struct matched *m) {
    return is_order(c, &f->app_order, &m->app) && is_order(c, &f->request_order, &m->request) &&
           (!f->has_dataset || is_order(c, &f->dataset_order, &m->dataset));
}

/* Matched by a contract wallet, a relayer or a multicall, whose calldata carries the hub's. */
sr_status deal_orders_inside(struct sms_chain *c, const struct matched *m, struct sms_facts *f,
                             struct sr_err *err) {
    struct poco_match_at at = {0};
    struct poco_order o[POCO_KINDS];
    for (;;) {
        SR_TRY(poco_match_inside(buf_slice(&f->calldata), &at, o, err));
        f->app_order = o[POCO_APP];
        f->dataset_order = o[POCO_DATASET];
        f->request_order = o[POCO_REQUEST];
        if (deal_orders_agree(c, f, m)) return SR_OK;
    }
}

/* Matched in a way that no calldata shows. */
sr_status deal_orders_of_market(struct sms_chain *c, const struct matched *m, struct sms_facts *f,
                                struct sr_err *err) {
    SR_TRY(order_of_market(c, POCO_APP, &m->app, &f->docs[0], &f->app_order, err));
    SR_TRY(order_of_market(c, POCO_REQUEST, &m->request, &f->docs[1], &f->request_order, err));
    if (f->has_dataset)
        SR_TRY(order_of_market(c, POCO_DATASET, &m->dataset, &f->docs[2], &f->dataset_order, err));
    else
        f->dataset_order = (struct poco_order){.kind = POCO_DATASET};
    if (!deal_orders_agree(c, f, m))
        return sr_fail(err, SR_E_NOTFOUND, "the orders of this deal are not to be had");
    return SR_OK;
}

/* Near the last one that was found, then all, in parts: others have their turn between them. */
static sr_status try_salts(struct sms_chain *c, const struct matched *m, const struct addr *list,
                           const struct sms_facts *f, struct share_orders *ret,
                           struct sr_err *err) {
    const struct poco_domain *d = &c->poco.domain;
    const uint64_t near = c->last_salt > 512 ? c->last_salt - 512 : 0;
    uint64_t salt;
    sr_status st = share_orders_find(d, &f->deal, list, near, near + 2048, &m->app, &m->dataset,
                                     &m->request, ret, &salt, NULL);
    for (uint64_t from = 0; st == SR_E_RANGE && from < SHARE_SALTS; from += SHARE_SALTS_AT_ONCE) {
        SR_TRY(fiber_sleep(0, err));
        st = share_orders_find(d, &f->deal, list, from, from + SHARE_SALTS_AT_ONCE, &m->app,
                               &m->dataset, &m->request, ret, &salt, NULL);
    }
    if (st == SR_OK) c->last_salt = salt;
    return st;
}

/* DataProtectorSharing makes the three orders itself and signs them in the hub. */
sr_status deal_orders_of_sharing(struct sms_chain *c, const struct matched *m, uint64_t deal_block,
                                 struct eth_at head, struct sms_facts *f, struct sr_err *err) {
    const struct poco_deal *d = &f->deal;
    struct share_data s;
    struct share_orders o;
    struct sr_err e = {0};
    if (!f->has_dataset) return sr_fail(err, SR_E_NOTFOUND, "a deal without data");
    /* What the requester is, anybody may choose; what is found is compared with the hub's hashes.
     * A node that keeps no old state is asked for the present one. */
    const struct eth_at when[] = {eth_at_block(deal_block), head};
    for (size_t i = 0; i < SR_ARRAY_LEN(when); i++) {
        e = (struct sr_err){0};
        sr_status st =
            share_view_data(&c->poco, &d->requester, &d->dataset.pointer, when[i], &s, &e);
        if (st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT || st == SR_E_CANCELLED) {
            *err = e;
            return st;
        }
        if (st == SR_E_REFUSED || st == SR_E_MALFORMED) break;
        if (st != SR_OK) continue;
        st = try_salts(c, m, &s.whitelist, f, &o, &e);
        if (st == SR_OK) {
            f->app_order = o.app;
            f->dataset_order = o.dataset;
            f->request_order = o.request;
            return SR_OK;
        }
        if (st == SR_E_CANCELLED) {
            *err = e;
            return st;
        }
    }
    return sr_fail(err, SR_E_NOTFOUND, "not a deal of a sharing contract");
}

/* ---- revocation
 * ---------------------------------------------------------------------------------------------- */

/* Closing an order sets its used volume to the whole, as using it up does: only then the events
 * since the deal tell them apart. */
sr_status deal_revocation(struct sms_chain *c, uint64_t deal_block, uint64_t head,
                          const struct hash *order, struct sms_facts *f, struct sr_err *err) {
    struct u256 used;
    SR_TRY(poco_view_consumed(&c->poco, order, eth_at_block(head), &used, err));
    if (u256_cmp(used, f->dataset_order.dataset.volume) < 0) return SR_OK;
    if (head - deal_block > SMS_CLOSED_BLOCKS)
        return sr_fail(err, SR_E_CHAIN, "the deal is too old to look for its revocation");
    struct hash topic = poco_topic(POCO_EV_CLOSED_DATASET);
    const struct eth_filter filter = {
        .addrs = &c->hub, .n_addrs = 1, .topics0 = &topic, .n_topics0 = 1};
    for (uint64_t from = deal_block; from <= head && !f->dataset_revoked; from += LOG_BLOCKS) {
        cleanup_logs struct eth_logs logs = {0};
        uint64_t to = head - from < LOG_BLOCKS ? head : from + LOG_BLOCKS - 1;
        SR_TRY(eth_get_logs(c->rpc, &filter, from, to, &logs, err));
        for (size_t i = 0; i < logs.n; i++) {
            struct slice d = logs.v[i].data;
            if (d.n == 32 && memcmp(d.p, order->b, 32) == 0) f->dataset_revoked = true;
        }
    }
    return SR_OK;
}

/* ---- restrictions
 * ---------------------------------------------------------------------------------------------- */

/* The hub checked them when it matched. Those that name one account the vault checks again; a group
 * (ERC-734) only the chain can ask, and its members may have changed since. */
sr_status deal_groups(struct sms_chain *c, struct eth_at at, struct sms_facts *f,
                      struct sr_err *err) {
    const struct poco_deal *d = &f->deal;
    const struct poco_apporder *a = &f->app_order.app;
    const struct poco_datasetorder *s = &f->dataset_order.dataset;
    const struct {
        const struct addr *to, *who;
        bool counts;
        const char *code;
    } all[] = {
        {&a->datasetrestrict, &d->dataset.pointer, true, APP_CODE},
        {&a->workerpoolrestrict, &d->workerpool.pointer, true, APP_CODE},
        {&a->requesterrestrict, &d->requester, true, APP_CODE},
        {&s->apprestrict, &d->app.pointer, f->has_dataset, DATASET_CODE},
        {&s->workerpoolrestrict, &d->workerpool.pointer, f->has_dataset, DATASET_CODE},
        {&s->requesterrestrict, &d->requester, f->has_dataset, DATASET_CODE},
        {&f->request_order.request.workerpool, &d->workerpool.pointer, true, REQUEST_CODE},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) {
        bool ok = false;
        if (!all[i].counts || addr_is_zero(all[i].to) || addr_eq(all[i].to, all[i].who)) continue;
        SR_TRY(poco_allowed(&c->poco, all[i].to, all[i].who, at, &ok, err));
        f->groups_checked = true;
        if (!ok) f->restricted = all[i].code;
    }
    if (f->restricted) f->groups_checked = false;
    return SR_OK;
}
