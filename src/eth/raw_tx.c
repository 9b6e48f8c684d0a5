/* SPDX-License-Identifier: Apache-2.0 */
/* A mined transaction as it was signed: not every node hands out the bytes, so they are made again
 * from its fields and must have its hash. */
#include "eth/rpc_int.h"
#include "eth/tx.h"
#include <stdio.h>

static bool get_signature(const struct json_val *v, bool legacy, struct sr_signature *ret) {
    struct u256 r, s;
    uint64_t last;
    if (!rpc_get_u256(json_get(v, "r"), &r) || !rpc_get_u256(json_get(v, "s"), &s)) return false;
    u256_to_be(ret->b, r);
    u256_to_be(ret->b + 32, s);
    if (!rpc_get_u64(json_get(v, "v"), &last) &&
        (legacy || !rpc_get_u64(json_get(v, "yParity"), &last)))
        return false;
    /* EIP-155: chain id * 2 + 35 + parity; typed ones say the parity. */
    uint64_t parity = legacy ? (last + 1) % 2 : last;
    if (parity > 1) return false;
    ret->b[64] = (uint8_t)(27 + parity);
    return true;
}

/* *ret_v lives as long as *ret_doc, which is owned. */
static sr_status fetch_tx(struct eth_rpc *r, const struct hash *tx, struct json **ret_doc,
                          const struct json_val **ret_v, struct sr_err *err) {
    char params[80];
    (void)snprintf(params, sizeof params, "[\"%s\"]", hash_text(tx).s);
    SR_TRY(eth_rpc_call(r, "eth_getTransactionByHash", params, ret_doc, ret_v, err));
    if (!json_is(*ret_v, JSON_OBJECT))
        return sr_fail(err, SR_E_NOTFOUND, "the node has no transaction %s", hash_text(tx).s);
    return SR_OK;
}

static bool get_data(const struct json_val *v, struct buf *ret) {
    struct slice input;
    return json_str(json_get(v, "input"), &input) && hex_decode_buf(input, ret);
}

sr_status eth_get_calldata(struct eth_rpc *r, const struct hash *tx, struct buf *ret,
                           struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    const struct json_val *v = NULL;
    SR_TRY(fetch_tx(r, tx, &doc, &v, err));
    if (!get_data(v, ret)) {
        BUF_TRY_MEMORY(ret, err);
        return sr_fail(err, SR_E_CHAIN, "the node's answer for a transaction");
    }
    return buf_status(ret, err);
}

static bool get_tx(const struct json_val *v, struct buf *data, struct eth_tx *tx,
                   struct sr_signature *sig) {
    uint64_t type = 0;
    const struct json_val *list = json_get(v, "accessList"), *to = json_get(v, "to");
    if (json_get(v, "type") && !rpc_get_u64(json_get(v, "type"), &type)) return false;
    if ((type != TX_LEGACY && type != TX_1559) || (list && json_len(list) > 0)) return false;
    tx->type = (tx_type)type;
    tx->creates = !to || json_kind(to) == JSON_NULL;
    if (!tx->creates && !json_addr(to, &tx->to)) return false;
    bool fees = tx->type == TX_1559
                    ? rpc_get_u256(json_get(v, "maxFeePerGas"), &tx->max_fee) &&
                          rpc_get_u256(json_get(v, "maxPriorityFeePerGas"), &tx->max_tip)
                    : rpc_get_u256(json_get(v, "gasPrice"), &tx->max_fee);
    if (!fees || !rpc_get_u64(json_get(v, "chainId"), &tx->chain_id) ||
        !rpc_get_u64(json_get(v, "nonce"), &tx->nonce) ||
        !rpc_get_u64(json_get(v, "gas"), &tx->gas_limit) ||
        !rpc_get_u256(json_get(v, "value"), &tx->value) || !get_data(v, data))
        return false;
    tx->data = buf_slice(data);
    return get_signature(v, tx->type == TX_LEGACY, sig);
}

sr_status eth_get_raw_tx(struct eth_rpc *r, const struct hash *tx, struct buf *ret,
                         struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf data = {0}, raw = {0};
    const struct json_val *v = NULL;
    struct eth_tx t = {0};
    struct sr_signature sig;
    struct hash got;
    buf_init(&data, TX_MAX_DATA);
    buf_init(&raw, TX_MAX_DATA + 4096);
    SR_TRY(fetch_tx(r, tx, &doc, &v, err));
    if (!get_tx(v, &data, &t, &sig))
        return sr_fail(err, SR_E_CHAIN, "a transaction of a kind that is not known here");
    SR_TRY(tx_encode(&t, &sig, &raw, &got, err));
    if (!hash_eq(&got, tx))
        return sr_fail(err, SR_E_CHAIN, "the node's transaction %s has another hash",
                       hash_text(tx).s);
    buf_add(ret, buf_slice(&raw));
    return buf_status(ret, err);
}
