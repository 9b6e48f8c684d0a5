/* SPDX-License-Identifier: Apache-2.0 */
/* JSON policies, evaluated over fixed evidence. */
#include "tee/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct dcap_result td = {.tdx = true, .status = TCB_UP_TO_DATE, .n_advisories = 1};
    static const struct snp_result snp = {.product = SNP_MILAN};
    struct policy *p = NULL;
    struct policy_verdict v;
    if (policy_new(slice_of(data, size), &p, NULL) != SR_OK) return 0;
    struct policy_input in = {.provider = TEE_SIMULATED, .dcap = &td, .now_s = 1796000000};
    policy_evaluate(p, &in, &v);
    in = (struct policy_input){.provider = TEE_SEV_SNP, .snp = &snp, .now_s = 1796000000};
    policy_evaluate(p, &in, &v);
    policy_free(p);
    return 0;
}
