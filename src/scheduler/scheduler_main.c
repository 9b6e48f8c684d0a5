/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler_main.c - the role: its flags, its start, its end */
#include "net/http_doc.h"
#include "scheduler/sched_int.h"
#include "scheduler/scheduler.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define WAIT_MS        250  /* between two looks for the chain or the vault */
#define FIRST_ORDER_MS 3000 /* ready without an order at the market after so long */

const struct http_route sched_routes[] = {
    {"GET", "/tasks/logs/challenge", api_challenge, 0},
    {"GET", "/tasks/{id}", api_task, 0},
    {"GET", "/tasks/{id}/logs", api_logs, 0},
    {"GET", "/tasks/{id}/replicates/{wallet}", api_replicate, 0},
    {"GET", "/tasks/{id}/replicates/{wallet}/logs", api_replicate_logs, 0},
    {"GET", "/version", api_version, 0},
    {"GET", "/metrics", api_metrics, 0},
    {"GET", "/v1/tasks/{id}", events_task, 0},
    {"GET", "/v1/tasks/{id}/events", events_stream, 0},
    {"GET", "/v1/pool", events_pool, 0},
    {"GET", "/v1/workers", workers_connect, 0},
};
const size_t sched_n_routes = SR_ARRAY_LEN(sched_routes);

/* ---- flags ---- */

static sr_status addr_flag(const char *name, const char *text, struct addr *ret,
                           struct sr_err *err) {
    if (addr_parse(slice_str(text), ret)) return SR_OK;
    return sr_fail(err, SR_E_USAGE, "scheduler: %s: '%.60s' is not an address", name, text);
}

static sr_status workers_flag(const char *text, struct sched_config *c, struct sr_err *err) {
    if (!text || strcmp(text, "any") == 0) {
        c->any_worker = true;
        return SR_OK;
    }
    struct slice rest = slice_str(text), one;
    bool more = true;
    size_t room = 1;
    for (const char *p = text; *p; p++) room += *p == ',';
    c->allowed = sr_calloc_n(room, sizeof *c->allowed);
    if (!c->allowed) return sr_fail(err, SR_E_NOMEM, "no memory for the list of workers");
    while (more) {
        more = slice_cut(rest, ',', &one, &rest);
        if (!addr_parse(slice_trim(one), &c->allowed[c->n_allowed++]))
            return sr_fail(err, SR_E_USAGE,
                           "scheduler: --workers: not 'any' nor a list of addresses");
    }
    return SR_OK;
}

static sr_status parse(int argc, char **argv, struct sched *s, struct role_flags *rf,
                       struct sr_err *err) {
    struct sched_config *c = &s->cfg;
    const char *chain = NULL, *hub = NULL, *pool = NULL, *identity = NULL, *workers = NULL;
    const struct role_flag flags[] = {
        {"--rpc", &c->rpc, true, "the chain's JSON-RPC URL"},
        {"--ws", &c->ws, false, "the chain's websocket URL"},
        {"--chain-id", &chain, true, "the chain's number"},
        {"--hub", &hub, true, "address of the PoCo hub"},
        {"--workerpool", &pool, true, "address of our workerpool"},
        {"--vault", &c->vault, true, "path of the vault's socket"},
        {"--market", &c->market, true, "the market's URL"},
        {"--sms", &c->sms, true, "the SMS's URL"},
        {"--store", &c->store, false, "the content store's URL"},
        {"--sms-identity", &identity, true, "address of the SMS's identity key"},
        {"--workers", &workers, false, "any, or a list of addresses"},
    };
    SR_TRY(role_parse(argc, argv, "scheduler", flags, SR_ARRAY_LEN(flags), rf, err));
    if (!rf->dir) return sr_fail(err, SR_E_USAGE, "scheduler: --dir is missing");
    c->dir = rf->dir;
    if (!num_u64(slice_str(chain), INT64_MAX, &c->chain_id))
        return sr_fail(err, SR_E_USAGE, "scheduler: --chain-id is not a number");
    SR_TRY(addr_flag("--hub", hub, &c->hub, err));
    SR_TRY(addr_flag("--workerpool", pool, &c->workerpool, err));
    SR_TRY(addr_flag("--sms-identity", identity, &c->sms_identity, err));
    return workers_flag(workers, c, err);
}

/* ---- start ---- */

/* Two schedulers on one folder would assign each other's tasks. The lock dies with the process. */
static sr_status lock_folder(struct sched *s, struct sr_err *err) {
    cleanup_free char *path = path_join(s->cfg.dir, "lock");
    if (!path) return sr_fail(err, SR_E_NOMEM, "no memory");
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open '%.150s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)sr_fail(err, SR_E_CONFLICT, "another scheduler uses '%.150s'", s->cfg.dir);
        sr_hint(err, "stop it, or give this one a folder of its own (--dir)");
        return SR_E_CONFLICT;
    }
    s->lock_fd = sr_take_fd(fd);
    return SR_OK;
}

sr_status sched_open_db(struct sched *s, struct sr_err *err) {
    SR_TRY(fs_mkdirs(s->cfg.dir, 0700, err));
    SR_TRY(lock_folder(s, err));
    cleanup_free char *path = path_join(s->cfg.dir, "scheduler.db");
    if (!path) return sr_fail(err, SR_E_NOMEM, "no memory");
    SR_TRY(tasks_open(s, path, err));
    SR_TRY(chain_load(s, err));
    return orders_load(s, err);
}

/* The chain is the one we were told, and the pool is our vault's. */
static sr_status open_peers(struct sched *s, struct sr_err *err) {
    bool registered = false;
    struct addr owner;
    SR_TRY(poco_open(s->rpc, &s->cfg.hub, &s->poco, err));
    if (s->poco.domain.chain_id != s->cfg.chain_id)
        return sr_fail(err, SR_E_USAGE, "the node's chain is %llu, not %llu",
                       (unsigned long long)s->poco.domain.chain_id,
                       (unsigned long long)s->cfg.chain_id);
    SR_TRY(vault_signer(s->vault, &s->signer, err));
    s->owner = s->signer.addr;
    SR_TRY(poco_owner(&s->poco, POCO_WORKERPOOL, &s->cfg.workerpool, (struct eth_at){0},
                      &registered, &owner, err));
    if (!registered)
        return sr_fail(err, SR_E_NOTFOUND, "no workerpool at %s", addr_text(&s->cfg.workerpool).s);
    if (!addr_eq(&owner, &s->owner)) {
        (void)sr_fail(err, SR_E_USAGE, "the workerpool's owner is %s, the vault's key is %s",
                      addr_text(&owner).s, addr_text(&s->owner).s);
        sr_hint(err, "start the scheduler's vault with the owner's key");
        return SR_E_USAGE;
    }
    return SR_OK;
}

static sr_status open_sender(struct sched *s, struct sr_err *err) {
    cleanup_free char *path = path_join(s->cfg.dir, "sender.db");
    if (!path) return sr_fail(err, SR_E_NOMEM, "no memory");
    struct eth_sender_opts o = {.rpc = s->rpc,
                                .signer = &s->signer,
                                .path = path,
                                .ws_url = s->cfg.ws,
                                .chain_id = s->cfg.chain_id};
    SR_TRY(eth_sender_new(&o, &s->sender, err));
    return eth_sender_resume(s->sender, err);
}

sr_status sched_boot(struct sched *s, struct sr_err *err) {
    static void (*const duties[])(void *) = {chain_follow_fiber, chain_pump_fiber, chain_tick_fiber,
                                             dispatch_fiber, orders_fiber};
    for (bool said = false;;) {
        struct sr_err why = {0};
        sr_status st = open_peers(s, &why);
        if (st == SR_OK && !s->sender) st = open_sender(s, &why);
        if (st == SR_OK) break;
        if (st == SR_E_CANCELLED || st == SR_E_USAGE) {
            *err = why;
            return st;
        }
        if (!said) log_err(LOG_WARN, "waiting_for_peers", &why);
        said = true;
        SR_TRY(fiber_sleep(WAIT_MS, err));
    }
    s->open = true;
    for (size_t i = 0; i < SR_ARRAY_LEN(duties); i++) SR_TRY(fiber_start(duties[i], s, err));
    sr_status st = s->order_published ? SR_OK : fcond_wait(&s->first_order, FIRST_ORDER_MS, NULL);
    if (st == SR_E_TIMEOUT)
        log_warn("ready_without_order", "state=%s", log_q(slice_str(s->order_state)).s);
    return st == SR_E_CANCELLED ? sr_fail(err, st, "stopping") : SR_OK;
}

/* The role's boot, for its main: tells the supervisor how it went. */
struct start {
    struct sched *s;
    struct role_flags *rf;
    struct http_server *server;
};

static void boot_fiber(void *arg) {
    struct start *st = arg;
    struct sr_err e = {0};
    sr_status rc = sched_boot(st->s, &e);
    if (rc == SR_OK) {
        role_ready(st->rf, http_server_port(st->server));
    } else if (rc != SR_E_CANCELLED) {
        st->s->fatal = e;
        net_stop();
    }
}

/* Until the vault and the chain have answered once, nothing else is there to ask. */
static sr_status health(void *role, struct jw *checks, struct sr_err *err) {
    struct sched *s = role;
    struct vault_identity vault;
    uint64_t one, block;
    jw_ku64(checks, "workers", s->n_workers);
    jw_ku64(checks, "block", s->chain_block);
    jw_kbool(checks, "caughtUp", s->caught_up);
    if (!s->open)
        return sr_fail(err, SR_E_UNAVAILABLE, "the vault or the chain has not answered yet");
    SR_TRY(db_get_u64(s->db, "SELECT 1", DB_NO_ARGS, &one, err));
    jw_kcstr(checks, "database", "ok");
    SR_TRY(role_disk_health(s->cfg.dir, checks, err));
    SR_TRY(vault_hello(s->vault, &vault, err));
    jw_kcstr(checks, "vault", "ok");
    SR_TRY(eth_block_number(s->rpc, &block, err));
    jw_kcstr(checks, "chain", "ok");
    jw_ku64(checks, "chainBlock", block);
    return SR_OK;
}

static sr_status start(int argc, char **argv, struct sched *s, struct role_flags *rf,
                       struct http_server **server, struct sr_err *err) {
    SR_TRY(parse(argc, argv, s, rf, err));
    SR_TRY(role_begin(rf, err));
    SR_TRY(sched_open_db(s, err));
    SR_TRY(eth_rpc_new(s->cfg.rpc, &s->rpc, err));
    SR_TRY(vault_client_new(s->cfg.vault, &s->vault, err));
    struct http_opts o = {.routes = sched_routes,
                          .n_routes = sched_n_routes,
                          .role = s,
                          .cors = true,
                          .name = "scheduler",
                          .health = health};
    SR_TRY(http_serve(&o, rf->listen_host, rf->listen_port, rf->listen_fd, server, err));
    http_server_describe(*server, &sched_docs);
    return SR_OK;
}

void sched_free(struct sched *s) {
    if (!s) return;
    eth_sender_free(s->sender);
    vault_client_free(s->vault);
    eth_rpc_free(s->rpc);
    db_close(s->db);
    if (s->lock_fd > 0) (void)close(s->lock_fd);
    api_done(s);
    free(s->cfg.allowed);
    free(s);
}

int scheduler_main(int argc, char **argv) {
    struct role_flags rf;
    struct http_server *server = NULL;
    struct sr_err e = {0};
    struct sched *s = sr_calloc_n(1, sizeof *s);
    if (!s) return 5;
    s->times = SCHED_TIMES;
    sr_status st = start(argc, argv, s, &rf, &server, &e);
    struct start boot_arg = {.s = s, .rf = &rf, .server = server};
    if (st == SR_OK) st = fiber_start(boot_fiber, &boot_arg, &e);
    if (st != SR_OK) {
        int rc = role_fail(&rf, &e);
        http_server_close(server);
        sched_free(s);
        return rc;
    }
    int rc = role_run(&rf);
    if (s->fatal.code != SR_OK) rc = role_fail(&rf, &s->fatal);
    http_server_close(server);
    sched_free(s);
    return rc;
}
