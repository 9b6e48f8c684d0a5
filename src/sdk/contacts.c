/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a user may write to: open grants to the messaging app or its whitelist, of protected data
 * that has an address of that kind by the index.   SPEC: messaging.md#3-contacts
 */
#include "sdk/bulk_int.h"
#include "sdk/messaging_int.h"
#include <stdlib.h>

#define PAGES_MAX                                                                                  \
    100 /* of SDK_PAGE orders: what a market is asked for, for app and whitelist each */
#define ASK_IDS   500 /* addresses of one question to the index */
#define ASK_BYTES (128u * 1024)

void contacts_done(struct contacts *l) {
    free(l->v);
    *l = (struct contacts){0};
}

/* ---- grants -------------------------------------------------------------------------------------
 */

static int by_data(const void *a, const void *b) {
    const struct contact *x = a, *y = b;
    return memcmp(&x->order.dataset.dataset, &y->order.dataset.dataset, sizeof(struct addr));
}

static struct contact *find(const struct contacts *l, const struct addr *data) {
    struct contact key;
    key.order.dataset.dataset = *data;
    return l->n ? bsearch(&key, l->v, l->n, sizeof *l->v, by_data) : NULL;
}

static void fill(struct contact *t, const struct book_entry *e) {
    const struct poco_datasetorder *o = &e->order.dataset;
    *t = (struct contact){.order = e->order};
    addr_put(t->shown.data, &o->dataset);
    addr_put(t->shown.app, &o->apprestrict);
    hash_put(t->shown.order_hash, &e->hash);
    u256_put(t->shown.price_nrlc, o->datasetprice);
    t->shown.remaining = e->remaining;
    t->shown.granted_unix_s = e->published_unix_s;
    t->shown.only_user = !addr_is_zero(&o->requesterrestrict);
    t->shown.bulk = bulk_is(&e->order);
}

static sr_status add_page(struct contacts *l, const struct book *b, const struct addr *to,
                          struct sr_err *err) {
    struct contact *more = reallocarray(l->v, l->n + b->n + 1, sizeof *more);
    if (!more) return sr_fail(err, SR_E_NOMEM, "out of memory");
    l->v = more;
    for (size_t i = 0; i < b->n; i++)
        if (addr_eq(&b->v[i].order.dataset.apprestrict, to)) fill(&l->v[l->n++], &b->v[i]);
    return SR_OK;
}

static sr_status add_grants(struct sr_client *c, const struct addr *to, const struct addr *user,
                            bool only_user, bool bulk, struct contacts *l, struct sr_err *err) {
    struct addr_text app = addr_text(to), who = addr_text(user);
    struct book_filter f = {.resource = "any",
                            .app = app.s,
                            .requester = who.s,
                            .strict_app = true,
                            .strict_requester = only_user,
                            .bulk = bulk};
    for (f.page = 0; f.page < PAGES_MAX; f.page++) {
        cleanup_book struct book b = {0};
        SR_TRY(market_orders(c, POCO_DATASET, &f, &b, err));
        SR_TRY(add_page(l, &b, to, err));
        if (b.n < SDK_PAGE) break;
    }
    return SR_OK;
}

/* Of several grants of one data set the cheapest stays, as a message would use it. */
static void keep_cheapest(struct contacts *l) {
    size_t kept = 0;
    if (l->n > 1) qsort(l->v, l->n, sizeof *l->v, by_data);
    for (size_t i = 0; i < l->n; i++) {
        struct contact *last = kept ? &l->v[kept - 1] : NULL;
        bool same = last && by_data(last, &l->v[i]) == 0;
        if (!same)
            l->v[kept++] = l->v[i];
        else if (u256_cmp(l->v[i].order.dataset.datasetprice, last->order.dataset.datasetprice) < 0)
            *last = l->v[i];
    }
    l->n = kept;
}

/* ---- the index ----------------------------------------------------------------------------------
 */

/* SPEC: messaging.md#3-contacts (GetValidContacts) */
static void ask_text(const struct channel *ch, const struct contact *v, size_t n, struct buf *b) {
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_kcstr(&w, "query",
             "query($schema: [String!]!, $id: [String!]!, $first: Int!) { protectedDatas(where: "
             "{transactionHash_not: \"0x\", schema_contains: $schema, id_in: $id}, first: $first, "
             "orderBy: creationTimestamp, orderDirection: desc) { id name owner { id } "
             "creationTimestamp } }");
    jw_key(&w, "variables");
    jw_obj(&w);
    jw_ku64(&w, "first", ASK_IDS);
    jw_key(&w, "schema");
    jw_arr(&w);
    jw_cstr(&w, ch->schema);
    jw_end_arr(&w);
    jw_key(&w, "id");
    jw_arr(&w);
    for (size_t i = 0; i < n; i++) jw_cstr(&w, addr_text(&v[i].order.dataset.dataset).s);
    jw_end_arr(&w);
    jw_end_obj(&w);
    jw_end_obj(&w);
}

static sr_status ask(struct sr_client *c, const struct channel *ch, const struct contact *v,
                     size_t n, struct json **ret_doc, struct sr_err *err) {
    cleanup_buf struct buf body;
    buf_init(&body, ASK_BYTES);
    ask_text(ch, v, n, &body);
    SR_TRY(buf_status(&body, err));
    return market_index_ask(c, buf_slice(&body), ret_doc, err);
}

/* Marks what the index knows: only that stays. */
static sr_status describe(struct sr_client *c, const struct channel *ch, struct contacts *l,
                          struct sr_err *err) {
    for (size_t at = 0; at < l->n; at += ASK_IDS) {
        size_t n = l->n - at < ASK_IDS ? l->n - at : ASK_IDS;
        cleanup_json struct json *doc = NULL;
        SR_TRY(ask(c, ch, l->v + at, n, &doc, err));
        const struct json_val *list = json_get(json_get(json_root(doc), "data"), "protectedDatas");
        for (const struct json_val *v = json_first(list); v; v = json_next(v)) {
            struct addr a, owner;
            struct contact *t;
            if (!json_addr(json_get(v, "id"), &a) || !(t = find(l, &a)) ||
                !json_addr(json_get(json_get(v, "owner"), "id"), &owner))
                continue;
            addr_put(t->shown.owner, &owner);
            TEXT_PUT(t->shown.name, json_text(json_get(v, "name")));
            if (!num_u64(json_text(json_get(v, "creationTimestamp")), UINT64_MAX,
                         &t->created_unix_s))
                t->created_unix_s = 0;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].shown.owner[0]) l->v[kept++] = l->v[i];
    l->n = kept;
    return SR_OK;
}

static int newest_first(const void *a, const void *b) {
    const struct contact *x = a, *y = b;
    if (x->created_unix_s != y->created_unix_s)
        return x->created_unix_s < y->created_unix_s ? 1 : -1;
    return by_data(a, b);
}

static sr_status gather(struct sr_client *c, const struct channel *ch, const struct msg_net *net,
                        const struct addr *user, bool only_user, bool bulk, struct contacts *l,
                        struct sr_err *err) {
    SR_TRY(add_grants(c, &net->app, user, only_user, bulk, l, err));
    if (net->has_list) SR_TRY(add_grants(c, &net->list, user, only_user, bulk, l, err));
    keep_cheapest(l);
    SR_TRY(describe(c, ch, l, err));
    if (l->n > 1) qsort(l->v, l->n, sizeof *l->v, newest_first);
    return SR_OK;
}

sr_status contacts_read(struct sr_client *c, const struct channel *ch, const struct msg_net *net,
                        const struct addr *user, bool only_user, bool bulk, struct contacts *ret,
                        struct sr_err *err) {
    struct contacts l = {0};
    sr_status st = gather(c, ch, net, user, only_user, bulk, &l, err);
    if (st == SR_OK)
        *ret = l;
    else
        contacts_done(&l);
    return st;
}

sr_status contact_has_address(struct sr_client *c, const struct channel *ch,
                              const struct addr *data, bool *ret_has, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct contact one = {0};
    one.order.dataset.dataset = *data;
    SR_TRY(ask(c, ch, &one, 1, &doc, err));
    *ret_has = json_len(json_get(json_get(json_root(doc), "data"), "protectedDatas")) == 1;
    return SR_OK;
}

/* ---- public -------------------------------------------------------------------------------------
 */

struct list_args {
    struct sr_client *c;
    sr_channel channel;
    const struct sr_contact_query *q;
    struct sr_contact *list;
    size_t n;
};

static sr_status list(void *arg, struct sr_err *err) {
    struct list_args *a = arg;
    struct sr_client *c = a->c;
    const struct sr_contact_query none = {0}, *q = a->q ? a->q : &none;
    const struct channel *ch = channel_of(a->channel);
    struct contacts l = {0};
    struct msg_net net = {0};
    struct addr user;
    if (!ch) return sr_fail(err, SR_E_USAGE, "a channel is SR_MAIL or SR_TELEGRAM");
    SR_TRY(messaging_net(c, ch, &net, err));
    SR_TRY(sdk_chain(c, err));
    SR_TRY(q->user ? sdk_who(c, q->user, &user, err) : sdk_me(c, &user, err));
    SR_TRY(contacts_read(c, ch, &net, &user, q->only_user, q->bulk, &l, err));
    a->list = sr_calloc_n(l.n + 1, sizeof *a->list);
    for (size_t i = 0; i < l.n && a->list; i++) a->list[a->n++] = l.v[i].shown;
    contacts_done(&l);
    return a->list ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

sr_status sr_contacts(struct sr_client *c, sr_channel channel, const struct sr_contact_query *q,
                      struct sr_contact **ret_list, size_t *ret_n, struct sr_err *err) {
    struct list_args a = {.c = c, .channel = channel, .q = q};
    SR_TRY(sdk_call(c, list, &a, err));
    *ret_list = a.list;
    *ret_n = a.n;
    return SR_OK;
}
