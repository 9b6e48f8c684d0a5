/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's verdict on a room's evidence, with the collateral that the bundle brings. */
#include "audit/audit_int.h"

struct judged {
    struct dcap_collateral *collateral;
    struct policy *policy;
    struct buf root;
};

static sr_status judge(const struct audit_parts *p, struct judged *j, struct policy_verdict *ret,
                       struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    struct tee_envelope e;
    struct dcap_result r;
    struct slice hex;
    const uint64_t now = p->release.time_ms / 1000;
    SR_TRY(json_parse(p->authority, &doc, err));
    const struct json_val *v = json_root(doc);
    if (!json_str(json_get(v, "root"), &hex) || !hex_decode_buf(hex, &j->root)) {
        BUF_TRY_MEMORY(&j->root, err);
        return sr_fail(err, SR_E_MALFORMED, "the authority names no root");
    }
    SR_TRY(tee_envelope_parse(p->evidence, &e, err));
    SR_TRY(dcap_collateral_new(json_raw(json_get(v, "collateral")), buf_slice(&j->root),
                               &j->collateral, NULL, err));
    struct slice quote = e.evidence;
    if (e.provider == TEE_SIMULATED) { /* a mark of its own and a time, then a quote */
        if (quote.n < 16) return sr_fail(err, SR_E_MALFORMED, "not simulated evidence");
        quote = slice_of(quote.p + 16, quote.n - 16);
    }
    SR_TRY(dcap_verify(quote, j->collateral, now, &r, err));
    const struct policy_input in = {.provider = e.provider,
                                    .dcap = &r,
                                    .collateral = j->collateral,
                                    .root_der = buf_slice(&j->root),
                                    .now_s = now};
    SR_TRY(policy_new(p->policy, &j->policy, err));
    policy_evaluate(j->policy, &in, ret);
    return SR_OK;
}

sr_status bundle_verdict(const struct audit_parts *p, struct buf *ret_json, bool *ret_accepted,
                         struct sr_err *err) {
    struct judged j = {0};
    struct policy_verdict v = {0}; /* not accepted */
    buf_init(&j.root, 16384);
    sr_status st = judge(p, &j, &v, err);
    if (st == SR_OK) {
        struct jw w = jw_of(ret_json);
        policy_verdict_json(&v, &w);
        *ret_accepted = v.accepted;
        st = buf_status(ret_json, err);
    }
    dcap_collateral_free(j.collateral);
    policy_free(j.policy);
    buf_done(&j.root);
    return st;
}
