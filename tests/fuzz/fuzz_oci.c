/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an image archive: opened, and unpacked within small limits into a folder of its own.
 */
#include "oci/oci.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct slice bytes = slice_of(data, n);
    struct oci_image *img = NULL;
    if (oci_open(oci_source_mem(&bytes), NULL, &img, NULL) != SR_OK) return 0;
    char dir[] = "/tmp/fuzz_oci.XXXXXX";
    if (!mkdtemp(dir)) abort();
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) abort();
    const struct oci_limits limits = {.max_bytes = 1u << 20, .max_entries = 200};
    sr_status st = oci_unpack(img, fd, &limits, NULL);
    (void)st;
    (void)close(fd);
    oci_close(img);
    if (fs_remove_tree(dir, NULL) != SR_OK) abort();
    return 0;
}
