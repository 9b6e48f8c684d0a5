/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run before it costs anything: reads the request, finds orders, checks all that can be checked.
 * SPEC: dataprotector.md#57-processprotecteddata
 */
#include "sdk/plan.h"
#include <stdlib.h>

#define GAS_OF_MATCH 900000u /* of the largest match, with room */

void plan_done(struct plan *p) {
    book_done(&p->apps);
    book_done(&p->datas);
    book_done(&p->pools);
    buf_done(&p->params);
}

const struct poco_order *plan_data_order(const struct plan *p) {
    return p->has_data_order ? &p->datas.v[0].order : NULL;
}

static sr_status read_limits(const struct sr_run *r, struct sr_err *err) {
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
    return SR_OK;
}

sr_status plan_read(struct plan *p, struct sr_client *c, const struct sr_run *r,
                    struct sr_err *err) {
    p->c = c;
    p->run = r;
    buf_init(&p->params, POCO_PARAMS_MAX);
    SR_TRY(read_limits(r, err));
    SR_TRY(sdk_price(r->max_app_nrlc, "max app price", &p->max_app, err));
    SR_TRY(sdk_price(r->max_data_nrlc, "max data price", &p->max_data, err));
    SR_TRY(sdk_price(r->max_pool_nrlc, "max pool price", &p->max_pool, err));
    SR_TRY(sdk_app_addr(c, r->app, &p->app, err));
    p->has_data = r->n_data == 1;
    if (p->has_data) SR_TRY(sdk_addr_arg(r->data[0], "data", &p->data, err));
    SR_TRY(sdk_network(c, err));
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    SR_TRY(sdk_service(c, c->net.sms, "sms", err));
    if (r->callback) SR_TRY(sdk_addr_arg(r->callback, "callback", &p->callback, err));
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

/* ---- blockers -----------------------------------------------------------------------------------
 */

/* Ours to mend, or the end of everything: no blocker of the run. */
static bool is_fatal(sr_status st) {
    return st == SR_E_NOMEM || st == SR_E_USAGE || st == SR_E_CANCELLED || st == SR_E_SYS;
}

static void note(struct plan *p, sr_status st, const struct sr_err *why) {
    if (p->n_blockers == PLAN_MAX_BLOCKERS) return;
    struct sr_blocker *b = &p->blockers[p->n_blockers++];
    const struct sr_failure *f = sr_failure_find(why->failure);
    b->code = f ? f->code : sr_status_name(st);
    b->stage = f ? f->stage : "check";
    b->party = f ? f->party : "requester";
    b->retry = f && f->retry;
    TEXT_PUT(b->what, slice_str(why->what));
    TEXT_PUT(b->next, slice_str(sr_err_next(why)));
}

/* One check. *ret_passed may be NULL. In a run the first failure ends it; else it is noted. */
static sr_status step(struct plan *p, sr_status (*check)(struct plan *, struct sr_err *),
                      bool *ret_passed, struct sr_err *err) {
    struct sr_err why = {0};
    sr_status st = check(p, &why);
    if (ret_passed) *ret_passed = st == SR_OK;
    if (st == SR_OK) return SR_OK;
    if (p->blockers && !is_fatal(st)) {
        note(p, st, &why);
        return SR_OK;
    }
    if (err && err->code == SR_OK) *err = why;
    return st;
}

/* A service that does not answer is named by the catalogue. */
static bool is_down(sr_status st) {
    return st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT || st == SR_E_CHAIN;
}

static sr_status down(sr_status st, sr_failure_id id, struct sr_err *err) {
    if (is_down(st)) sr_why(err, id);
    return st;
}

static sr_status check_chain(struct plan *p, struct sr_err *err) {
    uint64_t block;
    sr_status st = sdk_chain(p->c, err);
    if (st == SR_OK) st = eth_block_number(p->c->rpc, &block, err);
    return down(st, SR_F_CHAIN_DOWN, err);
}

static sr_status check_market(struct plan *p, struct sr_err *err) {
    cleanup_buf struct buf url;
    cleanup_json struct json *doc = NULL;
    buf_init(&url, SDK_URL_MAX);
    buf_printf(&url, "%s/version", p->c->net.market);
    SR_TRY(buf_status(&url, err));
    return down(market_get(p->c, buf_cstr(&url), &doc, err), SR_F_MARKET_DOWN, err);
}

static sr_status check_sms(struct plan *p, struct sr_err *err) {
    return down(sms_ready(p->c, err), SR_F_SECRET_SERVICE_DOWN, err);
}

/* Its workers, where there is a scheduler of our kind; a foreign pool may have none to ask. */
static sr_status check_scheduler(struct plan *p, struct sr_err *err) {
    struct sr_client *c = p->c;
    if (!c->net.scheduler || !c->net.has_workerpool || !addr_eq(&p->pool, &c->net.workerpool))
        return SR_OK;
    cleanup_buf struct buf url;
    cleanup_json struct json *doc = NULL;
    cleanup_answer struct http_answer a = {0};
    buf_init(&url, SDK_URL_MAX);
    buf_printf(&url, "%s/v1/pool", c->net.scheduler);
    SR_TRY(buf_status(&url, err));
    struct http_call call = {.url = buf_cstr(&url), .max_body = 1u << 20};
    sr_status st = sdk_fetch(&call, SDK_PATIENCE_MS, &a, err);
    if (st == SR_OK && a.status == 404) return SR_OK; /* not of our kind */
    if (st == SR_OK && a.status != 200)
        st = sr_fail(err, SR_E_UNAVAILABLE, "the scheduler at %s answers %d", c->net.scheduler,
                     a.status);
    if (st != SR_OK) return down(st, SR_F_SCHEDULER_DOWN, err);
    SR_TRY(json_parse(buf_slice(&a.body), &doc, err));
    const struct json_val *workers = json_get(json_root(doc), "workers");
    if (!json_is(workers, JSON_ARRAY) || json_len(workers) > 0) return SR_OK;
    sr_why(err, SR_F_NO_WORKER);
    return sr_fail(err, SR_E_UNAVAILABLE, "no worker is connected to workerpool %s",
                   addr_text(&p->pool).s);
}

/* ---- what must exist --------------------------------------------------------------------------
 */

/* Can it be fetched? *ret_there true where that cannot be asked: another's registry or site. */
static sr_status is_stored(struct plan *p, struct slice multiaddr, bool *ret_there,
                           struct sr_err *err) {
    struct sr_client *c = p->c;
    cleanup_buf struct buf where, location;
    struct cid cid;
    struct slice path;
    uint64_t bytes;
    *ret_there = true;
    buf_init(&where, MULTIADDR_MAX * 2);
    buf_init(&location, 512);
    SR_TRY(multiaddr_text(multiaddr, &where, err));
    if (ipfs_path_parse(buf_slice(&where), &cid, &path, NULL) != SR_OK) return SR_OK;
    SR_TRY(sdk_service(c, c->net.ipfs_gateway, "ipfsGateway", err));
    buf_printf(&location, "/ipfs/%s", cid_text(&cid).s);
    struct sr_err why = {0};
    sr_status st = ipfs_head(c->net.ipfs_gateway, buf_slice(&location), &bytes, &why);
    if (st == SR_OK) return SR_OK;
    if (st == SR_E_NOTFOUND) {
        *ret_there = false;
        return SR_OK;
    }
    if (err && err->code == SR_OK) *err = why;
    return down(st, SR_F_STORE_DOWN, err);
}

static sr_status check_app(struct plan *p, struct sr_err *err) {
    struct poco_app app = {0};
    bool there = false;
    sr_status st = poco_view_app(&p->c->poco, &p->app, (struct eth_at){0}, &app, err);
    if (st == SR_E_NOTFOUND) {
        sr_why(err, SR_F_APP_UNKNOWN);
        sr_hint(err, "strongroom app deploy prints an app's address");
    }
    SR_TRY(st);
    bool empty = app.multiaddr.n == 0;
    if (!empty) st = is_stored(p, app.multiaddr, &there, err);
    poco_app_done(&app);
    SR_TRY(st);
    if (there) return SR_OK;
    sr_why(err, SR_F_APP_IMAGE_MISSING);
    return sr_fail(err, SR_E_REFUSED,
                   empty ? "the app %s has no image" : "the image of app %s is not in the store",
                   addr_text(&p->app).s);
}

static sr_status check_data(struct plan *p, struct sr_err *err) {
    bool registered;
    struct addr owner;
    SR_TRY(poco_owner(&p->c->poco, POCO_DATASET, &p->data, (struct eth_at){0}, &registered, &owner,
                      err));
    if (registered) return SR_OK;
    sr_why(err, SR_F_DATA_UNKNOWN);
    return sr_fail(err, SR_E_NOTFOUND, "there is no protected data at %s", addr_text(&p->data).s);
}

static sr_status check_data_key(struct plan *p, struct sr_err *err) {
    struct sms_name n = {.kind = SECRET_WEB3, .target = p->data, .name = ""};
    bool has;
    SR_TRY(down(sms_has(p->c, &n, &has, err), SR_F_SECRET_SERVICE_DOWN, err));
    if (has) return SR_OK;
    sr_why(err, SR_F_DATA_KEY_MISSING);
    sr_hint(err, "its owner must protect it again");
    return sr_fail(err, SR_E_REFUSED, "the key of data %s is not in the secret service",
                   addr_text(&p->data).s);
}

static sr_status check_data_file(struct plan *p, struct sr_err *err) {
    struct poco_dataset ds = {0};
    bool there = false;
    SR_TRY(poco_view_dataset(&p->c->poco, &p->data, (struct eth_at){0}, &ds, err));
    sr_status st = is_stored(p, ds.multiaddr, &there, err);
    poco_dataset_done(&ds);
    SR_TRY(st);
    if (there) return SR_OK;
    sr_why(err, SR_F_DATA_FILE_MISSING);
    return sr_fail(err, SR_E_REFUSED, "the encrypted file of data %s is not in the store",
                   addr_text(&p->data).s);
}

static sr_status check_pool(struct plan *p, struct sr_err *err) {
    bool registered;
    struct addr owner;
    SR_TRY(poco_owner(&p->c->poco, POCO_WORKERPOOL, &p->pool, (struct eth_at){0}, &registered,
                      &owner, err));
    if (registered) return SR_OK;
    sr_why(err, SR_F_WORKERPOOL_UNKNOWN);
    return sr_fail(err, SR_E_NOTFOUND, "there is no workerpool at %s", addr_text(&p->pool).s);
}

/* ---- orders -------------------------------------------------------------------------------------
 */

/* Still open by the chain, which may know more than the book. */
static sr_status is_open(struct sr_client *c, const struct book_entry *e, bool *ret_open,
                         struct sr_err *err) {
    struct u256 consumed;
    SR_TRY(poco_view_consumed(&c->poco, &e->hash, (struct eth_at){0}, &consumed, err));
    *ret_open = u256_cmp(consumed, *poco_order_volume(&e->order)) < 0;
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

static sr_status too_dear(sr_failure_id id, const char *what, struct u256 price, struct u256 max,
                          const char *option, struct sr_err *err) {
    char a[U256_DEC_MAX], b[U256_DEC_MAX];
    u256_to_dec(a, price);
    u256_to_dec(b, max);
    sr_why(err, id);
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
    struct u256 price;
    SR_TRY(down(market_orders(p->c, POCO_APP, &f, &p->apps, err), SR_F_MARKET_DOWN, err));
    SR_TRY(choose(p->c, &p->apps, p->max_app, &n, &price, &p->has_app_order, err));
    if (p->has_app_order) return SR_OK;
    if (n > 0)
        return too_dear(SR_F_APP_PRICE_TOO_HIGH, "app", price, p->max_app, "--max-app-price", err);
    sr_why(err, SR_F_APP_ORDER_MISSING);
    sr_hint(err, "its owner publishes one with strongroom app publish %s", app.s);
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
    if (closed || market_was_revoked(p->c, &p->data, &p->app, &p->c->me, &order)) {
        sr_why(err, SR_F_DATA_GRANT_REVOKED);
        return sr_fail(err, SR_E_REFUSED,
                       "the owner has revoked access to data %s for app %s and user %s", data.s,
                       app.s, me.s);
    }
    sr_why(err, SR_F_DATA_NOT_GRANTED);
    return sr_fail(err, SR_E_REFUSED,
                   "access to data %s is not granted to app %s and user %s (or no longer)", data.s,
                   app.s, me.s);
}

static sr_status find_data_order(struct plan *p, struct sr_err *err) {
    struct addr_text app = addr_text(&p->app), data = addr_text(&p->data),
                     pool = addr_text(&p->pool), me = addr_text(&p->c->me);
    struct book_filter f = {
        .resource = data.s, .app = app.s, .workerpool = pool.s, .requester = me.s};
    size_t n;
    struct u256 price;
    SR_TRY(down(market_orders(p->c, POCO_DATASET, &f, &p->datas, err), SR_F_MARKET_DOWN, err));
    SR_TRY(choose(p->c, &p->datas, p->max_data, &n, &price, &p->has_data_order, err));
    if (!p->has_data_order && n == 0) {
        SR_TRY(market_group_orders(p->c, &p->data, &p->app, &p->pool, &p->datas, err));
        SR_TRY(choose(p->c, &p->datas, p->max_data, &n, &price, &p->has_data_order, err));
        p->by_group = p->has_data_order;
    }
    if (p->has_data_order) return SR_OK;
    if (n > 0)
        return too_dear(SR_F_DATA_PRICE_TOO_HIGH, "data", price, p->max_data, "--max-data-price",
                        err);
    return no_grant(p, err);
}

static sr_status find_pool_order(struct plan *p, struct sr_err *err) {
    struct addr_text app = addr_text(&p->app), data = addr_text(&p->data),
                     pool = addr_text(&p->pool), me = addr_text(&p->c->me);
    struct hash tag = tag_of(SDK_TAG_TEE_TDX);
    if (p->has_app_order) tag = tag_or(&tag, &p->apps.v[0].order.app.tag);
    struct book_filter f = {.resource = pool.s,
                            .app = app.s,
                            .dataset = p->has_data ? data.s : NULL,
                            .requester = me.s,
                            .min_tag = &tag,
                            .has_category = true,
                            .category = p->run->category};
    size_t n;
    struct u256 price;
    SR_TRY(down(market_orders(p->c, POCO_WORKERPOOL, &f, &p->pools, err), SR_F_MARKET_DOWN, err));
    SR_TRY(choose(p->c, &p->pools, p->max_pool, &n, &price, &p->has_pool_order, err));
    if (p->has_pool_order) return SR_OK;
    if (n > 0)
        return too_dear(SR_F_WORKERPOOL_PRICE_TOO_HIGH, "workerpool", price, p->max_pool,
                        "--max-pool-price", err);
    sr_why(err, SR_F_WORKERPOOL_ORDER_MISSING);
    return sr_fail(err, SR_E_REFUSED, "workerpool %s offers no matching order now", pool.s);
}

/* ---- do they fit, and is there money ------------------------------------------------------------
 */

/* Signed by today's owner? */
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
    sr_why(err, SR_F_ORDERS_DO_NOT_MATCH);
    sr_hint(err, "its owner must publish a new order");
    return sr_fail(err, SR_E_REFUSED, "the %s order is not signed by today's owner of %s", what,
                   addr_text(poco_order_resource(o)).s);
}

static sr_status check_app_signer(struct plan *p, struct sr_err *err) {
    return check_signer(p, &p->apps.v[0].order, "app", err);
}

static sr_status check_data_signer(struct plan *p, struct sr_err *err) {
    return check_signer(p, plan_data_order(p), "data", err);
}

static sr_status check_pool_signer(struct plan *p, struct sr_err *err) {
    return check_signer(p, &p->pools.v[0].order, "workerpool", err);
}

static sr_status check_match(struct plan *p, struct sr_err *err) {
    if (p->by_group) return SR_OK; /* the chain knows the members: check_group */
    sr_status st = poco_match_check(&p->apps.v[0].order, plan_data_order(p), &p->pools.v[0].order,
                                    &p->request, err);
    if (st == SR_E_REFUSED) sr_why(err, SR_F_ORDERS_DO_NOT_MATCH);
    return st;
}

static sr_status check_group(struct plan *p, struct sr_err *err) {
    struct hash deal;
    sr_status st = poco_try_match(&p->c->poco, &p->c->me, &p->apps.v[0].order, plan_data_order(p),
                                  &p->pools.v[0].order, &p->request, &deal, err);
    if (st == SR_E_REFUSED) sr_why(err, SR_F_ORDERS_DO_NOT_MATCH);
    return st;
}

static sr_status add_price(const struct book *b, bool found, struct u256 *sum, struct sr_err *err) {
    /* Too dear: what it would cost if the maximum were raised. */
    if (!found && b->n == 0) return SR_OK;
    return u256_add(sum, *sum, *poco_order_price(&b->v[0].order))
               ? SR_OK
               : sr_fail(err, SR_E_RANGE, "the price overflows");
}

static sr_status check_stake(struct plan *p, struct sr_err *err) {
    struct poco_account a;
    struct u256 sum = {0};
    SR_TRY(add_price(&p->apps, p->has_app_order, &sum, err));
    SR_TRY(add_price(&p->datas, p->has_data_order, &sum, err));
    SR_TRY(add_price(&p->pools, p->has_pool_order, &sum, err));
    p->cost = sum;
    SR_TRY(poco_view_account(&p->c->poco, &p->c->me, (struct eth_at){0}, &a, err));
    if (u256_cmp(a.stake, sum) >= 0) return SR_OK;
    char want[U256_DEC_MAX], have[U256_DEC_MAX];
    u256_to_dec(want, sum);
    u256_to_dec(have, a.stake);
    sr_why(err, SR_F_STAKE_TOO_LOW);
    sr_hint(err, "strongroom account deposit %s", want);
    return sr_fail(err, SR_E_REFUSED,
                   "Cost per task (%s nRLC) is greater than requester account stake (%s)", want,
                   have);
}

static sr_status check_gas(struct plan *p, struct sr_err *err) {
    struct u256 have, fee, tip, want;
    SR_TRY(eth_balance(p->c->rpc, &p->c->me, (struct eth_at){0}, &have, err));
    SR_TRY(eth_fees(p->c->rpc, &fee, &tip, err));
    if (!u256_mul(&want, fee, u256_of(GAS_OF_MATCH)))
        return sr_fail(err, SR_E_RANGE, "the chain's gas price is absurd");
    if (u256_cmp(have, want) >= 0) return SR_OK;
    char w[U256_DEC_MAX], h[U256_DEC_MAX];
    u256_to_dec(w, want);
    u256_to_dec(h, have);
    sr_why(err, SR_F_GAS_TOO_LOW);
    return sr_fail(err, SR_E_REFUSED,
                   "a deal may need %s wei of the chain's coin for gas, but %s has %s", w,
                   addr_text(&p->c->me).s, h);
}

/* One's own key is made and stored by the run itself. */
static sr_status check_result_key(struct plan *p, struct sr_err *err) {
    struct sms_name n = {.kind = SECRET_WEB2, .target = p->beneficiary, .name = SDK_RESULT_KEY};
    bool has;
    if (p->run->plain_result || addr_eq(&p->beneficiary, &p->c->me) || !addr_is_zero(&p->callback))
        return SR_OK;
    SR_TRY(down(sms_has(p->c, &n, &has, err), SR_F_SECRET_SERVICE_DOWN, err));
    if (has) return SR_OK;
    sr_why(err, SR_F_RESULT_KEY_MISSING);
    sr_hint(err, "%s runs: strongroom result push-key", addr_text(&p->beneficiary).s);
    return sr_fail(err, SR_E_REFUSED, "the beneficiary has no result key in the secret service");
}

static sr_status check_orders(struct plan *p, struct sr_err *err) {
    bool app, data = true, pool, signed_ok;
    SR_TRY(step(p, find_app_order, &app, err));
    if (p->has_data) SR_TRY(step(p, find_data_order, &data, err));
    SR_TRY(step(p, find_pool_order, &pool, err));
    if (app) SR_TRY(step(p, check_app_signer, &app, err));
    if (p->has_data && data) SR_TRY(step(p, check_data_signer, &data, err));
    if (pool) SR_TRY(step(p, check_pool_signer, &signed_ok, err));
    if (!app || !data || !pool || !signed_ok) return SR_OK;
    SR_TRY(plan_request(p, err));
    return step(p, check_match, NULL, err);
}

sr_status plan_check(struct plan *p, struct sr_err *err) {
    bool app, data = true, pool = true;
    SR_TRY(step(p, check_chain, &p->chain, err));
    p->market = p->sms = true;
    if (p->blockers) { /* a run meets a service that is down when it asks it for something */
        SR_TRY(step(p, check_market, &p->market, err));
        SR_TRY(step(p, check_sms, &p->sms, err));
        SR_TRY(step(p, check_scheduler, NULL, err));
    }
    if (p->sms) SR_TRY(step(p, check_result_key, NULL, err));
    if (!p->chain) return SR_OK; /* noted: nothing else can be asked */
    SR_TRY(step(p, check_app, &app, err));
    if (p->has_data) SR_TRY(step(p, check_data, &data, err));
    if (p->has_data && data && p->sms) SR_TRY(step(p, check_data_key, NULL, err));
    if (p->has_data && data) SR_TRY(step(p, check_data_file, NULL, err));
    SR_TRY(step(p, check_pool, &pool, err));
    if (p->market) SR_TRY(check_orders(p, err));
    SR_TRY(step(p, check_stake, NULL, err));
    if (p->by_group && !p->blockers) SR_TRY(check_group(p, err)); /* can-run asks it in any case */
    return p->blockers ? step(p, check_gas, NULL, err) : SR_OK;
}
