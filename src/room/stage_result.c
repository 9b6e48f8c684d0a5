/* SPDX-License-Identifier: Apache-2.0 */
#include "room/stage.h"
#include <fcntl.h>
#include <unistd.h>

struct result_stream {
    struct room *r;
    bool begun;         /* RESULT was sent: not before there is one */
    struct buf pending; /* until a DATA frame is full */
};

static sr_status flush(struct result_stream *s, struct sr_err *err) {
    if (s->pending.n == 0) return SR_OK;
    SR_TRY(room_send(s->r, DOOR_DATA, buf_slice(&s->pending), err));
    buf_clear(&s->pending);
    return SR_OK;
}

static sr_status result_data(void *arg, struct slice data, struct sr_err *err) {
    struct result_stream *s = arg;
    if (!s->begun) SR_TRY(room_send(s->r, DOOR_RESULT, slice_of(NULL, 0), err));
    s->begun = true;
    while (data.n > 0) {
        size_t left = DOOR_DATA_MAX - s->pending.n, take = data.n < left ? data.n : left;
        buf_put(&s->pending, data.p, take);
        SR_TRY(buf_status(&s->pending, err));
        data = slice_of(data.p + take, data.n - take);
        if (s->pending.n == DOOR_DATA_MAX) SR_TRY(flush(s, err));
    }
    return SR_OK;
}

static sr_status send_archive(struct room *r, int out_fd, const char **ret_cause,
                              struct sr_err *err) {
    struct result_stream s = {.r = r};
    buf_init(&s.pending, DOOR_DATA_MAX);
    sr_status st = result_archive(out_fd, r->task.encrypt ? r->task.public_key : NULL, result_data,
                                  &s, ret_cause, err);
    if (st == SR_OK) st = flush(&s, err);
    if (st == SR_OK) st = room_send(r, DOOR_END, slice_of(NULL, 0), err);
    buf_done(&s.pending);
    return st;
}

/* One digest, one worker, once: the room exits after this. */
static sr_status sign(const struct room *r, const struct hash *digest, struct sr_signature *ret,
                      struct sr_err *err) {
    struct hash hash = wire_result_hash(&r->task.id, digest);
    struct hash seal = wire_result_seal(&r->task.worker, &r->task.id, digest);
    struct hash message = wire_enclave_message(&hash, &seal);
    struct hash personal = eth_message_hash(&message);
    return secp_sign(&r->keys.challenge, &personal, ret, err);
}

static sr_status send_done(struct room *r, const struct computed *c, struct sr_err *err) {
    struct door_done m = {.digest = c->digest,
                          .callback = buf_slice(&c->callback),
                          .tail_out = buf_slice(&r->end.tail_out),
                          .tail_err = buf_slice(&r->end.tail_err),
                          .egress = r->egress};
    SR_TRY(sign(r, &c->digest, &m.signature, err));
    cleanup_buf struct buf body;
    buf_init(&body, DOOR_BODY_MAX);
    door_done_write(&body, &m);
    SR_TRY(buf_status(&body, err));
    return room_send(r, DOOR_DONE, buf_slice(&body), err);
}

/* The requester finds it in the archive, whatever the app has put there. */
static sr_status tell_outcomes(struct room *r, int out_fd, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, OUTCOMES_MAX);
    outcomes_json(&r->task, &b);
    SR_TRY(buf_status(&b, err));
    jail_as_app(&r->jail);
    (void)unlinkat(out_fd, OUTCOMES_FILE, 0);
    cleanup_close int fd =
        openat(out_fd, OUTCOMES_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    jail_as_room();
    if (fd < 0) return sr_fail(err, SR_E_TASK, "the result has a folder " OUTCOMES_FILE);
    return fd_write_all(fd, b.p, b.n, err);
}

sr_status stage_result(struct room *r, struct sr_err *err) {
    const char *cause = "POST_COMPUTE_FAILED_UNKNOWN_ISSUE";
    struct computed c = {0};
    if (r->task.encrypt && !r->task.has_callback && !r->task.public_key)
        return fail_task(
            r, "POST_COMPUTE_ENCRYPTION_PUBLIC_KEY_MISSING", BLAME_REQUESTER,
            sr_fail(err, SR_E_TASK, "the beneficiary has stored no result encryption key"));
    cleanup_close int out = open(JAIL_OUT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out < 0)
        return fail_task(r, cause, BLAME_HOST, sr_fail(err, SR_E_SYS, "opening the results"));
    sr_status st = result_compute(out, r->task.has_callback, &c, &cause, err);
    if (st != SR_OK) return fail_task(r, cause, BLAME_APP, st);
    if (r->task.bulk && !r->task.has_callback && (st = tell_outcomes(r, out, err)) != SR_OK)
        st = fail_task(r, "POST_COMPUTE_OUT_FOLDER_ZIP_FAILED", BLAME_APP, st);
    if (st == SR_OK && !r->task.has_callback && (st = send_archive(r, out, &cause, err)) != SR_OK)
        st = fail_task(r, cause,
                       st == SR_E_TASK || st == SR_E_TOOBIG        ? BLAME_APP
                       : st == SR_E_MALFORMED || st == SR_E_CRYPTO ? BLAME_REQUESTER /* his key */
                                                                   : BLAME_HOST,
                       st);
    if (st == SR_OK) st = send_done(r, &c, err);
    computed_done(&c);
    return st;
}
