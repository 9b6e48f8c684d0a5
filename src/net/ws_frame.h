/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_frame.h - RFC 6455 frames as bytes: a reader that takes them in any pieces, and a head writer
 *
 * Refused: reserved bits and opcodes, masks on the wrong side, long or cut control frames, lengths
 * not in their shortest form, messages beyond the maximum, text that is not UTF-8.
 */
#pragma once
#include "net/net_int.h"

typedef enum {
    WS_CONT = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10
} ws_opcode;
typedef enum { WS_MORE, WS_MESSAGE, WS_GOT_PING, WS_GOT_PONG, WS_GOT_CLOSE } ws_event;

struct ws_in {
    bool from_client;    /* the other side must mask */
    struct buf *message; /* grows by fragments; its max is the limit */
    uint8_t head[14];    /* of the frame being read */
    size_t head_n;
    bool in_payload;
    uint64_t left;
    size_t at; /* payload bytes so far: the mask's place */
    uint8_t mask[4];
    ws_opcode op; /* of the frame */
    bool fin;
    ws_opcode kind;       /* of the message being assembled; WS_CONT: none */
    uint8_t control[125]; /* payload of the last control frame */
    size_t control_n;
    uint16_t close_code; /* what to close with after a failure */
};
/* Takes from in until an event is complete: *ret_used bytes. WS_MORE: all taken, nothing complete.
 * After WS_MESSAGE the message is in in->message and the caller clears it before the next call. */
SR_CHECK sr_status ws_in_next(struct ws_in *w, struct slice in, size_t *ret_used,
                              ws_event *ret_event, struct sr_err *err);
/* Writes a final frame's head; returns its length. mask NULL: none. */
size_t ws_put_head(uint8_t dst[14], ws_opcode op, uint64_t n, const uint8_t mask[4]);
void ws_mask(uint8_t *p, size_t n, const uint8_t mask[4], size_t at);
bool ws_utf8(struct slice s);
