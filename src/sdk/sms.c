/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets for the secret service: the official routes, and sealing to the vault behind them.
 * SPEC: services.md#31-secret-operations, docs/wire.md#secret-release
 */
#include "sdk/sdk_int.h"

#define SEALED_TYPE "application/vnd.strongroom.sealed"

static void secret_url(struct sr_client *c, const struct sms_name *n, struct buf *url) {
    struct addr_text a = addr_checksum(&n->target);
    const char *sms = c->net.sms;
    switch (n->kind) {
    case SECRET_WEB3: buf_printf(url, "%s/secrets/web3?secretAddress=%s", sms, a.s); break;
    case SECRET_WEB2:
        buf_printf(url, "%s/secrets/web2?ownerAddress=%s&secretName=%s", sms, a.s, n->name);
        break;
    case SECRET_REQUESTER: buf_printf(url, "%s/requesters/%s/secrets/%s", sms, a.s, n->name); break;
    case SECRET_APP: buf_printf(url, "%s/apps/%s/secrets", sms, a.s); break;
    }
}

static sr_status unexpected(struct sr_client *c, const struct sms_name *n, int status,
                            struct sr_err *err) {
    struct addr_text a = addr_text(&n->target);
    switch (status) {
    case 401:
    case 403:
        sr_hint(err, "only the owner may store it: act as the owner with --as");
        return sr_fail(err, SR_E_AUTH, "the secret service refused the signature for %s", a.s);
    case 409:
        sr_hint(err, n->kind == SECRET_APP
                         ? "an app's secret is written once: strongroom app deploy "
                           "registers the app anew, set it there"
                         : "a secret is written once");
        return sr_fail(err, SR_E_CONFLICT, "a secret for %s exists already", a.s);
    case 413: return sr_fail(err, SR_E_TOOBIG, "a secret is longer than %u bytes", WIRE_SECRET_MAX);
    case 503:
        sr_hint(err, "try again; strongroom status shows whether sms and vault run");
        return sr_fail(err, SR_E_UNAVAILABLE, "the secret service is locked or starting");
    default:
        sr_hint(err, "look at %s", c->net.sms);
        return sr_fail(err, status >= 500 ? SR_E_UNAVAILABLE : SR_E_REFUSED,
                       "SMS answered with unexpected status: %d", status);
    }
}

sr_status sms_has(struct sr_client *c, const struct sms_name *n, bool *ret_has,
                  struct sr_err *err) {
    SR_TRY(sdk_service(c, c->net.sms, "sms", err));
    cleanup_buf struct buf url;
    buf_init(&url, SDK_URL_MAX * 2);
    secret_url(c, n, &url);
    SR_TRY(buf_status(&url, err));
    cleanup_answer struct http_answer a = {0};
    struct http_call call = {.method = "HEAD", .url = buf_cstr(&url)};
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    if (a.status != 204 && a.status != 200 && a.status != 404)
        return unexpected(c, n, a.status, err);
    *ret_has = a.status != 404;
    return SR_OK;
}

/* Asks for the vault's key once. A service without that route is an official one: plain text over
 * its TLS, as official clients do. A wrong proof is a failure, never a reason to send plain text.
 */
static sr_status vault_key(struct sr_client *c, struct sr_err *err) {
    if (c->vault_asked) return SR_OK;
    cleanup_buf struct buf url;
    buf_init(&url, SDK_URL_MAX * 2);
    buf_printf(&url, "%s/v1/vault", c->net.sms);
    SR_TRY(buf_status(&url, err));
    cleanup_answer struct http_answer a = {0};
    struct http_call call = {.url = buf_cstr(&url), .max_body = 4096};
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    bool plain_is_safe = slice_starts(slice_str(c->net.sms), "https://");
    if (a.status == 404 && plain_is_safe && !c->net.has_sms_identity) {
        c->vault_asked = true;
        return SR_OK;
    }
    if (a.status != 200) {
        sr_hint(err, "strongroom status shows whether sms and vault run");
        return sr_fail(err, SR_E_UNAVAILABLE,
                       "the secret service does not show its vault's key (%d)", a.status);
    }
    cleanup_json struct json *doc = NULL;
    SR_TRY(json_parse(buf_slice(&a.body), &doc, err));
    const struct json_val *root = json_root(doc);
    struct addr identity;
    uint8_t proof[65];
    if (!json_addr(json_get(root, "identity"), &identity) ||
        !hex_decode(json_text(json_get(root, "sealingKey")), c->vault_key, 32) ||
        !hex_decode(json_text(json_get(root, "proof")), proof, sizeof proof))
        return sr_fail(err, SR_E_MALFORMED, "the secret service's vault key is malformed");
    struct hash h = wire_vault_key_hash(c->vault_key);
    bool known = !c->net.has_sms_identity || addr_eq(&identity, &c->net.sms_identity);
    if (!known || eth_message_check(&h, slice_of(proof, sizeof proof), &identity, NULL) != SR_OK) {
        sr_hint(err, "do not send secrets there; compare smsIdentity in %s", c->network_file);
        return sr_fail(err, SR_E_CRYPTO, "the vault's key is not signed by the secret service");
    }
    c->vault_asked = c->has_vault = true;
    return SR_OK;
}

sr_status sms_ready(struct sr_client *c, struct sr_err *err) {
    SR_TRY(sdk_service(c, c->net.sms, "sms", err));
    return vault_key(c, err);
}

static sr_status seal(struct sr_client *c, const struct sms_name *n, struct slice secret,
                      struct buf *ret, struct sr_err *err) {
    cleanup_buf struct buf aad, sealed;
    buf_init(&aad, 1024);
    buf_init(&sealed, WIRE_SECRET_MAX + 1024);
    wire_secret_aad(&aad, n->kind, &n->target, slice_str(n->name));
    SR_TRY(buf_status(&aad, err));
    SR_TRY(hpke_seal(c->vault_key, SLICE_LIT(WIRE_SECRET_INFO), buf_slice(&aad), secret, &sealed,
                     err));
    base64_encode(ret, buf_slice(&sealed));
    return buf_status(ret, err);
}

sr_status sms_put(struct sr_client *c, const struct sms_name *n, struct slice secret, bool replace,
                  struct sr_err *err) {
    if (secret.n == 0 || secret.n > WIRE_SECRET_MAX)
        return sr_fail(err, SR_E_TOOBIG, "a secret has 1 to %u bytes", WIRE_SECRET_MAX);
    SR_TRY(sdk_unlock(c, err));
    bool exists = false;
    SR_TRY(sms_has(c, n, &exists, err));
    if (exists && !replace) return unexpected(c, n, 409, err);
    SR_TRY(vault_key(c, err));
    cleanup_buf struct buf url, auth;
    cleanup_buf_wipe struct buf body;
    buf_init(&url, SDK_URL_MAX * 2);
    buf_init(&auth, 256);
    buf_init(&body, 16384);
    secret_url(c, n, &url);
    struct hash h = wire_secret_challenge(n->kind, &n->target, slice_str(n->name), secret);
    struct hash signed_hash = eth_message_hash(&h);
    struct sr_signature sig;
    SR_TRY(secp_sign(&c->key, &signed_hash, &sig, err));
    buf_str(&auth, "Authorization: 0x");
    buf_hex(&auth, slice_of(sig.b, sizeof sig.b));
    if (c->has_vault)
        SR_TRY(seal(c, n, secret, &body, err));
    else
        buf_add(&body, secret);
    SR_TRY(buf_status(&url, err));
    SR_TRY(buf_status(&auth, err));
    const char *headers[] = {c->has_vault ? "Content-Type: " SEALED_TYPE
                                          : "Content-Type: text/plain",
                             buf_cstr(&auth), NULL};
    cleanup_answer struct http_answer a = {0};
    struct http_call call = {.method = exists ? "PUT" : "POST",
                             .url = buf_cstr(&url),
                             .headers = headers,
                             .body = buf_slice(&body)};
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    if (a.status == 409 && replace && !exists) { /* another process was first */
        http_answer_done(&a);
        a = (struct http_answer){0};
        call.method = "PUT";
        SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    }
    return a.status == 204 || a.status == 200 ? SR_OK : unexpected(c, n, a.status, err);
}
