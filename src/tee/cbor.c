/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/cbor.h"

static bool bad(struct rd *r) {
    r->bad = true;
    return false;
}

bool cbor_head(struct rd *r, struct cbor_head *ret) {
    const uint8_t b = rd_u8(r);
    struct cbor_head h = {.major = (cbor_major)(b >> 5), .n = b & 31u};
    if (r->bad) return false;
    switch (h.n) {
    case 24:
        h.n = rd_u8(r);
        if (h.n < (h.major == CBOR_SIMPLE ? 32u : 24u)) return bad(r);
        break;
    case 25:
        h.n = rd_u16(r);
        if (h.n <= UINT8_MAX) return bad(r);
        break;
    case 26:
        h.n = rd_u32(r);
        if (h.n <= UINT16_MAX) return bad(r);
        break;
    case 27:
        h.n = rd_u64(r);
        if (h.n <= UINT32_MAX) return bad(r);
        break;
    case 28:
    case 29:
    case 30: return bad(r);
    case 31:
        if (h.major != CBOR_ARRAY && h.major != CBOR_MAP) return bad(r);
        h.indefinite = true;
        break;
    default: break;
    }
    /* Floats and unassigned simple values have no place in these documents. */
    if (h.major == CBOR_SIMPLE && (h.n < CBOR_FALSE || h.n > CBOR_NULL)) return bad(r);
    if (r->bad) return false;
    *ret = h;
    return true;
}

bool cbor_uint(struct rd *r, uint64_t *ret) {
    struct cbor_head h;
    if (!cbor_head(r, &h)) return false;
    if (h.major != CBOR_UINT) return bad(r);
    *ret = h.n;
    return true;
}

static bool string_of(struct rd *r, cbor_major want, struct slice *ret) {
    struct cbor_head h;
    if (!cbor_head(r, &h)) return false;
    if (h.major != want || h.n > rd_left(r)) return bad(r);
    *ret = rd_take(r, (size_t)h.n);
    return !r->bad;
}

bool cbor_bytes(struct rd *r, struct slice *ret) {
    return string_of(r, CBOR_BYTES, ret);
}

bool cbor_text(struct rd *r, struct slice *ret) {
    return string_of(r, CBOR_TEXT, ret);
}

bool cbor_open(struct rd *r, cbor_major want, uint64_t max_items, uint64_t *ret_left) {
    struct cbor_head h;
    if (!cbor_head(r, &h)) return false;
    if (h.major != want || (!h.indefinite && h.n > max_items)) return bad(r);
    *ret_left = h.indefinite ? CBOR_OPEN_END : h.n;
    return true;
}

bool cbor_more(struct rd *r, uint64_t *left) {
    if (r->bad) return false;
    if (*left != CBOR_OPEN_END) return *left > 0 && (*left)--;
    if (rd_left(r) == 0) return bad(r);
    if (*r->p != 0xff) return true;
    r->p++;
    return false;
}

bool cbor_is_null(struct rd *r) {
    if (rd_left(r) == 0 || *r->p != 0xf6) return false;
    r->p++;
    return true;
}
