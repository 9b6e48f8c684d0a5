/* SPDX-License-Identifier: Apache-2.0 */
/* What both messaging apps share: rules, the message, rounds, results. */
#include "ipfs/ipfs.h"
#include "messaging/messaging.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static const char vector_text[] = "Hello \xc3\xa9\nsecond line";
static const char vector_key[] = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
static const char vector_sealed[] =
    "0x000102030405060708090a0b0c0d0e0fb39b654ba80971ec1babde0e93b9f77d"
    "f1918027659aaf8d54dcfa91c977d533";

static void sealed_vector(uint8_t dst[48]) {
    assert_true(hex_decode(slice_str(vector_sealed), dst, 48));
}

/* ---- rules ---- */

static void email_addresses_are_those_of_forms_with_a_domain_of_two_labels(void **state) {
    (void)state;
    static const char *const good[] = {"a@b.cd", "first.last+tag@mail.example.org",
                                       "o'neil@x-y.example", "A_{}|~^`!#$%&*/=?-@1.2"};
    static const char *const bad[] = {"",
                                      "a",
                                      "a@",
                                      "@b.cd",
                                      "a@b",
                                      "a b@c.de",
                                      "a@b..cd",
                                      "a@.b.cd",
                                      "a@b.cd.",
                                      ".a@b.cd",
                                      "a.@b.cd",
                                      "a..b@c.de",
                                      "a@b_c.de",
                                      "a@-b.cd",
                                      "a@b-.cd",
                                      "a@b.cd>",
                                      "<a@b.cd",
                                      "a@b.cd\r\nx",
                                      "a@b.cd,c@d.ef",
                                      "a@b@c.de",
                                      "\xc3\xa9@b.cd",
                                      "a@b.c\xc3\xa9"};
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++)
        if (!msg_is_email(slice_str(good[i]))) fail_msg("%s", good[i]);
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        if (msg_is_email(slice_str(bad[i]))) fail_msg("%s", bad[i]);
    assert_false(msg_is_email(slice_of("a\0b@c.de", 8)));
    char large[300];
    memset(large, 'a', sizeof large);
    memcpy(large + 64, "@b.cd", 5);
    assert_true(msg_is_email(slice_of(large, 69)));
    memcpy(large + 64, "a@b.cd", 6);
    assert_false(msg_is_email(slice_of(large, 70)));
}

static void faults_are_the_official_sentences_in_the_rules_order(void **state) {
    (void)state;
    struct slice a = {0}, b = {0}, c = {0}, d = {0};
    bool yes = false;
    unsigned n = 7;
    const struct rule rules[] = {{"a", RULE_TEXT, true, &a},    {"m", RULE_MULTIADDR, true, &b},
                                 {"k", RULE_BASE64, true, &c},  {"t", RULE_TYPE, false, &d},
                                 {"s", RULE_NAME, false, &d},   {"y", RULE_BOOL, false, &yes},
                                 {"n", RULE_SECONDS, false, &n}};
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"{\"a\":\"x\",\"m\":\"/ipfs/Qm\",\"k\":\"AAAA\",\"y\":true,\"n\":9}", ""},
        {"{}", "E: \"a\" is required; \"m\" is required; \"k\" is required"},
        {"[]", "E: \"value\" must be of type object"},
        {"{\"a\":1,\"m\":\"Qm\",\"k\":\"%%\",\"t\":\"text/"
         "x\",\"s\":\"ab\",\"y\":1,\"n\":61,\"z\":0}",
         "E: \"a\" must be a string; \"m\" must be a multiAddr; \"k\" must be a valid base64 "
         "string; "
         "\"t\" must be one of [text/plain, text/html]; \"s\" length must be at least 3 characters "
         "long; "
         "\"y\" must be a boolean; \"n\" must be a number from 1 to 60; \"z\" is not allowed"},
        {"{\"a\":\"\",\"m\":\"/ipfs/a/../b\",\"k\":\"AAAA\",\"s\":\"0123456789012345678901\"}",
         "E: \"a\" is not allowed to be empty; \"m\" must be a multiAddr; \"s\" length must be "
         "less than or "
         "equal to 20 characters long"},
        {"{\"a\":\"x\\r\\ny\",\"m\":\"/p2p/Qm?x\",\"k\":\"AAAA\"}",
         "E: \"a\" must be one line; \"m\" must be a multiAddr"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        cleanup_json struct json *doc = NULL;
        cleanup_buf struct buf error;
        buf_init(&error, 4096);
        assert_int_equal(json_parse(slice_str(cases[i].json), &doc, NULL), SR_OK);
        msg_check(json_root(doc), "E", rules, SR_ARRAY_LEN(rules), &error);
        assert_string_equal(buf_cstr(&error), cases[i].error);
    }
    assert_true(yes);
    assert_int_equal(n, 9);
}

static void urls_say_how_they_are_protected(void **state) {
    (void)state;
    static const struct {
        rule_kind kind;
        const char *text;
        bool good;
    } cases[] = {
        {RULE_HTTPS, "https://a.b:1", true},
        {RULE_HTTPS, "http://a.b:1", false},
        {RULE_HTTPS, "https://", false},
        {RULE_HTTP, "http://a.b/c", true},
        {RULE_HTTP, "ftp://a.b", false},
        {RULE_HTTPS, "https://u@h", false},
        {RULE_SMTP, "smtp://a.b:587", true},
        {RULE_SMTP, "smtps://a.b", true},
        {RULE_SMTP, "imap://a.b", false},
        {RULE_SMTP, "smtp:///x", false},
        {RULE_SMTP, "smtp://a b", false},
        {RULE_TOKEN, "12:A-b_", true},
        {RULE_TOKEN, "1/../x", false},
        {RULE_TOKEN, "a?b", false},
        {RULE_PEM, "-----BEGIN CERTIFICATE-----", true},
        {RULE_PEM, "x", false},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        struct slice s = {0};
        cleanup_json struct json *doc = NULL;
        cleanup_buf struct buf error, text;
        buf_init(&error, 4096);
        buf_init(&text, 4096);
        buf_printf(&text, "{\"u\":\"%s\"}", cases[i].text);
        assert_int_equal(json_parse(buf_slice(&text), &doc, NULL), SR_OK);
        msg_check(json_root(doc), "E", &(struct rule){"u", cases[i].kind, true, &s}, 1, &error);
        if ((error.n == 0) != cases[i].good) fail_msg("%s", cases[i].text);
        assert_int_equal(s.n > 0, cases[i].good);
    }
}

/* ---- the message ---- */

static void the_recorded_message_opens(void **state) {
    (void)state;
    uint8_t sealed[48];
    cleanup_buf struct buf text;
    struct sr_err err = {0};
    buf_init(&text, 4096);
    sealed_vector(sealed);
    assert_int_equal(msg_content_open(slice_of(sealed, 48), slice_str(vector_key), &text, &err),
                     SR_OK);
    assert_string_equal(buf_cstr(&text), vector_text);
}

static void refused(struct slice sealed, const char *key) {
    cleanup_buf struct buf text;
    struct sr_err err = {0};
    buf_init(&text, 4096);
    assert_int_equal(msg_content_open(sealed, slice_str(key), &text, &err), SR_E_CRYPTO);
    assert_string_equal(err.what, "Failed to decrypt content");
    assert_true(err.hint[0] != 0);
    assert_int_equal(text.n, 0);
}

static void cut_at_every_length_or_under_another_key_it_does_not(void **state) {
    (void)state;
    uint8_t sealed[48];
    sealed_vector(sealed);
    for (size_t cut = 0; cut < sizeof sealed; cut++) refused(slice_of(sealed, cut), vector_key);
    /* Many wrong keys: one in 256 passes the padding's check, none makes text. */
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t key[32] = {(uint8_t)i, (uint8_t)(i >> 8), 1};
        cleanup_buf struct buf b;
        buf_init(&b, 64);
        base64_encode(&b, slice_of(key, 32));
        refused(slice_of(sealed, 48), buf_cstr(&b));
    }
    static const char *const no_keys[] = {"", "AAAA",
                                          "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh", "%%"};
    for (size_t i = 0; i < SR_ARRAY_LEN(no_keys); i++) refused(slice_of(sealed, 48), no_keys[i]);
    sealed[47] ^= 1;
    refused(slice_of(sealed, 48), vector_key);
}

static void utf8_is_checked_as_the_standard_says(void **state) {
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xe2\x82",
                                      "a\xe2\x82z"};
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++) assert_true(msg_is_utf8(slice_str(good[i])));
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++) assert_false(msg_is_utf8(slice_str(bad[i])));
    assert_int_equal(msg_utf16_units(slice_str("a\xc3\xa9\xf0\x9f\x98\x80")), 4);
}

static void content_must_be_what_its_address_names(void **state) {
    (void)state;
    static uint8_t bytes[600000];
    struct dag_result d;
    struct sr_err err = {0};
    char where[100];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7);
    const size_t sizes[] = {1, 48, IPFS_CHUNK, IPFS_CHUNK + 1, sizeof bytes};
    for (size_t i = 0; i < SR_ARRAY_LEN(sizes); i++) {
        struct slice s = slice_of(bytes, sizes[i]);
        assert_int_equal(dag_of_bytes(s, &d, &err), SR_OK);
        (void)snprintf(where, sizeof where, "/ipfs/%s", cid_text(&d.cid).s);
        assert_int_equal(msg_content_check(slice_str(where), s, &err), SR_OK);
        (void)snprintf(where, sizeof where, "/p2p/%s", cid_text(&d.cid).s);
        assert_int_equal(msg_content_check(slice_str(where), s, &err), SR_OK);
        s.n--;
        assert_int_equal(msg_content_check(slice_str(where), s, &err), SR_E_CRYPTO);
        err = (struct sr_err){0};
    }
    struct cid raw = {.version = 1, .codec = CID_RAW, .digest = sha256(slice_of(bytes, 48))};
    (void)snprintf(where, sizeof where, "/ipfs/%s", cid_text(&raw).s);
    assert_int_equal(msg_content_check(slice_str(where), slice_of(bytes, 48), &err), SR_OK);
    assert_int_equal(msg_content_check(slice_str(where), slice_of(bytes, 47), &err), SR_E_CRYPTO);
    assert_int_equal(msg_content_check(SLICE_LIT("/ipfs/QmContent"), slice_of(bytes, 47), &err),
                     SR_OK);
}

/* ---- the run ---- */

struct play {
    unsigned fetched, delivered, paused_s, pauses;
    unsigned later;  /* answers of MSG_LATER, then success; a STOP instead when stop is set */
    unsigned slow_s; /* a delivery's or a fetch's time */
    unsigned gone;   /* fetches that fail first */
    int64_t now_us;
    bool stop, bad_key, pick;
    char out[64];
};

static sr_status play_http(void *arg, const struct http_request *r, struct http_answer *ret,
                           struct sr_err *err) {
    struct play *p = arg;
    uint8_t sealed[48];
    assert_string_equal(r->url, "http://gate/ipfs/QmContent");
    sealed_vector(sealed);
    p->now_us += p->slow_s * 1000000ll;
    if (p->fetched++ < p->gone) return sr_fail(err, SR_E_UNAVAILABLE, "gone");
    ret->status = 200;
    buf_put(&ret->body, sealed, 48);
    return SR_OK;
}

static bool play_secrets(void *arg, struct slice app, struct slice requester,
                         struct msg_content *ret, struct buf *ret_error) {
    struct play *p = arg;
    (void)requester;
    (void)ret_error;
    if (app.n == 0) {
        buf_str(ret_error, "no secret");
        return false;
    }
    *ret = (struct msg_content){
        SLICE_LIT("/p2p/QmContent"),
        slice_str(p->bad_key ? "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" : vector_key), true};
    return true;
}

static const char *play_check(struct slice to) {
    return to.n > 0 && to.p[0] == 'p' ? NULL : "not a p";
}

static const char *accept_all(struct slice to) {
    return to.n > 0 ? NULL : "empty";
}

static msg_outcome play_deliver(void *arg, struct msg_item *it, struct slice content) {
    struct play *p = arg;
    assert_string_equal((const char *)content.p, vector_text);
    p->delivered++;
    p->now_us += p->slow_s * 1000000ll;
    if (p->later > 0) {
        p->later--;
        msg_fail(it, "later", "%s", "because");
        return p->stop ? MSG_STOP : MSG_LATER;
    }
    it->success = true;
    return MSG_DONE;
}

static void play_pause(void *arg, unsigned ms) {
    struct play *p = arg;
    p->pauses++;
    p->paused_s += ms / 1000;
    p->now_us += ms * 1000ll;
}

static int64_t play_now(void *arg) {
    return ((struct play *)arg)->now_us;
}

static void put_file(const char *dir, const char *name, const void *p, size_t n) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, p, n, NULL), SR_OK);
    (void)close(fd);
}

static char *result_of(const struct play *p, const char *name) {
    struct buf b;
    char path[256];
    buf_init(&b, 1 << 20);
    (void)snprintf(path, sizeof path, "%s/%s", p->out, name);
    assert_int_equal(fs_read(path, &b, NULL), SR_OK);
    char *text = slice_dup(buf_slice(&b));
    buf_done(&b);
    return text;
}

/* n addresses "p…" from the vectors' archive, or one that is none. */
static int play(struct play *p, unsigned n) {
    char count[16];
    (void)snprintf(p->out, sizeof p->out, "/tmp/sr-msg-XXXXXX");
    assert_non_null(mkdtemp(p->out));
    cleanup_buf struct buf zip;
    buf_init(&zip, 1 << 20);
    assert_int_equal(fs_read(VECTORS "/dataprotector/zips/mail.zip", &zip, NULL), SR_OK);
    put_file(p->out, "a", zip.p, zip.n);
    put_file(p->out, "broken", zip.p, zip.n / 2);
    (void)setenv("IEXEC_OUT", p->out, 1);
    (void)setenv("IEXEC_IN", p->out, 1);
    (void)setenv("TEST_GATEWAY", "http://gate", 1);
    (void)setenv("IEXEC_APP_DEVELOPER_SECRET", "x", 1);
    (void)setenv("IEXEC_DATASET_FILENAME", "a", 1);
    (void)snprintf(count, sizeof count, "%u", n);
    if (n > 0)
        (void)setenv("IEXEC_BULK_SLICE_SIZE", count, 1);
    else
        (void)unsetenv("IEXEC_BULK_SLICE_SIZE");
    for (unsigned i = 1; i <= n; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "IEXEC_DATASET_%u_FILENAME", i);
        (void)setenv(name, i == 2 ? "broken" : "a", 1);
    }
    struct messenger m = {.leaf = "email",
                          .gateway_env = "TEST_GATEWAY",
                          .names_url = true,
                          .has_valid = true,
                          .arg = p,
                          .secrets = play_secrets,
                          .check = p->pick ? play_check : accept_all,
                          .deliver = play_deliver,
                          .http = {play_http, p},
                          .pause = play_pause,
                          .now_us = play_now,
                          .failed = "failed"};
    return msg_run(&m);
}

static void play_done(struct play *p) {
    assert_int_equal(fs_remove_tree(p->out, NULL), SR_OK);
}

static void everybody_gets_it_and_it_is_fetched_once(void **state) {
    (void)state;
    struct play p = {0};
    assert_int_equal(play(&p, 5), 0);
    assert_int_equal(p.fetched, 1);
    assert_int_equal(p.delivered, 4);
    cleanup_free char *result = result_of(&p, "result.json");
    assert_non_null(strstr(result, "\"successCount\": 4,\n  \"errorCount\": 1,"));
    assert_non_null(
        strstr(result, "Failed to parse ProtectedData 2: Failed to load protected data"));
    assert_null(strstr(result, "example.com"));
    play_done(&p);
}

static void who_cannot_be_served_now_is_served_later(void **state) {
    (void)state;
    struct play p = {.later = 6}; /* both, three times */
    assert_int_equal(play(&p, 3), 0);
    assert_int_equal(p.delivered, 8);
    assert_int_equal(p.pauses, 3);
    assert_int_equal(p.paused_s, 2 + 8 + 30);
    play_done(&p);
    p = (struct play){.later = 1000}; /* never */
    assert_int_equal(play(&p, 0), 0);
    assert_int_equal(p.delivered, MSG_ROUNDS);
    assert_int_equal(p.paused_s, 160);
    cleanup_free char *result = result_of(&p, "result.json");
    assert_string_equal(
        result, "{\n  \"protectedData\": \"a\",\n  \"success\": false,\n  \"error\": \"later\",\n  "
                "\"reason\": \"because\"\n}");
    play_done(&p);
}

static void a_server_that_is_not_there_is_tried_twice_for_all(void **state) {
    (void)state;
    struct play p = {.later = 1000, .stop = true};
    assert_int_equal(play(&p, 50), 0);
    assert_int_equal(p.delivered, 2);
    assert_int_equal(p.paused_s, 2);
    cleanup_free char *result = result_of(&p, "result.json");
    assert_non_null(strstr(result, "\"errorCount\": 50"));
    assert_non_null(strstr(
        result, "\"index\": 50,\n      \"protectedData\": \"a\",\n      \"success\": false,\n"
                "      \"error\": \"later\""));
    play_done(&p);
}

static void a_wrong_key_is_an_error_and_nothing_is_sent(void **state) {
    (void)state;
    struct play p = {.bad_key = true};
    assert_int_equal(play(&p, 0), 0);
    assert_int_equal(p.delivered, 0);
    cleanup_free char *result = result_of(&p, "result.json");
    assert_non_null(strstr(result, "\"error\": \"Failed to decrypt content\""));
    play_done(&p);
}

static void a_gateway_that_is_gone_for_a_moment_is_asked_again(void **state) {
    (void)state;
    struct play p = {.gone = 2};
    assert_int_equal(play(&p, 0), 0);
    assert_int_equal(p.fetched, 3);
    assert_int_equal(p.delivered, 1);
    play_done(&p);
    p = (struct play){.gone = 9};
    assert_int_equal(play(&p, 5), 0);
    assert_int_equal(p.fetched, 3);
    cleanup_free char *result = result_of(&p, "result.json");
    assert_non_null(strstr(result, "Failed to load content from http://gate/ipfs/QmContent"));
    play_done(&p);
}

static void everybody_has_an_outcome_before_the_tasks_time_is_over(void **state) {
    (void)state;
    struct play p = {.slow_s = 20}; /* fetched at 20 s, 11 deliveries until 240 s */
    assert_int_equal(play(&p, 50), 0);
    assert_int_equal(p.delivered, 11);
    assert_int_equal(p.now_us, 240 * 1000000ll);
    cleanup_free char *result = result_of(&p, "result.json");
    assert_non_null(strstr(result, "\"successCount\": 11,\n  \"errorCount\": 39,"));
    assert_non_null(strstr(
        result, "\"error\": \"failed\",\n      \"reason\": \"no time was left in this task\""));
    play_done(&p);
    p = (struct play){.slow_s = 40, .later = 1000}; /* no round after 200 s */
    assert_int_equal(play(&p, 0), 0);
    assert_true(p.now_us < 240 * 1000000ll);
    play_done(&p);
}

static void a_value_that_is_refused_is_not_used(void **state) {
    (void)state;
    struct play p = {.pick = true}; /* the vectors' address begins with e */
    assert_int_equal(play(&p, 0), 0);
    assert_int_equal(p.fetched + p.delivered, 0);
    cleanup_free char *result = result_of(&p, "result.json"),
                      *computed = result_of(&p, "computed.json");
    assert_non_null(strstr(result, "\"error\": \"not a p\""));
    assert_non_null(strstr(computed, "\"callback-data\": \"0x"));
    play_done(&p);
}

static void without_a_secret_or_a_folder_it_says_so(void **state) {
    (void)state;
    struct play p = {0};
    assert_int_equal(play(&p, 0), 0);
    (void)unsetenv("IEXEC_APP_DEVELOPER_SECRET");
    struct messenger m = {.leaf = "email", .arg = &p, .secrets = play_secrets, .check = accept_all};
    assert_int_equal(msg_run(&m), 0);
    cleanup_free char *result = result_of(&p, "result.json"),
                      *computed = result_of(&p, "computed.json");
    assert_string_equal(result, "{\n  \"success\": false,\n  \"error\": \"no secret\"\n}");
    assert_null(strstr(computed, "callback-data"));
    play_done(&p);
    (void)unsetenv("IEXEC_OUT");
    assert_int_equal(msg_run(&m), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(email_addresses_are_those_of_forms_with_a_domain_of_two_labels),
        cmocka_unit_test(faults_are_the_official_sentences_in_the_rules_order),
        cmocka_unit_test(urls_say_how_they_are_protected),
        cmocka_unit_test(the_recorded_message_opens),
        cmocka_unit_test(cut_at_every_length_or_under_another_key_it_does_not),
        cmocka_unit_test(utf8_is_checked_as_the_standard_says),
        cmocka_unit_test(content_must_be_what_its_address_names),
        cmocka_unit_test(everybody_gets_it_and_it_is_fetched_once),
        cmocka_unit_test(who_cannot_be_served_now_is_served_later),
        cmocka_unit_test(a_server_that_is_not_there_is_tried_twice_for_all),
        cmocka_unit_test(a_wrong_key_is_an_error_and_nothing_is_sent),
        cmocka_unit_test(a_gateway_that_is_gone_for_a_moment_is_asked_again),
        cmocka_unit_test(everybody_has_an_outcome_before_the_tasks_time_is_over),
        cmocka_unit_test(a_value_that_is_refused_is_not_used),
        cmocka_unit_test(without_a_secret_or_a_folder_it_says_so),
    };
    return cmocka_run_group_tests_name("messaging", tests, NULL, NULL);
}
