/* SPDX-License-Identifier: Apache-2.0 */
/* test_fiber.c - the loop and its fibers */
#include "net_test.h"
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static char trace[64];
static void note(void *arg) {
    (void)strncat(trace, arg, sizeof trace - strlen(trace) - 1);
}

FIBER_TEST(a_started_fiber_begins_at_the_next_wait_in_order) {
    trace[0] = 0;
    SR_TRY(fiber_start(note, "a", err));
    SR_TRY(fiber_start(note, "b", err));
    note("0");
    SR_TRY(fiber_sleep(0, err));
    CHECK(strcmp(trace, "0ab") == 0);
    return SR_OK;
}

FIBER_TEST(sleeping_takes_at_least_its_time) {
    int64_t t = clock_mono_us();
    SR_TRY(fiber_sleep(20, err));
    CHECK(clock_mono_us() - t >= 19000);
    return SR_OK;
}

struct pair {
    struct fcond c;
    struct fmutex m;
    int ready, woken, order[8], n;
};
static void wait_one(void *arg) {
    struct pair *p = arg;
    p->ready++;
    if (fcond_wait(&p->c, 0, NULL) == SR_OK) p->woken++;
}

FIBER_TEST(a_condition_wakes_all_that_wait) {
    struct pair p = {0};
    for (int i = 0; i < 5; i++) SR_TRY(fiber_start(wait_one, &p, err));
    SR_TRY(fiber_sleep(0, err));
    CHECK(p.ready == 5 && p.woken == 0);
    fcond_wake(&p.c);
    SR_TRY(fiber_sleep(0, err));
    CHECK(p.woken == 5 && p.c.first == NULL);
    return SR_OK;
}

FIBER_TEST(a_wait_times_out_and_leaves_the_condition) {
    struct pair p = {0};
    SR_TRY(fiber_start(wait_one, &p, err));
    SR_TRY(fiber_sleep(0, err));
    struct sr_err e = {0};
    CHECK(fcond_wait(&p.c, 5, &e) == SR_E_TIMEOUT);
    fcond_wake(&p.c);
    SR_TRY(fiber_sleep(0, err));
    CHECK(p.woken == 1 && p.c.first == NULL);
    return SR_OK;
}

static void lock_and_note(void *arg) {
    struct pair *p = arg;
    int mine = p->ready++;
    if (fmutex_lock(&p->m, NULL) != SR_OK) return;
    p->order[p->n++] = mine;
    (void)!fiber_sleep(1, NULL);
    fmutex_unlock(&p->m);
}

FIBER_TEST(a_mutex_serves_in_order_of_arrival) {
    struct pair p = {0};
    for (int i = 0; i < 6; i++) SR_TRY(fiber_start(lock_and_note, &p, err));
    SR_TRY(fiber_sleep(0, err));
    SR_TRY(fmutex_lock(&p.m, err));
    CHECK(p.n == 6);
    for (int i = 0; i < 6; i++) CHECK(p.order[i] == i);
    fmutex_unlock(&p.m);
    CHECK(!p.m.held);
    return SR_OK;
}

static void slow_sum(void *arg) {
    uint64_t *v = arg;
    for (uint64_t i = 0; i < 1000000; i++) *v += i & 1;
}

FIBER_TEST(work_goes_on_beside_the_fiber) {
    struct fiber_work *a = NULL, *b = NULL;
    uint64_t x = 0, y = 0;
    SR_TRY(fiber_work_start(slow_sum, &x, &a, err));
    SR_TRY(fiber_work_start(slow_sum, &y, &b, err));
    SR_TRY(fiber_sleep(1, err)); /* one may be done before anybody waits for it */
    fiber_work_wait(a);
    fiber_work_wait(b);
    fiber_work_wait(NULL);
    CHECK(x == 500000 && y == 500000);
    return SR_OK;
}

FIBER_TEST(offloaded_work_is_done_when_it_returns) {
    uint64_t v = 0;
    SR_TRY(fiber_offload(slow_sum, &v, err));
    CHECK(v == 500000);
    return SR_OK;
}

FIBER_TEST(polling_a_pipe_waits_for_its_byte) {
    int fd[2];
    CHECK(pipe(fd) == 0);
    CHECK(fiber_poll_fd(fd[0], POLLIN, 5, NULL) == SR_E_TIMEOUT);
    CHECK(write(fd[1], "x", 1) == 1);
    SR_TRY(fiber_poll_fd(fd[0], POLLIN, 1000, err));
    SR_TRY(fiber_poll_fd(fd[1], POLLOUT, 1000, err));
    (void)close(fd[0]);
    (void)close(fd[1]);
    return SR_OK;
}

static __attribute__((noinline)) sr_status sleep_on_other_words(struct sr_err *err) {
    volatile char room[4096];
    memset((void *)(uintptr_t)room, 0xff, sizeof room);
    sr_status st = fiber_sleep(2, err);
    return room[7] ? st : SR_E_SYS;
}

FIBER_TEST(a_wait_for_a_descriptor_that_ended_leaves_no_trace) {
    int fd[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0);
    CHECK(fiber_poll_own_fd(fd[0], POLLIN, 1, NULL) == SR_E_TIMEOUT);
    CHECK(write(fd[1], "x", 1) == 1);
    SR_TRY(sleep_on_other_words(err)); /* where the wait had its own */
    SR_TRY(fiber_poll_own_fd(fd[0], POLLIN, 1000, err));
    (void)close(fd[0]);
    (void)close(fd[1]);
    return SR_OK;
}

FIBER_TEST(a_descriptor_may_be_waited_for_again_and_again) {
    char c;
    for (int round = 0; round < 3; round++) { /* closed, and its number used again */
        int fd[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0);
        for (int i = 0; i < 3; i++) {
            CHECK(fiber_poll_own_fd(fd[0], POLLIN, 5, NULL) == SR_E_TIMEOUT);
            SR_TRY(fiber_poll_own_fd(fd[0], POLLOUT, 1000, err));
            SR_TRY(fiber_poll_own_fd(fd[0], POLLIN | POLLOUT, 1000, err));
            CHECK(write(fd[1], "x", 1) == 1);
            SR_TRY(fiber_poll_own_fd(fd[0], POLLIN, 1000, err));
            SR_TRY(fiber_poll_own_fd(fd[0], POLLIN, 1000, err)); /* it is still there */
            CHECK(read(fd[0], &c, 1) == 1);
        }
        (void)close(fd[1]);
        SR_TRY(fiber_poll_own_fd(fd[0], POLLIN, 1000, err)); /* the end is news too */
        (void)close(fd[0]);
        CHECK(fiber_poll_own_fd(fd[0], POLLIN, 1000, NULL) == SR_E_SYS);
    }
    return SR_OK;
}

static int many_done;
static void deep(void *arg) {
    volatile char room[32 * 1024];
    memset((void *)(uintptr_t)room, 1, sizeof room);
    (void)!fiber_sleep((uint64_t)(uintptr_t)arg % 7, NULL);
    many_done += room[sizeof room - 1];
}

FIBER_TEST(two_thousand_fibers_with_deep_stacks_all_end) {
    many_done = 0;
    for (uintptr_t i = 0; i < 2000; i++) SR_TRY(fiber_start(deep, (void *)i, err));
    while (many_done < 2000) SR_TRY(fiber_sleep(1, err));
    return SR_OK;
}

static sr_status inner(void *arg, struct sr_err *err) {
    *(int *)arg += 1;
    return sr_fail(err, SR_E_TASK, "as asked");
}
FIBER_TEST(a_call_inside_a_fiber_is_a_plain_call) {
    int n = 0;
    struct sr_err e = {0};
    CHECK(net_call(inner, &n, &e) == SR_E_TASK && n == 1 && strcmp(e.what, "as asked") == 0);
    return SR_OK;
}

/* ---- the stop ---- */

static int cancelled;
static void wait_for_ever(void *arg) {
    struct fcond *c = arg;
    struct sr_err e = {0};
    if (fcond_wait(c, 0, &e) == SR_E_CANCELLED) cancelled++;
    if (fiber_sleep(100000, NULL) == SR_E_CANCELLED) cancelled++;
}
static void never_listens(void *arg) {
    (void)arg;
    while (fiber_sleep(1, NULL) != SR_OK || cancelled < 100) {
    }
}
static void stopper(void *arg) {
    (void)arg;
    (void)!fiber_sleep(5, NULL);
    net_stop();
}

static void waits_are_cancelled_at_the_stop(void **state) {
    (void)state;
    struct fcond c = {0};
    cancelled = 0;
    assert_int_equal(net_init(NULL), SR_OK);
    for (int i = 0; i < 10; i++) assert_int_equal(fiber_start(wait_for_ever, &c, NULL), SR_OK);
    assert_int_equal(fiber_start(stopper, NULL, NULL), SR_OK);
    int64_t t = clock_mono_us();
    net_run();
    assert_int_equal(cancelled, 20);
    assert_true(clock_mono_us() - t < 500000);
}

static void a_fiber_that_ignores_the_stop_delays_it_one_second_at_most(void **state) {
    (void)state;
    cancelled = 0;
    log_setup("test", 2, LOG_ERROR);
    assert_int_equal(net_init(NULL), SR_OK);
    assert_int_equal(fiber_start(never_listens, NULL, NULL), SR_OK);
    assert_int_equal(fiber_start(stopper, NULL, NULL), SR_OK);
    int64_t t = clock_mono_us();
    net_run();
    assert_true(clock_mono_us() - t < 2500000);
    cancelled = 100; /* lets it end in net_done */
    net_done();
}

static void the_loop_can_be_made_again(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        int n = 0;
        assert_int_equal(net_call(inner, &n, NULL), SR_E_TASK);
        assert_int_equal(n, 1);
        net_done();
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_started_fiber_begins_at_the_next_wait_in_order),
        cmocka_unit_test(sleeping_takes_at_least_its_time),
        cmocka_unit_test(a_condition_wakes_all_that_wait),
        cmocka_unit_test(a_wait_times_out_and_leaves_the_condition),
        cmocka_unit_test(a_mutex_serves_in_order_of_arrival),
        cmocka_unit_test(work_goes_on_beside_the_fiber),
        cmocka_unit_test(offloaded_work_is_done_when_it_returns),
        cmocka_unit_test(polling_a_pipe_waits_for_its_byte),
        cmocka_unit_test(a_wait_for_a_descriptor_that_ended_leaves_no_trace),
        cmocka_unit_test(a_descriptor_may_be_waited_for_again_and_again),
        cmocka_unit_test(two_thousand_fibers_with_deep_stacks_all_end),
        cmocka_unit_test(a_call_inside_a_fiber_is_a_plain_call),
        cmocka_unit_test(waits_are_cancelled_at_the_stop),
        cmocka_unit_test(a_fiber_that_ignores_the_stop_delays_it_one_second_at_most),
        cmocka_unit_test(the_loop_can_be_made_again),
    };
    return cmocka_run_group_tests_name("net/fiber", t, NULL, end_net);
}
