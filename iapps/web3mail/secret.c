/* SPDX-License-Identifier: Apache-2.0 */
/* The two secrets of a mail.   SPEC: messaging.md#71-checks-in-this-order */
#include "web3mail/web3mail.h"
#include <stdio.h>

#define WHAT_APP "App secret error"

static bool say(struct buf *ret_error, const char *text) {
    buf_str(ret_error, text);
    return false;
}

static bool check_app(const struct json_val *root, struct mail_secret *s, struct buf *ret_error) {
    if (s->smtp) {
        const struct rule rules[] = {
            {"SMTP_URL", RULE_SMTP, true, &s->smtp_url},
            {"SMTP_SENDER", RULE_EMAIL, true, &s->sender},
            {"SMTP_USERNAME", RULE_TEXT, false, &s->smtp_user},
            {"SMTP_PASSWORD", RULE_TEXT, false, &s->smtp_password},
            {"SMTP_TIMEOUT", RULE_SECONDS, false, &s->smtp_timeout},
            {"MAILGUN_APIKEY", RULE_TEXT, false, &s->mg_key},
            {"WEB3MAIL_WHITELISTED_APPS", RULE_TEXT, false, &s->whitelisted},
            {"POCO_SUBGRAPH_URL", RULE_HTTP, false, &s->poco_url},
            {"MAILGUN_API_URL", RULE_HTTPS, false, &s->mg_url},
            {"CA_CERTIFICATES", RULE_PEM, false, &s->ca_pem},
        };
        msg_check(root, WHAT_APP, rules, SR_ARRAY_LEN(rules), ret_error);
    } else {
        const struct rule rules[] = {
            {"MJ_APIKEY_PUBLIC", RULE_TEXT, true, &s->mj_public},
            {"MJ_APIKEY_PRIVATE", RULE_TEXT, true, &s->mj_private},
            {"MJ_SENDER", RULE_EMAIL, true, &s->sender},
            {"MAILGUN_APIKEY", RULE_TEXT, true, &s->mg_key},
            {"WEB3MAIL_WHITELISTED_APPS", RULE_TEXT, true, &s->whitelisted},
            {"POCO_SUBGRAPH_URL", RULE_HTTP, true, &s->poco_url},
            {"MJ_API_URL", RULE_HTTPS, false, &s->mj_url},
            {"MAILGUN_API_URL", RULE_HTTPS, false, &s->mg_url},
            {"CA_CERTIFICATES", RULE_PEM, false, &s->ca_pem},
        };
        msg_check(root, WHAT_APP, rules, SR_ARRAY_LEN(rules), ret_error);
    }
    return ret_error->n == 0;
}

static bool all_addresses(const struct json_val *apps) {
    struct addr a;
    if (!json_is(apps, JSON_ARRAY)) return false;
    for (const struct json_val *v = json_first(apps); v; v = json_next(v))
        if (!json_addr(v, &a)) return false;
    return true;
}

bool mail_secret_parse(struct slice secret_text, struct json **ret_doc, struct mail_secret *ret,
                       struct buf *ret_error) {
    static const char cannot[] = "Failed to parse the developer secret";
    struct mail_secret s = {.smtp_timeout = MAIL_TIMEOUT_S};
    struct sr_err none = {0};
    struct slice list;
    if (secret_text.n == 0 || secret_text.n > MSG_MAX_SECRET ||
        json_parse(secret_text, ret_doc, &none) != SR_OK)
        return say(ret_error, cannot);
    const struct json_val *root = json_root(*ret_doc);
    s.smtp = json_get(root, "SMTP_URL") != NULL;
    if (json_str(json_get(root, "WEB3MAIL_WHITELISTED_APPS"), &list) &&
        json_parse(list, &s.apps, &none) != SR_OK)
        return say(ret_error, cannot);
    bool ok = check_app(root, &s, ret_error);
    if (ok && s.apps && !all_addresses(json_root(s.apps)))
        ok = say(ret_error,
                 WHAT_APP ": \"WEB3MAIL_WHITELISTED_APPS\" must be a JSON array of addresses");
    if (ok && (s.smtp_user.n > 0) != (s.smtp_password.n > 0))
        ok = say(ret_error, WHAT_APP ": \"SMTP_USERNAME\" and \"SMTP_PASSWORD\" go together");
    if (!ok)
        json_free(s.apps);
    else
        *ret = s;
    return ok;
}

bool mail_request_parse(struct slice secret_text, struct json **ret_doc, struct mail_request *ret,
                        struct buf *ret_error) {
    struct mail_request q = {0};
    struct sr_err none = {0};
    if (secret_text.n == 0 || secret_text.n > MSG_MAX_SECRET ||
        json_parse(secret_text, ret_doc, &none) != SR_OK)
        return say(ret_error, "Failed to parse requester secret");
    const struct rule rules[] = {
        {"emailSubject", RULE_SUBJECT, true, &q.subject},
        {"emailContentMultiAddr", RULE_MULTIADDR, true, &q.multiaddr},
        {"emailContentEncryptionKey", RULE_BASE64, true, &q.key},
        {"contentType", RULE_TYPE, false, &q.type},
        {"senderName", RULE_NAME, false, &q.sender_name},
        {"useCallback", RULE_BOOL, false, &q.use_callback},
    };
    msg_check(json_root(*ret_doc), "Requester secret error", rules, SR_ARRAY_LEN(rules), ret_error);
    if (ret_error->n > 0) return false;
    *ret = q;
    return true;
}

void mail_from_name(char dst[128], struct slice sender_name) {
    if (sender_name.n > 0)
        (void)snprintf(dst, 128, "%.*s via Web3mail", (int)sender_name.n,
                       (const char *)sender_name.p);
    else
        (void)snprintf(dst, 128, "Web3mail");
}
