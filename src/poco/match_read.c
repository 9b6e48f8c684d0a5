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

static sr_status read_call(struct slice data, const struct addr *hub, bool inner,
                           struct poco_order *ret, struct sr_err *err) {
    static const char *const names[] = {"matchOrders", "sponsorMatchOrders"};
    cleanup_buf struct buf types = {0};
    cleanup_abi struct abi_out out = {0};
    buf_init(&types, 4096);
    SR_TRY(match_types(&types, err));
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++) {
        cleanup_buf struct buf sig = {0};
        uint8_t sel[4];
        buf_init(&sig, 4096);
        buf_printf(&sig, "%s(%s)", names[i], buf_cstr(&types));
        SR_TRY(buf_status(&sig, err));
        abi_selector(buf_cstr(&sig), sel);
        if (data.n >= 4 && memcmp(sel, data.p, 4) == 0)
            return orders_of(data, buf_cstr(&sig), ret, err);
    }
    if (!inner &&
        abi_decode_call(data, "approveAndCall(address,uint256,bytes)", &out, NULL) == SR_OK &&
        addr_eq(&out.v[0].addr, hub))
        return read_call(out.v[2].bytes, hub, true, ret, err);
    return sr_fail(err, SR_E_NOTFOUND, "the transaction called the hub through another contract");
}

sr_status poco_match_read(struct slice calldata, const struct addr *hub,
                          struct poco_order ret_orders[POCO_KINDS], struct sr_err *err) {
    struct poco_order o[POCO_KINDS] = {{.kind = POCO_APP}};
    SR_TRY(read_call(calldata, hub, false, o, err));
    memcpy(ret_orders, o, sizeof o);
    return SR_OK;
}
