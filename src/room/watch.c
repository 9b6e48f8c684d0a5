/* SPDX-License-Identifier: Apache-2.0 */
#include "room/watch.h"
#include "wire/formats.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the last bytes of a stream ---- */

#define TAIL_ROOM (2u * WIRE_LOG_TAIL_MAX)

static void tail_trim(struct buf *b) {
    if (b->n > WIRE_LOG_TAIL_MAX) buf_drop(b, b->n - WIRE_LOG_TAIL_MAX);
}

/* Reads what is there; closes at the end of the stream. */
static void tail_read(int *fd, struct buf *b) {
    for (;;) {
        if (b->n + 16384 > TAIL_ROOM) tail_trim(b);
        uint8_t *p = buf_reserve(b, 16384);
        if (!p) return;
        ssize_t n = read(*fd, p, 16384);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            (void)close(*fd);
            *fd = -1;
            return;
        }
        (void)buf_grow(b, (size_t)n);
    }
}

/* ---- memory ---- */

static size_t read_proc(int proc, const char *pid, const char *name, char *dst, size_t max) {
    char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", pid, name);
    cleanup_close int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, dst, max - 1);
    dst[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

/* statm's second word: resident pages. */
static uint64_t resident(int proc, const char *pid) {
    char text[256];
    struct slice word, rest = slice_of(text, read_proc(proc, pid, "statm", text, sizeof text));
    uint64_t pages = 0;
    if (!slice_cut(rest, ' ', &word, &rest)) return 0;
    (void)slice_cut(rest, ' ', &word, &rest);
    if (!num_u64(word, UINT64_MAX >> 16, &pages)) return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* "Pss:" of smaps_rollup: shared pages count by their share. Falls back on the resident size. */
static uint64_t proportional(int proc, const char *pid) {
    char text[2048];
    struct slice line,
        rest = slice_of(text, read_proc(proc, pid, "smaps_rollup", text, sizeof text));
    while (rest.n > 0) {
        uint64_t kb;
        (void)slice_cut(rest, '\n', &line, &rest);
        if (!slice_starts(line, "Pss:")) continue;
        struct slice word = slice_trim(slice_of(line.p + 4, line.n - 4)), unit;
        (void)slice_cut(word, ' ', &word, &unit);
        if (num_u64(word, UINT64_MAX >> 11, &kb)) return kb << 10;
    }
    return resident(proc, pid);
}

/* All processes but our own (1): they are the app's. */
static uint64_t app_memory(DIR *proc, uint64_t (*of)(int proc, const char *pid)) {
    uint64_t sum = 0, n;
    rewinddir(proc);
    for (struct dirent *de; (de = readdir(proc)) != NULL;)
        if (num_u64(slice_str(de->d_name), UINT32_MAX, &n) && n != 1)
            sum += of(dirfd(proc), de->d_name);
    return sum;
}

static bool over_memory(DIR *proc, uint64_t limit, uint64_t *peak) {
    uint64_t now = app_memory(proc, resident);
    if (now > limit) now = app_memory(proc, proportional); /* slower, exact */
    if (now > *peak) *peak = now;
    return now > limit;
}

/* ---- the watch ---- */

static bool stream_closed(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

struct watch {
    struct app_proc *p;
    const struct watch_limits *limits;
    struct app_end *e;
    DIR *proc;
    int64_t deadline_us;
};

/* True when the app must end for a reason that *how then names. */
static bool must_end(struct watch *w, app_how *how) {
    if (clock_mono_us() >= w->deadline_us)
        *how = APP_TIMED_OUT;
    else if (over_memory(w->proc, w->limits->memory_bytes, &w->e->peak_bytes))
        *how = APP_MEMORY;
    else if (stream_closed(w->limits->stream_fd))
        *how = APP_ABANDONED;
    else
        return false;
    return true;
}

static void read_tails(struct watch *w) {
    if (w->p->out >= 0) tail_read(&w->p->out, &w->e->tail_out);
    if (w->p->err >= 0) tail_read(&w->p->err, &w->e->tail_err);
}

#define WATCH_FDS 4

/* What the app's connections have to say; the worker's going away is the watch's to judge. */
static sr_status carry(struct watch *w, const struct pollfd *fds, size_t n, struct sr_err *err) {
    if (!w->limits->egress) return SR_OK;
    struct sr_err e = {0};
    bool stream = (fds[3].revents & POLLIN) != 0;
    sr_status st = egress_ready(w->limits->egress, fds + WATCH_FDS, n, stream, &e);
    if (st == SR_OK || st == SR_E_CANCELLED) return SR_OK;
    *err = e;
    return st;
}

static sr_status watch_loop(struct watch *w, app_how *ret_forced, bool *ret_is_forced,
                            struct sr_err *err) {
    struct egress *net = w->limits->egress;
    int64_t next_look = clock_mono_us() + 1000; /* the first after 1 ms: hogs are fast */
    for (;;) {
        struct pollfd fds[WATCH_FDS + EGRESS_POLL_MAX] = {
            {.fd = w->p->pidfd, .events = POLLIN},
            {.fd = w->p->out, .events = POLLIN},
            {.fd = w->p->err, .events = POLLIN},
            {.fd = w->limits->stream_fd, .events = (short)(net ? POLLRDHUP | POLLIN : POLLRDHUP)}};
        size_t n_net = net ? egress_poll(net, fds + WATCH_FDS) : 0;
        int64_t now = clock_mono_us();
        struct timespec wait = {0};
        if (next_look > now) wait.tv_nsec = (long)(next_look - now) * 1000;
        int n = ppoll(fds, WATCH_FDS + n_net, &wait, NULL);
        if (n < 0 && errno != EINTR) return sr_fail(err, SR_E_SYS, "watching the app");
        read_tails(w);
        if (fds[0].revents != 0) return SR_OK;
        if (n > 0) SR_TRY(carry(w, fds, n_net, err));
        bool hung_up = n > 0 && (fds[3].revents & ~POLLIN) != 0;
        if (clock_mono_us() < next_look && !hung_up) continue;
        if (must_end(w, ret_forced)) {
            *ret_is_forced = true;
            return SR_OK;
        }
        next_look = clock_mono_us() + WATCH_TICK_MS * 1000;
    }
}

static sr_status reap(struct watch *w, struct sr_err *err) {
    int status;
    (void)kill(w->p->pid, SIGKILL); /* nothing, when it has ended */
    pid_t got;
    do got = waitpid(w->p->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0) return sr_fail(err, SR_E_SYS, "waiting for the app");
    w->p->pid = 0;
    w->e->how = WIFEXITED(status) ? APP_EXITED : APP_SIGNALLED;
    w->e->code = (uint32_t)(WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return SR_OK;
}

sr_status app_watch(struct app_proc *p, const struct watch_limits *limits, struct app_end *ret_e,
                    struct sr_err *err) {
    struct app_end e = {0};
    struct watch w = {.p = p, .limits = limits, .e = &e};
    app_how forced = APP_EXITED;
    bool is_forced = false;
    buf_init(&e.tail_out, TAIL_ROOM + 16384);
    buf_init(&e.tail_err, TAIL_ROOM + 16384);
    w.deadline_us = clock_mono_us() + (int64_t)limits->seconds * 1000000;
    if (fcntl(p->out, F_SETFL, O_NONBLOCK) != 0 || fcntl(p->err, F_SETFL, O_NONBLOCK) != 0 ||
        !(w.proc = opendir("/proc"))) {
        app_drop(p);
        return sr_fail(err, SR_E_SYS, "watching the app");
    }
    sr_status st = watch_loop(&w, &forced, &is_forced, err);
    sr_status reaped = reap(&w, err);
    if (st == SR_OK) st = reaped;
    read_tails(&w);
    (void)closedir(w.proc);
    app_drop(p);
    if (st != SR_OK) {
        app_end_done(&e);
        return st;
    }
    if (is_forced) e.how = forced;
    tail_trim(&e.tail_out);
    tail_trim(&e.tail_err);
    *ret_e = e;
    return SR_OK;
}

void app_end_done(struct app_end *e) {
    buf_done(&e->tail_out);
    buf_done(&e->tail_err);
    *e = (struct app_end){0};
}
