/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messaging.h - messages to people whose addresses nobody sees: Web3Mail and Web3Telegram
 *
 * An email address or a Telegram chat id is protected data. Its owner grants access to the
 * whitelist of the messaging app; who may use a grant is a contact's correspondent. The content of
 * a message is encrypted here, and opened by the app in a room, which delivers it. Formats are
 * those of the official clients: what they prepare is sent here, and the other way round.
 *
 * Conventions are those of strongroom.h. How a network gets the apps: sr_messaging_install.
 * SPEC: messaging.md#1-what-a-stack-must-provide
 */
#pragma once
#include <strongroom/strongroom.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SR_MAIL, SR_TELEGRAM } sr_channel;

#define SR_MESSAGE_CONTENT_MAX 512000 /* UTF-16 units, as the official clients count */
#define SR_MESSAGE_SUBJECT_MAX 78     /* the same; mail only */
#define SR_MESSAGE_SENDER_MIN  3
#define SR_MESSAGE_SENDER_MAX                                                                      \
    20 /* UTF-16 units of a sender's name, spaces at its ends left out                             \
        */
#define SR_MESSAGE_LABEL_MIN 3
#define SR_MESSAGE_LABEL_MAX 10

/* ---- the apps of a network ------------------------------------------------------------------ */

struct sr_messaging { /* what a network has for a channel */
    char app[SR_ADDR_TEXT];
    char whitelist[SR_ADDR_TEXT];
};
/*
 * sr_messaging_show - the app and the whitelist of a channel
 *
 * From network.json ("apps" and "whitelists", names web3mail and web3telegram); an app that is not
 * named there is asked for at the network's compass. whitelist is "" when none is named.
 * SR_E_NOTFOUND: the network has no such app.   SPEC: messaging.md#1-what-a-stack-must-provide
 */
SR_PUBLIC SR_WARN sr_status sr_messaging_show(struct sr_client *c, sr_channel channel,
                                              struct sr_messaging *ret, struct sr_err *err);

struct sr_messaging_setup {   /* borrowed */
    const char *dir;          /* the app's folder, as sr_app_deploy takes it */
    const void *secret_value; /* the app's secret, a JSON object (docs/messaging.md) */
    size_t secret_n;
    const char *gateway; /* where the app fetches contents; NULL: the network's IPFS gateway, which
                            on this machine goes by the name gateway.test (strongroom up
                            --egress-loopback gateway.test) */
};
/*
 * sr_messaging_install - deploys a messaging app and makes it the network's
 *
 * The acting wallet owns the app, its secret and its whitelist. Deploys the app, which may talk to
 * the gateway and to the servers that the secret names, and to no others; publishes its order;
 * stores the secret; lets the app into the network's whitelist for the channel (made when there is
 * none); names both in network.json. What is there already is left as it is, so it can be called
 * again after a failure. Another secret makes another app, on the same whitelist: what people
 * granted stays good.   SPEC: messaging.md#11-whitelist
 */
SR_PUBLIC SR_WARN sr_status sr_messaging_install(struct sr_client *c, sr_channel channel,
                                                 const struct sr_messaging_setup *setup,
                                                 struct sr_messaging *ret, struct sr_err *err);

/* ---- contacts ------------------------------------------------------------------------------- */

struct sr_contact {
    char data[SR_ADDR_TEXT]; /* the protected address: what sr_message_send takes */
    char owner[SR_ADDR_TEXT];
    char name[128]; /* public, as the owner chose */
    char order_hash[SR_HASH_TEXT];
    char app[SR_ADDR_TEXT]; /* granted to: the app, or its whitelist */
    char price_nrlc[SR_AMOUNT_TEXT];
    uint64_t remaining;      /* messages left */
    uint64_t granted_unix_s; /* 0: not known */
    bool only_user;          /* granted to this user alone, not to anybody */
    bool bulk;               /* may be part of a campaign */
};
struct sr_contact_query {
    const char *user; /* address or name; NULL: the acting wallet */
    bool only_user;   /* without what is granted to anybody */
    bool bulk;        /* only those that may be part of a campaign */
};
/*
 * sr_contacts - whom a user may write to: one entry a protected data, newest data first
 *
 * q         borrows; NULL: all of the acting wallet
 * ret_list  owned: sr_free
 *
 * No address is told, to anybody.   SPEC: messaging.md#3-contacts
 */
SR_PUBLIC SR_WARN sr_status sr_contacts(struct sr_client *c, sr_channel channel,
                                        const struct sr_contact_query *q,
                                        struct sr_contact **ret_list, size_t *ret_n,
                                        struct sr_err *err);

/* ---- messages ------------------------------------------------------------------------------- */

struct sr_message {
    sr_channel channel;
    const char *subject; /* mail; in clear nowhere but in the room */
    const void *content; /* UTF-8; borrows */
    size_t content_n;
    bool html;          /* mail: text/html instead of text/plain */
    const char *sender; /* "NAME via Web3mail"; NULL: none */
    const char *label;  /* public: the task's argument; NULL: none */
    const char *max_app_nrlc, *max_data_nrlc, *max_pool_nrlc; /* NULL: 0, only free orders */
    const char *workerpool;                                   /* NULL: the network's */
    bool on_chain; /* mail to one: the outcome of the address check goes on the chain, as the
                      official client has it, and no other outcome is kept */
};
/*
 * sr_message_send - one message to one contact
 *
 * data  the protected address
 *
 * Every check of sr_run_start is made before anything is stored or paid. The content is encrypted
 * under a new key, stored, and read back; key and subject go to the secret service for the app
 * alone. Then sr_task_wait, sr_deliveries.
 * SR_E_REFUSED: no address of that kind in data; not granted; too dear.
 * SPEC: messaging.md#4-single-send
 */
SR_PUBLIC SR_WARN sr_status sr_message_send(struct sr_client *c, const struct sr_message *m,
                                            const char *data, struct sr_deal_ids *ret_ids,
                                            struct sr_err *err);
/*
 * sr_campaign_prepare - one message to many contacts, ready to be sent
 *
 * data         n protected addresses, each granted for bulk; NULL (n 0): all such contacts
 * per_task     most recipients of one task; 0: SR_BULK_PER_TASK
 * ret_request  the signed request order as JSON, as the official clients pass it around; owned:
 *              sr_free
 * ret_n        recipients; may be NULL
 *
 * Content, lists and secret are stored; nothing is paid. Then sr_bulk_send makes the deals, and
 * sr_task_wait and sr_deliveries tell of each task.   SPEC: messaging.md#6-campaigns
 */
SR_PUBLIC SR_WARN sr_status sr_campaign_prepare(struct sr_client *c, const struct sr_message *m,
                                                const char *const *data, size_t n,
                                                unsigned per_task, char **ret_request,
                                                size_t *ret_n, struct sr_err *err);
typedef enum {
    SR_DELIVERY_SENT,     /* the delivery service took it */
    SR_DELIVERY_FAILED,   /* it was not sent: error has the app's words */
    SR_DELIVERY_WITHHELD, /* the app never got the address: error has the code */
    SR_DELIVERY_UNTOLD    /* on_chain: the app does not say */
} sr_delivery_state;
typedef enum { SR_ADDRESS_UNKNOWN, SR_ADDRESS_VALID, SR_ADDRESS_INVALID } sr_address_check;
struct sr_delivery {
    char data[SR_ADDR_TEXT]; /* the protected address; never the address itself */
    sr_delivery_state state;
    sr_address_check address; /* mail: what the app found out about it */
    char error[240];
};
/*
 * sr_deliveries - what became of a completed task's message, for each of its recipients
 *
 * ret_list  owned: sr_free
 *
 * From the task's result: decrypted with the requester's key, read, and not kept. SR_E_MALFORMED:
 * it is no result of a messaging app.   SPEC: messaging.md#74-resultjson
 */
SR_PUBLIC SR_WARN sr_status sr_deliveries(struct sr_client *c, const char *task,
                                          struct sr_delivery **ret_list, size_t *ret_n,
                                          struct sr_err *err);

/*
 * sr_telegram_answer - tells everybody who has written to a bot his chat id, once
 *
 * secret_token  the bot's, borrows; only the Bot API gets it
 * api_url       NULL: https://api.telegram.org
 * wait_s        how long to wait for somebody when nobody has written, at most 50
 * offset        the next update to ask for: 0 at first, moved on by each call
 * ret_answered  how many were told
 *
 * Groups are passed over. SR_E_AUTH: no such token; SR_E_CONFLICT: another program asks for the
 * bot's messages.   SPEC: messaging.md#9-user-side
 */
SR_PUBLIC SR_WARN sr_status sr_telegram_answer(struct sr_client *c, const char *secret_token,
                                               const char *api_url, unsigned wait_s,
                                               uint64_t *offset, size_t *ret_answered,
                                               struct sr_err *err);

#ifdef __cplusplus
}
#endif
