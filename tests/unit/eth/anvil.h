/* SPDX-License-Identifier: Apache-2.0 */
/* anvil.h - a development chain of a test's own: started on a free port, killed at its end */
#pragma once
#include "eth/rpc.h"
#include "net/net.h"
#include "vec.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef ANVIL_CHAIN_ID
#define ANVIL_CHAIN_ID "31337"
#endif

struct anvil {
    pid_t pid;
    int out;
    pthread_t reader;
    unsigned port;
    char http[64], ws[64];
};

/* Its talk must be read, or it stops when the pipe is full. */
static inline void *anvil_read_on(void *arg) {
    char text[4096];
    const struct anvil *a = arg;
    while (read(a->out, text, sizeof text) > 0) {
    }
    return NULL;
}

/* extra: NULL-terminated further arguments. port 0: any. */
static inline void anvil_start(struct anvil *a, unsigned port, const char *const *extra) {
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    cleanup_buf struct buf p;
    buf_init(&p, 16);
    buf_printf(&p, "%u", port);
    const char *argv[24] = {ANVIL, "--port", buf_cstr(&p), "--chain-id", ANVIL_CHAIN_ID};
    size_t n = 5;
    for (; extra && *extra && n < 23; extra++) argv[n++] = *extra;
    a->pid = fork();
    assert_true(a->pid >= 0);
    if (a->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(fds[1], 1);
        (void)dup2(fds[1], 2);
        (void)execv(ANVIL, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(fds[1]);
    a->out = fds[0];
    cleanup_buf struct buf text;
    buf_init(&text, 1u << 20);
    const char *at = NULL;
    while (!(at = strstr(buf_cstr(&text), "Listening on 127.0.0.1:")) || !strchr(at, '\n')) {
        struct pollfd pf = {.fd = a->out, .events = POLLIN};
        if (poll(&pf, 1, 20000) != 1) fail_msg("anvil does not start: %s", buf_cstr(&text));
        uint8_t *room = buf_reserve(&text, 4096);
        ssize_t got = read(a->out, room, 4096);
        if (got <= 0) fail_msg("anvil ended (is node_modules there?): %s", buf_cstr(&text));
        (void)buf_grow(&text, (size_t)got);
    }
    assert_int_equal(pthread_create(&a->reader, NULL, anvil_read_on, a), 0);
    a->port = 0;
    for (at += strlen("Listening on 127.0.0.1:"); *at >= '0' && *at <= '9'; at++)
        a->port = a->port * 10 + (unsigned)(*at - '0');
    (void)snprintf(a->http, sizeof a->http, "http://127.0.0.1:%u", a->port);
    (void)snprintf(a->ws, sizeof a->ws, "ws://127.0.0.1:%u", a->port);
}

static inline void anvil_kill(struct anvil *a) {
    if (a->pid > 0) {
        (void)kill(a->pid, SIGKILL);
        (void)waitpid(a->pid, NULL, 0);
        (void)pthread_join(a->reader, NULL);
        close(a->out);
    }
    a->pid = 0;
}

/* The first development accounts. */
static const char *const anvil_keys[] = {
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
};

static inline void anvil_do(struct eth_rpc *r, const char *method, const char *params) {
    struct sr_err e = {0};
    cleanup_json struct json *doc = NULL;
    const struct json_val *v;
    if (eth_rpc_call(r, method, params, &doc, &v, &e) != SR_OK) fail_msg("%s: %s", method, e.what);
}

/* Makes a test of a function that runs in a fiber. */
#define FIBER_TEST(name)                                                                           \
    static void name##_in_fiber(void);                                                             \
    static sr_status name##_fiber(void *arg, struct sr_err *err) {                                 \
        (void)arg, (void)err;                                                                      \
        name##_in_fiber();                                                                         \
        return SR_OK;                                                                              \
    }                                                                                              \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        struct sr_err e = {0};                                                                     \
        assert_ok(net_call(name##_fiber, NULL, &e));                                               \
    }                                                                                              \
    static void name##_in_fiber(void)
