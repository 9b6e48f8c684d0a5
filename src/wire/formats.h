/* SPDX-License-Identifier: Apache-2.0 */
/*
 * formats.h - the signed records that pass between scheduler, worker, room, SMS and vault, declared
 * once
 *
 * Depends on: base, crypto.  Used by: vault, sms, scheduler, worker, room.  Allocates: only into
 * given buffers. The bytes are those of docs/wire.md, "Signed records".
 */
#pragma once
#include "crypto/crypto.h"

#define WIRE_VERSION           1
#define WIRE_ASSIGNMENT_LIFE_S 900
#define WIRE_NONCE_LIFE_S      60
#define WIRE_TOKEN_LIFE_S      900
#define WIRE_EVIDENCE_MAX      (128u * 1024)
#define WIRE_ENVELOPE_MAX      (256u * 1024)
#define WIRE_POOL_MESSAGE_MAX  (1024u * 1024)
#define WIRE_LOG_TAIL_MAX      100000 /* characters kept of an app's stdout and stderr */
#define WIRE_SECRET_MAX        4096   /* bytes of one secret, as the official SMS has it */
#define WIRE_CAUSE_MAX         64     /* characters of a failure's cause */

/* A cause that others can act on: A-Z, 0-9 and _. A message with another one is malformed. */
static inline bool wire_is_cause(struct slice s) {
    if (s.n == 0 || s.n > WIRE_CAUSE_MAX) return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
    }
    return true;
}

typedef enum { WIRE_SIMULATED = 1, WIRE_TDX = 2, WIRE_SNP = 3 } wire_verdict;
const char *wire_verdict_label(wire_verdict v); /* "SIMULATED", "TDX", "SEV-SNP", "unknown" */

struct wire_assignment {
    struct hash task;
    struct addr worker;
    struct hash nonce;
    uint64_t expires_unix_s;
    struct sr_signature signature; /* the workerpool owner's */
};
/* What the owner signs (before EIP-191). */
struct hash wire_assignment_hash(const struct wire_assignment *a);
void wire_assignment_write(struct jw *w,
                           const struct wire_assignment *a); /* the object of docs/wire.md */
SR_CHECK bool wire_assignment_read(const struct json_val *v, struct wire_assignment *ret_a);

struct hash wire_release_hash(const struct hash *task, const struct addr *worker,
                              const struct hash *nonce, const struct hash *evidence_digest);
struct hash wire_login_hash(const struct addr *workerpool, const struct hash *nonce,
                            const struct addr *worker);
struct hash wire_vault_key_hash(const uint8_t sealing_key[32]);
/* execution.md §3: k(worker ‖ task ‖ challenge), result hash, result seal, enclave message. */
struct hash wire_authorisation_hash(const struct addr *worker, const struct hash *task,
                                    const struct addr *challenge);
struct hash wire_result_hash(const struct hash *task, const struct hash *digest);
struct hash wire_result_seal(const struct addr *worker, const struct hash *task,
                             const struct hash *digest);
struct hash wire_enclave_message(const struct hash *result_hash, const struct hash *result_seal);

struct wire_token {
    struct hash task;
    struct addr worker, challenge;
    struct hash evidence_digest;
    wire_verdict verdict;
    uint64_t expires_unix_s;
    struct sr_signature signature; /* the SMS identity's */
};
#define WIRE_TOKEN_BYTES (10 + 32 + 20 + 20 + 32 + 1 + 8 + 65)
struct hash wire_token_hash(const struct wire_token *t);
void wire_token_write(uint8_t dst[WIRE_TOKEN_BYTES], const struct wire_token *t);
SR_CHECK bool wire_token_read(struct slice bytes, struct wire_token *ret_t);
/* Parses, then checks signer, expiry and that it names task, worker, challenge. SR_E_AUTH says
 * which one failed. */
SR_CHECK sr_status wire_token_check(struct slice bytes, const struct addr *sms_identity,
                                    const struct hash *task, const struct addr *worker,
                                    const struct addr *challenge, uint64_t now_unix_s,
                                    struct wire_token *ret_t, struct sr_err *err);

#define WIRE_ENVELOPE_INFO      "SR-envelope-v1"
#define WIRE_SECRET_INFO        "SR-secret-v1"
#define WIRE_ENVELOPE_AAD_BYTES (10 + 32 + 20 + 20 + 32)
void wire_envelope_aad(uint8_t dst[WIRE_ENVELOPE_AAD_BYTES], const struct hash *task,
                       const struct addr *worker, const struct addr *challenge,
                       const struct hash *evidence_digest);
/* What the SMS identity signs: k(aad ‖ sealed). */
struct hash wire_envelope_hash(const uint8_t aad[WIRE_ENVELOPE_AAD_BYTES], struct slice sealed);

/* aad of a secret sealed to the vault: kind ‖ target ‖ name. */
typedef enum { SECRET_WEB3 = 1, SECRET_WEB2 = 2, SECRET_REQUESTER = 3, SECRET_APP = 4 } secret_kind;
void wire_secret_aad(struct buf *ret, secret_kind kind, const struct addr *target,
                     struct slice name);
/* What the owner signs to store a secret. SPEC:
 * execution.md#14-secrets-api-summary-full-detail-in-the-sms-spec-secrets-authorizationjson-r */
struct hash wire_secret_challenge(secret_kind kind, const struct addr *target, struct slice name,
                                  struct slice secret);
/* How a contract's address came about: 85 bytes 0xff ‖ deployer ‖ salt ‖ hash of the init code
 * (CREATE2), or 28 bytes deployer ‖ u64 nonce (CREATE). */
#define WIRE_ORIGIN_CREATE2 85u
#define WIRE_ORIGIN_CREATE  28u

/* A row of the SMS's release log. Its hash: k("SR-RLG-v1\0" ‖ previous ‖ u64 n ‖ u64 time ms ‖ task
 * ‖ deal ‖ worker ‖ data set ‖ u8 released ‖ u8 verdict ‖ evidence digest ‖ code). */
struct wire_release_row {
    uint64_t n, time_ms;
    struct hash task, deal;
    struct addr worker, dataset; /* zero: not known, none */
    bool released;
    uint8_t verdict; /* wire_verdict; 0: none */
    struct hash evidence_digest, previous;
    struct slice code; /* empty when released */
};
struct hash wire_release_row_hash(const struct wire_release_row *row);

/* attestation.md §10, purpose 1: the 64 bytes of report data that bind a room's keys to its task.
 */
struct wire_binding {
    struct hash nonce, task;
    struct addr worker;
    uint8_t sealing_key[32];      /* X25519 */
    uint8_t challenge_public[64]; /* secp256k1, uncompressed without 04 */
    struct addr sms_identity;
    struct hash app_digest; /* SHA-256 of the image's manifest */
};
SR_CHECK sr_status wire_report_data(const struct wire_binding *b, uint8_t ret_data[64],
                                    struct sr_err *err);
/* The address of a challenge key: the last 20 bytes of k(public). */
struct addr wire_challenge_address(const uint8_t challenge_public[64]);
/* MRTD of simulated evidence for a room executable. */
void wire_simulated_mrtd(const struct hash *room_sha256, uint8_t ret_mrtd[48]);
