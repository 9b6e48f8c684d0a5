/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"
#include <sys/stat.h>
#include <unistd.h>

static sr_status fd_read_at(void *arg, uint64_t off, void *p, size_t n, struct sr_err *err) {
    int fd = (int)(intptr_t)arg;
    uint8_t *dst = p;
    while (n > 0) {
        ssize_t got = pread(fd, dst, n, (off_t)off);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return sr_fail(err, SR_E_SYS, "reading the image archive");
        if (got == 0) return sr_fail(err, SR_E_MALFORMED, "the image archive ends too early");
        dst += got;
        off += (uint64_t)got;
        n -= (size_t)got;
    }
    return SR_OK;
}

sr_status oci_source_fd(int fd, struct oci_source *ret, struct sr_err *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return sr_fail(err, SR_E_SYS, "looking at the image archive");
    if (!S_ISREG(st.st_mode)) return sr_fail(err, SR_E_USAGE, "the image archive is not a file");
    *ret = (struct oci_source){fd_read_at, (void *)(intptr_t)fd, (uint64_t)st.st_size, NULL};
    return SR_OK;
}

static sr_status mem_read_at(void *arg, uint64_t off, void *p, size_t n, struct sr_err *err) {
    const struct slice *m = arg;
    if (off > m->n || n > m->n - off)
        return sr_fail(err, SR_E_MALFORMED, "the image archive ends too early");
    if (n > 0) memcpy(p, m->p + off, n);
    return SR_OK;
}

struct oci_source oci_source_mem(const struct slice *mem) {
    return (struct oci_source){mem_read_at, (void *)(uintptr_t)mem, mem->n, NULL};
}
