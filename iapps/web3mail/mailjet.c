/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery by Mailjet's send API, as the official application.   SPEC: messaging.md#72-mail */
#include "web3mail/web3mail.h"

#define MAILJET_URL "https://api.mailjet.com"
#define FAILED      "Failed to send email"

static void write_body(struct buf *b, const struct mail *m, const char *to) {
    struct jw w = jw_of(b);
    jw_obj(&w);
    jw_key(&w, "Messages");
    jw_arr(&w);
    jw_obj(&w);
    jw_key(&w, "From");
    jw_obj(&w);
    jw_kstr(&w, "Email", m->secret->sender);
    jw_kcstr(&w, "Name", m->from_name);
    jw_end_obj(&w);
    jw_key(&w, "To");
    jw_arr(&w);
    jw_obj(&w);
    jw_kcstr(&w, "Email", to);
    jw_kcstr(&w, "Name", "");
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_kstr(&w, "Subject", m->request->subject);
    jw_kstr(&w, slice_is(m->request->type, "text/html") ? "HTMLPart" : "TextPart", m->text);
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_end_obj(&w);
}

/* An answer of 200 whose message has another status than "success" was not sent. */
static bool says_error(struct slice body) {
    cleanup_json struct json *doc = NULL;
    struct sr_err none = {0};
    struct slice status;
    if (json_parse(body, &doc, &none) != SR_OK) return false;
    const struct json_val *first = json_at(json_get(json_root(doc), "Messages"), 0);
    return json_str(json_get(first, "Status"), &status) && !slice_is(status, "success");
}

static msg_outcome judge(const struct http_answer *a, struct msg_item *it) {
    if (a->status >= 200 && a->status <= 299) {
        if (says_error(buf_slice(&a->body)))
            msg_fail(it, FAILED, "the provider did not take the message");
        else
            it->success = true;
        return MSG_DONE;
    }
    msg_fail(it, FAILED, "the provider answered with status %ld", a->status);
    return a->status == 429 || a->status == 503 ? MSG_LATER : MSG_DONE;
}

msg_outcome mailjet_send(const struct http_port *http, const struct mail *m, struct msg_item *it) {
    cleanup_buf_wipe struct buf body, url;
    struct http_answer a = {0};
    struct sr_err err = {0};
    cleanup_free char *user = slice_dup(m->secret->mj_public);
    cleanup_free char *key = slice_dup(m->secret->mj_private);
    buf_init(&body, 8u << 20);
    buf_init(&url, 4096);
    buf_init(&a.body, MSG_MAX_ANSWER);
    if (m->secret->mj_url.n > 0)
        buf_add(&url, m->secret->mj_url);
    else
        buf_str(&url, MAILJET_URL);
    buf_str(&url, "/v3.1/send");
    write_body(&body, m, it->secret_to);
    sr_status st =
        user && key ? buf_status(&body, &err) : sr_fail(&err, SR_E_NOMEM, "out of memory");
    if (st == SR_OK) st = buf_status(&url, &err);
    if (st == SR_OK)
        st = http->call(http->arg,
                        &(struct http_request){.method = "POST",
                                               .url = buf_cstr(&url),
                                               .body = buf_slice(&body),
                                               .user = user,
                                               .secret_password = key},
                        &a, &err);
    msg_outcome o = MSG_DONE;
    if (st == SR_OK) {
        o = judge(&a, it);
    } else {
        msg_fail(it, FAILED, "%s", err.what);
        /* After a time-out nobody knows whether it was sent: not twice. */
        if (st == SR_E_UNAVAILABLE) o = MSG_STOP;
    }
    buf_done(&a.body);
    return o;
}
