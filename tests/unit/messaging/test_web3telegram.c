/* SPDX-License-Identifier: Apache-2.0 */
/* Telegram: the Bot API's refusals, with a clock of our own; long texts. */
#include "web3telegram/bot.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

struct fake {
    sr_status st; /* of every call */
    long status;  /* of the first `times` calls, then 200; times 0: of every call */
    unsigned times, calls, ok_after; /* ok_after: calls that succeed before that */
    uint64_t retry_after;
    const char *body;
    char seen[8192], url[128];
    unsigned pause[64], pauses, total_s;
};
static sr_status fake_http(void *arg, const struct http_request *r, struct http_answer *ret,
                           struct sr_err *err) {
    struct fake *f = arg;
    f->calls++;
    (void)snprintf(f->url, sizeof f->url, "%s", r->url);
    (void)snprintf(f->seen, sizeof f->seen, "%.*s", (int)r->body.n, (const char *)r->body.p);
    if (f->st != SR_OK) return sr_fail(err, f->st, "no answer");
    bool ok = f->calls <= f->ok_after || (f->times > 0 && f->calls > f->times);
    ret->status = ok ? 200 : f->status;
    ret->retry_after = ok ? 0 : f->retry_after;
    buf_str(&ret->body, f->body ? f->body : "");
    return SR_OK;
}
static void fake_pause(void *arg, unsigned ms) {
    struct fake *f = arg;
    if (f->pauses < SR_ARRAY_LEN(f->pause)) f->pause[f->pauses] = ms / 1000;
    f->pauses++;
    f->total_s += ms / 1000;
}

static uint64_t fake_left(void *arg) { /* of a task of 20 s */
    return 20 - ((struct fake *)arg)->total_s;
}

static struct bot_secret secret = {.token = SLICE_LIT("12:AB")};
static struct bot bot_of(struct fake *f) {
    return (struct bot){.secret = &secret, .http = {fake_http, f}, .pause = fake_pause, .arg = f};
}
static struct msg_item send_text(struct bot *b, const char *text) {
    static char chat[] = "1001";
    struct msg_item it = {.secret_to = chat};
    bot_send(b, slice_str(text), &it);
    return it;
}

static void a_message_is_sent(void **state) {
    (void)state;
    struct fake f = {.status = 200};
    struct bot b = bot_of(&f);
    assert_true(send_text(&b, "Message from: A\nHi \xc3\xa9").success);
    assert_string_equal(f.url, "https://api.telegram.org/bot12:AB/sendMessage");
    assert_string_equal(f.seen, "{\"chat_id\":\"1001\",\"text\":\"Message from: A\\nHi "
                                "\xc3\xa9\",\"parse_mode\":\"HTML\"}");
}

static void a_rate_limit_is_waited_for_and_no_longer_than_it_says(void **state) {
    (void)state;
    struct fake f = {.status = 429, .times = 2, .retry_after = 3};
    struct bot b = bot_of(&f);
    assert_true(send_text(&b, "x").success);
    assert_int_equal(f.pauses, 2);
    assert_int_equal(f.total_s, 6);
    f = (struct fake){
        .status = 429, .times = 1, .body = "{\"ok\":false,\"parameters\":{\"retry_after\":5}}"};
    b = bot_of(&f);
    assert_true(send_text(&b, "x").success);
    assert_int_equal(f.total_s, 5);
    /* Without a word of it: doubling; and an end. */
    f = (struct fake){.status = 429, .times = 3};
    b = bot_of(&f);
    assert_true(send_text(&b, "x").success);
    assert_int_equal(f.total_s, 1 + 2 + 4);
    f = (struct fake){.status = 429, .retry_after = 1};
    b = bot_of(&f);
    struct msg_item it = send_text(&b, "x");
    assert_int_equal(f.calls, BOT_TRIES);
    assert_string_equal(it.error,
                        "Failed to send Telegram message: Rate limit exceeded after 11 attempts");
    f = (struct fake){.status = 429};
    b = bot_of(&f);
    it = send_text(&b, "x");
    assert_true(f.total_s <= BOT_WAIT_MAX_S);
    assert_int_equal(f.total_s, 63); /* 1, 2, 4 ... 32: the next would be longer than we wait */
    assert_false(it.success);
    f = (struct fake){.status = 429, .retry_after = 86400};
    b = bot_of(&f);
    assert_string_equal(send_text(&b, "x").error,
                        "Failed to send Telegram message: Rate limit exceeded after 1 attempts");
    assert_int_equal(f.pauses, 0);
    /* Nor longer than the task lasts. */
    f = (struct fake){.status = 429, .retry_after = 8};
    b = bot_of(&f);
    b.left_s = fake_left;
    (void)send_text(&b, "x");
    assert_int_equal(f.total_s, 16);
    /* All pauses of a task together. */
    f = (struct fake){.status = 429, .retry_after = 50};
    b = bot_of(&f);
    (void)send_text(&b, "x");
    (void)send_text(&b, "x");
    assert_int_equal(f.total_s, 150);
}

static void no_answer_is_tried_again_and_then_believed_for_all(void **state) {
    (void)state;
    struct fake f = {.st = SR_E_UNAVAILABLE};
    struct bot b = bot_of(&f);
    assert_string_equal(send_text(&b, "x").error, "Failed to reach Telegram bot API");
    assert_int_equal(f.calls, BOT_REACH_TRIES);
    assert_int_equal(f.total_s, 15);
    assert_string_equal(send_text(&b, "x").error, "Failed to reach Telegram bot API");
    assert_int_equal(f.calls, BOT_REACH_TRIES);
    f = (struct fake){.st = SR_E_TIMEOUT}; /* it may have been sent */
    b = bot_of(&f);
    assert_string_equal(send_text(&b, "x").error, "Failed to reach Telegram bot API");
    assert_int_equal(f.calls, 1);
}

static void refusals_say_what_they_mean(void **state) {
    (void)state;
    static const long statuses[] = {400, 401, 403, 404, 500};
    for (size_t i = 0; i < SR_ARRAY_LEN(statuses); i++) {
        struct fake f = {.status = statuses[i]};
        struct bot b = bot_of(&f);
        char want[128];
        (void)snprintf(want, sizeof want,
                       "Failed to send Telegram message, bot API answered with status: %ld",
                       statuses[i]);
        struct msg_item it = send_text(&b, "x");
        assert_string_equal(it.error, want);
        assert_int_equal(it.reason[0] != 0, statuses[i] != 500);
        (void)send_text(&b, "x"); /* a bad token is bad for all */
        assert_int_equal(f.calls, statuses[i] == 401 || statuses[i] == 404 ? 1 : 2);
    }
}

static void chats_are_numbers_or_names(void **state) {
    (void)state;
    static const char *const good[] = {"1",          "1234",      "123456789",
                                       "@some_user", "some_user", "00000"};
    static const char *const types[] = {"-1001234567890", "-1"};
    static const char *const bad[] = {
        "",       "abcd",    "@abcd", "0",   "not a chat id!",
        "1.5",    "@@abcde", "-",     "- 1", "abcdefghijklmnopqrstuvwxyz0123456",
        "12345\n"};
    for (size_t i = 0; i < SR_ARRAY_LEN(good); i++) assert_null(bot_chat_check(slice_str(good[i])));
    for (size_t i = 0; i < SR_ARRAY_LEN(types); i++)
        assert_string_equal(
            bot_chat_check(slice_str(types[i])),
            "ProtectedData error: \"chatId\" does not match any of the allowed types");
    for (size_t i = 0; i < SR_ARRAY_LEN(bad); i++)
        assert_string_equal(bot_chat_check(slice_str(bad[i])),
                            "ProtectedData error: \"chatId\" must be a valid Telegram chat ID");
}

/* ---- long texts ---- */

static uint64_t seed = 4101842887655102017ull;
static uint32_t next_random(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* Tags of a part match; returns how many of text's bytes are outside of tags. */
static void balanced(struct slice s) {
    char stack[64];
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '<') continue;
        if (s.p[i + 1] == '/') {
            assert_true(n > 0);
            n--;
            assert_int_equal(stack[n], s.p[i + 2]);
        } else
            stack[n++] = (char)s.p[i + 1];
    }
    assert_int_equal(n, 0);
}

static void without_tags(struct buf *b, struct slice s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '<')
            while (s.p[i] != '>') i++;
        else
            buf_u8(b, s.p[i]);
    }
}

static void parts_are_short_balanced_and_the_whole_text(void **state) {
    (void)state;
    static const char *const pieces[] = {"word ", "&amp;", "\xc3\xa9\xf0\x9f\x98\x80", "\n", "x"};
    for (unsigned round = 0; round < 60; round++) {
        cleanup_buf struct buf text, back, want;
        char open[8];
        size_t n_open = 0;
        buf_init(&text, 1 << 20);
        buf_init(&back, 1 << 20);
        buf_init(&want, 1 << 20);
        while (text.n < 3000u * (round % 7 + 1)) {
            uint32_t r = next_random() % 12;
            if (r == 0 && n_open < sizeof open) {
                open[n_open] = "biu"[next_random() % 3];
                buf_printf(&text, "<%c>", open[n_open++]);
            } else if (r == 1 && n_open > 0) {
                buf_printf(&text, "</%c>", open[--n_open]);
            } else
                buf_str(&text, pieces[next_random() % (round % 2 ? 5 : 3)]);
        }
        while (n_open > 0) buf_printf(&text, "</%c>", open[--n_open]);
        for (size_t at = 0; at < text.n;) {
            cleanup_buf struct buf part;
            buf_init(&part, 1 << 16);
            assert_int_equal(bot_split(buf_slice(&text), &at, &part, NULL), SR_OK);
            assert_true(msg_utf16_units(buf_slice(&part)) <= BOT_TEXT_MAX);
            assert_true(msg_is_utf8(buf_slice(&part)));
            balanced(buf_slice(&part));
            const uint8_t *amp = memrchr(part.p, '&', part.n);
            if (amp) assert_non_null(memchr(amp, ';', (size_t)(part.p + part.n - amp)));
            without_tags(&back, buf_slice(&part));
        }
        without_tags(&want, buf_slice(&text));
        assert_true(slice_eq(buf_slice(&back), buf_slice(&want)));
    }
}

static void a_text_that_is_too_long_is_not_begun(void **state) {
    (void)state;
    struct fake f = {.status = 200};
    struct bot b = bot_of(&f);
    static char text[BOT_PARTS_MAX * BOT_TEXT_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    struct msg_item it = send_text(&b, text);
    assert_false(it.success);
    assert_int_equal(f.calls, 0);
    text[sizeof text - 2] = 0;
    assert_true(send_text(&b, text).success);
    assert_int_equal(f.calls, BOT_PARTS_MAX);
    /* A failure in the middle says how far it came. */
    f = (struct fake){.status = 403, .ok_after = 2};
    b = bot_of(&f);
    it = send_text(&b, text);
    assert_non_null(strstr(it.reason, "after 2 of 20 messages: the recipient"));
    memset(text, '<', 5000);
    text[5000] = 0;
    f = (struct fake){.status = 200};
    b = bot_of(&f);
    assert_true(send_text(&b, text).success); /* not tags: characters, which Telegram may refuse */
}

static void secrets_of_a_bot(void **state) {
    (void)state;
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"{\"TELEGRAM_BOT_TOKEN\":\"1:a\"}", ""},
        {"{}", "App secret error: \"TELEGRAM_BOT_TOKEN\" is required"},
        {"{\"TELEGRAM_BOT_TOKEN\":\"1:a\",\"EXTRA\":\"x\"}",
         "App secret error: \"EXTRA\" is not allowed"},
        {"{\"TELEGRAM_BOT_TOKEN\":\"1:a/../x\"}",
         "App secret error: \"TELEGRAM_BOT_TOKEN\" must hold letters, digits, : _ and - only"},
        {"{\"TELEGRAM_BOT_TOKEN\":\"1:a\",\"TELEGRAM_API_URL\":\"http://x\"}",
         "App secret error: \"TELEGRAM_API_URL\" must be an https:// URL"},
        {"x", "Failed to parse the developer secret"},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(cases); i++) {
        cleanup_json struct json *doc = NULL;
        cleanup_buf struct buf error;
        struct bot_secret s = {0};
        buf_init(&error, 4096);
        assert_int_equal(bot_secret_parse(slice_str(cases[i].json), &doc, &s, &error),
                         cases[i].error[0] == 0);
        assert_string_equal(buf_cstr(&error), cases[i].error);
    }
    static const char whole[] = "{\"ok\":false,\"parameters\":{\"retry_after\":35}}";
    assert_int_equal(bot_retry_after(slice_str(whole)), 35);
    for (size_t cut = 0; cut + 1 < sizeof whole; cut++)
        assert_int_equal(bot_retry_after(slice_of(whole, cut)), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_sent),
        cmocka_unit_test(a_rate_limit_is_waited_for_and_no_longer_than_it_says),
        cmocka_unit_test(no_answer_is_tried_again_and_then_believed_for_all),
        cmocka_unit_test(refusals_say_what_they_mean),
        cmocka_unit_test(chats_are_numbers_or_names),
        cmocka_unit_test(parts_are_short_balanced_and_the_whole_text),
        cmocka_unit_test(a_text_that_is_too_long_is_not_begun),
        cmocka_unit_test(secrets_of_a_bot),
    };
    return cmocka_run_group_tests_name("web3telegram", tests, NULL, NULL);
}
