/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervise.c - starts the roles in order, hears that they are ready, starts dead ones again,
 * stops all
 *
 * One loop over descriptors: signals, and each role's ready pipe. Nothing is asked again and again.
 */
#include "up/up_int.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static struct child *by_name(struct network *n, const char *name) {
    for (size_t i = 0; i < n->n; i++)
        if (strcmp(n->child[i].name, name) == 0) return &n->child[i];
    return NULL;
}

static struct child *by_pid(struct network *n, pid_t pid) {
    for (size_t i = 0; i < n->n; i++)
        if (n->child[i].pid == pid) return &n->child[i];
    return NULL;
}

static void note_status(struct network *n) {
    struct sr_err e = {0};
    if (write_status_json(n, &e) != SR_OK) log_err(LOG_WARN, "status_not_written", &e);
}

static bool all_ready(const struct network *n) {
    for (size_t i = 0; i < n->n; i++)
        if (n->child[i].state != CHILD_READY && n->child[i].state != CHILD_ABSENT) return false;
    return true;
}

/* ---- saying that the network is ready */

static const char *said_of(struct network *n, char *text, size_t size) {
    size_t left = 0;
    for (size_t i = 0; i < n->n; i++) left += n->child[i].state == CHILD_ABSENT;
    if (!left) return "";
    (void)snprintf(text, size, "; %zu roles are not in this build", left);
    return text;
}

static sr_status announce(struct network *n, struct sr_err *err) {
    SR_TRY(write_network_json(n, err));
    n->announced = true;
    note_status(n);
    int64_t ms = (clock_mono_us() - n->began_us) / 1000;
    char more[80];
    if (n->opt.json)
        (void)fprintf(n->out, "{\"ready\":true,\"ms\":%lld,\"dir\":\"%s\",\"network\":\"%s\"}\n",
                      (long long)ms, n->opt.dir, n->home.network);
    else
        (void)fprintf(n->out,
                      "network in %s (evidence is SIMULATED)\n"
                      "  chain      http://127.0.0.1:%u\n"
                      "  market     http://127.0.0.1:%u\n"
                      "  sms        http://127.0.0.1:%u\n"
                      "  store      http://127.0.0.1:%u\n"
                      "  scheduler  http://127.0.0.1:%u\n"
                      "ready in %lld ms%s\n",
                      n->opt.dir, n->sockets.port[PORT_CHAIN], n->sockets.port[PORT_MARKET],
                      n->sockets.port[PORT_SMS], n->sockets.port[PORT_STORE],
                      n->sockets.port[PORT_SCHEDULER], (long long)ms,
                      said_of(n, more, sizeof more));
    (void)fflush(n->out);
    if (n->notify_fd >= 0) {
        int none = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; none >= 0 && fd <= 2; fd++) (void)dup2(none, fd);
        if (none > 2) (void)close(none);
        (void)!write(n->notify_fd, "\0", 1); /* the waiting parent ends with 0 */
        (void)close(n->notify_fd);
        n->notify_fd = -1;
    }
    return SR_OK;
}

/* ---- starting */

static sr_status start_due(struct network *n, struct sr_err *err) {
    for (size_t i = 0; i < n->n; i++) {
        struct child *c = &n->child[i];
        bool due = c->state == CHILD_WAITING ||
                   (c->state == CHILD_ENDED && clock_mono_us() >= c->again_us);
        const struct child *needed = due && c->needs ? by_name(n, c->needs) : NULL;
        if (!due || (needed && needed->state != CHILD_READY)) continue;
        if (c->is_chain) SR_TRY(home_settle_chain(&n->home, err));
        SR_TRY(child_start(c, &n->home, n->control[0], err));
    }
    return SR_OK;
}

static void forget_process(struct child *c) {
    cleanup_close_(&c->pid_fd);
    cleanup_close_(&c->ready_fd);
    c->pid_fd = c->ready_fd = -1;
    c->pid = 0;
}

/* A role's own words about why it did not start, when it had time for them. */
static bool words_of(const struct child *c, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct slice line, rest;
    (void)slice_cut(slice_of(c->said, c->n_said), '\n', &line, &rest);
    if (json_parse(line, &doc, NULL) != SR_OK) return false;
    const struct json_val *e = json_get(json_root(doc), "error");
    struct slice what = json_text(json_get(e, "what")), hint = json_text(json_get(e, "hint"));
    if (!what.n) return false;
    (void)sr_fail(err, SR_E_UNAVAILABLE, "%s did not start: %.*s", c->name,
                  (int)(what.n < 200 ? what.n : 200), (const char *)what.p);
    if (hint.n) sr_hint(err, "%.*s", (int)(hint.n < 180 ? hint.n : 180), (const char *)hint.p);
    return true;
}

static sr_status did_not_start(const struct network *n, const struct child *c, int how,
                               struct sr_err *err) {
    if (words_of(c, err)) return SR_E_UNAVAILABLE;
    sr_hint(err, "its log: %s/%s.log", n->home.logs, c->name);
    if (c->is_chain) /* clap's last words begin with "error:" or "Error:" */
        for (const char *at = c->said; (at = strcasestr(at, "error:")); at++)
            return sr_fail(err, SR_E_UNAVAILABLE, "the chain did not start: %.150s", at);
    if (WIFSIGNALED(how))
        return sr_fail(err, SR_E_UNAVAILABLE, "%s did not start: killed by signal %d", c->name,
                       WTERMSIG(how));
    return sr_fail(err, SR_E_UNAVAILABLE, "%s did not start: it ended with code %d", c->name,
                   WEXITSTATUS(how));
}

static void read_said(struct child *c);

/* A child ended. Before the network is ready that is a failure; later it is started again. */
static sr_status child_ended(struct network *n, struct child *c, int how, struct sr_err *err) {
    read_said(c);
    forget_process(c);
    if (!c->was_ready && !n->announced) return did_not_start(n, c, how, err);
    bool healthy = clock_mono_us() - c->started_us > UP_HEALTHY_MS * 1000ll;
    c->failures_in_a_row = healthy ? 1 : c->failures_in_a_row + 1;
    unsigned shift = c->failures_in_a_row - 1 < 10 ? c->failures_in_a_row - 1 : 10;
    int64_t pause = (int64_t)UP_BACKOFF_MS << shift;
    if (pause > UP_BACKOFF_MAX) pause = UP_BACKOFF_MAX;
    c->again_us = clock_mono_us() + pause * 1000;
    c->state = CHILD_ENDED;
    c->restarts++;
    log_warn("role_ended", "name=%s %s=%d again_in_ms=%lld", c->name,
             WIFSIGNALED(how) ? "signal" : "code",
             WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how), (long long)pause);
    note_status(n);
    return SR_OK;
}

static sr_status reap(struct network *n, struct sr_err *err) {
    int how;
    pid_t pid;
    while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
        struct child *c = by_pid(n, pid);
        if (c) SR_TRY(child_ended(n, c, how, err)); /* else an orphan of a role that ended */
    }
    return SR_OK;
}

/* ---- what children say */

static void read_said(struct child *c) {
    char step[4096];
    ssize_t r;
    while (c->ready_fd >= 0 && (r = read(c->ready_fd, step, sizeof step)) != 0) {
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return;                     /* nothing more for now */
        if (c->state == CHILD_READY) continue; /* the chain's chatter */
        size_t room = sizeof c->said - 1 - c->n_said, take = (size_t)r < room ? (size_t)r : room;
        memcpy(c->said + c->n_said, step, take);
        c->n_said += take;
        c->said[c->n_said] = 0;
        if (c->is_chain && c->n_said == sizeof c->said - 1 && !strstr(c->said, "Listening on")) {
            /* its banner is longer than we keep: the end matters */
            memmove(c->said, c->said + c->n_said / 2, c->n_said - c->n_said / 2);
            c->n_said -= c->n_said / 2;
            c->said[c->n_said] = 0;
        }
    }
    cleanup_close_(&c->ready_fd);
    c->ready_fd = -1;
}

static bool says_ready(const struct child *c) {
    if (c->is_chain) return strstr(c->said, "Listening on") != NULL;
    return strchr(c->said, '\n') && strstr(c->said, "\"ready\":true");
}

static void hear(struct network *n, struct child *c) {
    read_said(c);
    if (c->state != CHILD_STARTING || !says_ready(c)) return;
    c->state = CHILD_READY;
    c->was_ready = true;
    log_info("role_ready", "name=%s ms=%lld", c->name,
             (long long)((clock_mono_us() - c->started_us) / 1000));
    note_status(n);
}

/* ---- the loop */

static int next_wait_ms(const struct network *n) {
    int64_t now = clock_mono_us(),
            next = n->announced ? now + 3600ll * 1000000 : n->began_us + UP_START_MS * 1000ll;
    for (size_t i = 0; i < n->n; i++)
        if (n->child[i].state == CHILD_ENDED && n->child[i].again_us < next)
            next = n->child[i].again_us;
    return next <= now ? 0 : (int)((next - now) / 1000 + 1);
}

/* *ret_stop: a signal asked for the end. */
static void read_signals(struct network *n, bool *ret_stop, bool *ret_child) {
    struct signalfd_siginfo si;
    while (read(n->signals, &si, sizeof si) == (ssize_t)sizeof si) {
        if (si.ssi_signo == SIGCHLD)
            *ret_child = true;
        else
            *ret_stop = true;
    }
}

static sr_status one_turn(struct network *n, bool *ret_stop, struct sr_err *err) {
    struct pollfd p[UP_CHILDREN + 1] = {{.fd = n->signals, .events = POLLIN}};
    struct child *who[UP_CHILDREN + 1] = {NULL};
    nfds_t k = 1;
    for (size_t i = 0; i < n->n; i++) {
        if (n->child[i].ready_fd < 0) continue;
        who[k] = &n->child[i];
        p[k++] = (struct pollfd){.fd = n->child[i].ready_fd, .events = POLLIN};
    }
    if (poll(p, k, next_wait_ms(n)) < 0 && errno != EINTR)
        return sr_fail(err, SR_E_SYS, "wait for the roles");
    bool child = false;
    for (nfds_t i = 1; i < k; i++)
        if (p[i].revents) hear(n, who[i]);
    if (p[0].revents) read_signals(n, ret_stop, &child);
    if (child) SR_TRY(reap(n, err));
    return SR_OK;
}

static sr_status run(struct network *n, struct sr_err *err) {
    bool stop = false;
    while (!stop) {
        SR_TRY(start_due(n, err));
        if (!n->announced && all_ready(n)) SR_TRY(announce(n, err));
        if (!n->announced && clock_mono_us() - n->began_us > UP_START_MS * 1000ll) {
            for (size_t i = 0; i < n->n; i++)
                if (n->child[i].state == CHILD_STARTING || n->child[i].state == CHILD_WAITING) {
                    sr_hint(err, "its log: %s/%s.log", n->home.logs, n->child[i].name);
                    return sr_fail(err, SR_E_TIMEOUT, "%s is not ready after %d s",
                                   n->child[i].name, UP_START_MS / 1000);
                }
        }
        SR_TRY(one_turn(n, &stop, err));
    }
    return SR_OK;
}

/* ---- stopping */

static bool any_left(const struct network *n, bool chain) {
    for (size_t i = 0; i < n->n; i++)
        if (n->child[i].pid > 0 && n->child[i].is_chain == chain) return true;
    return false;
}

static void wait_for_end(struct network *n, bool chain, int64_t limit_ms) {
    int64_t until = clock_mono_us() + limit_ms * 1000;
    for (;;) {
        int how;
        pid_t pid;
        while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
            struct child *c = by_pid(n, pid);
            if (c) forget_process(c);
        }
        int64_t left = until - clock_mono_us();
        if (!any_left(n, chain) || left <= 0) return;
        for (size_t i = 0; i < n->n; i++)
            read_said(&n->child[i]); /* a full pipe must not hold it up */
        struct pollfd p = {.fd = n->signals, .events = POLLIN};
        (void)poll(&p, 1, (int)(left / 1000 + 1 < 100 ? left / 1000 + 1 : 100));
        bool stop, child;
        read_signals(n, &stop, &child);
    }
}

static void signal_all(struct network *n, bool chain, int sig) {
    for (size_t i = 0; i < n->n; i++)
        if (n->child[i].pid > 0 && n->child[i].is_chain == chain) (void)kill(n->child[i].pid, sig);
}

/* Whatever the roles left behind was handed to us (subreaper): nobody survives. */
static void end_orphans(void) {
    for (int tries = 0; tries < 100; tries++) {
        cleanup_buf struct buf b;
        buf_init(&b, 1u << 16);
        char path[64];
        (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
        if (fs_read(path, &b, NULL) != SR_OK) return;
        struct slice rest = buf_slice(&b), word;
        bool any = false;
        while (rest.n) {
            uint64_t pid;
            (void)slice_cut(rest, ' ', &word, &rest);
            if (!num_u64(slice_trim(word), INT32_MAX, &pid)) continue;
            any = true;
            (void)kill((pid_t)pid, SIGKILL);
        }
        if (!any) return;
        while (waitpid(-1, NULL, 0) > 0) continue;
    }
}

static void stop_all(struct network *n) {
    signal_all(n, false, SIGTERM);
    cleanup_close_(&n->control[1]);
    n->control[1] = -1;
    wait_for_end(n, false, UP_STOP_MS);
    signal_all(n, false, SIGKILL);
    wait_for_end(n, false, UP_STOP_MS);
    signal_all(n, true, SIGTERM); /* the chain last: it has everything the roles did */
    wait_for_end(n, true, UP_CHAIN_STOP_MS);
    signal_all(n, true, SIGKILL);
    struct sr_err e = {0};
    if (home_settle_chain(&n->home, &e) != SR_OK) log_err(LOG_WARN, "chain_state_not_taken", &e);
    end_orphans();
    (void)unlink(n->home.status);
}

static sr_status catch_signals(struct network *n, struct sr_err *err) {
    sigset_t set;
    (void)sigemptyset(&set);
    static const int which[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    for (size_t i = 0; i < SR_ARRAY_LEN(which); i++) (void)sigaddset(&set, which[i]);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    n->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (n->signals < 0) return sr_fail(err, SR_E_SYS, "watch for signals");
    return SR_OK;
}

sr_status supervise(struct network *n, struct sr_err *err) {
    SR_TRY(catch_signals(n, err));
    if (pipe2(n->control, O_CLOEXEC) != 0) return sr_fail(err, SR_E_SYS, "make a pipe");
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    sr_status st = run(n, err);
    stop_all(n);
    cleanup_close_(&n->signals);
    cleanup_close_(&n->control[0]);
    return st;
}
