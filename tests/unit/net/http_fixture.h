/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_fixture.h - the server that the tests of HTTP talk to
 *
 * Its routes: /hello, /echo, /p/{id}, /fail, /silent, /stream?n=, /count, /wait, /redirect?to=,
 * /auth, /drop, /inject. What they do is said in http_fixture.c.
 */
#pragma once
#include "net_test.h"

extern struct http_server *server; /* between begin and finish */
extern const struct http_opts opts;
extern int serve_count;               /* requests of /hello, /echo, /wait and /drop */
extern int gone_seen, cancelled_seen; /* by /wait: clients that went, stops */
extern uint64_t produced;             /* bytes of the last /stream */

sr_status do_echo(struct http_req *rq, void *role, struct sr_err *err);

sr_status begin(struct sr_err *err);
sr_status finish(sr_status st); /* answers st */

/* A test in a fiber, with the server running. */
#define SERVER_TEST(name)                                                                          \
    static sr_status name##_served(struct sr_err *err);                                            \
    FIBER_TEST(name) {                                                                             \
        SR_TRY(begin(err));                                                                        \
        return finish(name##_served(err));                                                         \
    }                                                                                              \
    static sr_status name##_served(struct sr_err *err)

const char *url_of(const char *path); /* static, good for three more calls */
sr_status get(const char *path, struct http_answer *a, struct sr_err *err);

/* ---- by hand ---- */

sr_status dial(struct stream **ret, struct sr_err *err);
/* Reads until the other side ends, or nothing comes for a moment. */
void read_all(struct stream *s, uint64_t ms, struct buf *b);
/* Sends bytes, answers all that came back until the server closed. */
sr_status talk(const char *text, struct buf *b, struct sr_err *err);
size_t count_of(const struct buf *b, const char *what);
