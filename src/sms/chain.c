/* SPDX-License-Identifier: Apache-2.0 */
/* What the chain says about a task, read at one block: asked in rounds, at once what can be. */
#include "sms/chain_int.h"
#include <stdlib.h>

/* SPEC: execution.md#2-on-chain-clock-and-rules-that-bind-every-implementation */
#define CONTRIBUTION_PERIODS 7u

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
    if (st == SR_OK && o->store) {
        c->store = slice_dup(slice_str(o->store));
        if (!c->store) st = sr_fail(err, SR_E_NOMEM, "no memory for a URL");
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
    free(c->store);
    free(c->owners);
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

sr_status sms_chain_head(struct sms_chain *c, uint64_t *ret, struct sr_err *err) {
    return eth_block_number(c->rpc, ret, err);
}

sr_status sms_chain_signed(struct sms_chain *c, const struct addr *contract,
                           const struct hash *digest, struct slice signature, bool *ret,
                           struct sr_err *err) {
    return eth_check_signature(c->rpc, contract, digest, signature, (struct eth_at){0}, ret, err);
}

void sms_facts_free(struct sms_facts *f) {
    if (!f) return;
    poco_deal_done(&f->deal);
    poco_app_done(&f->app);
    poco_dataset_done(&f->dataset);
    bulk_free(f->bulk, f->n_bulk);
    buf_done(&f->calldata);
    for (size_t i = 0; i < SR_ARRAY_LEN(f->docs); i++) json_free(f->docs[i]);
    free(f);
}

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
    sr_status st = deal_orders_of_tx(r->c, &r->match_tx, r->f, &e);
    r->has_orders = st == SR_OK;
    if (st != SR_E_UNAVAILABLE && st != SR_E_TIMEOUT && st != SR_E_CANCELLED && st != SR_E_NOMEM)
        return SR_OK;
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
    if (o->sign.n > 0) {
        if (poco_order_signer(o, &r->c->poco.domain, &who, NULL) == SR_OK && addr_eq(&who, signer))
            return SR_OK;                                            /* the signature speaks */
        return poco_verify(&r->c->poco, o, signer, r->at, ret, err); /* a contract's (ERC-1271) */
    }
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
    return deal_revocation(r->c, r->receipt.block, r->head.number, &r->m.dataset, r->f, err);
}

static sr_status step_groups(struct reading *r, struct sr_err *err) {
    return deal_groups(r->c, r->at, r->f, err);
}

static sr_status step_bulk(struct reading *r, struct sr_err *err) {
    return bulk_read(r->c, r->f, r->at, err);
}

/* They are not the transaction's own call: where else they may be, the nearest first. */
static sr_status find_orders(struct reading *r, struct sr_err *err) {
    struct sr_err e = {0};
    sr_status st = deal_orders_inside(r->c, &r->m, r->f, &e);
    if (st == SR_E_NOTFOUND) {
        e = (struct sr_err){0};
        st = deal_orders_of_sharing(r->c, &r->m, r->receipt.block, r->at, r->f, &e);
    }
    if (st == SR_E_NOTFOUND) return deal_orders_of_market(r->c, &r->m, r->f, err);
    if (st != SR_OK) *err = e;
    return st;
}

static sr_status read_facts(struct reading *r, struct sr_err *err) {
    static const struct step first[] = {
        {step_head, NULL}, {step_receipt, "GET_CHAIN_TASK_FAILED"}, {step_orders, NULL}};
    static const struct step then[] = {
        {step_app, "GET_CHAIN_DEAL_FAILED"},       {step_dataset, "GET_CHAIN_DEAL_FAILED"},
        {step_category, "GET_CHAIN_DEAL_FAILED"},  {step_task, "GET_CHAIN_TASK_FAILED"},
        {step_presigned, "GET_CHAIN_DEAL_FAILED"}, {step_revocation, "GET_CHAIN_DEAL_FAILED"},
        {step_groups, "GET_CHAIN_DEAL_FAILED"},    {step_bulk, "BULK_LIST_UNAVAILABLE"}};
    struct sms_facts *f = r->f;
    SR_TRY(sms_chain_open(r->c, err));
    SR_TRY(round_of(r, first, SR_ARRAY_LEN(first), err));
    if (r->receipt.block > r->head.number) r->head.number = r->receipt.block; /* mined just now */
    r->at = eth_at_block(r->head.number);
    f->chain_now_s = r->head.time;
    r->code = "GET_CHAIN_DEAL_FAILED";
    SR_TRY(deal_find(r->c, &r->receipt, r->at, &r->task, f, &r->m, err));
    f->has_dataset = !addr_is_zero(&f->deal.dataset.pointer);
    if (!u256_to_u64(f->deal.bot_first, &f->bot_first) ||
        !u256_to_u64(f->deal.bot_size, &f->bot_size))
        return sr_fail(err, SR_E_CHAIN, "the deal's size");
    r->code = "ORDERS_UNKNOWN";
    if (!r->has_orders || !deal_orders_agree(r->c, f, &r->m)) SR_TRY(find_orders(r, err));
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
