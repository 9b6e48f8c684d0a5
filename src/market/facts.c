/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts.c - what the chain says about an order that somebody publishes
 *
 * The index knows who owns what and how much of an order is used; a signature of the owner's own
 * key needs nobody's word. Only where that does not settle it in the order's favour is the node
 * asked: a contract's signature, a presigned order, a stake not seen lately, something younger than
 * the index. So whatever is refused is refused by the chain itself. SPEC:
 * services.md#26-publishing-checks-in-order
 */
#include "eth/tx.h"
#include "market/market_int.h"
#include <stdlib.h>

/* ---- stakes that were read, until an event touches them */

#define STAKES 1024

struct stake_cache {
    struct {
        struct addr who;
        struct u256 stake;
        bool known;
    } e[STAKES];
};

struct stake_cache *stakes_new(void) {
    return calloc(1, sizeof(struct stake_cache));
}

void stakes_free(struct stake_cache *c) {
    free(c);
}

static size_t place(const struct addr *a) {
    return ((size_t)a->b[17] << 16 | (size_t)a->b[18] << 8 | a->b[19]) % STAKES;
}

void stakes_forget(struct market *m, const struct addr *who) {
    size_t i = place(who);
    if (addr_eq(&m->stakes->e[i].who, who)) m->stakes->e[i].known = false;
}

void stakes_flush(struct market *m) {
    for (size_t i = 0; i < STAKES; i++) m->stakes->e[i].known = false;
}

static void stakes_put(struct market *m, const struct addr *who, struct u256 stake) {
    size_t i = place(who);
    m->stakes->e[i].who = *who;
    m->stakes->e[i].stake = stake;
    m->stakes->e[i].known = true;
}

/* ---- by the index */

static void get_indexed(void *arg, struct db_rows *r) {
    struct indexed *i = arg;
    i->known = !db_col_is_null(r, 0);
    i->status = (order_status)(db_col_u64(r, 0) % 4);
    i->published_ms = db_col_u64(r, 1);
    i->volume = db_col_u64(r, 2);
    i->closed = db_col_u64(r, 3) > 0;
    struct addr owner = db_col_addr(r, 4);
    i->owned = !db_col_is_null(r, 4) && addr_eq(&owner, &i->who) && db_col_u64(r, 5) == i->kind;
}

struct db_stmt indexed_ask(const struct poco_order *o, const struct hash *h, const struct addr *who,
                           struct indexed *ret) {
#define ASK(deal_column)                                                                           \
    "SELECT (SELECT status FROM orders WHERE hash = $1),"                                          \
    " (SELECT published FROM orders WHERE hash = $1),"                                             \
    " (SELECT COALESCE(SUM(volume), 0) FROM deal WHERE " deal_column " = $1),"                     \
    " (SELECT COUNT(*) FROM closed WHERE hash = $1), r.owner, r.kind"                              \
    " FROM (SELECT 1 AS one) AS o LEFT JOIN resource AS r ON r.address = $2"
    static const char *const sql[] = {ASK("app_hash"), ASK("dataset_hash"), ASK("workerpool_hash"),
                                      ASK("request_hash")};
    *ret = (struct indexed){
        .who = *who, .kind = o->kind, .args = {db_hash(h), db_addr(poco_order_resource(o))}};
    return (struct db_stmt){
        .sql = sql[o->kind], .args = ret->args, .n = 2, .row = get_indexed, .arg = ret};
}

bool facts_by_index(struct market *m, const struct poco_order *o, const struct recovered *signature,
                    const struct addr *who, const struct indexed *i, struct facts *ret) {
    struct facts f = {.registered = true, .signed_ok = true, .owner = *who};
    struct u256 left, need;
    uint64_t n;
    bool owned = o->kind == POCO_REQUEST ? addr_eq(&o->request.requester, who) : i->owned;
    if (!signature->ok || !addr_eq(&signature->signer, who)) return false;
    f.consumed = i->closed ? *poco_order_volume(o) : u256_of(i->volume);
    if (!m->caught_up || (m->follower && eth_follow_is_down(m->follower)) || !owned ||
        !u256_sub(&left, *poco_order_volume(o), f.consumed) || !u256_to_u64(left, &n) || n == 0 ||
        !order_stake(o, n, &need))
        return false;
    size_t at = place(who);
    if (m->stakes->e[at].known && addr_eq(&m->stakes->e[at].who, who))
        f.stake = m->stakes->e[at].stake;
    if (u256_cmp(need, f.stake) > 0) return false;
    *ret = f;
    return true;
}

/* ---- by the node, in one request */

static sr_status add_call(struct eth_batch *b, const struct addr *to, const char *sig,
                          const struct abi_val *v, size_t n, size_t *ret_i, struct sr_err *err) {
    cleanup_buf struct buf call;
    buf_init(&call, 1u << 16);
    SR_TRY(abi_encode_call(&call, sig, v, n, err));
    *ret_i = eth_batch_call(b, to, buf_slice(&call), (struct eth_at){0});
    return SR_OK;
}
#define ADD_CALL(b, to, sig, ret_i, ...)                                                           \
    add_call((b), (to), (sig), (const struct abi_val[]){__VA_ARGS__},                              \
             sizeof((const struct abi_val[]){__VA_ARGS__}) / sizeof(struct abi_val), (ret_i), err)

/* A call that reverts, or an address that is no such contract, is a "no". */
static sr_status get_word(struct eth_batch *b, size_t i, const char *type, struct abi_val *ret,
                          bool *ret_ok, struct sr_err *err) {
    struct slice s;
    struct sr_err e = {0};
    sr_status st = eth_batch_get(b, i, &s, &e);
    if (st != SR_OK && st != SR_E_REFUSED) {
        if (err) *err = e;
        return st;
    }
    cleanup_abi struct abi_out o = {0};
    *ret_ok = st == SR_OK && abi_decode(s, type, &o, NULL) == SR_OK;
    if (*ret_ok) *ret = o.v[0];
    return SR_OK;
}

sr_status facts_by_chain(struct market *m, const struct poco_order *o, const struct hash *h,
                         const struct addr *who, struct facts *ret, struct sr_err *err) {
    const struct poco *p = &m->poco;
    uint64_t step = m->step_no;
    const struct addr *registry = o->kind == POCO_APP       ? &p->app_registry
                                  : o->kind == POCO_DATASET ? &p->dataset_registry
                                                            : &p->workerpool_registry;
    size_t reg = 0, own = 0, ver, con, acc;
    cleanup_batch struct eth_batch *b = eth_batch_new(m->rpc);
    if (!b) return sr_fail(err, SR_E_NOMEM, "publish");
    if (o->kind != POCO_REQUEST) {
        SR_TRY(
            ADD_CALL(b, registry, "isRegistered(address)", &reg, av_addr(poco_order_resource(o))));
        SR_TRY(add_call(b, poco_order_resource(o), "owner()", NULL, 0, &own, err));
    }
    SR_TRY(ADD_CALL(b, &p->hub, "verifyPresignatureOrSignature(address,bytes32,bytes)", &ver,
                    av_addr(who), av_hash(h), av_bytes(slice_of(o->sign.b, o->sign.n))));
    SR_TRY(ADD_CALL(b, &p->hub, "viewConsumed(bytes32)", &con, av_hash(h)));
    SR_TRY(ADD_CALL(b, &p->hub, "viewAccount(address)", &acc, av_addr(who)));
    SR_TRY(eth_batch_run(b, err));
    struct facts f = {.registered = true, .owner = o->request.requester};
    struct abi_val v;
    bool ok;
    if (o->kind != POCO_REQUEST) {
        SR_TRY(get_word(b, reg, "bool", &v, &ok, err));
        f.registered = ok && !u256_is_zero(v.num);
        SR_TRY(get_word(b, own, "address", &v, &ok, err));
        f.owner = ok ? v.addr : (struct addr){{0}};
        f.registered = f.registered && ok;
    }
    SR_TRY(get_word(b, ver, "bool", &v, &ok, err));
    f.signed_ok = ok && !u256_is_zero(v.num);
    SR_TRY(get_word(b, con, "uint256", &v, &ok, err));
    if (!ok) return sr_fail(err, SR_E_CHAIN, "the hub does not answer");
    f.consumed = v.num;
    struct slice s;
    SR_TRY(eth_batch_get(b, acc, &s, err));
    cleanup_abi struct abi_out o2 = {0};
    SR_TRY(abi_decode(s, "uint256,uint256", &o2, err)); /* a static tuple is its members */
    f.stake = o2.v[0].num;
    /* without a follower nobody would say when it changes */
    if (m->follower && m->step_no == step && !m->stepping) stakes_put(m, who, f.stake);
    *ret = f;
    return SR_OK;
}
