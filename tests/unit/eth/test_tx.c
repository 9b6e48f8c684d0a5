/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/tx.c"
#include "vec.h"

static void signed_as_ethers_signs_and_read_back(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_json struct json *doc = vec_load("eth/tx.json");
    const struct json_val *root = json_root(doc);
    cleanup_secret struct sr_secret key = {0};
    vec_key(vec_str(root, "key"), &key);
    struct eth_signer signer;
    assert_ok(eth_signer_local(&key, &signer, &e));
    struct addr from = vec_addr(root, "from");
    assert_addr_is(signer.addr, from);
    size_t n = 0;
    for (const struct json_val *v = json_first(json_get(root, "transactions")); v;
         v = json_next(v), n++) {
        const struct json_val *j = json_get(v, "tx");
        struct buf raw, data, b;
        buf_init(&raw, 1u << 16);
        buf_init(&data, 1u << 16);
        buf_init(&b, 1u << 16);
        vec_hex(v, "raw", &raw);
        vec_hex(j, "data", &data);
        struct eth_tx tx;
        struct sr_signature sig, again;
        struct addr who;
        assert_ok(tx_decode(buf_slice(&raw), &tx, &sig, &who, &e));
        assert_addr_is(who, from);
        assert_int_equal(tx.type, vec_u64(j, "type"));
        assert_true(tx.chain_id == vec_u64(j, "chainId") && tx.nonce == vec_u64(j, "nonce") &&
                    tx.gas_limit == vec_u64(j, "gasLimit"));
        assert_int_equal(u256_cmp(tx.value, vec_num(j, "value")), 0);
        assert_int_equal(
            u256_cmp(tx.max_fee, vec_num(j, tx.type == TX_1559 ? "maxFeePerGas" : "gasPrice")), 0);
        assert_bytes(tx.data, buf_slice(&data));
        assert_int_equal(tx.creates, !json_is(json_get(j, "to"), JSON_STRING));
        struct hash h, want = vec_hash(v, "unsignedHash");
        assert_ok(tx_sign_hash(&tx, &h, &e));
        assert_hash_is(h, want);
        assert_ok(signer.sign_tx(signer.ctx, &tx, &again, &e));
        assert_memory_equal(again.b, sig.b, 65);
        assert_ok(tx_encode(&tx, &again, &b, &h, &e));
        assert_bytes(buf_slice(&b), buf_slice(&raw));
        want = vec_hash(v, "hash");
        assert_hash_is(h, want);
        for (size_t cut = 0; cut < raw.n; cut++)
            assert_int_not_equal(tx_decode(slice_of(raw.p, cut), &tx, &sig, &who, NULL), SR_OK);
        buf_u8(&raw, 0);
        assert_int_not_equal(tx_decode(buf_slice(&raw), &tx, &sig, &who, NULL), SR_OK);
        buf_done(&raw);
        buf_done(&data);
        buf_done(&b);
    }
    assert_int_equal(n, 8);
}

static void created_contracts_land_where_ethers_says(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("eth/tx.json");
    size_t n = 0;
    for (const struct json_val *v = json_first(json_get(json_root(doc), "create")); v;
         v = json_next(v), n++) {
        struct addr from = vec_addr(v, "from"), want = vec_addr(v, "address"),
                    got = eth_create_address(&from, vec_u64(v, "nonce"));
        assert_addr_is(got, want);
    }
    assert_true(n > 5);
}

static void registry_entries_land_where_create2_says(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("poco/create2.json");
    size_t n = 0;
    for (const struct json_val *s = json_first(json_get(json_root(doc), "sets")); s;
         s = json_next(s))
        for (const struct json_val *r = json_first(json_get(s, "registries")); r; r = json_next(r))
            for (const struct json_val *x = json_first(json_get(r, "entries")); x;
                 x = json_next(x), n++) {
                struct buf init;
                buf_init(&init, 1u << 16);
                vec_hex(x, "initializerCalldata", &init);
                struct addr owner = vec_addr(x, "owner"), registry = vec_addr(r, "address");
                buf_put(&init, owner.b, 20);
                struct hash salt = keccak256(buf_slice(&init)), want_salt = vec_hash(x, "salt"),
                            code = vec_hash(r, "proxyCodeHash");
                assert_hash_is(salt, want_salt);
                struct addr got = eth_create2_address(&registry, &salt, &code),
                            want = vec_addr(x, "address");
                assert_addr_is(got, want);
                buf_done(&init);
            }
    assert_true(n >= 10);
}

static void addresses_carry_a_checksum(void **state) {
    (void)state;
    const char *good[] = {
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0x52908400098527886E0F7030069857D2E4169EE7", "0xde709f2102306220921060314715629080e2fb77"};
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++) {
        struct addr a;
        assert_true(addr_parse(slice_str(good[i]), &a));
        assert_string_equal(addr_checksum(&a).s, good[i]);
        assert_true(addr_checksum_ok(slice_str(good[i])));
    }
    assert_true(addr_checksum_ok(slice_str("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")));
    assert_false(addr_checksum_ok(slice_str("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")));
    assert_false(addr_checksum_ok(slice_str("0x5aAeb6")));
}

static void what_cannot_be_sent_is_refused(void **state) {
    (void)state;
    struct eth_tx tx = {.type = TX_1559, .chain_id = 0};
    struct hash h;
    struct buf b;
    buf_init(&b, 1024);
    struct sr_signature sig = {{0}};
    assert_int_equal(tx_sign_hash(&tx, &h, NULL), SR_E_RANGE);
    tx.chain_id = 1;
    assert_int_equal(tx_encode(&tx, &sig, &b, NULL, NULL), SR_E_MALFORMED); /* v is 0 */
    tx.type = TX_LEGACY;
    tx.max_tip = u256_of(1);
    assert_int_equal(tx_sign_hash(&tx, &h, NULL), SR_E_RANGE);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(signed_as_ethers_signs_and_read_back),
        cmocka_unit_test(created_contracts_land_where_ethers_says),
        cmocka_unit_test(registry_entries_land_where_create2_says),
        cmocka_unit_test(addresses_carry_a_checksum),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
    };
    return cmocka_run_group_tests_name("eth/tx", t, NULL, NULL);
}
