/* SPDX-License-Identifier: Apache-2.0 */
/* http_server_int.h - what the server's files share: server, connection, request; also the
 * websocket upgrade's */
#pragma once
#include "net/http_wire.h"

#define HTTP_PARAMS_MAX 8
#define REPLY_ROOM      (16u << 10) /* extra headers of one answer */

struct conn;

struct http_server {
    struct io listener;
    struct http_opts opts;
    uint16_t port;
    bool closed;
    bool paused;       /* no room for a connection: one that ends wakes the accepting fiber */
    size_t refs;       /* the owner, the accepting fiber, each connection */
    struct fcond gone; /* a connection or the accepting fiber has ended */
    struct conn *conns;
    struct conn *idle_first, *idle_last; /* longest idle first */
    struct http_server *next;
    struct http_stats *stats;     /* http_common.h */
    const struct http_docs *docs; /* http_doc.h; NULL: none */
};

struct conn {
    struct stream stream; /* embedded: an idle connection is this struct and nothing else */
    struct http_in in;
    struct http_server *server;
    struct conn *prev, *next;
    bool idle; /* has no fiber; in the idle list */
    int64_t idle_since_us;
    struct conn *idle_prev, *idle_next;
};

struct req_mem {
    struct req_mem *next;
};
struct kept_body {
    uint8_t *p;
    size_t n, cap;
};

struct http_req {
    struct conn *conn;
    struct http_head head;
    const struct http_route *route;
    struct http_field params[HTTP_PARAMS_MAX];
    size_t n_params;
    struct req_mem *mem;
    struct kept_body body;
    struct http_body body_in;
    struct buf extra; /* headers set by the handler */
    enum { REPLY_NONE, REPLY_STARTED, REPLY_DONE } reply;
    int status;
    bool chunks;    /* the answer is chunked */
    uint64_t left;  /* of the answer's length; UINT64_MAX: unknown */
    bool head_only; /* HEAD */
    bool close;     /* after this answer */
    bool broken;    /* the connection is of no more use */
    bool continued; /* 100 was sent */
    bool taken;     /* a websocket now */
};

/* ---- http_request.c: one request from its head to the next one ---- */

/* Serves a request whose head is whole; then req_done_. True: the connection serves another one. */
bool request_serve_(struct conn *c, struct http_req *rq, struct slice head);
/* Answers a head that is no head, and ends the request. */
void request_refuse_(struct conn *c, struct http_req *rq, const struct sr_err *e);
void req_done_(struct http_req *rq);
/* Memory that lives as long as the request; NULL: none left. */
void *req_alloc_(struct http_req *rq, size_t n);

/* ---- http_route.c ---- */

/* The route, or NULL with the methods that the path has. */
const struct http_route *route_find_(struct http_req *rq, struct buf *allow);

/* ---- http_reply.c ---- */

/* Will the connection serve another request after this answer? */
bool req_keeps_(const struct http_req *rq);
void reply_error_(struct http_req *rq, int status, const struct sr_err *e);
void reply_status_(struct http_req *rq, int status, sr_status code, const char *what);
/* A failed handler's answer. */
void reply_failed_(struct http_req *rq, const struct sr_err *e);
/* The answer to OPTIONS of a path with these methods. */
void reply_options_(struct http_req *rq, const struct buf *allow);
