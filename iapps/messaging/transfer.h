/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.h - libcurl as these apps use it: verified TLS, no redirects, no proxies, every wait
 * bounded
 *
 * Depends on: messaging.h, libcurl (static, SMTP and HTTP only: curl_unused.c).  Used by: the apps'
 * mains and smtp.c.  Limits: TRANSFER_*.
 */
#pragma once
#include "messaging/messaging.h"
#include <curl/curl.h>

#define TRANSFER_CONNECT_S 20L
#define TRANSFER_TOTAL_S   90L /* of one request or message */

/* Connections are kept between requests of one transfer. */
struct transfer {
    CURL *easy;
    int64_t end_us; /* of the monotonic clock: MSG_LAST_BYTE_S after transfer_new */
    char *ca_pem;   /* owned; NULL: the image's store */
};
/* ca_pem: certificates instead of the image's store; empty: none. *ret_t is owned: transfer_done.
 */
SR_CHECK sr_status transfer_new(struct slice ca_pem, struct transfer *ret_t, struct sr_err *err);
void transfer_done(struct transfer *t);
/* Forgets the last request's options, and sets those that every request has. SR_E_TIMEOUT: the
 * task's time is over. */
SR_CHECK sr_status transfer_reset(struct transfer *t, const char *url, struct sr_err *err);
/* A failure of libcurl's as a status and a sentence that names no server and nobody. */
SR_CHECK sr_status transfer_failed(CURLcode code, struct sr_err *err);
/* http_fn; arg is a struct transfer. */
sr_status transfer_http(void *arg, const struct http_request *r, struct http_answer *ret,
                        struct sr_err *err);
/* messenger.pause */
void transfer_pause(void *arg, unsigned ms);
