/* SPDX-License-Identifier: Apache-2.0 */
#include "db/db.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const schema[] = {
    "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, data BYTEA, big BYTEA)",
    "CREATE TABLE u (k TEXT PRIMARY KEY); CREATE INDEX t_name ON t (name)",
};
static char dir[] = "test-db-XXXXXX"; /* in the folder the test is run in: the build's */

static int set_up(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}
static int tear_down(void **state) {
    (void)state;
    return fs_remove_tree(dir, NULL) == SR_OK ? 0 : -1;
}
static struct db *fresh(void) {
    struct db *db = NULL;
    struct sr_err err = {0};
    assert_int_equal(db_open(":memory:", 0, &db, &err), SR_OK);
    assert_int_equal(db_migrate(db, schema, 2, &err), SR_OK);
    return db;
}
static uint64_t count(struct db *db) {
    uint64_t n = 0;
    assert_int_equal(db_get_u64(db, "SELECT count(*) FROM t", DB_NO_ARGS, &n, NULL), SR_OK);
    return n;
}
static sr_status add(struct db *db, uint64_t id, struct sr_err *err) {
    return db_run(db, "INSERT INTO t (id) VALUES ($1)", DB_ARGS(db_u64(id)), err);
}

static void values_of_every_type_come_back(void **state) {
    (void)state;
    struct db *db = fresh();
    struct sr_err err = {0};
    uint8_t be[32];
    struct u256 big;
    assert_true(u256_parse(slice_str("123456789012345678901234567890"), &big));
    u256_to_be(be, big);
    /* parameters are bound by number, in any order and more than once */
    assert_int_equal(db_run(db, "INSERT INTO t (big, data, name, id) VALUES ($4, $3, $2, $1)",
                            DB_ARGS(db_u64(INT64_MAX), db_str("na'me"),
                                    db_blob(SLICE_LIT("\0x\xff")), db_u256(be)),
                            &err),
                     SR_OK);
    assert_int_equal(db_changed(db), 1);
    assert_int_equal(db_run(db, "INSERT INTO t (id, name, data) VALUES ($1, $2, $2)",
                            DB_ARGS(db_u64(1), db_text(slice_of(NULL, 0))), &err),
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
    assert_true(db_col_u64(r, 1) == 0 && db_col_bytes(r, 0).n == 0 &&
                addr_is_zero(&(struct addr){{0}}));
    assert_true(db_next(r));
    assert_true(!db_col_is_null(r, 1) && db_col_bytes(r, 1).n == 0 && db_col_is_null(r, 3));
    assert_false(db_next(r));
    assert_int_equal(db_end(r, &err), SR_OK);
    db_close(db);
}

static void wrong_use_is_told(void **state) {
    (void)state;
    struct db *db = fresh();
    struct sr_err err = {0};
    struct db_rows *r = NULL;
    uint64_t n = 0;
    assert_int_equal(db_run(db, "INSERT INTO t (id) VALUES ($1)", DB_NO_ARGS, NULL), SR_E_USAGE);
    assert_int_equal(db_run(db, "INSERT INTO t (id) VALUES (?)", DB_ARGS(db_u64(1)), NULL),
                     SR_E_USAGE);
    assert_int_equal(db_run(db, "INSERT INTO none VALUES (1)", DB_NO_ARGS, &err), SR_E_USAGE);
    assert_non_null(strstr(err.what, "no such table"));
    assert_int_equal(db_run(db, "", DB_NO_ARGS, NULL), SR_E_SYS);
    assert_int_equal(add(db, (uint64_t)INT64_MAX + 1, NULL), SR_E_RANGE);
    assert_int_equal(db_get_u64(db, "SELECT id FROM t", DB_NO_ARGS, &n, NULL), SR_E_NOTFOUND);
    assert_int_equal(add(db, 1, NULL), SR_OK);
    assert_int_equal(add(db, 1, NULL), SR_E_CONFLICT);
    assert_int_equal(db_select(db, "SELECT \"none\" FROM t", DB_NO_ARGS, &r, NULL), SR_E_USAGE);
    db_close(db);
}

static void one_text_may_be_open_twice_and_many_texts_share_the_cache(void **state) {
    (void)state;
    struct db *db = fresh();
    for (uint64_t i = 1; i <= 3; i++) assert_int_equal(add(db, i, NULL), SR_OK);
    const char *sql = "SELECT id FROM t ORDER BY id";
    struct db_rows *a = NULL, *b = NULL;
    assert_int_equal(db_select(db, sql, DB_NO_ARGS, &a, NULL), SR_OK);
    size_t pairs = 0;
    while (db_next(a)) {
        assert_int_equal(db_select(db, sql, DB_NO_ARGS, &b, NULL), SR_OK);
        while (db_next(b)) pairs += db_col_u64(a, 0) != db_col_u64(b, 0);
        assert_int_equal(db_end(b, NULL), SR_OK);
        for (unsigned i = 0; i < 2 * DB_CACHED; i++) { /* texts made at run time, freed at once */
            char text[60];
            uint64_t v;
            (void)snprintf(text, sizeof text, "SELECT %u", i);
            assert_int_equal(db_get_u64(db, text, DB_NO_ARGS, &v, NULL), SR_OK);
            assert_int_equal(v, i);
        }
    }
    assert_int_equal(pairs, 6);
    assert_int_equal(db_end(a, NULL), SR_OK);
    db_close(db);
}

static void an_unfinished_transaction_leaves_nothing(void **state) {
    (void)state;
    struct db *db = fresh();
    {
        cleanup_db_tx struct db_tx tx = {0};
        assert_int_equal(db_begin(db, &tx, NULL), SR_OK);
        assert_int_equal(add(db, 1, NULL), SR_OK);
    }
    assert_int_equal(count(db), 0);
    cleanup_db_tx struct db_tx outer = {0};
    assert_int_equal(db_begin(db, &outer, NULL), SR_OK);
    assert_int_equal(add(db, 1, NULL), SR_OK);
    {
        cleanup_db_tx struct db_tx inner = {0};
        assert_int_equal(db_begin(db, &inner, NULL), SR_OK);
        assert_int_equal(add(db, 2, NULL), SR_OK);
    }
    {
        cleanup_db_tx struct db_tx inner = {0};
        assert_int_equal(db_begin(db, &inner, NULL), SR_OK);
        assert_int_equal(add(db, 3, NULL), SR_OK);
        assert_int_equal(db_commit(&inner, NULL), SR_OK);
    }
    assert_int_equal(db_commit(&outer, NULL), SR_OK);
    assert_int_equal(count(db), 2);
    db_rollback(&outer);
    db_close(db);
}

static void a_failed_migration_changes_nothing_and_steps_run_once(void **state) {
    (void)state;
    cleanup_free char *path = path_join(dir, "migrate");
    static const char *const broken[] = {"CREATE TABLE a (x BIGINT)",
                                         "CREATE TABLE b (x BIGINT); CREATE TABLE a (y BIGINT)"};
    static const char *const mended[] = {"CREATE TABLE a (x BIGINT)", "CREATE TABLE b (x BIGINT)"};
    for (int round = 0; round < 3; round++) {
        struct db *db = NULL;
        struct sr_err err = {0};
        assert_int_equal(db_open(path, DB_SYNC_EACH, &db, &err), SR_OK);
        if (round == 0) {
            assert_int_equal(db_migrate(db, broken, 2, &err), SR_E_USAGE);
            assert_int_equal(db_run(db, "SELECT * FROM b", DB_NO_ARGS, NULL), SR_E_USAGE);
        } else {
            assert_int_equal(db_migrate(db, mended, 2, &err), SR_OK);
            assert_int_equal(db_migrate(db, mended, 1, &err), SR_E_CONFLICT); /* newer than known */
        }
        assert_int_equal(db_check(db, &(struct sr_err){0}), SR_OK);
        db_close(db);
    }
    struct stat s;
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 077, 0);
}

static void a_step_that_was_changed_in_place_is_noticed(void **state) {
    (void)state;
    cleanup_free char *path = path_join(dir, "changed");
    static const char *const then[] = {"CREATE TABLE a (x BIGINT)"};
    static const char *const changed[] = {"CREATE TABLE a (x BIGINT, y BIGINT)",
                                          "CREATE TABLE b (x BIGINT)"};
    static const char *const grown[] = {"CREATE TABLE a (x BIGINT)", "CREATE TABLE b (x BIGINT)"};
    static const char *const *const opened[] = {then, changed, grown, changed, grown};
    for (size_t i = 0; i < SR_ARRAY_LEN(opened); i++) {
        struct db *db = NULL;
        struct sr_err err = {0};
        assert_int_equal(db_open(path, 0, &db, &err), SR_OK);
        sr_status st = db_migrate(db, opened[i], opened[i] == then ? 1 : 2, &err);
        if (opened[i] == changed) {
            assert_int_equal(st, SR_E_CONFLICT);
            assert_true(err.hint[0] != 0);
            if (i == 1) /* and nothing was done to it */
                assert_int_equal(db_run(db, "SELECT * FROM b", DB_NO_ARGS, NULL), SR_E_USAGE);
        } else {
            assert_int_equal(st, SR_OK);
        }
        if (i == 2) /* a file from before the texts were kept: taken as it is, and remembered */
            assert_int_equal(db_run(db, "DELETE FROM schema_step", DB_NO_ARGS, NULL), SR_OK);
        if (i == 2) assert_int_equal(db_migrate(db, grown, 2, &err), SR_OK);
        db_close(db);
    }
}

static void a_full_disk_a_damaged_file_and_a_foreign_file_have_clear_errors(void **state) {
    (void)state;
    cleanup_free char *path = path_join(dir, "full");
    struct db *db = NULL;
    struct sr_err err = {0};
    assert_int_equal(db_open(path, 0, &db, &err), SR_OK);
    assert_int_equal(db_migrate(db, schema, 2, &err), SR_OK);
    assert_int_equal(db_script(db, "PRAGMA max_page_count = 12", &err), SR_OK);
    sr_status st = SR_OK;
    uint8_t block[4000];
    memset(block, 'x', sizeof block);
    {
        cleanup_db_tx struct db_tx tx = {0};
        assert_int_equal(db_begin(db, &tx, &err), SR_OK);
        for (uint64_t i = 0; i < 50 && st == SR_OK; i++)
            st = db_run(db, "INSERT INTO t (id, data) VALUES ($1, $2)",
                        DB_ARGS(db_u64(i), db_blob(slice_of(block, sizeof block))), &err);
    }
    assert_int_equal(st, SR_E_SYS);
    assert_int_equal(err.sys, ENOSPC);
    assert_true(err.hint[0]);
    assert_int_equal(count(db), 0);
    assert_int_equal(add(db, 1, NULL), SR_OK); /* still usable */
    db_close(db);
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    assert_int_equal(fs_read(path, &b, NULL), SR_OK);
    memset(b.p + 4096, 0xee, b.n - 4096);
    assert_int_equal(fs_write_atomic(path, buf_slice(&b), 0600, NULL), SR_OK);
    err = (struct sr_err){0};
    st = db_open(path, 0, &db, &err);
    if (st == SR_OK) {
        st = db_run(db, "SELECT count(*) FROM t", DB_NO_ARGS, &err);
        assert_int_not_equal(db_check(db, NULL), SR_OK);
        db_close(db);
    }
    assert_int_equal(st, SR_E_SYS);
    assert_int_equal(err.sys, EUCLEAN);
    assert_int_equal(fs_write_atomic(path,
                                     SLICE_LIT("this is no database, it is a text of some length"),
                                     0600, NULL),
                     SR_OK);
    err = (struct sr_err){0};
    assert_int_equal(db_open(path, 0, &db, &err), SR_E_SYS);
    assert_non_null(strstr(err.what, path));
    err = (struct sr_err){0};
    assert_int_equal(db_open("no-such-folder/x", 0, &db, &err), SR_E_SYS);
    assert_int_equal(err.sys, ENOENT);
    /* everybody sees a command line: no passwords in it, whatever the engine */
    err = (struct sr_err){0};
    st = db_open("postgresql://me:hush@localhost/x", 0, &db, &err);
    if (st != SR_E_UNAVAILABLE) assert_int_equal(st, SR_E_USAGE); /* without libpq */
    assert_null(strstr(err.what, "hush"));
}

static void the_log_to_ask_the_disk_for_is_there_or_its_loss_is_told(void **state) {
    (void)state;
    cleanup_free char *path = path_join(dir, "log"), *log = path_join(dir, "log-wal");
    struct db *db = NULL;
    assert_int_equal(db_open(path, 0, &db, NULL), SR_OK);
    assert_int_equal(db_migrate(db, schema, 2, NULL), SR_OK);
    assert_int_equal(unlink(log), 0); /* stands for a process without free descriptors */
    assert_int_equal(db_sync_fd(db), DB_SYNC_LOST);
    db_close(db);
    assert_int_equal(db_open(path, 0, &db, NULL), SR_OK);
    assert_int_equal(db_script(db, "CREATE TABLE v (id BIGINT)", NULL), SR_OK);
    int fd = db_sync_fd(db);
    assert_true(fd >= 0 && fdatasync(fd) == 0 && db_sync_fd(db) == fd);
    db_close(db);
    assert_int_equal(db_open(path, DB_SYNC_EACH, &db, NULL), SR_OK);
    assert_int_equal(db_sync_fd(db), DB_SYNC_NONE);
    db_close(db);
    assert_int_equal(db_open(":memory:", 0, &db, NULL), SR_OK);
    assert_int_equal(db_sync_fd(db), DB_SYNC_NONE);
    db_close(db);
}

/* What is committed lies in the log at first; the next one that opens the file does not trust a log
 * that it has not written. */
static void
what_a_killed_writer_left_in_the_log_is_in_the_file_after_the_next_opening(void **state) {
    (void)state;
    cleanup_free char *path = path_join(dir, "left"), *copy = path_join(dir, "copy");
    struct db *db = NULL;
    pid_t pid = fork();
    if (pid == 0)
        _exit(db_open(path, 0, &db, NULL) == SR_OK && db_migrate(db, schema, 2, NULL) == SR_OK &&
                      add(db, 1, NULL) == SR_OK
                  ? 0
                  : 1);
    int how;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_int_equal(how, 0);
    for (int opened = 0; opened < 2; opened++) {
        cleanup_buf struct buf b;
        buf_init(&b, 1u << 20);
        if (opened) assert_int_equal(db_open(path, 0, &db, NULL), SR_OK);
        assert_int_equal(fs_read(path, &b, NULL), SR_OK); /* the file without its log */
        assert_int_equal(fs_write_atomic(copy, buf_slice(&b), 0600, NULL), SR_OK);
        if (opened) db_close(db);
        uint64_t n = 0;
        assert_int_equal(db_open(copy, 0, &db, NULL), SR_OK);
        sr_status st = db_get_u64(db, "SELECT count(*) FROM t", DB_NO_ARGS, &n, NULL);
        assert_true(opened ? st == SR_OK && n == 1 : st != SR_OK);
        db_close(db);
    }
}

/* The writer is killed in the middle of its work, again and again: whole transactions are there,
 * halves never. */
/* Bytes of the log after 300 commits of a page or more each. */
static off_t log_after(unsigned limit) {
    char path[64], wal[80];
    struct sr_err err = {0};
    struct db *db;
    struct stat sb;
    (void)snprintf(path, sizeof path, "%s/log%u.db", dir, limit);
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(db_open(path, 0, &db, &err), SR_OK);
    assert_int_equal(db_migrate(db, schema, 2, &err), SR_OK);
    if (limit) db_log_limit(db, limit);
    for (uint64_t i = 0; i < 300; i++) assert_int_equal(add(db, i, &err), SR_OK);
    assert_int_equal(stat(wal, &sb), 0);
    db_close(db);
    return sb.st_size;
}

static void a_log_is_written_back_when_it_is_as_long_as_it_may_be(void **state) {
    (void)state;
    off_t shortest = log_after(20), usual = log_after(0), same = log_after(DB_LOG_PAGES);
    assert_true(shortest < 60 * 4200); /* begun again in time */
    assert_true(usual > 300 * 4096 && same == usual);
}

static void a_killed_writer_leaves_whole_transactions(void **state) {
    (void)state;
    cleanup_free char *path = path_join(dir, "killed");
    struct db *db = NULL;
    uint64_t last = 0;
    for (int round = 0; round < 5; round++) {
        int p[2];
        char c;
        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
            if (db_open(path, DB_SYNC_EACH, &db, NULL) != SR_OK ||
                db_migrate(db, schema, 2, NULL) != SR_OK)
                _exit(1);
            for (uint64_t i = last;; i += 2) {
                struct db_tx tx = {0};
                if (db_begin(db, &tx, NULL) != SR_OK || add(db, i + 1, NULL) != SR_OK ||
                    add(db, i + 2, NULL) != SR_OK || db_commit(&tx, NULL) != SR_OK)
                    _exit(1);
                if (i > last + 6 && write(p[1], "x", 1) != 1) _exit(1);
            }
        }
        (void)close(p[1]);
        assert_int_equal(read(p[0], &c, 1), 1);
        assert_int_equal(kill(pid, 9), 0);
        int how;
        assert_int_equal(waitpid(pid, &how, 0), pid);
        (void)close(p[0]);
        assert_true(WIFSIGNALED(how));
        assert_int_equal(db_open(path, 0, &db, NULL), SR_OK);
        assert_int_equal(db_check(db, NULL), SR_OK);
        uint64_t n = count(db);
        assert_true(n % 2 == 0 && n > last + 6);
        last = n;
        db_close(db);
    }
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(values_of_every_type_come_back),
        cmocka_unit_test(wrong_use_is_told),
        cmocka_unit_test(one_text_may_be_open_twice_and_many_texts_share_the_cache),
        cmocka_unit_test(an_unfinished_transaction_leaves_nothing),
        cmocka_unit_test(a_failed_migration_changes_nothing_and_steps_run_once),
        cmocka_unit_test(a_step_that_was_changed_in_place_is_noticed),
        cmocka_unit_test(a_full_disk_a_damaged_file_and_a_foreign_file_have_clear_errors),
        cmocka_unit_test(the_log_to_ask_the_disk_for_is_there_or_its_loss_is_told),
        cmocka_unit_test(
            what_a_killed_writer_left_in_the_log_is_in_the_file_after_the_next_opening),
        cmocka_unit_test(a_log_is_written_back_when_it_is_as_long_as_it_may_be),
        cmocka_unit_test(a_killed_writer_leaves_whole_transactions),
    };
    return cmocka_run_group_tests_name("db", t, set_up, tear_down);
}
