/* SPDX-License-Identifier: Apache-2.0 */
/* What a market tells of sharing: rows of JSON become the SDK's. */
#include "sdk/share_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void whole(const struct sr_sharing *s) {
    for (size_t i = 0; i < s->n_data; i++)
        SR_ASSERT(strlen(s->data[i].data) + 1 == SR_ADDR_TEXT &&
                  strlen(s->data[i].name) < sizeof s->data[i].name);
    for (size_t i = 0; i < s->n_paid; i++)
        SR_ASSERT(s->paid[i].price_nrlc[0] && strlen(s->paid[i].tx) + 1 == SR_HASH_TEXT);
    for (size_t i = 0; i < s->n_apps; i++)
        SR_ASSERT(strlen(s->apps[i].list) + 1 == SR_ADDR_TEXT && s->apps[i].owner[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sr_client c = {0};
    struct share_replay r = {.c = &c};
    struct share_page page;
    cleanup_json struct json *doc = NULL;
    if (json_parse(slice_of(data, size), &doc, NULL) != SR_OK) return 0;
    memset(c.net.sharing.b, 0x11, sizeof c.net.sharing.b); /* the corpus's contract */
    if (share_index_take(&r, json_root(doc), &page)) whole(&r.s);
    share_replay_clear(&r);
    return 0;
}
