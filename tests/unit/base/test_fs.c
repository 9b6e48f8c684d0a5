/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *dir;

static int set_up(void **state) {
    (void)state;
    char name[] = "test-fs-XXXXXX"; /* in the folder the test is run in: the build's */
    if (!mkdtemp(name)) return -1;
    dir = slice_dup(slice_str(name));
    return dir ? 0 : -1;
}
static int tear_down(void **state) {
    (void)state;
    sr_status st = fs_remove_tree(dir, NULL);
    free(dir);
    return st == SR_OK ? 0 : -1;
}

static void a_file_is_written_and_read_back(void **state) {
    (void)state;
    cleanup_free char *path = path_join(dir, "a");
    struct sr_err err = {0};
    struct stat s;
    cleanup_buf struct buf b;
    buf_init(&b, 100000);
    uint8_t data[70000];
    memset(data, 'z', sizeof data);
    assert_int_equal(fs_write_atomic(path, slice_of(data, sizeof data), 0600, &err), SR_OK);
    assert_int_equal(fs_read(path, &b, &err), SR_OK);
    assert_true(slice_eq(buf_slice(&b), slice_of(data, sizeof data)));
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 07777, 0600);
    assert_int_equal(fs_write_atomic(path, SLICE_LIT("short"), 0640, &err), SR_OK);
    buf_clear(&b);
    assert_int_equal(fs_read(path, &b, &err), SR_OK);
    assert_string_equal(buf_cstr(&b), "short");
}

static void a_file_just_at_the_limit_is_read_and_one_byte_more_is_refused(void **state) {
    (void)state;
    cleanup_free char *path = path_join(dir, "limit");
    struct sr_err err = {0};
    assert_int_equal(fs_write_atomic(path, SLICE_LIT("12345"), 0600, &err), SR_OK);
    cleanup_buf struct buf five, four;
    buf_init(&five, 5);
    buf_init(&four, 4);
    assert_int_equal(fs_read(path, &five, &err), SR_OK);
    assert_int_equal(five.n, 5);
    assert_int_equal(fs_read(path, &four, &err), SR_E_TOOBIG);
}

static void a_missing_file_and_a_folder_are_told_apart(void **state) {
    (void)state;
    cleanup_free char *path = path_join(dir, "none");
    struct sr_err err = {0};
    cleanup_buf struct buf b;
    buf_init(&b, 10);
    assert_int_equal(fs_read(path, &b, &err), SR_E_NOTFOUND);
    assert_int_equal(fs_read(dir, &b, NULL), SR_E_SYS);
    err = (struct sr_err){0};
    cleanup_free char *below = path_join(path, "x");
    assert_int_equal(fs_write_atomic(below, SLICE_LIT("x"), 0600, &err), SR_E_SYS);
    assert_int_equal(err.sys, ENOENT);
}

static void folders_are_made_with_their_parents(void **state) {
    (void)state;
    cleanup_free char *deep = path_join(dir, "x/y//z/");
    struct sr_err err = {0};
    assert_int_equal(fs_mkdirs(deep, 0700, &err), SR_OK);
    assert_int_equal(fs_mkdirs(deep, 0700, &err), SR_OK);
    assert_true(fs_is_dir(deep));
    cleanup_free char *file = path_join(dir, "file"), *under = path_join(dir, "file/sub");
    assert_int_equal(fs_write_atomic(file, SLICE_LIT(""), 0600, &err), SR_OK);
    assert_true(fs_exists(file) && !fs_is_dir(file));
    assert_int_equal(fs_mkdirs(under, 0700, &err), SR_E_SYS);
    assert_int_equal(err.sys, ENOTDIR);
}

static void a_deep_and_hostile_tree_is_removed_and_links_are_not_followed(void **state) {
    (void)state;
    struct sr_err err = {0};
    cleanup_free char *keep = path_join(dir, "keep"), *kept = path_join(dir, "keep/file");
    cleanup_free char *tree = path_join(dir, "tree"), *link = path_join(dir, "tree/link");
    assert_int_equal(fs_mkdirs(keep, 0700, &err), SR_OK);
    assert_int_equal(fs_write_atomic(kept, SLICE_LIT("x"), 0600, &err), SR_OK);
    assert_int_equal(fs_mkdirs(tree, 0700, &err), SR_OK);
    assert_int_equal(symlink("../keep", link), 0);
    int at = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 3000; i++) { /* far deeper than PATH_MAX */
        assert_int_equal(mkdirat(at, "d", 0700), 0);
        if (i % 500 == 0) {
            cleanup_close int f = openat(at, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0);
            assert_true(f >= 0 && mkdirat(at, "empty", 0) == 0);
        }
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        if (i % 700 == 0) assert_int_equal(fchmod(at, 0500), 0);
        (void)close(at);
        at = next;
    }
    (void)close(at);
    assert_int_equal(fs_remove_tree(tree, &err), SR_OK);
    assert_false(fs_exists(tree));
    assert_true(fs_exists(kept));
    assert_int_equal(symlink("keep", tree), 0);
    assert_int_equal(fs_remove_tree(tree, &err), SR_OK);
    assert_true(fs_exists(kept));
    assert_int_equal(fs_remove_tree(tree, &err), SR_OK); /* missing is fine */
}

static void a_short_read_is_an_error(void **state) {
    (void)state;
    int p[2];
    char b[4];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(fd_write_all(p[1], "abc", 3, NULL), SR_OK);
    (void)close(p[1]);
    assert_int_equal(fd_read_full(p[0], b, 2, NULL), SR_OK);
    assert_int_equal(fd_read_full(p[0], b, 2, NULL), SR_E_MALFORMED);
    (void)close(p[0]);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_file_is_written_and_read_back),
        cmocka_unit_test(a_file_just_at_the_limit_is_read_and_one_byte_more_is_refused),
        cmocka_unit_test(a_missing_file_and_a_folder_are_told_apart),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(a_deep_and_hostile_tree_is_removed_and_links_are_not_followed),
        cmocka_unit_test(a_short_read_is_an_error),
    };
    return cmocka_run_group_tests_name("base/fs", t, set_up, tear_down);
}
