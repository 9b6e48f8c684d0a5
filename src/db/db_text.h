/* SPDX-License-Identifier: Apache-2.0 */
/* db_text.h - the text of schema steps, remembered beside their count. Used by: db_migrate only. */
#pragma once
#include "db/db.h"

/* Is each of the first `done` steps still what it was when it was run? SR_E_CONFLICT when not. */
SR_CHECK sr_status db_steps_check(struct db *db, const char *const *steps, size_t done,
                                  struct sr_err *err);
/* Remembers step i, in the transaction that runs it. */
SR_CHECK sr_status db_step_keep(struct db *db, const char *const *steps, size_t i,
                                struct sr_err *err);
