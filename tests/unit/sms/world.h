/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a secret service over a chain and a vault made of variables, and its clients */
#pragma once
#include "fakes.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

extern struct world {
    char dir[64], origin[64];
    struct sms sms;
    struct http_server *server;
    struct sr_secret pool, worker, user;
    struct addr worker_addr, user_addr;
} W;

struct addr filled(uint8_t b);
/* Opens the database in W.dir and serves it. */
void serve(void);
void stop_serving(void);
int setup(void **state); /* in W.dir, if it is set */
int teardown(void **state);
void in_fiber(sr_status (*story)(void *arg, struct sr_err *err));
/* One request; its status. ret_body may be NULL. */
int ask(const char *method, const char *path, const char *auth, const char *type, struct slice body,
        struct buf *ret_body);

/* 0x and key's signature of the message h. */
void sign_text(const struct sr_secret *key, const struct hash *h, char dst[133]);
/* A secret with key's signature. */
int put(const char *method, const char *path, secret_kind kind, struct addr target,
        const char *name, struct slice value, const struct sr_secret *key, struct buf *body);

struct request {
    struct hash task, nonce;
    uint64_t expires;
    const struct sr_secret *pool, *worker;
    const char *evidence;
    bool break_signature, no_match_tx;
};
struct request request_of(uint8_t task); /* with a new nonce */
int release(const struct request *r, struct buf *answer);
void keep(secret_kind kind, struct addr target, const char *name); /* into the table */
bool says(const struct buf *b, const char *code);
uint64_t rows(void); /* of the release log */
