/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/poco.h"
#include "poco/match_int.h"
#include <stdlib.h>

#define CALL_MAX      (1u << 18)
#define ANSWER_MAX    (1u << 20)
#define DATASET_TYPES "(address,string,bytes,bytes32)"

const char *const poco_task_status_word[5] = {"UNSET", "ACTIVE", "REVEALING", "COMPLETED",
                                              "FAILED"};

/* ---- opening */

static sr_status get_addr(struct eth_batch *b, size_t i, struct addr *ret, struct sr_err *err) {
    struct slice s;
    cleanup_abi struct abi_out o = {0};
    SR_TRY(eth_batch_get(b, i, &s, err));
    SR_TRY(abi_decode(s, "address", &o, err));
    *ret = o.v[0].addr;
    return SR_OK;
}

sr_status poco_open(struct eth_rpc *rpc, const struct addr *hub, struct poco *ret,
                    struct sr_err *err) {
    static const char *const views[] = {"domain()", "token()", "appregistry()", "datasetregistry()",
                                        "workerpoolregistry()"};
    size_t at[SR_ARRAY_LEN(views)];
    uint64_t chain_id;
    cleanup_batch struct eth_batch *b = eth_batch_new(rpc);
    if (!b) return sr_fail(err, SR_E_NOMEM, "hub");
    for (size_t i = 0; i < SR_ARRAY_LEN(views); i++) {
        uint8_t sel[4];
        abi_selector(views[i], sel);
        at[i] = eth_batch_call(b, hub, slice_of(sel, 4), (struct eth_at){0});
    }
    SR_TRY(eth_chain_id(rpc, &chain_id, err));
    SR_TRY(eth_batch_run(b, err));
    struct slice s;
    cleanup_abi struct abi_out o = {0};
    struct sr_err e = {0};
    if (eth_batch_get(b, at[0], &s, &e) != SR_OK ||
        abi_decode(s, "(string,string,uint256,address)", &o, &e) != SR_OK) {
        sr_status st = sr_fail(err, SR_E_NOTFOUND, "there is no PoCo hub at %s on chain %llu",
                               addr_text(hub).s, (unsigned long long)chain_id);
        sr_hint(err, "check the hub address, and that the chain node is of this chain");
        return st;
    }
    struct poco p = {.rpc = rpc, .hub = *hub, .domain = poco_domain_of(chain_id, hub)};
    const struct abi_val *d = o.v[0].list.v;
    uint64_t id;
    if (!slice_is(d[0].bytes, "iExecODB") || !slice_is(d[1].bytes, "5.0.0") ||
        !u256_to_u64(d[2].num, &id) || id != chain_id || !addr_eq(&d[3].addr, hub))
        return sr_fail(err, SR_E_CHAIN, "the hub at %s has another signing domain than PoCo's",
                       addr_text(hub).s);
    SR_TRY(get_addr(b, at[1], &p.token, err));
    SR_TRY(get_addr(b, at[2], &p.app_registry, err));
    SR_TRY(get_addr(b, at[3], &p.dataset_registry, err));
    SR_TRY(get_addr(b, at[4], &p.workerpool_registry, err));
    *ret = p;
    return SR_OK;
}

/* One view of a contract: the answer decoded; ret_bytes owns what o borrows. */
static sr_status view_at(const struct poco *p, const struct addr *to, struct eth_at at,
                         const char *sig, const struct abi_val *args, size_t n, const char *types,
                         struct buf *ret_bytes, struct abi_out *ret, struct sr_err *err) {
    cleanup_buf struct buf call;
    buf_init(&call, CALL_MAX);
    SR_TRY(abi_encode_call(&call, sig, args, n, err));
    SR_TRY(eth_call(p->rpc, NULL, to, buf_slice(&call), at, ret_bytes, err));
    return abi_decode(buf_slice(ret_bytes), types, ret, err);
}

#define VIEW(to, at, sig, types, ...)                                                              \
    cleanup_buf struct buf bytes;                                                                  \
    buf_init(&bytes, ANSWER_MAX);                                                                  \
    cleanup_abi struct abi_out o = {0};                                                            \
    const struct abi_val args[] = {__VA_ARGS__};                                                   \
    sr_status view_st =                                                                            \
        view_at(p, (to), (at), (sig), args, SR_ARRAY_LEN(args), (types), &bytes, &o, err);         \
    if (view_st != SR_OK) return view_st

/* Copies slices into one owned block, in turn. */
struct keep {
    uint8_t *mem;
    size_t used;
};
static struct slice keep(struct keep *k, struct slice s) {
    uint8_t *at = k->mem + k->used;
    if (s.n) memcpy(at, s.p, s.n);
    k->used += s.n;
    return slice_of(at, s.n);
}

static bool small(struct u256 v, uint64_t *ret) {
    return u256_to_u64(v, ret);
}

/* ---- deals and tasks */

void poco_deal_done(struct poco_deal *d) {
    free(d->mem);
    *d = (struct poco_deal){0};
}

static struct poco_resource resource(const struct abi_val *v) {
    return (struct poco_resource){v->list.v[0].addr, v->list.v[1].addr, v->list.v[2].num};
}

sr_status poco_view_deal(const struct poco *p, const struct hash *id, struct eth_at at,
                         struct poco_deal *ret, struct sr_err *err) {
    VIEW(&p->hub, at, "viewDeal(bytes32)",
         "((address,address,uint256),(address,address,uint256),(address,address,uint256),uint256,"
         "uint256,bytes32,address,address,address,string,uint256,uint256,uint256,uint256,uint256,"
         "address)",
         av_hash(id));
    const struct abi_val *v = o.v[0].list.v;
    struct poco_deal d = {.app = resource(&v[0]),
                          .dataset = resource(&v[1]),
                          .workerpool = resource(&v[2]),
                          .trust = v[3].num,
                          .category = v[4].num,
                          .tag = v[5].hash,
                          .requester = v[6].addr,
                          .beneficiary = v[7].addr,
                          .callback = v[8].addr,
                          .bot_first = v[11].num,
                          .bot_size = v[12].num,
                          .worker_stake = v[13].num,
                          .scheduler_ratio = v[14].num,
                          .sponsor = v[15].addr};
    if (u256_is_zero(d.bot_size)) return sr_fail(err, SR_E_NOTFOUND, "no deal %s", hash_text(id).s);
    if (!small(v[10].num, &d.start_time))
        return sr_fail(err, SR_E_CHAIN, "deal %s: absurd start time", hash_text(id).s);
    struct keep k = {.mem = malloc(v[9].bytes.n + 1)};
    if (!k.mem) return sr_fail(err, SR_E_NOMEM, "deal");
    d.params = keep(&k, v[9].bytes);
    d.mem = k.mem;
    *ret = d;
    return SR_OK;
}

void poco_task_done(struct poco_task *t) {
    free(t->mem);
    *t = (struct poco_task){0};
}

sr_status poco_view_task(const struct poco *p, const struct hash *id, struct eth_at at,
                         struct poco_task *ret, struct sr_err *err) {
    VIEW(&p->hub, at, "viewTask(bytes32)",
         "(uint8,bytes32,uint256,uint256,uint256,uint256,uint256,bytes32,uint256,uint256,address[],"
         "bytes32,bytes,uint256,bytes)",
         av_hash(id));
    const struct abi_val *v = o.v[0].list.v;
    struct poco_task t = {.deal = v[1].hash,
                          .index = v[2].num,
                          .consensus = v[7].hash,
                          .n_contributors = v[10].list.n,
                          .result_digest = v[11].hash};
    uint64_t status;
    if (!small(v[0].num, &status) || status > POCO_TASK_FAILED || !small(v[3].num, &t.timeref) ||
        !small(v[4].num, &t.contribution_deadline) || !small(v[5].num, &t.reveal_deadline) ||
        !small(v[6].num, &t.final_deadline) || !small(v[8].num, &t.reveal_counter) ||
        !small(v[9].num, &t.winner_counter))
        return sr_fail(err, SR_E_CHAIN, "task %s: absurd figures", hash_text(id).s);
    t.status = (poco_task_status)status;
    size_t n = t.n_contributors * sizeof(struct addr);
    struct keep k = {.mem = malloc(n + v[12].bytes.n + v[14].bytes.n + 1), .used = n};
    if (!k.mem) return sr_fail(err, SR_E_NOMEM, "task");
    struct addr *who = (struct addr *)(void *)k.mem;
    for (size_t i = 0; i < t.n_contributors; i++) who[i] = v[10].list.v[i].addr;
    t.contributors = who;
    t.results = keep(&k, v[12].bytes);
    t.callback_data = keep(&k, v[14].bytes);
    t.mem = k.mem;
    *ret = t;
    return SR_OK;
}

sr_status poco_view_contribution(const struct poco *p, const struct hash *task,
                                 const struct addr *worker, struct eth_at at,
                                 struct poco_contribution *ret, struct sr_err *err) {
    VIEW(&p->hub, at, "viewContribution(bytes32,address)",
         "(uint8,bytes32,bytes32,address,uint256)", av_hash(task), av_addr(worker));
    const struct abi_val *v = o.v[0].list.v;
    uint64_t status;
    if (!small(v[0].num, &status) || status > 3)
        return sr_fail(err, SR_E_CHAIN, "contribution: absurd status");
    *ret = (struct poco_contribution){(unsigned)status, v[1].hash, v[2].hash, v[3].addr, v[4].num};
    return SR_OK;
}

/* ---- accounts, categories, orders */

sr_status poco_view_account(const struct poco *p, const struct addr *a, struct eth_at at,
                            struct poco_account *ret, struct sr_err *err) {
    VIEW(&p->hub, at, "viewAccount(address)", "(uint256,uint256)", av_addr(a));
    *ret = (struct poco_account){o.v[0].list.v[0].num, o.v[0].list.v[1].num};
    return SR_OK;
}

void poco_category_done(struct poco_category *c) {
    free(c->name);
    free(c->description);
    *c = (struct poco_category){0};
}

sr_status poco_view_category(const struct poco *p, uint64_t id, struct eth_at at,
                             struct poco_category *ret, struct sr_err *err) {
    cleanup_buf struct buf bytes;
    buf_init(&bytes, ANSWER_MAX);
    cleanup_abi struct abi_out o = {0};
    const struct abi_val arg = av_u64(id);
    struct sr_err e = {0};
    sr_status st = view_at(p, &p->hub, at, "viewCategory(uint256)", &arg, 1,
                           "(string,string,uint256)", &bytes, &o, &e);
    if (st == SR_E_REFUSED)
        return sr_fail(err, SR_E_NOTFOUND, "no category %llu", (unsigned long long)id);
    if (st != SR_OK) {
        if (err) *err = e;
        return st;
    }
    const struct abi_val *v = o.v[0].list.v;
    struct poco_category c = {slice_dup(v[0].bytes), slice_dup(v[1].bytes), 0};
    if (!c.name || !c.description) {
        poco_category_done(&c);
        return sr_fail(err, SR_E_NOMEM, "category");
    }
    if (!small(v[2].num, &c.time_ref)) {
        poco_category_done(&c);
        return sr_fail(err, SR_E_CHAIN, "category: absurd time");
    }
    *ret = c;
    return SR_OK;
}

sr_status poco_view_consumed(const struct poco *p, const struct hash *order, struct eth_at at,
                             struct u256 *ret, struct sr_err *err) {
    VIEW(&p->hub, at, "viewConsumed(bytes32)", "uint256", av_hash(order));
    *ret = o.v[0].num;
    return SR_OK;
}

sr_status poco_view_presigned(const struct poco *p, const struct hash *order, struct eth_at at,
                              struct addr *ret, struct sr_err *err) {
    VIEW(&p->hub, at, "viewPresigned(bytes32)", "address", av_hash(order));
    *ret = o.v[0].addr;
    return SR_OK;
}

/* ---- any view, by name */

sr_status poco_view(const struct poco *p, const struct addr *to, poco_fn f, struct eth_at at,
                    const struct abi_val *v, size_t n, struct buf *ret_bytes, struct abi_out *ret,
                    struct sr_err *err) {
    return view_at(p, to, at, poco_fn_signature(f), v, n, poco_fn_answer_types(f), ret_bytes, ret,
                   err);
}

sr_status poco_view_score(const struct poco *p, const struct addr *worker, struct eth_at at,
                          uint64_t *ret, struct sr_err *err) {
    VIEW(&p->hub, at, "viewScore(address)", "uint256", av_addr(worker));
    if (!small(o.v[0].num, ret)) return sr_fail(err, SR_E_CHAIN, "a score beyond 64 bits");
    return SR_OK;
}

sr_status poco_result_for(const struct poco *p, const struct hash *task, struct eth_at at,
                          struct buf *ret, struct sr_err *err) {
    VIEW(&p->hub, at, "resultFor(bytes32)", "bytes", av_hash(task));
    buf_add(ret, o.v[0].bytes);
    if (ret->bad != SR_OK)
        return sr_fail(err, ret->bad, "no room for a result of %zu bytes", o.v[0].bytes.n);
    return SR_OK;
}

sr_status poco_deal_volume(const struct poco *p, const struct poco_order *app,
                           const struct poco_order *dataset, const struct poco_order *workerpool,
                           const struct poco_order *request, struct u256 *ret, struct sr_err *err) {
    cleanup_buf struct buf call, bytes;
    buf_init(&call, CALL_MAX);
    buf_init(&bytes, ANSWER_MAX);
    cleanup_abi struct abi_out o = {0};
    SR_TRY(poco_enc_deal_volume(&call, app, dataset, workerpool, request, err));
    SR_TRY(eth_call(p->rpc, NULL, &p->hub, buf_slice(&call), (struct eth_at){0}, &bytes, err));
    SR_TRY(abi_decode(buf_slice(&bytes), "uint256", &o, err));
    *ret = o.v[0].num;
    return SR_OK;
}

sr_status erc20_balance(struct eth_rpc *r, const struct addr *token, const struct addr *a,
                        struct eth_at at, struct u256 *ret, struct sr_err *err) {
    const struct poco fake = {.rpc = r}, *p = &fake;
    VIEW(token, at, "balanceOf(address)", "uint256", av_addr(a));
    *ret = o.v[0].num;
    return SR_OK;
}

/* ---- resources */

void poco_app_done(struct poco_app *a) {
    free(a->mem);
    *a = (struct poco_app){0};
}
void poco_dataset_done(struct poco_dataset *d) {
    free(d->mem);
    *d = (struct poco_dataset){0};
}
void poco_workerpool_done(struct poco_workerpool *w) {
    free(w->mem);
    *w = (struct poco_workerpool){0};
}

/* A view of something that is not that kind of contract reverts, or answers nonsense. */
static sr_status view_resource(const struct poco *p, poco_kind k, const struct addr *a,
                               struct eth_at at, const char *sig, const char *types,
                               struct buf *ret_bytes, struct abi_out *ret, struct sr_err *err) {
    struct sr_err e = {0};
    const struct abi_val arg = av_addr(a);
    sr_status st = view_at(p, &p->hub, at, sig, &arg, 1, types, ret_bytes, ret, &e);
    if (st == SR_E_REFUSED || st == SR_E_MALFORMED)
        return sr_fail(err, SR_E_NOTFOUND, "there is no %s at %s", poco_kind_word[k],
                       addr_checksum(a).s);
    if (st != SR_OK && err) *err = e;
    return st;
}

sr_status poco_view_app(const struct poco *p, const struct addr *a, struct eth_at at,
                        struct poco_app *ret, struct sr_err *err) {
    cleanup_buf struct buf bytes;
    buf_init(&bytes, ANSWER_MAX);
    cleanup_abi struct abi_out o = {0};
    SR_TRY(view_resource(p, POCO_APP, a, at, "viewApp(address)",
                         "(address,string,string,bytes,bytes32,bytes)", &bytes, &o, err));
    const struct abi_val *v = o.v[0].list.v;
    struct keep k = {.mem = malloc(bytes.n)};
    if (!k.mem) return sr_fail(err, SR_E_NOMEM, "app");
    struct poco_app x = {.owner = v[0].addr, .checksum = v[4].hash, .mem = k.mem};
    x.name = keep(&k, v[1].bytes);
    x.type = keep(&k, v[2].bytes);
    x.multiaddr = keep(&k, v[3].bytes);
    x.mrenclave = keep(&k, v[5].bytes);
    *ret = x;
    return SR_OK;
}

sr_status poco_dataset_of(struct slice answer, struct poco_dataset *ret, struct sr_err *err) {
    cleanup_abi struct abi_out o = {0};
    SR_TRY(abi_decode(answer, DATASET_TYPES, &o, err));
    const struct abi_val *v = o.v[0].list.v;
    struct keep k = {.mem = malloc(answer.n + 1)};
    if (!k.mem) return sr_fail(err, SR_E_NOMEM, "dataset");
    struct poco_dataset x = {.owner = v[0].addr, .checksum = v[3].hash, .mem = k.mem};
    x.name = keep(&k, v[1].bytes);
    x.multiaddr = keep(&k, v[2].bytes);
    *ret = x;
    return SR_OK;
}

sr_status poco_view_dataset(const struct poco *p, const struct addr *a, struct eth_at at,
                            struct poco_dataset *ret, struct sr_err *err) {
    cleanup_buf struct buf bytes;
    buf_init(&bytes, ANSWER_MAX);
    cleanup_abi struct abi_out o = {0};
    SR_TRY(view_resource(p, POCO_DATASET, a, at, "viewDataset(address)", DATASET_TYPES, &bytes, &o,
                         err));
    return poco_dataset_of(buf_slice(&bytes), ret, err);
}

sr_status poco_view_workerpool(const struct poco *p, const struct addr *a, struct eth_at at,
                               struct poco_workerpool *ret, struct sr_err *err) {
    cleanup_buf struct buf bytes;
    buf_init(&bytes, ANSWER_MAX);
    cleanup_abi struct abi_out o = {0};
    SR_TRY(view_resource(p, POCO_WORKERPOOL, a, at, "viewWorkerpool(address)",
                         "(address,string,uint256,uint256)", &bytes, &o, err));
    const struct abi_val *v = o.v[0].list.v;
    struct poco_workerpool x = {.owner = v[0].addr};
    if (!small(v[2].num, &x.stake_ratio) || !small(v[3].num, &x.scheduler_ratio))
        return sr_fail(err, SR_E_CHAIN, "workerpool: absurd policy");
    struct keep k = {.mem = malloc(bytes.n)};
    if (!k.mem) return sr_fail(err, SR_E_NOMEM, "workerpool");
    x.description = keep(&k, v[1].bytes);
    x.mem = k.mem;
    *ret = x;
    return SR_OK;
}

static const struct addr *registry_of(const struct poco *p, poco_kind k) {
    return k == POCO_APP       ? &p->app_registry
           : k == POCO_DATASET ? &p->dataset_registry
                               : &p->workerpool_registry;
}

sr_status poco_owner(const struct poco *p, poco_kind k, const struct addr *res, struct eth_at at,
                     bool *ret_registered, struct addr *ret_owner, struct sr_err *err) {
    SR_ASSERT(k != POCO_REQUEST);
    cleanup_batch struct eth_batch *b = eth_batch_new(p->rpc);
    if (!b) return sr_fail(err, SR_E_NOMEM, "owner");
    cleanup_buf struct buf call;
    buf_init(&call, 256);
    SR_TRY(abi_call(&call, "isRegistered(address)", err, av_addr(res)));
    size_t reg = eth_batch_call(b, registry_of(p, k), buf_slice(&call), at);
    buf_clear(&call);
    SR_TRY(abi_call0(&call, "owner()", err));
    size_t own = eth_batch_call(b, res, buf_slice(&call), at);
    SR_TRY(eth_batch_run(b, err));
    struct slice s;
    cleanup_abi struct abi_out o = {0};
    SR_TRY(eth_batch_get(b, reg, &s, err));
    SR_TRY(abi_decode(s, "bool", &o, err));
    if (u256_is_zero(o.v[0].num)) {
        *ret_registered = false;
        *ret_owner = (struct addr){{0}};
        return SR_OK;
    }
    struct addr a;
    SR_TRY(get_addr(b, own, &a, err));
    *ret_registered = true;
    *ret_owner = a;
    return SR_OK;
}

sr_status poco_predict(const struct poco *p, poco_kind k, struct slice create, struct addr *ret,
                       struct sr_err *err) {
    static const char *const sigs[] = {
        [POCO_APP] = "predictApp(address,string,string,bytes,bytes32,bytes)",
        [POCO_DATASET] = "predictDataset(address,string,bytes,bytes32)",
        [POCO_WORKERPOOL] = "predictWorkerpool(address,string)"};
    SR_ASSERT(k != POCO_REQUEST && create.n >= 4);
    cleanup_buf struct buf call, bytes;
    buf_init(&call, create.n);
    buf_init(&bytes, 64);
    uint8_t sel[4];
    abi_selector(sigs[k], sel);
    buf_put(&call, sel, 4); /* the arguments are the same as the create call's */
    buf_put(&call, create.p + 4, create.n - 4);
    SR_TRY(buf_status(&call, err));
    SR_TRY(eth_call(p->rpc, NULL, registry_of(p, k), buf_slice(&call), (struct eth_at){0}, &bytes,
                    err));
    cleanup_abi struct abi_out o = {0};
    SR_TRY(abi_decode(buf_slice(&bytes), "address", &o, err));
    *ret = o.v[0].addr;
    return SR_OK;
}

/* ---- orders on the chain */

sr_status poco_verify(const struct poco *p, const struct poco_order *order,
                      const struct addr *signer, struct eth_at at, bool *ret_ok,
                      struct sr_err *err) {
    struct hash h = poco_order_hash(&p->domain, order);
    cleanup_buf struct buf bytes;
    buf_init(&bytes, 64);
    cleanup_abi struct abi_out o = {0};
    const struct abi_val args[] = {av_addr(signer), av_hash(&h),
                                   av_bytes(slice_of(order->sign.b, order->sign.n))};
    struct sr_err e = {0};
    sr_status st = view_at(p, &p->hub, at, "verifyPresignatureOrSignature(address,bytes32,bytes)",
                           args, 3, "bool", &bytes, &o, &e);
    if (st == SR_E_REFUSED) { /* a length no signature has */
        *ret_ok = false;
        return SR_OK;
    }
    if (st != SR_OK) {
        if (err) *err = e;
        return st;
    }
    *ret_ok = !u256_is_zero(o.v[0].num);
    return SR_OK;
}

sr_status poco_allowed(const struct poco *p, const struct addr *restriction,
                       const struct addr *account, struct eth_at at, bool *ret,
                       struct sr_err *err) {
    if (addr_is_zero(restriction) || addr_eq(restriction, account)) {
        *ret = true;
        return SR_OK;
    }
    struct hash key = {{0}};
    memcpy(key.b + 12, account->b, 20);
    cleanup_buf struct buf bytes;
    buf_init(&bytes, ANSWER_MAX);
    cleanup_abi struct abi_out o = {0};
    const struct abi_val args[] = {av_hash(&key), av_u64(4)};
    struct sr_err e = {0};
    sr_status st = view_at(p, restriction, at, "keyHasPurpose(bytes32,uint256)", args, 2, "bool",
                           &bytes, &o, &e);
    if (st == SR_E_REFUSED ||
        st == SR_E_MALFORMED) { /* no group: a plain account, or no such call */
        *ret = false;
        return SR_OK;
    }
    if (st != SR_OK) {
        if (err) *err = e;
        return st;
    }
    *ret = !u256_is_zero(o.v[0].num);
    return SR_OK;
}

sr_status poco_enc_assert_dataset_deal(struct buf *b, const struct poco_order *order,
                                       const struct hash *deal, struct sr_err *err) {
    SR_ASSERT(order->kind == POCO_DATASET);
    struct abi_val v[POCO_ORDER_VALS];
    return abi_call(b,
                    "assertDatasetDealCompatibility((address,uint256,uint256,bytes32,address,"
                    "address,address,bytes32,bytes),bytes32)",
                    err, poco_order_val(order, v), av_hash(deal));
}

sr_status poco_assert_dataset_deal(const struct poco *p, const struct poco_order *order,
                                   const struct hash *deal, struct eth_at at, struct sr_err *err) {
    cleanup_buf struct buf call, bytes;
    buf_init(&call, CALL_MAX);
    buf_init(&bytes, 1024);
    SR_TRY(poco_enc_assert_dataset_deal(&call, order, deal, err));
    return eth_call(p->rpc, NULL, &p->hub, buf_slice(&call), at, &bytes, err);
}

sr_status poco_try_match(const struct poco *p, const struct addr *from,
                         const struct poco_order *app, const struct poco_order *dataset,
                         const struct poco_order *workerpool, const struct poco_order *request,
                         struct hash *ret_deal, struct sr_err *err) {
    cleanup_buf struct buf call, bytes;
    buf_init(&call, CALL_MAX);
    buf_init(&bytes, 1024);
    SR_TRY(poco_enc_match(&call, app, dataset, workerpool, request, err));
    struct sr_err e = {0};
    sr_status st =
        eth_call(p->rpc, from, &p->hub, buf_slice(&call), (struct eth_at){0}, &bytes, &e);
    if (st != SR_OK) {
        poco_explain(&e);
        if (err) *err = e;
        return st;
    }
    cleanup_abi struct abi_out o = {0};
    SR_TRY(abi_decode(buf_slice(&bytes), "bytes32", &o, err));
    *ret_deal = o.v[0].hash;
    return SR_OK;
}

/* ---- receipts */

sr_status poco_receipt_deal(const struct poco *p, const struct eth_receipt *r,
                            struct hash *ret_deal, struct u256 *ret_volume, struct sr_err *err) {
    for (size_t i = 0; i < r->logs.n; i++) {
        const struct eth_log *l = &r->logs.v[i];
        struct poco_log ev;
        if (!addr_eq(&l->address, &p->hub) ||
            poco_log_read(l->topics, l->n_topics, l->data, &ev, NULL) != SR_OK ||
            ev.event != POCO_EV_ORDERS_MATCHED)
            continue;
        *ret_deal = ev.arg[0].hash;
        *ret_volume = ev.arg[5].num;
        return SR_OK;
    }
    return sr_fail(err, SR_E_NOTFOUND, "transaction %s made no deal", hash_text(&r->tx).s);
}

sr_status poco_receipt_created(const struct poco *p, poco_kind k, const struct eth_receipt *r,
                               struct addr *ret, struct sr_err *err) {
    for (size_t i = 0; i < r->logs.n; i++) {
        const struct eth_log *l = &r->logs.v[i];
        struct poco_log ev;
        if (!addr_eq(&l->address, registry_of(p, k)) ||
            poco_log_read(l->topics, l->n_topics, l->data, &ev, NULL) != SR_OK ||
            ev.event != POCO_EV_TRANSFER721 || !addr_is_zero(&ev.arg[0].addr))
            continue;
        memcpy(ret->b, l->topics[3].b + 12, 20);
        return SR_OK;
    }
    return sr_fail(err, SR_E_NOTFOUND, "transaction %s created no %s", hash_text(&r->tx).s,
                   poco_kind_word[k]);
}

/* ---- words */

void poco_explain(struct sr_err *err) {
    static const struct {
        const char *part, *what, *hint;
    } others[] = {
        {"NotCollectionOperator", "this collection is another's, or there is none",
         "act as its owner with --as; strongroom share list"},
        {"NotAnOwnerOrApprovedOperator", "this data is another's, or in a collection already",
         NULL},
        {"CollectionNotEmpty", "the collection still has data in it",
         "take it out first: strongroom share remove DATA"},
        {"OnGoingCollectionSubscriptions", "the collection has running subscriptions",
         "it can be done when the last of them has ended: strongroom share show ID"},
        {"ProtectedDataCurrentlyBeingRented", "the data is rented now",
         "it can be done when the last rental has ended: strongroom share data DATA"},
        {"ProtectedDataForSale", "the data is for sale", "first: strongroom share stop-sale DATA"},
        {"ProtectedDataAvailableForRenting", "the data is for rent",
         "first: strongroom share stop-rent DATA"},
        {"ProtectedDataAvailableInSubscription", "the data is part of a subscription",
         "first: strongroom share unbundle DATA"},
        {"ProtectedDataNotAvailableForRenting", "the data is not for rent", NULL},
        {"ProtectedDataNotForSale", "the data is not for sale", NULL},
        {"InvalidRentingParams", "the terms of renting have changed", "look at them and try again"},
        {"InvalidSubscriptionParams", "the collection has no such subscription, or other terms now",
         "look at it and try again: strongroom share show ID"},
        {"InvalidPriceForPurchase", "the price has changed", "look at it and try again"},
        {"NoValidRentalOrSubscription",
         "the data is neither rented nor subscribed to by this account, or the time is over",
         "strongroom share rent DATA, or strongroom share subscribe ID"},
        {"AppNotWhitelistedForProtectedData", "the data's owner does not let this app use it",
         "strongroom share data DATA shows the whitelist and its apps"},
        {"InvalidAppWhitelist", "there is no such app whitelist",
         "strongroom share whitelist makes one"},
        {"DurationInvalid", "a rental lasts at least a second", NULL},
        {"NotAddOnlyAppWhitelistOperator", "this whitelist is another's",
         "act as its owner with --as"},
        {"IexecEscrow: Transfer amount exceeds balance",
         "not enough RLC in the account for this deal",
         "deposit some: strongroom account deposit AMOUNT"},
        {"invalid-signature-format", "an order is not signed",
         "sign it again with its owner's wallet"},
        {"invalid-sender-or-signature", "only the order's owner may do this", NULL},
        {"Create2: Failed on deploy", "this resource is registered already", NULL},
        {"Create2FailedDeployment", "this resource is registered already", NULL},
        {"ERC20InsufficientBalance", "not enough RLC in the wallet",
         "development network: strongroom faucet ADDRESS"},
        {"wrong-token", "the hub takes another token than this", NULL},
        {"CallerIsNotTheRequester", "only the requester of the order may pay for it so", NULL},
    };
    if (!err || err->code != SR_E_REFUSED) return;
    const char *code = strstr(err->what, "iExecV5-matchOrders-0x");
    const char *what = NULL, *hint = NULL;
    if (code) {
        uint64_t n;
        struct slice hex = slice_of(code + strlen("iExecV5-matchOrders-"), 4);
        const struct match_reason *m = NULL;
        if (num_hex_u64(hex, &n) && n < 256) m = match_reason_of((unsigned)n);
        if (m) {
            what = m->what;
            hint = m->hint;
        }
    }
    for (size_t i = 0; !what && i < SR_ARRAY_LEN(others); i++)
        if (strstr(err->what, others[i].part)) {
            what = others[i].what;
            hint = others[i].hint;
        }
    if (!what) return;
    struct sr_err e = {0};
    (void)!sr_fail(&e, SR_E_REFUSED, "%s", what);
    if (hint) sr_hint(&e, "%s", hint);
    e.where = err->where;
    *err = e;
}
