/* SPDX-License-Identifier: Apache-2.0 */
/* role.c - the common start and end of the long-lived processes */
#include "net/role.h"
#include "net/net_int.h"
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define READY_MAX 2048
#define MMAP_FROM (256 * 1024) /* blocks from this size on are mappings of their own */
#define QUIET_US  5000         /* of processor time in a second: nothing happens */
#define QUIET_S   5            /* so many seconds of it */
#define SETTLED   1000u

static sr_status need_value(const char *flag, char **argv, int argc, int *i, const char **ret,
                            struct sr_err *err) {
    size_t n = strlen(flag);
    if (argv[*i][n] == '=') {
        *ret = argv[*i] + n + 1;
        return SR_OK;
    }
    if (*i + 1 >= argc) return sr_fail(err, SR_E_USAGE, "%s needs a value", flag);
    *ret = argv[++*i];
    return SR_OK;
}

/* Is this argument the flag, alone or with "=value"? */
static bool is_flag(const char *arg, const char *flag) {
    size_t n = strlen(flag);
    return strncmp(arg, flag, n) == 0 && (arg[n] == 0 || arg[n] == '=');
}

static sr_status parse_fd(const char *flag, const char *text, int *ret_fd, struct sr_err *err) {
    uint64_t v;
    if (!num_u64(slice_str(text), 1u << 20, &v) || fcntl((int)v, F_GETFD) < 0)
        return sr_fail(err, SR_E_USAGE, "%s: '%.20s' is not an open descriptor", flag, text);
    *ret_fd = (int)v;
    return SR_OK;
}

static sr_status parse_listen(const char *text, struct role_flags *rf, struct sr_err *err) {
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon || !num_u64(slice_str(colon + 1), 65535, &port))
        return sr_fail(err, SR_E_USAGE, "--listen: '%.60s' is not HOST:PORT", text);
    const char *host = text;
    size_t n = (size_t)(colon - text);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') host++, n -= 2;
    char *copy = slice_dup(slice_of(host, n));
    if (!copy) return sr_fail(err, SR_E_NOMEM, "no memory");
    rf->listen_host = n ? copy : "0.0.0.0"; /* lives as long as the process */
    if (n == 0) free(copy);
    rf->listen_port = (uint16_t)port;
    return SR_OK;
}

static sr_status parse_rate(const char *text, struct http_limits *l, struct sr_err *err) {
    struct slice rate, burst;
    uint64_t n, b = 0;
    bool both = slice_cut(slice_str(text), '/', &rate, &burst);
    if (!num_u64(rate, HTTP_RATE_MAX, &n) || (both && !num_u64(burst, HTTP_RATE_MAX, &b)))
        return sr_fail(err, SR_E_USAGE, "--rate: '%.30s' is not N or N/BURST, up to %u", text,
                       HTTP_RATE_MAX);
    l->per_second = (uint32_t)n;
    l->burst = (uint32_t)b;
    return SR_OK;
}

static sr_status parse_on(const char *flag, const char *text, bool *ret, struct sr_err *err) {
    *ret = strcmp(text, "on") == 0;
    if (*ret || strcmp(text, "off") == 0) return SR_OK;
    return sr_fail(err, SR_E_USAGE, "%s: on or off, not '%.20s'", flag, text);
}

static sr_status common_flag(int argc, char **argv, int *i, struct role_flags *rf, bool *ret_known,
                             struct sr_err *err) {
    static const char *const names[] = {"--dir",      "--listen",        "--listen-fd",
                                        "--ready-fd", "--control-fd",    "--log",
                                        "--rate",     "--client-header", "--access-log"};
    const char *v = NULL;
    *ret_known = true;
    for (size_t k = 0; k < SR_ARRAY_LEN(names); k++) {
        if (!is_flag(argv[*i], names[k])) continue;
        SR_TRY(need_value(names[k], argv, argc, i, &v, err));
        switch (k) {
        case 0: rf->dir = v; return SR_OK;
        case 1: return parse_listen(v, rf, err);
        case 2: return parse_fd(names[k], v, &rf->listen_fd, err);
        case 3: return parse_fd(names[k], v, &rf->ready_fd, err);
        case 4: return parse_fd(names[k], v, &rf->control_fd, err);
        case 6: return parse_rate(v, &rf->limits, err);
        case 7: rf->limits.client_header = v; return SR_OK;
        case 8: return parse_on(names[k], v, &rf->access_log, err);
        default: rf->level = log_level_parse(slice_str(v), LOG_INFO); return SR_OK;
        }
    }
    *ret_known = false;
    return SR_OK;
}

sr_status role_parse(int argc, char **argv, const char *name, const struct role_flag *flags,
                     size_t n, struct role_flags *ret, struct sr_err *err) {
    struct role_flags rf = {.name = name,
                            .listen_host = "127.0.0.1",
                            .listen_fd = -1,
                            .ready_fd = -1,
                            .control_fd = -1,
                            .level = LOG_INFO};
    sr_status st = SR_OK;
    for (int i = 0; i < argc && st == SR_OK; i++) {
        bool known = false;
        st = common_flag(argc, argv, &i, &rf, &known, err);
        for (size_t k = 0; k < n && st == SR_OK && !known; k++)
            if (is_flag(argv[i], flags[k].name)) {
                st = need_value(flags[k].name, argv, argc, &i, flags[k].ret_value, err);
                known = true;
            }
        if (st == SR_OK && !known) {
            st = sr_fail(err, SR_E_USAGE, "%s: unknown flag '%.60s'", name, argv[i]);
            sr_hint(err, "see strongroom help %s", name);
        }
    }
    for (size_t k = 0; k < n && st == SR_OK; k++)
        if (flags[k].required && !*flags[k].ret_value) {
            st = sr_fail(err, SR_E_USAGE, "%s: %s is missing", name, flags[k].name);
            sr_hint(err, "%s: %s", flags[k].name, flags[k].help);
        }
    *ret = rf; /* also after a failure: its ready descriptor is how the supervisor hears of it */
    return st;
}

static void on_signal(uv_signal_t *h, int signum) {
    (void)h;
    log_info("stopping", "signal=%d", signum);
    net_stop();
}

static void watch_control(void *arg) {
    int fd = *(int *)arg;
    for (;;) {
        if (fiber_poll_fd(fd, 1, 0, NULL) != SR_OK) return; /* POLLIN */
        char waste[64];
        ssize_t n = read(fd, waste, sizeof waste);
        if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN))) continue;
        break;
    }
    log_info("stopping", "why=control_closed");
    net_stop();
}

/* glibc's allocator keeps a heap for each thread, and large blocks once they were used: in a
 * process with one loop and few threads that is memory without a use. */
static void modest_allocator(void) {
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
}

static int64_t cpu_us(void) {
    struct timespec t;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0) return 0;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Each second: after work, and then some seconds of quiet, memory goes back. */
static void settle_when_quiet(void) {
    static int64_t before;
    static unsigned quiet = SETTLED;
    int64_t now = cpu_us();
    bool busy = now - before > QUIET_US;
    before = now;
    if (busy)
        quiet = 0;
    else if (quiet < SETTLED && ++quiet == QUIET_S)
        mem_settle();
    if (quiet == QUIET_S) quiet = SETTLED;
}

sr_status role_begin(const struct role_flags *rf, struct sr_err *err) {
    static uv_signal_t on_term, on_int;
    static int control_fd;
    log_setup(rf->name, 2, rf->level);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max > 65536 ? 65536 : files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    modest_allocator();
    SR_TRY(http_set_limits(&rf->limits, err));
    http_log_requests(rf->access_log);
    SR_TRY(net_init(err));
    net_every_second_(settle_when_quiet);
    (void)uv_signal_init(net_loop(), &on_term);
    (void)uv_signal_init(net_loop(), &on_int);
    (void)uv_signal_start(&on_term, on_signal, SIGTERM);
    (void)uv_signal_start(&on_int, on_signal, SIGINT);
    if (rf->ready_fd >= 0) (void)fcntl(rf->ready_fd, F_SETFD, FD_CLOEXEC);
    if (rf->control_fd >= 0) {
        control_fd = rf->control_fd;
        (void)fcntl(control_fd, F_SETFD, FD_CLOEXEC);
        int fl = fcntl(control_fd, F_GETFL);
        if (fl >= 0) (void)fcntl(control_fd, F_SETFL, fl | O_NONBLOCK);
        SR_TRY(fiber_start(watch_control, &control_fd, err));
    }
    return SR_OK;
}

static void tell(const struct role_flags *rf, struct buf *b) {
    buf_u8(b, '\n');
    if (rf->ready_fd < 0 || b->bad != SR_OK) return;
    (void)!fd_write_all(rf->ready_fd, b->p, b->n, NULL);
    (void)close(rf->ready_fd);
}

void role_ready(const struct role_flags *rf, uint16_t port) {
    cleanup_buf struct buf b;
    buf_init(&b, READY_MAX);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_kbool(&w, "ready", true);
    jw_ku64(&w, "port", port);
    jw_end_obj(&w);
    tell(rf, &b);
    mem_settle();
    log_info("ready", "port=%u", port);
}

int role_fail(const struct role_flags *rf, const struct sr_err *err) {
    cleanup_buf struct buf b;
    buf_init(&b, READY_MAX);
    struct jw w = jw_of(&b);
    jw_obj(&w);
    jw_key(&w, "error");
    jw_obj(&w);
    jw_kcstr(&w, "code", sr_status_name(err->code));
    jw_kcstr(&w, "what", err->what);
    jw_kcstr(&w, "hint", err->hint);
    jw_end_obj(&w);
    jw_end_obj(&w);
    tell(rf, &b);
    log_err(LOG_ERROR, "start_failed", err);
    switch (err->code) { /* as the command line's exit codes */
    case SR_E_USAGE: return 2;
    case SR_E_REFUSED:
    case SR_E_AUTH: return 3;
    default: return 5;
    }
}

int role_run(const struct role_flags *rf) {
    net_run();
    net_done();
    log_info("stopped", "role=%s", rf->name);
    return 0;
}

sr_status role_disk_health(const char *dir, struct jw *checks, struct sr_err *err) {
    struct statvfs v;
    if (statvfs(dir, &v) != 0 || access(dir, W_OK) != 0)
        return sr_fail(err, SR_E_SYS, "%s cannot be written to", dir);
    uint64_t left = (uint64_t)v.f_bavail * v.f_frsize;
    jw_ku64(checks, "diskFreeBytes", left);
    if (left >= ROLE_DISK_LEFT) return SR_OK;
    sr_hint(err, "make room on the disk of %s", dir);
    return sr_fail(err, SR_E_SYS, "the disk of %s is full", dir);
}
