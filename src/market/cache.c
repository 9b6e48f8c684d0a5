/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c - ready answers by request line; those asked longest ago give way */
#include "market/market_int.h"
#include <stdlib.h>

#define BUCKETS 4096u
#define KEY_MAX 2048u

struct answer {
    struct answer *next;          /* of its bucket */
    struct answer *newer, *older; /* asked after, before */
    uint64_t generation;
    bool loading; /* a fiber makes it */
    struct buf key, body;
};
struct answer_cache {
    struct answer *bucket[BUCKETS], *newest, *oldest;
    size_t held; /* bytes of keys and bodies */
    struct fcond loaded;
};

struct answer_cache *cache_new(void) {
    return calloc(1, sizeof(struct answer_cache));
}

static struct answer **bucket_of(struct answer_cache *c, struct slice key) {
    uint64_t h = 1469598103934665603u; /* FNV-1a */
    for (size_t i = 0; i < key.n; i++) h = (h ^ key.p[i]) * 1099511628211u;
    return &c->bucket[(h ^ h >> 32) % BUCKETS];
}

static struct answer *find(struct answer_cache *c, struct slice key) {
    struct answer *a = *bucket_of(c, key);
    while (a && !slice_eq(buf_slice(&a->key), key)) a = a->next;
    return a;
}

static void unlink_age(struct answer_cache *c, struct answer *a) {
    *(a->newer ? &a->newer->older : &c->newest) = a->older;
    *(a->older ? &a->older->newer : &c->oldest) = a->newer;
    a->newer = a->older = NULL;
}

static void link_newest(struct answer_cache *c, struct answer *a) {
    a->newer = NULL;
    a->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = a;
    c->newest = a;
}

static void forget(struct answer_cache *c, struct answer *a) {
    struct answer **at = bucket_of(c, buf_slice(&a->key));
    while (*at != a) at = &(*at)->next;
    *at = a->next;
    unlink_age(c, a);
    c->held -= a->key.n + a->body.n;
    buf_done(&a->key);
    buf_done(&a->body);
    free(a);
}

void cache_free(struct answer_cache *c) {
    if (!c) return;
    while (c->newest) forget(c, c->newest);
    free(c);
}

/* NULL: no memory, or a key that is not worth it. */
static struct answer *add(struct answer_cache *c, struct slice key) {
    struct answer *a = key.n <= KEY_MAX ? sr_calloc_n(1, sizeof *a) : NULL;
    if (!a) return NULL;
    buf_init(&a->key, KEY_MAX);
    buf_init(&a->body, MARKET_CACHE_BYTES);
    buf_add(&a->key, key);
    if (a->key.bad) {
        buf_done(&a->key);
        free(a);
        return NULL;
    }
    struct answer **at = bucket_of(c, key);
    a->next = *at;
    *at = a;
    c->held += a->key.n;
    link_newest(c, a);
    return a;
}

cache_state cache_look(struct answer_cache *c, struct slice key, uint64_t generation,
                       struct slice *ret) {
    struct answer *a = find(c, key);
    if (a && a->generation == generation) {
        if (a->loading) return CACHE_COMES;
        unlink_age(c, a);
        link_newest(c, a);
        *ret = buf_slice(&a->body);
        return CACHE_HAS;
    }
    if (a && a->loading) return CACHE_HAS_NOT; /* somebody makes what is old already */
    if (!a) a = add(c, key);
    if (a) {
        a->generation = generation;
        a->loading = true;
    }
    return CACHE_HAS_NOT;
}

sr_status cache_wait(struct answer_cache *c, struct sr_err *err) {
    return fcond_wait(&c->loaded, 0, err);
}

void cache_put(struct answer_cache *c, struct slice key, uint64_t generation, struct slice body) {
    struct answer *a = find(c, key);
    if (!a || a->generation != generation || !a->loading) return;
    a->loading = false;
    fcond_wake(&c->loaded);
    c->held -= a->body.n;
    buf_clear(&a->body);
    buf_add(&a->body, body);
    c->held += a->body.n;
    if (body.n == 0 || a->body.bad) forget(c, a);
    for (struct answer *old = c->oldest, *newer; old && c->held > MARKET_CACHE_HELD; old = newer) {
        newer = old->newer;
        if (!old->loading) forget(c, old);
    }
}
