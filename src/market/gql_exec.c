/* SPDX-License-Identifier: Apache-2.0 */
/* gql_exec.c - answers a query tree: loads what a root field asks for, then writes it */
#include "market/gql_int.h"
#include <stdio.h>

sr_status gx_fail(struct gx *x, const char *fmt, struct slice a, const char *b) {
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

/* ---- schema and arguments */

const struct gentity *gx_entity(const struct gx *x, const char *name) {
    const struct gschema *s = x->schema;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->e[i].name, name) == 0) return &s->e[i];
    return NULL;
}

const struct gentity_field *gx_field(const struct gentity *e, struct slice name) {
    for (size_t i = 0; i < e->n; i++)
        if (slice_is(name, e->fields[i].name)) return &e->fields[i];
    return NULL;
}

const struct gval *gx_real(const struct gx *x, const struct gval *v) {
    if (!v || v->kind != GV_VAR) return v;
    for (const struct gval *g = x->vars; g; g = g->next)
        if (slice_eq(g->key, v->text)) return g;
    for (const struct gval *g = x->defaults; g; g = g->next)
        if (slice_eq(g->key, v->text)) return g->kind == GV_VAR ? NULL : g;
    return NULL;
}

const struct gval *gx_arg(const struct gx *x, const struct gsel *s, const char *name) {
    for (const struct gval *v = s->args; v; v = v->next)
        if (slice_is(v->key, name)) {
            const struct gval *r = gx_real(x, v);
            return r && r->kind == GV_NULL ? NULL : r;
        }
    return NULL;
}

/* ---- values */

static void put_rlc(struct jw *w, const struct gcell *c) {
    int64_t i = c->kind == GC_INT ? c->i : 0;
    struct u256 v = u256_of((uint64_t)(i > 0 ? i : 0));
    uint64_t frac = 0;
    if (c->kind == GC_BYTES) (void)!u256_from_dec(slice_of(c->p, c->n), &v);
    v = u256_div_u64(v, 1000000000u, &frac);
    char whole[U256_DEC_MAX], text[U256_DEC_MAX + 16];
    u256_to_dec(whole, v);
    int n = snprintf(text, sizeof text, frac ? "%s.%09llu" : "%s", whole, (unsigned long long)frac);
    while (frac && n > 0 && text[n - 1] == '0') text[--n] = 0;
    jw_cstr(w, text);
}

static void put_cell(struct jw *w, g_type t, const struct gcell *c) {
    char dec[32];
    if (c->kind == GC_NULL) {
        jw_null(w);
        return;
    }
    struct slice s = c->kind == GC_BYTES ? slice_of(c->p, c->n) : slice_of(NULL, 0);
    int64_t n = c->kind == GC_INT ? c->i : 0;
    switch (t) {
    case G_ID:
    case G_BYTES:
    case G_REF: jw_hex(w, s); break;
    case G_HEXTEXT:
        if (s.n)
            jw_hex(w, s);
        else
            jw_null(w);
        break;
    case G_NUMID:
    case G_BIGINT:
        (void)snprintf(dec, sizeof dec, "%lld", (long long)n);
        if (c->kind == GC_BYTES)
            jw_str(w, s);
        else
            jw_cstr(w, dec);
        break;
    case G_INT: jw_i64(w, n); break;
    case G_BOOL: jw_bool(w, n != 0); break;
    case G_RLC: put_rlc(w, c); break;
    case G_STATUS:
        jw_cstr(w, n == 4 ? "FAILLED" : n >= 0 && n < 4 ? poco_task_status_word[n] : "");
        break;
    default: jw_str(w, s); break;
    }
}

/* ---- rows */

static sr_status write_rows(struct gx *x, const struct glevel *l, uint32_t group, bool one);

static sr_status count_row(struct gx *x) {
    if (++x->rows > GQL_ROWS_MAX)
        return sr_fail(x->err, SR_E_TOOBIG, "The answer has more than %u rows", GQL_ROWS_MAX);
    return SR_OK;
}

static sr_status write_id_only(struct gx *x, const struct gentity *e, const struct gsel *set,
                               const struct gcell *id) {
    if (id->kind == GC_NULL) {
        jw_null(&x->w);
        return SR_OK;
    }
    SR_TRY(count_row(x));
    jw_obj(&x->w);
    for (const struct gsel *s = set; s; s = s->next) {
        jw_key_slice(&x->w, s->alias);
        if (slice_is(s->name, "id"))
            put_cell(&x->w, e->id, id);
        else
            jw_cstr(&x->w, e->name);
    }
    jw_end_obj(&x->w);
    return SR_OK;
}

static sr_status write_row(struct gx *x, const struct glevel *l, size_t row) {
    const struct gcell *c = glevel_row(l, row);
    struct slice kind =
        l->e->interface ? slice_of(c[GL_KIND].p, c[GL_KIND].n) : slice_str(l->e->name);
    SR_TRY(count_row(x));
    jw_obj(&x->w);
    for (size_t i = 0; i < l->flat.n; i++) {
        const struct gentity_field *f = l->f[i];
        const struct gkid *kid = l->kids[i];
        if (l->flat.only[i].n && !slice_eq(l->flat.only[i], kind)) continue;
        jw_key_slice(&x->w, l->flat.s[i]->alias);
        if (!f)
            jw_str(&x->w, kind);
        else if (l->id_only[i])
            SR_TRY(write_id_only(x, gx_entity(x, f->target), l->flat.s[i]->first, &c[l->col[i]]));
        else if (!kid)
            put_cell(&x->w, f->type, &c[l->col[i]]);
        else
            SR_TRY(write_rows(x, kid->level, kid->of[row], f->type == G_REF));
    }
    jw_end_obj(&x->w);
    return buf_status(x->w.b, x->err);
}

/* A group's rows as an array; one: the first as an object, or null. */
static sr_status write_rows(struct gx *x, const struct glevel *l, uint32_t group, bool one) {
    bool any = l && group < l->groups;
    uint32_t from = any ? l->first[group] : 0, to = any ? l->first[group + 1] : 0;
    if (one && from == to) {
        jw_null(&x->w);
        return SR_OK;
    }
    if (one) return write_row(x, l, l->order[from]);
    jw_arr(&x->w);
    for (uint32_t i = from; i < to; i++) SR_TRY(write_row(x, l, l->order[i]));
    jw_end_arr(&x->w);
    return SR_OK;
}

/* An id of another shape is nobody's. */
static bool is_id(struct gx *x, const struct gentity *e, const struct gval *id) {
    cleanup_gsql struct gsql q;
    gsql_init(&q, x);
    return gsql_value(&q, e->id, id);
}

/* What a root field asks for; no level: it is null. */
struct root {
    bool one;
    struct glevel *level;
};

static sr_status read_root(struct gx *x, const struct gsel *s, struct root *ret) {
    for (size_t i = 0; i < x->schema->n; i++) {
        const struct gentity *e = &x->schema->e[i];
        bool one = e->singular && slice_is(s->name, e->singular);
        if (!one && !(e->plural && slice_is(s->name, e->plural))) continue;
        if (!s->first)
            return gx_fail(x, "Field must have a selection of subfields:", s->name, "Query");
        const struct gask ask = {.e = e, .s = s, .id = one ? gx_arg(x, s, "id") : NULL};
        if (one && !ask.id)
            return gx_fail(x, "No value provided for required argument `id` of", s->name, NULL);
        ret->one = one;
        if (one && !is_id(x, e, ask.id)) return SR_OK;
        return glevel_new(x, &ask, 0, &ret->level);
    }
    return gx_fail(x, "Type `Query` has no field", s->name, NULL);
}

static sr_status write_roots(struct gx *x, const struct gflat *fl, struct root *roots) {
    struct glevel *first = NULL, **end = &first;
    for (size_t i = 0; i < fl->n; i++) {
        if (slice_is(fl->s[i]->name, "__typename")) continue;
        SR_TRY(read_root(x, fl->s[i], &roots[i]));
        *end = roots[i].level;
        if (*end) end = &(*end)->next;
    }
    SR_TRY(glevels_load(x, first));
    jw_obj(&x->w);
    jw_key(&x->w, "data");
    jw_obj(&x->w);
    for (size_t i = 0; i < fl->n; i++) {
        jw_key_slice(&x->w, fl->s[i]->alias);
        if (slice_is(fl->s[i]->name, "__typename"))
            jw_cstr(&x->w, "Query");
        else
            SR_TRY(write_rows(x, roots[i].level, 0, roots[i].one));
    }
    jw_end_obj(&x->w);
    jw_end_obj(&x->w);
    return SR_OK;
}

static sr_status write_data(struct gx *x, const struct gdef *op) {
    static const struct gentity query = {.name = "Query"};
    struct gflat fl = {.n = 0};
    struct root roots[GQL_FIELDS_MAX] = {{0}};
    SR_TRY(gql_flatten(x, &query, op->first, slice_of(NULL, 0), &fl, 0));
    sr_status st = write_roots(x, &fl, roots);
    for (size_t i = 0; i < fl.n; i++) glevel_free(roots[i].level);
    return st;
}

/* ---- documents */

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
    SR_TRY(write_data(&x, op));
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
