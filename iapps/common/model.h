/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - a trained model: boosted decision trees, as a file and in memory
 *
 * The file (model.srm) is described in iapps/common/README.md, "The model file". Reading is strict:
 * one encoding of each model, every number finite, every index inside, nothing behind the end.
 *
 * Depends on: base, number.  Used by: train (writes), predict (reads).
 */
#pragma once
#include "base/base.h"

#define MODEL_MAGIC        "SR-MODEL"
#define MODEL_VERSION      1u
#define MODEL_MAX_BYTES    (64u << 20)
#define MODEL_MAX_FEATURES 4096u
#define MODEL_MAX_WORDS    254u
#define MODEL_MAX_LABELS   100u
#define MODEL_MAX_NAME     256u
#define MODEL_MAX_TREES    200000u
#define MODEL_MAX_NODES    (4u << 20)
#define MODEL_MAX_DEPTH    12u
#define MODEL_MAX_VALUE    1e200 /* of a leaf or base */

enum model_task { MODEL_REGRESSION = 1, MODEL_TWO_CLASSES = 2, MODEL_CLASSES = 3 };

struct model_feature {
    char *name;
    size_t n_words; /* 0: a column of numbers */
    char **words;   /* sorted; a value is an index of it */
};
/* In the order of a walk that goes left first: the left child of node i is i + 1. */
struct model_node {
    uint32_t right; /* 0: a leaf */
    uint16_t feature;
    bool missing_left; /* where a missing value goes */
    double value;      /* a leaf's; else the threshold (left: x <= value) or the word (left: it) */
};
struct model {
    enum model_task task;
    char *target;
    struct model_feature *features;
    size_t n_features;
    char **labels; /* of classes */
    size_t n_labels;
    size_t n_outputs; /* 1, or as many as labels when they are three or more */
    double *base;     /* n_outputs: where the sum of the trees starts */
    uint64_t rows;    /* that it was trained on */
    uint32_t *trees;  /* first node of each; tree t adds to output t % n_outputs */
    size_t n_trees;
    struct model_node *nodes;
    size_t n_nodes;
};

/* *ret is owned: model_free. SR_E_MALFORMED with the byte's offset, SR_E_TOOBIG. */
SR_CHECK sr_status model_read(struct slice file, struct model **ret, struct sr_err *err);
/* Appends the file; the buffer's failure is sticky. */
void model_write(const struct model *m, struct buf *b);
void model_free(struct model *m); /* accepts NULL and half-built ones */

/* x: n_features values (a word's index for columns of words; NaN: missing). ret: n_outputs sums. */
void model_score(const struct model *m, const double *x, double *ret);
/* Of such sums: ret[n_labels] probabilities of the labels. */
void model_probabilities(const struct model *m, const double *scores, double *ret);
/* A cell as the value of a feature; NaN for a missing one and an unknown word; false when a
 * column of numbers has something else. */
SR_CHECK bool model_value(const struct model_feature *f, struct slice cell, double *ret);
