/* SPDX-License-Identifier: Apache-2.0 */
/* RLC in the hub and outside, gas; the development network's faucet. */
#include "sdk/sdk_int.h"

#define FAUCET_NRLC    100000000000ull        /* 100 RLC */
#define FAUCET_WEI     1000000000000000000ull /* 1 ether */
#define FAUCET_ACCOUNT "operator"

struct show_args {
    struct sr_client *c;
    const char *who;
    struct sr_account *ret;
};

static sr_status account_of(struct sr_client *c, const struct addr *a, struct sr_account *ret,
                            struct sr_err *err) {
    struct poco_account acc;
    struct u256 rlc, gas;
    SR_TRY(poco_view_account(&c->poco, a, (struct eth_at){0}, &acc, err));
    SR_TRY(erc20_balance(c->rpc, &c->poco.token, a, (struct eth_at){0}, &rlc, err));
    SR_TRY(eth_balance(c->rpc, a, (struct eth_at){0}, &gas, err));
    addr_put(ret->address, a);
    u256_put(ret->stake_nrlc, acc.stake);
    u256_put(ret->locked_nrlc, acc.locked);
    u256_put(ret->wallet_nrlc, rlc);
    u256_put(ret->gas_wei, gas);
    return SR_OK;
}

static sr_status show(void *arg, struct sr_err *err) {
    struct show_args *s = arg;
    struct addr a;
    SR_TRY(sdk_chain(s->c, err));
    SR_TRY(s->who ? sdk_who(s->c, s->who, &a, err) : sdk_me(s->c, &a, err));
    return account_of(s->c, &a, s->ret, err);
}

sr_status sr_account_show(struct sr_client *c, const char *who, struct sr_account *ret_a,
                          struct sr_err *err) {
    struct show_args s = {c, who, ret_a};
    return sdk_call(c, show, &s, err);
}

struct move_args {
    struct sr_client *c;
    const char *amount;
    bool in;
    char *ret_tx;
};

static sr_status enough(struct u256 have, struct u256 want, const char *where, const char *hint,
                        struct sr_err *err) {
    if (u256_cmp(have, want) >= 0) return SR_OK;
    char h[U256_DEC_MAX], w[U256_DEC_MAX];
    u256_to_dec(h, have);
    u256_to_dec(w, want);
    sr_hint(err, "%s", hint);
    return sr_fail(err, SR_E_REFUSED, "%s nRLC wanted, but only %s nRLC %s", w, h, where);
}

static sr_status move(void *arg, struct sr_err *err) {
    struct move_args *m = arg;
    struct sr_client *c = m->c;
    struct u256 amount, have;
    cleanup_buf struct buf data;
    buf_init(&data, 4096);
    SR_TRY(sdk_amount(m->amount, &amount, err));
    if (u256_is_zero(amount)) return sr_fail(err, SR_E_USAGE, "the amount is zero");
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_unlock(c, err));
    struct addr to;
    if (m->in) {
        SR_TRY(erc20_balance(c->rpc, &c->poco.token, &c->me, (struct eth_at){0}, &have, err));
        SR_TRY(enough(have, amount, "in the wallet",
                      "get RLC first; on a development network: strongroom faucet ADDRESS", err));
        SR_TRY(
            poco_enc_approve_and_call(&data, &c->poco.hub, amount, (struct slice){NULL, 0}, err));
        to = c->poco.token;
    } else {
        struct poco_account acc;
        SR_TRY(poco_view_account(&c->poco, &c->me, (struct eth_at){0}, &acc, err));
        SR_TRY(enough(acc.stake, amount, "free in the hub",
                      "locked RLC is freed when its deals end", err));
        SR_TRY(poco_enc_withdraw(&data, amount, err));
        to = c->poco.hub;
    }
    cleanup_receipt struct eth_receipt r = {0};
    SR_TRY(sdk_send(c, &to, (struct u256){0}, buf_slice(&data), &r, err));
    hash_put(m->ret_tx, &r.tx);
    return SR_OK;
}

sr_status sr_account_deposit(struct sr_client *c, const char *amount, char ret_tx[SR_HASH_TEXT],
                             struct sr_err *err) {
    struct move_args m = {c, amount, true, ret_tx};
    return sdk_call(c, move, &m, err);
}

sr_status sr_account_withdraw(struct sr_client *c, const char *amount, char ret_tx[SR_HASH_TEXT],
                              struct sr_err *err) {
    struct move_args m = {c, amount, false, ret_tx};
    return sdk_call(c, move, &m, err);
}

/* Acts as the operator with a client of its own, so the caller's wallet stays what it is. */
static sr_status faucet(void *arg, struct sr_err *err) {
    struct show_args *s = arg;
    struct sr_client *c = s->c;
    struct addr to, from;
    struct slice name;
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_who(c, s->who, &to, err));
    if (!c->net.simulated ||
        !sdk_dev_account(&c->net, slice_str(FAUCET_ACCOUNT), &name, &from, NULL)) {
        sr_hint(err, "on a real network, buy RLC and gas, and send them to %s", addr_text(&to).s);
        return sr_fail(err, SR_E_REFUSED, "only a development network has a faucet");
    }
    struct sr_options o = {.network_file = c->network_file,
                           .keystore = c->keystore,
                           .dir = c->dir,
                           .as = FAUCET_ACCOUNT};
    struct sr_client *op = NULL;
    SR_TRY(sr_client_open(&o, &op, err));
    cleanup_buf struct buf data;
    buf_init(&data, 4096);
    sr_status st = erc20_enc_transfer(&data, &to, u256_of(FAUCET_NRLC), err);
    if (st == SR_OK)
        st = sdk_send(op, &to, u256_of(FAUCET_WEI), (struct slice){NULL, 0}, NULL, err);
    if (st == SR_OK)
        st = sdk_send(op, &c->poco.token, (struct u256){0}, buf_slice(&data), NULL, err);
    sr_client_close(op);
    return st == SR_OK ? account_of(c, &to, s->ret, err) : st;
}

sr_status sr_faucet(struct sr_client *c, const char *who, struct sr_account *ret_a,
                    struct sr_err *err) {
    struct show_args s = {c, who, ret_a};
    return sdk_call(c, faucet, &s, err);
}
