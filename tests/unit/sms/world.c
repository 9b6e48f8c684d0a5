/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct world W;

struct addr filled(uint8_t b) {
    struct addr a;
    memset(a.b, b, sizeof a.b);
    return a;
}

static void key_of(uint8_t seed, struct sr_secret *ret, struct addr *ret_addr) {
    uint8_t raw[32];
    memset(raw, seed, sizeof raw);
    assert_int_equal(secret_from(raw, sizeof raw, ret, NULL), SR_OK);
    assert_int_equal(secp_address(ret, ret_addr, NULL), SR_OK);
}

void serve(void) {
    W.sms = (struct sms){.db = NULL};
    assert_int_equal(sms_open(&W.sms, W.dir, NULL), SR_OK);
    assert_int_equal(sms_serve(&W.sms, "127.0.0.1", 0, -1, &W.server, NULL), SR_OK);
    (void)snprintf(W.origin, sizeof W.origin, "http://127.0.0.1:%u", http_server_port(W.server));
}

void stop_serving(void) {
    http_server_close(W.server);
    sms_close(&W.sms);
}

int setup(void **state) {
    (void)state;
    struct addr pool;
    assert_int_equal(net_init(NULL), SR_OK);
    if (!W.dir[0]) {
        (void)snprintf(W.dir, sizeof W.dir, "/tmp/sms-test-XXXXXX");
        assert_non_null(mkdtemp(W.dir));
    }
    key_of(1, &W.pool, &pool);
    key_of(2, &W.worker, &W.worker_addr);
    key_of(3, &W.user, &W.user_addr);
    F = (struct fakes){.owner = W.user_addr,
                       .status = POCO_TASK_UNSET,
                       .pool_owner = pool,
                       .app = filled(0xaa),
                       .dataset = filled(0xda),
                       .requester = W.user_addr,
                       .beneficiary = W.user_addr,
                       .deadline_in_s = 1000,
                       .params = "{}"};
    serve();
    return 0;
}

int teardown(void **state) {
    (void)state;
    stop_serving();
    secret_free(&W.pool);
    secret_free(&W.worker);
    secret_free(&W.user);
    assert_int_equal(fs_remove_tree(W.dir, NULL), SR_OK);
    W.dir[0] = 0;
    return 0;
}

void in_fiber(sr_status (*story)(void *arg, struct sr_err *err)) {
    struct sr_err e = {0};
    if (net_call(story, NULL, &e) != SR_OK) fail_msg("%s: %s", e.where, e.what);
}

int ask(const char *method, const char *path, const char *auth, const char *type, struct slice body,
        struct buf *ret_body) {
    char url[512], h1[300], h2[100];
    cleanup_answer struct http_answer a = {0};
    const char *headers[3] = {NULL};
    size_t n = 0;
    struct sr_err e = {0};
    (void)snprintf(url, sizeof url, "%s%s", W.origin, path);
    if (auth) {
        (void)snprintf(h1, sizeof h1, "Authorization: %s", auth);
        headers[n++] = h1;
    }
    if (type) {
        (void)snprintf(h2, sizeof h2, "Content-Type: %s", type);
        headers[n++] = h2;
    }
    struct http_call c = {.method = method, .url = url, .headers = headers, .body = body};
    if (http_fetch(&c, &a, &e) != SR_OK) fail_msg("%s %s: %s", method, path, e.what);
    if (ret_body) {
        buf_clear(ret_body);
        buf_add(ret_body, buf_slice(&a.body));
    }
    return a.status;
}

/* ---- secrets */

void sign_text(const struct sr_secret *key, const struct hash *h, char dst[133]) {
    struct sr_signature sig;
    struct hash m = eth_message_hash(h);
    assert_int_equal(secp_sign(key, &m, &sig, NULL), SR_OK);
    memcpy(dst, "0x", 2);
    hex_encode(dst + 2, sig.b, sizeof sig.b);
}

int put(const char *method, const char *path, secret_kind kind, struct addr target,
        const char *name, struct slice value, const struct sr_secret *key, struct buf *body) {
    char auth[133];
    struct hash h = wire_secret_challenge(kind, &target, slice_str(name), value);
    sign_text(key, &h, auth);
    return ask(method, path, auth, "text/plain", value, body);
}

/* ---- release */

static struct hash new_nonce(struct hash task) {
    cleanup_buf struct buf b, body;
    cleanup_json struct json *doc = NULL;
    struct hash nonce;
    buf_init(&b, 4096);
    buf_init(&body, 200);
    buf_printf(&body, "{\"task\":\"%s\"}", hash_text(&task).s);
    assert_int_equal(ask("POST", "/v1/nonces", NULL, NULL, buf_slice(&body), &b), 200);
    assert_int_equal(json_parse(buf_slice(&b), &doc, NULL), SR_OK);
    assert_true(json_hash(json_get(json_root(doc), "nonce"), &nonce));
    return nonce;
}

struct request request_of(uint8_t task) {
    struct request r = {.pool = &W.pool, .worker = &W.worker, .evidence = "evidence"};
    memset(r.task.b, task, 32);
    r.nonce = new_nonce(r.task);
    r.expires = clock_unix_ms() / 1000 + 600;
    return r;
}

int release(const struct request *r, struct buf *answer) {
    cleanup_buf struct buf body;
    char path[128];
    struct wire_assignment a = {
        .task = r->task, .worker = W.worker_addr, .nonce = r->nonce, .expires_unix_s = r->expires};
    struct hash h = wire_assignment_hash(&a), m = eth_message_hash(&h), tx = {{9}};
    struct hash digest = sha256(slice_str(r->evidence));
    struct sr_signature sig;
    assert_int_equal(secp_sign(r->pool, &m, &a.signature, NULL), SR_OK);
    h = wire_release_hash(&r->task, &W.worker_addr, &r->nonce, &digest);
    m = eth_message_hash(&h);
    assert_int_equal(secp_sign(r->worker, &m, &sig, NULL), SR_OK);
    if (r->break_signature) sig.b[10] ^= 1;
    buf_init(&body, 8192);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_key(&w, "assignment");
    wire_assignment_write(&w, &a);
    if (!r->no_match_tx) jw_khash(&w, "matchTx", &tx);
    cleanup_buf struct buf text;
    buf_init(&text, 1000);
    base64_encode(&text, slice_str(r->evidence));
    jw_kstr(&w, "evidence", buf_slice(&text));
    jw_khex(&w, "signature", slice_of(sig.b, sizeof sig.b));
    jw_end_obj(&w);
    (void)snprintf(path, sizeof path, "/v1/tasks/%s/release", hash_text(&r->task).s);
    return ask("POST", path, NULL, "application/json", buf_slice(&body), answer);
}

void keep(secret_kind kind, struct addr target, const char *name) {
    cleanup_stored struct stored_secret s = {.kind = kind, .target = target, .signer = W.user_addr};
    buf_init(&s.name, 300);
    buf_init(&s.blob, 300);
    buf_str(&s.name, name);
    buf_str(&s.blob, "stored");
    assert_int_equal(secret_keep(W.sms.db, &s, false, NULL), SR_OK);
}

bool says(const struct buf *b, const char *code) {
    char want[128];
    (void)snprintf(want, sizeof want, "\"code\":\"%s\"", code);
    return strstr(buf_cstr(b), want) != NULL;
}

uint64_t rows(void) {
    uint64_t n = 0;
    assert_int_equal(db_get_u64(W.sms.db, "SELECT count(*) FROM releases", DB_NO_ARGS, &n, NULL),
                     SR_OK);
    return n;
}
