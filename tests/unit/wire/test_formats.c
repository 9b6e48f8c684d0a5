/* SPDX-License-Identifier: Apache-2.0 */
/* The signed records against the official vectors, and what each check must refuse. */
#include "wire/formats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct json *vectors(const char *name) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/execution/%s", VECTORS, name);
    cleanup_buf struct buf b;
    buf_init(&b, 4u << 20);
    struct sr_err e = {0};
    struct json *doc = NULL;
    assert_int_equal(fs_read(path, &b, &e), SR_OK);
    assert_int_equal(json_parse(buf_slice(&b), &doc, &e), SR_OK);
    return doc;
}

static struct hash hash_at(const struct json_val *v, const char *key) {
    struct hash h;
    assert_true(json_hash(json_get(v, key), &h));
    return h;
}

static struct addr addr_at(const struct json_val *v, const char *key) {
    struct addr a;
    assert_true(json_addr(json_get(v, key), &a));
    return a;
}

static struct sr_signature signature_at(const struct json_val *v, const char *key) {
    struct sr_signature s;
    assert_true(hex_decode(json_text(json_get(v, key)), s.b, sizeof s.b));
    return s;
}

static void assert_hash(struct hash got, struct hash want) {
    assert_memory_equal(got.b, want.b, sizeof got.b);
}

static void authorisations_are_the_official_ones(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors("workerpool-authorization.json");
    const struct json_val *cases = json_get(json_root(doc), "cases");
    assert_true(json_len(cases) > 0);
    for (const struct json_val *c = json_first(cases); c; c = json_next(c)) {
        struct addr worker = addr_at(c, "worker"), challenge = addr_at(c, "enclave_challenge");
        struct addr signer = addr_at(c, "signer");
        struct hash task = hash_at(c, "task_id");
        struct hash h = wire_authorisation_hash(&worker, &task, &challenge);
        assert_hash(h, hash_at(c, "hash"));
        assert_hash(eth_message_hash(&h), hash_at(c, "eip191_digest"));
        struct sr_signature s = signature_at(c, "signature");
        assert_int_equal(eth_message_check(&h, slice_of(s.b, sizeof s.b), &signer, NULL), SR_OK);
    }
}

static void result_hashes_are_the_official_ones(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors("contribution.json");
    const struct json_val *cases = json_get(json_root(doc), "hashes");
    assert_true(json_len(cases) > 0);
    for (const struct json_val *c = json_first(cases); c; c = json_next(c)) {
        struct hash task = hash_at(c, "task_id"), digest = hash_at(c, "result_digest");
        struct addr worker = addr_at(c, "worker"), signer = addr_at(c, "enclave_signer");
        struct hash rh = wire_result_hash(&task, &digest);
        struct hash seal = wire_result_seal(&worker, &task, &digest);
        assert_hash(rh, hash_at(c, "result_hash"));
        assert_hash(seal, hash_at(c, "result_seal"));
        struct hash m = wire_enclave_message(&rh, &seal);
        assert_hash(m, hash_at(c, "enclave_message_hash"));
        struct sr_signature s = signature_at(c, "enclave_signature");
        assert_int_equal(eth_message_check(&m, slice_of(s.b, sizeof s.b), &signer, NULL), SR_OK);
    }
}

static void secret_challenges_are_the_official_ones(void **state) {
    (void)state;
    cleanup_json struct json *doc = vectors("secrets-authorization.json");
    size_t checked = 0;
    for (const struct json_val *c = json_first(json_get(json_root(doc), "cases")); c;
         c = json_next(c)) {
        if (!json_is(json_get(c, "challenge"), JSON_STRING)) continue;
        struct slice kind = json_text(json_get(c, "kind"));
        secret_kind k = slice_is(kind, "web3")        ? SECRET_WEB3
                        : slice_is(kind, "web2")      ? SECRET_WEB2
                        : slice_is(kind, "requester") ? SECRET_REQUESTER
                                                      : SECRET_APP;
        struct slice name =
            k == SECRET_APP ? SLICE_LIT("1") : json_text(json_get(c, "secret_name"));
        struct addr target = addr_at(c, "target"), signer = addr_at(c, "signer");
        struct hash h = wire_secret_challenge(k, &target, name, json_text(json_get(c, "value")));
        assert_hash(h, hash_at(c, "challenge"));
        struct sr_signature s = signature_at(c, "authorization_header");
        assert_int_equal(eth_message_check(&h, slice_of(s.b, sizeof s.b), &signer, NULL), SR_OK);
        checked++;
    }
    assert_true(checked >= 5);
}

static void fill(void *p, size_t n, uint8_t seed) {
    for (size_t i = 0; i < n; i++) ((uint8_t *)p)[i] = (uint8_t)(seed + i);
}

struct signed_token {
    struct wire_token t;
    struct addr identity;
    uint8_t bytes[WIRE_TOKEN_BYTES];
};

static struct signed_token a_token(void) {
    struct signed_token s = {0};
    struct sr_err e = {0};
    cleanup_secret struct sr_secret key = {0};
    assert_int_equal(secp_keygen(&key, &e), SR_OK);
    assert_int_equal(secp_address(&key, &s.identity, &e), SR_OK);
    fill(s.t.task.b, 32, 1);
    fill(s.t.worker.b, 20, 2);
    fill(s.t.challenge.b, 20, 3);
    fill(s.t.evidence_digest.b, 32, 4);
    s.t.verdict = WIRE_SIMULATED;
    s.t.expires_unix_s = 1000;
    struct hash h = wire_token_hash(&s.t), m = eth_message_hash(&h);
    assert_int_equal(secp_sign(&key, &m, &s.t.signature, &e), SR_OK);
    wire_token_write(s.bytes, &s.t);
    return s;
}

static void a_token_survives_the_wire(void **state) {
    (void)state;
    struct signed_token s = a_token();
    struct wire_token back;
    struct sr_err e = {0};
    assert_int_equal(wire_token_check(slice_of(s.bytes, sizeof s.bytes), &s.identity, &s.t.task,
                                      &s.t.worker, &s.t.challenge, 999, &back, &e),
                     SR_OK);
    assert_int_equal(back.verdict, WIRE_SIMULATED);
    assert_memory_equal(back.evidence_digest.b, s.t.evidence_digest.b, 32);
}

static void a_token_with_any_byte_changed_is_refused(void **state) {
    (void)state;
    struct signed_token s = a_token();
    struct wire_token back;
    for (size_t i = 0; i < sizeof s.bytes; i++) {
        s.bytes[i] ^= 1;
        assert_int_not_equal(wire_token_check(slice_of(s.bytes, sizeof s.bytes), &s.identity,
                                              &s.t.task, &s.t.worker, &s.t.challenge, 999, &back,
                                              NULL),
                             SR_OK);
        s.bytes[i] ^= 1;
    }
}

static void a_token_is_for_one_task_worker_challenge_and_time(void **state) {
    (void)state;
    struct signed_token s = a_token();
    struct slice b = slice_of(s.bytes, sizeof s.bytes);
    struct wire_token back;
    struct hash other_task = s.t.task;
    other_task.b[0] ^= 1;
    struct addr other = s.t.worker;
    other.b[0] ^= 1;
    assert_int_equal(
        wire_token_check(b, &s.identity, &other_task, &s.t.worker, &s.t.challenge, 1, &back, NULL),
        SR_E_AUTH);
    assert_int_equal(
        wire_token_check(b, &s.identity, &s.t.task, &other, &s.t.challenge, 1, &back, NULL),
        SR_E_AUTH);
    assert_int_equal(
        wire_token_check(b, &s.identity, &s.t.task, &s.t.worker, &other, 1, &back, NULL),
        SR_E_AUTH);
    assert_int_equal(
        wire_token_check(b, &other, &s.t.task, &s.t.worker, &s.t.challenge, 1, &back, NULL),
        SR_E_AUTH);
    assert_int_equal(
        wire_token_check(b, &s.identity, &s.t.task, &s.t.worker, &s.t.challenge, 1000, &back, NULL),
        SR_E_AUTH);
}

static void a_token_truncated_at_every_length_is_refused(void **state) {
    (void)state;
    struct signed_token s = a_token();
    struct wire_token back;
    for (size_t cut = 0; cut < sizeof s.bytes; cut++)
        assert_false(wire_token_read(slice_of(s.bytes, cut), &back));
}

static void an_assignment_survives_json_and_needs_every_key(void **state) {
    (void)state;
    struct wire_assignment a = {.expires_unix_s = 77}, back;
    fill(a.task.b, 32, 9);
    fill(a.worker.b, 20, 8);
    fill(a.nonce.b, 32, 7);
    fill(a.signature.b, 65, 6);
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    wire_assignment_write(&w, &a);
    struct sr_err e = {0};
    cleanup_json struct json *doc = NULL;
    assert_int_equal(json_parse(buf_slice(&b), &doc, &e), SR_OK);
    assert_true(wire_assignment_read(json_root(doc), &back));
    assert_hash(wire_assignment_hash(&back), wire_assignment_hash(&a));
    assert_memory_equal(back.signature.b, a.signature.b, 65);
    cleanup_json struct json *empty = NULL;
    assert_int_equal(json_parse(SLICE_LIT("{\"task\":\"0x\"}"), &empty, &e), SR_OK);
    assert_false(wire_assignment_read(json_root(empty), &back));
}

static void report_data_binds_every_field(void **state) {
    (void)state;
    struct wire_binding b;
    fill(&b, sizeof b, 5);
    uint8_t first[64], other[64];
    struct sr_err e = {0};
    assert_int_equal(wire_report_data(&b, first, &e), SR_OK);
    for (size_t i = 0; i < sizeof b; i++) {
        ((uint8_t *)&b)[i] ^= 1;
        assert_int_equal(wire_report_data(&b, other, &e), SR_OK);
        assert_memory_not_equal(first, other, sizeof first);
        ((uint8_t *)&b)[i] ^= 1;
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(authorisations_are_the_official_ones),
        cmocka_unit_test(result_hashes_are_the_official_ones),
        cmocka_unit_test(secret_challenges_are_the_official_ones),
        cmocka_unit_test(a_token_survives_the_wire),
        cmocka_unit_test(a_token_with_any_byte_changed_is_refused),
        cmocka_unit_test(a_token_is_for_one_task_worker_challenge_and_time),
        cmocka_unit_test(a_token_truncated_at_every_length_is_refused),
        cmocka_unit_test(an_assignment_survives_json_and_needs_every_key),
        cmocka_unit_test(report_data_binds_every_field),
    };
    return cmocka_run_group_tests_name("wire/formats", t, NULL, NULL);
}
