/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tx.h - transactions: build, hash for signing, encode, decode; checksummed addresses; create2
 *
 * Depends on: base, crypto, rlp.  Used by: eth/sender, vault.  No network.
 */
#pragma once
#include "crypto/crypto.h"
#include "eth/rlp.h"

#define TX_MAX_DATA (1u << 20)

typedef enum { TX_LEGACY = 0, TX_1559 = 2 } tx_type;

struct eth_tx {
    tx_type type;
    uint64_t chain_id; /* legacy: EIP-155 */
    uint64_t nonce;
    uint64_t gas_limit;
    struct u256 max_fee; /* per gas; the gas price of a legacy one */
    struct u256 max_tip; /* per gas; 0 in a legacy one */
    bool creates;        /* no receiver */
    struct addr to;
    struct u256 value;
    struct slice data;        /* borrowed */
    struct slice access_list; /* the encoded items of the list, borrowed; empty in what we make */
};
/* What the key signs. */
SR_CHECK sr_status tx_sign_hash(const struct eth_tx *tx, struct hash *ret_h, struct sr_err *err);
/* The raw transaction for the node, appended to b, and its hash (ret_hash may be NULL). */
SR_CHECK sr_status tx_encode(const struct eth_tx *tx, const struct sr_signature *sig, struct buf *b,
                             struct hash *ret_hash, struct sr_err *err);
/* Reads a signed one; slices point into raw. */
SR_CHECK sr_status tx_decode(struct slice raw, struct eth_tx *ret_tx, struct sr_signature *ret_sig,
                             struct addr *ret_from, struct sr_err *err);

/*
 * struct eth_signer - who signs: a key in this process, or a vault behind a connection
 *
 * sign_tx sees the whole transaction (a vault judges it by rule); sign_digest signs any 32 bytes
 * and is NULL where the holder refuses that. Both may wait.
 */
struct eth_signer {
    struct addr addr;
    void *ctx; /* borrowed */
    sr_status (*sign_tx)(void *ctx, const struct eth_tx *tx, struct sr_signature *ret_sig,
                         struct sr_err *err);
    sr_status (*sign_digest)(void *ctx, const struct hash *digest, struct sr_signature *ret_sig,
                             struct sr_err *err);
};
/* A key of this process; borrowed as long as the signer is used. */
SR_CHECK sr_status eth_signer_local(const struct sr_secret *key, struct eth_signer *ret,
                                    struct sr_err *err);

/* EIP-55. addr_checksum_ok: digits all in one case, or exactly the checksum. */
struct addr_text addr_checksum(const struct addr *a);
bool addr_checksum_ok(struct slice text);
struct addr eth_create_address(const struct addr *from, uint64_t nonce);
struct addr eth_create2_address(const struct addr *from, const struct hash *salt,
                                const struct hash *init_code_hash);
