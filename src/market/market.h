/* SPDX-License-Identifier: Apache-2.0 */
/*
 * market.h - the order book and the chain's index: what the official clients and ours ask for
 *
 * One process, one chain, one SQLite file. Orders come from people (POST), everything else from
 * the chain (follower); the file can be deleted and is built again, except for the orders.
 * Never: holds keys, moves value, decides who may see a secret.
 *
 * Depends on: poco, ipfs core (multiaddr), db, net.  SPEC: services.md#2-market-api, docs/wire.md
 */
#pragma once

/* The role: flags as in docs/wire.md. Returns an exit code. */
int market_main(int argc, char **argv);
