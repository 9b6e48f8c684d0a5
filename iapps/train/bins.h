/* SPDX-License-Identifier: Apache-2.0 */
/* bins.h - a column's values as small numbers, which histograms need. Used by: boost. */
#pragma once
#include "boost.h"

#define BINS_MAX    255u /* of values; one more is for missing ones */
#define BINS_SAMPLE 200000u

struct bins {
    size_t column; /* of the frame */
    unsigned n;    /* bins of values; bin n is of missing ones */
    bool words;    /* a bin is a word */
    bool missing;  /* some row's value is */
    double *edges; /* n - 1: bin b holds values <= edges[b] */
    uint8_t *row;  /* of each of the data's rows */
};

/* *ret and its arrays are owned: bins_done. ret->n < 2: there is nothing to learn from it. */
SR_CHECK sr_status bins_make(const struct boost_data *data, size_t column, struct bins *ret,
                             struct sr_err *err);
void bins_done(struct bins *b);
