/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result.h - from /iexec_out to a digest, an archive, and its encryption
 *
 * Depends on: base, crypto, zip.  Used by: room's main, after the app has ended.
 * Every failure is the app's or the requester's and has a cause of execution.md in *ret_cause.
 * SPEC: execution.md#11-computedjson--computed-jsonjson, execution.md#12-post-compute
 */
#pragma once
#include "crypto/crypto.h"

#define RESULT_COMPUTED_MAX (1u << 20) /* bytes of computed.json */
#define RESULT_NAME_MAX     31u        /* bytes of a file name */
#define RESULT_FILES_MAX    100000u
#define RESULT_DEPTH_MAX    32u

struct computed {
    struct hash digest;
    struct buf callback; /* bytes for the chain; n 0 without. Owned: computed_done */
};
/* out_fd is the results folder. has_callback: the deal has one, so callback-data is the result. */
SR_CHECK sr_status result_compute(int out_fd, bool has_callback, struct computed *ret,
                                  const char **ret_cause, struct sr_err *err);
void computed_done(struct computed *c);

typedef sr_status (*result_sink)(void *arg, struct slice data, struct sr_err *err);
/* Writes the archive of all regular files below out_fd, encrypted to public_pem unless NULL. */
SR_CHECK sr_status result_archive(int out_fd, const char *public_pem, result_sink sink, void *arg,
                                  const char **ret_cause, struct sr_err *err);
