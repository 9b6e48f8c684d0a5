/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/launcher.h"
#include "crypto/crypto.h"
#include "room/guard.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Rooms started by root get two ids out of this range, which no distribution gives to people,
 * services or containers. */
#define ID_FIRST 0x70000000u
#define ID_SPAN  0x0ffffff0u
#define FD_FREE  10 /* descriptors below are arranged for the room */

/* ---- the child: from clone to the room's main; calls only what may be called here ---- */

struct child {
    int go, stream, ns, room;
    bool has_ids;
};

_Noreturn static void child_main(const struct child *c) {
    static char name[] = "room";
#ifdef CHECKED_BUILD
    static char asan[] =
        "ASAN_OPTIONS=detect_leaks=0:handle_segv=0"; /* a leak check needs to trace */
    char *envp[] = {asan, NULL};
#else
    char *envp[] = {NULL};
#endif
    char *argv[] = {name, NULL}, go;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(c->go, &go, 1) != 1) _exit(1); /* the launcher has gone, or could not map our ids */
    if (c->has_ids && setgroups(0, NULL) != 0) _exit(2);
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) _exit(2);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* changing ids forgot it */
    int stream = fcntl(c->stream, F_DUPFD_CLOEXEC, FD_FREE);
    int ns = fcntl(c->ns, F_DUPFD_CLOEXEC, FD_FREE);
    int room = fcntl(c->room, F_DUPFD_CLOEXEC, FD_FREE);
    int null = open("/dev/null", O_RDWR);
    if (stream < 0 || ns < 0 || room < 0 || null < 0 || dup2(null, 0) != 0 || dup2(null, 1) != 1 ||
        dup2(stream, ROOM_FD_STREAM) != ROOM_FD_STREAM ||
        dup2(ns, ROOM_FD_HOST_NS) != ROOM_FD_HOST_NS)
        _exit(3);
    /* Standard error stays the worker's: the room's refusals show there. Nothing else is passed on.
     */
    if (close_range(5, (unsigned)room - 1, 0) != 0 || close_range((unsigned)room + 1, ~0u, 0) != 0)
        _exit(3);
    sigset_t none;
    (void)sigemptyset(&none);
    for (int s = 1; s < 65; s++) (void)signal(s, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)syscall(SYS_execveat, room, "", argv, envp, AT_EMPTY_PATH);
    _exit(4);
}

/* ---- the worker's side ---- */

static sr_status write_proc(pid_t pid, const char *name, const char *text, struct sr_err *err) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return sr_fail(err, SR_E_SYS, "mapping the room's ids (%s)", name);
    return SR_OK;
}

static sr_status map_ids(const struct launcher *l, pid_t pid, struct sr_err *err) {
    char uids[64], gids[64];
    if (l->has_ids) {
        uint32_t pick;
        SR_TRY(random_bytes(&pick, sizeof pick, err));
        pick = ID_FIRST + pick % ID_SPAN / 2 * 2;
        (void)snprintf(uids, sizeof uids, "0 %u 2\n", pick);
        (void)snprintf(gids, sizeof gids, "0 %u 2\n", pick);
    } else {
        (void)snprintf(uids, sizeof uids, "0 %u 1\n", (unsigned)geteuid());
        (void)snprintf(gids, sizeof gids, "0 %u 1\n", (unsigned)getegid());
        SR_TRY(write_proc(pid, "setgroups", "deny", err));
    }
    SR_TRY(write_proc(pid, "gid_map", gids, err));
    return write_proc(pid, "uid_map", uids, err);
}

static sr_status forbidden(struct sr_err *err) {
    int e = errno;
    sr_hint(
        err,
        "allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
        "kernel.apparmor_restrict_unprivileged_userns), or start the worker as root");
    errno = e;
    return sr_fail(err, SR_E_UNAVAILABLE, "this system does not let us make a room: %s",
                   strerror(e));
}

sr_status launcher_start(const struct launcher *l, struct launched *ret_r, struct sr_err *err) {
    int pair[2], go[2];
    struct launched r = {.pidfd = -1, .stream = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return sr_fail(err, SR_E_SYS, "making the room's stream");
    if (pipe2(go, O_CLOEXEC) != 0) {
        (void)close(pair[0]);
        (void)close(pair[1]);
        return sr_fail(err, SR_E_SYS, "making the room's stream");
    }
    struct clone_args args = {
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                 CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&r.pidfd,
        .exit_signal = SIGCHLD,
    };
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        (void)close(go[1]);
        child_main(&(struct child){go[0], pair[1], l->ns_fd, l->room_fd, l->has_ids});
    }
    sr_status st = SR_OK;
    if (pid < 0) st = forbidden(err);
    r.pid = pid > 0 ? (pid_t)pid : 0;
    r.stream = pair[0];
    (void)close(pair[1]);
    (void)close(go[0]);
    if (st == SR_OK) cgroup_enter(&l->cgroups, r.pid, l->memory_bytes, r.cgroup);
    if (st == SR_OK) st = map_ids(l, r.pid, err);
    if (st == SR_OK && write(go[1], "g", 1) != 1) st = sr_fail(err, SR_E_SYS, "starting the room");
    (void)close(go[1]);
    if (st != SR_OK) {
        launched_end(&r);
        return st;
    }
    *ret_r = r;
    return SR_OK;
}

void launched_end(struct launched *r) {
    if (r->pid > 0) {
        siginfo_t info;
        (void)syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t)r->pidfd, &info, WEXITED) != 0 && errno == EINTR) {
        }
    }
    if (r->pidfd >= 0) (void)close(r->pidfd);
    if (r->stream >= 0) (void)close(r->stream);
    cgroup_remove(r->cgroup);
    *r = (struct launched){.pidfd = -1, .stream = -1};
}

/* ---- at start ---- */

static sr_status measure(int fd, struct hash *ret, struct sr_err *err) {
    struct sha256 s;
    cleanup_free uint8_t *copy = malloc(65536);
    if (!copy) return sr_fail(err, SR_E_NOMEM, "measuring the room");
    SR_TRY(sha256_init(&s, err));
    for (off_t off = 0;;) {
        ssize_t n = pread(fd, copy, 65536, off);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            sha256_drop(&s);
            return sr_fail(err, SR_E_SYS, "measuring the room");
        }
        if (n == 0) break;
        sha256_add(&s, slice_of(copy, (size_t)n));
        off += n;
    }
    *ret = sha256_end(&s);
    return SR_OK;
}

/* A room whose stream ends at once ends by itself with 1: so it got through its guard. */
static sr_status try_once(const struct launcher *l, struct sr_err *err) {
    struct launched r;
    siginfo_t info = {0};
    SR_TRY(launcher_start(l, &r, err));
    (void)shutdown(r.stream, SHUT_RDWR);
    struct pollfd p = {.fd = r.pidfd, .events = POLLIN};
    bool ended =
        poll(&p, 1, 5000) == 1 && waitid(P_PIDFD, (id_t)r.pidfd, &info, WEXITED | WNOWAIT) == 0;
    launched_end(&r);
    if (ended && info.si_code == CLD_EXITED && info.si_status == 1) return SR_OK;
    sr_hint(err,
            "is --room this release's room executable, and may everybody read and execute it?");
    return sr_fail(err, SR_E_UNAVAILABLE, "a room does not start here (%s %d)",
                   info.si_code == CLD_EXITED ? "exit code" : "signal", info.si_status);
}

sr_status launcher_init(const char *room_path, struct launcher *ret_l, struct sr_err *err) {
    struct launcher l = {.room_fd = open(room_path, O_RDONLY | O_CLOEXEC), .ns_fd = -1};
    if (l.room_fd < 0) {
        sr_hint(err, "--room names the room executable that was built with this program");
        return sr_fail(err, SR_E_NOTFOUND, "no room executable at '%s': %s", room_path,
                       strerror(errno));
    }
    l.has_ids = geteuid() == 0;
    cgroups_find(&l.cgroups);
    l.ns_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    sr_status st = l.ns_fd < 0 ? sr_fail(err, SR_E_SYS, "opening /proc/self/ns/mnt")
                               : measure(l.room_fd, &l.room_sha256, err);
    if (st == SR_OK) st = try_once(&l, err);
    if (st != SR_OK) {
        launcher_done(&l);
        return st;
    }
    *ret_l = l;
    return SR_OK;
}

void launcher_done(struct launcher *l) {
    if (l->room_fd >= 0) (void)close(l->room_fd);
    if (l->ns_fd >= 0) (void)close(l->ns_fd);
    *l = (struct launcher){.room_fd = -1, .ns_fd = -1};
}
