/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup.h - a memory limit of the kernel's for each room, where this process may make control
 * groups
 *
 * Version 2, with the memory controller handed down to our group (systemd: Delegate=memory, and the
 * worker in a sub-group of its own). Elsewhere rooms are held by their own watch alone
 * (room/watch.h), which looks every 20 ms.
 *
 * Depends on: base.  Used by: launcher.  Blocks: a few system calls.
 */
#pragma once
#include "base/base.h"
#include <sys/types.h>

#define CGROUP_PATH 256u

struct cgroups {
    char base[CGROUP_PATH]; /* our own group's folder; "": none is writable */
};
/* Looks where groups can be made, and removes what an earlier life left there. */
void cgroups_find(struct cgroups *ret);
/* Makes a group with that limit and puts pid into it; ret_path "" when it cannot be done. */
void cgroup_enter(const struct cgroups *c, pid_t pid, uint64_t bytes, char ret_path[CGROUP_PATH]);
void cgroup_remove(const char *path); /* when its processes have ended; accepts "" */
