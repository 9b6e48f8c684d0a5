/* SPDX-License-Identifier: Apache-2.0 */
/* ids.c - deal, task, result and authorisation hashes  SPEC: poco.md#13-identifiers */
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

struct hash poco_result_hash(const struct hash *task, const struct hash *digest) {
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, slice_of(task->b, 32));
    keccak_add(&k, slice_of(digest->b, 32));
    return keccak_end(&k);
}

struct hash poco_result_seal(const struct addr *worker, const struct hash *task,
                             const struct hash *digest) {
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, slice_of(worker->b, 20));
    keccak_add(&k, slice_of(task->b, 32));
    keccak_add(&k, slice_of(digest->b, 32));
    return keccak_end(&k);
}

struct hash poco_authorization_hash(const struct addr *worker, const struct hash *task,
                                    const struct addr *enclave) {
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, slice_of(worker->b, 20));
    keccak_add(&k, slice_of(task->b, 32));
    keccak_add(&k, slice_of(enclave->b, 20));
    return keccak_end(&k);
}

struct hash poco_enclave_hash(const struct addr *worker, const struct hash *task,
                              const struct hash *digest) {
    struct hash result = poco_result_hash(task, digest),
                seal = poco_result_seal(worker, task, digest);
    return poco_result_hash(&result, &seal); /* the same shape: two words */
}
