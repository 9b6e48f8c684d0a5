/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - one line an event, logfmt: ts=… lvl=info role=sms ev=secret_put owner=0x… dur_us=412
 *
 * Used by: mains and roles, at the border where something is handled; libraries return errors
 * instead. Never: secrets, full tokens, plain text of users.
 */
#pragma once
#include "base/buf.h"

typedef enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level;

/* Where lines go (a descriptor, borrowed; default 2), the role's name (static string), the least
 * urgent level shown. */
void log_setup(const char *role, int fd, log_level level);
log_level log_level_parse(struct slice text, log_level fallback);
/* ev is a static word; fmt makes further "key=value" words (may be ""); texts from outside go
 * through log_q. */
void log_line(log_level level, const char *ev, const char *fmt, ...) SR_PRINTF(3, 4);
#define log_error(ev, ...) log_line(LOG_ERROR, (ev), __VA_ARGS__)
#define log_warn(ev, ...)  log_line(LOG_WARN, (ev), __VA_ARGS__)
#define log_info(ev, ...)  log_line(LOG_INFO, (ev), __VA_ARGS__)
#define log_debug(ev, ...) log_line(LOG_DEBUG, (ev), __VA_ARGS__)
/* A failure: ev, then code, what, hint, where of the error. */
void log_err(log_level level, const char *ev, const struct sr_err *err);
/* Quotes and escapes text from outside, cut at 256 bytes: log_info("x", "name=%s", log_q(s).s). */
struct log_quoted {
    char s[300];
};
struct log_quoted log_q(struct slice s);
