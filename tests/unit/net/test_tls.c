/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c - the client's TLS against a real server: who is believed, who is not */
#include "net_test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static EVP_PKEY *key;
static X509 *cert;
static char ca_file[64];

/* A self-signed certificate for localhost and 127.0.0.1; 127.0.0.2 is a stranger to it. */
static void make_cert(void) {
    key = EVP_EC_gen("P-256");
    cert = X509_new();
    assert_true(key && cert);
    (void)X509_set_version(cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    (void)X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
                                     -1, 0);
    (void)X509_set_issuer_name(cert, name);
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext =
        X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    assert_non_null(ext);
    (void)X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    (void)snprintf(ca_file, sizeof ca_file, "/tmp/sr-tls-test-%d.pem", getpid());
    FILE *f = fopen(ca_file, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, cert), 1);
    (void)fclose(f);
}

struct tls_server {
    int fd;
    int connections;
    uint16_t port;
    pthread_t thread;
};

/* A blocking server in a thread of its own: answers one request a connection, 200 kB of body. */
static void *serve(void *arg) {
    struct tls_server *s = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    (void)SSL_CTX_use_certificate(ctx, cert);
    (void)SSL_CTX_use_PrivateKey(ctx, key);
    for (int i = 0; i < s->connections; i++) {
        int fd = accept(s->fd, NULL, NULL);
        SSL *ssl = SSL_new(ctx);
        (void)SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1) {
            char p[4096];
            int n = SSL_read(ssl, p, sizeof p);
            if (n > 0) {
                const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n";
                (void)SSL_write(ssl, head, (int)strlen(head));
                memset(p, 'y', sizeof p);
                for (int left = 200000; left > 0; left -= 4000) (void)SSL_write(ssl, p, 4000);
                (void)SSL_shutdown(ssl);
            }
        }
        SSL_free(ssl);
        (void)close(fd);
    }
    SSL_CTX_free(ctx);
    return NULL;
}

static sr_status start(struct tls_server *s, int connections, struct sr_err *err) {
    struct sockaddr_in sa = {.sin_family = AF_INET}; /* any address: 127.0.0.2 too */
    socklen_t n = sizeof sa;
    s->connections = connections;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(s->fd, (struct sockaddr *)&sa, n) == 0 && listen(s->fd, 8) == 0);
    CHECK(getsockname(s->fd, (struct sockaddr *)&sa, &n) == 0);
    s->port = ntohs(sa.sin_port);
    CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
    return SR_OK;
}
static void stop(struct tls_server *s) {
    (void)pthread_join(s->thread, NULL);
    (void)close(s->fd);
}

static sr_status fetch_from(const char *host, uint16_t port, struct http_answer *a,
                            struct sr_err *err) {
    char url[100];
    (void)snprintf(url, sizeof url, "https://%s:%u/", host, port);
    struct http_call call = {.url = url};
    return http_fetch(&call, a, err);
}

static sr_status trusted(void *arg, struct sr_err *err) {
    (void)arg;
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    for (size_t i = 0; i < 2; i++) {
        struct tls_server s;
        SR_TRY(start(&s, 1, err));
        cleanup_answer struct http_answer a = {0};
        sr_status st = fetch_from(hosts[i], s.port, &a, err);
        stop(&s);
        SR_TRY(st);
        CHECK(a.status == 200 && a.body.n == 200000 && a.body.p[199999] == 'y');
    }
    return SR_OK;
}
static sr_status stranger(void *arg, struct sr_err *err) {
    (void)arg;
    struct tls_server s;
    SR_TRY(start(&s, 1, err));
    struct http_answer a = {0};
    struct sr_err e = {0};
    sr_status st = fetch_from("127.0.0.2", s.port, &a, &e);
    stop(&s);
    CHECK(st == SR_E_UNAVAILABLE && strstr(e.what, "certificate"));
    return SR_OK;
}
static sr_status untrusted(void *arg, struct sr_err *err) {
    (void)arg;
    struct tls_server s;
    SR_TRY(start(&s, 1, err));
    struct http_answer a = {0};
    struct sr_err e = {0};
    sr_status st = fetch_from("localhost", s.port, &a, &e);
    stop(&s);
    CHECK(st == SR_E_UNAVAILABLE && strstr(e.what, "certificate") && e.hint[0]);
    return SR_OK;
}

static void a_server_with_a_good_certificate_is_believed(void **state) {
    (void)state;
    assert_int_equal(setenv("SSL_CERT_FILE", ca_file, 1), 0);
    run_in_fiber(trusted);
}
static void another_hosts_certificate_is_refused(void **state) {
    (void)state;
    run_in_fiber(stranger);
    net_done(); /* and forgets the trusted roots */
}
static void an_unknown_issuer_is_refused(void **state) {
    (void)state;
    assert_int_equal(setenv("SSL_CERT_FILE", "/nonexistent", 1), 0);
    run_in_fiber(untrusted);
}

static int teardown(void **state) {
    net_done();
    X509_free(cert);
    EVP_PKEY_free(key);
    (void)unlink(ca_file);
    (void)state;
    return 0;
}
static int setup(void **state) {
    (void)state;
    make_cert();
    return 0;
}

int main(void) {
    const struct CMUnitTest t[] = {
        cmocka_unit_test(a_server_with_a_good_certificate_is_believed),
        cmocka_unit_test(another_hosts_certificate_is_refused),
        cmocka_unit_test(an_unknown_issuer_is_refused),
    };
    return cmocka_run_group_tests_name("net/tls", t, setup, teardown);
}
