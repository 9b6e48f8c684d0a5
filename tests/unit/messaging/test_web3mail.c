/* SPDX-License-Identifier: Apache-2.0 */
/* Mail: the message on the wire, secrets, what services and servers answer. */
#include "web3mail/mime.h"
#include "web3mail/web3mail.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

/* ---- MIME ---- */

static uint64_t seed = 88172645463325252ull;
static uint32_t next_random(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static void unquote(struct slice s, struct buf *ret) {
    for (size_t i = 0; i < s.n; i++) {
        uint8_t b;
        if (s.p[i] != '=') {
            buf_u8(ret, s.p[i]);
        } else if (s.p[i + 1] == '\r') {
            i += 2;
        } else {
            assert_true(hex_decode(slice_of(s.p + i + 1, 2), &b, 1));
            buf_u8(ret, b);
            i += 2;
        }
    }
}

static void lines_are_short(struct slice s, size_t max) {
    size_t col = 0;
    for (size_t i = 0; i < s.n; i++) {
        assert_true(s.p[i] < 0x7f);
        if (s.p[i] == '\r') {
            assert_true(i + 1 < s.n && s.p[i + 1] == '\n');
            assert_true(col <= max);
            if (col > 0) assert_true(s.p[i - 1] != ' ' && s.p[i - 1] != '\t');
            col = 0;
            i++;
        } else {
            assert_true(s.p[i] != '\n');
            col++;
        }
    }
}

static void any_text_survives_quoting(void **state) {
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        uint8_t text[400];
        cleanup_buf struct buf quoted, back, want;
        buf_init(&quoted, 1 << 16);
        buf_init(&back, 1 << 16);
        buf_init(&want, 1 << 16);
        size_t n = next_random() % sizeof text;
        for (size_t i = 0; i < n; i++)
            text[i] =
                (uint8_t)("ab .=\tF\n\r"[next_random() % 9] + (next_random() % 5 == 0 ? 100 : 0));
        mime_quoted(&quoted, slice_of(text, n));
        lines_are_short(buf_slice(&quoted), MIME_LINE);
        unquote(buf_slice(&quoted), &back);
        for (size_t i = 0; i < n; i++) {
            if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n') continue;
            if (text[i] == '\n' || text[i] == '\r')
                buf_str(&want, "\r\n");
            else
                buf_u8(&want, text[i]);
        }
        if (want.n > 0 && want.p[want.n - 1] != '\n') buf_str(&want, "\r\n");
        assert_true(slice_eq(buf_slice(&back), buf_slice(&want)));
    }
}

static void quoted_is(const char *text, const char *want) {
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    mime_quoted(&b, slice_str(text));
    assert_string_equal(buf_cstr(&b), want);
}

static void dots_spaces_and_equals_signs_are_quoted(void **state) {
    (void)state;
    quoted_is("", "");
    quoted_is("a", "a\r\n");
    quoted_is(".a\n.\n", "=2Ea\r\n=2E\r\n");
    quoted_is("From me", "=46rom me\r\n");
    quoted_is("a=b \nc\t", "a=3Db=20\r\nc=09\r\n");
    quoted_is("\xc3\xa9\r\n\n", "=C3=A9\r\n\r\n");
}

static void words_is(const char *text, const char *want) {
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    mime_words(&b, slice_str(text), 9);
    assert_string_equal(buf_cstr(&b), want);
}

static void headers_are_words_that_cannot_break_out(void **state) {
    (void)state;
    words_is("", "");
    words_is("Plain subject", "Plain subject");
    words_is("\xc3\xa9", "=?UTF-8?B?w6k=?=");
    words_is("a\r\nBcc: x@y.zz", "=?UTF-8?B?YSAgQmNjOiB4QHkueno=?=");
    words_is("=?UTF-8?Q?x?=", "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=");
    words_is("two  spaces", "=?UTF-8?B?dHdvICBzcGFjZXM=?=");
    /* A long one: folded, and each word whole characters. */
    cleanup_buf struct buf b, text;
    buf_init(&b, 4096);
    buf_init(&text, 4096);
    for (int i = 0; i < 60; i++) buf_str(&text, "\xe2\x82\xac");
    mime_words(&b, buf_slice(&text), 9);
    lines_are_short(buf_slice(&b), MIME_LINE);
    struct slice left = buf_slice(&b), word;
    cleanup_buf struct buf back;
    buf_init(&back, 4096);
    for (bool more = true; more;) {
        more = slice_cut(left, '\n', &word, &left);
        word = slice_trim(word);
        assert_true(slice_starts(word, "=?UTF-8?B?"));
        size_t at = back.n;
        assert_true(base64_decode(slice_of(word.p + 10, word.n - 12), &back));
        assert_int_equal((back.n - at) % 3, 0);
    }
    assert_true(slice_eq(buf_slice(&back), buf_slice(&text)));
}

static void names_are_quoted(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    buf_init(&b, 4096);
    mime_phrase(&b, slice_str("Al\"ice \\ via, <x>"), 6);
    assert_string_equal(buf_cstr(&b), "\"Al\\\"ice \\\\ via, <x>\"");
    buf_clear(&b);
    mime_phrase(&b, slice_str("x\r\nBcc: y"), 6);
    assert_string_equal(buf_cstr(&b), "=?UTF-8?B?eCAgQmNjOiB5?=");
}

static void a_whole_message(void **state) {
    (void)state;
    cleanup_buf struct buf b;
    struct sr_err err = {0};
    buf_init(&b, 1 << 20);
    struct mime_message m = {.from = "news@example.org",
                             .to = "a@example.com",
                             .from_name = SLICE_LIT("Alice via Web3mail"),
                             .subject = SLICE_LIT("Hi"),
                             .text = SLICE_LIT("Hello \xc3\xa9\n"),
                             .unix_s = 1700000000,
                             .id = "00@example.org"};
    assert_int_equal(mime_write(&m, &b, &err), SR_OK);
    assert_string_equal(buf_cstr(&b),
                        "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                        "From: \"Alice via Web3mail\"\r\n <news@example.org>\r\n"
                        "To: <a@example.com>\r\nSubject: Hi\r\nMessage-ID: <00@example.org>\r\n"
                        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: quoted-printable\r\n\r\nHello =C3=A9\r\n");
    buf_clear(&b);
    m.html = true;
    cleanup_buf struct buf kanji;
    buf_init(&kanji, 4096);
    for (int k = 0; k < 30; k++) buf_str(&kanji, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
    m.text = buf_slice(&kanji);
    assert_int_equal(mime_write(&m, &b, &err), SR_OK);
    lines_are_short(buf_slice(&b), MIME_LINE);
    assert_non_null(strstr(buf_cstr(&b), "text/html; charset=utf-8\r\nContent-Transfer-Encoding: "
                                         "base64\r\n\r\n5pel5pys6Kqe5pel5pys6Kqe"));
    /* Any subject and name: nothing but the headers that we write. */
    for (unsigned round = 0; round < 500; round++) {
        uint8_t text[120];
        size_t n = next_random() % sizeof text, headers = 0;
        for (size_t i = 0; i < n; i++)
            text[i] = (uint8_t)("\r\n: B=?c\xc3\xa9"[next_random() % 10]);
        m.subject = m.from_name = slice_of(text, n);
        buf_clear(&b);
        assert_int_equal(mime_write(&m, &b, &err), SR_OK);
        struct slice left = buf_slice(&b), line;
        while (slice_cut(left, '\n', &line, &left) && line.n > 1) headers += line.p[0] != ' ';
        assert_int_equal(headers, 8);
    }
}

/* ---- secrets ---- */

static void parsed(const char *text, const char *want, bool want_smtp) {
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf error;
    struct mail_secret s = {0};
    buf_init(&error, 4096);
    bool ok = mail_secret_parse(slice_str(text), &doc, &s, &error);
    assert_int_equal(ok, want[0] == 0);
    assert_string_equal(buf_cstr(&error), want);
    if (ok) assert_int_equal(s.smtp, want_smtp);
    json_free(s.apps);
}

#define OFFICIAL                                                                                   \
    "{\"MJ_APIKEY_PUBLIC\":\"p\",\"MJ_APIKEY_PRIVATE\":\"q\",\"MJ_SENDER\":\"a@b.cd\",\"MAILGUN_"  \
    "APIKEY\":\"m\","                                                                              \
    "\"POCO_SUBGRAPH_URL\":\"https://x.y\",\"WEB3MAIL_WHITELISTED_APPS\":"

static void one_of_two_ways_of_delivery(void **state) {
    (void)state;
    parsed(OFFICIAL "\"[]\"}", "", false);
    parsed(OFFICIAL "\"nope\"}", "Failed to parse the developer secret", false);
    parsed(OFFICIAL "\"{}\"}",
           "App secret error: \"WEB3MAIL_WHITELISTED_APPS\" must be a JSON array of addresses",
           false);
    parsed(OFFICIAL "\"[]\",\"EXTRA\":1}", "App secret error: \"EXTRA\" is not allowed", false);
    parsed("", "Failed to parse the developer secret", false);
    parsed("{", "Failed to parse the developer secret", false);
    parsed("{\"SMTP_URL\":\"smtp://x:1\",\"SMTP_SENDER\":\"a@b.cd\"}", "", true);
    parsed("{\"SMTP_URL\":\"smtp://x:1\"}", "App secret error: \"SMTP_SENDER\" is required", true);
    parsed("{\"SMTP_URL\":\"smtp://x:1\",\"SMTP_SENDER\":\"a@b.cd\",\"SMTP_USERNAME\":\"u\"}",
           "App secret error: \"SMTP_USERNAME\" and \"SMTP_PASSWORD\" go together", true);
}

/* ---- services ---- */

static void earlier_tasks_say_whether_an_address_is_good(void **state) {
    (void)state;
#define V(last)                                                                                    \
    "{\"resultsCallback\":\"0x00000000000000000000000000000000000000000000000000000000000000" last \
    "\"}"
    static const struct {
        const char *body;
        msg_valid want;
    } cases[] = {
        {"{\"data\":{\"tasks\":[" V("02") "," V("03") "]}}", VALID_YES},
        {"{\"data\":{\"tasks\":[" V("01") "]}}", VALID_YES},
        {"{\"data\":{\"tasks\":[" V("00") "," V("02") "]}}", VALID_NO},
        {"{\"data\":{\"tasks\":[" V("04") "]}}", VALID_UNKNOWN},
        {"{\"data\":{\"tasks\":[{\"resultsCallback\":\"0x03\"},{}]}}", VALID_UNKNOWN},
        {"{\"data\":{\"tasks\":7}}", VALID_UNKNOWN},
        {"{\"errors\":[]}", VALID_UNKNOWN},
        {"", VALID_UNKNOWN},
        {"{", VALID_UNKNOWN},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++)
        assert_int_equal(address_prior_read(slice_str(cases[i].body)), cases[i].want);
    for (size_t cut = 0; cut < strlen(cases[0].body); cut++)
        assert_int_equal(address_prior_read(slice_of(cases[0].body, cut)), VALID_UNKNOWN);
    assert_int_equal(address_mailgun_read(SLICE_LIT("{\"result\":\"deliverable\"}")), VALID_YES);
    assert_int_equal(address_mailgun_read(SLICE_LIT("{\"result\":\"catch_all\"}")), VALID_NO);
    assert_int_equal(address_mailgun_read(SLICE_LIT("{\"result\":1}")), VALID_UNKNOWN);
    assert_int_equal(address_mailgun_read(SLICE_LIT("deliverable")), VALID_UNKNOWN);
}

struct fake {
    sr_status st;
    long status;
    const char *body;
    unsigned calls;
    char url[256], seen[1024];
};
static sr_status fake_http(void *arg, const struct http_request *r, struct http_answer *ret,
                           struct sr_err *err) {
    struct fake *f = arg;
    f->calls++;
    (void)snprintf(f->url, sizeof f->url, "%s", r->url);
    (void)snprintf(f->seen, sizeof f->seen, "%.*s", (int)r->body.n, (const char *)r->body.p);
    if (f->st != SR_OK) return sr_fail(err, f->st, "no");
    ret->status = f->status;
    buf_str(&ret->body, f->body ? f->body : "");
    return SR_OK;
}

static void the_index_is_asked_for_the_data_and_never_for_the_address(void **state) {
    (void)state;
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf error;
    struct mail_secret s = {0};
    buf_init(&error, 4096);
    assert_true(mail_secret_parse(
        SLICE_LIT(OFFICIAL "\"[\\\"0x3333333333333333333333333333333333333333\\\"]\"}"), &doc, &s,
        &error));
    struct fake f = {.status = 200, .body = "{\"data\":{\"tasks\":[" V("03") "]}}"};
    struct address_check c = {.secret = &s, .http = {fake_http, &f}};
    assert_int_equal(address_check(&c, "0x1111111111111111111111111111111111111111", "me+you@b.cd"),
                     VALID_YES);
    assert_non_null(strstr(f.seen, "\"dataset\":\"0x1111111111111111111111111111111111111111\""));
    assert_null(strstr(f.seen, "b.cd"));
    /* The index does not know: Mailgun; neither answers: asked once only. */
    f = (struct fake){.status = 200, .body = "{\"result\":\"deliverable\"}"};
    assert_int_equal(address_check(&c, "0x1111111111111111111111111111111111111111", "me+you@b.cd"),
                     VALID_YES);
    assert_int_equal(f.calls, 2);
    assert_string_equal(f.url,
                        "https://api.mailgun.net/v4/address/validate?address=me%2Byou%40b.cd");
    f = (struct fake){.st = SR_E_UNAVAILABLE};
    assert_int_equal(address_check(&c, "0x1111111111111111111111111111111111111111", "a@b.cd"),
                     VALID_UNKNOWN);
    assert_int_equal(address_check(&c, "0x1111111111111111111111111111111111111111", "a@b.cd"),
                     VALID_UNKNOWN);
    assert_int_equal(f.calls, 2);
    json_free(s.apps);
}

static void mailjets_answers_are_understood(void **state) {
    (void)state;
    static const struct {
        struct fake f;
        msg_outcome want;
        bool success;
    } cases[] = {
        {{.status = 200, .body = "{\"Messages\":[{\"Status\":\"success\"}]}"}, MSG_DONE, true},
        {{.status = 200, .body = "{}"}, MSG_DONE, true},
        {{.status = 200, .body = "{\"Messages\":[{\"Status\":\"error\"}]}"}, MSG_DONE, false},
        {{.status = 401}, MSG_DONE, false},
        {{.status = 429}, MSG_LATER, false},
        {{.status = 503}, MSG_LATER, false},
        {{.st = SR_E_UNAVAILABLE}, MSG_STOP, false},
        {{.st = SR_E_TIMEOUT}, MSG_DONE, false}, /* it may have been sent */
    };
    struct mail_secret s = {
        .sender = SLICE_LIT("n@b.cd"), .mj_public = SLICE_LIT("p"), .mj_private = SLICE_LIT("q")};
    struct mail_request q = {.subject = SLICE_LIT("S"), .type = SLICE_LIT("text/html")};
    struct mail m = {.secret = &s, .request = &q, .text = SLICE_LIT("<b>")};
    static char to[] = "a@b.cd";
    mail_from_name(m.from_name, SLICE_LIT("Al"));
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        struct fake f = cases[i].f;
        struct msg_item it = {.secret_to = to};
        struct http_port port = {fake_http, &f};
        assert_int_equal(mailjet_send(&port, &m, &it), cases[i].want);
        assert_int_equal(it.success, cases[i].success);
        if (!it.success) assert_string_equal(it.error, "Failed to send email");
        assert_string_equal(f.url, "https://api.mailjet.com/v3.1/send");
        assert_string_equal(
            f.seen,
            "{\"Messages\":[{\"From\":{\"Email\":\"n@b.cd\",\"Name\":\"Al via Web3mail\"},\"To\":[{"
            "\"Email\":\"a@b.cd\",\"Name\":\"\"}],\"Subject\":\"S\",\"HTMLPart\":\"<b>\"}]}");
    }
}

static void a_mail_servers_refusals_are_understood(void **state) {
    (void)state;
    static const struct {
        const char *line;
        unsigned code, status;
        msg_outcome want;
        msg_valid valid;
    } cases[] = {
        {"550 5.1.1 a@b.cd unknown", 550, 511, MSG_DONE, VALID_NO},
        {"550-5.1.10 x", 550, 5110, MSG_DONE, VALID_NO},
        {"550 5.7.1 spam", 550, 571, MSG_DONE, VALID_UNKNOWN},
        {"554 no", 554, 0, MSG_DONE, VALID_UNKNOWN},
        {"451 4.7.1 greylisted", 451, 471, MSG_LATER, VALID_UNKNOWN},
        {"450 5.1.1 odd", 450, 0, MSG_LATER, VALID_UNKNOWN},
        {"421 4.3.2 closing", 421, 432, MSG_STOP, VALID_UNKNOWN},
        {"552 5.1.", 552, 0, MSG_DONE, VALID_UNKNOWN},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        struct smtp_reply r = smtp_reply_read(slice_str(cases[i].line));
        struct msg_item it = {0};
        assert_int_equal(r.code, cases[i].code);
        unsigned status = r.status[0] * 100 + r.status[1] * 10 + r.status[2];
        if (cases[i].status == 5110) status = 5110 * (r.status[2] == 10);
        assert_int_equal(status, cases[i].status);
        assert_int_equal(smtp_judge(&r, &it), cases[i].want);
        assert_int_equal(it.valid, cases[i].valid);
        assert_null(strstr(it.reason, "b.cd"));
        for (size_t cut = 0; cut < 3; cut++)
            assert_int_equal(smtp_reply_read(slice_of(cases[i].line, cut)).code, 0);
    }
    assert_int_equal(smtp_reply_read(SLICE_LIT("1234 x")).code, 0);
    assert_int_equal(smtp_reply_read(SLICE_LIT("999 x")).code, 0);
    assert_int_equal(smtp_reply_read(SLICE_LIT("hello")).code, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_text_survives_quoting),
        cmocka_unit_test(dots_spaces_and_equals_signs_are_quoted),
        cmocka_unit_test(headers_are_words_that_cannot_break_out),
        cmocka_unit_test(names_are_quoted),
        cmocka_unit_test(a_whole_message),
        cmocka_unit_test(one_of_two_ways_of_delivery),
        cmocka_unit_test(earlier_tasks_say_whether_an_address_is_good),
        cmocka_unit_test(the_index_is_asked_for_the_data_and_never_for_the_address),
        cmocka_unit_test(mailjets_answers_are_understood),
        cmocka_unit_test(a_mail_servers_refusals_are_understood),
    };
    return cmocka_run_group_tests_name("web3mail", tests, NULL, NULL);
}
