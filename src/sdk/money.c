/* SPDX-License-Identifier: Apache-2.0 */
/* RLC and the chain's coin from a wallet to another; who may spend from one's stake.
 * SPEC: poco.md#9-escrow-accounting */
#include "sdk/sdk_int.h"

#define TRANSFER_GAS   21000u
#define ETHER_DECIMALS 18
#define GWEI_DECIMALS  9

struct args {
    struct sr_client *c;
    const char *what, *amount, *who, *owner;
    struct u256 got;
    struct hash tx, tx2;
    bool has_tx, has_tx2;
};

static sr_status not_enough(struct u256 have, struct u256 want, const char *unit,
                            struct sr_err *err) {
    char h[U256_DEC_MAX], w[U256_DEC_MAX];
    u256_to_dec(h, have);
    u256_to_dec(w, want);
    sr_hint(err, "strongroom account show tells what is where");
    return sr_fail(err, SR_E_REFUSED, "%s %s wanted, but only %s in the wallet", w, unit, h);
}

/* "0.5", "0.5 ether", "3 gwei", "100 wei". */
static sr_status coin_amount(const char *text, struct u256 *ret, struct sr_err *err) {
    struct slice number, unit;
    bool has_unit = slice_cut(slice_trim(slice_str(text)), ' ', &number, &unit);
    unit = slice_trim(unit);
    unsigned decimals = !has_unit || slice_ieq(unit, "ether") ? ETHER_DECIMALS
                        : slice_ieq(unit, "gwei")             ? GWEI_DECIMALS
                                                              : 0;
    if ((decimals > 0 || slice_ieq(unit, "wei")) && sdk_scale(number, decimals, ret)) return SR_OK;
    sr_hint(err, "write 0.5, \"0.5 ether\", \"3 gwei\" or \"100 wei\"");
    return sr_fail(err, SR_E_USAGE, "%.64s is not a valid amount", text);
}

static sr_status send_rlc(struct args *a, const struct addr *to, struct u256 amount,
                          struct hash *ret_tx, struct sr_err *err) {
    struct sr_client *c = a->c;
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    struct u256 have;
    buf_init(&data, 4096);
    SR_TRY(erc20_balance(c->rpc, &c->poco.token, &c->me, (struct eth_at){0}, &have, err));
    if (u256_cmp(have, amount) < 0) return not_enough(have, amount, "nRLC", err);
    SR_TRY(erc20_enc_transfer(&data, to, amount, err));
    SR_TRY(sdk_send(c, &c->poco.token, (struct u256){0}, buf_slice(&data), &r, err));
    *ret_tx = r.tx;
    return SR_OK;
}

static sr_status send_coin(struct args *a, const struct addr *to, struct u256 amount,
                           struct hash *ret_tx, struct sr_err *err) {
    struct sr_client *c = a->c;
    cleanup_receipt struct eth_receipt r = {0};
    struct u256 have;
    SR_TRY(eth_balance(c->rpc, &c->me, (struct eth_at){0}, &have, err));
    if (u256_cmp(have, amount) < 0) return not_enough(have, amount, "wei", err);
    SR_TRY(sdk_send(c, to, amount, (struct slice){NULL, 0}, &r, err));
    *ret_tx = r.tx;
    return SR_OK;
}

static sr_status ready(struct args *a, struct addr *ret_to, struct sr_err *err) {
    SR_TRY(sdk_chain(a->c, err));
    SR_TRY(sdk_who(a->c, a->who, ret_to, err));
    if (addr_is_zero(ret_to)) return sr_fail(err, SR_E_USAGE, "the zero address is nobody");
    return sdk_unlock(a->c, err);
}

static sr_status send(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct addr to;
    struct u256 amount;
    bool rlc = strcmp(a->what, "rlc") == 0;
    SR_TRY(rlc ? sdk_amount(a->amount, &amount, err) : coin_amount(a->amount, &amount, err));
    if (u256_is_zero(amount)) return sr_fail(err, SR_E_USAGE, "the amount is zero");
    SR_TRY(ready(a, &to, err));
    a->got = amount;
    return rlc ? send_rlc(a, &to, amount, &a->tx, err) : send_coin(a, &to, amount, &a->tx, err);
}

sr_status sr_wallet_send(struct sr_client *c, const char *what, const char *amount, const char *to,
                         char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    if (strcmp(what, "rlc") != 0 && strcmp(what, "ether") != 0)
        return sr_fail(err, SR_E_USAGE, "rlc or ether can be sent");
    struct args a = {.c = c, .what = what, .amount = amount, .who = to};
    SR_TRY(sdk_call(c, send, &a, err));
    hash_put(ret_tx, &a.tx);
    return SR_OK;
}

/* All RLC first, while there is gas for it; then the coin, less what its own transfer may cost. */
static sr_status sweep(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct sr_client *c = a->c;
    struct addr to;
    struct u256 rlc, coin, fee, tip, cost;
    uint64_t gas;
    SR_TRY(ready(a, &to, err));
    if (addr_eq(&to, &c->me)) return sr_fail(err, SR_E_USAGE, "that is the same wallet");
    SR_TRY(erc20_balance(c->rpc, &c->poco.token, &c->me, (struct eth_at){0}, &rlc, err));
    if (!u256_is_zero(rlc)) {
        SR_TRY(send_rlc(a, &to, rlc, &a->tx, err));
        a->has_tx = true;
    }
    SR_TRY(eth_balance(c->rpc, &c->me, (struct eth_at){0}, &coin, err));
    SR_TRY(eth_fees(c->rpc, &fee, &tip, err));
    SR_TRY(eth_estimate_gas(c->rpc, &c->me, &to, (struct u256){0}, (struct slice){NULL, 0}, &gas,
                            err));
    if (gas < TRANSFER_GAS) gas = TRANSFER_GAS;
    if (!u256_mul(&cost, fee, u256_of(gas * 3)))
        return sr_fail(err, SR_E_RANGE, "the chain's gas price is absurd");
    if (!u256_sub(&coin, coin, cost) || u256_is_zero(coin)) return SR_OK; /* not worth its gas */
    SR_TRY(send_coin(a, &to, coin, &a->tx2, err));
    a->has_tx2 = true;
    return SR_OK;
}

sr_status sr_wallet_sweep(struct sr_client *c, const char *to, char ret_rlc_tx[SR_HASH_TEXT],
                          char ret_coin_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct args a = {.c = c, .who = to};
    SR_TRY(sdk_call(c, sweep, &a, err));
    ret_rlc_tx[0] = ret_coin_tx[0] = 0;
    if (a.has_tx) hash_put(ret_rlc_tx, &a.tx);
    if (a.has_tx2) hash_put(ret_coin_tx, &a.tx2);
    return SR_OK;
}

/* ---- allowances on the stake --------------------------------------------------------------------
 */

static sr_status approve(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct addr spender;
    SR_TRY(sdk_amount(a->amount, &a->got, err));
    SR_TRY(ready(a, &spender, err));
    const struct abi_val args[] = {av_addr(&spender), av_u256(a->got)};
    return sdk_send_call(a->c, &a->c->poco.hub, "approve(address,uint256)", args, 2, &a->tx, err);
}

sr_status sr_account_approve(struct sr_client *c, const char *spender, const char *amount,
                             char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct args a = {.c = c, .who = spender, .amount = amount};
    SR_TRY(sdk_call(c, approve, &a, err));
    hash_put(ret_tx, &a.tx);
    return SR_OK;
}

static sr_status allowance(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct addr owner, spender;
    SR_TRY(sdk_chain(a->c, err));
    SR_TRY(sdk_who(a->c, a->who, &spender, err));
    SR_TRY(a->owner ? sdk_who(a->c, a->owner, &owner, err) : sdk_me(a->c, &owner, err));
    const struct abi_val args[] = {av_addr(&owner), av_addr(&spender)};
    return sdk_view_u256(a->c, &a->c->poco.hub, "allowance(address,address)", args, 2, &a->got,
                         err);
}

sr_status sr_account_allowance(struct sr_client *c, const char *owner, const char *spender,
                               char ret_nrlc[SR_AMOUNT_TEXT], struct sr_err *err) {
    struct args a = {.c = c, .who = spender, .owner = owner};
    SR_TRY(sdk_call(c, allowance, &a, err));
    u256_put(ret_nrlc, a.got);
    return SR_OK;
}
