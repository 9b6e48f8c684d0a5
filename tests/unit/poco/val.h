/* SPDX-License-Identifier: Apache-2.0 */
/* val.h - does a decoded value say what a vector's JSON says? */
#pragma once
#include "eth/abi.h"
#include "vec.h"

static inline bool val_is(const struct abi_val *v, const struct json_val *j) {
    struct u256 n;
    struct addr a;
    struct hash h;
    struct slice s;
    bool b, same;
    struct buf bytes;
    switch (v->kind) {
    case ABI_NUM:
        if (json_bool(j, &b)) return u256_is_zero(v->num) != b;
        return json_u256(j, &n) && u256_cmp(n, v->num) == 0;
    case ABI_ADDR: return json_addr(j, &a) && addr_eq(&a, &v->addr);
    case ABI_FIXED: /* bytes1 to bytes32 */
        memset(&h, 0, sizeof h);
        return json_str(j, &s) && s.n >= 4 && s.n <= 66 && hex_decode(s, h.b, s.n / 2 - 1) &&
               hash_eq(&h, &v->hash);
    case ABI_BYTES:
        if (!json_str(j, &s)) return false;
        if (slice_eq(s, v->bytes)) return true;
        buf_init(&bytes, 1u << 16);
        same = hex_decode_buf(s, &bytes) && slice_eq(buf_slice(&bytes), v->bytes);
        buf_done(&bytes);
        return same;
    case ABI_LIST:
        if (json_len(j) != v->list.n) return false;
        for (size_t i = 0; i < v->list.n; i++)
            if (!val_is(&v->list.v[i], json_at(j, i))) return false;
        return true;
    }
    return false;
}
