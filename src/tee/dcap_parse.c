/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/tee_int.h"

#define SGX_BODY  384
#define TD15_BODY 648

sr_status dcap_reject_(const char **ret_class, struct sr_err *err, const char *where,
                       const char *name, const char *what) {
    if (ret_class && !*ret_class) *ret_class = name;
    sr_status code = strcmp(name, "PARSE") == 0 || strcmp(name, "UNSUPPORTED") == 0 ||
                             strcmp(name, "COLLATERAL_FORMAT") == 0 ||
                             strcmp(name, "CERT_TYPE") == 0
                         ? SR_E_MALFORMED
                         : SR_E_CRYPTO;
    return sr_fail_(err, code, where, "%s: %s", name, what);
}

#define UNSUPPORTED(what) dcap_reject(ret_class, err, "UNSUPPORTED", what)
#define BROKEN(what)      dcap_reject(ret_class, err, "PARSE", what)

static sr_status read_header(struct rd *r, struct dcap_quote *q, const char **ret_class,
                             struct sr_err *err) {
    q->version = rd_u16le(r);
    uint16_t key_type = rd_u16le(r);
    uint32_t tee = rd_u32le(r);
    (void)rd_u32(r); /* SVNs of v3, reserved later */
    struct slice vendor = rd_take(r, 16);
    (void)rd_take(r, 20);
    if (r->bad) return BROKEN("the header is cut off");
    if (q->version < 3 || q->version > 5) return UNSUPPORTED("version of the quote");
    if (key_type != 2) return UNSUPPORTED("type of the attestation key");
    if (tee != 0 && tee != 0x81) return UNSUPPORTED("type of the TEE");
    if (q->version == 3 && tee != 0) return UNSUPPORTED("a v3 quote that is not of SGX");
    if (!slice_eq(vendor, slice_of(quote_qe_vendor, 16))) return UNSUPPORTED("vendor of the QE");
    q->tdx = tee == 0x81;
    return SR_OK;
}

static sr_status read_body(struct rd *r, struct dcap_quote *q, const char **ret_class,
                           struct sr_err *err) {
    static const size_t size_of[] = {0, SGX_BODY, TD_BODY, TD15_BODY};
    q->body_type = q->tdx ? 2 : 1;
    if (q->version == 5) {
        q->body_type = rd_u16le(r);
        uint32_t size = rd_u32le(r);
        if (r->bad) return BROKEN("the body is cut off");
        if (q->body_type < 1 || q->body_type > 3) return UNSUPPORTED("type of the body");
        if ((q->body_type == 1) == q->tdx) return UNSUPPORTED("a body of the other TEE");
        if (size != size_of[q->body_type]) return BROKEN("size of the body");
    }
    q->body = rd_take(r, size_of[q->body_type]);
    if (r->bad) return BROKEN("the body is cut off");
    return SR_OK;
}

/* QE report, its signature, authentication data, certification data: all of r. */
static bool read_certification(struct rd *r, struct dcap_quote *q) {
    q->qe_report = rd_take(r, QE_REPORT).p;
    q->qe_signature = rd_take(r, 64).p;
    q->qe_auth = rd_take(r, rd_u16le(r));
    q->cert_type = rd_u16le(r);
    q->cert_data = rd_take(r, rd_u32le(r));
    return rd_done(r);
}

sr_status dcap_parse(struct slice quote, struct dcap_quote *ret, const char **ret_class,
                     struct sr_err *err) {
    struct dcap_quote q = {0};
    if (quote.n > DCAP_QUOTE_MAX) return BROKEN("too long");
    struct rd r = rd_of(quote);
    SR_TRY(read_header(&r, &q, ret_class, err));
    SR_TRY(read_body(&r, &q, ret_class, err));
    q.signed_part = slice_of(quote.p, (size_t)(r.p - quote.p));
    /* What follows the signature section is padding of a too large buffer. */
    struct rd sec = rd_of(rd_take(&r, rd_u32le(&r)));
    if (r.bad) return BROKEN("the signature section is cut off");
    q.signature = rd_take(&sec, 64).p;
    q.attest_key = rd_take(&sec, 64).p;
    if (q.version == 3) {
        if (!read_certification(&sec, &q)) return BROKEN("the signature section does not add up");
    } else {
        uint16_t type = rd_u16le(&sec);
        struct rd in = rd_of(rd_take(&sec, rd_u32le(&sec)));
        if (!rd_done(&sec)) return BROKEN("the signature section does not add up");
        if (type != 6)
            return dcap_reject(ret_class, err, "CERT_TYPE", "outer certification data type");
        if (!read_certification(&in, &q)) return BROKEN("the certification data do not add up");
    }
    if (q.cert_type < 1 || q.cert_type > 5)
        return dcap_reject(ret_class, err, "UNSUPPORTED", "type of the certification data");
    *ret = q;
    return SR_OK;
}
