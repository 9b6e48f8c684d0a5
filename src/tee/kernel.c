/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel: its Authenticode digest, and the setup header that QEMU fills in. */
#include "tee/launch.h"

#include <openssl/evp.h>

static uint16_t u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}
static uint32_t u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static void put_u32(uint8_t *p, uint32_t v) {
    for (size_t i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

struct pe {
    size_t checksum, security, headers; /* offsets; size of the headers */
    size_t cert_size;
    size_t n;
    struct {
        uint32_t at, size;
    } part[LAUNCH_PE_SECTIONS]; /* ascending */
};

static bool pe_read(struct slice f, struct pe *ret) {
    struct pe p = {0};
    if (f.n < 0x40 || f.p[0] != 'M' || f.p[1] != 'Z') return false;
    const uint32_t at = u32(f.p + 0x3c);
    if (at > f.n || f.n - at < 24 || memcmp(f.p + at, "PE\0\0", 4) != 0) return false;
    const size_t n = u16(f.p + at + 6), opt_size = u16(f.p + at + 20), opt = (size_t)at + 24;
    if (n > LAUNCH_PE_SECTIONS || opt_size < 152 || opt_size > f.n - opt || u16(f.p + opt) != 0x20b)
        return false;
    p.checksum = opt + 64;
    p.security = opt + 112 + 32;
    p.headers = u32(f.p + opt + 60);
    if (u32(f.p + opt + 108) < 5) return false; /* fewer directories than up to that one */
    p.cert_size = u32(f.p + p.security + 4);
    const size_t table = opt + opt_size;
    if (n * 40 > f.n - table || p.headers > f.n || p.headers < p.security + 8) return false;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *s = f.p + table + 40 * i;
        const uint32_t size = u32(s + 16), start = u32(s + 20);
        if (size == 0) continue;
        if (start > f.n || size > f.n - start) return false;
        size_t k = p.n++;
        while (k > 0 && p.part[k - 1].at > start) p.part[k] = p.part[k - 1], k--;
        p.part[k].at = start;
        p.part[k].size = size;
    }
    *ret = p;
    return true;
}

sr_status pe_authenticode(struct slice pe, uint8_t ret[48], struct sr_err *err) {
    static const uint8_t zero[8];
    struct pe p;
    if (pe.n > LAUNCH_KERNEL_MAX) return sr_fail(err, SR_E_TOOBIG, "the kernel is too big");
    if (!pe_read(pe, &p)) return sr_fail(err, SR_E_MALFORMED, "not a PE32+ image");
    crypto_init();
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestInit_ex(c, EVP_sha384(), NULL) == 1;
#define ADD(from, n) (ok = ok && EVP_DigestUpdate(c, (from), (n)) == 1)
    ADD(pe.p, p.checksum);
    ADD(pe.p + p.checksum + 4, p.security - p.checksum - 4);
    ADD(pe.p + p.security + 8, p.headers - p.security - 8);
    size_t hashed = p.headers;
    for (size_t i = 0; i < p.n; i++) {
        ADD(pe.p + p.part[i].at, p.part[i].size);
        hashed += p.part[i].size;
    }
    if (hashed < pe.n) {
        const size_t extra = pe.n - hashed;
        if (p.cert_size > extra) {
            EVP_MD_CTX_free(c);
            return sr_fail(err, SR_E_MALFORMED, "a certificate table bigger than its place");
        }
        ADD(pe.p + hashed, extra - p.cert_size);
        hashed += extra - p.cert_size;
    }
    if (hashed % 8 != 0) ADD(zero, 8 - hashed % 8);
#undef ADD
    ok = ok && EVP_DigestFinal_ex(c, ret, NULL) == 1;
    EVP_MD_CTX_free(c);
    return ok ? SR_OK : sr_fail(err, SR_E_NOMEM, "hashing failed");
}

sr_status kernel_as_qemu_patches(uint8_t *kernel, size_t n, uint64_t initrd_size,
                                 uint64_t memory_bytes, struct sr_err *err) {
    if (n < 0x1000 || memcmp(kernel + 0x202, "HdrS", 4) != 0 || kernel[0x207] < 2)
        return sr_fail(err, SR_E_MALFORMED, "not a bzImage");
    uint64_t max = 0xffffffffull;
    const uint64_t low = memory_bytes >= 0xb0000000ull ? 0x80000000ull : memory_bytes;
    if (!(u16(kernel + 0x236) & 1u << 6)) {
        max = u32(kernel + 0x22c);
        if (max == 0) max = 0x37ffffff;
    }
    if (low < 0x28000 || max >= low - 0x28000) max = low < 0x28000 ? 0 : low - 0x28000 - 1;
    if (initrd_size > max) return sr_fail(err, SR_E_MALFORMED, "the initrd does not fit in memory");
    kernel[0x210] = 0xb0;
    kernel[0x211] |= 0x80;
    put_u32(kernel + 0x224, 0xfe00);
    put_u32(kernel + 0x228, 0x20000);
    if (initrd_size > 0) {
        put_u32(kernel + 0x218, (uint32_t)((max - initrd_size) & ~0xfffull));
        put_u32(kernel + 0x21c, (uint32_t)initrd_size);
    }
    return SR_OK;
}
