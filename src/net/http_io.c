/* SPDX-License-Identifier: Apache-2.0 */
/* http_io.c - heads and bodies from a stream, with read-ahead; both ends use it */
#include "net/http_wire.h"
#include <stdlib.h>

#define IN_FIRST 4096u
#define IN_MAX   (NET_HEAD_MAX + 4096u)

void http_in_done(struct http_in *in) {
    free(in->p);
    in->p = NULL;
    in->off = in->n = in->cap = 0;
}

sr_status http_in_fill(struct http_in *in, int64_t deadline_us, size_t *ret_n, struct sr_err *err) {
    if (in->off > 0 && in->off == in->n) in->off = in->n = 0;
    if (in->n == in->cap) {
        if (in->off > 0) {
            memmove(in->p, in->p + in->off, in->n - in->off);
            in->n -= in->off;
            in->off = 0;
        } else {
            size_t cap = in->cap ? in->cap * 2 : IN_FIRST;
            if (cap > IN_MAX) cap = IN_MAX;
            if (cap == in->cap) return sr_fail(err, SR_E_TOOBIG, "HTTP: the head is too long");
            uint8_t *p = realloc(in->p, cap);
            if (!p) return sr_fail(err, SR_E_NOMEM, "HTTP: no memory");
            in->p = p;
            in->cap = cap;
        }
    }
    size_t n = 0;
    SR_TRY(stream_read_until_(in->s, in->p + in->n, in->cap - in->n, deadline_us, &n, err));
    in->n += n;
    *ret_n = n;
    return SR_OK;
}

sr_status http_in_head(struct http_in *in, int64_t deadline_us, struct slice *ret_head,
                       bool *ret_any, struct sr_err *err) {
    size_t scan = 0;
    for (;;) {
        struct slice rest = http_in_rest(in);
        *ret_any = rest.n > 0;
        size_t n = 0;
        int found = rest.n ? http_head_end(rest, &scan, &n) : 0;
        if (found < 0) return sr_fail(err, SR_E_MALFORMED, "HTTP: not a head");
        if (found > 0 ? n > NET_HEAD_MAX : rest.n >= NET_HEAD_MAX)
            return sr_fail(err, SR_E_TOOBIG, "HTTP: the head is longer than %u bytes",
                           NET_HEAD_MAX);
        if (found) {
            *ret_head = slice_of(rest.p, n);
            in->off += n;
            return SR_OK;
        }
        size_t got = 0;
        SR_TRY(http_in_fill(in, deadline_us, &got, err));
        if (got == 0)
            return sr_fail(err, SR_E_UNAVAILABLE, "the connection ended before the head was whole");
    }
}

/* Up to n bytes: read-ahead first, then straight into p. */
static sr_status take(struct http_in *in, void *p, size_t n, int64_t deadline_us, size_t *ret_n,
                      struct sr_err *err) {
    struct slice rest = http_in_rest(in);
    if (rest.n == 0) return stream_read_until_(in->s, p, n, deadline_us, ret_n, err);
    size_t k = rest.n < n ? rest.n : n;
    memcpy(p, rest.p, k);
    in->off += k;
    *ret_n = k;
    return SR_OK;
}

static sr_status cut_short(struct sr_err *err) {
    return sr_fail(err, SR_E_UNAVAILABLE, "the connection ended before the body was whole");
}

static sr_status chunked_in(struct http_body *b, struct http_in *in, void *p, size_t n,
                            int64_t deadline_us, size_t *ret_n, struct sr_err *err) {
    for (;;) {
        struct slice rest = http_in_rest(in), data;
        if (rest.n == 0) {
            size_t got = 0;
            SR_TRY(http_in_fill(in, deadline_us, &got, err));
            if (got == 0) return cut_short(err);
            rest = http_in_rest(in);
        }
        /* As much data as fits p; framing bytes are few, so a cut of the input does no harm. */
        if (rest.n > n) rest.n = n;
        size_t used = 0;
        SR_TRY(chunked_next(&b->ch, rest, &used, &data, err));
        if (data.n) memcpy(p, data.p, data.n);
        in->off += used;
        if (b->ch.done) b->ended = true;
        if (data.n || b->ended) {
            *ret_n = data.n;
            return SR_OK;
        }
    }
}

sr_status http_body_in(struct http_body *b, struct http_in *in, void *p, size_t n,
                       int64_t deadline_us, size_t *ret_n, struct sr_err *err) {
    size_t got = 0;
    if (n == 0) return sr_fail(err, SR_E_RANGE, "a read into nothing");
    if (b->ended || b->kind == BODY_NONE || (b->kind == BODY_LENGTH && b->left == 0)) {
        b->ended = true;
        *ret_n = 0;
        return SR_OK;
    }
    switch (b->kind) {
    case BODY_CHUNKED: return chunked_in(b, in, p, n, deadline_us, ret_n, err);
    case BODY_LENGTH:
        SR_TRY(take(in, p, n < b->left ? n : (size_t)b->left, deadline_us, &got, err));
        if (got == 0) return cut_short(err);
        b->left -= got;
        if (b->left == 0) b->ended = true;
        break;
    default:
        SR_TRY(take(in, p, n, deadline_us, &got, err));
        if (got == 0) b->ended = true;
        break;
    }
    *ret_n = got;
    return SR_OK;
}
