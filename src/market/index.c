/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.c - the chain's events become rows
 *
 * A step has two halves. First everything that must be asked of the node is asked (that waits);
 * then all rows of the step, and the cursor, are written in one transaction (that does not).
 * SPEC: services.md#29-chain-watcher-what-changes-an-order
 */
#include "eth/tx.h"
#include "market/market_int.h"
#include <stdlib.h>

#define ASK_AT_ONCE 200
#define UNDO_KEEP   4096 /* blocks for which old states are kept; the follower looks back less */

/* ---- what to ask: one answer for each question, in the order of the logs */

struct ask {
    struct market *m;
    struct buf body; /* calldata of the open batch, one after the other */
    struct {
        struct addr to;
        size_t at, n;
    } call[ASK_AT_ONCE];
    size_t n_open;
    struct buf answers; /* u32 length (UINT32_MAX: it reverted) and bytes, one after the other */
    size_t read;
};

static sr_status ask_flush(struct ask *a, struct sr_err *err) {
    if (a->n_open == 0) return SR_OK;
    cleanup_batch struct eth_batch *b = eth_batch_new(a->m->rpc);
    if (!b) return sr_fail(err, SR_E_NOMEM, "index");
    for (size_t i = 0; i < a->n_open; i++)
        (void)eth_batch_call(b, &a->call[i].to, slice_of(a->body.p + a->call[i].at, a->call[i].n),
                             (struct eth_at){0});
    SR_TRY(eth_batch_run(b, err));
    for (size_t i = 0; i < a->n_open; i++) {
        struct slice s;
        struct sr_err e = {0};
        sr_status st = eth_batch_get(b, i, &s, &e);
        if (st == SR_OK) {
            buf_u32(&a->answers, (uint32_t)s.n);
            buf_add(&a->answers, s);
        } else if (st == SR_E_REFUSED) {
            buf_u32(&a->answers, UINT32_MAX);
        } else {
            if (err) *err = e;
            return st;
        }
    }
    a->n_open = 0;
    buf_clear(&a->body);
    return buf_status(&a->answers, err);
}

static sr_status ask(struct ask *a, const struct addr *to, const char *sig,
                     const struct abi_val *arg, struct sr_err *err) {
    size_t at = a->body.n;
    SR_TRY(abi_encode_call(&a->body, sig, arg, 1, err));
    a->call[a->n_open].to = *to;
    a->call[a->n_open].at = at;
    a->call[a->n_open++].n = a->body.n - at;
    return a->n_open == ASK_AT_ONCE ? ask_flush(a, err) : SR_OK;
}

/* The next answer; false when it reverted or is no such data (then o is empty). */
static bool answer(struct ask *a, const char *types, struct abi_out *o) {
    struct rd r = rd_of(slice_of(a->answers.p + a->read, a->answers.n - a->read));
    uint32_t n = rd_u32(&r);
    a->read += 4;
    *o = (struct abi_out){0};
    if (r.bad || n == UINT32_MAX) return false;
    struct slice s = rd_take(&r, n);
    a->read += n;
    return !r.bad && abi_decode(s, types, o, NULL) == SR_OK;
}

/* ---- which contract spoke */

static bool is_hub(const struct market *m, const struct eth_log *l) {
    return addr_eq(&l->address, &m->poco.hub);
}

static bool registry_kind(const struct market *m, const struct eth_log *l, poco_kind *ret) {
    const struct poco *p = &m->poco;
    if (addr_eq(&l->address, &p->app_registry))
        *ret = POCO_APP;
    else if (addr_eq(&l->address, &p->dataset_registry))
        *ret = POCO_DATASET;
    else if (addr_eq(&l->address, &p->workerpool_registry))
        *ret = POCO_WORKERPOOL;
    else
        return false;
    return true;
}

/* An event of ours, from the contract that may send it. */
static bool read_log(const struct market *m, const struct eth_log *l, struct poco_log *ret) {
    poco_kind k;
    if (poco_log_read(l->topics, l->n_topics, l->data, ret, NULL) != SR_OK) return false;
    if (share_is_event(m, l, ret->event)) return true;
    if (ret->event == POCO_EV_TRANSFER721) return registry_kind(m, l, &k);
    if (ret->event == POCO_EV_DATASET_SCHEMA) return addr_eq(&l->address, &m->data_protector);
    return is_hub(m, l);
}

static bool is_task_event(poco_event e) {
    return e == POCO_EV_TASK_INITIALIZE || e == POCO_EV_TASK_CONSENSUS ||
           e == POCO_EV_TASK_REOPEN || e == POCO_EV_TASK_FINALIZE || e == POCO_EV_TASK_CLAIMED;
}

void index_topics(struct hash t[INDEX_TOPICS]) {
    static const poco_event e[INDEX_TOPICS] = {POCO_EV_ORDERS_MATCHED,
                                               POCO_EV_SCHEDULER_NOTICE,
                                               POCO_EV_CLOSED_APP,
                                               POCO_EV_CLOSED_DATASET,
                                               POCO_EV_CLOSED_WORKERPOOL,
                                               POCO_EV_CLOSED_REQUEST,
                                               POCO_EV_CREATE_CATEGORY,
                                               POCO_EV_TRANSFER20,
                                               POCO_EV_DATASET_SCHEMA,
                                               POCO_EV_TASK_INITIALIZE,
                                               POCO_EV_TASK_CONTRIBUTE,
                                               POCO_EV_TASK_CONSENSUS,
                                               POCO_EV_TASK_REVEAL,
                                               POCO_EV_TASK_REOPEN,
                                               POCO_EV_TASK_FINALIZE,
                                               POCO_EV_TASK_CLAIMED,
                                               POCO_EV_ACCURATE,
                                               POCO_EV_FAULTY,
                                               POCO_EV_LOCK,
                                               POCO_EV_UNLOCK,
                                               POCO_EV_REWARD,
                                               POCO_EV_SEIZE,
                                               POCO_EV_SHARE_MOVED,
                                               POCO_EV_SHARE_PARAMS,
                                               POCO_EV_SHARE_SUBSCRIPTION,
                                               POCO_EV_SHARE_BUNDLED,
                                               POCO_EV_SHARE_UNBUNDLED,
                                               POCO_EV_SHARE_RENTABLE,
                                               POCO_EV_SHARE_UNRENTABLE,
                                               POCO_EV_SHARE_RENTAL,
                                               POCO_EV_SHARE_FOR_SALE,
                                               POCO_EV_SHARE_NOT_FOR_SALE,
                                               POCO_EV_SHARE_SOLD,
                                               POCO_EV_SHARE_CONSUMED};
    for (size_t i = 0; i < INDEX_TOPICS; i++) t[i] = poco_topic(e[i]);
}

/* The entry's address is the token's number. */
static struct addr entry_of(const struct eth_log *l) {
    struct addr a;
    memcpy(a.b, l->topics[3].b + 12, 20);
    return a;
}

static bool stored(struct market *m, const struct hash *h, struct order_row *r) {
    return order_load(m->db, h, r, NULL, NULL) == SR_OK;
}

static const char view_deal[] = "viewDeal(bytes32)";
static const char deal_types[] =
    "((address,address,uint256),(address,address,uint256),(address,address,uint256),uint256,"
    "uint256,bytes32,address,address,address,string,uint256,uint256,uint256,uint256,uint256,"
    "address)";
static const char task_types[] =
    "(uint8,bytes32,uint256,uint256,uint256,uint256,uint256,bytes32,uint256,uint256,address[],"
    "bytes32,bytes,uint256,bytes)";
static const char *const view_resource[] = {"viewApp(address)", "viewDataset(address)",
                                            "viewWorkerpool(address)"};
static const char *const resource_types[] = {"(address,string,string,bytes,bytes32,bytes)",
                                             "(address,string,bytes,bytes32)",
                                             "(address,string,uint256,uint256)"};

/* First half: the questions that one log raises. What is asked here is answered in row_of, in the
 * same order and under the same conditions; `asked` remembers the conditions. */
struct asked {
    bool read, stake;
};

static sr_status ask_for(struct ask *a, const struct eth_log *l, struct asked *w,
                         struct sr_err *err) {
    struct market *m = a->m;
    struct poco_log ev;
    *w = (struct asked){.read = read_log(m, l, &ev)};
    if (!w->read || share_is_event(m, l, ev.event)) return SR_OK;
    if (ev.event == POCO_EV_ORDERS_MATCHED) {
        SR_TRY(ask(a, &m->poco.hub, view_deal, &ev.arg[0], err));
    } else if (ev.event == POCO_EV_TRANSFER721 && addr_is_zero(&ev.arg[0].addr)) {
        poco_kind k = POCO_APP;
        struct addr entry = entry_of(l);
        const struct abi_val arg = av_addr(&entry);
        (void)registry_kind(m, l, &k);
        SR_TRY(ask(a, &m->poco.hub, view_resource[k], &arg, err));
    } else if (ev.event == POCO_EV_TRANSFER20 && !addr_is_zero(&ev.arg[0].addr) &&
               !u256_is_zero(ev.arg[2].num)) {
        SR_TRY(orders_need_stake(m, &ev.arg[0].addr, &w->stake, err));
        if (w->stake) SR_TRY(ask(a, &m->poco.hub, "viewAccount(address)", &ev.arg[0], err));
    } else if (is_task_event(ev.event)) {
        SR_TRY(ask(a, &m->poco.hub, "viewTask(bytes32)", &ev.arg[0], err));
    }
    return SR_OK;
}

/* ---- second half: rows */

static uint64_t time_of(const struct eth_log *l, const struct eth_step *s) {
    return l->time ? l->time : s->head.time;
}

static void jw_kresource(struct jw *w, const char *key, const struct abi_val *v) {
    jw_key(w, key);
    jw_obj(w);
    jw_kcstr(w, "pointer", addr_checksum(&v->list.v[0].addr).s);
    jw_kcstr(w, "owner", addr_checksum(&v->list.v[1].addr).s);
    jw_key(w, "price");
    jw_u256_num(w, v->list.v[2].num);
    jw_end_obj(w);
}

static void jw_knum(struct jw *w, const char *key, const struct abi_val *v) {
    jw_key(w, key);
    jw_u256_num(w, v->num);
}

static void jw_kchecksum(struct jw *w, const char *key, const struct abi_val *v) {
    jw_kcstr(w, key, addr_checksum(&v->addr).s);
}

static void deal_json(struct jw *w, const struct market *m, const struct poco_log *ev,
                      const struct abi_val *d, const struct eth_log *l, uint64_t time) {
    char iso[25];
    iso8601(iso, time * 1000);
    jw_obj(w);
    jw_khash(w, "dealid", &ev->arg[0].hash);
    jw_ku64(w, "chainId", m->chain_id);
    jw_kresource(w, "app", &d[0]);
    jw_kresource(w, "dataset", &d[1]);
    jw_kresource(w, "workerpool", &d[2]);
    jw_kchecksum(w, "requester", &d[6]);
    jw_kchecksum(w, "beneficiary", &d[7]);
    jw_kchecksum(w, "callback", &d[8]);
    jw_khash(w, "appHash", &ev->arg[1].hash);
    jw_khash(w, "datasetHash", &ev->arg[2].hash);
    jw_khash(w, "workerpoolHash", &ev->arg[3].hash);
    jw_khash(w, "requestHash", &ev->arg[4].hash);
    jw_kstr(w, "params", d[9].bytes);
    jw_knum(w, "volume", &ev->arg[5]);
    jw_knum(w, "category", &d[4]);
    jw_khash(w, "tag", &d[5].hash);
    jw_knum(w, "trust", &d[3]);
    jw_knum(w, "startTime", &d[10]);
    jw_knum(w, "botFirst", &d[11]);
    jw_knum(w, "botSize", &d[12]);
    jw_knum(w, "workerStake", &d[13]);
    jw_knum(w, "schedulerRewardRatio", &d[14]);
    jw_kchecksum(w, "sponsor", &d[15]);
    jw_ku64(w, "blockNumber", l->block);
    jw_kcstr(w, "blockTimestamp", iso);
    jw_khash(w, "transactionHash", &l->tx);
    jw_end_obj(w);
}

static uint64_t capped(struct u256 v) {
    uint64_t n = INT64_MAX;
    if (u256_to_u64(v, &n) && n > INT64_MAX) n = INT64_MAX;
    return n;
}

static sr_status row_account(struct market *m, const struct addr *who, uint64_t block,
                             struct sr_err *err) {
    if (addr_is_zero(who)) return SR_OK;
    return db_run(m->db,
                  "INSERT INTO account (id, block) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
                  DB_ARGS(db_addr(who), db_u64(block)), err);
}

/* Every event as it is, for the subgraphs and whoever looks at an account's history. */
struct fact {
    const char *kind;
    const struct addr *account, *other, *resource;
    const struct hash *task, *deal, *hash;
    bool has_value;
    struct u256 value;
    struct slice data;
};
static sr_status row_event(struct market *m, const struct eth_log *l, uint64_t time,
                           const struct fact *f, struct sr_err *err) {
#define OR_NULL(p, make) ((p) ? make(p) : db_null())
    SR_TRY(db_run(m->db,
                  "INSERT INTO event (block, log, kind, tx, time, account, other, task, deal,"
                  " resource, value, hash, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
                  " $11, $12, $13)",
                  DB_ARGS(db_u64(l->block), db_u64(l->index), db_str(f->kind), db_hash(&l->tx),
                          db_u64(time), OR_NULL(f->account, db_addr), OR_NULL(f->other, db_addr),
                          OR_NULL(f->task, db_hash), OR_NULL(f->deal, db_hash),
                          OR_NULL(f->resource, db_addr),
                          f->has_value ? db_u64(capped(f->value)) : db_null(),
                          OR_NULL(f->hash, db_hash), f->data.n ? db_blob(f->data) : db_null()),
                  err));
#undef OR_NULL
    if (f->account) SR_TRY(row_account(m, f->account, l->block, err));
    return f->other ? row_account(m, f->other, l->block, err) : SR_OK;
}

static sr_status row_fact(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                          uint64_t time, struct sr_err *err) {
    struct fact f = {0};
    struct addr entry;
    const struct abi_val *v = ev->arg;
    switch (ev->event) {
    case POCO_EV_TRANSFER20:
        f = (struct fact){.kind = "Transfer",
                          .account = &v[0].addr,
                          .other = &v[1].addr,
                          .has_value = true,
                          .value = v[2].num};
        break;
    case POCO_EV_LOCK:
    case POCO_EV_UNLOCK:
        f = (struct fact){.kind = ev->event == POCO_EV_LOCK ? "Lock" : "Unlock",
                          .account = &v[0].addr,
                          .has_value = true,
                          .value = v[1].num};
        break;
    case POCO_EV_REWARD:
    case POCO_EV_SEIZE:
        f = (struct fact){.kind = ev->event == POCO_EV_REWARD ? "Reward" : "Seize",
                          .account = &v[0].addr,
                          .has_value = true,
                          .value = v[1].num,
                          .task = &v[2].hash};
        break;
    case POCO_EV_ACCURATE:
    case POCO_EV_FAULTY:
        f = (struct fact){.kind = ev->event == POCO_EV_ACCURATE ? "AccurateContribution"
                                                                : "FaultyContribution",
                          .account = &v[0].addr,
                          .task = &v[1].hash};
        break;
    case POCO_EV_ORDERS_MATCHED:
        f = (struct fact){.kind = "OrdersMatched", .deal = &v[0].hash};
        break;
    case POCO_EV_SCHEDULER_NOTICE:
        f = (struct fact){.kind = "SchedulerNotice", .resource = &v[0].addr, .hash = &v[1].hash};
        break;
    case POCO_EV_TASK_INITIALIZE:
        f = (struct fact){.kind = "TaskInitialize", .task = &v[0].hash, .resource = &v[1].addr};
        break;
    case POCO_EV_TASK_CONTRIBUTE:
        f = (struct fact){.kind = "TaskContribute",
                          .task = &v[0].hash,
                          .account = &v[1].addr,
                          .hash = &v[2].hash};
        break;
    case POCO_EV_TASK_CONSENSUS:
        f = (struct fact){.kind = "TaskConsensus", .task = &v[0].hash, .hash = &v[1].hash};
        break;
    case POCO_EV_TASK_REVEAL:
        f = (struct fact){
            .kind = "TaskReveal", .task = &v[0].hash, .account = &v[1].addr, .hash = &v[2].hash};
        break;
    case POCO_EV_TASK_REOPEN: f = (struct fact){.kind = "TaskReopen", .task = &v[0].hash}; break;
    case POCO_EV_TASK_FINALIZE:
        f = (struct fact){.kind = "TaskFinalize", .task = &v[0].hash, .data = v[1].bytes};
        break;
    case POCO_EV_TASK_CLAIMED: f = (struct fact){.kind = "TaskClaimed", .task = &v[0].hash}; break;
    case POCO_EV_TRANSFER721: {
        static const char *const kinds[] = {"AppTransfer", "DatasetTransfer", "WorkerpoolTransfer"};
        poco_kind k = POCO_APP;
        entry = entry_of(l);
        (void)registry_kind(m, l, &k);
        f = (struct fact){
            .kind = kinds[k], .account = &v[0].addr, .other = &v[1].addr, .resource = &entry};
        break;
    }
    default: return SR_OK;
    }
    return row_event(m, l, time, &f, err);
}

/* What is left of an order by all its deals, as the hub counts them. */
static sr_status order_used(struct market *m, const struct hash *h, unsigned which, uint64_t block,
                            struct sr_err *err) {
    static const char *const sql[] = {
        "SELECT COALESCE(SUM(volume), 0) FROM deal WHERE app_hash = $1",
        "SELECT COALESCE(SUM(volume), 0) FROM deal WHERE dataset_hash = $1",
        "SELECT COALESCE(SUM(volume), 0) FROM deal WHERE workerpool_hash = $1",
        "SELECT COALESCE(SUM(volume), 0) FROM deal WHERE request_hash = $1"};
    struct order_row r;
    uint64_t used;
    if (!stored(m, h, &r)) return SR_OK;
    SR_TRY(db_get_u64(m->db, sql[which], DB_ARGS(db_hash(h)), &used, err));
    uint64_t left = used < r.volume ? r.volume - used : 0;
    bool filled = left == 0 && r.status == ORDER_OPEN;
    return order_set(m, h, filled ? ORDER_FILLED : r.status,
                     left < r.remaining ? left : r.remaining, block, err);
}

static sr_status row_deal(struct ask *a, const struct eth_log *l, const struct poco_log *ev,
                          const struct eth_step *s, struct sr_err *err) {
    struct market *m = a->m;
    cleanup_abi struct abi_out o = {0};
    bool known = answer(a, deal_types, &o);
    const struct abi_val *d = known ? o.v[0].list.v : NULL;
    if (!known || u256_is_zero(d[12].num)) return SR_OK; /* a reorg: a rollback follows */
    cleanup_buf struct buf json;
    buf_init(&json, 1u << 20);
    uint64_t time = time_of(l, s);
    struct jw j = jw_of(&json);
    deal_json(&j, m, ev, d, l, time);
    SR_TRY(buf_status(&json, err));
    SR_TRY(db_run(
        m->db,
        "INSERT INTO deal (id, block, log, time, tx, app, dataset, workerpool, app_owner,"
        " dataset_owner, workerpool_owner, requester, beneficiary, app_hash, dataset_hash,"
        " workerpool_hash, request_hash, category, volume, price, json, app_price, dataset_price,"
        " trust, tag, callback, params, start, bot_first, worker_stake, scheduler_ratio, sponsor)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,"
        " $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)"
        " ON CONFLICT (id) DO NOTHING",
        DB_ARGS(db_hash(&ev->arg[0].hash), db_u64(l->block), db_u64(l->index), db_u64(time),
                db_hash(&l->tx), db_addr(&d[0].list.v[0].addr), db_addr(&d[1].list.v[0].addr),
                db_addr(&d[2].list.v[0].addr), db_addr(&d[0].list.v[1].addr),
                db_addr(&d[1].list.v[1].addr), db_addr(&d[2].list.v[1].addr), db_addr(&d[6].addr),
                db_addr(&d[7].addr), db_hash(&ev->arg[1].hash), db_hash(&ev->arg[2].hash),
                db_hash(&ev->arg[3].hash), db_hash(&ev->arg[4].hash), db_u64(capped(d[4].num)),
                db_u64(capped(ev->arg[5].num)), db_u64(capped(d[2].list.v[2].num)),
                db_text(buf_slice(&json)), db_u64(capped(d[0].list.v[2].num)),
                db_u64(capped(d[1].list.v[2].num)), db_u64(capped(d[3].num)), db_hash(&d[5].hash),
                db_addr(&d[8].addr), db_text(d[9].bytes), db_u64(capped(d[10].num)),
                db_u64(capped(d[11].num)), db_u64(capped(d[13].num)), db_u64(capped(d[14].num)),
                db_addr(&d[15].addr)),
        err));
    static const unsigned people[] = {6, 7, 8, 15};
    for (size_t i = 0; i < SR_ARRAY_LEN(people); i++)
        SR_TRY(row_account(m, &d[people[i]].addr, l->block, err));
    for (unsigned i = 0; i < 3; i++) SR_TRY(row_account(m, &d[i].list.v[1].addr, l->block, err));
    changes_deal(m, &ev->arg[0].hash);
    /* the request first: it is used, and must not be taken for one that has nothing left to match
     */
    static const unsigned turn[4] = {3, 0, 1, 2};
    for (unsigned k = 0; k < 4; k++)
        SR_TRY(order_used(m, &ev->arg[1 + turn[k]].hash, turn[k], l->block, err));
    market_changed(m);
    return SR_OK;
}

static sr_status row_created(struct ask *a, const struct eth_log *l, const struct poco_log *ev,
                             const struct eth_step *s, struct sr_err *err) {
    struct market *m = a->m;
    poco_kind k = POCO_APP;
    struct addr entry = entry_of(l);
    (void)registry_kind(m, l, &k);
    cleanup_abi struct abi_out o = {0};
    if (!answer(a, resource_types[k], &o)) return SR_OK;
    const struct abi_val *v = o.v[0].list.v;
    const struct hash none = {{0}};
    cleanup_buf struct buf multi;
    buf_init(&multi, 65536);
    if (k != POCO_WORKERPOOL) {
        struct slice bytes = v[k == POCO_APP ? 3 : 2].bytes;
        /* an app's is text, a data set's is binary where it can be; strange ones stay as they are
         */
        if (multiaddr_text(bytes, &multi, NULL) != SR_OK) {
            buf_clear(&multi);
            buf_add(&multi, slice_of(bytes.p, bytes.n > 2048 ? 2048 : bytes.n));
        }
    }
    SR_TRY(db_run(
        m->db,
        "INSERT INTO resource (address, kind, owner, name, type, multiaddr, checksum, block, log,"
        " time, tx, raw, mrenclave, stake_ratio, reward_ratio) VALUES ($1, $2, $3, $4, $5, $6, $7,"
        " $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (address) DO NOTHING",
        DB_ARGS(db_addr(&entry), db_u64(k), db_addr(&ev->arg[1].addr), db_text(v[1].bytes),
                db_text(k == POCO_APP ? v[2].bytes : slice_str("")), db_text(buf_slice(&multi)),
                db_hash(k == POCO_APP       ? &v[4].hash
                        : k == POCO_DATASET ? &v[3].hash
                                            : &none),
                db_u64(l->block), db_u64(l->index), db_u64(time_of(l, s)), db_hash(&l->tx),
                db_blob(k == POCO_APP       ? v[3].bytes
                        : k == POCO_DATASET ? v[2].bytes
                                            : slice_str("")),
                db_blob(k == POCO_APP ? v[5].bytes : slice_str("")),
                db_u64(k == POCO_WORKERPOOL ? capped(v[2].num) : 0),
                db_u64(k == POCO_WORKERPOOL ? capped(v[3].num) : 0)),
        err));
    market_changed(m);
    return SR_OK;
}

static sr_status row_owner(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                           struct sr_err *err) {
    poco_kind k = POCO_APP;
    struct addr entry = entry_of(l);
    uint64_t seq;
    (void)registry_kind(m, l, &k);
    SR_TRY(db_get_u64(m->db, "SELECT COALESCE(MAX(seq), 0) + 1 FROM owner_undo WHERE block = $1",
                      DB_ARGS(db_u64(l->block)), &seq, err));
    SR_TRY(db_run(
        m->db, "INSERT INTO owner_undo (block, seq, address, owner) VALUES ($1, $2, $3, $4)",
        DB_ARGS(db_u64(l->block), db_u64(seq), db_addr(&entry), db_addr(&ev->arg[0].addr)), err));
    SR_TRY(db_run(m->db, "UPDATE resource SET owner = $2 WHERE address = $1",
                  DB_ARGS(db_addr(&entry), db_addr(&ev->arg[1].addr)), err));
    if (k == POCO_DATASET) SR_TRY(share_data_moved(m, &entry, l->block, err));
    market_changed(m);
    return orders_owner_changed(m, k, &entry, &ev->arg[1].addr, l->block, err);
}

static sr_status row_task(struct ask *a, const struct eth_log *l, const struct poco_log *ev,
                          const struct eth_step *s, struct sr_err *err) {
    struct market *m = a->m;
    cleanup_abi struct abi_out o = {0};
    if (!answer(a, task_types, &o)) return SR_OK;
    const struct abi_val *t = o.v[0].list.v;
    poco_task_status st = ev->event == POCO_EV_TASK_CONSENSUS  ? POCO_TASK_REVEALING
                          : ev->event == POCO_EV_TASK_FINALIZE ? POCO_TASK_COMPLETED
                          : ev->event == POCO_EV_TASK_CLAIMED  ? POCO_TASK_FAILED
                                                               : POCO_TASK_ACTIVE;
    if (hash_is_zero(&t[1].hash)) return SR_OK; /* a reorg: a rollback follows */
    char idx[U256_DEC_MAX];
    const struct hash none = {{0}};
    u256_to_dec(idx, t[2].num);
    bool done = st == POCO_TASK_COMPLETED;
    SR_TRY(
        db_run(m->db,
               "INSERT INTO task_event (task, block, log, time, deal, idx, status, results,"
               " digest, tx, contribution_deadline, reveal_deadline, final_deadline, consensus,"
               " callback) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
               " $15)",
               DB_ARGS(db_hash(&ev->arg[0].hash), db_u64(l->block), db_u64(l->index),
                       db_u64(time_of(l, s)), db_hash(&t[1].hash), db_str(idx), db_u64(st),
                       db_blob(done ? ev->arg[1].bytes : slice_str("")),
                       db_hash(done ? &t[11].hash : &none), db_hash(&l->tx),
                       db_u64(capped(t[4].num)), db_u64(capped(t[5].num)), db_u64(capped(t[6].num)),
                       db_hash(&t[7].hash), db_blob(done ? t[14].bytes : slice_str(""))),
               err));
    market_changed(m);
    return SR_OK;
}

static sr_status row_category(struct market *m, const struct eth_log *l, const struct poco_log *ev,
                              const struct eth_step *s, struct sr_err *err) {
    SR_TRY(db_run(m->db,
                  "INSERT INTO category (id, name, description, timeref, tx, block, time) VALUES "
                  "($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
                  DB_ARGS(db_u64(capped(ev->arg[0].num)), db_text(ev->arg[1].bytes),
                          db_text(ev->arg[2].bytes), db_u64(capped(ev->arg[3].num)),
                          db_hash(&l->tx), db_u64(l->block), db_u64(time_of(l, s))),
                  err));
    market_changed(m);
    return SR_OK;
}

static sr_status row_of(struct ask *a, const struct asked *w, const struct eth_log *l,
                        const struct eth_step *s, struct sr_err *err) {
    struct market *m = a->m;
    struct poco_log ev;
    struct order_row r;
    if (!w->read || !read_log(m, l, &ev)) return SR_OK;
    if (share_is_event(m, l, ev.event)) return share_row(m, l, &ev, time_of(l, s), err);
    SR_TRY(row_fact(m, l, &ev, time_of(l, s), err));
    switch (ev.event) {
    case POCO_EV_ORDERS_MATCHED: return row_deal(a, l, &ev, s, err);
    case POCO_EV_CLOSED_APP:
    case POCO_EV_CLOSED_DATASET:
    case POCO_EV_CLOSED_WORKERPOOL:
    case POCO_EV_CLOSED_REQUEST:
        SR_TRY(db_run(m->db,
                      "INSERT INTO closed (hash, block) VALUES ($1, $2) ON CONFLICT (hash) DO "
                      "NOTHING",
                      DB_ARGS(db_hash(&ev.arg[0].hash), db_u64(l->block)), err));
        return stored(m, &ev.arg[0].hash, &r)
                   ? order_set(m, &ev.arg[0].hash, ORDER_CANCELED, 0, l->block, err)
                   : SR_OK;
    case POCO_EV_CREATE_CATEGORY: return row_category(m, l, &ev, s, err);
    case POCO_EV_TRANSFER721:
        return addr_is_zero(&ev.arg[0].addr) ? row_created(a, l, &ev, s, err)
                                             : row_owner(m, l, &ev, err);
    case POCO_EV_TRANSFER20:
        stakes_forget(m, &ev.arg[0].addr);
        stakes_forget(m, &ev.arg[1].addr);
        if (w->stake) {
            cleanup_abi struct abi_out o = {0};
            if (answer(a, "uint256,uint256", &o))
                return orders_stake_is(m, &ev.arg[0].addr, o.v[0].num, l->block, err);
        }
        return SR_OK;
    case POCO_EV_DATASET_SCHEMA:
        market_changed(m);
        SR_TRY(index_schema(m, &ev.arg[0].addr, ev.arg[1].bytes, l->block, err));
        return db_run(m->db, "UPDATE resource SET schema = $2 WHERE address = $1",
                      DB_ARGS(db_addr(&ev.arg[0].addr), db_text(ev.arg[1].bytes)), err);
    default: return is_task_event(ev.event) ? row_task(a, l, &ev, s, err) : SR_OK;
    }
}

/* ---- steps */

static sr_status save_mark(struct market *m, const struct eth_step *s, struct sr_err *err) {
    uint64_t n = s->head.number;
    SR_TRY(db_run(m->db,
                  "INSERT INTO mark (number, hash) VALUES ($1, $2) ON CONFLICT (number) DO UPDATE "
                  "SET hash = excluded.hash",
                  DB_ARGS(db_u64(n), db_hash(&s->head.hash)), err));
    if (n % 64) return SR_OK;
    SR_TRY(db_run(m->db,
                  "DELETE FROM mark WHERE number < (SELECT MIN(number) FROM (SELECT number FROM "
                  "mark ORDER BY number DESC LIMIT 128) AS kept)",
                  DB_NO_ARGS, err));
    uint64_t old = n > UNDO_KEEP ? n - UNDO_KEEP : 0;
    SR_TRY(db_run(m->db, "DELETE FROM order_undo WHERE block < $1", DB_ARGS(db_u64(old)), err));
    SR_TRY(db_run(m->db, "DELETE FROM owner_undo WHERE block < $1", DB_ARGS(db_u64(old)), err));
    return share_prune(m, old, err);
}

struct writing {
    struct ask *a;
    const struct asked *w;
    const struct eth_step *s;
};

static sr_status all_rows(const struct writing *x, struct sr_err *err) {
    struct market *m = x->a->m;
    const struct eth_step *s = x->s;
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(m->db, &tx, err));
    SR_TRY(db_lock_in_tx(m->db, MARKET_LOCK_ROWS, false, err));
    for (size_t i = 0; i < s->n; i++) SR_TRY(row_of(x->a, &x->w[i], &s->logs[i], s, err));
    SR_TRY(save_mark(m, s, err));
    SR_TRY(changes_tell(m, err));
    return db_commit(&tx, err);
}

/* Committed: what was noted is followed, and told unless requests' writes are on their way to the
 * disk: then with them. */
static void committed(struct market *m) {
    changes_committed(m);
    if (commit_is_busy(m->group)) return;
    live_asked(m);
    live_lasts(m);
}

static sr_status write_rows(void *arg, struct sr_err *err) {
    struct writing *x = arg;
    sr_status st = all_rows(x, err);
    if (st == SR_OK)
        committed(x->a->m);
    else
        changes_back(x->a->m, 0);
    return st;
}

static sr_status step(const struct eth_step *s, struct ask *a, struct sr_err *err) {
    cleanup_free struct asked *w = sr_calloc_n(s->n ? s->n : 1, sizeof *w);
    if (!w) return sr_fail(err, SR_E_NOMEM, "index");
    for (size_t i = 0; i < s->n; i++) SR_TRY(ask_for(a, &s->logs[i], &w[i], err));
    SR_TRY(ask_flush(a, err));
    struct writing x = {a, w, s};
    SR_TRY(commit_alone(a->m->group, write_rows, &x, err));
    if (s->n) market_changed(a->m); /* whoever has read meanwhile has read what was before */
    return SR_OK;
}

sr_status index_step(void *arg, const struct eth_step *s, struct sr_err *err) {
    struct market *m = arg;
    struct ask *a = calloc(1, sizeof *a);
    if (!a) return sr_fail(err, SR_E_NOMEM, "index");
    a->m = m;
    buf_init(&a->body, 1u << 20);
    buf_init(&a->answers, 256u << 20);
    m->stepping = true;
    m->step_no++;
    sr_status st;
    uint64_t wait = 100;
    do { /* a node that is away while we ask is no reason to stop following */
        struct sr_err e = {0};
        a->n_open = a->read = 0;
        buf_clear(&a->body);
        buf_clear(&a->answers);
        st = step(s, a, &e);
        if (st != SR_E_UNAVAILABLE && st != SR_E_TIMEOUT && st != SR_E_CHAIN) {
            if (st != SR_OK && err) *err = e;
            break;
        }
        log_err(LOG_WARN, "index_waits", &e);
        st = fiber_sleep(wait, err);
        wait = wait < 3000 ? wait * 2 : wait;
    } while (st == SR_OK);
    buf_done(&a->body);
    buf_done(&a->answers);
    free(a);
    m->stepping = false;
    m->step_no++;
    fcond_wake(&m->step_done);
    if (st != SR_OK) return st;
    m->head = s->head.number;
    m->head_hash = s->head.hash;
    m->head_time = s->head.time;
    m->change_no++;
    fcond_wake(&m->changed);
    if (!m->caught_up && s->head.number >= s->chain_head) {
        m->caught_up = true;
        fcond_wake(&m->up);
    }
    return SR_OK;
}

static sr_status owners_back(struct market *m, uint64_t keep, struct sr_err *err) {
    for (;;) {
        struct addr a, owner;
        uint64_t block, seq;
        struct db_rows *q = NULL;
        SR_TRY(db_select(m->db,
                         "SELECT address, owner, block, seq FROM owner_undo WHERE block > $1 ORDER "
                         "BY block DESC, seq DESC LIMIT 1",
                         DB_ARGS(db_u64(keep)), &q, err));
        bool more = db_next(q);
        if (more) {
            a = db_col_addr(q, 0);
            owner = db_col_addr(q, 1);
            block = db_col_u64(q, 2);
            seq = db_col_u64(q, 3);
        }
        SR_TRY(db_end(q, err));
        if (!more) return SR_OK;
        SR_TRY(db_run(m->db, "UPDATE resource SET owner = $2 WHERE address = $1",
                      DB_ARGS(db_addr(&a), db_addr(&owner)), err));
        SR_TRY(db_run(m->db, "DELETE FROM owner_undo WHERE block = $1 AND seq = $2",
                      DB_ARGS(db_u64(block), db_u64(seq)), err));
    }
}

struct back {
    struct market *m;
    uint64_t keep;
};

static sr_status all_back(struct market *m, uint64_t keep, struct sr_err *err) {
    static const char *const gone[] = {
        "DELETE FROM deal WHERE block > $1",     "DELETE FROM task_event WHERE block > $1",
        "DELETE FROM category WHERE block > $1", "DELETE FROM mark WHERE number > $1",
        "DELETE FROM resource WHERE block > $1", "DELETE FROM event WHERE block > $1",
        "DELETE FROM account WHERE block > $1",  "DELETE FROM schema_entry WHERE block > $1",
        "DELETE FROM closed WHERE block > $1"};
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(m->db, &tx, err));
    SR_TRY(db_lock_in_tx(m->db, MARKET_LOCK_ROWS, false, err));
    SR_TRY(orders_rollback(m, keep, err));
    SR_TRY(owners_back(m, keep, err));
    SR_TRY(share_rollback(m, keep, err));
    for (size_t i = 0; i < SR_ARRAY_LEN(gone); i++)
        SR_TRY(db_run(m->db, gone[i], DB_ARGS(db_u64(keep)), err));
    SR_TRY(changes_tell(m, err));
    return db_commit(&tx, err);
}

static sr_status go_back(void *arg, struct sr_err *err) {
    struct back *b = arg;
    struct market *m = b->m;
    stakes_flush(m);
    sr_status st = all_back(m, b->keep, err);
    if (st != SR_OK) {
        changes_back(m, 0);
        return st;
    }
    committed(m);
    m->head = b->keep;
    m->head_hash = (struct hash){{0}};
    m->step_no++;
    books_changed_all(m);
    market_changed(m);
    return SR_OK;
}

sr_status index_rollback(void *arg, uint64_t keep, struct sr_err *err) {
    struct back b = {arg, keep};
    return commit_alone(b.m->group, go_back, &b, err);
}

sr_status index_marks(struct market *m, struct eth_mark *marks, size_t *ret_n, struct sr_err *err) {
    struct db_rows *q = NULL;
    SR_TRY(db_select(m->db,
                     "SELECT number, hash FROM (SELECT number, hash FROM mark ORDER BY number DESC "
                     "LIMIT 128) AS newest ORDER BY number",
                     DB_NO_ARGS, &q, err));
    *ret_n = 0;
    while (*ret_n < FOLLOW_KEEP && db_next(q))
        marks[(*ret_n)++] = (struct eth_mark){db_col_u64(q, 0), db_col_hash(q, 1)};
    return db_end(q, err);
}
