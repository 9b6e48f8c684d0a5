/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure.h - the failure catalogue: what a code means, who can mend it, whether to try again
 *
 * One table, failure.def. sr_err.failure and the cause of a failed task are codes of it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <strongroom/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sr_failure {
    const char *code;  /* "DATA_NOT_GRANTED"; stable */
    const char *stage; /* check, schedule, release, fetch, run, result, settle, collect */
    const char *party; /* who can mend it: requester, app owner, data owner, workerpool, worker,
                          operator */
    bool retry;        /* the same request may succeed later without anybody changing anything */
    const char *cause; /* a sentence without capital and stop */
    const char *next;  /* what to do next */
};

/*
 * sr_failure_find - the line of a code
 *
 * text     borrows; "CODE" or "CODE: words", as a task's cause is; NULL: none
 *
 * Returns a static line, NULL when the code is not in the catalogue. Thread: any.
 */
SR_PUBLIC const struct sr_failure *sr_failure_find(const char *text);
/* The i-th line, in the table's order (by stage); NULL after the last. */
SR_PUBLIC const struct sr_failure *sr_failure_at(size_t i);

#ifdef __cplusplus
}
#endif
