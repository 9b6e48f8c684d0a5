/* SPDX-License-Identifier: Apache-2.0 */
/* ids.c - deal and task ids  SPEC: poco.md#13-identifiers */
#include "poco/order.h"

static struct hash hash_and_number(const struct hash *h, struct u256 n) {
    uint8_t w[32];
    struct keccak k;
    u256_to_be(w, n);
    keccak_init(&k);
    keccak_add(&k, slice_of(h->b, 32));
    keccak_add(&k, slice_of(w, 32));
    return keccak_end(&k);
}

struct hash poco_deal_id(const struct hash *request_hash, struct u256 first) {
    return hash_and_number(request_hash, first);
}

struct hash poco_task_id(const struct hash *deal, struct u256 index) {
    return hash_and_number(deal, index);
}
