/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv.h - a strict CSV reader that is fed bytes and gives rows, in constant memory
 *
 * RFC 4180 with what tables of the world add: LF, CRLF or CR ends a row, a UTF-8 byte order mark is
 * skipped, and the first of , ; TAB outside quotes in the header is the separator of the table.
 * Fields may be quoted ("" is a quote inside quotes). Spaces around a field are dropped. Blank
 * lines are no rows. Every row has as many fields as the header. Error texts name rows (1 is the
 * first after the header), never what is in them.
 *
 * Depends on: base.  Used by: train, predict, table-questions.
 */
#pragma once
#include "base/base.h"

#define CSV_MAX_COLUMNS 4096u
#define CSV_MAX_ROW     (1u << 20) /* bytes of one row's fields */

struct csv; /* a reader, owned: csv_free */

/* Called for each row: row 0 is the header. fields are borrowed during the call; a failure ends the
 * reading. */
typedef sr_status (*csv_each)(void *arg, const struct slice *fields, size_t n, uint64_t row,
                              struct sr_err *err);

SR_CHECK sr_status csv_new(csv_each each, void *arg, struct csv **ret_csv, struct sr_err *err);
void csv_free(struct csv *csv); /* accepts NULL */
/* SR_E_MALFORMED what breaks the rules above, SR_E_TOOBIG over the limits, or what each said. */
SR_CHECK sr_status csv_feed(struct csv *csv, const void *p, size_t n, struct sr_err *err);
/* The table's end: an open last row is given, an open quote refused. SR_E_MALFORMED "the table is
 * empty" without a header. */
SR_CHECK sr_status csv_end(struct csv *csv, struct sr_err *err);

/* One field of a CSV line into b, quoted when it must be; csv_put2: of two parts. */
void csv_put(struct buf *b, struct slice field);
void csv_put2(struct buf *b, const char *first, struct slice second);
