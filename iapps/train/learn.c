/* SPDX-License-Identifier: Apache-2.0 */
#include "learn.h"
#include "../common/metrics.h"
#include "../common/number.h"
#include "base/json.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define REPORT_MAX      (4u << 20)
#define AUTO_MAX_LABELS 20u /* whole numbers of at most so many values are classes */

void learnt_done(struct learnt *l) {
    model_free(l->model);
    buf_done(&l->report);
    *l = (struct learnt){0};
}

struct work {
    const struct sources *s;
    const struct options *o;
    struct frame *f;
    size_t target;
    enum model_task task;
    uint32_t *rows; /* with a target; the held-out ones last */
    uint32_t n, held;
    uint64_t without_target;
    double *importance;
};

/* Words are classes; so are whole numbers of few values, unless task= says what they are. */
static bool few_whole_numbers(const struct frame_column *c, uint64_t rows) {
    double seen[AUTO_MAX_LABELS];
    size_t n = 0;
    for (uint64_t r = 0; r < rows; r++) {
        double v = c->cells[r];
        if (isnan(v)) continue;
        if (v != nearbyint(v)) return false;
        size_t k = 0;
        while (k < n && seen[k] != v) k++;
        if (k < n) continue;
        if (n == AUTO_MAX_LABELS) return false;
        seen[n++] = v;
    }
    return n > 0;
}

static sr_status load(struct work *w, struct sr_err *err) {
    struct frame_choice c = {w->o->target, w->o->use,    w->o->drop,
                             w->o->n_use,  w->o->n_drop, w->o->task == TASK_CLASSES};
    SR_TRY(frame_load(w->s, &c, &w->f, err));
    w->target = frame_find(w->f, w->o->target);
    const struct frame_column *t = &w->f->columns[w->target];
    if (w->o->task == TASK_AUTO && !t->is_words && few_whole_numbers(t, w->f->rows)) {
        frame_free(w->f);
        w->f = NULL;
        c.target_is_words = true;
        SR_TRY(frame_load(w->s, &c, &w->f, err));
        t = &w->f->columns[w->target];
    }
    if (w->o->task == TASK_REGRESSION && t->is_words) {
        sr_hint(err, "task=classes learns words");
        return sr_fail(err, SR_E_USAGE, "the column '%.60s' has words: no regression is possible",
                       t->name);
    }
    w->task = !t->is_words ? MODEL_REGRESSION : t->n_words == 2 ? MODEL_TWO_CLASSES : MODEL_CLASSES;
    if (t->is_words && (t->n_words < 2 || t->n_words > MODEL_MAX_LABELS)) {
        sr_hint(err, "a class counts when %u rows or more have it; task=regression learns numbers",
                FRAME_FEW);
        return sr_fail(err, SR_E_USAGE, "the column '%.60s' has %zu classes; 2 to %u can be learnt",
                       t->name, t->n_words, MODEL_MAX_LABELS);
    }
    return SR_OK;
}

static sr_status choose_rows(struct work *w, struct sr_err *err) {
    const double *target = w->f->columns[w->target].cells;
    w->rows = sr_calloc_n(w->f->rows, sizeof *w->rows);
    if (!w->rows) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (uint32_t r = 0; r < w->f->rows; r++) {
        if (fabs(target[r]) > MODEL_MAX_VALUE / 1e100)
            return sr_fail(err, SR_E_USAGE, "the target has numbers beyond 1e100");
        if (!isnan(target[r])) w->rows[w->n++] = r;
    }
    w->without_target = w->f->rows - w->n;
    if (w->n < LEARN_LEAST_ROWS)
        return sr_fail(err, SR_E_USAGE, "%u rows or more with a target are needed",
                       LEARN_LEAST_ROWS);
    w->held = (uint32_t)((double)w->n * w->o->holdout + 0.5);
    if (w->held > 0 && w->held < LEARN_LEAST_HELD) {
        sr_hint(err, "a larger holdout=SHARE, or holdout=0 for no metrics");
        return sr_fail(err, SR_E_USAGE, "with holdout=%g, %u rows would be held out: fewer than %u",
                       w->o->holdout, w->held, LEARN_LEAST_HELD);
    }
    struct number_random random = {w->o->boost.seed ^ 0x73706c6974ull};
    for (uint32_t i = w->n; i > 1; i--) {
        uint32_t k = (uint32_t)number_below(&random, i), t = w->rows[i - 1];
        w->rows[i - 1] = w->rows[k];
        w->rows[k] = t;
    }
    return SR_OK;
}

/* The model is asked as predict will ask it: by its own names, from cells. */
static sr_status evaluate(const struct work *w, const struct model *m, struct metrics *q,
                          struct sr_err *err) {
    cleanup_free double *x = sr_calloc_n(m->n_features, sizeof *x);
    cleanup_free size_t *column = sr_calloc_n(m->n_features, sizeof *column);
    double scores[MODEL_MAX_LABELS];
    if (!x || !column) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < m->n_features; i++) column[i] = frame_find(w->f, m->features[i].name);
    for (uint32_t i = w->n - w->held; i < w->n; i++) {
        for (size_t k = 0; k < m->n_features; k++)
            x[k] = w->f->columns[column[k]].cells[w->rows[i]];
        model_score(m, x, scores);
        SR_TRY(metrics_add(q, w->f->columns[w->target].cells[w->rows[i]], scores, err));
    }
    return SR_OK;
}

static void write_importance(const struct work *w, const struct model *m, struct jw *j) {
    jw_key(j, "importance");
    jw_obj(j);
    for (size_t i = 0; i < m->n_features; i++)
        number_json(j, m->features[i].name, w->importance[i], 4);
    jw_end_obj(j);
}

static sr_status report(const struct work *w, struct learnt *l, struct sr_err *err) {
    static const char *const tasks[] = {"", "regression", "two classes", "classes"};
    const struct model *m = l->model;
    struct metrics q;
    SR_TRY(metrics_init(&q, m, err));
    sr_status st = evaluate(w, m, &q, err);
    struct jw j = jw_of(&l->report);
    jw_obj(&j);
    jw_kcstr(&j, "task", tasks[m->task]);
    jw_kcstr(&j, "target", m->target);
    jw_ku64(&j, "tables", sources_tables(w->s));
    jw_ku64(&j, "tablesWithheld", w->s->withheld);
    jw_ku64(&j, "rows", w->f->rows);
    jw_ku64(&j, "rowsWithoutTarget", w->without_target);
    jw_ku64(&j, "rowsLearntFrom", w->n - w->held);
    jw_ku64(&j, "columns", m->n_features);
    jw_ku64(&j, "trees", m->n_trees);
    jw_ku64(&j, "nodes", m->n_nodes);
    jw_key(&j, "parameters");
    options_write(w->o, &j);
    jw_key(&j, "heldOut");
    if (w->held)
        metrics_write(&q, &j);
    else
        jw_null(&j);
    write_importance(w, m, &j);
    jw_end_obj(&j);
    buf_u8(&l->report, '\n');
    (void)snprintf(l->line, sizeof l->line, "%llu rows of %zu tables, %zu trees; %s %.4f",
                   (unsigned long long)w->f->rows, sources_tables(w->s), m->n_trees,
                   !w->held                      ? "nothing held out"
                   : m->task == MODEL_REGRESSION ? "held-out R2"
                                                 : "held-out accuracy",
                   !w->held                      ? 0
                   : m->task == MODEL_REGRESSION ? metrics_r2(&q)
                                                 : metrics_accuracy(&q));
    metrics_done(&q);
    if (st != SR_OK) return st;
    return buf_status(&l->report, err);
}

static sr_status all(struct work *w, struct learnt *l, struct sr_err *err) {
    SR_TRY(load(w, err));
    SR_TRY(choose_rows(w, err));
    struct boost_data data = {w->f, w->target, w->rows, w->n - w->held, w->task};
    SR_TRY(boost_train(&data, &w->o->boost, &l->model, &w->importance, err));
    return report(w, l, err);
}

sr_status learn(const struct sources *s, const struct options *o, struct learnt *ret,
                struct sr_err *err) {
    struct work w = {.s = s, .o = o};
    struct learnt l = {0};
    buf_init(&l.report, REPORT_MAX);
    sr_status st = all(&w, &l, err);
    frame_free(w.f);
    free(w.rows);
    free(w.importance);
    if (st != SR_OK) {
        learnt_done(&l);
        return st;
    }
    *ret = l;
    return SR_OK;
}
