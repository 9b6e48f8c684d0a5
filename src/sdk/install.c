/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a network gets a messaging app: image, order, secret, whitelist, name. Each step is made only
 * when it is not made yet, so that what was interrupted goes on.
 * SPEC: messaging.md#1-what-a-stack-must-provide
 */
#include "sdk/messaging_int.h"

struct install_args {
    struct sr_client *c;
    sr_channel channel;
    const struct sr_messaging_setup *setup;
    struct sr_messaging *ret;
};

/* Something the app can read: it judges the members itself. */
static sr_status check_secret(const struct sr_messaging_setup *s, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    if (!s->secret_value) return SR_OK;
    if (s->secret_n == 0 || s->secret_n > SR_MAX_SECRET_LEN)
        return sr_fail(err, SR_E_USAGE, "an app's secret has 1 to %d bytes", SR_MAX_SECRET_LEN);
    struct sr_err why = {0}; /* a reader's words could quote the secret */
    sr_status st = json_parse(slice_of(s->secret_value, s->secret_n), &doc, &why);
    if (st == SR_OK && json_is(json_root(doc), JSON_OBJECT)) return SR_OK;
    sr_hint(err, "docs/messaging.md shows what it holds");
    return sr_fail(err, SR_E_USAGE, "the app's secret is no JSON object");
}

static sr_status push_secret(struct install_args *a, const struct channel *ch, const char *app,
                             struct sr_err *err) {
    const struct sr_messaging_setup *s = a->setup;
    bool has;
    SR_TRY(sr_secret_check(a->c, "app", app, NULL, &has, err));
    if (has && s->secret_value) {
        sr_hint(err, "go on with it: leave the secret out; a changed app takes a new one");
        return sr_fail(err, SR_E_CONFLICT, "%s has a secret already, which cannot be changed", app);
    }
    if (has) return SR_OK;
    if (!s->secret_value) {
        sr_hint(err,
                "strongroom %s install --secret-file FILE; docs/messaging.md shows its content",
                ch->word);
        return sr_fail(err, SR_E_USAGE, "%s has no secret yet: how should it send?", app);
    }
    sdk_progress(a->c, "secret", NULL, 0, 0, NULL);
    return sr_secret_push(a->c, "app", app, NULL, s->secret_value, s->secret_n, err);
}

/* The network's whitelist for this channel, with the app in it. */
static sr_status let_in(struct install_args *a, const struct channel *ch, const char *app,
                        char ret_list[SR_ADDR_TEXT], struct sr_err *err) {
    struct sr_client *c = a->c;
    char tx[SR_HASH_TEXT];
    struct addr list;
    bool in;
    const struct json_val *lists = json_get(json_root(c->net.doc), "whitelists");
    if (!json_addr(json_get(lists, ch->app), &list))
        return sr_group_create(c, &app, 1, ret_list, tx, err);
    addr_put(ret_list, &list);
    SR_TRY(sr_group_has(c, ret_list, app, &in, err));
    return in ? SR_OK : sr_group_set(c, ret_list, &app, 1, true, tx, err);
}

static sr_status install(void *arg, struct sr_err *err) {
    struct install_args *a = arg;
    const struct channel *ch = channel_of(a->channel);
    struct sr_app app = {0};
    struct sr_messaging m = {{0}, {0}};
    if (!ch) return sr_fail(err, SR_E_USAGE, "a channel is SR_MAIL or SR_TELEGRAM");
    if (!a->setup->dir) return sr_fail(err, SR_E_USAGE, "the app's folder is not named");
    SR_TRY(check_secret(a->setup, err));
    SR_TRY(sr_app_deploy(a->c, a->setup->dir, false, &app, err));
    memcpy(m.app, app.address, sizeof m.app);
    sr_app_done(&app);
    SR_TRY(push_secret(a, ch, m.app, err));
    SR_TRY(let_in(a, ch, m.app, m.whitelist, err));
    SR_TRY(sr_app_set_name(a->c, ch->app, m.app, m.whitelist, err));
    *a->ret = m;
    return SR_OK;
}

sr_status sr_messaging_install(struct sr_client *c, sr_channel channel,
                               const struct sr_messaging_setup *setup, struct sr_messaging *ret,
                               struct sr_err *err) {
    struct install_args a = {c, channel, setup, ret};
    return sdk_call(c, install, &a, err);
}
