/* SPDX-License-Identifier: Apache-2.0 */
#include "boost.h"
#include "../common/number.h"
#include "bins.h"
#include <math.h>
#include <stdlib.h>

#define VALIDATION_SHARE 10u /* one row in ten decides when to stop */
#define LEAST_GAIN       1e-9
#define LEAST_HESSIAN    1e-12

struct cell { /* of a histogram */
    double g, h;
    uint32_t n;
};
struct split {
    double gain;
    size_t feature;
    unsigned bin;
    bool missing_left;
};
struct job {           /* a node that waits to be grown; its histogram is kept in `slot` */
    uint32_t from, to; /* of order */
    unsigned depth, slot;
    uint32_t parent; /* whose right child it is; UINT32_MAX: a left child or the root */
};

struct boost {
    const struct boost_data *data;
    const struct boost_options *o;
    struct number_random random;
    struct bins *bins;
    size_t n_features;
    uint32_t *offsets; /* of a feature's cells in a histogram; one more: all */
    double *y;
    uint32_t n_train; /* rows 0 .. n_train-1 are learnt from, the others validate */
    uint32_t *all;    /* the learning rows, in an order that rounds shuffle for their share */
    uint32_t *order;  /* rows of the tree that grows; each node has a part */
    uint32_t *right;  /* rows that go right, while a node is parted */
    double *scores;   /* output * n + row */
    double *g, *h;    /* of a row, for the output whose tree grows */
    double *g_part, *h_part; /* of a node's rows, in order */
    double *p;               /* probabilities: output * n + row (three classes or more) */
    struct cell *slots;
    bool *seen; /* features that this tree may use */
    size_t *columns;
    struct model *m;
    size_t cap_nodes;
    double *gains; /* of features, over all trees */
};

/* ---- loss ---- */

static void softmax(struct boost *b) {
    size_t n = b->data->n, k = b->m->n_outputs;
    for (size_t i = 0; i < n; i++) {
        double most = b->scores[i], sum = 0;
        for (size_t c = 1; c < k; c++)
            if (b->scores[c * n + i] > most) most = b->scores[c * n + i];
        for (size_t c = 0; c < k; c++)
            sum += b->p[c * n + i] = number_exp(b->scores[c * n + i] - most);
        for (size_t c = 0; c < k; c++) b->p[c * n + i] /= sum;
    }
}

static void gradients(struct boost *b, size_t output) {
    size_t n = b->data->n;
    const double *f = b->scores + output * n;
    for (size_t i = 0; i < b->n_train; i++) {
        if (b->data->task == MODEL_REGRESSION) {
            b->g[i] = f[i] - b->y[i];
            b->h[i] = 1;
            continue;
        }
        double p = b->data->task == MODEL_CLASSES ? b->p[output * n + i] : number_sigmoid(f[i]);
        double want = b->data->task == MODEL_CLASSES ? b->y[i] == (double)output : b->y[i];
        b->g[i] = p - want;
        b->h[i] = p * (1 - p);
        if (b->h[i] < 1e-16) b->h[i] = 1e-16;
    }
}

/* Mean loss of the validating rows. */
static double validation_loss(const struct boost *b) {
    size_t n = b->data->n, k = b->m->n_outputs;
    double sum = 0;
    for (size_t i = b->n_train; i < n; i++) {
        if (b->data->task == MODEL_REGRESSION) {
            sum += (b->scores[i] - b->y[i]) * (b->scores[i] - b->y[i]);
        } else if (k == 1) {
            double p = number_sigmoid(b->scores[i]);
            sum -= number_log(b->y[i] > 0 ? p : 1 - p);
        } else {
            double most = b->scores[i], total = 0;
            for (size_t c = 1; c < k; c++)
                if (b->scores[c * n + i] > most) most = b->scores[c * n + i];
            for (size_t c = 0; c < k; c++) total += number_exp(b->scores[c * n + i] - most);
            sum += number_log(total) + most - b->scores[(size_t)b->y[i] * n + i];
        }
    }
    return sum / (double)(n - b->n_train);
}

static void start_scores(struct boost *b) {
    size_t n = b->data->n, k = b->m->n_outputs;
    double sum = 0;
    for (size_t i = 0; i < b->n_train; i++) sum += b->y[i];
    double mean = sum / b->n_train;
    if (b->data->task == MODEL_REGRESSION)
        b->m->base[0] = mean;
    else if (k == 1)
        b->m->base[0] = number_log((mean + 1e-6) / (1 - mean + 1e-6));
    for (size_t c = 0; k > 1 && c < k; c++) {
        double rows = 0;
        for (size_t i = 0; i < b->n_train; i++) rows += b->y[i] == (double)c;
        b->m->base[c] = number_log((rows + 1e-3) / b->n_train);
    }
    for (size_t c = 0; c < k; c++)
        for (size_t i = 0; i < n; i++) b->scores[c * n + i] = b->m->base[c];
}

/* ---- one node ---- */

static struct cell *slot(const struct boost *b, unsigned i) {
    return b->slots + (size_t)i * b->offsets[b->n_features];
}

static void histogram(struct boost *b, uint32_t from, uint32_t to, struct cell *ret) {
    uint32_t n = to - from;
    const uint32_t *rows = b->order + from;
    memset(ret, 0, b->offsets[b->n_features] * sizeof *ret);
    for (uint32_t i = 0; i < n; i++) {
        b->g_part[i] = b->g[rows[i]];
        b->h_part[i] = b->h[rows[i]];
    }
    for (size_t f = 0; f < b->n_features; f++) {
        if (!b->seen[f]) continue;
        struct cell *cells = ret + b->offsets[f];
        const uint8_t *bin = b->bins[f].row;
        for (uint32_t i = 0; i < n; i++) {
            struct cell *c = &cells[bin[rows[i]]];
            c->g += b->g_part[i];
            c->h += b->h_part[i];
            c->n++;
        }
    }
}

static void subtract(const struct boost *b, struct cell *from, const struct cell *what) {
    for (uint32_t i = 0; i < b->offsets[b->n_features]; i++) {
        from[i].g -= what[i].g;
        from[i].h -= what[i].h;
        from[i].n -= what[i].n;
    }
}

static double quality(const struct boost *b, double g, double h) {
    return g * g / (h + b->o->lambda + LEAST_HESSIAN);
}

/* Is a split into `left` and the rest of `all` better than the best so far? */
static void weigh(const struct boost *b, const struct cell *all, const struct cell *left,
                  struct split cut, struct split *best) {
    struct cell right = {all->g - left->g, all->h - left->h, all->n - left->n};
    if (left->n < b->o->min_leaf || right.n < b->o->min_leaf) return;
    if (left->h < 0 || right.h < 0) return; /* rounding of a subtraction */
    cut.gain =
        quality(b, left->g, left->h) + quality(b, right.g, right.h) - quality(b, all->g, all->h);
    if (cut.gain > best->gain) *best = cut;
}

static void best_of_feature(const struct boost *b, size_t f, const struct cell *cells,
                            const struct cell *all, struct split *best) {
    const struct bins *bins = &b->bins[f];
    const struct cell *missing = &cells[bins->n];
    struct cell sum = {0};
    unsigned cuts = bins->words ? bins->n : bins->n - 1;
    for (unsigned i = 0; i < cuts; i++) {
        if (bins->words) sum = (struct cell){0};
        sum.g += cells[i].g;
        sum.h += cells[i].h;
        sum.n += cells[i].n;
        if (cells[i].n == 0) continue; /* the same as the cut before */
        /* Without missing rows here, those of later go with the greater part. */
        struct split cut = {0, f, i, missing->n == 0 && sum.n * 2 > all->n};
        weigh(b, all, &sum, cut, best);
        if (missing->n == 0) continue;
        struct cell with = {sum.g + missing->g, sum.h + missing->h, sum.n + missing->n};
        cut.missing_left = true;
        weigh(b, all, &with, cut, best);
    }
}

static struct split best_split(const struct boost *b, const struct cell *cells,
                               const struct cell *all) {
    struct split best = {LEAST_GAIN, SIZE_MAX, 0, false};
    for (size_t f = 0; f < b->n_features; f++)
        if (b->seen[f]) best_of_feature(b, f, cells + b->offsets[f], all, &best);
    return best;
}

static bool goes_left(const struct bins *f, unsigned bin, bool missing_left, uint8_t value) {
    if (value == f->n) return missing_left;
    return f->words ? value == bin : value <= bin;
}

/* Parts the node's rows, keeping their order; returns how many go left. */
static uint32_t part(struct boost *b, const struct job *j, const struct split *s) {
    const struct bins *f = &b->bins[s->feature];
    uint32_t left = 0, right = 0;
    for (uint32_t i = j->from; i < j->to; i++) {
        uint32_t row = b->order[i];
        if (goes_left(f, s->bin, s->missing_left, f->row[row]))
            b->order[j->from + left++] = row;
        else
            b->right[right++] = row;
    }
    memcpy(b->order + j->from + left, b->right, right * sizeof *b->right);
    return left;
}

/* ---- one tree ---- */

static sr_status add_node(struct boost *b, struct model_node node, struct sr_err *err) {
    struct model *m = b->m;
    if (m->n_nodes == MODEL_MAX_NODES) {
        sr_hint(err, "ask for fewer rounds or less depth");
        return sr_fail(err, SR_E_TOOBIG, "the model gets more than %u nodes", MODEL_MAX_NODES);
    }
    if (m->n_nodes == b->cap_nodes) {
        size_t cap = b->cap_nodes ? b->cap_nodes * 2 : 1024;
        struct model_node *more = realloc(m->nodes, cap * sizeof *more);
        if (!more) return sr_fail(err, SR_E_NOMEM, "out of memory");
        m->nodes = more;
        b->cap_nodes = cap;
    }
    m->nodes[m->n_nodes++] = node;
    return SR_OK;
}

static sr_status add_leaf(struct boost *b, const struct job *j, const struct cell *all,
                          size_t output, struct sr_err *err) {
    double value = -all->g / (all->h + b->o->lambda + LEAST_HESSIAN) * b->o->rate;
    double *scores = b->scores + output * b->data->n;
    for (uint32_t i = j->from; i < j->to; i++) scores[b->order[i]] += value;
    return add_node(b, (struct model_node){.value = value}, err);
}

static double threshold(const struct bins *f, unsigned bin) {
    return f->words ? bin : f->edges[bin];
}

/* Sum of a node's rows. Not from the histogram: its subtractions round. */
static struct cell sum_of(const struct boost *b, const struct job *j) {
    struct cell all = {0, 0, j->to - j->from};
    for (uint32_t i = j->from; i < j->to; i++) {
        all.g += b->g[b->order[i]];
        all.h += b->h[b->order[i]];
    }
    return all;
}

/* Grows nodes left first, as the model's order wants it. Histograms live in depth + 2 slots: those
 * of right children that wait, and one being worked on. */
static sr_status grow(struct boost *b, uint32_t n, size_t output, struct sr_err *err) {
    struct job jobs[MODEL_MAX_DEPTH + 2];
    unsigned n_jobs = 0, free_slots[MODEL_MAX_DEPTH + 3] = {0}, n_free = 0;
    for (unsigned i = b->o->depth + 2; i > 0; i--) free_slots[n_free++] = i - 1;
    jobs[n_jobs++] = (struct job){0, n, 0, free_slots[--n_free], UINT32_MAX};
    histogram(b, 0, n, slot(b, jobs[0].slot));
    while (n_jobs > 0) {
        struct job j = jobs[--n_jobs];
        struct cell all = sum_of(b, &j);
        struct split s = {0, SIZE_MAX, 0, false};
        if (j.parent != UINT32_MAX) b->m->nodes[j.parent].right = (uint32_t)b->m->n_nodes;
        if (j.depth < b->o->depth && all.n >= 2 * b->o->min_leaf)
            s = best_split(b, slot(b, j.slot), &all);
        if (s.feature == SIZE_MAX) {
            SR_TRY(add_leaf(b, &j, &all, output, err));
            free_slots[n_free++] = j.slot;
            continue;
        }
        b->gains[s.feature] += s.gain;
        uint32_t left = part(b, &j, &s), mid = j.from + left, at = (uint32_t)b->m->n_nodes;
        struct model_node node = {UINT32_MAX, (uint16_t)s.feature, s.missing_left,
                                  threshold(&b->bins[s.feature], s.bin)};
        SR_TRY(add_node(b, node, err));
        /* The smaller child is counted, the larger one is what remains of the parent. */
        unsigned small = free_slots[--n_free], large = j.slot;
        bool left_small = left <= j.to - mid;
        if (j.depth + 1 < b->o->depth) {
            histogram(b, left_small ? j.from : mid, left_small ? mid : j.to, slot(b, small));
            subtract(b, slot(b, large), slot(b, small));
        }
        jobs[n_jobs++] = (struct job){mid, j.to, j.depth + 1, left_small ? large : small, at};
        jobs[n_jobs++] =
            (struct job){j.from, mid, j.depth + 1, left_small ? small : large, UINT32_MAX};
    }
    return SR_OK;
}

/* The tree's say about a row that it was not grown from. */
static double ask(const struct boost *b, const struct model_node *tree, uint32_t row) {
    const struct model_node *n = tree;
    while (n->right) {
        const struct bins *f = &b->bins[n->feature];
        uint8_t v = f->row[row];
        bool left = v == f->n  ? n->missing_left
                    : f->words ? v == n->value
                               : v + 1u < f->n && f->edges[v] <= n->value;
        n = left ? n + 1 : b->m->nodes + n->right;
    }
    return n->value;
}

/* The first `count` of `from` become a random choice of it. */
static void choose(struct number_random *r, uint32_t *from, uint32_t n, uint32_t count) {
    for (uint32_t i = 0; i < count && i + 1 < n; i++) {
        uint32_t k = i + (uint32_t)number_below(r, n - i), t = from[i];
        from[i] = from[k];
        from[k] = t;
    }
}

static void choose_columns(struct boost *b) {
    size_t n = b->n_features, count = (size_t)((double)n * b->o->columns + 0.5);
    if (count == 0) count = 1;
    for (size_t i = 0; i < n; i++) b->seen[i] = count >= n;
    for (size_t i = 0; count < n && i < count; i++) {
        size_t k = i + number_below(&b->random, n - i), t = b->columns[i];
        b->columns[i] = b->columns[k];
        b->columns[k] = t;
        b->seen[b->columns[i]] = true;
    }
}

static int by_row(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static sr_status one_tree(struct boost *b, uint32_t n, size_t output, struct sr_err *err) {
    struct model *m = b->m;
    m->trees[m->n_trees] = (uint32_t)m->n_nodes;
    gradients(b, output);
    choose_columns(b);
    memcpy(b->order, b->all, n * sizeof *b->order);
    if (n < b->n_train) qsort(b->order, n, sizeof *b->order, by_row); /* memory in order */
    SR_TRY(grow(b, n, output, err));
    const struct model_node *tree = m->nodes + m->trees[m->n_trees++];
    double *scores = b->scores + output * b->data->n;
    for (uint32_t i = n; i < b->n_train; i++) scores[b->all[i]] += ask(b, tree, b->all[i]);
    for (uint32_t i = b->n_train; i < b->data->n; i++) scores[i] += ask(b, tree, i);
    return SR_OK;
}

static sr_status all_trees(struct boost *b, struct sr_err *err) {
    struct model *m = b->m;
    uint32_t n = (uint32_t)((double)b->n_train * b->o->rows + 0.5);
    if (n < 1) n = 1;
    double best = INFINITY;
    size_t best_trees = 0, best_nodes = 0;
    unsigned worse = 0;
    for (unsigned round = 0; round < b->o->rounds; round++) {
        if (n < b->n_train) choose(&b->random, b->all, b->n_train, n);
        if (m->n_outputs > 1) softmax(b);
        for (size_t k = 0; k < m->n_outputs; k++) SR_TRY(one_tree(b, n, k, err));
        if (!b->o->stop) continue;
        double loss = validation_loss(b);
        if (loss < best) {
            best = loss;
            best_trees = m->n_trees;
            best_nodes = m->n_nodes;
            worse = 0;
        } else if (++worse == b->o->stop) {
            break;
        }
    }
    if (b->o->stop && best_trees) {
        m->n_trees = best_trees;
        m->n_nodes = best_nodes;
    }
    return SR_OK;
}

/* ---- preparing ---- */

static sr_status copy_words(char **from, size_t n, char ***ret, size_t *ret_n, struct sr_err *err) {
    *ret = sr_calloc_n(n + 1, sizeof **ret);
    if (!*ret) return sr_fail(err, SR_E_NOMEM, "out of memory");
    *ret_n = n;
    for (size_t i = 0; i < n; i++) {
        (*ret)[i] = slice_dup(slice_str(from[i]));
        if (!(*ret)[i]) return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    return SR_OK;
}

static sr_status start_model(struct boost *b, struct sr_err *err) {
    const struct frame_column *target = &b->data->frame->columns[b->data->target];
    struct model *m = b->m;
    m->task = b->data->task;
    m->rows = b->n_train;
    m->target = slice_dup(slice_str(target->name));
    if (m->task != MODEL_REGRESSION)
        SR_TRY(copy_words(target->words, target->n_words, &m->labels, &m->n_labels, err));
    m->n_outputs = m->n_labels > 2 ? m->n_labels : 1;
    m->base = sr_calloc_n(m->n_outputs, sizeof *m->base);
    m->features = sr_calloc_n(b->n_features, sizeof *m->features);
    m->trees = sr_calloc_n((size_t)b->o->rounds * m->n_outputs, sizeof *m->trees);
    if (!m->target || !m->base || !m->features || !m->trees)
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < b->n_features; i++) {
        const struct frame_column *c = &b->data->frame->columns[b->bins[i].column];
        struct model_feature *f = &m->features[m->n_features++];
        f->name = slice_dup(slice_str(c->name));
        if (!f->name) return sr_fail(err, SR_E_NOMEM, "out of memory");
        if (c->is_words) SR_TRY(copy_words(c->words, c->n_words, &f->words, &f->n_words, err));
    }
    return SR_OK;
}

static sr_status make_bins(struct boost *b, struct sr_err *err) {
    const struct frame *f = b->data->frame;
    b->bins = sr_calloc_n(f->n, sizeof *b->bins);
    b->offsets = sr_calloc_n(f->n + 1, sizeof *b->offsets);
    if (!b->bins || !b->offsets) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < f->n; i++) {
        struct bins bins;
        if (i == b->data->target) continue;
        SR_TRY(bins_make(b->data, i, &bins, err));
        if (bins.n == 0 || (bins.n < 2 && !(bins.words && bins.missing))) {
            bins_done(&bins);
            continue;
        }
        b->bins[b->n_features] = bins;
        b->offsets[b->n_features + 1] = b->offsets[b->n_features] + bins.n + 1;
        b->n_features++;
    }
    if (b->n_features == 0 || b->n_features > MODEL_MAX_FEATURES)
        return sr_fail(err, SR_E_USAGE, "no column is left to learn from");
    return SR_OK;
}

static sr_status make_room(struct boost *b, struct sr_err *err) {
    size_t n = b->data->n, k = b->m->n_outputs;
    size_t cells = b->offsets[b->n_features];
    b->y = sr_calloc_n(n, sizeof *b->y);
    b->all = sr_calloc_n(n, sizeof *b->all);
    b->order = sr_calloc_n(n, sizeof *b->order);
    b->right = sr_calloc_n(n, sizeof *b->right);
    b->g = sr_calloc_n(n, 4 * sizeof *b->g);
    b->scores = sr_calloc_n(n, k * sizeof *b->scores);
    b->p = k > 1 ? sr_calloc_n(n, k * sizeof *b->p) : NULL;
    b->slots = sr_calloc_n(b->o->depth + 2, cells * sizeof *b->slots);
    b->seen = sr_calloc_n(b->n_features, sizeof *b->seen);
    b->columns = sr_calloc_n(b->n_features, sizeof *b->columns);
    b->gains = sr_calloc_n(b->n_features, sizeof *b->gains);
    if (!b->y || !b->all || !b->order || !b->right || !b->g || !b->scores || (k > 1 && !b->p) ||
        !b->slots || !b->seen || !b->columns || !b->gains)
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    b->h = b->g + n;
    b->g_part = b->g + 2 * n;
    b->h_part = b->g + 3 * n;
    const double *target = b->data->frame->columns[b->data->target].cells;
    for (uint32_t i = 0; i < n; i++) {
        b->all[i] = i;
        b->y[i] = target[b->data->rows[i]];
        if (isnan(b->y[i])) return sr_fail(err, SR_E_USAGE, "a row's target is missing");
    }
    for (size_t i = 0; i < b->n_features; i++) b->columns[i] = i;
    return SR_OK;
}

static sr_status train(struct boost *b, struct sr_err *err) {
    b->n_train = b->o->stop ? b->data->n - b->data->n / VALIDATION_SHARE : b->data->n;
    SR_TRY(make_bins(b, err));
    SR_TRY(start_model(b, err));
    SR_TRY(make_room(b, err));
    start_scores(b);
    SR_TRY(all_trees(b, err));
    double sum = 0;
    for (size_t i = 0; i < b->n_features; i++) sum += b->gains[i];
    for (size_t i = 0; sum > 0 && i < b->n_features; i++) b->gains[i] /= sum;
    return SR_OK;
}

sr_status boost_train(const struct boost_data *data, const struct boost_options *o,
                      struct model **ret, double **ret_importance, struct sr_err *err) {
    struct boost b = {.data = data, .o = o, .random = {o->seed}};
    b.m = sr_calloc_n(1, sizeof *b.m);
    sr_status st = b.m ? train(&b, err) : sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < b.n_features; i++) bins_done(&b.bins[i]);
    free(b.bins);
    free(b.offsets);
    free(b.y);
    free(b.all);
    free(b.order);
    free(b.right);
    free(b.g);
    free(b.scores);
    free(b.p);
    free(b.slots);
    free(b.seen);
    free(b.columns);
    if (st != SR_OK) {
        free(b.gains);
        model_free(b.m);
        return st;
    }
    *ret = b.m;
    *ret_importance = b.gains;
    return SR_OK;
}
