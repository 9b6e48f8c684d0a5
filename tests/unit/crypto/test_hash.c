/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

#include <stdlib.h>

static void is_hex(const void *p, size_t n, const char *want) {
    char got[257];
    assert_true(n * 2 < sizeof got);
    hex_encode(got, p, n);
    assert_string_equal(got, want);
}

static void keccak_of_every_kind_of_length(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors(VECTORS "/crypto/keccak.json");
    const struct json_val *cases = json_get(json_root(doc), "cases");
    uint8_t m[4096];
    for (size_t i = 0; i < sizeof m; i++) m[i] = (uint8_t)(i * 7 + 3);
    assert_int_equal(json_len(cases), 16);
    for (const struct json_val *c = json_first(cases); c; c = json_next(c)) {
        uint64_t n;
        uint8_t want[32];
        assert_true(json_u64(json_get(c, "length"), &n));
        assert_true(hex_decode(text_of(c, "digest"), want, 32));
        struct hash h = keccak256(slice_of(m, n));
        assert_memory_equal(h.b, want, 32);
        /* In parts of any size it is the same. */
        for (size_t part = 1; part < 300; part += 37) {
            struct keccak k;
            keccak_init(&k);
            for (size_t at = 0; at < n; at += part)
                keccak_add(&k, slice_of(m + at, n - at < part ? n - at : part));
            h = keccak_end(&k);
            assert_memory_equal(h.b, want, 32);
        }
    }
}

static void keccak_known_answers(void **state) {
    (void)state;
    struct hash h = keccak256(slice_of(NULL, 0));
    is_hex(h.b, 32, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    h = keccak256(SLICE_LIT("abc"));
    is_hex(h.b, 32, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    h = keccak256(SLICE_LIT("transfer(address,uint256)"));
    is_hex(h.b, 4, "a9059cbb");
}

static void sha2_known_answers(void **state) {
    (void)state;
    uint8_t d[64];
    struct hash h = sha256(SLICE_LIT("abc"));
    is_hex(h.b, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    h = sha256(slice_of(NULL, 0));
    is_hex(h.b, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha384(SLICE_LIT("abc"), d);
    is_hex(
        d, 48,
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca1"
        "34c825a7");
    sha512(SLICE_LIT("abc"), d);
    is_hex(
        d, 64,
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23"
        "a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

/* Every way that the two meet: lengths and starts around a block's border, in pieces. */
static void two_lanes_at_once_equal_one_after_the_other(void **state) {
    (void)state;
    static uint8_t m[700];
    for (size_t i = 0; i < sizeof m; i++) m[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t la = 0; la < 200; la += 3) {
        for (size_t lb = 0; lb < 330; lb += 11) {
            size_t pa = la % 70, pb = lb % 67; /* what each was given before */
            struct sha256_lane a, b;
            sha256_lane_init(&a);
            sha256_lane_init(&b);
            sha256_lane_add(&a, slice_of(m, pa));
            sha256_lane_add(&b, slice_of(m + 1, pb));
            sha256_lanes_add(&a, slice_of(m + pa, la), &b, slice_of(m + 1 + pb, lb));
            sha256_lanes_add(&b, slice_of(m + 1 + pb + lb, 64), &a, slice_of(NULL, 0));
            struct hash ha = sha256_lane_end(&a), hb = sha256_lane_end(&b);
            struct hash wa = sha256(slice_of(m, pa + la));
            struct hash wb = sha256(slice_of(m + 1, pb + lb + 64));
            assert_true(hash_eq(&ha, &wa));
            assert_true(hash_eq(&hb, &wb));
        }
    }
}

static void streamed_sha256_equals_one_shot(void **state) {
    (void)state;
    uint8_t m[1000];
    for (size_t i = 0; i < sizeof m; i++) m[i] = (uint8_t)i;
    struct sha256 s = {0};
    OK(sha256_init(&s, NULL));
    for (size_t i = 0; i < sizeof m; i += 77)
        sha256_add(&s, slice_of(m + i, sizeof m - i < 77 ? sizeof m - i : 77));
    sha256_add(&s, slice_of(NULL, 0));
    struct hash a = sha256_end(&s), b = sha256(slice_of(m, sizeof m));
    assert_true(hash_eq(&a, &b));
    sha256_drop(&s); /* after the end: nothing */
}

static void hmac_and_hkdf_of_the_rfcs(void **state) {
    (void)state;
    uint8_t mac[32], okm[82], ikm[80], salt[80], info[80];
    hmac_sha256(SLICE_LIT("Jefe"), SLICE_LIT("what do ya want for nothing?"),
                mac); /* RFC 4231, 2 */
    is_hex(mac, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(ikm, 0x0b, 22); /* RFC 5869, A.1 */
    for (size_t i = 0; i < 13; i++) salt[i] = (uint8_t)i;
    for (size_t i = 0; i < 10; i++) info[i] = (uint8_t)(0xf0 + i);
    OK(hkdf_sha256(slice_of(ikm, 22), slice_of(salt, 13), slice_of(info, 10), okm, 42, NULL));
    is_hex(okm, 42,
           "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    for (size_t i = 0; i < 80; i++) { /* A.2 */
        ikm[i] = (uint8_t)i;
        salt[i] = (uint8_t)(0x60 + i);
        info[i] = (uint8_t)(0xb0 + i);
    }
    OK(hkdf_sha256(slice_of(ikm, 80), slice_of(salt, 80), slice_of(info, 80), okm, 82, NULL));
    is_hex(
        okm, 82,
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c6"
        "5e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    memset(ikm, 0x0b, 22); /* A.3: no salt, no info */
    OK(hkdf_sha256(slice_of(ikm, 22), slice_of(NULL, 0), slice_of(NULL, 0), okm, 42, NULL));
    is_hex(okm, 42,
           "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    uint8_t *big = malloc(255 * 32 + 1);
    assert_non_null(big);
    assert_int_equal(hkdf_sha256(slice_of(ikm, 22), slice_of(NULL, 0), slice_of(NULL, 0), big,
                                 255 * 32 + 1, NULL),
                     SR_E_RANGE);
    OK(hkdf_sha256(slice_of(ikm, 22), slice_of(NULL, 0), slice_of(NULL, 0), big, 255 * 32, NULL));
    free(big);
}

static void scrypt_of_rfc_7914_and_its_limits(void **state) {
    (void)state;
    uint8_t key[64];
    OK(scrypt_derive(slice_of(NULL, 0), slice_of(NULL, 0), 16, 1, 1, key, 64, NULL));
    is_hex(
        key, 64,
        "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a"
        "0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    OK(scrypt_derive(SLICE_LIT("password"), SLICE_LIT("NaCl"), 1024, 8, 16, key, 64, NULL));
    is_hex(
        key, 64,
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff10927"
        "9d9830dac727afb94a83ee6d8360cbdfa2cc0640");
    const uint64_t bad[][3] = {{0, 8, 1},          {1, 8, 1},         {3, 8, 1},
                               {16, 0, 1},         {16, 8, 0},        {1 << 19, 8, 1},
                               {1ull << 60, 8, 1}, {1 << 17, 8, 100}, {16, UINT64_MAX, 1},
                               {16, 8, UINT64_MAX}};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        assert_int_not_equal(scrypt_derive(SLICE_LIT("p"), SLICE_LIT("s"), bad[i][0], bad[i][1],
                                           bad[i][2], key, 32, NULL),
                             SR_OK);
}

static void a_wallet_of_the_official_client_opens(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors(VECTORS "/sdk/keystore.json");
    const struct json_val *v = json_root(doc);
    const struct json_val *c = json_get(json_get(v, "keystore"), "Crypto");
    const struct json_val *kdf = json_get(c, "kdfparams");
    struct buf salt, iv, text, want;
    uint8_t key[32], tail[64], plain[32];
    uint64_t n = 0, r = 0, p = 0;
    hex_of(kdf, "salt", &salt);
    hex_of(json_get(c, "cipherparams"), "iv", &iv);
    hex_of(c, "ciphertext", &text);
    hex_of(v, "privateKey", &want);
    assert_true(json_u64(json_get(kdf, "n"), &n) && json_u64(json_get(kdf, "r"), &r) &&
                json_u64(json_get(kdf, "p"), &p));
    OK(scrypt_derive(text_of(v, "password"), buf_slice(&salt), n, r, p, key, 32, NULL));
    memcpy(tail, key + 16, 16);
    memcpy(tail + 16, text.p, 32);
    struct hash mac = keccak256(slice_of(tail, 48));
    char got[65];
    hex_encode(got, mac.b, 32);
    assert_true(slice_is(text_of(c, "mac"), got));
    assert_int_equal(text.n, sizeof plain);
    OK(aes128_ctr(key, iv.p, buf_slice(&text), plain, NULL));
    assert_true(slice_eq(slice_of(plain, sizeof plain), buf_slice(&want)));
    buf_done(&salt), buf_done(&iv), buf_done(&text), buf_done(&want);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(keccak_of_every_kind_of_length),
        cmocka_unit_test(keccak_known_answers),
        cmocka_unit_test(sha2_known_answers),
        cmocka_unit_test(streamed_sha256_equals_one_shot),
        cmocka_unit_test(two_lanes_at_once_equal_one_after_the_other),
        cmocka_unit_test(hmac_and_hkdf_of_the_rfcs),
        cmocka_unit_test(scrypt_of_rfc_7914_and_its_limits),
        cmocka_unit_test(a_wallet_of_the_official_client_opens),
    };
    return cmocka_run_group_tests_name("crypto/hash", t, NULL, NULL);
}
