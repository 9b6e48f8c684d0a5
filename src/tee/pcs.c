/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/pcs.h"
#include "tee/tee_int.h"

#include <stdio.h>

sr_status pcs_platform_of(struct slice quote, struct pcs_platform *ret, struct sr_err *err) {
    struct dcap_quote q;
    struct cert_chain c = {.n = 0};
    struct pck pck;
    SR_TRY(dcap_parse(quote, &q, NULL, err));
    if (q.cert_type != 5) return sr_fail(err, SR_E_NOTFOUND, "the quote brings no PCK certificate");
    SR_TRY(chain_read(q.cert_data, &c, NULL, err));
    struct pcs_platform p = {.tdx = q.tdx};
    bool ok = c.n >= 2 && pck_read(c.c[0], &pck);
    if (ok) {
        memcpy(p.fmspc, pck.fmspc, sizeof p.fmspc);
        p.processor_ca = cert_has_name(c.c[1], "Intel SGX PCK Processor CA");
    }
    chain_done(&c);
    if (!ok) return sr_fail(err, SR_E_MALFORMED, "the quote's PCK certificate is malformed");
    *ret = p;
    return SR_OK;
}

void pcs_path(const struct pcs_platform *p, pcs_part part, char ret[PCS_PATH_MAX]) {
    const char *kind = p->tdx ? "tdx" : "sgx";
    char fmspc[13];
    hex_encode(fmspc, p->fmspc, sizeof p->fmspc);
    switch (part) {
    case PCS_TCB:
        (void)snprintf(ret, PCS_PATH_MAX, "/%s/certification/v4/tcb?fmspc=%s", kind, fmspc);
        return;
    case PCS_QE:
        (void)snprintf(ret, PCS_PATH_MAX, "/%s/certification/v4/qe/identity", kind);
        return;
    case PCS_CRL:
        (void)snprintf(ret, PCS_PATH_MAX, "/sgx/certification/v4/pckcrl?ca=%s&encoding=der",
                       p->processor_ca ? "processor" : "platform");
        return;
    case PCS_ROOT_CRL:
    case PCS_PARTS:
    default: (void)snprintf(ret, PCS_PATH_MAX, "/sgx/certification/v4/rootcacrl"); return;
    }
}

const char *pcs_chain_header(pcs_part part) {
    static const char *const names[PCS_PARTS] = {"TCB-Info-Issuer-Chain",
                                                 "SGX-Enclave-Identity-Issuer-Chain",
                                                 "SGX-PCK-CRL-Issuer-Chain", NULL};
    return names[part];
}

static bool url_decode(struct slice s, struct buf *b) {
    for (size_t i = 0; i < s.n; i++) {
        uint8_t byte = s.p[i];
        if (byte == '%') {
            if (s.n - i < 3 || !hex_decode(slice_of(s.p + i + 1, 2), &byte, 1)) return false;
            i += 2;
        }
        buf_u8(b, byte);
    }
    return b->bad == SR_OK;
}

/* DER becomes hex; hex and PEM stay. */
static bool crl_text(struct slice body, struct buf *b) {
    struct slice t = slice_trim(body);
    bool hex = t.n > 0 && t.n % 2 == 0;
    for (size_t i = 0; hex && i < t.n; i++) {
        const uint8_t c = t.p[i] | 0x20;
        hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    if (body.n == 0) return false;
    if (hex || slice_starts(t, "-----BEGIN X509 CRL-----"))
        buf_add(b, t);
    else
        buf_hex(b, body);
    return b->bad == SR_OK;
}

/* {"tcbInfo":{…},"signature":"…"}: the exact bytes that were signed, and the signature. */
static bool put_signed(struct jw *w, const struct pcs_answer *a, const char *name,
                       const char *text_key, const char *sig_key, const char *chain_key) {
    cleanup_json struct json *doc = NULL;
    cleanup_buf struct buf chain = {0};
    struct slice sig;
    buf_init(&chain, 65536);
    if (json_parse(a->body, &doc, NULL) != SR_OK) return false;
    const struct json_val *v = json_root(doc), *text = json_get(v, name);
    if (!json_is(text, JSON_OBJECT) || !json_str(json_get(v, "signature"), &sig) ||
        !url_decode(a->chain, &chain))
        return false;
    jw_kstr(w, chain_key, buf_slice(&chain));
    jw_kstr(w, text_key, json_raw(text));
    jw_kstr(w, sig_key, sig);
    return true;
}

sr_status pcs_assemble(const struct pcs_answer answers[PCS_PARTS], struct buf *ret_json,
                       struct sr_err *err) {
    cleanup_buf struct buf root = {0}, crl = {0}, chain = {0};
    for (size_t i = 0; i < PCS_PARTS; i++)
        if (answers[i].body.n > PCS_BODY_MAX)
            return sr_fail(err, SR_E_TOOBIG, "an answer of %zu bytes", answers[i].body.n);
    buf_init(&root, 2 * PCS_BODY_MAX), buf_init(&crl, 2 * PCS_BODY_MAX);
    buf_init(&chain, 65536);
    struct jw w = jw_of(ret_json);
    jw_obj(&w);
    if (!url_decode(answers[PCS_CRL].chain, &chain) || chain.n == 0)
        return sr_fail(err, SR_E_MALFORMED, "the PCK CRL came without its issuers");
    if (!crl_text(answers[PCS_ROOT_CRL].body, &root) || !crl_text(answers[PCS_CRL].body, &crl))
        return sr_fail(err, SR_E_MALFORMED, "a CRL is missing");
    jw_kstr(&w, "pck_crl_issuer_chain", buf_slice(&chain));
    jw_kstr(&w, "root_ca_crl", buf_slice(&root));
    jw_kstr(&w, "pck_crl", buf_slice(&crl));
    if (!put_signed(&w, &answers[PCS_TCB], "tcbInfo", "tcb_info", "tcb_info_signature",
                    "tcb_info_issuer_chain"))
        return sr_fail(err, SR_E_MALFORMED, "the TCB info is malformed");
    if (!put_signed(&w, &answers[PCS_QE], "enclaveIdentity", "qe_identity", "qe_identity_signature",
                    "qe_identity_issuer_chain"))
        return sr_fail(err, SR_E_MALFORMED, "the QE identity is malformed");
    jw_end_obj(&w);
    return buf_status(ret_json, err);
}

sr_status pcs_evaluation_number(struct slice collateral_json, uint64_t *ret, struct sr_err *err) {
    cleanup_json struct json *doc = NULL, *tcb = NULL;
    struct slice text;
    if (collateral_json.n > DCAP_COLLATERAL_MAX) return sr_fail(err, SR_E_TOOBIG, "too long");
    SR_TRY(json_parse(collateral_json, &doc, err));
    if (!json_str(json_get(json_root(doc), "tcb_info"), &text))
        return sr_fail(err, SR_E_MALFORMED, "no TCB info");
    SR_TRY(json_parse(text, &tcb, err));
    return json_u64(json_get(json_root(tcb), "tcbEvaluationDataNumber"), ret)
               ? SR_OK
               : sr_fail(err, SR_E_MALFORMED, "no evaluation number");
}
