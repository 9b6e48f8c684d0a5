/* SPDX-License-Identifier: Apache-2.0 */
/*
 * up.h - the whole network on one machine: starts the roles, keeps them running, stops them
 *
 * Depends on: base, crypto, tee (the simulated authority).  Used by: main.
 * Never: looks into the roles' business, signs anything, talks HTTP. It is a loop over signals and
 * descriptors: what listens is opened here and inherited, so every address is known before the
 * first role runs and connections wait for a role that is being started again.
 */
#pragma once
#include "base/base.h"

struct up_env {
    bool (*has_role)(const char *name); /* is this role in the program? */
};
/* up, down and status: argv[0] is the word. Returns the exit code. */
int up_main(int argc, char **argv, const struct up_env *env);
bool up_has(const char *word);
/* The role that mines and saves the development chain: argv is its flags. */
int miner_main(int argc, char **argv);
