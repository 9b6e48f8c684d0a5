/* SPDX-License-Identifier: Apache-2.0 */
/* The four orders in the call that matched them. */
#include "poco/order.h"

static sr_status match_types(struct buf *b, struct sr_err *err) {
    for (int k = 0; k < POCO_KINDS; k++) {
        if (k) buf_u8(b, ',');
        buf_str(b, poco_order_abi[k]);
    }
    return buf_status(b, err);
}

static sr_status orders_of(struct slice data, const char *sig, struct poco_order *ret,
                           struct sr_err *err) {
    cleanup_abi struct abi_out out = {0};
    SR_TRY(abi_decode_call(data, sig, &out, err));
    for (int k = 0; k < POCO_KINDS; k++)
        SR_TRY(poco_order_from_val((poco_kind)k, &out.v[k], &ret[k], err));
    return SR_OK;
}

struct match_call {
    struct buf sig; /* name(types) */
    uint8_t selector[4];
};
#define MATCH_CALLS 2

static void calls_done(struct match_call c[MATCH_CALLS]) {
    for (size_t i = 0; i < MATCH_CALLS; i++) buf_done(&c[i].sig);
}

static sr_status calls_init(struct match_call c[MATCH_CALLS], struct sr_err *err) {
    static const char *const names[MATCH_CALLS] = {"matchOrders", "sponsorMatchOrders"};
    cleanup_buf struct buf types = {0};
    buf_init(&types, 4096);
    SR_TRY(match_types(&types, err));
    for (size_t i = 0; i < MATCH_CALLS; i++) {
        buf_init(&c[i].sig, 4096);
        buf_printf(&c[i].sig, "%s(%s)", names[i], buf_cstr(&types));
        SR_TRY(buf_status(&c[i].sig, err));
        abi_selector(buf_cstr(&c[i].sig), c[i].selector);
    }
    return SR_OK;
}

static const char *sig_of(struct match_call c[MATCH_CALLS], const uint8_t *p, size_t n) {
    for (size_t i = 0; i < MATCH_CALLS; i++)
        if (n >= 4 && memcmp(c[i].selector, p, 4) == 0) return buf_cstr(&c[i].sig);
    return NULL;
}

static sr_status read_call(struct match_call c[MATCH_CALLS], struct slice data,
                           const struct addr *hub, bool inner, struct poco_order *ret,
                           struct sr_err *err) {
    cleanup_abi struct abi_out out = {0};
    const char *sig = sig_of(c, data.p, data.n);
    if (sig) return orders_of(data, sig, ret, err);
    struct sr_err e = {0};
    sr_status st = inner ? SR_E_NOTFOUND
                         : abi_decode_call(data, "approveAndCall(address,uint256,bytes)", &out, &e);
    if (st == SR_E_NOMEM) {
        if (err) *err = e;
        return st;
    }
    if (st == SR_OK && addr_eq(&out.v[0].addr, hub))
        return read_call(c, out.v[2].bytes, hub, true, ret, err);
    return sr_fail(err, SR_E_NOTFOUND, "the transaction called the hub through another contract");
}

sr_status poco_match_read(struct slice calldata, const struct addr *hub,
                          struct poco_order ret_orders[POCO_KINDS], struct sr_err *err) {
    struct poco_order o[POCO_KINDS] = {{.kind = POCO_APP}};
    struct match_call c[MATCH_CALLS] = {{.selector = {0}}};
    sr_status st = calls_init(c, err);
    if (st == SR_OK) st = read_call(c, calldata, hub, false, o, err);
    calls_done(c);
    if (st == SR_OK) memcpy(ret_orders, o, sizeof o);
    return st;
}

/* The length of what begins at p: bytes stand behind it, a word. 0: it is none. */
static size_t length_before(const uint8_t *p, size_t left) {
    uint64_t n = 0;
    for (size_t i = 32; i > 8; i--)
        if (p[-(ptrdiff_t)i]) return 0;
    for (size_t i = 8; i > 0; i--) n = n << 8 | p[-(ptrdiff_t)i];
    return n <= left ? (size_t)n : 0;
}

static sr_status next_inside(struct match_call c[MATCH_CALLS], struct slice calldata,
                             struct poco_match_at *at, struct poco_order *ret, struct sr_err *err) {
    if (at->place < 32) at->place = 32;
    for (; at->place + 4 <= calldata.n && at->tries < POCO_MATCH_TRIES; at->place++) {
        const uint8_t *p = calldata.p + at->place;
        const char *sig = sig_of(c, p, calldata.n - at->place);
        if (!sig) continue;
        size_t n = length_before(p, calldata.n - at->place);
        if (n == 0) continue;
        at->tries++;
        struct sr_err e = {0};
        sr_status st = orders_of(slice_of(p, n), sig, ret, &e);
        if (st == SR_E_NOMEM) { /* it may be one */
            if (err) *err = e;
            return st;
        }
        if (st != SR_OK) continue;
        at->place++;
        return SR_OK;
    }
    return sr_fail(err, SR_E_NOTFOUND, "no call that matches orders is inside this one");
}

sr_status poco_match_inside(struct slice calldata, struct poco_match_at *at,
                            struct poco_order ret_orders[POCO_KINDS], struct sr_err *err) {
    struct poco_order o[POCO_KINDS] = {{.kind = POCO_APP}};
    struct match_call c[MATCH_CALLS] = {{.selector = {0}}};
    sr_status st = calls_init(c, err);
    if (st == SR_OK) st = next_inside(c, calldata, at, o, err);
    calls_done(c);
    if (st == SR_OK) memcpy(ret_orders, o, sizeof o);
    return st;
}
