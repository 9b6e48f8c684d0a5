/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/tee.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tee_envelope e;
    struct dcap_quote q;
    if (tee_envelope_parse(slice_of(data, size), &e, NULL) == SR_OK)
        (void)!dcap_parse(e.evidence, &q, NULL, NULL);
    return 0;
}
