/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer makes: read back by our reader, and byte for byte what the npm client makes. */
#include "zip/zip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static sr_status into(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

static uint32_t le(const uint8_t *p, size_t n) {
    uint32_t v = 0;
    while (n-- > 0) v = v << 8 | p[n];
    return v;
}

/* The archive's own time, as milliseconds, so that the writer can be asked for the same. */
static uint64_t time_of(const uint8_t *local) {
    uint32_t t = le(local + 10, 2), d = le(local + 12, 2);
    static const unsigned before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    uint64_t y = 1980 + (d >> 9), m = d >> 5 & 15, day = d & 31;
    uint64_t days = (y - 1970) * 365 + (y - 1969) / 4 + before[m - 1] + day - 1;
    if (m > 2 && y % 4 == 0) days++;
    return (days * 86400 + (uint64_t)(t >> 11) * 3600 + (t >> 5 & 63) * 60 + (t & 31) * 2) * 1000;
}

static void archives_of_the_data_protector_are_made_again_byte_for_byte(void **state) {
    (void)state;
    static const char *const names[] = {
        "strings", "numbers", "bigints",      "bools",    "nested",      "mimes",      "mail",
        "content", "climate", "empty-object", "telegram", "hello-world", "big-binary", "legacy-v0"};
    for (size_t k = 0; k < SR_ARRAY_LEN(names); k++) {
        char path[256];
        cleanup_buf struct buf file, out;
        struct zip_reader *r;
        struct zip_writer *w;
        uint64_t expect = ZIP_END_BYTES;
        buf_init(&file, 4u << 20);
        buf_init(&out, 4u << 20);
        (void)snprintf(path, sizeof path, "%s/dataprotector/zips/%s.zip", VECTORS, names[k]);
        assert_int_equal(fs_read(path, &file, NULL), SR_OK);
        assert_int_equal(zip_open_bytes(buf_slice(&file), NULL, &r, NULL), SR_OK);
        assert_int_equal(zip_writer_new(into, &out, zip_count(r) ? time_of(file.p) : 0, &w, NULL),
                         SR_OK);
        for (size_t i = 0; i < zip_count(r); i++) {
            const struct zip_item *it = zip_item_at(r, i);
            cleanup_buf struct buf data;
            buf_init(&data, 4u << 20);
            assert_int_equal(zip_extract_bytes(r, it, &data, NULL), SR_OK);
            if (it->folder)
                assert_int_equal(zip_folder(w, it->name, NULL), SR_OK);
            else
                assert_int_equal(zip_file(w, it->name, ZIP_STORED, buf_slice(&data), NULL), SR_OK);
            expect += zip_stored_bytes(it->name) + it->size;
        }
        assert_int_equal(zip_finish(w, NULL), SR_OK);
        assert_true(slice_eq(buf_slice(&file), buf_slice(&out)));
        assert_int_equal(out.n, expect);
        zip_writer_free(w);
        zip_reader_free(r);
    }
}

static uint32_t plain_crc(uint32_t crc, const uint8_t *p, size_t n) {
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void checksums_of_all_lengths_and_places_are_right(void **state) {
    (void)state;
    uint8_t p[1200];
    uint32_t seed = 77, crc = 0;
    for (size_t i = 0; i < sizeof p; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
    assert_int_equal(zip_crc32(0, SLICE_LIT("123456789")), 0xcbf43926u);
    assert_int_equal(zip_crc32(5, slice_of(NULL, 0)), 5);
    for (size_t at = 0; at < 18; at++)
        for (size_t n = 0; n <= 1100; n += n < 300 ? 1 : 37) {
            uint32_t got = zip_crc32(crc, slice_of(p + at, n));
            assert_int_equal(got, plain_crc(crc, p + at, n));
            crc = got ^ (uint32_t)n;
        }
}

static uint8_t *noise(size_t n) {
    uint32_t seed = 1;
    uint8_t *p = malloc(n + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(i < n / 2 ? seed >> 24 : 'a');
    }
    return p;
}

static void streamed_entries_of_both_methods_come_back(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 65535, 65536, 300000};
    for (int big = 0; big < 2; big++) { /* with and without the zip64 form */
        cleanup_buf struct buf out;
        struct zip_writer *w;
        struct zip_reader *r;
        buf_init(&out, 4u << 20);
        assert_int_equal(zip_writer_new(into, &out, 0, &w, NULL), SR_OK);
        for (size_t i = 0; i < 2 * SR_ARRAY_LEN(sizes); i++) {
            char name[32];
            size_t n = sizes[i / 2];
            cleanup_free uint8_t *p = noise(n);
            (void)snprintf(name, sizeof name, "d\xc3\xa9/%zu", i);
            assert_int_equal(zip_begin(w, slice_str(name), i % 2 ? ZIP_DEFLATED : ZIP_STORED, NULL,
                                       big ? UINT64_MAX : n, NULL),
                             SR_OK);
            for (size_t at = 0; at < n; at += 9973)
                assert_int_equal(
                    zip_write(w, slice_of(p + at, n - at < 9973 ? n - at : 9973), NULL), SR_OK);
            assert_int_equal(zip_end(w, NULL), SR_OK);
        }
        assert_int_equal(zip_finish(w, NULL), SR_OK);
        zip_writer_free(w);
        assert_int_equal(zip_open_bytes(buf_slice(&out), NULL, &r, NULL), SR_OK);
        assert_int_equal(zip_count(r), 2 * SR_ARRAY_LEN(sizes));
        for (size_t i = 0; i < zip_count(r); i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "d\xc3\xa9/%zu", i);
            const struct zip_item *it = zip_find(r, name);
            size_t n = sizes[i / 2];
            cleanup_free uint8_t *p = noise(n);
            cleanup_buf struct buf data;
            buf_init(&data, n + 1);
            assert_non_null(it);
            assert_int_equal(it->size, n);
            assert_int_equal(zip_extract_bytes(r, it, &data, NULL), SR_OK);
            assert_true(slice_eq(buf_slice(&data), slice_of(p, n)));
        }
        zip_reader_free(r);
    }
}

static void content_other_than_announced_is_refused(void **state) {
    (void)state;
    const struct zip_known known = {5, zip_crc32(0, SLICE_LIT("hello"))};
    static const char *const bad[] = {"hell", "hello!", "hellO", ""};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        cleanup_buf struct buf out;
        struct zip_writer *w;
        struct sr_err e = {0};
        buf_init(&out, 4096);
        assert_int_equal(zip_writer_new(into, &out, 0, &w, NULL), SR_OK);
        assert_int_equal(zip_begin(w, SLICE_LIT("f"), ZIP_STORED, &known, 0, NULL), SR_OK);
        sr_status st = zip_write(w, slice_str(bad[i]), &e);
        if (st == SR_OK) st = zip_end(w, &e);
        assert_int_equal(st, SR_E_CONFLICT);
        assert_true(e.hint[0] != 0);
        assert_int_equal(zip_finish(w, NULL), SR_E_USAGE); /* nothing goes on after that */
        zip_writer_free(w);
    }
}

static void names_that_leave_the_folder_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",       "/a", "a//b", "../a", "a/..",
                                      "a/../b", ".",  "./a",  "a\\b", "a/"};
    cleanup_buf struct buf out;
    struct zip_writer *w;
    buf_init(&out, 4096);
    assert_int_equal(zip_writer_new(into, &out, 0, &w, NULL), SR_OK);
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        assert_int_equal(zip_begin(w, slice_str(bad[i]), ZIP_DEFLATED, NULL, 0, NULL),
                         SR_E_MALFORMED);
    assert_int_equal(zip_begin(w, slice_of("a\0b", 3), ZIP_DEFLATED, NULL, 0, NULL),
                     SR_E_MALFORMED);
    assert_int_equal(zip_folder(w, SLICE_LIT("a"), NULL), SR_E_MALFORMED);
    assert_int_equal(zip_folder(w, SLICE_LIT("/"), NULL), SR_E_MALFORMED);
    zip_writer_free(w);
}

static void calls_out_of_order_are_refused(void **state) {
    (void)state;
    cleanup_buf struct buf out;
    struct zip_writer *w;
    buf_init(&out, 4096);
    assert_int_equal(zip_writer_new(into, &out, 0, &w, NULL), SR_OK);
    assert_int_equal(zip_write(w, SLICE_LIT("x"), NULL), SR_E_USAGE);
    assert_int_equal(zip_end(w, NULL), SR_E_USAGE);
    assert_int_equal(zip_begin(w, SLICE_LIT("a"), ZIP_STORED, NULL, 0, NULL), SR_OK);
    assert_int_equal(zip_begin(w, SLICE_LIT("b"), ZIP_STORED, NULL, 0, NULL), SR_E_USAGE);
    assert_int_equal(zip_finish(w, NULL), SR_E_USAGE);
    assert_int_equal(zip_end(w, NULL), SR_OK);
    assert_int_equal(zip_finish(w, NULL), SR_OK);
    assert_int_equal(zip_finish(w, NULL), SR_E_USAGE);
    zip_writer_free(w);
}

/* A sink that counts, and keeps the last bytes only: the archive is never in memory. */
struct tail {
    uint64_t n;
    uint8_t last[4096];
};
static sr_status keep_tail(void *arg, struct slice s, struct sr_err *err) {
    struct tail *t = arg;
    (void)err;
    t->n += s.n;
    if (s.n >= sizeof t->last) {
        memcpy(t->last, s.p + s.n - sizeof t->last, sizeof t->last);
    } else {
        memmove(t->last, t->last + s.n, sizeof t->last - s.n);
        memcpy(t->last + sizeof t->last - s.n, s.p, s.n);
    }
    return SR_OK;
}

static void entries_beyond_4_gib_use_zip64(void **state) {
    (void)state;
    static uint8_t zeros[8u << 20];
    struct tail *t = calloc(1, sizeof *t);
    struct zip_writer *w;
    const uint64_t pieces = 513; /* 4 GiB and 8 MiB */
    assert_non_null(t);
    assert_int_equal(zip_writer_new(keep_tail, t, 0, &w, NULL), SR_OK);
    assert_int_equal(zip_begin(w, SLICE_LIT("big"), ZIP_STORED, NULL, UINT64_MAX, NULL), SR_OK);
    for (uint64_t i = 0; i < pieces; i++)
        assert_int_equal(zip_write(w, slice_of(zeros, sizeof zeros), NULL), SR_OK);
    assert_int_equal(zip_end(w, NULL), SR_OK);
    uint64_t second = t->n;
    assert_int_equal(zip_file(w, SLICE_LIT("far"), ZIP_STORED, SLICE_LIT("x"), NULL), SR_OK);
    uint64_t dir = t->n;
    assert_int_equal(zip_finish(w, NULL), SR_OK);
    const uint8_t *end = t->last + sizeof t->last - ZIP_END_BYTES;
    struct rd r = rd_of(slice_of(end - 20 - 56, 56));
    assert_int_equal(rd_u32le(&r), 0x06064b50);
    (void)rd_take(&r, 8 + 4 + 8);
    assert_int_equal(rd_u64le(&r), 2);
    assert_int_equal(rd_u64le(&r), 2);
    uint64_t dir_n = rd_u64le(&r);
    assert_int_equal(rd_u64le(&r), dir);
    assert_int_equal(dir + dir_n + 56 + 20 + ZIP_END_BYTES, t->n);
    r = rd_of(slice_of(end - 20 - 56 - dir_n, dir_n)); /* first entry: sizes in its extra field */
    (void)rd_take(&r, 46 + 3 + 4);
    assert_int_equal(rd_u64le(&r), pieces * sizeof zeros);
    assert_int_equal(rd_u64le(&r), pieces * sizeof zeros);
    (void)rd_take(&r, 46 + 3 + 4); /* second: its place */
    assert_int_equal(rd_u64le(&r), second);
    assert_true(rd_done(&r));
    zip_writer_free(w);
    free(t);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(archives_of_the_data_protector_are_made_again_byte_for_byte),
        cmocka_unit_test(checksums_of_all_lengths_and_places_are_right),
        cmocka_unit_test(streamed_entries_of_both_methods_come_back),
        cmocka_unit_test(content_other_than_announced_is_refused),
        cmocka_unit_test(names_that_leave_the_folder_are_refused),
        cmocka_unit_test(calls_out_of_order_are_refused),
        cmocka_unit_test(entries_beyond_4_gib_use_zip64),
    };
    return cmocka_run_group_tests_name("zip/write", t, NULL, NULL);
}
