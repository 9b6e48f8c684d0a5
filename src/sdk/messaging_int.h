/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messaging_int.h - what mail and telegram have in common, and where they differ
 *
 * Used by: messaging.c, install.c, contacts.c, campaign.c, deliveries.c, tests.
 * SPEC: messaging.md
 */
#pragma once
#include "sdk/sdk_int.h"
#include <strongroom/messaging.h>

#define MSG_SECRET_INDEX 1 /* of the requester secret; always */
/* Who is called back by a mail of the official client: nobody, it has no code. So the outcome of
 * the address check stays on the chain.   SPEC: messaging.md#4-single-send */
#define MSG_CALLBACK "0x5f936db7ad6d29371808e42a87015595d90509ba"

#define MSG_GATEWAY_NAME "gateway.test" /* of a gateway on this machine, for apps in rooms */

struct channel {
    const char *app;             /* its name on a network, and with -tdx at a compass */
    const char *word;            /* our commands' first word */
    const char *schema;          /* what protected data must have */
    const char *multiaddr, *key; /* members of the secret */
    const char *gateway;         /* its variable with the gateway's URL */
};
const struct channel *channel_of(sr_channel c); /* NULL: there is none */

struct msg_net {
    struct addr app, list;
    bool has_list;
};
SR_CHECK sr_status messaging_net(struct sr_client *c, const struct channel *ch, struct msg_net *ret,
                                 struct sr_err *err);

/* ---- messaging.c: one message, ready to be encrypted */

struct message { /* owned: message_done; starts zeroed */
    struct sr_client *c;
    const struct channel *ch;
    const struct sr_message *m;
    struct msg_net net;
    struct slice sender, label; /* trimmed; empty: none */
    char *label_text;
    struct buf secret; /* JSON for the app; wiped */
    struct sr_run run; /* the app's, with the secret as its only one */
    struct sr_run_secret run_secret;
};
/* Pure checks of the official clients: texts and their lengths. */
SR_CHECK sr_status message_check(const struct sr_message *m, struct slice *ret_sender,
                                 struct slice *ret_label, struct sr_err *err);
SR_CHECK sr_status message_open(struct message *x, struct sr_client *c, const struct sr_message *m,
                                struct sr_err *err);
void message_done(struct message *x);
/* An sdk_fn, arg a struct message: encrypts the content, stores it, writes the secret. */
SR_CHECK sr_status message_seal(void *arg, struct sr_err *err);
/* IV | AES-256-CBC of content. */
SR_CHECK sr_status message_encrypt(const struct sr_secret *key, const uint8_t iv[AES_IV_BYTES],
                                   struct slice content, struct buf *ret, struct sr_err *err);
/* The app's secret for a content at multiaddr. Pure. */
void message_secret(const struct message *x, const char *multiaddr, const struct sr_secret *key,
                    struct buf *ret_secret);

/* ---- contacts.c */

struct contact {
    struct sr_contact shown;
    struct poco_order order; /* the grant that a message would use */
    uint64_t created_unix_s; /* of the data */
};
struct contacts { /* owned: contacts_done */
    struct contact *v;
    size_t n;
};
/* Contacts of user, newest data first. */
SR_CHECK sr_status contacts_read(struct sr_client *c, const struct channel *ch,
                                 const struct msg_net *net, const struct addr *user, bool only_user,
                                 bool bulk, struct contacts *ret, struct sr_err *err);
void contacts_done(struct contacts *l);
/* Does the index say that data has an address of this kind? */
SR_CHECK sr_status contact_has_address(struct sr_client *c, const struct channel *ch,
                                       const struct addr *data, bool *ret_has, struct sr_err *err);

/* ---- delivery.c: pure */

struct outcome { /* owned: list */
    struct sr_delivery *list;
    size_t n;
};
/* result.json of one message; d->data is the caller's. */
SR_CHECK sr_status delivery_of_one(const struct json_val *result, struct sr_delivery *ret,
                                   struct sr_err *err);
/* The room's list of data sets, and result.json. */
SR_CHECK sr_status delivery_of_bulk(const struct json_val *released, const struct json_val *result,
                                    struct outcome *ret, struct sr_err *err);
/* What a mail with the official client's callback leaves on the chain: 31 zero bytes, then 3 valid,
 * 2 invalid, 0 unknown. */
SR_CHECK sr_status delivery_of_callback(struct slice told, struct sr_delivery *ret,
                                        struct sr_err *err);

/* ---- telegram_bot.c: pure */

struct telegram_update {
    uint64_t id, chat;
    bool is_private; /* from one person, whose id chat is */
};
/* The Bot API's answer to getUpdates; at most max of them. */
SR_CHECK sr_status telegram_updates_read(const struct json_val *root, struct telegram_update *ret,
                                         size_t max, size_t *ret_n, struct sr_err *err);
