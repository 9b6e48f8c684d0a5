/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gql_where.c - statements: values, conditions, orders
 *
 * Values are sent beside the text ("$1"), so that the same question is prepared once; where they
 * are more than DB_PARAMS_MAX they stand in it: blobs as hex, numbers as digits, texts with quotes
 * doubled. Names come from the schema's tables only.
 */
#include "market/gql_int.h"
#include <stdio.h>

/* ---- the statement */

void gsql_init(struct gsql *q, struct gx *x) {
    *q = (struct gsql){.x = x};
    buf_init(&q->text, GQL_SQL_MAX);
    buf_init(&q->mem, GQL_SQL_MAX);
}

void gsql_clear(struct gsql *q, bool literal) {
    buf_clear(&q->text);
    buf_clear(&q->mem);
    q->n = 0;
    q->alias = 0;
    q->literal = literal;
    q->full = false;
}

void gsql_done(struct gsql *q) {
    buf_done(&q->text);
    buf_done(&q->mem);
}

sr_status gsql_stmt(struct gsql *q, struct db_val *args, struct db_stmt *ret) {
    SR_TRY(buf_status(&q->text, q->x->err));
    SR_TRY(buf_status(&q->mem, q->x->err));
    for (size_t i = 0; i < q->n; i++) {
        args[i] = q->args[i];
        if (args[i].type == DB_TEXT || args[i].type == DB_BLOB) /* an empty one has no place */
            args[i].s.p = args[i].s.n ? q->mem.p + (uintptr_t)args[i].s.p : NULL;
    }
    ret->sql = buf_cstr(&q->text);
    ret->args = args;
    ret->n = q->n;
    return SR_OK;
}

/* ---- values */

static void put_quoted(struct buf *b, struct slice s) {
    buf_str(b, "'");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'') buf_u8(b, '\'');
        buf_u8(b, s.p[i]);
    }
    buf_str(b, "'");
}

static void put_literal(struct gsql *q, struct db_val v) {
    switch (v.type) {
    case DB_NULL: buf_str(&q->text, "NULL"); break;
    case DB_INT: buf_printf(&q->text, "%lld", (long long)v.i); break;
    case DB_TEXT: put_quoted(&q->text, v.s); break;
    case DB_BLOB: db_put_blob(q->x->m->read, &q->text, v.s); break;
    }
}

void gsql_db(struct gsql *q, struct db_val v) {
    if (q->literal || q->n == DB_PARAMS_MAX) {
        q->full = !q->literal;
        put_literal(q, v);
        return;
    }
    size_t at = q->mem.n;
    if (v.s.n) buf_add(&q->mem, v.s);
    v.s.p = (const uint8_t *)(uintptr_t)at;
    q->args[q->n++] = v;
    buf_printf(&q->text, "$%zu", q->n);
}

bool gsql_value(struct gsql *q, g_type t, const struct gval *v) {
    uint64_t n;
    switch (t) {
    case G_ID:
    case G_BYTES:
    case G_HEXTEXT:
    case G_REF: {
        if (v->kind != GV_STR) return false;
        struct buf raw;
        buf_init(&raw, 4096);
        bool ok = slice_starts(v->text, "0x") && hex_decode_buf(v->text, &raw);
        /* what is no hex is equal to nothing that we hold: a blob of one byte */
        gsql_db(q, db_blob(ok && !raw.bad ? buf_slice(&raw) : slice_of("", 1)));
        buf_done(&raw);
        return true;
    }
    case G_NUMID:
    case G_BIGINT:
    case G_INT:
        if (t == G_NUMID && v->kind == GV_STR && !num_u64(v->text, INT64_MAX, &n)) {
            gsql_db(q, db_i64(-1)); /* nobody's id: clients ask for what is not "null" */
            return true;
        }
        if ((v->kind != GV_INT && v->kind != GV_STR) || !num_u64(v->text, INT64_MAX, &n))
            return false;
        gsql_db(q, db_u64(n));
        return true;
    case G_BIGTEXT: {
        char text[U256_DEC_MAX];
        struct u256 big;
        if ((v->kind != GV_INT && v->kind != GV_STR) || !u256_from_dec(v->text, &big)) return false;
        u256_to_dec(text, big);
        gsql_db(q, db_str(text));
        return true;
    }
    case G_BOOL:
        if (v->kind != GV_BOOL) return false;
        gsql_db(q, db_bool(v->b));
        return true;
    case G_STATUS:
        for (unsigned i = 0; i < 5; i++)
            if (slice_is(v->text, i == 4 ? "FAILLED" : poco_task_status_word[i])) {
                gsql_db(q, db_u64(i));
                return true;
            }
        return false;
    case G_TEXT:
        if (v->kind != GV_STR || (v->text.n && memchr(v->text.p, 0, v->text.n))) return false;
        gsql_db(q, db_text(v->text));
        return true;
    default: return false;
    }
}

/* ---- names */

/* The next "t.<name>" in an expression: what follows it; NULL: none. */
static const char *next_own(const char *expr, struct slice *ret_name) {
    for (const char *c = expr; *c; c++) {
        bool start = c == expr || !((c[-1] >= 'a' && c[-1] <= 'z') || c[-1] == '_' ||
                                    (c[-1] >= '0' && c[-1] <= '9') || c[-1] == '.');
        if (!start || c[0] != 't' || c[1] != '.') continue;
        size_t n = strspn(c + 2, "abcdefghijklmnopqrstuvwxyz_0123456789");
        *ret_name = slice_of(c + 2, n);
        return c + 2 + n;
    }
    return NULL;
}

void gsql_expr(struct gsql *q, const char *expr, unsigned alias) {
    struct slice name;
    for (const char *rest; (rest = next_own(expr, &name)); expr = rest) {
        buf_put(&q->text, expr, (size_t)((const char *)name.p - 2 - expr));
        buf_printf(&q->text, "t%u.", alias);
        buf_add(&q->text, name);
    }
    buf_str(&q->text, expr);
}

/* What a field is compared with: a value of this type. */
static g_type value_type(const struct gx *x, const struct gentity_field *f) {
    return f->type == G_REF ? gx_entity(x, f->target)->id : f->type;
}

/* A column that is always null has no type by which a server could guess a value's. */
static bool put_compared(struct gsql *q, const struct gentity_field *f, const struct gval *v) {
    bool literal = q->literal;
    q->literal = literal || strcmp(f->col, "NULL") == 0;
    bool ok = gsql_value(q, value_type(q->x, f), v);
    q->literal = literal;
    return ok;
}

const char *gql_pairs(const struct gentity_field *f) {
    return f->type == G_LIST && f->col[0] == '(' ? f->col : NULL;
}

/* "Row `in` of the target is in that list of row `alias`" */
static void put_link(struct gsql *q, const struct gentity_field *f, unsigned in, unsigned alias) {
    const char *pairs = gql_pairs(f);
    if (pairs)
        buf_printf(&q->text, "t%u.id IN (SELECT l.child FROM %s AS l WHERE l.parent = t%u.id)", in,
                   pairs, alias);
    else
        buf_printf(&q->text, "t%u.%s = t%u.id", in, f->col, alias);
}

/* ---- conditions */

static bool strip(struct slice *key, const char *suffix) {
    size_t n = strlen(suffix);
    if (key->n <= n || memcmp(key->p + key->n - n, suffix, n) != 0) return false;
    key->n -= n;
    return true;
}

static sr_status bad_value(struct gsql *q, struct slice key) {
    return gx_fail(q->x, "Invalid value provided for argument `where`: field", key, NULL);
}

static sr_status put_in(struct gsql *q, const struct gentity_field *f, const struct gval *v,
                        bool negate, unsigned alias, struct slice key) {
    if (v->kind != GV_LIST || f->type == G_LIST) return bad_value(q, key);
    gsql_expr(q, f->col, alias);
    buf_str(&q->text, negate ? " NOT IN (" : " IN (");
    bool first = true;
    for (const struct gval *m = v->first; m; m = m->next) {
        const struct gval *r = gx_real(q->x, m);
        if (!r) continue;
        if (!first) buf_str(&q->text, ", ");
        first = false;
        if (!put_compared(q, f, r)) return bad_value(q, key);
    }
    if (first) buf_str(&q->text, "NULL");
    buf_str(&q->text, ")");
    return SR_OK;
}

/* A list of entities holds all of these ids; a text holds this one. */
static sr_status put_contains(struct gsql *q, const struct gentity_field *f, const struct gval *v,
                              unsigned alias, struct slice key) {
    if (f->type == G_LIST && v->kind == GV_LIST) {
        const struct gentity *te = gx_entity(q->x, f->target);
        buf_str(&q->text, "1 = 1");
        for (const struct gval *m = v->first; m; m = m->next) {
            const struct gval *r = gx_real(q->x, m);
            unsigned in = ++q->alias;
            if (!r) continue;
            buf_printf(&q->text, " AND EXISTS (SELECT 1 FROM %s AS t%u WHERE ", te->table, in);
            put_link(q, f, in, alias);
            buf_printf(&q->text, " AND t%u.id = ", in);
            if (!gsql_value(q, te->id, r)) return bad_value(q, key);
            buf_str(&q->text, ")");
        }
        return SR_OK;
    }
    if (f->type != G_TEXT || v->kind != GV_STR) return bad_value(q, key);
    if (v->text.n == 0) { /* all texts do */
        gsql_expr(q, f->col, alias);
        buf_str(&q->text, " IS NOT NULL");
        return SR_OK;
    }
    /* by letters, large or small; LIKE is not the same with every engine */
    buf_str(&q->text, "REPLACE(");
    gsql_expr(q, f->col, alias);
    buf_str(&q->text, ", ");
    if (!gsql_value(q, G_TEXT, v)) return bad_value(q, key);
    buf_str(&q->text, ", '') <> ");
    gsql_expr(q, f->col, alias);
    return SR_OK;
}

static sr_status put_nested(struct gsql *q, const struct gentity_field *f, const struct gval *v,
                            unsigned alias, unsigned depth) {
    const struct gentity *te = gx_entity(q->x, f->target);
    unsigned in = ++q->alias;
    buf_printf(&q->text, "EXISTS (SELECT 1 FROM %s AS t%u WHERE ", te->table, in);
    if (f->type == G_LIST) {
        put_link(q, f, in, alias);
    } else {
        buf_printf(&q->text, "t%u.id = ", in);
        gsql_expr(q, f->col, alias);
    }
    SR_TRY(gsql_where(q, te, v, in, depth + 1));
    buf_str(&q->text, ")");
    return SR_OK;
}

/* Decimal texts compare as numbers: the longer is the larger. */
static bool put_longer(struct gsql *q, const struct gentity_field *f, const char *op,
                       const struct gval *v, unsigned alias) {
    struct u256 big;
    char text[U256_DEC_MAX] = "";
    if ((v->kind == GV_INT || v->kind == GV_STR) && u256_from_dec(v->text, &big))
        u256_to_dec(text, big);
    buf_str(&q->text, "LENGTH(");
    gsql_expr(q, f->col, alias);
    buf_printf(&q->text, ") %c %zu OR (LENGTH(", op[0], strlen(text));
    gsql_expr(q, f->col, alias);
    buf_printf(&q->text, ") = %zu AND ", strlen(text));
    gsql_expr(q, f->col, alias);
    buf_printf(&q->text, " %s ", op);
    if (!put_compared(q, f, v)) return false;
    buf_str(&q->text, ")");
    return true;
}

static sr_status put_condition(struct gsql *q, const struct gentity *e, const struct gval *v,
                               unsigned alias, unsigned depth) {
    static const struct {
        const char *suffix, *op;
    } ops[] = {{"_gte", ">="}, {"_lte", "<="}, {"_gt", ">"}, {"_lt", "<"}, {"_not", "<>"}};
    struct slice key = v->key;
    const struct gval *r = gx_real(q->x, v);
    const struct gentity_field *f = gx_field(e, key);
    const char *op = "=";
    bool in = false, not_in = false, contains = false;
    if (!f) {
        if (key.n > 1 && key.p[key.n - 1] == '_' && (f = gx_field(e, slice_of(key.p, key.n - 1))) &&
            (f->type == G_REF || f->type == G_LIST) && r->kind == GV_OBJ)
            return put_nested(q, f, r, alias, depth);
        if (strip(&key, "_not_in"))
            not_in = true;
        else if (strip(&key, "_in"))
            in = true;
        else if (strip(&key, "_contains"))
            contains = true;
        else
            for (size_t i = 0; i < SR_ARRAY_LEN(ops); i++)
                if (strip(&key, ops[i].suffix)) {
                    op = ops[i].op;
                    break;
                }
        f = gx_field(e, key);
    }
    if (!f) return gx_fail(q->x, "Unknown filter field", v->key, e->name);
    if (in || not_in) return put_in(q, f, r, not_in, alias, v->key);
    if (contains) return put_contains(q, f, r, alias, v->key);
    if (f->type == G_LIST) return bad_value(q, v->key);
    if (f->type == G_BIGTEXT && (op[0] == '>' || op[0] == '<') && op[1] != '>')
        return put_longer(q, f, op, r, alias) ? SR_OK : bad_value(q, v->key);
    gsql_expr(q, f->col, alias);
    buf_printf(&q->text, " %s ", op);
    return put_compared(q, f, r) ? SR_OK : bad_value(q, v->key);
}

/* Appends " AND (...)" for each member; and, or: lists of such objects. */
sr_status gsql_where(struct gsql *q, const struct gentity *e, const struct gval *where,
                     unsigned alias, unsigned depth) {
    if (depth > GQL_DEPTH_MAX || where->kind != GV_OBJ)
        return sr_fail(q->x->err, SR_E_USAGE, "Invalid value provided for argument `where`");
    for (const struct gval *v = where->first; v; v = v->next) {
        const struct gval *r = gx_real(q->x, v);
        if (!r || r->kind == GV_NULL) continue; /* no condition */
        bool any = slice_is(v->key, "or");
        if (any || slice_is(v->key, "and")) {
            if (r->kind != GV_LIST) return bad_value(q, v->key);
            if (!r->first) continue;
            buf_str(&q->text, any ? " AND (1 = 0" : " AND (1 = 1");
            for (const struct gval *m = r->first; m; m = m->next) {
                const struct gval *o = gx_real(q->x, m);
                if (!o) continue;
                buf_str(&q->text, any ? " OR (1 = 1" : " AND (1 = 1");
                SR_TRY(gsql_where(q, e, o, alias, depth + 1));
                buf_str(&q->text, ")");
            }
            buf_str(&q->text, ")");
            continue;
        }
        buf_str(&q->text, " AND (");
        SR_TRY(put_condition(q, e, v, alias, depth));
        buf_str(&q->text, ")");
    }
    return SR_OK;
}

/* "<field> <direction>, "; ref: of the entity to which this reference of ours leads. */
static void put_sorted(struct gsql *q, const struct gentity_field *f,
                       const struct gentity_field *ref, unsigned alias, const char *direction) {
    if (strcmp(f->col, "NULL") == 0) return; /* which is no order to a server */
    for (bool length = f->type == G_BIGTEXT;; length = false) {
        buf_str(&q->text, length ? "LENGTH(" : "");
        if (ref) {
            const struct gentity *te = gx_entity(q->x, ref->target);
            unsigned in = ++q->alias;
            buf_str(&q->text, "(SELECT ");
            gsql_expr(q, f->col, in);
            buf_printf(&q->text, " FROM %s AS t%u WHERE t%u.id = ", te->table, in, in);
            gsql_expr(q, ref->col, alias);
            buf_str(&q->text, ")");
        } else {
            gsql_expr(q, f->col, alias);
        }
        buf_printf(&q->text, "%s%s, ", length ? ")" : "", direction);
        if (!length) return;
    }
}

/* orderBy: a field, or field__field of a related entity. */
static bool find_order(struct gx *x, const struct gentity *e, struct slice name,
                       const struct gentity_field **ret_ref, const struct gentity_field **ret) {
    *ret_ref = NULL;
    *ret = gx_field(e, name);
    if (*ret) return (*ret)->type != G_LIST;
    for (size_t i = 0; i + 1 < name.n; i++) {
        if (name.p[i] != '_' || name.p[i + 1] != '_') continue;
        const struct gentity_field *ref = gx_field(e, slice_of(name.p, i));
        if (!ref || ref->type != G_REF) return false;
        *ret_ref = ref;
        *ret = gx_field(gx_entity(x, ref->target), slice_of(name.p + i + 2, name.n - i - 2));
        return *ret && (*ret)->type != G_REF && (*ret)->type != G_LIST;
    }
    return false;
}

sr_status gsql_order(struct gsql *q, const struct gentity *e, const struct gsel *s,
                     unsigned alias) {
    const struct gval *by = gx_arg(q->x, s, "orderBy"), *dir = gx_arg(q->x, s, "orderDirection");
    bool desc = dir && slice_is(dir->text, "desc");
    buf_str(&q->text, " ORDER BY ");
    if (by) {
        const struct gentity_field *f, *ref;
        if (!find_order(q->x, e, by->text, &ref, &f))
            return gx_fail(q->x, "Unknown value for `orderBy`:", by->text, e->name);
        /* null is more than anything, as in the official service's database */
        put_sorted(q, f, ref, alias, desc ? " DESC NULLS FIRST" : " ASC NULLS LAST");
    } else if (e->default_order) {
        gsql_expr(q, e->default_order, alias);
        buf_str(&q->text, ", ");
    }
    buf_printf(&q->text, "t%u.id%s", alias, desc && !by ? " DESC" : " ASC");
    return SR_OK;
}
