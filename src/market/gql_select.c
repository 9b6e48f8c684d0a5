/* SPDX-License-Identifier: Apache-2.0 */
/* gql_select.c - the statement for rows of one entity: by their id, by what their parents are, or
 * all */
#include "market/gql_int.h"

static struct db_val key_value(const struct gask *ask, size_t i) {
    const struct gcell *c = ask->keys[i];
    if (c->kind == GC_INT) return db_i64(c->i);
    struct slice s = slice_of(c->p, c->n);
    return ask->key == G_TEXT ? db_text(s) : db_blob(s);
}

/* The parent's id, in a row of the target. */
static void put_parent(struct gsql *q, const struct gask *ask) {
    SR_ASSERT(ask->f); /* asked for parents */
    if (ask->f->type == G_REF)
        buf_str(&q->text, "t1.id");
    else if (gql_pairs(ask->f))
        buf_str(&q->text, "l.parent");
    else
        buf_printf(&q->text, "t1.%s", ask->f->col);
}

static void put_columns(struct gsql *q, const struct glevel *l, const struct gask *ask,
                        const struct gpart *p) {
    buf_str(&q->text, l->e->interface ? "SELECT t1.id, t1.kind" : "SELECT t1.id, NULL");
    for (size_t i = 0; i < l->flat.n; i++) {
        if (!l->f[i] || l->col[i] == GL_ID) continue;
        buf_str(&q->text, ", ");
        if (l->id_only[i]) {
            unsigned in = ++q->alias;
            buf_printf(&q->text, "(SELECT t%u.id FROM %s AS t%u WHERE t%u.id = ", in,
                       gx_entity(q->x, l->f[i]->target)->table, in, in);
        }
        gsql_expr(q, l->f[i]->col, 1);
        if (l->id_only[i]) buf_str(&q->text, ")");
    }
    if (p->to - p->from < 2) return;
    buf_str(&q->text, ", ");
    put_parent(q, ask);
}

/* A server takes ids as one value, so the text is the same for any number of them. */
static bool by_array(const struct gsql *q, const struct gask *ask) {
    return ask->key != G_TEXT && db_is_shared(q->x->m->read);
}

static void put_array(struct gsql *q, const struct gask *ask, const struct gpart *p) {
    cleanup_buf struct buf a;
    buf_init(&a, GQL_SQL_MAX);
    buf_str(&a, "{");
    for (size_t i = p->from; i < p->to; i++) {
        const struct gcell *c = ask->keys[i];
        if (i > p->from) buf_str(&a, ",");
        if (c->kind == GC_INT) {
            buf_printf(&a, "%lld", (long long)c->i);
        } else {
            buf_str(&a, "\"\\\\x"); /* the array's own sign before the bytes' sign */
            buf_hex(&a, slice_of(c->p, c->n));
            buf_str(&a, "\"");
        }
    }
    buf_str(&a, "}");
    if (a.bad != SR_OK) q->mem.bad = a.bad;
    buf_str(&q->text, q->literal ? "CAST(" : "CAST(CAST(");
    gsql_db(q, db_text(buf_slice(&a)));
    buf_printf(&q->text, "%s AS %s[])", q->literal ? "" : " AS TEXT)",
               ask->key == G_NUMID ? "BIGINT" : "BYTEA");
}

static void put_keys(struct gsql *q, const struct gask *ask, const struct gpart *p) {
    size_t n = p->to - p->from, fill = n <= GQL_KEYS / 3 ? GQL_KEYS / 3 : GQL_KEYS;
    put_parent(q, ask);
    if (n == 1) {
        buf_str(&q->text, " = ");
        gsql_db(q, key_value(ask, p->from));
        return;
    }
    if (by_array(q, ask)) {
        buf_str(&q->text, " = ANY(");
        put_array(q, ask, p);
        buf_str(&q->text, ")");
        return;
    }
    buf_str(&q->text, " IN (");
    for (size_t i = 0; i < n; i++) {
        if (i) buf_str(&q->text, ", ");
        gsql_db(q, key_value(ask, p->from + i));
    }
    /* few different texts, so that they are known: the last one is said again */
    for (size_t i = n; i < fill && !q->literal; i++) {
        buf_str(&q->text, ", ");
        gsql_db(q, key_value(ask, p->to - 1));
    }
    buf_str(&q->text, ")");
}

static void put_from(struct gsql *q, const struct glevel *l, const struct gask *ask) {
    const char *pairs = ask->f ? gql_pairs(ask->f) : NULL;
    buf_str(&q->text, " FROM ");
    if (pairs)
        buf_printf(&q->text, "%s AS l JOIN %s AS t1 ON t1.id = l.child WHERE ", pairs, l->e->table);
    else
        buf_printf(&q->text, "%s AS t1 WHERE ", l->e->table);
}

static void put_limits(struct gsql *q, uint64_t first, uint64_t skip) {
    buf_str(&q->text, " LIMIT ");
    gsql_db(q, db_u64(first));
    buf_str(&q->text, " OFFSET ");
    gsql_db(q, db_u64(skip));
}

static sr_status put_select(struct gsql *q, const struct glevel *l, const struct gask *ask,
                            const struct gpart *p) {
    bool one = ask->id || (ask->f && ask->f->type == G_REF), many = p->to - p->from > 1;
    const struct gval *where = one ? NULL : gx_arg(q->x, ask->s, "where");
    q->alias = 1;
    if (p->each) {
        buf_str(&q->text, "SELECT t2.* FROM UNNEST(");
        put_array(q, ask, p);
        buf_str(&q->text, ") AS k (id) CROSS JOIN LATERAL (");
        q->alias = 2;
    }
    put_columns(q, l, ask, p);
    put_from(q, l, ask);
    if (ask->id) {
        buf_str(&q->text, "t1.id = ");
        if (!gsql_value(q, l->e->id, ask->id)) buf_str(&q->text, "NULL");
    } else if (p->each) {
        put_parent(q, ask);
        buf_str(&q->text, " = k.id");
    } else if (ask->f) {
        put_keys(q, ask, p);
    } else {
        buf_str(&q->text, "1 = 1");
    }
    if (one) {
        buf_str(&q->text, many ? "" : " LIMIT 1");
        return SR_OK;
    }
    if (where) SR_TRY(gsql_where(q, l->e, where, 1, 0));
    SR_TRY(gsql_order(q, l->e, ask->s, 1));
    if (p->each || !many)
        put_limits(q, p->first, p->skip);
    else
        put_limits(q, gpart_plain(p) + 1, 0);
    /* one parent after the other, each one's rows in their order: no other join can do this */
    if (p->each) buf_printf(&q->text, ") AS t2 LIMIT %u", GQL_ROWS_MAX + 1);
    return SR_OK;
}

sr_status gsql_level(struct gsql *q, const struct glevel *l, const struct gask *ask,
                     struct gpart *p) {
    /* an array that the server knows when it plans is hashed, and its length is known; another is
     * gone through for each row that is looked at, and taken to be short */
    for (bool literal = !p->each && p->to - p->from > GQL_ARRAY;;) {
        gsql_clear(q, literal);
        SR_TRY(put_select(q, l, ask, p));
        if (q->full) {
            literal = true;
        } else if ((q->text.bad || q->mem.bad) && p->to - p->from > 1) {
            p->to = p->from + (p->to - p->from) / 2;
        } else {
            return SR_OK;
        }
    }
}
