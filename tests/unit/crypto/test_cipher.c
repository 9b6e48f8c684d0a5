/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ossl_int.h"
#include "crypto_test.h"

static void cbc(bool encrypt, const struct sr_secret *key, const uint8_t iv[16], struct slice in,
                size_t part, struct buf *out, sr_status want) {
    struct aes_cbc c = {0};
    uint8_t tmp[4096 + 32];
    size_t n = 0;
    OK(aes_cbc_init(&c, encrypt, key, iv, NULL));
    for (size_t at = 0; at < in.n; at += part) {
        OK(aes_cbc_add(&c, slice_of(in.p + at, in.n - at < part ? in.n - at : part), tmp, &n,
                       NULL));
        buf_put(out, tmp, n);
    }
    assert_int_equal(aes_cbc_end(&c, tmp, &n, NULL), want);
    if (want == SR_OK) buf_put(out, tmp, n);
    aes_cbc_drop(&c);
}

static void datasets_of_the_official_client(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors(VECTORS "/execution/dataset-encryption.json");
    const struct json_val *v = json_root(doc);
    struct buf key, iv;
    base64_of(v, "key_base64", &key);
    hex_of(v, "iv", &iv);
    cleanup_secret struct sr_secret k = {0};
    OK(secret_from(key.p, key.n, &k, NULL));
    size_t checked = 0;
    for (const struct json_val *c = json_first(json_get(v, "cases")); c; c = json_next(c)) {
        struct buf plain, enc, back;
        struct slice b64;
        struct hash want, got;
        buf_init(&plain, 1 << 20), buf_init(&enc, 1 << 20), buf_init(&back, 1 << 20);
        if (json_str(json_get(c, "plaintext_base64"), &b64)) {
            assert_true(base64_decode(b64, &plain));
        } else {
            uint8_t *p = buf_grow(&plain, 65536);
            assert_non_null(p);
            memset(p, 7, 65536);
        }
        buf_put(&enc, iv.p, 16);
        cbc(true, &k, iv.p, buf_slice(&plain), 1000, &enc, SR_OK);
        assert_true(json_hash(json_get(c, "on_chain_checksum"), &want));
        got = sha256(buf_slice(&enc));
        assert_true(hash_eq(&want, &got));
        cbc(false, &k, enc.p, slice_of(enc.p + 16, enc.n - 16), 77, &back, SR_OK);
        assert_true(slice_eq(buf_slice(&back), buf_slice(&plain)));
        buf_done(&plain), buf_done(&enc), buf_done(&back);
        checked++;
    }
    assert_int_equal(checked, 5);
    buf_done(&key), buf_done(&iv);
}

static void cbc_with_a_wrong_key_or_a_cut_text_fails(void **state) {
    (void)state;
    cleanup_secret struct sr_secret k = {0}, other = {0};
    uint8_t iv[16] = {1}, raw[32] = {2};
    OK(secret_from(raw, 32, &k, NULL));
    raw[0] = 3;
    OK(secret_from(raw, 32, &other, NULL));
    struct buf enc, out;
    buf_init(&enc, 1000), buf_init(&out, 1000);
    cbc(true, &k, iv, SLICE_LIT("a text of more than one block, yes"), 5, &enc, SR_OK);
    cbc(false, &k, iv, slice_of(enc.p, enc.n - 1), 5, &out, SR_E_CRYPTO);
    cbc(false, &k, iv, slice_of(NULL, 0), 5, &out, SR_E_CRYPTO);
    cbc(false, &other, iv, buf_slice(&enc), 5, &out, SR_E_CRYPTO);
    struct aes_cbc c = {0};
    cleanup_secret struct sr_secret half = {0};
    OK(secret_new(16, &half, NULL));
    assert_int_equal(aes_cbc_init(&c, true, &half, iv, NULL), SR_E_CRYPTO);
    aes_cbc_drop(&c);
    buf_done(&enc), buf_done(&out);
}

/* In pieces of every size around the borders of the cipher (16) and of the hashes (64), with more
 * and with less to hash than to encrypt, and with hashes that stand anywhere in their blocks. */
static void a_cipher_beside_two_hashes_equals_each_alone(void **state) {
    (void)state;
    static uint8_t m[6000], other[6000], out[6032];
    const uint8_t iv[16] = {9, 8, 7};
    uint8_t raw[32];
    for (size_t i = 0; i < sizeof raw; i++) raw[i] = (uint8_t)(i * 11 + 1);
    for (size_t i = 0; i < sizeof m; i++)
        m[i] = (uint8_t)(i * 7 + i / 256), other[i] = (uint8_t)~m[i];
    cleanup_secret struct sr_secret key = {0};
    OK(secret_from(raw, sizeof raw, &key, NULL));
    for (size_t step = 1; step < 460; step += step < 150 ? 1 : 23) {
        for (size_t hash_step = 0; hash_step < 400; hash_step += 57) {
            struct cbc_lane c;
            struct sha256_lane a, b;
            size_t in = 0, hashed = 0, made = 0, n = 0, before = step % 70;
            OK(cbc_lane_init(&c, &key, iv, NULL));
            sha256_lane_init(&a);
            sha256_lane_init(&b);
            sha256_lane_add(&a, slice_of(m, before));
            while (in + step <= 1700 && hashed + hash_step <= sizeof other) {
                OK(cbc_lane_add(&c, slice_of(m + in, step), out + made, &n, &a, &b,
                                slice_of(other + hashed, hash_step), NULL));
                in += step, hashed += hash_step, made += n;
            }
            OK(cbc_lane_end(&c, out + made, &n, NULL));
            made += n;
            struct buf want, begun;
            buf_init(&want, sizeof out), buf_init(&begun, sizeof other + 70);
            cbc(true, &key, iv, slice_of(m, in), 4096, &want, SR_OK);
            assert_int_equal(made, want.n);
            assert_memory_equal(out, want.p, made);
            buf_put(&begun, m, before);
            buf_put(&begun, other, hashed);
            struct hash ha = sha256_lane_end(&a), wa = sha256(buf_slice(&begun));
            struct hash hb = sha256_lane_end(&b), wb = sha256(slice_of(other, hashed));
            assert_true(hash_eq(&ha, &wa));
            assert_true(hash_eq(&hb, &wb));
            buf_done(&want), buf_done(&begun);
            cbc_lane_drop(&c);
        }
    }
}

static void gcm_opens_only_what_was_sealed(void **state) {
    (void)state;
    cleanup_secret struct sr_secret k = {0};
    uint8_t raw[32] = {9};
    OK(secret_from(raw, 32, &k, NULL));
    struct slice aad = SLICE_LIT("where it belongs"), plain = SLICE_LIT("a secret");
    struct buf s, o;
    buf_init(&s, 1000), buf_init(&o, 1000);
    OK(aes_gcm_seal(&k, aad, plain, &s, NULL));
    assert_int_equal(s.n, GCM_NONCE + plain.n + GCM_TAG);
    OK(aes_gcm_open(&k, aad, buf_slice(&s), &o, NULL));
    assert_true(slice_eq(buf_slice(&o), plain));
    buf_clear(&o);
    for (size_t i = 0; i < s.n; i++) { /* every bit of it matters */
        s.p[i] ^= 0x40;
        assert_int_equal(aes_gcm_open(&k, aad, buf_slice(&s), &o, NULL), SR_E_CRYPTO);
        assert_int_equal(o.n, 0);
        s.p[i] ^= 0x40;
    }
    for (size_t cut = 0; cut < s.n; cut++)
        assert_int_not_equal(aes_gcm_open(&k, aad, slice_of(s.p, cut), &o, NULL), SR_OK);
    assert_int_equal(aes_gcm_open(&k, SLICE_LIT("elsewhere"), buf_slice(&s), &o, NULL),
                     SR_E_CRYPTO);
    assert_int_equal(o.n, 0);
    buf_clear(&s); /* nothing at all can be sealed too */
    OK(aes_gcm_seal(&k, slice_of(NULL, 0), slice_of(NULL, 0), &s, NULL));
    OK(aes_gcm_open(&k, slice_of(NULL, 0), buf_slice(&s), &o, NULL));
    assert_int_equal(o.n, 0);
    struct buf tiny; /* no room: nothing is left in it */
    buf_init(&tiny, 20);
    assert_int_equal(aes_gcm_seal(&k, aad, plain, &tiny, NULL), SR_E_TOOBIG);
    buf_done(&tiny), buf_done(&s), buf_done(&o);
}

static void gcm_known_answer(void **state) {
    (void)state;
    /* NIST gcmEncryptExtIV256, the case of no plain text with an all-zero key (McGrew-Viega 14):
     * zero key, zero nonce, one zero block. */
    cleanup_secret struct sr_secret k = {0};
    uint8_t sealed[12 + 32] = {0};
    assert_true(hex_decode(SLICE_LIT("cea7403d4d606b6e074ec5d3baf39d18"
                                     "d0d1c8a799996bf0265b98b5d48ab919"),
                           sealed + 12, 32));
    OK(secret_new(32, &k, NULL));
    struct buf o;
    buf_init(&o, 100);
    OK(aes_gcm_open(&k, slice_of(NULL, 0), slice_of(sealed, sizeof sealed), &o, NULL));
    const uint8_t zero[16] = {0};
    assert_true(slice_eq(buf_slice(&o), slice_of(zero, 16)));
    buf_done(&o);
}

static void results_of_the_official_worker(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors(VECTORS "/execution/result-encryption.json");
    const struct json_val *v = json_root(doc);
    struct buf aes, enc, out, pub;
    hex_of(v, "aes_key", &aes);
    buf_init(&enc, 10000), buf_init(&out, 10000), buf_init(&pub, 10000);
    struct slice secret = text_of(v, "rsa_private_pem"), public = text_of(v, "rsa_public_pem");
    OK(rsa_encrypt(public, buf_slice(&aes), &enc, NULL));
    assert_int_equal(enc.n, 512);
    OK(rsa_decrypt(secret, buf_slice(&enc), &out, NULL));
    assert_true(slice_eq(buf_slice(&out), buf_slice(&aes)));
    OK(rsa_public_of(secret, &pub, NULL));
    assert_true(slice_eq(slice_trim(buf_slice(&pub)), slice_trim(public)));
    buf_clear(&out);
    struct slice other = text_of(v, "other_rsa_private_pem");
    assert_int_not_equal(rsa_decrypt(other, buf_slice(&enc), &out, NULL), SR_OK);
    enc.p[100] ^= 1;
    if (rsa_decrypt(secret, buf_slice(&enc), &out, NULL) == SR_OK)
        assert_false(slice_eq(buf_slice(&out), buf_slice(&aes)));
    buf_done(&aes), buf_done(&enc), buf_wipe(&out), buf_done(&pub);
}

static void keys_that_are_not_rsa_are_refused(void **state) {
    (void)state;
    const char *bad[] = {
        "", "hello", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        /* P-256 */
        "-----BEGIN PUBLIC "
        "KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt"
        "\n6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC "
        "KEY-----\n",
        /* RSA-512 */
        "-----BEGIN PUBLIC "
        "KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALqbHeRLCyOdykC5SDLqI49ArYGYG1mq\n"
        "aH9/GnWjGavZM02fos4lc2w6tCchcUBNtJvGqKwhC5JEnx3RYoSX2ucCAwEAAQ==\n-----END PUBLIC "
        "KEY-----\n"};
    struct buf out;
    buf_init(&out, 10000);
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        assert_int_equal(rsa_encrypt(slice_str(bad[i]), SLICE_LIT("x"), &out, NULL),
                         SR_E_MALFORMED);
        assert_int_equal(rsa_decrypt(slice_str(bad[i]), SLICE_LIT("x"), &out, NULL),
                         SR_E_MALFORMED);
    }
    assert_int_equal(out.n, 0);
    assert_int_equal(rsa_generate(1024, &out, &out, NULL), SR_E_RANGE);
    buf_done(&out);
}

static void a_new_rsa_key_works(void **state) {
    (void)state;
    struct buf secret, public, enc, out;
    buf_init(&secret, 10000), buf_init(&public, 10000), buf_init(&enc, 1000), buf_init(&out, 1000);
    OK(rsa_generate(2048, &secret, &public, NULL));
    assert_true(slice_starts(buf_slice(&secret), "-----BEGIN PRIVATE KEY-----\n"));
    assert_true(slice_starts(buf_slice(&public), "-----BEGIN PUBLIC KEY-----\n"));
    OK(rsa_encrypt(buf_slice(&public), SLICE_LIT("0123456789"), &enc, NULL));
    OK(rsa_decrypt(buf_slice(&secret), buf_slice(&enc), &out, NULL));
    assert_true(slice_is(buf_slice(&out), "0123456789"));
    buf_wipe(&secret), buf_done(&public), buf_done(&enc), buf_wipe(&out);
}

/* OpenSSL's own check: the primes, and that all numbers belong together. */
static void new_rsa_keys_are_sound(void **state) {
    (void)state;
    static const int sizes[] = {2048, 2048, 4096};
    for (size_t i = 0; i < SR_ARRAY_LEN(sizes); i++) {
        EVP_PKEY *k = NULL;
        crypto_init();
        OK(rsa_make(sizes[i], &k, NULL));
        assert_int_equal(EVP_PKEY_get_bits(k), sizes[i]);
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k, NULL);
        assert_non_null(c);
        assert_int_equal(EVP_PKEY_check(c), 1);
        EVP_PKEY_CTX_free(c);
        EVP_PKEY_free(k);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(datasets_of_the_official_client),
        cmocka_unit_test(cbc_with_a_wrong_key_or_a_cut_text_fails),
        cmocka_unit_test(a_cipher_beside_two_hashes_equals_each_alone),
        cmocka_unit_test(gcm_opens_only_what_was_sealed),
        cmocka_unit_test(gcm_known_answer),
        cmocka_unit_test(results_of_the_official_worker),
        cmocka_unit_test(keys_that_are_not_rsa_are_refused),
        cmocka_unit_test(a_new_rsa_key_works),
        cmocka_unit_test(new_rsa_keys_are_sound),
    };
    return cmocka_run_group_tests_name("crypto/cipher", t, NULL, NULL);
}
