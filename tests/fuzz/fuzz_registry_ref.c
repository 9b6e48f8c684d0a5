/* SPDX-License-Identifier: Apache-2.0 */
/* An image's name, and a registry's refusal: what is taken can stand in a URL. */
#include "oci/registry.h"
#include <stdio.h>

static void check_name(struct slice text) {
    struct registry_ref r, again;
    char whole[1200];
    if (!registry_ref_parse(text, &r)) return;
    (void)snprintf(whole, sizeof whole, "%s/%s:%s", r.host, r.repository, r.tag);
    for (const char *p = whole; *p; p++) SR_ASSERT(*p > ' ' && *p < 0x7f && !strchr("?#%@\\", *p));
    SR_ASSERT(!strstr(r.repository, "..") && r.repository[0] != '/');
    if (!strchr(r.host, '.') && !strchr(r.host, ':')) return; /* "localhost" */
    SR_ASSERT(registry_ref_parse(slice_str(whole), &again));
    SR_ASSERT(strcmp(r.host, again.host) == 0 && strcmp(r.repository, again.repository) == 0 &&
              strcmp(r.tag, again.tag) == 0);
}

static void check_refusal(struct slice header) {
    cleanup_buf struct buf url;
    buf_init(&url, 2048);
    if (!registry_token_url(header, &url)) return;
    for (size_t i = 0; i < url.n; i++) SR_ASSERT(url.p[i] > ' ' && url.p[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_name(slice_of(data, size));
    check_refusal(slice_of(data, size));
    return 0;
}
