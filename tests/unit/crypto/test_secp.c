/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

/* The first development account: a public key pair everybody knows. */
#define DEV_KEY  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
#define DEV_ADDR "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"

static struct sr_secret key_of(const char *hex) {
    uint8_t k[32];
    struct sr_secret s;
    assert_true(hex_decode(slice_str(hex), k, 32));
    OK(secret_from(k, 32, &s, NULL));
    return s;
}

static void address_of_a_known_key(void **state) {
    (void)state;
    cleanup_secret struct sr_secret k = key_of(DEV_KEY);
    struct addr a, b;
    uint8_t pub[64];
    OK(secp_address(&k, &a, NULL));
    assert_string_equal(addr_text(&a).s, DEV_ADDR);
    OK(secp_public(&k, pub, NULL));
    struct hash h = keccak256(slice_of(pub, 64));
    memcpy(b.b, h.b + 12, 20);
    assert_true(addr_eq(&a, &b));
}

static void what_is_signed_recovers_to_the_signer(void **state) {
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        cleanup_secret struct sr_secret k = {0};
        struct addr a, b;
        struct sr_signature s;
        OK(secp_keygen(&k, NULL));
        OK(secp_address(&k, &a, NULL));
        struct hash h = keccak256(slice_of(&i, sizeof i));
        OK(secp_sign(&k, &h, &s, NULL));
        assert_true(s.b[64] == 27 || s.b[64] == 28);
        assert_true(s.b[32] < 0x80); /* low s */
        OK(secp_recover(&h, slice_of(s.b, 65), &b, NULL));
        assert_true(addr_eq(&a, &b));
        uint8_t compact[64]; /* EIP-2098 */
        memcpy(compact, s.b, 64);
        compact[32] = (uint8_t)(compact[32] | (s.b[64] - 27) << 7);
        OK(secp_recover(&h, slice_of(compact, 64), &b, NULL));
        assert_true(addr_eq(&a, &b));
        h.b[0] ^= 1;
        if (secp_recover(&h, slice_of(s.b, 65), &b, NULL) == SR_OK) assert_false(addr_eq(&a, &b));
    }
}

/* The contracts' verdict on signatures of ordinary accounts is ours. */
static void signatures_judged_as_the_contracts_do(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors(VECTORS "/poco/signatures.json");
    size_t checked = 0;
    for (const struct json_val *c = json_first(json_get(json_root(doc), "cases")); c;
         c = json_next(c)) {
        struct slice label = text_of(c, "label");
        if (!slice_starts(label, "EOA ")) continue;
        struct addr who, got = {0};
        struct hash h;
        struct buf sig;
        bool want = false;
        assert_true(json_addr(json_get(c, "account"), &who));
        assert_true(json_hash(json_get(c, "hash"), &h));
        (void)json_bool(json_get(c, "result"), &want);
        hex_of(c, "signature", &sig);
        bool is = secp_recover(&h, buf_slice(&sig), &got, NULL) == SR_OK && addr_eq(&got, &who);
        if (is != want) fail_msg("%.*s", (int)label.n, (const char *)label.p);
        buf_done(&sig);
        checked++;
    }
    assert_int_equal(checked, 9);
}

static void keys_out_of_range_are_refused(void **state) {
    (void)state;
    const char *bad[] = {"0x0000000000000000000000000000000000000000000000000000000000000000",
                         "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
                         "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};
    struct hash h = {{1}};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        cleanup_secret struct sr_secret k = key_of(bad[i]);
        struct addr a;
        struct sr_signature s;
        assert_int_equal(secp_address(&k, &a, NULL), SR_E_CRYPTO);
        assert_int_equal(secp_sign(&k, &h, &s, NULL), SR_E_CRYPTO);
    }
    cleanup_secret struct sr_secret half = {0};
    OK(secret_new(16, &half, NULL));
    struct addr a;
    assert_int_equal(secp_address(&half, &a, NULL), SR_E_CRYPTO);
}

static void signatures_of_every_other_length_fail(void **state) {
    (void)state;
    cleanup_secret struct sr_secret k = key_of(DEV_KEY);
    struct hash h = {{7}};
    struct sr_signature s;
    uint8_t longer[80] = {0};
    struct addr a;
    OK(secp_sign(&k, &h, &s, NULL));
    memcpy(longer, s.b, 65);
    for (size_t n = 0; n < sizeof longer; n++) {
        if (n == 64 || n == 65) continue;
        assert_int_equal(secp_recover(&h, slice_of(longer, n), &a, NULL), SR_E_CRYPTO);
    }
    for (unsigned v = 0; v < 256; v++) {
        if (v == 27 || v == 28) continue;
        longer[64] = (uint8_t)v;
        assert_int_equal(secp_recover(&h, slice_of(longer, 65), &a, NULL), SR_E_CRYPTO);
    }
    memset(longer, 0xff, 64); /* r and s beyond the order */
    longer[64] = 27;
    assert_int_equal(secp_recover(&h, slice_of(longer, 65), &a, NULL), SR_E_CRYPTO);
}

static void personal_messages(void **state) {
    (void)state;
    /* eip-191: keccak("\x19Ethereum Signed Message:\n5hello") */
    struct hash h = eth_message_hash_text(SLICE_LIT("hello"));
    assert_string_equal(hash_text(&h).s,
                        "0x50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b37750");
    cleanup_secret struct sr_secret k = key_of(DEV_KEY);
    struct addr me, other = {{1}};
    struct sr_signature s;
    struct hash raw = {{9}}, m = eth_message_hash(&raw);
    OK(secp_address(&k, &me, NULL));
    OK(secp_sign(&k, &m, &s, NULL));
    OK(eth_message_check(&raw, slice_of(s.b, 65), &me, NULL));
    struct sr_err e = {0};
    assert_int_equal(eth_message_check(&raw, slice_of(s.b, 65), &other, &e), SR_E_CRYPTO);
    assert_non_null(strstr(e.what, DEV_ADDR));
    raw.b[31] ^= 1;
    assert_int_not_equal(eth_message_check(&raw, slice_of(s.b, 65), &me, NULL), SR_OK);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(address_of_a_known_key),
        cmocka_unit_test(what_is_signed_recovers_to_the_signer),
        cmocka_unit_test(signatures_judged_as_the_contracts_do),
        cmocka_unit_test(keys_out_of_range_are_refused),
        cmocka_unit_test(signatures_of_every_other_length_fail),
        cmocka_unit_test(personal_messages),
    };
    return cmocka_run_group_tests_name("crypto/secp", t, NULL, NULL);
}
