/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number.h - numbers in tables, and arithmetic that gives the same bytes on every machine
 *
 * exp and log of the C library differ in the last bit between processors with and without fused
 * multiply-add, and so would a model; these use only operations that IEEE 754 defines exactly
 * (compile with -ffp-contract=off).
 *
 * Depends on: base.  Used by: train, predict, table-questions.
 */
#pragma once
#include "base/json.h"

/* A finite decimal number: 12, -0.5, .5, 1e-3; nothing before or after it. Numbers with leading
 * zeros (postcodes, 007) are words. */
SR_CHECK bool number_parse(struct slice text, double *ret_v);
/* What tables write for "not known": nothing, NA, N/A, NaN, null, ?. */
bool number_is_missing(struct slice text);

double number_exp(double x);     /* within 2 units in the last place; 0 below -700, capped above */
double number_log(double x);     /* x > 0; -745 for anything else */
double number_sigmoid(double x); /* 1 / (1 + e^-x) */
double number_sqrt(double x);    /* 0 for what is not positive */

/* With at most `digits` (1 .. 17) significant digits, for results. */
void number_put(struct buf *b, double v, int digits);
void number_json(struct jw *w, const char *key, double v, int digits); /* finite */

/* splitmix64: one stream a seed, the same everywhere. */
struct number_random {
    uint64_t state;
};
uint64_t number_random(struct number_random *r);
uint64_t number_below(struct number_random *r, uint64_t n); /* 0 .. n-1, n > 0 */
