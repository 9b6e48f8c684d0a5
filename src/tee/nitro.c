/* SPDX-License-Identifier: Apache-2.0 */
#include "tee/nitro.h"
#include "tee/cbor.h"
#include "tee/x384_int.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define NITRO_CERT_MAX 2048u

static const char root_hex[] = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b";

bool nitro_root_is_pinned(struct slice root_der) {
    uint8_t want[32];
    struct hash h = sha256(root_der);
    return hex_decode(slice_str(root_hex), want, 32) && memcmp(want, h.b, 32) == 0;
}

#define BROKEN(what)      dcap_reject(ret_class, err, "PARSE", what)
#define UNSUPPORTED(what) dcap_reject(ret_class, err, "UNSUPPORTED", what)

/* ---- the payload's map ---- */

static bool read_pcrs(struct rd *r, struct nitro_doc *d) {
    uint64_t left = 0, i = 0;
    uint32_t seen = 0;
    if (!cbor_open(r, CBOR_MAP, NITRO_PCRS, &left)) return false;
    while (cbor_more(r, &left)) {
        struct slice v;
        if (!cbor_uint(r, &i) || i >= NITRO_PCRS || (seen & 1u << i) || !cbor_bytes(r, &v))
            return false;
        if (v.n != 32 && v.n != 48 && v.n != 64) return false;
        seen |= 1u << i;
        d->pcr[i] = v;
    }
    return !r->bad && seen != 0;
}

static bool read_bundle(struct rd *r, struct nitro_doc *d) {
    uint64_t left = 0;
    if (!cbor_open(r, CBOR_ARRAY, NITRO_CHAIN_MAX, &left)) return false;
    while (cbor_more(r, &left)) {
        if (d->n_cabundle == NITRO_CHAIN_MAX || !cbor_bytes(r, &d->cabundle[d->n_cabundle]))
            return false;
        if (d->cabundle[d->n_cabundle].n == 0 || d->cabundle[d->n_cabundle].n > NITRO_CERT_MAX)
            return false;
        d->n_cabundle++;
    }
    return !r->bad && d->n_cabundle > 0;
}

static bool read_optional(struct rd *r, struct slice *ret, bool *ret_has) {
    if (cbor_is_null(r)) return true;
    *ret_has = true;
    return cbor_bytes(r, ret) && ret->n <= NITRO_FIELD_MAX;
}

enum { F_MODULE, F_DIGEST, F_TIME, F_PCRS, F_CERT, F_BUNDLE, F_KEY, F_USER, F_NONCE, F_COUNT };

static bool read_field(struct rd *r, unsigned f, struct nitro_doc *d) {
    struct slice s;
    switch (f) {
    case F_MODULE:
        return cbor_text(r, &d->module_id) && d->module_id.n > 0 &&
               d->module_id.n <= NITRO_MODULE_MAX;
    case F_DIGEST: return cbor_text(r, &s) && slice_is(s, "SHA384");
    case F_TIME: return cbor_uint(r, &d->timestamp_ms) && d->timestamp_ms > 0;
    case F_PCRS: return read_pcrs(r, d);
    case F_CERT:
        return cbor_bytes(r, &d->certificate) && d->certificate.n > 0 &&
               d->certificate.n <= NITRO_CERT_MAX;
    case F_BUNDLE: return read_bundle(r, d);
    case F_KEY: return read_optional(r, &d->public_key, &d->has_public_key);
    case F_USER: return read_optional(r, &d->user_data, &d->has_user_data);
    case F_NONCE: return read_optional(r, &d->nonce, &d->has_nonce);
    default: return false;
    }
}

static bool read_payload(struct nitro_doc *d) {
    static const char *const names[F_COUNT] = {"module_id",  "digest",      "timestamp",
                                               "pcrs",       "certificate", "cabundle",
                                               "public_key", "user_data",   "nonce"};
    struct rd r = rd_of(d->payload);
    uint64_t left = 0;
    unsigned seen = 0;
    if (!cbor_open(&r, CBOR_MAP, F_COUNT, &left)) return false;
    while (cbor_more(&r, &left)) {
        struct slice key;
        unsigned f = 0;
        if (!cbor_text(&r, &key)) return false;
        while (f < F_COUNT && !slice_is(key, names[f])) f++;
        if (f == F_COUNT || (seen & 1u << f) || !read_field(&r, f, d)) return false;
        seen |= 1u << f;
    }
    const unsigned need = (1u << F_KEY) - 1; /* all before it */
    return rd_done(&r) && (seen & need) == need;
}

sr_status nitro_parse(struct slice doc, struct nitro_doc *ret, const char **ret_class,
                      struct sr_err *err) {
    struct nitro_doc d = {0};
    struct cbor_head h;
    uint64_t left = 0, one = 0;
    if (doc.n == 0 || doc.n > NITRO_DOC_MAX) return BROKEN("a document of a strange size");
    struct rd r = rd_of(doc);
    if (doc.p[0] == 0xd2) (void)rd_u8(&r); /* tag 18, COSE_Sign1; may be left out */
    if (!cbor_open(&r, CBOR_ARRAY, 4, &left) || left != 4 || !cbor_bytes(&r, &d.protected_header))
        return BROKEN("not a COSE_Sign1 structure");
    if (!cbor_open(&r, CBOR_MAP, 0, &left) || cbor_more(&r, &left))
        return BROKEN("unprotected headers");
    if (!cbor_bytes(&r, &d.payload) || !cbor_bytes(&r, &d.signature) || !rd_done(&r))
        return BROKEN("cut off, or bytes behind the document");
    r = rd_of(d.protected_header);
    if (!cbor_open(&r, CBOR_MAP, 1, &left) || left != 1 || !cbor_uint(&r, &one) || one != 1 ||
        !cbor_head(&r, &h) || !rd_done(&r))
        return BROKEN("protected headers other than the algorithm");
    if (h.major != CBOR_NEG || h.n != 34) return UNSUPPORTED("another algorithm than ES384");
    if (d.signature.n != 96) return BROKEN("a signature of another size");
    if (!read_payload(&d)) return BROKEN("the payload is malformed");
    *ret = d;
    return SR_OK;
}

/* ---- verification ---- */

#define FAIL(name, what) dcap_reject(&r->error, err, name, what)

static sr_status link_check(X509 *c, X509 *issuer, size_t below, struct nitro_result *r,
                            struct sr_err *err) {
    if (X509_NAME_cmp(X509_get_issuer_name(c), X509_get_subject_name(issuer)) != 0)
        return FAIL("CHAIN_ISSUER", "a certificate names another issuer");
    if (X509_check_ca(issuer) != 1 || !(X509_get_key_usage(issuer) & KU_KEY_CERT_SIGN) ||
        (X509_get_extension_flags(issuer) & (EXFLAG_CRITICAL | EXFLAG_INVALID)))
        return FAIL("CHAIN_CA", "an issuer that is no CA");
    if (X509_get_pathlen(issuer) >= 0 && (size_t)X509_get_pathlen(issuer) < below)
        return FAIL("CHAIN_CA", "a path longer than the CA allows");
    if (X509_get_signature_nid(c) != NID_ecdsa_with_SHA384 || !x509_is_p384(issuer))
        return FAIL("CHAIN_ALGORITHM", "not ECDSA P-384 with SHA-384");
    int ok = X509_verify(c, X509_get0_pubkey(issuer));
    ERR_clear_error();
    if (ok != 1) return FAIL("CHAIN_SIGNATURE", "a certificate's signature is wrong");
    return SR_OK;
}

static sr_status check_chain(X509 **c, size_t n, uint64_t now, struct nitro_result *r,
                             struct sr_err *err) {
    for (size_t i = 1; i < n; i++) SR_TRY(link_check(c[i], c[i - 1], n - 1 - i, r, err));
    if (X509_get_extension_flags(c[n - 1]) & (EXFLAG_CA | EXFLAG_CRITICAL | EXFLAG_INVALID))
        return FAIL("CHAIN_CA", "a leaf that is a CA, or has unknown critical extensions");
    for (size_t i = 0; i < n; i++) SR_TRY(cert_check_time(c[i], now, &r->error, err));
    if (!x509_is_p384(c[n - 1])) return FAIL("CHAIN_ALGORITHM", "the leaf is not of P-384");
    return SR_OK;
}

/* CBOR(["Signature1", protected, h'', payload]) */
static bool signature_ok(const struct nitro_doc *d, X509 *leaf) {
    cleanup_buf struct buf b = {0};
    buf_init(&b, NITRO_DOC_MAX + 64);
    buf_u8(&b, 0x84);
    buf_u8(&b, 0x6a);
    buf_str(&b, "Signature1");
    if (d->protected_header.n > 23) return false;
    buf_u8(&b, (uint8_t)(0x40u | d->protected_header.n));
    buf_add(&b, d->protected_header);
    buf_u8(&b, 0x40);
    if (d->payload.n < 24) {
        buf_u8(&b, (uint8_t)(0x40u | d->payload.n));
    } else if (d->payload.n < 256) {
        buf_u8(&b, 0x58);
        buf_u8(&b, (uint8_t)d->payload.n);
    } else {
        buf_u8(&b, 0x59);
        buf_u16(&b, (uint16_t)d->payload.n);
    }
    buf_add(&b, d->payload);
    return buf_status(&b, NULL) == SR_OK &&
           p384_verify(X509_get0_pubkey(leaf), buf_slice(&b), d->signature.p);
}

static sr_status check_all(X509 **c, struct slice root, uint64_t now, struct nitro_result *r,
                           struct sr_err *err) {
    const struct nitro_doc *d = &r->doc;
    if (!slice_eq(d->cabundle[0], root))
        return FAIL("CHAIN_ROOT", "another root than the pinned one");
    for (size_t i = 0; i < d->n_cabundle; i++) c[i] = x509_of(d->cabundle[i], NITRO_CERT_MAX);
    c[d->n_cabundle] = x509_of(d->certificate, NITRO_CERT_MAX);
    for (size_t i = 0; i <= d->n_cabundle; i++)
        if (!c[i]) return FAIL("PARSE", "a certificate is malformed");
    SR_TRY(check_chain(c, d->n_cabundle + 1, now, r, err));
    if (!signature_ok(d, c[d->n_cabundle]))
        return FAIL("DOC_SIGNATURE", "the document is not signed by its certificate");
    return SR_OK;
}

sr_status nitro_verify(struct slice doc, struct slice root_der, uint64_t now_s,
                       struct nitro_result *ret, struct sr_err *err) {
    struct nitro_result r = {0};
    X509 *c[NITRO_CHAIN_MAX + 1] = {0};
    crypto_init();
    sr_status st = nitro_parse(doc, &r.doc, &r.error, err);
    if (st == SR_OK) {
        static const uint8_t zero[64];
        r.parsed = true;
        /* PCR0 is the image; zero there is how an enclave in debug mode looks. */
        r.debug = r.doc.pcr[0].n > 0 && memcmp(r.doc.pcr[0].p, zero, r.doc.pcr[0].n) == 0;
        st = check_all(c, root_der, now_s, &r, err);
    }
    for (size_t i = 0; i < SR_ARRAY_LEN(c); i++) X509_free(c[i]);
    *ret = r;
    return st;
}

size_t nitro_strict_reasons(const struct nitro_result *r, const char **ret_reasons, size_t max) {
    size_t n = 0;
    if (r->debug && n < max) ret_reasons[n++] = "debug";
    if (r->doc.pcr[0].n == 0 && n < max) ret_reasons[n++] = "measurement";
    return n;
}
