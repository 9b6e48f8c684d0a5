/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the one program: a command of a user, the network, or a role */
#include "crypto/crypto.h"
#include "main/main_int.h"
#include "up/up.h"
#ifdef HAVE_CLI
#include "cli/cli.h"
#endif
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct role {
    const char *name;
    int (*main)(int argc, char **argv);
};
static const struct role roles[] = {
    {"miner", miner_main},
#ifdef HAVE_STORE
    {"store", store_main},
#endif
#ifdef HAVE_MARKET
    {"market", market_main},
#endif
#ifdef HAVE_SMS
    {"sms", sms_main},
#endif
#ifdef HAVE_SCHEDULER
    {"scheduler", scheduler_main},
#endif
#ifdef HAVE_WORKER
    {"worker", worker_main},
#endif
    {NULL, NULL},
};

static const struct role *find_role(const char *name) {
    for (const struct role *r = roles; r->name; r++)
        if (strcmp(r->name, name) == 0) return r;
    return NULL;
}

static bool has_role(const char *name) {
    return find_role(name) != NULL;
}

static int run_role(int argc, char **argv) {
    const struct role *r = argc > 0 ? find_role(argv[0]) : NULL;
#ifndef CHECKED_BUILD                                       /* a leak check needs to trace */
    if (r && strcmp(r->name, "sms") == 0) secret_no_dump(); /* secrets posted unsealed pass it */
#endif
    if (r) return r->main(argc - 1, argv + 1);
    (void)fprintf(stderr, "strongroom role: %s%s\n  what to do: one of",
                  argc > 0 ? "no role " : "a name is missing", argc > 0 ? argv[0] : "");
    for (r = roles; r->name; r++) (void)fprintf(stderr, " %s", r->name);
    (void)fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv) {
    static const struct up_env env = {has_role};
    if (argc > 1 && strcmp(argv[1], "role") == 0) return run_role(argc - 2, argv + 2);
    if (argc > 1 && up_has(argv[1])) return up_main(argc - 1, argv + 1, &env);
#ifdef HAVE_CLI
#ifndef CHECKED_BUILD
    secret_no_dump(); /* wallets, result keys, data before its protection */
#endif
    return cli_main(argc, argv);
#else
    (void)fprintf(stderr, "usage: strongroom up|down|status [--help]\n");
    return 2;
#endif
}
