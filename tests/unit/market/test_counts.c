/* SPDX-License-Identifier: Apache-2.0 */
/* How many orders a list says there are, while they come and go. */
#include "world.h"

static uint64_t fresh_count(const char *path) {
    counts_flush(mk);
    books_changed_all(mk);
    return count_of(path);
}

static void in_one_transaction(void (*fn)(void)) {
    struct sr_err e = {0};
    struct db_tx tx;
    assert_ok(db_begin(mk->db, &tx, &e));
    fn();
    assert_ok(changes_tell(mk, &e));
    assert_ok(db_commit(&tx, &e));
    changes_committed(mk);
}

static struct hash some[40];
static const struct addr some_app = {{7, 7}};
static unsigned turn;
static void store_some(void) {
    for (unsigned i = 0; i < 40; i++) {
        struct poco_order o = app_order(&some_app, 1 + i % 5);
        o.app.salt.b[0] = (uint8_t)i;
        if (i % 2) o.app.requesterrestrict.b[5] = 1;
        some[i] = poco_order_hash(&mk->poco.domain, &o);
        store_order(&o, &some[i], &some_app, 1 + i % 5, 99);
    }
}
static void change_one(void) {
    struct sr_err e = {0};
    const struct hash *h = &some[turn];
    if (turn % 4 == 0)
        assert_ok(order_set(mk, h, ORDER_CANCELED, 0, 1u << 30, &e));
    else if (turn % 4 == 1)
        assert_ok(order_delete(mk, h, &e));
    else if (turn % 4 == 2)
        assert_ok(order_set(mk, h, ORDER_OPEN, 1, 1u << 30, &e));
}
static void back_again(void) {
    struct sr_err e = {0};
    assert_ok(orders_rollback(mk, (1u << 30) - 1, &e));
}

FIBER_TEST(kept_counts_follow_every_change) {
    const char *paths[] = {"/apporders?chainId=421614&app=any",
                           "/apporders?chainId=421614&app=any&requester=any",
                           ("/apporders?chainId=421614&app=any&requester=any&minTag="
                            "0x0000000000000000000000000000000000000000000000000000000000000009")};
    uint64_t base_count[3];
    for (unsigned i = 0; i < 3; i++) {
        base_count[i] = fresh_count(paths[i]);
        assert_true(base_count[i] >= 500); /* kept */
    }
    for (unsigned i = 0; i < 3; i++) (void)count_of(paths[i]);
    in_one_transaction(store_some);
    assert_int_equal(count_of(paths[0]), base_count[0] + 20);
    assert_int_equal(count_of(paths[1]), base_count[1] + 40);
    assert_int_equal(count_of(paths[2]), base_count[2] + 40);
    for (turn = 0; turn < 40; turn++) {
        in_one_transaction(change_one);
        uint64_t kept = count_of(paths[turn % 3]);
        assert_int_equal(kept, fresh_count(paths[turn % 3]));
        for (unsigned k = 0; k < 3; k++) (void)count_of(paths[k]);
    }
    in_one_transaction(back_again);
    assert_int_equal(count_of(paths[1]), base_count[1] + 30);
}

static void store_many(void) {
    for (unsigned i = 0; i < 5000; i++) {
        struct addr app = {{1, 2, 3, (uint8_t)i, (uint8_t)(i >> 8)}};
        struct poco_order o = app_order(&app, 1 + i);
        o.app.appprice = u256_of(i * 7919 % 1000);
        o.app.salt.b[0] = (uint8_t)i;
        o.app.salt.b[1] = (uint8_t)(i >> 8);
        if (i % 3 == 0) o.app.requesterrestrict.b[0] = 1;
        struct hash h = poco_order_hash(&mk->poco.domain, &o);
        store_order(&o, &h, &app, 1, 1000 + i);
    }
}

/* 5,000 open orders: a page of "any app" without the cache. */
FIBER_TEST(a_page_among_five_thousand_orders_is_quick) {
    in_one_transaction(store_many);
    static const char *const paths[] = {
        "/apporders?chainId=421614&app=any",
        "/apporders?chainId=421614&app=any&requester=any&workerpool=any&dataset=any",
        "/apporders?chainId=421614&app=any&requester="
        "0x0100000000000000000000000000000000000000&pageIndex=3&pageSize=20",
        "/apporders?chainId=421614&app=any&minTag="
        "0x0000000000000000000000000000000000000000000000000000000000000009"};
    for (size_t i = 0; i < SR_ARRAY_LEN(paths); i++) {
        json_free(get(paths[i])); /* statements prepared, pages of the file read */
        int64_t t = clock_mono_us();
        for (unsigned k = 0; k < 20; k++) {
            books_changed_all(mk); /* no ready answer */
            json_free(get(paths[i]));
        }
        int64_t cold = (clock_mono_us() - t) / 20;
        t = clock_mono_us();
        for (unsigned k = 0; k < 20; k++) json_free(get(paths[i]));
        print_message("%-60.60s %lld us, cached %lld us (client and parsing included)\n", paths[i],
                      (long long)cold, (long long)(clock_mono_us() - t) / 20);
        assert_true(cold < 50000);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_page_among_five_thousand_orders_is_quick),
        cmocka_unit_test(kept_counts_follow_every_change),
    };
    return cmocka_run_group_tests_name("market counts", t, setup, teardown);
}
