/* SPDX-License-Identifier: Apache-2.0 */
/* What a task was given, from the environment and folder that a room makes. */
#include "common/model.h"
#include "common/source.h"
#include "zip/zip.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after the four above */
#include <cmocka.h>

static char home[] = "/tmp/sr-source-XXXXXX";

static int begin(void **state) {
    (void)state;
    return mkdtemp(home) && setenv("IEXEC_IN", home, 1) == 0 && setenv("IEXEC_OUT", home, 1) == 0
               ? 0
               : -1;
}

static int end(void **state) {
    (void)state;
    return fs_remove_tree(home, NULL) == SR_OK ? 0 : -1;
}

static int fresh(void **state) {
    static const char *const names[] = {"IEXEC_DATASET_FILENAME",   "IEXEC_BULK_SLICE_SIZE",
                                        "IEXEC_INPUT_FILES_NUMBER", "IEXEC_INPUT_FILE_NAME_1",
                                        "IEXEC_REQUESTER_SECRET_1", "IEXEC_DATASET_1_FILENAME",
                                        "IEXEC_DATASET_2_FILENAME"};
    (void)state;
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++)
        if (unsetenv(names[i]) != 0) return -1;
    return 0;
}

static void set(const char *name, const char *value) {
    assert_int_equal(setenv(name, value, 1), 0);
}

static void put_file(const char *name, struct slice data) {
    cleanup_free char *path = path_join(home, name);
    assert_int_equal(fs_write_atomic(path, data, 0600, NULL), SR_OK);
}

static sr_status to_buf(void *arg, struct slice s, struct sr_err *err) {
    buf_add(arg, s);
    return buf_status(arg, err);
}

/* An archive of one leaf. */
static void put_archive(const char *name, const char *leaf, const char *text) {
    cleanup_buf struct buf zip;
    struct zip_writer *w = NULL;
    buf_init(&zip, 1u << 20);
    assert_int_equal(zip_writer_new(to_buf, &zip, 0, &w, NULL), SR_OK);
    if (leaf)
        assert_int_equal(zip_file(w, slice_str(leaf), ZIP_DEFLATED, slice_str(text), NULL), SR_OK);
    assert_int_equal(zip_finish(w, NULL), SR_OK);
    zip_writer_free(w);
    put_file(name, buf_slice(&zip));
}

static struct sources s;

static void a_bulk_s_missing_members_are_counted(void **state) {
    (void)state;
    const struct source *model;
    struct sr_err err = {0};
    put_archive("d2", "file", "a,b\n1,2\n");
    set("IEXEC_BULK_SLICE_SIZE", "2");
    set("IEXEC_DATASET_1_FILENAME", "d1");
    set("IEXEC_DATASET_2_FILENAME", "d2");
    assert_int_equal(sources_open(0, &s, NULL), SR_OK);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.withheld, 1);
    assert_string_equal(s.v[0].name, "data set 2");
    assert_int_equal(sources_model(&s, &model, &err), SR_E_USAGE);
    assert_non_null(strstr(err.what, "no model among what this task was given (some"));
    sources_close(&s);
}

static void the_zero_address_is_no_data_set(void **state) {
    (void)state;
    set("IEXEC_DATASET_FILENAME", "0x0000000000000000000000000000000000000000");
    assert_int_equal(sources_open(0, &s, NULL), SR_OK);
    assert_int_equal(s.n, 0);
    sources_close(&s);
}

static void models_are_told_from_tables_and_two_are_too_many(void **state) {
    (void)state;
    const struct source *model;
    struct sr_err err = {0};
    put_archive("m", "anything", MODEL_MAGIC "...");
    put_file("f", SLICE_LIT(MODEL_MAGIC "!!!"));
    set("IEXEC_DATASET_FILENAME", "m");
    set("IEXEC_REQUESTER_SECRET_1", "a,b\n1,2\n");
    assert_int_equal(sources_open(SOURCES_INPUT_FILES | SOURCES_SECRET, &s, NULL), SR_OK);
    assert_int_equal(sources_tables(&s), 1);
    assert_int_equal(sources_model(&s, &model, NULL), SR_OK);
    assert_string_equal(model->name, "the data set");
    sources_close(&s);
    set("IEXEC_INPUT_FILES_NUMBER", "1");
    set("IEXEC_INPUT_FILE_NAME_1", "f");
    assert_int_equal(sources_open(SOURCES_INPUT_FILES | SOURCES_SECRET, &s, NULL), SR_OK);
    assert_int_equal(s.n, 3);
    assert_int_equal(sources_model(&s, &model, &err), SR_E_USAGE);
    assert_string_equal(err.what, "the data set and input file 1 are both models");
    sources_close(&s);
    /* Only who asks for them gets what the requester brought. */
    assert_int_equal(sources_open(0, &s, NULL), SR_OK);
    assert_int_equal(s.n, 1);
    sources_close(&s);
}

static void what_cannot_be_read_is_named(void **state) {
    (void)state;
    struct sr_err err = {0};
    set("IEXEC_INPUT_FILES_NUMBER", "1");
    set("IEXEC_INPUT_FILE_NAME_1", "absent");
    assert_int_equal(sources_open(SOURCES_INPUT_FILES, &s, &err), SR_E_NOTFOUND);
    assert_string_equal(err.what, "input file 1: the input file is not there");
    put_file("junk", SLICE_LIT("no archive"));
    set("IEXEC_DATASET_FILENAME", "junk");
    err = (struct sr_err){0};
    assert_int_equal(sources_open(0, &s, &err), SR_E_MALFORMED);
    put_archive("empty", NULL, NULL);
    set("IEXEC_DATASET_FILENAME", "empty");
    err = (struct sr_err){0};
    assert_int_equal(sources_open(0, &s, &err), SR_E_MALFORMED);
    put_archive("rules", "rules_json", "{}");
    set("IEXEC_DATASET_FILENAME", "rules");
    err = (struct sr_err){0};
    assert_int_equal(sources_open(0, &s, &err), SR_E_MALFORMED);
    assert_string_equal(err.what, "the data set: the protected data is empty");
    set("IEXEC_BULK_SLICE_SIZE", "many");
    err = (struct sr_err){0};
    assert_int_equal(sources_open(0, &s, &err), SR_E_MALFORMED);
}

static void the_result_is_the_folder(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    cleanup_free char *path = path_join(home, "computed.json");
    buf_init(&b, 1000);
    assert_int_equal(result_done(NULL), SR_OK);
    assert_int_equal(fs_read(path, &b, NULL), SR_OK);
    assert_string_equal(buf_cstr(&b), "{\"deterministic-output-path\":\"/iexec_out\"}\n");
    assert_int_equal(result_write("no/folder", SLICE_LIT("x"), NULL), SR_E_SYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_bulk_s_missing_members_are_counted, fresh),
        cmocka_unit_test_setup(the_zero_address_is_no_data_set, fresh),
        cmocka_unit_test_setup(models_are_told_from_tables_and_two_are_too_many, fresh),
        cmocka_unit_test_setup(what_cannot_be_read_is_named, fresh),
        cmocka_unit_test_setup(the_result_is_the_folder, fresh),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
