/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A result: download (checked against its CID), decrypt, unpack. In one pass where the archive
 * allows it (result_flow.c), else one after the other, through unnamed files.
 */
#include "base/failure.h"
#include "sdk/sdk_int.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOLD_MAX (1u << 20) /* bytes; a room gives 64 KiB */

struct result_args {
    struct sr_client *c;
    const char *task, *dir;
    struct sr_result *ret;
};

struct download {
    struct sr_client *c;
    int fd;
    uint64_t done, total;
};

static sr_status keep(void *arg, struct slice data, struct sr_err *err) {
    struct download *d = arg;
    d->done += data.n;
    sdk_progress(d->c, "download", NULL, d->done, d->total, NULL);
    return fd_write_all(d->fd, data.p, data.n, err);
}

/* A worker wrote it on the chain: nothing but a name of content, which says itself whether we got
 * it. A URL would have us call any address that a stranger chooses. */
sr_status sdk_result_location(struct slice location, struct cid *ret_cid, struct sr_err *err) {
    if (slice_starts(location, "/ipfs/") &&
        cid_parse(slice_of(location.p + 6, location.n - 6), ret_cid, NULL) == SR_OK)
        return SR_OK;
    sr_hint(err, "the worker wrote this location; the requester can ask its workerpool's operator");
    return sr_fail(err, SR_E_REFUSED, "the result's location is not /ipfs/ and a CID: '%.*s'",
                   (int)(location.n < 100 ? location.n : 100), (const char *)location.p);
}

static sr_status size_of(struct sr_client *c, const char *location, uint64_t *ret_bytes,
                         struct sr_err *err) {
    struct cid cid;
    SR_TRY(sdk_result_location(slice_str(location), &cid, err));
    SR_TRY(sdk_service(c, c->net.ipfs_gateway, "ipfsGateway", err));
    sr_status st = ipfs_head(c->net.ipfs_gateway, slice_str(location), ret_bytes, err);
    if (st == SR_E_NOTFOUND) sr_why(err, SR_F_RESULT_FILE_MISSING);
    if (st == SR_E_NOTFOUND) sr_hint(err, "the store may have dropped old results");
    return st;
}

static sr_status fetch(struct sr_client *c, const char *location, uint64_t bytes, int fd,
                       struct sr_err *err) {
    struct download d = {.c = c, .fd = fd};
    d.total = bytes == UINT64_MAX ? 0 : bytes;
    struct ipfs_get_opts o = {0};
    sr_status st = ipfs_get(c->net.ipfs_gateway, slice_str(location), &o, keep, &d, err);
    if (st == SR_E_CRYPTO) sr_hint(err, "the store gave other bytes than the worker stored there");
    return st;
}

/* Who can decrypt: the beneficiary of the task's deal. */
static sr_status beneficiary_of(struct sr_client *c, const struct hash *task, struct addr *ret_a,
                                struct sr_err *err) {
    cleanup_task struct poco_task t = {0};
    cleanup_deal struct poco_deal d = {0};
    SR_TRY(poco_view_task(&c->poco, task, (struct eth_at){0}, &t, err));
    SR_TRY(poco_view_deal(&c->poco, &t.deal, (struct eth_at){0}, &d, err));
    *ret_a = d.beneficiary;
    return SR_OK;
}

static sr_status decrypt(struct result_args *a, const struct hash *task,
                         const struct zip_reader *outer, int *ret_fd, struct sr_err *err) {
    cleanup_buf_wipe struct buf secret;
    cleanup_close int plain = -1;
    struct addr who;
    buf_init(&secret, 16384);
    SR_TRY(beneficiary_of(a->c, task, &who, err));
    SR_TRY(result_key_secret(a->c, &who, &secret, err));
    SR_TRY(sdk_temp_file(a->dir, &plain, err));
    sdk_progress(a->c, "decrypt", NULL, 0, 0, NULL);
    SR_TRY(sdk_decrypt_result(outer, buf_slice(&secret), plain, err));
    *ret_fd = sr_take_fd(plain);
    return SR_OK;
}

static sr_status unpack(struct result_args *a, const struct hash *task, int fd,
                        struct sr_err *err) {
    struct zip_reader *outer = NULL;
    cleanup_close int plain = -1;
    sr_status st = zip_open_fd(fd, NULL, &outer, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "Failed to load encrypted results zip file");
        return st;
    }
    bool encrypted = zip_find(outer, "aes-key.rsa") || zip_find(outer, "iexec_out.zip.aes");
    if (encrypted) st = decrypt(a, task, outer, &plain, err);
    zip_reader_free(outer);
    SR_TRY(st);
    a->ret->was_encrypted = encrypted;
    TEXT_PUT(a->ret->dir, slice_str(a->dir));
    return sdk_unpack(encrypted ? plain : fd, a->dir, 0, &a->ret->files, &a->ret->bytes, err);
}

/* SR_E_MALFORMED, SR_E_CRYPTO: not possible with this result; nothing was made. */
static sr_status in_one_pass(struct result_args *a, const struct hash *task, const char *location,
                             uint64_t bytes, struct sr_err *err) {
    cleanup_buf_wipe struct buf secret;
    struct addr who;
    buf_init(&secret, 16384);
    SR_TRY(beneficiary_of(a->c, task, &who, err));
    /* Without a key there is nothing to decrypt in passing: perhaps it is not encrypted. */
    if (result_key_secret(a->c, &who, &secret, NULL) != SR_OK)
        return sr_fail(err, SR_E_MALFORMED, "no key");
    SR_TRY(sdk_result_flow(a->c, location, bytes, buf_slice(&secret), a->dir, &a->ret->files,
                           &a->ret->bytes, err));
    a->ret->was_encrypted = true;
    TEXT_PUT(a->ret->dir, slice_str(a->dir));
    return SR_OK;
}

/* The result of a run with a callback is on the chain: what the contract was told. */
static sr_status get_told(struct result_args *a, const struct hash *task, struct sr_err *err) {
    cleanup_buf struct buf told;
    buf_init(&told, TOLD_MAX);
    SR_TRY(poco_result_for(&a->c->poco, task, (struct eth_at){0}, &told, err));
    cleanup_free char *path = path_join(a->dir, "callback-data");
    if (!path) return sr_fail(err, SR_E_NOMEM, "out of memory");
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        sr_hint(err, "choose another folder with -o");
        return sr_fail(err, errno == EEXIST ? SR_E_CONFLICT : SR_E_SYS, "can't make %s", path);
    }
    SR_TRY(fd_write_all(fd, told.p, told.n, err));
    a->ret->files = 1;
    a->ret->bytes = told.n;
    a->ret->told = true;
    TEXT_PUT(a->ret->dir, slice_str(a->dir));
    return SR_OK;
}

static sr_status get(void *arg, struct sr_err *err) {
    struct result_args *a = arg;
    struct hash task;
    struct sr_task t;
    SR_TRY(sdk_hash_arg(a->task, "task", &task, err));
    SR_TRY(task_show(a->c, &task, &t, err));
    if (strcmp(t.status, "COMPLETED") != 0) {
        sr_why_text(err, t.cause);
        if (!t.cause[0])
            sr_why(err, strcmp(t.status, "FAILED") == 0    ? SR_F_TASK_CLAIMED
                        : strcmp(t.status, "TIMEOUT") == 0 ? SR_F_FINAL_DEADLINE_REACHED
                                                           : SR_F_RESULT_NOT_READY);
        sr_hint(err,
                t.cause[0] ? "it will not have a result"
                           : "strongroom task wait %s waits for its end",
                a->task);
        return sr_fail(err, t.cause[0] ? SR_E_TASK : SR_E_REFUSED, "Task is not completed: %s%s%s",
                       t.status, t.cause[0] ? ", " : "", t.cause);
    }
    if (t.result_location[0] == 0)
        return sr_fail(err, SR_E_NOTFOUND, "No result uploaded for this task");
    sr_status made = fs_mkdirs(a->dir, 0700, err);
    if (made != SR_OK) sr_hint(err, "choose another folder with -o");
    if (made != SR_OK) return made;
    if (slice_starts(slice_str(t.result_location), "0x")) return get_told(a, &task, err);
    uint64_t bytes;
    struct sr_err why = {0};
    SR_TRY(size_of(a->c, t.result_location, &bytes, err));
    sr_status st = in_one_pass(a, &task, t.result_location, bytes, &why);
    /* What else is wrong with it is found in order: first its bytes, then the key. */
    if (st != SR_E_MALFORMED && st != SR_E_CRYPTO) {
        if (st != SR_OK && err) *err = why;
        return st;
    }
    cleanup_close int fd = -1;
    SR_TRY(sdk_temp_file(a->dir, &fd, err));
    SR_TRY(fetch(a->c, t.result_location, bytes, fd, err));
    return unpack(a, &task, fd, err);
}

sr_status sr_result_get(struct sr_client *c, const char *task, const char *out_dir,
                        struct sr_result *ret_r, struct sr_err *err) {
    struct sr_result r = {0};
    struct result_args a = {c, task, out_dir, &r};
    SR_TRY(sdk_call(c, get, &a, err));
    *ret_r = r;
    return SR_OK;
}
