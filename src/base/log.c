/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - logfmt lines, one write each, so that lines of several processes never mix */
#include "base/log.h"
#include "base/clock.h"
#include "base/num.h"
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static struct {
    const char *role;
    int fd;
    log_level level;
} sink = {"-", 2, LOG_INFO};

static const char *const names[] = {"error", "warn", "info", "debug"};

void log_setup(const char *role, int fd, log_level level) {
    sink.role = role;
    sink.fd = fd;
    sink.level = level;
}

log_level log_level_parse(struct slice text, log_level fallback) {
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++)
        if (slice_is(text, names[i])) return (log_level)i;
    return fallback;
}

void log_line(log_level level, const char *ev, const char *fmt, ...) {
    if (level > sink.level) return;
    char line[LOG_LINE_MAX], ts[25];
    iso8601(ts, clock_unix_ms());
    int n =
        snprintf(line, sizeof line, "ts=%s lvl=%s role=%s ev=%s", ts, names[level], sink.role, ev);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len < sizeof line - 2 && fmt[0]) {
        line[len++] = ' ';
        va_list ap;
        va_start(ap, fmt);
        n = vsnprintf(line + len, sizeof line - len, fmt, ap);
        va_end(ap);
        if (n > 0) len += (size_t)n;
    }
    if (len > sizeof line - 2) len = sizeof line - 2;
    for (size_t i = 0; i < len; i++) /* one event, one line, whatever the arguments held */
        if ((uint8_t)line[i] < 0x20 || (uint8_t)line[i] == 0x7f) line[i] = ' ';
    line[len++] = '\n';
    int keep = errno;
    const char *p = line;
    while (len) {
        ssize_t w = write(sink.fd, p, len);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) break; /* nowhere left to complain */
        p += w;
        len -= (size_t)w;
    }
    errno = keep;
}

void log_err(log_level level, const char *ev, const struct sr_err *err) {
    struct log_quoted what = log_q(slice_str(err->what));
    struct log_quoted hint = log_q(slice_str(err->hint));
    log_line(level, ev, "code=%s what=%s%s%s where=%s", sr_status_name(err->code), what.s,
             err->hint[0] ? " hint=" : "", err->hint[0] ? hint.s : "",
             err->where ? err->where : "-");
}

struct log_quoted log_q(struct slice s) {
    struct log_quoted q;
    size_t n = 0, i, in = s.n < 256 ? s.n : 256;
    q.s[n++] = '"';
    for (i = 0; i < in && n < sizeof q.s - 9; i++) { /* an escape, three dots, a quote, a NUL */
        uint8_t c = s.p[i];
        if (c == '"' || c == '\\') {
            q.s[n++] = '\\';
            q.s[n++] = (char)c;
        } else if (c >= 0x20 && c < 0x7f) {
            q.s[n++] = (char)c;
        } else {
            q.s[n++] = '\\';
            q.s[n++] = 'x';
            hex_encode(q.s + n, &c, 1);
            n += 2;
        }
    }
    if (i < s.n)
        for (int k = 0; k < 3; k++) q.s[n++] = '.';
    q.s[n++] = '"';
    q.s[n] = 0;
    return q;
}
