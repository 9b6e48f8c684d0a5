/* SPDX-License-Identifier: Apache-2.0 */
/* The bundle's text: written, and read into the struct that is checked. */
#include "audit/audit_int.h"

static void put_base64(struct jw *w, const char *key, struct slice s) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, AUDIT_MAX);
    base64_encode(&b, s);
    jw_kstr(w, key, buf_slice(&b));
}

static void put_orders(struct jw *w, const struct audit_parts *p) {
    const struct poco_order *const o[] = {p->app, p->dataset, p->workerpool, p->request};
    jw_key(w, "orders");
    jw_obj(w);
    for (size_t i = 0; i < POCO_KINDS; i++) {
        jw_key(w, poco_kind_word[i]);
        if (o[i])
            poco_order_json(w, o[i], false, true);
        else
            jw_null(w);
    }
    jw_end_obj(w);
    jw_key(w, "owners");
    jw_obj(w);
    jw_kaddr(w, "app", &p->app_owner);
    jw_kaddr(w, "dataset", &p->dataset_owner);
    jw_kaddr(w, "workerpool", &p->workerpool_owner);
    jw_end_obj(w);
}

static void put_room(struct jw *w, const struct audit_parts *p) {
    const struct wire_binding *b = &p->binding;
    jw_key(w, "room");
    jw_obj(w);
    jw_khash(w, "nonce", &b->nonce);
    jw_kaddr(w, "worker", &b->worker);
    jw_khex(w, "sealingKey", slice_of(b->sealing_key, 32));
    jw_khex(w, "challengePublic", slice_of(b->challenge_public, 64));
    jw_kaddr(w, "smsIdentity", &b->sms_identity);
    jw_khash(w, "appDigest", &b->app_digest);
    jw_khash(w, "roomDigest", &p->room_sha256);
    put_base64(w, "evidence", p->evidence);
    jw_key(w, "authority");
    jw_raw(w, p->authority);
    jw_end_obj(w);
}

static void put_release(struct jw *w, const struct audit_parts *p) {
    const struct audit_release *r = &p->release;
    jw_key(w, "release");
    jw_obj(w);
    jw_ku64(w, "n", r->n);
    jw_ku64(w, "time", r->time_ms);
    jw_kaddr(w, "dataset", &r->dataset);
    jw_khash(w, "previous", &r->previous);
    jw_khash(w, "hash", &r->hash);
    jw_end_obj(w);
}

static struct hash deal_of(const struct audit_parts *p) {
    const struct poco_domain d = poco_domain_of(p->chain_id, &p->hub);
    const struct hash h = poco_order_hash(&d, p->request);
    return poco_deal_id(&h, u256_of(p->bot_first));
}

sr_status audit_bundle_make(const struct audit_parts *p, struct buf *ret, struct sr_err *err) {
    cleanup_buf struct buf b = {0}, verdict = {0};
    bool accepted = false;
    const struct hash deal = deal_of(p);
    buf_init(&b, AUDIT_MAX);
    buf_init(&verdict, 65536);
    SR_TRY(bundle_verdict(p, &verdict, &accepted, err));
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kcstr(&w, "format", AUDIT_FORMAT);
    jw_ku64(&w, "chainId", p->chain_id);
    jw_kaddr(&w, "hub", &p->hub);
    put_orders(&w, p);
    jw_khash(&w, "deal", &deal);
    jw_khash(&w, "task", &p->binding.task);
    jw_ku64(&w, "botFirst", p->bot_first);
    jw_ku64(&w, "index", p->index);
    jw_key(&w, "assignment");
    wire_assignment_write(&w, &p->assignment);
    put_room(&w, p);
    jw_khex(&w, "token", p->token);
    put_release(&w, p);
    jw_key(&w, "policy");
    jw_raw(&w, p->policy);
    jw_key(&w, "verdict");
    jw_raw(&w, buf_slice(&verdict));
    jw_key(&w, "result");
    jw_obj(&w);
    jw_khash(&w, "digest", &p->result_digest);
    jw_khex(&w, "enclaveSignature", slice_of(p->enclave_signature.b, 65));
    jw_end_obj(&w);
    jw_khex(&w, "transaction", p->transaction);
    jw_end_obj(&w);
    buf_str(&b, "\n");
    SR_TRY(buf_status(&b, err));
    struct hash h = sha256(buf_slice(&b));
    buf_str(&b, "sha256 ");
    buf_hex(&b, slice_of(h.b, 32));
    buf_str(&b, "\n");
    SR_TRY(buf_status(&b, err));
    struct audit_report r;
    SR_TRY(audit_verify(buf_slice(&b), &r, err));
    buf_add(ret, buf_slice(&b));
    return buf_status(ret, err);
}

/* ---- reading ---- */

static bool hex_field(const struct json_val *v, const char *key, void *dst, size_t n) {
    struct slice s;
    return json_str(json_get(v, key), &s) && s.n == 2 * n + 2 && slice_starts(s, "0x") &&
           hex_decode(s, dst, n);
}

static bool hex_bytes(const struct json_val *v, const char *key, size_t max, struct buf *b) {
    struct slice s;
    buf_init(b, max);
    return json_str(json_get(v, key), &s) && slice_starts(s, "0x") && hex_decode_buf(s, b) &&
           b->n > 0 && b->bad == SR_OK;
}

static bool read_orders(const struct json_val *v, struct bundle *b) {
    for (size_t i = 0; i < POCO_KINDS; i++) {
        const struct json_val *o = json_get(v, poco_kind_word[i]);
        if (i == POCO_DATASET && o && json_kind(o) == JSON_NULL) continue;
        if (!json_is(o, JSON_OBJECT) ||
            poco_order_from_json((poco_kind)i, o, &b->order[i], NULL) != SR_OK)
            return false;
        if (i == POCO_DATASET) b->has_dataset = true;
    }
    b->p.app = &b->order[POCO_APP];
    b->p.dataset = b->has_dataset ? &b->order[POCO_DATASET] : NULL;
    b->p.workerpool = &b->order[POCO_WORKERPOOL];
    b->p.request = &b->order[POCO_REQUEST];
    return true;
}

static bool read_room(const struct json_val *v, struct bundle *b) {
    struct wire_binding *g = &b->p.binding;
    struct slice s;
    buf_init(&b->evidence, WIRE_EVIDENCE_MAX);
    if (!json_hash(json_get(v, "nonce"), &g->nonce) ||
        !json_addr(json_get(v, "worker"), &g->worker) ||
        !hex_field(v, "sealingKey", g->sealing_key, 32) ||
        !hex_field(v, "challengePublic", g->challenge_public, 64) ||
        !json_addr(json_get(v, "smsIdentity"), &g->sms_identity) ||
        !json_hash(json_get(v, "appDigest"), &g->app_digest) ||
        !json_hash(json_get(v, "roomDigest"), &b->p.room_sha256) ||
        !json_str(json_get(v, "evidence"), &s) || !base64_decode(s, &b->evidence) ||
        b->evidence.bad != SR_OK || !json_is(json_get(v, "authority"), JSON_OBJECT))
        return false;
    b->p.evidence = buf_slice(&b->evidence);
    b->p.authority = json_raw(json_get(v, "authority"));
    return true;
}

static bool read_release(const struct json_val *v, struct audit_release *r) {
    return json_u64(json_get(v, "n"), &r->n) && json_u64(json_get(v, "time"), &r->time_ms) &&
           json_addr(json_get(v, "dataset"), &r->dataset) &&
           json_hash(json_get(v, "previous"), &r->previous) &&
           json_hash(json_get(v, "hash"), &r->hash);
}

static const char *wrong_field(struct bundle *b) {
    const struct json_val *v = json_root(b->doc), *owners = json_get(v, "owners"),
                          *result = json_get(v, "result");
    struct audit_parts *p = &b->p;
    struct slice s;
    if (!json_str(json_get(v, "format"), &s) || !slice_is(s, AUDIT_FORMAT)) return "format";
    if (json_len(v) != 17) return "fields";
    if (!json_u64(json_get(v, "chainId"), &p->chain_id)) return "chainId";
    if (!json_addr(json_get(v, "hub"), &p->hub)) return "hub";
    if (!read_orders(json_get(v, "orders"), b)) return "orders";
    if (!json_addr(json_get(owners, "app"), &p->app_owner) ||
        !json_addr(json_get(owners, "dataset"), &p->dataset_owner) ||
        !json_addr(json_get(owners, "workerpool"), &p->workerpool_owner))
        return "owners";
    if (!json_hash(json_get(v, "deal"), &b->deal)) return "deal";
    if (!json_hash(json_get(v, "task"), &b->task)) return "task";
    if (!json_u64(json_get(v, "botFirst"), &p->bot_first)) return "botFirst";
    if (!json_u64(json_get(v, "index"), &p->index)) return "index";
    if (!wire_assignment_read(json_get(v, "assignment"), &p->assignment)) return "assignment";
    if (!read_room(json_get(v, "room"), b)) return "room";
    p->binding.task = b->task;
    if (!hex_bytes(v, "token", WIRE_TOKEN_BYTES, &b->token)) return "token";
    p->token = buf_slice(&b->token);
    if (!read_release(json_get(v, "release"), &p->release)) return "release";
    if (!json_is(json_get(v, "policy"), JSON_OBJECT)) return "policy";
    p->policy = json_raw(json_get(v, "policy"));
    if (!json_is(json_get(v, "verdict"), JSON_OBJECT)) return "verdict";
    b->verdict = json_raw(json_get(v, "verdict"));
    if (!json_hash(json_get(result, "digest"), &p->result_digest)) return "result.digest";
    if (!hex_field(result, "enclaveSignature", p->enclave_signature.b, 65))
        return "result.enclaveSignature";
    if (!hex_bytes(v, "transaction", AUDIT_TX_MAX, &b->transaction)) return "transaction";
    p->transaction = buf_slice(&b->transaction);
    return NULL;
}

sr_status bundle_read(struct slice json, struct bundle *ret, const char **ret_field,
                      struct sr_err *err) {
    *ret_field = "file";
    SR_TRY(json_parse(json, &ret->doc, err));
    const char *wrong = wrong_field(ret);
    if (!wrong) return SR_OK;
    BUF_TRY_MEMORY(&ret->evidence, err);
    BUF_TRY_MEMORY(&ret->token, err);
    BUF_TRY_MEMORY(&ret->transaction, err);
    *ret_field = wrong;
    return sr_fail(err, SR_E_MALFORMED, "%s is missing or malformed", wrong);
}

void bundle_done(struct bundle *b) {
    buf_done(&b->evidence), buf_done(&b->token), buf_done(&b->transaction);
    json_free(b->doc);
    b->doc = NULL;
}
