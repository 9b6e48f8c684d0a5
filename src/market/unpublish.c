/* SPDX-License-Identifier: Apache-2.0 */
/* unpublish.c - orders out of the book  SPEC: services.md#27-unpublishing */
#include "eth/tx.h"
#include "market/market_int.h"
#include <stdlib.h>

struct unpublish {
    struct authed authed; /* first: it is the job */
    struct json *doc;
    poco_kind kind;
    struct hash *gone; /* owned; result */
    size_t n;
};

static void unpublish_free(struct unpublish *u) {
    if (!u) return;
    json_free(u->doc);
    authed_done(&u->authed);
    free(u->gone);
    free(u);
}

static void drop(struct commit_job *job) {
    unpublish_free((struct unpublish *)job);
}

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
    sr_status st = order_load(m->db, &h, &r, NULL, NULL);
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

/* What is asked for, in the transaction. */
static sr_status find(struct market *m, struct unpublish *u, struct sr_err *err) {
    const struct json_val *body = json_root(u->doc);
    struct slice target = json_text(json_get(body, "target"));
    bool last = slice_is(target, "unpublish_last"), all = slice_is(target, "unpublish_all");
    if (target.n && !last && !all && !slice_is(target, "unpublish_orderHash"))
        return sr_fail(err, SR_E_MALFORMED,
                       "target must be one of the following values: unpublish_orderHash, "
                       "unpublish_last, unpublish_all");
    size_t max = all ? (size_t)m->open_max : 1;
    free(u->gone);
    u->gone = sr_calloc_n(max, sizeof *u->gone);
    u->n = 1;
    if (!u->gone) return sr_fail(err, SR_E_NOMEM, "unpublish");
    if (last || all)
        return by_resource(m, u->kind, body, all, &u->authed.who, u->gone, max, &u->n, err);
    return by_hash(m, u->kind, body, &u->authed.who, u->gone, err);
}

static sr_status one(struct market *m, struct unpublish *u, struct sr_err *err) {
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(find(m, u, err));
    SR_TRY(db_begin(m->db, &tx, err));
    for (size_t i = 0; i < u->n; i++) SR_TRY(withdraw(m, u->kind, &u->gone[i], err));
    return db_commit(&tx, err);
}

static sr_status run(void *role, struct commit_job **jobs, size_t n, struct sr_err *err) {
    struct market *m = role;
    struct authed *who[COMMIT_JOBS];
    for (size_t i = 0; i < n; i++) who[i] = &((struct unpublish *)jobs[i])->authed;
    SR_TRY(auth_use_all(m, who, n, NULL, 0, err));
    for (size_t i = 0; i < n; i++) {
        if (!authed_goes_on(who[i])) continue;
        size_t mark = changes_mark(m);
        who[i]->job.st = one(m, (struct unpublish *)who[i], &who[i]->job.why);
        if (who[i]->job.st != SR_OK) changes_back(m, mark);
    }
    return SR_OK;
}

static void free_unpublish(struct unpublish **u) {
    unpublish_free(*u);
}

sr_status route_unpublish(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    __attribute__((cleanup(free_unpublish))) struct unpublish *u = NULL;
    SR_TRY(q_chain(m, rq, err));
    u = sr_calloc_n(1, sizeof *u);
    if (!u) return sr_fail(err, SR_E_NOMEM, "unpublish");
    u->kind = path_kind(rq);
    u->authed.job.run = run;
    u->authed.job.drop = drop;
    SR_TRY(read_body(rq, &u->doc, err));
    if (!u->doc) return SR_OK;
    SR_TRY(auth_read(rq, &u->authed, err));
    struct recovered *who[] = {&u->authed.signature, NULL};
    SR_TRY(fiber_offload(recovered_all, who, err));
    SR_TRY(auth_is_signed(m, &u->authed, err));
    struct commit_job *job = &u->authed.job;
    sr_status st = commit_do(m->group, &job, err);
    if (!job) u = NULL; /* it runs yet */
    SR_TRY(st);
    SR_ASSERT(u); /* only a failure leaves it behind */
    cleanup_buf struct buf b;
    buf_init(&b, 128 + u->n * 80);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kbool(&w, "ok", true);
    jw_key(&w, "unpublished");
    jw_arr(&w);
    for (size_t i = 0; i < u->n; i++) jw_hex(&w, slice_of(u->gone[i].b, 32));
    jw_end_arr(&w);
    jw_end_obj(&w);
    log_info("order_unpublished", "kind=%s count=%zu signer=%s", poco_kind_word[u->kind], u->n,
             addr_text(&u->authed.who).s);
    return http_reply_json(rq, 200, &b, err);
}
