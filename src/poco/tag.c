/* SPDX-License-Identifier: Apache-2.0 */
/* tag.c - what an order asks of a worker, as bits  SPEC: poco.md#6-tags */
#include "poco/order.h"

static const struct {
    const char *name;
    unsigned bit;
} names[] = {{"tee", 0}, {"scone", 1}, {"gramine", 2}, {"tdx", 3}, {"gpu", 8}};

struct hash tag_of(uint32_t bits) {
    struct hash t = {{0}};
    for (unsigned i = 0; i < 4; i++) t.b[31 - i] = (uint8_t)(bits >> (8 * i));
    return t;
}

bool tag_has(const struct hash *tag, unsigned bit) {
    return bit < 256 && (tag->b[31 - bit / 8] >> (bit % 8) & 1);
}

bool tag_is_tee(const struct hash *tag) {
    return tag_has(tag, 0);
}

struct hash tag_or(const struct hash *a, const struct hash *b) {
    struct hash t;
    for (size_t i = 0; i < 32; i++) t.b[i] = a->b[i] | b->b[i];
    return t;
}

bool tag_within(const struct hash *a, const struct hash *b) {
    for (size_t i = 0; i < 32; i++)
        if (a->b[i] & ~b->b[i]) return false;
    return true;
}

struct hash tag_deal(const struct hash *app, const struct hash *dataset,
                     const struct hash *request) {
    struct hash t = tag_or(app, request);
    if (dataset) {
        struct hash d = *dataset;
        d.b[31] &= (uint8_t) ~(POCO_TAG_SCONE | POCO_TAG_GRAMINE | POCO_TAG_TDX);
        t = tag_or(&t, &d);
    }
    return t;
}

sr_status tag_parse(struct slice text, struct hash *ret, struct sr_err *err) {
    if (slice_starts(text, "0x")) {
        if (!hash_parse(text, ret))
            return sr_fail(err, SR_E_MALFORMED, "tag must be bytes32 hex string");
        return SR_OK;
    }
    uint32_t bits = 0;
    struct slice rest = text, word;
    while (rest.n) {
        if (!slice_cut(rest, ',', &word, &rest)) rest = slice_of(NULL, 0);
        word = slice_trim(word);
        if (word.n == 0) continue;
        size_t i = 0;
        while (i < SR_ARRAY_LEN(names) && !slice_is(word, names[i].name)) i++;
        if (i == SR_ARRAY_LEN(names)) {
            sr_status st = sr_fail(err, SR_E_MALFORMED, "Unknown tag %.*s",
                                   (int)(word.n > 60 ? 60 : word.n), (const char *)word.p);
            sr_hint(err, "known tags are tee, tdx, gpu");
            return st;
        }
        bits |= 1u << names[i].bit;
    }
    *ret = tag_of(bits);
    return SR_OK;
}

sr_status tag_names(const struct hash *tag, struct buf *b, struct sr_err *err) {
    for (unsigned bit = 0; bit < 256; bit++) {
        if (!tag_has(tag, bit)) continue;
        size_t i = 0;
        while (i < SR_ARRAY_LEN(names) && names[i].bit != bit) i++;
        if (i == SR_ARRAY_LEN(names))
            return sr_fail(err, SR_E_MALFORMED, "Unknown bit %u in tag", bit);
    }
    const char *sep = "";
    for (size_t i = 0; i < SR_ARRAY_LEN(names); i++)
        if (tag_has(tag, names[i].bit)) {
            buf_printf(b, "%s%s", sep, names[i].name);
            sep = ",";
        }
    return buf_status(b, err);
}

sr_status tag_check(const struct hash *tag, bool framework_optional, struct sr_err *err) {
    bool tee = tag_has(tag, 0), tdx = tag_has(tag, 3);
    if (tag_has(tag, 1) || tag_has(tag, 2))
        return sr_fail(err, SR_E_MALFORMED, "Unsupported legacy TEE framework tag ('%s')",
                       tag_has(tag, 1) ? "scone" : "gramine");
    if (tee && !tdx && !framework_optional)
        return sr_fail(err, SR_E_MALFORMED, "'tee' tag must be used with a tee framework ('tdx')");
    if (tdx && !tee) return sr_fail(err, SR_E_MALFORMED, "'tdx' tag must be used with 'tee' tag");
    return SR_OK;
}
