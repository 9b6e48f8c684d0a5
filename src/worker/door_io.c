/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/door_io.h"
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

sr_status door_send(struct door *d, unsigned type, struct slice body, struct sr_err *err) {
    uint8_t head[DOOR_HEAD];
    door_head_write(head, type, body.n);
    return stream_write2(d->stream, slice_of(head, sizeof head), body, err);
}

sr_status door_recv(struct door *d, uint64_t timeout_ms, unsigned *ret_type, struct sr_err *err) {
    uint8_t head[DOOR_HEAD];
    size_t n;
    SR_TRY(stream_read_full(d->stream, head, sizeof head, timeout_ms, err));
    if (!door_head_read(head, ret_type, &n))
        return sr_fail(err, SR_E_MALFORMED, "the room sent something that is no frame");
    buf_clear(&d->frame);
    if (n == 0) return SR_OK;
    uint8_t *p = buf_grow(&d->frame, n);
    if (!p) return buf_status(&d->frame, err);
    return stream_read_full(d->stream, p, n, timeout_ms, err);
}

void door_close(struct door *d) {
    if (!d) return;
    stream_close(d->stream);
    if (d->room.pid > 0) {
        (void)syscall(SYS_pidfd_send_signal, d->room.pidfd, SIGKILL, NULL, 0);
        /* The kernel takes a few milliseconds to end a namespace: others may run meanwhile. */
        if (fiber_is_running() && fiber_poll_fd(d->room.pidfd, POLLIN, 5000, NULL) != SR_OK)
            log_warn("room_slow_to_end", "pid=%d", (int)d->room.pid);
    }
    launched_end(&d->room);
    buf_done(&d->frame);
    free(d);
}

sr_status door_launch(const struct launcher *l, struct door **ret, struct sr_err *err) {
    unsigned type;
    struct door *d = sr_calloc_n(1, sizeof *d);
    if (!d) return sr_fail(err, SR_E_NOMEM, "room");
    d->room.pidfd = d->room.stream = -1;
    buf_init(&d->frame, DOOR_BODY_MAX);
    sr_status st = launcher_start(l, &d->room, err);
    if (st == SR_OK) st = stream_from_fd(sr_take_fd(d->room.stream), &d->stream, err);
    if (st == SR_OK) st = door_recv(d, DOOR_ROOM_MS, &type, err);
    if (st == SR_OK && type == DOOR_FAILED) {
        struct door_failed f;
        st = door_failed_read(buf_slice(&d->frame), &f)
                 ? sr_fail(err, SR_E_UNAVAILABLE, "a room cannot start: %.*s", (int)f.message.n,
                           (const char *)f.message.p)
                 : sr_fail(err, SR_E_MALFORMED, "a room cannot start");
    } else if (st == SR_OK && type != DOOR_READY) {
        st = sr_fail(err, SR_E_MALFORMED, "the room began with message %u", type);
    }
    if (st != SR_OK) {
        door_close(d);
        return st;
    }
    *ret = d;
    return SR_OK;
}
