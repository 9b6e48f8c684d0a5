/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fails.c - the ends of a job that are its host's fault or its peers': what is said of each
 *
 * The worker's own code among peers that are away or talk nonsense; only how long it is patient is
 * shortened, and the scheduler's connection is left out.
 */
#include "../net/net_test.h"
#include "worker/worker_int.h"

#undef WORKER_RETRY_MS
#undef WORKER_RELEASE_MS
#undef WORKER_UPLOAD_MS
#define WORKER_RETRY_MS   10u
#define WORKER_RELEASE_MS 60u
#define WORKER_UPLOAD_MS  60u
#include "worker/fetch.c"
#include "worker/job.c"
#include "worker/release.c"
#include "worker/settle.c"

static struct {
    char dir[64], url[64];
    struct worker w;
    struct http_server *server;
    struct sr_secret key;
    int status;         /* what every service answers, */
    const char *answer; /* and with which body */
    bool vault_down;
} W;

/* ---- who is left out ---- */

sr_status link_send(struct worker *w, struct slice text, struct sr_err *err) {
    (void)w;
    (void)text;
    return sr_fail(err, SR_E_UNAVAILABLE, "no scheduler");
}
void link_stage(struct job *j, const char *stage) {
    j->stage = stage;
}
sr_status link_send_last(struct job *j, struct sr_err *err) {
    (void)j;
    return sr_fail(err, SR_E_CANCELLED, "no scheduler");
}
sr_status vault_sign_release(struct vault_client *v, const struct hash *task,
                             const struct hash *nonce, const struct hash *evidence_digest,
                             struct sr_signature *ret, struct sr_err *err) {
    (void)v;
    (void)task;
    (void)nonce;
    (void)evidence_digest;
    memset(ret, 0x22, sizeof *ret);
    return W.vault_down ? sr_fail(err, SR_E_UNAVAILABLE, "the vault does not answer") : SR_OK;
}

static sr_status any_answer(struct http_req *rq, void *role, struct sr_err *err) {
    cleanup_buf struct buf b;
    (void)role;
    buf_init(&b, 4096);
    buf_str(&b, W.answer);
    return http_reply_json(rq, W.status, &b, err);
}

static sr_status begin(struct job **ret, struct sr_err *err) {
    static const struct http_route routes[] = {{"POST", "/{a}", any_answer, 0},
                                               {"POST", "/{a}/{b}/{c}", any_answer, 0},
                                               {"POST", "/{a}/{b}/{c}/{d}", any_answer, 0},
                                               {"POST", "/", any_answer, 0}};
    const struct http_opts opts = {.routes = routes, .n_routes = SR_ARRAY_LEN(routes)};
    (void)snprintf(W.dir, sizeof W.dir, "/tmp/worker-test-XXXXXX");
    if (!mkdtemp(W.dir)) return sr_fail(err, SR_E_SYS, "a folder");
    SR_TRY(http_serve(&opts, "127.0.0.1", 0, -1, &W.server, err));
    (void)snprintf(W.url, sizeof W.url, "http://127.0.0.1:%u", http_server_port(W.server));
    W.w = (struct worker){.dir = W.dir, .store = W.url, .sms = W.url, .slots = 2};
    W.status = 503;
    W.answer = "{}";
    W.vault_down = false;
    SR_TRY(secp_keygen(&W.key, err));
    SR_TRY(eth_signer_local(&W.key, &W.w.signer, err));
    SR_TRY(eth_rpc_new(W.url, &W.w.rpc, err));
    const struct eth_sender_opts so = {.rpc = W.w.rpc, .signer = &W.w.signer, .chain_id = 1};
    SR_TRY(eth_sender_new(&so, &W.w.sender, err));
    *ret = job_new(&W.w);
    if (!*ret) return sr_fail(err, SR_E_NOMEM, "job");
    (*ret)->contribution_deadline = clock_unix_ms() / 1000 + 600;
    cleanup_free char *dir = job_path(*ret, "");
    return dir ? fs_mkdirs(dir, 0700, err) : sr_fail(err, SR_E_NOMEM, "job");
}

static sr_status end(struct job *j, struct sr_err *err) {
    job_free(j);
    eth_sender_free(W.w.sender);
    eth_rpc_free(W.w.rpc);
    secret_free(&W.key);
    http_server_close(W.server);
    return fs_remove_tree(W.dir, err);
}

static bool failed_by(const struct job *j, sr_status st, const char *cause, door_blame blame) {
    if (st != SR_OK && j->cause && strcmp(j->cause, cause) == 0 && j->blame == blame) return true;
    (void)fprintf(stderr, "%s: %s, blame %d\n", sr_status_name(st), j->cause ? j->cause : "-",
                  (int)j->blame);
    return false;
}

/* ---- the secret service ---- */

static sr_status release_now(struct job *j, struct sr_err *err) {
    const struct door_binding b = {.evidence = SLICE_LIT("evidence")};
    struct released r = {0};
    sr_status st = ask_release(j, &b, &r, err);
    released_done(&r);
    return st;
}

FIBER_TEST(a_secret_service_that_stays_away_is_named) {
    struct job *j;
    struct sr_err e = {0};
    SR_TRY(begin(&j, err));
    CHECK(failed_by(j, release_now(j, &e), "UNKNOWN_SMS", BLAME_HOST));
    CHECK(strstr(e.what, "503"));
    return end(j, err);
}

FIBER_TEST(a_secret_service_that_answers_nonsense_is_named) {
    static const struct {
        int status;
        const char *answer;
    } bad[] = {{200, "{}"},
               {200, "nothing"},
               {200, "{\"token\":\"0x11\",\"envelope\":\"AAAA\"}"},
               {403, "{\"code\":\"not a code\",\"error\":\"no\"}"},
               {403, "<html>"}};
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) {
        struct job *j;
        SR_TRY(begin(&j, err));
        W.status = bad[i].status;
        W.answer = bad[i].answer;
        CHECK(failed_by(j, release_now(j, NULL), "GET_TEE_SERVICES_CONFIGURATION_FAILED",
                        BLAME_HOST));
        SR_TRY(end(j, err));
    }
    return SR_OK;
}

FIBER_TEST(a_worker_without_its_vault_cannot_prepare_a_room) {
    struct job *j;
    SR_TRY(begin(&j, err));
    W.vault_down = true;
    CHECK(failed_by(j, release_now(j, NULL), "TEE_PREPARATION_FAILED", BLAME_HOST));
    return end(j, err);
}

/* ---- this host ---- */

FIBER_TEST(a_task_beyond_the_slots_is_given_back) {
    struct job *j;
    struct sr_err e = {0};
    SR_TRY(begin(&j, err));
    W.w.slots = 0;
    W.w.jobs = j;
    CHECK(failed_by(j, run(j, &e), "NO_FREE_SLOT", BLAME_HOST));
    return end(j, err);
}

FIBER_TEST(a_result_that_the_disk_does_not_take_is_lost) {
    struct job *j;
    SR_TRY(begin(&j, err));
    forget_folder(j);
    CHECK(failed_by(j, take_archive(j, NULL, NULL), "POST_COMPUTE_RESULT_FILE_NOT_FOUND",
                    BLAME_HOST));
    return end(j, err);
}

FIBER_TEST(a_store_that_stays_away_takes_no_result) {
    struct job *j;
    SR_TRY(begin(&j, err));
    cleanup_free char *path = job_path(j, "result.zip");
    SR_TRY(fs_write_atomic(path, SLICE_LIT("a result"), 0600, err));
    CHECK(failed_by(j, upload_result(j, NULL), "POST_COMPUTE_IPFS_UPLOAD_FAILED", BLAME_HOST));
    return end(j, err);
}

FIBER_TEST(an_end_without_a_cause_has_one_that_says_so) {
    struct job *j;
    cleanup_buf struct buf b;
    cleanup_json struct json *doc = NULL;
    const struct sr_err e = {.code = SR_E_NOMEM};
    SR_TRY(begin(&j, err));
    buf_init(&b, WIRE_POOL_MESSAGE_MAX);
    msg_failed(&b, j, &e);
    SR_TRY(json_parse(buf_slice(&b), &doc, err));
    const struct json_val *v = json_root(doc);
    CHECK(slice_is(json_text(json_get(v, "cause")), "POST_COMPUTE_FAILED_UNKNOWN_ISSUE"));
    CHECK(slice_is(json_text(json_get(v, "blame")), "host"));
    CHECK(json_text(json_get(v, "message")).n > 0);
    return end(j, err);
}

/* ---- the chain ---- */

FIBER_TEST(a_node_that_stays_away_until_the_deadline_is_named) {
    struct job *j;
    SR_TRY(begin(&j, err));
    j->authorised = true;
    j->contribution_deadline = clock_unix_ms() / 1000; /* over: one try */
    CHECK(failed_by(j, settle_send(j, SLICE_LIT("call"), NULL), "CHAIN_UNREACHABLE", BLAME_HOST));
    return end(j, err);
}

FIBER_TEST(a_contribution_that_the_node_refuses_is_told_apart) {
    struct job *j;
    SR_TRY(begin(&j, err));
    W.status = 200;
    W.answer = "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"no\"}}";
    CHECK(failed_by(j, settle_send(j, SLICE_LIT("call"), NULL), "CHAIN_RECEIPT_NOT_VALID",
                    BLAME_HOST));
    return end(j, err);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_secret_service_that_stays_away_is_named),
        cmocka_unit_test(a_secret_service_that_answers_nonsense_is_named),
        cmocka_unit_test(a_worker_without_its_vault_cannot_prepare_a_room),
        cmocka_unit_test(a_task_beyond_the_slots_is_given_back),
        cmocka_unit_test(a_result_that_the_disk_does_not_take_is_lost),
        cmocka_unit_test(a_store_that_stays_away_takes_no_result),
        cmocka_unit_test(an_end_without_a_cause_has_one_that_says_so),
        cmocka_unit_test(a_node_that_stays_away_until_the_deadline_is_named),
        cmocka_unit_test(a_contribution_that_the_node_refuses_is_told_apart),
    };
    return cmocka_run_group_tests_name("worker/fails", t, NULL, end_net);
}
