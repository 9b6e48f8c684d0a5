/* SPDX-License-Identifier: Apache-2.0 */
/* sockets.c - everything that listens is opened here, before any role runs */
#include "up/up_int.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

const char *const up_port_names[PORT_COUNT] = {"chain", "market", "sms", "store", "scheduler"};

static sr_status listen_tcp(const char *name, uint16_t port, int *ret_fd, uint16_t *ret_port,
                            struct sr_err *err) {
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "make a socket");
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 512) != 0) {
        if (errno == EADDRINUSE)
            sr_hint(err, "stop what uses it, or choose others: strongroom up --port BASE (0: any "
                         "free ones)");
        return sr_fail(err, SR_E_SYS, "port %u for the %s", port, name);
    }
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        return sr_fail(err, SR_E_SYS, "ask for the port");
    *ret_port = ntohs(a.sin_port);
    *ret_fd = sr_take_fd(fd);
    return SR_OK;
}

static sr_status listen_unix(const char *dir, const char *name, int *ret_fd, struct sr_err *err) {
    cleanup_free char *path = up_path(dir, name);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n > UP_SOCKET_PATH) {
        sr_hint(err, "choose a folder with a shorter name");
        return sr_fail(err, SR_E_TOOBIG, "'%s' is too long for a socket (%d bytes at most)", path,
                       UP_SOCKET_PATH);
    }
    memcpy(a.sun_path, path, n + 1);
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "make a socket");
    (void)unlink(path); /* of an earlier run: the lock is ours */
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || chmod(path, 0600) != 0 ||
        listen(fd, 64) != 0)
        return sr_fail(err, SR_E_SYS, "listen on '%s'", path);
    *ret_fd = sr_take_fd(fd);
    return SR_OK;
}

static sr_status open_all(uint16_t base, unsigned workers, const struct up_home *h,
                          struct up_sockets *s, struct sr_err *err) {
    for (unsigned i = 0; i < PORT_COUNT; i++) {
        uint16_t port = base ? (uint16_t)(base + i) : 0;
        SR_TRY(listen_tcp(up_port_names[i], port, &s->fd[i], &s->port[i], err));
    }
    SR_TRY(listen_unix(h->run, "vault-sms", &s->vault_sms, err));
    SR_TRY(listen_unix(h->run, "vault-scheduler", &s->vault_scheduler, err));
    for (unsigned i = 0; i < workers; i++)
        SR_TRY(listen_unix(h->run, up_workers[i].vault, &s->vault_worker[i], err));
    /* anvil opens its port itself; it was free a moment ago */
    (void)close(sr_take_fd(s->fd[PORT_CHAIN]));
    return SR_OK;
}

struct up_sockets sockets_none(void) {
    struct up_sockets s = {.vault_sms = -1, .vault_scheduler = -1};
    for (unsigned i = 0; i < PORT_COUNT; i++) s.fd[i] = -1;
    for (unsigned i = 0; i < UP_WORKERS; i++) s.vault_worker[i] = -1;
    return s;
}

sr_status sockets_open(uint16_t base, unsigned workers, const struct up_home *h,
                       struct up_sockets *ret, struct sr_err *err) {
    struct up_sockets s = sockets_none();
    sr_status st = open_all(base, workers, h, &s, err);
    if (st != SR_OK) sockets_close(&s);
    *ret = s;
    return st;
}

void sockets_close(struct up_sockets *s) {
    for (unsigned i = 0; i < PORT_COUNT; i++) cleanup_close_(&s->fd[i]);
    for (unsigned i = 0; i < UP_WORKERS; i++) cleanup_close_(&s->vault_worker[i]);
    cleanup_close_(&s->vault_sms);
    cleanup_close_(&s->vault_scheduler);
    *s = sockets_none();
}
