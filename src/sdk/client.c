/* SPDX-License-Identifier: Apache-2.0 */
/* A client: settings, life, the way into a fiber. */
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 500

static char *dup_text(const char *s) {
    return s ? slice_dup(slice_str(s)) : NULL;
}

/* The first that is set: given, an environment variable, a folder below $HOME. */
static char *setting(const char *given, const char *env, const char *below_home) {
    if (given) return dup_text(given);
    const char *v = getenv(env);
    if (v && v[0] != 0) return dup_text(v);
    const char *home = getenv("HOME");
    return path_join(home && home[0] ? home : ".", below_home);
}

sr_status sr_client_open(const struct sr_options *opts, struct sr_client **ret_c,
                         struct sr_err *err) {
    struct sr_client *c = sr_calloc_n(1, sizeof *c);
    if (!c) return sr_fail(err, SR_E_NOMEM, "out of memory");
    /* A library is silent: what it has to say comes back as an error. STRONGROOM_LOG=debug shows
     * more. */
    log_setup("sdk", 2, log_level_parse(slice_str(getenv("STRONGROOM_LOG")), LOG_ERROR));
    c->magic = SDK_MAGIC;
    c->dir = setting(opts->dir, "STRONGROOM_DIR", ".strongroom");
    c->keystore = setting(opts->keystore, "STRONGROOM_KEYSTORE", ".strongroom/keystore");
    c->network_file = opts->network_file ? dup_text(opts->network_file)
                      : c->dir           ? path_join(c->dir, "network.json")
                                         : NULL;
    c->as = dup_text(opts->as);
    c->password = opts->password;
    c->password_arg = opts->password_arg;
    c->progress = opts->progress;
    c->progress_arg = opts->progress_arg;
    if (!c->dir || !c->keystore || !c->network_file || (opts->as && !c->as)) {
        sr_client_close(c);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    *ret_c = c;
    return SR_OK;
}

void sr_client_close(struct sr_client *c) {
    if (!c) return;
    SR_ASSERT(c->magic == SDK_MAGIC);
    eth_sender_free(c->sender);
    eth_rpc_free(c->rpc);
    secret_free(&c->key);
    sdk_network_done(&c->net);
    free(c->dir);
    free(c->network_file);
    free(c->keystore);
    free(c->as);
    c->magic = 0;
    free(c);
}

const char *sr_client_dir(const struct sr_client *c) {
    return c->dir;
}

const char *sr_client_keystore(const struct sr_client *c) {
    return c->keystore;
}

void sr_free(void *p) {
    free(p);
}

int sr_exit_code(sr_status code) {
    switch (code) {
    case SR_OK: return 0;
    case SR_E_USAGE: return 2;
    case SR_E_AUTH:
    case SR_E_NOTFOUND:
    case SR_E_CONFLICT:
    case SR_E_CRYPTO:
    case SR_E_REFUSED: return 3;
    case SR_E_TASK: return 4;
    case SR_E_CHAIN:
    case SR_E_TIMEOUT:
    case SR_E_UNAVAILABLE: return 5;
    default: return 1;
    }
}

sr_status sdk_call(struct sr_client *c, sdk_fn fn, void *arg, struct sr_err *err) {
    SR_ASSERT(c && c->magic == SDK_MAGIC);
    if (fiber_is_running()) return fn(arg, err);
    SR_TRY(net_init(err));
    sr_status st = net_call(fn, arg, err);
    if (st == SR_E_TIMEOUT || st == SR_E_UNAVAILABLE || st == SR_E_CHAIN)
        sr_hint(err, "strongroom status shows which part does not answer; then try again");
    return st;
}

sr_status sdk_fetch(const struct http_call *call, uint64_t patience_ms, struct http_answer *ret,
                    struct sr_err *err) {
    int64_t end = clock_mono_us() + (int64_t)patience_ms * 1000;
    uint64_t pause = RETRY_MIN_MS;
    for (;;) {
        struct sr_err why = {0};
        struct http_answer a = {0};
        sr_status st = http_fetch(call, &a, &why);
        bool again = st == SR_E_UNAVAILABLE || (st == SR_OK && a.status == 503);
        if (!again || clock_mono_us() >= end) {
            if (st == SR_OK) {
                *ret = a;
            } else if (err && err->code == SR_OK) {
                *err = why;
            }
            return st;
        }
        if (st == SR_OK) http_answer_done(&a);
        SR_TRY(fiber_sleep(pause, err));
        pause = pause * 2 < RETRY_MAX_MS ? pause * 2 : RETRY_MAX_MS;
    }
}

void sdk_progress(struct sr_client *c, const char *step, const char *stage, uint64_t done,
                  uint64_t total, const char *subject) {
    if (!c->progress) return;
    struct sr_progress p = {step, stage, done, total, subject};
    c->progress(c->progress_arg, &p);
}

void text_put(char *dst, size_t n, struct slice s) {
    size_t used = s.n < n ? s.n : n - 1;
    if (used > 0) memcpy(dst, s.p, used);
    dst[used] = 0;
}

void addr_put(char dst[SR_ADDR_TEXT], const struct addr *a) {
    struct addr_text t = addr_text(a);
    memcpy(dst, t.s, sizeof t.s);
}

void hash_put(char dst[SR_HASH_TEXT], const struct hash *h) {
    struct hash_text t = hash_text(h);
    memcpy(dst, t.s, sizeof t.s);
}

void u256_put(char dst[SR_AMOUNT_TEXT], struct u256 v) {
    u256_to_dec(dst, v);
}
