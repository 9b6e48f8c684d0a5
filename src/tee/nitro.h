/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nitro.h - AWS Nitro Enclaves: attestation documents (COSE_Sign1 over a CBOR map)
 *
 * Depends on: tee.h (error classes), cbor.h, libcrypto.  Used by: cli (attest), audit, tests.
 * Limits: NITRO_*. SPEC: attestation.md#5-aws-nitro-enclaves
 */
#pragma once
#include "crypto/crypto.h"

#define NITRO_DOC_MAX    16384u
#define NITRO_FIELD_MAX  1024u /* public_key, user_data, nonce */
#define NITRO_CHAIN_MAX  8u
#define NITRO_MODULE_MAX 256u
#define NITRO_PCRS       32u

/* A document's fields, borrowed from its bytes. */
struct nitro_doc {
    struct slice protected_header, payload, signature;
    struct slice module_id, certificate, cabundle[NITRO_CHAIN_MAX];
    size_t n_cabundle;
    uint64_t timestamp_ms;
    struct slice pcr[NITRO_PCRS]; /* empty: not given */
    struct slice public_key, user_data, nonce;
    bool has_public_key, has_user_data, has_nonce;
};
/* SR_E_MALFORMED; *ret_class (may be NULL) is "PARSE" or "UNSUPPORTED" then. */
SR_CHECK sr_status nitro_parse(struct slice doc, struct nitro_doc *ret, const char **ret_class,
                               struct sr_err *err);

struct nitro_result {
    const char *error; /* class of the failure; NULL: accepted */
    bool parsed, debug;
    struct nitro_doc doc;
};
/*
 * nitro_verify - the document's chain to the root, and its signature, at now_s
 *
 * root_der  the anchor: AWS's pinned root, or another one of a test
 */
SR_CHECK sr_status nitro_verify(struct slice doc, struct slice root_der, uint64_t now_s,
                                struct nitro_result *ret, struct sr_err *err);
bool nitro_root_is_pinned(struct slice root_der);
size_t nitro_strict_reasons(const struct nitro_result *r, const char **ret_reasons, size_t max);
