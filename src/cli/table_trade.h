/* SPDX-License-Identifier: Apache-2.0 */
/* table_trade.h - the commands about entries of the registries, lists of deals and tasks, claims,
 * money and secrets. Used by: table.c, which it is a part of. */
#pragma once
#include "cli/cli_int.h"

static const struct cli_opt o_owner[] = {OPT("--owner", "WHO", "of somebody else")};
static const struct cli_opt o_to[] = {OPT("--to", "WHO", "who gets it")};
static const struct cli_opt o_category[] = {OPT("--description", "TEXT", "what it is for")};
static const struct cli_opt o_secret[] = {
    OPT("--secret-file", "FILE", "the secret's text; - is standard input (else asked for)")};
static const struct cli_opt o_secret_check[] = {OPT("--of", "WHO", "requester: of somebody else")};
static const struct cli_opt o_push_key[] = {
    OPT("--replace", NULL, "also when another key is there: old results stay with the old one")};
#define DEAL_OPTS                                                                                  \
    OPT("--requester", "WHO", "who asked and paid"),                                               \
        OPT("--beneficiary", "WHO", "who gets the result"), OPT("--app", "APP", "of this app"),    \
        OPT("--data", "ADDR", "on this data"), OPT("--workerpool", "ADDR", "on this workerpool"),  \
        OPT("--app-owner", "WHO", "whose app it was"),                                             \
        OPT("--data-owner", "WHO", "whose data it was"),                                           \
        OPT("--pool-owner", "WHO", "whose workerpool it was"),                                     \
        OPT("--everybody", NULL, "all, when nothing else is asked for"),                           \
        OPT("--max", "N", "show so many at most (default 100)")
static const struct cli_opt o_deals[] = {DEAL_OPTS};
static const struct cli_opt o_tasks[] = {
    DEAL_OPTS,
    OPT("--status", "WORD", "UNSET, ACTIVE, REVEALING, COMPLETED, FAILED, TIMEOUT or CLAIMABLE"),
};
static const struct cli_opt o_claim[] = {OPT("--all", NULL, "every task of the acting wallet")};

#define CLI_TRADE_COMMANDS                                                                           \
    {"info", "", 0, 0, "chain, contracts and services of the network", "", NONE, cmd_info},          \
        {"app list", "", 0, 0, "list one's apps", "", N(o_owner), cmd_resource_list},                \
        {"app count", "", 0, 0, "how many apps one has", "", N(o_owner), cmd_resource_count},        \
        {"app transfer",                                                                             \
         "APP",                                                                                      \
         1,                                                                                          \
         1,                                                                                          \
         "give an app to somebody else",                                                             \
         "Its open orders end: the new owner publishes new ones.",                                   \
         N(o_to),                                                                                    \
         cmd_resource_transfer},                                                                     \
        {"workerpool deploy",  "TEXT", 1, 1, "register a workerpool, described by TEXT", "", NONE,   \
         cmd_workerpool_deploy},                                                                     \
        {"workerpool show", "ADDR", 1, 1, "owner, description, shares", "", NONE,                    \
         cmd_resource_show},                                                                         \
        {"workerpool list", "", 0, 0, "list one's workerpools", "", N(o_owner), cmd_resource_list},  \
        {"workerpool count", "", 0, 0, "how many workerpools one has", "", N(o_owner),               \
         cmd_resource_count},                                                                        \
        {"workerpool transfer", "ADDR", 1, 1, "give a workerpool to somebody else", "", N(o_to),     \
         cmd_resource_transfer},                                                                     \
        {"data count",      "", 0, 0, "how many protected data one has", "", N(o_owner),             \
         cmd_resource_count},                                                                        \
        {"category list", "", 0, 0, "how long tasks may take", "", NONE, cmd_category_list},         \
        {"category show", "N", 1, 1, "one category", "", NONE, cmd_category_show},                   \
        {"category create",                                                                          \
         "NAME SECONDS",                                                                             \
         2,                                                                                          \
         2,                                                                                          \
         "make a category (the hub's owner)",                                                        \
         "Results must come within 7 times SECONDS; the task ends after 10 times.",                  \
         N(o_category),                                                                              \
         cmd_category_create},                                                                       \
        {"deal list", "",           0, 0, "one's deals, newest first, or those asked for", "",       \
         N(o_deals),  cmd_deal_list},                                                                \
        {"deal claim",                                                                               \
         "ID",                                                                                       \
         1,                                                                                          \
         1,                                                                                          \
         "claim the tasks of a deal that did not complete in time",                                  \
         "The price comes back to the requester's stake, with the pool's on top.",                   \
         NONE,                                                                                       \
         cmd_deal_claim},                                                                            \
        {"task list", "",           0, 0, "one's tasks, newest first, or those asked for", "",       \
         N(o_tasks),  cmd_task_list},                                                                \
        {"task claim",                                                                               \
         "[ID]",                                                                                     \
         0,                                                                                          \
         1,                                                                                          \
         "claim a task that did not complete in time, or all",                                       \
         "",                                                                                         \
         N(o_claim),                                                                                 \
         cmd_task_claim},                                                                            \
        {"task debug", "ID",       1,        1, "a task's steps, cause and output: it is app debug", \
         "",           N(o_debug), cmd_debug},                                                       \
        {"wallet send-rlc",          "AMOUNT", 1,       1,                                           \
         "send RLC from the wallet", "",       N(o_to), cmd_wallet_send_rlc},                        \
        {"wallet send-ether",                                                                        \
         "AMOUNT",                                                                                   \
         1,                                                                                          \
         1,                                                                                          \
         "send the chain's coin: 0.5, \"3 gwei\", \"100 wei\"",                                      \
         "",                                                                                         \
         N(o_to),                                                                                    \
         cmd_wallet_send_ether},                                                                     \
        {"wallet sweep",  "", 0, 0, "send all RLC, then all of the chain's coin", "", N(o_to),       \
         cmd_wallet_sweep},                                                                          \
        {"account approve",                                                                          \
         "AMOUNT SPENDER",                                                                           \
         2,                                                                                          \
         2,                                                                                          \
         "let SPENDER use so much of one's stake",                                                   \
         "",                                                                                         \
         NONE,                                                                                       \
         cmd_account_approve},                                                                       \
        {"account allowance",                                                                        \
         "SPENDER",                                                                                  \
         1,                                                                                          \
         1,                                                                                          \
         "how much of the stake SPENDER may use",                                                    \
         "",                                                                                         \
         N(o_owner),                                                                                 \
         cmd_account_allowance},                                                                     \
        {"account revoke",           "SPENDER", 1,    1,                                             \
         "end what SPENDER may use", "",        NONE, cmd_account_revoke},                           \
        {"secret push",                                                                              \
         "KIND NAME",                                                                                \
         1,                                                                                          \
         2,                                                                                          \
         "store a secret, sealed to the vault",                                                      \
         "KIND app: NAME is the app, whose owner pushes; requester: NAME is the secret's name;\n"    \
         "data: NAME is the data, the secret its key as base64. Secrets cannot be changed.",         \
         N(o_secret),                                                                                \
         cmd_secret_push},                                                                           \
        {"secret check",                                                                             \
         "KIND [NAME]",                                                                              \
         1,                                                                                          \
         2,                                                                                          \
         "is a secret there?",                                                                       \
         "KIND and NAME as for secret push, or result-key with an address.",                         \
         N(o_secret_check),                                                                          \
         cmd_secret_check},                                                                          \
        {"result push-key",                                                                          \
         "",                                                                                         \
         0,                                                                                          \
         0,                                                                                          \
         "make one's key for results, and store its public half",                                    \
         "",                                                                                         \
         N(o_push_key),                                                                              \
         cmd_result_push_key},                                                                       \
        {"result check-key",  "[WHO]", 0, 1, "has WHO stored a key for results?", "", NONE,          \
         cmd_result_check_key},
