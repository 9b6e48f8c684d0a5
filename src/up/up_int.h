/* SPDX-License-Identifier: Apache-2.0 */
/* up_int.h - what the files of up share */
#pragma once
#include "up/up.h"
#include <stdio.h>
#include <sys/types.h>

#define UP_PORT          8545 /* the chain's; the others follow, see enum up_port */
#define UP_START_MS      60000
#define UP_STOP_MS       3000  /* a role that has not ended by then is killed */
#define UP_CHAIN_STOP_MS 10000 /* the chain writes its state */
#define UP_BACKOFF_MS    100   /* first pause before a dead role is started again, then doubled */
#define UP_BACKOFF_MAX   10000
#define UP_HEALTHY_MS    30000 /* up for so long: the pause starts small again */
#define UP_ARGS          64
#define UP_LOG_KEEP      (16u << 20) /* a log larger than this is set aside at the next start */
#define UP_SOCKET_PATH   100         /* bytes of a Unix socket's path */
#define UP_WORKERS       4
#define UP_APPS_MAX      (256u * 1024) /* bytes of apps.json */

enum up_port { PORT_CHAIN, PORT_MARKET, PORT_SMS, PORT_STORE, PORT_SCHEDULER, PORT_COUNT };
extern const char *const up_port_names[PORT_COUNT];

struct up_options {
    const char *word;            /* up, down, status */
    char *dir;                   /* owned, absolute */
    uint16_t base;               /* 0: any free ports */
    const char *egress_loopback; /* borrowed from argv; NULL: none */
    unsigned workers;            /* 1 to UP_WORKERS */
    bool json, detach;
};
/* Worker number i's account (development), role, vault and key file; all static. */
struct up_worker {
    const char *account, *name, *vault, *key;
};
extern const struct up_worker up_workers[UP_WORKERS];
SR_CHECK sr_status up_parse(int argc, char **argv, struct up_options *ret, struct sr_err *err);

/* ---- where things are */

struct up_tools {
    char *self, *vault, *room, *anvil, *chain_state, *chain_info; /* owned; vault NULL: not built */
};
SR_CHECK sr_status tools_find(struct up_tools *ret, struct sr_err *err);
void tools_done(struct up_tools *t);

/* The folder of a network. All paths owned. */
struct up_home {
    char *dir, *keys, *run, *logs, *chain, *state, *left, *info, *network, *status, *lock, *apps;
    int lock_fd;
    struct json *chain_doc; /* chain.json of this network */
    struct addr sms_identity;
    struct hash room_digest;
};
/* The paths only. */
SR_CHECK sr_status home_paths(const char *dir, struct up_home *ret, struct sr_err *err);
/* Takes the lock, makes what is missing: folders, keys, authority, chain state. */
SR_CHECK sr_status home_open(struct up_home *h, const struct up_tools *t, struct sr_err *err);
void home_done(struct up_home *h);
/* After a chain's end, and before its start: takes the state that anvil left, if it is whole and
 * the newer one. */
SR_CHECK sr_status home_settle_chain(const struct up_home *h, struct sr_err *err);
/* The process that runs this network now, 0 for none. */
SR_CHECK sr_status home_holder(const struct up_home *h, pid_t *ret_pid, struct sr_err *err);
/* Owned "dir/name"; never NULL (out of memory ends the program: nothing runs yet). */
char *up_path(const char *dir, const char *name);

/* ---- sockets */

struct up_sockets {
    int fd[PORT_COUNT]; /* listening; -1 for the chain, which opens its own */
    uint16_t port[PORT_COUNT];
    int vault_sms, vault_scheduler, vault_worker[UP_WORKERS];
};
struct up_sockets sockets_none(void);
SR_CHECK sr_status sockets_open(uint16_t base, unsigned workers, const struct up_home *h,
                                struct up_sockets *ret, struct sr_err *err);
void sockets_close(struct up_sockets *s);

/* ---- children */

typedef enum { CHILD_WAITING, CHILD_STARTING, CHILD_READY, CHILD_ENDED, CHILD_ABSENT } child_state;

struct child {
    const char *name;  /* static, also of its log and folder */
    const char *needs; /* starts after this one is ready; NULL: at once */
    char *argv[UP_ARGS];
    size_t argc;
    int listen_fd; /* -1: none; argv names it as --listen-fd 3 */
    bool is_chain;
    child_state state;
    pid_t pid;
    int pid_fd, ready_fd; /* ready_fd: the ready pipe, or the chain's output */
    char said[2048];      /* what came through ready_fd so far, its end */
    size_t n_said;
    unsigned restarts, failures_in_a_row;
    int64_t started_us, again_us;
    bool was_ready;
};
void child_init(struct child *c, const char *name, const char *needs);
void child_arg(struct child *c, const char *fmt, ...) SR_PRINTF(2, 3);
void child_done(struct child *c);
/* Starts it: fd 3 the listening socket, 4 the ready pipe, 5 the control pipe, 2 its log. */
SR_CHECK sr_status child_start(struct child *c, const struct up_home *h, int control_fd,
                               struct sr_err *err);

/* ---- the network */

#define UP_CHILDREN 24
struct network {
    struct up_options opt;
    struct up_tools tools;
    struct up_home home;
    struct up_sockets sockets;
    struct child child[UP_CHILDREN];
    size_t n;
    int control[2]; /* the roles end when the writing end closes */
    int signals;    /* signalfd */
    int64_t began_us;
    bool announced;
    FILE *out;
    int notify_fd; /* of the waiting parent, with --detach; -1 */
};
/* Fills the children from the plan: which roles, which flags. */
void plan_children(struct network *n, const struct up_env *env);
/* Runs until told to stop; everything is stopped when it returns. */
SR_CHECK sr_status supervise(struct network *n, struct sr_err *err);
SR_CHECK sr_status write_network_json(const struct network *n, struct sr_err *err);
SR_CHECK sr_status write_status_json(const struct network *n, struct sr_err *err);
int down_main(const struct up_options *opt);
int status_main(const struct up_options *opt);
int up_exit_code(const struct sr_err *err);
void up_complain(const char *who, const struct sr_err *err, bool json);
