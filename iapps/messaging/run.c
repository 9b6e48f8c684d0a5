/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One task: secrets, then each address, in rounds. Who could not be served for a reason that may
 * pass (greylisting, a server that does not answer) is tried again after a pause, together with all
 * others of his kind; so a thousand of them wait as long as one.
 */
#include "messaging/messaging.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strongroom/deserializer.h>

/* Seconds before the next round. */
static const unsigned msg_pauses[MSG_ROUNDS - 1] = {2, 8, 30, 60, 60};
/* Seconds before the gateway is asked again. */
static const unsigned gateway_pauses[] = {1, 3};

struct run {
    struct messenger *m;
    struct msg_item *items;
    size_t n;
    bool bulk;
    int64_t began_us;
    struct msg_content what;
    struct buf content;                        /* secret; the message once it is open */
    bool tried;                                /* to get it */
    char error[MSG_MAX_SENTENCE], reason[256]; /* why there is none; "" when there is */
};

void msg_fail(struct msg_item *it, const char *error, const char *reason, ...) {
    va_list ap;
    it->success = false;
    (void)snprintf(it->error, sizeof it->error, "%s", error);
    va_start(ap, reason);
    (void)vsnprintf(it->reason, sizeof it->reason, reason, ap);
    va_end(ap);
}

static int64_t now_us(const struct messenger *m) {
    return m->now_us ? m->now_us(m->arg) : clock_mono_us();
}

/* Is there time until that second of the task? */
static bool before_s(const struct run *r, unsigned in_s, unsigned end_s) {
    return now_us(r->m) - r->began_us + in_s * 1000000ll < end_s * 1000000ll;
}

/* ---- the addresses ---- */

static void read_item(struct run *r, struct msg_item *it) {
    struct sr_err err = {0};
    struct sr_pd *pd = NULL;
    char *value = NULL;
    size_t n = 0;
    sr_status st =
        it->index > 0 ? sr_pd_open_bulk(it->index, &pd, &err) : sr_pd_open(NULL, &pd, &err);
    if (st == SR_OK) st = sr_pd_string(pd, r->m->leaf, &value, &n, &err);
    sr_pd_close(pd);
    if (st != SR_OK) {
        char text[320];
        (void)snprintf(text, sizeof text, "Failed to parse ProtectedData %u: %s", it->index,
                       err.what);
        msg_fail(it, text, "%s", "");
        it->done = true;
        return;
    }
    const char *fault = n > MSG_MAX_VALUE || strlen(value) != n
                            ? r->m->check((struct slice){NULL, 0})
                            : r->m->check(slice_of(value, n));
    if (fault) {
        explicit_bzero(value, n);
        free(value);
        msg_fail(it, fault, "%s", "");
        it->done = true;
        return;
    }
    it->secret_to = value;
}

/* ---- the message ---- */

static sr_status fetch(struct run *r, const char *gateway, struct buf *ret_sealed, char *ret_url,
                       size_t url_n, struct sr_err *err) {
    struct http_answer a = {0};
    struct slice path = r->what.multiaddr;
    if (slice_starts(path, "/p2p/"))
        path = slice_of(path.p + 5, path.n - 5);
    else
        path = slice_of(path.p + 6, path.n - 6);
    int n = snprintf(ret_url, url_n, "%s/ipfs/%.*s", gateway, (int)path.n, (const char *)path.p);
    if (n < 0 || (size_t)n >= url_n) return sr_fail(err, SR_E_TOOBIG, "the address is too long");
    buf_init(&a.body, MSG_MAX_CONTENT);
    sr_status st = r->m->http.call(
        r->m->http.arg, &(struct http_request){.method = "GET", .url = ret_url}, &a, err);
    if (st == SR_OK && (a.status < 200 || a.status > 299))
        st = sr_fail(err, a.status < 500 ? SR_E_NOTFOUND : SR_E_UNAVAILABLE,
                     "the gateway answered with status %ld", a.status);
    if (st == SR_OK) {
        buf_add(ret_sealed, buf_slice(&a.body));
        st = buf_status(ret_sealed, err);
    }
    buf_done(&a.body);
    return st;
}

static void no_content(struct run *r, const char *error, const char *reason) {
    (void)snprintf(r->error, sizeof r->error, "%s", error);
    (void)snprintf(r->reason, sizeof r->reason, "%s", reason);
}

static bool may_pass(sr_status st) {
    return st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT;
}

static sr_status fetch_patiently(struct run *r, const char *gateway, struct buf *ret_sealed,
                                 char *ret_url, size_t url_n, struct sr_err *err) {
    for (size_t i = 0;; i++) {
        struct sr_err e = {0};
        sr_status st = fetch(r, gateway, ret_sealed, ret_url, url_n, &e);
        if (st == SR_OK || !may_pass(st) || i == SR_ARRAY_LEN(gateway_pauses)) {
            *err = e;
            return st;
        }
        r->m->pause(r->m->arg, 1000 * gateway_pauses[i]);
    }
}

/* Once for all addresses. */
static void get_content(struct run *r) {
    char url[512] = "", text[600];
    struct sr_err err = {0};
    cleanup_buf struct buf sealed;
    buf_init(&sealed, MSG_MAX_CONTENT);
    r->tried = true;
    const char *gateway = getenv(r->m->gateway_env);
    if (!gateway || !*gateway) {
        (void)snprintf(text, sizeof text, "%s environment variable is not set.", r->m->gateway_env);
        no_content(r, text, "");
        return;
    }
    if (fetch_patiently(r, gateway, &sealed, url, sizeof url, &err) != SR_OK) {
        (void)snprintf(text, sizeof text, "Failed to load content from %s", url);
        no_content(r, r->m->names_url ? text : "Failed to download encrypted content", err.what);
        return;
    }
    sr_status st = msg_content_check(r->what.multiaddr, buf_slice(&sealed), &err);
    if (st == SR_OK)
        st = msg_content_open(buf_slice(&sealed), r->what.secret_key, &r->content, &err);
    if (st != SR_OK) no_content(r, "Failed to decrypt content", err.hint[0] ? err.hint : err.what);
}

/* ---- rounds ---- */

/* Outcomes must be written before the task's time is over: who is left gets one, too. */
static void no_time(struct run *r, struct msg_item *it) {
    if (!it->error[0]) msg_fail(it, r->m->failed, "%s", "no time was left in this task");
    it->done = true;
}

/* false: nobody of this round needs to be tried any more. */
static bool serve(struct run *r, struct msg_item *it) {
    struct messenger *m = r->m;
    if (!it->secret_to) return true;
    if (m->before && !it->asked) {
        it->asked = true;
        it->done = !m->before(m->arg, it);
        if (it->done) return true;
    }
    if (!r->tried) get_content(r);
    if (r->error[0]) {
        msg_fail(it, r->error, "%s", r->reason);
        it->done = true;
        return true;
    }
    msg_outcome o = m->deliver(m->arg, it, buf_slice(&r->content));
    it->done = o == MSG_DONE;
    return o != MSG_STOP;
}

static void serve_all(struct run *r) {
    for (unsigned round = 0; round < MSG_ROUNDS; round++) {
        size_t later = 0, stopped = 0;
        const struct msg_item *why = NULL;
        for (size_t i = 0; i < r->n; i++) {
            struct msg_item *it = &r->items[i];
            if (it->done) continue;
            if (!before_s(r, 0, MSG_LAST_START_S))
                no_time(r, it);
            else if (why)
                msg_fail(it, why->error, "%s", why->reason);
            else if (!serve(r, it))
                why = it;
            stopped += why != NULL;
            later += !it->done;
        }
        /* A server that does not answer gets one more chance: that is no greylisting. */
        if (later == 0 || round + 1 == MSG_ROUNDS || (stopped == later && round > 0)) return;
        if (!before_s(r, msg_pauses[round], MSG_LAST_ROUND_S)) return;
        (void)fprintf(stderr, "%zu of %zu are tried again in %u s\n", later, r->n,
                      msg_pauses[round]);
        r->m->pause(r->m->arg, 1000 * msg_pauses[round]);
    }
}

/* ---- start and end ---- */

static struct slice env_slice(const char *name) {
    return slice_str(getenv(name));
}

static bool secrets(struct run *r, struct buf *ret_error) {
    struct slice app = env_slice("IEXEC_APP_DEVELOPER_SECRET");
    struct slice requester = env_slice("IEXEC_REQUESTER_SECRET_1");
    return r->m->secrets(r->m->arg, app, requester, &r->what, ret_error);
}

static sr_status make_items(struct run *r, struct sr_err *err) {
    uint64_t n = 0;
    struct slice count = env_slice("IEXEC_BULK_SLICE_SIZE");
    if (count.n > 0 && !num_u64(count, MSG_MAX_MEMBERS, &n))
        return sr_fail(err, SR_E_RANGE, "IEXEC_BULK_SLICE_SIZE is no count up to %u",
                       MSG_MAX_MEMBERS);
    r->bulk = n > 0;
    r->n = n > 0 ? n : 1;
    r->items = calloc(r->n, sizeof *r->items);
    if (!r->items) return sr_fail(err, SR_E_NOMEM, "out of memory");
    for (size_t i = 0; i < r->n; i++) {
        char name[64];
        struct msg_item *it = &r->items[i];
        it->index = r->bulk ? (unsigned)i + 1 : 0;
        if (r->bulk)
            (void)snprintf(name, sizeof name, "IEXEC_DATASET_%u_FILENAME", it->index);
        else
            (void)snprintf(name, sizeof name, "IEXEC_DATASET_FILENAME");
        it->name = getenv(name);
    }
    return SR_OK;
}

static void items_done(struct run *r) {
    for (size_t i = 0; i < r->n && r->items; i++) {
        char *to = r->items[i].secret_to;
        if (to) explicit_bzero(to, strlen(to));
        free(to);
    }
    free(r->items);
}

static sr_status finish(struct run *r, const char *out, const char *error, struct sr_err *err) {
    struct msg_result w = {.bulk = r->bulk,
                           .has_valid = r->m->has_valid,
                           .error = error,
                           .items = r->items,
                           .n = r->n,
                           .callback = !error && !r->bulk && r->what.use_callback};
    size_t sent = 0;
    for (size_t i = 0; i < r->n && !error; i++) sent += r->items[i].success;
    if (error)
        (void)fprintf(stderr, "%s\n", error);
    else
        (void)fprintf(stderr, "sent to %zu of %zu\n", sent, r->n);
    return msg_write(out, &w, err);
}

int msg_run(struct messenger *m) {
    struct run r = {.m = m, .began_us = now_us(m)};
    struct sr_err err = {0};
    cleanup_buf struct buf error;
    buf_init(&error, 65536);
    const char *out = getenv("IEXEC_OUT");
    if (!out || !*out) {
        (void)fprintf(stderr, "Error: Worker environment error: \"IEXEC_OUT\" is required\n");
        return 1;
    }
    buf_init(&r.content, MSG_MAX_CONTENT + 64);
    sr_status st = SR_OK;
    if (!secrets(&r, &error)) {
        if (error.n == 0) buf_str(&error, "out of memory");
    } else {
        st = make_items(&r, &err);
        for (size_t i = 0; i < r.n && st == SR_OK; i++) read_item(&r, &r.items[i]);
        if (st == SR_OK) serve_all(&r);
    }
    if (st == SR_OK) st = finish(&r, out, error.n ? buf_cstr(&error) : NULL, &err);
    if (st != SR_OK) (void)fprintf(stderr, "Error: %s\n", err.what);
    items_done(&r);
    buf_wipe(&r.content);
    return st == SR_OK ? 0 : 1;
}
