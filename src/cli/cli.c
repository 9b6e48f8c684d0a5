/* SPDX-License-Identifier: Apache-2.0 */
/* From argv to a command, its output and its exit code. */
#include "cli/cli.h"
#include "cli/cli_int.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define OUT_MAX (64u << 20) /* bytes of an answer */

bool cli_has(const char *word) {
    static const char *const own[] = {"help", "--help", "-h", "version", "--version"};
    for (size_t i = 0; i < SR_ARRAY_LEN(own); i++)
        if (strcmp(word, own[i]) == 0) return true;
    return cli_is_group(word);
}

static int unknown(const char *word) {
    (void)fprintf(
        stderr,
        "strongroom: there is no command \"%.64s\"\n  what to do: strongroom help lists them\n",
        word);
    return 2;
}

static int help(int argc, char **argv) {
    int used = 0;
    if (argc < 3) {
        cli_help_all(stdout);
        return 0;
    }
    if (strcmp(argv[2], "--markdown") == 0) return cli_print_reference();
    if (strcmp(argv[2], "--man") == 0) return cli_print_man();
    if (strcmp(argv[2], "--failures") == 0) return cli_print_failures();
    if (strcmp(argv[2], "--completion") == 0) return cli_print_completion(argc > 3 ? argv[3] : "");
    const struct cli_cmd *cmd = cli_find(argc - 1, argv + 1, &used);
    if (cmd) {
        cli_help_one(stdout, cmd);
    } else if (cli_is_group(argv[2])) {
        cli_help_group(stdout, argv[2]);
    } else {
        return unknown(argv[2]);
    }
    return 0;
}

static sr_status open_client(struct cli *c, struct sr_err *err) {
    struct sr_options o = {
        .dir = cli_value(c, "--dir"),
        .network_file = cli_value(c, "--network"),
        .keystore = cli_value(c, "--keystore"),
        .as = cli_value(c, "--as"),
        .password = cli_password,
        .password_arg = c,
        .progress = cli_progress,
        .progress_arg = c,
    };
    return sr_client_open(&o, &c->client, err);
}

/* Evidence and bundles are judged from files, contracts by a node of their own: there may be no
 * network at all. */
static bool needs_no_network(const struct cli_cmd *cmd) {
    return cmd->run == cmd_attest_verify || cmd->run == cmd_attest_measure ||
           cmd->run == cmd_attest_collateral || cmd->run == cmd_verify ||
           cmd->run == cmd_app_init || cmd->run == cmd_app_test || cmd->run == cmd_app_build ||
           cmd->run == cmd_app_mock || cmd->run == cmd_contracts_deploy ||
           cmd->run == cmd_contracts_verify;
}

/* The reader of our output has gone (| head): nobody is left to tell, so we end as every program
 * does of which SIGPIPE was not taken away. */
static int end_of_pipe(void) {
    (void)signal(SIGPIPE, SIG_DFL);
    (void)raise(SIGPIPE);
    return 128 + SIGPIPE; /* the signal is blocked */
}

static sr_status write_answer(const struct cli *c, bool *ret_gone, struct sr_err *err) {
    sr_status st = fd_write_all(STDOUT_FILENO, c->out.p, c->out.n, err);
    *ret_gone = st == SR_E_SYS && err->sys == EPIPE;
    if (st != SR_OK) {
        sr_err_prefix(err, "the answer could not be written");
        sr_hint(err, "the command itself was carried out; see where its output goes");
    }
    return st;
}

/* What printf left: help, pages, failures in JSON. */
static int flushed(int code) {
    if (fflush(stdout) == 0) return code;
    if (errno == EPIPE) return end_of_pipe();
    perror("strongroom: the answer could not be written");
    return code ? code : 1;
}

static int run(const struct cli_cmd *cmd, int argc, char **argv) {
    struct sr_err err = {0};
    struct cli *c = sr_calloc_n(1, sizeof *c);
    if (!c) return 1;
    c->cmd = cmd;
    c->tty = isatty(STDERR_FILENO) == 1;
    c->started_us = clock_mono_us();
    buf_init(&c->out, OUT_MAX);
    c->w = jw_of(&c->out);
    sr_status st = cli_parse(c, argc, argv, &err);
    int code = 0;
    bool gone = false;
    if (st == SR_OK && cli_flag(c, "--help")) {
        cli_help_one(stdout, cmd);
    } else {
        if (st == SR_OK && !needs_no_network(cmd)) st = open_client(c, &err);
        if (st == SR_OK) st = cmd->run(c, &err);
        cli_progress_end(c);
        if (st == SR_OK) st = buf_status(&c->out, &err);
        if (st == SR_OK && c->get) st = cli_pick(&c->out, c->get, &err);
        if (c->get) c->json = false; /* a failure is told to people */
        if (c->out.n > 0 && (st == SR_OK || !c->get)) {
            struct sr_err out_err = {0};
            sr_status wrote = write_answer(c, &gone, &out_err);
            if (st == SR_OK && wrote != SR_OK) {
                st = wrote;
                err = out_err;
            }
        }
        if (st == SR_OK)
            code = c->exit_code;
        else if (!gone || err.sys != EPIPE)
            code = cli_report(c, st, &err);
    }
    sr_client_close(c->client);
    buf_wipe(&c->out);
    sr_task_logs_done(&c->failed_logs);
    free(c);
    return gone && code == 0 ? end_of_pipe() : code;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        cli_help_all(stderr);
        return 2;
    }
    const char *word = argv[1];
    if (strcmp(word, "help") == 0) return help(argc, argv);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        cli_help_all(stdout);
        return 0;
    }
    if (strcmp(word, "version") == 0 || strcmp(word, "--version") == 0) {
        (void)printf("strongroom %s\n", STRONGROOM_VERSION);
        return 0;
    }
    int used = 0;
    const struct cli_cmd *cmd = cli_find(argc, argv, &used);
    if (cmd) return run(cmd, argc - 1 - used, argv + 1 + used);
    if (!cli_is_group(word)) return unknown(word);
    bool asked = argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
    if (!asked)
        (void)fprintf(stderr, "strongroom: there is no command \"%.64s%s%.64s\"; there are\n", word,
                      argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
    cli_help_group(asked ? stdout : stderr, word);
    return asked ? 0 : 2;
}

int cli_main(int argc, char **argv) {
    return flushed(dispatch(argc, argv));
}
