/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of contract wallets (ERC-1271): the secret service and a vault in a child process,
 * against a real node with the real contracts. */
#include "../eth/anvil.h"
#include "dev_key.h"
#include "eth/sender.h"
#include "sms/sms_int.h"
#include "vault/vault_int.h"

#include <sys/socket.h>
#include <sys/un.h>

#define CHAIN_ID 421614u
#define NO_TEXT  SLICE_LIT("")

/* A call that must go well; says what went wrong. */
#define must(call) assert_int_equal((call), SR_OK)

static struct anvil A;
static struct {
    char dir[64], socket[96], url[64];
    pid_t vault_pid;
    struct vault *twin; /* of the same keys as the child: opens what that one has sealed */
    struct eth_rpc *rpc;
    struct poco poco;
    struct sms sms;
    struct http_server *server;
    struct addr hub;
    struct sr_secret alice, carol;
    struct addr alice_addr, carol_addr;
} W;

/* A wallet and how its address came about. */
struct wallet {
    struct addr at;
    uint8_t origin[WIRE_ORIGIN_CREATE2];
    size_t n_origin;
};

/* ---- chain */

/* From alice; to NULL: creates a contract. */
static void transact(const struct addr *to, const struct buf *data, struct eth_receipt *ret) {
    struct eth_signer signer;
    struct eth_sender *s;
    struct sr_err e = {0};
    must(eth_signer_local(&W.alice, &signer, NULL));
    const struct eth_sender_opts o = {.rpc = W.rpc, .signer = &signer};
    must(eth_sender_new(&o, &s, NULL));
    const struct eth_want w = {.to = to ? *to : (struct addr){{0}},
                               .creates = !to,
                               .data = buf_slice(data),
                               .gas_limit = 5000000};
    if (eth_sender_send(s, &w, 10000, ret, &e) != SR_OK) fail_msg("%s", e.what);
    eth_sender_free(s);
}

/* The code that leaves `runtime` (hex) as a contract's. */
static void init_code(const char *runtime, struct buf *ret) {
    cleanup_buf struct buf hex;
    size_t n = strlen(runtime) / 2;
    assert_true(n < 256);
    buf_init(&hex, 2048);
    buf_printf(&hex, "0x60%02zx600c60003960%02zx6000f3%s", n, n, runtime);
    assert_true(hex_decode_buf(slice_str(buf_cstr(&hex)), ret));
}

/* By a transaction of alice's: CREATE. */
static struct wallet deploy(const char *runtime) {
    cleanup_buf struct buf code, made;
    cleanup_receipt struct eth_receipt r = {0};
    struct wallet w = {.n_origin = WIRE_ORIGIN_CREATE};
    uint64_t nonce;
    buf_init(&code, 1024);
    buf_init(&made, 64);
    init_code(runtime, &code);
    must(eth_nonce(W.rpc, &W.alice_addr, (struct eth_at){0}, &nonce, NULL));
    transact(NULL, &code, &r);
    assert_true(r.ok && r.has_contract);
    w.at = r.contract;
    buf_put(&made, W.alice_addr.b, 20);
    buf_u64(&made, nonce);
    memcpy(w.origin, made.p, made.n);
    return w;
}

/* By a contract that deploys what is sent to it behind a salt: CREATE2. */
static struct wallet deploy_by_factory(const char *runtime) {
    cleanup_buf struct buf code, call, there;
    cleanup_receipt struct eth_receipt r = {0};
    struct wallet w = {.n_origin = WIRE_ORIGIN_CREATE2};
    struct hash salt = {{0x5a, 1}};
    /* calldatacopy(0, 32, calldatasize - 32); create2(0, 0, calldatasize - 32, calldataload(0)) */
    struct wallet factory = deploy("6020360360206000376000356020360360006000f55000");
    buf_init(&code, 1024);
    buf_init(&call, 1024);
    buf_init(&there, 1024);
    init_code(runtime, &code);
    buf_put(&call, salt.b, sizeof salt.b);
    buf_add(&call, buf_slice(&code));
    transact(&factory.at, &call, &r);
    struct hash h = keccak256(buf_slice(&code));
    w.at = eth_create2_address(&factory.at, &salt, &h);
    must(eth_code(W.rpc, &w.at, (struct eth_at){0}, &there, NULL));
    assert_int_equal(there.n, strlen(runtime) / 2); /* the chain agrees about the address */
    w.origin[0] = 0xff;
    memcpy(w.origin + 1, factory.at.b, 20);
    memcpy(w.origin + 21, salt.b, 32);
    memcpy(w.origin + 53, h.b, 32);
    return w;
}

/* A wallet as people have them: it takes the signature r ‖ s ‖ v of its owner's key over the very
 * hash it is asked about (ecrecover), and nothing else. */
static const char *wallet_of(const struct addr *owner, char ret[256]) {
    (void)snprintf(ret, 256,
                   "6020600460003760a43560f81c602052604060646040376020608060806000"
                   "60015afa5060805173%s14631626ba7e60e01b0260005260206000f3",
                   addr_text(owner).s + 2);
    return ret;
}

static struct addr data_of(const struct addr *owner, const char *name) {
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash sum = {{0x12, 0x34}};
    struct addr a;
    buf_init(&b, 8192);
    must(poco_enc_create_dataset(&b, owner, slice_str(name), SLICE_LIT("/ipfs/x"), &sum, NULL));
    transact(&W.poco.dataset_registry, &b, &r);
    must(poco_receipt_created(&W.poco, POCO_DATASET, &r, &a, NULL));
    return a;
}

static struct addr app_of(const struct addr *owner) {
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash sum = {{0x12, 0x34}};
    struct addr a;
    buf_init(&b, 8192);
    must(poco_enc_create_app(&b, owner, SLICE_LIT("a wallet's"), SLICE_LIT("DOCKER"),
                             SLICE_LIT("/ipfs/x"), &sum, NO_TEXT, NULL));
    transact(&W.poco.app_registry, &b, &r);
    must(poco_receipt_created(&W.poco, POCO_APP, &r, &a, NULL));
    return a;
}

/* ---- requests */

struct secret {
    secret_kind kind;
    struct addr target;
    const char *name;
};

static void path_of(const struct secret *s, char ret[256]) {
    struct addr_text t = addr_text(&s->target);
    switch (s->kind) {
    case SECRET_WEB3: (void)snprintf(ret, 256, "/secrets/web3?secretAddress=%s", t.s); return;
    case SECRET_WEB2:
        (void)snprintf(ret, 256, "/secrets/web2?ownerAddress=%s&secretName=%s", t.s, s->name);
        return;
    case SECRET_REQUESTER:
        (void)snprintf(ret, 256, "/requesters/%s/secrets/%s", t.s, s->name);
        return;
    case SECRET_APP: (void)snprintf(ret, 256, "/apps/%s/secrets", t.s); return;
    }
    fail_msg("no such kind");
}

static int ask(const char *method, const struct secret *s, const char *const *headers,
               struct slice body) {
    char path[256], url[400];
    cleanup_answer struct http_answer a = {0};
    struct sr_err e = {0};
    path_of(s, path);
    (void)snprintf(url, sizeof url, "%s%s", W.url, path);
    const struct http_call c = {.method = method, .url = url, .headers = headers, .body = body};
    if (http_fetch(&c, &a, &e) != SR_OK) fail_msg("%s %s: %s", method, path, e.what);
    return a.status;
}

/* With key's signature over the official challenge about `signed_value`; origin n 0: no header. */
static int push(const char *method, const struct secret *s, const char *value,
                const char *signed_value, const struct sr_secret *key, struct slice origin) {
    char auth[160] = "Authorization: 0x", from[200] = "X-Contract-Origin: 0x";
    const char *headers[] = {auth, origin.n ? from : NULL, NULL};
    struct sr_signature sig;
    struct hash h =
        wire_secret_challenge(s->kind, &s->target, slice_str(s->name), slice_str(signed_value));
    h = eth_message_hash(&h);
    must(secp_sign(key, &h, &sig, NULL));
    hex_encode(auth + strlen(auth), sig.b, sizeof sig.b);
    hex_encode(from + strlen(from), origin.p, origin.n);
    return ask(method, s, headers, slice_str(value));
}

static void nothing_stored(const struct secret *s) {
    struct stored_secret found = {0};
    assert_int_equal(ask("HEAD", s, NULL, NO_TEXT), 404);
    assert_int_equal(secret_find(W.sms.db, s->kind, &s->target, slice_str(s->name), &found, NULL),
                     SR_E_NOTFOUND);
}

/* It is there, sealed, and opens to that value of that signer. */
static void stored(const struct secret *s, const char *value, const struct addr *signer) {
    cleanup_stored struct stored_secret found = {0};
    struct vault_opened o = {0};
    assert_int_equal(ask("HEAD", s, NULL, NO_TEXT), 204);
    must(secret_find(W.sms.db, s->kind, &s->target, slice_str(s->name), &found, NULL));
    assert_true(addr_eq(&found.signer, signer));
    assert_null(memmem(found.blob.p, found.blob.n, value, strlen(value)));
    must(vault_secret_open(W.twin, s->kind, &s->target, slice_str(s->name), buf_slice(&found.blob),
                           &o, NULL));
    assert_true(slice_is(buf_slice(&o.secret), value));
    assert_true(addr_eq(&o.signer, signer));
    vault_opened_done(&o);
}

/* ---- tests */

FIBER_TEST(a_wallet_stores_the_secrets_of_its_data_and_app_by_its_own_word) {
    char code[256];
    const struct wallet w = deploy(wallet_of(&W.alice_addr, code));
    const struct secret all[] = {{SECRET_WEB3, data_of(&w.at, "data"), ""},
                                 {SECRET_APP, app_of(&w.at), "1"}};
    for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) {
        const struct secret *s = &all[i];
        /* another's key; the owner's, about another value; no signature of anybody */
        assert_int_equal(push("POST", s, "the key", "the key", &W.carol, NO_TEXT), 401);
        assert_int_equal(push("POST", s, "the key", "the kez", &W.alice, NO_TEXT), 401);
        const char *junk[] = {"Authorization: 0x1234", NULL};
        assert_int_equal(ask("POST", s, junk, SLICE_LIT("the key")), 401);
        nothing_stored(s);
        assert_int_equal(push("POST", s, "the key", "the key", &W.alice, NO_TEXT), 204);
        stored(s, "the key", &w.at);
        assert_int_equal(push("POST", s, "another", "another", &W.alice, NO_TEXT), 409);
        stored(s, "the key", &w.at);
    }
    /* the key stands behind the wallet, which owns no other's data */
    const struct secret others = {SECRET_WEB3, data_of(&W.carol_addr, "others"), ""};
    assert_int_equal(push("POST", &others, "x", "x", &W.alice, NO_TEXT), 401);
    nothing_stored(&others);
}

FIBER_TEST(contracts_that_are_no_wallets_sign_nothing) {
    /* One that reverts, one with an invalid instruction, one that ends without an answer, one that
     * answers with a bool, one with the right four bytes but not in a word, one that never ends. */
    static const char *const codes[] = {
        "60006000fd", "fe", "00", "600160005260206000f3", "631626ba7e60e01b60005260046000f3",
        "5b600056"};
    for (size_t i = 0; i < SR_ARRAY_LEN(codes); i++) {
        const struct wallet w = deploy(codes[i]);
        const char name[] = {'n', (char)('0' + i), 0};
        const struct secret data = {SECRET_WEB3, data_of(&w.at, name), ""},
                            own = {SECRET_REQUESTER, w.at, "one"};
        assert_int_equal(push("POST", &data, "a secret", "a secret", &W.alice, NO_TEXT), 401);
        assert_int_equal(
            push("POST", &own, "a secret", "a secret", &W.alice, slice_of(w.origin, w.n_origin)),
            401);
        nothing_stored(&data);
        nothing_stored(&own);
    }
}

/* Secrets of the wallet's own: of a requester, and web2. */
static void own_secrets(const struct wallet *w, const struct wallet *other) {
    const struct secret all[] = {{SECRET_REQUESTER, w->at, "one"}, {SECRET_WEB2, w->at, "key"}};
    const struct slice right = slice_of(w->origin, w->n_origin);
    for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) {
        const struct secret *s = &all[i];
        uint8_t changed[WIRE_ORIGIN_CREATE2];
        /* no origin, another wallet's, a cut one, one with a bit changed, in each of its parts */
        assert_int_equal(push("POST", s, "a secret", "a secret", &W.alice, NO_TEXT), 401);
        assert_int_equal(push("POST", s, "a secret", "a secret", &W.alice,
                              slice_of(other->origin, other->n_origin)),
                         401);
        assert_int_equal(
            push("POST", s, "a secret", "a secret", &W.alice, slice_of(w->origin, w->n_origin - 1)),
            401);
        for (size_t at = 0; at < w->n_origin; at += 9) {
            memcpy(changed, w->origin, w->n_origin);
            changed[at] ^= 1;
            assert_int_equal(
                push("POST", s, "a secret", "a secret", &W.alice, slice_of(changed, w->n_origin)),
                401);
        }
        /* the right one, without the wallet's word */
        assert_int_equal(push("POST", s, "a secret", "a secret", &W.carol, right), 401);
        assert_int_equal(push("POST", s, "a secret", "a secreT", &W.alice, right), 401);
        nothing_stored(s);
        assert_int_equal(push("POST", s, "a secret", "a secret", &W.alice, right), 204);
        stored(s, "a secret", &w->at);
    }
    /* web2 may change: by the same rules */
    assert_int_equal(push("PUT", &all[1], "another secret", "another secret", &W.alice, NO_TEXT),
                     401);
    assert_int_equal(push("PUT", &all[1], "another secret", "another secret", &W.carol, right),
                     401);
    stored(&all[1], "a secret", &w->at);
    assert_int_equal(push("PUT", &all[1], "another secret", "another secret", &W.alice, right),
                     204);
    stored(&all[1], "another secret", &w->at);
}

FIBER_TEST(a_wallets_own_secrets_come_with_the_origin_of_its_address) {
    char code[256];
    const struct wallet created = deploy(wallet_of(&W.alice_addr, code)),
                        created2 = deploy_by_factory(wallet_of(&W.alice_addr, code));
    own_secrets(&created, &created2);
    own_secrets(&created2, &created);
}

/* An account with a key: its own signature counts, whatever origin is claimed with another's. */
FIBER_TEST(an_account_with_a_key_needs_no_origin_and_gains_nothing_by_one) {
    char code[256];
    const struct wallet w = deploy(wallet_of(&W.alice_addr, code));
    const struct secret s = {SECRET_REQUESTER, W.carol_addr, "mine"};
    const struct slice origin = slice_of(w.origin, w.n_origin);
    assert_int_equal(push("POST", &s, "a secret", "a secret", &W.alice, origin), 401);
    nothing_stored(&s);
    assert_int_equal(push("POST", &s, "a secret", "a secret", &W.carol, NO_TEXT), 204);
    stored(&s, "a secret", &W.carol_addr);
}

FIBER_TEST(a_wallet_cannot_be_asked_of_a_node_that_is_gone) {
    char code[256];
    const struct wallet w = deploy(wallet_of(&W.alice_addr, code));
    const struct secret s = {SECRET_REQUESTER, w.at, "late"};
    const struct slice origin = slice_of(w.origin, w.n_origin);
    anvil_kill(&A);
    assert_int_equal(push("POST", &s, "a secret", "a secret", &W.alice, origin), 503);
    nothing_stored(&s);
}

/* ---- the world */

static struct vault *vault_of_test(void) {
    struct sr_secret key = {0}, master = {0};
    struct tee_sim_authority authority = {0};
    struct vault_config c = {.role = VAULT_SMS,
                             .chain_id = CHAIN_ID,
                             .hub = W.hub,
                             .key = &key,
                             .master = &master,
                             .limits = vault_limits_default()};
    struct hash k = keccak256(SLICE_LIT("sms")), m = keccak256(SLICE_LIT("master"));
    struct vault *v = NULL;
    must(secret_from(k.b, 32, &key, NULL));
    must(secret_from(m.b, 32, &master, NULL));
    must(tee_sim_authority_new(clock_unix_ms() / 1000, &authority, NULL));
    must(tee_trust_new(buf_slice(&authority.verifier), true, &c.take_trust, NULL));
    must(vault_new(&c, &v, NULL));
    tee_sim_authority_done(&authority);
    secret_free(&key);
    secret_free(&master);
    return v;
}

/* In a process of its own, before there are threads: keys are not inherited, it makes its own. */
static void start_vault(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(W.socket, sizeof W.socket, "%s/vault", W.dir);
    memcpy(a.sun_path, W.socket, strlen(W.socket));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 64), 0);
    W.vault_pid = fork();
    assert_true(W.vault_pid >= 0);
    if (W.vault_pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        log_setup("vault", open("/dev/null", O_WRONLY), LOG_ERROR);
        (void)!vault_serve(vault_of_test(), fd, -1, -1, geteuid(), NULL);
        _exit(0);
    }
    (void)close(fd);
}

static int setup(void **state) {
    cleanup_buf struct buf text;
    cleanup_json struct json *doc = NULL;
    const char *const chain[] = {"--load-state", CHAIN_DIR "/chain-state.json", "--hardfork",
                                 "prague", NULL};
    (void)state;
    buf_init(&text, 1u << 20);
    must(fs_read(CHAIN_DIR "/chain.json", &text, NULL));
    must(json_parse(buf_slice(&text), &doc, NULL));
    const struct json_val *v = json_root(doc);
    assert_true(json_addr(json_get(json_get(v, "contracts"), "hub"), &W.hub));
    (void)snprintf(W.dir, sizeof W.dir, "/tmp/sms-test-XXXXXX");
    assert_non_null(mkdtemp(W.dir));
    start_vault();
    W.twin = vault_of_test();
    key_at(json_get(v, "accounts"), "alice", &W.alice, &W.alice_addr);
    key_at(json_get(v, "accounts"), "carol", &W.carol, &W.carol_addr);
    must(net_init(NULL));
    anvil_start(&A, 0, chain);
    return 0;
}

FIBER_TEST(the_service_meets_its_chain_and_vault) {
    const struct sms_chain_opts o = {.rpc = A.http, .chain_id = CHAIN_ID, .hub = W.hub};
    must(eth_rpc_new(A.http, &W.rpc, NULL));
    anvil_do(W.rpc, "anvil_setChainId", "[421614]");
    must(poco_open(W.rpc, &W.hub, &W.poco, NULL));
    must(sms_chain_new(&o, &W.sms.chain, NULL));
    must(vault_client_new(W.socket, &W.sms.vault, NULL));
    must(sms_open(&W.sms, W.dir, NULL));
    must(sms_serve(&W.sms, "127.0.0.1", 0, -1, &W.server, NULL));
    (void)snprintf(W.url, sizeof W.url, "http://127.0.0.1:%u", http_server_port(W.server));
}

static sr_status hang_up(void *arg, struct sr_err *err) {
    (void)arg;
    http_server_close(W.server);
    vault_client_free(W.sms.vault);
    sms_chain_free(W.sms.chain);
    eth_rpc_free(W.rpc);
    return fiber_sleep(1, err); /* the vault client's reader ends */
}

static int teardown(void **state) {
    (void)state;
    anvil_kill(&A);
    must(net_call(hang_up, NULL, NULL));
    sms_close(&W.sms);
    (void)kill(W.vault_pid, SIGKILL);
    (void)waitpid(W.vault_pid, NULL, 0);
    vault_free(W.twin);
    secret_free(&W.alice);
    secret_free(&W.carol);
    return fs_remove_tree(W.dir, NULL) == SR_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_service_meets_its_chain_and_vault),
        cmocka_unit_test(a_wallet_stores_the_secrets_of_its_data_and_app_by_its_own_word),
        cmocka_unit_test(contracts_that_are_no_wallets_sign_nothing),
        cmocka_unit_test(a_wallets_own_secrets_come_with_the_origin_of_its_address),
        cmocka_unit_test(an_account_with_a_key_needs_no_origin_and_gains_nothing_by_one),
        cmocka_unit_test(a_wallet_cannot_be_asked_of_a_node_that_is_gone),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("sms/wallets", t, setup, teardown);
}
