/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - connected sockets as fibers see them: read and write that wait */
#include "net/net_int.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

sr_status stream_open_(struct stream *s, int take_fd, struct sr_err *err) {
    *s = (struct stream){.magic = STREAM_MAGIC, .io.fd = -1};
    int fl = fcntl(take_fd, F_GETFL);
    if (fl < 0 || fcntl(take_fd, F_SETFL, fl | O_NONBLOCK) != 0) {
        (void)sr_fail(err, SR_E_SYS, "prepare a descriptor");
        (void)close(take_fd);
        return SR_E_SYS;
    }
    return io_open_(&s->io, take_fd, err);
}

void stream_done_(struct stream *s) {
    stream_shutdown(s);
    if (s->ssl) {
        SSL_free(s->ssl); /* and its two BIOs */
        s->ssl = NULL;
    }
    io_close_(&s->io);
    s->magic = 0;
}

sr_status stream_from_fd(int take_fd, struct stream **ret, struct sr_err *err) {
    struct stream *s = sr_calloc_n(1, sizeof *s);
    if (!s) {
        (void)close(take_fd);
        return sr_fail(err, SR_E_NOMEM, "no memory for a stream");
    }
    sr_status st = stream_open_(s, take_fd, err);
    if (st != SR_OK) {
        free(s);
        return st;
    }
    *ret = s;
    return SR_OK;
}

void stream_shutdown(struct stream *s) {
    if (s->shut) return;
    s->shut = true;
    if (s->io.fd >= 0) (void)shutdown(s->io.fd, SHUT_RDWR); /* a pipe has none: no harm */
    fcond_wake(&s->io.can_read);
    fcond_wake(&s->io.can_write);
}

void stream_close(struct stream *s) {
    if (!s) return;
    SR_ASSERT(s->magic == STREAM_MAGIC);
    stream_done_(s);
    free(s);
}

/* ---- reading and writing ---- */

static sr_status lost(struct sr_err *err, const char *doing) {
    int e = errno;
    if (e == ECONNRESET || e == EPIPE || e == ENOTCONN || e == ECONNABORTED)
        return sr_fail(err, SR_E_UNAVAILABLE, "the connection was closed by the other side");
    if (e == ETIMEDOUT || e == EHOSTUNREACH || e == ENETUNREACH)
        return sr_fail(err, SR_E_UNAVAILABLE, "the connection was lost");
    errno = e;
    return sr_fail(err, SR_E_SYS, "%s", doing);
}

sr_status stream_raw_read_(struct stream *s, void *p, size_t n, int64_t deadline_us, size_t *ret_n,
                           struct sr_err *err) {
    for (;;) {
        if (s->shut) return sr_fail(err, SR_E_CANCELLED, "the connection was ended here");
        ssize_t k = read(s->io.fd, p, n);
        if (k >= 0) {
            *ret_n = (size_t)k;
            return SR_OK;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return lost(err, "read");
        SR_TRY(io_wait_read_(&s->io, deadline_us, err));
    }
}

/* Writes all of the parts; a failure in the middle leaves the stream unusable. */
static sr_status raw_writev(struct stream *s, struct iovec *v, int n, struct sr_err *err) {
    int64_t deadline = deadline_after_(s->write_ms);
    while (n > 0) {
        if (s->shut) return sr_fail(err, SR_E_CANCELLED, "the connection was ended here");
        if (v->iov_len == 0) {
            v++;
            n--;
            continue;
        }
        ssize_t k = writev(s->io.fd, v, n);
        if (k < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK) return lost(err, "write");
            sr_status st = io_wait_write_(&s->io, deadline, err);
            if (st != SR_OK) {
                stream_shutdown(s);
                return st;
            }
            continue;
        }
        deadline = deadline_after_(s->write_ms);
        for (size_t left = (size_t)k; left > 0;) {
            /* never beyond the last: writev took no more than there was */
            size_t take = left < v->iov_len ? left : v->iov_len; /* NOLINT */
            v->iov_base = (uint8_t *)v->iov_base + take;
            v->iov_len -= take;
            left -= take;
            if (v->iov_len == 0 && left > 0) {
                v++;
                n--;
            }
        }
    }
    return SR_OK;
}

static struct iovec iov_of(struct slice d) {
    union {
        const uint8_t *c;
        void *m;
    } u = {.c = d.p}; /* writev only reads it */
    return (struct iovec){.iov_base = u.m, .iov_len = d.n};
}

sr_status stream_raw_write_(struct stream *s, struct slice data, struct sr_err *err) {
    struct iovec v = iov_of(data);
    return raw_writev(s, &v, 1, err);
}

sr_status stream_read_until_(struct stream *s, void *p, size_t n, int64_t deadline_us,
                             size_t *ret_n, struct sr_err *err) {
    if (s->ssl) return tls_read_(s, p, n, deadline_us, ret_n, err);
    return stream_raw_read_(s, p, n, deadline_us, ret_n, err);
}

sr_status stream_read(struct stream *s, void *p, size_t n, uint64_t timeout_ms, size_t *ret_n,
                      struct sr_err *err) {
    return stream_read_until_(s, p, n, deadline_after_(timeout_ms), ret_n, err);
}

sr_status stream_read_full(struct stream *s, void *p, size_t n, uint64_t timeout_ms,
                           struct sr_err *err) {
    for (size_t done = 0; done < n;) {
        size_t k = 0;
        SR_TRY(stream_read(s, (uint8_t *)p + done, n - done, timeout_ms, &k, err));
        if (k == 0)
            return sr_fail(err, SR_E_UNAVAILABLE, "the connection ended after %zu of %zu bytes",
                           done, n);
        done += k;
    }
    return SR_OK;
}

sr_status stream_write_locked_(struct stream *s, struct slice data, struct sr_err *err) {
    if (s->ssl) return tls_write_locked_(s, data, err);
    return stream_raw_write_(s, data, err);
}

sr_status stream_write(struct stream *s, struct slice data, struct sr_err *err) {
    SR_TRY(fmutex_lock(&s->writing, err));
    sr_status st = stream_write_locked_(s, data, err);
    fmutex_unlock(&s->writing);
    return st;
}

sr_status stream_write2_(struct stream *s, struct slice a, struct slice b, struct sr_err *err) {
    SR_TRY(fmutex_lock(&s->writing, err));
    sr_status st = SR_OK;
    if (s->ssl) {
        if (a.n) st = tls_write_locked_(s, a, err);
        if (st == SR_OK && b.n) st = tls_write_locked_(s, b, err);
    } else {
        struct iovec v[2] = {iov_of(a), iov_of(b)};
        st = raw_writev(s, v, 2, err);
    }
    fmutex_unlock(&s->writing);
    return st;
}

sr_status stream_write2(struct stream *s, struct slice a, struct slice b, struct sr_err *err) {
    return stream_write2_(s, a, b, err);
}

void stream_end(struct stream *s) {
    SR_ASSERT(!s->ssl);
    if (!s->shut && s->io.fd >= 0) (void)shutdown(s->io.fd, SHUT_WR);
}

/* ---- connecting ---- */

/* A name look-up on the thread pool; on the heap, so that a cancelled fiber can leave it behind. */
struct lookup {
    uv_getaddrinfo_t req;
    struct fiber *f; /* NULL: nobody waits any more */
    int status;
    struct addrinfo *found;
};

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res) {
    struct lookup *l = req->data;
    if (!l->f) {
        uv_freeaddrinfo(res);
        free(l);
        return;
    }
    l->status = status;
    l->found = res;
    fiber_wake_(l->f, SR_OK);
}

static sr_status connect_addr(const struct sockaddr *sa, socklen_t n, int64_t deadline_us,
                              struct stream **ret, struct sr_err *err) {
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "make a socket");
    int one = 1;
    if (sa->sa_family != AF_UNIX) (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int rc = connect(fd, sa, n);
    if (rc != 0 && errno != EINPROGRESS) {
        (void)sr_fail(err, SR_E_UNAVAILABLE, "connect: %s", strerror(errno));
        (void)close(fd);
        return SR_E_UNAVAILABLE;
    }
    struct stream *s;
    SR_TRY(stream_from_fd(fd, &s, err));
    if (rc == 0) {
        *ret = s;
        return SR_OK;
    }
    /* Registering an unconnected socket gives an edge (HUP) at once: ask the socket itself. */
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t pn = sizeof peer;
        int soerr = 0;
        socklen_t en = sizeof soerr;
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &soerr, &en);
        if (soerr != 0) {
            stream_close(s);
            return sr_fail(err, SR_E_UNAVAILABLE, "connect: %s", strerror(soerr));
        }
        if (getpeername(fd, (struct sockaddr *)&peer, &pn) == 0) break;
        struct sr_err why = {0};
        sr_status st = io_wait_write_(&s->io, deadline_us, &why);
        if (st != SR_OK) {
            stream_close(s);
            return sr_fail(err, st, st == SR_E_TIMEOUT ? "connect: no answer in time" : "%s",
                           why.what);
        }
    }
    s->io.seen = 0;
    *ret = s;
    return SR_OK;
}

/* Numeric hosts and "localhost" need no resolver: nothing to wait for, and it works offline. */
static bool literal_host(const char *host, uint16_t port, struct sockaddr_storage *ret_sa,
                         socklen_t *ret_n) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (slice_ieq(slice_str(host), "localhost")) host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(ret_sa, &v4, sizeof v4);
        *ret_n = sizeof v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(ret_sa, &v6, sizeof v6);
        *ret_n = sizeof v6;
        return true;
    }
    return false;
}

bool sockaddr_is_public_(const struct sockaddr *sa) {
    static const struct {
        uint32_t net;
        unsigned bits;
    } inner[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
        {0xac100000, 12}, {0xc0000000, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xe0000000, 3},
    };
    if (sa->sa_family == AF_INET) {
        uint32_t a = ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr);
        for (size_t i = 0; i < SR_ARRAY_LEN(inner); i++)
            if ((a ^ inner[i].net) >> (32 - inner[i].bits) == 0) return false;
        return true;
    }
    if (sa->sa_family != AF_INET6) return false;
    /* 2000::/3 without those that carry an IPv4 address (Teredo, 6to4) or are for documents. */
    const uint8_t *b = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr;
    unsigned head = (unsigned)b[0] << 8 | b[1], next = (unsigned)b[2] << 8 | b[3];
    return (b[0] & 0xe0) == 0x20 && head != 0x2002 &&
           !(head == 0x2001 && (next == 0 || next == 0x0db8));
}

static sr_status not_public(const char *host, struct sr_err *err) {
    sr_hint(err, "add the content to the store and name it by its /ipfs/ address");
    return sr_fail(err, SR_E_REFUSED, "'%.100s' is not on the public internet", host);
}

static sr_status connect_name(const char *host, uint16_t port, bool public_only,
                              int64_t deadline_us, uint64_t timeout_ms, struct stream **ret,
                              struct sr_err *err) {
    struct lookup *l = sr_calloc_n(1, sizeof *l);
    if (!l) return sr_fail(err, SR_E_NOMEM, "no memory for a name look-up");
    l->req.data = l;
    l->f = fiber_current_();
    SR_ASSERT(l->f != NULL);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    int rc = uv_getaddrinfo(net_loop(), &l->req, on_lookup, host, NULL, &hints);
    if (rc != 0) {
        free(l);
        return sr_fail(err, SR_E_UNAVAILABLE, "look up '%.100s': %s", host, uv_strerror(rc));
    }
    sr_status st = fiber_park_(timeout_ms, false, err);
    if (st != SR_OK) {
        l->f = NULL;
        (void)uv_cancel((uv_req_t *)&l->req);
        return st;
    }
    if (l->status != 0) {
        st = sr_fail(err, SR_E_UNAVAILABLE, "look up '%.100s': %s", host, uv_strerror(l->status));
    } else {
        st = SR_E_UNAVAILABLE;
        struct sr_err why = {0};
        for (struct addrinfo *a = l->found; a && st != SR_OK; a = a->ai_next) {
            struct sockaddr_storage sa = {0};
            memcpy(&sa, a->ai_addr, a->ai_addrlen);
            if (sa.ss_family == AF_INET) ((struct sockaddr_in *)&sa)->sin_port = htons(port);
            if (sa.ss_family == AF_INET6) ((struct sockaddr_in6 *)&sa)->sin6_port = htons(port);
            if (public_only && !sockaddr_is_public_((struct sockaddr *)&sa)) {
                st = not_public(host, &why);
                break; /* also when another address is: a name that mixes both is up to something */
            }
            st = connect_addr((struct sockaddr *)&sa, a->ai_addrlen, deadline_us, ret, &why);
            if (st == SR_E_CANCELLED || st == SR_E_TIMEOUT) break;
        }
        if (st != SR_OK) (void)sr_fail(err, st, "%s", why.what);
        if (st != SR_OK && why.hint[0]) sr_hint(err, "%s", why.hint);
    }
    uv_freeaddrinfo(l->found);
    free(l);
    return st;
}

static sr_status connect_tcp(const char *host, uint16_t port, bool tls, bool public_only,
                             uint64_t timeout_ms, struct stream **ret, struct sr_err *err) {
    SR_TRY(net_init(err));
    int64_t deadline = deadline_after_(timeout_ms);
    struct stream *s = NULL;
    struct sockaddr_storage sa;
    socklen_t n;
    if (literal_host(host, port, &sa, &n)) {
        if (public_only && !sockaddr_is_public_((struct sockaddr *)&sa))
            return not_public(host, err);
        SR_TRY(connect_addr((struct sockaddr *)&sa, n, deadline, &s, err));
    } else {
        SR_TRY(connect_name(host, port, public_only, deadline, timeout_ms, &s, err));
    }
    if (tls) {
        sr_status st = stream_tls_start_(s, host, deadline, err);
        if (st != SR_OK) {
            stream_close(s);
            return st;
        }
    }
    *ret = s;
    return SR_OK;
}

sr_status stream_connect_tcp(const char *host, uint16_t port, bool tls, uint64_t timeout_ms,
                             struct stream **ret, struct sr_err *err) {
    return connect_tcp(host, port, tls, false, timeout_ms, ret, err);
}

sr_status stream_connect_public(const char *host, uint16_t port, bool tls, uint64_t timeout_ms,
                                struct stream **ret, struct sr_err *err) {
    return connect_tcp(host, port, tls, true, timeout_ms, ret, err);
}

sr_status stream_connect_unix(const char *path, struct stream **ret, struct sr_err *err) {
    SR_TRY(net_init(err));
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof sa.sun_path)
        return sr_fail(err, SR_E_RANGE, "socket path of %zu bytes is too long", n);
    memcpy(sa.sun_path, path, n + 1);
    return connect_addr((struct sockaddr *)&sa, sizeof sa, 0, ret, err);
}
