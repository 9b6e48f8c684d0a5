/* SPDX-License-Identifier: Apache-2.0 */
/* socket_int.h - what socket.c (sessions) and live.c (what is told to them) share */
#pragma once
#include "market/market_int.h"
#include "market/sio.h"

#define SOCKETS_MAX          1000u
#define SOCKET_QUEUE_MAX     (1u << 20) /* bytes told but not taken: then the session ends */
#define SOCKET_PING_MS       25000u     /* as the official server's library */
#define SOCKET_PONG_MS(ping) ((ping) / 5 * 4)
#define SOCKET_UPGRADE_MS    10000u
#define SOCKET_CONNECT_MS    45000u /* to the namespace */
#define SOCKET_SID           32

typedef enum { ROOM_ORDERS, ROOM_DEALS } socket_room;
#define ROOMS 2

/* One text, queued in many sessions. */
struct told {
    size_t refs, n;
    uint8_t p[];
};
struct told *told_new(struct slice text) SR_CHECK; /* with one reference */
void told_unref(struct told *t);

/* To all sessions in a room; borrows t. */
void sockets_tell(struct market *m, socket_room room, struct told *t);
bool sockets_listen(const struct market *m, socket_room room);
