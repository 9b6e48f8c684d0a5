/* SPDX-License-Identifier: Apache-2.0 */
/* chain_world.h - a real node with the real contracts, an app, data, and orders to match */
#pragma once
#include "../eth/anvil.h"
#include "dev_key.h"
#include "eth/sender.h"
#include "ipfs/ipfs.h"
#include "sms/sms_int.h"

#define CHAIN_ID 421614u

/* A call that must go well; says what went wrong. */
#define must(call) assert_int_equal((call), SR_OK)

static struct anvil A;
static struct {
    struct eth_rpc *rpc;
    struct poco poco;
    struct sms_chain *chain;
    struct addr hub, token, pool;
    struct sr_secret alice, bob, carol, operator_key;
    struct addr alice_addr, bob_addr, carol_addr;
    struct addr app, data;
    struct poco_order orders[POCO_KINDS];
} W;

static inline void send(const struct sr_secret *key, const struct addr *to, const struct buf *data,
                        struct eth_receipt *ret) {
    struct eth_signer signer;
    struct eth_sender *s;
    struct sr_err e = {0};
    must(eth_signer_local(key, &signer, NULL));
    const struct eth_sender_opts o = {.rpc = W.rpc, .signer = &signer};
    must(eth_sender_new(&o, &s, NULL));
    const struct eth_want w = {.to = *to, .data = buf_slice(data), .gas_limit = 5000000};
    if (eth_sender_send(s, &w, 10000, ret, &e) != SR_OK) fail_msg("%s", e.what);
    eth_sender_free(s);
}

static inline struct addr create(poco_kind kind, const struct sr_secret *key,
                                 const struct buf *data) {
    struct eth_receipt r = {0};
    struct addr a;
    send(key, kind == POCO_APP ? &W.poco.app_registry : &W.poco.dataset_registry, data, &r);
    must(poco_receipt_created(&W.poco, kind, &r, &a, NULL));
    eth_receipt_done(&r);
    return a;
}

static inline void make_resources(void) {
    cleanup_buf struct buf b, m;
    struct hash sum = {{0x12, 0x34}};
    buf_init(&b, 8192);
    buf_init(&m, 200);
    must(multiaddr_bytes(SLICE_LIT("/ipfs/Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"), &m,
                         NULL));
    must(poco_enc_create_app(&b, &W.bob_addr, SLICE_LIT("app"), SLICE_LIT("DOCKER"), buf_slice(&m),
                             &sum, (struct slice){NULL, 0}, NULL));
    W.app = create(POCO_APP, &W.bob, &b);
    buf_clear(&b);
    must(poco_enc_create_dataset(&b, &W.alice_addr, SLICE_LIT("data"), buf_slice(&m), &sum, NULL));
    W.data = create(POCO_DATASET, &W.alice, &b);
}

/* Fresh orders, all with the tag tee,tdx. */
static inline void make_orders(uint64_t volume, bool with_data) {
    struct poco_order *o = W.orders;
    struct hash tag = tag_of(POCO_TAG_TEE | POCO_TAG_TDX);
    const struct sr_secret *keys[] = {&W.bob, &W.alice, &W.operator_key, &W.bob};
    memset(o, 0, sizeof W.orders);
    for (int k = 0; k < POCO_KINDS; k++) o[k].kind = (poco_kind)k;
    o[0].app = (struct poco_apporder){.app = W.app, .volume = u256_of(100), .tag = tag};
    o[1].dataset = (struct poco_datasetorder){
        .dataset = W.data, .volume = u256_of(volume), .tag = tag, .apprestrict = W.app};
    o[2].workerpool =
        (struct poco_workerpoolorder){.workerpool = W.pool, .volume = u256_of(100), .tag = tag};
    o[3].request = (struct poco_requestorder){.app = W.app,
                                              .dataset = with_data ? W.data : (struct addr){{0}},
                                              .workerpool = W.pool,
                                              .requester = W.bob_addr,
                                              .beneficiary = W.bob_addr,
                                              .volume = u256_of(1),
                                              .tag = tag,
                                              .params = SLICE_LIT("{\"iexec_args\":\"x\"}")};
    for (int k = 0; k < POCO_KINDS; k++) {
        must(poco_salt(&o[k], NULL));
        must(poco_order_sign(&o[k], &W.poco.domain, keys[k], NULL));
    }
}

/* Matches them; the task and the transaction. */
static inline void match(bool with_data, bool through_token, struct hash *task, struct hash *tx) {
    cleanup_buf struct buf b, outer;
    cleanup_receipt struct eth_receipt r = {0};
    struct hash deal;
    struct u256 volume;
    buf_init(&b, 1u << 16);
    buf_init(&outer, 1u << 16);
    must(poco_enc_match(&b, &W.orders[0], with_data ? &W.orders[1] : NULL, &W.orders[2],
                        &W.orders[3], NULL));
    if (through_token)
        must(poco_enc_approve_and_call(&outer, &W.hub, u256_of(0), buf_slice(&b), NULL));
    send(&W.bob, through_token ? &W.token : &W.hub, through_token ? &outer : &b, &r);
    must(poco_receipt_deal(&W.poco, &r, &deal, &volume, NULL));
    *task = poco_task_id(&deal, u256_of(0));
    *tx = r.tx;
}

static inline struct sms_facts *facts(const struct hash *task, const struct hash *tx) {
    struct sms_facts *f = NULL;
    struct sr_err e = {0};
    const char *code = NULL;
    if (sms_chain_facts(W.chain, task, tx, &f, &code, &e) != SR_OK)
        fail_msg("%s: %s", code ? code : "", e.what);
    return f;
}

/* Why the deal's orders do not hold for its parties: a group's word on the chain. */
static inline const char *restricted(const struct hash *task, const struct hash *tx) {
    struct sms_facts *f = facts(task, tx);
    const char *code = f->restricted;
    assert_true(f->groups_checked == (code == NULL));
    sms_facts_free(f);
    return code;
}

/* A contract that answers every question with yes, or with no. */
static inline void group_says(bool yes) {
    static const char text[] =
        "[\"0xc0c0000000000000000000000000000000000000\",\"0x600%d60005260206000f3\"]";
    char params[200];
    (void)snprintf(params, sizeof params, text, yes);
    anvil_do(W.rpc, "anvil_setCode", params);
}

static inline void close_order(const struct sr_secret *key, const struct poco_order *o) {
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    buf_init(&b, 1u << 16);
    must(poco_enc_manage(&b, o, POCO_OP_CLOSE, (struct slice){NULL, 0}, NULL));
    send(key, &W.hub, &b, &r);
}

FIBER_TEST(the_world_is_made) {
    cleanup_buf struct buf text;
    cleanup_json struct json *doc = NULL;
    struct addr who;
    const char *const state[] = {"--load-state", CHAIN_DIR "/chain-state.json", "--hardfork",
                                 "prague", NULL};
    anvil_start(&A, 0, state);
    buf_init(&text, 1u << 20);
    must(fs_read(CHAIN_DIR "/chain.json", &text, NULL));
    must(json_parse(buf_slice(&text), &doc, NULL));
    const struct json_val *v = json_root(doc), *c = json_get(v, "contracts");
    assert_true(json_addr(json_get(c, "hub"), &W.hub));
    assert_true(json_addr(json_get(c, "rlc"), &W.token));
    assert_true(json_addr(json_get(json_get(v, "workerpool"), "address"), &W.pool));
    key_at(json_get(v, "accounts"), "alice", &W.alice, &W.alice_addr);
    key_at(json_get(v, "accounts"), "bob", &W.bob, &W.bob_addr);
    key_at(json_get(v, "accounts"), "carol", &W.carol, &W.carol_addr);
    key_at(json_get(v, "accounts"), "operator", &W.operator_key, &who);
    must(eth_rpc_new(A.http, &W.rpc, NULL));
    anvil_do(W.rpc, "anvil_setChainId", "[421614]");
    must(poco_open(W.rpc, &W.hub, &W.poco, NULL));
    const struct sms_chain_opts o = {.rpc = A.http, .chain_id = CHAIN_ID, .hub = W.hub};
    must(sms_chain_new(&o, &W.chain, NULL));
    make_resources();
}

static inline int teardown(void **state) {
    (void)state;
    anvil_kill(&A);
    sms_chain_free(W.chain);
    eth_rpc_free(W.rpc);
    secret_free(&W.alice);
    secret_free(&W.bob);
    secret_free(&W.carol);
    secret_free(&W.operator_key);
    return 0;
}
