/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/facts.h"
#include <stdlib.h>

#define MALFORMED(what) vault_refuse(err, SR_E_MALFORMED, "MALFORMED", what)

static bool bytes_at(const struct json_val *v, const char *key, void *dst, size_t n) {
    struct slice s;
    return json_str(json_get(v, key), &s) && slice_starts(s, "0x") && s.n == 2 + 2 * n &&
           hex_decode(s, dst, n);
}

sr_status asked_read(struct slice json, struct slice evidence, struct asked *ret,
                     struct sr_err *err) {
    if (evidence.n == 0 || evidence.n > WIRE_EVIDENCE_MAX) return MALFORMED("evidence");
    sr_status st = json_parse(json, &ret->doc, err);
    if (st == SR_E_NOMEM) return st;
    if (st != SR_OK) return MALFORMED("the request is not JSON");
    const struct json_val *v = json_root(ret->doc);
    if (!wire_assignment_read(json_get(v, "assignment"), &ret->assignment))
        return MALFORMED("assignment");
    if (!json_addr(json_get(v, "challenge"), &ret->challenge) ||
        !bytes_at(v, "challengePublic", ret->challenge_public, 64) ||
        !bytes_at(v, "sealingKey", ret->sealing_key, 32) ||
        !bytes_at(v, "signature", ret->signature.b, 65))
        return MALFORMED("challenge, its public key, sealing key or signature");
    ret->evidence = evidence;
    ret->evidence_digest = sha256(evidence);
    return SR_OK;
}

void asked_done(struct asked *a) {
    json_free(a->doc);
    a->doc = NULL;
}

/* A whole number, as a number or in a string. */
static bool number(const struct json_val *v, uint64_t *ret) {
    struct u256 n;
    return json_u256(v, &n) && u256_to_u64(n, ret) && *ret <= POCO_SAFE_MAX;
}

static bool flag(const struct json_val *v, bool *ret) {
    *ret = false; /* absent: no */
    return !v || json_bool(v, ret);
}

static bool read_deal(const struct json_val *d, struct facts *f) {
    struct slice s;
    const struct json_val *ds = json_get(d, "dataset");
    if (!json_hash(json_get(d, "id"), &f->deal) || !json_addr(json_get(d, "app"), &f->app) ||
        !json_addr(json_get(d, "appOwner"), &f->app_owner) ||
        !json_hash(json_get(d, "appChecksum"), &f->app_checksum) ||
        !json_addr(json_get(d, "workerpool"), &f->workerpool) ||
        !json_addr(json_get(d, "requester"), &f->requester) ||
        !json_addr(json_get(d, "beneficiary"), &f->beneficiary) ||
        !json_addr(json_get(d, "callback"), &f->callback) ||
        !json_hash(json_get(d, "tag"), &f->tag) || !json_str(json_get(d, "params"), &f->params))
        return false;
    if (!number(json_get(d, "botFirst"), &f->bot_first) ||
        !number(json_get(d, "botSize"), &f->bot_size) ||
        !number(json_get(d, "seconds"), &f->seconds) ||
        !number(json_get(d, "contributionDeadline"), &f->deadline))
        return false;
    if (json_kind(ds) == JSON_NULL) return true; /* none */
    if (!json_addr(ds, &f->dataset)) return false;
    if (addr_is_zero(&f->dataset)) return true;
    if (!json_str(json_get(d, "datasetMultiaddr"), &s)) return false;
    f->dataset_multiaddr = s;
    return json_addr(json_get(d, "datasetOwner"), &f->dataset_owner) &&
           json_hash(json_get(d, "datasetChecksum"), &f->dataset_checksum);
}

static sr_status read_orders(const struct json_val *v, struct facts *f, struct sr_err *err) {
    const struct json_val *o = json_get(v, "orders"), *ds = json_get(o, "dataset");
    SR_TRY(poco_order_from_json(POCO_APP, json_get(o, "app"), &f->app_order, err));
    SR_TRY(poco_order_from_json(POCO_REQUEST, json_get(o, "request"), &f->request_order, err));
    f->dataset_order.kind = POCO_DATASET;
    if (json_kind(ds) == JSON_NULL) return SR_OK;
    f->has_dataset_order = true;
    return poco_order_from_json(POCO_DATASET, ds, &f->dataset_order, err);
}

static bool former(const struct json_val *v, struct facts *f) {
    f->has_former_owner = v != NULL;
    return !v || json_addr(v, &f->former_owner);
}

static bool read_stored(const struct json_val *list, struct facts *f) {
    uint64_t kind = 0;
    if (json_kind(list) == JSON_NULL) return true;
    if (!json_is(list, JSON_ARRAY) || json_len(list) > VAULT_SECRETS_MAX) return false;
    for (const struct json_val *s = json_first(list); s; s = json_next(s)) {
        struct stored *t = &f->stored[f->n_stored++];
        if (!number(json_get(s, "kind"), &kind) || kind < SECRET_WEB3 || kind > SECRET_APP ||
            !json_addr(json_get(s, "target"), &t->target) ||
            !json_str(json_get(s, "name"), &t->name) ||
            !json_str(json_get(s, "stored"), &t->base64))
            return false;
        t->kind = (secret_kind)kind;
    }
    return true;
}

static sr_status read_one(const struct json_val *v, struct bulk_fact *b, struct sr_err *err) {
    const struct json_val *former = json_get(v, "formerOwner");
    struct slice code = json_text(json_get(v, "outcome"));
    if (!json_addr(json_get(v, "address"), &b->address) || code.n > VAULT_OUTCOME_MAX)
        return MALFORMED("a data set of the bulk");
    b->outcome = code;
    if (code.n > 0) return SR_OK;
    b->has_former_owner = former != NULL;
    if (!json_addr(json_get(v, "owner"), &b->owner) ||
        !json_hash(json_get(v, "checksum"), &b->checksum) ||
        !json_str(json_get(v, "multiaddr"), &b->multiaddr) ||
        !flag(json_get(v, "presigned"), &b->presigned) ||
        !flag(json_get(v, "groupsChecked"), &b->groups_checked) ||
        (former && !json_addr(former, &b->former_owner)))
        return MALFORMED("a data set of the bulk");
    return poco_order_from_json(POCO_DATASET, json_get(v, "order"), &b->order, err);
}

static sr_status read_bulk(const struct json_val *list, struct facts *f, struct sr_err *err) {
    size_t n = json_len(list);
    if (!list || json_is(list, JSON_NULL)) return SR_OK;
    if (!json_is(list, JSON_ARRAY) || n > VAULT_BULK_MAX) return MALFORMED("the bulk");
    if (!(f->bulk = sr_calloc_n(n + 1, sizeof *f->bulk)))
        return sr_fail(err, SR_E_NOMEM, "no memory for a bulk");
    for (const struct json_val *v = json_first(list); v; v = json_next(v))
        SR_TRY(read_one(v, &f->bulk[f->n_bulk++], err));
    return SR_OK;
}

sr_status facts_read(struct slice json, struct facts *ret, struct sr_err *err) {
    sr_status st = json_parse(json, &ret->doc, err);
    if (st == SR_E_NOMEM) return st;
    if (st != SR_OK) return MALFORMED("the facts are not JSON");
    const struct json_val *v = json_root(ret->doc), *pre = json_get(v, "presigned");
    if (!number(json_get(v, "now"), &ret->now) ||
        !json_addr(json_get(v, "poolOwner"), &ret->pool_owner) ||
        !number(json_get(v, "index"), &ret->index) || !read_deal(json_get(v, "deal"), ret) ||
        !flag(json_get(pre, "app"), &ret->app_presigned) ||
        !flag(json_get(pre, "dataset"), &ret->dataset_presigned) ||
        !flag(json_get(pre, "request"), &ret->request_presigned) ||
        !flag(json_get(v, "groupsChecked"), &ret->groups_checked) ||
        !former(json_get(v, "formerOwner"), ret) || !read_stored(json_get(v, "secrets"), ret))
        return MALFORMED("the facts about the deal");
    struct sr_err why = {0};
    st = read_orders(v, ret, &why);
    if (st == SR_OK) st = read_bulk(json_get(v, "bulk"), ret, &why);
    if (st == SR_E_NOMEM) return sr_fail(err, st, "%s", why.what);
    if (st != SR_OK) return vault_refuse(err, SR_E_MALFORMED, "MALFORMED", "%.160s", why.what);
    return SR_OK;
}

void facts_done(struct facts *f) {
    free(f->bulk);
    f->bulk = NULL;
    json_free(f->doc);
    f->doc = NULL;
}
