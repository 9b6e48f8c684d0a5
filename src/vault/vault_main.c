/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program strongroom-vault: reads its flags and files, hardens itself, gives up files and
 * network, serves. It parses the roles' common flags itself: net/role.h would bring the network in.
 */
#include "vault/vault_int.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define AUTHORITY_MAX (1u << 20)
#define READY_MAX     2048

struct flags {
    const char *role, *chain_id, *hub, *key, *master, *workerpool, *sms_identity, *authority;
    const char *socket, *listen_fd, *ready_fd, *control_fd, *log, *dir, *listen;
    const char *max_gas, *max_fee, *tx_per_day, *min_price, *max_price, *max_volume, *peer_uid;
    const char *room_digest[TEE_MEASUREMENTS_MAX];
    size_t n_room_digest;
    bool dev;
    int ready;
};

static sr_status parse_flags(int argc, char **argv, struct flags *f, struct sr_err *err) {
    const struct {
        const char *name;
        const char **value;
    } known[] = {
        {"--role", &f->role},
        {"--chain-id", &f->chain_id},
        {"--hub", &f->hub},
        {"--key", &f->key},
        {"--master", &f->master},
        {"--workerpool", &f->workerpool},
        {"--sms-identity", &f->sms_identity},
        {"--authority", &f->authority},
        {"--socket", &f->socket},
        {"--listen-fd", &f->listen_fd},
        {"--ready-fd", &f->ready_fd},
        {"--control-fd", &f->control_fd},
        {"--log", &f->log},
        {"--dir", &f->dir},
        {"--listen", &f->listen},
        {"--max-gas", &f->max_gas},
        {"--max-fee", &f->max_fee},
        {"--tx-per-day", &f->tx_per_day},
        {"--order-min-price", &f->min_price},
        {"--order-max-price", &f->max_price},
        {"--order-max-volume", &f->max_volume},
        {"--peer-uid", &f->peer_uid},
    };
    for (int i = 0; i < argc; i++) {
        struct slice name, value;
        bool joined = slice_cut(slice_str(argv[i]), '=', &name, &value);
        if (slice_is(name, "--dev") && !joined) {
            f->dev = true;
            continue;
        }
        const char **at = NULL;
        for (size_t k = 0; k < SR_ARRAY_LEN(known); k++)
            if (slice_is(name, known[k].name)) at = known[k].value;
        if (slice_is(name, "--room-digest") && f->n_room_digest < TEE_MEASUREMENTS_MAX)
            at = &f->room_digest[f->n_room_digest++];
        if (!at) return sr_fail(err, SR_E_USAGE, "%.60s is no flag of the vault", argv[i]);
        if (!joined && i + 1 >= argc)
            return sr_fail(err, SR_E_USAGE, "%.60s needs a value", argv[i]);
        *at = joined ? (const char *)value.p : argv[++i];
    }
    return SR_OK;
}

static sr_status flag_fd(const char *name, const char *text, int *ret_fd, struct sr_err *err) {
    uint64_t n;
    if (!text) return SR_OK;
    if (!num_u64(slice_str(text), 1u << 20, &n) || fcntl((int)n, F_SETFD, FD_CLOEXEC) != 0)
        return sr_fail(err, SR_E_USAGE, "%s: '%.20s' is not an open descriptor", name, text);
    *ret_fd = (int)n;
    return SR_OK;
}

static sr_status flag_addr(const char *name, const char *text, bool needed, struct addr *ret,
                           struct sr_err *err) {
    if (!text && !needed) return SR_OK;
    if (!text) return sr_fail(err, SR_E_USAGE, "%s is missing", name);
    if (!addr_parse(slice_str(text), ret))
        return sr_fail(err, SR_E_USAGE, "%s: '%.60s' is not an address", name, text);
    return SR_OK;
}

static sr_status flag_u64(const char *name, const char *text, uint64_t *ret, struct sr_err *err) {
    if (text && !num_u64(slice_str(text), POCO_SAFE_MAX, ret))
        return sr_fail(err, SR_E_USAGE, "%s: '%.40s' is not a number", name, text);
    return SR_OK;
}

static sr_status flag_u256(const char *name, const char *text, struct u256 *ret,
                           struct sr_err *err) {
    if (text && !u256_from_dec(slice_str(text), ret))
        return sr_fail(err, SR_E_USAGE, "%s: '%.40s' is not a number", name, text);
    return SR_OK;
}

/* A key: 32 bytes in a file that nobody else may read. */
static sr_status read_key(const char *flag, const char *path, struct sr_secret *ret,
                          struct sr_err *err) {
    struct stat st;
    uint8_t more;
    if (!path) return sr_fail(err, SR_E_USAGE, "%s is missing", flag);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0) return sr_fail(err, SR_E_SYS, "cannot read '%s'", path);
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        sr_status refused =
            sr_fail(err, SR_E_REFUSED, "the key file '%s' is open to other users", path);
        sr_hint(err, "chmod 600 it, and make a new key if others could have read this one");
        return refused;
    }
    cleanup_secret struct sr_secret k = {0};
    SR_TRY(secret_new(32, &k, err));
    SR_TRY(fd_read_full(fd, k.p, k.n, err));
    if (read(fd, &more, 1) != 0)
        return sr_fail(err, SR_E_MALFORMED, "the key file '%s' is not of 32 bytes", path);
    *ret = k;
    k = (struct sr_secret){0};
    return SR_OK;
}

static sr_status read_trust(const struct flags *f, struct vault_config *c, struct sr_err *err) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, AUTHORITY_MAX);
    if (!f->authority) return sr_fail(err, SR_E_USAGE, "--authority is missing");
    SR_TRY(fs_read(f->authority, &b, err));
    for (size_t i = 0; i < f->n_room_digest; i++) {
        struct hash h;
        if (!hash_parse(slice_str(f->room_digest[i]), &h))
            return sr_fail(err, SR_E_USAGE, "--room-digest: '%.70s' is not a hash",
                           f->room_digest[i]);
        wire_simulated_mrtd(&h, c->policy.mrtd[c->policy.n_mrtd++]);
    }
    if (c->policy.n_mrtd == 0)
        log_warn("no_rooms", "what=\"no --room-digest: every release will be refused\"");
    return tee_trust_new(buf_slice(&b), f->dev, &c->take_trust, err);
}

static sr_status configure(const struct flags *f, struct vault_config *c, struct sr_secret *key,
                           struct sr_secret *master, struct sr_err *err) {
    if (!f->role) return sr_fail(err, SR_E_USAGE, "--role is missing: sms, scheduler or worker");
    c->role = strcmp(f->role, "sms") == 0         ? VAULT_SMS
              : strcmp(f->role, "scheduler") == 0 ? VAULT_SCHEDULER
              : strcmp(f->role, "worker") == 0    ? VAULT_WORKER
                                                  : 0;
    if (!c->role) return sr_fail(err, SR_E_USAGE, "--role is sms, scheduler or worker");
    if (!f->chain_id) return sr_fail(err, SR_E_USAGE, "--chain-id is missing");
    SR_TRY(flag_u64("--chain-id", f->chain_id, &c->chain_id, err));
    SR_TRY(flag_addr("--hub", f->hub, true, &c->hub, err));
    const bool pool = c->role == VAULT_SCHEDULER;
    SR_TRY(flag_addr("--workerpool", f->workerpool, pool, &c->workerpool, err));
    SR_TRY(flag_addr("--sms-identity", f->sms_identity, pool, &c->sms_identity, err));
    c->limits = vault_limits_default();
    SR_TRY(flag_u64("--max-gas", f->max_gas, &c->limits.gas, err));
    SR_TRY(flag_u256("--max-fee", f->max_fee, &c->limits.fee_per_gas, err));
    SR_TRY(flag_u64("--tx-per-day", f->tx_per_day, &c->limits.tx_per_day, err));
    SR_TRY(flag_u256("--order-min-price", f->min_price, &c->limits.order_min_price, err));
    SR_TRY(flag_u256("--order-max-price", f->max_price, &c->limits.order_max_price, err));
    SR_TRY(flag_u64("--order-max-volume", f->max_volume, &c->limits.order_max_volume, err));
    SR_TRY(read_key("--key", f->key, key, err));
    c->key = key;
    if (c->role != VAULT_SMS) return SR_OK;
    SR_TRY(read_key("--master", f->master, master, err));
    c->master = master;
    return read_trust(f, c, err);
}

static sr_status listen_at(const char *path, int *ret_fd, struct sr_err *err) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        return sr_fail(err, SR_E_USAGE, "--socket: the path is longer than %zu bytes",
                       sizeof a.sun_path - 1);
    memcpy(a.sun_path, path, strlen(path));
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t old = umask(077);
    (void)unlink(path); /* left by a former run */
    bool ok =
        fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 64) == 0;
    (void)umask(old);
    if (!ok) return sr_fail(err, SR_E_SYS, "cannot listen at '%s'", path);
    *ret_fd = sr_take_fd(fd);
    return SR_OK;
}

static int stop_signals(void) {
    sigset_t s;
    (void)sigemptyset(&s);
    (void)sigaddset(&s, SIGTERM);
    (void)sigaddset(&s, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &s, NULL);
    return signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void tell(int ready_fd, const struct sr_err *e) {
    cleanup_buf struct buf b = {0};
    if (ready_fd < 0) return;
    buf_init(&b, READY_MAX);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    if (e) {
        jw_key(&w, "error");
        jw_obj(&w);
        jw_kcstr(&w, "code", sr_status_name(e->code));
        jw_kcstr(&w, "what", e->what);
        jw_kcstr(&w, "hint", e->hint);
        jw_end_obj(&w);
    } else {
        jw_kbool(&w, "ready", true);
        jw_ku64(&w, "port", 0);
    }
    jw_end_obj(&w);
    buf_str(&b, "\n");
    (void)!fd_write_all(ready_fd, b.p, b.n, NULL);
    (void)close(ready_fd);
}

static sr_status run(struct flags *f, int argc, char **argv, struct sr_err *err) {
    cleanup_secret struct sr_secret key = {0}, master = {0};
    struct vault_config c = {0};
    struct vault *v = NULL;
    int listen_fd = -1, control_fd = -1;
    uint64_t peer_uid = geteuid();
    f->ready = -1;
    SR_TRY(parse_flags(argc, argv, f, err));
    log_setup("vault", 2, log_level_parse(slice_str(f->log), LOG_INFO));
    SR_TRY(flag_fd("--ready-fd", f->ready_fd, &f->ready, err));
    SR_TRY(flag_fd("--control-fd", f->control_fd, &control_fd, err));
    SR_TRY(flag_fd("--listen-fd", f->listen_fd, &listen_fd, err));
    SR_TRY(flag_u64("--peer-uid", f->peer_uid, &peer_uid, err));
    if (listen_fd < 0 && !f->socket)
        return sr_fail(err, SR_E_USAGE, "--listen-fd or --socket is missing");
    sr_status st = configure(f, &c, &key, &master, err);
    if (st != SR_OK) {
        tee_trust_free(c.take_trust);
        return st;
    }
    SR_TRY(vault_new(&c, &v, err));
    secret_free(&key);
    secret_free(&master);
    int stop_fd = stop_signals();
    if (listen_fd < 0) st = listen_at(f->socket, &listen_fd, err);
    if (st == SR_OK) {
        log_info("started", "role=%s wallet=%s evidence=%s", f->role, addr_text(vault_wallet(v)).s,
                 !c.take_trust                          ? "none"
                 : tee_trust_is_simulated(c.take_trust) ? "SIMULATED"
                                                        : "hardware");
        mem_settle();
#ifndef CHECKED_BUILD /* the sanitizers ask the kernel for more */
        st = vault_sandbox(err);
#endif
    }
    if (st == SR_OK) {
        tell(f->ready, NULL);
        f->ready = -1;
        st = vault_serve(v, listen_fd, stop_fd, control_fd, (uint32_t)peer_uid, err);
    }
    vault_free(v);
    return st;
}

int vault_main(int argc, char **argv) {
    struct flags f = {0};
    struct sr_err e = {0};
    secret_harden_process();
    if (run(&f, argc, argv, &e) == SR_OK) {
        log_info("stopped", "role=%s", f.role);
        return 0;
    }
    tell(f.ready, &e);
    log_err(LOG_ERROR, "start_failed", &e);
    switch (e.code) { /* as the command line's exit codes */
    case SR_E_USAGE: return 2;
    case SR_E_REFUSED:
    case SR_E_AUTH: return 3;
    default: return 5;
    }
}
