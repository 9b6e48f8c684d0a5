/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the arguments of train: words NAME=VALUE
 *
 * Depends on: base, boost.  Used by: train.
 */
#pragma once
#include "../common/number.h"
#include "boost.h"

#define OPTIONS_MAX_COLUMNS 256u /* of use= and of drop= */

enum options_task { TASK_AUTO, TASK_REGRESSION, TASK_CLASSES };

struct options {
    const char *target; /* NULL: the last column is not guessed; an error told by options_parse */
    enum options_task task;
    const char *use[OPTIONS_MAX_COLUMNS], *drop[OPTIONS_MAX_COLUMNS];
    size_t n_use, n_drop;
    double holdout;
    struct boost_options boost;
};

/*
 * options_parse - argv[1..] (borrowed for the options' life) with the defaults for what is not said
 *
 * SR_E_USAGE names the word that is wrong; the hint says what is allowed.
 */
SR_CHECK sr_status options_parse(int argc, char *const *argv, struct options *ret,
                                 struct sr_err *err);
/* The parameters as a JSON object, for the report. */
void options_write(const struct options *o, struct jw *w);
