/* SPDX-License-Identifier: Apache-2.0 */
/* db.h over a PostgreSQL server, waiting in fibers (commit_fibers). */
#include "commit/commit.h"
#include <dirent.h>
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
    net_done();
    cluster_stop(&server);
    return 0;
}

static uint64_t descriptors(void) {
    uint64_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d)) n++;
    (void)closedir(d);
    return n;
}

static uint64_t before;
static int note_descriptors(void **state) {
    (void)state;
    if (server.pid) assert_int_equal(net_init(NULL), SR_OK);
    before = descriptors();
    return 0;
}
static int none_is_left(void **state) {
    (void)state;
    assert_int_equal(descriptors(), before);
    return 0;
}
#define TEST(f) cmocka_unit_test_setup_teardown(f, note_descriptors, none_is_left)

static struct db *opened(unsigned flags, unsigned connections) {
    struct db *db = NULL;
    struct sr_err err = {0};
    if (!server.pid) skip();
    if (db_open(server.url, flags, &db, &err) != SR_OK) fail_msg("%s", err.what);
    db_wait_by(db, &commit_fibers, connections);
    if (!(flags & DB_READ_ONLY)) /* before the loop runs it waits all the same */
        if (db_script(db,
                      "DROP TABLE IF EXISTS t; CREATE TABLE t (id BIGINT PRIMARY KEY, data BYTEA)",
                      &err) != SR_OK)
            fail_msg("%s", err.what);
    return db;
}
static uint64_t number(struct db *db, const char *sql) {
    uint64_t n = 0;
    struct sr_err err = {0};
    if (db_get_u64(db, sql, DB_NO_ARGS, &n, &err) != SR_OK) fail_msg("%s", err.what);
    return n;
}
static sr_status add(struct db *db, uint64_t id, struct sr_err *err) {
    return db_run(db, "INSERT INTO t (id) VALUES ($1)", DB_ARGS(db_u64(id)), err);
}

/* ---- several fibers at once */

struct job {
    struct db *db;
    void (*fn)(struct job *j);
    uint64_t in, out, ticks;
    sr_status st;
    struct sr_err err;
    struct crowd *crowd;
};
struct crowd {
    struct job *jobs;
    size_t n, left;
    struct fcond over;
};
static void one(void *arg) {
    struct job *j = arg;
    j->fn(j);
    j->crowd->left--;
    fcond_wake(&j->crowd->over);
}
static sr_status start_all(void *arg, struct sr_err *err) {
    struct crowd *c = arg;
    for (size_t i = 0; i < c->n; i++) {
        c->jobs[i].crowd = c;
        SR_TRY(fiber_start(one, &c->jobs[i], err));
    }
    while (c->left > 0) SR_TRY(fcond_wait(&c->over, 0, err));
    return SR_OK;
}
static int64_t together(struct job *jobs, size_t n) {
    struct crowd c = {.jobs = jobs, .n = n, .left = n};
    struct sr_err err = {0};
    int64_t start = clock_mono_us();
    if (net_call(start_all, &c, &err) != SR_OK) fail_msg("%s", err.what);
    return clock_mono_us() - start;
}

static void sleep_there(struct job *j, const char *sql) {
    j->st = db_get_u64(j->db, sql, DB_ARGS(db_u64(j->in)), &j->out, &j->err);
}
static void nap(struct job *j) {
    sleep_there(j, "SELECT CAST($1 AS BIGINT) FROM pg_sleep(0.5)");
}
static void long_nap(struct job *j) {
    sleep_there(j, "SELECT CAST($1 AS BIGINT) FROM pg_sleep(1)");
}
static void sleep_on(struct job *j) {
    sleep_there(j, "SELECT CAST($1 AS BIGINT) FROM pg_sleep(60)");
}
static void tick(struct job *j) {
    while (j->crowd->left > j->in && fiber_sleep(1, NULL) == SR_OK) j->ticks++;
}
static void get(struct job *j) {
    for (uint64_t i = 0; i < 20 && j->st == SR_OK; i++) {
        j->st = db_get_u64(j->db, "SELECT CAST($1 AS BIGINT) + CAST($2 AS BIGINT)",
                           DB_ARGS(db_u64(j->in), db_u64(i)), &j->out, &j->err);
        if (j->st == SR_OK && j->out != j->in + i) fail_msg("another's answer");
    }
}

static void selects_of_two_fibers_overlap(void **state) {
    (void)state;
    struct db *db = opened(DB_READ_ONLY, 2);
    struct job j[] = {{.db = db, .fn = nap, .in = 1}, {.db = db, .fn = nap, .in = 2}};
    (void)together(j, 2); /* the second connection is made */
    int64_t us = together(j, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(j[i].st, SR_OK);
        assert_int_equal(j[i].out, i + 1);
    }
    assert_true(us >= 500000);
    if (us >= 950000) fail_msg("one after the other: %lld us", (long long)us);
    db_close(db);
}

static void a_written_connection_lets_other_fibers_run(void **state) {
    (void)state;
    struct db *db = opened(0, 4);
    struct job j[] = {{.db = db, .fn = nap, .in = 1}, {.fn = tick, .in = 1}};
    (void)together(j, 2);
    assert_int_equal(j[0].st, SR_OK);
    assert_true(j[1].ticks >= 5);
    db_close(db);
}

/* Their statements would get into each other's transactions. */
static void two_writers_at_once_are_the_end(void **state) {
    (void)state;
    if (!server.pid) skip();
    int how = 0;
    net_done(); /* the child has a loop of its own */
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        struct db *db = opened(0, 1);
        struct job j[] = {{.db = db, .fn = nap}, {.db = db, .fn = nap}};
        (void)together(j, 2);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
    assert_int_equal(net_init(NULL), SR_OK);
}

#define OPEN_NOW "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'strongroom'"

static void many_fibers_share_few_connections(void **state) {
    (void)state;
    struct db *watch = opened(0, 1);
    uint64_t with_it = descriptors();
    for (unsigned connections = 1; connections <= 4; connections++) {
        struct db *db = opened(DB_READ_ONLY, connections);
        static struct job j[100];
        for (size_t i = 0; i < 100; i++) j[i] = (struct job){.db = db, .fn = get, .in = i * 1000};
        (void)together(j, 100);
        for (size_t i = 0; i < 100; i++) {
            if (j[i].st != SR_OK) fail_msg("%s", j[i].err.what);
            assert_int_equal(j[i].out, i * 1000 + 19);
        }
        /* those of the round before may take a moment to end */
        for (int i = 0; number(watch, OPEN_NOW) != 1 + connections; i++) {
            assert_true(i < 1000 && number(watch, OPEN_NOW) >= 1 + connections);
            (void)usleep(10000);
        }
        assert_int_equal(descriptors(), with_it + connections);
        struct db_tx tx = {0};
        assert_int_equal(db_begin(db, &tx, NULL), SR_E_USAGE);
        assert_int_equal(number(db, "SELECT 5"), 5); /* outside of fibers */
        db_close(db);
    }
    db_close(watch);
}

/* ---- stopping in the middle */

struct stop {
    struct db *written, *pool;
    bool within;
    sr_status sleeper, writer, queued, end;
    unsigned over;
};

static void writes_slowly(void *arg) {
    struct stop *s = arg;
    struct db_tx tx = {0}, in = {0};
    struct sr_err err = {0};
    if (db_begin(s->written, &tx, &err) == SR_OK && db_begin(s->written, &in, &err) == SR_OK &&
        add(s->written, 1, &err) == SR_OK) {
        s->within = true;
        s->writer =
            db_run(s->written, "SELECT pg_sleep(30) WHERE 1 = $1", DB_ARGS(db_u64(1)), &err);
        db_rollback(&in); /* it must not wait for the server */
        s->end = db_commit(&tx, NULL);
    }
    s->over++;
}
static void reads_slowly(void *arg) {
    struct stop *s = arg;
    s->sleeper = db_run(s->pool, "SELECT pg_sleep(30)", DB_NO_ARGS, NULL);
    s->over++;
}
static void waits_in_the_queue(void *arg) {
    struct stop *s = arg;
    s->queued = db_run(s->pool, "SELECT 1", DB_NO_ARGS, NULL);
    s->over++;
}
static void stops(void *arg) {
    struct stop *s = arg;
    while (!s->within && fiber_sleep(5, NULL) == SR_OK) continue;
    net_stop();
}

static void a_stop_in_the_middle_leaves_nothing_and_waits_for_nobody(void **state) {
    (void)state;
    struct stop s = {.written = opened(0, 1), .pool = opened(DB_READ_ONLY, 1)};
    int64_t start = clock_mono_us();
    assert_int_equal(net_init(NULL), SR_OK);
    assert_int_equal(fiber_start(reads_slowly, &s, NULL), SR_OK);
    assert_int_equal(fiber_start(waits_in_the_queue, &s, NULL), SR_OK);
    assert_int_equal(fiber_start(writes_slowly, &s, NULL), SR_OK);
    assert_int_equal(fiber_start(stops, &s, NULL), SR_OK);
    net_run();
    assert_int_equal(s.over, 3);
    assert_int_equal(s.sleeper, SR_E_CANCELLED);
    assert_int_equal(s.queued, SR_E_CANCELLED);
    assert_int_equal(s.writer, SR_E_CANCELLED);
    assert_int_equal(s.end, SR_E_UNAVAILABLE);
    /* both are made again, in fibers too */
    struct job j[] = {{.db = s.pool, .fn = get, .in = 7}, {.db = s.written, .fn = get, .in = 8}};
    (void)together(j, 2);
    assert_true(j[0].st == SR_OK && j[1].st == SR_OK);
    assert_int_equal(number(s.written, "SELECT count(*) FROM t"), 0);
    /* the server has noticed: nothing is locked any more */
    assert_int_equal(db_script(s.written, "DROP TABLE t", NULL), SR_OK);
    assert_true(clock_mono_us() - start < 10000000);
    db_close(s.pool);
    db_close(s.written);
}

struct halt {
    struct db *db;
    sr_status st;
    struct sr_err err;
    uint64_t rows;
    bool wait_for_rows, over;
};
static void see(void *arg, struct db_rows *r) {
    (void)r;
    ((struct halt *)arg)->rows++;
}
static void pipes_slowly(void *arg) {
    struct halt *h = arg;
    struct db_stmt s[100];
    for (size_t i = 0; i < 100; i++)
        s[i] = (struct db_stmt){.sql = "SELECT repeat('x', 20000)", .row = see, .arg = h};
    s[70].sql = "SELECT pg_sleep(30)";
    h->st = db_run_all(h->db, s, 100, &h->err);
    h->over = true;
}
static void reads_once(void *arg) {
    struct halt *h = arg;
    h->st = db_run(h->db, "SELECT 1", DB_NO_ARGS, &h->err);
    h->over = true;
}
static void stops_in_the_middle(void *arg) {
    const struct halt *h = arg;
    while (h->wait_for_rows && h->rows < 10 && fiber_sleep(1, NULL) == SR_OK) continue;
    if (!h->wait_for_rows) (void)!fiber_sleep(20, NULL); /* nothing tells */
    net_stop();
}
static int64_t halted(struct halt *h, void (*fn)(void *arg)) {
    int64_t start = clock_mono_us();
    assert_int_equal(fiber_start(fn, h, NULL), SR_OK);
    assert_int_equal(fiber_start(stops_in_the_middle, h, NULL), SR_OK);
    net_run();
    assert_true(h->over);
    return clock_mono_us() - start;
}

static void a_stop_within_a_pipe_leaves_it(void **state) {
    (void)state;
    struct halt h = {.db = opened(0, 1), .wait_for_rows = true};
    assert_true(halted(&h, pipes_slowly) < 5000000);
    assert_int_equal(h.st, SR_E_CANCELLED);
    assert_true(h.rows >= 10 && h.rows <= 70);
    assert_int_equal(number(h.db, "SELECT 5"), 5);
    db_close(h.db);
}

/* It takes the connection (the kernel does) and says nothing. */
static void a_stop_while_connecting_is_heard(void **state) {
    (void)state;
    struct halt h = {.db = opened(DB_READ_ONLY, 1)};
    assert_int_equal(number(h.db, "SELECT 5"), 5);
    struct db *other = opened(DB_READ_ONLY, 1);
    assert_int_equal(
        db_run(other,
               "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> "
               "pg_backend_pid() AND usename = 'strongroom'",
               DB_NO_ARGS, NULL),
        SR_OK);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    assert_true(halted(&h, reads_once) < 5000000);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    assert_int_equal(h.st, SR_E_CANCELLED);
    assert_int_equal(number(h.db, "SELECT 5"), 5);
    db_close(other);
    db_close(h.db);
}

/* ---- a server that says nothing */

static sr_status impatient(int fd, int events, uint64_t timeout_ms, struct sr_err *err) {
    return commit_fibers.ready(fd, events, timeout_ms ? 700 : 0, err);
}

static void a_silent_server_is_given_up(void **state) {
    (void)state;
    struct db_waits waits = commit_fibers;
    waits.ready = impatient;
    struct db *db = opened(DB_READ_ONLY, 1), *written = opened(0, 1);
    db_wait_by(db, &waits, 1);
    db_wait_by(written, &waits, 1);
    struct job j[] = {{.db = db, .fn = sleep_on},
                      {.db = db, .fn = get, .in = 3},
                      {.db = written, .fn = long_nap}};
    (void)together(j, 3);
    assert_int_equal(j[0].st, SR_E_TIMEOUT);
    assert_non_null(strstr(j[0].err.what, "database"));
    assert_int_equal(j[1].st, SR_OK); /* on a new connection */
    assert_int_equal(j[2].st, SR_OK); /* a writer has patience */
    assert_int_equal(
        db_run(written,
               "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> "
               "pg_backend_pid() AND usename = 'strongroom'",
               DB_NO_ARGS, NULL),
        SR_OK);
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    j[0] = (struct job){.db = db, .fn = get};
    (void)together(j, 1);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    assert_int_equal(j[0].st, SR_E_UNAVAILABLE);
    assert_non_null(strstr(j[0].err.hint, "server up"));
    (void)together(&j[1], 1);
    assert_int_equal(j[1].st, SR_OK);
    db_close(written);
    db_close(db);
}

/* ---- a server that comes and goes */

static void all_kinds(struct job *j) {
    struct sr_err err = {0};
    j->st =
        db_get_u64(j->db, "SELECT CAST($1 AS BIGINT)", DB_ARGS(db_u64(j->in)), &j->out, &j->err);
    struct db_stmt s[] = {{.sql = "SELECT 1"}, {.sql = "SELECT 2"}};
    sr_status all = db_run_all(j->db, s, 2, &err);
    if (all != j->st) fail_msg("%d, and all: %d", j->st, all);
}

static void a_server_may_be_away_for_a_while(void **state) {
    (void)state;
    struct db *pool = opened(DB_READ_ONLY, 3), *written = opened(0, 1);
    struct job j[7];
    for (int round = 0; round < 4; round++) {
        if (round == 1 || round == 3) cluster_break(&server);
        if (round == 2 || round == 3) cluster_serve(&server);
        for (size_t i = 0; i < 7; i++)
            j[i] = (struct job){.db = i ? pool : written, .fn = all_kinds, .in = i};
        if (round == 3) { /* a write is not done again by itself: the first one after it fails */
            assert_int_equal(add(written, 1, NULL), SR_E_UNAVAILABLE);
            assert_int_equal(add(written, 1, NULL), SR_OK);
        }
        (void)together(j, 7);
        for (size_t i = 0; i < 7; i++) {
            if (j[i].st != (round == 1 ? SR_E_UNAVAILABLE : SR_OK))
                fail_msg("round %d, %zu: %s", round, i, j[i].err.what);
            if (round == 1) assert_non_null(strstr(j[i].err.hint, "server up"));
            if (round != 1) assert_int_equal(j[i].out, i);
        }
    }
    db_close(written);
    db_close(pool);
}

/* ---- pipes */

#define MANY 3000u
#define BIG  3000u

static void count_bytes(void *arg, struct db_rows *r) {
    struct job *j = arg;
    j->out += db_col_bytes(r, 0).n;
}
static void much(struct job *j) {
    static uint8_t big[BIG];
    const struct db_val arg = db_blob(slice_of(big, BIG));
    struct db_stmt *s = sr_calloc_n(MANY, sizeof *s);
    assert_non_null(s);
    for (size_t i = 0; i < MANY; i++)
        s[i] = (struct db_stmt){
            .sql = "SELECT CAST($1 AS BYTEA)", .args = &arg, .n = 1, .row = count_bytes, .arg = j};
    j->st = db_run_all(j->db, s, MANY, &j->err);
    free(s);
}

static void large_pipes_flow_beside_each_other(void **state) {
    (void)state;
    struct db *pool = opened(DB_READ_ONLY, 2), *written = opened(0, 1);
    struct job j[] = {{.db = pool, .fn = much},
                      {.db = written, .fn = much},
                      {.db = pool, .fn = much},
                      {.db = pool, .fn = much},
                      {.fn = tick, .in = 1}};
    (void)together(j, 5);
    for (size_t i = 0; i < 4; i++) {
        if (j[i].st != SR_OK) fail_msg("%s", j[i].err.what);
        assert_int_equal(j[i].out, MANY * BIG);
    }
    assert_true(j[4].ticks > 3);
    db_close(written);
    db_close(pool);
}

/* ---- a group over a server */

struct insert {
    struct commit_job job;
    uint64_t id;
};
static sr_status insert_all(void *role, struct commit_job **jobs, size_t n, struct sr_err *err) {
    for (size_t i = 0; i < n; i++)
        SR_TRY(add(role, ((const struct insert *)(const void *)jobs[i])->id, err));
    return SR_OK;
}
static struct commit_group *group;
static void write_one(struct job *j) {
    struct insert *i = sr_calloc_n(1, sizeof *i);
    assert_non_null(i);
    i->job.run = insert_all;
    i->id = j->in;
    struct commit_job *job = &i->job;
    j->st = commit_do(group, &job, &j->err);
    free(job);
}

static void a_group_commits_on_a_server(void **state) {
    (void)state;
    static const struct commit_hooks none;
    struct db *db = opened(0, 1);
    assert_int_equal(commit_new(db, db, &none, &group, NULL), SR_OK);
    static struct job j[200];
    for (size_t i = 0; i < 200; i++) j[i] = (struct job){.fn = write_one, .in = i};
    (void)together(j, 200);
    for (size_t i = 0; i < 200; i++)
        if (j[i].st != SR_OK) fail_msg("%s", j[i].err.what);
    assert_int_equal(number(db, "SELECT count(*) FROM t"), 200);
    commit_free(group);
    db_close(db);
}

int main(void) {
    const struct CMUnitTest t[] = {
        TEST(selects_of_two_fibers_overlap),
        TEST(a_written_connection_lets_other_fibers_run),
        TEST(two_writers_at_once_are_the_end),
        TEST(many_fibers_share_few_connections),
        TEST(a_stop_in_the_middle_leaves_nothing_and_waits_for_nobody),
        TEST(a_stop_within_a_pipe_leaves_it),
        TEST(a_stop_while_connecting_is_heard),
        TEST(a_silent_server_is_given_up),
        TEST(a_server_may_be_away_for_a_while),
        TEST(large_pipes_flow_beside_each_other),
        TEST(a_group_commits_on_a_server),
    };
    return cmocka_run_group_tests_name("commit/postgresql in fibers", t, set_up, tear_down);
}
