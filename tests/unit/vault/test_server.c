/* SPDX-License-Identifier: Apache-2.0 */
/* The loop and the sandbox: a vault in a child process, raw sockets against it. */
#include "vault_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct served {
    char dir[64], path[96];
    pid_t pid;
    int control; /* closing it stops the vault */
    struct addr wallet;
};

static int listen_at(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

static int child(int listen_fd, int control_fd) {
    struct person me;
    struct vault *v = NULL;
    struct vault_config c = {
        .role = VAULT_WORKER, .chain_id = CHAIN_ID, .limits = vault_limits_default()};
    person_new(&me, "worker");
    c.key = &me.key;
    log_setup("vault", open("/dev/null", O_WRONLY), LOG_ERROR);
    if (vault_new(&c, &v, NULL) != SR_OK) return 1;
    secret_free(&me.key);
#ifndef CHECKED_BUILD
    if (vault_sandbox(NULL) != SR_OK) return 2;
#endif
    sr_status st = vault_serve(v, listen_fd, -1, control_fd, geteuid(), NULL);
    vault_free(v);
    return st == SR_OK ? 0 : 3;
}

static int set_up(void **state) {
    struct served *s = calloc(1, sizeof *s);
    int control[2];
    struct person me;
    assert_non_null(s);
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/vault-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    (void)snprintf(s->path, sizeof s->path, "%s/socket", s->dir);
    assert_int_equal(pipe(control), 0);
    int fd = listen_at(s->path);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(control[1]);
        _exit(child(fd, control[0]));
    }
    (void)close(fd);
    (void)close(control[0]);
    s->control = control[1];
    person_new(&me, "worker");
    s->wallet = me.addr;
    secret_free(&me.key);
    *state = s;
    return 0;
}

static int tear_down(void **state) {
    struct served *s = *state;
    int status = -1;
    if (s->control >= 0) (void)close(s->control);
    if (s->pid > 0) {
        assert_true(waitpid(s->pid, &status, 0) == s->pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    (void)unlink(s->path);
    (void)rmdir(s->dir);
    free(s);
    return 0;
}

static int dial(const struct served *s) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 20};
    memcpy(a.sun_path, s->path, strlen(s->path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void frame(struct buf *b, uint16_t type, uint32_t id, struct slice body) {
    uint8_t head[VAULT_FRAME_HEAD];
    vault_frame_write(head,
                      &(struct vault_frame){.type = type, .id = id, .length = (uint32_t)body.n});
    buf_put(b, head, sizeof head);
    buf_add(b, body);
}

static void hello(struct buf *b, uint32_t id) {
    frame(b, VAULT_MSG_hello, id, slice_of((const uint8_t[]){0, 0, 0, VAULT_VERSION}, 4));
}

static void login(struct buf *b, uint32_t id) {
    static const uint8_t body[52] = {1};
    frame(b, VAULT_MSG_sign_login, id, slice_of(body, sizeof body));
}

/* False: the vault closed the connection. */
static bool answer(int fd, struct vault_frame *f, struct buf *body) {
    uint8_t head[VAULT_FRAME_HEAD];
    if (fd_read_full(fd, head, sizeof head, NULL) != SR_OK) return false;
    assert_true(vault_frame_read(head, f));
    buf_clear(body);
    if (f->length) {
        uint8_t *p = buf_grow(body, f->length);
        assert_non_null(p);
        OK(fd_read_full(fd, p, f->length, NULL));
    }
    return true;
}

static void write_all(int fd, const struct buf *b) {
    OK(fd_write_all(fd, b->p, b->n, NULL));
}

static void messages_are_answered_in_order_however_they_are_cut(void **state) {
    const struct served *s = *state;
    struct buf b, body;
    struct vault_frame f;
    buf_init(&b, 1 << 20), buf_init(&body, VAULT_BODY_MAX);
    for (size_t part = 1; part < 200; part += 33) {
        int fd = dial(s);
        buf_clear(&b);
        hello(&b, 1);
        for (uint32_t i = 2; i < 12; i++) login(&b, i);
        for (size_t at = 0; at < b.n; at += part)
            OK(fd_write_all(fd, b.p + at, b.n - at < part ? b.n - at : part, NULL));
        for (uint32_t i = 1; i < 12; i++) {
            assert_true(answer(fd, &f, &body));
            assert_int_equal(f.id, i);
            assert_int_equal(f.type,
                             (i == 1 ? VAULT_MSG_hello : VAULT_MSG_sign_login) + VAULT_REPLY);
        }
        (void)close(fd);
    }
    buf_done(&b), buf_done(&body);
}

static void a_refusal_comes_with_its_reason_and_the_connection_lives(void **state) {
    const struct served *s = *state;
    struct buf b, body;
    struct vault_frame f;
    struct sr_err e = {0};
    int fd = dial(s);
    buf_init(&b, 1 << 20), buf_init(&body, VAULT_BODY_MAX);
    hello(&b, 1);
    frame(&b, VAULT_MSG_release, 2, SLICE_LIT("x"));
    login(&b, 3);
    write_all(fd, &b);
    assert_true(answer(fd, &f, &body));
    assert_true(answer(fd, &f, &body));
    assert_int_equal(f.type, VAULT_MSG_release | VAULT_FAILURE);
    assert_int_equal(vault_failure_read(buf_slice(&body), &e), SR_E_AUTH);
    assert_non_null(strstr(e.what, "may not send"));
    assert_true(answer(fd, &f, &body));
    assert_int_equal(f.id, 3);
    (void)close(fd);
    buf_done(&b), buf_done(&body);
}

static void peers_that_do_not_speak_the_protocol_are_closed(void **state) {
    const struct served *s = *state;
    struct buf b, body;
    struct vault_frame f;
    buf_init(&b, 1 << 20), buf_init(&body, VAULT_BODY_MAX);
    for (unsigned i = 0; i < 5; i++) {
        int fd = dial(s);
        buf_clear(&b);
        if (i == 0) buf_str(&b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i == 1) login(&b, 1); /* before the greeting */
        if (i == 2) hello(&b, 1), hello(&b, 2);
        if (i == 3) { /* longer than a body may be */
            hello(&b, 1);
            buf_put(&b, "\0\x14\0\0\0\0\0\2\xff\xff\xff\xff", 12);
        }
        if (i == 4) { /* flags */
            hello(&b, 1);
            buf_put(&b, "\0\x14\0\1\0\0\0\2\0\0\0\0", 12);
        }
        write_all(fd, &b);
        while (answer(fd, &f, &body)) {
        }
        (void)close(fd);
    }
    /* The vault is still there for others. */
    int fd = dial(s);
    buf_clear(&b);
    hello(&b, 9);
    write_all(fd, &b);
    assert_true(answer(fd, &f, &body));
    assert_int_equal(f.id, 9);
    (void)close(fd);
    buf_done(&b), buf_done(&body);
}

static void peers_that_leave_in_the_middle_harm_nobody(void **state) {
    const struct served *s = *state;
    struct buf b, body;
    struct vault_frame f;
    int stays = dial(s);
    buf_init(&b, 1 << 20), buf_init(&body, VAULT_BODY_MAX);
    hello(&b, 1);
    login(&b, 2);
    size_t whole = b.n;
    for (size_t cut = 0; cut < whole; cut++) {
        int fd = dial(s);
        OK(fd_write_all(fd, b.p, cut, NULL));
        (void)close(fd);
    }
    write_all(stays, &b);
    assert_true(answer(stays, &f, &body));
    assert_true(answer(stays, &f, &body));
    assert_int_equal(f.id, 2);
    (void)close(stays);
    buf_done(&b), buf_done(&body);
}

static void one_peer_too_many_is_turned_away(void **state) {
    const struct served *s = *state;
    int fd[VAULT_CLIENTS_MAX];
    struct buf b, body;
    struct vault_frame f;
    buf_init(&b, 1000), buf_init(&body, 1000);
    hello(&b, 1);
    for (size_t i = 0; i < VAULT_CLIENTS_MAX; i++) {
        fd[i] = dial(s);
        write_all(fd[i], &b);
        assert_true(answer(fd[i], &f, &body));
    }
    int more = dial(s);
    assert_false(answer(more, &f, &body));
    (void)close(more);
    (void)close(fd[0]);
    for (bool in = false; !in;) { /* a place is free as soon as the vault has seen it */
        more = dial(s);
        in = fd_write_all(more, b.p, b.n, NULL) == SR_OK && answer(more, &f, &body);
        (void)close(more);
    }
    for (size_t i = 1; i < VAULT_CLIENTS_MAX; i++) (void)close(fd[i]);
    buf_done(&b), buf_done(&body);
}

static void a_peer_that_does_not_read_is_waited_for_not_buffered_for_ever(void **state) {
    const struct served *s = *state;
    struct buf b, body;
    struct vault_frame f;
    int fd = dial(s), other = dial(s);
    buf_init(&b, 8u << 20), buf_init(&body, VAULT_BODY_MAX);
    hello(&b, 0);
    for (uint32_t i = 1; i <= 3000; i++) login(&b, i);
    /* A writer of its own, for the vault stops reading when its answers are not taken. */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(fd_write_all(fd, b.p, b.n, NULL) == SR_OK ? 0 : 1);
    struct buf h;
    buf_init(&h, 1000);
    hello(&h, 7);
    write_all(other, &h);
    assert_true(answer(other, &f, &body)); /* others are served meanwhile */
    for (uint32_t i = 0; i <= 3000; i++) {
        assert_true(answer(fd, &f, &body));
        assert_int_equal(f.id, i);
    }
    int status = -1;
    assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(fd), (void)close(other);
    buf_done(&b), buf_done(&body), buf_done(&h);
}

static void it_ends_when_its_supervisor_does(void **state) {
    struct served *s = *state;
    struct vault_frame f;
    struct buf b, body;
    int fd = dial(s);
    buf_init(&b, 1000), buf_init(&body, 1000);
    hello(&b, 1);
    write_all(fd, &b);
    assert_true(answer(fd, &f, &body));
    (void)close(s->control);
    s->control = -1;
    assert_false(answer(fd, &f, &body)); /* closed; tear_down sees the exit code */
    (void)close(fd);
    buf_done(&b), buf_done(&body);
}

#ifndef CHECKED_BUILD
static void the_sandbox_leaves_no_file_socket_program_or_code(void **state) {
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (vault_sandbox(NULL) != SR_OK) _exit(1);
        if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM) _exit(2);
        if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM) _exit(3);
        if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0) _exit(4);
        if (fork() >= 0) _exit(5);
        char *const argv[] = {"true", NULL};
        (void)execv("/bin/true", argv);
        if (errno != EPERM) _exit(6);
        void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) _exit(7);
        if (mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0) _exit(8);
        if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
            MAP_FAILED)
            _exit(9);
        if (kill(1, 0) == 0 || errno != EPERM) _exit(10);
        if (unlink("/tmp/does-not-exist") == 0 || errno != EPERM) _exit(11);
        struct sr_secret s; /* what it needs still works */
        if (secret_new(100, &s, NULL) != SR_OK) _exit(12);
        secret_free(&s);
        _exit(0);
    }
    int status = -1;
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
#endif

#ifndef CHECKED_BUILD
static void a_release_needs_nothing_that_the_sandbox_denies(void **state) {
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct world *w;
        struct buf body;
        world_new(&w, "{\"iexec_args\":\"x\"}");
        buf_init(&body, VAULT_BODY_MAX);
        if (vault_sandbox(NULL) != SR_OK) _exit(1);
        if (world_ask(w, &body, NULL) != SR_OK) _exit(2);
        struct buf stored;
        buf_init(&stored, 16384);
        if (world_store(w, SECRET_APP, &w->app, "1", &w->developer, SLICE_LIT("s"), &stored) !=
            SR_OK)
            _exit(3);
        _exit(0);
    }
    int status = -1;
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
#endif

/* The program's own flags, each in a child. */
static int run_main(int argc, const char *const *argv, char *ret_said, size_t n) {
    int out[2], status = -1;
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(out[1], 2);
        (void)close(out[0]), (void)close(out[1]);
        char *args[16];
        for (int i = 0; i < argc; i++) args[i] = strdup(argv[i]);
        int code = vault_main(argc, args);
        for (int i = 0; i < argc; i++) free(args[i]);
        _exit(code);
    }
    (void)close(out[1]);
    size_t at = 0;
    ssize_t k;
    while (at + 1 < n && (k = read(out[0], ret_said + at, n - at - 1)) > 0) at += (size_t)k;
    ret_said[at] = 0;
    (void)close(out[0]);
    assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void wrong_flags_and_open_keys_are_named(void **state) {
    const struct served *s = *state;
    char said[2048], key[128];
    const char *hub = "0x1111111111111111111111111111111111111111";
#define RUN(...)                                                                                   \
    run_main((int)SR_ARRAY_LEN(((const char *const[]){__VA_ARGS__})),                              \
             (const char *const[]){__VA_ARGS__}, said, sizeof said)
    assert_int_equal(RUN("--socket", "/nowhere/x"), 2);
    assert_non_null(strstr(said, "--role"));
    assert_int_equal(RUN("--role", "worker", "--chain-id", "1", "--hub", hub, "--nonsense"), 2);
    assert_non_null(strstr(said, "--nonsense"));
    assert_int_equal(RUN("--role", "worker", "--chain-id", "x", "--hub", hub, "--socket", "/x"), 2);
    assert_int_equal(RUN("--role", "worker", "--chain-id", "1", "--hub", "0x12", "--socket=/x"), 2);
    assert_int_equal(RUN("--role", "worker", "--chain-id", "1", "--hub", hub, "--socket", "/x",
                         "--key", "/nowhere/key"),
                     5);
    (void)snprintf(key, sizeof key, "%s/key", s->dir);
    static const uint8_t raw[33] = {1, 2, 3};
    OK(fs_write_atomic(key, slice_of(raw, 32), 0644, NULL));
    assert_int_equal(chmod(key, 0644), 0);
    assert_int_equal(
        RUN("--role", "worker", "--chain-id", "1", "--hub", hub, "--socket", "/x", "--key", key),
        3);
    if (!strstr(said, "open to other users")) fail_msg("%s", said);
    for (size_t n = 31; n <= 33; n += 2) {
        OK(fs_write_atomic(key, slice_of(raw, n), 0600, NULL));
        assert_int_equal(RUN("--role", "worker", "--chain-id", "1", "--hub", hub, "--socket", "/x",
                             "--key", key),
                         5);
    }
    OK(fs_write_atomic(key, slice_of(raw, 32), 0600, NULL));
    assert_int_equal(
        RUN("--role", "sms", "--chain-id", "1", "--hub", hub, "--socket", "/x", "--key", key), 2);
    assert_non_null(strstr(said, "--master"));
    assert_int_equal(
        RUN("--role", "scheduler", "--chain-id", "1", "--hub", hub, "--socket", "/x", "--key", key),
        2);
    assert_non_null(strstr(said, "--workerpool"));
    (void)unlink(key);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest t[] = {
        T(messages_are_answered_in_order_however_they_are_cut),
        T(a_refusal_comes_with_its_reason_and_the_connection_lives),
        T(peers_that_do_not_speak_the_protocol_are_closed),
        T(peers_that_leave_in_the_middle_harm_nobody),
        T(one_peer_too_many_is_turned_away),
        T(a_peer_that_does_not_read_is_waited_for_not_buffered_for_ever),
        T(it_ends_when_its_supervisor_does),
        T(wrong_flags_and_open_keys_are_named),
#ifndef CHECKED_BUILD
        cmocka_unit_test(the_sandbox_leaves_no_file_socket_program_or_code),
        cmocka_unit_test(a_release_needs_nothing_that_the_sandbox_denies),
#endif
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("vault/server", t, NULL, NULL);
}
