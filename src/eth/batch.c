/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - several JSON-RPC requests in one HTTP request */
#include "eth/rpc.h"
#include "eth/rpc_int.h"
#include <stdlib.h>

struct eth_batch {
    struct eth_rpc *rpc;
    struct buf body;
    struct jw w;
    size_t n;
    bool too_many;
    struct json *doc;
    const struct json_val *answer[RPC_MAX_BATCH];
    struct buf bytes[RPC_MAX_BATCH];
};

struct eth_batch *eth_batch_new(struct eth_rpc *r) {
    struct eth_batch *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->rpc = r;
    buf_init(&b->body, RPC_MAX_ANSWER);
    b->w = jw_of(&b->body);
    jw_arr(&b->w);
    return b;
}

void eth_batch_free(struct eth_batch *b) {
    if (!b) return;
    for (size_t i = 0; i < b->n; i++) buf_done(&b->bytes[i]);
    json_free(b->doc);
    buf_done(&b->body);
    free(b);
}

static size_t add(struct eth_batch *b, const char *method, struct slice params) {
    if (b->n == RPC_MAX_BATCH) {
        b->too_many = true;
        return RPC_MAX_BATCH - 1;
    }
    rpc_request(&b->w, b->n, method, params);
    buf_init(&b->bytes[b->n], RPC_MAX_ANSWER);
    return b->n++;
}

size_t eth_batch_raw(struct eth_batch *b, const char *method, const char *params) {
    return add(b, method, slice_str(params));
}

size_t eth_batch_call(struct eth_batch *b, const struct addr *to, struct slice data,
                      struct eth_at at) {
    cleanup_buf struct buf p;
    buf_init(&p, RPC_MAX_ANSWER);
    struct jw w = jw_of(&p);
    jw_arr(&w);
    jw_obj(&w);
    jw_kaddr(&w, "to", to);
    jw_khex(&w, "data", data);
    jw_end_obj(&w);
    rpc_put_at(&w, at);
    jw_end_arr(&w);
    if (p.bad) b->body.bad = p.bad;
    return add(b, "eth_call", buf_slice(&p));
}

sr_status eth_batch_run(struct eth_batch *b, struct sr_err *err) {
    if (b->too_many)
        return sr_fail(err, SR_E_TOOBIG, "more than %d calls in one request", RPC_MAX_BATCH);
    if (b->n == 0) return SR_OK;
    SR_ASSERT(!b->doc);
    jw_end_arr(&b->w);
    SR_TRY(buf_status(&b->body, err));
    for (unsigned i = 0, raced = 1; raced; i++) {
        json_free(b->doc);
        b->doc = NULL;
        memset(b->answer, 0, sizeof b->answer);
        SR_TRY(rpc_post(b->rpc, buf_slice(&b->body), RPC_READ_MS, &b->doc, err));
        const struct json_val *root = json_root(b->doc);
        if (!json_is(root, JSON_ARRAY)) {
            SR_TRY(rpc_outcome(root, err));
            return sr_fail(err, SR_E_CHAIN, "chain node: it does not answer batches");
        }
        raced = 0;
        for (const struct json_val *v = json_first(root); v; v = json_next(v)) {
            uint64_t id;
            if (json_u64(json_get(v, "id"), &id) && id < b->n) b->answer[id] = v;
            if (i < RPC_READ_AGAIN && rpc_raced_a_block(v)) raced = 1;
        }
    }
    for (size_t i = 0; i < b->n; i++)
        if (!b->answer[i])
            return sr_fail(err, SR_E_CHAIN, "chain node: it left out a call of a batch");
    return SR_OK;
}

sr_status eth_batch_json(struct eth_batch *b, size_t i, const struct json_val **ret,
                         struct sr_err *err) {
    SR_ASSERT(i < b->n && b->answer[i]);
    SR_TRY(rpc_outcome(b->answer[i], err));
    *ret = json_get(b->answer[i], "result");
    return *ret ? SR_OK : sr_fail(err, SR_E_CHAIN, "chain node: answer without result");
}

sr_status eth_batch_get(struct eth_batch *b, size_t i, struct slice *ret, struct sr_err *err) {
    const struct json_val *v;
    struct slice s;
    SR_TRY(eth_batch_json(b, i, &v, err));
    if (!json_str(v, &s) || !slice_starts(s, "0x"))
        return sr_fail(err, SR_E_CHAIN, "chain node: malformed answer to eth_call");
    if (b->bytes[i].n == 0 && !hex_decode_buf(s, &b->bytes[i])) {
        BUF_TRY_MEMORY(&b->bytes[i], err);
        return sr_fail(err, SR_E_CHAIN, "chain node: malformed answer to eth_call");
    }
    SR_TRY(buf_status(&b->bytes[i], err));
    *ret = buf_slice(&b->bytes[i]);
    return SR_OK;
}
