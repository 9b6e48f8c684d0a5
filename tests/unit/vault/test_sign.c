/* SPDX-License-Identifier: Apache-2.0 */
#include "poco/calls.h"
#include "vault_world.h"

#include "eth/tx.h"

#define BYTES(x) slice_of((x).b, sizeof(x).b)

/* A vault of one role, and who is in it. */
struct role {
    struct vault *v;
    struct vault_peer peer;
    struct person me, sms, other;
    struct addr hub, workerpool;
    struct poco_domain domain;
};

static void role_new(struct role *r, uint32_t role) {
    memset(r, 0, sizeof *r);
    person_new(&r->me, "me"), person_new(&r->sms, "sms"), person_new(&r->other, "other");
    memset(r->hub.b, 0x44, 20);
    memset(r->workerpool.b, 0x55, 20);
    r->domain = poco_domain_of(CHAIN_ID, &r->hub);
    struct vault_config c = {.role = role,
                             .chain_id = CHAIN_ID,
                             .hub = r->hub,
                             .workerpool = r->workerpool,
                             .sms_identity = r->sms.addr,
                             .key = &r->me.key,
                             .limits = vault_limits_default()};
    c.limits.tx_per_day = 50;
    c.limits.order_max_price = u256_of(1000);
    c.limits.order_min_price = u256_of(10);
    OK(vault_new(&c, &r->v, NULL));
    vault_set_time(r->v, NOW);
    r->peer.greeted = true;
}
static void role_done(struct role *r) {
    vault_free(r->v);
    secret_free(&r->me.key), secret_free(&r->sms.key), secret_free(&r->other.key);
}

static sr_status send_body(struct role *r, uint16_t type, const struct buf *rq,
                           struct sr_signature *sig, struct sr_err *err) {
    cleanup_buf struct buf rp = {0};
    buf_init(&rp, VAULT_BODY_MAX);
    SR_TRY(vault_dispatch(r->v, &r->peer, type, buf_slice(rq), &rp, err));
    assert_int_equal(rp.n, 65);
    memcpy(sig->b, rp.p, 65);
    return SR_OK;
}

/* ASK(role, message, &sig, fields…): its status */
#define ASK(r, name, sig, ...)                                                                     \
    ({                                                                                             \
        struct buf ask_rq;                                                                         \
        buf_init(&ask_rq, VAULT_BODY_MAX);                                                         \
        vault_##name##_req_write(&ask_rq, &(struct vault_##name##_req){__VA_ARGS__});              \
        sr_status ask_st = send_body((r), VAULT_MSG_##name, &ask_rq, (sig), NULL);                 \
        buf_done(&ask_rq);                                                                         \
        ask_st;                                                                                    \
    })

static void a_scheduler_assigns_for_a_quarter_of_an_hour(void **state) {
    (void)state;
    struct role r;
    struct sr_signature s;
    role_new(&r, VAULT_SCHEDULER);
    struct wire_assignment a = {.task = {{1}}, .worker = {{2}}, .nonce = {{3}}};
    a.expires_unix_s = NOW + WIRE_ASSIGNMENT_LIFE_S;
    OK(ASK(&r, sign_assignment, &s, .task = a.task, .worker = a.worker, .nonce = a.nonce,
           .expires = a.expires_unix_s));
    struct hash h = wire_assignment_hash(&a);
    OK(eth_message_check(&h, BYTES(s), &r.me.addr, NULL));
    assert_int_equal(ASK(&r, sign_assignment, &s, .task = a.task, .expires = NOW), SR_E_REFUSED);
    assert_int_equal(
        ASK(&r, sign_assignment, &s, .task = a.task, .expires = NOW + WIRE_ASSIGNMENT_LIFE_S + 1),
        SR_E_REFUSED);
    assert_int_equal(ASK(&r, sign_assignment, &s, .task = a.task, .expires = UINT64_MAX),
                     SR_E_REFUSED);
    role_done(&r);
}

static void a_scheduler_authorises_only_what_the_sms_has_attested(void **state) {
    (void)state;
    struct role r;
    struct sr_signature s;
    uint8_t bytes[WIRE_TOKEN_BYTES];
    role_new(&r, VAULT_SCHEDULER);
    struct wire_token t = {.task = {{1}},
                           .worker = {{2}},
                           .challenge = {{3}},
                           .verdict = WIRE_SIMULATED,
                           .expires_unix_s = NOW + 10};
    struct hash h = wire_token_hash(&t);
    h = eth_message_hash(&h);
    OK(secp_sign(&r.sms.key, &h, &t.signature, NULL));
    wire_token_write(bytes, &t);
    struct slice token = slice_of(bytes, sizeof bytes);
    OK(ASK(&r, sign_authorisation, &s, .task = t.task, .worker = t.worker, .challenge = t.challenge,
           .token = token));
    h = wire_authorisation_hash(&t.worker, &t.task, &t.challenge);
    OK(eth_message_check(&h, BYTES(s), &r.me.addr, NULL));
    assert_int_equal(ASK(&r, sign_authorisation, &s, .task = {{9}}, .worker = t.worker,
                         .challenge = t.challenge, .token = token),
                     SR_E_AUTH);
    assert_int_equal(ASK(&r, sign_authorisation, &s, .task = t.task, .worker = {{9}},
                         .challenge = t.challenge, .token = token),
                     SR_E_AUTH);
    assert_int_equal(ASK(&r, sign_authorisation, &s, .task = t.task, .worker = t.worker,
                         .challenge = {{9}}, .token = token),
                     SR_E_AUTH);
    vault_set_time(r.v, NOW + 10);
    assert_int_equal(ASK(&r, sign_authorisation, &s, .task = t.task, .worker = t.worker,
                         .challenge = t.challenge, .token = token),
                     SR_E_AUTH);
    vault_set_time(r.v, NOW);
    h = wire_token_hash(&t); /* signed by somebody else */
    h = eth_message_hash(&h);
    OK(secp_sign(&r.other.key, &h, &t.signature, NULL));
    wire_token_write(bytes, &t);
    assert_int_equal(ASK(&r, sign_authorisation, &s, .task = t.task, .worker = t.worker,
                         .challenge = t.challenge, .token = token),
                     SR_E_AUTH);
    for (size_t cut = 0; cut < token.n; cut++)
        assert_int_not_equal(ASK(&r, sign_authorisation, &s, .task = t.task, .worker = t.worker,
                                 .challenge = t.challenge, .token = slice_of(bytes, cut)),
                             SR_OK);
    role_done(&r);
}

static sr_status sign_order(struct role *r, const struct poco_order *o, struct sr_signature *s) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, 8192);
    struct jw w = jw_of(&b);
    poco_order_json(&w, o, false, false);
    return ASK(r, sign_order, s, .order = buf_slice(&b));
}

static void orders_of_the_own_pool_within_bounds(void **state) {
    (void)state;
    struct role r;
    struct sr_signature s;
    struct addr signer;
    role_new(&r, VAULT_SCHEDULER);
    struct poco_order o = {.kind = POCO_WORKERPOOL};
    o.workerpool = (struct poco_workerpoolorder){.workerpool = r.workerpool,
                                                 .workerpoolprice = u256_of(1000),
                                                 .volume = u256_of(1000000),
                                                 .trust = u256_of(1)};
    OK(sign_order(&r, &o, &s));
    poco_sign_set(&o.sign, &s);
    OK(poco_order_signer(&o, &r.domain, &signer, NULL));
    assert_true(addr_eq(&signer, &r.me.addr));
    o.sign.n = 0;
    o.workerpool.workerpoolprice = u256_of(1001);
    assert_int_equal(sign_order(&r, &o, &s), SR_E_REFUSED);
    o.workerpool.workerpoolprice = u256_of(9);
    assert_int_equal(sign_order(&r, &o, &s), SR_E_REFUSED);
    o.workerpool.workerpoolprice = u256_of(10);
    o.workerpool.volume = u256_of(1000001);
    assert_int_equal(sign_order(&r, &o, &s), SR_E_REFUSED);
    o.workerpool.volume = u256_of(1);
    o.workerpool.workerpool.b[0] ^= 1;
    assert_int_equal(sign_order(&r, &o, &s), SR_E_REFUSED);
    /* An order of another kind, or none at all. */
    struct poco_order app = {.kind = POCO_APP};
    assert_int_equal(sign_order(&r, &app, &s), SR_E_MALFORMED);
    assert_int_equal(ASK(&r, sign_order, &s, .order = SLICE_LIT("{")), SR_E_MALFORMED);
    role_done(&r);
}

static void a_markets_challenge_and_no_other_domain(void **state) {
    (void)state;
    struct role r;
    struct sr_signature s;
    struct addr signer;
    role_new(&r, VAULT_SCHEDULER);
    struct slice text = SLICE_LIT("Sign this message to log into iExec Gateway: abc");
    OK(ASK(&r, sign_market, &s, .domain_name = SLICE_LIT("iExec Gateway"),
           .domain_version = SLICE_LIT("1"), .challenge = text));
    struct hash h = eip712_challenge("iExec Gateway", CHAIN_ID, text);
    OK(secp_recover(&h, BYTES(s), &signer, NULL));
    assert_true(addr_eq(&signer, &r.me.addr));
    assert_int_equal(ASK(&r, sign_market, &s, .domain_name = SLICE_LIT("iExecODB"),
                         .domain_version = SLICE_LIT("5.0.0"), .challenge = text),
                     SR_E_REFUSED);
    assert_int_equal(ASK(&r, sign_market, &s, .domain_name = SLICE_LIT("iExec Gateway"),
                         .domain_version = SLICE_LIT("2"), .challenge = text),
                     SR_E_REFUSED);
    role_done(&r);
}

static void a_worker_signs_logins_and_release_requests(void **state) {
    (void)state;
    struct role r;
    struct sr_signature s;
    struct hash nonce = {{1}}, task = {{2}}, digest = {{3}};
    role_new(&r, VAULT_WORKER);
    OK(ASK(&r, sign_login, &s, .nonce = nonce, .workerpool = r.workerpool));
    struct hash h = wire_login_hash(&r.workerpool, &nonce, &r.me.addr);
    OK(eth_message_check(&h, BYTES(s), &r.me.addr, NULL));
    OK(ASK(&r, sign_release, &s, .task = task, .nonce = nonce, .evidence_digest = digest));
    h = wire_release_hash(&task, &r.me.addr, &nonce, &digest);
    OK(eth_message_check(&h, BYTES(s), &r.me.addr, NULL));
    role_done(&r);
}

/* ---- transactions ---- */

/* The payload as an encoder of its own would write it (vault_client's links the network). */
static void payload(const struct eth_tx *tx, struct buf *ret) {
    struct buf items;
    buf_init(&items, 1 << 20);
    rlp_u64(&items, tx->chain_id);
    rlp_u64(&items, tx->nonce);
    rlp_u256(&items, tx->max_tip);
    rlp_u256(&items, tx->max_fee);
    rlp_u64(&items, tx->gas_limit);
    rlp_bytes(&items, BYTES(tx->to));
    rlp_u256(&items, tx->value);
    rlp_bytes(&items, tx->data);
    rlp_list(&items, tx->access_list);
    buf_u8(ret, 0x02);
    rlp_list(ret, buf_slice(&items));
    buf_done(&items);
}

static sr_status sign_tx(struct role *r, const struct eth_tx *tx, struct sr_signature *s) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, 1 << 20);
    payload(tx, &b);
    return ASK(r, sign_tx, s, .payload = buf_slice(&b));
}

static struct eth_tx tx_with(const struct role *r, struct buf *data) {
    return (struct eth_tx){.type = TX_1559,
                           .chain_id = CHAIN_ID,
                           .nonce = 7,
                           .gas_limit = 500000,
                           .max_fee = u256_of(2000000000),
                           .max_tip = u256_of(1),
                           .to = r->hub,
                           .data = buf_slice(data)};
}

static void initialise(struct buf *b) {
    struct hash deal = {{1}};
    buf_init(b, 1000);
    OK(poco_enc_initialize(b, &deal, u256_of(0), NULL));
}

static void a_transaction_is_signed_as_the_chain_wants_it(void **state) {
    (void)state;
    struct role r;
    struct sr_signature s;
    struct buf data, raw;
    struct eth_tx back;
    struct sr_signature back_sig;
    struct addr from;
    role_new(&r, VAULT_WORKER);
    initialise(&data);
    struct eth_tx tx = tx_with(&r, &data);
    OK(sign_tx(&r, &tx, &s));
    buf_init(&raw, 10000);
    OK(tx_encode(&tx, &s, &raw, NULL, NULL));
    OK(tx_decode(buf_slice(&raw), &back, &back_sig, &from, NULL));
    assert_true(addr_eq(&from, &r.me.addr));
    buf_done(&raw), buf_done(&data);
    role_done(&r);
}

static void each_bound_of_a_transaction_is_kept(void **state) {
    (void)state;
    struct role r;
    struct sr_signature s;
    struct buf data;
    role_new(&r, VAULT_WORKER);
    initialise(&data);
    const struct eth_tx good = tx_with(&r, &data);
    struct eth_tx tx = good;
    OK(sign_tx(&r, &tx, &s));
#define REFUSED_WITH(change)                                                                       \
    do {                                                                                           \
        tx = good;                                                                                 \
        change;                                                                                    \
        assert_int_equal(sign_tx(&r, &tx, &s), SR_E_REFUSED);                                      \
    } while (0)
    REFUSED_WITH(tx.chain_id++);
    REFUSED_WITH(tx.to.b[0] ^= 1);
    REFUSED_WITH(tx.value = u256_of(1));
    REFUSED_WITH(tx.gas_limit = vault_limits_default().gas + 1);
    REFUSED_WITH(tx.max_fee = u256_of(UINT64_MAX));
    REFUSED_WITH(tx.max_tip = u256_of(2000000001));
    REFUSED_WITH(tx.data = slice_of(NULL, 0));
    REFUSED_WITH(tx.data.n--);
#undef REFUSED_WITH
    tx = good; /* an access list is no business of ours */
    tx.access_list = SLICE_LIT("\x80");
    assert_int_equal(sign_tx(&r, &tx, &s), SR_E_MALFORMED);
    buf_done(&data);
    role_done(&r);
}

/* Every call we know, against the list of each role. */
static void only_the_calls_on_the_roles_list_are_signed(void **state) {
    (void)state;
    static const struct {
        const char *signature;
        unsigned roles;
    } calls[] = {
        {"initialize(bytes32,uint256)", VAULT_WORKER | VAULT_SCHEDULER},
        {"contribute(bytes32,bytes32,bytes32,address,bytes,bytes)", VAULT_WORKER},
        {"contributeAndFinalize(bytes32,bytes32,bytes,bytes,address,bytes,bytes)", VAULT_WORKER},
        {"reveal(bytes32,bytes32)", VAULT_WORKER},
        {"reopen(bytes32)", VAULT_SCHEDULER},
        {"finalize(bytes32,bytes,bytes)", VAULT_SCHEDULER},
        {"claim(bytes32)", VAULT_SCHEDULER},
        {"claimArray(bytes32[])", VAULT_SCHEDULER},
        {"initializeArray(bytes32[],uint256[])", VAULT_SCHEDULER},
        {"initializeAndClaimArray(bytes32[],uint256[])", VAULT_SCHEDULER},
        {"deposit(uint256)", 0},
        {"withdraw(uint256)", 0},
        {"approveAndCall(address,uint256,bytes)", 0},
        {"transfer(address,uint256)", 0},
        {"approve(address,uint256)", 0},
        {"transferFrom(address,address,uint256)", 0},
        {"withdrawTo(uint256,address)", 0},
        {"depositFor(address)", 0},
        {"transferOwnership(address)", 0},
        {"diamondCut((address,uint8,bytes4[])[],address,bytes)", 0},
        {"manageWorkerpoolOrder(bytes32)", 0},
    };
    const uint32_t roles[] = {VAULT_WORKER, VAULT_SCHEDULER};
    for (size_t k = 0; k < SR_ARRAY_LEN(roles); k++) {
        struct role r;
        struct sr_signature s;
        role_new(&r, roles[k]);
        for (size_t i = 0; i < SR_ARRAY_LEN(calls); i++) {
            struct buf data;
            struct abi_val v[7];
            size_t n = 0;
            buf_init(&data, 10000);
            const char *types = strchr(calls[i].signature, '(');
            for (const char *p = types; *p && n < 7; p++) {
                if (*p != '(' && *p != ',') continue;
                v[n++] = strncmp(p + 1, "address", 7) == 0    ? av_addr(&r.hub)
                         : strncmp(p + 1, "bytes32[", 8) == 0 ? av_list(NULL, 0)
                         : strncmp(p + 1, "uint256[", 8) == 0 ? av_list(NULL, 0)
                         : strncmp(p + 1, "bytes32", 7) == 0  ? av_hash(&(struct hash){{1}})
                         : strncmp(p + 1, "bytes", 5) == 0    ? av_bytes(SLICE_LIT("x"))
                                                              : av_u64(1);
            }
            if (strchr(types + 1, '(')) { /* nested: the selector is enough */
                uint8_t sel[4];
                abi_selector(calls[i].signature, sel);
                buf_put(&data, sel, 4);
            } else {
                OK(abi_encode_call(&data, calls[i].signature, v, n, NULL));
            }
            struct eth_tx tx = tx_with(&r, &data);
            sr_status st = sign_tx(&r, &tx, &s);
            sr_status want = calls[i].roles & roles[k] ? SR_OK : SR_E_REFUSED;
            if (st != want) fail_msg("%s: %s", calls[i].signature, sr_status_name(st));
            buf_done(&data);
        }
        role_done(&r);
    }
}

static void payloads_cut_or_lengthened_are_no_transactions(void **state) {
    (void)state;
    struct role r;
    struct sr_signature s;
    struct buf data, b;
    role_new(&r, VAULT_WORKER);
    initialise(&data);
    struct eth_tx tx = tx_with(&r, &data);
    buf_init(&b, 10000);
    payload(&tx, &b);
    for (size_t cut = 0; cut < b.n; cut++)
        assert_int_equal(ASK(&r, sign_tx, &s, .payload = slice_of(b.p, cut)), SR_E_MALFORMED);
    buf_u8(&b, 0);
    assert_int_equal(ASK(&r, sign_tx, &s, .payload = buf_slice(&b)), SR_E_MALFORMED);
    b.n--;
    b.p[0] = 0x01;
    assert_int_equal(ASK(&r, sign_tx, &s, .payload = buf_slice(&b)), SR_E_MALFORMED);
    buf_done(&b), buf_done(&data);
    role_done(&r);
}

static void a_days_transactions_end_and_begin_again(void **state) {
    (void)state;
    struct role r;
    struct sr_signature s;
    struct buf data;
    role_new(&r, VAULT_WORKER);
    initialise(&data);
    struct eth_tx tx = tx_with(&r, &data);
    for (unsigned i = 0; i < 50; i++) OK(sign_tx(&r, &tx, &s));
    assert_int_equal(sign_tx(&r, &tx, &s), SR_E_REFUSED);
    vault_set_time(r.v, NOW + 86400);
    OK(sign_tx(&r, &tx, &s));
    /* Fees too: 10^7 gas at 500 gwei is 5 ether; twenty of them are a day's. */
    tx.gas_limit = 10000000;
    tx.max_fee = u256_of(500000000000ull);
    for (unsigned i = 0; i < 19; i++) OK(sign_tx(&r, &tx, &s));
    assert_int_equal(sign_tx(&r, &tx, &s), SR_E_REFUSED);
    buf_done(&data);
    role_done(&r);
}

/* ---- the table ---- */

static void no_role_may_send_what_is_anothers(void **state) {
    (void)state;
    static const struct {
        uint16_t type;
        uint32_t roles;
    } all[] = {
#define M(num, name, roles, max, request, reply) {(num), (roles)},
        VAULT_MSGS(M)
#undef M
    };
    const uint32_t roles[] = {VAULT_WORKER, VAULT_SCHEDULER};
    struct buf rp;
    buf_init(&rp, VAULT_BODY_MAX);
    for (size_t k = 0; k < SR_ARRAY_LEN(roles); k++) {
        struct role r;
        role_new(&r, roles[k]);
        for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) {
            if (all[i].roles & roles[k]) continue;
            assert_int_equal(
                vault_dispatch(r.v, &r.peer, all[i].type, slice_of(NULL, 0), &rp, NULL), SR_E_AUTH);
        }
        for (uint32_t type = 0; type < 65536; type += type < 300 ? 1 : 111) {
            bool known = false;
            for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) known |= all[i].type == type;
            if (!known)
                assert_int_equal(
                    vault_dispatch(r.v, &r.peer, (uint16_t)type, slice_of(NULL, 0), &rp, NULL),
                    SR_E_NOTFOUND);
        }
        assert_int_equal(rp.n, 0);
        role_done(&r);
    }
    buf_done(&rp);
}

static void a_greeting_comes_first_and_once(void **state) {
    (void)state;
    struct role r;
    struct vault_hello_rep hello;
    struct buf rq, rp;
    role_new(&r, VAULT_WORKER);
    buf_init(&rq, 1000), buf_init(&rp, 1000);
    r.peer.greeted = false;
    vault_sign_login_req_write(&rq, &(struct vault_sign_login_req){0});
    assert_int_equal(vault_dispatch(r.v, &r.peer, VAULT_MSG_sign_login, buf_slice(&rq), &rp, NULL),
                     SR_E_USAGE);
    buf_clear(&rq);
    vault_hello_req_write(&rq, &(struct vault_hello_req){.version = VAULT_VERSION + 1});
    assert_int_equal(vault_dispatch(r.v, &r.peer, VAULT_MSG_hello, buf_slice(&rq), &rp, NULL),
                     SR_E_USAGE);
    assert_false(r.peer.greeted);
    buf_clear(&rq);
    vault_hello_req_write(&rq, &(struct vault_hello_req){.version = VAULT_VERSION});
    OK(vault_dispatch(r.v, &r.peer, VAULT_MSG_hello, buf_slice(&rq), &rp, NULL));
    assert_true(vault_hello_rep_read(buf_slice(&rp), &hello));
    assert_true(addr_eq(&hello.wallet, &r.me.addr));
    assert_true(slice_is(hello.role, "worker"));
    assert_int_equal(vault_dispatch(r.v, &r.peer, VAULT_MSG_hello, buf_slice(&rq), &rp, NULL),
                     SR_E_USAGE);
    buf_done(&rq), buf_done(&rp);
    role_done(&r);
}

static void bodies_over_their_limit_are_refused(void **state) {
    (void)state;
    struct role r;
    struct buf rp;
    static uint8_t body[VAULT_BODY_MAX];
    role_new(&r, VAULT_SCHEDULER);
    buf_init(&rp, 1000);
    assert_int_equal(
        vault_dispatch(r.v, &r.peer, VAULT_MSG_sign_order, slice_of(body, 8193), &rp, NULL),
        SR_E_TOOBIG);
    assert_int_equal(
        vault_dispatch(r.v, &r.peer, VAULT_MSG_sign_assignment, slice_of(body, 129), &rp, NULL),
        SR_E_TOOBIG);
    buf_done(&rp);
    role_done(&r);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_scheduler_assigns_for_a_quarter_of_an_hour),
        cmocka_unit_test(a_scheduler_authorises_only_what_the_sms_has_attested),
        cmocka_unit_test(orders_of_the_own_pool_within_bounds),
        cmocka_unit_test(a_markets_challenge_and_no_other_domain),
        cmocka_unit_test(a_worker_signs_logins_and_release_requests),
        cmocka_unit_test(a_transaction_is_signed_as_the_chain_wants_it),
        cmocka_unit_test(each_bound_of_a_transaction_is_kept),
        cmocka_unit_test(only_the_calls_on_the_roles_list_are_signed),
        cmocka_unit_test(payloads_cut_or_lengthened_are_no_transactions),
        cmocka_unit_test(a_days_transactions_end_and_begin_again),
        cmocka_unit_test(no_role_may_send_what_is_anothers),
        cmocka_unit_test(a_greeting_comes_first_and_once),
        cmocka_unit_test(bodies_over_their_limit_are_refused),
    };
    return cmocka_run_group_tests_name("vault/sign", t, NULL, NULL);
}
