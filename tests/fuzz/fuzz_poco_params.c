/* SPDX-License-Identifier: Apache-2.0 */
/* Deal parameters, result links, calldata and logs from outside. */
#include "poco/calls.h"
#include "poco/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice in = slice_of(data, size);
    struct poco_params p = {0}, q = {0};
    if (poco_params_read(in, &p, NULL) == SR_OK) {
        cleanup_buf struct buf b;
        buf_init(&b, 8 * size + 1024);
        poco_params_write(&p, &b);
        SR_ASSERT(b.bad == SR_OK && poco_params_read(buf_slice(&b), &q, NULL) == SR_OK);
        /* a text that is no JSON may hold bytes that JSON cannot */
        SR_ASSERT(!p.doc || (p.n_files == q.n_files && slice_eq(p.args, q.args)));
    }
    poco_params_done(&p);
    poco_params_done(&q);
    struct poco_result_link l = {0};
    if (poco_result_read(in, &l, NULL) == SR_OK) json_free(l.doc);
    poco_call c;
    cleanup_abi struct abi_out o = {0};
    (void)!poco_call_read(in, &c, &o, NULL);
    if (size >= 64) {
        struct hash topics[2];
        memcpy(topics, data, 64);
        struct poco_log log;
        topics[0] = poco_topic((poco_event)(data[0] % POCO_EV_N));
        (void)!poco_log_read(topics, 1 + data[1] % 2, slice_of(data + 64, size - 64), &log, NULL);
    }
    return 0;
}
