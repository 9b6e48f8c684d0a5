/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/sharing.h"

#define WORKERPOOL_ORDER                                                                           \
    "(address,uint256,uint256,bytes32,uint256,uint256,address,address,address,bytes32,bytes)"
#define TERMS "(uint72,uint40)"

/* ---- calls */

static struct abi_val token_of(const struct addr *entry) {
    uint8_t id[32] = {0};
    memcpy(id + 12, entry->b, 20);
    return av_u256(u256_from_be(id));
}

/* v: two values that live as long. */
static struct abi_val terms_val(const struct share_terms *t, struct abi_val v[2]) {
    v[0] = av_u256(t->price);
    v[1] = av_u64(t->duration);
    return av_list(v, 2);
}

sr_status share_enc_create_collection(struct buf *b, const struct addr *owner, struct sr_err *err) {
    return abi_call(b, "createCollection(address)", err, av_addr(owner));
}

sr_status share_enc_burn(struct buf *b, struct u256 collection, struct sr_err *err) {
    return abi_call(b, "burn(uint256)", err, av_u256(collection));
}

sr_status share_enc_add(struct buf *b, struct u256 collection, const struct addr *data,
                        const struct addr *whitelist, struct sr_err *err) {
    return abi_call(b, "addProtectedDataToCollection(uint256,address,address)", err,
                    av_u256(collection), av_addr(data), av_addr(whitelist));
}

sr_status share_enc_set_subscription(struct buf *b, struct u256 collection, struct share_terms t,
                                     struct sr_err *err) {
    struct abi_val v[2];
    return abi_call(b, "setSubscriptionParams(uint256," TERMS ")", err, av_u256(collection),
                    terms_val(&t, v));
}

sr_status share_enc_subscribe(struct buf *b, struct u256 collection, struct share_terms t,
                              struct sr_err *err) {
    struct abi_val v[2];
    return abi_call(b, "subscribeToCollection(uint256," TERMS ")", err, av_u256(collection),
                    terms_val(&t, v));
}

sr_status share_enc_set_renting(struct buf *b, const struct addr *data, struct share_terms t,
                                struct sr_err *err) {
    struct abi_val v[2];
    return abi_call(b, "setProtectedDataToRenting(address," TERMS ")", err, av_addr(data),
                    terms_val(&t, v));
}

sr_status share_enc_rent(struct buf *b, const struct addr *data, struct share_terms t,
                         struct sr_err *err) {
    struct abi_val v[2];
    return abi_call(b, "rentProtectedData(address," TERMS ")", err, av_addr(data),
                    terms_val(&t, v));
}

sr_status share_enc_set_sale(struct buf *b, const struct addr *data, struct u256 price,
                             struct sr_err *err) {
    return abi_call(b, "setProtectedDataForSale(address,uint72)", err, av_addr(data),
                    av_u256(price));
}

sr_status share_enc_buy(struct buf *b, const struct addr *data, const struct addr *to,
                        struct u256 price, struct sr_err *err) {
    return abi_call(b, "buyProtectedData(address,address,uint72)", err, av_addr(data), av_addr(to),
                    av_u256(price));
}

sr_status share_enc_data(struct buf *b, share_data_call call, const struct addr *data,
                         struct sr_err *err) {
    static const char *const sig[SHARE_DATA_CALLS] = {
        [SHARE_REMOVE] = "removeProtectedDataFromCollection(address)",
        [SHARE_BUNDLE] = "setProtectedDataToSubscription(address)",
        [SHARE_UNBUNDLE] = "removeProtectedDataFromSubscription(address)",
        [SHARE_STOP_RENT] = "removeProtectedDataFromRenting(address)",
        [SHARE_STOP_SALE] = "removeProtectedDataForSale(address)"};
    return abi_call(b, sig[call], err, av_addr(data));
}

sr_status share_enc_consume(struct buf *b, const struct addr *data,
                            const struct poco_order *workerpool, const struct addr *app,
                            struct sr_err *err) {
    SR_ASSERT(workerpool->kind == POCO_WORKERPOOL);
    struct abi_val v[POCO_ORDER_VALS];
    return abi_call(b, "consumeProtectedData(address," WORKERPOOL_ORDER ",address)", err,
                    av_addr(data), poco_order_val(workerpool, v), av_addr(app));
}

sr_status share_enc_create_whitelist(struct buf *b, const struct addr *owner, struct sr_err *err) {
    return abi_call(b, "createAddOnlyAppWhitelist(address)", err, av_addr(owner));
}

sr_status share_enc_add_app(struct buf *b, const struct addr *app, struct sr_err *err) {
    return abi_call(b, "addApp(address)", err, av_addr(app));
}

sr_status erc721_enc_approve(struct buf *b, const struct addr *to, const struct addr *entry,
                             struct sr_err *err) {
    return abi_call(b, "approve(address,uint256)", err, av_addr(to), token_of(entry));
}

/* ---- events */

static struct share_terms terms_of(const struct abi_val *v) {
    struct share_terms t = {.price = v[0].num};
    (void)!u256_to_u64(v[1].num, &t.duration); /* 40 bits: decoding has checked */
    return t;
}

static uint64_t seconds_of(const struct abi_val *v) {
    uint64_t n = 0;
    (void)!u256_to_u64(v->num, &n); /* 48 bits: likewise */
    return n;
}

static void fill(const struct abi_val *v, struct share_log *l) {
    switch (l->event) {
    case POCO_EV_SHARE_MOVED:
        l->data = v[0].addr;
        l->collection = v[1].num;
        l->old_collection = v[2].num;
        l->whitelist = v[3].addr;
        return;
    case POCO_EV_SHARE_PARAMS:
        l->collection = v[0].num;
        l->terms = terms_of(&v[1]);
        return;
    case POCO_EV_SHARE_SUBSCRIPTION:
        l->collection = v[0].num;
        l->who = v[1].addr;
        l->end = seconds_of(&v[2]);
        return;
    case POCO_EV_SHARE_CONSUMED:
        l->deal = v[0].hash;
        l->data = v[1].addr;
        l->by_rent = !u256_is_zero(v[2].num);
        return;
    case POCO_EV_WHITELIST_APP: l->who = v[0].addr; return;
    case POCO_EV_SHARE_SOLD:
        l->collection = v[0].num;
        l->who = v[1].addr;
        l->data = v[2].addr;
        return;
    default: break;
    }
    l->collection = v[0].num;
    l->data = v[1].addr;
    if (l->event == POCO_EV_SHARE_RENTABLE) l->terms = terms_of(&v[2]);
    if (l->event == POCO_EV_SHARE_FOR_SALE) l->terms.price = v[2].num;
    if (l->event == POCO_EV_SHARE_RENTAL) {
        l->who = v[2].addr;
        l->end = seconds_of(&v[3]);
    }
}

sr_status share_log_read(const struct hash *topics, size_t n_topics, struct slice data,
                         struct share_log *ret, struct sr_err *err) {
    struct poco_log p;
    SR_TRY(poco_log_read(topics, n_topics, data, &p, err));
    if (p.event < POCO_EV_SHARE_MOVED || p.event > POCO_EV_WHITELIST_APP)
        return sr_fail(err, SR_E_NOTFOUND, "not an event of sharing");
    struct share_log l = {.event = p.event};
    fill(p.arg, &l);
    *ret = l;
    return SR_OK;
}

/* ---- the orders of a consumption */

static bool is_order(const struct poco_domain *d, const struct poco_order *o,
                     const struct hash *want) {
    struct hash h = poco_order_hash(d, o);
    return hash_eq(&h, want);
}

/* The contract's tags: TDX where it knows that, SCONE where it was deployed before. */
static bool with_some_tag(const struct poco_domain *d, struct poco_order *o, struct hash *tag,
                          const struct hash *want) {
    static const uint32_t tags[] = {POCO_TAG_TEE | POCO_TAG_TDX, POCO_TAG_TEE | POCO_TAG_SCONE};
    for (size_t i = 0; i < SR_ARRAY_LEN(tags); i++) {
        *tag = tag_of(tags[i]);
        if (is_order(d, o, want)) return true;
    }
    return false;
}

static bool find_salt(const struct poco_domain *d, struct poco_order *o, const struct hash *want,
                      uint64_t from, uint64_t to, uint64_t *ret) {
    struct poco_salting s = poco_salting_of(d, o);
    for (uint64_t salt = from; salt < to; salt++) {
        struct hash h = poco_salted_hash(&s, salt);
        if (!hash_eq(&h, want)) continue;
        u256_to_be(o->request.salt.b, u256_of(salt));
        *ret = salt;
        return true;
    }
    return false;
}

sr_status share_orders_find(const struct poco_domain *d, const struct poco_deal *deal,
                            const struct addr *whitelist, uint64_t from, uint64_t to,
                            const struct hash *app, const struct hash *dataset,
                            const struct hash *request, struct share_orders *ret,
                            uint64_t *ret_salt, struct sr_err *err) {
    static const struct u256 all = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    struct share_orders o;
    memset(&o, 0, sizeof o);
    o.app.kind = POCO_APP;
    o.app.app = (struct poco_apporder){
        .app = deal->app.pointer, .volume = all, .requesterrestrict = deal->requester};
    o.dataset.kind = POCO_DATASET;
    o.dataset.dataset = (struct poco_datasetorder){.dataset = deal->dataset.pointer,
                                                   .volume = all,
                                                   .apprestrict = *whitelist,
                                                   .requesterrestrict = deal->requester};
    o.request.kind = POCO_REQUEST;
    o.request.request = (struct poco_requestorder){.app = deal->app.pointer,
                                                   .dataset = deal->dataset.pointer,
                                                   .workerpool = deal->workerpool.pointer,
                                                   .requester = deal->requester,
                                                   .volume = u256_of(1),
                                                   .category = deal->category,
                                                   .beneficiary = deal->beneficiary,
                                                   .params = deal->params};
    if (!with_some_tag(d, &o.app, &o.app.app.tag, app) ||
        !with_some_tag(d, &o.dataset, &o.dataset.dataset.tag, dataset))
        return sr_fail(err, SR_E_NOTFOUND, "the deal was not made by a sharing contract's rule");
    o.request.request.tag = o.app.app.tag; /* as the contract does */
    if (!find_salt(d, &o.request, request, from, to, ret_salt))
        return sr_fail(err, SR_E_RANGE, "the request's salt is another");
    *ret = o;
    return SR_OK;
}
