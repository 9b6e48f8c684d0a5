/* SPDX-License-Identifier: Apache-2.0 */
/* The two documents of a release, and a failure's body as the client reads it. */
#include "vault/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_asked struct asked a = {0};
    cleanup_facts struct facts f = {0};
    struct slice s = slice_of(data, size);
    (void)!asked_read(s, SLICE_LIT("evidence"), &a, NULL);
    (void)!facts_read(s, &f, NULL);
    (void)vault_failure_read(s, NULL);
    return 0;
}
