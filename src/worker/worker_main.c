/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"
#include "worker/worker_int.h"
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MEMORY    "1g"
#define DEFAULT_DISK      "1g"
#define DEFAULT_SLOTS     "2"
#define DEFAULT_PROCESSES "256"

struct flags {
    const char *rpc, *ws, *chain_id, *hub, *vault, *scheduler, *store, *sms, *sms_identity, *room,
        *authority, *slots, *memory, *output, *processes, *name, *egress_loopback, *registries;
};

static sr_status usage(struct sr_err *err, const char *flag, const char *what) {
    return sr_fail(err, SR_E_USAGE, "worker: %s is not %s", flag, what);
}

static sr_status read_flags(int argc, char **argv, struct role_flags *rf, struct flags *f,
                            struct worker *w, struct sr_err *err) {
    const struct role_flag table[] = {
        {"--rpc", &f->rpc, true, "URL of a chain node"},
        {"--ws", &f->ws, false, "its websocket"},
        {"--chain-id", &f->chain_id, true, "number of the chain"},
        {"--hub", &f->hub, true, "address of the PoCo hub"},
        {"--vault", &f->vault, true, "socket of this worker's vault"},
        {"--scheduler", &f->scheduler, true, "URL of the pool's scheduler"},
        {"--store", &f->store, true, "URL of the content store (node API and gateway)"},
        {"--sms", &f->sms, true, "URL of the secret service"},
        {"--sms-identity", &f->sms_identity, true, "address with which the secret service signs"},
        {"--room", &f->room, true, "the room executable"},
        {"--authority", &f->authority, false,
         "platform file of a simulated authority (SIMULATED evidence)"},
        {"--slots", &f->slots, false, "tasks at once (" DEFAULT_SLOTS ")"},
        {"--memory", &f->memory, false, "memory of one app (" DEFAULT_MEMORY ")"},
        {"--output", &f->output, false, "image, inputs and results of one app (" DEFAULT_DISK ")"},
        {"--processes", &f->processes, false, "processes of one app (" DEFAULT_PROCESSES ")"},
        {"--egress-loopback", &f->egress_loopback, false,
         "development (with --authority): names of apps' egress lists that lead to this host"},
        {"--registries", &f->registries, false,
         "where images are pulled from: any (default), or local (the store's own registry)"},
        {"--name", &f->name, false, "name shown by the scheduler"},
    };
    SR_TRY(role_parse(argc, argv, "worker", table, SR_ARRAY_LEN(table), rf, err));
    if (!rf->dir) return sr_fail(err, SR_E_USAGE, "worker: --dir is missing");
    if (!num_u64(slice_str(f->chain_id), UINT64_MAX, &w->chain_id))
        return usage(err, "--chain-id", "a number");
    if (!addr_parse(slice_str(f->hub), &w->hub)) return usage(err, "--hub", "an address");
    if (!addr_parse(slice_str(f->sms_identity), &w->sms_identity))
        return usage(err, "--sms-identity", "an address");
    if (!num_u64(slice_str(f->slots ? f->slots : DEFAULT_SLOTS), WORKER_MAX_SLOTS, &w->slots) ||
        w->slots == 0)
        return usage(err, "--slots", "a number from 1 to 64");
    if (!num_size(slice_str(f->memory ? f->memory : DEFAULT_MEMORY), 1ull << 42,
                  &w->memory_bytes) ||
        w->memory_bytes < 1u << 20)
        return usage(err, "--memory", "a size such as 512m");
    if (!num_size(slice_str(f->output ? f->output : DEFAULT_DISK), 1ull << 42, &w->disk_bytes) ||
        w->disk_bytes < 1u << 20)
        return usage(err, "--output", "a size such as 2g");
    if (!num_u64(slice_str(f->processes ? f->processes : DEFAULT_PROCESSES), 1u << 20,
                 &w->processes) ||
        w->processes == 0)
        return usage(err, "--processes", "a number above 0");
    if (f->egress_loopback && !f->authority)
        return usage(err, "--egress-loopback", "for a worker without SIMULATED evidence");
    w->egress_loopback = f->egress_loopback;
    w->any_registry = !f->registries || strcmp(f->registries, "any") == 0;
    if (!w->any_registry && strcmp(f->registries, "local") != 0)
        return usage(err, "--registries", "any or local");
    w->dir = rf->dir;
    w->scheduler = f->scheduler;
    w->store = f->store;
    w->sms = f->sms;
    w->ws_url = f->ws;
    w->name = f->name ? f->name : "worker";
    return SR_OK;
}

static sr_status make_folders(const struct worker *w, struct sr_err *err) {
    static const char *const names[] = {"images", "jobs"};
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++) {
        cleanup_free char *path = path_join(w->dir, names[i]);
        if (!path) return sr_fail(err, SR_E_NOMEM, "path");
        SR_TRY(fs_mkdirs(path, 0700, err));
    }
    return SR_OK;
}

/* Waits for peers that are not up yet, and says so once. */
static sr_status await(const char *peer, sr_status (*step)(struct worker *w, struct sr_err *err),
                       struct worker *w, struct sr_err *err) {
    bool said = false;
    for (;;) {
        struct sr_err e = {0};
        sr_status st = step(w, &e);
        if (st == SR_OK) return SR_OK;
        if ((st != SR_E_UNAVAILABLE && st != SR_E_TIMEOUT) || fiber_sleep(100, NULL) != SR_OK) {
            *err = e;
            return st;
        }
        if (!said) log_err(LOG_INFO, peer, &e);
        said = true;
    }
}

static sr_status meet_vault(struct worker *w, struct sr_err *err) {
    SR_TRY(vault_signer(w->vault, &w->signer, err));
    w->me = w->signer.addr;
    return SR_OK;
}

static sr_status meet_chain(struct worker *w, struct sr_err *err) {
    uint64_t id;
    SR_TRY(eth_chain_id(w->rpc, &id, err));
    if (id != w->chain_id)
        return sr_fail(err, SR_E_USAGE, "the node is of chain %llu, not %llu",
                       (unsigned long long)id, (unsigned long long)w->chain_id);
    return poco_open(w->rpc, &w->hub, &w->poco, err);
}

struct start {
    struct worker *w;
    const struct role_flags *rf;
    int rc;
};

static sr_status begin(struct worker *w, struct sr_err *err) {
    cleanup_free char *db = path_join(w->dir, "sender.db");
    if (!db) return sr_fail(err, SR_E_NOMEM, "path");
    SR_TRY(await("waits_for_vault", meet_vault, w, err));
    SR_TRY(await("waits_for_chain", meet_chain, w, err));
    struct eth_sender_opts opts = {
        .rpc = w->rpc, .signer = &w->signer, .path = db, .chain_id = w->chain_id};
    SR_TRY(eth_sender_new(&opts, &w->sender, err));
    struct sr_err e = {0};
    if (eth_sender_resume(w->sender, &e) != SR_OK) log_err(LOG_WARN, "sender_resume", &e);
    SR_TRY(jobs_resume(w, err));
    SR_TRY(fiber_start(chain_fiber, w, err));
    return fiber_start(link_fiber, w, err);
}

static void start_fiber(void *arg) {
    struct start *s = arg;
    struct sr_err e = {0};
    if (begin(s->w, &e) == SR_OK) {
        log_info("ready", "worker=%s evidence=%s", addr_text(&s->w->me).s,
                 s->w->platform.n > 0 ? "SIMULATED" : "none");
        role_ready(s->rf, 0);
        return;
    }
    if (!net_stopping()) s->rc = role_fail(s->rf, &e);
    net_stop();
}

static sr_status prepare(int argc, char **argv, struct role_flags *rf, struct worker *w,
                         struct sr_err *err) {
    struct flags f = {0};
    SR_TRY(read_flags(argc, argv, rf, &f, w, err));
    SR_TRY(role_begin(rf, err));
    SR_TRY(make_folders(w, err));
    if (f.authority) SR_TRY(fs_read(f.authority, &w->platform, err));
    SR_TRY(launcher_init(f.room, &w->launcher, err));
    w->launcher.memory_bytes = w->memory_bytes + w->disk_bytes + WORKER_ROOM_BYTES;
    log_info("room", "sha256=%s ids=%s memory_limit=%s", hash_text(&w->launcher.room_sha256).s,
             w->launcher.has_ids ? "own" : "workers",
             w->launcher.cgroups.base[0] ? "kernel" : "watch");
    SR_TRY(eth_rpc_new(f.rpc, &w->rpc, err));
    return vault_client_new(f.vault, &w->vault, err);
}

int worker_main(int argc, char **argv) {
    static struct worker w = {.launcher = {.room_fd = -1, .ns_fd = -1}};
    struct role_flags rf;
    struct sr_err e = {0};
    buf_init(&w.platform, DOOR_PLATFORM_MAX);
    if (prepare(argc, argv, &rf, &w, &e) != SR_OK) return role_fail(&rf, &e);
    struct start s = {.w = &w, .rf = &rf};
    if (fiber_start(start_fiber, &s, &e) != SR_OK) return role_fail(&rf, &e);
    int rc = role_run(&rf);
    eth_sender_free(w.sender);
    eth_rpc_free(w.rpc);
    vault_client_free(w.vault);
    launcher_done(&w.launcher);
    buf_wipe(&w.platform);
    return s.rc != 0 ? s.rc : rc;
}
