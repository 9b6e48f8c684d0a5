/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An encrypted result taken as it comes: hashed, decrypted and unpacked while it is downloaded,
 * each byte written to the disk once. Until all of it is known to be what the task's CID says, and
 * both archives are judged, its files have no names; then they get them. What can't be read so is
 * told by SR_E_MALFORMED and read the other way (result.c).
 *
 * Two blocks by turns: while one is being received, the other is hashed and unpacked by two
 * threads.
 */
#include "sdk/sdk_int.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BLOCK     (2 * IPFS_CHUNK)
#define FILES_MAX 64 /* open at once */
#define KEY_FILE  "aes-key.rsa"
#define BODY_FILE "iexec_out.zip.aes"
#define KEY_MAX   1000
#define PLAIN     (128u * 1024)

struct block {
    uint8_t *p;
    size_t n;
};

struct result_flow {
    struct sr_client *c;
    struct slice secret_pem;
    int root;
    struct block block[2];
    size_t filling;
    struct fiber_work *hashing, *unpacking;
    struct slice given; /* the block that both threads have */
    struct dag_builder *dag;
    sr_status dag_st, flow_st;
    struct sr_err dag_err, flow_err;
    uint64_t done, total;
    /* the unpacking thread's */
    struct zip_flow *outer, *inner;
    const struct zip_reader *entries; /* of the inner one */
    enum { WANT_KEY, IN_KEY, WANT_BODY, IN_BODY, HAVE_ALL } stage;
    struct buf sealed;
    struct sr_secret key;
    struct aes_cbc aes;
    uint8_t iv[AES_IV_BYTES];
    size_t iv_n;
    uint8_t plain[PLAIN + 32];
    uint64_t bytes, room;
    int file[FILES_MAX];
    bool folder[FILES_MAX];
    size_t n;
};

static sr_status odd(struct sr_err *err) {
    return sr_fail(err, SR_E_MALFORMED, "a result of another shape");
}

/* ---- the files ---- */

static sr_status file_begin(void *arg, struct slice name, struct sr_err *err) {
    struct result_flow *f = arg;
    if (f->n == FILES_MAX) return odd(err);
    bool folder = name.n > 0 && name.p[name.n - 1] == '/';
    int fd = folder ? -1 : openat(f->root, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (!folder && fd < 0) return odd(err); /* a file system without unnamed files */
    f->folder[f->n] = folder;
    f->file[f->n++] = fd;
    return SR_OK;
}

static sr_status file_data(void *arg, struct slice data, struct sr_err *err) {
    struct result_flow *f = arg;
    if (f->folder[f->n - 1]) return odd(err);
    if (data.n > f->room) {
        sr_hint(err, "make room on the disk, or choose a folder on another with -o");
        return sr_fail(err, SR_E_TOOBIG, "the result is larger than the room on the disk");
    }
    f->room -= data.n;
    f->bytes += data.n;
    return fd_write_all(f->file[f->n - 1], data.p, data.n, err);
}

static sr_status file_end(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    return SR_OK;
}

/* ---- the encrypted archive ---- */

static sr_status outer_begin(void *arg, struct slice name, struct sr_err *err) {
    static const struct zip_flow_ops ops = {file_begin, file_data, file_end};
    struct result_flow *f = arg;
    if (f->stage == WANT_KEY && slice_is(name, KEY_FILE)) {
        f->stage = IN_KEY;
        return SR_OK;
    }
    if (f->stage != WANT_BODY || !slice_is(name, BODY_FILE)) return odd(err);
    f->stage = IN_BODY;
    return zip_flow_new(&ops, f, UINT64_MAX, &f->inner, err);
}

static sr_status decrypt_some(struct result_flow *f, struct slice data, struct sr_err *err) {
    size_t n = AES_IV_BYTES - f->iv_n < data.n ? AES_IV_BYTES - f->iv_n : data.n;
    if (n > 0) {
        memcpy(f->iv + f->iv_n, data.p, n);
        f->iv_n += n;
        data = slice_of(data.p + n, data.n - n);
        if (f->iv_n == AES_IV_BYTES) SR_TRY(aes_cbc_init(&f->aes, false, &f->key, f->iv, err));
    }
    while (data.n > 0) {
        size_t take = data.n < PLAIN ? data.n : PLAIN;
        SR_TRY(aes_cbc_add(&f->aes, slice_of(data.p, take), f->plain, &n, err));
        SR_TRY(zip_flow_add(f->inner, slice_of(f->plain, n), err));
        data = slice_of(data.p + take, data.n - take);
    }
    return SR_OK;
}

static sr_status outer_data(void *arg, struct slice data, struct sr_err *err) {
    struct result_flow *f = arg;
    if (f->stage == IN_BODY) return decrypt_some(f, data, err);
    buf_add(&f->sealed, data);
    return f->sealed.bad == SR_OK ? SR_OK : odd(err);
}

static sr_status outer_end(void *arg, struct sr_err *err) {
    struct result_flow *f = arg;
    size_t n = 0;
    if (f->stage == IN_KEY) {
        f->stage = WANT_BODY;
        return sdk_result_key(f->secret_pem, buf_slice(&f->sealed), &f->key, err);
    }
    f->stage = HAVE_ALL;
    if (f->iv_n < AES_IV_BYTES) return odd(err);
    if (aes_cbc_end(&f->aes, f->plain, &n, NULL) != SR_OK) return odd(err);
    SR_TRY(zip_flow_add(f->inner, slice_of(f->plain, n), err));
    return zip_flow_end(f->inner, NULL, &f->entries, err);
}

/* ---- blocks ---- */

static void hash_block(void *arg) {
    struct result_flow *f = arg;
    f->dag_st = dag_add(f->dag, f->given, &f->dag_err);
}

static void unpack_block(void *arg) {
    struct result_flow *f = arg;
    f->flow_st = zip_flow_add(f->outer, f->given, &f->flow_err);
}

static void wait_both(struct result_flow *f) {
    fiber_work_wait(sr_take_ptr(f->hashing));
    fiber_work_wait(sr_take_ptr(f->unpacking));
}

static sr_status how_it_went(struct result_flow *f, struct sr_err *err) {
    wait_both(f);
    if (f->dag_st != SR_OK || f->flow_st != SR_OK) {
        if (err) *err = f->dag_st != SR_OK ? f->dag_err : f->flow_err;
        return f->dag_st != SR_OK ? f->dag_st : f->flow_st;
    }
    return SR_OK;
}

static sr_status give_block(struct result_flow *f, struct sr_err *err) {
    struct block *b = &f->block[f->filling];
    SR_TRY(how_it_went(f, err));
    f->given = slice_of(b->p, b->n);
    f->filling = 1 - f->filling;
    f->block[f->filling].n = 0;
    SR_TRY(fiber_work_start(hash_block, f, &f->hashing, err));
    return fiber_work_start(unpack_block, f, &f->unpacking, err);
}

static uint8_t *room(void *arg, size_t *ret_n) {
    struct result_flow *f = arg;
    struct block *b = &f->block[f->filling];
    *ret_n = BLOCK - b->n;
    return b->p + b->n;
}

static sr_status take(void *arg, struct slice data, struct sr_err *err) {
    struct result_flow *f = arg;
    f->done += data.n;
    sdk_progress(f->c, "download", NULL, f->done, f->total, NULL);
    struct block *b = &f->block[f->filling];
    b->n += data.n; /* it is there: see room */
    return b->n == BLOCK ? give_block(f, err) : SR_OK;
}

/* ---- names ---- */

static sr_status name_files(struct result_flow *f, const char *dir, struct sr_err *err) {
    for (size_t i = 0; i < f->n; i++)
        SR_TRY(sdk_unpack_free(f->root, dir, zip_item_at(f->entries, i), err));
    for (size_t i = 0; i < f->n; i++)
        SR_TRY(sdk_unpack_name(f->root, zip_item_at(f->entries, i), f->file[i], err));
    return SR_OK;
}

static sr_status finish(struct result_flow *f, const struct cid *want, struct sr_err *err) {
    const struct zip_reader *outer = NULL;
    struct dag_result made;
    if (f->block[f->filling].n > 0) SR_TRY(give_block(f, err));
    SR_TRY(how_it_went(f, err));
    SR_TRY(dag_end(f->dag, &made, err));
    if (!cid_eq(&made.cid, want)) { /* before anything about what is in it */
        sr_hint(err, "the store gave other bytes than the worker stored there");
        return sr_fail(err, SR_E_CRYPTO, "%s holds other bytes than its CID says",
                       cid_text(want).s);
    }
    SR_TRY(zip_flow_end(f->outer, NULL, &outer, err));
    return f->stage == HAVE_ALL && f->entries ? SR_OK : odd(err);
}

static sr_status start(struct result_flow *f, const char *dir, struct sr_err *err) {
    static const struct zip_flow_ops ops = {outer_begin, outer_data, outer_end};
    struct statvfs v;
    for (size_t i = 0; i < 2; i++) {
        f->block[i].p = malloc(BLOCK);
        if (!f->block[i].p) return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    f->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->root < 0) return sr_fail(err, SR_E_SYS, "can't open the folder %s", dir);
    f->room = fstatvfs(f->root, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : UINT64_MAX;
    SR_TRY(dag_new(NULL, NULL, &f->dag, err));
    SR_TRY(zip_flow_new(&ops, f, f->total, &f->outer, err));
    zip_flow_known(f->outer); /* its CID */
    return SR_OK;
}

static void flow_free(struct result_flow *f) {
    wait_both(f);
    zip_flow_free(f->inner);
    zip_flow_free(f->outer);
    dag_free(f->dag);
    aes_cbc_drop(&f->aes);
    secret_free(&f->key);
    buf_done(&f->sealed);
    for (size_t i = 0; i < f->n; i++)
        if (f->file[i] >= 0) (void)close(f->file[i]);
    for (size_t i = 0; i < 2; i++) free(f->block[i].p);
    if (f->root >= 0) (void)close(f->root);
    explicit_bzero(f->plain, sizeof f->plain);
    free(f);
}

sr_status sdk_result_flow(struct sr_client *c, const char *location, uint64_t bytes,
                          struct slice secret_pem, const char *dir, size_t *ret_files,
                          uint64_t *ret_bytes, struct sr_err *err) {
    const struct ipfs_get_opts o = {.unverified = true, .room = room}; /* hashed here */
    struct cid cid;
    SR_TRY(sdk_result_location(slice_str(location), &cid, err));
    if (cid.codec != CID_DAG_PB) return odd(err);
    struct result_flow *f = sr_calloc_n(1, sizeof *f);
    if (!f) return sr_fail(err, SR_E_NOMEM, "out of memory");
    f->c = c;
    f->secret_pem = secret_pem;
    f->total = bytes;
    f->root = -1;
    buf_init(&f->sealed, KEY_MAX);
    sr_status st = start(f, dir, err);
    if (st == SR_OK) st = ipfs_get(c->net.ipfs_gateway, slice_str(location), &o, take, f, err);
    if (st == SR_OK) st = finish(f, &cid, err);
    if (st == SR_OK) {
        sdk_progress(c, "decrypt", NULL, 0, 0, NULL);
        st = name_files(f, dir, err);
    }
    size_t files = 0;
    for (size_t i = 0; i < f->n; i++) files += !f->folder[i];
    uint64_t all = f->bytes;
    flow_free(f);
    SR_TRY(st);
    *ret_files = files;
    *ret_bytes = all;
    return SR_OK;
}
