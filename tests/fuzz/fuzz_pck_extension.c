/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/tee_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pck p;
    (void)!pck_extension_parse(slice_of(data, size), &p);
    return 0;
}
