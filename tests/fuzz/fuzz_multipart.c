/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: how many bytes come at a time. To the first line break: the content type. Then the
 * form. */
#include "store/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
    struct slice left;
    size_t step;
};
static sr_status pull(void *arg, void *p, size_t n, size_t *ret_n, struct sr_err *err) {
    struct source *s = arg;
    (void)err;
    if (n > s->step) n = s->step;
    if (n > s->left.n) n = s->left.n;
    if (n) memcpy(p, s->left.p, n);
    s->left = slice_of(s->left.p + n, s->left.n - n);
    *ret_n = n;
    return SR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice type, body;
    struct source s;
    struct multipart *m;
    struct multipart_part p;
    bool more = true;
    size_t total = 0;
    if (size < 1) return 0;
    s.step = (size_t)data[0] + 1;
    (void)slice_cut(slice_of(data + 1, size - 1), '\n', &type, &body);
    s.left = body;
    if (multipart_new(type, pull, &s, &m, NULL) != SR_OK) return 0;
    while (multipart_next(m, &p, &more, NULL) == SR_OK && more) {
        struct slice d;
        do {
            if (multipart_data(m, &d, NULL) != SR_OK) {
                multipart_free(m);
                return 0;
            }
            total += d.n;
        } while (d.n > 0);
    }
    SR_ASSERT(total <= body.n);
    multipart_free(m);
    return 0;
}
