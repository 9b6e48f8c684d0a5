/* SPDX-License-Identifier: Apache-2.0 */
/* Any order by its hash or its text: read, shown, explained, closed. */
#include "sdk/order.h"
#include <stdlib.h>

void loaded_done(struct loaded *l) {
    json_free(l->doc);
    *l = (struct loaded){0};
}

sr_status order_kind(const char *word, poco_kind *ret, struct sr_err *err) {
    static const struct {
        const char *word;
        poco_kind kind;
    } words[] = {{"app", POCO_APP},         {"data", POCO_DATASET},
                 {"dataset", POCO_DATASET}, {"workerpool", POCO_WORKERPOOL},
                 {"pool", POCO_WORKERPOOL}, {"request", POCO_REQUEST}};
    for (size_t i = 0; word && i < SR_ARRAY_LEN(words); i++)
        if (strcmp(word, words[i].word) == 0) {
            *ret = words[i].kind;
            return SR_OK;
        }
    sr_hint(err, "app, data, workerpool or request");
    return sr_fail(err, SR_E_USAGE, "there are no orders of the kind \"%.40s\"", word ? word : "");
}

/* The object that is the order: bare, or inside of the wrappings in use. */
static const struct json_val *unwrap(const struct json_val *v) {
    static const char *const names[] = {"order", "apporder", "datasetorder", "workerpoolorder",
                                        "requestorder"};
    for (unsigned depth = 0; depth < 2; depth++)
        for (size_t i = 0; i < SR_ARRAY_LEN(names); i++)
            if (json_is(json_get(v, names[i]), JSON_OBJECT)) v = json_get(v, names[i]);
    return v;
}

sr_status order_from_text(struct slice text, struct loaded *ret, struct sr_err *err) {
    static const char *const tell[POCO_KINDS] = {"appprice", "datasetprice", "workerpoolprice",
                                                 "appmaxprice"};
    struct loaded l = {0};
    if (text.n > ORDER_TEXT_MAX)
        return sr_fail(err, SR_E_TOOBIG, "an order has at most %u bytes", ORDER_TEXT_MAX);
    sr_status st = json_parse(text, &l.doc, err);
    if (st != SR_OK) sr_hint(err, "give an order's hash, or its JSON text");
    SR_TRY(st);
    const struct json_val *v = unwrap(json_root(l.doc));
    for (int k = 0; k < POCO_KINDS; k++) {
        if (!json_get(v, tell[k])) continue;
        st = poco_order_from_json((poco_kind)k, v, &l.order, err);
        TEXT_PUT(l.status, json_text(json_get(json_root(l.doc), "status")));
        (void)json_u64(json_get(json_root(l.doc), "remaining"), &l.remaining);
        if (st == SR_OK)
            *ret = l;
        else
            loaded_done(&l);
        return st;
    }
    loaded_done(&l);
    sr_hint(err, "app orders have an appprice, data orders a datasetprice, workerpool orders a "
                 "workerpoolprice, requests an appmaxprice");
    return sr_fail(err, SR_E_MALFORMED, "that JSON is no order of the four kinds");
}

static sr_status by_hash(struct sr_client *c, const struct hash *h, struct loaded *ret,
                         struct sr_err *err) {
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    for (int k = 0; k < POCO_KINDS; k++) {
        cleanup_buf struct buf url;
        struct sr_err why = {0};
        struct loaded l = {.from_market = true};
        buf_init(&url, SDK_URL_MAX * 2);
        buf_printf(&url, "%s/%sorders/%s?chainId=%llu", c->net.market, poco_kind_word[k],
                   hash_text(h).s, (unsigned long long)c->net.chain_id);
        SR_TRY(buf_status(&url, err));
        sr_status st = market_get(c, buf_cstr(&url), &l.doc, &why);
        if (st == SR_E_NOTFOUND) continue;
        if (st == SR_OK) {
            const struct json_val *v = json_root(l.doc);
            st = poco_order_from_json((poco_kind)k, json_get(v, "order"), &l.order, &why);
            TEXT_PUT(l.status, json_text(json_get(v, "status")));
            (void)json_u64(json_get(v, "remaining"), &l.remaining);
            l.hash = *h;
        }
        if (st == SR_OK) {
            *ret = l;
        } else {
            loaded_done(&l);
            if (err && err->code == SR_OK) *err = why;
        }
        return st;
    }
    sr_hint(err, "an order that is not published can be given as JSON: a file, or - for standard "
                 "input");
    return sr_fail(err, SR_E_NOTFOUND, "the market has no order %s", hash_text(h).s);
}

/* The market's word about an order that came as text; silence is an answer too. */
static void ask_market(struct sr_client *c, struct loaded *l) {
    struct loaded there = {0};
    struct sr_err none = {0};
    if (!c->net.market || by_hash(c, &l->hash, &there, &none) != SR_OK) return;
    memcpy(l->status, there.status, sizeof l->status);
    l->remaining = there.remaining;
    loaded_done(&there);
}

sr_status order_find(struct sr_client *c, const char *hash_or_json, struct loaded *ret,
                     struct sr_err *err) {
    struct hash h;
    struct slice text = slice_trim(slice_str(hash_or_json));
    SR_TRY(sdk_chain(c, err));
    if (hash_parse(text, &h)) return by_hash(c, &h, ret, err);
    struct loaded l = {0};
    SR_TRY(order_from_text(text, &l, err));
    l.hash = poco_order_hash(&c->poco.domain, &l.order);
    *ret = l;
    return SR_OK;
}

/* ---- explain ------------------------------------------------------------------------------------
 */

static sr_status party_of(struct sr_client *c, poco_kind kind, bool is_account,
                          const struct addr *a, order_party *ret, struct sr_err *err) {
    bool registered = false;
    struct addr owner;
    if (addr_is_zero(a)) {
        *ret = PARTY_ANY;
        return SR_OK;
    }
    if (!is_account)
        SR_TRY(poco_owner(&c->poco, kind, a, (struct eth_at){0}, &registered, &owner, err));
    cleanup_buf struct buf code;
    buf_init(&code, 1u << 20);
    SR_TRY(eth_code(c->rpc, a, (struct eth_at){0}, &code, err));
    *ret = registered                  ? PARTY_ONE
           : code.n > 0                ? PARTY_GROUP
           : is_account && code.n == 0 ? PARTY_ONE
                                       : PARTY_NOTHING;
    return SR_OK;
}

static sr_status find_parties(struct sr_client *c, const struct poco_order *o,
                              struct order_facts *f, struct sr_err *err) {
    static const struct {
        const char *field;
        poco_kind kind;
        bool account;
        size_t at;
    } rows[] = {
        {"apprestrict", POCO_APP, false, offsetof(struct order_facts, app)},
        {"datasetrestrict", POCO_DATASET, false, offsetof(struct order_facts, data)},
        {"workerpoolrestrict", POCO_WORKERPOOL, false, offsetof(struct order_facts, pool)},
        {"requesterrestrict", POCO_APP, true, offsetof(struct order_facts, requester)},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(rows); i++) {
        const struct poco_field *field = poco_field_named(o->kind, rows[i].field);
        order_party *ret = (order_party *)(void *)((char *)f + rows[i].at);
        if (field)
            SR_TRY(party_of(c, rows[i].kind, rows[i].account, poco_field_addr(o, field), ret, err));
    }
    if (o->kind == POCO_REQUEST) {
        SR_TRY(party_of(c, POCO_WORKERPOOL, false, &o->request.workerpool, &f->pool, err));
        SR_TRY(party_of(c, POCO_DATASET, false, &o->request.dataset, &f->data, err));
    }
    return SR_OK;
}

static sr_status find_facts(struct sr_client *c, struct loaded *l, struct order_facts *f,
                            struct sr_err *err) {
    struct poco_order *o = &l->order;
    struct addr owner;
    f->known = true;
    SR_TRY(poco_owner(&c->poco, o->kind == POCO_REQUEST ? POCO_APP : o->kind,
                      poco_order_resource(o), (struct eth_at){0}, &f->registered, &owner, err));
    if (o->kind == POCO_REQUEST) owner = o->request.requester;
    if (f->registered || o->kind == POCO_REQUEST) {
        bool ok;
        SR_TRY(poco_verify(&c->poco, o, &owner, (struct eth_at){0}, &ok, err));
        f->signature = ok ? SIGNED_OK : o->sign.n == 0 ? SIGNED_NOT : SIGNED_WRONG;
    } else {
        f->signature = o->sign.n == 0 ? SIGNED_NOT : SIGNED_UNKNOWN;
    }
    SR_TRY(poco_view_consumed(&c->poco, &l->hash, (struct eth_at){0}, &f->consumed, err));
    if (!l->from_market) ask_market(c, l);
    f->cancelled = strcmp(l->status, "canceled") == 0;
    return find_parties(c, o, f, err);
}

struct explain_args {
    struct sr_client *c;
    const char *order;
    struct sr_explained *ret;
};

static sr_status explain(void *arg, struct sr_err *err) {
    struct explain_args *a = arg;
    cleanup_loaded struct loaded l = {0};
    struct order_facts f = {0};
    struct sr_err why = {0};
    struct hash h;
    sr_status st = sdk_chain(a->c, &why);
    if (st != SR_OK && !hash_parse(slice_trim(slice_str(a->order)), &h)) {
        SR_TRY(order_from_text(slice_str(a->order), &l, err)); /* offline: the text alone */
    } else if (st != SR_OK) {
        if (err && err->code == SR_OK) *err = why;
        return st;
    } else {
        SR_TRY(order_find(a->c, a->order, &l, err));
        SR_TRY(find_facts(a->c, &l, &f, err));
    }
    order_explain(&l, &f, a->ret);
    return SR_OK;
}

sr_status sr_order_explain(struct sr_client *c, const char *order, struct sr_explained *ret,
                           struct sr_err *err) {
    struct explain_args a = {c, order, ret};
    return sdk_call(c, explain, &a, err);
}

/* ---- show, cancel -------------------------------------------------------------------------------
 */

struct order_args {
    struct sr_client *c;
    const char *order;
    char *ret_tx;
    char *json;
};

static sr_status show(void *arg, struct sr_err *err) {
    struct order_args *a = arg;
    struct hash h;
    cleanup_loaded struct loaded l = {0};
    SR_TRY(sdk_hash_arg(a->order, "order", &h, err));
    SR_TRY(order_find(a->c, a->order, &l, err));
    a->json = slice_dup(json_raw(json_root(l.doc)));
    return a->json ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

sr_status sr_order_show(struct sr_client *c, const char *hash, char **ret_json,
                        struct sr_err *err) {
    struct order_args a = {.c = c, .order = hash};
    SR_TRY(sdk_call(c, show, &a, err));
    *ret_json = a.json;
    return SR_OK;
}

static sr_status cancel(void *arg, struct sr_err *err) {
    struct order_args *a = arg;
    struct sr_client *c = a->c;
    cleanup_loaded struct loaded l = {0};
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    struct u256 consumed;
    buf_init(&data, ORDER_TEXT_MAX);
    SR_TRY(order_find(c, a->order, &l, err));
    SR_TRY(poco_view_consumed(&c->poco, &l.hash, (struct eth_at){0}, &consumed, err));
    if (u256_cmp(consumed, *poco_order_volume(&l.order)) >= 0)
        return sr_fail(err, SR_E_CONFLICT, "the order is closed already: used up or cancelled");
    sdk_progress(c, "cancel", NULL, 0, 0, hash_text(&l.hash).s);
    SR_TRY(poco_enc_manage(&data, &l.order, POCO_OP_CLOSE, (struct slice){NULL, 0}, err));
    SR_TRY(sdk_send(c, &c->poco.hub, (struct u256){0}, buf_slice(&data), &r, err));
    hash_put(a->ret_tx, &r.tx);
    return SR_OK;
}

sr_status sr_order_cancel(struct sr_client *c, const char *order, char ret_tx[SR_HASH_TEXT],
                          struct sr_err *err) {
    struct order_args a = {.c = c, .order = order, .ret_tx = ret_tx};
    return sdk_call(c, cancel, &a, err);
}
