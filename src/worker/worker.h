/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - the task runner on an untrusted host: fetches cipher text, starts rooms, sends
 * transactions
 *
 * Takes assignments from its pool's scheduler by websocket, gives each task a room, relays evidence
 * to the secret service and the sealed envelope back, uploads the result, settles on the chain
 * through its vault. It never sees a key of anybody's data, nor plain text.
 *
 * Depends on: net, eth, poco, ipfs, oci, wire, room (its door).  Used by: main.
 * SPEC: execution.md#6-worker, docs/wire.md
 */
#pragma once

/* argv: the role's flags only. Returns the exit code. */
int worker_main(int argc, char **argv);
