/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.c - orders in and out of the book
 *
 * SPEC: services.md#26-publishing-checks-in-order, services.md#27-unpublishing
 */
#include "eth/tx.h"
#include "market/market_int.h"

#define READ_AGAIN 8 /* a publish reads the chain again when a block came in between */

poco_kind path_kind(struct http_req *rq) {
    struct slice p = http_path(rq);
    for (unsigned k = 0; k < POCO_KINDS; k++) {
        size_t n = strlen(poco_kind_word[k]);
        if (p.n > n && memcmp(p.p + 1, poco_kind_word[k], n) == 0) return (poco_kind)k;
    }
    return POCO_APP;
}

/* ---- the body */

static void *field_at(struct poco_order *o, const struct poco_field *f) {
    return (char *)o + f->offset;
}

static sr_status read_field(const struct json_val *v, const struct poco_field *f,
                            struct poco_order *o, struct sr_err *err) {
    char name[64];
    cleanup_buf struct buf b;
    buf_init(&b, sizeof name - 1);
    buf_printf(&b, "order.%s", f->name);
    memcpy(name, buf_cstr(&b), b.n + 1);
    const struct json_val *x = json_get(v, f->name);
    struct slice s = json_text(x);
    if (!x || json_is(x, JSON_NULL) ||
        (f->type != POCO_F_STR && json_is(x, JSON_STRING) && s.n == 0))
        return sr_fail(err, SR_E_MALFORMED, "%s is a required field", name);
    switch (f->type) {
    case POCO_F_ADDR: return q_addr_text(name, s, field_at(o, f), err);
    case POCO_F_UINT: {
        uint64_t n;
        SR_TRY(q_int_text(name, s, strcmp(f->name, "volume") == 0 ? 1 : 0, &n, err));
        struct u256 big = u256_of(n);
        memcpy(field_at(o, f), &big, sizeof big);
        return SR_OK;
    }
    case POCO_F_B32: return q_hash_text(name, s, field_at(o, f), err);
    case POCO_F_STR:
        if (!json_is(x, JSON_STRING) || s.n > POCO_PARAMS_MAX)
            return sr_fail(err, SR_E_MALFORMED, "%s must be a `string` of at most %u bytes", name,
                           POCO_PARAMS_MAX);
        memcpy(field_at(o, f), &s, sizeof s);
        return SR_OK;
    }
    return SR_OK;
}

static sr_status read_order(const struct json_val *body, poco_kind k, struct poco_order *ret,
                            struct sr_err *err) {
    const struct json_val *v = json_get(body, "order");
    size_t n;
    const struct poco_field *f = poco_fields(k, &n);
    memset(ret, 0, sizeof *ret);
    ret->kind = k;
    if (!json_is(v, JSON_OBJECT)) return sr_fail(err, SR_E_MALFORMED, "order is a required field");
    for (size_t i = 0; i < n; i++) SR_TRY(read_field(v, &f[i], ret, err));
    struct slice s = json_text(json_get(v, "sign"));
    if (s.n == 0) return sr_fail(err, SR_E_MALFORMED, "order.sign is a required field");
    if (!slice_starts(s, "0x"))
        return sr_fail(err, SR_E_MALFORMED, "order.sign must be a valid signature");
    cleanup_buf struct buf sign;
    buf_init(&sign, POCO_SIGN_MAX);
    bool good = hex_decode_buf(s, &sign);
    BUF_TRY_MEMORY(&sign, err);
    if (!good || sign.bad) return sr_fail(err, SR_E_REFUSED, "invalid sign");
    ret->sign.n = (uint16_t)sign.n;
    if (sign.n) memcpy(ret->sign.b, sign.p, sign.n);
    return SR_OK;
}

/* ---- the checks */

static sr_status need_an_order(struct market *m, const struct poco_order *o, poco_kind k,
                               struct sr_err *err) {
    const struct poco_requestorder *r = &o->request;
    const struct request_needs n = {r->app, r->dataset, r->workerpool, r->requester,
                                    tag_is_tee(&r->tag)};
    const struct addr *res = k == POCO_APP ? &r->app : &r->dataset;
    const char *word = poco_kind_word[k];
    bool any;
    uint64_t best = 0;
    SR_TRY(orders_for_request(m, k, &n, &any, &best, err));
    if (!any)
        return sr_fail(err, SR_E_REFUSED, "No %s%sorder published for %s %s",
                       k == POCO_APP && n.tee ? "tee enabled " : "", word, word,
                       addr_checksum(res).s);
    struct u256 max = k == POCO_APP ? r->appmaxprice : r->datasetmaxprice;
    if (u256_cmp(u256_of(best), max) > 0)
        return sr_fail(err, SR_E_REFUSED,
                       "%smaxprice for %s %s is too low, actual best price is %llu nRLC", word,
                       word, addr_checksum(res).s, (unsigned long long)best);
    return SR_OK;
}

static sr_status judge(struct market *m, const struct poco_order *o, const struct facts *f,
                       const struct addr *who, uint64_t *ret_remaining, struct sr_err *err) {
    const char *word = poco_kind_word[o->kind];
    if (!f->registered) return sr_fail(err, SR_E_REFUSED, "Resource not deployed");
    if (!addr_eq(&f->owner, who))
        return sr_fail(err, SR_E_REFUSED, "only order signer %s can publish an order",
                       addr_checksum(&f->owner).s);
    if (!f->signed_ok) return sr_fail(err, SR_E_REFUSED, "invalid sign");
    uint64_t open;
    SR_TRY(counts_open(m, o->kind, who, &open, err));
    if (open >= m->open_max)
        return sr_fail(err, SR_E_REFUSED,
                       "maximum of %llu published open %sorders has been reached for wallet %s",
                       (unsigned long long)m->open_max, word, addr_checksum(who).s);
    struct u256 left, need;
    uint64_t remaining = 0;
    if (!u256_sub(&left, *poco_order_volume(o), f->consumed) || u256_is_zero(left) ||
        !u256_to_u64(left, &remaining))
        return sr_fail(err, SR_E_REFUSED, "order already consumed");
    if (!order_stake(o, remaining, &need) || u256_cmp(need, f->stake) > 0) {
        if (o->kind == POCO_WORKERPOOL)
            return sr_fail(err, SR_E_REFUSED,
                           "workerpool owner's stake is too low to cover required workerpool lock");
        char dec[U256_DEC_MAX];
        u256_to_dec(dec, need);
        return sr_fail(err, SR_E_REFUSED,
                       "requester stake is too low to cover requestorder payment, minimum stake "
                       "required is %s nRLC",
                       dec);
    }
    if (o->kind == POCO_REQUEST) {
        SR_TRY(need_an_order(m, o, POCO_APP, err));
        if (!addr_is_zero(&o->request.dataset)) SR_TRY(need_an_order(m, o, POCO_DATASET, err));
    }
    *ret_remaining = remaining;
    return SR_OK;
}

static sr_status already_there(struct market *m, const struct hash *h, struct sr_err *err) {
    struct order_row r;
    sr_status st = order_load(m, h, &r, NULL, NULL);
    if (st == SR_E_NOTFOUND || (st == SR_OK && r.status == ORDER_DEAD)) return SR_OK;
    if (st != SR_OK) return sr_fail(err, st, "orders");
    return sr_fail(err, SR_E_REFUSED, "order already published");
}

/* Judges by the index, else by the chain, such that no block is indexed between reading and
 * storing.
 */
static sr_status accept(struct market *m, const struct poco_order *o,
                        const struct recovered *signature, const struct addr *who,
                        uint64_t *ret_remaining, struct sr_err *err) {
    const struct hash *h = &signature->hash;
    for (unsigned i = 0; i < READ_AGAIN; i++) {
        while (m->stepping) SR_TRY(fcond_wait(&m->step_done, 30000, err));
        uint64_t step = m->step_no;
        struct facts f;
        SR_TRY(group_join(m, err)); /* from here to the row no index writes */
        SR_TRY(already_there(m, h, err));
        if (!facts_by_index(m, o, signature, who, &f)) {
            SR_TRY(facts_by_chain(m, o, h, who, &f, err));
            if (m->step_no != step) continue;
            SR_TRY(group_join(m, err));
            SR_TRY(already_there(m, h, err));
            struct facts now; /* another process may have indexed a block meanwhile */
            if (db_is_shared(m->db) && facts_by_index(m, o, signature, who, &now)) f = now;
        }
        SR_TRY(judge(m, o, &f, who, ret_remaining, err));
        return order_store(m, o, h, who, *ret_remaining, clock_unix_ms(), err);
    }
    return sr_fail(err, SR_E_UNAVAILABLE, "the chain moves too fast");
}

/* *ret NULL: answered already. The official answer to a body that is no JSON is a 500. */
static sr_status read_body(struct http_req *rq, struct json **ret, struct sr_err *err) {
    struct slice body;
    SR_TRY(http_body(rq, &body, err));
    if (json_parse(body, ret, NULL) == SR_OK && json_is(json_root(*ret), JSON_OBJECT)) return SR_OK;
    json_free(*ret);
    *ret = NULL;
    return http_reply(rq, 500, "application/json; charset=utf-8",
                      SLICE_LIT("{\"ok\":false,\"error\":\"Internal error\"}"), err);
}

sr_status route_publish(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    poco_kind k = path_kind(rq);
    cleanup_json struct json *doc = NULL;
    cleanup_auth struct auth auth = {0};
    struct poco_order o;
    struct sr_err wrong = {0};
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(read_body(rq, &doc, err));
    if (!doc) return SR_OK;
    SR_TRY(auth_read(m, rq, &auth, err));
    sr_status st = read_order(json_root(doc), k, &o, &wrong); /* told after who asks is known */
    struct recovered order = {.sig = slice_of(o.sign.b, o.sign.n)};
    if (st == SR_OK) order.hash = poco_order_hash(&m->poco.domain, &o);
    struct recovered *both[] = {&auth.signature, st == SR_OK ? &order : NULL, NULL};
    SR_TRY(fiber_offload(recovered_all, both, err));
    SR_TRY(auth_use(m, &auth, err));
    if (st != SR_OK) {
        if (err) *err = wrong;
        return st;
    }
    const struct hash h = order.hash;
    const struct addr who = auth.who;
    uint64_t remaining;
    SR_TRY(accept(m, &o, &order, &who, &remaining, err));
    cleanup_buf struct buf text, b;
    buf_init(&text, MARKET_BODY_MAX * 6);
    buf_init(&b, MARKET_BODY_MAX * 7);
    struct order_row r;
    SR_TRY(order_load(m, &h, &r, &text, err)); /* as it was just stored */
    SR_TRY(group_wait(m, err));
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kbool(&w, "ok", true);
    jw_key(&w, "published");
    jw_obj(&w);
    order_item(&w, &r, buf_slice(&text), m->chain_id, k == POCO_DATASET);
    jw_end_obj(&w);
    jw_end_obj(&w);
    log_info("order_published", "kind=%s order=%s signer=%s", poco_kind_word[k], hash_text(&h).s,
             addr_text(&who).s);
    return http_reply_json(rq, 200, &b, err);
}

/* ---- unpublishing */

static sr_status withdraw(struct market *m, poco_kind k, const struct hash *h, struct sr_err *err) {
    struct buf b;
    struct addr resource = {{0}};
    buf_init(&b, 32);
    sr_status st = db_get_bytes(m->db, "SELECT resource FROM orders WHERE hash = $1",
                                DB_ARGS(db_hash(h)), &b, err);
    if (st == SR_OK && b.n == 20) memcpy(resource.b, b.p, 20);
    buf_done(&b);
    SR_TRY(st);
    SR_TRY(order_delete(m, h, err));
    if (k == POCO_APP || k == POCO_DATASET) SR_TRY(orders_check_requests(m, k, &resource, 0, err));
    return SR_OK;
}

static sr_status by_hash(struct market *m, poco_kind k, const struct json_val *body,
                         const struct addr *who, struct hash *ret, struct sr_err *err) {
    struct slice s = json_text(json_get(body, "orderHash"));
    struct hash h;
    struct order_row r;
    if (s.n == 0) return sr_fail(err, SR_E_MALFORMED, "orderHash is a required field");
    SR_TRY(q_hash_text("orderHash", s, &h, err));
    sr_status st = order_load(m, &h, &r, NULL, NULL);
    if (st != SR_OK && st != SR_E_NOTFOUND) return sr_fail(err, st, "orders");
    if (st == SR_E_NOTFOUND || r.kind != k || r.status != ORDER_OPEN)
        return sr_fail(err, SR_E_REFUSED, "%sorder with orderHash %s is not published",
                       poco_kind_word[k], hash_text(&h).s);
    if (!addr_eq(&r.signer, who))
        return sr_fail(err, SR_E_REFUSED, "only order signer %s can unpublish an order",
                       addr_checksum(&r.signer).s);
    *ret = h;
    return SR_OK;
}

static sr_status by_resource(struct market *m, poco_kind k, const struct json_val *body, bool all,
                             const struct addr *who, struct hash *h, size_t max, size_t *ret_n,
                             struct sr_err *err) {
    static const char *const fields[] = {"app", "dataset", "workerpool", "requester"};
    struct slice s = json_text(json_get(body, fields[k]));
    struct addr a;
    if (s.n == 0) return sr_fail(err, SR_E_MALFORMED, "%s is a required field", fields[k]);
    SR_TRY(q_addr_text(fields[k], s, &a, err));
    const char *sql = k == POCO_REQUEST
                          ? "SELECT hash FROM orders WHERE signer = $1 AND kind = $2 AND status = "
                            "0 AND requester = $3 ORDER BY published DESC, hash LIMIT $4"
                          : "SELECT hash FROM orders WHERE signer = $1 AND kind = $2 AND status = "
                            "0 AND resource = $3 ORDER BY published DESC, hash LIMIT $4";
    struct db_rows *q = NULL;
    SR_TRY(db_select(
        m->db, sql, DB_ARGS(db_addr(who), db_u64(k), db_addr(&a), db_u64(all ? max : 1)), &q, err));
    size_t n = 0;
    while (n < max && db_next(q)) h[n++] = db_col_hash(q, 0);
    SR_TRY(db_end(q, err));
    if (n == 0)
        return sr_fail(err, SR_E_REFUSED, "no open %sorder published by signer %s for %s %s",
                       poco_kind_word[k], addr_checksum(who).s, fields[k], addr_checksum(&a).s);
    *ret_n = n;
    return SR_OK;
}

sr_status route_unpublish(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    poco_kind k = path_kind(rq);
    cleanup_json struct json *doc = NULL;
    cleanup_auth struct auth auth = {0};
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(read_body(rq, &doc, err));
    if (!doc) return SR_OK;
    SR_TRY(auth_read(m, rq, &auth, err));
    struct recovered *one[] = {&auth.signature, NULL};
    SR_TRY(fiber_offload(recovered_all, one, err));
    SR_TRY(auth_use(m, &auth, err));
    const struct addr who = auth.who;
    struct slice target = json_text(json_get(json_root(doc), "target"));
    bool last = slice_is(target, "unpublish_last"), all = slice_is(target, "unpublish_all");
    if (target.n && !last && !all && !slice_is(target, "unpublish_orderHash"))
        return sr_fail(err, SR_E_MALFORMED,
                       "target must be one of the following values: unpublish_orderHash, "
                       "unpublish_last, unpublish_all");
    size_t n = 1, max = (size_t)m->open_max;
    cleanup_free struct hash *h = sr_calloc_n(max ? max : 1, sizeof *h);
    if (!h) return sr_fail(err, SR_E_NOMEM, "unpublish");
    if (last || all)
        SR_TRY(by_resource(m, k, json_root(doc), all, &who, h, max, &n, err));
    else
        SR_TRY(by_hash(m, k, json_root(doc), &who, h, err));
    SR_TRY(group_join(m, err));
    cleanup_db_tx struct db_tx tx = {0};
    size_t mark = live_mark(m);
    SR_TRY(db_begin(m->db, &tx, err));
    sr_status st = SR_OK;
    for (size_t i = 0; i < n && st == SR_OK; i++) st = withdraw(m, k, &h[i], err);
    if (st == SR_OK) st = db_commit(&tx, err);
    if (st != SR_OK) {
        counts_flush(m); /* they have followed what is now undone */
        live_back(m, mark);
        return st;
    }
    SR_TRY(group_wait(m, err));
    cleanup_buf struct buf b;
    buf_init(&b, 128 + n * 80);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kbool(&w, "ok", true);
    jw_key(&w, "unpublished");
    jw_arr(&w);
    for (size_t i = 0; i < n; i++) jw_hex(&w, slice_of(h[i].b, 32));
    jw_end_arr(&w);
    jw_end_obj(&w);
    log_info("order_unpublished", "kind=%s count=%zu signer=%s", poco_kind_word[k], n,
             addr_text(&who).s);
    return http_reply_json(rq, 200, &b, err);
}
