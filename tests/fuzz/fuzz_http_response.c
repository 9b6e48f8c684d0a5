/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http_response.c - a client's view of a head, and of the URL it may carry */
#include "net/http_wire.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct http_head h;
    if (http_parse_response(slice_of(data, size), &h, NULL) == SR_OK) {
        SR_ASSERT(h.status >= 100 && h.status <= 999);
        SR_ASSERT(!(h.chunked && h.has_length));
    }
    char *text = slice_dup(slice_of(data, size));
    if (!text) return 0;
    struct url u;
    if (url_parse(text, &u, NULL) == SR_OK) {
        SR_ASSERT(u.host[0] && strlen(u.host) < sizeof u.host);
        SR_ASSERT(u.origin.n + u.target.n <= size);
    }
    free(text);
    return 0;
}
