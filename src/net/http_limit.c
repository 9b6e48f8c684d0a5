/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_limit.c - so many requests a second from one address: a bucket of tokens each
 *
 * The table has a fixed size: an address takes one of four places, and the one that was quiet for
 * longest makes room. IPv6 addresses count by their /64, which one client has to himself.
 */
#include "net/http_common.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>

#define TABLE_SETS 2048u
#define TABLE_WAYS 4u

struct bucket {
    uint8_t who[8]; /* zero: free */
    int64_t seen_us;
    double tokens;
};

static struct {
    double per_s, burst; /* 0: no limit */
    const char *header;  /* of the proxy in front; NULL: none is trusted */
    uint64_t seed;
    struct bucket *table;
} L;

sr_status http_set_limits(const struct http_limits *l, struct sr_err *err) {
    if (l->per_second > HTTP_RATE_MAX || l->burst > HTTP_RATE_MAX)
        return sr_fail(err, SR_E_RANGE, "at most %u requests a second can be asked for",
                       HTTP_RATE_MAX);
    if (l->per_second && !L.table) {
        L.table = sr_calloc_n((size_t)TABLE_SETS * TABLE_WAYS, sizeof *L.table);
        if (!L.table) return sr_fail(err, SR_E_NOMEM, "no memory for the clients' limits");
        if (getrandom(&L.seed, sizeof L.seed, 0) != (ssize_t)sizeof L.seed)
            return sr_fail(err, SR_E_SYS, "no random bytes");
    }
    L.per_s = l->per_second;
    L.burst = l->burst ? l->burst : l->per_second * 2;
    L.header = l->client_header;
    return SR_OK;
}

static socklen_t peer(const struct http_req *rq, struct sockaddr_storage *sa) {
    socklen_t n = sizeof *sa;
    memset(sa, 0, sizeof *sa);
    return getpeername(rq->conn->stream.io.fd, (struct sockaddr *)sa, &n) == 0 ? n : 0;
}

/* The last address of the header: the one that our own proxy wrote. */
static bool forwarded(const struct http_req *rq, struct slice *ret) {
    struct slice v, last;
    if (!L.header || !http_header(rq, L.header, &v)) return false;
    last = v;
    for (size_t i = v.n; i-- > 0;)
        if (v.p[i] == ',') {
            last = slice_of(v.p + i + 1, v.n - i - 1);
            break;
        }
    *ret = slice_trim(last);
    return ret->n > 0 && ret->n < CLIENT_TEXT;
}

void http_client_text_(const struct http_req *rq, char ret[CLIENT_TEXT]) {
    struct sockaddr_storage sa;
    struct slice v;
    if (forwarded(rq, &v)) {
        struct in6_addr a;
        (void)snprintf(ret, CLIENT_TEXT, "%.*s", (int)v.n, (const char *)v.p);
        if (inet_pton(AF_INET, ret, &a) == 1 || inet_pton(AF_INET6, ret, &a) == 1) return;
    }
    (void)snprintf(ret, CLIENT_TEXT, "local");
    if (peer(rq, &sa) == 0) return;
    if (sa.ss_family == AF_INET)
        (void)inet_ntop(AF_INET, &((struct sockaddr_in *)&sa)->sin_addr, ret, CLIENT_TEXT);
    if (sa.ss_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&sa)->sin6_addr, ret, CLIENT_TEXT);
}

/* Eight bytes that stand for a client. */
static void key_of(const struct http_req *rq, uint8_t ret[8]) {
    char text[CLIENT_TEXT];
    uint8_t a[16] = {0};
    http_client_text_(rq, text);
    memset(ret, 0, 8);
    ret[0] = 1;
    if (inet_pton(AF_INET, text, a) == 1) {
        memcpy(ret + 4, a, 4);
    } else if (inet_pton(AF_INET6, text, a) == 1) {
        static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        if (memcmp(a, mapped, sizeof mapped) == 0)
            memcpy(ret + 4, a + 12, 4);
        else
            memcpy(ret, a, 8);
    }
}

static struct bucket *bucket_of(const uint8_t who[8], int64_t now) {
    uint64_t h;
    memcpy(&h, who, sizeof h);
    h = (h ^ L.seed) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
    struct bucket *set = L.table + (size_t)(h >> 32) % TABLE_SETS * TABLE_WAYS, *oldest = set;
    for (size_t i = 0; i < TABLE_WAYS; i++) {
        if (memcmp(set[i].who, who, 8) == 0) return &set[i];
        if (set[i].seen_us < oldest->seen_us) oldest = &set[i];
    }
    memcpy(oldest->who, who, 8);
    oldest->tokens = L.burst;
    oldest->seen_us = now;
    return oldest;
}

bool http_limit_ok_(struct http_req *rq) {
    if (L.per_s <= 0 || slice_is(rq->head.path, "/health")) return true;
    uint8_t who[8];
    char text[24];
    int64_t now = clock_mono_us();
    key_of(rq, who);
    struct bucket *b = bucket_of(who, now);
    b->tokens += (double)(now - b->seen_us) / 1e6 * L.per_s;
    if (b->tokens > L.burst) b->tokens = L.burst;
    b->seen_us = now;
    bool ok = b->tokens >= 1;
    if (ok) b->tokens -= 1;
    uint64_t wait_s = ok ? 0 : (uint64_t)((1 - b->tokens) / L.per_s) + 1;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)L.burst);
    http_set_header(rq, "X-RateLimit-Limit", text);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)b->tokens);
    http_set_header(rq, "X-RateLimit-Remaining", text);
    if (ok) return true;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)wait_s);
    http_set_header(rq, "Retry-After", text);
    const uint64_t again_s = clock_unix_ms() / 1000 + wait_s;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)again_s);
    http_set_header(rq, "X-RateLimit-Reset", text);
    if (http_reply(
            rq, 429, "application/json; charset=utf-8",
            SLICE_LIT("{\"ok\":false,\"error\":\"Rate limit exceeded\",\"code\":\"RATE_LIMITED\","
                      "\"hint\":\"wait as long as Retry-After says\"}"),
            NULL) != SR_OK)
        rq->broken = true;
    return false;
}
