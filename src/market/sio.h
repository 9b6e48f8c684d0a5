/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sio.h - the packets of Socket.IO 5 over Engine.IO 4, without sockets
 *
 * An Engine.IO packet is a digit and its text; several stand in one HTTP body with 0x1E between
 * them. The text of a message (4) is a Socket.IO packet: a digit, a namespace, a number, JSON.
 * Binary packets are refused: nothing that a client of ours says has any.
 *
 * Depends on: base.  Used by: socket.c, live.c, the fuzzer.  Limits: SIO_*.
 */
#pragma once
#include "base/base.h"

#define SIO_PACKET_MAX    16384u /* from a client: one packet, and one body */
#define SIO_PACKETS_MAX   64u    /* in one body */
#define SIO_NAMESPACE_MAX 64u

typedef enum {
    EIO_OPEN = '0',
    EIO_CLOSE = '1',
    EIO_PING = '2',
    EIO_PONG = '3',
    EIO_MESSAGE = '4',
    EIO_UPGRADE = '5',
    EIO_NOOP = '6'
} eio_type;

typedef enum { SIO_CONNECT, SIO_DISCONNECT, SIO_EVENT, SIO_ACK, SIO_CONNECT_ERROR } sio_type;

struct sio_packet {
    sio_type type;
    struct slice nsp; /* "/" when none is named; borrowed */
    bool has_id;
    uint64_t id;        /* asks for an acknowledgement, or is one */
    struct json *doc;   /* owned; NULL: none */
    struct slice event; /* of an event: its name; borrowed from doc */
};

/* The next packet of a body; false at its end. rest starts as the body. */
bool eio_next(struct slice *rest, struct slice *ret_packet);
/* text: what follows the digit of a message. SR_E_MALFORMED. ret is owned: sio_done. */
SR_CHECK sr_status sio_read(struct slice text, struct sio_packet *ret, struct sr_err *err);
void sio_done(struct sio_packet *p);
static inline void cleanup_sio_(struct sio_packet *p) {
    sio_done(p);
}
#define cleanup_sio __attribute__((cleanup(cleanup_sio_)))
