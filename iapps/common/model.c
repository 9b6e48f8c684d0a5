/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"
#include "number.h"
#include <math.h>
#include <stdlib.h>

#define LEAF         0xffffu
#define FLAG_MISSING 1u

void model_free(struct model *m) {
    if (!m) return;
    for (size_t i = 0; m->features && i < m->n_features; i++) {
        for (size_t k = 0; m->features[i].words && k < m->features[i].n_words; k++)
            free(m->features[i].words[k]);
        free(m->features[i].words);
        free(m->features[i].name);
    }
    for (size_t i = 0; m->labels && i < m->n_labels; i++) free(m->labels[i]);
    free(m->features);
    free(m->labels);
    free(m->target);
    free(m->base);
    free(m->trees);
    free(m->nodes);
    free(m);
}

/* ---- writing ---- */

static void put_f64(struct buf *b, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    buf_u64(b, bits);
}

static void put_text(struct buf *b, const char *s) {
    struct slice t = slice_str(s);
    buf_u16(b, (uint16_t)t.n);
    buf_add(b, t);
}

static void put_node(const struct model *m, const struct model_node *n, struct buf *b) {
    if (!n->right) {
        buf_u16(b, LEAF);
        put_f64(b, n->value);
        return;
    }
    buf_u16(b, n->feature);
    buf_u8(b, n->missing_left ? FLAG_MISSING : 0);
    if (m->features[n->feature].n_words)
        buf_u8(b, (uint8_t)n->value);
    else
        put_f64(b, n->value);
}

void model_write(const struct model *m, struct buf *b) {
    buf_str(b, MODEL_MAGIC);
    buf_u16(b, MODEL_VERSION);
    buf_u8(b, (uint8_t)m->task);
    put_text(b, m->target);
    buf_u64(b, m->rows);
    buf_u16(b, (uint16_t)m->n_features);
    for (size_t i = 0; i < m->n_features; i++) {
        put_text(b, m->features[i].name);
        buf_u8(b, (uint8_t)m->features[i].n_words);
        for (size_t k = 0; k < m->features[i].n_words; k++) put_text(b, m->features[i].words[k]);
    }
    buf_u8(b, (uint8_t)m->n_labels);
    for (size_t i = 0; i < m->n_labels; i++) put_text(b, m->labels[i]);
    for (size_t i = 0; i < m->n_outputs; i++) put_f64(b, m->base[i]);
    buf_u32(b, (uint32_t)m->n_trees);
    for (size_t i = 0; i < m->n_nodes; i++) put_node(m, &m->nodes[i], b);
}

/* ---- reading ---- */

/* What it reads must be there and right; the first thing that is not ends it. */
struct reader {
    struct rd r;
    const uint8_t *start;
    struct model *m;
    size_t cap; /* of nodes */
};

static sr_status wrong(const struct reader *q, const char *what, struct sr_err *err) {
    sr_hint(err, "a model is the file model.srm that the app train made, unchanged");
    return sr_fail(err, SR_E_MALFORMED, "this is no model: %s at byte %zu", what,
                   (size_t)(q->r.p - q->start));
}

static sr_status get_text(struct reader *q, char **ret, struct sr_err *err) {
    size_t n = rd_u16(&q->r);
    struct slice s = rd_take(&q->r, n);
    if (q->r.bad || n == 0 || n > MODEL_MAX_NAME || memchr(s.p, 0, n))
        return wrong(q, "a name", err);
    *ret = slice_dup(s);
    return *ret ? SR_OK : sr_fail(err, SR_E_NOMEM, "out of memory");
}

static sr_status get_f64(struct reader *q, double *ret, struct sr_err *err) {
    uint64_t bits = rd_u64(&q->r);
    double v;
    memcpy(&v, &bits, sizeof v);
    if (q->r.bad || !isfinite(v)) return wrong(q, "a number", err);
    *ret = v;
    return SR_OK;
}

/* What is added up: so small that no sum overflows. */
static sr_status get_summand(struct reader *q, double *ret, struct sr_err *err) {
    SR_TRY(get_f64(q, ret, err));
    return fabs(*ret) <= MODEL_MAX_VALUE ? SR_OK : wrong(q, "a number", err);
}

/* n different texts. */
static sr_status get_texts(struct reader *q, size_t n, char ***ret, struct sr_err *err) {
    char **v = sr_calloc_n(n + 1, sizeof *v);
    if (!v) return sr_fail(err, SR_E_NOMEM, "out of memory");
    *ret = v; /* owned by the model from here, also when half-filled */
    for (size_t i = 0; i < n; i++) {
        SR_TRY(get_text(q, &v[i], err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(v[k], v[i]) == 0) return wrong(q, "a name that is there twice", err);
    }
    return SR_OK;
}

static sr_status get_features(struct reader *q, struct sr_err *err) {
    struct model *m = q->m;
    size_t n = rd_u16(&q->r);
    if (q->r.bad || n == 0 || n > MODEL_MAX_FEATURES) return wrong(q, "the number of columns", err);
    m->features = sr_calloc_n(n, sizeof *m->features);
    if (!m->features) return sr_fail(err, SR_E_NOMEM, "out of memory");
    m->n_features = n;
    for (size_t i = 0; i < n; i++) {
        struct model_feature *f = &m->features[i];
        SR_TRY(get_text(q, &f->name, err));
        f->n_words = rd_u8(&q->r);
        if (q->r.bad || f->n_words > MODEL_MAX_WORDS) return wrong(q, "the number of words", err);
        if (f->n_words) SR_TRY(get_texts(q, f->n_words, &f->words, err));
        if (strcmp(f->name, m->target) == 0) return wrong(q, "a column that is the target", err);
        for (size_t k = 0; k < i; k++)
            if (strcmp(m->features[k].name, f->name) == 0)
                return wrong(q, "a column that is there twice", err);
    }
    return SR_OK;
}

static sr_status get_labels(struct reader *q, struct sr_err *err) {
    struct model *m = q->m;
    size_t n = rd_u8(&q->r);
    bool fits = m->task == MODEL_REGRESSION    ? n == 0
                : m->task == MODEL_TWO_CLASSES ? n == 2
                                               : n >= 3 && n <= MODEL_MAX_LABELS;
    if (q->r.bad || !fits) return wrong(q, "the number of classes", err);
    m->n_labels = n;
    if (n) SR_TRY(get_texts(q, n, &m->labels, err));
    m->n_outputs = n > 2 ? n : 1;
    m->base = sr_calloc_n(m->n_outputs, sizeof *m->base);
    if (!m->base) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < m->n_outputs; i++) SR_TRY(get_summand(q, &m->base[i], err));
    return SR_OK;
}

static sr_status new_node(struct reader *q, struct model_node **ret, struct sr_err *err) {
    struct model *m = q->m;
    if (m->n_nodes == MODEL_MAX_NODES)
        return sr_fail(err, SR_E_TOOBIG, "the model has more than %u nodes", MODEL_MAX_NODES);
    if (m->n_nodes == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 256;
        struct model_node *more = realloc(m->nodes, cap * sizeof *more);
        if (!more) return sr_fail(err, SR_E_NOMEM, "out of memory");
        m->nodes = more;
        q->cap = cap;
    }
    *ret = &m->nodes[m->n_nodes++];
    **ret = (struct model_node){0};
    return SR_OK;
}

static sr_status get_split(struct reader *q, struct model_node *node, struct sr_err *err) {
    const struct model *m = q->m;
    if (node->feature >= m->n_features) return wrong(q, "a column's index", err);
    uint8_t flags = rd_u8(&q->r);
    if (q->r.bad || flags > FLAG_MISSING) return wrong(q, "the flags of a node", err);
    node->missing_left = flags & FLAG_MISSING;
    size_t words = m->features[node->feature].n_words;
    if (!words) return get_f64(q, &node->value, err);
    uint8_t word = rd_u8(&q->r);
    if (q->r.bad || word >= words) return wrong(q, "a word's index", err);
    node->value = word;
    return SR_OK;
}

static sr_status get_tree(struct reader *q, struct sr_err *err) {
    struct model *m = q->m;
    size_t open[MODEL_MAX_DEPTH]; /* nodes whose right child has not begun */
    unsigned depths[MODEL_MAX_DEPTH], n_open = 0, depth = 0;
    for (;;) {
        struct model_node *node;
        SR_TRY(new_node(q, &node, err));
        node->feature = rd_u16(&q->r);
        if (q->r.bad) return wrong(q, "the end", err);
        if (node->feature != LEAF) {
            if (depth == MODEL_MAX_DEPTH) return wrong(q, "a tree that is too deep", err);
            SR_TRY(get_split(q, node, err));
            node->right = 1; /* a split; set when it is known */
            depths[n_open] = depth;
            open[n_open++] = m->n_nodes - 1;
            depth++;
            continue;
        }
        node->feature = 0;
        SR_TRY(get_summand(q, &node->value, err));
        if (n_open == 0) return SR_OK;
        n_open--;
        m->nodes[open[n_open]].right = (uint32_t)m->n_nodes;
        depth = depths[n_open] + 1;
    }
}

static sr_status get_model(struct reader *q, struct sr_err *err) {
    struct model *m = q->m;
    if (!slice_is(rd_take(&q->r, sizeof MODEL_MAGIC - 1), MODEL_MAGIC))
        return wrong(q, "its first bytes are not " MODEL_MAGIC, err);
    uint16_t version = rd_u16(&q->r);
    if (q->r.bad || version != MODEL_VERSION) {
        sr_hint(err, "use the predict app of the same release as the train app");
        return sr_fail(err, SR_E_MALFORMED, "the model's version is %u, this program reads %u",
                       version, MODEL_VERSION);
    }
    uint8_t task = rd_u8(&q->r);
    if (task < MODEL_REGRESSION || task > MODEL_CLASSES) return wrong(q, "the task", err);
    m->task = (enum model_task)task;
    SR_TRY(get_text(q, &m->target, err));
    m->rows = rd_u64(&q->r);
    SR_TRY(get_features(q, err));
    SR_TRY(get_labels(q, err));
    size_t n = rd_u32(&q->r);
    if (q->r.bad || n == 0 || n > MODEL_MAX_TREES || n % m->n_outputs)
        return wrong(q, "the number of trees", err);
    m->trees = sr_calloc_n(n, sizeof *m->trees);
    if (!m->trees) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (; m->n_trees < n; m->n_trees++) {
        m->trees[m->n_trees] = (uint32_t)m->n_nodes;
        SR_TRY(get_tree(q, err));
    }
    return rd_done(&q->r) ? SR_OK : wrong(q, "something behind its end", err);
}

sr_status model_read(struct slice file, struct model **ret, struct sr_err *err) {
    if (file.n > MODEL_MAX_BYTES)
        return sr_fail(err, SR_E_TOOBIG, "the model is larger than %u bytes", MODEL_MAX_BYTES);
    struct reader q = {rd_of(file), file.p, sr_calloc_n(1, sizeof *q.m), 0};
    if (!q.m) return sr_fail(err, SR_E_NOMEM, "out of memory");
    sr_status st = get_model(&q, err);
    if (st != SR_OK) {
        model_free(q.m);
        return st;
    }
    *ret = q.m;
    return SR_OK;
}

/* ---- asking ---- */

static double leaf_of(const struct model *m, const struct model_node *tree, const double *x) {
    const struct model_node *n = tree;
    while (n->right) {
        double v = x[n->feature];
        bool left = isnan(v)                          ? n->missing_left
                    : m->features[n->feature].n_words ? v == n->value
                                                      : v <= n->value;
        n = left ? n + 1 : m->nodes + n->right;
    }
    return n->value;
}

void model_score(const struct model *m, const double *x, double *ret) {
    memcpy(ret, m->base, m->n_outputs * sizeof *ret);
    size_t out = 0;
    for (size_t t = 0; t < m->n_trees; t++) {
        ret[out] += leaf_of(m, m->nodes + m->trees[t], x);
        if (++out == m->n_outputs) out = 0;
    }
}

void model_probabilities(const struct model *m, const double *scores, double *ret) {
    if (m->n_labels == 2) {
        ret[1] = number_sigmoid(scores[0]);
        ret[0] = 1 - ret[1];
        return;
    }
    double most = scores[0], sum = 0;
    for (size_t i = 1; i < m->n_labels; i++)
        if (scores[i] > most) most = scores[i];
    for (size_t i = 0; i < m->n_labels; i++) sum += ret[i] = number_exp(scores[i] - most);
    for (size_t i = 0; i < m->n_labels; i++) ret[i] /= sum;
}

bool model_value(const struct model_feature *f, struct slice cell, double *ret) {
    if (number_is_missing(cell)) {
        *ret = NAN;
        return true;
    }
    if (!f->n_words) return number_parse(cell, ret);
    *ret = NAN;
    for (size_t i = 0; i < f->n_words; i++)
        if (slice_is(cell, f->words[i])) *ret = (double)i;
    return true;
}
