/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a tar: every entry is visited and its data read. Digests keep fuzz_oci away from
 * here. */
#include "oci/tar.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static sr_status from_memory(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    struct slice *s = arg;
    (void)err;
    size_t take = s->n < n ? s->n : n;
    if (take > 0) memcpy(p, s->p, take);
    *s = slice_of(s->p + take, s->n - take);
    *ret_n = take;
    return SR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct slice s = slice_of(data, n);
    struct tar_reader t;
    const struct tar_entry *e = NULL;
    uint8_t drop[700];
    size_t got;
    tar_reader_init(&t, from_memory, &s);
    while (tar_next(&t, &e, NULL) == SR_OK && e) {
        char clean[OCI_MAX_PATH + 1];
        if (!tar_path_clean(slice_str(e->path), clean) || strcmp(clean, e->path) != 0)
            __builtin_trap();
        if (e->size % 2 == 0)
            while (tar_data(&t, drop, sizeof drop, &got, NULL) == SR_OK && got > 0) {
            }
    }
    tar_reader_done(&t);
    return 0;
}
