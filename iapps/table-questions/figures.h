/* SPDX-License-Identifier: Apache-2.0 */
/* figures.h - the functions that SQLite lacks: stddev, median, and steps of numbers. Used by:
 * answer. */
#pragma once
#include "base/base.h"
#include <sqlite3.h>

/* Adds sr_stddev(x), sr_median(x) and sr_step(x, width). */
SR_CHECK sr_status figures_add(sqlite3 *db, struct sr_err *err);
