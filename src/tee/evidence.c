/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/tee_int.h"

#include <stdlib.h>

/* SHA-256 of Intel's SGX Root CA certificate: the only real root there is. */
static const char intel_root_hex[] =
    "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3";

const char *tee_provider_label(tee_provider p) {
    switch (p) {
    case TEE_TDX: return "tdx";
    case TEE_SEV_SNP: return "sev-snp";
    case TEE_SGX: return "sgx-dcap";
    case TEE_NITRO: return "nitro";
    case TEE_SIMULATED: return "SIMULATED";
    }
    return "unknown";
}

sr_status tee_envelope_parse(struct slice bytes, struct tee_envelope *ret, struct sr_err *err) {
    struct tee_envelope e = {0};
    struct slice *const part[] = {NULL,      &e.evidence, &e.event_log, &e.certificates,
                                  &e.launch, &e.runtime};
    unsigned seen = 0;
    struct rd r = rd_of(bytes);
    struct slice magic = rd_take(&r, 4);
    uint8_t provider = rd_u8(&r), flags = rd_u8(&r);
    uint16_t reserved = rd_u16le(&r);
    if (r.bad || bytes.n > TEE_ENVELOPE_MAX || !slice_is(magic, ENVELOPE_TAG) || flags || reserved)
        return sr_fail(err, SR_E_MALFORMED, "not an evidence envelope");
    if (!(provider >= TEE_TDX && provider <= TEE_NITRO) && provider != TEE_SIMULATED)
        return sr_fail(err, SR_E_MALFORMED, "evidence of provider 0x%02x", provider);
    e.provider = (tee_provider)provider;
    while (rd_left(&r) > 0) {
        uint16_t type = rd_u16le(&r);
        struct slice v = rd_take(&r, rd_u32le(&r));
        if (r.bad) break;
        if (type >= 0x8000) continue; /* for others */
        if (type == 0 || type >= SR_ARRAY_LEN(part) || (seen & 1u << type))
            return sr_fail(err, SR_E_MALFORMED, "evidence with an unknown part %u", type);
        seen |= 1u << type;
        *part[type] = v;
    }
    if (!rd_done(&r) || !(seen & 1u << ENVELOPE_EVIDENCE))
        return sr_fail(err, SR_E_MALFORMED, "the evidence envelope is cut off");
    if (e.evidence.n > TEE_QUOTE_MAX || e.event_log.n > TEE_EVENTLOG_MAX)
        return sr_fail(err, SR_E_TOOBIG, "evidence of %zu bytes", e.evidence.n);
    *ret = e;
    return SR_OK;
}

struct tee_trust {
    bool simulated;
    struct dcap_collateral *collateral;
};

sr_status tee_trust_new(struct slice authority, bool dev_mode, struct tee_trust **ret,
                        struct sr_err *err) {
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf root = {0};
    struct slice hex;
    bool simulated = false;
    uint8_t want[32];
    buf_init(&root, 16384);
    SR_TRY(json_parse(authority, &doc, err));
    const struct json_val *v = json_root(doc), *col = json_get(v, "collateral");
    if (!json_bool(json_get(v, "simulated"), &simulated) || !json_str(json_get(v, "root"), &hex) ||
        !hex_decode_buf(hex, &root) || !json_is(col, JSON_OBJECT)) {
        BUF_TRY_MEMORY(&root, err);
        return sr_fail(err, SR_E_MALFORMED, "not an attestation authority file");
    }
    if (simulated && !dev_mode)
        return sr_fail(err, SR_E_REFUSED,
                       "a SIMULATED attestation authority is accepted in development mode only");
    struct hash h = sha256(buf_slice(&root));
    SR_ASSERT(hex_decode(slice_str(intel_root_hex), want, sizeof want));
    if (simulated == (memcmp(h.b, want, sizeof want) == 0))
        return sr_fail(err, SR_E_REFUSED, "the authority's root is not the pinned one");
    struct tee_trust *t = sr_calloc_n(1, sizeof *t);
    if (!t) return sr_fail(err, SR_E_NOMEM, "out of memory");
    t->simulated = simulated;
    sr_status st = dcap_collateral_new(json_raw(col), buf_slice(&root), &t->collateral, NULL, err);
    if (st == SR_OK)
        *ret = t;
    else
        tee_trust_free(t);
    return st;
}

void tee_trust_free(struct tee_trust *t) {
    if (!t) return;
    dcap_collateral_free(t->collateral);
    free(t);
}

bool tee_trust_is_simulated(const struct tee_trust *t) {
    return t->simulated;
}

/* The quote inside, after the provider's own prefix. */
static sr_status quote_of(const struct tee_trust *t, const struct tee_envelope *e, uint64_t now_s,
                          struct slice *ret_quote, struct sr_err *err) {
    if (e->provider != TEE_SIMULATED && e->provider != TEE_TDX)
        return sr_fail(err, SR_E_REFUSED, "evidence of %s is not accepted",
                       tee_provider_label(e->provider));
    if ((e->provider == TEE_SIMULATED) != t->simulated)
        return sr_fail(err, SR_E_REFUSED, "evidence is %s, this verifier trusts %s only",
                       tee_provider_label(e->provider), t->simulated ? "SIMULATED" : "hardware");
    if (!t->simulated) {
        *ret_quote = e->evidence;
        return SR_OK;
    }
    struct rd r = rd_of(e->evidence);
    struct slice tag = rd_take(&r, 8);
    uint64_t made = rd_u64le(&r);
    if (r.bad || !slice_eq(tag, slice_of(SIM_EVIDENCE_TAG, 8)))
        return sr_fail(err, SR_E_MALFORMED, "not simulated evidence");
    if (made > now_s + TEE_CLOCK_SKEW_S || now_s > made + TEE_SIM_MAX_AGE_S || made > INT64_MAX)
        return sr_fail(err, SR_E_REFUSED, "the simulated evidence is too old, or of the future");
    *ret_quote = rd_take(&r, rd_left(&r));
    return SR_OK;
}

static void add_reason(struct tee_verdict *v, const char *why) {
    if (v->n_reasons < TEE_REASONS_MAX) v->reasons[v->n_reasons++] = why;
}

sr_status tee_verify(const struct tee_trust *t, const struct tee_policy *p, struct slice envelope,
                     uint64_t now_s, struct tee_verdict *ret, struct sr_err *err) {
    struct tee_envelope e;
    struct slice quote;
    struct dcap_result r;
    SR_TRY(tee_envelope_parse(envelope, &e, err));
    SR_TRY(quote_of(t, &e, now_s, &quote, err));
    SR_TRY(dcap_verify(quote, t->collateral, now_s, &r, err));
    if (!r.tdx) return sr_fail(err, SR_E_REFUSED, "an SGX quote is no evidence of a room");

    struct tee_verdict v = {.provider = e.provider, .simulated = t->simulated, .tcb = r.status};
    v.regs = r.regs;
    memcpy(v.report_data, r.report_data, sizeof v.report_data);
    v.digest = sha256(envelope);
    v.n_reasons = dcap_strict_reasons(&r, v.reasons, TEE_REASONS_MAX);
    bool known = false;
    for (size_t i = 0; i < p->n_mrtd; i++) known |= memcmp(p->mrtd[i], r.regs.mrtd, 48) == 0;
    if (!known) add_reason(&v, "measurement");
    *ret = v;
    if (v.n_reasons == 0) return SR_OK;
    char all[160] = "";
    size_t at = 0;
    for (size_t i = 0; i < v.n_reasons && at + 1 < sizeof all; i++) {
        int k = snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", v.reasons[i]);
        at += k > 0 ? (size_t)k : 0;
    }
    return sr_fail(err, SR_E_REFUSED, "the evidence is genuine but refused: %s", all);
}

void tee_verdict_json(const struct tee_verdict *v, struct jw *w) {
    jw_obj(w);
    jw_kcstr(w, "provider", tee_provider_label(v->provider));
    jw_kbool(w, "simulated", v->simulated);
    jw_kcstr(w, "tcbStatus", tcb_status_name(v->tcb));
    jw_khex(w, "mrtd", slice_of(v->regs.mrtd, sizeof v->regs.mrtd));
    jw_khex(w, "reportData", slice_of(v->report_data, sizeof v->report_data));
    jw_khash(w, "evidenceDigest", &v->digest);
    jw_key(w, "refused");
    jw_arr(w);
    for (size_t i = 0; i < v->n_reasons; i++) jw_cstr(w, v->reasons[i]);
    jw_end_arr(w);
    jw_end_obj(w);
}
