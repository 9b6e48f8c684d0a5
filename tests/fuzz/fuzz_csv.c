/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a table: whole and in pieces it is the same rows, or the same refusal. */
#include "common/csv.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sr_status keep(void *arg, const struct slice *fields, size_t n, uint64_t row,
                      struct sr_err *err) {
    (void)row;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        buf_u32(arg, (uint32_t)fields[i].n);
        buf_add(arg, fields[i]);
    }
    return SR_OK;
}

static sr_status read_all(const uint8_t *p, size_t n, size_t piece, struct buf *out) {
    struct csv *c = NULL;
    if (csv_new(keep, out, &c, NULL) != SR_OK) return SR_E_NOMEM;
    sr_status st = SR_OK;
    for (size_t i = 0; i < n && st == SR_OK; i += piece)
        st = csv_feed(c, p + i, n - i < piece ? n - i : piece, NULL);
    if (st == SR_OK) st = csv_end(c, NULL);
    csv_free(c);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_buf struct buf whole, parts;
    buf_init(&whole, 16u << 20);
    buf_init(&parts, 16u << 20);
    sr_status a = read_all(data, size, size ? size : 1, &whole);
    sr_status b = read_all(data, size, size ? data[0] % 7 + 1u : 1, &parts);
    SR_ASSERT(a == b && slice_eq(buf_slice(&whole), buf_slice(&parts)));
    return 0;
}
