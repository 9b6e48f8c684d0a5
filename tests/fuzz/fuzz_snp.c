/* SPDX-License-Identifier: Apache-2.0 */
/* SEV-SNP reports, the host's certificate table, the ioctl's answer, a leaf certificate. */
#include "tee/snp.h"
#include "tee/tsm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct snp_report r;
    struct snp_table t;
    const struct slice s = slice_of(data, size);
    if (snp_parse(s, &r, NULL, NULL) == SR_OK) {
        const struct snp_tcb a = snp_tcb_read(r.reported_tcb, r.cpuid_product),
                             b = snp_tcb_read(r.committed_tcb, r.cpuid_product);
        (void)snp_tcb_at_least(&a, &b);
    }
    if (snp_table_parse(s, &t, NULL) == SR_OK) {
        const struct slice parts[] = {t.vcek, t.vlek, t.ask, t.ark};
        volatile uint8_t sum = 0;
        for (size_t i = 0; i < SR_ARRAY_LEN(parts); i++)
            for (size_t k = 0; k < parts[i].n; k++) sum = (uint8_t)(sum + parts[i].p[k]);
    }
    if (size >= 4000) {
        cleanup_buf struct buf b = {0};
        buf_init(&b, SNP_REPORT_BYTES);
        (void)!snp_guest_answer(data, &b, NULL);
    }
    return 0;
}
