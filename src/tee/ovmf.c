/* SPDX-License-Identifier: Apache-2.0 */
/* The GUIDed table that ends 32 bytes before the end of an OVMF-style image. */
#include "tee/launch.h"

#define ENTRY_HEAD 18u /* u16 length, GUID */
#define ENTRIES    32u

static const uint8_t guid_table[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                       0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t guid_hashes[16] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                                        0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
static const uint8_t guid_reset[16] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
                                       0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
static const uint8_t guid_sev[16] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                     0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};
static const uint8_t guid_tdx[16] = {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                     0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};

static bool from_end(struct slice image, struct slice entry, struct rd *ret) {
    struct rd r = rd_of(entry);
    const uint32_t back = rd_u32le(&r);
    if (!rd_done(&r) || back == 0 || back > image.n) return false;
    *ret = rd_of(slice_of(image.p + image.n - back, back));
    return true;
}

static bool read_sev(struct ovmf *f, struct slice entry) {
    struct rd r;
    if (f->has_sev || !from_end(f->image, entry, &r)) return false;
    struct slice tag = rd_take(&r, 4);
    (void)rd_u32le(&r);
    const uint32_t version = rd_u32le(&r), n = rd_u32le(&r);
    if (r.bad || !slice_is(tag, "ASEV") || version != 1 || n > LAUNCH_SECTIONS_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        struct sev_section *s = &f->sev[f->n_sev++];
        s->gpa = rd_u32le(&r);
        s->size = rd_u32le(&r);
        s->type = rd_u32le(&r);
        if (s->size > LAUNCH_SECTION_MAX || s->size % 4096 != 0) return false;
    }
    f->has_sev = true;
    return !r.bad;
}

static bool read_tdx(struct ovmf *f, struct slice entry) {
    struct rd r;
    if (f->has_tdx) return false;
    if (!from_end(f->image, entry, &r)) return true; /* the tail of an image: without it */
    struct slice tag = rd_take(&r, 4);
    (void)rd_u32le(&r);
    const uint32_t version = rd_u32le(&r), n = rd_u32le(&r);
    if (r.bad || !slice_is(tag, "TDVF") || version != 1 || n > LAUNCH_SECTIONS_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        struct tdx_section *s = &f->tdx[f->n_tdx++];
        s->data_offset = rd_u32le(&r);
        s->raw_size = rd_u32le(&r);
        s->gpa = rd_u64le(&r);
        s->memory_size = rd_u64le(&r);
        s->type = rd_u32le(&r);
        s->attributes = rd_u32le(&r);
        if (s->memory_size > LAUNCH_SECTION_MAX || s->memory_size % 4096 != 0 ||
            s->gpa % 4096 != 0 || s->raw_size > s->memory_size || s->gpa > UINT64_MAX / 2)
            return false; /* the data may lie outside of a part of an image: zeros then */
    }
    f->has_tdx = true;
    return !r.bad;
}

static bool read_entry(struct ovmf *f, const uint8_t *guid, struct slice data) {
    struct rd r = rd_of(data);
    if (memcmp(guid, guid_sev, 16) == 0) return read_sev(f, data);
    if (memcmp(guid, guid_tdx, 16) == 0) return read_tdx(f, data);
    if (memcmp(guid, guid_reset, 16) == 0) {
        f->reset_eip = rd_u32le(&r);
        f->has_reset = true;
    } else if (memcmp(guid, guid_hashes, 16) == 0) {
        f->hashes_base = rd_u32le(&r);
        f->hashes_size = rd_u32le(&r);
        f->has_hashes = true;
    }
    return !r.bad;
}

sr_status ovmf_parse(struct slice image, struct ovmf *ret, struct sr_err *err) {
    struct ovmf f = {.image = image};
    if (image.n > LAUNCH_FIRMWARE_MAX) return sr_fail(err, SR_E_TOOBIG, "the firmware is too big");
    if (image.n < 4096 || image.n % 4096 != 0)
        return sr_fail(err, SR_E_MALFORMED, "a firmware image is a number of whole pages");
    const uint8_t *end = image.p + image.n - 32 - ENTRY_HEAD;
    size_t total = (size_t)end[0] | (size_t)end[1] << 8;
    if (memcmp(end + 2, guid_table, 16) != 0)
        return sr_fail(err, SR_E_MALFORMED, "the firmware has no table of metadata");
    if (total < ENTRY_HEAD || total - ENTRY_HEAD > (size_t)(end - image.p))
        return sr_fail(err, SR_E_MALFORMED, "the firmware's table is longer than the image");
    size_t left = total - ENTRY_HEAD;
    for (size_t i = 0; left > 0; i++) {
        if (left < ENTRY_HEAD || i == ENTRIES)
            return sr_fail(err, SR_E_MALFORMED, "the firmware's table is malformed");
        const uint8_t *head = end - ENTRY_HEAD;
        const size_t n = (size_t)head[0] | (size_t)head[1] << 8;
        if (n < ENTRY_HEAD || n > left)
            return sr_fail(err, SR_E_MALFORMED, "an entry of the firmware's table is malformed");
        if (!read_entry(&f, head + 2, slice_of(end - n, n - ENTRY_HEAD)))
            return sr_fail(err, SR_E_MALFORMED, "the firmware's metadata is malformed");
        end -= n;
        left -= n;
    }
    *ret = f;
    return SR_OK;
}
