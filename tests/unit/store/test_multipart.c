/* SPDX-License-Identifier: Apache-2.0 */
/* The form parser: the npm client's request, every way of cutting it up, and what it must refuse.
 */
#include "store/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TYPE "multipart/form-data; boundary=-----------------------------KLOtGSyxtl9yH0t1YddVM"
#define MARK "-------------------------------KLOtGSyxtl9yH0t1YddVM"
#define BODY                                                                                       \
    MARK "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n"                    \
         "Content-Type: application/octet-stream\r\n\r\n[\"hello\"]\r\n-\r\n--x\r\n" MARK          \
         "\r\ncontent-disposition: form-data; name=\"file\"; "                                     \
         "filename=\"a%2Fb\\\"c\"\r\n\r\n\r\n" MARK "--\r\n"

struct source {
    struct slice left;
    size_t step;
};
static sr_status pull(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    struct source *s = arg;
    (void)err;
    if (n > s->step) n = s->step;
    if (n > s->left.n) n = s->left.n;
    if (n) memcpy(p, s->left.p, n);
    s->left = slice_of(s->left.p + n, s->left.n - n);
    *ret_n = n;
    return SR_OK;
}

/* All parts: "path=data;" joined. */
static sr_status parse(struct slice type, struct slice body, size_t step, struct buf *out) {
    struct source s = {body, step};
    struct multipart *m;
    struct sr_err e = {0};
    SR_TRY(multipart_new(type, pull, &s, &m, &e));
    sr_status st;
    for (;;) {
        struct multipart_part p;
        struct slice d;
        bool more;
        st = multipart_next(m, &p, &more, &e);
        if (st != SR_OK || !more) break;
        buf_printf(out, "%s%s=", p.folder ? "dir:" : "", p.path);
        do {
            st = multipart_data(m, &d, &e);
            if (st == SR_OK) buf_add(out, d);
        } while (st == SR_OK && d.n > 0);
        if (st != SR_OK) break;
        buf_str(out, ";");
    }
    multipart_free(m);
    return st;
}

static void the_clients_request_is_read_however_it_comes(void **state) {
    (void)state;
    const size_t len = sizeof BODY - 1;
    for (size_t step = 1; step <= len; step++) {
        cleanup_buf struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(parse(SLICE_LIT(TYPE), SLICE_LIT(BODY), step, &out), SR_OK);
        assert_string_equal(buf_cstr(&out), "=[\"hello\"]\r\n-\r\n--x;a/b\"c=;");
    }
}

static void truncated_at_every_length_fails(void **state) {
    (void)state;
    const char *body = BODY;
    for (size_t cut = 0; cut < sizeof BODY - 1 - 2; cut++) { /* the last line break is optional */
        cleanup_buf struct buf out;
        buf_init(&out, 4096);
        assert_int_equal(parse(SLICE_LIT(TYPE), slice_of(body, cut), 7, &out), SR_E_MALFORMED);
    }
}

static void big_parts_pass_whole_whatever_the_pieces(void **state) {
    (void)state;
    const size_t n = 3 * MULTIPART_ROOM + 12345;
    const size_t steps[] = {1000, 65536, MULTIPART_ROOM - 1, MULTIPART_ROOM, 10 * MULTIPART_ROOM};
    cleanup_buf struct buf body;
    buf_init(&body, 8u << 20);
    buf_str(&body, "--B\r\nContent-Disposition: form-data; filename=f\r\n\r\n");
    size_t start = body.n;
    uint8_t *p = buf_grow(&body, n);
    uint32_t seed = 5;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
    for (size_t i = 0; i + 8 < n; i += 4099) memcpy(p + i, "\r\n--A\r\n", 7); /* almost */
    buf_str(&body, "\r\n--B--\r\n");
    for (size_t i = 0; i < SR_ARRAY_LEN(steps); i++) {
        cleanup_buf struct buf out;
        buf_init(&out, 8u << 20);
        assert_int_equal(parse(SLICE_LIT("multipart/form-data; boundary=\"B\""), buf_slice(&body),
                               steps[i], &out),
                         SR_OK);
        assert_int_equal(out.n, n + 3);
        assert_memory_equal(out.p + 2, body.p + start, n);
    }
}

static void what_is_no_form_is_refused(void **state) {
    (void)state;
    static const char *const types[] = {"",
                                        "application/json",
                                        "multipart/form-data",
                                        "multipart/form-data; boundary=",
                                        "multipart/mixed; boundary=B",
                                        "multipart/form-data; xboundary=B"};
    static const char *const bodies[] = {
        "",
        "x",
        "--C\r\n\r\nx\r\n--C--",
        "--B\r\nno header\r\n\r\nx\r\n--B--",
        "--B\r\nContent-Type: application/symlink\r\n\r\nx\r\n--B--",
        "--B\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--B--",
        "--B\r\nContent-Disposition: form-data; filename=\"a%00b\"\r\n\r\nx\r\n--B--",
        "--B\r\n\r\nx\r\n--Bjunk"};
    cleanup_buf struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < SR_ARRAY_LEN(types); i++)
        assert_int_equal(parse(slice_str(types[i]), SLICE_LIT("--B--"), 99, &out), SR_E_MALFORMED);
    for (size_t i = 0; i < SR_ARRAY_LEN(bodies); i++)
        assert_int_equal(
            parse(SLICE_LIT("multipart/form-data; boundary=B"), slice_str(bodies[i]), 99, &out),
            SR_E_MALFORMED);
    cleanup_buf struct buf big;
    buf_init(&big, 1u << 20);
    buf_str(&big, "--B\r\nX: ");
    memset(buf_grow(&big, MULTIPART_HEAD_MAX + 100), 'x', MULTIPART_HEAD_MAX + 100);
    assert_int_equal(
        parse(SLICE_LIT("multipart/form-data; boundary=B"), buf_slice(&big), 999, &out),
        SR_E_MALFORMED);
}

static void folders_are_told_from_files(void **state) {
    (void)state;
    cleanup_buf struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(
        parse(SLICE_LIT("Multipart/Form-Data; charset=x; Boundary=B"),
              SLICE_LIT(
                  "--B\r\nContent-Type: application/x-directory\r\n"
                  "Content-Disposition: form-data; name=\"x;y\"; filename=\"d\"\r\n\r\n\r\n--B--"),
              99, &out),
        SR_OK);
    assert_string_equal(buf_cstr(&out), "dir:d=;");
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_clients_request_is_read_however_it_comes),
        cmocka_unit_test(truncated_at_every_length_fails),
        cmocka_unit_test(big_parts_pass_whole_whatever_the_pieces),
        cmocka_unit_test(what_is_no_form_is_refused),
        cmocka_unit_test(folders_are_told_from_files),
    };
    return cmocka_run_group_tests_name("store/multipart", t, NULL, NULL);
}
