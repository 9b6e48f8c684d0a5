/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_int.h - one command being run: its words, options, output; and the table of all commands
 *
 * The table (table.c) is the only place where a command, an option or an argument is named:
 * parsing, help, the reference page and the man page all come from it.
 */
#pragma once
#include "base/base.h"
#include "base/failure.h"
#include <stdio.h>
#include <strongroom/strongroom.h>

#define CLI_MAX_ARGS   (SR_MAX_FILES + 16) /* positional arguments */
#define CLI_MAX_OPTS   128                 /* options given */
#define CLI_PASSWORD   1024                /* bytes of a password, with its NUL */
#define CLI_SECRET_MAX (64u * 1024)        /* bytes of a key file */

struct cli_opt {
    const char *name;  /* "--price" */
    const char *alias; /* "-o"; may be NULL */
    const char *value; /* name of its value; NULL: a switch */
    const char *help;
    bool repeat;
};

struct cli;
struct cli_cmd {
    const char *words; /* "data protect" */
    const char *args;  /* "PATH..."; "" for none */
    unsigned min_args, max_args;
    const char *summary; /* one line */
    const char *details; /* paragraphs for the reference; may be "" */
    const struct cli_opt *opts;
    size_t n_opts;
    sr_status (*run)(struct cli *c, struct sr_err *err);
};

struct cli_given {
    const struct cli_opt *opt;
    const char *value;
};

struct cli {
    const struct cli_cmd *cmd;
    const char *args[CLI_MAX_ARGS];
    size_t n_args;
    struct cli_given given[CLI_MAX_OPTS];
    size_t n_given;
    bool json, quiet;
    const char *get; /* --get: the field that is printed; json is set, too */
    int exit_code;   /* of a command that did its work and says no */
    /* of a task that failed: told beside the error (cli_report) */
    bool has_failed;
    struct sr_task failed;
    struct sr_task_logs failed_logs; /* only the requester's */
    struct sr_client *client;
    /* output: flushed once at the end of a command that succeeded */
    struct buf out;
    struct jw w;
    /* the progress line on stderr */
    bool tty, line_open;
    const char *last_step, *last_stage;
    int64_t started_us, drawn_us, step_us;
};

/* table.c */
extern const struct cli_cmd cli_commands[];
extern const size_t cli_n_commands;
extern const struct cli_opt cli_common[];
extern const size_t cli_n_common;

/* parse.c */
/* The command whose words begin argv[1..]; *ret_used words were read. NULL: none. */
const struct cli_cmd *cli_find(int argc, char **argv, int *ret_used);
SR_CHECK sr_status cli_parse(struct cli *c, int argc, char **argv, struct sr_err *err);
const char *cli_value(const struct cli *c, const char *name); /* the last one given, or NULL */
const char *cli_value_nth(const struct cli *c, const char *name, size_t i);
bool cli_flag(const struct cli *c, const char *name);

/* help.c */
void cli_help_all(FILE *f);
void cli_help_group(FILE *f, const char *group);
void cli_help_one(FILE *f, const struct cli_cmd *cmd);
bool cli_is_group(const char *word);

/* help_failures.c: docs/failures.md, and the manual's section of it */
int cli_print_failures(void);
void cli_man_failures(void);

/* completion.c: "bash", "zsh" or "fish"; exit code */
int cli_print_completion(const char *shell);

/* output.c: the same call makes a line of text or a member of the JSON object */
void out_begin(struct cli *c);
void out_end(struct cli *c);
void out_str(struct cli *c, const char *key, const char *value);
void out_u64(struct cli *c, const char *key, uint64_t value);
void out_i64(struct cli *c, const char *key, int64_t value);
void out_lines(struct cli *c, const char *key, const char *text); /* in several lines */
void out_bool(struct cli *c, const char *key, bool value);
void out_json(struct cli *c, const char *key, const char *json); /* JSON text; NULL: null */
void out_amount(struct cli *c, const char *key, const char *nrlc);
void out_time(struct cli *c, const char *key, uint64_t unix_s);
void out_text(struct cli *c, const char *fmt, ...) SR_PRINTF(2, 3); /* text mode only */
/* A list in JSON; text writes its lines with out_text. */
void out_list_begin(struct cli *c, const char *key);
void out_list_end(struct cli *c);
void cli_progress(void *arg, const struct sr_progress *p);
void cli_progress_end(struct cli *c);
int cli_report(struct cli *c, sr_status code, const struct sr_err *err);

/* get.c: a JSON answer becomes its field alone ("task", "datasets.0.address"), a string without its
 * quotes. SR_E_NOTFOUND, with a hint: there is none. */
SR_CHECK sr_status cli_pick(struct buf *answer, const char *field, struct sr_err *err);

/* prompt.c */
sr_status cli_password(void *arg, const char *wallet, bool confirm, char *secret_buf, size_t n,
                       struct sr_err *err);
/* A secret text from a file ("-": standard input), or asked for without echo when path is NULL. */
SR_CHECK sr_status cli_secret(struct cli *c, const char *path, const char *question,
                              struct buf *ret_secret, struct sr_err *err);
SR_CHECK sr_status cli_read_file(const char *path, size_t max, struct buf *ret, struct sr_err *err);

/* cmd_run.c: waits for the task of a deal, fetches its result, writes both into the open object */
SR_CHECK sr_status cli_wait_and_fetch(struct cli *c, const struct sr_deal_ids *ids,
                                      struct sr_err *err);

/* commands */
sr_status cmd_wallet_new(struct cli *c, struct sr_err *err);
sr_status cmd_wallet_import(struct cli *c, struct sr_err *err);
sr_status cmd_wallet_list(struct cli *c, struct sr_err *err);
sr_status cmd_wallet_show(struct cli *c, struct sr_err *err);
sr_status cmd_wallet_use(struct cli *c, struct sr_err *err);
sr_status cmd_wallet_export(struct cli *c, struct sr_err *err);
sr_status cmd_account_show(struct cli *c, struct sr_err *err);
sr_status cmd_account_deposit(struct cli *c, struct sr_err *err);
sr_status cmd_account_withdraw(struct cli *c, struct sr_err *err);
sr_status cmd_faucet(struct cli *c, struct sr_err *err);
sr_status cmd_data_protect(struct cli *c, struct sr_err *err);
sr_status cmd_data_push_key(struct cli *c, struct sr_err *err);
sr_status cmd_data_open(struct cli *c, struct sr_err *err);
sr_status cmd_data_grant(struct cli *c, struct sr_err *err);
sr_status cmd_data_revoke(struct cli *c, struct sr_err *err);
sr_status cmd_data_list(struct cli *c, struct sr_err *err);
sr_status cmd_data_show(struct cli *c, struct sr_err *err);
/* cmd_init.c, cmd_project.c */
sr_status cmd_app_init(struct cli *c, struct sr_err *err);
sr_status cmd_app_test(struct cli *c, struct sr_err *err);
sr_status cmd_app_build(struct cli *c, struct sr_err *err);
sr_status cmd_app_mock(struct cli *c, struct sr_err *err);
sr_status cmd_app_secret_set(struct cli *c, struct sr_err *err);
/* cmd_debug.c: app debug, task debug */
sr_status cmd_debug(struct cli *c, struct sr_err *err);
/* cmd_run.c: what the app tried on the network */
void cli_put_egress(struct cli *c, const struct sr_task *t);
sr_status cmd_app_deploy(struct cli *c, struct sr_err *err);
sr_status cmd_app_show(struct cli *c, struct sr_err *err);
sr_status cmd_app_name(struct cli *c, struct sr_err *err);
sr_status cmd_run(struct cli *c, struct sr_err *err);
sr_status cmd_can_run(struct cli *c, struct sr_err *err);
sr_status cmd_explain(struct cli *c, struct sr_err *err);
sr_status cmd_order_sign(struct cli *c, struct sr_err *err);
sr_status cmd_order_publish(struct cli *c, struct sr_err *err);
sr_status cmd_order_unpublish(struct cli *c, struct sr_err *err);
sr_status cmd_order_cancel(struct cli *c, struct sr_err *err);
sr_status cmd_order_fill(struct cli *c, struct sr_err *err);
sr_status cmd_order_show(struct cli *c, struct sr_err *err);
sr_status cmd_order_book(struct cli *c, struct sr_err *err);
sr_status cmd_publish(struct cli *c, struct sr_err *err);
sr_status cmd_unpublish(struct cli *c, struct sr_err *err);
sr_status cmd_info(struct cli *c, struct sr_err *err);
sr_status cmd_resource_show(struct cli *c, struct sr_err *err);
sr_status cmd_resource_list(struct cli *c, struct sr_err *err);
sr_status cmd_resource_count(struct cli *c, struct sr_err *err);
sr_status cmd_resource_transfer(struct cli *c, struct sr_err *err);
sr_status cmd_workerpool_deploy(struct cli *c, struct sr_err *err);
sr_status cmd_category_list(struct cli *c, struct sr_err *err);
sr_status cmd_category_show(struct cli *c, struct sr_err *err);
sr_status cmd_category_create(struct cli *c, struct sr_err *err);
sr_status cmd_deal_list(struct cli *c, struct sr_err *err);
sr_status cmd_deal_claim(struct cli *c, struct sr_err *err);
sr_status cmd_task_list(struct cli *c, struct sr_err *err);
sr_status cmd_task_claim(struct cli *c, struct sr_err *err);
sr_status cmd_wallet_send_rlc(struct cli *c, struct sr_err *err);
sr_status cmd_wallet_send_ether(struct cli *c, struct sr_err *err);
sr_status cmd_wallet_sweep(struct cli *c, struct sr_err *err);
sr_status cmd_account_approve(struct cli *c, struct sr_err *err);
sr_status cmd_account_allowance(struct cli *c, struct sr_err *err);
sr_status cmd_account_revoke(struct cli *c, struct sr_err *err);
sr_status cmd_secret_push(struct cli *c, struct sr_err *err);
sr_status cmd_secret_check(struct cli *c, struct sr_err *err);
sr_status cmd_result_push_key(struct cli *c, struct sr_err *err);
sr_status cmd_result_check_key(struct cli *c, struct sr_err *err);
sr_status cmd_deal_show(struct cli *c, struct sr_err *err);
sr_status cmd_task_show(struct cli *c, struct sr_err *err);
sr_status cmd_task_wait(struct cli *c, struct sr_err *err);
sr_status cmd_result(struct cli *c, struct sr_err *err);
sr_status cmd_attest_verify(struct cli *c, struct sr_err *err);
sr_status cmd_attest_measure(struct cli *c, struct sr_err *err);
sr_status cmd_attest_collateral(struct cli *c, struct sr_err *err);
sr_status cmd_verify(struct cli *c, struct sr_err *err);
sr_status cmd_task_evidence(struct cli *c, struct sr_err *err);
/* cmd_bulk.c: run with --bulk */
SR_CHECK sr_status cli_run_bulk(struct cli *c, const struct sr_run *run, struct sr_err *err);
/* cmd_control.c */
sr_status cmd_data_grants(struct cli *c, struct sr_err *err);
sr_status cmd_data_received(struct cli *c, struct sr_err *err);
sr_status cmd_data_transfer(struct cli *c, struct sr_err *err);
sr_status cmd_data_usage(struct cli *c, struct sr_err *err);
sr_status cmd_data_find(struct cli *c, struct sr_err *err);
sr_status cmd_group_create(struct cli *c, struct sr_err *err);
sr_status cmd_group_add(struct cli *c, struct sr_err *err);
sr_status cmd_group_remove(struct cli *c, struct sr_err *err);
sr_status cmd_group_has(struct cli *c, struct sr_err *err);
/* cmd_message.c */
sr_status cmd_message_contacts(struct cli *c, struct sr_err *err);
sr_status cmd_message_send(struct cli *c, struct sr_err *err);
sr_status cmd_message_campaign(struct cli *c, struct sr_err *err);
sr_status cmd_message_result(struct cli *c, struct sr_err *err);
sr_status cmd_message_install(struct cli *c, struct sr_err *err);
sr_status cmd_telegram_bot(struct cli *c, struct sr_err *err);
/* cmd_share.c */
sr_status cmd_share_create(struct cli *c, struct sr_err *err);
sr_status cmd_share_close(struct cli *c, struct sr_err *err);
sr_status cmd_share_offer(struct cli *c, struct sr_err *err);
sr_status cmd_share_whitelist(struct cli *c, struct sr_err *err);
sr_status cmd_share_install(struct cli *c, struct sr_err *err);
/* The acting wallet's whitelist, when it has just one. */
sr_status share_own_list(struct cli *c, char ret_list[SR_ADDR_TEXT], struct sr_err *err);
sr_status cmd_share_allow(struct cli *c, struct sr_err *err);
sr_status cmd_share_app(struct cli *c, struct sr_err *err);
sr_status cmd_share_add(struct cli *c, struct sr_err *err);
sr_status cmd_share_remove(struct cli *c, struct sr_err *err);
sr_status cmd_share_bundle(struct cli *c, struct sr_err *err);
sr_status cmd_share_unbundle(struct cli *c, struct sr_err *err);
sr_status cmd_share_rent_out(struct cli *c, struct sr_err *err);
sr_status cmd_share_stop_rent(struct cli *c, struct sr_err *err);
sr_status cmd_share_sell(struct cli *c, struct sr_err *err);
sr_status cmd_share_stop_sale(struct cli *c, struct sr_err *err);
sr_status cmd_share_rent(struct cli *c, struct sr_err *err);
sr_status cmd_share_subscribe(struct cli *c, struct sr_err *err);
sr_status cmd_share_buy(struct cli *c, struct sr_err *err);
sr_status cmd_share_use(struct cli *c, struct sr_err *err);
sr_status cmd_share_list(struct cli *c, struct sr_err *err);
sr_status cmd_share_show(struct cli *c, struct sr_err *err);
sr_status cmd_share_data(struct cli *c, struct sr_err *err);
sr_status cmd_share_earnings(struct cli *c, struct sr_err *err);
sr_status cmd_contracts_deploy(struct cli *c, struct sr_err *err);
sr_status cmd_contracts_verify(struct cli *c, struct sr_err *err);
