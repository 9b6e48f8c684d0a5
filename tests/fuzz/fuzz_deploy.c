/* SPDX-License-Identifier: Apache-2.0 */
/* Recipe and book of a deployment: files that may be anybody's. */
#include "deploy/deploy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct deploy_recipe *r = NULL;
    struct deploy_book b;
    if (deploy_recipe_parse(slice_of(data, size), &r, NULL) == SR_OK) deploy_recipe_free(r);
    if (deploy_book_parse(slice_of(data, size), &b, NULL) == SR_OK) {
        struct buf text;
        struct deploy_book again;
        buf_init(&text, DEPLOY_BOOK_MAX);
        deploy_book_text(&b, "http://node", &text);
        SR_ASSERT(deploy_book_parse(buf_slice(&text), &again, NULL) == SR_OK && again.n == b.n);
        buf_done(&text);
    }
    return 0;
}
