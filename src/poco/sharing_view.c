/* SPDX-License-Identifier: Apache-2.0 */
/* sharing_view.c - what the sharing contract and its whitelists say now */
#include "poco/sharing.h"

/* One view: the answer decoded. Values only: nothing in ret points into the answer's bytes. */
static sr_status view(const struct poco *p, const struct addr *to, struct eth_at at,
                      const char *sig, const struct abi_val *args, size_t n, const char *types,
                      struct abi_out *ret, struct sr_err *err) {
    cleanup_buf struct buf call, bytes;
    buf_init(&call, 512);
    buf_init(&bytes, 1024);
    SR_TRY(abi_encode_call(&call, sig, args, n, err));
    SR_TRY(eth_call(p->rpc, NULL, to, buf_slice(&call), at, &bytes, err));
    return abi_decode(buf_slice(&bytes), types, ret, err);
}
#define VIEW(to, at, sig, types, ...)                                                              \
    cleanup_abi struct abi_out o = {0};                                                            \
    const struct abi_val args[] = {__VA_ARGS__};                                                   \
    SR_TRY(view(p, (to), (at), (sig), args, SR_ARRAY_LEN(args), (types), &o, err))

static uint64_t u64_of(const struct abi_val *v) {
    uint64_t n;
    return u256_to_u64(v->num, &n) ? n : UINT64_MAX;
}

static struct share_terms terms_of(const struct abi_val *v) {
    return (struct share_terms){v->list.v[0].num, u64_of(&v->list.v[1])};
}

static struct abi_val token_of(const struct addr *entry) {
    uint8_t id[32] = {0};
    memcpy(id + 12, entry->b, 20);
    return av_u256(u256_from_be(id));
}

/* Zero when there is no such token: the call reverts then. */
static sr_status owner_of(const struct poco *p, const struct addr *registry, struct abi_val token,
                          struct eth_at at, struct addr *ret, struct sr_err *err) {
    cleanup_abi struct abi_out o = {0};
    struct sr_err e = {0};
    sr_status st = view(p, registry, at, "ownerOf(uint256)", &token, 1, "address", &o, &e);
    if (st == SR_OK || st == SR_E_REFUSED) {
        *ret = st == SR_OK ? o.v[0].addr : (struct addr){{0}};
        return SR_OK;
    }
    if (err) *err = e;
    return st;
}

sr_status share_view_collection(const struct poco *p, const struct addr *sharing, struct u256 id,
                                struct eth_at at, struct share_collection *ret,
                                struct sr_err *err) {
    struct addr owner;
    VIEW(sharing, at, "collectionDetails(uint256)", "uint256,uint48,(uint72,uint40)", av_u256(id));
    SR_TRY(owner_of(p, sharing, av_u256(id), at, &owner, err));
    *ret = (struct share_collection){.owner = owner,
                                     .size = u64_of(&o.v[0]),
                                     .last_subscription_end = u64_of(&o.v[1]),
                                     .subscription = terms_of(&o.v[2])};
    return SR_OK;
}

sr_status share_view_data(const struct poco *p, const struct addr *sharing, const struct addr *data,
                          struct eth_at at, struct share_data *ret, struct sr_err *err) {
    VIEW(sharing, at, "protectedDataDetails(address)",
         "uint256,address,uint48,bool,(uint72,uint40),(bool,uint72)", av_addr(data));
    *ret = (struct share_data){.collection = o.v[0].num,
                               .whitelist = o.v[1].addr,
                               .last_rental_end = u64_of(&o.v[2]),
                               .in_subscription = !u256_is_zero(o.v[3].num),
                               .renting = terms_of(&o.v[4]),
                               .for_sale = !u256_is_zero(o.v[5].list.v[0].num),
                               .sale_price = o.v[5].list.v[1].num};
    return SR_OK;
}

sr_status share_view_subscriber(const struct poco *p, const struct addr *sharing, struct u256 id,
                                const struct addr *who, struct eth_at at, uint64_t *ret_end,
                                struct sr_err *err) {
    VIEW(sharing, at, "getCollectionSubscriber(uint256,address)", "uint48", av_u256(id),
         av_addr(who));
    *ret_end = u64_of(&o.v[0]);
    return SR_OK;
}

sr_status share_view_renter(const struct poco *p, const struct addr *sharing,
                            const struct addr *data, const struct addr *who, struct eth_at at,
                            uint64_t *ret_end, struct sr_err *err) {
    VIEW(sharing, at, "getProtectedDataRenter(address,address)", "uint48", av_addr(data),
         av_addr(who));
    *ret_end = u64_of(&o.v[0]);
    return SR_OK;
}

sr_status share_view_registry(const struct poco *p, const struct addr *sharing,
                              struct addr *ret_whitelists, struct sr_err *err) {
    cleanup_abi struct abi_out o = {0};
    SR_TRY(view(p, sharing, (struct eth_at){0}, "ADD_ONLY_APP_WHITELIST_REGISTRY()", NULL, 0,
                "address", &o, err));
    *ret_whitelists = o.v[0].addr;
    return SR_OK;
}

sr_status share_view_whitelist(const struct poco *p, const struct addr *registry,
                               const struct addr *list, bool *ret_exists, struct addr *ret_owner,
                               struct sr_err *err) {
    struct addr owner;
    SR_TRY(owner_of(p, registry, token_of(list), (struct eth_at){0}, &owner, err));
    *ret_exists = !addr_is_zero(&owner);
    *ret_owner = owner;
    return SR_OK;
}

sr_status share_view_has_app(const struct poco *p, const struct addr *list, const struct addr *app,
                             bool *ret, struct sr_err *err) {
    VIEW(list, ((struct eth_at){0}), "isRegistered(address)", "bool", av_addr(app));
    *ret = !u256_is_zero(o.v[0].num);
    return SR_OK;
}

sr_status erc721_is_approved(const struct poco *p, const struct addr *registry,
                             const struct addr *owner, const struct addr *entry,
                             const struct addr *spender, bool *ret, struct sr_err *err) {
    VIEW(registry, ((struct eth_at){0}), "getApproved(uint256)", "address", token_of(entry));
    if (addr_eq(&o.v[0].addr, spender)) {
        *ret = true;
        return SR_OK;
    }
    const struct abi_val both[] = {av_addr(owner), av_addr(spender)};
    cleanup_abi struct abi_out all = {0};
    SR_TRY(view(p, registry, (struct eth_at){0}, "isApprovedForAll(address,address)", both, 2,
                "bool", &all, err));
    *ret = !u256_is_zero(all.v[0].num);
    return SR_OK;
}

sr_status erc20_allowance(const struct poco *p, const struct addr *token, const struct addr *owner,
                          const struct addr *spender, struct u256 *ret, struct sr_err *err) {
    VIEW(token, ((struct eth_at){0}), "allowance(address,address)", "uint256", av_addr(owner),
         av_addr(spender));
    *ret = o.v[0].num;
    return SR_OK;
}
