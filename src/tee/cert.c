/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and CRLs of a PKI whose shape is fixed: so each rule is checked by name, here, and a
 * failure has its class. OpenSSL parses and does the arithmetic.
 * SPEC: attestation.md#26-verification-order
 */
#include "tee/p256_int.h"
#include "tee/tee_int.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define CHAIN_PEM_MAX (64u << 10)
#define CRL_MAX       (1u << 20)

void chain_done(struct cert_chain *c) {
    for (size_t i = 0; i < c->n; i++) X509_free(c->c[i]);
    c->n = 0;
}

sr_status chain_read(struct slice pem, struct cert_chain *ret, const char **ret_class,
                     struct sr_err *err) {
    struct cert_chain c = {.n = 0};
    while (pem.n > 0 && pem.p[pem.n - 1] == 0) pem.n--;
    pem = slice_trim(pem);
    if (pem.n == 0 || pem.n > CHAIN_PEM_MAX)
        return dcap_reject(ret_class, err, "CHAIN_FORMAT", "no certificates where they should be");
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!b) return sr_fail(err, SR_E_NOMEM, "out of memory");
    bool ok = true;
    while (ok && !BIO_eof(b)) {
        X509 *x = c.n < DCAP_CHAIN_MAX ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
        ok = x != NULL;
        if (ok) c.c[c.n++] = x;
    }
    BIO_free(b);
    ERR_clear_error();
    if (!ok || c.n == 0) {
        chain_done(&c);
        return dcap_reject(ret_class, err, "CHAIN_FORMAT", "certificates in PEM are malformed");
    }
    *ret = c;
    return SR_OK;
}

bool cert_has_name(X509 *c, const char *cn) {
    char got[64];
    int n = X509_NAME_get_text_by_NID(X509_get_subject_name(c), NID_commonName, got, sizeof got);
    return n > 0 && (size_t)n == strlen(cn) && memcmp(got, cn, (size_t)n) == 0;
}

bool cert_p256(X509 *c, uint8_t ret_pub[64]) {
    uint8_t p[65];
    char group[32] = "";
    size_t n = 0;
    EVP_PKEY *k = X509_get0_pubkey(c);
    bool ok = k && EVP_PKEY_get_base_id(k) == EVP_PKEY_EC &&
              EVP_PKEY_get_group_name(k, group, sizeof group, &n) == 1 &&
              strcmp(group, "prime256v1") == 0 &&
              EVP_PKEY_get_octet_string_param(k, "pub", p, sizeof p, &n) == 1 && n == 65 &&
              p[0] == 4;
    ERR_clear_error();
    if (ok) memcpy(ret_pub, p + 1, 64);
    return ok;
}

/* One link: c was issued by issuer. */
static sr_status link_check(X509 *c, X509 *issuer, const char **ret_class, struct sr_err *err) {
    uint8_t pub[64];
    if (X509_NAME_cmp(X509_get_issuer_name(c), X509_get_subject_name(issuer)) != 0)
        return dcap_reject(ret_class, err, "CHAIN_ISSUER", "a certificate names another issuer");
    if (X509_get_signature_nid(c) != NID_ecdsa_with_SHA256 || !cert_p256(issuer, pub))
        return dcap_reject(ret_class, err, "CHAIN_ALGORITHM", "not ECDSA P-256 with SHA-256");
    int ok = X509_verify(c, X509_get0_pubkey(issuer));
    ERR_clear_error();
    if (ok != 1)
        return dcap_reject(ret_class, err, "CHAIN_SIGNATURE", "a certificate's signature is wrong");
    return SR_OK;
}

sr_status chain_check(struct cert_chain *c, X509 *root, size_t want, const char **ret_class,
                      struct sr_err *err) {
    if (c->n == want + 1) {
        if (X509_cmp(c->c[want], root) != 0)
            return dcap_reject(ret_class, err, "CHAIN_ROOT", "another root than the pinned one");
        X509_free(c->c[want]);
        c->n = want;
    }
    if (c->n != want)
        return dcap_reject(ret_class, err, "CHAIN_LENGTH", "too many or too few certificates");
    for (size_t i = 0; i < want; i++) {
        X509 *x = c->c[i];
        const uint32_t flags = X509_get_extension_flags(x);
        if (flags & (EXFLAG_CRITICAL | EXFLAG_INVALID))
            return dcap_reject(ret_class, err, "CHAIN_EXTENSION", "an unknown critical extension");
        if (i > 0 && (X509_check_ca(x) != 1 || !(X509_get_key_usage(x) & KU_KEY_CERT_SIGN)))
            return dcap_reject(ret_class, err, "CHAIN_CA", "an issuer that is no CA");
        if (i == 0 && (flags & EXFLAG_CA))
            return dcap_reject(ret_class, err, "CHAIN_CA", "a CA certificate in a leaf's place");
        if (i > 0 && X509_get_pathlen(x) >= 0 && (size_t)X509_get_pathlen(x) + 1 < i)
            return dcap_reject(ret_class, err, "CHAIN_CA", "a path longer than the CA allows");
        SR_TRY(link_check(x, i + 1 < want ? c->c[i + 1] : root, ret_class, err));
    }
    return SR_OK;
}

sr_status cert_check_time(X509 *c, uint64_t now_s, const char **ret_class, struct sr_err *err) {
    const time_t t = (time_t)now_s;
    int from = ASN1_TIME_cmp_time_t(X509_get0_notBefore(c), t);
    int to = ASN1_TIME_cmp_time_t(X509_get0_notAfter(c), t);
    ERR_clear_error();
    if (from == -2 || to == -2)
        return dcap_reject(ret_class, err, "CHAIN_FORMAT", "dates of a certificate");
    if (from > 0)
        return dcap_reject(ret_class, err, "CERT_NOT_YET_VALID", "a certificate is not valid yet");
    if (to < 0) return dcap_reject(ret_class, err, "CERT_EXPIRED", "a certificate has expired");
    return SR_OK;
}

sr_status crl_read(struct slice text, X509_CRL **ret, const char **ret_class, struct sr_err *err) {
    X509_CRL *c = NULL;
    text = slice_trim(text);
    if (text.n > CRL_MAX) return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "CRL too long");
    crypto_init();
    if (slice_starts(text, "-----BEGIN X509 CRL-----")) {
        BIO *b = BIO_new_mem_buf(text.p, (int)text.n);
        c = b ? PEM_read_bio_X509_CRL(b, NULL, NULL, NULL) : NULL;
        BIO_free(b);
    } else {
        cleanup_buf struct buf der = {0};
        buf_init(&der, CRL_MAX);
        if (hex_decode_buf(text, &der) && der.n > 0) {
            const uint8_t *p = der.p;
            c = d2i_X509_CRL(NULL, &p, (long)der.n);
            if (c && p != der.p + der.n) {
                X509_CRL_free(c);
                c = NULL;
            }
        }
    }
    ERR_clear_error();
    if (!c) return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "a CRL is malformed");
    *ret = c;
    return SR_OK;
}

sr_status crl_check(X509_CRL *crl, X509 *issuer, const char **ret_class, struct sr_err *err) {
    uint8_t pub[64];
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(issuer)) != 0)
        return dcap_reject(ret_class, err, "CRL_ISSUER", "a CRL of another CA");
    if (X509_CRL_get_signature_nid(crl) != NID_ecdsa_with_SHA256 || !cert_p256(issuer, pub))
        return dcap_reject(ret_class, err, "CRL_SIGNATURE", "not ECDSA P-256 with SHA-256");
    int ok = X509_CRL_verify(crl, X509_get0_pubkey(issuer));
    ERR_clear_error();
    if (ok != 1) return dcap_reject(ret_class, err, "CRL_SIGNATURE", "a CRL's signature is wrong");
    return SR_OK;
}

sr_status crl_check_time(X509_CRL *crl, uint64_t now_s, const char **ret_class,
                         struct sr_err *err) {
    const time_t t = (time_t)now_s;
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
    int from = ASN1_TIME_cmp_time_t(X509_CRL_get0_lastUpdate(crl), t);
    int to = next ? ASN1_TIME_cmp_time_t(next, t) : -2;
    ERR_clear_error();
    if (from == -2 || to == -2)
        return dcap_reject(ret_class, err, "COLLATERAL_FORMAT", "dates of a CRL");
    if (from > 0) return dcap_reject(ret_class, err, "CRL_NOT_YET_VALID", "a CRL is of the future");
    if (to < 0) return dcap_reject(ret_class, err, "CRL_EXPIRED", "a CRL is out of date");
    return SR_OK;
}

sr_status crl_check_cert(X509_CRL *crl, X509 *c, const char **ret_class, struct sr_err *err) {
    X509_REVOKED *r = NULL;
    int found = X509_CRL_get0_by_serial(crl, &r, X509_get_serialNumber(c));
    if (found != 0)
        return dcap_reject(ret_class, err, "CERT_REVOKED", "a certificate has been revoked");
    return SR_OK;
}

/* ---- the PCK extension ---- */

/* One DER element: definite lengths up to two bytes, minimal. */
static bool der_next(struct rd *r, uint8_t *ret_tag, struct slice *ret_body) {
    uint8_t tag = rd_u8(r);
    size_t n = rd_u8(r);
    if (n == 0x81) {
        n = rd_u8(r);
        if (n < 0x80) r->bad = true;
    } else if (n == 0x82) {
        n = rd_u16(r);
        if (n < 0x100) r->bad = true;
    } else if (n >= 0x80) {
        r->bad = true;
    }
    struct slice body = rd_take(r, n);
    if (r->bad) return false;
    *ret_tag = tag;
    *ret_body = body;
    return true;
}

static bool der_expect(struct rd *r, uint8_t want, struct slice *ret_body) {
    uint8_t tag = 0;
    return der_next(r, &tag, ret_body) && tag == want;
}

/* SEQUENCE { OID base.<path>, value }: the last numbers of the OID, and the value. */
static bool pck_item(struct rd *r, size_t depth, uint8_t ret_path[2], uint8_t *ret_tag,
                     struct slice *ret_value) {
    static const uint8_t base[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
    struct slice seq, oid;
    if (!der_expect(r, 0x30, &seq)) return false;
    struct rd in = rd_of(seq);
    if (!der_expect(&in, 0x06, &oid) || oid.n != sizeof base + depth ||
        memcmp(oid.p, base, sizeof base) != 0 || !der_next(&in, ret_tag, ret_value))
        return false;
    memcpy(ret_path, oid.p + sizeof base, depth);
    return rd_done(&in);
}

static bool der_small(uint8_t tag, struct slice v, uint16_t max, uint16_t *ret_n) {
    uint32_t n = 0;
    if (tag != 0x02 || v.n == 0 || v.n > 3 || (v.p[0] & 0x80)) return false;
    if (v.n > 1 && v.p[0] == 0 && !(v.p[1] & 0x80)) return false; /* not minimal */
    for (size_t i = 0; i < v.n; i++) n = n << 8 | v.p[i];
    if (n > max) return false;
    *ret_n = (uint16_t)n;
    return true;
}

static bool pck_tcb(struct slice body, struct pck *p) {
    uint32_t seen = 0;
    struct rd r = rd_of(body);
    while (rd_left(&r) > 0) {
        uint8_t path[2] = {0}, tag = 0;
        struct slice v;
        uint16_t n = 0;
        if (!pck_item(&r, 2, path, &tag, &v) || path[0] != 2 || path[1] < 1 || path[1] > 18)
            return false;
        if (seen & 1u << path[1]) return false;
        seen |= 1u << path[1];
        if (path[1] <= 16) {
            if (!der_small(tag, v, 255, &n)) return false;
            p->svn[path[1] - 1] = (uint8_t)n;
        } else if (path[1] == 17) {
            if (!der_small(tag, v, 65535, &p->pcesvn)) return false;
        } else if (tag != 0x04 || v.n != 16) {
            return false;
        }
    }
    return rd_done(&r) && (seen | 1u << 18) == 0x7fffeu;
}

bool pck_extension_parse(struct slice der, struct pck *ret) {
    struct pck p = {0};
    struct slice all, v;
    struct rd r = rd_of(der);
    unsigned seen = 0;
    if (!der_expect(&r, 0x30, &all) || !rd_done(&r)) return false;
    r = rd_of(all);
    while (rd_left(&r) > 0) {
        uint8_t path[2] = {0}, tag = 0;
        if (!pck_item(&r, 1, path, &tag, &v) || path[0] > 7 || (seen & 1u << path[0])) return false;
        seen |= 1u << path[0];
        if (path[0] == 2 && (tag != 0x30 || !pck_tcb(v, &p))) return false;
        if (path[0] == 3) {
            if (tag != 0x04 || v.n != sizeof p.pce_id) return false;
            memcpy(p.pce_id, v.p, v.n);
        }
        if (path[0] == 4) {
            if (tag != 0x04 || v.n != sizeof p.fmspc) return false;
            memcpy(p.fmspc, v.p, v.n);
        }
    }
    const unsigned need = 1u << 2 | 1u << 3 | 1u << 4;
    if (!rd_done(&r) || (seen & need) != need) return false;
    *ret = p;
    return true;
}

bool pck_read(X509 *c, struct pck *ret) {
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    int at = oid ? X509_get_ext_by_OBJ(c, oid, -1) : -1;
    bool twice = at >= 0 && X509_get_ext_by_OBJ(c, oid, at) >= 0;
    ASN1_OBJECT_free(oid);
    if (at < 0 || twice) return false;
    const ASN1_OCTET_STRING *os = X509_EXTENSION_get_data(X509_get_ext(c, at));
    return pck_extension_parse(slice_of(ASN1_STRING_get0_data(os), (size_t)ASN1_STRING_length(os)),
                               ret);
}
