/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eth.h - Ethereum: encodings, transactions, keys; and the node behind JSON-RPC
 *
 * Two libraries: eth_core (rlp, abi, eip712, tx, keystore: no sockets, may be linked into the
 * vault) and eth (rpc, follower, sender). Include the small headers where only the core is wanted.
 */
#pragma once
#include "eth/abi.h"
#include "eth/eip712.h"
#include "eth/follower.h"
#include "eth/keystore.h"
#include "eth/rlp.h"
#include "eth/rpc.h"
#include "eth/sender.h"
#include "eth/tx.h"
