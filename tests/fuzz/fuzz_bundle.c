/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence bundles: the reader of all fields, and the checks as far as they go. */
#include "audit/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct audit_report r;
    (void)!audit_verify(slice_of(data, size), &r, NULL);
    return 0;
}
