/* SPDX-License-Identifier: Apache-2.0 */
/* sio.c - packets of Socket.IO 5 over Engine.IO 4  SPEC: services.md#210-socket */
#include "market/sio.h"

#define SEPARATOR 0x1e

bool eio_next(struct slice *rest, struct slice *ret_packet) {
    if (rest->n == 0) return false;
    const uint8_t *end = memchr(rest->p, SEPARATOR, rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    *ret_packet = slice_of(rest->p, n);
    *rest = end ? slice_of(end + 1, rest->n - n - 1) : slice_of(NULL, 0);
    return true;
}

/* "/name," at the start, or up to the end. */
static sr_status take_namespace(struct slice *s, struct slice *ret, struct sr_err *err) {
    *ret = SLICE_LIT("/");
    if (s->n == 0 || s->p[0] != '/') return SR_OK;
    size_t n = 0;
    while (n < s->n && s->p[n] != ',') {
        if (s->p[n] <= ' ' || s->p[n] >= 0x7f || n == SIO_NAMESPACE_MAX)
            return sr_fail(err, SR_E_MALFORMED, "a namespace of other characters, or a long one");
        n++;
    }
    *ret = slice_of(s->p, n);
    n += n < s->n; /* the comma */
    *s = slice_of(s->p + n, s->n - n);
    return SR_OK;
}

static sr_status take_number(struct slice *s, bool *ret_has, uint64_t *ret, struct sr_err *err) {
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') n++;
    *ret_has = n > 0;
    if (n && !num_u64(slice_of(s->p, n), (1ull << 53) - 1, ret))
        return sr_fail(err, SR_E_MALFORMED, "a packet's number is none");
    *s = slice_of(s->p + n, s->n - n);
    return SR_OK;
}

static bool has_right_json(const struct sio_packet *p) {
    const struct json_val *v = p->doc ? json_root(p->doc) : NULL;
    switch (p->type) {
    case SIO_CONNECT: return !p->has_id && (!v || json_is(v, JSON_OBJECT));
    case SIO_DISCONNECT: return !p->has_id && !v;
    case SIO_EVENT: return json_is(v, JSON_ARRAY) && json_is(json_at(v, 0), JSON_STRING);
    case SIO_ACK: return p->has_id && json_is(v, JSON_ARRAY);
    case SIO_CONNECT_ERROR: return json_is(v, JSON_OBJECT) || json_is(v, JSON_STRING);
    }
    return false;
}

sr_status sio_read(struct slice text, struct sio_packet *ret, struct sr_err *err) {
    struct sio_packet p = {0};
    if (text.n == 0 || text.n > SIO_PACKET_MAX || text.p[0] < '0' ||
        text.p[0] > '0' + SIO_CONNECT_ERROR)
        return sr_fail(err, SR_E_MALFORMED, "not a packet of Socket.IO, or a binary one");
    p.type = (sio_type)(text.p[0] - '0');
    text = slice_of(text.p + 1, text.n - 1);
    SR_TRY(take_namespace(&text, &p.nsp, err));
    SR_TRY(take_number(&text, &p.has_id, &p.id, err));
    if (text.n) SR_TRY(json_parse(text, &p.doc, err));
    if (!has_right_json(&p)) {
        sio_done(&p);
        return sr_fail(err, SR_E_MALFORMED, "a packet of Socket.IO with another content");
    }
    if (p.type == SIO_EVENT) p.event = json_text(json_at(json_root(p.doc), 0));
    *ret = p;
    return SR_OK;
}

void sio_done(struct sio_packet *p) {
    json_free(p->doc);
    p->doc = NULL;
}
