/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage.h - the room's stages, one after the other, over the blocking stream (private to room)
 *
 * Every stage fails through fail_task, which keeps the cause, the blame and the sentence that the
 * worker is told.
 */
#pragma once
#include "oci/oci.h"
#include "room/jail.h"
#include "room/result.h"
#include "room/task.h"
#include "room/watch.h"

struct room {
    int fd;    /* the stream */
    bool gone; /* the worker's end closed: nobody to tell */
    struct door_begin begin;
    struct buf begin_body; /* what begin borrows from; wiped */
    struct buf frame;      /* the last received body */
    struct jail jail;
    struct room_keys keys;
    struct buf evidence;
    struct oci_image *image;
    int image_fd;
    struct task task;
    bool has_task;
    struct app_end end;
    struct door_egress egress; /* what the app tried */
    const char *cause;         /* of a failure; static */
    door_blame blame;
};

/* Remembers why; returns st. The first one stays. */
sr_status fail_task(struct room *r, const char *cause, door_blame blame, sr_status st);

/* ---- the stream (stream.c) ---- */
SR_CHECK sr_status room_send(struct room *r, unsigned type, struct slice body, struct sr_err *err);
/* Into r->frame. SR_E_CANCELLED when the worker has gone. */
SR_CHECK sr_status room_recv(struct room *r, unsigned *ret_type, struct sr_err *err);
SR_CHECK sr_status room_expect(struct room *r, unsigned type, struct sr_err *err);
/* DATA frames of at most DOOR_DATA_MAX until END; sink gets each; *ret_total their bytes. */
SR_CHECK sr_status room_recv_data(struct room *r, const struct door_input *head, uint64_t max,
                                  result_sink sink, void *arg, struct sr_err *err);

/* ---- stages ---- */
SR_CHECK sr_status stage_begin(struct room *r, struct sr_err *err); /* jail, keys; BEGIN; BINDING */
SR_CHECK sr_status stage_image(struct room *r, struct sr_err *err); /* IMAGE: verified, unpacked */
SR_CHECK sr_status stage_envelope(struct room *r, struct sr_err *err); /* ENVELOPE */
SR_CHECK sr_status stage_inputs(struct room *r, struct sr_err *err);   /* DATASETs and INPUTs */
SR_CHECK sr_status stage_app(struct room *r, struct sr_err *err); /* RUNNING; until the app's end */
SR_CHECK sr_status stage_result(struct room *r, struct sr_err *err); /* RESULT, DONE */
