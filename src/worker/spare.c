/* SPDX-License-Identifier: Apache-2.0 */
/* A room always waits in its jail, so that a task begins at once. */
#include "worker/worker_int.h"
#include <poll.h>

static bool has_ended(const struct door *d) {
    struct pollfd p = {.fd = d->room.pidfd, .events = POLLIN};
    return poll(&p, 1, 0) != 0;
}

sr_status door_open(struct worker *w, struct door **ret, struct sr_err *err) {
    struct door *d = sr_take_ptr(w->spare);
    if (d && has_ended(d)) {
        door_close(d);
        d = NULL;
    }
    if (!d) return door_launch(&w->launcher, ret, err);
    *ret = d;
    return SR_OK;
}

static void spare_fiber(void *arg) {
    struct worker *w = arg;
    struct sr_err err = {0};
    struct door *d = NULL;
    sr_status st = door_launch(&w->launcher, &d, &err);
    w->making_spare = false;
    if (st != SR_OK) {
        log_err(LOG_WARN, "room_spare", &err);
        return;
    }
    if (w->spare || net_stopping())
        door_close(d);
    else
        w->spare = d;
}

void door_spare_start(struct worker *w) {
    if (w->spare || w->making_spare || net_stopping()) return;
    w->making_spare = fiber_start(spare_fiber, w, NULL) == SR_OK;
}
