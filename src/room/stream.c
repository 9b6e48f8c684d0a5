/* SPDX-License-Identifier: Apache-2.0 */
#include "room/stage.h"
#include <sys/socket.h>
#include <unistd.h>

static sr_status send_all(struct room *r, const void *p, size_t n, int more, struct sr_err *err) {
    const uint8_t *at = p;
    while (n > 0) {
        ssize_t sent = send(r->fd, at, n, MSG_NOSIGNAL | more);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) {
            r->gone = true;
            return sr_fail(err, SR_E_CANCELLED, "the worker has gone");
        }
        at += sent;
        n -= (size_t)sent;
    }
    return SR_OK;
}

sr_status room_send(struct room *r, unsigned type, struct slice body, struct sr_err *err) {
    uint8_t head[DOOR_HEAD];
    if (body.n > DOOR_BODY_MAX) return sr_fail(err, SR_E_TOOBIG, "a message of %zu bytes", body.n);
    door_head_write(head, type, body.n);
    SR_TRY(send_all(r, head, sizeof head, body.n ? MSG_MORE : 0, err));
    return send_all(r, body.p, body.n, 0, err);
}

static sr_status recv_all(struct room *r, void *p, size_t n, struct sr_err *err) {
    uint8_t *at = p;
    while (n > 0) {
        ssize_t got = recv(r->fd, at, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            r->gone = true;
            return sr_fail(err, SR_E_CANCELLED, "the worker has gone");
        }
        at += got;
        n -= (size_t)got;
    }
    return SR_OK;
}

sr_status room_recv(struct room *r, unsigned *ret_type, struct sr_err *err) {
    uint8_t head[DOOR_HEAD];
    unsigned type;
    size_t n;
    SR_TRY(recv_all(r, head, sizeof head, err));
    if (!door_head_read(head, &type, &n))
        return sr_fail(err, SR_E_MALFORMED, "the worker sent something that is no frame");
    buf_clear(&r->frame);
    if (n > 0) {
        uint8_t *p = buf_grow(&r->frame, n);
        if (!p) return buf_status(&r->frame, err);
        SR_TRY(recv_all(r, p, n, err));
    }
    *ret_type = type;
    return SR_OK;
}

sr_status room_expect(struct room *r, unsigned type, struct sr_err *err) {
    unsigned got = 0;
    SR_TRY(room_recv(r, &got, err));
    if (got != type)
        return sr_fail(err, SR_E_MALFORMED, "the worker sent message %u where %u is due", got,
                       type);
    return SR_OK;
}

sr_status room_recv_data(struct room *r, const struct door_input *head, uint64_t max,
                         result_sink sink, void *arg, struct sr_err *err) {
    uint64_t total = 0;
    bool known = head->size != DOOR_SIZE_UNKNOWN;
    if (known && head->size > max)
        return sr_fail(err, SR_E_TOOBIG, "more than the room's disk holds");
    for (;;) {
        unsigned type = 0;
        SR_TRY(room_recv(r, &type, err));
        if (type == DOOR_END && r->frame.n == 0) break;
        if (type != DOOR_DATA || r->frame.n == 0 || r->frame.n > DOOR_DATA_MAX)
            return sr_fail(err, SR_E_MALFORMED, "the worker sent message %u where data is due",
                           type);
        if (r->frame.n > max - total)
            return sr_fail(err, SR_E_TOOBIG, "more than the room's disk holds");
        total += r->frame.n;
        SR_TRY(sink(arg, buf_slice(&r->frame), err));
    }
    if (known && total != head->size)
        return sr_fail(err, SR_E_MALFORMED, "the worker sent another number of bytes than it said");
    return SR_OK;
}
