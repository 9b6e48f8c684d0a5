/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - the columns that a question names, of all tables, in an SQLite database in memory
 *
 * Table t has the columns c0, c1, ... in the order of `columns`; a number is REAL, a word TEXT, a
 * missing value NULL. No text of question or table is ever part of an SQL statement.
 *
 * Depends on: base, source, sqlite3.  Used by: answer.
 */
#pragma once
#include "../common/source.h"
#include <sqlite3.h>

#define TABLE_MAX_COLUMNS 32u
#define TABLE_MAX_BYTES   (384ull << 20) /* that SQLite may take */

struct table {
    sqlite3 *db;
    struct slice columns[TABLE_MAX_COLUMNS]; /* borrowed from the question */
    bool words[TABLE_MAX_COLUMNS];           /* has other values than numbers */
    size_t n;
    uint64_t rows;
};

/* Index of a column, added when it is new; SIZE_MAX: too many. */
size_t table_column(struct table *t, struct slice name);
/*
 * table_load - reads all tables of s into t, whose columns are set
 *
 * SR_E_NOTFOUND for a column that is not there (the hint lists what is there), SR_E_MALFORMED,
 * SR_E_TOOBIG over TABLE_MAX_BYTES. End: table_done, also after a failure.
 */
SR_CHECK sr_status table_load(struct table *t, const struct sources *s, struct sr_err *err);
void table_done(struct table *t);
/* A statement of sqlite3's that failed. */
sr_status table_failed(const struct table *t, struct sr_err *err);
