/* SPDX-License-Identifier: Apache-2.0 */
/* Chain, signature, and that certificate and report speak of one chip at one level. */
#include "tee/snp.h"
#include "tee/x384_int.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* SHA-256 of the SubjectPublicKeyInfo of AMD's roots, by product. */
static const char *const ark_pins[] = {
    [SNP_MILAN] = "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
    [SNP_GENOA] = "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
    [SNP_TURIN] = "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08",
};

struct snp_chain {
    X509 *ek, *ask, *ark;
    X509_CRL *crl;
    bool vlek;
    snp_product product;
    struct snp_tcb tcb;
    uint8_t hwid[64];
    size_t hwid_n; /* 0 for a VLEK */
};

#define REJECT(name, what) dcap_reject(ret_class, err, name, what)

bool snp_ark_is_pinned(struct slice ark, snp_product *ret_product) {
    uint8_t *spki = NULL, want[32];
    X509 *c = x509_of(ark, SNP_CERT_MAX);
    int n = c ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c), &spki) : 0;
    bool found = false;
    if (n > 0) {
        struct hash h = sha256(slice_of(spki, (size_t)n));
        for (size_t i = 0; i < SR_ARRAY_LEN(ark_pins); i++) {
            if (!hex_decode(slice_str(ark_pins[i]), want, 32) || memcmp(want, h.b, 32) != 0)
                continue;
            if (ret_product) *ret_product = (snp_product)i;
            found = true;
        }
    }
    OPENSSL_free(spki);
    X509_free(c);
    ERR_clear_error();
    return found;
}

/* The content of an extension under 1.3.6.1.4.1.3704.1; false: absent or twice. */
static bool extension(X509 *c, const char *oid_text, struct slice *ret) {
    ASN1_OBJECT *oid = OBJ_txt2obj(oid_text, 1);
    int at = oid ? X509_get_ext_by_OBJ(c, oid, -1) : -1;
    bool twice = at >= 0 && X509_get_ext_by_OBJ(c, oid, at) >= 0;
    ASN1_OBJECT_free(oid);
    if (at < 0 || twice) return false;
    const ASN1_OCTET_STRING *os = X509_EXTENSION_get_data(X509_get_ext(c, at));
    *ret = slice_of(ASN1_STRING_get0_data(os), (size_t)ASN1_STRING_length(os));
    return true;
}

/* INTEGER 0..255 in its one DER form. */
static bool level(X509 *c, const char *oid, uint8_t *ret) {
    struct slice v;
    if (!extension(c, oid, &v) || v.n < 3 || v.p[0] != 0x02 || v.p[1] != v.n - 2) return false;
    if (v.n == 3 && v.p[2] < 0x80) {
        *ret = v.p[2];
        return true;
    }
    if (v.n != 4 || v.p[2] != 0 || v.p[3] < 0x80) return false;
    *ret = v.p[3];
    return true;
}

static bool product_of(X509 *c, snp_product *ret) {
    struct slice v, name, rest;
    if (!extension(c, "1.3.6.1.4.1.3704.1.2", &v) || v.n < 2 || v.p[0] != 0x16 || v.p[1] != v.n - 2)
        return false;
    (void)slice_cut(slice_of(v.p + 2, v.n - 2), '-', &name, &rest); /* "Milan-B0" */
    for (size_t i = 0; i < SNP_UNKNOWN; i++) {
        if (!slice_is(name, snp_product_name((snp_product)i))) continue;
        *ret = (snp_product)i;
        return true;
    }
    return false;
}

static bool leaf_read(struct snp_chain *c) {
    struct slice hwid = {0};
    c->vlek = cert_has_name(c->ek, "SEV-VLEK");
    if (!c->vlek && !cert_has_name(c->ek, "SEV-VCEK")) return false;
    if (!product_of(c->ek, &c->product)) return false;
    if (!level(c->ek, "1.3.6.1.4.1.3704.1.3.1", &c->tcb.bl) ||
        !level(c->ek, "1.3.6.1.4.1.3704.1.3.2", &c->tcb.tee) ||
        !level(c->ek, "1.3.6.1.4.1.3704.1.3.3", &c->tcb.snp) ||
        !level(c->ek, "1.3.6.1.4.1.3704.1.3.8", &c->tcb.ucode))
        return false;
    if (c->product == SNP_TURIN && !level(c->ek, "1.3.6.1.4.1.3704.1.3.9", &c->tcb.fmc))
        return false;
    if (c->vlek) return extension(c->ek, "1.3.6.1.4.1.3704.1.5", &hwid);
    if (!extension(c->ek, "1.3.6.1.4.1.3704.1.4", &hwid) ||
        hwid.n != (c->product == SNP_TURIN ? 8u : 64u))
        return false;
    memcpy(c->hwid, hwid.p, hwid.n);
    c->hwid_n = hwid.n;
    return true;
}

/* RSA-4096 with PSS and SHA-384 signs everything below a root of AMD. */
static sr_status link_check(X509 *c, X509 *issuer, const char **ret_class, struct sr_err *err) {
    int md = 0, pk = 0;
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    if (X509_NAME_cmp(X509_get_issuer_name(c), X509_get_subject_name(issuer)) != 0)
        return REJECT("CHAIN_ISSUER", "a certificate names another issuer");
    if (X509_get_signature_info(c, &md, &pk, NULL, NULL) != 1 || md != NID_sha384 ||
        pk != EVP_PKEY_RSA_PSS || !key || EVP_PKEY_get_bits(key) != 4096 ||
        EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        return REJECT("CHAIN_ALGORITHM", "not RSA-4096 with PSS and SHA-384");
    int ok = X509_verify(c, key);
    ERR_clear_error();
    if (ok != 1) return REJECT("CHAIN_SIGNATURE", "a certificate's signature is wrong");
    return SR_OK;
}

static bool is_ca(X509 *c) {
    return X509_check_ca(c) == 1 && (X509_get_key_usage(c) & KU_KEY_CERT_SIGN) &&
           !(X509_get_extension_flags(c) & (EXFLAG_CRITICAL | EXFLAG_INVALID));
}

static sr_status chain_load(struct snp_chain *c, struct slice ek, struct slice ask,
                            struct slice ark, const char **ret_class, struct sr_err *err) {
    char want[32];
    c->ek = x509_of(ek, SNP_CERT_MAX);
    c->ask = x509_of(ask, SNP_CERT_MAX);
    c->ark = x509_of(ark, SNP_CERT_MAX);
    if (!c->ek || !c->ask || !c->ark) return REJECT("PARSE", "a certificate is malformed");
    SR_TRY(link_check(c->ark, c->ark, ret_class, err));
    SR_TRY(link_check(c->ask, c->ark, ret_class, err));
    if (!is_ca(c->ark) || !is_ca(c->ask)) return REJECT("CHAIN_CA", "an issuer that is no CA");
    /* The ARK signs ARK and ASK alike: an ARK in the ASK's place would sign leaves of its own. */
    if (X509_cmp(c->ask, c->ark) == 0) return REJECT("CHAIN_NAME", "the root in the ASK's place");
    SR_TRY(link_check(c->ek, c->ask, ret_class, err));
    if (X509_get_extension_flags(c->ek) & (EXFLAG_CA | EXFLAG_CRITICAL | EXFLAG_INVALID))
        return REJECT("CHAIN_CA", "a leaf that is a CA, or has unknown critical extensions");
    if (!x509_is_p384(c->ek)) return REJECT("CHAIN_ALGORITHM", "the leaf's key is not of P-384");
    if (!leaf_read(c)) return REJECT("CHAIN_FORMAT", "not a VCEK or VLEK certificate");
    int n = snprintf(want, sizeof want, c->vlek ? "SEV-VLEK-%s" : "SEV-%s",
                     snp_product_name(c->product));
    if (n < 0 || (size_t)n >= sizeof want || !cert_has_name(c->ask, want))
        return REJECT("CHAIN_NAME", "the issuer is of another product or kind");
    return SR_OK;
}

sr_status snp_chain_new(struct slice ek, struct slice ask, struct slice ark, struct snp_chain **ret,
                        const char **ret_class, struct sr_err *err) {
    const char *none = NULL;
    struct snp_chain *c = sr_calloc_n(1, sizeof *c);
    if (!c) return sr_fail(err, SR_E_NOMEM, "out of memory");
    if (!ret_class) ret_class = &none;
    *ret_class = NULL;
    sr_status st = chain_load(c, ek, ask, ark, ret_class, err);
    if (st == SR_OK)
        *ret = c;
    else
        snp_chain_free(c);
    return st;
}

void snp_chain_free(struct snp_chain *c) {
    if (!c) return;
    X509_free(c->ek);
    X509_free(c->ask);
    X509_free(c->ark);
    X509_CRL_free(c->crl);
    free(c);
}

sr_status snp_chain_add_crl(struct snp_chain *c, struct slice der, const char **ret_class,
                            struct sr_err *err) {
    const uint8_t *p = der.p;
    if (der.n == 0 || der.n > (1u << 20)) return REJECT("COLLATERAL_FORMAT", "a CRL too long");
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
    ERR_clear_error();
    if (!crl || p != der.p + der.n) {
        X509_CRL_free(crl);
        return REJECT("COLLATERAL_FORMAT", "a CRL is malformed");
    }
    bool named = X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(c->ark)) == 0;
    bool good = named && X509_CRL_verify(crl, X509_get0_pubkey(c->ark)) == 1;
    ERR_clear_error();
    if (!good) {
        X509_CRL_free(crl);
        return REJECT(named ? "CRL_SIGNATURE" : "CRL_ISSUER", "not a CRL of this root");
    }
    X509_CRL_free(c->crl);
    c->crl = crl;
    return SR_OK;
}

#undef REJECT
#define FAIL(name, what) dcap_reject(&r->error, err, name, what)

static sr_status check_now(const struct snp_chain *c, uint64_t now, struct snp_result *r,
                           struct sr_err *err) {
    X509 *const certs[] = {c->ark, c->ask, c->ek};
    for (size_t i = 0; i < SR_ARRAY_LEN(certs); i++)
        SR_TRY(cert_check_time(certs[i], now, &r->error, err));
    if (!c->crl) return SR_OK;
    SR_TRY(crl_check_time(c->crl, now, &r->error, err));
    return crl_check_cert(c->crl, c->ask, &r->error, err);
}

static bool signature_ok(struct slice report, const struct snp_chain *c) {
    static const uint8_t zero[24];
    uint8_t sig[96];
    const uint8_t *r = report.p + SNP_SIGNED_BYTES, *s = r + 72;
    if (memcmp(r + 48, zero, 24) != 0 || memcmp(s + 48, zero, 24) != 0) return false;
    for (size_t i = 0; i < 48; i++) { /* little-endian there, big-endian here */
        sig[i] = r[47 - i];
        sig[48 + i] = s[47 - i];
    }
    return p384_verify(X509_get0_pubkey(c->ek), slice_of(report.p, SNP_SIGNED_BYTES), sig);
}

static sr_status check_all(struct slice report, const struct snp_chain *c, uint64_t now,
                           struct snp_result *r, struct sr_err *err) {
    static const uint8_t zero[64];
    const struct snp_report *p = &r->report;
    SR_TRY(check_now(c, now, r, err));
    if (!signature_ok(report, c))
        return FAIL("REPORT_SIGNATURE", "the report is not signed by this key");
    if (p->masked_key) return FAIL("REPORT_SIGNATURE", "a report with a masked key is unsigned");
    if (p->signing_key != (c->vlek ? SNP_KEY_VLEK : SNP_KEY_VCEK))
        return FAIL("KEY_KIND", "the report names another kind of key than its certificate");
    r->tcb = snp_tcb_read(p->reported_tcb, c->product);
    r->committed = snp_tcb_read(p->committed_tcb, c->product);
    if (memcmp(&r->tcb, &c->tcb, sizeof r->tcb) != 0)
        return FAIL("TCB_MISMATCH", "the certificate is of another TCB than the reported one");
    if (!c->vlek && !p->masked_chip &&
        (memcmp(p->chip_id, c->hwid, c->hwid_n) != 0 ||
         memcmp(p->chip_id + c->hwid_n, zero, sizeof p->chip_id - c->hwid_n) != 0))
        return FAIL("CHIP_ID", "the certificate is of another chip");
    if (p->version >= 3 && p->cpuid_product != c->product)
        return FAIL("PRODUCT", "the certificate is of another product than the CPU");
    return SR_OK;
}

sr_status snp_verify(struct slice report, const struct snp_chain *c, uint64_t now_s,
                     struct snp_result *ret, struct sr_err *err) {
    struct snp_result r = {.product = c->product, .vlek = c->vlek};
    sr_status st = snp_parse(report, &r.report, &r.error, err);
    if (st == SR_OK) {
        r.debug = (r.report.policy & SNP_POLICY_DEBUG) != 0;
        st = check_all(report, c, now_s, &r, err);
    }
    *ret = r;
    return st;
}

size_t snp_strict_reasons(const struct snp_result *r, const char **ret_reasons, size_t max) {
    size_t n = 0;
    if (r->debug && n < max) ret_reasons[n++] = "debug";
    if ((r->report.policy & SNP_POLICY_MIGRATE_MA) && n < max) ret_reasons[n++] = "migratable";
    if (r->report.vmpl != 0 && n < max) ret_reasons[n++] = "vmpl";
    return n;
}
