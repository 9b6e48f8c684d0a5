/* SPDX-License-Identifier: Apache-2.0 */
/* table_mail.h - the commands about messages, the same for mail and for Telegram. Used by: table.c,
 * which it is a part of. */
#pragma once
#include "cli/cli_int.h"

static const struct cli_opt o_contacts[] = {
    OPT("--only-me", NULL, "without those who let anybody write"),
    OPT("--bulk", NULL, "only those who allow campaigns"),
};
#define CONTENT_OPTS                                                                               \
    OPT("--file", "FILE", "the content, UTF-8; - is standard input"),                              \
        OPT("--content", "TEXT", "the content, when others may see it for a moment"),              \
        OPT("--sender", "NAME", "who writes, 3 to 20 characters"),                                 \
        OPT("--label", "TEXT", "public, on the chain: the task's argument, 3 to 10 characters"),   \
        OPT("--workerpool", "ADDR", "a workerpool (default: the network's)"),                      \
        OPT("--max-app-price", "NRLC", "refuse to pay more for the app (default 0)"),              \
        OPT("--max-pool-price", "NRLC", "refuse to pay more for the workerpool (default 0)"),      \
        OPT("--no-wait", NULL, "return as soon as the deal is made")
#define SEND_OPTS                                                                                  \
    CONTENT_OPTS, OPT("--max-data-price", "NRLC", "refuse to pay the contact more (default 0)"),   \
        OPT("--max-price", "NRLC",                                                                 \
            "for each of app, contact and workerpool that has no maximum of its own")
#define CAMPAIGN_OPTS                                                                              \
    CONTENT_OPTS,                                                                                  \
        OPT("--max-price", "NRLC",                                                                 \
            "for each of app and workerpool that has no maximum of its own"),                      \
        OPT("--all", NULL, "to all contacts who allow campaigns"),                                 \
        OPT("--recipients", "FILE", "to the contacts in FILE, one a line; - is standard input"),   \
        OPT("--per-task", "N", "recipients of one task (default and most: 100)"),                  \
        OPT("--prepare", "FILE", "write the signed request to FILE instead of sending it"),        \
        OPT("--request", "FILE", "send what is left of a prepared request")
#define MAIL_OPTS                                                                                  \
    OPT("--subject", "TEXT", "at most 78 characters"),                                             \
        OPT("--html", NULL, "the content is HTML, not plain text")

static const struct cli_opt o_mail_send[] = {
    MAIL_OPTS,
    SEND_OPTS,
    OPT("--on-chain", NULL, "put the address check's outcome on the chain, and no other outcome"),
};
static const struct cli_opt o_telegram_send[] = {SEND_OPTS};
static const struct cli_opt o_mail_campaign[] = {MAIL_OPTS, CAMPAIGN_OPTS};
static const struct cli_opt o_telegram_campaign[] = {CAMPAIGN_OPTS};
static const struct cli_opt o_mail_install[] = {
    OPT("--secret-file", "FILE", "the app's secret, a JSON object; - is standard input"),
    OPT("--gateway", "URL", "where the app fetches contents (default: the network's gateway)"),
};

static const struct cli_opt o_telegram_bot[] = {
    OPT("--token-file", "FILE", "the bot's token; - is standard input (else asked for)"),
    OPT("--api", "URL", "another Bot API server (default https://api.telegram.org)"),
    OPT("--once", NULL, "tell who has written already, and end"),
};

#define CONTACTS_SAID                                                                              \
    "A contact is protected data with an address of this kind, granted to the network's app or "   \
    "its\nwhitelist. WHO: of somebody else. Addresses are never told: a contact goes by its "      \
    "protected data."
#define SEND_SAID                                                                                  \
    "CONTACT is its protected data. The content is encrypted here and opened in a room alone, "    \
    "which\ndelivers it; with the outcome comes whether that went well. Exit code 4: it did not. " \
    "The content can\nbe piped in: --file -."
#define CAMPAIGN_SAID                                                                              \
    "To contacts who allow campaigns: named, in a file, or all. Content and key are stored once, " \
    "recipients\nshare tasks, and each one's outcome is told. Exit code 4: not all were sent. "    \
    "--prepare stops before anything\nis paid; --request goes on with that, or with what an "      \
    "official client prepared."
#define RESULT_SAID "The outcome for each recipient of a completed task, which was not waited for."
#define INSTALL_SAID                                                                               \
    "Deploys the app in DIR (default: the one that came with this program), which may talk to "    \
    "the gateway and\nto the servers that its secret names; publishes a free order, stores the "   \
    "secret, makes the whitelist that\npeople grant access to, and names both in network.json. "   \
    "May be repeated: another secret makes another app\non the same whitelist. Who acts owns "     \
    "all of it. A gateway on this machine goes by the name gateway.test:\nstrongroom up "          \
    "--egress-loopback gateway.test."

#define BOT_SAID                                                                                   \
    "That is what people protect. Runs until it is stopped (Ctrl-C, or as a service); the token "  \
    "is the one of\nthe app's secret. Nothing is kept: chat ids are told to their owners alone."

#define CLI_MAIL_COMMANDS                                                                          \
    {                                                                                              \
        "mail contacts",                                                                           \
        "[WHO]",                                                                                   \
        0,                                                                                         \
        1,                                                                                         \
        "whom one may write mail to",                                                              \
        CONTACTS_SAID,                                                                             \
        N(o_contacts),                                                                             \
        cmd_message_contacts},                                                                     \
        {"mail send",                                                                              \
         "CONTACT",                                                                                \
         1,                                                                                        \
         1,                                                                                        \
         "send a mail to an address that nobody sees",                                             \
         SEND_SAID,                                                                                \
         N(o_mail_send),                                                                           \
         cmd_message_send},                                                                        \
        {"mail campaign",                                                                          \
         "[CONTACT...]",                                                                           \
         0,                                                                                        \
         SR_MAX_FILES,                                                                             \
         "send one mail to many contacts",                                                         \
         CAMPAIGN_SAID,                                                                            \
         N(o_mail_campaign),                                                                       \
         cmd_message_campaign},                                                                    \
        {"mail result",           "TASK",      1,    1,                                            \
         "what became of a mail", RESULT_SAID, NONE, cmd_message_result},                          \
        {"mail install",                                                                           \
         "[DIR]",                                                                                  \
         0,                                                                                        \
         1,                                                                                        \
         "give the network its mail app",                                                          \
         INSTALL_SAID,                                                                             \
         N(o_mail_install),                                                                        \
         cmd_message_install},                                                                     \
        {"telegram contacts",                                                                      \
         "[WHO]",                                                                                  \
         0,                                                                                        \
         1,                                                                                        \
         "whom one may write to on Telegram",                                                      \
         CONTACTS_SAID,                                                                            \
         N(o_contacts),                                                                            \
         cmd_message_contacts},                                                                    \
        {"telegram send",                                                                          \
         "CONTACT",                                                                                \
         1,                                                                                        \
         1,                                                                                        \
         "send a Telegram message to a chat that nobody sees",                                     \
         SEND_SAID,                                                                                \
         N(o_telegram_send),                                                                       \
         cmd_message_send},                                                                        \
        {"telegram campaign",                                                                      \
         "[CONTACT...]",                                                                           \
         0,                                                                                        \
         SR_MAX_FILES,                                                                             \
         "send one Telegram message to many contacts",                                             \
         CAMPAIGN_SAID,                                                                            \
         N(o_telegram_campaign),                                                                   \
         cmd_message_campaign},                                                                    \
        {"telegram result", "TASK", 1, 1, "what became of a Telegram message", RESULT_SAID, NONE,  \
         cmd_message_result},                                                                      \
        {"telegram install",                                                                       \
         "[DIR]",                                                                                  \
         0,                                                                                        \
         1,                                                                                        \
         "give the network its Telegram app",                                                      \
         INSTALL_SAID,                                                                             \
         N(o_mail_install),                                                                        \
         cmd_message_install},                                                                     \
        {"telegram bot",                                                                           \
         "",                                                                                       \
         0,                                                                                        \
         0,                                                                                        \
         "tell who writes to one's bot his chat id",                                               \
         BOT_SAID,                                                                                 \
         N(o_telegram_bot),                                                                        \
         cmd_telegram_bot},
