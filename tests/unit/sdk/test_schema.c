/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas and archive leaves against what the official SDK makes of the same objects. */
#include "sdk/sdk_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

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

/* The schema's tree as an object to protect: values from the vectors, where JSON can say them. */
static bool as_object(const struct json_val *schema, const struct json_val *values,
                      const char *path, struct jw *w) {
    jw_obj(w);
    for (const struct json_val *v = json_first(schema); v; v = json_next(v)) {
        char full[512];
        struct slice key = json_key(v), type = json_text(v);
        (void)snprintf(full, sizeof full, "%s%s%.*s", path, path[0] ? "." : "", (int)key.n,
                       (const char *)key.p);
        jw_key_slice(w, key);
        if (json_is(v, JSON_OBJECT)) {
            if (!as_object(v, values, full, w)) return false;
            continue;
        }
        const struct json_val *value = json_get(values, full), *plain = json_get(value, "value");
        if (slice_is(type, "string") && json_is(plain, JSON_STRING))
            jw_str(w, json_text(plain));
        else if (slice_is(type, "bool") && plain)
            jw_bool(w, json_is(plain, JSON_TRUE));
        else if (slice_is(type, "f64") && plain)
            jw_raw(w, json_text(plain)); /* the numbers of the vectors are texts or numbers */
        else
            return false;
    }
    jw_end_obj(w);
    return true;
}

static void same_leaves(const struct json_val *c, const struct pd_tree *t) {
    const struct json_val *e = json_first(json_get(c, "zipEntries"));
    for (size_t i = 0; i < t->n; i++, e = json_next(e)) {
        assert_non_null(e);
        assert_true(slice_eq(t->v[i].path, json_text(json_get(e, "name"))));
        bool dir = false;
        assert_true(json_bool(json_get(e, "dir"), &dir));
        assert_int_equal(dir, t->v[i].folder);
        struct hash want, got = sha256(t->v[i].bytes);
        if (!dir && json_hash(json_get(e, "sha256"), &want)) assert_true(hash_eq(&want, &got));
    }
    assert_null(e);
}

static void objects_become_the_archives_of_the_official_sdk(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors("index.json");
    size_t checked = 0;
    for (const struct json_val *c = json_first(json_get(json_root(doc), "cases")); c;
         c = json_next(c)) {
        cleanup_buf struct buf b;
        struct pd_tree t = {0};
        struct sr_err err = {0};
        buf_init(&b, 4u << 20);
        struct jw w = jw_of(&b);
        if (!as_object(json_get(c, "schema"), json_get(c, "values"), "", &w)) continue;
        assert_int_equal(pd_tree_of_json(buf_slice(&b), &t, &err), SR_OK);
        assert_true(slice_eq(buf_slice(&t.schema), json_text(json_get(c, "schemaJsonString"))));
        same_leaves(c, &t);
        pd_tree_done(&t);
        checked++;
    }
    assert_true(checked >= 4); /* strings, bools, mail, telegram, hello-world, empty object, ... */
}

static void index_keys_come_first_as_in_javascript(void **state) {
    (void)state;
    struct pd_tree t = {0};
    struct slice json =
        SLICE_LIT("{\"b\":\"x\",\"10\":true,\"2\":false,\"01\":\"y\",\"a\":{\"7\":1,\"z\":{}}}");
    assert_int_equal(pd_tree_of_json(json, &t, NULL), SR_OK);
    assert_string_equal(buf_cstr(&t.schema),
                        "{\"2\":\"bool\",\"10\":\"bool\",\"b\":\"string\",\"01\":\"string\","
                        "\"a\":{\"7\":\"f64\",\"z\":{}}}");
    assert_true(slice_is(t.v[t.n - 1].path, "a/z/"));
    assert_true(t.v[t.n - 1].folder);
    pd_tree_done(&t);
}

static void invalid_objects_are_refused_in_the_official_words(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"[1]", "Unsupported array data"},
        {"{\"a\":null}", "Unsupported null data"},
        {"{\"a\":[1]}", "Unsupported array data"},
        {"{\"\":1}", "Unsupported empty key"},
        {"{\"a.b\":1}", "Unsupported special character in key"},
        {"{\"a b\":1}", "Unsupported special character in key"},
        {"{\"a/b\":1}", "Unsupported special character in key"},
        {"{\"x\":{\"\\u00e9\":1}}", "Unsupported special character in key"},
        {"{\"a\":1e999}", "Unsupported number value: infinity"},
        {"\"abc\"", "Unsupported data"},
        {"{", "data is not valid"},
        {"", "data is not valid"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        struct pd_tree t = {0};
        struct sr_err err = {0};
        assert_int_not_equal(pd_tree_of_json(slice_str(cases[i][0]), &t, &err), SR_OK);
        if (!strstr(err.what, cases[i][1])) fail_msg("%s: %s", cases[i][0], err.what);
        assert_true(err.hint[0] != 0 || strstr(err.what, "infinity"));
        assert_null(t.v);
    }
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    struct pd_tree t = {0};
    buf_init(&b, 65536);
    for (int i = 0; i < 40; i++) buf_str(&b, "{\"a\":");
    buf_str(&b, "1");
    for (int i = 0; i < 40; i++) buf_str(&b, "}");
    assert_int_equal(pd_tree_of_json(buf_slice(&b), &t, NULL), SR_E_TOOBIG);
}

static void truncated_at_every_length_fails(void **state) {
    (void)state;
    const char json[] = "{\"a\":\"text\",\"b\":{\"c\":-1.5e3,\"d\":true},\"e\":{}}";
    for (size_t cut = 0; cut < sizeof json - 1; cut++) {
        struct pd_tree t = {0};
        assert_int_not_equal(pd_tree_of_json(slice_of(json, cut), &t, NULL), SR_OK);
    }
}

static void binaries_are_typed_by_their_first_bytes(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors("mime-detection.json");
    size_t checked = 0;
    for (const struct json_val *v = json_first(json_root(doc)); v; v = json_next(v)) {
        cleanup_buf struct buf b;
        struct slice type = json_text(json_get(v, "schemaType"));
        buf_init(&b, 4096);
        if (type.n == 0) continue;
        if (!hex_decode_buf(json_text(json_get(v, "hexPrefix")), &b)) continue;
        assert_true(slice_is(type, pd_mime(buf_slice(&b))));
        checked++;
    }
    assert_true(checked >= 25);
    assert_string_equal(pd_mime((struct slice){NULL, 0}), "application/octet-stream");
}

static void file_names_become_keys(void **state) {
    (void)state;
    char key[256];
    pd_key(key, "/data/Patient Records (2026).csv");
    assert_string_equal(key, "Patient_Records__2026__csv");
    pd_key(key, "a-b_c");
    assert_string_equal(key, "a-b_c");
    pd_key(key, "dir/");
    assert_string_equal(key, "");
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(objects_become_the_archives_of_the_official_sdk),
        cmocka_unit_test(index_keys_come_first_as_in_javascript),
        cmocka_unit_test(invalid_objects_are_refused_in_the_official_words),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(truncated_at_every_length_fails),
        cmocka_unit_test(binaries_are_typed_by_their_first_bytes),
        cmocka_unit_test(file_names_become_keys),
    };
    return cmocka_run_group_tests_name("sdk/schema", t, NULL, NULL);
}
