/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heads.h - being told of new blocks: one websocket with a newHeads subscription, kept alive
 *
 * Used by: follower, sender.  Without a URL, or while the socket is down, nobody is told, and
 * waiters time out: that is the fall-back to polling.
 */
#pragma once
#include "eth/rpc.h"
#include "net/net.h"

struct eth_heads;
struct eth_head {
    struct eth_block block;
    uint64_t gas_used; /* 0: nothing happened in it */
};
/* Starts its fiber. url NULL: never tells. */
SR_CHECK sr_status eth_heads_new(const char *url, struct eth_heads **ret, struct sr_err *err);
/* Waits for the fiber to end; call in a fiber. Accepts NULL. */
void eth_heads_free(struct eth_heads *h);
bool eth_heads_live(const struct eth_heads *h); /* subscribed now */
/* Waits for a head newer than *seen (a counter, start with 0), or for timeout_ms: SR_E_TIMEOUT. */
SR_CHECK sr_status eth_heads_wait(struct eth_heads *h, uint64_t *seen, uint64_t timeout_ms,
                                  struct eth_head *ret, struct sr_err *err);
void eth_heads_poke(struct eth_heads *h); /* wakes its waiters as if time were out */
