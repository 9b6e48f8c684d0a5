/* SPDX-License-Identifier: Apache-2.0 */
/* table_orders.h - the commands about orders. Used by: table.c, which it is a part of. */
#pragma once
#include "cli/cli_int.h"

#define OFFER_OPTS                                                                                 \
    OPT("--price", "NRLC", "price of one use (default 0; a request: of the app at most)"),         \
        OPT("--count", "N", "how often (default 1; unlimited)"),                                   \
        OPT("--tag", "TAG", "tee,tdx (the default), other names, 32 bytes hex, or none"),          \
        OPT("--app", "APP", "only for this app, or group of apps"),                                \
        OPT("--data", "ADDR", "only for this data"),                                               \
        OPT("--workerpool", "ADDR", "only on this workerpool"),                                    \
        OPT("--user", "WHO", "only for this requester, or group"),                                 \
        OPT("--category", "N", "workerpool, request: the category"),                               \
        OPT("--trust", "N", "workerpool, request: the trust")
static const struct cli_opt o_order_offer[] = {OFFER_OPTS};
static const struct cli_opt o_sign[] = {
    OFFER_OPTS,
    OPT("--max-data-price", "NRLC", "request: pay at most so much for the data"),
    OPT("--max-pool-price", "NRLC", "request: pay at most so much for the workerpool"),
    OPT("--beneficiary", "WHO", "request: who gets the result"),
    OPT("--callback", "ADDR", "request: contract that gets the result on the chain"),
    OPT("--params", "JSON", "request: the params text"),
    OPT("--template", "FILE", "an order whose fields stand where no option is given; - too"),
    OPT("--publish", NULL, "publish it at once"),
};
static const struct cli_opt o_unpublish[] = {OPT("--all", NULL, "all, not only the newest")};
static const struct cli_opt o_fill[] = {
    OPT("--app", "ORDER", "app order"),
    OPT("--data", "ORDER", "data order, when the request names data"),
    OPT("--workerpool", "ORDER", "workerpool order"),
    OPT("--request", "ORDER", "request order"),
};
static const struct cli_opt o_book[] = {
    OPT("--owner", "WHO", "only orders that WHO has signed"),
    OPT("--app", "APP", "orders that this app may use too; any: all"),
    OPT("--data", "ADDR", "orders that this data may be used with too; any: all"),
    OPT("--workerpool", "ADDR", "orders that this workerpool may use too; any: all"),
    OPT("--user", "WHO", "orders that this requester may use too; any: all"),
    OPT("--strict", NULL, "only orders made for exactly these"),
    OPT("--min-tag", "TAG", "with all of these tags"),
    OPT("--max-tag", "TAG", "with no other tags than these"),
    OPT("--category", "N", "workerpool, request: of this category"),
    OPT("--min-volume", "N", "with at least so many uses left"),
    OPT("--min-trust", "N", "workerpool: of at least this trust"),
    OPT("--max", "N", "show so many at most (default 100)"),
};

#define ORDER_ARG                                                                                  \
    "ORDER is a hash (the market is asked), a file with its JSON, or - for standard input."
#define CLI_ORDER_COMMANDS                                                                          \
    {"explain",                                                                                     \
     "ORDER",                                                                                       \
     1,                                                                                             \
     1,                                                                                             \
     "say in sentences what an order means, and what to mind",                                      \
     ORDER_ARG " Any of the\nfour kinds, signed or not. Warns of any app, any requester, price "    \
               "0, no limit,\n"                                                                     \
               "no enclave, groups, wrong signers, closed orders.",                                 \
     NONE,                                                                                          \
     cmd_explain},                                                                                  \
        {"order sign",                                                                              \
         "KIND [ADDR]",                                                                             \
         1,                                                                                         \
         2,                                                                                         \
         "make and sign an order",                                                                  \
         "KIND is app, data, workerpool or request; ADDR is what it offers (a request: the "        \
         "app).\n"                                                                                  \
         "Prints the order's JSON. The acting wallet must own what it offers.",                     \
         N(o_sign),                                                                                 \
         cmd_order_sign},                                                                           \
        {"order publish",          "ORDER",   1,    1,                                              \
         "publish a signed order", ORDER_ARG, NONE, cmd_order_publish},                             \
        {"order unpublish",                                                                         \
         "KIND [HASH|ADDR]",                                                                        \
         1,                                                                                         \
         2,                                                                                         \
         "take an order back from the market",                                                      \
         "By its hash, or the newest (--all: all) of ADDR. Whoever kept a copy can still use "      \
         "it:\n"                                                                                    \
         "strongroom order cancel ends that.",                                                      \
         N(o_unpublish),                                                                            \
         cmd_order_unpublish},                                                                      \
        {"order cancel", "ORDER",         1, 1, "close an order for ever, on the chain", ORDER_ARG, \
         NONE,           cmd_order_cancel},                                                         \
        {"order fill", "", 0, 0, "make a deal of orders", ORDER_ARG, N(o_fill), cmd_order_fill},    \
        {"order show", "HASH",        1, 1, "a published order as the market has it", "",           \
         NONE,         cmd_order_show},                                                             \
        {"order book",                                                                              \
         "KIND [ADDR]",                                                                             \
         1,                                                                                         \
         2,                                                                                         \
         "open orders",                                                                             \
         "KIND is app, data, workerpool or request; ADDR what they offer (a request: the app).\n"   \
         "Without a filter only orders open to everybody are listed; any lists all.",               \
         N(o_book),                                                                                 \
         cmd_order_book},                                                                           \
        {"app publish",    "APP",      1, 1, "sign and publish an app order", "",                   \
         N(o_order_offer), cmd_publish},                                                            \
        {"app unpublish", "APP",        1, 1, "take app orders back from the market", "",           \
         N(o_unpublish),  cmd_unpublish},                                                           \
        {"workerpool publish", "ADDR",     1, 1, "sign and publish a workerpool order", "",         \
         N(o_order_offer),     cmd_publish},                                                        \
        {"workerpool unpublish",                                                                    \
         "ADDR",                                                                                    \
         1,                                                                                         \
         1,                                                                                         \
         "take workerpool orders back from the market",                                             \
         "",                                                                                        \
         N(o_unpublish),                                                                            \
         cmd_unpublish},
