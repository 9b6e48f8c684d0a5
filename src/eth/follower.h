/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follower.h - tells a role what the chain logged, in order, once, and when it took something back
 *
 * Told by a websocket subscription to new heads where the node has one, polling otherwise. Keeps
 * the hashes of the last FOLLOW_KEEP blocks; when the chain it sees no longer contains them
 * (reorg, a node that lost blocks, a shorter or another chain) it calls on_rollback first.
 * Survives restarts of the node: it says so in the log and tries again.
 *
 * The role stores its rows, the cursor (number, hash) and the hashes it is given in one database
 * transaction per step, and gives the hashes back at the next start.
 *
 * Depends on: rpc, net.  Used by: market, scheduler, sms, worker, sdk.
 */
#pragma once
#include "eth/rpc.h"

#define FOLLOW_KEEP  128  /* block hashes remembered; older blocks are final to us */
#define FOLLOW_RANGE 2000 /* blocks in one getLogs while catching up */

struct eth_mark {
    uint64_t number;
    struct hash hash;
};
/* One step: blocks from..to (live: one block) and their logs in order. */
struct eth_step {
    uint64_t from;
    struct eth_block head; /* block `to`; head.number == to */
    const struct eth_log *logs;
    size_t n;
    uint64_t chain_head; /* how far the chain is; head.number == chain_head: caught up */
};
struct eth_follow_opts {
    struct eth_rpc *rpc;          /* borrowed */
    const char *ws_url;           /* NULL: polling only */
    uint64_t start_block;         /* first block of interest (the hub's) */
    const struct eth_mark *marks; /* what the role had stored, oldest first; copied */
    size_t n_marks;
    struct eth_filter filter; /* borrowed for the follower's life */
    /* A second one, whose logs come mixed with the first's in the chain's order: events of
     * contracts that only the chain can name (n_topics0 0: none). No log may match both. */
    struct eth_filter also;
    uint64_t poll_ms; /* 0: 1000 */
    void *arg;
    /* A failure stops eth_follow with it (so a role's database error is not lost). */
    sr_status (*on_step)(void *arg, const struct eth_step *s, struct sr_err *err);
    /* Everything after block `keep` never happened. keep may be start_block - 1 (nothing kept). */
    sr_status (*on_rollback)(void *arg, uint64_t keep, struct sr_err *err);
};
struct eth_follower;
SR_CHECK sr_status eth_follower_new(const struct eth_follow_opts *o, struct eth_follower **ret,
                                    struct sr_err *err);
void eth_follower_free(struct eth_follower *f); /* not while eth_follow runs; accepts NULL */
/* Runs in the calling fiber until eth_follow_stop (SR_OK), the loop's end (SR_E_CANCELLED) or a
 * failing callback. */
SR_CHECK sr_status eth_follow(struct eth_follower *f, struct sr_err *err);
void eth_follow_stop(struct eth_follower *f);
/* The last block that was handed to on_step; 0 before the first. */
uint64_t eth_follow_at(const struct eth_follower *f);
/* The node does not answer: what was handed over may be old. */
bool eth_follow_is_down(const struct eth_follower *f);
/* Waits until block n has been handed over (a role that has just sent a transaction). */
SR_CHECK sr_status eth_follow_wait(struct eth_follower *f, uint64_t n, uint64_t timeout_ms,
                                   struct sr_err *err);
