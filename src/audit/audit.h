/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h - the evidence bundle: one file that shows how a task was made, checked offline
 *
 * Everything that can be recomputed is recomputed: orders' signatures and ids, the enclave's
 * evidence with its collateral, the token, the release record, the result's signature, the
 * transaction. What only the chain knows (owners, balances, that the transaction was mined) is
 * stated in the bundle and listed in the report as such.
 *
 * File: one JSON object, a line feed, "sha256 " and 64 hex digits of all before that line, a line
 * feed. The fields are tested first, so that a change is named; the last line catches the rest.
 *
 * Depends on: tee, poco core, wire core.  Used by: cli (verify), sdk (makes bundles).
 * Limits: AUDIT_MAX. Pure functions; time is the release record's.
 */
#pragma once
#include "poco/order.h"
#include "tee/policy.h"
#include "wire/formats.h"

#define AUDIT_MAX    (4u << 20)
#define AUDIT_FORMAT "strongroom-bundle-1"

/* A row of the SMS's release log (docs/wire.md, "Secret release", 5). */
struct audit_release {
    uint64_t n, time_ms;
    struct addr dataset; /* zero: none */
    struct hash previous, hash;
};

/* What a bundle is made of. All borrowed. */
struct audit_parts {
    uint64_t chain_id;
    struct addr hub;
    const struct poco_order *app, *dataset, *workerpool, *request; /* signed; dataset may be NULL */
    struct addr app_owner, dataset_owner, workerpool_owner;        /* as the chain said */
    uint64_t bot_first, index;
    struct wire_binding binding; /* task, worker, nonce, keys, SMS identity, the app's digest */
    struct hash room_sha256;
    struct slice evidence;  /* the envelope */
    struct slice authority; /* JSON: root and collateral, tee_trust_new's */
    struct wire_assignment assignment;
    struct slice token;
    struct audit_release release;
    struct hash result_digest;
    struct sr_signature enclave_signature;
    struct slice transaction; /* raw, signed: contributeAndFinalize */
    struct slice policy;      /* JSON */
};
/* Writes the bundle, and verifies it: none is made that does not hold. */
SR_CHECK sr_status audit_bundle_make(const struct audit_parts *p, struct buf *ret,
                                     struct sr_err *err);

struct audit_report {
    const char *field; /* which failed first; NULL: all hold */
    char why[160];
    const char *held[32]; /* fields that were checked and hold, static */
    size_t n_held;
    bool simulated;
    wire_verdict label;
    uint64_t chain_id, time_ms;
    struct addr hub, sms_identity, worker, app_owner, dataset_owner, workerpool_owner;
    struct hash task, deal, result_digest, transaction;
};
/* SR_OK: every field holds. SR_E_MALFORMED or SR_E_CRYPTO otherwise; ret is filled then too. */
SR_CHECK sr_status audit_verify(struct slice bundle, struct audit_report *ret, struct sr_err *err);
