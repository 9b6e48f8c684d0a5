/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cbor.h - a reader for the CBOR that attestation documents use
 *
 * Strict: shortest form of every length, definite strings, no duplicate judged here, no floats, no
 * tags but where asked for. Maps and arrays may be of indefinite length. No allocation; the caller
 * limits depth by how deep it calls. Failure is the cursor's and sticky.
 */
#pragma once
#include "base/base.h"

typedef enum {
    CBOR_UINT,
    CBOR_NEG,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE
} cbor_major;

struct cbor_head {
    cbor_major major;
    uint64_t n;      /* value, length, or -1-n for CBOR_NEG */
    bool indefinite; /* arrays and maps only */
};
#define CBOR_FALSE 20u
#define CBOR_TRUE  21u
#define CBOR_NULL  22u

SR_CHECK bool cbor_head(struct rd *r, struct cbor_head *ret);
SR_CHECK bool cbor_uint(struct rd *r, uint64_t *ret);
SR_CHECK bool cbor_bytes(struct rd *r, struct slice *ret);
SR_CHECK bool cbor_text(struct rd *r, struct slice *ret);
/*
 * Opens an array or a map; then cbor_more before each item (or key): false at its end, which is
 * consumed. *left is the caller's counter, set by open.
 */
#define CBOR_OPEN_END UINT64_MAX
SR_CHECK bool cbor_open(struct rd *r, cbor_major want, uint64_t max_items, uint64_t *ret_left);
SR_CHECK bool cbor_more(struct rd *r, uint64_t *left);
bool cbor_is_null(struct rd *r); /* consumes it when it is */
