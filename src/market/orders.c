/* SPDX-License-Identifier: Apache-2.0 */
/* orders.c - rows of orders: what they hold, how events change them, how a rollback undoes it */
#include "eth/tx.h"
#include "market/market_int.h"

const char *const order_status_word[4] = {"open", "filled", "canceled", "dead"};

#define REQUESTS_AT_ONCE 256

void market_changed(struct market *m) {
    m->change_no++;
    fcond_wake(&m->changed);
}

static size_t book_slot(poco_kind k, const struct addr *a) {
    return (((size_t)a->b[17] << 16 | (size_t)a->b[18] << 8 | a->b[19]) * POCO_KINDS + (size_t)k) %
           BOOK_SLOTS;
}

void books_changed(struct market *m, poco_kind k, const struct addr *resource) {
    m->books.kind[k]++;
    m->books.resource[book_slot(k, resource)]++;
}

void books_changed_all(struct market *m) {
    m->books.all++;
}

uint64_t books_generation(const struct market *m, poco_kind k, const struct addr *resource) {
    return m->books.all + (resource ? m->books.resource[book_slot(k, resource)] : m->books.kind[k]);
}

bool order_is_bulk(uint64_t volume, uint64_t price) {
    return volume >= POCO_SAFE_MAX - 1 && price == 0;
}

bool order_stake(const struct poco_order *o, uint64_t remaining, struct u256 *ret) {
    struct u256 one;
    if (o->kind == POCO_WORKERPOOL) {
        if (!u256_mul(&one, o->workerpool.workerpoolprice, u256_of(30))) return false;
        one = u256_div_u64(one, 100, NULL);
    } else if (o->kind == POCO_REQUEST) {
        if (!u256_add(&one, o->request.appmaxprice, o->request.datasetmaxprice) ||
            !u256_add(&one, one, o->request.workerpoolmaxprice))
            return false;
    } else {
        one = u256_of(0);
    }
    return u256_mul(ret, one, u256_of(remaining));
}

static uint64_t to_u64(struct u256 v) {
    uint64_t x = UINT64_MAX; /* publish lets nothing above 2^53 in */
    (void)!u256_to_u64(v, &x);
    return x;
}

int64_t tag_word(const struct hash *tag, unsigned word) {
    int64_t v = 0;
    for (unsigned i = TAG_BITS; i-- > 0;) v = v << 1 | (tag_has(tag, word * TAG_BITS + i) ? 1 : 0);
    return v;
}

sr_status order_load(struct market *m, const struct hash *h, struct order_row *ret,
                     struct buf *json, struct sr_err *err) {
    cleanup_db_rows struct db_rows *q = NULL;
    SR_TRY(db_select(m->db,
                     "SELECT kind, status, signer, remaining, published, volume, json, bulk, "
                     "resource FROM orders "
                     "WHERE hash = $1",
                     DB_ARGS(db_hash(h)), &q, err));
    if (!db_next(q)) {
        SR_TRY(db_end(sr_take_ptr(q), err));
        return sr_fail(err, SR_E_NOTFOUND, "no such order");
    }
    *ret = (struct order_row){.hash = *h,
                              .kind = (poco_kind)db_col_u64(q, 0),
                              .status = (order_status)db_col_u64(q, 1),
                              .signer = db_col_addr(q, 2),
                              .remaining = db_col_u64(q, 3),
                              .published_ms = db_col_u64(q, 4),
                              .volume = db_col_u64(q, 5),
                              .bulk = db_col_bool(q, 7),
                              .resource = db_col_addr(q, 8)};
    if (json) buf_add(json, db_col_bytes(q, 6));
    return db_end(sr_take_ptr(q), err);
}

static struct db_val addr_or_null(const struct addr *a) {
    return a ? db_addr(a) : db_null();
}

sr_status order_store(struct market *m, const struct poco_order *o, const struct hash *h,
                      const struct addr *signer, uint64_t remaining, uint64_t now_ms,
                      struct sr_err *err) {
    cleanup_buf struct buf json;
    buf_init(&json, MARKET_BODY_MAX * 6);
    struct jw w = jw_of(&json);
    poco_order_json(&w, o, true, true);
    SR_TRY(buf_status(&json, err));
    const struct addr *app = NULL, *dataset = NULL, *pool = NULL, *requester = NULL, *ben = NULL;
    uint64_t category = 0, trust = 0;
    switch (o->kind) {
    case POCO_APP:
        dataset = &o->app.datasetrestrict;
        pool = &o->app.workerpoolrestrict;
        requester = &o->app.requesterrestrict;
        break;
    case POCO_DATASET:
        app = &o->dataset.apprestrict;
        pool = &o->dataset.workerpoolrestrict;
        requester = &o->dataset.requesterrestrict;
        break;
    case POCO_WORKERPOOL:
        app = &o->workerpool.apprestrict;
        dataset = &o->workerpool.datasetrestrict;
        requester = &o->workerpool.requesterrestrict;
        category = to_u64(o->workerpool.category);
        trust = to_u64(o->workerpool.trust);
        break;
    case POCO_REQUEST:
        app = &o->request.app;
        dataset = &o->request.dataset;
        pool = &o->request.workerpool;
        requester = &o->request.requester;
        ben = &o->request.beneficiary;
        category = to_u64(o->request.category);
        trust = to_u64(o->request.trust);
        break;
    }
    uint64_t price = to_u64(*poco_order_price(o)), volume = to_u64(*poco_order_volume(o));
    const struct hash *tag = poco_order_tag(o);
    struct u256 need = {0};
    bool stake = !order_stake(o, 1, &need) || !u256_is_zero(need);
    struct order_row old;
    sr_status known = order_load(m, h, &old, NULL, NULL);
    if (known != SR_OK && known != SR_E_NOTFOUND) return sr_fail(err, known, "orders");
    uint64_t before = known == SR_OK ? counts_mask(m, o->kind, h) : 0;
    SR_TRY(db_run(
        m->db,
        "INSERT INTO orders (hash, kind, status, signer, resource, price, volume, remaining, tag0,"
        " tag1, tag2, tag3, tag4, category, trust, bulk, stake, app, dataset, workerpool, "
        "requester,"
        " beneficiary, published, json) VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
        " $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)"
        " ON CONFLICT (hash) DO UPDATE SET status = 0, remaining = excluded.remaining,"
        " signer = excluded.signer, json = excluded.json",
        DB_ARGS(db_hash(h), db_u64(o->kind), db_addr(signer), db_addr(poco_order_resource(o)),
                db_u64(price), db_u64(volume), db_u64(remaining), db_i64(tag_word(tag, 0)),
                db_i64(tag_word(tag, 1)), db_i64(tag_word(tag, 2)), db_i64(tag_word(tag, 3)),
                db_i64(tag_word(tag, 4)), db_u64(category), db_u64(trust),
                db_bool(o->kind == POCO_DATASET && order_is_bulk(volume, price)), db_bool(stake),
                addr_or_null(app), addr_or_null(dataset), addr_or_null(pool),
                addr_or_null(requester), addr_or_null(ben), db_u64(now_ms),
                db_text(buf_slice(&json))),
        err));
    counts_changed(m, o->kind, h, before);
    if (known == SR_OK)
        counts_open_changed(m, o->kind, &old.signer, old.status == ORDER_OPEN, false);
    counts_open_changed(m, o->kind, signer, false, true);
    live_order(m, o->kind, h, known == SR_OK && old.status == ORDER_OPEN, true);
    books_changed(m, o->kind, poco_order_resource(o));
    market_changed(m);
    return SR_OK;
}

sr_status order_delete(struct market *m, const struct hash *h, struct sr_err *err) {
    struct order_row r;
    SR_TRY(order_load(m, h, &r, NULL, err));
    uint64_t before = counts_mask(m, r.kind, h);
    SR_TRY(db_run(m->db, "DELETE FROM order_undo WHERE hash = $1", DB_ARGS(db_hash(h)), err));
    SR_TRY(db_run(m->db, "DELETE FROM orders WHERE hash = $1", DB_ARGS(db_hash(h)), err));
    counts_changed(m, r.kind, h, before);
    counts_open_changed(m, r.kind, &r.signer, r.status == ORDER_OPEN, false);
    live_order(m, r.kind, h, r.status == ORDER_OPEN, false);
    books_changed(m, r.kind, &r.resource);
    market_changed(m);
    return SR_OK;
}

sr_status order_set(struct market *m, const struct hash *h, order_status status, uint64_t remaining,
                    uint64_t block, struct sr_err *err) {
    struct order_row r;
    sr_status st = order_load(m, h, &r, NULL, NULL);
    if (st == SR_E_NOTFOUND) return SR_OK;
    if (st != SR_OK) return sr_fail(err, st, "orders");
    if (r.status == status && r.remaining == remaining) return SR_OK;
    uint64_t seq;
    SR_TRY(db_get_u64(m->db, "SELECT COALESCE(MAX(seq), 0) + 1 FROM order_undo WHERE block = $1",
                      DB_ARGS(db_u64(block)), &seq, err));
    if (block)
        SR_TRY(db_run(
            m->db,
            "INSERT INTO order_undo (block, seq, hash, status, remaining) VALUES ($1, "
            "$2, $3, $4, $5)",
            DB_ARGS(db_u64(block), db_u64(seq), db_hash(h), db_u64(r.status), db_u64(r.remaining)),
            err));
    uint64_t before = counts_mask(m, r.kind, h);
    SR_TRY(db_run(m->db, "UPDATE orders SET status = $2, remaining = $3 WHERE hash = $1",
                  DB_ARGS(db_hash(h), db_u64(status), db_u64(remaining)), err));
    counts_changed(m, r.kind, h, before);
    counts_open_changed(m, r.kind, &r.signer, r.status == ORDER_OPEN, status == ORDER_OPEN);
    live_order(m, r.kind, h, r.status == ORDER_OPEN, status == ORDER_OPEN);
    books_changed(m, r.kind, &r.resource);
    market_changed(m);
    if (r.status == ORDER_OPEN && status != ORDER_OPEN &&
        (r.kind == POCO_APP || r.kind == POCO_DATASET)) {
        SR_TRY(orders_check_requests(m, r.kind, &r.resource, block, err));
    }
    return SR_OK;
}

sr_status orders_rollback(struct market *m, uint64_t keep, struct sr_err *err) {
    counts_flush(m);
    for (;;) {
        struct hash h[REQUESTS_AT_ONCE];
        uint64_t status[REQUESTS_AT_ONCE], remaining[REQUESTS_AT_ONCE], block[REQUESTS_AT_ONCE],
            seq[REQUESTS_AT_ONCE];
        size_t n = 0;
        struct db_rows *q = NULL;
        SR_TRY(db_select(m->db,
                         "SELECT hash, status, remaining, block, seq FROM order_undo WHERE block > "
                         "$1 ORDER BY block DESC, seq DESC LIMIT 256",
                         DB_ARGS(db_u64(keep)), &q, err));
        while (n < REQUESTS_AT_ONCE && db_next(q)) {
            h[n] = db_col_hash(q, 0);
            status[n] = db_col_u64(q, 1);
            remaining[n] = db_col_u64(q, 2);
            block[n] = db_col_u64(q, 3);
            seq[n++] = db_col_u64(q, 4);
        }
        SR_TRY(db_end(q, err));
        for (size_t i = 0; i < n; i++) {
            struct order_row r;
            if (order_load(m, &h[i], &r, NULL, NULL) == SR_OK)
                live_order(m, r.kind, &h[i], r.status == ORDER_OPEN, status[i] == ORDER_OPEN);
            SR_TRY(db_run(m->db, "UPDATE orders SET status = $2, remaining = $3 WHERE hash = $1",
                          DB_ARGS(db_hash(&h[i]), db_u64(status[i]), db_u64(remaining[i])), err));
            SR_TRY(db_run(m->db, "DELETE FROM order_undo WHERE block = $1 AND seq = $2",
                          DB_ARGS(db_u64(block[i]), db_u64(seq[i])), err));
        }
        if (n) market_changed(m), books_changed_all(m);
        if (n < REQUESTS_AT_ONCE) return SR_OK;
    }
}

/* Hashes of the first rows a select gives; its first column must be the hash. */
static sr_status some_hashes(struct market *m, const char *sql, const struct db_val *args,
                             size_t n_args, struct hash *h, size_t *ret_n, struct sr_err *err) {
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->db, sql, args, n_args, &q, err));
    *ret_n = 0;
    while (*ret_n < REQUESTS_AT_ONCE && db_next(q)) h[(*ret_n)++] = db_col_hash(q, 0);
    return db_end(q, err);
}

static sr_status load_order(struct market *m, const struct hash *h, struct order_row *r,
                            struct poco_order *o, struct buf *text, struct json **doc,
                            struct sr_err *err) {
    buf_clear(text);
    SR_TRY(order_load(m, h, r, text, err));
    SR_TRY(buf_status(text, err));
    SR_TRY(json_parse(buf_slice(text), doc, err));
    return poco_order_from_json(r->kind, json_root(*doc), o, err);
}

sr_status orders_for_request(struct market *m, poco_kind k, const struct request_needs *n,
                             bool *ret_any, uint64_t *ret_best, struct sr_err *err) {
    static const struct addr none = {{0}};
    const struct addr *other = k == POCO_APP ? &n->dataset : &n->app;
    const char *sql =
        k == POCO_APP ? "SELECT price FROM orders WHERE kind = 0 AND status = 0 AND resource = $1 "
                        "AND workerpool IN ($2, $3) AND dataset IN ($2, $4) AND requester IN ($2, "
                        "$5) AND (tag0 & $6) = $6 ORDER BY price LIMIT 1"
                      : "SELECT price FROM orders WHERE kind = 1 AND status = 0 AND resource = $1 "
                        "AND workerpool IN ($2, $3) AND app IN ($2, $4) AND requester IN ($2, $5) "
                        "AND (tag0 & $6) = $6 ORDER BY price LIMIT 1";
    struct sr_err e = {0};
    sr_status st =
        db_get_u64(m->db, sql,
                   DB_ARGS(db_addr(k == POCO_APP ? &n->app : &n->dataset), db_addr(&none),
                           db_addr(&n->workerpool), db_addr(other), db_addr(&n->requester),
                           db_u64(n->tee && k == POCO_APP ? 1 : 0)),
                   ret_best, &e);
    *ret_any = st == SR_OK;
    if (st == SR_OK || st == SR_E_NOTFOUND) return SR_OK;
    if (err) *err = e;
    return st;
}

sr_status orders_check_requests(struct market *m, poco_kind k, const struct addr *resource,
                                uint64_t block, struct sr_err *err) {
    struct hash h[REQUESTS_AT_ONCE];
    size_t n;
    const char *sql = k == POCO_APP ? "SELECT hash FROM orders WHERE kind = 3 AND status = 0 AND "
                                      "resource = $1 LIMIT 256"
                                    : "SELECT hash FROM orders WHERE kind = 3 AND status = 0 AND "
                                      "dataset = $1 LIMIT 256";
    SR_TRY(some_hashes(m, sql, DB_ARGS(db_addr(resource)), h, &n, err));
    cleanup_buf struct buf text;
    buf_init(&text, MARKET_BODY_MAX * 6);
    for (size_t i = 0; i < n; i++) {
        cleanup_json struct json *doc = NULL;
        struct order_row r;
        struct poco_order o;
        SR_TRY(load_order(m, &h[i], &r, &o, &text, &doc, err));
        const struct request_needs need = {o.request.app, o.request.dataset, o.request.workerpool,
                                           o.request.requester, tag_is_tee(&o.request.tag)};
        bool any;
        uint64_t best = 0;
        SR_TRY(orders_for_request(m, k, &need, &any, &best, err));
        struct u256 max = k == POCO_APP ? o.request.appmaxprice : o.request.datasetmaxprice;
        if (!any || u256_cmp(u256_of(best), max) > 0)
            SR_TRY(order_set(m, &h[i], ORDER_DEAD, r.remaining, block, err));
    }
    return SR_OK;
}

sr_status orders_owner_changed(struct market *m, poco_kind k, const struct addr *resource,
                               const struct addr *owner, uint64_t block, struct sr_err *err) {
    struct hash h[REQUESTS_AT_ONCE];
    size_t n;
    do {
        SR_TRY(some_hashes(m,
                           "SELECT hash FROM orders WHERE kind = $1 AND status = 0 AND resource = "
                           "$2 AND signer <> $3 LIMIT 256",
                           DB_ARGS(db_u64(k), db_addr(resource), db_addr(owner)), h, &n, err));
        for (size_t i = 0; i < n; i++) {
            struct order_row r;
            SR_TRY(order_load(m, &h[i], &r, NULL, err));
            SR_TRY(order_set(m, &h[i], ORDER_DEAD, r.remaining, block, err));
        }
    } while (n == REQUESTS_AT_ONCE);
    return SR_OK;
}

sr_status orders_need_stake(struct market *m, const struct addr *who, bool *ret,
                            struct sr_err *err) {
    uint64_t n;
    SR_TRY(db_get_u64(m->db,
                      "SELECT COUNT(*) FROM orders WHERE signer = $1 AND kind IN (2, 3) AND status "
                      "= 0 AND stake = 1",
                      DB_ARGS(db_addr(who)), &n, err));
    *ret = n > 0;
    return SR_OK;
}

sr_status orders_stake_is(struct market *m, const struct addr *who, struct u256 stake,
                          uint64_t block, struct sr_err *err) {
    struct hash h[REQUESTS_AT_ONCE];
    size_t n;
    SR_TRY(some_hashes(m,
                       "SELECT hash FROM orders WHERE signer = $1 AND kind IN (2, 3) AND status = "
                       "0 AND stake = 1 LIMIT 256",
                       DB_ARGS(db_addr(who)), h, &n, err));
    cleanup_buf struct buf text;
    buf_init(&text, MARKET_BODY_MAX * 6);
    for (size_t i = 0; i < n; i++) {
        cleanup_json struct json *doc = NULL;
        struct order_row r;
        struct poco_order o;
        struct u256 need;
        SR_TRY(load_order(m, &h[i], &r, &o, &text, &doc, err));
        if (!order_stake(&o, r.remaining, &need) || u256_cmp(need, stake) > 0)
            SR_TRY(order_set(m, &h[i], ORDER_DEAD, r.remaining, block, err));
    }
    return SR_OK;
}

void order_item(struct jw *w, const struct order_row *r, struct slice json, uint64_t chain_id,
                bool with_bulk) {
    char iso[25];
    iso8601(iso, r->published_ms);
    jw_key(w, "order");
    jw_raw(w, json);
    jw_khash(w, "orderHash", &r->hash);
    if (chain_id) jw_ku64(w, "chainId", chain_id);
    jw_kcstr(w, "publicationTimestamp", iso);
    jw_kcstr(w, "signer", addr_checksum(&r->signer).s);
    jw_ku64(w, "remaining", r->remaining);
    jw_kcstr(w, "status", order_status_word[r->status]);
    if (with_bulk) jw_kbool(w, "bulk", r->bulk);
}
