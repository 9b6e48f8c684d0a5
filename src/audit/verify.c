/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_int.h"
#include "eth/tx.h"
#include "poco/calls.h"
#include <stdio.h>

#define SEAL_BYTES 72u /* "sha256 ", 64 digits, a line feed */

struct check {
    struct bundle *b;
    struct audit_report *r;
    struct poco_domain domain;
    struct wire_token token;
    struct addr challenge;
    struct sr_err *err;
};

#define WRONG(...) sr_fail(c->err, SR_E_CRYPTO, __VA_ARGS__)

/* ---- orders, deal, task ---- */

static sr_status signed_by(struct check *c, const struct poco_order *o, const struct addr *who) {
    struct addr got;
    SR_TRY(poco_order_signer(o, &c->domain, &got, c->err));
    return addr_eq(&got, who) ? SR_OK : WRONG("signed by %s", addr_text(&got).s);
}

static sr_status app_order(struct check *c) {
    return signed_by(c, c->b->p.app, &c->b->p.app_owner);
}
static sr_status dataset_order(struct check *c) {
    const struct audit_parts *p = &c->b->p;
    if (p->dataset) return signed_by(c, p->dataset, &p->dataset_owner);
    return addr_is_zero(&p->dataset_owner) ? SR_OK : WRONG("an owner, but no order");
}
static sr_status workerpool_order(struct check *c) {
    return signed_by(c, c->b->p.workerpool, &c->b->p.workerpool_owner);
}
static sr_status request_order(struct check *c) {
    return signed_by(c, c->b->p.request, &c->b->p.request->request.requester);
}
static sr_status orders_match(struct check *c) {
    const struct audit_parts *p = &c->b->p;
    return poco_match_check(p->app, p->dataset, p->workerpool, p->request, c->err);
}
static sr_status deal_id(struct check *c) {
    const struct audit_parts *p = &c->b->p;
    const struct hash h = poco_order_hash(&c->domain, p->request);
    const struct hash id = poco_deal_id(&h, u256_of(p->bot_first));
    return hash_eq(&id, &c->b->deal) ? SR_OK : WRONG("not the deal of that request order");
}
static sr_status task_id(struct check *c) {
    const struct hash id = poco_task_id(&c->b->deal, u256_of(c->b->p.index));
    return hash_eq(&id, &c->b->task) ? SR_OK : WRONG("not the task of that deal and index");
}

/* ---- the room ---- */

static sr_status assignment(struct check *c) {
    const struct audit_parts *p = &c->b->p;
    const struct wire_assignment *a = &p->assignment;
    const struct hash h = wire_assignment_hash(a);
    if (!hash_eq(&a->task, &c->b->task)) return WRONG("of another task");
    if (!addr_eq(&a->worker, &p->binding.worker)) return WRONG("of another worker");
    if (!hash_eq(&a->nonce, &p->binding.nonce)) return WRONG("with another nonce than the room's");
    return eth_message_check(&h, slice_of(a->signature.b, 65), &p->workerpool_owner, c->err);
}

static sr_status evidence(struct check *c) {
    const struct audit_parts *p = &c->b->p;
    struct tee_trust *t = NULL;
    struct tee_policy policy = {.n_mrtd = 1};
    struct tee_verdict v;
    uint8_t data[64];
    SR_TRY(wire_report_data(&p->binding, data, c->err));
    SR_TRY(tee_trust_new(p->authority, true, &t, c->err));
    wire_simulated_mrtd(&p->room_sha256, policy.mrtd[0]);
    sr_status st = tee_verify(t, &policy, p->evidence, p->release.time_ms / 1000, &v, c->err);
    tee_trust_free(t);
    SR_TRY(st);
    c->r->simulated = v.simulated;
    return ct_equal(data, v.report_data, 64)
               ? SR_OK
               : WRONG("it binds other keys, another task, worker, nonce or app");
}

static sr_status token(struct check *c) {
    const struct audit_parts *p = &c->b->p;
    const struct hash digest = sha256(p->evidence);
    c->challenge = wire_challenge_address(p->binding.challenge_public);
    SR_TRY(wire_token_check(p->token, &p->binding.sms_identity, &c->b->task, &p->binding.worker,
                            &c->challenge, p->release.time_ms / 1000, &c->token, c->err));
    c->r->label = c->token.verdict;
    if (!hash_eq(&digest, &c->token.evidence_digest)) return WRONG("of other evidence");
    if (c->r->simulated != (c->token.verdict == WIRE_SIMULATED))
        return WRONG("it calls the evidence %s", wire_verdict_label(c->token.verdict));
    return SR_OK;
}

static sr_status policy(struct check *c) {
    cleanup_buf struct buf again = {0};
    bool accepted = false;
    buf_init(&again, 65536);
    SR_TRY(bundle_verdict(&c->b->p, &again, &accepted, c->err));
    if (!accepted) return WRONG("the policy refuses the evidence");
    return slice_eq(buf_slice(&again), c->b->verdict)
               ? SR_OK
               : WRONG("the verdict is not what the policy says");
}

/* docs/wire.md, "Secret release", 5. */
struct hash release_hash(const struct audit_parts *p, const struct hash *task,
                         const struct hash *deal, wire_verdict label) {
    const struct audit_release *r = &p->release;
    return wire_release_row_hash(&(struct wire_release_row){.n = r->n,
                                                            .time_ms = r->time_ms,
                                                            .task = *task,
                                                            .deal = *deal,
                                                            .worker = p->binding.worker,
                                                            .dataset = r->dataset,
                                                            .released = true,
                                                            .verdict = (uint8_t)label,
                                                            .evidence_digest = sha256(p->evidence),
                                                            .previous = r->previous});
}

static sr_status release(struct check *c) {
    const struct audit_parts *p = &c->b->p;
    static const struct addr none;
    const struct addr *data = p->dataset ? &p->dataset->dataset.dataset : &none;
    const struct hash h = release_hash(p, &c->b->task, &c->b->deal, c->token.verdict);
    if (!addr_eq(&p->release.dataset, data)) return WRONG("a release of another data set");
    return hash_eq(&h, &p->release.hash) ? SR_OK : WRONG("the record's hash is another one");
}

/* ---- the result ---- */

static sr_status enclave(struct check *c) {
    const struct audit_parts *p = &c->b->p;
    const struct hash result = wire_result_hash(&c->b->task, &p->result_digest);
    const struct hash seal = wire_result_seal(&p->binding.worker, &c->b->task, &p->result_digest);
    const struct hash m = wire_enclave_message(&result, &seal);
    return eth_message_check(&m, slice_of(p->enclave_signature.b, 65), &c->challenge, c->err);
}

static sr_status settles(struct check *c, const struct abi_out *out) {
    const struct audit_parts *p = &c->b->p;
    const struct abi_val *v = out->v;
    const struct hash auth =
        wire_authorisation_hash(&p->binding.worker, &c->b->task, &c->challenge);
    if (out->n != 7 || !hash_eq(&v[0].hash, &c->b->task)) return WRONG("it settles another task");
    if (!hash_eq(&v[1].hash, &p->result_digest)) return WRONG("it brings another result");
    if (!addr_eq(&v[4].addr, &c->challenge)) return WRONG("it names another enclave");
    if (!slice_eq(v[5].bytes, slice_of(p->enclave_signature.b, 65)))
        return WRONG("it brings another signature of the enclave");
    return eth_message_check(&auth, v[6].bytes, &p->workerpool_owner, c->err);
}

static sr_status transaction(struct check *c) {
    const struct audit_parts *p = &c->b->p;
    struct eth_tx tx;
    struct sr_signature sig;
    struct addr from;
    struct abi_out out = {0};
    poco_call call = POCO_CALL_N;
    SR_TRY(tx_decode(p->transaction, &tx, &sig, &from, c->err));
    if (tx.chain_id != p->chain_id) return WRONG("for another chain");
    if (tx.creates || !addr_eq(&tx.to, &p->hub)) return WRONG("not to the hub");
    if (!addr_eq(&from, &p->binding.worker)) return WRONG("not sent by the worker");
    SR_TRY(poco_call_read(tx.data, &call, &out, c->err));
    sr_status st = call == POCO_CALL_CONTRIBUTE_AND_FINALIZE
                       ? settles(c, &out)
                       : WRONG("it is no contributeAndFinalize");
    abi_out_done(&out);
    c->r->transaction = keccak256(p->transaction);
    return st;
}

static const struct {
    const char *field;
    sr_status (*holds)(struct check *c);
} checks[] = {
    {"orders.app", app_order},
    {"orders.dataset", dataset_order},
    {"orders.workerpool", workerpool_order},
    {"orders.request", request_order},
    {"orders", orders_match},
    {"deal", deal_id},
    {"task", task_id},
    {"assignment", assignment},
    {"room.evidence", evidence},
    {"token", token},
    {"verdict", policy},
    {"release", release},
    {"result.enclaveSignature", enclave},
    {"transaction", transaction},
};

static void fill(struct audit_report *r, const struct bundle *b) {
    const struct audit_parts *p = &b->p;
    r->chain_id = p->chain_id;
    r->hub = p->hub;
    r->time_ms = p->release.time_ms;
    r->sms_identity = p->binding.sms_identity;
    r->worker = p->binding.worker;
    r->app_owner = p->app_owner;
    r->dataset_owner = p->dataset_owner;
    r->workerpool_owner = p->workerpool_owner;
    r->task = b->task;
    r->deal = b->deal;
    r->result_digest = p->result_digest;
}

static sr_status seal_holds(struct slice bundle, struct sr_err *err) {
    uint8_t want[SEAL_BYTES + 1] = "sha256 ";
    const struct hash h = sha256(slice_of(bundle.p, bundle.n - SEAL_BYTES));
    hex_encode((char *)want + 7, h.b, 32);
    want[SEAL_BYTES - 1] = '\n';
    if (memcmp(want, bundle.p + bundle.n - SEAL_BYTES, SEAL_BYTES) != 0)
        return sr_fail(err, SR_E_CRYPTO, "the file is not the one that was written");
    return SR_OK;
}

static sr_status verify(struct slice bundle, struct bundle *b, struct audit_report *r,
                        struct sr_err *err) {
    r->field = "file";
    if (bundle.n > AUDIT_MAX) return sr_fail(err, SR_E_TOOBIG, "the bundle is too long");
    if (bundle.n <= SEAL_BYTES) return sr_fail(err, SR_E_MALFORMED, "the bundle is cut off");
    SR_TRY(bundle_read(slice_of(bundle.p, bundle.n - SEAL_BYTES), b, &r->field, err));
    fill(r, b);
    struct check c = {
        .b = b, .r = r, .domain = poco_domain_of(b->p.chain_id, &b->p.hub), .err = err};
    for (size_t i = 0; i < SR_ARRAY_LEN(checks); i++) {
        r->field = checks[i].field;
        SR_TRY(checks[i].holds(&c));
        r->held[r->n_held++] = r->field;
    }
    r->field = "sha256";
    SR_TRY(seal_holds(bundle, err));
    r->held[r->n_held++] = r->field;
    r->field = NULL;
    return SR_OK;
}

sr_status audit_verify(struct slice bundle, struct audit_report *ret, struct sr_err *err) {
    struct bundle b = {0};
    struct sr_err e = {0};
    struct audit_report r = {0};
    sr_status st = verify(bundle, &b, &r, &e);
    bundle_done(&b);
    if (st != SR_OK) (void)snprintf(r.why, sizeof r.why, "%.150s", e.what);
    *ret = r;
    return st == SR_OK ? SR_OK : sr_fail(err, st, "%s: %s", r.field, r.why);
}
