/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender.h - sends transactions of one wallet: nonces, replacement, receipts; once per intent
 *
 * An intent id ("finalize:0x…") names what is wanted. Sending the same intent again, also after a
 * restart, finds the transaction of the first time. Rows are written before anything is sent, so a
 * crash at any line loses nothing and doubles nothing. Many fibers may send at once; nonces are
 * given in the order of the calls.
 *
 * Depends on: rpc, tx, SQLite.  Used by: scheduler, worker, sdk, cli.
 */
#pragma once
#include "eth/rpc.h"

#define SENDER_INTENT_MAX 160
#define SENDER_STUCK_MS   15000 /* without a receipt: replaced with 25 % more fee */

struct eth_sender;
struct eth_sender_opts {
    struct eth_rpc *rpc;             /* borrowed */
    const struct eth_signer *signer; /* borrowed */
    const char *path;                /* database file of this wallet; NULL: memory only */
    const char *ws_url;              /* to be told of new blocks; NULL: polls for receipts */
    uint64_t chain_id;               /* 0: asked */
    uint64_t stuck_ms;               /* 0: SENDER_STUCK_MS */
    uint64_t away_ms;        /* a node that refuses connections so long ends a wait; 0: waits on */
    struct u256 max_fee_cap; /* 0: none. Per gas; never offered more */
};
SR_CHECK sr_status eth_sender_new(const struct eth_sender_opts *o, struct eth_sender **ret,
                                  struct sr_err *err);
/* Sends again what a former run left unmined. Call once after new; waits. */
SR_CHECK sr_status eth_sender_resume(struct eth_sender *s, struct sr_err *err);
void eth_sender_free(struct eth_sender *s); /* accepts NULL */

struct eth_want {
    const char *intent; /* NULL: none, always a new transaction */
    struct addr to;
    bool creates; /* a contract creation: to is not used */
    struct u256 value;
    struct slice data;  /* borrowed during the call */
    uint64_t gas_limit; /* 0: estimated, plus a quarter */
};
/* Returns when the node has accepted it; *ret_tx its hash. SR_E_REFUSED: it would revert (only when
 * gas is estimated). */
SR_CHECK sr_status eth_sender_submit(struct eth_sender *s, const struct eth_want *w,
                                     struct hash *ret_tx, struct sr_err *err);
/* Waits for the receipt of a submitted one (or of its replacement). A mined but reverted one:
 * SR_E_REFUSED with its reason. ret may be NULL. */
SR_CHECK sr_status eth_sender_wait(struct eth_sender *s, const struct hash *tx, uint64_t timeout_ms,
                                   struct eth_receipt *ret, struct sr_err *err);
/* Both in one. timeout_ms 0: 120 s. */
SR_CHECK sr_status eth_sender_send(struct eth_sender *s, const struct eth_want *w,
                                   uint64_t timeout_ms, struct eth_receipt *ret,
                                   struct sr_err *err);
/* The chain took blocks back (follower's on_rollback): transactions mined after `keep` are sent
 * again. */
SR_CHECK sr_status eth_sender_rollback(struct eth_sender *s, uint64_t keep, struct sr_err *err);
/* What became of an intent. SR_E_NOTFOUND: never wanted here. */
typedef enum { ETH_INTENT_PENDING, ETH_INTENT_DONE, ETH_INTENT_REVERTED } eth_intent_state;
SR_CHECK sr_status eth_sender_intent(struct eth_sender *s, const char *intent,
                                     eth_intent_state *ret_state, struct hash *ret_tx,
                                     struct sr_err *err);
