/* SPDX-License-Identifier: Apache-2.0 */
/* Which files a protect takes, under which keys, and the schema that they make. */
#include "sdk/sdk_int.h"
#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the three above first */
#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/strongroom-tree-XXXXXX";

static int make(void **state) {
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}
static int unmake(void **state) {
    (void)state;
    return fs_remove_tree(root, NULL) == SR_OK ? 0 : -1;
}

/* "root/name", made with one byte in it; its folder is made, too. */
static char *file(const char *name) {
    static char path[512];
    cleanup_free char *folder = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    const char *slash = strrchr(path, '/');
    folder = slice_dup(slice_of(path, (size_t)(slash - path)));
    assert_int_equal(fs_mkdirs(folder, 0700, NULL), SR_OK);
    assert_int_equal(fs_write_atomic(path, SLICE_LIT("x"), 0600, NULL), SR_OK);
    return path;
}

static const char *below(const char *name) {
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void schema_is(struct pd_files *f, const char *want) {
    cleanup_buf struct buf b;
    buf_init(&b, 65536);
    for (size_t i = 0; i < f->n; i++) f->v[i].mime = "t";
    pd_files_schema(f, &b);
    assert_string_equal(buf_cstr(&b), want);
}

static void a_single_file_is_file_and_several_have_their_names(void **state) {
    (void)state;
    struct pd_files f = {0}, g = {0};
    cleanup_free char *a = slice_dup(slice_str(file("flat/b c.txt")));
    cleanup_free char *b = slice_dup(slice_str(file("flat/a.txt")));
    const char *both[] = {a, b};
    assert_int_equal(pd_files_of(both, 1, &f, NULL), SR_OK);
    schema_is(&f, "{\"file\":\"t\"}");
    assert_int_equal(pd_files_of(both, 2, &g, NULL), SR_OK);
    schema_is(&g, "{\"b_c_txt\":\"t\",\"a_txt\":\"t\"}"); /* in the order given */
    pd_files_done(&f);
    pd_files_done(&g);
}

static void folders_nest_and_every_folder_is_opened_once(void **state) {
    (void)state;
    struct pd_files f = {0};
    static const char *const names[] = {"t/z",   "t/a/one", "t/a/b/two", "t/a/b/three",
                                        "t/a-b", "t/a0",    "t/c/d/e/f"};
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++) (void)file(names[i]);
    const char *dir = below("t");
    assert_int_equal(pd_files_of(&dir, 1, &f, NULL), SR_OK);
    schema_is(&f, "{\"a-b\":\"t\",\"a\":{\"b\":{\"three\":\"t\",\"two\":\"t\"},\"one\":\"t\"},"
                  "\"a0\":\"t\",\"c\":{\"d\":{\"e\":{\"f\":\"t\"}}},\"z\":\"t\"}");
    pd_files_done(&f);
}

static void keys_that_would_be_one_are_refused(void **state) {
    (void)state;
    struct pd_files f = {0}, g = {0}, h = {0};
    (void)file("same/a.b");
    (void)file("same/a_b");
    (void)file("same/in/x");
    const char *dir = below("same");
    assert_int_equal(pd_files_of(&dir, 1, &f, NULL), SR_E_USAGE);
    (void)file("over/a.b");
    (void)file("over/a_b-between");
    (void)file("over/a_b/c"); /* a file and a folder of one key */
    dir = below("over");
    assert_int_equal(pd_files_of(&dir, 1, &g, NULL), SR_E_USAGE);
    cleanup_free char *one = slice_dup(slice_str(file("twice/n")));
    const char *twice[] = {one, one};
    assert_int_equal(pd_files_of(twice, 2, &h, NULL), SR_E_USAGE);
    pd_files_done(&f);
    pd_files_done(&g);
    pd_files_done(&h);
}

static void links_and_too_deep_folders_are_refused(void **state) {
    (void)state;
    struct pd_files f = {0}, g = {0};
    char deep[256] = "deep";
    (void)file("links/a");
    assert_int_equal(symlink("a", below("links/b")), 0);
    const char *dir = below("links");
    assert_int_equal(pd_files_of(&dir, 1, &f, NULL), SR_E_USAGE);
    for (unsigned i = 0; i < 20; i++) strncat(deep, "/d", sizeof deep - strlen(deep) - 1);
    strncat(deep, "/file", sizeof deep - strlen(deep) - 1);
    (void)file(deep);
    dir = below("deep");
    assert_int_equal(pd_files_of(&dir, 1, &g, NULL), SR_E_USAGE);
    pd_files_done(&f);
    pd_files_done(&g);
}

static void a_data_key_is_32_bytes_in_base64(void **state) {
    (void)state;
    struct sr_secret key = {0};
    assert_int_equal(pd_key_of(" B0i9vD/v3FkCL/Fg+HDb8mhNZmyBif812tgfZ1IRGRk=\n", &key, NULL),
                     SR_OK);
    assert_int_equal(key.n, 32);
    secret_free(&key);
    static const char *const bad[] = {"", "B0i9", "not base64 at all!",
                                      "B0i9vD/v3FkCL/Fg+HDb8mhNZmyBif812tgfZ1IRGRkAAAA="};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        assert_int_equal(pd_key_of(bad[i], &key, NULL), SR_E_MALFORMED);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_single_file_is_file_and_several_have_their_names),
        cmocka_unit_test(folders_nest_and_every_folder_is_opened_once),
        cmocka_unit_test(keys_that_would_be_one_are_refused),
        cmocka_unit_test(links_and_too_deep_folders_are_refused),
        cmocka_unit_test(a_data_key_is_32_bytes_in_base64),
    };
    return cmocka_run_group_tests_name("sdk/tree", t, make, unmake);
}
