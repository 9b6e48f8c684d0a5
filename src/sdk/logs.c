/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an app printed, as the scheduler keeps it: given to the requester of the task alone, who
 * signs a challenge. The app saw data in clear, so what it printed is not for everybody; nobody but
 * the app's author decides what it prints. SPEC:
 * execution.md#15-public-endpoints-clients-depend-on--scheduler-public-apijson-r
 */
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define SERVICE_NAME "iExec Core"
#define LOGS_MAX     (4u << 20) /* bytes of the scheduler's answer */

static sr_status fetch_json(const char *url, const char *const *headers, struct json **ret_doc,
                            struct sr_err *err) {
    cleanup_answer struct http_answer a = {0};
    struct http_call call = {.url = url, .headers = headers, .max_body = LOGS_MAX};
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    if (a.status == 404) return sr_fail(err, SR_E_NOTFOUND, "the scheduler keeps no output of it");
    if (a.status == 401 || a.status == 403) {
        sr_hint(err, "act as the requester of the task: --as");
        return sr_fail(err, SR_E_AUTH, "only the requester of a task may read its output");
    }
    if (a.status != 200)
        return sr_fail(err, SR_E_UNAVAILABLE, "the scheduler answered %d", a.status);
    return json_parse(buf_slice(&a.body), ret_doc, err);
}

/* "Authorization: <digest>_<signature>_<address>" over a challenge that the scheduler gave. */
static sr_status authorise(struct sr_client *c, char *ret_header, size_t n, struct sr_err *err) {
    cleanup_buf struct buf url;
    cleanup_json struct json *doc = NULL;
    struct slice text;
    struct sr_signature sig;
    char sig_hex[2 * sizeof sig.b + 1];
    buf_init(&url, SDK_URL_MAX * 2);
    buf_printf(&url, "%s/tasks/logs/challenge?address=%s&chainId=%llu", c->net.scheduler,
               addr_text(&c->me).s, (unsigned long long)c->net.chain_id);
    SR_TRY(buf_status(&url, err));
    SR_TRY(fetch_json(buf_cstr(&url), NULL, &doc, err));
    if (!json_str(json_get(json_get(json_root(doc), "message"), "challenge"), &text))
        return sr_fail(err, SR_E_MALFORMED, "the scheduler's challenge is not of its form");
    /* The service's own domain: a challenge can never be a transaction or an order. */
    struct hash digest = eip712_challenge(SERVICE_NAME, c->net.chain_id, text);
    SR_TRY(secp_sign(&c->key, &digest, &sig, err));
    hex_encode(sig_hex, sig.b, sizeof sig.b);
    (void)snprintf(ret_header, n, "Authorization: %s_0x%s_%s", hash_text(&digest).s, sig_hex,
                   addr_text(&c->me).s);
    return SR_OK;
}

struct logs_args {
    struct sr_client *c;
    const char *task;
    struct sr_task_logs *ret;
};

static sr_status logs(void *arg, struct sr_err *err) {
    struct logs_args *a = arg;
    struct sr_client *c = a->c;
    struct hash task;
    char header[512];
    const char *headers[] = {header, NULL};
    cleanup_buf struct buf url;
    cleanup_json struct json *doc = NULL;
    buf_init(&url, SDK_URL_MAX * 2);
    SR_TRY(sdk_hash_arg(a->task, "task", &task, err));
    SR_TRY(sdk_network(c, err));
    SR_TRY(sdk_service(c, c->net.scheduler, "scheduler", err));
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(authorise(c, header, sizeof header, err));
    buf_printf(&url, "%s/tasks/%s/logs", c->net.scheduler, hash_text(&task).s);
    SR_TRY(buf_status(&url, err));
    SR_TRY(fetch_json(buf_cstr(&url), headers, &doc, err));
    const struct json_val *last = NULL; /* of the last attempt */
    for (const struct json_val *v = json_first(json_get(json_root(doc), "computeLogsList")); v;
         v = json_next(v))
        last = v;
    if (!last) return sr_fail(err, SR_E_NOTFOUND, "the scheduler keeps no output of it");
    a->ret->out = slice_dup(json_text(json_get(last, "stdout")));
    a->ret->err = slice_dup(json_text(json_get(last, "stderr")));
    if (!a->ret->out || !a->ret->err) {
        sr_task_logs_done(a->ret);
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    }
    return SR_OK;
}

sr_status sr_task_logs(struct sr_client *c, const char *task, struct sr_task_logs *ret_l,
                       struct sr_err *err) {
    struct sr_task_logs l = {0};
    struct logs_args a = {c, task, &l};
    sr_status st = sdk_call(c, logs, &a, err);
    if (st == SR_OK) *ret_l = l;
    return st;
}

void sr_task_logs_done(struct sr_task_logs *l) {
    if (!l) return;
    free(l->out);
    free(l->err);
    *l = (struct sr_task_logs){0};
}
