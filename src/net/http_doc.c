/* SPDX-License-Identifier: Apache-2.0 */
/* http_doc.c - /openapi.json from the table of routes and what is said about them */
#include "net/http_doc.h"
#include "net/http_common.h"

#define TEXT_MAX (1u << 20)

void http_server_describe(struct http_server *s, const struct http_docs *d) {
    s->docs = d;
}

static bool is_about(const struct http_doc *d, const struct http_route *r) {
    size_t n = strlen(r->method);
    return strncmp(d->route, r->method, n) == 0 && d->route[n] == ' ' &&
           strcmp(d->route + n + 1, r->pattern) == 0;
}

static const struct http_doc *doc_of(const struct http_docs *d, const struct http_route *r) {
    for (size_t i = 0; d && i < d->n; i++)
        if (is_about(&d->docs[i], r)) return &d->docs[i];
    return NULL;
}

const char *http_docs_gap(const struct http_opts *o, const struct http_docs *d) {
    for (size_t i = 0; i < o->n_routes; i++)
        if (!doc_of(d, &o->routes[i])) return o->routes[i].pattern;
    for (size_t i = 0; i < d->n; i++) {
        bool found = false;
        for (size_t k = 0; k < o->n_routes && !found; k++)
            found = is_about(&d->docs[i], &o->routes[k]);
        if (!found) return d->docs[i].route;
    }
    return NULL;
}

/* The next word of a list; false at its end. */
static bool next_word(struct slice *rest, struct slice *ret) {
    const struct slice all = slice_trim(*rest);
    if (all.n == 0) return false;
    (void)slice_cut(all, ' ', ret, rest);
    return true;
}

static void parameter(struct jw *w, struct slice name, const char *in, bool required,
                      const char *type) {
    jw_obj(w);
    jw_kstr(w, "name", name);
    jw_kcstr(w, "in", in);
    jw_kbool(w, "required", required);
    jw_key(w, "schema");
    jw_obj(w);
    jw_kcstr(w, "type", type);
    jw_end_obj(w);
    jw_end_obj(w);
}

/* "name:int!" */
static void said_parameter(struct jw *w, struct slice word) {
    const char *in = "query", *type = "string";
    bool required = word.n && word.p[word.n - 1] == '!';
    if (required) word.n--;
    if (word.n && word.p[0] == '@') {
        word = slice_of(word.p + 1, word.n - 1);
        in = "header";
    }
    struct slice name = word, kind;
    if (slice_cut(word, ':', &name, &kind))
        type = slice_is(kind, "int") ? "integer" : slice_is(kind, "bool") ? "boolean" : "string";
    parameter(w, name, in, required, type);
}

static void parameters(struct jw *w, const char *pattern, const struct http_doc *d) {
    jw_key(w, "parameters");
    jw_arr(w);
    for (const char *p = strchr(pattern, '{'); p; p = strchr(p + 1, '{'))
        parameter(w, slice_of(p + 1, strcspn(p + 1, "}")), "path", true, "string");
    if (strchr(pattern, '*')) parameter(w, SLICE_LIT("rest"), "path", true, "string");
    struct slice rest = slice_str(d ? d->params : NULL), word;
    while (next_word(&rest, &word)) said_parameter(w, word);
    jw_end_arr(w);
}

/* {"content": {type: {"schema": {"$ref": ...}}}} without its braces */
static void content(struct jw *w, struct slice type, struct slice schema) {
    cleanup_buf struct buf ref = {0};
    jw_key(w, "content");
    jw_obj(w);
    jw_key_slice(w, type);
    jw_obj(w);
    if (schema.n) {
        buf_init(&ref, 256);
        buf_str(&ref, "#/components/schemas/");
        buf_add(&ref, schema);
        jw_key(w, "schema");
        jw_obj(w);
        jw_kstr(w, "$ref", buf_slice(&ref));
        jw_end_obj(w);
    }
    jw_end_obj(w);
    jw_end_obj(w);
}

static void request_body(struct jw *w, const struct http_route *r, const struct http_doc *d) {
    if (!r->max_body && !(d && d->body)) return;
    struct slice rest = slice_str(d && d->body ? d->body : "*/*"), type = {0}, schema = {0};
    (void)next_word(&rest, &type);
    (void)next_word(&rest, &schema);
    jw_key(w, "requestBody");
    jw_obj(w);
    jw_kbool(w, "required", true);
    content(w, type, schema);
    if (r->max_body) jw_ku64(w, "x-max-bytes", r->max_body);
    jw_end_obj(w);
}

static void response(struct jw *w, struct slice status, const char *about, struct slice type,
                     struct slice schema) {
    jw_key_slice(w, status);
    jw_obj(w);
    jw_kcstr(w, "description", about);
    if (type.n) content(w, type, schema);
    jw_end_obj(w);
}

static void responses(struct jw *w, const struct http_doc *d) {
    const struct slice json = SLICE_LIT("application/json"), error = SLICE_LIT("Error");
    struct slice rest = slice_str(d ? d->answer : NULL), status, type = {0}, schema = {0};
    jw_key(w, "responses");
    jw_obj(w);
    if (next_word(&rest, &status)) {
        if (next_word(&rest, &type)) (void)next_word(&rest, &schema);
        response(w, status, "done", type, schema);
    }
    rest = slice_str(d ? d->errors : NULL);
    while (next_word(&rest, &status)) response(w, status, "refused or failed", json, error);
    if (d)
        response(w, SLICE_LIT("default"), "any other failure", json, error);
    else
        response(w, SLICE_LIT("default"), "not described", slice_of(NULL, 0), slice_of(NULL, 0));
    jw_end_obj(w);
}

static void operation(struct jw *w, const struct http_route *r, const struct http_docs *docs) {
    const struct http_doc *d = doc_of(docs, r);
    char method[16] = {0};
    for (size_t i = 0; r->method[i] && i + 1 < sizeof method; i++)
        method[i] = (char)(r->method[i] + ('a' - 'A'));
    jw_key(w, method);
    jw_obj(w);
    if (d) jw_kcstr(w, "summary", d->summary);
    parameters(w, r->pattern, d);
    request_body(w, r, d);
    responses(w, d);
    jw_end_obj(w);
}

static void paths(struct jw *w, const struct http_opts *o, const struct http_docs *d) {
    for (size_t i = 0; i < o->n_routes; i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(o->routes[k].pattern, o->routes[i].pattern) == 0;
        if (seen) continue; /* with the first one of its path */
        cleanup_buf struct buf path = {0};
        buf_init(&path, 512);
        const char *star = strchr(o->routes[i].pattern, '*');
        buf_add(&path, star ? slice_of(o->routes[i].pattern, (size_t)(star - o->routes[i].pattern))
                            : slice_str(o->routes[i].pattern));
        if (star) buf_str(&path, "{rest}");
        jw_key_slice(w, buf_slice(&path));
        jw_obj(w);
        for (size_t k = i; k < o->n_routes; k++)
            if (strcmp(o->routes[k].pattern, o->routes[i].pattern) == 0)
                operation(w, &o->routes[k], d);
        jw_end_obj(w);
    }
}

sr_status http_answer_openapi_(struct http_req *rq, struct sr_err *err) {
    const struct http_server *s = rq->conn->server;
    cleanup_buf struct buf b = {0};
    buf_init(&b, TEXT_MAX);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kcstr(&w, "openapi", "3.1.0");
    jw_key(&w, "info");
    jw_obj(&w);
    jw_kcstr(&w, "title", s->opts.name ? s->opts.name : "service");
    jw_kcstr(&w, "version", STRONGROOM_VERSION);
    jw_end_obj(&w);
    jw_key(&w, "paths");
    jw_obj(&w);
    paths(&w, &s->opts, s->docs);
    jw_end_obj(&w);
    if (s->docs) {
        jw_key(&w, "components");
        jw_obj(&w);
        jw_key(&w, "schemas");
        jw_raw(&w, slice_str(s->docs->schemas));
        jw_end_obj(&w);
    }
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}
