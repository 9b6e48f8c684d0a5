/* SPDX-License-Identifier: Apache-2.0 */
/* network.json: where a network is; and the chain behind it. */
#include "sdk/sdk_int.h"
#include <stdlib.h>

void sdk_network_done(struct network *n) {
    free(n->rpc);
    free(n->ws);
    free(n->market);
    free(n->sms);
    free(n->ipfs_node);
    free(n->ipfs_gateway);
    free(n->scheduler);
    json_free(n->doc);
    *n = (struct network){0};
}

/* A URL without its last slash: paths are put behind it. */
static sr_status take_url(const struct json_val *obj, const char *key, char **ret_url,
                          struct sr_err *err) {
    struct slice s;
    const struct json_val *v = json_get(obj, key);
    if (!v) return SR_OK;
    if (!json_str(v, &s) || s.n == 0 || s.n > SDK_URL_MAX)
        return sr_fail(err, SR_E_MALFORMED, "\"%s\" is not a URL", key);
    while (s.n > 0 && s.p[s.n - 1] == '/') s.n--;
    *ret_url = slice_dup(s);
    return *ret_url ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

static sr_status take_all(struct network *n, struct sr_err *err) {
    const struct json_val *root = json_root(n->doc), *contracts = json_get(root, "contracts"),
                          *services = json_get(root, "services");
    uint64_t version = 0;
    if (!json_u64(json_get(root, "version"), &version) || version != 1)
        return sr_fail(err, SR_E_MALFORMED, "its version is not 1");
    if (!json_u64(json_get(root, "chainId"), &n->chain_id))
        return sr_fail(err, SR_E_MALFORMED, "\"chainId\" is missing");
    if (!json_addr(json_get(contracts, "hub"), &n->hub))
        return sr_fail(err, SR_E_MALFORMED, "\"contracts\".\"hub\" is not an address");
    (void)json_bool(json_get(root, "simulated"), &n->simulated);
    (void)json_addr(json_get(contracts, "rlc"), &n->rlc);
    n->has_data_protector = json_addr(json_get(contracts, "dataProtector"), &n->data_protector);
    n->has_sharing = json_addr(json_get(contracts, "sharing"), &n->sharing);
    n->has_workerpool =
        json_addr(json_get(json_get(root, "workerpool"), "address"), &n->workerpool);
    n->has_sms_identity = json_addr(json_get(root, "smsIdentity"), &n->sms_identity);
    SR_TRY(take_url(root, "rpcUrl", &n->rpc, err));
    SR_TRY(take_url(root, "wsUrl", &n->ws, err));
    SR_TRY(take_url(services, "market", &n->market, err));
    SR_TRY(take_url(services, "sms", &n->sms, err));
    SR_TRY(take_url(services, "ipfsNode", &n->ipfs_node, err));
    SR_TRY(take_url(services, "ipfsGateway", &n->ipfs_gateway, err));
    SR_TRY(take_url(services, "scheduler", &n->scheduler, err));
    return n->rpc ? SR_OK : sr_fail(err, SR_E_MALFORMED, "\"rpcUrl\" is missing");
}

sr_status sdk_network(struct sr_client *c, struct sr_err *err) {
    if (c->net.loaded) return SR_OK;
    cleanup_buf_wipe struct buf text;
    buf_init(&text, SDK_NETWORK_MAX);
    sr_status st = fs_read(c->network_file, &text, err);
    if (st == SR_E_NOTFOUND) { /* to the caller: nothing there to be asked */
        sr_hint(err,
                "strongroom up starts a network; --dir DIR or STRONGROOM_DIR names its folder");
        if (err) err->code = SR_E_UNAVAILABLE;
        return SR_E_UNAVAILABLE;
    }
    if (st == SR_OK) st = json_parse(buf_slice(&text), &c->net.doc, err);
    if (st == SR_OK) st = take_all(&c->net, err);
    if (st != SR_OK) {
        sr_hint(err, "--dir or --network names the network.json that strongroom up wrote");
        sr_err_prefix(err, "%s", c->network_file);
        sdk_network_done(&c->net);
        return st;
    }
    c->net.loaded = true;
    return SR_OK;
}

sr_status sdk_service(struct sr_client *c, const char *origin, const char *name,
                      struct sr_err *err) {
    if (origin) return SR_OK;
    sr_hint(err, "add \"services\".\"%s\" to %s", name, c->network_file);
    return sr_fail(err, SR_E_NOTFOUND, "this network has no %s", name);
}

sr_status sdk_chain(struct sr_client *c, struct sr_err *err) {
    if (c->has_poco) return SR_OK;
    SR_TRY(sdk_network(c, err));
    if (!c->rpc) SR_TRY(eth_rpc_new(c->net.rpc, &c->rpc, err));
    int64_t end = clock_mono_us() + SDK_PATIENCE_MS * 1000ll;
    for (;;) { /* a node that is being started again */
        struct sr_err why = {0};
        sr_status st = poco_open(c->rpc, &c->net.hub, &c->poco, &why);
        if (st == SR_OK) break;
        if (st == SR_E_UNAVAILABLE && clock_mono_us() < end) {
            SR_TRY(fiber_sleep(200, err));
            continue;
        }
        if (st == SR_E_UNAVAILABLE) why.hint[0] = 0; /* what a user can do beats what a node is */
        if (st == SR_E_UNAVAILABLE)
            sr_hint(
                &why,
                "strongroom status --dir %s shows what runs; strongroom up starts a network that "
                "is down",
                c->dir);
        if (err && err->code == SR_OK) *err = why;
        return st;
    }
    if (c->poco.domain.chain_id != c->net.chain_id) {
        sr_hint(err, "is %s of another network, or stale?", c->network_file);
        return sr_fail(err, SR_E_REFUSED, "the node is on chain %llu, the network on %llu",
                       (unsigned long long)c->poco.domain.chain_id,
                       (unsigned long long)c->net.chain_id);
    }
    c->has_poco = true;
    return SR_OK;
}

bool sdk_dev_account(const struct network *n, struct slice name_or_addr, struct slice *ret_name,
                     struct addr *ret_a, struct slice *ret_secret_hex) {
    struct addr want, a;
    bool by_addr = addr_parse(name_or_addr, &want);
    const struct json_val *list = json_get(json_root(n->doc), "accounts");
    for (const struct json_val *v = json_first(list); v; v = json_next(v)) {
        struct slice name = json_text(json_get(v, "name"));
        if (!json_addr(json_get(v, "address"), &a)) continue;
        if (by_addr ? !addr_eq(&a, &want) : !slice_eq(name, name_or_addr)) continue;
        *ret_name = name;
        *ret_a = a;
        if (ret_secret_hex) *ret_secret_hex = json_text(json_get(v, "privateKey"));
        return true;
    }
    return false;
}
