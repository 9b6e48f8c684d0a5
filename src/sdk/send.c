/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/sdk_int.h"

sr_status sdk_send(struct sr_client *c, const struct addr *to, struct u256 value, struct slice data,
                   struct eth_receipt *ret, struct sr_err *err) {
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_unlock(c, err));
    if (!c->sender) {
        struct eth_sender_opts o = {
            .rpc = c->rpc, .signer = &c->signer, .chain_id = c->net.chain_id};
        SR_TRY(eth_sender_new(&o, &c->sender, err));
    }
    struct eth_want w = {.to = *to, .value = value, .data = data};
    sr_status st = eth_sender_send(c->sender, &w, SDK_TX_MS, ret, err);
    if (st == SR_E_REFUSED) poco_explain(err);
    if (st == SR_E_TIMEOUT)
        sr_hint(err, "the transaction may still be mined: look before repeating it");
    return st;
}
