/* SPDX-License-Identifier: Apache-2.0 */
#include "bins.h"
#include <math.h>
#include <stdlib.h>

void bins_done(struct bins *b) {
    free(b->edges);
    free(b->row);
    *b = (struct bins){0};
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Between two neighbours, so that the lower one is <= it and the upper one is not. */
static double between(double low, double high) {
    double v = low / 2 + high / 2;
    return v >= low && v < high ? v : low;
}

/* Edges of sorted values: one between any two different ones when they are few, else at equal
 * numbers of rows. */
static void set_edges(struct bins *b, const double *v, size_t n) {
    size_t different = n ? 1 : 0;
    for (size_t i = 1; i < n; i++) different += v[i] != v[i - 1];
    size_t bins = 0, in_bin = 0, left = n;
    for (size_t i = 1; i < n; i++) {
        in_bin++;
        if (v[i] == v[i - 1]) continue;
        /* What is left is shared evenly by the bins that are left. */
        bool full = different <= BINS_MAX || in_bin * (BINS_MAX - bins) >= left;
        if (!full || bins + 1 == BINS_MAX) continue;
        b->edges[bins++] = between(v[i - 1], v[i]);
        left -= in_bin;
        in_bin = 0;
    }
    b->n = n ? (unsigned)bins + 1 : 0;
}

static uint8_t bin_of(const struct bins *b, double v) {
    unsigned low = 0, high = b->n - 1; /* the first bin whose edge is not below v */
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (v <= b->edges[mid])
            high = mid;
        else
            low = mid + 1;
    }
    return (uint8_t)low;
}

static sr_status number_bins(const struct boost_data *data, const double *cells, struct bins *b,
                             struct sr_err *err) {
    size_t step = data->n / BINS_SAMPLE + 1, n = 0;
    cleanup_free double *v = sr_calloc_n(data->n / step + 1, sizeof *v);
    b->edges = sr_calloc_n(BINS_MAX, sizeof *b->edges);
    if (!v || !b->edges) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < data->n; i += step)
        if (!isnan(cells[data->rows[i]])) v[n++] = cells[data->rows[i]];
    qsort(v, n, sizeof *v, by_value);
    set_edges(b, v, n);
    for (size_t i = 0; i < data->n; i++) {
        double x = cells[data->rows[i]];
        b->row[i] = isnan(x) || b->n == 0 ? (uint8_t)b->n : bin_of(b, x);
    }
    return SR_OK;
}

sr_status bins_make(const struct boost_data *data, size_t column, struct bins *ret,
                    struct sr_err *err) {
    const struct frame_column *c = &data->frame->columns[column];
    struct bins b = {.column = column, .words = c->is_words};
    b.row = malloc(data->n ? data->n : 1);
    sr_status st = b.row ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
    if (st == SR_OK && !c->is_words) st = number_bins(data, c->cells, &b, err);
    if (st == SR_OK && c->is_words) {
        b.n = (unsigned)c->n_words;
        for (size_t i = 0; i < data->n; i++) {
            double x = c->cells[data->rows[i]];
            b.row[i] = isnan(x) ? (uint8_t)b.n : (uint8_t)x;
        }
    }
    if (st != SR_OK) {
        bins_done(&b);
        return st;
    }
    for (size_t i = 0; i < data->n && !b.missing; i++) b.missing = b.row[i] == b.n;
    *ret = b;
    return SR_OK;
}
