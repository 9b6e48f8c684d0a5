/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.h - predicting launch measurements: TDX MRTD and RTMR0..2, SNP launch digests
 *
 * Computes what hardware would measure for a firmware, kernel, initrd and command line. Checked on
 * published expectations and hardware-signed quotes of other people's machines, never on a machine
 * of ours. Used by: cli (attest measure), audit, tests. Pure functions over bytes.
 * SPEC: attestation.md#9-launch-measurement
 */
#pragma once
#include "crypto/crypto.h"

#define LAUNCH_FIRMWARE_MAX (32u << 20)
#define LAUNCH_KERNEL_MAX   (256u << 20)
#define LAUNCH_SECTIONS_MAX 64u
#define LAUNCH_SECTION_MAX  (64u << 20) /* bytes of memory of a section */
#define LAUNCH_CMDLINE_MAX  65536u
#define LAUNCH_VCPUS_MAX    4096u
#define LAUNCH_PE_SECTIONS  96u

/* ---- firmware ---- */

struct sev_section {
    uint64_t gpa;
    uint32_t size, type;
};
struct tdx_section {
    uint32_t data_offset, raw_size;
    uint64_t gpa, memory_size;
    uint32_t type, attributes;
};
struct ovmf { /* borrows the image */
    struct slice image;
    bool has_sev, has_tdx, has_reset, has_hashes;
    struct sev_section sev[LAUNCH_SECTIONS_MAX];
    struct tdx_section tdx[LAUNCH_SECTIONS_MAX];
    size_t n_sev, n_tdx;
    uint32_t reset_eip, hashes_base, hashes_size;
};
/* The tables at the end of an OVMF-style image. SR_E_MALFORMED. */
SR_CHECK sr_status ovmf_parse(struct slice image, struct ovmf *ret, struct sr_err *err);

/* ---- TDX ---- */

/* two_pass: QEMU 8's order; false: the one of upstream KVM. */
SR_CHECK sr_status tdx_mrtd(const struct ovmf *f, bool two_pass, uint8_t ret[48],
                            struct sr_err *err);
struct mem_range {
    uint64_t start, length;
};
/* The TD HOB that QEMU writes: accepted is ascending. */
SR_CHECK sr_status tdx_td_hob_digest(uint64_t memory_bytes, const struct mem_range *accepted,
                                     size_t n, uint64_t hob_base, uint8_t ret[48],
                                     struct sr_err *err);
/* The same, with ranges and base of the firmware's sections. */
SR_CHECK sr_status tdx_td_hob_of(const struct ovmf *f, uint64_t memory_bytes, uint8_t ret[48],
                                 struct sr_err *err);
/* SHA-384 of the firmware's variable store. */
SR_CHECK sr_status tdx_cfv_digest(const struct ovmf *f, uint8_t ret[48], struct sr_err *err);
struct tdx_rtmr0 {
    uint8_t td_hob[48], cfv[48], acpi[3][48], boot0000[48]; /* acpi: loader, RSDP, tables */
};
void tdx_rtmr0_of(const struct tdx_rtmr0 *in, uint8_t ret[48]);
void tdx_rtmr1_of(const uint8_t kernel[48], uint8_t ret[48]);
/* initrd_digest NULL: no initrd. " initrd=initrd" is appended as QEMU does. */
SR_CHECK sr_status tdx_rtmr2_of(struct slice cmdline, const uint8_t *initrd_digest, uint8_t ret[48],
                                struct sr_err *err);
/* Authenticode's SHA-384 of a PE32+ image (a Linux kernel). */
SR_CHECK sr_status pe_authenticode(struct slice pe, uint8_t ret[48], struct sr_err *err);
/* Writes into the kernel's setup header what QEMU before 10.2 writes for a TDX guest. */
SR_CHECK sr_status kernel_as_qemu_patches(uint8_t *kernel, size_t n, uint64_t initrd_size,
                                          uint64_t memory_bytes, struct sr_err *err);

/* ---- SEV-SNP ---- */

typedef enum { LAUNCH_QEMU, LAUNCH_EC2, LAUNCH_GCE } launch_vmm;
struct snp_launch {
    const struct ovmf *firmware; /* its sections; the image too when seed is NULL */
    const uint8_t *seed;         /* 48: the digest after the firmware's pages */
    bool has_kernel;
    uint8_t kernel_sha256[32], initrd_sha256[32];
    struct slice cmdline; /* without NUL */
    uint32_t vcpus, vcpu_sig;
    uint64_t guest_features; /* SEV_FEATURES */
    launch_vmm vmm;
};
SR_CHECK sr_status snp_launch_digest(const struct snp_launch *l, uint8_t ret[48],
                                     struct sr_err *err);
/* "EPYC-v4", "EPYC-Milan", "EPYC-Genoa", "EPYC-Turin" to the CPU signature in RDX. */
SR_CHECK bool snp_cpu_signature(struct slice name, uint32_t *ret);

/* ---- launch inputs ---- */

struct launch_inputs {                    /* absent texts are empty; absent files zero */
    struct hash firmware, kernel, initrd; /* SHA-256 */
    struct slice cmdline, machine, qemu;  /* "q35", "9.2" */
    uint32_t vcpus;
    uint64_t memory_bytes;
    struct slice verity_root; /* hex, of the app's root file system */
};
/* The canonical document: keys sorted, no white space. Its SHA-256 is the image id. */
SR_CHECK sr_status launch_document(const struct launch_inputs *in, struct buf *ret_json,
                                   struct hash *ret_image_id, struct sr_err *err);
