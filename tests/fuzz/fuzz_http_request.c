/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http_request.c - a server's view of a head: found and parsed, never read beyond */
#include "net/http_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct http_head h;
    size_t scan = 0, scan2 = 0, n = 0, n2 = 0;
    int status = 0;
    int found = http_head_end(slice_of(data, size), &scan, &n);
    if (found > 0) {
        SR_ASSERT(n <= size);
        /* Byte by byte must find the same place. */
        int again = 0;
        for (size_t cut = 1; cut <= size && again == 0; cut++)
            again = http_head_end(slice_of(data, cut), &scan2, &n2);
        SR_ASSERT(again == 1 && n2 == n);
    }
    struct slice head = slice_of(data, found > 0 ? n : size);
    if (http_parse_request(head, &h, &status, NULL) == SR_OK) {
        SR_ASSERT(found > 0 && !(h.chunked && h.has_length));
        for (size_t i = 0; i < h.n_fields; i++)
            SR_ASSERT(http_is_token(h.fields[i].name) && http_is_value(h.fields[i].value));
        (void)http_has_word(h.path, "x");
    } else {
        SR_ASSERT(status >= 400);
    }
    return 0;
}
