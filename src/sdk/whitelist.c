/* SPDX-License-Identifier: Apache-2.0 */
/* Groups (ERC-734): apps or users that an order can be restricted to, let in and out by an owner.
 */
#include "sdk/sdk_int.h"
#include "sdk/whitelist_int.h"

#define MEMBERS_MAX 200
#define CODE_MAX    65536

struct group_args {
    struct sr_client *c;
    const char *group;
    const char *const *who;
    size_t n;
    bool in, ret_is;
    char *ret_group, *ret_tx;
};

/* Members may be apps (by name) or wallets. */
static sr_status member(struct sr_client *c, const char *text, struct addr *ret,
                        struct sr_err *err) {
    struct sr_err none = {0};
    if (sdk_app_addr(c, text, ret, &none) == SR_OK) return SR_OK;
    return sdk_who(c, text, ret, err);
}

static sr_status members(struct group_args *a, struct addr addrs[MEMBERS_MAX],
                         struct abi_val v[MEMBERS_MAX], struct sr_err *err) {
    if (a->n > MEMBERS_MAX)
        return sr_fail(err, SR_E_USAGE, "more than %d members at once", MEMBERS_MAX);
    for (size_t i = 0; i < a->n; i++) {
        SR_TRY(member(a->c, a->who[i], &addrs[i], err));
        v[i] = av_addr(&addrs[i]);
    }
    return SR_OK;
}

static sr_status create(void *arg, struct sr_err *err) {
    struct group_args *a = arg;
    struct sr_client *c = a->c;
    struct addr addrs[MEMBERS_MAX];
    struct abi_val v[MEMBERS_MAX];
    cleanup_buf struct buf code;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&code, CODE_MAX);
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(members(a, addrs, v, err));
    if (!hex_decode_buf(slice_str(whitelist_creation_code), &code)) {
        BUF_TRY_MEMORY(&code, err);
        return sr_fail(err, SR_E_MALFORMED, "the whitelist's code");
    }
    const struct abi_val args[] = {av_addr(&c->me), av_list(v, a->n)};
    SR_TRY(abi_encode(&code, "address,address[]", args, 2, err));
    sdk_progress(c, "deploy", NULL, 0, 0, NULL);
    SR_TRY(sdk_create(c, buf_slice(&code), &r, err));
    if (!r.has_contract) return sr_fail(err, SR_E_CHAIN, "the transaction made no contract");
    addr_put(a->ret_group, &r.contract);
    hash_put(a->ret_tx, &r.tx);
    return SR_OK;
}

static sr_status change(void *arg, struct sr_err *err) {
    struct group_args *a = arg;
    struct sr_client *c = a->c;
    struct addr addrs[MEMBERS_MAX], group;
    struct abi_val v[MEMBERS_MAX];
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&b, CODE_MAX);
    SR_TRY(sdk_addr_arg(a->group, "whitelist", &group, err));
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(members(a, addrs, v, err));
    SR_TRY(abi_call(&b, "set(address[],bool)", err, av_list(v, a->n), av_bool(a->in)));
    SR_TRY(sdk_send(c, &group, (struct u256){0}, buf_slice(&b), &r, err));
    hash_put(a->ret_tx, &r.tx);
    return SR_OK;
}

static sr_status ask(void *arg, struct sr_err *err) {
    struct group_args *a = arg;
    struct addr group, who;
    SR_TRY(sdk_addr_arg(a->group, "whitelist", &group, err));
    SR_TRY(sdk_chain(a->c, err));
    SR_TRY(member(a->c, a->who[0], &who, err));
    return poco_allowed(&a->c->poco, &group, &who, (struct eth_at){0}, &a->ret_is, err);
}

sr_status sr_group_create(struct sr_client *c, const char *const *who, size_t n,
                          char ret_group[SR_ADDR_TEXT], char ret_tx[SR_HASH_TEXT],
                          struct sr_err *err) {
    struct group_args a = {.c = c, .who = who, .n = n, .ret_group = ret_group, .ret_tx = ret_tx};
    return sdk_call(c, create, &a, err);
}

sr_status sr_group_set(struct sr_client *c, const char *group, const char *const *who, size_t n,
                       bool in, char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct group_args a = {.c = c, .group = group, .who = who, .n = n, .in = in, .ret_tx = ret_tx};
    return sdk_call(c, change, &a, err);
}

sr_status sr_group_has(struct sr_client *c, const char *group, const char *who, bool *ret_is,
                       struct sr_err *err) {
    struct group_args a = {.c = c, .group = group, .who = &who, .n = 1};
    SR_TRY(sdk_call(c, ask, &a, err));
    *ret_is = a.ret_is;
    return SR_OK;
}
