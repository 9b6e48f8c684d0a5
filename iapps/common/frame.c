/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"
#include "number.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS       1024u /* of a column's hash table of words: at most a quarter is used */
#define LISTED      160u  /* bytes of the column names in a hint */
#define WORDS_BYTES (FRAME_MAX_WORDS * (FRAME_MAX_NAME + 1))

struct word {
    char *text;
    uint64_t rows;
    uint16_t index; /* where it went when the words were sorted; UINT16_MAX: too few rows */
};
struct dictionary {
    uint16_t slots[SLOTS]; /* 0: free, else index of words + 1 */
    struct word words[FRAME_MAX_WORDS];
    size_t n;
    bool numbers_only, over; /* over: more different values than fit */
};
struct loader {
    const struct frame_choice *choice;
    struct frame *f;
    struct dictionary *dictionaries; /* one a column */
    size_t columns_before;           /* of the first table, wanted or not */
    size_t *map; /* field of the table being read -> column, SIZE_MAX: not wanted */
    size_t map_n;
    uint64_t rows, filled;
    bool filling;
};

/* ---- words ---- */

static uint32_t hash_of(struct slice s) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ s.p[i]) * 16777619u;
    return h;
}

/* The slot that holds the word, or the free one where it belongs. */
static uint16_t *slot_of(struct dictionary *d, struct slice s) {
    uint32_t i = hash_of(s) % SLOTS;
    while (d->slots[i] && !slice_is(s, d->words[d->slots[i] - 1u].text)) i = (i + 1) % SLOTS;
    return &d->slots[i];
}

static sr_status note_value(struct dictionary *d, struct slice s, struct sr_err *err) {
    double v;
    if (d->numbers_only && !number_parse(s, &v)) d->numbers_only = false;
    if (d->over) return SR_OK;
    uint16_t *slot = slot_of(d, s);
    if (!*slot) {
        if (d->n == FRAME_MAX_WORDS || s.n > FRAME_MAX_NAME) {
            d->over = true;
            return SR_OK;
        }
        char *text = slice_dup(s);
        if (!text) return sr_fail(err, SR_E_NOMEM, "out of memory");
        d->words[d->n++] = (struct word){text, 0, UINT16_MAX};
        *slot = (uint16_t)d->n;
    }
    d->words[*slot - 1].rows++;
    return SR_OK;
}

static int by_number_or_text(const void *a, const void *b) {
    const struct word *x = *(struct word *const *)a, *y = *(struct word *const *)b;
    double v, w;
    if (number_parse(slice_str(x->text), &v) && number_parse(slice_str(y->text), &w) && v != w)
        return v < w ? -1 : 1;
    return strcmp(x->text, y->text);
}

/* The column's words, sorted; each word's index set. */
static sr_status settle_words(struct dictionary *d, struct frame_column *c, struct sr_err *err) {
    struct word *sorted[FRAME_MAX_WORDS];
    for (size_t i = 0; i < d->n; i++) sorted[i] = &d->words[i];
    qsort(sorted, d->n, sizeof sorted[0], by_number_or_text);
    c->words = sr_calloc_n(d->n + 1, sizeof *c->words);
    if (!c->words) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < d->n; i++) {
        if (sorted[i]->rows < FRAME_FEW) continue;
        sorted[i]->index = (uint16_t)c->n_words;
        c->words[c->n_words] = slice_dup(slice_str(sorted[i]->text));
        if (!c->words[c->n_words++]) return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    return SR_OK;
}

/* ---- columns ---- */

size_t frame_find(const struct frame *f, const char *name) {
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->columns[i].name, name) == 0) return i;
    return SIZE_MAX;
}

static bool is_in(struct slice name, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (slice_is(name, list[i])) return true;
    return false;
}

static bool is_wanted(const struct frame_choice *c, struct slice name) {
    if (c->target && slice_is(name, c->target)) return true;
    return c->n_use ? is_in(name, c->use, c->n_use) : !is_in(name, c->drop, c->n_drop);
}

static void hint_columns(const struct slice *names, size_t n, struct sr_err *err) {
    char text[LISTED + 1] = "";
    size_t at = 0;
    for (size_t i = 0; i < n && at + names[i].n + 6 < LISTED; i++) {
        int w = snprintf(text + at, sizeof text - at, "%s%.*s", i ? ", " : "", (int)names[i].n,
                         (const char *)names[i].p);
        at += w > 0 ? (size_t)w : 0;
        if (i + 1 < n && at + names[i + 1].n + 6 >= LISTED)
            (void)snprintf(text + at, sizeof text - at, ", ...");
    }
    sr_hint(err, "its columns are: %s", text);
}

static sr_status need_columns(const char *const *list, size_t n, const struct slice *names,
                              size_t n_names, struct sr_err *err) {
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < n_names && !found; k++) found = slice_is(names[k], list[i]);
        if (found) continue;
        hint_columns(names, n_names, err);
        return sr_fail(err, SR_E_NOTFOUND, "there is no column '%.60s'", list[i]);
    }
    return SR_OK;
}

static sr_status check_names(const struct slice *names, size_t n, struct sr_err *err) {
    for (size_t i = 0; i < n; i++) {
        if (names[i].n == 0 || names[i].n > FRAME_MAX_NAME)
            return sr_fail(err, SR_E_MALFORMED,
                           "column %zu's name is empty, or longer than %u bytes", i + 1,
                           FRAME_MAX_NAME);
        for (size_t k = 0; k < i; k++)
            if (slice_eq(names[k], names[i]))
                return sr_fail(err, SR_E_MALFORMED, "two columns have the same name '%.*s'",
                               names[i].n < 60 ? (int)names[i].n : 60, (const char *)names[i].p);
    }
    return SR_OK;
}

static sr_status first_header(struct loader *l, const struct slice *names, size_t n,
                              struct sr_err *err) {
    const struct frame_choice *c = l->choice;
    if (c->target) SR_TRY(need_columns(&c->target, 1, names, n, err));
    SR_TRY(need_columns(c->use, c->n_use, names, n, err));
    SR_TRY(need_columns(c->drop, c->n_drop, names, n, err));
    l->columns_before = n;
    l->f->columns = sr_calloc_n(n, sizeof *l->f->columns);
    l->dictionaries = sr_calloc_n(n, sizeof *l->dictionaries);
    if (!l->f->columns || !l->dictionaries) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!is_wanted(c, names[i])) continue;
        l->dictionaries[l->f->n].numbers_only = true;
        l->f->columns[l->f->n].name = slice_dup(names[i]);
        if (!l->f->columns[l->f->n++].name) return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    return SR_OK;
}

static sr_status take_header(struct loader *l, const struct slice *names, size_t n,
                             struct sr_err *err) {
    SR_TRY(check_names(names, n, err));
    if (!l->f->columns) SR_TRY(first_header(l, names, n, err));
    free(l->map);
    l->map = sr_calloc_n(n, sizeof *l->map);
    l->map_n = n;
    if (!l->map) return sr_fail(err, SR_E_NOMEM, "out of memory");
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        l->map[i] = SIZE_MAX;
        if (!is_wanted(l->choice, names[i])) continue;
        for (size_t k = 0; k < l->f->n && l->map[i] == SIZE_MAX; k++)
            if (slice_is(names[i], l->f->columns[k].name)) l->map[i] = k;
        found += l->map[i] != SIZE_MAX;
        if (l->map[i] == SIZE_MAX) {
            sr_hint(err, "all tables must have the same columns; drop=COLUMN leaves one out");
            return sr_fail(err, SR_E_MALFORMED, "the column '%.*s' is not in the first table",
                           names[i].n < 60 ? (int)names[i].n : 60, (const char *)names[i].p);
        }
    }
    for (size_t k = 0; k < l->f->n && found < l->f->n; k++) {
        bool here = false;
        for (size_t i = 0; i < n && !here; i++) here = l->map[i] == k;
        if (here) continue;
        sr_hint(err, "all tables must have the same columns; drop=COLUMN leaves one out");
        return sr_fail(err, SR_E_MALFORMED, "there is no column '%.60s', which the first table has",
                       l->f->columns[k].name);
    }
    return SR_OK;
}

/* ---- rows ---- */

static void fill(struct loader *l, const struct slice *fields, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (l->map[i] == SIZE_MAX) continue;
        struct frame_column *c = &l->f->columns[l->map[i]];
        double v = NAN;
        if (number_is_missing(fields[i])) {
        } else if (c->words) {
            const uint16_t *slot = slot_of(&l->dictionaries[l->map[i]], fields[i]);
            uint16_t index = *slot ? l->dictionaries[l->map[i]].words[*slot - 1].index : UINT16_MAX;
            if (index != UINT16_MAX) v = index;
        } else if (!number_parse(fields[i], &v)) {
            v = NAN;
        }
        c->cells[l->filled] = v;
    }
    l->filled++;
}

static sr_status take_row(void *arg, const struct slice *fields, size_t n, uint64_t row,
                          struct sr_err *err) {
    struct loader *l = arg;
    if (row == 0) return take_header(l, fields, n, err);
    if (l->filling) {
        if (l->filled == l->f->rows)
            return sr_fail(err, SR_E_MALFORMED, "the table changed while it was read");
        fill(l, fields, n);
        return SR_OK;
    }
    for (size_t i = 0; i < n; i++)
        if (l->map[i] != SIZE_MAX && !number_is_missing(fields[i]))
            SR_TRY(note_value(&l->dictionaries[l->map[i]], fields[i], err));
    l->rows++;
    if (l->rows * l->f->n > FRAME_MAX_CELLS)
        return sr_fail(err, SR_E_TOOBIG, "more than %u cells (rows times columns)",
                       FRAME_MAX_CELLS);
    return SR_OK;
}

static sr_status all_tables(const struct sources *s, struct loader *l, struct sr_err *err) {
    for (size_t i = 0; i < s->n; i++)
        if (!s->v[i].is_model) SR_TRY(source_rows(&s->v[i], take_row, l, err));
    return SR_OK;
}

/* What the first pass saw decides what the columns are. */
static sr_status settle(struct loader *l, struct sr_err *err) {
    for (size_t i = 0; i < l->f->n; i++) {
        struct frame_column *c = &l->f->columns[i];
        struct dictionary *d = &l->dictionaries[i];
        bool target = l->choice->target && strcmp(c->name, l->choice->target) == 0;
        bool as_words = target && l->choice->target_is_words;
        c->is_words = !d->numbers_only || as_words;
        if (c->is_words && d->over) {
            if (target)
                sr_hint(err, "for numbers with too many values, say task=regression");
            else
                sr_hint(err, "drop=%.60s leaves it out", c->name);
            return sr_fail(err, SR_E_TOOBIG,
                           "the column '%.60s' has more than %u different words (or longer ones "
                           "than %u bytes)",
                           c->name, FRAME_MAX_WORDS, FRAME_MAX_NAME);
        }
        if (c->is_words) SR_TRY(settle_words(d, c, err));
        c->cells = sr_calloc_n(l->rows, sizeof *c->cells);
        if (!c->cells) return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    l->f->rows = l->rows;
    return SR_OK;
}

static sr_status load(const struct sources *s, struct loader *l, struct sr_err *err) {
    SR_TRY(all_tables(s, l, err));
    if (l->rows == 0) return sr_fail(err, SR_E_USAGE, "there are no rows");
    SR_TRY(settle(l, err));
    l->filling = true;
    SR_TRY(all_tables(s, l, err));
    if (l->filled != l->f->rows)
        return sr_fail(err, SR_E_MALFORMED, "the table changed while it was read");
    return SR_OK;
}

sr_status frame_load(const struct sources *s, const struct frame_choice *choice, struct frame **ret,
                     struct sr_err *err) {
    if (sources_tables(s) == 0) {
        sr_hint(err, "give protected tables with --data");
        return sr_fail(err, SR_E_USAGE, "there is no table among what this task was given%s",
                       s->withheld ? ": all data sets were withheld" : "");
    }
    struct loader l = {.choice = choice, .f = sr_calloc_n(1, sizeof *l.f)};
    if (!l.f) return sr_fail(err, SR_E_NOMEM, "out of memory");
    sr_status st = load(s, &l, err);
    for (size_t i = 0; l.dictionaries && i < l.f->n; i++)
        for (size_t k = 0; k < l.dictionaries[i].n; k++) free(l.dictionaries[i].words[k].text);
    free(l.dictionaries);
    free(l.map);
    if (st != SR_OK) {
        frame_free(l.f);
        return st;
    }
    *ret = l.f;
    return SR_OK;
}

void frame_free(struct frame *f) {
    if (!f) return;
    for (size_t i = 0; i < f->n; i++) {
        struct frame_column *c = &f->columns[i];
        free(c->name);
        for (size_t k = 0; k < c->n_words; k++) free(c->words[k]);
        free(c->words);
        free(c->cells);
    }
    free(f->columns);
    free(f);
}
