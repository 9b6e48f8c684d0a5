/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_value.c - values on their way to a PostgreSQL server, rows on their way back
 *
 * Answers are in binary form and come whole: rows hold nothing on the server. Types of parameters
 * are the server's guess from the statement; integers are sent as text, so that any width of them
 * fits.
 */
#include "db/pg_int.h"
#include <stdio.h>

#define OID_BOOL    16
#define OID_BYTEA   17
#define OID_INT8    20
#define OID_INT2    21
#define OID_INT4    23
#define OID_NUMERIC 1700

/* ---- values */

/* Length of the good UTF-8 character at p, 0 for none; NUL is none to PostgreSQL. */
static size_t char_len(const uint8_t *p, size_t n) {
    uint8_t c = p[0];
    if (c < 0x80) return c ? 1 : 0;
    size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || n < len) return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

/* Texts of the chain may hold anything; what the server would refuse becomes U+FFFD. */
static struct slice clean_text(struct slice s, struct buf *room) {
    size_t good = 0, len;
    while (good < s.n && (len = char_len(s.p + good, s.n - good)) > 0) good += len;
    if (good == s.n) return s;
    size_t from = room->n;
    for (size_t i = 0; i < s.n;) {
        len = char_len(s.p + i, s.n - i);
        if (len)
            buf_put(room, s.p + i, len);
        else
            buf_str(room, "\xef\xbf\xbd");
        i += len ? len : 1;
    }
    return slice_of((const uint8_t *)(uintptr_t)from, room->n - from); /* its place in room */
}

sr_status pg_values_check(const struct db_val *args, size_t n, struct sr_err *err) {
    if (n > DB_PARAMS_MAX)
        return sr_fail(err, SR_E_USAGE, "database: more than %d values", DB_PARAMS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (args[i].type == DB_INT && args[i].i == INT64_MIN)
            return sr_fail(err, SR_E_RANGE, "database: $%zu is 2^63 or more", i + 1);
        if ((args[i].type == DB_TEXT || args[i].type == DB_BLOB) && args[i].s.n > DB_VALUE_MAX)
            return sr_fail(err, SR_E_TOOBIG, "database: a value too long");
    }
    return SR_OK;
}

void pg_bound_done(struct pg_bound *b) {
    buf_done(&b->room);
}

sr_status pg_bind(struct pg_bound *b, const struct db_val *args, size_t n, struct sr_err *err) {
    bool moved[DB_PARAMS_MAX] = {false};
    SR_TRY(pg_values_check(args, n, err));
    buf_init(&b->room, DB_VALUE_MAX);
    for (size_t i = 0; i < n; i++) {
        struct slice s = args[i].s;
        b->value[i] = NULL;
        b->length[i] = b->format[i] = 0;
        if (args[i].type == DB_NULL) continue;
        if (args[i].type == DB_INT) {
            (void)snprintf(b->number[i], sizeof b->number[i], "%lld", (long long)args[i].i);
            b->value[i] = b->number[i];
            continue;
        }
        if (args[i].type == DB_TEXT) {
            s = clean_text(s, &b->room);
            moved[i] = s.p != args[i].s.p;
        }
        b->value[i] = s.p || moved[i] ? (const char *)s.p : "";
        b->length[i] = (int)s.n;
        b->format[i] = 1;
    }
    sr_status st = buf_status(&b->room, err);
    if (st != SR_OK) {
        buf_done(&b->room);
        return st;
    }
    for (size_t i = 0; i < n; i++)
        if (moved[i]) b->value[i] = (const char *)b->room.p + (uintptr_t)b->value[i];
    return SR_OK;
}

/* ---- rows */

struct pg_rows pg_rows_of(struct db *db, PGresult *res) {
    return (struct pg_rows){.base = {db}, .res = res, .at = -1, .n = pq()->PQntuples(res)};
}

uint64_t pg_changed(const PGresult *res) {
    uint64_t n = 0;
    (void)!num_u64(slice_str(pq()->PQcmdTuples((PGresult *)(uintptr_t)res)), UINT64_MAX, &n);
    return n;
}

bool pg_next(struct db_rows *base) {
    struct pg_rows *r = (struct pg_rows *)base;
    if (r->at + 1 >= r->n) {
        r->at = r->n;
        return false;
    }
    r->at++;
    return true;
}

db_type pg_type(struct db_rows *base, unsigned col) {
    struct pg_rows *r = (struct pg_rows *)base;
    int c = (int)col;
    if (r->at < 0 || r->at >= r->n || c >= pq()->PQnfields(r->res) ||
        pq()->PQgetisnull(r->res, r->at, c))
        return DB_NULL;
    switch (pq()->PQftype(r->res, c)) {
    case OID_BOOL:
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_NUMERIC: return DB_INT;
    case OID_BYTEA: return DB_BLOB;
    default: return DB_TEXT;
    }
}

struct slice pg_bytes(struct db_rows *base, unsigned col) {
    struct pg_rows *r = (struct pg_rows *)base;
    return slice_of((const uint8_t *)pq()->PQgetvalue(r->res, r->at, (int)col),
                    (size_t)pq()->PQgetlength(r->res, r->at, (int)col));
}

/* What a sum of BIGINTs is: digits to the base 10 000. Fractions are cut, too much is the most. */
static int64_t numeric(struct slice s) {
    struct rd r = rd_of(s);
    unsigned digits = rd_u16(&r), weight = rd_u16(&r), sign = rd_u16(&r);
    int64_t v = 0;
    (void)rd_u16(&r);
    if (r.bad || weight >= 0x8000 || (sign != 0 && sign != 0x4000)) return 0; /* less than 1, NaN */
    for (unsigned i = 0; i <= weight; i++) {
        int64_t d = i < digits ? rd_u16(&r) : 0;
        if (__builtin_mul_overflow(v, 10000, &v) || __builtin_add_overflow(v, d, &v))
            return sign ? INT64_MIN : INT64_MAX;
    }
    return sign ? -v : v;
}

int64_t pg_i64(struct db_rows *base, unsigned col) {
    struct pg_rows *r = (struct pg_rows *)base;
    struct slice s = pg_bytes(base, col);
    if (pq()->PQftype(r->res, (int)col) == OID_NUMERIC) return numeric(s);
    struct rd in = rd_of(s);
    switch (s.n) {
    case 1: return rd_u8(&in);
    case 2: return (int16_t)rd_u16(&in);
    case 4: return (int32_t)rd_u32(&in);
    case 8: return (int64_t)rd_u64(&in);
    default: return 0;
    }
}
