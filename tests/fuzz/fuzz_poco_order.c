/* SPDX-License-Identifier: Apache-2.0 */
/* Orders as JSON: what is read is written and read as the same order, in both styles. */
#include "poco/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cleanup_json struct json *doc = NULL;
    if (json_parse(slice_of(data, size), &doc, NULL) != SR_OK) return 0;
    for (unsigned k = 0; k < POCO_KINDS; k++) {
        struct poco_order o, back;
        if (poco_order_from_json((poco_kind)k, json_root(doc), &o, NULL) != SR_OK) continue;
        for (unsigned style = 0; style < 2; style++) {
            cleanup_buf struct buf b;
            cleanup_json struct json *again = NULL;
            buf_init(&b, 8 * size + 8192);
            struct jw w = jw_of(&b);
            poco_order_json(&w, &o, style, true);
            SR_ASSERT(b.bad == SR_OK && json_parse(buf_slice(&b), &again, NULL) == SR_OK);
            SR_ASSERT(poco_order_from_json((poco_kind)k, json_root(again), &back, NULL) == SR_OK);
            struct hash h1 = poco_struct_hash(&o), h2 = poco_struct_hash(&back);
            SR_ASSERT(hash_eq(&h1, &h2) && o.sign.n == back.sign.n);
        }
    }
    return 0;
}
