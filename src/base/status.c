/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - errors, assertions, clean-up helpers */
#include "base/status.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROW(name, value, http, text) {name, http, text, #name},
static const struct {
    sr_status code;
    int http;
    const char *text, *name;
} rows[] = {SR_STATUS_LIST(ROW)};
#undef ROW

const char *sr_status_text(sr_status code) {
    for (size_t i = 0; i < SR_ARRAY_LEN(rows); i++)
        if (rows[i].code == code) return rows[i].text;
    return "unknown";
}

const char *sr_status_name(sr_status code) {
    for (size_t i = 0; i < SR_ARRAY_LEN(rows); i++)
        if (rows[i].code == code) return rows[i].name;
    return "unknown";
}

int sr_status_http(sr_status code) {
    for (size_t i = 0; i < SR_ARRAY_LEN(rows); i++)
        if (rows[i].code == code) return rows[i].http;
    return 500;
}

sr_status sr_fail_(struct sr_err *e, sr_status code, const char *where, const char *fmt, ...) {
    int sys = errno;
    if (!e || e->code != SR_OK) return code;
    e->code = code;
    e->where = where;
    e->sys = 0;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->what, sizeof e->what, fmt, ap);
    va_end(ap);
    if (code == SR_E_SYS) {
        e->sys = sys;
        const char *text = strerrordesc_np(sys);
        if (n >= 0 && (size_t)n < sizeof e->what)
            (void)snprintf(e->what + n, sizeof e->what - (size_t)n, ": %s",
                           text ? text : "unknown system error");
        if (!e->hint[0] && (sys == ENOSPC || sys == EDQUOT))
            (void)snprintf(e->hint, sizeof e->hint, "free some disk space, then try again");
        errno = sys;
    }
    return code;
}

void sr_hint(struct sr_err *e, const char *fmt, ...) {
    if (!e || e->hint[0]) return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(e->hint, sizeof e->hint, fmt, ap);
    va_end(ap);
}

void sr_err_prefix(struct sr_err *e, const char *fmt, ...) {
    if (!e || e->code == SR_OK) return;
    char old[sizeof e->what];
    memcpy(old, e->what, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->what, sizeof e->what, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->what)
        (void)snprintf(e->what + n, sizeof e->what - (size_t)n, ": %s", old);
}

void sr_assert_failed_(const char *cond, const char *file, int line) {
    char text[300];
    int n = snprintf(text, sizeof text, "assertion failed: %s (%s:%d)\n", cond, file, line);
    if (n > 0) {
        size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        if (write(2, text, len) < 0) abort();
    }
    abort();
}

void cleanup_free_(void *p) {
    void *block;
    memcpy(&block, p, sizeof block); /* whatever pointer type the variable has */
    free(block);
}

void cleanup_close_(int *fd) {
    int keep = errno;
    if (*fd >= 0) (void)close(*fd);
    errno = keep;
}

void *sr_calloc_n(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    return calloc(bytes ? bytes : 1, 1);
}
