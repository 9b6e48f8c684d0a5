/* SPDX-License-Identifier: Apache-2.0 */
#include "table-questions/answer.h"
#include "zip/zip.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after the four above */
#include <cmocka.h>

/* ward, age, dose, id: 12 north, 8 south, 4 east (too few), 1 west; some doses missing. */
static const char *const TABLE =
    "id,ward,age,dose\n"
    "p1,north,20,1\np2,north,21,2\np3,north,22,3\np4,north,23,4\np5,north,24,5\np6,north,25,6\n"
    "p7,north,30,7\np8,north,31,8\np9,north,32,9\np10,north,33,10\np11,north,34,11\np12,north,35,"
    "12\n"
    "p13,south,40,10\np14,south,41,10\np15,south,42,10\np16,south,43,10\np17,south,44,10\n"
    "p18,south,45,10\np19,south,46,10\np20,south,47,24\n"
    "p21,east,50,99\np22,east,51,99\np23,east,52,99\np24,east,53,99\n"
    "p25,west,90,777\n";

static sr_status ask_of(const char *table, const char *question, struct answer *ret,
                        struct sr_err *err) {
    static struct sources s;
    static struct question q;
    s = (struct sources){0};
    s.v[s.n] = (struct source){.text = slice_str(table)};
    (void)snprintf(s.v[s.n++].name, sizeof s.v[0].name, "the data set");
    SR_TRY(question_parse(slice_str(question), &q, err));
    sr_status st = answer(&q, &s, ret, err);
    question_done(&q);
    return st;
}

static void answers(const char *table, const char *question, const char *csv, const char *json) {
    struct sr_err err = {0};
    struct answer a;
    sr_status st = ask_of(table, question, &a, &err);
    if (st != SR_OK) fail_msg("%s: %s", question, err.what);
    assert_string_equal(buf_cstr(&a.csv), csv);
    if (json && !strstr(buf_cstr(&a.json), json)) fail_msg("%s", buf_cstr(&a.json));
    answer_done(&a);
}

static void refuses(const char *table, const char *question, sr_status code, const char *why) {
    struct sr_err err = {0};
    struct answer a;
    sr_status st = ask_of(table, question, &a, &err);
    if (st != code || !strstr(err.what, why)) fail_msg("%s: %d %s", question, st, err.what);
}

static void groups_and_figures_are_right(void **state) {
    (void)state;
    answers(
        TABLE,
        "{\"where\":[[\"ward\",\"in\",[\"north\",\"south\"]]],\"group\":[\"ward\"],"
        "\"answer\":[{\"mean\":\"dose\"},{\"sum\":\"dose\"},{\"stddev\":\"dose\"}]}",
        "ward,rows,mean dose,sum dose,stddev dose\n"
        "north,12,6.5,78,3.6055513\n"
        "south,8,11.75,94,4.9497475\n",
        "\"rows\":20,\"rowsIncomplete\":0,\"groups\":2,\"groupsWithheld\":0,\"rowsWithheld\":0");
    answers(TABLE, "{\"answer\":[{\"median\":\"age\"}]}", "rows,median age\n25,40\n", NULL);
    answers(TABLE, "{\"group\":[{\"column\":\"age\",\"step\":25}],\"where\":[[\"age\",\"<\",50]]}",
            "age,rows\n0,5\n25,15\n", NULL);
}

static void every_operator_compares(void **state) {
    (void)state;
    static const struct {
        const char *condition;
        unsigned rows;
    } cases[] = {{"[\"age\",\"<\",40]", 12},         {"[\"age\",\"<=\",40]", 13},
                 {"[\"age\",\">\",40]", 12},         {"[\"age\",\">=\",40]", 13},
                 {"[\"dose\",\"=\",10]", 8},         {"[\"dose\",\"!=\",10]", 17},
                 {"[\"dose\",\"in\",[10,99]]", 12},  {"[\"ward\",\"=\",\"north\"]", 12},
                 {"[\"ward\",\"!=\",\"north\"]", 13}};
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        char question[200], csv[60];
        (void)snprintf(question, sizeof question, "{\"where\":[%s]}", cases[i].condition);
        (void)snprintf(csv, sizeof csv, "rows\n%u\n", cases[i].rows);
        answers(TABLE, question, csv, NULL);
    }
    const char *gaps = "x,y\n1,a\n1,a\n1,a\n1,a\n1,a\n,b\n,b\nNA,b\n?,b\nnull,b\n";
    answers(gaps, "{\"where\":[[\"x\",\"missing\"]],\"group\":[\"y\"]}", "y,rows\nb,5\n", NULL);
    answers(gaps, "{\"where\":[[\"x\",\"present\"]],\"group\":[\"y\"]}", "y,rows\na,5\n", NULL);
    answers(gaps, "{\"group\":[\"y\"],\"answer\":[{\"sum\":\"x\"}]}", "y,rows,sum x\na,5,5\n",
            "\"rowsIncomplete\":5");
}

static void
small_groups_are_withheld_with_another_one_when_they_are_too_few_together(void **state) {
    (void)state;
    /* east 4 + west 1 = 5: together enough, so that no other group is needed. */
    answers(
        TABLE, "{\"group\":[\"ward\"],\"answer\":[{\"sum\":\"dose\"}]}",
        "ward,rows,sum dose\nnorth,12,78\nsouth,8,94\n",
        "\"rows\":25,\"rowsIncomplete\":0,\"groups\":2,\"groupsWithheld\":2,\"rowsWithheld\":5");
    /* Without west, the 4 of east would be total minus shown: south goes, too. */
    char less[700];
    (void)snprintf(less, sizeof less, "%.*s", (int)(strstr(TABLE, "p25") - TABLE), TABLE);
    answers(less, "{\"group\":[\"ward\"]}", "ward,rows\nnorth,12\n",
            "\"groups\":1,\"groupsWithheld\":2,\"rowsWithheld\":12");
    answers(TABLE, "{\"group\":[\"id\"]}", "id,rows\n",
            "\"groupsWithheld\":25,\"rowsWithheld\":25");
}

static void a_filter_that_keeps_or_leaves_out_a_few_is_refused_like_one_of_none(void **state) {
    (void)state;
    static const char *const questions[] = {
        "{\"where\":[[\"ward\",\"=\",\"west\"]]}", "{\"where\":[[\"ward\",\"=\",\"nowhere\"]]}",
        "{\"where\":[[\"ward\",\"!=\",\"west\"]]}", "{\"where\":[[\"ward\",\"!=\",\"nowhere\"]]}",
        "{\"where\":[[\"age\",\">\",1000]]}"};
    char first[240] = "";
    for (size_t i = 0; i < SR_ARRAY_LEN(questions); i++) {
        struct sr_err err = {0};
        struct answer a;
        assert_int_equal(ask_of(TABLE, questions[i], &a, &err), SR_E_REFUSED);
        if (!first[0]) (void)snprintf(first, sizeof first, "%s", err.what);
        assert_string_equal(err.what, first);
    }
}

static void figures_of_one_question_are_over_the_same_rows(void **state) {
    (void)state;
    /* b lacks one value: sum a - sum b would tell row 6's. */
    const char *table = "a,b\n1,1\n2,2\n3,3\n4,4\n5,5\n100,\n";
    answers(table, "{\"answer\":[{\"sum\":\"a\"},{\"sum\":\"b\"}]}", "rows,sum a,sum b\n5,15,15\n",
            "\"rows\":5,\"rowsIncomplete\":null");
}

static void a_median_needs_a_group_on_each_side(void **state) {
    (void)state;
    const char *nine = "x\n1\n2\n3\n4\n5\n6\n7\n8\n9\n",
               *ten = "x\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
    answers(nine, "{\"answer\":[{\"median\":\"x\"}]}", "rows,median x\n9,\n", NULL);
    answers(ten, "{\"answer\":[{\"median\":\"x\"}]}", "rows,median x\n10,5.5\n", NULL);
}

static void a_larger_minimum_can_be_asked_for_and_a_smaller_one_cannot(void **state) {
    (void)state;
    answers(TABLE, "{\"group\":[\"ward\"],\"minimum\":10}", "ward,rows\nnorth,12\n",
            "\"minimum\":10");
    refuses(TABLE, "{\"minimum\":4}", SR_E_USAGE, "\"minimum\" is a whole number from 5");
    refuses(TABLE, "{\"minimum\":26}", SR_E_REFUSED, "fewer than 26 people");
}

/* ---- the owner's rules: a real archive ---- */

struct file {
    const char *name, *text;
};

static sr_status to_buf(void *arg, struct slice s, struct sr_err *err) {
    buf_add(arg, s);
    return buf_status(arg, err);
}

static sr_status ask_archive(const char *rules, const char *question, struct answer *ret,
                             struct sr_err *err) {
    static struct sources s;
    static struct question q;
    char path[] = "/tmp/sr-question-XXXXXX";
    cleanup_buf struct buf zip;
    buf_init(&zip, 1u << 20);
    struct file files[] = {{"rules_json", rules},
                           {"table_csv", "id,x,name\n1,1,a\n1,2,a\n2,3,b\n2,4,b\n3,5,c\n3,6,c\n"
                                         "4,7,d\n4,8,d\n5,9,e\n5,10,e\n"}};
    struct zip_writer *w = NULL;
    assert_int_equal(zip_writer_new(to_buf, &zip, 0, &w, err), SR_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(
            zip_file(w, slice_str(files[i].name), ZIP_DEFLATED, slice_str(files[i].text), err),
            SR_OK);
    assert_int_equal(zip_finish(w, err), SR_OK);
    zip_writer_free(w);
    cleanup_close int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, zip.p, zip.n, err), SR_OK);
    assert_int_equal(setenv("IEXEC_IN", "/tmp", 1), 0);
    assert_int_equal(setenv("IEXEC_DATASET_FILENAME", path + 5, 1), 0);
    sr_status st = sources_open(0, &s, err);
    if (st == SR_OK) st = question_parse(slice_str(question), &q, err);
    if (st == SR_OK) st = answer(&q, &s, ret, err);
    question_done(&q);
    sources_close(&s);
    (void)remove(path);
    return st;
}

static void the_owner_s_rules_count_people_and_close_columns(void **state) {
    (void)state;
    struct answer a;
    const char *person = "{\"person\":\"id\",\"columns\":[\"x\"]}";
    struct sr_err err = {0};
    assert_int_equal(ask_archive(person, "{\"answer\":[{\"mean\":\"x\"}]}", &a, &err), SR_OK);
    assert_string_equal(buf_cstr(&a.csv), "rows,people,mean x\n10,5,5.5\n");
    answer_done(&a);
    /* Six rows, but three people. */
    assert_int_equal(ask_archive(person, "{\"where\":[[\"x\",\"<\",7]]}", &a, &err), SR_E_REFUSED);
    err = (struct sr_err){0};
    assert_int_equal(ask_archive(person, "{\"group\":[\"name\"]}", &a, &err), SR_E_REFUSED);
    assert_non_null(strstr(err.what, "does not allow questions about the column 'name'"));
    err = (struct sr_err){0};
    assert_int_equal(ask_archive(person, "{\"group\":[\"id\"]}", &a, &err), SR_E_REFUSED);
    assert_non_null(strstr(err.what, "'id'"));
    err = (struct sr_err){0};
    assert_int_equal(ask_archive("{\"minimum\":11}", "{}", &a, &err), SR_E_REFUSED);
    assert_non_null(strstr(err.what, "fewer than 11"));
    err = (struct sr_err){0};
    assert_int_equal(ask_archive("{\"minimum\":1}", "{}", &a, &err), SR_E_USAGE);
    err = (struct sr_err){0};
    assert_int_equal(ask_archive("{\"colums\":[]}", "{}", &a, &err), SR_E_MALFORMED);
    assert_non_null(strstr(err.what, "the data set: the owner's rules are not"));
}

/* ---- what is no question ---- */

static void what_is_no_question_is_told(void **state) {
    (void)state;
    static const struct {
        const char *question, *why;
        sr_status code;
    } cases[] = {
        {"{where:1}", "no JSON", SR_E_MALFORMED},
        {"[]", "no JSON object", SR_E_USAGE},
        {"{\"select\":[]}", "its parts are", SR_E_USAGE},
        {"{\"where\":{}}", "\"where\" is not a list", SR_E_USAGE},
        {"{\"where\":[[\"age\"]]}", "a condition is", SR_E_USAGE},
        {"{\"where\":[[\"age\",\"~\",1]]}", "operators are", SR_E_USAGE},
        {"{\"where\":[[\"age\",\"=\"]]}", "needs a value", SR_E_USAGE},
        {"{\"where\":[[\"age\",\"missing\",1]]}", "take no value", SR_E_USAGE},
        {"{\"where\":[[\"age\",\"<\",\"x\"]]}", "compare numbers", SR_E_USAGE},
        {"{\"where\":[[\"age\",\"in\",[]]]}", "1 to 64 values", SR_E_USAGE},
        {"{\"where\":[[\"age\",\"in\",[1,\"x\"]]]}", "all numbers or all strings", SR_E_USAGE},
        {"{\"where\":[[\"age\",\"=\",null]]}", "neither a number nor a string", SR_E_USAGE},
        {"{\"where\":[[\"age\",\"=\",\"x\"]]}", "the column 'age' has numbers", SR_E_USAGE},
        {"{\"where\":[[\"ward\",\"<\",3]]}", "the column 'ward' has words", SR_E_USAGE},
        {"{\"group\":[\"a\",\"b\",\"c\",\"d\"]}", "at most 3", SR_E_USAGE},
        {"{\"group\":[\"ward\",\"ward\"]}", "twice", SR_E_USAGE},
        {"{\"group\":[{\"column\":\"age\",\"step\":0}]}", "a step is", SR_E_USAGE},
        {"{\"group\":[{\"column\":\"ward\",\"step\":1}]}", "has words", SR_E_USAGE},
        {"{\"answer\":[{\"max\":\"age\"}]}", "figures are mean", SR_E_USAGE},
        {"{\"answer\":[{\"mean\":\"ward\"}]}", "has words", SR_E_USAGE},
        {"{\"answer\":[{\"mean\":\"age\"},{\"mean\":\"age\"}]}", "twice", SR_E_USAGE},
        {"{\"group\":[\"town\"]}", "the data set: there is no column 'town'", SR_E_NOTFOUND},
        {"{\"group\":[\"c0); DROP TABLE t; --\"]}", "no column 'c0); DROP", SR_E_NOTFOUND}};
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++)
        refuses(TABLE, cases[i].question, cases[i].code, cases[i].why);
    struct sr_err err = {0};
    struct answer a;
    assert_int_equal(ask_of(TABLE, "{\"group\":[\"town\"]}", &a, &err), SR_E_NOTFOUND);
    assert_string_equal(err.hint, "its columns are: id, ward, age, dose");
}

static void a_question_cut_anywhere_is_none(void **state) {
    (void)state;
    const char *whole =
        "{\"where\":[[\"age\",\">=\",40],[\"ward\",\"in\",[\"a\",\"b\"]]],\"group\":"
        "[\"ward\",{\"column\":\"age\",\"step\":10}],\"answer\":[{\"mean\":\"dose\"}]}";
    static struct question q;
    assert_int_equal(question_parse(slice_str(whole), &q, NULL), SR_OK);
    question_done(&q);
    for (size_t n = 0; n < strlen(whole); n++)
        assert_int_not_equal(question_parse(slice_of(whole, n), &q, NULL), SR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_and_figures_are_right),
        cmocka_unit_test(every_operator_compares),
        cmocka_unit_test(small_groups_are_withheld_with_another_one_when_they_are_too_few_together),
        cmocka_unit_test(a_filter_that_keeps_or_leaves_out_a_few_is_refused_like_one_of_none),
        cmocka_unit_test(figures_of_one_question_are_over_the_same_rows),
        cmocka_unit_test(a_median_needs_a_group_on_each_side),
        cmocka_unit_test(a_larger_minimum_can_be_asked_for_and_a_smaller_one_cannot),
        cmocka_unit_test(the_owner_s_rules_count_people_and_close_columns),
        cmocka_unit_test(what_is_no_question_is_told),
        cmocka_unit_test(a_question_cut_anywhere_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
