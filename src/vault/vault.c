/* SPDX-License-Identifier: Apache-2.0 */
#include "vault/vault_int.h"

#include <stdlib.h>

struct vault_limits vault_limits_default(void) {
    struct vault_limits l = {.gas = 10000000,
                             .fee_per_gas = u256_of(500000000000ull), /* 500 gwei */
                             .tx_per_day = 100000,
                             .order_max_price = u256_of(POCO_SAFE_MAX),
                             .order_max_volume = 1000000};
    SR_ASSERT(u256_mul(&l.wei_per_day, u256_of(1000000000000000000ull), u256_of(100)));
    return l;
}

static sr_status derive(const struct sr_secret *master, const char *what, struct sr_secret *ret,
                        struct sr_err *err) {
    SR_TRY(secret_new(32, ret, err));
    return hkdf_expand(master->p, slice_str(what), ret->p, 32, err);
}

static sr_status set_up(struct vault *v, const struct vault_config *c, struct sr_err *err) {
    v->trust = c->take_trust;
    if (c->role != VAULT_SMS && c->role != VAULT_SCHEDULER && c->role != VAULT_WORKER)
        return sr_fail(err, SR_E_USAGE, "a vault serves one role");
    SR_TRY(secret_from(c->key->p, c->key->n, &v->key, err));
    SR_TRY(secp_address(&v->key, &v->wallet, err));
    if (c->role != VAULT_SMS) return SR_OK;
    if (!c->master || c->master->n != 32)
        return sr_fail(err, SR_E_USAGE, "the SMS's vault needs a master key of 32 bytes");
    if (!c->take_trust)
        return sr_fail(err, SR_E_USAGE, "the SMS's vault needs an attestation authority");
    SR_TRY(derive(c->master, "SR-storage-key-v1", &v->storage_key, err));
    SR_TRY(derive(c->master, "SR-sealing-key-v1", &v->sealing_key, err));
    SR_TRY(hpke_public(&v->sealing_key, v->sealing_public, err));
    v->used = sr_calloc_n(VAULT_NONCES_MAX, sizeof *v->used);
    return v->used ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

sr_status vault_new(const struct vault_config *c, struct vault **ret, struct sr_err *err) {
    struct vault *v = sr_calloc_n(1, sizeof *v);
    if (!v) {
        tee_trust_free(c->take_trust);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    v->magic = VAULT_MAGIC;
    v->role = c->role;
    v->domain = poco_domain_of(c->chain_id, &c->hub);
    v->workerpool = c->workerpool;
    v->sms_identity = c->sms_identity;
    v->policy = c->policy;
    v->limits = c->limits;
    sr_status st = set_up(v, c, err);
    if (st == SR_OK)
        *ret = v;
    else
        vault_free(v);
    return st;
}

void vault_free(struct vault *v) {
    if (!v) return;
    secret_free(&v->key);
    secret_free(&v->storage_key);
    secret_free(&v->sealing_key);
    tee_trust_free(v->trust);
    free(v->used);
    free(v);
}

const struct addr *vault_wallet(const struct vault *v) {
    return &v->wallet;
}
const uint8_t *vault_sealing_key(const struct vault *v) {
    return v->sealing_public;
}
void vault_set_time(struct vault *v, uint64_t unix_s) {
    v->fixed_time = unix_s;
}
uint64_t vault_now(const struct vault *v) {
    return v->fixed_time ? v->fixed_time : clock_unix_ms() / 1000;
}

sr_status vault_sign_message(const struct vault *v, const struct hash *h, struct sr_signature *ret,
                             struct sr_err *err) {
    struct hash m = eth_message_hash(h);
    return secp_sign(&v->key, &m, ret, err);
}

/* ---- the table: the whole attack surface ---- */

#define M(num, name, roles, max, request, reply)                                                   \
    static sr_status take_##name(struct vault *v, struct slice body, struct buf *ret_reply,        \
                                 struct sr_err *err) {                                             \
        struct vault_##name##_req m;                                                               \
        if (!vault_##name##_req_read(body, &m))                                                    \
            return sr_fail(err, SR_E_USAGE, "message " #name " is malformed");                     \
        return vault_on_##name(v, &m, ret_reply, err);                                             \
    }
VAULT_MSGS(M)
#undef M

static const struct {
    uint16_t type;
    uint32_t roles;
    size_t max;
    sr_status (*take)(struct vault *v, struct slice body, struct buf *ret_reply,
                      struct sr_err *err);
} table[] = {
#define M(num, name, roles, max, request, reply) {(num), (roles), (max), take_##name},
    VAULT_MSGS(M)
#undef M
};

sr_status vault_dispatch(struct vault *v, struct vault_peer *peer, uint16_t type, struct slice body,
                         struct buf *ret_reply, struct sr_err *err) {
    SR_ASSERT(v->magic == VAULT_MAGIC);
    for (size_t i = 0; i < SR_ARRAY_LEN(table); i++) {
        if (table[i].type != type) continue;
        if (peer->greeted == (type == VAULT_MSG_hello))
            return sr_fail(err, SR_E_USAGE, "a greeting comes first, and once");
        if (!(table[i].roles & v->role))
            return sr_fail(err, SR_E_AUTH, "this vault's role may not send message %u", type);
        if (body.n > table[i].max)
            return sr_fail(err, SR_E_TOOBIG, "message %u of %zu bytes", type, body.n);
        SR_TRY(table[i].take(v, body, ret_reply, err));
        peer->greeted = true;
        return buf_status(ret_reply, err);
    }
    return sr_fail(err, SR_E_NOTFOUND, "there is no message %u", type);
}

sr_status vault_on_hello(struct vault *v, const struct vault_hello_req *m, struct buf *ret_reply,
                         struct sr_err *err) {
    if (m->version != VAULT_VERSION)
        return sr_fail(err, SR_E_USAGE, "version %u of the vault's messages, not %u", m->version,
                       VAULT_VERSION);
    struct vault_hello_rep r = {.version = VAULT_VERSION, .wallet = v->wallet};
    memcpy(r.sealing_key.b, v->sealing_public, 32);
    r.role = slice_str(v->role == VAULT_SMS         ? "sms"
                       : v->role == VAULT_SCHEDULER ? "scheduler"
                                                    : "worker");
    vault_hello_rep_write(ret_reply, &r);
    return SR_OK;
}
