/* SPDX-License-Identifier: Apache-2.0 */
#include "nomem.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#define SLOTS     (1u << 16) /* blocks that one job holds at a time, and has held */
#define SWEEP_MAX 20000      /* allocations of one job */

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t count, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_asprintf(char **ret, const char *fmt, ...) SR_PRINTF(2, 3);
void __wrap_free(void *p);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool armed, for_good; /* for_good: all after the chosen one fail too */
    size_t at, seen, failed;
    size_t live;
    const void *slot[SLOTS]; /* &gone: was freed */
} work;
static const char gone;

static size_t slot_of(const void *p) {
    return (size_t)(((uintptr_t)p >> 4) * 0x9E3779B97F4A7C15u >> 48) % SLOTS;
}

static bool refused(void) {
    bool no = false;
    (void)pthread_mutex_lock(&lock);
    if (work.armed) {
        no = work.seen == work.at || (work.for_good && work.seen > work.at);
        work.seen++;
        if (no) work.failed++;
    }
    (void)pthread_mutex_unlock(&lock);
    if (no) errno = ENOMEM;
    return no;
}

static void *taken(void *p) {
    (void)pthread_mutex_lock(&lock);
    if (work.armed && p) {
        size_t i = slot_of(p), tries = 0;
        while (work.slot[i] && work.slot[i] != &gone) {
            i = (i + 1) % SLOTS;
            SR_ASSERT(++tries < SLOTS);
        }
        work.slot[i] = p;
        work.live++;
    }
    (void)pthread_mutex_unlock(&lock);
    return p;
}

static void let_go(const void *p) {
    (void)pthread_mutex_lock(&lock);
    if (work.armed && p)
        for (size_t i = slot_of(p), n = 0; work.slot[i] && n < SLOTS; i = (i + 1) % SLOTS, n++)
            if (work.slot[i] == p) {
                work.slot[i] = &gone;
                work.live--;
                break;
            }
    (void)pthread_mutex_unlock(&lock);
}

void *__wrap_malloc(size_t n) {
    return refused() ? NULL : taken(__real_malloc(n));
}
void *__wrap_calloc(size_t count, size_t size) {
    return refused() ? NULL : taken(__real_calloc(count, size));
}
void *__wrap_realloc(void *p, size_t n) {
    if (refused()) return NULL;
    let_go(p);
    return taken(__real_realloc(p, n));
}
void *__wrap_reallocarray(void *p, size_t count, size_t size) {
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) return NULL;
    return __wrap_realloc(p, n);
}
char *__wrap_strdup(const char *s) {
    return __wrap_strndup(s, strlen(s));
}
char *__wrap_strndup(const char *s, size_t n) {
    n = strnlen(s, n);
    char *p = __wrap_malloc(n + 1);
    if (p) {
        memcpy(p, s, n);
        p[n] = 0;
    }
    return p;
}
int __wrap_asprintf(char **ret, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : __wrap_malloc((size_t)n + 1);
    if (p) (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    if (!p) return -1;
    *ret = p;
    return n;
}
void __wrap_free(void *p) {
    let_go(p);
    __real_free(p);
}

static void arm(size_t at, bool for_good) {
    (void)pthread_mutex_lock(&lock);
    memset(&work, 0, sizeof work);
    work.armed = true;
    work.at = at;
    work.for_good = for_good;
    (void)pthread_mutex_unlock(&lock);
}

void nomem_pause(void) {
    (void)pthread_mutex_lock(&lock);
    work.at = SIZE_MAX;
    work.for_good = false;
    (void)pthread_mutex_unlock(&lock);
}

/* True: no allocation had to fail for the job to end. */
static bool try_at(const char *what, size_t n, bool for_good, nomem_job job, void *arg) {
    struct sr_err e = {0};
    arm(n, for_good);
    sr_status st = job(arg, &e);
    work.armed = false;
    if (work.live) fail_msg("%s: %zu blocks stay when allocation %zu fails", what, work.live, n);
    if (!work.failed && st != SR_OK) fail_msg("%s: %s", what, e.what);
    if (!work.failed) return true;
    if (st == SR_OK) fail_msg("%s: succeeds though allocation %zu failed", what, n);
    if (st != SR_E_NOMEM || !e.what[0])
        fail_msg("%s: %s (%s) when allocation %zu fails", what, sr_status_name(st), e.what, n);
    return false;
}

size_t nomem_sweep_of(const char *what, bool for_good, nomem_job job, void *arg) {
    size_t n = 0;
    while (!try_at(what, n, for_good, job, arg)) assert_true(++n < SWEEP_MAX);
    print_message("%s: %zu allocations\n", what, n);
    assert_true(n > 0);
    return n;
}

size_t nomem_sweep(const char *what, nomem_job job, void *arg) {
    size_t n = nomem_sweep_of(what, false, job, arg);
    assert_int_equal(nomem_sweep_of(what, true, job, arg), n);
    return n;
}
