/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - the content store: the parts of a Kubo node and gateway that clients use
 *
 * One HTTP server is both: POST /api/v0/add takes content and names it, GET /ipfs/CID gives it.
 * Everything in it is public and is named by its hash; nothing in it is ever a secret in clear.
 * What add has answered is on disk and is served at once.
 *
 * Depends on: net, ipfs.  Called by: main (role "store").
 * SPEC: services.md#5-ipfs
 */
#pragma once
#include "net/role.h"

/* The role; argv after its name. Returns the exit code. */
int store_main(int argc, char **argv);
