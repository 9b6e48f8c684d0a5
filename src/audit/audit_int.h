/* SPDX-License-Identifier: Apache-2.0 */
/* audit_int.h - a bundle as it was read. Used by: audit only. */
#pragma once
#include "audit/audit.h"

#define AUDIT_TX_MAX 65536u

struct bundle { /* owned: bundle_done; slices borrow from the document and the buffers */
    struct json *doc;
    struct audit_parts p;
    struct poco_order order[POCO_KINDS];
    bool has_dataset;
    struct hash deal, task;
    struct buf evidence, token, transaction;
    struct slice verdict; /* JSON text */
};
/* *ret_field names what is malformed. */
SR_CHECK sr_status bundle_read(struct slice json, struct bundle *ret, const char **ret_field,
                               struct sr_err *err);
void bundle_done(struct bundle *b);

/* The policy's verdict on the bundle's evidence, as JSON. */
SR_CHECK sr_status bundle_verdict(const struct audit_parts *p, struct buf *ret_json,
                                  bool *ret_accepted, struct sr_err *err);
struct hash release_hash(const struct audit_parts *p, const struct hash *task,
                         const struct hash *deal, wire_verdict label);
