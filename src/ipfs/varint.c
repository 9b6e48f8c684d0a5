/* SPDX-License-Identifier: Apache-2.0 */
#include "ipfs/ipfs_int.h"

uint64_t varint_read(struct rd *r) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = rd_u8(r);
        if (r->bad) return 0;
        bool over = shift == 63 && b > 1;
        if (over || (b == 0 && shift > 0)) break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return v;
    }
    r->bad = true;
    return 0;
}

size_t varint_size(uint64_t v) {
    size_t n = 1;
    for (; v >= 0x80; v >>= 7) n++;
    return n;
}

uint8_t *varint_write(uint8_t *p, uint64_t v) {
    for (; v >= 0x80; v >>= 7) *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

void varint_add(struct buf *b, uint64_t v) {
    uint8_t tmp[10];
    buf_put(b, tmp, (size_t)(varint_write(tmp, v) - tmp));
}

bool pb_next(struct rd *r, struct pb_field *ret) {
    if (r->bad || r->p == r->end) return false;
    uint64_t key = varint_read(r);
    struct pb_field f = {(unsigned)(key >> 3), (unsigned)(key & 7), 0, {NULL, 0}};
    if (key > 0xffff || f.number == 0) r->bad = true;
    if (f.wire == PB_VARINT) {
        f.value = varint_read(r);
    } else if (f.wire == PB_BYTES) {
        uint64_t n = varint_read(r);
        if (n > IPFS_BLOCK_MAX) r->bad = true;
        f.bytes = rd_take(r, r->bad ? 0 : (size_t)n);
    } else {
        r->bad = true;
    }
    if (r->bad) return false;
    *ret = f;
    return true;
}
