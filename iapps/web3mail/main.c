/* SPDX-License-Identifier: Apache-2.0 */
/* web3mail - an iApp: mails a message to protected addresses, which nobody but it sees */
#include "web3mail/smtp.h"
#include <stdlib.h>

struct app {
    struct messenger m;
    struct json *secret_doc, *request_doc;
    struct mail_secret secret;
    struct mail_request request;
    struct transfer transfer, smtp_transfer; /* a mail server's connection is kept apart */
    struct smtp smtp;
    struct address_check check;
};

static bool take_secrets(void *arg, struct slice secret_app, struct slice secret_requester,
                         struct msg_content *ret, struct buf *ret_error) {
    struct app *a = arg;
    struct sr_err err = {0};
    if (!mail_secret_parse(secret_app, &a->secret_doc, &a->secret, ret_error) ||
        !mail_request_parse(secret_requester, &a->request_doc, &a->request, ret_error))
        return false;
    sr_status st = transfer_new(a->secret.ca_pem, &a->transfer, &err);
    if (st == SR_OK && a->secret.smtp) st = transfer_new(a->secret.ca_pem, &a->smtp_transfer, &err);
    if (st == SR_OK && a->secret.smtp) st = smtp_new(&a->smtp_transfer, &a->secret, &a->smtp, &err);
    if (st != SR_OK) {
        buf_str(ret_error, err.what);
        return false;
    }
    a->m.http = (struct http_port){transfer_http, &a->transfer};
    a->check = (struct address_check){.secret = &a->secret, .http = a->m.http};
    *ret = (struct msg_content){a->request.multiaddr, a->request.key, a->request.use_callback};
    return true;
}

static const char *check(struct slice secret_to) {
    return msg_is_email(secret_to) ? NULL : "ProtectedData error: \"email\" must be a valid email";
}

static bool before(void *arg, struct msg_item *it) {
    struct app *a = arg;
    it->valid = address_check(&a->check, it->name, it->secret_to);
    if (it->valid != VALID_NO) return true;
    msg_fail(it, "The protected email address seems to be invalid.", "%s", "");
    return false;
}

static msg_outcome deliver(void *arg, struct msg_item *it, struct slice secret_content) {
    struct app *a = arg;
    struct mail m = {.secret = &a->secret, .request = &a->request, .text = secret_content};
    mail_from_name(m.from_name, a->request.sender_name);
    return a->secret.smtp ? smtp_send(&a->smtp, &m, it) : mailjet_send(&a->m.http, &m, it);
}

int main(void) {
    static struct app a;
    a.m = (struct messenger){.leaf = "email",
                             .gateway_env = "WEB3MAIL_IPFS_GATEWAY",
                             .names_url = true,
                             .has_valid = true,
                             .arg = &a,
                             .secrets = take_secrets,
                             .check = check,
                             .before = before,
                             .deliver = deliver,
                             .pause = transfer_pause,
                             .failed = "Failed to send email"};
    int code = msg_run(&a.m);
    smtp_done(&a.smtp);
    transfer_done(&a.smtp_transfer);
    transfer_done(&a.transfer);
    json_free(a.secret.apps);
    json_free(a.request_doc);
    json_free(a.secret_doc);
    return code;
}
