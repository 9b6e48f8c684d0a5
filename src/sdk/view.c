/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that no other floor has a name for: read, or send. */
#include "sdk/sdk_int.h"

#define VIEW_MAX (1u << 20)

sr_status sdk_view(struct sr_client *c, const struct addr *to, const char *signature,
                   const struct abi_val *args, size_t n, const char *types, struct buf *ret_mem,
                   struct abi_out *ret, struct sr_err *err) {
    cleanup_buf struct buf call;
    buf_init(&call, 65536);
    buf_init(ret_mem, VIEW_MAX);
    SR_TRY(abi_encode_call(&call, signature, args, n, err));
    SR_TRY(eth_call(c->rpc, NULL, to, buf_slice(&call), (struct eth_at){0}, ret_mem, err));
    return abi_decode(buf_slice(ret_mem), types, ret, err);
}

sr_status sdk_view_u256(struct sr_client *c, const struct addr *to, const char *signature,
                        const struct abi_val *args, size_t n, struct u256 *ret,
                        struct sr_err *err) {
    cleanup_buf struct buf mem = {0};
    cleanup_abi struct abi_out out = {0};
    SR_TRY(sdk_view(c, to, signature, args, n, "uint256", &mem, &out, err));
    *ret = out.v[0].num;
    return SR_OK;
}

sr_status sdk_send_call(struct sr_client *c, const struct addr *to, const char *signature,
                        const struct abi_val *args, size_t n, struct hash *ret_tx,
                        struct sr_err *err) {
    cleanup_buf struct buf call;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&call, 65536);
    SR_TRY(abi_encode_call(&call, signature, args, n, err));
    SR_TRY(sdk_send(c, to, (struct u256){0}, buf_slice(&call), &r, err));
    *ret_tx = r.tx;
    return SR_OK;
}
