/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a scheduler among fakes: chain, vault, SMS, market, workers */
#pragma once
#include "../net/net_test.h"
#include "fake_chain.h"
#include "scheduler/sched_int.h"

struct world {
    struct fake_chain *chain;
    struct sched *s, *crashed[4];
    size_t n_crashed;
    struct http_server *server, *sms, *market;
    char dir[64], url[64], ws_url[80], sms_url[64], market_url[64];
    struct sr_secret owner_key, sms_key, worker_key[3], requester_key;
    struct addr owner, sms_identity, worker[3], requester;
    /* SMS */
    size_t nonces;
    bool sms_down;
    /* vault */
    bool vault_down;
    size_t assignments_signed, authorisations_signed;
    /* market */
    bool market_down;
    size_t posted;
    struct hash order; /* the last published */
    const char *order_status;
};
extern struct world *W;

SR_CHECK sr_status world_begin(struct sr_err *err); /* everything but the scheduler */
SR_CHECK sr_status world_scheduler(struct sr_err *err);
/* As kill -9 would: no goodbye to anybody; the database stays. */
SR_CHECK sr_status world_crash(struct sr_err *err);
int world_end(void **state); /* a teardown */

struct fake_worker {
    struct ws *ws;
    unsigned n; /* its key */
    struct buf in;
    struct json *doc; /* the last message */
};
/* Connects and logs in; running: a JSON array's inside, or "". */
SR_CHECK sr_status fw_connect(struct fake_worker *f, unsigned n, unsigned slots,
                              const char *running, struct sr_err *err);
void fw_close(struct fake_worker *f);
/* The next message, which must be of this type. */
SR_CHECK sr_status fw_expect(struct fake_worker *f, const char *type, struct sr_err *err);
bool fw_silent(struct fake_worker *f, uint64_t ms);
SR_CHECK sr_status fw_task(const struct fake_worker *f, struct hash *ret, struct sr_err *err);
SR_CHECK sr_status fw_say(struct fake_worker *f, struct sr_err *err, const char *fmt, ...)
    SR_PRINTF(3, 4);
/* attested with a token of the SMS; challenge is made of byte c. */
SR_CHECK sr_status fw_attest(struct fake_worker *f, const struct hash *task, uint8_t c,
                             struct sr_err *err);

SR_CHECK sr_status wait_task(const struct hash *task, task_status st, struct task_row *ret,
                             struct sr_err *err);
SR_CHECK sr_status wait_rows(const char *sql, uint64_t want, struct sr_err *err);
SR_CHECK sr_status get_doc(const char *path, const char *header, int want_status,
                           struct json **ret_doc, struct sr_err *err);
/* A deal fit for the pool. */
struct hash good_deal(uint64_t tasks);
