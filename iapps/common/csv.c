/* SPDX-License-Identifier: Apache-2.0 */
#include "csv.h"
#include <stdlib.h>

enum state {
    AT_START,  /* of a field */
    IN_PLAIN,  /* inside a field without quotes */
    IN_QUOTES, /* inside quotes */
    AT_QUOTE   /* behind a quote inside quotes: the first of two, or the closing one */
};

struct csv {
    csv_each each;
    void *arg;
    struct buf text; /* of the row so far, without quotes and separators */
    uint32_t ends[CSV_MAX_COLUMNS];
    struct slice fields[CSV_MAX_COLUMNS];
    size_t n, columns; /* fields of this row so far; of the header */
    uint64_t row;
    enum state state;
    bool quoted;   /* some field of this row was */
    bool after_cr; /* a LF now belongs to the row's end before it */
    uint8_t sep;   /* 0: not known yet */
    unsigned bom;  /* bytes of the mark seen; 3: no more to look for */
};

sr_status csv_new(csv_each each, void *arg, struct csv **ret_csv, struct sr_err *err) {
    struct csv *c = sr_calloc_n(1, sizeof *c);
    if (!c) return sr_fail(err, SR_E_NOMEM, "out of memory");
    c->each = each;
    c->arg = arg;
    buf_init(&c->text, CSV_MAX_ROW);
    if (!buf_reserve(&c->text, 1)) { /* so that empty fields have an address, too */
        csv_free(c);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    *ret_csv = c;
    return SR_OK;
}

void csv_free(struct csv *csv) {
    if (!csv) return;
    buf_wipe(&csv->text);
    free(csv);
}

static sr_status bad(const struct csv *c, const char *what, struct sr_err *err) {
    if (!c->row) return sr_fail(err, SR_E_MALFORMED, "the table's header: %s", what);
    return sr_fail(err, SR_E_MALFORMED, "row %llu of the table: %s", (unsigned long long)c->row,
                   what);
}

static sr_status end_field(struct csv *c, struct sr_err *err) {
    if (c->text.bad == SR_E_NOMEM) return sr_fail(err, SR_E_NOMEM, "out of memory");
    if (c->text.bad != SR_OK || c->n == CSV_MAX_COLUMNS)
        return sr_fail(err, SR_E_TOOBIG, "row %llu of the table has more than %u %s",
                       (unsigned long long)c->row, c->text.bad ? CSV_MAX_ROW : CSV_MAX_COLUMNS,
                       c->text.bad ? "bytes" : "fields");
    c->ends[c->n++] = (uint32_t)c->text.n;
    c->state = AT_START;
    return SR_OK;
}

static sr_status end_row(struct csv *c, struct sr_err *err) {
    SR_TRY(end_field(c, err));
    bool blank = c->n == 1 && !c->quoted && slice_trim(buf_slice(&c->text)).n == 0;
    if (!blank) {
        if (c->row == 0)
            c->columns = c->n;
        else if (c->n != c->columns)
            return sr_fail(err, SR_E_MALFORMED,
                           "row %llu of the table has %zu fields, the header has %zu",
                           (unsigned long long)c->row, c->n, c->columns);
        uint32_t from = 0;
        for (size_t i = 0; i < c->n; i++) {
            c->fields[i] = slice_trim(slice_of(c->text.p + from, c->ends[i] - from));
            from = c->ends[i];
        }
        SR_TRY(c->each(c->arg, c->fields, c->n, c->row, err));
        c->row++;
    }
    buf_clear(&c->text);
    c->n = 0;
    c->quoted = false;
    return SR_OK;
}

/* The bytes of a run that are nothing special. */
static size_t plain_run(const struct csv *c, const uint8_t *p, size_t n) {
    size_t i = 0;
    if (c->state == IN_QUOTES)
        while (i < n && p[i] != '"' && p[i] != 0) i++;
    else
        while (i < n && p[i] != '\n' && p[i] != '\r' && p[i] != '"' && p[i] != 0 &&
               (c->sep ? p[i] != c->sep : p[i] != ',' && p[i] != ';' && p[i] != '\t'))
            i++;
    return i;
}

static size_t field_start(const struct csv *c) {
    return c->n ? c->ends[c->n - 1] : 0;
}

static bool only_spaces(const struct csv *c) {
    size_t from = field_start(c);
    return c->state == IN_PLAIN && slice_trim(slice_of(c->text.p + from, c->text.n - from)).n == 0;
}

static sr_status special(struct csv *c, uint8_t b, struct sr_err *err) {
    if (b == 0) return bad(c, "a zero byte: this is no text", err);
    if (b == '"') {
        if (c->state == IN_QUOTES) {
            c->state = AT_QUOTE;
        } else if (c->state == AT_START || only_spaces(c)) {
            c->text.n = field_start(c); /* spaces in front of a quote are none of the field */
            c->state = IN_QUOTES;
            c->quoted = true;
        } else {
            return bad(c, "a quote inside a field without quotes", err);
        }
        return SR_OK;
    }
    if (b == '\n' && c->after_cr) return SR_OK;
    if (b == '\n' || b == '\r') return end_row(c, err);
    c->sep = b; /* the only others */
    return end_field(c, err);
}

static sr_status feed(struct csv *c, const uint8_t *p, size_t n, struct sr_err *err) {
    for (size_t i = 0; i < n;) {
        if (c->state == AT_QUOTE && p[i] == '"') {
            buf_u8(&c->text, '"');
            c->state = IN_QUOTES;
            i++;
            continue;
        }
        size_t run = plain_run(c, p + i, n - i);
        if (run > 0) {
            c->after_cr = false;
            if (c->state == AT_QUOTE && slice_trim(slice_of(p + i, run)).n > 0)
                return bad(c, "text behind a closing quote", err);
            if (c->state == AT_START) c->state = IN_PLAIN;
            if (c->state != AT_QUOTE) buf_put(&c->text, p + i, run);
            if (c->text.bad) return end_field(c, err);
            i += run;
            continue;
        }
        SR_TRY(special(c, p[i], err));
        c->after_cr = p[i] == '\r' && c->state != IN_QUOTES;
        i++;
    }
    return SR_OK;
}

sr_status csv_feed(struct csv *c, const void *p, size_t n, struct sr_err *err) {
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    const uint8_t *bytes = p;
    while (n > 0 && c->bom < 3) {
        if (*bytes == mark[c->bom]) {
            c->bom++;
            bytes++;
            n--;
            continue;
        }
        unsigned seen = c->bom;
        c->bom = 3;
        SR_TRY(feed(c, mark, seen, err)); /* it only began like one */
    }
    return feed(c, bytes, n, err);
}

sr_status csv_end(struct csv *c, struct sr_err *err) {
    if (c->state == IN_QUOTES) return bad(c, "a quote is never closed", err);
    if (c->state != AT_START || c->n > 0) SR_TRY(end_row(c, err));
    if (c->row == 0) return sr_fail(err, SR_E_MALFORMED, "the table is empty");
    return SR_OK;
}

static bool is_plain(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || memchr(",;\"", s.p[i], 3)) return false;
    return true;
}

static void put_doubled(struct buf *b, struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') buf_u8(b, '"');
        buf_u8(b, s.p[i]);
    }
}

void csv_put2(struct buf *b, const char *first, struct slice second) {
    struct slice head = first[0] ? slice_str(first) : second;
    bool edge = (head.n > 0 && head.p[0] == ' ') || (second.n > 0 && second.p[second.n - 1] == ' ');
    if (!edge && is_plain(slice_str(first)) && is_plain(second)) {
        buf_str(b, first);
        buf_add(b, second);
        return;
    }
    buf_u8(b, '"');
    put_doubled(b, slice_str(first));
    put_doubled(b, second);
    buf_u8(b, '"');
}

void csv_put(struct buf *b, struct slice field) {
    csv_put2(b, "", field);
}
