/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_chunked.c - a chunked body in two different cuts gives the same bytes and the same verdict
 */
#include "net/http_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sr_status decode(struct slice in, size_t step, struct buf *out, size_t *ret_used,
                        bool *ret_done) {
    struct chunked c = {0};
    size_t at = 0;
    while (at < in.n && !c.done) {
        size_t end = in.n - at > step ? at + step : in.n;
        while (at < end && !c.done) {
            size_t used = 0;
            struct slice piece;
            SR_TRY(chunked_next(&c, slice_of(in.p + at, end - at), &used, &piece, NULL));
            SR_ASSERT(used > 0 && used <= end - at);
            buf_add(out, piece);
            at += used;
        }
    }
    *ret_used = at;
    *ret_done = c.done;
    return SR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_buf struct buf a, b;
    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    size_t used_a = 0, used_b = 0;
    bool done_a = false, done_b = false;
    sr_status st_a = decode(slice_of(data, size), SIZE_MAX, &a, &used_a, &done_a);
    sr_status st_b = decode(slice_of(data, size), 1, &b, &used_b, &done_b);
    SR_ASSERT(st_a == st_b && done_a == done_b && used_a == used_b);
    SR_ASSERT(slice_eq(buf_slice(&a), buf_slice(&b)));
    return 0;
}
