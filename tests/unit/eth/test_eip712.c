/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/eip712.c"
#include "vec.h"

static void a_document_hashes_as_ethers_hashes_it(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_json struct json *doc = vec_load("eth/tx.json");
    for (const struct json_val *v = json_first(json_get(json_root(doc), "typed")); v;
         v = json_next(v)) {
        struct hash h, want = vec_hash(v, "digest");
        assert_ok(eip712_json(json_get(v, "doc"), &h, &e));
        assert_hash_is(h, want);
    }
}

static void domains_separate(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("poco/eip712.json");
    size_t n = 0;
    for (const struct json_val *v = json_first(json_get(json_root(doc), "domains")); v;
         v = json_next(v), n++) {
        cleanup_free char *name = slice_dup(vec_str(v, "name")),
                          *version = slice_dup(vec_str(v, "version"));
        struct eip712_domain d = {name, version, vec_u64(v, "chainId"), true,
                                  vec_addr(v, "verifyingContract")};
        struct hash h = eip712_separator(&d), want = vec_hash(v, "separator");
        assert_hash_is(h, want);
    }
    assert_int_equal(n, 4);
}

/* The header is <digest>_<signature>_<address>. */
static void check_challenge(const struct json_val *typed, struct slice header,
                            const char *service) {
    struct sr_err e = {0};
    struct hash h, want, direct;
    struct slice hex, rest, sig_hex, who_hex;
    struct addr who, got;
    uint8_t sig[65];
    assert_true(slice_cut(header, '_', &hex, &rest) && slice_cut(rest, '_', &sig_hex, &who_hex));
    assert_true(hash_parse(hex, &want) && hex_decode(sig_hex, sig, 65) &&
                addr_parse(who_hex, &who));
    assert_ok(eip712_json(typed, &h, &e));
    assert_hash_is(h, want);
    uint64_t chain;
    assert_true(
        num_u64(json_text(json_get(json_get(typed, "domain"), "chainId")), UINT64_MAX, &chain));
    direct = eip712_challenge(service, chain, vec_str(json_get(typed, "message"), "challenge"));
    assert_hash_is(direct, want);
    assert_ok(secp_recover(&h, slice_of(sig, 65), &got, &e));
    assert_addr_is(got, who);
}

static void challenges_of_market_and_scheduler(void **state) {
    (void)state;
    cleanup_json struct json *doc = vec_load("sdk/challenge-auth.json");
    const struct json_val *m = json_get(json_root(doc), "market"),
                          *w = json_get(json_root(doc), "workerpoolLogs");
    check_challenge(json_get(json_get(m, "response"), "data"), vec_str(m, "authorization"),
                    "iExec Gateway");
    check_challenge(json_get(w, "response"), vec_str(w, "authorization"), "iExec Core");
}

static void broken_documents_say_what_is_wrong(void **state) {
    (void)state;
    const char *bad[] = {
        "{}",
        "{\"types\":{},\"domain\":{},\"primaryType\":\"A\",\"message\":{}}",
        "{\"types\":{\"EIP712Domain\":[],\"A\":[{\"name\":\"x\",\"type\":\"uint8\"}]},\"domain\":"
        "{},\"primaryType\":\"A\",\"message\":{\"x\":256}}",
        "{\"types\":{\"EIP712Domain\":[],\"A\":[{\"name\":\"x\",\"type\":\"A\"}]},\"domain\":{},"
        "\"primaryType\":\"A\",\"message\":{\"x\":{\"x\":1}}}",
        "{\"types\":{\"EIP712Domain\":[],\"A\":[{\"name\":\"x\",\"type\":\"string[3]\"}]},"
        "\"domain\":{},\"primaryType\":\"A\",\"message\":{\"x\":[]}}",
        "{\"types\":{\"EIP712Domain\":[],\"A\":[{\"name\":\"x\",\"type\":\"floaty\"}]},"
        "\"domain\":{},\"primaryType\":\"A\",\"message\":{\"x\":1}}",
        "{\"types\":{\"EIP712Domain\":[],\"A\":[{\"name\":\"x\"}]},"
        "\"domain\":{},\"primaryType\":\"A\",\"message\":{\"x\":1}}",
        "{\"types\":{\"EIP712Domain\":[],\"A\":[{\"name\":\"x\",\"type\":\"bool\"}]},"
        "\"domain\":{},\"primaryType\":\"A\",\"message\":{}}",
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        cleanup_json struct json *doc = NULL;
        struct sr_err e = {0};
        struct hash h;
        assert_ok(json_parse(slice_str(bad[i]), &doc, &e));
        assert_int_equal(eip712_json(json_root(doc), &h, &e), SR_E_MALFORMED);
        assert_true(strlen(e.what) > 10);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_document_hashes_as_ethers_hashes_it),
        cmocka_unit_test(domains_separate),
        cmocka_unit_test(challenges_of_market_and_scheduler),
        cmocka_unit_test(broken_documents_say_what_is_wrong),
    };
    return cmocka_run_group_tests_name("eth/eip712", t, NULL, NULL);
}
