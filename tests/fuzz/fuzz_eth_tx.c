/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction that is read is written again byte for byte. */
#include "eth/tx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct eth_tx tx;
    struct sr_signature sig;
    struct addr from;
    if (tx_decode(slice_of(data, size), &tx, &sig, &from, NULL) != SR_OK) return 0;
    cleanup_buf struct buf b;
    buf_init(&b, size + 64);
    SR_ASSERT(tx_encode(&tx, &sig, &b, NULL, NULL) == SR_OK);
    SR_ASSERT(slice_eq(buf_slice(&b), slice_of(data, size)));
    return 0;
}
