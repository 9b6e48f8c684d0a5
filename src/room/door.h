/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door.h - the one framed stream between a worker and a room, declared once
 *
 * Frame: type u8, three zero bytes, length u32, body. Integers big-endian; a blob has a u32 length
 * before it. docs/wire.md, "Worker and room", tells the order. Both sides refuse anything out of
 * order or left over.
 *
 *   worker -> room                              room -> worker
 *                                               READY, when it is in its jail
 *   BEGIN
 *                                               BINDING (keys and evidence)
 *   IMAGE, DATA..., END  (may come before BINDING is read)
 *   ENVELOPE
 *   DATASET i, DATA..., END; INPUT i, DATA..., END   (as the envelope lists them)
 *                                               RUNNING, when the app starts
 *                                               RESULT, DATA..., END   (not for a callback)
 *                                               DONE; or at any time FAILED
 *   while the app runs, when its image lists hosts (egress), by flow:
 *                                               OPEN
 *   OPENED; FLOW, FLOW_END, FLOW_TOOK, FLOW_CLOSE   the same four
 * After DONE or FAILED the room exits. When either end closes, the other gives up.
 *
 * Depends on: base, crypto (types).  Used by: room, worker.  Allocates: only into buffers it is
 * given.
 */
#pragma once
#include "wire/formats.h"

#define DOOR_VERSION      2
#define DOOR_HEAD         8
#define DOOR_BODY_MAX     (1u << 20)
#define DOOR_DATA_MAX     (256u << 10) /* of one DATA frame */
#define DOOR_PLATFORM_MAX 16384u
#define DOOR_CALLBACK_MAX (64u << 10) /* bytes for a chain callback */
#define DOOR_TEXT_MAX     2000u       /* of a failure's message */
#define DOOR_CAUSE_MAX    80u
#define DOOR_SIZE_UNKNOWN UINT64_MAX

/* ---- an app's connections to the hosts that its image lists ---- */
#define DOOR_FLOWS       64u          /* at once */
#define DOOR_FLOW_MAX    (32u << 10)  /* bytes of one FLOW */
#define DOOR_FLOW_WINDOW (128u << 10) /* sent and not yet told by FLOW_TOOK, in each direction */

enum {
    DOOR_BEGIN = 1,
    DOOR_IMAGE,
    DOOR_ENVELOPE,
    DOOR_DATASET,
    DOOR_INPUT,
    DOOR_DATA,
    DOOR_END,
    DOOR_OPENED,
    DOOR_FLOW, /* these four from both ends */
    DOOR_FLOW_END,
    DOOR_FLOW_TOOK,
    DOOR_FLOW_CLOSE,
    DOOR_READY = 0x80,
    DOOR_BINDING,
    DOOR_RUNNING,
    DOOR_RESULT,
    DOOR_DONE,
    DOOR_FAILED,
    DOOR_OPEN
};

void door_head_write(uint8_t dst[DOOR_HEAD], unsigned type, size_t n);
/* false: not a frame of ours (zero bytes, length over DOOR_BODY_MAX). */
SR_CHECK bool door_head_read(const uint8_t src[DOOR_HEAD], unsigned *ret_type, size_t *ret_n);

struct door_begin {
    struct hash task, nonce, app_digest;
    struct addr worker, sms_identity;
    struct hash room_sha256;      /* of the room's executable: goes into SIMULATED evidence */
    uint64_t memory_bytes;        /* resident, of all the app's processes */
    uint64_t disk_bytes;          /* image, inputs and results together */
    uint32_t processes;           /* of the app at once */
    uint32_t seconds;             /* most that the app may run; the envelope may say less */
    uint64_t now_unix_s;          /* for SIMULATED evidence only; the room has no clock it trusts */
    struct slice secret_platform; /* authority of SIMULATED evidence; borrowed */
};
void door_begin_write(struct buf *b, const struct door_begin *m);
SR_CHECK bool door_begin_read(struct slice body, struct door_begin *ret);

struct door_binding {
    uint8_t sealing_key[32], challenge_public[64];
    struct slice evidence; /* borrowed */
};
void door_binding_write(struct buf *b, const struct door_binding *m);
SR_CHECK bool door_binding_read(struct slice body, struct door_binding *ret);

struct door_envelope {
    struct slice sealed; /* borrowed */
    struct sr_signature signature;
};
void door_envelope_write(struct buf *b, const struct door_envelope *m);
SR_CHECK bool door_envelope_read(struct slice body, struct door_envelope *ret);

/* IMAGE (index 0), DATASET and INPUT: what the DATA frames that follow are. */
struct door_input {
    uint32_t index;
    uint64_t size; /* DOOR_SIZE_UNKNOWN: told by END */
};
void door_input_write(struct buf *b, const struct door_input *m);
SR_CHECK bool door_input_read(struct slice body, struct door_input *ret);

/* One frame of a flow. OPEN: n is the place in the image's list; OPENED: n is a door_opened;
 * FLOW_TOOK: n is how many bytes were passed on; FLOW: data. */
struct door_flow {
    uint32_t id; /* given by the room, counts up, never used again */
    uint32_t n;
    struct slice data; /* borrowed */
};
typedef enum { DOOR_OPENED_OK, DOOR_OPENED_REFUSED, DOOR_OPENED_UNREACHED } door_opened;
void door_flow_write(struct buf *b, unsigned type, const struct door_flow *m);
SR_CHECK bool door_flow_read(unsigned type, struct slice body, struct door_flow *ret);

/* What the app tried on the network, as its room counted. */
struct door_egress {
    uint32_t connections; /* to listed hosts */
    uint32_t failed;      /* of these: not made by the worker */
    uint32_t refused;     /* names that are not listed, and addresses without a way there */
    uint64_t sent, received;
};

struct door_done {
    struct hash digest;
    struct sr_signature signature; /* of the enclave message, by the challenge key */
    struct slice callback;         /* empty without; borrowed, like the tails */
    struct slice tail_out, tail_err;
    struct door_egress egress;
};
void door_done_write(struct buf *b, const struct door_done *m);
SR_CHECK bool door_done_read(struct slice body, struct door_done *ret);

typedef enum { BLAME_APP = 1, BLAME_DATA = 2, BLAME_REQUESTER = 3, BLAME_HOST = 4 } door_blame;
const char *door_blame_name(door_blame b); /* "app", "data", "requester", "host" */
struct door_failed {
    struct slice cause, message; /* a word of execution.md; a sentence. Borrowed */
    door_blame blame;
    bool has_exit;
    uint32_t exit_code;
    struct slice tail_out, tail_err;
    struct door_egress egress;
};
void door_failed_write(struct buf *b, const struct door_failed *m);
SR_CHECK bool door_failed_read(struct slice body, struct door_failed *ret);
