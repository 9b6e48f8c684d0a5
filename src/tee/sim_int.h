/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_int.h - what the maker of simulated evidence and its authority agree on
 *
 * A platform file: "SR-PLT-v1\0" | attestation private key (32) | u32 big-endian n | n bytes that
 * follow the quote's signature: attestation key, certification data (QE report, its signature, PCK
 * chain). So a room signs one thing and copies the rest.
 */
#pragma once
#include "tee/maker.h"

#define SIM_PLATFORM_TAG   "SR-PLT-v1" /* with its NUL: 10 bytes */
#define SIM_PLATFORM_FIXED (10 + 32 + 4)
#define SIM_EVIDENCE_TAG   "SRSIM1\0" /* with its NUL: 8 bytes */
#define ENVELOPE_TAG       "SRE1"
#define ENVELOPE_EVIDENCE  1

#define QUOTE_HEADER 48
#define TD_BODY      584
#define QE_REPORT    384

extern const uint8_t quote_qe_vendor[16];
/* TEE_TCB_SVN of simulated quotes: module 1, SVN 5, loader 3. */
extern const uint8_t sim_tee_tcb_svn[16];

static inline void put_le16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
static inline void put_le32(uint8_t *p, uint32_t v) {
    put_le16(p, (uint16_t)v);
    put_le16(p + 2, (uint16_t)(v >> 16));
}
static inline void put_le64(uint8_t *p, uint64_t v) {
    put_le32(p, (uint32_t)v);
    put_le32(p + 4, (uint32_t)(v >> 32));
}
