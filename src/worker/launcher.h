/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launcher.h - starts a room in fresh namespaces (launcher `process`)
 *
 * Works as root (each room gets two user ids of its own, far from anybody's) and as an ordinary
 * user where the system allows user namespaces without privilege (the room is then that user,
 * outside of which it has no rights). The room is process 1 of a pid namespace: when it ends, or is
 * killed, nothing of it is left. It dies with the thread that launched it.
 *
 * Depends on: base, room/guard.h.  Used by: worker; the room's tests.  Blocks: about a millisecond.
 */
#pragma once
#include "base/base.h"
#include "worker/cgroup.h"
#include <sys/types.h>

struct launcher {
    int room_fd; /* the executable, opened once */
    int ns_fd;   /* our own mount namespace, for the room's guard */
    struct hash room_sha256;
    bool has_ids; /* root: two ids a room */
    struct cgroups cgroups;
    uint64_t memory_bytes; /* of a room with all in it, memory file system too; 0: not limited by a
                              control group */
};
/* Opens and measures the room executable, then starts a room once to see whether this system lets
 * us. SR_E_NOTFOUND: no such file; SR_E_UNAVAILABLE with a hint: the system forbids user
 * namespaces. *ret_l is owned: launcher_done. */
SR_CHECK sr_status launcher_init(const char *room_path, struct launcher *ret_l, struct sr_err *err);
void launcher_done(struct launcher *l);

struct launched {
    pid_t pid;
    int pidfd;  /* readable when the room has ended */
    int stream; /* our end; the caller may take it (set to -1) */
    char cgroup[CGROUP_PATH];
};
/* *ret_r is owned: launched_end. */
SR_CHECK sr_status launcher_start(const struct launcher *l, struct launched *ret_r,
                                  struct sr_err *err);
/* Kills the room if it still runs, waits for it, closes. Accepts an ended one. */
void launched_end(struct launched *r);
