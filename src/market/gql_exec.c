/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gql_exec.c - answers a query tree: one SELECT a list, nested ones for each row
 *
 * Values stand in the SQL text as literals: blobs as hex, numbers as digits, texts with quotes
 * doubled; names come from the schema's tables only.
 */
#include "market/gql.h"
#include <stdio.h>
#include <stdlib.h>

struct gx {
    struct market *m;
    const struct gschema *schema;
    struct garena *a;
    const struct gdef *defs;
    const struct gval *vars;     /* given */
    const struct gval *defaults; /* of the operation */
    struct jw w;
    uint64_t rows;
    unsigned alias;
    struct sr_err *err;
};

static sr_status gx_fail(struct gx *x, const char *fmt, struct slice a, const char *b) {
    char name[64];
    size_t n = a.n < sizeof name - 1 ? a.n : sizeof name - 1;
    if (n) memcpy(name, a.p, n);
    name[n] = 0;
    struct buf t;
    buf_init(&t, 512);
    buf_str(&t, fmt);
    buf_printf(&t, " `%s`", name);
    if (b) buf_printf(&t, " on type `%s`", b);
    sr_status st = sr_fail(x->err, SR_E_USAGE, "%s", buf_cstr(&t));
    buf_done(&t);
    return st;
}

/* ---- schema look-ups */

static const struct gentity *entity_named(const struct gschema *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->e[i].name, name) == 0) return &s->e[i];
    return NULL;
}

static const struct gentity_field *field_of(const struct gentity *e, struct slice name) {
    for (size_t i = 0; i < e->n; i++)
        if (slice_is(name, e->fields[i].name)) return &e->fields[i];
    return NULL;
}

/* Variables are replaced by what was given, else by their default. */
static const struct gval *real(const struct gx *x, const struct gval *v) {
    if (!v || v->kind != GV_VAR) return v;
    for (const struct gval *g = x->vars; g; g = g->next)
        if (slice_eq(g->key, v->text)) return g;
    for (const struct gval *g = x->defaults; g; g = g->next)
        if (slice_eq(g->key, v->text)) return g->kind == GV_VAR ? NULL : g;
    return NULL;
}

static const struct gval *arg(const struct gx *x, const struct gsel *s, const char *name) {
    for (const struct gval *v = s->args; v; v = v->next)
        if (slice_is(v->key, name)) {
            const struct gval *r = real(x, v);
            return r && r->kind == GV_NULL ? NULL : r;
        }
    return NULL;
}

/* ---- literals */

static bool put_literal(const struct gx *x, struct buf *b, g_type t, const struct gval *v) {
    switch (t) {
    case G_ID:
    case G_BYTES:
    case G_HEXTEXT:
    case G_REF: {
        struct buf raw;
        buf_init(&raw, 4096);
        bool ok = v->kind == GV_STR && slice_starts(v->text, "0x") && hex_decode_buf(v->text, &raw);
        /* what is no hex is equal to nothing that we hold: a blob of one byte */
        db_put_blob(x->m->read, b, ok && !raw.bad ? buf_slice(&raw) : slice_of("", 1));
        buf_done(&raw);
        return v->kind == GV_STR;
    }
    case G_NUMID:
    case G_BIGINT:
    case G_INT: {
        uint64_t n;
        if (t == G_NUMID && v->kind == GV_STR && !num_u64(v->text, INT64_MAX, &n)) {
            buf_str(b, "-1"); /* nobody's id: clients ask for what is not "null" */
            return true;
        }
        if ((v->kind != GV_INT && v->kind != GV_STR) || !num_u64(v->text, INT64_MAX, &n))
            return false;
        buf_printf(b, "%llu", (unsigned long long)n);
        return true;
    }
    case G_BOOL:
        if (v->kind != GV_BOOL) return false;
        buf_str(b, v->b ? "1" : "0");
        return true;
    case G_STATUS:
        for (unsigned i = 0; i < 5; i++)
            if (slice_is(v->text, i == 4 ? "FAILLED" : poco_task_status_word[i])) {
                buf_printf(b, "%u", i);
                return true;
            }
        return false;
    case G_TEXT:
        if (v->kind != GV_STR) return false;
        buf_str(b, "'");
        for (size_t i = 0; i < v->text.n; i++) {
            if (v->text.p[i] == 0) return false;
            if (v->text.p[i] == '\'') buf_u8(b, '\'');
            buf_u8(b, v->text.p[i]);
        }
        buf_str(b, "'");
        return true;
    default: return false;
    }
}

/* ---- where */

/* "t" in a column's expression is our row; it gets this level's alias. */
static void put_expr(struct buf *b, const char *expr, unsigned alias) {
    for (const char *c = expr; *c; c++) {
        bool start = c == expr || !((c[-1] >= 'a' && c[-1] <= 'z') || c[-1] == '_' ||
                                    (c[-1] >= '0' && c[-1] <= '9') || c[-1] == '.');
        if (start && c[0] == 't' && c[1] == '.') {
            buf_printf(b, "t%u.", alias);
            c++;
        } else {
            buf_u8(b, (uint8_t)*c);
        }
    }
}

static void put_id(struct buf *b, unsigned alias) {
    buf_printf(b, "t%u.id", alias);
}

/* "Row `in` of the target is in that list of `owner`", an expression for our id: a column that
 * holds it, or a test of the target's id in which $ stands for it. */
static void put_link(struct buf *b, const struct gentity_field *f, unsigned in,
                     struct slice owner) {
    const char *hole = strchr(f->col, '$');
    buf_printf(b, "t%u.", in);
    buf_put(b, f->col, hole ? (size_t)(hole - f->col) : strlen(f->col));
    if (!hole) buf_str(b, " = ");
    buf_add(b, owner);
    if (hole) buf_str(b, hole + 1);
}

static void put_link_to_row(struct buf *b, const struct gentity_field *f, unsigned in,
                            unsigned alias) {
    struct buf id;
    buf_init(&id, 64);
    put_id(&id, alias);
    put_link(b, f, in, buf_slice(&id));
    buf_done(&id);
}

static sr_status put_where(struct gx *x, struct buf *b, const struct gentity *e,
                           const struct gval *where, unsigned alias, unsigned depth);

static bool strip(struct slice *key, const char *suffix) {
    size_t n = strlen(suffix);
    if (key->n <= n || memcmp(key->p + key->n - n, suffix, n) != 0) return false;
    key->n -= n;
    return true;
}

static sr_status bad_value(struct gx *x, struct slice key) {
    return gx_fail(x, "Invalid value provided for argument `where`: field", key, NULL);
}

static sr_status put_in(struct gx *x, struct buf *b, const struct gentity_field *f,
                        const struct gval *v, bool negate, unsigned alias, struct slice key) {
    if (v->kind != GV_LIST || f->type == G_LIST) return bad_value(x, key);
    g_type t = f->type == G_REF ? entity_named(x->schema, f->target)->id : f->type;
    put_expr(b, f->col, alias);
    buf_str(b, negate ? " NOT IN (" : " IN (");
    bool first = true;
    for (const struct gval *m = v->first; m; m = m->next) {
        const struct gval *r = real(x, m);
        if (!r) continue;
        if (!first) buf_str(b, ", ");
        first = false;
        if (!put_literal(x, b, t, r)) return bad_value(x, key);
    }
    if (first) buf_str(b, "NULL");
    buf_str(b, ")");
    return SR_OK;
}

/* A list of entities holds all of these ids; a text holds this one. */
static sr_status put_contains(struct gx *x, struct buf *b, const struct gentity_field *f,
                              const struct gval *v, unsigned alias, struct slice key) {
    if (f->type == G_LIST && v->kind == GV_LIST) {
        const struct gentity *te = entity_named(x->schema, f->target);
        buf_str(b, "1 = 1");
        for (const struct gval *m = v->first; m; m = m->next) {
            const struct gval *r = real(x, m);
            unsigned in = ++x->alias;
            if (!r) continue;
            buf_printf(b, " AND EXISTS (SELECT 1 FROM %s AS t%u WHERE ", te->table, in);
            put_link_to_row(b, f, in, alias);
            buf_printf(b, " AND t%u.id = ", in);
            if (!put_literal(x, b, te->id, r)) return bad_value(x, key);
            buf_str(b, ")");
        }
        return SR_OK;
    }
    if (f->type != G_TEXT || v->kind != GV_STR) return bad_value(x, key);
    /* without functions: a pattern, whose own signs are taken literally */
    buf_printf(b, "(");
    put_expr(b, f->col, alias);
    buf_str(b, " LIKE '%");
    for (size_t i = 0; i < v->text.n; i++) {
        uint8_t c = v->text.p[i];
        if (c == 0) return bad_value(x, key);
        if (c == '%' || c == '_' || c == '\\') buf_u8(b, '\\');
        if (c == '\'') buf_u8(b, '\'');
        buf_u8(b, c);
    }
    buf_str(b, "%' ESCAPE '\\')");
    return SR_OK;
}

static sr_status put_nested(struct gx *x, struct buf *b, const struct gentity_field *f,
                            const struct gval *v, unsigned alias, unsigned depth) {
    const struct gentity *te = entity_named(x->schema, f->target);
    unsigned in = ++x->alias;
    buf_printf(b, "EXISTS (SELECT 1 FROM %s AS t%u WHERE ", te->table, in);
    if (f->type == G_LIST) {
        put_link_to_row(b, f, in, alias);
    } else {
        put_id(b, in);
        buf_str(b, " = ");
        put_expr(b, f->col, alias);
    }
    SR_TRY(put_where(x, b, te, v, in, depth + 1));
    buf_str(b, ")");
    return SR_OK;
}

static sr_status put_condition(struct gx *x, struct buf *b, const struct gentity *e,
                               const struct gval *v, unsigned alias, unsigned depth) {
    static const struct {
        const char *suffix, *op;
    } ops[] = {{"_gte", ">="}, {"_lte", "<="}, {"_gt", ">"}, {"_lt", "<"}, {"_not", "<>"}};
    struct slice key = v->key;
    const struct gval *r = real(x, v);
    const struct gentity_field *f = field_of(e, key);
    const char *op = "=";
    bool in = false, not_in = false, contains = false;
    if (!f) {
        if (key.n > 1 && key.p[key.n - 1] == '_' && (f = field_of(e, slice_of(key.p, key.n - 1))) &&
            (f->type == G_REF || f->type == G_LIST) && r->kind == GV_OBJ)
            return put_nested(x, b, f, r, alias, depth);
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
        f = field_of(e, key);
    }
    if (!f) return gx_fail(x, "Unknown filter field", v->key, e->name);
    if (in || not_in) return put_in(x, b, f, r, not_in, alias, v->key);
    if (contains) return put_contains(x, b, f, r, alias, v->key);
    if (f->type == G_LIST) return bad_value(x, v->key);
    g_type t = f->type;
    if (t == G_REF) {
        const struct gentity *te = entity_named(x->schema, f->target);
        t = te->id;
    }
    put_expr(b, f->col, alias);
    buf_printf(b, " %s ", op);
    return put_literal(x, b, t, r) ? SR_OK : bad_value(x, v->key);
}

/* Appends " AND (...)" for each member; and, or: lists of such objects. */
static sr_status put_where(struct gx *x, struct buf *b, const struct gentity *e,
                           const struct gval *where, unsigned alias, unsigned depth) {
    if (depth > GQL_DEPTH_MAX || where->kind != GV_OBJ)
        return sr_fail(x->err, SR_E_USAGE, "Invalid value provided for argument `where`");
    for (const struct gval *v = where->first; v; v = v->next) {
        const struct gval *r = real(x, v);
        if (!r || r->kind == GV_NULL) continue; /* no condition */
        bool any = slice_is(v->key, "or");
        if (any || slice_is(v->key, "and")) {
            if (r->kind != GV_LIST) return bad_value(x, v->key);
            if (!r->first) continue;
            buf_str(b, any ? " AND (1 = 0" : " AND (1 = 1");
            for (const struct gval *m = r->first; m; m = m->next) {
                const struct gval *o = real(x, m);
                if (!o) continue;
                buf_str(b, any ? " OR (1 = 1" : " AND (1 = 1");
                SR_TRY(put_where(x, b, e, o, alias, depth + 1));
                buf_str(b, ")");
            }
            buf_str(b, ")");
            continue;
        }
        buf_str(b, " AND (");
        SR_TRY(put_condition(x, b, e, v, alias, depth));
        buf_str(b, ")");
    }
    return SR_OK;
}

/* ---- rows */

struct cell {
    bool null, blob_or_text;
    int64_t i;
    struct slice s;
};
struct rowset {
    size_t n, cols;
    struct cell *cells; /* n * cols; all in mem */
    struct buf mem;
};
static void rowset_done(struct rowset *r) {
    free(r->cells);
    buf_done(&r->mem);
}
#define cleanup_rowset __attribute__((cleanup(rowset_done)))

/* All rows are read before any is written: writing one asks for its nested lists. */
static sr_status load(struct gx *x, const char *sql, size_t cols, const bool *is_int,
                      struct rowset *ret) {
    cleanup_db_rows struct db_rows *q = NULL;
    size_t cap = 0;
    memset(ret, 0, sizeof *ret);
    buf_init(&ret->mem, GQL_ANSWER_MAX);
    ret->cols = cols;
    SR_TRY(db_select(x->m->read, sql, DB_NO_ARGS, &q, x->err));
    while (db_next(q)) {
        if (++x->rows > GQL_ROWS_MAX)
            return sr_fail(x->err, SR_E_TOOBIG, "The answer has more than %u rows", GQL_ROWS_MAX);
        if (ret->n == cap) {
            cap = cap ? cap * 2 : 16;
            struct cell *more = realloc(ret->cells, cap * cols * sizeof *more);
            if (!more) return sr_fail(x->err, SR_E_NOMEM, "graphql");
            ret->cells = more;
        }
        struct cell *c = ret->cells + ret->n++ * cols;
        for (size_t i = 0; i < cols; i++) {
            unsigned col = (unsigned)i;
            c[i] = (struct cell){.null = db_col_is_null(q, col)};
            if (c[i].null) continue;
            struct slice s = db_col_bytes(q, col);
            if (is_int[i] && s.n == 0) {
                c[i].i = db_col_i64(q, col);
            } else {
                c[i].blob_or_text = true;
                c[i].i = (int64_t)ret->mem.n; /* its place, until mem stops moving */
                c[i].s.n = s.n;
                buf_add(&ret->mem, s);
            }
        }
    }
    SR_TRY(db_end(sr_take_ptr(q), x->err));
    SR_TRY(buf_status(&ret->mem, x->err));
    for (size_t i = 0; i < ret->n * cols; i++)
        if (ret->cells[i].blob_or_text) ret->cells[i].s.p = ret->mem.p + ret->cells[i].i;
    return SR_OK;
}

static bool is_number(g_type t) {
    return t == G_NUMID || t == G_BIGINT || t == G_INT || t == G_BOOL || t == G_RLC ||
           t == G_STATUS;
}

static void put_rlc(struct jw *w, const struct cell *c) {
    struct u256 v = u256_of((uint64_t)(c->i > 0 ? c->i : 0));
    uint64_t frac = 0;
    if (c->blob_or_text) (void)!u256_from_dec(c->s, &v);
    v = u256_div_u64(v, 1000000000u, &frac);
    char whole[U256_DEC_MAX], text[U256_DEC_MAX + 16];
    u256_to_dec(whole, v);
    int n = snprintf(text, sizeof text, frac ? "%s.%09llu" : "%s", whole, (unsigned long long)frac);
    while (frac && n > 0 && text[n - 1] == '0') text[--n] = 0;
    jw_cstr(w, text);
}

static void put_cell(struct jw *w, g_type t, const struct cell *c) {
    char dec[32];
    if (c->null) {
        jw_null(w);
        return;
    }
    switch (t) {
    case G_ID:
    case G_BYTES:
    case G_REF: jw_hex(w, c->s); break;
    case G_HEXTEXT:
        if (c->s.n)
            jw_hex(w, c->s);
        else
            jw_null(w);
        break;
    case G_NUMID:
    case G_BIGINT:
        (void)snprintf(dec, sizeof dec, "%lld", (long long)c->i);
        if (c->blob_or_text)
            jw_str(w, c->s);
        else
            jw_cstr(w, dec);
        break;
    case G_INT: jw_i64(w, c->i); break;
    case G_BOOL: jw_bool(w, c->i != 0); break;
    case G_RLC: put_rlc(w, c); break;
    case G_STATUS:
        jw_cstr(w, c->i == 4               ? "FAILLED"
                   : c->i >= 0 && c->i < 4 ? poco_task_status_word[c->i]
                                           : "");
        break;
    default: jw_str(w, c->s); break;
    }
}

/* ---- selections: fragments are laid flat, a key that comes twice is answered once */

#define FLAT_MAX 64
struct flat {
    const struct gsel *s[FLAT_MAX];
    struct slice only[FLAT_MAX]; /* on an interface: rows of this type; empty: all */
    size_t n;
};

static sr_status flatten(struct gx *x, const struct gentity *e, const struct gsel *set,
                         struct slice only, struct flat *ret, unsigned depth) {
    if (depth > GQL_DEPTH_MAX) return sr_fail(x->err, SR_E_USAGE, "fragments nested too deep");
    for (const struct gsel *s = set; s; s = s->next) {
        if (s->kind == GS_INLINE) {
            bool all = s->name.n == 0 || slice_is(s->name, e->name);
            if (all || e->interface)
                SR_TRY(flatten(x, e, s->first, all ? only : s->name, ret, depth + 1));
            continue;
        }
        if (s->kind == GS_SPREAD) {
            const struct gdef *d = x->defs;
            while (d && !(d->fragment && slice_eq(d->name, s->name))) d = d->next;
            if (!d) return gx_fail(x, "Unknown fragment", s->name, NULL);
            bool all = slice_is(d->on, e->name);
            if (all || e->interface)
                SR_TRY(flatten(x, e, d->first, all ? only : d->on, ret, depth + 1));
            continue;
        }
        size_t i = 0;
        while (i < ret->n && !(slice_eq(ret->s[i]->alias, s->alias) &&
                               (ret->only[i].n == 0 || slice_eq(ret->only[i], only))))
            i++;
        if (i < ret->n) {
            if (!slice_eq(ret->s[i]->name, s->name) || s->first)
                return gx_fail(x, "Fields conflict: ask once for", s->alias, NULL);
            continue;
        }
        if (ret->n == FLAT_MAX) return sr_fail(x->err, SR_E_TOOBIG, "more than 64 fields");
        ret->only[ret->n] = only;
        ret->s[ret->n++] = s;
    }
    return SR_OK;
}

static sr_status write_list(struct gx *x, const struct gentity *e, const struct gsel *s,
                            const char *base, bool one, unsigned alias, unsigned depth);

static sr_status check_field(struct gx *x, const struct gentity *e, const struct gsel *s,
                             const struct gentity_field **ret) {
    const struct gentity_field *f = field_of(e, s->name);
    if (!f) return gx_fail(x, "Type `Query` or entity has no field", s->name, e->name);
    bool object = f->type == G_REF || f->type == G_LIST;
    if (object && !s->first)
        return gx_fail(x, "Field must have a selection of subfields:", s->name, e->name);
    if (!object && s->first)
        return gx_fail(x, "Field must not have a selection:", s->name, e->name);
    if (f->type != G_LIST && s->args)
        return gx_fail(x, "Unknown argument of field", s->name, e->name);
    *ret = f;
    return SR_OK;
}

static void put_cell_literal(const struct gx *x, struct buf *b, g_type t, const struct cell *c) {
    if (c->null) {
        buf_str(b, "NULL");
    } else if (t == G_NUMID) {
        buf_printf(b, "%lld", (long long)c->i);
    } else if (t == G_TEXT) {
        buf_str(b, "'");
        for (size_t i = 0; i < c->s.n; i++) {
            if (c->s.p[i] == '\'') buf_u8(b, '\'');
            buf_u8(b, c->s.p[i]);
        }
        buf_str(b, "'");
    } else {
        db_put_blob(x->m->read, b, c->s);
    }
}

static sr_status write_row(struct gx *x, const struct gentity *e, const struct flat *fl,
                           const struct cell *c, unsigned depth) {
    jw_obj(&x->w);
    for (size_t i = 0; i < fl->n; i++) {
        const struct gsel *s = fl->s[i];
        if (fl->only[i].n && !slice_eq(fl->only[i], c[fl->n + 1].s)) continue;
        jw_key_slice(&x->w, s->alias);
        if (slice_is(s->name, "__typename")) {
            if (e->interface)
                jw_str(&x->w, c[fl->n + 1].s);
            else
                jw_cstr(&x->w, e->name);
            continue;
        }
        const struct gentity_field *f;
        SR_TRY(check_field(x, e, s, &f));
        if (f->type != G_REF && f->type != G_LIST) {
            put_cell(&x->w, f->type, &c[i + 1]);
            continue;
        }
        const struct gentity *te = entity_named(x->schema, f->target);
        unsigned in = ++x->alias;
        cleanup_buf struct buf base;
        buf_init(&base, 8192);
        if (f->type == G_REF) {
            if (c[i + 1].null) {
                jw_null(&x->w);
                continue;
            }
            put_id(&base, in);
            buf_str(&base, " = ");
            put_cell_literal(x, &base, te->id, &c[i + 1]);
        } else {
            cleanup_buf struct buf id;
            buf_init(&id, 4096);
            put_cell_literal(x, &id, e->id, &c[0]);
            put_link(&base, f, in, buf_slice(&id));
        }
        SR_TRY(buf_status(&base, x->err));
        SR_TRY(write_list(x, te, s, buf_cstr(&base), f->type == G_REF, in, depth + 1));
    }
    jw_end_obj(&x->w);
    return SR_OK;
}

static sr_status number_arg(struct gx *x, const struct gsel *s, const char *name, uint64_t fallback,
                            uint64_t max, uint64_t *ret) {
    const struct gval *v = arg(x, s, name);
    *ret = fallback;
    if (v && (v->kind != GV_INT || !num_u64(v->text, max, ret)))
        return sr_fail(x->err, SR_E_USAGE,
                       "The value of the argument `%s` must be between 0 and %llu", name,
                       (unsigned long long)max);
    return SR_OK;
}

/* orderBy: a field, or field__field of a related entity. */
static sr_status put_order(struct gx *x, struct buf *b, const struct gentity *e,
                           const struct gsel *s, unsigned alias) {
    const struct gval *by = arg(x, s, "orderBy"), *dir = arg(x, s, "orderDirection");
    bool desc = dir && slice_is(dir->text, "desc");
    buf_str(b, " ORDER BY ");
    if (by) {
        struct slice name = by->text;
        const struct gentity_field *f = field_of(e, name);
        if (!f) {
            for (size_t i = 0; i + 1 < name.n && !f; i++) {
                if (name.p[i] != '_' || name.p[i + 1] != '_') continue;
                const struct gentity_field *ref = field_of(e, slice_of(name.p, i));
                if (!ref || ref->type != G_REF) break;
                const struct gentity *te = entity_named(x->schema, ref->target);
                const struct gentity_field *tf =
                    field_of(te, slice_of(name.p + i + 2, name.n - i - 2));
                if (!tf || tf->type == G_REF || tf->type == G_LIST) break;
                unsigned in = ++x->alias;
                buf_str(b, "(SELECT ");
                put_expr(b, tf->col, in);
                buf_printf(b, " FROM %s AS t%u WHERE t%u.id = ", te->table, in, in);
                put_expr(b, ref->col, alias);
                buf_printf(b, ") %s, ", desc ? "DESC" : "ASC");
                put_id(b, alias);
                buf_str(b, " ASC");
                return SR_OK;
            }
        }
        if (!f || f->type == G_LIST)
            return gx_fail(x, "Unknown value for `orderBy`:", name, e->name);
        put_expr(b, f->col, alias);
        buf_str(b, desc ? " DESC, " : " ASC, ");
    } else if (e->default_order) {
        put_expr(b, e->default_order, alias);
        buf_str(b, ", ");
    }
    put_id(b, alias);
    buf_str(b, by && desc ? " ASC" : desc ? " DESC" : " ASC");
    return SR_OK;
}

static sr_status check_args(struct gx *x, const struct gentity *e, const struct gsel *s, bool one) {
    static const char *const known[] = {"first", "skip", "orderBy", "orderDirection", "where"};
    for (const struct gval *v = s->args; v; v = v->next) {
        bool ok = one && slice_is(v->key, "id");
        for (size_t i = 0; !one && i < SR_ARRAY_LEN(known); i++)
            ok = ok || slice_is(v->key, known[i]);
        if (!ok) return gx_fail(x, "Unknown argument", v->key, e->name);
    }
    return SR_OK;
}

/* Rows of e for which base holds (and the arguments), as an array; one: as an object or null. */
static sr_status write_list(struct gx *x, const struct gentity *e, const struct gsel *s,
                            const char *base, bool one, unsigned alias, unsigned depth) {
    struct flat fl = {.n = 0};
    bool is_int[FLAT_MAX + 2];
    uint64_t first = 1, skip = 0;
    if (depth > GQL_DEPTH_MAX) return sr_fail(x->err, SR_E_USAGE, "nested too deep");
    SR_TRY(check_args(x, e, s, one));
    SR_TRY(flatten(x, e, s->first, slice_of(NULL, 0), &fl, 0));
    cleanup_buf struct buf sql;
    buf_init(&sql, GQL_SQL_MAX);
    buf_printf(&sql, "SELECT t%u.id", alias);
    is_int[0] = e->id == G_NUMID;
    for (size_t i = 0; i < fl.n; i++) {
        const struct gentity_field *f = NULL;
        buf_str(&sql, ", ");
        is_int[i + 1] = false;
        if (slice_is(fl.s[i]->name, "__typename")) {
            buf_str(&sql, "NULL");
            continue;
        }
        SR_TRY(check_field(x, e, fl.s[i], &f));
        if (f->type == G_LIST) {
            buf_str(&sql, "NULL");
            continue;
        }
        put_expr(&sql, f->col, alias);
        is_int[i + 1] = is_number(f->type) ||
                        (f->type == G_REF && entity_named(x->schema, f->target)->id == G_NUMID);
    }
    is_int[fl.n + 1] = false;
    if (e->interface)
        buf_printf(&sql, ", t%u.kind", alias);
    else
        buf_str(&sql, ", NULL");
    buf_printf(&sql, " FROM %s AS t%u WHERE %s", e->table, alias, base);
    if (!one) {
        const struct gval *where = arg(x, s, "where");
        SR_TRY(number_arg(x, s, "first", GQL_FIRST, GQL_FIRST_MAX, &first));
        SR_TRY(number_arg(x, s, "skip", 0, GQL_SKIP_MAX, &skip));
        if (where) SR_TRY(put_where(x, &sql, e, where, alias, 0));
        SR_TRY(put_order(x, &sql, e, s, alias));
    }
    buf_printf(&sql, " LIMIT %llu OFFSET %llu", (unsigned long long)first,
               (unsigned long long)skip);
    SR_TRY(buf_status(&sql, x->err));
    cleanup_rowset struct rowset rows = {0};
    SR_TRY(load(x, buf_cstr(&sql), fl.n + 2, is_int, &rows));
    if (one && rows.n == 0) {
        jw_null(&x->w);
        return SR_OK;
    }
    if (!one) jw_arr(&x->w);
    for (size_t i = 0; i < rows.n; i++)
        SR_TRY(write_row(x, e, &fl, rows.cells + i * rows.cols, depth));
    if (!one) jw_end_arr(&x->w);
    return SR_OK;
}

static sr_status write_root(struct gx *x, const struct gsel *s) {
    unsigned alias = ++x->alias;
    for (size_t i = 0; i < x->schema->n; i++) {
        const struct gentity *e = &x->schema->e[i];
        bool one = e->singular && slice_is(s->name, e->singular);
        if (!one && !(e->plural && slice_is(s->name, e->plural))) continue;
        if (!s->first)
            return gx_fail(x, "Field must have a selection of subfields:", s->name, "Query");
        if (!one) return write_list(x, e, s, "1 = 1", false, alias, 0);
        const struct gval *id = arg(x, s, "id");
        cleanup_buf struct buf base;
        buf_init(&base, 8192);
        put_id(&base, alias);
        buf_str(&base, " = ");
        if (!id || !put_literal(x, &base, e->id, id)) {
            if (!id)
                return gx_fail(x, "No value provided for required argument `id` of", s->name, NULL);
            jw_null(&x->w); /* an id of another shape is nobody's */
            return SR_OK;
        }
        SR_TRY(buf_status(&base, x->err));
        return write_list(x, e, s, buf_cstr(&base), true, alias, 0);
    }
    return gx_fail(x, "Type `Query` has no field", s->name, NULL);
}

static sr_status run(struct gx *x, const struct gdef *op) {
    static const struct gentity query = {.name = "Query"};
    struct flat fl = {.n = 0};
    SR_TRY(flatten(x, &query, op->first, slice_of(NULL, 0), &fl, 0));
    jw_obj(&x->w);
    jw_key(&x->w, "data");
    jw_obj(&x->w);
    for (size_t i = 0; i < fl.n; i++) {
        jw_key_slice(&x->w, fl.s[i]->alias);
        if (slice_is(fl.s[i]->name, "__typename"))
            jw_cstr(&x->w, "Query");
        else
            SR_TRY(write_root(x, fl.s[i]));
    }
    jw_end_obj(&x->w);
    jw_end_obj(&x->w);
    return SR_OK;
}

static sr_status answer(struct market *m, const struct gschema *s, const struct json_val *body,
                        struct garena *a, struct buf *b, struct sr_err *err) {
    struct slice text, name = {0};
    struct gdef *defs, *op = NULL;
    if (!json_str(json_get(body, "query"), &text))
        return sr_fail(err, SR_E_MALFORMED, "query is missing");
    (void)json_str(json_get(body, "operationName"), &name);
    SR_TRY(gql_parse(a, text, &defs, err));
    for (struct gdef *d = defs; d; d = d->next) {
        if (d->fragment || (name.n && !slice_eq(d->name, name))) continue;
        if (op)
            return sr_fail(err, SR_E_USAGE, "operationName is needed: there are several queries");
        op = d;
    }
    if (!op) return sr_fail(err, SR_E_USAGE, "there is no such query in the document");
    struct gval *vars = NULL;
    const struct json_val *jv = json_get(body, "variables");
    if (json_is(jv, JSON_OBJECT)) SR_TRY(gql_value_of(a, jv, 0, &vars, err));
    struct gx x = {.m = m,
                   .schema = s,
                   .a = a,
                   .defs = defs,
                   .vars = vars ? vars->first : NULL,
                   .defaults = op->vars,
                   .w = jw_of(b),
                   .err = err};
    SR_TRY(run(&x, op));
    return buf_status(b, err);
}

sr_status gql_answer(struct market *m, const struct gschema *s, const struct json_val *body,
                     struct buf *b, struct sr_err *err) {
    struct garena a = {0};
    struct sr_err e = {0};
    sr_status st = answer(m, s, body, &a, b, &e);
    garena_done(&a);
    if (st == SR_OK) return SR_OK;
    if (st != SR_E_MALFORMED && st != SR_E_USAGE && st != SR_E_TOOBIG) {
        if (err) *err = e;
        return st;
    }
    buf_clear(b);
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_key(&w, "errors");
    jw_arr(&w);
    jw_obj(&w);
    jw_kcstr(&w, "message", e.what);
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_end_obj(&w);
    return buf_status(b, err);
}

sr_status route_graphql(struct http_req *rq, void *role, struct sr_err *err) {
    struct market *m = role;
    struct slice body, path = http_path(rq);
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf b;
    buf_init(&b, GQL_ANSWER_MAX);
    SR_TRY(http_body(rq, &body, err));
    SR_TRY(json_parse(body, &doc, err));
    bool poco = slice_starts(path, "/subgraphs/poco");
    SR_TRY(gql_answer(m, poco ? &gql_poco : &gql_dataprotector, json_root(doc), &b, err));
    return http_reply(rq, 200, "application/json; charset=utf-8", buf_slice(&b), err);
}
