/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run: when every check of its plan has passed, secrets are pushed and the deal is made.
 * SPEC: dataprotector.md#57-processprotecteddata
 */
#include "sdk/plan.h"
#include <stdlib.h>

/* ---- the request --------------------------------------------------------------------------------
 */

sr_status run_params(const struct sr_run *r, bool encrypt, const char *bulk_cid,
                     char names[][RUN_SECRET_NAME], struct buf *ret, struct sr_err *err) {
    struct poco_params *q = sr_calloc_n(1, sizeof *q);
    if (!q) return sr_fail(err, SR_E_NOMEM, "out of memory");
    q->storage = SLICE_LIT("ipfs");
    if (bulk_cid) q->bulk_cid = slice_str(bulk_cid);
    if (encrypt) q->has_encryption = q->encryption = true;
    if (r->args && r->args[0]) {
        q->has_args = true;
        q->args = slice_str(r->args);
    }
    for (size_t i = 0; i < r->n_inputs; i++) q->files[q->n_files++] = slice_str(r->input_urls[i]);
    for (size_t i = 0; i < r->n_secrets; i++)
        q->secrets[q->n_secrets++] =
            (struct poco_secret_ref){r->secrets[i].index, slice_str(names[i])};
    poco_params_write(q, ret);
    free(q);
    return buf_status(ret, err);
}

sr_status run_secrets_name(const struct sr_run *run, char ret_names[][RUN_SECRET_NAME],
                           struct sr_err *err) {
    for (size_t i = 0; i < run->n_secrets; i++) {
        uint8_t random[16];
        SR_TRY(random_bytes(random, sizeof random, err));
        memcpy(ret_names[i], "0x", 2);
        hex_encode(ret_names[i] + 2, random, sizeof random);
    }
    return SR_OK;
}

sr_status run_secrets_push(struct sr_client *c, const struct sr_run *run,
                           char names[][RUN_SECRET_NAME], struct sr_err *err) {
    for (size_t i = 0; i < run->n_secrets; i++) {
        const struct sr_run_secret *s = &run->secrets[i];
        struct sms_name n = {.kind = SECRET_REQUESTER, .target = c->me, .name = names[i]};
        sdk_progress(c, "secret", NULL, 0, 0, NULL);
        SR_TRY(sms_put(c, &n, slice_of(s->value, s->n), false, err));
    }
    return SR_OK;
}

sr_status plan_request(struct plan *p, struct sr_err *err) {
    const struct poco_workerpoolorder *w = &p->pools.v[0].order.workerpool;
    SR_TRY(run_secrets_name(p->run, p->secret_names, err));
    SR_TRY(run_params(p->run, !p->run->plain_result && addr_is_zero(&p->callback), NULL,
                      p->secret_names, &p->params, err));
    p->request.kind = POCO_REQUEST;
    p->request.request = (struct poco_requestorder){.app = p->app,
                                                    .appmaxprice = p->apps.v[0].order.app.appprice,
                                                    .workerpool = w->workerpool,
                                                    .workerpoolmaxprice = w->workerpoolprice,
                                                    .requester = p->c->me,
                                                    .volume = u256_of(1),
                                                    .tag = tag_of(SDK_TAG_TEE_TDX),
                                                    .category = w->category,
                                                    .callback = p->callback,
                                                    .beneficiary = p->beneficiary,
                                                    .params = buf_slice(&p->params)};
    if (p->has_data) {
        p->request.request.dataset = p->data;
        p->request.request.datasetmaxprice = p->datas.v[0].order.dataset.datasetprice;
    }
    SR_TRY(poco_salt(&p->request, err));
    return poco_order_sign(&p->request, &p->c->poco.domain, &p->c->key, err);
}

/* ---- secrets, then the deal
 * ----------------------------------------------------------------------- */

static sr_status push_result_key(struct plan *p, struct sr_err *err) {
    struct sr_client *c = p->c;
    struct sms_name n = {.kind = SECRET_WEB2, .target = p->beneficiary, .name = SDK_RESULT_KEY};
    if (p->run->plain_result || !addr_is_zero(&p->callback)) return SR_OK;
    if (!addr_eq(&p->beneficiary, &c->me)) return SR_OK; /* theirs is there: checked */
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
    return run_secrets_push(p->c, p->run, p->secret_names, err);
}

static sr_status make_deal(struct plan *p, struct sr_deal_ids *ret, struct sr_err *err) {
    struct sr_client *c = p->c;
    cleanup_buf struct buf data;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash deal, task;
    struct u256 volume;
    buf_init(&data, TX_MAX_DATA);
    SR_TRY(poco_enc_match(&data, &p->apps.v[0].order, plan_data_order(p), &p->pools.v[0].order,
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
    sdk_fn fill;
    void *fill_arg;
    struct sr_deal_ids *ret;
};

static sr_status start(void *arg, struct sr_err *err) {
    struct run_args *a = arg;
    struct plan *p = sr_calloc_n(1, sizeof *p);
    if (!p) return sr_fail(err, SR_E_NOMEM, "out of memory");
    sdk_progress(a->c, "check", NULL, 0, 0, a->run->app);
    sr_status st = plan_read(p, a->c, a->run, err);
    if (st == SR_OK) st = plan_check(p, err);
    if (st == SR_OK && a->fill) st = a->fill(a->fill_arg, err);
    if (st == SR_OK) st = push_secrets(p, err);
    if (st == SR_OK) st = make_deal(p, a->ret, err);
    plan_done(p);
    free(p);
    return st;
}

sr_status run_start(struct sr_client *c, const struct sr_run *run, sdk_fn fill, void *arg,
                    struct sr_deal_ids *ret, struct sr_err *err) {
    if (!run->app) return sr_fail(err, SR_E_USAGE, "a run names an app");
    struct run_args a = {c, run, fill, arg, ret};
    return sdk_call(c, start, &a, err);
}

sr_status sr_run_start(struct sr_client *c, const struct sr_run *run, struct sr_deal_ids *ret_ids,
                       struct sr_err *err) {
    return run_start(c, run, NULL, NULL, ret_ids, err);
}
