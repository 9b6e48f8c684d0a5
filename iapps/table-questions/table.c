/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"
#include "../common/number.h"
#include <stdio.h>
#include <stdlib.h>

#define NO_COLUMN SIZE_MAX
#define LISTED    160u

struct loader {
    struct table *t;
    sqlite3_stmt *insert;          /* NULL in the first pass */
    size_t map[TABLE_MAX_COLUMNS]; /* of t's columns: field of the table being read */
};

size_t table_column(struct table *t, struct slice name) {
    for (size_t i = 0; i < t->n; i++)
        if (slice_eq(t->columns[i], name)) return i;
    if (t->n == TABLE_MAX_COLUMNS) return SIZE_MAX;
    t->columns[t->n] = name;
    return t->n++;
}

void table_done(struct table *t) {
    (void)sqlite3_close(t->db);
    *t = (struct table){0};
}

sr_status table_failed(const struct table *t, struct sr_err *err) {
    if (sqlite3_errcode(t->db) == SQLITE_NOMEM || sqlite3_errcode(t->db) == SQLITE_FULL)
        return sr_fail(err, SR_E_TOOBIG, "the tables need more than %llu MiB for this question",
                       (unsigned long long)TABLE_MAX_BYTES >> 20);
    return sr_fail(err, SR_E_SYS, "SQLite: %s", sqlite3_errstr(sqlite3_errcode(t->db)));
}

static sr_status run(const struct table *t, const char *sql, struct sr_err *err) {
    return sqlite3_exec(t->db, sql, NULL, NULL, NULL) == SQLITE_OK ? SR_OK : table_failed(t, err);
}

static sr_status take_header(struct loader *l, const struct slice *names, size_t n,
                             struct sr_err *err) {
    for (size_t c = 0; c < l->t->n; c++) {
        l->map[c] = NO_COLUMN;
        for (size_t i = 0; i < n; i++) {
            if (!slice_eq(names[i], l->t->columns[c])) continue;
            if (l->map[c] != NO_COLUMN)
                return sr_fail(err, SR_E_MALFORMED, "two columns have the same name '%.*s'",
                               names[i].n < 60 ? (int)names[i].n : 60, (const char *)names[i].p);
            l->map[c] = i;
        }
        if (l->map[c] != NO_COLUMN) continue;
        char list[LISTED + 8] = "";
        size_t at = 0, i = 0;
        for (; i < n && at + names[i].n + 2 < LISTED; i++)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%.*s", i ? ", " : "",
                                   (int)names[i].n, (const char *)names[i].p);
        sr_hint(err, "its columns are: %s%s", list, i < n ? ", ..." : "");
        return sr_fail(err, SR_E_NOTFOUND, "there is no column '%.*s'",
                       l->t->columns[c].n < 60 ? (int)l->t->columns[c].n : 60,
                       (const char *)l->t->columns[c].p);
    }
    return SR_OK;
}

static sr_status bind(struct loader *l, size_t c, struct slice cell, struct sr_err *err) {
    double v;
    int rc, at = (int)c + 1;
    if (number_is_missing(cell))
        rc = sqlite3_bind_null(l->insert, at);
    else if (!l->t->words[c] && number_parse(cell, &v))
        rc = sqlite3_bind_double(l->insert, at, v);
    else
        rc = sqlite3_bind_text(l->insert, at, (const char *)cell.p, (int)cell.n, SQLITE_STATIC);
    return rc == SQLITE_OK ? SR_OK : table_failed(l->t, err);
}

static sr_status take_row(void *arg, const struct slice *fields, size_t n, uint64_t row,
                          struct sr_err *err) {
    struct loader *l = arg;
    double v;
    if (row == 0) return take_header(l, fields, n, err);
    for (size_t c = 0; c < l->t->n; c++) {
        struct slice cell = fields[l->map[c]];
        if (l->insert)
            SR_TRY(bind(l, c, cell, err));
        else if (!l->t->words[c] && !number_is_missing(cell) && !number_parse(cell, &v))
            l->t->words[c] = true;
    }
    if (!l->insert) return SR_OK;
    l->t->rows++;
    if (sqlite3_step(l->insert) != SQLITE_DONE || sqlite3_reset(l->insert) != SQLITE_OK)
        return table_failed(l->t, err);
    return SR_OK;
}

static sr_status read_all(struct loader *l, const struct sources *s, struct sr_err *err) {
    for (size_t i = 0; i < s->n; i++)
        if (!s->v[i].is_model) SR_TRY(source_rows(&s->v[i], take_row, l, err));
    return SR_OK;
}

static sr_status open_table(struct table *t, sqlite3_stmt **ret, struct sr_err *err) {
    cleanup_buf struct buf create, insert;
    buf_init(&create, 4096);
    buf_init(&insert, 4096);
    (void)sqlite3_hard_heap_limit64((sqlite3_int64)TABLE_MAX_BYTES);
    if (sqlite3_open_v2(":memory:", &t->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    buf_str(&create, "CREATE TABLE t(z");
    buf_str(&insert, "INSERT INTO t VALUES(NULL");
    for (size_t i = 0; i < t->n; i++) {
        buf_printf(&create, ",c%zu", i);
        buf_str(&insert, ",?");
    }
    buf_str(&create, ")");
    buf_str(&insert, ")");
    SR_TRY(buf_status(&create, err));
    SR_TRY(buf_status(&insert, err));
    SR_TRY(run(t, "PRAGMA journal_mode=OFF; PRAGMA temp_store=MEMORY", err));
    SR_TRY(run(t, buf_cstr(&create), err));
    SR_TRY(run(t, "BEGIN", err));
    if (sqlite3_prepare_v2(t->db, buf_cstr(&insert), -1, ret, NULL) != SQLITE_OK)
        return table_failed(t, err);
    return SR_OK;
}

sr_status table_load(struct table *t, const struct sources *s, struct sr_err *err) {
    struct loader l = {.t = t};
    SR_TRY(read_all(&l, s, err));
    SR_TRY(open_table(t, &l.insert, err));
    sr_status st = read_all(&l, s, err);
    (void)sqlite3_finalize(l.insert);
    return st == SR_OK ? run(t, "COMMIT", err) : st;
}
