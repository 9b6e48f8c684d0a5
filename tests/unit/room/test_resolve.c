/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups of names, and the messages about an app's connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include "room/door.h"
#include "room/resolve.h"
#include <cmocka.h>

#define ASK(name, type) "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" name "\0\0" type "\0\1"
static const char ask_a[] = ASK("\3API\7example\3org", "\x01");
#define A_QUERY slice_of(ask_a, sizeof ask_a - 1)

static void a_question_reads_in_lower_case(void **state) {
    (void)state;
    struct resolve_query q;
    assert_true(resolve_parse(A_QUERY, &q));
    assert_string_equal(q.name, "api.example.org");
    assert_int_equal(q.type, RESOLVE_TYPE_A);
    assert_int_equal(q.question_end, sizeof ask_a - 1);
}

static void a_question_cut_anywhere_is_none(void **state) {
    (void)state;
    struct resolve_query q;
    for (size_t cut = 0; cut < sizeof ask_a - 1; cut++)
        assert_false(resolve_parse(slice_of(ask_a, cut), &q));
}

static void odd_questions_are_none(void **state) {
    (void)state;
    static const char pointer[] = ASK("\xc0\x0c", "\1"), dot[] = ASK("\3a.b", "\1"),
                      nul[] = ASK("\3a\0b", "\1");
    struct resolve_query q;
    uint8_t copy[sizeof ask_a];
    assert_false(resolve_parse(slice_of(pointer, sizeof pointer - 1), &q));
    assert_false(resolve_parse(slice_of(dot, sizeof dot - 1), &q));
    assert_false(resolve_parse(slice_of(nul, sizeof nul - 1), &q));
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{2, 0x81}, {2, 0x09}, {2, 0x03}, {5, 0}, {5, 2}, {7, 1}, {sizeof ask_a - 2, 3}};
    for (size_t i = 0; i < SR_ARRAY_LEN(changes); i++) {
        memcpy(copy, ask_a, sizeof ask_a);
        copy[changes[i].at] = changes[i].value;
        assert_false(resolve_parse(slice_of(copy, sizeof ask_a - 1), &q));
    }
    struct buf big;
    buf_init(&big, 1024);
    buf_put(&big, ask_a, 12);
    for (unsigned i = 0; i < 5; i++) { /* 5 * 64 bytes: longer than a name can be */
        buf_u8(&big, 63);
        for (unsigned k = 0; k < 63; k++) buf_u8(&big, 'a');
    }
    buf_put(&big, "\0\0\1\0\1", 5);
    assert_false(resolve_parse(buf_slice(&big), &q));
    buf_done(&big);
}

static void answers_are_what_resolvers_expect(void **state) {
    (void)state;
    struct resolve_query q;
    struct buf b;
    buf_init(&b, RESOLVE_MAX_REPLY);
    assert_true(resolve_parse(A_QUERY, &q));
    resolve_reply(&b, A_QUERY, &q, RESOLVE_ADDRESS, 0x7f010002);
    static const char head[] = "\x12\x34\x85\x80\0\1\0\1\0\0\0\0",
                      tail[] = "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\1\0\2";
    assert_memory_equal(b.p, head, sizeof head - 1);
    assert_memory_equal(b.p + 12, ask_a + 12, sizeof ask_a - 1 - 12); /* in the asker's letters */
    assert_memory_equal(b.p + sizeof ask_a - 1, tail, sizeof tail - 1);
    assert_int_equal(b.n, sizeof ask_a - 1 + sizeof tail - 1);
    resolve_reply(&b, A_QUERY, &q, RESOLVE_NO_SUCH_NAME, 0);
    assert_int_equal(b.n, sizeof ask_a - 1);
    assert_int_equal(b.p[3] & 0xf, 3);
    assert_int_equal(b.p[7], 0);
    resolve_reply(&b, A_QUERY, &q, RESOLVE_NOTHING, 0);
    assert_int_equal(b.p[3] & 0xf, 0);
    assert_int_equal(b.p[7], 0);
    buf_done(&b);
}

static void messages_of_a_connection_read_back_and_fail_when_cut_or_longer(void **state) {
    (void)state;
    static const unsigned types[] = {DOOR_OPEN,     DOOR_OPENED,    DOOR_FLOW,
                                     DOOR_FLOW_END, DOOR_FLOW_TOOK, DOOR_FLOW_CLOSE};
    for (size_t i = 0; i < SR_ARRAY_LEN(types); i++) {
        struct buf b;
        struct door_flow m = {.id = 7, .n = 2, .data = SLICE_LIT("abc")}, got;
        buf_init(&b, 64);
        door_flow_write(&b, types[i], &m);
        assert_true(door_flow_read(types[i], buf_slice(&b), &got));
        assert_int_equal(got.id, 7);
        bool has_n = types[i] == DOOR_OPEN || types[i] == DOOR_OPENED || types[i] == DOOR_FLOW_TOOK;
        if (has_n) assert_int_equal(got.n, 2);
        if (types[i] == DOOR_FLOW) assert_true(slice_eq(got.data, m.data));
        size_t least = types[i] == DOOR_FLOW ? 5 : b.n;
        for (size_t cut = 0; cut < least; cut++)
            assert_false(door_flow_read(types[i], slice_of(b.p, cut), &got));
        buf_u8(&b, 0);
        if (types[i] != DOOR_FLOW) assert_false(door_flow_read(types[i], buf_slice(&b), &got));
        buf_done(&b);
    }
}

static void a_connections_numbers_have_limits(void **state) {
    (void)state;
    static const struct {
        unsigned type;
        uint32_t n;
    } bad[] = {{DOOR_OPENED, 3}, {DOOR_FLOW_TOOK, 0}, {DOOR_FLOW_TOOK, DOOR_FLOW_WINDOW + 1}};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct buf b;
        struct door_flow got;
        buf_init(&b, 64);
        door_flow_write(&b, bad[i].type, &(struct door_flow){.id = 1, .n = bad[i].n});
        assert_false(door_flow_read(bad[i].type, buf_slice(&b), &got));
        buf_done(&b);
    }
    static uint8_t big[4 + DOOR_FLOW_MAX + 1];
    struct door_flow got;
    assert_false(door_flow_read(DOOR_FLOW, slice_of(big, sizeof big), &got));
    assert_true(door_flow_read(DOOR_FLOW, slice_of(big, sizeof big - 1), &got));
    assert_false(door_flow_read(DOOR_DATA, slice_of(big, 8), &got));
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_question_reads_in_lower_case),
        cmocka_unit_test(a_question_cut_anywhere_is_none),
        cmocka_unit_test(odd_questions_are_none),
        cmocka_unit_test(answers_are_what_resolvers_expect),
        cmocka_unit_test(messages_of_a_connection_read_back_and_fail_when_cut_or_longer),
        cmocka_unit_test(a_connections_numbers_have_limits),
    };
    return cmocka_run_group_tests_name("room/resolve", t, NULL, NULL);
}
