/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the two subgraphs: as they were recorded (tests/vectors/market), whatever the engine,
 * and whatever number of parents a list is asked for at once. */
#include "db/db_int.h"
#include "graph.h"
#include "market/gql_int.h"

#define RECORDED VECTORS "/market/graphql.txt"
#define SUMS     VECTORS "/market/graphql-sums.txt"

static struct slice file_of(const char *path, struct buf *b) {
    struct sr_err e = {0};
    buf_init(b, 4u << 20);
    assert_ok(fs_read(path, b, &e));
    return buf_slice(b);
}
/* With STRONGROOM_RECORD the file is written anew: for when an answer is meant to change. */
static bool recording(void) {
    return getenv("STRONGROOM_RECORD") != NULL;
}

/* The next line; text goes on after it. */
static struct slice line_of(struct slice *text) {
    struct slice line;
    if (!slice_cut(*text, '\n', &line, text)) {
        line = *text;
        *text = slice_of(NULL, 0);
    }
    return line;
}

/* Lines in pairs: "poco|data TAB document TAB variables", the answer. */
static void answers_are_as_recorded(void **state) {
    (void)state;
    struct sr_err e = {0};
    cleanup_buf struct buf b, out;
    struct slice text = file_of(RECORDED, &b);
    unsigned n = 0;
    buf_init(&out, 4u << 20);
    while (text.n) {
        struct slice line = line_of(&text), want = line_of(&text), which = {0}, rest = {0},
                     query = {0}, vars = {0};
        assert_true(slice_cut(line, '\t', &which, &rest) && slice_cut(rest, '\t', &query, &vars));
        cleanup_free char *q = slice_dup(query), *v = slice_dup(vars);
        cleanup_free char *got = graph_ask(slice_is(which, "poco"), q, v);
        if (!recording() && !slice_is(want, got))
            fail_msg("%s %s\n says %s\n not  %.*s", q, v, got, (int)want.n, (const char *)want.p);
        buf_add(&out, line);
        buf_printf(&out, "\n%s\n", got);
        n++;
    }
    assert_true(n > 70);
    if (recording()) assert_ok(fs_write_atomic(RECORDED, buf_slice(&out), 0644, &e));
}

/* ---- every entity and every field of it, with what hangs on it */

static const struct gentity *named(const struct gschema *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->e[i].name, name) == 0) return &s->e[i];
    fail_msg("no entity %s", name);
    return NULL;
}
static bool scalar(const struct gentity_field *f) {
    return f->type != G_REF && f->type != G_LIST;
}
static void put_scalars(struct buf *b, const struct gentity *e) {
    for (size_t i = 0; i < e->n; i++)
        if (scalar(&e->fields[i])) buf_printf(b, "%s ", e->fields[i].name);
}

struct sums {
    struct slice want;
    struct buf out;
    const struct gschema *schema;
    unsigned n;
};
static void one_sum(struct sums *s, const char *query) {
    cleanup_free char *got = graph_ask(s->schema == &gql_poco, query, NULL);
    char sum[65];
    struct hash h = keccak256(slice_str(got));
    hex_encode(sum, h.b, 32);
    sum[16] = 0; /* enough to see a change */
    struct slice want = line_of(&s->want);
    if (strstr(got, "\"errors\"")) fail_msg("%s\n says %s", query, got);
    if (!recording() && !slice_is(want, sum)) fail_msg("%s\n says %s", query, got);
    buf_printf(&s->out, "%s\n", sum);
    s->n++;
}

static void ask_about(struct sums *s, const struct gentity *e) {
    static const char *const args[] = {"", "(first: 2)", "(skip: 1)",
                                       "(first: 1, skip: 1, orderBy: id, orderDirection: desc)"};
    cleanup_buf struct buf q;
    buf_init(&q, 1u << 16);
    buf_printf(&q, "{ %s { ", e->plural);
    put_scalars(&q, e);
    buf_str(&q, "} }");
    one_sum(s, buf_cstr(&q));
    for (size_t i = 0; i < e->n; i++) {
        const struct gentity_field *f = &e->fields[i];
        if (scalar(f)) {
            buf_clear(&q);
            if (strcmp(f->name, "revealDeadline") == 0) continue; /* null: see the test of it */
            buf_printf(&q, "{ %s(orderBy: %s, orderDirection: %s, first: 9) { id } }", e->plural,
                       f->name, i % 2 ? "asc" : "desc");
            one_sum(s, buf_cstr(&q));
            continue;
        }
        const struct gentity *te = named(s->schema, f->target);
        for (size_t a = 0; a < (f->type == G_LIST ? SR_ARRAY_LEN(args) : 1); a++) {
            buf_clear(&q);
            buf_printf(&q, "{ %s(first: 12) { id f: %s%s { ", e->plural, f->name, args[a]);
            put_scalars(&q, te);
            for (size_t k = 0; k < te->n; k++)
                if (!scalar(&te->fields[k]))
                    buf_printf(&q, "%s%s { id } ", te->fields[k].name,
                               te->fields[k].type == G_LIST ? "(first: 3)" : "");
            buf_str(&q, "} } }");
            one_sum(s, buf_cstr(&q));
        }
    }
}

static void every_field_of_every_entity_is_as_recorded(void **state) {
    (void)state;
    struct sr_err e = {0};
    static const struct gschema *const both[] = {&gql_poco, &gql_dataprotector};
    cleanup_buf struct buf b;
    struct sums s = {.want = file_of(SUMS, &b)};
    buf_init(&s.out, 1u << 20);
    for (size_t k = 0; k < 2; k++) {
        s.schema = both[k];
        for (size_t i = 0; i < s.schema->n; i++)
            if (s.schema->e[i].plural) ask_about(&s, &s.schema->e[i]);
    }
    assert_true(s.n > 300);
    if (recording()) assert_ok(fs_write_atomic(SUMS, buf_slice(&s.out), 0644, &e));
    buf_done(&s.out);
}

/* ---- many rows */

enum { MANY = 7000 };

/* What the database is asked, counted. */
static struct db_ops counting;
static const struct db_ops *real_ops;
static size_t statements, waits, longest;
static sr_status count_start(struct db *db, const char *sql, const struct db_val *args, size_t n,
                             bool copy, struct db_rows **ret_r, struct sr_err *err) {
    statements++;
    waits++;
    if (strlen(sql) > longest) longest = strlen(sql);
    return real_ops->start(db, sql, args, n, copy, ret_r, err);
}

static sr_status count_run_all(struct db *db, struct db_stmt *s, size_t n, struct sr_err *err) {
    statements += n;
    waits++;
    for (size_t i = 0; i < n; i++)
        if (strlen(s[i].sql) > longest) longest = strlen(s[i].sql);
    return real_ops->run_all(db, s, n, err);
}

/* Deals of seven new apps, each second one with a task; all of them by three new requesters. */
static void put_many(void) {
    for (uint32_t i = 0; i < 7; i++)
        PUT(INTO_RESOURCE "($1,0,$2,'many','DOCKER','',$2,$2,0,0,$2,NULL,200,$3,3000,"
                          "$2)",
            ADDR(APP, 100 + i), ADDR(ACC, 0), db_u64(next_log++));
    for (uint32_t i = 0; i < 3; i++) PUT(INTO_ACCOUNT "($1,200)", ADDR(ACC, 100 + i));
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t no = 1000 + i;
        PUT(INTO_DEAL "($1,$2,$3,3000,$1,$4,$5,$6,$7,$7,$7,$8,$7,$1,$1,$1,$1,0,1,0,0,"
                      "0,0,$1,$7,'',0,0,1,1,$7,'{}')",
            HASH(H_DEAL, no), db_u64(300 + i), db_u64(next_log++), ADDR(APP, 100 + i % 7),
            ADDR(DAT, no % DATA), ADDR(POOL, 0), ADDR(ACC, 1), ADDR(ACC, 100 + i % 3));
        if (i % 2)
            PUT(INTO_TASK_EVENT "($1,$2,$3,3000,$4,'0',1,$1,$1,$1,1,1,1,$1,$1)",
                HASH(H_TASK, 8 * no), db_u64(300 + i), db_u64(next_log++), HASH(H_DEAL, no));
    }
}
static void they_are_put_in(void **state) {
    (void)state;
    struct sr_err e = {0};
    struct db_tx tx;
    assert_ok(db_begin(m.db, &tx, &e));
    put_many();
    assert_ok(db_commit(&tx, &e));
}

static void is_part_of(const char *whole, const char *part) {
    cleanup_json struct json *d = NULL;
    struct sr_err e = {0};
    assert_ok(json_parse(slice_str(part), &d, &e));
    cleanup_free char *text = slice_dup(json_raw(json_at(json_get(json_root(d), "data"), 0)));
    if (strlen(text) < 30 || !strstr(whole, text)) fail_msg("%s is no part of it", part);
}

static void numbers_that_are_held_as_text_are_numbers(void **state) {
    (void)state;
    struct hash deal = a_hash(H_DEAL, 1000); /* has no task so far */
    char q[512], text[12];
    for (uint32_t i = 0; i < 12; i++) {
        (void)snprintf(text, sizeof text, "%u", i);
        PUT(INTO_TASK_EVENT "($1,$2,$3,3000,$4,$5,1,$1,$1,$1,1,1,1,$1,$1)", HASH(H_TASK, 64000 + i),
            db_u64(300), db_u64(next_log++), db_hash(&deal), db_str(text));
    }
    (void)snprintf(
        q, sizeof q,
        "{ deal(id: \"%s\") { a: tasks(orderBy: index, first: 4, skip: 8) { index } b: "
        "tasks(orderBy: index, orderDirection: desc, first: 3) { index } c: tasks(where: "
        "{index_gte: 10}, orderBy: index) { index } d: tasks(where: {index_lt: \"2\"}) { "
        "index } e: tasks(where: {index: 11}) { index } f: tasks(where: {index_in: [9, "
        "10]}, orderBy: index) { index } } }",
        hash_text(&deal).s);
    cleanup_free char *got = graph_ask(true, q, NULL);
    assert_string_equal(
        got, "{\"data\":{\"deal\":{\"a\":[{\"index\":\"8\"},{\"index\":\"9\"},{\"index\":\"10\"},{"
             "\"index\":\"11\"}],\"b\":[{\"index\":\"11\"},{\"index\":\"10\"},{\"index\":\"9\"}],"
             "\"c\":[{\"index\":\"10\"},{\"index\":\"11\"}],\"d\":[{\"index\":\"0\"},{\"index\":"
             "\"1\"}],\"e\":[{\"index\":\"11\"}],\"f\":[{\"index\":\"9\"},{\"index\":\"10\"}]}}}");
    cleanup_free char *wrong = graph_ask(true, "{ tasks(where: {index_gt: \"x\"}) { id } }", NULL);
    assert_non_null(strstr(wrong, "`index_gt`"));
}

static void many_parents_have_what_each_has_alone(void **state) {
    (void)state;
    char q[256];
    longest = 0;
    /* portions of parents: 7000 deals, 24 at a time or 5000 */
    cleanup_free char *all = graph_ask(
        true,
        "{ apps(where: {name: \"many\"}) { usages(first: 1000) { id dataset { name } tasks { id "
        "index } } } }",
        NULL);
    for (uint32_t i = 0; i < MANY; i += 1 + dice(40)) {
        struct hash h = a_hash(H_DEAL, 1000 + i);
        (void)snprintf(q, sizeof q,
                       "{ deal(id: \"%s\") { id dataset { name } tasks { id index } } }",
                       hash_text(&h).s);
        cleanup_free char *one = graph_ask(true, q, NULL);
        is_part_of(all, one);
    }
    /* more rows than are taken as they come, and each parent's first hundred of them only */
    static const char *const lists[] = {
        "dealRequester { id botSize }", "dealRequester(first: 150, skip: 7) { id botSize }",
        "dealRequester(orderBy: dataset__name, orderDirection: desc, first: 10) { id }",
        "dealRequester(where: {dataset_: {name_not: \"z\"}}, first: 200) { id }",
        /* few enough to be taken as they come, more than a hundred for each */
        "dealRequester(where: {app: \"0xb0e4000000000000000000000000000000000064\"}) { id }"};
    for (size_t k = 0; k < SR_ARRAY_LEN(lists); k++) {
        (void)snprintf(q, sizeof q, "{ accounts(first: 1000) { id %s } }", lists[k]);
        cleanup_free char *accounts = graph_ask(true, q, NULL);
        for (uint32_t i = 0; i < 3; i++) {
            struct addr a = an(ACC, 100 + i);
            (void)snprintf(q, sizeof q, "{ account(id: \"%s\") { id %s } }", addr_text(&a).s,
                           lists[k]);
            cleanup_free char *one = graph_ask(true, q, NULL);
            is_part_of(accounts, one);
        }
    }
    assert_true(longest > 0 && longest < GQL_SQL_MAX);
}

static void a_field_costs_a_statement_whatever_the_rows(void **state) {
    (void)state;
    size_t few = 0;
    for (uint32_t n = 5; n <= 20; n += 15) {
        char v[32];
        (void)snprintf(v, sizeof v, "{\"n\":%u}", n);
        statements = waits = 0;
        cleanup_free char *a = graph_ask(
            true,
            "query ($n: Int) { deals(first: $n, orderBy: appPrice) { id app { id owner { id } } "
            "dataset { name } tasks { id events { id transaction { id } } } } }",
            v);
        assert_non_null(strstr(a, "TaskInitialize") ? a : strstr(a, "transaction"));
        if (n == 5) few = statements;
        /* deals, apps with the owners' ids, data sets, tasks, events, transactions: more events
         * than fit in one statement are asked for in several where that is as fast */
        assert_true(statements >= few && statements <= 6 + 3);
        if (db_is_shared(m.read)) assert_int_equal(waits, 4); /* the depth */
    }
    assert_int_equal(few, 6);
}

/* More fields than are asked for at once, each with something under it. */
static void any_number_of_fields_is_answered(void **state) {
    (void)state;
    cleanup_buf struct buf q, want;
    buf_init(&q, 1u << 16);
    buf_init(&want, 1u << 20);
    buf_str(&q, "{ ");
    buf_str(&want, "{\"data\":{");
    for (unsigned i = 0; i < 3 * GQL_TOGETHER + 1; i++) {
        char one[160];
        (void)snprintf(
            one, sizeof one,
            "deals(first: 2, skip: %u) { id app { name owner { id frozen } } tasks(first: "
            "1) { index } }",
            i);
        buf_printf(&q, "f%u: %s ", i, one);
        buf_printf(&want, "%s\"f%u\":", i ? "," : "", i);
        (void)snprintf(one + strlen(one), 3, " }");
        char alone[168];
        (void)snprintf(alone, sizeof alone, "{ %s", one);
        cleanup_free char *a = graph_ask(true, alone, NULL);
        cleanup_json struct json *d = NULL;
        struct sr_err e = {0};
        assert_ok(json_parse(slice_str(a), &d, &e));
        buf_add(&want, json_raw(json_at(json_get(json_root(d), "data"), 0)));
    }
    buf_str(&q, "}");
    buf_str(&want, "}}");
    cleanup_free char *got = graph_ask(true, buf_cstr(&q), NULL);
    assert_string_equal(got, buf_cstr(&want));
}

/* As many rows as are written count, not as many as are loaded. */
static void an_answer_has_twenty_thousand_rows_at_most(void **state) {
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        cleanup_buf struct buf q;
        buf_init(&q, 1u << 16);
        buf_printf(&q, "{ deals(first: 1000) { ");
        for (unsigned i = 0; i < 9; i++) buf_printf(&q, "a%u: app { owner { id } } ", i);
        buf_str(&q, "app { id } } ");
        if (more) buf_str(&q, "apps(first: 1) { id } ");
        buf_str(&q, "}");
        cleanup_free char *a = graph_ask(true, buf_cstr(&q), NULL);
        assert_int_equal(strstr(a, "{\"errors\":[{\"message\":\"The answer has more than 20000 "
                                   "rows\"}]}") != NULL,
                         more);
    }
}

/* A condition with more values than can be sent beside the text. */
static void long_conditions_are_asked_in_the_text(void **state) {
    (void)state;
    cleanup_buf struct buf v;
    buf_init(&v, GQL_BODY_MAX);
    buf_str(&v, "{\"id\":[");
    for (uint32_t i = 0; i < 12000; i++) {
        struct hash h = a_hash(H_DEAL, 1000 + i);
        buf_printf(&v, "%s\"%s\"", i ? "," : "", hash_text(&h).s);
    }
    buf_str(&v, "]}");
    longest = 0;
    cleanup_free char *a = graph_ask(
        true,
        "query ($id: [ID!]) { apps(where: {name: \"many\"}) { usages(where: {id_in: $id}) { "
        "botSize } } }",
        buf_cstr(&v));
    size_t n = 0;
    for (const char *c = a; (c = strstr(c, "botSize")); c++) n++;
    assert_int_equal(n, 700);
    assert_true(longest > 500000);
}

static int setup(void **state) {
    (void)state;
    (void)graph_open();
    real_ops = m.db->ops;
    counting = *real_ops;
    counting.start = count_start;
    if (counting.run_all) counting.run_all = count_run_all;
    m.db->ops = &counting;
    return 0;
}
static int teardown(void **state) {
    (void)state;
    graph_close();
    return 0;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(answers_are_as_recorded),
        cmocka_unit_test(every_field_of_every_entity_is_as_recorded),
        cmocka_unit_test(a_field_costs_a_statement_whatever_the_rows),
        cmocka_unit_test(any_number_of_fields_is_answered),
        cmocka_unit_test(they_are_put_in),
        cmocka_unit_test(numbers_that_are_held_as_text_are_numbers),
        cmocka_unit_test(many_parents_have_what_each_has_alone),
        cmocka_unit_test(an_answer_has_twenty_thousand_rows_at_most),
        cmocka_unit_test(long_conditions_are_asked_in_the_text),
    };
    return cmocka_run_group_tests_name("market graphql", t, setup, teardown);
}
