/* SPDX-License-Identifier: Apache-2.0 */
#include "ipfs/ipfs.h"
#include "ipfs/ipfs_int.h"

#define CID0_BYTES 34u /* 12 20 digest */
#define CID1_BYTES 36u /* 01 codec 12 20 digest */
#define CID1_B32   58u /* digits of base32 for 36 bytes */

static const char b58_digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

void base58_encode(char *dst, const uint8_t *p, size_t n) {
    uint8_t digit[BASE58_BYTES_MAX * 2] = {0};
    size_t used = 0, zeros = 0;
    SR_ASSERT(n <= BASE58_BYTES_MAX);
    while (zeros < n && p[zeros] == 0) zeros++;
    for (size_t i = zeros; i < n; i++) {
        unsigned carry = p[i];
        for (size_t k = 0; k < used || carry; k++) {
            carry += 256u * digit[k];
            digit[k] = (uint8_t)(carry % 58);
            carry /= 58;
            if (k >= used) used = k + 1;
        }
    }
    for (size_t i = 0; i < zeros; i++) *dst++ = '1';
    while (used > 0) *dst++ = b58_digits[digit[--used]];
    *dst = 0;
}

bool base58_decode(struct slice text, uint8_t *dst, size_t n) {
    uint8_t out[BASE58_BYTES_MAX] = {0}; /* little-endian */
    size_t used = 0, ones = 0;
    SR_ASSERT(n <= BASE58_BYTES_MAX);
    while (ones < text.n && text.p[ones] == '1') ones++;
    for (size_t i = ones; i < text.n; i++) {
        const char *at = text.p[i] ? strchr(b58_digits, text.p[i]) : NULL;
        if (!at) return false;
        unsigned carry = (unsigned)(at - b58_digits);
        for (size_t k = 0; k < used || carry; k++) {
            if (k >= n) return false;
            carry += 58u * out[k];
            out[k] = (uint8_t)carry;
            carry >>= 8;
            if (k >= used) used = k + 1;
        }
    }
    if (ones + used != n) return false;
    memset(dst, 0, ones);
    for (size_t i = 0; i < used; i++) dst[n - 1 - i] = out[i];
    return true;
}

static const char b32_digits[] = "abcdefghijklmnopqrstuvwxyz234567";

static void base32_encode(char *dst, const uint8_t *p, size_t n) {
    unsigned acc = 0, bits = 0;
    for (size_t i = 0; i < n; i++) {
        acc = (acc << 8 | p[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5) *dst++ = b32_digits[acc >> (bits - 5) & 31];
    }
    if (bits) *dst++ = b32_digits[acc << (5 - bits) & 31];
    *dst = 0;
}

/* Digits of one case only; the bits that fill the last digit must be zero. */
static bool base32_decode(struct slice text, bool upper, uint8_t *dst, size_t n) {
    unsigned acc = 0, bits = 0;
    size_t made = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c >= '2' && c <= '7')
            c = (uint8_t)(c - '2' + 26);
        else if (c >= (upper ? 'A' : 'a') && c <= (upper ? 'Z' : 'z'))
            c = (uint8_t)(c - (upper ? 'A' : 'a'));
        else
            return false;
        acc = (acc << 5 | c) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            if (made == n) return false;
            dst[made++] = (uint8_t)(acc >> bits);
        }
    }
    return made == n && bits < 5 && (acc & ((1u << bits) - 1)) == 0;
}

bool cid_read(struct slice bytes, struct cid *ret_cid) {
    struct rd r = rd_of(bytes);
    struct cid c = {0, CID_DAG_PB, {{0}}};
    uint8_t first = rd_u8(&r);
    if (first == 1) {
        c.version = 1;
        c.codec = rd_u8(&r);
        if (c.codec == 0 || c.codec >= 0x80) return false;
        first = rd_u8(&r);
    }
    if (first != 0x12 || rd_u8(&r) != 0x20) return false;
    rd_copy(&r, c.digest.b, sizeof c.digest.b);
    if (!rd_done(&r)) return false;
    *ret_cid = c;
    return true;
}

static size_t cid_pack(const struct cid *c, uint8_t dst[CID1_BYTES]) {
    size_t n = 0;
    if (c->version == 1) {
        dst[n++] = 1;
        dst[n++] = (uint8_t)c->codec;
    }
    dst[n++] = 0x12;
    dst[n++] = 0x20;
    memcpy(dst + n, c->digest.b, sizeof c->digest.b);
    return n + sizeof c->digest.b;
}

void cid_write(struct buf *b, const struct cid *c) {
    uint8_t raw[CID1_BYTES];
    buf_put(b, raw, cid_pack(c, raw));
}

sr_status cid_parse(struct slice text, struct cid *ret_cid, struct sr_err *err) {
    uint8_t raw[CID1_BYTES];
    bool ok = false;
    if (text.n == 46 && text.p[0] == 'Q' && text.p[1] == 'm') {
        ok = base58_decode(text, raw, CID0_BYTES) && cid_read(slice_of(raw, CID0_BYTES), ret_cid);
    } else if (text.n > 1 && text.n < sizeof(struct cid_text)) {
        struct slice rest = {text.p + 1, text.n - 1};
        uint8_t base = text.p[0];
        if (base == 'b' || base == 'B')
            ok = rest.n == CID1_B32 && base32_decode(rest, base == 'B', raw, CID1_BYTES);
        else if (base == 'z')
            ok = base58_decode(rest, raw, CID1_BYTES);
        ok = ok && raw[0] == 1 && cid_read(slice_of(raw, CID1_BYTES), ret_cid);
    }
    if (ok) return SR_OK;
    sr_fail(err, SR_E_MALFORMED, "not a CID over SHA-256 (%zu characters)", text.n);
    sr_hint(err, "a CID looks like Qm… (46 characters) or bafy… (59)");
    return SR_E_MALFORMED;
}

struct cid_text cid_text(const struct cid *c) {
    struct cid_text t;
    uint8_t raw[CID1_BYTES];
    if (c->version == 1) return cid_text1(c);
    base58_encode(t.s, raw, cid_pack(c, raw));
    return t;
}

struct cid_text cid_text1(const struct cid *c) {
    struct cid_text t;
    uint8_t raw[CID1_BYTES];
    struct cid one = *c;
    one.version = 1;
    t.s[0] = 'b';
    base32_encode(t.s + 1, raw, cid_pack(&one, raw));
    return t;
}

struct cid cid_v0(const struct hash *digest) {
    return (struct cid){0, CID_DAG_PB, *digest};
}

bool cid_eq(const struct cid *a, const struct cid *b) {
    return a->codec == b->codec && hash_eq(&a->digest, &b->digest);
}

sr_status ipfs_path_parse(struct slice text, struct cid *ret_cid, struct slice *ret_path,
                          struct sr_err *err) {
    static const char *const heads[] = {"/ipfs/", "/p2p/", "ipfs://"};
    struct slice first, rest = {NULL, 0};
    struct cid c;
    for (size_t i = 0; i < SR_ARRAY_LEN(heads); i++) {
        if (!slice_starts(text, heads[i])) continue;
        text = slice_of(text.p + strlen(heads[i]), text.n - strlen(heads[i]));
        break;
    }
    (void)slice_cut(text, '/', &first, &rest);
    SR_TRY(cid_parse(first, &c, err));
    *ret_cid = c;
    *ret_path = rest;
    return SR_OK;
}
