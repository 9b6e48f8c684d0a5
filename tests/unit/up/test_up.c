/* SPDX-License-Identifier: Apache-2.0 */
#include "up/up_int.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "test-up-XXXXXX"; /* in the folder the test is run in: the build's */
static char *full;

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    full = realpath(dir, NULL);
    return full ? 0 : -1;
}
static int tear_down(void **state) {
    (void)state;
    free(full);
    return fs_remove_tree(dir, NULL) == SR_OK ? 0 : -1;
}

static sr_status parse(struct up_options *o, struct sr_err *err, const char *const *words) {
    char *argv[10];
    int n = 0;
    for (; words[n]; n++) argv[n] = (char *)(uintptr_t)words[n];
    return up_parse(n, argv, o, err);
}

static void flags_are_read_in_both_forms(void **state) {
    (void)state;
    struct up_options o;
    struct sr_err err = {0};
    assert_int_equal(setenv("STRONGROOM_DIR", "/some/where", 1), 0);
    assert_int_equal(parse(&o, &err, (const char *const[]){"up", NULL}), SR_OK);
    assert_string_equal(o.dir, "/some/where");
    assert_int_equal(o.base, UP_PORT);
    assert_int_equal(o.workers, 1);
    free(o.dir);
    assert_int_equal(parse(&o, &err,
                           (const char *const[]){"up", "--dir=x", "--port", "0", "--json",
                                                 "--detach", "--workers=4", NULL}),
                     SR_OK);
    assert_true(o.dir[0] == '/' && o.json && o.detach && o.base == 0 && o.workers == 4);
    free(o.dir);
    assert_int_equal(setenv("STRONGROOM_DIR", "", 1), 0);
    assert_int_equal(setenv("HOME", "/houses/nobody", 1), 0);
    assert_int_equal(parse(&o, &err, (const char *const[]){"status", "--json", NULL}), SR_OK);
    assert_string_equal(o.dir, "/houses/nobody/.strongroom");
    free(o.dir);
}

static void wrong_flags_are_refused_with_a_hint(void **state) {
    (void)state;
    static const char *const wrong[][4] = {
        {"up", "--nonsense"},       {"up", "--port"},      {"up", "--port", "x"},
        {"up", "--port", "65535"},  {"up", "--dir"},       {"up", "--dir="},
        {"up", "--directory", "x"}, {"down", "--detach"},  {"down", "--port", "1"},
        {"status", "--detach"},     {"up", "extra"},       {"up", "--portal", "1"},
        {"up", "--workers", "0"},   {"up", "--workers=5"}, {"down", "--workers", "2"}};
    for (size_t i = 0; i < SR_ARRAY_LEN(wrong); i++) {
        struct up_options o;
        struct sr_err err = {0};
        assert_int_equal(parse(&o, &err, wrong[i]), SR_E_USAGE);
        assert_true(err.hint[0] && err.what[0]);
        assert_null(o.dir);
    }
}

static void put(const char *path, const char *text, time_t mtime_s) {
    assert_int_equal(fs_write_atomic(path, slice_str(text), 0600, NULL), SR_OK);
    struct timespec t[2] = {{mtime_s, 0}, {mtime_s, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}
static bool holds(const char *path, const char *text) {
    cleanup_buf struct buf b;
    buf_init(&b, 1000);
    return fs_read(path, &b, NULL) == SR_OK && slice_is(buf_slice(&b), text);
}

static void a_state_left_by_the_chain_is_taken_only_when_whole_and_newer(void **state) {
    (void)state;
    struct up_home h;
    assert_int_equal(home_paths(full, &h, NULL), SR_OK);
    assert_int_equal(fs_mkdirs(h.chain, 0700, NULL), SR_OK);
    static const char whole[] = "{\"a\":[{\"b\":\"}\\\"]\"}],\"c\":{}}\n";
    assert_int_equal(home_settle_chain(&h, NULL), SR_OK); /* nothing left: nothing to do */
    put(h.left, whole, 2000);
    put(h.state, "{}", 1000);
    assert_int_equal(home_settle_chain(&h, NULL), SR_OK);
    assert_true(holds(h.state, whole) && !fs_exists(h.left));
    put(h.left, "{\"old\":1}", 1500);
    assert_int_equal(home_settle_chain(&h, NULL), SR_OK);
    assert_true(holds(h.state, whole) && !fs_exists(h.left));
    for (size_t cut = 0; cut < sizeof whole - 2; cut++) { /* a node killed while it wrote */
        char part[sizeof whole];
        memcpy(part, whole, cut);
        part[cut] = 0;
        put(h.left, part, 3000);
        assert_int_equal(home_settle_chain(&h, NULL), SR_OK);
        assert_true(holds(h.state, whole) && !fs_exists(h.left));
    }
    static const char *const strange[] = {"{}}", "{} {}", "]", "{\"a\":1}x"};
    for (size_t i = 0; i < SR_ARRAY_LEN(strange); i++) {
        put(h.left, strange[i], 3000);
        assert_int_equal(home_settle_chain(&h, NULL), SR_OK);
        assert_true(holds(h.state, whole));
    }
    home_done(&h);
}

static void the_holder_of_a_folder_is_known_while_it_lives(void **state) {
    (void)state;
    struct up_home h;
    pid_t holder = -1;
    assert_int_equal(home_paths(full, &h, NULL), SR_OK);
    assert_int_equal(home_holder(&h, &holder, NULL), SR_OK); /* no such file yet */
    assert_int_equal(holder, 0);
    assert_int_equal(fs_mkdirs(h.run, 0700, NULL), SR_OK);
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(h.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fd < 0 || fcntl(fd, F_SETLK, &fl) != 0 || write(p[1], "x", 1) != 1) _exit(1);
        for (;;) (void)pause();
    }
    char c;
    assert_int_equal(read(p[0], &c, 1), 1);
    assert_int_equal(home_holder(&h, &holder, NULL), SR_OK);
    assert_int_equal(holder, pid);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(home_holder(&h, &holder, NULL), SR_OK);
    assert_int_equal(holder, 0);
    (void)close(p[0]);
    (void)close(p[1]);
    home_done(&h);
}

static void a_busy_port_is_named_and_everything_opened_is_closed(void **state) {
    (void)state;
    struct up_home h;
    struct up_sockets a, b;
    struct sr_err err = {0};
    assert_int_equal(home_paths(full, &h, NULL), SR_OK);
    assert_int_equal(fs_mkdirs(h.run, 0700, NULL), SR_OK);
    free(h.run);
    h.run = slice_dup(slice_str(dir)); /* short enough for a socket wherever the build lies */
    assert_int_equal(sockets_open(0, 1, &h, &a, &err), SR_OK);
    for (int i = 0; i < PORT_COUNT; i++) assert_true(a.port[i] != 0);
    assert_int_equal(a.fd[PORT_CHAIN], -1);
    uint16_t base = (uint16_t)(a.port[PORT_SMS] - PORT_SMS);
    assert_int_equal(sockets_open(base, UP_WORKERS, &h, &b, &err), SR_E_SYS);
    assert_int_equal(err.sys, EADDRINUSE);
    assert_non_null(strstr(err.hint, "--port"));
    for (int i = 0; i < PORT_COUNT; i++) assert_int_equal(b.fd[i], -1);
    sockets_close(&a);
    char longer[UP_SOCKET_PATH + 10];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    free(h.run);
    h.run = slice_dup(slice_str(longer));
    err = (struct sr_err){0};
    assert_int_equal(sockets_open(0, 1, &h, &b, &err), SR_E_TOOBIG);
    assert_true(err.hint[0]);
    home_done(&h);
}

static bool every_role(const char *name) {
    (void)name;
    return true;
}

static void no_role_is_told_a_key_and_each_hears_of_the_end(void **state) {
    (void)state;
    static const char key[] = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    static const struct up_env env = {every_role};
    static struct network n;
    struct buf doc;
    n = (struct network){.opt.workers = UP_WORKERS};
    buf_init(&doc, 4096);
    buf_printf(&doc,
               "{\"chainId\":421614,\"contracts\":{\"hub\":\"0x01\"},\"workerpool\":{\"address\":"
               "\"0x02\"},"
               "\"accounts\":[{\"name\":\"operator\",\"privateKey\":\"%s\"}]}",
               key);
    assert_int_equal(home_paths(full, &n.home, NULL), SR_OK);
    assert_int_equal(json_parse(buf_slice(&doc), &n.home.chain_doc, NULL), SR_OK);
    buf_done(&doc);
    n.tools.self = slice_dup(slice_str("/bin/self"));
    n.tools.anvil = slice_dup(slice_str("/bin/anvil"));
    for (int i = 0; i < PORT_COUNT; i++) n.sockets.fd[i] = i;
    plan_children(&n, &env);
    assert_true(n.n >= 10 + 2 * (UP_WORKERS - 1));
    for (size_t i = 0; i < n.n; i++) {
        bool control = false, ready = false;
        for (size_t k = 0; k < n.child[i].argc; k++) {
            const char *a = n.child[i].argv[k];
            assert_null(strstr(a, key + 2));
            control |= strcmp(a, "--control-fd") == 0;
            ready |= strcmp(a, "--ready-fd") == 0;
        }
        assert_int_equal(control && ready, !n.child[i].is_chain);
        child_done(&n.child[i]);
    }
    free(n.tools.self);
    free(n.tools.anvil);
    home_done(&n.home);
}

static void a_child_has_its_descriptors_a_clean_environment_and_its_log(void **state) {
    (void)state;
    struct up_home h;
    struct child c;
    int control[2];
    assert_int_equal(setenv("SECRET_OF_THE_SHELL", "hunter2", 1), 0);
    assert_int_equal(home_paths(full, &h, NULL), SR_OK);
    assert_int_equal(fs_mkdirs(h.logs, 0700, NULL), SR_OK);
    assert_int_equal(pipe2(control, O_CLOEXEC), 0);
    int extra = open("/dev/null", O_RDONLY); /* open across exec: must not reach the child as 3 */
    child_init(&c, "probe", NULL);
    child_arg(&c, "/bin/sh");
    child_arg(&c, "-c");
    child_arg(
        &c, "/usr/bin/env >&2; pwd >&2; echo '{\"ready\":true}' >&4; read x <&5; echo end=$? >&2; "
            "[ -e /proc/self/fd/3 ] && echo three >&2; exit 7");
    assert_int_equal(child_start(&c, &h, control[0], NULL), SR_OK);
    (void)close(control[1]); /* the supervisor is gone: the child hears of it */
    int how;
    assert_int_equal(waitpid(c.pid, &how, 0), c.pid);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 7);
    char said[100] = {0};
    assert_true(read(c.ready_fd, said, sizeof said - 1) > 0);
    assert_string_equal(said, "{\"ready\":true}\n");
    cleanup_free char *log = up_path(h.logs, "probe.log");
    cleanup_buf struct buf b;
    buf_init(&b, 10000);
    assert_int_equal(fs_read(log, &b, NULL), SR_OK);
    assert_null(strstr(buf_cstr(&b), "hunter2"));
    assert_null(strstr(buf_cstr(&b), "three"));
    assert_non_null(strstr(buf_cstr(&b), "end=1"));
    assert_non_null(strstr(buf_cstr(&b), "/probe\n"));
    struct stat st;
    assert_int_equal(stat(log, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    (void)close(extra);
    (void)close(control[0]);
    child_done(&c);
    home_done(&h);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(flags_are_read_in_both_forms),
        cmocka_unit_test(wrong_flags_are_refused_with_a_hint),
        cmocka_unit_test(a_state_left_by_the_chain_is_taken_only_when_whole_and_newer),
        cmocka_unit_test(the_holder_of_a_folder_is_known_while_it_lives),
        cmocka_unit_test(a_busy_port_is_named_and_everything_opened_is_closed),
        cmocka_unit_test(no_role_is_told_a_key_and_each_hears_of_the_end),
        cmocka_unit_test(a_child_has_its_descriptors_a_clean_environment_and_its_log),
    };
    return cmocka_run_group_tests_name("up", t, set_up, tear_down);
}
