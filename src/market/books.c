/* SPDX-License-Identifier: Apache-2.0 */
/* books.c - lists of open orders, single orders  SPEC: services.md#24-order-lists */
#include "eth/tx.h"
#include "market/market_int.h"

/* ---- filters */

static sr_status restriction(struct http_req *rq, struct filter *f, const char *p,
                             const char *strict, unsigned column, struct sr_err *err) {
    static const struct addr none = {{0}};
    q_state st;
    struct addr a;
    bool is_strict;
    SR_TRY(q_addr(rq, p, true, &st, &a, err));
    SR_TRY(q_bool(rq, strict, &is_strict, err));
    if (st == Q_ANY) return SR_OK;
    bool open_too = st == Q_GIVEN && !is_strict && !addr_is_zero(&a);
    filter_addr(f, column, open_too ? IS_OR_NONE : IS, st == Q_GIVEN ? &a : &none);
    return SR_OK;
}

static sr_status exact(struct http_req *rq, struct filter *f, const char *p, bool any_ok,
                       unsigned column, bool *ret_given, struct sr_err *err) {
    q_state st;
    struct addr a;
    SR_TRY(q_addr(rq, p, any_ok, &st, &a, err));
    if (st == Q_GIVEN) filter_addr(f, column, IS, &a);
    if (ret_given) *ret_given = st != Q_ABSENT;
    return SR_OK;
}

static sr_status tags(struct http_req *rq, struct filter *f, struct sr_err *err) {
    const int64_t all = ((int64_t)1 << TAG_BITS) - 1;
    struct hash t;
    bool given;
    SR_TRY(q_hash(rq, "minTag", &given, &t, err));
    for (unsigned i = 0; given && i < TAG_WORDS; i++)
        if (tag_word(&t, i)) filter_i64(f, COL_TAG + i, HAS_BITS, tag_word(&t, i));
    SR_TRY(q_hash(rq, "maxTag", &given, &t, err));
    for (unsigned i = 0; given && i < TAG_WORDS; i++)
        if (tag_word(&t, i) != all) filter_i64(f, COL_TAG + i, LACKS_BITS, tag_word(&t, i) ^ all);
    return SR_OK;
}

/* A number, when it is given. */
static sr_status number(struct http_req *rq, struct filter *f, const char *p, uint64_t min,
                        unsigned column, filter_op op, struct sr_err *err) {
    bool given;
    uint64_t v;
    SR_TRY(q_int(rq, p, min, &given, &v, err));
    if (given) filter_i64(f, column, op, (int64_t)v);
    return SR_OK;
}

static sr_status filter_app(struct http_req *rq, struct filter *f, struct sr_err *err) {
    bool res, own;
    SR_TRY(exact(rq, f, "app", true, COL_RESOURCE, &res, err));
    SR_TRY(exact(rq, f, "appOwner", false, COL_SIGNER, &own, err));
    if (!res && !own) return sr_fail(err, SR_E_MALFORMED, "app or appOwner is required");
    SR_TRY(restriction(rq, f, "dataset", "isDatasetStrict", COL_DATASET, err));
    SR_TRY(restriction(rq, f, "workerpool", "isWorkerpoolStrict", COL_WORKERPOOL, err));
    return restriction(rq, f, "requester", "isRequesterStrict", COL_REQUESTER, err);
}

static sr_status filter_dataset(struct http_req *rq, struct filter *f, struct sr_err *err) {
    bool res, own, bulk;
    SR_TRY(exact(rq, f, "dataset", true, COL_RESOURCE, &res, err));
    SR_TRY(exact(rq, f, "datasetOwner", false, COL_SIGNER, &own, err));
    if (!res && !own) return sr_fail(err, SR_E_MALFORMED, "dataset or datasetOwner is required");
    SR_TRY(restriction(rq, f, "app", "isAppStrict", COL_APP, err));
    SR_TRY(restriction(rq, f, "workerpool", "isWorkerpoolStrict", COL_WORKERPOOL, err));
    SR_TRY(restriction(rq, f, "requester", "isRequesterStrict", COL_REQUESTER, err));
    SR_TRY(q_bool(rq, "bulkOnly", &bulk, err));
    if (bulk) filter_i64(f, COL_BULK, IS, 1);
    return SR_OK;
}

static sr_status filter_workerpool(struct http_req *rq, struct filter *f, struct sr_err *err) {
    bool given;
    uint64_t v;
    SR_TRY(exact(rq, f, "workerpool", true, COL_RESOURCE, NULL, err));
    SR_TRY(exact(rq, f, "workerpoolOwner", false, COL_SIGNER, NULL, err));
    SR_TRY(restriction(rq, f, "app", "isAppStrict", COL_APP, err));
    SR_TRY(restriction(rq, f, "dataset", "isDatasetStrict", COL_DATASET, err));
    SR_TRY(restriction(rq, f, "requester", "isRequesterStrict", COL_REQUESTER, err));
    SR_TRY(number(rq, f, "category", 0, COL_CATEGORY, IS, err));
    SR_TRY(q_int(rq, "minTrust", 0, &given, &v, err));
    if (given && v > 1) filter_i64(f, COL_TRUST, AT_LEAST, (int64_t)v);
    return SR_OK;
}

static sr_status filter_request(struct http_req *rq, struct filter *f, struct sr_err *err) {
    SR_TRY(exact(rq, f, "app", true, COL_RESOURCE, NULL, err));
    SR_TRY(exact(rq, f, "dataset", true, COL_DATASET, NULL, err));
    SR_TRY(exact(rq, f, "requester", true, COL_REQUESTER, NULL, err));
    SR_TRY(exact(rq, f, "beneficiary", true, COL_BENEFICIARY, NULL, err));
    SR_TRY(restriction(rq, f, "workerpool", "isWorkerpoolStrict", COL_WORKERPOOL, err));
    SR_TRY(number(rq, f, "category", 0, COL_CATEGORY, IS, err));
    return number(rq, f, "maxTrust", 0, COL_TRUST, AT_MOST, err);
}

/* ---- pages */

/* Of any resource, and a restriction is open or has two values: nearly all orders match, so the
 * page is at the front of the order itself, while by restrictions everything would be sorted first
 * (40 ms with 20,000 orders instead of 0.1). SQLite has no figures by which it would know. */
static bool is_walked(struct http_req *rq, poco_kind k) {
    static const char *const restricted[POCO_KINDS][3][2] = {
        {{"dataset", "isDatasetStrict"},
         {"workerpool", "isWorkerpoolStrict"},
         {"requester", "isRequesterStrict"}},
        {{"app", "isAppStrict"},
         {"workerpool", "isWorkerpoolStrict"},
         {"requester", "isRequesterStrict"}},
        {{"app", "isAppStrict"},
         {"dataset", "isDatasetStrict"},
         {"requester", "isRequesterStrict"}},
        {{"workerpool", "isWorkerpoolStrict"}}};
    static const char *const one[POCO_KINDS][4] = {{"app", "appOwner"},
                                                   {"dataset", "datasetOwner"},
                                                   {"workerpool", "workerpoolOwner"},
                                                   {"app", "dataset", "requester", "beneficiary"}};
    struct slice v;
    bool strict;
    for (size_t i = 0; i < 4 && one[k][i]; i++)
        if (http_query(rq, one[k][i], &v) && !slice_is(v, "any")) return false;
    for (size_t i = 0; i < 3 && restricted[k][i][0]; i++)
        if (http_query(rq, restricted[k][i][0], &v) &&
            (slice_is(v, "any") || q_bool(rq, restricted[k][i][1], &strict, NULL) != SR_OK ||
             !strict))
            return true;
    return false;
}

static sr_status write_rows(struct market *m, struct jw *w, const struct filter *f, bool walk,
                            const struct q_page *pg, uint64_t *ret_rows, struct sr_err *err) {
    const poco_kind k = f->kind;
    cleanup_sel struct sel s;
    cleanup_buf struct buf sql;
    sel_init(&s);
    filter_sql(f, &s);
    buf_init(&sql, 16384);
    /* the kind stands in the text, not as a value, so that the kind's own indexes serve */
    buf_printf(&sql,
               "SELECT hash, status, signer, remaining, published, bulk, json FROM orders%s WHERE "
               "kind = %u AND status = 0",
               filter_index(f, m->read, walk), (unsigned)k);
    buf_add(&sql, buf_slice(&s.where));
    buf_printf(&sql, " ORDER BY price %s, published, hash", k == POCO_REQUEST ? "DESC" : "ASC");
    size_t n = s.n;
    struct db_val args[SEL_ARGS + 2];
    memcpy(args, s.args, n * sizeof *args);
    args[n] = db_u64(pg->limit);
    args[n + 1] = db_u64(pg->skip);
    buf_printf(&sql, " LIMIT $%zu OFFSET $%zu", n + 1, n + 2);
    SR_TRY(buf_status(&s.where, err));
    SR_TRY(buf_status(&sql, err));
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->read, buf_cstr(&sql), args, n + 2, &q, err));
    *ret_rows = 0;
    while (db_next(q)) {
        const struct order_row r = {.hash = db_col_hash(q, 0),
                                    .kind = k,
                                    .status = (order_status)db_col_u64(q, 1),
                                    .signer = db_col_addr(q, 2),
                                    .remaining = db_col_u64(q, 3),
                                    .published_ms = db_col_u64(q, 4),
                                    .bulk = db_col_bool(q, 5)};
        jw_obj(w);
        order_item(w, &r, db_col_bytes(q, 6), m->chain_id, k == POCO_DATASET);
        jw_end_obj(w);
        ++*ret_rows;
    }
    return db_end(q, err);
}

static sr_status list(struct market *m, struct http_req *rq, struct buf *b, struct sr_err *err) {
    static sr_status (*const filters[])(struct http_req *, struct filter *, struct sr_err *) = {
        filter_app, filter_dataset, filter_workerpool, filter_request};
    poco_kind k = path_kind(rq);
    struct filter f;
    struct q_page pg;
    uint64_t count, rows;
    filter_init(&f, k);
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(filters[k](rq, &f, err));
    SR_TRY(tags(rq, &f, err));
    SR_TRY(number(rq, &f, "minVolume", 1, COL_REMAINING, AT_LEAST, err));
    SR_TRY(q_page(rq, &pg, err));
    SR_TRY(counts_get(m, &f, &count, err));
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_kbool(&w, "ok", true);
    jw_key(&w, "orders");
    jw_arr(&w);
    SR_TRY(write_rows(m, &w, &f, is_walked(rq, k), &pg, &rows, err));
    jw_end_arr(&w);
    jw_ku64(&w, "count", count);
    if (rows == pg.limit) jw_ku64(&w, "nextPage", pg.skip + pg.limit);
    jw_end_obj(&w);
    return buf_status(b, err);
}

/* Most lists are of one resource, and most changes of another. False: of any. */
static bool one_resource(struct http_req *rq, poco_kind k, struct addr *ret) {
    static const char *const names[POCO_KINDS] = {"app", "dataset", "workerpool", "app"};
    struct slice v;
    return http_query(rq, names[k], &v) && addr_parse(v, ret);
}

sr_status route_book(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct slice body;
    cleanup_buf struct buf key, b;
    buf_init(&key, 64 + NET_HEAD_MAX);
    buf_init(&b, 64u << 20);
    const poco_kind k = path_kind(rq);
    struct addr a;
    const struct addr *resource = one_resource(rq, k, &a) ? &a : NULL;
    buf_u8(&key, (uint8_t)k);
    buf_add(&key, http_query_raw(rq));
    SR_TRY(buf_status(&key, err));
    cache_state has;
    uint64_t generation;
    for (;;) {
        generation = books_generation(m, k, resource);
        has = cache_look(m->cache, buf_slice(&key), generation, &body);
        if (has != CACHE_COMES) break;
        SR_TRY(cache_wait(m->cache, err));
    }
    sr_status st = SR_OK;
    if (has == CACHE_HAS) {
        buf_add(&b, body); /* a slow client's answer must outlive its place there */
        st = buf_status(&b, err);
    } else {
        st = list(m, rq, &b, err);
        cache_put(m->cache, buf_slice(&key), generation,
                  st == SR_OK ? buf_slice(&b) : slice_of(NULL, 0));
    }
    SR_TRY(st);
    return http_reply(rq, 200, "application/json; charset=utf-8", buf_slice(&b), err);
}

sr_status route_order(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    poco_kind k = path_kind(rq);
    struct hash h;
    struct order_row r;
    char iso[25];
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(q_hash_text("orderHash", http_param(rq, "orderHash"), &h, err));
    cleanup_buf struct buf text, b;
    buf_init(&text, MARKET_BODY_MAX * 6);
    buf_init(&b, MARKET_BODY_MAX * 7);
    sr_status st = order_load(m->read, &h, &r, &text, NULL);
    if (st == SR_E_NOTFOUND || (st == SR_OK && r.kind != k))
        return sr_fail(err, SR_E_NOTFOUND, "%sorder not found", poco_kind_word[k]);
    if (st != SR_OK) return sr_fail(err, st, "orders");
    iso8601(iso, r.published_ms);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kbool(&w, "ok", true);
    jw_khash(&w, "orderHash", &h);
    jw_key(&w, "chainId"); /* the query's text, here: the official answer does so */
    jw_u256_dec(&w, u256_of(m->chain_id));
    jw_key(&w, "order");
    jw_raw(&w, buf_slice(&text));
    jw_ku64(&w, "remaining", r.remaining);
    jw_kcstr(&w, "status", order_status_word[r.status]);
    jw_kcstr(&w, "publicationTimestamp", iso);
    jw_kcstr(&w, "signer", addr_checksum(&r.signer).s);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}
