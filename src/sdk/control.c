/* SPDX-License-Identifier: Apache-2.0 */
/* Protected data: give it away, find it, and all grants that one gave or got. */
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define FIND_PAGE  1000
#define FIND_MAX   100000
#define SCHEMA_MAX 64 /* entries of a search */

/* ---- transfer ---- */

struct give_args {
    struct sr_client *c;
    const char *data, *to;
    char *ret_tx;
};

static sr_status give(void *arg, struct sr_err *err) {
    struct give_args *a = arg;
    struct sr_client *c = a->c;
    struct addr data, to, owner;
    bool registered;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&b, 4096);
    SR_TRY(sdk_addr_arg(a->data, "data", &data, err));
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_who(c, a->to, &to, err));
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(poco_owner(&c->poco, POCO_DATASET, &data, (struct eth_at){0}, &registered, &owner, err));
    if (!registered)
        return sr_fail(err, SR_E_NOTFOUND, "there is no protected data at %s", addr_text(&data).s);
    if (!addr_eq(&owner, &c->me)) {
        sr_hint(err, "act as the owner with --as");
        return sr_fail(err, SR_E_REFUSED, "%s belongs to %s, not to %s", addr_text(&data).s,
                       addr_text(&owner).s, addr_text(&c->me).s);
    }
    SR_TRY(erc721_enc_transfer(&b, &c->me, &to, &data, err));
    sdk_progress(c, "transfer", NULL, 0, 0, a->data);
    SR_TRY(sdk_send(c, &c->poco.dataset_registry, (struct u256){0}, buf_slice(&b), &r, err));
    hash_put(a->ret_tx, &r.tx);
    return SR_OK;
}

sr_status sr_data_transfer(struct sr_client *c, const char *data, const char *to,
                           char ret_tx[SR_HASH_TEXT], struct sr_err *err) {
    struct give_args a = {c, data, to, ret_tx};
    return sdk_call(c, give, &a, err);
}

/* ---- find: the DataProtector index ---- */

struct find_args {
    struct sr_client *c;
    const struct sr_data_query *q;
    struct sr_data *list;
    size_t n, cap;
};

static void query_text(const struct sr_data_query *q, const struct addr *owner, size_t skip,
                       struct buf *b) {
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_kcstr(&w, "query",
             "query($where: ProtectedData_filter, $skip: Int!, $first: Int!) { protectedDatas("
             "where: $where, skip: $skip, first: $first, orderBy: creationTimestamp, "
             "orderDirection: desc) { id name owner { id } jsonSchema creationTimestamp multiaddr "
             "checksum transactionHash } }");
    jw_key(&w, "variables");
    jw_obj(&w);
    jw_ku64(&w, "skip", skip);
    jw_ku64(&w, "first", FIND_PAGE);
    jw_key(&w, "where");
    jw_obj(&w);
    if (owner) jw_kaddr(&w, "owner", owner);
    if (q->after_unix_s) jw_ku64(&w, "creationTimestamp_gte", q->after_unix_s);
    if (q->before_unix_s) jw_ku64(&w, "creationTimestamp_lt", q->before_unix_s);
    if (q->name) jw_kcstr(&w, "name_contains", q->name);
    if (q->n_schema) {
        jw_key(&w, "schema_contains");
        jw_arr(&w);
        for (size_t i = 0; i < q->n_schema; i++) jw_cstr(&w, q->schema[i]);
        jw_end_arr(&w);
    }
    jw_end_obj(&w);
    jw_end_obj(&w);
    jw_end_obj(&w);
}

static sr_status take(struct find_args *f, const struct json_val *v, struct sr_err *err) {
    struct addr a, owner;
    struct hash h;
    if (!json_addr(json_get(v, "id"), &a)) return SR_OK;
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 64;
        struct sr_data *more = reallocarray(f->list, cap, sizeof *more);
        if (!more) return sr_fail(err, SR_E_NOMEM, "out of memory");
        f->list = more;
        f->cap = cap;
    }
    struct sr_data *d = &f->list[f->n++];
    *d = (struct sr_data){0};
    addr_put(d->address, &a);
    if (json_addr(json_get(json_get(v, "owner"), "id"), &owner)) addr_put(d->owner, &owner);
    TEXT_PUT(d->name, json_text(json_get(v, "name")));
    if (json_hash(json_get(v, "checksum"), &h)) hash_put(d->checksum, &h);
    if (json_hash(json_get(v, "transactionHash"), &h)) hash_put(d->tx, &h);
    (void)!num_u64(json_text(json_get(v, "creationTimestamp")), UINT64_MAX, &d->created_unix_s);
    cleanup_buf struct buf raw, text;
    struct cid cid;
    struct slice path;
    buf_init(&raw, MULTIADDR_MAX);
    buf_init(&text, MULTIADDR_MAX * 2);
    if (hex_decode_buf(json_text(json_get(v, "multiaddr")), &raw) &&
        multiaddr_text(buf_slice(&raw), &text, NULL) == SR_OK) {
        TEXT_PUT(d->multiaddr, buf_slice(&text));
        if (ipfs_path_parse(buf_slice(&text), &cid, &path, NULL) == SR_OK)
            TEXT_PUT(d->cid, slice_str(cid_text(&cid).s));
    }
    cleanup_json struct json *schema = NULL; /* whoever makes a data set chooses this text */
    if (json_parse(json_text(json_get(v, "jsonSchema")), &schema, NULL) == SR_OK) {
        d->schema = slice_dup(json_raw(json_root(schema)));
        if (!d->schema) return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    return SR_OK;
}

static sr_status find_page(struct find_args *f, const struct addr *owner, size_t *ret_n,
                           struct sr_err *err) {
    cleanup_buf struct buf body;
    cleanup_json struct json *doc = NULL;
    buf_init(&body, 65536);
    query_text(f->q, owner, f->n, &body);
    SR_TRY(buf_status(&body, err));
    SR_TRY(market_index_ask(f->c, buf_slice(&body), &doc, err));
    const struct json_val *list = json_get(json_get(json_root(doc), "data"), "protectedDatas");
    *ret_n = json_len(list);
    for (const struct json_val *v = json_first(list); v; v = json_next(v)) SR_TRY(take(f, v, err));
    return SR_OK;
}

static sr_status find(void *arg, struct sr_err *err) {
    struct find_args *f = arg;
    struct sr_client *c = f->c;
    struct addr owner;
    size_t n = 0;
    if (f->q->n_schema > SCHEMA_MAX)
        return sr_fail(err, SR_E_USAGE, "more than %d parts of a schema", SCHEMA_MAX);
    SR_TRY(sdk_network(c, err));
    if (f->q->owner) {
        SR_TRY(sdk_chain(c, err));
        SR_TRY(sdk_who(c, f->q->owner, &owner, err));
    }
    do SR_TRY(find_page(f, f->q->owner ? &owner : NULL, &n, err));
    while (n == FIND_PAGE && f->n < FIND_MAX);
    return SR_OK;
}

sr_status sr_data_find(struct sr_client *c, const struct sr_data_query *q,
                       struct sr_data **ret_list, size_t *ret_n, struct sr_err *err) {
    struct find_args f = {.c = c, .q = q};
    sr_status st = sdk_call(c, find, &f, err);
    if (st != SR_OK) {
        sr_data_list_free(f.list, f.n);
        return st;
    }
    *ret_list = f.list;
    *ret_n = f.n;
    return SR_OK;
}

/* ---- grants that one got ---- */

struct received_args {
    struct sr_client *c;
    const char *who;
    bool only_me;
    struct sr_grant_info *list;
    size_t n;
};

static sr_status received(void *arg, struct sr_err *err) {
    struct received_args *a = arg;
    struct sr_client *c = a->c;
    struct addr who;
    cleanup_book struct book open = {0};
    SR_TRY(sdk_chain(c, err));
    SR_TRY(a->who ? sdk_who(c, a->who, &who, err) : sdk_me(c, &who, err));
    struct addr_text text = addr_text(&who);
    struct book_filter f = {.resource = "any",
                            .app = "any",
                            .workerpool = "any",
                            .requester = text.s,
                            .strict_requester = a->only_me};
    SR_TRY(market_orders(c, POCO_DATASET, &f, &open, err));
    a->list = sr_calloc_n(open.n + 1, sizeof *a->list);
    if (!a->list) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < open.n; i++) {
        struct u256 used;
        SR_TRY(poco_view_consumed(&c->poco, &open.v[i].hash, (struct eth_at){0}, &used, err));
        if (u256_cmp(used, open.v[i].order.dataset.volume) >= 0) continue;
        grant_fill(&a->list[a->n++], &open.v[i]);
    }
    return SR_OK;
}

sr_status sr_data_received(struct sr_client *c, const char *who, bool only_me,
                           struct sr_grant_info **ret_list, size_t *ret_n, struct sr_err *err) {
    struct received_args a = {.c = c, .who = who, .only_me = only_me};
    sr_status st = sdk_call(c, received, &a, err);
    if (st != SR_OK) {
        free(a.list);
        return st;
    }
    *ret_list = a.list;
    *ret_n = a.n;
    return SR_OK;
}
