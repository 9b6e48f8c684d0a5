/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many data sets in few tasks: the grants (free, without a limit) are put into lists of at most a
 * hundred, the lists into the store, and one request pays for as many tasks as there are lists.
 * SPEC: dataprotector.md#59-bulk
 */
#include "sdk/bulk_int.h"
#include <stdlib.h>

#define ROOT_MAX  (4u << 20)
#define SLICE_MAX (512u << 10)

void bulk_done(struct bulk *b) {
    free(b->grants);
    book_done(&b->apps);
    book_done(&b->pools);
    buf_done(&b->params);
    json_free(b->request_doc);
    free(b->tasks);
}

static sr_status read_args(struct bulk *b, struct sr_err *err) {
    struct sr_client *c = b->c;
    const struct sr_run *r = b->run;
    if (r->n_data == 0 || r->n_data > SR_BULK_MAX)
        return sr_fail(err, SR_E_USAGE, "a bulk has 1 to %d data sets", SR_BULK_MAX);
    if (b->per_task == 0) b->per_task = SR_BULK_PER_TASK;
    if (b->per_task > SR_BULK_PER_TASK)
        return sr_fail(err, SR_E_USAGE, "a task takes at most %d data sets", SR_BULK_PER_TASK);
    if (r->n_secrets > SR_MAX_SECRETS || r->n_inputs > SR_MAX_INPUTS)
        return sr_fail(err, SR_E_USAGE, "too many secrets or input files");
    if (r->args && strlen(r->args) > SR_MAX_ARGS)
        return sr_fail(err, SR_E_USAGE, "the arguments are longer than %d bytes", SR_MAX_ARGS);
    SR_TRY(sdk_price(r->max_app_nrlc, "max app price", &b->max_app, err));
    SR_TRY(sdk_price(r->max_pool_nrlc, "max pool price", &b->max_pool, err));
    SR_TRY(sdk_app_addr(c, r->app, &b->app, err));
    SR_TRY(sdk_chain(c, err));
    SR_TRY(sdk_service(c, c->net.market, "market", err));
    SR_TRY(sdk_service(c, c->net.sms, "sms", err));
    SR_TRY(sdk_service(c, c->net.ipfs_node, "ipfsNode", err));
    if (r->workerpool) {
        SR_TRY(sdk_addr_arg(r->workerpool, "workerpool", &b->pool, err));
    } else if (c->net.has_workerpool) {
        b->pool = c->net.workerpool;
    } else {
        sr_hint(err, "name one with --workerpool");
        return sr_fail(err, SR_E_NOTFOUND, "this network has no workerpool of its own");
    }
    SR_TRY(sdk_unlock(c, err));
    b->beneficiary = c->me;
    return r->beneficiary ? sdk_who(c, r->beneficiary, &b->beneficiary, err) : SR_OK;
}

/* ---- the grants ---- */

bool bulk_is(const struct poco_order *o) {
    return u256_is_zero(o->dataset.datasetprice) &&
           u256_cmp(o->dataset.volume, u256_of(POCO_SAFE_MAX - 1)) >= 0;
}

static sr_status pick(struct bulk *b, const struct book *open, struct poco_order *ret,
                      bool *ret_found, struct sr_err *err) {
    *ret_found = false;
    for (size_t i = 0; i < open->n; i++) {
        struct u256 used;
        if (!bulk_is(&open->v[i].order)) continue;
        SR_TRY(poco_view_consumed(&b->c->poco, &open->v[i].hash, (struct eth_at){0}, &used, err));
        if (u256_cmp(used, open->v[i].order.dataset.volume) >= 0) continue;
        *ret = open->v[i].order;
        *ret_found = true;
        return SR_OK;
    }
    return SR_OK;
}

static sr_status find_grant(struct bulk *b, const char *text, struct poco_order *ret,
                            bool *ret_found, bool *ret_key, struct sr_err *err) {
    struct sr_client *c = b->c;
    struct sms_name n = {.kind = SECRET_WEB3, .name = ""};
    cleanup_book struct book open = {0};
    SR_TRY(sdk_addr_arg(text, "data", &n.target, err));
    struct addr_text data = addr_text(&n.target), app = addr_text(&b->app),
                     pool = addr_text(&b->pool), me = addr_text(&c->me);
    struct book_filter f = {
        .resource = data.s, .app = app.s, .workerpool = pool.s, .requester = me.s};
    SR_TRY(market_orders(c, POCO_DATASET, &f, &open, err));
    SR_TRY(pick(b, &open, ret, ret_found, err));
    if (!*ret_found) {
        SR_TRY(market_group_orders(c, &n.target, &b->app, &b->pool, &open, err));
        SR_TRY(pick(b, &open, ret, ret_found, err));
    }
    return sms_has(c, &n, ret_key, err);
}

/* Names every data set that cannot be used, not the first only. */
static sr_status find_grants(struct bulk *b, struct sr_err *err) {
    cleanup_buf struct buf lacking;
    size_t n_lacking = 0;
    buf_init(&lacking, 4096);
    b->grants = sr_calloc_n(b->run->n_data, sizeof *b->grants);
    if (!b->grants) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < b->run->n_data; i++) {
        bool found, key;
        SR_TRY(find_grant(b, b->run->data[i], &b->grants[i], &found, &key, err));
        for (size_t k = 0; k < i; k++)
            if (addr_eq(&b->grants[k].dataset.dataset, &b->grants[i].dataset.dataset) && found)
                return sr_fail(err, SR_E_USAGE, "%s is given twice", b->run->data[i]);
        if (found && key) continue;
        if (n_lacking++ < 3)
            buf_printf(&lacking, "%s%s%s", n_lacking > 1 ? ", " : "", b->run->data[i],
                       found ? " (no key)" : "");
    }
    if (n_lacking == 0) return SR_OK;
    sr_hint(err, "its owner: strongroom data grant ADDR --bulk --app %s --user %s",
            addr_text(&b->app).s, addr_text(&b->c->me).s);
    return sr_fail(err, SR_E_REFUSED, "%zu of %zu data sets are not granted for bulk: %s%s",
                   n_lacking, b->run->n_data, buf_cstr(&lacking), n_lacking > 3 ? ", ..." : "");
}

/* ---- the lists ---- */

static sr_status put_list(struct bulk *b, const struct buf *list, char ret_cid[SR_CID_TEXT],
                          struct sr_err *err) {
    struct dag_result r;
    SR_TRY(buf_status(list, err));
    SR_TRY(ipfs_add_bytes(b->c->net.ipfs_node, buf_slice(list), &r, err));
    text_put(ret_cid, SR_CID_TEXT, slice_str(cid_text(&r.cid).s));
    return SR_OK;
}

static sr_status put_lists(struct bulk *b, struct sr_err *err) {
    cleanup_buf struct buf root, slice;
    buf_init(&root, ROOT_MAX);
    buf_init(&slice, SLICE_MAX);
    struct jw w = jw_of(&root);
    jw_arr(&w);
    sdk_progress(b->c, "upload", NULL, 0, 0, NULL);
    for (size_t at = 0; at < b->run->n_data; at += b->per_task) {
        char cid[SR_CID_TEXT];
        buf_clear(&slice);
        struct jw s = jw_of(&slice);
        jw_arr(&s);
        for (size_t i = at; i < b->run->n_data && i < at + b->per_task; i++)
            poco_order_json(&s, &b->grants[i], false, true);
        jw_end_arr(&s);
        SR_TRY(put_list(b, &slice, cid, err));
        jw_cstr(&w, cid);
        b->n_tasks++;
    }
    jw_end_arr(&w);
    return put_list(b, &root, b->root, err);
}

/* ---- the request ---- */

static sr_status cheapest(struct bulk *b, struct book *open, const char *what, struct u256 max,
                          const char *option, struct sr_err *err) {
    for (size_t i = 0; i < open->n; i++) {
        struct u256 used, price = *poco_order_price(&open->v[i].order);
        SR_TRY(poco_view_consumed(&b->c->poco, &open->v[i].hash, (struct eth_at){0}, &used, err));
        if (u256_cmp(used, *poco_order_volume(&open->v[i].order)) >= 0) continue;
        if (u256_cmp(price, max) > 0) {
            char text[U256_DEC_MAX];
            u256_to_dec(text, price);
            sr_hint(err, "%s %s accepts that price", option, text);
            return sr_fail(err, SR_E_REFUSED, "the cheapest %s order costs %s nRLC", what, text);
        }
        if (i > 0) open->v[0] = open->v[i];
        return SR_OK;
    }
    return sr_fail(err, SR_E_REFUSED, "there is no open %s order that can be used", what);
}

sr_status bulk_app_order(struct bulk *b, struct sr_err *err) {
    struct addr_text app = addr_text(&b->app), pool = addr_text(&b->pool),
                     me = addr_text(&b->c->me);
    struct hash tag = tag_of(POCO_TAG_TEE);
    struct book_filter f = {
        .resource = app.s, .workerpool = pool.s, .requester = me.s, .min_tag = &tag};
    book_done(&b->apps);
    SR_TRY(market_orders(b->c, POCO_APP, &f, &b->apps, err));
    return cheapest(b, &b->apps, "app", b->max_app, "--max-app-price", err);
}

sr_status bulk_pool_order(struct bulk *b, struct sr_err *err) {
    struct addr_text app = addr_text(&b->app), pool = addr_text(&b->pool),
                     me = addr_text(&b->c->me);
    struct hash tag = tag_of(SDK_TAG_TEE_TDX);
    tag = tag_or(&tag, &b->apps.v[0].order.app.tag);
    struct book_filter f = {
        .resource = pool.s, .app = app.s, .requester = me.s, .min_tag = &tag, .has_category = true};
    book_done(&b->pools);
    SR_TRY(market_orders(b->c, POCO_WORKERPOOL, &f, &b->pools, err));
    return cheapest(b, &b->pools, "workerpool", b->max_pool, "--max-pool-price", err);
}

static sr_status make_request(struct bulk *b, bool for_later, struct sr_err *err) {
    const struct poco_workerpoolorder *w = &b->pools.v[0].order.workerpool;
    const struct poco_apporder *a = &b->apps.v[0].order.app;
    SR_TRY(run_secrets_name(b->run, b->secret_names, err));
    SR_TRY(run_params(b->run, !b->run->plain_result, b->root, b->secret_names, &b->params, err));
    b->request.kind = POCO_REQUEST;
    b->request.request = (struct poco_requestorder){
        .app = b->app,
        .appmaxprice = for_later ? b->max_app : a->appprice,
        .workerpool = b->pool,
        .workerpoolmaxprice = for_later ? b->max_pool : w->workerpoolprice,
        .requester = b->c->me,
        .volume = u256_of(b->n_tasks),
        .tag = tag_of(SDK_TAG_TEE_TDX),
        .category = w->category,
        .beneficiary = b->beneficiary,
        .params = buf_slice(&b->params)};
    SR_TRY(poco_salt(&b->request, err));
    return poco_order_sign(&b->request, &b->c->poco.domain, &b->c->key, err);
}

static sr_status check_stake(struct bulk *b, struct sr_err *err) {
    struct poco_account a;
    struct u256 sum = b->apps.v[0].order.app.appprice;
    if (!u256_add(&sum, sum, b->pools.v[0].order.workerpool.workerpoolprice) ||
        !u256_mul(&sum, sum, u256_of(b->n_tasks)))
        return sr_fail(err, SR_E_RANGE, "the price overflows");
    SR_TRY(poco_view_account(&b->c->poco, &b->c->me, (struct eth_at){0}, &a, err));
    if (u256_cmp(a.stake, sum) >= 0) return SR_OK;
    char want[U256_DEC_MAX], have[U256_DEC_MAX];
    u256_to_dec(want, sum);
    u256_to_dec(have, a.stake);
    sr_hint(err, "strongroom account deposit %s", want);
    return sr_fail(err, SR_E_REFUSED, "the tasks cost %s nRLC, but the account has only %s", want,
                   have);
}

static sr_status push_secrets(struct bulk *b, struct sr_err *err) {
    struct sr_client *c = b->c;
    if (!b->run->plain_result && addr_eq(&b->beneficiary, &c->me)) SR_TRY(result_key_push(c, err));
    return run_secrets_push(c, b->run, b->secret_names, err);
}

sr_status bulk_prepare(struct bulk *b, bool for_later, struct sr_err *err) {
    buf_init(&b->params, POCO_PARAMS_MAX);
    SR_TRY(read_args(b, err));
    sdk_progress(b->c, "check", NULL, 0, 0, b->run->app);
    if (!b->grants) SR_TRY(find_grants(b, err));
    SR_TRY(bulk_app_order(b, err));
    SR_TRY(bulk_pool_order(b, err));
    SR_TRY(put_lists(b, err));
    SR_TRY(make_request(b, for_later, err));
    SR_TRY(check_stake(b, err));
    if (b->fill) SR_TRY(b->fill(b->fill_arg, err));
    return push_secrets(b, err);
}
