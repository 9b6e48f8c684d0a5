/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c - ready answers by request line; one slot a hash, newest wins */
#include "market/market_int.h"
#include <stdlib.h>

struct slot {
    uint64_t generation;
    struct buf key, body;
};
struct answer_cache {
    size_t held; /* bytes of bodies */
    struct slot slots[MARKET_CACHE];
};

struct answer_cache *cache_new(void) {
    struct answer_cache *c = calloc(1, sizeof *c);
    for (size_t i = 0; c && i < MARKET_CACHE; i++) {
        buf_init(&c->slots[i].key, 2048);
        buf_init(&c->slots[i].body, MARKET_CACHE_BYTES);
    }
    return c;
}

void cache_free(struct answer_cache *c) {
    if (!c) return;
    for (size_t i = 0; i < MARKET_CACHE; i++) {
        buf_done(&c->slots[i].key);
        buf_done(&c->slots[i].body);
    }
    free(c);
}

static struct slot *slot_of(struct answer_cache *c, struct slice key) {
    uint64_t h = 1469598103934665603u; /* FNV-1a: a wrong guess only costs a look-up */
    for (size_t i = 0; i < key.n; i++) h = (h ^ key.p[i]) * 1099511628211u;
    return &c->slots[(h ^ h >> 32) % MARKET_CACHE];
}

bool cache_get(struct answer_cache *c, struct slice key, uint64_t generation, struct slice *ret) {
    struct slot *s = slot_of(c, key);
    if (s->generation != generation || s->body.n == 0 || !slice_eq(buf_slice(&s->key), key))
        return false;
    *ret = buf_slice(&s->body);
    return true;
}

static void forget_all(struct answer_cache *c) {
    for (size_t i = 0; i < MARKET_CACHE; i++) {
        struct slot *s = &c->slots[i];
        buf_done(&s->key);
        buf_done(&s->body);
        buf_init(&s->key, 2048);
        buf_init(&s->body, MARKET_CACHE_BYTES);
    }
    c->held = 0;
}

void cache_put(struct answer_cache *c, struct slice key, uint64_t generation, struct slice body) {
    struct slot *s = slot_of(c, key);
    if (key.n > 2048 || body.n > MARKET_CACHE_BYTES) return;
    if (c->held + body.n > MARKET_CACHE_HELD) forget_all(c);
    c->held -= s->body.n;
    buf_clear(&s->key);
    buf_clear(&s->body);
    buf_add(&s->key, key);
    buf_add(&s->body, body);
    if (s->key.bad || s->body.bad) {
        buf_done(&s->key);
        buf_done(&s->body);
        buf_init(&s->key, 2048);
        buf_init(&s->body, MARKET_CACHE_BYTES);
    }
    c->held += s->body.n;
    s->generation = generation;
}
