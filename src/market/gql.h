/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gql.h - the GraphQL subset that the official clients speak: queries over the index
 *
 * gql_parse.c turns a document into a tree, gql_exec.c answers it (gql_rows.c, gql_where.c) from
 * tables that gql_schema.c describes. Refused loudly: mutations, subscriptions, introspection,
 * directives, unknown fields. SPEC: services.md#61-server-features-needed,
 * dataprotector.md#63-queries-to-answer
 */
#pragma once
#include "market/market_int.h"

#define GQL_TEXT_MAX (64u * 1024) /* bytes of a query */
#define GQL_BODY_MAX                                                                               \
    (1u << 20) /* with its variables: Web3Mail's client names all contacts at once */
#define GQL_SQL_MAX    1000000u /* bytes that a query becomes: what SQLite takes */
#define GQL_DEPTH_MAX  12
#define GQL_NODES_MAX  20000u
#define GQL_FIRST      100u
#define GQL_FIRST_MAX  1000u
#define GQL_SKIP_MAX   5000u
#define GQL_ROWS_MAX   20000u /* of one answer, all lists together */
#define GQL_ANSWER_MAX (16u << 20)

/* ---- the tree; in one arena */

typedef enum {
    GV_NULL,
    GV_BOOL,
    GV_INT,
    GV_FLOAT,
    GV_STR,
    GV_ENUM,
    GV_LIST,
    GV_OBJ,
    GV_VAR
} gv_kind;
struct gval {
    gv_kind kind;
    bool b;
    struct slice text; /* number, string content, enum or variable name */
    struct slice key;  /* in an object */
    struct gval *first, *next;
};
struct gsel { /* one of a selection set */
    enum { GS_FIELD, GS_INLINE, GS_SPREAD } kind;
    struct slice alias, name; /* INLINE: the type, or empty; SPREAD: the fragment */
    struct gval *args;        /* members of an object */
    struct gsel *first;       /* its own selection set */
    struct gsel *next;
};
struct gdef { /* an operation or a fragment */
    bool fragment;
    struct slice name, on;
    struct gval *vars; /* defaults, by name; GV_NULL without one */
    struct gsel *first;
    struct gdef *next;
};
struct garena {
    void *chunks;
    size_t nodes;
};
void garena_done(struct garena *a);
void *garena_get(struct garena *a, size_t n); /* zeroed; NULL: out of memory or over the limit */

SR_CHECK sr_status gql_parse(struct garena *a, struct slice text, struct gdef **ret,
                             struct sr_err *err);
/* JSON (variables) as values. */
SR_CHECK sr_status gql_value_of(struct garena *a, const struct json_val *v, unsigned depth,
                                struct gval **ret, struct sr_err *err);

/* ---- the schema */

typedef enum {
    G_ID,    /* blob as 0x hex */
    G_BYTES, /* the same */
    G_NUMID, /* integer as a decimal string */
    G_TEXT,
    G_BIGINT,  /* integer as a string */
    G_BIGTEXT, /* the same, held as decimal text without leading zeros */
    G_INT,
    G_BOOL,
    G_RLC,     /* nRLC as a decimal number of RLC, a string */
    G_STATUS,  /* of a task */
    G_HEXTEXT, /* blob as a hex string; null when empty */
    G_REF,     /* column holds the target's id */
    G_LIST     /* rows of the target whose column `col` is our id */
} g_type;
struct gentity;
struct gentity_field {
    const char *name;
    g_type type;
    const char *col; /* expression over t, our row; G_LIST: the target's column, or a table of ids,
                        ours and theirs: "(SELECT a AS parent, b AS child FROM c)" */
    const char *target;
};
struct gentity {
    const char *name, *singular, *plural;
    const char *table;
    g_type id; /* G_ID, G_NUMID or G_TEXT */
    const char *default_order;
    const struct gentity_field *fields;
    size_t n;
    bool interface; /* the column `kind` is the type of a row */
};
struct gschema {
    const struct gentity *e;
    size_t n;
};
extern const struct gschema gql_poco, gql_dataprotector;

/* Answers {query, variables, operationName} into b: {"data":…} or {"errors":[{"message"}]}. */
SR_CHECK sr_status gql_answer(struct market *m, const struct gschema *s,
                              const struct json_val *body, struct buf *b, struct sr_err *err);
sr_status route_graphql(struct http_req *rq, void *role, struct sr_err *err);
