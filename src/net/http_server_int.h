/* SPDX-License-Identifier: Apache-2.0 */
/* http_server_int.h - a server's connection and request, shared with the websocket upgrade */
#pragma once
#include "net/http_wire.h"

#define HTTP_PARAMS_MAX 8

struct http_server;

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
