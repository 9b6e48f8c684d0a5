/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maker.h - the attester's half of tee: making evidence
 *
 * Depends on: base, crypto.  Used by: room (this header only, tee_maker_dep), tee's verifier,
 * tests. Never: parses anything that came from outside, except the platform file its launcher gave
 * it. What the 64 bytes of report data bind, and what the measurement is of, wire/formats.h says.
 * SPEC: attestation.md#7-software-provider-simulated
 */
#pragma once
#include "crypto/crypto.h"

/* One-byte ids that every envelope carries. */
typedef enum {
    TEE_TDX = 0x01,
    TEE_SEV_SNP = 0x02,
    TEE_SGX = 0x03,
    TEE_NITRO = 0x04,
    TEE_SIMULATED = 0x7f,
} tee_provider;

#define TEE_PLATFORM_MAX     16384 /* bytes of a platform file */
#define TEE_SIM_EVIDENCE_MAX 16384 /* bytes of an envelope that the simulated maker writes */

/*
 * tee_sim_evidence - SIMULATED evidence: a TDX v4 quote under a throw-away authority
 *
 * secret_platform  the authority's platform file (tee_sim_authority_new), given by the launcher
 * mrtd             the measurement (wire_simulated_mrtd); the other registers are zero
 * report_data      what is bound (wire_report_data)
 * now_s            unix time that goes into the evidence
 * ret_envelope     the "SRE1" envelope is appended, at most TEE_SIM_EVIDENCE_MAX bytes
 *
 * Returns SR_E_MALFORMED for a platform file that is none. Blocks: no.
 */
SR_CHECK sr_status tee_sim_evidence(struct slice secret_platform, const uint8_t mrtd[48],
                                    const uint8_t report_data[64], uint64_t now_s,
                                    struct buf *ret_envelope, struct sr_err *err);
