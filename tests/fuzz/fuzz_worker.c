/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as the scheduler's assignment. */
#include "worker/worker_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static struct worker w;
    struct json *doc = NULL;
    if (json_parse(slice_of(data, n), &doc, NULL) != SR_OK) return 0;
    struct job *j = job_new(&w);
    if (j && msg_assign_read(json_root(doc), j, NULL) == SR_OK && !j->app_multiaddr)
        __builtin_trap();
    job_free(j);
    json_free(doc);
    return 0;
}
