/* SPDX-License-Identifier: Apache-2.0 */
#include "room/stage.h"
#include "tee/maker.h"
#include <fcntl.h>
#include <unistd.h>

#define HOST_ISSUE "PRE_COMPUTE_FAILED_UNKNOWN_ISSUE"

static sr_status make_evidence(struct room *r, struct sr_err *err) {
    uint8_t report_data[64], mrtd[48];
    struct wire_binding b = {.nonce = r->begin.nonce,
                             .task = r->begin.task,
                             .worker = r->begin.worker,
                             .sms_identity = r->begin.sms_identity,
                             .app_digest = r->begin.app_digest};
    memcpy(b.sealing_key, r->keys.sealing_public, 32);
    memcpy(b.challenge_public, r->keys.challenge_public, 64);
    SR_TRY(wire_report_data(&b, report_data, err));
    wire_simulated_mrtd(&r->begin.room_sha256, mrtd);
    return tee_sim_evidence(r->begin.secret_platform, mrtd, report_data, r->begin.now_unix_s,
                            &r->evidence, err);
}

/* Whatever needs no task is done before one comes: a worker keeps a room waiting here. */
static sr_status begin(struct room *r, struct sr_err *err) {
    SR_TRY(jail_enter(&r->jail, err));
    SR_TRY(room_keys_new(&r->keys, err));
    SR_TRY(room_send(r, DOOR_READY, slice_of(NULL, 0), err));
    SR_TRY(room_expect(r, DOOR_BEGIN, err));
    buf_add(&r->begin_body, buf_slice(&r->frame));
    SR_TRY(buf_status(&r->begin_body, err));
    if (!door_begin_read(buf_slice(&r->begin_body), &r->begin))
        return sr_fail(err, SR_E_MALFORMED, "the worker's first message is faulty");
    if (r->begin.memory_bytes == 0 || r->begin.processes == 0 || r->begin.seconds == 0)
        return sr_fail(err, SR_E_RANGE, "the worker's limits are zero");
    SR_TRY(jail_resize(r->begin.disk_bytes, err));
    SR_TRY(make_evidence(r, err));
    struct door_binding m = {.evidence = buf_slice(&r->evidence)};
    memcpy(m.sealing_key, r->keys.sealing_public, 32);
    memcpy(m.challenge_public, r->keys.challenge_public, 64);
    cleanup_buf struct buf body;
    buf_init(&body, DOOR_BODY_MAX);
    door_binding_write(&body, &m);
    SR_TRY(buf_status(&body, err));
    return room_send(r, DOOR_BINDING, buf_slice(&body), err);
}

sr_status stage_begin(struct room *r, struct sr_err *err) {
    sr_status st = begin(r, err);
    return st == SR_OK ? st : fail_task(r, HOST_ISSUE, BLAME_HOST, st);
}

/* ---- the image ---- */

static sr_status to_file(void *arg, struct slice data, struct sr_err *err) {
    return fd_write_all(*(int *)arg, data.p, data.n, err);
}

static sr_status recv_image(struct room *r, struct sr_err *err) {
    struct door_input head;
    SR_TRY(room_expect(r, DOOR_IMAGE, err));
    if (!door_input_read(buf_slice(&r->frame), &head) || head.index != 0)
        return sr_fail(err, SR_E_MALFORMED, "the worker's image message is faulty");
    r->image_fd = open("/", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (r->image_fd < 0) return sr_fail(err, SR_E_SYS, "making room for the image");
    return room_recv_data(r, &head, r->begin.disk_bytes, to_file, &r->image_fd, err);
}

/* The archive lies in the room's memory: what is unpacked of it goes at once. */
static void let_go(void *arg, uint64_t off, uint64_t n) {
    (void)fallocate((int)(intptr_t)arg, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
                    (off_t)n);
}

static sr_status unpack_image(struct room *r, struct sr_err *err) {
    struct oci_source src;
    struct oci_limits limits = {.max_bytes = r->begin.disk_bytes, .max_entries = JAIL_INODES};
    SR_TRY(oci_source_fd(r->image_fd, &src, err));
    src.forget = let_go;
    SR_TRY(oci_open(src, &r->begin.app_digest, &r->image, err));
    cleanup_close int root = open(JAIL_APP_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return sr_fail(err, SR_E_SYS, "opening the image's folder");
    jail_as_app(&r->jail);
    sr_status st = oci_unpack(r->image, root, &limits, err);
    jail_as_room();
    (void)close(sr_take_fd(r->image_fd));
    return st;
}

sr_status stage_image(struct room *r, struct sr_err *err) {
    sr_status st = recv_image(r, err);
    if (st != SR_OK) return fail_task(r, "APP_IMAGE_DOWNLOAD_FAILED", BLAME_HOST, st);
    st = unpack_image(r, err);
    if (st == SR_E_SYS || st == SR_E_NOMEM)
        return fail_task(r, "APP_IMAGE_DOWNLOAD_FAILED", BLAME_HOST, st);
    return st == SR_OK ? st : fail_task(r, "APP_IMAGE_DOWNLOAD_FAILED", BLAME_APP, st);
}

sr_status stage_envelope(struct room *r, struct sr_err *err) {
    struct door_envelope envelope;
    sr_status st = room_expect(r, DOOR_ENVELOPE, err);
    if (st == SR_OK && !door_envelope_read(buf_slice(&r->frame), &envelope))
        st = sr_fail(err, SR_E_MALFORMED, "the worker's envelope message is faulty");
    if (st == SR_OK)
        st = task_open(&r->begin, &r->keys, buf_slice(&r->evidence), &envelope, &r->task, err);
    if (st != SR_OK) return fail_task(r, HOST_ISSUE, BLAME_HOST, st);
    r->has_task = true;
    return SR_OK;
}
