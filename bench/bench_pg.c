/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements a second on a PostgreSQL server of its own: bench_pg [--seconds N]
 *
 * Each reads one row of 200 bytes by its key. `blocking`: one connection, on the thread; `fiber`:
 * the same, waiting in one fiber; `pool`: 64 fibers share 4 connections; `pipe`: one connection,
 * 64 statements in one go, in a fiber. Prints one line of JSON, with the processor time of this
 * process for each statement. `peer_`: PostgreSQL's own pgbench doing the same by blocking calls,
 * with one client, with 4, and with pipes of 64; 0 where it is not installed.
 */
#include "commit/commit.h"
#include <fcntl.h>
#include <sys/resource.h>

#define assert_true(x)         SR_ASSERT(x)
#define assert_non_null(x)     SR_ASSERT((x) != NULL)
#define assert_int_equal(a, b) SR_ASSERT((a) == (b))
#include "cluster.h"

#define ROWS        1000u
#define ROW_BYTES   200
#define FIBERS      64
#define CONNECTIONS 4
#define BATCH       64
#define GET         "SELECT data FROM t WHERE id = $1"

static struct cluster server;
static int64_t until;
static uint64_t seconds = 3, done, next_id;
static unsigned running;
static struct fcond over;

static void must(sr_status st, const struct sr_err *e) {
    if (st == SR_OK) return;
    (void)fprintf(stderr, "bench_pg: %s\n", e->what);
    cluster_stop(&server);
    exit(1);
}

static void one(struct db *db) {
    struct sr_err e = {0};
    struct buf b;
    buf_init(&b, ROW_BYTES);
    must(db_get_bytes(db, GET, DB_ARGS(db_u64(next_id++ % ROWS)), &b, &e), &e);
    SR_ASSERT(b.n == ROW_BYTES);
    buf_done(&b);
    done++;
}

static void ones(void *arg) {
    while (clock_mono_us() < until) one(arg);
    running--;
    fcond_wake(&over);
}

static sr_status one_fiber(void *arg, struct sr_err *err) {
    (void)err;
    running = 1;
    ones(arg);
    return SR_OK;
}

static sr_status many_fibers(void *arg, struct sr_err *err) {
    for (running = 0; running < FIBERS; running++) SR_TRY(fiber_start(ones, arg, err));
    while (running > 0) SR_TRY(fcond_wait(&over, 0, err));
    return SR_OK;
}

static void count_row(void *arg, struct db_rows *r) {
    (void)arg;
    SR_ASSERT(db_col_bytes(r, 0).n == ROW_BYTES);
    done++;
}

static sr_status batches(void *arg, struct sr_err *err) {
    struct db_val id[BATCH];
    struct db_stmt s[BATCH];
    while (clock_mono_us() < until) {
        for (size_t i = 0; i < BATCH; i++) {
            id[i] = db_u64(next_id++ % ROWS);
            s[i] = (struct db_stmt){.sql = GET, .args = &id[i], .n = 1, .row = count_row};
        }
        SR_TRY(db_run_all(arg, s, BATCH, err));
    }
    return SR_OK;
}

static double cpu_us(void) {
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void measure(const char *name, unsigned connections,
                    sr_status (*fn)(void *arg, struct sr_err *err)) {
    struct db *db = NULL;
    struct sr_err e = {0};
    must(db_open(server.url, DB_READ_ONLY, &db, &e), &e);
    if (connections) db_wait_by(db, &commit_fibers, connections);
    one(db);
    done = 0;
    double cpu = cpu_us();
    int64_t start = clock_mono_us();
    until = start + (int64_t)seconds * 1000000;
    must(connections ? net_call(fn, db, &e) : fn(db, &e), &e);
    double s = (double)(clock_mono_us() - start) / 1e6;
    (void)printf("\"%s\": {\"per_s\": %.0f, \"cpu_us\": %.1f}, ", name, (double)done / s,
                 (cpu_us() - cpu) / (double)done);
    db_close(db);
}

/* What pgbench says last. */
static void measure_peer(const char *name, const char *clients, unsigned batch, bool last) {
    struct buf b;
    char rounds[24];
    cleanup_free char *script = path_join(server.dir, "script"),
                      *log = path_join(server.dir, "log");
    buf_init(&b, 1u << 20);
    if (batch > 1) buf_str(&b, "\\startpipeline\n");
    for (unsigned i = 0; i < batch; i++)
        buf_str(&b, "\\set id random(0, 999)\nSELECT data FROM t WHERE id = :id;\n");
    if (batch > 1) buf_str(&b, "\\endpipeline\n");
    SR_ASSERT(fs_write_atomic(script, buf_slice(&b), 0644, NULL) == SR_OK);
    (void)snprintf(rounds, sizeof rounds, "%llu", (unsigned long long)seconds);
    const char *argv[] = {"pgbench", "-n",         "-M",       "prepared", "-f", "script",
                          "-c",      clients,      "-T",       rounds,     "-h", server.dir,
                          "-U",      "strongroom", "postgres", NULL};
    uint64_t n = 0;
    buf_clear(&b);
    if (cluster_wait(cluster_spawn(&server, argv)) == 0 && fs_read(log, &b, NULL) == SR_OK) {
        const char *said = NULL;
        for (const char *p = buf_cstr(&b); (p = strstr(p, "tps = ")); said = p) p += 6;
        if (said &&
            !num_u64(slice_of((const uint8_t *)said, strspn(said, "0123456789")), UINT32_MAX, &n))
            n = 0;
    }
    buf_done(&b);
    (void)printf("\"%s\": {\"per_s\": %llu}%s", name, (unsigned long long)n * batch,
                 last ? "}\n" : ", ");
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--seconds") == 0 &&
        num_u64(slice_str(argv[2]), 600, &seconds) && seconds > 0)
        argc = 1;
    if (argc != 1) {
        (void)fprintf(stderr, "usage: bench_pg [--seconds N]\n");
        return 2;
    }
    if (!cluster_start(&server)) {
        (void)fprintf(stderr, "bench_pg: PostgreSQL is not installed\n");
        return 1;
    }
    struct db *db = NULL;
    struct sr_err e = {0};
    must(db_open(server.url, 0, &db, &e), &e);
    must(db_script(db,
                   "CREATE TABLE t (id BIGINT PRIMARY KEY, data BYTEA NOT NULL); INSERT INTO t "
                   "SELECT n, convert_to(repeat('x', 200), 'UTF8') FROM generate_series(0, 999) n; "
                   "ANALYZE t",
                   &e),
         &e);
    db_close(db);
    (void)printf("{");
    measure("blocking", 0, one_fiber);
    measure("fiber", 1, one_fiber);
    measure("pool", CONNECTIONS, many_fibers);
    measure("pipe", 1, batches);
    measure_peer("peer_blocking", "1", 1, false);
    measure_peer("peer_pool", "4", 1, false);
    measure_peer("peer_pipe", "1", BATCH, true);
    net_done();
    cluster_stop(&server);
    return 0;
}
