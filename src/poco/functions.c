/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/functions.h"

static const struct {
    const char *sig, *answer;
} fns[POCO_FN_N] = {
#define ROW(name, sig, types) [name] = {sig, types},
    POCO_FUNCTIONS(ROW)
#undef ROW
};

const char *poco_fn_signature(poco_fn f) {
    return fns[f].sig;
}

const char *poco_fn_answer_types(poco_fn f) {
    return fns[f].answer;
}

sr_status poco_fn_encode(struct buf *b, poco_fn f, const struct abi_val *v, size_t n,
                         struct sr_err *err) {
    return abi_encode_call(b, fns[f].sig, v, n, err);
}

sr_status poco_fn_of(struct slice data, poco_fn *ret, struct sr_err *err) {
    for (unsigned f = 0; data.n >= 4 && f < POCO_FN_N; f++) {
        uint8_t sel[4];
        abi_selector(fns[f].sig, sel);
        if (memcmp(data.p, sel, 4) != 0) continue;
        *ret = (poco_fn)f;
        return SR_OK;
    }
    return sr_fail(err, SR_E_NOTFOUND, "not a function of the contracts");
}

sr_status poco_fn_args(poco_fn f, struct slice data, struct abi_out *ret, struct sr_err *err) {
    return abi_decode_call(data, fns[f].sig, ret, err);
}

sr_status poco_fn_answer(poco_fn f, struct slice data, struct abi_out *ret, struct sr_err *err) {
    return abi_decode(data, fns[f].answer, ret, err);
}

/* A function of the four orders. */
static sr_status four(struct buf *b, poco_fn f, const struct poco_order *app,
                      const struct poco_order *dataset, const struct poco_order *workerpool,
                      const struct poco_order *request, struct sr_err *err) {
    static const struct poco_order null_dataset = {.kind = POCO_DATASET};
    struct abi_val v[4][POCO_ORDER_VALS];
    SR_ASSERT(app->kind == POCO_APP && workerpool->kind == POCO_WORKERPOOL &&
              request->kind == POCO_REQUEST && (!dataset || dataset->kind == POCO_DATASET));
    return poco_fn_call(b, f, err, poco_order_val(app, v[0]),
                        poco_order_val(dataset ? dataset : &null_dataset, v[1]),
                        poco_order_val(workerpool, v[2]), poco_order_val(request, v[3]));
}

sr_status poco_enc_sponsor_match(struct buf *b, const struct poco_order *app,
                                 const struct poco_order *dataset,
                                 const struct poco_order *workerpool,
                                 const struct poco_order *request, struct sr_err *err) {
    return four(b, POCO_FN_SPONSOR_MATCH_ORDERS, app, dataset, workerpool, request, err);
}

sr_status poco_enc_deal_volume(struct buf *b, const struct poco_order *app,
                               const struct poco_order *dataset,
                               const struct poco_order *workerpool,
                               const struct poco_order *request, struct sr_err *err) {
    return four(b, POCO_FN_COMPUTE_DEAL_VOLUME, app, dataset, workerpool, request, err);
}

/* ---- the relay */

static const struct {
    poco_fn call;
    const char *event;
} relay[POCO_KINDS] = {
    [POCO_APP] = {POCO_FN_BROADCAST_APP_ORDER, "BroadcastAppOrder(" POCO_T_ORDER ")"},
    [POCO_DATASET] = {POCO_FN_BROADCAST_DATASET_ORDER, "BroadcastDatasetOrder(" POCO_T_ORDER ")"},
    [POCO_WORKERPOOL] = {POCO_FN_BROADCAST_WORKERPOOL_ORDER,
                         "BroadcastWorkerpoolOrder(" POCO_T_WORKERPOOL ")"},
    [POCO_REQUEST] = {POCO_FN_BROADCAST_REQUEST_ORDER, "BroadcastRequestOrder(" POCO_T_REQUEST ")"},
};

sr_status poco_enc_broadcast(struct buf *b, const struct poco_order *o, struct sr_err *err) {
    struct abi_val v[POCO_ORDER_VALS];
    return poco_fn_call(b, relay[o->kind].call, err, poco_order_val(o, v));
}

sr_status poco_broadcast_read(const struct hash *topics, size_t n_topics, struct slice data,
                              struct poco_order *ret, struct sr_err *err) {
    for (unsigned k = 0; n_topics == 1 && k < POCO_KINDS; k++) {
        struct hash t = abi_topic(relay[k].event);
        if (!hash_eq(&t, &topics[0])) continue;
        cleanup_abi struct abi_out o = {0};
        SR_TRY(abi_decode(data, poco_order_abi[k], &o, err));
        return poco_order_from_val((poco_kind)k, &o.v[0], ret, err);
    }
    return sr_fail(err, SR_E_NOTFOUND, "not a broadcast order");
}
