/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the registries, categories, the network; money between wallets; secrets. */
#include "cli/cli_int.h"

/* The command's first word: "app", "workerpool", "data". */
static const char *kind_of(const struct cli *c, char room[16]) {
    struct slice first, rest;
    (void)slice_cut(slice_str(c->cmd->words), ' ', &first, &rest);
    (void)snprintf(room, 16, "%.*s", (int)first.n, (const char *)first.p);
    return room;
}

static void put_tx(struct cli *c, const char *tx) {
    out_begin(c);
    out_str(c, "tx", tx);
    out_end(c);
}

/* ---- registries ---- */

static void put_resource(struct cli *c, const struct sr_resource *r, bool pool) {
    out_begin(c);
    out_str(c, "address", r->address);
    out_str(c, pool ? "description" : "name", r->name);
    out_str(c, "owner", r->owner);
    if (pool) {
        out_u64(c, c->json ? "workerStakeRatio" : "worker stake %", r->stake_ratio);
        out_u64(c, c->json ? "schedulerRewardRatio" : "pool's share %", r->scheduler_ratio);
    } else {
        out_str(c, "multiaddr", r->multiaddr);
        out_str(c, "checksum", r->checksum);
    }
    out_end(c);
}

sr_status cmd_resource_show(struct cli *c, struct sr_err *err) {
    char room[16];
    struct sr_resource r;
    const char *kind = kind_of(c, room);
    SR_TRY(sr_resource_show(c->client, kind, c->args[0], &r, err));
    put_resource(c, &r, strcmp(kind, "workerpool") == 0);
    return SR_OK;
}

sr_status cmd_resource_list(struct cli *c, struct sr_err *err) {
    char room[16];
    struct sr_resource *list = NULL;
    size_t n = 0;
    const char *kind = kind_of(c, room);
    bool pool = strcmp(kind, "workerpool") == 0;
    SR_TRY(sr_resource_list(c->client, kind, cli_value(c, "--owner"), &list, &n, err));
    out_begin(c);
    if (c->json) out_u64(c, "count", n);
    out_list_begin(c, pool ? "workerpools" : "apps");
    for (size_t i = 0; i < n; i++) {
        if (c->json) put_resource(c, &list[i], pool);
        out_text(c, "%s  %-24s  %s\n", list[i].address, list[i].name, list[i].multiaddr);
    }
    out_list_end(c);
    if (n == 0) out_text(c, "none\n");
    out_end(c);
    sr_free(list);
    return SR_OK;
}

sr_status cmd_resource_count(struct cli *c, struct sr_err *err) {
    char room[16];
    uint64_t n;
    SR_TRY(sr_resource_count(c->client, kind_of(c, room), cli_value(c, "--owner"), &n, err));
    out_begin(c);
    out_u64(c, "count", n);
    out_end(c);
    return SR_OK;
}

sr_status cmd_resource_transfer(struct cli *c, struct sr_err *err) {
    char room[16], tx[SR_HASH_TEXT];
    const char *to = cli_value(c, "--to");
    if (!to) {
        sr_hint(err, "name the new owner with --to");
        return sr_fail(err, SR_E_USAGE, "nobody is named");
    }
    SR_TRY(sr_resource_transfer(c->client, kind_of(c, room), c->args[0], to, tx, err));
    put_tx(c, tx);
    return SR_OK;
}

sr_status cmd_workerpool_deploy(struct cli *c, struct sr_err *err) {
    char address[SR_ADDR_TEXT], tx[SR_HASH_TEXT];
    SR_TRY(sr_workerpool_deploy(c->client, c->args[0], address, tx, err));
    out_begin(c);
    out_str(c, "address", address);
    out_str(c, "tx", tx);
    out_end(c);
    return SR_OK;
}

/* ---- categories ---- */

static void put_category(struct cli *c, const struct sr_category *k) {
    out_begin(c);
    out_u64(c, "category", k->id);
    out_str(c, "name", k->name);
    out_str(c, "description", k->description);
    out_u64(c, c->json ? "workClockTimeRef" : "seconds", k->unit_s);
    out_end(c);
}

static sr_status categories(struct cli *c, bool all, uint64_t id, struct sr_err *err) {
    struct sr_category *list = NULL;
    size_t n = 0;
    SR_TRY(sr_category_list(c->client, &list, &n, err));
    if (!all && id >= n) {
        sr_free(list);
        sr_hint(err, "strongroom category list shows them");
        return sr_fail(err, SR_E_NOTFOUND, "there is no category %llu", (unsigned long long)id);
    }
    if (!all) {
        put_category(c, &list[id]);
    } else {
        out_begin(c);
        if (c->json) out_u64(c, "count", n);
        out_list_begin(c, "categories");
        for (size_t i = 0; i < n; i++) {
            if (c->json) put_category(c, &list[i]);
            out_text(c, "%llu  %-6s results within %llu s, the end after %llu s\n",
                     (unsigned long long)list[i].id, list[i].name,
                     (unsigned long long)list[i].unit_s * 7,
                     (unsigned long long)list[i].unit_s * 10);
        }
        out_list_end(c);
        out_end(c);
    }
    sr_free(list);
    return SR_OK;
}

sr_status cmd_category_list(struct cli *c, struct sr_err *err) {
    return categories(c, true, 0, err);
}

sr_status cmd_category_show(struct cli *c, struct sr_err *err) {
    uint64_t id;
    if (!num_u64(slice_str(c->args[0]), UINT32_MAX, &id))
        return sr_fail(err, SR_E_USAGE, "a category is a number");
    return categories(c, false, id, err);
}

sr_status cmd_category_create(struct cli *c, struct sr_err *err) {
    uint64_t unit, id;
    char tx[SR_HASH_TEXT];
    const char *text = cli_value(c, "--description");
    if (!num_u64(slice_str(c->args[1]), UINT32_MAX, &unit))
        return sr_fail(err, SR_E_USAGE, "the time is a number of seconds");
    SR_TRY(sr_category_create(c->client, c->args[0], text ? text : "", unit, &id, tx, err));
    out_begin(c);
    out_u64(c, "category", id);
    out_str(c, "tx", tx);
    out_end(c);
    return SR_OK;
}

sr_status cmd_info(struct cli *c, struct sr_err *err) {
    struct sr_info i;
    SR_TRY(sr_network_info(c->client, &i, err));
    out_begin(c);
    out_u64(c, c->json ? "chainId" : "chain", i.chain_id);
    out_u64(c, "block", i.block);
    out_bool(c, "simulated", i.simulated);
    out_str(c, "hub", i.hub);
    out_str(c, "rlc", i.rlc);
    out_str(c, c->json ? "appRegistry" : "apps", i.app_registry);
    out_str(c, c->json ? "dataRegistry" : "data", i.data_registry);
    out_str(c, c->json ? "workerpoolRegistry" : "workerpools", i.workerpool_registry);
    out_str(c, "workerpool", i.workerpool);
    out_str(c, c->json ? "dataProtector" : "data protector", i.data_protector);
    out_str(c, c->json ? "smsIdentity" : "sms identity", i.sms_identity);
    out_str(c, c->json ? "rpcUrl" : "rpc", i.rpc);
    out_str(c, "market", i.market);
    out_str(c, "sms", i.sms);
    out_str(c, c->json ? "ipfsGateway" : "store", i.ipfs_gateway);
    out_str(c, "scheduler", i.scheduler);
    out_end(c);
    return SR_OK;
}

/* ---- money ---- */

static sr_status send(struct cli *c, const char *what, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    const char *to = cli_value(c, "--to");
    if (!to) return sr_fail(err, SR_E_USAGE, "--to names who gets it");
    SR_TRY(sr_wallet_send(c->client, what, c->args[0], to, tx, err));
    put_tx(c, tx);
    return SR_OK;
}

sr_status cmd_wallet_send_rlc(struct cli *c, struct sr_err *err) {
    return send(c, "rlc", err);
}

sr_status cmd_wallet_send_ether(struct cli *c, struct sr_err *err) {
    return send(c, "ether", err);
}

sr_status cmd_wallet_sweep(struct cli *c, struct sr_err *err) {
    char rlc[SR_HASH_TEXT], coin[SR_HASH_TEXT];
    const char *to = cli_value(c, "--to");
    if (!to) return sr_fail(err, SR_E_USAGE, "--to names who gets it");
    SR_TRY(sr_wallet_sweep(c->client, to, rlc, coin, err));
    out_begin(c);
    out_str(c, c->json ? "rlcTx" : "rlc", rlc);
    out_str(c, c->json ? "coinTx" : "coin", coin);
    if (!rlc[0] && !coin[0]) out_text(c, "there was nothing to send\n");
    out_end(c);
    return SR_OK;
}

sr_status cmd_account_approve(struct cli *c, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_account_approve(c->client, c->args[1], c->args[0], tx, err));
    put_tx(c, tx);
    return SR_OK;
}

sr_status cmd_account_revoke(struct cli *c, struct sr_err *err) {
    char tx[SR_HASH_TEXT];
    SR_TRY(sr_account_approve(c->client, c->args[0], "0", tx, err));
    put_tx(c, tx);
    return SR_OK;
}

sr_status cmd_account_allowance(struct cli *c, struct sr_err *err) {
    char amount[SR_AMOUNT_TEXT];
    SR_TRY(sr_account_allowance(c->client, cli_value(c, "--owner"), c->args[0], amount, err));
    out_begin(c);
    out_amount(c, "amount", amount);
    out_end(c);
    return SR_OK;
}

/* ---- secrets ---- */

sr_status cmd_secret_push(struct cli *c, struct sr_err *err) {
    cleanup_buf_wipe struct buf secret;
    bool named = strcmp(c->args[0], "requester") == 0;
    if (c->n_args < 2)
        return sr_fail(err, SR_E_USAGE, named ? "name the secret" : "name the %s", c->args[0]);
    buf_init(&secret, CLI_SECRET_MAX);
    SR_TRY(cli_secret(c, cli_value(c, "--secret-file"), "Secret", &secret, err));
    SR_TRY(sr_secret_push(c->client, c->args[0], named ? NULL : c->args[1],
                          named ? c->args[1] : NULL, secret.p, secret.n, err));
    out_begin(c);
    out_bool(c, "pushed", true);
    out_end(c);
    return SR_OK;
}

sr_status cmd_secret_check(struct cli *c, struct sr_err *err) {
    bool has, named = strcmp(c->args[0], "requester") == 0;
    const char *target = named ? cli_value(c, "--of") : c->n_args > 1 ? c->args[1] : NULL;
    SR_TRY(sr_secret_check(c->client, c->args[0], target,
                           named && c->n_args > 1 ? c->args[1] : NULL, &has, err));
    out_begin(c);
    out_bool(c, c->json ? "isSet" : "there", has);
    out_end(c);
    return SR_OK;
}

sr_status cmd_result_push_key(struct cli *c, struct sr_err *err) {
    SR_TRY(sr_result_key_push(c->client, cli_flag(c, "--replace"), err));
    out_begin(c);
    out_bool(c, "pushed", true);
    out_str(c, "keystore", sr_client_keystore(c->client));
    out_end(c);
    return SR_OK;
}

sr_status cmd_result_check_key(struct cli *c, struct sr_err *err) {
    bool has;
    SR_TRY(sr_secret_check(c->client, "result-key", c->n_args > 0 ? c->args[0] : NULL, NULL, &has,
                           err));
    out_begin(c);
    out_bool(c, c->json ? "isSet" : "there", has);
    out_end(c);
    return SR_OK;
}
