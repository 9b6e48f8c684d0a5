/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - see world.h */
#include "world.h"
#include <sys/stat.h>
#include <unistd.h>

struct world *W;

/* ---- the vault, in place of wire/vault_client.c ---- */

sr_status vault_client_new(const char *socket_path, struct vault_client **ret, struct sr_err *err) {
    (void)socket_path;
    (void)err;
    *ret = (struct vault_client *)(void *)W;
    return SR_OK;
}
void vault_client_free(struct vault_client *v) {
    (void)v;
}
static sr_status up(struct sr_err *err) {
    return W->vault_down ? sr_fail(err, SR_E_UNAVAILABLE, "the vault does not answer") : SR_OK;
}
sr_status vault_hello(struct vault_client *v, struct vault_identity *ret, struct sr_err *err) {
    (void)v;
    SR_TRY(up(err));
    *ret = (struct vault_identity){0};
    return SR_OK;
}
sr_status vault_signer(struct vault_client *v, struct eth_signer *ret, struct sr_err *err) {
    (void)v;
    SR_TRY(up(err));
    return eth_signer_local(&W->owner_key, ret, err);
}
static sr_status sign_message(const struct sr_secret *key, struct hash h, struct sr_signature *ret,
                              struct sr_err *err) {
    h = eth_message_hash(&h);
    return secp_sign(key, &h, ret, err);
}
sr_status vault_sign_assignment(struct vault_client *v, struct wire_assignment *a,
                                struct sr_err *err) {
    (void)v;
    SR_TRY(up(err));
    if (a->expires_unix_s > clock_unix_ms() / 1000 + WIRE_ASSIGNMENT_LIFE_S)
        return sr_fail(err, SR_E_REFUSED, "too long");
    W->assignments_signed++;
    return sign_message(&W->owner_key, wire_assignment_hash(a), &a->signature, err);
}
sr_status vault_sign_authorisation(struct vault_client *v, const struct hash *task,
                                   const struct addr *worker, const struct addr *challenge,
                                   struct slice token, struct sr_signature *ret,
                                   struct sr_err *err) {
    struct wire_token t;
    (void)v;
    SR_TRY(up(err));
    SR_TRY(wire_token_check(token, &W->sms_identity, task, worker, challenge,
                            clock_unix_ms() / 1000, &t, err));
    W->authorisations_signed++;
    return sign_message(&W->owner_key, wire_authorisation_hash(worker, task, challenge), ret, err);
}
sr_status vault_sign_order(struct vault_client *v, struct slice order_json,
                           struct sr_signature *ret, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct poco_order *o = sr_calloc_n(1, sizeof *o);
    (void)v;
    sr_status st = up(err);
    if (st == SR_OK) st = json_parse(order_json, &doc, err);
    if (st == SR_OK) st = poco_order_from_json(POCO_WORKERPOOL, json_root(doc), o, err);
    if (st == SR_OK) {
        struct poco_domain d = poco_domain_of(FC_CHAIN_ID, &W->chain->hub);
        struct hash h = poco_order_hash(&d, o);
        st = secp_sign(&W->owner_key, &h, ret, err);
    }
    free(o);
    return st;
}
sr_status vault_sign_market(struct vault_client *v, struct slice domain_name,
                            struct slice domain_version, struct slice challenge,
                            struct sr_signature *ret, struct sr_err *err) {
    (void)v;
    SR_TRY(up(err));
    if (!slice_is(domain_name, "iExec Gateway") || !slice_is(domain_version, "1"))
        return sr_fail(err, SR_E_REFUSED, "not a market");
    struct hash h = eip712_challenge("iExec Gateway", FC_CHAIN_ID, challenge);
    return secp_sign(&W->owner_key, &h, ret, err);
}

/* ---- SMS ---- */

static sr_status do_nonce(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct slice body;
    cleanup_json struct json *doc = NULL;
    struct hash task, nonce;
    cleanup_buf struct buf b;
    buf_init(&b, 1000);
    SR_TRY(http_body(rq, &body, err));
    if (W->sms_down) return sr_fail(err, SR_E_UNAVAILABLE, "locked");
    SR_TRY(json_parse(body, &doc, err));
    if (!json_hash(json_get(json_root(doc), "task"), &task))
        return sr_fail(err, SR_E_MALFORMED, "task");
    SR_TRY(random_bytes(nonce.b, sizeof nonce.b, err));
    W->nonces++;
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_khash(&w, "nonce", &nonce);
    jw_ku64(&w, "expires", clock_unix_ms() / 1000 + 60);
    jw_end_obj(&w);
    return http_reply_json(rq, 200, &b, err);
}

/* ---- market ---- */

static const char market_challenge[] =
    "{\"ok\":true,\"data\":{\"types\":{\"EIP712Domain\":[{\"name\":\"name\",\"type\":\"string\"},"
    "{\"name\":\"version\",\"type\":\"string\"},{\"name\":\"chainId\",\"type\":\"uint256\"}],"
    "\"Challenge\":[{\"name\":\"challenge\",\"type\":\"string\"}]},\"domain\":{\"name\":"
    "\"iExec Gateway\",\"version\":\"1\",\"chainId\":\"31337\"},\"primaryType\":\"Challenge\","
    "\"message\":{\"challenge\":\"Sign this message to log into iExec Gateway: abc\"}}}";

static sr_status do_challenge(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    if (W->market_down) return sr_fail(err, SR_E_UNAVAILABLE, "down");
    return http_reply(rq, 200, "application/json", slice_str(market_challenge), err);
}
static sr_status do_order(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct hash h;
    if (W->market_down) return sr_fail(err, SR_E_UNAVAILABLE, "down");
    if (!hash_parse(http_param(rq, "hash"), &h) || !hash_eq(&h, &W->order) || !W->order_status)
        return sr_fail(err, SR_E_NOTFOUND, "workerpoolorder not found");
    cleanup_buf struct buf b;
    buf_init(&b, 100);
    buf_printf(&b, "{\"ok\":true,\"status\":\"%s\"}", W->order_status);
    return http_reply_json(rq, 200, &b, err);
}
static sr_status do_publish(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct slice body, auth, digest, sig, who;
    cleanup_json struct json *doc = NULL;
    struct poco_order *o = sr_calloc_n(1, sizeof *o);
    struct sr_signature s;
    struct addr signer;
    sr_status st = http_body(rq, &body, err);
    if (st == SR_OK && W->market_down) st = sr_fail(err, SR_E_UNAVAILABLE, "down");
    if (st == SR_OK) st = json_parse(body, &doc, err);
    if (st == SR_OK)
        st = poco_order_from_json(POCO_WORKERPOOL, json_get(json_root(doc), "order"), o, err);
    struct hash want =
        eip712_challenge("iExec Gateway", FC_CHAIN_ID,
                         SLICE_LIT("Sign this message to log into iExec Gateway: abc"));
    struct hash got;
    if (st == SR_OK &&
        (!http_header(rq, "authorization", &auth) || !slice_cut(auth, '_', &digest, &auth) ||
         !slice_cut(auth, '_', &sig, &who) || !hash_parse(digest, &got) || !hash_eq(&got, &want) ||
         !hex_decode(sig, s.b, sizeof s.b) ||
         secp_recover(&want, slice_of(s.b, 65), &signer, NULL) != SR_OK ||
         !addr_eq(&signer, &W->owner)))
        st = sr_fail(err, SR_E_REFUSED, "invalid authorization");
    struct poco_domain d = poco_domain_of(FC_CHAIN_ID, &W->chain->hub);
    if (st == SR_OK) st = poco_order_signer(o, &d, &signer, err);
    if (st == SR_OK && !addr_eq(&signer, &W->owner))
        st = sr_fail(err, SR_E_REFUSED, "invalid sign");
    if (st == SR_OK) {
        W->order = poco_order_hash(&d, o);
        W->order_status = "open";
        W->posted++;
        st = http_reply(rq, 200, "application/json", SLICE_LIT("{\"ok\":true}"), err);
    }
    free(o);
    return st;
}

/* ---- begin and end ---- */

static sr_status make_key(struct sr_secret *key, struct addr *a, struct sr_err *err) {
    SR_TRY(secp_keygen(key, err));
    return secp_address(key, a, err);
}

sr_status world_begin(struct sr_err *err) {
    static const struct http_route sms[] = {{"POST", "/v1/nonces", do_nonce, 1000}};
    static const struct http_route market[] = {{"GET", "/challenge", do_challenge, 0},
                                               {"GET", "/workerpoolorders/{hash}", do_order, 0},
                                               {"POST", "/workerpoolorders", do_publish, 100000}};
    W = sr_calloc_n(1, sizeof *W);
    W->chain = sr_calloc_n(1, sizeof *W->chain);
    log_setup("test", 2, getenv("SCHED_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    SR_TRY(make_key(&W->owner_key, &W->owner, err));
    SR_TRY(make_key(&W->sms_key, &W->sms_identity, err));
    SR_TRY(make_key(&W->requester_key, &W->requester, err));
    for (int i = 0; i < 3; i++) SR_TRY(make_key(&W->worker_key[i], &W->worker[i], err));
    W->chain->owner = W->owner;
    SR_TRY(fc_start(W->chain, err));
    struct http_opts o = {.routes = sms, .n_routes = 1};
    SR_TRY(http_serve(&o, "127.0.0.1", 0, -1, &W->sms, err));
    struct http_opts m = {.routes = market, .n_routes = SR_ARRAY_LEN(market)};
    SR_TRY(http_serve(&m, "127.0.0.1", 0, -1, &W->market, err));
    (void)snprintf(W->sms_url, sizeof W->sms_url, "http://127.0.0.1:%u", http_server_port(W->sms));
    (void)snprintf(W->market_url, sizeof W->market_url, "http://127.0.0.1:%u",
                   http_server_port(W->market));
    (void)snprintf(W->dir, sizeof W->dir, "/tmp/sr-sched-XXXXXX");
    CHECK(mkdtemp(W->dir) != NULL);
    return SR_OK;
}

sr_status world_scheduler(struct sr_err *err) {
    struct sched *s = sr_calloc_n(1, sizeof *s);
    W->s = s;
    s->cfg = (struct sched_config){.dir = W->dir,
                                   .rpc = W->chain->url,
                                   .vault = "fake",
                                   .market = W->market_url,
                                   .sms = W->sms_url,
                                   .chain_id = FC_CHAIN_ID,
                                   .hub = W->chain->hub,
                                   .workerpool = W->chain->pool,
                                   .sms_identity = W->sms_identity,
                                   .any_worker = true};
    s->times = (struct sched_times){.orphan = 150,
                                    .same_worker = 30,
                                    .settle = 60,
                                    .resettle = 150,
                                    .confirm = 400,
                                    .tick = 10,
                                    .order_check = 40,
                                    .poll = 5};
    SR_TRY(sched_open_db(s, err));
    SR_TRY(eth_rpc_new(s->cfg.rpc, &s->rpc, err));
    SR_TRY(vault_client_new(s->cfg.vault, &s->vault, err));
    struct http_opts o = {
        .routes = sched_routes, .n_routes = sched_n_routes, .role = s, .cors = true};
    SR_TRY(http_serve(&o, "127.0.0.1", 0, -1, &W->server, err));
    (void)snprintf(W->url, sizeof W->url, "http://127.0.0.1:%u", http_server_port(W->server));
    (void)snprintf(W->ws_url, sizeof W->ws_url, "ws://127.0.0.1:%u/v1/workers",
                   http_server_port(W->server));
    return sched_boot(s, err);
}

/* The old one's fibers are left to run into a database of its own copy; what counts is that the new
 * one sees only what was committed. */
sr_status world_crash(struct sr_err *err) {
    struct sched *old = W->s;
    W->crashed[W->n_crashed++] = old;
    W->s = NULL;
    char path[100], copy[120];
    http_server_close(W->server);
    W->server = NULL;
    (void)snprintf(copy, sizeof copy, "%s-crashed", W->dir);
    CHECK(rename(W->dir, copy) == 0 && mkdir(W->dir, 0700) == 0);
    static const char *const files[] = {"scheduler.db", "scheduler.db-wal", "sender.db",
                                        "sender.db-wal"};
    for (size_t i = 0; i < SR_ARRAY_LEN(files); i++) {
        cleanup_buf struct buf b;
        char from[160];
        buf_init(&b, 64u << 20);
        (void)snprintf(from, sizeof from, "%s/%s", copy, files[i]);
        (void)snprintf(path, sizeof path, "%s/%s", W->dir, files[i]);
        if (fs_read(from, &b, NULL) == SR_OK)
            SR_TRY(fs_write_atomic(path, buf_slice(&b), 0600, err));
    }
    /* the crashed one does nothing any more */
    if (old->follower) eth_follow_stop(old->follower);
    old->caught_up = false;
    old->times.tick = 100000000;
    SR_TRY(fs_remove_tree(copy, err));
    return SR_OK;
}

int world_end(void **state) {
    (void)state;
    if (!W) return 0;
    http_server_close(W->server);
    http_server_close(W->sms);
    http_server_close(W->market);
    http_server_close(W->chain->server);
    net_done();
    sched_free(W->s);
    for (size_t i = 0; i < W->n_crashed; i++) sched_free(W->crashed[i]);
    (void)!fs_remove_tree(W->dir, NULL);
    secret_free(&W->owner_key);
    secret_free(&W->sms_key);
    secret_free(&W->requester_key);
    for (int i = 0; i < 3; i++) secret_free(&W->worker_key[i]);
    free(W->chain);
    free(W);
    W = NULL;
    return 0;
}

/* ---- workers ---- */

sr_status fw_expect(struct fake_worker *f, const char *type, struct sr_err *err) {
    struct slice t = {NULL, 0};
    json_free(f->doc);
    f->doc = NULL;
    sr_status st = ws_recv(f->ws, 4000, &f->in, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "waiting for '%s'", type);
        return st;
    }
    SR_TRY(json_parse(buf_slice(&f->in), &f->doc, err));
    (void)json_str(json_get(json_root(f->doc), "type"), &t);
    if (!slice_is(t, type))
        return sr_fail(err, SR_E_SYS, "'%s' expected, got %.*s", type, (int)f->in.n, f->in.p);
    return SR_OK;
}

bool fw_silent(struct fake_worker *f, uint64_t ms) {
    return ws_recv(f->ws, ms, &f->in, NULL) == SR_E_TIMEOUT;
}

sr_status fw_task(const struct fake_worker *f, struct hash *ret, struct sr_err *err) {
    CHECK(json_hash(json_get(json_root(f->doc), "task"), ret));
    return SR_OK;
}

sr_status fw_say(struct fake_worker *f, struct sr_err *err, const char *fmt, ...) {
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return ws_send(f->ws, slice_str(text), err);
}

sr_status fw_connect(struct fake_worker *f, unsigned n, unsigned slots, const char *running,
                     struct sr_err *err) {
    struct hash nonce;
    struct addr pool;
    struct sr_signature sig;
    char hex[131];
    memset(f, 0, sizeof *f);
    f->n = n;
    buf_init(&f->in, WIRE_POOL_MESSAGE_MAX);
    SR_TRY(ws_connect(W->ws_url, WIRE_POOL_MESSAGE_MAX, &f->ws, err));
    SR_TRY(fw_expect(f, "challenge", err));
    CHECK(json_hash(json_get(json_root(f->doc), "nonce"), &nonce));
    CHECK(json_addr(json_get(json_root(f->doc), "workerpool"), &pool));
    CHECK(addr_eq(&pool, &W->chain->pool));
    SR_TRY(
        sign_message(&W->worker_key[n], wire_login_hash(&pool, &nonce, &W->worker[n]), &sig, err));
    hex_encode(hex, sig.b, 65);
    SR_TRY(fw_say(
        f, err,
        "{\"type\":\"login\",\"version\":1,\"worker\":\"%s\",\"signature\":\"0x%s\",\"name\":"
        "\"w%u\",\"slots\":%u,\"tags\":[\"tee\",\"tdx\"],\"simulated\":true,\"running\":[%s]}",
        addr_text(&W->worker[n]).s, hex, n, slots, running));
    return fw_expect(f, "welcome", err);
}

void fw_close(struct fake_worker *f) {
    ws_close(f->ws);
    f->ws = NULL;
    json_free(f->doc);
    f->doc = NULL;
    buf_done(&f->in);
}

sr_status fw_attest(struct fake_worker *f, const struct hash *task, uint8_t c, struct sr_err *err) {
    struct wire_token t = {.task = *task,
                           .worker = W->worker[f->n],
                           .verdict = WIRE_SIMULATED,
                           .expires_unix_s = clock_unix_ms() / 1000 + 300};
    uint8_t bytes[WIRE_TOKEN_BYTES];
    char hex[2 * WIRE_TOKEN_BYTES + 1];
    memset(t.challenge.b, c, 20);
    SR_TRY(sign_message(&W->sms_key, wire_token_hash(&t), &t.signature, err));
    wire_token_write(bytes, &t);
    hex_encode(hex, bytes, sizeof bytes);
    return fw_say(f, err,
                  "{\"type\":\"attested\",\"task\":\"%s\",\"challenge\":\"%s\",\"token\":\"0x%s\"}",
                  hash_text(task).s, addr_text(&t.challenge).s, hex);
}

/* ---- looking ---- */

sr_status wait_task(const struct hash *task, task_status st, struct task_row *ret,
                    struct sr_err *err) {
    int64_t until = clock_mono_us() + 5000000;
    struct task_row t = {0};
    for (;;) {
        sr_status got = task_load(W->s, task, &t, NULL);
        if (got == SR_OK && t.status == st) break;
        if (clock_mono_us() > until)
            return sr_fail(err, SR_E_TIMEOUT, "task is %s (%s %s), not %s",
                           got == SR_OK ? task_status_word[t.status] : "unknown", t.cause,
                           t.message, task_status_word[st]);
        (void)!fcond_wait(&W->s->changed[task->b[0] % SCHED_BUCKETS], 20, NULL);
    }
    if (ret) *ret = t;
    return SR_OK;
}

sr_status wait_rows(const char *sql, uint64_t want, struct sr_err *err) {
    int64_t until = clock_mono_us() + 5000000;
    uint64_t n = 0;
    for (;;) {
        SR_TRY(db_get_u64(W->s->db, sql, DB_NO_ARGS, &n, err));
        if (n == want) return SR_OK;
        if (clock_mono_us() > until)
            return sr_fail(err, SR_E_TIMEOUT, "%llu, not %llu: %s", (unsigned long long)n,
                           (unsigned long long)want, sql);
        SR_TRY(fiber_sleep(2, err));
    }
}

sr_status get_doc(const char *path, const char *header, int want_status, struct json **ret_doc,
                  struct sr_err *err) {
    char url[400];
    (void)snprintf(url, sizeof url, "%s%s", W->url, path);
    const char *headers[] = {header, NULL};
    struct http_call call = {.url = url, .headers = header ? headers : NULL};
    cleanup_answer struct http_answer a = {0};
    SR_TRY(http_fetch(&call, &a, err));
    if (a.status != want_status)
        return sr_fail(err, SR_E_SYS, "%s answered %d, not %d: %s", path, a.status, want_status,
                       buf_cstr(&a.body));
    return json_parse(buf_slice(&a.body), ret_doc, err);
}

struct hash good_deal(uint64_t tasks) {
    struct fc_deal d = {.requester = W->requester,
                        .bot_size = tasks,
                        .tag = POCO_TAG_TEE | POCO_TAG_TDX,
                        .with_dataset = true};
    return fc_deal_make(W->chain, &d);
}
