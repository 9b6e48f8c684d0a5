/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an address is good: what earlier tasks with the same data set have found (their callback
 * values, on the chain), else Mailgun's validation. The index is asked for the data set's address:
 * the official application sends it the email address.   SPEC: messaging.md#72-mail
 */
#include "web3mail/web3mail.h"
#include <stdio.h>

#define MAILGUN_URL "https://api.mailgun.net"

static const char prior_query[] =
    "query checkSuccessfulTaskQuery($apps: [String!], $dataset: String!) { tasks( where: { "
    "resultsCallback_not: \"0x\" status: \"COMPLETED\" deal_: { dataset: $dataset, app_in: $apps } "
    "} ) { resultsCallback } }";

msg_valid address_prior_read(struct slice body) {
    cleanup_json struct json *doc = NULL;
    struct sr_err none = {0};
    bool valid = false, invalid = false;
    if (json_parse(body, &doc, &none) != SR_OK) return VALID_UNKNOWN;
    const struct json_val *tasks = json_get(json_get(json_root(doc), "data"), "tasks");
    for (const struct json_val *t = json_first(tasks); t; t = json_next(t)) {
        struct hash h;
        static const uint8_t zeros[31];
        if (!json_hash(json_get(t, "resultsCallback"), &h) || memcmp(h.b, zeros, 31) != 0) continue;
        valid |= h.b[31] == 1 || h.b[31] == 3;
        invalid |= h.b[31] == 2;
    }
    return valid ? VALID_YES : invalid ? VALID_NO : VALID_UNKNOWN;
}

msg_valid address_mailgun_read(struct slice body) {
    cleanup_json struct json *doc = NULL;
    struct sr_err none = {0};
    struct slice result;
    if (json_parse(body, &doc, &none) != SR_OK ||
        !json_str(json_get(json_root(doc), "result"), &result))
        return VALID_UNKNOWN;
    return slice_is(result, "deliverable") ? VALID_YES : VALID_NO;
}

static char *c_str(struct slice s, const char *otherwise) {
    return s.n > 0 ? slice_dup(s) : slice_dup(slice_str(otherwise));
}

/* One call; *ret_gone: no answer at all. */
static msg_valid ask(struct address_check *c, const struct http_request *q,
                     msg_valid (*read)(struct slice body), bool *ret_gone) {
    struct http_answer a = {0};
    struct sr_err none = {0};
    msg_valid v = VALID_UNKNOWN;
    buf_init(&a.body, MSG_MAX_ANSWER);
    if (c->http.call(c->http.arg, q, &a, &none) != SR_OK)
        *ret_gone = true;
    else if (a.status >= 200 && a.status <= 299)
        v = read(buf_slice(&a.body));
    buf_done(&a.body);
    return v;
}

static msg_valid prior(struct address_check *c, const char *dataset) {
    cleanup_buf struct buf body;
    struct addr a;
    buf_init(&body, MSG_MAX_ANSWER);
    if (!c->secret->apps || c->secret->poco_url.n == 0 || c->index_gone) return VALID_UNKNOWN;
    if (!dataset || !addr_parse(slice_str(dataset), &a)) return VALID_UNKNOWN;
    cleanup_free char *url = c_str(c->secret->poco_url, "");
    struct jw w = jw_of(&body);
    jw_obj(&w);
    jw_kcstr(&w, "query", prior_query);
    jw_key(&w, "variables");
    jw_obj(&w);
    jw_key(&w, "apps");
    jw_arr(&w);
    const struct json_val *apps = json_root(c->secret->apps);
    for (const struct json_val *v = json_first(apps); v; v = json_next(v)) jw_str(&w, json_text(v));
    jw_end_arr(&w);
    jw_kaddr(&w, "dataset", &a);
    jw_end_obj(&w);
    jw_end_obj(&w);
    if (body.bad != SR_OK || !url) return VALID_UNKNOWN;
    return ask(c, &(struct http_request){.method = "POST", .url = url, .body = buf_slice(&body)},
               address_prior_read, &c->index_gone);
}

static void url_encode(struct buf *b, const char *s) {
    for (; *s; s++) {
        bool plain =
            (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9');
        if (plain || strchr("-_.!~*'()", *s))
            buf_u8(b, (uint8_t)*s);
        else
            buf_printf(b, "%%%02X", (unsigned char)*s);
    }
}

static msg_valid mailgun(struct address_check *c, const char *secret_email) {
    cleanup_buf_wipe struct buf url;
    buf_init(&url, 4096);
    if (c->secret->mg_key.n == 0 || c->mailgun_gone) return VALID_UNKNOWN;
    cleanup_free char *base = c_str(c->secret->mg_url, MAILGUN_URL);
    cleanup_free char *key = c_str(c->secret->mg_key, "");
    buf_printf(&url, "%s/v4/address/validate?address=", base ? base : "");
    url_encode(&url, secret_email);
    if (url.bad != SR_OK || !base || !key) return VALID_UNKNOWN;
    return ask(c,
               &(struct http_request){
                   .method = "GET", .url = buf_cstr(&url), .user = "api", .secret_password = key},
               address_mailgun_read, &c->mailgun_gone);
}

msg_valid address_check(struct address_check *c, const char *dataset, const char *secret_email) {
    msg_valid v = prior(c, dataset);
    return v != VALID_UNKNOWN ? v : mailgun(c, secret_email);
}
