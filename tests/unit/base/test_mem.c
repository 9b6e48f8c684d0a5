/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* A table that only this test reads, a good part of a megabyte. */
#define TABLE 600000
static const uint8_t table[TABLE] = {1, [TABLE - 1] = 2};

static const uint8_t *first_page(size_t page) {
    return (const uint8_t *)(((uintptr_t)table + page) & ~(page - 1));
}

static unsigned touch(void) {
    const volatile uint8_t *t = table;
    unsigned sum = 0;
    for (size_t i = 0; i < TABLE; i += 512) sum += t[i];
    return sum + t[TABLE - 1];
}

/* Pages of the table that this process has in its page table, as the kernel counts them. */
static size_t resident(size_t page) {
    uint64_t entry[TABLE / 4096];
    size_t n = 0, pages = TABLE / page - 1;
    cleanup_close int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    off_t at = (off_t)((uintptr_t)first_page(page) / page * sizeof *entry);
    assert_int_equal(pread(fd, entry, pages * sizeof *entry, at), (ssize_t)(pages * sizeof *entry));
    for (size_t i = 0; i < pages; i++) n += entry[i] >> 63;
    return n;
}

static void what_was_only_read_goes_and_comes_back(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(touch(), 3);
    assert_int_equal(resident(page), TABLE / page - 1);
    mem_settle();
    assert_true(resident(page) < TABLE / page / 2);
    assert_int_equal(touch(), 3);
    assert_int_equal(resident(page), TABLE / page - 1);
}

static void locked_memory_is_given_back_too(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (mlock(first_page(page), TABLE - 2 * page) != 0) skip(); /* RLIMIT_MEMLOCK */
    assert_int_equal(touch(), 3);
    mem_settle();
    assert_true(resident(page) < TABLE / page / 2);
}

static void data_stay(void **state) {
    (void)state;
    static int counter = 1;
    char *heap = strdup("kept");
    counter++;
    mem_settle();
    assert_int_equal(counter, 2);
    assert_string_equal(heap, "kept");
    free(heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_only_read_goes_and_comes_back),
        cmocka_unit_test(locked_memory_is_given_back_too),
        cmocka_unit_test(data_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
