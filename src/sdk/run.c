/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run: find orders, check that it can succeed, make the deal. Nothing is signed for money, and no
 * secret pushed, before every check passed.   SPEC: dataprotector.md#57-processprotecteddata
 */
#include "sdk/sdk_int.h"
#include <stdlib.h>

struct plan {
    struct sr_client *c;
    const struct sr_run *run;
    struct addr app, data, pool, beneficiary;
    bool has_data, by_group; /* the data order is for a group: the chain knows its members */
    struct u256 max_app, max_data, max_pool;
    struct book apps, datas, pools; /* the chosen order is moved to .v[0] */
    struct poco_order request;
    struct buf params;
    char secret_names[SR_MAX_SECRETS][40];
    struct u256 cost;
};

static void plan_done(struct plan *p) {
    book_done(&p->apps);
    book_done(&p->datas);
    book_done(&p->pools);
    buf_done(&p->params);
}

static sr_status read_request(struct plan *p, struct sr_err *err) {
    struct sr_client *c = p->c;
    const struct sr_run *r = p->run;
    if (r->n_data > 1) {
        sr_hint(err, "run them one by one");
        return sr_fail(err, SR_E_USAGE, "one protected data at a time in this version");
    }
    if (r->n_secrets > SR_MAX_SECRETS || r->n_inputs > SR_MAX_INPUTS)
        return sr_fail(err, SR_E_USAGE, "too many secrets or input files");
    if (r->args && strlen(r->args) > SR_MAX_ARGS)
        return sr_fail(err, SR_E_USAGE, "the arguments are longer than %d bytes", SR_MAX_ARGS);
    for (size_t i = 0; i < r->n_inputs; i++)
        if (!slice_starts(slice_str(r->input_urls[i]), "http://") &&
            !slice_starts(slice_str(r->input_urls[i]), "https://") &&
            !slice_starts(slice_str(r->input_urls[i]), "/ipfs/")) {
            sr_hint(err, "a URL begins with http://, https:// or /ipfs/");
            return sr_fail(err, SR_E_USAGE, "%.100s should be a url", r->input_urls[i]);
        }
    SR_TRY(sdk_price(r->max_app_nrlc, "max app price", &p->max_app, err));
    SR_TRY(sdk_price(r->max_data_nrlc, "max data price", &p->max_data, err));
    SR_TRY(sdk_price(r->max_pool_nrlc, "max pool price", &p->max_pool, err));
    SR_TRY(sdk_app_addr(c, r->app, &p->app, err));
    p->has_data = r->n_data == 1;
    if (p->has_data) SR_TRY(sdk_addr_arg(r->data[0], "data", &p->data, err));
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    SR_TRY(sdk_service(c, c->net.sms, "sms", err));
    if (r->workerpool) {
        SR_TRY(sdk_addr_arg(r->workerpool, "workerpool", &p->pool, err));
    } else if (c->net.has_workerpool) {
        p->pool = c->net.workerpool;
    } else {
        sr_hint(err, "name one with --workerpool");
        return sr_fail(err, SR_E_NOTFOUND, "this network has no workerpool of its own");
    }
    SR_TRY(sdk_unlock(c, err));
    p->beneficiary = c->me;
    return r->beneficiary ? sdk_who(c, r->beneficiary, &p->beneficiary, err) : SR_OK;
}

/* ---- what must exist --------------------------------------------------------------------------
 */

static sr_status check_app(struct plan *p, struct sr_err *err) {
    struct sr_client *c = p->c;
    struct poco_app app = {0};
    cleanup_buf struct buf where;
    uint64_t bytes;
    buf_init(&where, MULTIADDR_MAX * 2);
    sr_status st = poco_view_app(&c->poco, &p->app, (struct eth_at){0}, &app, err);
    if (st == SR_E_NOTFOUND) sr_hint(err, "strongroom app deploy prints an app's address");
    SR_TRY(st);
    bool empty = app.multiaddr.n == 0;
    if (!empty) st = multiaddr_text(app.multiaddr, &where, err);
    poco_app_done(&app);
    SR_TRY(st);
    struct cid cid;
    struct slice path;
    if (empty) {
        sr_hint(err, "its owner must deploy it again: strongroom app deploy DIR");
        return sr_fail(err, SR_E_REFUSED, "the app %s has no image", addr_text(&p->app).s);
    }
    if (ipfs_path_parse(buf_slice(&where), &cid, &path, NULL) != SR_OK)
        return SR_OK; /* a registry's: the worker asks it */
    SR_TRY(sdk_service(c, c->net.ipfs_gateway, "ipfsGateway", err));
    cleanup_buf struct buf location;
    buf_init(&location, 512);
    buf_printf(&location, "/ipfs/%s", cid_text(&cid).s);
    struct sr_err why = {0};
    st = ipfs_head(c->net.ipfs_gateway, buf_slice(&location), &bytes, &why);
    if (st != SR_E_NOTFOUND) {
        if (st != SR_OK && err) *err = why;
        return st;
    }
    sr_hint(err, "its owner must deploy it again: strongroom app deploy DIR");
    return sr_fail(err, SR_E_REFUSED, "the image of app %s is not in the store",
                   addr_text(&p->app).s);
}

static sr_status check_data(struct plan *p, struct sr_err *err) {
    struct sr_client *c = p->c;
    bool registered, has;
    struct addr owner;
    if (!p->has_data) return SR_OK;
    SR_TRY(
        poco_owner(&c->poco, POCO_DATASET, &p->data, (struct eth_at){0}, &registered, &owner, err));
    if (!registered) {
        sr_hint(err, "ask its owner for the address");
        return sr_fail(err, SR_E_NOTFOUND, "there is no protected data at %s",
                       addr_text(&p->data).s);
    }
    struct sms_name n = {.kind = SECRET_WEB3, .target = p->data, .name = ""};
    SR_TRY(sms_has(c, &n, &has, err));
    if (has) return SR_OK;
    sr_hint(err, "its owner must protect it again");
    return sr_fail(err, SR_E_REFUSED, "the key of data %s is not in the secret service",
                   addr_text(&p->data).s);
}

/* ---- orders -------------------------------------------------------------------------------------
 */

static struct u256 volume_of(const struct poco_order *o) {
    return *poco_order_volume(o);
}

/* Still open by the chain, which may know more than the book. */
static sr_status is_open(struct sr_client *c, const struct book_entry *e, bool *ret_open,
                         struct sr_err *err) {
    struct u256 consumed;
    SR_TRY(poco_view_consumed(&c->poco, &e->hash, (struct eth_at){0}, &consumed, err));
    *ret_open = u256_cmp(consumed, volume_of(&e->order)) < 0;
    return SR_OK;
}

/* The first open one within the price (they come cheapest first) goes to .v[0]; *ret_n how many
 * were open at any price, *ret_price the cheapest of those. */
static sr_status choose(struct sr_client *c, struct book *b, struct u256 max, size_t *ret_n,
                        struct u256 *ret_price, bool *ret_found, struct sr_err *err) {
    *ret_n = 0;
    *ret_found = false;
    for (size_t i = 0; i < b->n; i++) {
        bool open;
        SR_TRY(is_open(c, &b->v[i], &open, err));
        if (!open) continue;
        struct u256 price = *poco_order_price(&b->v[i].order);
        if ((*ret_n)++ == 0) *ret_price = price;
        if (u256_cmp(price, max) > 0) break;
        if (i > 0) b->v[0] = b->v[i];
        *ret_found = true;
        return SR_OK;
    }
    return SR_OK;
}

static sr_status too_dear(const char *what, struct u256 price, struct u256 max, const char *option,
                          struct sr_err *err) {
    char a[U256_DEC_MAX], b[U256_DEC_MAX];
    u256_to_dec(a, price);
    u256_to_dec(b, max);
    sr_hint(err, "%s %s accepts that price", option, a);
    return sr_fail(err, SR_E_REFUSED,
                   "the cheapest %s order costs %s nRLC, more than the maximum of %s", what, a, b);
}

static sr_status find_app_order(struct plan *p, struct sr_err *err) {
    struct addr_text app = addr_text(&p->app), data = addr_text(&p->data),
                     pool = addr_text(&p->pool), me = addr_text(&p->c->me);
    struct hash tag = tag_of(POCO_TAG_TEE);
    struct book_filter f = {.resource = app.s,
                            .dataset = p->has_data ? data.s : NULL,
                            .workerpool = pool.s,
                            .requester = me.s,
                            .min_tag = &tag};
    size_t n;
    bool found;
    struct u256 price;
    SR_TRY(market_orders(p->c, POCO_APP, &f, &p->apps, err));
    SR_TRY(choose(p->c, &p->apps, p->max_app, &n, &price, &found, err));
    if (found) return SR_OK;
    if (n > 0) return too_dear("app", price, p->max_app, "--max-app-price", err);
    sr_hint(err, "its owner publishes one with strongroom app deploy");
    return sr_fail(err, SR_E_REFUSED, "there is no open order for app %s that lets %s use it",
                   app.s, me.s);
}

static sr_status no_grant(struct plan *p, struct sr_err *err) {
    struct hash order;
    struct addr_text data = addr_text(&p->data), app = addr_text(&p->app),
                     me = addr_text(&p->c->me);
    sr_hint(err, "ask the owner to run: strongroom data grant %s --app %s --user %s", data.s, app.s,
            me.s);
    /* An order that the book still lists, but the chain has closed: the book is a moment behind. */
    bool closed = p->datas.n > 0 && p->datas.v[0].remaining > 1;
    if (closed || market_was_revoked(p->c, &p->data, &p->app, &p->c->me, &order))
        return sr_fail(err, SR_E_REFUSED,
                       "the owner has revoked access to data %s for app %s and user %s", data.s,
                       app.s, me.s);
    return sr_fail(err, SR_E_REFUSED,
                   "access to data %s is not granted to app %s and user %s (or no longer)", data.s,
                   app.s, me.s);
}

static sr_status find_data_order(struct plan *p, struct sr_err *err) {
    if (!p->has_data) return SR_OK;
    struct addr_text app = addr_text(&p->app), data = addr_text(&p->data),
                     pool = addr_text(&p->pool), me = addr_text(&p->c->me);
    struct book_filter f = {
        .resource = data.s, .app = app.s, .workerpool = pool.s, .requester = me.s};
    size_t n;
    bool found;
    struct u256 price;
    SR_TRY(market_orders(p->c, POCO_DATASET, &f, &p->datas, err));
    SR_TRY(choose(p->c, &p->datas, p->max_data, &n, &price, &found, err));
    if (!found && n == 0) {
        SR_TRY(market_group_orders(p->c, &p->data, &p->app, &p->pool, &p->datas, err));
        SR_TRY(choose(p->c, &p->datas, p->max_data, &n, &price, &found, err));
        p->by_group = found;
    }
    if (found) return SR_OK;
    if (n > 0) return too_dear("data", price, p->max_data, "--max-data-price", err);
    return no_grant(p, err);
}

static sr_status find_pool_order(struct plan *p, struct sr_err *err) {
    struct addr_text app = addr_text(&p->app), data = addr_text(&p->data),
                     pool = addr_text(&p->pool), me = addr_text(&p->c->me);
    struct hash tag = tag_of(SDK_TAG_TEE_TDX);
    tag = tag_or(&tag, &p->apps.v[0].order.app.tag);
    struct book_filter f = {.resource = pool.s,
                            .app = app.s,
                            .dataset = p->has_data ? data.s : NULL,
                            .requester = me.s,
                            .min_tag = &tag,
                            .has_category = true};
    size_t n;
    bool found;
    struct u256 price;
    SR_TRY(market_orders(p->c, POCO_WORKERPOOL, &f, &p->pools, err));
    SR_TRY(choose(p->c, &p->pools, p->max_pool, &n, &price, &found, err));
    if (found) return SR_OK;
    if (n > 0) return too_dear("workerpool", price, p->max_pool, "--max-pool-price", err);
    sr_hint(err, "try again in a moment; strongroom status shows whether the scheduler runs");
    return sr_fail(err, SR_E_REFUSED, "workerpool %s offers no matching order now", pool.s);
}

/* ---- the request --------------------------------------------------------------------------------
 */

static sr_status write_params(struct plan *p, struct sr_err *err) {
    const struct sr_run *r = p->run;
    struct poco_params *q = sr_calloc_n(1, sizeof *q);
    if (!q) return sr_fail(err, SR_E_NOMEM, "out of memory");
    q->storage = SLICE_LIT("ipfs");
    if (!r->plain_result) q->has_encryption = q->encryption = true;
    if (r->args && r->args[0]) {
        q->has_args = true;
        q->args = slice_str(r->args);
    }
    for (size_t i = 0; i < r->n_inputs; i++) q->files[q->n_files++] = slice_str(r->input_urls[i]);
    for (size_t i = 0; i < r->n_secrets; i++)
        q->secrets[q->n_secrets++] =
            (struct poco_secret_ref){r->secrets[i].index, slice_str(p->secret_names[i])};
    poco_params_write(q, &p->params);
    free(q);
    return buf_status(&p->params, err);
}

static sr_status make_request(struct plan *p, struct sr_err *err) {
    const struct poco_workerpoolorder *w = &p->pools.v[0].order.workerpool;
    for (size_t i = 0; i < p->run->n_secrets; i++) {
        uint8_t random[16];
        SR_TRY(random_bytes(random, sizeof random, err));
        memcpy(p->secret_names[i], "0x", 2);
        hex_encode(p->secret_names[i] + 2, random, sizeof random);
    }
    SR_TRY(write_params(p, err));
    p->request.kind = POCO_REQUEST;
    p->request.request = (struct poco_requestorder){.app = p->app,
                                                    .appmaxprice = p->apps.v[0].order.app.appprice,
                                                    .workerpool = w->workerpool,
                                                    .workerpoolmaxprice = w->workerpoolprice,
                                                    .requester = p->c->me,
                                                    .volume = u256_of(1),
                                                    .tag = tag_of(SDK_TAG_TEE_TDX),
                                                    .category = w->category,
                                                    .beneficiary = p->beneficiary,
                                                    .params = buf_slice(&p->params)};
    if (p->has_data) {
        p->request.request.dataset = p->data;
        p->request.request.datasetmaxprice = p->datas.v[0].order.dataset.datasetprice;
    }
    SR_TRY(poco_salt(&p->request, err));
    return poco_order_sign(&p->request, &p->c->poco.domain, &p->c->key, err);
}

static const struct poco_order *data_order(const struct plan *p) {
    return p->has_data ? &p->datas.v[0].order : NULL;
}

/* Signatures of today's owners, and the requester's stake. */
static sr_status check_signer(struct plan *p, const struct poco_order *o, const char *what,
                              struct sr_err *err) {
    bool registered, ok;
    struct addr owner;
    SR_TRY(poco_owner(&p->c->poco, o->kind, poco_order_resource(o), (struct eth_at){0}, &registered,
                      &owner, err));
    if (registered) {
        SR_TRY(poco_verify(&p->c->poco, o, &owner, (struct eth_at){0}, &ok, err));
        if (ok) return SR_OK;
    }
    sr_hint(err, "its owner must publish a new order");
    return sr_fail(err, SR_E_REFUSED, "the %s order is not signed by today's owner of %s", what,
                   addr_text(poco_order_resource(o)).s);
}

static sr_status check_stake(struct plan *p, struct sr_err *err) {
    struct poco_account a;
    struct u256 sum = p->request.request.appmaxprice;
    if (!u256_add(&sum, sum, p->request.request.datasetmaxprice) ||
        !u256_add(&sum, sum, p->request.request.workerpoolmaxprice))
        return sr_fail(err, SR_E_RANGE, "the price overflows");
    p->cost = sum;
    SR_TRY(poco_view_account(&p->c->poco, &p->c->me, (struct eth_at){0}, &a, err));
    if (u256_cmp(a.stake, sum) >= 0) return SR_OK;
    char want[U256_DEC_MAX], have[U256_DEC_MAX];
    u256_to_dec(want, sum);
    u256_to_dec(have, a.stake);
    sr_hint(err, "strongroom account deposit %s", want);
    return sr_fail(err, SR_E_REFUSED,
                   "Cost per task (%s nRLC) is greater than requester account stake (%s)", want,
                   have);
}

static sr_status check_all(struct plan *p, struct sr_err *err) {
    SR_TRY(check_app(p, err));
    SR_TRY(check_data(p, err));
    SR_TRY(find_app_order(p, err));
    SR_TRY(find_data_order(p, err));
    SR_TRY(find_pool_order(p, err));
    SR_TRY(check_signer(p, &p->apps.v[0].order, "app", err));
    if (p->has_data) SR_TRY(check_signer(p, data_order(p), "data", err));
    SR_TRY(check_signer(p, &p->pools.v[0].order, "workerpool", err));
    SR_TRY(make_request(p, err));
    if (!p->by_group)
        SR_TRY(poco_match_check(&p->apps.v[0].order, data_order(p), &p->pools.v[0].order,
                                &p->request, err));
    SR_TRY(check_stake(p, err));
    struct hash deal;
    return p->by_group ? poco_try_match(&p->c->poco, &p->c->me, &p->apps.v[0].order, data_order(p),
                                        &p->pools.v[0].order, &p->request, &deal, err)
                       : SR_OK;
}

/* ---- secrets, then the deal
 * ----------------------------------------------------------------------- */

static sr_status push_result_key(struct plan *p, struct sr_err *err) {
    struct sr_client *c = p->c;
    struct sms_name n = {.kind = SECRET_WEB2, .target = p->beneficiary, .name = SDK_RESULT_KEY};
    if (p->run->plain_result) return SR_OK;
    if (!addr_eq(&p->beneficiary, &c->me)) {
        bool has;
        SR_TRY(sms_has(c, &n, &has, err));
        if (has) return SR_OK;
        sr_hint(err, "%s must have made a run once, which stores that key",
                addr_text(&p->beneficiary).s);
        return sr_fail(err, SR_E_REFUSED,
                       "the beneficiary has no result key in the secret service");
    }
    cleanup_buf struct buf pem, text;
    buf_init(&pem, 4096);
    buf_init(&text, 8192);
    SR_TRY(result_key_public(c, &pem, err));
    base64_encode(&text, buf_slice(&pem));
    SR_TRY(buf_status(&text, err));
    return sms_put(c, &n, buf_slice(&text), true, err);
}

static sr_status push_secrets(struct plan *p, struct sr_err *err) {
    SR_TRY(push_result_key(p, err));
    for (size_t i = 0; i < p->run->n_secrets; i++) {
        const struct sr_run_secret *s = &p->run->secrets[i];
        struct sms_name n = {
            .kind = SECRET_REQUESTER, .target = p->c->me, .name = p->secret_names[i]};
        sdk_progress(p->c, "secret", NULL, 0, 0, NULL);
        SR_TRY(sms_put(p->c, &n, slice_of(s->value, s->n), false, err));
    }
    return SR_OK;
}

static sr_status make_deal(struct plan *p, struct sr_deal_ids *ret, struct sr_err *err) {
    struct sr_client *c = p->c;
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash deal, task;
    struct u256 volume;
    buf_init(&data, TX_MAX_DATA);
    SR_TRY(poco_enc_match(&data, &p->apps.v[0].order, data_order(p), &p->pools.v[0].order,
                          &p->request, err));
    sdk_progress(c, "deal", NULL, 0, 0, NULL);
    SR_TRY(sdk_send(c, &c->poco.hub, (struct u256){0}, buf_slice(&data), &r, err));
    SR_TRY(poco_receipt_deal(&c->poco, &r, &deal, &volume, err));
    task = poco_task_id(&deal, (struct u256){0}); /* a new request order: its first index is 0 */
    c->last_deal = deal;
    c->last_task = task;
    hash_put(ret->deal, &deal);
    hash_put(ret->task, &task);
    hash_put(ret->tx, &r.tx);
    u256_put(ret->cost_nrlc, p->cost);
    sdk_progress(c, "wait", "matched", 0, 0, ret->task);
    return SR_OK;
}

struct run_args {
    struct sr_client *c;
    const struct sr_run *run;
    struct sr_deal_ids *ret;
};

static sr_status start(void *arg, struct sr_err *err) {
    struct run_args *a = arg;
    struct plan *p = sr_calloc_n(1, sizeof *p);
    if (!p) return sr_fail(err, SR_E_NOMEM, "out of memory");
    p->c = a->c;
    p->run = a->run;
    buf_init(&p->params, POCO_PARAMS_MAX);
    sdk_progress(a->c, "check", NULL, 0, 0, a->run->app);
    sr_status st = read_request(p, err);
    if (st == SR_OK) st = check_all(p, err);
    if (st == SR_OK) st = push_secrets(p, err);
    if (st == SR_OK) st = make_deal(p, a->ret, err);
    plan_done(p);
    free(p);
    return st;
}

sr_status sr_run_start(struct sr_client *c, const struct sr_run *run, struct sr_deal_ids *ret_ids,
                       struct sr_err *err) {
    if (!run->app) return sr_fail(err, SR_E_USAGE, "a run names an app");
    struct run_args a = {c, run, ret_ids};
    return sdk_call(c, start, &a, err);
}
