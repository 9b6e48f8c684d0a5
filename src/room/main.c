/* SPDX-License-Identifier: Apache-2.0 */
/*~
 * The room: the only place where data is in clear. One process, one task, one door (descriptor 3).
 *
 * The guard comes first: anywhere but in the fresh namespaces that a launcher made, this program
 * ends before it touches anything. Then the stages, in this order and no other; the first that
 * fails is told to the worker with a cause that its requester can read. When this process ends, the
 * kernel ends everything in its namespace.
 */
#include "room/guard.h"
#include "room/stage.h"
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

sr_status fail_task(struct room *r, const char *cause, door_blame blame, sr_status st) {
    if (!r->cause) {
        r->cause = cause;
        r->blame = blame;
    }
    return st;
}

static sr_status run_stages(struct room *r, struct sr_err *err) {
    static sr_status (*const stages[])(struct room *, struct sr_err *) = {
        stage_begin, stage_image, stage_envelope, stage_inputs, stage_app, stage_result,
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(stages); i++) SR_TRY(stages[i](r, err));
    return SR_OK;
}

static void tell_failure(struct room *r, const struct sr_err *e) {
    char text[DOOR_TEXT_MAX];
    cleanup_buf struct buf body;
    (void)snprintf(text, sizeof text, "%s%s%s", e->what, e->hint[0] ? "; " : "", e->hint);
    struct door_failed m = {
        .cause = slice_str(r->cause ? r->cause : "POST_COMPUTE_FAILED_UNKNOWN_ISSUE"),
        .message = slice_str(text),
        .blame = r->cause ? r->blame : BLAME_HOST,
        .has_exit = r->end.how == APP_EXITED && r->end.tail_out.max > 0,
        .exit_code = r->end.code,
        .tail_out = buf_slice(&r->end.tail_out),
        .tail_err = buf_slice(&r->end.tail_err),
        .egress = r->egress,
    };
    buf_init(&body, DOOR_BODY_MAX);
    door_failed_write(&body, &m);
    if (body.bad == SR_OK && room_send(r, DOOR_FAILED, buf_slice(&body), NULL) != SR_OK) return;
}

static void room_done(struct room *r) {
    if (r->has_task) task_done(&r->task);
    room_keys_done(&r->keys);
    oci_close(r->image);
    if (r->image_fd >= 0) (void)close(r->image_fd);
    app_end_done(&r->end);
    buf_wipe(&r->begin_body);
    buf_wipe(&r->frame);
    buf_done(&r->evidence);
}

int main(void) {
    struct sr_err err = {0};
    if (room_guard(&err) != SR_OK) {
        (void)dprintf(2, "room: %s\n%s\n", err.what, err.hint);
        return ROOM_EXIT_REFUSED;
    }
    (void)close(ROOM_FD_HOST_NS);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    secret_harden_process();
    static struct room r = {.fd = ROOM_FD_STREAM, .image_fd = -1};
    err = (struct sr_err){0};
    buf_init(&r.begin_body, DOOR_BODY_MAX);
    buf_init(&r.frame, DOOR_BODY_MAX);
    buf_init(&r.evidence, WIRE_EVIDENCE_MAX);
    sr_status st = run_stages(&r, &err);
    if (st != SR_OK && !r.gone) tell_failure(&r, &err);
    room_done(&r);
    return st == SR_OK ? 0 : 1;
}
