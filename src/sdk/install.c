/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a network gets a messaging app: image, order, secret, whitelist, name. Each step is made only
 * when it is not made yet, so that what was interrupted goes on. Another secret makes another
 * image, so another app: an app's secret cannot be changed, but the whitelist lets the new one in.
 * SPEC: messaging.md#1-what-a-stack-must-provide
 */
#include "oci/oci.h"
#include "sdk/messaging_int.h"
#include <stdlib.h>

#define HOSTS_MAX 8 /* of a secret and a gateway */
#define VERSION   16

/* Members of a secret that are URLs of servers, and where the app goes without them. A member of
 * needs NULL: always; else only with that one. */
static const struct {
    sr_channel channel;
    const char *member, *otherwise, *needs;
} servers[] = {
    {SR_MAIL, "SMTP_URL", NULL, "SMTP_URL"},
    {SR_MAIL, "MJ_API_URL", "https://api.mailjet.com", "MJ_APIKEY_PUBLIC"},
    {SR_MAIL, "MAILGUN_API_URL", "https://api.mailgun.net", "MAILGUN_APIKEY"},
    {SR_MAIL, "POCO_SUBGRAPH_URL", NULL, "POCO_SUBGRAPH_URL"},
    {SR_TELEGRAM, "TELEGRAM_API_URL", "https://api.telegram.org", NULL},
};

struct hosts {
    char text[HOSTS_MAX][300];
    const char *v[HOSTS_MAX];
    size_t n;
};

/* "https://Host/path" is "host:443". */
static sr_status add_host(struct hosts *l, struct slice url, struct sr_err *err) {
    static const struct {
        const char *scheme;
        unsigned port;
    } known[] = {{"https://", 443}, {"http://", 80}, {"smtps://", 465}, {"smtp://", 587}};
    struct slice rest = {NULL, 0}, authority, path, host, port;
    unsigned standard = 0;
    char text[300];
    for (size_t i = 0; i < SR_ARRAY_LEN(known); i++)
        if (slice_starts(url, known[i].scheme)) {
            size_t skip = strlen(known[i].scheme);
            rest = slice_of(url.p + skip, url.n - skip);
            standard = known[i].port;
        }
    (void)slice_cut(rest, '/', &authority, &path);
    bool has_port = slice_cut(authority, ':', &host, &port);
    if (host.n == 0 || host.n > 255)
        return sr_fail(err, SR_E_USAGE, "'%.*s' is no URL of a server",
                       (int)(url.n < 100 ? url.n : 100), (const char *)url.p);
    (void)snprintf(text, sizeof text, "%.*s:%.*s", (int)host.n, (const char *)host.p,
                   (int)(port.n < 6 ? port.n : 6), has_port ? (const char *)port.p : "");
    if (!has_port) (void)snprintf(text + host.n, sizeof text - host.n, ":%u", standard);
    for (char *p = text; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p - 'A' + 'a');
    if (!oci_egress_valid(slice_str(text))) {
        sr_hint(err, "give the server by a name; a development network leads names here: "
                     "strongroom up --egress-loopback NAME");
        return sr_fail(err, SR_E_USAGE, "an app reaches servers by name, not '%.200s'", text);
    }
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->text[i], text) == 0) return SR_OK;
    if (l->n == HOSTS_MAX) return sr_fail(err, SR_E_USAGE, "more than %d servers", HOSTS_MAX);
    (void)snprintf(l->text[l->n], sizeof l->text[0], "%s", text);
    l->v[l->n] = l->text[l->n];
    l->n++;
    return SR_OK;
}

static sr_status secret_hosts(sr_channel channel, const struct json_val *secret, struct hosts *l,
                              struct sr_err *err) {
    bool smtp = json_get(secret, "SMTP_URL") != NULL;
    for (size_t i = 0; i < SR_ARRAY_LEN(servers); i++) {
        if (servers[i].channel != channel) continue;
        if (servers[i].needs && !json_get(secret, servers[i].needs)) continue;
        if (smtp && strcmp(servers[i].member, "MJ_API_URL") == 0) continue;
        struct slice url = json_text(json_get(secret, servers[i].member));
        if (url.n == 0 && servers[i].otherwise) url = slice_str(servers[i].otherwise);
        SR_TRY(add_host(l, url, err));
    }
    return SR_OK;
}

/* A gateway on this machine goes by a name: addresses are in no egress list, and localhost means
 * the room itself. */
static sr_status gateway_url(const char *gateway, struct buf *ret, struct sr_err *err) {
    static const char *const here[] = {"http://127.0.0.1", "http://[::1]"};
    struct slice g = slice_str(gateway), tail = g;
    while (g.n > 0 && g.p[g.n - 1] == '/') g.n--;
    for (size_t i = 0; i < SR_ARRAY_LEN(here); i++) {
        size_t n = strlen(here[i]);
        if (!slice_starts(g, here[i]) || (g.n > n && g.p[n] != ':')) continue;
        tail = slice_of(g.p + n, g.n - n);
        buf_str(ret, "http://" MSG_GATEWAY_NAME);
        buf_add(ret, tail);
        return buf_status(ret, err);
    }
    buf_add(ret, g);
    return buf_status(ret, err);
}

/* A number that only the owner can have made of this secret, and that tells nothing about it. */
static sr_status secret_version(const struct sr_client *c, struct slice secret,
                                char ret[2 * VERSION + 1], struct sr_err *err) {
    static const char domain[] = "SR-APV-v1";
    struct hash inner = keccak256(secret), h;
    struct sr_signature sig;
    cleanup_buf struct buf b;
    buf_init(&b, 256);
    buf_put(&b, domain, sizeof domain);
    buf_put(&b, inner.b, sizeof inner.b);
    SR_TRY(buf_status(&b, err));
    h = keccak256(buf_slice(&b));
    h = eth_message_hash(&h);
    SR_TRY(secp_sign(&c->key, &h, &sig, err));
    h = keccak256(slice_of(sig.b, sizeof sig.b));
    hex_encode(ret, h.b, VERSION);
    return SR_OK;
}

/* ---- the steps ----------------------------------------------------------------------------------
 */

struct install_args {
    struct sr_client *c;
    sr_channel channel;
    const struct sr_messaging_setup *setup;
    struct sr_messaging *ret;
};

/* Something the app can read: it judges the members itself. */
static sr_status read_secret(const struct sr_messaging_setup *s, struct json **ret_doc,
                             struct sr_err *err) {
    struct sr_err why = {0}; /* a reader's words could quote the secret */
    bool fits = s->secret_value && s->secret_n > 0 && s->secret_n <= SR_MAX_SECRET_LEN;
    if (fits && json_parse(slice_of(s->secret_value, s->secret_n), ret_doc, &why) == SR_OK &&
        json_is(json_root(*ret_doc), JSON_OBJECT))
        return SR_OK;
    sr_hint(err, "docs/messaging.md shows what it holds");
    return sr_fail(err, SR_E_USAGE, "the app's secret is no JSON object of at most %d bytes",
                   SR_MAX_SECRET_LEN);
}

static sr_status deploy(struct install_args *a, const struct channel *ch,
                        char ret_app[SR_ADDR_TEXT], struct sr_err *err) {
    const struct sr_messaging_setup *s = a->setup;
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf gateway, env_gateway, env_version;
    struct hosts hosts = {.n = 0};
    struct sr_app app = {0};
    char version[2 * VERSION + 1];
    buf_init(&gateway, SDK_URL_MAX);
    buf_init(&env_gateway, SDK_URL_MAX + 64);
    buf_init(&env_version, 128);
    SR_TRY(read_secret(s, &doc, err));
    SR_TRY(sdk_network(a->c, err));
    if (!s->gateway) SR_TRY(sdk_service(a->c, a->c->net.ipfs_gateway, "ipfsGateway", err));
    SR_TRY(gateway_url(s->gateway ? s->gateway : a->c->net.ipfs_gateway, &gateway, err));
    SR_TRY(add_host(&hosts, buf_slice(&gateway), err));
    SR_TRY(secret_hosts(a->channel, json_root(doc), &hosts, err));
    SR_TRY(sdk_unlock(a->c, err));
    SR_TRY(secret_version(a->c, slice_of(s->secret_value, s->secret_n), version, err));
    buf_printf(&env_gateway, "%s=%s", ch->gateway, buf_cstr(&gateway));
    buf_printf(&env_version, "SECRET_VERSION=%s", version);
    SR_TRY(buf_status(&env_gateway, err));
    SR_TRY(buf_status(&env_version, err));
    const char *env[] = {buf_cstr(&env_gateway), buf_cstr(&env_version)};
    const struct sr_app_settings settings = {
        .egress = hosts.v, .n_egress = hosts.n, .env = env, .n_env = SR_ARRAY_LEN(env)};
    SR_TRY(sr_app_deploy_with(a->c, s->dir, &settings, &app, err));
    memcpy(ret_app, app.address, SR_ADDR_TEXT);
    sr_app_done(&app);
    return SR_OK;
}

/* An app of this version has this secret or none. */
static sr_status push_secret(struct install_args *a, const char *app, struct sr_err *err) {
    bool has;
    SR_TRY(sr_secret_check(a->c, "app", app, NULL, &has, err));
    if (has) return SR_OK;
    sdk_progress(a->c, "secret", NULL, 0, 0, NULL);
    return sr_secret_push(a->c, "app", app, NULL, a->setup->secret_value, a->setup->secret_n, err);
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
    if (in) return SR_OK;
    sr_status st = sr_group_set(c, ret_list, &app, 1, true, tx, err);
    if (st != SR_OK)
        sr_hint(err, "act as the wallet that installed it first, or name another list");
    return st;
}

static sr_status install(void *arg, struct sr_err *err) {
    struct install_args *a = arg;
    const struct channel *ch = channel_of(a->channel);
    struct sr_messaging m = {{0}, {0}};
    if (!ch) return sr_fail(err, SR_E_USAGE, "a channel is SR_MAIL or SR_TELEGRAM");
    if (!a->setup->dir) return sr_fail(err, SR_E_USAGE, "the app's folder is not named");
    SR_TRY(deploy(a, ch, m.app, err));
    SR_TRY(push_secret(a, m.app, err));
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
