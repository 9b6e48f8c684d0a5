/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn.h - from what the task was given to a model and a report
 *
 * Depends on: base, boost, frame, metrics, options.  Used by: train.
 */
#pragma once
#include "options.h"

#define LEARN_LEAST_HELD 10u /* held-out rows: a score of fewer would speak of persons */
#define LEARN_LEAST_ROWS 20u

struct learnt {
    struct model *model;
    struct buf report; /* metrics.json */
    char line[200];    /* for people */
};

/*
 * learn - trains on all tables of s
 *
 * SR_E_USAGE, SR_E_NOTFOUND, SR_E_MALFORMED, SR_E_TOOBIG with what is wrong with table or options.
 * *ret is owned: learnt_done.
 */
SR_CHECK sr_status learn(const struct sources *s, const struct options *o, struct learnt *ret,
                         struct sr_err *err);
void learnt_done(struct learnt *l);
