/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/eventlog.h"
#include "tee/launch.h"

#include <openssl/evp.h>

#define PAGE     4096u
#define CHUNK    256u
#define RECORD   128u
#define PAGE_AUG 2u
#define EXTEND   1u
#define GIB4     0x100000000ull
#define SPLIT    0x80000000ull /* where QEMU ends low memory, */
#define SPLIT_AT 0xb0000000ull /* from this size on */

enum { SEC_BFV, SEC_CFV, SEC_TD_HOB, SEC_TEMP };

static void put_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8);
}
static void put_u32(uint8_t *p, uint32_t v) {
    for (size_t i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}
static void put_u64(uint8_t *p, uint64_t v) {
    for (size_t i = 0; i < 8; i++) p[i] = (uint8_t)(v >> 8 * i);
}

/* ---- MRTD ---- */

struct stream {
    EVP_MD_CTX *c;
    bool ok;
};
static void stream_add(struct stream *s, const void *p, size_t n) {
    s->ok = s->ok && EVP_DigestUpdate(s->c, p, n) == 1;
}

static void record(struct stream *s, const char *name, uint64_t gpa) {
    uint8_t r[RECORD] = {0};
    memcpy(r, name, strlen(name));
    put_u64(r + 16, gpa);
    stream_add(s, r, sizeof r);
}

static void extend_page(struct stream *s, const struct ovmf *f, const struct tdx_section *t,
                        uint64_t at) {
    for (uint64_t o = at; o < at + PAGE; o += CHUNK) {
        uint8_t data[CHUNK] = {0};
        const uint64_t from = t->data_offset + o;
        if (o < t->raw_size && from < f->image.n) {
            uint64_t n = t->raw_size - o;
            if (n > f->image.n - from) n = f->image.n - from;
            memcpy(data, f->image.p + from, n < CHUNK ? (size_t)n : CHUNK);
        }
        record(s, "MR.EXTEND", t->gpa + o);
        stream_add(s, data, sizeof data);
    }
}

sr_status tdx_mrtd(const struct ovmf *f, bool two_pass, uint8_t ret[48], struct sr_err *err) {
    crypto_init();
    struct stream s = {.c = EVP_MD_CTX_new(), .ok = true};
    if (!f->has_tdx) {
        EVP_MD_CTX_free(s.c);
        return sr_fail(err, SR_E_MALFORMED, "the firmware has no TDX metadata");
    }
    s.ok = s.c && EVP_DigestInit_ex(s.c, EVP_sha384(), NULL) == 1;
    for (size_t i = 0; i < f->n_tdx; i++) {
        const struct tdx_section *t = &f->tdx[i];
        const bool extend = (t->attributes & EXTEND) != 0;
        if (t->attributes & PAGE_AUG) continue;
        for (uint64_t at = 0; at < t->memory_size; at += PAGE) {
            record(&s, "MEM.PAGE.ADD", t->gpa + at);
            if (extend && !two_pass) extend_page(&s, f, t, at);
        }
        for (uint64_t at = 0; extend && two_pass && at < t->memory_size; at += PAGE)
            extend_page(&s, f, t, at);
    }
    s.ok = s.ok && EVP_DigestFinal_ex(s.c, ret, NULL) == 1;
    EVP_MD_CTX_free(s.c);
    return s.ok ? SR_OK : sr_fail(err, SR_E_NOMEM, "hashing failed");
}

/* ---- RTMR0 ---- */

static void hob_resource(struct buf *b, bool accepted, uint64_t start, uint64_t length) {
    uint8_t h[48] = {0};
    if (length == 0) return;
    put_u16(h, 3);
    put_u16(h + 2, sizeof h);
    put_u32(h + 24, accepted ? 0 : 7);
    put_u32(h + 28, 7);
    put_u64(h + 32, start);
    put_u64(h + 40, length);
    buf_put(b, h, sizeof h);
}

sr_status tdx_td_hob_digest(uint64_t memory_bytes, const struct mem_range *accepted, size_t n,
                            uint64_t hob_base, uint8_t ret[48], struct sr_err *err) {
    cleanup_buf struct buf b = {0};
    uint8_t phit[56] = {0};
    const uint64_t low = memory_bytes >= SPLIT_AT ? SPLIT : memory_bytes;
    if (memory_bytes < (16u << 20) || memory_bytes > 1ull << 52 || n > LAUNCH_SECTIONS_MAX)
        return sr_fail(err, SR_E_MALFORMED, "a guest of %llu bytes of memory",
                       (unsigned long long)memory_bytes);
    buf_init(&b, 16384);
    put_u16(phit, 1);
    put_u16(phit + 2, sizeof phit);
    put_u32(phit + 8, 9);
    buf_put(&b, phit, sizeof phit);
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (accepted[i].start < at || accepted[i].length > low ||
            accepted[i].start > low - accepted[i].length)
            return sr_fail(err, SR_E_MALFORMED, "accepted memory overlaps, or is outside of it");
        hob_resource(&b, false, at, accepted[i].start - at);
        hob_resource(&b, true, accepted[i].start, accepted[i].length);
        at = accepted[i].start + accepted[i].length;
    }
    hob_resource(&b, false, at, low - at);
    hob_resource(&b, false, GIB4, memory_bytes - low);
    SR_TRY(buf_status(&b, err));
    put_u64(b.p + 48, hob_base + b.n + 8);
    sha384(buf_slice(&b), ret);
    return SR_OK;
}

sr_status tdx_td_hob_of(const struct ovmf *f, uint64_t memory_bytes, uint8_t ret[48],
                        struct sr_err *err) {
    struct mem_range r[LAUNCH_SECTIONS_MAX];
    size_t n = 0;
    uint64_t base = 0;
    for (size_t i = 0; i < f->n_tdx; i++) {
        const struct tdx_section *s = &f->tdx[i];
        if (s->type != SEC_TD_HOB && s->type != SEC_TEMP) continue;
        if (s->type == SEC_TD_HOB) base = s->gpa;
        size_t at = n++;
        while (at > 0 && r[at - 1].start > s->gpa) r[at] = r[at - 1], at--;
        r[at] = (struct mem_range){s->gpa, s->memory_size};
    }
    if (base == 0) return sr_fail(err, SR_E_MALFORMED, "the firmware has no place for a TD HOB");
    return tdx_td_hob_digest(memory_bytes, r, n, base, ret, err);
}

sr_status tdx_cfv_digest(const struct ovmf *f, uint8_t ret[48], struct sr_err *err) {
    for (size_t i = 0; i < f->n_tdx; i++) {
        if (f->tdx[i].type != SEC_CFV) continue;
        if (f->tdx[i].data_offset > f->image.n ||
            f->tdx[i].raw_size > f->image.n - f->tdx[i].data_offset)
            break;
        sha384(slice_of(f->image.p + f->tdx[i].data_offset, f->tdx[i].raw_size), ret);
        return SR_OK;
    }
    return sr_fail(err, SR_E_MALFORMED, "the firmware has no variable store");
}

static void extend_data(uint8_t rtmr[48], const void *p, size_t n) {
    uint8_t h[48];
    sha384(slice_of(p, n), h);
    rtmr_extend(rtmr, h);
}

/* A variable that does not exist: GUID, two lengths, its name. */
static void extend_variable(uint8_t rtmr[48], bool image_security, const char *name) {
    static const uint8_t global[16] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                                       0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
    static const uint8_t security[16] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
                                         0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};
    uint8_t v[64] = {0};
    const size_t n = strlen(name);
    memcpy(v, image_security ? security : global, 16);
    put_u64(v + 16, n);
    for (size_t i = 0; i < n; i++) v[32 + 2 * i] = (uint8_t)name[i];
    extend_data(rtmr, v, 32 + 2 * n);
}

static const uint8_t separator[4];

void tdx_rtmr0_of(const struct tdx_rtmr0 *in, uint8_t ret[48]) {
    static const uint8_t boot_order[2];
    uint8_t r[48] = {0};
    rtmr_extend(r, in->td_hob);
    rtmr_extend(r, in->cfv);
    extend_variable(r, false, "SecureBoot");
    extend_variable(r, false, "PK");
    extend_variable(r, false, "KEK");
    extend_variable(r, true, "db");
    extend_variable(r, true, "dbx");
    extend_data(r, separator, sizeof separator);
    for (size_t i = 0; i < 3; i++) rtmr_extend(r, in->acpi[i]);
    extend_data(r, boot_order, sizeof boot_order);
    rtmr_extend(r, in->boot0000);
    memcpy(ret, r, sizeof r);
}

/* ---- RTMR1, RTMR2 ---- */

void tdx_rtmr1_of(const uint8_t kernel[48], uint8_t ret[48]) {
    static const char *const actions[] = {"Exit Boot Services Invocation",
                                          "Exit Boot Services Returned with Success"};
    static const char first[] = "Calling EFI Application from Boot Option";
    uint8_t r[48] = {0};
    rtmr_extend(r, kernel);
    extend_data(r, first, sizeof first - 1);
    extend_data(r, separator, sizeof separator);
    for (size_t i = 0; i < SR_ARRAY_LEN(actions); i++)
        extend_data(r, actions[i], strlen(actions[i]));
    memcpy(ret, r, sizeof r);
}

sr_status tdx_rtmr2_of(struct slice cmdline, const uint8_t *initrd_digest, uint8_t ret[48],
                       struct sr_err *err) {
    static const char appended[] = " initrd=initrd";
    cleanup_buf struct buf b = {0};
    uint8_t r[48] = {0};
    buf_init(&b, 2 * (LAUNCH_CMDLINE_MAX + sizeof appended));
    for (size_t i = 0; i < cmdline.n; i++) {
        if (cmdline.p[i] == 0 || cmdline.p[i] > 0x7e)
            return sr_fail(err, SR_E_MALFORMED, "the command line is ASCII text");
        buf_u8(&b, cmdline.p[i]);
        buf_u8(&b, 0);
    }
    for (size_t i = 0; initrd_digest && i < sizeof appended - 1; i++) {
        buf_u8(&b, (uint8_t)appended[i]);
        buf_u8(&b, 0);
    }
    buf_u16(&b, 0);
    SR_TRY(buf_status(&b, err));
    extend_data(r, b.p, b.n);
    if (initrd_digest) rtmr_extend(r, initrd_digest);
    memcpy(ret, r, sizeof r);
    return SR_OK;
}
