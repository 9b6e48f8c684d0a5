/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include "worker/worker_int.h"
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define H64   "0x1111111111111111111111111111111111111111111111111111111111111111"
#define A40   "0x2222222222222222222222222222222222222222"
#define SIG   "0x" SIG13 SIG13 SIG13 SIG13 SIG13
#define SIG13 "33333333333333333333333333"
static const char good[] =
    "{\"type\":\"assign\",\"task\":\"" H64 "\",\"deal\":\"" H64 "\",\"index\":2,\"matchTx\":\"" H64
    "\",\"assignment\":{\"task\":\"" H64 "\",\"worker\":\"" A40 "\",\"nonce\":\"" H64
    "\",\"expires\":9,\"signature\":\"" SIG "\"},\"app\":{\"address\":\"" A40
    "\",\"multiaddr\":\"/ipfs/x\",\"checksum\":\"" H64 "\"},\"datasets\":[{\"address\":\"" A40
    "\",\"multiaddr\":\"/ipfs/y\",\"checksum\":\"" H64 "\"}],\"inputFiles\":[\"http://"
    "z\"],\"seconds\":300,\"contributionDeadline\":77,\"initialized\":false,\"callback\":\"" A40
    "\",\"resultStorage\":\"ipfs\"}";

static sr_status read_text(const char *text, struct job **ret) {
    static struct worker w;
    struct json *doc = NULL;
    sr_status st = json_parse(slice_str(text), &doc, NULL);
    if (st != SR_OK) return st;
    struct job *j = job_new(&w);
    assert_non_null(j);
    st = msg_assign_read(json_root(doc), j, NULL);
    json_free(doc);
    if (st == SR_OK)
        *ret = j;
    else
        job_free(j);
    return st;
}

static void an_assignment_reads(void **state) {
    (void)state;
    struct job *j = NULL;
    assert_int_equal(read_text(good, &j), SR_OK);
    assert_int_equal(j->index, 2);
    assert_string_equal(j->app_multiaddr, "/ipfs/x");
    assert_int_equal(j->n_datasets, 1);
    assert_string_equal(j->datasets[0].url, "/ipfs/y");
    assert_int_equal(j->n_files, 1);
    assert_int_equal(j->seconds, 300);
    assert_true(j->has_callback);
    assert_false(j->initialized);
    job_free(j);
}

static void an_assignment_with_a_faulty_field_is_refused(void **state) {
    (void)state;
    static const char *const changes[][2] = {
        {"\"index\":2", "\"index\":-2"},
        {"\"seconds\":300", "\"seconds\":0"},
        {"\"seconds\":300", "\"seconds\":\"x\""},
        {"\"initialized\":false", "\"initialized\":0"},
        {"\"matchTx\":\"0x1", "\"matchTx\":\"0x"},
        {"\"expires\":9", "\"expires\":true"},
        {"\"signature\":\"0x3", "\"signature\":\"0x"},
        {"\"multiaddr\":\"/ipfs/x\"", "\"multiaddr\":\"\""},
        {"\"multiaddr\":\"/ipfs/y\"", "\"multiaddr\":5"},
        {"[\"http://z\"]", "[\"\"]"},
        {"[\"http://z\"]", "{}"},
        {"\"datasets\":[", "\"datasets\":[{},"},
        {"\"callback\":\"0x2", "\"callback\":\"0x"},
        {"{\"task\":\"0x1", "{\"task\":\"0x2"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(changes); i++) {
        char text[sizeof good + 64];
        struct job *j = NULL;
        const char *at = strstr(good, changes[i][0]);
        assert_non_null(at);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, changes[i][1],
                       at + strlen(changes[i][0]));
        if (read_text(text, &j) == SR_OK) fail_msg("case %zu: %s", i, changes[i][1]);
    }
}

static void an_assignment_cut_anywhere_is_refused(void **state) {
    (void)state;
    char text[sizeof good];
    for (size_t cut = 0; cut + 1 < sizeof good; cut++) {
        struct job *j = NULL;
        memcpy(text, good, cut);
        text[cut] = 0;
        assert_int_not_equal(read_text(text, &j), SR_OK);
    }
}

static void a_failure_says_cause_blame_and_what_to_do(void **state) {
    (void)state;
    struct job *j = NULL;
    struct buf b;
    struct json *doc = NULL;
    struct slice text;
    struct sr_err e = {.code = SR_E_TASK};
    assert_int_equal(read_text(good, &j), SR_OK);
    (void)snprintf(e.what, sizeof e.what, "it \"failed\"");
    (void)snprintf(e.hint, sizeof e.hint, "look there");
    assert_int_equal(job_fail(j, "APP_COMPUTE_FAILED", BLAME_APP, SR_E_TASK), SR_E_TASK);
    assert_int_equal(job_fail(j, "SOMETHING_LATER", BLAME_HOST, SR_E_TASK),
                     SR_E_TASK); /* the first stays */
    buf_put(&j->tail_err, "\xff\x00bytes", 7);
    buf_init(&b, 1u << 20);
    msg_failed(&b, j, &e);
    assert_int_equal(b.bad, SR_OK);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    assert_true(json_str(json_get(json_root(doc), "cause"), &text) &&
                slice_is(text, "APP_COMPUTE_FAILED"));
    assert_true(json_str(json_get(json_root(doc), "blame"), &text) && slice_is(text, "app"));
    assert_true(json_str(json_get(json_root(doc), "message"), &text) &&
                slice_is(text, "it \"failed\"; look there"));
    assert_null(json_get(json_root(doc), "exitCode"));
    json_free(doc);
    buf_done(&b);
    job_free(j);
}

static void the_worst_output_still_fits_into_one_message(void **state) {
    (void)state;
    static uint8_t worst[WIRE_LOG_TAIL_MAX];
    struct job *j = NULL;
    struct json *doc = NULL;
    struct slice out, errout;
    struct sr_err e = {.code = SR_E_TASK};
    assert_int_equal(read_text(good, &j), SR_OK);
    memset(worst, 1, sizeof worst); /* each becomes six bytes */
    worst[sizeof worst - 1] = 'z';
    buf_put(&j->tail_out, worst, sizeof worst);
    buf_put(&j->tail_err, worst, sizeof worst);
    msg_failed(&j->last, j, &e);
    assert_int_equal(j->last.bad, SR_OK);
    assert_int_equal(json_parse(buf_slice(&j->last), &doc, NULL), SR_OK);
    assert_true(json_str(json_get(json_root(doc), "stdout"), &out));
    assert_true(json_str(json_get(json_root(doc), "stderr"), &errout));
    assert_true(out.n > WIRE_LOG_TAIL_MAX / 2 && errout.n == out.n);
    assert_int_equal(out.p[out.n - 1], 'z'); /* the end stays, the beginning goes */
    json_free(doc);
    buf_clear(&j->last);
    msg_done(&j->last, j);
    assert_int_equal(j->last.bad, SR_OK);
    job_free(j);
}

/* "cause" of the message that such a code ends in. */
static void check_cause(const char *code, size_t n, const char *want) {
    static struct worker w;
    struct json *doc = NULL;
    struct slice cause;
    struct sr_err e = {.code = SR_E_REFUSED, .what = "refused"};
    struct job *j = job_new(&w);
    cleanup_buf struct buf b;
    buf_init(&b, WIRE_POOL_MESSAGE_MAX);
    assert_int_equal(job_fail_code(j, slice_of((const uint8_t *)code, n), "APP_COMPUTE_FAILED",
                                   BLAME_HOST, SR_E_REFUSED),
                     SR_E_REFUSED);
    msg_failed(&b, j, &e);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    assert_true(json_str(json_get(json_root(doc), "cause"), &cause));
    assert_true(wire_is_cause(cause));
    assert_true(slice_is(cause, want));
    json_free(doc);
    job_free(j);
}

static void anothers_odd_code_becomes_a_cause_that_the_scheduler_takes(void **state) {
    (void)state;
    char longest[WIRE_CAUSE_MAX + 2];
    memset(longest, 'A', sizeof longest);
    check_cause("NONCE_UNKNOWN", 13, "NONCE_UNKNOWN");
    check_cause("", 0, "APP_COMPUTE_FAILED");
    check_cause("lower_case", 10, "APP_COMPUTE_FAILED");
    check_cause("A B", 3, "APP_COMPUTE_FAILED");
    check_cause("A\"B", 3, "APP_COMPUTE_FAILED");
    check_cause("A\0B", 3, "APP_COMPUTE_FAILED");
    check_cause(longest, sizeof longest - 1, "APP_COMPUTE_FAILED");
    longest[WIRE_CAUSE_MAX] = 0;
    check_cause(longest, WIRE_CAUSE_MAX, longest);
}

/* A room that never stops: DATA after DATA until the stream is closed. */
static void endless_room(void *arg) {
    static const uint8_t body[4096];
    uint8_t head[DOOR_HEAD];
    struct stream *s = arg;
    door_head_write(head, DOOR_DATA, sizeof body);
    while (stream_write(s, slice_of(head, sizeof head), NULL) == SR_OK &&
           stream_write(s, slice_of(body, sizeof body), NULL) == SR_OK) {
    }
    stream_close(s);
}

static sr_status endless_story(void *arg, struct sr_err *err) {
    (void)arg;
    static struct worker w; /* a room with no disk at all: only the archive's own bytes */
    int pair[2], out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct job *j = job_new(&w);
    struct door d = {.room = {.pidfd = -1, .stream = -1}};
    struct stream *room;
    struct sr_err e = {0};
    if (!j || out < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return sr_fail(err, SR_E_SYS, "the test's room");
    buf_init(&d.frame, DOOR_BODY_MAX);
    SR_TRY(stream_from_fd(pair[0], &d.stream, err));
    SR_TRY(stream_from_fd(pair[1], &room, err));
    SR_TRY(fiber_start(endless_room, room, err));
    sr_status st = job_take_data(j, &d, out, &e);
    stream_close(d.stream);
    buf_done(&d.frame);
    (void)close(out);
    job_free(j);
    return st == SR_E_TOOBIG ? SR_OK : sr_fail(err, SR_E_SYS, "not refused: %s", e.what);
}

static void a_room_cannot_fill_the_hosts_disk(void **state) {
    (void)state;
    struct sr_err e = {0};
    if (net_call(endless_story, NULL, &e) != SR_OK) fail_msg("%s: %s", e.where, e.what);
}

static int end_net(void **state) {
    (void)state;
    net_done();
    return 0;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(an_assignment_reads),
        cmocka_unit_test(an_assignment_with_a_faulty_field_is_refused),
        cmocka_unit_test(an_assignment_cut_anywhere_is_refused),
        cmocka_unit_test(a_failure_says_cause_blame_and_what_to_do),
        cmocka_unit_test(anothers_odd_code_becomes_a_cause_that_the_scheduler_takes),
        cmocka_unit_test(the_worst_output_still_fits_into_one_message),
        cmocka_unit_test(a_room_cannot_fill_the_hosts_disk),
    };
    return cmocka_run_group_tests_name("worker/message", t, NULL, end_net);
}
