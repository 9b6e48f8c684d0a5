/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for bash, zsh and fish, made from the table of commands. */
#include "cli/cli_int.h"

struct words {
    struct slice first, second; /* second empty: a command of one word */
};

static struct words words_of(const struct cli_cmd *cmd) {
    struct words w = {slice_str(cmd->words), {NULL, 0}};
    (void)slice_cut(slice_str(cmd->words), ' ', &w.first, &w.second);
    return w;
}

/* Is this the first line of the table with its first word? */
static bool is_new_group(size_t i) {
    struct slice mine = words_of(&cli_commands[i]).first;
    for (size_t k = 0; k < i; k++)
        if (slice_eq(words_of(&cli_commands[k]).first, mine)) return false;
    return true;
}

static const char *const network_words[] = {"up", "down", "status", "help", "version"};

static void put(struct slice s) {
    (void)printf("%.*s", (int)s.n, (const char *)s.p);
}

/* Every first word, once, with a space after each. */
static void first_words(void) {
    for (size_t i = 0; i < SR_ARRAY_LEN(network_words); i++) (void)printf("%s ", network_words[i]);
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (!is_new_group(i)) continue;
        put(words_of(&cli_commands[i]).first);
        (void)printf(" ");
    }
}

static void second_words(struct slice first) {
    for (size_t i = 0; i < cli_n_commands; i++) {
        struct words w = words_of(&cli_commands[i]);
        if (!slice_eq(w.first, first) || w.second.n == 0) continue;
        put(w.second);
        (void)printf(" ");
    }
}

static void option_words(const struct cli_opt *opts, size_t n) {
    for (size_t i = 0; i < n; i++)
        (void)printf("%s%s%s ", opts[i].alias ? opts[i].alias : "", opts[i].alias ? " " : "",
                     opts[i].name);
}

/* The value of an option is a file, a folder, or nothing that a shell could guess. */
static bool takes(const struct cli_opt *o, const char *value) {
    return o->value && (strcmp(o->value, value) == 0 ||
                        (strcmp(o->value, "N=FILE") == 0 && strcmp(value, "FILE") == 0));
}

/* "a|b|c" of all options whose value is one. */
static void options_taking(const char *value) {
    const char *sep = "";
    for (size_t i = 0; i <= cli_n_commands; i++) {
        const struct cli_opt *opts = i < cli_n_commands ? cli_commands[i].opts : cli_common;
        size_t n = i < cli_n_commands ? cli_commands[i].n_opts : cli_n_common;
        for (size_t k = 0; k < n; k++) {
            if (!takes(&opts[k], value)) continue;
            (void)printf("%s%s", sep, opts[k].name);
            sep = "|";
        }
    }
}

/* ---- bash, and zsh in the same words ------------------------------------------------------------
 */

static void cases(const char *indent) {
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_cmd *cmd = &cli_commands[i];
        struct words w = words_of(cmd);
        (void)printf("%s'%s'%s) opts='", indent, cmd->words, w.second.n == 0 ? "*" : "");
        option_words(cmd->opts, cmd->n_opts);
        (void)printf("' ;;\n");
    }
}

static void group_cases(const char *indent) {
    for (size_t i = 0; i < cli_n_commands; i++) {
        struct words w = words_of(&cli_commands[i]);
        if (!is_new_group(i) || w.second.n == 0) continue;
        (void)printf("%s", indent);
        put(w.first);
        (void)printf(") seconds='");
        second_words(w.first);
        (void)printf("' ;;\n");
    }
}

static void bash(void) {
    (void)printf("# bash completion for strongroom; made by strongroom help --completion bash\n"
                 "_strongroom() {\n"
                 "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "    local opts='' seconds='' common='");
    option_words(cli_common, cli_n_common);
    (void)printf("'\n    COMPREPLY=()\n"
                 "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                 "        COMPREPLY=($(compgen -W '");
    first_words();
    (void)printf("' -- \"$cur\"))\n        return\n    fi\n    case $prev in\n    ");
    options_taking("DIR");
    (void)printf(") compopt -o filenames; COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n    ");
    options_taking("FILE");
    (void)printf(") compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
                 "    esac\n"
                 "    if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
                 "        case ${COMP_WORDS[1]} in\n");
    group_cases("        ");
    (void)printf("        esac\n"
                 "        if [ -n \"$seconds\" ]; then\n"
                 "            COMPREPLY=($(compgen -W \"$seconds\" -- \"$cur\"))\n"
                 "            return\n        fi\n    fi\n"
                 "    if [[ $cur == -* ]]; then\n"
                 "        case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
    cases("        ");
    (void)printf("        esac\n"
                 "        COMPREPLY=($(compgen -W \"$opts $common\" -- \"$cur\"))\n"
                 "        return\n    fi\n"
                 "    compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                 "}\ncomplete -F _strongroom strongroom\n");
}

static void zsh(void) {
    (void)printf("#compdef strongroom\n"
                 "# zsh completion for strongroom; made by strongroom help --completion zsh\n"
                 "_strongroom() {\n"
                 "    local opts='' seconds='' prev=${words[CURRENT-1]} cur=${words[CURRENT]}\n"
                 "    local common='");
    option_words(cli_common, cli_n_common);
    (void)printf("'\n    if (( CURRENT == 2 )); then\n        compadd -- ");
    first_words();
    (void)printf("\n        return\n    fi\n    case $prev in\n    ");
    options_taking("DIR");
    (void)printf(") _path_files -/; return ;;\n    ");
    options_taking("FILE");
    (void)printf(") _files; return ;;\n    esac\n"
                 "    if (( CURRENT == 3 )); then\n"
                 "        case ${words[2]} in\n");
    group_cases("        ");
    (void)printf("        esac\n"
                 "        if [[ -n $seconds ]]; then compadd -- ${=seconds}; return; fi\n    fi\n"
                 "    if [[ $cur == -* ]]; then\n"
                 "        case \"${words[2]} ${words[3]}\" in\n");
    cases("        ");
    (void)printf("        esac\n"
                 "        compadd -- ${=opts} ${=common}\n        return\n    fi\n    _files\n}\n"
                 "if [[ $funcstack[1] == _strongroom ]]; then _strongroom \"$@\"; "
                 "else compdef _strongroom strongroom; fi\n");
}

/* ---- fish
 * -----------------------------------------------------------------------------------------
 */

/* Text between single quotes. */
static void fish_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') (void)putchar('\\');
        (void)putchar(*text);
    }
}

static void fish_options(const char *condition, const struct cli_opt *opts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        (void)printf("complete -c strongroom%s -l %s", condition, opts[i].name + 2);
        if (opts[i].alias) (void)printf(" -s %s", opts[i].alias + 1);
        if (opts[i].value)
            (void)printf(takes(&opts[i], "FILE") || takes(&opts[i], "DIR") ? " -r" : " -x");
        (void)printf(" -d '");
        fish_text(opts[i].help);
        (void)printf("'\n");
    }
}

static void fish(void) {
    (void)printf("# fish completion for strongroom; made by strongroom help --completion fish\n"
                 "complete -c strongroom -n __fish_use_subcommand -f -a '");
    first_words();
    (void)printf("'\n");
    fish_options("", cli_common, cli_n_common);
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_cmd *cmd = &cli_commands[i];
        struct words w = words_of(cmd);
        char condition[256];
        if (w.second.n > 0) {
            (void)printf("complete -c strongroom -n '__fish_seen_subcommand_from ");
            put(w.first);
            (void)printf("; and test (count (commandline -opc)) -eq 2' -f -a ");
            put(w.second);
            (void)printf(" -d '");
            fish_text(cmd->summary);
            (void)printf("'\n");
        }
        (void)snprintf(condition, sizeof condition,
                       " -n 'string match -q -- \"strongroom %s*\" (commandline -opc | string join "
                       "\" \")'",
                       cmd->words);
        fish_options(condition, cmd->opts, cmd->n_opts);
    }
}

int cli_print_completion(const char *shell) {
    if (strcmp(shell, "bash") == 0) {
        bash();
    } else if (strcmp(shell, "zsh") == 0) {
        zsh();
    } else if (strcmp(shell, "fish") == 0) {
        fish();
    } else {
        (void)fprintf(stderr, "strongroom: completion for which shell?\n"
                              "  what to do: strongroom help --completion bash (or zsh, fish)\n");
        return 2;
    }
    return 0;
}
