/* SPDX-License-Identifier: Apache-2.0 */
/* The reader against the official archives, and against archives that lie. */
#include "crypto/crypto.h"
#include "zip/zip.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct json *vectors(const char *path) {
    cleanup_buf struct buf b;
    struct sr_err e = {0};
    struct json *doc = NULL;
    buf_init(&b, 4u << 20);
    assert_int_equal(fs_read(path, &b, &e), SR_OK);
    assert_int_equal(json_parse(buf_slice(&b), &doc, &e), SR_OK);
    return doc;
}

static void archives_of_the_data_protector_are_read(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors(VECTORS "/dataprotector/index.json");
    const struct json_val *c = json_first(json_get(json_root(doc), "cases"));
    size_t n = 0;
    for (; c; c = json_next(c), n++) {
        char path[512];
        struct slice file = json_text(json_get(c, "zip"));
        (void)snprintf(path, sizeof path, "%s/dataprotector/%.*s", VECTORS, (int)file.n,
                       (const char *)file.p);
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct zip_reader *r;
        assert_true(fd >= 0);
        assert_int_equal(zip_open_fd(fd, NULL, &r, NULL), SR_OK);
        const struct json_val *entries = json_get(c, "zipEntries"), *e = json_first(entries);
        assert_int_equal(zip_count(r), json_len(entries));
        for (size_t i = 0; e; e = json_next(e), i++) {
            const struct zip_item *it = zip_item_at(r, i);
            cleanup_buf struct buf data;
            struct hash want, got;
            bool dir;
            buf_init(&data, 1u << 20);
            assert_true(json_bool(json_get(e, "dir"), &dir));
            assert_true(slice_eq(it->name, json_text(json_get(e, "name"))));
            assert_int_equal(it->folder, dir);
            if (dir) continue;
            assert_int_equal(zip_extract_bytes(r, it, &data, NULL), SR_OK);
            got = sha256(buf_slice(&data));
            assert_true(json_hash(json_get(e, "sha256"), &want));
            assert_true(hash_eq(&got, &want));
        }
        zip_reader_free(r);
    }
    assert_true(n >= 14);
}

static void result_archives_of_the_official_client_are_read(void **state) {
    (void)state;
    static const char *const names[] = {"encrypted-2048", "encrypted-4096", "plain-2048",
                                        "plain-4096"};
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++) {
        char path[512];
        struct zip_reader *r;
        (void)snprintf(path, sizeof path, "%s/dataprotector/results/%s.zip", VECTORS, names[i]);
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(zip_open_fd(fd, NULL, &r, NULL), SR_OK);
        const struct zip_item *it = zip_find(r, i < 2 ? "aes-key.rsa" : "computed.json");
        assert_non_null(it);
        cleanup_buf struct buf data;
        buf_init(&data, 1u << 20);
        assert_int_equal(zip_extract_bytes(r, it, &data, NULL), SR_OK);
        if (i < 2) assert_int_equal(data.n, i ? 512 : 256);
        zip_reader_free(r);
    }
}

static sr_status into(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

/* Made by Python's zipfile: deflated, with zip64 headers, and written to a pipe (descriptors). */
static void archives_of_other_tools_are_read(void **state) {
    (void)state;
    static const char *const names[] = {"deflated", "streamed"};
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++) {
        char path[512];
        struct zip_reader *r;
        (void)snprintf(path, sizeof path, "%s/../fuzz/corpus/zip/%s", VECTORS, names[i]);
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(zip_open_fd(fd, NULL, &r, NULL), SR_OK);
        assert_int_equal(zip_count(r), i ? 1 : 3);
        for (size_t k = 0; k < zip_count(r); k++) {
            cleanup_buf struct buf data;
            buf_init(&data, 1u << 20);
            assert_int_equal(zip_extract_bytes(r, zip_item_at(r, k), &data, NULL), SR_OK);
        }
        zip_reader_free(r);
    }
}

/* Two entries, stored and deflated, the second with a descriptor. */
static void sample(struct buf *out) {
    struct zip_writer *w;
    buf_init(out, 1u << 20);
    assert_int_equal(zip_writer_new(into, out, 0, &w, NULL), SR_OK);
    assert_int_equal(zip_file(w, SLICE_LIT("one"), ZIP_STORED, SLICE_LIT("first file"), NULL),
                     SR_OK);
    assert_int_equal(zip_file(w, SLICE_LIT("two/x"), ZIP_DEFLATED,
                              SLICE_LIT("second second second second"), NULL),
                     SR_OK);
    assert_int_equal(zip_finish(w, NULL), SR_OK);
    zip_writer_free(w);
}

/* Opens and unpacks everything. */
static sr_status read_all(struct slice bytes, const struct zip_limits *limits) {
    struct zip_reader *r;
    SR_TRY(zip_open_bytes(bytes, limits, &r, NULL));
    sr_status st = SR_OK;
    for (size_t i = 0; i < zip_count(r) && st == SR_OK; i++) {
        cleanup_buf struct buf data;
        buf_init(&data, 1u << 20);
        st = zip_extract_bytes(r, zip_item_at(r, i), &data, NULL);
    }
    zip_reader_free(r);
    return st;
}

static void truncated_at_every_length_fails(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    sample(&b);
    assert_int_equal(read_all(buf_slice(&b), NULL), SR_OK);
    for (size_t cut = 0; cut < b.n; cut++) {
        assert_int_equal(read_all(slice_of(b.p, cut), NULL), SR_E_MALFORMED);
        assert_int_equal(read_all(slice_of(b.p + b.n - cut, cut), NULL), SR_E_MALFORMED);
    }
}

static void one_changed_byte_never_changes_what_is_read(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    sample(&b);
    for (size_t i = 0; i < b.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct zip_reader *r;
            b.p[i] ^= (uint8_t)(1u << bit);
            if (zip_open_bytes(buf_slice(&b), NULL, &r, NULL) == SR_OK) {
                for (size_t k = 0; k < zip_count(r); k++) {
                    cleanup_buf struct buf data;
                    buf_init(&data, 1u << 20);
                    if (zip_extract_bytes(r, zip_item_at(r, k), &data, NULL) != SR_OK) continue;
                    assert_true(slice_is(buf_slice(&data), "first file") ||
                                slice_is(buf_slice(&data), "second second second second"));
                }
                zip_reader_free(r);
            }
            b.p[i] ^= (uint8_t)(1u << bit);
        }
    }
}

static void bytes_before_between_or_after_are_refused(void **state) {
    (void)state;
    cleanup_buf struct buf b, x;
    sample(&b);
    buf_init(&x, 1u << 20);
    buf_put(&x, "junk", 4);
    buf_add(&x, buf_slice(&b));
    assert_int_equal(read_all(buf_slice(&x), NULL), SR_E_MALFORMED);
    buf_clear(&x);
    buf_add(&x, buf_slice(&b));
    buf_put(&x, "junk", 4);
    assert_int_equal(read_all(buf_slice(&x), NULL), SR_E_MALFORMED);
}

/* The smallest archives that lie, written by hand: one or two entries over the same bytes. */
static void put(struct buf *b, uint64_t v, size_t n) {
    for (size_t i = 0; i < n; i++) buf_u8(b, (uint8_t)(v >> (8 * i)));
}
static void local(struct buf *b, const char *name, const char *data) {
    struct slice s = slice_str(data);
    put(b, 0x04034b50, 4);
    put(b, 10, 2);
    put(b, 0, 2);
    put(b, 0, 2);
    put(b, 0, 4);
    put(b, zip_crc32(0, s), 4);
    put(b, s.n, 4);
    put(b, s.n, 4);
    put(b, strlen(name), 2);
    put(b, 0, 2);
    buf_str(b, name);
    buf_add(b, s);
}
static void central(struct buf *b, const char *name, const char *data, size_t at, uint32_t mode) {
    struct slice s = slice_str(data);
    put(b, 0x02014b50, 4);
    put(b, 0x0314, 2);
    put(b, 10, 2);
    put(b, 0, 2);
    put(b, 0, 2);
    put(b, 0, 4);
    put(b, zip_crc32(0, s), 4);
    put(b, s.n, 4);
    put(b, s.n, 4);
    put(b, strlen(name), 2);
    put(b, 0, 8);
    put(b, (uint64_t)mode << 16, 4);
    put(b, at, 4);
    buf_str(b, name);
}
static void finish(struct buf *b, size_t dir, size_t n) {
    size_t len = b->n - dir;
    put(b, 0x06054b50, 4);
    put(b, 0, 4);
    put(b, n, 2);
    put(b, n, 2);
    put(b, len, 4);
    put(b, dir, 4);
    put(b, 0, 2);
}

static sr_status pair(const char *name1, const char *name2, bool overlap, uint32_t mode) {
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    local(&b, name1, "x");
    size_t second = overlap ? 0 : b.n;
    if (!overlap) local(&b, name2, "y");
    size_t dir = b.n;
    central(&b, name1, "x", 0, 0100644);
    central(&b, name2, overlap ? "x" : "y", second, mode);
    finish(&b, dir, 2);
    return read_all(buf_slice(&b), NULL);
}

static void names_used_twice_and_overlaps_are_refused(void **state) {
    (void)state;
    assert_int_equal(pair("a", "b", false, 0100644), SR_OK);
    assert_int_equal(pair("a", "a", false, 0100644), SR_E_MALFORMED);
    assert_int_equal(pair("a", "a/b", false, 0100644), SR_E_MALFORMED);
    assert_int_equal(pair("a/b", "a", false, 0100644), SR_E_MALFORMED);
    assert_int_equal(pair("a", "a-b", false, 0100644), SR_OK);
    assert_int_equal(pair("a", "a", true, 0100644), SR_E_MALFORMED);
    assert_int_equal(pair("a", "../b", false, 0100644), SR_E_MALFORMED);
    assert_int_equal(pair("a", "/b", false, 0100644), SR_E_MALFORMED);
    assert_int_equal(pair("a", "b\\c", false, 0100644), SR_E_MALFORMED);
    assert_int_equal(pair("a", "b", false, 0120777), SR_E_MALFORMED); /* a symbolic link */
}

static void limits_hold(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    sample(&b);
    const struct zip_limits fits = {2, 27, 37};
    const struct zip_limits count = {1, 0, 0}, one = {0, 26, 0}, all = {0, 0, 36};
    assert_int_equal(read_all(buf_slice(&b), &fits), SR_OK);
    assert_int_equal(read_all(buf_slice(&b), &count), SR_E_TOOBIG);
    assert_int_equal(read_all(buf_slice(&b), &one), SR_E_TOOBIG);
    assert_int_equal(read_all(buf_slice(&b), &all), SR_E_TOOBIG);
}

static void an_entry_longer_than_it_says_stops_at_its_size(void **state) {
    (void)state;
    static uint8_t zeros[1u << 20];
    cleanup_buf struct buf b;
    struct zip_writer *w;
    struct zip_reader *r;
    buf_init(&b, 2u << 20);
    assert_int_equal(zip_writer_new(into, &b, 0, &w, NULL), SR_OK);
    assert_int_equal(zip_file(w, SLICE_LIT("z"), ZIP_DEFLATED, slice_of(zeros, sizeof zeros), NULL),
                     SR_OK);
    assert_int_equal(zip_finish(w, NULL), SR_OK);
    zip_writer_free(w);
    uint8_t *size = b.p + b.n - ZIP_END_BYTES - 46 - 1 + 24; /* in the directory */
    assert_int_equal(size[2], 0x10);
    size[2] = 0x01;
    assert_int_equal(zip_open_bytes(buf_slice(&b), NULL, &r, NULL), SR_OK);
    cleanup_buf struct buf data;
    buf_init(&data, 2u << 20);
    assert_int_equal(zip_extract_bytes(r, zip_item_at(r, 0), &data, NULL), SR_E_MALFORMED);
    assert_true(data.n <= 0x10000);
    zip_reader_free(r);
}

static sr_status to_fd(void *arg, struct slice s, struct sr_err *err) {
    return fd_write_all(*(int *)arg, s.p, s.n, err);
}

static void a_file_cut_while_it_is_read_fails_cleanly(void **state) {
    (void)state;
    cleanup_close int fd = memfd_create("zip", MFD_CLOEXEC);
    struct zip_writer *w;
    struct zip_reader *r;
    assert_true(fd >= 0);
    assert_int_equal(zip_writer_new(to_fd, &fd, 0, &w, NULL), SR_OK);
    assert_int_equal(zip_file(w, SLICE_LIT("a"), ZIP_STORED, SLICE_LIT("0123456789"), NULL), SR_OK);
    assert_int_equal(zip_finish(w, NULL), SR_OK);
    zip_writer_free(w);
    assert_int_equal(zip_open_fd(fd, NULL, &r, NULL), SR_OK);
    assert_int_equal(ftruncate(fd, 35), 0);
    cleanup_buf struct buf data;
    buf_init(&data, 100);
    assert_int_equal(zip_extract_bytes(r, zip_find(r, "a"), &data, NULL), SR_E_MALFORMED);
    zip_reader_free(r);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(archives_of_the_data_protector_are_read),
        cmocka_unit_test(result_archives_of_the_official_client_are_read),
        cmocka_unit_test(archives_of_other_tools_are_read),
        cmocka_unit_test(truncated_at_every_length_fails),
        cmocka_unit_test(one_changed_byte_never_changes_what_is_read),
        cmocka_unit_test(bytes_before_between_or_after_are_refused),
        cmocka_unit_test(names_used_twice_and_overlaps_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(an_entry_longer_than_it_says_stops_at_its_size),
        cmocka_unit_test(a_file_cut_while_it_is_read_fails_cleanly),
    };
    return cmocka_run_group_tests_name("zip/read", t, NULL, NULL);
}
