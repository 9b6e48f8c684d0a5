/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_secret_starts_zeroed_and_ends_empty(void **state) {
    (void)state;
    const size_t sizes[] = {0, 1, 32, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < SR_ARRAY_LEN(sizes); i++) {
        struct sr_secret s;
        OK(secret_new(sizes[i], &s, NULL));
        assert_int_equal(s.n, sizes[i]);
        for (size_t k = 0; k < s.n; k++) assert_int_equal(s.p[k], 0);
        memset(s.p, 0xaa, s.n);
        secret_free(&s);
        assert_null(s.p);
        secret_free(&s); /* twice is fine */
    }
    struct sr_secret s;
    assert_int_equal(secret_new(100u << 20, &s, NULL), SR_E_TOOBIG);
}

/* Runs fn in a child; returns the signal that killed it, 0 when it ended by itself. */
static int dies_by(void (*fn)(struct sr_secret *), struct sr_secret *s) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGBUS, SIG_DFL);
        fn(s);
        _exit(0);
    }
    int status = 0;
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void read_below(struct sr_secret *s) {
    volatile uint8_t *p = s->p;
    _exit(p[-1] & 0);
}
static void read_beyond(struct sr_secret *s) {
    volatile uint8_t *p = s->p;
    _exit(p[s->mapped] & 0);
}
/* 0: the child sees nothing of the secret; 7: it does. */
static void read_inherited(struct sr_secret *s) {
    volatile uint8_t *p = s->p;
    _exit(p[3] == 0x5a ? 7 : 0);
}

static void pages_beside_a_secret_and_a_childs_copy_are_out_of_reach(void **state) {
    (void)state;
    cleanup_secret struct sr_secret s = {0};
    OK(secret_new(64, &s, NULL));
    memset(s.p, 0x5a, 64);
    assert_int_equal(dies_by(read_below, &s), SIGSEGV);
    assert_int_equal(dies_by(read_beyond, &s), SIGSEGV);
    assert_int_not_equal(dies_by(read_inherited, &s), 7);
}

static void constant_time_compare_compares(void **state) {
    (void)state;
    uint8_t a[33] = {1, 2, 3}, b[33] = {1, 2, 3};
    assert_true(ct_equal(a, b, 33));
    assert_true(ct_equal(a, b, 0));
    for (size_t i = 0; i < 33; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            b[i] = (uint8_t)(b[i] ^ 1u << bit);
            assert_false(ct_equal(a, b, 33));
            b[i] = (uint8_t)(b[i] ^ 1u << bit);
        }
    }
}

static void random_bytes_differ(void **state) {
    (void)state;
    uint8_t a[300] = {0}, b[300] = {0};
    OK(random_bytes(a, sizeof a, NULL));
    OK(random_bytes(b, sizeof b, NULL));
    assert_memory_not_equal(a, b, sizeof a);
}

static void a_hardened_process_leaves_no_dump(void **state) {
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        secret_harden_process();
        struct rlimit core = {1, 1};
        if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0) _exit(2);
        _exit(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 1);
    }
    int status = 1;
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_secret_starts_zeroed_and_ends_empty),
        cmocka_unit_test(pages_beside_a_secret_and_a_childs_copy_are_out_of_reach),
        cmocka_unit_test(constant_time_compare_compares),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(a_hardened_process_leaves_no_dump),
    };
    return cmocka_run_group_tests_name("crypto/secret", t, NULL, NULL);
}
