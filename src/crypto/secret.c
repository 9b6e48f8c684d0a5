/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SECRET_MAX (1u << 20) /* keys and small documents; bulk data is streamed elsewhere */

/*
 * One mapping: guard page | the secret's pages | guard page. The middle is memfd_secret where the
 * kernel gives it (not even the kernel's own map reaches it); else locked against swap, left out of
 * dumps and emptied in a forked child. A machine that allows no locked memory still works: the
 * pages then only lack the protection from swap.
 */
static void *secmem_map(size_t inner, size_t page) {
    uint8_t *whole = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED) return NULL;
    uint8_t *mid = whole + page;
    void *p = MAP_FAILED;
#ifdef SYS_memfd_secret
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (fd >= 0) {
        if (ftruncate(fd, (off_t)inner) == 0)
            p = mmap(mid, inner, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        (void)close(fd);
    }
    if (p != MAP_FAILED) (void)madvise(p, inner, MADV_DONTFORK);
#endif
    if (p == MAP_FAILED) {
        p = mmap(mid, inner, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0);
        if (p == MAP_FAILED) {
            (void)munmap(whole, inner + 2 * page);
            return NULL;
        }
        (void)mlock(p, inner);
        (void)madvise(p, inner, MADV_WIPEONFORK);
    }
    (void)madvise(p, inner, MADV_DONTDUMP);
    return p;
}

sr_status secret_new(size_t n, struct sr_secret *ret_s, struct sr_err *err) {
    if (n > SECRET_MAX) return sr_fail(err, SR_E_TOOBIG, "a secret of %zu bytes", n);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inner = (n + page) / page * page; /* at least one page, at least one byte beyond n */
    uint8_t *p = secmem_map(inner, page);
    if (!p) return sr_fail(err, SR_E_NOMEM, "no memory for a secret");
    *ret_s = (struct sr_secret){.p = p, .n = n, .mapped = inner};
    return SR_OK;
}

sr_status secret_from(const void *p, size_t n, struct sr_secret *ret_s, struct sr_err *err) {
    struct sr_secret s;
    SR_TRY(secret_new(n, &s, err));
    if (n) memcpy(s.p, p, n);
    *ret_s = s;
    return SR_OK;
}

void secret_free(struct sr_secret *s) {
    if (!s || !s->p) return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    explicit_bzero(s->p, s->mapped);
    (void)munmap(s->p - page, s->mapped + 2 * page);
    *s = (struct sr_secret){0};
}

void secret_no_dump(void) {
    struct rlimit none = {0, 0};
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
}

void secret_harden_process(void) {
    struct rlimit lock;
    secret_no_dump();
#ifndef CHECKED_BUILD /* the sanitizers' shadow memory must not be locked */
    /* Only without a limit: under one, MCL_FUTURE makes later allocations fail. */
    if (getrlimit(RLIMIT_MEMLOCK, &lock) == 0 && lock.rlim_cur == RLIM_INFINITY)
        (void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
#else
    (void)lock;
#endif
}

bool ct_equal(const void *a, const void *b, size_t n) {
    const volatile uint8_t *x = a, *y = b;
    uint8_t d = 0;
    for (size_t i = 0; i < n; i++) d = (uint8_t)(d | (x[i] ^ y[i]));
    return (1u & (((unsigned)d - 1u) >> 8)) != 0;
}

sr_status random_bytes(void *p, size_t n, struct sr_err *err) {
    uint8_t *at = p;
    while (n > 0) {
        ssize_t k = getrandom(at, n, 0);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return sr_fail(err, SR_E_SYS, "no random bytes from the kernel");
        at += k;
        n -= (size_t)k;
    }
    return SR_OK;
}
