/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web3mail.h - mail to protected addresses: by an SMTP server of one's own, or by Mailjet as the
 * official application does
 *
 * Depends on: messaging, mime.  SPEC: messaging.md#72-mail
 */
#pragma once
#include "messaging/messaging.h"

#define MAIL_TIMEOUT_S 30u /* a server's reply, unless the app secret says otherwise */

/* The app secret: one of the two ways of delivery. Slices live as long as its document. */
struct mail_secret {
    bool smtp;
    struct slice sender;
    struct slice smtp_url, smtp_user, smtp_password;
    unsigned smtp_timeout;
    struct slice mj_public, mj_private, mj_url;
    struct slice mg_key, mg_url, poco_url, whitelisted;
    struct json *apps; /* owned; of whitelisted; NULL: none */
    struct slice ca_pem;
};
/* The requester's secret. */
struct mail_request {
    struct slice subject, multiaddr, key, type, sender_name;
    bool use_callback;
};
/* false: ret_error has the official sentence. *ret_doc is owned (json_free), also on failure. */
bool mail_secret_parse(struct slice secret_text, struct json **ret_doc, struct mail_secret *ret,
                       struct buf *ret_error);
bool mail_request_parse(struct slice secret_text, struct json **ret_doc, struct mail_request *ret,
                        struct buf *ret_error);

/* One message on its way. */
struct mail {
    const struct mail_secret *secret;
    const struct mail_request *request;
    struct slice text;
    char from_name[128];
};
void mail_from_name(char dst[128], struct slice sender_name); /* "Alice via Web3mail" */

/* ---- is the address good? (address.c) ---- */

struct address_check {
    const struct mail_secret *secret;
    struct http_port http;
    bool index_gone, mailgun_gone; /* no answer once: not asked again in this task */
};
/* What earlier tasks found for this data set, else what Mailgun says, else unknown. */
msg_valid address_check(struct address_check *c, const char *dataset, const char *secret_email);
/* The bodies of these services' answers. */
msg_valid address_prior_read(struct slice body);
msg_valid address_mailgun_read(struct slice body);

/* ---- delivery ---- */

/* mailjet.c */
msg_outcome mailjet_send(const struct http_port *http, const struct mail *m, struct msg_item *it);
/* What the mail server said (smtp_reply.c): pure. */
struct smtp_reply {
    unsigned code;      /* 250; 0: nothing */
    unsigned status[3]; /* 5.1.1; zeros: not said */
};
struct smtp_reply smtp_reply_read(struct slice line);
/* Failure of one message with that reply: what becomes of it. reused: not the connection's first.
 */
msg_outcome smtp_judge(const struct smtp_reply *r, struct msg_item *it);
