/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.h - a model's predictions for rows: of tables, streamed, or one of the arguments
 *
 * Depends on: base, metrics, model, source.  Used by: predict.
 */
#pragma once
#include "../common/metrics.h"
#include "../common/source.h"

#define ASK_LISTED 10u /* of so many classes or fewer each one's probability is told */

/* Gets finished pieces of predictions.csv. */
typedef sr_status (*ask_write)(void *arg, struct slice piece, struct sr_err *err);

struct asked {
    uint64_t rows, known; /* known: those that have the target too */
    struct buf metrics;   /* JSON of these; empty when known is 0 */
};

/*
 * ask - predictions for all tables of s (argc 1), or for the row that the arguments COLUMN=VALUE
 * are
 *
 * Writes the header and a line a row: table (with several), row, prediction, and of classes their
 * probabilities. SR_E_USAGE without rows, SR_E_NOTFOUND for a column that the model needs and the
 * rows have not, SR_E_MALFORMED for a word where it needs a number. *ret is owned: asked_done.
 */
SR_CHECK sr_status ask(const struct model *m, const struct sources *s, int argc, char *const *argv,
                       ask_write out, void *arg, struct asked *ret, struct sr_err *err);
void asked_done(struct asked *a);
