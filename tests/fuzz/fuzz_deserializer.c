/* SPDX-License-Identifier: Apache-2.0 */
/* Any archive inside an app: every leaf read as every type. */
#include "base/base.h"
#include <stdio.h>
#include <stdlib.h>
#include <strongroom/deserializer.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_leaf(struct sr_pd *pd, const char *path) {
    bool b;
    double d;
    char text[41], *s = NULL;
    uint8_t *p = NULL;
    uint64_t n = 0;
    (void)sr_pd_bool(pd, path, &b, NULL);
    (void)sr_pd_f64(pd, path, &d, NULL);
    if (sr_pd_i128(pd, path, text, NULL) == SR_OK) SR_ASSERT(strlen(text) <= 40);
    if (sr_pd_size(pd, path, &n, NULL) != SR_OK || n > 1u << 20) return;
    if (sr_pd_string(pd, path, &s, NULL, NULL) == SR_OK) free(s);
    if (sr_pd_bytes(pd, path, &p, NULL, NULL) == SR_OK) free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sr_pd *pd = NULL;
    cleanup_close int fd = memfd_create("archive", MFD_CLOEXEC);
    char path[64];
    if (fd < 0 || fd_write_all(fd, data, size, NULL) != SR_OK) return 0;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (sr_pd_open(path, &pd, NULL) != SR_OK) return 0;
    for (size_t i = 0; i < sr_pd_count(pd) && i < 100; i++) read_leaf(pd, sr_pd_path_at(pd, i));
    sr_pd_close(pd);
    return 0;
}
