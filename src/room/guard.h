/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard.h - the room's first act: to refuse to start anywhere but inside fresh namespaces
 *
 * The room mounts a file system and makes it its root. Started by hand, as root, in the machine's
 * own mount namespace, that would hide the machine's folders from everybody. So main calls
 * room_guard before anything else; it only reads, and nothing is touched when it says no.
 *
 * Depends on: base.  Used by: room's main.  Allocates: never.
 */
#pragma once
#include "base/base.h"

#define ROOM_EXIT_REFUSED 64 /* EX_USAGE: started wrongly, nothing was touched */
#define ROOM_FD_STREAM    3  /* the one door: a socket to the worker */
#define ROOM_FD_HOST_NS                                                                            \
    4 /* the launcher's /proc/self/ns/mnt, to compare ours with; closed after that */

/* What the guard looks at. Gathered by room_guard; a struct of its own so that each can be tested.
 */
struct room_facts {
    long pid;               /* of this process, in its own pid namespace */
    bool stream_is_socket;  /* ROOM_FD_STREAM */
    bool host_ns_is_given;  /* ROOM_FD_HOST_NS is a namespace file */
    bool mount_ns_is_hosts; /* ours is the same as the one given */
    bool mount_ns_is_known; /* ours could be read */
    char uid_map[512];      /* text of /proc/self/uid_map; "" when unreadable */
};

/* SR_OK when the room may go on; SR_E_REFUSED with a text and a hint otherwise. Reads only. */
SR_CHECK sr_status room_guard_judge(const struct room_facts *f, struct sr_err *err);
void room_guard_gather(struct room_facts *ret_f);
SR_CHECK sr_status room_guard(struct sr_err *err);
