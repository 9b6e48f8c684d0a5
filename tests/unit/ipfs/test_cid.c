/* SPDX-License-Identifier: Apache-2.0 */
#include "ipfs/ipfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct json *vectors(void) {
    cleanup_buf struct buf b;
    struct sr_err e = {0};
    struct json *doc = NULL;
    buf_init(&b, 4u << 20);
    assert_int_equal(fs_read(VECTORS "/sdk/ipfs-cid.json", &b, &e), SR_OK);
    assert_int_equal(json_parse(buf_slice(&b), &doc, &e), SR_OK);
    return doc;
}

static struct cid parsed(struct slice text) {
    struct cid c;
    struct sr_err e = {0};
    assert_int_equal(cid_parse(text, &c, &e), SR_OK);
    return c;
}

static void both_versions_of_the_vectors_name_the_same_block(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors();
    const struct json_val *v = json_first(json_get(json_root(doc), "vectors"));
    size_t n = 0;
    for (; v; v = json_next(v), n++) {
        struct slice t0 = json_text(json_get(v, "cid")), t1 = json_text(json_get(v, "cidV1"));
        struct cid c0 = parsed(t0), c1 = parsed(t1);
        assert_int_equal(c0.version, 0);
        assert_int_equal(c1.version, 1);
        assert_true(cid_eq(&c0, &c1));
        assert_true(slice_is(t0, cid_text(&c0).s));
        assert_true(slice_is(t1, cid_text(&c1).s));
        assert_true(slice_is(t1, cid_text1(&c0).s));
    }
    assert_true(n >= 9);
}

static void upper_case_base32_and_base58_of_version_1_are_read(void **state) {
    (void)state;
    const char *b = "bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5wa";
    struct cid want = parsed(slice_str(b)), got;
    char upper[80];
    size_t n = strlen(b);
    for (size_t i = 0; i <= n; i++)
        upper[i] = (char)(b[i] >= 'a' && b[i] <= 'z' ? b[i] - 32 : b[i]);
    got = parsed(slice_str(upper));
    assert_true(cid_eq(&want, &got));
    upper[5] = 'f'; /* one case only */
    assert_int_equal(cid_parse(slice_str(upper), &got, NULL), SR_E_MALFORMED);
    got = parsed(SLICE_LIT("zdj7Wkkhxcu2rsiN6GUyHCLsSLL47kdUNfjbFqBUUhMFTZKBi"));
    assert_int_equal(got.version, 1);
    assert_int_equal(got.codec, CID_DAG_PB);
}

static void binary_form_round_trips_and_is_exact(void **state) {
    (void)state;
    struct cid c = parsed(SLICE_LIT("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"));
    struct cid back;
    cleanup_buf struct buf b;
    buf_init(&b, 100);
    assert_int_equal(c.codec, CID_RAW);
    cid_write(&b, &c);
    assert_int_equal(b.n, 36);
    assert_true(cid_read(buf_slice(&b), &back));
    assert_true(cid_eq(&c, &back));
    for (size_t cut = 0; cut < b.n; cut++) assert_false(cid_read(slice_of(b.p, cut), &back));
    buf_u8(&b, 0);
    assert_false(cid_read(buf_slice(&b), &back));
}

static void texts_that_are_no_cid_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "Q",
        "Qm",
        "not-a-cid",
        "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyf",   /* short */
        "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfDD", /* long */
        "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyf0",  /* no base58 digit */
        "Qmzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",  /* over 34 bytes, or another hash */
        "bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5wb", /* stray last bits */
        "bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5w",
        "b",
        "z",
        "zQmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD", /* version 0 takes no prefix */
        "f01551220",
        "bafyaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", /* identity hash */
    };
    struct cid c;
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct sr_err e = {0};
        if (cid_parse(slice_str(bad[i]), &c, &e) != SR_E_MALFORMED) fail_msg("taken: %s", bad[i]);
        assert_true(e.hint[0] != 0);
    }
}

static void truncated_at_every_length_fails(void **state) {
    (void)state;
    static const char *const good[] = {
        "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD",
        "bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5wa"};
    struct cid c;
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++)
        for (size_t cut = 0; cut < strlen(good[i]); cut++)
            assert_int_equal(cid_parse(slice_of(good[i], cut), &c, NULL), SR_E_MALFORMED);
}

static void locations_split_into_cid_and_path(void **state) {
    (void)state;
    static const struct {
        const char *text, *path;
    } t[] = {
        {"/ipfs/Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD", ""},
        {"/p2p/Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD/a/b", "a/b"},
        {"ipfs://bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5wa/x", "x"},
        {"Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD/", ""},
    };
    struct cid want = parsed(SLICE_LIT("Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD")), c;
    struct slice path;
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        assert_int_equal(ipfs_path_parse(slice_str(t[i].text), &c, &path, NULL), SR_OK);
        assert_true(cid_eq(&c, &want));
        assert_true(slice_is(path, t[i].path));
    }
    assert_int_equal(ipfs_path_parse(SLICE_LIT("/ipns/x"), &c, &path, NULL), SR_E_MALFORMED);
    assert_int_equal(ipfs_path_parse(SLICE_LIT("https://x/ipfs/Qm"), &c, &path, NULL),
                     SR_E_MALFORMED);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(both_versions_of_the_vectors_name_the_same_block),
        cmocka_unit_test(upper_case_base32_and_base58_of_version_1_are_read),
        cmocka_unit_test(binary_form_round_trips_and_is_exact),
        cmocka_unit_test(texts_that_are_no_cid_are_refused),
        cmocka_unit_test(truncated_at_every_length_fails),
        cmocka_unit_test(locations_split_into_cid_and_path),
    };
    return cmocka_run_group_tests_name("ipfs/cid", t, NULL, NULL);
}
