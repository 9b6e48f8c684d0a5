/* SPDX-License-Identifier: Apache-2.0 */
/* The chain client against a real node. */
#include "anvil.h"
#include "eth/eth.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct anvil node;
static struct eth_rpc *rpc;
static struct sr_secret key[3];
static struct eth_signer signer[3];

/* init code of a contract that logs the first word of what it is called with as a topic, with the
 * word as data, and returns it; a call with zero reverts */
static const uint8_t code[] = {0x60, 0x1c, 0x80, 0x60, 0x0b, 0x60, 0x00, 0x39, 0x60, 0x00,
                               0xf3, 0x60, 0x00, 0x35, 0x80, 0x60, 0x00, 0x52, 0x80, 0x15,
                               0x60, 0x16, 0x57, 0x60, 0x20, 0x60, 0x00, 0xa1, 0x60, 0x20,
                               0x60, 0x00, 0xf3, 0x5b, 0x60, 0x00, 0x60, 0x00, 0xfd};

static int setup(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_ok(net_init(&e));
    anvil_start(&node, 0, NULL);
    assert_ok(eth_rpc_new(node.http, &rpc, &e));
    for (size_t i = 0; i < 3; i++) {
        vec_key(slice_str(anvil_keys[i]), &key[i]);
        assert_ok(eth_signer_local(&key[i], &signer[i], &e));
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    eth_rpc_free(rpc);
    anvil_kill(&node);
    for (size_t i = 0; i < 3; i++) secret_free(&key[i]);
    net_done();
    return 0;
}

static struct eth_sender *sender_of(size_t who, const char *path, uint64_t stuck_ms) {
    struct sr_err e = {0};
    struct eth_sender *s;
    const struct eth_sender_opts o = {
        .rpc = rpc, .signer = &signer[who], .path = path, .stuck_ms = stuck_ms, .ws_url = node.ws};
    assert_ok(eth_sender_new(&o, &s, &e));
    return s;
}

static struct addr deploy(void) {
    struct sr_err e = {0};
    struct eth_sender *s = sender_of(0, NULL, 0);
    struct eth_receipt rc = {0};
    const struct eth_want w = {.creates = true, .data = slice_of(code, sizeof code)};
    assert_ok(eth_sender_send(s, &w, 0, &rc, &e));
    assert_true(rc.has_contract);
    struct addr a = rc.contract;
    eth_receipt_done(&rc);
    eth_sender_free(s);
    return a;
}

FIBER_TEST(a_node_answers_reads_calls_and_batches) {
    struct sr_err e = {0};
    uint64_t id, n;
    struct u256 wei, fee, tip;
    struct eth_block b;
    assert_ok(eth_chain_id(rpc, &id, &e));
    assert_int_equal(id, 31337);
    assert_ok(eth_balance(rpc, &signer[0].addr, (struct eth_at){0}, &wei, &e));
    assert_false(u256_is_zero(wei));
    assert_ok(eth_fees(rpc, &fee, &tip, &e));
    assert_true(u256_cmp(fee, tip) > 0);
    struct addr c = deploy();
    assert_ok(eth_block_number(rpc, &n, &e));
    assert_ok(eth_get_block(rpc, eth_at_block(n), &b, &e));
    assert_int_equal(b.number, n);
    struct eth_at by_hash = {.kind = ETH_HASH, .hash = b.hash};
    assert_ok(eth_get_block(rpc, by_hash, &b, &e));
    assert_int_equal(eth_get_block(rpc, eth_at_block(n + 1000), &b, NULL), SR_E_NOTFOUND);

    uint8_t word[32] = {[31] = 7}, zero[32] = {0};
    struct buf out;
    buf_init(&out, 1024);
    assert_ok(eth_call(rpc, NULL, &c, slice_of(word, 32), by_hash, &out, &e));
    assert_int_equal(out.n, 32);
    assert_int_equal(eth_call(rpc, NULL, &c, slice_of(zero, 32), by_hash, &out, &e), SR_E_REFUSED);
    assert_string_equal(e.what, "the contract refused: no reason given");
    e = (struct sr_err){0};

    struct eth_batch *bt = eth_batch_new(rpc);
    size_t good = eth_batch_call(bt, &c, slice_of(word, 32), (struct eth_at){0}),
           bad = eth_batch_call(bt, &c, slice_of(zero, 32), (struct eth_at){0}),
           raw = eth_batch_raw(bt, "eth_blockNumber", "[]");
    assert_ok(eth_batch_run(bt, &e));
    struct slice s;
    const struct json_val *v;
    assert_ok(eth_batch_get(bt, good, &s, &e));
    assert_bytes(s, slice_of(word, 32));
    assert_int_equal(eth_batch_get(bt, bad, &s, NULL), SR_E_REFUSED);
    assert_ok(eth_batch_json(bt, raw, &v, &e));
    assert_true(json_is(v, JSON_STRING));
    eth_batch_free(bt);
    buf_clear(&out);
    assert_ok(eth_code(rpc, &c, (struct eth_at){0}, &out, &e));
    assert_int_equal(out.n, 0x1c);
    buf_done(&out);
}

FIBER_TEST(a_dead_endpoint_is_passed_over) {
    struct sr_err e = {0};
    char urls[128];
    struct eth_rpc *two, *none;
    (void)snprintf(urls, sizeof urls, "http://127.0.0.1:1, %s", node.http);
    assert_ok(eth_rpc_new(urls, &two, &e));
    uint64_t n;
    assert_ok(eth_block_number(two, &n, &e));
    eth_rpc_free(two);
    assert_ok(eth_rpc_new("http://127.0.0.1:1", &none, &e));
    assert_int_equal(eth_block_number(none, &n, &e), SR_E_UNAVAILABLE);
    assert_non_null(strstr(e.hint, "127.0.0.1:1"));
    eth_rpc_free(none);
    assert_int_equal(eth_rpc_new("ftp://x", &none, NULL), SR_E_USAGE);
    assert_int_equal(eth_rpc_new("", &none, NULL), SR_E_USAGE);
}

static int came_to(int listener) {
    int n = 0;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0; n++) close(fd);
    return n;
}

/* A node that takes connections and says nothing: the kernel accepts, nobody reads. */
FIBER_TEST(a_silent_endpoint_is_given_up_and_passed_over) {
    struct sr_err e = {0};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    char urls[128];
    struct eth_rpc *alone, *two;
    uint64_t n;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 8) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(urls, sizeof urls, "http://127.0.0.1:%u", ntohs(at.sin_port));
    assert_ok(eth_rpc_new(urls, &alone, &e));
    eth_rpc_patience(alone, 300);
    assert_int_equal(eth_block_number(alone, &n, &e), SR_E_TIMEOUT);
    assert_int_equal(came_to(fd), 1); /* asked once, not twice */
    assert_non_null(strstr(e.what, "silent"));
    assert_non_null(strstr(e.hint, urls));
    eth_rpc_free(alone);
    (void)snprintf(urls, sizeof urls, "http://127.0.0.1:%u, %s", ntohs(at.sin_port), node.http);
    assert_ok(eth_rpc_new(urls, &two, &e));
    eth_rpc_patience(two, 300);
    assert_ok(eth_block_number(two, &n, &e));
    assert_ok(eth_block_number(two, &n, &e));
    assert_int_equal(came_to(fd), 1); /* the silent one rests */
    eth_rpc_free(two);
    close(fd);
}

FIBER_TEST(sent_and_mined_in_one_exchange) {
    struct sr_err e = {0};
    struct u256 fee, tip;
    uint64_t nonce;
    assert_ok(eth_fees(rpc, &fee, &tip, &e));
    assert_ok(eth_nonce(rpc, &signer[2].addr, (struct eth_at){.kind = ETH_PENDING}, &nonce, &e));
    struct eth_tx tx = {.type = TX_1559,
                        .chain_id = 31337,
                        .nonce = nonce,
                        .gas_limit = 21000,
                        .max_fee = fee,
                        .max_tip = tip,
                        .to = signer[1].addr,
                        .value = u256_of(5)};
    struct sr_signature sig;
    struct buf raw;
    struct hash h, h2;
    buf_init(&raw, 1024);
    assert_ok(signer[2].sign_tx(signer[2].ctx, &tx, &sig, &e));
    assert_ok(tx_encode(&tx, &sig, &raw, &h, &e));
    struct eth_receipt rc = {0};
    assert_ok(eth_send_raw_wait(rpc, buf_slice(&raw), 10000, &rc, &e));
    assert_true(rc.ok);
    assert_hash_is(rc.tx, h);
    eth_receipt_done(&rc);
    assert_int_equal(eth_send_raw(rpc, buf_slice(&raw), &h2, NULL), SR_E_CONFLICT);
    buf_done(&raw);
}

FIBER_TEST(signatures_of_wallets_and_of_nobody) {
    struct sr_err e = {0};
    struct hash h = keccak256(SLICE_LIT("order"));
    struct sr_signature sig;
    bool ok;
    assert_ok(secp_sign(&key[1], &h, &sig, &e));
    assert_ok(eth_check_signature(rpc, &signer[1].addr, &h, slice_of(sig.b, 65), (struct eth_at){0},
                                  &ok, &e));
    assert_true(ok);
    assert_ok(eth_check_signature(rpc, &signer[0].addr, &h, slice_of(sig.b, 65), (struct eth_at){0},
                                  &ok, &e));
    assert_false(ok);
    assert_ok(eth_check_signature(rpc, &signer[1].addr, &h, slice_of(sig.b, 63), (struct eth_at){0},
                                  &ok, &e));
    assert_false(ok);
    struct addr c = deploy(); /* a contract that does not answer with the magic */
    assert_ok(eth_check_signature(rpc, &c, &h, slice_of(sig.b, 65), (struct eth_at){0}, &ok, &e));
    assert_false(ok);
}

/* A node at which there is a contract, and every call of it fails with this text. */
static const char *call_fails;
static sr_status failing_node(struct http_req *rq, void *role, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf out;
    struct slice body;
    (void)role;
    SR_TRY(http_body(rq, &body, err));
    SR_TRY(json_parse(body, &doc, err));
    bool call = slice_is(json_text(json_get(json_root(doc), "method")), "eth_call");
    struct slice id = json_text(json_get(json_root(doc), "id"));
    buf_init(&out, 1024);
    buf_printf(&out, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,", (int)id.n, (const char *)id.p);
    if (call)
        buf_printf(&out, "\"error\":{\"code\":-32000,\"message\":\"%s\"}}", call_fails);
    else
        buf_str(&out, "\"result\":\"0x60\"}");
    return http_reply_json(rq, 200, &out, err);
}

FIBER_TEST(a_contract_that_halts_has_not_signed_and_a_node_that_fails_says_nothing) {
    static const struct {
        const char *text;
        bool contracts_fault;
    } t[] = {{"EVM error InvalidFEOpcode", true},
             {"out of gas", true},
             {"invalid opcode: INVALID", true},
             {"invalid jump destination", true},
             {"stack underflow (0 <=> 1)", true},
             {"VM execution error.", true},
             {"execution reverted", true},
             {"header not found", false},
             {"execution aborted (timeout = 5s)", false}};
    static const struct http_route routes[] = {{"POST", "/", failing_node, 65536}};
    const struct http_opts opts = {.routes = routes, .n_routes = 1};
    const struct hash h = {{1}};
    const struct addr contract = {{2}};
    struct http_server *server;
    struct eth_rpc *failing;
    struct sr_err e = {0};
    char url[64];
    assert_ok(http_serve(&opts, "127.0.0.1", 0, -1, &server, &e));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", http_server_port(server));
    assert_ok(eth_rpc_new(url, &failing, &e));
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        bool ok = true;
        call_fails = t[i].text;
        e = (struct sr_err){0};
        sr_status st = eth_check_signature(failing, &contract, &h, SLICE_LIT("signed"),
                                           (struct eth_at){0}, &ok, &e);
        if (st != (t[i].contracts_fault ? SR_OK : SR_E_CHAIN))
            fail_msg("%s: %s", t[i].text, e.what);
        assert_int_equal(ok, !t[i].contracts_fault); /* untouched by a failure */
    }
    eth_rpc_free(failing);
    http_server_close(server);
}

/* ---- sender */

struct burst {
    struct eth_sender *s;
    struct addr to;
    unsigned left, failed;
    struct fcond done;
};
static void one_of_burst(void *arg) {
    struct burst *b = arg;
    unsigned me = b->left; /* no wait before: each fiber reads its own number */
    (void)me;
    const struct eth_want w = {.to = b->to, .value = u256_of(1), .gas_limit = 21000};
    struct eth_receipt rc = {0};
    struct sr_err e = {0};
    if (eth_sender_send(b->s, &w, 20000, &rc, &e) != SR_OK) {
        print_message("%s\n", e.what);
        b->failed++;
    }
    eth_receipt_done(&rc);
    if (--b->left == 0) fcond_wake(&b->done);
}

FIBER_TEST(many_fibers_send_from_one_wallet) {
    struct sr_err e = {0};
    struct burst b = {.s = sender_of(1, NULL, 0), .to = {{9}}, .left = 25};
    struct u256 wei;
    for (unsigned i = 0; i < 25; i++) assert_ok(fiber_start(one_of_burst, &b, &e));
    while (b.left) assert_ok(fcond_wait(&b.done, 30000, &e));
    assert_int_equal(b.failed, 0);
    assert_ok(eth_balance(rpc, &b.to, (struct eth_at){0}, &wei, &e));
    assert_int_equal(u256_cmp(wei, u256_of(25)), 0);
    eth_sender_free(b.s);
}

FIBER_TEST(two_senders_of_one_wallet_get_on) {
    struct sr_err e = {0};
    struct burst a = {.s = sender_of(1, NULL, 0), .to = {{10}}, .left = 8};
    struct burst b = {.s = sender_of(1, NULL, 0), .to = {{10}}, .left = 8};
    for (unsigned i = 0; i < 8; i++) {
        assert_ok(fiber_start(one_of_burst, &a, &e));
        assert_ok(fiber_start(one_of_burst, &b, &e));
    }
    while (a.left) assert_ok(fcond_wait(&a.done, 30000, &e));
    while (b.left) assert_ok(fcond_wait(&b.done, 30000, &e));
    assert_int_equal(a.failed + b.failed, 0);
    struct u256 wei;
    assert_ok(eth_balance(rpc, &a.to, (struct eth_at){0}, &wei, &e));
    assert_int_equal(u256_cmp(wei, u256_of(16)), 0);
    eth_sender_free(a.s);
    eth_sender_free(b.s);
}

static void temp_db(char dst[64]) {
    (void)snprintf(dst, 64, "/tmp/sr-sender-XXXXXX");
    assert_non_null(mkdtemp(dst));
    strncat(dst, "/w.db", 6);
}
static void temp_gone(char path[64]) {
    path[strlen(path) - 5] = 0;
    assert_int_equal(fs_remove_tree(path, NULL), SR_OK);
}

FIBER_TEST(an_intent_is_carried_out_once_even_across_a_restart) {
    struct sr_err e = {0};
    char path[64];
    temp_db(path);
    struct addr to = {{11}};
    struct hash t1, t2;
    struct eth_want w = {.intent = "pay:1", .to = to, .value = u256_of(3), .gas_limit = 21000};
    anvil_do(rpc, "evm_setAutomine", "[false]");
    struct eth_sender *s = sender_of(1, path, 0);
    assert_ok(eth_sender_submit(s, &w, &t1, &e));
    assert_ok(eth_sender_submit(s, &w, &t2, &e));
    assert_hash_is(t1, t2);
    eth_sender_free(s); /* a crash before it is mined */
    cleanup_buf struct buf p;
    buf_init(&p, 128);
    buf_printf(&p, "[\"%s\"]", hash_text(&t1).s);
    anvil_do(rpc, "anvil_dropTransaction", buf_cstr(&p)); /* and the node forgets it */
    s = sender_of(1, path, 0);
    assert_ok(eth_sender_resume(s, &e));
    anvil_do(rpc, "evm_setAutomine", "[true]");
    anvil_do(rpc, "evm_mine", "[]");
    struct eth_receipt rc = {0};
    assert_ok(eth_sender_send(s, &w, 20000, &rc, &e));
    assert_true(rc.ok);
    eth_receipt_done(&rc);
    struct u256 wei;
    assert_ok(eth_balance(rpc, &to, (struct eth_at){0}, &wei, &e));
    assert_int_equal(u256_cmp(wei, u256_of(3)), 0);
    eth_intent_state st;
    assert_ok(eth_sender_intent(s, "pay:1", &st, &t2, &e));
    assert_int_equal(st, ETH_INTENT_DONE);
    assert_int_equal(eth_sender_intent(s, "pay:2", &st, &t2, NULL), SR_E_NOTFOUND);
    eth_sender_free(s);
    temp_gone(path);
}

FIBER_TEST(a_stuck_transaction_is_replaced_with_more_fee) {
    struct sr_err e = {0};
    anvil_do(rpc, "evm_setAutomine", "[false]");
    struct eth_sender *s = sender_of(2, NULL, 300);
    struct hash tx, now;
    const struct eth_want w = {
        .intent = "stuck", .to = {{12}}, .value = u256_of(1), .gas_limit = 21000};
    assert_ok(eth_sender_submit(s, &w, &tx, &e));
    assert_int_equal(eth_sender_wait(s, &tx, 900, NULL, &e), SR_E_TIMEOUT);
    e = (struct sr_err){0};
    eth_intent_state st;
    assert_ok(eth_sender_intent(s, "stuck", &st, &now, &e));
    assert_memory_not_equal(now.b, tx.b, 32);
    anvil_do(rpc, "evm_setAutomine", "[true]");
    anvil_do(rpc, "evm_mine", "[]");
    struct eth_receipt rc = {0};
    assert_ok(eth_sender_wait(s, &tx, 10000, &rc, &e)); /* asked by its first hash */
    assert_true(rc.ok);
    eth_receipt_done(&rc);
    eth_sender_free(s);
}

FIBER_TEST(one_that_the_node_lost_does_not_hold_back_the_next) {
    struct sr_err e = {0};
    anvil_do(rpc, "evm_setAutomine", "[false]");
    struct eth_sender *s = sender_of(2, NULL, 300);
    struct hash lost, next;
    const struct eth_want first = {
        .intent = "lost", .to = {{14}}, .value = u256_of(1), .gas_limit = 21000};
    const struct eth_want second = {
        .intent = "next", .to = {{15}}, .value = u256_of(1), .gas_limit = 21000};
    assert_ok(eth_sender_submit(s, &first, &lost, &e));
    cleanup_buf struct buf p;
    buf_init(&p, 128);
    buf_printf(&p, "[\"%s\"]", hash_text(&lost).s);
    anvil_do(rpc, "anvil_dropTransaction", buf_cstr(&p)); /* nobody waits for it */
    assert_ok(eth_sender_submit(s, &second, &next, &e));
    anvil_do(rpc, "evm_setAutomine", "[true]");
    anvil_do(rpc, "evm_mine", "[]");
    struct eth_receipt rc = {0};
    assert_ok(eth_sender_wait(s, &next, 5000, &rc, &e));
    assert_true(rc.ok);
    eth_receipt_done(&rc);
    assert_ok(eth_sender_wait(s, &lost, 5000, &rc, &e));
    eth_receipt_done(&rc);
    eth_sender_free(s);
}

FIBER_TEST(what_the_chain_took_back_is_sent_again) {
    struct sr_err e = {0};
    struct eth_sender *s = sender_of(2, NULL, 0);
    cleanup_json struct json *doc = NULL;
    const struct json_val *v;
    uint64_t before;
    assert_ok(eth_block_number(rpc, &before, &e));
    assert_ok(eth_rpc_call(rpc, "evm_snapshot", "[]", &doc, &v, &e));
    struct addr to = {{13}};
    const struct eth_want w = {
        .intent = "again", .to = to, .value = u256_of(4), .gas_limit = 21000};
    struct eth_receipt rc = {0};
    assert_ok(eth_sender_send(s, &w, 10000, &rc, &e));
    eth_receipt_done(&rc);
    cleanup_buf struct buf p;
    buf_init(&p, 128);
    buf_printf(&p, "[\"%.*s\"]", (int)json_text(v).n, (const char *)json_text(v).p);
    anvil_do(rpc, "evm_revert", buf_cstr(&p));
    struct u256 wei;
    assert_ok(eth_balance(rpc, &to, (struct eth_at){0}, &wei, &e));
    assert_true(u256_is_zero(wei));
    assert_ok(eth_sender_rollback(s, before, &e));
    assert_ok(eth_sender_send(s, &w, 10000, &rc, &e));
    eth_receipt_done(&rc);
    assert_ok(eth_balance(rpc, &to, (struct eth_at){0}, &wei, &e));
    assert_int_equal(u256_cmp(wei, u256_of(4)), 0);
    eth_sender_free(s);
}

FIBER_TEST(refusals_say_why) {
    struct sr_err e = {0};
    struct addr c = deploy();
    struct eth_sender *s = sender_of(1, NULL, 0);
    uint8_t zero[32] = {0};
    struct eth_want w = {.to = c, .data = slice_of(zero, 32)};
    struct hash tx;
    assert_int_equal(eth_sender_submit(s, &w, &tx, &e), SR_E_REFUSED); /* found by estimating */
    e = (struct sr_err){0};
    w.gas_limit = 100000;
    assert_int_equal(eth_sender_send(s, &w, 10000, NULL, &e), SR_E_REFUSED); /* mined, reverted */
    assert_non_null(strstr(e.what, "the contract refused"));
    e = (struct sr_err){0};
    eth_sender_free(s);
    cleanup_secret struct sr_secret poor = {0};
    struct eth_signer ps;
    assert_ok(secp_keygen(&poor, &e));
    assert_ok(eth_signer_local(&poor, &ps, &e));
    const struct eth_sender_opts o = {.rpc = rpc, .signer = &ps};
    assert_ok(eth_sender_new(&o, &s, &e));
    w = (struct eth_want){.to = c, .value = u256_of(1), .gas_limit = 21000, .intent = "p"};
    assert_int_equal(eth_sender_submit(s, &w, &tx, &e), SR_E_REFUSED);
    assert_non_null(strstr(e.what, "gas"));
    assert_true(strlen(e.hint) > 0);
    eth_intent_state st;
    assert_int_equal(eth_sender_intent(s, "p", &st, &tx, NULL), SR_E_NOTFOUND);
    eth_sender_free(s);
}

/* ---- follower */

struct follow {
    struct eth_follower *f;
    struct addr contract;
    struct hash seen[64]; /* topics, in order; cut by rollbacks */
    uint64_t at[64];
    size_t n;
    uint64_t last; /* block */
    unsigned rollbacks;
    struct fcond news, ended;
    bool over, fail_next;
    sr_status end;
};
static sr_status on_step(void *arg, const struct eth_step *s, struct sr_err *err) {
    struct follow *w = arg;
    if (w->fail_next) return sr_fail(err, SR_E_SYS, "disk full");
    assert_int_equal(s->from, w->last + 1);
    for (size_t i = 0; i < s->n; i++) {
        assert_true(w->n < 64 && s->logs[i].block >= s->from && s->logs[i].block <= s->head.number);
        w->at[w->n] = s->logs[i].block;
        w->seen[w->n++] = s->logs[i].topics[0];
    }
    w->last = s->head.number;
    fcond_wake(&w->news);
    return SR_OK;
}
static sr_status on_rollback(void *arg, uint64_t keep, struct sr_err *err) {
    (void)err;
    struct follow *w = arg;
    while (w->n && w->at[w->n - 1] > keep) w->n--;
    w->last = keep;
    w->rollbacks++;
    return SR_OK;
}
static void run_follow(void *arg) {
    struct follow *w = arg;
    struct sr_err e = {0};
    w->end = eth_follow(w->f, &e);
    w->over = true;
    fcond_wake(&w->ended);
}
static void start_follow(struct follow *w, const struct addr *c, bool ws, uint64_t start) {
    struct sr_err e = {0};
    w->contract = *c;
    w->last = start - 1;
    const struct eth_follow_opts o = {.rpc = rpc,
                                      .ws_url = ws ? node.ws : NULL,
                                      .start_block = start,
                                      .filter = {.addrs = &w->contract, .n_addrs = 1},
                                      .poll_ms = 30,
                                      .arg = w,
                                      .on_step = on_step,
                                      .on_rollback = on_rollback};
    assert_ok(eth_follower_new(&o, &w->f, &e));
    assert_ok(fiber_start(run_follow, w, &e));
}
static void stop_follow(struct follow *w) {
    struct sr_err e = {0};
    eth_follow_stop(w->f);
    while (!w->over) assert_ok(fcond_wait(&w->ended, 5000, &e));
    eth_follower_free(w->f);
}
static uint64_t emit(struct eth_sender *s, const struct addr *c, uint8_t what) {
    struct sr_err e = {0};
    uint8_t word[32] = {[0] = what};
    struct eth_receipt rc = {0};
    const struct eth_want w = {.to = *c, .data = slice_of(word, 32), .gas_limit = 100000};
    assert_ok(eth_sender_send(s, &w, 10000, &rc, &e));
    uint64_t b = rc.block;
    eth_receipt_done(&rc);
    return b;
}
static void expect(struct follow *w, const char *topics) {
    struct sr_err e = {0};
    size_t n = strlen(topics);
    while (w->n < n) assert_ok(fcond_wait(&w->news, 10000, &e));
    assert_int_equal(w->n, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(w->seen[i].b[0], topics[i]);
}

static void follow_through_a_reorg(bool ws) {
    struct sr_err e = {0};
    struct addr c = deploy();
    uint64_t start;
    assert_ok(eth_block_number(rpc, &start, &e));
    struct eth_sender *s = sender_of(0, NULL, 0);
    (void)emit(s, &c, 'a');
    struct follow w = {0};
    start_follow(&w, &c, ws, start);
    expect(&w, "a");
    (void)emit(s, &c, 'b');
    expect(&w, "ab");
    cleanup_json struct json *doc = NULL;
    const struct json_val *v;
    assert_ok(eth_rpc_call(rpc, "evm_snapshot", "[]", &doc, &v, &e));
    (void)emit(s, &c, 'x');
    uint64_t gone = emit(s, &c, 'y');
    expect(&w, "abxy");
    cleanup_buf struct buf p;
    buf_init(&p, 128);
    buf_printf(&p, "[\"%.*s\"]", (int)json_text(v).n, (const char *)json_text(v).p);
    anvil_do(rpc, "evm_revert", buf_cstr(&p)); /* the chain is shorter now */
    eth_sender_free(s);
    s = sender_of(0, NULL, 0);
    assert_int_equal(emit(s, &c, 'c'), gone - 1);
    while (w.rollbacks == 0) assert_ok(fcond_wait(&w.news, 10000, &e));
    expect(&w, "abc");
    (void)emit(s, &c, 'd');
    (void)emit(s, &c, 'e'); /* now longer than before */
    expect(&w, "abcde");
    assert_int_equal(w.rollbacks, 1);
    assert_ok(eth_follow_wait(w.f, w.last, 1000, &e));
    stop_follow(&w);
    assert_int_equal(w.end, SR_OK);
    eth_sender_free(s);
}

FIBER_TEST(a_follower_told_by_websocket_sees_reorgs) {
    follow_through_a_reorg(true);
}

FIBER_TEST(a_follower_that_polls_sees_reorgs) {
    follow_through_a_reorg(false);
}

FIBER_TEST(a_long_history_is_read_in_ranges) {
    struct sr_err e = {0};
    struct addr c = deploy();
    uint64_t start;
    assert_ok(eth_block_number(rpc, &start, &e));
    struct eth_sender *s = sender_of(0, NULL, 0);
    (void)emit(s, &c, '1');
    anvil_do(rpc, "anvil_mine", "[\"0x140\"]");
    (void)emit(s, &c, '2');
    anvil_do(rpc, "anvil_mine", "[\"0x20\"]");
    (void)emit(s, &c, '3');
    struct follow w = {0};
    start_follow(&w, &c, true, start);
    expect(&w, "123");
    stop_follow(&w);
    eth_sender_free(s);
}

FIBER_TEST(a_roles_own_failure_ends_the_following) {
    struct sr_err e = {0};
    struct addr c = deploy();
    struct follow w = {.fail_next = true};
    start_follow(&w, &c, true, 1);
    while (!w.over) assert_ok(fcond_wait(&w.ended, 5000, &e));
    assert_int_equal(w.end, SR_E_SYS);
    eth_follower_free(w.f);
}

/* From here on the node is killed. */
FIBER_TEST(a_node_that_lost_everything_is_sent_everything_again) {
    struct sr_err e = {0};
    char path[64];
    temp_db(path);
    anvil_kill(&node);
    anvil_start(&node, node.port, NULL);
    struct eth_sender *s = sender_of(2, path, 300);
    struct addr to = {{21}};
    struct hash tx[3];
    struct u256 wei;
    struct eth_want w = {.to = to, .value = u256_of(1), .gas_limit = 21000};
    const char *intents[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++) {
        w.intent = intents[i];
        struct eth_receipt rc = {0};
        assert_ok(eth_sender_send(s, &w, 10000, &rc, &e));
        tx[i] = rc.tx;
        eth_receipt_done(&rc);
    }
    anvil_kill(&node);
    w.intent = "four"; /* wanted while the node is away: done when it is wanted again */
    struct hash four;
    sr_status st = eth_sender_submit(s, &w, &four, &e);
    assert_true(st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT);
    e = (struct sr_err){0};
    anvil_start(&node, node.port, NULL); /* an empty chain */
    assert_ok(eth_sender_rollback(s, 0, &e));
    for (size_t i = 0; i < 3; i++) {
        struct eth_receipt rc = {0};
        assert_ok(eth_sender_wait(s, &tx[i], 10000, &rc, &e));
        assert_true(rc.ok);
        eth_receipt_done(&rc);
    }
    struct eth_receipt rc = {0};
    assert_ok(eth_sender_send(s, &w, 10000, &rc, &e));
    eth_receipt_done(&rc);
    assert_ok(eth_balance(rpc, &to, (struct eth_at){0}, &wei, &e));
    assert_int_equal(u256_cmp(wei, u256_of(4)), 0); /* each once */
    eth_sender_free(s);
    temp_gone(path);
}

/* The last one: it kills the node. */
FIBER_TEST(a_node_that_comes_back_with_less_is_a_reorg) {
    struct sr_err e = {0};
    struct addr c = deploy();
    struct eth_sender *s = sender_of(0, NULL, 0);
    struct follow w = {0};
    uint64_t start;
    assert_ok(eth_block_number(rpc, &start, &e));
    (void)emit(s, &c, 'a');
    start_follow(&w, &c, true, start);
    expect(&w, "a");
    eth_sender_free(s);
    anvil_kill(&node);
    anvil_start(&node, node.port, NULL); /* an empty chain, shorter than where we were */
    c = deploy();
    s = sender_of(0, NULL, 0);
    while (w.rollbacks == 0) {
        /* blocks so that a follower whose start is far above the new head gets there */
        anvil_do(rpc, "anvil_mine", "[\"0x30\"]");
        assert_ok(fiber_sleep(50, &e));
    }
    assert_int_equal(w.n, 0);
    stop_follow(&w);
    eth_sender_free(s);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_node_answers_reads_calls_and_batches),
        cmocka_unit_test(a_dead_endpoint_is_passed_over),
        cmocka_unit_test(a_silent_endpoint_is_given_up_and_passed_over),
        cmocka_unit_test(sent_and_mined_in_one_exchange),
        cmocka_unit_test(signatures_of_wallets_and_of_nobody),
        cmocka_unit_test(a_contract_that_halts_has_not_signed_and_a_node_that_fails_says_nothing),
        cmocka_unit_test(many_fibers_send_from_one_wallet),
        cmocka_unit_test(two_senders_of_one_wallet_get_on),
        cmocka_unit_test(an_intent_is_carried_out_once_even_across_a_restart),
        cmocka_unit_test(a_stuck_transaction_is_replaced_with_more_fee),
        cmocka_unit_test(one_that_the_node_lost_does_not_hold_back_the_next),
        cmocka_unit_test(what_the_chain_took_back_is_sent_again),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(a_follower_told_by_websocket_sees_reorgs),
        cmocka_unit_test(a_follower_that_polls_sees_reorgs),
        cmocka_unit_test(a_long_history_is_read_in_ranges),
        cmocka_unit_test(a_roles_own_failure_ends_the_following),
        cmocka_unit_test(a_node_that_lost_everything_is_sent_everything_again),
        cmocka_unit_test(a_node_that_comes_back_with_less_is_a_reorg),
    };
    return cmocka_run_group_tests_name("eth/node", t, setup, teardown);
}
