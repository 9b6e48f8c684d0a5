/* SPDX-License-Identifier: Apache-2.0 */
/* The order book as a client sees it. SPEC: services.md#2-market-api */
#include "sdk/order.h"
#include "sdk/sdk_int.h"
#include <stdlib.h>
#include <time.h>

#define BOOK_BYTES  (8u << 20)  /* of one page of orders */
#define INDEX_BYTES (16u << 20) /* of one answer of the index */

void book_done(struct book *b) {
    free(b->v);
    json_free(b->doc);
    *b = (struct book){0};
}

static void query(struct buf *url, const char *key, const char *value) {
    if (value) buf_printf(url, "&%s=%s", key, value);
}

static void strict(struct buf *url, const char *key, bool on) {
    buf_printf(url, "&is%sStrict=%s", key, on ? "true" : "false");
}

static void orders_url(struct sr_client *c, poco_kind kind, const struct book_filter *f,
                       struct buf *url) {
    buf_printf(url, "%s/%sorders?chainId=%llu&%s=%s", c->net.market, poco_kind_word[kind],
               (unsigned long long)c->net.chain_id, poco_kind_word[kind], f->resource);
    if (kind != POCO_APP) query(url, "app", f->app);
    if (kind != POCO_DATASET) query(url, "dataset", f->dataset);
    if (kind != POCO_WORKERPOOL) query(url, "workerpool", f->workerpool);
    query(url, "requester", f->requester);
    if (kind != POCO_APP) strict(url, "App", (f->strict || f->strict_app) && f->app);
    if (kind != POCO_DATASET) strict(url, "Dataset", f->strict && f->dataset);
    if (kind != POCO_WORKERPOOL) strict(url, "Workerpool", f->strict && f->workerpool);
    strict(url, "Requester", (f->strict || f->strict_requester) && f->requester);
    if (f->min_tag) query(url, "minTag", hash_text(f->min_tag).s);
    if (f->has_category) buf_printf(url, "&category=%llu", (unsigned long long)f->category);
    if (f->bulk) buf_str(url, "&bulkOnly=true");
    buf_printf(url, "&pageIndex=%llu&pageSize=%d", (unsigned long long)f->page, SDK_PAGE);
}

/* An answer's JSON, or a failure with the market's own words. */
static sr_status market_answer(struct sr_client *c, const struct http_answer *a,
                               struct json **ret_doc, struct sr_err *err) {
    struct json *doc = NULL;
    struct sr_err none = {0};
    sr_status parsed = json_parse(buf_slice(&a->body), &doc, &none);
    if (a->status == 200 && parsed == SR_OK) {
        *ret_doc = doc;
        return SR_OK;
    }
    struct slice said =
        doc ? json_text(json_get(json_root(doc), "error")) : (struct slice){NULL, 0};
    sr_status st = a->status == 200   ? SR_E_MALFORMED
                   : a->status >= 500 ? SR_E_UNAVAILABLE
                   : a->status == 404 ? SR_E_NOTFOUND
                                      : SR_E_REFUSED;
    if (a->status >= 500)
        sr_hint(err, "try again; strongroom status shows whether the market runs");
    (void)sr_fail(err, st, "the market at %s answered %d: %.*s", c->net.market, a->status,
                  (int)(said.n < 150 ? said.n : 150), said.n ? (const char *)said.p : "");
    json_free(doc);
    return st;
}

sr_status market_get(struct sr_client *c, const char *url, struct json **ret_doc,
                     struct sr_err *err) {
    cleanup_answer struct http_answer a = {0};
    struct http_call call = {.url = url, .max_body = BOOK_BYTES};
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    return market_answer(c, &a, ret_doc, err);
}

/* "2026-01-31T12:00:00.000Z"; 0 for what is no date. */
static uint64_t unix_s_of(struct slice text) {
    char whole[32];
    struct tm tm = {0};
    TEXT_PUT(whole, text);
    const char *end = strptime(whole, "%Y-%m-%dT%H:%M:%S", &tm);
    time_t t = end && (*end == '.' || *end == 'Z') ? timegm(&tm) : 0;
    return t > 0 ? (uint64_t)t : 0;
}

sr_status market_orders(struct sr_client *c, poco_kind kind, const struct book_filter *f,
                        struct book *ret, struct sr_err *err) {
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    cleanup_buf struct buf url;
    buf_init(&url, SDK_URL_MAX * 2);
    orders_url(c, kind, f, &url);
    SR_TRY(buf_status(&url, err));
    struct book b = {0};
    SR_TRY(market_get(c, buf_cstr(&url), &b.doc, err));
    const struct json_val *list = json_get(json_root(b.doc), "orders");
    b.v = sr_calloc_n(json_len(list) + 1, sizeof *b.v);
    sr_status st = b.v ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
    for (const struct json_val *v = json_first(list); v && st == SR_OK; v = json_next(v)) {
        struct book_entry *e = &b.v[b.n];
        st = poco_order_from_json(kind, json_get(v, "order"), &e->order, err);
        if (st != SR_OK) break;
        e->hash = poco_order_hash(&c->poco.domain, &e->order);
        if (!json_u64(json_get(v, "remaining"), &e->remaining)) e->remaining = 0;
        e->published_unix_s = unix_s_of(json_text(json_get(v, "publicationTimestamp")));
        b.n++;
    }
    if (st != SR_OK) {
        book_done(&b);
        return st;
    }
    *ret = b;
    return SR_OK;
}

sr_status market_index_ask(struct sr_client *c, struct slice body, struct json **ret_doc,
                           struct sr_err *err) {
    struct slice at =
        json_text(json_get(json_get(json_root(c->net.doc), "services"), "dataProtectorSubgraph"));
    if (at.n == 0) SR_TRY(sdk_service(c, NULL, "dataProtectorSubgraph", err));
    cleanup_free char *url = slice_dup(at);
    cleanup_answer struct http_answer a = {0};
    struct json *doc = NULL;
    if (!url) return sr_fail(err, SR_E_NOMEM, "out of memory");
    const char *headers[] = {"Content-Type: application/json", NULL};
    struct http_call call = {
        .method = "POST", .url = url, .headers = headers, .body = body, .max_body = INDEX_BYTES};
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    if (a.status != 200) return sr_fail(err, SR_E_UNAVAILABLE, "the index answered %d", a.status);
    SR_TRY(json_parse(buf_slice(&a.body), &doc, err));
    struct slice said =
        json_text(json_get(json_first(json_get(json_root(doc), "errors")), "message"));
    if (said.n == 0) {
        *ret_doc = doc;
        return SR_OK;
    }
    (void)sr_fail(err, SR_E_REFUSED, "the index says: %.*s", (int)(said.n < 150 ? said.n : 150),
                  (const char *)said.p);
    json_free(doc);
    return SR_E_REFUSED;
}

sr_status market_group_orders(struct sr_client *c, const struct addr *data, const struct addr *app,
                              const struct addr *pool, struct book *ret, struct sr_err *err) {
    struct addr_text text = addr_text(data);
    struct book_filter f = {
        .resource = text.s, .app = "any", .workerpool = "any", .requester = "any"};
    struct book all = {0};
    SR_TRY(market_orders(c, POCO_DATASET, &f, &all, err));
    size_t kept = 0;
    for (size_t i = 0; i < all.n; i++) {
        const struct poco_datasetorder *o = &all.v[i].order.dataset;
        const struct {
            const struct addr *to, *who;
        } each[] = {{&o->apprestrict, app},
                    {&o->workerpoolrestrict, pool},
                    {&o->requesterrestrict, &c->me}};
        bool ok = true;
        for (size_t k = 0; k < SR_ARRAY_LEN(each) && ok; k++) {
            sr_status st =
                poco_allowed(&c->poco, each[k].to, each[k].who, (struct eth_at){0}, &ok, err);
            if (st == SR_OK) continue;
            book_done(&all);
            return st;
        }
        if (ok) all.v[kept++] = all.v[i];
    }
    all.n = kept;
    if (kept == 0) {
        book_done(&all);
        return SR_OK;
    }
    book_done(ret);
    *ret = all;
    return SR_OK;
}

/* "authorization: <hash>_<signature>_<address>" over a fresh challenge. */
static sr_status authorise(struct sr_client *c, struct buf *header, struct sr_err *err) {
    cleanup_buf struct buf url;
    cleanup_json struct json *doc = NULL;
    struct addr_text me = addr_checksum(&c->me);
    struct hash digest;
    struct sr_signature sig;
    buf_init(&url, SDK_URL_MAX * 2);
    buf_printf(&url, "%s/challenge?address=%s&chainId=%llu", c->net.market, me.s,
               (unsigned long long)c->net.chain_id);
    SR_TRY(buf_status(&url, err));
    SR_TRY(market_get(c, buf_cstr(&url), &doc, err));
    SR_TRY(eip712_json(json_get(json_root(doc), "data"), &digest, err));
    SR_TRY(secp_sign(&c->key, &digest, &sig, err));
    buf_printf(header, "authorization: %s_0x", hash_text(&digest).s);
    buf_hex(header, slice_of(sig.b, sizeof sig.b));
    buf_printf(header, "_%s", me.s);
    return buf_status(header, err);
}

/* POST or PUT of body to the orders of a kind, as the acting wallet. */
static sr_status send_as_me(struct sr_client *c, const char *method, poco_kind kind,
                            struct slice body, struct json **ret_doc, struct sr_err *err) {
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    cleanup_buf struct buf url, header;
    buf_init(&url, SDK_URL_MAX * 2);
    buf_init(&header, 1024);
    SR_TRY(authorise(c, &header, err));
    buf_printf(&url, "%s/%sorders?chainId=%llu", c->net.market, poco_kind_word[kind],
               (unsigned long long)c->net.chain_id);
    SR_TRY(buf_status(&url, err));
    const char *headers[] = {"Content-Type: application/json", buf_cstr(&header), NULL};
    cleanup_answer struct http_answer a = {0};
    struct http_call call = {
        .method = method, .url = buf_cstr(&url), .headers = headers, .body = body};
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    return market_answer(c, &a, ret_doc, err);
}

sr_status market_post(struct sr_client *c, const struct poco_order *order, struct sr_err *err) {
    cleanup_buf struct buf body;
    cleanup_json struct json *doc = NULL;
    buf_init(&body, ORDER_TEXT_MAX);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_key(&w, "order");
    poco_order_json(&w, order, false, true);
    jw_end_obj(&w);
    SR_TRY(buf_status(&body, err));
    return send_as_me(c, "POST", order->kind, buf_slice(&body), &doc, err);
}

sr_status market_withdraw(struct sr_client *c, poco_kind kind, const struct hash *hash,
                          const struct addr *resource, bool all, struct json **ret_doc,
                          struct sr_err *err) {
    cleanup_buf struct buf body;
    buf_init(&body, 1024);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_kcstr(&w, "target", hash ? "unpublish_orderHash" : all ? "unpublish_all" : "unpublish_last");
    if (hash)
        jw_khash(&w, "orderHash", hash);
    else
        jw_kaddr(&w, kind == POCO_REQUEST ? "requester" : poco_kind_word[kind], resource);
    jw_end_obj(&w);
    SR_TRY(buf_status(&body, err));
    SR_TRY(sdk_unlock(c, err));
    return send_as_me(c, "PUT", kind, buf_slice(&body), ret_doc, err);
}

sr_status market_publish(struct sr_client *c, struct poco_order *order, struct hash *ret_hash,
                         struct sr_err *err) {
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(poco_salt(order, err));
    SR_TRY(poco_order_sign(order, &c->poco.domain, &c->key, err));
    SR_TRY(market_post(c, order, err));
    *ret_hash = poco_order_hash(&c->poco.domain, order);
    return SR_OK;
}

bool market_was_revoked(struct sr_client *c, const struct addr *data, const struct addr *app,
                        const struct addr *requester, struct hash *ret_order) {
    cleanup_buf struct buf url;
    cleanup_json struct json *deals = NULL, *order = NULL;
    struct sr_err none = {0};
    struct hash h;
    buf_init(&url, SDK_URL_MAX * 2);
    buf_printf(&url, "%s/deals?chainId=%llu&dataset=%s&app=%s&requester=%s&pageSize=10",
               c->net.market, (unsigned long long)c->net.chain_id, addr_text(data).s,
               addr_text(app).s, addr_text(requester).s);
    if (market_get(c, buf_cstr(&url), &deals, &none) != SR_OK) return false;
    const struct json_val *v = json_first(json_get(json_root(deals), "deals"));
    if (!json_hash(json_get(v, "datasetHash"), &h)) return false;
    buf_clear(&url);
    buf_printf(&url, "%s/datasetorders/%s?chainId=%llu", c->net.market, hash_text(&h).s,
               (unsigned long long)c->net.chain_id);
    if (market_get(c, buf_cstr(&url), &order, &none) != SR_OK) return false;
    *ret_order = h;
    return slice_is(json_text(json_get(json_root(order), "status")), "canceled");
}
