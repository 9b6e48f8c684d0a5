/* SPDX-License-Identifier: Apache-2.0 */
/* Two markets with one PostgreSQL database: both serve, one indexes; it is killed, the other goes
 * on. */
#include "listen.h"
#include "proc.h"

static struct proc two[2];
static struct db *db;

static void here(const struct proc *p) {
    (void)snprintf(base, sizeof base, "http://127.0.0.1:%u", p->port);
}

static void run_one(size_t i) {
    static char dir[2][96], addrs[2][3][43];
    (void)snprintf(dir[i], sizeof dir[i], "%s/m%zu", folder, i);
    memcpy(addrs[i][0], addr_text(&hub).s, 43);
    memcpy(addrs[i][1], addr_text(&sharing).s, 43);
    memcpy(addrs[i][2], addr_text(&lists).s, 43);
    const char *args[] = {
        "--rpc", node.http,   "--ws",      node.ws,     "--chain-id",           "421614",
        "--hub", addrs[i][0], "--sharing", addrs[i][1], "--whitelist-registry", addrs[i][2],
        "--db",  cluster.url, NULL};
    start(&two[i], dir[i], args);
    if (!two[i].port) fail_msg("not ready: %s", two[i].line);
}

/* Until the database holds what block n told, whoever indexed it. */
static void indexed(uint64_t n) {
    struct sr_err e = {0};
    uint64_t at = 0;
    for (int64_t end = clock_mono_us() + 20000000; at < n && clock_mono_us() < end;) {
        assert_ok(db_get_u64(db, "SELECT COALESCE(MAX(number), 0) FROM mark", DB_NO_ARGS, &at, &e));
        assert_ok(fiber_sleep(10, &e));
    }
    assert_true(at >= n);
}

static struct eth_receipt send_it(size_t who, const struct addr *to, const struct buf *data) {
    struct sr_err e = {0};
    struct eth_sender *s;
    struct eth_receipt rc = {0};
    const struct eth_sender_opts o = {.rpc = mk->rpc, .signer = &signers[who], .ws_url = node.ws};
    const struct eth_want w = {.to = *to, .data = buf_slice(data)};
    assert_ok(eth_sender_new(&o, &s, &e));
    assert_ok(eth_sender_send(s, &w, 20000, &rc, &e));
    eth_sender_free(s);
    indexed(rc.block);
    return rc;
}

static struct addr new_app(size_t owner, const char *name) {
    struct sr_err e = {0};
    struct buf b;
    struct hash sum = {{7}};
    struct addr a;
    buf_init(&b, 4096);
    assert_ok(poco_enc_create_app(&b, &signers[owner].addr, slice_str(name), SLICE_LIT("DOCKER"),
                                  SLICE_LIT("docker.io/me/app:1"), &sum, slice_of(NULL, 0), &e));
    struct eth_receipt rc = send_it(owner, &mk->poco.app_registry, &b);
    assert_ok(poco_receipt_created(&mk->poco, POCO_APP, &rc, &a, &e));
    eth_receipt_done(&rc);
    buf_done(&b);
    return a;
}

/* What was written through one is shown by the other, at the latest when it has heard of it. */
static void soon(poco_kind k, const struct hash *h, int status) {
    struct sr_err e = {0};
    char path[160];
    cleanup_answer struct http_answer a = {0};
    (void)snprintf(path, sizeof path, "%s/%sorders/%s?chainId=421614", base, poco_kind_word[k],
                   hash_text(h).s);
    for (int64_t end = clock_mono_us() + 10000000; clock_mono_us() < end;) {
        const struct http_call c = {.url = path};
        http_answer_done(&a);
        assert_ok(http_fetch(&c, &a, &e));
        if (a.status == status) return;
        assert_ok(fiber_sleep(10, &e));
    }
    fail_msg("%s answers %d", path, a.status);
}
static void count_becomes(const char *path, size_t n) {
    struct sr_err e = {0};
    for (int64_t end = clock_mono_us() + 10000000; count_of(path) != n;) {
        assert_true(clock_mono_us() < end);
        assert_ok(fiber_sleep(20, &e));
    }
}

static void close_order(size_t who, struct poco_order *o) {
    struct sr_err e = {0};
    struct buf b;
    buf_init(&b, 1u << 16);
    assert_ok(poco_enc_manage(&b, o, POCO_OP_CLOSE, slice_of(NULL, 0), &e));
    struct eth_receipt rc = send_it(who, &hub, &b);
    eth_receipt_done(&rc);
    buf_done(&b);
}

static struct addr app;
static struct poco_order left[2];
static struct hash hashes[2];

FIBER_TEST(both_serve_and_one_indexes) {
    struct sr_err e = {0};
    uint64_t holders;
    app = new_app(ALICE, "shared");
    for (size_t i = 0; i < 2; i++) {
        left[i] = app_order(&app, 3 + i);
        here(&two[1 - i]);
        struct ws *w = listen_to("orders");
        here(&two[i]);
        hashes[i] = publish(ALICE, &left[i]);
        order_is(POCO_APP, &hashes[i], "open", 3 + i);
        here(&two[1 - i]);
        expect_event(w, "apporder_published", &hashes[i]); /* though another one wrote it */
        ws_close(w);
        soon(POCO_APP, &hashes[i], 200);
    }
    char path[128];
    (void)snprintf(path, sizeof path, "/apporders?chainId=421614&app=%s", addr_text(&app).s);
    for (size_t i = 0; i < 2; i++) {
        here(&two[i]);
        count_becomes(path, 2);
    }
    /* a challenge from one, used with the other; used once only */
    here(&two[0]);
    cleanup_free char *auth = login(ALICE);
    here(&two[1]);
    char body[128];
    (void)snprintf(body, sizeof body, "{\"orderHash\":\"%s\"}", hash_text(&hashes[0]).s);
    json_free(ask_status("PUT", "/apporders?chainId=421614", auth, slice_str(body), 200));
    here(&two[0]);
    json_free(ask_status("PUT", "/apporders?chainId=421614", auth, slice_str(body), 403));
    soon(POCO_APP, &hashes[0], 404);
    assert_ok(
        db_get_u64(db,
                   "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
                   "objid = $1",
                   DB_ARGS(db_u64(MARKET_LOCK_INDEX)), &holders, &e));
    assert_int_equal(holders, 1);
}

/* A row that no market is told of. */
static void put_silently(unsigned i) {
    struct sr_err e = {0};
    struct order_insert mem;
    struct addr none_of_ours = {{5, 5, (uint8_t)(i >> 8), (uint8_t)i}};
    struct poco_order o = app_order(&none_of_ours, 1);
    struct hash h = poco_order_hash(&mk->poco.domain, &o);
    struct order_row row = order_row_of(&o, &h, &none_of_ours, 1, 1000);
    struct db_stmt s = order_insert_of(&row, SLICE_LIT("{}"), &mem);
    assert_ok(db_run_all(db, &s, 1, &e));
}

static void both_count(const char *path, size_t n) {
    for (size_t i = 0; i < 2; i++) {
        here(&two[i]);
        count_becomes(path, n);
    }
}

FIBER_TEST(kept_counts_follow_what_either_changes) {
    struct sr_err e = {0};
    static const char any[] = "/apporders?chainId=421614&app=any&requester=any&pageSize=10",
                      two_left[] = "/apporders?chainId=421614&app=any&minVolume=2&pageSize=10";
    uint64_t n;
    for (unsigned i = 0; i < 600; i++) put_silently(i);
    assert_ok(db_get_u64(db, "SELECT COUNT(*) FROM orders WHERE kind = 0 AND status = 0",
                         DB_NO_ARGS, &n, &e));
    struct poco_order o[6];
    struct hash h[6];
    here(&two[0]);
    for (unsigned i = 0; i < 6; i++) { /* ready answers of before are no good any more */
        o[i] = app_order(&app, 2);
        here(&two[i % 2]);
        h[i] = publish(ALICE, &o[i]);
    }
    both_count(any, n + 6);
    for (unsigned i = 600; i < 605; i++) put_silently(i); /* only who counts again sees these */
    for (unsigned i = 0; i < 4; i++) {
        char body[128];
        (void)snprintf(body, sizeof body, "{\"orderHash\":\"%s\"}", hash_text(&h[i]).s);
        here(&two[i / 2]);
        json_free(unpublish(ALICE, POCO_APP, body, 200));
        both_count(any, n + 6 - i - 1);
    }
    close_order(ALICE, &o[4]); /* by the chain, which one of them follows */
    both_count(any, n + 1);
    here(&two[0]);
    size_t few = count_of(two_left); /* less than is worth keeping */
    h[0] = publish(ALICE, &o[0]);
    both_count(any, n + 2);
    both_count(two_left, few + 1);
    assert_ok(db_run(db, "DELETE FROM orders WHERE json = '{}'", DB_NO_ARGS, &e));
}

/* Signers publish with either market, while blocks come that make the index look at stakes: what
 * requests write and what the index writes share a connection. */
static struct poco_order of_many[4][6];
static unsigned running;
static void publish_six(void *arg) {
    size_t who = *(size_t *)arg;
    for (unsigned i = 0; i < 6; i++) {
        here(&two[(who + i) % 2]); /* another fiber may choose the other one: as good */
        json_free(publish_raw(who, &of_many[who][i], 200));
    }
    running--;
}

FIBER_TEST(requests_and_the_index_write_in_turns) {
    struct sr_err e = {0};
    static size_t who[4];
    struct buf b;
    uint64_t first, n;
    struct poco_order offer = app_order(&app, 1000);
    here(&two[0]);
    (void)publish(ALICE, &offer);
    const char *count = "SELECT COUNT(*) FROM orders WHERE kind = 3 AND status = 0";
    assert_ok(db_get_u64(db, count, DB_NO_ARGS, &first, &e));
    running = 4;
    for (size_t i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 6; k++) {
            struct poco_order *o = &of_many[i][k];
            *o = request_order(i, &app, &nobody, 1);
            assert_ok(poco_salt(o, &e));
            assert_ok(poco_order_sign(o, &mk->poco.domain, &keys[i], &e));
        }
        who[i] = i;
        assert_ok(fiber_start(publish_six, &who[i], &e));
    }
    buf_init(&b, 128);
    assert_ok(poco_enc_withdraw(&b, u256_of(1), &e));
    for (unsigned i = 0; running || i < 4; i++) {
        struct eth_receipt rc = send_it(OPERATOR, &hub, &b);
        assert_true(rc.ok);
        eth_receipt_done(&rc);
    }
    buf_done(&b);
    assert_ok(db_get_u64(db, count, DB_NO_ARGS, &n, &e));
    assert_int_equal(n, first + 24);
}

FIBER_TEST(the_one_that_indexes_is_killed_and_the_other_goes_on) {
    struct sr_err e = {0};
    uint64_t first;
    /* the first that was started holds the lock */
    assert_int_equal(kill(two[0].pid, SIGKILL), 0);
    assert_int_equal(ended(&two[0]), 128 + SIGKILL);
    here(&two[1]);
    close_order(ALICE, &left[1]);
    order_is(POCO_APP, &hashes[1], "canceled", 0);
    struct addr more = new_app(ALICE, "after");
    struct poco_order o = app_order(&more, 5);
    struct hash h = publish(ALICE, &o);
    order_is(POCO_APP, &h, "open", 5);
    run_one(0); /* the next one waits for its turn, and serves */
    here(&two[0]);
    soon(POCO_APP, &h, 200);
    close_order(ALICE, &o);
    order_is(POCO_APP, &h, "canceled", 0);
    /* nothing was indexed twice, nothing left out */
    assert_ok(db_get_u64(db,
                         "SELECT COUNT(*) FROM (SELECT block, log FROM event GROUP BY block, log "
                         "HAVING COUNT(*) > 1) AS twice",
                         DB_NO_ARGS, &first, &e));
    assert_int_equal(first, 0);
    struct hash a, b;
    struct eth_block head;
    struct market *again;
    struct market_opts mo = options();
    char copy[80];
    (void)snprintf(copy, sizeof copy, "%s/again.db", folder);
    mo.path = copy;
    mo.has_data_protector = false; /* nor have they */
    assert_ok(eth_get_block(mk->rpc, (struct eth_at){0}, &head, &e));
    assert_ok(market_start(&mo, &again, &e));
    while (!again->caught_up || again->head < head.number)
        assert_ok(fcond_wait(&again->changed, 20000, &e));
    assert_ok(index_digest(db, head.number, &a, &e));
    assert_ok(index_digest(again->db, head.number, &b, &e));
    assert_hash_is(a, b);
    eth_follow_stop(again->follower);
    assert_ok(fiber_sleep(100, &e));
    market_stop(again);
}

FIBER_TEST(a_lost_server_ends_a_market_with_an_error) {
    struct sr_err e = {0};
    assert_ok(db_script(db,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                        "pg_backend_pid() AND usename = 'strongroom'",
                        &e));
    for (size_t i = 0; i < 2; i++) {
        int st = 0;
        assert_int_equal(waitpid(two[i].pid, &st, 0), two[i].pid);
        assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 1);
        close(two[i].control);
        close(two[i].ready);
    }
}

static int setup_two(void **state) {
    struct sr_err e = {0};
    if (!cluster_start(&cluster)) {
        print_message("PostgreSQL is not installed: nothing is tested\n");
        exit(77);
    }
    /* a market of this process, too: with a file, and for its client of the node */
    if (setup(state) != 0) return -1;
    assert_ok(db_open(cluster.url, 0, &db, &e));
    run_one(0);
    run_one(1);
    return 0;
}

static int teardown_two(void **state) {
    db_close(db);
    return teardown(state);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "role") == 0) return market_main(argc - 2, argv + 2);
    const struct CMUnitTest t[] = {
        cmocka_unit_test(both_serve_and_one_indexes),
        cmocka_unit_test(kept_counts_follow_what_either_changes),
        cmocka_unit_test(requests_and_the_index_write_in_turns),
        cmocka_unit_test(the_one_that_indexes_is_killed_and_the_other_goes_on),
        cmocka_unit_test(a_lost_server_ends_a_market_with_an_error),
    };
    return cmocka_run_group_tests_name("market replicas", t, setup_two, teardown_two);
}
