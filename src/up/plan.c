/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - which roles a network has, and their flags (docs/wire.md, "Roles and their flags") */
#include "up/up_int.h"
#include <stdlib.h>

struct plan {
    struct network *n;
    const struct up_env *env;
    char *rpc, *ws, *market, *sms, *store, *scheduler, *chain_id; /* owned */
    const struct json_val *contracts, *pool;
};

static char *url(const char *scheme, uint16_t port) {
    char *s = NULL;
    SR_ASSERT(asprintf(&s, "%s://127.0.0.1:%u", scheme, port) >= 0);
    return s;
}

static void text_arg(struct child *c, const char *flag, struct slice v) {
    if (v.n == 0 || v.n > 4096) return;
    child_arg(c, "%s", flag);
    child_arg(c, "%.*s", (int)v.n, (const char *)v.p);
}

static void contract_arg(struct plan *p, struct child *c, const char *flag, const char *name) {
    text_arg(c, flag, json_text(json_get(p->contracts, name)));
}

static void pair(struct child *c, const char *flag, const char *value) {
    child_arg(c, "%s", flag);
    child_arg(c, "%s", value);
}

/* "DIR/sub/name" as a flag's value */
static void file_arg(struct child *c, const char *flag, const char *dir, const char *name) {
    child_arg(c, "%s", flag);
    child_arg(c, "%s/%s", dir, name);
}

static struct child *add(struct plan *p, const char *name, const char *needs) {
    SR_ASSERT(p->n->n < UP_CHILDREN);
    struct child *c = &p->n->child[p->n->n++];
    child_init(c, name, needs);
    return c;
}

/* What every role takes. program NULL: this program itself. */
static struct child *add_role(struct plan *p, const char *name, const char *role,
                              const char *program, const char *needs, int listen_fd) {
    struct child *c = add(p, name, needs);
    if (program) {
        child_arg(c, "%s", program);
    } else {
        child_arg(c, "%s", p->n->tools.self);
        child_arg(c, "role");
        child_arg(c, "%s", role);
        if (!p->env->has_role(role)) c->state = CHILD_ABSENT;
    }
    child_arg(c, "--dir");
    child_arg(c, "%s/%s", p->n->home.dir, name);
    c->listen_fd = listen_fd;
    if (listen_fd >= 0) pair(c, "--listen-fd", "3");
    pair(c, "--ready-fd", "4");
    pair(c, "--control-fd", "5");
    return c;
}

static void chain_args(struct plan *p, struct child *c) {
    pair(c, "--rpc", p->rpc);
    pair(c, "--ws", p->ws);
    pair(c, "--chain-id", p->chain_id);
    contract_arg(p, c, "--hub", "hub");
}

static void add_chain(struct plan *p) {
    struct child *c = add(p, "chain", NULL);
    const struct up_home *h = &p->n->home;
    c->is_chain = true;
    child_arg(c, "%s", p->n->tools.anvil);
    pair(c, "--host", "127.0.0.1");
    child_arg(c, "--port");
    child_arg(c, "%u", p->n->sockets.port[PORT_CHAIN]);
    pair(c, "--chain-id", p->chain_id);
    pair(c, "--accounts", "0"); /* funded in the saved state; no keys in its output */
    pair(c, "--hardfork", "prague");
    child_arg(c, "--no-mining"); /* the miner does, when there is something to mine */
    pair(c, "--load-state", h->state);
    pair(c, "--dump-state", h->left); /* at its end */
}

static void add_miner(struct plan *p) {
    struct child *c = add_role(p, "miner", "miner", NULL, "chain", -1);
    pair(c, "--rpc", p->rpc);
    pair(c, "--ws", p->ws);
    pair(c, "--state", p->n->home.state);
}

const struct up_worker up_workers[UP_WORKERS] = {
    {"worker", "worker", "vault-worker", "worker.key"},
    {"erin", "worker-2", "vault-worker-2", "worker-2.key"},
    {"frank", "worker-3", "vault-worker-3", "worker-3.key"},
    {"grace", "worker-4", "vault-worker-4", "worker-4.key"},
};

static void add_vault(struct plan *p, const char *name, const char *role, const char *key,
                      int listen_fd) {
    const struct up_home *h = &p->n->home;
    struct child *c = add_role(p, name, "vault", p->n->tools.vault, NULL, listen_fd);
    bool sms = strcmp(role, "sms") == 0, scheduler = strcmp(role, "scheduler") == 0;
    pair(c, "--role", role);
    pair(c, "--chain-id", p->chain_id);
    contract_arg(p, c, "--hub", "hub");
    file_arg(c, "--key", h->keys, key);
    if (scheduler) {
        text_arg(c, "--workerpool", json_text(json_get(p->pool, "address")));
        pair(c, "--sms-identity", addr_text(&h->sms_identity).s);
    }
    if (!sms) return;
    file_arg(c, "--master", h->keys, "master.key");
    child_arg(c, "--dev");
    file_arg(c, "--authority", h->keys, "authority-verifier.json");
    if (!hash_is_zero(&h->room_digest)) pair(c, "--room-digest", hash_text(&h->room_digest).s);
}

static void add_market(struct plan *p) {
    struct child *c = add_role(p, "market", "market", NULL, "chain", p->n->sockets.fd[PORT_MARKET]);
    chain_args(p, c);
    contract_arg(p, c, "--app-registry", "appRegistry");
    contract_arg(p, c, "--dataset-registry", "datasetRegistry");
    contract_arg(p, c, "--workerpool-registry", "workerpoolRegistry");
    contract_arg(p, c, "--data-protector", "dataProtector");
    contract_arg(p, c, "--sharing", "sharing");
    contract_arg(p, c, "--whitelist-registry", "appWhitelistRegistry");
    pair(c, "--scheduler", p->scheduler);
    text_arg(c, "--workerpool", json_text(json_get(p->pool, "address")));
    pair(c, "--apps", p->n->home.apps);
}

static void add_sms(struct plan *p) {
    struct child *c = add_role(p, "sms", "sms", NULL, "chain", p->n->sockets.fd[PORT_SMS]);
    chain_args(p, c);
    file_arg(c, "--vault", p->n->home.run, "vault-sms");
    pair(c, "--store", p->store);
    pair(c, "--market", p->market);
    file_arg(c, "--authority", p->n->home.keys, "authority-verifier.json");
    if (!hash_is_zero(&p->n->home.room_digest))
        pair(c, "--rooms", hash_text(&p->n->home.room_digest).s);
}

static void add_scheduler(struct plan *p) {
    struct child *c =
        add_role(p, "scheduler", "scheduler", NULL, "chain", p->n->sockets.fd[PORT_SCHEDULER]);
    chain_args(p, c);
    text_arg(c, "--workerpool", json_text(json_get(p->pool, "address")));
    file_arg(c, "--vault", p->n->home.run, "vault-scheduler");
    pair(c, "--market", p->market);
    pair(c, "--sms", p->sms);
    pair(c, "--store", p->store);
    pair(c, "--sms-identity", addr_text(&p->n->home.sms_identity).s);
    pair(c, "--workers", "any");
}

static void add_worker(struct plan *p, const struct up_worker *w) {
    struct child *c = add_role(p, w->name, "worker", NULL, "chain", -1);
    chain_args(p, c);
    file_arg(c, "--vault", p->n->home.run, w->vault);
    pair(c, "--scheduler", p->scheduler);
    pair(c, "--store", p->store);
    pair(c, "--sms", p->sms);
    pair(c, "--sms-identity", addr_text(&p->n->home.sms_identity).s);
    pair(c, "--room", p->n->tools.room ? p->n->tools.room : "");
    file_arg(c, "--authority", p->n->home.keys, "authority-platform.json");
    pair(c, "--name", w->name);
    pair(c, "--slots", "2");
    pair(c, "--registries", "local"); /* a network on one machine works offline, and stays there */
    pair(c, "--memory", "512m");
    pair(c, "--output", "256m");
    if (p->n->opt.egress_loopback) pair(c, "--egress-loopback", p->n->opt.egress_loopback);
    if (!p->n->tools.room) c->state = CHILD_ABSENT;
}

void plan_children(struct network *n, const struct up_env *env) {
    const struct json_val *doc = json_root(n->home.chain_doc);
    const uint16_t *port = n->sockets.port;
    struct plan p = {.n = n,
                     .env = env,
                     .contracts = json_get(doc, "contracts"),
                     .pool = json_get(doc, "workerpool"),
                     .rpc = url("http", port[PORT_CHAIN]),
                     .ws = url("ws", port[PORT_CHAIN]),
                     .market = url("http", port[PORT_MARKET]),
                     .sms = url("http", port[PORT_SMS]),
                     .store = url("http", port[PORT_STORE]),
                     .scheduler = url("http", port[PORT_SCHEDULER])};
    uint64_t id = 0;
    (void)json_u64(json_get(doc, "chainId"), &id);
    SR_ASSERT(asprintf(&p.chain_id, "%llu", (unsigned long long)id) >= 0);
    add_chain(&p);
    add_miner(&p);
    (void)add_role(&p, "store", "store", NULL, NULL, n->sockets.fd[PORT_STORE]);
    add_vault(&p, "vault-sms", "sms", "sms.key", n->sockets.vault_sms);
    add_vault(&p, "vault-scheduler", "scheduler", "scheduler.key", n->sockets.vault_scheduler);
    for (unsigned i = 0; i < n->opt.workers; i++)
        add_vault(&p, up_workers[i].vault, "worker", up_workers[i].key, n->sockets.vault_worker[i]);
    add_market(&p);
    add_sms(&p);
    add_scheduler(&p);
    for (unsigned i = 0; i < n->opt.workers; i++) add_worker(&p, &up_workers[i]);
    char *all[] = {p.rpc, p.ws, p.market, p.sms, p.store, p.scheduler, p.chain_id};
    for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) free(all[i]);
}
