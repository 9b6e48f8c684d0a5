/* SPDX-License-Identifier: Apache-2.0 */
#include "ipfs/ipfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

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

static void check(const struct json_val *v, const char *printed_key) {
    cleanup_buf struct buf want, got, text;
    const struct json_val *t = json_get(v, "text");
    struct slice printed;
    buf_init(&want, 4096);
    buf_init(&got, 4096);
    buf_init(&text, 4096);
    assert_true(hex_decode_buf(json_text(json_get(v, "bytes")), &want));
    if (t) {
        assert_int_equal(multiaddr_bytes(json_text(t), &got, NULL), SR_OK);
        assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
    }
    if (!json_str(json_get(v, printed_key), &printed)) return;
    assert_int_equal(multiaddr_text(buf_slice(&want), &text, NULL), SR_OK);
    if (slice_starts(printed, "\xde\xad")) /* no UTF-8: bytes stay as they are */
        assert_true(slice_eq(buf_slice(&text), buf_slice(&want)));
    else
        assert_true(slice_eq(buf_slice(&text), printed));
}

static void vectors_of_the_library_agree_both_ways(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors(VECTORS "/sdk/multiaddr.json");
    size_t n = 0;
    for (const struct json_val *v = json_first(json_get(json_root(doc), "vectors")); v;
         v = json_next(v), n++)
        check(v, "printed");
    for (const struct json_val *v = json_first(json_get(json_root(doc), "decodeOnly")); v;
         v = json_next(v), n++)
        check(v, "printed");
    assert_true(n >= 19);
}

static void vectors_of_the_data_protector_agree_both_ways(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors(VECTORS "/dataprotector/multiaddr.json");
    size_t n = 0;
    for (const struct json_val *v = json_first(json_root(doc)); v; v = json_next(v), n++)
        check(v, "readBack");
    assert_true(n >= 13);
}

static void half_a_multiaddr_is_shown_as_it_is(void **state) {
    (void)state;
    uint8_t raw[64];
    const char *hex = "a5032212207237a7f4091a74ae95514890fa86a2e8a36037c350ea71c06a34c8cbe25a5057";
    const size_t n = 37;
    assert_true(hex_decode(slice_str(hex), raw, n));
    for (size_t cut = 1; cut < n; cut++) {
        cleanup_buf struct buf b;
        buf_init(&b, 4096);
        assert_int_equal(multiaddr_text(slice_of(raw, cut), &b, NULL), SR_OK);
        assert_true(slice_eq(buf_slice(&b), slice_of(raw, cut)));
    }
}

static void values_out_of_range_make_plain_text(void **state) {
    (void)state;
    static const char *const t[] = {"/ip4/127.0.0.256/tcp/1",
                                    "/ip4/127.0.0.1/tcp/65536",
                                    "/tcp",
                                    "/ip4",
                                    "/ip6/zz",
                                    "/nothing/1",
                                    "//",
                                    "/p2p/"};
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        cleanup_buf struct buf b;
        buf_init(&b, 4096);
        assert_int_equal(multiaddr_bytes(slice_str(t[i]), &b, NULL), SR_OK);
        if (!slice_is(buf_slice(&b), t[i]) && strcmp(t[i], "//") != 0) fail_msg("%s", t[i]);
    }
    static const uint8_t big[MULTIADDR_MAX + 1] = {'x'};
    cleanup_buf struct buf b;
    buf_init(&b, 8192);
    assert_int_equal(multiaddr_bytes(slice_of(big, sizeof big), &b, NULL), SR_E_TOOBIG);
    assert_int_equal(multiaddr_text(slice_of(big, sizeof big), &b, NULL), SR_E_TOOBIG);
    assert_int_equal(b.n, 0);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(vectors_of_the_library_agree_both_ways),
        cmocka_unit_test(vectors_of_the_data_protector_agree_both_ways),
        cmocka_unit_test(half_a_multiaddr_is_shown_as_it_is),
        cmocka_unit_test(values_out_of_range_make_plain_text),
    };
    return cmocka_run_group_tests_name("ipfs/multiaddr", t, NULL, NULL);
}
