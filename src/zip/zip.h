/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zip.h - a streaming zip writer and a strict reader
 *
 * The writer makes what the official clients make and read: for protected data, stored entries with
 * sizes and checksums in front (dataprotector.md 3.4); for results, deflated ones. The reader takes
 * what they make and refuses what two readers could understand in two ways: overlapping or
 * duplicate entries, headers that disagree, sizes that lie, names that leave the folder.
 *
 * Depends on: base, zlib.  Used by: room (writer), sdk, cli, iApps (reader).
 * Limits: ZIP_* below.  Memory: constant, and the central directory.
 */
#pragma once
#include "base/base.h"

#define ZIP_NAME_MAX    1024u       /* bytes of a name */
#define ZIP_ENTRIES_MAX (1u << 20)  /* of an archive */
#define ZIP_DIR_MAX     (64u << 20) /* bytes of the central directory */

typedef enum { ZIP_STORED = 0, ZIP_DEFLATED = 8 } zip_method;
typedef sr_status (*zip_sink_fn)(void *arg, struct slice data, struct sr_err *err);

/* CRC-32 of more bytes; start from 0. */
uint32_t zip_crc32(uint32_t crc, struct slice data);

/* ---- writing
 * ---------------------------------------------------------------------------------------------- */

struct zip_writer; /* owned: zip_writer_free */
/* unix_ms: the time in all entries, in UTC, two-second steps; 0: 1980-01-01 (same input, same
 * bytes). */
SR_CHECK sr_status zip_writer_new(zip_sink_fn sink, void *arg, uint64_t unix_ms,
                                  struct zip_writer **ret, struct sr_err *err);
/* What is known of a stored entry before its bytes come. */
struct zip_known {
    uint64_t size;
    uint32_t crc;
};
/*
 * zip_begin - starts an entry; then zip_write, zip_end
 *
 * name    relative, '/' between segments, no "." or "..", not empty (SR_E_MALFORMED)
 * known   of stored entries: goes in the header in front of the bytes, and zip_end fails with
 *         SR_E_CONFLICT when the bytes were others (a file that changed meanwhile). NULL: a data
 *         descriptor follows the bytes.
 * size_hint  most bytes that can come when known is NULL (decides zip64 form); UINT64_MAX: any.
 */
SR_CHECK sr_status zip_begin(struct zip_writer *w, struct slice name, zip_method method,
                             const struct zip_known *known, uint64_t size_hint, struct sr_err *err);
SR_CHECK sr_status zip_write(struct zip_writer *w, struct slice data, struct sr_err *err);
SR_CHECK sr_status zip_end(struct zip_writer *w, struct sr_err *err);
/* "a/b/": an entry for a folder. */
SR_CHECK sr_status zip_folder(struct zip_writer *w, struct slice name, struct sr_err *err);
/* A whole entry from memory, sizes in front. */
SR_CHECK sr_status zip_file(struct zip_writer *w, struct slice name, zip_method method,
                            struct slice data, struct sr_err *err);
/* Writes the central directory; nothing may follow. */
SR_CHECK sr_status zip_finish(struct zip_writer *w, struct sr_err *err);
void zip_writer_free(struct zip_writer *w); /* accepts NULL, at any point */
/* Bytes of an archive of stored entries with known sizes: sum of zip_stored_bytes(name) + size, and
 * ZIP_END_BYTES. Valid below 4 GiB and 65535 entries (no zip64 parts). */
#define ZIP_END_BYTES 22u
static inline uint64_t zip_stored_bytes(struct slice name) {
    return 30u + 46u + 2u * (uint64_t)name.n;
}

/* ---- reading
 * ---------------------------------------------------------------------------------------------- */

struct zip_limits {       /* 0: the default */
    size_t entries;       /* ZIP_ENTRIES_MAX */
    uint64_t entry_bytes; /* of one entry, unpacked; no bound */
    uint64_t total_bytes; /* of all, unpacked; no bound */
};
struct zip_item {
    struct slice name; /* borrowed from the reader; folders end with '/' */
    bool folder;
    zip_method method;
    uint32_t crc;
    uint64_t size;   /* unpacked */
    uint64_t packed; /* in the archive */
    uint64_t at;     /* offset of its local header */
};
struct zip_reader; /* owned: zip_reader_free */
/* fd is borrowed for the reader's life and read by offset only. SR_E_MALFORMED, SR_E_TOOBIG. */
SR_CHECK sr_status zip_open_fd(int fd, const struct zip_limits *limits, struct zip_reader **ret,
                               struct sr_err *err);
/* bytes are borrowed for the reader's life. */
SR_CHECK sr_status zip_open_bytes(struct slice bytes, const struct zip_limits *limits,
                                  struct zip_reader **ret, struct sr_err *err);
void zip_reader_free(struct zip_reader *r); /* accepts NULL */
size_t zip_count(const struct zip_reader *r);
const struct zip_item *zip_item_at(const struct zip_reader *r, size_t i); /* in archive order */
const struct zip_item *zip_find(const struct zip_reader *r, const char *name); /* NULL: absent */
/* Unpacks into sink; size and CRC are checked: what sink got is worthless unless SR_OK. */
SR_CHECK sr_status zip_extract(const struct zip_reader *r, const struct zip_item *item,
                               zip_sink_fn sink, void *arg, struct sr_err *err);
/* Appends to ret, bounded by ret->max. */
SR_CHECK sr_status zip_extract_bytes(const struct zip_reader *r, const struct zip_item *item,
                                     struct buf *ret, struct sr_err *err);

/* ---- reading as it comes
 * ---------------------------------------------------------------------------------------------- */

/*
 * An archive whose entries are unpacked in passing, in their order, without keeping it. What came
 * of it is worthless until zip_flow_end has judged the whole as strictly as zip_open would.
 * SR_E_MALFORMED also for sound archives that can't be read so (keep them, and use zip_open):
 * stored entries of unknown length that are not the last, or come when the total is unknown;
 * thousands of entries.
 */
struct zip_flow; /* owned: zip_flow_free */
struct zip_flow_ops {
    /* The name is as it came: judged at the end, when the reader has it. */
    sr_status (*begin)(void *arg, struct slice name, struct sr_err *err);
    sr_status (*data)(void *arg, struct slice data, struct sr_err *err);
    sr_status (*end)(void *arg, struct sr_err *err);
};
/* total: bytes of the archive, UINT64_MAX when that is not known. */
SR_CHECK sr_status zip_flow_new(const struct zip_flow_ops *ops, void *arg, uint64_t total,
                                struct zip_flow **ret, struct sr_err *err);
/* The caller checks all bytes of the archive by a stronger sum: their CRCs are not computed. Before
 * the first byte. */
void zip_flow_known(struct zip_flow *f);
SR_CHECK sr_status zip_flow_add(struct zip_flow *f, struct slice in, struct sr_err *err);
/* After the last byte. *ret: the entries in the order in which they passed; borrowed from f, for
 * looking only. */
SR_CHECK sr_status zip_flow_end(struct zip_flow *f, const struct zip_limits *limits,
                                const struct zip_reader **ret, struct sr_err *err);
void zip_flow_free(struct zip_flow *f); /* accepts NULL, at any point */
