/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gql_rows.c - loads a query's tree, level by level: one statement a field, whatever the number of
 * rows above; those of all fields of a depth go to a server together
 *
 * The rows of a field of all parents are asked for together, "link IN (...)", and handed to their
 * parents by the link's value. A list's `first` and `skip` count for each parent: with one parent
 * the database counts (LIMIT); with more, and few rows in all, we do; else a server makes a list
 * for each parent (LATERAL). A file, where a statement is a call and no journey, is asked for one
 * parent at a time then, which is two to three times faster than numbering rows (ROW_NUMBER); and
 * ids in portions of GQL_KEYS are as fast as all at once. A list's rows come in its own order, so
 * each parent's do.
 */
#include "market/gql_int.h"
#include <stdlib.h>

/* ---- selections */

sr_status gql_flatten(struct gx *x, const struct gentity *e, const struct gsel *set,
                      struct slice only, struct gflat *ret, unsigned depth) {
    if (depth > GQL_DEPTH_MAX) return sr_fail(x->err, SR_E_USAGE, "fragments nested too deep");
    for (const struct gsel *s = set; s; s = s->next) {
        if (s->kind == GS_INLINE) {
            bool all = s->name.n == 0 || slice_is(s->name, e->name);
            if (all || e->interface)
                SR_TRY(gql_flatten(x, e, s->first, all ? only : s->name, ret, depth + 1));
            continue;
        }
        if (s->kind == GS_SPREAD) {
            const struct gdef *d = x->defs;
            while (d && !(d->fragment && slice_eq(d->name, s->name))) d = d->next;
            if (!d) return gx_fail(x, "Unknown fragment", s->name, NULL);
            bool all = slice_is(d->on, e->name);
            if (all || e->interface)
                SR_TRY(gql_flatten(x, e, d->first, all ? only : d->on, ret, depth + 1));
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
        if (ret->n == GQL_FIELDS_MAX) return sr_fail(x->err, SR_E_TOOBIG, "more than 64 fields");
        ret->only[ret->n] = only;
        ret->s[ret->n++] = s;
    }
    return SR_OK;
}

static sr_status check_field(struct gx *x, const struct gentity *e, const struct gsel *s,
                             const struct gentity_field **ret) {
    const struct gentity_field *f = gx_field(e, s->name);
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

static sr_status number_arg(struct gx *x, const struct gsel *s, const char *name, uint64_t fallback,
                            uint64_t max, uint64_t *ret) {
    const struct gval *v = gx_arg(x, s, name);
    *ret = fallback;
    if (v && (v->kind != GV_INT || !num_u64(v->text, max, ret)))
        return sr_fail(x->err, SR_E_USAGE,
                       "The value of the argument `%s` must be between 0 and %llu", name,
                       (unsigned long long)max);
    return SR_OK;
}

static bool is_number(g_type t) {
    return t == G_NUMID || t == G_BIGINT || t == G_INT || t == G_BOOL || t == G_RLC ||
           t == G_STATUS;
}

/* "owner { id }": whether there is one can be asked along with its id, where a plain table says so.
 */
static bool is_id_only(const struct gentity *te, const struct gsel *set) {
    if (te->table[0] == '(') return false;
    for (const struct gsel *s = set; s; s = s->next) {
        if (s->kind != GS_FIELD || s->args || s->first ||
            !(slice_is(s->name, "id") || slice_is(s->name, "__typename")))
            return false;
        for (const struct gsel *o = set; o != s; o = o->next)
            if (slice_eq(o->alias, s->alias)) return false;
    }
    return true;
}

/* Which cell holds which field. */
static sr_status lay_out(struct gx *x, struct glevel *l) {
    l->is_int[GL_ID] = l->e->id == G_NUMID;
    l->cols = GL_FIRST_FIELD;
    for (size_t i = 0; i < l->flat.n; i++) {
        if (slice_is(l->flat.s[i]->name, "__typename")) continue;
        const struct gentity_field *f = NULL;
        SR_TRY(check_field(x, l->e, l->flat.s[i], &f));
        SR_ASSERT(f);
        l->f[i] = f;
        l->col[i] = GL_ID;
        if (f->type == G_LIST || (f->type != G_REF && strcmp(f->col, "t.id") == 0)) continue;
        const struct gentity *te = f->type == G_REF ? gx_entity(x, f->target) : NULL;
        l->id_only[i] = te && is_id_only(te, l->flat.s[i]->first);
        l->is_int[l->cols] = is_number(te ? te->id : f->type);
        l->col[i] = l->cols++;
    }
    return SR_OK;
}

/* ---- keys */

static int cell_cmp(const struct gcell *a, const struct gcell *b) {
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->kind == GC_INT) return a->i < b->i ? -1 : a->i > b->i;
    int d = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
    return d ? d : a->n < b->n ? -1 : a->n > b->n;
}

static int key_cmp(const void *a, const void *b) {
    return cell_cmp(*(const struct gcell *const *)a, *(const struct gcell *const *)b);
}

static uint32_t group_of(const struct gask *ask, const struct gcell *c) {
    const struct gcell *const *at =
        c->kind == GC_NULL ? NULL : bsearch(&c, ask->keys, ask->n, sizeof *ask->keys, key_cmp);
    return at ? (uint32_t)(at - ask->keys) : GROUP_NONE;
}

/* ---- rows */

static bool grow(struct glevel *l) {
    if (l->n < l->cap) return true;
    size_t cap = l->cap ? l->cap * 2 : 16;
    struct gcell *cells = realloc(l->cells, cap * l->cols * sizeof *cells);
    if (cells) l->cells = cells;
    uint32_t *group = realloc(l->group, cap * sizeof *group);
    if (group) l->group = group;
    if (cells && group) l->cap = cap;
    return cells && group;
}

static struct gcell read_cell(struct db_rows *q, size_t col, bool is_int, struct slice *bytes) {
    unsigned c = (unsigned)col;
    struct gcell cell = {.kind = GC_NULL};
    if (db_col_is_null(q, c)) return cell;
    *bytes = db_col_bytes(q, c);
    if (is_int && bytes->n == 0) {
        cell.kind = GC_INT;
        cell.i = db_col_i64(q, c);
        return cell;
    }
    cell.kind = GC_BYTES;
    cell.n = (uint32_t)bytes->n;
    return cell;
}

static sr_status add_row(struct gx *x, struct glevel *l, struct db_rows *q, uint32_t group) {
    if (++x->loaded > GQL_ROWS_MAX)
        return sr_fail(x->err, SR_E_TOOBIG, "The answer has more than %u rows", GQL_ROWS_MAX);
    if (!grow(l)) return sr_fail(x->err, SR_E_NOMEM, "graphql");
    struct gcell *row = l->cells + l->n * l->cols;
    struct slice kind = l->e->interface ? db_col_bytes(q, GL_KIND) : slice_of(NULL, 0);
    size_t before = l->mem.n, field = 0;
    for (size_t c = 0; c < l->cols; c++) {
        struct slice bytes = {0};
        if (c >= GL_FIRST_FIELD) { /* what rows of another kind are asked for is not kept */
            while (l->col[field] != c) field++;
            const struct slice *only = &l->flat.only[field];
            if (only->n && !slice_eq(*only, kind)) {
                row[c] = (struct gcell){.kind = GC_NULL};
                continue;
            }
        }
        row[c] = read_cell(q, c, l->is_int[c], &bytes);
        if (row[c].kind != GC_BYTES) continue;
        row[c].at = l->mem.n;
        buf_add(&l->mem, bytes);
    }
    x->held += l->mem.n - before;
    l->group[l->n++] = group;
    if (x->held > GQL_ANSWER_MAX + GQL_IDS_MAX) l->mem.bad = SR_E_TOOBIG;
    return buf_status(&l->mem, x->err);
}

static sr_status take_row(struct glevel *l, struct db_rows *q) {
    const struct gpart *p = &l->part;
    const struct gask *ask = &l->ask;
    if (p->to - p->from < 2) return add_row(l->x, l, q, (uint32_t)p->from);
    /* the parent's id is ours where a reference led here, else the last column */
    const bool ref = ask->f->type == G_REF, count = !ref && !p->each;
    if (count && ++l->seen > gpart_plain(p)) {
        l->more = true;
        return SR_OK;
    }
    struct slice bytes = {0};
    struct gcell c = read_cell(q, ref ? GL_ID : l->cols, ask->key == G_NUMID, &bytes);
    if (c.kind == GC_BYTES) c.p = bytes.p;
    uint32_t group = group_of(ask, &c);
    if (group == GROUP_NONE || group < p->from || group >= p->to) return SR_OK;
    uint64_t most = ref ? 1 : count ? p->first : UINT64_MAX;
    return l->had[group - p->from]++ < most ? add_row(l->x, l, q, group) : SR_OK;
}

static void on_row(void *arg, struct db_rows *q) {
    struct glevel *l = arg;
    if (l->st == SR_OK && !l->more) l->st = take_row(l, q);
}

/* The next part of a level's keys, as a statement. */
static sr_status next_part(struct glevel *l, struct db_val *args, struct db_stmt *ret) {
    struct gpart *p = &l->part;
    const size_t all = l->ask.f ? l->ask.n : 1;
    const bool server = db_is_shared(l->x->m->read) && l->ask.key != G_TEXT;
    const size_t most = server ? GQL_KEYS_MAX : l->cut ? 1 : GQL_KEYS;
    p->to = all - p->from > most ? p->from + most : all;
    p->each = l->cut && p->to - p->from > 1;
    SR_TRY(gsql_level(&l->q, l, &l->ask, p));
    free(l->had);
    l->had = sr_calloc_n(p->to - p->from, sizeof *l->had);
    if (!l->had) return sr_fail(l->x->err, SR_E_NOMEM, "graphql");
    l->more = false;
    l->seen = 0;
    l->n0 = l->n;
    l->held0 = l->mem.n;
    *ret = (struct db_stmt){.row = on_row, .arg = l};
    return gsql_stmt(&l->q, args, ret);
}

/* Its rows have come; those of a part that had too many are given back, it is asked again. */
static sr_status part_over(struct glevel *l) {
    if (l->st != SR_OK) return l->st;
    if (!l->more) {
        l->part.from = l->part.to;
        return SR_OK;
    }
    l->cut = true;
    l->x->loaded -= l->n - l->n0;
    l->x->held -= l->mem.n - l->held0;
    l->n = l->n0;
    l->mem.n = l->held0;
    return SR_OK;
}

/* Rows by group, each group's in the order in which they came. */
static sr_status hand_out(struct gx *x, struct glevel *l) {
    const size_t groups = l->ask.f ? l->ask.n : 1;
    for (size_t i = 0; i < l->n * l->cols; i++)
        if (l->cells[i].kind == GC_BYTES) l->cells[i].p = l->mem.p + l->cells[i].at;
    l->groups = groups;
    l->first = sr_calloc_n(groups + 2, sizeof *l->first);
    l->order = sr_calloc_n(l->n + 1, sizeof *l->order);
    if (!l->first || !l->order) return sr_fail(x->err, SR_E_NOMEM, "graphql");
    uint32_t *next = l->first + 1; /* one further while they are counted and filled */
    for (size_t i = 0; i < l->n; i++) next[l->group[i] + 1]++;
    for (size_t g = 1; g <= groups; g++) next[g] += next[g - 1];
    for (size_t i = 0; i < l->n; i++) l->order[next[l->group[i]]++] = (uint32_t)i;
    return SR_OK;
}

/* ---- what hangs on them */

/* The level for a field; ret: where it goes in the list of those to load. NULL stays there where
 * nobody has any. */
static sr_status make_kid(struct gx *x, struct glevel *l, size_t field, struct glevel **ret) {
    const struct gentity_field *f = l->f[field];
    const struct slice *only = &l->flat.only[field];
    const struct gentity *te = gx_entity(x, f->target);
    const struct gcell **keys = sr_calloc_n(l->n + 1, sizeof(struct gcell *));
    struct gkid *kid = sr_calloc_n(1, sizeof *kid);
    size_t n = 0, different = 0;
    if (kid) kid->of = sr_calloc_n(l->n + 1, sizeof *kid->of);
    l->kids[field] = kid;
    if (!keys || !kid || !kid->of) {
        free(keys);
        return sr_fail(x->err, SR_E_NOMEM, "graphql");
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct gcell *row = glevel_row(l, i);
        if (only->n && !slice_eq(*only, slice_of(row[GL_KIND].p, row[GL_KIND].n))) continue;
        if (row[l->col[field]].kind != GC_NULL) keys[n++] = &row[l->col[field]];
    }
    qsort(keys, n, sizeof *keys, key_cmp);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || cell_cmp(keys[different - 1], keys[i]) != 0) keys[different++] = keys[i];
    const struct gask ask = {.e = te,
                             .s = l->flat.s[field],
                             .f = f,
                             .key = f->type == G_REF ? te->id : l->e->id,
                             .keys = keys,
                             .n = different};
    for (size_t i = 0; i < l->n; i++) kid->of[i] = group_of(&ask, &glevel_row(l, i)[l->col[field]]);
    if (different == 0) {
        free(keys);
        return SR_OK;
    }
    SR_TRY(glevel_new(x, &ask, l->depth + 1, &kid->level));
    *ret = kid->level;
    return SR_OK;
}

/* The levels under one that is complete, appended to a list. */
static sr_status make_kids(struct gx *x, struct glevel *l, struct glevel ***end) {
    SR_TRY(hand_out(x, l));
    for (size_t i = 0; i < l->flat.n; i++) {
        if (!l->f[i] || (l->f[i]->type != G_REF && l->f[i]->type != G_LIST) || l->id_only[i])
            continue;
        SR_TRY(make_kid(x, l, i, *end));
        if (**end) *end = &(**end)->next;
    }
    return SR_OK;
}

static sr_status check_all(struct gx *x, struct glevel *l) {
    const struct gask *ask = &l->ask;
    bool one = ask->id || (ask->f && ask->f->type == G_REF);
    l->part.first = 1;
    if (l->depth > GQL_DEPTH_MAX) return sr_fail(x->err, SR_E_USAGE, "nested too deep");
    SR_TRY(check_args(x, l->e, ask->s, one));
    SR_TRY(gql_flatten(x, l->e, ask->s->first, slice_of(NULL, 0), &l->flat, 0));
    SR_TRY(lay_out(x, l));
    if (one) return SR_OK;
    SR_TRY(number_arg(x, ask->s, "first", GQL_FIRST, GQL_FIRST_MAX, &l->part.first));
    SR_TRY(number_arg(x, ask->s, "skip", 0, GQL_SKIP_MAX, &l->part.skip));
    /* would the limits cut anything? */
    l->cut = l->part.skip || l->part.first < GQL_FIRST;
    return SR_OK;
}

sr_status glevel_new(struct gx *x, const struct gask *ask, unsigned depth, struct glevel **ret) {
    struct glevel *l = sr_calloc_n(1, sizeof *l);
    if (!l) {
        free(ask->keys);
        return sr_fail(x->err, SR_E_NOMEM, "graphql");
    }
    l->x = x;
    l->e = ask->e;
    l->ask = *ask;
    l->depth = depth;
    gsql_init(&l->q, x);
    buf_init(&l->mem, GQL_ANSWER_MAX + GQL_IDS_MAX);
    sr_status st = check_all(x, l);
    if (st != SR_OK) {
        glevel_free(l);
        return st;
    }
    *ret = l;
    return SR_OK;
}

/* One part of each of the first of these levels: a server answers them together. *ret_end: the
 * first that was not asked for. */
static sr_status load_parts(struct gx *x, struct glevel *levels, struct glevel **ret_end) {
    struct db_val args[GQL_TOGETHER][DB_PARAMS_MAX];
    struct db_stmt s[GQL_TOGETHER];
    size_t n = 0;
    struct glevel *end = levels;
    for (; end && n < GQL_TOGETHER; end = end->next, n++) SR_TRY(next_part(end, args[n], &s[n]));
    SR_TRY(db_run_all(x->m->read, s, n, x->err));
    for (struct glevel *l = levels; l != end; l = l->next) SR_TRY(part_over(l));
    *ret_end = end;
    return SR_OK;
}

sr_status glevels_load(struct gx *x, struct glevel *levels) {
    while (levels) {
        /* those of which a part is left are asked for it, those that are complete for their kids */
        struct glevel *again = NULL, **end = &again, *stop;
        SR_TRY(load_parts(x, levels, &stop));
        for (struct glevel *l = levels, *next; l != stop; l = next) {
            next = l->next;
            l->next = NULL;
            if (l->part.from < (l->ask.f ? l->ask.n : 1)) {
                *end = l;
                end = &l->next;
                continue;
            }
            gsql_done(&l->q);
            SR_TRY(make_kids(x, l, &end));
        }
        *end = stop;
        levels = again;
    }
    return SR_OK;
}

void glevel_free(struct glevel *l) {
    if (!l) return;
    for (size_t i = 0; i < l->flat.n; i++) {
        if (!l->kids[i]) continue;
        glevel_free(l->kids[i]->level); /* as deep as GQL_DEPTH_MAX */
        free(l->kids[i]->of);
        free(l->kids[i]);
    }
    buf_done(&l->mem);
    gsql_done(&l->q);
    free(l->ask.keys);
    free(l->had);
    free(l->cells);
    free(l->group);
    free(l->first);
    free(l->order);
    free(l);
}
