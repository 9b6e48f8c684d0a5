/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nomem.h - makes the n-th allocation of a piece of work fail, for every n
 *
 * The test program is linked with --wrap for the allocating functions (meson.build), so all of our
 * own code is covered; what shared libraries allocate inside is not.
 */
#pragma once
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One try of the work: leaves nothing behind, and checks by itself what it made when it succeeds
 * (an allocation that failed must not show in a result). */
typedef sr_status (*nomem_job)(void *arg, struct sr_err *err);

/*
 * nomem_sweep - runs job with its first, second, third... allocation failing, once alone and once
 * with all that follow (for_good), until it ends before one has failed
 *
 * Each try must end with SR_E_NOMEM and a text, and free all that it took. Returns how many
 * allocations the whole job makes. nomem_sweep_of: one of the two ways, for a job that succeeds
 * once only.
 */
size_t nomem_sweep(const char *what, nomem_job job, void *arg);
size_t nomem_sweep_of(const char *what, bool for_good, nomem_job job, void *arg);

/* For a job that cleans up what is not memory: from here on its allocations succeed. */
void nomem_pause(void);
