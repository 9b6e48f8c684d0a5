/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pool_message.c - what a worker says to its scheduler: the login, and messages about a task
 * it holds (id 0x01…01), one it once had (0x02…02) and one it never had
 */
#include "scheduler/sched_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sched s;
static struct pool_worker worker;

static struct hash id_of(uint8_t n) {
    struct hash h;
    memset(h.b, n, sizeof h.b);
    return h;
}

static void set_up(void) {
    struct sr_err e = {0};
    s.times = SCHED_TIMES;
    s.cfg.any_worker = true;
    memset(worker.addr.b, 7, sizeof worker.addr.b);
    worker.s = &s;
    worker.gone = true; /* nothing is sent */
    log_setup("fuzz", 2, LOG_ERROR);
    SR_ASSERT(tasks_open(&s, ":memory:", &e) == SR_OK && net_init(&e) == SR_OK);
    for (uint8_t n = 1; n <= 2; n++) {
        struct hash id = id_of(n);
        SR_ASSERT(
            db_run(s.db,
                   "INSERT INTO task (id, deal, idx, status, stage, active, attempts,"
                   " on_chain, vanished, rev, updated_ms, not_before_ms, orphan_ms, settle_ms,"
                   " contribution_deadline, final_deadline)"
                   " VALUES ($1, $1, 0, 0, 'matched', 0, 0, 0, 0, 1, 0, 0, 0, 0, 9999999999,"
                   " 9999999999)",
                   DB_ARGS(db_hash(&id)), &e) == SR_OK);
        SR_ASSERT(task_assigned(&s, &id, &worker.addr, &id, &e) == SR_OK);
        if (n == 2) SR_ASSERT(dispatch_attempt_lost(&s, &id, "gone", &e) == SR_OK);
    }
}

static sr_status nothing(void *arg, struct sr_err *err) {
    (void)arg;
    return fiber_sleep(0, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!s.db) set_up();
    struct db_tx tx = {0};
    SR_ASSERT(db_begin(s.db, &tx, NULL) == SR_OK);
    struct sr_err e = {0};
    (void)!workers_message(&worker, slice_of(data, size), &e);
    (void)!net_call(nothing, NULL, NULL); /* an authorisation runs in a fiber of its own */
    db_rollback(&tx);
    struct pool_worker other = {.s = &s};
    cleanup_json struct json *doc = NULL;
    struct hash nonce = id_of(3);
    if (workers_login(&s, slice_of(data, size), &nonce, &other, &doc, NULL) == SR_OK)
        SR_ASSERT(other.slots <= 1024 && strlen(other.name) < sizeof other.name);
    return 0;
}
