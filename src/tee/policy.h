/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h - a JSON policy over verified evidence: every clause, whether it holds, and why
 *
 * The default (an absent key) is strict. SIMULATED evidence is accepted only by a policy that names
 * "SIMULATED" among its providers. Unknown keys are refused: a clause that is misspelt would
 * otherwise be no clause. Used by: cli (attest), audit, tests. SPEC:
 * attestation.md#12-policy-verdict-test-contract
 *
 *   providers            ["tdx","sev-snp","sgx-dcap","nitro","SIMULATED"]; default: all but the
 * last roots                SHA-256 of accepted root certificates; default: the vendors', as pinned
 *   tcb_status           DCAP; default ["UpToDate","SWHardeningNeeded"]; "Revoked" never passes
 *   advisories_accepted  DCAP: all of the evidence's must be here; default: not judged
 *   min_tcb              SNP: {"Milan":{"bl","tee","snp","ucode"[,"fmc"]},...}, for reported,
 * committed and launch TCB; default: none measurements         [{"register":"hex",...},...]: one of
 * these sets must match; default: not judged, and the verdict says so signers              hex of
 * MRSIGNER, SNP id key digest, or Nitro PCR8; default: not judged td_attributes
 * {"must_set":[bits],"must_clear":[bits]}; default [28], [0..7, 29, 63] allow                of
 * "debug", "migratable", "service_td", "vmpl"; default: none report_data          hex, 64 bytes
 * (Nitro: the nonce): freshness; default: not judged max_age_s            Nitro: seconds since the
 * document's time; default 300 max_collateral_age_days, require_eval_number_min    DCAP; default:
 * not judged expires              "2027-01-01T00:00:00Z": afterwards nothing passes; default: never
 */
#pragma once
#include "tee/nitro.h"
#include "tee/snp.h"
#include "tee/tee.h"

#define POLICY_MAX     65536u
#define POLICY_CLAUSES 24u
#define POLICY_SETS    256u

/* Verified evidence; one of dcap, snp, nitro is not NULL. All borrowed. */
struct policy_input {
    tee_provider provider;
    const struct dcap_result *dcap;
    const struct dcap_collateral *collateral; /* of dcap; may be NULL */
    const struct snp_result *snp;
    const struct nitro_result *nitro;
    struct slice root_der; /* the anchor it was verified with */
    uint64_t now_s;
};
struct policy_clause {
    const char *name; /* static */
    bool holds, judged;
    char why[128];
};
struct policy_verdict {
    bool accepted;
    struct policy_clause clause[POLICY_CLAUSES];
    size_t n;
};
struct policy; /* owned: policy_free */
/* An empty text is the strict policy. SR_E_MALFORMED names what is wrong. */
SR_CHECK sr_status policy_new(struct slice json, struct policy **ret, struct sr_err *err);
void policy_free(struct policy *p); /* accepts NULL */
void policy_evaluate(const struct policy *p, const struct policy_input *in,
                     struct policy_verdict *ret);
/* {"accepted":…,"clauses":[{"clause","holds","judged","why"},…]} */
void policy_verdict_json(const struct policy_verdict *v, struct jw *w);

/* A named register of the evidence ("mrtd", "rtmr0", "measurement", "pcr0", ...). */
SR_CHECK bool policy_register(const struct policy_input *in, struct slice name,
                              struct slice *ret_value);

/* Intel's root as the collateral's chains bring it, in DER; SR_E_CRYPTO unless it is the pinned
 * one. */
SR_CHECK sr_status dcap_pinned_root(struct slice collateral_json, struct buf *ret_der,
                                    struct sr_err *err);
bool dcap_root_is_pinned(struct slice root_der);
/* The first moment, in unix seconds, at which some part of the collateral is out of date. */
uint64_t dcap_collateral_expires(const struct dcap_collateral *c);
#define COLLATERAL_WARN_S (7u * 86400u) /* warn so long before */
