/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.c - what the official clients ask a workerpool: tasks, replicates, logs, version, metrics
 *
 * SPEC: services.md#8-workerpool-public-api,
 * execution.md#15-public-endpoints-clients-depend-on-scheduler-public-apijson-r
 */
#include "scheduler/sched_int.h"
#include <stdio.h>
#include <stdlib.h>

#define CHALLENGES_MAX    1024
#define CHALLENGE_LIFE_MS (60u * 60u * 1000u)
#define DOC_MAX           (4u << 20)
#define SERVICE_NAME      "iExec Core"

/* ---- small writers ---- */

static void put_date(struct jw *w, const char *key, uint64_t ms) {
    char z[25], text[40];
    iso8601(z, ms);
    (void)snprintf(text, sizeof text, "%.23s+00:00", z); /* an offset, where ours has Z */
    jw_kcstr(w, key, text);
}

static void put_knull(struct jw *w, const char *key) {
    jw_key(w, key);
    jw_null(w);
}

static void put_kint(struct jw *w, const char *key, int64_t v) {
    jw_key(w, key);
    jw_i64(w, v);
}

static sr_status task_of(struct http_req *rq, struct sched *s, struct task_row *ret,
                         struct sr_err *err) {
    struct hash id;
    if (!hash_parse(http_param(rq, "id"), &id)) return sr_fail(err, SR_E_NOTFOUND, "no such task");
    return task_load(s, &id, ret, err);
}

/* ---- the task document ---- */

static sr_status put_history(struct sched *s, const struct hash *id, struct jw *w,
                             struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    char last[40] = "RECEIVED";
    jw_key(w, "dateStatusList");
    jw_arr(w);
    SR_TRY(db_select(s->db,
                     "SELECT status, at_ms, block, tx FROM history WHERE task = $1 ORDER BY seq",
                     DB_ARGS(db_hash(id)), &r, err));
    while (db_next(r)) {
        struct slice status = db_col_bytes(r, 0);
        (void)snprintf(last, sizeof last, "%.*s", (int)status.n, status.p);
        jw_obj(w);
        put_date(w, "date", db_col_u64(r, 1));
        jw_kstr(w, "status", status);
        if (!db_col_is_null(r, 2) && !db_col_is_null(r, 3)) {
            struct hash tx = db_col_hash(r, 3);
            jw_key(w, "chainReceipt");
            jw_obj(w);
            jw_ku64(w, "blockNumber", db_col_u64(r, 2));
            jw_khash(w, "txHash", &tx);
            jw_end_obj(w);
        }
        jw_end_obj(w);
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    jw_end_arr(w);
    jw_kcstr(w, "currentStatus", last);
    return SR_OK;
}

static sr_status put_steps(struct sched *s, const struct hash *id, uint64_t n, struct jw *w,
                           struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    char last[48] = "CREATED";
    jw_key(w, "statusUpdateList");
    jw_arr(w);
    SR_TRY(db_select(s->db,
                     "SELECT status, cause, at_ms FROM attempt_step WHERE task = $1 AND n = $2"
                     " ORDER BY seq",
                     DB_ARGS(db_hash(id), db_u64(n)), &r, err));
    while (db_next(r)) {
        struct slice status = db_col_bytes(r, 0);
        (void)snprintf(last, sizeof last, "%.*s", (int)status.n, status.p);
        jw_obj(w);
        jw_kstr(w, "status", status);
        put_date(w, "date", db_col_u64(r, 2));
        if (!db_col_is_null(r, 1)) jw_kstr(w, "cause", db_col_bytes(r, 1));
        jw_end_obj(w);
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    jw_end_arr(w);
    jw_kcstr(w, "currentStatus", last);
    return SR_OK;
}

/* The attempts as replicates; wallet NULL: all of them in an array, else the last of that one. */
static sr_status put_replicates(struct sched *s, const struct hash *id, const struct addr *wallet,
                                struct jw *w, size_t *ret_n, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    size_t n = 0;
    if (wallet)
        SR_TRY(db_select(s->db,
                         "SELECT n, worker, exit_code FROM attempt WHERE task = $1 AND worker = $2"
                         " ORDER BY n DESC LIMIT 1",
                         DB_ARGS(db_hash(id), db_addr(wallet)), &r, err));
    else
        SR_TRY(db_select(s->db,
                         "SELECT n, worker, exit_code FROM attempt WHERE task = $1 ORDER BY n",
                         DB_ARGS(db_hash(id)), &r, err));
    while (db_next(r)) {
        struct addr worker = db_col_addr(r, 1);
        struct addr_text who = addr_checksum(&worker);
        cleanup_buf struct buf self;
        buf_init(&self, 256);
        buf_printf(&self, "/tasks/%s/replicates/%s", hash_text(id).s, who.s);
        jw_obj(w);
        jw_kstr(w, "self", buf_slice(&self));
        jw_khash(w, "chainTaskId", id);
        jw_kcstr(w, "walletAddress", who.s);
        SR_TRY(put_steps(s, id, db_col_u64(r, 0), w, err));
        if (!db_col_is_null(r, 2)) put_kint(w, "appExitCode", db_col_i64(r, 2));
        jw_end_obj(w);
        n++;
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    *ret_n = n;
    return SR_OK;
}

sr_status api_task(struct http_req *rq, void *sched, struct sr_err *err) {
    struct sched *s = sched;
    struct task_row t;
    cleanup_deal_row struct deal_row d = {0};
    cleanup_params struct poco_params p = {0};
    cleanup_buf struct buf b;
    uint64_t init_block = 0;
    size_t n;
    buf_init(&b, DOC_MAX);
    SR_TRY(task_of(rq, s, &t, err));
    SR_TRY(deal_load(s, &t.deal, &d, err));
    SR_TRY(poco_params_read(slice_str(d.params), &p, err));
    SR_TRY(db_get_u64(s->db, "SELECT coalesce(init_block, 0) FROM task WHERE id = $1",
                      DB_ARGS(db_hash(&t.id)), &init_block, err));
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_khash(&w, "chainTaskId", &t.id);
    jw_ku64(&w, "maxExecutionTime", d.seconds * 1000);
    jw_khash(&w, "tag", &d.tag);
    jw_kcstr(&w, "dappType", "DOCKER");
    jw_kcstr(&w, "dappName", d.app_multiaddr);
    jw_kstr(&w, "commandLine", p.has_args ? p.args : slice_of(NULL, 0));
    jw_ku64(&w, "initializationBlockNumber", init_block);
    jw_ku64(&w, "trust", d.trust);
    put_knull(&w, "uploadingWorkerWalletAddress");
    put_knull(&w, "consensus");
    put_date(&w, "contributionDeadline", d.contribution_deadline * 1000);
    put_knull(&w, "revealDeadline");
    put_date(&w, "finalDeadline", d.final_deadline * 1000);
    jw_kcstr(&w, "resultLink", "");
    jw_kcstr(&w, "chainCallbackData", "");
    SR_TRY(put_history(s, &t.id, &w, err));
    jw_key(&w, "replicates");
    jw_arr(&w);
    SR_TRY(put_replicates(s, &t.id, NULL, &w, &n, err));
    jw_end_arr(&w);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

sr_status api_replicate(struct http_req *rq, void *sched, struct sr_err *err) {
    struct sched *s = sched;
    struct task_row t;
    struct addr wallet;
    cleanup_buf struct buf b;
    size_t n = 0;
    buf_init(&b, DOC_MAX);
    SR_TRY(task_of(rq, s, &t, err));
    if (!addr_parse(http_param(rq, "wallet"), &wallet))
        return sr_fail(err, SR_E_NOTFOUND, "no such replicate");
    struct jw w = jw_of(&b);
    SR_TRY(put_replicates(s, &t.id, &wallet, &w, &n, err));
    if (n == 0) return sr_fail(err, SR_E_NOTFOUND, "no such replicate");
    return http_reply_json(rq, 200, &b, err);
}

/* ---- access to logs ---- */

struct challenge {
    struct addr who;
    char text[48];
    uint64_t until_ms;
};

void api_done(struct sched *s) {
    free(s->challenges);
    s->challenges = NULL;
}

static struct challenge *challenge_find(struct sched *s, const struct addr *who) {
    for (size_t i = 0; i < s->n_challenges; i++)
        if (addr_eq(&s->challenges[i].who, who) && s->challenges[i].until_ms > now_ms())
            return &s->challenges[i];
    return NULL;
}

/* One for each address, for an hour; asking again gives the same. The oldest makes room. */
static sr_status challenge_for(struct sched *s, const struct addr *who, struct challenge **ret,
                               struct sr_err *err) {
    struct challenge *c = challenge_find(s, who);
    if (!c) {
        uint8_t raw[32];
        cleanup_buf struct buf b;
        buf_init(&b, 64);
        SR_TRY(random_bytes(raw, sizeof raw, err));
        base64_encode(&b, slice_of(raw, sizeof raw));
        SR_TRY(buf_status(&b, err));
        if (!s->challenges) s->challenges = sr_calloc_n(CHALLENGES_MAX, sizeof *s->challenges);
        if (!s->challenges) return sr_fail(err, SR_E_NOMEM, "no memory for a challenge");
        if (s->n_challenges < CHALLENGES_MAX) {
            c = &s->challenges[s->n_challenges++];
        } else {
            c = &s->challenges[0];
            for (size_t i = 1; i < CHALLENGES_MAX; i++)
                if (s->challenges[i].until_ms < c->until_ms) c = &s->challenges[i];
        }
        c->who = *who;
        (void)snprintf(c->text, sizeof c->text, "%s", buf_cstr(&b));
        c->until_ms = now_ms() + CHALLENGE_LIFE_MS;
    }
    *ret = c;
    return SR_OK;
}

sr_status api_challenge(struct http_req *rq, void *sched, struct sr_err *err) {
    static const char types[] =
        "{\"EIP712Domain\":[{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"version\","
        "\"type\":\"string\"},{\"name\":\"chainId\",\"type\":\"uint256\"}],"
        "\"Challenge\":[{\"name\":\"challenge\",\"type\":\"string\"}]}";
    struct sched *s = sched;
    struct slice text;
    struct addr who;
    struct challenge *c = NULL;
    if (!http_query(rq, "address", &text) || !addr_parse(text, &who))
        return sr_fail(err, SR_E_MALFORMED, "address is missing or not an address");
    SR_TRY(challenge_for(s, &who, &c, err));
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_key(&w, "types");
    jw_raw(&w, slice_str(types));
    jw_key(&w, "domain");
    jw_obj(&w);
    jw_kcstr(&w, "name", SERVICE_NAME);
    jw_kcstr(&w, "version", "1");
    jw_ku64(&w, "chainId", s->cfg.chain_id);
    jw_end_obj(&w);
    jw_kcstr(&w, "primaryType", "Challenge");
    jw_key(&w, "message");
    jw_obj(&w);
    jw_kcstr(&w, "challenge", c->text);
    jw_end_obj(&w);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

/* "<digest>_<signature>_<address>" over the challenge given to that address. Only the requester may
 * be a contract: for others nobody asks the chain. */
static sr_status who_asks(struct http_req *rq, struct sched *s, const struct addr *requester,
                          struct addr *ret_who, struct sr_err *err) {
    struct slice header, digest_text, sig_text, addr_text_, rest;
    struct hash digest;
    struct addr who, signer;
    cleanup_buf struct buf sig;
    buf_init(&sig, POCO_SIGN_MAX);
    if (!http_header(rq, "authorization", &header) ||
        !slice_cut(header, '_', &digest_text, &rest) ||
        !slice_cut(rest, '_', &sig_text, &addr_text_) || !hash_parse(digest_text, &digest) ||
        !hex_decode_buf(sig_text, &sig) || sig.n == 0 || !addr_parse(addr_text_, &who)) {
        BUF_TRY_MEMORY(&sig, err);
        return sr_fail(err, SR_E_AUTH, "the Authorization header is missing or malformed");
    }
    struct challenge *c = challenge_find(s, &who);
    if (!c) return sr_fail(err, SR_E_AUTH, "no challenge was given to this address");
    struct hash want = eip712_challenge(SERVICE_NAME, s->cfg.chain_id, slice_str(c->text));
    bool same = hash_eq(&want, &digest), ok = same && sig.n == sizeof(struct sr_signature);
    ok = ok && secp_recover(&want, buf_slice(&sig), &signer, NULL) == SR_OK;
    ok = ok && addr_eq(&signer, &who);
    if (!ok && same && addr_eq(&who, requester)) /* by its own word (ERC-1271), if it is one */
        SR_TRY(eth_check_signature(s->rpc, &who, &want, buf_slice(&sig), (struct eth_at){0}, &ok,
                                   err));
    if (!ok)
        return sr_fail(err, SR_E_AUTH, "the signature is not this address's over its challenge");
    *ret_who = who;
    return SR_OK;
}

static sr_status may_read(struct http_req *rq, struct sched *s, const struct task_row *t,
                          struct sr_err *err) {
    struct addr who;
    cleanup_deal_row struct deal_row d = {0};
    SR_TRY(deal_load(s, &t->deal, &d, err));
    SR_TRY(who_asks(rq, s, &d.requester, &who, err));
    if (!addr_eq(&who, &d.requester))
        return sr_fail(err, SR_E_REFUSED, "only the requester of the task may read its logs");
    return SR_OK;
}

static sr_status put_logs(struct sched *s, const struct hash *id, const struct addr *wallet,
                          struct jw *w, size_t *ret_n, struct sr_err *err) {
    cleanup_db_rows struct db_rows *r = NULL;
    size_t n = 0;
    static const char all[] = "SELECT worker, stdout, stderr FROM attempt WHERE task = $1 AND"
                              " (stdout IS NOT NULL OR stderr IS NOT NULL) ORDER BY n";
    static const char one[] = "SELECT worker, stdout, stderr FROM attempt WHERE task = $1 AND"
                              " worker = $2 AND (stdout IS NOT NULL OR stderr IS NOT NULL)"
                              " ORDER BY n DESC LIMIT 1";
    if (wallet)
        SR_TRY(db_select(s->db, one, DB_ARGS(db_hash(id), db_addr(wallet)), &r, err));
    else
        SR_TRY(db_select(s->db, all, DB_ARGS(db_hash(id)), &r, err));
    while (db_next(r)) {
        struct addr worker = db_col_addr(r, 0);
        jw_obj(w);
        jw_kcstr(w, "walletAddress", addr_checksum(&worker).s);
        jw_kstr(w, "stdout", db_col_bytes(r, 1));
        jw_kstr(w, "stderr", db_col_bytes(r, 2));
        jw_end_obj(w);
        n++;
    }
    SR_TRY(db_end(sr_take_ptr(r), err));
    *ret_n = n;
    return SR_OK;
}

sr_status api_logs(struct http_req *rq, void *sched, struct sr_err *err) {
    struct sched *s = sched;
    struct task_row t;
    cleanup_buf struct buf b;
    size_t n = 0;
    buf_init(&b, DOC_MAX);
    SR_TRY(task_of(rq, s, &t, err));
    SR_TRY(may_read(rq, s, &t, err));
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_khash(&w, "chainTaskId", &t.id);
    jw_key(&w, "computeLogsList");
    jw_arr(&w);
    SR_TRY(put_logs(s, &t.id, NULL, &w, &n, err));
    jw_end_arr(&w);
    jw_end_obj(&w);
    if (n == 0) return sr_fail(err, SR_E_NOTFOUND, "the task has no logs");
    return http_reply_json(rq, 200, &b, err);
}

sr_status api_replicate_logs(struct http_req *rq, void *sched, struct sr_err *err) {
    struct sched *s = sched;
    struct task_row t;
    struct addr wallet;
    cleanup_buf struct buf b;
    size_t n = 0;
    buf_init(&b, DOC_MAX);
    SR_TRY(task_of(rq, s, &t, err));
    if (!addr_parse(http_param(rq, "wallet"), &wallet))
        return sr_fail(err, SR_E_NOTFOUND, "no such replicate");
    SR_TRY(may_read(rq, s, &t, err));
    struct jw w = jw_of(&b);
    SR_TRY(put_logs(s, &t.id, &wallet, &w, &n, err));
    if (n == 0) return sr_fail(err, SR_E_NOTFOUND, "the replicate has no logs");
    return http_reply_json(rq, 200, &b, err);
}

/* ---- operators ---- */

sr_status api_version(struct http_req *rq, void *sched, struct sr_err *err) {
    (void)sched;
    return http_reply(rq, 200, "text/plain; charset=utf-8", SLICE_LIT(SCHED_VERSION), err);
}

sr_status api_metrics(struct http_req *rq, void *sched, struct sr_err *err) {
    struct sched *s = sched;
    cleanup_buf struct buf b;
    cleanup_db_rows struct db_rows *r = NULL;
    uint64_t slots = 0, busy = 0, deals = 0, last = 0, by_status[5] = {0};
    buf_init(&b, 16384);
    for (struct pool_worker *k = s->workers; k; k = k->next) slots += k->gone ? 0 : k->slots;
    SR_TRY(db_get_u64(s->db, "SELECT count(*) FROM task WHERE active = 1", DB_NO_ARGS, &busy, err));
    SR_TRY(db_get_u64(s->db, "SELECT count(*) FROM deal", DB_NO_ARGS, &deals, err));
    SR_TRY(db_get_u64(s->db, "SELECT coalesce(max(block), 0) FROM deal", DB_NO_ARGS, &last, err));
    SR_TRY(
        db_select(s->db, "SELECT status, count(*) FROM task GROUP BY status", DB_NO_ARGS, &r, err));
    while (db_next(r))
        if (db_col_u64(r, 0) < 5) by_status[db_col_u64(r, 0)] = db_col_u64(r, 1);
    SR_TRY(db_end(sr_take_ptr(r), err));
    uint64_t free_slots = slots > busy ? slots - busy : 0;
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_ku64(&w, "aliveWorkers", s->n_workers);
    jw_ku64(&w, "aliveComputingCpu", slots - free_slots);
    jw_ku64(&w, "aliveRegisteredCpu", slots);
    jw_ku64(&w, "aliveComputingGpu", 0);
    jw_ku64(&w, "aliveRegisteredGpu", 0);
    jw_ku64(&w, "aliveAvailableCpu", free_slots);
    jw_ku64(&w, "aliveTotalCpu", slots);
    jw_ku64(&w, "aliveAvailableGpu", 0);
    jw_ku64(&w, "aliveTotalGpu", 0);
    jw_key(&w, "currentTaskStatusesCount");
    jw_obj(&w);
    jw_ku64(&w, "RECEIVED", by_status[TS_WAITING]);
    jw_ku64(&w, "RUNNING", by_status[TS_ASSIGNED] + by_status[TS_RUNNING]);
    jw_ku64(&w, "COMPLETED", by_status[TS_COMPLETED]);
    jw_ku64(&w, "FAILED", by_status[TS_FAILED]);
    jw_end_obj(&w);
    jw_key(&w, "latestBlockMetric");
    jw_obj(&w);
    jw_ku64(&w, "blockNumber", s->chain_block);
    jw_ku64(&w, "blockTimestamp", s->chain_time);
    jw_end_obj(&w);
    jw_ku64(&w, "dealEventsCount", s->deals_seen);
    jw_ku64(&w, "dealsCount", deals);
    jw_ku64(&w, "replayDealsCount", 0);
    jw_ku64(&w, "latestBlockNumberWithDeal", last);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}
