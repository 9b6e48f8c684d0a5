/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_common.h - what every service has: limits per client, figures, health, a description of its
 * routes, a line for each request; private to this folder
 */
#pragma once
#include "net/http_server_int.h"

#define STAT_CLASSES 5u /* 1xx to 5xx */
#define STAT_TIMES   8u /* bounds of the histogram of times; http_common.c has them */

struct http_stats {
    uint64_t *of_route;              /* n_routes + 1 rows of STAT_CLASSES; the last: no route */
    uint64_t times[STAT_TIMES + 1u]; /* answers by time; the last: longer than every bound */
    uint64_t total_us, limited, in_flight;
};
/* The figures of a server; NULL: no memory. Owned: free. */
struct http_stats *http_stats_new_(size_t n_routes);

/* Who asks: the other end's address, or what the proxy's header says. */
#define CLIENT_TEXT 46u
void http_client_text_(const struct http_req *rq, char ret[CLIENT_TEXT]);
/* False: over the limit, and answered with 429. */
bool http_limit_ok_(struct http_req *rq);
/* Answers /health, /openapi.json and /metrics for Prometheus; false: it is none of them. */
bool http_common_route_(struct http_req *rq);
/* http_doc.c */
SR_CHECK sr_status http_answer_openapi_(struct http_req *rq, struct sr_err *err);
/* Counts and logs a request that has ended. */
void http_request_done_(const struct http_req *rq, int64_t started_us);
