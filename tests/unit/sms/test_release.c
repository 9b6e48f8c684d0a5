/* SPDX-License-Identifier: Apache-2.0 */
/* The release over HTTP, to its log; and nonces. */
#include "world.h"
#include <stdio.h>

static sr_status happy_story(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    keep(SECRET_WEB3, F.dataset, "");
    keep(SECRET_APP, F.app, "1");
    keep(SECRET_WEB2, F.beneficiary, RESULT_KEY_NAME);
    keep(SECRET_REQUESTER, F.requester, "api");
    F.params =
        "{\"iexec_result_encryption\":true,\"iexec_secrets\":{\"1\":\"api\",\"2\":\"none\"}}";
    struct request r = request_of(1);
    assert_int_equal(release(&r, &b), 200);
    assert_non_null(strstr(buf_cstr(&b), "\"token\":\"0x746f6b656e\""));
    assert_non_null(strstr(buf_cstr(&b), "\"envelope\":\"ZW52ZWxvcGU=\""));
    assert_non_null(strstr(buf_cstr(&b), "\"label\":\"SIMULATED\""));
    assert_int_equal(F.releases, 1);
    cleanup_json struct json *doc = NULL;
    assert_int_equal(json_parse(slice_str(F.facts), &doc, NULL), SR_OK);
    assert_int_equal(json_len(json_get(json_root(doc), "secrets")), 4);
    assert_true(json_is(json_get(json_get(json_root(doc), "orders"), "request"), JSON_OBJECT));
    /* once per assignment, also after a restart */
    assert_int_equal(release(&r, &b), 409);
    assert_true(says(&b, "ASSIGNMENT_USED"));
    assert_int_equal(F.releases, 1);
    assert_int_equal(rows(), 2);
    struct request again = request_of(1); /* a new assignment is a new release */
    assert_int_equal(release(&again, &b), 200);
    assert_int_equal(ask("GET", "/v1/releases?dataset=0xdadadadadadadadadadadadadadadadadadadada",
                         NULL, NULL, (struct slice){0}, &b),
                     200);
    json_free(sr_take_ptr(doc));
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    assert_int_equal(json_len(json_root(doc)), 2); /* the replay was refused before the deal */
    struct hash h0, p1;
    const struct json_val *first = json_at(json_root(doc), 0);
    assert_true(slice_is(json_text(json_get(first, "outcome")), "released"));
    assert_true(json_hash(json_get(first, "hash"), &h0));
    assert_true(json_hash(json_get(json_at(json_root(doc), 1), "previous"), &p1));
    assert_false(hash_eq(&h0, &p1)); /* the refused replay stands between them */
    /* what the release was made of, for a bundle: the newest one */
    cleanup_buf struct buf path;
    buf_init(&path, 256);
    buf_printf(&path, "/v1/tasks/%s/record", hash_text(&again.task).s);
    json_free(sr_take_ptr(doc));
    assert_int_equal(ask("GET", buf_cstr(&path), NULL, NULL, (struct slice){0}, &b), 200);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    const struct json_val *record = json_root(doc);
    assert_true(slice_is(json_text(json_get(record, "token")), "0x746f6b656e"));
    uint64_t row = 0;
    assert_true(json_u64(json_get(json_get(record, "release"), "n"), &row));
    assert_int_equal(row, 3);
    assert_non_null(json_get(json_get(record, "request"), "assignment"));
    assert_null(strstr(buf_cstr(&b), "envelope"));
    assert_int_equal(
        ask("GET",
            "/v1/tasks/"
            "0x7777777777777777777777777777777777777777777777777777777777777777/record",
            NULL, NULL, (struct slice){0}, &b),
        404);
    return SR_OK;
}
static void a_sound_request_is_released_once_and_logged(void **state) {
    (void)state;
    in_fiber(happy_story);
}

static sr_status refusals_story(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    uint8_t task = 10;
    uint64_t logged = 0;
    const struct fakes sound = F;
#define REFUSED(want_status, want_code, change)                                                    \
    do {                                                                                           \
        F = sound;                                                                                 \
        struct request r = request_of(++task);                                                     \
        change;                                                                                    \
        int got = release(&r, &b);                                                                 \
        if (got != (want_status) || !says(&b, want_code))                                          \
            fail_msg("%s: %d %s", want_code, got, buf_cstr(&b));                                   \
        assert_int_equal(rows(), ++logged);                                                        \
        assert_int_equal(F.releases, sound.releases + (F.vault_refuses ? 1 : 0));                  \
    } while (0)
    REFUSED(401, "INVALID_AUTHORIZATION", r.break_signature = true);
    REFUSED(401, "INVALID_AUTHORIZATION", r.worker = &W.user);
    REFUSED(409, "NONCE_UNKNOWN", r.nonce.b[20] ^= 1);
    REFUSED(409, "NONCE_UNKNOWN", r.task.b[0] ^= 1);
    REFUSED(409, "ASSIGNMENT_EXPIRED", r.expires -= 601);
    REFUSED(409, "ASSIGNMENT_EXPIRED", r.expires += 1000);
    REFUSED(403, "GET_CHAIN_DEAL_FAILED", F.no_deal = true);
    REFUSED(401, "EXECUTION_NOT_AUTHORIZED_INVALID_SIGNATURE", r.pool = &W.user);
    REFUSED(409, "TASK_NOT_ACTIVE", F.status = POCO_TASK_COMPLETED);
    REFUSED(409, "TASK_NOT_ACTIVE", F.status = POCO_TASK_REVEALING);
    REFUSED(409, "DEADLINE_PASSED", F.deadline_in_s = 0);
    REFUSED(403, "EXECUTION_NOT_AUTHORIZED_NO_MATCH_ONCHAIN_TYPE", F.not_tee = true);
    REFUSED(403, "OWNER_CHANGED", F.dataset_owner_now = filled(5));
    REFUSED(403, "OWNER_CHANGED", F.app_owner_now = filled(5));
    REFUSED(403, "DATASET_ORDER_REVOKED", F.revoked = true);
    REFUSED(403, "PRE_COMPUTE_GET_DATASET_SECRET_FAILED", (void)0);
    keep(SECRET_WEB3, sound.dataset, "");
    REFUSED(403, "POST_COMPUTE_GET_ENCRYPTION_TOKENS_FAILED_EMPTY_BENEFICIARY_KEY",
            F.params = "{\"iexec_result_encryption\":true}");
    REFUSED(403, "POST_COMPUTE_GET_STORAGE_TOKENS_FAILED",
            F.params = "{\"iexec_result_storage_provider\":\"dropbox\"}");
    REFUSED(403, "EVIDENCE_REFUSED", F.vault_refuses = "EVIDENCE_REFUSED: measurement unknown");
    assert_non_null(strstr(buf_cstr(&b), "\"error\":\"measurement unknown\""));
    REFUSED(403, "SOMETHING_NEW", F.vault_refuses = "SOMETHING_NEW: text");
    REFUSED(409, "ASSIGNMENT_USED", F.vault_refuses = "ASSIGNMENT_USED: text");
    REFUSED(403, "VAULT_REFUSED", F.vault_refuses = "no code at all");
    REFUSED(403, "DATASET_ORDER_RESTRICTED", F.restricted = true);
#undef REFUSED
    F = sound;
    struct request r = request_of(99); /* without a data set nothing is missing */
    F.dataset = (struct addr){{0}};
    assert_int_equal(release(&r, &b), 200);
    return SR_OK;
}
static void every_refusal_has_its_code_and_its_row(void **state) {
    (void)state;
    in_fiber(refusals_story);
}

/* Of two data sets the key of one is not here: it is left out, the other goes on. */
static sr_status bulk_story(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    cleanup_buf struct buf b;
    struct bulk_item items[2] = {{.address = filled(0xd1)}, {.address = filled(0xd2)}};
    buf_init(&b, 1u << 20);
    for (size_t i = 0; i < 2; i++) {
        items[i].order.kind = POCO_DATASET;
        items[i].dataset.owner = W.user_addr;
        items[i].dataset.multiaddr = SLICE_LIT("x");
    }
    F.dataset = (struct addr){{0}};
    F.bulk = items;
    F.n_bulk = 2;
    keep(SECRET_WEB3, items[1].address, "");
    struct request r = request_of(0x51);
    assert_int_equal(release(&r, &b), 200);
    assert_non_null(strstr(F.facts, "\"outcome\":\"DATASET_KEY_MISSING\""));
    cleanup_json struct json *doc = NULL;
    assert_int_equal(json_parse(slice_str(F.facts), &doc, NULL), SR_OK);
    const struct json_val *bulk = json_get(json_root(doc), "bulk");
    assert_int_equal(json_len(bulk), 2);
    assert_true(json_get(json_at(bulk, 0), "outcome") && !json_get(json_at(bulk, 1), "outcome"));
    assert_int_equal(rows(), 3); /* the task's, and one of each data set */
    return SR_OK;
}
static void a_bulk_goes_on_without_data_whose_key_is_missing(void **state) {
    (void)state;
    in_fiber(bulk_story);
}

static sr_status down_story(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    keep(SECRET_WEB3, F.dataset, "");
    struct request r = request_of(1);
    F.vault_down = true;
    assert_int_equal(release(&r, &b), 503);
    assert_true(says(&b, "VAULT_LOCKED"));
    F.vault_down = false;
    F.chain_down = true;
    assert_int_equal(release(&r, &b), 503);
    assert_true(says(&b, "CHAIN_UNAVAILABLE"));
    F.chain_down = false;
    assert_int_equal(rows(), 0);            /* nobody was refused */
    assert_int_equal(release(&r, &b), 200); /* and the assignment is still good */
    r.no_match_tx = true;
    assert_int_equal(release(&r, &b), 400);
    assert_int_equal(ask("POST", "/v1/tasks/0x12/release", NULL, NULL, SLICE_LIT("{}"), &b), 400);
    assert_int_equal(ask("POST", "/v1/nonces", NULL, NULL, SLICE_LIT("{}"), &b), 400);
    assert_int_equal(ask("GET", "/v1/vault", NULL, NULL, (struct slice){0}, &b), 200);
    assert_non_null(strstr(buf_cstr(&b), "\"sealingKey\":\"0x1111"));
    assert_int_equal(ask("GET", "/tee/framework", NULL, NULL, (struct slice){0}, &b), 200);
    assert_string_equal(buf_cstr(&b), "\"TDX\"");
    assert_int_equal(ask("GET", "/tee/properties/scone", NULL, NULL, (struct slice){0}, &b), 409);
    assert_int_equal(ask("GET", "/tee/properties/tdx/v1", NULL, NULL, (struct slice){0}, &b), 404);
    return SR_OK;
}
static void a_vault_or_chain_that_is_down_costs_nothing(void **state) {
    (void)state;
    in_fiber(down_story);
}

/* Two requests with one assignment at the same moment. */
static struct {
    struct request r;
    int status[8];
    size_t done;
    struct fcond more;
} race;
static void one_of_race(void *arg) {
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    *(int *)arg = release(&race.r, &b);
    race.done++;
    fcond_wake(&race.more);
}
static sr_status race_story(void *arg, struct sr_err *err) {
    (void)arg;
    keep(SECRET_WEB3, F.dataset, "");
    F.waits = 5;
    race.r = request_of(1);
    race.done = 0;
    for (size_t i = 0; i < SR_ARRAY_LEN(race.status); i++)
        SR_TRY(fiber_start(one_of_race, &race.status[i], err));
    while (race.done < SR_ARRAY_LEN(race.status)) SR_TRY(fcond_wait(&race.more, 5000, err));
    size_t won = 0;
    for (size_t i = 0; i < SR_ARRAY_LEN(race.status); i++) {
        won += race.status[i] == 200;
        assert_true(race.status[i] == 200 || race.status[i] == 409);
    }
    assert_int_equal(won, 1);
    assert_int_equal(rows(), SR_ARRAY_LEN(race.status));
    return SR_OK;
}
static void of_many_at_once_one_wins(void **state) {
    (void)state;
    in_fiber(race_story);
}

/* How many a second: fibers that each release their own tasks. */
#define LOAD_FIBERS 16
#define LOAD_EACH   20
static size_t load_left;
static struct fcond load_done;
static void one_of_load(void *arg) {
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    for (uint8_t i = 0; i < LOAD_EACH; i++) {
        struct request r = request_of((uint8_t)(uintptr_t)arg);
        assert_int_equal(release(&r, &b), 200);
    }
    load_left--;
    fcond_wake(&load_done);
}
static sr_status load_story(void *arg, struct sr_err *err) {
    (void)arg;
    keep(SECRET_WEB3, F.dataset, "");
    load_left = LOAD_FIBERS;
    int64_t t0 = clock_mono_us();
    for (uintptr_t i = 0; i < LOAD_FIBERS; i++)
        SR_TRY(fiber_start(one_of_load, (void *)(i + 1), err));
    while (load_left > 0) SR_TRY(fcond_wait(&load_done, 60000, err));
    int64_t us = clock_mono_us() - t0;
    print_message("%d releases: %lld a second (client in the same process)\n",
                  LOAD_FIBERS * LOAD_EACH, LOAD_FIBERS * LOAD_EACH * 1000000ll / (long long)us);
    assert_int_equal(rows(), LOAD_FIBERS * LOAD_EACH);
    struct release_log log;
    return release_log_open(W.sms.db, &log, err);
}
static void many_releases_at_once_keep_the_log_whole(void **state) {
    (void)state;
    in_fiber(load_story);
}

static sr_status noise_story(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    struct request r = request_of(1);
    r.break_signature = true;
    for (unsigned i = 0; i < 3 * SMS_NOISE_BURST; i++) assert_int_equal(release(&r, &b), 401);
    assert_true(rows() >= SMS_NOISE_BURST && rows() <= 2 * SMS_NOISE_BURST);
    uint64_t before = rows(); /* what the pool's owner vouches for is always written */
    struct request known = request_of(2);
    F.revoked = true;
    assert_int_equal(release(&known, &b), 403);
    assert_int_equal(rows(), before + 1);
    return SR_OK;
}
static void strangers_cannot_fill_the_log(void **state) {
    (void)state;
    in_fiber(noise_story);
}

static sr_status before_restart_story(void *arg, struct sr_err *err) {
    (void)err;
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    keep(SECRET_WEB3, F.dataset, "");
    for (uint8_t i = 1; i < 6; i++) {
        struct request r = request_of(i);
        if (i == 3) F.revoked = true;
        assert_int_equal(release(&r, &b), i == 3 ? 403 : 200);
        F.revoked = false;
        *(struct request *)arg = r;
    }
    return SR_OK;
}
static sr_status after_restart_story(void *arg, struct sr_err *err) {
    (void)err;
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    struct request r = *(struct request *)arg;
    assert_int_equal(release(&r, &b), 409);
    assert_true(says(&b, "ASSIGNMENT_USED"));
    r.nonce = *(const struct hash *)(const void *)W.sms.nonces.key; /* no nonce at all */
    assert_int_equal(release(&r, &b), 409);
    assert_true(says(&b, "NONCE_UNKNOWN"));
    return SR_OK;
}

static void the_log_outlives_a_restart_and_shows_every_change(void **state) {
    (void)state;
    static const char *const changes[] = {
        "UPDATE releases SET released = 1, code = '' WHERE n = 3",
        "UPDATE releases SET worker = task WHERE n = 2",
        "DELETE FROM releases WHERE n = 1",
        "DELETE FROM releases WHERE n = 3",
        "UPDATE releases SET previous = hash WHERE n = 4",
        "UPDATE releases SET time_ms = time_ms + 1 WHERE n = 5",
    };
    struct request r;
    struct release_log log;
    struct sr_err e = {0};
    if (net_call(before_restart_story, &r, &e) != SR_OK) fail_msg("%s", e.what);
    stop_serving();
    serve();
    assert_int_equal(W.sms.log.n, 5);
    if (net_call(after_restart_story, &r, &e) != SR_OK) fail_msg("%s", e.what);
    for (size_t i = 0; i < SR_ARRAY_LEN(changes); i++) {
        struct db_tx tx = {0};
        memset(&e, 0, sizeof e);
        assert_int_equal(db_begin(W.sms.db, &tx, NULL), SR_OK);
        assert_int_equal(db_run(W.sms.db, changes[i], DB_NO_ARGS, NULL), SR_OK);
        if (release_log_open(W.sms.db, &log, &e) != SR_E_CRYPTO) fail_msg("unseen: %s", changes[i]);
        assert_true(e.hint[0] != 0);
        db_rollback(&tx);
    }
    assert_int_equal(release_log_open(W.sms.db, &log, NULL), SR_OK);
}

static void nonces_are_of_one_task_one_service_and_one_minute(void **state) {
    (void)state;
    struct nonces a, b, other_sms;
    struct hash task = {{1}}, other = {{2}}, n, m;
    struct db *db;
    assert_int_equal(nonces_init(&a, W.sms.db, NULL), SR_OK);
    assert_int_equal(nonces_init(&b, W.sms.db, NULL), SR_OK); /* after a restart */
    assert_int_equal(db_open(":memory:", 0, &db, NULL), SR_OK);
    assert_int_equal(db_script(db, "CREATE TABLE kept (name TEXT, value BYTEA)", NULL), SR_OK);
    assert_int_equal(nonces_init(&other_sms, db, NULL), SR_OK);
    db_close(db);
    assert_int_equal(nonce_make(&a, &task, 1000, &n, NULL), SR_OK);
    assert_int_equal(nonce_make(&a, &task, 1000, &m, NULL), SR_OK);
    assert_false(hash_eq(&n, &m));
    assert_true(nonce_check(&a, &task, &n, 1000));
    assert_true(nonce_check(&a, &task, &n, 1000 + WIRE_NONCE_LIFE_S));
    assert_false(nonce_check(&a, &task, &n, 1001 + WIRE_NONCE_LIFE_S));
    assert_false(nonce_check(&a, &other, &n, 1000));
    assert_true(nonce_check(&b, &task, &n, 1000));
    assert_false(nonce_check(&other_sms, &task, &n, 1000));
    for (size_t i = 0; i < 32; i++) {
        n.b[i] ^= 0x80;
        assert_false(nonce_check(&a, &task, &n, 1000));
        n.b[i] ^= 0x80;
    }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest t[] = {
        T(a_sound_request_is_released_once_and_logged),
        T(every_refusal_has_its_code_and_its_row),
        T(a_bulk_goes_on_without_data_whose_key_is_missing),
        T(a_vault_or_chain_that_is_down_costs_nothing),
        T(of_many_at_once_one_wins),
        T(many_releases_at_once_keep_the_log_whole),
        T(strangers_cannot_fill_the_log),
        T(the_log_outlives_a_restart_and_shows_every_change),
        T(nonces_are_of_one_task_one_service_and_one_minute),
    };
    return cmocka_run_group_tests_name("sms/release", t, NULL, NULL);
}
