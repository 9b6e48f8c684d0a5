/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message to one contact: checked as the official clients check it, its content encrypted and
 * stored, its key and subject handed to the app alone.   SPEC: messaging.md#4-single-send
 */
#include "sdk/messaging_int.h"
#include <stdlib.h>

#define COMPASS_BYTES 65536u
#define SECRET_BYTES  (SR_MAX_SECRET_LEN + 1u)

static const struct channel channels[] = {
    [SR_MAIL] = {"web3mail", "mail", "email:string", "emailContentMultiAddr",
                 "emailContentEncryptionKey", "WEB3MAIL_IPFS_GATEWAY"},
    [SR_TELEGRAM] = {"web3telegram", "telegram", "telegram_chatId:string",
                     "telegramContentMultiAddr", "telegramContentEncryptionKey",
                     "WEB3TELEGRAM_IPFS_GATEWAY"},
};

const struct channel *channel_of(sr_channel c) {
    return c == SR_MAIL || c == SR_TELEGRAM ? &channels[c] : NULL;
}

static sr_status channel_find(sr_channel c, const struct channel **ret, struct sr_err *err) {
    *ret = channel_of(c);
    return *ret ? SR_OK : sr_fail(err, SR_E_USAGE, "a channel is SR_MAIL or SR_TELEGRAM");
}

/* ---- the apps of a network ----------------------------------------------------------------------
 */

/* SPEC: messaging.md#1-what-a-stack-must-provide */
static sr_status ask_compass(struct sr_client *c, const struct channel *ch, struct addr *ret,
                             bool *ret_found, struct sr_err *err) {
    struct slice at = json_text(json_get(json_get(json_root(c->net.doc), "services"), "compass"));
    cleanup_buf struct buf url;
    cleanup_answer struct http_answer a = {0};
    cleanup_json struct json *doc = NULL;
    *ret_found = false;
    if (at.n == 0 || at.n > SDK_URL_MAX) return SR_OK;
    buf_init(&url, SDK_URL_MAX * 2);
    buf_printf(&url, "%.*s/%llu/iapps/%s-tdx", (int)at.n, (const char *)at.p,
               (unsigned long long)c->net.chain_id, ch->app);
    SR_TRY(buf_status(&url, err));
    struct http_call call = {.url = buf_cstr(&url), .max_body = COMPASS_BYTES};
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    if (a.status != 200) return SR_OK;
    SR_TRY(json_parse(buf_slice(&a.body), &doc, err));
    *ret_found = json_addr(json_get(json_root(doc), "address"), ret);
    return SR_OK;
}

sr_status messaging_net(struct sr_client *c, const struct channel *ch, struct msg_net *ret,
                        struct sr_err *err) {
    SR_TRY(sdk_network(c, err));
    const struct json_val *root = json_root(c->net.doc);
    bool found = json_addr(json_get(json_get(root, "apps"), ch->app), &ret->app);
    ret->has_list = json_addr(json_get(json_get(root, "whitelists"), ch->app), &ret->list);
    if (!found) SR_TRY(ask_compass(c, ch, &ret->app, &found, err));
    if (found) return SR_OK;
    sr_hint(err,
            "strongroom %s install adds it; strongroom app name %s ADDR names one that is there",
            ch->word, ch->app);
    return sr_fail(err, SR_E_NOTFOUND, "this network has no app %s", ch->app);
}

struct show_args {
    struct sr_client *c;
    sr_channel channel;
    struct sr_messaging *ret;
};

static sr_status show(void *arg, struct sr_err *err) {
    struct show_args *a = arg;
    const struct channel *ch;
    struct msg_net net = {0};
    SR_TRY(channel_find(a->channel, &ch, err));
    SR_TRY(messaging_net(a->c, ch, &net, err));
    *a->ret = (struct sr_messaging){{0}, {0}};
    addr_put(a->ret->app, &net.app);
    if (net.has_list) addr_put(a->ret->whitelist, &net.list);
    return SR_OK;
}

sr_status sr_messaging_show(struct sr_client *c, sr_channel channel, struct sr_messaging *ret,
                            struct sr_err *err) {
    struct show_args a = {c, channel, ret};
    return sdk_call(c, show, &a, err);
}

/* ---- checks -------------------------------------------------------------------------------------
 */

/* UTF-16 units of a text, as JavaScript counts; false when it is no UTF-8. */
static bool units_of(struct slice text, size_t *ret_units) {
    const uint8_t *p = text.p, *end = text.n ? p + text.n : p;
    size_t units = 0;
    while (p < end) {
        size_t n = json_utf8_len(p, end);
        if (n == 0) return false;
        units += n == 4 ? 2 : 1;
        p += n;
    }
    *ret_units = units;
    return true;
}

static sr_status check_text(struct slice text, const char *what, size_t min, size_t max,
                            struct sr_err *err) {
    size_t units;
    if (!units_of(text, &units)) return sr_fail(err, SR_E_USAGE, "the %s is not UTF-8 text", what);
    if (units < min)
        return sr_fail(err, SR_E_USAGE, "the %s must be at least %zu characters", what, min);
    if (units > max)
        return sr_fail(err, SR_E_USAGE, "the %s must be at most %zu characters, not %zu", what, max,
                       units);
    return SR_OK;
}

sr_status message_check(const struct sr_message *m, struct slice *ret_sender,
                        struct slice *ret_label, struct sr_err *err) {
    bool mail = m->channel == SR_MAIL;
    struct slice sender = slice_trim(slice_str(m->sender)), label = slice_trim(slice_str(m->label));
    if (mail && (!m->subject || !m->subject[0]))
        return sr_fail(err, SR_E_USAGE, "a mail has a subject");
    if (!mail && (m->subject || m->html || m->on_chain))
        return sr_fail(err, SR_E_USAGE, "a Telegram message has content, sender and label only");
    if (mail) SR_TRY(check_text(slice_str(m->subject), "subject", 1, SR_MESSAGE_SUBJECT_MAX, err));
    if (!m->content || m->content_n == 0)
        return sr_fail(err, SR_E_USAGE, "the message has no content");
    SR_TRY(
        check_text(slice_of(m->content, m->content_n), "content", 1, SR_MESSAGE_CONTENT_MAX, err));
    if (m->sender)
        SR_TRY(
            check_text(sender, "sender's name", SR_MESSAGE_SENDER_MIN, SR_MESSAGE_SENDER_MAX, err));
    if (m->label)
        SR_TRY(check_text(label, "label", SR_MESSAGE_LABEL_MIN, SR_MESSAGE_LABEL_MAX, err));
    *ret_sender = sender;
    *ret_label = label;
    return SR_OK;
}

/* ---- sealing ------------------------------------------------------------------------------------
 */

sr_status message_encrypt(const struct sr_secret *key, const uint8_t iv[AES_IV_BYTES],
                          struct slice content, struct buf *ret, struct sr_err *err) {
    struct aes_cbc aes = {0};
    size_t n = 0, last = 0;
    buf_put(ret, iv, AES_IV_BYTES);
    uint8_t *out = buf_reserve(ret, content.n + 2 * AES_IV_BYTES);
    SR_TRY(buf_status(ret, err));
    sr_status st = aes_cbc_init(&aes, true, key, iv, err);
    if (st == SR_OK) st = aes_cbc_add(&aes, content, out, &n, err);
    if (st == SR_OK) st = aes_cbc_end(&aes, out + n, &last, err);
    aes_cbc_drop(&aes);
    if (st == SR_OK) (void)buf_grow(ret, n + last);
    return st;
}

void message_secret(const struct message *x, const char *multiaddr, const struct sr_secret *key,
                    struct buf *ret_secret) {
    const struct sr_message *m = x->m;
    cleanup_buf_wipe struct buf text;
    buf_init(&text, 64);
    base64_encode(&text, secret_slice(key));
    struct jw w = jw_of(ret_secret);
    jw_obj(&w);
    if (m->channel == SR_MAIL) jw_kcstr(&w, "emailSubject", m->subject);
    jw_kcstr(&w, x->ch->multiaddr, multiaddr);
    jw_kcstr(&w, x->ch->key, buf_cstr(&text));
    if (m->channel == SR_MAIL) jw_kcstr(&w, "contentType", m->html ? "text/html" : "text/plain");
    if (x->sender.n) jw_kstr(&w, "senderName", x->sender);
    if (m->on_chain) jw_kbool(&w, "useCallback", true);
    jw_end_obj(&w);
}

/* Encrypted, stored, and read back by the gateway that the app will ask. */
static sr_status store(struct message *x, const struct sr_secret *key, char multiaddr[128],
                       struct sr_err *err) {
    struct sr_client *c = x->c;
    struct slice content = slice_of(x->m->content, x->m->content_n);
    uint8_t iv[AES_IV_BYTES];
    struct dag_result r;
    uint64_t there;
    cleanup_buf struct buf sealed;
    buf_init(&sealed, content.n + 4 * AES_IV_BYTES);
    SR_TRY(random_bytes(iv, sizeof iv, err));
    SR_TRY(message_encrypt(key, iv, content, &sealed, err));
    sdk_progress(c, "upload", NULL, 0, 0, NULL);
    SR_TRY(ipfs_add_bytes(c->net.ipfs_node, buf_slice(&sealed), &r, err));
    (void)snprintf(multiaddr, 128, "/ipfs/%s", cid_text(&r.cid).s);
    return ipfs_head(c->net.ipfs_gateway, slice_str(multiaddr), &there, err);
}

sr_status message_seal(void *arg, struct sr_err *err) {
    struct message *x = arg;
    cleanup_secret struct sr_secret key = {0};
    char multiaddr[128];
    SR_TRY(secret_new(AES_KEY_BYTES, &key, err));
    SR_TRY(random_bytes(key.p, key.n, err));
    SR_TRY(store(x, &key, multiaddr, err));
    buf_clear(&x->secret);
    message_secret(x, multiaddr, &key, &x->secret);
    SR_TRY(buf_status(&x->secret, err));
    if (x->secret.n > SR_MAX_SECRET_LEN)
        return sr_fail(err, SR_E_TOOBIG, "subject and sender make a secret that is too large");
    x->run_secret.value = x->secret.p;
    x->run_secret.n = x->secret.n;
    return SR_OK;
}

void message_done(struct message *x) {
    buf_wipe(&x->secret);
    free(x->label_text);
}

sr_status message_open(struct message *x, struct sr_client *c, const struct sr_message *m,
                       struct sr_err *err) {
    x->c = c;
    x->m = m;
    buf_init(&x->secret, SECRET_BYTES);
    SR_TRY(channel_find(m->channel, &x->ch, err));
    SR_TRY(message_check(m, &x->sender, &x->label, err));
    SR_TRY(messaging_net(c, x->ch, &x->net, err));
    SR_TRY(sdk_service(c, c->net.ipfs_node, "ipfsNode", err));
    SR_TRY(sdk_service(c, c->net.ipfs_gateway, "ipfsGateway", err));
    if (x->label.n && !(x->label_text = slice_dup(x->label)))
        return sr_fail(err, SR_E_NOMEM, "out of memory");
    x->run_secret = (struct sr_run_secret){MSG_SECRET_INDEX, NULL, 0};
    x->run = (struct sr_run){.args = x->label_text,
                             .secrets = &x->run_secret,
                             .n_secrets = 1,
                             .max_app_nrlc = m->max_app_nrlc,
                             .max_data_nrlc = m->max_data_nrlc,
                             .max_pool_nrlc = m->max_pool_nrlc,
                             .workerpool = m->workerpool,
                             .callback = m->on_chain ? MSG_CALLBACK : NULL};
    return SR_OK;
}

/* ---- send ---------------------------------------------------------------------------------------
 */

struct send_args {
    struct sr_client *c;
    const struct sr_message *m;
    const char *data;
    struct sr_deal_ids *ret;
};

/* By the network's name for it, which stands for the whitelist. */
static void ask_for_grant(const struct message *x, const char *data, struct sr_err *err) {
    (void)snprintf(err->hint, sizeof err->hint,
                   "ask the owner to run: strongroom data grant %s --app %s --user %s", data,
                   x->net.has_list ? x->ch->app : addr_text(&x->net.app).s, addr_text(&x->c->me).s);
}

static sr_status send_one(struct send_args *a, struct message *x, struct sr_err *err) {
    struct addr data;
    bool has;
    SR_TRY(sdk_addr_arg(a->data, "data", &data, err));
    SR_TRY(message_open(x, a->c, a->m, err));
    SR_TRY(contact_has_address(a->c, x->ch, &data, &has, err));
    if (!has) {
        sr_hint(err, "strongroom %s contacts lists whom you may write to", x->ch->word);
        return sr_fail(err, SR_E_REFUSED,
                       "This protected data does not contain \"%s\" in its schema.", x->ch->schema);
    }
    struct addr_text app = addr_text(&x->net.app), text = addr_text(&data);
    const char *one = text.s;
    x->run.app = app.s;
    x->run.data = &one;
    x->run.n_data = 1;
    sr_status st = run_start(a->c, &x->run, message_seal, x, a->ret, err);
    if (st != SR_OK && err && err->failure && strcmp(err->failure, "DATA_NOT_GRANTED") == 0)
        ask_for_grant(x, text.s, err);
    return st;
}

static sr_status send_message(void *arg, struct sr_err *err) {
    struct message x = {0};
    sr_status st = send_one(arg, &x, err);
    message_done(&x);
    return st;
}

sr_status sr_message_send(struct sr_client *c, const struct sr_message *m, const char *data,
                          struct sr_deal_ids *ret_ids, struct sr_err *err) {
    struct send_args a = {c, m, data, ret_ids};
    return sdk_call(c, send_message, &a, err);
}
