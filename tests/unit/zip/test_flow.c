/* SPDX-License-Identifier: Apache-2.0 */
/* Archives unpacked as they come give what the reader of whole archives gives, or nothing. */
#include "zip/zip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MOST 300000u

struct got {
    struct buf names, data; /* one line a name; all entries' bytes */
    size_t begun, ended;
};

static sr_status on_begin(void *arg, struct slice name, struct sr_err *err) {
    struct got *g = arg;
    g->begun++;
    buf_add(&g->names, name);
    buf_u8(&g->names, '\n');
    return buf_status(&g->names, err);
}
static sr_status on_data(void *arg, struct slice data, struct sr_err *err) {
    struct got *g = arg;
    assert_true(data.n > 0 && g->begun == g->ended + 1);
    buf_add(&g->data, data);
    return buf_status(&g->data, err);
}
static sr_status on_end(void *arg, struct sr_err *err) {
    (void)err;
    ((struct got *)arg)->ended++;
    return SR_OK;
}

static bool known_otherwise; /* flow: by a stronger sum */

static sr_status flow(struct slice in, size_t step, uint64_t total, struct got *g,
                      struct sr_err *err) {
    static const struct zip_flow_ops ops = {on_begin, on_data, on_end};
    const struct zip_reader *r = NULL;
    struct zip_flow *f;
    *g = (struct got){0};
    buf_init(&g->names, 65536);
    buf_init(&g->data, 4 * MOST);
    assert_int_equal(zip_flow_new(&ops, g, total, &f, NULL), SR_OK);
    if (known_otherwise) zip_flow_known(f);
    sr_status st = SR_OK;
    for (size_t at = 0; at < in.n && st == SR_OK; at += step)
        st = zip_flow_add(f, slice_of(in.p + at, in.n - at < step ? in.n - at : step), err);
    if (st == SR_OK) st = zip_flow_end(f, NULL, &r, err);
    if (st == SR_OK) assert_int_equal(zip_count(r), g->begun);
    if (st == SR_OK) assert_int_equal(g->ended, g->begun);
    zip_flow_free(f);
    return st;
}

static void got_done(struct got *g) {
    buf_done(&g->names);
    buf_done(&g->data);
}

static sr_status append(void *arg, struct slice data, struct sr_err *err) {
    buf_add(arg, data);
    return buf_status(arg, err);
}

/* The reader of whole archives must agree with what came in passing. */
static void same_as_whole(struct slice in, const struct got *g) {
    struct zip_reader *r;
    cleanup_buf struct buf names = {0}, data = {0};
    buf_init(&names, 65536);
    buf_init(&data, 4 * MOST);
    assert_int_equal(zip_open_bytes(in, NULL, &r, NULL), SR_OK);
    for (size_t i = 0; i < zip_count(r); i++) {
        const struct zip_item *it = zip_item_at(r, i);
        buf_add(&names, it->name);
        buf_u8(&names, '\n');
        assert_int_equal(zip_extract(r, it, append, &data, NULL), SR_OK);
    }
    zip_reader_free(r);
    assert_true(slice_eq(buf_slice(&names), buf_slice(&g->names)));
    assert_true(slice_eq(buf_slice(&data), buf_slice(&g->data)));
}

/* kind: how the last entry is made; 0 stored, 1 deflated, 2 stored with its length after it */
static void make(struct buf *ret, int kind, size_t big) {
    struct zip_writer *w;
    cleanup_free uint8_t *p = malloc(MOST);
    assert_non_null(p);
    for (size_t i = 0; i < MOST; i++) p[i] = (uint8_t)(i * 2654435761u >> 11);
    buf_init(ret, 8 * MOST);
    assert_int_equal(zip_writer_new(append, ret, 0, &w, NULL), SR_OK);
    assert_int_equal(zip_folder(w, SLICE_LIT("a/"), NULL), SR_OK);
    assert_int_equal(zip_file(w, SLICE_LIT("a/one"), ZIP_STORED, SLICE_LIT("first"), NULL), SR_OK);
    assert_int_equal(zip_file(w, SLICE_LIT("empty"), ZIP_STORED, SLICE_LIT(""), NULL), SR_OK);
    assert_int_equal(zip_file(w, SLICE_LIT("thin"), ZIP_DEFLATED, SLICE_LIT(""), NULL), SR_OK);
    assert_int_equal(zip_file(w, SLICE_LIT("zeros"), ZIP_DEFLATED, slice_of(p, 70000), NULL),
                     SR_OK);
    assert_int_equal(zip_begin(w, SLICE_LIT("far"), ZIP_DEFLATED, NULL, UINT64_MAX, NULL), SR_OK);
    assert_int_equal(zip_write(w, slice_of(p, 1000), NULL), SR_OK);
    assert_int_equal(zip_end(w, NULL), SR_OK);
    struct zip_known known = {big, zip_crc32(0, slice_of(p, big))};
    assert_int_equal(zip_begin(w, SLICE_LIT("last"), kind == 1 ? ZIP_DEFLATED : ZIP_STORED,
                               kind == 0 ? &known : NULL, big, NULL),
                     SR_OK);
    assert_int_equal(zip_write(w, slice_of(p, big), NULL), SR_OK);
    assert_int_equal(zip_end(w, NULL), SR_OK);
    assert_int_equal(zip_finish(w, NULL), SR_OK);
    zip_writer_free(w);
}

static void what_comes_equals_what_is_kept(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 65536, MOST}, steps[] = {1, 29, 4096, 1u << 20};
    for (int kind = 0; kind < 3; kind++)
        for (size_t i = 0; i < SR_ARRAY_LEN(sizes); i++) {
            cleanup_buf struct buf b = {0};
            make(&b, kind, sizes[i]);
            for (size_t k = sizes[i] > 1 ? 1 : 0; k < SR_ARRAY_LEN(steps); k++) {
                struct got g;
                struct sr_err err = {0};
                assert_int_equal(flow(buf_slice(&b), steps[k], b.n, &g, &err), SR_OK);
                same_as_whole(buf_slice(&b), &g);
                got_done(&g);
            }
        }
}

static void a_known_archive_comes_the_same_and_its_data_is_not_summed(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        cleanup_buf struct buf b = {0};
        struct got g;
        make(&b, kind, 65536);
        known_otherwise = true;
        assert_int_equal(flow(buf_slice(&b), 4096, b.n, &g, NULL), SR_OK);
        same_as_whole(buf_slice(&b), &g);
        got_done(&g);
        if (kind != 1) {
            uint8_t *last = memmem(b.p, b.n, "last", 4);
            assert_non_null(last);
            last[100] ^= 1; /* within the stored data */
            assert_int_equal(flow(buf_slice(&b), 4096, b.n, &g, NULL), SR_OK);
            got_done(&g);
            known_otherwise = false;
            assert_int_equal(flow(buf_slice(&b), 4096, b.n, &g, NULL), SR_E_MALFORMED);
            got_done(&g);
        }
        known_otherwise = false;
    }
}

static void an_entry_without_a_length_needs_the_total(void **state) {
    (void)state;
    cleanup_buf struct buf b = {0};
    struct got g;
    make(&b, 2, 1000);
    assert_int_equal(flow(buf_slice(&b), 4096, UINT64_MAX, &g, NULL), SR_E_MALFORMED);
    got_done(&g);
    buf_done(&b);
    make(&b, 1, 1000);
    assert_int_equal(flow(buf_slice(&b), 4096, UINT64_MAX, &g, NULL), SR_OK);
    got_done(&g);
}

static void a_cut_archive_is_refused_wherever_it_is_cut(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        cleanup_buf struct buf b = {0};
        make(&b, kind, 100);
        for (size_t n = 0; n < b.n; n += n + 2000 < b.n ? 97 : 1) {
            struct got g;
            assert_int_equal(flow(slice_of(b.p, n), 512, n, &g, NULL), SR_E_MALFORMED);
            got_done(&g);
        }
    }
}

/* Any changed byte: refused, or read as the strict reader reads it. */
static void a_changed_archive_never_reads_in_two_ways(void **state) {
    (void)state;
    size_t read = 0;
    for (int kind = 0; kind < 3; kind++) {
        cleanup_buf struct buf b = {0};
        make(&b, kind, 100);
        for (size_t at = 0; at<b.n; at += at> 200 && at + 700 < b.n ? 131 : 1) {
            struct got g;
            uint8_t was = b.p[at];
            b.p[at] = (uint8_t)(was ^ (1u << at % 8));
            if (flow(buf_slice(&b), 512, b.n, &g, NULL) == SR_OK) {
                same_as_whole(buf_slice(&b), &g);
                read++;
            }
            got_done(&g);
            b.p[at] = was;
        }
    }
    assert_true(read > 0); /* times, attributes and the like may be anything */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_equals_what_is_kept),
        cmocka_unit_test(an_entry_without_a_length_needs_the_total),
        cmocka_unit_test(a_known_archive_comes_the_same_and_its_data_is_not_summed),
        cmocka_unit_test(a_cut_archive_is_refused_wherever_it_is_cut),
        cmocka_unit_test(a_changed_archive_never_reads_in_two_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
