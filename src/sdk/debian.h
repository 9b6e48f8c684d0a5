/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debian.h - an app's "packages": files out of Debian's archive, unpacked and not installed
 *
 * app.json: "packages" (names; what they depend on comes along), "suite" (bookworm), "mirror" (a
 * URL or an apt line; mmdebstrap's default). Unpacked once into the project's cache/debian-KEY,
 * where KEY follows from the three: later builds take the same files, also without a network.
 *
 * Depends on: oci (the list's type), mmdebstrap, tar.  Used by: system.c.
 */
#pragma once
#include "sdk/system.h"

struct json_val;
/* The folder with the unpacked files; *ret_folder owned. Fetches it when it is not there yet.
 * SR_E_UNAVAILABLE with the reason and a hint. */
SR_CHECK sr_status sdk_debian_fetch(const char *dir, const struct json_val *app, char **ret_folder,
                                    struct sr_err *err);
