/* SPDX-License-Identifier: Apache-2.0 */
#include "vault_world.h"

static int set_up(void **state) {
    struct world *w;
    world_new(&w, "");
    *state = w;
    return 0;
}
static int tear_down(void **state) {
    world_free(*state);
    return 0;
}

/* The requests that the official client really sent: its signatures are good for the vault. */
static void secrets_of_the_official_client_are_stored(void **state) {
    struct world *w = *state;
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf file = {0}, rp = {0};
    buf_init(&file, 1 << 20), buf_init(&rp, VAULT_BODY_MAX);
    OK(fs_read(VECTORS "/execution/secrets-authorization.json", &file, NULL));
    OK(json_parse(buf_slice(&file), &doc, NULL));
    size_t stored = 0;
    for (const struct json_val *c = json_first(json_get(json_root(doc), "cases")); c;
         c = json_next(c)) {
        struct slice kind = {0}, name = {0}, value = {0}, header = {0}, first = {0};
        uint8_t sig[65];
        struct vault_secret_seal_req m = {0};
        cleanup_buf struct buf rq = {0};
        buf_init(&rq, VAULT_BODY_MAX);
        if (!json_str(json_get(c, "authorization_header"), &header) ||
            !json_str(json_get(c, "value"), &value) || !json_str(json_get(c, "kind"), &kind) ||
            value.n > WIRE_SECRET_MAX)
            continue;
        (void)first;
        assert_true(hex_decode(header, sig, 65));
        assert_true(json_addr(json_get(c, "signer"), &m.signer));
        assert_true(json_addr(json_get(c, "target"), &m.target));
        (void)json_str(json_get(c, "secret_name"), &name);
        m.kind = slice_is(kind, "web3")            ? SECRET_WEB3
                 : slice_is(kind, "web2")          ? SECRET_WEB2
                 : slice_starts(kind, "requester") ? SECRET_REQUESTER
                                                   : SECRET_APP;
        m.name = m.kind == SECRET_APP    ? slice_str("1")
                 : m.kind == SECRET_WEB3 ? slice_str("")
                                         : name;
        m.secret = value;
        m.signature = slice_of(sig, 65);
        vault_secret_seal_req_write(&rq, &m);
        struct sr_err e = {0};
        buf_clear(&rp);
        sr_status st =
            vault_dispatch(w->vault, &w->peer, VAULT_MSG_secret_seal, buf_slice(&rq), &rp, &e);
        if (st != SR_OK) {
            (void)json_str(json_get(c, "name"), &name);
            fail_msg("%.*s: %s", (int)name.n, (const char *)name.p, e.what);
        }
        stored++;
        /* Of another value it is no signature. */
        m.secret = SLICE_LIT("another value");
        buf_clear(&rq);
        vault_secret_seal_req_write(&rq, &m);
        assert_int_equal(
            vault_dispatch(w->vault, &w->peer, VAULT_MSG_secret_seal, buf_slice(&rq), &rp, NULL),
            SR_E_AUTH);
    }
    assert_true(stored >= 8);
}

static void what_is_stored_opens_only_where_it_belongs(void **state) {
    struct world *w = *state;
    struct buf s;
    struct vault_opened o = {0};
    struct slice secret = SLICE_LIT("the secret");
    struct addr other = {{9}};
    buf_init(&s, 16384);
    OK(world_store(w, SECRET_REQUESTER, &w->owner.addr, "name", &w->owner, secret, &s));
    assert_null(memmem(s.p, s.n, secret.p, secret.n));
    OK(vault_secret_open(w->vault, SECRET_REQUESTER, &w->owner.addr, slice_str("name"),
                         buf_slice(&s), &o, NULL));
    assert_true(slice_eq(buf_slice(&o.secret), secret));
    assert_true(addr_eq(&o.signer, &w->owner.addr));
    vault_opened_done(&o);
    assert_int_equal(vault_secret_open(w->vault, SECRET_WEB2, &w->owner.addr, slice_str("name"),
                                       buf_slice(&s), &o, NULL),
                     SR_E_CRYPTO);
    assert_int_equal(vault_secret_open(w->vault, SECRET_REQUESTER, &other, slice_str("name"),
                                       buf_slice(&s), &o, NULL),
                     SR_E_CRYPTO);
    assert_int_equal(vault_secret_open(w->vault, SECRET_REQUESTER, &w->owner.addr, slice_str("nam"),
                                       buf_slice(&s), &o, NULL),
                     SR_E_CRYPTO);
    for (size_t cut = 0; cut < s.n; cut++)
        assert_int_not_equal(vault_secret_open(w->vault, SECRET_REQUESTER, &w->owner.addr,
                                               slice_str("name"), slice_of(s.p, cut), &o, NULL),
                             SR_OK);
    buf_done(&s);
}

static void a_secret_may_come_sealed(void **state) {
    struct world *w = *state;
    struct slice secret = SLICE_LIT("sealed on the way");
    cleanup_buf struct buf aad = {0}, sealed = {0}, rq = {0}, rp = {0};
    struct vault_opened o = {0};
    struct vault_secret_seal_rep rep;
    struct sr_signature sig;
    buf_init(&aad, 256), buf_init(&sealed, 4096), buf_init(&rq, 65536), buf_init(&rp, 65536);
    wire_secret_aad(&aad, SECRET_WEB3, &w->dataset, slice_str(""));
    OK(hpke_seal(vault_sealing_key(w->vault), SLICE_LIT(WIRE_SECRET_INFO), buf_slice(&aad), secret,
                 &sealed, NULL));
    struct hash h = wire_secret_challenge(SECRET_WEB3, &w->dataset, slice_str(""), secret);
    h = eth_message_hash(&h);
    OK(secp_sign(&w->owner.key, &h, &sig, NULL));
    struct vault_secret_seal_req m = {.kind = SECRET_WEB3,
                                      .target = w->dataset,
                                      .signer = w->owner.addr,
                                      .sealed = 1,
                                      .secret = buf_slice(&sealed),
                                      .signature = slice_of(sig.b, 65)};
    vault_secret_seal_req_write(&rq, &m);
    OK(vault_dispatch(w->vault, &w->peer, VAULT_MSG_secret_seal, buf_slice(&rq), &rp, NULL));
    assert_true(vault_secret_seal_rep_read(buf_slice(&rp), &rep));
    OK(vault_secret_open(w->vault, SECRET_WEB3, &w->dataset, slice_str(""), rep.stored, &o, NULL));
    assert_true(slice_eq(buf_slice(&o.secret), secret));
    vault_opened_done(&o);
    /* Sealed for another target, or changed: no. */
    m.target.b[0] ^= 1;
    buf_clear(&rq);
    vault_secret_seal_req_write(&rq, &m);
    assert_int_equal(
        vault_dispatch(w->vault, &w->peer, VAULT_MSG_secret_seal, buf_slice(&rq), &rp, NULL),
        SR_E_CRYPTO);
}

/* The vault's answer to a secret that a contract stands by. */
static sr_status by_contract(struct world *w, secret_kind kind, const char *name,
                             const struct addr *who, struct slice origin, struct buf *ret) {
    cleanup_buf struct buf rq = {0}, rp = {0};
    struct vault_secret_seal_rep rep;
    buf_init(&rq, 65536), buf_init(&rp, 65536);
    vault_secret_seal_req_write(&rq, &(struct vault_secret_seal_req){.kind = (uint8_t)kind,
                                                                     .target = *who,
                                                                     .signer = *who,
                                                                     .name = slice_str(name),
                                                                     .secret = SLICE_LIT("mine"),
                                                                     .signature = SLICE_LIT("word"),
                                                                     .by_contract = 1,
                                                                     .origin = origin});
    SR_TRY(vault_dispatch(w->vault, &w->peer, VAULT_MSG_secret_seal, buf_slice(&rq), &rp, NULL));
    assert_true(vault_secret_seal_rep_read(buf_slice(&rp), &rep));
    buf_clear(ret);
    buf_add(ret, rep.stored);
    return SR_OK;
}

static void a_contract_is_believed_where_the_account_is_seen_to_be_one(void **state) {
    struct world *w = *state;
    uint8_t create[WIRE_ORIGIN_CREATE], create2[WIRE_ORIGIN_CREATE2];
    struct addr made, made2, key = w->owner.addr;
    struct vault_opened o = {0};
    cleanup_buf struct buf s = {0};
    buf_init(&s, 65536);
    /* EIP-1014's example 2, and the well-known first contract of an account */
    memset(create2, 0, sizeof create2);
    create2[0] = 0xff;
    assert_true(hex_decode(SLICE_LIT("deadbeef00000000000000000000000000000000"), create2 + 1, 20));
    assert_true(
        hex_decode(SLICE_LIT("bc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"),
                   create2 + 53, 32));
    assert_true(hex_decode(SLICE_LIT("B928f69Bb1D91Cd65274e3c79d8986362984fDA3"), made2.b, 20));
    memset(create, 0, sizeof create);
    assert_true(hex_decode(SLICE_LIT("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"), create, 20));
    assert_true(hex_decode(SLICE_LIT("cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"), made.b, 20));
    struct slice origin = slice_of(create, sizeof create),
                 origin2 = slice_of(create2, sizeof create2), none = slice_of(NULL, 0);
    OK(by_contract(w, SECRET_REQUESTER, "one", &made, origin, &s));
    OK(vault_secret_open(w->vault, SECRET_REQUESTER, &made, slice_str("one"), buf_slice(&s), &o,
                         NULL));
    assert_true(slice_is(buf_slice(&o.secret), "mine"));
    assert_true(addr_eq(&o.signer, &made));
    vault_opened_done(&o);
    OK(by_contract(w, SECRET_WEB2, "key", &made2, origin2, &s));
    /* whose origin it is not; an account with a key has none */
    assert_int_equal(by_contract(w, SECRET_WEB2, "key", &made, origin2, &s), SR_E_AUTH);
    assert_int_equal(by_contract(w, SECRET_WEB2, "key", &key, none, &s), SR_E_AUTH);
    assert_int_equal(by_contract(w, SECRET_REQUESTER, "one", &key, origin, &s), SR_E_AUTH);
    create2[0] = 0;
    assert_int_equal(by_contract(w, SECRET_WEB2, "key", &made2, origin2, &s), SR_E_AUTH);
    for (size_t n = 0; n < sizeof create; n++)
        assert_int_equal(by_contract(w, SECRET_REQUESTER, "one", &made, slice_of(create, n), &s),
                         SR_E_AUTH);
    /* who owns data and apps is the chain's word anyway */
    OK(by_contract(w, SECRET_WEB3, "", &key, none, &s));
    OK(by_contract(w, SECRET_APP, "1", &key, none, &s));
}

static void names_kinds_sizes_and_signers_are_checked(void **state) {
    struct world *w = *state;
    char big[WIRE_SECRET_MAX + 1], name[66];
    struct buf s;
    buf_init(&s, 1 << 20);
    memset(big, 'x', sizeof big);
    memset(name, 'n', 65);
    name[65] = 0;
    struct addr me = w->owner.addr;
    OK(world_store(w, SECRET_WEB2, &me, "a", &w->owner, slice_of(big, WIRE_SECRET_MAX), &s));
    assert_int_equal(
        world_store(w, SECRET_WEB2, &me, "a", &w->owner, slice_of(big, sizeof big), &s),
        SR_E_TOOBIG);
    struct slice x = SLICE_LIT("x");
    assert_int_equal(world_store(w, SECRET_WEB2, &me, "", &w->owner, x, &s), SR_E_MALFORMED);
    assert_int_equal(world_store(w, SECRET_WEB2, &me, "a b", &w->owner, x, &s), SR_E_MALFORMED);
    assert_int_equal(world_store(w, SECRET_WEB2, &me, name, &w->owner, x, &s), SR_E_MALFORMED);
    assert_int_equal(world_store(w, SECRET_WEB3, &me, "a", &w->owner, x, &s), SR_E_MALFORMED);
    assert_int_equal(world_store(w, SECRET_APP, &me, "2", &w->owner, x, &s), SR_E_MALFORMED);
    assert_int_equal(world_store(w, (secret_kind)0, &me, "a", &w->owner, x, &s), SR_E_MALFORMED);
    assert_int_equal(world_store(w, (secret_kind)5, &me, "a", &w->owner, x, &s), SR_E_MALFORMED);
    /* What belongs to a person is signed by him; what belongs to a contract, by whom the chain
     * names at the release. */
    assert_int_equal(world_store(w, SECRET_WEB2, &me, "a", &w->worker, x, &s), SR_E_AUTH);
    assert_int_equal(world_store(w, SECRET_REQUESTER, &me, "a", &w->worker, x, &s), SR_E_AUTH);
    OK(world_store(w, SECRET_WEB3, &w->dataset, "", &w->worker, x, &s));
    buf_done(&s);
}

static void the_sealing_key_is_proven_and_outlives_a_restart(void **state) {
    struct world *w = *state;
    cleanup_buf struct buf rp = {0};
    struct vault_key_proof_rep r;
    buf_init(&rp, 1000);
    OK(vault_dispatch(w->vault, &w->peer, VAULT_MSG_key_proof, slice_of(NULL, 0), &rp, NULL));
    assert_true(vault_key_proof_rep_read(buf_slice(&rp), &r));
    struct hash h = wire_vault_key_hash(vault_sealing_key(w->vault));
    OK(eth_message_check(&h, slice_of(r.signature.b, 65), &w->sms.addr, NULL));

    struct person master;
    struct vault *again = NULL;
    struct vault_config c = {.role = VAULT_SMS, .chain_id = CHAIN_ID, .hub = w->hub};
    person_new(&master, "master");
    c.key = &w->sms.key, c.master = &master.key, c.limits = vault_limits_default();
    OK(tee_trust_new(buf_slice(&w->authority.verifier), true, &c.take_trust, NULL));
    OK(vault_new(&c, &again, NULL));
    assert_memory_equal(vault_sealing_key(w->vault), vault_sealing_key(again), 32);
    struct vault_opened o = {0};
    OK(vault_secret_open(again, SECRET_WEB3, &w->dataset, slice_str(""),
                         buf_slice(&w->secret[0].stored), &o, NULL));
    vault_opened_done(&o);
    vault_free(again);
    /* Another master key opens nothing. */
    secret_free(&master.key);
    person_new(&master, "another master");
    OK(tee_trust_new(buf_slice(&w->authority.verifier), true, &c.take_trust, NULL));
    OK(vault_new(&c, &again, NULL));
    assert_int_equal(vault_secret_open(again, SECRET_WEB3, &w->dataset, slice_str(""),
                                       buf_slice(&w->secret[0].stored), &o, NULL),
                     SR_E_CRYPTO);
    vault_free(again);
    secret_free(&master.key);
}

static void a_vault_without_its_keys_does_not_start(void **state) {
    struct world *w = *state;
    struct vault *v = NULL;
    struct vault_config c = {.role = VAULT_SMS, .chain_id = CHAIN_ID, .hub = w->hub};
    c.key = &w->sms.key;
    assert_int_equal(vault_new(&c, &v, NULL), SR_E_USAGE); /* no master */
    c.master = &w->sms.key;
    assert_int_equal(vault_new(&c, &v, NULL), SR_E_USAGE); /* no authority */
    c.role = VAULT_SMS | VAULT_WORKER;
    assert_int_equal(vault_new(&c, &v, NULL), SR_E_USAGE);
    struct sr_secret zero = {0};
    OK(secret_new(32, &zero, NULL));
    c.role = VAULT_WORKER;
    c.key = &zero;
    assert_int_equal(vault_new(&c, &v, NULL), SR_E_CRYPTO);
    secret_free(&zero);
    assert_null(v);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest t[] = {
        T(secrets_of_the_official_client_are_stored),
        T(what_is_stored_opens_only_where_it_belongs),
        T(a_secret_may_come_sealed),
        T(a_contract_is_believed_where_the_account_is_seen_to_be_one),
        T(names_kinds_sizes_and_signers_are_checked),
        T(the_sealing_key_is_proven_and_outlives_a_restart),
        T(a_vault_without_its_keys_does_not_start),
    };
    return cmocka_run_group_tests_name("vault/secrets", t, NULL, NULL);
}
