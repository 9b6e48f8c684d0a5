/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blobs.h - files of the store, each in one piece under the hash of its tree
 *
 *   DIR/blobs/ab/abcd…   content of a file; its name is the digest of its CID, in hex
 *   DIR/dirs/abcd…       a folder's block
 *   DIR/tmp/             uploads in progress; emptied at the start
 *
 * A file appears under its name only when all of it is on disk (write, fsync, rename, fsync of the
 * folder): a crash leaves it whole or absent. Disk work is done on the thread pool.
 */
#pragma once
#include "ipfs/ipfs.h"
#include "net/net.h"

#define BLOB_PIECE   IPFS_CHUNK    /* bytes that pass through memory at a time */
#define BLOB_RESERVE (64ull << 20) /* of the disk, left free for everybody else */
#define UPLOADS_MAX  64u           /* at once */

struct blobs;
/* quota: bytes of content taken in all; UINT64_MAX: as the disk has room. Owned: blobs_close. */
SR_CHECK sr_status blobs_open(const char *dir, uint64_t quota, struct blobs **ret,
                              struct sr_err *err);
void blobs_close(struct blobs *b);       /* accepts NULL */
int blobs_dir_fd(const struct blobs *b); /* borrowed */

struct upload; /* owned: upload_end or upload_drop */
/* keep false: only the CID is wanted, nothing is stored. SR_E_UNAVAILABLE: too many at once. */
SR_CHECK sr_status upload_new(struct blobs *b, bool keep, struct upload **ret, struct sr_err *err);
/* Waits. data must not change meanwhile. SR_E_TOOBIG over the quota; SR_E_UNAVAILABLE: the disk is
 * full. */
SR_CHECK sr_status upload_add(struct upload *u, struct slice data, struct sr_err *err);
/* Waits until all is on disk under its name. Frees u, also on failure. */
SR_CHECK sr_status upload_end(struct upload *take_u, struct dag_result *ret, struct sr_err *err);
void upload_drop(struct upload *take_u); /* accepts NULL */
/* Also feeds what is added to *sum (borrowed until the upload ends), on the thread pool. */
void upload_sum(struct upload *u, struct sha256_lane *sum);
/* A folder's block. Waits. */
SR_CHECK sr_status blobs_put_dir(struct blobs *b, struct slice block, struct cid *ret,
                                 struct sr_err *err);

struct blob {
    int fd; /* owned by the caller */
    bool dir;
    uint64_t size;
};
/* SR_E_NOTFOUND when it is not here. */
SR_CHECK sr_status blob_open(const struct blobs *b, const struct cid *cid, struct blob *ret,
                             struct sr_err *err);
/* Resolves a path below a CID to a file or folder. SR_E_NOTFOUND. */
SR_CHECK sr_status blob_resolve(const struct blobs *b, const struct cid *root, struct slice path,
                                struct cid *ret_cid, struct blob *ret, struct sr_err *err);
/* Reads exactly n bytes at an offset. Waits. SR_E_SYS when the disk lost them. */
SR_CHECK sr_status blob_read(int fd, uint64_t at, void *p, size_t n, struct sr_err *err);

struct blobs_stat {
    uint64_t files, bytes, quota, disk_free;
};
void blobs_count(const struct blobs *b, struct blobs_stat *ret);
