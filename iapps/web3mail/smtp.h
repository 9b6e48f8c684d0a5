/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp.h - delivery to a mail server: TLS always, one connection for many messages
 *
 * smtp:// begins with STARTTLS and goes on only with it; smtps:// is TLS from the start.
 * Depends on: transfer, mime.  Used by: main.c.
 */
#pragma once
#include "messaging/transfer.h"
#include "web3mail/web3mail.h"

struct smtp {
    struct transfer *t;
    const struct mail_secret *secret;
    char *url, *user, *password, *sender; /* owned */
    const char *domain;                   /* of the sender */
    char dead[256];                       /* why nobody can be served any more; "" */
};
SR_CHECK sr_status smtp_new(struct transfer *t, const struct mail_secret *secret, struct smtp *ret,
                            struct sr_err *err);
void smtp_done(struct smtp *s);
msg_outcome smtp_send(struct smtp *s, const struct mail *m, struct msg_item *it);
