/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"
#include "../common/number.h"
#include "figures.h"
#include "table.h"
#include <stdlib.h>

#define SQL_MAX      65536u
#define RULES_TABLES SOURCE_MAX

struct group {
    uint64_t rows, people;
    bool hidden;
    char *keys[QUESTION_MAX_KEYS]; /* as they are printed */
    double figures[QUESTION_MAX_FIGURES];
    bool has[QUESTION_MAX_FIGURES];
};
struct asking {
    const struct question *q;
    const struct sources *s;
    struct table t;
    unsigned minimum;
    size_t person; /* column of t; SIZE_MAX: each row is a person */
    struct slice person_name;
    struct question_rules rules[RULES_TABLES];
    size_t n_rules;
    struct group *groups;
    size_t n, cap;
    uint64_t matched, rows; /* by the filter; and complete */
    uint64_t hidden, hidden_rows;
};

void answer_done(struct answer *a) {
    buf_done(&a->csv);
    buf_done(&a->json);
    *a = (struct answer){0};
}

/* ---- rules and columns ---- */

static sr_status load_rules(struct asking *a, struct sr_err *err) {
    a->minimum = a->q->minimum;
    for (size_t i = 0; i < a->s->n; i++) {
        cleanup_buf struct buf text;
        buf_init(&text, SOURCE_RULES_MAX);
        if (a->s->v[i].is_model) continue;
        SR_TRY(source_rules(&a->s->v[i], &text, err));
        struct question_rules *r = &a->rules[a->n_rules];
        sr_status st = question_rules_parse(buf_slice(&text), r, err);
        if (st != SR_OK) {
            sr_err_prefix(err, "%s", a->s->v[i].name);
            return st;
        }
        if (r->minimum > a->minimum) a->minimum = r->minimum;
        if (a->n_rules++ && !slice_eq(r->person, a->person_name))
            return sr_fail(err, SR_E_REFUSED,
                           "the owners' rules name different columns that say who a row is of");
        a->person_name = r->person;
    }
    return SR_OK;
}

static sr_status want(struct asking *a, struct slice name, struct sr_err *err) {
    for (size_t i = 0; i < a->n_rules; i++)
        if (!question_rules_allow(&a->rules[i], name))
            return sr_fail(err, SR_E_REFUSED,
                           "the owner does not allow questions about the column '%.*s'",
                           name.n < 60 ? (int)name.n : 60, (const char *)name.p);
    return table_column(&a->t, name) != SIZE_MAX
               ? SR_OK
               : sr_fail(err, SR_E_USAGE, "the question names more than %u columns",
                         TABLE_MAX_COLUMNS);
}

static sr_status want_columns(struct asking *a, struct sr_err *err) {
    const struct question *q = a->q;
    for (size_t i = 0; i < q->n_conditions; i++) SR_TRY(want(a, q->conditions[i].column, err));
    for (size_t i = 0; i < q->n_keys; i++) SR_TRY(want(a, q->keys[i].column, err));
    for (size_t i = 0; i < q->n_figures; i++) SR_TRY(want(a, q->figures[i].column, err));
    a->person = SIZE_MAX;
    if (a->person_name.n == 0) return SR_OK;
    a->person = table_column(&a->t, a->person_name);
    return a->person != SIZE_MAX ? SR_OK
                                 : sr_fail(err, SR_E_USAGE, "the question names too many columns");
}

static sr_status mixed(struct slice column, bool words, struct sr_err *err) {
    return sr_fail(err, SR_E_USAGE, "the column '%.*s' has %s", column.n < 60 ? (int)column.n : 60,
                   (const char *)column.p,
                   words ? "words: no numbers can be compared or computed"
                         : "numbers: compare them with numbers");
}

/* What is compared, stepped or added up is of the right kind. */
static sr_status check_kinds(struct asking *a, struct sr_err *err) {
    const struct question *q = a->q;
    for (size_t i = 0; i < q->n_conditions; i++) {
        const struct question_condition *c = &q->conditions[i];
        bool words = a->t.words[table_column(&a->t, c->column)];
        if (c->n && c->values[0].is_number == words) return mixed(c->column, words, err);
    }
    for (size_t i = 0; i < q->n_keys; i++)
        if (q->keys[i].step > 0 && a->t.words[table_column(&a->t, q->keys[i].column)])
            return mixed(q->keys[i].column, true, err);
    for (size_t i = 0; i < q->n_figures; i++)
        if (a->t.words[table_column(&a->t, q->figures[i].column)])
            return mixed(q->figures[i].column, true, err);
    return SR_OK;
}

/* ---- SQL: of column numbers, fixed words and ? only ---- */

static void put_filter(struct asking *a, struct buf *sql) {
    static const char *const compare[] = {"=", "<>", "<", "<=", ">", ">="};
    buf_str(sql, "(1");
    for (size_t i = 0; i < a->q->n_conditions; i++) {
        const struct question_condition *c = &a->q->conditions[i];
        size_t at = table_column(&a->t, c->column);
        if (c->op == OP_MISSING) {
            buf_printf(sql, " AND c%zu IS NULL", at);
            continue;
        }
        buf_printf(sql, " AND c%zu IS NOT NULL", at);
        if (c->op == OP_PRESENT) continue;
        if (c->op != OP_IN) {
            buf_printf(sql, " AND c%zu%s?", at, compare[c->op]);
            continue;
        }
        buf_printf(sql, " AND c%zu IN (", at);
        for (size_t k = 0; k < c->n; k++) buf_str(sql, k ? ",?" : "?");
        buf_str(sql, ")");
    }
    buf_str(sql, ")");
}

static void put_complete(struct asking *a, struct buf *sql) {
    buf_str(sql, "(1");
    for (size_t i = 0; i < a->q->n_figures; i++)
        buf_printf(sql, " AND c%zu IS NOT NULL", table_column(&a->t, a->q->figures[i].column));
    buf_str(sql, ")");
}

static void put_people(const struct asking *a, struct buf *sql) {
    if (a->person == SIZE_MAX)
        buf_str(sql, "count(*)");
    else
        buf_printf(sql, "count(DISTINCT c%zu)", a->person);
}

static int bind_filter(const struct asking *a, sqlite3_stmt *st, int at) {
    for (size_t i = 0; i < a->q->n_conditions; i++)
        for (size_t k = 0; k < a->q->conditions[i].n; k++) {
            const struct question_value *v = &a->q->conditions[i].values[k];
            int rc = v->is_number ? sqlite3_bind_double(st, at, v->number)
                                  : sqlite3_bind_text(st, at, (const char *)v->text.p,
                                                      (int)v->text.n, SQLITE_STATIC);
            if (rc != SQLITE_OK) return -1;
            at++;
        }
    return at;
}

static sr_status prepare(const struct asking *a, const struct buf *sql, sqlite3_stmt **ret,
                         struct sr_err *err) {
    SR_TRY(buf_status(sql, err));
    if (sqlite3_prepare_v2(a->t.db, (const char *)sql->p, (int)sql->n, ret, NULL) != SQLITE_OK)
        return table_failed(&a->t, err);
    return SR_OK;
}

/* ---- whether it may be answered ---- */

static sr_status count_rows(struct asking *a, struct sr_err *err) {
    cleanup_buf struct buf sql;
    sqlite3_stmt *st = NULL;
    buf_init(&sql, SQL_MAX);
    buf_str(&sql, "SELECT sum(f), sum(f AND k), ");
    for (int side = 0; side < 2; side++) {
        put_people(a, &sql);
        buf_str(&sql, side ? " FILTER (WHERE NOT f)" : " FILTER (WHERE f AND k), ");
    }
    buf_str(&sql, " FROM (SELECT *, ");
    put_filter(a, &sql);
    buf_str(&sql, " AS f, ");
    put_complete(a, &sql);
    buf_str(&sql, " AS k FROM t)");
    SR_TRY(prepare(a, &sql, &st, err));
    uint64_t people = 0, left_out = 0;
    bool good = bind_filter(a, st, 1) > 0 && sqlite3_step(st) == SQLITE_ROW;
    if (good) {
        a->matched = (uint64_t)sqlite3_column_int64(st, 0);
        a->rows = (uint64_t)sqlite3_column_int64(st, 1);
        people = (uint64_t)sqlite3_column_int64(st, 2);
        left_out = (uint64_t)sqlite3_column_int64(st, 3);
    }
    (void)sqlite3_finalize(st);
    if (!good) return table_failed(&a->t, err);
    /* One text for "none" and "a few", and for both sides: which of them is not told. */
    if (people < a->minimum || (a->q->n_conditions && left_out < a->minimum)) {
        sr_hint(err, "ask about more people, or about all of them");
        return sr_fail(err, SR_E_REFUSED,
                       "the question keeps or leaves out fewer than %u people: not answered",
                       a->minimum);
    }
    return SR_OK;
}

/* ---- the groups ---- */

static sr_status new_group(struct asking *a, struct group **ret, struct sr_err *err) {
    if (a->n == ANSWER_MAX_GROUPS) {
        sr_hint(err, "group by fewer columns, or by steps");
        return sr_fail(err, SR_E_TOOBIG, "there are more than %u groups", ANSWER_MAX_GROUPS);
    }
    if (a->n == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 64;
        struct group *more = realloc(a->groups, cap * sizeof *more);
        if (!more) return sr_fail(err, SR_E_NOMEM, "out of memory");
        a->groups = more;
        a->cap = cap;
    }
    *ret = &a->groups[a->n++];
    **ret = (struct group){0};
    return SR_OK;
}

static sr_status take_group(struct asking *a, sqlite3_stmt *st, struct sr_err *err) {
    struct group *g;
    int at = 0;
    SR_TRY(new_group(a, &g, err));
    for (size_t i = 0; i < a->q->n_keys; i++, at++) {
        cleanup_buf struct buf text;
        buf_init(&text, CSV_MAX_ROW);
        if (sqlite3_column_type(st, at) == SQLITE_FLOAT)
            number_put(&text, sqlite3_column_double(st, at), 12);
        else if (sqlite3_column_type(st, at) == SQLITE_TEXT)
            buf_put(&text, sqlite3_column_text(st, at), (size_t)sqlite3_column_bytes(st, at));
        SR_TRY(buf_status(&text, err));
        g->keys[i] = slice_dup(buf_slice(&text));
        if (!g->keys[i]) return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    g->rows = (uint64_t)sqlite3_column_int64(st, at++);
    g->people = (uint64_t)sqlite3_column_int64(st, at++);
    for (size_t i = 0; i < a->q->n_figures; i++, at++) {
        g->has[i] = sqlite3_column_type(st, at) != SQLITE_NULL;
        g->figures[i] = sqlite3_column_double(st, at);
        /* A median is some person's value: as many must be on each side of it as in a group. */
        if (a->q->figures[i].kind == FIGURE_MEDIAN && g->people < 2ull * a->minimum)
            g->has[i] = false;
    }
    return SR_OK;
}

static void put_groups(struct asking *a, struct buf *sql) {
    static const char *const functions[] = {"avg", "sum", "sr_stddev", "sr_median"};
    buf_str(sql, "SELECT ");
    for (size_t i = 0; i < a->q->n_keys; i++) {
        size_t at = table_column(&a->t, a->q->keys[i].column);
        buf_printf(sql, a->q->keys[i].step > 0 ? "sr_step(c%zu,?), " : "c%zu, ", at);
    }
    buf_str(sql, "count(*), ");
    put_people(a, sql);
    for (size_t i = 0; i < a->q->n_figures; i++)
        buf_printf(sql, ", %s(c%zu)", functions[a->q->figures[i].kind],
                   table_column(&a->t, a->q->figures[i].column));
    buf_str(sql, " FROM t WHERE ");
    put_filter(a, sql);
    buf_str(sql, " AND ");
    put_complete(a, sql);
    for (size_t i = 0; i < a->q->n_keys; i++) buf_printf(sql, i ? ",%zu" : " GROUP BY %zu", i + 1);
    for (size_t i = 0; i < a->q->n_keys; i++) buf_printf(sql, i ? ",%zu" : " ORDER BY %zu", i + 1);
}

static sr_status read_groups(struct asking *a, struct sr_err *err) {
    cleanup_buf struct buf sql;
    sqlite3_stmt *st = NULL;
    buf_init(&sql, SQL_MAX);
    put_groups(a, &sql);
    SR_TRY(prepare(a, &sql, &st, err));
    int at = 1, rc = SQLITE_OK;
    for (size_t i = 0; i < a->q->n_keys && rc == SQLITE_OK; i++)
        if (a->q->keys[i].step > 0) rc = sqlite3_bind_double(st, at++, a->q->keys[i].step);
    sr_status got = SR_OK;
    if (rc == SQLITE_OK && bind_filter(a, st, at) > 0)
        while ((rc = sqlite3_step(st)) == SQLITE_ROW && got == SR_OK) got = take_group(a, st, err);
    if (got == SR_OK && rc != SQLITE_DONE) got = table_failed(&a->t, err);
    (void)sqlite3_finalize(st);
    return got;
}

/*
 * Hides groups of too few people; and, when those together are too few, the smallest others until
 * they are enough: else total minus what is shown would tell them. A person may be in several
 * groups, so that of groups with a person column only the largest one counts.
 */
static void hide_groups(struct asking *a) {
    uint64_t people = 0;
    for (size_t i = 0; i < a->n; i++) a->groups[i].hidden = a->groups[i].people < a->minimum;
    for (;;) {
        people = a->hidden = a->hidden_rows = 0;
        struct group *smallest = NULL;
        for (size_t i = 0; i < a->n; i++) {
            struct group *g = &a->groups[i];
            if (!g->hidden) {
                if (!smallest || g->people < smallest->people) smallest = g;
                continue;
            }
            a->hidden++;
            a->hidden_rows += g->rows;
            if (a->person == SIZE_MAX)
                people += g->people;
            else if (g->people > people)
                people = g->people;
        }
        if (a->hidden == 0 || people >= a->minimum || !smallest) return;
        smallest->hidden = true;
    }
}

/* ---- writing ---- */

static void put_csv(const struct asking *a, struct buf *b) {
    for (size_t i = 0; i < a->q->n_keys; i++) {
        csv_put(b, a->q->keys[i].column);
        buf_u8(b, ',');
    }
    buf_str(b, a->person == SIZE_MAX ? "rows" : "rows,people");
    for (size_t i = 0; i < a->q->n_figures; i++) {
        buf_u8(b, ',');
        csv_put2(b, question_heading(a->q->figures[i].kind), a->q->figures[i].column);
    }
    buf_u8(b, '\n');
    for (size_t i = 0; i < a->n; i++) {
        const struct group *g = &a->groups[i];
        if (g->hidden) continue;
        for (size_t k = 0; k < a->q->n_keys; k++) {
            csv_put(b, slice_str(g->keys[k]));
            buf_u8(b, ',');
        }
        buf_printf(b, "%llu", (unsigned long long)g->rows);
        if (a->person != SIZE_MAX) buf_printf(b, ",%llu", (unsigned long long)g->people);
        for (size_t k = 0; k < a->q->n_figures; k++) {
            buf_u8(b, ',');
            if (g->has[k]) number_put(b, g->figures[k], 8);
        }
        buf_u8(b, '\n');
    }
}

static void put_json(const struct asking *a, struct buf *b) {
    struct jw w = jw_of(b);
    uint64_t incomplete = a->matched - a->rows;
    jw_obj(&w);
    jw_ku64(&w, "rows", a->rows);
    jw_key(&w, "rowsIncomplete");
    if (incomplete == 0 || incomplete >= a->minimum)
        jw_u64(&w, incomplete);
    else
        jw_null(&w);
    jw_ku64(&w, "groups", a->n - a->hidden);
    jw_ku64(&w, "groupsWithheld", a->hidden);
    jw_ku64(&w, "rowsWithheld", a->hidden_rows);
    jw_ku64(&w, "minimum", a->minimum);
    jw_ku64(&w, "tables", a->n_rules);
    jw_ku64(&w, "tablesWithheld", a->s->withheld);
    jw_end_obj(&w);
    buf_u8(b, '\n');
}

static sr_status ask_all(struct asking *a, struct answer *ret, struct sr_err *err) {
    if (sources_tables(a->s) == 0) {
        sr_hint(err, "give a protected table with --data");
        return sr_fail(err, SR_E_USAGE, "there is no table among what this task was given%s",
                       a->s->withheld ? ": all data sets were withheld" : "");
    }
    SR_TRY(load_rules(a, err));
    SR_TRY(want_columns(a, err));
    SR_TRY(table_load(&a->t, a->s, err));
    SR_TRY(figures_add(a->t.db, err));
    SR_TRY(check_kinds(a, err));
    SR_TRY(count_rows(a, err));
    SR_TRY(read_groups(a, err));
    hide_groups(a);
    put_csv(a, &ret->csv);
    put_json(a, &ret->json);
    ret->rows = a->rows;
    ret->withheld = a->hidden;
    ret->shown = a->n - a->hidden;
    SR_TRY(buf_status(&ret->csv, err));
    return buf_status(&ret->json, err);
}

sr_status answer(const struct question *q, const struct sources *s, struct answer *ret,
                 struct sr_err *err) {
    struct answer got = {0};
    struct asking *a = sr_calloc_n(1, sizeof *a);
    if (!a) return sr_fail(err, SR_E_NOMEM, "out of memory");
    a->q = q;
    a->s = s;
    buf_init(&got.csv, ANSWER_MAX_BYTES);
    buf_init(&got.json, 4096);
    sr_status st = ask_all(a, &got, err);
    table_done(&a->t);
    for (size_t i = 0; i < a->n_rules; i++) question_rules_done(&a->rules[i]);
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < QUESTION_MAX_KEYS; k++) free(a->groups[i].keys[k]);
    free(a->groups);
    free(a);
    if (st != SR_OK) {
        answer_done(&got);
        return st;
    }
    *ret = got;
    return SR_OK;
}
