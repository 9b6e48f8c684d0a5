/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole verifications: one byte of kind, then parts with u16 lengths. 'S': leaf, ASK, ARK, report;
 * 'N': root, document. Certificates are parsed and chained before anything is trusted.
 */
#include "tee/nitro.h"
#include "tee/snp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rd r = rd_of(slice_of(data, size));
    const uint8_t kind = rd_u8(&r);
    struct slice part[4] = {{0}};
    const size_t n = kind == 'S' ? 4 : 2;
    const char *why[16];
    for (size_t i = 0; i < n; i++) part[i] = rd_take(&r, rd_u16(&r));
    if (r.bad) return 0;
    if (kind == 'S') {
        struct snp_chain *c = NULL;
        struct snp_result s;
        if (snp_chain_new(part[0], part[1], part[2], &c, NULL, NULL) == SR_OK &&
            snp_verify(part[3], c, 1781524800, &s, NULL) == SR_OK)
            (void)snp_strict_reasons(&s, why, 16);
        snp_chain_free(c);
    } else if (kind == 'N') {
        struct nitro_result s;
        if (nitro_verify(part[1], part[0], 1781524800, &s, NULL) == SR_OK)
            (void)nitro_strict_reasons(&s, why, 16);
    }
    return 0;
}
