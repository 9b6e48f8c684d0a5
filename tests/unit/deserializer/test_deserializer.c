/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of the official SDK, read back; the official deserialiser's answers, value by value. */
#include "../../../src/deserializer/deserializer.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ZIPS VECTORS "/dataprotector/zips/"

static struct json *vectors(const char *name) {
    cleanup_buf struct buf b;
    struct json *doc = NULL;
    char path[512];
    (void)snprintf(path, sizeof path, VECTORS "/dataprotector/%s", name);
    buf_init(&b, 4u << 20);
    assert_int_equal(fs_read(path, &b, NULL), SR_OK);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    return doc;
}

static struct sr_pd *open_zip(const char *file) {
    char path[512];
    struct sr_pd *pd = NULL;
    struct sr_err err = {0};
    (void)snprintf(path, sizeof path, ZIPS "%s", file);
    assert_int_equal(sr_pd_open(path, &pd, &err), SR_OK);
    return pd;
}

/* The value in the form that the vectors have it, or the error's beginning. */
static sr_status read_as(struct sr_pd *pd, const char *path, const char *schema, struct buf *out,
                         struct sr_err *err) {
    if (strcmp(schema, "bool") == 0) {
        bool v;
        SR_TRY(sr_pd_bool(pd, path, &v, err));
        buf_str(out, v ? "true" : "false");
    } else if (strcmp(schema, "f64") == 0) {
        double v;
        SR_TRY(sr_pd_f64(pd, path, &v, err));
        buf_printf(out, "%.17g", v);
    } else if (strcmp(schema, "i128") == 0) {
        char text[41];
        SR_TRY(sr_pd_i128(pd, path, text, err));
        buf_str(out, text);
    } else if (strcmp(schema, "string") == 0) {
        char *s;
        size_t n;
        SR_TRY(sr_pd_string(pd, path, &s, &n, err));
        buf_put(out, s, n);
        free(s);
    } else {
        uint8_t *p;
        size_t n;
        SR_TRY(sr_pd_bytes(pd, path, &p, &n, err));
        buf_str(out, "0x");
        buf_hex(out, slice_of(p, n));
        free(p);
    }
    return SR_OK;
}

static bool is_ours(struct slice schema) {
    return !slice_is(schema, "number") && !slice_is(schema, "boolean");
}

static void same_answer(const struct json_val *r) {
    cleanup_free char *file = slice_dup(json_text(json_get(r, "file"))),
                      *path = slice_dup(json_text(json_get(r, "path"))),
                      *schema = slice_dup(json_text(json_get(r, "schema")));
    bool ok = false;
    assert_true(json_bool(json_get(r, "ok"), &ok));
    cleanup_buf struct buf got;
    struct sr_err err = {0};
    buf_init(&got, 1u << 20);
    struct sr_pd *pd = open_zip(file);
    sr_status st = read_as(pd, path, schema, &got, &err);
    sr_pd_close(pd);
    if (!ok) {
        assert_true(st == SR_E_NOTFOUND || st == SR_E_MALFORMED);
        cleanup_free char *want = slice_dup(json_text(json_get(r, "error")));
        char *mode = strstr(want, " in \"");
        if (mode) *mode = 0; /* we have one mode */
        assert_string_equal(err.what, want);
        return;
    }
    assert_int_equal(st, SR_OK);
    const struct json_val *v = json_get(r, "value");
    if (json_is(v, JSON_TRUE) || json_is(v, JSON_FALSE)) {
        assert_true(slice_is(buf_slice(&got), json_is(v, JSON_TRUE) ? "true" : "false"));
    } else if (strcmp(schema, "f64") != 0) {
        assert_true(slice_eq(buf_slice(&got), json_text(v)));
    }
}

static void answers_as_the_official_deserialiser(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors("deserializer.json");
    size_t checked = 0;
    const struct json_val *r = json_first(json_get(json_root(doc), "results"));
    for (; r; r = json_next(r)) {
        if (!slice_is(json_text(json_get(r, "mode")), "optimistic") ||
            !is_ours(json_text(json_get(r, "schema"))))
            continue;
        if (slice_is(json_text(json_get(r, "path")), "strTooLong"))
            continue; /* see the next test */
        same_answer(r);
        checked++;
    }
    assert_true(checked > 20);
}

static void text_that_is_not_utf8_is_refused_rather_than_mangled(void **state) {
    (void)state;
    struct sr_pd *pd = open_zip("deserializer-edge.zip");
    struct sr_err err = {0};
    char *s = NULL;
    assert_int_equal(sr_pd_string(pd, "strTooLong", &s, NULL, &err), SR_E_MALFORMED);
    assert_null(s);
    sr_pd_close(pd);
}

/* Every leaf of every case of the official SDK. */
static void every_value_of_the_official_archives_is_read(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors("index.json");
    size_t checked = 0;
    for (const struct json_val *c = json_first(json_get(json_root(doc), "cases")); c;
         c = json_next(c)) {
        cleanup_free char *zip = slice_dup(json_text(json_get(c, "zip")));
        struct sr_pd *pd = open_zip(strrchr(zip, '/') + 1);
        for (const struct json_val *v = json_first(json_get(c, "values")); v; v = json_next(v)) {
            cleanup_free char *path = slice_dup(json_key(v)),
                              *schema = slice_dup(json_text(json_get(v, "schema")));
            cleanup_buf struct buf got;
            struct sr_err err = {0};
            buf_init(&got, 4u << 20);
            assert_true(sr_pd_has(pd, path));
            assert_int_equal(read_as(pd, path, schema, &got, &err), SR_OK);
            if (strcmp(schema, "i128") == 0)
                assert_true(slice_eq(buf_slice(&got), json_text(json_get(v, "decimal"))));
            if (strcmp(schema, "string") == 0 && json_get(v, "value"))
                assert_true(slice_eq(buf_slice(&got), json_text(json_get(v, "value"))));
            checked++;
        }
        sr_pd_close(pd);
    }
    assert_true(checked > 60);
}

static sr_status sum(void *arg, const void *p, size_t n, struct sr_err *err) {
    (void)p;
    (void)err;
    *(uint64_t *)arg += n;
    return SR_OK;
}

static void a_leaf_is_streamed_whole(void **state) {
    (void)state;
    struct sr_pd *pd = open_zip("big-binary.zip");
    for (size_t i = 0; i < sr_pd_count(pd); i++) {
        uint64_t n = 0, got = 0;
        assert_int_equal(sr_pd_size(pd, sr_pd_path_at(pd, i), &n, NULL), SR_OK);
        assert_int_equal(sr_pd_stream(pd, sr_pd_path_at(pd, i), sum, &got, NULL), SR_OK);
        assert_true(got == n);
    }
    assert_null(sr_pd_path_at(pd, sr_pd_count(pd)));
    sr_pd_close(pd);
}

static void the_environment_names_the_file(void **state) {
    (void)state;
    struct sr_pd *pd = NULL;
    struct sr_err err = {0};
    (void)unsetenv("IEXEC_IN");
    assert_int_equal(sr_pd_open(NULL, &pd, &err), SR_E_NOTFOUND);
    assert_string_equal(err.what, "Missing protected data");
    (void)setenv("IEXEC_IN", VECTORS "/dataprotector/zips", 1);
    (void)setenv("IEXEC_DATASET_FILENAME", "mail.zip", 1);
    (void)setenv("IEXEC_DATASET_2_FILENAME", "telegram.zip", 1);
    assert_int_equal(sr_pd_open(NULL, &pd, NULL), SR_OK);
    assert_true(sr_pd_has(pd, "email"));
    sr_pd_close(pd);
    assert_int_equal(sr_pd_open_bulk(2, &pd, NULL), SR_OK);
    sr_pd_close(pd);
    err = (struct sr_err){0};
    assert_int_equal(sr_pd_open_bulk(3, &pd, &err), SR_E_NOTFOUND);
    err = (struct sr_err){0};
    assert_int_equal(sr_pd_open("/nowhere", &pd, &err), SR_E_MALFORMED);
    assert_true(strncmp(err.what, "Failed to load protected data", 29) == 0);
}

static void truncated_at_every_length_fails(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    assert_int_equal(fs_read(ZIPS "nested.zip", &b, NULL), SR_OK);
    char path[] = "/tmp/test_deserializer_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, b.p, b.n, NULL), SR_OK);
    for (size_t cut = b.n; cut-- > 0;) {
        struct sr_pd *pd = NULL;
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        assert_int_equal(sr_pd_open(path, &pd, NULL), SR_E_MALFORMED);
        assert_null(pd);
    }
    (void)close(fd);
    (void)unlink(path);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(answers_as_the_official_deserialiser),
        cmocka_unit_test(text_that_is_not_utf8_is_refused_rather_than_mangled),
        cmocka_unit_test(every_value_of_the_official_archives_is_read),
        cmocka_unit_test(a_leaf_is_streamed_whole),
        cmocka_unit_test(the_environment_names_the_file),
        cmocka_unit_test(truncated_at_every_length_fails),
    };
    return cmocka_run_group_tests_name("deserializer", t, NULL, NULL);
}
