/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"
#include <stdlib.h>

struct metrics_pair {
    double score;
    bool positive;
};

sr_status metrics_init(struct metrics *q, const struct model *m, struct sr_err *err) {
    *q = (struct metrics){.m = m};
    q->confusion = sr_calloc_n(m->n_labels * m->n_labels + 1, sizeof *q->confusion);
    return q->confusion ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

void metrics_done(struct metrics *q) {
    free(q->confusion);
    free(q->pairs);
    *q = (struct metrics){0};
}

size_t metrics_choice(const struct model *m, const double *scores, double *probabilities) {
    size_t best = 0;
    model_probabilities(m, scores, probabilities);
    for (size_t i = 1; i < m->n_labels; i++)
        if (probabilities[i] > probabilities[best]) best = i;
    return best;
}

static sr_status add_pair(struct metrics *q, double score, bool positive, struct sr_err *err) {
    if (q->n_pairs == METRICS_MAX_PAIRS) return SR_OK;
    if (q->n_pairs == q->cap_pairs) {
        size_t cap = q->cap_pairs ? q->cap_pairs * 2 : 1024;
        struct metrics_pair *more = realloc(q->pairs, cap * sizeof *more);
        if (!more) return sr_fail(err, SR_E_NOMEM, "out of memory");
        q->pairs = more;
        q->cap_pairs = cap;
    }
    q->pairs[q->n_pairs++] = (struct metrics_pair){score, positive};
    return SR_OK;
}

sr_status metrics_add(struct metrics *q, double truth, const double *scores, struct sr_err *err) {
    const struct model *m = q->m;
    q->rows++;
    if (m->task == MODEL_REGRESSION) {
        double e = scores[0] - truth;
        q->sum += truth;
        q->sum2 += truth * truth;
        q->error1 += e < 0 ? -e : e;
        q->error2 += e * e;
        return SR_OK;
    }
    double p[MODEL_MAX_LABELS];
    size_t said = metrics_choice(m, scores, p), real = (size_t)truth;
    q->right += said == real;
    q->loss -= number_log(p[real] > 1e-15 ? p[real] : 1e-15);
    q->confusion[real * m->n_labels + said]++;
    return m->task == MODEL_TWO_CLASSES ? add_pair(q, scores[0], real == 1, err) : SR_OK;
}

static int by_score(const void *a, const void *b) {
    double x = ((const struct metrics_pair *)a)->score, y = ((const struct metrics_pair *)b)->score;
    return x < y ? -1 : x > y;
}

/* The share of pairs of a positive and a negative row that are in the right order; equal scores
 * count half. Negative: there are no such pairs. */
static double area(struct metrics *q) {
    double below = 0, ordered = 0, positives = 0;
    if (q->n_pairs == 0) return -1;
    qsort(q->pairs, q->n_pairs, sizeof *q->pairs, by_score);
    for (size_t i = 0; i < q->n_pairs;) {
        double same = 0, same_positive = 0;
        size_t k = i;
        for (; k < q->n_pairs && by_score(&q->pairs[i], &q->pairs[k]) == 0; k++) {
            same++;
            same_positive += q->pairs[k].positive;
        }
        double same_negative = same - same_positive;
        ordered += same_positive * (below + same_negative / 2);
        below += same_negative;
        positives += same_positive;
        i = k;
    }
    return positives > 0 && below > 0 ? ordered / (positives * below) : -1;
}

double metrics_accuracy(const struct metrics *q) {
    return q->rows ? (double)q->right / (double)q->rows : 0;
}

double metrics_r2(const struct metrics *q) {
    double spread = q->rows ? q->sum2 - q->sum * q->sum / (double)q->rows : 0;
    return spread > 0 ? 1 - q->error2 / spread : 0;
}

void metrics_write(struct metrics *q, struct jw *w) {
    const struct model *m = q->m;
    double n = q->rows ? (double)q->rows : 1;
    jw_obj(w);
    jw_ku64(w, "rows", q->rows);
    if (m->task == MODEL_REGRESSION) {
        number_json(w, "rmse", number_sqrt(q->error2 / n), 6);
        number_json(w, "mae", q->error1 / n, 6);
        number_json(w, "r2", metrics_r2(q), 6);
    } else {
        number_json(w, "accuracy", metrics_accuracy(q), 6);
        number_json(w, "logLoss", q->loss / n, 6);
        double auc = m->task == MODEL_TWO_CLASSES && q->rows <= METRICS_MAX_PAIRS ? area(q) : -1;
        if (auc >= 0) number_json(w, "auc", auc, 6);
        jw_key(w, "confusion");
        jw_obj(w);
        for (size_t i = 0; i < m->n_labels; i++) {
            jw_key(w, m->labels[i]);
            jw_arr(w);
            for (size_t k = 0; k < m->n_labels; k++) jw_u64(w, q->confusion[i * m->n_labels + k]);
            jw_end_arr(w);
        }
        jw_end_obj(w);
    }
    jw_end_obj(w);
}
