/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted results of the official client, decrypted; unpacking that harms nothing. */
#include "sdk/sdk_int.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_sdk_result_XXXXXX";

static struct json *vectors(void) {
    cleanup_buf struct buf b;
    struct json *doc = NULL;
    buf_init(&b, 1u << 20);
    assert_int_equal(fs_read(VECTORS "/dataprotector/result-encryption.json", &b, NULL), SR_OK);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    return doc;
}

static int open_result(const char *kind, uint64_t bits) {
    char path[512];
    (void)snprintf(path, sizeof path, VECTORS "/dataprotector/results/%s-%u.zip", kind,
                   (unsigned)bits);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void results_of_the_official_client_are_decrypted(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors();
    size_t checked = 0;
    for (const struct json_val *v = json_first(json_get(json_root(doc), "samples")); v;
         v = json_next(v)) {
        uint64_t bits;
        struct zip_reader *outer = NULL;
        struct sr_err err = {0};
        cleanup_buf struct buf want, got;
        buf_init(&want, 1u << 20);
        buf_init(&got, 1u << 20);
        assert_true(json_u64(json_get(v, "rsaBits"), &bits));
        cleanup_close int in = open_result("encrypted", bits), plain = -1;
        assert_int_equal(zip_open_fd(in, NULL, &outer, &err), SR_OK);
        assert_int_equal(sdk_temp_file(folder, &plain, &err), SR_OK);
        assert_int_equal(
            sdk_decrypt_result(outer, json_text(json_get(v, "privateKeyPem")), plain, &err), SR_OK);
        zip_reader_free(outer);
        char path[512];
        (void)snprintf(path, sizeof path, VECTORS "/dataprotector/results/plain-%u.zip",
                       (unsigned)bits);
        assert_int_equal(fs_read(path, &want, NULL), SR_OK);
        uint8_t *p = buf_grow(&got, want.n);
        assert_int_equal(pread(plain, p, want.n + 1 - 1, 0), (ssize_t)want.n);
        assert_true(slice_eq(buf_slice(&want), buf_slice(&got)));
        checked++;
    }
    assert_int_equal(checked, 2);
}

static void another_key_does_not_decrypt(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors();
    const struct json_val *first = json_at(json_get(json_root(doc), "samples"), 0);
    struct zip_reader *outer = NULL;
    struct sr_err err = {0};
    uint64_t bits;
    cleanup_buf struct buf secret, public;
    buf_init(&secret, 16384);
    buf_init(&public, 4096);
    assert_true(json_u64(json_get(first, "rsaBits"), &bits));
    assert_int_equal(rsa_generate(2048, &secret, &public, NULL), SR_OK);
    cleanup_close int in = open_result("encrypted", bits), plain = -1;
    assert_int_equal(zip_open_fd(in, NULL, &outer, &err), SR_OK);
    assert_int_equal(sdk_temp_file(folder, &plain, &err), SR_OK);
    assert_int_equal(sdk_decrypt_result(outer, buf_slice(&secret), plain, &err), SR_E_CRYPTO);
    assert_string_equal(err.what, "Failed to decrypt results key with beneficiary key");
    assert_true(err.hint[0] != 0);
    zip_reader_free(outer);
}

static sr_status append(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

static int archive(const char *const *names, size_t n) {
    cleanup_buf struct buf b;
    struct zip_writer *w = NULL;
    int fd = -1;
    buf_init(&b, 1u << 20);
    assert_int_equal(zip_writer_new(append, &b, 0, &w, NULL), SR_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(zip_file(w, slice_str(names[i]), ZIP_DEFLATED, slice_str(names[i]), NULL),
                         SR_OK);
    assert_int_equal(zip_finish(w, NULL), SR_OK);
    zip_writer_free(w);
    assert_int_equal(sdk_temp_file(folder, &fd, NULL), SR_OK);
    assert_int_equal(fd_write_all(fd, b.p, b.n, NULL), SR_OK);
    return fd;
}

static void results_are_unpacked_with_their_folders(void **state) {
    (void)state;
    static const char *const names[] = {"computed.json", "a/b/c.txt", "a/d.txt"};
    cleanup_close int fd = archive(names, 3);
    cleanup_free char *out = path_join(folder, "out1"), *deep = path_join(out, "a/b/c.txt");
    size_t files = 0;
    uint64_t bytes = 0;
    struct stat st;
    assert_int_equal(mkdir(out, 0700), 0);
    assert_int_equal(sdk_unpack(fd, out, 0, &files, &bytes, NULL), SR_OK);
    assert_int_equal(files, 3);
    assert_int_equal(bytes, 13 + 9 + 7);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void nothing_is_overwritten(void **state) {
    (void)state;
    static const char *const names[] = {"new.txt", "old.txt"};
    cleanup_close int fd = archive(names, 2);
    cleanup_free char *out = path_join(folder, "out2"), *old = path_join(out, "old.txt"),
                      *new = path_join(out, "new.txt");
    size_t files = 0;
    uint64_t bytes = 0;
    struct sr_err err = {0};
    assert_int_equal(mkdir(out, 0700), 0);
    assert_int_equal(fs_write_atomic(old, SLICE_LIT("mine"), 0600, NULL), SR_OK);
    assert_int_equal(sdk_unpack(fd, out, 0, &files, &bytes, &err), SR_E_CONFLICT);
    assert_false(fs_exists(new));
    assert_non_null(strstr(err.what, "old.txt"));
}

static void a_link_in_the_folder_is_not_followed(void **state) {
    (void)state;
    static const char *const names[] = {"sub/file.txt"};
    cleanup_close int fd = archive(names, 1);
    cleanup_free char *out = path_join(folder, "out3"), *aside = path_join(folder, "aside"),
                      *link = path_join(out, "sub"), *harm = path_join(aside, "file.txt");
    size_t files = 0;
    uint64_t bytes = 0;
    assert_int_equal(mkdir(out, 0700), 0);
    assert_int_equal(mkdir(aside, 0700), 0);
    assert_int_equal(symlink(aside, link), 0);
    assert_int_equal(sdk_unpack(fd, out, 0, &files, &bytes, NULL), SR_E_SYS);
    assert_false(fs_exists(harm));
}

static void an_archive_of_more_than_there_is_room_for_writes_nothing(void **state) {
    (void)state;
    static const char *const names[] = {"first.txt", "second.txt"};
    cleanup_close int fd = archive(names, 2);
    cleanup_free char *out = path_join(folder, "out4"), *first = path_join(out, "first.txt");
    size_t files = 0;
    uint64_t bytes = 0;
    struct sr_err err = {0};
    assert_int_equal(mkdir(out, 0700), 0);
    assert_int_equal(sdk_unpack(fd, out, 18, &files, &bytes, &err), SR_E_TOOBIG);
    assert_true(err.hint[0] != 0);
    assert_false(fs_exists(first));
    assert_int_equal(sdk_unpack(fd, out, 19, &files, &bytes, &err), SR_OK);
}

static void a_result_lies_at_the_name_of_its_content_only(void **state) {
    (void)state;
    static const char *const odd[] = {
        "",
        "/ipfs/",
        "/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG/readme",
        "/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbd",
        "/ipfs/../api/v0/id",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG",
        "/p2p/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG",
        "http://127.0.0.1:1/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG",
        "https://example.org/result.zip",
        "file:///etc/passwd",
        "dropbox",
    };
    struct cid cid;
    struct sr_err err = {0};
    assert_int_equal(
        sdk_result_location(SLICE_LIT("/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG"), &cid,
                            &err),
        SR_OK);
    assert_int_equal(
        sdk_result_location(
            SLICE_LIT("/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"), &cid,
            &err),
        SR_OK);
    for (size_t i = 0; i < SR_ARRAY_LEN(odd); i++) {
        struct sr_err e = {0};
        assert_int_equal(sdk_result_location(slice_str(odd[i]), &cid, &e), SR_E_REFUSED);
        assert_true(e.hint[0] != 0);
    }
}

static int setup(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    return fs_remove_tree(folder, NULL) == SR_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(results_of_the_official_client_are_decrypted),
        cmocka_unit_test(another_key_does_not_decrypt),
        cmocka_unit_test(results_are_unpacked_with_their_folders),
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(a_link_in_the_folder_is_not_followed),
        cmocka_unit_test(a_result_lies_at_the_name_of_its_content_only),
        cmocka_unit_test(an_archive_of_more_than_there_is_room_for_writes_nothing),
    };
    return cmocka_run_group_tests_name("sdk/result", t, setup, teardown);
}
