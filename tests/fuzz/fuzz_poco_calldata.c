/* SPDX-License-Identifier: Apache-2.0 */
/* Orders in a transaction's calldata: what is found lies within it, and ends. */
#include "poco/order.h"

static void check(struct slice all, const struct poco_order *o) {
    struct slice p = o[POCO_REQUEST].request.params;
    for (unsigned k = 0; k < POCO_KINDS; k++) (void)poco_struct_hash(&o[k]); /* reads it all */
    SR_ASSERT(p.n == 0 || (p.p >= all.p && p.p + p.n <= all.p + all.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct addr hub = {{7}};
    struct slice all = slice_of(data, size);
    struct poco_order o[POCO_KINDS];
    struct poco_match_at at = {0};
    if (poco_match_read(all, &hub, o, NULL) == SR_OK) check(all, o);
    size_t last = 0;
    while (poco_match_inside(all, &at, o, NULL) == SR_OK) {
        check(all, o);
        SR_ASSERT(at.place > last && at.tries <= POCO_MATCH_TRIES);
        last = at.place;
    }
    return 0;
}
