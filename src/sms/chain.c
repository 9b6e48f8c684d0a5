/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the chain says about a task, read at one block: the deal, its orders, owners now,
 * revocations. Orders come from the transaction that matched them, and count only when their
 * hashes are those of the hub's own event, so it does not matter who hands them over.
 */
#include "ipfs/ipfs.h"
#include "sms/sms_int.h"
#include <stdio.h>
#include <stdlib.h>

/* SPEC: execution.md#2-on-chain-clock-and-rules-that-bind-every-implementation */
#define CONTRIBUTION_PERIODS 7u
#define APP_CODE             "APP_ORDER_RESTRICTED"
#define DATASET_CODE         "DATASET_ORDER_RESTRICTED"
#define REQUEST_CODE         "REQUEST_ORDER_RESTRICTED"
#define LOG_BLOCKS           10000u
#define URL_MAX_BYTES        1024u

struct sms_chain {
    struct eth_rpc *rpc;
    char *market; /* NULL: none */
    uint64_t chain_id;
    struct addr hub;
    bool opened;
    struct poco poco;
};

sr_status sms_chain_new(const struct sms_chain_opts *o, struct sms_chain **ret,
                        struct sr_err *err) {
    struct sms_chain *c = sr_calloc_n(1, sizeof *c);
    if (!c) return sr_fail(err, SR_E_NOMEM, "no memory for the chain");
    c->chain_id = o->chain_id;
    c->hub = o->hub;
    sr_status st = eth_rpc_new(o->rpc, &c->rpc, err);
    if (st == SR_OK && o->market) {
        c->market = slice_dup(slice_str(o->market));
        if (!c->market) st = sr_fail(err, SR_E_NOMEM, "no memory for a URL");
    }
    if (st != SR_OK)
        sms_chain_free(c);
    else
        *ret = c;
    return st;
}

void sms_chain_free(struct sms_chain *c) {
    if (!c) return;
    eth_rpc_free(c->rpc);
    free(c->market);
    free(c);
}

/* The node may start after us: the hub is looked at when it is first needed. */
sr_status sms_chain_open(struct sms_chain *c, struct sr_err *err) {
    if (c->opened) return SR_OK;
    struct poco p;
    SR_TRY(poco_open(c->rpc, &c->hub, &p, err));
    if (p.domain.chain_id != c->chain_id) {
        sr_hint(err, "check --rpc and --chain-id");
        return sr_fail(err, SR_E_CHAIN, "the node is of chain %llu, expected %llu",
                       (unsigned long long)p.domain.chain_id, (unsigned long long)c->chain_id);
    }
    c->poco = p;
    c->opened = true;
    return SR_OK;
}

sr_status sms_chain_owner(struct sms_chain *c, poco_kind kind, const struct addr *target,
                          struct addr *ret, struct sr_err *err) {
    bool registered = false;
    SR_TRY(sms_chain_open(c, err));
    SR_TRY(poco_owner(&c->poco, kind, target, (struct eth_at){0}, &registered, ret, err));
    if (!registered)
        return sr_fail(err, SR_E_NOTFOUND, "no %s at %s", poco_kind_word[kind],
                       addr_text(target).s);
    return SR_OK;
}

void sms_facts_free(struct sms_facts *f) {
    if (!f) return;
    poco_deal_done(&f->deal);
    poco_app_done(&f->app);
    poco_dataset_done(&f->dataset);
    buf_done(&f->calldata);
    for (size_t i = 0; i < SR_ARRAY_LEN(f->docs); i++) json_free(f->docs[i]);
    free(f);
}

/* ---- which deal
 * ---------------------------------------------------------------------------------------------- */

struct matched {
    struct hash deal, app, dataset, request; /* order hashes */
};

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

/* The hub's event in the receipt whose deal holds the task; fills deal, deal_id, index. */
static sr_status find_deal(struct sms_chain *c, const struct eth_receipt *r, struct eth_at at,
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

static sr_status match_types(struct buf *b, struct sr_err *err) {
    for (int k = 0; k < POCO_KINDS; k++) {
        if (k) buf_u8(b, ',');
        buf_str(b, poco_order_abi[k]);
    }
    return buf_status(b, err);
}

/* matchOrders or sponsorMatchOrders, or either inside RLC.approveAndCall(hub, …). */
static sr_status orders_of_call(struct sms_chain *c, struct slice data, bool inner,
                                struct sms_facts *f, struct sr_err *err) {
    static const char *const names[] = {"matchOrders", "sponsorMatchOrders"};
    cleanup_buf struct buf types = {0};
    buf_init(&types, 4096);
    SR_TRY(match_types(&types, err));
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++) {
        cleanup_buf struct buf sig = {0};
        cleanup_abi struct abi_out out = {0};
        struct poco_order pool;
        uint8_t sel[4];
        buf_init(&sig, 4096);
        buf_printf(&sig, "%s(%s)", names[i], buf_cstr(&types));
        SR_TRY(buf_status(&sig, err));
        abi_selector(buf_cstr(&sig), sel);
        if (data.n < 4 || memcmp(sel, data.p, 4) != 0) continue;
        SR_TRY(abi_decode_call(data, buf_cstr(&sig), &out, err));
        SR_TRY(poco_order_from_val(POCO_APP, &out.v[0], &f->app_order, err));
        SR_TRY(poco_order_from_val(POCO_DATASET, &out.v[1], &f->dataset_order, err));
        SR_TRY(poco_order_from_val(POCO_WORKERPOOL, &out.v[2], &pool, err));
        return poco_order_from_val(POCO_REQUEST, &out.v[3], &f->request_order, err);
    }
    cleanup_abi struct abi_out out = {0};
    if (!inner &&
        abi_decode_call(data, "approveAndCall(address,uint256,bytes)", &out, NULL) == SR_OK &&
        addr_eq(&out.v[0].addr, &c->hub))
        return orders_of_call(c, out.v[2].bytes, true, f, err);
    return sr_fail(err, SR_E_NOTFOUND, "the transaction called the hub through another contract");
}

static sr_status orders_of_tx(struct sms_chain *c, const struct hash *tx, struct sms_facts *f,
                              struct sr_err *err) {
    char params[80];
    cleanup_json struct json *doc = NULL;
    const struct json_val *result = NULL;
    struct slice input;
    (void)snprintf(params, sizeof params, "[\"%s\"]", hash_text(tx).s);
    SR_TRY(eth_rpc_call(c->rpc, "eth_getTransactionByHash", params, &doc, &result, err));
    if (!json_str(json_get(result, "input"), &input))
        return sr_fail(err, SR_E_NOTFOUND, "the node does not know the matching transaction");
    buf_clear(&f->calldata);
    if (!hex_decode_buf(input, &f->calldata))
        return sr_fail(err, SR_E_CHAIN, "the node's answer for a transaction");
    SR_TRY(buf_status(&f->calldata, err));
    return orders_of_call(c, buf_slice(&f->calldata), false, f, err);
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

static bool orders_agree(const struct sms_chain *c, const struct sms_facts *f,
                         const struct matched *m) {
    return is_order(c, &f->app_order, &m->app) && is_order(c, &f->request_order, &m->request) &&
           (!f->has_dataset || is_order(c, &f->dataset_order, &m->dataset));
}

/* Matched through another contract, or several deals in one transaction. */
static sr_status orders_of_market(struct sms_chain *c, const struct matched *m, struct sms_facts *f,
                                  struct sr_err *err) {
    SR_TRY(order_of_market(c, POCO_APP, &m->app, &f->docs[0], &f->app_order, err));
    SR_TRY(order_of_market(c, POCO_REQUEST, &m->request, &f->docs[1], &f->request_order, err));
    if (f->has_dataset)
        SR_TRY(order_of_market(c, POCO_DATASET, &m->dataset, &f->docs[2], &f->dataset_order, err));
    else
        f->dataset_order = (struct poco_order){.kind = POCO_DATASET};
    if (!orders_agree(c, f, m))
        return sr_fail(err, SR_E_NOTFOUND, "the orders of this deal are not to be had");
    return SR_OK;
}

/* ---- revocation
 * ---------------------------------------------------------------------------------------------- */

/* Closing an order sets its used volume to the whole, as using it up does: only then the events
 * since the deal tell them apart. */
static sr_status find_revocation(struct sms_chain *c, uint64_t deal_block, uint64_t head,
                                 const struct hash *order, struct sms_facts *f,
                                 struct sr_err *err) {
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
static sr_status check_groups(struct sms_chain *c, struct eth_at at, struct sms_facts *f,
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

/* ---- all of it, in rounds: what does not depend on each other is asked at once
 * ---------------------------------------------------------------------------------------------- */

/* Shared by the fibers of a round; the last one frees it, also when the caller was cancelled. */
struct reading {
    unsigned refs, left;
    struct sms_chain *c;
    struct sms_facts *f; /* owned until it is handed out */
    struct hash task, match_tx;
    struct eth_block head;
    struct eth_at at;
    struct eth_receipt receipt;
    struct matched m;
    bool has_orders; /* the transaction gave some */
    sr_status st;
    const char *code;
    struct sr_err err;
    struct fcond done;
};
struct step {
    sr_status (*fn)(struct reading *r, struct sr_err *err);
    const char *code; /* of a refusal for what it could not find */
};
struct running {
    struct reading *r;
    const struct step *step;
};

static void reading_drop(struct reading *r) {
    if (--r->refs > 0) return;
    eth_receipt_done(&r->receipt);
    sms_facts_free(r->f);
    free(r);
}

static void run_step(void *arg) {
    struct running *run = arg;
    struct reading *r = run->r;
    struct sr_err e = {0};
    sr_status st = run->step->fn(r, &e);
    if (st != SR_OK && r->st == SR_OK) { /* the first failure counts */
        r->st = st;
        r->err = e;
        r->code = run->step->code;
    }
    free(run);
    r->left--;
    fcond_wake(&r->done);
    reading_drop(r);
}

/* Runs the steps at once; the first failure is the round's. */
static sr_status round_of(struct reading *r, const struct step *steps, size_t n,
                          struct sr_err *err) {
    for (size_t i = 0; i < n && r->st == SR_OK; i++) {
        struct running *run = malloc(sizeof *run);
        if (!run) return sr_fail(err, SR_E_NOMEM, "no memory for the chain");
        *run = (struct running){r, &steps[i]};
        r->refs++;
        r->left++;
        sr_status st = fiber_start(run_step, run, err);
        if (st == SR_OK) continue;
        free(run);
        r->left--;
        r->refs--;
        return st;
    }
    while (r->left > 0) SR_TRY(fcond_wait(&r->done, 0, err));
    if (r->st != SR_OK) *err = r->err;
    return r->st;
}

static sr_status step_head(struct reading *r, struct sr_err *err) {
    return eth_get_block(r->c->rpc, (struct eth_at){0}, &r->head, err);
}

static sr_status step_receipt(struct reading *r, struct sr_err *err) {
    SR_TRY(eth_get_receipt(r->c->rpc, &r->match_tx, &r->receipt, err));
    if (!r->receipt.ok) return sr_fail(err, SR_E_NOTFOUND, "the matching transaction failed");
    return SR_OK;
}

static sr_status step_orders(struct reading *r, struct sr_err *err) {
    struct sr_err e = {0};
    sr_status st = orders_of_tx(r->c, &r->match_tx, r->f, &e);
    r->has_orders = st == SR_OK;
    if (st != SR_E_UNAVAILABLE && st != SR_E_TIMEOUT && st != SR_E_CANCELLED) return SR_OK;
    *err = e;
    return st;
}

static sr_status step_app(struct reading *r, struct sr_err *err) {
    struct sms_facts *f = r->f;
    SR_TRY(poco_view_app(&r->c->poco, &f->deal.app.pointer, r->at, &f->app, err));
    f->app_owner = f->app.owner;
    return SR_OK;
}

static sr_status step_dataset(struct reading *r, struct sr_err *err) {
    struct sms_facts *f = r->f;
    if (!f->has_dataset) return SR_OK;
    SR_TRY(poco_view_dataset(&r->c->poco, &f->deal.dataset.pointer, r->at, &f->dataset, err));
    f->dataset_owner = f->dataset.owner;
    return SR_OK;
}

static sr_status step_category(struct reading *r, struct sr_err *err) {
    struct poco_category cat = {0};
    uint64_t category;
    if (!u256_to_u64(r->f->deal.category, &category))
        return sr_fail(err, SR_E_CHAIN, "the deal's category");
    SR_TRY(poco_view_category(&r->c->poco, category, r->at, &cat, err));
    r->f->seconds = cat.time_ref;
    poco_category_done(&cat);
    return SR_OK;
}

static sr_status step_task(struct reading *r, struct sr_err *err) {
    cleanup_task struct poco_task t = {0};
    SR_TRY(poco_view_task(&r->c->poco, &r->task, r->at, &t, err));
    r->f->status = t.status;
    r->f->contribution_deadline = t.contribution_deadline;
    if (t.status != POCO_TASK_UNSET && !hash_eq(&t.deal, &r->f->deal_id))
        return sr_fail(err, SR_E_CHAIN, "the task belongs to another deal");
    return SR_OK;
}

static sr_status presigned(struct reading *r, const struct poco_order *o, const struct hash *hash,
                           const struct addr *signer, bool *ret, struct sr_err *err) {
    struct addr who;
    *ret = false;
    if (o->sign.n > 0) return SR_OK; /* the signature speaks */
    SR_TRY(poco_view_presigned(&r->c->poco, hash, r->at, &who, err));
    *ret = addr_eq(&who, signer);
    return SR_OK;
}

static sr_status step_presigned(struct reading *r, struct sr_err *err) {
    struct sms_facts *f = r->f;
    const struct poco_deal *d = &f->deal;
    SR_TRY(presigned(r, &f->app_order, &r->m.app, &d->app.owner, &f->app_presigned, err));
    SR_TRY(
        presigned(r, &f->request_order, &r->m.request, &d->requester, &f->request_presigned, err));
    if (!f->has_dataset) return SR_OK;
    return presigned(r, &f->dataset_order, &r->m.dataset, &d->dataset.owner, &f->dataset_presigned,
                     err);
}

static sr_status step_revocation(struct reading *r, struct sr_err *err) {
    if (!r->f->has_dataset) return SR_OK;
    return find_revocation(r->c, r->receipt.block, r->head.number, &r->m.dataset, r->f, err);
}

static sr_status step_groups(struct reading *r, struct sr_err *err) {
    return check_groups(r->c, r->at, r->f, err);
}

static sr_status read_facts(struct reading *r, struct sr_err *err) {
    static const struct step first[] = {
        {step_head, NULL}, {step_receipt, "GET_CHAIN_TASK_FAILED"}, {step_orders, NULL}};
    static const struct step then[] = {
        {step_app, "GET_CHAIN_DEAL_FAILED"},       {step_dataset, "GET_CHAIN_DEAL_FAILED"},
        {step_category, "GET_CHAIN_DEAL_FAILED"},  {step_task, "GET_CHAIN_TASK_FAILED"},
        {step_presigned, "GET_CHAIN_DEAL_FAILED"}, {step_revocation, "GET_CHAIN_DEAL_FAILED"},
        {step_groups, "GET_CHAIN_DEAL_FAILED"}};
    struct sms_facts *f = r->f;
    SR_TRY(sms_chain_open(r->c, err));
    SR_TRY(round_of(r, first, SR_ARRAY_LEN(first), err));
    if (r->receipt.block > r->head.number) r->head.number = r->receipt.block; /* mined just now */
    r->at = eth_at_block(r->head.number);
    f->chain_now_s = r->head.time;
    r->code = "GET_CHAIN_DEAL_FAILED";
    SR_TRY(find_deal(r->c, &r->receipt, r->at, &r->task, f, &r->m, err));
    f->has_dataset = !addr_is_zero(&f->deal.dataset.pointer);
    if (!u256_to_u64(f->deal.bot_first, &f->bot_first) ||
        !u256_to_u64(f->deal.bot_size, &f->bot_size))
        return sr_fail(err, SR_E_CHAIN, "the deal's size");
    r->code = "ORDERS_UNKNOWN";
    if (!r->has_orders || !orders_agree(r->c, f, &r->m))
        SR_TRY(orders_of_market(r->c, &r->m, f, err));
    SR_TRY(round_of(r, then, SR_ARRAY_LEN(then), err));
    if (f->status == POCO_TASK_UNSET)
        f->contribution_deadline = f->deal.start_time + CONTRIBUTION_PERIODS * f->seconds;
    return SR_OK;
}

sr_status sms_chain_facts(struct sms_chain *c, const struct hash *task, const struct hash *match_tx,
                          struct sms_facts **ret, const char **ret_code, struct sr_err *err) {
    struct reading *r = sr_calloc_n(1, sizeof *r);
    if (!r) return sr_fail(err, SR_E_NOMEM, "no memory for a task");
    r->refs = 1;
    r->c = c;
    r->task = *task;
    r->match_tx = *match_tx;
    r->f = sr_calloc_n(1, sizeof *r->f);
    sr_status st = SR_OK;
    if (r->f) {
        buf_init(&r->f->calldata, 1u << 20);
        r->f->now_s = clock_unix_ms() / 1000;
        st = read_facts(r, err);
    } else {
        st = sr_fail(err, SR_E_NOMEM, "no memory for a task");
    }
    if (st == SR_OK)
        *ret = sr_take_ptr(r->f);
    else
        *ret_code = r->code;
    reading_drop(r);
    return st;
}
