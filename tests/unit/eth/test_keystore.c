/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/keystore.c"
#include "vec.h"

static const char pbkdf2_file[] =
    "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
    "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":"
    "\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\",\"kdf\":\"pbkdf2\","
    "\"kdfparams\":{\"c\":262144,\"dklen\":32,\"prf\":\"hmac-sha256\",\"salt\":"
    "\"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd\"},\"mac\":"
    "\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"},\"id\":"
    "\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";

static void the_official_clients_file_opens(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_json struct json *doc = vec_load("sdk/keystore.json");
    const struct json_val *root = json_root(doc);
    struct slice file = json_raw(json_get(root, "keystore"));
    cleanup_secret struct sr_secret k = {0}, want = {0};
    vec_key(vec_str(root, "privateKey"), &want);
    assert_ok(keystore_read(file, vec_str(root, "password"), &k, &e));
    assert_memory_equal(k.p, want.p, 32);
    struct addr a, wa = vec_addr(root, "address");
    assert_ok(keystore_address(file, &a, &e));
    assert_addr_is(a, wa);
    char name[KEYSTORE_NAME_MAX];
    keystore_name(name, &a, 1795247002103); /* the date in the vector's file name */
    struct slice file_name = vec_str(root, "fileName");
    assert_int_equal(strlen(name), file_name.n);
    assert_memory_equal(name + 29, file_name.p + 29, file_name.n - 29);
    assert_memory_equal(name, "UTC--20", 7);
}

static void a_pbkdf2_file_opens(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_secret struct sr_secret k = {0}, want = {0};
    vec_key(SLICE_LIT("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"), &want);
    assert_ok(keystore_read(slice_str(pbkdf2_file), SLICE_LIT("testpassword"), &k, &e));
    assert_memory_equal(k.p, want.p, 32);
}

static void what_is_written_reads_back_with_its_password_only(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_secret struct sr_secret key = {0}, k = {0};
    assert_ok(secp_keygen(&key, &e));
    struct buf b;
    buf_init(&b, KEYSTORE_MAX_BYTES);
    assert_ok(keystore_write(&key, SLICE_LIT("p\xc3\xa4ss"), KEYSTORE_N_LIGHT, &b, &e));
    assert_int_equal(keystore_read(buf_slice(&b), SLICE_LIT("pass"), &k, &e), SR_E_AUTH);
    assert_null(k.p);
    assert_true(strlen(e.hint) > 0);
    e = (struct sr_err){0};
    assert_ok(keystore_read(buf_slice(&b), SLICE_LIT("p\xc3\xa4ss"), &k, &e));
    assert_memory_equal(k.p, key.p, 32);
    cleanup_json struct json *doc = NULL;
    assert_ok(json_parse(buf_slice(&b), &doc, &e));
    assert_non_null(json_get(json_root(doc), "Crypto"));
    for (size_t cut = 0; cut < b.n; cut += 7) {
        struct sr_secret none = {0};
        assert_int_not_equal(
            keystore_read(slice_of(b.p, cut), SLICE_LIT("p\xc3\xa4ss"), &none, NULL), SR_OK);
    }
    buf_done(&b);
}

static void absurd_costs_are_refused_at_once(void **state) {
    (void)state;
    const char *bad[] = {
        "{\"version\":3,\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
        "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":"
        "\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\",\"kdf\":\"scrypt\","
        "\"kdfparams\":{\"n\":1073741824,\"r\":8,\"p\":1,\"dklen\":32,\"salt\":\"00\"},\"mac\":"
        "\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"}}",
        "{\"version\":3,\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
        "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":"
        "\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\",\"kdf\":\"pbkdf2\","
        "\"kdfparams\":{\"c\":99999999999,\"prf\":\"hmac-sha256\",\"dklen\":32,\"salt\":\"00\"},"
        "\"mac\":\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"}}",
        "{\"version\":1}",
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct sr_secret k = {0};
        struct sr_err e = {0};
        int64_t t = clock_mono_us();
        assert_int_not_equal(keystore_read(slice_str(bad[i]), SLICE_LIT("x"), &k, &e), SR_OK);
        assert_true(clock_mono_us() - t < 1000000);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_official_clients_file_opens),
        cmocka_unit_test(a_pbkdf2_file_opens),
        cmocka_unit_test(what_is_written_reads_back_with_its_password_only),
        cmocka_unit_test(absurd_costs_are_refused_at_once),
    };
    return cmocka_run_group_tests_name("eth/keystore", t, NULL, NULL);
}
