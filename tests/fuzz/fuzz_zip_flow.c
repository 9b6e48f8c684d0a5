/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as they come: unpacked as the reader of whole archives would, or refused. */
#include "zip/zip.h"

#define MOST (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct got {
    uint64_t bytes;
    uint32_t crc;
    size_t n;
};

static sr_status begin(void *arg, struct slice name, struct sr_err *err) {
    (void)err;
    ((struct got *)arg)->n += name.n <= ZIP_NAME_MAX;
    return SR_OK;
}
static sr_status add(void *arg, struct slice s, struct sr_err *err) {
    struct got *g = arg;
    g->bytes += s.n;
    g->crc = zip_crc32(g->crc, s);
    return g->bytes > MOST ? sr_fail(err, SR_E_TOOBIG, "enough") : SR_OK;
}
static sr_status end(void *arg, struct sr_err *err) {
    (void)arg;
    (void)err;
    return SR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct zip_flow_ops ops = {begin, add, end};
    struct zip_flow *f;
    const struct zip_reader *seen;
    struct got g = {0}, whole = {0};
    size_t step = size ? 1 + data[size / 2] * 5u : 1;
    if (zip_flow_new(&ops, &g, size, &f, NULL) != SR_OK) return 0;
    sr_status st = SR_OK;
    for (size_t at = 0; at < size && st == SR_OK; at += step)
        st = zip_flow_add(f, slice_of(data + at, size - at < step ? size - at : step), NULL);
    if (st == SR_OK) st = zip_flow_end(f, NULL, &seen, NULL);
    if (st == SR_OK) {
        struct zip_reader *r;
        SR_ASSERT(zip_open_bytes(slice_of(data, size), NULL, &r, NULL) == SR_OK);
        SR_ASSERT(zip_count(r) == zip_count(seen) && zip_count(r) == g.n);
        for (size_t i = 0; i < zip_count(r); i++)
            SR_ASSERT(zip_extract(r, zip_item_at(r, i), add, &whole, NULL) == SR_OK);
        SR_ASSERT(whole.bytes == g.bytes && whole.crc == g.crc);
        zip_reader_free(r);
    }
    zip_flow_free(f);
    return 0;
}
