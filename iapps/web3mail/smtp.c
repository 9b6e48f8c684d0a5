/* SPDX-License-Identifier: Apache-2.0 */
#include "web3mail/smtp.h"
#include "crypto/crypto.h"
#include "web3mail/mime.h"
#include <stdio.h>
#include <stdlib.h>

#define FAILED      "Failed to send email"
#define MESSAGE_MAX (12u << 20) /* quoted-printable trebles at most */

sr_status smtp_new(struct transfer *t, const struct mail_secret *secret, struct smtp *ret,
                   struct sr_err *err) {
    struct smtp s = {.t = t, .secret = secret};
    s.sender = slice_dup(secret->sender);
    s.domain = s.sender ? strchr(s.sender, '@') + 1 : NULL;
    if (secret->smtp_user.n > 0) s.user = slice_dup(secret->smtp_user);
    if (secret->smtp_password.n > 0) s.password = slice_dup(secret->smtp_password);
    struct slice base = secret->smtp_url;
    while (base.n > 0 && base.p[base.n - 1] == '/') base.n--;
    /* Without a port libcurl means 25, for servers among themselves. */
    struct slice host = slice_of(base.p + 7, base.n - 7);
    bool submission = slice_starts(base, "smtp://") && !memchr(host.p, ':', host.n);
    /* What follows the host is the name that we greet with. */
    if (!s.domain || asprintf(&s.url, "%.*s%s/%s", (int)base.n, (const char *)base.p,
                              submission ? ":587" : "", s.domain) < 0) {
        s.url = NULL;
        smtp_done(&s);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    *ret = s;
    return SR_OK;
}

void smtp_done(struct smtp *s) {
    if (s->password) explicit_bzero(s->password, strlen(s->password));
    free(s->password);
    free(s->user);
    free(s->sender);
    free(s->url);
    *s = (struct smtp){0};
}

static size_t give(char *p, size_t size, size_t n, void *arg) {
    struct slice *left = arg;
    size_t take = size * n < left->n ? size * n : left->n;
    memcpy(p, left->p, take);
    *left = slice_of(left->p + take, left->n - take);
    return take;
}

/* The first refusal that the server said (libcurl says goodbye after it), else its last line. */
static size_t heard(char *p, size_t size, size_t n, void *arg) {
    struct smtp_reply *r = arg;
    if (r->code < 400) *r = smtp_reply_read(slice_of(p, size * n));
    return size * n;
}

struct attempt {
    struct slice left;
    struct smtp_reply reply;
    struct curl_slist *to;
};

static CURLcode perform(struct smtp *s, struct attempt *a, bool fresh, struct sr_err *err) {
    CURL *e = s->t->easy;
    long timeout = (long)s->secret->smtp_timeout;
    if (transfer_reset(s->t, s->url, err) != SR_OK) return CURLE_OUT_OF_MEMORY;
    bool ok = true;
#define SET(option, value) ok = ok && curl_easy_setopt(e, option, value) == CURLE_OK
    SET(CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    SET(CURLOPT_MAIL_FROM, s->sender);
    SET(CURLOPT_MAIL_RCPT, a->to);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)a->left.n);
    SET(CURLOPT_READFUNCTION, give);
    SET(CURLOPT_READDATA, &a->left);
    SET(CURLOPT_HEADERFUNCTION, heard);
    SET(CURLOPT_HEADERDATA, &a->reply);
    SET(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, timeout);
    SET(CURLOPT_CONNECTTIMEOUT, timeout < TRANSFER_CONNECT_S ? timeout : TRANSFER_CONNECT_S);
    if (s->user) {
        SET(CURLOPT_USERNAME, s->user);
        SET(CURLOPT_PASSWORD, s->password);
        SET(CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
    }
#undef SET
    return ok ? curl_easy_perform(e) : CURLE_OUT_OF_MEMORY;
}

/* A connection that was used before may just have reached its end: then a new one, once. */
static CURLcode send_once_or_again(struct smtp *s, struct attempt *a, struct slice text,
                                   struct sr_err *err) {
    long connects = 0;
    a->left = text;
    a->reply = (struct smtp_reply){0};
    CURLcode code = perform(s, a, false, err);
    if (code == CURLE_OK) return code;
    (void)curl_easy_getinfo(s->t->easy, CURLINFO_NUM_CONNECTS, &connects);
    bool judged = a->reply.code >= 400 && a->reply.code != 421;
    if (connects > 0 || judged || code == CURLE_OPERATION_TIMEDOUT) return code;
    a->left = text;
    a->reply = (struct smtp_reply){0};
    return perform(s, a, true, err);
}

static msg_outcome judge(struct smtp *s, CURLcode code, const struct smtp_reply *r,
                         struct msg_item *it) {
    struct sr_err err = {0};
    if (code == CURLE_OK) {
        it->success = true;
        return MSG_DONE;
    }
    if (code == CURLE_LOGIN_DENIED) {
        (void)snprintf(s->dead, sizeof s->dead, "the mail server refuses the login (%u)", r->code);
    } else if (code != CURLE_OPERATION_TIMEDOUT && r->code >= 400) {
        return smtp_judge(r, it);
    } else {
        sr_status st = transfer_failed(code, &err);
        if (st != SR_E_REFUSED) {
            msg_fail(it, FAILED, "%s", err.what);
            return MSG_STOP;
        }
        (void)snprintf(s->dead, sizeof s->dead, "%s", err.what);
    }
    msg_fail(it, FAILED, "%s", s->dead);
    return MSG_DONE;
}

msg_outcome smtp_send(struct smtp *s, const struct mail *m, struct msg_item *it) {
    cleanup_buf_wipe struct buf text;
    struct sr_err err = {0};
    uint8_t id[16];
    char id_text[2 * sizeof id + 1];
    cleanup_free char *message_id = NULL;
    buf_init(&text, MESSAGE_MAX);
    if (s->dead[0]) {
        msg_fail(it, FAILED, "%s", s->dead);
        return MSG_DONE;
    }
    sr_status st = random_bytes(id, sizeof id, &err);
    hex_encode(id_text, id, sizeof id);
    if (st == SR_OK && asprintf(&message_id, "%s@%s", id_text, s->domain) < 0) {
        message_id = NULL;
        st = sr_fail(&err, SR_E_NOMEM, "out of memory");
    }
    if (st == SR_OK)
        st = mime_write(&(struct mime_message){.from = s->sender,
                                               .to = it->secret_to,
                                               .from_name = slice_str(m->from_name),
                                               .subject = m->request->subject,
                                               .text = m->text,
                                               .html = slice_is(m->request->type, "text/html"),
                                               .unix_s = clock_unix_ms() / 1000,
                                               .id = message_id},
                        &text, &err);
    struct attempt a = {.to = st == SR_OK ? curl_slist_append(NULL, it->secret_to) : NULL};
    if (!a.to) {
        msg_fail(it, FAILED, "%s", st == SR_OK ? "out of memory" : err.what);
        return MSG_DONE;
    }
    CURLcode code = send_once_or_again(s, &a, buf_slice(&text), &err);
    curl_slist_free_all(a.to);
    return judge(s, code, &a.reply, it);
}
