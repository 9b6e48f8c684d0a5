/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_common.c - /health, /metrics for Prometheus, and a line for each request
 *
 * /metrics of some services is JSON for their official clients: those who ask for text get the
 * figures of this file instead, as Prometheus does.
 */
#include "net/http_common.h"
#include "net/http_doc.h"
#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROM_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_MAX  (1u << 20)

static const uint64_t bounds_us[STAT_TIMES] = {1000,   5000,   10000,   50000,
                                               100000, 500000, 1000000, 5000000};
static bool log_requests;

void http_log_requests(bool on) {
    log_requests = on;
}

struct http_stats *http_stats_new_(size_t n_routes) {
    size_t cells = (n_routes + 1) * STAT_CLASSES;
    struct http_stats *s = calloc(1, sizeof *s + cells * sizeof(uint64_t));
    if (s) s->of_route = (uint64_t *)(void *)(s + 1);
    return s;
}

static const char *name_of(const struct http_server *s) {
    return s->opts.name ? s->opts.name : "service";
}

/* ---- a request that has ended
 * ------------------------------------------------------------------------------------ */

void http_request_done_(const struct http_req *rq, int64_t started_us) {
    const struct http_opts *o = &rq->conn->server->opts;
    struct http_stats *s = rq->conn->server->stats;
    uint64_t us = (uint64_t)(clock_mono_us() - started_us);
    size_t row = rq->route ? (size_t)(rq->route - o->routes) : o->n_routes, i = 0;
    size_t class = rq->status >= 100 && rq->status < 600 ? (size_t)rq->status / 100 - 1 : 4;
    if (rq->taken) class = 0;
    s->of_route[row * STAT_CLASSES + class]++;
    if (!rq->taken) {
        while (i < STAT_TIMES && us > bounds_us[i]) i++;
        s->times[i]++;
        s->total_us += us;
    }
    if (!log_requests) return;
    char who[CLIENT_TEXT];
    http_client_text_(rq, who);
    /* The route, not the path; no query, no header: none of what a client may hold secret. */
    log_info("request", "method=%s route=%s status=%d ms=%llu from=%s", log_q(rq->head.method).s,
             rq->route ? rq->route->pattern : "-", rq->taken ? 101 : rq->status,
             (unsigned long long)us / 1000, who);
}

/* ---- figures
 * ---------------------------------------------------------------------------------------------- */

static void figure(struct buf *b, const char *name, const char *type, const char *help,
                   double value) {
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name, value);
}

static void process_figures(struct buf *b) {
    struct rusage r = {0};
    cleanup_buf struct buf text = {0};
    (void)getrusage(RUSAGE_SELF, &r);
    figure(b, "process_cpu_seconds_total", "counter", "Processor time used.",
           (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
               (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6);
    buf_init(&text, 4096);
    uint64_t pages;
    struct slice first, rest;
    if (fs_read("/proc/self/statm", &text, NULL) == SR_OK &&
        slice_cut(buf_slice(&text), ' ', &first, &rest) && slice_cut(rest, ' ', &first, &rest) &&
        num_u64(first, INT64_MAX, &pages))
        figure(b, "process_resident_memory_bytes", "gauge", "Memory in use.",
               (double)pages * (double)sysconf(_SC_PAGESIZE));
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;
    while (d && readdir(d)) n++;
    if (d) (void)closedir(d);
    if (n > 3) figure(b, "process_open_fds", "gauge", "Open descriptors.", (double)(n - 3));
}

static void request_figures(struct buf *b, const struct http_server *s) {
    const struct http_stats *st = s->stats;
    uint64_t below = 0, conns = 0;
    for (const struct conn *c = s->conns; c; c = c->next) conns++;
    buf_str(b,
            "# HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n");
    for (size_t i = 0; i <= s->opts.n_routes; i++)
        for (size_t k = 0; k < STAT_CLASSES; k++) {
            uint64_t n = st->of_route[i * STAT_CLASSES + k];
            bool none = i == s->opts.n_routes;
            if (n)
                buf_printf(b,
                           "http_requests_total{method=\"%s\",route=\"%s\",code=\"%zuxx\"} %llu\n",
                           none ? "" : s->opts.routes[i].method,
                           none ? "none" : s->opts.routes[i].pattern, k + 1, (unsigned long long)n);
        }
    buf_str(b, "# HELP http_request_duration_seconds Time from the head to the answer's end.\n"
               "# TYPE http_request_duration_seconds histogram\n");
    for (size_t i = 0; i < STAT_TIMES; i++) {
        below += st->times[i];
        buf_printf(b, "http_request_duration_seconds_bucket{le=\"%g\"} %llu\n",
                   (double)bounds_us[i] / 1e6, (unsigned long long)below);
    }
    below += st->times[STAT_TIMES];
    buf_printf(b,
               "http_request_duration_seconds_bucket{le=\"+Inf\"} %llu\n"
               "http_request_duration_seconds_sum %.6f\nhttp_request_duration_seconds_count %llu\n",
               (unsigned long long)below, (double)st->total_us / 1e6, (unsigned long long)below);
    figure(b, "http_requests_limited_total", "counter", "Requests refused by the rate limit.",
           (double)st->limited);
    figure(b, "http_requests_in_flight", "gauge", "Requests being served.", (double)st->in_flight);
    figure(b, "http_connections", "gauge", "Open connections.", (double)conns);
}

static sr_status answer_figures(struct http_req *rq, struct sr_err *err) {
    const struct http_server *s = rq->conn->server;
    cleanup_buf struct buf b = {0};
    buf_init(&b, TEXT_MAX);
    buf_printf(&b,
               "# HELP strongroom_info What this is.\n# TYPE strongroom_info gauge\n"
               "strongroom_info{service=\"%s\",version=\"" STRONGROOM_VERSION "\"} 1\n",
               name_of(s));
    process_figures(&b);
    request_figures(&b, s);
    SR_TRY(buf_status(&b, err));
    return http_reply(rq, 200, PROM_TYPE, buf_slice(&b), err);
}

/* Does he ask for text rather than for JSON or for anything? */
static bool wants_text(const struct http_req *rq) {
    struct slice v;
    return http_header(rq, "Accept", &v) &&
           (memmem(v.p, v.n, "text/plain", 10) || memmem(v.p, v.n, "openmetrics", 11)) &&
           !memmem(v.p, v.n, "application/json", 16);
}

/* ---- the routes of every service
 * ----------------------------------------------------------------------------------- */

static sr_status answer_health(struct http_req *rq, struct sr_err *err) {
    const struct http_opts *o = &rq->conn->server->opts;
    struct sr_err why = {0};
    cleanup_buf struct buf b = {0}, checks = {0};
    buf_init(&b, 8192), buf_init(&checks, 4096);
    struct jw w = jw_of(&b), c = jw_of(&checks);
    jw_obj(&c);
    sr_status st = o->health ? o->health(o->role, &c, &why) : SR_OK;
    jw_end_obj(&c);
    jw_obj(&w);
    jw_kcstr(&w, "service", name_of(rq->conn->server));
    jw_kcstr(&w, "status", st == SR_OK ? "ok" : "failing");
    jw_kcstr(&w, "version", STRONGROOM_VERSION);
    if (o->health && checks.bad == SR_OK) {
        jw_key(&w, "checks");
        jw_raw(&w, buf_slice(&checks));
    }
    if (st != SR_OK) {
        jw_kcstr(&w, "error", why.what);
        jw_kcstr(&w, "code", sr_status_name(st));
        if (why.hint[0]) jw_kcstr(&w, "hint", why.hint);
    }
    jw_end_obj(&w);
    return http_reply_json(rq, st == SR_OK ? 200 : 503, &b, err);
}

bool http_common_route_(struct http_req *rq) {
    struct sr_err e = {0};
    sr_status st;
    bool reads = slice_is(rq->head.method, "GET") || rq->head_only;
    if (!reads) return false;
    if (slice_is(rq->head.path, "/metrics") && (!rq->route || wants_text(rq)))
        st = answer_figures(rq, &e);
    else if (rq->route)
        return false; /* a service may answer these itself */
    else if (slice_is(rq->head.path, "/health"))
        st = answer_health(rq, &e);
    else if (slice_is(rq->head.path, "/openapi.json"))
        st = http_answer_openapi_(rq, &e);
    else
        return false;
    if (st != SR_OK) rq->broken = true;
    return true;
}
