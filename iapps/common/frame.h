/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.h - the tables of one or several owners as one typed table in memory
 *
 * Two passes over the sources: the first finds columns, kinds and words, the second fills exactly
 * as many cells as there are. Columns are matched by name; every table must have the same ones. A
 * column whose every value is a number is one of numbers, any other one of words.
 *
 * A word that fewer than FRAME_FEW rows have is treated as missing: it would name people.
 *
 * Depends on: base, csv, number, source.  Used by: train.
 */
#pragma once
#include "source.h"

#define FRAME_MAX_CELLS (32u << 20) /* 8 bytes each */
#define FRAME_MAX_WORDS 254u        /* different words of a column */
#define FRAME_MAX_NAME  256u        /* bytes of a column's name or a word */
#define FRAME_FEW       5u

struct frame_column {
    char *name;
    bool is_words;
    char **words; /* sorted; of a column of numbers NULL (but of the target: see frame_load) */
    size_t n_words;
    double *cells; /* a row each: the number, or the word's index; NaN: missing */
};
struct frame {
    struct frame_column *columns; /* in the first table's order; without what was left out */
    size_t n;
    uint64_t rows;
};

/* Which columns are wanted: all but `drop`, or with `use` those only; the target always. */
struct frame_choice {
    const char *target; /* may be NULL */
    const char *const *use, *const *drop;
    size_t n_use, n_drop;
    bool target_is_words; /* the target's numbers are names of classes */
};

/*
 * frame_load - reads all tables of s
 *
 * SR_E_NOTFOUND for a column that is not there (the hint lists what is there), SR_E_MALFORMED for
 * tables that differ or are no CSV, SR_E_TOOBIG over FRAME_MAX_CELLS or for a column of too many
 * words, SR_E_USAGE without a table or row. *ret is owned: frame_free.
 */
SR_CHECK sr_status frame_load(const struct sources *s, const struct frame_choice *choice,
                              struct frame **ret, struct sr_err *err);
void frame_free(struct frame *f);
/* Index of a column; SIZE_MAX when there is none. */
size_t frame_find(const struct frame *f, const char *name);
