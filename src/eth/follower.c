/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/follower.h"
#include "eth/heads.h"
#include "eth/rpc_int.h"
#include <stdlib.h>

#define CHUNK        32    /* blocks near the head read in one go */
#define POLL_MS      1000  /* without a subscription */
#define LIVE_POLL_MS 10000 /* with one: only against a socket that died silently */
#define RETRY_MS     200
#define RETRY_MAX_MS 3000
#define SECOND_LOOKS 3 /* a reorg seen within one reading starts it again, at most so often */

struct eth_follower {
    struct eth_follow_opts o;
    struct eth_heads *heads;
    struct eth_mark marks[FOLLOW_KEEP]; /* oldest first */
    size_t n_marks;
    uint64_t next; /* first block not handed over yet */
    uint64_t range;
    bool stop, down;
    bool role_failed; /* the failure is a callback's */
    struct fcond advanced;
};

sr_status eth_follower_new(const struct eth_follow_opts *o, struct eth_follower **ret,
                           struct sr_err *err) {
    struct eth_follower *f = calloc(1, sizeof *f);
    if (!f) return sr_fail(err, SR_E_NOMEM, "chain follower");
    f->o = *o;
    if (f->o.start_block == 0) f->o.start_block = 1; /* nothing is logged in the first block */
    if (f->o.poll_ms == 0) f->o.poll_ms = POLL_MS;
    size_t skip = o->n_marks > FOLLOW_KEEP ? o->n_marks - FOLLOW_KEEP : 0;
    f->n_marks = o->n_marks - skip;
    for (size_t i = 0; i < f->n_marks; i++) f->marks[i] = o->marks[skip + i];
    f->o.marks = NULL;
    f->next = f->n_marks ? f->marks[f->n_marks - 1].number + 1 : f->o.start_block;
    f->range = FOLLOW_RANGE;
    *ret = f;
    return SR_OK;
}

void eth_follower_free(struct eth_follower *f) {
    free(f);
}

uint64_t eth_follow_at(const struct eth_follower *f) {
    return f->n_marks ? f->marks[f->n_marks - 1].number : 0;
}

bool eth_follow_is_down(const struct eth_follower *f) {
    return f->down;
}

void eth_follow_stop(struct eth_follower *f) {
    f->stop = true;
    if (f->heads) eth_heads_poke(f->heads);
}

sr_status eth_follow_wait(struct eth_follower *f, uint64_t n, uint64_t timeout_ms,
                          struct sr_err *err) {
    int64_t end = clock_mono_us() + (int64_t)timeout_ms * 1000;
    while (eth_follow_at(f) < n) {
        int64_t left = (end - clock_mono_us()) / 1000;
        if (timeout_ms && left <= 0)
            return sr_fail(err, SR_E_TIMEOUT, "block %llu was not seen in time",
                           (unsigned long long)n);
        SR_TRY(fcond_wait(&f->advanced, timeout_ms ? (uint64_t)left : 0, err));
    }
    return SR_OK;
}

static void push_mark(struct eth_follower *f, const struct eth_block *b) {
    if (f->n_marks == FOLLOW_KEEP) {
        memmove(f->marks, f->marks + 1, (FOLLOW_KEEP - 1) * sizeof f->marks[0]);
        f->n_marks--;
    }
    f->marks[f->n_marks++] = (struct eth_mark){b->number, b->hash};
    f->next = b->number + 1;
}

static sr_status give(struct eth_follower *f, uint64_t from, const struct eth_block *to,
                      const struct eth_log *logs, size_t n, uint64_t chain_head,
                      struct sr_err *err) {
    const struct eth_step s = {
        .from = from, .head = *to, .logs = n ? logs : NULL, .n = n, .chain_head = chain_head};
    sr_status st = f->o.on_step(f->o.arg, &s, err);
    if (st != SR_OK) {
        f->role_failed = true;
        return st;
    }
    push_mark(f, to);
    fcond_wake(&f->advanced);
    return SR_OK;
}

/* Which of our marks are still on the chain? All behind the last such one is taken back. */
static sr_status take_back(struct eth_follower *f, struct sr_err *err) {
    cleanup_batch struct eth_batch *b = eth_batch_new(f->o.rpc);
    if (!b) return sr_fail(err, SR_E_NOMEM, "chain follower");
    cleanup_buf struct buf p;
    buf_init(&p, 128);
    for (size_t i = 0; i < f->n_marks; i++) {
        buf_clear(&p);
        buf_printf(&p, "[\"0x%llx\",false]", (unsigned long long)f->marks[i].number);
        (void)eth_batch_raw(b, "eth_getBlockByNumber", buf_cstr(&p));
    }
    SR_TRY(eth_batch_run(b, err));
    size_t keep = f->n_marks;
    for (; keep > 0; keep--) {
        const struct json_val *v;
        struct eth_block blk;
        SR_TRY(eth_batch_json(b, keep - 1, &v, err));
        if (rpc_get_block(v, &blk, NULL) == SR_OK && hash_eq(&blk.hash, &f->marks[keep - 1].hash))
            break;
    }
    if (keep == f->n_marks) return SR_OK;
    uint64_t number = keep ? f->marks[keep - 1].number : f->o.start_block - 1;
    log_info("chain_rollback", "from=%llu keep=%llu",
             (unsigned long long)f->marks[f->n_marks - 1].number, (unsigned long long)number);
    sr_status st = f->o.on_rollback(f->o.arg, number, err);
    if (st != SR_OK) {
        f->role_failed = true;
        return st;
    }
    f->n_marks = keep;
    f->next = number + 1;
    return SR_OK;
}

static bool has_also(const struct eth_follower *f) {
    return f->o.also.n_topics0 > 0;
}

static bool before(const struct eth_log *a, const struct eth_log *b) {
    return a->block != b->block ? a->block < b->block : a->index < b->index;
}

/* Both lists, in order; lives as long as they do. *ret_v owned. */
static sr_status mix(const struct eth_logs *a, const struct eth_logs *b, struct eth_log **ret_v,
                     struct sr_err *err) {
    struct eth_log *v = sr_calloc_n(a->n + b->n ? a->n + b->n : 1, sizeof *v);
    if (!v) return sr_fail(err, SR_E_NOMEM, "chain follower");
    size_t i = 0, k = 0;
    while (i < a->n || k < b->n) {
        bool first = k == b->n || (i < a->n && before(&a->v[i], &b->v[k]));
        v[i + k] = first ? a->v[i] : b->v[k];
        *(first ? &i : &k) += 1;
    }
    *ret_v = v;
    return SR_OK;
}

static sr_status give_both(struct eth_follower *f, const struct eth_block *to,
                           const struct eth_logs *logs, const struct eth_logs *also,
                           uint64_t chain_head, struct sr_err *err) {
    if (also->n == 0) return give(f, f->next, to, logs->v, logs->n, chain_head, err);
    cleanup_free struct eth_log *v = NULL;
    SR_TRY(mix(logs, also, &v, err));
    return give(f, f->next, to, v, logs->n + also->n, chain_head, err);
}

/* A long way behind: ranges, without looking at each block. */
static sr_status far_step(struct eth_follower *f, uint64_t head, struct sr_err *err) {
    uint64_t last = head - FOLLOW_KEEP, to = f->next + f->range - 1;
    if (to > last) to = last;
    struct eth_block blk;
    cleanup_logs struct eth_logs logs = {0}, also = {0};
    SR_TRY(eth_get_block(f->o.rpc, eth_at_block(to), &blk, err));
    sr_status st = eth_get_logs(f->o.rpc, &f->o.filter, f->next, to, &logs, err);
    if (st == SR_OK && has_also(f))
        st = eth_get_logs(f->o.rpc, &f->o.also, f->next, to, &also, err);
    if (st == SR_E_CHAIN && f->range > 1) { /* nodes limit the size of an answer */
        f->range /= 2;
        if (err) *err = (struct sr_err){0};
        return SR_OK;
    }
    SR_TRY(st);
    if (f->range < FOLLOW_RANGE) f->range += f->range / 2 + 1;
    return give_both(f, &blk, &logs, &also, head, err);
}

static void put_filter(struct eth_batch *b, const struct eth_filter *filter,
                       const struct hash *block) {
    cleanup_buf struct buf p;
    buf_init(&p, 1u << 16);
    struct jw w = jw_of(&p);
    jw_arr(&w);
    jw_obj(&w);
    jw_khash(&w, "blockHash", block);
    rpc_put_filter(&w, filter);
    jw_end_obj(&w);
    jw_end_arr(&w);
    (void)eth_batch_raw(b, "eth_getLogs", buf_cstr(&p));
}

/* One request, or two one after the other; get_logs_of reads them. */
static void put_logs_of(struct eth_batch *b, const struct eth_follower *f,
                        const struct hash *block) {
    put_filter(b, &f->o.filter, block);
    if (has_also(f)) put_filter(b, &f->o.also, block);
}

/* The i-th block's; false: the node has forgotten that block. */
static bool get_logs_of(struct eth_batch *b, size_t i, const struct eth_follower *f,
                        struct eth_logs *ret, struct eth_logs *ret_also) {
    const struct json_val *v;
    size_t each = has_also(f) ? 2 : 1;
    if (eth_batch_json(b, i * each, &v, NULL) != SR_OK || rpc_get_logs(v, ret, NULL) != SR_OK)
        return false;
    return each == 1 || (eth_batch_json(b, i * each + 1, &v, NULL) == SR_OK &&
                         rpc_get_logs(v, ret_also, NULL) == SR_OK);
}

/* Near the head: the blocks first, then the logs of exactly these (by hash), so that a reorg
 * between the two cannot mix. *ret_again: one was seen, or a block is gone. */
static sr_status near_steps(struct eth_follower *f, uint64_t head, bool *ret_again,
                            struct sr_err *err) {
    size_t n = (size_t)(head - f->next + 1 < CHUNK ? head - f->next + 1 : CHUNK);
    struct eth_block blocks[CHUNK];
    cleanup_batch struct eth_batch *b = eth_batch_new(f->o.rpc);
    cleanup_batch struct eth_batch *lb = eth_batch_new(f->o.rpc);
    if (!b || !lb) return sr_fail(err, SR_E_NOMEM, "chain follower");
    cleanup_buf struct buf p;
    buf_init(&p, 128);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&p);
        buf_printf(&p, "[\"0x%llx\",false]", (unsigned long long)f->next + i);
        (void)eth_batch_raw(b, "eth_getBlockByNumber", buf_cstr(&p));
    }
    SR_TRY(eth_batch_run(b, err));
    const struct eth_mark *last = f->n_marks ? &f->marks[f->n_marks - 1] : NULL;
    *ret_again = false;
    for (size_t i = 0; i < n; i++) {
        const struct json_val *v;
        SR_TRY(eth_batch_json(b, i, &v, err));
        const struct hash *before = i ? &blocks[i - 1].hash : last ? &last->hash : NULL;
        if (rpc_get_block(v, &blocks[i], NULL) != SR_OK || blocks[i].number != f->next + i ||
            (before && !hash_eq(before, &blocks[i].parent))) {
            *ret_again = true;
            return SR_OK;
        }
        put_logs_of(lb, f, &blocks[i].hash);
    }
    SR_TRY(eth_batch_run(lb, err));
    for (size_t i = 0; i < n; i++) {
        cleanup_logs struct eth_logs logs = {0}, also = {0};
        if (!get_logs_of(lb, i, f, &logs, &also)) {
            *ret_again = true;
            return SR_OK;
        }
        SR_TRY(give_both(f, &blocks[i], &logs, &also, head, err));
    }
    return SR_OK;
}

/* Until the head of the chain. */
static sr_status catch_up(struct eth_follower *f, struct sr_err *err) {
    struct eth_block head;
    unsigned looks = 0;
    SR_TRY(eth_get_block(f->o.rpc, (struct eth_at){0}, &head, err));
    const struct eth_mark *last = f->n_marks ? &f->marks[f->n_marks - 1] : NULL;
    bool again = last && (head.number < last->number ||
                          (head.number == last->number && !hash_eq(&head.hash, &last->hash)));
    while (!f->stop) {
        if (again) {
            SR_TRY(take_back(f, err));
            SR_TRY(eth_get_block(f->o.rpc, (struct eth_at){0}, &head, err));
            if (++looks > SECOND_LOOKS) return sr_fail(err, SR_E_CHAIN, "the chain is not steady");
        }
        again = false;
        if (f->next > head.number) return SR_OK;
        if (head.number - f->next > FOLLOW_KEEP) {
            if (f->n_marks) { /* the last mark must be on this chain before we build on it */
                struct eth_block at;
                last = &f->marks[f->n_marks - 1];
                sr_status st = eth_get_block(f->o.rpc, eth_at_block(last->number), &at, err);
                if (st != SR_OK) return st;
                if (!hash_eq(&at.hash, &last->hash)) {
                    again = true;
                    continue;
                }
            }
            SR_TRY(far_step(f, head.number, err));
        } else {
            SR_TRY(near_steps(f, head.number, &again, err));
        }
        if (f->next > head.number && !again)
            SR_TRY(eth_get_block(f->o.rpc, (struct eth_at){0}, &head, err));
    }
    return SR_OK;
}

/* A head we were told of that follows our last block: its logs are all that is missing. */
static sr_status told(struct eth_follower *f, const struct eth_head *h, bool *ret_done,
                      struct sr_err *err) {
    const struct eth_mark *last = f->n_marks ? &f->marks[f->n_marks - 1] : NULL;
    *ret_done = false;
    if (!last || h->block.number != f->next || !hash_eq(&h->block.parent, &last->hash))
        return SR_OK;
    cleanup_logs struct eth_logs logs = {0}, also = {0};
    if (h->gas_used) {
        cleanup_batch struct eth_batch *b = eth_batch_new(f->o.rpc);
        if (!b) return sr_fail(err, SR_E_NOMEM, "chain follower");
        put_logs_of(b, f, &h->block.hash);
        SR_TRY(eth_batch_run(b, err));
        if (!get_logs_of(b, 0, f, &logs, &also)) return SR_OK; /* the slow way finds out why */
    }
    SR_TRY(give_both(f, &h->block, &logs, &also, h->block.number, err));
    *ret_done = true;
    return SR_OK;
}

sr_status eth_follow(struct eth_follower *f, struct sr_err *err) {
    uint64_t seen = 0, retry = RETRY_MS;
    struct eth_head head;
    bool have_head = false;
    SR_TRY(eth_heads_new(f->o.ws_url, &f->heads, err));
    sr_status st = SR_OK;
    while (!f->stop) {
        struct sr_err e = {0};
        bool done = false;
        st = have_head ? told(f, &head, &done, &e) : SR_OK;
        if (st == SR_OK && !done) st = catch_up(f, &e);
        if (f->role_failed || st == SR_E_CANCELLED || st == SR_E_NOMEM) {
            if (err) *err = e;
            break;
        }
        have_head = false;
        if (st != SR_OK) {
            if (!f->down) log_err(LOG_WARN, "chain_down", &e);
            f->down = true;
            st = fiber_sleep(retry, err);
            if (st != SR_OK) break;
            retry = retry * 2 < RETRY_MAX_MS ? retry * 2 : RETRY_MAX_MS;
            continue;
        }
        if (f->down) log_info("chain_up", "block=%llu", (unsigned long long)eth_follow_at(f));
        f->down = false;
        retry = RETRY_MS;
        if (f->stop) break;
        uint64_t ms = f->o.ws_url && eth_heads_live(f->heads) ? LIVE_POLL_MS : f->o.poll_ms;
        st = eth_heads_wait(f->heads, &seen, ms, &head, err);
        if (st == SR_E_CANCELLED) break;
        have_head = st == SR_OK;
        st = SR_OK;
    }
    eth_heads_free(f->heads);
    f->heads = NULL;
    return f->stop && !f->role_failed ? SR_OK : st;
}
