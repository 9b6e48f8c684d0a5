/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the market's index tells of sharing, as of one block. It is taken only when the node knows
 * that block, too; and whitelists that it says are the acting wallet's own are asked of the chain,
 * for an owner relies on them. Whatever is wrong with it, the chain's events can tell all.
 * SPEC: docs/wire.md, "Market /v1/"
 */
#include "sdk/share_int.h"

#define PAGE      1000u
#define MOVED_MAX 3    /* times that the index may move between two pages */
#define OWN_MAX   100u /* own whitelists that are asked of the chain */

/* null, or absent: zero */
static bool amount(const struct json_val *v, struct u256 *ret) {
    *ret = (struct u256){0};
    return json_kind(v) == JSON_NULL || json_u256(v, ret);
}
static bool count(const struct json_val *v, uint64_t *ret) {
    *ret = 0;
    return json_kind(v) == JSON_NULL || json_u64(v, ret);
}

static bool take_data(struct share_replay *r, const struct json_val *v) {
    struct addr a, list;
    struct sr_shared_data *out;
    struct slice name;
    uint64_t collection;
    struct share_row *d = json_addr(json_get(v, "data"), &a) ? share_add_data(r, &a, &out) : NULL;
    if (!d) return false;
    d->named = json_str(json_get(v, "name"), &name);
    if (d->named) TEXT_PUT(out->name, name);
    if (json_addr(json_get(v, "whitelist"), &list)) addr_put(out->list, &list);
    if (!count(json_get(v, "collection"), &collection)) return false;
    d->collection = u256_of(collection);
    return json_bool(json_get(v, "inSubscription"), &out->in_subscription) &&
           json_bool(json_get(v, "forRent"), &out->for_rent) &&
           json_bool(json_get(v, "forSale"), &out->for_sale) &&
           amount(json_get(v, "rentPrice"), &d->rent.price) &&
           count(json_get(v, "rentSeconds"), &d->rent.duration) &&
           amount(json_get(v, "salePrice"), &d->sale) && json_u64(json_get(v, "uses"), &out->uses);
}

static bool take_collection(struct share_replay *r, const struct json_val *v) {
    uint64_t id;
    struct share_col *col =
        json_u64(json_get(v, "collection"), &id) ? share_add_collection(r, u256_of(id)) : NULL;
    return col && json_addr(json_get(v, "owner"), &col->owner) &&
           amount(json_get(v, "price"), &col->terms.price) &&
           count(json_get(v, "seconds"), &col->terms.duration);
}

static bool take_payment(struct share_replay *r, const struct json_val *v) {
    struct sr_paid *p = share_add_paid(r);
    struct slice kind;
    struct addr data, from, to;
    struct hash tx;
    struct u256 price;
    if (!p || !json_str(json_get(v, "kind"), &kind) || !json_addr(json_get(v, "from"), &from) ||
        !json_addr(json_get(v, "to"), &to) || !amount(json_get(v, "price"), &price) ||
        !json_hash(json_get(v, "tx"), &tx) || !json_u64(json_get(v, "end"), &p->end_unix_s) ||
        !count(json_get(v, "collection"), &p->collection))
        return false;
    p->kind = slice_is(kind, "rent")   ? SR_PAID_RENT
              : slice_is(kind, "sale") ? SR_PAID_SALE
                                       : SR_PAID_SUBSCRIPTION;
    if (json_addr(json_get(v, "data"), &data)) addr_put(p->data, &data);
    addr_put(p->from, &from);
    addr_put(p->to, &to);
    u256_put(p->price_nrlc, price);
    hash_put(p->tx, &tx);
    return true;
}

static bool take_list(struct share_replay *r, const struct json_val *v) {
    struct addr list, owner, app;
    bool has = json_addr(json_get(v, "app"), &app);
    return json_addr(json_get(v, "whitelist"), &list) && json_addr(json_get(v, "owner"), &owner) &&
           share_add_listed(r, &list, &owner, has ? &app : NULL);
}

bool share_index_take(struct share_replay *r, const struct json_val *v, struct share_page *ret) {
    static const struct {
        const char *key;
        bool (*take)(struct share_replay *r, const struct json_val *v);
    } lists[] = {{"data", take_data},
                 {"collections", take_collection},
                 {"payments", take_payment},
                 {"whitelists", take_list}};
    struct addr contract;
    if (!json_addr(json_get(v, "contract"), &contract) || !addr_eq(&contract, &r->c->net.sharing) ||
        !json_u64(json_get(v, "block"), &ret->block) ||
        !json_hash(json_get(v, "hash"), &ret->hash) || !json_bool(json_get(v, "more"), &ret->more))
        return false;
    for (size_t i = 0; i < SR_ARRAY_LEN(lists); i++) {
        const struct json_val *list = json_get(v, lists[i].key);
        if (!json_is(list, JSON_ARRAY)) return false;
        for (const struct json_val *row = json_first(list); row; row = json_next(row))
            if (!lists[i].take(r, row)) return false;
    }
    return true;
}

/* *ret_moved: the index has, since the page before. */
static bool read_pages(struct share_replay *r, struct share_page *ret, bool *ret_moved) {
    struct share_page first = {0}, now;
    *ret_moved = false;
    for (unsigned n = 0; n <= SHARING_MAX / PAGE; n++) {
        cleanup_json struct json *doc = NULL;
        char url[SDK_URL_MAX];
        (void)snprintf(url, sizeof url, "%s/v1/sharing?page=%u&size=%u", r->c->net.market, n, PAGE);
        if (market_get(r->c, url, &doc, NULL) != SR_OK ||
            !share_index_take(r, json_root(doc), &now))
            return false;
        if (n == 0) first = now;
        *ret_moved = now.block != first.block || !hash_eq(&now.hash, &first.hash);
        if (*ret_moved) return false;
        if (now.more) continue;
        *ret = first;
        return true;
    }
    return false;
}

static bool is_own(struct share_replay *r, const char *list, const struct addr *me) {
    struct addr a, owner;
    bool exists;
    return addr_parse(slice_str(list), &a) &&
           share_view_whitelist(&r->c->poco, &r->lists, &a, &exists, &owner, NULL) == SR_OK &&
           exists && addr_eq(&owner, me);
}

static bool own_lists_are(struct share_replay *r) {
    struct addr me;
    const char *last = "";
    unsigned asked = 0;
    if (sdk_me(r->c, &me, NULL) != SR_OK) return true; /* nobody acts */
    char text[SR_ADDR_TEXT];
    addr_put(text, &me);
    for (size_t i = 0; i < r->s.n_apps; i++) {
        const struct sr_listed_app *a = &r->s.apps[i];
        if (strcmp(a->owner, text) != 0 || strcmp(a->list, last) == 0) continue;
        if (asked++ == OWN_MAX || !is_own(r, a->list, &me)) return false;
        last = a->list;
    }
    return true;
}

static bool is_canonical(struct share_replay *r, const struct share_page *p) {
    struct eth_block b;
    return eth_get_block(r->c->rpc, eth_at_block(p->block), &b, NULL) == SR_OK &&
           hash_eq(&b.hash, &p->hash);
}

void share_index_read(struct share_replay *r) {
    bool moved = true;
    struct share_page at;
    if (!r->c->net.market) return;
    for (int i = 0; i < MOVED_MAX && moved; i++) {
        share_replay_clear(r);
        if (!read_pages(r, &at, &moved)) continue;
        if (!is_canonical(r, &at) || !own_lists_are(r)) break;
        r->from = at.block + 1;
        return;
    }
    share_replay_clear(r);
}
