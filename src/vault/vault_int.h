/* SPDX-License-Identifier: Apache-2.0 */
/* vault_int.h - what the vault's files share: its state, the handlers. Used by: vault only. */
#pragma once
#include "vault/vault.h"
#include "wire/formats.h"

#define VAULT_MAGIC 0x7661756cu

struct used_nonce { /* of a released assignment, until it expires */
    struct hash id;
    uint64_t expires;
};

struct vault {
    uint32_t magic;
    uint32_t role;
    struct poco_domain domain;
    struct addr wallet, workerpool, sms_identity;
    struct sr_secret key, storage_key, sealing_key; /* the last two: sms */
    uint8_t sealing_public[32];
    struct tee_trust *trust;
    struct tee_policy policy;
    struct vault_limits limits;
    uint64_t fixed_time;
    struct used_nonce *used; /* VAULT_NONCES_MAX, in rows by the first bytes of the id */
    uint64_t day, tx_today;
    struct u256 wei_today;
};

uint64_t vault_now(const struct vault *v);
/* A personal signature (EIP-191) of the wallet. */
SR_CHECK sr_status vault_sign_message(const struct vault *v, const struct hash *h,
                                      struct sr_signature *ret, struct sr_err *err);
/* Refusals whose text begins with a code: "TASK_NOT_ACTIVE: …". */
#define vault_refuse(err, status, code, ...) sr_fail((err), (status), code ": " __VA_ARGS__)

/* One stored secret, opened. */
struct vault_opened {
    struct addr signer;
    struct buf secret; /* wiped by vault_opened_done */
};
void vault_opened_done(struct vault_opened *o);
/* SR_E_CRYPTO: not sealed by this vault for that kind, target and name. */
SR_CHECK sr_status vault_secret_open(const struct vault *v, secret_kind kind,
                                     const struct addr *target, struct slice name,
                                     struct slice stored, struct vault_opened *ret,
                                     struct sr_err *err);

/* Handlers, one a message. */
#define M(num, name, roles, max, request, reply)                                                   \
    SR_CHECK sr_status vault_on_##name(struct vault *v, const struct vault_##name##_req *m,        \
                                       struct buf *ret_reply, struct sr_err *err);
VAULT_MSGS(M)
#undef M
