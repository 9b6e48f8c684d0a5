/* SPDX-License-Identifier: Apache-2.0 */
/* oci_int.h - what image.c found, for unpack.c (private to oci) */
#pragma once
#include "oci/oci.h"

#if defined(__x86_64__)
#define OUR_ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE "arm64"
#else
#define OUR_ARCHITECTURE "unknown"
#endif

struct oci_blob {
    struct hash digest;
    uint64_t off, size;
};
struct oci_layer {
    struct oci_blob blob;
    struct hash diff_id; /* SHA-256 of the tar inside */
    bool gzip;
};
struct oci_image {
    uint32_t magic;
    struct oci_source src;
    struct oci_blob *blobs;
    size_t n_blobs;
    struct oci_blob index;
    struct hash manifest;
    bool has_index, has_layout;
    struct oci_layer layers[OCI_MAX_LAYERS];
    size_t n_layers;
    struct oci_config config;
};
#define OCI_MAGIC 0x4f434931u

/* Adds a copy; at most max entries. */
SR_CHECK sr_status oci_strings_add(struct oci_strings *s, struct slice text, size_t max,
                                   struct sr_err *err);
/* "sha256:" and 64 lower-case digits. */
SR_CHECK bool oci_digest_parse(struct slice text, struct hash *ret_h);
/* Splits "a,b c" into egress entries, each checked. */
SR_CHECK sr_status oci_egress_parse(struct slice label, struct oci_strings *ret,
                                    struct sr_err *err);
