/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ossl_int.h"
#include "crypto_test.h"

static void vectors_of_other_implementations(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors(VECTORS "/crypto/hpke.json");
    size_t opened = 0, sealed = 0;
    for (const struct json_val *c = json_first(json_get(json_root(doc), "cases")); c;
         c = json_next(c)) {
        struct buf sk, pk, info, aad, plain, want, got;
        cleanup_secret struct sr_secret key = {0};
        hex_of(c, "skR", &sk), hex_of(c, "pkR", &pk), hex_of(c, "info", &info);
        hex_of(c, "aad", &aad), hex_of(c, "plain", &plain), hex_of(c, "sealed", &want);
        buf_init(&got, 1 << 20);
        OK(secret_from(sk.p, 32, &key, NULL));
        uint8_t pub[32];
        OK(hpke_public(&key, pub, NULL));
        assert_memory_equal(pub, pk.p, 32);
        OK(hpke_open(&key, buf_slice(&info), buf_slice(&aad), buf_slice(&want), &got, NULL));
        assert_true(slice_eq(buf_slice(&got), buf_slice(&plain)));
        opened++;
        if (json_get(c, "skE")) {
            cleanup_secret struct sr_secret e = {0};
            struct buf ske;
            hex_of(c, "skE", &ske);
            OK(secret_from(ske.p, 32, &e, NULL));
            buf_clear(&got);
            OK(hpke_seal_with(&e, pub, buf_slice(&info), buf_slice(&aad), buf_slice(&plain), &got,
                              NULL));
            assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
            buf_done(&ske);
            sealed++;
        }
        buf_done(&sk), buf_done(&pk), buf_done(&info), buf_done(&aad), buf_done(&plain);
        buf_done(&want), buf_done(&got);
    }
    assert_int_equal(opened, 5);
    assert_int_equal(sealed, 3);
}

static void only_the_receiver_opens_and_only_unchanged(void **state) {
    (void)state;
    cleanup_secret struct sr_secret key = {0}, other = {0};
    uint8_t pub[32], pub2[32];
    OK(hpke_keygen(&key, pub, NULL));
    OK(hpke_keygen(&other, pub2, NULL));
    struct slice info = SLICE_LIT("info"), aad = SLICE_LIT("aad"), plain = SLICE_LIT("plain text");
    struct buf s, s2, o;
    buf_init(&s, 1000), buf_init(&s2, 1000), buf_init(&o, 1000);
    OK(hpke_seal(pub, info, aad, plain, &s, NULL));
    OK(hpke_seal(pub, info, aad, plain, &s2, NULL));
    assert_false(slice_eq(buf_slice(&s), buf_slice(&s2)));
    OK(hpke_open(&key, info, aad, buf_slice(&s), &o, NULL));
    assert_true(slice_eq(buf_slice(&o), plain));
    buf_clear(&o);
    assert_int_equal(hpke_open(&other, info, aad, buf_slice(&s), &o, NULL), SR_E_CRYPTO);
    assert_int_equal(hpke_open(&key, aad, aad, buf_slice(&s), &o, NULL), SR_E_CRYPTO);
    assert_int_equal(hpke_open(&key, info, info, buf_slice(&s), &o, NULL), SR_E_CRYPTO);
    for (size_t i = 0; i < s.n; i++) {
        /* X25519 ignores the top bit of the point, but the bytes enter the key schedule. */
        s.p[i] ^= 0x80;
        assert_int_equal(hpke_open(&key, info, aad, buf_slice(&s), &o, NULL), SR_E_CRYPTO);
        s.p[i] ^= 0x80;
    }
    for (size_t cut = 0; cut < s.n; cut++)
        assert_int_not_equal(hpke_open(&key, info, aad, slice_of(s.p, cut), &o, NULL), SR_OK);
    assert_int_equal(o.n, 0);
    buf_done(&s), buf_done(&s2), buf_done(&o);
}

static void points_of_small_order_are_refused(void **state) {
    (void)state;
    uint8_t zero[32] = {0}, one[32] = {1};
    struct buf s;
    buf_init(&s, 1000);
    assert_int_equal(hpke_seal(zero, SLICE_LIT(""), SLICE_LIT(""), SLICE_LIT("x"), &s, NULL),
                     SR_E_CRYPTO);
    assert_int_equal(hpke_seal(one, SLICE_LIT(""), SLICE_LIT(""), SLICE_LIT("x"), &s, NULL),
                     SR_E_CRYPTO);
    assert_int_equal(s.n, 0);
    buf_done(&s);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(vectors_of_other_implementations),
        cmocka_unit_test(only_the_receiver_opens_and_only_unchanged),
        cmocka_unit_test(points_of_small_order_are_refused),
    };
    return cmocka_run_group_tests_name("crypto/hpke", t, NULL, NULL);
}
