/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h - an app from start to end: its output, time, memory; and the worker, who may go away
 *
 * Depends on: jail.h.  Used by: room's main.  Limits: WATCH_*, WIRE_LOG_TAIL_MAX.
 */
#pragma once
#include "room/egress.h"
#include "room/jail.h"

#define WATCH_TICK_MS 20 /* between two looks at memory */

typedef enum {
    APP_EXITED,    /* code: exit status */
    APP_SIGNALLED, /* code: signal */
    APP_TIMED_OUT,
    APP_MEMORY,   /* over the limit */
    APP_ABANDONED /* the worker's end of the stream closed */
} app_how;
struct app_end {
    app_how how;
    uint32_t code;
    uint64_t peak_bytes;           /* resident, as far as seen */
    struct buf tail_out, tail_err; /* the last bytes of each; owned: app_end_done */
};
struct watch_limits {
    uint64_t memory_bytes;
    uint32_t seconds;
    int stream_fd;
    struct egress *egress; /* the app's connections are carried meanwhile; NULL: it has none */
};
/* Waits for the app's end or ends it; all its processes are gone on return. */
SR_CHECK sr_status app_watch(struct app_proc *p, const struct watch_limits *w,
                             struct app_end *ret_e, struct sr_err *err);
void app_end_done(struct app_end *e);
