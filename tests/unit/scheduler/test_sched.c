/* SPDX-License-Identifier: Apache-2.0 */
/* test_sched.c - the scheduler among fakes: from the deal to the end, whatever happens between */
#include "world.h"

#define WORLD_TEST(name)                                                                           \
    static sr_status name##_in(struct sr_err *err);                                                \
    FIBER_TEST(name) {                                                                             \
        SR_TRY(world_begin(err));                                                                  \
        SR_TRY(world_scheduler(err));                                                              \
        return name##_in(err);                                                                     \
    }                                                                                              \
    static sr_status name##_in(struct sr_err *err)

static struct hash task_n(const struct hash *deal, uint64_t i) {
    return poco_task_id(deal, u256_of(i));
}
static sr_status stage(struct fake_worker *f, const struct hash *task, const char *name,
                       struct sr_err *err) {
    return fw_say(f, err, "{\"type\":\"stage\",\"task\":\"%s\",\"stage\":\"%s\"}",
                  hash_text(task).s, name);
}
static sr_status done(struct fake_worker *f, const struct hash *task, struct sr_err *err) {
    return fw_say(
        f, err,
        "{\"type\":\"done\",\"task\":\"%s\",\"tx\":\"%s\",\"exitCode\":0,\"stdout\":\"out\","
        "\"stderr\":\"err\"}",
        hash_text(task).s, hash_text(task).s);
}
static sr_status failed(struct fake_worker *f, const struct hash *task, const char *cause,
                        const char *blame, struct sr_err *err) {
    return fw_say(f, err,
                  "{\"type\":\"failed\",\"task\":\"%s\",\"cause\":\"%s\",\"message\":\"it broke\","
                  "\"exitCode\":3,\"blame\":\"%s\",\"stdout\":\"so\",\"stderr\":\"se\"}",
                  hash_text(task).s, cause, blame);
}
/* The whole life of one assigned task, by its worker. */
static sr_status finish(struct fake_worker *f, const struct hash *task, struct sr_err *err) {
    SR_TRY(stage(f, task, "fetching", err));
    SR_TRY(stage(f, task, "attesting", err));
    SR_TRY(fw_attest(f, task, 9, err));
    SR_TRY(fw_expect(f, "authorise", err));
    SR_TRY(stage(f, task, "running", err));
    SR_TRY(stage(f, task, "uploading", err));
    SR_TRY(stage(f, task, "settling", err));
    fc_finalize(W->chain, task);
    return done(f, task, err);
}

/* ---- the main path ---- */

WORLD_TEST(a_deal_becomes_a_signed_assignment_and_a_completed_task) {
    struct fake_worker f;
    struct hash deal, task, got, h;
    struct wire_assignment a;
    struct sr_signature sig;
    struct slice text;
    SR_TRY(fw_connect(&f, 0, 2, "", err));
    deal = good_deal(1);
    task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    const struct json_val *m = json_root(f.doc);
    SR_TRY(fw_task(&f, &got, err));
    CHECK(hash_eq(&got, &task));
    CHECK(json_hash(json_get(m, "deal"), &h) && hash_eq(&h, &deal));
    CHECK(json_hash(json_get(m, "matchTx"), &h) && hash_eq(&h, &W->chain->logs[0].l.tx));
    CHECK(wire_assignment_read(json_get(m, "assignment"), &a));
    h = wire_assignment_hash(&a);
    SR_TRY(eth_message_check(&h, slice_of(a.signature.b, 65), &W->owner, err));
    CHECK(addr_eq(&a.worker, &W->worker[0]) && hash_eq(&a.task, &task));
    CHECK(json_str(json_get(json_get(m, "app"), "multiaddr"), &text) &&
          slice_is(text, "registry.example/app:1"));
    CHECK(json_len(json_get(m, "datasets")) == 1 && json_len(json_get(m, "inputFiles")) == 1);
    CHECK(json_is(json_get(m, "initialized"), JSON_FALSE) && !json_get(m, "callback"));
    SR_TRY(stage(&f, &task, "fetching", err));
    SR_TRY(fw_attest(&f, &task, 5, err));
    SR_TRY(fw_expect(&f, "authorise", err));
    struct addr challenge;
    memset(challenge.b, 5, 20);
    CHECK(json_str(json_get(json_root(f.doc), "signature"), &text) && hex_decode(text, sig.b, 65));
    h = wire_authorisation_hash(&W->worker[0], &task, &challenge);
    SR_TRY(eth_message_check(&h, slice_of(sig.b, 65), &W->owner, err));
    SR_TRY(stage(&f, &task, "running", err));
    struct task_row t;
    SR_TRY(wait_task(&task, TS_RUNNING, &t, err));
    CHECK(strcmp(t.stage, "running") == 0);
    SR_TRY(stage(&f, &task, "settling", err));
    fc_finalize(W->chain, &task);
    SR_TRY(done(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, &t, err));
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE active = 1", 0, err));
    CHECK(W->nonces == 1 && W->assignments_signed == 1 && W->authorisations_signed == 1);
    CHECK(W->chain->n_sent == 0); /* the worker initialised it */
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(two_hundred_tasks_go_through_two_workers) {
    struct fake_worker f[2];
    SR_TRY(fw_connect(&f[0], 0, 3, "", err));
    SR_TRY(fw_connect(&f[1], 1, 2, "", err));
    (void)good_deal(120);
    (void)good_deal(80);
    size_t by[2] = {0, 0};
    int64_t until = clock_mono_us() + 30000000;
    while (by[0] + by[1] < 200 && clock_mono_us() < until)
        for (unsigned i = 0; i < 2; i++) {
            struct hash task;
            if (ws_recv(f[i].ws, 20, &f[i].in, NULL) != SR_OK) continue;
            cleanup_json struct json *doc = NULL;
            SR_TRY(json_parse(buf_slice(&f[i].in), &doc, err));
            CHECK(json_hash(json_get(json_root(doc), "task"), &task));
            fc_finalize(W->chain, &task);
            SR_TRY(done(&f[i], &task, err));
            by[i]++;
        }
    CHECK(by[0] + by[1] == 200 && by[0] > 20 && by[1] > 20);
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE status = 3", 200, err));
    fw_close(&f[0]);
    fw_close(&f[1]);
    return SR_OK;
}

WORLD_TEST(no_more_tasks_than_slots_at_once) {
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 2, "", err));
    (void)good_deal(5);
    struct hash first;
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(fw_task(&f, &first, err));
    SR_TRY(fw_expect(&f, "assign", err));
    CHECK(fw_silent(&f, 60));
    SR_TRY(finish(&f, &first, err));
    SR_TRY(fw_expect(&f, "assign", err));
    CHECK(fw_silent(&f, 60));
    fw_close(&f);
    return SR_OK;
}

/* ---- failures have causes ---- */

WORLD_TEST(an_apps_failure_ends_the_task_at_once_with_its_cause) {
    struct fake_worker f;
    struct task_row t;
    SR_TRY(fw_connect(&f, 0, 2, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(failed(&f, &task, "APP_COMPUTE_FAILED", "app", err));
    SR_TRY(wait_task(&task, TS_FAILED, &t, err));
    CHECK(strcmp(t.cause, "APP_COMPUTE_FAILED") == 0 && strcmp(t.message, "it broke") == 0);
    CHECK(t.has_exit && t.exit_code == 3 && strcmp(t.stage, "failed") == 0 && !t.active);
    CHECK(fw_silent(&f, 60)); /* not tried again */
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_hosts_failure_moves_the_task_to_another_worker) {
    struct fake_worker f[2];
    struct task_row t;
    SR_TRY(fw_connect(&f[0], 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f[0], "assign", err));
    SR_TRY(fw_connect(&f[1], 1, 1, "", err));
    SR_TRY(failed(&f[0], &task, "ROOM_START_FAILED", "host", err));
    SR_TRY(fw_expect(&f[1], "assign", err));
    CHECK(fw_silent(&f[0], 80)); /* never the same one while another is there */
    SR_TRY(finish(&f[1], &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, &t, err));
    CHECK(t.attempts == 2 && addr_eq(&t.worker, &W->worker[1]) && t.cause[0] == 0);
    fw_close(&f[0]);
    fw_close(&f[1]);
    return SR_OK;
}

WORLD_TEST(three_host_failures_end_the_task) {
    struct fake_worker f;
    struct task_row t;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    for (int i = 0; i < 3; i++) { /* alone in the pool: the same worker, after a moment */
        SR_TRY(fw_expect(&f, "assign", err));
        SR_TRY(failed(&f, &task, "ROOM_START_FAILED", "host", err));
    }
    SR_TRY(wait_task(&task, TS_FAILED, &t, err));
    CHECK(strcmp(t.cause, "ROOM_START_FAILED") == 0 && t.attempts == 3);
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_worker_that_always_leaves_ends_the_task) {
    struct task_row t;
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    for (unsigned i = 0; i < SCHED_LOST_TRIES; i++) {
        SR_TRY(fw_expect(&f, "assign", err));
        fw_close(&f);
        SR_TRY(fw_connect(&f, 0, 1, "", err)); /* comes back, and knows nothing of it */
    }
    SR_TRY(wait_task(&task, TS_FAILED, &t, err));
    CHECK(strcmp(t.cause, "WORKER_LOST") == 0 && t.attempts == SCHED_LOST_TRIES);
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_claimed_task_has_failed_by_its_deadline) {
    struct fake_worker f;
    struct task_row t;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0), got;
    SR_TRY(fw_expect(&f, "assign", err));
    fc_claim(W->chain, &task);
    SR_TRY(fw_expect(&f, "drop", err));
    SR_TRY(fw_task(&f, &got, err));
    CHECK(hash_eq(&got, &task));
    SR_TRY(wait_task(&task, TS_FAILED, &t, err));
    CHECK(strcmp(t.cause, "FINAL_DEADLINE_REACHED") == 0);
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(deals_that_the_pool_cannot_run_fail_at_once) {
    static char many[2048] = "{\"iexec_input_files\":[";
    for (unsigned i = 0; i <= PARAMS_MAX_FILES; i++) {
        size_t n = strlen(many);
        (void)snprintf(many + n, sizeof many - n, "%s\"http://x/%u\"", i ? "," : "", i);
    }
    (void)snprintf(many + strlen(many), sizeof many - strlen(many), "]}");
    const struct {
        const char *cause;
        struct fc_deal d;
    } bad[] = {
        {"PARAMS_UNREADABLE", {.tag = 9, .params = many}},
        {"DEAL_NOT_TEE", {.tag = 0}},
        {"TRUST_UNSUPPORTED", {.tag = 9, .trust = 5}},
        {"STORAGE_PROVIDER_UNSUPPORTED",
         {.tag = 9, .params = "{\"iexec_result_storage_provider\":\"dropbox\"}"}},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct task_row t;
        struct hash deal = fc_deal_make(W->chain, &bad[i].d), task = task_n(&deal, 0);
        SR_TRY(wait_task(&task, TS_FAILED, &t, err));
        CHECK(strcmp(t.cause, bad[i].cause) == 0 && t.message[0]);
    }
    return SR_OK;
}

WORLD_TEST(a_bad_token_is_not_authorised) {
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0), other = task_n(&deal, 1);
    SR_TRY(fw_expect(&f, "assign", err));
    struct addr saved = W->worker[0];
    W->worker[0] = W->worker[1]; /* the token names another worker */
    SR_TRY(fw_attest(&f, &task, 5, err));
    W->worker[0] = saved;
    SR_TRY(fw_expect(&f, "drop", err));
    CHECK(W->authorisations_signed == 0);
    SR_TRY(wait_rows("SELECT count(*) FROM attempt WHERE cause = 'AUTHORISATION_REFUSED'", 1, err));
    (void)other;
    fw_close(&f);
    return SR_OK;
}

/* ---- peers that are away ---- */

WORLD_TEST(an_sms_or_vault_that_is_away_delays_the_start_and_is_named) {
    struct fake_worker f;
    struct task_row t;
    W->sms_down = true;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE message LIKE 'not started yet%'", 1, err));
    SR_TRY(wait_task(&task, TS_WAITING, &t, err));
    CHECK(t.attempts == 0);
    W->vault_down = true;
    W->sms_down = false;
    CHECK(fw_silent(&f, 700));
    W->vault_down = false;
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(finish(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, &t, err));
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_chain_node_that_is_away_is_waited_for) {
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    W->chain->down = true;
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    CHECK(fw_silent(&f, 100));
    W->chain->down = false;
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(finish(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_worker_that_leaves_loses_its_task_to_another) {
    struct fake_worker f[2];
    struct task_row t;
    SR_TRY(fw_connect(&f[0], 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f[0], "assign", err));
    SR_TRY(fw_connect(&f[1], 1, 1, "", err));
    fw_close(&f[0]);
    CHECK(fw_silent(&f[1], 60)); /* it may come back */
    SR_TRY(fw_expect(&f[1], "assign", err));
    SR_TRY(finish(&f[1], &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, &t, err));
    fw_close(&f[1]);
    return SR_OK;
}

WORLD_TEST(a_worker_that_comes_back_with_its_task_keeps_it) {
    struct fake_worker f;
    char running[80];
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    fw_close(&f);
    (void)snprintf(running, sizeof running, "\"%s\"", hash_text(&task).s);
    SR_TRY(fw_connect(&f, 0, 1, running, err));
    CHECK(fw_silent(&f, 250)); /* longer than an orphan is waited for */
    SR_TRY(finish(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    CHECK(W->assignments_signed == 1);
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_worker_that_comes_back_without_its_task_gets_it_again_at_once) {
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0), got;
    SR_TRY(fw_expect(&f, "assign", err));
    fw_close(&f);
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(fw_task(&f, &got, err));
    CHECK(hash_eq(&got, &task));
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_task_that_is_not_the_workers_is_dropped) {
    struct fake_worker f;
    char running[80];
    struct hash alien, got;
    memset(alien.b, 0xee, 32);
    (void)snprintf(running, sizeof running, "\"%s\"", hash_text(&alien).s);
    SR_TRY(fw_connect(&f, 0, 1, running, err));
    SR_TRY(fw_expect(&f, "drop", err));
    SR_TRY(fw_task(&f, &got, err));
    CHECK(hash_eq(&got, &alien));
    fw_close(&f);
    return SR_OK;
}

/* ---- who may be a worker ---- */

static sr_status no_strangers(struct sr_err *err) {
    for (int i = 0; i < 2500 && W->s->n_strangers > 0; i++) SR_TRY(fiber_sleep(2, err));
    CHECK(W->s->n_strangers == 0);
    return SR_OK;
}

WORLD_TEST(logins_that_are_wrong_are_refused) {
    static const char *const bad[] = {
        "{\"type\":\"login\",\"version\":1,\"worker\":"
        "\"0x1111111111111111111111111111111111111111\","
        "\"signature\":\"0x00\",\"slots\":1}",
        "{\"type\":\"login\",\"version\":2}",
        "{\"type\":\"stage\"}",
        "nonsense",
        "[]",
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct fake_worker f = {0};
        buf_init(&f.in, 100000);
        SR_TRY(ws_connect(W->ws_url, 100000, &f.ws, err));
        SR_TRY(fw_expect(&f, "challenge", err));
        SR_TRY(ws_send(f.ws, slice_str(bad[i]), err));
        SR_TRY(fw_expect(&f, "refused", err));
        CHECK(ws_recv(f.ws, 2000, &f.in, NULL) == SR_E_CANCELLED);
        fw_close(&f);
    }
    /* A good signature by somebody who is not on the list. */
    struct fake_worker f;
    W->s->cfg.any_worker = false;
    CHECK(fw_connect(&f, 0, 1, "", NULL) != SR_OK);
    fw_close(&f);
    CHECK(W->s->n_workers == 0);
    SR_TRY(no_strangers(err));
    return SR_OK;
}

WORLD_TEST(connections_that_do_not_log_in_are_bounded) {
    struct ws *held[SCHED_STRANGERS_MAX], *more = NULL;
    for (size_t i = 0; i < SR_ARRAY_LEN(held); i++)
        SR_TRY(ws_connect(W->ws_url, 100000, &held[i], err));
    CHECK(W->s->n_strangers == SCHED_STRANGERS_MAX);
    CHECK(ws_connect(W->ws_url, 100000, &more, NULL) == SR_E_UNAVAILABLE);
    for (size_t i = 0; i < SR_ARRAY_LEN(held); i++) ws_close(held[i]);
    SR_TRY(no_strangers(err));
    struct fake_worker f; /* and a worker comes in again */
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(messages_out_of_place_close_the_connection) {
    struct hash deal = good_deal(1), task = task_n(&deal, 0), alien;
    memset(alien.b, 0xee, 32);
    for (int i = 0; i < 5; i++) {
        struct fake_worker f;
        SR_TRY(fw_connect(&f, 0, 1, "", err));
        SR_TRY(fw_expect(&f, "assign", err));
        switch (i) {
        case 0: SR_TRY(stage(&f, &alien, "running", err)); break;
        case 1: SR_TRY(stage(&f, &task, "dancing", err)); break;
        case 2:
            SR_TRY(fw_say(&f, err, "{\"type\":\"attested\",\"task\":\"%s\"}", hash_text(&task).s));
            break;
        case 3: SR_TRY(failed(&f, &task, "lower case", "host", err)); break;
        default: SR_TRY(fw_say(&f, err, "{")); break;
        }
        CHECK(ws_recv(f.ws, 2000, &f.in, NULL) == SR_E_CANCELLED);
        fw_close(&f);
    }
    return SR_OK;
}

/* ---- the chain takes back ---- */

WORLD_TEST(a_deal_that_vanishes_is_said_and_its_work_dropped) {
    struct fake_worker f;
    struct task_row t;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    uint64_t keep = fc_block(W->chain);
    struct hash deal = good_deal(1), task = task_n(&deal, 0), got;
    struct fc_deal again = W->chain->deals[0];
    SR_TRY(fw_expect(&f, "assign", err));
    fc_forget(W->chain, keep);
    (void)fc_block(W->chain);
    SR_TRY(fw_expect(&f, "drop", err));
    SR_TRY(fw_task(&f, &got, err));
    CHECK(hash_eq(&got, &task));
    SR_TRY(wait_task(&task, TS_FAILED, &t, err));
    CHECK(strcmp(t.cause, "DEAL_VANISHED") == 0);
    /* Made again, it is the same deal: the task lives. */
    (void)fc_deal_make(W->chain, &again);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(finish(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, &t, err));
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_finalisation_taken_back_is_awaited_then_done_again) {
    struct fake_worker f;
    struct task_row t;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    uint64_t keep = W->chain->n_blocks - 1;
    SR_TRY(finish(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE active = 1", 0, err));
    fc_forget(W->chain, keep);
    (void)fc_block(W->chain);
    SR_TRY(wait_task(&task, TS_RUNNING, &t, err));
    CHECK(strcmp(t.stage, "settling") == 0);
    fc_finalize(W->chain, &task); /* the worker's sender sent it again */
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    CHECK(fw_silent(&f, 250));
    fc_forget(W->chain, keep); /* this time nobody does */
    (void)fc_block(W->chain);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(finish(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    fw_close(&f);
    return SR_OK;
}

/* ---- deadlines ---- */

WORLD_TEST(tasks_without_a_worker_time_out_and_are_claimed) {
    struct task_row t;
    struct hash deal = good_deal(2), a = task_n(&deal, 0), b = task_n(&deal, 1);
    SR_TRY(wait_task(&a, TS_WAITING, NULL, err));
    fc_initialize(W->chain, &b);
    fc_pass(W->chain, 7 * 300);
    SR_TRY(wait_task(&a, TS_FAILED, &t, err));
    CHECK(strcmp(t.cause, "CONTRIBUTION_TIMEOUT") == 0 && t.message[0]);
    CHECK(W->chain->n_sent == 0); /* not before the final deadline */
    fc_pass(W->chain, 3 * 300);
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE on_chain = 4", 2, err));
    SR_TRY(wait_rows("SELECT count(*) FROM outbox", 0, err));
    CHECK(W->chain->n_sent == 2);
    for (size_t i = 0; i < 2; i++)
        CHECK(W->chain->sent[i].call == (hash_eq(&W->chain->sent[i].task, &a)
                                             ? POCO_CALL_INIT_AND_CLAIM_ARRAY
                                             : POCO_CALL_CLAIM));
    return SR_OK;
}

WORLD_TEST(many_claims_share_transactions) {
    struct hash deal = good_deal(40);
    SR_TRY(wait_rows("SELECT count(*) FROM task", 40, err));
    for (uint64_t i = 0; i < 5; i++) {
        struct hash t = task_n(&deal, i);
        fc_initialize(W->chain, &t);
    }
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE on_chain = 1", 5, err));
    fc_pass(W->chain, 10 * 300);
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE on_chain = 4 AND status = 4", 40, err));
    SR_TRY(wait_rows("SELECT count(*) FROM outbox", 0, err));
    CHECK(W->chain->n_sent <= 6);
    return SR_OK;
}

WORLD_TEST(old_rows_are_purged) {
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(finish(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    SR_TRY(wait_rows("SELECT count(*) FROM attempt WHERE stdout IS NOT NULL", 1, err));
    fc_pass(W->chain, 4 * 86400);
    SR_TRY(wait_rows("SELECT count(*) FROM attempt WHERE stdout IS NOT NULL", 0, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    fc_pass(W->chain, 31 * 86400);
    SR_TRY(wait_rows("SELECT count(*) FROM task", 0, err));
    SR_TRY(wait_rows("SELECT count(*) FROM deal", 0, err));
    SR_TRY(wait_rows("SELECT count(*) FROM history", 0, err));
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_failed_task_is_claimed_at_its_final_deadline_once) {
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(failed(&f, &task, "APP_COMPUTE_FAILED", "app", err));
    SR_TRY(wait_task(&task, TS_FAILED, NULL, err));
    fc_pass(W->chain, 10 * 300);
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE on_chain = 4", 1, err));
    SR_TRY(fiber_sleep(60, err));
    CHECK(W->chain->n_sent == 1);
    struct task_row t; /* the first cause stays */
    SR_TRY(wait_task(&task, TS_FAILED, &t, err));
    CHECK(strcmp(t.cause, "APP_COMPUTE_FAILED") == 0);
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(a_task_that_settles_slowly_is_initialised_by_the_scheduler) {
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(stage(&f, &task, "settling", err));
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE on_chain = 1", 1, err));
    CHECK(W->chain->n_sent == 1 && W->chain->sent[0].call == POCO_CALL_INITIALIZE);
    fc_finalize(W->chain, &task);
    SR_TRY(done(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    fw_close(&f);
    return SR_OK;
}

WORLD_TEST(another_clock_on_the_chain_moves_no_deadline_and_an_idle_chain_does_not_stop_them) {
    struct task_row t;
    W->chain->now -= 50000000; /* more than a year behind ours */
    uint64_t n = fc_block(W->chain);
    while (W->s->chain_block < n) SR_TRY(fiber_sleep(2, err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(wait_task(&task, TS_WAITING, &t, err));
    SR_TRY(fiber_sleep(50, err));
    SR_TRY(wait_task(&task, TS_WAITING, NULL, err));
    CHECK(W->s->have_skew && W->s->skew_s < -49000000);
    CHECK(sched_time(W->s) < t.contribution_deadline);
    W->s->skew_s += 2101; /* as if so much had passed without a block */
    SR_TRY(wait_task(&task, TS_FAILED, &t, err));
    CHECK(strcmp(t.cause, "CONTRIBUTION_TIMEOUT") == 0);
    int64_t kept = W->s->skew_s;
    SR_TRY(world_crash(err));
    SR_TRY(world_scheduler(err));
    CHECK(W->s->have_skew && kept - W->s->skew_s < 3000);
    return SR_OK;
}

WORLD_TEST(a_timeout_drops_the_running_job) {
    struct fake_worker f;
    struct hash got;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(stage(&f, &task, "running", err));
    SR_TRY(wait_task(&task, TS_RUNNING, NULL, err));
    fc_pass(W->chain, 7 * 300);
    SR_TRY(fw_expect(&f, "drop", err));
    SR_TRY(fw_task(&f, &got, err));
    CHECK(hash_eq(&got, &task));
    SR_TRY(stage(&f, &task, "uploading", err)); /* crossing messages are passed over */
    CHECK(fw_silent(&f, 50));
    fw_close(&f);
    return SR_OK;
}

/* ---- crashes ---- */

static sr_status crash_and_finish(struct fake_worker *f, const char *running,
                                  const struct hash *task, bool expect_again, struct sr_err *err) {
    fw_close(f);
    SR_TRY(world_crash(err));
    SR_TRY(world_scheduler(err));
    SR_TRY(fw_connect(f, 0, 1, running, err));
    if (expect_again) SR_TRY(fw_expect(f, "assign", err));
    SR_TRY(finish(f, task, err));
    SR_TRY(wait_task(task, TS_COMPLETED, NULL, err));
    fw_close(f);
    return SR_OK;
}

WORLD_TEST(a_crash_before_the_worker_knew_gives_the_task_again) {
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err)); /* the row is there; the worker never heard of it */
    return crash_and_finish(&f, "", &task, true, err);
}

WORLD_TEST(a_crash_while_the_worker_runs_lets_it_go_on) {
    struct fake_worker f;
    char running[80];
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(stage(&f, &task, "running", err));
    SR_TRY(wait_task(&task, TS_RUNNING, NULL, err));
    (void)snprintf(running, sizeof running, "\"%s\"", hash_text(&task).s);
    SR_TRY(crash_and_finish(&f, running, &task, false, err));
    CHECK(W->assignments_signed == 1);
    return SR_OK;
}

WORLD_TEST(events_missed_while_down_are_read_at_the_start) {
    struct fake_worker f;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    fw_close(&f);
    SR_TRY(world_crash(err));
    fc_finalize(W->chain, &task);
    struct hash other = good_deal(1), second = task_n(&other, 0);
    SR_TRY(world_scheduler(err));
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    SR_TRY(wait_task(&second, TS_WAITING, NULL, err));
    return SR_OK;
}

WORLD_TEST(a_chain_that_lost_blocks_while_we_were_down_is_noticed) {
    struct task_row t;
    uint64_t keep = fc_block(W->chain);
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(wait_task(&task, TS_WAITING, NULL, err));
    SR_TRY(world_crash(err));
    fc_forget(W->chain, keep);
    SR_TRY(world_scheduler(err));
    SR_TRY(wait_task(&task, TS_FAILED, &t, err));
    CHECK(strcmp(t.cause, "DEAL_VANISHED") == 0);
    return SR_OK;
}

WORLD_TEST(a_second_scheduler_in_the_same_folder_is_refused) {
    struct sched *second = sr_calloc_n(1, sizeof *second);
    struct sr_err e = {0};
    second->cfg.dir = W->dir;
    sr_status st = sched_open_db(second, &e);
    sched_free(second);
    CHECK(st == SR_E_CONFLICT && strstr(e.what, "another scheduler") && e.hint[0]);
    return SR_OK;
}

/* ---- the order at the market ---- */

WORLD_TEST(a_free_order_is_kept_at_the_market) {
    CHECK(W->posted == 1 && W->s->order_published); /* before it was ready */
    struct hash first = W->order;
    W->order_status = NULL; /* the market has forgotten it */
    while (W->posted < 2) SR_TRY(fiber_sleep(2, err));
    CHECK(hash_eq(&first, &W->order)); /* the same order again */
    W->chain->consumed = 950000;       /* nearly used up */
    fc_matched(W->chain, &first);
    while (W->posted < 3) SR_TRY(fiber_sleep(2, err));
    CHECK(!hash_eq(&first, &W->order));
    W->chain->consumed = 0;
    W->market_down = true;
    W->order_status = NULL;
    while (W->s->order_published) SR_TRY(fiber_sleep(2, err));
    W->market_down = false;
    while (!W->s->order_published) SR_TRY(fiber_sleep(2, err));
    CHECK(W->posted == 4);
    SR_TRY(world_crash(err)); /* and over a restart */
    W->order_status = "open";
    SR_TRY(world_scheduler(err));
    SR_TRY(fiber_sleep(50, err));
    CHECK(W->posted == 4);
    return SR_OK;
}

/* ---- what clients read ---- */

static sr_status log_header(const struct sr_secret *key, const struct addr *who, char *dst,
                            size_t n, struct sr_err *err) {
    char path[120], hex[131];
    struct slice text;
    struct sr_signature sig;
    cleanup_json struct json *doc = NULL;
    struct hash digest;
    (void)snprintf(path, sizeof path, "/tasks/logs/challenge?address=%s&chainId=1",
                   addr_text(who).s);
    SR_TRY(get_doc(path, NULL, 200, &doc, err));
    CHECK(json_str(json_get(json_get(json_root(doc), "message"), "challenge"), &text));
    SR_TRY(eip712_json(json_root(doc), &digest, err));
    SR_TRY(secp_sign(key, &digest, &sig, err));
    hex_encode(hex, sig.b, 65);
    (void)snprintf(dst, n, "Authorization: %s_0x%s_%s", hash_text(&digest).s, hex,
                   addr_text(who).s);
    return SR_OK;
}

WORLD_TEST(official_documents_have_their_shape_and_logs_their_reader) {
    struct fake_worker f;
    char path[200], header[400];
    struct slice v;
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash deal = good_deal(1), task = task_n(&deal, 0);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(finish(&f, &task, err));
    SR_TRY(wait_task(&task, TS_COMPLETED, NULL, err));
    SR_TRY(wait_rows("SELECT count(*) FROM task WHERE active = 1", 0, err));
    (void)snprintf(path, sizeof path, "/tasks/%s", hash_text(&task).s);
    cleanup_json struct json *doc = NULL;
    SR_TRY(get_doc(path, NULL, 200, &doc, err));
    const struct json_val *d = json_root(doc), *rep = json_first(json_get(d, "replicates"));
    CHECK(json_str(json_get(d, "currentStatus"), &v) && slice_is(v, "COMPLETED"));
    const struct json_val *first = json_first(json_get(d, "dateStatusList"));
    CHECK(json_str(json_get(first, "status"), &v) && slice_is(v, "RECEIVED"));
    CHECK(json_str(json_get(first, "date"), &v) && v.n == 29 && memcmp(v.p + 23, "+00:00", 6) == 0);
    CHECK(json_get(json_get(first, "chainReceipt"), "txHash"));
    CHECK(json_str(json_get(d, "commandLine"), &v) && slice_is(v, "a b"));
    CHECK(json_str(json_get(rep, "currentStatus"), &v) && slice_is(v, "COMPLETED"));
    CHECK(slice_is(json_text(json_get(rep, "appExitCode")), "0"));
    CHECK(json_str(json_get(rep, "walletAddress"), &v) &&
          slice_is(v, addr_checksum(&W->worker[0]).s));
    cleanup_json struct json *r = NULL, *l1 = NULL, *l2 = NULL, *l3 = NULL, *l4 = NULL, *m = NULL;
    (void)snprintf(path, sizeof path, "/tasks/%s/replicates/%s", hash_text(&task).s,
                   addr_text(&W->worker[0]).s);
    SR_TRY(get_doc(path, NULL, 200, &r, err));
    (void)snprintf(path, sizeof path, "/tasks/%s/logs", hash_text(&task).s);
    SR_TRY(get_doc(path, NULL, 401, &l1, err));
    SR_TRY(log_header(&W->worker_key[0], &W->worker[0], header, sizeof header, err));
    SR_TRY(get_doc(path, header, 403, &l2, err));
    SR_TRY(log_header(&W->requester_key, &W->requester, header, sizeof header, err));
    SR_TRY(get_doc(path, header, 200, &l3, err));
    SR_TRY(get_doc(path, header, 200, &l4, err)); /* the challenge may be used again */
    const struct json_val *log = json_first(json_get(json_root(l3), "computeLogsList"));
    CHECK(json_str(json_get(log, "stdout"), &v) && slice_is(v, "out"));
    header[strlen(header) - 50] ^= 1; /* a spoilt signature */
    cleanup_json struct json *l5 = NULL, *l6 = NULL;
    SR_TRY(get_doc(path, header, 401, &l5, err));
    SR_TRY(get_doc("/tasks/0x00", NULL, 404, &l6, err));
    SR_TRY(get_doc("/metrics", NULL, 200, &m, err));
    CHECK(slice_is(json_text(json_get(json_root(m), "aliveWorkers")), "1"));
    fw_close(&f);
    return SR_OK;
}

struct sse {
    char text[4000];
    size_t n;
    bool ended;
    struct hash task;
};
static sr_status sse_data(void *arg, struct slice d, struct sr_err *err) {
    (void)err;
    struct sse *s = arg;
    for (size_t i = 0; i < d.n && s->n < sizeof s->text - 1; i++) s->text[s->n++] = (char)d.p[i];
    return SR_OK;
}
static void sse_read(void *arg) {
    struct sse *s = arg;
    char url[200];
    (void)snprintf(url, sizeof url, "%s/v1/tasks/%s/events", W->url, hash_text(&s->task).s);
    struct http_call call = {.url = url, .on_data = sse_data, .arg = s};
    struct http_answer a = {0};
    s->ended = http_fetch(&call, &a, NULL) == SR_OK && a.status == 200;
    http_answer_done(&a);
}

WORLD_TEST(the_stream_of_events_tells_each_stage_until_the_end) {
    struct fake_worker f;
    struct sse s = {0};
    SR_TRY(fw_connect(&f, 0, 1, "", err));
    struct hash id = {{7}};
    s.task = task_n(&id, 0);
    SR_TRY(fiber_start(sse_read, &s, err)); /* before the deal exists */
    SR_TRY(fiber_sleep(20, err));
    struct fc_deal d = {.id = id, .requester = W->requester, .tag = 9};
    (void)fc_deal_make(W->chain, &d);
    SR_TRY(fw_expect(&f, "assign", err));
    SR_TRY(fw_attest(&f, &s.task, 9, err));
    SR_TRY(fw_expect(&f, "authorise", err));
    SR_TRY(stage(&f, &s.task, "running", err));
    /* Changes that come faster than the reader are told as one: give it the time. */
    for (int i = 0; i < 500 && !strstr(s.text, "\"running\""); i++) SR_TRY(fiber_sleep(5, err));
    fc_finalize(W->chain, &s.task);
    SR_TRY(done(&f, &s.task, err));
    for (int i = 0; i < 500 && !s.ended; i++) SR_TRY(fiber_sleep(5, err));
    CHECK(s.ended);
    const char *at = s.text;
    static const char *const order[] = {"matched", "attested", "running", "completed"};
    for (size_t i = 0; i < SR_ARRAY_LEN(order); i++) {
        char want[40];
        (void)snprintf(want, sizeof want, "\"stage\":\"%s\"", order[i]);
        at = strstr(at, want);
        if (!at) return sr_fail(err, SR_E_SYS, "no %s in %s", order[i], s.text);
    }
    char path[120];
    cleanup_json struct json *doc = NULL, *pool = NULL, *none = NULL;
    (void)snprintf(path, sizeof path, "/v1/tasks/%s", hash_text(&s.task).s);
    SR_TRY(get_doc(path, NULL, 200, &doc, err));
    struct slice v;
    CHECK(json_str(json_get(json_root(doc), "status"), &v) && slice_is(v, "COMPLETED"));
    SR_TRY(get_doc("/v1/pool", NULL, 200, &pool, err));
    CHECK(json_len(json_get(json_root(pool), "workers")) == 1);
    (void)snprintf(path, sizeof path, "/v1/tasks/%s", hash_text(&id).s);
    SR_TRY(get_doc(path, NULL, 404, &none, err));
    fw_close(&f);
    return SR_OK;
}

#define T(name) cmocka_unit_test_teardown(name, world_end)
int main(void) {
    const struct CMUnitTest t[] = {
        T(a_deal_becomes_a_signed_assignment_and_a_completed_task),
        T(two_hundred_tasks_go_through_two_workers),
        T(no_more_tasks_than_slots_at_once),
        T(an_apps_failure_ends_the_task_at_once_with_its_cause),
        T(a_hosts_failure_moves_the_task_to_another_worker),
        T(three_host_failures_end_the_task),
        T(a_worker_that_always_leaves_ends_the_task),
        T(a_claimed_task_has_failed_by_its_deadline),
        T(deals_that_the_pool_cannot_run_fail_at_once),
        T(a_bad_token_is_not_authorised),
        T(an_sms_or_vault_that_is_away_delays_the_start_and_is_named),
        T(a_chain_node_that_is_away_is_waited_for),
        T(a_worker_that_leaves_loses_its_task_to_another),
        T(a_worker_that_comes_back_with_its_task_keeps_it),
        T(a_worker_that_comes_back_without_its_task_gets_it_again_at_once),
        T(a_task_that_is_not_the_workers_is_dropped),
        T(logins_that_are_wrong_are_refused),
        T(connections_that_do_not_log_in_are_bounded),
        T(messages_out_of_place_close_the_connection),
        T(a_deal_that_vanishes_is_said_and_its_work_dropped),
        T(a_finalisation_taken_back_is_awaited_then_done_again),
        T(tasks_without_a_worker_time_out_and_are_claimed),
        T(many_claims_share_transactions),
        T(old_rows_are_purged),
        T(a_failed_task_is_claimed_at_its_final_deadline_once),
        T(a_task_that_settles_slowly_is_initialised_by_the_scheduler),
        T(another_clock_on_the_chain_moves_no_deadline_and_an_idle_chain_does_not_stop_them),
        T(a_timeout_drops_the_running_job),
        T(a_crash_before_the_worker_knew_gives_the_task_again),
        T(a_crash_while_the_worker_runs_lets_it_go_on),
        T(events_missed_while_down_are_read_at_the_start),
        T(a_chain_that_lost_blocks_while_we_were_down_is_noticed),
        T(a_second_scheduler_in_the_same_folder_is_refused),
        T(a_free_order_is_kept_at_the_market),
        T(official_documents_have_their_shape_and_logs_their_reader),
        T(the_stream_of_events_tells_each_stage_until_the_end),
    };
    return cmocka_run_group_tests_name("scheduler", t, NULL, NULL);
}
