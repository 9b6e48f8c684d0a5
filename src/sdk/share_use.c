/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing, the consumer's side: rent, subscribe, buy, and use what was rented. */
#include "sdk/share_int.h"

#define CALL_MAX 65536

struct use_args {
    struct sr_client *c;
    const char *data, *to, *max, *app, *pool;
    uint64_t id;
    struct sr_paid *ret;
    struct sr_deal_ids *ids;
};

static sr_status begin(struct use_args *a, struct sr_err *err) {
    SR_TRY(share_open(a->c, err));
    return sdk_unlock(a->c, err);
}

static sr_status affordable(struct sr_client *c, struct u256 price, const char *max,
                            struct sr_err *err) {
    struct u256 most;
    struct poco_account acc;
    char want[U256_DEC_MAX], have[U256_DEC_MAX];
    SR_TRY(sdk_price(max, "max price", &most, err));
    u256_to_dec(want, price);
    if (u256_cmp(price, most) > 0) {
        sr_hint(err, "--max-price %s accepts that price", want);
        return sr_fail(err, SR_E_REFUSED, "it costs %s nRLC, more than the maximum of %s", want,
                       max ? max : "0");
    }
    SR_TRY(poco_view_account(&c->poco, &c->me, (struct eth_at){0}, &acc, err));
    if (u256_cmp(acc.stake, price) >= 0) return SR_OK;
    u256_to_dec(have, acc.stake);
    sr_hint(err, "strongroom account deposit %s", want);
    return sr_fail(err, SR_E_REFUSED, "it costs %s nRLC, but the account has only %s", want, have);
}

/* Allowance and call in one transaction, where the contract may not take the price already. */
static sr_status pay(struct sr_client *c, struct u256 price, const struct buf *call,
                     char ret_tx[SR_HASH_TEXT], struct eth_receipt *ret, struct sr_err *err) {
    struct u256 allowed;
    SR_TRY(erc20_allowance(&c->poco, &c->poco.hub, &c->me, &c->net.sharing, &allowed, err));
    if (u256_cmp(allowed, price) >= 0) return share_send(c, NULL, call, "pay", ret_tx, ret, err);
    cleanup_buf struct buf outer;
    buf_init(&outer, CALL_MAX);
    SR_TRY(poco_enc_approve_and_call(&outer, &c->net.sharing, price, buf_slice(call), err));
    return share_send(c, &c->poco.hub, &outer, "pay", ret_tx, ret, err);
}

/* When access ends, by the contract's event. */
static uint64_t end_in(const struct sr_client *c, const struct eth_receipt *r, poco_event e) {
    for (size_t i = 0; i < r->logs.n; i++) {
        const struct eth_log *l = &r->logs.v[i];
        struct share_log ev;
        if (addr_eq(&l->address, &c->net.sharing) &&
            share_log_read(l->topics, l->n_topics, l->data, &ev, NULL) == SR_OK && ev.event == e)
            return ev.end;
    }
    return 0;
}

static sr_status owner_of(struct sr_client *c, struct u256 id, struct share_collection *ret,
                          struct sr_err *err) {
    return share_view_collection(&c->poco, &c->net.sharing, id, (struct eth_at){0}, ret, err);
}

static sr_status view(struct sr_client *c, const char *text, struct addr *ret_data,
                      struct share_data *ret, struct share_collection *ret_in, struct sr_err *err) {
    SR_TRY(sdk_addr_arg(text, "data", ret_data, err));
    SR_TRY(share_view_data(&c->poco, &c->net.sharing, ret_data, (struct eth_at){0}, ret, err));
    if (u256_is_zero(ret->collection))
        return sr_fail(err, SR_E_NOTFOUND, "The protected data is not a part of a collection: %s",
                       addr_text(ret_data).s);
    return owner_of(c, ret->collection, ret_in, err);
}

static void put(struct use_args *a, sr_paid_kind kind, const struct addr *data, struct u256 id,
                const struct addr *from, const struct addr *to, struct u256 price) {
    struct sr_paid *p = a->ret;
    p->kind = kind;
    if (data) addr_put(p->data, data);
    if (!u256_to_u64(id, &p->collection)) p->collection = UINT64_MAX;
    addr_put(p->from, from);
    addr_put(p->to, to);
    u256_put(p->price_nrlc, price);
}

static sr_status rent(void *arg, struct sr_err *err) {
    struct use_args *a = arg;
    struct sr_client *c = a->c;
    struct addr data;
    struct share_data d;
    struct share_collection col;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&b, CALL_MAX);
    SR_TRY(begin(a, err));
    SR_TRY(view(c, a->data, &data, &d, &col, err));
    if (d.renting.duration == 0)
        return sr_fail(err, SR_E_REFUSED, "This protected data is not available for renting.");
    SR_TRY(affordable(c, d.renting.price, a->max, err));
    SR_TRY(share_enc_rent(&b, &data, d.renting, err));
    SR_TRY(pay(c, d.renting.price, &b, a->ret->tx, &r, err));
    put(a, SR_PAID_RENT, &data, d.collection, &c->me, &col.owner, d.renting.price);
    a->ret->end_unix_s = end_in(c, &r, POCO_EV_SHARE_RENTAL);
    return SR_OK;
}

static sr_status subscribe(void *arg, struct sr_err *err) {
    struct use_args *a = arg;
    struct sr_client *c = a->c;
    struct share_collection col;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&b, CALL_MAX);
    SR_TRY(begin(a, err));
    SR_TRY(owner_of(c, u256_of(a->id), &col, err));
    if (addr_is_zero(&col.owner))
        return sr_fail(err, SR_E_NOTFOUND,
                       "This collection does not seem to exist or it has been burned.");
    if (col.subscription.duration == 0)
        return sr_fail(err, SR_E_REFUSED, "This collection has no valid subscription params.");
    SR_TRY(affordable(c, col.subscription.price, a->max, err));
    SR_TRY(share_enc_subscribe(&b, u256_of(a->id), col.subscription, err));
    SR_TRY(pay(c, col.subscription.price, &b, a->ret->tx, &r, err));
    put(a, SR_PAID_SUBSCRIPTION, NULL, u256_of(a->id), &c->me, &col.owner, col.subscription.price);
    a->ret->end_unix_s = end_in(c, &r, POCO_EV_SHARE_SUBSCRIPTION);
    return SR_OK;
}

static sr_status buy(void *arg, struct sr_err *err) {
    struct use_args *a = arg;
    struct sr_client *c = a->c;
    struct addr data, to;
    struct share_data d;
    struct share_collection col;
    cleanup_buf struct buf b;
    buf_init(&b, CALL_MAX);
    SR_TRY(begin(a, err));
    to = c->me;
    if (a->to) SR_TRY(sdk_who(c, a->to, &to, err));
    SR_TRY(view(c, a->data, &data, &d, &col, err));
    if (!d.for_sale)
        return sr_fail(err, SR_E_REFUSED, "This protected data is currently not for sale.");
    SR_TRY(affordable(c, d.sale_price, a->max, err));
    SR_TRY(share_enc_buy(&b, &data, &to, d.sale_price, err));
    SR_TRY(pay(c, d.sale_price, &b, a->ret->tx, NULL, err));
    put(a, SR_PAID_SALE, &data, d.collection, &to, &col.owner, d.sale_price);
    return SR_OK;
}

static sr_status paid(struct use_args *a, sdk_fn fn, struct sr_paid *ret_p, struct sr_err *err) {
    struct sr_paid p = {0};
    a->ret = &p;
    SR_TRY(sdk_call(a->c, fn, a, err));
    *ret_p = p;
    return SR_OK;
}

sr_status sr_share_rent(struct sr_client *c, const char *data, const char *max_price_nrlc,
                        struct sr_paid *ret_p, struct sr_err *err) {
    struct use_args a = {.c = c, .data = data, .max = max_price_nrlc};
    return paid(&a, rent, ret_p, err);
}

sr_status sr_collection_subscribe(struct sr_client *c, uint64_t id, const char *max_price_nrlc,
                                  struct sr_paid *ret_p, struct sr_err *err) {
    struct use_args a = {.c = c, .id = id, .max = max_price_nrlc};
    return paid(&a, subscribe, ret_p, err);
}

sr_status sr_share_buy(struct sr_client *c, const char *data, const char *to,
                       const char *max_price_nrlc, struct sr_paid *ret_p, struct sr_err *err) {
    struct use_args a = {.c = c, .data = data, .to = to, .max = max_price_nrlc};
    return paid(&a, buy, ret_p, err);
}

/* ---- use ---- */

static sr_status may_use(struct sr_client *c, const struct addr *data, const struct share_data *d,
                         struct sr_err *err) {
    struct eth_block head;
    uint64_t rented, subscribed;
    SR_TRY(eth_get_block(c->rpc, (struct eth_at){0}, &head, err));
    SR_TRY(share_view_renter(&c->poco, &c->net.sharing, data, &c->me, (struct eth_at){0}, &rented,
                             err));
    SR_TRY(share_view_subscriber(&c->poco, &c->net.sharing, d->collection, &c->me,
                                 (struct eth_at){0}, &subscribed, err));
    if (rented >= head.time || (d->in_subscription && subscribed >= head.time)) return SR_OK;
    bool over = rented > 0 || (d->in_subscription && subscribed > 0);
    sr_hint(err, "strongroom share rent %s%s", addr_text(data).s,
            d->in_subscription ? ", or strongroom share subscribe" : "");
    return sr_fail(err, SR_E_REFUSED,
                   over ? "the time for which this data was rented or subscribed to is over"
                        : "You are not allowed to consume this protected data. You need to rent it "
                          "first, or to subscribe to the user's collection.");
}

/* The app asked for, or the last one of the data's whitelist. */
static sr_status choose_app(struct sr_client *c, const char *text, const struct addr *list,
                            struct addr *ret, struct sr_err *err) {
    bool has = false;
    if (text) {
        SR_TRY(sdk_app_addr(c, text, ret, err));
        SR_TRY(share_view_has_app(&c->poco, list, ret, &has, err));
        if (has) return SR_OK;
        return sr_fail(err, SR_E_REFUSED,
                       "This whitelist contract does not have registered this app: %s.",
                       addr_text(ret).s);
    }
    struct hash topic = poco_topic(POCO_EV_WHITELIST_APP);
    struct eth_filter f = {.addrs = list, .n_addrs = 1, .topics0 = &topic, .n_topics0 = 1};
    cleanup_logs struct eth_logs logs = {0};
    uint64_t head;
    SR_TRY(eth_block_number(c->rpc, &head, err));
    SR_TRY(eth_get_logs(c->rpc, &f, 0, head, &logs, err));
    struct share_log l;
    if (logs.n == 0) return sr_fail(err, SR_E_REFUSED, "the whitelist of this data has no app yet");
    const struct eth_log *last = &logs.v[logs.n - 1];
    SR_TRY(share_log_read(last->topics, last->n_topics, last->data, &l, err));
    *ret = l.who;
    return SR_OK;
}

static sr_status check_app_owner(struct sr_client *c, const struct addr *app, struct sr_err *err) {
    bool registered;
    struct addr owner;
    SR_TRY(poco_owner(&c->poco, POCO_APP, app, (struct eth_at){0}, &registered, &owner, err));
    if (registered && addr_eq(&owner, &c->net.sharing)) return SR_OK;
    sr_hint(err, "its owner hands it over: strongroom share app %s", addr_text(app).s);
    return sr_fail(err, SR_E_REFUSED, "This app is not owned by the sharing contract.");
}

/* A workerpool order without a price that the sharing contract may use. */
static sr_status free_order(struct sr_client *c, const struct addr *pool, const struct addr *data,
                            const struct addr *app, struct book *ret, struct sr_err *err) {
    struct hash tag = tag_of(SDK_TAG_TEE_TDX);
    struct addr_text p = addr_text(pool), d = addr_text(data), a = addr_text(app),
                     me = addr_text(&c->net.sharing);
    struct book_filter f = {.resource = p.s,
                            .app = a.s,
                            .dataset = d.s,
                            .requester = me.s,
                            .min_tag = &tag,
                            .has_category = true};
    SR_TRY(market_orders(c, POCO_WORKERPOOL, &f, ret, err));
    for (size_t i = 0; i < ret->n; i++) {
        const struct poco_workerpoolorder *w = &ret->v[i].order.workerpool;
        struct u256 used;
        if (!u256_is_zero(w->workerpoolprice)) continue;
        SR_TRY(poco_view_consumed(&c->poco, &ret->v[i].hash, (struct eth_at){0}, &used, err));
        if (u256_cmp(used, w->volume) >= 0) continue;
        if (i > 0) ret->v[0] = ret->v[i];
        return SR_OK;
    }
    sr_hint(err, "shared data can be used on workerpools that ask nothing");
    return sr_fail(err, SR_E_REFUSED,
                   "Could not find a workerpool order, maybe too many requests? You can retry "
                   "later.");
}

static sr_status consume(void *arg, struct sr_err *err) {
    struct use_args *a = arg;
    struct sr_client *c = a->c;
    struct addr data, app, pool;
    struct share_data d;
    struct share_collection col;
    cleanup_book struct book orders = {0};
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash deal, task;
    struct u256 volume;
    buf_init(&b, CALL_MAX);
    SR_TRY(begin(a, err));
    SR_TRY(sdk_service(c, c->net.sms, "sms", err));
    sdk_progress(c, "check", NULL, 0, 0, a->data);
    SR_TRY(view(c, a->data, &data, &d, &col, err));
    SR_TRY(may_use(c, &data, &d, err));
    SR_TRY(choose_app(c, a->app, &d.whitelist, &app, err));
    SR_TRY(check_app_owner(c, &app, err));
    if (a->pool) {
        SR_TRY(sdk_addr_arg(a->pool, "workerpool", &pool, err));
    } else if (c->net.has_workerpool) {
        pool = c->net.workerpool;
    } else {
        return sr_fail(err, SR_E_NOTFOUND, "this network has no workerpool of its own");
    }
    SR_TRY(free_order(c, &pool, &data, &app, &orders, err));
    SR_TRY(result_key_push(c, err));
    SR_TRY(share_enc_consume(&b, &data, &orders.v[0].order, &app, err));
    SR_TRY(share_send(c, NULL, &b, "deal", a->ids->tx, &r, err));
    SR_TRY(poco_receipt_deal(&c->poco, &r, &deal, &volume, err));
    task = poco_task_id(&deal, (struct u256){0}); /* every use is a new request order */
    c->last_deal = deal;
    c->last_task = task;
    hash_put(a->ids->deal, &deal);
    hash_put(a->ids->task, &task);
    u256_put(a->ids->cost_nrlc, (struct u256){0});
    sdk_progress(c, "wait", "matched", 0, 0, a->ids->task);
    return SR_OK;
}

sr_status sr_share_consume(struct sr_client *c, const char *data, const char *app,
                           const char *workerpool, struct sr_deal_ids *ret_ids,
                           struct sr_err *err) {
    struct use_args a = {.c = c, .data = data, .app = app, .pool = workerpool, .ids = ret_ids};
    return sdk_call(c, consume, &a, err);
}
