/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/tasks/{task}/release: evidence to the secret service, token and sealed envelope back. */
#include "worker/worker_int.h"
#include <stdlib.h>

void released_done(struct released *r) {
    for (size_t i = 0; i < r->n_datasets; i++) free(r->datasets[i].url);
    free(r->datasets);
    buf_done(&r->token);
    buf_done(&r->envelope);
}

static sr_status write_request(const struct job *j, const struct door_binding *b,
                               const struct sr_signature *sig, struct buf *ret,
                               struct sr_err *err) {
    cleanup_buf struct buf evidence;
    buf_init(&evidence, 2 * WIRE_EVIDENCE_MAX);
    base64_encode(&evidence, b->evidence);
    SR_TRY(buf_status(&evidence, err));
    struct jw w = jw_of(ret);
    jw_obj(&w);
    jw_key(&w, "assignment");
    wire_assignment_write(&w, &j->assignment);
    jw_khash(&w, "matchTx", &j->match_tx);
    jw_kaddr(&w, "challenge", &j->challenge);
    jw_khex(&w, "challengePublic", slice_of(b->challenge_public, 64));
    jw_khex(&w, "sealingKey", slice_of(b->sealing_key, 32));
    jw_kstr(&w, "evidence", buf_slice(&evidence));
    jw_khex(&w, "signature", slice_of(sig->b, sizeof sig->b));
    jw_end_obj(&w);
    return buf_status(ret, err);
}

/* Of a bulk task: what is in the envelope, in its order. */
static sr_status read_datasets(const struct json_val *list, struct released *r,
                               struct sr_err *err) {
    size_t n = json_len(list);
    if (!list) return SR_OK;
    if (!json_is(list, JSON_ARRAY) || n > WORKER_MAX_INPUTS)
        return sr_fail(err, SR_E_MALFORMED, "the secret service's list of data sets");
    if (!(r->datasets = sr_calloc_n(n + 1, sizeof *r->datasets)))
        return sr_fail(err, SR_E_NOMEM, "data sets");
    r->bulk = true;
    for (const struct json_val *d = json_first(list); d; d = json_next(d)) {
        struct job_input *to = &r->datasets[r->n_datasets++];
        struct slice url;
        if (!json_addr(json_get(d, "address"), &to->address))
            return sr_fail(err, SR_E_MALFORMED, "the secret service's list of data sets");
        if (json_text(json_get(d, "outcome")).n > 0) continue;
        if (!json_str(json_get(d, "url"), &url) || url.n == 0 || url.n > WORKER_MAX_URL ||
            memchr(url.p, 0, url.n) || !json_hash(json_get(d, "checksum"), &to->checksum))
            return sr_fail(err, SR_E_MALFORMED, "the secret service's list of data sets");
        if (!(to->url = slice_dup(url))) return sr_fail(err, SR_E_NOMEM, "data sets");
    }
    return SR_OK;
}

static sr_status read_answer(struct slice body, struct released *r, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct slice text;
    SR_TRY(json_parse(body, &doc, err));
    const struct json_val *v = json_root(doc);
    bool ok = json_str(json_get(v, "token"), &text) && hex_decode_buf(text, &r->token) &&
              json_str(json_get(v, "envelope"), &text) && base64_decode(text, &r->envelope) &&
              json_str(json_get(v, "envelopeSignature"), &text) &&
              hex_decode(text, r->signature.b, sizeof r->signature.b);
    BUF_TRY_MEMORY(&r->token, err);
    BUF_TRY_MEMORY(&r->envelope, err);
    if (!ok || r->token.n == 0 || r->envelope.n == 0)
        return sr_fail(err, SR_E_MALFORMED, "the secret service's answer is not of its form");
    return read_datasets(json_get(v, "datasets"), r, err);
}

/* Whose fault a refusal is; a host's is tried on another worker. */
static door_blame blame_of(struct slice code) {
    static const struct {
        const char *prefix;
        door_blame blame;
    } rules[] = {
        {"DATASET_", BLAME_DATA},
        {"PRE_COMPUTE_", BLAME_DATA},
        {"POST_COMPUTE_", BLAME_REQUESTER},
        {"APP_", BLAME_APP},
        {"OWNER_CHANGED", BLAME_DATA},
        {"BULK_", BLAME_REQUESTER},
        {"TASK_NOT_ACTIVE", BLAME_REQUESTER},
        {"DEADLINE_PASSED", BLAME_REQUESTER},
    };
    for (size_t i = 0; i < SR_ARRAY_LEN(rules); i++)
        if (slice_starts(code, rules[i].prefix)) return rules[i].blame;
    return BLAME_HOST;
}

static sr_status refused(struct job *j, int status, struct slice body, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct slice code = SLICE_LIT("GET_TEE_SERVICES_CONFIGURATION_FAILED"), why = {0}, hint = {0};
    if (json_parse(body, &doc, NULL) == SR_OK) {
        (void)json_str(json_get(json_root(doc), "code"), &code);
        (void)json_str(json_get(json_root(doc), "error"), &why);
        (void)json_str(json_get(json_root(doc), "hint"), &hint);
    }
    if (hint.n > 0) sr_hint(err, "%.*s", (int)(hint.n < 190 ? hint.n : 190), (const char *)hint.p);
    bool odd = !wire_is_cause(code);
    sr_status st =
        sr_fail(err, SR_E_REFUSED, "the secret service refuses (%d%s%.*s): %.*s", status,
                odd ? ", " : "", odd ? (int)(code.n < 60 ? code.n : 60) : 0, (const char *)code.p,
                (int)(why.n < 200 ? why.n : 200), (const char *)why.p);
    return job_fail_code(j, code, "GET_TEE_SERVICES_CONFIGURATION_FAILED", blame_of(code), st);
}

/* One try. *ret_again: the service is away or locked, and may come back. */
static sr_status ask_once(struct job *j, const char *url, struct slice request,
                          struct released *ret, bool *ret_again, struct sr_err *err) {
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct http_call call = {.method = "POST",
                             .url = url,
                             .headers = headers,
                             .body = request,
                             .max_body = 2 * WIRE_ENVELOPE_MAX + 65536,
                             .total_ms = 30000};
    cleanup_answer struct http_answer a = {0};
    sr_status st = http_fetch(&call, &a, err);
    if (st != SR_OK) {
        *ret_again = st == SR_E_UNAVAILABLE || st == SR_E_TIMEOUT;
        return st;
    }
    if (a.status == 200) return read_answer(buf_slice(&a.body), ret, err);
    *ret_again = a.status == 502 || a.status == 503 || a.status == 504;
    if (*ret_again)
        return sr_fail(err, SR_E_UNAVAILABLE, "the secret service answers %d", a.status);
    return refused(j, a.status, buf_slice(&a.body), err);
}

sr_status ask_release(struct job *j, const struct door_binding *b, struct released *ret,
                      struct sr_err *err) {
    cleanup_buf struct buf request, url;
    struct sr_signature sig;
    struct hash digest = sha256(b->evidence);
    buf_init(&request, 2 * WIRE_EVIDENCE_MAX + 65536);
    buf_init(&url, 2048);
    buf_init(&ret->token, WIRE_TOKEN_BYTES);
    buf_init(&ret->envelope, WIRE_ENVELOPE_MAX);
    sr_status st =
        vault_sign_release(j->w->vault, &j->task, &j->assignment.nonce, &digest, &sig, err);
    if (st == SR_OK) st = write_request(j, b, &sig, &request, err);
    buf_printf(&url, "%s/v1/tasks/%s/release", j->w->sms, hash_text(&j->task).s);
    if (st == SR_OK) st = buf_status(&url, err);
    if (st != SR_OK) return job_fail(j, "TEE_PREPARATION_FAILED", BLAME_HOST, st);
    int64_t until = clock_mono_us() + (int64_t)WORKER_RELEASE_MS * 1000;
    for (;;) {
        struct sr_err e = {0};
        bool again = false;
        st = ask_once(j, buf_cstr(&url), buf_slice(&request), ret, &again, &e);
        if (st == SR_OK) return SR_OK;
        if (!again || j->cancelled || clock_mono_us() > until ||
            fiber_sleep(WORKER_RETRY_MS, NULL) != SR_OK) {
            if (err) *err = e;
            return job_fail(j, again ? "UNKNOWN_SMS" : "GET_TEE_SERVICES_CONFIGURATION_FAILED",
                            BLAME_HOST, st);
        }
    }
}
