/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing, the owner's side: collections, whitelists, what is offered at which terms. */
#include "poco/sharing.h"
#include "sdk/share_int.h"

sr_status share_open(struct sr_client *c, struct sr_err *err) {
    SR_TRY(sdk_chain(c, err));
    if (c->net.has_sharing) return SR_OK;
    sr_hint(err, "add \"contracts\".\"sharing\" to %s", c->network_file);
    return sr_fail(err, SR_E_NOTFOUND, "this network has no sharing contract");
}

/* One call of the sharing contract (to NULL), or of another. */
sr_status share_send(struct sr_client *c, const struct addr *to, const struct buf *data,
                     const char *step, char ret_tx[SR_HASH_TEXT], struct eth_receipt *ret,
                     struct sr_err *err) {
    cleanup_receipt struct eth_receipt own = {0};
    struct eth_receipt *r = ret ? ret : &own;
    sdk_progress(c, step, NULL, 0, 0, NULL);
    SR_TRY(buf_status(data, err));
    SR_TRY(sdk_send(c, to ? to : &c->net.sharing, (struct u256){0}, buf_slice(data), r, err));
    hash_put(ret_tx, &r->tx);
    return SR_OK;
}

sr_status share_terms_of(const char *price, uint64_t seconds, struct share_terms *ret,
                         struct sr_err *err) {
    if (seconds > SHARE_DURATION_MAX)
        return sr_fail(err, SR_E_USAGE, "a duration of %llu seconds is too long",
                       (unsigned long long)seconds);
    ret->duration = seconds;
    SR_TRY(sdk_price(price, "price", &ret->price, err));
    if (ret->price.w[3] || ret->price.w[2] || ret->price.w[1] >> (SHARE_PRICE_BITS - 64))
        return sr_fail(err, SR_E_USAGE, "the price is too high for the sharing contract");
    return SR_OK;
}

/* What every call here needs; members are used as the call has them. */
struct share_args {
    struct sr_client *c;
    const char *data, *list, *app, *price;
    uint64_t id, seconds, *ret_id;
    bool in;
    char *ret_tx, *ret_list;
    const char *const *apps;
    size_t n_apps;
};

static sr_status begin(struct share_args *a, struct sr_err *err) {
    SR_TRY(share_open(a->c, err));
    return sdk_unlock(a->c, err);
}

#define CALL_MAX 8192

/* ---- collections ---- */

static sr_status create(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&b, CALL_MAX);
    SR_TRY(begin(a, err));
    SR_TRY(share_enc_create_collection(&b, &a->c->me, err));
    SR_TRY(share_send(a->c, NULL, &b, "deploy", a->ret_tx, &r, err));
    for (size_t i = 0; i < r.logs.n; i++) {
        const struct eth_log *l = &r.logs.v[i];
        struct hash topic = poco_topic(POCO_EV_TRANSFER721);
        if (!addr_eq(&l->address, &a->c->net.sharing) || l->n_topics != 4 ||
            !hash_eq(&l->topics[0], &topic))
            continue;
        if (u256_to_u64(u256_from_be(l->topics[3].b), a->ret_id)) return SR_OK;
    }
    return sr_fail(err, SR_E_CHAIN, "transaction %s made no collection", a->ret_tx);
}

sr_status sr_collection_create(struct sr_client *c, uint64_t *ret_id, char ret_tx[SR_HASH_TEXT],
                               struct sr_err *err) {
    struct share_args a = {.c = c, .ret_id = ret_id, .ret_tx = ret_tx};
    return sdk_call(c, create, &a, err);
}

static sr_status close_collection(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    cleanup_buf struct buf b;
    buf_init(&b, CALL_MAX);
    SR_TRY(begin(a, err));
    struct share_collection col;
    SR_TRY(share_view_collection(&a->c->poco, &a->c->net.sharing, u256_of(a->id),
                                 (struct eth_at){0}, &col, err));
    if (!addr_eq(&col.owner, &a->c->me))
        return sr_fail(err, SR_E_REFUSED, "collection %llu is not of %s", (unsigned long long)a->id,
                       addr_text(&a->c->me).s);
    SR_TRY(share_enc_burn(&b, u256_of(a->id), err));
    return share_send(a->c, NULL, &b, "close", a->ret_tx, NULL, err);
}

sr_status sr_collection_close(struct sr_client *c, uint64_t id, char ret_tx[SR_HASH_TEXT],
                              struct sr_err *err) {
    struct share_args a = {.c = c, .id = id, .ret_tx = ret_tx};
    return sdk_call(c, close_collection, &a, err);
}

static sr_status offer(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    struct share_terms t;
    cleanup_buf struct buf b;
    buf_init(&b, CALL_MAX);
    SR_TRY(share_terms_of(a->price, a->seconds, &t, err));
    SR_TRY(begin(a, err));
    SR_TRY(share_enc_set_subscription(&b, u256_of(a->id), t, err));
    return share_send(a->c, NULL, &b, "offer", a->ret_tx, NULL, err);
}

sr_status sr_collection_offer(struct sr_client *c, uint64_t id, const char *price_nrlc,
                              uint64_t seconds, char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct share_args a = {
        .c = c, .id = id, .price = price_nrlc, .seconds = seconds, .ret_tx = ret_tx};
    return sdk_call(c, offer, &a, err);
}

/* ---- whitelists and their apps ---- */

static sr_status add_app(struct sr_client *c, const struct addr *list, const char *app,
                         char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    cleanup_buf struct buf b;
    struct addr a;
    bool has;
    buf_init(&b, CALL_MAX);
    SR_TRY(sdk_app_addr(c, app, &a, err));
    SR_TRY(share_view_has_app(&c->poco, list, &a, &has, err));
    if (has)
        return sr_fail(err, SR_E_CONFLICT,
                       "This whitelist contract already have registered this app: %s.",
                       addr_text(&a).s);
    SR_TRY(share_enc_add_app(&b, &a, err));
    return share_send(c, list, &b, "allow", ret_tx, NULL, err);
}

static sr_status new_list(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    struct sr_client *c = a->c;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    struct addr registry, list;
    bool found = false;
    buf_init(&b, CALL_MAX);
    if (a->n_apps > SR_SHARE_MAX_APPS)
        return sr_fail(err, SR_E_USAGE, "more than %d apps at once", SR_SHARE_MAX_APPS);
    SR_TRY(begin(a, err));
    for (size_t i = 0; i < a->n_apps; i++) SR_TRY(sdk_app_addr(c, a->apps[i], &list, err));
    SR_TRY(share_view_registry(&c->poco, &c->net.sharing, &registry, err));
    SR_TRY(share_enc_create_whitelist(&b, &c->me, err));
    SR_TRY(share_send(c, &registry, &b, "deploy", a->ret_tx, &r, err));
    for (size_t i = 0; i < r.logs.n && !found; i++) {
        const struct eth_log *l = &r.logs.v[i];
        struct hash topic = poco_topic(POCO_EV_TRANSFER721);
        found =
            addr_eq(&l->address, &registry) && l->n_topics == 4 && hash_eq(&l->topics[0], &topic);
        if (found) memcpy(list.b, l->topics[3].b + 12, 20); /* a token is its list's address */
    }
    if (!found) return sr_fail(err, SR_E_CHAIN, "transaction %s made no whitelist", a->ret_tx);
    addr_put(a->ret_list, &list);
    char tx[SR_HASH_TEXT];
    for (size_t i = 0; i < a->n_apps; i++) {
        sr_status st = add_app(c, &list, a->apps[i], tx, err);
        if (st == SR_OK) continue;
        sr_hint(err, "whitelist %s was made: strongroom share allow goes on", a->ret_list);
        return st;
    }
    return SR_OK;
}

sr_status sr_whitelist_new(struct sr_client *c, const char *const *apps, size_t n,
                           char ret_list[SR_ADDR_TEXT], char ret_tx[SR_HASH_TEXT],
                           struct sr_err *err) {
    struct share_args a = {
        .c = c, .apps = apps, .n_apps = n, .ret_list = ret_list, .ret_tx = ret_tx};
    return sdk_call(c, new_list, &a, err);
}

static sr_status allow(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    struct addr list;
    SR_TRY(sdk_addr_arg(a->list, "whitelist", &list, err));
    SR_TRY(begin(a, err));
    return add_app(a->c, &list, a->app, a->ret_tx, err);
}

sr_status sr_whitelist_add(struct sr_client *c, const char *list, const char *app,
                           char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct share_args a = {.c = c, .list = list, .app = app, .ret_tx = ret_tx};
    return sdk_call(c, allow, &a, err);
}

static sr_status hand_over_app(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    struct sr_client *c = a->c;
    cleanup_buf struct buf b;
    struct addr app, owner;
    bool registered;
    buf_init(&b, CALL_MAX);
    SR_TRY(sdk_app_addr(c, a->app, &app, err));
    SR_TRY(begin(a, err));
    SR_TRY(poco_owner(&c->poco, POCO_APP, &app, (struct eth_at){0}, &registered, &owner, err));
    if (!registered) return sr_fail(err, SR_E_NOTFOUND, "there is no app at %s", addr_text(&app).s);
    if (addr_eq(&owner, &c->net.sharing))
        return sr_fail(err, SR_E_CONFLICT, "the sharing contract has this app already");
    if (!addr_eq(&owner, &c->me)) {
        sr_hint(err, "act as the owner with --as");
        return sr_fail(err, SR_E_REFUSED, "the app belongs to %s", addr_text(&owner).s);
    }
    SR_TRY(erc721_enc_transfer(&b, &c->me, &c->net.sharing, &app, err));
    return share_send(c, &c->poco.app_registry, &b, "transfer", a->ret_tx, NULL, err);
}

sr_status sr_share_app(struct sr_client *c, const char *app, char ret_tx[SR_HASH_TEXT],
                       struct sr_err *err) {
    struct share_args a = {.c = c, .app = app, .ret_tx = ret_tx};
    return sdk_call(c, hand_over_app, &a, err);
}

/* ---- data in collections ---- */

/* Who may be asked to add it: the data's owner, whose key is where rooms get it. */
static sr_status check_addable(struct sr_client *c, const struct addr *data, struct sr_err *err) {
    struct sms_name n = {.kind = SECRET_WEB3, .target = *data, .name = ""};
    struct addr owner;
    bool registered, has;
    SR_TRY(poco_owner(&c->poco, POCO_DATASET, data, (struct eth_at){0}, &registered, &owner, err));
    if (!registered)
        return sr_fail(err, SR_E_NOTFOUND, "there is no protected data at %s", addr_text(data).s);
    if (addr_eq(&owner, &c->net.sharing))
        return sr_fail(err, SR_E_CONFLICT, "The protected data is already in a collection: %s",
                       addr_text(data).s);
    if (!addr_eq(&owner, &c->me)) {
        sr_hint(err, "act as the owner with --as");
        return sr_fail(err, SR_E_REFUSED, "%s belongs to %s, not to %s", addr_text(data).s,
                       addr_text(&owner).s, addr_text(&c->me).s);
    }
    SR_TRY(sms_has(c, &n, &has, err));
    if (has) return SR_OK;
    sr_hint(err, "its key was never handed over: protect the data again");
    return sr_fail(err, SR_E_REFUSED, "the key of data %s is not in the secret service",
                   addr_text(data).s);
}

static sr_status add_data(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    struct sr_client *c = a->c;
    cleanup_buf struct buf b;
    struct addr data, list;
    bool approved;
    buf_init(&b, CALL_MAX);
    SR_TRY(sdk_addr_arg(a->data, "data", &data, err));
    SR_TRY(sdk_addr_arg(a->list, "whitelist", &list, err));
    SR_TRY(begin(a, err));
    SR_TRY(check_addable(c, &data, err));
    SR_TRY(erc721_is_approved(&c->poco, &c->poco.dataset_registry, &c->me, &data, &c->net.sharing,
                              &approved, err));
    if (!approved) {
        SR_TRY(erc721_enc_approve(&b, &c->net.sharing, &data, err));
        SR_TRY(share_send(c, &c->poco.dataset_registry, &b, "approve", a->ret_tx, NULL, err));
        buf_clear(&b);
    }
    SR_TRY(share_enc_add(&b, u256_of(a->id), &data, &list, err));
    return share_send(c, NULL, &b, "add", a->ret_tx, NULL, err);
}

sr_status sr_share_add(struct sr_client *c, uint64_t id, const char *data, const char *list,
                       char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct share_args a = {.c = c, .id = id, .data = data, .list = list, .ret_tx = ret_tx};
    return sdk_call(c, add_data, &a, err);
}

/* The calls whose only argument is the data. */
static sr_status on_data(struct share_args *a, share_data_call call, struct sr_err *err) {
    struct addr data;
    cleanup_buf struct buf b;
    buf_init(&b, CALL_MAX);
    SR_TRY(sdk_addr_arg(a->data, "data", &data, err));
    SR_TRY(begin(a, err));
    SR_TRY(share_enc_data(&b, call, &data, err));
    return share_send(a->c, NULL, &b, "change", a->ret_tx, NULL, err);
}

static sr_status take_out(void *arg, struct sr_err *err) {
    return on_data(arg, SHARE_REMOVE, err);
}

sr_status sr_share_remove(struct sr_client *c, const char *data, char ret_tx[SR_HASH_TEXT],
                          struct sr_err *err) {
    struct share_args a = {.c = c, .data = data, .ret_tx = ret_tx};
    return sdk_call(c, take_out, &a, err);
}

static sr_status bundle(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    return on_data(a, a->in ? SHARE_BUNDLE : SHARE_UNBUNDLE, err);
}

sr_status sr_share_bundle(struct sr_client *c, const char *data, bool in, char ret_tx[SR_HASH_TEXT],
                          struct sr_err *err) {
    struct share_args a = {.c = c, .data = data, .in = in, .ret_tx = ret_tx};
    return sdk_call(c, bundle, &a, err);
}

static sr_status for_rent(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    struct share_terms t;
    struct addr data;
    cleanup_buf struct buf b;
    buf_init(&b, CALL_MAX);
    if (a->seconds == 0) return on_data(a, SHARE_STOP_RENT, err);
    SR_TRY(share_terms_of(a->price, a->seconds, &t, err));
    SR_TRY(sdk_addr_arg(a->data, "data", &data, err));
    SR_TRY(begin(a, err));
    SR_TRY(share_enc_set_renting(&b, &data, t, err));
    return share_send(a->c, NULL, &b, "offer", a->ret_tx, NULL, err);
}

sr_status sr_share_for_rent(struct sr_client *c, const char *data, const char *price_nrlc,
                            uint64_t seconds, char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct share_args a = {
        .c = c, .data = data, .price = price_nrlc, .seconds = seconds, .ret_tx = ret_tx};
    return sdk_call(c, for_rent, &a, err);
}

static sr_status for_sale(void *arg, struct sr_err *err) {
    struct share_args *a = arg;
    struct share_terms t;
    struct addr data;
    cleanup_buf struct buf b;
    buf_init(&b, CALL_MAX);
    if (!a->price) return on_data(a, SHARE_STOP_SALE, err);
    SR_TRY(share_terms_of(a->price, 0, &t, err));
    SR_TRY(sdk_addr_arg(a->data, "data", &data, err));
    SR_TRY(begin(a, err));
    SR_TRY(share_enc_set_sale(&b, &data, t.price, err));
    return share_send(a->c, NULL, &b, "offer", a->ret_tx, NULL, err);
}

sr_status sr_share_for_sale(struct sr_client *c, const char *data, const char *price_nrlc,
                            char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct share_args a = {.c = c, .data = data, .price = price_nrlc, .ret_tx = ret_tx};
    return sdk_call(c, for_sale, &a, err);
}
