/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile - an app that tries every way out of its room; ends with the number of ways that worked
 *
 * Arguments: a TCP port of the host's loopback, an abstract socket's name, a process id, a folder
 * of the host. Static; one line a try on standard output.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Decimal digits at the start of s, as a small number. */
static int number(const char *s) {
    int n = 0;
    for (; *s >= '0' && *s <= '9' && n < 100000000; s++) n = n * 10 + (*s - '0');
    return n;
}

static unsigned escaped, tried;

/* got: the way was open. */
static void try_is(const char *name, int got) {
    int e = errno;
    tried++;
    if (got) escaped++;
    (void)printf("%s %s%s%s\n", got ? "OPEN  " : "closed", name, got ? "" : ": ",
                 got ? "" : strerror(e));
}
#define CALL(name, ...) (errno = 0, try_is((name), syscall(__VA_ARGS__) >= 0))

static int opens(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) return 0;
    (void)close(fd);
    return 1;
}

static void try_files(const char *host_dir) {
    static const char *const paths[] = {"/etc/passwd", "/etc/shadow", "/root", "/home", "/sys",
                                        "/var",        "/usr",        "/run",  "/boot", "/app/app",
                                        "/in",         "/out",        "/old"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        char name[100];
        (void)snprintf(name, sizeof name, "open %s", paths[i]);
        try_is(name, opens(paths[i], O_RDONLY));
    }
    try_is("open a folder of the host", opens(host_dir, O_RDONLY));
    try_is("/proc/1/root of the host", opens("/proc/1/root/etc/passwd", O_RDONLY));
    char cwd[300];
    (void)snprintf(cwd, sizeof cwd, "/proc/self/root/../..%s", host_dir);
    try_is("dot-dot above the root", opens(cwd, O_RDONLY));
    errno = 0;
    int up = chdir("/") == 0 && chdir("../../../..") == 0 && opens("etc/passwd", O_RDONLY);
    try_is("chdir above the root", up);
    (void)!chdir("/");
    static const char *const devices[] = {"/dev/mem",
                                          "/dev/kmsg",
                                          "/dev/sda",
                                          "/dev/vda",
                                          "/dev/tty",
                                          "/dev/fuse",
                                          "/dev/kvm",
                                          "/dev/net/tun",
                                          "/proc/kcore",
                                          "/proc/sysrq-trigger",
                                          "/proc/sys/kernel/core_pattern",
                                          "/proc/kallsyms",
                                          "/proc/keys",
                                          "/proc/mounts/../../1/mem"};
    for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++) {
        char name[100];
        (void)snprintf(name, sizeof name, "open %s", devices[i]);
        try_is(name, opens(devices[i], O_RDWR) || opens(devices[i], O_RDONLY));
    }
    errno = 0;
    try_is("mknod a disk", mknod("/tmp/disk", S_IFBLK | 0600, (dev_t)0xfe00) == 0);
    errno = 0;
    try_is("mknod /dev/mem", mknod("/tmp/mem", S_IFCHR | 0600, (dev_t)0x101) == 0);
    char path[200];
    (void)snprintf(path, sizeof path, "/iexec_in/%s", getenv("IEXEC_DATASET_FILENAME"));
    try_is("write to the data set", opens(path, O_WRONLY));
    errno = 0;
    try_is("remove the data set", unlink(path) == 0);
    try_is("make a file among the inputs", opens("/iexec_in/new", O_WRONLY | O_CREAT));
}

static void try_processes(int host_pid) {
    unsigned others = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *de; d && (de = readdir(d)) != NULL;)
        if (de->d_name[0] >= '1' && de->d_name[0] <= '9' && number(de->d_name) != getpid())
            others++;
    if (d) (void)closedir(d);
    errno = ENOENT;
    try_is("see other processes in /proc", others > 0 || getppid() != 0);
    errno = 0;
    try_is("signal a process of the host", kill(host_pid, 0) == 0);
    CALL("ptrace a process", SYS_ptrace, PTRACE_ATTACH, host_pid, 0, 0);
    CALL("ptrace at all", SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
    char c;
    struct {
        void *p;
        size_t n;
    } local = {&c, 1}, remote = {&escaped, 1};
    CALL("read another process's memory", SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
    CALL("write another process's memory", SYS_process_vm_writev, getpid(), &local, 1, &remote, 1,
         0);
    CALL("take another process's descriptor", SYS_pidfd_getfd, 0, 0, 0);
    CALL("compare processes", SYS_kcmp, getpid(), getpid(), 0, 0, 0);
    errno = ENOENT;
    int open_fds = 0;
    for (int fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0) open_fds++;
    try_is("inherited descriptors", open_fds > 0);
    int leaked = getenv("STRONGROOM_TEST_LEAK") != NULL;
    errno = ENOENT;
    try_is("the worker's environment", leaked);
}

static void try_namespaces(void) {
    static const struct {
        const char *name;
        unsigned long flag;
    } ns[] = {{"unshare user", CLONE_NEWUSER},
              {"unshare mount", CLONE_NEWNS},
              {"unshare net", CLONE_NEWNET},
              {"unshare pid", CLONE_NEWPID}};
    for (unsigned i = 0; i < 4; i++) CALL(ns[i].name, SYS_unshare, ns[i].flag);
    errno = 0;
    long p = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (p == 0) _exit(0);
    try_is("clone into a user namespace", p > 0);
    uint64_t args[11] = {CLONE_NEWUSER};
    errno = 0;
    p = syscall(SYS_clone3, args, sizeof args);
    if (p == 0) _exit(0);
    try_is("clone3 into a user namespace", p > 0);
    CALL("setns", SYS_setns, 0, 0);
    CALL("mount", SYS_mount, "none", "/tmp", "tmpfs", 0, 0);
    CALL("remount the inputs writable", SYS_mount, 0, "/iexec_in", 0, MS_REMOUNT | MS_BIND, 0);
    CALL("bind mount", SYS_mount, "/", "/tmp", 0, MS_BIND, 0);
    CALL("umount /proc", SYS_umount2, "/proc", 2);
    CALL("umount the inputs", SYS_umount2, "/iexec_in", 2);
    CALL("pivot_root", SYS_pivot_root, ".", ".");
    CALL("chroot", SYS_chroot, "/tmp");
    CALL("fsopen", SYS_fsopen, "tmpfs", 0);
    CALL("open_tree", SYS_open_tree, -100, "/", 1);
    CALL("move_mount", SYS_move_mount, -100, "/", -100, "/tmp", 0);
    CALL("mount_setattr", SYS_mount_setattr, -100, "/", 0, args, 32);
    CALL("swapon", SYS_swapon, "/tmp/x", 0);
    CALL("open by handle", SYS_open_by_handle_at, -100, args, 0);
    CALL("name to handle", SYS_name_to_handle_at, -100, "/", args, args, 0);
}

static void try_kernel(void) {
    uint64_t zeros[32] = {0};
    CALL("bpf", SYS_bpf, 0, zeros, sizeof zeros);
    CALL("perf_event_open", SYS_perf_event_open, zeros, 0, -1, -1, 0);
    CALL("userfaultfd", SYS_userfaultfd, 0);
    CALL("io_uring", SYS_io_uring_setup, 4, zeros);
    CALL("init_module", SYS_init_module, zeros, 8, "");
    CALL("finit_module", SYS_finit_module, 0, "", 0);
    CALL("delete_module", SYS_delete_module, "x", 0);
    CALL("kexec_load", SYS_kexec_load, 0, 0, 0, 0);
    CALL("reboot", SYS_reboot, 0xfee1dead, 672274793, 0, 0);
    CALL("syslog", SYS_syslog, 3, zeros, 10);
    CALL("add_key", SYS_add_key, "user", "x", "y", 1, -3);
    CALL("keyctl", SYS_keyctl, 0, -3, 1);
    CALL("request_key", SYS_request_key, "user", "x", 0, -3);
    CALL("fanotify_init", SYS_fanotify_init, 0, 0);
    CALL("acct", SYS_acct, "/tmp/x");
    CALL("quotactl", SYS_quotactl, 0, "/dev/vda", 0, 0);
    CALL("settimeofday", SYS_settimeofday, zeros, 0);
    CALL("clock_settime", SYS_clock_settime, 0, zeros);
    CALL("sethostname", SYS_sethostname, "x", 1);
    CALL("personality", SYS_personality, 0x0040000);
    CALL("memfd_create", SYS_memfd_create, "x", 0);
    CALL("memfd_secret", 447, 0);
    CALL("shmget", SYS_shmget, 0, 4096, 01600);
    CALL("vhangup", SYS_vhangup);
    CALL("nfsservctl or lookup_dcookie", SYS_lookup_dcookie, 0, zeros, 10);
#if defined(__x86_64__)
    CALL("iopl", SYS_iopl, 3);
    CALL("ioperm", SYS_ioperm, 0x80, 1, 1);
    CALL("modify_ldt", SYS_modify_ldt, 1, zeros, 16);
#endif
    errno = 0;
    try_is("inject into a terminal", ioctl(0, TIOCSTI, "x") == 0);
}

static int connects(int family, const void *addr, size_t n, int type) {
    int s = socket(family, type | SOCK_CLOEXEC, 0);
    if (s < 0) return 0;
    int ok = type == SOCK_DGRAM ? sendto(s, "x", 1, 0, addr, (socklen_t)n) == 1
                                : connect(s, addr, (socklen_t)n) == 0;
    int e = errno;
    (void)close(s);
    errno = e;
    return ok;
}

static void try_network(unsigned port, const char *abstract) {
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    errno = 0;
    try_is("the host's loopback", connects(AF_INET, &in, sizeof in, SOCK_STREAM));
    in.sin_addr.s_addr = inet_addr("192.0.2.1");
    in.sin_port = htons(53);
    errno = 0;
    try_is("a datagram to the world", connects(AF_INET, &in, sizeof in, SOCK_DGRAM));
    errno = 0;
    try_is("a connection to the world", connects(AF_INET, &in, sizeof in, SOCK_STREAM));
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "%s", abstract);
    errno = 0;
    try_is("the host's abstract socket",
           connects(AF_UNIX, &un, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract),
                    SOCK_STREAM));
    static const struct {
        const char *name;
        int family, type;
    } sockets[] = {{"netlink socket", AF_NETLINK, SOCK_RAW},
                   {"packet socket", AF_PACKET, SOCK_RAW},
                   {"packet datagrams", AF_PACKET, SOCK_DGRAM},
                   {"raw IP socket", AF_INET, SOCK_RAW},
                   {"raw IPv6 socket", AF_INET6, SOCK_RAW},
                   {"vsock", AF_VSOCK, SOCK_STREAM},
                   {"kernel crypto socket", AF_ALG, SOCK_SEQPACKET},
                   {"bluetooth socket", AF_BLUETOOTH, SOCK_RAW},
                   {"CAN socket", AF_CAN, SOCK_RAW}};
    for (unsigned i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        errno = 0;
        int s = socket(sockets[i].family, sockets[i].type, sockets[i].family == AF_INET ? 255 : 0);
        try_is(sockets[i].name, s >= 0);
    }
}

static void try_rights(void) {
    CALL("become user 1", SYS_setresuid, 1, 1, 1);
    CALL("become group 1", SYS_setresgid, 1, 1, 1);
    unsigned group = 1;
    CALL("join a group", SYS_setgroups, 1, &group);
    struct {
        uint32_t version;
        int pid;
    } head = {0x20080522, 0};
    struct {
        uint32_t e, p, i;
    } caps[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};
    CALL("take capabilities", SYS_capset, &head, caps);
    caps[0].p = caps[0].e = 0;
    (void)syscall(SYS_capget, &head, caps);
    errno = EPERM;
    try_is("have capabilities", (caps[0].e | caps[0].p | caps[1].e | caps[1].p) != 0);
    struct rlimit r = {100000, 100000};
    errno = 0;
    try_is("raise the process limit", setrlimit(RLIMIT_NPROC, &r) == 0);
    errno = 0;
    try_is("lower the nice value", setpriority(PRIO_PROCESS, 0, -10) == 0);
    errno = 0;
    try_is("lock much memory", mlock(malloc(8u << 20), 8u << 20) == 0);
    errno = 0;
    try_is("give a file away", chown("/iexec_out", 1, 1) == 0);
}

static void try_other_abis(void) {
#if defined(__x86_64__)
    pid_t p = fork();
    if (p == 0) {
        long nr = 20; /* getpid of i386 */
        __asm__ volatile("int $0x80" : "+a"(nr) : : "memory", "r8", "r9", "r10", "r11");
        _exit(nr > 0 ? 0 : 1);
    }
    int status = 0;
    (void)waitpid(p, &status, 0);
    errno = ENOSYS;
    try_is("32-bit system calls", WIFEXITED(status) && WEXITSTATUS(status) == 0);
    p = fork();
    if (p == 0) _exit(syscall(0x40000000 | SYS_getpid) > 0 ? 0 : 1);
    (void)waitpid(p, &status, 0);
    errno = ENOSYS;
    try_is("x32 system calls", WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}

int main(int argc, char **argv) {
    if (argc < 5) return 100;
    try_files(argv[4]);
    try_processes(number(argv[3]));
    try_namespaces();
    try_kernel();
    try_network((unsigned)number(argv[1]), argv[2]);
    try_rights();
    try_other_abis();
    (void)printf("%u of %u ways open\n", escaped, tried);
    FILE *f = fopen("/iexec_out/report.txt", "w");
    if (!f) return 101;
    (void)fprintf(f, "%u of %u ways open\n", escaped, tried);
    (void)fclose(f);
    f = fopen("/iexec_out/computed.json", "w");
    if (!f) return 101;
    (void)fputs("{\"deterministic-output-path\":\"/iexec_out/report.txt\"}", f);
    (void)fclose(f);
    return escaped > 99 ? 99 : (int)escaped;
}
