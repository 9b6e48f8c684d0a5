/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware metadata, PE images, kernel headers; small ones are measured too. */
#include "tee/launch.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct ovmf f;
    uint8_t d[48];
    const struct slice s = slice_of(data, size);
    (void)!pe_authenticode(s, d, NULL);
    if (size > 0) {
        uint8_t *copy = malloc(size);
        if (!copy) return 0;
        memcpy(copy, data, size);
        (void)!kernel_as_qemu_patches(copy, size, size, 1ull << 31, NULL);
        free(copy);
    }
    if (ovmf_parse(s, &f, NULL) != SR_OK) return 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < f.n_sev; i++) bytes += f.sev[i].size;
    for (size_t i = 0; i < f.n_tdx; i++) bytes += f.tdx[i].memory_size;
    if (bytes > 1u << 18) return 0; /* many pages take time, not other code */
    const struct snp_launch l = {.firmware = &f, .vcpus = 2, .has_kernel = true};
    (void)!snp_launch_digest(&l, d, NULL);
    (void)!tdx_mrtd(&f, true, d, NULL);
    (void)!tdx_td_hob_of(&f, 1ull << 32, d, NULL);
    (void)!tdx_cfv_digest(&f, d, NULL);
    return 0;
}
