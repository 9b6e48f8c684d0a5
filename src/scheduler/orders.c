/* SPDX-License-Identifier: Apache-2.0 */
/*
 * orders.c - keeps a free workerpool order at the market
 *
 * One order is current: kept in the database, so that a restart publishes the same one. When the
 * chain tells that it is nearly used up, or the market has dropped it, another takes its place.
 * SPEC: services.md#26-publishing-checks-in-order, services.md#28-challenge
 */
#include "scheduler/sched_int.h"
#include <stdio.h>
#include <stdlib.h>

#define ORDER_VOLUME    1000000u
#define ORDER_LOW       (ORDER_VOLUME / 10) /* then a new one is made */
#define ORDER_CATEGORY  0u
#define ORDER_RETRY_MIN 250
#define ORDER_RETRY_MAX 10000
#define ORDER_JSON_MAX  8192
#define URL_ROOM        800

struct current {
    bool there;
    struct hash hash;
    uint64_t volume;
    struct buf json; /* {"order":…} as it is posted */
};

static sr_status current_load(struct sched *s, struct current *c, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    buf_init(&c->json, ORDER_JSON_MAX);
    SR_TRY(db_select(s->db,
                     "SELECT hash, json, volume FROM pool_order ORDER BY made_ms DESC LIMIT 1",
                     DB_NO_ARGS, &r, err));
    if (db_next(r)) {
        c->there = true;
        c->hash = db_col_hash(r, 0);
        buf_add(&c->json, db_col_bytes(r, 1));
        c->volume = db_col_u64(r, 2);
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    return buf_status(&c->json, err);
}

sr_status orders_load(struct sched *s, struct sr_err *err) {
    struct current c = {0};
    sr_status st = current_load(s, &c, err);
    if (c.there) s->order_hash = c.hash;
    buf_done(&c.json);
    return st;
}

/* Makes, signs and stores a new order. */
static sr_status make(struct sched *s, struct current *c, struct sr_err *err) {
    struct poco_order *o = sr_calloc_n(1, sizeof *o);
    if (!o) return sr_fail(err, SR_E_NOMEM, "no memory for an order");
    o->kind = POCO_WORKERPOOL;
    o->workerpool.workerpool = s->cfg.workerpool;
    o->workerpool.volume = u256_of(ORDER_VOLUME);
    o->workerpool.tag = tag_of(POCO_TAG_TEE | POCO_TAG_TDX);
    o->workerpool.category = u256_of(ORDER_CATEGORY);
    o->workerpool.trust = u256_of(1);
    cleanup_buf struct buf plain;
    buf_init(&plain, ORDER_JSON_MAX);
    struct sr_signature sig;
    sr_status st = poco_salt(o, err);
    if (st == SR_OK) {
        struct jw w = jw_of(&plain);
        poco_order_json(&w, o, false, false);
        st = buf_status(&plain, err);
    }
    if (st == SR_OK) st = vault_sign_order(s->vault, buf_slice(&plain), &sig, err);
    if (st == SR_OK) {
        poco_sign_set(&o->sign, &sig);
        buf_clear(&c->json);
        struct jw w = jw_of(&c->json);
        jw_obj(&w);
        jw_key(&w, "order");
        poco_order_json(&w, o, false, true);
        jw_end_obj(&w);
        c->hash = poco_order_hash(&s->poco.domain, o);
        c->volume = ORDER_VOLUME;
        st = buf_status(&c->json, err);
    }
    if (st == SR_OK)
        st = db_run(s->db,
                    "INSERT INTO pool_order (hash, json, volume, made_ms) VALUES ($1, $2, $3, $4)",
                    DB_ARGS(db_hash(&c->hash), db_text(buf_slice(&c->json)), db_u64(c->volume),
                            db_u64(now_ms())),
                    err);
    free(o);
    if (st == SR_OK) {
        c->there = true;
        s->order_hash = c->hash;
        log_info("order_made", "hash=%s volume=%u", hash_text(&c->hash).s, ORDER_VOLUME);
    }
    return st;
}

/* Is the order open at the market? *ret_over: the market says it is used up or cancelled. */
static sr_status look(struct sched *s, const struct hash *hash, bool *ret_open, bool *ret_over,
                      struct sr_err *err) {
    char url[URL_ROOM];
    cleanup_json struct json *doc = NULL;
    struct sr_err why = {0};
    (void)snprintf(url, sizeof url, "%s/workerpoolorders/%s?chainId=%llu", s->cfg.market,
                   hash_text(hash).s, (unsigned long long)s->cfg.chain_id);
    sr_status st = http_json("GET", url, slice_of(NULL, 0), &doc, &why);
    *ret_open = *ret_over = false;
    if (st == SR_E_NOTFOUND) return SR_OK;
    if (st != SR_OK) return sr_fail(err, st, "market: %s", why.what);
    struct slice status = {NULL, 0};
    (void)json_str(json_get(json_root(doc), "status"), &status);
    *ret_open = slice_is(status, "open");
    *ret_over = slice_is(status, "filled") || slice_is(status, "canceled");
    return SR_OK;
}

/* "authorization: hash_signature_address" over the market's challenge. */
static sr_status authorise(struct sched *s, struct buf *header, struct sr_err *err) {
    char url[URL_ROOM];
    cleanup_json struct json *doc = NULL;
    struct slice name, version, text;
    struct sr_signature sig;
    struct addr_text me = addr_checksum(&s->owner);
    (void)snprintf(url, sizeof url, "%s/challenge?chainId=%llu&address=%s", s->cfg.market,
                   (unsigned long long)s->cfg.chain_id, me.s);
    SR_TRY(http_json("GET", url, slice_of(NULL, 0), &doc, err));
    const struct json_val *data = json_get(json_root(doc), "data");
    const struct json_val *domain = json_get(data, "domain");
    if (!json_str(json_get(domain, "name"), &name) ||
        !json_str(json_get(domain, "version"), &version) ||
        !json_str(json_get(json_get(data, "message"), "challenge"), &text))
        return sr_fail(err, SR_E_MALFORMED, "the market's challenge is none");
    struct hash digest;
    SR_TRY(eip712_json(data, &digest, err));
    SR_TRY(vault_sign_market(s->vault, name, version, text, &sig, err));
    struct addr who;
    if (secp_recover(&digest, slice_of(sig.b, sizeof sig.b), &who, NULL) != SR_OK ||
        !addr_eq(&who, &s->owner))
        return sr_fail(err, SR_E_CRYPTO, "the market's challenge is not of this chain");
    buf_printf(header, "authorization: %s_0x", hash_text(&digest).s);
    buf_hex(header, slice_of(sig.b, sizeof sig.b));
    buf_printf(header, "_%s", me.s);
    return buf_status(header, err);
}

static sr_status publish(struct sched *s, const struct current *c, struct sr_err *err) {
    char url[URL_ROOM];
    cleanup_buf struct buf header;
    buf_init(&header, 512);
    SR_TRY(authorise(s, &header, err));
    (void)snprintf(url, sizeof url, "%s/workerpoolorders?chainId=%llu", s->cfg.market,
                   (unsigned long long)s->cfg.chain_id);
    const char *headers[] = {"Content-Type: application/json", buf_cstr(&header), NULL};
    struct http_call call = {
        .method = "POST", .url = url, .headers = headers, .body = buf_slice(&c->json)};
    cleanup_answer struct http_answer a = {0};
    SR_TRY(http_fetch(&call, &a, err));
    if (a.status >= 200 && a.status < 300) {
        log_info("order_published", "hash=%s", hash_text(&c->hash).s);
        return SR_OK;
    }
    cleanup_json struct json *doc = NULL;
    struct slice what = {NULL, 0};
    if (json_parse(buf_slice(&a.body), &doc, NULL) == SR_OK &&
        !json_str(json_get(json_root(doc), "error"), &what))
        (void)json_str(json_get(json_root(doc), "message"), &what);
    if (slice_is(what, "order already published")) return SR_OK;
    if (what.n > 150) what.n = 150;
    return sr_fail(err, SR_E_REFUSED, "market answered %d: %.*s", a.status, (int)what.n,
                   what.n ? (const char *)what.p : "");
}

/* One look at everything. *ret_low: little is left of the order. */
static sr_status round_of(struct sched *s, struct current *c, struct sr_err *err) {
    SR_TRY(current_load(s, c, err));
    if (c->there) {
        struct u256 used;
        uint64_t n;
        SR_TRY(poco_view_consumed(&s->poco, &c->hash, (struct eth_at){0}, &used, err));
        if (!u256_to_u64(used, &n) || n > c->volume || c->volume - n < ORDER_LOW) c->there = false;
    }
    if (!c->there) SR_TRY(make(s, c, err));
    bool open = false, over = false;
    SR_TRY(look(s, &c->hash, &open, &over, err));
    if (over) {
        SR_TRY(make(s, c, err));
    } else if (open) {
        return SR_OK;
    }
    return publish(s, c, err);
}

void orders_fiber(void *sched) {
    struct sched *s = sched;
    uint64_t retry = ORDER_RETRY_MIN;
    for (;;) {
        struct current c = {0};
        struct sr_err e = {0};
        s->want_orders = false;
        sr_status st = round_of(s, &c, &e);
        buf_done(&c.json);
        if (st == SR_E_CANCELLED) return;
        s->order_published = st == SR_OK;
        (void)snprintf(s->order_state, sizeof s->order_state, "%.150s",
                       st == SR_OK ? "published" : e.what);
        if (st == SR_OK) {
            fcond_wake(&s->first_order);
            retry = ORDER_RETRY_MIN;
            if (s->want_orders) continue;
            st = fcond_wait(&s->orders, s->times.order_check, NULL);
            if (st == SR_E_CANCELLED) return;
        } else {
            if (retry > ORDER_RETRY_MIN * 4) log_err(LOG_WARN, "order_later", &e);
            if (fiber_sleep(retry, NULL) != SR_OK) return;
            retry = retry * 2 < ORDER_RETRY_MAX ? retry * 2 : ORDER_RETRY_MAX;
        }
    }
}
