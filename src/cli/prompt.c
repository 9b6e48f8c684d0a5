/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets from a person or a file: no echo, nothing on a command line, buffers wiped by who gave
 * them. */
#include "cli/cli_int.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

sr_status cli_read_file(const char *path, size_t max, struct buf *ret, struct sr_err *err) {
    (void)max;
    if (strcmp(path, "-") != 0) {
        sr_status st = fs_read(path, ret, err);
        if (st != SR_OK) sr_hint(err, "check the name and the file's permissions");
        return st;
    }
    for (;;) {
        uint8_t chunk[4096];
        ssize_t n = read(STDIN_FILENO, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sr_fail(err, SR_E_SYS, "can't read standard input");
        if (n == 0) return buf_status(ret, err);
        buf_put(ret, chunk, (size_t)n);
        explicit_bzero(chunk, sizeof chunk);
        if (ret->bad != SR_OK) return buf_status(ret, err); /* input may have no end */
    }
}

/* Reads one line; *ret_signal: a signal came first. */
static bool read_line(int tty, int signals, char *secret_buf, size_t n, int *ret_signal) {
    size_t used = 0;
    bool overflow = false;
    *ret_signal = 0;
    for (;;) {
        struct pollfd p[2] = {{.fd = tty, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        struct signalfd_siginfo si;
        char ch;
        if (poll(p, 2, -1) < 0 && errno == EINTR) continue;
        if (p[1].revents && read(signals, &si, sizeof si) == (ssize_t)sizeof si) {
            *ret_signal = (int)si.ssi_signo;
            break;
        }
        if (!p[0].revents) continue;
        ssize_t r = read(tty, &ch, 1);
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0 || ch == '\n') break;
        if (used + 1 < n)
            secret_buf[used++] = ch;
        else
            overflow = true;
    }
    secret_buf[used] = 0;
    return !overflow;
}

/* One line from the terminal, echo off; whatever ends the question, the terminal echoes again. */
static sr_status ask(const char *question, char *secret_buf, size_t n, struct sr_err *err) {
    cleanup_close int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    struct termios was, off;
    if (fd < 0 || tcgetattr(fd, &was) != 0) {
        sr_hint(err, "give --password-file FILE, or run it in a terminal");
        return sr_fail(err, SR_E_USAGE, "no terminal to ask for the password");
    }
    sigset_t set, before;
    (void)sigemptyset(&set);
    static const int held[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    for (size_t i = 0; i < SR_ARRAY_LEN(held); i++) (void)sigaddset(&set, held[i]);
    (void)sigprocmask(SIG_BLOCK, &set, &before);
    cleanup_close int signals = signalfd(-1, &set, SFD_CLOEXEC);
    off = was;
    off.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    (void)tcsetattr(fd, TCSAFLUSH, &off);
    (void)dprintf(fd, "%s: ", question);
    int got_signal = 0;
    bool fits = read_line(fd, signals, secret_buf, n, &got_signal);
    (void)tcsetattr(fd, TCSAFLUSH, &was);
    (void)dprintf(fd, "\n");
    if (got_signal) explicit_bzero(secret_buf, n);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (got_signal) (void)raise(got_signal);
    if (got_signal) return sr_fail(err, SR_E_CANCELLED, "interrupted");
    return fits ? SR_OK : sr_fail(err, SR_E_USAGE, "longer than %zu characters", n - 1);
}

static sr_status from_file(const char *path, char *secret_buf, size_t n, struct sr_err *err) {
    cleanup_buf_wipe struct buf b;
    buf_init(&b, 64 * 1024);
    sr_status st = cli_read_file(path, 64 * 1024, &b, err);
    if (st != SR_OK) {
        sr_err_prefix(err, "--password-file");
        if (err) err->hint[0] = 0; /* say it of passwords */
        sr_hint(err, "give a readable file whose first line is the password");
        return st;
    }
    struct slice line, rest;
    (void)slice_cut(buf_slice(&b), '\n', &line, &rest);
    if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
    if (line.n + 1 > n)
        return sr_fail(err, SR_E_USAGE, "the password is longer than %zu bytes", n - 1);
    if (line.n > 0) memcpy(secret_buf, line.p, line.n);
    secret_buf[line.n] = 0;
    return SR_OK;
}

sr_status cli_password(void *arg, const char *wallet, bool confirm, char *secret_buf, size_t n,
                       struct sr_err *err) {
    struct cli *c = arg;
    const char *path = cli_value(c, "--password-file");
    if (path) return from_file(path, secret_buf, n, err);
    cli_progress_end(c);
    char question[160], again[CLI_PASSWORD];
    (void)snprintf(question, sizeof question, "%s for %.64s", confirm ? "New password" : "Password",
                   wallet);
    SR_TRY(ask(question, secret_buf, n, err));
    if (!confirm) return SR_OK;
    sr_status st = ask("The same again", again, sizeof again, err);
    bool same = st == SR_OK && strcmp(again, secret_buf) == 0;
    explicit_bzero(again, sizeof again);
    if (st == SR_OK && !same) return sr_fail(err, SR_E_USAGE, "the two passwords differ");
    return st;
}

sr_status cli_secret(struct cli *c, const char *path, const char *question, struct buf *ret_secret,
                     struct sr_err *err) {
    if (path) return cli_read_file(path, ret_secret->max, ret_secret, err);
    cli_progress_end(c);
    char line[4096];
    sr_status st = ask(question, line, sizeof line, err);
    if (st == SR_OK) buf_str(ret_secret, line);
    explicit_bzero(line, sizeof line);
    return st != SR_OK ? st : buf_status(ret_secret, err);
}
