/* SPDX-License-Identifier: Apache-2.0 */
/*
 * miner.c - the role that makes the development chain's blocks and saves its state
 *
 * anvil could mine by a clock of its own, but then an idle network grows by five blocks a second,
 * and it saves its state in place: a crash while it writes would lose the chain. So: a block
 * MINE_MS after the first transaction that waits (the node tells us of it), a heartbeat block now
 * and then so that the chain's time goes on, and the state written beside the old one, then
 * renamed.
 */
#include "eth/rpc.h"
#include "net/role.h"
#include "up/up.h"
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#define MINE_MS      100  /* the official clients need a moment between sending and mining */
#define HEARTBEAT_MS 4000 /* without transactions */
#define SAVE_MS      1500 /* between two savings of a changed state */
#define RETRY_MS     150  /* between two attempts to reach the node */
#define MESSAGE_MAX  (1u << 20)
#define STATE_MAX    (1u << 30)

static struct {
    const char *rpc_url, *ws_url, *state_path;
    struct eth_rpc *rpc;
    bool dirty;
    struct fcond changed;
} me;

/* ---- saving */

static sr_status unpack(struct slice in, int fd, struct sr_err *err) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    if (inflateInit2(&z, 31) != Z_OK) return sr_fail(err, SR_E_NOMEM, "out of memory");
    int rc = Z_OK;
    sr_status st = SR_OK;
    while (rc == Z_OK && st == SR_OK) {
        uint8_t step[65536];
        z.next_out = step;
        z.avail_out = sizeof step;
        rc = inflate(&z, Z_NO_FLUSH);
        st = fd_write_all(fd, step, sizeof step - z.avail_out, err);
        if (z.avail_in == 0 && z.avail_out == sizeof step && rc == Z_OK) rc = Z_DATA_ERROR;
    }
    (void)inflateEnd(&z);
    if (st == SR_OK && rc != Z_STREAM_END)
        return sr_fail(err, SR_E_MALFORMED, "the node's state is no gzip");
    return st;
}

static sr_status sync_folder_of(const char *path, struct sr_err *err) {
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder ? 1 : 0] = 0;
    cleanup_close int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) return sr_fail(err, SR_E_SYS, "flush the folder of '%s'", path);
    return SR_OK;
}

/* Beside the old state, then in its place. Never whole in memory: it grows with the chain. */
static sr_status replace_state(struct slice packed, struct sr_err *err) {
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s.tmp", me.state_path);
    if (n < 0 || (size_t)n >= sizeof tmp) return sr_fail(err, SR_E_TOOBIG, "the state's path");
    cleanup_close int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return sr_fail(err, SR_E_SYS, "make '%s'", tmp);
    sr_status st = unpack(packed, fd, err);
    if (st == SR_OK && fsync(fd) != 0) st = sr_fail(err, SR_E_SYS, "flush '%s'", tmp);
    if (st == SR_OK && rename(tmp, me.state_path) != 0)
        st = sr_fail(err, SR_E_SYS, "rename to '%s'", me.state_path);
    if (st == SR_OK) return sync_folder_of(me.state_path, err);
    (void)unlink(tmp);
    return st;
}

struct saving {
    struct buf packed;
    sr_status st;
    struct sr_err err;
};

/* On a thread of the pool: the disk may be slow. */
static void write_state(void *arg) {
    struct saving *s = arg;
    s->st = replace_state(buf_slice(&s->packed), &s->err);
}

/* The node's whole state, packed; what it came in is gone on return. */
static sr_status fetch_state(struct buf *ret_packed, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    const struct json_val *result = NULL;
    SR_TRY(eth_rpc_call(me.rpc, "anvil_dumpState", "[]", &doc, &result, err));
    if (hex_decode_buf(json_text(result), ret_packed)) return SR_OK;
    return sr_fail(err, SR_E_MALFORMED, "the node's state is no hex text");
}

static sr_status save(struct sr_err *err) {
    struct saving s = {0};
    buf_init(&s.packed, STATE_MAX);
    sr_status st = fetch_state(&s.packed, err);
    if (st == SR_OK) st = fiber_offload(write_state, &s, err);
    if (st == SR_OK && s.st != SR_OK) {
        st = s.st;
        if (err && err->code == SR_OK) *err = s.err;
    }
    buf_done(&s.packed);
    (void)malloc_trim(0); /* some times the state's size, not needed until the next change */
    return st;
}

static void keep_saving(void *arg) {
    (void)arg;
    while (!net_stopping()) {
        if (!me.dirty) {
            sr_status st = fcond_wait(&me.changed, 0, NULL);
            if (st == SR_E_CANCELLED) return;
            continue;
        }
        if (fiber_sleep(SAVE_MS, NULL) != SR_OK) return;
        struct sr_err err = {0};
        me.dirty = false;
        sr_status st = save(&err);
        if (st == SR_OK || net_stopping()) continue;
        me.dirty = true;
        log_err(LOG_WARN, "state_not_saved", &err);
    }
}

static void note_change(void) {
    me.dirty = true;
    fcond_wake(&me.changed);
}

/* ---- mining */

enum { ASK_PENDING = 1, ASK_HEADS, ASK_MINE, ASK_POOL };

struct mining {
    struct ws *ws;
    int64_t mine_us;      /* when the next block is due; 0: nothing waits */
    int64_t heartbeat_us; /* when a block is due all the same */
    bool beat;            /* the block we asked for is a heartbeat: nothing to save */
};

static sr_status ask(struct mining *m, unsigned id, const char *method, const char *params,
                     struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, 1024);
    buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\",\"params\":%s}", id, method,
               params);
    SR_TRY(buf_status(&b, err));
    return ws_send(m->ws, buf_slice(&b), err);
}

static void transaction_waits(struct mining *m) {
    if (!m->mine_us) m->mine_us = clock_mono_us() + MINE_MS * 1000;
}

static sr_status mine(struct mining *m, struct sr_err *err) {
    m->beat = m->mine_us == 0;
    m->mine_us = 0;
    m->heartbeat_us = clock_mono_us() + HEARTBEAT_MS * 1000;
    SR_TRY(ask(m, ASK_MINE, "evm_mine", "[]", err));
    /* What did not fit into the block waits for the next one. */
    return ask(m, ASK_POOL, "txpool_status", "[]", err);
}

static sr_status hear(struct mining *m, struct slice text, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    SR_TRY(json_parse(text, &doc, err));
    const struct json_val *root = json_root(doc), *params = json_get(root, "params");
    uint64_t id = 0, waiting = 0;
    if (params) {
        if (json_is(json_get(params, "result"), JSON_OBJECT)) { /* a new head, whoever made it */
            if (!m->beat) note_change();
            m->beat = false;
        } else {
            transaction_waits(m);
        }
        return SR_OK;
    }
    (void)json_u64(json_get(root, "id"), &id);
    if (json_get(root, "error"))
        return sr_fail(err, SR_E_CHAIN, "the node refuses request %llu", (unsigned long long)id);
    if (id == ASK_POOL) {
        struct slice pending = json_text(json_get(json_get(root, "result"), "pending"));
        if (num_hex_u64(pending, &waiting) && waiting) transaction_waits(m);
    }
    return SR_OK;
}

static sr_status serve(struct mining *m, void (*on_ready)(void), struct sr_err *err) {
    SR_TRY(ask(m, ASK_PENDING, "eth_subscribe", "[\"newPendingTransactions\"]", err));
    SR_TRY(ask(m, ASK_HEADS, "eth_subscribe", "[\"newHeads\"]", err));
    SR_TRY(ask(m, ASK_POOL, "txpool_status", "[]", err)); /* sent while nobody listened */
    on_ready();
    cleanup_buf struct buf b;
    buf_init(&b, MESSAGE_MAX);
    m->heartbeat_us = clock_mono_us() + HEARTBEAT_MS * 1000;
    for (;;) {
        int64_t due = m->mine_us ? m->mine_us : m->heartbeat_us, left = due - clock_mono_us();
        if (left <= 0) {
            SR_TRY(mine(m, err));
            continue;
        }
        sr_status st = ws_recv(m->ws, (uint64_t)(left / 1000 + 1), &b, NULL);
        if (st == SR_E_TIMEOUT) continue;
        if (st != SR_OK) return sr_fail(err, st, "the node's connection ended");
        SR_TRY(hear(m, buf_slice(&b), err));
    }
}

static const struct role_flags *flags;

static void say_ready(void) {
    static bool said;
    if (!said) role_ready(flags, 0);
    said = true;
}

static void keep_mining(void *arg) {
    (void)arg;
    while (!net_stopping()) {
        struct mining m = {0};
        struct sr_err err = {0};
        sr_status st = ws_connect(me.ws_url, MESSAGE_MAX, &m.ws, &err);
        if (st == SR_OK) st = serve(&m, say_ready, &err);
        ws_close(m.ws);
        if (net_stopping()) return;
        log_err(LOG_WARN, "node_lost", &err);
        if (fiber_sleep(RETRY_MS, NULL) != SR_OK) return;
    }
}

int miner_main(int argc, char **argv) {
    static struct role_flags rf;
    const struct role_flag own[] = {
        {"--rpc", &me.rpc_url, true, "the node's HTTP address"},
        {"--ws", &me.ws_url, true, "the node's websocket address"},
        {"--state", &me.state_path, true, "the file for the chain's state"},
    };
    struct sr_err err = {0};
    sr_status st = role_parse(argc, argv, "miner", own, SR_ARRAY_LEN(own), &rf, &err);
    flags = &rf;
    if (st == SR_OK) st = role_begin(&rf, &err);
    if (st == SR_OK) st = eth_rpc_new(me.rpc_url, &me.rpc, &err);
    if (st == SR_OK) st = fiber_start(keep_mining, NULL, &err);
    if (st == SR_OK) st = fiber_start(keep_saving, NULL, &err);
    if (st != SR_OK) return role_fail(&rf, &err);
    int code = role_run(&rf);
    eth_rpc_free(me.rpc);
    return code;
}
