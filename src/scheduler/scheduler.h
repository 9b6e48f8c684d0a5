/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler.h - the workerpool manager: from a deal on chain to workers, and every task to an end
 *
 * Watches its workerpool's deals, gives tasks to workers, signs assignments and authorisations
 * through its vault, claims what did not complete, keeps free orders at the market, answers
 * requesters. It never sees a secret, nor plain text, nor a key.
 *
 * Depends on: net, db, eth, poco, ipfs (multiaddr), wire.  Used by: main.
 * SPEC: execution.md#5-scheduler, docs/wire.md
 */
#pragma once

/* argv: the role's flags only. Returns the exit code. */
int scheduler_main(int argc, char **argv);
