/* SPDX-License-Identifier: Apache-2.0 */
/* Which servers a messaging app may talk to: those of its secret and its gateway, and no others. */
#include "sdk/install.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static sr_status hosts_of(sr_channel channel, const char *secret, struct hosts *ret) {
    cleanup_json struct json *doc = NULL;
    *ret = (struct hosts){.n = 0};
    assert_int_equal(json_parse(slice_str(secret), &doc, NULL), SR_OK);
    return secret_hosts(channel, json_root(doc), ret, NULL);
}

static void expect(sr_channel channel, const char *secret, const char *const *want, size_t n) {
    struct hosts l;
    assert_int_equal(hosts_of(channel, secret, &l), SR_OK);
    assert_int_equal(l.n, n);
    for (size_t i = 0; i < n; i++) assert_string_equal(l.v[i], want[i]);
}
#define EXPECT(channel, secret, ...)                                                               \
    expect(channel, secret, (const char *const[]){__VA_ARGS__},                                    \
           SR_ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void a_secret_names_its_servers(void **state) {
    (void)state;
    EXPECT(SR_MAIL, "{\"SMTP_URL\":\"smtp://Mail.Example.org\"}", "mail.example.org:587");
    EXPECT(SR_MAIL, "{\"SMTP_URL\":\"smtps://mail.example.org/\"}", "mail.example.org:465");
    EXPECT(SR_MAIL, "{\"SMTP_URL\":\"smtp://mail.example.org:2525\",\"MAILGUN_APIKEY\":\"k\"}",
           "mail.example.org:2525", "api.mailgun.net:443");
    EXPECT(SR_MAIL,
           "{\"MJ_APIKEY_PUBLIC\":\"p\",\"MAILGUN_APIKEY\":\"k\",\"POCO_SUBGRAPH_URL\":"
           "\"https://index.example.org/poco\"}",
           "api.mailjet.com:443", "api.mailgun.net:443", "index.example.org:443");
    EXPECT(SR_MAIL,
           "{\"MJ_APIKEY_PUBLIC\":\"p\",\"MJ_API_URL\":\"https://mj.example.org:8443\","
           "\"POCO_SUBGRAPH_URL\":\"http://mj.example.org:8443/x\"}",
           "mj.example.org:8443"); /* once */
    EXPECT(SR_TELEGRAM, "{\"TELEGRAM_BOT_TOKEN\":\"t\"}", "api.telegram.org:443");
    EXPECT(SR_TELEGRAM,
           "{\"TELEGRAM_BOT_TOKEN\":\"t\",\"TELEGRAM_API_URL\":\"https://bot.example.org\"}",
           "bot.example.org:443");
}

static void what_is_no_server_is_refused(void **state) {
    (void)state;
    static const char *const t[] = {
        "smtp://127.0.0.1:25", "smtp://[::1]:25", "smtp://",           "mail.example.org",
        "ftp://example.org",   "smtp://a b",      "smtp://a.b:0",      "smtp://a.b:65536",
        "smtp://a.b:x",        "smtp://a.b:",     "smtp://u:p@a.b:25", "smtp://a,b.c:25",
    };
    struct hosts l;
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        char secret[200];
        (void)snprintf(secret, sizeof secret, "{\"SMTP_URL\":\"%s\"}", t[i]);
        if (hosts_of(SR_MAIL, secret, &l) != SR_E_USAGE) fail_msg("%s is a server", t[i]);
    }
    cleanup_buf struct buf longest;
    buf_init(&longest, 4096);
    buf_str(&longest, "{\"SMTP_URL\":\"smtp://");
    for (unsigned i = 0; i < 300; i++) buf_u8(&longest, 'a');
    buf_str(&longest, "\"}");
    assert_int_equal(hosts_of(SR_MAIL, buf_cstr(&longest), &l), SR_E_USAGE);
    assert_int_equal(hosts_of(SR_MAIL, "{\"SMTP_URL\":5}", &l), SR_E_USAGE);
}

static void a_gateway_on_this_machine_goes_by_a_name(void **state) {
    (void)state;
    static const struct {
        const char *given, *becomes;
    } t[] = {
        {"http://127.0.0.1:8080", "http://gateway.test:8080"},
        {"http://[::1]:8080/", "http://gateway.test:8080"},
        {"http://127.0.0.1", "http://gateway.test"},
        {"http://127.0.0.10:8080", "http://127.0.0.10:8080"}, /* refused by add_host */
        {"https://gateway.example.org//", "https://gateway.example.org"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(t); i++) {
        cleanup_buf struct buf b;
        buf_init(&b, SDK_URL_MAX);
        assert_int_equal(gateway_url(t[i].given, &b, NULL), SR_OK);
        assert_string_equal(buf_cstr(&b), t[i].becomes);
    }
}

static void a_version_tells_secrets_apart_and_owners(void **state) {
    (void)state;
    struct sr_client a = {0}, b = {0};
    char one[2 * VERSION + 1], same[2 * VERSION + 1], two[2 * VERSION + 1], other[2 * VERSION + 1];
    assert_int_equal(secp_keygen(&a.key, NULL), SR_OK);
    assert_int_equal(secp_keygen(&b.key, NULL), SR_OK);
    assert_int_equal(secret_version(&a, SLICE_LIT("one"), one, NULL), SR_OK);
    assert_int_equal(secret_version(&a, SLICE_LIT("one"), same, NULL), SR_OK);
    assert_int_equal(secret_version(&a, SLICE_LIT("two"), two, NULL), SR_OK);
    assert_int_equal(secret_version(&b, SLICE_LIT("one"), other, NULL), SR_OK);
    assert_string_equal(one, same);
    assert_string_not_equal(one, two);
    assert_string_not_equal(one, other);
    secret_free(&a.key);
    secret_free(&b.key);
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_secret_names_its_servers),
        cmocka_unit_test(what_is_no_server_is_refused),
        cmocka_unit_test(a_gateway_on_this_machine_goes_by_a_name),
        cmocka_unit_test(a_version_tells_secrets_apart_and_owners),
    };
    return cmocka_run_group_tests_name("sdk/install", t, NULL, NULL);
}
