/* SPDX-License-Identifier: Apache-2.0 */
/* proc.h - this test's program as a market: main gives "role ..." to market_main */
#pragma once
#include "anvil.h"

struct proc {
    pid_t pid;
    int ready, control;
    unsigned port;
    char line[1024];
};

static inline void start(struct proc *p, const char *dir, const char *const *args) {
    int r[2], c[2];
    assert_int_equal(pipe(r), 0);
    assert_int_equal(pipe(c), 0);
    char rfd[16], cfd[16];
    (void)snprintf(rfd, sizeof rfd, "%d", r[1]);
    (void)snprintf(cfd, sizeof cfd, "%d", c[0]);
    const char *argv[40] = {
        "/proc/self/exe", "role", "--dir",        dir, "--listen", "127.0.0.1:0",
        "--ready-fd",     rfd,    "--control-fd", cfd};
    size_t n = 10;
    for (; *args; args++) argv[n++] = *args;
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        close(r[0]);
        close(c[1]);
        (void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(r[1]);
    close(c[0]);
    p->ready = r[0];
    p->control = c[1];
    size_t got = 0;
    while (got < sizeof p->line - 1 && !memchr(p->line, '\n', got)) {
        ssize_t k = read(p->ready, p->line + got, sizeof p->line - 1 - got);
        if (k <= 0) break;
        got += (size_t)k;
    }
    p->line[got] = 0;
    const char *at = strstr(p->line, "\"port\":");
    p->port = 0;
    for (at = at ? at + 7 : ""; *at >= '0' && *at <= '9'; at++)
        p->port = p->port * 10 + (unsigned)(*at - '0');
}

static inline int ended(struct proc *p) {
    int st = 0;
    if (p->control >= 0) close(p->control);
    assert_int_equal(waitpid(p->pid, &st, 0), p->pid);
    close(p->ready);
    return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}
