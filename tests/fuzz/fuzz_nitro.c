/* SPDX-License-Identifier: Apache-2.0 */
/* Nitro documents: CBOR, COSE, the payload. */
#include "tee/nitro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct nitro_doc d;
    if (nitro_parse(slice_of(data, size), &d, NULL, NULL) != SR_OK) return 0;
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < NITRO_PCRS; i++)
        for (size_t k = 0; k < d.pcr[i].n; k++) sum = (uint8_t)(sum + d.pcr[i].p[k]);
    for (size_t i = 0; i < d.n_cabundle; i++) sum = (uint8_t)(sum + d.cabundle[i].p[0]);
    return 0;
}
