/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_client.h - a role's side of its vault: typed calls over one Unix stream
 *
 * Depends on: net, eth core, wire/formats.  Used by: sms, scheduler, worker.  Waits: every call (in
 * a fiber). Calls of several fibers share the stream; replies are matched by id. A vault that went
 * away is dialled again on the next call; meanwhile calls fail with SR_E_UNAVAILABLE and a hint.
 * SPEC of the messages: docs/wire.md, "The vault".
 */
#pragma once
#include "eth/tx.h"
#include "wire/formats.h"

struct vault_client; /* owned: vault_client_free */
SR_CHECK sr_status vault_client_new(const char *socket_path, struct vault_client **ret,
                                    struct sr_err *err);
void vault_client_free(struct vault_client *v);

struct vault_identity {
    struct addr wallet;      /* the SMS identity, pool owner or worker */
    uint8_t sealing_key[32]; /* X25519; zero for roles without one */
};
SR_CHECK sr_status vault_hello(struct vault_client *v, struct vault_identity *ret,
                               struct sr_err *err);

/* sms */
struct vault_secret {
    secret_kind kind;
    struct addr target, signer;
    struct slice name, secret, signature;
    bool is_sealed; /* secret is HPKE to the vault's sealing key */
    /* The signer is a contract, which has said (ERC-1271) that the signature is its own. origin,
     * for kinds 2 and 3: how its address came about, by which the vault sees that nobody has a key
     * for it (WIRE_ORIGIN_*). */
    bool by_contract;
    struct slice origin;
};
SR_CHECK sr_status vault_secret_seal(struct vault_client *v, const struct vault_secret *s,
                                     struct buf *ret_stored, struct sr_err *err);
struct vault_released {
    struct buf token, envelope; /* owned: vault_released_done */
    struct sr_signature envelope_signature;
    wire_verdict verdict;
};
/* A refusal comes back as SR_E_AUTH, SR_E_REFUSED or SR_E_CRYPTO; err->what begins with "CODE: ".
 */
SR_CHECK sr_status vault_release(struct vault_client *v, struct slice request_json,
                                 struct slice facts_json, struct slice evidence,
                                 struct vault_released *ret, struct sr_err *err);
void vault_released_done(struct vault_released *r);
/* Proof for GET /v1/vault: the identity's signature over wire_vault_key_hash(sealing key). */
SR_CHECK sr_status vault_key_proof(struct vault_client *v, struct sr_signature *ret,
                                   struct sr_err *err);

/* scheduler */
SR_CHECK sr_status vault_sign_assignment(struct vault_client *v, struct wire_assignment *a,
                                         struct sr_err *err); /* fills a->signature */
SR_CHECK sr_status vault_sign_authorisation(struct vault_client *v, const struct hash *task,
                                            const struct addr *worker, const struct addr *challenge,
                                            struct slice token, struct sr_signature *ret,
                                            struct sr_err *err);
SR_CHECK sr_status vault_sign_order(struct vault_client *v, struct slice order_json,
                                    struct sr_signature *ret, struct sr_err *err);
SR_CHECK sr_status vault_sign_market(struct vault_client *v, struct slice domain_name,
                                     struct slice domain_version, struct slice challenge,
                                     struct sr_signature *ret, struct sr_err *err);

/* worker */
SR_CHECK sr_status vault_sign_login(struct vault_client *v, const struct hash *nonce,
                                    const struct addr *workerpool, struct sr_signature *ret,
                                    struct sr_err *err);
SR_CHECK sr_status vault_sign_release(struct vault_client *v, const struct hash *task,
                                      const struct hash *nonce, const struct hash *evidence_digest,
                                      struct sr_signature *ret, struct sr_err *err);

/* scheduler and worker: payload is 0x02 ‖ rlp of the unsigned EIP-1559 transaction; the signature
 * is over its keccak (no EIP-191). */
SR_CHECK sr_status vault_sign_tx(struct vault_client *v, struct slice payload,
                                 struct sr_signature *ret, struct sr_err *err);
/* That payload, appended to ret. SR_E_REFUSED for a transaction of another kind. */
SR_CHECK sr_status vault_tx_payload(const struct eth_tx *tx, struct buf *ret, struct sr_err *err);
/* The vault as an eth_signer (sign_digest NULL), borrowing v. Waits: asks for the wallet. */
SR_CHECK sr_status vault_signer(struct vault_client *v, struct eth_signer *ret, struct sr_err *err);
