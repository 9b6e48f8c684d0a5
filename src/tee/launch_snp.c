/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/launch.h"

#define PAGE 4096u

enum { PT_NORMAL = 1, PT_VMSA = 2, PT_ZERO = 3, PT_UNMEASURED = 4, PT_SECRETS = 5, PT_CPUID = 6 };
enum { ST_SEC_MEM = 1, ST_SECRETS = 2, ST_CPUID = 3, ST_SVSM_CAA = 4, ST_HASHES = 0x10 };

#define VMSA_GPA  0xfffffffff000ull
#define BSP_RESET 0xfffffff0u

static void put(uint8_t *p, uint64_t v, size_t n) {
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(v >> 8 * i);
}

/* LD' = SHA-384(LD | contents | size, type, permissions | GPA); page NULL: contents are zero. */
static void update(uint8_t ld[48], unsigned type, uint64_t gpa, const uint8_t *page) {
    uint8_t m[0x70] = {0};
    memcpy(m, ld, 48);
    if (page) sha384(slice_of(page, PAGE), m + 48);
    put(m + 96, sizeof m, 2);
    m[98] = (uint8_t)type;
    put(m + 104, gpa, 8);
    sha384(slice_of(m, sizeof m), ld);
}

static void update_range(uint8_t ld[48], unsigned type, uint64_t gpa, uint64_t size) {
    for (uint64_t at = 0; at < size; at += PAGE) update(ld, type, gpa + at, NULL);
}

/* ---- the page of hashes ---- */

static void hashes_entry(uint8_t *p, const uint8_t guid[16], const uint8_t sha[32]) {
    memcpy(p, guid, 16);
    put(p + 16, 50, 2);
    memcpy(p + 18, sha, 32);
}

static sr_status hashes_page(const struct snp_launch *l, uint8_t page[PAGE], struct sr_err *err) {
    static const uint8_t table[16] = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
                                      0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
    static const uint8_t cmdline[16] = {0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c,
                                        0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
    static const uint8_t initrd[16] = {0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b,
                                       0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
    static const uint8_t kernel[16] = {0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42,
                                       0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};
    const size_t at = l->firmware->hashes_base & (PAGE - 1);
    cleanup_buf struct buf b = {0};
    if (!l->firmware->has_hashes || l->firmware->hashes_base == 0 || at > PAGE - 176)
        return sr_fail(err, SR_E_MALFORMED, "the firmware has no place for the kernel's hashes");
    buf_init(&b, LAUNCH_CMDLINE_MAX + 1);
    buf_add(&b, l->cmdline);
    buf_u8(&b, 0);
    SR_TRY(buf_status(&b, err));
    struct hash h = sha256(buf_slice(&b));
    memset(page, 0, PAGE);
    memcpy(page + at, table, 16);
    put(page + at + 16, 168, 2);
    hashes_entry(page + at + 18, cmdline, h.b);
    hashes_entry(page + at + 68, initrd, l->initrd_sha256);
    hashes_entry(page + at + 118, kernel, l->kernel_sha256);
    return SR_OK;
}

/* ---- the state that a virtual CPU starts with ---- */

static void segment(uint8_t *p, unsigned selector, unsigned attributes, uint32_t limit,
                    uint64_t base) {
    put(p, selector, 2);
    put(p + 2, attributes, 2);
    put(p + 4, limit, 4);
    put(p + 8, base, 8);
}

static void vmsa_page(const struct snp_launch *l, uint32_t eip, uint8_t v[PAGE]) {
    const bool ec2 = l->vmm == LAUNCH_EC2, gce = l->vmm == LAUNCH_GCE;
    memset(v, 0, PAGE);
    segment(v + 0x00, 0, 0x93, 0xffff, 0); /* ES */
    segment(v + 0x10, 0xf000, ec2 && eip == BSP_RESET ? 0x9a : 0x9b, 0xffff, eip & 0xffff0000u);
    segment(v + 0x20, 0, ec2 ? 0x92 : 0x93, 0xffff, 0); /* SS */
    for (size_t at = 0x30; at <= 0x50; at += 0x10) segment(v + at, 0, 0x93, 0xffff, 0);
    segment(v + 0x60, 0, 0, 0xffff, 0);                    /* GDTR */
    segment(v + 0x70, 0, 0x82, 0xffff, 0);                 /* LDTR */
    segment(v + 0x80, 0, 0, 0xffff, 0);                    /* IDTR */
    segment(v + 0x90, 0, ec2 ? 0x83 : 0x8b, 0xffff, 0);    /* TR */
    put(v + 0xd0, 0x1000, 8);                              /* EFER */
    put(v + 0x148, 0x40, 8);                               /* CR4 */
    put(v + 0x158, 0x10, 8);                               /* CR0 */
    put(v + 0x160, 0x400, 8);                              /* DR7 */
    put(v + 0x168, 0xffff0ff0, 8);                         /* DR6 */
    put(v + 0x170, 2, 8);                                  /* RFLAGS */
    put(v + 0x178, eip & 0xffffu, 8);                      /* RIP */
    put(v + 0x268, gce ? 0x70106 : 0x0007040600070406, 8); /* G_PAT */
    put(v + 0x310, ec2 || gce ? 0x600 : l->vcpu_sig, 8);   /* RDX */
    put(v + 0x3b0, l->guest_features, 8);
    put(v + 0x3e8, 1, 8); /* XCR0 */
    if (ec2 || gce) return;
    put(v + 0x408, 0x1f80, 4); /* MXCSR */
    put(v + 0x410, 0x37f, 2);  /* x87 FCW */
}

static sr_status update_sections(const struct snp_launch *l, uint8_t ld[48], struct sr_err *err) {
    const struct ovmf *f = l->firmware;
    uint8_t page[PAGE];
    bool hashes = false;
    for (size_t i = 0; i < f->n_sev; i++) {
        const struct sev_section *s = &f->sev[i];
        switch (s->type) {
        case ST_SEC_MEM:
            update_range(ld, l->vmm == LAUNCH_GCE ? PT_UNMEASURED : PT_ZERO, s->gpa, s->size);
            break;
        case ST_SVSM_CAA: update_range(ld, PT_ZERO, s->gpa, s->size); break;
        case ST_SECRETS: update_range(ld, PT_SECRETS, s->gpa, PAGE); break;
        case ST_CPUID:
            if (l->vmm != LAUNCH_EC2) update_range(ld, PT_CPUID, s->gpa, PAGE);
            break;
        case ST_HASHES:
            hashes = true;
            if (!l->has_kernel) {
                update_range(ld, PT_ZERO, s->gpa, s->size);
                break;
            }
            SR_TRY(hashes_page(l, page, err));
            update(ld, PT_NORMAL, s->gpa, page);
            break;
        default: return sr_fail(err, SR_E_MALFORMED, "firmware section of type %u", s->type);
        }
    }
    for (size_t i = 0; i < f->n_sev; i++)
        if (l->vmm == LAUNCH_EC2 && f->sev[i].type == ST_CPUID)
            update_range(ld, PT_CPUID, f->sev[i].gpa, PAGE);
    if (l->has_kernel && !hashes)
        return sr_fail(err, SR_E_MALFORMED,
                       "the firmware measures no kernel: one given would not be covered");
    return SR_OK;
}

sr_status snp_launch_digest(const struct snp_launch *l, uint8_t ret[48], struct sr_err *err) {
    const struct ovmf *f = l->firmware;
    uint8_t ld[48] = {0}, page[PAGE];
    if (l->vcpus == 0 || l->vcpus > LAUNCH_VCPUS_MAX)
        return sr_fail(err, SR_E_MALFORMED, "a guest of %u virtual CPUs", l->vcpus);
    if (!f->has_sev || !f->has_reset)
        return sr_fail(err, SR_E_MALFORMED, "the firmware has no SEV metadata");
    if (l->seed) {
        memcpy(ld, l->seed, sizeof ld);
    } else {
        const uint64_t base = 0x100000000ull - f->image.n;
        for (size_t at = 0; at < f->image.n; at += PAGE)
            update(ld, PT_NORMAL, base + at, f->image.p + at);
    }
    SR_TRY(update_sections(l, ld, err));
    vmsa_page(l, BSP_RESET, page);
    update(ld, PT_VMSA, VMSA_GPA, page);
    vmsa_page(l, f->reset_eip, page);
    for (uint32_t i = 1; i < l->vcpus; i++) update(ld, PT_VMSA, VMSA_GPA, page);
    memcpy(ret, ld, sizeof ld);
    return SR_OK;
}

bool snp_cpu_signature(struct slice name, uint32_t *ret) {
    static const struct {
        const char *name;
        uint32_t sig;
    } known[] = {{"EPYC-v4", 0x800f12},
                 {"EPYC-Milan", 0xa00f11},
                 {"EPYC-Genoa", 0xa10f10},
                 {"EPYC-Turin", 0xb00f00}};
    for (size_t i = 0; i < SR_ARRAY_LEN(known); i++) {
        if (!slice_is(name, known[i].name)) continue;
        *ret = known[i].sig;
        return true;
    }
    return false;
}
