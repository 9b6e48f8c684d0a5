/* SPDX-License-Identifier: Apache-2.0 */
#include "question.h"
#include "../common/number.h"

#define EXAMPLE                                                                                    \
    "for example {\"where\":[[\"age\",\">=\",40]],\"group\":[\"ward\"],"                           \
    "\"answer\":[{\"mean\":\"dose\"}]}"

static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">=", "in", "missing", "present"};
static const char *const figures[] = {"mean", "sum", "stddev", "median"};
static const char *const headings[] = {"mean ", "sum ", "stddev ", "median "};

const char *question_heading(enum question_figure_kind k) {
    return headings[k];
}

static size_t index_of(struct slice s, const char *const *list, size_t n) {
    size_t i = 0;
    while (i < n && !slice_is(s, list[i])) i++;
    return i;
}

static sr_status wrong(struct sr_err *err, const char *what) {
    sr_hint(err, "%s", EXAMPLE);
    return sr_fail(err, SR_E_USAGE, "the question: %s", what);
}

static sr_status take_column(const struct json_val *v, struct slice *ret, struct sr_err *err) {
    if (!json_str(v, ret) || ret->n == 0)
        return wrong(err, "a column's name is not a string, or empty");
    return SR_OK;
}

static sr_status take_value(const struct json_val *v, struct question_value *ret,
                            struct sr_err *err) {
    if (json_is(v, JSON_NUMBER)) {
        ret->is_number = true;
        if (number_parse(json_text(v), &ret->number)) return SR_OK;
    } else if (json_str(v, &ret->text)) {
        return SR_OK;
    }
    return wrong(err, "a value is neither a number nor a string");
}

/* [COLUMN, OP], [COLUMN, OP, VALUE] or [COLUMN, "in", [VALUE, ...]] */
static sr_status take_condition(const struct json_val *v, struct question_condition *c,
                                struct sr_err *err) {
    struct slice op;
    size_t n = json_len(v);
    if (!json_is(v, JSON_ARRAY) || n < 2 || n > 3 || !json_str(json_at(v, 1), &op))
        return wrong(err, "a condition is [COLUMN, OPERATOR, VALUE]");
    SR_TRY(take_column(json_at(v, 0), &c->column, err));
    size_t i = index_of(op, ops, SR_ARRAY_LEN(ops));
    if (i == SR_ARRAY_LEN(ops))
        return wrong(err, "operators are = != < <= > >= in missing present");
    c->op = (enum question_op)i;
    bool alone = c->op == OP_MISSING || c->op == OP_PRESENT;
    if (alone != (n == 2))
        return wrong(err,
                     alone ? "missing and present take no value" : "a condition needs a value");
    if (alone) return SR_OK;
    const struct json_val *value = json_at(v, 2);
    if (c->op != OP_IN) {
        c->n = 1;
        SR_TRY(take_value(value, &c->values[0], err));
        if (c->op > OP_NE && !c->values[0].is_number)
            return wrong(err, "< <= > >= compare numbers");
        return SR_OK;
    }
    if (!json_is(value, JSON_ARRAY) || json_len(value) == 0 ||
        json_len(value) > QUESTION_MAX_VALUES)
        return wrong(err, "\"in\" takes a list of 1 to 64 values");
    for (const struct json_val *item = json_first(value); item; item = json_next(item)) {
        SR_TRY(take_value(item, &c->values[c->n], err));
        if (c->values[c->n].is_number != c->values[0].is_number)
            return wrong(err, "the values of \"in\" are all numbers or all strings");
        c->n++;
    }
    return SR_OK;
}

/* COLUMN or {"column": COLUMN, "step": NUMBER} */
static sr_status take_key(const struct json_val *v, struct question_key *k, struct sr_err *err) {
    if (!json_is(v, JSON_OBJECT)) return take_column(v, &k->column, err);
    if (json_len(v) != 2 || !json_get(v, "step"))
        return wrong(err, "a group is COLUMN or {\"column\": COLUMN, \"step\": NUMBER}");
    SR_TRY(take_column(json_get(v, "column"), &k->column, err));
    if (!json_is(json_get(v, "step"), JSON_NUMBER) ||
        !number_parse(json_text(json_get(v, "step")), &k->step) || !(k->step > 1e-9) ||
        k->step > 1e15)
        return wrong(err, "a step is a number above 0");
    return SR_OK;
}

/* {FIGURE: COLUMN} */
static sr_status take_figure(const struct json_val *v, struct question_figure *f,
                             struct sr_err *err) {
    if (!json_is(v, JSON_OBJECT) || json_len(v) != 1)
        return wrong(err, "a figure is {\"mean\": COLUMN}, or sum, stddev, median");
    size_t i = index_of(json_key_at(v, 0), figures, SR_ARRAY_LEN(figures));
    if (i == SR_ARRAY_LEN(figures)) {
        sr_hint(err, "the smallest and largest values are those of one person: not told");
        return wrong(err, "figures are mean, sum, stddev and median; rows are always counted");
    }
    f->kind = (enum question_figure_kind)i;
    return take_column(json_at(v, 0), &f->column, err);
}

static sr_status list_of(const struct json_val *root, const char *key, size_t most,
                         const struct json_val **ret, struct sr_err *err) {
    const struct json_val *v = json_get(root, key);
    *ret = json_first(v);
    if (v && (!json_is(v, JSON_ARRAY) || json_len(v) > most))
        return sr_fail(err, SR_E_USAGE, "the question: \"%s\" is not a list of at most %zu", key,
                       most);
    return SR_OK;
}

static sr_status check_doubles(const struct question *q, struct sr_err *err) {
    for (size_t i = 0; i < q->n_keys; i++)
        for (size_t k = 0; k < i; k++)
            if (slice_eq(q->keys[i].column, q->keys[k].column))
                return wrong(err, "a column is grouped by twice");
    for (size_t i = 0; i < q->n_figures; i++)
        for (size_t k = 0; k < i; k++)
            if (q->figures[i].kind == q->figures[k].kind &&
                slice_eq(q->figures[i].column, q->figures[k].column))
                return wrong(err, "a figure is asked for twice");
    return SR_OK;
}

static sr_status take_minimum(const struct json_val *v, unsigned *ret, struct sr_err *err) {
    uint64_t n = QUESTION_LEAST_GROUP;
    if (v && (!json_u64(v, &n) || n < QUESTION_LEAST_GROUP || n > QUESTION_MOST_GROUP))
        return sr_fail(err, SR_E_USAGE, "\"minimum\" is a whole number from %u to %u",
                       QUESTION_LEAST_GROUP, QUESTION_MOST_GROUP);
    *ret = (unsigned)n;
    return SR_OK;
}

static sr_status take_all(struct question *q, struct sr_err *err) {
    static const char *const keys[] = {"where", "group", "answer", "minimum"};
    const struct json_val *root = json_root(q->doc), *v;
    if (!json_is(root, JSON_OBJECT)) return wrong(err, "it is no JSON object");
    for (size_t i = 0; i < json_len(root); i++)
        if (index_of(json_key_at(root, i), keys, SR_ARRAY_LEN(keys)) == SR_ARRAY_LEN(keys))
            return wrong(err, "its parts are where, group, answer and minimum");
    SR_TRY(list_of(root, "where", QUESTION_MAX_CONDITIONS, &v, err));
    for (; v; v = json_next(v)) SR_TRY(take_condition(v, &q->conditions[q->n_conditions++], err));
    SR_TRY(list_of(root, "group", QUESTION_MAX_KEYS, &v, err));
    for (; v; v = json_next(v)) SR_TRY(take_key(v, &q->keys[q->n_keys++], err));
    SR_TRY(list_of(root, "answer", QUESTION_MAX_FIGURES, &v, err));
    for (; v; v = json_next(v)) SR_TRY(take_figure(v, &q->figures[q->n_figures++], err));
    SR_TRY(take_minimum(json_get(root, "minimum"), &q->minimum, err));
    return check_doubles(q, err);
}

sr_status question_parse(struct slice text, struct question *ret, struct sr_err *err) {
    *ret = (struct question){0};
    if (text.n > QUESTION_MAX_TEXT)
        return sr_fail(err, SR_E_TOOBIG, "the question is longer than %u bytes", QUESTION_MAX_TEXT);
    sr_status st = json_parse(text, &ret->doc, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "the question is no JSON");
        sr_hint(err, "in --args, put it between single quotes: --args \"'{...}'\"");
        return st;
    }
    st = take_all(ret, err);
    if (st != SR_OK) question_done(ret);
    return st;
}

void question_done(struct question *q) {
    json_free(q->doc);
    *q = (struct question){0};
}

/* ---- rules ---- */

static sr_status take_rules(struct question_rules *r, struct sr_err *err) {
    static const char *const keys[] = {"minimum", "person", "columns"};
    const struct json_val *root = json_root(r->doc);
    bool good = json_is(root, JSON_OBJECT);
    for (size_t i = 0; i < json_len(root); i++)
        good &= index_of(json_key_at(root, i), keys, SR_ARRAY_LEN(keys)) < SR_ARRAY_LEN(keys);
    r->columns = json_get(root, "columns");
    good &= !r->columns || json_is(r->columns, JSON_ARRAY);
    for (const struct json_val *v = json_first(r->columns); v; v = json_next(v))
        good &= json_is(v, JSON_STRING);
    const struct json_val *person = json_get(root, "person");
    good &= !person || (json_str(person, &r->person) && r->person.n > 0);
    if (!good)
        return sr_fail(err, SR_E_MALFORMED,
                       "the owner's rules are not {\"minimum\": N, \"person\": COLUMN, "
                       "\"columns\": [COLUMN, ...]}");
    return take_minimum(json_get(root, "minimum"), &r->minimum, err);
}

sr_status question_rules_parse(struct slice text, struct question_rules *ret, struct sr_err *err) {
    *ret = (struct question_rules){.minimum = QUESTION_LEAST_GROUP};
    if (text.n == 0) return SR_OK;
    sr_status st = json_parse(text, &ret->doc, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "the owner's rules");
        return st;
    }
    st = take_rules(ret, err);
    if (st != SR_OK) question_rules_done(ret);
    return st;
}

void question_rules_done(struct question_rules *r) {
    json_free(r->doc);
    *r = (struct question_rules){0};
}

bool question_rules_allow(const struct question_rules *r, struct slice column) {
    struct slice name;
    if (slice_eq(column, r->person)) return false;
    if (!r->columns) return true;
    for (const struct json_val *v = json_first(r->columns); v; v = json_next(v))
        if (json_str(v, &name) && slice_eq(name, column)) return true;
    return false;
}
