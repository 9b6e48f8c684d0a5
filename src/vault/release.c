/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret release: from an assignment, evidence and the chain's facts to one sealed envelope.
 *
 * The SMS reads the chain and hands the facts over; everything that a signature can show is checked
 * here: who assigned, who asks, what runs in the room, that the orders are the deal's and their
 * owners', and that every secret was stored by whom the chain names as owner. The deal's id is the
 * hash of the request order, and the task's of the deal's id: those are not facts, they are
 * computed. SPEC: docs/wire.md, "Secret release"
 */
#include "poco/params.h"
#include "vault/facts.h"
#include "vault/vault_int.h"

#include <stdio.h>

#define RESULT_KEY_NAME "iexec-result-encryption-public-key"

/* What the secrets of one release are for. */
struct found {
    struct vault_opened dataset, app, result, requester[PARAMS_MAX_SECRETS];
    bool has_dataset, has_app, has_result, has_requester[PARAMS_MAX_SECRETS];
    struct vault_opened bulk[VAULT_BULK_MAX];
    bool has_bulk[VAULT_BULK_MAX];
};

static void found_done(struct found *f) {
    vault_opened_done(&f->dataset), vault_opened_done(&f->app), vault_opened_done(&f->result);
    for (size_t i = 0; i < PARAMS_MAX_SECRETS; i++) vault_opened_done(&f->requester[i]);
    for (size_t i = 0; i < VAULT_BULK_MAX; i++) vault_opened_done(&f->bulk[i]);
}
#define cleanup_found __attribute__((cleanup(found_done)))

/* ---- who asks ---- */

static sr_status check_assignment(struct vault *v, const struct asked *a, const struct facts *f,
                                  struct sr_err *err) {
    const uint64_t now = vault_now(v);
    const struct wire_assignment *g = &a->assignment;
    if (f->now + VAULT_FACTS_SKEW_S < now || f->now > now + VAULT_FACTS_SKEW_S)
        return vault_refuse(err, SR_E_REFUSED, "CLOCK_SKEW", "the facts are not of now");
    if (g->expires_unix_s <= now || g->expires_unix_s > now + WIRE_ASSIGNMENT_LIFE_S + 60)
        return vault_refuse(err, SR_E_AUTH, "ASSIGNMENT_EXPIRED", "the assignment has expired");
    struct hash h = wire_assignment_hash(g);
    if (eth_message_check(&h, slice_of(g->signature.b, 65), &f->pool_owner, NULL) != SR_OK)
        return vault_refuse(err, SR_E_AUTH, "INVALID_AUTHORIZATION",
                            "the assignment is not signed by the workerpool's owner");
    struct hash task = poco_task_id(&f->deal, u256_of(f->index));
    if (!hash_eq(&task, &g->task) || f->index < f->bot_first ||
        f->index - f->bot_first >= f->bot_size)
        return vault_refuse(err, SR_E_AUTH, "INVALID_AUTHORIZATION",
                            "the assigned task is not one of that deal");
    h = wire_release_hash(&g->task, &g->worker, &g->nonce, &a->evidence_digest);
    if (eth_message_check(&h, slice_of(a->signature.b, 65), &g->worker, NULL) != SR_OK)
        return vault_refuse(err, SR_E_AUTH, "INVALID_AUTHORIZATION",
                            "the request is not signed by the assigned worker");
    if (f->deadline <= now)
        return vault_refuse(err, SR_E_REFUSED, "DEADLINE_PASSED",
                            "the task's contribution deadline has passed");
    return SR_OK;
}

/* What makes an assignment one: used once. */
static struct hash assignment_id(const struct wire_assignment *g) {
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, slice_of(g->task.b, 32));
    keccak_add(&k, slice_of(g->worker.b, 20));
    keccak_add(&k, slice_of(g->nonce.b, 32));
    return keccak_end(&k);
}

#define ROW 32 /* wide: random ids then never fill one before the whole is half full */
static struct used_nonce *used_row(const struct vault *v, const struct hash *id) {
    size_t row = (size_t)id->b[0] << 8 | id->b[1];
    return v->used + row % (VAULT_NONCES_MAX / ROW) * ROW;
}

/* *ret_place: where to remember it, once the release is made. */
static sr_status check_unused(struct vault *v, const struct hash *id, struct used_nonce **ret_place,
                              struct sr_err *err) {
    struct used_nonce *u = used_row(v, id), *place = NULL;
    const uint64_t now = vault_now(v);
    for (size_t i = 0; i < ROW; i++) {
        if (u[i].expires <= now)
            place = &u[i];
        else if (hash_eq(&u[i].id, id))
            return vault_refuse(err, SR_E_REFUSED, "ASSIGNMENT_USED",
                                "secrets were released for this assignment already");
    }
    if (!place)
        return vault_refuse(err, SR_E_UNAVAILABLE, "VAULT_BUSY",
                            "too many assignments at once; ask again in a minute");
    *ret_place = place;
    return SR_OK;
}

/* ---- what runs there ---- */

static sr_status check_evidence(const struct vault *v, const struct asked *a, const struct facts *f,
                                struct tee_verdict *ret, struct sr_err *err) {
    uint8_t want[64];
    struct sr_err why = {0};
    struct addr challenge = wire_challenge_address(a->challenge_public);
    if (!addr_eq(&challenge, &a->challenge))
        return vault_refuse(err, SR_E_AUTH, "EVIDENCE_REFUSED",
                            "the challenge is not the address of its public key");
    sr_status st = tee_verify(v->trust, &v->policy, a->evidence, vault_now(v), ret, &why);
    if (st == SR_E_NOMEM) return sr_fail(err, st, "%s", why.what);
    if (st != SR_OK) return vault_refuse(err, SR_E_REFUSED, "EVIDENCE_REFUSED", "%.160s", why.what);
    struct wire_binding b = {.nonce = a->assignment.nonce,
                             .task = a->assignment.task,
                             .worker = a->assignment.worker,
                             .sms_identity = v->wallet,
                             .app_digest = f->app_checksum};
    memcpy(b.sealing_key, a->sealing_key, 32);
    memcpy(b.challenge_public, a->challenge_public, 64);
    SR_TRY(wire_report_data(&b, want, err));
    if (!ct_equal(want, ret->report_data, sizeof want))
        return vault_refuse(err, SR_E_REFUSED, "EVIDENCE_REFUSED",
                            "the evidence binds another task, worker, app, key or SMS");
    return SR_OK;
}

/* ---- what was agreed ---- */

static sr_status check_order(const struct vault *v, const struct poco_order *o,
                             const struct addr *owner, bool presigned, struct sr_err *err) {
    struct addr signer;
    if (presigned) return SR_OK; /* the chain says so */
    if (poco_order_signer(o, &v->domain, &signer, NULL) != SR_OK || !addr_eq(&signer, owner))
        return vault_refuse(err, SR_E_AUTH, "INVALID_AUTHORIZATION",
                            "the %s order is not signed by %s", poco_kind_word[o->kind],
                            addr_text(owner).s);
    return SR_OK;
}

/* An order's restriction is for nobody, for this one, or for a group that only the chain can ask.
 */
static bool may_be_in(const struct addr *restricted_to, const struct addr *who, bool groups) {
    return addr_is_zero(restricted_to) || addr_eq(restricted_to, who) || groups;
}

static bool may_be(const struct addr *restricted_to, const struct addr *who,
                   const struct facts *f) {
    return may_be_in(restricted_to, who, f->groups_checked);
}

#define ORDERS_DIFFER(what)                                                                        \
    vault_refuse(err, SR_E_REFUSED, "INVALID_AUTHORIZATION",                                       \
                 "the deal does not follow from its "                                              \
                 "orders: " what)

static sr_status check_orders(const struct vault *v, const struct facts *f, struct sr_err *err) {
    const struct poco_apporder *a = &f->app_order.app;
    const struct poco_datasetorder *d = &f->dataset_order.dataset;
    const struct poco_requestorder *r = &f->request_order.request;
    struct hash request = poco_order_hash(&v->domain, &f->request_order);
    struct hash deal = poco_deal_id(&request, u256_of(f->bot_first));
    if (!hash_eq(&deal, &f->deal)) return ORDERS_DIFFER("request");
    if (!addr_eq(&r->app, &f->app) || !addr_eq(&a->app, &f->app)) return ORDERS_DIFFER("app");
    if (!addr_eq(&r->requester, &f->requester)) return ORDERS_DIFFER("requester");
    if (!addr_eq(&r->beneficiary, &f->beneficiary)) return ORDERS_DIFFER("beneficiary");
    if (!addr_eq(&r->callback, &f->callback)) return ORDERS_DIFFER("callback");
    if (!slice_eq(r->params, f->params)) return ORDERS_DIFFER("params");
    if (!addr_eq(&r->dataset, &f->dataset)) return ORDERS_DIFFER("data set");
    if (!addr_is_zero(&r->workerpool) && !may_be(&r->workerpool, &f->workerpool, f))
        return ORDERS_DIFFER("workerpool");
    const bool has_data = !addr_is_zero(&f->dataset);
    if (has_data && (!f->has_dataset_order || !addr_eq(&d->dataset, &f->dataset)))
        return ORDERS_DIFFER("data set");
    struct hash tag = tag_deal(&a->tag, &d->tag, &r->tag); /* without data: the null order's */
    if (!has_data && !f->has_dataset_order) tag = tag_or(&a->tag, &r->tag);
    if (!hash_eq(&tag, &f->tag)) return ORDERS_DIFFER("tag");
    if (!tag_is_tee(&f->tag))
        return vault_refuse(err, SR_E_REFUSED, "EXECUTION_NOT_AUTHORIZED_NO_MATCH_ONCHAIN_TYPE",
                            "the deal does not ask for a TEE");
    SR_TRY(check_order(v, &f->app_order, &f->app_owner, f->app_presigned, err));
    SR_TRY(check_order(v, &f->request_order, &f->requester, f->request_presigned, err));
    if (!may_be(&a->datasetrestrict, &f->dataset, f) ||
        !may_be(&a->workerpoolrestrict, &f->workerpool, f) ||
        !may_be(&a->requesterrestrict, &f->requester, f))
        return ORDERS_DIFFER("a restriction of the app order");
    if (!has_data) return SR_OK;
    SR_TRY(check_order(v, &f->dataset_order, &f->dataset_owner, f->dataset_presigned, err));
    if (!may_be(&d->apprestrict, &f->app, f) ||
        !may_be(&d->workerpoolrestrict, &f->workerpool, f) ||
        !may_be(&d->requesterrestrict, &f->requester, f))
        return ORDERS_DIFFER("a restriction of the data set order");
    return SR_OK;
}

/* Data sets of a bulk task: each owner's order must let this app, pool and requester use it, free
 * and without a limit. Which ones the requester wants stands behind his request's bulk_cid: the SMS
 * read it there. */
static sr_status check_bulk(const struct vault *v, const struct facts *f, struct sr_err *err) {
    if (!addr_is_zero(&f->dataset)) return ORDERS_DIFFER("a bulk beside a data set");
    for (size_t i = 0; i < f->n_bulk; i++) {
        const struct bulk_fact *b = &f->bulk[i];
        const struct poco_datasetorder *d = &b->order.dataset;
        if (b->outcome.n > 0) continue;
        for (size_t k = 0; k < i; k++)
            if (addr_eq(&f->bulk[k].address, &b->address) && f->bulk[k].outcome.n == 0)
                return ORDERS_DIFFER("a data set twice in the bulk");
        if (!addr_eq(&d->dataset, &b->address)) return ORDERS_DIFFER("a data set of the bulk");
        if (!u256_is_zero(d->datasetprice) || u256_cmp(d->volume, u256_of(POCO_SAFE_MAX - 1)) < 0)
            return ORDERS_DIFFER("a bulk data set order with a price or a limit");
        SR_TRY(check_order(v, &b->order, &b->owner, b->presigned, err));
        if (!may_be_in(&d->apprestrict, &f->app, b->groups_checked) ||
            !may_be_in(&d->workerpoolrestrict, &f->workerpool, b->groups_checked) ||
            !may_be_in(&d->requesterrestrict, &f->requester, b->groups_checked))
            return ORDERS_DIFFER("a restriction of a bulk data set order");
    }
    return SR_OK;
}

/* ---- which secrets ---- */

/* Where one stored secret belongs in the envelope; NULL: the task has no business with it. Sets who
 * must have stored it. */
static struct vault_opened *place_of(struct found *out, const struct facts *f,
                                     const struct poco_params *p, const struct stored *s,
                                     bool **ret_has, const struct addr **ret_owner,
                                     const struct addr **ret_former) {
    for (size_t i = 0; s->kind == SECRET_WEB3 && i < f->n_bulk; i++) {
        const struct bulk_fact *b = &f->bulk[i];
        if (b->outcome.n > 0 || !addr_eq(&s->target, &b->address)) continue;
        *ret_has = &out->has_bulk[i];
        *ret_owner = &b->owner;
        if (b->has_former_owner) *ret_former = &b->former_owner;
        return &out->bulk[i];
    }
    if (s->kind == SECRET_WEB3 && !addr_is_zero(&f->dataset) && addr_eq(&s->target, &f->dataset)) {
        *ret_has = &out->has_dataset;
        *ret_owner = &f->dataset_owner;
        if (f->has_former_owner) *ret_former = &f->former_owner;
        return &out->dataset;
    }
    if (s->kind == SECRET_APP && addr_eq(&s->target, &f->app)) {
        *ret_has = &out->has_app;
        *ret_owner = &f->app_owner;
        return &out->app;
    }
    if (s->kind == SECRET_WEB2 && addr_eq(&s->target, &f->beneficiary) &&
        slice_is(s->name, RESULT_KEY_NAME)) {
        *ret_has = &out->has_result;
        *ret_owner = &f->beneficiary;
        return &out->result;
    }
    if (s->kind == SECRET_REQUESTER && addr_eq(&s->target, &f->requester)) {
        for (size_t i = 0; i < p->n_secrets; i++) {
            if (!slice_eq(p->secrets[i].name, s->name) || out->has_requester[i]) continue;
            *ret_has = &out->has_requester[i];
            *ret_owner = &f->requester;
            return &out->requester[i];
        }
    }
    return NULL;
}

static sr_status open_secrets(const struct vault *v, const struct facts *f,
                              const struct poco_params *p, struct found *out, struct sr_err *err) {
    for (size_t i = 0; i < f->n_stored; i++) {
        const struct stored *s = &f->stored[i];
        cleanup_buf struct buf bytes = {0};
        bool *has = NULL;
        const struct addr *owner = NULL, *former = NULL;
        buf_init(&bytes, 8192);
        struct vault_opened *at = place_of(out, f, p, s, &has, &owner, &former);
        if (!at || *has)
            return vault_refuse(err, SR_E_REFUSED, "SECRET_NOT_FOR_TASK",
                                "a stored secret that this task may not know");
        bool text_good = base64_decode(s->base64, &bytes);
        if (bytes.bad == SR_E_NOMEM) return buf_status(&bytes, err);
        if (!text_good) return vault_refuse(err, SR_E_MALFORMED, "MALFORMED", "a stored secret");
        struct sr_err why = {0};
        sr_status st =
            vault_secret_open(v, s->kind, &s->target, s->name, buf_slice(&bytes), at, &why);
        if (st == SR_E_NOMEM) return sr_fail(err, st, "%s", why.what);
        if (st != SR_OK)
            return vault_refuse(err, SR_E_CRYPTO, "SECRET_UNREADABLE", "%.120s", why.what);
        *has = true;
        /* The key of data is its first owner's, whoever owns it now: it opens nothing else. An
         * app's secret steers the app: only the owner of now may have put it. */
        if (!addr_eq(&at->signer, owner) && !(former && addr_eq(&at->signer, former)))
            return vault_refuse(err, SR_E_REFUSED, "OWNER_CHANGED",
                                "a secret was stored by %s, who is not its owner now",
                                addr_text(&at->signer).s);
    }
    if (!addr_is_zero(&f->dataset) && !out->has_dataset)
        return vault_refuse(err, SR_E_REFUSED, "PRE_COMPUTE_GET_DATASET_SECRET_FAILED",
                            "the data set's key is not stored here");
    for (size_t i = 0; i < f->n_bulk; i++)
        if (f->bulk[i].outcome.n == 0 && !out->has_bulk[i])
            return vault_refuse(err, SR_E_REFUSED, "PRE_COMPUTE_GET_DATASET_SECRET_FAILED",
                                "the key of a data set of the bulk is not stored here");
    if (p->has_encryption && p->encryption && !out->has_result)
        return vault_refuse(err, SR_E_REFUSED,
                            "POST_COMPUTE_GET_ENCRYPTION_TOKENS_FAILED_EMPTY_BENEFICIARY_KEY",
                            "the beneficiary has stored no result key");
    return SR_OK;
}

/* ---- the envelope ---- */

static void write_result(struct jw *w, const struct facts *f, const struct poco_params *p,
                         const struct found *s) {
    const bool encrypt = p->has_encryption && p->encryption;
    jw_key(w, "result");
    jw_obj(w);
    jw_kbool(w, "encrypt", encrypt);
    if (encrypt) {
        cleanup_buf struct buf pem = {
            0}; /* stored as base64 of the PEM text; a bare PEM is taken too */
        struct slice stored = slice_trim(buf_slice(&s->result.secret));
        buf_init(&pem, WIRE_SECRET_MAX);
        if (!slice_starts(stored, "-----BEGIN") && base64_decode(stored, &pem))
            stored = buf_slice(&pem);
        if (pem.bad == SR_E_NOMEM) w->b->bad = pem.bad; /* or base64 would pass for a key */
        jw_kstr(w, "publicKey", stored);
    }
    if (!addr_is_zero(&f->callback)) jw_kaddr(w, "callback", &f->callback);
    jw_end_obj(w);
}

static void write_secrets(struct jw *w, const struct poco_params *p, const struct found *s) {
    jw_key(w, "secrets");
    jw_obj(w);
    if (s->has_app) jw_kstr(w, "app", buf_slice(&s->app.secret));
    jw_key(w, "requester");
    jw_obj(w);
    for (size_t i = 0; i < p->n_secrets; i++) {
        char index[24];
        if (!s->has_requester[i]) continue;
        (void)snprintf(index, sizeof index, "%llu", (unsigned long long)p->secrets[i].index);
        jw_kstr(w, index, buf_slice(&s->requester[i].secret));
    }
    jw_end_obj(w);
    jw_end_obj(w);
}

static sr_status write_envelope(struct buf *b, const struct asked *a, const struct facts *f,
                                const struct poco_params *p, const struct found *s,
                                struct sr_err *err) {
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_ku64(&w, "version", 1);
    jw_khash(&w, "task", &a->assignment.task);
    jw_khash(&w, "deal", &f->deal);
    jw_ku64(&w, "index", f->index);
    jw_ku64(&w, "botFirst", f->bot_first);
    jw_ku64(&w, "botSize", f->bot_size);
    jw_kaddr(&w, "worker", &a->assignment.worker);
    jw_kaddr(&w, "challenge", &a->challenge);
    jw_key(&w, "app");
    jw_obj(&w);
    jw_kaddr(&w, "address", &f->app);
    jw_khash(&w, "digest", &f->app_checksum);
    jw_end_obj(&w);
    if (p->bulk_cid.n) jw_kbool(&w, "bulk", true);
    jw_key(&w, "datasets");
    jw_arr(&w);
    for (size_t i = 0; i < f->n_bulk; i++) {
        const struct bulk_fact *d = &f->bulk[i];
        jw_obj(&w);
        jw_kaddr(&w, "address", &d->address);
        if (d->outcome.n > 0) {
            jw_kstr(&w, "outcome", d->outcome);
        } else {
            jw_kstr(&w, "url", d->multiaddr);
            jw_khash(&w, "checksum", &d->checksum);
            jw_kstr(&w, "key", slice_trim(buf_slice(&s->bulk[i].secret)));
        }
        jw_end_obj(&w);
    }
    if (s->has_dataset) {
        jw_obj(&w);
        jw_kaddr(&w, "address", &f->dataset);
        jw_kstr(&w, "url", f->dataset_multiaddr);
        jw_khash(&w, "checksum", &f->dataset_checksum);
        jw_kstr(&w, "key", slice_trim(buf_slice(&s->dataset.secret)));
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_key(&w, "inputFiles");
    jw_arr(&w);
    for (size_t i = 0; i < p->n_files; i++) jw_str(&w, p->files[i]);
    jw_end_arr(&w);
    if (p->has_args) jw_kstr(&w, "args", p->args);
    jw_ku64(&w, "seconds", f->seconds);
    write_secrets(&w, p, s);
    write_result(&w, f, p, s);
    jw_end_obj(&w);
    return buf_status(b, err);
}

static sr_status make_token(struct vault *v, const struct asked *a, const struct facts *f,
                            const struct tee_verdict *verdict, uint8_t ret[WIRE_TOKEN_BYTES],
                            struct sr_err *err) {
    struct wire_token t = {.task = a->assignment.task,
                           .worker = a->assignment.worker,
                           .challenge = a->challenge,
                           .evidence_digest = a->evidence_digest,
                           .verdict = verdict->simulated ? WIRE_SIMULATED : WIRE_TDX,
                           .expires_unix_s = vault_now(v) + WIRE_TOKEN_LIFE_S};
    if (t.expires_unix_s > f->deadline) t.expires_unix_s = f->deadline;
    struct hash h = wire_token_hash(&t);
    SR_TRY(vault_sign_message(v, &h, &t.signature, err));
    wire_token_write(ret, &t);
    return SR_OK;
}

static sr_status seal(struct vault *v, const struct asked *a, struct slice secret_plain,
                      struct buf *ret_sealed, struct sr_signature *ret_sig, struct sr_err *err) {
    uint8_t aad[WIRE_ENVELOPE_AAD_BYTES];
    wire_envelope_aad(aad, &a->assignment.task, &a->assignment.worker, &a->challenge,
                      &a->evidence_digest);
    SR_TRY(hpke_seal(a->sealing_key, SLICE_LIT(WIRE_ENVELOPE_INFO), slice_of(aad, sizeof aad),
                     secret_plain, ret_sealed, err));
    struct hash h = wire_envelope_hash(aad, buf_slice(ret_sealed));
    return vault_sign_message(v, &h, ret_sig, err);
}

sr_status vault_on_release(struct vault *v, const struct vault_release_req *m,
                           struct buf *ret_reply, struct sr_err *err) {
    cleanup_asked struct asked a = {0};
    cleanup_facts struct facts f = {0};
    cleanup_params struct poco_params p = {0};
    cleanup_found struct found secrets = {0};
    cleanup_buf_wipe struct buf plain = {0};
    cleanup_buf struct buf sealed = {0};
    struct tee_verdict verdict;
    struct vault_release_rep r;
    uint8_t token[WIRE_TOKEN_BYTES];
    buf_init(&plain, WIRE_ENVELOPE_MAX - HPKE_ENC_BYTES - GCM_TAG);
    buf_init(&sealed, WIRE_ENVELOPE_MAX);

    SR_TRY(asked_read(m->request, m->evidence, &a, err));
    SR_TRY(facts_read(m->facts, &f, err));
    SR_TRY(check_assignment(v, &a, &f, err));
    struct hash id = assignment_id(&a.assignment);
    struct used_nonce *place = NULL;
    SR_TRY(check_unused(v, &id, &place, err));
    SR_TRY(check_orders(v, &f, err));
    SR_TRY(check_evidence(v, &a, &f, &verdict, err));
    SR_TRY(poco_params_read(f.params, &p, err));
    if (p.bulk_cid.n)
        SR_TRY(check_bulk(v, &f, err));
    else if (f.n_bulk > 0)
        return ORDERS_DIFFER("the request asks for no bulk");
    SR_TRY(open_secrets(v, &f, &p, &secrets, err));

    /* One piece from the start, so that growing leaves no copies of secrets behind. */
    (void)buf_reserve(&plain, plain.max);
    SR_TRY(write_envelope(&plain, &a, &f, &p, &secrets, err));
    SR_TRY(seal(v, &a, buf_slice(&plain), &sealed, &r.envelope_signature, err));
    SR_TRY(make_token(v, &a, &f, &verdict, token, err));
    r.token = slice_of(token, sizeof token);
    r.envelope = buf_slice(&sealed);
    r.label = slice_str(wire_verdict_label(verdict.simulated ? WIRE_SIMULATED : WIRE_TDX));
    vault_release_rep_write(ret_reply, &r);
    sr_status st = buf_status(ret_reply, err);
    if (st != SR_OK) {
        buf_clear(ret_reply);
        return st;
    }
    /* used up by an answer that can be given, and by no other */
    *place = (struct used_nonce){.id = id, .expires = a.assignment.expires_unix_s};
    return SR_OK;
}
