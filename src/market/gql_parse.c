/* SPDX-License-Identifier: Apache-2.0 */
#include "market/gql.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- arena */

struct chunk {
    struct chunk *next;
    size_t used;
    uint8_t mem[16384];
};

void garena_done(struct garena *a) {
    for (struct chunk *c = a->chunks; c;) {
        struct chunk *next = c->next;
        free(c);
        c = next;
    }
    *a = (struct garena){0};
}

void *garena_get(struct garena *a, size_t n) {
    n = (n + 15) & ~(size_t)15;
    struct chunk *c = a->chunks;
    if (n > sizeof c->mem || ++a->nodes > GQL_NODES_MAX) return NULL;
    if (!c || n > sizeof c->mem - c->used) {
        c = calloc(1, sizeof *c);
        if (!c) return NULL;
        c->next = a->chunks;
        a->chunks = c;
    }
    void *p = c->mem + c->used;
    c->used += n;
    return p;
}

/* ---- words */

struct lex {
    struct garena *a;
    const uint8_t *p, *end;
    struct sr_err *err;
    bool bad;
    /* the word under the cursor */
    enum { L_END, L_PUNCT, L_NAME, L_INT, L_FLOAT, L_STR } kind;
    char punct; /* '.' stands for ... */
    struct slice text;
};

static sr_status lex_bad(struct lex *l, const char *what) {
    if (!l->bad) {
        l->bad = true;
        (void)!sr_fail(l->err, SR_E_MALFORMED, "Syntax Error: %s", what);
    }
    return SR_E_MALFORMED;
}

static bool is_name(uint8_t c, bool first) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!first && c >= '0' && c <= '9');
}

static void skip_blank(struct lex *l) {
    for (; l->p < l->end; l->p++) {
        if (*l->p == '#')
            while (l->p < l->end && *l->p != '\n') l->p++;
        if (l->p == l->end) break;
        if (*l->p != ' ' && *l->p != '\t' && *l->p != '\n' && *l->p != '\r' && *l->p != ',') break;
    }
}

/* A string's content: the same bytes, or a copy without escapes. */
static void lex_string(struct lex *l) {
    const uint8_t *start = ++l->p;
    bool escapes = false;
    while (l->p < l->end && *l->p != '"' && *l->p != '\n') {
        if (*l->p == '\\') {
            escapes = true;
            l->p++;
            if (l->p == l->end) break;
        }
        l->p++;
    }
    if (l->p >= l->end || *l->p != '"') {
        (void)lex_bad(l, "unterminated string");
        return;
    }
    struct slice raw = slice_of(start, (size_t)(l->p++ - start));
    l->kind = L_STR;
    l->text = raw;
    if (!escapes) return;
    uint8_t *out = garena_get(l->a, raw.n);
    if (!out) {
        (void)lex_bad(l, "too long");
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] != '\\') {
            out[n++] = raw.p[i];
            continue;
        }
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *at = raw.p[++i] ? strchr(from, raw.p[i]) : NULL;
        if (!at) { /* \u: nothing that is asked for here has other than plain letters */
            (void)lex_bad(l, "unsupported escape in a string");
            return;
        }
        out[n++] = (uint8_t)to[at - from];
    }
    l->text = slice_of(out, n);
}

static void lex_next(struct lex *l) {
    skip_blank(l);
    if (l->bad || l->p == l->end) {
        l->kind = L_END;
        return;
    }
    const uint8_t *start = l->p;
    uint8_t c = *l->p;
    if (is_name(c, true)) {
        while (l->p < l->end && is_name(*l->p, false)) l->p++;
        l->kind = L_NAME;
        l->text = slice_of(start, (size_t)(l->p - start));
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        bool fl = false;
        for (l->p++; l->p < l->end; l->p++) {
            uint8_t d = *l->p;
            if (d == '.' || d == 'e' || d == 'E' || d == '+' || d == '-')
                fl = true;
            else if (d < '0' || d > '9')
                break;
        }
        l->kind = fl ? L_FLOAT : L_INT;
        l->text = slice_of(start, (size_t)(l->p - start));
    } else if (c == '"') {
        if (l->end - l->p >= 3 && l->p[1] == '"' && l->p[2] == '"')
            (void)lex_bad(l, "block strings are not supported");
        else
            lex_string(l);
    } else if (c == '.' && l->end - l->p >= 3 && l->p[1] == '.' && l->p[2] == '.') {
        l->p += 3;
        l->kind = L_PUNCT;
        l->punct = '.';
    } else if (c && strchr("{}()[]:!$=@|&", c)) {
        l->p++;
        l->kind = L_PUNCT;
        l->punct = (char)c;
    } else {
        (void)lex_bad(l, "unexpected character");
    }
}

static bool at(const struct lex *l, char punct) {
    return !l->bad && l->kind == L_PUNCT && l->punct == punct;
}

static bool take(struct lex *l, char punct) {
    if (!at(l, punct)) return false;
    lex_next(l);
    return true;
}

static bool need(struct lex *l, char punct) {
    if (take(l, punct)) return true;
    char what[32];
    (void)snprintf(what, sizeof what, "expected '%c'", punct == '.' ? '.' : punct);
    (void)lex_bad(l, what);
    return false;
}

static struct slice need_name(struct lex *l) {
    struct slice s = l->text;
    if (l->bad || l->kind != L_NAME) {
        (void)lex_bad(l, "expected a name");
        return slice_of(NULL, 0);
    }
    lex_next(l);
    return s;
}

/* ---- values */

static struct gval *parse_value(struct lex *l, unsigned depth);

static struct gval *new_val(struct lex *l, gv_kind kind, struct slice text) {
    struct gval *v = garena_get(l->a, sizeof *v);
    if (!v) {
        (void)lex_bad(l, "too long");
        return NULL;
    }
    v->kind = kind;
    v->text = text;
    return v;
}

static struct gval *parse_list(struct lex *l, unsigned depth) {
    struct gval *v = new_val(l, GV_LIST, slice_of(NULL, 0)), **end = v ? &v->first : NULL;
    while (v && !at(l, ']') && !l->bad) {
        struct gval *m = parse_value(l, depth + 1);
        if (!m) return NULL;
        *end = m;
        end = &m->next;
    }
    return v && need(l, ']') ? v : NULL;
}

static struct gval *parse_members(struct lex *l, char close, unsigned depth) {
    struct gval *v = new_val(l, GV_OBJ, slice_of(NULL, 0)), **end = v ? &v->first : NULL;
    while (v && !at(l, close) && !l->bad) {
        struct slice key = need_name(l);
        if (!need(l, ':')) return NULL;
        struct gval *m = parse_value(l, depth + 1);
        if (!m) return NULL;
        m->key = key;
        *end = m;
        end = &m->next;
    }
    return v && need(l, close) ? v : NULL;
}

static struct gval *parse_value(struct lex *l, unsigned depth) {
    struct slice t = l->text;
    if (depth > GQL_DEPTH_MAX) {
        (void)lex_bad(l, "nested too deep");
        return NULL;
    }
    if (take(l, '$')) return new_val(l, GV_VAR, need_name(l));
    if (take(l, '[')) return parse_list(l, depth);
    if (take(l, '{')) return parse_members(l, '}', depth);
    struct gval *v = NULL;
    if (l->kind == L_INT)
        v = new_val(l, GV_INT, t);
    else if (l->kind == L_FLOAT)
        v = new_val(l, GV_FLOAT, t);
    else if (l->kind == L_STR)
        v = new_val(l, GV_STR, t);
    else if (l->kind == L_NAME && slice_is(t, "null"))
        v = new_val(l, GV_NULL, t);
    else if (l->kind == L_NAME && (slice_is(t, "true") || slice_is(t, "false"))) {
        v = new_val(l, GV_BOOL, t);
        if (v) v->b = t.n == 4;
    } else if (l->kind == L_NAME)
        v = new_val(l, GV_ENUM, t);
    else
        (void)lex_bad(l, "expected a value");
    if (v) lex_next(l);
    return v;
}

/* ---- selections */

static struct gsel *parse_set(struct lex *l, unsigned depth);

static struct gsel *parse_sel(struct lex *l, unsigned depth) {
    struct gsel *s = garena_get(l->a, sizeof *s);
    if (!s) {
        (void)lex_bad(l, "too long");
        return NULL;
    }
    if (take(l, '.')) {
        bool on = l->kind == L_NAME && slice_is(l->text, "on");
        if (l->kind == L_NAME && !on) {
            s->kind = GS_SPREAD;
            s->name = need_name(l);
            return s;
        }
        s->kind = GS_INLINE;
        if (on) {
            lex_next(l);
            s->name = need_name(l);
        }
        s->first = parse_set(l, depth + 1);
        return l->bad ? NULL : s;
    }
    s->kind = GS_FIELD;
    s->name = s->alias = need_name(l);
    if (take(l, ':')) s->name = need_name(l);
    if (take(l, '(')) {
        struct gval *args = parse_members(l, ')', 0);
        s->args = args ? args->first : NULL;
    }
    if (at(l, '@')) (void)lex_bad(l, "directives are not supported");
    if (at(l, '{')) s->first = parse_set(l, depth + 1);
    return l->bad ? NULL : s;
}

static struct gsel *parse_set(struct lex *l, unsigned depth) {
    struct gsel *first = NULL, **end = &first;
    if (depth > GQL_DEPTH_MAX) {
        (void)lex_bad(l, "nested too deep");
        return NULL;
    }
    if (!need(l, '{')) return NULL;
    while (!at(l, '}') && !l->bad) {
        struct gsel *s = parse_sel(l, depth);
        if (!s) return NULL;
        *end = s;
        end = &s->next;
    }
    if (!first) (void)lex_bad(l, "an empty selection");
    return need(l, '}') ? first : NULL;
}

/* "($a: Int = 20, $b: [String!]!)": names and defaults; what a variable holds is checked where it
 * is used. */
static struct gval *parse_vars(struct lex *l) {
    struct gval *first = NULL, **end = &first;
    while (!at(l, ')') && !l->bad) {
        if (!need(l, '$')) return NULL;
        struct slice name = need_name(l);
        if (!need(l, ':')) return NULL;
        unsigned depth = 0;
        while (take(l, '[')) depth++;
        (void)need_name(l);
        (void)take(l, '!');
        while (depth && take(l, ']')) {
            depth--;
            (void)take(l, '!');
        }
        if (depth) (void)lex_bad(l, "expected ']'");
        struct gval *v = take(l, '=') ? parse_value(l, 0) : new_val(l, GV_NULL, slice_of(NULL, 0));
        if (!v) return NULL;
        v->key = name;
        *end = v;
        end = &v->next;
    }
    (void)need(l, ')');
    return first;
}

static struct gdef *parse_def(struct lex *l) {
    struct gdef *d = garena_get(l->a, sizeof *d);
    if (!d) {
        (void)lex_bad(l, "too long");
        return NULL;
    }
    if (!at(l, '{')) {
        struct slice word = need_name(l);
        if (slice_is(word, "fragment")) {
            d->fragment = true;
            d->name = need_name(l);
            struct slice on = need_name(l);
            if (!slice_is(on, "on")) (void)lex_bad(l, "expected \"on\"");
            d->on = need_name(l);
        } else if (slice_is(word, "query")) {
            if (l->kind == L_NAME) d->name = need_name(l);
            if (take(l, '(')) d->vars = parse_vars(l);
        } else {
            (void)lex_bad(l, "only queries are answered here");
        }
        if (at(l, '@')) (void)lex_bad(l, "directives are not supported");
    }
    if (!l->bad) d->first = parse_set(l, 0);
    return l->bad ? NULL : d;
}

sr_status gql_parse(struct garena *a, struct slice text, struct gdef **ret, struct sr_err *err) {
    struct lex l = {.a = a, .p = text.p, .end = text.p + text.n, .err = err};
    struct gdef *first = NULL, **end = &first;
    if (text.n > GQL_TEXT_MAX)
        return sr_fail(err, SR_E_TOOBIG, "a query of more than %u bytes", GQL_TEXT_MAX);
    lex_next(&l);
    while (!l.bad && l.kind != L_END) {
        struct gdef *d = parse_def(&l);
        if (!d) break;
        *end = d;
        end = &d->next;
    }
    if (!l.bad && !first) (void)lex_bad(&l, "an empty document");
    if (l.bad) return SR_E_MALFORMED;
    *ret = first;
    return SR_OK;
}

sr_status gql_value_of(struct garena *a, const struct json_val *v, unsigned depth,
                       struct gval **ret, struct sr_err *err) {
    struct gval *g = garena_get(a, sizeof *g);
    if (!g || depth > GQL_DEPTH_MAX)
        return sr_fail(err, SR_E_TOOBIG, "variables: too many or nested too deep");
    g->text = json_text(v);
    switch (json_kind(v)) {
    case JSON_NULL: g->kind = GV_NULL; break;
    case JSON_TRUE:
    case JSON_FALSE:
        g->kind = GV_BOOL;
        g->b = json_kind(v) == JSON_TRUE;
        break;
    case JSON_NUMBER: g->kind = GV_INT; break;
    case JSON_STRING: g->kind = GV_STR; break;
    case JSON_ARRAY:
    case JSON_OBJECT: {
        g->kind = json_is(v, JSON_ARRAY) ? GV_LIST : GV_OBJ;
        struct gval **end = &g->first;
        for (const struct json_val *m = json_first(v); m; m = json_next(m)) {
            SR_TRY(gql_value_of(a, m, depth + 1, end, err));
            (*end)->key = json_key(m);
            end = &(*end)->next;
        }
        break;
    }
    }
    *ret = g;
    return SR_OK;
}
