/* SPDX-License-Identifier: Apache-2.0 */
/* attest measure: what hardware would measure for these files. SPEC:
 * attestation.md#9-launch-measurement */
#include "cli/cli_int.h"
#include "tee/launch.h"
#include "wire/formats.h"
#include <stdlib.h>

struct inputs {
    struct buf firmware, kernel, initrd, acpi;
    struct ovmf ovmf;
    bool has_firmware, has_kernel, has_initrd;
    struct slice cmdline;
    uint64_t memory;
};

static void inputs_done(struct inputs *in) {
    buf_done(&in->firmware), buf_done(&in->kernel), buf_done(&in->initrd), buf_done(&in->acpi);
}

static sr_status file_of(struct cli *c, const char *option, size_t max, struct buf *b, bool *has,
                         struct sr_err *err) {
    const char *path = cli_value(c, option);
    buf_init(b, max);
    if (has) *has = path != NULL;
    return path ? fs_read(path, b, err) : SR_OK;
}

static void out_digest(struct cli *c, const char *key, const uint8_t *p, size_t n) {
    char hex[129];
    hex_encode(hex, p, n);
    out_str(c, key, hex);
}

static sr_status read_inputs(struct cli *c, struct inputs *in, struct sr_err *err) {
    const char *memory = cli_value(c, "--memory"), *line = cli_value(c, "--cmdline");
    SR_TRY(file_of(c, "--firmware", LAUNCH_FIRMWARE_MAX, &in->firmware, &in->has_firmware, err));
    SR_TRY(file_of(c, "--kernel", LAUNCH_KERNEL_MAX, &in->kernel, &in->has_kernel, err));
    SR_TRY(file_of(c, "--initrd", LAUNCH_KERNEL_MAX, &in->initrd, &in->has_initrd, err));
    SR_TRY(file_of(c, "--acpi", 65536, &in->acpi, NULL, err));
    in->cmdline = slice_str(line ? line : "");
    if (memory && !num_size(slice_str(memory), 1ull << 52, &in->memory))
        return sr_fail(err, SR_E_USAGE, "--memory is a size: 2g, 512m");
    if (in->has_firmware) return ovmf_parse(buf_slice(&in->firmware), &in->ovmf, err);
    sr_hint(err, "--firmware FILE is an OVMF image");
    return sr_fail(err, SR_E_USAGE, "attest measure: --firmware is missing");
}

/* {"acpi":[loader, RSDP, tables],"boot0000":…}: digests of the machine's shape. */
static sr_status rtmr0(struct cli *c, struct inputs *in, struct tdx_rtmr0 *r, struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct slice hex;
    uint8_t got[48];
    SR_TRY(json_parse(buf_slice(&in->acpi), &doc, err));
    const struct json_val *v = json_root(doc), *list = json_get(v, "acpi");
    bool ok = json_len(list) == 3 && json_str(json_get(v, "boot0000"), &hex) && hex.n == 96 &&
              hex_decode(hex, r->boot0000, 48);
    for (size_t i = 0; ok && i < 3; i++)
        ok = json_str(json_at(list, i), &hex) && hex.n == 96 && hex_decode(hex, r->acpi[i], 48);
    if (!ok)
        return sr_fail(err, SR_E_MALFORMED,
                       "--acpi FILE holds {\"acpi\":[3 digests],\"boot0000\":"
                       "digest}");
    tdx_rtmr0_of(r, got);
    out_digest(c, "rtmr0", got, 48);
    return SR_OK;
}

static sr_status kernel_registers(struct cli *c, struct inputs *in, struct sr_err *err) {
    uint8_t d[48], initrd[48];
    SR_TRY(pe_authenticode(buf_slice(&in->kernel), d, err));
    tdx_rtmr1_of(d, d);
    out_digest(c, "rtmr1", d, 48);
    if (in->memory > 0) {
        SR_TRY(kernel_as_qemu_patches(in->kernel.p, in->kernel.n, in->initrd.n, in->memory, err));
        SR_TRY(pe_authenticode(buf_slice(&in->kernel), d, err));
        tdx_rtmr1_of(d, d);
        out_digest(c, "rtmr1_qemu_before_10_2", d, 48);
    }
    if (in->has_initrd) sha384(buf_slice(&in->initrd), initrd);
    SR_TRY(tdx_rtmr2_of(in->cmdline, in->has_initrd ? initrd : NULL, d, err));
    out_digest(c, "rtmr2", d, 48);
    return SR_OK;
}

/* The document that names all inputs, and the image id that goes on the chain. */
static sr_status image_id(struct cli *c, struct inputs *in, uint64_t vcpus, struct sr_err *err) {
    const char *machine = cli_value(c, "--machine"), *qemu = cli_value(c, "--qemu"),
               *verity = cli_value(c, "--verity-root");
    cleanup_buf struct buf doc = {0};
    struct hash id;
    buf_init(&doc, 4 * LAUNCH_CMDLINE_MAX);
    struct launch_inputs l = {.firmware = sha256(buf_slice(&in->firmware)),
                              .cmdline = in->cmdline,
                              .machine = slice_str(machine ? machine : "q35"),
                              .qemu = slice_str(qemu ? qemu : ""),
                              .vcpus = (uint32_t)vcpus,
                              .memory_bytes = in->memory,
                              .verity_root = slice_str(verity ? verity : "")};
    if (in->has_kernel) l.kernel = sha256(buf_slice(&in->kernel));
    if (in->has_initrd) l.initrd = sha256(buf_slice(&in->initrd));
    SR_TRY(launch_document(&l, &doc, &id, err));
    out_str(c, "launch_inputs", buf_cstr(&doc));
    out_digest(c, "image_id", id.b, 32);
    return SR_OK;
}

static bool number(struct cli *c, const char *option, uint64_t max, uint64_t otherwise,
                   uint64_t *ret) {
    const char *text = cli_value(c, option);
    *ret = otherwise;
    return !text || num_u64(slice_str(text), max, ret) ||
           (num_hex_u64(slice_str(text), ret) && *ret <= max);
}

static sr_status measure_tdx(struct cli *c, struct sr_err *err) {
    struct inputs in = {0};
    struct tdx_rtmr0 r = {0};
    uint8_t d[48];
    uint64_t vcpus = 1;
    if (!number(c, "--vcpus", LAUNCH_VCPUS_MAX, 1, &vcpus))
        return sr_fail(err, SR_E_USAGE, "--vcpus is a number");
    sr_status st = read_inputs(c, &in, err);
    if (st == SR_OK) st = image_id(c, &in, vcpus, err); /* before the kernel is patched */
    if (st == SR_OK) st = tdx_mrtd(&in.ovmf, false, d, err);
    if (st == SR_OK) out_digest(c, "mrtd", d, 48);
    if (st == SR_OK) st = tdx_mrtd(&in.ovmf, true, d, err);
    if (st == SR_OK) out_digest(c, "mrtd_qemu_8", d, 48);
    if (st == SR_OK && in.memory > 0) {
        st = tdx_td_hob_of(&in.ovmf, in.memory, r.td_hob, err);
        if (st == SR_OK) st = tdx_cfv_digest(&in.ovmf, r.cfv, err);
        if (st == SR_OK) out_digest(c, "td_hob", r.td_hob, 48);
        if (st == SR_OK) out_digest(c, "cfv", r.cfv, 48);
        if (st == SR_OK && in.acpi.n > 0) st = rtmr0(c, &in, &r, err);
    }
    if (st == SR_OK && in.has_kernel) st = kernel_registers(c, &in, err);
    inputs_done(&in);
    return st;
}

static sr_status measure_snp(struct cli *c, struct sr_err *err) {
    struct inputs in = {0};
    struct snp_launch l = {.firmware = &in.ovmf};
    uint64_t vcpus = 1, features = 1;
    uint8_t d[48];
    const char *cpu = cli_value(c, "--cpu"), *vmm = cli_value(c, "--vmm");
    if (!snp_cpu_signature(slice_str(cpu ? cpu : "EPYC-v4"), &l.vcpu_sig))
        return sr_fail(err, SR_E_USAGE, "--cpu EPYC-v4, EPYC-Milan, EPYC-Genoa or EPYC-Turin");
    if (vmm && strcmp(vmm, "qemu") != 0 && strcmp(vmm, "ec2") != 0 && strcmp(vmm, "gce") != 0)
        return sr_fail(err, SR_E_USAGE, "--vmm qemu, ec2 or gce");
    if (!number(c, "--vcpus", LAUNCH_VCPUS_MAX, 1, &vcpus) ||
        !number(c, "--features", UINT64_MAX, 1, &features))
        return sr_fail(err, SR_E_USAGE, "--vcpus and --features are numbers");
    l.vcpus = (uint32_t)vcpus;
    l.guest_features = features;
    l.vmm = vmm && vmm[0] == 'e' ? LAUNCH_EC2 : vmm && vmm[0] == 'g' ? LAUNCH_GCE : LAUNCH_QEMU;
    sr_status st = read_inputs(c, &in, err);
    if (st == SR_OK) st = image_id(c, &in, vcpus, err);
    if (st == SR_OK) {
        struct hash k = sha256(buf_slice(&in.kernel)), i = sha256(buf_slice(&in.initrd));
        l.has_kernel = in.has_kernel;
        l.cmdline = in.cmdline;
        memcpy(l.kernel_sha256, k.b, 32);
        memcpy(l.initrd_sha256, i.b, 32);
        st = snp_launch_digest(&l, d, err);
    }
    if (st == SR_OK) out_digest(c, "measurement", d, 48);
    inputs_done(&in);
    return st;
}

/* What the process launcher's evidence says of a room: SIMULATED, it protects nothing. */
static sr_status measure_simulated(struct cli *c, struct sr_err *err) {
    cleanup_buf struct buf room = {0};
    uint8_t mrtd[48];
    bool has = false;
    SR_TRY(file_of(c, "--room", 64u << 20, &room, &has, err));
    if (!has) return sr_fail(err, SR_E_USAGE, "attest measure: --room is missing");
    struct hash h = sha256(buf_slice(&room));
    wire_simulated_mrtd(&h, mrtd);
    out_str(c, "provider", "SIMULATED");
    out_digest(c, "mrtd", mrtd, 48);
    return SR_OK;
}

sr_status cmd_attest_measure(struct cli *c, struct sr_err *err) {
    const char *kind = cli_value(c, "--kind");
    sr_status st = SR_OK;
    out_begin(c);
    if (kind && strcmp(kind, "tdx") == 0)
        st = measure_tdx(c, err);
    else if (kind && strcmp(kind, "snp") == 0)
        st = measure_snp(c, err);
    else if (kind && strcmp(kind, "simulated") == 0)
        st = measure_simulated(c, err);
    else
        st = sr_fail(err, SR_E_USAGE, "attest measure: --kind is tdx, snp or simulated");
    out_end(c);
    if (st != SR_OK) buf_clear(&c->out); /* half an answer is none */
    return st;
}
