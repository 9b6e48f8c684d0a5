/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what an app's image says of itself, without fetching its files: by ranges of bytes. All
 * that is read hangs below the checksum that the chain holds. */
#include "oci/registry.h"
#include "sdk/sdk_int.h"
#include <stdlib.h>

#define WINDOW      (64u << 10)
#define WINDOWS_MAX 512u /* of one image: its files are jumped over */

struct remote {
    char url[SDK_URL_MAX];
    uint64_t at, size;
    size_t n;
    unsigned calls;
    uint8_t bytes[WINDOW];
};

/* "bytes 0-65535/1234567" */
static bool total_of(const struct http_answer *a, uint64_t *ret) {
    struct slice v, rest;
    return http_answer_header(a, "Content-Range", &v) && slice_cut(v, '/', &v, &rest) &&
           num_u64(slice_trim(rest), UINT64_MAX >> 1, ret);
}

static sr_status load(struct remote *r, uint64_t at, struct sr_err *err) {
    char range[64];
    const char *headers[] = {range, NULL};
    cleanup_answer struct http_answer a = {0};
    struct http_call call = {.url = r->url, .headers = headers, .max_body = WINDOW};
    if (++r->calls > WINDOWS_MAX) return sr_fail(err, SR_E_TOOBIG, "the image has too many parts");
    (void)snprintf(range, sizeof range, "Range: bytes=%llu-%llu", (unsigned long long)at,
                   (unsigned long long)at + WINDOW - 1);
    SR_TRY(sdk_fetch(&call, SDK_PATIENCE_MS, &a, err));
    bool whole = a.status == 200 && at == 0; /* shorter than a window */
    if (a.status != 206 && !whole)
        return sr_fail(err, SR_E_NOTFOUND, "the store does not give the app's image (HTTP %d)",
                       a.status);
    if (whole)
        r->size = a.body.n;
    else if (!total_of(&a, &r->size))
        return sr_fail(err, SR_E_MALFORMED, "the store does not say how long the image is");
    r->at = at;
    r->n = a.body.n;
    memcpy(r->bytes, a.body.p, a.body.n);
    return SR_OK;
}

static sr_status read_at(void *arg, uint64_t off, void *p, size_t n, struct sr_err *err) {
    struct remote *r = arg;
    uint8_t *to = p;
    while (n > 0) {
        if (off < r->at || off - r->at >= r->n) SR_TRY(load(r, off, err));
        if (off - r->at >= r->n) return sr_fail(err, SR_E_MALFORMED, "the image ends too early");
        size_t from = (size_t)(off - r->at), left = r->n - from, take = left < n ? left : n;
        memcpy(to, r->bytes + from, take);
        to += take;
        off += take;
        n -= take;
    }
    return SR_OK;
}

/* A network on one machine works offline: its own registry is asked, and no other. */
static sr_status in_registry(struct sr_client *c, const char *location, const struct hash *checksum,
                             struct oci_strings *ret, struct sr_err *err) {
    struct registry_ref ref;
    struct registry_opts opts = {.local = c->net.simulated ? c->net.ipfs_gateway : NULL};
    bool url = slice_starts(slice_str(location), "http"), own = false;
    if (!url && registry_ref_parse(slice_str(location), &ref))
        own = !c->net.simulated || (opts.local && slice_starts(slice_str(opts.local), "http://") &&
                                    strcmp(opts.local + 7, ref.host) == 0);
    if (!own) return sr_fail(err, SR_E_UNAVAILABLE, "the app's image is not in the store");
    return registry_egress(&ref, checksum, &opts, ret, err);
}

sr_status sdk_image_egress(struct sr_client *c, const char *location, const struct hash *checksum,
                           struct oci_strings *ret, struct sr_err *err) {
    struct oci_image *img;
    if (!slice_starts(slice_str(location), "/ipfs/"))
        return in_registry(c, location, checksum, ret, err);
    SR_TRY(sdk_service(c, c->net.ipfs_gateway, "ipfsGateway", err));
    struct remote *r = sr_calloc_n(1, sizeof *r);
    if (!r) return sr_fail(err, SR_E_NOMEM, "out of memory");
    (void)snprintf(r->url, sizeof r->url, "%s%s", c->net.ipfs_gateway, location);
    sr_status st = load(r, 0, err);
    struct oci_source src = {.read_at = read_at, .arg = r, .size = r->size};
    if (st == SR_OK) st = oci_open(src, checksum, &img, err);
    if (st == SR_OK) {
        st = oci_strings_copy(&oci_config(img)->egress, ret, err);
        oci_close(img);
    }
    free(r);
    return st;
}
