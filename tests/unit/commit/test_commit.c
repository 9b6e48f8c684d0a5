/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that are committed together: on a file, with a disk that can be held and can fail. */
#include "../net/net_test.h"
#include "commit/commit.h"
#include "disk.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the disk */

static int64_t wait_ms;

static int disk_sync(int fd) {
    return disk_answer(fd, fdatasync);
}

#undef COMMIT_WAIT_MS
#define COMMIT_WAIT_MS wait_ms
#define fdatasync      disk_sync
#include "commit/commit.c"
#undef fdatasync

/* ---- the world */

static const char *const schema[] = {
    "CREATE TABLE t (id BIGINT PRIMARY KEY, data BYTEA); CREATE TABLE u (id BIGINT PRIMARY KEY)"};

static struct {
    char dir[32];
    struct db *db;
    struct commit_group *g;
    unsigned begun, ended, committed, lasts, undone; /* calls of the hooks */
    unsigned added, most, noted;    /* jobs of kind add, at most in one call, of kind note */
    unsigned told_asked, asked_for; /* hook: how often, with so many commits */
    unsigned dropped;
    bool begin_fails, end_fails;
} W;

static sr_status on_begin(void *role, struct sr_err *err) {
    (void)role;
    W.begun++;
    return W.begin_fails ? sr_fail(err, SR_E_REFUSED, "no begin") : SR_OK;
}
static sr_status on_end(void *role, struct sr_err *err) {
    (void)role;
    W.ended++;
    return W.end_fails ? sr_fail(err, SR_E_REFUSED, "no end") : SR_OK;
}
static void on_committed(void *role) {
    (void)role;
    W.committed++;
}
static void on_lasts(void *role) {
    (void)role;
    W.lasts++;
}
static void on_undone(void *role) {
    (void)role;
    W.undone++;
}
static void on_asked(void *role) {
    (void)role;
    W.told_asked++;
    W.asked_for = W.committed;
}
static const struct commit_hooks hooks = {.begin = on_begin,
                                          .end = on_end,
                                          .committed = on_committed,
                                          .asked = on_asked,
                                          .lasts = on_lasts,
                                          .undone = on_undone};
static const struct commit_hooks no_hooks = {.begin = NULL};

static int open_world(const char *path) {
    if (db_open(path, 0, &W.db, NULL) != SR_OK || db_migrate(W.db, schema, 1, NULL) != SR_OK ||
        commit_new(W.db, &W, &hooks, &W.g, NULL) != SR_OK)
        return -1;
    return 0;
}

static int set_up(void **state) {
    (void)state;
    memset(&W, 0, sizeof W);
    (void)snprintf(W.dir, sizeof W.dir, "test-commit-XXXXXX"); /* in the build's folder */
    cleanup_free char *path = mkdtemp(W.dir) ? path_join(W.dir, "db") : NULL;
    wait_ms = 30000;
    return path && disk_begin() ? open_world(path) : -1;
}

static sr_status until_idle(void *arg, struct sr_err *err) {
    (void)arg;
    while (commit_is_busy(W.g)) SR_TRY(fiber_sleep(0, err));
    return SR_OK;
}

static int tear_down(void **state) {
    (void)state;
    if (net_call(until_idle, NULL, NULL) != SR_OK) return -1;
    commit_free(W.g);
    db_close(W.db);
    disk_end();
    return fs_remove_tree(W.dir, NULL) == SR_OK ? 0 : -1;
}

static uint64_t count(const char *sql) {
    uint64_t n = 0;
    return db_get_u64(W.db, sql, DB_NO_ARGS, &n, NULL) == SR_OK ? n : UINT64_MAX;
}
#define IN_T count("SELECT count(*) FROM t")

/* ---- jobs */

struct add_job {
    struct commit_job j;
    uint64_t id;
    size_t bytes;         /* of data */
    unsigned puts_off;    /* says `again` so many times */
    bool spoils;          /* the transaction */
    unsigned ran_as;      /* the how manieth to be added, of all */
    unsigned transaction; /* in which it ran last */
};

static sr_status run_add(void *role, struct commit_job **jobs, size_t n, struct sr_err *err) {
    static const uint8_t bytes[4000];
    SR_ASSERT(role == &W);
    if (n > W.most) W.most = (unsigned)n;
    for (size_t i = 0; i < n; i++) {
        struct add_job *a = (struct add_job *)jobs[i];
        a->ran_as = ++W.added;
        a->transaction = W.begun;
        if (a->puts_off > 0) {
            a->puts_off--;
            a->j.again = true;
            continue;
        }
        sr_status st =
            db_run(W.db, "INSERT INTO t (id, data) VALUES ($1, $2)",
                   DB_ARGS(db_u64(a->id), db_blob(slice_of(bytes, a->bytes))), &a->j.why);
        if (st != SR_OK && st != SR_E_CONFLICT) {
            *err = a->j.why;
            return st;
        }
        a->j.st = st;
        if (a->spoils) return sr_fail(err, SR_E_RANGE, "job %llu", (unsigned long long)a->id);
    }
    return SR_OK;
}

static sr_status run_note(void *role, struct commit_job **jobs, size_t n, struct sr_err *err) {
    (void)role;
    W.noted += (unsigned)n;
    for (size_t i = 0; i < n; i++)
        SR_TRY(db_run(W.db, "INSERT INTO u (id) VALUES ($1)",
                      DB_ARGS(db_u64(((struct add_job *)jobs[i])->id)), err));
    return SR_OK;
}

static void drop_add(struct commit_job *take_j) {
    W.dropped++;
    free(take_j);
}

/* A fiber with its job, and what came of it. */
struct writer {
    struct add_job set; /* copied into a job of its own */
    sr_status st;
    struct sr_err why;
    bool done, kept; /* the job was the caller's again */
    struct add_job after;
};
static struct fcond some_done;

static void writer_run(void *arg) {
    struct writer *w = arg;
    struct add_job *a = malloc(sizeof *a);
    SR_ASSERT(a != NULL);
    *a = w->set;
    if (!a->j.run) a->j.run = run_add;
    a->j.drop = drop_add;
    struct commit_job *j = &a->j;
    w->why = (struct sr_err){0};
    w->st = commit_do(W.g, &j, &w->why);
    w->kept = j != NULL;
    if (j) w->after = *a;
    free(j);
    w->done = true;
    fcond_wake(&some_done);
}

static sr_status start_all(struct writer *w, size_t n, struct sr_err *err) {
    for (size_t i = 0; i < n; i++) SR_TRY(fiber_start(writer_run, &w[i], err));
    return SR_OK;
}

static sr_status wait_all(const struct writer *w, size_t n, struct sr_err *err) {
    for (size_t i = 0; i < n; i++)
        while (!w[i].done) SR_TRY(fcond_wait(&some_done, 60000, err));
    return SR_OK;
}

static sr_status write_all(struct writer *w, size_t n, struct sr_err *err) {
    SR_TRY(start_all(w, n, err));
    return wait_all(w, n, err);
}

/* ---- */

FIBER_TEST(jobs_of_several_kinds_share_a_transaction_and_each_has_its_own_result) {
    struct writer w[40] = {{.done = false}};
    for (size_t i = 0; i < 40; i++) {
        w[i].set.id = i < 30 ? i % 20 + 1 : i;
        if (i >= 30) w[i].set.j.run = run_note;
    }
    SR_TRY(write_all(w, 40, err));
    for (size_t i = 0; i < 40; i++) {
        CHECK(w[i].kept);
        CHECK(w[i].st == (i >= 20 && i < 30 ? SR_E_CONFLICT : SR_OK));
        CHECK(w[i].why.code == w[i].st);
    }
    CHECK(IN_T == 20 && count("SELECT count(*) FROM u") == 10);
    CHECK(W.added == 30 && W.most == 30 && W.noted == 10);
    CHECK(W.begun == 1 && W.ended == 1 && W.committed == 1 && W.lasts == 1 && W.undone == 0);
    CHECK(disk.asked == 1 && W.dropped == 0);
    return SR_OK;
}

FIBER_TEST(one_job_is_written_and_asks_the_disk_once) {
    struct writer w = {.set.id = 7};
    SR_TRY(write_all(&w, 1, err));
    CHECK(w.st == SR_OK && w.kept && IN_T == 1 && disk.asked == 1);
    CHECK(!commit_is_busy(W.g) || W.lasts == 1);
    return SR_OK;
}

FIBER_TEST(nobody_is_told_before_the_disk_has_it_and_the_next_ones_gather_meanwhile) {
    static struct writer w[1 + COMMIT_EARLY];
    memset(w, 0, sizeof w);
    for (size_t i = 0; i < SR_ARRAY_LEN(w); i++) w[i].set.id = i;
    disk.held = true;
    SR_TRY(start_all(w, 1, err));
    SR_TRY(disk_entered(err));
    CHECK(IN_T == 1 && W.committed == 1);
    CHECK(!w[0].done && W.lasts == 0 && commit_is_busy(W.g));
    CHECK(W.told_asked == 1 && W.asked_for == 1);
    /* too few for a transaction of their own while the disk is busy */
    SR_TRY(start_all(w + 1, COMMIT_EARLY - 1, err));
    for (int i = 0; i < 10; i++) SR_TRY(fiber_sleep(0, err));
    CHECK(W.begun == 1 && IN_T == 1);
    /* one more is enough */
    SR_TRY(start_all(w + COMMIT_EARLY, 1, err));
    while (W.committed < 2) SR_TRY(fiber_sleep(0, err));
    CHECK(IN_T == 1 + COMMIT_EARLY && W.lasts == 0);
    for (size_t i = 0; i < SR_ARRAY_LEN(w); i++) CHECK(!w[i].done);
    CHECK(disk.asked == 1);
    disk_goes_on();
    SR_TRY(wait_all(w, SR_ARRAY_LEN(w), err));
    for (size_t i = 0; i < SR_ARRAY_LEN(w); i++) CHECK(w[i].st == SR_OK);
    CHECK(disk.asked == 2 && W.lasts == 2 && W.told_asked == 2 && W.asked_for == 2);
    return SR_OK;
}

FIBER_TEST(a_job_that_says_again_is_first_in_the_next_transaction) {
    static struct writer w[COMMIT_JOBS + 20]; /* the last 20 wait for the next one, too */
    memset(w, 0, sizeof w);
    for (size_t i = 0; i < SR_ARRAY_LEN(w); i++) w[i].set.id = i;
    w[5].set.puts_off = 1;
    SR_TRY(write_all(w, SR_ARRAY_LEN(w), err));
    for (size_t i = 0; i < SR_ARRAY_LEN(w); i++) CHECK(w[i].st == SR_OK);
    CHECK(w[4].after.transaction == 1 && w[COMMIT_JOBS].after.transaction == 2);
    CHECK(w[5].after.transaction == 2 && w[5].after.ran_as == COMMIT_JOBS + 1);
    CHECK(w[COMMIT_JOBS].after.ran_as == COMMIT_JOBS + 2);
    CHECK(IN_T == SR_ARRAY_LEN(w));
    struct writer often = {.set = {.id = 1000, .puts_off = 3}};
    unsigned asked = disk.asked;
    SR_TRY(write_all(&often, 1, err));
    CHECK(often.st == SR_OK && often.after.transaction == 6 && disk.asked == asked + 4);
    return SR_OK;
}

FIBER_TEST(a_failure_of_the_transaction_undoes_all_and_tells_all) {
    struct writer w[6] = {{.done = false}};
    for (size_t i = 0; i < 6; i++) w[i].set.id = i;
    w[5].set.j.run = run_note;
    w[1].set.puts_off = 1;
    w[3].set.spoils = true;
    SR_TRY(write_all(w, 6, err));
    for (size_t i = 0; i < 6; i++) {
        CHECK(w[i].st == SR_E_RANGE && w[i].kept);
        CHECK(strcmp(w[i].why.what, "job 3") == 0);
    }
    CHECK(IN_T == 0 && count("SELECT count(*) FROM u") == 0);
    CHECK(W.undone == 1 && W.committed == 0 && disk.asked == 0);
    /* and the same jobs may come again */
    w[3].set.spoils = false;
    for (size_t i = 0; i < 6; i++) w[i].done = false;
    SR_TRY(write_all(w, 6, err));
    for (size_t i = 0; i < 6; i++) CHECK(w[i].st == SR_OK && w[i].why.code == SR_OK);
    CHECK(IN_T == 5);
    return SR_OK;
}

FIBER_TEST(what_the_role_does_first_or_last_may_fail_too) {
    struct writer w[2] = {{.set.id = 1}, {.set.id = 2}};
    W.begin_fails = true;
    SR_TRY(write_all(w, 2, err));
    CHECK(w[0].st == SR_E_REFUSED && strcmp(w[1].why.what, "no begin") == 0 && W.added == 0);
    W.begin_fails = false;
    W.end_fails = true;
    w[0].done = w[1].done = false;
    SR_TRY(write_all(w, 2, err));
    CHECK(w[0].st == SR_E_REFUSED && strcmp(w[1].why.what, "no end") == 0 && W.added == 2);
    CHECK(IN_T == 0 && W.undone == 2);
    return SR_OK;
}

FIBER_TEST(more_jobs_than_one_transaction_takes) {
    static struct writer w[2 * COMMIT_JOBS + 88];
    memset(w, 0, sizeof w);
    for (size_t i = 0; i < SR_ARRAY_LEN(w); i++) w[i].set.id = i;
    SR_TRY(write_all(w, SR_ARRAY_LEN(w), err));
    for (size_t i = 0; i < SR_ARRAY_LEN(w); i++) CHECK(w[i].st == SR_OK);
    CHECK(IN_T == SR_ARRAY_LEN(w));
    CHECK(W.most == COMMIT_JOBS && W.begun >= 3);
    CHECK(disk.asked >= 1 && disk.asked <= 8); /* not 600 */
    return SR_OK;
}

/* ---- fibers that leave */

FIBER_TEST(a_fiber_that_waits_too_long_leaves_its_job_which_is_freed_once) {
    struct writer w[3] = {{.set.id = 1}, {.set.id = 2}, {.set.id = 3}};
    disk.held = true;
    wait_ms = 30;
    SR_TRY(start_all(w, 1, err)); /* it runs, and waits for the disk */
    SR_TRY(disk_entered(err));
    SR_TRY(start_all(w + 1, 2, err)); /* these wait for their turn */
    SR_TRY(wait_all(w, 3, err));
    CHECK(w[0].st == SR_E_TIMEOUT && !w[0].kept && W.dropped == 0);
    for (size_t i = 1; i < 3; i++) CHECK(w[i].st == SR_E_TIMEOUT && w[i].kept);
    CHECK(IN_T == 1);
    wait_ms = 30000;
    disk_goes_on();
    struct writer next = {.set.id = 4};
    SR_TRY(write_all(&next, 1, err));
    CHECK(next.st == SR_OK && W.dropped == 1 && IN_T == 2);
    return SR_OK;
}

static struct writer stopped[3];
static sr_status stop_story(void *arg, struct sr_err *err) {
    (void)arg;
    memset(stopped, 0, sizeof stopped);
    for (size_t i = 0; i < 3; i++) stopped[i].set.id = i;
    disk.held = true;
    SR_TRY(start_all(stopped, 1, err));
    SR_TRY(disk_entered(err));
    SR_TRY(start_all(stopped + 1, 2, err));
    for (int i = 0; i < 3; i++) SR_TRY(fiber_sleep(0, err));
    net_stop();
    for (size_t i = 0; i < 3; i++)
        while (!stopped[i].done) (void)!fiber_sleep(0, NULL);
    return SR_OK;
}
static sr_status after_stop_story(void *arg, struct sr_err *err) {
    (void)arg;
    SR_TRY(until_idle(NULL, err));
    CHECK(W.dropped == 1);
    struct writer next = {.set.id = 9};
    SR_TRY(write_all(&next, 1, err));
    CHECK(next.st == SR_OK);
    return SR_OK;
}
static void a_stop_ends_every_wait_and_frees_every_job_once(void **state) {
    (void)state;
    run_in_fiber(stop_story);
    assert_true(stopped[0].st == SR_E_CANCELLED && !stopped[0].kept);
    for (size_t i = 1; i < 3; i++) assert_true(stopped[i].st == SR_E_CANCELLED && stopped[i].kept);
    assert_int_equal(W.dropped, 0);
    disk_goes_on();
    run_in_fiber(after_stop_story);
}

/* ---- writes of its own */

struct alone {
    unsigned turns, begun_meanwhile;
    bool fails, done;
    sr_status st;
};
static sr_status alone_fn(void *arg, struct sr_err *err) {
    struct alone *a = arg;
    cleanup_db_tx struct db_tx tx = {0};
    unsigned begun = W.begun;
    SR_TRY(db_begin(W.db, &tx, err));
    SR_TRY(db_run(W.db, "INSERT INTO u (id) VALUES (1)", DB_NO_ARGS, err));
    for (unsigned i = 0; i < a->turns; i++) SR_TRY(fiber_sleep(0, err));
    a->begun_meanwhile = W.begun - begun;
    return a->fails ? sr_fail(err, SR_E_NOTFOUND, "undone") : db_commit(&tx, err);
}
static void alone_run(void *arg) {
    struct alone *a = arg;
    a->st = commit_alone(W.g, alone_fn, a, NULL);
    a->done = true;
    fcond_wake(&some_done);
}

FIBER_TEST(whoever_writes_alone_keeps_the_group_out) {
    struct alone a = {.turns = 20, .fails = true};
    struct writer w = {.set.id = 1};
    SR_TRY(fiber_start(alone_run, &a, err));
    SR_TRY(fiber_sleep(0, err));
    SR_TRY(write_all(&w, 1, err));
    CHECK(a.done && a.st == SR_E_NOTFOUND && a.begun_meanwhile == 0);
    CHECK(w.st == SR_OK && IN_T == 1 && count("SELECT count(*) FROM u") == 0);
    /* and what it commits is on disk when commit_lasts returns, not before */
    struct alone b = {.turns = 0};
    unsigned asked = disk.asked;
    alone_run(&b);
    CHECK(b.st == SR_OK && disk.asked == asked && count("SELECT count(*) FROM u") == 1);
    SR_TRY(commit_lasts(W.g, err));
    CHECK(disk.asked == asked + 1);
    return SR_OK;
}

/* ---- disks that fail */

FIBER_TEST(a_full_disk_is_told_to_all_and_the_group_goes_on_when_it_has_room) {
    struct writer w[20] = {{.done = false}};
    for (size_t i = 0; i < 20; i++) w[i].set.id = i, w[i].set.bytes = 4000;
    SR_TRY(db_script(W.db, "PRAGMA max_page_count = 12", err));
    SR_TRY(write_all(w, 20, err));
    for (size_t i = 0; i < 20; i++) {
        CHECK(w[i].st == SR_E_SYS && w[i].why.sys == ENOSPC && w[i].why.hint[0]);
        w[i].done = false;
    }
    CHECK(IN_T == 0 && W.undone == 1 && W.lasts == 0);
    SR_TRY(db_script(W.db, "PRAGMA max_page_count = 100000", err));
    SR_TRY(write_all(w, 20, err));
    for (size_t i = 0; i < 20; i++) CHECK(w[i].st == SR_OK);
    CHECK(IN_T == 20);
    return SR_OK;
}

FIBER_TEST(a_disk_that_does_not_take_it_ends_the_group) {
    static struct writer w[2 + COMMIT_EARLY];
    struct writer next = {.set.id = 99};
    memset(w, 0, sizeof w);
    for (size_t i = 0; i < SR_ARRAY_LEN(w); i++) w[i].set.id = i;
    SR_TRY(commit_sound(W.g, err));
    disk.fails = EIO;
    disk.held = true;
    SR_TRY(start_all(w, 2, err));
    SR_TRY(disk_entered(err));
    SR_TRY(start_all(w + 2, COMMIT_EARLY, err)); /* committed while the disk fails */
    while (W.committed < 2) SR_TRY(fiber_sleep(0, err));
    disk_goes_on();
    SR_TRY(wait_all(w, SR_ARRAY_LEN(w), err));
    for (size_t i = 0; i < SR_ARRAY_LEN(w); i++)
        CHECK(w[i].st == SR_E_SYS && w[i].why.sys == EIO && w[i].why.hint[0]);
    /* the kernel has forgotten it: only we know */
    disk.fails = 0;
    uint64_t n = IN_T;
    SR_TRY(write_all(&next, 1, err));
    CHECK(next.st == SR_E_SYS && next.why.sys == EIO && IN_T == n);
    struct sr_err e = {0};
    CHECK(commit_sound(W.g, &e) == SR_E_SYS && e.hint[0]);
    CHECK(commit_lasts(W.g, NULL) == SR_E_SYS);
    struct alone a = {.turns = 0};
    alone_run(&a);
    CHECK(a.st == SR_E_SYS && count("SELECT count(*) FROM u") == 0);
    CHECK(W.lasts == 0 && disk.asked == 1);
    return SR_OK;
}

FIBER_TEST(without_a_disk_there_is_nothing_to_wait_for) {
    struct db *db;
    struct commit_group *g;
    struct add_job *a = calloc(1, sizeof *a);
    CHECK(a != NULL);
    struct commit_job *j = &a->j;
    a->j.run = run_note;
    a->id = 5;
    SR_TRY(db_open(":memory:", 0, &db, err));
    SR_TRY(db_migrate(db, schema, 1, err));
    SR_TRY(commit_new(db, &W, &no_hooks, &g, err));
    struct db *file = W.db;
    W.db = db;
    sr_status st = commit_do(g, &j, err);
    uint64_t n = count("SELECT count(*) FROM u");
    W.db = file;
    free(j);
    while (commit_is_busy(g)) SR_TRY(fiber_sleep(0, err));
    commit_free(g);
    db_close(db);
    CHECK(st == SR_OK && n == 1 && disk.asked == 0);
    return SR_OK;
}

/* ---- a process that is killed */

static int told_fd;
static void told_writer(void *arg) {
    for (uint64_t id = (uint64_t)(uintptr_t)arg;; id += 8) {
        struct writer w = {.set = {.id = id, .bytes = 100}};
        writer_run(&w);
        if (w.st != SR_OK || write(told_fd, &id, sizeof id) != sizeof id) _exit(1);
    }
}
static sr_status killed_story(void *arg, struct sr_err *err) {
    const uint64_t *first = arg;
    for (uint64_t i = 0; i < 8; i++)
        SR_TRY(fiber_start(told_writer, (void *)(uintptr_t)(*first + i), err));
    struct fcond never = {NULL};
    return fcond_wait(&never, 0, err);
}

static void what_was_told_is_there_after_a_kill(void **state) {
    (void)state;
    cleanup_free char *path = path_join(W.dir, "killed");
    struct db *ours = W.db;
    for (uint64_t round = 0; round < 3; round++) {
        int p[2];
        uint64_t told[512], last, first = round << 32;
        size_t n = 0;
        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
            told_fd = p[1];
            if (open_world(path) != 0) _exit(1);
            _exit(net_call(killed_story, &first, NULL) == SR_OK ? 0 : 1);
        }
        (void)close(p[1]);
        while (n < 100 && read(p[0], &last, sizeof last) == sizeof last) told[n++] = last;
        assert_int_equal(kill(pid, SIGKILL), 0);
        int how;
        assert_int_equal(waitpid(pid, &how, 0), pid);
        assert_true(WIFSIGNALED(how));
        while (n < SR_ARRAY_LEN(told) && read(p[0], &last, sizeof last) == sizeof last)
            told[n++] = last;
        (void)close(p[0]);
        assert_true(n >= 100);
        assert_int_equal(db_open(path, 0, &W.db, NULL), SR_OK);
        assert_int_equal(db_check(W.db, NULL), SR_OK);
        for (size_t i = 0; i < n; i++) {
            uint64_t found = 0;
            assert_int_equal(db_get_u64(W.db, "SELECT count(*) FROM t WHERE id = $1",
                                        DB_ARGS(db_u64(told[i])), &found, NULL),
                             SR_OK);
            assert_int_equal(found, 1);
        }
        db_close(W.db);
        W.db = ours;
    }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest t[] = {
        T(what_was_told_is_there_after_a_kill), /* first: it forks, before there are threads */
        T(jobs_of_several_kinds_share_a_transaction_and_each_has_its_own_result),
        T(one_job_is_written_and_asks_the_disk_once),
        T(nobody_is_told_before_the_disk_has_it_and_the_next_ones_gather_meanwhile),
        T(a_job_that_says_again_is_first_in_the_next_transaction),
        T(a_failure_of_the_transaction_undoes_all_and_tells_all),
        T(what_the_role_does_first_or_last_may_fail_too),
        T(more_jobs_than_one_transaction_takes),
        T(a_fiber_that_waits_too_long_leaves_its_job_which_is_freed_once),
        T(a_stop_ends_every_wait_and_frees_every_job_once),
        T(whoever_writes_alone_keeps_the_group_out),
        T(a_full_disk_is_told_to_all_and_the_group_goes_on_when_it_has_room),
        T(a_disk_that_does_not_take_it_ends_the_group),
        T(without_a_disk_there_is_nothing_to_wait_for),
    };
    return cmocka_run_group_tests_name("commit", t, NULL, end_net);
}
