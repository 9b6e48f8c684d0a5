/* SPDX-License-Identifier: Apache-2.0 */
/*
 * picture.h - a mesh seen from one side, as a small PNG with stripes across it
 *
 * Used by: asset-preview alone.
 */
#pragma once
#include "mesh.h"
#include <stdio.h>

#define PICTURE_SIDE 320u

/* yaw, pitch: degrees. NULL, or what is wrong. */
const char *picture_write(const struct mesh *m, double yaw, double pitch, FILE *f);
