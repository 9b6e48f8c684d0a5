/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault's own small loop (it links no network library): one thread, sockets that never block,
 * one message after the other in the order they came.
 */
#include "vault/vault_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX     (4u << 20) /* answers that a peer has not read yet */
#define TICK_MS     1000
#define FIXED_POLLS 3

struct client {
    int fd; /* -1: free */
    struct vault_peer peer;
    struct buf in, out; /* in may hold secrets: wiped */
    int64_t since_us;   /* of the last whole frame */
};

struct server {
    struct vault *v;
    uint32_t peer_uid;
    struct client client[VAULT_CLIENTS_MAX];
};

static void client_close(struct client *c) {
    if (c->fd >= 0) (void)close(c->fd);
    buf_wipe(&c->in);
    buf_done(&c->out);
    *c = (struct client){.fd = -1};
}

/* Only the peer's user (or root) may come, whatever the socket's mode says. */
static bool right_user(const struct server *s, int fd) {
    struct ucred u;
    socklen_t n = sizeof u;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) == 0 &&
           (u.uid == s->peer_uid || u.uid == 0);
}

static void client_accept(struct server *s, int listen_fd) {
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    if (!right_user(s, fd)) {
        log_warn("peer_refused", "why=user");
        (void)close(fd);
        return;
    }
    for (size_t i = 0; i < VAULT_CLIENTS_MAX; i++) {
        struct client *c = &s->client[i];
        if (c->fd >= 0) continue;
        *c = (struct client){.fd = fd, .since_us = clock_mono_us()};
        buf_init(&c->in, VAULT_FRAME_HEAD + VAULT_BODY_MAX);
        buf_init(&c->out, OUT_MAX);
        return;
    }
    log_warn("peer_refused", "why=too_many");
    (void)close(fd);
}

static const char *message_name(uint16_t type) {
    switch (type) {
#define M(num, name, roles, max, request, reply)                                                   \
    case (num): return #name;
        VAULT_MSGS(M)
#undef M
    default: return "unknown";
    }
}

static void answer(struct client *c, const struct vault_frame *rq, uint16_t type,
                   const struct buf *body) {
    uint8_t head[VAULT_FRAME_HEAD];
    vault_frame_write(
        head, &(struct vault_frame){.type = type, .id = rq->id, .length = (uint32_t)body->n});
    buf_put(&c->out, head, sizeof head);
    buf_add(&c->out, buf_slice(body));
}

/* One whole frame. False: the peer does not speak the protocol. */
static bool serve_frame(struct server *s, struct client *c, const struct vault_frame *f,
                        struct slice body) {
    cleanup_buf struct buf reply = {0};
    struct sr_err e = {0};
    int64_t began = clock_mono_us();
    buf_init(&reply, VAULT_BODY_MAX);
    sr_status st = vault_dispatch(s->v, &c->peer, f->type, body, &reply, &e);
    long long us = (long long)(clock_mono_us() - began);
    if (st == SR_OK) {
        answer(c, f, (uint16_t)(f->type + VAULT_REPLY), &reply);
        /* Signatures are many; a release or a new secret is worth a line. */
        bool rare = f->type == VAULT_MSG_release || f->type == VAULT_MSG_secret_seal;
        log_line(rare ? LOG_INFO : LOG_DEBUG, "served", "msg=%s dur_us=%lld", message_name(f->type),
                 us);
    } else {
        buf_clear(&reply);
        reply.bad = SR_OK;
        vault_failure_write(&reply, &e);
        answer(c, f, (uint16_t)(f->type | VAULT_FAILURE), &reply);
        log_warn("refused", "msg=%s code=%s what=%s dur_us=%lld", message_name(f->type),
                 sr_status_name(st), log_q(slice_str(e.what)).s, us);
    }
    return st != SR_E_USAGE && buf_status(&c->out, NULL) == SR_OK;
}

static bool serve_frames(struct server *s, struct client *c) {
    struct vault_frame f;
    while (c->in.n >= VAULT_FRAME_HEAD) {
        if (!vault_frame_read(c->in.p, &f)) return false;
        size_t all = VAULT_FRAME_HEAD + (size_t)f.length;
        if (c->in.n < all) return true;
        bool ok = serve_frame(s, c, &f, slice_of(c->in.p + VAULT_FRAME_HEAD, f.length));
        explicit_bzero(c->in.p, all);
        buf_drop(&c->in, all);
        c->since_us = clock_mono_us();
        if (!ok) return false;
        if (c->out.n > OUT_MAX / 2) return true; /* let it read first */
    }
    return true;
}

static bool flush(struct client *c) {
    while (c->out.n > 0) {
        ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        buf_drop(&c->out, (size_t)n);
    }
    return true;
}

/* What the next read should hold: the rest of the head, else the rest of the frame. */
static size_t wanted(const struct client *c) {
    struct vault_frame f;
    if (c->in.n < VAULT_FRAME_HEAD) return VAULT_FRAME_HEAD - c->in.n;
    if (!vault_frame_read(c->in.p, &f)) return 1;
    size_t all = VAULT_FRAME_HEAD + (size_t)f.length;
    return all > c->in.n ? all - c->in.n : 1;
}

static bool receive(struct server *s, struct client *c) {
    for (unsigned rounds = 0; rounds < 16; rounds++) {
        if (c->out.n > OUT_MAX / 2) return true;
        size_t want = wanted(c);
        uint8_t *p = buf_reserve(&c->in, want);
        if (!p) return false;
        ssize_t n = recv(c->fd, p, want, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        if (n == 0) return false;
        SR_ASSERT(buf_grow(&c->in, (size_t)n) == p);
        if (!serve_frames(s, c) || !flush(c)) {
            (void)flush(c); /* the failure's text, when it fits */
            return false;
        }
    }
    return true;
}

static bool too_slow(const struct client *c) {
    return (!c->peer.greeted || c->in.n > 0) &&
           clock_mono_us() - c->since_us > (int64_t)VAULT_PATIENCE_S * 1000000;
}

static bool has_work_for(struct server *s, struct client *c, short events) {
    if ((events & POLLOUT) && (!flush(c) || !serve_frames(s, c) || !flush(c))) return false;
    if ((events & (POLLIN | POLLHUP | POLLERR)) && !receive(s, c)) return false;
    return !too_slow(c);
}

sr_status vault_serve(struct vault *v, int listen_fd, int stop_fd, int control_fd,
                      uint32_t peer_uid, struct sr_err *err) {
    struct server *s = sr_calloc_n(1, sizeof *s);
    if (!s) return sr_fail(err, SR_E_NOMEM, "out of memory");
    s->v = v;
    s->peer_uid = peer_uid;
    for (size_t i = 0; i < VAULT_CLIENTS_MAX; i++) s->client[i].fd = -1;
    int flags = fcntl(listen_fd, F_GETFL);
    (void)fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK);
    sr_status st = SR_OK;
    for (;;) {
        struct pollfd p[FIXED_POLLS + VAULT_CLIENTS_MAX] = {
            {.fd = listen_fd, .events = POLLIN},
            {.fd = stop_fd, .events = POLLIN},
            {.fd = control_fd, .events = POLLIN},
        };
        bool waiting = false; /* is somebody's patience running */
        for (size_t i = 0; i < VAULT_CLIENTS_MAX; i++) {
            const struct client *c = &s->client[i];
            p[FIXED_POLLS + i].fd = c->fd;
            p[FIXED_POLLS + i].events =
                (short)((c->out.n > OUT_MAX / 2 ? 0 : POLLIN) | (c->out.n ? POLLOUT : 0));
            waiting |= c->fd >= 0 && (!c->peer.greeted || c->in.n > 0);
        }
        int n = poll(p, SR_ARRAY_LEN(p), waiting ? TICK_MS : -1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            st = sr_fail(err, SR_E_SYS, "waiting for peers");
            break;
        }
        if (p[1].revents || p[2].revents) break;
        for (size_t i = 0; i < VAULT_CLIENTS_MAX; i++) {
            struct client *c = &s->client[i];
            if (c->fd >= 0 && !has_work_for(s, c, p[FIXED_POLLS + i].revents)) client_close(c);
        }
        if (p[0].revents) client_accept(s, listen_fd);
    }
    for (size_t i = 0; i < VAULT_CLIENTS_MAX; i++) client_close(&s->client[i]);
    free(s);
    return st;
}
