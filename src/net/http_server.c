/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server.c - listens, accepts, keeps connections
 *
 * A connection without a request has no fiber and no buffer: a few hundred bytes in the idle list.
 * The first byte starts a fiber, which serves requests until the connection is idle again.
 */
#include "net/http_common.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPT_BATCH  64
#define WRITE_IDLE_MS 60000

/* All servers of the process, for the once-a-second look at idle connections. */
static struct {
    struct http_server *first;
    size_t conns;
} S;

static void server_unref(struct http_server *s) {
    if (--s->refs) return;
    struct http_server **at = &S.first;
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    free(s->stats);
    free(s);
}

/* ---- idle list ---- */

static void idle_leave(struct conn *c) {
    if (!c->idle) return;
    struct http_server *s = c->server;
    c->idle = false;
    if (c->idle_prev)
        c->idle_prev->idle_next = c->idle_next;
    else
        s->idle_first = c->idle_next;
    if (c->idle_next)
        c->idle_next->idle_prev = c->idle_prev;
    else
        s->idle_last = c->idle_prev;
}

static void idle_enter(struct conn *c) {
    struct http_server *s = c->server;
    c->idle = true;
    c->idle_since_us = clock_mono_us();
    c->idle_next = NULL;
    c->idle_prev = s->idle_last;
    if (s->idle_last)
        s->idle_last->idle_next = c;
    else
        s->idle_first = c;
    s->idle_last = c;
}

static void conn_free(struct conn *c) {
    struct http_server *s = c->server;
    idle_leave(c);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next) c->next->prev = c->prev;
    stream_done_(&c->stream);
    http_in_done(&c->in);
    free(c);
    S.conns--;
    for (struct http_server *o = S.first; o; o = o->next)
        if (o->paused) fcond_wake(&o->listener.can_read);
    fcond_wake(&s->gone);
    server_unref(s);
}

static void conn_serve(void *arg) {
    struct conn *c = arg;
    struct http_req *rq = malloc(sizeof *rq);
    bool again = rq != NULL;
    while (again) {
        struct sr_err e = {0};
        struct slice head;
        bool any = false;
        sr_status st = http_in_head(&c->in, deadline_after_(NET_HEAD_MS), &head, &any, &e);
        if (st != SR_OK) {
            if (st == SR_E_MALFORMED || st == SR_E_TOOBIG || (st == SR_E_TIMEOUT && any))
                request_refuse_(c, rq, &e);
            break;
        }
        again = request_serve_(c, rq, head);
        req_done_(rq);
        if (!again) break;
        if (http_in_rest(&c->in).n > 0) {
            fiber_yield_(); /* one that sends many requests at once waits for its turn */
            continue;
        }
        /* Is more there already? Else the fiber ends here and the connection waits without. */
        ssize_t n = c->in.p ? read(c->stream.io.fd, c->in.p, c->in.cap) : -1;
        if (n > 0) {
            c->in.off = 0;
            c->in.n = (size_t)n;
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            http_in_done(&c->in);
            idle_enter(c);
            free(rq);
            return;
        }
        break;
    }
    free(rq);
    conn_free(c);
}

/* ---- accepting ---- */

static void on_conn_event(struct io *io, uint32_t events) {
    struct conn *c = (struct conn *)((uint8_t *)io - offsetof(struct conn, stream) -
                                     offsetof(struct stream, io));
    if (!c->idle || !(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) return;
    if (fiber_start(conn_serve, c, NULL) != SR_OK) return; /* the idle sweep will close it */
    idle_leave(c);
}

static void conn_open(struct http_server *s, int fd) {
    struct conn *c = sr_calloc_n(1, sizeof *c);
    if (!c) {
        (void)close(fd);
        return;
    }
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->stream.magic = STREAM_MAGIC;
    c->stream.write_ms = WRITE_IDLE_MS;
    if (io_open_(&c->stream.io, fd, NULL) != SR_OK) {
        free(c);
        return;
    }
    c->stream.io.on_event = on_conn_event;
    c->in.s = &c->stream;
    c->server = s;
    c->next = s->conns;
    if (s->conns) s->conns->prev = c;
    s->conns = c;
    s->refs++;
    S.conns++;
    idle_enter(c); /* the edge of its first byte is still to come */
}

/* Room for one more: the longest idle connection of any server goes. */
static bool make_room(void) {
    if (S.conns < NET_CONN_MAX) return true;
    struct conn *oldest = NULL;
    for (struct http_server *s = S.first; s; s = s->next)
        if (s->idle_first && (!oldest || s->idle_first->idle_since_us < oldest->idle_since_us))
            oldest = s->idle_first;
    if (!oldest) return false;
    conn_free(oldest);
    return true;
}

static void accept_loop(void *arg) {
    struct http_server *s = arg;
    int in_row = 0;
    while (!s->closed) {
        s->paused = !make_room();
        int fd = -1;
        if (!s->paused) fd = accept4(s->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            conn_open(s, fd);
            if (++in_row % ACCEPT_BATCH == 0 && fiber_sleep(0, NULL) != SR_OK) break;
            continue;
        }
        if (!s->paused && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (!s->paused &&
            (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
            log_warn("accept_failed", "errno=%d then=waiting", errno);
            s->paused = true;
        }
        /* A pause ends when a connection ends; look again after a second in any case. */
        sr_status st = fcond_wait(&s->listener.can_read, s->paused ? 1000 : 0, NULL);
        if (st != SR_OK && st != SR_E_TIMEOUT) break;
    }
    s->paused = false;
    fcond_wake(&s->gone);
    server_unref(s);
}

static void sweep_idle(void) {
    int64_t before = clock_mono_us() - (int64_t)NET_IDLE_MS * 1000;
    for (struct http_server *s = S.first, *next; s; s = next) {
        next = s->next;
        while (s->idle_first && s->idle_first->idle_since_us < before) {
            bool last = s->refs == 1;
            conn_free(s->idle_first);
            if (last) break;
        }
    }
}

static sr_status listen_on(const char *host, uint16_t port, int *ret_fd, struct sr_err *err) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    if (host && strcmp(host, "localhost") == 0) host = "127.0.0.1";
    int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0) {
        (void)sr_fail(err, SR_E_USAGE, "listen on '%.100s': %s", host ? host : "",
                      gai_strerror(rc));
        sr_hint(err, "give a numeric address, such as 127.0.0.1 or 0.0.0.0");
        return SR_E_USAGE;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1024) == 0;
    int why = errno;
    freeaddrinfo(found);
    if (!ok) {
        if (fd >= 0) (void)close(fd);
        errno = why;
        (void)sr_fail(err, why == EADDRINUSE ? SR_E_CONFLICT : SR_E_SYS, "listen on %s:%u%s",
                      host ? host : "*", port, why == EADDRINUSE ? ": the port is in use" : "");
        if (why == EADDRINUSE)
            sr_hint(err, "stop the program that uses it, or choose another port");
        return why == EADDRINUSE ? SR_E_CONFLICT : SR_E_SYS;
    }
    *ret_fd = fd;
    return SR_OK;
}

sr_status http_serve(const struct http_opts *opts, const char *host, uint16_t port, int listen_fd,
                     struct http_server **ret, struct sr_err *err) {
    int fd = listen_fd;
    sr_status st = net_init(err);
    if (st == SR_OK && fd < 0) st = listen_on(host, port, &fd, err);
    if (st != SR_OK) return st;
    int fl = fcntl(fd, F_GETFL);
    if (fl >= 0) (void)fcntl(fd, F_SETFL, fl | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    struct http_server *s = sr_calloc_n(1, sizeof *s);
    if (!s) {
        (void)close(fd);
        return sr_fail(err, SR_E_NOMEM, "no memory for a server");
    }
    s->opts = *opts;
    s->stats = http_stats_new_(opts->n_routes);
    if (!s->stats) {
        free(s);
        (void)close(fd);
        return sr_fail(err, SR_E_NOMEM, "no memory for a server");
    }
    s->refs = 2;
    struct sockaddr_storage sa = {0};
    socklen_t n = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0) {
        if (sa.ss_family == AF_INET) s->port = ntohs(((struct sockaddr_in *)&sa)->sin_port);
        if (sa.ss_family == AF_INET6) s->port = ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
    }
    st = io_open_(&s->listener, fd, err);
    if (st == SR_OK) {
        st = fiber_start(accept_loop, s, err);
        if (st != SR_OK) io_close_(&s->listener);
    }
    if (st != SR_OK) {
        free(s->stats);
        free(s);
        return st;
    }
    s->next = S.first;
    S.first = s;
    net_every_second_(sweep_idle);
    *ret = s;
    return SR_OK;
}

uint16_t http_server_port(const struct http_server *s) {
    return s->port;
}

static void server_end(struct http_server *s) {
    s->closed = true;
    io_close_(&s->listener); /* wakes the accepting fiber */
    for (struct conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        if (c->idle)
            conn_free(c);
        else
            stream_shutdown(&c->stream);
    }
}

void http_server_close(struct http_server *s) {
    if (!s) return;
    server_end(s);
    /* Handlers use the role's data: in a fiber, wait until the last has ended. */
    int64_t until = deadline_after_(1000);
    while (fiber_is_running() && s->refs > 1 && !net_stopping() && clock_mono_us() < until)
        if (fcond_wait(&s->gone, 1000, NULL) != SR_OK) break;
    server_unref(s);
}

void http_server_all_done_(void) {
    for (struct http_server *s = S.first, *next; s; s = next) {
        next = s->next;
        s->refs++; /* ending its connections must not free it under our hands */
        server_end(s);
        server_unref(s);
    }
}
