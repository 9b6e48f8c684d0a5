/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params.h - the params text of a request order and deal; result links
 *
 * (Multiaddr bytes: ipfs/ipfs.h.)
 *
 * Depends on: base.  Used by: sdk, sms, scheduler, worker.  No network.
 * SPEC: execution.md#4-deal-parameters, sdk-formats.md#71-request-params
 */
#pragma once
#include "base/base.h"

#define PARAMS_MAX_FILES   64
#define PARAMS_MAX_SECRETS 64

struct poco_secret_ref {
    uint64_t index; /* >= 1 */
    struct slice name;
};
/* Slices are borrowed from doc (or from the text, when it was not JSON), or from the caller who
 * fills it to write. */
struct poco_params {
    bool has_args;
    struct slice args;
    struct slice files[PARAMS_MAX_FILES];
    size_t n_files;
    struct poco_secret_ref secrets[PARAMS_MAX_SECRETS];
    size_t n_secrets;
    bool has_encryption, encryption;
    struct slice storage; /* "ipfs", "dropbox"; empty: absent */
    struct slice proxy;   /* iexec_result_storage_proxy; empty: absent */
    struct slice bulk_cid;
    struct json *doc; /* owned: poco_params_done */
};
void poco_params_done(struct poco_params *p); /* accepts a zeroed one */
#define cleanup_params __attribute__((cleanup(poco_params_done)))
/* The services' reading: text that is not a JSON object of known keys with right types is the
 * arguments as a whole. text must outlive ret. Only limits fail (SR_E_TOOBIG, SR_E_NOMEM). */
SR_CHECK sr_status poco_params_read(struct slice text, struct poco_params *ret, struct sr_err *err);
/* The client's writing: keys in the order of the table, no white space. */
void poco_params_write(const struct poco_params *p, struct buf *b);

/* task.results: {"storage":"ipfs","location":"/ipfs/<cid>"}. */
struct poco_result_link {
    struct slice storage, location; /* borrowed from doc */
    struct json *doc;               /* owned: json_free */
};
void poco_result_write(struct buf *b, const char *storage, struct slice location);
/* storage is "none" when results are no such JSON. */
SR_CHECK sr_status poco_result_read(struct slice results, struct poco_result_link *ret,
                                    struct sr_err *err);
