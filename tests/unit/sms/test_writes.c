/* SPDX-License-Identifier: Apache-2.0 */
/* What the secret service writes, with a disk that can be held and can fail: nothing is answered,
 * and no key leaves, before the disk has it. */
#include "../commit/disk.h"
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the disk: the group's calls come here, SQLite's own go to libc */

static int to_libc(int fd) {
    return (int)syscall(SYS_fdatasync, fd);
}

int fdatasync(int fd) {
    return disk_answer(fd, to_libc);
}

static int with_disk(void **state) {
    assert_true(disk_begin());
    int rc = setup(state);
    disk.asked = 0;
    return rc;
}

static int without_disk(void **state) {
    disk_end();
    return teardown(state);
}

/* ---- clients, each in a fiber of its own */

struct client {
    char path[160];
    secret_kind kind;
    struct addr target;
    char name[16], value[16];
    bool has;                /* HEAD; else POST */
    const struct request *r; /* not NULL: a release */
    int status;              /* 0: not answered yet */
    struct buf body;
};
static struct fcond answered;

static void client_run(void *arg) {
    struct client *c = arg;
    int status;
    buf_init(&c->body, 1u << 20);
    if (c->r)
        status = release(c->r, &c->body);
    else if (c->has)
        status = ask("HEAD", c->path, NULL, NULL, (struct slice){0}, NULL);
    else
        status = put("POST", c->path, c->kind, c->target, c->name, slice_str(c->value), &W.user,
                     &c->body);
    c->status = status;
    fcond_wake(&answered);
}

static struct client requester(const char *name, const char *value) {
    struct client c = {.kind = SECRET_REQUESTER, .target = W.user_addr};
    (void)snprintf(c.path, sizeof c.path, "/requesters/%s/secrets/%s", addr_text(&c.target).s,
                   name);
    (void)snprintf(c.name, sizeof c.name, "%s", name);
    (void)snprintf(c.value, sizeof c.value, "%s", value);
    return c;
}

static sr_status start(struct client *c, size_t n, struct sr_err *err) {
    for (size_t i = 0; i < n; i++) SR_TRY(fiber_start(client_run, &c[i], err));
    return SR_OK;
}

static sr_status finish(struct client *c, size_t n, struct sr_err *err) {
    for (size_t i = 0; i < n; i++) {
        while (!c[i].status) SR_TRY(fcond_wait(&answered, 60000, err));
    }
    return SR_OK;
}

static void done(struct client *c, size_t n) {
    for (size_t i = 0; i < n; i++) buf_done(&c[i].body);
}

/* Writes that have come as far as their job: the fakes count before, and nothing waits between. */
static size_t jobs_given(void) {
    size_t refusals = W.sms.noise.at_ms ? SMS_NOISE_BURST - (size_t)W.sms.noise.left : 0;
    return F.seals + F.releases + refusals;
}

/* The first client's write is at the disk, which is held; the others' have come as far as they do.
 */
static sr_status hold(struct client *c, size_t n, struct sr_err *err) {
    size_t before = jobs_given(), writes = 0;
    for (size_t i = 0; i < n; i++) writes += !c[i].has;
    disk.held = true;
    SR_TRY(start(c, 1, err));
    SR_TRY(disk_entered(err));
    SR_TRY(start(c + 1, n - 1, err));
    for (int64_t end = clock_mono_us() + 20000000; jobs_given() < before + writes;) {
        SR_TRY(fiber_sleep(0, err));
        if (clock_mono_us() > end) return sr_fail(err, SR_E_TIMEOUT, "not all writes have come");
    }
    for (int turn = 0; turn < 500; turn++) SR_TRY(fiber_sleep(0, err)); /* who reads, too */
    for (size_t i = 0; i < n; i++)
        if (c[i].status)
            return sr_fail(err, SR_E_CONFLICT, "client %zu was told %d too early", i, c[i].status);
    return SR_OK;
}

static uint64_t in_table(const char *sql) {
    uint64_t n = 0;
    assert_int_equal(db_get_u64(W.sms.db, sql, DB_NO_ARGS, &n, NULL), SR_OK);
    return n;
}

/* ---- */

static sr_status one_name_story(void *arg, struct sr_err *err) {
    (void)arg;
    struct client c[9];
    c[0] = requester("other", "x");
    for (size_t i = 1; i < 9; i++) {
        char value[8] = {'v', (char)('0' + i), 0};
        c[i] = requester("wanted", value);
    }
    SR_TRY(hold(c, 9, err));
    assert_int_equal(disk.asked, 1);
    disk_goes_on();
    SR_TRY(finish(c, 9, err));
    assert_int_equal(c[0].status, 204);
    size_t won = 0, winner = 0;
    for (size_t i = 1; i < 9; i++) {
        assert_true(c[i].status == 204 || c[i].status == 409);
        if (c[i].status == 204) won++, winner = i;
        if (c[i].status == 409)
            assert_string_equal(buf_cstr(&c[i].body), "{\"error\":[\"Secret already exists\"]}");
    }
    assert_int_equal(won, 1);
    assert_int_equal(disk.asked, 2); /* for all eight */
    cleanup_stored struct stored_secret kept = {0};
    SR_TRY(secret_find(W.sms.db, SECRET_REQUESTER, &W.user_addr, SLICE_LIT("wanted"), &kept, err));
    assert_int_equal(kept.blob.n, 2); /* turned over by the vault of the test */
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(kept.blob.p[i], (uint8_t) ~(uint8_t)c[winner].value[i]);
    done(c, 9);
    return SR_OK;
}
static void of_many_puts_of_one_name_in_one_group_one_wins(void **state) {
    (void)state;
    in_fiber(one_name_story);
}

static sr_status told_story(void *arg, struct sr_err *err) {
    (void)arg;
    keep(SECRET_WEB3, F.dataset, "");
    struct request r = request_of(1);
    struct client c[4] = {requester("mine", "x"), requester("mine", "x"), {.r = &r}, {.r = &r}};
    c[1].has = true;
    SR_TRY(hold(c, 4, err)); /* a release, too, and the HEAD of what is not on disk */
    assert_int_equal(F.releases, 2);
    assert_int_equal(c[2].body.n + c[3].body.n, 0);
    disk_goes_on();
    SR_TRY(finish(c, 4, err));
    assert_int_equal(c[0].status, 204);
    assert_int_equal(c[1].status, 204);
    assert_int_equal(c[2].status + c[3].status, 200 + 409); /* one assignment, used once */
    unsigned asked = disk.asked;
    assert_int_equal(ask("HEAD", c[1].path, NULL, NULL, (struct slice){0}, NULL), 204);
    assert_int_equal(ask("GET", "/metrics", NULL, NULL, (struct slice){0}, NULL), 200);
    assert_int_equal(disk.asked, asked); /* all of it lasts: nobody waits again */
    done(c, 4);
    return SR_OK;
}
static void nothing_is_told_and_no_key_leaves_before_the_disk_has_it(void **state) {
    (void)state;
    in_fiber(told_story);
}

static sr_status reads_story(void *arg, struct sr_err *err) {
    (void)arg;
    static const char *const paths[] = {"/metrics", "/v1/releases"};
    keep(SECRET_WEB3, F.dataset, "");
    struct request r = request_of(1);
    struct client c[4] = {{.r = &r}, {.has = true}, {.has = true}, {.has = true}};
    for (size_t i = 0; i < 2; i++) (void)snprintf(c[i + 1].path, sizeof c[0].path, "%s", paths[i]);
    (void)snprintf(c[3].path, sizeof c[3].path, "/v1/tasks/%s/record", hash_text(&r.task).s);
    SR_TRY(hold(c, 4, err)); /* GET's own rules hold for HEAD */
    disk_goes_on();
    SR_TRY(finish(c, 4, err));
    for (size_t i = 0; i < 4; i++) assert_int_equal(c[i].status, 200);
    done(c, 4);
    return SR_OK;
}
static void a_row_of_the_log_is_shown_when_a_power_cut_cannot_change_it(void **state) {
    (void)state;
    in_fiber(reads_story);
}

#define GROUP 12
static sr_status chain_story(void *arg, struct sr_err *err) {
    (void)arg;
    struct client c[1 + GROUP] = {requester("first", "x")};
    struct request r[GROUP];
    keep(SECRET_WEB3, F.dataset, "");
    for (uint8_t i = 0; i < GROUP; i++) {
        r[i] = request_of((uint8_t)(i + 1));
        r[i].break_signature = i % 3 == 2; /* refusals between them */
        c[1 + i] = (struct client){.r = &r[i]};
    }
    SR_TRY(hold(c, 1 + GROUP, err));
    disk_goes_on();
    SR_TRY(finish(c, 1 + GROUP, err));
    for (size_t i = 0; i < GROUP; i++)
        assert_int_equal(c[1 + i].status, r[i].break_signature ? 401 : 200);
    assert_int_equal(disk.asked, 2);
    assert_int_equal(rows(), GROUP);
    struct release_log log;
    SR_TRY(release_log_open(W.sms.db, &log, err));
    assert_true(log.n == W.sms.log.n && hash_eq(&log.head, &W.sms.log.head));
    assert_int_equal(in_table("SELECT count(*) FROM records"), 8);
    done(c, 1 + GROUP);
    return SR_OK;
}
static void rows_of_several_jobs_in_one_group_are_one_chain(void **state) {
    (void)state;
    in_fiber(chain_story);
}

static sr_status limit_story(void *arg, struct sr_err *err) {
    (void)arg;
    for (unsigned i = 0; i < SMS_SECRETS_EACH - 2; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "n%u", i);
        keep(SECRET_REQUESTER, W.user_addr, name);
    }
    struct client c[5];
    for (size_t i = 0; i < 5; i++) {
        char name[2] = {(char)('a' + i), 0};
        c[i] = requester(name, "x");
    }
    SR_TRY(hold(c, 5, err)); /* the last but one is at the disk; of the others one has room */
    disk_goes_on();
    SR_TRY(finish(c, 5, err));
    size_t stored = 0;
    for (size_t i = 0; i < 5; i++) {
        assert_true(c[i].status == 204 || c[i].status == 413);
        stored += c[i].status == 204;
    }
    assert_int_equal(stored, 2);
    assert_int_equal(in_table("SELECT count(*) FROM secrets"), SMS_SECRETS_EACH);
    done(c, 5);
    return SR_OK;
}
static void the_limit_of_secrets_holds_within_a_group(void **state) {
    (void)state;
    in_fiber(limit_story);
}

/* ---- disks that fail */

static sr_status full_story(void *arg, struct sr_err *err) {
    (void)arg;
    keep(SECRET_WEB3, F.dataset, "");
    struct request r0 = request_of(9), r = request_of(1);
    struct client c[3] = {requester("a", "x"), requester("b", "x"), {.r = &r}};
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    assert_int_equal(release(&r0, &b), 200);
    struct hash head = W.sms.log.head;
    uint64_t pages = in_table("PRAGMA page_count");
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %llu", (unsigned long long)pages);
    SR_TRY(db_script(W.sms.db, sql, err));
    /* each write needs more than the pages that are there have room for */
    SR_TRY(db_script(W.sms.db,
                     "CREATE TRIGGER more AFTER INSERT ON secrets BEGIN INSERT INTO kept"
                     " VALUES (new.name, zeroblob(60000)); END",
                     err));
    SR_TRY(db_script(W.sms.db,
                     "CREATE TRIGGER more2 AFTER INSERT ON records BEGIN INSERT INTO kept"
                     " VALUES ('x', zeroblob(60000)); END",
                     err));
    SR_TRY(start(c, 2, err));
    SR_TRY(finish(c, 2, err));
    SR_TRY(start(c + 2, 1, err)); /* alone: it fails at its last statement, behind its row */
    SR_TRY(finish(c + 2, 1, err));
    for (size_t i = 0; i < 3; i++) assert_int_equal(c[i].status, 500);
    assert_null(strstr(buf_cstr(&c[2].body), "envelope"));
    assert_int_equal(ask("HEAD", c[0].path, NULL, NULL, (struct slice){0}, NULL), 404);
    assert_int_equal(rows(), 1);
    assert_true(W.sms.log.n == 1 && hash_eq(&W.sms.log.head, &head));
    /* there is room again: the same secrets and the same assignment are good */
    SR_TRY(db_script(W.sms.db, "PRAGMA max_page_count = 1000000", err));
    done(c, 3);
    for (size_t i = 0; i < 3; i++) c[i].status = 0;
    SR_TRY(start(c, 3, err));
    SR_TRY(finish(c, 3, err));
    assert_int_equal(c[0].status, 204);
    assert_int_equal(c[1].status, 204);
    assert_int_equal(c[2].status, 200);
    done(c, 3);
    struct release_log log;
    return release_log_open(W.sms.db, &log, err);
}
static void a_full_disk_stores_and_releases_nothing_and_uses_nothing_up(void **state) {
    (void)state;
    in_fiber(full_story);
}

static sr_status failing_story(void *arg, struct sr_err *err) {
    (void)arg;
    keep(SECRET_WEB3, F.dataset, "");
    struct request r = request_of(1), r2 = request_of(2);
    struct client c[2] = {requester("a", "x"), {.r = &r}},
                  later[2] = {requester("b", "x"), {.r = &r2}};
    assert_int_equal(ask("GET", "/health", NULL, NULL, (struct slice){0}, NULL), 200);
    disk.fails = EIO;
    SR_TRY(start(c, 2, err));
    SR_TRY(finish(c, 2, err));
    assert_int_equal(c[0].status, 500);
    assert_int_equal(c[1].status, 500);
    assert_null(strstr(buf_cstr(&c[1].body), "envelope"));
    assert_int_equal(F.releases, 1); /* the vault had made it: it went nowhere */
    /* Whatever the disk says from now on: the kernel has forgotten what it could not write. */
    disk.fails = 0;
    SR_TRY(start(later, 2, err));
    SR_TRY(finish(later, 2, err));
    assert_int_equal(later[0].status, 500);
    assert_int_equal(later[1].status, 500);
    assert_int_equal(ask("HEAD", c[0].path, NULL, NULL, (struct slice){0}, NULL), 500);
    assert_int_equal(ask("HEAD", later[0].path, NULL, NULL, (struct slice){0}, NULL), 404);
    assert_int_equal(ask("GET", "/health", NULL, NULL, (struct slice){0}, NULL), 503);
    done(c, 2);
    done(later, 2);
    return SR_OK;
}
static sr_status started_anew_story(void *arg, struct sr_err *err) {
    (void)arg;
    struct client c = requester("c", "x");
    struct request r = request_of(3);
    struct client release3 = {.r = &r};
    assert_int_equal(ask("GET", "/health", NULL, NULL, (struct slice){0}, NULL), 200);
    SR_TRY(start(&c, 1, err));
    SR_TRY(start(&release3, 1, err));
    SR_TRY(finish(&c, 1, err));
    SR_TRY(finish(&release3, 1, err));
    assert_int_equal(c.status, 204);
    assert_int_equal(release3.status, 200);
    done(&c, 1);
    done(&release3, 1);
    return SR_OK;
}
static void a_disk_that_does_not_take_it_ends_all_writing_until_the_next_start(void **state) {
    (void)state;
    in_fiber(failing_story);
    stop_serving();
    serve();
    in_fiber(started_anew_story);
}

/* ---- a service that is killed */

struct told {
    struct hash nonce; /* of a release's assignment; or */
    char name[16];     /* of a secret */
};
static int told_fd;

static void tell(const struct told *t) {
    if (write(told_fd, t, sizeof *t) != sizeof *t) _exit(1);
}
static void putting(void *arg) {
    for (unsigned i = (unsigned)(uintptr_t)arg;; i += 6) {
        struct told t = {.name = ""};
        (void)snprintf(t.name, sizeof t.name, "s%u", i);
        struct client c = requester(t.name, "x");
        client_run(&c);
        if (c.status != 204) _exit(1);
        done(&c, 1);
        tell(&t);
    }
}
static void releasing(void *arg) {
    for (;;) {
        struct request r = request_of((uint8_t)(uintptr_t)arg);
        struct client c = {.r = &r};
        client_run(&c);
        if (c.status != 200) _exit(1);
        done(&c, 1);
        tell(&(struct told){.nonce = r.nonce});
    }
}
static sr_status killed_story(void *arg, struct sr_err *err) {
    unsigned first = *(const unsigned *)arg;
    struct fcond never = {NULL};
    for (unsigned i = 0; i < 6; i++)
        SR_TRY(fiber_start(putting, (void *)(uintptr_t)(first + i), err));
    for (unsigned i = 1; i < 5; i++) SR_TRY(fiber_start(releasing, (void *)(uintptr_t)i, err));
    return fcond_wait(&never, 0, err);
}

static void is_there(struct db *db, const struct told *t) {
    uint64_t n = 0;
    sr_status st = t->name[0] ? db_get_u64(db, "SELECT count(*) FROM secrets WHERE name = $1",
                                           DB_ARGS(db_str(t->name)), &n, NULL)
                              : db_get_u64(db, "SELECT count(*) FROM used WHERE nonce = $1",
                                           DB_ARGS(db_hash(&t->nonce)), &n, NULL);
    assert_int_equal(st, SR_OK);
    assert_int_equal(n, 1);
}

static void what_was_answered_is_there_after_a_kill(void **state) {
    (void)state;
    (void)snprintf(W.dir, sizeof W.dir, "/tmp/sms-test-XXXXXX");
    assert_non_null(mkdtemp(W.dir));
    for (unsigned round = 0; round < 3; round++) {
        unsigned first = round * 100000;
        static struct told told[4096];
        size_t n = 0;
        int p[2], how;
        assert_int_equal(pipe2(p, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
            told_fd = p[1];
            log_setup("test", open("/dev/null", O_WRONLY), LOG_ERROR);
            if (with_disk(NULL) != 0) _exit(1);
            if (round == 0) keep(SECRET_WEB3, F.dataset, "");
            (void)!net_call(killed_story, &first, NULL);
            _exit(1);
        }
        (void)close(p[1]);
        while (n < 80 && read(p[0], &told[n], sizeof told[n]) == sizeof told[n]) n++;
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &how, 0), pid);
        assert_true(WIFSIGNALED(how));
        while (n < SR_ARRAY_LEN(told) && read(p[0], &told[n], sizeof told[n]) == sizeof told[n])
            n++;
        (void)close(p[0]);
        assert_true(n >= 80);
        struct db *db;
        struct release_log log;
        assert_int_equal(sms_db_open(W.dir, &db, NULL), SR_OK);
        assert_int_equal(db_check(db, NULL), SR_OK);
        assert_int_equal(release_log_open(db, &log, NULL), SR_OK); /* the chain is whole */
        for (size_t i = 0; i < n; i++) is_there(db, &told[i]);
        uint64_t used = 0, records = 0; /* of every release all rows or none */
        assert_int_equal(db_get_u64(db, "SELECT count(*) FROM used", DB_NO_ARGS, &used, NULL),
                         SR_OK);
        assert_int_equal(db_get_u64(db, "SELECT count(*) FROM records", DB_NO_ARGS, &records, NULL),
                         SR_OK);
        assert_true(used == log.n && used == records);
        db_close(db);
    }
    assert_int_equal(fs_remove_tree(W.dir, NULL), SR_OK);
    W.dir[0] = 0;
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, with_disk, without_disk)
    const struct CMUnitTest t[] = {
        cmocka_unit_test(what_was_answered_is_there_after_a_kill), /* first: it forks */
        T(of_many_puts_of_one_name_in_one_group_one_wins),
        T(nothing_is_told_and_no_key_leaves_before_the_disk_has_it),
        T(a_row_of_the_log_is_shown_when_a_power_cut_cannot_change_it),
        T(rows_of_several_jobs_in_one_group_are_one_chain),
        T(the_limit_of_secrets_holds_within_a_group),
        T(a_full_disk_stores_and_releases_nothing_and_uses_nothing_up),
        T(a_disk_that_does_not_take_it_ends_all_writing_until_the_next_start),
    };
    return cmocka_run_group_tests_name("sms/writes", t, NULL, NULL);
}
