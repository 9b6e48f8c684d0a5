/* SPDX-License-Identifier: Apache-2.0 */
/* SPEC: attestation.md#26-verification-order */
#include "tee/p256_int.h"
#include "tee/tee_int.h"

#define FAIL(name, what) dcap_reject(&r->error, err, name, what)

static sr_status check_dates(const struct dcap_collateral *c, uint64_t now, struct dcap_result *r,
                             struct sr_err *err) {
    X509 *const certs[] = {c->root, c->tcb_chain.c[0], c->qe_chain.c[0]};
    for (size_t i = 0; i < SR_ARRAY_LEN(certs); i++) {
        SR_TRY(cert_check_time(certs[i], now, &r->error, err));
        SR_TRY(crl_check_cert(c->root_crl, certs[i], &r->error, err));
    }
    SR_TRY(crl_check_time(c->root_crl, now, &r->error, err));
    SR_TRY(crl_check_time(c->pck_crl, now, &r->error, err));
    if (c->tcb.issued > now || c->qe.issued > now)
        return FAIL("COLLATERAL_NOT_YET_VALID", "collateral of the future");
    if (c->tcb.next < now || c->qe.next < now)
        return FAIL("COLLATERAL_EXPIRED", "collateral is out of date");
    return SR_OK;
}

/* ---- what is the same in every quote of a platform ---- */

void known_platform_done(struct known_platform *k) {
    chain_done(&k->chain);
    EVP_PKEY_free(k->attest_key);
    *k = (struct known_platform){.chain = {.n = 0}};
}

static sr_status platform_id(const struct dcap_quote *q, struct hash *ret, struct sr_err *err) {
    struct sha256 s = {0};
    uint8_t sizes[4] = {(uint8_t)q->tdx, (uint8_t)q->cert_type};
    put_le16(sizes + 2, (uint16_t)q->qe_auth.n);
    SR_TRY(sha256_init(&s, err));
    sha256_add(&s, slice_of(sizes, sizeof sizes));
    sha256_add(&s, slice_of(q->attest_key, 64));
    sha256_add(&s, slice_of(q->qe_report, QE_REPORT));
    sha256_add(&s, slice_of(q->qe_signature, 64));
    sha256_add(&s, q->qe_auth);
    sha256_add(&s, q->cert_data);
    *ret = sha256_end(&s);
    return SR_OK;
}

/* Leaf and CA under the root; the chain comes with the quote, or with the collateral. */
static sr_status read_pck_chain(const struct dcap_collateral *c, const struct dcap_quote *q,
                                struct known_platform *k, struct dcap_result *r,
                                struct sr_err *err) {
    if (q->cert_type == 5) {
        SR_TRY(chain_read(q->cert_data, &k->chain, &r->error, err));
    } else if (c->pck_chain.n > 0) { /* types 1 to 4: out of band */
        for (size_t i = 0; i < c->pck_chain.n; i++) {
            (void)X509_up_ref(c->pck_chain.c[i]);
            k->chain.c[k->chain.n++] = c->pck_chain.c[i];
        }
    } else {
        return FAIL("CHAIN_FORMAT", "the quote brings no PCK certificate");
    }
    SR_TRY(chain_check(&k->chain, c->root, 2, &r->error, err));
    if (!cert_has_name(k->chain.c[0], "Intel SGX PCK Certificate") ||
        (!cert_has_name(k->chain.c[1], "Intel SGX PCK Platform CA") &&
         !cert_has_name(k->chain.c[1], "Intel SGX PCK Processor CA")))
        return FAIL("CHAIN_NAME", "not a PCK certificate of a PCK CA");
    if (!pck_read(k->chain.c[0], &k->pck))
        return FAIL("CHAIN_FORMAT", "the PCK extension is malformed");
    return SR_OK;
}

/* The QE report, signed by the PCK key, vouches for the attestation key. */
static sr_status check_qe_report(const struct dcap_quote *q, struct known_platform *k,
                                 struct dcap_result *r, struct sr_err *err) {
    static const uint8_t zero[32];
    const uint8_t *qe = q->qe_report;
    uint8_t pub[64];
    if (!cert_p256(k->chain.c[0], pub))
        return FAIL("CHAIN_ALGORITHM", "the PCK key is not of P-256");
    if (!p256_verify_pkey(X509_get0_pubkey(k->chain.c[0]), slice_of(qe, QE_REPORT),
                          q->qe_signature))
        return FAIL("QE_REPORT_SIGNATURE", "the QE report is not signed by the PCK key");
    struct sha256 s = {0};
    SR_TRY(sha256_init(&s, err));
    sha256_add(&s, slice_of(q->attest_key, 64));
    sha256_add(&s, q->qe_auth);
    struct hash h = sha256_end(&s);
    if (memcmp(qe + 320, h.b, 32) != 0 || memcmp(qe + 352, zero, 32) != 0)
        return FAIL("QE_REPORT_DATA", "the QE report vouches for another attestation key");
    k->attest_key = p256_key(NULL, q->attest_key);
    return k->attest_key ? SR_OK : FAIL("BAD_KEY", "the attestation key is no point of the curve");
}

static sr_status platform_of(const struct dcap_collateral *c, const struct dcap_quote *q,
                             struct known_platform **ret, struct dcap_result *r,
                             struct sr_err *err) {
    struct known_platform k = {.chain = {.n = 0}};
    SR_TRY(platform_id(q, &k.id, err));
    for (size_t i = 0; i < DCAP_KNOWN_MAX; i++) {
        *ret = &c->known->v[i];
        if ((*ret)->chain.n > 0 && hash_eq(&(*ret)->id, &k.id)) return SR_OK;
    }
    sr_status st = read_pck_chain(c, q, &k, r, err);
    if (st == SR_OK) st = check_qe_report(q, &k, r, err);
    if (st != SR_OK) {
        known_platform_done(&k);
        return st;
    }
    *ret = &c->known->v[c->known->next];
    c->known->next = (c->known->next + 1) % DCAP_KNOWN_MAX;
    known_platform_done(*ret);
    **ret = k;
    return SR_OK;
}

/* ---- what time and collateral say about it ---- */

static sr_status check_chain_now(const struct dcap_collateral *c, const struct cert_chain *chain,
                                 uint64_t now, struct dcap_result *r, struct sr_err *err) {
    X509 *leaf = chain->c[0], *ca = chain->c[1];
    for (size_t i = 0; i < 2; i++) SR_TRY(cert_check_time(chain->c[i], now, &r->error, err));
    SR_TRY(crl_check_cert(c->root_crl, ca, &r->error, err));
    /* Usually the CA whose CRL was checked when the collateral was loaded. */
    if (X509_cmp(ca, c->pck_crl_issuer.c[0]) != 0)
        SR_TRY(crl_check(c->pck_crl, ca, &r->error, err));
    return crl_check_cert(c->pck_crl, leaf, &r->error, err);
}

static sr_status check_module(const struct dcap_collateral *c, const struct dcap_quote *q,
                              struct dcap_result *r, struct sr_err *err) {
    static const uint8_t zero[8];
    const uint8_t *b = q->body.p;
    const struct tdx_module *m = dcap_module(&c->tcb, b);
    if (!m) return FAIL("TDX_MODULE_MISMATCH", "no record of this TDX module");
    if (memcmp(b + 64, m->mrsigner, 48) != 0)
        return FAIL("TDX_MODULE_MISMATCH", "the TDX module has another signer");
    if (memcmp(b + 112, zero, 8) != 0 || memcmp(b + 112, m->attributes, 8) != 0)
        return FAIL("TDX_MODULE_MISMATCH", "the TDX module has other attributes");
    return SR_OK;
}

static bool masked_equal(const uint8_t *got, const uint8_t *mask, const uint8_t *want, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((got[i] & mask[i]) != want[i]) return false;
    return true;
}

static sr_status check_qe_identity(const struct dcap_collateral *c, const struct dcap_quote *q,
                                   struct dcap_result *r, struct sr_err *err) {
    const struct qe_identity *id = &c->qe;
    const uint8_t *qe = q->qe_report;
    if (id->tdx != q->tdx || !masked_equal(qe + 16, id->miscselect_mask, id->miscselect, 4) ||
        !masked_equal(qe + 48, id->attributes_mask, id->attributes, 16) ||
        memcmp(qe + 128, id->mrsigner, 32) != 0 || (qe[256] | qe[257] << 8) != id->prod_id)
        return FAIL("QE_IDENTITY_MISMATCH", "not the quoting enclave that the collateral names");
    return SR_OK;
}

static void copy_measurements(const struct dcap_quote *q, struct dcap_result *r) {
    const uint8_t *b = q->body.p;
    if (!q->tdx) {
        memcpy(r->mrenclave, b + 64, 32);
        memcpy(r->mrsigner, b + 128, 32);
        r->isv_prod_id = (uint16_t)(b[256] | b[257] << 8);
        r->isv_svn = (uint16_t)(b[258] | b[259] << 8);
        memcpy(r->report_data, b + 320, 64);
        r->debug = (b[48] & 2) != 0;
        return;
    }
    memcpy(r->mrseam, b + 16, 48);
    memcpy(r->td_attributes, b + 120, 8);
    memcpy(r->xfam, b + 128, 8);
    memcpy(r->regs.mrtd, b + 136, 48);
    memcpy(r->regs.mrconfigid, b + 184, 48);
    memcpy(r->mrowner, b + 232, 48);
    memcpy(r->mrownerconfig, b + 280, 48);
    for (size_t i = 0; i < 4; i++) memcpy(r->regs.rtmr[i], b + 328 + 48 * i, 48);
    memcpy(r->report_data, b + 520, 64);
    if (q->body_type == 3) memcpy(r->mr_servicetd, b + 600, 48);
    r->debug = (b[120] & 1) != 0;
}

static sr_status check_all(const struct dcap_collateral *c, const struct dcap_quote *q,
                           uint64_t now, struct dcap_result *r, struct sr_err *err) {
    struct known_platform *k = NULL;
    SR_TRY(check_dates(c, now, r, err));
    SR_TRY(platform_of(c, q, &k, r, err));
    SR_TRY(check_chain_now(c, &k->chain, now, r, err));
    if (c->tcb.tdx != q->tdx || memcmp(k->pck.fmspc, c->tcb.fmspc, 6) != 0 ||
        memcmp(k->pck.pce_id, c->tcb.pce_id, 2) != 0)
        return FAIL("TCB_INFO_MISMATCH", "TCB info of another platform");
    memcpy(r->fmspc, k->pck.fmspc, 6);
    if (q->tdx) SR_TRY(check_module(c, q, r, err));
    SR_TRY(check_qe_identity(c, q, r, err));
    if (!p256_verify_pkey(k->attest_key, q->signed_part, q->signature))
        return FAIL("QUOTE_SIGNATURE", "the quote is not signed by the attestation key");
    SR_TRY(dcap_judge(c, &k->pck, q, r, &r->error, err));
    copy_measurements(q, r);
    return SR_OK;
}

sr_status dcap_verify(struct slice quote, const struct dcap_collateral *c, uint64_t now_s,
                      struct dcap_result *ret, struct sr_err *err) {
    struct dcap_quote q;
    struct dcap_result r = {.status = TCB_NONE,
                            .sgx_level = TCB_NONE,
                            .tdx_level = TCB_NONE,
                            .module = TCB_NONE,
                            .qe = TCB_NONE};
    crypto_init();
    sr_status st = dcap_parse(quote, &q, &r.error, err);
    if (st == SR_OK) {
        r.tdx = q.tdx;
        st = check_all(c, &q, now_s, &r, err);
    }
    *ret = r;
    return st;
}

size_t dcap_strict_reasons(const struct dcap_result *r, const char **ret_reasons, size_t max) {
    static const uint8_t zero[48];
    size_t n = 0;
#define REASON(when, text)                                                                         \
    do {                                                                                           \
        if ((when) && n < max) ret_reasons[n++] = (text);                                          \
    } while (0)
    REASON(r->status != TCB_UP_TO_DATE && r->status != TCB_SW_HARDENING_NEEDED, "tcb_status");
    if (r->tdx) {
        REASON(r->td_attributes[0] != 0, "debug");
        REASON(!(r->td_attributes[3] & 0x10), "sept_ve_disable_clear");
        REASON((r->td_attributes[3] & 0x20) != 0, "migratable");
        REASON((r->td_attributes[7] & 0x80) != 0, "perfmon");
        REASON(memcmp(r->mr_servicetd, zero, 48) != 0, "service_td");
    } else {
        REASON(r->debug, "debug");
    }
#undef REASON
    return n;
}
