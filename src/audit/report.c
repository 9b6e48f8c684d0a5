/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's report as programs outside this tree read it. */
#include "audit/audit.h"
#include <stdio.h>
#include <strongroom/attest.h>

static void put(char *dst, size_t n, const char *text) {
    (void)snprintf(dst, n, "%s", text);
}
#define PUT(dst, text) put(dst, sizeof(dst), text)

sr_status sr_bundle_verify(const void *bundle, size_t n, struct sr_bundle_report *ret_r,
                           struct sr_err *err) {
    struct audit_report a;
    struct sr_err why = {0};
    struct sr_bundle_report r = {0};
    sr_status st = audit_verify(slice_of(bundle, n), &a, &why);
    if (st == SR_E_NOMEM) return sr_fail(err, SR_E_NOMEM, "out of memory");
    r.holds = st == SR_OK;
    r.field = a.field;
    PUT(r.why, a.why);
    r.n_checked = a.n_held;
    memcpy(r.checked, a.held, sizeof r.checked);
    r.simulated = a.simulated;
    PUT(r.label, wire_verdict_label(a.label));
    PUT(r.task, hash_text(&a.task).s);
    PUT(r.deal, hash_text(&a.deal).s);
    PUT(r.result_digest, hash_text(&a.result_digest).s);
    PUT(r.transaction, hash_text(&a.transaction).s);
    r.released_unix_s = a.time_ms / 1000;
    r.chain_id = a.chain_id;
    PUT(r.hub, addr_text(&a.hub).s);
    PUT(r.sms_identity, addr_text(&a.sms_identity).s);
    PUT(r.worker, addr_text(&a.worker).s);
    PUT(r.app_owner, addr_text(&a.app_owner).s);
    PUT(r.data_owner, addr_text(&a.dataset_owner).s);
    PUT(r.workerpool_owner, addr_text(&a.workerpool_owner).s);
    *ret_r = r;
    return SR_OK;
}
