/* SPDX-License-Identifier: Apache-2.0 */
/* zip_int.h - the records of the format; private to this folder */
#pragma once
#include "zip/zip.h"

#define SIG_LOCAL      0x04034b50u
#define SIG_CENTRAL    0x02014b50u
#define SIG_END        0x06054b50u
#define SIG_END64      0x06064b50u
#define SIG_LOCATOR64  0x07064b50u
#define SIG_DESCRIPTOR 0x08074b50u

#define LOCAL_BYTES   30u
#define CENTRAL_BYTES 46u
#define END_BYTES     22u
#define END64_BYTES   56u
#define LOCATOR_BYTES 20u
#define COMMENT_MAX   65535u

#define FLAG_ENCRYPTED  0x0001u
#define FLAG_DESCRIPTOR 0x0008u
#define FLAG_UTF8       0x0800u

#define EXTRA_ZIP64 0x0001u
#define MAX32       0xffffffffu
#define MAX16       0xffffu

/* Parts of an archive, where they stand in it; sorted, apart. */
struct zip_seg {
    uint64_t at;
    size_t from, n; /* in bytes */
};
struct zip_frame {
    struct buf bytes;
    struct zip_seg *seg;
    size_t n;
};
/* zip_open_bytes over an archive of `size` bytes of which only the frame is there: what is not is
 * SR_E_MALFORMED when it is looked at. Borrows the frame for the reader's life. */
SR_CHECK sr_status zip_open_frame(const struct zip_frame *frame, uint64_t size,
                                  const struct zip_limits *limits, struct zip_reader **ret,
                                  struct sr_err *err);
uint64_t zip_data_at(const struct zip_item *item); /* offset of an entry's data */

/* Relative, no empty, "." or ".." segment, no backslash or NUL; folders end with one '/'. */
bool zip_name_ok(struct slice name, bool folder);
