/* SPDX-License-Identifier: Apache-2.0 */
/* Apps, data and workerpools as entries of the registries; categories; the network's addresses.
 * SPEC: poco.md#20-registries-and-entries */
#include "sdk/order.h"
#include <stdlib.h>

#define LIST_MAX       1000
#define CATEGORIES_MAX 256

struct args {
    struct sr_client *c;
    const char *kind, *who, *text, *to;
    struct sr_resource *ret, *list;
    size_t n;
    uint64_t count;
    struct hash tx;
    struct addr created;
};

static const struct addr *registry_of(const struct sr_client *c, poco_kind k) {
    return k == POCO_APP       ? &c->poco.app_registry
           : k == POCO_DATASET ? &c->poco.dataset_registry
                               : &c->poco.workerpool_registry;
}

static sr_status begin(struct args *a, poco_kind *ret_kind, struct sr_err *err) {
    SR_TRY(order_kind(a->kind, ret_kind, err));
    if (*ret_kind == POCO_REQUEST) return sr_fail(err, SR_E_USAGE, "requests are no resource");
    return sdk_chain(a->c, err);
}

static sr_status put_multiaddr(struct sr_resource *r, struct slice bytes, struct sr_err *err) {
    cleanup_buf struct buf where;
    buf_init(&where, MULTIADDR_MAX * 2);
    if (bytes.n == 0) return SR_OK;
    SR_TRY(multiaddr_text(bytes, &where, err));
    TEXT_PUT(r->multiaddr, buf_slice(&where));
    return SR_OK;
}

static sr_status read_resource(struct sr_client *c, poco_kind k, const struct addr *a,
                               struct sr_resource *r, struct sr_err *err) {
    sr_status st;
    *r = (struct sr_resource){0};
    addr_put(r->address, a);
    if (k == POCO_APP) {
        struct poco_app v = {0};
        SR_TRY(poco_view_app(&c->poco, a, (struct eth_at){0}, &v, err));
        addr_put(r->owner, &v.owner);
        TEXT_PUT(r->name, v.name);
        hash_put(r->checksum, &v.checksum);
        st = put_multiaddr(r, v.multiaddr, err);
        poco_app_done(&v);
        return st;
    }
    if (k == POCO_DATASET) {
        struct poco_dataset v = {0};
        SR_TRY(poco_view_dataset(&c->poco, a, (struct eth_at){0}, &v, err));
        addr_put(r->owner, &v.owner);
        TEXT_PUT(r->name, v.name);
        hash_put(r->checksum, &v.checksum);
        st = put_multiaddr(r, v.multiaddr, err);
        poco_dataset_done(&v);
        return st;
    }
    struct poco_workerpool v = {0};
    SR_TRY(poco_view_workerpool(&c->poco, a, (struct eth_at){0}, &v, err));
    addr_put(r->owner, &v.owner);
    TEXT_PUT(r->name, v.description);
    r->stake_ratio = v.stake_ratio;
    r->scheduler_ratio = v.scheduler_ratio;
    poco_workerpool_done(&v);
    return SR_OK;
}

static sr_status show(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct addr addr;
    poco_kind k;
    SR_TRY(begin(a, &k, err));
    SR_TRY(k == POCO_APP ? sdk_app_addr(a->c, a->text, &addr, err)
                         : sdk_addr_arg(a->text, "address", &addr, err));
    sr_status st = read_resource(a->c, k, &addr, a->ret, err);
    if (st == SR_E_NOTFOUND) sr_hint(err, "compare the address");
    return st;
}

sr_status sr_resource_show(struct sr_client *c, const char *kind, const char *address,
                           struct sr_resource *ret, struct sr_err *err) {
    struct args a = {.c = c, .kind = kind, .text = address, .ret = ret};
    return sdk_call(c, show, &a, err);
}

static sr_status owned_by(struct args *a, poco_kind k, struct addr *ret_owner, struct sr_err *err) {
    SR_TRY(a->who ? sdk_who(a->c, a->who, ret_owner, err) : sdk_me(a->c, ret_owner, err));
    struct u256 n;
    const struct abi_val owner = av_addr(ret_owner);
    SR_TRY(sdk_view_u256(a->c, registry_of(a->c, k), "balanceOf(address)", &owner, 1, &n, err));
    return u256_to_u64(n, &a->count) ? SR_OK : sr_fail(err, SR_E_RANGE, "an absurd count");
}

static sr_status count(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct addr owner;
    poco_kind k;
    SR_TRY(begin(a, &k, err));
    return owned_by(a, k, &owner, err);
}

sr_status sr_resource_count(struct sr_client *c, const char *kind, const char *owner,
                            uint64_t *ret_n, struct sr_err *err) {
    struct args a = {.c = c, .kind = kind, .who = owner};
    SR_TRY(sdk_call(c, count, &a, err));
    *ret_n = a.count;
    return SR_OK;
}

/* The registry's own enumeration, newest first: it needs no index, so it works everywhere. */
static sr_status list(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct addr owner, entry;
    poco_kind k;
    SR_TRY(begin(a, &k, err));
    SR_TRY(owned_by(a, k, &owner, err));
    size_t n = a->count < LIST_MAX ? (size_t)a->count : LIST_MAX;
    a->list = sr_calloc_n(n + 1, sizeof *a->list);
    if (!a->list) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (; a->n < n; a->n++) {
        uint8_t be[32];
        struct u256 id;
        const struct abi_val args[] = {av_addr(&owner), av_u64(a->count - 1 - a->n)};
        SR_TRY(sdk_view_u256(a->c, registry_of(a->c, k), "tokenOfOwnerByIndex(address,uint256)",
                             args, 2, &id, err));
        u256_to_be(be, id);
        memcpy(entry.b, be + 12, sizeof entry.b);
        SR_TRY(read_resource(a->c, k, &entry, &a->list[a->n], err));
    }
    return SR_OK;
}

sr_status sr_resource_list(struct sr_client *c, const char *kind, const char *owner,
                           struct sr_resource **ret_list, size_t *ret_n, struct sr_err *err) {
    struct args a = {.c = c, .kind = kind, .who = owner};
    sr_status st = sdk_call(c, list, &a, err);
    if (st != SR_OK) {
        free(a.list);
        return st;
    }
    *ret_list = a.list;
    *ret_n = a.n;
    return SR_OK;
}

static sr_status transfer(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct sr_client *c = a->c;
    struct addr entry, to, owner;
    poco_kind k;
    bool registered;
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&data, 4096);
    SR_TRY(begin(a, &k, err));
    SR_TRY(k == POCO_APP ? sdk_app_addr(c, a->text, &entry, err)
                         : sdk_addr_arg(a->text, "address", &entry, err));
    SR_TRY(sdk_who(c, a->to, &to, err));
    if (addr_is_zero(&to)) return sr_fail(err, SR_E_USAGE, "the new owner is nobody");
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(poco_owner(&c->poco, k, &entry, (struct eth_at){0}, &registered, &owner, err));
    if (!registered)
        return sr_fail(err, SR_E_NOTFOUND, "there is no %s at %s", poco_kind_word[k],
                       addr_text(&entry).s);
    if (!addr_eq(&owner, &c->me)) {
        sr_hint(err, "act as the owner with --as");
        return sr_fail(err, SR_E_REFUSED, "%s belongs to %s, not to %s", addr_text(&entry).s,
                       addr_text(&owner).s, addr_text(&c->me).s);
    }
    SR_TRY(erc721_enc_transfer(&data, &c->me, &to, &entry, err));
    SR_TRY(sdk_send(c, registry_of(c, k), (struct u256){0}, buf_slice(&data), &r, err));
    a->tx = r.tx;
    return SR_OK;
}

sr_status sr_resource_transfer(struct sr_client *c, const char *kind, const char *address,
                               const char *to, char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct args a = {.c = c, .kind = kind, .text = address, .to = to};
    SR_TRY(sdk_call(c, transfer, &a, err));
    hash_put(ret_tx, &a.tx);
    return SR_OK;
}

static sr_status deploy_pool(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct sr_client *c = a->c;
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    bool registered;
    struct addr owner;
    buf_init(&data, 65536);
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(poco_enc_create_workerpool(&data, &c->me, slice_str(a->text), err));
    SR_TRY(poco_predict(&c->poco, POCO_WORKERPOOL, buf_slice(&data), &a->created, err));
    SR_TRY(poco_owner(&c->poco, POCO_WORKERPOOL, &a->created, (struct eth_at){0}, &registered,
                      &owner, err));
    if (registered) {
        sr_hint(err, "choose another description");
        return sr_fail(err, SR_E_CONFLICT, "%s has a workerpool of that description already: %s",
                       addr_text(&c->me).s, addr_text(&a->created).s);
    }
    sdk_progress(c, "deploy", NULL, 0, 0, a->text);
    SR_TRY(sdk_send(c, &c->poco.workerpool_registry, (struct u256){0}, buf_slice(&data), &r, err));
    a->tx = r.tx;
    return poco_receipt_created(&c->poco, POCO_WORKERPOOL, &r, &a->created, err);
}

sr_status sr_workerpool_deploy(struct sr_client *c, const char *description,
                               char ret_address[SR_ADDR_TEXT], char ret_tx[SR_HASH_TEXT],
                               struct sr_err *err) {
    if (strlen(description) > 4096)
        return sr_fail(err, SR_E_USAGE, "the description is longer than 4096 bytes");
    struct args a = {.c = c, .text = description};
    SR_TRY(sdk_call(c, deploy_pool, &a, err));
    addr_put(ret_address, &a.created);
    hash_put(ret_tx, &a.tx);
    return SR_OK;
}

/* ---- categories ---------------------------------------------------------------------------------
 */

struct category_args {
    struct sr_client *c;
    struct sr_category *list;
    size_t n;
    const char *name, *description;
    uint64_t id, unit_s;
    struct hash tx;
};

static sr_status read_category(struct sr_client *c, uint64_t id, struct sr_category *ret,
                               struct sr_err *err) {
    struct poco_category v = {0};
    SR_TRY(poco_view_category(&c->poco, id, (struct eth_at){0}, &v, err));
    *ret = (struct sr_category){.id = id, .unit_s = v.time_ref};
    TEXT_PUT(ret->name, slice_str(v.name));
    TEXT_PUT(ret->description, slice_str(v.description));
    poco_category_done(&v);
    return SR_OK;
}

static sr_status categories(void *arg, struct sr_err *err) {
    struct category_args *a = arg;
    struct u256 n;
    uint64_t count;
    SR_TRY(sdk_chain(a->c, err));
    SR_TRY(sdk_view_u256(a->c, &a->c->poco.hub, "countCategory()", NULL, 0, &n, err));
    if (!u256_to_u64(n, &count)) return sr_fail(err, SR_E_RANGE, "an absurd count of categories");
    if (count > CATEGORIES_MAX) count = CATEGORIES_MAX;
    a->list = sr_calloc_n((size_t)count + 1, sizeof *a->list);
    if (!a->list) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (; a->n < count; a->n++) SR_TRY(read_category(a->c, a->n, &a->list[a->n], err));
    return SR_OK;
}

sr_status sr_category_list(struct sr_client *c, struct sr_category **ret_list, size_t *ret_n,
                           struct sr_err *err) {
    struct category_args a = {.c = c};
    sr_status st = sdk_call(c, categories, &a, err);
    if (st != SR_OK) {
        free(a.list);
        return st;
    }
    *ret_list = a.list;
    *ret_n = a.n;
    return SR_OK;
}

static sr_status create_category(void *arg, struct sr_err *err) {
    struct category_args *a = arg;
    struct u256 n;
    const struct abi_val args[] = {av_str(a->name), av_str(a->description), av_u64(a->unit_s)};
    SR_TRY(sdk_chain(a->c, err));
    SR_TRY(sdk_unlock(a->c, err));
    sr_status st = sdk_send_call(a->c, &a->c->poco.hub, "createCategory(string,string,uint256)",
                                 args, 3, &a->tx, err);
    if (st == SR_E_REFUSED) sr_hint(err, "only the owner of the hub can make categories");
    SR_TRY(st);
    SR_TRY(sdk_view_u256(a->c, &a->c->poco.hub, "countCategory()", NULL, 0, &n, err));
    if (!u256_to_u64(n, &a->id) || a->id == 0) return sr_fail(err, SR_E_CHAIN, "no category");
    a->id--;
    return SR_OK;
}

sr_status sr_category_create(struct sr_client *c, const char *name, const char *description,
                             uint64_t unit_s, uint64_t *ret_id, char ret_tx[SR_HASH_TEXT],
                             struct sr_err *err) {
    if (unit_s == 0 || strlen(name) > 4096 || strlen(description) > 4096)
        return sr_fail(err, SR_E_USAGE, "a category has a short name and a time above 0");
    struct category_args a = {.c = c, .name = name, .description = description, .unit_s = unit_s};
    SR_TRY(sdk_call(c, create_category, &a, err));
    *ret_id = a.id;
    hash_put(ret_tx, &a.tx);
    return SR_OK;
}

/* ---- the network --------------------------------------------------------------------------------
 */

struct info_args {
    struct sr_client *c;
    struct sr_info *ret;
};

static sr_status info(void *arg, struct sr_err *err) {
    struct info_args *a = arg;
    struct sr_client *c = a->c;
    struct sr_info *r = a->ret;
    SR_TRY(sdk_chain(c, err));
    *r = (struct sr_info){.chain_id = c->net.chain_id, .simulated = c->net.simulated};
    SR_TRY(eth_block_number(c->rpc, &r->block, err));
    addr_put(r->hub, &c->poco.hub);
    addr_put(r->rlc, &c->poco.token);
    addr_put(r->app_registry, &c->poco.app_registry);
    addr_put(r->data_registry, &c->poco.dataset_registry);
    addr_put(r->workerpool_registry, &c->poco.workerpool_registry);
    if (c->net.has_workerpool) addr_put(r->workerpool, &c->net.workerpool);
    if (c->net.has_data_protector) addr_put(r->data_protector, &c->net.data_protector);
    if (c->net.has_sms_identity) addr_put(r->sms_identity, &c->net.sms_identity);
    TEXT_PUT(r->rpc, slice_str(c->net.rpc ? c->net.rpc : ""));
    TEXT_PUT(r->market, slice_str(c->net.market ? c->net.market : ""));
    TEXT_PUT(r->sms, slice_str(c->net.sms ? c->net.sms : ""));
    TEXT_PUT(r->ipfs_gateway, slice_str(c->net.ipfs_gateway ? c->net.ipfs_gateway : ""));
    TEXT_PUT(r->scheduler, slice_str(c->net.scheduler ? c->net.scheduler : ""));
    return SR_OK;
}

sr_status sr_network_info(struct sr_client *c, struct sr_info *ret, struct sr_err *err) {
    struct info_args a = {c, ret};
    return sdk_call(c, info, &a, err);
}
