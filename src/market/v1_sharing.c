/* SPDX-License-Identifier: Apache-2.0 */
/* v1_sharing.c - GET /v1/sharing: all that is shared, who paid whom and how much, as of one block
 * SPEC: docs/wire.md, "Market /v1/" */
#include "market/market_int.h"

#define ANSWER_MAX (8u << 20)
#define TRIES      3 /* while the index moves */

static bool was_null(struct jw *w, const char *key, struct db_rows *q, unsigned col) {
    if (!db_col_is_null(q, col)) return false;
    jw_key(w, key);
    jw_null(w);
    return true;
}

static void addr_or_null(struct jw *w, const char *key, struct db_rows *q, unsigned col) {
    if (was_null(w, key, q, col)) return;
    struct addr a = db_col_addr(q, col);
    jw_kaddr(w, key, &a);
}

static void number_or_null(struct jw *w, const char *key, struct db_rows *q, unsigned col) {
    if (was_null(w, key, q, col)) return;
    jw_ku64(w, key, db_col_u64(q, col));
}

static void text_or_null(struct jw *w, const char *key, struct db_rows *q, unsigned col) {
    if (was_null(w, key, q, col)) return;
    jw_kstr(w, key, db_col_bytes(q, col));
}

static void data_row(struct jw *w, struct db_rows *q) {
    addr_or_null(w, "data", q, 0);
    text_or_null(w, "name", q, 1);
    number_or_null(w, "collection", q, 2);
    addr_or_null(w, "whitelist", q, 3);
    jw_kbool(w, "inSubscription", db_col_bool(q, 4));
    jw_kbool(w, "forRent", db_col_bool(q, 5));
    jw_kbool(w, "forSale", db_col_bool(q, 6));
    text_or_null(w, "rentPrice", q, 7);
    number_or_null(w, "rentSeconds", q, 8);
    text_or_null(w, "salePrice", q, 9);
    jw_ku64(w, "uses", db_col_u64(q, 10));
}

static void collection_row(struct jw *w, struct db_rows *q) {
    jw_ku64(w, "collection", db_col_u64(q, 0));
    addr_or_null(w, "owner", q, 1);
    text_or_null(w, "price", q, 2);
    number_or_null(w, "seconds", q, 3);
}

static void payment_row(struct jw *w, struct db_rows *q) {
    static const char *const kinds[] = {
        [SHARE_SUBSCRIPTION] = "subscription", [SHARE_RENTAL] = "rent", [SHARE_SALE] = "sale"};
    struct hash tx = db_col_hash(q, 7);
    jw_kcstr(w, "kind", kinds[db_col_u64(q, 0)]);
    addr_or_null(w, "data", q, 1);
    number_or_null(w, "collection", q, 2);
    addr_or_null(w, "from", q, 3);
    addr_or_null(w, "to", q, 4);
    text_or_null(w, "price", q, 5);
    jw_ku64(w, "end", db_col_u64(q, 6));
    jw_khash(w, "tx", &tx);
}

static void whitelist_row(struct jw *w, struct db_rows *q) {
    addr_or_null(w, "whitelist", q, 0);
    addr_or_null(w, "owner", q, 1);
    addr_or_null(w, "app", q, 2);
}

/* $1 rows from $2 on. Oldest first. */
static const struct {
    const char *key, *sql;
    void (*row)(struct jw *w, struct db_rows *q);
} lists[] = {
    {"data",
     "SELECT o.data, r.name, o.collection, o.whitelist, o.bundled, o.rentable, o.for_sale,"
     " o.rent_price, o.rent_duration, o.sale_price, (SELECT COUNT(*) FROM share_event AS e WHERE"
     " e.kind = 3 AND e.data = o.data) FROM offer AS o LEFT JOIN resource AS r ON r.address ="
     " o.data ORDER BY o.block, o.data LIMIT $1 OFFSET $2",
     data_row},
    {"collections",
     "SELECT id, owner, price, duration FROM collection ORDER BY id LIMIT $1 OFFSET $2",
     collection_row},
    {"payments",
     "SELECT kind, data, collection, who, payee, price, until, tx FROM share_event WHERE kind < 3"
     " ORDER BY block, log LIMIT $1 OFFSET $2",
     payment_row},
    {"whitelists",
     "SELECT l.id, l.owner, a.app FROM whitelist AS l LEFT JOIN whitelist_app AS a ON a.whitelist"
     " = l.id ORDER BY l.block, l.id, a.block, a.app LIMIT $1 OFFSET $2",
     whitelist_row},
};

static sr_status list(struct market *m, struct jw *w, size_t which, const struct q_page *pg,
                      bool *ret_more, struct sr_err *err) {
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->read, lists[which].sql, DB_ARGS(db_u64(pg->limit + 1), db_u64(pg->skip)),
                     &q, err));
    jw_key(w, lists[which].key);
    jw_arr(w);
    for (uint64_t n = 0; db_next(q); n++) {
        if (n == pg->limit) {
            *ret_more = true;
            continue;
        }
        jw_obj(w);
        lists[which].row(w, q);
        jw_end_obj(w);
    }
    jw_end_arr(w);
    return db_end(q, err);
}

/* The block that the rows are of. */
static sr_status head_of(struct market *m, struct eth_mark *ret, struct sr_err *err) {
    cleanup_db_rows struct db_rows *q = NULL;
    SR_TRY(db_select(m->read, "SELECT number, hash FROM mark ORDER BY number DESC LIMIT 1",
                     DB_NO_ARGS, &q, err));
    if (!db_next(q)) {
        SR_TRY(db_end(sr_take_ptr(q), err));
        return sr_fail(err, SR_E_UNAVAILABLE, "nothing has been indexed yet");
    }
    *ret = (struct eth_mark){db_col_u64(q, 0), db_col_hash(q, 1)};
    return db_end(sr_take_ptr(q), err);
}

/* *ret_same: the index has not moved meanwhile. */
static sr_status answer(struct market *m, const struct q_page *pg, struct buf *b, bool *ret_same,
                        struct sr_err *err) {
    struct eth_mark before, after;
    bool more = false;
    SR_TRY(head_of(m, &before, err));
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_ku64(&w, "block", before.number);
    jw_khash(&w, "hash", &before.hash);
    jw_kaddr(&w, "contract", &m->sharing);
    for (size_t i = 0; i < SR_ARRAY_LEN(lists); i++) SR_TRY(list(m, &w, i, pg, &more, err));
    jw_kbool(&w, "more", more);
    jw_end_obj(&w);
    SR_TRY(head_of(m, &after, err));
    *ret_same = before.number == after.number && hash_eq(&before.hash, &after.hash);
    return SR_OK;
}

sr_status v1_sharing(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct q_page pg;
    cleanup_buf struct buf b;
    buf_init(&b, ANSWER_MAX);
    if (!m->has_sharing)
        return sr_fail(err, SR_E_NOTFOUND, "this market indexes no sharing contract");
    SR_TRY(v1_page(rq, &pg, err));
    for (int i = 0; i < TRIES; i++) {
        bool same;
        buf_clear(&b);
        SR_TRY(answer(m, &pg, &b, &same, err));
        if (same) return http_reply_json(rq, 200, &b, err);
    }
    sr_hint(err, "ask again");
    return sr_fail(err, SR_E_UNAVAILABLE, "the index moves too fast");
}
