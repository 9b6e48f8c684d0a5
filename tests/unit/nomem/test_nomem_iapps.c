/* SPDX-License-Identifier: Apache-2.0 */
/* Training, asking and answering when memory runs out in the middle. */
#include "nomem.h"
#include "predict/ask.h"
#include "table-questions/answer.h"
#include "train/learn.h"
#include <stdio.h>

static char table[16384];

static void make_table(void) {
    size_t at = (size_t)snprintf(table, sizeof table, "x,colour,y\n");
    for (unsigned i = 0; i < 120; i++)
        at += (size_t)snprintf(table + at, sizeof table - at, "%u.5,%s,%s\n", i * 7 % 100,
                               i % 3 ? "red" : "green", i * 7 % 100 > 50 ? "yes" : "no");
}

static void sources_of(struct sources *s) {
    *s = (struct sources){0};
    s->v[s->n++] = (struct source){.text = slice_str(table), .name = "a table"};
}

static sr_status train(void *arg, struct sr_err *err) {
    static struct sources s;
    struct learnt l;
    struct options o;
    char w0[] = "train", w1[] = "target=y", w2[] = "rounds=2";
    char *const argv[] = {w0, w1, w2};
    cleanup_buf struct buf file;
    buf_init(&file, MODEL_MAX_BYTES);
    (void)arg;
    sources_of(&s);
    SR_TRY(options_parse(3, argv, &o, err));
    SR_TRY(learn(&s, &o, &l, err));
    cleanup_json struct json *doc = NULL;
    sr_status st = json_parse(buf_slice(&l.report), &doc, err);
    model_write(l.model, &file);
    learnt_done(&l);
    if (st == SR_OK) assert_int_equal(json_len(json_get(json_root(doc), "importance")), 2);
    SR_TRY(st);
    SR_TRY(buf_status(&file, err));
    struct model *m = NULL;
    SR_TRY(model_read(buf_slice(&file), &m, err));
    model_free(m);
    return SR_OK;
}

static sr_status drop(void *arg, struct slice piece, struct sr_err *err) {
    (void)err;
    *(size_t *)arg += piece.n;
    return SR_OK;
}

static sr_status predict(void *arg, struct sr_err *err) {
    static struct sources s;
    struct asked a;
    size_t n = 0;
    sources_of(&s);
    SR_TRY(ask(arg, &s, 1, NULL, drop, &n, &a, err));
    assert_true(n > 1000 && a.known == 120);
    asked_done(&a);
    return SR_OK;
}

static sr_status question(void *arg, struct sr_err *err) {
    static struct sources s;
    static struct question q;
    struct answer a;
    (void)arg;
    sources_of(&s);
    SR_TRY(question_parse(SLICE_LIT("{\"where\":[[\"x\",\"<\",90]],\"group\":[\"colour\",\"y\"],"
                                    "\"answer\":[{\"mean\":\"x\"},{\"median\":\"x\"}]}"),
                          &q, err));
    sr_status st = answer(&q, &s, &a, err);
    question_done(&q);
    SR_TRY(st);
    assert_int_equal(a.shown, 4);
    answer_done(&a);
    return SR_OK;
}

static void a_model_is_trained_or_memory_is_said_to_lack(void **state) {
    (void)state;
    make_table();
    assert_true(nomem_sweep("train", train, NULL) > 20);
}

static void rows_are_judged_or_memory_is_said_to_lack(void **state) {
    static struct sources s;
    struct learnt l;
    struct options o;
    char w0[] = "train", w1[] = "target=y", w2[] = "rounds=2";
    char *const argv[] = {w0, w1, w2};
    (void)state;
    make_table();
    sources_of(&s);
    assert_int_equal(options_parse(3, argv, &o, NULL), SR_OK);
    assert_int_equal(learn(&s, &o, &l, NULL), SR_OK);
    assert_true(nomem_sweep("predict", predict, l.model) > 5);
    learnt_done(&l);
}

static void questions_are_answered_or_memory_is_said_to_lack(void **state) {
    (void)state;
    make_table();
    assert_true(nomem_sweep("question", question, NULL) > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_trained_or_memory_is_said_to_lack),
        cmocka_unit_test(rows_are_judged_or_memory_is_said_to_lack),
        cmocka_unit_test(questions_are_answered_or_memory_is_said_to_lack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
