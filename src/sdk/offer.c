/* SPDX-License-Identifier: Apache-2.0 */
/* Orders made here: signed, published, withdrawn, matched; and the book.
 * SPEC: services.md#24-order-lists */
#include "sdk/order.h"
#include <stdlib.h>

#define BOOK_DEFAULT 100

/* ---- sign ---------------------------------------------------------------------------------------
 */

struct sign_args {
    struct sr_client *c;
    const struct sr_offer *offer;
    const char *template_json;
    bool publish;
    struct hash hash;
    char *json;
};

static sr_status set_addr(struct poco_order *o, const char *field, const char *text,
                          sr_status (*read)(struct sr_client *, const char *, struct addr *,
                                            struct sr_err *),
                          struct sr_client *c, struct sr_err *err) {
    const struct poco_field *f = poco_field_named(o->kind, field);
    struct addr a = {0};
    if (!text) return SR_OK;
    if (!f) {
        sr_hint(err, "strongroom order sign --help lists what each kind takes");
        return sr_fail(err, SR_E_USAGE, "%s orders have no %s", poco_kind_word[o->kind], field);
    }
    if (strcmp(text, "any") != 0) SR_TRY(read(c, text, &a, err));
    memcpy((char *)o + f->offset, a.b, sizeof a.b);
    return SR_OK;
}

static sr_status set_uint(struct poco_order *o, const char *field, struct u256 v) {
    const struct poco_field *f = poco_field_named(o->kind, field);
    if (f) memcpy((char *)o + f->offset, &v, sizeof v);
    return SR_OK;
}

static sr_status any_addr(struct sr_client *c, const char *text, struct addr *ret,
                          struct sr_err *err) {
    (void)c;
    return sdk_addr_arg(text, "address", ret, err);
}

/* The fields that all three offers share under names of their own. */
static sr_status fill_offer(struct sr_client *c, const struct sr_offer *f, struct poco_order *o,
                            struct sr_err *err) {
    static const char *const price[] = {"appprice", "datasetprice", "workerpoolprice",
                                        "appmaxprice"};
    struct u256 v;
    if (f->resource)
        SR_TRY(set_addr(o, o->kind == POCO_REQUEST ? "app" : poco_kind_word[o->kind], f->resource,
                        o->kind == POCO_APP || o->kind == POCO_REQUEST ? sdk_app_addr : any_addr, c,
                        err));
    if (f->price_nrlc) {
        SR_TRY(sdk_price(f->price_nrlc, "price", &v, err));
        SR_TRY(set_uint(o, price[o->kind], v));
    }
    if (f->count > SR_UNLIMITED) return sr_fail(err, SR_E_USAGE, "the count is too large");
    if (f->count > 0 || u256_is_zero(*poco_order_volume(o)))
        SR_TRY(set_uint(o, "volume", u256_of(f->count ? f->count : 1)));
    if (f->category) SR_TRY(set_uint(o, "category", u256_of(f->category)));
    if (f->trust) SR_TRY(set_uint(o, "trust", u256_of(f->trust)));
    if (o->kind == POCO_REQUEST) {
        SR_TRY(set_addr(o, "dataset", f->data, any_addr, c, err));
        SR_TRY(set_addr(o, "workerpool", f->workerpool, any_addr, c, err));
        SR_TRY(set_addr(o, "beneficiary", f->beneficiary, sdk_who, c, err));
        SR_TRY(set_addr(o, "callback", f->callback, any_addr, c, err));
        if (f->max_data_nrlc) {
            SR_TRY(sdk_price(f->max_data_nrlc, "max data price", &v, err));
            o->request.datasetmaxprice = v;
        }
        if (f->max_pool_nrlc) {
            SR_TRY(sdk_price(f->max_pool_nrlc, "max pool price", &v, err));
            o->request.workerpoolmaxprice = v;
        }
        if (f->params) o->request.params = slice_str(f->params);
        return SR_OK;
    }
    SR_TRY(set_addr(o, "apprestrict", f->app, sdk_app_addr, c, err));
    SR_TRY(set_addr(o, "datasetrestrict", f->data, any_addr, c, err));
    SR_TRY(set_addr(o, "workerpoolrestrict", f->workerpool, any_addr, c, err));
    return set_addr(o, "requesterrestrict", f->requester, sdk_who, c, err);
}

static sr_status set_tag(struct poco_order *o, const char *text, bool has_template,
                         struct sr_err *err) {
    struct hash tag = tag_of(SDK_TAG_TEE_TDX);
    const struct poco_field *f = poco_field_named(o->kind, "tag");
    if (!text && has_template) return SR_OK;
    if (text && text[0] == 0) tag = (struct hash){0};
    if (text && text[0] != 0) SR_TRY(tag_parse(slice_str(text), &tag, err));
    if (!hash_is_zero(&tag)) SR_TRY(tag_check(&tag, false, err));
    memcpy((char *)o + f->offset, tag.b, sizeof tag.b);
    return SR_OK;
}

/* Whoever signs must own it: said before the signature, not by the market after it. */
static sr_status own(struct sr_client *c, const struct poco_order *o, struct sr_err *err) {
    bool registered;
    struct addr owner;
    if (o->kind == POCO_REQUEST) return SR_OK;
    SR_TRY(poco_owner(&c->poco, o->kind, poco_order_resource(o), (struct eth_at){0}, &registered,
                      &owner, err));
    if (!registered) {
        sr_hint(err, "compare the address");
        return sr_fail(err, SR_E_NOTFOUND, "there is no %s at %s", poco_kind_word[o->kind],
                       addr_text(poco_order_resource(o)).s);
    }
    if (addr_eq(&owner, &c->me)) return SR_OK;
    sr_hint(err, "act as the owner with --as");
    return sr_fail(err, SR_E_REFUSED, "%s belongs to %s, not to %s",
                   addr_text(poco_order_resource(o)).s, addr_text(&owner).s, addr_text(&c->me).s);
}

static sr_status write_json(const struct poco_order *o, char **ret, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, ORDER_TEXT_MAX);
    struct jw w = jw_of(&b);
    poco_order_json(&w, o, false, true);
    SR_TRY(buf_status(&b, err));
    *ret = slice_dup(buf_slice(&b));
    return *ret ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

static sr_status sign(void *arg, struct sr_err *err) {
    struct sign_args *a = arg;
    struct sr_client *c = a->c;
    cleanup_loaded struct loaded l = {0};
    struct poco_order *o = &l.order;
    SR_TRY(sdk_chain(c, err));
    if (a->template_json) SR_TRY(order_from_text(slice_str(a->template_json), &l, err));
    if (a->offer && a->offer->kind) {
        poco_kind kind;
        SR_TRY(order_kind(a->offer->kind, &kind, err));
        if (a->template_json && kind != o->kind)
            return sr_fail(err, SR_E_USAGE, "the template is a %s order", poco_kind_word[o->kind]);
        o->kind = kind;
    }
    SR_TRY(sdk_unlock(c, err));
    if (o->kind == POCO_REQUEST && addr_is_zero(&o->request.requester)) {
        o->request.requester = c->me;
        o->request.beneficiary = c->me;
    }
    if (a->offer) SR_TRY(fill_offer(c, a->offer, o, err));
    SR_TRY(set_tag(o, a->offer ? a->offer->tag : NULL, a->template_json != NULL, err));
    if (o->kind == POCO_REQUEST && !addr_eq(&o->request.requester, &c->me))
        return sr_fail(err, SR_E_REFUSED, "the request is by %s, not by %s",
                       addr_text(&o->request.requester).s, addr_text(&c->me).s);
    SR_TRY(own(c, o, err));
    SR_TRY(poco_salt(o, err));
    SR_TRY(poco_order_sign(o, &c->poco.domain, &c->key, err));
    a->hash = poco_order_hash(&c->poco.domain, o);
    if (a->publish) {
        sdk_progress(c, "publish", NULL, 0, 0, hash_text(&a->hash).s);
        SR_TRY(market_post(c, o, err));
    }
    return write_json(o, &a->json, err);
}

sr_status sr_order_sign(struct sr_client *c, const struct sr_offer *offer,
                        const char *template_json, bool publish, char ret_hash[SR_HASH_TEXT],
                        char **ret_json, struct sr_err *err) {
    if (!template_json && !(offer && offer->kind && offer->resource))
        return sr_fail(err, SR_E_USAGE, "an order has a kind and something to offer");
    struct sign_args a = {c, offer, template_json, publish, {{0}}, NULL};
    SR_TRY(sdk_call(c, sign, &a, err));
    hash_put(ret_hash, &a.hash);
    if (ret_json)
        *ret_json = a.json;
    else
        free(a.json);
    return SR_OK;
}

static sr_status publish(void *arg, struct sr_err *err) {
    struct sign_args *a = arg;
    cleanup_loaded struct loaded l = {0};
    SR_TRY(sdk_chain(a->c, err));
    SR_TRY(order_from_text(slice_str(a->template_json), &l, err));
    if (l.order.sign.n == 0) {
        sr_hint(err, "strongroom order sign signs one");
        return sr_fail(err, SR_E_REFUSED, "the order is not signed");
    }
    SR_TRY(sdk_unlock(a->c, err));
    a->hash = poco_order_hash(&a->c->poco.domain, &l.order);
    return market_post(a->c, &l.order, err);
}

sr_status sr_order_publish(struct sr_client *c, const char *order_json, char ret_hash[SR_HASH_TEXT],
                           struct sr_err *err) {
    struct sign_args a = {.c = c, .template_json = order_json};
    SR_TRY(sdk_call(c, publish, &a, err));
    hash_put(ret_hash, &a.hash);
    return SR_OK;
}

/* ---- unpublish ----------------------------------------------------------------------------------
 */

struct withdraw_args {
    struct sr_client *c;
    const char *kind, *order, *resource;
    bool all;
    char (*list)[SR_HASH_TEXT];
    size_t n;
};

static sr_status withdraw(void *arg, struct sr_err *err) {
    struct withdraw_args *a = arg;
    struct sr_client *c = a->c;
    cleanup_json struct json *doc = NULL;
    poco_kind kind;
    struct hash h;
    struct addr resource;
    SR_TRY(order_kind(a->kind, &kind, err));
    SR_TRY(sdk_chain(c, err));
    if (a->order) {
        SR_TRY(sdk_hash_arg(a->order, "order", &h, err));
    } else if (kind == POCO_REQUEST) {
        SR_TRY(sdk_me(c, &resource, err));
    } else {
        SR_TRY(kind == POCO_APP ? sdk_app_addr(c, a->resource, &resource, err)
                                : sdk_addr_arg(a->resource, "address", &resource, err));
    }
    SR_TRY(market_withdraw(c, kind, a->order ? &h : NULL, &resource, a->all, &doc, err));
    const struct json_val *list = json_get(json_root(doc), "unpublished");
    a->list = sr_calloc_n(json_len(list) + 1, sizeof *a->list);
    if (!a->list) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (const struct json_val *v = json_first(list); v; v = json_next(v))
        if (json_hash(v, &h)) hash_put(a->list[a->n++], &h);
    return SR_OK;
}

sr_status sr_order_unpublish(struct sr_client *c, const char *kind, const char *order,
                             const char *resource, bool all, char (**ret_hashes)[SR_HASH_TEXT],
                             size_t *ret_n, struct sr_err *err) {
    if (!order && !resource && strcmp(kind, "request") != 0)
        return sr_fail(err, SR_E_USAGE, "name an order or what it offers");
    struct withdraw_args a = {c, kind, order, resource, all, NULL, 0};
    SR_TRY(sdk_call(c, withdraw, &a, err));
    *ret_hashes = a.list;
    *ret_n = a.n;
    return SR_OK;
}

/* ---- fill ---------------------------------------------------------------------------------------
 */

struct fill_args {
    struct sr_client *c;
    const char *text[POCO_KINDS];
    struct sr_deal_ids *ret;
    uint64_t volume;
};

static sr_status load_four(struct fill_args *a, struct loaded four[POCO_KINDS],
                           struct sr_err *err) {
    for (int k = 0; k < POCO_KINDS; k++) {
        if (!a->text[k]) continue;
        SR_TRY(order_find(a->c, a->text[k], &four[k], err));
        if (four[k].order.kind != (poco_kind)k)
            return sr_fail(err, SR_E_USAGE, "a %s order is given for the %s order",
                           poco_kind_word[four[k].order.kind], poco_kind_word[k]);
    }
    return SR_OK;
}

static sr_status match_four(struct fill_args *a, const struct loaded four[POCO_KINDS],
                            struct sr_err *err) {
    struct sr_client *c = a->c;
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash deal, task;
    struct u256 volume, cost = four[POCO_APP].order.app.appprice;
    const struct poco_order *dataset = a->text[POCO_DATASET] ? &four[POCO_DATASET].order : NULL;
    const struct poco_order *app = &four[POCO_APP].order, *pool = &four[POCO_WORKERPOOL].order,
                            *request = &four[POCO_REQUEST].order;
    cleanup_deal struct poco_deal d = {0};
    buf_init(&data, TX_MAX_DATA);
    SR_TRY(sdk_unlock(c, err));
    sr_status st = poco_try_match(&c->poco, &c->me, app, dataset, pool, request, &deal, err);
    if (st == SR_E_REFUSED) sr_why(err, SR_F_ORDERS_DO_NOT_MATCH);
    SR_TRY(st);
    SR_TRY(poco_enc_match(&data, app, dataset, pool, request, err));
    sdk_progress(c, "deal", NULL, 0, 0, NULL);
    SR_TRY(sdk_send(c, &c->poco.hub, (struct u256){0}, buf_slice(&data), &r, err));
    SR_TRY(poco_receipt_deal(&c->poco, &r, &deal, &volume, err));
    SR_TRY(poco_view_deal(&c->poco, &deal, (struct eth_at){0}, &d, err));
    task = poco_task_id(&deal, d.bot_first);
    if (!u256_add(&cost, cost, dataset ? dataset->dataset.datasetprice : (struct u256){0}) ||
        !u256_add(&cost, cost, pool->workerpool.workerpoolprice))
        return sr_fail(err, SR_E_RANGE, "the price overflows");
    c->last_deal = deal;
    c->last_task = task;
    hash_put(a->ret->deal, &deal);
    hash_put(a->ret->task, &task);
    hash_put(a->ret->tx, &r.tx);
    u256_put(a->ret->cost_nrlc, cost);
    if (!u256_to_u64(volume, &a->volume)) a->volume = UINT64_MAX;
    return SR_OK;
}

static sr_status fill(void *arg, struct sr_err *err) {
    struct fill_args *a = arg;
    struct loaded four[POCO_KINDS] = {0};
    sr_status st = load_four(a, four, err);
    if (st == SR_OK) st = match_four(a, four, err);
    for (int k = 0; k < POCO_KINDS; k++) loaded_done(&four[k]);
    return st;
}

sr_status sr_order_fill(struct sr_client *c, const char *app, const char *data,
                        const char *workerpool, const char *request, struct sr_deal_ids *ret_ids,
                        uint64_t *ret_volume, struct sr_err *err) {
    if (!app || !workerpool || !request)
        return sr_fail(err, SR_E_USAGE, "a deal takes an app, a workerpool and a request order");
    struct fill_args a = {c, {app, data, workerpool, request}, ret_ids, 0};
    SR_TRY(sdk_call(c, fill, &a, err));
    *ret_volume = a.volume;
    return SR_OK;
}

/* ---- the book -----------------------------------------------------------------------------------
 */

struct book_args {
    struct sr_client *c;
    const struct sr_book_filter *f;
    struct sr_book_row *list;
    size_t n;
    uint64_t total;
};

static void query(struct buf *url, const char *key, const char *value, bool strict) {
    if (!value) return;
    buf_printf(url, "&%s=%s", key, value);
    if (strict) buf_printf(url, "&is%c%sStrict=true", key[0] - 'a' + 'A', key + 1);
}

static sr_status query_tag(struct buf *url, const char *key, const char *text, struct sr_err *err) {
    struct hash tag;
    if (!text) return SR_OK;
    SR_TRY(tag_parse(slice_str(text), &tag, err));
    buf_printf(url, "&%s=%s", key, hash_text(&tag).s);
    return SR_OK;
}

/* Addresses only, so that a value cannot carry a second parameter. */
static sr_status party(struct sr_client *c, const char *text, bool app, bool who, char room[43],
                       const char **ret, struct sr_err *err) {
    struct addr a;
    *ret = NULL;
    if (!text) return SR_OK;
    if (strcmp(text, "any") == 0) {
        *ret = "any";
        return SR_OK;
    }
    SR_TRY(app   ? sdk_app_addr(c, text, &a, err)
           : who ? sdk_who(c, text, &a, err)
                 : sdk_addr_arg(text, "address", &a, err));
    addr_put(room, &a);
    *ret = room;
    return SR_OK;
}

static sr_status book_url(struct book_args *a, poco_kind kind, size_t page, struct buf *url,
                          struct sr_err *err) {
    const struct sr_book_filter *f = a->f;
    char room[6][43];
    const char *resource, *owner, *app, *data, *pool, *requester;
    SR_TRY(party(a->c, f->resource, kind == POCO_APP || kind == POCO_REQUEST, false, room[0],
                 &resource, err));
    SR_TRY(party(a->c, f->owner, false, true, room[1], &owner, err));
    SR_TRY(party(a->c, f->app, true, false, room[2], &app, err));
    SR_TRY(party(a->c, f->data, false, false, room[3], &data, err));
    SR_TRY(party(a->c, f->workerpool, false, false, room[4], &pool, err));
    SR_TRY(party(a->c, f->requester, false, true, room[5], &requester, err));
    buf_printf(url, "%s/%sorders?chainId=%llu&pageSize=%d&pageIndex=%zu", a->c->net.market,
               poco_kind_word[kind], (unsigned long long)a->c->net.chain_id, SDK_PAGE, page);
    const char *own = kind == POCO_REQUEST ? "app" : poco_kind_word[kind];
    query(url, own, resource ? resource : owner && kind != POCO_REQUEST ? NULL : "any", false);
    if (owner && kind != POCO_REQUEST) {
        char key[32];
        (void)snprintf(key, sizeof key, "%sOwner", poco_kind_word[kind]);
        query(url, key, owner, false);
    }
    if (kind != POCO_APP && kind != POCO_REQUEST) query(url, "app", app, f->strict);
    if (kind != POCO_DATASET) query(url, "dataset", data, f->strict && kind != POCO_REQUEST);
    if (kind != POCO_WORKERPOOL) query(url, "workerpool", pool, f->strict);
    query(url, "requester", requester, f->strict && kind != POCO_REQUEST);
    SR_TRY(query_tag(url, "minTag", f->min_tag, err));
    SR_TRY(query_tag(url, "maxTag", f->max_tag, err));
    if (f->category && (kind == POCO_WORKERPOOL || kind == POCO_REQUEST)) {
        uint64_t n;
        if (!num_u64(slice_str(f->category), SR_UNLIMITED, &n))
            return sr_fail(err, SR_E_USAGE, "a category is a number");
        buf_printf(url, "&category=%llu", (unsigned long long)n);
    }
    if (f->min_volume) buf_printf(url, "&minVolume=%llu", (unsigned long long)f->min_volume);
    if (f->min_trust) buf_printf(url, "&minTrust=%llu", (unsigned long long)f->min_trust);
    return buf_status(url, err);
}

static void row_of(const struct json_val *item, const struct poco_order *o, struct sr_book_row *r) {
    struct addr a;
    cleanup_buf struct buf names;
    static const struct {
        const char *restricted, *wanted;
        size_t at;
    } parties[] = {{"apprestrict", NULL, offsetof(struct sr_book_row, app)},
                   {"datasetrestrict", "dataset", offsetof(struct sr_book_row, data)},
                   {"workerpoolrestrict", "workerpool", offsetof(struct sr_book_row, workerpool)},
                   {"requesterrestrict", "requester", offsetof(struct sr_book_row, requester)}};
    TEXT_PUT(r->hash, json_text(json_get(item, "orderHash")));
    if (json_addr(json_get(item, "signer"), &a)) addr_put(r->signer, &a);
    addr_put(r->resource, poco_order_resource(o));
    u256_put(r->price_nrlc, *poco_order_price(o));
    (void)json_u64(json_get(item, "remaining"), &r->remaining);
    for (size_t i = 0; i < SR_ARRAY_LEN(parties); i++) {
        const struct poco_field *f = poco_field_named(o->kind, parties[i].restricted);
        if (!f && parties[i].wanted && o->kind == POCO_REQUEST)
            f = poco_field_named(o->kind, parties[i].wanted);
        if (f && !addr_is_zero(poco_field_addr(o, f)))
            addr_put((char *)r + parties[i].at, poco_field_addr(o, f));
    }
    buf_init(&names, 256);
    bool named = tag_names(poco_order_tag(o), &names, NULL) == SR_OK;
    TEXT_PUT(r->tag, named ? buf_slice(&names) : slice_str(hash_text(poco_order_tag(o)).s));
    if (o->kind != POCO_WORKERPOOL && o->kind != POCO_REQUEST) return;
    if (!u256_to_u64(*poco_field_uint(o, poco_field_named(o->kind, "category")), &r->category))
        r->category = UINT64_MAX;
    if (!u256_to_u64(*poco_field_uint(o, poco_field_named(o->kind, "trust")), &r->trust))
        r->trust = UINT64_MAX;
}

static sr_status read_page(struct book_args *a, poco_kind kind, const struct json_val *list,
                           size_t max, struct sr_err *err) {
    for (const struct json_val *v = json_first(list); v && a->n < max; v = json_next(v)) {
        struct poco_order o;
        SR_TRY(poco_order_from_json(kind, json_get(v, "order"), &o, err));
        row_of(v, &o, &a->list[a->n++]);
    }
    return SR_OK;
}

static sr_status book(void *arg, struct sr_err *err) {
    struct book_args *a = arg;
    poco_kind kind;
    size_t max = a->f->max ? a->f->max : BOOK_DEFAULT;
    SR_TRY(order_kind(a->f->kind, &kind, err));
    if (max > 10 * SDK_PAGE) return sr_fail(err, SR_E_USAGE, "at most %d orders", 10 * SDK_PAGE);
    SR_TRY(sdk_network(a->c, err));
    SR_TRY(sdk_service(a->c, a->c->net.market, "market", err));
    a->list = sr_calloc_n(max + 1, sizeof *a->list);
    if (!a->list) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t page = 0; a->n < max; page++) {
        cleanup_buf struct buf url;
        cleanup_json struct json *doc = NULL;
        buf_init(&url, SDK_URL_MAX * 2);
        SR_TRY(book_url(a, kind, page, &url, err));
        SR_TRY(market_get(a->c, buf_cstr(&url), &doc, err));
        const struct json_val *list = json_get(json_root(doc), "orders");
        (void)json_u64(json_get(json_root(doc), "count"), &a->total);
        SR_TRY(read_page(a, kind, list, max, err));
        if (json_len(list) < SDK_PAGE) break;
    }
    return SR_OK;
}

sr_status sr_order_book(struct sr_client *c, const struct sr_book_filter *f,
                        struct sr_book_row **ret_list, size_t *ret_n, uint64_t *ret_total,
                        struct sr_err *err) {
    struct book_args a = {.c = c, .f = f};
    sr_status st = sdk_call(c, book, &a, err);
    if (st != SR_OK) {
        free(a.list);
        return st;
    }
    *ret_list = a.list;
    *ret_n = a.n;
    *ret_total = a.total;
    return SR_OK;
}
