/* SPDX-License-Identifier: Apache-2.0 */
#include "fakes.h"
#include <stdio.h>
#include <stdlib.h>

struct fakes F;

sr_status sms_chain_owner(struct sms_chain *c, poco_kind kind, const struct addr *target,
                          struct addr *ret, struct sr_err *err) {
    (void)c;
    (void)kind;
    (void)target;
    if (F.chain_down) return sr_fail(err, SR_E_UNAVAILABLE, "no node answers");
    if (addr_is_zero(&F.owner)) return sr_fail(err, SR_E_NOTFOUND, "no such resource");
    *ret = F.owner;
    return SR_OK;
}

sr_status sms_chain_head(struct sms_chain *c, uint64_t *ret, struct sr_err *err) {
    (void)c;
    if (F.chain_down) return sr_fail(err, SR_E_UNAVAILABLE, "no node answers");
    *ret = 7;
    return SR_OK;
}

sr_status sms_chain_signed(struct sms_chain *c, const struct addr *contract,
                           const struct hash *digest, struct slice signature, bool *ret,
                           struct sr_err *err) {
    (void)c;
    if (F.chain_down) return sr_fail(err, SR_E_UNAVAILABLE, "no node answers");
    F.contract_asked = *digest;
    *ret = addr_eq(contract, &F.contract) && slice_is(signature, "by the contract");
    return SR_OK;
}

sr_status sms_chain_was_owner(struct sms_chain *c, const struct addr *data, const struct addr *who,
                              bool *ret, struct sr_err *err) {
    (void)c;
    (void)data;
    if (F.chain_down) return sr_fail(err, SR_E_UNAVAILABLE, "no node answers");
    *ret = addr_eq(who, &F.former_owner);
    return SR_OK;
}

sr_status sms_chain_facts(struct sms_chain *c, const struct hash *task, const struct hash *match_tx,
                          struct sms_facts **ret, const char **ret_code, struct sr_err *err) {
    (void)c;
    (void)task;
    (void)match_tx;
    if (F.chain_down) return sr_fail(err, SR_E_UNAVAILABLE, "no node answers");
    if (F.no_deal) {
        *ret_code = "GET_CHAIN_DEAL_FAILED";
        return sr_fail(err, SR_E_NOTFOUND, "no such deal");
    }
    struct sms_facts *f = sr_calloc_n(1, sizeof *f);
    f->now_s = f->chain_now_s = clock_unix_ms() / 1000;
    f->status = F.status;
    memset(f->deal_id.b, 0xdd, 32);
    f->deal.app.pointer = F.app;
    f->deal.dataset.pointer = F.dataset;
    f->deal.workerpool.owner = F.pool_owner;
    f->deal.requester = F.requester;
    f->deal.beneficiary = F.beneficiary;
    f->deal.params = slice_str(F.params);
    f->deal.trust = u256_of(1);
    f->deal.tag = F.not_tee ? (struct hash){{0}} : tag_of(POCO_TAG_TEE | POCO_TAG_TDX);
    f->bot_size = 1;
    f->has_dataset = !addr_is_zero(&F.dataset);
    f->deal.app.owner = f->deal.dataset.owner = F.owner;
    f->app_owner = addr_is_zero(&F.app_owner_now) ? F.owner : F.app_owner_now;
    f->dataset_owner = addr_is_zero(&F.dataset_owner_now) ? F.owner : F.dataset_owner_now;
    f->seconds = 300;
    f->contribution_deadline = f->now_s + F.deadline_in_s;
    f->app_order.kind = POCO_APP;
    f->dataset_order.kind = POCO_DATASET;
    f->request_order.kind = POCO_REQUEST;
    f->dataset_revoked = F.revoked;
    f->is_bulk = F.bulk != NULL;
    f->bulk = F.bulk;
    f->n_bulk = F.n_bulk;
    f->restricted = F.restricted ? "DATASET_ORDER_RESTRICTED" : NULL;
    *ret = f;
    return SR_OK;
}

void sms_facts_free(struct sms_facts *f) {
    free(f);
}

static sr_status vault_up(struct sr_err *err) {
    for (unsigned i = 0; i < F.waits; i++) SR_TRY(fiber_sleep(0, err));
    if (!F.vault_down) return SR_OK;
    sr_hint(err, "unlock it");
    return sr_fail(err, SR_E_UNAVAILABLE, "the vault does not answer");
}

sr_status vault_hello(struct vault_client *v, struct vault_identity *ret, struct sr_err *err) {
    (void)v;
    SR_TRY(vault_up(err));
    memset(ret, 0x11, sizeof *ret);
    return SR_OK;
}

sr_status vault_key_proof(struct vault_client *v, struct sr_signature *ret, struct sr_err *err) {
    (void)v;
    SR_TRY(vault_up(err));
    memset(ret, 0x22, sizeof *ret);
    return SR_OK;
}

/* "Sealed" here means: begins with "HPKE:"; at rest every byte is turned over. */
sr_status vault_secret_seal(struct vault_client *v, const struct vault_secret *s,
                            struct buf *ret_stored, struct sr_err *err) {
    (void)v;
    SR_TRY(vault_up(err));
    F.seals++;
    struct slice secret = s->secret;
    if (s->is_sealed) {
        if (!slice_starts(secret, "HPKE:"))
            return sr_fail(err, SR_E_CRYPTO, "not sealed to this vault");
        secret = slice_of(secret.p + 5, secret.n - 5);
    }
    struct hash h = wire_secret_challenge(s->kind, &s->target, s->name, secret);
    if (s->by_contract && s->kind == SECRET_REQUESTER && s->origin.n != WIRE_ORIGIN_CREATE)
        return sr_fail(err, SR_E_AUTH, "no origin");
    if (!s->by_contract && eth_message_check(&h, s->signature, &s->signer, NULL) != SR_OK)
        return sr_fail(err, SR_E_AUTH, "not the owner's signature");
    if (secret.n > WIRE_SECRET_MAX) return sr_fail(err, SR_E_TOOBIG, "too long");
    for (size_t i = 0; i < secret.n; i++) buf_u8(ret_stored, (uint8_t)~secret.p[i]);
    return buf_status(ret_stored, err);
}

sr_status vault_release(struct vault_client *v, struct slice request_json, struct slice facts_json,
                        struct slice evidence, struct vault_released *ret, struct sr_err *err) {
    (void)v;
    (void)request_json;
    (void)evidence;
    SR_TRY(vault_up(err));
    F.releases++;
    (void)snprintf(F.facts, sizeof F.facts, "%.*s", (int)facts_json.n, (const char *)facts_json.p);
    if (F.vault_refuses) return sr_fail(err, SR_E_REFUSED, "%s", F.vault_refuses);
    buf_init(&ret->token, 1000);
    buf_init(&ret->envelope, 1000);
    buf_str(&ret->token, "token");
    buf_str(&ret->envelope, "envelope");
    memset(ret->envelope_signature.b, 0x33, 65);
    ret->verdict = WIRE_SIMULATED;
    return SR_OK;
}

void vault_released_done(struct vault_released *r) {
    buf_done(&r->token);
    buf_done(&r->envelope);
}
