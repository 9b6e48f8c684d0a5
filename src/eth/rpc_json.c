/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_json.c - the shapes of JSON-RPC: quantities, blocks, logs, receipts, errors */
#include "eth/rpc_int.h"
#include <stdlib.h>

#define REVERT_MAX 4096u

void rpc_request(struct jw *w, uint64_t id, const char *method, struct slice params) {
    jw_obj(w);
    jw_kcstr(w, "jsonrpc", "2.0");
    jw_ku64(w, "id", id);
    jw_kcstr(w, "method", method);
    jw_key(w, "params");
    jw_raw(w, params);
    jw_end_obj(w);
}

static bool contains(struct slice s, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= s.n; i++)
        if (memcmp(s.p + i, word, n) == 0) return true;
    return false;
}

/* Revert data: a hex string, at one of the places where nodes put it. */
static bool revert_data(const struct json_val *error, struct buf *b) {
    const struct json_val *d = json_get(error, "data");
    struct slice s;
    for (unsigned i = 0; i < 2 && json_is(d, JSON_OBJECT); i++) {
        const struct json_val *in = json_get(d, "data");
        d = in ? in : json_get(d, "result");
    }
    if (!json_str(d, &s)) return false;
    if (slice_starts(s, "Reverted ")) s = slice_of(s.p + 9, s.n - 9);
    return slice_starts(s, "0x") && hex_decode_buf(s, b) && b->bad == SR_OK;
}

sr_status rpc_outcome(const struct json_val *answer, struct sr_err *err) {
    const struct json_val *e = json_get(answer, "error");
    if (!e || json_is(e, JSON_NULL)) return SR_OK;
    struct slice msg = {0}, code = json_text(json_get(e, "code"));
    (void)json_str(json_get(e, "message"), &msg);
    cleanup_buf struct buf data, text;
    buf_init(&data, REVERT_MAX);
    buf_init(&text, 1024);
    bool has_data = revert_data(e, &data);
    if (slice_is(code, "3") || (has_data && data.n) || contains(msg, "execution reverted") ||
        contains(msg, "VM Exception")) {
        eth_revert_text(buf_slice(&data), &text);
        return sr_fail(err, SR_E_REFUSED, "the contract refused: %s", buf_cstr(&text));
    }
    int n = (int)(msg.n > 150 ? 150 : msg.n);
    const char *m = (const char *)msg.p;
    if (contains(msg, "nonce too low") || contains(msg, "nonce is too low"))
        return sr_fail(err, SR_E_CONFLICT, "chain node: nonce too low");
    if (contains(msg, "underpriced") || contains(msg, "fee too low") ||
        contains(msg, "less than block base fee") || contains(msg, "less than the block base fee"))
        return sr_fail(err, SR_E_RANGE, "chain node: %.*s", n, m);
    if (contains(msg, "nsufficient funds")) {
        sr_status st = sr_fail(err, SR_E_REFUSED, "the wallet has not enough coin for gas");
        sr_hint(err, "send some to its address (development network: strongroom faucet ADDRESS)");
        return st;
    }
    return sr_fail(err, SR_E_CHAIN, "chain node: %.*s", n, n ? m : "");
}

bool rpc_no_such_method(const struct json_val *answer) {
    struct slice code = json_text(json_get(json_get(answer, "error"), "code"));
    return slice_is(code, "-32601") || slice_is(code, "-32004");
}

bool rpc_raced_a_block(const struct json_val *answer) {
    struct slice msg;
    return json_str(json_get(json_get(answer, "error"), "message"), &msg) &&
           contains(msg, "BlockOutOfRange");
}

/* ---- writing */

void rpc_put_u256(struct jw *w, struct u256 v) {
    char hex[67];
    u256_to_hex(hex, v);
    jw_cstr(w, hex);
}

void rpc_put_u64(struct jw *w, uint64_t v) {
    rpc_put_u256(w, u256_of(v));
}

void rpc_put_at(struct jw *w, struct eth_at at) {
    switch (at.kind) {
    case ETH_LATEST: jw_cstr(w, "latest"); break;
    case ETH_PENDING: jw_cstr(w, "pending"); break;
    case ETH_NUMBER: rpc_put_u64(w, at.number); break;
    case ETH_HASH:
        jw_obj(w);
        jw_khash(w, "blockHash", &at.hash);
        jw_end_obj(w);
        break;
    }
}

static void put_topics(struct jw *w, const struct hash *t, size_t n) {
    if (n == 0) {
        jw_null(w);
        return;
    }
    jw_arr(w);
    for (size_t i = 0; i < n; i++) jw_hex(w, slice_of(t[i].b, 32));
    jw_end_arr(w);
}

void rpc_put_filter(struct jw *w, const struct eth_filter *f) {
    if (f->n_addrs) {
        jw_key(w, "address");
        jw_arr(w);
        for (size_t i = 0; i < f->n_addrs; i++) jw_hex(w, slice_of(f->addrs[i].b, 20));
        jw_end_arr(w);
    }
    if (f->n_topics0 || f->n_topics1 || f->n_topics3) {
        jw_key(w, "topics");
        jw_arr(w);
        put_topics(w, f->topics0, f->n_topics0);
        if (f->n_topics1 || f->n_topics3) put_topics(w, f->topics1, f->n_topics1);
        if (f->n_topics3) {
            jw_null(w);
            put_topics(w, f->topics3, f->n_topics3);
        }
        jw_end_arr(w);
    }
}

/* ---- reading */

bool rpc_get_u64(const struct json_val *v, uint64_t *ret) {
    struct slice s;
    return json_str(v, &s) && slice_starts(s, "0x") && num_hex_u64(s, ret);
}

bool rpc_get_u256(const struct json_val *v, struct u256 *ret) {
    struct slice s;
    return json_str(v, &s) && slice_starts(s, "0x") && u256_from_hex(s, ret);
}

static sr_status malformed(struct sr_err *err, const char *what) {
    return sr_fail(err, SR_E_CHAIN, "chain node: malformed %s", what);
}

sr_status rpc_get_block(const struct json_val *v, struct eth_block *ret, struct sr_err *err) {
    struct eth_block b = {0};
    if (!v || json_is(v, JSON_NULL)) return sr_fail(err, SR_E_NOTFOUND, "no such block");
    if (!rpc_get_u64(json_get(v, "number"), &b.number) ||
        !json_hash(json_get(v, "hash"), &b.hash) ||
        !json_hash(json_get(v, "parentHash"), &b.parent) ||
        !rpc_get_u64(json_get(v, "timestamp"), &b.time))
        return malformed(err, "block");
    (void)rpc_get_u64(json_get(v, "gasLimit"), &b.gas_limit);
    (void)rpc_get_u256(json_get(v, "baseFeePerGas"), &b.base_fee);
    *ret = b;
    return SR_OK;
}

void eth_logs_done(struct eth_logs *l) {
    free(l->mem);
    *l = (struct eth_logs){0};
}

static bool get_log(const struct json_val *v, struct eth_log *l, uint8_t **data) {
    struct slice s;
    if (!json_addr(json_get(v, "address"), &l->address) || !json_str(json_get(v, "data"), &s) ||
        s.n < 2 || !rpc_get_u64(json_get(v, "blockNumber"), &l->block) ||
        !json_hash(json_get(v, "blockHash"), &l->block_hash) ||
        !json_hash(json_get(v, "transactionHash"), &l->tx) ||
        !rpc_get_u64(json_get(v, "logIndex"), &l->index))
        return false;
    size_t n = (s.n - 2) / 2;
    if (!hex_decode(s, *data, n)) return false;
    l->data = slice_of(*data, n);
    *data += n;
    const struct json_val *topics = json_get(v, "topics");
    l->n_topics = json_len(topics);
    if (l->n_topics > 4) return false;
    size_t i = 0;
    for (const struct json_val *t = json_first(topics); t; t = json_next(t))
        if (!json_hash(t, &l->topics[i++])) return false;
    (void)rpc_get_u64(json_get(v, "blockTimestamp"), &l->time);
    return true;
}

sr_status rpc_get_logs(const struct json_val *arr, struct eth_logs *ret, struct sr_err *err) {
    if (!json_is(arr, JSON_ARRAY)) return malformed(err, "logs");
    size_t n = json_len(arr), bytes = 0, i = 0;
    for (const struct json_val *v = json_first(arr); v; v = json_next(v))
        bytes += json_text(json_get(v, "data")).n / 2;
    /* one block: the logs, then their data */
    struct eth_log *logs = calloc(1, n * sizeof *logs + bytes + 1);
    if (!logs) return sr_fail(err, SR_E_NOMEM, "logs");
    uint8_t *data = (uint8_t *)(logs + n);
    for (const struct json_val *v = json_first(arr); v; v = json_next(v), i++)
        if (!get_log(v, &logs[i], &data)) {
            free(logs);
            return malformed(err, "log");
        }
    *ret = (struct eth_logs){logs, n, logs};
    return SR_OK;
}

void eth_receipt_done(struct eth_receipt *r) {
    eth_logs_done(&r->logs);
    *r = (struct eth_receipt){0};
}

sr_status rpc_get_receipt(const struct json_val *v, struct eth_receipt *ret, struct sr_err *err) {
    struct eth_receipt r = {0};
    uint64_t status = 0;
    if (!v || json_is(v, JSON_NULL)) return sr_fail(err, SR_E_NOTFOUND, "not mined yet");
    if (!json_hash(json_get(v, "transactionHash"), &r.tx) ||
        !json_hash(json_get(v, "blockHash"), &r.block_hash) ||
        !rpc_get_u64(json_get(v, "blockNumber"), &r.block) ||
        !rpc_get_u64(json_get(v, "status"), &status) ||
        !rpc_get_u64(json_get(v, "gasUsed"), &r.gas_used))
        return malformed(err, "receipt");
    r.ok = status == 1;
    r.has_contract = json_addr(json_get(v, "contractAddress"), &r.contract);
    SR_TRY(rpc_get_logs(json_get(v, "logs"), &r.logs, err));
    *ret = r;
    return SR_OK;
}
