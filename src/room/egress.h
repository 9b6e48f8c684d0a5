/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress.h - an app's way to the hosts that its image lists, and to no other
 *
 * The app's network is a loopback. A listed name resolves to an address of that loopback
 * (resolve.h); the relay listens there on the listed ports and carries each connection over the
 * room's stream to the worker, who connects. The list is under the digest that the chain holds, and
 * the room alone decides by it: the worker is told a place in the list, never a name.
 *
 * Depends on: oci, door, stream.  Used by: stage_app, watch.  Limits: EGRESS_*, DOOR_FLOW*.
 */
#pragma once
#include "oci/oci.h"
#include "room/door.h"
#include <poll.h>

#define EGRESS_POLL_MAX        (1 + OCI_MAX_EGRESS + DOOR_FLOWS)
#define EGRESS_MAX_CONNECTIONS 100000u      /* of one task */
#define EGRESS_MAX_BYTES       (4ull << 30) /* of one task, both directions together */

struct room;
struct egress;
/* Listens. *ret_e is owned: egress_free. SR_E_SYS when the room's loopback does not let us. */
SR_CHECK sr_status egress_new(struct room *r, const struct oci_strings *list, struct egress **ret_e,
                              struct sr_err *err);
void egress_free(struct egress *e); /* closes what is open; accepts NULL */
/* Fills at most EGRESS_POLL_MAX entries, and returns how many. */
size_t egress_poll(struct egress *e, struct pollfd *fds);
/* fds as polled; stream_ready: a frame of the worker's waits. SR_E_CANCELLED: the worker has gone.
 */
SR_CHECK sr_status egress_ready(struct egress *e, const struct pollfd *fds, size_t n,
                                bool stream_ready, struct sr_err *err);
/* What was tried; e NULL: an app without a list may have tried, too. */
struct door_egress egress_count(const struct egress *e);
/* Tells the image's programs where to ask for names. */
SR_CHECK sr_status egress_resolver_file(int root_fd, struct sr_err *err);
