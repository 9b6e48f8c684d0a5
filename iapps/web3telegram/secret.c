/* SPDX-License-Identifier: Apache-2.0 */
/* The two secrets of a Telegram message.   SPEC: messaging.md#71-checks-in-this-order */
#include "web3telegram/bot.h"

static bool cannot(struct buf *ret_error, const char *text) {
    buf_str(ret_error, text);
    return false;
}

bool bot_secret_parse(struct slice secret_text, struct json **ret_doc, struct bot_secret *ret,
                      struct buf *ret_error) {
    struct bot_secret s = {0};
    struct sr_err none = {0};
    const struct rule rules[] = {
        {"TELEGRAM_BOT_TOKEN", RULE_TOKEN, true, &s.token},
        {"TELEGRAM_API_URL", RULE_HTTPS, false, &s.url},
        {"CA_CERTIFICATES", RULE_PEM, false, &s.ca_pem},
    };
    if (secret_text.n == 0 || secret_text.n > MSG_MAX_SECRET ||
        json_parse(secret_text, ret_doc, &none) != SR_OK)
        return cannot(ret_error, "Failed to parse the developer secret");
    msg_check(json_root(*ret_doc), "App secret error", rules, SR_ARRAY_LEN(rules), ret_error);
    if (ret_error->n > 0) return false;
    *ret = s;
    return true;
}

bool bot_request_parse(struct slice secret_text, struct json **ret_doc, struct bot_request *ret,
                       struct buf *ret_error) {
    struct bot_request q = {0};
    struct sr_err none = {0};
    const struct rule rules[] = {
        {"telegramContentMultiAddr", RULE_MULTIADDR, true, &q.multiaddr},
        {"telegramContentEncryptionKey", RULE_BASE64, true, &q.key},
        {"senderName", RULE_NAME, false, &q.sender_name},
    };
    if (secret_text.n == 0 || secret_text.n > MSG_MAX_SECRET ||
        json_parse(secret_text, ret_doc, &none) != SR_OK)
        return cannot(ret_error, "Failed to parse requester secret");
    msg_check(json_root(*ret_doc), "Requester secret error", rules, SR_ARRAY_LEN(rules), ret_error);
    if (ret_error->n > 0) return false;
    *ret = q;
    return true;
}

const char *bot_chat_check(struct slice secret_chat) {
    static const char bad[] = "ProtectedData error: \"chatId\" must be a valid Telegram chat ID";
    struct slice s = secret_chat;
    bool digits = s.n > 0 && s.n <= 20 && s.p[0] != '0', word = true;
    for (size_t i = 0; i < s.n; i++) digits &= s.p[i] >= '0' && s.p[i] <= '9';
    if (digits) return NULL;
    if (s.n > 1 && s.p[0] == '-') { /* a group's number */
        bool number = true;
        for (size_t i = 1; i < s.n; i++) number &= s.p[i] >= '0' && s.p[i] <= '9';
        if (number)
            return "ProtectedData error: \"chatId\" does not match any of the allowed types";
    }
    if (s.n > 0 && s.p[0] == '@') s = slice_of(s.p + 1, s.n - 1);
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        word &=
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    return word && s.n >= 5 && s.n <= 32 ? NULL : bad;
}
