/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - network.json for everybody who uses the network, status.json for `status` */
#include "up/up_int.h"

#define JSON_FILE_MAX (1u << 20)

static const struct child *find(const struct network *n, const char *name) {
    for (size_t i = 0; i < n->n; i++)
        if (strcmp(n->child[i].name, name) == 0) return &n->child[i];
    return NULL;
}

/* Only what is built: a client that asks for the rest is told so at once. */
static void service(const struct network *n, struct jw *w, const char *key, const char *role,
                    enum up_port port, const char *path) {
    const struct child *c = find(n, role);
    if (!c || c->state == CHILD_ABSENT) return;
    char text[96];
    (void)snprintf(text, sizeof text, "http://127.0.0.1:%u%s", n->sockets.port[port], path);
    jw_kcstr(w, key, text);
}

static void raw(struct jw *w, const struct json_val *doc, const char *key) {
    const struct json_val *v = json_get(doc, key);
    if (!v) return;
    jw_key(w, key);
    jw_raw(w, json_raw(v));
}

/* What was installed on this network, kept over its restarts (docs/wire.md, "apps.json"): names of
 * apps and of their whitelists. A file that is no JSON is told, and left alone. */
static struct json *installed(const struct network *n) {
    cleanup_buf struct buf text;
    struct json *doc = NULL;
    struct sr_err e = {0};
    buf_init(&text, UP_APPS_MAX);
    if (!fs_exists(n->home.apps)) return NULL;
    sr_status st = fs_read(n->home.apps, &text, &e);
    if (st == SR_OK) st = json_parse(buf_slice(&text), &doc, &e);
    if (st != SR_OK) log_err(LOG_WARN, "apps_not_read", &e);
    return doc;
}

static void names(struct jw *w, const struct json *doc, const char *key) {
    const struct json_val *v = json_get(doc ? json_root(doc) : NULL, key);
    jw_key(w, key);
    if (json_is(v, JSON_OBJECT)) {
        jw_raw(w, json_raw(v));
    } else {
        jw_obj(w);
        jw_end_obj(w);
    }
}

sr_status write_network_json(const struct network *n, struct sr_err *err) {
    const struct json_val *doc = json_root(n->home.chain_doc);
    uint64_t id = 0;
    (void)json_u64(json_get(doc, "chainId"), &id);
    cleanup_buf_wipe struct buf b;
    buf_init(&b, JSON_FILE_MAX);
    struct jw w = jw_of(&b);
    char text[64];
    jw_obj(&w);
    jw_ku64(&w, "version", 1);
    jw_ku64(&w, "chainId", id);
    (void)snprintf(text, sizeof text, "http://127.0.0.1:%u", n->sockets.port[PORT_CHAIN]);
    jw_kcstr(&w, "rpcUrl", text);
    (void)snprintf(text, sizeof text, "ws://127.0.0.1:%u", n->sockets.port[PORT_CHAIN]);
    jw_kcstr(&w, "wsUrl", text);
    jw_kbool(&w, "simulated", true);
    raw(&w, doc, "contracts");
    jw_key(&w, "services");
    jw_obj(&w);
    service(n, &w, "market", "market", PORT_MARKET, "");
    service(n, &w, "sms", "sms", PORT_SMS, "");
    service(n, &w, "ipfsNode", "store", PORT_STORE, "");
    service(n, &w, "registry", "store", PORT_STORE, "");
    service(n, &w, "ipfsGateway", "store", PORT_STORE, "");
    service(n, &w, "compass", "market", PORT_MARKET, "");
    service(n, &w, "pocoSubgraph", "market", PORT_MARKET, "/subgraphs/poco");
    service(n, &w, "dataProtectorSubgraph", "market", PORT_MARKET, "/subgraphs/dataprotector");
    service(n, &w, "scheduler", "scheduler", PORT_SCHEDULER, "");
    jw_end_obj(&w);
    jw_kaddr(&w, "smsIdentity", &n->home.sms_identity); /* clients check the vault's key by it */
    raw(&w, doc, "workerpool");
    cleanup_json struct json *apps = installed(n);
    names(&w, apps, "apps");
    names(&w, apps, "whitelists");
    raw(&w, doc, "accounts");
    jw_end_obj(&w);
    buf_u8(&b, '\n');
    SR_TRY(buf_status(&b, err));
    /* The development keys are well known, but a habit is a habit. */
    return fs_write_atomic(n->home.network, buf_slice(&b), 0600, err);
}

static const char *const state_names[] = {"waiting", "starting", "ready", "restarting",
                                          "not built"};

sr_status write_status_json(const struct network *n, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, JSON_FILE_MAX);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kbool(&w, "ready", n->announced);
    jw_kcstr(&w, "network", n->home.network);
    jw_key(&w, "roles");
    jw_arr(&w);
    for (size_t i = 0; i < n->n; i++) {
        const struct child *c = &n->child[i];
        jw_obj(&w);
        jw_kcstr(&w, "name", c->name);
        jw_kcstr(&w, "state", state_names[c->state]);
        if (c->pid > 0) jw_ku64(&w, "pid", (uint64_t)c->pid);
        jw_ku64(&w, "restarts", c->restarts);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    buf_u8(&b, '\n');
    SR_TRY(buf_status(&b, err));
    return fs_write_atomic(n->home.status, buf_slice(&b), 0600, err);
}
