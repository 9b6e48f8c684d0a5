/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h - how good predictions are, row by row
 *
 * Depends on: base, model, number.  Used by: train (held-out rows), predict (rows that have the
 * target).
 */
#pragma once
#include "model.h"
#include "number.h"

#define METRICS_MAX_PAIRS (4u << 20) /* rows of which the AUC is computed; beyond: none */

struct metrics {
    const struct model *m;
    uint64_t rows;
    double sum, sum2, error1, error2; /* regression: of the truth, its square, the errors */
    double loss;                      /* classes: sum of -log p(truth) */
    uint64_t right;
    uint32_t *confusion;        /* truth * n_labels + said */
    struct metrics_pair *pairs; /* two classes */
    size_t n_pairs, cap_pairs;
};

SR_CHECK sr_status metrics_init(struct metrics *q, const struct model *m, struct sr_err *err);
void metrics_done(struct metrics *q);
/* truth: the value, or the label's index; scores: of model_score. */
SR_CHECK sr_status metrics_add(struct metrics *q, double truth, const double *scores,
                               struct sr_err *err);
/* Index of the likeliest label, and its probability. */
size_t metrics_choice(const struct model *m, const double *scores, double *probabilities);
/* One JSON object: {"rows", "rmse", "mae", "r2"} or {"rows", "accuracy", "logLoss", "auc",
 * "confusion"}. Sorts what it has. */
void metrics_write(struct metrics *q, struct jw *w);
double metrics_accuracy(const struct metrics *q);
double metrics_r2(const struct metrics *q); /* 0 when all truths are equal */
