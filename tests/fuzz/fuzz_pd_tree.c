/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as an object to protect: typed and serialised, or refused; its schema is JSON again. */
#include "sdk/sdk_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pd_tree t = {0};
    cleanup_json struct json *doc = NULL;
    if (pd_tree_of_json(slice_of(data, size), &t, NULL) != SR_OK) {
        SR_ASSERT(t.v == NULL);
        return 0;
    }
    SR_ASSERT(json_parse(buf_slice(&t.schema), &doc, NULL) == SR_OK);
    for (size_t i = 0; i < t.n; i++) {
        SR_ASSERT(t.v[i].path.n > 0 && (!t.v[i].folder || t.v[i].bytes.n == 0));
        SR_ASSERT(t.v[i].folder == (t.v[i].path.p[t.v[i].path.n - 1] == '/'));
    }
    pd_tree_done(&t);
    return 0;
}
