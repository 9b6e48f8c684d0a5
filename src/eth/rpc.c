/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/rpc.h"
#include "eth/rpc_int.h"
#include "net/net.h"
#include <stdlib.h>

#define REST_US       2000000 /* a failing endpoint is not asked for so long, while others answer */
#define POLL_FIRST_MS 15      /* an eighth of the time waited so far */
#define POLL_MAX_MS   400
#define FEE_FRESH_US  1000000

struct endpoint {
    char *url;
    int64_t rest_until_us;
};
struct eth_rpc {
    struct endpoint at[RPC_MAX_URLS];
    size_t n;
    uint64_t next_id;
    uint64_t chain_id;    /* 0: not asked yet */
    bool no_sync;         /* no eth_sendRawTransactionSync here */
    uint64_t patience_ms; /* 0: as the request has */
    int64_t fees_at_us;
    struct u256 max_fee, max_tip;
};

sr_status eth_rpc_new(const char *urls, struct eth_rpc **ret, struct sr_err *err) {
    struct eth_rpc *r = calloc(1, sizeof *r);
    if (!r) return sr_fail(err, SR_E_NOMEM, "chain client");
    struct slice rest = slice_str(urls), one;
    while (rest.n) {
        if (!slice_cut(rest, ',', &one, &rest)) rest = slice_of(NULL, 0);
        one = slice_trim(one);
        if (one.n == 0) continue;
        if (r->n == RPC_MAX_URLS ||
            (!slice_starts(one, "http://") && !slice_starts(one, "https://"))) {
            eth_rpc_free(r);
            sr_status st = sr_fail(err, SR_E_USAGE, "chain node: '%.*s' is not an http(s) address",
                                   (int)(one.n > 100 ? 100 : one.n), (const char *)one.p);
            sr_hint(err, "give up to %d addresses like http://127.0.0.1:8545, separated by commas",
                    RPC_MAX_URLS);
            return st;
        }
        r->at[r->n].url = slice_dup(one);
        if (!r->at[r->n].url) {
            eth_rpc_free(r);
            return sr_fail(err, SR_E_NOMEM, "chain client");
        }
        r->n++;
    }
    if (r->n == 0) {
        eth_rpc_free(r);
        return sr_fail(err, SR_E_USAGE, "no chain node given");
    }
    *ret = r;
    return SR_OK;
}

void eth_rpc_free(struct eth_rpc *r) {
    if (!r) return;
    for (size_t i = 0; i < r->n; i++) free(r->at[i].url);
    free(r);
}

void eth_rpc_patience(struct eth_rpc *r, uint64_t ms) {
    r->patience_ms = ms;
}

static sr_status post_to(struct endpoint *ep, struct slice body, uint64_t timeout_ms,
                         struct json **ret_doc, struct sr_err *err) {
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    cleanup_answer struct http_answer a = {0};
    const struct http_call call = {.method = "POST",
                                   .url = ep->url,
                                   .headers = headers,
                                   .body = body,
                                   .max_body = RPC_MAX_ANSWER,
                                   .timeout_ms = timeout_ms};
    SR_TRY(http_fetch(&call, &a, err));
    if (a.status >= 500 || a.status == 429)
        return sr_fail(err, SR_E_UNAVAILABLE, "chain node answered HTTP %d", a.status);
    if (json_parse(buf_slice(&a.body), ret_doc, NULL) != SR_OK)
        return sr_fail(err, a.status == 200 ? SR_E_CHAIN : SR_E_UNAVAILABLE,
                       "chain node answered HTTP %d without JSON", a.status);
    return SR_OK;
}

sr_status rpc_post(struct eth_rpc *r, struct slice body, uint64_t timeout_ms, struct json **ret_doc,
                   struct sr_err *err) {
    struct sr_err e = {0};
    sr_status st = SR_E_UNAVAILABLE;
    bool tried[RPC_MAX_URLS] = {false};
    if (r->patience_ms && r->patience_ms < timeout_ms) timeout_ms = r->patience_ms;
    /* first those that are well, then, when none is, the others too; each once */
    for (unsigned pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < r->n; i++) {
            struct endpoint *ep = &r->at[i];
            bool resting = ep->rest_until_us > clock_mono_us();
            if (tried[i] || (pass == 0 && resting)) continue;
            tried[i] = true;
            e = (struct sr_err){0};
            st = post_to(ep, body, timeout_ms, ret_doc, &e);
            if (st != SR_E_UNAVAILABLE && st != SR_E_TIMEOUT && st != SR_E_SYS &&
                st != SR_E_MALFORMED) {
                ep->rest_until_us = 0;
                if (st != SR_OK && err) *err = e;
                return st;
            }
            ep->rest_until_us = clock_mono_us() + REST_US;
        }
    if (st == SR_E_TIMEOUT) {
        st = sr_fail(err, st, "the chain node is silent: it has not answered within %llu ms",
                     (unsigned long long)timeout_ms);
        sr_hint(err, "the node at %s accepts connections but does not answer: is it well?",
                r->at[0].url);
        return st;
    }
    st = sr_fail(err, SR_E_UNAVAILABLE, "no chain node answers: %s", e.what);
    sr_hint(err, "is the chain node running at %s?", r->at[0].url);
    return st;
}

/* One request; the whole answer, whatever its outcome. */
static sr_status ask(struct eth_rpc *r, const char *method, const struct buf *params,
                     uint64_t timeout_ms, struct json **ret_doc, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, params->n + 512);
    struct jw w = jw_of(&b);
    rpc_request(&w, ++r->next_id, method, buf_slice(params));
    SR_TRY(buf_status(params, err));
    SR_TRY(buf_status(&b, err));
    for (unsigned i = 0;; i++) {
        struct json *doc = NULL;
        SR_TRY(rpc_post(r, buf_slice(&b), timeout_ms, &doc, err));
        if (i == RPC_READ_AGAIN || !rpc_raced_a_block(json_root(doc))) {
            *ret_doc = doc;
            return SR_OK;
        }
        json_free(doc);
    }
}

static sr_status ask_within(struct eth_rpc *r, const char *method, const struct buf *params,
                            uint64_t timeout_ms, struct json **ret_doc,
                            const struct json_val **ret_result, struct sr_err *err) {
    struct json *doc = NULL;
    SR_TRY(ask(r, method, params, timeout_ms, &doc, err));
    sr_status st = rpc_outcome(json_root(doc), err);
    const struct json_val *res = json_get(json_root(doc), "result");
    if (st == SR_OK && !res) st = sr_fail(err, SR_E_CHAIN, "chain node: answer without result");
    if (st != SR_OK) {
        json_free(doc);
        return st;
    }
    *ret_doc = doc;
    *ret_result = res;
    return SR_OK;
}

static sr_status ask_result(struct eth_rpc *r, const char *method, const struct buf *params,
                            struct json **ret_doc, const struct json_val **ret_result,
                            struct sr_err *err) {
    return ask_within(r, method, params, RPC_READ_MS, ret_doc, ret_result, err);
}

sr_status eth_rpc_call(struct eth_rpc *r, const char *method, const char *params,
                       struct json **ret_doc, const struct json_val **ret_result,
                       struct sr_err *err) {
    cleanup_buf struct buf p;
    buf_init(&p, RPC_MAX_ANSWER);
    buf_str(&p, params);
    return ask_result(r, method, &p, ret_doc, ret_result, err);
}

#define PARAMS(name)                                                                               \
    cleanup_buf struct buf name##_b;                                                               \
    buf_init(&name##_b, RPC_MAX_ANSWER);                                                           \
    struct jw name = jw_of(&name##_b);                                                             \
    jw_arr(&name)

static sr_status bad_result(const char *method, struct sr_err *err) {
    return sr_fail(err, SR_E_CHAIN, "chain node: malformed answer to %s", method);
}

static sr_status get_quantity(struct eth_rpc *r, const char *method, struct buf *params,
                              struct u256 *ret, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    const struct json_val *v;
    SR_TRY(ask_result(r, method, params, &doc, &v, err));
    return rpc_get_u256(v, ret) ? SR_OK : bad_result(method, err);
}

static sr_status get_u64(struct eth_rpc *r, const char *method, struct buf *params, uint64_t *ret,
                         struct sr_err *err) {
    struct u256 v;
    SR_TRY(get_quantity(r, method, params, &v, err));
    return u256_to_u64(v, ret) ? SR_OK : bad_result(method, err);
}

sr_status eth_chain_id(struct eth_rpc *r, uint64_t *ret_id, struct sr_err *err) {
    if (r->chain_id == 0) {
        PARAMS(p);
        jw_end_arr(&p);
        SR_TRY(get_u64(r, "eth_chainId", &p_b, &r->chain_id, err));
    }
    *ret_id = r->chain_id;
    return SR_OK;
}

sr_status eth_block_number(struct eth_rpc *r, uint64_t *ret_n, struct sr_err *err) {
    PARAMS(p);
    jw_end_arr(&p);
    return get_u64(r, "eth_blockNumber", &p_b, ret_n, err);
}

sr_status eth_get_block(struct eth_rpc *r, struct eth_at at, struct eth_block *ret,
                        struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    const struct json_val *v;
    PARAMS(p);
    if (at.kind == ETH_HASH)
        jw_hex(&p, slice_of(at.hash.b, 32));
    else
        rpc_put_at(&p, at);
    jw_bool(&p, false);
    jw_end_arr(&p);
    SR_TRY(ask_result(r, at.kind == ETH_HASH ? "eth_getBlockByHash" : "eth_getBlockByNumber", &p_b,
                      &doc, &v, err));
    return rpc_get_block(v, ret, err);
}

sr_status eth_balance(struct eth_rpc *r, const struct addr *a, struct eth_at at,
                      struct u256 *ret_wei, struct sr_err *err) {
    PARAMS(p);
    jw_hex(&p, slice_of(a->b, 20));
    rpc_put_at(&p, at);
    jw_end_arr(&p);
    return get_quantity(r, "eth_getBalance", &p_b, ret_wei, err);
}

sr_status eth_nonce(struct eth_rpc *r, const struct addr *a, struct eth_at at, uint64_t *ret_n,
                    struct sr_err *err) {
    PARAMS(p);
    jw_hex(&p, slice_of(a->b, 20));
    rpc_put_at(&p, at);
    jw_end_arr(&p);
    return get_u64(r, "eth_getTransactionCount", &p_b, ret_n, err);
}

static sr_status get_bytes(struct eth_rpc *r, const char *method, struct buf *params,
                           struct buf *ret, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    const struct json_val *v;
    struct slice s;
    SR_TRY(ask_result(r, method, params, &doc, &v, err));
    if (!json_str(v, &s) || !slice_starts(s, "0x") || !hex_decode_buf(s, ret)) {
        BUF_TRY_MEMORY(ret, err);
        return bad_result(method, err);
    }
    return buf_status(ret, err);
}

sr_status eth_code(struct eth_rpc *r, const struct addr *a, struct eth_at at, struct buf *ret,
                   struct sr_err *err) {
    PARAMS(p);
    jw_hex(&p, slice_of(a->b, 20));
    rpc_put_at(&p, at);
    jw_end_arr(&p);
    return get_bytes(r, "eth_getCode", &p_b, ret, err);
}

static void put_call(struct jw *p, const struct addr *from, const struct addr *to,
                     const struct u256 *value, struct slice data) {
    jw_obj(p);
    if (from) jw_kaddr(p, "from", from);
    if (to) jw_kaddr(p, "to", to);
    if (value && !u256_is_zero(*value)) {
        jw_key(p, "value");
        rpc_put_u256(p, *value);
    }
    jw_khex(p, "data", data);
    jw_end_obj(p);
}

sr_status eth_call(struct eth_rpc *r, const struct addr *from, const struct addr *to,
                   struct slice data, struct eth_at at, struct buf *ret, struct sr_err *err) {
    PARAMS(p);
    put_call(&p, from, to, NULL, data);
    rpc_put_at(&p, at);
    jw_end_arr(&p);
    return get_bytes(r, "eth_call", &p_b, ret, err);
}

sr_status eth_estimate_gas(struct eth_rpc *r, const struct addr *from, const struct addr *to,
                           struct u256 value, struct slice data, uint64_t *ret_gas,
                           struct sr_err *err) {
    PARAMS(p);
    put_call(&p, from, to, &value, data);
    jw_end_arr(&p);
    return get_u64(r, "eth_estimateGas", &p_b, ret_gas, err);
}

sr_status eth_fees(struct eth_rpc *r, struct u256 *ret_max_fee, struct u256 *ret_max_tip,
                   struct sr_err *err) {
    if (r->fees_at_us == 0 || clock_mono_us() - r->fees_at_us > FEE_FRESH_US) {
        cleanup_batch struct eth_batch *b = eth_batch_new(r);
        if (!b) return sr_fail(err, SR_E_NOMEM, "chain client");
        size_t blk = eth_batch_raw(b, "eth_getBlockByNumber", "[\"latest\",false]");
        size_t tip = eth_batch_raw(b, "eth_maxPriorityFeePerGas", "[]");
        size_t price = eth_batch_raw(b, "eth_gasPrice", "[]");
        SR_TRY(eth_batch_run(b, err));
        const struct json_val *v;
        struct eth_block head;
        struct u256 base, t = {0}, gp;
        SR_TRY(eth_batch_json(b, blk, &v, err));
        SR_TRY(rpc_get_block(v, &head, err));
        if (eth_batch_json(b, tip, &v, NULL) == SR_OK) (void)rpc_get_u256(v, &t);
        base = head.base_fee;
        if (u256_is_zero(base) && eth_batch_json(b, price, &v, NULL) == SR_OK &&
            rpc_get_u256(v, &gp))
            base = gp;
        struct u256 max;
        if (!u256_add(&max, base, base) || !u256_add(&max, max, t))
            return sr_fail(err, SR_E_RANGE, "chain node: absurd fees");
        r->max_fee = max;
        r->max_tip = t;
        r->fees_at_us = clock_mono_us();
    }
    *ret_max_fee = r->max_fee;
    *ret_max_tip = r->max_tip;
    return SR_OK;
}

sr_status eth_get_logs(struct eth_rpc *r, const struct eth_filter *f, uint64_t from, uint64_t to,
                       struct eth_logs *ret, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    const struct json_val *v;
    PARAMS(p);
    jw_obj(&p);
    jw_key(&p, "fromBlock");
    rpc_put_u64(&p, from);
    jw_key(&p, "toBlock");
    rpc_put_u64(&p, to);
    rpc_put_filter(&p, f);
    jw_end_obj(&p);
    jw_end_arr(&p);
    SR_TRY(ask_within(r, "eth_getLogs", &p_b, RPC_TIMEOUT_MS, &doc, &v, err));
    return rpc_get_logs(v, ret, err);
}

sr_status eth_send_raw(struct eth_rpc *r, struct slice raw, struct hash *ret_tx,
                       struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    PARAMS(p);
    jw_hex(&p, raw);
    jw_end_arr(&p);
    SR_TRY(ask(r, "eth_sendRawTransaction", &p_b, RPC_TIMEOUT_MS, &doc, err));
    struct sr_err e = {0};
    sr_status st = rpc_outcome(json_root(doc), &e);
    if (st != SR_OK && !strstr(e.what, "already known") && !strstr(e.what, "already imported") &&
        !strstr(e.what, "known transaction")) {
        if (err) *err = e;
        return st;
    }
    if (ret_tx) *ret_tx = keccak256(raw);
    return SR_OK;
}

sr_status eth_get_receipt(struct eth_rpc *r, const struct hash *tx, struct eth_receipt *ret,
                          struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    const struct json_val *v;
    PARAMS(p);
    jw_hex(&p, slice_of(tx->b, 32));
    jw_end_arr(&p);
    SR_TRY(ask_result(r, "eth_getTransactionReceipt", &p_b, &doc, &v, err));
    return rpc_get_receipt(v, ret, err);
}

/* The receipt in one exchange. SR_E_NOTFOUND: this way gave none, look for it otherwise. */
static sr_status send_sync(struct eth_rpc *r, struct slice raw, uint64_t timeout_ms,
                           struct eth_receipt *ret, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    if (r->no_sync) return SR_E_NOTFOUND;
    PARAMS(p);
    jw_hex(&p, raw);
    jw_end_arr(&p);
    uint64_t ms = timeout_ms < RPC_TIMEOUT_MS ? timeout_ms : RPC_TIMEOUT_MS;
    sr_status st = ask(r, "eth_sendRawTransactionSync", &p_b, ms, &doc, err);
    if (st == SR_E_TIMEOUT) return SR_E_NOTFOUND;
    SR_TRY(st);
    if (rpc_no_such_method(json_root(doc))) {
        r->no_sync = true;
        return SR_E_NOTFOUND;
    }
    const struct json_val *res = json_get(json_root(doc), "result");
    if (json_is(res, JSON_OBJECT)) return rpc_get_receipt(res, ret, err);
    return SR_E_NOTFOUND;
}

sr_status eth_send_raw_wait(struct eth_rpc *r, struct slice raw, uint64_t timeout_ms,
                            struct eth_receipt *ret, struct sr_err *err) {
    int64_t end = clock_mono_us() + (int64_t)timeout_ms * 1000;
    struct sr_err e = {0};
    sr_status st = send_sync(r, raw, timeout_ms, ret, &e);
    if (st != SR_E_NOTFOUND) {
        if (st != SR_OK && err) *err = e;
        return st;
    }
    struct hash tx;
    e = (struct sr_err){0};
    st = eth_send_raw(r, raw, &tx, &e);
    if (st == SR_E_CONFLICT)
        tx = keccak256(raw); /* perhaps it is mined already */
    else if (st != SR_OK) {
        if (err) *err = e;
        return st;
    }
    for (int64_t start = clock_mono_us();;) {
        sr_status got = eth_get_receipt(r, &tx, ret, NULL);
        if (got == SR_OK || got == SR_E_CANCELLED) return got;
        if (st == SR_E_CONFLICT && got == SR_E_NOTFOUND) {
            if (err) *err = e;
            return st;
        }
        if (clock_mono_us() > end)
            return sr_fail(err, SR_E_TIMEOUT, "transaction %s is not mined after %llu s",
                           hash_text(&tx).s, (unsigned long long)(timeout_ms / 1000));
        uint64_t ms = (uint64_t)((clock_mono_us() - start) / 8000);
        SR_TRY(fiber_sleep(ms < POLL_FIRST_MS ? POLL_FIRST_MS
                           : ms > POLL_MAX_MS ? POLL_MAX_MS
                                              : ms,
                           err));
    }
}

/* Did the called code run into a wall (no gas left, no such instruction) rather than revert? Nodes
 * word it each in their own way. */
static bool halted(const struct sr_err *e) {
    static const char *const words[] = {
        "EVM error",                                                    /* anvil */
        "out of gas",      "invalid opcode",      "invalid jump",       /* geth, erigon */
        "stack underflow", "stack limit reached", "VM execution error", /* nethermind */
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(words); i++)
        if (strstr(e->what, words[i])) return true;
    return false;
}

sr_status eth_check_signature(struct eth_rpc *r, const struct addr *account,
                              const struct hash *digest, struct slice sig, struct eth_at at,
                              bool *ret_ok, struct sr_err *err) {
    cleanup_buf struct buf b, call;
    buf_init(&b, 1u << 20);
    buf_init(&call, ABI_MAX_BYTES);
    SR_TRY(eth_code(r, account, at, &b, err));
    if (b.n == 0) {
        struct addr who;
        *ret_ok = secp_recover(digest, sig, &who, NULL) == SR_OK && addr_eq(&who, account);
        return SR_OK;
    }
    buf_clear(&b);
    SR_TRY(abi_call(&call, "isValidSignature(bytes32,bytes)", err, av_hash(digest), av_bytes(sig)));
    struct sr_err e = {0};
    sr_status st = eth_call(r, NULL, account, buf_slice(&call), at, &b, &e);
    if (st == SR_E_CHAIN && halted(&e))
        st = SR_E_REFUSED; /* the contract's fault, not the node's */
    if (st != SR_OK && st != SR_E_REFUSED) {
        if (err) *err = e;
        return st;
    }
    static const uint8_t magic[32] = {0x16, 0x26, 0xba, 0x7e};
    *ret_ok = st == SR_OK && b.n == 32 && memcmp(b.p, magic, 32) == 0;
    return SR_OK;
}
