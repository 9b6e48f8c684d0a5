/* SPDX-License-Identifier: Apache-2.0 */
/* home.c - the folder of a network: its lock, its keys, its chain */
#include "crypto/crypto.h"
#include "tee/tee.h"
#include "up/up_int.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (256u << 20) /* a chain's state */

char *up_path(const char *dir, const char *name) {
    char *p = path_join(dir, name);
    SR_ASSERT(p);
    return p;
}

sr_status home_paths(const char *dir, struct up_home *ret, struct sr_err *err) {
    if (strlen(dir) > 3000) return sr_fail(err, SR_E_TOOBIG, "the folder's name is too long");
    *ret = (struct up_home){.lock_fd = -1};
    ret->dir = slice_dup(slice_str(dir));
    if (!ret->dir) return sr_fail(err, SR_E_NOMEM, "out of memory");
    ret->keys = up_path(dir, "keys");
    ret->run = up_path(dir, "run");
    ret->logs = up_path(dir, "logs");
    ret->chain = up_path(dir, "chain");
    ret->state = up_path(dir, "chain/state.json");
    ret->left = up_path(dir, "chain/state-left.json");
    ret->info = up_path(dir, "chain/chain.json");
    ret->network = up_path(dir, "network.json");
    ret->status = up_path(dir, "run/status.json");
    ret->lock = up_path(dir, "run/lock");
    ret->apps = up_path(dir, "apps.json");
    return SR_OK;
}

void home_done(struct up_home *h) {
    if (h->dir && h->lock_fd >= 0) (void)close(h->lock_fd);
    json_free(h->chain_doc);
    char *all[] = {h->dir,  h->keys,    h->run,    h->logs, h->chain, h->state,
                   h->info, h->network, h->status, h->lock, h->left,  h->apps};
    for (size_t i = 0; i < SR_ARRAY_LEN(all); i++) free(all[i]);
    *h = (struct up_home){.lock_fd = -1};
}

/* A record lock: the kernel names its holder, and drops it whatever way the holder ends. */
sr_status home_holder(const struct up_home *h, pid_t *ret_pid, struct sr_err *err) {
    cleanup_close int fd = open(h->lock, O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        *ret_pid = 0;
        return SR_OK;
    }
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open '%s'", h->lock);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &fl) != 0)
        return sr_fail(err, SR_E_SYS, "look at the lock '%s'", h->lock);
    *ret_pid = fl.l_type == F_UNLCK ? 0 : fl.l_pid;
    return SR_OK;
}

static sr_status take_lock(struct up_home *h, struct sr_err *err) {
    h->lock_fd = open(h->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (h->lock_fd < 0) return sr_fail(err, SR_E_SYS, "open '%s'", h->lock);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(h->lock_fd, F_SETLK, &fl) == 0) return SR_OK;
    if (errno != EACCES && errno != EAGAIN) return sr_fail(err, SR_E_SYS, "lock '%s'", h->lock);
    sr_hint(err, "strongroom status --dir %.120s shows it, strongroom down stops it", h->dir);
    return sr_fail(err, SR_E_CONFLICT, "a network is already running in '%s'", h->dir);
}

/* Never overwrites: a key that is lost is lost for good. */
static sr_status keep_file(const char *dir, const char *name, struct slice data,
                           struct sr_err *err) {
    cleanup_free char *path = up_path(dir, name);
    if (fs_exists(path)) return SR_OK;
    return fs_write_atomic(path, data, 0600, err);
}

static sr_status keep_account_key(struct up_home *h, const char *account, const char *name,
                                  struct sr_err *err) {
    const struct json_val *list = json_get(json_root(h->chain_doc), "accounts");
    for (const struct json_val *a = json_first(list); a; a = json_next(a)) {
        if (!slice_is(json_text(json_get(a, "name")), account)) continue;
        uint8_t key[32];
        if (!hex_decode(json_text(json_get(a, "privateKey")), key, sizeof key)) break;
        sr_status st = keep_file(h->keys, name, slice_of(key, sizeof key), err);
        explicit_bzero(key, sizeof key);
        return st;
    }
    return sr_fail(err, SR_E_MALFORMED, "'%s' names no account '%s'", h->info, account);
}

static sr_status sms_key(struct up_home *h, struct sr_err *err) {
    cleanup_free char *path = up_path(h->keys, "sms.key");
    cleanup_secret struct sr_secret key = {0};
    if (!fs_exists(path)) {
        SR_TRY(secp_keygen(&key, err));
        SR_TRY(keep_file(h->keys, "sms.key", secret_slice(&key), err));
    } else {
        cleanup_buf_wipe struct buf b;
        buf_init(&b, 64);
        SR_TRY(fs_read(path, &b, err));
        if (b.n != 32) return sr_fail(err, SR_E_MALFORMED, "'%s' is not a key of 32 bytes", path);
        SR_TRY(secret_from(b.p, b.n, &key, err));
    }
    return secp_address(&key, &h->sms_identity, err);
}

static sr_status make_keys(struct up_home *h, struct sr_err *err) {
    SR_TRY(keep_account_key(h, "operator", "scheduler.key", err));
    for (unsigned i = 0; i < UP_WORKERS; i++)
        SR_TRY(keep_account_key(h, up_workers[i].account, up_workers[i].key, err));
    SR_TRY(sms_key(h, err));
    uint8_t master[32];
    SR_TRY(random_bytes(master, sizeof master, err));
    sr_status st = keep_file(h->keys, "master.key", slice_of(master, sizeof master), err);
    explicit_bzero(master, sizeof master);
    SR_TRY(st);
    cleanup_free char *platform = up_path(h->keys, "authority-platform.json");
    cleanup_free char *verifier = up_path(h->keys, "authority-verifier.json");
    if (fs_exists(platform) && fs_exists(verifier)) return SR_OK;
    struct tee_sim_authority a = {0};
    SR_TRY(tee_sim_authority_new(clock_unix_ms() / 1000, &a, err));
    st = fs_write_atomic(platform, buf_slice(&a.secret_platform), 0600, err);
    if (st == SR_OK) st = fs_write_atomic(verifier, buf_slice(&a.verifier), 0600, err);
    tee_sim_authority_done(&a);
    return st;
}

static sr_status copy_file(const char *from, const char *to, struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, FILE_MAX);
    SR_TRY(fs_read(from, &b, err));
    return fs_write_atomic(to, buf_slice(&b), 0600, err);
}

/* The chain of a network is a copy: a later build's contracts do not change a network that lives.
 */
static sr_status make_chain(struct up_home *h, const struct up_tools *t, struct sr_err *err) {
    if (!fs_exists(h->state)) {
        SR_TRY(copy_file(t->chain_info, h->info, err));
        SR_TRY(copy_file(t->chain_state, h->state, err));
    }
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    SR_TRY(fs_read(h->info, &b, err));
    sr_status st = json_parse(buf_slice(&b), &h->chain_doc, err);
    if (st != SR_OK) sr_err_prefix(err, "'%s'", h->info);
    return st;
}

/* Is this a whole JSON object? anvil writes in place, and may have been killed doing so. */
static bool is_whole(struct slice s) {
    size_t depth = 0;
    bool text = false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                text = false;
        } else if (c == '"') {
            text = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0) return false;
            if (depth == 0) return slice_trim(slice_of(s.p + i + 1, s.n - i - 1)).n == 0;
        }
    }
    return false;
}

sr_status home_settle_chain(const struct up_home *h, struct sr_err *err) {
    struct stat left, kept;
    if (stat(h->left, &left) != 0) return SR_OK;
    bool newer =
        stat(h->state, &kept) != 0 || left.st_mtim.tv_sec > kept.st_mtim.tv_sec ||
        (left.st_mtim.tv_sec == kept.st_mtim.tv_sec && left.st_mtim.tv_nsec > kept.st_mtim.tv_nsec);
    cleanup_buf struct buf b;
    buf_init(&b, FILE_MAX);
    if (newer) {
        SR_TRY(fs_read(h->left, &b, err));
        newer = is_whole(buf_slice(&b));
        if (!newer) log_warn("chain_state_cut", "bytes=%zu kept=previous", b.n);
    }
    if (newer)
        return rename(h->left, h->state) == 0 ? SR_OK
                                              : sr_fail(err, SR_E_SYS, "rename '%s'", h->left);
    return unlink(h->left) == 0 ? SR_OK : sr_fail(err, SR_E_SYS, "remove '%s'", h->left);
}

/* The measurement of the room: the vault releases secrets to this executable only. */
static sr_status measure_room(struct up_home *h, const char *room, struct sr_err *err) {
    if (!room) return SR_OK;
    cleanup_close int fd = open(room, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "open '%s'", room);
    struct sha256 s = {0};
    SR_TRY(sha256_init(&s, err));
    uint8_t step[65536];
    ssize_t n;
    while ((n = read(fd, step, sizeof step)) > 0) sha256_add(&s, slice_of(step, (size_t)n));
    h->room_digest = sha256_end(&s);
    return n < 0 ? sr_fail(err, SR_E_SYS, "read '%s'", room) : SR_OK;
}

sr_status home_open(struct up_home *h, const struct up_tools *t, struct sr_err *err) {
    const char *const folders[] = {h->dir, h->run, h->keys, h->logs, h->chain};
    for (size_t i = 0; i < SR_ARRAY_LEN(folders); i++) {
        sr_status st = fs_mkdirs(folders[i], 0700, err);
        if (st != SR_OK) sr_hint(err, "choose a folder that you may write to: --dir DIR");
        if (st != SR_OK) return st;
    }
    SR_TRY(take_lock(h, err));
    SR_TRY(make_chain(h, t, err));
    SR_TRY(make_keys(h, err));
    return measure_room(h, t->room, err);
}
