/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_net.c - requests a second over loopback and memory of an idle connection
 *
 * Not a test: built with the tests, run by hand. Server and client are two processes; both work in
 * the figures.
 */
#include "net/net.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS  32
#define REQUESTS 100000
#define IDLE     4000

static sr_status do_hello(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    return http_reply(rq, 200, "text/plain", SLICE_LIT("hello"), err);
}
static sr_status do_rss(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    char text[200] = {0};
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    struct slice pages, rest;
    uint64_t v = 0;
    (void)slice_cut(slice_of(text, n > 0 ? (size_t)n : 0), ' ', &pages, &rest);
    (void)slice_cut(rest, ' ', &pages, &rest);
    if (!num_u64(pages, UINT64_MAX, &v)) v = 0;
    cleanup_buf struct buf b;
    buf_init(&b, 100);
    buf_printf(&b, "%llu", (unsigned long long)(v * 4096));
    return http_reply(rq, 200, "text/plain", buf_slice(&b), err);
}
static sr_status do_ws(struct http_req *rq, void *role, struct sr_err *err) {
    (void)role;
    struct ws *w;
    SR_TRY(ws_accept(rq, 1000, &w, err));
    cleanup_buf struct buf b;
    buf_init(&b, 1000);
    while (ws_recv(w, 0, &b, NULL) == SR_OK && ws_send(w, buf_slice(&b), NULL) == SR_OK) {
    }
    ws_close(w);
    return SR_OK;
}
static const struct http_route routes[] = {
    {"GET", "/hello", do_hello, 0}, {"GET", "/rss", do_rss, 0}, {"GET", "/ws", do_ws, 0}};

static char url[64], rss_url[64], ws_url[64];
static uint16_t port;
static int left, running;

static void client(void *arg) {
    (void)arg;
    struct http_call call = {.url = url};
    while (left > 0) {
        left--;
        struct http_answer a = {0};
        if (http_fetch(&call, &a, NULL) != SR_OK || a.status != 200) _exit(1);
        http_answer_done(&a);
    }
    running--;
}

static uint64_t rss(void) {
    struct http_call call = {.url = rss_url};
    struct http_answer a = {0};
    uint64_t v = 0;
    if (http_fetch(&call, &a, NULL) == SR_OK && !num_u64(buf_slice(&a.body), UINT64_MAX, &v)) v = 0;
    http_answer_done(&a);
    return v;
}

static sr_status measure(void *arg, struct sr_err *err) {
    (void)arg;
    uint64_t before = rss();
    static struct stream *s[IDLE];
    for (int i = 0; i < IDLE; i++)
        SR_TRY(stream_connect_tcp("127.0.0.1", port, false, 5000, &s[i], err));
    uint64_t fresh = rss();
    for (int i = 0; i < IDLE; i++) {
        char p[512];
        size_t n;
        SR_TRY(stream_write(s[i], SLICE_LIT("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"), err));
        SR_TRY(stream_read(s[i], p, sizeof p, 5000, &n, err));
    }
    uint64_t kept = rss();
    (void)printf("idle connection: %llu bytes fresh, %llu kept alive after a request (of %d)\n",
                 (unsigned long long)(fresh - before) / IDLE,
                 (unsigned long long)(kept - before) / IDLE, IDLE);
    for (int i = 0; i < IDLE; i++) stream_close(s[i]);
    int64_t t = clock_mono_us();
    left = REQUESTS;
    running = CLIENTS;
    for (int i = 0; i < CLIENTS; i++) SR_TRY(fiber_start(client, NULL, err));
    while (running > 0) SR_TRY(fiber_sleep(1, err));
    int64_t us = clock_mono_us() - t;
    (void)printf("requests: %.0f a second (%d clients, keep-alive)\n", REQUESTS * 1e6 / (double)us,
                 CLIENTS);
    struct ws *w;
    SR_TRY(ws_connect(ws_url, 1000, &w, err));
    cleanup_buf struct buf b;
    buf_init(&b, 1000);
    t = clock_mono_us();
    for (int i = 0; i < 20000; i++) {
        SR_TRY(ws_send(w, SLICE_LIT("{\"type\":\"stage\"}"), err));
        SR_TRY(ws_recv(w, 1000, &b, err));
    }
    (void)printf("websocket round trip: %.1f us\n", (double)(clock_mono_us() - t) / 20000);
    ws_close(w);
    return SR_OK;
}

int main(void) {
    struct http_opts opts = {.routes = routes, .n_routes = SR_ARRAY_LEN(routes)};
    int up[2];
    if (pipe(up) != 0) return 1;
    pid_t pid = fork();
    if (pid == 0) {
        struct http_server *server;
        struct sr_err e = {0};
        if (http_serve(&opts, "127.0.0.1", 0, -1, &server, &e) != SR_OK) _exit(1);
        port = http_server_port(server);
        if (write(up[1], &port, sizeof port) != sizeof port) _exit(1);
        net_run();
        _exit(0);
    }
    if (read(up[0], &port, sizeof port) != sizeof port) return 1;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/hello", port);
    (void)snprintf(rss_url, sizeof rss_url, "http://127.0.0.1:%u/rss", port);
    (void)snprintf(ws_url, sizeof ws_url, "ws://127.0.0.1:%u/ws", port);
    struct sr_err e = {0};
    sr_status st = net_call(measure, NULL, &e);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    net_done();
    if (st != SR_OK) (void)fprintf(stderr, "%s\n", e.what);
    return st == SR_OK ? 0 : 1;
}
