/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing by rule: one allow-list a role, bounds on what it may cost. Money moves (deposit,
 * withdraw, transfer, approve: the hub is an ERC-20 too) are on no list.
 */
#include "eth/tx.h"
#include "poco/calls.h"
#include "vault/vault_int.h"

#define MARKET_DOMAIN                                                                              \
    "iExec Gateway" /* SPEC: services.md#11-challenge-authentication-market-and-workerpool */
#define MARKET_VERSION   "1"
#define MARKET_CHALLENGE 256

sr_status vault_on_sign_assignment(struct vault *v, const struct vault_sign_assignment_req *m,
                                   struct buf *ret_reply, struct sr_err *err) {
    struct vault_sign_assignment_rep r;
    const uint64_t now = vault_now(v);
    if (m->expires <= now || m->expires > now + WIRE_ASSIGNMENT_LIFE_S)
        return sr_fail(err, SR_E_REFUSED, "an assignment lives %u s at most",
                       WIRE_ASSIGNMENT_LIFE_S);
    struct hash h = wire_assignment_hash(&(struct wire_assignment){
        .task = m->task, .worker = m->worker, .nonce = m->nonce, .expires_unix_s = m->expires});
    SR_TRY(vault_sign_message(v, &h, &r.signature, err));
    vault_sign_assignment_rep_write(ret_reply, &r);
    return SR_OK;
}

sr_status vault_on_sign_authorisation(struct vault *v, const struct vault_sign_authorisation_req *m,
                                      struct buf *ret_reply, struct sr_err *err) {
    struct vault_sign_authorisation_rep r;
    struct wire_token t;
    SR_TRY(wire_token_check(m->token, &v->sms_identity, &m->task, &m->worker, &m->challenge,
                            vault_now(v), &t, err));
    struct hash h = wire_authorisation_hash(&m->worker, &m->task, &m->challenge);
    SR_TRY(vault_sign_message(v, &h, &r.signature, err));
    vault_sign_authorisation_rep_write(ret_reply, &r);
    return SR_OK;
}

sr_status vault_on_sign_order(struct vault *v, const struct vault_sign_order_req *m,
                              struct buf *ret_reply, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct vault_sign_order_rep r;
    struct poco_order o;
    SR_TRY(json_parse(m->order, &doc, err));
    SR_TRY(poco_order_from_json(POCO_WORKERPOOL, json_root(doc), &o, err));
    const struct poco_workerpoolorder *w = &o.workerpool;
    if (addr_is_zero(&v->workerpool) || !addr_eq(&w->workerpool, &v->workerpool))
        return sr_fail(err, SR_E_REFUSED, "the order is of another workerpool");
    if (u256_cmp(w->workerpoolprice, v->limits.order_min_price) < 0 ||
        u256_cmp(w->workerpoolprice, v->limits.order_max_price) > 0)
        return sr_fail(err, SR_E_REFUSED, "the order's price is out of the configured bounds");
    if (u256_cmp(w->volume, u256_of(v->limits.order_max_volume)) > 0)
        return sr_fail(err, SR_E_REFUSED, "the order's volume is over the configured bound");
    SR_TRY(poco_order_sign(&o, &v->domain, &v->key, err));
    memcpy(r.signature.b, o.sign.b, sizeof r.signature.b);
    vault_sign_order_rep_write(ret_reply, &r);
    return SR_OK;
}

sr_status vault_on_sign_market(struct vault *v, const struct vault_sign_market_req *m,
                               struct buf *ret_reply, struct sr_err *err) {
    struct vault_sign_market_rep r;
    if (!slice_is(m->domain_name, MARKET_DOMAIN) || !slice_is(m->domain_version, MARKET_VERSION))
        return sr_fail(err, SR_E_REFUSED, "not the challenge of a market");
    if (m->challenge.n > MARKET_CHALLENGE)
        return sr_fail(err, SR_E_TOOBIG, "a challenge of %zu bytes", m->challenge.n);
    struct hash h = eip712_challenge(MARKET_DOMAIN, v->domain.chain_id, m->challenge);
    SR_TRY(secp_sign(&v->key, &h, &r.signature, err));
    vault_sign_market_rep_write(ret_reply, &r);
    return SR_OK;
}

sr_status vault_on_sign_login(struct vault *v, const struct vault_sign_login_req *m,
                              struct buf *ret_reply, struct sr_err *err) {
    struct vault_sign_login_rep r;
    struct hash h = wire_login_hash(&m->workerpool, &m->nonce, &v->wallet);
    SR_TRY(vault_sign_message(v, &h, &r.signature, err));
    vault_sign_login_rep_write(ret_reply, &r);
    return SR_OK;
}

sr_status vault_on_sign_release(struct vault *v, const struct vault_sign_release_req *m,
                                struct buf *ret_reply, struct sr_err *err) {
    struct vault_sign_release_rep r;
    struct hash h = wire_release_hash(&m->task, &v->wallet, &m->nonce, &m->evidence_digest);
    SR_TRY(vault_sign_message(v, &h, &r.signature, err));
    vault_sign_release_rep_write(ret_reply, &r);
    return SR_OK;
}

/* ---- transactions ---- */

static const struct {
    uint32_t roles;
    poco_call call;
} allowed_calls[] = {
    {VAULT_WORKER | VAULT_SCHEDULER, POCO_CALL_INITIALIZE},
    {VAULT_WORKER, POCO_CALL_CONTRIBUTE},
    {VAULT_WORKER, POCO_CALL_CONTRIBUTE_AND_FINALIZE},
    {VAULT_WORKER, POCO_CALL_REVEAL},
    {VAULT_SCHEDULER, POCO_CALL_INIT_ARRAY},
    {VAULT_SCHEDULER, POCO_CALL_FINALIZE},
    {VAULT_SCHEDULER, POCO_CALL_REOPEN},
    {VAULT_SCHEDULER, POCO_CALL_CLAIM},
    {VAULT_SCHEDULER, POCO_CALL_CLAIM_ARRAY},
    {VAULT_SCHEDULER, POCO_CALL_INIT_AND_CLAIM_ARRAY},
};

/* 0x02 | rlp([chain, nonce, tip, fee, gas, to, value, data, []]), and nothing else. */
static bool tx_read(struct slice payload, struct eth_tx *tx) {
    struct slice to;
    struct rd r = rd_of(payload), in, access;
    if (rd_u8(&r) != 0x02 || !rlp_next_list(&r, &in) || !rd_done(&r)) return false;
    *tx = (struct eth_tx){.type = TX_1559};
    bool ok = rlp_next_u64(&in, &tx->chain_id) && rlp_next_u64(&in, &tx->nonce) &&
              rlp_next_u256(&in, &tx->max_tip) && rlp_next_u256(&in, &tx->max_fee) &&
              rlp_next_u64(&in, &tx->gas_limit) && rlp_next_bytes(&in, &to) && to.n == 20 &&
              rlp_next_u256(&in, &tx->value) && rlp_next_bytes(&in, &tx->data) &&
              rlp_next_list(&in, &access) && rd_done(&access) && rd_done(&in);
    if (ok) memcpy(tx->to.b, to.p, 20);
    return ok;
}

static sr_status tx_allowed(const struct vault *v, const struct eth_tx *tx, struct sr_err *err) {
    cleanup_abi struct abi_out args = {0};
    poco_call call;
    if (tx->chain_id != v->domain.chain_id)
        return sr_fail(err, SR_E_REFUSED, "a transaction for chain %llu",
                       (unsigned long long)tx->chain_id);
    if (!addr_eq(&tx->to, &v->domain.hub))
        return sr_fail(err, SR_E_REFUSED, "a transaction to %s, not the hub", addr_text(&tx->to).s);
    if (!u256_is_zero(tx->value))
        return sr_fail(err, SR_E_REFUSED, "a transaction that moves money");
    if (tx->gas_limit > v->limits.gas || u256_cmp(tx->max_fee, v->limits.fee_per_gas) > 0 ||
        u256_cmp(tx->max_tip, tx->max_fee) > 0)
        return sr_fail(err, SR_E_REFUSED, "a transaction with too much gas or fee");
    if (poco_call_read(tx->data, &call, &args, NULL) != SR_OK)
        return sr_fail(err, SR_E_REFUSED, "a call that is on no list");
    for (size_t i = 0; i < SR_ARRAY_LEN(allowed_calls); i++)
        if (allowed_calls[i].call == call && (allowed_calls[i].roles & v->role)) return SR_OK;
    return sr_fail(err, SR_E_REFUSED, "this role may not call %s", poco_call_signature(call));
}

/* Counts it against the day's bounds. */
static sr_status tx_count(struct vault *v, const struct eth_tx *tx, struct sr_err *err) {
    struct u256 cost, sum;
    const uint64_t day = vault_now(v) / 86400;
    if (day != v->day) {
        v->day = day;
        v->tx_today = 0;
        v->wei_today = u256_of(0);
    }
    if (v->tx_today >= v->limits.tx_per_day)
        return sr_fail(err, SR_E_REFUSED, "the day's %llu transactions are signed",
                       (unsigned long long)v->limits.tx_per_day);
    if (!u256_mul(&cost, tx->max_fee, u256_of(tx->gas_limit)) ||
        !u256_add(&sum, v->wei_today, cost) || u256_cmp(sum, v->limits.wei_per_day) > 0)
        return sr_fail(err, SR_E_REFUSED, "the day's fees are used up");
    v->tx_today++;
    v->wei_today = sum;
    return SR_OK;
}

sr_status vault_on_sign_tx(struct vault *v, const struct vault_sign_tx_req *m,
                           struct buf *ret_reply, struct sr_err *err) {
    struct vault_sign_tx_rep r;
    struct eth_tx tx;
    if (!tx_read(m->payload, &tx))
        return sr_fail(err, SR_E_MALFORMED, "not an unsigned EIP-1559 transaction");
    SR_TRY(tx_allowed(v, &tx, err));
    SR_TRY(tx_count(v, &tx, err));
    struct hash h = keccak256(m->payload);
    SR_TRY(secp_sign(&v->key, &h, &r.signature, err));
    vault_sign_tx_rep_write(ret_reply, &r);
    return SR_OK;
}
