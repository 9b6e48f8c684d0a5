/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attest.h - verifies anybody's hardware evidence, and a task's evidence bundle, from bytes alone
 *
 * No network, no files, no clock but where said. What is rejected is an answer, not a failure: the
 * functions return SR_OK with the verdict. Thread-safe: no shared state.
 *
 * SPEC: attestation.md#12-policy-verdict-test-contract
 */
#pragma once
#include <strongroom/strongroom.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SR_EVIDENCE_MAX (8u << 20) /* bytes of each part */

struct sr_bytes {
    const void *p; /* borrowed; NULL: not given */
    size_t n;
};

/* Which parts a kind needs stands behind them; the others are ignored. */
struct sr_evidence {
    const char *kind;             /* "dcap" (SGX, TDX), "snp", "nitro" or "ccel" (event log) */
    struct sr_bytes evidence;     /* the quote, report, document or log */
    struct sr_bytes collateral;   /* dcap: the JSON of attestation.md, section 2.5 */
    struct sr_bytes quote;        /* ccel: whose registers the log must give; may be absent */
    struct sr_bytes root;         /* dcap, nitro: DER; absent: the vendor's, pinned */
    struct sr_bytes ek, ask, ark; /* snp: VCEK or VLEK, ASK or ASVK, ARK; DER */
    struct sr_bytes crl;          /* snp: DER; may be absent */
    struct sr_bytes policy;       /* JSON policy, judged too; may be absent */
    uint64_t time_unix_s;         /* judged as of then; 0: now */
};
struct sr_evidence_verdict {
    bool accepted; /* genuine, and the policy accepts it where one was given */
    char *json;    /* the object of attestation.md, section 12.3; owned */
    char *text;    /* the same for people; owned */
};
/* SR_E_USAGE: no such kind, or a part that it needs is absent. SR_E_MALFORMED: the policy.
 * ret_v is owned: sr_evidence_verdict_done. */
SR_PUBLIC SR_WARN sr_status sr_evidence_verify(const struct sr_evidence *e,
                                               struct sr_evidence_verdict *ret_v,
                                               struct sr_err *err);
SR_PUBLIC void sr_evidence_verdict_done(struct sr_evidence_verdict *v); /* accepts a zeroed one */

#define SR_BUNDLE_FIELDS 32
struct sr_bundle_report {
    bool holds;
    const char *field; /* the first that does not hold; static; NULL: all hold */
    char why[160];
    const char *checked[SR_BUNDLE_FIELDS]; /* fields that hold; static */
    size_t n_checked;
    bool simulated;
    char label[16]; /* "SIMULATED", "TDX", "SEV-SNP" */
    char task[SR_HASH_TEXT], deal[SR_HASH_TEXT], result_digest[SR_HASH_TEXT];
    uint64_t released_unix_s;
    /* stated in the bundle; only the chain can say whether it is so */
    uint64_t chain_id;
    char transaction[SR_HASH_TEXT];
    char hub[SR_ADDR_TEXT], sms_identity[SR_ADDR_TEXT], worker[SR_ADDR_TEXT];
    char app_owner[SR_ADDR_TEXT], data_owner[SR_ADDR_TEXT], workerpool_owner[SR_ADDR_TEXT];
};
/* What sr_task_bundle wrote. Never fails but for memory: a file that is no bundle does not hold. */
SR_PUBLIC SR_WARN sr_status sr_bundle_verify(const void *bundle, size_t n,
                                             struct sr_bundle_report *ret_r, struct sr_err *err);

#ifdef __cplusplus
}
#endif
