/* SPDX-License-Identifier: Apache-2.0 */
#include "figures.h"
#include "../common/number.h"
#include <math.h>
#include <stdlib.h>

#define FIRST_ROOM 256u

struct spread { /* Welford */
    double n, mean, m2;
};

static void spread_step(sqlite3_context *c, int n, sqlite3_value **v) {
    struct spread *s = sqlite3_aggregate_context(c, (int)sizeof *s);
    (void)n;
    if (!s) {
        sqlite3_result_error_nomem(c);
        return;
    }
    if (sqlite3_value_type(v[0]) == SQLITE_NULL) return;
    double x = sqlite3_value_double(v[0]), d = x - s->mean;
    s->n++;
    s->mean += d / s->n;
    s->m2 += d * (x - s->mean);
}

static void spread_end(sqlite3_context *c) {
    const struct spread *s = sqlite3_aggregate_context(c, 0);
    if (s && s->n > 1)
        sqlite3_result_double(c, number_sqrt(s->m2 / (s->n - 1)));
    else
        sqlite3_result_null(c);
}

struct values {
    double *v; /* of sqlite3_malloc: the heap limit counts it */
    size_t n, room;
};

static void values_step(sqlite3_context *c, int n, sqlite3_value **v) {
    struct values *s = sqlite3_aggregate_context(c, (int)sizeof *s);
    (void)n;
    if (s && sqlite3_value_type(v[0]) == SQLITE_NULL) return;
    if (s && s->n == s->room) {
        size_t room = s->room ? s->room * 2 : FIRST_ROOM;
        double *more = sqlite3_realloc64(s->v, room * sizeof *more);
        if (more) {
            s->v = more;
            s->room = room;
        }
    }
    if (!s || s->n == s->room) {
        sqlite3_result_error_nomem(c);
        return;
    }
    s->v[s->n++] = sqlite3_value_double(v[0]);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void median_end(sqlite3_context *c) {
    struct values *s = sqlite3_aggregate_context(c, 0);
    if (!s || s->n == 0) {
        sqlite3_result_null(c);
    } else {
        qsort(s->v, s->n, sizeof *s->v, by_value);
        double low = s->v[(s->n - 1) / 2], high = s->v[s->n / 2];
        sqlite3_result_double(c, low / 2 + high / 2);
    }
    if (s) sqlite3_free(s->v);
}

static void step(sqlite3_context *c, int n, sqlite3_value **v) {
    double width = sqlite3_value_double(v[1]);
    (void)n;
    if (sqlite3_value_type(v[0]) == SQLITE_NULL)
        sqlite3_result_null(c);
    else
        sqlite3_result_double(c, floor(sqlite3_value_double(v[0]) / width) * width);
}

sr_status figures_add(sqlite3 *db, struct sr_err *err) {
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    if (sqlite3_create_function_v2(db, "sr_stddev", 1, flags, NULL, NULL, spread_step, spread_end,
                                   NULL) != SQLITE_OK ||
        sqlite3_create_function_v2(db, "sr_median", 1, flags, NULL, NULL, values_step, median_end,
                                   NULL) != SQLITE_OK ||
        sqlite3_create_function_v2(db, "sr_step", 2, flags, NULL, step, NULL, NULL, NULL) !=
            SQLITE_OK)
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    return SR_OK;
}
