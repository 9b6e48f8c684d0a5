/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/heads.h"
#include "eth/rpc_int.h"
#include <stdlib.h>

#define HEADS_MAX_MESSAGE (1u << 20)
#define HEADS_AGAIN_MS    250
#define HEADS_AGAIN_MAX   4000

struct eth_heads {
    char *url;
    struct ws *ws;
    bool stop, running, live;
    uint64_t count; /* heads heard */
    uint64_t pokes;
    struct eth_head last;
    struct fcond news, ended, nap;
};

static bool read_head(struct slice msg, struct eth_head *ret, bool *ret_subscribed) {
    cleanup_json struct json *doc = NULL;
    if (json_parse(msg, &doc, NULL) != SR_OK) return false;
    const struct json_val *root = json_root(doc);
    if (json_is(json_get(root, "result"), JSON_STRING)) *ret_subscribed = true;
    const struct json_val *h = json_get(json_get(root, "params"), "result");
    if (!h || rpc_get_block(h, &ret->block, NULL) != SR_OK) return false;
    /* an unreadable figure means "something may have happened" */
    if (!rpc_get_u64(json_get(h, "gasUsed"), &ret->gas_used)) ret->gas_used = 1;
    return true;
}

/* One connection, from its start to its end. */
static void listen_once(struct eth_heads *h, struct buf *b) {
    if (ws_connect(h->url, HEADS_MAX_MESSAGE, &h->ws, NULL) != SR_OK) {
        h->ws = NULL;
        return;
    }
    sr_status st = h->stop ? SR_E_CANCELLED
                           : ws_send(h->ws,
                                     SLICE_LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_"
                                               "subscribe\",\"params\":[\"newHeads\"]}"),
                                     NULL);
    while (st == SR_OK && !h->stop) {
        st = ws_recv(h->ws, 0, b, NULL);
        struct eth_head head;
        bool subscribed = false;
        if (st == SR_OK && read_head(buf_slice(b), &head, &subscribed)) {
            h->last = head;
            h->count++;
            fcond_wake(&h->news);
        }
        if (subscribed && !h->live) {
            h->live = true;
            /* blocks may have come between: whoever waits should look */
            eth_heads_poke(h);
        }
    }
    h->live = false;
    ws_close(h->ws);
    h->ws = NULL;
    eth_heads_poke(h);
}

static void run(void *arg) {
    struct eth_heads *h = arg;
    struct buf b;
    buf_init(&b, HEADS_MAX_MESSAGE);
    uint64_t again = HEADS_AGAIN_MS;
    while (!h->stop && !net_stopping()) {
        uint64_t before = h->count;
        listen_once(h, &b);
        again = h->count != before ? HEADS_AGAIN_MS
                                   : (again * 2 < HEADS_AGAIN_MAX ? again * 2 : HEADS_AGAIN_MAX);
        if (!h->stop && fcond_wait(&h->nap, again, NULL) == SR_E_CANCELLED) break;
    }
    buf_done(&b);
    h->running = false;
    fcond_wake(&h->ended);
}

sr_status eth_heads_new(const char *url, struct eth_heads **ret, struct sr_err *err) {
    struct eth_heads *h = calloc(1, sizeof *h);
    if (!h) return sr_fail(err, SR_E_NOMEM, "chain follower");
    if (url) {
        h->url = slice_dup(slice_str(url));
        sr_status st = h->url ? fiber_start(run, h, err) : sr_fail(err, SR_E_NOMEM, "follower");
        if (st != SR_OK) {
            free(h->url);
            free(h);
            return st;
        }
        h->running = true;
    }
    *ret = h;
    return SR_OK;
}

void eth_heads_free(struct eth_heads *h) {
    if (!h) return;
    h->stop = true;
    if (h->ws) ws_shutdown(h->ws);
    fcond_wake(&h->nap);
    while (h->running && fcond_wait(&h->ended, 0, NULL) == SR_OK) {
    }
    /* at the end of the loop waits are refused: the fiber is then still on its way out and keeps
     * its memory, as the process ends */
    if (h->running) return;
    free(h->url);
    free(h);
}

bool eth_heads_live(const struct eth_heads *h) {
    return h->live;
}

void eth_heads_poke(struct eth_heads *h) {
    h->pokes++;
    fcond_wake(&h->news);
}

sr_status eth_heads_wait(struct eth_heads *h, uint64_t *seen, uint64_t timeout_ms,
                         struct eth_head *ret, struct sr_err *err) {
    uint64_t pokes = h->pokes;
    int64_t end = clock_mono_us() + (int64_t)timeout_ms * 1000;
    while (h->count == *seen) {
        int64_t left = (end - clock_mono_us()) / 1000;
        if (left <= 0 || h->pokes != pokes) return SR_E_TIMEOUT;
        sr_status st = fcond_wait(&h->news, (uint64_t)left, NULL);
        if (st == SR_E_CANCELLED) return sr_fail(err, st, "the loop ends");
    }
    *seen = h->count;
    *ret = h->last;
    return SR_OK;
}
