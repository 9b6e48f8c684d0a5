/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From fork to execve: the child builds the app's namespace step by step; the first step that fails
 * is told to the room through a pipe that a successful execve closes.
 */
#include "room/jail.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct report { /* through the pipe */
    int error;  /* errno */
    bool image; /* the image's fault, not this machine's */
    char step[60];
};
struct child_fds {
    int go, report, out, err;
};

_Noreturn static void child_fails(int fd, bool image, const char *step) {
    struct report r = {.error = errno, .image = image};
    (void)snprintf(r.step, sizeof r.step, "%s", step);
    ssize_t n = write(fd, &r, sizeof r);
    (void)n;
    _exit(127);
}

/* ---- mounts ---- */

/* A folder of the image, made when missing, with no link on the way. */
static int image_folder(int root, const char *name, mode_t mode) {
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    if (mkdirat(root, name, mode) == 0 && fchmodat(root, name, mode, 0) != 0) return -1;
    return (int)syscall(SYS_openat2, root, name, &how, sizeof how);
}

/* Hangs folder `from` over the image's folder `name`. */
static bool hang(int root, const char *from, const char *name, bool read_only) {
    cleanup_close int to = image_folder(root, name, 0755);
    cleanup_close int tree = (int)syscall(SYS_open_tree, AT_FDCWD, from,
                                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (to < 0 || tree < 0) return false;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (read_only && syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) != 0)
        return false;
    return syscall(SYS_move_mount, tree, "", to, "",
                   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

static bool hang_proc(int root) {
    cleanup_close int to = image_folder(root, "proc", 0555);
    cleanup_close int fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
    if (to < 0 || fs < 0) return false;
    (void)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "subset", "pid", 0);
    if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) return false;
    cleanup_close int mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
                                         MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return mnt >= 0 && syscall(SYS_move_mount, mnt, "", to, "",
                               MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

static void child_mounts(int report) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        child_fails(report, false, "making the app's mounts private");
    if (mount(JAIL_APP_DIR, JAIL_APP_DIR, NULL, MS_BIND | MS_REC, NULL) != 0)
        child_fails(report, false, "binding the image");
    int root = open(JAIL_APP_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) child_fails(report, false, "opening the image");
    if (!hang(root, JAIL_IN_DIR, "iexec_in", true))
        child_fails(report, true, "the image's /iexec_in");
    if (!hang(root, JAIL_OUT_DIR, "iexec_out", false))
        child_fails(report, true, "the image's /iexec_out");
    if (!hang(root, "/dev", "dev", false)) child_fails(report, true, "the image's /dev");
    if (!hang_proc(root)) child_fails(report, true, "the image's /proc");
    int tmp = image_folder(root, "tmp", 01777);
    if (tmp < 0) child_fails(report, true, "the image's /tmp");
    (void)close(tmp);
    if (fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        child_fails(report, false, "making the image the root");
    (void)close(root);
}

/* ---- rights ---- */

static bool limit(int what, uint64_t value) {
    struct rlimit r = {(rlim_t)value, (rlim_t)value};
    return setrlimit((__rlimit_resource_t)what, &r) == 0;
}

static void child_limits(const struct app_spec *spec, int report) {
    if (!limit(RLIMIT_NPROC, spec->processes) || !limit(RLIMIT_FSIZE, spec->file_bytes) ||
        !limit(RLIMIT_CORE, 0) || !limit(RLIMIT_NOFILE, JAIL_OPEN_FILES) ||
        !limit(RLIMIT_MEMLOCK, 64u << 10) || !limit(RLIMIT_MSGQUEUE, 0))
        child_fails(report, false, "setting the app's limits");
}

/* The app is user 0 of its namespace, and that means nothing: no capability, now or after an
 * execve. */
static void child_drop(int report) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                               SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                               SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (prctl(PR_SET_SECUREBITS, bits) != 0) child_fails(report, false, "locking the app's rights");
    for (unsigned long cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) != 0 && errno != EINVAL)
            child_fails(report, false, "dropping the app's rights");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_capset, &head, none) != 0)
        child_fails(report, false, "dropping the app's rights");
    errno = confine_landlock();
    if (errno != 0) child_fails(report, false, "confining the app (landlock)");
    errno = confine_seccomp();
    if (errno != 0) child_fails(report, false, "confining the app (seccomp)");
}

static void child_stdio(const struct child_fds *f, int report) {
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) != 0 || dup2(f->out, 1) != 1 || dup2(f->err, 2) != 2)
        child_fails(report, false, "giving the app its output");
    /* Everything else of the room's, but the report pipe, which execve closes. */
    if (dup3(report, 3, O_CLOEXEC) != 3 || close_range(4, ~0u, 0) != 0)
        child_fails(3, false, "closing the room's descriptors");
}

static void child_signals(void) {
    sigset_t none;
    (void)sigemptyset(&none);
    for (int s = 1; s < 65; s++) (void)signal(s, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A name without "/" is looked up along the image's PATH, as container engines do. */
static void exec_app(const struct app_spec *spec) {
    static const char name[] = "PATH=";
    const char *program = spec->argv[0];
    char path[4096];
    struct slice rest = {NULL, 0}, one;
    if (strchr(program, '/')) {
        (void)execve(program, spec->argv, spec->envp);
        return;
    }
    for (char *const *e = spec->envp; *e; e++)
        if (strncmp(*e, name, sizeof name - 1) == 0) rest = slice_str(*e + sizeof name - 1);
    errno = ENOENT;
    while (rest.n > 0) {
        (void)slice_cut(rest, ':', &one, &rest);
        int n = snprintf(path, sizeof path, "%.*s/%s", (int)one.n, (const char *)one.p, program);
        if (n > 0 && (size_t)n < sizeof path) (void)execve(path, spec->argv, spec->envp);
        if (errno != ENOENT && errno != ENOTDIR) return;
    }
}

_Noreturn static void child_main(const struct app_spec *spec, const struct child_fds *f) {
    char go;
    if (read(f->go, &go, 1) != 1) _exit(127); /* the room has gone */
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
        child_fails(f->report, false, "becoming the app's user");
    child_mounts(f->report);
    if (sethostname("room", 4) != 0) child_fails(f->report, false, "naming the app's host");
    child_stdio(f, f->report);
    (void)setsid();
    child_signals();
    child_limits(spec, 3);
    (void)umask(0022);
    if (chdir(spec->workdir) != 0) child_fails(3, true, "the image's working folder");
    child_drop(3);
    exec_app(spec);
    child_fails(3, true, "starting the image's program");
}

/* ---- the room's side ---- */

static sr_status write_text(const char *path, const char *text, struct sr_err *err) {
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return sr_fail(err, SR_E_SYS, "writing %s", path);
    return SR_OK;
}

static sr_status map_ids(pid_t pid, unsigned id, struct sr_err *err) {
    char path[64], map[32];
    (void)snprintf(map, sizeof map, "0 %u 1\n", id);
    /* Where memory ends, the kernel must end the app, not the room. */
    (void)snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
    SR_TRY(write_text(path, "1000", err));
    (void)snprintf(path, sizeof path, "/proc/%d/setgroups", (int)pid);
    (void)!write_text(path, "deny", NULL);
    (void)snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
    SR_TRY(write_text(path, map, err));
    (void)snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
    return write_text(path, map, err);
}

/* Reads the child's report: none means that execve succeeded. */
static sr_status await_start(int fd, struct sr_err *err) {
    struct report r;
    ssize_t n;
    do n = read(fd, &r, sizeof r);
    while (n < 0 && errno == EINTR);
    if (n == 0) return SR_OK;
    if (n != (ssize_t)sizeof r) return sr_fail(err, SR_E_SYS, "starting the app");
    r.step[sizeof r.step - 1] = 0;
    errno = r.error;
    if (!r.image) return sr_fail(err, SR_E_SYS, "%s", r.step);
    return sr_fail(err, SR_E_TASK, "%s: %s", r.step, strerror(r.error));
}

static sr_status fork_app(const struct jail *j, const struct app_spec *spec, int go[2],
                          int report[2], int out, int errfd, struct app_proc *p,
                          struct sr_err *err) {
    struct clone_args args = {
        /* The network namespace stays the room's, which has no way out either: a second one costs
           0.6 ms. */
        .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_NEWCGROUP | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&p->pidfd,
        .exit_signal = SIGCHLD,
    };
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0) return sr_fail(err, SR_E_SYS, "making the app's namespaces");
    if (pid == 0) {
        (void)close(go[1]);
        child_main(spec, &(struct child_fds){go[0], report[1], out, errfd});
    }
    p->pid = (pid_t)pid;
    (void)close(sr_take_fd(report[1]));
    SR_TRY(map_ids(p->pid, j->app_id, err));
    if (write(go[1], "g", 1) != 1) return sr_fail(err, SR_E_SYS, "starting the app");
    return await_start(report[0], err);
}

sr_status app_start(const struct jail *j, const struct app_spec *spec, struct app_proc *ret_p,
                    struct sr_err *err) {
    int fds[4][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}}; /* go, report, out, err */
    struct app_proc p = {.pidfd = -1, .out = -1, .err = -1};
    sr_status st = SR_OK;
    for (size_t i = 0; i < SR_ARRAY_LEN(fds) && st == SR_OK; i++)
        if (pipe2(fds[i], O_CLOEXEC) != 0) st = sr_fail(err, SR_E_SYS, "making the app's pipes");
    if (st == SR_OK) st = fork_app(j, spec, fds[0], fds[1], fds[2][1], fds[3][1], &p, err);
    p.out = sr_take_fd(fds[2][0]);
    p.err = sr_take_fd(fds[3][0]);
    for (size_t i = 0; i < SR_ARRAY_LEN(fds); i++)
        for (size_t k = 0; k < 2; k++)
            if (fds[i][k] >= 0) (void)close(fds[i][k]);
    if (st != SR_OK) {
        app_drop(&p);
        return st;
    }
    *ret_p = p;
    return SR_OK;
}

void app_drop(struct app_proc *p) {
    if (p->pid > 0) {
        (void)kill(p->pid, SIGKILL); /* process 1 of its namespace: all others go with it */
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (p->pidfd >= 0) (void)close(p->pidfd);
    if (p->out >= 0) (void)close(p->out);
    if (p->err >= 0) (void)close(p->err);
    *p = (struct app_proc){.pidfd = -1, .out = -1, .err = -1};
}
