/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bot.h - messages by Telegram's Bot API: sendMessage, its limits of rate and length
 *
 * Depends on: messaging.  Used by: main.c.  Limits: BOT_*.  SPEC: messaging.md#73-telegram
 */
#pragma once
#include "messaging/messaging.h"

#define BOT_TEXT_MAX    4096u /* UTF-16 units of one message */
#define BOT_PARTS_MAX   20u   /* messages that one long text becomes */
#define BOT_TAGS_MAX    16u   /* open at one time */
#define BOT_TRIES       11u   /* of one message that is refused for its rate */
#define BOT_REACH_TRIES 5u    /* of one message without an answer */
#define BOT_PAUSE_MAX_S 60u   /* one pause; a longer Retry-After ends the tries */
#define BOT_WAIT_MAX_S  150u  /* all pauses of a task */

struct bot_secret {
    struct slice token, url, ca_pem;
};
struct bot_request {
    struct slice multiaddr, key, sender_name;
};
/* false: ret_error has the official sentence. *ret_doc is owned (json_free), also on failure. */
bool bot_secret_parse(struct slice secret_text, struct json **ret_doc, struct bot_secret *ret,
                      struct buf *ret_error);
bool bot_request_parse(struct slice secret_text, struct json **ret_doc, struct bot_request *ret,
                       struct buf *ret_error);
/* A positive number, or 5 to 32 of [A-Za-z0-9_] with or without "@"; NULL, or the sentence. */
const char *bot_chat_check(struct slice secret_chat);

/* ---- long texts (split.c) ---- */

/*
 * bot_split - the part of a text that goes into the next message
 *
 * text      UTF-8
 * *at       offset to begin at, advanced past the part; 0 first
 * ret_part  the part, with the tags that are open at its ends closed and opened again
 *
 * Cuts at the last line's end that fits, else a space, else a character; never in a tag or an
 * entity. SR_E_RANGE when there is none (a tag longer than a message).
 */
SR_CHECK sr_status bot_split(struct slice text, size_t *at, struct buf *ret_part,
                             struct sr_err *err);

/* ---- sending (bot.c) ---- */

struct bot {
    const struct bot_secret *secret;
    struct http_port http;
    void (*pause)(void *arg, unsigned ms);
    uint64_t (*left_s)(void *arg); /* how long the task may still wait; NULL: BOT_WAIT_MAX_S only */
    void *arg;
    uint64_t waited_s; /* of BOT_WAIT_MAX_S */
    char dead[256];    /* the same for everybody: an official sentence; "" */
};
/* text: with its first line. Sets it->success, or error and reason. */
void bot_send(struct bot *b, struct slice text, struct msg_item *it);
/* parameters.retry_after of an answer; 0: not said. */
uint64_t bot_retry_after(struct slice body);
