/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs, binary and JSON. */
#include "tee/eventlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct eventlog_result r;
    (void)!eventlog_replay(slice_of(data, size), &r, NULL);
    if (size > 0 && data[0] == '{') (void)!eventlog_replay_json(slice_of(data, size), &r, NULL);
    return 0;
}
