/* SPDX-License-Identifier: Apache-2.0 */
/* judged.h - evidence that was judged: between its judging and the answer. Used by: audit only. */
#pragma once
#include "tee/eventlog.h"
#include "tee/policy.h"
#include <strongroom/attest.h>

struct judged {
    const struct sr_evidence *given;
    struct buf pinned; /* a vendor's root, where none was given */
    struct slice root;
    uint64_t now;
    const char *error; /* class; NULL: none */
    struct dcap_collateral *collateral;
    struct dcap_result dcap;
    struct snp_result snp;
    struct nitro_result nitro;
    struct eventlog_result log;
    struct policy_input in;
    const char *strict[TEE_REASONS_MAX];
    size_t n_strict;
    bool accepted, has_platform;
    struct policy_verdict verdict; /* n 0: no policy was given */
};

void judged_json(const struct judged *e, struct buf *ret);
void judged_text(const struct judged *e, struct buf *ret);
