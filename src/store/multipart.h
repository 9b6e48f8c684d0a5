/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multipart.h - multipart/form-data as it comes, without keeping it
 *
 * Depends on: base.  Limits: MULTIPART_*.  Memory: one buffer of MULTIPART_ROOM.
 */
#pragma once
#include "base/base.h"

#define MULTIPART_BOUNDARY_MAX 200u
#define MULTIPART_HEAD_MAX     (8u * 1024)   /* headers of one part */
#define MULTIPART_PIECE        (512u * 1024) /* content is handed on in such pieces: two chunks */
#define MULTIPART_PAGE         4096u
#define MULTIPART_ROOM         (MULTIPART_PIECE + 16u * 1024) /* and what may be a boundary */
#define MULTIPART_NAME_MAX     1024u                          /* bytes of a file's path */

/* Fills p with 1..n bytes; *ret_n 0 at the end. */
typedef sr_status (*multipart_read_fn)(void *arg, void *p, size_t n, size_t *ret_n,
                                       struct sr_err *err);
struct multipart; /* owned: multipart_free */
/* content_type: the request's; SR_E_MALFORMED unless multipart/form-data with a boundary. */
SR_CHECK sr_status multipart_new(struct slice content_type, multipart_read_fn read, void *arg,
                                 struct multipart **ret, struct sr_err *err);
void multipart_free(struct multipart *m); /* accepts NULL */

struct multipart_part {
    char path[MULTIPART_NAME_MAX + 1]; /* file name, percent-decoded; "" when there is none */
    bool folder;                       /* Content-Type: application/x-directory */
};
/* Goes to the next part (the last one's data must have been read to their end). *ret_more false
 * after the closing boundary. SR_E_MALFORMED, SR_E_TOOBIG. */
SR_CHECK sr_status multipart_next(struct multipart *m, struct multipart_part *ret_part,
                                  bool *ret_more, struct sr_err *err);
/* More of the part's data, valid until the next call; empty at its end. */
SR_CHECK sr_status multipart_data(struct multipart *m, struct slice *ret_data, struct sr_err *err);
