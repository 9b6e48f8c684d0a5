/* SPDX-License-Identifier: Apache-2.0 */
#include "web3telegram/bot.h"
#include <stdio.h>

#define BOT_URL     "https://api.telegram.org"
#define UNREACHABLE "Failed to reach Telegram bot API"

uint64_t bot_retry_after(struct slice body) {
    cleanup_json struct json *doc = NULL;
    struct sr_err none = {0};
    uint64_t n = 0;
    if (json_parse(body, &doc, &none) != SR_OK) return 0;
    (void)json_u64(json_get(json_get(json_root(doc), "parameters"), "retry_after"), &n);
    return n;
}

static sr_status call(struct bot *b, struct slice part, const char *chat, struct http_answer *ret,
                      struct sr_err *err) {
    cleanup_buf_wipe struct buf url, body;
    buf_init(&url, 4096);
    buf_init(&body, 64u << 10);
    if (b->secret->url.n > 0)
        buf_add(&url, b->secret->url);
    else
        buf_str(&url, BOT_URL);
    buf_str(&url, "/bot");
    buf_add(&url, b->secret->token);
    buf_str(&url, "/sendMessage");
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_kcstr(&w, "chat_id", chat);
    jw_kstr(&w, "text", part);
    jw_kcstr(&w, "parse_mode", "HTML");
    jw_end_obj(&w);
    SR_TRY(buf_status(&url, err));
    SR_TRY(buf_status(&body, err));
    return b->http.call(
        b->http.arg,
        &(struct http_request){.method = "POST", .url = buf_cstr(&url), .body = buf_slice(&body)},
        ret, err);
}

/* false: that is longer than we wait. */
static bool wait_s(struct bot *b, uint64_t s) {
    if (s > BOT_PAUSE_MAX_S || b->waited_s + s > BOT_WAIT_MAX_S) return false;
    if (b->left_s && s > b->left_s(b->arg)) return false;
    b->waited_s += s;
    b->pause(b->arg, 1000 * (unsigned)s);
    return true;
}

static void rate_exceeded(struct msg_item *it, unsigned tries) {
    char text[128];
    (void)snprintf(text, sizeof text,
                   "Failed to send Telegram message: Rate limit exceeded after %u attempts", tries);
    msg_fail(it, text, "%s", "");
}

static const char *meaning(long status) {
    switch (status) {
    case 400: return "no such chat, or text that is not Telegram's HTML";
    case 401:
    case 404: return "the bot's token is not valid";
    case 403: return "the recipient blocked the bot or never wrote to it";
    default: return "";
    }
}

static void refused(struct bot *b, struct msg_item *it, long status) {
    char text[128];
    (void)snprintf(text, sizeof text,
                   "Failed to send Telegram message, bot API answered with status: %ld", status);
    msg_fail(it, text, "%s", meaning(status));
    if (status == 401 || status == 404) (void)snprintf(b->dead, sizeof b->dead, "%s", text);
}

/* One message. true: sent. */
static bool send_part(struct bot *b, struct slice part, struct msg_item *it) {
    unsigned busy = 0, silent = 0;
    for (;;) {
        struct http_answer a = {0};
        struct sr_err err = {0};
        buf_init(&a.body, MSG_MAX_ANSWER);
        sr_status st = call(b, part, it->secret_to, &a, &err);
        uint64_t told = a.retry_after ? a.retry_after : bot_retry_after(buf_slice(&a.body));
        buf_done(&a.body);
        if (st == SR_OK && a.status >= 200 && a.status <= 299) return true;
        if (st == SR_OK && a.status == 429) {
            if (++busy < BOT_TRIES && wait_s(b, told ? told : 1ull << (busy - 1))) continue;
            rate_exceeded(it, busy);
            return false;
        }
        if (st == SR_OK) {
            refused(b, it, a.status);
            return false;
        }
        /* After a time-out nobody knows whether it was sent: not twice. */
        if (st == SR_E_UNAVAILABLE && ++silent < BOT_REACH_TRIES && wait_s(b, 1ull << (silent - 1)))
            continue;
        msg_fail(it, UNREACHABLE, "%s", err.what);
        if (st != SR_E_TIMEOUT) (void)snprintf(b->dead, sizeof b->dead, "%s", UNREACHABLE);
        return false;
    }
}

static size_t count_parts(struct slice text, struct sr_err *err) {
    size_t n = 0;
    for (size_t at = 0; at < text.n; n++) {
        cleanup_buf_wipe struct buf part;
        buf_init(&part, 64u << 10);
        if (n == BOT_PARTS_MAX || bot_split(text, &at, &part, err) != SR_OK) return 0;
    }
    return n;
}

void bot_send(struct bot *b, struct slice text, struct msg_item *it) {
    struct sr_err err = {0};
    if (b->dead[0]) {
        msg_fail(it, b->dead, "%s", "as for the one before");
        return;
    }
    size_t n = count_parts(text, &err), at = 0; /* all of it can be sent, or none is */
    if (n == 0) {
        msg_fail(it, "Failed to send Telegram message",
                 "the text is longer than %u messages of %u characters", BOT_PARTS_MAX,
                 BOT_TEXT_MAX);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        cleanup_buf_wipe struct buf part;
        buf_init(&part, 64u << 10);
        if (bot_split(text, &at, &part, &err) != SR_OK) {
            msg_fail(it, "Failed to send Telegram message", "%s", err.what);
            return;
        }
        if (send_part(b, buf_slice(&part), it)) continue;
        if (i > 0) {
            char why[256];
            (void)snprintf(why, sizeof why, "%s", it->reason);
            (void)snprintf(it->reason, sizeof it->reason, "after %zu of %zu messages%s%.160s", i, n,
                           why[0] ? ": " : "", why);
        }
        return;
    }
    it->success = true;
}
