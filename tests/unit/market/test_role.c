/* SPDX-License-Identifier: Apache-2.0 */
/* The market as a process: its flags, "ready", a killed node, a kill of its own, the end. */
#define ANVIL_CHAIN_ID "421614"
#include "anvil.h"
#include "market/market_int.h"
#include "net/http_doc.h"
#include "proc.h"

static struct anvil node;
static char hub[43], dir[64];

struct asked {
    unsigned port;
    uint64_t count;
};
static sr_status count(void *arg, struct sr_err *err) {
    struct asked *a = arg;
    char url[128];
    cleanup_json struct json *doc = NULL;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/categories?chainId=421614", a->port);
    for (;;) { /* the index catches up after "ready" */
        json_free(doc);
        doc = NULL;
        SR_TRY(http_json("GET", url, slice_of(NULL, 0), &doc, err));
        if (!json_u64(json_get(json_root(doc), "count"), &a->count))
            return sr_fail(err, SR_E_MALFORMED, "no count");
        if (a->count) return SR_OK;
        SR_TRY(fiber_sleep(20, err));
    }
}

static void it_starts_indexes_and_ends_with_its_supervisor(void **state) {
    (void)state;
    struct sr_err e = {0};
    const char *args[] = {"--rpc",  node.http, "--ws", node.ws, "--chain-id",
                          "421614", "--hub",   hub,    NULL};
    for (unsigned i = 0; i < 3; i++) {
        struct proc p;
        struct asked a;
        start(&p, dir, args);
        if (!p.port) fail_msg("not ready: %s", p.line);
        a.port = p.port;
        assert_ok(net_call(count, &a, &e));
        assert_int_equal(a.count, 5);
        if (i == 1) { /* a crash in between: the next one goes on with the same file */
            assert_int_equal(kill(p.pid, SIGKILL), 0);
            assert_int_equal(ended(&p), 128 + SIGKILL);
        } else {
            assert_int_equal(ended(&p), 0); /* closing the control descriptor ends it */
        }
    }
}

static void wrong_flags_are_told_to_the_supervisor(void **state) {
    (void)state;
    static const struct {
        const char *args[10], *word;
    } t[] = {
        {{"--rpc", node.http, NULL}, "--chain-id"},
        {{"--rpc", node.http, "--chain-id", "x", "--hub", hub, NULL}, "--chain-id"},
        {{"--rpc", node.http, "--chain-id", "421614", "--hub", "0x12", NULL}, "--hub"},
        {{"--rpc", node.http, "--chain-id", "1", "--hub", hub, NULL}, "421614"},
        {{"--rpc", node.http, "--chain-id", "421614", "--hub",
          "0x0000000000000000000000000000000000000001", NULL},
         "hub"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        struct proc p;
        start(&p, dir, t[i].args);
        if (!strstr(p.line, t[i].word)) fail_msg("'%s' lacks '%s'", p.line, t[i].word);
        assert_int_not_equal(ended(&p), 0);
    }
}

static void it_waits_for_a_chain_that_is_late(void **state) {
    (void)state;
    struct sr_err e = {0};
    unsigned port = node.port;
    cleanup_free char *saved = path_join(
        getenv("STRONGROOM_CHAIN") ? getenv("STRONGROOM_CHAIN") : CHAIN_DIR, "chain-state.json");
    const char *extra[] = {"--load-state", saved, "--hardfork", "prague", NULL};
    const char *args[] = {"--rpc",  node.http, "--ws", node.ws, "--chain-id",
                          "421614", "--hub",   hub,    NULL};
    anvil_kill(&node);
    pid_t late = fork(); /* starts the node after the market */
    if (late == 0) {
        (void)usleep(300000);
        const char *argv[] = {ANVIL,        "--port", strrchr(node.http, ':') + 1,
                              "--chain-id", "421614", "-q",
                              extra[0],     extra[1], extra[2],
                              extra[3],     NULL};
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execv(ANVIL, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    struct proc p;
    struct asked a;
    start(&p, dir, args);
    if (!p.port) fail_msg("not ready: %s", p.line);
    a.port = p.port;
    assert_ok(net_call(count, &a, &e));
    assert_int_equal(ended(&p), 0);
    (void)kill(late, SIGKILL);
    (void)waitpid(late, NULL, 0);
    (void)port;
}

static void every_route_is_described_and_no_other(void **state) {
    (void)state;
    const struct http_opts o = {.routes = market_routes, .n_routes = market_routes_n};
    const char *gap = http_docs_gap(&o, &market_docs);
    if (gap) fail_msg("%s", gap);
}

static int setup(void **state) {
    (void)state;
    struct sr_err e = {0};
    const char *c = getenv("STRONGROOM_CHAIN") ? getenv("STRONGROOM_CHAIN") : CHAIN_DIR;
    cleanup_free char *saved = path_join(c, "chain-state.json"), *info = path_join(c, "chain.json");
    const char *extra[] = {"--load-state", saved, "--hardfork", "prague", NULL};
    cleanup_buf struct buf b;
    cleanup_json struct json *doc = NULL;
    buf_init(&b, 1u << 20);
    assert_ok(fs_read(info, &b, &e));
    assert_ok(json_parse(buf_slice(&b), &doc, &e));
    struct addr a = vec_addr(json_get(json_root(doc), "contracts"), "hub");
    memcpy(hub, addr_text(&a).s, sizeof hub);
    (void)snprintf(dir, sizeof dir, "/tmp/sr-market-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_ok(net_init(&e));
    anvil_start(&node, 0, extra);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    anvil_kill(&node);
    assert_int_equal(fs_remove_tree(dir, NULL), SR_OK);
    net_done();
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "role") == 0) return market_main(argc - 2, argv + 2);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(it_starts_indexes_and_ends_with_its_supervisor),
        cmocka_unit_test(wrong_flags_are_told_to_the_supervisor),
        cmocka_unit_test(every_route_is_described_and_no_other),
        cmocka_unit_test(it_waits_for_a_chain_that_is_late),
    };
    return cmocka_run_group_tests_name("market/role", t, setup, teardown);
}
