/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets over HTTP: the official routes to the letter. */
#include "world.h"
#include <stdio.h>

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

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest t[] = {
        T(the_official_signatures_store_each_kind_once),
        T(a_contract_stores_secrets_by_its_own_word),
        T(statuses_and_texts_are_the_official_ones),
        T(only_the_owner_of_now_may_put_a_key),
        T(sealed_secrets_are_checked_by_the_vault),
    };
    return cmocka_run_group_tests_name("sms/secrets", t, NULL, NULL);
}
