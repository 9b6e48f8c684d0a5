/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h - what every fallible function of Strongroom returns, and the error that explains it
 *
 * Used by: everything, inside and outside (libstrongroom's callers see these codes).
 * The values are stable. Each has one HTTP status, so that an answer and an exit never disagree.
 */
#pragma once
#include <stdarg.h>

#define SR_PUBLIC __attribute__((visibility("default"))) /* what libstrongroom exports */

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, value, HTTP status, text) */
#define SR_STATUS_LIST(X)                                                                          \
    X(SR_OK, 0, 200, "ok")                                                                         \
    X(SR_E_NOMEM, -1, 500, "out of memory")                                                        \
    X(SR_E_MALFORMED, -2, 400, "malformed input")                                                  \
    X(SR_E_RANGE, -3, 400, "out of range")                                                         \
    X(SR_E_AUTH, -4, 401, "not authorised")                                                        \
    X(SR_E_NOTFOUND, -5, 404, "not found")                                                         \
    X(SR_E_CONFLICT, -6, 409, "already exists")                                                    \
    X(SR_E_TOOBIG, -7, 413, "over the limit")                                                      \
    X(SR_E_CHAIN, -8, 502, "chain call failed")                                                    \
    X(SR_E_CRYPTO, -9, 400, "cryptographic check failed")                                          \
    X(SR_E_SYS, -10, 500, "system error")                                                          \
    X(SR_E_TIMEOUT, -11, 504, "timed out")                                                         \
    X(SR_E_UNAVAILABLE, -12, 503, "service unavailable")                                           \
    X(SR_E_REFUSED, -13, 403, "refused")                                                           \
    X(SR_E_TASK, -14, 422, "task failed")                                                          \
    X(SR_E_USAGE, -15, 400, "wrong usage")                                                         \
    X(SR_E_CANCELLED, -16, 499, "cancelled")

#define SR_STATUS_ENUM(name, value, http, text) name = (value),
typedef enum { SR_STATUS_LIST(SR_STATUS_ENUM) } sr_status;
#undef SR_STATUS_ENUM

/* Caller-owned, no allocation; meaningful after a failure only. Start from { 0 }. Never holds
 * secret bytes. */
struct sr_err {
    sr_status code;
    int sys;             /* errno when code == SR_E_SYS, else 0 */
    const char *where;   /* static string: the function that failed first */
    const char *failure; /* static string: its code in the failure catalogue (failure.h), or NULL */
    char what[240];      /* what happened, for a person */
    char hint[200];      /* what to do next, for a person; may be empty */
};

/* The code's text ("not found"), its name ("SR_E_NOTFOUND"), its HTTP status. Never NULL; unknown:
 * "unknown". */
SR_PUBLIC const char *sr_status_text(sr_status code);
SR_PUBLIC const char *sr_status_name(sr_status code);
SR_PUBLIC int sr_status_http(sr_status code);

#ifdef __cplusplus
}
#endif
