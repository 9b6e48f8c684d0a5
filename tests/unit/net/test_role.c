/* SPDX-License-Identifier: Apache-2.0 */
/* test_role.c - flags, and a role's life as its supervisor sees it */
#include "net/role.h"
#include "net_test.h"
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void flags_are_read_and_what_is_missing_is_named(void **state) {
    (void)state;
    const char *rpc = NULL, *opt = "default";
    const struct role_flag flags[] = {{"--rpc", &rpc, true, "the chain's URL"},
                                      {"--opt", &opt, false, "something"}};
    struct role_flags rf;
    struct sr_err e = {0};
    char *good[] = {"--rpc", "http://x", "--listen=[::1]:8080", "--dir", "/d", "--log",
                    "debug", "--opt=a=b"};
    assert_int_equal(role_parse(8, good, "test", flags, 2, &rf, &e), SR_OK);
    assert_string_equal(rpc, "http://x");
    assert_string_equal(opt, "a=b");
    assert_string_equal(rf.listen_host, "::1");
    assert_int_equal(rf.listen_port, 8080);
    assert_string_equal(rf.dir, "/d");
    assert_int_equal(rf.level, LOG_DEBUG);
    assert_int_equal(rf.listen_fd, -1);
    free((char *)(uintptr_t)rf.listen_host);
    rpc = NULL;
    assert_int_equal(role_parse(0, NULL, "test", flags, 2, &rf, &e), SR_E_USAGE);
    assert_non_null(strstr(e.what, "--rpc"));
    static char *const bad[][2] = {{"--rpc", NULL},         {"--nonsense", "x"},
                                   {"--listen", "nowhere"}, {"--listen", "h:99999"},
                                   {"--ready-fd", "x"},     {"--ready-fd", "999"},
                                   {"--rpcx", "1"}};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        char *av[] = {bad[i][0], bad[i][1]};
        struct sr_err why = {0};
        assert_int_equal(role_parse(bad[i][1] ? 2 : 1, av, "test", flags, 2, &rf, &why),
                         SR_E_USAGE);
        assert_true(why.what[0] != 0);
    }
}

static int small_role(int ready_fd, int control_fd) {
    struct role_flags rf = {.name = "small",
                            .listen_fd = -1,
                            .ready_fd = ready_fd,
                            .control_fd = control_fd,
                            .level = LOG_ERROR};
    if (role_begin(&rf, NULL) != SR_OK) return 9;
    role_ready(&rf, 1234);
    return role_run(&rf);
}

/* Starts the role in a child; reads its ready line; ends it one of two ways. */
static void live(bool by_signal) {
    int ready[2], control[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(control), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(ready[0]);
        (void)close(control[1]);
        _exit(small_role(ready[1], control[0]));
    }
    (void)close(ready[1]);
    (void)close(control[0]);
    char line[100] = {0};
    size_t n = 0;
    ssize_t k;
    while ((k = read(ready[0], line + n, sizeof line - 1 - n)) > 0) n += (size_t)k;
    assert_string_equal(line, "{\"ready\":true,\"port\":1234}\n");
    if (by_signal)
        assert_int_equal(kill(pid, SIGTERM), 0);
    else
        (void)close(control[1]);
    int status = -1;
    int64_t t = clock_mono_us();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(clock_mono_us() - t < 1500000);
    if (by_signal) (void)close(control[1]);
    (void)close(ready[0]);
}
static void a_role_ends_on_a_signal(void **state) {
    (void)state;
    live(true);
}
static void a_role_ends_with_its_supervisor(void **state) {
    (void)state;
    live(false);
}

static void a_failed_start_is_told_to_the_supervisor(void **state) {
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    struct role_flags rf = {
        .name = "small", .listen_fd = -1, .ready_fd = ready[1], .control_fd = -1};
    struct sr_err e = {0};
    (void)sr_fail(&e, SR_E_USAGE, "no \"rpc\"");
    sr_hint(&e, "give one");
    log_setup("test", ready[1], LOG_ERROR); /* the log line goes after the JSON line */
    int null = dup(ready[1]);
    log_setup("test", null, LOG_ERROR);
    assert_int_equal(role_fail(&rf, &e), 2);
    (void)close(null);
    char line[600] = {0};
    assert_true(read(ready[0], line, sizeof line - 1) > 0);
    const char *want =
        "{\"error\":{\"code\":\"SR_E_USAGE\",\"what\":\"no \\\"rpc\\\"\",\"hint\":\"give one\"}}\n";
    assert_memory_equal(line, want, strlen(want));
    (void)close(ready[0]);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(flags_are_read_and_what_is_missing_is_named),
        cmocka_unit_test(a_role_ends_on_a_signal),
        cmocka_unit_test(a_role_ends_with_its_supervisor),
        cmocka_unit_test(a_failed_start_is_told_to_the_supervisor),
    };
    return cmocka_run_group_tests_name("net/role", t, NULL, NULL);
}
