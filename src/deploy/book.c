/* SPDX-License-Identifier: Apache-2.0 */
/* The book of addresses: a network.json that knows the contracts only. */
#include "deploy/deploy.h"

const struct deploy_entry *deploy_book_find(const struct deploy_book *b, struct slice name) {
    for (size_t i = 0; i < b->n; i++)
        if (slice_is(name, b->v[i].name)) return &b->v[i];
    return NULL;
}

sr_status deploy_book_put(struct deploy_book *b, struct slice name, const struct addr *a,
                          bool given, struct sr_err *err) {
    if (name.n == 0 || name.n >= DEPLOY_NAME_MAX || memchr(name.p, 0, name.n))
        return sr_fail(err, SR_E_MALFORMED, "a contract's name has 1 to %d characters",
                       DEPLOY_NAME_MAX - 1);
    size_t i = 0;
    while (i < b->n && !slice_is(name, b->v[i].name)) i++;
    if (i == DEPLOY_NAMES_MAX)
        return sr_fail(err, SR_E_TOOBIG, "more than %d contracts", DEPLOY_NAMES_MAX);
    if (i == b->n) b->n++;
    memcpy(b->v[i].name, name.p, name.n);
    b->v[i].name[name.n] = 0;
    b->v[i].addr = *a;
    b->v[i].given = given;
    return SR_OK;
}

sr_status deploy_book_parse(struct slice text, struct deploy_book *ret, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct deploy_book b = {0};
    struct addr a;
    SR_TRY(json_parse(text, &doc, err));
    const struct json_val *root = json_root(doc), *contracts = json_get(root, "contracts"),
                          *given = json_get(root, "given");
    if (!json_u64(json_get(root, "chainId"), &b.chain_id) || json_len(contracts) == 0)
        return sr_fail(err, SR_E_MALFORMED, "it has no \"chainId\" or no \"contracts\"");
    for (const struct json_val *v = json_first(contracts); v; v = json_next(v)) {
        if (!json_addr(v, &a) || slice_is(json_key(v), "deployer"))
            return sr_fail(err, SR_E_MALFORMED, "\"%.*s\" is not the address of a contract",
                           (int)json_key(v).n, (const char *)json_key(v).p);
        SR_TRY(deploy_book_put(&b, json_key(v), &a, false, err));
    }
    if (json_addr(json_get(root, "deployer"), &a))
        SR_TRY(deploy_book_put(&b, SLICE_LIT("deployer"), &a, false, err));
    for (const struct json_val *v = json_first(given); v; v = json_next(v)) {
        const struct deploy_entry *e = deploy_book_find(&b, json_text(v));
        if (!e) return sr_fail(err, SR_E_MALFORMED, "\"given\" names what is not in it");
        a = e->addr;
        SR_TRY(deploy_book_put(&b, json_text(v), &a, true, err));
    }
    *ret = b;
    return SR_OK;
}

void deploy_book_text(const struct deploy_book *b, const char *rpc_url, struct buf *ret_json) {
    struct jw w = jw_of(ret_json);
    jw_obj(&w);
    jw_ku64(&w, "version", 1);
    jw_ku64(&w, "chainId", b->chain_id);
    jw_kcstr(&w, "rpcUrl", rpc_url);
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->v[i].name, "deployer") == 0)
            jw_kcstr(&w, "deployer", addr_checksum(&b->v[i].addr).s);
    jw_key(&w, "contracts");
    jw_obj(&w);
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->v[i].name, "deployer") != 0)
            jw_kcstr(&w, b->v[i].name, addr_checksum(&b->v[i].addr).s);
    jw_end_obj(&w);
    jw_key(&w, "given");
    jw_arr(&w);
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].given) jw_cstr(&w, b->v[i].name);
    jw_end_arr(&w);
    jw_end_obj(&w);
    buf_str(ret_json, "\n");
}
