/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a collateral service: eight parts with u16 lengths, body and chain of each. */
#include "tee/pcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rd r = rd_of(slice_of(data, size));
    struct pcs_answer a[PCS_PARTS];
    struct pcs_platform p;
    cleanup_buf struct buf json = {0};
    uint64_t number = 0;
    buf_init(&json, 8u << 20);
    for (size_t i = 0; i < PCS_PARTS; i++) {
        a[i].body = rd_take(&r, rd_u16(&r));
        a[i].chain = rd_take(&r, rd_u16(&r));
    }
    if (pcs_assemble(a, &json, NULL) == SR_OK) {
        struct json *doc = NULL;
        /* What is put together is JSON, whatever came in. */
        SR_ASSERT(json_parse(buf_slice(&json), &doc, NULL) == SR_OK);
        json_free(doc);
        (void)!pcs_evaluation_number(buf_slice(&json), &number, NULL);
    }
    (void)!pcs_platform_of(slice_of(data, size), &p, NULL);
    return 0;
}
