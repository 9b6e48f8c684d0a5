/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_share_log.c - an event as a chain node gives it: one byte which, one how many topics, a
 * topic, data */
#include "poco/sharing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 34) return 0;
    struct hash topics[4] = {poco_topic((poco_event)(data[0] % POCO_EV_N))};
    size_t n = data[1] % 5;
    for (unsigned i = 1; i < 4; i++) memcpy(topics[i].b, data + 2, 32);
    struct share_log l;
    struct sr_err e = {0};
    if (share_log_read(topics, n, slice_of(data + 34, size - 34), &l, &e) == SR_OK) {
        SR_ASSERT(l.event >= POCO_EV_SHARE_MOVED && l.event <= POCO_EV_WHITELIST_APP);
        SR_ASSERT(l.terms.duration <= SHARE_DURATION_MAX);
    }
    return 0;
}
