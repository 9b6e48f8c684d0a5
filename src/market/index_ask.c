/* SPDX-License-Identifier: Apache-2.0 */
/* index_ask.c - what a step asks of the node before it writes; which events are ours */
#include "market/index_int.h"

sr_status ask_flush(struct ask *a, struct sr_err *err) {
    if (a->n_open == 0) return SR_OK;
    cleanup_batch struct eth_batch *b = eth_batch_new(a->m->rpc);
    if (!b) return sr_fail(err, SR_E_NOMEM, "index");
    for (size_t i = 0; i < a->n_open; i++)
        (void)eth_batch_call(b, &a->call[i].to, slice_of(a->body.p + a->call[i].at, a->call[i].n),
                             (struct eth_at){0});
    SR_TRY(eth_batch_run(b, err));
    for (size_t i = 0; i < a->n_open; i++) {
        struct slice s;
        struct sr_err e = {0};
        sr_status st = eth_batch_get(b, i, &s, &e);
        if (st == SR_OK) {
            buf_u32(&a->answers, (uint32_t)s.n);
            buf_add(&a->answers, s);
        } else if (st == SR_E_REFUSED) {
            buf_u32(&a->answers, UINT32_MAX);
        } else {
            if (err) *err = e;
            return st;
        }
    }
    a->n_open = 0;
    buf_clear(&a->body);
    return buf_status(&a->answers, err);
}

static sr_status ask(struct ask *a, const struct addr *to, const char *sig,
                     const struct abi_val *arg, struct sr_err *err) {
    size_t at = a->body.n;
    SR_TRY(abi_encode_call(&a->body, sig, arg, 1, err));
    a->call[a->n_open].to = *to;
    a->call[a->n_open].at = at;
    a->call[a->n_open++].n = a->body.n - at;
    return a->n_open == ASK_AT_ONCE ? ask_flush(a, err) : SR_OK;
}

bool ask_answer(struct ask *a, const char *types, struct abi_out *o) {
    struct rd r = rd_of(slice_of(a->answers.p + a->read, a->answers.n - a->read));
    uint32_t n = rd_u32(&r);
    a->read += 4;
    *o = (struct abi_out){0};
    if (r.bad || n == UINT32_MAX) return false;
    struct slice s = rd_take(&r, n);
    a->read += n;
    return !r.bad && abi_decode(s, types, o, NULL) == SR_OK;
}

/* ---- which contract spoke */

static bool is_hub(const struct market *m, const struct eth_log *l) {
    return addr_eq(&l->address, &m->poco.hub);
}

bool log_registry(const struct market *m, const struct eth_log *l, poco_kind *ret) {
    const struct poco *p = &m->poco;
    if (addr_eq(&l->address, &p->app_registry))
        *ret = POCO_APP;
    else if (addr_eq(&l->address, &p->dataset_registry))
        *ret = POCO_DATASET;
    else if (addr_eq(&l->address, &p->workerpool_registry))
        *ret = POCO_WORKERPOOL;
    else
        return false;
    return true;
}

bool log_read(const struct market *m, const struct eth_log *l, struct poco_log *ret) {
    poco_kind k;
    if (poco_log_read(l->topics, l->n_topics, l->data, ret, NULL) != SR_OK) return false;
    if (share_is_event(m, l, ret->event)) return true;
    if (ret->event == POCO_EV_TRANSFER721) return log_registry(m, l, &k);
    if (ret->event == POCO_EV_DATASET_SCHEMA) return addr_eq(&l->address, &m->data_protector);
    return is_hub(m, l);
}

bool log_is_of_task(poco_event e) {
    return e == POCO_EV_TASK_INITIALIZE || e == POCO_EV_TASK_CONSENSUS ||
           e == POCO_EV_TASK_REOPEN || e == POCO_EV_TASK_FINALIZE || e == POCO_EV_TASK_CLAIMED;
}

void index_topics(struct hash t[INDEX_TOPICS]) {
    static const poco_event e[INDEX_TOPICS] = {POCO_EV_ORDERS_MATCHED,
                                               POCO_EV_SCHEDULER_NOTICE,
                                               POCO_EV_CLOSED_APP,
                                               POCO_EV_CLOSED_DATASET,
                                               POCO_EV_CLOSED_WORKERPOOL,
                                               POCO_EV_CLOSED_REQUEST,
                                               POCO_EV_CREATE_CATEGORY,
                                               POCO_EV_TRANSFER20,
                                               POCO_EV_DATASET_SCHEMA,
                                               POCO_EV_TASK_INITIALIZE,
                                               POCO_EV_TASK_CONTRIBUTE,
                                               POCO_EV_TASK_CONSENSUS,
                                               POCO_EV_TASK_REVEAL,
                                               POCO_EV_TASK_REOPEN,
                                               POCO_EV_TASK_FINALIZE,
                                               POCO_EV_TASK_CLAIMED,
                                               POCO_EV_ACCURATE,
                                               POCO_EV_FAULTY,
                                               POCO_EV_LOCK,
                                               POCO_EV_UNLOCK,
                                               POCO_EV_REWARD,
                                               POCO_EV_SEIZE,
                                               POCO_EV_SHARE_MOVED,
                                               POCO_EV_SHARE_PARAMS,
                                               POCO_EV_SHARE_SUBSCRIPTION,
                                               POCO_EV_SHARE_BUNDLED,
                                               POCO_EV_SHARE_UNBUNDLED,
                                               POCO_EV_SHARE_RENTABLE,
                                               POCO_EV_SHARE_UNRENTABLE,
                                               POCO_EV_SHARE_RENTAL,
                                               POCO_EV_SHARE_FOR_SALE,
                                               POCO_EV_SHARE_NOT_FOR_SALE,
                                               POCO_EV_SHARE_SOLD,
                                               POCO_EV_SHARE_CONSUMED};
    for (size_t i = 0; i < INDEX_TOPICS; i++) t[i] = poco_topic(e[i]);
}

struct addr log_entry(const struct eth_log *l) {
    struct addr a;
    memcpy(a.b, l->topics[3].b + 12, 20);
    return a;
}

static const char view_deal[] = "viewDeal(bytes32)";
const char ask_deal_types[] =
    "((address,address,uint256),(address,address,uint256),(address,address,uint256),uint256,"
    "uint256,bytes32,address,address,address,string,uint256,uint256,uint256,uint256,uint256,"
    "address)";
const char ask_task_types[] =
    "(uint8,bytes32,uint256,uint256,uint256,uint256,uint256,bytes32,uint256,uint256,address[],"
    "bytes32,bytes,uint256,bytes)";
static const char *const view_resource[] = {"viewApp(address)", "viewDataset(address)",
                                            "viewWorkerpool(address)"};
const char *const ask_resource_types[3] = {"(address,string,string,bytes,bytes32,bytes)",
                                           "(address,string,bytes,bytes32)",
                                           "(address,string,uint256,uint256)"};

sr_status ask_for(struct ask *a, const struct eth_log *l, struct asked *w, struct sr_err *err) {
    struct market *m = a->m;
    struct poco_log ev;
    *w = (struct asked){.read = log_read(m, l, &ev)};
    if (!w->read || share_is_event(m, l, ev.event)) return SR_OK;
    if (ev.event == POCO_EV_ORDERS_MATCHED) {
        SR_TRY(ask(a, &m->poco.hub, view_deal, &ev.arg[0], err));
    } else if (ev.event == POCO_EV_TRANSFER721 && addr_is_zero(&ev.arg[0].addr)) {
        poco_kind k = POCO_APP;
        struct addr entry = log_entry(l);
        const struct abi_val arg = av_addr(&entry);
        (void)log_registry(m, l, &k);
        SR_TRY(ask(a, &m->poco.hub, view_resource[k], &arg, err));
    } else if (ev.event == POCO_EV_TRANSFER20 && !addr_is_zero(&ev.arg[0].addr) &&
               !u256_is_zero(ev.arg[2].num)) {
        SR_TRY(orders_need_stake(m, &ev.arg[0].addr, &w->stake, err));
        if (w->stake) SR_TRY(ask(a, &m->poco.hub, "viewAccount(address)", &ev.arg[0], err));
    } else if (log_is_of_task(ev.event)) {
        SR_TRY(ask(a, &m->poco.hub, "viewTask(bytes32)", &ev.arg[0], err));
    }
    return SR_OK;
}
