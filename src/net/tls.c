/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c - the client's TLS: OpenSSL between two memory buffers, the socket stays ours
 *
 * The host's name (or address) is always verified against the system's roots (or SSL_CERT_FILE).
 */
#include "net/net_int.h"
#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#define TLS_CHUNK (16u * 1024)

void net_crypto_init_(void) {
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

static SSL_CTX *tls_ctx; /* the process's; made at the first use */

void tls_done_(void) {
    SSL_CTX_free(tls_ctx);
    tls_ctx = NULL;
}

static sr_status tls_failed(struct sr_err *err, const char *doing) {
    unsigned long e = ERR_get_error();
    const char *why = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return sr_fail(err, SR_E_UNAVAILABLE, "TLS: %s: %s", doing, why ? why : "failed");
}

static sr_status ctx_get(SSL_CTX **ret, struct sr_err *err) {
    if (!tls_ctx) {
        net_crypto_init_();
        SSL_CTX *c = SSL_CTX_new(TLS_client_method());
        if (!c) return tls_failed(err, "start");
        (void)SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
        (void)SSL_CTX_set_default_verify_paths(c);
        SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
        (void)SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
        tls_ctx = c;
    }
    *ret = tls_ctx;
    return SR_OK;
}

/* Sends what OpenSSL has prepared; the caller holds the writing lock. */
static sr_status flush_locked(struct stream *s, struct sr_err *err) {
    uint8_t chunk[TLS_CHUNK];
    int n;
    while ((n = BIO_read(s->to_net, chunk, sizeof chunk)) > 0)
        SR_TRY(stream_raw_write_(s, slice_of(chunk, (size_t)n), err));
    return SR_OK;
}

static sr_status flush(struct stream *s, struct sr_err *err) {
    if (BIO_pending(s->to_net) == 0) return SR_OK;
    SR_TRY(fmutex_lock(&s->writing, err));
    sr_status st = flush_locked(s, err);
    fmutex_unlock(&s->writing);
    return st;
}

/* Brings encrypted bytes in; *ret_end when the socket ended. */
static sr_status feed(struct stream *s, int64_t deadline_us, bool *ret_end, struct sr_err *err) {
    uint8_t chunk[TLS_CHUNK];
    size_t n = 0;
    SR_TRY(stream_raw_read_(s, chunk, sizeof chunk, deadline_us, &n, err));
    *ret_end = n == 0;
    if (n && BIO_write(s->from_net, chunk, (int)n) != (int)n)
        return sr_fail(err, SR_E_NOMEM, "TLS: no memory");
    return SR_OK;
}

static bool is_address(const char *host) {
    uint8_t a[16];
    return inet_pton(AF_INET, host, a) == 1 || inet_pton(AF_INET6, host, a) == 1;
}

sr_status stream_tls_start_(struct stream *s, const char *host, int64_t deadline_us,
                            struct sr_err *err) {
    SSL_CTX *ctx;
    SR_TRY(ctx_get(&ctx, err));
    s->ssl = SSL_new(ctx);
    s->from_net = BIO_new(BIO_s_mem());
    s->to_net = BIO_new(BIO_s_mem());
    if (!s->ssl || !s->from_net || !s->to_net) {
        BIO_free(s->from_net);
        BIO_free(s->to_net);
        SSL_free(s->ssl);
        s->ssl = NULL;
        return sr_fail(err, SR_E_NOMEM, "TLS: no memory");
    }
    SSL_set_bio(s->ssl, s->from_net, s->to_net);
    SSL_set_connect_state(s->ssl);
    bool named = is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), host) == 1
                                  : SSL_set1_host(s->ssl, host) == 1 &&
                                        SSL_set_tlsext_host_name(s->ssl, host) == 1;
    if (!named) return tls_failed(err, "name the host");
    for (;;) {
        ERR_clear_error();
        int rc = SSL_do_handshake(s->ssl);
        int why = SSL_get_error(s->ssl, rc);
        SR_TRY(flush(s, err));
        if (rc == 1) return SR_OK;
        if (why != SSL_ERROR_WANT_READ) {
            long v = SSL_get_verify_result(s->ssl);
            if (v != X509_V_OK) {
                (void)sr_fail(err, SR_E_UNAVAILABLE, "TLS: certificate of '%.100s': %s", host,
                              X509_verify_cert_error_string(v));
                sr_hint(err, "check the host name and the system's certificates (SSL_CERT_FILE)");
                return SR_E_UNAVAILABLE;
            }
            return tls_failed(err, "handshake");
        }
        bool end = false;
        SR_TRY(feed(s, deadline_us, &end, err));
        if (end)
            return sr_fail(err, SR_E_UNAVAILABLE, "TLS: the connection ended in the handshake");
    }
}

sr_status tls_read_(struct stream *s, void *p, size_t n, int64_t deadline_us, size_t *ret_n,
                    struct sr_err *err) {
    for (;;) {
        if (s->shut) return sr_fail(err, SR_E_CANCELLED, "the connection was ended here");
        ERR_clear_error();
        int rc = SSL_read(s->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
        int why = SSL_get_error(s->ssl, rc);
        SR_TRY(flush(s, err));
        if (rc > 0) {
            *ret_n = (size_t)rc;
            return SR_OK;
        }
        if (why == SSL_ERROR_ZERO_RETURN) {
            *ret_n = 0;
            return SR_OK;
        }
        if (why != SSL_ERROR_WANT_READ) return tls_failed(err, "read");
        bool end = false;
        SR_TRY(feed(s, deadline_us, &end, err));
        /* Without a close message it may have been cut by somebody in between: not an end. */
        if (end) return sr_fail(err, SR_E_UNAVAILABLE, "TLS: the connection was cut");
    }
}

sr_status tls_write_locked_(struct stream *s, struct slice data, struct sr_err *err) {
    while (data.n > 0) {
        size_t take = data.n < TLS_CHUNK ? data.n : TLS_CHUNK;
        ERR_clear_error();
        int rc = SSL_write(s->ssl, data.p, (int)take);
        if (rc <= 0) return tls_failed(err, "write");
        data.p += rc;
        data.n -= (size_t)rc;
        SR_TRY(flush_locked(s, err));
    }
    return SR_OK;
}
