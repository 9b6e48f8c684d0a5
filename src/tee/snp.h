/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snp.h - AMD SEV-SNP: attestation reports in, what they show out
 *
 * Depends on: tee.h (error classes), libcrypto.  Used by: cli (attest), audit, tests.
 * Never: fetches certificates, trusts a field before the signature is checked. Limits: SNP_*.
 * SPEC: attestation.md#4-amd-sev-snp
 */
#pragma once
#include "crypto/crypto.h"

#define SNP_REPORT_BYTES 1184u
#define SNP_SIGNED_BYTES 0x2a0u
#define SNP_CERT_MAX     8192u
#define SNP_TABLE_MAX    (64u << 10) /* bytes of a certificate table */
#define SNP_TABLE_ITEMS  32u

typedef enum { SNP_MILAN, SNP_GENOA, SNP_TURIN, SNP_UNKNOWN } snp_product;
const char *snp_product_name(snp_product p); /* "Milan", "Genoa", "Turin", "unknown" */

/* Security patch levels, read in the order of their product. */
struct snp_tcb {
    uint8_t fmc, bl, tee, snp, ucode; /* fmc: Turin only, else 0 */
};
struct snp_tcb snp_tcb_read(const uint8_t raw[8], snp_product p);
bool snp_tcb_at_least(const struct snp_tcb *have, const struct snp_tcb *want); /* each of them */

#define SNP_POLICY_SMT        (1ull << 16)
#define SNP_POLICY_ONE        (1ull << 17) /* always 1 */
#define SNP_POLICY_MIGRATE_MA (1ull << 18)
#define SNP_POLICY_DEBUG      (1ull << 19)
#define SNP_PLATFORM_ALIAS    (1ull << 5) /* ALIAS_CHECK_COMPLETE */

typedef enum { SNP_KEY_VCEK = 0, SNP_KEY_VLEK = 1, SNP_KEY_NONE = 7 } snp_key;

/* A report's fields, copied: nothing in it is worth anything before snp_verify said so. */
struct snp_report {
    uint32_t version, guest_svn, vmpl;
    uint64_t policy, platform_info;
    snp_key signing_key;
    bool masked_key, masked_chip; /* MASK_CHIP_KEY; CHIP_ID all zero */
    snp_product cpuid_product;    /* SNP_UNKNOWN below version 3 */
    uint8_t cpuid[3];             /* family, model, stepping */
    uint8_t current_tcb[8], reported_tcb[8], committed_tcb[8], launch_tcb[8];
    uint8_t current_version[3], committed_version[3]; /* major, minor, build */
    uint8_t family_id[16], image_id[16];
    uint8_t report_data[64], measurement[48], host_data[32], id_key_digest[48];
    uint8_t author_key_digest[48], report_id[32], chip_id[64];
};
/* SR_E_MALFORMED; *ret_class (may be NULL) is "PARSE" or "UNSUPPORTED" then. */
SR_CHECK sr_status snp_parse(struct slice report, struct snp_report *ret, const char **ret_class,
                             struct sr_err *err);

/*
 * struct snp_chain - the leaf (VCEK or VLEK) and its issuers, signatures checked once for many
 * reports; dates are judged with each. Owned: snp_chain_free.
 */
struct snp_chain;
/* ek, ask (ASK or ASVK), ark: DER; ark is the anchor and must be the caller's, not the host's. */
SR_CHECK sr_status snp_chain_new(struct slice ek, struct slice ask, struct slice ark,
                                 struct snp_chain **ret, const char **ret_class,
                                 struct sr_err *err);
void snp_chain_free(struct snp_chain *c); /* accepts NULL */
/* A CRL of the ARK, DER: judged with every report from then on. */
SR_CHECK sr_status snp_chain_add_crl(struct snp_chain *c, struct slice der, const char **ret_class,
                                     struct sr_err *err);
/* Is the certificate's key the pinned ARK key of AMD for a product? */
bool snp_ark_is_pinned(struct slice ark, snp_product *ret_product);

struct snp_result {
    const char *error; /* class of the failure; NULL: accepted */
    struct snp_report report;
    snp_product product; /* of the certificate */
    bool vlek, debug;
    struct snp_tcb tcb, committed; /* REPORTED_TCB and COMMITTED_TCB */
};
/* attestation.md, section 4.3, at now_s. ret->error is set on failure too. */
SR_CHECK sr_status snp_verify(struct slice report, const struct snp_chain *c, uint64_t now_s,
                              struct snp_result *ret, struct sr_err *err);
/* Clauses by which the strict policy refuses a verified report (static strings, at most max). */
size_t snp_strict_reasons(const struct snp_result *r, const char **ret_reasons, size_t max);

/* The host's certificate table: borrowed DER blobs, worth nothing until chained. */
struct snp_table {
    struct slice vcek, vlek, ask, ark; /* empty when absent */
};
SR_CHECK sr_status snp_table_parse(struct slice table, struct snp_table *ret, struct sr_err *err);
