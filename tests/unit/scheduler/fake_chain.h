/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_chain.h - a chain node in this process: blocks, logs, the hub's views, transactions
 *
 * Enough JSON-RPC for the scheduler. Blocks are made by the test; a transaction makes one of its
 * own. fc_forget takes blocks back, as a restarted node does.
 */
#pragma once
#include "eth/eth.h"
#include "net/net.h"
#include "poco/poco.h"

#define FC_CHAIN_ID 31337u
#define FC_BLOCKS   4096
#define FC_LOGS     4096
#define FC_DEALS    32
#define FC_TASKS    2048

struct fc_deal {
    struct hash id;
    struct addr requester;
    uint64_t start, bot_size, trust;
    uint32_t tag;
    bool with_dataset;
    const char *params;
    uint64_t block;
};
struct fc_task {
    struct hash id, deal;
    uint64_t index, status, init_block, end_block;
};
struct fake_chain {
    struct http_server *server;
    char url[64];
    uint64_t n_blocks; /* block numbers 0..n_blocks-1 */
    struct eth_block blocks[FC_BLOCKS];
    size_t n_logs;
    struct fc_log {
        struct eth_log l;
        uint8_t data[256];
    } logs[FC_LOGS];
    size_t n_deals, n_tasks;
    struct fc_deal deals[FC_DEALS];
    struct fc_task tasks[FC_TASKS];
    uint64_t consumed; /* of any order */
    uint64_t fork;     /* goes into the hashes: another chain after a reorg */
    uint64_t nonce, now;
    size_t n_sent;
    struct {
        poco_call call;
        struct hash task, tx;
        uint64_t block;
    } sent[256];
    bool down; /* answers 503 */
    size_t requests;
    struct addr hub, pool, owner;
};

sr_status fc_start(struct fake_chain *c, struct sr_err *err);
uint64_t fc_block(struct fake_chain *c); /* a new, empty block, a second later */
/* A deal of bot_size tasks in a block of its own. */
struct hash fc_deal_make(struct fake_chain *c, const struct fc_deal *d);
void fc_initialize(struct fake_chain *c, const struct hash *task); /* TaskInitialize */
void fc_finalize(struct fake_chain *c, const struct hash *task);   /* and TaskFinalize */
void fc_claim(struct fake_chain *c, const struct hash *task);      /* TaskClaimed */
void fc_matched(struct fake_chain *c, const struct hash *order);   /* only OrdersMatched */
void fc_forget(struct fake_chain *c, uint64_t keep);               /* blocks above keep are gone */
void fc_pass(struct fake_chain *c, uint64_t seconds);              /* time, and a block */
struct fc_task *fc_task(struct fake_chain *c, const struct hash *id);
