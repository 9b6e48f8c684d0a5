/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h - failing, cleaning up, asserting: the words every function of the house uses
 *
 * Depends on: nothing.  Used by: everything.  Allocates: never.
 */
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strongroom/status.h>

#define SR_CHECK        __attribute__((warn_unused_result))
#define SR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define SR_ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

/* Fails: the first failure fills *e (may be NULL), a later one leaves it. Returns code. errno is
 * kept when code is SR_E_SYS, and its text appended. */
#define sr_fail(e, code, ...)                                                                      \
    ({                                                                                             \
        sr_status fail_ = (code); /* in the open, so that compilers see it is no SR_OK */          \
        sr_fail_((e), fail_, __func__, __VA_ARGS__);                                               \
        fail_;                                                                                     \
    })
sr_status sr_fail_(struct sr_err *e, sr_status code, const char *where, const char *fmt, ...)
    SR_PRINTF(4, 5);

/* Says what to do next; the first hint stays. Evaluates to nothing; call before returning the
 * failure. */
void sr_hint(struct sr_err *e, const char *fmt, ...) SR_PRINTF(2, 3);

/* Puts words in front of what happened ("<prefix>: <what>"), for a caller that knows the context.
 */
void sr_err_prefix(struct sr_err *e, const char *fmt, ...) SR_PRINTF(2, 3);

#define SR_TRY(expr)                                                                               \
    do {                                                                                           \
        sr_status try_ = (expr);                                                                   \
        if (try_ != SR_OK) return try_;                                                            \
    } while (0)

/* For our own mistakes only, on in release; input never reaches one. */
#define SR_ASSERT(cond) ((cond) ? (void)0 : sr_assert_failed_(#cond, __FILE__, __LINE__))
_Noreturn void sr_assert_failed_(const char *cond, const char *file, int line);

void cleanup_free_(void *p);  /* *(void **)p */
void cleanup_close_(int *fd); /* closes when >= 0 */
#define cleanup_free  __attribute__((cleanup(cleanup_free_)))
#define cleanup_close __attribute__((cleanup(cleanup_close_)))
#define sr_take_ptr(p)                                                                             \
    ({                                                                                             \
        __typeof__(p) t_ = (p);                                                                    \
        (p) = NULL;                                                                                \
        t_;                                                                                        \
    })
#define sr_take_fd(fd)                                                                             \
    ({                                                                                             \
        int t_ = (fd);                                                                             \
        (fd) = -1;                                                                                 \
        t_;                                                                                        \
    })

/* calloc(count, size) that refuses an overflowing product; NULL when out of memory. Owned: free. */
void *sr_calloc_n(size_t count, size_t size) SR_CHECK;
