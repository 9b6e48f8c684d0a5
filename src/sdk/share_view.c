/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that is shared: what is offered, who paid whom and how much. The market's index tells it as
 * of a block (share_index.c), the contract's events what has happened since, in their order. (The
 * contract lets nobody pay another price than that of the last offer, so the offers tell what was
 * paid.) Where there is no index that can be used, the events from the first block on tell all.
 */
#include "sdk/share_int.h"
#include <stdlib.h>

/* Room for one more; false: out of memory, or too many. */
static bool more(void **v, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return true;
    if (n >= SHARING_MAX) return false;
    size_t want = *cap ? 2 * *cap : 32;
    void *p = reallocarray(*v, want, size);
    if (!p) return false;
    memset((char *)p + *cap * size, 0, (want - *cap) * size);
    *v = p;
    *cap = want;
    return true;
}
#define MORE(v, n, cap) more((void **)&(v), (n), &(cap), sizeof *(v))

static sr_status full(struct sr_err *err) {
    return sr_fail(err, SR_E_NOMEM, "no memory for what is shared");
}

struct share_row *share_add_data(struct share_replay *r, const struct addr *a,
                                 struct sr_shared_data **ret) {
    size_t cap = r->cap_data;
    if (!MORE(r->data, r->s.n_data, cap) || !MORE(r->s.data, r->s.n_data, r->cap_data)) return NULL;
    size_t i = r->s.n_data++;
    r->data[i].address = *a;
    addr_put(r->s.data[i].data, a);
    *ret = &r->s.data[i];
    return &r->data[i];
}

static struct share_row *data_row(struct share_replay *r, const struct addr *a,
                                  struct sr_shared_data **ret) {
    for (size_t i = 0; i < r->s.n_data; i++)
        if (addr_eq(&r->data[i].address, a)) {
            *ret = &r->s.data[i];
            return &r->data[i];
        }
    return share_add_data(r, a, ret);
}

struct share_col *share_add_collection(struct share_replay *r, struct u256 id) {
    if (!MORE(r->col, r->n_col, r->cap_col)) return NULL;
    r->col[r->n_col].id = id;
    return &r->col[r->n_col++];
}

static struct share_col *col_row(struct share_replay *r, struct u256 id) {
    for (size_t i = 0; i < r->n_col; i++)
        if (u256_cmp(r->col[i].id, id) == 0) return &r->col[i];
    return share_add_collection(r, id);
}

struct sr_paid *share_add_paid(struct share_replay *r) {
    return MORE(r->s.paid, r->s.n_paid, r->cap_paid) ? &r->s.paid[r->s.n_paid++] : NULL;
}

static uint64_t small(struct u256 v) {
    uint64_t n;
    return u256_to_u64(v, &n) ? n : UINT64_MAX;
}

static bool pay(struct share_replay *r, sr_paid_kind kind, const struct share_log *l,
                struct u256 price, const struct eth_log *at) {
    struct share_col *col = col_row(r, l->collection);
    struct sr_paid *p = col ? share_add_paid(r) : NULL;
    if (!p) return false;
    p->kind = kind;
    if (kind != SR_PAID_SUBSCRIPTION) addr_put(p->data, &l->data);
    p->collection = small(l->collection);
    addr_put(p->from, &l->who);
    addr_put(p->to, &col->owner);
    u256_put(p->price_nrlc, price);
    p->end_unix_s = l->end;
    hash_put(p->tx, &at->tx);
    return true;
}

bool share_add_listed(struct share_replay *r, const struct addr *list, const struct addr *owner,
                      const struct addr *app) {
    if (!MORE(r->s.apps, r->s.n_apps, r->cap_apps)) return false;
    struct sr_listed_app *a = &r->s.apps[r->s.n_apps++];
    addr_put(a->list, list);
    if (owner) addr_put(a->owner, owner);
    if (app) addr_put(a->app, app);
    return true;
}

/* Terms are forgotten when data leaves its collection. */
static void forget(struct share_row *d, struct sr_shared_data *out) {
    *d = (struct share_row){.address = d->address, .named = d->named};
    out->in_subscription = out->for_rent = out->for_sale = false;
    out->list[0] = 0;
}

static bool of_data(struct share_replay *r, const struct share_log *l, const struct eth_log *at) {
    struct sr_shared_data *out;
    struct share_row *d = data_row(r, &l->data, &out);
    if (!d) return false;
    switch (l->event) {
    case POCO_EV_SHARE_MOVED:
        forget(d, out);
        d->collection = l->collection;
        if (!addr_is_zero(&l->whitelist)) addr_put(out->list, &l->whitelist);
        return true;
    case POCO_EV_SHARE_BUNDLED: out->in_subscription = true; return true;
    case POCO_EV_SHARE_UNBUNDLED: out->in_subscription = false; return true;
    case POCO_EV_SHARE_RENTABLE:
        d->rent = l->terms;
        out->for_rent = true;
        return true;
    case POCO_EV_SHARE_UNRENTABLE: out->for_rent = false; return true;
    case POCO_EV_SHARE_FOR_SALE:
        d->sale = l->terms.price;
        out->for_sale = true;
        return true;
    case POCO_EV_SHARE_NOT_FOR_SALE: out->for_sale = false; return true;
    case POCO_EV_SHARE_RENTAL: return pay(r, SR_PAID_RENT, l, d->rent.price, at);
    case POCO_EV_SHARE_SOLD: {
        struct u256 price = d->sale;
        forget(d, out);
        return pay(r, SR_PAID_SALE, l, price, at);
    }
    case POCO_EV_SHARE_CONSUMED: out->uses++; return true;
    default: return true;
    }
}

static sr_status of_sharing(struct share_replay *r, const struct eth_log *at, struct sr_err *err) {
    struct share_log l;
    struct poco_log t;
    if (poco_log_read(at->topics, at->n_topics, at->data, &t, NULL) == SR_OK &&
        t.event == POCO_EV_TRANSFER721) {
        struct share_col *col = col_row(r, t.arg[2].num);
        if (!col) return full(err);
        col->owner = t.arg[1].addr;
        return SR_OK;
    }
    if (share_log_read(at->topics, at->n_topics, at->data, &l, NULL) != SR_OK) return SR_OK;
    if (l.event == POCO_EV_SHARE_PARAMS || l.event == POCO_EV_SHARE_SUBSCRIPTION) {
        struct share_col *col = col_row(r, l.collection);
        if (!col) return full(err);
        if (l.event == POCO_EV_SHARE_PARAMS) {
            col->terms = l.terms;
            return SR_OK;
        }
        return pay(r, SR_PAID_SUBSCRIPTION, &l, col->terms.price, at) ? SR_OK : full(err);
    }
    return of_data(r, &l, at) ? SR_OK : full(err);
}

/* A list is a token of the registry, which says whose it is; the list itself says which apps. */
static sr_status of_lists(struct share_replay *r, const struct eth_log *at, struct sr_err *err) {
    struct share_log l;
    struct poco_log t;
    if (addr_eq(&at->address, &r->lists)) {
        if (poco_log_read(at->topics, at->n_topics, at->data, &t, NULL) != SR_OK ||
            t.event != POCO_EV_TRANSFER721)
            return SR_OK;
        struct addr list;
        memcpy(list.b, at->topics[3].b + 12, 20);
        struct addr_text text = addr_text(&list);
        bool known = false;
        for (size_t i = 0; i < r->s.n_apps; i++)
            if (strcmp(r->s.apps[i].list, text.s) == 0) {
                addr_put(r->s.apps[i].owner, &t.arg[1].addr);
                known = true;
            }
        return known || share_add_listed(r, &list, &t.arg[1].addr, NULL) ? SR_OK : full(err);
    }
    if (share_log_read(at->topics, at->n_topics, at->data, &l, NULL) != SR_OK ||
        l.event != POCO_EV_WHITELIST_APP)
        return SR_OK;
    struct addr_text text = addr_text(&at->address);
    for (size_t i = 0; i < r->s.n_apps; i++) {
        struct sr_listed_app *a = &r->s.apps[i];
        if (strcmp(a->list, text.s) != 0) continue;
        struct addr owner;
        if (a->app[0] == 0) {
            addr_put(a->app, &l.who);
            return SR_OK;
        }
        SR_ASSERT(addr_parse(slice_str(a->owner), &owner));
        return share_add_listed(r, &at->address, &owner, &l.who) ? SR_OK : full(err);
    }
    return SR_OK; /* not one of the registry's */
}

typedef sr_status (*each_fn)(struct share_replay *r, const struct eth_log *l, struct sr_err *err);

static sr_status each(struct share_replay *r, const struct eth_filter *f, uint64_t head, each_fn fn,
                      struct sr_err *err) {
    cleanup_logs struct eth_logs logs = {0};
    if (r->from > head) return SR_OK;
    SR_TRY(eth_get_logs(r->c->rpc, f, r->from, head, &logs, err));
    for (size_t i = 0; i < logs.n; i++) SR_TRY(fn(r, &logs.v[i], err));
    return SR_OK;
}

static sr_status name_of(struct share_replay *r, size_t i, struct sr_err *err) {
    struct poco_dataset ds = {0};
    sr_status st =
        poco_view_dataset(&r->c->poco, &r->data[i].address, (struct eth_at){0}, &ds, err);
    if (st == SR_E_NOTFOUND) return SR_OK;
    SR_TRY(st);
    TEXT_PUT(r->s.data[i].name, ds.name);
    poco_dataset_done(&ds);
    return SR_OK;
}

static sr_status finish(struct share_replay *r, struct sr_err *err) {
    for (size_t i = 0; i < r->s.n_data; i++) {
        struct sr_shared_data *d = &r->s.data[i];
        d->collection = small(r->data[i].collection);
        struct share_col *col = d->collection ? col_row(r, r->data[i].collection) : NULL;
        if (col) addr_put(d->owner, &col->owner);
        u256_put(d->rent_price_nrlc, d->for_rent ? r->data[i].rent.price : (struct u256){0});
        d->rent_seconds = d->for_rent ? r->data[i].rent.duration : 0;
        u256_put(d->sale_price_nrlc, d->for_sale ? r->data[i].sale : (struct u256){0});
        if (!r->data[i].named) SR_TRY(name_of(r, i, err));
    }
    r->s.collections = sr_calloc_n(r->n_col + 1, sizeof *r->s.collections);
    if (!r->s.collections) return full(err);
    for (size_t i = 0; i < r->n_col; i++) {
        if (addr_is_zero(&r->col[i].owner)) continue;
        struct sr_collection *col = &r->s.collections[r->s.n_collections++];
        col->id = small(r->col[i].id);
        addr_put(col->owner, &r->col[i].owner);
        u256_put(col->price_nrlc, r->col[i].terms.price);
        col->seconds = r->col[i].terms.duration;
        for (size_t k = 0; k < r->s.n_data; k++) col->n_data += r->s.data[k].collection == col->id;
    }
    return SR_OK;
}

static sr_status read_all(void *arg, struct sr_err *err) {
    struct share_replay *r = arg;
    struct sr_client *c = r->c;
    struct eth_block head;
    SR_TRY(share_open(c, err));
    SR_TRY(share_view_registry(&c->poco, &c->net.sharing, &r->lists, err));
    share_index_read(r);
    SR_TRY(eth_get_block(c->rpc, (struct eth_at){0}, &head, err));
    r->s.now_unix_s = head.time;
    const struct eth_filter sharing = {.addrs = &c->net.sharing, .n_addrs = 1};
    SR_TRY(each(r, &sharing, head.number, of_sharing, err));
    struct hash moved = poco_topic(POCO_EV_TRANSFER721), added = poco_topic(POCO_EV_WHITELIST_APP);
    const struct eth_filter lists = {
        .addrs = &r->lists, .n_addrs = 1, .topics0 = &moved, .n_topics0 = 1};
    SR_TRY(each(r, &lists, head.number, of_lists, err));
    const struct eth_filter apps = {.topics0 = &added, .n_topics0 = 1};
    SR_TRY(each(r, &apps, head.number, of_lists, err));
    return finish(r, err);
}

void share_replay_clear(struct share_replay *r) {
    free(r->data);
    free(r->col);
    sr_sharing_done(&r->s);
    *r = (struct share_replay){.c = r->c, .lists = r->lists};
}

sr_status sr_sharing_read(struct sr_client *c, struct sr_sharing *ret_s, struct sr_err *err) {
    struct share_replay r = {.c = c};
    sr_status st = sdk_call(c, read_all, &r, err);
    if (st == SR_OK) {
        *ret_s = r.s;
        r.s = (struct sr_sharing){0};
    }
    share_replay_clear(&r);
    return st;
}

void sr_sharing_done(struct sr_sharing *s) {
    if (!s) return;
    free(s->data);
    free(s->collections);
    free(s->paid);
    free(s->apps);
    *s = (struct sr_sharing){0};
}
