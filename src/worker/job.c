/* SPDX-License-Identifier: Apache-2.0 */
/*~
 * One task, from its assignment to the receipt of contributeAndFinalize; a fiber each.
 *
 * fetching -> attesting -> running -> uploading -> settling. A failure names its cause and whose
 * fault it is: the scheduler tries another worker only when it is the host's. A dropped job ends
 * without a word.
 */
#include "worker/worker_int.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- jobs ---- */

struct job *job_new(struct worker *w) {
    struct job *j = sr_calloc_n(1, sizeof *j);
    if (!j) return NULL;
    j->w = w;
    j->started_us = clock_mono_us();
    buf_init(&j->attested, 4096);
    buf_init(&j->last, WIRE_POOL_MESSAGE_MAX);
    buf_init(&j->record, 1u << 20);
    buf_init(&j->tail_out, WIRE_LOG_TAIL_MAX);
    buf_init(&j->tail_err, WIRE_LOG_TAIL_MAX);
    buf_init(&j->callback_data, DOOR_CALLBACK_MAX);
    buf_init(&j->results, 4096);
    return j;
}

void job_free(struct job *j) {
    if (!j) return;
    for (size_t i = 0; i < j->n_datasets; i++) free(j->datasets[i].url);
    for (size_t i = 0; i < j->n_files; i++) free(j->files[i].url);
    free(j->datasets);
    free(j->files);
    free(j->app_multiaddr);
    buf_done(&j->attested);
    buf_done(&j->last);
    buf_done(&j->record);
    buf_done(&j->tail_out);
    buf_done(&j->tail_err);
    buf_done(&j->callback_data);
    buf_done(&j->results);
    oci_strings_done(&j->hosts);
    free(j);
}

struct job *job_find(struct worker *w, const struct hash *task) {
    for (struct job *j = w->jobs; j; j = j->next)
        if (hash_eq(&j->task, task) && !j->cancelled) return j;
    return NULL;
}

size_t jobs_running(const struct worker *w) {
    size_t n = 0;
    for (const struct job *j = w->jobs; j; j = j->next)
        if (j->state == JOB_RUNNING && !j->cancelled) n++;
    return n;
}

void job_cancel(struct job *j) {
    j->cancelled = true;
    if (j->door) stream_shutdown(j->door->stream);
    fcond_wake(&j->changed);
    fcond_wake(&j->w->link_changed);
}

sr_status job_fail(struct job *j, const char *cause, door_blame blame, sr_status st) {
    if (!j->cause) {
        j->cause = cause ? cause : j->cause_text;
        j->blame = blame;
    }
    return st;
}

sr_status job_fail_code(struct job *j, struct slice code, const char *otherwise, door_blame blame,
                        sr_status st) {
    if (!wire_is_cause(code)) return job_fail(j, otherwise, blame, st);
    memcpy(j->cause_text, code.p, code.n);
    j->cause_text[code.n] = 0;
    return job_fail(j, NULL, blame, st);
}

char *job_path(const struct job *j, const char *name) {
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "%s/jobs/%s%s%s", j->w->dir, hash_text(&j->task).s, name[0] ? "/" : "", name);
    return b.bad == SR_OK ? slice_dup(buf_slice(&b)) : NULL;
}

static void forget_folder(const struct job *j) {
    struct sr_err e = {0};
    cleanup_free char *dir = job_path(j, "");
    if (dir && fs_remove_tree(dir, &e) != SR_OK) log_err(LOG_WARN, "job_folder", &e);
}

/* ---- what a room says ---- */

static void take_tails(struct job *j, struct slice out, struct slice err_out) {
    buf_clear(&j->tail_out);
    buf_clear(&j->tail_err);
    buf_add(&j->tail_out, out);
    buf_add(&j->tail_err, err_out);
}

static sr_status take_failed(struct job *j, struct slice body, struct sr_err *err) {
    struct door_failed f;
    if (!door_failed_read(body, &f))
        return sr_fail(err, SR_E_MALFORMED, "the room's last message is faulty");
    j->has_exit = f.has_exit;
    j->exit_code = f.exit_code;
    take_tails(j, f.tail_out, f.tail_err);
    j->egress = f.egress;
    return job_fail_code(j, f.cause, "APP_COMPUTE_FAILED", f.blame,
                         sr_fail(err, SR_E_TASK, "%.*s",
                                 (int)(f.message.n < 239 ? f.message.n : 239),
                                 (const char *)f.message.p));
}

/* The stream broke, or the order: a room that failed has said why before it closed. */
static sr_status room_broke(struct job *j, struct door *d, const struct sr_err *broken,
                            struct sr_err *err) {
    if (j->cause || j->cancelled) {
        *err = *broken;
        return broken->code;
    }
    for (unsigned i = 0; i < 4; i++) {
        unsigned type;
        if (door_recv(d, 2000, &type, NULL) != SR_OK) break;
        if (type == DOOR_FAILED) return take_failed(j, buf_slice(&d->frame), err);
    }
    *err = *broken;
    return job_fail(j, "APP_COMPUTE_FAILED", BLAME_HOST,
                    broken->code == SR_OK ? SR_E_SYS : broken->code);
}

/* ---- attesting ---- */

struct image_sender { /* a fiber: the image goes in while the secret service is asked */
    struct door *d;
    int fd;
    bool ended;
    sr_status st;
    struct sr_err err;
    struct fcond changed;
};

static void image_fiber(void *arg) {
    struct image_sender *s = arg;
    s->st = send_image(s->d, s->fd, &s->err);
    s->ended = true;
    fcond_wake(&s->changed);
}

/* The fiber works on this one's stack: it must have ended first. A cancelled wait lets it run, too.
 */
static void image_wait(struct image_sender *s) {
    while (!s->ended)
        if (fcond_wait(&s->changed, 1000, NULL) == SR_E_CANCELLED) stream_shutdown(s->d->stream);
}

static sr_status send_begin(struct job *j, struct door *d, struct sr_err *err) {
    struct worker *w = j->w;
    struct door_begin m = {.task = j->task,
                           .nonce = j->assignment.nonce,
                           .app_digest = j->app_checksum,
                           .worker = w->me,
                           .sms_identity = w->sms_identity,
                           .room_sha256 = w->launcher.room_sha256,
                           .memory_bytes = w->memory_bytes,
                           .disk_bytes = w->disk_bytes,
                           .processes = (uint32_t)w->processes,
                           .seconds = (uint32_t)j->seconds,
                           .now_unix_s = clock_unix_ms() / 1000,
                           .secret_platform = buf_slice(&w->platform)};
    cleanup_buf_wipe struct buf body;
    buf_init(&body, DOOR_BODY_MAX);
    door_begin_write(&body, &m);
    SR_TRY(buf_status(&body, err));
    return door_send(d, DOOR_BEGIN, buf_slice(&body), err);
}

static sr_status take_binding(struct job *j, struct door *d, struct buf *body,
                              struct door_binding *ret, struct sr_err *err) {
    unsigned type;
    SR_TRY(door_recv(d, DOOR_ROOM_MS, &type, err));
    if (type == DOOR_FAILED) return take_failed(j, buf_slice(&d->frame), err);
    buf_add(body, buf_slice(&d->frame));
    SR_TRY(buf_status(body, err));
    if (type != DOOR_BINDING || !door_binding_read(buf_slice(body), ret))
        return sr_fail(err, SR_E_MALFORMED, "the room did not give its evidence");
    j->challenge = wire_challenge_address(ret->challenge_public);
    return SR_OK;
}

static sr_status send_envelope(struct door *d, const struct released *r, struct sr_err *err) {
    struct door_envelope m = {.sealed = buf_slice(&r->envelope), .signature = r->signature};
    cleanup_buf struct buf body;
    buf_init(&body, DOOR_BODY_MAX);
    door_envelope_write(&body, &m);
    SR_TRY(buf_status(&body, err));
    return door_send(d, DOOR_ENVELOPE, buf_slice(&body), err);
}

static sr_status attest(struct job *j, struct door *d, int image_fd, struct sr_err *err) {
    cleanup_buf struct buf body;
    struct door_binding binding;
    struct released r = {0};
    struct image_sender s = {.d = d, .fd = image_fd};
    buf_init(&body, DOOR_BODY_MAX);
    SR_TRY(send_begin(j, d, err));
    SR_TRY(take_binding(j, d, &body, &binding, err));
    SR_TRY(fiber_start(image_fiber, &s, err));
    sr_status st = ask_release(j, &binding, &r, err);
    if (st == SR_OK && j->cancelled) st = sr_fail(err, SR_E_CANCELLED, "dropped by the scheduler");
    if (st == SR_OK) {
        msg_attested(&j->attested, &j->task, &j->challenge, buf_slice(&r.token));
        st = buf_status(&j->attested, err);
    }
    if (st == SR_OK && link_send(j->w, buf_slice(&j->attested), NULL) != SR_OK)
        log_debug("attested_later", "task=%s", hash_text(&j->task).s);
    if (st != SR_OK) stream_shutdown(d->stream);
    image_wait(&s);
    if (st == SR_OK && s.st != SR_OK) {
        *err = s.err;
        st = s.st;
    }
    if (st == SR_OK) st = send_envelope(d, &r, err);
    if (st == SR_OK && r.bulk) { /* the released ones take the place of the assignment's */
        struct job_input *was = j->datasets;
        size_t n = j->n_datasets;
        j->bulk = true;
        j->datasets = r.datasets;
        j->n_datasets = r.n_datasets;
        r.datasets = was;
        r.n_datasets = n;
    }
    released_done(&r);
    return st;
}

/* ---- running ---- */

/* No archive of what fits into a room is longer; a room that an app took over may say anything. */
static uint64_t archive_max(const struct worker *w) {
    return w->disk_bytes + w->disk_bytes / 8 + WORKER_ARCHIVE_EXTRA;
}

sr_status job_take_data(struct job *j, struct door *d, int fd, struct sr_err *err) {
    uint64_t left = archive_max(j->w);
    for (;;) {
        unsigned type;
        SR_TRY(door_recv(d, WORKER_ROOM_RESULT_MS, &type, err));
        if (type == DOOR_END) return SR_OK;
        if (type == DOOR_FAILED) return take_failed(j, buf_slice(&d->frame), err);
        if (type != DOOR_DATA)
            return sr_fail(err, SR_E_MALFORMED, "the room sent message %u in its result", type);
        if (d->frame.n > left)
            return sr_fail(err, SR_E_TOOBIG, "the room's result is longer than any can be");
        left -= d->frame.n;
        SR_TRY(fd_write_all(fd, d->frame.p, d->frame.n, err));
    }
}

static sr_status take_archive(struct job *j, struct door *d, struct sr_err *err) {
    cleanup_free char *path = job_path(j, "result.zip");
    if (!path) return sr_fail(err, SR_E_NOMEM, "result");
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return job_fail(j, "POST_COMPUTE_RESULT_FILE_NOT_FOUND", BLAME_HOST,
                        sr_fail(err, SR_E_SYS, "making the result's file"));
    SR_TRY(job_take_data(j, d, fd, err));
    j->has_archive = true;
    return SR_OK;
}

static sr_status take_done(struct job *j, struct slice body, struct sr_err *err) {
    struct door_done m;
    if (!door_done_read(body, &m))
        return sr_fail(err, SR_E_MALFORMED, "the room's last message is faulty");
    j->digest = m.digest;
    j->enclave_sign = m.signature;
    buf_add(&j->callback_data, m.callback);
    take_tails(j, m.tail_out, m.tail_err);
    j->egress = m.egress;
    return buf_status(&j->callback_data, err);
}

static sr_status await_result(struct job *j, struct door *d, struct sr_err *err) {
    int64_t until = clock_mono_us() + DOOR_ROOM_MS * 1000ll;
    for (;;) {
        unsigned type;
        int64_t left_us = until - clock_mono_us();
        if (left_us <= 0) return sr_fail(err, SR_E_TIMEOUT, "the room does not end");
        SR_TRY(door_recv(d, (uint64_t)left_us / 1000 + 1, &type, err));
        if (j->proxy && proxy_takes(type)) {
            SR_TRY(proxy_frame(j->proxy, type, buf_slice(&d->frame), err));
            continue;
        }
        switch (type) {
        case DOOR_RUNNING:
            link_stage(j, "running");
            until = clock_mono_us() + ((int64_t)j->seconds * 1000 + DOOR_ROOM_MS) * 1000;
            break;
        case DOOR_RESULT: SR_TRY(take_archive(j, d, err)); break;
        case DOOR_DONE: return take_done(j, buf_slice(&d->frame), err);
        case DOOR_FAILED: return take_failed(j, buf_slice(&d->frame), err);
        default: return sr_fail(err, SR_E_MALFORMED, "the room sent message %u", type);
        }
    }
}

static sr_status in_room(struct job *j, struct door *d, int image_fd, struct sr_err *err) {
    struct sr_err e = {0};
    sr_status st = attest(j, d, image_fd, &e);
    if (st == SR_OK) st = send_inputs(j, d, &e);
    if (st == SR_OK && j->hosts.n > 0)
        st = proxy_new(d, &j->hosts, j->w->egress_loopback, &j->proxy, &e);
    if (st == SR_OK) st = await_result(j, d, &e);
    if (st != SR_OK) st = room_broke(j, d, &e, err);
    stream_shutdown(d->stream);
    proxy_free(sr_take_ptr(j->proxy));
    return st;
}

static sr_status compute(struct job *j, struct sr_err *err) {
    struct worker *w = j->w;
    int image_fd = -1;
    bool cached = false;
    link_stage(j, "fetching");
    SR_TRY(fetch_image(j, &image_fd, &cached, err));
    link_stage(j, "attesting");
    sr_status st = image_hosts(j, image_fd, err);
    if (st != SR_OK) { /* it was right when it was fetched */
        (void)close(image_fd);
        image_forget(w, &j->app_checksum);
        return job_fail(j, "APP_IMAGE_DOWNLOAD_FAILED", BLAME_HOST, st);
    }
    st = door_open(w, &j->door, err);
    door_spare_start(w);
    if (st != SR_OK) {
        (void)close(image_fd);
        return job_fail(j, "TEE_PREPARATION_FAILED", BLAME_HOST, st);
    }
    st = j->cancelled ? sr_fail(err, SR_E_CANCELLED, "dropped by the scheduler")
                      : in_room(j, j->door, image_fd, err);
    (void)close(image_fd);
    door_close(sr_take_ptr(j->door));
    if (st != SR_OK && cached && j->cause &&
        slice_is(slice_str(j->cause), "APP_IMAGE_DOWNLOAD_FAILED")) {
        /* It was right when it was fetched: our disk's fault, or somebody's on this host. */
        image_forget(w, &j->app_checksum);
        j->blame = BLAME_HOST;
    }
    return st;
}

/* ---- the whole ---- */

static sr_status run(struct job *j, struct sr_err *err) {
    cleanup_free char *dir = job_path(j, "");
    if (j->record.n > 0) {
        link_stage(j, "settling");
        return settle_resume(j, buf_slice(&j->record), err);
    }
    if (jobs_running(j->w) > j->w->slots)
        return job_fail(j, "NO_FREE_SLOT", BLAME_HOST,
                        sr_fail(err, SR_E_UNAVAILABLE, "all %llu slots of the worker are taken",
                                (unsigned long long)j->w->slots));
    if (!dir) return sr_fail(err, SR_E_NOMEM, "job");
    SR_TRY(fs_mkdirs(dir, 0700, err));
    SR_TRY(compute(j, err));
    if (j->cancelled) return sr_fail(err, SR_E_CANCELLED, "dropped by the scheduler");
    link_stage(j, "uploading");
    if (j->has_callback)
        poco_result_write(&j->results, "ethereum", slice_str(addr_checksum(&j->callback).s));
    else if (j->has_archive)
        SR_TRY(upload_result(j, err));
    else
        return job_fail(j, "POST_COMPUTE_RESULT_FILE_NOT_FOUND", BLAME_HOST,
                        sr_fail(err, SR_E_MALFORMED, "the room gave no result archive"));
    SR_TRY(buf_status(&j->results, err));
    link_stage(j, "settling");
    return settle(j, err);
}

static void unlink_job(struct job *j) {
    struct worker *w = j->w;
    for (struct job **p = &w->jobs; *p; p = &(*p)->next)
        if (*p == j) {
            *p = j->next;
            w->n_jobs--;
            break;
        }
}

void job_fiber(void *arg) {
    struct job *j = arg;
    struct sr_err e = {0};
    sr_status st = run(j, &e);
    j->state = JOB_ENDED;
    bool stops = net_stopping(); /* then what was settling goes on at the next start */
    if (!j->cancelled && !stops) {
        if (st == SR_OK) {
            log_info("done", "task=%s tx=%s us=%lld", hash_text(&j->task).s, hash_text(&j->tx).s,
                     (long long)(clock_mono_us() - j->started_us));
            msg_done(&j->last, j);
        } else {
            log_err(LOG_WARN, "failed", &e);
            log_info("failed_task", "task=%s cause=%s", hash_text(&j->task).s,
                     j->cause ? j->cause : "-");
            msg_failed(&j->last, j, &e);
        }
        if (j->last.bad != SR_OK || link_send_last(j, NULL) != SR_OK) stops = true;
    }
    if (!stops) forget_folder(j);
    unlink_job(j);
    door_spare_start(j->w);
    job_free(j);
}

/* ---- after a restart ---- */

static sr_status resume_one(struct worker *w, const char *name, struct sr_err *err) {
    struct job *j = job_new(w);
    if (!j) return sr_fail(err, SR_E_NOMEM, "job");
    if (!hash_parse(slice_str(name), &j->task)) {
        job_free(j);
        return SR_OK; /* not ours */
    }
    cleanup_free char *path = job_path(j, "settling.json");
    if (!path || fs_read(path, &j->record, NULL) != SR_OK || j->record.n == 0) {
        log_info("job_lost", "task=%s", name); /* the scheduler gives it to somebody again */
        forget_folder(j);
        job_free(j);
        return SR_OK;
    }
    /* What settle_resume reads again; here for the scheduler's drop and our own log. */
    j->contribution_deadline = UINT64_MAX >> 1;
    j->next = w->jobs;
    w->jobs = j;
    w->n_jobs++;
    log_info("job_resumed", "task=%s", name);
    return fiber_start(job_fiber, j, err);
}

sr_status jobs_resume(struct worker *w, struct sr_err *err) {
    cleanup_free char *dir = path_join(w->dir, "jobs");
    DIR *d = dir ? opendir(dir) : NULL;
    if (!d) return sr_fail(err, SR_E_SYS, "opening the folder of jobs");
    sr_status st = SR_OK;
    for (struct dirent *de;
         st == SR_OK && w->n_jobs < WORKER_MAX_JOBS && (de = readdir(d)) != NULL;)
        if (de->d_name[0] != '.') st = resume_one(w, de->d_name, err);
    (void)closedir(d);
    return st;
}
