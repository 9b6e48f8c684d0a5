/* SPDX-License-Identifier: Apache-2.0 */
/* The report's layout, and the host's certificate table. */
#include "tee/snp.h"
#include "tee/tee_int.h"

const char *snp_product_name(snp_product p) {
    static const char *const names[] = {"Milan", "Genoa", "Turin", "unknown"};
    return names[(size_t)p < SR_ARRAY_LEN(names) ? p : SNP_UNKNOWN];
}

struct snp_tcb snp_tcb_read(const uint8_t raw[8], snp_product p) {
    /* Turin puts the FMC in front: the other order would compare wrong levels without a word. */
    if (p == SNP_TURIN) return (struct snp_tcb){raw[0], raw[1], raw[2], raw[3], raw[7]};
    return (struct snp_tcb){0, raw[0], raw[1], raw[6], raw[7]};
}

bool snp_tcb_at_least(const struct snp_tcb *have, const struct snp_tcb *want) {
    return have->fmc >= want->fmc && have->bl >= want->bl && have->tee >= want->tee &&
           have->snp >= want->snp && have->ucode >= want->ucode;
}

static snp_product product_of_cpuid(uint8_t family, uint8_t model) {
    if (family == 0x19 && model <= 0x0f) return SNP_MILAN;
    if (family == 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf)))
        return SNP_GENOA; /* Bergamo and Siena are served under that name */
    if (family == 0x1a && model <= 0x11) return SNP_TURIN;
    return SNP_UNKNOWN;
}

#define BROKEN(what)      dcap_reject(ret_class, err, "PARSE", what)
#define UNSUPPORTED(what) dcap_reject(ret_class, err, "UNSUPPORTED", what)

static bool all_zero(const uint8_t *p, size_t n) {
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= p[i];
    return any == 0;
}

sr_status snp_parse(struct slice report, struct snp_report *ret, const char **ret_class,
                    struct sr_err *err) {
    if (report.n != SNP_REPORT_BYTES) return BROKEN("an SNP report has 1184 bytes");
    struct snp_report r = {0};
    struct rd c = rd_of(report);
    r.version = rd_u32le(&c);
    /* 4 is read as 3: no firmware is known to emit it with other fields. */
    if (r.version < 2 || r.version > 5) return UNSUPPORTED("report version other than 2 to 5");
    r.guest_svn = rd_u32le(&c);
    r.policy = rd_u64le(&c);
    rd_copy(&c, r.family_id, sizeof r.family_id);
    rd_copy(&c, r.image_id, sizeof r.image_id);
    r.vmpl = rd_u32le(&c);
    if (rd_u32le(&c) != 1) return UNSUPPORTED("signature algorithm other than P-384 with SHA-384");
    rd_copy(&c, r.current_tcb, 8);
    r.platform_info = rd_u64le(&c);
    const uint32_t key_info = rd_u32le(&c);
    r.masked_key = (key_info & 2u) != 0;
    r.signing_key = (snp_key)(key_info >> 2 & 7u);
    (void)rd_u32le(&c);
    rd_copy(&c, r.report_data, sizeof r.report_data);
    rd_copy(&c, r.measurement, sizeof r.measurement);
    rd_copy(&c, r.host_data, sizeof r.host_data);
    rd_copy(&c, r.id_key_digest, sizeof r.id_key_digest);
    rd_copy(&c, r.author_key_digest, sizeof r.author_key_digest);
    rd_copy(&c, r.report_id, sizeof r.report_id);
    (void)rd_take(&c, 32); /* REPORT_ID_MA */
    rd_copy(&c, r.reported_tcb, 8);
    rd_copy(&c, r.cpuid, sizeof r.cpuid);
    (void)rd_take(&c, 21);
    rd_copy(&c, r.chip_id, sizeof r.chip_id);
    rd_copy(&c, r.committed_tcb, 8);
    struct slice current = rd_take(&c, 4), committed = rd_take(&c, 4);
    rd_copy(&c, r.launch_tcb, 8);
    if (c.bad) return BROKEN("cut off");
    for (size_t i = 0; i < 3; i++) {
        r.current_version[i] = current.p[2 - i];
        r.committed_version[i] = committed.p[2 - i];
    }
    r.cpuid_product = r.version >= 3 ? product_of_cpuid(r.cpuid[0], r.cpuid[1]) : SNP_UNKNOWN;
    r.masked_chip = all_zero(r.chip_id, sizeof r.chip_id);
    if (!(r.policy & SNP_POLICY_ONE)) return BROKEN("guest policy without its fixed bit");
    if (!all_zero(report.p + SNP_SIGNED_BYTES + 144, 368))
        return BROKEN("bytes behind the signature");
    *ret = r;
    return SR_OK;
}

sr_status snp_table_parse(struct slice table, struct snp_table *ret, struct sr_err *err) {
    static const struct {
        uint8_t guid[16];
        size_t at;
    } kinds[] = {
        {{0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
          0xcd},
         offsetof(struct snp_table, vcek)},
        {{0xc2, 0x4b, 0x07, 0xa8, 0x5a, 0xa2, 0x3e, 0x48, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
          0xa1},
         offsetof(struct snp_table, vlek)},
        {{0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
          0x82},
         offsetof(struct snp_table, ask)},
        {{0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
          0xae},
         offsetof(struct snp_table, ark)},
    };
    static const uint8_t end[16];
    struct snp_table t = {0};
    if (table.n > SNP_TABLE_MAX)
        return sr_fail(err, SR_E_TOOBIG, "a certificate table of %zu bytes", table.n);
    struct rd r = rd_of(table);
    for (size_t i = 0;; i++) {
        struct slice guid = rd_take(&r, 16);
        const uint32_t at = rd_u32le(&r), n = rd_u32le(&r);
        if (r.bad || i == SNP_TABLE_ITEMS)
            return sr_fail(err, SR_E_MALFORMED, "the certificate table has no end");
        if (memcmp(guid.p, end, 16) == 0) break;
        if (at > table.n || n > table.n - at)
            return sr_fail(err, SR_E_MALFORMED, "a certificate outside of its table");
        for (size_t k = 0; k < SR_ARRAY_LEN(kinds); k++) {
            if (memcmp(guid.p, kinds[k].guid, 16) != 0) continue;
            struct slice *s = (struct slice *)(void *)((uint8_t *)&t + kinds[k].at);
            if (s->n) return sr_fail(err, SR_E_MALFORMED, "a certificate twice in its table");
            *s = slice_of(table.p + at, n);
        }
    }
    *ret = t;
    return SR_OK;
}
