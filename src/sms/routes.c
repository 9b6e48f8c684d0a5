/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes, and those that only tell. */
#include "net/http_doc.h"
#include "net/role.h"
#include "sms/sms_int.h"

sr_status sms_releases(struct http_req *rq, void *role, struct sr_err *err) {
    struct sms *s = role;
    struct slice text;
    struct hash task;
    struct addr dataset;
    struct log_filter f = {.most = 100};
    uint64_t most = f.most;
    cleanup_buf struct buf out = {0};
    if (http_query(rq, "task", &text)) {
        if (!hash_parse(text, &task)) return sr_fail(err, SR_E_MALFORMED, "task is malformed");
        f.task = &task;
    } else if (http_query(rq, "dataset", &text)) {
        if (!addr_parse(text, &dataset))
            return sr_fail(err, SR_E_MALFORMED, "dataset is malformed");
        f.dataset = &dataset;
    }
    if (http_query(rq, "after", &text) && !num_u64(text, INT64_MAX, &f.from))
        return sr_fail(err, SR_E_MALFORMED, "after is malformed");
    if (http_query(rq, "size", &text) && !num_u64(text, SMS_PAGE_MAX, &most))
        return sr_fail(err, SR_E_MALFORMED, "size is at most %u", SMS_PAGE_MAX);
    f.most = (size_t)most;
    SR_TRY(sms_lasting(s, err));
    buf_init(&out, 1u << 20);
    struct jw w = jw_of(&out);
    SR_TRY(release_log_json(&s->log, &f, &w, err));
    return http_reply_json(rq, 200, &out, err);
}

sr_status sms_vault_key(struct http_req *rq, void *role, struct sr_err *err) {
    struct sms *s = role;
    struct vault_identity id;
    struct sr_signature proof;
    cleanup_buf struct buf out = {0};
    SR_TRY(vault_hello(s->vault, &id, err));
    SR_TRY(vault_key_proof(s->vault, &proof, err));
    buf_init(&out, 1024);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    jw_kaddr(&w, "identity", &id.wallet);
    jw_khex(&w, "sealingKey", slice_of(id.sealing_key, sizeof id.sealing_key));
    jw_khex(&w, "proof", slice_of(proof.b, sizeof proof.b));
    jw_kcstr(&w, "label", "SIMULATED"); /* the vault itself runs in no enclave yet */
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &out, err);
}

static sr_status version(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    return http_reply(rq, 200, "text/plain", SLICE_LIT("strongroom-0.1.0"), err);
}

static sr_status framework(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    return http_reply(rq, 200, "application/json", SLICE_LIT("\"TDX\""), err);
}

/* Official workers read images of stages there; our room is one program, so there is no version. */
static sr_status properties(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    int status = slice_ieq(http_param(rq, "framework"), "tdx") ? 404 : 409;
    return http_reply(rq, status, NULL, (struct slice){NULL, 0}, err);
}

/*
 * The official stack's routes of a task's start. Here a task's challenge key is born in its room,
 * and secrets are released sealed to it (POST /v1/tasks/{task}/release): an official scheduler or
 * worker gets the status it knows, with the reason.  SPEC: services.md#33-other-routes
 */
static sr_status no_challenge(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    return http_reply(
        rq, 404, "application/json",
        SLICE_LIT("{\"error\":\"no challenge key is made by this service: a room makes its own\","
                  "\"code\":\"CHALLENGE_BORN_IN_ENCLAVE\","
                  "\"hint\":\"use Strongroom's scheduler and worker\"}"),
        err);
}

static sr_status no_session(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    return http_reply(
        rq, 501, "application/json",
        SLICE_LIT(
            "{\"error\":\"SECURE_SESSION_NO_TEE_FRAMEWORK\",\"code\":\"SESSIONS_ARE_RELEASES\","
            "\"hint\":\"secrets are released to a room: POST /v1/tasks/{task}/release\"}"),
        err);
}

static sr_status metrics(struct http_req *rq, void *role, struct sr_err *err) {
    struct sms *s = role;
    static const char *const names[] = {"web3Secrets", "web2Secrets", "requesterSecrets",
                                        "appSecrets"};
    cleanup_buf struct buf out = {0};
    SR_TRY(sms_lasting(s, err)); /* a head that somebody notes down stays one */
    buf_init(&out, 2048);
    struct jw w = jw_of(&out);
    jw_obj(&w);
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++) {
        uint64_t n = 0;
        SR_TRY(db_get_u64(s->db, "SELECT count(*) FROM secrets WHERE kind = $1",
                          DB_ARGS(db_u64(i + 1)), &n, err));
        jw_key(&w, names[i]);
        jw_obj(&w);
        jw_ku64(&w, "storedCount", n);
        jw_end_obj(&w);
    }
    jw_ku64(&w, "releaseLogRows", s->log.n);
    jw_khash(&w, "releaseLogHead", &s->log.head);
    jw_ku64(&w, "refusalsNotLogged", s->not_logged);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &out, err);
}

/* The database, the vault and the chain: without one of them nothing is stored or released. */
static sr_status health(void *role, struct jw *checks, struct sr_err *err) {
    struct sms *s = role;
    struct vault_identity vault;
    uint64_t one, block;
    SR_TRY(db_get_u64(s->db, "SELECT 1", DB_NO_ARGS, &one, err));
    SR_TRY(commit_sound(s->writes, err));
    jw_kcstr(checks, "database", "ok");
    if (s->dir) SR_TRY(role_disk_health(s->dir, checks, err));
    SR_TRY(vault_hello(s->vault, &vault, err));
    jw_kcstr(checks, "vault", "ok");
    SR_TRY(sms_chain_head(s->chain, &block, err));
    jw_kcstr(checks, "chain", "ok");
    jw_ku64(checks, "chainBlock", block);
    return SR_OK;
}

sr_status sms_serve(struct sms *s, const char *host, uint16_t port, int listen_fd,
                    struct http_server **ret, struct sr_err *err) {
    static const struct http_route routes[] = {
        {"HEAD", "/secrets/web3", sms_web3_has, 0},
        {"POST", "/secrets/web3", sms_web3_put, SMS_BODY_MAX},
        {"HEAD", "/secrets/web2", sms_web2_has, 0},
        {"POST", "/secrets/web2", sms_web2_put, SMS_BODY_MAX},
        {"PUT", "/secrets/web2", sms_web2_put, SMS_BODY_MAX},
        {"HEAD", "/requesters/{address}/secrets/{name}", sms_requester_has, 0},
        {"POST", "/requesters/{address}/secrets/{name}", sms_requester_put, SMS_BODY_MAX},
        {"HEAD", "/apps/{address}/secrets", sms_app_has, 0},
        {"POST", "/apps/{address}/secrets", sms_app_put, SMS_BODY_MAX},
        {"GET", "/version", version, 0},
        {"GET", "/metrics", metrics, 0},
        {"GET", "/tee/framework", framework, 0},
        {"GET", "/tee/properties/{framework}", properties, 0},
        {"GET", "/tee/properties/{framework}/{version}", properties, 0},
        {"POST", "/tee/challenges/{task}", no_challenge, 1024},
        {"POST", "/tee/sessions", no_session, SMS_BODY_MAX},
        {"GET", "/v1/vault", sms_vault_key, 0},
        {"POST", "/v1/nonces", sms_nonce, 1024},
        {"POST", "/v1/tasks/{task}/release", sms_release, SMS_RELEASE_MAX},
        {"GET", "/v1/tasks/{task}/record", sms_record, 0},
        {"GET", "/v1/attestation", sms_attestation, 0},
        {"GET", "/v1/releases", sms_releases, 0},
    };
    const struct http_opts opts = {.routes = routes,
                                   .n_routes = SR_ARRAY_LEN(routes),
                                   .role = s,
                                   .cors = true,
                                   .name = "sms",
                                   .health = health,
                                   .cors_headers =
                                       "authorization, content-type, accept, x-contract-origin"};
    SR_TRY(http_serve(&opts, host, port, listen_fd, ret, err));
    http_server_describe(*ret, &sms_docs);
    return SR_OK;
}
