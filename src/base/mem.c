/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments that may be written hold data: they stay. */
static int drop_segments(struct dl_phdr_info *info, size_t size, void *arg) {
    const uintptr_t page = *(const uintptr_t *)arg;
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        if (ph->p_type != PT_LOAD || (ph->p_flags & PF_W) != 0) continue;
        uintptr_t from = (info->dlpi_addr + ph->p_vaddr) & ~(page - 1);
        size_t n = info->dlpi_addr + ph->p_vaddr + ph->p_memsz - from;
        /* Never together with a writable segment: they begin on pages of their own. */
        n = (n + page - 1) & ~(size_t)(page - 1);
        void *at = (void *)from; /* NOLINT: an address of the program's own text */
        (void)munlock(at, n);
        (void)madvise(at, n, MADV_DONTNEED);
    }
    return 0;
}

void mem_settle(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(drop_segments, &page);
}
