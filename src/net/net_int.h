/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_int.h - what the files of net/ share: parking fibers, descriptors, streams from inside
 *
 * One epoll set, edge-triggered, holds every socket; it is itself one descriptor of the libuv loop.
 * A socket is registered once in its life, so a wait costs no system call. libuv has the timers,
 * the children, the thread pool and the name look-ups.
 */
#pragma once
#include "net/net.h"
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <uv.h>

/* ---- fibers ---- */

struct fiber;
struct fiber *fiber_current_(void); /* NULL on the loop's own stack */
/* Waits until fiber_wake_; SR_E_TIMEOUT, SR_E_CANCELLED (not when no_cancel). */
SR_CHECK sr_status fiber_park_(uint64_t timeout_ms, bool no_cancel, struct sr_err *err);
void fiber_wake_(struct fiber *f, sr_status result); /* does nothing when f is not parked */
void fiber_yield_(void);                             /* lets the others and the loop run once */

/* ---- descriptors ---- */

/* A descriptor in the epoll set. Zeroed, then io_open_; on_event (optional) runs on the loop's
 * stack and must not free the io. */
struct io {
    int fd;
    uint32_t seen; /* EPOLLRDHUP, EPOLLHUP, EPOLLERR once they came */
    struct fcond can_read, can_write;
    void (*on_event)(struct io *io, uint32_t events);
};
SR_CHECK sr_status io_open_(struct io *io, int take_fd, struct sr_err *err);
void io_close_(struct io *io);
/* Absolute deadlines in microseconds of clock_mono_us; 0: never. */
SR_CHECK sr_status io_wait_read_(struct io *io, int64_t deadline_us, struct sr_err *err);
SR_CHECK sr_status io_wait_write_(struct io *io, int64_t deadline_us, struct sr_err *err);
static inline int64_t deadline_after_(uint64_t ms) {
    return ms ? clock_mono_us() + (int64_t)ms * 1000 : 0;
}
/* The sooner of two deadlines, 0 being never. */
static inline int64_t deadline_min_(int64_t a, int64_t b) {
    if (a == 0) return b;
    if (b == 0) return a;
    return a < b ? a : b;
}
/* A callback about once a second on the loop's stack, for idle connections; never removed. */
void net_every_second_(void (*fn)(void));

/* ---- streams ---- */

#define STREAM_MAGIC 0x53747265u

struct stream {
    uint32_t magic;
    struct io io;
    bool shut;
    struct fmutex writing;
    uint64_t write_ms; /* no progress in a write for so long: SR_E_TIMEOUT; 0: for ever */
    SSL *ssl;          /* NULL: plain */
    BIO *from_net, *to_net;
};
SR_CHECK sr_status stream_open_(struct stream *s, int take_fd, struct sr_err *err);
void stream_done_(struct stream *s); /* closes; for embedded streams */
/* Does the address lead out of this machine and its networks? */
struct sockaddr;
bool sockaddr_is_public_(const struct sockaddr *sa);
/* Like stream_read with an absolute deadline. */
SR_CHECK sr_status stream_read_until_(struct stream *s, void *p, size_t n, int64_t deadline_us,
                                      size_t *ret_n, struct sr_err *err);
/* Writes while the caller holds s->writing. */
SR_CHECK sr_status stream_write_locked_(struct stream *s, struct slice data, struct sr_err *err);
/* Both in order under one lock: the head and the body of a message, in one packet when small. */
SR_CHECK sr_status stream_write2_(struct stream *s, struct slice a, struct slice b,
                                  struct sr_err *err);
SR_CHECK sr_status stream_tls_start_(struct stream *s, const char *host, int64_t deadline_us,
                                     struct sr_err *err);
void net_crypto_init_(void); /* libcrypto without its slow configuration file */
void tls_done_(void);        /* frees the process's TLS context */
/* One raw read or write of the socket, waiting; used below TLS. */
SR_CHECK sr_status stream_raw_read_(struct stream *s, void *p, size_t n, int64_t deadline_us,
                                    size_t *ret_n, struct sr_err *err);
SR_CHECK sr_status stream_raw_write_(struct stream *s, struct slice data, struct sr_err *err);
/* TLS: moves decrypted bytes out, encrypted bytes in and out. */
SR_CHECK sr_status tls_read_(struct stream *s, void *p, size_t n, int64_t deadline_us,
                             size_t *ret_n, struct sr_err *err);
SR_CHECK sr_status tls_write_locked_(struct stream *s, struct slice data, struct sr_err *err);

/* ---- the client's parts that http_serve and websockets share ---- */

struct http_conn; /* a client connection: stream and read-ahead */
void http_pool_done_(void);
void http_server_all_done_(void);
