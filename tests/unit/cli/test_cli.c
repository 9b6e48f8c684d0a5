/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and the reading of command lines against it. */
#include "cli/cli.h"
#include "cli/cli_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#define MAX_WORDS 32

static sr_status parse(struct cli *c, struct sr_err *err, const char *first, ...) {
    char *argv[MAX_WORDS] = {(char *)(uintptr_t) "strongroom", (char *)(uintptr_t)first};
    int argc = 2, used = 0;
    va_list ap;
    va_start(ap, first);
    for (char *w; (w = va_arg(ap, char *)) != NULL;) argv[argc++] = w;
    va_end(ap);
    *c = (struct cli){0};
    c->cmd = cli_find(argc, argv, &used);
    if (!c->cmd) return SR_E_NOTFOUND;
    return cli_parse(c, argc - 1 - used, argv + 1 + used, err);
}

static void options_and_arguments_may_be_mixed(void **state) {
    (void)state;
    struct cli *c = malloc(sizeof *c);
    struct sr_err err = {0};
    assert_int_equal(
        parse(c, &err, "data", "grant", "0x1", "--app", "0x2", "--user=0x3", "--json", NULL),
        SR_OK);
    assert_string_equal(c->cmd->words, "data grant");
    assert_int_equal(c->n_args, 1);
    assert_string_equal(cli_value(c, "--app"), "0x2");
    assert_string_equal(cli_value(c, "--user"), "0x3");
    assert_null(cli_value(c, "--price"));
    assert_true(c->json);
    assert_int_equal(
        parse(c, &err, "run", "app", "--data", "a", "--data", "b", "-o", "out", "--no-wait", NULL),
        SR_OK);
    assert_string_equal(cli_value_nth(c, "--data", 1), "b");
    assert_null(cli_value_nth(c, "--data", 2));
    assert_string_equal(cli_value(c, "--out"), "out");
    assert_true(cli_flag(c, "--no-wait"));
    free(c);
}

static void one_field_of_an_answer_alone(void **state) {
    (void)state;
    static const struct {
        const char *field, *want;
    } cases[] = {{"task", "0xab\n"},
                 {"price", "7\n"},
                 {"list.1.name", "b \"c\"\n"},
                 {"list.0", "{\"name\":1}\n"},
                 {"none", "null\n"},
                 {"absent", NULL},
                 {"list.2", NULL},
                 {"list.x", NULL},
                 {"task.more", NULL}};
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        struct buf b;
        struct sr_err err = {0};
        buf_init(&b, 1000);
        buf_str(&b, "{\"task\":\"0xab\",\"price\":7,\"none\":null,"
                    "\"list\":[{\"name\":1},{\"name\":\"b \\\"c\\\"\"}]}\n");
        sr_status st = cli_pick(&b, cases[i].field, &err);
        assert_int_equal(st, cases[i].want ? SR_OK : SR_E_NOTFOUND);
        if (cases[i].want) assert_string_equal(buf_cstr(&b), cases[i].want);
        if (!cases[i].want)
            assert_non_null(strstr(sr_err_next(&err), "it has: task, price, none, list"));
        buf_done(&b);
    }
    struct cli *c = malloc(sizeof *c);
    struct sr_err err = {0};
    assert_int_equal(parse(c, &err, "run", "app", "--get", "task", NULL), SR_OK);
    assert_true(c->json);
    assert_string_equal(c->get, "task");
    free(c);
}

static void json_is_data_or_output_form(void **state) {
    (void)state;
    struct cli *c = malloc(sizeof *c);
    struct sr_err err = {0};
    assert_int_equal(parse(c, &err, "data", "protect", "--json", "{\"a\":1}", "--json", NULL),
                     SR_OK);
    assert_string_equal(cli_value(c, "--json"), "{\"a\":1}");
    assert_true(c->json);
    assert_int_equal(c->n_args, 0);
    assert_int_equal(parse(c, &err, "data", "protect", "--json", "file.csv", NULL), SR_OK);
    assert_null(cli_value(c, "--json"));
    assert_true(c->json);
    assert_int_equal(c->n_args, 1);
    assert_int_equal(parse(c, &err, "data", "protect", "--json", "{\"a\":1}", NULL), SR_OK);
    assert_false(c->json);
    assert_int_equal(parse(c, &err, "data", "protect", "--json=-", NULL), SR_OK);
    assert_string_equal(cli_value(c, "--json"), "-");
    free(c);
}

static void wrong_usage_is_said_with_a_hint(void **state) {
    (void)state;
    struct cli *c = malloc(sizeof *c);
    struct sr_err err = {0};
    assert_int_equal(parse(c, &err, "data", "grant", NULL), SR_E_USAGE);
    assert_true(err.hint[0] != 0);
    err = (struct sr_err){0};
    assert_int_equal(parse(c, &err, "data", "list", "extra", NULL), SR_E_USAGE);
    err = (struct sr_err){0};
    assert_int_equal(parse(c, &err, "run", "x", "--nonsense", NULL), SR_E_USAGE);
    assert_non_null(strstr(err.what, "--nonsense"));
    err = (struct sr_err){0};
    assert_int_equal(parse(c, &err, "run", "x", "--args", NULL), SR_E_USAGE);
    assert_true(err.hint[0] != 0);
    err = (struct sr_err){0};
    assert_int_equal(parse(c, &err, "run", "x", "--args", "1", "--args", "2", NULL), SR_E_USAGE);
    assert_true(err.hint[0] != 0);
    err = (struct sr_err){0};
    assert_int_equal(parse(c, &err, "run", "x", "--no-wait=1", NULL), SR_E_USAGE);
    assert_true(err.hint[0] != 0);
    assert_int_equal(parse(c, &err, "data", NULL), SR_E_NOTFOUND);
    assert_int_equal(parse(c, &err, "nothing", NULL), SR_E_NOTFOUND);
    free(c);
}

static void after_two_dashes_all_are_arguments(void **state) {
    (void)state;
    struct cli *c = malloc(sizeof *c);
    struct sr_err err = {0};
    assert_int_equal(parse(c, &err, "data", "protect", "--", "--json", "-x", NULL), SR_OK);
    assert_int_equal(c->n_args, 2);
    assert_string_equal(c->args[0], "--json");
    free(c);
}

static void every_command_is_complete(void **state) {
    (void)state;
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_cmd *k = &cli_commands[i];
        assert_non_null(k->run);
        assert_true(k->summary[0] != 0 && k->min_args <= k->max_args);
        assert_true(k->max_args <= CLI_MAX_ARGS);
        assert_int_equal(k->max_args == 0, k->args[0] == 0);
        for (size_t o = 0; o < k->n_opts; o++) {
            assert_true(k->opts[o].help[0] != 0);
            assert_true(strncmp(k->opts[o].name, "--", 2) == 0);
        }
        for (size_t j = 0; j < i; j++) assert_string_not_equal(k->words, cli_commands[j].words);
    }
    assert_true(cli_has("data") && cli_has("run") && cli_has("help") && !cli_has("market"));
}

static void texts_of_others_do_not_steer_the_terminal(void **state) {
    (void)state;
    struct cli *c = sr_calloc_n(1, sizeof *c);
    buf_init(&c->out, 4096);
    c->w = jw_of(&c->out);
    out_str(c, "name", "a\x1b[2Jb\nc\xc2\x9b");
    out_text(c, "%s\n", "d\re");
    assert_string_equal(buf_cstr(&c->out), "name             a?[2Jb?c?\nd?e\n");
    buf_done(&c->out);
    free(c);
}

static void input_without_an_end_is_refused(void **state) {
    (void)state;
    cleanup_close int before = dup(STDIN_FILENO), zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    cleanup_buf struct buf b;
    struct sr_err e = {0};
    buf_init(&b, 10000);
    assert_true(before >= 0 && zero >= 0 && dup2(zero, STDIN_FILENO) == STDIN_FILENO);
    sr_status st = cli_read_file("-", 10000, &b, &e);
    assert_int_equal(dup2(before, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(st, SR_E_TOOBIG);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(options_and_arguments_may_be_mixed),
        cmocka_unit_test(json_is_data_or_output_form),
        cmocka_unit_test(one_field_of_an_answer_alone),
        cmocka_unit_test(wrong_usage_is_said_with_a_hint),
        cmocka_unit_test(after_two_dashes_all_are_arguments),
        cmocka_unit_test(every_command_is_complete),
        cmocka_unit_test(input_without_an_end_is_refused),
        cmocka_unit_test(texts_of_others_do_not_steer_the_terminal),
    };
    return cmocka_run_group_tests_name("cli", t, NULL, NULL);
}
