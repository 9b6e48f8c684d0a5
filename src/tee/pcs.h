/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcs.h - collateral as Intel's provisioning service (or a mirror of it) serves it, put into one
 * file
 *
 * Pure: says which paths to ask for, and puts the answers together. Who asks is the caller (cli).
 * SPEC: attestation.md#25-collateral
 */
#pragma once
#include "tee/tee.h"

#define PCS_BODY_MAX (1u << 20) /* bytes of one answer */
#define PCS_PATH_MAX 128u

struct pcs_platform {
    bool tdx, processor_ca;
    uint8_t fmspc[6];
};
/* Of the PCK certificate in a quote. SR_E_MALFORMED; SR_E_NOTFOUND: it brings none. Proves nothing
 * about the quote. */
SR_CHECK sr_status pcs_platform_of(struct slice quote, struct pcs_platform *ret,
                                   struct sr_err *err);

typedef enum { PCS_TCB, PCS_QE, PCS_CRL, PCS_ROOT_CRL, PCS_PARTS } pcs_part;
/* "/tdx/certification/v4/tcb?fmspc=...": behind the service's address. PCS_ROOT_CRL is a mirror's
 * path: Intel has that CRL elsewhere. */
void pcs_path(const struct pcs_platform *p, pcs_part part, char ret[PCS_PATH_MAX]);
/* The response header that brings the part's issuers, URL-encoded; NULL: none. */
const char *pcs_chain_header(pcs_part part);

struct pcs_answer {
    struct slice body, chain; /* chain as in its header */
};
/* The collateral file of section 2.5. CRLs may be DER, hex or PEM. */
SR_CHECK sr_status pcs_assemble(const struct pcs_answer answers[PCS_PARTS], struct buf *ret_json,
                                struct sr_err *err);
/* tcbEvaluationDataNumber of a collateral file; a lower one than before is a rollback. */
SR_CHECK sr_status pcs_evaluation_number(struct slice collateral_json, uint64_t *ret,
                                         struct sr_err *err);
