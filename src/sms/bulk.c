/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data sets of one task of a bulk: the request's bulk_cid names a list of lists of data set
 * orders; task number i works on list i. An order that does not hold now withholds its data set,
 * with a code that requester and app are told; the others go on. SPEC: dataprotector.md#59-bulk,
 * execution.md#41-bag-of-tasks-and-bulk
 */
#include "ipfs/client.h"
#include "sms/chain_int.h"
#include <stdlib.h>

#define ROOT_MAX  (4u << 20)   /* bytes of the list of lists */
#define SLICE_MAX (512u << 10) /* of one list of orders */

void bulk_free(struct bulk_item *items, size_t n) {
    for (size_t i = 0; items && i < n; i++) poco_dataset_done(&items[i].dataset);
    free(items);
}

static sr_status wrong(const char *what, struct sr_err *err) {
    sr_hint(err, "the requester must prepare the bulk again");
    return sr_fail(err, SR_E_NOTFOUND, "the bulk's lists are not usable: %s", what);
}

/* A JSON file of the store, checked against its CID. What cannot be had for good is a refusal. */
static sr_status fetch(struct sms_chain *c, struct slice cid_or_path, size_t max, struct json **ret,
                       struct sr_err *err) {
    struct cid cid;
    struct slice rest;
    struct sr_err e = {0};
    cleanup_buf struct buf path, bytes;
    buf_init(&path, 256);
    buf_init(&bytes, max);
    if (!c->store) return sr_fail(err, SR_E_UNAVAILABLE, "no content store to read a bulk from");
    if (ipfs_path_parse(cid_or_path, &cid, &rest, NULL) != SR_OK || rest.n > 0)
        return wrong("a list is named by no CID", err);
    buf_printf(&path, "/ipfs/%s", cid_text(&cid).s);
    SR_TRY(buf_status(&path, err));
    sr_status st = ipfs_get_bytes(c->store, buf_slice(&path), &bytes, &e);
    if (st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT || st == SR_E_CANCELLED || st == SR_E_NOMEM) {
        *err = e;
        return st;
    }
    if (st != SR_OK) return wrong(e.what, err);
    if (json_parse(buf_slice(&bytes), ret, NULL) != SR_OK ||
        !json_is(json_root(*ret), JSON_ARRAY)) {
        json_free(sr_take_ptr(*ret));
        return wrong("a list is no JSON array", err);
    }
    return SR_OK;
}

static sr_status orders_of_slice(struct sms_chain *c, struct sms_facts *f, struct slice bulk_cid,
                                 struct json **ret_doc, struct sr_err *err) {
    cleanup_json struct json *root = NULL;
    struct slice slice;
    SR_TRY(fetch(c, bulk_cid, ROOT_MAX, &root, err));
    if (!json_str(json_at(json_root(root), (size_t)f->index), &slice))
        return wrong("there is no list for this task", err);
    SR_TRY(fetch(c, slice, SLICE_MAX, ret_doc, err));
    size_t n = json_len(json_root(*ret_doc));
    if (n == 0 || n > BULK_MAX) return wrong("a list has no order, or more than a hundred", err);
    f->bulk = sr_calloc_n(n, sizeof *f->bulk);
    return f->bulk ? SR_OK : sr_fail(err, SR_E_NOMEM, "no memory for a bulk");
}

static bool known_before(const struct sms_facts *f, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (addr_eq(&f->bulk[k].address, &f->bulk[i].address)) return true;
    return false;
}

/* What the order says by itself. */
static const char *judge_order(const struct sms_facts *f, size_t i) {
    const struct poco_datasetorder *d = &f->bulk[i].order.dataset;
    if (known_before(f, i)) return "DATASET_REPEATED";
    if (!u256_is_zero(d->datasetprice) || u256_cmp(d->volume, u256_of(POCO_SAFE_MAX - 1)) < 0)
        return "DATASET_ORDER_NOT_BULK";
    return NULL;
}

/* The hub's word why it does not hold. */
static const char *reason(const char *what) {
    static const struct {
        const char *part, *code;
    } all[] = {{"revoked or fully consumed", "DATASET_ORDER_REVOKED"},
               {"Invalid dataset order signature", "DATASET_ORDER_EXPIRED"},
               {"restriction not satisfied", "DATASET_ORDER_RESTRICTED"}};
    for (size_t i = 0; i < SR_ARRAY_LEN(all); i++)
        if (strstr(what, all[i].part)) return all[i].code;
    return "DATASET_ORDER_INVALID";
}

static bool is_group(const struct addr *to, const struct addr *who) {
    return !addr_is_zero(to) && !addr_eq(to, who);
}

/* The order holds: what the vault needs beside it. */
static void accept(struct sms_chain *c, const struct sms_facts *f, struct bulk_item *b) {
    const struct poco_datasetorder *d = &b->order.dataset;
    struct addr signer;
    b->presigned = poco_order_signer(&b->order, &c->poco.domain, &signer, NULL) != SR_OK ||
                   !addr_eq(&signer, &b->dataset.owner);
    b->groups = is_group(&d->apprestrict, &f->deal.app.pointer) ||
                is_group(&d->workerpoolrestrict, &f->deal.workerpool.pointer) ||
                is_group(&d->requesterrestrict, &f->deal.requester);
}

/* Asks for all at once: does the order hold for this deal, and what is the data set. */
static sr_status ask_chain(struct sms_chain *c, struct sms_facts *f, struct eth_at at,
                           struct sr_err *err) {
    size_t holds[BULK_MAX] = {0}, view[BULK_MAX] = {0};
    cleanup_batch struct eth_batch *b = eth_batch_new(c->rpc);
    cleanup_buf struct buf call;
    if (!b) return sr_fail(err, SR_E_NOMEM, "no memory for a bulk");
    buf_init(&call, 8192);
    for (size_t i = 0; i < f->n_bulk; i++) {
        struct bulk_item *x = &f->bulk[i];
        if (x->outcome) continue;
        buf_clear(&call);
        SR_TRY(poco_enc_assert_dataset_deal(&call, &x->order, &f->deal_id, err));
        holds[i] = eth_batch_call(b, &c->poco.hub, buf_slice(&call), at);
        buf_clear(&call);
        SR_TRY(abi_call(&call, "viewDataset(address)", err, av_addr(&x->address)));
        view[i] = eth_batch_call(b, &c->poco.hub, buf_slice(&call), at);
    }
    SR_TRY(eth_batch_run(b, err));
    for (size_t i = 0; i < f->n_bulk; i++) {
        struct bulk_item *x = &f->bulk[i];
        struct slice answer;
        struct sr_err e = {0};
        if (x->outcome) continue;
        sr_status st = eth_batch_get(b, view[i], &answer, &e);
        if (st == SR_OK) st = poco_dataset_of(answer, &x->dataset, &e);
        if (st == SR_E_REFUSED || st == SR_E_MALFORMED) {
            x->outcome = "DATASET_UNKNOWN";
            continue;
        }
        if (st == SR_OK) st = eth_batch_get(b, holds[i], &answer, &e);
        if (st == SR_E_REFUSED) {
            x->outcome = reason(e.what);
        } else if (st != SR_OK) {
            *err = e;
            return st;
        } else {
            accept(c, f, x);
        }
    }
    return SR_OK;
}

sr_status bulk_read(struct sms_chain *c, struct sms_facts *f, struct eth_at at,
                    struct sr_err *err) {
    cleanup_params struct poco_params p = {0};
    SR_TRY(poco_params_read(f->deal.params, &p, err));
    if (p.bulk_cid.n == 0 || f->has_dataset) return SR_OK;
    f->is_bulk = true;
    SR_TRY(orders_of_slice(c, f, p.bulk_cid, &f->docs[3], err));
    for (const struct json_val *v = json_first(json_root(f->docs[3])); v; v = json_next(v)) {
        size_t i = f->n_bulk++;
        struct bulk_item *x = &f->bulk[i];
        (void)!json_addr(json_get(v, "dataset"), &x->address);
        x->outcome = poco_order_from_json(POCO_DATASET, v, &x->order, NULL) == SR_OK
                         ? judge_order(f, i)
                         : "DATASET_ORDER_MALFORMED";
    }
    return ask_chain(c, f, at, err);
}
