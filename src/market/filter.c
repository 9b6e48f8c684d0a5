/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - what a list asks of open orders: as a part of a SELECT, and of one row in memory */
#include "market/market_int.h"

enum { ADDR, INT, TAG, BOOL };
static const struct column {
    const char *name;
    int type;
    size_t at;
} columns[] = {
    [COL_RESOURCE] = {"resource", ADDR, offsetof(struct order_row, resource)},
    [COL_SIGNER] = {"signer", ADDR, offsetof(struct order_row, signer)},
    [COL_APP] = {"app", ADDR, offsetof(struct order_row, app)},
    [COL_DATASET] = {"dataset", ADDR, offsetof(struct order_row, dataset)},
    [COL_WORKERPOOL] = {"workerpool", ADDR, offsetof(struct order_row, workerpool)},
    [COL_REQUESTER] = {"requester", ADDR, offsetof(struct order_row, requester)},
    [COL_BENEFICIARY] = {"beneficiary", ADDR, offsetof(struct order_row, beneficiary)},
    [COL_TAG + 0] = {"tag0", TAG, offsetof(struct order_row, tag[0])},
    [COL_TAG + 1] = {"tag1", TAG, offsetof(struct order_row, tag[1])},
    [COL_TAG + 2] = {"tag2", TAG, offsetof(struct order_row, tag[2])},
    [COL_TAG + 3] = {"tag3", TAG, offsetof(struct order_row, tag[3])},
    [COL_TAG + 4] = {"tag4", TAG, offsetof(struct order_row, tag[4])},
    [COL_REMAINING] = {"remaining", INT, offsetof(struct order_row, remaining)},
    [COL_CATEGORY] = {"category", INT, offsetof(struct order_row, category)},
    [COL_TRUST] = {"trust", INT, offsetof(struct order_row, trust)},
    [COL_BULK] = {"bulk", BOOL, offsetof(struct order_row, bulk)},
};

void filter_init(struct filter *f, poco_kind k) {
    memset(f, 0, sizeof *f);
    f->kind = k;
}

static struct filter_cond *add(struct filter *f, unsigned col, filter_op op) {
    SR_ASSERT(f->n < FILTER_MAX);
    f->c[f->n].col = col;
    f->c[f->n].op = op;
    return &f->c[f->n++];
}

void filter_addr(struct filter *f, unsigned col, filter_op op, const struct addr *a) {
    SR_ASSERT(columns[col].type == ADDR && (op == IS || op == IS_OR_NONE));
    add(f, col, op)->a = *a;
}

void filter_i64(struct filter *f, unsigned col, filter_op op, int64_t v) {
    SR_ASSERT(columns[col].type != ADDR && op != IS_OR_NONE);
    add(f, col, op)->v = v;
}

const struct addr *filter_resource(const struct filter *f) {
    for (unsigned i = 0; i < f->n; i++)
        if (f->c[i].col == COL_RESOURCE && f->c[i].op == IS) return &f->c[i].a;
    return NULL;
}

bool filter_same(const struct filter *a, const struct filter *b) {
    if (a->kind != b->kind || a->n != b->n) return false;
    for (unsigned i = 0; i < a->n; i++) {
        const struct filter_cond *x = &a->c[i], *y = &b->c[i];
        if (x->col != y->col || x->op != y->op || x->v != y->v || !addr_eq(&x->a, &y->a))
            return false;
    }
    return true;
}

/* ---- of one row */

static int64_t number(const struct order_row *r, const struct column *c) {
    const char *p = (const char *)r + c->at;
    if (c->type == BOOL) return *(const bool *)p;
    if (c->type == TAG) return *(const int64_t *)(const void *)p;
    uint64_t v = *(const uint64_t *)(const void *)p; /* publish lets nothing above 2^53 in */
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static bool holds(const struct filter_cond *f, const struct order_row *r) {
    const struct column *c = &columns[f->col];
    if (c->type == ADDR) {
        const struct addr *a = (const struct addr *)(const void *)((const char *)r + c->at);
        return addr_eq(a, &f->a) || (f->op == IS_OR_NONE && addr_is_zero(a));
    }
    int64_t v = number(r, c);
    switch (f->op) {
    case IS: return v == f->v;
    case HAS_BITS: return (v & f->v) == f->v;
    case LACKS_BITS: return (v & f->v) == 0;
    case AT_LEAST: return v >= f->v;
    case AT_MOST: return v <= f->v;
    case IS_OR_NONE: break;
    }
    return false;
}

bool filter_matches(const struct filter *f, const struct order_row *r) {
    if (r->kind != f->kind || r->status != ORDER_OPEN) return false;
    for (unsigned i = 0; i < f->n; i++)
        if (!holds(&f->c[i], r)) return false;
    return true;
}

/* ---- of a table */

/* SQLite has no figures by which it would know which index leads to the fewest rows; a server
 * does. */
const char *filter_index(const struct filter *f, const struct db *db, bool in_order) {
    static const char *const of_resource[POCO_KINDS] = {
        " INDEXED BY app_resource", " INDEXED BY dataset_resource",
        " INDEXED BY workerpool_resource", " INDEXED BY request_resource"};
    static const char *const by_price[POCO_KINDS] = {
        " INDEXED BY app_any", " INDEXED BY dataset_any", " INDEXED BY workerpool_any",
        " INDEXED BY request_any"};
    if (db_is_shared(db)) return "";
    if (filter_resource(f)) return of_resource[f->kind];
    return in_order ? by_price[f->kind] : "";
}

static void put(struct sel *s, const char *before, const char *column, const char *after) {
    sel_text(s, before);
    sel_text(s, column);
    sel_text(s, after);
}

void filter_sql(const struct filter *f, struct sel *s) {
    static const struct addr none = {{0}};
    for (unsigned i = 0; i < f->n; i++) {
        const struct filter_cond *c = &f->c[i];
        const struct column *col = &columns[c->col];
        bool is_addr = col->type == ADDR;
        switch (c->op) {
        case IS:
            put(s, " AND ", col->name, "");
            if (is_addr)
                sel_addr(s, " = %s", &c->a);
            else
                sel_i64(s, " = %s", c->v);
            break;
        case IS_OR_NONE:
            put(s, " AND ", col->name, "");
            sel_addr(s, " IN (%s", &none);
            sel_addr(s, ", %s)", &c->a);
            break;
        case HAS_BITS:
            put(s, " AND (", col->name, "");
            sel_i64(s, " & %s)", c->v);
            sel_i64(s, " = %s", c->v);
            break;
        case LACKS_BITS:
            put(s, " AND (", col->name, "");
            sel_i64(s, " & %s) = 0", c->v);
            break;
        case AT_LEAST:
            put(s, " AND ", col->name, "");
            sel_i64(s, " >= %s", c->v);
            break;
        case AT_MOST:
            put(s, " AND ", col->name, "");
            sel_i64(s, " <= %s", c->v);
            break;
        }
    }
}
