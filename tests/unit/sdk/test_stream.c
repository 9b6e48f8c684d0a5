/* SPDX-License-Identifier: Apache-2.0 */
/* The one pass: what it gives is decrypted and read back; files that change are noticed. */
#include "sdk/sdk_int.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_sdk_stream_XXXXXX";

static char *file_of(const char *name, size_t n, unsigned seed) {
    char *path = path_join(folder, name);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    uint8_t block[4096];
    for (size_t at = 0; at < n; at += sizeof block) {
        for (size_t i = 0; i < sizeof block; i++) {
            seed = seed * 1664525u + 1013904223u;
            block[i] = (uint8_t)(seed >> 24);
        }
        size_t some = n - at < sizeof block ? n - at : sizeof block;
        assert_int_equal(fd_write_all(fd, block, some, NULL), SR_OK);
    }
    return path;
}

struct job {
    struct pd_file *files;
    size_t n;
    const struct pd_tree *tree;
    void (*meanwhile)(void *arg);
    void *arg;
    struct buf cipher;
    struct hash checksum;
    uint64_t length;
    uint8_t key[32];
    bool keep;
    uint64_t total;
};

static sr_status read_all(struct job *j, struct pd_stream *s, struct sr_err *err) {
    struct sha256 sha;
    SR_TRY(sha256_init(&sha, err));
    for (;;) {
        struct slice piece;
        sr_status st = pd_stream_next(s, &piece, err);
        if (st != SR_OK) sha256_drop(&sha);
        SR_TRY(st);
        if (piece.n == 0) break;
        if (j->meanwhile) j->meanwhile(j->arg);
        j->meanwhile = NULL;
        sha256_add(&sha, piece);
        if (j->keep) buf_add(&j->cipher, piece);
        j->total += piece.n;
    }
    j->checksum = sha256_end(&sha);
    struct hash said = pd_stream_checksum(s);
    assert_true(hash_eq(&said, &j->checksum));
    struct dag_result fed, again;
    SR_TRY(dag_end(pd_stream_dag(s), &fed, err));
    assert_int_equal(fed.file_bytes, j->total);
    if (!j->keep) return SR_OK;
    SR_TRY(dag_of_bytes(buf_slice(&j->cipher), &again, err));
    assert_true(cid_eq(&fed.cid, &again.cid));
    return SR_OK;
}

static sr_status protect(void *arg, struct sr_err *err) {
    struct job *j = arg;
    cleanup_secret struct sr_secret key = {0};
    struct pd_stream *s = NULL;
    memset(j->key, 7, sizeof j->key);
    SR_TRY(secret_from(j->key, sizeof j->key, &key, err));
    for (size_t i = 0; i < j->n; i++) SR_TRY(pd_file_open(&j->files[i], err));
    struct pd_stream_opts o = {.files = j->files,
                               .n_files = j->n,
                               .tree = j->tree,
                               .key = &key,
                               .unix_ms = 1700000000000ull};
    SR_TRY(pd_stream_new(&o, &s, err));
    j->length = pd_stream_length(s);
    sr_status st = read_all(j, s, err);
    pd_stream_free(s);
    for (size_t i = 0; i < j->n; i++) pd_file_close(&j->files[i]);
    return st;
}

static void decrypt(const struct job *j, struct buf *plain) {
    cleanup_secret struct sr_secret key = {0};
    struct aes_cbc aes = {0};
    size_t n;
    assert_int_equal(secret_from(j->key, 32, &key, NULL), SR_OK);
    assert_int_equal(aes_cbc_init(&aes, false, &key, j->cipher.p, NULL), SR_OK);
    uint8_t *p = buf_reserve(plain, j->cipher.n + 32);
    assert_int_equal(aes_cbc_add(&aes, slice_of(j->cipher.p + 16, j->cipher.n - 16), p, &n, NULL),
                     SR_OK);
    size_t last;
    assert_int_equal(aes_cbc_end(&aes, p + n, &last, NULL), SR_OK);
    (void)buf_grow(plain, n + last);
    aes_cbc_drop(&aes);
}

static void same_content(const struct zip_reader *z, const char *key, const char *path) {
    cleanup_buf struct buf want, got;
    buf_init(&want, 64u << 20);
    buf_init(&got, 64u << 20);
    const struct zip_item *item = zip_find(z, key);
    assert_non_null(item);
    assert_int_equal(item->method, ZIP_STORED);
    assert_int_equal(fs_read(path, &want, NULL), SR_OK);
    assert_int_equal(zip_extract_bytes(z, item, &got, NULL), SR_OK);
    assert_true(slice_eq(buf_slice(&want), buf_slice(&got)));
}

static void files_of_any_size_come_back_byte_by_byte(void **state) {
    (void)state;
    static const size_t sizes[] = {0,      1,      15,     16,     524236,  524237,
                                   524238, 524287, 524288, 524289, 1048500, 3000000};
    for (size_t i = 0; i < SR_ARRAY_LEN(sizes); i++) {
        cleanup_free char *a = file_of("a.bin", sizes[i], 1), *b = file_of("b.bin", 1000, 2);
        struct pd_file files[2] = {{.path = a, .key = "first", .fd = -1},
                                   {.path = b, .key = "second", .fd = -1}};
        struct job j = {.files = files, .n = 2, .keep = true};
        struct sr_err err = {0};
        struct zip_reader *z = NULL;
        cleanup_buf struct buf plain;
        buf_init(&j.cipher, 64u << 20);
        buf_init(&plain, 64u << 20);
        assert_int_equal(net_call(protect, &j, &err), SR_OK);
        assert_true(j.cipher.n == j.length);
        decrypt(&j, &plain);
        assert_int_equal(zip_open_bytes(buf_slice(&plain), NULL, &z, &err), SR_OK);
        assert_int_equal(zip_count(z), 2);
        same_content(z, "first", a);
        same_content(z, "second", b);
        zip_reader_free(z);
        buf_done(&j.cipher);
    }
}

static void an_object_comes_back_leaf_by_leaf(void **state) {
    (void)state;
    struct pd_tree t = {0};
    struct sr_err err = {0};
    assert_int_equal(
        pd_tree_of_json(SLICE_LIT("{\"a\":{\"b\":\"text\",\"c\":{}},\"n\":1.5}"), &t, &err), SR_OK);
    struct job j = {.tree = &t, .keep = true};
    struct zip_reader *z = NULL;
    cleanup_buf struct buf plain;
    buf_init(&j.cipher, 1u << 20);
    buf_init(&plain, 1u << 20);
    assert_int_equal(net_call(protect, &j, &err), SR_OK);
    assert_true(j.cipher.n == j.length);
    decrypt(&j, &plain);
    assert_int_equal(zip_open_bytes(buf_slice(&plain), NULL, &z, &err), SR_OK);
    assert_int_equal(zip_count(z), 4);
    assert_non_null(zip_find(z, "a/"));
    assert_non_null(zip_find(z, "a/b"));
    assert_non_null(zip_find(z, "a/c/"));
    assert_non_null(zip_find(z, "n"));
    zip_reader_free(z);
    buf_done(&j.cipher);
    pd_tree_done(&t);
}

static void grow(void *arg) {
    cleanup_close int fd = open(arg, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, "more", 4, NULL), SR_OK);
}

static void overwrite(void *arg) {
    cleanup_close int fd = open(arg, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "other", 5, 8000000), 5);
}

static void shrink(void *arg) {
    assert_int_equal(truncate(arg, 100), 0);
}

static void a_file_that_changes_is_noticed(void **state) {
    (void)state;
    static void (*const changes[])(void *) = {grow, overwrite, shrink};
    for (size_t i = 0; i < SR_ARRAY_LEN(changes); i++) {
        cleanup_free char *path = file_of("changing", 9000000, 3);
        struct pd_file f = {.path = path, .key = "file", .fd = -1};
        struct job j = {.files = &f, .n = 1, .meanwhile = changes[i], .arg = path};
        struct sr_err err = {0};
        assert_int_equal(net_call(protect, &j, &err), SR_E_CONFLICT);
        assert_non_null(strstr(err.what, "changed while it was read"));
        assert_true(err.hint[0] != 0);
    }
}

static void what_is_no_file_is_refused(void **state) {
    (void)state;
    struct pd_file f = {.path = folder, .key = "file", .fd = -1};
    struct job j = {.files = &f, .n = 1};
    struct sr_err err = {0};
    assert_int_equal(net_call(protect, &j, &err), SR_E_USAGE);
    pd_file_close(&f);
    struct pd_file g = {.path = "/nowhere/at/all", .key = "file", .fd = -1};
    j.files = &g;
    err = (struct sr_err){0};
    assert_int_equal(net_call(protect, &j, &err), SR_E_NOTFOUND);
    assert_non_null(strstr(err.what, "/nowhere/at/all"));
}

static void memory_does_not_grow_with_the_file(void **state) {
    (void)state;
    struct rusage before, after;
    cleanup_free char *path = path_join(folder, "large");
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 128 << 20), 0);
    (void)getrusage(RUSAGE_SELF, &before);
    struct pd_file f = {.path = path, .key = "file", .fd = -1};
    struct job j = {.files = &f, .n = 1};
    assert_int_equal(net_call(protect, &j, NULL), SR_OK);
    (void)getrusage(RUSAGE_SELF, &after);
    assert_true(j.total == j.length);
#ifndef CHECKED_BUILD
    assert_true(after.ru_maxrss - before.ru_maxrss < 8192); /* KiB */
#endif
}

static int setup(void **state) {
    (void)state;
    return mkdtemp(folder) && net_init(NULL) == SR_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    net_done();
    return fs_remove_tree(folder, NULL) == SR_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(files_of_any_size_come_back_byte_by_byte),
        cmocka_unit_test(an_object_comes_back_leaf_by_leaf),
        cmocka_unit_test(a_file_that_changes_is_noticed),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(memory_does_not_grow_with_the_file),
    };
    return cmocka_run_group_tests_name("sdk/stream", t, setup, teardown);
}
