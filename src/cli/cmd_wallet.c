/* SPDX-License-Identifier: Apache-2.0 */
/* wallet, account, faucet */
#include "cli/cli_int.h"

static void put_wallet(struct cli *c, const struct sr_wallet *w) {
    out_begin(c);
    out_str(c, "address", w->address);
    out_str(c, "name", w->name);
    out_str(c, "path", w->path);
    out_bool(c, "default", w->is_default);
    out_end(c);
}

sr_status cmd_wallet_new(struct cli *c, struct sr_err *err) {
    struct sr_wallet w;
    SR_TRY(sr_wallet_new(c->client, cli_value(c, "--name"), &w, err));
    put_wallet(c, &w);
    return SR_OK;
}

sr_status cmd_wallet_import(struct cli *c, struct sr_err *err) {
    cleanup_buf_wipe struct buf secret;
    buf_init(&secret, CLI_SECRET_MAX);
    SR_TRY(cli_secret(c, cli_value(c, "--key-file"), "Private key in hex", &secret, err));
    struct sr_wallet w;
    SR_TRY(sr_wallet_import(c->client, cli_value(c, "--name"), buf_cstr(&secret), &w, err));
    put_wallet(c, &w);
    return SR_OK;
}

sr_status cmd_wallet_list(struct cli *c, struct sr_err *err) {
    struct sr_wallet *list;
    size_t n;
    SR_TRY(sr_wallet_list(c->client, &list, &n, err));
    if (c->json) {
        jw_obj(&c->w);
        jw_key(&c->w, "wallets");
        jw_arr(&c->w);
        for (size_t i = 0; i < n; i++) put_wallet(c, &list[i]);
        jw_end_arr(&c->w);
        out_end(c);
    }
    for (size_t i = 0; i < n; i++)
        out_text(c, "%c %s  %-12s %s\n", list[i].is_default ? '*' : ' ', list[i].address,
                 list[i].name, list[i].path[0] ? list[i].path : "development account");
    if (n == 0) out_text(c, "no wallets; strongroom wallet new makes one\n");
    sr_free(list);
    return SR_OK;
}

sr_status cmd_wallet_show(struct cli *c, struct sr_err *err) {
    struct sr_wallet w;
    SR_TRY(sr_wallet_show(c->client, c->n_args > 0 ? c->args[0] : NULL, &w, err));
    put_wallet(c, &w);
    return SR_OK;
}

sr_status cmd_wallet_use(struct cli *c, struct sr_err *err) {
    struct sr_wallet w;
    SR_TRY(sr_wallet_use(c->client, c->args[0], &w, err));
    put_wallet(c, &w);
    return SR_OK;
}

sr_status cmd_wallet_export(struct cli *c, struct sr_err *err) {
    char *secret = NULL;
    const char *path = cli_value(c, "--out");
    if (path && !cli_flag(c, "--force") && fs_exists(path)) {
        sr_hint(err, "choose another file; --force writes over this one");
        return sr_fail(err, SR_E_CONFLICT, "'%s' exists", path);
    }
    SR_TRY(sr_wallet_export(c->client, c->n_args > 0 ? c->args[0] : NULL, &secret, err));
    sr_status st = SR_OK;
    if (path) {
        cleanup_buf_wipe struct buf line;
        buf_init(&line, 256);
        buf_str(&line, secret);
        buf_str(&line, "\n");
        st = fs_write_atomic(path, buf_slice(&line), 0600, err);
        if (st != SR_OK) sr_hint(err, "choose a file in a folder that you may write to");
        if (st == SR_OK) {
            out_begin(c);
            out_str(c, "path", path);
            out_end(c);
        }
    } else {
        out_begin(c);
        out_str(c, c->json ? "privateKey" : "private key", secret);
        out_end(c);
    }
    sr_wallet_wipe(secret);
    return st;
}

static void put_account(struct cli *c, const struct sr_account *a) {
    out_begin(c);
    out_str(c, "address", a->address);
    out_amount(c, "stake", a->stake_nrlc);
    out_amount(c, "locked", a->locked_nrlc);
    out_amount(c, "wallet", a->wallet_nrlc);
    if (c->json)
        out_str(c, "gas", a->gas_wei);
    else
        out_text(c, "%-16s %s wei\n", "gas", a->gas_wei);
    out_end(c);
}

sr_status cmd_account_show(struct cli *c, struct sr_err *err) {
    struct sr_account a;
    SR_TRY(sr_account_show(c->client, c->n_args > 0 ? c->args[0] : NULL, &a, err));
    put_account(c, &a);
    return SR_OK;
}

static sr_status move_money(struct cli *c, bool in, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(in ? sr_account_deposit(c->client, c->args[0], tx, err)
              : sr_account_withdraw(c->client, c->args[0], tx, err));
    struct sr_account a;
    SR_TRY(sr_account_show(c->client, NULL, &a, err));
    out_begin(c);
    out_str(c, "address", a.address);
    out_amount(c, "stake", a.stake_nrlc);
    out_amount(c, "wallet", a.wallet_nrlc);
    out_str(c, "tx", tx);
    out_end(c);
    return SR_OK;
}

sr_status cmd_account_deposit(struct cli *c, struct sr_err *err) {
    return move_money(c, true, err);
}

sr_status cmd_account_withdraw(struct cli *c, struct sr_err *err) {
    return move_money(c, false, err);
}

sr_status cmd_faucet(struct cli *c, struct sr_err *err) {
    struct sr_account a;
    SR_TRY(sr_faucet(c->client, c->args[0], &a, err));
    put_account(c, &a);
    return SR_OK;
}
