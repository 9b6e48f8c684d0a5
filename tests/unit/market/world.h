/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a market of a test's own: a real chain with our contracts, asked by HTTP */
#pragma once
#define ANVIL_CHAIN_ID "421614"
#include "anvil.h"

#include "../db/cluster.h"
#include "eth/eth.h"
#include "market/market_int.h"
#include <stdio.h>

#pragma GCC diagnostic ignored "-Wunused-function" /* no test uses them all */

static struct anvil node;
static struct json *chain;
static struct market *mk;
static struct http_server *server;
static struct sr_secret keys[10];
static struct eth_signer signers[10];
static struct addr pool, protector, hub, sharing, lists;
static char db_path[192], base[64], folder[64];
static uint64_t ping_ms;       /* of sockets; 0: as usual */
static struct cluster cluster; /* where STRONGROOM_TEST_POSTGRES is set */
enum { ALICE, BOB, CAROL, DAVE, OPERATOR, WORKER };

/* ---- set-up */

static const char *chain_dir(void) {
    const char *d = getenv("STRONGROOM_CHAIN");
    return d ? d : CHAIN_DIR;
}

static struct market_opts options(void) {
    return (struct market_opts){.path = db_path,
                                .rpc = node.http,
                                .ws = node.ws,
                                .hub = hub,
                                .data_protector = protector,
                                .has_data_protector = true,
                                .sharing = sharing,
                                .whitelist_registry = lists,
                                .has_sharing = true,
                                .workerpool = pool,
                                .has_workerpool = true,
                                .ping_ms = ping_ms,
                                .scheduler_url = "http://127.0.0.1:9"};
}

static void serve(void) {
    struct sr_err e = {0};
    const struct http_opts h = {.routes = market_routes,
                                .n_routes = market_routes_n,
                                .role = mk,
                                .cors = true,
                                .on_error = market_error};
    assert_ok(http_serve(&h, "127.0.0.1", 0, -1, &server, &e));
    (void)snprintf(base, sizeof base, "http://127.0.0.1:%u", http_server_port(server));
}

static sr_status start_market(void *arg, struct sr_err *err) {
    (void)arg;
    static struct market_opts o; /* for as long as the market lives */
    o = options();
    SR_TRY(market_start(&o, &mk, err));
    while (!mk->caught_up) SR_TRY(fcond_wait(&mk->up, 20000, err));
    return SR_OK;
}

static int setup(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_free char *saved = path_join(chain_dir(), "chain-state.json");
    cleanup_free char *info = path_join(chain_dir(), "chain.json");
    const char *extra[] = {"--load-state", saved, "--hardfork", "prague", NULL};
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    assert_ok(fs_read(info, &b, &e));
    assert_ok(json_parse(buf_slice(&b), &chain, &e));
    const struct json_val *root = json_root(chain);
    hub = vec_addr(json_get(root, "contracts"), "hub");
    protector = vec_addr(json_get(root, "contracts"), "dataProtector");
    sharing = vec_addr(json_get(root, "contracts"), "sharing");
    lists = vec_addr(json_get(root, "contracts"), "appWhitelistRegistry");
    pool = vec_addr(json_get(root, "workerpool"), "address");
    for (size_t i = 0; i < 10; i++) {
        vec_key(vec_str(json_at(json_get(root, "accounts"), i), "privateKey"), &keys[i]);
        assert_ok(eth_signer_local(&keys[i], &signers[i], &e));
    }
    assert_ok(net_init(&e));
    anvil_start(&node, 0, extra);
    (void)snprintf(folder, sizeof folder, "/tmp/sr-market-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(db_path, sizeof db_path, "%s/m.db", folder);
    if (getenv("STRONGROOM_TEST_POSTGRES")) {
        if (!cluster_start(&cluster)) {
            print_message("PostgreSQL is not installed: nothing is tested\n");
            exit(77);
        }
        memcpy(db_path, cluster.url, sizeof db_path);
    }
    assert_ok(net_call(start_market, NULL, &e));
    serve();
    return 0;
}

static sr_status stop_market(void *arg, struct sr_err *err) {
    (void)arg;
    if (mk->follower) eth_follow_stop(mk->follower);
    do { /* streams see that their clients have left when something changes */
        market_changed(mk);
        SR_TRY(fiber_sleep(50, err)); /* the follower's fiber ends at once; nothing says so */
    } while (mk->streams);
    return SR_OK;
}

static int teardown(void **state) {
    (void)state;
    struct sr_err e = {0};
    http_server_close(server);
    assert_ok(net_call(stop_market, NULL, &e));
    market_stop(mk);
    anvil_kill(&node);
    json_free(chain);
    for (size_t i = 0; i < 10; i++) secret_free(&keys[i]);
    assert_int_equal(fs_remove_tree(folder, NULL), SR_OK);
    cluster_stop(&cluster);
    net_done();
    return 0;
}

/* ---- talking */

static struct json *ask_status(const char *method, const char *path, const char *auth,
                               struct slice body, int want) {
    struct sr_err e = {0};
    struct json *doc = NULL;
    cleanup_answer struct http_answer a = {0};
    cleanup_buf struct buf url, h;
    buf_init(&url, 8192);
    buf_init(&h, 1024);
    buf_printf(&url, "%s%s", base, path);
    buf_printf(&h, "authorization: %s", auth ? auth : "");
    const char *headers[] = {"Content-Type: application/json", auth ? buf_cstr(&h) : NULL, NULL};
    const struct http_call c = {.method = method,
                                .url = buf_cstr(&url),
                                .headers = headers,
                                .body = body,
                                .max_body = 64u << 20};
    assert_ok(http_fetch(&c, &a, &e));
    if (a.status != want) fail_msg("%s %s: %d %s", method, path, a.status, buf_cstr(&a.body));
    assert_ok(json_parse(buf_slice(&a.body), &doc, &e));
    return doc;
}

static struct json *get(const char *path) {
    return ask_status("GET", path, NULL, slice_of(NULL, 0), 200);
}

static void expect_error(const char *path, int status, const char *text) {
    struct json *d = ask_status("GET", path, NULL, slice_of(NULL, 0), status);
    if (!slice_is(vec_str(json_root(d), "error"), text))
        fail_msg("%s: %.*s", path, (int)vec_str(json_root(d), "error").n,
                 (const char *)vec_str(json_root(d), "error").p);
    json_free(d);
}

/* "<hash>_<signature>_<address>" for a fresh challenge */
static char *login(size_t who) {
    struct sr_err e = {0};
    char path[128];
    (void)snprintf(path, sizeof path, "/challenge?chainId=421614&address=%s",
                   addr_checksum(&signers[who].addr).s);
    struct json *d = get(path);
    struct hash h;
    struct sr_signature sig;
    assert_ok(eip712_json(json_get(json_root(d), "data"), &h, &e));
    json_free(d);
    assert_ok(secp_sign(&keys[who], &h, &sig, &e));
    struct buf b;
    buf_init(&b, 512);
    buf_printf(&b, "%s_0x", hash_text(&h).s);
    buf_hex(&b, slice_of(sig.b, 65));
    buf_printf(&b, "_%s", addr_checksum(&signers[who].addr).s);
    return (char *)b.p; /* NUL-terminated, owned */
}

/* As a publish does, but for any order. */
static void store_order(const struct poco_order *o, const struct hash *h, const struct addr *signer,
                        uint64_t remaining, uint64_t ms) {
    struct sr_err e = {0};
    struct order_insert mem;
    struct order_row row = order_row_of(o, h, signer, remaining, ms);
    cleanup_buf struct buf json;
    buf_init(&json, 8192);
    struct jw w = jw_of(&json);
    poco_order_json(&w, o, true, true);
    struct db_stmt s = order_insert_of(&row, buf_slice(&json), &mem);
    assert_ok(db_run_all(mk->db, &s, 1, &e));
    changes_order(mk, NULL, &row);
}

static struct json *publish_raw(size_t who, const struct poco_order *o, int want) {
    cleanup_free char *auth = login(who);
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_key(&w, "order");
    poco_order_json(&w, o, false, true);
    jw_end_obj(&w);
    char path[64];
    (void)snprintf(path, sizeof path, "/%sorders?chainId=421614", poco_kind_word[o->kind]);
    return ask_status("POST", path, auth, buf_slice(&b), want);
}

static struct hash publish(size_t who, struct poco_order *o) {
    struct sr_err e = {0};
    assert_ok(poco_salt(o, &e));
    assert_ok(poco_order_sign(o, &mk->poco.domain, &keys[who], &e));
    struct json *d = publish_raw(who, o, 200);
    struct hash h = vec_hash(json_get(json_root(d), "published"), "orderHash"),
                want = poco_order_hash(&mk->poco.domain, o);
    assert_hash_is(h, want);
    json_free(d);
    return h;
}

static void refused(size_t who, const struct poco_order *o, const char *text) {
    struct json *d = publish_raw(who, o, 403);
    struct slice s = vec_str(json_root(d), "error");
    if (!slice_starts(s, text)) fail_msg("refused with: %.*s", (int)s.n, (const char *)s.p);
    json_free(d);
}

static struct json *unpublish(size_t who, poco_kind k, const char *body, int want) {
    cleanup_free char *auth = login(who);
    char path[64];
    (void)snprintf(path, sizeof path, "/%sorders?chainId=421614", poco_kind_word[k]);
    return ask_status("PUT", path, auth, slice_str(body), want);
}

/* ---- the chain */

static struct eth_receipt send(size_t who, const struct addr *to, const struct buf *data) {
    struct sr_err e = {0};
    struct eth_sender *s;
    struct eth_receipt rc = {0};
    const struct eth_sender_opts o = {.rpc = mk->rpc, .signer = &signers[who], .ws_url = node.ws};
    const struct eth_want w = {.to = *to, .data = buf_slice(data)};
    assert_ok(eth_sender_new(&o, &s, &e));
    assert_ok(eth_sender_send(s, &w, 20000, &rc, &e));
    eth_sender_free(s);
    assert_ok(eth_follow_wait(mk->follower, rc.block, 20000, &e));
    return rc;
}

static struct addr make_app(size_t owner, const char *name) {
    struct sr_err e = {0};
    struct buf b;
    struct hash sum = {{7}};
    struct addr a;
    buf_init(&b, 4096);
    assert_ok(poco_enc_create_app(&b, &signers[owner].addr, slice_str(name), SLICE_LIT("DOCKER"),
                                  SLICE_LIT("docker.io/me/app:1"), &sum, slice_of(NULL, 0), &e));
    struct eth_receipt rc = send(owner, &mk->poco.app_registry, &b);
    assert_ok(poco_receipt_created(&mk->poco, POCO_APP, &rc, &a, &e));
    eth_receipt_done(&rc);
    buf_done(&b);
    return a;
}

static struct addr make_data(size_t owner, const char *name) {
    struct sr_err e = {0};
    struct buf b;
    struct hash sum = {{8}};
    struct addr a;
    uint8_t multi[37];
    assert_true(
        hex_decode(SLICE_LIT("a5032212207237a7f4091a74ae95514890fa86a2e8a36037c350ea71c06a34"
                             "c8cbe25a5057"),
                   multi, 37));
    buf_init(&b, 4096);
    assert_ok(poco_enc_create_dataset_with_schema(
        &b, &signers[owner].addr, slice_str(name),
        SLICE_LIT("{\"a\":{\"file\":\"string\",\"no good key\":\"string\"},\"b\":\"bool\",\"c\":"
                  "\"unknown\"}"),
        slice_of(multi, 37), &sum, &e));
    struct eth_receipt rc = send(owner, &protector, &b);
    assert_ok(poco_receipt_created(&mk->poco, POCO_DATASET, &rc, &a, &e));
    eth_receipt_done(&rc);
    buf_done(&b);
    return a;
}

static struct poco_order app_order(const struct addr *app, uint64_t volume) {
    return (struct poco_order){.kind = POCO_APP,
                               .app = {.app = *app, .volume = u256_of(volume), .tag = tag_of(9)}};
}
static struct poco_order data_order(const struct addr *data, const struct addr *app,
                                    uint64_t volume) {
    return (struct poco_order){
        .kind = POCO_DATASET,
        .dataset = {
            .dataset = *data, .volume = u256_of(volume), .tag = tag_of(9), .apprestrict = *app}};
}
static struct poco_order pool_order(uint64_t volume) {
    return (struct poco_order){
        .kind = POCO_WORKERPOOL,
        .workerpool = {.workerpool = pool, .volume = u256_of(volume), .tag = tag_of(9)}};
}
static struct poco_order request_order(size_t who, const struct addr *app, const struct addr *data,
                                       uint64_t volume) {
    return (struct poco_order){.kind = POCO_REQUEST,
                               .request = {.app = *app,
                                           .dataset = *data,
                                           .requester = signers[who].addr,
                                           .beneficiary = signers[who].addr,
                                           .volume = u256_of(volume),
                                           .params = SLICE_LIT("{}"),
                                           .tag = tag_of(9)}};
}
static const struct addr nobody = {{0}};

static size_t count_of(const char *path) {
    struct json *d = get(path);
    uint64_t n;
    assert_true(json_u64(json_get(json_root(d), "count"), &n));
    json_free(d);
    return (size_t)n;
}

static void order_is(poco_kind k, const struct hash *h, const char *status, uint64_t remaining) {
    char path[160];
    (void)snprintf(path, sizeof path, "/%sorders/%s?chainId=421614", poco_kind_word[k],
                   hash_text(h).s);
    struct json *d = get(path);
    if (!slice_is(vec_str(json_root(d), "status"), status))
        fail_msg("status is %.*s", (int)vec_str(json_root(d), "status").n,
                 (const char *)vec_str(json_root(d), "status").p);
    assert_int_equal(vec_u64(json_root(d), "remaining"), remaining);
    json_free(d);
}

static struct hash make_deal(const struct addr *app, const struct addr *data, uint64_t volume,
                             struct hash h[4]) {
    struct sr_err e = {0};
    struct poco_order a = app_order(app, volume + 1), d = data_order(data, app, volume),
                      w = pool_order(volume), r = request_order(BOB, app, data, volume);
    h[0] = publish(ALICE, &a);
    h[1] = publish(CAROL, &d);
    h[2] = publish(OPERATOR, &w);
    h[3] = publish(BOB, &r);
    struct hash deal;
    struct u256 v;
    struct buf b;
    buf_init(&b, 1u << 16);
    assert_ok(poco_try_match(&mk->poco, &signers[BOB].addr, &a, &d, &w, &r, &deal, &e));
    assert_ok(poco_enc_match(&b, &a, &d, &w, &r, &e));
    struct eth_receipt rc = send(BOB, &hub, &b);
    assert_ok(poco_receipt_deal(&mk->poco, &rc, &deal, &v, &e));
    eth_receipt_done(&rc);
    buf_done(&b);
    return deal;
}

static void snapshot(char id[80]) {
    struct sr_err e = {0};
    cleanup_json struct json *doc = NULL;
    const struct json_val *v;
    assert_ok(eth_rpc_call(mk->rpc, "evm_snapshot", "[]", &doc, &v, &e));
    (void)snprintf(id, 80, "[\"%.*s\"]", (int)json_text(v).n, (const char *)json_text(v).p);
}
static void take_back(const char *id) {
    struct sr_err e = {0};
    uint64_t changes = mk->change_no;
    anvil_do(mk->rpc, "evm_revert", id);
    anvil_do(mk->rpc, "evm_mine", "[]");
    (void)changes;
    struct eth_block head;
    assert_ok(eth_get_block(mk->rpc, (struct eth_at){0}, &head, &e));
    while (!hash_eq(&mk->head_hash, &head.hash)) assert_ok(fcond_wait(&mk->changed, 10000, &e));
}

/* Sends a query; the document must have no errors. variables: JSON or NULL. */
static struct json *gql(const char *which, const char *query, const char *variables) {
    cleanup_buf struct buf b;
    buf_init(&b, 2u << 20);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kcstr(&w, "query", query);
    jw_key(&w, "variables");
    jw_raw(&w, slice_str(variables ? variables : "{}"));
    jw_end_obj(&w);
    char path[64];
    (void)snprintf(path, sizeof path, "/subgraphs/%s", which);
    struct json *d = ask_status("POST", path, NULL, buf_slice(&b), 200);
    const struct json_val *e = json_get(json_root(d), "errors");
    if (e)
        fail_msg("%s: %.*s", query, (int)json_text(json_get(json_at(e, 0), "message")).n,
                 (const char *)json_text(json_get(json_at(e, 0), "message")).p);
    return d;
}
static const struct json_val *data_of(struct json *d, const char *key) {
    return json_get(json_get(json_root(d), "data"), key);
}
static void gql_fails(const char *query, const char *part) {
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 17);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kcstr(&w, "query", query);
    jw_end_obj(&w);
    struct json *d = ask_status("POST", "/subgraphs/poco", NULL, buf_slice(&b), 200);
    const struct json_val *e = json_get(json_root(d), "errors");
    if (!e) fail_msg("%s: answered", query);
    cleanup_free char *text = slice_dup(vec_str(json_at(e, 0), "message"));
    if (!strstr(text, part)) fail_msg("%s: %s", query, text);
    assert_null(json_get(json_root(d), "data"));
    json_free(d);
}
