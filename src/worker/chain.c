/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the chain for one thing only: when it takes blocks back (a reorganisation; a development
 * node that was killed), transactions of ours that it lost are sent again.
 */
#include "worker/worker_int.h"

#define CHAIN_PAUSE_MS 500u

static sr_status on_step(void *arg, const struct eth_step *s, struct sr_err *err) {
    (void)arg;
    (void)s;
    (void)err;
    return SR_OK;
}

static sr_status on_rollback(void *arg, uint64_t keep, struct sr_err *err) {
    struct worker *w = arg;
    log_warn("chain_rolled_back", "keep=%llu", (unsigned long long)keep);
    return eth_sender_rollback(w->sender, keep, err);
}

static sr_status follow_once(struct worker *w, struct sr_err *err) {
    uint64_t head;
    struct eth_follower *f = NULL;
    /* No log is of interest: one contract, one event that it never sends. */
    static const struct hash never = {{0}};
    SR_TRY(eth_block_number(w->rpc, &head, err));
    struct eth_follow_opts o = {
        .rpc = w->rpc,
        .ws_url = w->ws_url,
        .start_block = head > FOLLOW_KEEP ? head - FOLLOW_KEEP : 0,
        .filter = {.addrs = &w->hub, .n_addrs = 1, .topics0 = &never, .n_topics0 = 1},
        .arg = w,
        .on_step = on_step,
        .on_rollback = on_rollback};
    SR_TRY(eth_follower_new(&o, &f, err));
    sr_status st = eth_follow(f, err);
    eth_follower_free(f);
    return st;
}

void chain_fiber(void *arg) {
    struct worker *w = arg;
    while (!net_stopping()) {
        struct sr_err err = {0};
        if (follow_once(w, &err) != SR_OK && !net_stopping()) log_err(LOG_INFO, "chain_away", &err);
        if (fiber_sleep(CHAIN_PAUSE_MS, NULL) != SR_OK) break;
        /* Made anew, the follower knows no older blocks: what was lost meanwhile shows in the
         * height. */
        if (eth_sender_resume(w->sender, &err) != SR_OK) log_debug("sender_resume", "later=1");
    }
}
