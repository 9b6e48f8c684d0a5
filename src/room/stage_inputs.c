/* SPDX-License-Identifier: Apache-2.0 */
/* Cipher text in, plain text in the room's memory file system. The app starts only when all of it
 * was checked. */
#include "ipfs/ipfs.h"
#include "room/stage.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int make_input(struct room *r, const char *name) {
    cleanup_close int dir = open(JAIL_IN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return -1;
    jail_as_app(&r->jail);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    jail_as_room();
    return fd;
}

static sr_status expect_input(struct room *r, unsigned type, size_t index,
                              struct door_input *ret_head, struct sr_err *err) {
    SR_TRY(room_expect(r, type, err));
    if (!door_input_read(buf_slice(&r->frame), ret_head) || ret_head->index != index)
        return sr_fail(err, SR_E_MALFORMED, "the worker sent another input than is due");
    return SR_OK;
}

/* ---- data sets: IV, then AES-256-CBC; the checksum is over all of it ---- */

struct dataset_sink {
    int fd;
    const struct sr_secret *key;
    struct sha256 sum;
    struct aes_cbc aes;
    uint8_t iv[AES_IV_BYTES];
    size_t n_iv;
    bool started, write_failed, any;
    uint8_t *plain;
};

static sr_status put_plain(struct dataset_sink *s, size_t n, struct sr_err *err) {
    if (fd_write_all(s->fd, s->plain, n, NULL) == SR_OK) return SR_OK;
    s->write_failed = true;
    return sr_fail(err, SR_E_TOOBIG, "the data sets do not fit into the room");
}

static sr_status dataset_data(void *arg, struct slice data, struct sr_err *err) {
    struct dataset_sink *s = arg;
    size_t n;
    s->any = s->any || data.n > 0;
    sha256_add(&s->sum, data);
    if (s->n_iv < AES_IV_BYTES) {
        size_t take = AES_IV_BYTES - s->n_iv < data.n ? AES_IV_BYTES - s->n_iv : data.n;
        memcpy(s->iv + s->n_iv, data.p, take);
        s->n_iv += take;
        data = slice_of(data.p + take, data.n - take);
        if (s->n_iv < AES_IV_BYTES) return SR_OK;
        SR_TRY(aes_cbc_init(&s->aes, false, s->key, s->iv, err));
        s->started = true;
    }
    if (data.n == 0) return SR_OK;
    SR_TRY(aes_cbc_add(&s->aes, data, s->plain, &n, err));
    return put_plain(s, n, err);
}

static sr_status dataset_end(struct dataset_sink *s, const struct hash *checksum,
                             const char **ret_cause, struct sr_err *err) {
    size_t n;
    struct hash got = sha256_end(&s->sum);
    if (!hash_eq(&got, checksum)) {
        *ret_cause = "PRE_COMPUTE_INVALID_DATASET_CHECKSUM";
        return sr_fail(err, SR_E_CRYPTO, "the data set is not what its checksum on the chain says");
    }
    *ret_cause = "PRE_COMPUTE_DATASET_DECRYPTION_FAILED";
    if (!s->started || aes_cbc_end(&s->aes, s->plain, &n, NULL) != SR_OK)
        return sr_fail(err, SR_E_CRYPTO,
                       "the data set does not open with the key its owner stored");
    *ret_cause = "PRE_COMPUTE_SAVING_PLAIN_DATASET_FAILED";
    return put_plain(s, n, err);
}

/* Of a bulk: the task goes on without it, and says so. */
static sr_status go_without(struct room *r, struct task_dataset *d, const struct dataset_sink *s,
                            const char *cause) {
    cleanup_close int dir = open(JAIL_IN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *code = !s->any ? "DATASET_MISSING"
                       : strcmp(cause, "PRE_COMPUTE_INVALID_DATASET_CHECKSUM") == 0
                           ? "DATASET_CHECKSUM"
                           : "DATASET_UNREADABLE";
    (void)snprintf(d->outcome, sizeof d->outcome, "%s", code);
    jail_as_app(&r->jail);
    bool gone = dir >= 0 && unlinkat(dir, dataset_file(d).s, 0) == 0;
    jail_as_room();
    return gone ? SR_OK : SR_E_SYS;
}

static sr_status take_dataset(struct room *r, size_t i, struct sr_err *err) {
    struct task_dataset *d = &r->task.datasets[i];
    struct dataset_sink s = {.key = &d->key};
    struct door_input head;
    const char *cause = "PRE_COMPUTE_DATASET_DOWNLOAD_FAILED";
    s.fd = make_input(r, dataset_file(d).s);
    s.plain = malloc(DOOR_DATA_MAX + AES_IV_BYTES);
    sr_status st = s.fd < 0   ? sr_fail(err, SR_E_SYS, "making a data set's file")
                   : !s.plain ? sr_fail(err, SR_E_NOMEM, "data set")
                              : sha256_init(&s.sum, err);
    if (st == SR_OK) st = expect_input(r, DOOR_DATASET, i, &head, err);
    if (st == SR_OK) st = room_recv_data(r, &head, r->begin.disk_bytes, dataset_data, &s, err);
    bool bad_data = st == SR_OK;
    if (st == SR_E_TOOBIG) s.write_failed = true; /* it cannot fit */
    if (st == SR_OK) st = dataset_end(&s, &d->checksum, &cause, err);
    if (s.write_failed) {
        sr_hint(err, "the data set needs more room than this worker gives (--output)");
        cause = "PRE_COMPUTE_SAVING_PLAIN_DATASET_FAILED";
        bad_data = false;
    }
    aes_cbc_drop(&s.aes);
    sha256_drop(&s.sum);
    if (s.plain) explicit_bzero(s.plain, DOOR_DATA_MAX + AES_IV_BYTES);
    free(s.plain);
    secret_free(&d->key); /* its work is done */
    if (s.fd >= 0) (void)close(s.fd);
    if (st != SR_OK && bad_data && r->task.bulk && go_without(r, d, &s, cause) == SR_OK) {
        if (err) *err = (struct sr_err){0};
        return SR_OK;
    }
    return st == SR_OK ? st : fail_task(r, cause, bad_data ? BLAME_DATA : BLAME_HOST, st);
}

/* ---- the requester's input files: public; checked where their name is their content ---- */

struct input_sink {
    int fd;
    struct dag_builder *dag; /* NULL: not an IPFS location, nothing to check it against */
    struct sha256 raw;       /* for raw-codec identifiers */
};

static sr_status input_data(void *arg, struct slice data, struct sr_err *err) {
    struct input_sink *s = arg;
    if (s->dag) {
        SR_TRY(dag_add(s->dag, data, err));
        sha256_add(&s->raw, data);
    }
    return fd_write_all(s->fd, data.p, data.n, err);
}

static sr_status input_check(struct input_sink *s, const struct cid *want, struct sr_err *err) {
    struct dag_result got;
    SR_TRY(dag_end(s->dag, &got, err));
    struct hash raw = sha256_end(&s->raw);
    if (cid_eq(&got.cid, want) || (want->codec == CID_RAW && hash_eq(&raw, &want->digest)))
        return SR_OK;
    return sr_fail(err, SR_E_CRYPTO, "an input file is not what its CID says");
}

static sr_status take_input(struct room *r, size_t i, struct sr_err *err) {
    const char *url = r->task.inputs[i];
    struct input_sink s = {.fd = -1};
    struct door_input head;
    struct cid cid;
    struct slice rest = {0};
    bool ipfs = ipfs_path_parse(slice_str(url), &cid, &rest, NULL) == SR_OK;
    sr_status st = SR_OK;
    if (ipfs && rest.n > 0) {
        st = sr_fail(err, SR_E_USAGE, "an input file below a CID cannot be checked");
        sr_hint(err, "give the file's own CID: /ipfs/CID");
        return fail_task(r, "PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED", BLAME_REQUESTER, st);
    }
    if (ipfs) st = dag_new(NULL, NULL, &s.dag, err);
    if (st == SR_OK && ipfs) st = sha256_init(&s.raw, err);
    if (st == SR_OK && (s.fd = make_input(r, input_file(url).s)) < 0)
        st = sr_fail(err, SR_E_SYS, "making an input file");
    if (st == SR_OK) st = expect_input(r, DOOR_INPUT, i, &head, err);
    if (st == SR_OK) st = room_recv_data(r, &head, r->begin.disk_bytes, input_data, &s, err);
    if (st == SR_OK && ipfs) st = input_check(&s, &cid, err);
    sha256_drop(&s.raw);
    dag_free(s.dag);
    if (s.fd >= 0) (void)close(s.fd);
    return st == SR_OK ? st
                       : fail_task(r, "PRE_COMPUTE_INPUT_FILE_DOWNLOAD_FAILED", BLAME_HOST, st);
}

/* The app finds what became of each, beside the data. */
static sr_status tell_outcomes(struct room *r, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, OUTCOMES_MAX);
    outcomes_json(&r->task, &b);
    SR_TRY(buf_status(&b, err));
    cleanup_close int fd = make_input(r, OUTCOMES_FILE);
    sr_status st = fd < 0 ? sr_fail(err, SR_E_SYS, "making the list of data sets")
                          : fd_write_all(fd, b.p, b.n, err);
    return st == SR_OK ? st
                       : fail_task(r, "PRE_COMPUTE_SAVING_PLAIN_DATASET_FAILED", BLAME_HOST, st);
}

sr_status stage_inputs(struct room *r, struct sr_err *err) {
    for (size_t i = 0; i < r->task.n_datasets; i++)
        if (r->task.datasets[i].outcome[0] == 0) SR_TRY(take_dataset(r, i, err));
    if (r->task.bulk) SR_TRY(tell_outcomes(r, err));
    for (size_t i = 0; i < r->task.n_inputs; i++) SR_TRY(take_input(r, i, err));
    return SR_OK;
}
