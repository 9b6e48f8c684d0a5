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
    if (ask->f->type == G_REF)
        buf_str(&q->text, "t1.id");
    else if (gql_pairs(ask->f))
        buf_str(&q->text, "l.parent");
    else
        buf_printf(&q->text, "t1.%s", ask->f->col);
}

static void put_columns(struct gsql *q, const struct glevel *l, const struct gask *ask,
                        const struct gpart *p) {
    unsigned alias = p->numbered ? 2 : 1;
    buf_printf(&q->text, "SELECT t%u.id, ", alias);
    buf_str(&q->text, l->e->interface ? p->numbered ? "t2.kind" : "t1.kind" : "NULL");
    for (size_t i = 0; i < l->flat.n; i++) {
        if (!l->f[i] || l->col[i] == GL_ID) continue;
        buf_str(&q->text, ", ");
        if (l->id_only[i]) {
            unsigned in = ++q->alias;
            buf_printf(&q->text, "(SELECT t%u.id FROM %s AS t%u WHERE t%u.id = ", in,
                       gx_entity(q->x, l->f[i]->target)->table, in, in);
        }
        gsql_expr(q, l->f[i]->col, alias);
        if (l->id_only[i]) buf_str(&q->text, ")");
    }
    if (p->to - p->from < 2) return;
    buf_str(&q->text, ", ");
    if (p->numbered)
        buf_str(&q->text, "t2.gql_parent");
    else
        put_parent(q, ask);
}

/* The columns of the table that the outer expressions use: "t.<name>", each once. */
static void put_inner(struct gsql *q, const struct glevel *l) {
    struct slice names[GQL_INNER_MAX] = {SLICE_LIT("id")};
    size_t n = 1;
    if (l->e->interface) names[n++] = SLICE_LIT("kind");
    for (size_t i = 0; i < l->flat.n && n < GQL_INNER_MAX; i++) {
        if (!l->f[i] || l->col[i] == GL_ID) continue;
        for (const char *c = l->f[i]->col; n < GQL_INNER_MAX && (c = gsql_own(c, &names[n]));)
            for (size_t k = 0; k <= n; k++)
                if (k == n || slice_eq(names[k], names[n])) {
                    n += k == n;
                    break;
                }
    }
    for (size_t i = 0; i < n && n < GQL_INNER_MAX; i++) {
        buf_str(&q->text, i ? ", t1." : "t1.");
        buf_add(&q->text, names[i]);
    }
    if (n == GQL_INNER_MAX) buf_str(&q->text, "t1.*");
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
    buf_str(&q->text, q->literal ? " = ANY(CAST(" : " = ANY(CAST(CAST(");
    gsql_db(q, db_text(buf_slice(&a)));
    buf_printf(&q->text, "%s AS %s[]))", q->literal ? "" : " AS TEXT)",
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
        put_array(q, ask, p);
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

static void put_numbered(struct gsql *q, const struct gpart *p) {
    buf_str(&q->text, ") AS t2 WHERE t2.gql_n > ");
    gsql_db(q, db_u64(p->skip));
    buf_str(&q->text, " AND t2.gql_n <= ");
    gsql_db(q, db_u64(p->skip + p->first));
    buf_printf(&q->text, " ORDER BY t2.gql_n LIMIT %u", GQL_ROWS_MAX + 1);
}

static sr_status put_select(struct gsql *q, const struct glevel *l, const struct gask *ask,
                            const struct gpart *p) {
    bool one = ask->id || (ask->f && ask->f->type == G_REF), many = p->to - p->from > 1;
    const struct gval *where = one ? NULL : gx_arg(q->x, ask->s, "where");
    q->alias = p->numbered ? 2 : 1;
    put_columns(q, l, ask, p);
    if (p->numbered) {
        buf_str(&q->text, " FROM (SELECT ");
        put_inner(q, l);
        buf_str(&q->text, ", ");
        put_parent(q, ask);
        buf_str(&q->text, " AS gql_parent, ROW_NUMBER() OVER (PARTITION BY ");
        put_parent(q, ask);
        SR_TRY(gsql_order(q, l->e, ask->s, 1));
        buf_str(&q->text, ") AS gql_n");
    }
    put_from(q, l, ask);
    if (ask->id) {
        buf_str(&q->text, "t1.id = ");
        if (!gsql_value(q, l->e->id, ask->id)) buf_str(&q->text, "NULL");
    } else if (ask->f) {
        put_keys(q, ask, p);
    } else {
        buf_str(&q->text, "1 = 1");
    }
    if (where) SR_TRY(gsql_where(q, l->e, where, 1, 0));
    if (p->numbered) {
        put_numbered(q, p);
        return SR_OK;
    }
    if (one && many) return SR_OK;
    if (one) {
        buf_str(&q->text, " LIMIT 1");
        return SR_OK;
    }
    SR_TRY(gsql_order(q, l->e, ask->s, 1));
    buf_str(&q->text, " LIMIT ");
    gsql_db(q, db_u64(many ? gpart_plain(p) + 1 : p->first));
    if (many) return SR_OK;
    buf_str(&q->text, " OFFSET ");
    gsql_db(q, db_u64(p->skip));
    return SR_OK;
}

sr_status gsql_level(struct gsql *q, const struct glevel *l, const struct gask *ask,
                     struct gpart *p) {
    /* an array that the server knows when it plans is hashed, and its length is known; another is
     * gone through for each row that is looked at, and taken to be short */
    for (bool literal = p->to - p->from > GQL_ARRAY;;) {
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
