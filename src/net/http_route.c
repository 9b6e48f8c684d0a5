/* SPDX-License-Identifier: Apache-2.0 */
/* http_route.c - which route a request means, and what a handler can ask about the request */
#include "net/http_server_int.h"

/* Decoded copy that lives as long as the request; the text as it is when memory is out. */
static struct slice decoded(struct http_req *rq, struct slice s, bool plus) {
    if (!memchr(s.p, '%', s.n) && !(plus && memchr(s.p, '+', s.n))) return s;
    uint8_t *p = req_alloc_(rq, s.n);
    return p ? slice_of(p, url_decode(s, plus, p)) : s;
}

static bool match_pattern(struct http_req *rq, const char *pattern) {
    struct slice pat = slice_str(pattern), path = rq->head.path;
    rq->n_params = 0;
    if (pat.n == 0 || pat.p[0] != '/' || path.p[0] != '/') return slice_eq(pat, path);
    pat = slice_of(pat.p + 1, pat.n - 1);
    path = slice_of(path.p + 1, path.n - 1);
    for (;;) {
        if (slice_is(pat, "*")) {
            if (rq->n_params == HTTP_PARAMS_MAX) return false;
            rq->params[rq->n_params++] = (struct http_field){SLICE_LIT("*"), path};
            return true;
        }
        struct slice want, have;
        bool more_pat = slice_cut(pat, '/', &want, &pat);
        bool more_path = slice_cut(path, '/', &have, &path);
        if (want.n > 2 && want.p[0] == '{' && want.p[want.n - 1] == '}') {
            if (have.n == 0 || rq->n_params == HTTP_PARAMS_MAX) return false;
            rq->params[rq->n_params++] =
                (struct http_field){slice_of(want.p + 1, want.n - 2), have};
        } else if (!slice_eq(want, have)) {
            return false;
        }
        if (!more_pat) return !more_path || path.n == 0; /* one slash at the end is the same */
        if (!more_path) {
            /* "/a/" + "*" wants at least the slash; "/a" does not match "/a/..." */
            return false;
        }
    }
}

static bool method_fits(const struct http_req *rq, const char *method) {
    return slice_is(rq->head.method, method) || (rq->head_only && strcmp(method, "GET") == 0);
}

const struct http_route *route_find_(struct http_req *rq, struct buf *allow) {
    const struct http_opts *o = &rq->conn->server->opts;
    const struct http_route *fit = NULL;
    for (size_t i = 0; i < o->n_routes; i++) {
        const struct http_route *r = &o->routes[i];
        bool exact = slice_is(rq->head.method, r->method);
        if (fit && !exact) continue; /* only a HEAD route of its own is better than a GET */
        if (!match_pattern(rq, r->pattern)) continue;
        if (exact) return r;
        if (method_fits(rq, r->method)) {
            fit = r;
        } else {
            if (allow->n) buf_str(allow, ", ");
            buf_str(allow, r->method);
        }
    }
    if (fit) (void)match_pattern(rq, fit->pattern);
    return fit;
}

struct slice http_method(const struct http_req *rq) {
    return rq->head.method;
}
struct slice http_path(const struct http_req *rq) {
    return rq->head.path;
}
struct slice http_query_raw(const struct http_req *rq) {
    return rq->head.query;
}

struct slice http_param(const struct http_req *rq, const char *name) {
    for (size_t i = 0; i < rq->n_params; i++)
        if (slice_is(rq->params[i].name, name))
            return decoded((struct http_req *)(uintptr_t)rq, rq->params[i].value, false);
    return (struct slice){NULL, 0};
}

bool http_query_nth(const struct http_req *rq, const char *name, size_t n, struct slice *ret_v) {
    struct http_req *own = (struct http_req *)(uintptr_t)rq; /* decoding allocates in it */
    struct slice rest = rq->head.query, part, key, value;
    bool more = rest.n > 0;
    while (more) {
        more = slice_cut(rest, '&', &part, &rest);
        if (!slice_cut(part, '=', &key, &value)) value = slice_of(part.p + part.n, 0);
        if (!slice_is(decoded(own, key, true), name)) continue;
        if (n-- > 0) continue;
        *ret_v = decoded(own, value, true);
        return true;
    }
    return false;
}

bool http_query(const struct http_req *rq, const char *name, struct slice *ret_v) {
    return http_query_nth(rq, name, 0, ret_v);
}
bool http_header(const struct http_req *rq, const char *name, struct slice *ret_v) {
    return http_find(&rq->head, name, ret_v);
}
bool http_body_length(const struct http_req *rq, uint64_t *ret_n) {
    if (!rq->head.has_length) return false;
    *ret_n = rq->head.length;
    return true;
}
bool http_client_gone(const struct http_req *rq) {
    const struct stream *s = &rq->conn->stream;
    return s->shut || (s->io.seen & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
}
