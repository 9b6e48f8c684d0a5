/* SPDX-License-Identifier: Apache-2.0 */
/* Help and reference, made from the table of commands. */
#include "cli/cli.h"
#include "cli/cli_int.h"

static struct slice group_of(const struct cli_cmd *cmd) {
    struct slice head, rest;
    (void)slice_cut(slice_str(cmd->words), ' ', &head, &rest);
    return head;
}

bool cli_is_group(const char *word) {
    for (size_t i = 0; i < cli_n_commands; i++)
        if (slice_is(group_of(&cli_commands[i]), word)) return true;
    return false;
}

static void one_line(FILE *f, const struct cli_cmd *cmd) {
    char usage[80];
    (void)snprintf(usage, sizeof usage, "%s %s", cmd->words, cmd->args);
    (void)fprintf(f, "  %-24s %s\n", usage, cmd->summary);
}

static void common_options(FILE *f) {
    (void)fputs("\nOptions of every command:\n", f);
    for (size_t i = 0; i < cli_n_common; i++) {
        const struct cli_opt *o = &cli_common[i];
        char name[64];
        (void)snprintf(name, sizeof name, "%s%s%s%s%s", o->alias ? o->alias : "",
                       o->alias ? ", " : "", o->name, o->value ? " " : "",
                       o->value ? o->value : "");
        (void)fprintf(f, "  %-24s %s\n", name, o->help);
    }
}

static const char exit_codes[] =
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 refused, 4 task failed, 5 service down.\n";

void cli_help_all(FILE *f) {
    (void)fputs("strongroom - run apps on data that nobody else can see\n\n"
                "  up, down, status         the network on this machine: strongroom up --help\n",
                f);
    for (size_t i = 0; i < cli_n_commands; i++) one_line(f, &cli_commands[i]);
    common_options(f);
    (void)fprintf(f, "\n%sstrongroom COMMAND --help explains a command.\n", exit_codes);
}

void cli_help_group(FILE *f, const char *group) {
    for (size_t i = 0; i < cli_n_commands; i++)
        if (slice_is(group_of(&cli_commands[i]), group)) one_line(f, &cli_commands[i]);
}

void cli_help_one(FILE *f, const struct cli_cmd *cmd) {
    (void)fprintf(f, "strongroom %s %s%s\n  %s\n", cmd->words, cmd->args,
                  cmd->n_opts > 0 ? " [options]" : "", cmd->summary);
    if (cmd->details[0] != 0) (void)fprintf(f, "\n%s\n", cmd->details);
    if (cmd->n_opts > 0) (void)fputs("\nOptions:\n", f);
    for (size_t i = 0; i < cmd->n_opts; i++) {
        const struct cli_opt *o = &cmd->opts[i];
        char name[64];
        (void)snprintf(name, sizeof name, "%s%s%s%s%s", o->alias ? o->alias : "",
                       o->alias ? ", " : "", o->name, o->value ? " " : "",
                       o->value ? o->value : "");
        (void)fprintf(f, "  %-24s %s%s\n", name, o->help, o->repeat ? " (may be repeated)" : "");
    }
    common_options(f);
}

static void md_options(const struct cli_opt *opts, size_t n) {
    (void)puts("| option | meaning |\n| --- | --- |");
    for (size_t i = 0; i < n; i++) {
        const struct cli_opt *o = &opts[i];
        (void)printf("| `%s%s%s%s%s` | %s%s |\n", o->alias ? o->alias : "", o->alias ? ", " : "",
                     o->name, o->value ? " " : "", o->value ? o->value : "", o->help,
                     o->repeat ? " (may be repeated)" : "");
    }
    (void)puts("");
}

/* The commands of up/, which has a parser of its own. */
static const struct cli_cmd network_commands[] = {
    {.words = "up",
     .args = "[--port BASE] [--workers N] [--detach]",
     .summary = "start the whole network on this machine",
     .details = "Chain, contracts, store, vaults, market, secret service, scheduler and one "
                "worker, or N of up to 4. DIR is made at the\n"
                "first start and continued afterwards; DIR/network.json has every address. BASE "
                "(8545) is the chain's\n"
                "port, the other services take the next ones; 0: any free ports. Ctrl-C or "
                "strongroom down stops all;\n"
                "--detach returns once the network is ready. Takes --dir and --json."},
    {.words = "down",
     .args = "",
     .summary = "stop the network in DIR",
     .details = "Nothing is lost: the chain writes its state at last. Takes --dir and --json."},
    {.words = "status",
     .args = "",
     .summary = "which processes of the network in DIR run",
     .details = "Exit code 5 when no network runs there. Takes --dir and --json."},
};

int cli_print_reference(void) {
    (void)printf(
        "# Commands\n\nMade from the command table (`src/cli/table.c`); do not edit.\n\n%s\n"
        "Every failure says what happened and what to do next. With `--json` an answer is one JSON "
        "object on standard output; a failure is `{\"error\", \"code\", \"status\", \"hint\", "
        "\"exit\"}`, with stage, party and retry "
        "where the code is of the [failure catalogue](failures.md).\n\n"
        "## Options of every command\n\n",
        exit_codes);
    md_options(cli_common, cli_n_common);
    for (size_t i = 0; i < SR_ARRAY_LEN(network_commands); i++) {
        const struct cli_cmd *cmd = &network_commands[i];
        (void)printf("## %s\n\n`strongroom %s%s%s`: %s.\n\n%s\n\n", cmd->words, cmd->words,
                     cmd->args[0] ? " " : "", cmd->args, cmd->summary, cmd->details);
    }
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_cmd *cmd = &cli_commands[i];
        (void)printf("## %s\n\n`strongroom %s%s%s`: %s.\n\n", cmd->words, cmd->words,
                     cmd->args[0] ? " " : "", cmd->args, cmd->summary);
        if (cmd->details[0] != 0) (void)printf("%s\n\n", cmd->details);
        if (cmd->n_opts > 0) md_options(cmd->opts, cmd->n_opts);
    }
    return 0;
}

/* ---- the man page -------------------------------------------------------------------------------
 */

/* Text for roff: dashes and backslashes kept, no line taken for a request. */
static void roff(const char *text) {
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\'')) (void)fputs("\\&", stdout);
        if (*text == '-' || *text == '\\') (void)putchar('\\');
        (void)putchar(*text);
        line_start = *text == '\n';
    }
}

static void roff_options(const struct cli_opt *opts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct cli_opt *o = &opts[i];
        (void)puts(".TP");
        (void)fputs(".B ", stdout);
        if (o->alias) roff(o->alias), (void)fputs(", ", stdout);
        roff(o->name);
        if (o->value) (void)printf(" \\fI%s\\fR", o->value);
        (void)puts("");
        roff(o->help);
        (void)puts(o->repeat ? " (may be repeated)" : "");
    }
}

int cli_print_man(void) {
    (void)puts(
        ".\\\" Made from the command table (src/cli/table.c); do not edit.\n"
        ".TH STRONGROOM 1\n.SH NAME\nstrongroom \\- run apps on data that nobody else can see\n"
        ".SH SYNOPSIS\n.B strongroom\n.I COMMAND\n[arguments] [options]\n.SH OPTIONS OF EVERY "
        "COMMAND");
    roff_options(cli_common, cli_n_common);
    (void)puts(".SH COMMANDS");
    for (size_t i = 0; i < SR_ARRAY_LEN(network_commands); i++) {
        const struct cli_cmd *cmd = &network_commands[i];
        (void)fputs(".SS ", stdout);
        roff(cmd->words);
        (void)fputs(" ", stdout);
        roff(cmd->args);
        (void)puts("");
        roff(cmd->summary);
        (void)puts(".\n.PP");
        roff(cmd->details);
        (void)puts("");
    }
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_cmd *cmd = &cli_commands[i];
        (void)printf(".SS %s %s\n", cmd->words, cmd->args);
        roff(cmd->summary);
        (void)puts(".");
        if (cmd->details[0] != 0) {
            (void)puts(".PP");
            roff(cmd->details);
            (void)puts("");
        }
        roff_options(cmd->opts, cmd->n_opts);
    }
    cli_man_failures();
    (void)printf(".SH EXIT STATUS\n%s", exit_codes);
    return 0;
}
