/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/rlp.h"

bool rlp_next(struct rd *r, struct rlp_item *ret_item) {
    const uint8_t *start = r->p;
    uint8_t h = rd_u8(r);
    if (r->bad) return false;
    if (h < 0x80) {
        *ret_item = (struct rlp_item){false, {start, 1}};
        return true;
    }
    bool list = h >= 0xc0;
    unsigned k = (unsigned)h - (list ? 0xc0u : 0x80u);
    size_t len = k;
    if (k > 55) { /* long form: k-55 length bytes */
        struct slice l = rd_take(r, k - 55);
        if (r->bad || l.n > 4 || l.p[0] == 0) goto bad;
        len = 0;
        for (size_t i = 0; i < l.n; i++) len = len << 8 | l.p[i];
        if (len < 56 || len > RLP_MAX_LEN) goto bad;
    }
    struct slice body = rd_take(r, len);
    if (r->bad) return false;
    /* a single byte below 0x80 is its own encoding */
    if (!list && k == 1 && body.p[0] < 0x80) goto bad;
    *ret_item = (struct rlp_item){list, body};
    return true;
bad:
    r->bad = true;
    return false;
}

bool rlp_next_bytes(struct rd *r, struct slice *ret_s) {
    struct rlp_item it;
    if (!rlp_next(r, &it) || it.list) {
        r->bad = true;
        return false;
    }
    *ret_s = it.body;
    return true;
}

bool rlp_next_u256(struct rd *r, struct u256 *ret_v) {
    struct slice s;
    if (!rlp_next_bytes(r, &s)) return false;
    if (s.n > 32 || (s.n > 0 && s.p[0] == 0)) {
        r->bad = true;
        return false;
    }
    uint8_t be[32] = {0};
    if (s.n) memcpy(be + 32 - s.n, s.p, s.n);
    *ret_v = u256_from_be(be);
    return true;
}

bool rlp_next_u64(struct rd *r, uint64_t *ret_v) {
    struct u256 v;
    if (!rlp_next_u256(r, &v) || !u256_to_u64(v, ret_v)) {
        r->bad = true;
        return false;
    }
    return true;
}

bool rlp_next_list(struct rd *r, struct rd *ret_in) {
    struct rlp_item it;
    if (!rlp_next(r, &it) || !it.list) {
        r->bad = true;
        return false;
    }
    *ret_in = rd_of(it.body);
    return true;
}

static void put_head(struct buf *b, size_t n, uint8_t base) {
    if (n > RLP_MAX_LEN) {
        b->bad = SR_E_TOOBIG;
        return;
    }
    if (n <= 55) {
        buf_u8(b, (uint8_t)(base + n));
        return;
    }
    uint8_t len[4];
    unsigned k = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t c = (uint8_t)(n >> (24 - 8 * i));
        if (k || c) len[k++] = c;
    }
    buf_u8(b, (uint8_t)(base + 55 + k));
    buf_put(b, len, k);
}

void rlp_bytes(struct buf *b, struct slice s) {
    if (s.n == 1 && s.p[0] < 0x80) {
        buf_u8(b, s.p[0]);
        return;
    }
    put_head(b, s.n, 0x80);
    buf_add(b, s);
}

void rlp_u256(struct buf *b, struct u256 v) {
    uint8_t be[32];
    u256_to_be(be, v);
    size_t skip = 0;
    while (skip < 32 && be[skip] == 0) skip++;
    rlp_bytes(b, slice_of(be + skip, 32 - skip));
}

void rlp_u64(struct buf *b, uint64_t v) {
    rlp_u256(b, u256_of(v));
}

void rlp_list(struct buf *b, struct slice body) {
    put_head(b, body.n, 0xc0);
    buf_add(b, body);
}
