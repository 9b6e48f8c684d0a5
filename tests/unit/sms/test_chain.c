/* SPDX-License-Identifier: Apache-2.0 */
/* What the chain says about a task: against a real node with the real contracts. */
#include "chain_world.h"

FIBER_TEST(a_deal_and_its_orders_are_read) {
    for (int through = 0; through < 2; through++) {
        struct hash task, tx;
        make_orders(100, true);
        match(true, through, &task, &tx);
        struct sms_facts *f = facts(&task, &tx);
        assert_int_equal(f->status, POCO_TASK_UNSET);
        assert_int_equal(f->index, 0);
        assert_true(f->has_dataset);
        assert_true(addr_eq(&f->deal.dataset.pointer, &W.data));
        assert_true(addr_eq(&f->dataset_owner, &W.alice_addr));
        assert_true(addr_eq(&f->app_owner, &W.bob_addr));
        assert_true(addr_eq(&f->request_order.request.requester, &W.bob_addr));
        assert_true(slice_is(f->request_order.request.params, "{\"iexec_args\":\"x\"}"));
        assert_int_equal(f->dataset_order.sign.n, 65);
        assert_int_equal(f->app.checksum.b[0], 0x12);
        assert_true(f->seconds > 0);
        assert_int_equal(f->contribution_deadline, f->deal.start_time + 7 * f->seconds);
        assert_false(f->dataset_revoked || f->restricted || f->groups_checked);
        assert_false(f->app_presigned || f->dataset_presigned || f->request_presigned);
        sms_facts_free(f);
    }
}

FIBER_TEST(facts_are_read_fast) {
    struct hash task, tx;
    make_orders(100, true);
    match(true, false, &task, &tx);
    int64_t t0 = clock_mono_us();
    for (int i = 0; i < 50; i++) sms_facts_free(facts(&task, &tx));
    print_message("facts: %lld us\n", (long long)(clock_mono_us() - t0) / 50);
}

FIBER_TEST(an_initialized_task_and_one_without_data_are_read) {
    struct hash task, tx;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    make_orders(100, false);
    match(false, false, &task, &tx);
    struct sms_facts *f = facts(&task, &tx);
    assert_false(f->has_dataset);
    buf_init(&b, 4096);
    must(poco_enc_initialize(&b, &f->deal_id, u256_of(0), NULL));
    uint64_t deadline = f->contribution_deadline;
    sms_facts_free(f);
    send(&W.carol, &W.hub, &b, &r);
    f = facts(&task, &tx);
    assert_int_equal(f->status, POCO_TASK_ACTIVE);
    assert_int_equal(f->contribution_deadline, deadline);
    sms_facts_free(f);
}

FIBER_TEST(a_grant_used_up_is_not_a_grant_revoked) {
    struct hash task, tx;
    make_orders(1, true); /* this deal uses it up */
    match(true, false, &task, &tx);
    struct sms_facts *f = facts(&task, &tx);
    assert_false(f->dataset_revoked);
    sms_facts_free(f);
    make_orders(5, true);
    match(true, false, &task, &tx);
    close_order(&W.alice, &W.orders[1]);
    f = facts(&task, &tx);
    assert_true(f->dataset_revoked);
    sms_facts_free(f);
}

FIBER_TEST(an_order_signed_on_the_chain_counts) {
    struct hash task, tx;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    make_orders(5, true);
    W.orders[1].sign.n = 0;
    buf_init(&b, 1u << 16);
    must(poco_enc_manage(&b, &W.orders[1], POCO_OP_SIGN, (struct slice){NULL, 0}, NULL));
    send(&W.alice, &W.hub, &b, &r);
    match(true, false, &task, &tx);
    struct sms_facts *f = facts(&task, &tx);
    assert_true(f->dataset_presigned);
    assert_false(f->app_presigned);
    sms_facts_free(f);
}

/* The groups of app and request say yes when the orders are matched, and no at the release. */
FIBER_TEST(a_group_that_changed_its_mind_restricts_its_order) {
    static const struct addr group = {{0xc0, 0xc0}};
    for (int of_request = 0; of_request < 2; of_request++) {
        struct hash task, tx;
        make_orders(5, true);
        if (of_request)
            W.orders[POCO_REQUEST].request.workerpool = group;
        else
            W.orders[POCO_APP].app.requesterrestrict = group;
        must(poco_order_sign(&W.orders[POCO_APP], &W.poco.domain, &W.bob, NULL));
        must(poco_order_sign(&W.orders[POCO_REQUEST], &W.poco.domain, &W.bob, NULL));
        group_says(true);
        match(true, false, &task, &tx);
        assert_null(restricted(&task, &tx));
        group_says(false);
        const char *code = restricted(&task, &tx);
        assert_non_null(code);
        assert_string_equal(code, of_request ? "REQUEST_ORDER_RESTRICTED" : "APP_ORDER_RESTRICTED");
    }
}

FIBER_TEST(transactions_that_made_no_such_deal_are_refused) {
    struct hash task, tx, other_task, other_tx, nothing = {{1}};
    const struct {
        const struct hash *task, *tx;
        const char *code;
    } t[] = {{&task, &nothing, "GET_CHAIN_TASK_FAILED"},
             {&nothing, &tx, "GET_CHAIN_DEAL_FAILED"},
             {&task, &other_tx, "GET_CHAIN_DEAL_FAILED"}};
    make_orders(5, true);
    match(true, false, &task, &tx);
    make_orders(5, true);
    match(true, false, &other_task, &other_tx);
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        struct sms_facts *f;
        const char *code = NULL;
        struct sr_err e = {0};
        assert_int_equal(sms_chain_facts(W.chain, t[i].task, t[i].tx, &f, &code, &e),
                         SR_E_NOTFOUND);
        assert_non_null(code);
        assert_string_equal(code, t[i].code);
    }
}

FIBER_TEST(a_sold_data_set_has_another_owner) {
    struct hash task, tx;
    cleanup_buf struct buf b;
    cleanup_receipt struct eth_receipt r = {0};
    struct addr owner;
    make_orders(5, true);
    match(true, false, &task, &tx);
    buf_init(&b, 4096);
    must(erc721_enc_transfer(&b, &W.alice_addr, &W.carol_addr, &W.data, NULL));
    send(&W.alice, &W.poco.dataset_registry, &b, &r);
    struct sms_facts *f = facts(&task, &tx);
    assert_true(addr_eq(&f->dataset_owner, &W.carol_addr));
    assert_true(addr_eq(&f->deal.dataset.owner, &W.alice_addr));
    sms_facts_free(f);
    must(sms_chain_owner(W.chain, POCO_DATASET, &W.data, &owner, NULL));
    assert_true(addr_eq(&owner, &W.carol_addr));
    assert_int_equal(sms_chain_owner(W.chain, POCO_APP, &W.data, &owner, NULL), SR_E_NOTFOUND);
    assert_int_equal(sms_chain_owner(W.chain, POCO_APP, &W.carol_addr, &owner, NULL),
                     SR_E_NOTFOUND);
}

FIBER_TEST(a_node_that_is_gone_is_no_refusal) {
    struct hash task = {{1}};
    struct sms_facts *f;
    const char *code = NULL;
    struct sr_err e = {0};
    anvil_kill(&A);
    assert_int_equal(sms_chain_facts(W.chain, &task, &task, &f, &code, &e), SR_E_UNAVAILABLE);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(the_world_is_made),
        cmocka_unit_test(a_deal_and_its_orders_are_read),
        cmocka_unit_test(facts_are_read_fast),
        cmocka_unit_test(an_initialized_task_and_one_without_data_are_read),
        cmocka_unit_test(a_grant_used_up_is_not_a_grant_revoked),
        cmocka_unit_test(an_order_signed_on_the_chain_counts),
        cmocka_unit_test(a_group_that_changed_its_mind_restricts_its_order),
        cmocka_unit_test(transactions_that_made_no_such_deal_are_refused),
        cmocka_unit_test(a_sold_data_set_has_another_owner),
        cmocka_unit_test(a_node_that_is_gone_is_no_refusal),
    };
    return cmocka_run_group_tests_name("sms/chain", t, NULL, teardown);
}
