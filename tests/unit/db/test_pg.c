/* SPDX-License-Identifier: Apache-2.0 */
/* db.h over a PostgreSQL server of the test's own. */
#include "db/db.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cluster.h"

static struct cluster server;
static const char *const schema[] = {
    "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, data BYTEA, big BYTEA)",
    "CREATE TABLE u (k TEXT PRIMARY KEY); CREATE INDEX t_name ON t (name)",
};

static int set_up(void **state) {
    (void)state;
    return cluster_set_up(&server);
}
static int tear_down(void **state) {
    (void)state;
    cluster_stop(&server);
    return 0;
}

static struct db *fresh(void) {
    struct db *db = NULL;
    struct sr_err err = {0};
    if (!server.pid) skip();
    if (db_open(server.url, 0, &db, &err) != SR_OK) fail_msg("%s", err.what);
    assert_int_equal(
        db_script(db,
                  "DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS u; DROP TABLE IF EXISTS "
                  "schema_version; DROP TABLE IF EXISTS schema_step",
                  &err),
        SR_OK);
    if (db_migrate(db, schema, 2, &err) != SR_OK) fail_msg("%s", err.what);
    return db;
}
static sr_status add(struct db *db, uint64_t id, struct sr_err *err) {
    return db_run(db, "INSERT INTO t (id) VALUES ($1)", DB_ARGS(db_u64(id)), err);
}
static uint64_t count(struct db *db) {
    uint64_t n = 0;
    assert_int_equal(db_get_u64(db, "SELECT count(*) FROM t", DB_NO_ARGS, &n, NULL), SR_OK);
    return n;
}

static void values_of_every_type_come_back(void **state) {
    (void)state;
    struct db *db = fresh();
    struct sr_err err = {0};
    uint8_t be[32];
    struct u256 big;
    assert_true(u256_parse(slice_str("123456789012345678901234567890"), &big));
    u256_to_be(be, big);
    assert_int_equal(db_run(db, "INSERT INTO t (big, data, name, id) VALUES ($4, $3, $2, $1)",
                            DB_ARGS(db_u64(INT64_MAX), db_str("na'me"),
                                    db_blob(SLICE_LIT("\0x\xff")), db_u256(be)),
                            &err),
                     SR_OK);
    assert_int_equal(db_changed(db), 1);
    assert_int_equal(db_run(db, "INSERT INTO t (id, name, data) VALUES ($1, $2, $3)",
                            DB_ARGS(db_u64(1), db_text(slice_of(NULL, 0)), db_null()), &err),
                     SR_OK);
    struct db_rows *r = NULL;
    assert_int_equal(db_select(db,
                               "SELECT id, name, data, big FROM t WHERE id > $1 ORDER BY id DESC",
                               DB_ARGS(db_u64(0)), &r, &err),
                     SR_OK);
    assert_true(db_next(r));
    assert_true(db_col_u64(r, 0) == INT64_MAX);
    assert_true(slice_is(db_col_bytes(r, 1), "na'me"));
    assert_true(slice_eq(db_col_bytes(r, 2), SLICE_LIT("\0x\xff")));
    assert_int_equal(u256_cmp(db_col_u256(r, 3), big), 0);
    assert_true(db_col_u64(r, 1) == 0 && db_col_bytes(r, 0).n == 0);
    assert_true(db_next(r));
    assert_true(!db_col_is_null(r, 1) && db_col_bytes(r, 1).n == 0 && db_col_is_null(r, 2));
    assert_false(db_next(r));
    assert_int_equal(db_end(r, &err), SR_OK);
    /* sums are numbers of another type there */
    uint64_t n;
    assert_int_equal(
        db_get_u64(db, "SELECT SUM(id - $1) FROM t WHERE id > 1", DB_ARGS(db_u64(7)), &n, &err),
        SR_OK);
    assert_true(n == INT64_MAX - 7);
    assert_int_equal(db_get_u64(db, "SELECT SUM(id) * 4 FROM t", DB_NO_ARGS, &n, &err), SR_OK);
    assert_true(n == INT64_MAX);
    assert_int_equal(db_get_u64(db, "SELECT CAST(120000 AS NUMERIC)", DB_NO_ARGS, &n, &err), SR_OK);
    assert_int_equal(n, 120000);
    assert_int_equal(
        db_get_u64(db, "SELECT COUNT(*) FROM t WHERE name = 'x' OR id = 1", DB_NO_ARGS, &n, &err),
        SR_OK);
    assert_int_equal(n, 1);
    struct buf sql;
    buf_init(&sql, 256);
    buf_str(&sql, "SELECT id FROM t WHERE data = ");
    db_put_blob(db, &sql, SLICE_LIT("\0x\xff"));
    assert_int_equal(db_get_u64(db, buf_cstr(&sql), DB_NO_ARGS, &n, &err), SR_OK);
    buf_done(&sql);
    db_close(db);
}

static void texts_that_a_server_refuses_are_made_good(void **state) {
    (void)state;
    struct db *db = fresh();
    static const struct {
        struct slice in;
        const char *out;
    } t[] = {{SLICE_LIT("a\0b"), "a\xef\xbf\xbd"
                                 "b"},
             {SLICE_LIT("\xff\xc3\xa9\xc3"), "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd"},
             {SLICE_LIT("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
             {SLICE_LIT("\xf0\x9f\x94\x90 ok"), "\xf0\x9f\x94\x90 ok"}};
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        struct sr_err err = {0};
        struct buf b;
        buf_init(&b, 64);
        assert_int_equal(db_run(db, "INSERT INTO t (id, name, data) VALUES ($1, $2, $3)",
                                DB_ARGS(db_u64(i), db_text(t[i].in), db_blob(t[i].in)), &err),
                         SR_OK);
        assert_int_equal(
            db_get_bytes(db, "SELECT name FROM t WHERE id = $1", DB_ARGS(db_u64(i)), &b, &err),
            SR_OK);
        assert_string_equal(buf_cstr(&b), t[i].out);
        buf_clear(&b);
        assert_int_equal(
            db_get_bytes(db, "SELECT data FROM t WHERE id = $1", DB_ARGS(db_u64(i)), &b, &err),
            SR_OK);
        assert_true(slice_eq(buf_slice(&b), t[i].in));
        buf_done(&b);
    }
    db_close(db);
}

static void wrong_use_is_told(void **state) {
    (void)state;
    struct db *db = fresh();
    struct sr_err err = {0};
    uint64_t n;
    assert_int_equal(
        db_run(db, "INSERT INTO t (id) VALUES ($1)", DB_ARGS(db_u64(1), db_u64(2)), NULL),
        SR_E_USAGE);
    assert_int_equal(db_run(db, "INSERT INTO none VALUES (1)", DB_NO_ARGS, &err), SR_E_USAGE);
    assert_non_null(strstr(err.what, "none"));
    assert_int_equal(add(db, (uint64_t)INT64_MAX + 1, NULL), SR_E_RANGE);
    assert_int_equal(db_get_u64(db, "SELECT id FROM t", DB_NO_ARGS, &n, NULL), SR_E_NOTFOUND);
    assert_int_equal(add(db, 1, NULL), SR_OK);
    assert_int_equal(add(db, 1, NULL), SR_E_CONFLICT);
    for (unsigned i = 0; i < 2 * DB_CACHED; i++) { /* more texts than are kept */
        char text[60];
        (void)snprintf(text, sizeof text, "SELECT id + %u FROM t WHERE id = $1", i);
        assert_int_equal(db_get_u64(db, text, DB_ARGS(db_u64(1)), &n, NULL), SR_OK);
        assert_int_equal(n, i + 1);
    }
    struct db *other = NULL;
    struct buf url;
    buf_init(&url, 256);
    buf_printf(&url, "%s&password=hush", server.url);
    err = (struct sr_err){0};
    assert_int_equal(db_open(buf_cstr(&url), 0, &other, &err), SR_E_USAGE);
    assert_null(strstr(err.what, "hush"));
    assert_non_null(strstr(err.hint, "PGPASSFILE"));
    assert_int_equal(db_open("postgresql:///x?host=/nowhere", 0, &other, NULL), SR_E_UNAVAILABLE);
    buf_done(&url);
    assert_int_equal(db_open(server.url, DB_READ_ONLY, &other, NULL), SR_OK);
    assert_int_not_equal(add(other, 5, NULL), SR_OK);
    db_close(other);
    db_close(db);
}

static void transactions_nest_and_a_failure_spoils_its_own(void **state) {
    (void)state;
    struct db *db = fresh();
    {
        cleanup_db_tx struct db_tx tx = {0};
        assert_int_equal(db_begin(db, &tx, NULL), SR_OK);
        assert_int_equal(add(db, 1, NULL), SR_OK);
    }
    assert_int_equal(count(db), 0);
    struct db_tx tx = {0}, in = {0};
    assert_int_equal(db_begin(db, &tx, NULL), SR_OK);
    assert_int_equal(add(db, 1, NULL), SR_OK);
    assert_int_equal(db_begin(db, &in, NULL), SR_OK);
    assert_int_equal(add(db, 2, NULL), SR_OK);
    assert_int_equal(add(db, 2, NULL), SR_E_CONFLICT);
    db_rollback(&in); /* the savepoint takes the failure with it */
    assert_int_equal(add(db, 3, NULL), SR_OK);
    assert_int_equal(db_commit(&tx, NULL), SR_OK);
    assert_int_equal(count(db), 2);
    assert_int_equal(db_begin(db, &tx, NULL), SR_OK);
    assert_int_equal(add(db, 4, NULL), SR_OK);
    assert_int_equal(add(db, 3, NULL), SR_E_CONFLICT);
    assert_int_not_equal(add(db, 5, NULL), SR_OK);
    assert_int_not_equal(db_commit(&tx, NULL), SR_OK); /* nobody is told that 4 is there */
    assert_int_equal(count(db), 2);
    db_close(db);
}

static struct buf words;

static bool told(struct db_link *l, int ms) {
    bool yes = false;
    struct sr_err e = {0};
    int64_t end = clock_mono_us() + (int64_t)ms * 1000; /* what comes may be no news */
    if (db_link_poll(l, &yes, &words, &e) != SR_OK) fail_msg("%s", e.what);
    while (!yes) {
        struct pollfd p = {.fd = db_link_fd(l), .events = POLLIN};
        int64_t left = (end - clock_mono_us()) / 1000;
        if (left <= 0 || poll(&p, 1, (int)left) == 0) return false;
        if (db_link_poll(l, &yes, &words, &e) != SR_OK) fail_msg("%s", e.what);
    }
    return true;
}

static void others_are_told_and_locks_have_a_queue(void **state) {
    (void)state;
    struct db *a = fresh(), *b = NULL;
    buf_init(&words, 100);
    struct db_link *ear = NULL, *first = NULL, *second = NULL;
    struct sr_err e = {0};
    assert_int_equal(db_open(server.url, 0, &b, &e), SR_OK);
    assert_int_equal(db_listen(server.url, "news", a, &ear, &e), SR_OK);
    assert_false(told(ear, 100)); /* the LISTEN itself is no news */
    assert_int_equal(db_script(a, "NOTIFY news", &e), SR_OK);
    assert_false(told(ear, 100));
    struct db_tx tx = {0};
    assert_int_equal(db_begin(b, &tx, NULL), SR_OK);
    assert_int_equal(db_script(b, "NOTIFY news, '0a'", &e), SR_OK);
    assert_false(told(ear, 50));
    assert_int_equal(db_commit(&tx, NULL), SR_OK);
    assert_true(told(ear, 5000));
    assert_string_equal(buf_cstr(&words), "0a\n");
    buf_done(&words);
    assert_int_equal(db_queue_for(server.url, 7, &first, &e), SR_OK);
    assert_true(told(first, 5000));
    assert_int_equal(db_queue_for(server.url, 7, &second, &e), SR_OK);
    assert_false(told(second, 1200)); /* its wait begins anew meanwhile */
    db_link_close(first);
    assert_true(told(second, 5000));
    db_link_close(second);
    db_link_close(ear);
    db_close(a);
    db_close(b);
}

static void a_connection_that_broke_is_made_again(void **state) {
    (void)state;
    struct db *db = fresh(), *other = NULL;
    assert_int_equal(add(db, 1, NULL), SR_OK);
    assert_int_equal(db_open(server.url, 0, &other, NULL), SR_OK);
    assert_int_equal(
        db_script(other,
                  "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> "
                  "pg_backend_pid() AND usename = 'strongroom'",
                  NULL),
        SR_OK);
    struct sr_err err = {0};
    assert_int_equal(add(db, 2, &err), SR_E_UNAVAILABLE);
    assert_int_equal(add(db, 2, NULL), SR_OK);
    assert_int_equal(count(db), 2);
    db_close(other);
    db_close(db);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(values_of_every_type_come_back),
        cmocka_unit_test(texts_that_a_server_refuses_are_made_good),
        cmocka_unit_test(wrong_use_is_told),
        cmocka_unit_test(transactions_nest_and_a_failure_spoils_its_own),
        cmocka_unit_test(others_are_told_and_locks_have_a_queue),
        cmocka_unit_test(a_connection_that_broke_is_made_again),
    };
    return cmocka_run_group_tests_name("db/postgresql", t, set_up, tear_down);
}
