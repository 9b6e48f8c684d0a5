/* SPDX-License-Identifier: Apache-2.0 */
/* What orders mean, and each warning. */
#include "sdk/order.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct addr address(uint8_t b) {
    struct addr a = {{0}};
    memset(a.b, b, sizeof a.b);
    return a;
}

/* Nothing in it to be warned of. */
static struct loaded good(poco_kind kind) {
    struct loaded l = {.order = {.kind = kind}};
    struct hash tag = tag_of(POCO_TAG_TEE | POCO_TAG_TDX);
    struct addr one = address(1), two = address(2), three = address(3), me = address(9);
    struct u256 n = u256_of(1), price = u256_of(7);
    l.order.sign.n = 65;
    switch (kind) {
    case POCO_APP:
        l.order.app = (struct poco_apporder){one, price, n, tag, two, three, me, {{0}}};
        break;
    case POCO_DATASET:
        l.order.dataset = (struct poco_datasetorder){one, price, n, tag, two, three, me, {{0}}};
        break;
    case POCO_WORKERPOOL:
        l.order.workerpool = (struct poco_workerpoolorder){.workerpool = one,
                                                           .workerpoolprice = price,
                                                           .volume = n,
                                                           .tag = tag,
                                                           .apprestrict = two,
                                                           .datasetrestrict = three,
                                                           .requesterrestrict = me};
        break;
    case POCO_REQUEST:
        l.order.request = (struct poco_requestorder){
            .app = one,
            .appmaxprice = price,
            .workerpool = three,
            .requester = me,
            .volume = n,
            .tag = tag,
            .beneficiary = me,
            .params = SLICE_LIT("{\"iexec_result_encryption\":true,\"iexec_args\":\"a b\"}")};
        break;
    }
    return l;
}

static struct order_facts known(void) {
    return (struct order_facts){.known = true,
                                .signature = SIGNED_OK,
                                .registered = true,
                                .app = PARTY_ONE,
                                .data = PARTY_ONE,
                                .pool = PARTY_ONE,
                                .requester = PARTY_ONE};
}

static struct sr_explained x; /* 16 KiB: not for the stack */

/* The warnings' codes, with a space after each. */
static const char *warnings(const struct loaded *l, const struct order_facts *f) {
    static char codes[512];
    codes[0] = 0;
    order_explain(l, f, &x);
    for (size_t i = 0; i < x.n_warnings; i++) {
        size_t n = strlen(codes);
        (void)snprintf(codes + n, sizeof codes - n, "%s ", x.warnings[i].code);
        assert_true(strlen(x.warnings[i].text) > 10);
    }
    return codes;
}

static bool says(const char *words) {
    for (size_t i = 0; i < x.n_sentences; i++)
        if (strstr(x.sentences[i].text, words)) return true;
    return false;
}

static void an_order_with_nothing_to_mind_has_no_warning(void **state) {
    (void)state;
    for (int k = 0; k < POCO_KINDS; k++) {
        struct loaded l = good((poco_kind)k);
        struct order_facts f = known();
        assert_string_equal(warnings(&l, &f), "");
        assert_string_equal(x.state, "open");
        assert_string_equal(x.kind, poco_kind_word[k]);
        assert_true(x.n_sentences >= 2 && says("enclave (tag tee,tdx)"));
    }
}

static void what_everybody_may_do_is_warned_of(void **state) {
    (void)state;
    struct order_facts f = known();
    struct loaded l = good(POCO_DATASET);
    l.order.dataset.apprestrict = (struct addr){{0}};
    assert_string_equal(warnings(&l, &f), "ANY_APP ");
    assert_true(says("with any app, 1 time, for 7 nRLC each time"));
    l = good(POCO_DATASET);
    l.order.dataset.requesterrestrict = (struct addr){{0}};
    assert_string_equal(warnings(&l, &f), "ANY_REQUESTER ");
    l = good(POCO_APP);
    l.order.app.requesterrestrict = (struct addr){{0}};
    assert_string_equal(warnings(&l, &f), "ANY_REQUESTER ");
    l = good(POCO_WORKERPOOL);
    l.order.workerpool.apprestrict = l.order.workerpool.requesterrestrict = (struct addr){{0}};
    assert_string_equal(warnings(&l, &f), "ANY_APP ANY_REQUESTER ");
    l = good(POCO_REQUEST);
    l.order.request.workerpool = (struct addr){{0}};
    assert_string_equal(warnings(&l, &f), "ANY_WORKERPOOL ");
}

static void a_price_of_zero_is_warned_of(void **state) {
    (void)state;
    struct order_facts f = known();
    struct loaded l = good(POCO_APP);
    l.order.app.appprice = (struct u256){0};
    assert_string_equal(warnings(&l, &f), "FREE ");
    l = good(POCO_DATASET);
    l.order.dataset.datasetprice = (struct u256){0};
    assert_string_equal(warnings(&l, &f), "FREE ");
    l = good(POCO_WORKERPOOL);
    l.order.workerpool.workerpoolprice = (struct u256){0};
    assert_string_equal(warnings(&l, &f), "FREE ");
    l = good(POCO_REQUEST);
    l.order.request.appmaxprice = (struct u256){0};
    assert_string_equal(warnings(&l, &f), "FREE ");
}

static void a_count_without_limit_is_warned_of(void **state) {
    (void)state;
    struct order_facts f = known();
    struct loaded l = good(POCO_DATASET);
    l.order.dataset.volume = u256_of(SR_UNLIMITED);
    assert_string_equal(warnings(&l, &f), "UNLIMITED ");
    assert_true(says("any number of times"));
    l.order.dataset.volume = u256_of(1000);
    assert_string_equal(warnings(&l, &f), "");
    assert_true(says("1000 times"));
}

static void no_enclave_is_warned_of(void **state) {
    (void)state;
    struct order_facts f = known();
    struct loaded l = good(POCO_DATASET);
    l.order.dataset.tag = (struct hash){{0}};
    assert_string_equal(warnings(&l, &f), "NO_TEE ");
    assert_false(says("enclave"));
}

static void groups_and_empty_addresses_are_warned_of(void **state) {
    (void)state;
    struct order_facts f = known();
    struct loaded l = good(POCO_DATASET);
    f.app = PARTY_GROUP;
    assert_string_equal(warnings(&l, &f), "GROUP ");
    assert_true(says("any app in the group 0x0202"));
    f.app = PARTY_ONE;
    f.pool = PARTY_NOTHING;
    assert_string_equal(warnings(&l, &f), "NOTHING_THERE ");
}

static void the_state_is_told_and_warned_of(void **state) {
    (void)state;
    struct order_facts f = known();
    struct loaded l = good(POCO_APP);
    l.order.app.volume = u256_of(3);
    f.consumed = u256_of(1);
    assert_string_equal(warnings(&l, &f), "");
    assert_true(says("1 of it is used"));
    f.consumed = u256_of(3);
    assert_string_equal(warnings(&l, &f), "USED_UP ");
    assert_string_equal(x.state, "used up");
    f.cancelled = true;
    assert_string_equal(warnings(&l, &f), "CANCELLED ");
    assert_string_equal(x.state, "cancelled");
    f = known();
    f.signature = SIGNED_NOT;
    assert_string_equal(warnings(&l, &f), "UNSIGNED ");
    f.signature = SIGNED_WRONG;
    assert_string_equal(warnings(&l, &f), "WRONG_SIGNER ");
    f = known();
    f.registered = false;
    assert_string_equal(warnings(&l, &f), "NOT_REGISTERED ");
    f = known();
    (void)snprintf(l.status, sizeof l.status, "dead");
    assert_string_equal(warnings(&l, &f), "DEAD ");
    f = (struct order_facts){0};
    l = good(POCO_APP);
    assert_string_equal(warnings(&l, &f), "NOT_CHECKED ");
    assert_string_equal(x.state, "not checked");
}

static void a_request_says_what_becomes_public(void **state) {
    (void)state;
    struct order_facts f = known();
    struct loaded l = good(POCO_REQUEST);
    (void)warnings(&l, &f);
    assert_true(says("\"a b\""));
    assert_true(says("at most 7 nRLC a task"));
    l.order.request.params = SLICE_LIT("{}");
    assert_string_equal(warnings(&l, &f), "PLAIN_RESULT ");
    l.order.request.callback = address(5);
    assert_string_equal(warnings(&l, &f), "");
    assert_true(says("for everybody to read"));
}

/* ---- reading ---- */

static void every_wrapping_and_kind_is_read(void **state) {
    (void)state;
    for (int k = 0; k < POCO_KINDS; k++) {
        struct loaded l = good((poco_kind)k), back = {0};
        cleanup_buf struct buf b, item;
        buf_init(&b, ORDER_TEXT_MAX);
        buf_init(&item, ORDER_TEXT_MAX);
        struct jw w = jw_of(&b);
        poco_order_json(&w, &l.order, false, true);
        assert_int_equal(order_from_text(buf_slice(&b), &back, NULL), SR_OK);
        assert_int_equal(back.order.kind, k);
        loaded_done(&back);
        buf_printf(&item, "{\"%sorder\":%s,\"status\":\"open\",\"remaining\":4}", poco_kind_word[k],
                   buf_cstr(&b));
        assert_int_equal(order_from_text(buf_slice(&item), &back, NULL), SR_OK);
        assert_int_equal(back.order.kind, k);
        assert_string_equal(back.status, "open");
        assert_int_equal(back.remaining, 4);
        loaded_done(&back);
        for (size_t cut = 0; cut < b.n; cut++)
            assert_int_not_equal(order_from_text(slice_of(b.p, cut), &back, NULL), SR_OK);
    }
}

static void what_is_no_order_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "{}",
                                      "[]",
                                      "1",
                                      "{\"order\":{}}",
                                      "{\"order\":[1]}",
                                      "{\"appprice\":\"x\"}",
                                      "{\"order\":{\"order\":{\"order\":{}}}}"};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct loaded l = {0};
        struct sr_err err = {0};
        assert_int_not_equal(order_from_text(slice_str(bad[i]), &l, &err), SR_OK);
        assert_true(err.what[0] != 0);
    }
}

/* ---- the failure catalogue ---- */

static void each_code_of_the_catalogue_is_found_and_complete(void **state) {
    (void)state;
    size_t n = 0;
    const struct sr_failure *f;
    for (; (f = sr_failure_at(n)) != NULL; n++) {
        char text[200];
        (void)snprintf(text, sizeof text, "%s: and words", f->code);
        assert_ptr_equal(sr_failure_find(f->code), f);
        assert_ptr_equal(sr_failure_find(text), f);
        assert_true(f->cause[0] && f->next[0] && f->stage[0] && f->party[0]);
        assert_true(strlen(f->next) < sizeof((struct sr_err *)0)->hint);
    }
    assert_int_equal(n, SR_F_COUNT);
    assert_null(sr_failure_find("APP_COMPUTE"));
    assert_null(sr_failure_find(""));
    assert_null(sr_failure_find(NULL));
}

static void the_first_code_stays_and_gives_the_next_step(void **state) {
    (void)state;
    struct sr_err e = {0};
    assert_string_equal(sr_err_next(&e), "");
    sr_why_text(&e, "NO_SUCH_CODE: x");
    assert_null(e.failure);
    sr_why(&e, SR_F_DATA_NOT_GRANTED);
    sr_why(&e, SR_F_NO_WORKER);
    assert_string_equal(e.failure, "DATA_NOT_GRANTED");
    assert_string_equal(sr_err_next(&e), sr_failure_find("DATA_NOT_GRANTED")->next);
    sr_hint(&e, "better");
    assert_string_equal(sr_err_next(&e), "better");
    sr_why(NULL, SR_F_NO_WORKER);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(an_order_with_nothing_to_mind_has_no_warning),
        cmocka_unit_test(what_everybody_may_do_is_warned_of),
        cmocka_unit_test(a_price_of_zero_is_warned_of),
        cmocka_unit_test(a_count_without_limit_is_warned_of),
        cmocka_unit_test(no_enclave_is_warned_of),
        cmocka_unit_test(groups_and_empty_addresses_are_warned_of),
        cmocka_unit_test(the_state_is_told_and_warned_of),
        cmocka_unit_test(a_request_says_what_becomes_public),
        cmocka_unit_test(every_wrapping_and_kind_is_read),
        cmocka_unit_test(what_is_no_order_is_refused),
        cmocka_unit_test(each_code_of_the_catalogue_is_found_and_complete),
        cmocka_unit_test(the_first_code_stays_and_gives_the_next_step),
    };
    return cmocka_run_group_tests_name("sdk/explain", t, NULL, NULL);
}
