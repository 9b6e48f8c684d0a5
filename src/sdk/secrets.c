/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets by name: pushed, and asked for. SPEC: services.md#31-secret-operations */
#include "sdk/sdk_int.h"

struct args {
    struct sr_client *c;
    const char *kind, *target, *name;
    const void *value;
    size_t n;
    bool replace, has;
};

/* Which secret: target and name by its kind. */
static sr_status name_of(struct args *a, struct sms_name *ret, struct sr_err *err) {
    struct sr_client *c = a->c;
    SR_TRY(sdk_network(c, err));
    if (strcmp(a->kind, "app") == 0) {
        *ret = (struct sms_name){.kind = SECRET_APP, .name = "1"};
        return sdk_app_addr(c, a->target, &ret->target, err);
    }
    if (strcmp(a->kind, "data") == 0) {
        *ret = (struct sms_name){.kind = SECRET_WEB3, .name = ""};
        return sdk_addr_arg(a->target, "data", &ret->target, err);
    }
    bool key = strcmp(a->kind, "result-key") == 0;
    if (!key && strcmp(a->kind, "requester") != 0) {
        sr_hint(err, "app, data, requester or result-key");
        return sr_fail(err, SR_E_USAGE, "there are no secrets of the kind \"%.40s\"", a->kind);
    }
    *ret = (struct sms_name){.kind = key ? SECRET_WEB2 : SECRET_REQUESTER,
                             .name = key ? SDK_RESULT_KEY : a->name};
    if (!ret->name || strlen(ret->name) == 0 || strlen(ret->name) > 64 ||
        strspn(ret->name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") !=
            strlen(ret->name))
        return sr_fail(err, SR_E_USAGE, "a secret's name has 1 to 64 letters, digits, - and _");
    return a->target ? sdk_who(c, a->target, &ret->target, err) : sdk_me(c, &ret->target, err);
}

static sr_status push(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct sms_name n;
    SR_TRY(name_of(a, &n, err));
    return sms_put(a->c, &n, slice_of(a->value, a->n), false, err);
}

sr_status sr_secret_push(struct sr_client *c, const char *kind, const char *target,
                         const char *name, const void *secret_value, size_t n, struct sr_err *err) {
    if (strcmp(kind, "result-key") == 0)
        return sr_fail(err, SR_E_USAGE, "sr_result_key_push pushes result keys");
    struct args a = {c, kind, target, name, secret_value, n, false, false};
    return sdk_call(c, push, &a, err);
}

static sr_status check(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct sms_name n;
    SR_TRY(name_of(a, &n, err));
    return sms_has(a->c, &n, &a->has, err);
}

sr_status sr_secret_check(struct sr_client *c, const char *kind, const char *target,
                          const char *name, bool *ret_has, struct sr_err *err) {
    struct args a = {.c = c, .kind = kind, .target = target, .name = name};
    SR_TRY(sdk_call(c, check, &a, err));
    *ret_has = a.has;
    return SR_OK;
}

/* ---- the key of one's results -------------------------------------------------------------------
 */

static sr_status push_key(void *arg, struct sr_err *err) {
    struct args *a = arg;
    struct sr_client *c = a->c;
    cleanup_buf struct buf pem, text;
    buf_init(&pem, 4096);
    buf_init(&text, 8192);
    SR_TRY(sdk_network(c, err));
    SR_TRY(sdk_unlock(c, err));
    SR_TRY(result_key_public(c, &pem, err));
    struct sms_name n = {.kind = SECRET_WEB2, .target = c->me, .name = SDK_RESULT_KEY};
    base64_encode(&text, buf_slice(&pem));
    SR_TRY(buf_status(&text, err));
    return sms_put(c, &n, buf_slice(&text), a->replace, err);
}

sr_status sr_result_key_push(struct sr_client *c, bool replace, struct sr_err *err) {
    struct args a = {.c = c, .replace = replace};
    return sdk_call(c, push_key, &a, err);
}
