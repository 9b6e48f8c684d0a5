/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tee.h - the verifier's half of tee: quotes in, verdicts out; and the simulated authority
 *
 * Depends on: base, crypto, maker.h.  Used by: vault (verdicts), up (authority), cli (verify),
 * tests. Never: fetches anything, trusts a clock of the evidence, links into the room. Limits:
 * TEE_* and DCAP_* below. SPEC: attestation.md#2-intel-dcap-quote
 */
#pragma once
#include "tee/maker.h"

/* ---- the simulated authority (development networks) ---- */

/*
 * struct tee_sim_authority - a throw-away root made by `strongroom up`, in Intel's formats
 *
 * secret_platform  the worker's --authority file: gives rooms the means to sign evidence
 * verifier         the vault's --authority file: the root and its collateral, no secret
 * Root and CA keys are forgotten at once. Owned: tee_sim_authority_done.
 */
struct tee_sim_authority {
    struct buf secret_platform;
    struct buf verifier;
};
/* Valid from a day before now_s, for ten years. */
SR_CHECK sr_status tee_sim_authority_new(uint64_t now_s, struct tee_sim_authority *ret,
                                         struct sr_err *err);
void tee_sim_authority_done(struct tee_sim_authority *a); /* accepts a zeroed one */

/* ---- DCAP quotes ---- */

#define DCAP_QUOTE_MAX      65536
#define DCAP_COLLATERAL_MAX (1u << 20)
#define DCAP_CHAIN_MAX      8
#define DCAP_LEVELS_MAX     256
#define DCAP_ADVISORIES_MAX 64

typedef enum {
    TCB_UP_TO_DATE,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_TD_RELAUNCH_ADVISED,
    TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_REVOKED,
    TCB_NONE, /* not judged (no module record) */
} tcb_status;
const char *tcb_status_name(tcb_status s); /* "UpToDate", …; "" for TCB_NONE */

/* A quote's fields, borrowed from its bytes. */
struct dcap_quote {
    uint16_t version;
    bool tdx;
    uint16_t body_type;       /* 1 SGX, 2 TDX 1.0, 3 TDX 1.5 (also for v3 and v4) */
    struct slice signed_part; /* header | descriptor | body */
    struct slice body;
    const uint8_t *signature;    /* 64 */
    const uint8_t *attest_key;   /* 64 */
    const uint8_t *qe_report;    /* 384 */
    const uint8_t *qe_signature; /* 64 */
    struct slice qe_auth;
    uint16_t cert_type;
    struct slice cert_data;
};
/* SR_E_MALFORMED; *ret_class "PARSE" or "UNSUPPORTED" then. */
SR_CHECK sr_status dcap_parse(struct slice quote, struct dcap_quote *ret, const char **ret_class,
                              struct sr_err *err);

/* Collateral, parsed and its signatures checked once, for many quotes; it remembers the platforms
 * of the last ones. One thread at a time. Owned: dcap_collateral_free. */
struct dcap_collateral;
/*
 * json      the collateral file of attestation.md, section 2.5
 * root_der  the pinned root: Intel's, or a simulated authority's
 * *ret_class, when not NULL, gets the error class of the vectors on failure (static string)
 */
SR_CHECK sr_status dcap_collateral_new(struct slice json, struct slice root_der,
                                       struct dcap_collateral **ret, const char **ret_class,
                                       struct sr_err *err);
void dcap_collateral_free(struct dcap_collateral *c); /* accepts NULL */

struct tee_registers {
    uint8_t mrtd[48], mrconfigid[48], rtmr[4][48];
};
struct dcap_result {
    const char *error; /* class of the failure, NULL: accepted */
    bool tdx, debug;
    tcb_status status, sgx_level, tdx_level, module, qe;
    char advisories[DCAP_ADVISORIES_MAX][24];
    size_t n_advisories;
    /* TDX */
    uint8_t td_attributes[8], xfam[8], mrseam[48], mrowner[48], mrownerconfig[48];
    uint8_t mr_servicetd[48];
    struct tee_registers regs;
    /* SGX */
    uint8_t mrenclave[32], mrsigner[32];
    uint16_t isv_prod_id, isv_svn;
    uint8_t report_data[64];
    uint8_t fmspc[6];
};
/* The whole of attestation.md, section 2.6, at time now_s. On failure ret->error is set too. */
SR_CHECK sr_status dcap_verify(struct slice quote, const struct dcap_collateral *c, uint64_t now_s,
                               struct dcap_result *ret, struct sr_err *err);
/* Reasons for which the strict policy refuses a verified quote (static strings, at most max). */
size_t dcap_strict_reasons(const struct dcap_result *r, const char **ret_reasons, size_t max);

/* ---- evidence envelopes ---- */

const char *tee_provider_label(tee_provider p); /* "tdx", …, "SIMULATED" */

#define TEE_ENVELOPE_MAX (2u << 20)
#define TEE_QUOTE_MAX    (64u << 10)
#define TEE_EVENTLOG_MAX (1u << 20)

struct tee_envelope { /* borrowed from its bytes; absent parts are empty */
    tee_provider provider;
    struct slice evidence, event_log, certificates, launch, runtime;
};
SR_CHECK sr_status tee_envelope_parse(struct slice bytes, struct tee_envelope *ret,
                                      struct sr_err *err);

/* ---- policy and verdict ---- */

#define TEE_MEASUREMENTS_MAX 32
#define TEE_REASONS_MAX      16
#define TEE_SIM_MAX_AGE_S                                                                          \
    3600 /* simulated evidence carries its time; the nonce bounds it closer                        \
          */
#define TEE_CLOCK_SKEW_S 300

/* What a verifier trusts: Intel's root or a simulated one, never both. */
struct tee_trust;
/*
 * tee_trust_new - an anchor with its collateral
 *
 * authority  the verifier's file: JSON {"simulated":bool,"root":"hex DER","collateral":{…}}
 * dev_mode   a simulated authority is refused without it (SR_E_REFUSED)
 */
SR_CHECK sr_status tee_trust_new(struct slice authority, bool dev_mode, struct tee_trust **ret,
                                 struct sr_err *err);
void tee_trust_free(struct tee_trust *t); /* accepts NULL */
bool tee_trust_is_simulated(const struct tee_trust *t);

struct tee_policy {
    uint8_t mrtd[TEE_MEASUREMENTS_MAX][48]; /* allowed measurements; none: everything is refused */
    size_t n_mrtd;
};

struct tee_verdict {
    tee_provider provider;
    bool simulated;
    tcb_status tcb;
    struct tee_registers regs;
    uint8_t report_data[64];
    struct hash digest;                   /* SHA-256 of the whole envelope */
    const char *reasons[TEE_REASONS_MAX]; /* why it was refused: all failed clauses */
    size_t n_reasons;
};
/*
 * tee_verify - evidence to verdict: envelope, quote, collateral, policy
 *
 * Returns SR_OK, SR_E_MALFORMED, SR_E_CRYPTO (a signature or a chain is wrong), SR_E_REFUSED
 * (genuine, but the policy says no: ret->reasons is set then too). The caller still compares
 * ret->report_data with what it expects (nonce, task, worker, keys).
 */
SR_CHECK sr_status tee_verify(const struct tee_trust *t, const struct tee_policy *p,
                              struct slice envelope, uint64_t now_s, struct tee_verdict *ret,
                              struct sr_err *err);
/* The verdict as a JSON object: {"provider":"SIMULATED","simulated":true,"tcbStatus":…}. */
void tee_verdict_json(const struct tee_verdict *v, struct jw *w);
