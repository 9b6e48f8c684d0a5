/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc.h - a chain node by JSON-RPC over HTTP; several endpoints, batches, reasons of reverts
 *
 * Everything here waits (call it in a fiber). Errors: SR_E_UNAVAILABLE no endpoint answers (hint
 * names them); SR_E_REFUSED the contract reverted, what says its reason; SR_E_CHAIN any other
 * answer of the node; SR_E_NOTFOUND no such block, receipt.
 *
 * Depends on: base, crypto, net, abi.  Used by: poco, every role that reads the chain.
 * Limits: RPC_*.
 */
#pragma once
#include "eth/abi.h"
#include "eth/tx.h"

#define RPC_MAX_URLS   8
#define RPC_MAX_ANSWER (64u << 20)
#define RPC_TIMEOUT_MS 20000 /* for answers that take a node long: logs, waiting for a block */
#define RPC_READ_MS    8000  /* for all others: a node that is silent so long is none */
#define RPC_MAX_TOPICS 64    /* topics of one position, addresses of a filter */

struct eth_rpc;
/* urls: http(s) addresses separated by commas, tried in order, a failing one rested. Owned:
 * eth_rpc_free. */
SR_CHECK sr_status eth_rpc_new(const char *urls, struct eth_rpc **ret, struct sr_err *err);
void eth_rpc_free(struct eth_rpc *r); /* accepts NULL */
/* Waits no longer than this for any answer of a node. */
void eth_rpc_patience(struct eth_rpc *r, uint64_t ms);
/* Any method; params is a JSON array. *ret_doc is the whole answer; *ret_result its "result". */
SR_CHECK sr_status eth_rpc_call(struct eth_rpc *r, const char *method, const char *params,
                                struct json **ret_doc, const struct json_val **ret_result,
                                struct sr_err *err);

/* At which state a read is made. {0} is the latest block. */
struct eth_at {
    enum { ETH_LATEST, ETH_PENDING, ETH_NUMBER, ETH_HASH } kind;
    uint64_t number;
    struct hash hash;
};
static inline struct eth_at eth_at_block(uint64_t number) {
    return (struct eth_at){.kind = ETH_NUMBER, .number = number};
}

struct eth_block {
    uint64_t number;
    struct hash hash, parent;
    uint64_t time; /* seconds */
    uint64_t gas_limit;
    struct u256 base_fee;
};
struct eth_log {
    struct addr address;
    struct hash topics[4];
    size_t n_topics;
    struct slice data; /* owned by the list it is in */
    uint64_t block;
    struct hash block_hash;
    struct hash tx;
    uint64_t index;
    uint64_t time; /* seconds, 0 when the node does not say */
};
struct eth_logs { /* owned: eth_logs_done */
    struct eth_log *v;
    size_t n;
    void *mem;
};
void eth_logs_done(struct eth_logs *l); /* accepts a zeroed one */
struct eth_receipt {                    /* owned: eth_receipt_done */
    struct hash tx, block_hash;
    uint64_t block;
    bool ok;
    uint64_t gas_used;
    bool has_contract;
    struct addr contract; /* created */
    struct eth_logs logs;
};
void eth_receipt_done(struct eth_receipt *r); /* accepts a zeroed one */
#define cleanup_receipt __attribute__((cleanup(eth_receipt_done)))
#define cleanup_logs    __attribute__((cleanup(eth_logs_done)))
struct eth_filter {
    const struct addr *addrs; /* any of; n_addrs 0: every contract */
    size_t n_addrs;
    const struct hash *topics0; /* any of; n 0: every event */
    size_t n_topics0;
    const struct hash *topics1; /* second topic, any of */
    size_t n_topics1;
    const struct hash *topics3; /* fourth topic (an ERC-721 token), any of */
    size_t n_topics3;
};

SR_CHECK sr_status eth_chain_id(struct eth_rpc *r, uint64_t *ret_id, struct sr_err *err);
SR_CHECK sr_status eth_block_number(struct eth_rpc *r, uint64_t *ret_n, struct sr_err *err);
SR_CHECK sr_status eth_get_block(struct eth_rpc *r, struct eth_at at, struct eth_block *ret,
                                 struct sr_err *err);
SR_CHECK sr_status eth_balance(struct eth_rpc *r, const struct addr *a, struct eth_at at,
                               struct u256 *ret_wei, struct sr_err *err);
SR_CHECK sr_status eth_nonce(struct eth_rpc *r, const struct addr *a, struct eth_at at,
                             uint64_t *ret_n, struct sr_err *err);
SR_CHECK sr_status eth_code(struct eth_rpc *r, const struct addr *a, struct eth_at at,
                            struct buf *ret, struct sr_err *err);
/* from may be NULL. ret gets the returned bytes. */
SR_CHECK sr_status eth_call(struct eth_rpc *r, const struct addr *from, const struct addr *to,
                            struct slice data, struct eth_at at, struct buf *ret,
                            struct sr_err *err);
SR_CHECK sr_status eth_estimate_gas(struct eth_rpc *r, const struct addr *from,
                                    const struct addr *to, struct u256 value, struct slice data,
                                    uint64_t *ret_gas, struct sr_err *err);
/* What to offer now: max_fee = 2 * base fee + tip. */
SR_CHECK sr_status eth_fees(struct eth_rpc *r, struct u256 *ret_max_fee, struct u256 *ret_max_tip,
                            struct sr_err *err);
SR_CHECK sr_status eth_get_logs(struct eth_rpc *r, const struct eth_filter *f, uint64_t from,
                                uint64_t to, struct eth_logs *ret, struct sr_err *err);
/* A raw transaction that the node already knows is not an error. */
SR_CHECK sr_status eth_send_raw(struct eth_rpc *r, struct slice raw, struct hash *ret_tx,
                                struct sr_err *err);
/* SR_E_NOTFOUND while it is not mined. */
SR_CHECK sr_status eth_get_receipt(struct eth_rpc *r, const struct hash *tx,
                                   struct eth_receipt *ret, struct sr_err *err);
/* What a transaction of any kind calls with, as the node says; added to ret. SR_E_NOTFOUND: the
 * node does not know it. */
SR_CHECK sr_status eth_get_calldata(struct eth_rpc *r, const struct hash *tx, struct buf *ret,
                                    struct sr_err *err);
/* A transaction as it was signed (kinds 0 and 2, no access list), checked against its hash; added
 * to ret. SR_E_NOTFOUND: the node does not know it. */
SR_CHECK sr_status eth_get_raw_tx(struct eth_rpc *r, const struct hash *tx, struct buf *ret,
                                  struct sr_err *err);
/* Sends and waits until it is mined: eth_sendRawTransactionSync where the node has it, else watches
 * new blocks. */
SR_CHECK sr_status eth_send_raw_wait(struct eth_rpc *r, struct slice raw, uint64_t timeout_ms,
                                     struct eth_receipt *ret, struct sr_err *err);
/* A contract account by ERC-1271, any other by recovery. *ret_ok false: a signature of nobody or
 * of somebody else, or a contract that gives no answer (it reverts, has no gas left, has no such
 * function). */
SR_CHECK sr_status eth_check_signature(struct eth_rpc *r, const struct addr *account,
                                       const struct hash *digest, struct slice sig,
                                       struct eth_at at, bool *ret_ok, struct sr_err *err);

/* Several calls in one HTTP request:
 *   struct eth_batch *b = eth_batch_new(rpc); i = eth_batch_call(b, &hub, data, at); ...
 *   SR_TRY(eth_batch_run(b, err)); SR_TRY(eth_batch_get(b, i, &bytes, err)); eth_batch_free(b); */
#define RPC_MAX_BATCH 256
struct eth_batch;
struct eth_batch *eth_batch_new(struct eth_rpc *r) SR_CHECK; /* NULL: out of memory */
void eth_batch_free(struct eth_batch *b);                    /* accepts NULL */
static inline void cleanup_batch_(struct eth_batch **b) {
    eth_batch_free(*b);
}
#define cleanup_batch __attribute__((cleanup(cleanup_batch_)))
/* The call's number; failures show in run. data is copied. */
size_t eth_batch_call(struct eth_batch *b, const struct addr *to, struct slice data,
                      struct eth_at at);
size_t eth_batch_raw(struct eth_batch *b, const char *method, const char *params);
/* SR_OK when the node answered; each call has its own outcome. */
SR_CHECK sr_status eth_batch_run(struct eth_batch *b, struct sr_err *err);
/* Returned bytes of an eth_call, or the call's own failure (revert: SR_E_REFUSED). Borrowed. */
SR_CHECK sr_status eth_batch_get(struct eth_batch *b, size_t i, struct slice *ret,
                                 struct sr_err *err);
SR_CHECK sr_status eth_batch_json(struct eth_batch *b, size_t i, const struct json_val **ret,
                                  struct sr_err *err);
