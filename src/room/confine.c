/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an app may ask of the kernel. The list is short in words and long in numbers: files, memory,
 * threads, time, signals, pipes, and sockets that lead nowhere. Missing on purpose: anything that
 * mounts, traces, loads, makes namespaces or keys, reads other processes, or holds memory that the
 * room's watch cannot see (memfd_create, memfd_secret, shmget, io_uring, userfaultfd).
 */
#include "room/jail.h"
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define X32_BIT  0x40000000u
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif
#define CLONE_NEWTIME_FLAG 0x00000080u
#define NAMESPACE_FLAGS                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET | CLONE_NEWTIME_FLAG)
#define TTY_INJECT 0x5412u /* TIOCSTI */
#define TTY_LINUX  0x541cu /* TIOCLINUX */

/* Numbers that newer kernels added after this machine's headers. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static const unsigned short allowed[] = {
    /* files */
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_openat,
    SYS_openat2,
    SYS_close,
    SYS_close_range,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_lseek,
    SYS_dup,
    SYS_dup3,
    SYS_fcntl,
    SYS_flock,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_truncate,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fadvise64,
    SYS_readahead,
    SYS_getdents64,
    SYS_getcwd,
    SYS_chdir,
    SYS_fchdir,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_readlinkat,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchmodat2,
    SYS_fchown,
    SYS_fchownat,
    SYS_umask,
    SYS_utimensat,
    SYS_mknodat,
    SYS_getxattr,
    SYS_lgetxattr,
    SYS_fgetxattr,
    SYS_listxattr,
    SYS_llistxattr,
    SYS_flistxattr,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_splice,
    SYS_tee,
    SYS_vmsplice,
    SYS_pipe2,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_sync,
    SYS_syncfs,
    SYS_cachestat,
    /* waiting */
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_signalfd4,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_io_setup,
    SYS_io_submit,
    SYS_io_getevents,
    SYS_io_cancel,
    SYS_io_destroy,
    /* memory */
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_msync,
    SYS_mincore,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_mlockall,
    SYS_munlockall,
    SYS_brk,
    SYS_membarrier,
    SYS_pkey_alloc,
    SYS_pkey_free,
    SYS_pkey_mprotect,
    SYS_get_mempolicy,
    /* processes and threads */
    SYS_execve,
    SYS_execveat,
    SYS_exit,
    SYS_exit_group,
    SYS_wait4,
    SYS_waitid,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getpgid,
    SYS_setpgid,
    SYS_getsid,
    SYS_setsid,
    SYS_futex,
    SYS_futex_waitv,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_set_tid_address,
    SYS_rseq,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_setaffinity,
    SYS_sched_getparam,
    SYS_sched_setparam,
    SYS_sched_getscheduler,
    SYS_sched_setscheduler,
    SYS_sched_getattr,
    SYS_sched_setattr,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_sched_rr_get_interval,
    SYS_getpriority,
    SYS_setpriority,
    SYS_ioprio_get,
    SYS_ioprio_set,
    SYS_prlimit64,
    SYS_getrlimit,
    SYS_setrlimit,
    SYS_getrusage,
    SYS_times,
    SYS_prctl,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_getcpu,
    SYS_capget,
    SYS_capset,
    SYS_seccomp,
    SYS_restart_syscall,
    SYS_landlock_create_ruleset,
    SYS_landlock_add_rule,
    SYS_landlock_restrict_self,
    /* who and where */
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_setgroups,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrandom,
    /* signals */
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigsuspend,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_sigaltstack,
    /* time */
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_gettimeofday,
    SYS_nanosleep,
    SYS_getitimer,
    SYS_setitimer,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_getoverrun,
    SYS_timer_delete,
    /* sockets of the allowed families (socket itself is looked at) */
    SYS_socketpair,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_connect,
    SYS_getsockname,
    SYS_getpeername,
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_shutdown,
#if defined(__x86_64__)
    /* the old names that aarch64 never had */
    SYS_open,
    SYS_creat,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_eventfd,
    SYS_signalfd,
    SYS_inotify_init,
    SYS_pipe,
    SYS_dup2,
    SYS_getdents,
    SYS_rename,
    SYS_renameat,
    SYS_mkdir,
    SYS_rmdir,
    SYS_link,
    SYS_unlink,
    SYS_symlink,
    SYS_readlink,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_mknod,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_getpgrp,
    SYS_alarm,
    SYS_pause,
    SYS_time,
    SYS_fork,
    SYS_vfork,
    SYS_arch_prctl,
#else
    SYS_renameat,
#endif
};

#define MAX_INSNS 1024u
struct program {
    struct sock_filter v[MAX_INSNS];
    unsigned short n;
};

static void put(struct program *p, unsigned code, uint32_t k, unsigned jt, unsigned jf) {
    SR_ASSERT(p->n < MAX_INSNS && jt < 256 && jf < 256);
    p->v[p->n++] = (struct sock_filter){(unsigned short)code, (uint8_t)jt, (uint8_t)jf, k};
}
#define LOAD(field)                                                                                \
    put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field), 0, 0)
#define ANSWER(k) put(p, BPF_RET | BPF_K, (k), 0, 0)
#define ALLOW     SECCOMP_RET_ALLOW
#define REFUSE(e) (SECCOMP_RET_ERRNO | (e))

/* If nr is not the loaded word, skip the next `n` instructions. */
static void unless(struct program *p, uint32_t nr, unsigned n) {
    put(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, n);
}

/* Calls whose first arguments (low halves) decide. Each block ends in an answer. */
static void put_looked_at(struct program *p) {
    unless(p, SYS_clone, 4);
    LOAD(args[0]);
    put(p, BPF_JMP | BPF_JSET | BPF_K, (uint32_t)NAMESPACE_FLAGS, 0, 1);
    ANSWER(REFUSE(EPERM));
    ANSWER(ALLOW);

    unless(p, SYS_socket, 10);
    LOAD(args[0]);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 3, 0);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
    ANSWER(REFUSE(EAFNOSUPPORT));
    LOAD(args[1]);
    put(p, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, SOCK_RAW, 0, 1);
    ANSWER(REFUSE(EPERM));
    ANSWER(ALLOW);

    unless(p, SYS_ioctl, 5);
    LOAD(args[1]);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, TTY_INJECT, 1, 0);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, TTY_LINUX, 0, 1);
    ANSWER(REFUSE(EPERM));
    ANSWER(ALLOW);

    unless(p, SYS_personality, 5);
    LOAD(args[0]);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, 0xffffffffu, 0, 1);
    ANSWER(ALLOW);
    ANSWER(REFUSE(EPERM));
}

static int by_number(const void *a, const void *b) {
    return (int)*(const unsigned short *)a - (int)*(const unsigned short *)b;
}

/* The sorted list as ranges: a call in one is allowed, one below the next range is not there. */
static void put_ranges(struct program *p) {
    unsigned short v[SR_ARRAY_LEN(allowed)];
    size_t n = SR_ARRAY_LEN(allowed);
    memcpy(v, allowed, sizeof allowed);
    qsort(v, n, sizeof *v, by_number);
    for (size_t i = 0; i < n;) {
        uint32_t low = v[i], high = low;
        for (i++; i < n && v[i] <= high + 1; i++) high = v[i];
        put(p, BPF_JMP | BPF_JGT | BPF_K, high, 3, 0);
        put(p, BPF_JMP | BPF_JGE | BPF_K, low, 0, 1);
        ANSWER(ALLOW);
        ANSWER(REFUSE(ENOSYS));
    }
    ANSWER(REFUSE(ENOSYS));
}

int confine_seccomp(void) {
    static struct program program;
    struct program *p = &program;
    p->n = 0;
    LOAD(arch);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
    ANSWER(SECCOMP_RET_KILL_PROCESS);
    LOAD(nr);
#ifdef X32_BIT
    put(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    ANSWER(SECCOMP_RET_KILL_PROCESS);
#endif
    put_looked_at(p);
    put_ranges(p);
    struct sock_fprog prog = {.len = p->n, .filter = p->v};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0 ? 0 : errno;
}

/* ---- landlock: constants here, for the headers are older than the kernels ---- */

#define LL_RULESET_VERSION 1u
#define LL_RULE_PATH       1
#define LL_MAKE_CHAR       (1ull << 6)
#define LL_MAKE_BLOCK      (1ull << 11)
#define LL_IOCTL_DEV       (1ull << 15)
#define LL_SCOPE_ABSTRACT  1ull
#define LL_SCOPE_SIGNAL    2ull

struct ll_ruleset {
    uint64_t fs, net, scoped;
};
struct ll_path {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

/* The app's own tree, without making or driving devices; no signals or abstract sockets outside. */
int confine_landlock(void) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_RULESET_VERSION);
    if (abi < 1) return 0; /* an older kernel: the namespaces and seccomp stand alone */
    unsigned bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
    struct ll_ruleset set = {.fs = (1ull << bits) - 1};
    size_t size = sizeof set.fs;
    if (abi >= 4) size = sizeof set.fs + sizeof set.net;
    if (abi >= 6) {
        set.scoped = LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL;
        size = sizeof set;
    }
    cleanup_close int rules = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
    cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rules < 0 || root < 0) return errno;
    struct ll_path rule = {.allowed = set.fs & ~(LL_MAKE_CHAR | LL_MAKE_BLOCK | LL_IOCTL_DEV),
                           .fd = root};
    if (syscall(SYS_landlock_add_rule, rules, LL_RULE_PATH, &rule, 0) != 0) return errno;
    return syscall(SYS_landlock_restrict_self, rules, 0) == 0 ? 0 : errno;
}
