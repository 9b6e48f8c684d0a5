/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eip712.h - typed data: domains, digests, and hashing of a whole typed-data document
 *
 * Depends on: base, crypto.  Used by: poco, the services' challenges, vault, sdk.
 */
#pragma once
#include "crypto/crypto.h"

#define EIP712_MAX_DEPTH 16
#define EIP712_MAX_TYPES 64

struct eip712_domain {
    const char *name, *version; /* NULL: absent */
    uint64_t chain_id;          /* 0: absent */
    bool has_contract;
    struct addr contract;
};
struct hash eip712_separator(const struct eip712_domain *d);
/* keccak256(0x19 0x01 | separator | struct hash) */
struct hash eip712_digest(const struct hash *separator, const struct hash *struct_hash);
/* Digest of {types, domain, primaryType, message}, as a wallet would sign it. SR_E_MALFORMED says
 * which part is wrong. */
SR_CHECK sr_status eip712_json(const struct json_val *typed_data, struct hash *ret_digest,
                               struct sr_err *err);
/* The challenge of market and scheduler: {name, version "1", chainId} and Challenge(string
 * challenge). SPEC: services.md#11-challenge-authentication-market-and-workerpool */
struct hash eip712_challenge(const char *service_name, uint64_t chain_id, struct slice challenge);
