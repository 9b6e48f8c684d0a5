/* SPDX-License-Identifier: Apache-2.0 */
/* What a scheduler sends while a client waits: any bytes, in pieces of any size. */
#include "../../src/sdk/task.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sr_client c = {0};
    struct hash task = {{0}};
    struct watch w = {.c = &c, .task = &task};
    size_t step = size > 0 ? data[0] % 64u + 1u : 1;
    buf_init(&w.line, EVENT_LINE_MAX);
    for (size_t at = 1; at < size; at += step) {
        struct slice piece = slice_of(data + at, size - at < step ? size - at : step);
        if (on_bytes(&w, piece, NULL) != SR_OK) break;
    }
    SR_ASSERT(strlen(w.t.cause) < sizeof w.t.cause && strlen(w.t.stage) < sizeof w.t.stage);
    buf_done(&w.line);
    return 0;
}
