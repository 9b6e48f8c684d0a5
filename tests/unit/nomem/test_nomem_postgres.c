/* SPDX-License-Identifier: Apache-2.0 */
/* db.h over a PostgreSQL server of the test's own, without memory. What libpq allocates is not ours
 * to fail. */
#include "db/db.h"
#include "nomem.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>

#include "../db/cluster.h"

static struct cluster server;

#define INSERT "INSERT INTO t (id, name) VALUES ($1, $2)"
#define MANY   20u

static void count(void *arg, struct db_rows *r) {
    *(uint64_t *)arg += db_col_u64(r, 0);
}

/* In a pipe: what went before the failure must not last. */
static sr_status write_all(struct db *db, struct sr_err *err) {
    struct db_val args[MANY][2];
    struct db_stmt s[MANY + 1];
    uint64_t sum = 0;
    for (unsigned i = 0; i < MANY; i++) {
        args[i][0] = db_u64(i);
        args[i][1] = db_text(SLICE_LIT("no \xff UTF-8"));
        s[i] = (struct db_stmt){
            .sql = i % 2 ? INSERT : INSERT " ON CONFLICT (id) DO NOTHING", .args = args[i], .n = 2};
    }
    s[MANY] = (struct db_stmt){.sql = "SELECT id FROM t", .row = count, .arg = &sum};
    SR_TRY(db_run_all(db, s, MANY + 1, err));
    assert_int_equal(sum, MANY * (MANY - 1) / 2);
    return SR_OK;
}

static sr_status look(struct db *db, struct sr_err *err) {
    struct db_rows *r = NULL;
    SR_TRY(db_select(db, "SELECT name FROM t WHERE id > $1", DB_ARGS(db_u64(MANY - 2)), &r, err));
    assert_true(db_next(r));
    assert_true(slice_is(db_col_bytes(r, 0), "no \xef\xbf\xbd UTF-8"));
    return db_end(r, err);
}

static sr_status work(struct db *db, struct sr_err *err) {
    uint64_t n = 1;
    SR_TRY(db_get_u64(db, "SELECT count(*) FROM t", DB_NO_ARGS, &n, err));
    assert_int_equal(n, 0);
    cleanup_db_tx struct db_tx tx = {0};
    SR_TRY(db_begin(db, &tx, err));
    SR_TRY(write_all(db, err));
    db_rollback(&tx);
    SR_TRY(write_all(db, err));
    SR_TRY(look(db, err));
    return db_script(db, "DELETE FROM t", err);
}

static sr_status a_session(void *arg, struct sr_err *err) {
    (void)arg;
    struct db *db = NULL;
    SR_TRY(db_open(server.url, 0, &db, err));
    sr_status st = work(db, err);
    if (st != SR_OK) { /* whichever way it ended: all of the writes, or none */
        nomem_pause();
        uint64_t n = 0;
        assert_int_equal(db_get_u64(db, "SELECT count(*) FROM t", DB_NO_ARGS, &n, NULL), SR_OK);
        assert_true(n == 0 || n == MANY);
        assert_int_equal(db_script(db, "DELETE FROM t", NULL), SR_OK);
    }
    db_close(db);
    return st;
}

static void a_database_on_a_server_survives_each_allocation_failing(void **state) {
    (void)state;
    if (!cluster_start(&server)) {
        print_message("PostgreSQL is not installed: nothing is tested\n");
        skip();
    }
    struct db *db = NULL;
    assert_int_equal(db_open(server.url, 0, &db, NULL), SR_OK);
    assert_int_equal(db_script(db, "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)", NULL),
                     SR_OK);
    db_close(db);
    assert_true(nomem_sweep("session", a_session, NULL) >= 10);
    cluster_stop(&server);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_database_on_a_server_survives_each_allocation_failing),
    };
    return cmocka_run_group_tests_name("nomem/postgresql", t, NULL, NULL);
}
