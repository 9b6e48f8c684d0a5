/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on a chain against what was built: code byte by byte, and who is wired to whom. */
#include "deploy/deploy_int.h"
#include <stdio.h>

struct verify {
    const struct deploy_recipe *r;
    struct deploy_book book; /* with those that constructors created */
    struct eth_batch *batch;
    deploy_differs_fn *differs;
    void *arg;
    size_t n_compared, n_differs;
};

static void differs(struct verify *v, struct slice name, const char *what) {
    char text[DEPLOY_NAME_MAX * 2];
    (void)snprintf(text, sizeof text, "%.*s", (int)name.n, (const char *)name.p);
    v->n_differs++;
    v->differs(v->arg, text, what);
}

/* Contracts that are created by constructors have addresses that follow. */
static sr_status add_children(struct verify *v, struct sr_err *err) {
    for (const struct json_val *c = json_first(v->r->codes); c; c = json_next(c)) {
        const struct deploy_entry *by = deploy_book_find(&v->book, json_text(json_get(c, "by")));
        uint64_t nonce;
        if (!by || !json_u64(json_get(c, "nonce"), &nonce)) continue;
        struct addr a = eth_create_address(&by->addr, nonce);
        SR_TRY(deploy_book_put(&v->book, json_text(json_get(c, "name")), &a, false, err));
    }
    return SR_OK;
}

/* ---- code */

/* The put or mask that covers a byte; NULL: none. */
static const struct json_val *cover(const struct json_val *list, uint64_t byte, uint64_t size) {
    for (const struct json_val *p = json_first(list); p; p = json_next(p)) {
        uint64_t at = 0, n = size;
        if (!json_u64(json_get(p, "at"), &at)) continue;
        if (size == 0) (void)json_u64(json_get(p, "size"), &n);
        if (byte >= at && byte - at < n) return p;
    }
    return NULL;
}

static void compare_code(struct verify *v, const struct json_val *c, struct slice built,
                         struct slice live) {
    struct slice name = json_text(json_get(c, "name"));
    char what[200];
    if (live.n == 0) {
        differs(v, name, "there is no code at its address");
        return;
    }
    if (live.n != built.n) {
        (void)snprintf(what, sizeof what, "its code has %zu bytes, %zu were built", live.n,
                       built.n);
        differs(v, name, what);
        return;
    }
    for (size_t i = 0; i < live.n; i++) {
        if (live.p[i] == built.p[i] || cover(json_get(c, "masks"), i, 0)) continue;
        const struct json_val *put = cover(json_get(c, "puts"), i, sizeof(struct addr));
        uint64_t at = 0;
        struct addr a;
        if (put && json_u64(json_get(put, "at"), &at)) {
            struct slice is = json_text(json_get(put, "is"));
            memcpy(a.b, live.p + at, sizeof a.b);
            (void)snprintf(what, sizeof what, "its immutable at byte %llu is %s, not %.*s",
                           (unsigned long long)at, addr_text(&a).s, (int)is.n, (const char *)is.p);
        } else {
            (void)snprintf(what, sizeof what, "its code differs from byte %zu on", i);
        }
        differs(v, name, what);
        return;
    }
}

static sr_status judge_code(struct verify *v, const struct json_val *c, size_t i,
                            struct sr_err *err) {
    cleanup_buf struct buf built, live;
    buf_init(&built, DEPLOY_CODE_MAX);
    buf_init(&live, DEPLOY_CODE_MAX);
    const struct json_val *answer;
    struct slice hex;
    struct sr_err why = {0};
    SR_TRY(eth_batch_json(v->batch, i, &answer, err));
    if (!json_str(answer, &hex) || !hex_decode_buf(hex, &live)) {
        BUF_TRY_MEMORY(&live, err);
        return sr_fail(err, SR_E_CHAIN, "eth_getCode: the node's answer is no code");
    }
    SR_TRY(buf_status(&live, err));
    sr_status st = recipe_fill(json_get(c, "code"), json_get(c, "puts"), &v->book, &built, &why);
    if (st == SR_E_NOTFOUND) {
        differs(v, json_text(json_get(c, "name")), why.what);
        return SR_OK;
    }
    if (st != SR_OK && err) *err = why;
    if (st != SR_OK) return st;
    compare_code(v, c, buf_slice(&built), buf_slice(&live));
    return SR_OK;
}

/* ---- views */

static sr_status judge_answer(struct verify *v, const struct json_val *c, size_t i,
                              struct sr_err *err) {
    cleanup_buf struct buf want;
    buf_init(&want, DEPLOY_CODE_MAX);
    struct slice name = json_text(json_get(c, "name")), got;
    struct sr_err why = {0};
    sr_status st = eth_batch_get(v->batch, i, &got, &why);
    if (st == SR_E_REFUSED) {
        differs(v, name, "the contract refuses to answer");
        return SR_OK;
    }
    if (st == SR_OK)
        st = recipe_fill(json_get(c, "answer"), json_get(c, "puts"), &v->book, &want, &why);
    if (st == SR_E_NOTFOUND) {
        differs(v, name, why.what);
        return SR_OK;
    }
    if (st != SR_OK && err) *err = why;
    if (st != SR_OK) return st;
    if (slice_eq(buf_slice(&want), got)) return SR_OK;
    const struct json_val *put = json_at(json_get(c, "puts"), 0);
    struct addr a;
    char what[200];
    if (got.n == 32 && want.n == 32 && put) {
        struct slice is = json_text(json_get(put, "is"));
        memcpy(a.b, got.p + 12, sizeof a.b);
        (void)snprintf(what, sizeof what, "is %s, not %.*s", addr_text(&a).s, (int)is.n,
                       (const char *)is.p);
    } else {
        (void)snprintf(what, sizeof what,
                       "not what was deployed (%zu bytes of answer, %zu expected)", got.n, want.n);
    }
    differs(v, name, what);
    return SR_OK;
}

/* ---- all of it in one request */

/* Asks and remembers the request's number; -1: nothing was asked. */
static sr_status ask_all(struct verify *v, int *slot, struct sr_err *err) {
    size_t n = 0;
    for (const struct json_val *c = json_first(v->r->codes); c; c = json_next(c), n++) {
        struct slice name = json_text(json_get(c, "name"));
        const struct deploy_entry *e = deploy_book_find(&v->book, name);
        char params[80];
        slot[n] = -1;
        if (e && e->given) continue;
        v->n_compared++;
        if (!e) {
            differs(v, name, "the file has no address of it");
            continue;
        }
        (void)snprintf(params, sizeof params, "[\"%s\",\"latest\"]", addr_text(&e->addr).s);
        slot[n] = (int)eth_batch_raw(v->batch, "eth_getCode", params);
    }
    for (const struct json_val *c = json_first(v->r->checks); c; c = json_next(c), n++) {
        cleanup_buf struct buf data;
        buf_init(&data, DEPLOY_CODE_MAX);
        struct sr_err why = {0};
        const struct deploy_entry *to = deploy_book_find(&v->book, json_text(json_get(c, "to")));
        slot[n] = -1;
        sr_status st =
            recipe_fill(json_get(c, "data"), json_get(c, "dataPuts"), &v->book, &data, &why);
        if (!to || st == SR_E_NOTFOUND) continue; /* told above */
        if (st != SR_OK && err) *err = why;
        if (st != SR_OK) return st;
        v->n_compared++;
        slot[n] = (int)eth_batch_call(v->batch, &to->addr, buf_slice(&data), (struct eth_at){0});
    }
    return SR_OK;
}

static sr_status judge_all(struct verify *v, struct sr_err *err) {
    int slot[RPC_MAX_BATCH];
    size_t n = 0;
    for (size_t i = 0; i < RPC_MAX_BATCH; i++) slot[i] = -1; /* not asked */
    SR_TRY(ask_all(v, slot, err));
    SR_TRY(eth_batch_run(v->batch, err));
    for (const struct json_val *c = json_first(v->r->codes); c; c = json_next(c), n++)
        if (slot[n] >= 0) SR_TRY(judge_code(v, c, (size_t)slot[n], err));
    for (const struct json_val *c = json_first(v->r->checks); c; c = json_next(c), n++)
        if (slot[n] >= 0) SR_TRY(judge_answer(v, c, (size_t)slot[n], err));
    return SR_OK;
}

sr_status deploy_verify(struct eth_rpc *rpc, const struct deploy_recipe *r,
                        const struct deploy_book *b, deploy_differs_fn *fn, void *arg,
                        size_t *ret_compared, size_t *ret_differs, struct sr_err *err) {
    uint64_t chain_id;
    SR_TRY(eth_chain_id(rpc, &chain_id, err));
    if (chain_id != b->chain_id)
        return sr_fail(err, SR_E_REFUSED, "the node is on chain %llu, the file on %llu",
                       (unsigned long long)chain_id, (unsigned long long)b->chain_id);
    cleanup_batch struct eth_batch *batch = eth_batch_new(rpc);
    if (!batch) return sr_fail(err, SR_E_NOMEM, "out of memory");
    struct verify v = {.r = r, .book = *b, .batch = batch, .differs = fn, .arg = arg};
    SR_TRY(add_children(&v, err));
    SR_TRY(judge_all(&v, err));
    *ret_compared = v.n_compared;
    *ret_differs = v.n_differs;
    return SR_OK;
}
