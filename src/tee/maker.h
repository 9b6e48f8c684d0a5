/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maker.h - the attester's half of tee: what evidence says, and making it
 *
 * Depends on: base, crypto.  Used by: room (this header only, tee_maker_dep), tee's verifier,
 * tests. Never: parses anything that came from outside, except the platform file its launcher gave
 * it. SPEC: attestation.md#7-software-provider-simulated
 * attestation.md#10-binding-keys-and-freshness
 */
#pragma once
#include "crypto/crypto.h"

/* ---- what a room binds to its evidence ---- */

typedef enum {
    TEE_SECRET_SESSION = 1,
    TEE_TLS_CERTIFICATE = 2,
    TEE_RESULT_KEY = 3,
} tee_purpose;

/*
 * struct tee_runtime - the runtime data of attestation.md, section 10; REPORTDATA is its SHA-512
 *
 * Its bytes (integers little-endian, one encoding only):
 *   "SR-RD-v1\0" | u8 purpose | u16 32 | nonce | task | worker | u8 3 |
 *   u8 0x01 u16 32 sealing key (X25519) | u8 0x04 u16 20 challenge address (secp256k1) |
 *   u8 0x10 u16 20 SMS identity address | SHA-256 of the launch inputs
 */
struct tee_runtime {
    tee_purpose purpose;
    struct hash nonce; /* the SMS's, single use */
    struct hash task;
    struct addr worker;
    uint8_t sealing_key[32]; /* X25519 public key that the envelope is sealed to */
    struct addr challenge;   /* enclave challenge: address of the room's secp256k1 key */
    struct addr sms;         /* SMS identity key the room was started with, as an address */
    struct hash launch;      /* SHA-256 of the launch inputs document */
};
#define TEE_RUNTIME_BYTES (9 + 1 + 2 + 32 + 32 + 20 + 1 + 35 + 23 + 23 + 32)
void tee_runtime_encode(const struct tee_runtime *rt, uint8_t ret[TEE_RUNTIME_BYTES]);
/* REPORTDATA of those bytes. */
void tee_report_data(const struct tee_runtime *rt, uint8_t ret[64]);

/* ---- what was started ---- */

/*
 * struct tee_launch - the launch inputs; as a document: canonical JSON (keys sorted, no white
 * space)
 *   {"app":"0x…","launcher":"process","room":"0x…","version":1}
 */
#define TEE_LAUNCHER_MAX 16
struct tee_launch {
    char launcher[TEE_LAUNCHER_MAX]; /* "process" */
    struct hash room;                /* SHA-256 of the room's executable */
    struct hash app;                 /* SHA-256 of the app's OCI manifest: m_appChecksum */
};
#define TEE_LAUNCH_MAX 512
SR_CHECK sr_status tee_launch_encode(const struct tee_launch *l, struct buf *ret,
                                     struct sr_err *err);
/* SHA-256 of the document: the runtime data's .launch. */
SR_CHECK sr_status tee_launch_hash(const struct tee_launch *l, struct hash *ret,
                                   struct sr_err *err);

/* The registers that a launch must show; the maker fills them in, the verifier predicts and
 * compares. SPEC: attestation.md#94-recommended-measured-set-for-our-images */
struct tee_registers {
    uint8_t mrtd[48], mrconfigid[48], rtmr[4][48];
};
SR_CHECK sr_status tee_predict(const struct tee_launch *l, struct tee_registers *ret,
                               struct sr_err *err);

/* ---- making evidence ---- */

#define TEE_PLATFORM_MAX 16384 /* bytes of a platform file */
#define TEE_EVIDENCE_MAX 65536 /* bytes of an envelope the simulated maker writes */

/*
 * tee_sim_evidence - SIMULATED evidence: a TDX v4 quote under a throw-away authority
 *
 * secret_platform  the authority's platform file (tee_sim_authority_new), given by the launcher
 * rt               its .launch is ignored: computed from l
 * now_s            unix time that goes into the evidence
 * ret_envelope     gets the "SRE1" envelope: evidence, launch inputs, runtime data
 *
 * Returns SR_E_MALFORMED for a platform file that is none. Blocks: no.
 */
SR_CHECK sr_status tee_sim_evidence(struct slice secret_platform, const struct tee_launch *l,
                                    const struct tee_runtime *rt, uint64_t now_s,
                                    struct buf *ret_envelope, struct sr_err *err);
/* What tokens and signatures call the evidence: SHA-256 of the whole envelope. */
struct hash tee_evidence_digest(struct slice envelope);
