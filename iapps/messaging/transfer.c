/* SPDX-License-Identifier: Apache-2.0 */
#include "messaging/transfer.h"
#include "crypto/crypto.h"
#include <poll.h>
#include <stdlib.h>

#define CA_STORE "/ca-certificates.crt" /* of the image */

sr_status transfer_new(struct slice ca_pem, struct transfer *ret_t, struct sr_err *err) {
    struct transfer t = {.end_us = clock_mono_us() + MSG_LAST_BYTE_S * 1000000ll};
    crypto_init(); /* before libcurl, which would look for a configuration file */
    if (curl_global_init(CURL_GLOBAL_ALL) != 0) return sr_fail(err, SR_E_NOMEM, "out of memory");
    t.easy = curl_easy_init();
    if (ca_pem.n > 0) t.ca_pem = slice_dup(ca_pem);
    if (!t.easy || (ca_pem.n > 0 && !t.ca_pem)) {
        transfer_done(&t);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    *ret_t = t;
    return SR_OK;
}

void transfer_done(struct transfer *t) {
    if (t->easy) curl_easy_cleanup(t->easy);
    free(t->ca_pem);
    *t = (struct transfer){0};
}

sr_status transfer_reset(struct transfer *t, const char *url, struct sr_err *err) {
    CURL *e = t->easy;
    long left = (long)((t->end_us - clock_mono_us()) / 1000);
    if (left <= 0) return sr_fail(err, SR_E_TIMEOUT, "no time was left in this task");
    curl_easy_reset(e);
    bool ok = true;
#define SET(option, value) ok = ok && curl_easy_setopt(e, option, value) == CURLE_OK
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CONNECTTIMEOUT, TRANSFER_CONNECT_S);
    SET(CURLOPT_TIMEOUT_MS, left < 1000 * TRANSFER_TOTAL_S ? left : 1000 * TRANSFER_TOTAL_S);
    SET(CURLOPT_IPRESOLVE,
        (long)CURL_IPRESOLVE_V4); /* a room's names have addresses of version 4 */
    if (t->ca_pem) {
        struct curl_blob blob = {t->ca_pem, strlen(t->ca_pem), CURL_BLOB_NOCOPY};
        SET(CURLOPT_CAINFO_BLOB, &blob);
    } else
        SET(CURLOPT_CAINFO, CA_STORE);
#undef SET
    return ok ? SR_OK : sr_fail(err, SR_E_NOMEM, "libcurl refuses an option");
}

sr_status transfer_failed(CURLcode code, struct sr_err *err) {
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return sr_fail(err, SR_E_REFUSED, "the server's certificate is not trusted");
    case CURLE_SSL_CONNECT_ERROR:
        return sr_fail(err, SR_E_REFUSED, "no agreement on TLS with the server");
    case CURLE_USE_SSL_FAILED: return sr_fail(err, SR_E_REFUSED, "the server offers no TLS");
    case CURLE_COULDNT_RESOLVE_HOST:
        return sr_fail(err, SR_E_UNAVAILABLE, "the server's name is not in the app's egress list");
    case CURLE_OPERATION_TIMEDOUT:
        return sr_fail(err, SR_E_TIMEOUT, "the server did not answer in time");
    case CURLE_OUT_OF_MEMORY: return sr_fail(err, SR_E_NOMEM, "out of memory");
    case CURLE_WRITE_ERROR: return sr_fail(err, SR_E_TOOBIG, "the server's answer is too long");
    default:
        return sr_fail(err, SR_E_UNAVAILABLE, "the server was not reached (%s)",
                       curl_easy_strerror(code));
    }
}

static size_t take_body(char *p, size_t size, size_t n, void *arg) {
    struct buf *b = arg;
    buf_put(b, p, size * n);
    return b->bad == SR_OK ? size * n : 0;
}

sr_status transfer_http(void *arg, const struct http_request *r, struct http_answer *ret,
                        struct sr_err *err) {
    struct transfer *t = arg;
    CURL *e = t->easy;
    struct curl_slist *headers = NULL;
    curl_off_t wait = 0;
    SR_TRY(transfer_reset(t, r->url, err));
    bool ok = curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
              curl_easy_setopt(e, CURLOPT_WRITEDATA, &ret->body) == CURLE_OK;
    if (ok && strcmp(r->method, "POST") == 0) {
        headers = curl_slist_append(NULL, "Content-Type: application/json");
        ok = headers && curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
             curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n) == CURLE_OK &&
             curl_easy_setopt(e, CURLOPT_POSTFIELDS, (const char *)r->body.p) == CURLE_OK;
    }
    if (ok && r->user)
        ok = curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK &&
             curl_easy_setopt(e, CURLOPT_USERNAME, r->user) == CURLE_OK &&
             curl_easy_setopt(e, CURLOPT_PASSWORD, r->secret_password) == CURLE_OK;
    CURLcode code = ok ? curl_easy_perform(e) : CURLE_OUT_OF_MEMORY;
    curl_slist_free_all(headers);
    if (code != CURLE_OK) return transfer_failed(code, err);
    (void)curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &ret->status);
    if (curl_easy_getinfo(e, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
        ret->retry_after = (uint64_t)wait;
    return SR_OK;
}

void transfer_pause(void *arg, unsigned ms) {
    (void)arg;
    int64_t end = clock_mono_us() + (int64_t)ms * 1000;
    for (int64_t left; (left = end - clock_mono_us()) > 0;)
        (void)poll(NULL, 0, (int)(left / 1000) + 1);
}
