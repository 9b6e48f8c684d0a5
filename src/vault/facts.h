/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts.h - the two documents of a release: what the worker asks, what the chain says
 *
 * Slices are borrowed from the documents, which the structs own.
 * Used by: vault only.  SPEC: docs/wire.md, "Secret release"
 */
#pragma once
#include "vault/vault_int.h"

struct asked {
    struct json *doc;
    struct wire_assignment assignment;
    struct addr challenge;
    uint8_t challenge_public[64];
    uint8_t sealing_key[32];
    struct sr_signature signature;
    struct slice evidence; /* borrowed from the message */
    struct hash evidence_digest;
};
SR_CHECK sr_status asked_read(struct slice json, struct slice evidence, struct asked *ret,
                              struct sr_err *err);
void asked_done(struct asked *a); /* accepts a zeroed one */
#define cleanup_asked __attribute__((cleanup(asked_done)))

struct stored {
    secret_kind kind;
    struct addr target;
    struct slice name, base64;
};
/* One data set of a bulk task. */
#define VAULT_OUTCOME_MAX 48 /* bytes of a code */
struct bulk_fact {
    struct addr address, owner, former_owner;
    struct slice outcome; /* a code: withheld, and the rest is not there; n 0: to be released */
    struct hash checksum;
    struct slice multiaddr;
    struct poco_order order;
    bool presigned, groups_checked, has_former_owner;
};
struct facts {
    struct json *doc;
    uint64_t now;
    struct addr pool_owner;
    struct hash deal;
    struct addr app, app_owner, dataset, dataset_owner, workerpool;
    struct addr requester, beneficiary, callback;
    struct hash app_checksum, dataset_checksum, tag;
    struct slice dataset_multiaddr, params;
    uint64_t bot_first, bot_size, seconds, deadline, index;
    struct poco_order app_order, dataset_order, request_order;
    bool has_dataset_order;
    bool app_presigned, dataset_presigned, request_presigned;
    bool has_former_owner;
    struct addr former_owner; /* of the data set, by the registry's events: who stored its key */
    bool groups_checked;      /* the SMS has asked the chain about restrictions to groups */
    struct bulk_fact *bulk;   /* owned */
    size_t n_bulk;
    struct stored stored[VAULT_SECRETS_MAX];
    size_t n_stored;
};
SR_CHECK sr_status facts_read(struct slice json, struct facts *ret, struct sr_err *err);
void facts_done(struct facts *f); /* accepts a zeroed one */
#define cleanup_facts __attribute__((cleanup(facts_done)))
