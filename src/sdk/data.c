/* SPDX-License-Identifier: Apache-2.0 */
/* Protected data that exists: show and list, grant and revoke. */
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define LIST_MAX 1000 /* data sets of one owner shown */

void sr_data_done(struct sr_data *d) {
    if (!d) return;
    free(d->schema);
    d->schema = NULL;
}

void sr_data_list_free(struct sr_data *list, size_t n) {
    for (size_t i = 0; i < n; i++) sr_data_done(&list[i]);
    free(list);
}

/* Schema, creation time and transaction, from the event of its creation. */
static sr_status read_event(struct sr_client *c, const struct addr *a, struct sr_data *d,
                            struct sr_err *err) {
    if (!c->net.has_data_protector) return SR_OK;
    struct hash topic = poco_topic(POCO_EV_DATASET_SCHEMA), padded = {{0}};
    memcpy(padded.b + 12, a->b, 20);
    struct eth_filter f = {.addrs = &c->net.data_protector,
                           .n_addrs = 1,
                           .topics0 = &topic,
                           .n_topics0 = 1,
                           .topics1 = &padded,
                           .n_topics1 = 1};
    cleanup_logs struct eth_logs logs = {0};
    uint64_t head;
    SR_TRY(eth_block_number(c->rpc, &head, err));
    SR_TRY(eth_get_logs(c->rpc, &f, 0, head, &logs, err));
    if (logs.n == 0) return SR_OK;
    const struct eth_log *l = &logs.v[0];
    struct poco_log p;
    SR_TRY(poco_log_read(l->topics, l->n_topics, l->data, &p, err));
    cleanup_json struct json *doc = NULL; /* whoever makes a data set chooses this text */
    if (json_parse(p.arg[1].bytes, &doc, NULL) == SR_OK) {
        d->schema = slice_dup(json_raw(json_root(doc)));
        if (!d->schema) return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    hash_put(d->tx, &l->tx);
    struct eth_block block;
    SR_TRY(eth_get_block(c->rpc, eth_at_block(l->block), &block, err));
    d->created_unix_s = block.time;
    return SR_OK;
}

static sr_status read_data(struct sr_client *c, const struct addr *a, struct sr_data *d,
                           struct sr_err *err) {
    struct poco_dataset ds = {0};
    cleanup_buf struct buf where;
    struct cid cid;
    struct slice path;
    buf_init(&where, MULTIADDR_MAX * 2);
    sr_status st = poco_view_dataset(&c->poco, a, (struct eth_at){0}, &ds, err);
    if (st == SR_E_NOTFOUND) sr_hint(err, "strongroom data list shows your protected data");
    SR_TRY(st);
    addr_put(d->address, a);
    addr_put(d->owner, &ds.owner);
    TEXT_PUT(d->name, ds.name);
    hash_put(d->checksum, &ds.checksum);
    st = multiaddr_text(ds.multiaddr, &where, err);
    poco_dataset_done(&ds);
    SR_TRY(st);
    TEXT_PUT(d->multiaddr, buf_slice(&where));
    if (ipfs_path_parse(buf_slice(&where), &cid, &path, NULL) == SR_OK)
        TEXT_PUT(d->cid, slice_str(cid_text(&cid).s));
    return read_event(c, a, d, err);
}

struct show_args {
    struct sr_client *c;
    const char *data;
    struct sr_data *d;
};

static sr_status show(void *arg, struct sr_err *err) {
    struct show_args *s = arg;
    struct sms_name n = {.kind = SECRET_WEB3, .name = ""};
    SR_TRY(sdk_addr_arg(s->data, "data", &n.target, err));
    SR_TRY(sdk_chain(s->c, err));
    SR_TRY(read_data(s->c, &n.target, s->d, err));
    return sms_has(s->c, &n, &s->d->has_secret, err);
}

sr_status sr_data_show(struct sr_client *c, const char *data, struct sr_data *ret_d,
                       struct sr_err *err) {
    struct sr_data d = {0};
    struct show_args s = {c, data, &d};
    sr_status st = sdk_call(c, show, &s, err);
    if (st == SR_OK)
        *ret_d = d;
    else
        sr_data_done(&d);
    return st;
}

struct list_args {
    struct sr_client *c;
    const char *owner;
    struct sr_data *list;
    size_t n;
};

static sr_status list(void *arg, struct sr_err *err) {
    struct list_args *l = arg;
    struct sr_client *c = l->c;
    struct addr owner;
    cleanup_buf struct buf url;
    buf_init(&url, SDK_URL_MAX * 2);
    cleanup_json struct json *doc = NULL;
    SR_TRY(sdk_chain(c, err));
    SR_TRY(l->owner ? sdk_who(c, l->owner, &owner, err) : sdk_me(c, &owner, err));
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    buf_printf(&url, "%s/v1/datasets?owner=%s&page=0&size=%d", c->net.market, addr_text(&owner).s,
               LIST_MAX);
    SR_TRY(buf_status(&url, err));
    SR_TRY(market_get(c, buf_cstr(&url), &doc, err));
    const struct json_val *sets = json_get(json_root(doc), "datasets");
    l->list = sr_calloc_n(json_len(sets) + 1, sizeof *l->list);
    if (!l->list) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (const struct json_val *v = json_first(sets); v; v = json_next(v)) {
        struct sms_name n = {.kind = SECRET_WEB3, .name = ""};
        if (!json_addr(json_get(v, "address"), &n.target)) continue;
        struct sr_data *d = &l->list[l->n++];
        SR_TRY(read_data(c, &n.target, d, err));
        SR_TRY(sms_has(c, &n, &d->has_secret, err));
    }
    return SR_OK;
}

sr_status sr_data_list(struct sr_client *c, const char *owner, struct sr_data **ret_list,
                       size_t *ret_n, struct sr_err *err) {
    struct list_args l = {.c = c, .owner = owner};
    sr_status st = sdk_call(c, list, &l, err);
    if (st != SR_OK) {
        sr_data_list_free(l.list, l.n);
        return st;
    }
    *ret_list = l.list;
    *ret_n = l.n;
    return SR_OK;
}

/* ---- grants -----------------------------------------------------------------------------------
 */

static bool is_any(const char *text) {
    return text && strcmp(text, "any") == 0;
}

/* The acting wallet must own the data: said before anything is signed. */
static sr_status own_data(struct sr_client *c, const struct addr *data, struct sr_err *err) {
    bool registered;
    struct addr owner;
    SR_TRY(poco_owner(&c->poco, POCO_DATASET, data, (struct eth_at){0}, &registered, &owner, err));
    if (!registered) {
        sr_hint(err, "strongroom data list shows your protected data");
        return sr_fail(err, SR_E_NOTFOUND, "there is no protected data at %s", addr_text(data).s);
    }
    if (addr_eq(&owner, &c->me)) return SR_OK;
    sr_hint(err, "act as the owner with --as");
    return sr_fail(err, SR_E_REFUSED, "%s belongs to %s, not to %s", addr_text(data).s,
                   addr_text(&owner).s, addr_text(&c->me).s);
}

/* A registered app, or a whitelist: a contract with keyHasPurpose in its code. */
static sr_status check_app(struct sr_client *c, const struct addr *app, struct sr_err *err) {
    static const uint8_t selector[4] = {0xd2, 0x02, 0x15, 0x8d};
    bool registered;
    struct addr owner;
    SR_TRY(poco_owner(&c->poco, POCO_APP, app, (struct eth_at){0}, &registered, &owner, err));
    if (registered) return SR_OK;
    cleanup_buf struct buf code;
    buf_init(&code, 1u << 20);
    SR_TRY(eth_code(c->rpc, app, (struct eth_at){0}, &code, err));
    if (code.n >= 4 && memmem(code.p, code.n, selector, 4)) return SR_OK;
    sr_hint(err, "strongroom app deploy prints an app's address");
    return sr_fail(err, SR_E_REFUSED,
                   "Invalid authorized app address %s. No app or whitelist smart contract deployed "
                   "at address.",
                   addr_text(app).s);
}

void grant_fill(struct sr_grant_info *g, const struct book_entry *e) {
    *g = (struct sr_grant_info){0};
    hash_put(g->order_hash, &e->hash);
    addr_put(g->data, &e->order.dataset.dataset);
    addr_put(g->app, &e->order.dataset.apprestrict);
    addr_put(g->user, &e->order.dataset.requesterrestrict);
    u256_put(g->price_nrlc, e->order.dataset.datasetprice);
    if (!u256_to_u64(e->order.dataset.volume, &g->count)) g->count = UINT64_MAX;
    g->remaining = e->remaining;
}

struct match {
    struct addr data, app, user;
    bool by_app, by_user; /* false: all */
};

/* The name of an app that has a whitelist stands for that: then its next version may use the data,
 * too. */
static sr_status grantee(struct sr_client *c, const char *app, struct addr *ret,
                         struct sr_err *err) {
    const struct json_val *lists = json_get(json_root(c->net.doc), "whitelists");
    return json_addr(json_get(lists, app), ret) ? SR_OK : sdk_app_addr(c, app, ret, err);
}

static sr_status read_match(struct sr_client *c, const char *data, const char *app,
                            const char *user, struct match *m, struct sr_err *err) {
    *m = (struct match){.by_app = app != NULL, .by_user = user != NULL};
    if (data) SR_TRY(sdk_addr_arg(data, "data", &m->data, err));
    SR_TRY(sdk_chain(c, err));
    if (app && !is_any(app)) SR_TRY(grantee(c, app, &m->app, err));
    if (user && !is_any(user)) SR_TRY(sdk_who(c, user, &m->user, err));
    return SR_OK;
}

/* Open orders of the data with exactly this app and user; what the chain has closed meanwhile is
 * left out. */
static sr_status open_grants(struct sr_client *c, const struct match *m, struct book *ret,
                             struct sr_err *err) {
    struct addr_text data = addr_text(&m->data);
    struct book_filter f = {
        .resource = data.s, .app = "any", .workerpool = "any", .requester = "any"};
    SR_TRY(market_orders(c, POCO_DATASET, &f, ret, err));
    size_t kept = 0;
    for (size_t i = 0; i < ret->n; i++) {
        struct book_entry *e = &ret->v[i];
        struct u256 consumed;
        if (m->by_app && !addr_eq(&e->order.dataset.apprestrict, &m->app)) continue;
        if (m->by_user && !addr_eq(&e->order.dataset.requesterrestrict, &m->user)) continue;
        sr_status st = poco_view_consumed(&c->poco, &e->hash, (struct eth_at){0}, &consumed, err);
        if (st != SR_OK) {
            book_done(ret);
            return st;
        }
        if (u256_cmp(consumed, e->order.dataset.volume) >= 0) continue;
        if (kept != i) ret->v[kept] = *e;
        kept++;
    }
    ret->n = kept;
    return SR_OK;
}

struct grant_args {
    struct sr_client *c;
    const struct sr_grant *g;
    struct sr_grant_info *ret;
};

static sr_status grant(void *arg, struct sr_err *err) {
    struct grant_args *a = arg;
    struct sr_client *c = a->c;
    const struct sr_grant *g = a->g;
    struct match m;
    struct u256 price;
    SR_TRY(sdk_price(g->price_nrlc, "price", &price, err));
    uint64_t count = g->bulk ? SR_UNLIMITED : g->count ? g->count : 1;
    if (g->bulk && (!u256_is_zero(price) || (g->count && g->count != SR_UNLIMITED))) {
        sr_hint(err, "leave out the price and the count");
        return sr_fail(err, SR_E_USAGE, "a grant for bulk is free, and without a limit");
    }
    if (count > SR_UNLIMITED) return sr_fail(err, SR_E_USAGE, "the count is too large");
    if (!g->app || !g->user) return sr_fail(err, SR_E_USAGE, "a grant names an app and a user");
    SR_TRY(read_match(c, g->data, g->app, g->user, &m, err));
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(own_data(c, &m.data, err));
    if (!is_any(g->app)) SR_TRY(check_app(c, &m.app, err));
    struct sms_name n = {.kind = SECRET_WEB3, .target = m.data, .name = ""};
    bool has;
    SR_TRY(sms_has(c, &n, &has, err));
    if (!has) {
        sr_hint(err, "its key was never handed over: protect the data again");
        return sr_fail(err, SR_E_REFUSED,
                       "Dataset encryption key is not set for dataset %s in the SMS. Dataset "
                       "decryption will fail.",
                       addr_text(&m.data).s);
    }
    cleanup_book struct book open = {0};
    SR_TRY(open_grants(c, &m, &open, err));
    if (open.n > 0) {
        sr_hint(err, "strongroom data revoke closes the old grant first");
        return sr_fail(err, SR_E_CONFLICT,
                       "An access has been already granted to the user: %s with the app: %s",
                       addr_text(&m.user).s, addr_text(&m.app).s);
    }
    struct book_entry e = {.remaining = count};
    e.order.kind = POCO_DATASET;
    e.order.dataset = (struct poco_datasetorder){.dataset = m.data,
                                                 .datasetprice = price,
                                                 .volume = u256_of(count),
                                                 .tag = tag_of(SDK_TAG_TEE_TDX),
                                                 .apprestrict = m.app,
                                                 .requesterrestrict = m.user};
    sdk_progress(c, "grant", NULL, 0, 0, g->data);
    SR_TRY(market_publish(c, &e.order, &e.hash, err));
    grant_fill(a->ret, &e);
    return SR_OK;
}

sr_status sr_data_grant(struct sr_client *c, const struct sr_grant *g, struct sr_grant_info *ret_g,
                        struct sr_err *err) {
    struct grant_args a = {c, g, ret_g};
    return sdk_call(c, grant, &a, err);
}

struct grants_args {
    struct sr_client *c;
    const char *data, *app, *user;
    bool revoke;
    struct sr_grant_info *list;
    size_t n;
};

static sr_status close_order(struct sr_client *c, const struct book_entry *e,
                             struct sr_grant_info *g, struct sr_err *err) {
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&data, 65536);
    SR_TRY(poco_enc_manage(&data, &e->order, POCO_OP_CLOSE, (struct slice){NULL, 0}, err));
    SR_TRY(sdk_send(c, &c->poco.hub, (struct u256){0}, buf_slice(&data), &r, err));
    hash_put(g->tx, &r.tx);
    g->remaining = 0;
    return SR_OK;
}

/* Grants of one data set that match, added to the list, and closed when that is wanted. */
static sr_status grants_of(struct grants_args *a, const struct match *m, struct sr_err *err) {
    struct sr_client *c = a->c;
    cleanup_book struct book open = {0};
    SR_TRY(open_grants(c, m, &open, err));
    struct sr_grant_info *more = reallocarray(a->list, a->n + open.n + 1, sizeof *more);
    if (!more) return sr_fail(err, SR_E_NOMEM, "out of memory");
    a->list = more;
    for (size_t i = 0; i < open.n; i++) {
        grant_fill(&a->list[a->n], &open.v[i]);
        if (a->revoke) {
            sdk_progress(c, "revoke", NULL, 0, 0, a->list[a->n].order_hash);
            SR_TRY(close_order(c, &open.v[i], &a->list[a->n], err));
        }
        a->n++;
    }
    return SR_OK;
}

/* The same for all that the acting wallet owns, by the market's index. */
static sr_status grants_of_all(struct grants_args *a, struct match *m, struct sr_err *err) {
    struct sr_client *c = a->c;
    struct addr me;
    cleanup_buf struct buf url;
    cleanup_json struct json *doc = NULL;
    buf_init(&url, SDK_URL_MAX * 2);
    SR_TRY(sdk_me(c, &me, err));
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    buf_printf(&url, "%s/v1/datasets?owner=%s&page=0&size=%d", c->net.market, addr_text(&me).s,
               LIST_MAX);
    SR_TRY(buf_status(&url, err));
    SR_TRY(market_get(c, buf_cstr(&url), &doc, err));
    const struct json_val *sets = json_get(json_root(doc), "datasets");
    for (const struct json_val *v = json_first(sets); v; v = json_next(v))
        if (json_addr(json_get(v, "address"), &m->data)) SR_TRY(grants_of(a, m, err));
    return SR_OK;
}

static sr_status grants(void *arg, struct sr_err *err) {
    struct grants_args *a = arg;
    struct sr_client *c = a->c;
    struct match m;
    SR_TRY(read_match(c, a->data, a->app, a->user, &m, err));
    if (a->revoke) SR_TRY(sdk_unlock(c, err));
    if (a->revoke && a->data) SR_TRY(own_data(c, &m.data, err));
    SR_TRY(a->data ? grants_of(a, &m, err) : grants_of_all(a, &m, err));
    if (a->revoke && a->n == 0) {
        sr_hint(err, "strongroom data grants lists the open grants");
        return sr_fail(err, SR_E_NOTFOUND, "no open grant%s%s matches", a->data ? " of " : "",
                       a->data ? a->data : "");
    }
    return SR_OK;
}

static sr_status run_grants(struct grants_args *a, struct sr_grant_info **ret_list, size_t *ret_n,
                            struct sr_err *err) {
    sr_status st = sdk_call(a->c, grants, a, err);
    if (st != SR_OK) {
        free(a->list);
        return st;
    }
    *ret_list = a->list;
    *ret_n = a->n;
    return SR_OK;
}

sr_status sr_data_grants(struct sr_client *c, const char *data, const char *app, const char *user,
                         struct sr_grant_info **ret_list, size_t *ret_n, struct sr_err *err) {
    struct grants_args a = {.c = c, .data = data, .app = app, .user = user};
    return run_grants(&a, ret_list, ret_n, err);
}

sr_status sr_data_revoke(struct sr_client *c, const char *data, const char *app, const char *user,
                         struct sr_grant_info **ret_list, size_t *ret_n, struct sr_err *err) {
    struct grants_args a = {.c = c, .data = data, .app = app, .user = user, .revoke = true};
    return run_grants(&a, ret_list, ret_n, err);
}
