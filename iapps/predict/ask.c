/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "../common/number.h"
#include "base/json.h"
#include <math.h>
#include <stdlib.h>

#define PIECE       (64u << 10)
#define PIECE_MAX   (PIECE + (1u << 16)) /* a line more */
#define METRICS_MAX (1u << 20)
#define NO_COLUMN   SIZE_MAX

struct asking {
    const struct model *m;
    ask_write out;
    void *arg;
    struct buf piece;
    struct metrics metrics;
    size_t *columns; /* of the table being read, for each feature */
    size_t target;   /* NO_COLUMN: the table has none */
    double *x;
    bool several; /* tables */
    unsigned table;
    uint64_t rows;
};

void asked_done(struct asked *a) {
    buf_done(&a->metrics);
    *a = (struct asked){0};
}

static sr_status flush(struct asking *a, struct sr_err *err) {
    SR_TRY(buf_status(&a->piece, err));
    SR_TRY(a->out(a->arg, buf_slice(&a->piece), err));
    buf_clear(&a->piece);
    return SR_OK;
}

static void put_header(struct asking *a) {
    const struct model *m = a->m;
    buf_str(&a->piece, a->several ? "table,row,prediction" : "row,prediction");
    if (m->n_labels) buf_str(&a->piece, ",probability");
    for (size_t i = 0; m->n_labels <= ASK_LISTED && i < m->n_labels; i++) {
        buf_u8(&a->piece, ',');
        csv_put2(&a->piece, "p_", slice_str(m->labels[i]));
    }
    buf_u8(&a->piece, '\n');
}

static void put_answer(struct asking *a, uint64_t row, const double *scores) {
    const struct model *m = a->m;
    struct buf *b = &a->piece;
    if (a->several) buf_printf(b, "%u,", a->table);
    buf_printf(b, "%llu,", (unsigned long long)row);
    if (m->task == MODEL_REGRESSION) {
        number_put(b, scores[0], 8);
    } else {
        double p[MODEL_MAX_LABELS];
        size_t said = metrics_choice(m, scores, p);
        csv_put(b, slice_str(m->labels[said]));
        buf_u8(b, ',');
        number_put(b, p[said], 6);
        for (size_t i = 0; m->n_labels <= ASK_LISTED && i < m->n_labels; i++) {
            buf_u8(b, ',');
            number_put(b, p[i], 6);
        }
    }
    buf_u8(b, '\n');
}

/* The truth beside a row, when it is one that the model knows. */
static bool truth_of(const struct model *m, struct slice cell, double *ret) {
    if (m->task == MODEL_REGRESSION) return number_parse(cell, ret) && fabs(*ret) < 1e100;
    for (size_t i = 0; i < m->n_labels; i++)
        if (slice_is(cell, m->labels[i])) {
            *ret = (double)i;
            return true;
        }
    return false;
}

static size_t find(const struct slice *names, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (slice_is(names[i], name)) return i;
    return NO_COLUMN;
}

static sr_status take_header(struct asking *a, const struct slice *names, size_t n,
                             struct sr_err *err) {
    for (size_t i = 0; i < a->m->n_features; i++) {
        a->columns[i] = find(names, n, a->m->features[i].name);
        if (a->columns[i] != NO_COLUMN) continue;
        sr_hint(err,
                "the model was trained on %zu columns; a value may be empty, a column must be "
                "there",
                a->m->n_features);
        return sr_fail(err, SR_E_NOTFOUND,
                       "the rows have no column '%.100s', which the model needs",
                       a->m->features[i].name);
    }
    a->target = find(names, n, a->m->target);
    return SR_OK;
}

static sr_status take_row(void *arg, const struct slice *fields, size_t n, uint64_t row,
                          struct sr_err *err) {
    struct asking *a = arg;
    const struct model *m = a->m;
    double scores[MODEL_MAX_LABELS], truth;
    if (row == 0) return take_header(a, fields, n, err);
    for (size_t i = 0; i < m->n_features; i++)
        if (!model_value(&m->features[i], fields[a->columns[i]], &a->x[i]))
            return sr_fail(err, SR_E_MALFORMED, "row %llu has no number in the column '%.100s'",
                           (unsigned long long)row, m->features[i].name);
    model_score(m, a->x, scores);
    put_answer(a, row, scores);
    a->rows++;
    if (a->target != NO_COLUMN && truth_of(m, fields[a->target], &truth))
        SR_TRY(metrics_add(&a->metrics, truth, scores, err));
    return a->piece.n >= PIECE ? flush(a, err) : SR_OK;
}

/* Words COLUMN=VALUE as a table of one row. */
static sr_status ask_words(struct asking *a, int argc, char *const *argv, struct sr_err *err) {
    size_t n = (size_t)argc - 1;
    cleanup_free struct slice *names = sr_calloc_n(n, sizeof *names);
    cleanup_free struct slice *values = sr_calloc_n(n, sizeof *values);
    if (!names || !values) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (!slice_cut(slice_str(argv[i + 1]), '=', &names[i], &values[i])) {
            sr_hint(err, "arguments are the row's words COLUMN=VALUE; none: rows come as a table");
            return sr_fail(err, SR_E_USAGE, "'%.60s' is no COLUMN=VALUE", argv[i + 1]);
        }
    SR_TRY(take_row(a, names, n, 0, err));
    return take_row(a, values, n, 1, err);
}

static sr_status ask_tables(struct asking *a, const struct sources *s, struct sr_err *err) {
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].is_model) continue;
        a->table++;
        SR_TRY(source_rows(&s->v[i], take_row, a, err));
    }
    return SR_OK;
}

static sr_status ask_all(struct asking *a, const struct sources *s, int argc, char *const *argv,
                         struct sr_err *err) {
    a->columns = sr_calloc_n(a->m->n_features, sizeof *a->columns);
    a->x = sr_calloc_n(a->m->n_features, sizeof *a->x);
    if (!a->columns || !a->x) return sr_fail(err, SR_E_NOMEM, "out of memory");
    a->several = argc <= 1 && sources_tables(s) > 1;
    put_header(a);
    if (argc > 1)
        SR_TRY(ask_words(a, argc, argv, err));
    else
        SR_TRY(ask_tables(a, s, err));
    if (a->rows == 0) {
        sr_hint(err, "give rows as a protected table, an input file, secret 1 (all CSV with a "
                     "header), or one as arguments COLUMN=VALUE");
        return sr_fail(err, SR_E_USAGE, "there are no rows to predict for%s",
                       s->withheld ? " (some data sets were withheld)" : "");
    }
    return flush(a, err);
}

sr_status ask(const struct model *m, const struct sources *s, int argc, char *const *argv,
              ask_write out, void *arg, struct asked *ret, struct sr_err *err) {
    struct asking a = {.m = m, .out = out, .arg = arg, .target = NO_COLUMN};
    struct asked done = {0};
    buf_init(&a.piece, PIECE_MAX);
    buf_init(&done.metrics, METRICS_MAX);
    sr_status st = metrics_init(&a.metrics, m, err);
    if (st == SR_OK) st = ask_all(&a, s, argc, argv, err);
    done.rows = a.rows;
    done.known = a.metrics.rows;
    if (st == SR_OK && done.known) {
        struct jw w = jw_of(&done.metrics);
        metrics_write(&a.metrics, &w);
        st = buf_status(&done.metrics, err);
    }
    metrics_done(&a.metrics);
    buf_done(&a.piece);
    free(a.columns);
    free(a.x);
    if (st != SR_OK) {
        asked_done(&done);
        return st;
    }
    *ret = done;
    return SR_OK;
}
