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

/* ---- rows */

/* All but the hash and the text. */
#define ROW_COLUMNS                                                                                \
    "kind, status, signer, resource, price, volume, remaining, tag0, tag1, tag2, tag3, tag4, "     \
    "category, trust, bulk, stake, app, dataset, workerpool, requester, beneficiary, published"

static struct order_row row_at(struct db_rows *q, const struct hash *h) {
    struct order_row r = {.hash = *h,
                          .kind = (poco_kind)(db_col_u64(q, 0) % POCO_KINDS),
                          .status = (order_status)(db_col_u64(q, 1) % 4),
                          .signer = db_col_addr(q, 2),
                          .resource = db_col_addr(q, 3),
                          .price = db_col_u64(q, 4),
                          .volume = db_col_u64(q, 5),
                          .remaining = db_col_u64(q, 6),
                          .category = db_col_u64(q, 12),
                          .trust = db_col_u64(q, 13),
                          .bulk = db_col_bool(q, 14),
                          .stake = db_col_bool(q, 15),
                          .app = db_col_addr(q, 16),
                          .dataset = db_col_addr(q, 17),
                          .workerpool = db_col_addr(q, 18),
                          .requester = db_col_addr(q, 19),
                          .beneficiary = db_col_addr(q, 20),
                          .published_ms = db_col_u64(q, 21)};
    for (unsigned i = 0; i < TAG_WORDS; i++) r.tag[i] = db_col_i64(q, 7 + i);
    return r;
}

sr_status order_load(struct db *db, const struct hash *h, struct order_row *ret, struct buf *json,
                     struct sr_err *err) {
    cleanup_db_rows struct db_rows *q = NULL;
    SR_TRY(db_select(db, "SELECT " ROW_COLUMNS ", json FROM orders WHERE hash = $1",
                     DB_ARGS(db_hash(h)), &q, err));
    if (!db_next(q)) {
        SR_TRY(db_end(sr_take_ptr(q), err));
        return sr_fail(err, SR_E_NOTFOUND, "no such order");
    }
    *ret = row_at(q, h);
    if (json) buf_add(json, db_col_bytes(q, 22));
    return db_end(sr_take_ptr(q), err);
}

/* Columns that orders of a kind have: the others are null. */
static const struct {
    bool app, dataset, workerpool, beneficiary;
} has[POCO_KINDS] = {[POCO_APP] = {.dataset = true, .workerpool = true},
                     [POCO_DATASET] = {.app = true, .workerpool = true},
                     [POCO_WORKERPOOL] = {.app = true, .dataset = true},
                     [POCO_REQUEST] = {true, true, true, true}};

struct order_row order_row_of(const struct poco_order *o, const struct hash *h,
                              const struct addr *signer, uint64_t remaining, uint64_t now_ms) {
    struct u256 need = {0};
    struct order_row r = {.hash = *h,
                          .kind = o->kind,
                          .status = ORDER_OPEN,
                          .signer = *signer,
                          .resource = *poco_order_resource(o),
                          .price = to_u64(*poco_order_price(o)),
                          .volume = to_u64(*poco_order_volume(o)),
                          .remaining = remaining,
                          .published_ms = now_ms};
    switch (o->kind) {
    case POCO_APP:
        r.dataset = o->app.datasetrestrict;
        r.workerpool = o->app.workerpoolrestrict;
        r.requester = o->app.requesterrestrict;
        break;
    case POCO_DATASET:
        r.app = o->dataset.apprestrict;
        r.workerpool = o->dataset.workerpoolrestrict;
        r.requester = o->dataset.requesterrestrict;
        /* for many uses, for nothing: as the clients mean "bulk" */
        r.bulk = r.volume >= POCO_SAFE_MAX - 1 && r.price == 0;
        break;
    case POCO_WORKERPOOL:
        r.app = o->workerpool.apprestrict;
        r.dataset = o->workerpool.datasetrestrict;
        r.requester = o->workerpool.requesterrestrict;
        r.category = to_u64(o->workerpool.category);
        r.trust = to_u64(o->workerpool.trust);
        break;
    case POCO_REQUEST:
        r.app = o->request.app;
        r.dataset = o->request.dataset;
        r.workerpool = o->request.workerpool;
        r.requester = o->request.requester;
        r.beneficiary = o->request.beneficiary;
        r.category = to_u64(o->request.category);
        r.trust = to_u64(o->request.trust);
        break;
    }
    for (unsigned i = 0; i < TAG_WORDS; i++) r.tag[i] = tag_word(poco_order_tag(o), i);
    r.stake = !order_stake(o, 1, &need) || !u256_is_zero(need);
    return r;
}

static struct db_val addr_if(bool has_it, const struct addr *a) {
    return has_it ? db_addr(a) : db_null();
}

struct db_stmt order_insert_of(const struct order_row *r, struct slice json,
                               struct order_insert *mem) {
    struct db_val *v = mem->args;
    *v++ = db_hash(&r->hash);
    *v++ = db_u64(r->kind);
    *v++ = db_addr(&r->signer);
    *v++ = db_addr(&r->resource);
    *v++ = db_u64(r->price);
    *v++ = db_u64(r->volume);
    *v++ = db_u64(r->remaining);
    for (unsigned i = 0; i < TAG_WORDS; i++) *v++ = db_i64(r->tag[i]);
    *v++ = db_u64(r->category);
    *v++ = db_u64(r->trust);
    *v++ = db_bool(r->bulk);
    *v++ = db_bool(r->stake);
    *v++ = addr_if(has[r->kind].app, &r->app);
    *v++ = addr_if(has[r->kind].dataset, &r->dataset);
    *v++ = addr_if(has[r->kind].workerpool, &r->workerpool);
    *v++ = db_addr(&r->requester);
    *v++ = addr_if(has[r->kind].beneficiary, &r->beneficiary);
    *v++ = db_u64(r->published_ms);
    *v++ = db_text(json);
    SR_ASSERT(v == mem->args + ORDER_VALUES);
    return (struct db_stmt){
        .sql = "INSERT INTO orders (hash, status, kind, signer, resource, price, volume, remaining,"
               " tag0, tag1, tag2, tag3, tag4, category, trust, bulk, stake, app, dataset,"
               " workerpool, requester, beneficiary, published, json) VALUES ($1, 0, $2, $3, $4,"
               " $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,"
               " $22, $23) ON CONFLICT (hash) DO UPDATE SET status = 0,"
               " remaining = excluded.remaining, signer = excluded.signer, json = excluded.json",
        .args = mem->args,
        .n = ORDER_VALUES};
}

/* ---- changes */

sr_status order_delete(struct market *m, const struct hash *h, struct sr_err *err) {
    struct order_row r;
    SR_TRY(order_load(m->db, h, &r, NULL, err));
    SR_TRY(db_run(m->db, "DELETE FROM order_undo WHERE hash = $1", DB_ARGS(db_hash(h)), err));
    SR_TRY(db_run(m->db, "DELETE FROM orders WHERE hash = $1", DB_ARGS(db_hash(h)), err));
    changes_order(m, &r, NULL);
    return SR_OK;
}

/* Gives a row another state. */
static sr_status set_state(struct market *m, const struct order_row *before, order_status status,
                           uint64_t remaining, struct sr_err *err) {
    struct order_row after = *before;
    after.status = status;
    after.remaining = remaining;
    SR_TRY(db_run(m->db, "UPDATE orders SET status = $2, remaining = $3 WHERE hash = $1",
                  DB_ARGS(db_hash(&before->hash), db_u64(status), db_u64(remaining)), err));
    changes_order(m, before, &after);
    return SR_OK;
}

sr_status order_set(struct market *m, const struct hash *h, order_status status, uint64_t remaining,
                    uint64_t block, struct sr_err *err) {
    struct order_row r;
    sr_status st = order_load(m->db, h, &r, NULL, NULL);
    if (st == SR_E_NOTFOUND) return SR_OK;
    if (st != SR_OK) return sr_fail(err, st, "orders");
    if (r.status == status && r.remaining == remaining) return SR_OK;
    if (block)
        SR_TRY(db_run(m->db,
                      "INSERT INTO order_undo (block, seq, hash, status, remaining) VALUES ($1,"
                      " (SELECT COALESCE(MAX(seq), 0) + 1 FROM order_undo WHERE block = $1), $2,"
                      " $3, $4)",
                      DB_ARGS(db_u64(block), db_hash(h), db_u64(r.status), db_u64(r.remaining)),
                      err));
    SR_TRY(set_state(m, &r, status, remaining, err));
    if (r.status == ORDER_OPEN && status != ORDER_OPEN &&
        (r.kind == POCO_APP || r.kind == POCO_DATASET))
        SR_TRY(orders_check_requests(m, r.kind, &r.resource, block, err));
    return SR_OK;
}

sr_status orders_rollback(struct market *m, uint64_t keep, struct sr_err *err) {
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
            sr_status st = order_load(m->db, &h[i], &r, NULL, NULL);
            if (st == SR_OK) st = set_state(m, &r, (order_status)status[i], remaining[i], err);
            if (st != SR_OK && st != SR_E_NOTFOUND) return sr_fail(err, st, "orders");
            SR_TRY(db_run(m->db, "DELETE FROM order_undo WHERE block = $1 AND seq = $2",
                          DB_ARGS(db_u64(block[i]), db_u64(seq[i])), err));
        }
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
    SR_TRY(order_load(m->db, h, r, text, err));
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
    /* the kind stands in the text, so that the kind's own index serves */
#define OTHERS(kind)                                                                               \
    "SELECT hash FROM orders WHERE kind = " kind " AND status = 0 AND resource = $1 AND signer <>" \
    " $2 LIMIT 256"
    static const char *const sql[POCO_KINDS] = {OTHERS("0"), OTHERS("1"), OTHERS("2"), OTHERS("3")};
    struct hash h[REQUESTS_AT_ONCE];
    size_t n;
    do {
        SR_TRY(some_hashes(m, sql[k], DB_ARGS(db_addr(resource), db_addr(owner)), h, &n, err));
        for (size_t i = 0; i < n; i++) {
            struct order_row r;
            SR_TRY(order_load(m->db, &h[i], &r, NULL, err));
            SR_TRY(order_set(m, &h[i], ORDER_DEAD, r.remaining, block, err));
        }
    } while (n == REQUESTS_AT_ONCE);
    return SR_OK;
}

sr_status orders_need_stake(struct market *m, const struct addr *who, bool *ret,
                            struct sr_err *err) {
    uint64_t n;
    SR_TRY(db_get_u64(m->read,
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
