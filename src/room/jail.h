/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail.h - the room's own root folder, and the narrower namespace in which the app runs
 *
 * jail_enter puts this process into a sized tmpfs with nothing of the host in it but a handful of
 * device nodes: /app  the image    /in  decrypted inputs    /out  the app's results    /dev  null
 * zero full random urandom /proc of the room's own processes app_start runs the image's program in
 * user, mount, pid, ipc, uts and cgroup namespaces of its own, in which /app is the root,
 * without capabilities, under a seccomp allow-list and landlock. The room's memory, processes and
 * /in's siblings are not reachable from there.
 *
 * Depends on: base.  Used by: room's main, after room_guard.  Never: runs before the guard.
 * SPEC: docs/architecture.md, "Launchers"
 */
#pragma once
#include "base/base.h"
#include <sys/types.h>

#define JAIL_APP_DIR    "/app"
#define JAIL_IN_DIR     "/in"
#define JAIL_OUT_DIR    "/out"
#define JAIL_MIN_DISK   (1u << 20)
#define JAIL_INODES     200000u /* files of image, inputs and results */
#define JAIL_OPEN_FILES 4096u   /* of one app process */

/* Which ids files for the app get, seen from the room: 1 where the launcher mapped two, else 0. */
struct jail {
    unsigned app_id;
};
/* Starts with little room, so that a room can wait inside for its task; jail_resize gives the
 * task's share. */
SR_CHECK sr_status jail_enter(struct jail *ret_j, struct sr_err *err);
SR_CHECK sr_status jail_resize(uint64_t disk_bytes, struct sr_err *err);
/* Between these two, new files belong to the app. */
void jail_as_app(const struct jail *j);
void jail_as_room(void);

struct app_spec {
    char *const *argv; /* argv[0] inside the image; without "/": along envp's PATH */
    char *const *envp;
    const char *workdir;
    uint32_t processes;
    uint64_t file_bytes; /* of one file */
};
struct app_proc {
    pid_t pid;
    int pidfd, out, err; /* owned: app_drop */
};
/* Returns when the program runs (its execve succeeded). SR_E_TASK: the image's program cannot be
 * started, the text says why; other codes are this machine's fault. */
SR_CHECK sr_status app_start(const struct jail *j, const struct app_spec *spec,
                             struct app_proc *ret_p, struct sr_err *err);
/* Kills what is left of it, waits, closes. Accepts a dropped one. */
void app_drop(struct app_proc *p);

/* ---- parts, in files of their own ---- */

/* Last steps before execve: seccomp allow-list; landlock where the kernel has it. 0 or errno. */
int confine_seccomp(void);
int confine_landlock(void);
