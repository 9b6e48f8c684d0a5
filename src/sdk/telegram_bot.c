/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's bot tells who writes to it his chat id: that is what he protects.
 * SPEC: messaging.md#9-user-side
 */
#include "sdk/messaging_int.h"
#include <stdlib.h>

#define BOT_API     "https://api.telegram.org"
#define BOT_TOKEN   128 /* bytes at most */
#define BOT_WAIT    50  /* seconds that the API may be asked to wait, at most */
#define BOT_BYTES   (1u << 20)
#define BOT_MARGIN  20000 /* ms that an answer may take beyond the wait */
#define BOT_UPDATES 100   /* of one answer: the API's own limit */

struct bot_args {
    struct sr_client *c;
    const char *secret_token, *api;
    unsigned wait_s;
    uint64_t *offset;
    size_t answered;
};

sr_status telegram_updates_read(const struct json_val *root, struct telegram_update *ret,
                                size_t max, size_t *ret_n, struct sr_err *err) {
    const struct json_val *list = json_get(root, "result");
    size_t n = 0;
    if (!json_is(list, JSON_ARRAY))
        return sr_fail(err, SR_E_MALFORMED, "the Bot API's answer has no result");
    for (const struct json_val *v = json_first(list); v && n < max; v = json_next(v)) {
        const struct json_val *message = json_get(v, "message"), *chat = json_get(message, "chat");
        struct telegram_update *u = &ret[n];
        *u = (struct telegram_update){0};
        if (!json_u64(json_get(v, "update_id"), &u->id))
            return sr_fail(err, SR_E_MALFORMED, "an update of the Bot API has no number");
        /* A group's id is negative: nothing that a message can be sent to. */
        if (json_u64(json_get(chat, "id"), &u->chat) &&
            slice_is(json_text(json_get(chat, "type")), "private"))
            u->is_private = u->chat > 0;
        n++;
    }
    *ret_n = n;
    return SR_OK;
}

/* The API's word on a request that it refused. */
static sr_status refused(int status, struct sr_err *err) {
    if (status == 401 || status == 404) {
        sr_hint(err, "@BotFather tells a bot's token");
        return sr_fail(err, SR_E_AUTH, "the Bot API does not know this token");
    }
    if (status == 409) {
        sr_hint(err,
                "one program at a time may ask for a bot's messages, and none beside a webhook");
        return sr_fail(err, SR_E_CONFLICT, "another program asks for this bot's messages");
    }
    return sr_fail(err, status == 429 || status >= 500 ? SR_E_UNAVAILABLE : SR_E_REFUSED,
                   "the Bot API answered %d", status);
}

/* The protocol has the token in the URL; that is why no failure here names one. */
static sr_status call(struct bot_args *a, const char *method, struct slice body,
                      struct json **ret_doc, struct sr_err *err) {
    cleanup_buf_wipe struct buf url;
    cleanup_answer struct http_answer answer = {0};
    const char *headers[] = {"Content-Type: application/json", NULL};
    buf_init(&url, SDK_URL_MAX);
    buf_printf(&url, "%s/bot%s/%s", a->api, a->secret_token, method);
    SR_TRY(buf_status(&url, err));
    struct http_call http = {.method = "POST",
                             .url = buf_cstr(&url),
                             .headers = headers,
                             .body = body,
                             .max_body = BOT_BYTES,
                             .timeout_ms = a->wait_s * 1000ull + BOT_MARGIN};
    SR_TRY(http_fetch(&http, &answer, err));
    if (answer.status != 200) return refused(answer.status, err);
    return json_parse(buf_slice(&answer.body), ret_doc, err);
}

static sr_status tell(struct bot_args *a, uint64_t chat, struct sr_err *err) {
    cleanup_buf struct buf body;
    cleanup_json struct json *doc = NULL;
    char id[24], text[400];
    buf_init(&body, 4096);
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)chat);
    (void)snprintf(text, sizeof text,
                   "Your chat id is %s. Protect it, and say who may write to you:\n"
                   "strongroom data protect --json '{\"telegram_chatId\":\"%s\"}'\n"
                   "strongroom data grant CONTACT --app web3telegram --user WHO",
                   id, id);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_kcstr(&w, "chat_id", id);
    jw_kcstr(&w, "text", text);
    jw_end_obj(&w);
    SR_TRY(buf_status(&body, err));
    struct sr_err why = {0};
    sr_status st = call(a, "sendMessage", buf_slice(&body), &doc, &why);
    if (st == SR_E_REFUSED) return SR_OK; /* he has left meanwhile: the next one */
    if (st != SR_OK && err) *err = why;
    if (st == SR_OK) a->answered++;
    return st;
}

static sr_status check_args(struct bot_args *a, struct sr_err *err) {
    static const char allowed[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-:";
    size_t n = strlen(a->secret_token);
    if (n == 0 || n > BOT_TOKEN || strspn(a->secret_token, allowed) != n)
        return sr_fail(err, SR_E_USAGE, "that is no bot token, which is digits, ':' and letters");
    if (!a->api) a->api = BOT_API;
    if (!slice_starts(slice_str(a->api), "https://"))
        return sr_fail(err, SR_E_USAGE, "the Bot API is asked by https:// alone");
    if (a->wait_s > BOT_WAIT) a->wait_s = BOT_WAIT;
    return SR_OK;
}

static sr_status round_of_answers(void *arg, struct sr_err *err) {
    struct bot_args *a = arg;
    cleanup_buf struct buf body;
    cleanup_json struct json *doc = NULL;
    struct telegram_update list[BOT_UPDATES];
    size_t n;
    SR_TRY(check_args(a, err));
    buf_init(&body, 256);
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_ku64(&w, "offset", *a->offset);
    jw_ku64(&w, "timeout", a->wait_s);
    jw_end_obj(&w);
    SR_TRY(buf_status(&body, err));
    SR_TRY(call(a, "getUpdates", buf_slice(&body), &doc, err));
    SR_TRY(telegram_updates_read(json_root(doc), list, BOT_UPDATES, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (list[i].is_private) SR_TRY(tell(a, list[i].chat, err));
        if (list[i].id >= *a->offset && list[i].id < UINT64_MAX) *a->offset = list[i].id + 1;
    }
    return SR_OK;
}

sr_status sr_telegram_answer(struct sr_client *c, const char *secret_token, const char *api_url,
                             unsigned wait_s, uint64_t *offset, size_t *ret_answered,
                             struct sr_err *err) {
    struct bot_args a = {
        .c = c, .secret_token = secret_token, .api = api_url, .wait_s = wait_s, .offset = offset};
    SR_TRY(sdk_call(c, round_of_answers, &a, err));
    *ret_answered = a.answered;
    return SR_OK;
}
