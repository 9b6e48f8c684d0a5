/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that people post to the order book: an accepted order is a whole, signed-looking order. */
#include "market/publish.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_json struct json *doc = NULL;
    uint64_t n;
    struct sr_err e = {0};
    if (q_int_text("x", slice_of(data, size), 1, &n, &e) == SR_OK)
        SR_ASSERT(n >= 1 && n <= POCO_SAFE_MAX);
    if (json_parse(slice_of(data, size), &doc, NULL) != SR_OK) return 0;
    for (unsigned k = 0; k < POCO_KINDS; k++) {
        struct poco_order o;
        if (read_order(json_root(doc), (poco_kind)k, &o, NULL) != SR_OK) continue;
        uint64_t volume;
        SR_ASSERT(u256_to_u64(*poco_order_volume(&o), &volume) && volume >= 1 &&
                  volume <= POCO_SAFE_MAX);
        struct u256 need;
        SR_ASSERT(order_stake(&o, volume, &need));
    }
    return 0;
}
