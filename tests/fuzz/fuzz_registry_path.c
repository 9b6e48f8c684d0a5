/* SPDX-License-Identifier: Apache-2.0 */
/* A path below /v2/: what is taken has a name, and its texts lie inside of it. */
#include "store/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reg_path p = {0};
    struct hash h;
    struct slice text = slice_of(data, size);
    (void)reg_tag_ok(text);
    if (reg_digest_parse(text, &h)) SR_ASSERT(slice_is(text, reg_digest_text(&h).s));
    if (!reg_path_parse(text, &p) || p.what == REG_BASE || p.what == REG_CATALOG) return 0;
    SR_ASSERT(p.name.n > 0 && p.name.n <= REG_NAME_MAX && p.name.p == data);
    SR_ASSERT(!memchr(p.name.p, '+', p.name.n) && p.name.p[0] != '.' && p.name.p[0] != '/');
    if (p.ref.n) SR_ASSERT(p.ref.p + p.ref.n <= data + size);
    return 0;
}
