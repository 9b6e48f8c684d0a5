/* SPDX-License-Identifier: Apache-2.0 */
/* db_run_all over a PostgreSQL server, and statements that the server does not know (any more). */
#include "db/db.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cluster.h"

static struct cluster server;

static int set_up(void **state) {
    (void)state;
    return cluster_set_up(&server);
}
static int tear_down(void **state) {
    (void)state;
    cluster_stop(&server);
    return 0;
}

static struct db *fresh_by(const char *url) {
    struct db *db = NULL;
    struct sr_err err = {0};
    if (db_open(url, 0, &db, &err) != SR_OK) fail_msg("%s", err.what);
    assert_int_equal(db_script(db,
                               "DROP TABLE IF EXISTS t; CREATE TABLE t (id BIGINT PRIMARY KEY, "
                               "data BYTEA)",
                               &err),
                     SR_OK);
    return db;
}
static struct db *fresh(void) {
    if (!server.pid) skip();
    return fresh_by(server.url);
}
static uint64_t number(struct db *db, const char *sql) {
    uint64_t n = 0;
    struct sr_err err = {0};
    if (db_get_u64(db, sql, DB_NO_ARGS, &n, &err) != SR_OK) fail_msg("%s", err.what);
    return n;
}
static uint64_t count(struct db *db) {
    return number(db, "SELECT count(*) FROM t");
}

#define INSERT "INSERT INTO t (id, data) VALUES ($1, $2)"
#define GET    "SELECT id, data FROM t WHERE id = $1"

struct seen {
    uint64_t id[8], rows, sum, bytes;
};
static void see(void *arg, struct db_rows *r) {
    struct seen *s = arg;
    if (s->rows < SR_ARRAY_LEN(s->id)) s->id[s->rows] = db_col_u64(r, 0);
    s->rows++;
    s->sum += db_col_u64(r, 0);
    s->bytes += db_col_bytes(r, 1).n;
}

static void results_come_in_the_order_of_the_statements(void **state) {
    (void)state;
    struct db *db = fresh();
    struct sr_err err = {0};
    struct seen seen = {0};
    for (unsigned round = 0; round < 2; round++) { /* unknown to the server, and known */
        const struct db_val a[] = {db_u64(round * 10 + 1), db_blob(SLICE_LIT("one"))},
                            b[] = {db_u64(round * 10 + 2), db_null()}, least[] = {db_u64(0)};
        struct db_stmt s[] = {
            {.sql = INSERT, .args = a, .n = 2},
            {.sql = INSERT, .args = b, .n = 2},
            {.sql = GET, .args = b, .n = 1, .row = see, .arg = &seen},
            {.sql = "SELECT 77 AS id, 'x'", .row = see, .arg = &seen},
            {.sql = "SELECT id FROM t WHERE id > $1 ORDER BY id DESC",
             .args = least,
             .n = 1,
             .row = see,
             .arg = &seen},
            {.sql = "UPDATE t SET data = NULL WHERE id >= $1", .args = least, .n = 1},
            {.sql = "DELETE FROM t WHERE id = $1 + 1000", .args = least, .n = 1},
        };
        seen = (struct seen){0};
        if (db_run_all(db, s, SR_ARRAY_LEN(s), &err) != SR_OK) fail_msg("%s", err.what);
        assert_int_equal(seen.rows, 4 + 2 * round);
        assert_int_equal(seen.id[0], round * 10 + 2);
        assert_int_equal(seen.id[1], 77);
        assert_int_equal(seen.id[2], round * 10 + 2);
        assert_int_equal(seen.id[3], round * 10 + 1);
        assert_true(s[0].changed == 1 && s[1].changed == 1);
        assert_int_equal(s[5].changed, 2 + 2 * round);
        assert_int_equal(s[6].changed, 0);
    }
    assert_int_equal(db_run_all(db, NULL, 0, &err), SR_OK);
    assert_int_equal(count(db), 4);
    db_close(db);
}

static sr_status five(struct db *db, uint64_t third, struct sr_err *err) {
    const struct db_val a[5][2] = {{db_u64(1), db_null()},
                                   {db_u64(2), db_null()},
                                   {db_u64(third), db_null()},
                                   {db_u64(4), db_null()},
                                   {db_u64(5), db_null()}};
    struct db_stmt s[5];
    for (size_t i = 0; i < 5; i++) s[i] = (struct db_stmt){.sql = INSERT, .args = a[i], .n = 2};
    s[2].sql = "INSERT INTO t (id, data) VALUES ($1, $2) ON CONFLICT (data) DO NOTHING";
    if (third) s[2].sql = "INSERT INTO t (data, id) VALUES ($2, $1)";
    return db_run_all(db, s, 5, err);
}

static void the_failure_of_one_is_told_and_the_connection_stays_good(void **state) {
    (void)state;
    struct db *db = fresh();
    for (int round = 0; round < 2; round++) {
        struct sr_err err = {0};
        if (five(db, 2, &err) != SR_E_CONFLICT) fail_msg("%s", err.what);
        assert_non_null(strstr(err.what, "INSERT INTO t"));
        assert_non_null(strstr(err.what, "t_pkey"));
        assert_int_equal(count(db), 0); /* outside of a transaction they are one */
        err = (struct sr_err){0};
        assert_int_equal(five(db, 0, &err), SR_E_USAGE); /* it can't even be prepared */
        assert_int_equal(five(db, (uint64_t)INT64_MAX + 1, NULL), SR_E_RANGE);
        struct db_tx tx = {0};
        assert_int_equal(db_begin(db, &tx, NULL), SR_OK);
        assert_int_equal(five(db, 2, NULL), SR_E_CONFLICT);
        assert_int_not_equal(five(db, 3, NULL), SR_OK);
        assert_int_equal(db_commit(&tx, NULL), SR_E_CONFLICT);
        assert_int_equal(count(db), 0);
    }
    struct db_tx tx = {0}, in = {0};
    assert_int_equal(db_begin(db, &tx, NULL), SR_OK);
    assert_int_equal(db_begin(db, &in, NULL), SR_OK);
    assert_int_equal(five(db, 2, NULL), SR_E_CONFLICT);
    db_rollback(&in); /* the savepoint takes the failure with it */
    assert_int_equal(five(db, 3, NULL), SR_OK);
    assert_int_equal(db_commit(&tx, NULL), SR_OK);
    assert_int_equal(count(db), 5);
    db_close(db);
}

#define MANY 10000u
#define BIG  3000u

/* Far more than the buffers between the two hold, in both directions at once. */
static void ten_thousand(struct db *db) {
    struct sr_err err = {0};
    static uint8_t big[BIG];
    static struct db_val args[MANY][2];
    static struct db_stmt s[MANY];
    struct seen seen = {0};
    for (unsigned i = 0; i < MANY; i++) {
        args[i][0] = db_u64(i);
        args[i][1] = db_blob(slice_of(big, i % 2 ? BIG : 10));
        s[i] =
            (struct db_stmt){.sql = "INSERT INTO t (id, data) VALUES ($1, $2) RETURNING id, data",
                             .args = args[i],
                             .n = 2,
                             .row = see,
                             .arg = &seen};
    }
    if (db_run_all(db, s, MANY, &err) != SR_OK) fail_msg("%s", err.what);
    assert_int_equal(seen.rows, MANY);
    assert_int_equal(seen.id[7], 7);
    assert_int_equal(seen.sum, (uint64_t)MANY * (MANY - 1) / 2);
    assert_int_equal(seen.bytes, (uint64_t)MANY / 2 * (BIG + 10));
    assert_true(s[0].changed == 1 && s[MANY - 1].changed == 1);
    assert_int_equal(count(db), MANY);
    args[MANY - 1][0] = db_u64(0); /* the last one fails: all are gone */
    assert_int_equal(db_script(db, "DELETE FROM t", &err), SR_OK);
    assert_int_equal(db_run_all(db, s, MANY, NULL), SR_E_CONFLICT);
    assert_int_equal(count(db), 0);
    args[1][0] = db_u64(0); /* the second: the rest is passed over */
    assert_int_equal(db_run_all(db, s, MANY, NULL), SR_E_CONFLICT);
    assert_int_equal(count(db), 0);
    db_close(db);
}

static void ten_thousand_statements_and_their_answers_fit_through(void **state) {
    (void)state;
    ten_thousand(fresh());
}

static void large_value(struct db *db) {
    cleanup_buf struct buf in, out;
    buf_init(&in, 1u << 25);
    buf_init(&out, 1u << 25);
    uint8_t *p = buf_grow(&in, 1u << 24);
    for (unsigned i = 0; i < 1u << 24; i++) p[i] = (uint8_t)(i * 7 >> 3);
    assert_int_equal(
        db_run(db, INSERT, (struct db_val[]){db_u64(1), db_blob(buf_slice(&in))}, 2, NULL), SR_OK);
    assert_int_equal(
        db_get_bytes(db, "SELECT data FROM t WHERE id = $1", DB_ARGS(db_u64(1)), &out, NULL),
        SR_OK);
    assert_true(slice_eq(buf_slice(&in), buf_slice(&out)));
    db_close(db);
}

static void a_large_value_goes_there_and_comes_back(void **state) {
    (void)state;
    large_value(fresh());
}

/* libpq reads whole records, which the socket does not show any more. */
static void nothing_waits_in_a_record_of_tls(void **state) {
    (void)state;
    if (!server.pid) skip();
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    (void)close(fd);
    cluster_certify(&server);
    cluster_break(&server);
    server.port = ntohs(in.sin_port);
    cluster_serve(&server);
    char url[120];
    (void)snprintf(url, sizeof url, "postgresql://strongroom@127.0.0.1:%u/postgres?sslmode=require",
                   server.port);
    struct db *db = fresh_by(url);
    assert_int_equal(
        number(db, "SELECT CAST(ssl AS INT) FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), 1);
    db_close(db);
    ten_thousand(fresh_by(url));
    large_value(fresh_by(url));
    cluster_break(&server);
    server.port = 0;
    cluster_serve(&server);
}

static uint64_t prepared(struct db *db) {
    return number(db, "SELECT count(*) FROM pg_prepared_statements");
}

static void a_pipe_may_hold_more_texts_than_are_kept(void **state) {
    (void)state;
    struct db *db = fresh();
    struct sr_err err = {0};
    enum { TEXTS = 3 * DB_CACHED };
    static char text[TEXTS][60];
    static struct db_stmt s[TEXTS + 1];
    struct seen seen = {0};
    const struct db_val one[] = {db_u64(1)}, zero[] = {db_u64(0)};
    for (unsigned i = 0; i < TEXTS; i++) {
        (void)snprintf(text[i], sizeof text[i], "SELECT CAST($1 AS BIGINT) + %u", i);
        s[i] = (struct db_stmt){.sql = text[i], .args = one, .n = 1, .row = see, .arg = &seen};
    }
    s[TEXTS] = (struct db_stmt){.sql = "SELECT 1 / CAST($1 AS BIGINT)", .args = zero, .n = 1};
    for (unsigned round = 1; round <= 3; round++) {
        seen = (struct seen){0};
        if (db_run_all(db, s, TEXTS, &err) != SR_OK) fail_msg("%s", err.what);
        assert_int_equal(seen.rows, TEXTS);
        assert_int_equal(seen.sum, (uint64_t)TEXTS * (TEXTS + 1) / 2);
        assert_int_equal(prepared(db), DB_CACHED);
    }
    /* a failure amid the exchange of statements leaves none behind, and none is mistaken */
    for (unsigned at = 0; at < TEXTS; at += 50) {
        struct db_stmt was = s[at];
        s[at] = s[TEXTS];
        assert_int_equal(db_run_all(db, s, TEXTS, NULL), SR_E_USAGE);
        s[at] = was;
        assert_true(prepared(db) <= DB_CACHED);
        uint64_t n = 0;
        for (unsigned i = 0; i < TEXTS; i += 7) {
            assert_int_equal(db_get_u64(db, text[i], one, 1, &n, NULL), SR_OK);
            assert_int_equal(n, i + 1);
        }
        assert_true(prepared(db) <= DB_CACHED);
    }
    db_close(db);
}

static void statements_that_the_server_forgot_are_prepared_again(void **state) {
    (void)state;
    struct db *db = fresh();
    uint64_t n;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(db_get_u64(db, "SELECT CAST($1 AS BIGINT)", DB_ARGS(db_u64(5)), &n, NULL),
                         SR_OK);
        assert_int_equal(n, 5);
        assert_int_equal(prepared(db), 1);
        assert_int_equal(db_script(db, "DEALLOCATE ALL", NULL), SR_OK);
    }
    assert_int_equal(five(db, 3, NULL), SR_OK);
    assert_int_equal(db_script(db, "DELETE FROM t; DEALLOCATE ALL", NULL), SR_OK);
    assert_int_equal(five(db, 3, NULL), SR_OK);
    assert_int_equal(db_script(db, "DELETE FROM t; DEALLOCATE ALL", NULL), SR_OK);
    /* within a transaction nothing can be done but fail; the next one is well */
    for (int round = 0; round < 2; round++) {
        struct db_tx tx = {0};
        assert_int_equal(db_begin(db, &tx, NULL), SR_OK);
        assert_int_equal(five(db, 3, NULL), round == 0 ? SR_E_UNAVAILABLE : SR_OK);
        assert_int_equal(db_commit(&tx, NULL), round == 0 ? SR_E_CONFLICT : SR_OK);
    }
    assert_int_equal(count(db), 5);
    db_close(db);
}

static void a_connection_lost_in_a_pipe_is_made_again(void **state) {
    (void)state;
    struct db *db = fresh();
    struct sr_err err = {0};
    const struct db_val a[] = {db_u64(1), db_null()}, b[] = {db_u64(2), db_null()};
    struct db_stmt s[] = {{.sql = INSERT, .args = a, .n = 2},
                          {.sql = "SELECT pg_terminate_backend(pg_backend_pid())"},
                          {.sql = INSERT, .args = b, .n = 2}};
    assert_int_equal(db_run_all(db, s, 3, &err), SR_E_UNAVAILABLE);
    assert_true(err.hint[0]);
    assert_int_equal(count(db), 0);
    struct db_tx tx = {0}, in = {0};
    assert_int_equal(db_begin(db, &tx, NULL), SR_OK);
    assert_int_equal(db_begin(db, &in, NULL), SR_OK);
    assert_int_equal(db_run_all(db, s, 3, NULL), SR_E_UNAVAILABLE);
    /* what is left of the transaction must not run on a new connection, outside of it */
    assert_int_equal(db_run(db, INSERT, a, 2, NULL), SR_E_UNAVAILABLE);
    assert_int_equal(db_run_all(db, s, 3, NULL), SR_E_UNAVAILABLE);
    assert_int_equal(db_commit(&in, NULL), SR_E_UNAVAILABLE);
    assert_int_equal(db_commit(&tx, NULL), SR_E_UNAVAILABLE);
    assert_int_equal(count(db), 0);
    assert_int_equal(five(db, 3, NULL), SR_OK);
    db_close(db);
}

static void a_server_that_was_away_is_found_again(void **state) {
    (void)state;
    struct db *db = fresh(), *reader = NULL;
    uint64_t n;
    struct db_tx tx = {0};
    struct sr_err err = {0};
    assert_int_equal(db_open(server.url, DB_READ_ONLY, &reader, NULL), SR_OK);
    assert_int_equal(five(db, 3, NULL), SR_OK);
    assert_int_equal(count(reader), 5);
    cluster_break(&server);
    cluster_serve(&server);
    assert_int_equal(count(reader),
                     5); /* reading is asked again, and so is a transaction's begin */
    assert_int_equal(db_begin(db, &tx, NULL), SR_OK);
    db_rollback(&tx);
    cluster_break(&server);
    assert_int_equal(db_get_u64(reader, "SELECT 1", DB_NO_ARGS, &n, &err), SR_E_UNAVAILABLE);
    assert_true(err.hint[0]);
    assert_int_equal(db_begin(db, &tx, NULL), SR_E_UNAVAILABLE);
    assert_int_equal(five(db, 3, NULL), SR_E_UNAVAILABLE);
    cluster_serve(&server);
    assert_int_equal(count(reader), 5);
    assert_int_equal(count(db), 5);
    /* whether a write has happened is not known: it is not done again */
    cluster_break(&server);
    cluster_serve(&server);
    assert_int_equal(five(db, 3, NULL), SR_E_UNAVAILABLE);
    assert_int_equal(five(db, 3, NULL), SR_E_CONFLICT);
    db_close(reader);
    db_close(db);
}

static void wrong_use_of_a_pipe_is_told(void **state) {
    (void)state;
    struct db *db = fresh();
    struct sr_err err = {0};
    const struct db_val a[] = {db_u64(1), db_null(), db_null()};
    struct db_val many[DB_PARAMS_MAX + 1];
    for (size_t i = 0; i <= DB_PARAMS_MAX; i++) many[i] = db_u64(i);
    struct db_stmt s[] = {{.sql = INSERT, .args = a, .n = 2}, {.sql = INSERT, .args = a, .n = 3}};
    assert_int_equal(db_run_all(db, s, 2, &err), SR_E_USAGE);
    assert_int_equal(db_run(db, INSERT, a, 1, NULL), SR_E_USAGE);
    s[1] = (struct db_stmt){.sql = INSERT, .args = many, .n = DB_PARAMS_MAX + 1};
    assert_int_equal(db_run_all(db, s, 2, NULL), SR_E_USAGE);
    s[1] = (struct db_stmt){.sql = "COPY t TO STDOUT"};
    err = (struct sr_err){0};
    assert_int_equal(count(db), 0);
    s[0] = s[1];
    assert_int_equal(db_run_all(db, s, 2, &err), SR_E_USAGE);
    assert_int_equal(db_script(db, "COPY t FROM STDIN", &err), SR_E_USAGE);
    assert_int_equal(db_run(db, "COPY t TO STDOUT", DB_NO_ARGS, &err), SR_E_USAGE);
    assert_int_equal(db_run(db, INSERT, a, 2, NULL), SR_OK);
    db_close(db);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(results_come_in_the_order_of_the_statements),
        cmocka_unit_test(the_failure_of_one_is_told_and_the_connection_stays_good),
        cmocka_unit_test(ten_thousand_statements_and_their_answers_fit_through),
        cmocka_unit_test(a_large_value_goes_there_and_comes_back),
        cmocka_unit_test(nothing_waits_in_a_record_of_tls),
        cmocka_unit_test(a_pipe_may_hold_more_texts_than_are_kept),
        cmocka_unit_test(statements_that_the_server_forgot_are_prepared_again),
        cmocka_unit_test(a_connection_lost_in_a_pipe_is_made_again),
        cmocka_unit_test(a_server_that_was_away_is_found_again),
        cmocka_unit_test(wrong_use_of_a_pipe_is_told),
    };
    return cmocka_run_group_tests_name("db/pipes of postgresql", t, set_up, tear_down);
}
