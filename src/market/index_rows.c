/* SPDX-License-Identifier: Apache-2.0 */
/* index_rows.c - an event becomes rows, in a step's transaction
 * SPEC: services.md#29-chain-watcher-what-changes-an-order */
#include "eth/tx.h"
#include "market/index_int.h"

static bool stored(struct market *m, const struct hash *h, struct order_row *r) {
    return order_load(m->db, h, r, NULL, NULL) == SR_OK;
}

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
        entry = log_entry(l);
        (void)log_registry(m, l, &k);
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
    bool known = ask_answer(a, ask_deal_types, &o);
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
    struct addr entry = log_entry(l);
    (void)log_registry(m, l, &k);
    cleanup_abi struct abi_out o = {0};
    if (!ask_answer(a, ask_resource_types[k], &o)) return SR_OK;
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
    struct addr entry = log_entry(l);
    uint64_t seq;
    (void)log_registry(m, l, &k);
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
    if (!ask_answer(a, ask_task_types, &o)) return SR_OK;
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

sr_status index_row(struct ask *a, const struct asked *w, const struct eth_log *l,
                    const struct eth_step *s, struct sr_err *err) {
    struct market *m = a->m;
    struct poco_log ev;
    struct order_row r;
    if (!w->read || !log_read(m, l, &ev)) return SR_OK;
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
            if (ask_answer(a, "uint256,uint256", &o))
                return orders_stake_is(m, &ev.arg[0].addr, o.v[0].num, l->block, err);
        }
        return SR_OK;
    case POCO_EV_DATASET_SCHEMA:
        market_changed(m);
        SR_TRY(index_schema(m, &ev.arg[0].addr, ev.arg[1].bytes, l->block, err));
        return db_run(m->db, "UPDATE resource SET schema = $2 WHERE address = $1",
                      DB_ARGS(db_addr(&ev.arg[0].addr), db_text(ev.arg[1].bytes)), err);
    default: return log_is_of_task(ev.event) ? row_task(a, l, &ev, s, err) : SR_OK;
    }
}
