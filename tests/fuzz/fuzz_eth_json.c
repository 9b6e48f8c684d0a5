/* SPDX-License-Identifier: Apache-2.0 */
/* Wallet files and typed data from outside. */
#include "eth/eip712.h"
#include "eth/keystore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct addr a;
    struct hash h;
    struct slice in = slice_of(data, size);
    (void)!keystore_address(in, &a, NULL);
    /* only cheap ones are opened: a big cost is allowed, and slow */
    if (size < 700 && !memmem(data, size, "scrypt", 6) && !memmem(data, size, "pbkdf2", 6)) {
        cleanup_secret struct sr_secret k = {0};
        (void)!keystore_read(in, SLICE_LIT("x"), &k, NULL);
    }
    cleanup_json struct json *doc = NULL;
    if (json_parse(in, &doc, NULL) == SR_OK) (void)!eip712_json(json_root(doc), &h, NULL);
    return 0;
}
