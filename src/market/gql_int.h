/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gql_int.h - what the parts of the GraphQL executor share
 *
 * gql_where.c and gql_select.c write statements, gql_rows.c loads the rows of a level of the
 * query's tree for all rows of the level above at once, gql_exec.c walks the tree and writes the
 * answer.
 *
 * Other fibers may run while a statement is asked: nothing here points into the market's state.
 */
#pragma once
#include "market/gql.h"

#define GQL_FIELDS_MAX 64         /* of one selection */
#define GQL_KEYS       24u        /* parents whose ids are a value each */
#define GQL_ARRAY      64u        /* ids in an array that is a value */
#define GQL_KEYS_MAX   5000u      /* parents in one statement */
#define GQL_TOGETHER   16u        /* statements that are asked at once */
#define GQL_PLAIN_MAX  2000u      /* rows of several parents that are counted here: gql_rows.c */
#define GQL_IDS_MAX    (4u << 20) /* bytes that are held but not written, at most */

struct gx {
    struct market *m;
    const struct gschema *schema;
    struct garena *a;
    const struct gdef *defs;
    const struct gval *vars;     /* given */
    const struct gval *defaults; /* of the operation */
    struct jw w;
    uint64_t rows;   /* written */
    uint64_t loaded; /* never more than are written in the end */
    size_t held;     /* bytes of theirs */
    struct sr_err *err;
};

/* "<fmt> `a`[ on type `b`]", SR_E_USAGE */
SR_CHECK sr_status gx_fail(struct gx *x, const char *fmt, struct slice a, const char *b);
const struct gentity *gx_entity(const struct gx *x, const char *name);
const struct gentity_field *gx_field(const struct gentity *e, struct slice name);
/* The value of a selection's argument, variables replaced; NULL: absent or null. */
const struct gval *gx_arg(const struct gx *x, const struct gsel *s, const char *name);
/* A variable's value; anything else is itself. NULL: not given. */
const struct gval *gx_real(const struct gx *x, const struct gval *v);

/* ---- gql_where.c: a statement in the making */

struct gsql {
    struct gx *x;
    struct buf text;
    struct buf mem; /* bytes of the values; until gsql_select an arg's slice holds its place here */
    struct db_val args[DB_PARAMS_MAX];
    size_t n;
    unsigned alias; /* the last one used: t1, t2, ... */
    bool literal;   /* values stand in the text, which then serves once only */
    bool full;      /* there were more values than fit: say it again with literals */
};
void gsql_init(struct gsql *q, struct gx *x);
void gsql_clear(struct gsql *q, bool literal);
void gsql_done(struct gsql *q);
#define cleanup_gsql __attribute__((cleanup(gsql_done)))
/* As a statement; its args (of DB_PARAMS_MAX) are filled. */
SR_CHECK sr_status gsql_stmt(struct gsql *q, struct db_val *args, struct db_stmt *ret);

void gsql_db(struct gsql *q, struct db_val v); /* copied */
/* False: no value of that type. */
bool gsql_value(struct gsql *q, g_type t, const struct gval *v);
/* An expression over t, our row, which has this alias. */
void gsql_expr(struct gsql *q, const char *expr, unsigned alias);
/* A link of (parent, child) pairs: the table of pairs in the field's text, else NULL. */
const char *gql_pairs(const struct gentity_field *f);
/* Appends " AND (...)" for each member. */
SR_CHECK sr_status gsql_where(struct gsql *q, const struct gentity *e, const struct gval *where,
                              unsigned alias, unsigned depth);
/* " ORDER BY ...": of a list's arguments */
SR_CHECK sr_status gsql_order(struct gsql *q, const struct gentity *e, const struct gsel *s,
                              unsigned alias);

/* ---- gql_rows.c: levels */

struct gcell {
    union {
        int64_t i;
        const uint8_t *p;
        size_t at; /* while the level is loaded: its place in mem */
    };
    uint32_t n;
    enum { GC_NULL, GC_INT, GC_BYTES } kind;
};

/* Fields of a selection: fragments are laid flat, a key that comes twice is answered once. */
struct gflat {
    const struct gsel *s[GQL_FIELDS_MAX];
    struct slice only[GQL_FIELDS_MAX]; /* on an interface: rows of this type; empty: all */
    size_t n;
};

/* Which rows of an entity are asked for. */
struct gask {
    const struct gentity *e;
    const struct gsel *s;
    const struct gval *id;         /* of one row; NULL: see f */
    const struct gentity_field *f; /* a field of the level above; NULL: any row */
    g_type key;                    /* what its keys are */
    const struct gcell **keys;     /* different ones, sorted; owned by the level */
    size_t n;
};
/* One statement: keys from..to of those that are asked for. */
struct gpart {
    size_t from, to;
    bool each; /* a server counts the rows of each parent: from skip on, first of them */
    uint64_t first, skip;
};
/* The most rows that a statement for several parents gives when it does not count them. */
static inline uint64_t gpart_plain(const struct gpart *p) {
    return GQL_PLAIN_MAX + 2 * (p->to - p->from);
}
#define GROUP_NONE UINT32_MAX
struct glevel;
struct gkid {
    struct glevel *level;
    uint32_t *of; /* the group of each of our rows there, or GROUP_NONE */
};
/* Rows of one entity, for a field of all rows of the level above: a group for each different key.
 */
struct glevel {
    const struct gentity *e;
    struct gflat flat;
    const struct gentity_field *f[GQL_FIELDS_MAX]; /* NULL: __typename */
    size_t col[GQL_FIELDS_MAX];                    /* its cell */
    bool is_int[GQL_FIELDS_MAX + 2];
    bool id_only[GQL_FIELDS_MAX]; /* a reference of which nothing else is asked: no kid */
    size_t cols, n, cap;
    struct gcell *cells; /* of each row: id, kind of an interface, then what was asked for */
    struct buf mem;
    uint32_t *group;         /* of each row */
    uint32_t *first, *order; /* rows of group g: order[first[g]] to order[first[g + 1] - 1] */
    size_t groups;
    struct gkid *kids[GQL_FIELDS_MAX]; /* NULL: a scalar, or nobody has one */
    /* while it is loaded */
    struct gask ask;
    struct gpart part;
    struct gsql q;
    struct gx *x;
    unsigned depth;
    bool cut;         /* the database must count each parent's rows */
    bool more;        /* there were too many to count them here: none was kept */
    uint32_t *had;    /* of each key of the part */
    uint64_t seen;    /* of the part */
    size_t n0, held0; /* before the part */
    sr_status st;
    struct glevel *next; /* of those that are loaded together */
};
static inline const struct gcell *glevel_row(const struct glevel *l, size_t row) {
    return l->cells + row * l->cols;
}
enum { GL_ID, GL_KIND, GL_FIRST_FIELD };

/* gql_select.c: the text, with values beside it or in it. Fewer keys if it were too long else.
 * Columns: as the level's cells; where there are several keys, the parent's id as the last. */
SR_CHECK sr_status gsql_level(struct gsql *q, const struct glevel *l, const struct gask *ask,
                              struct gpart *p);
/* Checks what is asked. Takes ask's keys. ret is owned: glevel_free. */
SR_CHECK sr_status glevel_new(struct gx *x, const struct gask *ask, unsigned depth,
                              struct glevel **ret);
/* Loads these levels (a list by `next`) and all that hangs on them. */
SR_CHECK sr_status glevels_load(struct gx *x, struct glevel *levels);
void glevel_free(struct glevel *l); /* accepts NULL */

SR_CHECK sr_status gql_flatten(struct gx *x, const struct gentity *e, const struct gsel *set,
                               struct slice only, struct gflat *ret, unsigned depth);
