/* SPDX-License-Identifier: Apache-2.0 */
/* What an app, a room and a chain say of a message: two JSON texts, cut at the first NUL. */
#include "sdk/messaging_int.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void whole(const struct sr_delivery *d) {
    SR_ASSERT(strlen(d->error) < sizeof d->error && strlen(d->data) < sizeof d->data);
    SR_ASSERT(d->state != SR_DELIVERY_SENT || d->error[0] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice released, result;
    cleanup_json struct json *a = NULL, *b = NULL;
    struct sr_err err = {0};
    struct outcome o = {0};
    struct sr_delivery d = {0};
    if (delivery_of_callback(slice_of(data, size), &d, &err) == SR_OK) whole(&d);
    (void)slice_cut(slice_of(data, size), 0, &released, &result);
    if (json_parse(result, &b, NULL) != SR_OK) return 0;
    struct telegram_update u[4];
    size_t n = 0;
    if (telegram_updates_read(json_root(b), u, 4, &n, NULL) == SR_OK) SR_ASSERT(n <= 4);
    d = (struct sr_delivery){0};
    if (delivery_of_one(json_root(b), &d, NULL) == SR_OK) whole(&d);
    if (json_parse(released, &a, NULL) != SR_OK) return 0;
    if (delivery_of_bulk(json_root(a), json_root(b), &o, NULL) == SR_OK)
        for (size_t i = 0; i < o.n; i++) whole(&o.list[i]);
    free(o.list);
    return 0;
}
