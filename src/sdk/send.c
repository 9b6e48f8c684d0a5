/* SPDX-License-Identifier: Apache-2.0 */
/* One transaction, mined. */
#include "sdk/sdk_int.h"
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define LOOK_MS  (SENDER_STUCK_MS / 3 + 2000) /* meanwhile the sender has sent it again once */
#define GAP_MAX  16                           /* nonces */
#define NOOP_GAS 21000
#define LOCK_MS  3000
#define AWAY_MS  3000 /* a node that is started again is back before */

/* A transfer of nothing to oneself. */
static sr_status send_nothing(struct sr_client *c, uint64_t nonce, struct sr_err *err) {
    struct eth_tx tx = {.type = TX_1559,
                        .chain_id = c->net.chain_id,
                        .nonce = nonce,
                        .gas_limit = NOOP_GAS,
                        .to = c->me};
    struct sr_signature sig;
    cleanup_buf struct buf raw;
    buf_init(&raw, 4096);
    SR_TRY(eth_fees(c->rpc, &tx.max_fee, &tx.max_tip, err));
    SR_TRY(c->signer.sign_tx(c->signer.ctx, &tx, &sig, err));
    SR_TRY(tx_encode(&tx, &sig, &raw, NULL, err));
    return eth_send_raw(c->rpc, buf_slice(&raw), NULL, err);
}

/*
 * A node that went back in time may have lost earlier transactions of this wallet, of another
 * process perhaps: what comes after them waits for ever. The places are filled with transactions
 * that do nothing; giving ours another number instead could make it happen twice.
 */
static sr_status fill_gap(struct sr_client *c, const struct hash *tx, struct sr_err *err) {
    char params[80];
    cleanup_json struct json *doc = NULL;
    const struct json_val *result;
    uint64_t ours, next;
    (void)snprintf(params, sizeof params, "[\"%s\"]", hash_text(tx).s);
    SR_TRY(eth_rpc_call(c->rpc, "eth_getTransactionByHash", params, &doc, &result, err));
    if (!json_is(result, JSON_OBJECT) || !num_hex_u64(json_text(json_get(result, "nonce")), &ours))
        return SR_OK; /* not there: the sender sends it again */
    SR_TRY(eth_nonce(c->rpc, &c->me, (struct eth_at){.kind = ETH_PENDING}, &next, err));
    for (unsigned i = 0; i < GAP_MAX && next < ours; i++, next++)
        SR_TRY(send_nothing(c, next, err));
    return SR_OK;
}

static sr_status wait_mined(struct sr_client *c, const struct hash *tx, struct eth_receipt *ret,
                            struct sr_err *err) {
    for (unsigned waited = 0;; waited += LOOK_MS) {
        struct sr_err why = {0}, gap = {0};
        sr_status st = eth_sender_wait(c->sender, tx, LOOK_MS, ret, &why);
        if (st != SR_E_TIMEOUT || waited >= SDK_TX_MS) {
            if (st == SR_E_UNAVAILABLE)
                sr_err_prefix(&why, "transaction %s was sent; it may still be mined",
                              hash_text(tx).s);
            if (st != SR_OK && err && err->code == SR_OK) *err = why;
            return st;
        }
        if (fill_gap(c, tx, &gap) != SR_OK) log_err(LOG_DEBUG, "gap", &gap);
    }
}

/* Commands that act for one wallet at the same time would ask the node for the same nonce and then
 * fall over each other: between asking and sending, one at a time. A convenience only: who does not
 * get the lock in time goes on without it, and the sender sorts it out. */
int sdk_lock(struct sr_client *c, const char *what, uint64_t patience_ms) {
    char name[96];
    struct sr_err none = {0};
    (void)snprintf(name, sizeof name, ".%s-%s", what, addr_text(&c->me).s);
    cleanup_free char *path = path_join(c->keystore, name);
    if (!path || fs_mkdirs(c->keystore, 0700, &none) != SR_OK) return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    for (uint64_t ms = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && ms < patience_ms; ms += 5)
        if (fiber_sleep(5, &none) != SR_OK) break;
    return fd;
}

static sr_status send_want(struct sr_client *c, const struct eth_want *w, struct eth_receipt *ret,
                           struct sr_err *err) {
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_unlock(c, err));
    if (!c->sender) {
        struct eth_sender_opts o = {
            .rpc = c->rpc, .signer = &c->signer, .chain_id = c->net.chain_id, .away_ms = AWAY_MS};
        SR_TRY(eth_sender_new(&o, &c->sender, err));
    }
    struct hash tx;
    sr_status st;
    {
        cleanup_close int lock = sdk_lock(c, "sending", LOCK_MS);
        (void)lock; /* held to the end of the block */
        st = eth_sender_submit(c->sender, w, &tx, err);
    }
    if (st == SR_OK) st = wait_mined(c, &tx, ret, err);
    if (st == SR_E_REFUSED) poco_explain(err);
    if (st == SR_E_TIMEOUT)
        sr_hint(err, "the transaction may still be mined: look before repeating it");
    return st;
}

sr_status sdk_send(struct sr_client *c, const struct addr *to, struct u256 value, struct slice data,
                   struct eth_receipt *ret, struct sr_err *err) {
    return send_want(c, &(struct eth_want){.to = *to, .value = value, .data = data}, ret, err);
}

sr_status sdk_create(struct sr_client *c, struct slice code, struct eth_receipt *ret,
                     struct sr_err *err) {
    return send_want(c, &(struct eth_want){.creates = true, .data = code}, ret, err);
}
