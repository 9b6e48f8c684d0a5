/* SPDX-License-Identifier: Apache-2.0 */
/* down.c - stops a running network, or shows it */
#include "up/up_int.h"
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DOWN_MS (UP_STOP_MS * 2 + UP_CHAIN_STOP_MS + 5000)

static sr_status stop_it(const struct up_home *h, bool *ret_was, struct sr_err *err) {
    pid_t pid = 0;
    SR_TRY(home_holder(h, &pid, err));
    *ret_was = pid > 0;
    if (pid <= 0) return SR_OK;
    cleanup_close int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 && errno == ESRCH) return SR_OK;
    if (fd < 0) return sr_fail(err, SR_E_SYS, "watch process %d", (int)pid);
    /* Still the same one: the lock's holder cannot have changed while we hold its descriptor. */
    pid_t again = 0;
    SR_TRY(home_holder(h, &again, err));
    if (again != pid) return SR_OK;
    if (syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
        return sr_fail(err, SR_E_SYS, "stop process %d", (int)pid);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int r = poll(&p, 1, DOWN_MS);
    if (r > 0) return SR_OK;
    sr_hint(err, "kill -9 %d stops it at once; the chain's last seconds may be lost", (int)pid);
    return sr_fail(err, SR_E_TIMEOUT, "process %d does not end", (int)pid);
}

int down_main(const struct up_options *opt) {
    struct sr_err err = {0};
    struct up_home h;
    bool was = false;
    sr_status st = home_paths(opt->dir, &h, &err);
    if (st == SR_OK) st = stop_it(&h, &was, &err);
    if (st != SR_OK)
        up_complain("down", &err, opt->json);
    else if (opt->json)
        (void)printf("{\"stopped\":%s}\n", was ? "true" : "false");
    else if (was)
        (void)printf("stopped\n");
    else
        (void)printf("no network is running in %s\n", opt->dir);
    home_done(&h);
    return st == SR_OK ? 0 : up_exit_code(&err);
}

static void show(const struct up_options *opt, pid_t pid, const struct json_val *doc) {
    bool ready = false;
    (void)json_bool(json_get(doc, "ready"), &ready);
    (void)printf("network in %s, process %d, %s\n", opt->dir, (int)pid,
                 ready ? "ready" : "starting");
    for (const struct json_val *r = json_first(json_get(doc, "roles")); r; r = json_next(r)) {
        struct slice name = json_text(json_get(r, "name")), state = json_text(json_get(r, "state"));
        uint64_t role_pid = 0, restarts = 0;
        (void)json_u64(json_get(r, "pid"), &role_pid);
        (void)json_u64(json_get(r, "restarts"), &restarts);
        (void)printf("  %-16.*s %-11.*s", (int)name.n, (const char *)name.p, (int)state.n,
                     (const char *)state.p);
        if (role_pid) (void)printf(" process %llu", (unsigned long long)role_pid);
        if (restarts) (void)printf(", started again %llu times", (unsigned long long)restarts);
        (void)printf("\n");
    }
}

int status_main(const struct up_options *opt) {
    struct sr_err err = {0};
    struct up_home h;
    pid_t pid = 0;
    sr_status st = home_paths(opt->dir, &h, &err);
    if (st == SR_OK) st = home_holder(&h, &pid, &err);
    cleanup_buf struct buf b;
    buf_init(&b, 1u << 20);
    cleanup_json struct json *doc = NULL;
    if (st == SR_OK && pid > 0 && fs_read(h.status, &b, NULL) == SR_OK)
        st = json_parse(buf_slice(&b), &doc, &err);
    if (st == SR_OK && pid <= 0) {
        sr_hint(&err, "strongroom up starts one");
        st = sr_fail(&err, SR_E_UNAVAILABLE, "no network is running in '%s'", opt->dir);
    }
    if (st != SR_OK)
        up_complain("status", &err, opt->json);
    else if (opt->json)
        (void)printf("%s", b.n ? buf_cstr(&b) : "{\"ready\":false,\"roles\":[]}\n");
    else
        show(opt, pid, json_root(doc));
    home_done(&h);
    return st == SR_OK ? 0 : up_exit_code(&err);
}
