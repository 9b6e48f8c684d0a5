/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy.h - connects an app to the hosts that its image lists, for its room
 *
 * The room enforces the list; this repeats the check, resolves the name, refuses addresses of this
 * host and its networks, connects, and carries bytes both ways. What is carried is the app's
 * affair: TLS passes through untouched. A fiber or two a connection.
 *
 * Depends on: net, oci (the list), door_io.  Used by: job, the app tester of cli.
 * Limits: PROXY_*, DOOR_FLOW*.
 */
#pragma once
#include "oci/oci.h"
#include "worker/door_io.h"

#define PROXY_CONNECT_MS 20000u
#define PROXY_IDLE_MS    600000u /* nothing from the host for so long: over */

struct proxy;
/*
 * list      borrows while the proxy lives; "host:port", as the image's config has it
 * loopback  borrows; development only: comma-separated names of the list that lead to 127.0.0.1;
 *           NULL: none
 * ret_p     owned: proxy_free
 */
SR_CHECK sr_status proxy_new(struct door *d, const struct oci_strings *list, const char *loopback,
                             struct proxy **ret_p, struct sr_err *err);
/* A frame of the room's about connections: OPEN and FLOW*. SR_E_MALFORMED for any other. Does not
 * wait for a host. */
SR_CHECK sr_status proxy_frame(struct proxy *p, unsigned type, struct slice body,
                               struct sr_err *err);
bool proxy_takes(unsigned type); /* is it such a frame */
/* Ends all connections. Shut the door's stream before: a room that ends does not read any more.
 * Waits for what is being sent; accepts NULL. */
void proxy_free(struct proxy *p);
