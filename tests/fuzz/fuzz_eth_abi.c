/* SPDX-License-Identifier: Apache-2.0 */
/* Contract data that is read is written again byte for byte; first byte: which types. */
#include "eth/abi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const types[] = {
        "uint256",
        "bytes",
        "string,uint8,bytes4",
        "address[],bytes32",
        "(uint256,(bytes,bool)[])[2]",
        "(address,uint256,uint256,bytes32,address,address,address,bytes32,bytes)",
        ("(uint8,bytes32,uint256,uint256,uint256,uint256,uint256,bytes32,uint256,uint256,address[],"
         "bytes32,bytes,uint256,bytes)"),
        "int64,string[],(uint256[],bytes)[]",
    };
    if (size == 0) return 0;
    const char *t = types[data[0] % SR_ARRAY_LEN(types)];
    struct slice in = slice_of(data + 1, size - 1);
    cleanup_buf struct buf b, text;
    buf_init(&b, size + 64);
    buf_init(&text, 4096);
    if (data[0] & 0x80) eth_revert_text(in, &text);
    cleanup_abi struct abi_out o = {0};
    if (abi_decode(in, t, &o, NULL) != SR_OK) return 0;
    SR_ASSERT(abi_encode(&b, t, o.v, o.n, NULL) == SR_OK);
    SR_ASSERT(slice_eq(buf_slice(&b), in));
    return 0;
}
