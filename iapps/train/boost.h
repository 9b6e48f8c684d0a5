/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boost.h - gradient-boosted decision trees: learning
 *
 * Values are put into at most 255 bins a column (and one for missing ones); each tree is grown
 * depth first from histograms of gradients, the larger child's by subtraction. Squared error,
 * logistic or softmax loss, second order. One thread; the same bytes for the same table, options
 * and seed on every machine.
 *
 * Depends on: base, frame, model, number.  Used by: train.
 */
#pragma once
#include "../common/frame.h"
#include "../common/model.h"

struct boost_options {
    unsigned rounds;   /* trees, for each output */
    unsigned depth;    /* 1 .. MODEL_MAX_DEPTH */
    unsigned min_leaf; /* rows of a leaf, at least FRAME_FEW */
    unsigned stop;     /* 0, or: end after so many rounds without a better validation loss */
    double rate;       /* 0 .. 1: how much of a tree is added */
    double lambda;     /* L2 regularisation of leaf values */
    double rows;       /* share of the rows that a round sees */
    double columns;    /* share of the columns that a tree sees */
    uint64_t seed;
};

/* What is learnt from: columns of cells, and the rows of them that count. */
struct boost_data {
    const struct frame *frame;
    size_t target;        /* column of the frame */
    const uint32_t *rows; /* of the frame */
    uint32_t n;
    enum model_task task;
};

/*
 * boost_train - a model of data
 *
 * importance: as many as the model has features, owned by the caller: free; the share of each in
 * all gains. *ret is owned: model_free. Columns of which nothing can be learnt (one value only)
 * are left out. SR_E_USAGE when none is left, or a row's target is missing. SR_E_NOMEM.
 */
SR_CHECK sr_status boost_train(const struct boost_data *data, const struct boost_options *o,
                               struct model **ret, double **ret_importance, struct sr_err *err);
