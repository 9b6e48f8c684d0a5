/* SPDX-License-Identifier: Apache-2.0 */
/* child.c - one process of the network: its descriptors, environment and start */
#include "up/up_int.h"
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FD_LISTEN = 3, FD_READY = 4, FD_CONTROL = 5, FD_FIRST_FREE = 6 };

void child_init(struct child *c, const char *name, const char *needs) {
    *c =
        (struct child){.name = name, .needs = needs, .listen_fd = -1, .pid_fd = -1, .ready_fd = -1};
}

void child_arg(struct child *c, const char *fmt, ...) {
    SR_ASSERT(c->argc < UP_ARGS - 1);
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&c->argv[c->argc], fmt, ap);
    va_end(ap);
    SR_ASSERT(n >= 0);
    c->argc++;
}

void child_done(struct child *c) {
    for (size_t i = 0; i < c->argc; i++) free(c->argv[i]);
    cleanup_close_(&c->pid_fd);
    cleanup_close_(&c->ready_fd);
    child_init(c, c->name, c->needs);
}

/* One older log of each role is kept, so that logs never fill the disk. */
static int open_log(const struct up_home *h, const char *name) {
    cleanup_free char *path = NULL, *old = NULL;
    SR_ASSERT(asprintf(&path, "%s/%s.log", h->logs, name) >= 0);
    SR_ASSERT(asprintf(&old, "%s.1", path) >= 0);
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size > UP_LOG_KEEP) (void)rename(path, old);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Only what a role needs to run: no secret of the user's shell reaches it. */
static char **make_environment(const struct up_home *h, const char *name) {
    static const char *const pass[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
                                       "TSAN_OPTIONS", "TMPDIR"};
    char **env = sr_calloc_n(SR_ARRAY_LEN(pass) + 4, sizeof *env);
    size_t n = 0;
    SR_ASSERT(env);
    SR_ASSERT(asprintf(&env[n++], "HOME=%s/%s", h->dir, name) >= 0);
    SR_ASSERT(asprintf(&env[n++],
                       "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") >= 0);
    SR_ASSERT(asprintf(&env[n++], "LANG=C.UTF-8") >= 0);
    for (size_t i = 0; i < SR_ARRAY_LEN(pass); i++) {
        const char *v = getenv(pass[i]);
        if (v) SR_ASSERT(asprintf(&env[n++], "%s=%s", pass[i], v) >= 0);
    }
    return env;
}

/* In the child, after fork: only calls that are safe there. src: descriptors at FD_FIRST_FREE or
 * above, by their place. */
struct start {
    const char *dir;
    char *const *argv, *const *env;
    int in, out, log, src[3];
    pid_t parent;
    bool is_chain;
};

static _Noreturn void become(const struct start *s) {
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0,
                  0); /* Ctrl-C at the terminal reaches the supervisor only, which stops in order */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != s->parent) _exit(127); /* it died before the line above */
    bool ok =
        chdir(s->dir) == 0 && dup2(s->in, 0) == 0 && dup2(s->out, 1) == 1 && dup2(s->log, 2) == 2;
    for (int i = 0; ok && i < 3; i++)
        if (s->src[i] >= 0)
            ok = dup2(s->src[i], FD_LISTEN + i) == FD_LISTEN + i;
        else
            (void)close(FD_LISTEN + i);
    if (ok) (void)execve(s->argv[0], s->argv, s->env);
    static const char why[] = "cannot start the program\n";
    if (write(2, why, sizeof why - 1) < 0) _exit(126);
    _exit(127);
}

/* A copy of fd above those that the child's places use. */
static int high(int fd) {
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FD_FIRST_FREE + 10);
}

sr_status child_start(struct child *c, const struct up_home *h, int control_fd,
                      struct sr_err *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return sr_fail(err, SR_E_SYS, "make a pipe");
    cleanup_close int read_end = ends[0], write_end = ends[1];
    cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC), in = high(null);
    cleanup_close int log = open_log(h, c->name), err_fd = high(log), ready = high(write_end);
    cleanup_close int lis = high(c->listen_fd), control = high(control_fd);
    if (in < 0 || err_fd < 0 || ready < 0)
        return sr_fail(err, SR_E_SYS, "open the log of the %s", c->name);
    cleanup_free char *dir = up_path(h->dir, c->name);
    SR_TRY(fs_mkdirs(dir, 0700, err));
    (void)fcntl(ready, F_SETFL, O_WRONLY); /* the writer may wait, the supervisor may not */
    char **env = make_environment(h, c->name);
    c->argv[c->argc] = NULL;
    struct start s = {
        .dir = dir,
        .argv = c->argv,
        .env = env,
        .in = in,
        .log = err_fd,
        .out = c->is_chain ? ready : err_fd, /* the chain says on its output when it listens */
        .src = {lis, c->is_chain ? -1 : ready, c->is_chain ? -1 : control},
        .parent = getpid(),
        .is_chain = c->is_chain};
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) become(&s);
    int why = errno;
    for (char **e = env; *e; e++) free(*e);
    free(env);
    errno = why;
    if (pid < 0) return sr_fail(err, SR_E_SYS, "start the %s", c->name);
    c->pid = pid;
    c->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    c->ready_fd = sr_take_fd(read_end);
    c->n_said = 0;
    c->state = CHILD_STARTING;
    c->started_us = clock_mono_us();
    return SR_OK;
}
