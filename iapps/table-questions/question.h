/* SPDX-License-Identifier: Apache-2.0 */
/*
 * question.h - the language of questions about a table, and the owner's rules for them (README.md)
 *
 * Depends on: base.  Used by: answer.
 */
#pragma once
#include "base/json.h"

#define QUESTION_MAX_TEXT       16384u
#define QUESTION_MAX_CONDITIONS 16u
#define QUESTION_MAX_VALUES     64u /* of one "in" */
#define QUESTION_MAX_KEYS       3u
#define QUESTION_MAX_FIGURES    8u
#define QUESTION_LEAST_GROUP    5u /* nobody can ask for less */
#define QUESTION_MOST_GROUP     1000000u

enum question_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_MISSING, OP_PRESENT };
enum question_figure_kind { FIGURE_MEAN, FIGURE_SUM, FIGURE_STDDEV, FIGURE_MEDIAN };

struct question_value {
    bool is_number;
    double number;
    struct slice text;
};
struct question_condition {
    struct slice column;
    enum question_op op;
    struct question_value values[QUESTION_MAX_VALUES];
    size_t n;
};
struct question_key {
    struct slice column;
    double step; /* 0: each value is a group; else each step of numbers */
};
struct question_figure {
    enum question_figure_kind kind;
    struct slice column;
};
struct question {
    struct json *doc; /* all slices are of it */
    struct question_condition conditions[QUESTION_MAX_CONDITIONS];
    struct question_key keys[QUESTION_MAX_KEYS];
    struct question_figure figures[QUESTION_MAX_FIGURES];
    size_t n_conditions, n_keys, n_figures;
    unsigned minimum; /* people of a group that is told */
};

/* SR_E_MALFORMED for what is no JSON, SR_E_USAGE for what is no question; the text says what. *ret
 * is owned: question_done. */
SR_CHECK sr_status question_parse(struct slice text, struct question *ret, struct sr_err *err);
void question_done(struct question *q);
/* "mean ", before a column's name. */
const char *question_heading(enum question_figure_kind k);

/* What the owner put beside his table. */
struct question_rules {
    struct json *doc;
    unsigned minimum;
    struct slice person;            /* the column that says who a row is of; n 0: each row is one */
    const struct json_val *columns; /* array of names that may be asked about; NULL: all */
};
/* An empty text has the least rules. SR_E_MALFORMED. *ret is owned: question_rules_done. */
SR_CHECK sr_status question_rules_parse(struct slice text, struct question_rules *ret,
                                        struct sr_err *err);
void question_rules_done(struct question_rules *r);
bool question_rules_allow(const struct question_rules *r, struct slice column);
