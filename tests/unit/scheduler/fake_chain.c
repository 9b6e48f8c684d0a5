/* SPDX-License-Identifier: Apache-2.0 */
/* fake_chain.c - see fake_chain.h */
#include "fake_chain.h"
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX (8u << 20)

static struct addr addr_n(uint8_t n) {
    struct addr a;
    memset(a.b, n, sizeof a.b);
    return a;
}
static struct hash hash_u64(uint64_t a, uint64_t b) {
    cleanup_buf struct buf x;
    buf_init(&x, 64);
    buf_u64(&x, a);
    buf_u64(&x, b);
    return keccak256(buf_slice(&x));
}

/* ---- the chain ---- */

uint64_t fc_block(struct fake_chain *c) {
    SR_ASSERT(c->n_blocks < FC_BLOCKS);
    struct eth_block *b = &c->blocks[c->n_blocks];
    *b = (struct eth_block){.number = c->n_blocks, .time = ++c->now, .gas_limit = 30000000};
    b->hash = hash_u64(c->fork << 32 | c->n_blocks, c->now);
    if (c->n_blocks) b->parent = c->blocks[c->n_blocks - 1].hash;
    b->base_fee = u256_of(1000);
    return c->n_blocks++;
}

void fc_pass(struct fake_chain *c, uint64_t seconds) {
    c->now += seconds;
    (void)fc_block(c);
}

static void log_put(struct fake_chain *c, poco_event e, const struct hash *t1,
                    const struct hash *t2, const struct buf *data, const struct hash *tx) {
    SR_ASSERT(c->n_logs < FC_LOGS);
    struct fc_log *f = &c->logs[c->n_logs];
    struct eth_log *l = &f->l;
    const struct eth_block *b = &c->blocks[c->n_blocks - 1];
    *l = (struct eth_log){
        .address = c->hub, .block = b->number, .block_hash = b->hash, .time = b->time};
    l->index = c->n_logs++;
    l->topics[l->n_topics++] = poco_topic(e);
    if (t1) l->topics[l->n_topics++] = *t1;
    if (t2) l->topics[l->n_topics++] = *t2;
    l->tx = tx ? *tx : hash_u64(77, l->index);
    if (data && data->n) {
        SR_ASSERT(data->n <= sizeof f->data);
        memcpy(f->data, data->p, data->n);
        l->data = slice_of(f->data, data->n);
    }
}

static struct hash topic_addr(const struct addr *a) {
    struct hash h = {{0}};
    memcpy(h.b + 12, a->b, 20);
    return h;
}

struct fc_task *fc_task(struct fake_chain *c, const struct hash *id) {
    for (size_t i = 0; i < c->n_tasks; i++)
        if (hash_eq(&c->tasks[i].id, id)) return &c->tasks[i];
    return NULL;
}

static void match_logs(struct fake_chain *c, const struct hash *deal, const struct hash *order) {
    cleanup_buf struct buf d;
    buf_init(&d, 256);
    struct hash pool = topic_addr(&c->pool), zero = {{0}};
    if (deal) {
        buf_put(&d, deal->b, 32);
        log_put(c, POCO_EV_SCHEDULER_NOTICE, &pool, NULL, &d, NULL);
        buf_clear(&d);
        buf_put(&d, deal->b, 32);
    } else {
        buf_put(&d, zero.b, 32);
    }
    buf_put(&d, zero.b, 32);
    buf_put(&d, zero.b, 32);
    buf_put(&d, order ? order->b : zero.b, 32);
    buf_put(&d, zero.b, 32);
    uint8_t one[32] = {[31] = 1};
    buf_put(&d, one, 32);
    log_put(c, POCO_EV_ORDERS_MATCHED, NULL, NULL, &d, deal ? &c->logs[c->n_logs - 1].l.tx : NULL);
}

struct hash fc_deal_make(struct fake_chain *c, const struct fc_deal *want) {
    SR_ASSERT(c->n_deals < FC_DEALS);
    struct fc_deal *d = &c->deals[c->n_deals++];
    *d = *want;
    d->block = fc_block(c);
    d->start = c->now;
    if (hash_is_zero(&d->id)) d->id = hash_u64(1000 + c->n_deals, c->now);
    if (!d->bot_size) d->bot_size = 1;
    if (!d->trust) d->trust = 1;
    if (!d->params) d->params = "{\"iexec_args\":\"a b\",\"iexec_input_files\":[\"http://x/y\"]}";
    for (uint64_t i = 0; i < d->bot_size; i++) {
        SR_ASSERT(c->n_tasks < FC_TASKS);
        c->tasks[c->n_tasks++] =
            (struct fc_task){.id = poco_task_id(&d->id, u256_of(i)), .deal = d->id, .index = i};
    }
    match_logs(c, &d->id, NULL);
    return d->id;
}

void fc_matched(struct fake_chain *c, const struct hash *order) {
    (void)fc_block(c);
    match_logs(c, NULL, order);
}

static void initialize_here(struct fake_chain *c, struct fc_task *t, const struct hash *tx) {
    struct hash pool = topic_addr(&c->pool);
    t->status = POCO_TASK_ACTIVE;
    t->init_block = c->n_blocks - 1;
    log_put(c, POCO_EV_TASK_INITIALIZE, &t->id, &pool, NULL, tx);
}

void fc_initialize(struct fake_chain *c, const struct hash *task) {
    (void)fc_block(c);
    initialize_here(c, fc_task(c, task), NULL);
}

void fc_finalize(struct fake_chain *c, const struct hash *task) {
    struct fc_task *t = fc_task(c, task);
    (void)fc_block(c);
    if (t->status == POCO_TASK_UNSET) initialize_here(c, t, NULL);
    cleanup_buf struct buf d;
    buf_init(&d, 256);
    const struct abi_val v = av_str("{}");
    SR_ASSERT(abi_encode(&d, "bytes", &v, 1, NULL) == SR_OK);
    t->status = POCO_TASK_COMPLETED;
    t->end_block = c->n_blocks - 1;
    log_put(c, POCO_EV_TASK_FINALIZE, &t->id, NULL, &d, NULL);
}

void fc_claim(struct fake_chain *c, const struct hash *task) {
    struct fc_task *t = fc_task(c, task);
    (void)fc_block(c);
    if (t->status == POCO_TASK_UNSET) initialize_here(c, t, NULL);
    t->status = POCO_TASK_FAILED;
    t->end_block = c->n_blocks - 1;
    log_put(c, POCO_EV_TASK_CLAIMED, &t->id, NULL, NULL, NULL);
}

void fc_forget(struct fake_chain *c, uint64_t keep) {
    c->n_blocks = keep + 1;
    c->fork++;
    while (c->n_logs && c->logs[c->n_logs - 1].l.block > keep) c->n_logs--;
    while (c->n_deals && c->deals[c->n_deals - 1].block > keep) {
        const struct hash id = c->deals[--c->n_deals].id;
        while (c->n_tasks && hash_eq(&c->tasks[c->n_tasks - 1].deal, &id)) c->n_tasks--;
    }
    for (size_t i = 0; i < c->n_tasks; i++) {
        struct fc_task *t = &c->tasks[i];
        if (t->end_block > keep) {
            t->end_block = 0;
            t->status = t->init_block ? POCO_TASK_ACTIVE : POCO_TASK_UNSET;
        }
        if (t->init_block > keep) {
            t->init_block = 0;
            t->status = POCO_TASK_UNSET;
        }
    }
}

/* ---- views ---- */

static struct abi_val resource(struct abi_val v[3], const struct addr *a) {
    v[0] = av_addr(a);
    v[1] = av_addr(a);
    v[2] = av_u64(0);
    return av_list(v, 3);
}

static void view_deal(struct fake_chain *c, const struct hash *id, struct buf *out) {
    static const char types[] =
        "((address,address,uint256),(address,address,uint256),(address,address,uint256),uint256,"
        "uint256,bytes32,address,address,address,string,uint256,uint256,uint256,uint256,uint256,"
        "address)";
    struct fc_deal none = {.params = ""}, *d = &none;
    for (size_t i = 0; i < c->n_deals; i++)
        if (hash_eq(&c->deals[i].id, id)) d = &c->deals[i];
    struct addr zero = {{0}}, app = addr_n(0xa1), data = d->with_dataset ? addr_n(0xd1) : zero;
    struct hash tag = tag_of(d->tag);
    struct abi_val r[3][3], v[16];
    v[0] = resource(r[0], &app);
    v[1] = resource(r[1], &data);
    v[2] = resource(r[2], &c->pool);
    v[3] = av_u64(d->trust);
    v[4] = av_u64(0);
    v[5] = av_hash(&tag);
    v[6] = av_addr(&d->requester);
    v[7] = av_addr(&d->requester);
    v[8] = av_addr(&zero);
    v[9] = av_str(d->params);
    v[10] = av_u64(d->start);
    v[11] = av_u64(0);
    v[12] = av_u64(d->bot_size);
    v[13] = v[14] = av_u64(0);
    v[15] = av_addr(&d->requester);
    const struct abi_val all = av_list(v, 16);
    SR_ASSERT(abi_encode(out, types, &all, 1, NULL) == SR_OK);
}

static void view_task(struct fake_chain *c, const struct hash *id, struct buf *out) {
    struct fc_task none = {0}, *t = fc_task(c, id);
    struct hash zero = {{0}};
    if (!t || t->status == POCO_TASK_UNSET) t = &none;
    struct abi_val v[15];
    v[0] = av_u64(t->status);
    v[1] = av_hash(&t->deal);
    v[2] = av_u64(t->index);
    v[3] = v[4] = v[5] = v[6] = av_u64(0);
    v[7] = av_hash(&zero);
    v[8] = v[9] = av_u64(0);
    v[10] = av_list(NULL, 0);
    v[11] = av_hash(&zero);
    v[12] = av_str("");
    v[13] = av_u64(0);
    v[14] = av_str("");
    const struct abi_val all = av_list(v, 15);
    SR_ASSERT(abi_encode(out,
                         "(uint8,bytes32,uint256,uint256,uint256,uint256,uint256,bytes32,uint256,"
                         "uint256,address[],bytes32,bytes,uint256,bytes)",
                         &all, 1, NULL) == SR_OK);
}

static void one(struct buf *out, const char *type, struct abi_val v) {
    SR_ASSERT(abi_encode(out, type, &v, 1, NULL) == SR_OK);
}

static void call_hub(struct fake_chain *c, struct slice data, struct buf *out) {
    struct abi_val v[6];
    struct addr zero = {{0}};
    struct hash sum = hash_u64(5, 5), h = {{0}};
    if (data.n >= 36) memcpy(h.b, data.p + 4, 32);
#define IS(sig)                                                                                    \
    ({                                                                                             \
        uint8_t s_[4];                                                                             \
        abi_selector(sig, s_);                                                                     \
        data.n >= 4 && memcmp(s_, data.p, 4) == 0;                                                 \
    })
    if (IS("domain()")) {
        v[0] = av_str("iExecODB");
        v[1] = av_str("5.0.0");
        v[2] = av_u64(FC_CHAIN_ID);
        v[3] = av_addr(&c->hub);
        one(out, "(string,string,uint256,address)", av_list(v, 4));
    } else if (IS("viewDeal(bytes32)")) {
        view_deal(c, &h, out);
    } else if (IS("viewTask(bytes32)")) {
        view_task(c, &h, out);
    } else if (IS("viewCategory(uint256)")) {
        v[0] = v[1] = av_str("XS");
        v[2] = av_u64(300);
        one(out, "(string,string,uint256)", av_list(v, 3));
    } else if (IS("viewApp(address)")) {
        v[0] = av_addr(&zero);
        v[1] = av_str("app");
        v[2] = av_str("DOCKER");
        v[3] = av_str("registry.example/app:1");
        v[4] = av_hash(&sum);
        v[5] = av_str("");
        one(out, "(address,string,string,bytes,bytes32,bytes)", av_list(v, 6));
    } else if (IS("viewDataset(address)")) {
        v[0] = av_addr(&zero);
        v[1] = av_str("data");
        v[2] = av_str("http://data.example/1");
        v[3] = av_hash(&sum);
        one(out, "(address,string,bytes,bytes32)", av_list(v, 4));
    } else if (IS("viewConsumed(bytes32)")) {
        one(out, "uint256", av_u64(c->consumed));
    } else if (IS("isRegistered(address)")) {
        one(out, "bool", av_bool(true));
    } else if (IS("owner()")) {
        one(out, "address", av_addr(&c->owner));
    } else { /* token() and the registries */
        struct addr a = addr_n(0x77);
        one(out, "address", av_addr(&a));
    }
}

/* ---- transactions ---- */

static void claim_here(struct fake_chain *c, const struct hash *task, const struct hash *tx) {
    struct fc_task *t = fc_task(c, task);
    if (!t) return;
    if (t->status == POCO_TASK_UNSET) initialize_here(c, t, tx);
    t->status = POCO_TASK_FAILED;
    t->end_block = c->n_blocks - 1;
    log_put(c, POCO_EV_TASK_CLAIMED, &t->id, NULL, NULL, tx);
}

static bool run_tx(struct fake_chain *c, struct slice raw, struct hash *ret_tx) {
    struct eth_tx tx;
    struct sr_signature sig;
    struct addr from;
    poco_call call;
    cleanup_abi struct abi_out o = {0};
    if (tx_decode(raw, &tx, &sig, &from, NULL) != SR_OK || !addr_eq(&from, &c->owner)) return false;
    *ret_tx = keccak256(raw);
    if (tx.nonce < c->nonce) return true;
    c->nonce = tx.nonce + 1;
    (void)fc_block(c);
    if (poco_call_read(tx.data, &call, &o, NULL) != SR_OK) return false;
    struct hash task = {{0}};
    if (call == POCO_CALL_INITIALIZE) {
        task = poco_task_id(&o.v[0].hash, o.v[1].num);
        struct fc_task *t = fc_task(c, &task);
        if (t) initialize_here(c, t, ret_tx);
    } else if (call == POCO_CALL_CLAIM) {
        task = o.v[0].hash;
        claim_here(c, &task, ret_tx);
    } else if (call == POCO_CALL_CLAIM_ARRAY) {
        for (size_t i = 0; i < o.v[0].list.n; i++) claim_here(c, &o.v[0].list.v[i].hash, ret_tx);
    } else if (call == POCO_CALL_INIT_AND_CLAIM_ARRAY) {
        for (size_t i = 0; i < o.v[0].list.n; i++) {
            task = poco_task_id(&o.v[0].list.v[i].hash, o.v[1].list.v[i].num);
            claim_here(c, &task, ret_tx);
        }
    }
    SR_ASSERT(c->n_sent < SR_ARRAY_LEN(c->sent));
    c->sent[c->n_sent].call = call;
    c->sent[c->n_sent].task = task;
    c->sent[c->n_sent].block = c->n_blocks - 1;
    c->sent[c->n_sent++].tx = *ret_tx;
    return true;
}

/* ---- JSON-RPC ---- */

static void q64(struct jw *w, const char *key, uint64_t v) {
    char t[24];
    (void)snprintf(t, sizeof t, "0x%llx", (unsigned long long)v);
    if (key)
        jw_kcstr(w, key, t);
    else
        jw_cstr(w, t);
}

static bool number_of(struct fake_chain *c, const struct json_val *v, uint64_t *ret) {
    struct slice s = json_text(v);
    if (slice_is(s, "latest") || slice_is(s, "pending")) {
        *ret = c->n_blocks - 1;
        return true;
    }
    return num_hex_u64(s, ret);
}

static void put_block(struct fake_chain *c, struct jw *w, uint64_t n) {
    if (n >= c->n_blocks) {
        jw_null(w);
        return;
    }
    const struct eth_block *b = &c->blocks[n];
    jw_obj(w);
    q64(w, "number", b->number);
    jw_khash(w, "hash", &b->hash);
    jw_khash(w, "parentHash", &b->parent);
    q64(w, "timestamp", b->time);
    q64(w, "gasLimit", b->gas_limit);
    q64(w, "baseFeePerGas", 1000);
    jw_end_obj(w);
}

static void put_log(struct jw *w, const struct eth_log *l) {
    jw_obj(w);
    jw_kaddr(w, "address", &l->address);
    jw_key(w, "topics");
    jw_arr(w);
    for (size_t i = 0; i < l->n_topics; i++) jw_hex(w, slice_of(l->topics[i].b, 32));
    jw_end_arr(w);
    jw_khex(w, "data", l->data);
    q64(w, "blockNumber", l->block);
    jw_khash(w, "blockHash", &l->block_hash);
    jw_khash(w, "transactionHash", &l->tx);
    q64(w, "logIndex", l->index);
    jw_end_obj(w);
}

static void put_logs(struct fake_chain *c, struct jw *w, const struct json_val *filter) {
    struct hash bh;
    uint64_t from = 0, to = UINT64_MAX;
    bool by_hash = json_hash(json_get(filter, "blockHash"), &bh);
    if (!by_hash) {
        (void)number_of(c, json_get(filter, "fromBlock"), &from);
        (void)number_of(c, json_get(filter, "toBlock"), &to);
    }
    jw_arr(w);
    for (size_t i = 0; i < c->n_logs; i++) {
        const struct eth_log *l = &c->logs[i].l;
        if (by_hash ? hash_eq(&l->block_hash, &bh) : l->block >= from && l->block <= to)
            put_log(w, l);
    }
    jw_end_arr(w);
}

static void put_receipt(struct fake_chain *c, struct jw *w, const struct hash *tx) {
    for (size_t i = 0; i < c->n_sent; i++) {
        if (!hash_eq(&c->sent[i].tx, tx) || c->sent[i].block >= c->n_blocks) continue;
        jw_obj(w);
        jw_khash(w, "transactionHash", tx);
        jw_khash(w, "blockHash", &c->blocks[c->sent[i].block].hash);
        q64(w, "blockNumber", c->sent[i].block);
        q64(w, "status", 1);
        q64(w, "gasUsed", 21000);
        jw_key(w, "logs");
        jw_arr(w);
        jw_end_arr(w);
        jw_end_obj(w);
        return;
    }
    jw_null(w);
}

static void answer_one(struct fake_chain *c, struct jw *w, const struct json_val *rq) {
    struct slice m = json_text(json_get(rq, "method"));
    const struct json_val *p0 = json_first(json_get(rq, "params"));
    uint64_t n = 0;
    struct hash h;
    c->requests++;
    jw_obj(w);
    jw_kcstr(w, "jsonrpc", "2.0");
    jw_key(w, "id");
    jw_raw(w, json_raw(json_get(rq, "id")));
    if (slice_is(m, "eth_sendRawTransactionSync")) {
        jw_key(w, "error");
        jw_raw(w, SLICE_LIT("{\"code\":-32601,\"message\":\"no such method\"}"));
        jw_end_obj(w);
        return;
    }
    jw_key(w, "result");
    if (slice_is(m, "eth_chainId")) {
        q64(w, NULL, FC_CHAIN_ID);
    } else if (slice_is(m, "eth_blockNumber")) {
        q64(w, NULL, c->n_blocks - 1);
    } else if (slice_is(m, "eth_getBlockByNumber")) {
        put_block(c, w, number_of(c, p0, &n) ? n : UINT64_MAX);
    } else if (slice_is(m, "eth_getLogs")) {
        put_logs(c, w, p0);
    } else if (slice_is(m, "eth_call")) {
        cleanup_buf struct buf in, out;
        buf_init(&in, 1 << 20);
        buf_init(&out, 1 << 20);
        const struct json_val *d =
            json_get(p0, "data") ? json_get(p0, "data") : json_get(p0, "input");
        SR_ASSERT(hex_decode_buf(json_text(d), &in));
        call_hub(c, buf_slice(&in), &out);
        jw_hex(w, buf_slice(&out));
    } else if (slice_is(m, "eth_getCode")) {
        jw_cstr(w, "0x"); /* accounts with keys */
    } else if (slice_is(m, "eth_getTransactionCount")) {
        q64(w, NULL, c->nonce);
    } else if (slice_is(m, "eth_estimateGas")) {
        q64(w, NULL, 200000);
    } else if (slice_is(m, "eth_sendRawTransaction")) {
        cleanup_buf struct buf raw;
        buf_init(&raw, 1 << 20);
        SR_ASSERT(hex_decode_buf(json_text(p0), &raw));
        SR_ASSERT(run_tx(c, buf_slice(&raw), &h));
        jw_hex(w, slice_of(h.b, 32));
    } else if (slice_is(m, "eth_getTransactionReceipt")) {
        if (json_hash(p0, &h))
            put_receipt(c, w, &h);
        else
            jw_null(w);
    } else {
        q64(w, NULL, 1000); /* fees */
    }
    jw_end_obj(w);
}

static sr_status do_rpc(struct http_req *rq, void *role, struct sr_err *err) {
    struct fake_chain *c = role;
    struct slice body;
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf out;
    buf_init(&out, ANSWER_MAX);
    SR_TRY(http_body(rq, &body, err));
    if (c->down) return sr_fail(err, SR_E_UNAVAILABLE, "down");
    SR_TRY(json_parse(body, &doc, err));
    struct jw w = jw_of(&out);
    const struct json_val *root = json_root(doc);
    if (json_is(root, JSON_ARRAY)) {
        jw_arr(&w);
        for (const struct json_val *v = json_first(root); v; v = json_next(v)) answer_one(c, &w, v);
        jw_end_arr(&w);
    } else {
        answer_one(c, &w, root);
    }
    return http_reply_json(rq, 200, &out, err);
}

sr_status fc_start(struct fake_chain *c, struct sr_err *err) {
    static const struct http_route routes[] = {{"POST", "/", do_rpc, 8u << 20}};
    struct http_opts o = {.routes = routes, .n_routes = 1, .role = c};
    c->hub = addr_n(0x11);
    c->pool = addr_n(0x22);
    c->now = clock_unix_ms() / 1000;
    (void)fc_block(c);
    SR_TRY(http_serve(&o, "127.0.0.1", 0, -1, &c->server, err));
    (void)snprintf(c->url, sizeof c->url, "http://127.0.0.1:%u/", http_server_port(c->server));
    return SR_OK;
}
