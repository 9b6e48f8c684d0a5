/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.h - one libuv loop a process, fibers on it, HTTP and websockets over them
 *
 * A fiber is a small stack of its own on the loop's thread: code in it reads as if it blocked
 * (fetch, read, wait), while the loop serves the others. Everything here that says "waits" must be
 * called in a fiber and lets others run; nothing else may block. Between two waits no other fiber
 * runs, so plain data needs no locks.
 *
 * Depends on: base, libuv, libssl (TLS of the client).  Used by: every role and libstrongroom.
 * Limits: NET_* below.
 */
#pragma once
#include "base/base.h"

/* ---- loop and fibers
 * ---------------------------------------------------------------------------------------- */

#define FIBER_STACK (256u * 1024) /* mapped lazily, with a guard page */

struct uv_loop_s;
/* Makes the process's loop (once; later calls are fine). Ignores SIGPIPE. */
SR_CHECK sr_status net_init(struct sr_err *err);
struct uv_loop_s *net_loop(void);
/* Runs until net_stop and then until the running fibers' waits have been cancelled
 * (SR_E_CANCELLED), at most 1 s. */
void net_run(void);
void net_stop(void);
bool net_stopping(void);
/* Runs one function as a fiber to its end, running the loop meanwhile: for commands and tests. */
SR_CHECK sr_status net_call(sr_status (*fn)(void *arg, struct sr_err *err), void *arg,
                            struct sr_err *err);
void net_done(void);

/* Starts fn(arg) in a new fiber; it begins at the next wait of the caller, or when the loop turns.
 */
SR_CHECK sr_status fiber_start(void (*fn)(void *arg), void *arg, struct sr_err *err);
bool fiber_is_running(void); /* is the caller in a fiber */
SR_CHECK sr_status fiber_sleep(uint64_t ms,
                               struct sr_err *err); /* waits; SR_E_CANCELLED when the loop stops */
/* Runs work(arg) on libuv's thread pool (hashing a file, fsync); waits. work touches only its
 * argument. */
SR_CHECK sr_status fiber_offload(void (*work)(void *arg), void *arg, struct sr_err *err);
/* The same beside the fiber: started, and later waited for (also at the stop: the work may use the
 * fiber's memory), which frees it. */
struct fiber_work;
SR_CHECK sr_status fiber_work_start(void (*work)(void *arg), void *arg, struct fiber_work **ret,
                                    struct sr_err *err);
void fiber_work_wait(struct fiber_work *take_w); /* accepts NULL */
/* Waits until fd is readable (POLLIN) or writable (POLLOUT); timeout_ms 0: for ever. */
SR_CHECK sr_status fiber_poll_fd(int fd, int events, uint64_t timeout_ms, struct sr_err *err);
/* The same for a descriptor that is waited for again and again: by one fiber at a time, for any of
 * the events; no stream has it. The loop remembers it until it is closed. */
SR_CHECK sr_status fiber_poll_own_fd(int fd, int events, uint64_t timeout_ms, struct sr_err *err);

/* A condition: fibers wait, anyone on the loop's thread wakes them. */
struct fcond {
    void *first;
};
/* Waits; SR_E_TIMEOUT after timeout_ms (0: for ever), SR_E_CANCELLED when the loop stops. */
SR_CHECK sr_status fcond_wait(struct fcond *c, uint64_t timeout_ms, struct sr_err *err);
void fcond_wake(struct fcond *c); /* all that wait now */
/* A lock held across waits; not recursive; first come, first served. */
struct fmutex {
    bool held;
    struct fcond free;
};
SR_CHECK sr_status fmutex_lock(struct fmutex *m, struct sr_err *err);
void fmutex_unlock(struct fmutex *m);

/* ---- byte streams
 * -------------------------------------------------------------------------------------------- */

struct stream; /* a connected TCP or Unix socket, or TLS over TCP; owned: stream_close */
SR_CHECK sr_status stream_connect_tcp(const char *host, uint16_t port, bool tls,
                                      uint64_t timeout_ms, struct stream **ret, struct sr_err *err);
/* The same, but only to addresses of the public internet; else SR_E_REFUSED. A name is judged by
 * the addresses that it resolves to. */
SR_CHECK sr_status stream_connect_public(const char *host, uint16_t port, bool tls,
                                         uint64_t timeout_ms, struct stream **ret,
                                         struct sr_err *err);
SR_CHECK sr_status stream_connect_unix(const char *path, struct stream **ret, struct sr_err *err);
SR_CHECK sr_status stream_from_fd(int take_fd, struct stream **ret,
                                  struct sr_err *err); /* a socketpair end */
/* Waits for 1..n bytes; *ret_n 0: the other side ended. timeout_ms 0: for ever. */
SR_CHECK sr_status stream_read(struct stream *s, void *p, size_t n, uint64_t timeout_ms,
                               size_t *ret_n, struct sr_err *err);
SR_CHECK sr_status stream_read_full(struct stream *s, void *p, size_t n, uint64_t timeout_ms,
                                    struct sr_err *err);
/* Waits until the kernel has all of it (back-pressure). One writer at a time: the stream holds an
 * fmutex for it. */
SR_CHECK sr_status stream_write(struct stream *s, struct slice data, struct sr_err *err);
/* Both, in order and with nothing between them, in one packet when small. */
SR_CHECK sr_status stream_write2(struct stream *s, struct slice a, struct slice b,
                                 struct sr_err *err);
void stream_end(struct stream *s);      /* sends no more; the other side may (no TLS) */
void stream_shutdown(struct stream *s); /* wakes readers and writers with SR_E_CANCELLED */
void stream_close(struct stream *s);    /* accepts NULL */

/* ---- HTTP server
 * ---------------------------------------------------------------------------------------------- */

#define NET_HEAD_MAX     (32u * 1024) /* request line and headers */
#define NET_IDLE_MS      60000        /* keep-alive connection without a request */
#define NET_HEAD_MS      10000        /* head must be complete */
#define NET_BODY_IDLE_MS 30000        /* between two reads of a body */
#define NET_BODY_MS      120000       /* a body that is kept whole must be there */
#define NET_CONN_MAX     4096

struct http_server;
struct http_req;
/* A route: pattern segments, "{name}" takes one, a final "*" takes the rest. A handler runs in a
 * fiber. It answers with http_reply* exactly once, or returns a failure, which becomes {"error":
 * what, "code": name, "hint": hint} with the status's HTTP code (a route may install another shape:
 * on_error). */
struct http_route {
    const char *method; /* "GET" also answers HEAD unless HEAD has a route of its own */
    const char *pattern;
    sr_status (*fn)(struct http_req *rq, void *role, struct sr_err *err);
    size_t max_body; /* for http_body; 0: none accepted; streamed bodies (http_body_read) are not
                        bound by it */
};
struct http_opts {
    const struct http_route *routes;
    size_t n_routes;
    void *role; /* given to handlers */
    bool cors;  /* answers OPTIONS, adds Access-Control headers */
    void (*on_error)(struct http_req *rq,
                     const struct sr_err *e); /* NULL: the shape above; else must http_reply */
    const char *cors_headers;                 /* allowed request headers; NULL: "*" */
    bool cors_echo;                           /* names the asking origin instead of "*" */
    const char *name; /* static: "market"; in /health, /metrics and /openapi.json */
    /* What /health asks (may wait, each time within some seconds); NULL: a process that answers is
     * well. checks: members about what the role depends on, for people; a failure is a 503. */
    sr_status (*health)(void *role, struct jw *checks, struct sr_err *err);
    uint64_t body_ms; /* 0: NET_BODY_MS; tests have less patience */
};
/* Listens on host:port (port 0: any) or on an inherited listening socket (listen_fd >= 0, taken).
 */
SR_CHECK sr_status http_serve(const struct http_opts *opts, const char *host, uint16_t port,
                              int listen_fd, struct http_server **ret, struct sr_err *err);
uint16_t http_server_port(const struct http_server *s);
void http_server_close(struct http_server *s); /* stops listening, ends connections; accepts NULL */

/* Every server also answers GET /health, /openapi.json (its route table) and /metrics for
 * Prometheus, unless a route of its own does; its own /metrics gives way only to those who ask for
 * text. */

#define HTTP_RATE_MAX 1000000u
/* Of one client address, for all servers of the process. Refused: 429 with Retry-After. */
struct http_limits {
    uint32_t per_second;       /* 0: no limit */
    uint32_t burst;            /* at once; 0: twice per_second */
    const char *client_header; /* static; of a proxy in front that writes the client's address into
                                  it (the last one counts); NULL: the other end is the client */
};
SR_CHECK sr_status http_set_limits(const struct http_limits *l, struct sr_err *err);
/* A line for each request: its route, status, time, client; never a path, query or header. */
void http_log_requests(bool on);

struct slice http_method(const struct http_req *rq);
struct slice http_path(const struct http_req *rq); /* as sent, without the query */
struct slice http_param(const struct http_req *rq,
                        const char *name); /* a {name} of the pattern, decoded; "*": the rest */
struct slice http_query_raw(const struct http_req *rq); /* the whole query as sent, without '?' */
bool http_query(const struct http_req *rq, const char *name,
                struct slice *ret_v); /* first one, decoded */
/* The n-th value of a repeated query name; false when there are fewer. */
bool http_query_nth(const struct http_req *rq, const char *name, size_t n, struct slice *ret_v);
bool http_header(const struct http_req *rq, const char *name,
                 struct slice *ret_v); /* name in any case */
/* The whole body (chunked or not) within the route's max_body; waits. Borrowed until the answer.
 * SR_E_TIMEOUT when it dribbles in: what is kept of it takes room from everybody else's. */
SR_CHECK sr_status http_body(struct http_req *rq, struct slice *ret_body, struct sr_err *err);
/* Streams the body: 1..n bytes, *ret_n 0 at its end; waits. */
SR_CHECK sr_status http_body_read(struct http_req *rq, void *p, size_t n, size_t *ret_n,
                                  struct sr_err *err);
bool http_body_length(const struct http_req *rq, uint64_t *ret_n); /* Content-Length, when given */
/* Adds a header to the answer; before http_reply*. */
void http_set_header(struct http_req *rq, const char *name, const char *value);
SR_CHECK sr_status http_reply(struct http_req *rq, int status, const char *type, struct slice body,
                              struct sr_err *err);
SR_CHECK sr_status http_reply_json(struct http_req *rq, int status, struct buf *json,
                                   struct sr_err *err);
/* Streams an answer: length known (Content-Length) or UINT64_MAX (chunked). http_send waits for
 * room (back-pressure). */
SR_CHECK sr_status http_reply_start(struct http_req *rq, int status, const char *type,
                                    uint64_t length, struct sr_err *err);
SR_CHECK sr_status http_send(struct http_req *rq, struct slice data, struct sr_err *err);
SR_CHECK sr_status http_reply_end(struct http_req *rq, struct sr_err *err);
bool http_client_gone(const struct http_req *rq);

/* ---- HTTP client
 * ------------------------------------------------------------------------------------------------
 */

struct http_call {
    const char *method;         /* NULL: GET */
    const char *url;            /* http://, https:// or unix:/path/of/socket:/request-path */
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    struct slice body;
    /* Streams the request body instead of .body: fills p with 1..n bytes, *ret_n 0 at the end.
     * body_length UINT64_MAX: chunked. */
    sr_status (*body_read)(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err);
    /* Instead of body_read, without copies: the next piece, borrowed until the next call; empty at
     * the end. */
    sr_status (*body_next)(void *arg, struct slice *ret_piece, struct sr_err *err);
    uint64_t body_length;
    /* Streams the answer's body of a 2xx instead of .body of the answer. */
    sr_status (*on_data)(void *arg, struct slice data, struct sr_err *err);
    /* Optional, with on_data: where the next piece is to be put, *ret_n bytes of room (>= 1);
     * spares its copy. It stays the callee's. */
    uint8_t *(*on_room)(void *arg, size_t *ret_n);
    void *arg;
    size_t max_body;     /* of the kept answer; 0: 1 MiB */
    uint64_t timeout_ms; /* between two bytes; 0: 30 s */
    uint64_t total_ms;   /* the whole call; 0: no bound */
    unsigned max_redirects;
    bool public_only; /* for URLs of strangers: no host of this machine or its network, nor by a
                         redirect */
};
struct http_answer {
    int status;
    struct buf head; /* raw header lines */
    struct buf body;
};
/* Waits. SR_OK for any HTTP answer (look at status); SR_E_UNAVAILABLE when it can't connect, with a
 * hint naming the URL's origin; SR_E_TIMEOUT; SR_E_TOOBIG; SR_E_MALFORMED. Keeps connections alive
 * and reuses them; retries once when a kept one turned out closed before any byte of an answer
 * (only for bodies that are not streamed). ret is owned: http_answer_done. */
SR_CHECK sr_status http_fetch(const struct http_call *call, struct http_answer *ret,
                              struct sr_err *err);
void http_answer_done(struct http_answer *a);
static inline void cleanup_answer_(struct http_answer *a) {
    http_answer_done(a);
}
#define cleanup_answer __attribute__((cleanup(cleanup_answer_)))
bool http_answer_header(const struct http_answer *a, const char *name, struct slice *ret_v);
/* GET/POST JSON in one call: parses a 2xx answer; otherwise fails with the status's nearest code
 * and the answer's "error". */
SR_CHECK sr_status http_json(const char *method, const char *url, struct slice json_body,
                             struct json **ret_doc, struct sr_err *err);

/* ---- websockets
 * ---------------------------------------------------------------------------------------------------
 */

#define WS_PING_MS 20000
#define WS_DEAD_MS 60000 /* nothing heard for so long: closed */

struct ws; /* owned: ws_close */
SR_CHECK sr_status ws_connect(const char *url, size_t max_message, struct ws **ret,
                              struct sr_err *err);
/* In a handler: takes the connection over; the handler's fiber then owns the websocket and returns
 * when it has closed it. */
bool ws_is_upgrade(const struct http_req *rq);
SR_CHECK sr_status ws_accept(struct http_req *rq, size_t max_message, struct ws **ret,
                             struct sr_err *err);
/* Waits for one message (text or binary) into b (cleared first). timeout_ms 0: for ever.
 * SR_E_CANCELLED when it has ended. */
SR_CHECK sr_status ws_recv(struct ws *w, uint64_t timeout_ms, struct buf *b, struct sr_err *err);
SR_CHECK sr_status ws_send(struct ws *w, struct slice text, struct sr_err *err); /* text frame */
void ws_shutdown(struct ws *w); /* wakes its reader with SR_E_CANCELLED; for another fiber's use */
void ws_close(struct ws *w);    /* accepts NULL */
