/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - the commands of a user: wallet, account, faucet, data, app, run, result, deal, task
 *
 * Depends on: sdk (through strongroom/strongroom.h).  Used by: main, which dispatches to it
 * whatever is neither a role (market, sms, ...) nor up, down, status. Never: starts roles, keeps
 * state of its own. Text on stdout, or JSON with --json; progress and errors on stderr.
 */
#pragma once
#include <stdbool.h>

/* argv[0] is the program's name, argv[1] the command. Returns the exit code: 0 ok, 1 failed, 2
 * usage, 3 refused, 4 task failed, 5 service down. */
int cli_main(int argc, char **argv);

/* Is word (argv[1]) a command of this module? "help", "--help", "version" are. */
bool cli_has(const char *word);

/* docs/cli.md and the man page, from the command table, on stdout: help --markdown, help --man. */
int cli_print_reference(void);
int cli_print_man(void);
