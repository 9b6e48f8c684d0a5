/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role.h - how every long-lived process of the house starts, says that it is ready, and ends
 *
 * A role is started by a supervisor with descriptors it names on the command line:
 *   --listen-fd N    an inherited listening socket (else --listen HOST:PORT)
 *   --ready-fd N     one line of JSON is written when the role serves: {"ready":true,"port":P}; or
 * {"error":{code,what,hint}}
 *   --control-fd N   the role stops when this closes: no supervisor, no role
 * It stops on SIGTERM, SIGINT and at the end of the control descriptor, within a second.
 *
 * Depends on: net.  Used by: market, sms, store, scheduler, worker, vault mains.
 */
#pragma once
#include "net/net.h"

struct role_flags {
    const char *name; /* static: "market" */
    const char *dir;  /* --dir: where the role keeps its state */
    const char *listen_host;
    uint16_t listen_port;
    int listen_fd, ready_fd, control_fd; /* -1: none */
    log_level level;
    struct http_limits limits; /* --rate N[/BURST], --client-header NAME */
    bool access_log;           /* --access-log on */
};
/* A table of a role's own flags; value NULL before parsing; required ones missing give SR_E_USAGE
 * naming them. */
struct role_flag {
    const char *name; /* "--rpc" */
    const char **ret_value;
    bool required;
    const char *help;
};
/*
 * Reads argv (after the role's name). Also --log LEVEL, and for what listens:
 *   --rate N[/BURST]      requests a second from one address (none without it: the dev network)
 *   --client-header NAME  a proxy in front writes the client's address into this header
 *   --access-log on       a line for each request
 */
SR_CHECK sr_status role_parse(int argc, char **argv, const char *name,
                              const struct role_flag *flags, size_t n, struct role_flags *ret,
                              struct sr_err *err);
/* Logging, loop, signals, control descriptor. */
SR_CHECK sr_status role_begin(const struct role_flags *rf, struct sr_err *err);
void role_ready(const struct role_flags *rf, uint16_t port); /* tells the supervisor, logs */
int role_fail(const struct role_flags *rf,
              const struct sr_err *err); /* tells the supervisor, logs; returns an exit code */
/* net_run, then net_done; returns 0. */
int role_run(const struct role_flags *rf);

#define ROLE_DISK_LEFT (64ull << 20)
/* For /health: can this folder be written to, and is there room? Adds "diskFreeBytes". */
SR_CHECK sr_status role_disk_health(const char *dir, struct jw *checks, struct sr_err *err);
