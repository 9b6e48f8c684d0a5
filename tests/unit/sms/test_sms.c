/* SPDX-License-Identifier: Apache-2.0 */
/* The secret service over HTTP: the official routes to the letter, and the release to its log. */
#include "fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct world {
    char dir[64], origin[64];
    struct sms sms;
    struct http_server *server;
    struct sr_secret pool, worker, user;
    struct addr worker_addr, user_addr;
} W;

static struct addr filled(uint8_t b) {
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

static void serve(void) {
    W.sms = (struct sms){.db = NULL};
    assert_int_equal(sms_open(&W.sms, W.dir, NULL), SR_OK);
    assert_int_equal(sms_serve(&W.sms, "127.0.0.1", 0, -1, &W.server, NULL), SR_OK);
    (void)snprintf(W.origin, sizeof W.origin, "http://127.0.0.1:%u", http_server_port(W.server));
}

static int setup(void **state) {
    (void)state;
    struct addr pool;
    assert_int_equal(net_init(NULL), SR_OK);
    (void)snprintf(W.dir, sizeof W.dir, "/tmp/sms-test-XXXXXX");
    assert_non_null(mkdtemp(W.dir));
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

static int teardown(void **state) {
    (void)state;
    http_server_close(W.server);
    sms_close(&W.sms);
    secret_free(&W.pool);
    secret_free(&W.worker);
    secret_free(&W.user);
    assert_int_equal(fs_remove_tree(W.dir, NULL), SR_OK);
    return 0;
}

static void in_fiber(sr_status (*story)(void *arg, struct sr_err *err)) {
    struct sr_err e = {0};
    if (net_call(story, NULL, &e) != SR_OK) fail_msg("%s: %s", e.where, e.what);
}

static int ask(const char *method, const char *path, const char *auth, const char *type,
               struct slice body, struct buf *ret_body) {
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

/* ---- secrets
 * --------------------------------------------------------------------------------------------- */

static void sign_text(const struct sr_secret *key, const struct hash *h, char dst[133]) {
    struct sr_signature sig;
    struct hash m = eth_message_hash(h);
    assert_int_equal(secp_sign(key, &m, &sig, NULL), SR_OK);
    memcpy(dst, "0x", 2);
    hex_encode(dst + 2, sig.b, sizeof sig.b);
}

static int put(const char *method, const char *path, secret_kind kind, struct addr target,
               const char *name, struct slice value, const struct sr_secret *key,
               struct buf *body) {
    char auth[133];
    struct hash h = wire_secret_challenge(kind, &target, slice_str(name), value);
    sign_text(key, &h, auth);
    return ask(method, path, auth, "text/plain", value, body);
}

static sr_status vectors_story(void *arg, struct sr_err *err) {
    (void)arg;
    cleanup_buf struct buf file;
    cleanup_json struct json *doc = NULL;
    buf_init(&file, 1u << 20);
    SR_TRY(fs_read(VECTORS "/sdk/sms-auth.json", &file, err));
    SR_TRY(json_parse(buf_slice(&file), &doc, err));
    assert_true(json_addr(json_get(json_root(doc), "signer"), &F.owner));
    const struct json_val *v = json_first(json_get(json_root(doc), "vectors"));
    size_t n = 0;
    for (; v; v = json_next(v), n++) {
        char path[300], auth[200];
        struct slice a = json_text(json_get(v, "address")), name = json_text(json_get(v, "name"));
        struct slice what = json_text(json_get(v, "what"));
        struct slice sig = json_text(json_get(v, "authorization"));
        if (slice_starts(what, "POST|PUT"))
            (void)snprintf(path, sizeof path, "/secrets/web2?ownerAddress=%.*s&secretName=%.*s",
                           (int)a.n, (const char *)a.p, (int)name.n, (const char *)name.p);
        else if (slice_starts(what, "POST /requesters"))
            (void)snprintf(path, sizeof path, "/requesters/%.*s/secrets/%.*s", (int)a.n,
                           (const char *)a.p, (int)name.n, (const char *)name.p);
        else if (slice_starts(what, "POST /secrets/web3"))
            (void)snprintf(path, sizeof path, "/secrets/web3?secretAddress=%.*s", (int)a.n,
                           (const char *)a.p);
        else
            (void)snprintf(path, sizeof path, "/apps/%.*s/secrets", (int)a.n, (const char *)a.p);
        (void)snprintf(auth, sizeof auth, "%.*s", (int)sig.n, (const char *)sig.p);
        struct slice value = json_text(json_get(v, "value"));
        assert_int_equal(ask("HEAD", path, NULL, NULL, (struct slice){0}, NULL), 404);
        assert_int_equal(ask("POST", path, auth, "text/plain", value, NULL), 204);
        assert_int_equal(ask("HEAD", path, NULL, NULL, (struct slice){0}, NULL), 204);
        assert_int_equal(ask("POST", path, auth, "text/plain", value, NULL), 409);
    }
    assert_true(n >= 4);
    return SR_OK;
}
static void the_official_signatures_store_each_kind_once(void **state) {
    (void)state;
    in_fiber(vectors_story);
}

static sr_status contract_story(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    struct addr wallet = {{0xc0, 1}}, data = {{0xda, 1}};
    char web3[100], mine[160], url[512], yes[64];
    struct slice v = SLICE_LIT("the key");
    (void)snprintf(web3, sizeof web3, "/secrets/web3?secretAddress=%s", addr_text(&data).s);
    (void)snprintf(mine, sizeof mine, "/requesters/%s/secrets/one", addr_text(&wallet).s);
    memcpy(yes, "0x", 2);
    hex_encode(yes + 2, (const uint8_t *)"by the contract", 15);
    F.owner = F.contract = wallet;
    /* the contract that owns the data: its word, about the message that a key would sign */
    assert_int_equal(ask("POST", web3, "0x1234", NULL, v, NULL), 401);
    assert_int_equal(ask("POST", web3, "0x", NULL, v, NULL), 401);
    assert_int_equal(ask("POST", web3, "0x123", NULL, v, NULL), 401);
    F.chain_down = true;
    assert_int_equal(ask("POST", web3, yes, NULL, v, NULL), 503);
    F.chain_down = false;
    struct hash h = wire_secret_challenge(SECRET_WEB3, &data, SLICE_LIT(""), v);
    h = eth_message_hash(&h);
    assert_int_equal(ask("POST", web3, yes, NULL, v, NULL), 204);
    assert_memory_equal(F.contract_asked.b, h.b, 32);
    assert_int_equal(ask("POST", web3, yes, NULL, v, NULL), 409);
    /* not its own: another account owns it */
    F.owner = (struct addr){{0xc0, 2}};
    data.b[0] ^= 1;
    (void)snprintf(web3, sizeof web3, "/secrets/web3?secretAddress=%s", addr_text(&data).s);
    assert_int_equal(ask("POST", web3, yes, NULL, v, NULL), 401);
    /* sealed: nobody here can see what the contract would be asked about */
    F.owner = wallet;
    assert_int_equal(
        ask("POST", web3, yes, "application/vnd.strongroom.sealed", SLICE_LIT("SFBLRTp4"), NULL),
        401);
    /* a secret of its own: the vault must see that the account is a contract */
    assert_int_equal(ask("POST", mine, yes, NULL, v, NULL), 401);
    char auth[64], origin[128];
    uint8_t made[WIRE_ORIGIN_CREATE] = {1};
    (void)snprintf(auth, sizeof auth, "Authorization: %s", yes);
    (void)snprintf(origin, sizeof origin, "X-Contract-Origin: 0x");
    hex_encode(origin + strlen(origin), made, sizeof made);
    (void)snprintf(url, sizeof url, "%s%s", W.origin, mine);
    const char *headers[] = {auth, origin, NULL};
    cleanup_answer struct http_answer a = {0};
    const struct http_call c = {.method = "POST", .url = url, .headers = headers, .body = v};
    struct sr_err e = {0};
    assert_int_equal(http_fetch(&c, &a, &e), SR_OK);
    assert_int_equal(a.status, 204);
    return SR_OK;
}
static void a_contract_stores_secrets_by_its_own_word(void **state) {
    (void)state;
    in_fiber(contract_story);
}

static sr_status texts_story(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    cleanup_buf struct buf b;
    char path[200], app[100], web3[100], web2[200];
    static uint8_t big[WIRE_SECRET_MAX + 1];
    memset(big, 'x', sizeof big);
    struct addr a = W.user_addr, other = filled(0x77);
    struct slice v = SLICE_LIT("value");
    buf_init(&b, 4096);
    (void)snprintf(path, sizeof path, "/requesters/%s/secrets/my-secret_1", addr_text(&a).s);
    (void)snprintf(app, sizeof app, "/apps/%s/secrets", addr_text(&other).s);
    (void)snprintf(web3, sizeof web3, "/secrets/web3?secretAddress=%s", addr_text(&other).s);
    (void)snprintf(web2, sizeof web2, "/secrets/web2?ownerAddress=%s&secretName=Some-Name",
                   addr_text(&a).s);
    /* requester: JSON bodies, names checked, longer ones are 400 */
    assert_int_equal(put("POST", path, 3, a, "my-secret_1", v, &W.worker, &b), 401);
    assert_string_equal(buf_cstr(&b), "{\"error\":[\"Invalid authorization\"]}");
    assert_int_equal(put("POST", path, 3, a, "my-secret_1", slice_of(big, sizeof big), &W.user, &b),
                     400);
    assert_string_equal(buf_cstr(&b), "{\"error\":[\"Secret size should not exceed 4 Kb\"]}");
    assert_int_equal(
        put("POST", path, 3, a, "my-secret_1", slice_of(big, sizeof big), &W.worker, &b),
        401); /* the signature comes first */
    assert_int_equal(
        put("POST", path, 3, a, "my-secret_1", slice_of(big, WIRE_SECRET_MAX), &W.user, &b), 204);
    assert_int_equal(b.n, 0);
    assert_int_equal(put("POST", path, 3, a, "my-secret_1", v, &W.user, &b), 409);
    assert_string_equal(buf_cstr(&b), "{\"error\":[\"Secret already exists\"]}");
    (void)snprintf(path, sizeof path, "/requesters/%s/secrets/MY-SECRET_1", addr_text(&a).s);
    assert_int_equal(ask("HEAD", path, NULL, NULL, (struct slice){0}, NULL), 404); /* case counts */
    (void)snprintf(path, sizeof path, "/requesters/%s/secrets/bad%%20name", addr_text(&a).s);
    assert_int_equal(ask("HEAD", path, NULL, NULL, (struct slice){0}, NULL), 400);
    assert_int_equal(put("POST", path, 3, a, "bad name", v, &W.user, &b), 400);
    assert_string_equal(
        buf_cstr(&b),
        "{\"error\":[\"Secret key should contain at most 64 characters from [0-9A-Za-z-_]\"]}");
    /* app: JSON bodies, 413 */
    assert_int_equal(put("POST", app, 4, other, "1", slice_of(big, sizeof big), &W.user, &b), 413);
    assert_string_equal(buf_cstr(&b), "{\"error\":[\"Secret size should not exceed 4 Kb\"]}");
    assert_int_equal(put("POST", app, 4, other, "1", v, &W.user, &b), 204);
    assert_int_equal(ask("HEAD", app, NULL, NULL, (struct slice){0}, NULL), 204);
    /* web3: bodies are empty */
    assert_int_equal(put("POST", web3, 1, other, "", v, &W.worker, &b), 401);
    assert_int_equal(b.n, 0);
    assert_int_equal(put("POST", web3, 1, other, "", slice_of(big, sizeof big), &W.user, &b), 413);
    assert_int_equal(b.n, 0);
    assert_int_equal(put("POST", web3, 1, other, "", v, &W.user, &b), 204);
    assert_int_equal(put("POST", web3, 1, other, "", v, &W.user, &b), 409);
    assert_int_equal(b.n, 0);
    /* web2: names without case, hashed as they are sent; PUT changes */
    assert_int_equal(put("PUT", web2, 2, a, "Some-Name", v, &W.user, &b), 404);
    assert_int_equal(b.n, 0);
    assert_int_equal(put("POST", web2, 2, a, "Some-Name", v, &W.user, &b), 204);
    (void)snprintf(web2, sizeof web2, "/secrets/web2?ownerAddress=%s&secretName=sOME-nAME",
                   addr_text(&a).s);
    assert_int_equal(ask("HEAD", web2, NULL, NULL, (struct slice){0}, NULL), 204);
    assert_int_equal(put("POST", web2, 2, a, "sOME-nAME", v, &W.user, &b), 409);
    assert_int_equal(put("PUT", web2, 2, a, "sOME-nAME", SLICE_LIT("new"), &W.user, &b), 204);
    assert_int_equal(put("PUT", web2, 2, a, "sOME-nAME", SLICE_LIT("new"), &W.worker, &b), 401);
    /* what is missing */
    assert_int_equal(ask("POST", web3, NULL, NULL, v, &b), 400);
    assert_int_equal(ask("POST", web3, "0x1234", NULL, v, &b), 401);
    assert_int_equal(put("POST", web3, 1, other, "", (struct slice){0}, &W.user, &b), 400);
    assert_int_equal(ask("HEAD", "/secrets/web3", NULL, NULL, (struct slice){0}, NULL), 400);
    assert_int_equal(
        ask("HEAD", "/secrets/web3?secretAddress=0x12", NULL, NULL, (struct slice){0}, NULL), 400);
    return SR_OK;
}
static void statuses_and_texts_are_the_official_ones(void **state) {
    (void)state;
    in_fiber(texts_story);
}

static sr_status owners_story(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    char web3[100];
    cleanup_buf struct buf b;
    struct addr data = filled(0x55);
    struct slice v = SLICE_LIT("key");
    buf_init(&b, 4096);
    (void)snprintf(web3, sizeof web3, "/secrets/web3?secretAddress=%s", addr_text(&data).s);
    F.owner = (struct addr){{0}};
    assert_int_equal(put("POST", web3, 1, data, "", v, &W.user, &b), 401); /* nobody owns it */
    F.chain_down = true;
    assert_int_equal(put("POST", web3, 1, data, "", v, &W.user, &b), 503);
    F.chain_down = false;
    F.owner = W.user_addr;
    F.vault_down = true;
    assert_int_equal(put("POST", web3, 1, data, "", v, &W.user, &b), 503);
    F.vault_down = false;
    assert_int_equal(put("POST", web3, 1, data, "", v, &W.user, &b), 204);
    F.owner = W.worker_addr; /* sold: one key opens the data, whoever owns it */
    assert_int_equal(put("POST", web3, 1, data, "", v, &W.user, &b), 401);
    assert_int_equal(put("POST", web3, 1, data, "", SLICE_LIT("key2"), &W.worker, &b), 409);
    /* An app's secret is its owner's of now: the new one may put his own in the old one's place. */
    char app[100];
    (void)snprintf(app, sizeof app, "/apps/%s/secrets", addr_text(&data).s);
    F.owner = W.user_addr;
    assert_int_equal(put("POST", app, 4, data, "1", v, &W.user, &b), 204);
    F.owner = W.worker_addr;
    assert_int_equal(put("POST", app, 4, data, "1", SLICE_LIT("mine"), &W.worker, &b), 204);
    assert_int_equal(put("POST", app, 4, data, "1", SLICE_LIT("again"), &W.worker, &b), 409);
    return SR_OK;
}
static void only_the_owner_of_now_may_put_a_key(void **state) {
    (void)state;
    in_fiber(owners_story);
}

static sr_status sealed_story(void *arg, struct sr_err *err) {
    (void)arg;
    char web3[100], auth[133];
    cleanup_buf struct buf b, body;
    struct addr data = filled(0x56);
    struct slice v = SLICE_LIT("the key itself");
    const char *type = "application/vnd.strongroom.sealed";
    buf_init(&b, 4096);
    buf_init(&body, 4096);
    (void)snprintf(web3, sizeof web3, "/secrets/web3?secretAddress=%s", addr_text(&data).s);
    struct hash h = wire_secret_challenge(1, &data, SLICE_LIT(""), v);
    sign_text(&W.user, &h, auth);
    base64_encode(&body, SLICE_LIT("HPKE:the key itself"));
    assert_int_equal(ask("POST", web3, auth, type, SLICE_LIT("no base64!"), &b), 400);
    assert_int_equal(ask("POST", web3, auth, type, SLICE_LIT("AAAA"), &b), 401);
    assert_int_equal(ask("POST", web3, auth, type, buf_slice(&body), &b), 204);
    assert_int_equal(ask("POST", web3, auth, type, buf_slice(&body), &b), 409);
    /* Neither form of the secret lies in the folder. */
    cleanup_buf struct buf file;
    buf_init(&file, 8u << 20);
    for (int i = 0; i < 2; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/sms.db%s", W.dir, i ? "-wal" : "");
        if (fs_read(path, &file, NULL) != SR_OK) continue;
    }
    assert_true(file.n > 1000);
    assert_null(memmem(file.p, file.n, "the key itself", 14));
    return fs_exists(W.dir) ? SR_OK : sr_fail(err, SR_E_SYS, "gone");
}
static void sealed_secrets_are_checked_by_the_vault(void **state) {
    (void)state;
    in_fiber(sealed_story);
}

/* ---- release
 * ---------------------------------------------------------------------------------------------- */

struct request {
    struct hash task, nonce;
    uint64_t expires;
    const struct sr_secret *pool, *worker;
    const char *evidence;
    bool break_signature, no_match_tx;
};

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

static struct request request_of(uint8_t task) {
    struct request r = {.pool = &W.pool, .worker = &W.worker, .evidence = "evidence"};
    memset(r.task.b, task, 32);
    r.nonce = new_nonce(r.task);
    r.expires = clock_unix_ms() / 1000 + 600;
    return r;
}

static int release(const struct request *r, struct buf *answer) {
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

static void keep(secret_kind kind, struct addr target, const char *name) {
    cleanup_stored struct stored_secret s = {.kind = kind, .target = target, .signer = W.user_addr};
    buf_init(&s.name, 300);
    buf_init(&s.blob, 300);
    buf_str(&s.name, name);
    buf_str(&s.blob, "stored");
    assert_int_equal(secret_keep(W.sms.db, &s, false, NULL), SR_OK);
}

static bool says(const struct buf *b, const char *code) {
    char want[128];
    (void)snprintf(want, sizeof want, "\"code\":\"%s\"", code);
    return strstr(buf_cstr(b), want) != NULL;
}

static uint64_t rows(void) {
    uint64_t n = 0;
    assert_int_equal(db_get_u64(W.sms.db, "SELECT count(*) FROM releases", DB_NO_ARGS, &n, NULL),
                     SR_OK);
    return n;
}

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
    http_server_close(W.server);
    sms_close(&W.sms);
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
        T(the_official_signatures_store_each_kind_once),
        T(a_contract_stores_secrets_by_its_own_word),
        T(statuses_and_texts_are_the_official_ones),
        T(only_the_owner_of_now_may_put_a_key),
        T(sealed_secrets_are_checked_by_the_vault),
        T(a_sound_request_is_released_once_and_logged),
        T(every_refusal_has_its_code_and_its_row),
        T(a_vault_or_chain_that_is_down_costs_nothing),
        T(a_bulk_goes_on_without_data_whose_key_is_missing),
        T(of_many_at_once_one_wins),
        T(many_releases_at_once_keep_the_log_whole),
        T(strangers_cannot_fill_the_log),
        T(the_log_outlives_a_restart_and_shows_every_change),
        T(nonces_are_of_one_task_one_service_and_one_minute),
    };
    return cmocka_run_group_tests_name("sms", t, NULL, NULL);
}
