/* SPDX-License-Identifier: Apache-2.0 */
/* Any archive: opened and unpacked within limits, or refused. */
#include "zip/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sr_status count(void *arg, struct slice s, struct sr_err *err) {
    (void)err;
    *(uint64_t *)arg += s.n;
    return SR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct zip_limits limits = {1000, 1u << 20, 4u << 20};
    struct zip_reader *r;
    if (zip_open_bytes(slice_of(data, size), &limits, &r, NULL) != SR_OK) return 0;
    for (size_t i = 0; i < zip_count(r); i++) {
        const struct zip_item *it = zip_item_at(r, i);
        uint64_t got = 0;
        sr_status st = zip_extract(r, it, count, &got, NULL);
        SR_ASSERT(got <= it->size && (st != SR_OK || got == it->size));
    }
    zip_reader_free(r);
    return 0;
}
