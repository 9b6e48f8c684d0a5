/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar.h - strict tar entries in, deterministic tar entries out (private to oci)
 *
 * Reads ustar with pax (path, linkpath, size) and GNU long names; refuses sparse files, devices,
 * fifos, faulty checksums, and an archive without its two closing zero blocks.
 *
 * Limits: TAR_*.  Allocates: the current entry's names.
 */
#pragma once
#include "oci/oci.h"

#define TAR_BLOCK   512u
#define TAR_EXT_MAX (64u << 10) /* bytes of one pax header or long name */

/* Reads n bytes; fewer only at the end of the stream. */
typedef sr_status (*tar_read_fn)(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err);

typedef enum { TAR_FILE, TAR_DIR, TAR_SYMLINK, TAR_HARDLINK } tar_type;
struct tar_entry {
    tar_type type;
    const char *path; /* as tar_path_clean leaves it; "" is the root folder; owned by the reader */
    const char *link; /* SYMLINK: as written; HARDLINK: cleaned */
    uint64_t size;    /* FILE: bytes that follow */
    unsigned mode;    /* permission bits only */
};
struct tar_reader {
    tar_read_fn read;
    sr_status (*skip)(void *arg, uint64_t n, struct sr_err *err); /* NULL: by reading */
    void *arg;
    uint64_t left; /* data bytes of the current entry not read yet */
    unsigned pad;
    struct buf path, link; /* of the current entry */
    struct tar_entry entry;
};
void tar_reader_init(struct tar_reader *t, tar_read_fn read, void *arg);
void tar_reader_done(struct tar_reader *t);
/* *ret_e NULL at the end of the archive; skips what was left of the entry before. */
SR_CHECK sr_status tar_next(struct tar_reader *t, const struct tar_entry **ret_e,
                            struct sr_err *err);
/* Data of the current file: 1..n bytes, *ret_n 0 when all was read. */
SR_CHECK sr_status tar_data(struct tar_reader *t, void *p, size_t n, size_t *ret_n,
                            struct sr_err *err);

/*
 * Cleans a path in place of dst (OCI_MAX_PATH + 1 bytes): no leading "/" or "./", no empty or "."
 * segment; false for "..", a NUL, a segment over 255 bytes, too long or too deep a path.
 */
SR_CHECK bool tar_path_clean(struct slice path, char *dst);

/* Appends the header of an entry: owner 0:0, time 0, a pax header in front where ustar has no room.
 */
void tar_put_header(struct buf *b, tar_type type, const char *path, uint64_t size, unsigned mode);
/* The same of a link; target at most TAR_LINK_MAX bytes. */
#define TAR_LINK_MAX 99u
void tar_put_link(struct buf *b, const char *path, const char *target);
/* Bytes that tar_put_header appends for such a path and size. */
size_t tar_header_bytes(tar_type type, const char *path, uint64_t size);
static inline size_t tar_padding(uint64_t size) {
    return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}
