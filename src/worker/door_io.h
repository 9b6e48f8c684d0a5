/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door_io.h - a room and its stream, in fibers
 *
 * Depends on: net, room/door, launcher.  Used by: worker, the app tester of cli.  Waits: all of it.
 */
#pragma once
#include "net/net.h"
#include "room/door.h"
#include "worker/launcher.h"

#define DOOR_ROOM_MS 20000u /* for the room's own steps */

struct door {
    struct launched room;
    struct stream *stream;
    struct buf frame; /* body of the last received message */
};
/* Starts a room and waits until it is in its jail (READY). *ret is owned: door_close. */
SR_CHECK sr_status door_launch(const struct launcher *l, struct door **ret, struct sr_err *err);
void door_close(struct door *d); /* kills the room; accepts NULL */
/* From any fiber: a message goes out whole. */
SR_CHECK sr_status door_send(struct door *d, unsigned type, struct slice body, struct sr_err *err);
/* Into d->frame; one fiber reads. */
SR_CHECK sr_status door_recv(struct door *d, uint64_t timeout_ms, unsigned *ret_type,
                             struct sr_err *err);
