/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_wire.h - HTTP/1.1 as bytes: heads, bodies, URLs; no sockets in the parsers
 *
 * One reading of every message or none: what two programs could understand differently (bare LF,
 * folded lines, two lengths, a length beside chunks, spaces before a colon) is refused.
 * Limits: NET_HEAD_MAX, HTTP_HEADERS_MAX, HTTP_TRAILER_MAX.
 */
#pragma once
#include "net/net_int.h"

#define HTTP_HEADERS_MAX 100
#define HTTP_METHOD_MAX  20
#define HTTP_TRAILER_MAX 8192 /* chunk extensions and trailer lines of one body, all discarded */
#define HTTP_URL_MAX     8192

struct http_field {
    struct slice name, value;
};
/* A parsed head; slices point into the bytes that were parsed. */
struct http_head {
    struct slice method, path, query; /* request */
    int status;                       /* response */
    int minor;                        /* HTTP/1.minor */
    size_t n_fields;
    struct http_field fields[HTTP_HEADERS_MAX];
    bool has_length, chunked, close, keep_alive, expect_continue, upgrade;
    uint64_t length;
};

/* Looks for the empty line. *scan keeps the place between calls (start from 0). 1: found, *ret_n
 * bytes of head with it; 0: more is needed; -1: a bare LF, NUL or leading empty line. */
int http_head_end(struct slice in, size_t *scan, size_t *ret_n);
/* Parses a whole head. On failure *ret_status is what a server should answer (400, 501, 505...). */
SR_CHECK sr_status http_parse_request(struct slice head, struct http_head *ret, int *ret_status,
                                      struct sr_err *err);
SR_CHECK sr_status http_parse_response(struct slice head, struct http_head *ret,
                                       struct sr_err *err);
bool http_find(const struct http_head *h, const char *name, struct slice *ret_v);
/* Is word one of the comma-separated words of the value, in any case? */
bool http_has_word(struct slice value, const char *word);
bool http_is_token(struct slice s);
bool http_is_value(struct slice s); /* no CR, LF or other controls */

/* Chunked decoding. */
struct chunked {
    int state;
    unsigned digits;
    uint64_t left;
    size_t extra;
    bool line_empty;
    bool done;
};
/* Consumes up to in.n bytes: *ret_used of them, of which *ret_data (maybe empty) is body. Stops
 * after one piece of data or when done. */
SR_CHECK sr_status chunked_next(struct chunked *c, struct slice in, size_t *ret_used,
                                struct slice *ret_data, struct sr_err *err);

/* Percent-decoding into dst (at least s.n bytes); a bad sequence stays as it is. Returns the
 * length. */
size_t url_decode(struct slice s, bool plus_is_space, uint8_t *dst);

struct url {
    bool tls, is_unix;
    char host[256]; /* or the socket's path */
    uint16_t port;
    struct slice target; /* begins with / or is empty or begins with ?; points into the text */
    struct slice origin; /* scheme://authority, or unix:path */
};
SR_CHECK sr_status url_parse(const char *text, struct url *ret, struct sr_err *err);

/* ---- a connection with read-ahead, at both ends ---- */

struct http_in {
    struct stream *s;
    uint8_t *p;
    size_t off, n, cap; /* bytes off..n are unread */
};
void http_in_done(struct http_in *in);
/* Reads more behind what is there; *ret_n 0: ended. */
SR_CHECK sr_status http_in_fill(struct http_in *in, int64_t deadline_us, size_t *ret_n,
                                struct sr_err *err);
static inline struct slice http_in_rest(const struct http_in *in) {
    return in->p ? slice_of(in->p + in->off, in->n - in->off) : slice_of(NULL, 0);
}
/* Waits for a whole head: *ret_head points into the buffer until the next fill. *ret_any tells if
 * any byte of it had come. SR_E_TOOBIG beyond NET_HEAD_MAX. */
SR_CHECK sr_status http_in_head(struct http_in *in, int64_t deadline_us, struct slice *ret_head,
                                bool *ret_any, struct sr_err *err);

typedef enum { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_END } body_kind;
struct http_body {
    body_kind kind;
    uint64_t left;
    struct chunked ch;
    bool ended;
};
/* 1..n bytes, 0 at the end; an end before its time is SR_E_UNAVAILABLE. */
SR_CHECK sr_status http_body_in(struct http_body *b, struct http_in *in, void *p, size_t n,
                                int64_t deadline_us, size_t *ret_n, struct sr_err *err);
