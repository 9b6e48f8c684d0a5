/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "common/number.h"
#include "predict/ask.h"
#include "train/learn.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after the four above */
#include <cmocka.h>

#define DATASETS VECTORS "/datasets/"

/* ---- tables ---- */

static void add_text(struct sources *s, const char *text) {
    struct source *t = &s->v[s->n++];
    *t = (struct source){.text = slice_str(text)};
    (void)snprintf(t->name, sizeof t->name, "table %zu", s->n);
}

/* Learns from texts; the words of argv are separated by spaces. */
static sr_status learn_of(const struct sources *s, const char *words, struct learnt *ret,
                          struct sr_err *err) {
    static char copy[500];
    char *argv[40] = {copy}, *p = copy;
    int argc = 1;
    (void)snprintf(copy, sizeof copy, "%s", words);
    for (char *q; p && *p; p = q) {
        q = strchr(p, ' ');
        if (q) *q++ = 0;
        argv[argc++] = p;
    }
    struct options o;
    SR_TRY(options_parse(argc, argv, &o, err));
    return learn(s, &o, ret, err);
}

static double reported(const struct learnt *l, const char *part, const char *key) {
    cleanup_json struct json *doc = NULL;
    double v = NAN;
    assert_int_equal(json_parse(buf_slice(&l->report), &doc, NULL), SR_OK);
    const struct json_val *at = json_root(doc);
    if (part) at = json_get(at, part);
    if (!number_parse(json_text(json_get(at, key)), &v)) v = NAN;
    return v;
}

static void file_of(const struct learnt *l, struct buf *ret) {
    buf_init(ret, MODEL_MAX_BYTES);
    model_write(l->model, ret);
    assert_int_equal(buf_status(ret, NULL), SR_OK);
}

/* y = step of x plus a word's effect; noise in a column of its own. */
static void make_table(struct buf *b, unsigned rows, uint64_t seed, bool classes) {
    struct number_random r = {seed};
    static const char *const colours[] = {"red", "green", "blue"};
    buf_init(b, 4u << 20);
    buf_str(b, "x,noise,colour,y\n");
    for (unsigned i = 0; i < rows; i++) {
        unsigned x = (unsigned)number_below(&r, 1000), c = (unsigned)number_below(&r, 3);
        double y = (x > 300 ? 10 : 0) + (x > 700 ? 5 : 0) + (c == 1 ? 20 : 0);
        buf_printf(b, "%u,%u,%s,", x, (unsigned)number_below(&r, 100), colours[c]);
        if (classes)
            buf_str(b, y > 20 ? "high\n" : y > 5 ? "middle\n" : "low\n");
        else
            buf_printf(b, "%g\n", y);
    }
}

static void a_known_function_is_learnt(void **state) {
    (void)state;
    cleanup_buf struct buf table;
    struct learnt l;
    static struct sources s;
    s = (struct sources){0};
    make_table(&table, 2000, 1, false);
    add_text(&s, buf_cstr(&table));
    assert_int_equal(learn_of(&s, "target=y task=regression columns=1", &l, NULL), SR_OK);
    assert_int_equal(l.model->task, MODEL_REGRESSION);
    assert_true(reported(&l, "heldOut", "r2") > 0.99);
    assert_true(reported(&l, "importance", "noise") < 0.01);
    assert_true(reported(&l, "importance", "colour") > 0.5);
    assert_true(reported(&l, NULL, "rowsLearntFrom") == 1600);
    learnt_done(&l);
}

static void classes_of_a_known_function_are_learnt(void **state) {
    (void)state;
    cleanup_buf struct buf table;
    struct learnt l;
    static struct sources s;
    s = (struct sources){0};
    make_table(&table, 1500, 2, true);
    add_text(&s, buf_cstr(&table));
    assert_int_equal(learn_of(&s, "target=y", &l, NULL), SR_OK);
    assert_int_equal(l.model->n_labels, 3);
    assert_string_equal(l.model->labels[0], "high");
    assert_true(reported(&l, "heldOut", "accuracy") > 0.99);
    learnt_done(&l);
}

static void real_data_reach_what_is_known_of_such_models(void **state) {
    (void)state;
    static const struct {
        const char *file, *words, *metric;
        double least;
    } sets[] = {{"breast_cancer.csv", "target=diagnosis seed=2", "accuracy", 0.95},
                {"breast_cancer.csv", "target=diagnosis seed=2", "auc", 0.98},
                {"diabetes.csv", "target=progression depth=3 seed=2", "r2", 0.4},
                {"digits.csv", "target=digit rounds=60 rate=0.1", "accuracy", 0.95}};
    for (size_t i = 0; i < SR_ARRAY_LEN(sets); i++) {
        cleanup_buf struct buf table;
        char path[300];
        struct learnt l;
        static struct sources s;
        s = (struct sources){0};
        buf_init(&table, 4u << 20);
        (void)snprintf(path, sizeof path, DATASETS "%s", sets[i].file);
        assert_int_equal(fs_read(path, &table, NULL), SR_OK);
        add_text(&s, buf_cstr(&table));
        assert_int_equal(learn_of(&s, sets[i].words, &l, NULL), SR_OK);
        double v = reported(&l, "heldOut", sets[i].metric);
        print_message("%s: %s %.4f\n", sets[i].file, sets[i].metric, v);
        assert_true(v >= sets[i].least);
        learnt_done(&l);
    }
}

static void the_same_seed_gives_the_same_bytes_and_another_one_others(void **state) {
    (void)state;
    cleanup_buf struct buf table;
    static struct sources s;
    s = (struct sources){0};
    make_table(&table, 400, 3, false);
    add_text(&s, buf_cstr(&table));
    static const char *const words[] = {"target=y seed=5 rounds=20", "target=y seed=5 rounds=20",
                                        "target=y seed=6 rounds=20"};
    struct buf files[3];
    for (size_t i = 0; i < 3; i++) {
        struct learnt l;
        assert_int_equal(learn_of(&s, words[i], &l, NULL), SR_OK);
        file_of(&l, &files[i]);
        learnt_done(&l);
    }
    assert_true(slice_eq(buf_slice(&files[0]), buf_slice(&files[1])));
    assert_false(slice_eq(buf_slice(&files[0]), buf_slice(&files[2])));
    for (size_t i = 0; i < 3; i++) buf_done(&files[i]);
}

static void tables_of_several_owners_are_one_whatever_the_order_of_their_columns(void **state) {
    (void)state;
    cleanup_buf struct buf a, b;
    buf_init(&a, 1u << 20);
    buf_init(&b, 1u << 20);
    buf_str(&a, "x,y\n");
    buf_str(&b, "y,id,x\n");
    for (unsigned i = 0; i < 60; i++) {
        buf_printf(&a, "%u,%u\n", i, i < 30 ? 1 : 7);
        buf_printf(&b, "%u,%u,%u\n", i < 30 ? 1 : 7, i, i);
    }
    static struct sources s;
    s = (struct sources){0};
    struct sr_err err = {0};
    struct learnt l;
    add_text(&s, buf_cstr(&a));
    add_text(&s, buf_cstr(&b));
    assert_int_equal(learn_of(&s, "target=y", &l, &err), SR_E_MALFORMED);
    assert_string_equal(err.what, "table 2: the column 'id' is not in the first table");
    assert_int_equal(learn_of(&s, "target=y use=x", &l, NULL), SR_OK);
    assert_true(reported(&l, NULL, "rows") == 120);
    assert_true(reported(&l, "heldOut", "accuracy") == 1);
    learnt_done(&l);
    s.v[1].text = SLICE_LIT("x,z\n1,2\n");
    err = (struct sr_err){0};
    assert_int_equal(learn_of(&s, "target=y use=x", &l, &err), SR_E_MALFORMED);
    assert_non_null(strstr(err.what, "table 2: there is no column 'y'"));
}

static void missing_values_and_rare_words_are_no_obstacle_and_no_names(void **state) {
    (void)state;
    cleanup_buf struct buf table;
    buf_init(&table, 1u << 20);
    buf_str(&table, "x,town,y\n");
    for (unsigned i = 0; i < 200; i++) {
        if (i % 4 == 0)
            buf_str(&table, i % 8 ? "," : "NA,");
        else
            buf_printf(&table, "%u,", i);
        buf_printf(&table, "%s,", i == 17 ? "Hermitville" : i % 2 ? "Bigtown" : "Midtown");
        buf_str(&table, i == 18 ? "\n" : i % 4 == 0 ? "no\n" : "yes\n");
    }
    static struct sources s;
    s = (struct sources){0};
    struct learnt l;
    add_text(&s, buf_cstr(&table));
    assert_int_equal(learn_of(&s, "target=y", &l, NULL), SR_OK);
    assert_true(reported(&l, "heldOut", "accuracy") == 1); /* by what is missing */
    assert_true(reported(&l, NULL, "rowsWithoutTarget") == 1);
    cleanup_buf struct buf file;
    file_of(&l, &file);
    assert_null(memmem(file.p, file.n, "Hermitville", 11));
    assert_non_null(memmem(file.p, file.n, "Bigtown", 7));
    learnt_done(&l);
}

/* ---- what is wrong is said ---- */

static void fails(const struct sources *s, const char *words, sr_status code, const char *why) {
    struct sr_err err = {0};
    struct learnt l;
    assert_int_equal(learn_of(s, words, &l, &err), code);
    if (!strstr(err.what, why)) fail_msg("'%s' instead of '%s'", err.what, why);
}

static void wrong_arguments_and_tables_are_told(void **state) {
    (void)state;
    cleanup_buf struct buf table;
    static struct sources s;
    s = (struct sources){0};
    make_table(&table, 100, 4, false);
    add_text(&s, buf_cstr(&table));
    fails(&s, "", SR_E_USAGE, "no target");
    fails(&s, "target", SR_E_USAGE, "no NAME=VALUE");
    fails(&s, "target=y colour=red", SR_E_USAGE, "no parameter 'colour'");
    fails(&s, "target=y depth=0", SR_E_USAGE, "depth must be a number from 1 to 12");
    fails(&s, "target=y depth=3x", SR_E_USAGE, "depth");
    fails(&s, "target=y min-leaf=4", SR_E_USAGE, "min-leaf must be a number from 5");
    fails(&s, "target=y rate=0", SR_E_USAGE, "rate");
    fails(&s, "target=y holdout=0.95", SR_E_USAGE, "holdout");
    fails(&s, "target=y seed=-1", SR_E_USAGE, "seed");
    fails(&s, "target=y task=guess", SR_E_USAGE, "task must be");
    fails(&s, "target=y use=x drop=noise", SR_E_USAGE, "exclude");
    fails(&s, "target=y drop=y", SR_E_USAGE, "cannot be dropped");
    fails(&s, "target=z", SR_E_NOTFOUND, "no column 'z'");
    fails(&s, "target=y drop=z", SR_E_NOTFOUND, "no column 'z'");
    fails(&s, "target=colour task=regression", SR_E_USAGE, "has words");
    fails(&s, "target=y holdout=0.05", SR_E_USAGE, "5 rows would be held out");
    s.v[0].text = SLICE_LIT("x,y\n1,2\n");
    fails(&s, "target=y", SR_E_USAGE, "classes");
    fails(&s, "target=y task=regression", SR_E_USAGE, "20 rows or more");
    s.v[0].text = SLICE_LIT("x,x\n1,2\n");
    fails(&s, "target=x", SR_E_MALFORMED, "same name 'x'");
    s.v[0].text = SLICE_LIT("x,y\n");
    fails(&s, "target=x", SR_E_USAGE, "no rows");
    s.n = 0;
    fails(&s, "target=x", SR_E_USAGE, "no table");
}

static void a_column_of_too_many_words_is_named(void **state) {
    (void)state;
    cleanup_buf struct buf table;
    buf_init(&table, 1u << 20);
    buf_str(&table, "name,y\n");
    for (unsigned i = 0; i < 300; i++) buf_printf(&table, "patient %u,%u\n", i, i % 3);
    static struct sources s;
    s = (struct sources){0};
    add_text(&s, buf_cstr(&table));
    struct sr_err err = {0};
    struct learnt l;
    assert_int_equal(learn_of(&s, "target=y", &l, &err), SR_E_TOOBIG);
    assert_non_null(strstr(err.what, "'name' has more than 254 different words"));
    assert_string_equal(err.hint, "drop=name leaves it out");
    fails(&s, "target=y drop=name", SR_E_USAGE, "no column is left");
}

/* ---- the file ---- */

static void small_model(struct buf *file, bool classes) {
    cleanup_buf struct buf table;
    static struct sources s;
    s = (struct sources){0};
    struct learnt l;
    make_table(&table, 200, 9, classes);
    add_text(&s, buf_cstr(&table));
    assert_int_equal(learn_of(&s,
                              classes ? "target=y rounds=3 depth=2 stop=0"
                                      : "target=y rounds=3 depth=2 stop=0 task=regression",
                              &l, NULL),
                     SR_OK);
    file_of(&l, file);
    learnt_done(&l);
}

static void a_model_s_file_is_read_and_written_byte_for_byte(void **state) {
    (void)state;
    for (int classes = 0; classes < 2; classes++) {
        cleanup_buf struct buf file, again;
        struct model *m;
        small_model(&file, classes);
        assert_int_equal(model_read(buf_slice(&file), &m, NULL), SR_OK);
        buf_init(&again, MODEL_MAX_BYTES);
        model_write(m, &again);
        assert_true(slice_eq(buf_slice(&file), buf_slice(&again)));
        model_free(m);
    }
}

static void a_model_cut_anywhere_or_longer_is_none(void **state) {
    (void)state;
    cleanup_buf struct buf file;
    struct model *m;
    small_model(&file, true);
    for (size_t n = 0; n < file.n; n++) {
        struct sr_err err = {0};
        assert_int_not_equal(model_read(slice_of(file.p, n), &m, &err), SR_OK);
        assert_true(err.what[0] && err.hint[0]);
    }
    buf_u8(&file, 0);
    struct sr_err err = {0};
    assert_int_equal(model_read(buf_slice(&file), &m, &err), SR_E_MALFORMED);
    assert_non_null(strstr(err.what, "behind its end"));
}

static void a_byte_changed_anywhere_is_refused_or_another_canonical_model(void **state) {
    (void)state;
    cleanup_buf struct buf file;
    small_model(&file, true);
    for (size_t i = 0; i < file.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct model *m;
            file.p[i] ^= (uint8_t)(1u << bit);
            if (model_read(buf_slice(&file), &m, NULL) == SR_OK) {
                cleanup_buf struct buf again;
                double x[8] = {1, 2, NAN}, scores[MODEL_MAX_LABELS], p[MODEL_MAX_LABELS];
                buf_init(&again, MODEL_MAX_BYTES);
                model_write(m, &again);
                assert_true(slice_eq(buf_slice(&file), buf_slice(&again)));
                model_score(m, x, scores);
                if (m->n_labels) model_probabilities(m, scores, p);
                model_free(m);
            }
            file.p[i] ^= (uint8_t)(1u << bit);
        }
    struct model *m;
    struct sr_err err = {0};
    file.p[9] = 2;
    assert_int_equal(model_read(buf_slice(&file), &m, &err), SR_E_MALFORMED);
    assert_string_equal(err.what, "the model's version is 2, this program reads 1");
}

/* ---- asking ---- */

static sr_status collect(void *arg, struct slice piece, struct sr_err *err) {
    buf_add(arg, piece);
    return buf_status(arg, err);
}

static sr_status ask_of(const struct buf *file, const char *rows, int argc, char *const *argv,
                        struct buf *out, struct asked *a, struct sr_err *err) {
    static struct sources s;
    struct model *m;
    s = (struct sources){0};
    buf_init(out, 1u << 20);
    if (rows) add_text(&s, rows);
    assert_int_equal(model_read(buf_slice(file), &m, NULL), SR_OK);
    sr_status st = ask(m, &s, argc, argv, collect, out, a, err);
    model_free(m);
    return st;
}

static void rows_get_predictions_and_metrics_when_the_truth_is_there(void **state) {
    (void)state;
    cleanup_buf struct buf file, out;
    struct asked a;
    cleanup_buf struct buf table;
    static struct sources s;
    s = (struct sources){0};
    struct learnt l;
    make_table(&table, 500, 9, true);
    add_text(&s, buf_cstr(&table));
    assert_int_equal(learn_of(&s, "target=y rate=0.3", &l, NULL), SR_OK);
    file_of(&l, &file);
    learnt_done(&l);
    const char *rows = "colour,extra,x,noise,y\n"
                       "red,z,900,1,middle\n"
                       "green,z,900,1,high\n"
                       "mauve,z,,1,?\n";
    assert_int_equal(ask_of(&file, rows, 1, NULL, &out, &a, NULL), SR_OK);
    assert_int_equal(a.rows, 3);
    assert_int_equal(a.known, 2);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "row,prediction,probability,p_high,p_low,p_middle\n1,middle,0."));
    assert_non_null(strstr(text, "\n2,high,0."));
    assert_non_null(strstr(buf_cstr(&a.metrics), "\"accuracy\":1,"));
    asked_done(&a);
}

static void one_row_comes_as_words(void **state) {
    (void)state;
    cleanup_buf struct buf file, out;
    struct asked a;
    small_model(&file, false);
    char w0[] = "predict", w1[] = "x=900", w2[] = "colour=green", w3[] = "noise=", w4[] = "noise";
    char *const good[] = {w0, w1, w2, w3}, *const bad[] = {w0, w1, w4};
    assert_int_equal(ask_of(&file, NULL, 4, good, &out, &a, NULL), SR_OK);
    assert_true(strncmp(buf_cstr(&out), "row,prediction\n1,", 17) == 0);
    asked_done(&a);
    struct sr_err err = {0};
    cleanup_buf struct buf other;
    assert_int_equal(ask_of(&file, NULL, 3, bad, &other, &a, &err), SR_E_USAGE);
}

static void rows_that_do_not_fit_the_model_are_told(void **state) {
    (void)state;
    cleanup_buf struct buf file;
    struct asked a;
    small_model(&file, false);
    static const struct {
        const char *rows, *why;
        sr_status code;
    } cases[] = {{"x,noise\n1,2\n", "no column 'colour'", SR_E_NOTFOUND},
                 {"x,noise,colour\n1,much,red\n", "row 1 has no number in the column 'noise'",
                  SR_E_MALFORMED},
                 {"x,noise,colour\n", "no rows to predict", SR_E_USAGE},
                 {"x,noise,colour\n1,2\n", "row 1 of the table has 2 fields", SR_E_MALFORMED}};
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        struct sr_err err = {0};
        cleanup_buf struct buf out;
        assert_int_equal(ask_of(&file, cases[i].rows, 1, NULL, &out, &a, &err), cases[i].code);
        assert_non_null(strstr(err.what, cases[i].why));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_function_is_learnt),
        cmocka_unit_test(classes_of_a_known_function_are_learnt),
        cmocka_unit_test(real_data_reach_what_is_known_of_such_models),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes_and_another_one_others),
        cmocka_unit_test(tables_of_several_owners_are_one_whatever_the_order_of_their_columns),
        cmocka_unit_test(missing_values_and_rare_words_are_no_obstacle_and_no_names),
        cmocka_unit_test(wrong_arguments_and_tables_are_told),
        cmocka_unit_test(a_column_of_too_many_words_is_named),
        cmocka_unit_test(a_model_s_file_is_read_and_written_byte_for_byte),
        cmocka_unit_test(a_model_cut_anywhere_or_longer_is_none),
        cmocka_unit_test(a_byte_changed_anywhere_is_refused_or_another_canonical_model),
        cmocka_unit_test(rows_get_predictions_and_metrics_when_the_truth_is_there),
        cmocka_unit_test(one_row_comes_as_words),
        cmocka_unit_test(rows_that_do_not_fit_the_model_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
