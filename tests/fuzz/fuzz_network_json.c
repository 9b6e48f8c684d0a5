/* SPDX-License-Identifier: Apache-2.0 */
/* Any network.json: read, or refused with a text. */
#include "../../src/sdk/network.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct network n = {0};
    struct sr_err err = {0};
    struct slice name, hex;
    struct addr a;
    if (json_parse(slice_of(data, size), &n.doc, &err) == SR_OK && take_all(&n, &err) == SR_OK) {
        SR_ASSERT(n.rpc != NULL);
        (void)sdk_dev_account(&n, SLICE_LIT("alice"), &name, &a, &hex);
    } else {
        SR_ASSERT(err.what[0] != 0);
    }
    sdk_network_done(&n);
    return 0;
}
