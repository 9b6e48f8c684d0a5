/* SPDX-License-Identifier: Apache-2.0 */
/* http_reply.c - answers: heads, bodies whole or streamed, failures as JSON */
#include "net/http_server_int.h"
#include <stdlib.h>
#include <time.h>

#define REPLY_HEAD_MAX (REPLY_ROOM + 4096)

static const char *reason_of(int status) {
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
    }
}

void http_set_header(struct http_req *rq, const char *name, const char *value) {
    /* A value from outside with a line break in it would be a second header. */
    if (!http_is_token(slice_str(name)) || !http_is_value(slice_str(value))) return;
    buf_str(&rq->extra, name);
    buf_str(&rq->extra, ": ");
    buf_str(&rq->extra, value);
    buf_str(&rq->extra, "\r\n");
}

/* "Date: ...\r\n", made once a second. */
static const char *date_line(void) {
    static char line[64];
    static time_t made;
    time_t now = (time_t)(clock_unix_ms() / 1000);
    if (now != made) {
        static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        struct tm t;
        (void)gmtime_r(&now, &t);
        (void)snprintf(line, sizeof line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                       days[t.tm_wday % 7], t.tm_mday, months[t.tm_mon % 12], t.tm_year + 1900,
                       t.tm_hour, t.tm_min, t.tm_sec);
        made = now;
    }
    return line;
}

static bool has_no_body(int status) {
    return status < 200 || status == 204 || status == 304;
}

bool req_keeps_(const struct http_req *rq) {
    const struct http_head *h = &rq->head;
    if (rq->close || rq->broken || h->close || rq->conn->server->closed || net_stopping())
        return false;
    if (h->minor == 0) return h->keep_alive;
    return true;
}

static void cors_headers(struct http_req *rq, struct buf *b) {
    if (!rq->conn->server->opts.cors) return;
    struct slice origin;
    if (!rq->conn->server->opts.cors_echo || !http_header(rq, "Origin", &origin) || origin.n == 0 ||
        origin.n > 300) {
        buf_str(b, "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: *\r\n");
        return;
    }
    buf_printf(b, "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\n", (int)origin.n,
               (const char *)origin.p);
    buf_str(b, "Access-Control-Expose-Headers: *\r\n");
}

static sr_status answer_head(struct http_req *rq, int status, const char *type, uint64_t length,
                             struct buf *b, struct sr_err *err) {
    if (rq->reply != REPLY_NONE) return sr_fail(err, SR_E_CONFLICT, "answered twice");
    rq->status = status;
    /* An unread body of unknown fate: a client that waits for 100 may send it or not. */
    if (!rq->body_in.ended && rq->head.expect_continue && !rq->continued) rq->close = true;
    bool chunks = length == UINT64_MAX && !has_no_body(status);
    if (chunks && rq->head.minor == 0) {
        chunks = false;
        rq->close = true; /* the end of the connection is the end of the body */
    }
    buf_printf(b, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
    buf_str(b, date_line());
    if (type && !has_no_body(status)) buf_printf(b, "Content-Type: %s\r\n", type);
    if (chunks)
        buf_str(b, "Transfer-Encoding: chunked\r\n");
    else if (length != UINT64_MAX && !has_no_body(status))
        buf_printf(b, "Content-Length: %llu\r\n", (unsigned long long)length);
    cors_headers(rq, b);
    buf_add(b, buf_slice(&rq->extra));
    if (!req_keeps_(rq))
        buf_str(b, "Connection: close\r\n");
    else if (rq->head.minor == 0)
        buf_str(b, "Connection: keep-alive\r\n");
    buf_str(b, "\r\n");
    if (rq->extra.bad != SR_OK) return buf_status(&rq->extra, err);
    rq->reply = REPLY_STARTED;
    rq->chunks = chunks;
    rq->left = has_no_body(status) ? 0 : length;
    return buf_status(b, err);
}

static sr_status sent(struct http_req *rq, sr_status st) {
    if (st != SR_OK) rq->broken = true;
    return st;
}

sr_status http_reply(struct http_req *rq, int status, const char *type, struct slice body,
                     struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, REPLY_HEAD_MAX);
    SR_TRY(answer_head(rq, status, type, body.n, &b, err));
    rq->reply = REPLY_DONE;
    if (rq->head_only || has_no_body(status)) body.n = 0;
    return sent(rq, stream_write2_(&rq->conn->stream, buf_slice(&b), body, err));
}

sr_status http_reply_json(struct http_req *rq, int status, struct buf *json, struct sr_err *err) {
    SR_TRY(buf_status(json, err));
    return http_reply(rq, status, "application/json; charset=utf-8", buf_slice(json), err);
}

sr_status http_reply_start(struct http_req *rq, int status, const char *type, uint64_t length,
                           struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, REPLY_HEAD_MAX);
    SR_TRY(answer_head(rq, status, type, length, &b, err));
    return sent(rq, stream_write(&rq->conn->stream, buf_slice(&b), err));
}

sr_status http_send(struct http_req *rq, struct slice data, struct sr_err *err) {
    if (rq->reply != REPLY_STARTED)
        return sr_fail(err, SR_E_CONFLICT, "data outside of a started answer");
    if (rq->broken) return sr_fail(err, SR_E_UNAVAILABLE, "the client has gone");
    if (data.n == 0 || rq->head_only || has_no_body(rq->status)) return SR_OK;
    struct stream *s = &rq->conn->stream;
    if (!rq->chunks) {
        if (rq->left != UINT64_MAX) {
            if (data.n > rq->left)
                return sr_fail(err, SR_E_RANGE, "more data than the answer's length");
            rq->left -= data.n;
        }
        return sent(rq, stream_write(s, data, err));
    }
    char size[20];
    int n = snprintf(size, sizeof size, "%zx\r\n", data.n);
    SR_TRY(sent(rq, fmutex_lock(&s->writing, err)));
    sr_status st = SR_OK;
    if (data.n <= 16384) { /* one packet for a small piece */
        uint8_t whole[16384 + 24];
        memcpy(whole, size, (size_t)n);
        memcpy(whole + n, data.p, data.n);
        memcpy(whole + (size_t)n + data.n, "\r\n", 2);
        st = stream_write_locked_(s, slice_of(whole, (size_t)n + data.n + 2), err);
    } else {
        st = stream_write_locked_(s, slice_of(size, (size_t)n), err);
        if (st == SR_OK) st = stream_write_locked_(s, data, err);
        if (st == SR_OK) st = stream_write_locked_(s, SLICE_LIT("\r\n"), err);
    }
    fmutex_unlock(&s->writing);
    return sent(rq, st);
}

sr_status http_reply_end(struct http_req *rq, struct sr_err *err) {
    if (rq->reply != REPLY_STARTED) return sr_fail(err, SR_E_CONFLICT, "no started answer");
    rq->reply = REPLY_DONE;
    if (rq->broken) return sr_fail(err, SR_E_UNAVAILABLE, "the client has gone");
    if (rq->head_only || has_no_body(rq->status)) return SR_OK;
    if (rq->chunks) return sent(rq, stream_write(&rq->conn->stream, SLICE_LIT("0\r\n\r\n"), err));
    if (rq->left != 0 && rq->left != UINT64_MAX) {
        rq->broken = true;
        return sr_fail(err, SR_E_RANGE, "less data than the answer's length");
    }
    return SR_OK;
}

void reply_error_(struct http_req *rq, int status, const struct sr_err *e) {
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kcstr(&w, "error", e->what[0] ? e->what : sr_status_text(e->code));
    jw_kcstr(&w, "code", sr_status_name(e->code));
    if (e->hint[0]) jw_kcstr(&w, "hint", e->hint);
    jw_end_obj(&w);
    if (http_reply_json(rq, status, &b, NULL) != SR_OK) rq->broken = true;
}

void reply_failed_(struct http_req *rq, const struct sr_err *e) {
    if (rq->reply != REPLY_NONE || rq->taken) {
        rq->broken = true; /* the half answer shows itself by the cut connection */
        return;
    }
    if (e->code == SR_E_CANCELLED || (rq->broken && e->code == SR_E_UNAVAILABLE)) {
        rq->broken = true;
        if (!net_stopping()) return;
    }
    struct sr_err stopping = *e; /* what ended it is our own end: a later try will do */
    if (e->code == SR_E_CANCELLED) stopping.code = SR_E_UNAVAILABLE;
    e = &stopping;
    const struct http_opts *o = &rq->conn->server->opts;
    if (o->on_error) {
        o->on_error(rq, e);
        if (rq->reply == REPLY_NONE) rq->broken = true;
    } else {
        reply_error_(rq, sr_status_http(e->code), e);
    }
}

void reply_status_(struct http_req *rq, int status, sr_status code, const char *what) {
    struct sr_err e = {.code = code};
    (void)snprintf(e.what, sizeof e.what, "%s", what);
    reply_error_(rq, status, &e);
}

void reply_options_(struct http_req *rq, const struct buf *allow) {
    struct slice asked;
    http_set_header(rq, "Access-Control-Allow-Methods", buf_cstr(allow));
    const char *set = rq->conn->server->opts.cors_headers;
    char *echo = NULL;
    if (!set && http_header(rq, "Access-Control-Request-Headers", &asked) && asked.n < 1024)
        echo = slice_dup(asked); /* "*" would not cover Authorization */
    http_set_header(rq, "Access-Control-Allow-Headers", set ? set : echo ? echo : "*");
    http_set_header(rq, "Access-Control-Max-Age", "600");
    free(echo);
    if (http_reply(rq, 204, NULL, slice_of(NULL, 0), NULL) != SR_OK) rq->broken = true;
}
