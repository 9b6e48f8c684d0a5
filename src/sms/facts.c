/* SPDX-License-Identifier: Apache-2.0 */
/* The facts as the vault reads them.  SPEC: docs/wire.md, "Secret release" */
#include "ipfs/ipfs.h"
#include "sms/sms_int.h"

static sr_status kmultiaddr(struct jw *w, const char *key, struct slice bytes, struct sr_err *err) {
    cleanup_buf struct buf text = {0};
    buf_init(&text, 8u * MULTIADDR_MAX);
    SR_TRY(multiaddr_text(bytes, &text, err));
    jw_kstr(w, key, buf_slice(&text));
    return SR_OK;
}

static sr_status deal_json(struct jw *w, const struct sms_facts *f, struct sr_err *err) {
    const struct poco_deal *d = &f->deal;
    uint64_t trust;
    if (!u256_to_u64(d->trust, &trust)) return sr_fail(err, SR_E_RANGE, "the deal's trust");
    jw_obj(w);
    jw_khash(w, "id", &f->deal_id);
    jw_kaddr(w, "app", &d->app.pointer);
    jw_kaddr(w, "appOwner", &f->app_owner);
    jw_khash(w, "appChecksum", &f->app.checksum);
    SR_TRY(kmultiaddr(w, "appMultiaddr", f->app.multiaddr, err));
    jw_kaddr(w, "dataset", &d->dataset.pointer);
    jw_kaddr(w, "datasetOwner", &f->dataset_owner);
    if (f->has_dataset) {
        SR_TRY(kmultiaddr(w, "datasetMultiaddr", f->dataset.multiaddr, err));
        jw_khash(w, "datasetChecksum", &f->dataset.checksum);
    }
    jw_kaddr(w, "workerpool", &d->workerpool.pointer);
    jw_kaddr(w, "requester", &d->requester);
    jw_kaddr(w, "beneficiary", &d->beneficiary);
    jw_kaddr(w, "callback", &d->callback);
    jw_khash(w, "tag", &d->tag);
    jw_kstr(w, "params", d->params);
    jw_ku64(w, "trust", trust);
    jw_ku64(w, "botFirst", f->bot_first);
    jw_ku64(w, "botSize", f->bot_size);
    jw_ku64(w, "seconds", f->seconds);
    jw_ku64(w, "contributionDeadline", f->contribution_deadline);
    jw_end_obj(w);
    return SR_OK;
}

/* Adds a stored secret when there is one; *ret_signer (may be NULL) who stored it. */
static sr_status add_secret(struct sms *s, struct jw *w, secret_kind kind,
                            const struct addr *target, struct slice name, bool *ret_found,
                            struct addr *ret_signer, struct sr_err *err) {
    cleanup_stored struct stored_secret found = {0};
    cleanup_buf struct buf text = {0};
    struct sr_err e = {0};
    sr_status st = secret_find(s->db, kind, target, name, &found, &e);
    *ret_found = st == SR_OK;
    if (st == SR_E_NOTFOUND) return SR_OK;
    if (st != SR_OK) {
        *err = e;
        return st;
    }
    buf_init(&text, 2u * SMS_BODY_MAX);
    base64_encode(&text, buf_slice(&found.blob));
    SR_TRY(buf_status(&text, err));
    jw_obj(w);
    jw_ku64(w, "kind", kind);
    jw_kaddr(w, "target", target);
    jw_kstr(w, "name", buf_slice(&found.name));
    jw_kstr(w, "stored", buf_slice(&text));
    jw_end_obj(w);
    if (ret_signer) *ret_signer = found.signer;
    return SR_OK;
}

static sr_status refused(const char **ret_code, const char *code, const char *what,
                         const char *hint, struct sr_err *err) {
    *ret_code = code;
    sr_hint(err, "%s", hint);
    return sr_fail(err, SR_E_REFUSED, "%s", what);
}

/* What belongs to the task by the deal's identities, whoever asks. */
static sr_status secrets_json(struct sms *s, struct jw *w, struct sms_facts *f,
                              struct addr *ret_signer, const char **ret_code, struct sr_err *err) {
    cleanup_params struct poco_params p = {0};
    bool found;
    SR_TRY(poco_params_read(f->deal.params, &p, err));
    if (slice_is(p.storage, "dropbox"))
        return refused(ret_code, "POST_COMPUTE_GET_STORAGE_TOKENS_FAILED",
                       "results are stored on IPFS only", "leave out iexec_result_storage_provider",
                       err);
    jw_arr(w);
    for (size_t i = 0; i < f->n_bulk; i++) {
        struct bulk_item *b = &f->bulk[i];
        if (b->outcome) continue;
        SR_TRY(add_secret(s, w, SECRET_WEB3, &b->address, SLICE_LIT(""), &found, &b->signer, err));
        if (!found) b->outcome = "DATASET_KEY_MISSING";
    }
    if (f->has_dataset) {
        SR_TRY(add_secret(s, w, SECRET_WEB3, &f->deal.dataset.pointer, SLICE_LIT(""), &found,
                          ret_signer, err));
        if (!found)
            return refused(ret_code, "PRE_COMPUTE_GET_DATASET_SECRET_FAILED",
                           "the data set's key is not here",
                           "its owner pushes it: protect the data again, or push the key", err);
    }
    SR_TRY(add_secret(s, w, SECRET_APP, &f->deal.app.pointer, SLICE_LIT("1"), &found, NULL, err));
    for (size_t i = 0; i < p.n_secrets; i++)
        SR_TRY(add_secret(s, w, SECRET_REQUESTER, &f->deal.requester, p.secrets[i].name, &found,
                          NULL, err));
    if (p.has_encryption && p.encryption) {
        SR_TRY(add_secret(s, w, SECRET_WEB2, &f->deal.beneficiary, SLICE_LIT(RESULT_KEY_NAME),
                          &found, NULL, err));
        if (!found)
            return refused(ret_code,
                           "POST_COMPUTE_GET_ENCRYPTION_TOKENS_FAILED_EMPTY_BENEFICIARY_KEY",
                           "the beneficiary has no key for results here",
                           "the beneficiary pushes a result encryption key first", err);
    }
    jw_end_arr(w);
    return SR_OK;
}

/* The key was stored by who owned the data then; now it may be in a collection, or sold. */
static sr_status former_owner_json(struct sms *s, struct jw *w, const struct sms_facts *f,
                                   const struct addr *signer, struct sr_err *err) {
    bool was = false;
    if (!f->has_dataset || addr_eq(signer, &f->dataset_owner)) return SR_OK;
    SR_TRY(sms_chain_was_owner(s->chain, &f->deal.dataset.pointer, signer, &was, err));
    if (was) jw_kaddr(w, "formerOwner", signer);
    return SR_OK;
}

static sr_status bulk_json(struct sms *s, struct jw *w, struct sms_facts *f, struct sr_err *err) {
    jw_key(w, "bulk");
    jw_arr(w);
    for (size_t i = 0; i < f->n_bulk; i++) {
        struct bulk_item *b = &f->bulk[i];
        if (!b->outcome && !addr_eq(&b->signer, &b->dataset.owner)) {
            SR_TRY(sms_chain_was_owner(s->chain, &b->address, &b->signer, &b->former_owner, err));
            if (!b->former_owner) b->outcome = "DATASET_KEY_MISSING"; /* nobody's who owned it */
        }
        jw_obj(w);
        jw_kaddr(w, "address", &b->address);
        if (b->outcome) {
            jw_kcstr(w, "outcome", b->outcome);
        } else {
            jw_kaddr(w, "owner", &b->dataset.owner);
            jw_khash(w, "checksum", &b->dataset.checksum);
            SR_TRY(kmultiaddr(w, "multiaddr", b->dataset.multiaddr, err));
            jw_kbool(w, "presigned", b->presigned);
            jw_kbool(w, "groupsChecked", b->groups);
            if (b->former_owner) jw_kaddr(w, "formerOwner", &b->signer);
            jw_key(w, "order");
            poco_order_json(w, &b->order, false, true);
        }
        jw_end_obj(w);
    }
    jw_end_arr(w);
    return SR_OK;
}

sr_status sms_facts_json(struct sms *s, struct sms_facts *f, struct buf *ret, const char **ret_code,
                         struct sr_err *err) {
    struct jw w = jw_of(ret);
    jw_obj(&w);
    jw_ku64(&w, "now", f->now_s);
    jw_kaddr(&w, "poolOwner", &f->deal.workerpool.owner);
    jw_key(&w, "deal");
    SR_TRY(deal_json(&w, f, err));
    jw_ku64(&w, "index", f->index);
    jw_key(&w, "orders");
    jw_obj(&w);
    jw_key(&w, "app");
    poco_order_json(&w, &f->app_order, false, true);
    jw_key(&w, "dataset");
    if (f->has_dataset)
        poco_order_json(&w, &f->dataset_order, false, true);
    else
        jw_null(&w);
    jw_key(&w, "request");
    poco_order_json(&w, &f->request_order, false, true);
    jw_end_obj(&w);
    jw_key(&w, "presigned");
    jw_obj(&w);
    jw_kbool(&w, "app", f->app_presigned);
    jw_kbool(&w, "dataset", f->dataset_presigned);
    jw_kbool(&w, "request", f->request_presigned);
    jw_end_obj(&w);
    jw_kbool(&w, "groupsChecked", f->groups_checked);
    jw_key(&w, "secrets");
    struct addr signer = f->dataset_owner;
    SR_TRY(secrets_json(s, &w, f, &signer, ret_code, err));
    SR_TRY(former_owner_json(s, &w, f, &signer, err));
    if (f->is_bulk) SR_TRY(bulk_json(s, &w, f, err));
    jw_end_obj(&w);
    return buf_status(ret, err);
}
