/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sms.h - the secret service's HTTP edge: routes, chain checks, the release log
 *
 * It never sees a secret that a client of ours sent (those are sealed to the vault), keeps only
 * what the vault has sealed, and decides nothing alone: it gathers what the chain says about a
 * task, and the vault, which checks again, makes the answer. Every release and every refusal is in
 * a log whose rows carry the hash of the row before.
 *
 * Depends on: net, db, commit, poco, wire.  Called by: main (role "sms").
 * SPEC: services.md#3-sms-secret-management-service,
 * execution.md#7-sms-sessions-and-what-it-checks-before-releasing-anything
 */
#pragma once
#include "net/role.h"

/* The role; argv after its name. Returns the exit code. */
int sms_main(int argc, char **argv);
