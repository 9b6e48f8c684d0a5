/* SPDX-License-Identifier: Apache-2.0 */
/* v1.c - our own routes: what the index knows, and being told when it changes
 * SPEC: docs/wire.md, "Market /v1/" */
#include "eth/tx.h"
#include "market/market_int.h"

#define STREAM_BEAT_MS 15000

sr_status v1_page(struct http_req *rq, struct q_page *ret, struct sr_err *err) {
    bool given;
    uint64_t page = 0, size = MARKET_PAGE;
    SR_TRY(q_int(rq, "page", 0, &given, &page, err));
    SR_TRY(q_int(rq, "size", 1, &given, &size, err));
    if (size > MARKET_PAGE_MAX)
        return sr_fail(err, SR_E_MALFORMED, "size must be less than or equal to %u",
                       MARKET_PAGE_MAX);
    ret->limit = size;
    if (__builtin_mul_overflow(page, size, &ret->skip) || ret->skip > INT64_MAX)
        ret->skip = INT64_MAX;
    return SR_OK;
}

#define RESOURCE_COLUMNS "address, owner, name, multiaddr, checksum, schema, block, time, type, tx"

static void resource_members(struct jw *w, struct db_rows *q, poco_kind k) {
    struct addr a = db_col_addr(q, 0), owner = db_col_addr(q, 1);
    struct hash sum = db_col_hash(q, 4), tx = db_col_hash(q, 9);
    jw_kcstr(w, "address", addr_checksum(&a).s);
    jw_kcstr(w, "owner", addr_checksum(&owner).s);
    jw_kstr(w, "name", db_col_bytes(q, 2));
    if (k != POCO_WORKERPOOL) {
        jw_kstr(w, "multiaddr", db_col_bytes(q, 3));
        jw_khash(w, "checksum", &sum);
    }
    if (k == POCO_APP) jw_kstr(w, "type", db_col_bytes(q, 8));
    if (k == POCO_DATASET) {
        cleanup_json struct json *doc = NULL;
        struct slice schema = db_col_bytes(q, 5);
        jw_key(w, "schema");
        /* whoever makes a data set chooses this text: only JSON is passed on */
        if (schema.n && json_parse(schema, &doc, NULL) == SR_OK)
            jw_raw(w, json_raw(json_root(doc)));
        else
            jw_null(w);
    }
    jw_ku64(w, "block", db_col_u64(q, 6));
    jw_ku64(w, "time", db_col_u64(q, 7));
    jw_khash(w, "tx", &tx);
}

static poco_kind resource_kind(struct http_req *rq) {
    struct slice p = http_path(rq);
    return slice_starts(p, "/v1/apps")          ? POCO_APP
           : slice_starts(p, "/v1/workerpools") ? POCO_WORKERPOOL
                                                : POCO_DATASET;
}

sr_status v1_datasets(struct http_req *rq, void *role, struct sr_err *err) {
    static const char *const names[] = {"apps", "datasets", "workerpools"};
    struct market *m = role;
    poco_kind k = resource_kind(rq);
    struct q_page pg;
    q_state st;
    struct addr owner;
    uint64_t count;
    cleanup_sel struct sel s;
    sel_init(&s);
    SR_TRY(q_addr(rq, "owner", true, &st, &owner, err));
    SR_TRY(v1_page(rq, &pg, err));
    sel_i64(&s, " kind = %s", k);
    if (st == Q_GIVEN) sel_addr(&s, " AND owner = %s", &owner);
    cleanup_buf struct buf sql, b;
    buf_init(&sql, 4096);
    buf_init(&b, 64u << 20);
    buf_str(&sql, "SELECT COUNT(*) FROM resource WHERE");
    buf_add(&sql, buf_slice(&s.where));
    SR_TRY(db_get_u64(m->read, buf_cstr(&sql), s.args, s.n, &count, err));
    buf_clear(&sql);
    buf_str(&sql, "SELECT " RESOURCE_COLUMNS " FROM resource WHERE");
    buf_add(&sql, buf_slice(&s.where));
    buf_printf(&sql, " ORDER BY block DESC, log DESC LIMIT $%zu OFFSET $%zu", s.n + 1, s.n + 2);
    s.args[s.n++] = db_u64(pg.limit);
    s.args[s.n++] = db_u64(pg.skip);
    SR_TRY(buf_status(&sql, err));
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->read, buf_cstr(&sql), s.args, s.n, &q, err));
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_ku64(&w, "count", count);
    jw_key(&w, names[k]);
    jw_arr(&w);
    while (db_next(q)) {
        jw_obj(&w);
        resource_members(&w, q, k);
        jw_end_obj(&w);
    }
    SR_TRY(db_end(q, err));
    jw_end_arr(&w);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

sr_status v1_dataset(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    poco_kind k = resource_kind(rq);
    struct addr a;
    SR_TRY(q_addr_text("address", http_param(rq, "address"), &a, err));
    cleanup_db_rows struct db_rows *q = NULL;
    SR_TRY(db_select(m->read,
                     "SELECT " RESOURCE_COLUMNS " FROM resource WHERE address = $1 AND kind = $2",
                     DB_ARGS(db_addr(&a), db_u64(k)), &q, err));
    if (!db_next(q)) {
        SR_TRY(db_end(sr_take_ptr(q), err));
        return sr_fail(err, SR_E_NOTFOUND, "%s not found", poco_kind_word[k]);
    }
    cleanup_buf struct buf b;
    buf_init(&b, 2u << 20);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    resource_members(&w, q, k);
    jw_end_obj(&w);
    SR_TRY(db_end(sr_take_ptr(q), err));
    return http_reply_json(rq, 200, &b, err);
}

sr_status v1_head(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    cleanup_buf struct buf b;
    buf_init(&b, 512);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_ku64(&w, "block", m->head);
    jw_khash(&w, "hash", &m->head_hash);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

/* ---- being told: what happened to one deal or task, or the head alone */

struct watch {
    bool has_deal, has_task;
    struct hash deal, task;
    uint64_t last_block, last_log; /* of the task events told */
    bool deal_told;
    uint64_t head_told;
};

static sr_status tell(struct http_req *rq, const char *event, struct buf *json,
                      struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, json->n + 256);
    buf_printf(&b, "event: %s\ndata: ", event);
    buf_add(&b, buf_slice(json));
    buf_str(&b, "\n\n");
    SR_TRY(buf_status(&b, err));
    return http_send(rq, buf_slice(&b), err);
}

/* Rows are read whole before anything is sent: sending waits. */
static sr_status tell_tasks(struct market *m, struct http_req *rq, struct watch *t,
                            struct sr_err *err) {
    for (;;) {
        const char *sql =
            t->has_task
                ? "SELECT task, deal, idx, status, results, digest, block, log FROM task_event "
                  "WHERE task = $1 AND (block > $2 OR (block = $2 AND log > $3)) ORDER BY block, "
                  "log LIMIT 1"
                : "SELECT task, deal, idx, status, results, digest, block, log FROM task_event "
                  "WHERE deal = $1 AND (block > $2 OR (block = $2 AND log > $3)) ORDER BY block, "
                  "log LIMIT 1";
        cleanup_buf struct buf b;
        buf_init(&b, 1u << 20);
        struct db_rows *q = NULL;
        SR_TRY(db_select(m->read, sql,
                         DB_ARGS(db_hash(t->has_task ? &t->task : &t->deal), db_u64(t->last_block),
                                 db_u64(t->last_log)),
                         &q, err));
        bool more = db_next(q);
        if (more) {
            struct hash task = db_col_hash(q, 0), deal = db_col_hash(q, 1),
                        digest = db_col_hash(q, 5);
            struct jw w = jw_of(&b);
            jw_obj(&w);
            jw_khash(&w, "task", &task);
            jw_khash(&w, "deal", &deal);
            jw_key(&w, "index");
            jw_raw(&w, db_col_bytes(q, 2));
            jw_ku64(&w, "status", db_col_u64(q, 3));
            jw_khex(&w, "results", db_col_bytes(q, 4));
            jw_khash(&w, "resultDigest", &digest);
            jw_ku64(&w, "block", db_col_u64(q, 6));
            jw_end_obj(&w);
            t->last_block = db_col_u64(q, 6);
            t->last_log = db_col_u64(q, 7);
        }
        SR_TRY(db_end(q, err));
        if (!more) return SR_OK;
        SR_TRY(tell(rq, "task", &b, err));
    }
}

static sr_status tell_news(struct market *m, struct http_req *rq, struct watch *t,
                           struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    if (t->has_deal && !t->deal_told) {
        sr_status st = db_get_bytes(m->read, "SELECT json FROM deal WHERE id = $1",
                                    DB_ARGS(db_hash(&t->deal)), &b, NULL);
        if (st == SR_OK) {
            t->deal_told = true;
            SR_TRY(tell(rq, "deal", &b, err));
        }
    }
    if (t->has_deal || t->has_task) return tell_tasks(m, rq, t, err);
    if (t->head_told == m->head) return SR_OK;
    t->head_told = m->head;
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_ku64(&w, "block", m->head);
    jw_khash(&w, "hash", &m->head_hash);
    jw_end_obj(&w);
    return tell(rq, "head", &b, err);
}

static sr_status stream(struct market *m, struct http_req *rq, struct watch *t,
                        struct sr_err *err) {
    SR_TRY(http_reply_start(rq, 200, "text/event-stream", UINT64_MAX, err));
    for (;;) {
        uint64_t seen = m->change_no;
        SR_TRY(tell_news(m, rq, t, err));
        while (m->change_no == seen) {
            sr_status st = fcond_wait(&m->changed, STREAM_BEAT_MS, NULL);
            if (st == SR_E_CANCELLED) return sr_fail(err, st, "the market stops");
            if (http_client_gone(rq)) return sr_fail(err, SR_E_CANCELLED, "the client left");
            if (st == SR_E_TIMEOUT) SR_TRY(http_send(rq, SLICE_LIT(": still here\n\n"), err));
        }
    }
}

/* GET /v1/events[?deal=|task=]: server-sent events, what is known first, then each change */
sr_status v1_events(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct watch t = {.head_told = UINT64_MAX};
    SR_TRY(q_hash(rq, "deal", &t.has_deal, &t.deal, err));
    SR_TRY(q_hash(rq, "task", &t.has_task, &t.task, err));
    if (m->streams >= MARKET_STREAMS_MAX)
        return sr_fail(err, SR_E_UNAVAILABLE, "too many open event streams");
    m->streams++;
    sr_status st = stream(m, rq, &t, err);
    m->streams--;
    return st;
}
