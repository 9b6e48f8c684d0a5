/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messaging.h - what web3mail and web3telegram have in common: everything but the delivery
 *
 * An address (email, chat id) is protected data of one or many owners; the message lies encrypted
 * at an IPFS gateway, its key in the requester's secret. The run opens each address, fetches and
 * opens the message once, hands both to the delivery, and writes what became of each address
 * without naming it.
 *
 * Depends on: base, crypto, ipfs, deserializer.  Used by: web3mail, web3telegram.
 * Limits: MSG_*.  SPEC: messaging.md#7-the-applications
 */
#pragma once
#include "base/base.h"

#define MSG_MAX_SECRET   (4u << 20)   /* bytes of a secret, as the secret service stores them */
#define MSG_MAX_CONTENT  (2u << 20)   /* bytes of a message: 512,000 UTF-16 units and padding */
#define MSG_MAX_MEMBERS  10000u       /* addresses of one task */
#define MSG_MAX_SENTENCE 640u         /* bytes of a failure's sentence; one holds a URL */
#define MSG_MAX_VALUE    1024u        /* bytes of an address */
#define MSG_MAX_ANSWER   (256u << 10) /* bytes of a service's answer */
#define MSG_ROUNDS       6u           /* tries of an address; the pauses between: run.c */
/* The shortest category, which the clients use, gives an app 300 seconds. */
#define MSG_LAST_ROUND_S 200u /* no round begins later */
#define MSG_LAST_START_S 240u /* nor a delivery */
#define MSG_LAST_BYTE_S  280u /* and all transfers have ended */

/* ---- secrets as JSON (rules.c) ---- */

typedef enum {
    RULE_TEXT,      /* a word or sentence for a server: one line */
    RULE_SUBJECT,   /* any text */
    RULE_EMAIL,     /* an email address */
    RULE_NAME,      /* 3 to 20 UTF-16 units */
    RULE_MULTIADDR, /* starts with /ipfs/ or /p2p/ */
    RULE_BASE64,
    RULE_TYPE,    /* text/plain or text/html */
    RULE_BOOL,    /* true or false */
    RULE_SECONDS, /* a number, 1 to 60 */
    RULE_HTTPS,   /* an https:// URL */
    RULE_HTTP,    /* an https:// or http:// URL: of what is public */
    RULE_SMTP,    /* smtp://host[:port] or smtps://host[:port] */
    RULE_PEM,     /* certificates */
    RULE_TOKEN    /* a word of a URL's path: [A-Za-z0-9:_-] */
} rule_kind;
struct rule {
    const char *key;
    rule_kind kind;
    bool required;
    void *ret; /* struct slice *, bool * (RULE_BOOL) or unsigned * (RULE_SECONDS); untouched when
                  absent */
};
/*
 * msg_check - an object's members by their rules, with the official applications' sentences
 *
 * what       "App secret error", "Requester secret error"
 * ret_error  gets "what: fault; fault" in the rules' order, then unknown keys; stays empty when all
 * is well. No value is ever in it.
 */
void msg_check(const struct json_val *root, const char *what, const struct rule *rules, size_t n,
               struct buf *ret_error);
/* As the HTML standard says, with two labels at least; 254 bytes at most. */
bool msg_is_email(struct slice s);

/* ---- the message (content.c) ---- */

/*
 * msg_content_open - IV(16) || AES-256-CBC/PKCS#7 becomes the message
 *
 * A wrong key, a cut or padding that is none, or anything but UTF-8 text inside: SR_E_CRYPTO
 * "Failed to decrypt content". SPEC: messaging.md#72-mail
 */
SR_CHECK sr_status msg_content_open(struct slice sealed, struct slice secret_key_base64,
                                    struct buf *ret_secret_text, struct sr_err *err);
/* Where the address is a CID of version 0 or of raw bytes (and no path below it), the bytes must be
 * that file as Kubo stores it: SR_E_CRYPTO otherwise. Any other address, which is the requester's
 * choice and not the gateway's, cannot be checked, and passes. */
SR_CHECK sr_status msg_content_check(struct slice multiaddr, struct slice sealed,
                                     struct sr_err *err);
bool msg_is_utf8(struct slice s);
size_t msg_utf16_units(struct slice utf8);

/* ---- HTTP, behind a port that tests replace (http.c) ---- */

struct http_request {
    const char *method; /* "GET" or "POST" */
    const char *url;
    struct slice body;                  /* of a POST; JSON */
    const char *user, *secret_password; /* basic authorisation; NULL: none */
};
struct http_answer {
    long status;
    struct buf body;      /* at most max bytes of it */
    uint64_t retry_after; /* seconds; 0: not said */
};
/* SR_E_UNAVAILABLE: no connection, no answer; SR_E_REFUSED: the certificate is not trusted;
 * SR_E_TIMEOUT; SR_E_TOOBIG. Error texts name no URL. */
typedef sr_status (*http_fn)(void *arg, const struct http_request *r, struct http_answer *ret,
                             struct sr_err *err);
struct http_port {
    http_fn call;
    void *arg;
};

/* ---- the run (run.c) ---- */

typedef enum { VALID_UNKNOWN, VALID_YES, VALID_NO } msg_valid;
struct msg_item {
    unsigned index;   /* 0: single, else 1.. */
    const char *name; /* of the protected data's file, its address; NULL: not given */
    char *secret_to;  /* owned; NULL: not readable */
    bool done, success;
    bool asked; /* before() has been */
    msg_valid valid;
    char error[MSG_MAX_SENTENCE]; /* an official sentence */
    char reason[256];             /* ours: why, without naming anybody; "" for none */
};
/* The requester's part that both have; slices live as long as the run. */
struct msg_content {
    struct slice multiaddr, secret_key;
    bool use_callback;
};
typedef enum {
    MSG_DONE,
    MSG_LATER,
    MSG_STOP
} msg_outcome; /* STOP: later, and so all that follow */

struct messenger {
    const char *leaf;        /* of the protected data: "email" */
    const char *gateway_env; /* "WEB3MAIL_IPFS_GATEWAY" */
    bool names_url;          /* "Failed to load content from <url>", else "Failed to download…" */
    bool has_valid;          /* isEmailValid and the callback */
    void *arg;
    /* Reads both secrets; false: ret_error says why, as a sentence. */
    bool (*secrets)(void *arg, struct slice secret_app, struct slice secret_requester,
                    struct msg_content *ret, struct buf *ret_error);
    const char *(*check)(struct slice secret_to); /* NULL, or an official sentence */
    /* May set it->valid; NULL: none. false: it->error says why nothing is sent. */
    bool (*before)(void *arg, struct msg_item *it);
    /* Sends. MSG_DONE: it->success, or error and reason, are set; else these say why not yet. */
    msg_outcome (*deliver)(void *arg, struct msg_item *it, struct slice secret_content);
    struct http_port http; /* set by secrets(), for the gateway */
    void (*pause)(void *arg, unsigned ms);
    int64_t (*now_us)(void *arg); /* NULL: the monotonic clock */
    const char *failed;           /* the sentence of any failure: "Failed to send email" */
};
/* The whole run; the program's exit status. */
int msg_run(struct messenger *m);
/* Official sentence, and why. */
void msg_fail(struct msg_item *it, const char *error, const char *reason, ...) SR_PRINTF(3, 4);

/* ---- result.json and computed.json (result.c) ---- */

struct msg_result {
    bool bulk;
    bool has_valid;
    const char *error; /* before any data was read; NULL: none */
    const struct msg_item *items;
    size_t n;
    bool callback; /* computed.json gets callback-data: what the address check found */
};
SR_CHECK sr_status msg_write(const char *out, const struct msg_result *r, struct sr_err *err);
