/* SPDX-License-Identifier: Apache-2.0 */
/* Command words, options and arguments against the table. */
#include "cli/cli_int.h"

/* How many words of argv[1..] the command's words match; 0: not all of them. */
static int words_match(const char *words, int argc, char **argv) {
    struct slice rest = slice_str(words);
    int used = 0;
    while (rest.n > 0) {
        struct slice word;
        bool more = slice_cut(rest, ' ', &word, &rest);
        if (!more) rest = (struct slice){NULL, 0};
        used++;
        if (used >= argc || !slice_is(word, argv[used])) return 0;
    }
    return used;
}

const struct cli_cmd *cli_find(int argc, char **argv, int *ret_used) {
    for (size_t i = 0; i < cli_n_commands; i++) {
        int used = words_match(cli_commands[i].words, argc, argv);
        if (used > 0) {
            *ret_used = used;
            return &cli_commands[i];
        }
    }
    return NULL;
}

static const struct cli_opt *find_in(const struct cli_opt *opts, size_t n, struct slice name) {
    for (size_t i = 0; i < n; i++)
        if (slice_is(name, opts[i].name) || (opts[i].alias && slice_is(name, opts[i].alias)))
            return &opts[i];
    return NULL;
}

static const struct cli_opt *find_opt(const struct cli *c, struct slice name) {
    const struct cli_opt *o = find_in(c->cmd->opts, c->cmd->n_opts, name);
    return o ? o : find_in(cli_common, cli_n_common, name);
}

/* "data protect --json": with a value that can only be an object it is the data, else the output
 * form. */
static bool looks_like_object(const char *value) {
    if (!value) return false;
    struct slice t = slice_trim(slice_str(value));
    return (t.n > 0 && t.p[0] == '{') || slice_is(t, "-");
}

static sr_status add(struct cli *c, const struct cli_opt *o, const char *value,
                     struct sr_err *err) {
    if (c->n_given == CLI_MAX_OPTS) {
        sr_hint(err, "%d options at most", CLI_MAX_OPTS);
        return sr_fail(err, SR_E_USAGE, "too many options");
    }
    if (!o->repeat && o->value && cli_value(c, o->name)) {
        sr_hint(err, "give it once; strongroom %s --help says what may be repeated", c->cmd->words);
        return sr_fail(err, SR_E_USAGE, "%s is given twice", o->name);
    }
    c->given[c->n_given++] = (struct cli_given){o, value};
    return SR_OK;
}

static sr_status take_option(struct cli *c, int argc, char **argv, int *i, struct sr_err *err) {
    struct slice name = slice_str(argv[*i]), value = {NULL, 0};
    const char *inline_value = NULL;
    if (slice_starts(name, "--") && slice_cut(slice_str(argv[*i]), '=', &name, &value))
        inline_value = (const char *)value.p;
    const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
    const struct cli_opt *o = find_opt(c, name);
    if (o && slice_is(name, "--json") && o->value &&
        !looks_like_object(inline_value ? inline_value : next))
        o = find_in(cli_common, cli_n_common, name);
    if (!o) {
        sr_hint(err, "strongroom %s --help lists its options", c->cmd->words);
        return sr_fail(err, SR_E_USAGE, "%s does not know the option %.*s", c->cmd->words,
                       (int)name.n, (const char *)name.p);
    }
    if (!o->value) {
        if (inline_value) {
            sr_hint(err, "write %s alone", o->name);
            return sr_fail(err, SR_E_USAGE, "%s takes no value", o->name);
        }
        return add(c, o, "", err);
    }
    if (!inline_value) {
        if (!next) {
            sr_hint(err, "strongroom %s --help explains it", c->cmd->words);
            return sr_fail(err, SR_E_USAGE, "%s needs a value: %s", o->name, o->value);
        }
        inline_value = next;
        (*i)++;
    }
    return add(c, o, inline_value, err);
}

sr_status cli_parse(struct cli *c, int argc, char **argv, struct sr_err *err) {
    bool only_args = false;
    for (int i = 0; i < argc; i++) {
        const char *a = argv[i];
        if (!only_args && strcmp(a, "--") == 0) {
            only_args = true;
        } else if (!only_args && a[0] == '-' && a[1] != 0) {
            SR_TRY(take_option(c, argc, argv, &i, err));
        } else {
            if (c->n_args == CLI_MAX_ARGS) {
                sr_hint(err, "%d arguments at most", CLI_MAX_ARGS);
                return sr_fail(err, SR_E_USAGE, "too many arguments");
            }
            c->args[c->n_args++] = a;
        }
    }
    for (size_t i = 0; i < c->n_given; i++) {
        const struct cli_opt *o = c->given[i].opt;
        if (!o->value && strcmp(o->name, "--json") == 0) c->json = true;
        if (!o->value && strcmp(o->name, "--quiet") == 0) c->quiet = true;
    }
    c->get = cli_value(c, "--get");
    if (c->get) c->json = true;
    if (cli_flag(c, "--help")) return SR_OK;
    if (c->n_args < c->cmd->min_args || c->n_args > c->cmd->max_args) {
        sr_hint(err, "usage: strongroom %s %s", c->cmd->words, c->cmd->args);
        return sr_fail(err, SR_E_USAGE,
                       c->n_args < c->cmd->min_args ? "%s: an argument is missing"
                                                    : "%s: too many arguments",
                       c->cmd->words);
    }
    return SR_OK;
}

const char *cli_value_nth(const struct cli *c, const char *name, size_t n) {
    for (size_t i = 0; i < c->n_given; i++)
        if (c->given[i].opt->value && strcmp(c->given[i].opt->name, name) == 0 && n-- == 0)
            return c->given[i].value;
    return NULL;
}

const char *cli_value(const struct cli *c, const char *name) {
    return cli_value_nth(c, name, 0);
}

bool cli_flag(const struct cli *c, const char *name) {
    for (size_t i = 0; i < c->n_given; i++)
        if (!c->given[i].opt->value && strcmp(c->given[i].opt->name, name) == 0) return true;
    return false;
}
