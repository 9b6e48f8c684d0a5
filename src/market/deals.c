/* SPDX-License-Identifier: Apache-2.0 */
/* deals.c - deals, categories, prices, figures  SPEC: services.md#25-deals-and-categories */
#include "eth/tx.h"
#include "market/market_int.h"

#define OHLC_ROWS 100

static void begin(struct jw *w) {
    jw_obj(w);
    jw_kbool(w, "ok", true);
}

/* ---- deals: the rows keep the ready JSON members */

static const struct {
    const char *name, *text;
} addr_filters[] = {
    {"requester", " AND requester = %s"},
    {"beneficiary", " AND beneficiary = %s"},
    {"app", " AND app = %s"},
    {"dataset", " AND dataset = %s"},
    {"workerpool", " AND workerpool = %s"},
    {"appOwner", " AND app_owner = %s"},
    {"datasetOwner", " AND dataset_owner = %s"},
    {"workerpoolOwner", " AND workerpool_owner = %s"},
};
static const struct {
    const char *name, *text;
} hash_filters[] = {
    {"apporderHash", " AND app_hash = %s"},
    {"datasetorderHash", " AND dataset_hash = %s"},
    {"workerpoolorderHash", " AND workerpool_hash = %s"},
    {"requestorderHash", " AND request_hash = %s"},
};

static sr_status deal_filters(struct http_req *rq, struct sel *s, struct sr_err *err) {
    bool given;
    uint64_t v;
    SR_TRY(q_int(rq, "category", 0, &given, &v, err));
    if (given) sel_i64(s, " AND category = %s", (int64_t)v);
    for (size_t i = 0; i < SR_ARRAY_LEN(addr_filters); i++) {
        q_state st;
        struct addr a;
        SR_TRY(q_addr(rq, addr_filters[i].name, false, &st, &a, err));
        if (st == Q_GIVEN) sel_addr(s, addr_filters[i].text, &a);
    }
    for (size_t i = 0; i < SR_ARRAY_LEN(hash_filters); i++) {
        struct hash h;
        SR_TRY(q_hash(rq, hash_filters[i].name, &given, &h, err));
        if (given) sel_hash(s, hash_filters[i].text, &h);
    }
    return SR_OK;
}

static sr_status write_deals(struct market *m, struct jw *w, struct sel *s, const struct q_page *pg,
                             uint64_t *ret_rows, uint64_t *ret_count, struct sr_err *err) {
    cleanup_buf struct buf sql;
    buf_init(&sql, 16384);
    buf_str(&sql, "SELECT COUNT(*) FROM deal WHERE block >= 0");
    buf_add(&sql, buf_slice(&s->where));
    SR_TRY(db_get_u64(m->read, buf_cstr(&sql), s->args, s->n, ret_count, err));
    buf_clear(&sql);
    size_t n = s->n;
    buf_str(&sql, "SELECT json FROM deal WHERE block >= 0");
    buf_add(&sql, buf_slice(&s->where));
    buf_printf(&sql, " ORDER BY block DESC, id ASC LIMIT $%zu OFFSET $%zu", n + 1, n + 2);
    struct db_val args[SEL_ARGS + 2];
    memcpy(args, s->args, n * sizeof *args);
    args[n] = db_u64(pg->limit);
    args[n + 1] = db_u64(pg->skip);
    SR_TRY(buf_status(&sql, err));
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->read, buf_cstr(&sql), args, n + 2, &q, err));
    *ret_rows = 0;
    while (db_next(q)) {
        jw_raw(w, db_col_bytes(q, 0));
        ++*ret_rows;
    }
    return db_end(q, err);
}

sr_status route_deals(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct q_page pg;
    uint64_t rows, count;
    cleanup_sel struct sel s;
    sel_init(&s);
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(deal_filters(rq, &s, err));
    SR_TRY(q_page(rq, &pg, err));
    cleanup_buf struct buf b;
    buf_init(&b, 64u << 20);
    struct jw w = jw_of(&b);
    begin(&w);
    jw_key(&w, "deals");
    jw_arr(&w);
    SR_TRY(write_deals(m, &w, &s, &pg, &rows, &count, err));
    jw_end_arr(&w);
    jw_ku64(&w, "count", count);
    if (rows == pg.limit) jw_ku64(&w, "nextPage", pg.skip + pg.limit);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

/* {ok, ...members of the deal} */
static sr_status reply_deal(struct market *m, struct http_req *rq, const struct hash *id,
                            struct sr_err *err) {
    cleanup_buf struct buf json, b;
    buf_init(&json, 1u << 20);
    buf_init(&b, 1u << 21);
    sr_status st = db_get_bytes(m->read, "SELECT json FROM deal WHERE id = $1",
                                DB_ARGS(db_hash(id)), &json, NULL);
    if (st == SR_E_NOTFOUND) return sr_fail(err, st, "deal not found");
    if (st != SR_OK) return sr_fail(err, st, "deals");
    buf_str(&b, "{\"ok\":true,");
    buf_put(&b, json.p + 1, json.n - 1);
    return http_reply_json(rq, 200, &b, err);
}

sr_status route_deal(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct hash id;
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(q_hash_text("dealid", http_param(rq, "dealid"), &id, err));
    return reply_deal(m, rq, &id, err);
}

/* ---- categories */

static void category_members(struct jw *w, struct db_rows *q) {
    char iso[25];
    struct hash tx = db_col_hash(q, 4);
    iso8601(iso, db_col_u64(q, 6) * 1000);
    jw_kstr(w, "name", db_col_bytes(q, 1));
    jw_kstr(w, "description", db_col_bytes(q, 2));
    jw_ku64(w, "workClockTimeRef", db_col_u64(q, 3));
    jw_khash(w, "transactionHash", &tx);
    jw_ku64(w, "blockNumber", db_col_u64(q, 5));
    jw_kcstr(w, "blockTimestamp", iso);
}

sr_status route_category(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    uint64_t id;
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(q_int_text("catid", http_param(rq, "catid"), 0, &id, err));
    cleanup_db_rows struct db_rows *q = NULL;
    SR_TRY(db_select(m->read,
                     "SELECT id, name, description, timeref, tx, block, time FROM category WHERE "
                     "id = $1",
                     DB_ARGS(db_u64(id)), &q, err));
    if (!db_next(q)) {
        SR_TRY(db_end(sr_take_ptr(q), err));
        return sr_fail(err, SR_E_NOTFOUND, "category not found");
    }
    cleanup_buf struct buf b;
    buf_init(&b, 65536);
    struct jw w = jw_of(&b);
    begin(&w);
    jw_ku64(&w, "catid", id);
    jw_key(&w, "chainId");
    jw_u256_dec(&w, u256_of(m->chain_id));
    category_members(&w, q);
    jw_end_obj(&w);
    SR_TRY(db_end(sr_take_ptr(q), err));
    return http_reply_json(rq, 200, &b, err);
}

sr_status route_categories(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    bool has_min, has_max;
    uint64_t min = 0, max = POCO_SAFE_MAX, count, rows = 0;
    struct q_page pg;
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(q_int(rq, "minWorkClockTimeRef", 0, &has_min, &min, err));
    SR_TRY(q_int(rq, "maxWorkClockTimeRef", 0, &has_max, &max, err));
    SR_TRY(q_page(rq, &pg, err));
    SR_TRY(db_get_u64(m->read,
                      "SELECT COUNT(*) FROM category WHERE timeref >= $1 AND timeref <= $2",
                      DB_ARGS(db_u64(min), db_u64(max)), &count, err));
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->read,
                     "SELECT id, name, description, timeref, tx, block, time FROM category WHERE "
                     "timeref >= $1 AND timeref <= $2 ORDER BY timeref, id LIMIT $3 OFFSET $4",
                     DB_ARGS(db_u64(min), db_u64(max), db_u64(pg.limit), db_u64(pg.skip)), &q,
                     err));
    cleanup_buf struct buf b;
    buf_init(&b, 8u << 20);
    struct jw w = jw_of(&b);
    begin(&w);
    jw_key(&w, "categories");
    jw_arr(&w);
    for (; db_next(q); rows++) {
        jw_obj(&w);
        jw_ku64(&w, "catid", db_col_u64(q, 0));
        jw_ku64(&w, "chainId", m->chain_id);
        category_members(&w, q);
        jw_end_obj(&w);
    }
    SR_TRY(db_end(q, err));
    jw_end_arr(&w);
    jw_ku64(&w, "count", count);
    if (rows == pg.limit) jw_ku64(&w, "nextPage", pg.skip + pg.limit);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

/* ---- prices paid, figures, version */

sr_status route_ohlc(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    bool given;
    uint64_t category;
    SR_TRY(q_chain(m, rq, err));
    SR_TRY(q_int(rq, "category", 0, &given, &category, err));
    if (!given) return sr_fail(err, SR_E_MALFORMED, "category is a required field");
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->read,
                     "SELECT time, price, volume FROM deal WHERE category = $1 ORDER BY block "
                     "DESC, price ASC, id ASC LIMIT 100",
                     DB_ARGS(db_u64(category)), &q, err));
    cleanup_buf struct buf b;
    buf_init(&b, 65536);
    struct jw w = jw_of(&b);
    begin(&w);
    jw_key(&w, "ohlc");
    jw_arr(&w);
    for (unsigned i = 0; i < OHLC_ROWS && db_next(q); i++) {
        char iso[25];
        iso8601(iso, db_col_u64(q, 0) * 1000);
        jw_arr(&w);
        jw_cstr(&w, iso);
        jw_u64(&w, db_col_u64(q, 1));
        jw_u64(&w, db_col_u64(q, 2));
        jw_end_arr(&w);
    }
    SR_TRY(db_end(q, err));
    jw_end_arr(&w);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

sr_status route_metrics(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    SR_TRY(q_chain(m, rq, err));
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    begin(&w);
    jw_ku64(&w, "lastBlock", m->head);
    jw_ku64(&w, "checkpointBlock", m->head > 10 ? m->head - 10 : 0);
    for (unsigned k = 0; k < POCO_KINDS; k++) {
        static const char *const names[] = {"apporders", "datasetorders", "workerpoolorders",
                                            "requestorders"};
        uint64_t n;
        SR_TRY(db_get_u64(m->read, "SELECT COUNT(*) FROM orders WHERE kind = $1 AND status = 0",
                          DB_ARGS(db_u64(k)), &n, err));
        jw_ku64(&w, names[k], n);
    }
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

sr_status route_version(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    cleanup_buf struct buf b;
    buf_init(&b, 128);
    struct jw w = jw_of(&b);
    begin(&w);
    jw_kcstr(&w, "version", MARKET_VERSION);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

/* SPEC: services.md#7-compass */
sr_status route_compass(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct addr a;
    uint64_t chain;
    if (!num_u64(http_param(rq, "chainId"), UINT64_MAX, &chain) || chain != m->chain_id)
        return sr_fail(err, SR_E_NOTFOUND, "unknown chain");
    SR_TRY(q_addr_text("address", http_param(rq, "address"), &a, err));
    if (!m->scheduler_url || !m->has_workerpool || !addr_eq(&a, &m->workerpool))
        return sr_fail(err, SR_E_NOTFOUND, "workerpool not found");
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kcstr(&w, "apiUrl", m->scheduler_url);
    jw_kcstr(&w, "address", addr_checksum(&a).s);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

/* An app by its name, from the file that who installs apps keeps (docs/wire.md, "apps.json"): read
 * anew each time, it is small and seldom asked for. "web3mail-tdx" is the name of web3mail for
 * clients that know several kinds of rooms.   SPEC: services.md#7-compass */
sr_status route_compass_app(struct http_req *rq, void *role, struct sr_err *err) {
    static const char kind[] = "-tdx";
    struct market *m = role;
    struct slice name = http_param(rq, "name");
    uint64_t chain;
    struct addr a;
    cleanup_buf struct buf text, b;
    cleanup_json struct json *doc = NULL;
    cleanup_free char *key = NULL;
    buf_init(&text, APPS_FILE_MAX);
    buf_init(&b, 256);
    if (!num_u64(http_param(rq, "chainId"), UINT64_MAX, &chain) || chain != m->chain_id)
        return sr_fail(err, SR_E_NOTFOUND, "unknown chain");
    if (m->apps_file && fs_exists(m->apps_file)) {
        struct sr_err why = {0};
        sr_status st = fs_read(m->apps_file, &text, &why);
        if (st == SR_OK) st = json_parse(buf_slice(&text), &doc, &why);
        if (st != SR_OK) /* ours, not the client's: 500 */
            return sr_fail(err, SR_E_UNAVAILABLE, "%s: %s", m->apps_file, why.what);
    }
    if (!(key = slice_dup(name))) return sr_fail(err, SR_E_NOMEM, "out of memory");
    const struct json_val *apps = json_get(doc ? json_root(doc) : NULL, "apps");
    bool found = json_addr(json_get(apps, key), &a);
    size_t n = strlen(key), tail = sizeof kind - 1;
    if (!found && n > tail && strcmp(key + n - tail, kind) == 0) {
        key[n - tail] = 0;
        found = json_addr(json_get(apps, key), &a);
    }
    if (!found) return sr_fail(err, SR_E_NOTFOUND, "app not found");
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kcstr(&w, "address", addr_checksum(&a).s);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

/* ---- ours: the same deals, with their tasks */

static const char latest_tasks[] =
    "SELECT task, deal, idx, status, results, digest, block, time FROM task_event AS e WHERE deal "
    "= $1 AND NOT EXISTS (SELECT 1 FROM task_event AS f WHERE f.task = e.task AND (f.block > "
    "e.block OR (f.block = e.block AND f.log > e.log))) LIMIT 64";

static void task_members(struct jw *w, struct db_rows *q) {
    struct hash task = db_col_hash(q, 0), deal = db_col_hash(q, 1), digest = db_col_hash(q, 5);
    jw_khash(w, "task", &task);
    jw_khash(w, "deal", &deal);
    jw_key(w, "index");
    jw_raw(w, db_col_bytes(q, 2));
    jw_ku64(w, "status", db_col_u64(q, 3));
    jw_khex(w, "results", db_col_bytes(q, 4));
    jw_khash(w, "resultDigest", &digest);
    jw_ku64(w, "block", db_col_u64(q, 6));
    jw_ku64(w, "time", db_col_u64(q, 7));
}

sr_status v1_deal(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct hash id;
    SR_TRY(q_hash_text("deal", http_param(rq, "deal"), &id, err));
    cleanup_buf struct buf json, b;
    buf_init(&json, 1u << 20);
    buf_init(&b, 2u << 20);
    sr_status st = db_get_bytes(m->read, "SELECT json FROM deal WHERE id = $1",
                                DB_ARGS(db_hash(&id)), &json, NULL);
    if (st == SR_E_NOTFOUND) return sr_fail(err, st, "deal not found");
    if (st != SR_OK) return sr_fail(err, st, "deals");
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->read, latest_tasks, DB_ARGS(db_hash(&id)), &q, err));
    buf_put(&b, json.p, json.n - 1); /* without its closing brace */
    buf_str(&b, ",\"tasks\":");
    struct jw w = jw_of(&b);
    jw_arr(&w);
    while (db_next(q)) {
        jw_obj(&w);
        task_members(&w, q);
        jw_end_obj(&w);
    }
    SR_TRY(db_end(q, err));
    jw_end_arr(&w);
    buf_str(&b, "}");
    return http_reply_json(rq, 200, &b, err);
}

sr_status v1_deals(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct q_page pg;
    uint64_t rows, count;
    cleanup_sel struct sel s;
    sel_init(&s);
    SR_TRY(deal_filters(rq, &s, err));
    SR_TRY(v1_page(rq, &pg, err));
    cleanup_buf struct buf b;
    buf_init(&b, 64u << 20);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_key(&w, "deals");
    jw_arr(&w);
    SR_TRY(write_deals(m, &w, &s, &pg, &rows, &count, err));
    jw_end_arr(&w);
    jw_ku64(&w, "count", count);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

sr_status v1_task(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct hash id;
    SR_TRY(q_hash_text("task", http_param(rq, "task"), &id, err));
    cleanup_db_rows struct db_rows *q = NULL;
    SR_TRY(db_select(m->read,
                     "SELECT task, deal, idx, status, results, digest, block, time FROM task_event "
                     "WHERE task = $1 ORDER BY block DESC, log DESC LIMIT 1",
                     DB_ARGS(db_hash(&id)), &q, err));
    if (!db_next(q)) {
        SR_TRY(db_end(sr_take_ptr(q), err));
        return sr_fail(err, SR_E_NOTFOUND, "task not found");
    }
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    task_members(&w, q);
    jw_end_obj(&w);
    SR_TRY(db_end(sr_take_ptr(q), err));
    return http_reply_json(rq, 200, &b, err);
}
