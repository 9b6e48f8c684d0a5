/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

/* X(name, field of boost_options, least, most, default) */
#define WHOLE_OPTIONS(X)                                                                           \
    X("rounds", rounds, 1, 5000, 300)                                                              \
    X("depth", depth, 1, MODEL_MAX_DEPTH, 4)                                                       \
    X("min-leaf", min_leaf, FRAME_FEW, 1000000, 10)                                                \
    X("stop", stop, 0, 1000, 30)
#define REAL_OPTIONS(X)                                                                            \
    X("rate", rate, 0.001, 1, 0.05)                                                                \
    X("lambda", lambda, 0, 1000000, 1)                                                             \
    X("rows", rows, 0.05, 1, 0.8)                                                                  \
    X("columns", columns, 0.05, 1, 0.5)

#define MOST_HOLDOUT 0.9
#define NAMES                                                                                      \
    "target, task, use, drop, holdout, seed, rounds, depth, rate, lambda, min-leaf, rows, "        \
    "columns, stop"

static sr_status out_of_range(const char *name, double least, double most, struct sr_err *err) {
    return sr_fail(err, SR_E_USAGE, "%s must be a number from %g to %g", name, least, most);
}

static sr_status set_number(struct options *o, struct slice name, struct slice value, bool *found,
                            struct sr_err *err) {
    double v = 0;
    uint64_t n = 0;
    *found = true;
#define X(text, field, least, most, standard)                                                      \
    if (slice_is(name, text)) {                                                                    \
        if (!num_u64(value, most, &n) || n + 1 < (least) + 1)                                      \
            return out_of_range(text, least, most, err);                                           \
        o->boost.field = (unsigned)n;                                                              \
        return SR_OK;                                                                              \
    }
    WHOLE_OPTIONS(X)
#undef X
#define X(text, field, least, most, standard)                                                      \
    if (slice_is(name, text)) {                                                                    \
        if (!number_parse(value, &v) || v < (least) || v > (most))                                 \
            return out_of_range(text, least, most, err);                                           \
        o->boost.field = v;                                                                        \
        return SR_OK;                                                                              \
    }
    REAL_OPTIONS(X)
#undef X
    if (slice_is(name, "seed"))
        return num_u64(value, UINT64_MAX, &o->boost.seed)
                   ? SR_OK
                   : sr_fail(err, SR_E_USAGE, "seed must be a whole number");
    if (slice_is(name, "holdout")) {
        if (!number_parse(value, &v) || v < 0 || v > MOST_HOLDOUT)
            return out_of_range("holdout", 0, MOST_HOLDOUT, err);
        o->holdout = v;
        return SR_OK;
    }
    *found = false;
    return SR_OK;
}

static sr_status add_column(const char **list, size_t *n, const char *name, struct sr_err *err) {
    if (*n == OPTIONS_MAX_COLUMNS)
        return sr_fail(err, SR_E_USAGE, "more than %u columns are named", OPTIONS_MAX_COLUMNS);
    list[(*n)++] = name;
    return SR_OK;
}

static sr_status set_word(struct options *o, const char *word, struct sr_err *err) {
    struct slice name, value;
    if (!slice_cut(slice_str(word), '=', &name, &value) || name.n == 0 || value.n == 0) {
        sr_hint(err, "arguments are words NAME=VALUE, for example: target=diagnosis rounds=100");
        return sr_fail(err, SR_E_USAGE, "'%.60s' is no NAME=VALUE", word);
    }
    const char *text = (const char *)value.p;
    if (slice_is(name, "target")) {
        o->target = text;
        return SR_OK;
    }
    if (slice_is(name, "use")) return add_column(o->use, &o->n_use, text, err);
    if (slice_is(name, "drop")) return add_column(o->drop, &o->n_drop, text, err);
    if (slice_is(name, "task")) {
        if (slice_is(value, "regression"))
            o->task = TASK_REGRESSION;
        else if (slice_is(value, "classes"))
            o->task = TASK_CLASSES;
        else if (!slice_is(value, "auto"))
            return sr_fail(err, SR_E_USAGE, "task must be auto, regression or classes");
        return SR_OK;
    }
    bool found;
    SR_TRY(set_number(o, name, value, &found, err));
    if (found) return SR_OK;
    sr_hint(err, "there are: " NAMES);
    return sr_fail(err, SR_E_USAGE, "there is no parameter '%.*s'", name.n < 60 ? (int)name.n : 60,
                   (const char *)name.p);
}

sr_status options_parse(int argc, char *const *argv, struct options *ret, struct sr_err *err) {
    struct options o = {.holdout = 0.2, .boost = {.seed = 1}};
#define X(text, field, least, most, standard) o.boost.field = standard;
    WHOLE_OPTIONS(X)
    REAL_OPTIONS(X)
#undef X
    for (int i = 1; i < argc; i++) SR_TRY(set_word(&o, argv[i], err));
    if (!o.target) {
        sr_hint(err, "say which column is to be predicted: --args \"target=COLUMN\"");
        return sr_fail(err, SR_E_USAGE, "no target is given");
    }
    if (o.n_use && o.n_drop) return sr_fail(err, SR_E_USAGE, "use= and drop= exclude each other");
    for (size_t i = 0; i < o.n_drop; i++)
        if (strcmp(o.drop[i], o.target) == 0)
            return sr_fail(err, SR_E_USAGE, "the target cannot be dropped");
    *ret = o;
    return SR_OK;
}

void options_write(const struct options *o, struct jw *w) {
    jw_obj(w);
    jw_ku64(w, "seed", o->boost.seed);
    number_json(w, "holdout", o->holdout, 10);
#define X(text, field, least, most, standard) jw_ku64(w, text, o->boost.field);
    WHOLE_OPTIONS(X)
#undef X
#define X(text, field, least, most, standard) number_json(w, text, o->boost.field, 10);
    REAL_OPTIONS(X)
#undef X
    jw_end_obj(w);
}
